/* SPDX-License-Identifier: Apache-2.0
 *
 * Life, requests, downloads. Computing and answering are worker_lease.c. */
#include "train/worker.h"

#include "base/port/file.h"
#include "train/worker_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { WAIT_MS = 10000, PAUSE_MS = 200 };

void tr_wk_event(const tr_worker *w, const tr_worker_event *event)
{
    if (w->cfg.on_event)
        w->cfg.on_event(w->cfg.event_ctx, event);
}

uint64_t tr_wk_now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t tr_wk_now_ms(void)
{
    return tr_wk_now_us() / 1000;
}

void tr_wk_pause(void)
{
    struct timespec t = { 0, PAUSE_MS * 1000000L };
    nanosleep(&t, NULL);
}

/* Nonces go up within a session, also over a restart of this process. */
static uint64_t next_nonce(tr_worker *w)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    uint64_t now = (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
    w->nonce = now > w->nonce ? now : w->nonce + 1;
    return w->nonce;
}

err tr_wk_call(tr_worker *w, const char *method, const char *path, bytes body, uint32_t wait_ms, uint64_t reply_max, buf *reply,
                fault *f)
{
    char auth[TR_AUTH_BYTES];
    tr_request r = { .method = method, .path = path, .body = body };
    tr_addressee to = { .job = w->cfg.job, .coordinator = w->cfg.row.coordinator };
    memcpy(to.session, w->session.id, sizeof to.session);
    tr_auth_sign(auth, &w->cfg.key, &to, next_nonce(w), &r);
    r.auth = auth;
    return w->cfg.transport.call(w->cfg.transport.ctx, &r, wait_ms, reply_max, reply, f);
}

bool tr_wk_transient(err e)
{
    return e == ERR_UNREACHABLE || e == ERR_TIMEOUT || e == ERR_BUSY;
}

/* The same until it gets through: for requests that may be repeated. ERR_DUPLICATE of a nonce cannot come back here: each try has its
 * own. */
err tr_wk_insist(tr_worker *w, const char *method, const char *path, bytes body, uint64_t reply_max, buf *reply, fault *f)
{
    uint64_t start = tr_wk_now_ms();
    for (;;) {
        err e = tr_wk_call(w, method, path, body, 0, reply_max, reply, f);
        if (!tr_wk_transient(e))
            return e;
        tr_wk_event(w, &(tr_worker_event){ .kind = TR_WORKER_TROUBLE, .code = e, .what = path });
        if (atomic_load(&w->stopping))
            return fail(f, ERR_INTERRUPTED, "worker", 0);
        if (w->cfg.patience_ms && tr_wk_now_ms() - start > w->cfg.patience_ms)
            return e;
        TRY(tr_wk_watch(w, f)); /* who does not answer may challenge all the same */
        tr_wk_pause();
    }
}

/* A whole file, in parts, and checked against its id by the caller. */
err tr_wk_download(tr_worker *w, const char *kind, const hash256 *id, uint64_t size_max, buf *out, fault *f)
{
    char hex[65], path[TR_URL_MAX];
    buf reply;
    uint64_t total = 1;
    base_hex_encode(hex, id->b, 32);
    buf_init(&reply, LIMIT_TRAIN_PART_BYTES + 64);
    err e = OK;
    while (e == OK && out->len < total) {
        bytes piece;
        snprintf(path, sizeof path, TR_PATH_PREFIX "%s/%s/%llu", kind, hex, (unsigned long long)out->len);
        buf_clear(&reply);
        e = tr_wk_insist(w, "GET", path, bytes_of("", 0), LIMIT_TRAIN_PART_BYTES + 64, &reply, f);
        if (e == OK)
            e = tr_part_decode(&total, &piece, buf_bytes(&reply), f);
        if (e == OK && total > size_max)
            e = fail(f, ERR_LIMIT, "download", total);
        if (e == OK && (piece.len == 0 || piece.len > total - out->len))
            e = fail(f, ERR_RANGE, "download", out->len);
        if (e == OK)
            e = buf_put(out, piece.data, piece.len);
    }
    buf_deinit(&reply);
    return e;
}

