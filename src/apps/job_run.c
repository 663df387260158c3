/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/job_run.h"

#include "apps/bundle.h"
#include "apps/job_bids.h"
#include "apps/job_live.h"
#include "apps/term.h"
#include "apps/train_http.h"

#include "rpc/json.h"
#include "train/coordinator.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { POLL_MS = 100, LEASE_BLOCKS = 10000, PATIENCE_MS = 1200000, CHALLENGE_MS = 15000 };

typedef struct run {
    const tb_job_options *o;
    tb_ledger             ledger; /* the main thread's own */
    tb_train_ledger       train;
    chain_row_job         row;
    tb_bidder             bidder[TB_BIDDERS_MAX];
    size_t                bidders;
    tr_coordinator       *coordinator;
    tb_train_server      *server;
    char                  dir[TB_PATH_MAX];

    pthread_mutex_t       lock; /* guards the result while the coordinator runs */
    tb_job_result         result;
    tb_job_live           live;
    pthread_t             thread;
    atomic_bool           done;
    err                   run_code;
    fault                 run_fault;
} run;

static void say(const run *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(const run *r, const char *format, ...)
{
    char line[512];
    va_list args;
    if (!r->o->say)
        return;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    r->o->say(r->o->ctx, line);
}

static bool stopped(const run *r)
{
    return r->o->stop && atomic_load(r->o->stop);
}

static void rest(uint32_t ms)
{
    nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 }, NULL);
}

/* --- before training ---------------------------------------------------------------------------------------------------- */

static err wait_for_bids(run *r, fault *f)
{
    double end = term_now() + r->o->wait_s;
    for (;;) {
        TRY(tb_job_bids(r->bidder, &r->bidders, &r->ledger, &r->o->job, f));
        if (r->bidders >= r->o->bids)
            return OK;
        if (stopped(r))
            return fail(f, ERR_INTERRUPTED, "waiting for bids", r->bidders);
        if (term_now() > end)
            return fail(f, ERR_TIMEOUT, "bids: too few came", r->bidders);
        rest(POLL_MS);
    }
}

static err send(run *r, chain_tx *tx, uint64_t *height, fault *f)
{
    tb_sent sent = { 0 };
    err e = tb_ledger_run(&r->ledger, &sent, tx, r->o->buyer, 0, f);
    r->result.sent = sent;
    *height = sent.height;
    return e;
}

/* Accepts what is open; in an earlier life some may have been accepted already. */
static err match(run *r, fault *f)
{
    cr_address open[TB_BIDDERS_MAX];
    size_t count = 0;
    uint8_t buffer[4096];
    for (size_t i = 0; i < r->bidders; i++)
        if (r->bidder[i].bid.status == CHAIN_BID_OPEN)
            open[count++] = r->bidder[i].address;
    if (count == 0)
        return OK;
    chain_tx tx = { .type = CHAIN_TX_JOB_MATCH };
    uint64_t height;
    tx.payload.job_match.job = r->o->job;
    TRY(chain_addresses_encode(&tx.payload.job_match.workers, buffer, sizeof buffer, open, count));
    TRY(send(r, &tx, &height, f));
    say(r, "%zu bids accepted in block %" PRIu64, count, height);
    return OK;
}

/* --- training ----------------------------------------------------------------------------------------------------------- */

/* The model that the leases of this step name: it stands until the next step is published, and this is that thread. */
static void keep_model(run *r, uint64_t step)
{
    char dir[TB_PATH_MAX + 8];
    fault f = { 0 };
    snprintf(dir, sizeof dir, "%s/bundle", r->dir);
    if (tb_bundle_write(dir, tr_coordinator_model(r->coordinator), step == 0 ? r->o->data : NULL, &f) != OK)
        say(r, "step %" PRIu64 ": its model could not be kept for the bundle: %s", step, err_describe(f.code)->text);
}

