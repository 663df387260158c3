/* SPDX-License-Identifier: Apache-2.0
 *
 * The coordinator's life, and what can be seen of it. */
#define _GNU_SOURCE
#include "train/coordinator.h"

#include "base/port/file.h"
#include "train/coordinator_int.h"
#include "train/dispute.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

uint64_t tr_coord_now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t tr_coord_now_ms(void)
{
    return tr_coord_now_us() / 1000;
}

void tr_coord_event(const tr_coordinator *c, const tr_event *event)
{
    if (c->cfg.on_event)
        c->cfg.on_event(c->cfg.event_ctx, event);
}

void tr_coord_wake(tr_coordinator *c)
{
    pthread_cond_broadcast(&c->changed);
}

void tr_coord_wait(tr_coordinator *c, uint64_t until_ms)
{
    /* Heights and deadlines pass without anybody's signal. */
    uint64_t tick = tr_coord_now_ms() + TICK_MS, until = until_ms < tick ? until_ms : tick;
    struct timespec t = { (time_t)(until / 1000), (long)(until % 1000) * 1000000 };
    pthread_cond_timedwait(&c->changed, &c->mu, &t);
}

/* --- life ----------------------------------------------------------------------------------------------------------------- */

static err check_config(const tr_coordinator_config *k, fault *f)
{
    num_const constants;
    TRY(num_const_of(&constants, &k->shape, f));
    if (k->batch_size == 0 || k->sequences_per_lease == 0) /* divisors below */
        return fail(f, ERR_CONFIG, k->batch_size ? "config.sequences_per_lease" : "config.batch_size", 0);
    const struct { const char *what; bool good; } rules[] = {
        { "config.steps", k->steps > 0 && k->steps <= UINT64_MAX / k->batch_size },
        { "config.sequences_per_lease", k->sequences_per_lease <= LIMIT_LEASE_SEQUENCES &&
                                            (uint64_t)k->sequences_per_lease * k->shape.context <= LIMIT_LEASE_TOKENS },
        { "config.leases", (k->batch_size - 1) / k->sequences_per_lease < TR_BOOK_SLOTS_MAX },
        { "config.price_sequences", k->price_sequences > 0 },
        { "config.sample_ppm", k->sample_ppm <= TR_SAMPLE_PPM_MAX },
        { "config.level_min", k->level_min == CHAIN_LEVEL_REFEREED || k->level_min == CHAIN_LEVEL_FULL },
        { "config.lease_blocks", k->lease_blocks > 0 && k->lease_blocks < (uint64_t)1 << 32 },
        { "config.lease_ms", k->lease_ms > 0 },
        { "config.data", k->data->missing == 0 && tr_dataset_windows(k->data, k->shape.context) > 0 },
        { "config.vocab", k->data->manifest.vocab <= k->shape.vocab },
        { "config.ledger", k->ledger.height && k->ledger.job && k->ledger.lease && k->ledger.submit && k->ledger.opened &&
                                 k->ledger.randomness && k->ledger.open_window > 0 },
    };
    for (size_t i = 0; i < COUNT_OF(rules); i++)
        if (!rules[i].good)
            return fail(f, ERR_CONFIG, rules[i].what, 0);
    return OK;
}

static err make_dirs(tr_coordinator *c, fault *f)
{
    char path[TR_PATH_MAX];
    int n = snprintf(c->dir, sizeof c->dir, "%s", c->cfg.dir);
    if (n < 0 || n >= (int)sizeof c->dir)
        return fail(f, ERR_LIMIT, "config.dir", 0);
    TRY(base_dir_make(c->dir, f));
    TRY(tr_store_name(path, c->dir, "lock", f));
    TRY(base_file_lock(&c->lock, path, f));
    const struct { const char *name; char *out; } dirs[] = { { "gradients", c->gradients }, { "checkpoints", c->checkpoints },
                                                             { "evidence", c->evidence } };
    for (size_t i = 0; i < COUNT_OF(dirs); i++) {
        TRY(tr_store_name(dirs[i].out, c->dir, dirs[i].name, f));
        TRY(base_dir_make(dirs[i].out, f));
    }
    return OK;
}

static err init(tr_coordinator *c, fault *f)
{
    TRY(make_dirs(c, f));
    TRY(tr_exec_init(&c->exec, &c->cfg.shape, c->cfg.threads, c->cfg.split, f));
    TRY(bt_model_init(&c->model, &c->cfg.shape, f));
    c->sum = malloc((size_t)c->elements * sizeof *c->sum);
    c->part = malloc((size_t)c->elements * sizeof *c->part);
    c->members = calloc(LIMIT_TRAIN_WORKERS, sizeof *c->members);
    if (!c->sum || !c->part || !c->members || tr_manifest_encode(&c->manifest, &c->cfg.data->manifest) != OK)
        return fail(f, ERR_MEMORY, "coordinator", c->elements);
    TRY(tr_coord_restore(c, f));
    TRY(tr_coord_escrow(c, &c->escrow, f));
    cr_random(c->session, sizeof c->session);
    return OK;
}