/* A content-addressed file: from the cache, else downloaded into it. Appends to `out`. */
static err cached(tr_worker *w, const hash256 *id, uint64_t size_max, buf *out, fault *f)
{
    size_t start = out->len;
    if (tr_store_get(out, w->cache, id, NULL) == OK)
        return OK;
    buf fresh;
    hash256 got;
    buf_init(&fresh, (size_t)size_max);
    err e = w->offline ? ERR_NOT_FOUND : tr_wk_download(w, "data", id, size_max, &fresh, f);
    if (e == OK)
        e = tr_store_put(w->cache, buf_bytes(&fresh), &got, f);
    if (e == OK && !hash256_equal(&got, id)) {
        tr_store_remove(w->cache, &got);
        e = fail(f, ERR_HASH, "data", 0);
    }
    if (e == OK)
        e = buf_put(out, fresh.data, fresh.len);
    buf_deinit(&fresh);
    if (e != OK)
        out->len = start;
    return e;
}

static err get_data(tr_worker *w, fault *f)
{
    buf b;
    buf_init(&b, 512 + LIMIT_DATASET_TEXT_BYTES / TR_SHARD_BYTES * 34 + TR_SHARD_BYTES);
    err e = cached(w, &w->session.dataset, b.max, &b, f);
    if (e == OK)
        e = tr_dataset_open(&w->data, buf_bytes(&b), &w->session.dataset, f);
    for (uint64_t i = 0; e == OK && i < w->data.manifest.shard_count; i++) {
        buf_clear(&b);
        e = cached(w, &w->data.manifest.shards[i], TR_SHARD_BYTES, &b, f);
        if (e == OK)
            e = tr_dataset_put_shard(&w->data, i, buf_bytes(&b), f);
    }
    buf_deinit(&b);
    if (e == OK && (w->data.manifest.vocab > w->session.shape.vocab || tr_dataset_windows(&w->data, w->session.shape.context) == 0))
        e = fail(f, ERR_SHAPE, "data", w->data.manifest.vocab);
    return e;
}

/* Nobody signs a session: what the ledger says of the job is what the worker bid for. */
static err check_row(const chain_row_job *row, const tr_session *s, fault *f)
{
    const struct { const char *what; uint64_t said, is; } rules[] = {
        { "session.vocab", s->shape.vocab, row->vocabulary },   { "session.context", s->shape.context, row->context },
        { "session.width", s->shape.width, row->width },        { "session.layers", s->shape.layers, row->layers },
        { "session.heads", s->shape.heads, row->heads },        { "session.bits", s->shape.bits, row->operand_bits },
        { "session.batch_size", s->batch_size, row->batch_size }, { "session.steps", s->steps, row->steps },
        { "job.model_parameters", num_parameter_count(&s->shape), row->model_parameters }, /* an audit compares them */
    };
    for (size_t i = 0; i < COUNT_OF(rules); i++)
        if (rules[i].said != rules[i].is)
            return fail(f, ERR_CONFIG, rules[i].what, rules[i].said);
    return hash256_equal(&s->dataset, &row->dataset_manifest_cid) ? OK : fail(f, ERR_CONFIG, "session.dataset", 0);
}

static err check_session(const tr_worker *w, const tr_session *s, fault *f)
{
    if (!hash256_equal(&s->job, &w->cfg.job))
        return fail(f, ERR_STALE, "session.job", 0);
    if (memcmp(&s->coordinator, &w->cfg.row.coordinator, sizeof s->coordinator) != 0)
        return fail(f, ERR_STALE, "session.coordinator", 0);
    if (!chain_name_equal(&s->chain_id, &w->cfg.chain_id))
        return fail(f, ERR_CHAIN_ID, "session.chain_id", 0);
    if (s->spec_version != CHAIN_SPEC_VERSION || s->gradient_version != TR_GRADIENT_VERSION)
        return fail(f, ERR_VERSION, "session.version", s->spec_version);
    TRY(check_row(&w->cfg.row, s, f));
    if (w->ready && (!hash256_equal(&s->dataset, &w->session.dataset) || memcmp(&s->shape, &w->session.shape, sizeof s->shape) != 0))
        return fail(f, ERR_STALE, "session: another data set or shape", 0);
    return OK;
}

