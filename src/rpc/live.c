/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/live.h"

#include "rpc/server.h"

#include <pthread.h>
#include <stdlib.h>

#define LIVE_BEGIN(symbol, doc) static const rpc_field fields_##symbol[] = {
#define PARAM(symbol, type, name, given, max, doc)                                                     \
    { #name, RPC_TYPE_##type, RPC_##given, (max), offsetof(struct rpc_live_##symbol, name),            \
      offsetof(struct rpc_live_##symbol, given_##name), doc },
#define LIVE_END(symbol) };                                                                            \
    const rpc_fields rpc_live_##symbol##_fields = { fields_##symbol, COUNT_OF(fields_##symbol), sizeof(struct rpc_live_##symbol) };
#include "live.def"
#undef LIVE_BEGIN
#undef PARAM
#undef LIVE_END

rpc_text rpc_text_of(const char *text)
{
    rpc_text out = { 0 };
    size_t len = strlen(text);
    memcpy(out.s, text, len < sizeof out.s ? len : sizeof out.s - 1);
    return out;
}

/* A worker (key: packed address) or a job (key: its id, zero behind). */
typedef struct entry {
    uint8_t  key[33];
    uint64_t heard_ms; /* monotonic; any record of it */
    bool     has_main, has_verification;
    uint64_t main_ms, verification_ms;
    union {
        rpc_live_worker worker;
        rpc_live_job    job;
    } main;
    rpc_live_verification verification;
    rpc_live_sample      *samples; /* a ring of RPC_LIVE_SAMPLES, made with the first */
    uint64_t              sample_count;
} entry;

typedef struct shelf {
    entry **entries;
    size_t  count;
} shelf;

struct rpc_live_board {
    pthread_mutex_t lock;
    shelf           workers, jobs;
};

static void key_of_worker(uint8_t key[33], const cr_address *worker)
{
    key[0] = worker->kind;
    memcpy(key + 1, worker->hash, 32);
}

static void key_of_job(uint8_t key[33], const hash256 *job)
{
    memcpy(key, job->b, 32);
    key[32] = 0;
}

static entry *find(const shelf *s, const uint8_t key[33])
{
    for (size_t i = 0; i < s->count; i++) {
        if (memcmp(s->entries[i]->key, key, 33) == 0)
            return s->entries[i];
    }
    return NULL;
}

/* The entry of `key`, new or in the place of the one that was silent for longest; NULL if there is no memory. */
static entry *claim(shelf *s, const uint8_t key[33])
{
    entry *e = find(s, key);
    if (!e && s->count < LIMIT_LIVE_ENTRIES) {
        e = calloc(1, sizeof *e);
        if (!e)
            return NULL;
        s->entries[s->count++] = e;
        memcpy(e->key, key, 33);
    } else if (!e) {
        e = s->entries[0];
        for (size_t i = 1; i < s->count; i++)
            e = s->entries[i]->heard_ms < e->heard_ms ? s->entries[i] : e;
        free(e->samples);
        memset(e, 0, sizeof *e);
        memcpy(e->key, key, 33);
    }
    e->heard_ms = rpc_clock_ms();
    return e;
}

err rpc_live_board_new(rpc_live_board **out)
{
    rpc_live_board *b = calloc(1, sizeof *b);
    if (!b)
        return ERR_MEMORY;
    b->workers.entries = calloc(LIMIT_LIVE_ENTRIES, sizeof(entry *));
    b->jobs.entries = calloc(LIMIT_LIVE_ENTRIES, sizeof(entry *));
    if (!b->workers.entries || !b->jobs.entries) {
        free(b->workers.entries);
        free(b->jobs.entries);
        free(b);
        return ERR_MEMORY;
    }
    pthread_mutex_init(&b->lock, NULL);
    *out = b;
    return OK;
}

void rpc_live_board_free(rpc_live_board *b)
{
    if (!b)
        return;
    shelf *shelves[] = { &b->workers, &b->jobs };
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < shelves[k]->count; i++) {
            free(shelves[k]->entries[i]->samples);
            free(shelves[k]->entries[i]);
        }
        free(shelves[k]->entries);
    }
    pthread_mutex_destroy(&b->lock);
    free(b);
}

err rpc_live_put_worker(rpc_live_board *b, const cr_address *worker, const rpc_live_worker *record)
{
    uint8_t key[33];
    key_of_worker(key, worker);
    pthread_mutex_lock(&b->lock);
    entry *e = claim(&b->workers, key);
    if (e) {
        e->main.worker = *record;
        e->has_main = true;
        e->main_ms = e->heard_ms;
    }
    pthread_mutex_unlock(&b->lock);
    return e ? OK : ERR_MEMORY;
}

