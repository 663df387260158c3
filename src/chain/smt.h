/* SPDX-License-Identifier: Apache-2.0
 *
 * The authenticated state: one path-compressed binary Merkle tree (crit-bit tree) per module, SHA-256.
 *   leaf  = H(0x00 || path || H(0x02 || value))      path = SHA-256(table number || key), 256 bits, most significant first
 *   node  = H(0x01 || depth || left || right)        depth: the first bit at which the leaves below differ
 *   empty = 32 zero bytes
 * The tree is a function of the set of (path, value) alone. Every leaf below a node shares the bits above its depth, and the
 * depth is inside the hash: so a path to the nearest leaf also proves absence. The state root is the RFC 6962 tree over the
 * module roots in the order of chain_module. spec/state.md. */
#ifndef CHAIN_SMT_H
#define CHAIN_SMT_H

#include "base/bytes.h"
#include "chain/record.h"

typedef enum chain_module {
    CHAIN_MODULE_ACCOUNTS,
    CHAIN_MODULE_SUPPLY,
    CHAIN_MODULE_PARAMS,
    CHAIN_MODULE_JOBS,
    CHAIN_MODULE_WORKERS,
    CHAIN_MODULE_IDENTITY,
    CHAIN_MODULE_RECEIPTS,
    CHAIN_MODULE_BEACON,
    CHAIN_MODULE_ECONOMY,    /* control laws, markets, epochs */
    CHAIN_MODULE_PROVIDERS,
    CHAIN_MODULE_GOVERNANCE, /* proposals, votes, houses */
    CHAIN_MODULE_VOTERS,
    CHAIN_MODULE_TREASURY,
    CHAIN_MODULE_AUCTIONS,   /* and oracles */
    CHAIN_MODULE_OVERLAYS,
    CHAIN_MODULE_RISK,
    CHAIN_MODULE_COUNT
} chain_module;

enum { SMT_DEPTH_MAX = 256, SMT_TOP_MAX = 4 /* log2 of CHAIN_MODULE_COUNT */ };

hash256 smt_path(uint8_t table, bytes key);
hash256 smt_value_hash(bytes value);
hash256 smt_leaf(const hash256 *path, const hash256 *value_hash);
hash256 smt_node(uint8_t depth, const hash256 *left, const hash256 *right);

/* A path from a leaf up to the state root. */
typedef struct smt_proof {
    uint8_t  module;     /* chain_module */
    bool     empty;      /* the module's tree has no leaf: proves absence of every key; the fields of the leaf are zero */
    hash256  leaf_path;  /* equal to the key's path: inclusion; else the nearest leaf: absence */
    hash256  value_hash;
    uint32_t count;      /* siblings, leaf first */
    uint8_t  depth[SMT_DEPTH_MAX]; /* strictly decreasing */
    hash256  sibling[SMT_DEPTH_MAX];
    hash256  top[SMT_TOP_MAX];
} smt_proof;

/* Canonical bytes of a proof, at most LIMIT_STATE_PROOF_BYTES. */
err smt_proof_encode(bytes *out, uint8_t *buffer, size_t cap, const smt_proof *p) MUST_USE;
err smt_proof_decode(smt_proof *out, bytes in, fault *f) MUST_USE;

/* Checks that under `state_root` the key (of a row of `table`, see chain/state.h) has exactly this value, or that it is absent
 * (value == NULL). ERR_PROOF otherwise. Needs nothing but its arguments. */
err smt_verify(const smt_proof *p, const hash256 *state_root, uint8_t table, bytes key, const bytes *value, fault *f) MUST_USE;

#endif
