/* SPDX-License-Identifier: Apache-2.0
 *
 * What other threads ask of the engine: submitting, waiting, reading. */
#include "engine/solo_int.h"

#include <stdlib.h>
#include <time.h>

/* --- news ------------------------------------------------------------------------------------------------------------ */

void solo_tell(eng_solo *s, bool block)
{
    pthread_mutex_lock(&s->news_lock);
    if (block)
        s->news_count++;
    else
        s->work = true;
    pthread_cond_broadcast(&s->news);
    pthread_mutex_unlock(&s->news_lock);
}

bool solo_sleep(eng_solo *s, uint64_t until_ms)
{
    if (until_ms == UINT64_MAX) {
        pthread_cond_wait(&s->news, &s->news_lock);
        return true;
    }
    if (solo_now_ms() >= until_ms)
        return false;
    struct timespec until = { .tv_sec = (time_t)(until_ms / 1000), .tv_nsec = (long)(until_ms % 1000) * 1000000 };
    pthread_cond_timedwait(&s->news, &s->news_lock, &until);
    return true;
}

static uint64_t deadline_after(uint64_t timeout_ms)
{
    uint64_t now = solo_now_ms();
    return timeout_ms < UINT64_MAX - now ? now + timeout_ms : UINT64_MAX;
}

static uint64_t news_seen(eng_solo *s)
{
    pthread_mutex_lock(&s->news_lock);
    uint64_t seen = s->news_count;
    pthread_mutex_unlock(&s->news_lock);
    return seen;
}

/* OK: a block was published after `seen`. */
static err wait_for_news(eng_solo *s, uint64_t seen, uint64_t deadline_ms)
{
    bool more = true;
    pthread_mutex_lock(&s->news_lock);
    while (!s->closing && s->news_count == seen && more)
        more = solo_sleep(s, deadline_ms);
    err e = s->closing ? ERR_INTERRUPTED : s->news_count != seen ? OK : ERR_TIMEOUT;
    pthread_mutex_unlock(&s->news_lock);
    return e;
}

/* --- submitting ------------------------------------------------------------------------------------------------------ */

/* Form and signature: needs no lock. */
static err check_alone(chain_tx *tx, hash256 *id, bytes raw, fault *f)
{
    TRY(chain_tx_decode(tx, raw, f));
    *id = tx->id;
    err e = chain_tx_verify(tx);
    return e == OK ? OK : fail(f, e, "tx.signature", 0);
}

static err add_to_pool(eng_solo *s, const chain_tx *tx, const chain_admission *a, bytes raw, fault *f)
{
    mempool_tx entry = { .id = tx->id, .sender = tx->sender, .nonce = tx->nonce, .next_nonce = a->next_nonce,
                         .expiry_height = tx->expiry_height, .fee = a->total_fee, .raw = raw };
    bool    replaced;
    hash256 old;
    err e = mempool_add(s->pool, &entry, &replaced, &old, f);
    if (e == OK && replaced) {
        eng_tx_result gone = { .id = old, .status = ENG_TX_DROPPED, .code = ERR_NONCE, .what = "replaced by a higher fee" };
        result_ring_add(&s->results, &gone);
    }
    return e;
}

/* With `state` and the pool held: why a transaction is refused that may be known already. */
static err name_duplicate(eng_solo *s, const chain_tx *tx, err e, fault *f)
{
    const eng_tx_result *known = result_ring_find(&s->results, &tx->id);
    if (mempool_has(s->pool, &tx->id))
        return fail(f, ERR_DUPLICATE, "tx: waits already", 0);
    if (known && known->status == ENG_TX_INCLUDED)
        return fail(f, ERR_DUPLICATE, "tx: was in a block already", known->height);
    return e;
}

/* With `state` held for reading. The pool lock also keeps submitters from noting results at once. */
static err check_and_add(eng_solo *s, const chain_tx *tx, bytes raw, fault *f)
{
    if (s->halted || s->block_error == ERR_DISK_FULL || s->block_error == ERR_IO)
        return fail(f, s->halted ? ERR_IO : s->block_error, "engine: no block can be made now", 0);
    chain_admission a;
    err e = chain_check_decoded(s->chain, &a, tx, raw.len, (chain_check_flags){ .signature_known = true }, f);
    pthread_mutex_lock(&s->pool_lock);
    e = e == OK ? add_to_pool(s, tx, &a, raw, f) : name_duplicate(s, tx, e, f);
    pthread_mutex_unlock(&s->pool_lock);
    return e;
}

err eng_solo_submit(eng_solo *s, hash256 *id, bytes raw, fault *f)
{
    chain_tx tx;
    TRY(check_alone(&tx, id, raw, f));
    pthread_rwlock_rdlock(&s->state);
    err e = check_and_add(s, &tx, raw, f);
    pthread_rwlock_unlock(&s->state);
    if (e == OK)
        solo_tell(s, false);
    return e;
}

typedef struct many {
    eng_submitted *out;
    const bytes   *txs;
    chain_tx       decoded[256];
    size_t         from;
} many;

static void check_one(void *ctx, size_t item, unsigned thread)
{
    (void)thread;
    many *m = ctx;
    eng_submitted *out = &m->out[m->from + item];
    *out = (eng_submitted){ .code = OK };
    out->code = check_alone(&m->decoded[item], &out->id, m->txs[m->from + item], &out->fault);
}