/* With a sample, every lease must be short enough that a cheat in its gradient can be convicted. */
static err bound_leases(tr_coordinator_config *k, fault *f)
{
    num_const constants;
    TRY(num_const_of(&constants, &k->shape, f));
    uint32_t most = tr_dispute_sequences_max(&k->shape);
    if (k->sample_ppm == 0)
        return OK;
    if (most == 0)
        return fail(f, ERR_CONFIG, "config.shape.context: no evidence about a sequence would fit", k->shape.context);
    if (k->sequences_per_lease > most)
        k->sequences_per_lease = most;
    return OK;
}

err tr_coordinator_new(tr_coordinator **out, const tr_coordinator_config *given, fault *f)
{
    tr_coordinator_config own = *given, *config = &own;
    *out = NULL;
    TRY(bound_leases(config, f));
    TRY(check_config(config, f));
    tr_coordinator *c = calloc(1, sizeof *c);
    if (!c)
        return fail(f, ERR_MEMORY, "coordinator", 0);
    c->cfg = *config;
    c->lock = c->journal.fd = -1;
    c->elements = num_parameter_count(&config->shape);
    memcpy(c->public_key.b, config->key.b + 32, 32);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&c->changed, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&c->mu, NULL);
    err e = init(c, f);
    c->cfg.master = NULL;
    if (e != OK) {
        tr_coordinator_free(c);
        return e;
    }
    *out = c;
    return OK;
}

static void free_member(member *m)
{
    tr_coord_drop_uploads(m);
    buf_deinit(&m->challenge.data);
}

void tr_coordinator_free(tr_coordinator *c)
{
    if (!c)
        return;
    if (c->book.entries)
        tr_coord_forget_step(c);
    for (size_t i = 0; i < c->member_count; i++)
        free_member(&c->members[i]);
    for (size_t i = 0; i < c->debt_count; i++) {
        free(c->debts[i].lease);
        free(c->debts[i].attestation);
    }
    for (size_t i = 0; i < c->past_count; i++) {
        free(c->past[i].lease);
        free(c->past[i].attestation);
    }
    free(c->past);
    free(c->debts);
    free(c->members);
    free(c->model_file);
    free(c->sum);
    free(c->part);
    buf_deinit(&c->manifest);
    tr_journal_close(&c->journal);
    bt_state_deinit(&c->state);
    bt_model_deinit(&c->model);
    tr_exec_deinit(&c->exec);
    base_file_close(c->lock);
    pthread_mutex_destroy(&c->mu);
    pthread_cond_destroy(&c->changed);
    cr_wipe(&c->cfg.key, sizeof c->cfg.key);
    free(c);
}

err tr_coordinator_admit(tr_coordinator *c, const cr_public_key *worker, uint64_t price, uint64_t capacity, fault *f)
{
    pthread_mutex_lock(&c->mu);
    size_t i = 0;
    while (i < c->member_count && memcmp(&c->members[i].key, worker, sizeof *worker) != 0)
        i++;
    err e = i < LIMIT_TRAIN_WORKERS ? OK : fail(f, ERR_LIMIT, "coordinator.workers", i);
    if (e == OK) {
        member *m = &c->members[i];
        m->key = m->status.key = *worker;
        m->price = price;
        m->capacity = capacity;
        m->status.banned = m->status.banned || tr_coord_was_banned(c, worker);
        if (i == c->member_count)
            c->member_count++;
        tr_coord_wake(c);
    }
    pthread_mutex_unlock(&c->mu);
    return e;
}

void tr_coordinator_stop(tr_coordinator *c)
{
    /* No lock: a signal handler may call this. Who waits looks every TICK_MS. */
    atomic_store(&c->stopping, true);
}

/* --- views ---------------------------------------------------------------------------------------------------------------- */

const bt_state *tr_coordinator_state(const tr_coordinator *c)
{
    return &c->state;
}

const bt_model *tr_coordinator_model(const tr_coordinator *c)
{
    return &c->model;
}

hash256 tr_coordinator_state_id(const tr_coordinator *c)
{
    return bt_state_id(&c->state, &c->model);
}

err tr_coordinator_publish(const tr_coordinator *c, bt_model *model, fault *f)
{
    return bt_state_publish(&c->state, &c->fractions, model, bt_gpt_tables(c->exec.gpt), f);
}

void tr_coordinator_status(tr_coordinator *c, tr_status *out)
{
    pthread_mutex_lock(&c->mu);
    *out = (tr_status){ .step = c->state.step, .steps = c->cfg.steps, .slots = c->book.slot_count, .owed = c->owed_total,
                        .paid = c->paid_total, .escrow_left = c->escrow, .worker_count = c->member_count,
                        .leased = tr_book_count(&c->book, TR_SLOT_LEASED), .submitted = tr_book_count(&c->book, TR_SLOT_SUBMITTED),
                        .accepted = tr_book_count(&c->book, TR_SLOT_ACCEPTED) + tr_book_count(&c->book, TR_SLOT_OWN) };
    pthread_mutex_unlock(&c->mu);
}

void tr_coordinator_worker(tr_coordinator *c, size_t index, tr_worker_status *out)
{
    pthread_mutex_lock(&c->mu);
    CHECK(index < c->member_count);
    *out = c->members[index].status;
    pthread_mutex_unlock(&c->mu);
}
