/* SPDX-License-Identifier: Apache-2.0
 *
 * Life of the engine, and the making of blocks. */
#include "engine/solo_int.h"

#include "base/port/file.h"
#include "engine/block.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    RETRY_MS = 1000, /* after a block could not be made */
    HEADER_BYTES = 1024, /* LIMIT_HEADER_BYTES */
};

static uint64_t clock_ms(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t solo_now_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

uint64_t solo_clock_ms(void)
{
    return clock_ms(CLOCK_REALTIME);
}

/* --- life ------------------------------------------------------------------------------------------------------------ */

static err init_locks(eng_solo *s)
{
    pthread_rwlockattr_t prefer;
    pthread_condattr_t   monotonic;
    bool good = pthread_rwlockattr_init(&prefer) == 0;
    /* A stream of readers must not keep the next block waiting. */
    good = good && pthread_rwlockattr_setkind_np(&prefer, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP) == 0;
    good = good && pthread_rwlock_init(&s->state, &prefer) == 0;
    good = good && pthread_condattr_init(&monotonic) == 0;
    good = good && pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0;
    good = good && pthread_cond_init(&s->news, &monotonic) == 0;
    good = good && pthread_mutex_init(&s->make, NULL) == 0;
    good = good && pthread_mutex_init(&s->pool_lock, NULL) == 0;
    good = good && pthread_mutex_init(&s->news_lock, NULL) == 0;
    return good ? OK : ERR_MEMORY;
}

/* Every event fits into its place in the ring. */
static void check_event_sizes(void)
{
    chain_event_type      type;
    const chain_record   *record;
    for (size_t i = 0; (record = chain_event_record_at(i, &type)) != NULL; i++) {
        size_t size = 16 + 64; /* array head and tag */
        for (size_t k = 0; k < record->count; k++) {
            chain_type t = record->fields[k].type;
            CHECK(t != CHAIN_TYPE_ITEMS);
            size += t == CHAIN_TYPE_BLOB ? (size_t)record->fields[k].max + 9 : t == CHAIN_TYPE_NAME ? 66
                    : t == CHAIN_TYPE_SIGNATURE ? 66 : t == CHAIN_TYPE_ADDRESS ? 35 : t == CHAIN_TYPE_HASH || t == CHAIN_TYPE_KEY ? 34 : 9;
        }
        CHECK(size <= ENG_EVENT_BYTES);
    }
}

static err init_memory(eng_solo *s)
{
    mempool_limits limits = { LIMIT_MEMPOOL_TXS, LIMIT_MEMPOOL_BYTES, LIMIT_MEMPOOL_SENDER_TXS };
    uint64_t seed;
    cr_random((uint8_t *)&seed, sizeof seed);
    buf_init(&s->block, LIMIT_LOG_RECORD_BYTES * 2);
    TRY(init_locks(s));
    TRY(result_ring_init(&s->results));
    TRY(mempool_new(&s->pool, &limits, seed));
    check_event_sizes();
    s->events.entries = calloc(LIMIT_EVENT_RING, sizeof *s->events.entries);
    s->ready = calloc(LIMIT_BLOCK_TXS, sizeof *s->ready);
    s->candidates = calloc(LIMIT_BLOCK_TXS, sizeof *s->candidates);
    s->chosen = calloc(LIMIT_BLOCK_TXS, sizeof *s->chosen);
    s->picked = calloc(LIMIT_BLOCK_TXS, sizeof *s->picked);
    s->raws = calloc(LIMIT_BLOCK_TXS, sizeof *s->raws);
    return s->events.entries && s->ready && s->candidates && s->chosen && s->picked && s->raws ? OK : ERR_MEMORY;
}

static void destroy(eng_solo *s)
{
    if (s->chain)
        chain_free(s->chain);
    eng_log_close(s->log);
    eng_checkpoint_close(s->checkpoint);
    base_file_close(s->lock_fd);
    result_ring_deinit(&s->results);
    mempool_free(s->pool);
    buf_deinit(&s->block);
    free(s->events.entries);
    free(s->ready);
    free(s->candidates);
    free(s->chosen);
    free(s->picked);
    free(s->raws);
    cr_wipe(&s->producer, sizeof s->producer);
    free(s);
}

static err lock_directory(eng_solo *s, const char *dir, fault *f)
{
    char path[PATH_MAX];
    int  n = snprintf(path, sizeof path, "%s/LOCK", dir);
    if (n < 0 || (size_t)n >= sizeof path)
        return fail(f, ERR_LIMIT, "data directory: path too long", PATH_MAX);
    TRY(base_dir_make(dir, f));
    return base_file_lock(&s->lock_fd, path, f);
}

/* A block must fit into a segment: transactions, their framing, header and record. */
static size_t block_bytes_for(uint64_t segment_bytes)
{
    uint64_t room = segment_bytes < 4 * LIMIT_HEADER_BYTES ? 0 : (segment_bytes - 2 * LIMIT_HEADER_BYTES) / 10 * 9;
    return segment_bytes == 0 || room > LIMIT_BLOCK_BYTES ? (size_t)LIMIT_BLOCK_BYTES : (size_t)room;
}

err eng_solo_open(eng_solo **out, const eng_solo_options *options, eng_solo_report *report, fault *f)
{
    eng_solo_report ignored;
    if (!report)
        report = &ignored;
    *report = (eng_solo_report){ 0 };
    err e = cr_ed25519_self_test();
    if (e != OK)
        return fail(f, e, "ed25519: this library does not follow the rule", 0);
    eng_solo *s = calloc(1, sizeof *s);
    if (!s)
        return fail(f, ERR_MEMORY, "engine", sizeof *s);
    s->lock_fd = -1;
    s->producer = *options->producer;
    memcpy(s->producer_key.b, options->producer->b + 32, 32);
    s->interval_ms = options->interval_ms ? options->interval_ms : ENG_SOLO_INTERVAL_MS;
    s->idle_ms = options->idle_ms;
    s->checkpoint_blocks = options->checkpoint_blocks ? options->checkpoint_blocks : ENG_SOLO_CHECKPOINT_BLOCKS;
    s->threads = options->pool;
    s->block_bytes_max = block_bytes_for(options->segment_bytes);
    e = init_memory(s);
    if (e != OK)
        TRY_OUT(fail(f, e, "engine", 0));
    TRY_OUT(lock_directory(s, options->dir, f));
    TRY_OUT(solo_recover(s, options, report, f));
    if (!options->manual) {
        s->has_thread = pthread_create(&s->thread, NULL, solo_thread, s) == 0;
        if (!s->has_thread)
            TRY_OUT(fail(f, ERR_LIMIT, "engine: thread", 0));
    }
    *out = s;
    return OK;
out:
    destroy(s);
    return e;
}

err eng_solo_close(eng_solo *s, fault *f)
{
    if (!s)
        return OK;
    pthread_mutex_lock(&s->news_lock);
    s->closing = true;
    pthread_cond_broadcast(&s->news);
    pthread_mutex_unlock(&s->news_lock);
    if (s->has_thread)
        pthread_join(s->thread, NULL);
    err e = OK;
    eng_checkpoint_mark newest = { 0 };
    (void)eng_checkpoint_newest(s->checkpoint, &newest);
    if (!s->halted && chain_head(s->chain)->height > newest.height) {
        hash256 mark = eng_log_mark(s->log);
        e = eng_checkpoint_collect(s->checkpoint, s->chain, &mark, f);
        if (e == OK)
            e = eng_checkpoint_write(s->checkpoint, f);
    }
    destroy(s);
    return e;
}

/* --- blocks ---------------------------------------------------------------------------------------------------------- */

/* What could go into the block; *all: nothing was left out for want of room. The views stay good while `state` is held for writing: who adds to the pool holds it for reading. */
static err gather(eng_solo *s, size_t *count, bool *all, fault *f)
{
    pthread_mutex_lock(&s->pool_lock);
    *count = mempool_ready(s->pool, s->ready, LIMIT_BLOCK_TXS, s->block_bytes_max);
    *all = mempool_count(s->pool) <= LIMIT_BLOCK_TXS && mempool_bytes(s->pool) <= s->block_bytes_max;
    pthread_mutex_unlock(&s->pool_lock);
    size_t total = 0;
    for (size_t i = 0; i < *count; i++) {
        s->candidates[i] = (chain_block_tx){ .raw = s->ready[i]->raw, .signature_known = true };
        total += s->ready[i]->raw.len;
    }
    err e = chain_reserve(s->chain, *count, total);
    return e == OK ? OK : fail(f, e, "block: memory", *count);
}

/* Executes the first `tx_count` of s->chosen; the block is then pending. */
static err execute(eng_solo *s, size_t tx_count, chain_block_result *result, fault *f)
{
    const chain_header *head = chain_head(s->chain);
    hash256 head_hash = chain_head_hash(s->chain);
    uint8_t message[CHAIN_BEACON_MESSAGE_BYTES];
    chain_block_input in = { .height = head->height + 1, .producer = s->producer_key, .txs = s->chosen, .tx_count = tx_count };
    chain_beacon_message(message, &head->randomness, &head_hash, in.height);
    cr_ed25519_sign(&in.beacon, &s->producer, bytes_of(message, sizeof message));
    return chain_execute(s->chain, &in, result, f);
}

/* Signs the pending block, makes it durable and commits it: the acknowledgement. */
static err seal(eng_solo *s, size_t tx_count, fault *f)
{
    uint8_t      buffer[HEADER_BYTES];
    eng_block    block = { .txs = s->raws, .tx_count = tx_count };
    chain_header header;
    hash256      hash;
    uint64_t     time_ms = solo_clock_ms(), head_ms = chain_head(s->chain)->time_ms;
    err e = chain_pending_header(s->chain, &header, time_ms > head_ms ? time_ms : head_ms);
    if (e != OK)
        return fail(f, e, "block: header", 0);
    TRY(chain_header_sign(&block.header, buffer, sizeof buffer, &header, &s->producer, &hash, f));
    for (size_t i = 0; i < tx_count; i++)
        s->raws[i] = s->chosen[i].raw;
    buf_clear(&s->block);
    TRY(eng_block_encode(&s->block, &block, f));
    TRY(eng_log_append(s->log, buf_bytes(&s->block), f));
    CHECK(chain_commit(s->chain, block.header, NULL) == OK); /* our own header; and the block is on the disk already */
    return OK;
}

static void note_drop(void *ctx, const hash256 *id, err code, const char *what)
{
    eng_solo *s = ctx;
    eng_tx_result result = { .id = *id, .status = ENG_TX_DROPPED, .code = code, .what = what };
    result_ring_add(&s->results, &result);
}

static void drop_candidate(eng_solo *s, size_t i, err code, const char *what)
{
    hash256 id = s->ready[i]->id;
    CHECK(mempool_remove(s->pool, &id));
    s->ready[i] = NULL;
    note_drop(s, &id, code, what);
}

/* Of what was offered and not taken, drops what could not be taken by the next block either. */
static void check_passed_over(eng_solo *s, size_t candidates)
{
    for (size_t i = 0; i < candidates; i++) {
        chain_tx tx;
        fault    f = { 0 };
        if (!s->ready[i])
            continue;
        err e = chain_check(s->chain, &tx, s->ready[i]->raw, (chain_check_flags){ .signature_known = true }, &f);
        if (e != OK)
            drop_candidate(s, i, e, f.what);
    }
}

/* Takes what was included, overtaken or expired out of the pool. */
static void clean_pool(eng_solo *s, const chain_block_result *result, size_t candidates)
{
    pthread_mutex_lock(&s->pool_lock);
    for (size_t i = 0; i < result->tx_count; i++) {
        const mempool_tx *tx = s->ready[s->picked[i]];
        cr_public_key sender = tx->sender;
        uint64_t      nonce = tx->nonce;
        hash256       id = tx->id;
        s->ready[s->picked[i]] = NULL;
        CHECK(mempool_remove(s->pool, &id));
        mempool_advance(s->pool, &sender, nonce + 1, note_drop, s);
    }
    check_passed_over(s, candidates);
    mempool_expire(s->pool, chain_head(s->chain)->height + 1, note_drop, s);
    pthread_mutex_unlock(&s->pool_lock);
}

/* All candidates in the order of their senders' turns: without competition for room there is nothing to choose, and executing
 * once is cheaper than chain_propose's trial and then executing. False if one of them cannot be in a block. */
static bool execute_all(eng_solo *s, size_t candidates, chain_block_result *result)
{
    for (size_t i = 0; i < candidates; i++) {
        s->chosen[i] = s->candidates[i];
        s->picked[i] = i;
    }
    return execute(s, candidates, result, NULL) == OK;
}

/* The best of the candidates, by chain_propose. *count may be 0: then nothing is pending unless `allow_empty`. */
static err execute_best(eng_solo *s, size_t candidates, bool allow_empty, size_t *count, chain_block_result *result, fault *f)
{
    TRY(chain_propose(s->chain, s->picked, count, s->candidates, candidates, s->block_bytes_max, f));
    if (*count == 0 && !allow_empty)
        return OK;
    for (size_t i = 0; i < *count; i++)
        s->chosen[i] = s->candidates[s->picked[i]];
    fault g = { 0 };
    err e = execute(s, *count, result, &g);
    if (e == OK)
        return OK;
    /* What propose lets through and execute does not must not stop every block after it. */
    if (e != ERR_MEMORY && g.at < *count)
        drop_candidate(s, s->picked[g.at], e, g.what);
    return fail(f, e, g.what, g.at);
}

/* With `make` and `state` (for writing) held. */
static err make_block(eng_solo *s, bool allow_empty, uint64_t *height, fault *f)
{
    size_t candidates, count = 0;
    bool   all;
    chain_block_result result = { .tx_count = 0 };
    TRY(gather(s, &candidates, &all, f));
    if (all && candidates != 0 && execute_all(s, candidates, &result))
        count = candidates;
    else
        TRY(execute_best(s, candidates, allow_empty, &count, &result, f));
    if (count == 0 && !allow_empty) {
        clean_pool(s, &result, candidates);
        return OK;
    }
    err e = seal(s, count, f);
    if (e != OK) {
        chain_abort(s->chain);
        s->halted = eng_log_failed(s->log);
        return e;
    }
    *height = chain_head(s->chain)->height;
    solo_note_block(s, &result, *height);
    clean_pool(s, &result, candidates);
    return OK;
}

/* With `make` held, and `state` (for writing): whether a checkpoint was collected. */
static bool collect_due(eng_solo *s)
{
    eng_checkpoint_mark newest = { 0 };
    (void)eng_checkpoint_newest(s->checkpoint, &newest);
    uint64_t height = chain_head(s->chain)->height;
    if (height == newest.height || height % s->checkpoint_blocks != 0)
        return false;
    hash256 mark = eng_log_mark(s->log);
    s->checkpoint_error = eng_checkpoint_collect(s->checkpoint, s->chain, &mark, NULL);
    return s->checkpoint_error == OK;
}

err eng_solo_produce(eng_solo *s, bool allow_empty, uint64_t *height, fault *f)
{
    *height = 0;
    pthread_mutex_lock(&s->make);
    pthread_rwlock_wrlock(&s->state);
    err e = s->halted ? fail(f, ERR_IO, "engine: halted, open it again", 0) : make_block(s, allow_empty, height, f);
    s->block_error = e;
    bool due = *height != 0 && collect_due(s);
    pthread_rwlock_unlock(&s->state);
    solo_tell(s, true);
    if (due) {
        err written = eng_checkpoint_write(s->checkpoint, NULL);
        pthread_rwlock_wrlock(&s->state);
        s->checkpoint_error = written;
        pthread_rwlock_unlock(&s->state);
    }
    pthread_mutex_unlock(&s->make);
    return e;
}

/* --- the thread ------------------------------------------------------------------------------------------------------ */

/* Sleeps until a block is due: *empty says that it may be empty. False when the engine closes. */
static bool wait_for_work(eng_solo *s, uint64_t last_ms, uint64_t earliest_ms, bool *empty)
{
    pthread_mutex_lock(&s->news_lock);
    uint64_t idle_at = s->idle_ms ? last_ms + s->idle_ms : UINT64_MAX;
    while (!s->closing && !s->work && solo_sleep(s, idle_at))
        continue;
    while (!s->closing && solo_sleep(s, earliest_ms))
        continue;
    *empty = solo_now_ms() >= idle_at;
    s->work = false;
    bool go_on = !s->closing;
    pthread_mutex_unlock(&s->news_lock);
    return go_on;
}

void *solo_thread(void *context)
{
    eng_solo *s = context;
    uint64_t  last_ms = solo_now_ms(), earliest_ms = last_ms;
    bool      empty, owes = s->owes_beacon;
    s->work = true;
    while (wait_for_work(s, last_ms, earliest_ms, &empty)) {
        uint64_t height, now_ms = solo_now_ms();
        err e = eng_solo_produce(s, empty || owes, &height, NULL);
        if (height != 0)
            last_ms = now_ms;
        earliest_ms = now_ms + (e == OK ? s->interval_ms : RETRY_MS);
        pthread_rwlock_rdlock(&s->state);
        owes = s->owes_beacon;
        pthread_rwlock_unlock(&s->state);
        if (height != 0 || e != OK || owes)
            solo_tell(s, false); /* more may be ready now, or the same again */
    }
    return NULL;
}