void eng_solo_submit_many(eng_solo *s, eng_submitted *out, const bytes *txs, size_t count)
{
    many *m = malloc(sizeof *m);
    if (!m) { /* then one by one */
        for (size_t i = 0; i < count; i++)
            out[i].code = eng_solo_submit(s, &out[i].id, txs[i], &out[i].fault);
        return;
    }
    m->out = out;
    m->txs = txs;
    for (m->from = 0; m->from < count; m->from += COUNT_OF(m->decoded)) {
        size_t n = count - m->from < COUNT_OF(m->decoded) ? count - m->from : COUNT_OF(m->decoded);
        base_pool_for(s->threads, n, check_one, m);
        pthread_rwlock_rdlock(&s->state);
        for (size_t i = 0; i < n; i++) {
            eng_submitted *one = &out[m->from + i];
            if (one->code == OK)
                one->code = check_and_add(s, &m->decoded[i], txs[m->from + i], &one->fault);
        }
        pthread_rwlock_unlock(&s->state);
        solo_tell(s, false);
    }
    free(m);
}

/* --- results --------------------------------------------------------------------------------------------------------- */

err eng_solo_result(eng_solo *s, eng_tx_result *out, const hash256 *id)
{
    pthread_rwlock_rdlock(&s->state);
    pthread_mutex_lock(&s->pool_lock);
    const eng_tx_result *found = result_ring_find(&s->results, id);
    bool waits = mempool_has(s->pool, id); /* it may have come back after it was dropped */
    *out = found && !waits ? *found : (eng_tx_result){ .id = *id, .status = ENG_TX_WAITING };
    pthread_mutex_unlock(&s->pool_lock);
    pthread_rwlock_unlock(&s->state);
    return found || waits ? OK : ERR_NOT_FOUND;
}

err eng_solo_wait(eng_solo *s, eng_tx_result *out, const hash256 *id, uint64_t timeout_ms)
{
    uint64_t deadline_ms = deadline_after(timeout_ms);
    for (;;) {
        uint64_t seen = news_seen(s);
        TRY(eng_solo_result(s, out, id));
        if (out->status != ENG_TX_WAITING)
            return OK;
        TRY(wait_for_news(s, seen, deadline_ms));
    }
}

err eng_solo_wait_block(eng_solo *s, uint64_t *now, uint64_t height, uint64_t timeout_ms)
{
    uint64_t deadline_ms = deadline_after(timeout_ms);
    for (;;) {
        uint64_t seen = news_seen(s);
        pthread_rwlock_rdlock(&s->state);
        *now = chain_head(s->chain)->height;
        pthread_rwlock_unlock(&s->state);
        if (*now > height)
            return OK;
        TRY(wait_for_news(s, seen, deadline_ms));
    }
}

/* --- reads ----------------------------------------------------------------------------------------------------------- */

const chain *eng_solo_read_begin(eng_solo *s)
{
    pthread_rwlock_rdlock(&s->state);
    return s->chain;
}

void eng_solo_read_end(eng_solo *s)
{
    pthread_rwlock_unlock(&s->state);
}

err eng_solo_prove(eng_solo *s, eng_proved *out, chain_table table, bytes key, fault *f)
{
    CHECK(sizeof out->buffer >= LIMIT_STATE_VALUE_BYTES && sizeof out->header >= LIMIT_HEADER_BYTES);
    pthread_rwlock_rdlock(&s->state);
    err e = chain_prove(s->chain, &out->proof, &out->value, out->buffer, table, key, f);
    bytes header = chain_head_signed(s->chain);
    out->header_len = header.len;
    if (header.len)
        memcpy(out->header, header.data, header.len);
    out->block_hash = chain_head_hash(s->chain);
    out->height = chain_head(s->chain)->height;
    pthread_rwlock_unlock(&s->state);
    return e;
}

err eng_solo_block(eng_solo *s, buf *out, uint64_t height, fault *f)
{
    pthread_rwlock_rdlock(&s->state);
    err e = eng_log_read(s->log, out, height, f);
    pthread_rwlock_unlock(&s->state);
    return e;
}

void eng_solo_events(eng_solo *s, eng_event *out, size_t *count, uint64_t *next, bool *lost, uint64_t from, size_t max)
{
    pthread_rwlock_rdlock(&s->state);
    const event_ring *ring = &s->events;
    uint64_t end = ring->count, at = end > LIMIT_EVENT_RING ? end - LIMIT_EVENT_RING : 0;
    *lost = from != 0 && from < ring->whole_from;
    for (uint64_t high = end; at < high;) { /* the first one that is wanted */
        uint64_t middle = at + (high - at) / 2;
        if (ring->entries[middle % LIMIT_EVENT_RING].seq < from)
            at = middle + 1;
        else
            high = middle;
    }
    *count = 0;
    while (at < end && *count < max)
        out[(*count)++] = ring->entries[at++ % LIMIT_EVENT_RING];
    *next = at < end ? ring->entries[at % LIMIT_EVENT_RING].seq : solo_event_seq(chain_head(s->chain)->height + 1, 0);
    pthread_rwlock_unlock(&s->state);
}

void eng_solo_status_get(eng_solo *s, eng_solo_status *out)
{
    pthread_mutex_lock(&s->make);
    pthread_rwlock_rdlock(&s->state);
    pthread_mutex_lock(&s->pool_lock);
    eng_checkpoint_mark newest = { 0 };
    (void)eng_checkpoint_newest(s->checkpoint, &newest);
    *out = (eng_solo_status){ .height = chain_head(s->chain)->height, .head_hash = chain_head_hash(s->chain),
                              .state_root = chain_head(s->chain)->state_root, .waiting_txs = mempool_count(s->pool),
                              .waiting_bytes = mempool_bytes(s->pool), .checkpoint_height = newest.height,
                              .events_next = solo_event_seq(chain_head(s->chain)->height + 1, 0), .block_error = s->block_error,
                              .checkpoint_error = s->checkpoint_error, .halted = s->halted };
    pthread_mutex_unlock(&s->pool_lock);
    pthread_rwlock_unlock(&s->state);
    pthread_mutex_unlock(&s->make);
}
