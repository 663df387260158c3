/* SPDX-License-Identifier: Apache-2.0
 *
 * A local development network: its genesis document with listed allocations, one KYC issuer and one producer. */
#ifndef APPS_GENESIS_LOCAL_H
#define APPS_GENESIS_LOCAL_H

#include "apps/home.h"
#include "base/buf.h"
#include "chain/genesis.h"

typedef struct tb_genesis_plan {
    const char             *chain_id; /* ends in "-dev" if there are allocations */
    const char             *prefix;   /* NULL: "tb" */
    const chain_allocation *allocations;
    size_t                  allocation_count;
    const cr_public_key    *issuer;   /* NULL: none */
    const cr_public_key    *producer;
    const chain_params     *params;   /* NULL: the defaults */
} tb_genesis_plan;

/* Appends the document to `out` (bound: LIMIT_GENESIS_BYTES) and gives its hash. Allocations to one address are added up. */
err tb_genesis_make(buf *out, hash256 *hash, const tb_genesis_plan *plan, fault *f) MUST_USE;

/* Writes it as genesis.cbor of the data directory: ERR_EXISTS if another one stands there. */
err tb_genesis_save(const tb_home *home, bytes genesis, fault *f) MUST_USE;
/* Appends genesis.cbor, checked. */
err tb_genesis_load(buf *out, chain_name *chain_id, hash256 *hash, const tb_home *home, fault *f) MUST_USE;

#endif