/* Data, executor, room, and what an earlier process kept. */
static err get_ready(tr_worker *w, fault *f)
{
    TRY(get_data(w, f));
    TRY(tr_exec_init(&w->exec, &w->session.shape, w->cfg.threads, w->cfg.split, f));
    TRY(bt_model_init(&w->model, &w->session.shape, f));
    w->elements = num_parameter_count(&w->session.shape);
    w->gradient = malloc((size_t)w->elements * sizeof *w->gradient);
    if (!w->gradient)
        return fail(f, ERR_MEMORY, "worker", w->elements);
    TRY(tr_wk_restore(w, f));
    w->ready = true;
    return OK;
}

static void unready(tr_worker *w)
{
    tr_dataset_deinit(&w->data);
    bt_model_deinit(&w->model);
    tr_exec_deinit(&w->exec);
    free(w->gradient);
    w->gradient = NULL;
    memset(&w->data, 0, sizeof w->data);
    memset(&w->exec, 0, sizeof w->exec);
    memset(&w->model, 0, sizeof w->model);
}

/* A session of an earlier process whose data is all here: what was answered then can be opened and shown without the coordinator, whether it is
 * there again or not. Any failure only means to wait for it. */
static void recall(tr_worker *w)
{
    buf file;
    buf_init(&file, 4096);
    if (tr_wk_find_session(w, &file) && tr_session_decode(&w->session, buf_bytes(&file), NULL) == OK && check_session(w, &w->session, NULL) == OK) {
        w->offline = true;
        if (get_ready(w, NULL) != OK)
            unready(w);
        w->offline = false;
    }
    buf_deinit(&file);
}

/* Says hello to a coordinator that is new, or new again. */
err tr_wk_session(tr_worker *w, fault *f)
{
    tr_session s;
    buf reply;
    buf_init(&reply, 4096);
    err e = tr_wk_insist(w, "GET", TR_PATH_PREFIX "session", bytes_of("", 0), 4096, &reply, f);
    if (e == OK)
        e = tr_session_decode(&s, buf_bytes(&reply), f);
    if (e == OK)
        e = check_session(w, &s, f);
    if (e == OK && !w->ready)
        tr_wk_keep_session(w, buf_bytes(&reply));
    buf_deinit(&reply);
    if (e != OK)
        return e;
    w->session = s;
    if (!w->ready)
        TRY(get_ready(w, f));
    if (!w->met)
        tr_wk_event(w, &(tr_worker_event){ .kind = TR_WORKER_READY });
    w->met = true;
    return OK;
}

err tr_worker_new(tr_worker **out, const tr_worker_config *config, fault *f)
{
    *out = NULL;
    tr_worker *w = calloc(1, sizeof *w);
    if (!w)
        return fail(f, ERR_MEMORY, "worker", 0);
    w->cfg = *config;
    memcpy(w->public_key.b, config->key.b + 32, 32);
    int n = snprintf(w->cache, sizeof w->cache, "%s", config->cache);
    err e = n < 0 || n >= (int)sizeof w->cache ? fail(f, ERR_LIMIT, "worker.cache", 0) : base_dir_make(w->cache, f);
    if (e != OK) {
        tr_worker_free(w);
        return e;
    }
    *out = w;
    return OK;
}

void tr_worker_free(tr_worker *w)
{
    if (!w)
        return;
    tr_dataset_deinit(&w->data);
    bt_model_deinit(&w->model);
    tr_exec_deinit(&w->exec);
    pv_workspace_free(w->prover);
    free(w->gradient);
    for (size_t i = 0; i < COUNT_OF(w->past); i++)
        tr_wk_forget(&w->past[i]);
    cr_wipe(&w->cfg.key, sizeof w->cfg.key);
    free(w);
}

void tr_worker_stop(tr_worker *w)
{
    atomic_store(&w->stopping, true);
}