/* Proof and gradient of a paid lease, for as long as the coordinator still has them. */
static void keep_proof(run *r, const tr_event *e)
{
    char dir[TB_PATH_MAX + 8], from[TB_PATH_MAX + 24];
    fault f = { 0 };
    snprintf(dir, sizeof dir, "%s/bundle", r->dir);
    snprintf(from, sizeof from, "%s/state/gradients", r->dir);
    if (tb_bundle_keep(dir, from, e->attestation, e->hash, &f) != OK)
        say(r, "lease %" PRIu64 ": its proof could not be kept for the bundle: %s", e->lease_id, err_describe(f.code)->text);
}

static void on_event(void *ctx, const tr_event *e)
{
    run *r = ctx;
    tb_job_result *out = &r->result;
    if (e->kind == TR_EVENT_STEP_BEGIN && r->o->bundle_steps && e->step % r->o->bundle_steps == 0)
        keep_model(r, e->step);
    if (e->kind == TR_EVENT_PAID && e->code == OK && r->o->bundle_steps && e->step % r->o->bundle_steps == 0)
        keep_proof(r, e);
    tb_job_live_note(&r->live, e);
    pthread_mutex_lock(&r->lock);
    switch (e->kind) {
    case TR_EVENT_SAMPLED: out->sampled++; break;
    case TR_EVENT_CHECKED: *(e->code == OK ? &out->matched : &out->differing) += 1; break;
    case TR_EVENT_SLASHED: out->slashed += e->code == OK; break;
    case TR_EVENT_EVIDENCE:
        if (e->code == OK && e->path)
            snprintf(out->evidence, sizeof out->evidence, "%s", e->path);
        break;
    case TR_EVENT_STEP_END:
        out->steps = e->step + 1;
        if (e->at)
            out->loss_nats = (double)e->loss / 65536.0 * log(2.0) / (double)e->at;
        break;
    default: break;
    }
    pthread_mutex_unlock(&r->lock);
    if (e->kind == TR_EVENT_REJECTED && e->code == ERR_CHEAT)
        say(r, "step %" PRIu64 ", lease %" PRIu64 ": computed again, the result differs: not paid, %s", e->step, e->lease_id,
            e->at ? "our own result counts" : "given to another worker");
    if (e->kind == TR_EVENT_PROVED && e->code != OK)
        say(r, "step %" PRIu64 ", lease %" PRIu64 ": the proof does not verify (%s): not paid", e->step, e->lease_id, e->path);
    if (e->kind == TR_EVENT_GIVEN_UP)
        say(r, "step %" PRIu64 ": %" PRIu64 " leases were taken again and again and never answered: computed here", e->step, e->at);
    if (e->kind == TR_EVENT_CHALLENGED)
        say(r, "step %" PRIu64 ", lease %" PRIu64 ": the worker did not send its tile and has to open it on the ledger", e->step, e->lease_id);
    if (e->kind == TR_EVENT_SLASHED && e->code == OK)
        say(r, "step %" PRIu64 ", lease %" PRIu64 ": slashed, the worker's bond is cut", e->step, e->lease_id);
}

static void *train(void *ctx)
{
    run *r = ctx;
    r->run_code = tr_coordinator_run(r->coordinator, &r->run_fault);
    atomic_store(&r->done, true);
    return NULL;
}

