/* SPDX-License-Identifier: Apache-2.0
 *
 * Transactions that wait for a block: bounded in number, bytes and per sender; found by id; offered per sender in order of
 * nonce. It keeps what it is given: whether a transaction may wait is chain_check's word. Not for use by several threads at once. */
#ifndef ENGINE_MEMPOOL_H
#define ENGINE_MEMPOOL_H

#include "chain/chain.h"

typedef struct mempool mempool;

typedef struct mempool_limits {
    size_t txs;
    size_t bytes;
    size_t sender_txs;
} mempool_limits;

typedef struct mempool_tx {
    hash256       id;
    cr_public_key sender;
    uint64_t      nonce;
    uint64_t      next_nonce; /* the sender's, in the committed state */
    uint64_t      expiry_height;
    uint64_t      fee; /* base and tip */
    bytes         raw; /* owned by the pool */
} mempool_tx;

/* `seed` is random: against crafted keys. */
err  mempool_new(mempool **out, const mempool_limits *limits, uint64_t seed) MUST_USE;
void mempool_free(mempool *pool); /* NULL is fine */

size_t mempool_count(const mempool *pool);
size_t mempool_bytes(const mempool *pool);
bool   mempool_has(const mempool *pool, const hash256 *id);

/* Copies tx->raw. A transaction with the sender and nonce of a waiting one takes its place if its fee is at least an eighth higher:
 * then *replaced is true and *replaced_id names the old one. ERR_DUPLICATE: this one waits already, or the fee is not enough to
 * replace; ERR_BUSY: the pool or the sender's share is full; ERR_MEMORY. */
err mempool_add(mempool *pool, const mempool_tx *tx, bool *replaced, hash256 *replaced_id, fault *f) MUST_USE;

/* Up to `max` transactions of at most `bytes_max` together that could go into the next block: of each sender the unbroken run from
 * its next nonce, as mempool_add or mempool_advance was told last. Each call starts with another sender, so that nobody waits for ever. The views are valid until the next change. */
size_t mempool_ready(mempool *pool, const mempool_tx **out, size_t max, size_t bytes_max);

/* Called for what leaves without having been in a block. */
typedef void (*mempool_drop_fn)(void *ctx, const hash256 *id, err code, const char *what);

/* The sender's next nonce is `next_nonce` now. Forgets its transactions below: another one took their nonce. */
void mempool_advance(mempool *pool, const cr_public_key *sender, uint64_t next_nonce, mempool_drop_fn drop, void *ctx);

/* Forgets those whose expiry height is below `height`. */
void mempool_expire(mempool *pool, uint64_t height, mempool_drop_fn drop, void *ctx);

/* Forgets one; false if it is not there. */
bool mempool_remove(mempool *pool, const hash256 *id);

#endif
