/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mempool.h"

#include <stdlib.h>

typedef struct pool_sender pool_sender;

typedef struct pool_tx {
    mempool_tx      tx;
    struct pool_tx *same_slot; /* in the table by id */
    struct pool_tx *next;      /* of the sender, by nonce */
    pool_sender    *owner;
} pool_tx;

struct pool_sender {
    cr_public_key key;
    pool_sender  *same_slot;
    pool_sender  *ring_next, *ring_prev; /* all senders, in a ring */
    pool_tx      *first;
    size_t        count;
    uint64_t      next_nonce;
};

struct mempool {
    mempool_limits limits;
    uint64_t       seed;
    size_t         count, bytes, slots; /* slots is a power of two */
    pool_tx      **by_id;
    pool_sender  **by_sender;
    pool_sender   *turn; /* who is offered first next time */
    uint64_t       expiry_min; /* no waiting transaction expires before it */
};

static size_t slot_of(const mempool *pool, const uint8_t *b)
{
    uint64_t z = (load_le64(b) ^ pool->seed) * 0x9e3779b97f4a7c15u;
    z ^= (load_le64(b + 8) + pool->seed) * 0xbf58476d1ce4e5b9u;
    return (size_t)(z ^ z >> 31) & (pool->slots - 1);
}

err mempool_new(mempool **out, const mempool_limits *limits, uint64_t seed)
{
    mempool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return ERR_MEMORY;
    pool->limits = *limits;
    pool->seed = seed;
    pool->expiry_min = UINT64_MAX;
    pool->slots = 64;
    while (pool->slots < limits->txs)
        pool->slots *= 2;
    pool->by_id = calloc(pool->slots, sizeof(pool_tx *));
    pool->by_sender = calloc(pool->slots, sizeof(pool_sender *));
    if (!pool->by_id || !pool->by_sender) {
        mempool_free(pool);
        return ERR_MEMORY;
    }
    *out = pool;
    return OK;
}

void mempool_free(mempool *pool)
{
    if (!pool)
        return;
    for (size_t i = 0; pool->by_id && i < pool->slots; i++) {
        while (pool->by_id[i]) {
            pool_tx *tx = pool->by_id[i];
            pool->by_id[i] = tx->same_slot;
            free(tx);
        }
    }
    for (size_t i = 0; pool->by_sender && i < pool->slots; i++) {
        while (pool->by_sender[i]) {
            pool_sender *sender = pool->by_sender[i];
            pool->by_sender[i] = sender->same_slot;
            free(sender);
        }
    }
    free(pool->by_id);
    free(pool->by_sender);
    free(pool);
}

size_t mempool_count(const mempool *pool)
{
    return pool->count;
}

size_t mempool_bytes(const mempool *pool)
{
    return pool->bytes;
}

static pool_tx *find_tx(const mempool *pool, const hash256 *id)
{
    pool_tx *tx = pool->by_id[slot_of(pool, id->b)];
    while (tx && !hash256_equal(&tx->tx.id, id))
        tx = tx->same_slot;
    return tx;
}

bool mempool_has(const mempool *pool, const hash256 *id)
{
    return find_tx(pool, id) != NULL;
}

static pool_sender *find_sender(const mempool *pool, const cr_public_key *key)
{
    pool_sender *sender = pool->by_sender[slot_of(pool, key->b)];
    while (sender && memcmp(sender->key.b, key->b, sizeof key->b) != 0)
        sender = sender->same_slot;
    return sender;
}

static pool_sender *add_sender(mempool *pool, const cr_public_key *key)
{
    pool_sender *sender = calloc(1, sizeof *sender);
    if (!sender)
        return NULL;
    sender->key = *key;
    pool_sender **slot = &pool->by_sender[slot_of(pool, key->b)];
    sender->same_slot = *slot;
    *slot = sender;
    if (!pool->turn) {
        pool->turn = sender->ring_next = sender->ring_prev = sender;
    } else { /* at the end of the ring, just before whose turn it is */
        sender->ring_next = pool->turn;
        sender->ring_prev = pool->turn->ring_prev;
        sender->ring_prev->ring_next = sender;
        sender->ring_next->ring_prev = sender;
    }
    return sender;
}

static void remove_sender(mempool *pool, pool_sender *sender)
{
    pool_sender **at = &pool->by_sender[slot_of(pool, sender->key.b)];
    while (*at != sender)
        at = &(*at)->same_slot;
    *at = sender->same_slot;
    if (pool->turn == sender)
        pool->turn = sender->ring_next == sender ? NULL : sender->ring_next;
    sender->ring_prev->ring_next = sender->ring_next;
    sender->ring_next->ring_prev = sender->ring_prev;
    free(sender);
}

static void remove_tx(mempool *pool, pool_tx *tx)
{
    pool_tx **at = &pool->by_id[slot_of(pool, tx->tx.id.b)];
    while (*at != tx)
        at = &(*at)->same_slot;
    *at = tx->same_slot;
    pool_sender *sender = tx->owner;
    at = &sender->first;
    while (*at != tx)
        at = &(*at)->next;
    *at = tx->next;
    pool->count--;
    pool->bytes -= tx->tx.raw.len;
    if (--sender->count == 0)
        remove_sender(pool, sender);
    free(tx);
}

static pool_tx *new_tx(const mempool_tx *tx)
{
    pool_tx *copy = malloc(sizeof *copy + tx->raw.len);
    if (!copy)
        return NULL;
    *copy = (pool_tx){ .tx = *tx };
    copy->tx.raw = bytes_of((uint8_t *)(copy + 1), tx->raw.len);
    memcpy(copy + 1, tx->raw.data, tx->raw.len);
    return copy;
}