static err start(run *r, fault *f)
{
    const tb_job_options *o = r->o;
    const tb_job_spec *s = o->spec;
    char state[TB_PATH_MAX + 8];
    snprintf(state, sizeof state, "%s/state", r->dir);
    TRY(tb_make_folders(state, f));
    TRY(tb_train_ledger_open(&r->train, o->home, o->node, o->buyer, f));
    tr_coordinator_config config = {
        .dir = state, .data = o->data, .ledger = tb_train_ledger_face(&r->train), .key = *o->buyer, .chain_id = r->ledger.chain_id, .job = o->job,
        .shape = s->shape, .determinism_seed = s->seed, .schedule = s->schedule, .batch_size = s->batch, .steps = s->steps,
        .price_sequences = s->price_sequences, .level_min = s->level, .sample_ppm = s->sample_ppm,
        .expiry_height = r->row.expiry_height, .sequences_per_lease = s->lease, .lease_blocks = LEASE_BLOCKS, .lease_ms = 1000 * s->lease_seconds,
        .challenge_ms = CHALLENGE_MS, .patience_ms = PATIENCE_MS, .checkpoint_steps = s->checkpoint_steps, .threads = o->threads, .on_event = on_event, .event_ctx = r };
    err e = tr_coordinator_new(&r->coordinator, &config, f);
    cr_wipe(&config.key, sizeof config.key);
    for (size_t i = 0; e == OK && i < r->bidders; i++)
        e = tr_coordinator_admit(r->coordinator, &r->bidder[i].key, r->bidder[i].bid.price, r->bidder[i].bid.capacity, f);
    return e == OK ? tb_train_server_start(&r->server, r->coordinator, NULL, o->port, f) : e;
}

static err follow(run *r, fault *f)
{
    bool told = false;
    if (pthread_create(&r->thread, NULL, train, r) != 0)
        return fail(f, ERR_LIMIT, "thread", 0);
    for (unsigned i = 0; !atomic_load(&r->done); i++) {
        if (stopped(r) && !told) {
            tr_coordinator_stop(r->coordinator);
            told = true;
        }
        pthread_mutex_lock(&r->lock);
        tb_job_result now = r->result;
        pthread_mutex_unlock(&r->lock);
        if (r->o->progress)
            r->o->progress(r->o->ctx, now.steps, r->o->spec->steps, now.loss_nats);
        if (i % 10 == 0)
            tb_job_live_send(&r->live, &r->ledger);
        rest(POLL_MS);
    }
    pthread_join(r->thread, NULL);
    tb_job_live_send(&r->live, &r->ledger);
    r->result.sent = r->train.sent;
    return r->run_code == OK ? OK : fail(f, r->run_code, r->run_fault.what, r->run_fault.at);
}

/* --- after training ----------------------------------------------------------------------------------------------------- */

static err write_receipt(run *r, const json_t *row, fault *f)
{
    const char *status;
    uint64_t lease_id, gross;
    char path[TB_PATH_MAX + 64];
    TRY(tb_json_string(&status, row, "status", f));
    if (strcmp(status, "paid") != 0)
        return OK;
    TRY(tb_json_u64(&lease_id, row, "lease_id", f));
    TRY(tb_json_u64(&gross, row, "gross", f));
    /* What was drawn is accepted only after it was computed again and found equal. */
    bool sampled = json_is_true(json_object_get(row, "sampled"));
    /* And nothing of level full is accepted whose proof does not verify. */
    uint64_t level;
    TRY(tb_json_u64(&level, row, "level", f));
    const tb_checked checked = { .hashes = 1, .sampled = sampled, .executed = sampled, .proved = level == CHAIN_LEVEL_FULL };
    snprintf(path, sizeof path, "%s/%06" PRIu64 ".cbor", r->result.receipts_dir, lease_id);
    TRY(tb_receipt_write(NULL, path, &r->ledger, &r->o->job, lease_id, &checked, r->o->buyer, f));
    r->result.leases_paid++;
    r->result.paid_nblock += gross;
    r->result.receipts++;
    return OK;
}