static err add_sample(entry *e, const rpc_live_sample *record)
{
    if (!e->samples && !(e->samples = calloc(RPC_LIVE_SAMPLES, sizeof *e->samples)))
        return ERR_MEMORY;
    if (e->sample_count && record->time_ms < e->samples[(e->sample_count - 1) % RPC_LIVE_SAMPLES].time_ms)
        return ERR_STALE;
    e->samples[e->sample_count++ % RPC_LIVE_SAMPLES] = *record;
    return OK;
}

err rpc_live_put_sample(rpc_live_board *b, const cr_address *worker, const rpc_live_sample *record)
{
    uint8_t key[33];
    key_of_worker(key, worker);
    pthread_mutex_lock(&b->lock);
    entry *e = claim(&b->workers, key);
    err result = e ? add_sample(e, record) : ERR_MEMORY;
    pthread_mutex_unlock(&b->lock);
    return result;
}

err rpc_live_put_job(rpc_live_board *b, const hash256 *job, const rpc_live_job *record)
{
    uint8_t key[33];
    key_of_job(key, job);
    pthread_mutex_lock(&b->lock);
    entry *e = claim(&b->jobs, key);
    if (e) {
        e->main.job = *record;
        e->has_main = true;
        e->main_ms = e->heard_ms;
    }
    pthread_mutex_unlock(&b->lock);
    return e ? OK : ERR_MEMORY;
}

err rpc_live_put_verification(rpc_live_board *b, const hash256 *job, const rpc_live_verification *record)
{
    uint8_t key[33];
    key_of_job(key, job);
    pthread_mutex_lock(&b->lock);
    entry *e = claim(&b->jobs, key);
    if (e) {
        e->verification = *record;
        e->has_verification = true;
        e->verification_ms = e->heard_ms;
    }
    pthread_mutex_unlock(&b->lock);
    return e ? OK : ERR_MEMORY;
}

/* --- the face ----------------------------------------------------------------------------------------------------------- */

static err get_worker(void *ctx, rpc_live_worker *out, uint64_t *age_ms, const cr_address *worker)
{
    rpc_live_board *b = ctx;
    uint8_t key[33];
    key_of_worker(key, worker);
    pthread_mutex_lock(&b->lock);
    const entry *e = find(&b->workers, key);
    bool found = e && e->has_main;
    if (found) {
        *out = e->main.worker;
        *age_ms = rpc_clock_ms() - e->main_ms;
    }
    pthread_mutex_unlock(&b->lock);
    return found ? OK : ERR_NOT_FOUND;
}

static err get_job(void *ctx, rpc_live_job *out, uint64_t *age_ms, const hash256 *job)
{
    rpc_live_board *b = ctx;
    uint8_t key[33];
    key_of_job(key, job);
    pthread_mutex_lock(&b->lock);
    const entry *e = find(&b->jobs, key);
    bool found = e && e->has_main;
    if (found) {
        *out = e->main.job;
        *age_ms = rpc_clock_ms() - e->main_ms;
    }
    pthread_mutex_unlock(&b->lock);
    return found ? OK : ERR_NOT_FOUND;
}

static err get_verification(void *ctx, rpc_live_verification *out, uint64_t *age_ms, const hash256 *job)
{
    rpc_live_board *b = ctx;
    uint8_t key[33];
    key_of_job(key, job);
    pthread_mutex_lock(&b->lock);
    const entry *e = find(&b->jobs, key);
    bool found = e && e->has_verification;
    if (found) {
        *out = e->verification;
        *age_ms = rpc_clock_ms() - e->verification_ms;
    }
    pthread_mutex_unlock(&b->lock);
    return found ? OK : ERR_NOT_FOUND;
}

static err get_samples(void *ctx, rpc_live_sample *out, size_t *count, const cr_address *worker, uint64_t since_ms)
{
    rpc_live_board *b = ctx;
    uint8_t key[33];
    size_t room = *count;
    *count = 0;
    key_of_worker(key, worker);
    pthread_mutex_lock(&b->lock);
    const entry *e = find(&b->workers, key);
    uint64_t total = e ? e->sample_count : 0, first = total > RPC_LIVE_SAMPLES ? total - RPC_LIVE_SAMPLES : 0;
    while (first < total && e->samples[first % RPC_LIVE_SAMPLES].time_ms < since_ms)
        first++;
    if (total - first > room)
        first = total - room; /* the newest ones */
    for (uint64_t i = first; i < total; i++)
        out[(*count)++] = e->samples[i % RPC_LIVE_SAMPLES];
    pthread_mutex_unlock(&b->lock);
    return e ? OK : ERR_NOT_FOUND;
}

rpc_live rpc_live_of_board(rpc_live_board *b, const char *source)
{
    return (rpc_live){
        .ctx = b, .source = source, .worker = get_worker, .job = get_job, .verification = get_verification, .samples = get_samples,
    };
}