/* Whether there is room for `tx`, in place of `old` or of nothing. */
static err check_room(const mempool *pool, const mempool_tx *tx, const pool_sender *sender, const pool_tx *old, fault *f)
{
    if (old) {
        if (tx->fee < old->tx.fee || tx->fee - old->tx.fee < old->tx.fee / 8 + 1)
            return fail(f, ERR_DUPLICATE, "mempool: this nonce waits already; its fee must be an eighth higher", tx->nonce);
        if (pool->bytes - old->tx.raw.len + tx->raw.len > pool->limits.bytes)
            return fail(f, ERR_BUSY, "mempool: bytes", pool->bytes);
        return OK;
    }
    if (pool->count >= pool->limits.txs)
        return fail(f, ERR_BUSY, "mempool: transactions", pool->count);
    if (tx->raw.len > pool->limits.bytes - pool->bytes)
        return fail(f, ERR_BUSY, "mempool: bytes", pool->bytes);
    if (sender && sender->count >= pool->limits.sender_txs)
        return fail(f, ERR_BUSY, "mempool: transactions of this sender", sender->count);
    return OK;
}

err mempool_add(mempool *pool, const mempool_tx *tx, bool *replaced, hash256 *replaced_id, fault *f)
{
    *replaced = false;
    if (mempool_has(pool, &tx->id))
        return fail(f, ERR_DUPLICATE, "mempool: waits already", 0);
    pool_sender *sender = find_sender(pool, &tx->sender);
    pool_tx     *old = sender ? sender->first : NULL;
    while (old && old->tx.nonce < tx->nonce)
        old = old->next;
    if (old && old->tx.nonce != tx->nonce)
        old = NULL;
    TRY(check_room(pool, tx, sender, old, f));
    pool_tx *copy = new_tx(tx);
    if (copy && !sender)
        sender = add_sender(pool, &tx->sender);
    if (!copy || !sender) {
        free(copy);
        return fail(f, ERR_MEMORY, "mempool", tx->raw.len);
    }
    copy->owner = sender;
    pool_tx **at = &sender->first;
    while (*at && (*at)->tx.nonce < tx->nonce)
        at = &(*at)->next;
    copy->next = *at;
    *at = copy;
    sender->count++;
    sender->next_nonce = tx->next_nonce;
    pool_tx **slot = &pool->by_id[slot_of(pool, tx->id.b)];
    copy->same_slot = *slot;
    *slot = copy;
    pool->count++;
    pool->bytes += tx->raw.len;
    if (tx->expiry_height < pool->expiry_min)
        pool->expiry_min = tx->expiry_height;
    if (old) {
        *replaced = true;
        *replaced_id = old->tx.id;
        remove_tx(pool, old);
    }
    return OK;
}

size_t mempool_ready(mempool *pool, const mempool_tx **out, size_t max, size_t bytes_max)
{
    size_t count = 0, total = 0;
    pool_sender *sender = pool->turn;
    while (sender && count < max) {
        uint64_t next = sender->next_nonce;
        for (pool_tx *tx = sender->first; tx && tx->tx.nonce <= next && count < max; tx = tx->next) {
            if (tx->tx.nonce < next)
                continue;
            if (tx->tx.raw.len > bytes_max - total)
                break;
            total += tx->tx.raw.len;
            out[count++] = &tx->tx;
            next++;
        }
        sender = sender->ring_next;
        if (sender == pool->turn)
            break;
    }
    /* Where all had their say the next turn is the next sender's, else that of the first one left out. */
    if (sender)
        pool->turn = sender == pool->turn ? sender->ring_next : sender;
    return count;
}

static void drop_tx(mempool *pool, pool_tx *tx, err code, const char *what, mempool_drop_fn drop, void *ctx)
{
    hash256 id = tx->tx.id;
    remove_tx(pool, tx);
    if (drop)
        drop(ctx, &id, code, what);
}

void mempool_advance(mempool *pool, const cr_public_key *key, uint64_t next_nonce, mempool_drop_fn drop, void *ctx)
{
    pool_sender *sender = find_sender(pool, key);
    if (sender)
        sender->next_nonce = next_nonce;
    while (sender && sender->first->tx.nonce < next_nonce) {
        bool last = sender->count == 1; /* the sender goes with it */
        drop_tx(pool, sender->first, ERR_NONCE, "another transaction took its nonce", drop, ctx);
        if (last)
            break;
    }
}

void mempool_expire(mempool *pool, uint64_t height, mempool_drop_fn drop, void *ctx)
{
    if (height <= pool->expiry_min)
        return;
    uint64_t least = UINT64_MAX;
    for (size_t i = 0; i < pool->slots; i++) {
        for (pool_tx *tx = pool->by_id[i], *next; tx; tx = next) {
            next = tx->same_slot;
            if (tx->tx.expiry_height < height)
                drop_tx(pool, tx, ERR_EXPIRED, "tx.expiry_height", drop, ctx);
            else if (tx->tx.expiry_height < least)
                least = tx->tx.expiry_height;
        }
    }
    pool->expiry_min = least;
}

bool mempool_remove(mempool *pool, const hash256 *id)
{
    pool_tx *tx = find_tx(pool, id);
    if (tx)
        remove_tx(pool, tx);
    return tx != NULL;
}
