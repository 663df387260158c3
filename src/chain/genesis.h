/* SPDX-License-Identifier: Apache-2.0
 *
 * The genesis document: canonical CBOR array
 *   ["theblock/genesis/v2", chain id, address prefix, [parameter values as [number, value]...],
 *    [[address, amount]... in ascending order of address], [issuer keys...], [producer keys...],
 *    [[role, scope, key]... in ascending order of (role, key)],
 *    [[number, least, most]... in ascending order of number]]
 * Its SHA-256 is the identity of the network. Chain ids that end in "-dev" are local: only they may have allocations.
 * The last list are the network's own bounds of parameters (spec/tx.md section Genesis). Form v1, without it: ERR_VERSION. */
#ifndef CHAIN_GENESIS_H
#define CHAIN_GENESIS_H

#include "chain/param.h"
#include "chain/record.h"

typedef struct chain_allocation {
    cr_address address; /* kind account */
    uint64_t   amount;  /* nBLOCK, counted as minted; at least 1 */
} chain_allocation;

/* Who may publish packs or attest releases from the first block on (spec/identity.md). */
typedef struct chain_authority {
    uint8_t       role;  /* chain_role */
    uint32_t      scope; /* the one region that it may rule, or 0 for all; 0 if it rules no region */
    cr_public_key key;
} chain_authority;

typedef struct chain_genesis {
    chain_name           chain_id;
    chain_name           address_prefix; /* "tb": 1..8 lower-case letters */
    chain_params         params;
    chain_allocation    *allocations; /* at most LIMIT_GENESIS_ACCOUNTS, strictly ascending */
    size_t               allocation_count;
    cr_public_key       *issuers;     /* at most LIMIT_GENESIS_KEYS, strictly ascending */
    size_t               issuer_count;
    cr_public_key       *producers;   /* 1 to LIMIT_GENESIS_KEYS, strictly ascending */
    size_t               producer_count;
    chain_authority      authorities[64]; /* LIMIT_GENESIS_AUTHORITIES, strictly ascending by role and key */
    size_t               authority_count;
    chain_bound          bounds[CHAIN_PARAM_COUNT]; /* strictly ascending by number, each narrower than its row's */
    size_t               bound_count;
} chain_genesis;

/* Sorts the caller's arrays, checks everything that decode checks, writes. ERR_LIMIT if it does not fit. */
err chain_genesis_encode(bytes *out, uint8_t *buffer, size_t cap, chain_genesis *g, fault *f) MUST_USE;

/* The arrays in *out have the room that the counts in it say on entry; ERR_LIMIT if they are too small. */
err chain_genesis_decode(chain_genesis *out, bytes in, fault *f) MUST_USE;

/* The form alone: for tools that say what else is wrong. */
err chain_genesis_read(chain_genesis *out, bytes in, fault *f) MUST_USE;
/* Everything that decode refuses behind the form, the first `cap` problems in out; returns how many there are. */
size_t chain_genesis_problems(const chain_genesis *g, fault *out, size_t cap);

hash256 chain_genesis_hash(bytes in);

bool chain_id_is_dev(const chain_name *chain_id);

#endif