static err do_work(tr_worker *w, const tr_work *work, fault *f)
{
    switch (work->kind) {
    case TR_WORK_LEASE: return tr_wk_lease(w, work->lease, f);
    case TR_WORK_TILE: return tr_wk_open_tile(w, work->lease_id, work->leaf, f);
    case TR_WORK_WAIT: case TR_WORK_DONE: break;
    }
    return OK;
}

/* One request for work and what follows. *done: the job has ended. */
static err one_round(tr_worker *w, bool *done, fault *f)
{
    uint32_t wait_ms = w->cfg.wait_ms ? w->cfg.wait_ms : WAIT_MS;
    buf reply, body;
    TRY(tr_wk_watch(w, f));
    tr_work work;
    buf_init(&reply, 4096);
    buf_init(&body, 16);
    err e = tr_count_encode(&body, wait_ms);
    if (e == OK)
        e = tr_wk_call(w, "POST", TR_PATH_PREFIX "work", buf_bytes(&body), wait_ms, 4096, &reply, f);
    if (e == OK)
        e = tr_work_decode(&work, buf_bytes(&reply), f);
    if (e == OK) {
        *done = work.kind == TR_WORK_DONE;
        e = do_work(w, &work, f);
    }
    buf_deinit(&reply);
    buf_deinit(&body);
    return e;
}

/* What one failed round means: OK to go on. */
static err weather(tr_worker *w, err e, const fault *why, uint64_t *last_good, fault *f)
{
    tr_wk_event(w, &(tr_worker_event){ .kind = TR_WORKER_TROUBLE, .code = e, .what = why->what });
    if (e == ERR_PERMISSION || e == ERR_CHEAT || e == ERR_EXPIRED || e == ERR_MEMORY || e == ERR_DISK_FULL || e == ERR_IO || e == ERR_INTERRUPTED ||
        e == ERR_LEDGER || e == ERR_LIMIT || e == ERR_UNPROVED) /* the last three: it cannot be proved, however often it is tried */
        return fail(f, e, why->what, why->at);
    if (w->cfg.patience_ms && tr_wk_now_ms() - *last_good > w->cfg.patience_ms)
        return fail(f, e, why->what, why->at);
    tr_wk_pause();
    /* The coordinator may be a new process: it has another session then. */
    if (e == ERR_STALE || e == ERR_SIGNATURE || tr_wk_transient(e))
        return tr_wk_session(w, f);
    return OK;
}

static err work_on(tr_worker *w, fault *f)
{
    uint64_t last_good = tr_wk_now_ms();
    bool done = false;
    TRY(tr_wk_session(w, f));
    while (!done) {
        fault why = { 0 };
        if (atomic_load(&w->stopping))
            return fail(f, ERR_INTERRUPTED, "worker", 0);
        err e = one_round(w, &done, &why);
        if (e == OK)
            last_good = tr_wk_now_ms();
        else
            TRY(weather(w, e, &why, &last_good, f));
    }
    return OK;
}

/* Why it got no more work: also when the coordinator is gone, or turned it away, what was answered may still be asked for, and silence would cost the
 * bond, whoever was caught before. Not if it was told to stop, or this machine failed. */
static bool stays(const tr_worker *w, err e)
{
    return e == OK || (w->ready && e != ERR_INTERRUPTED && e != ERR_MEMORY && e != ERR_DISK_FULL && e != ERR_IO);
}

err tr_worker_run(tr_worker *w, fault *f)
{
    fault why = { 0 };
    recall(w);
    err e = work_on(w, f);
    w->turned_away = e != OK && !tr_wk_transient(e);
    if (e != OK && stays(w, e) && w->cfg.ledger)
        tr_wk_event(w, &(tr_worker_event){ .kind = TR_WORKER_STAYS, .code = e });
    err stayed = stays(w, e) ? tr_wk_linger(w, &why) : OK;
    if (stayed == OK || (e != OK && !tr_wk_transient(e)))
        return e;
    if (f)
        *f = why;
    return stayed;
}