static err write_receipts(run *r, fault *f)
{
    char hex[65], cursor[80] = "";
    base_hex_encode(hex, r->o->job.b, 32);
    snprintf(r->result.receipts_dir, sizeof r->result.receipts_dir, "%.*s/receipts", TB_PATH_MAX - 10, r->dir);
    TRY(tb_make_folders(r->result.receipts_dir, f));
    do {
        json_t *page, *row, *params = json_pack("{s:s}", "job", hex);
        size_t i;
        if (*cursor)
            json_object_set_new(params, "cursor", json_string(cursor));
        TRY(tb_ledger_call(&r->ledger, "job.receipts", params, 0, &page, f));
        err e = OK;
        json_array_foreach(json_object_get(page, "receipts"), i, row)
            if (e == OK)
                e = write_receipt(r, row, f);
        const char *next = json_string_value(json_object_get(page, "next"));
        snprintf(cursor, sizeof cursor, "%s", next ? next : "");
        json_decref(page);
        TRY(e);
    } while (*cursor);
    return OK;
}

static err close_job(run *r, fault *f)
{
    chain_key key = chain_key_job(&r->o->job);
    TRY(tb_ledger_row(&r->ledger, &r->row, CHAIN_TABLE_JOB, chain_key_bytes(&key), f));
    if (r->row.status != CHAIN_JOB_OPEN)
        return OK;
    chain_tx tx = { .type = CHAIN_TX_JOB_CLOSE };
    uint64_t height;
    tx.payload.job_close.job = r->o->job;
    TRY(send(r, &tx, &height, f));
    say(r, "job closed in block %" PRIu64 ", the rest of the escrow went back", height);
    return OK;
}

static err run_all(run *r, fault *f)
{
    char hex[65], name[96];
    chain_key key = chain_key_job(&r->o->job);
    base_hex_encode(hex, r->o->job.b, 32);
    snprintf(name, sizeof name, "jobs/%s", hex);
    TRY(tb_home_path(r->dir, r->o->home, name, f));
    TRY(tb_ledger_open(&r->ledger, r->o->home, r->o->node, f));
    TRY(tb_ledger_params(&r->ledger, f));
    TRY(tb_ledger_row(&r->ledger, &r->row, CHAIN_TABLE_JOB, chain_key_bytes(&key), f));
    hash256 config = tb_job_config_hash(&r->o->spec->shape, &r->o->spec->schedule, r->o->spec->batch, r->o->spec->steps);
    if (!hash256_equal(&config, &r->row.training_config) || !hash256_equal(&r->o->data->cid, &r->row.dataset_manifest_cid))
        return fail(f, ERR_CONFIG, "spec: not that of the job on the ledger", 0);
    if (r->o->spec->level != r->row.level_min || r->o->spec->sample_ppm != r->row.sample_ppm)
        return fail(f, ERR_CONFIG, "spec: level or sample_ppm is not that of the job on the ledger", r->row.level_min);
    if (r->row.status == CHAIN_JOB_OPEN) {
        say(r, "waiting for %u bids on job %s", r->o->bids, hex);
        TRY(wait_for_bids(r, f));
        TRY(match(r, f));
        TRY(start(r, f));
        say(r, "workers connect with: tb worker run --job %s --coordinator http://127.0.0.1:%u", hex, tb_train_server_port(r->server));
        TRY(follow(r, f));
        r->result.state_id = tr_coordinator_state_id(r->coordinator);
        TRY(close_job(r, f));
    }
    return write_receipts(r, f);
}

err tb_job_run(tb_job_result *out, const tb_job_options *o, fault *f)
{
    run *r = calloc(1, sizeof *r);
    if (!r)
        return fail(f, ERR_MEMORY, "job", 0);
    r->o = o;
    pthread_mutex_init(&r->lock, NULL);
    tb_job_live_init(&r->live, o->spec, &o->job);
    err e = run_all(r, f);
    if (r->coordinator)
        tr_coordinator_stop(r->coordinator);
    tb_train_server_stop(r->server);
    tr_coordinator_free(r->coordinator);
    if (r->train.main.client || r->train.quick.client)
        tb_train_ledger_close(&r->train);
    tb_ledger_close(&r->ledger);
    pthread_mutex_destroy(&r->lock);
    tb_job_live_deinit(&r->live);
    *out = r->result;
    free(r);
    return e;
}
