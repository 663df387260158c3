/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/demo_int.h"

#include "apps/bundle.h"
#include "apps/corpus.h"
#include "apps/receipt.h"

#include "numerics/data.h"
#include "train/spoil.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>

enum { VALIDATE_WINDOWS = 256, SAMPLE_TEXT = 160 };

static double nats(int64_t loss_q16, uint64_t tokens)
{
    return (double)loss_q16 / 65536.0 * log(2.0) / (double)tokens;
}

size_t demo_worker_index(const demo *d, const cr_public_key *key)
{
    for (size_t i = 0; i < DEMO_WORKERS; i++)
        if (key && memcmp(key, &d->net.account[DEMO_WORKER_A + i].key, sizeof *key) == 0)
            return i;
    return DEMO_WORKERS;
}

/* The cheat's choices follow from its seed and the lease, so whoever knows the seed can tell afterwards what it spoiled. */
static bool was_spoiled(const demo *d, const tr_event *e)
{
    chain_lease lease;
    chain_signed s;
    tr_spoil spoil;
    const tr_cheat cheat = { .seed = d->net.seed, .rate_ppm = DEMO_CHEAT_RATE_PPM, .gradient_ppm = TR_GRADIENT_PPM };
    if (demo_worker_index(d, e->worker) != DEMO_WORKERS - 1 || chain_lease_decode(&lease, &s, e->lease, NULL) != OK)
        return false;
    tr_spoil_choose(&spoil, &cheat, &d->job.spec.shape, &s.hash, lease.from, lease.to);
    return spoil.kind != TR_SPOIL_NOTHING;
}

err demo_bundle_dir(char out[TB_PATH_MAX], const demo *d, fault *f)
{
    return tb_home_path(out, &d->net.home, "bundle", f);
}

/* What the receipts of the last step refer to: model and data when it begins, proofs and gradients when they are paid. Only display depends on
 * it: without it, --bundle finds nothing. */
static void keep_bundle(const demo *d, const tr_event *e)
{
    char dir[TB_PATH_MAX], from[TB_PATH_MAX];
    if (!d->full || e->step + 1 != d->job.spec.steps || demo_bundle_dir(dir, d, NULL) != OK || tb_home_path(from, &d->net.home, "job/gradients", NULL) != OK)
        return;
    err e2 = OK;
    if (e->kind == TR_EVENT_STEP_BEGIN)
        e2 = tb_bundle_write(dir, tr_coordinator_model(d->coordinator), &d->data, NULL);
    if (e->kind == TR_EVENT_PAID && e->code == OK)
        e2 = tb_bundle_keep(dir, from, e->attestation, e->hash, NULL);
    if (e2 != OK)
        fprintf(stderr, "the bundle of the last step could not be written: %s\n", err_describe(e2)->text);
}

static void note_proof(demo *d, const tr_event *e)
{
    if (e->code == OK) {
        d->proved++;
        d->proof_bytes += e->at;
        d->verify_us += e->us;
        demo_notes_set(&d->notes, e->lease_id, DEMO_PROVED);
    } else if (d->unproved++ == 0) {
        snprintf(d->relation, sizeof d->relation, "%s", e->path ? e->path : "?");
    }
}

static void on_event(void *ctx, const tr_event *e)
{
    demo *d = ctx;
    tb_job_live_note(&d->live, e);
    keep_bundle(d, e);
    pthread_mutex_lock(&d->lock);
    switch (e->kind) {
    case TR_EVENT_PROVED:     note_proof(d, e); break;
    case TR_EVENT_SAMPLED:    d->sampled++, demo_notes_set(&d->notes, e->lease_id, DEMO_SAMPLED); break;
    case TR_EVENT_CHECKED:    d->checked_ok += e->code == OK, demo_notes_set(&d->notes, e->lease_id, DEMO_EXECUTED); break;
    case TR_EVENT_REJECTED:
        if (e->code == ERR_CHEAT && !d->caught) {
            d->caught = true;
            d->caught_step = e->step;
            d->caught_lease = e->lease_id;
            d->caught_worker = demo_worker_index(d, e->worker);
        }
        break;
    case TR_EVENT_EVIDENCE:
        d->evidence_code = e->code;
        if (e->code == OK && e->path)
            snprintf(d->evidence, sizeof d->evidence, "%s", e->path);
        break;
    case TR_EVENT_SLASHED:    d->slashed |= e->code == OK; break;
    case TR_EVENT_PAID:
        if (e->code == OK)
            d->leases_paid++, d->undrawn += was_spoiled(d, e), demo_notes_set(&d->notes, e->lease_id, DEMO_PAID);
        break;
    case TR_EVENT_ACCEPTED:
        if (d->caught && d->redone_lease == 0 && e->step == d->caught_step && e->lease_id > d->caught_lease)
            d->redone_lease = e->lease_id;
        break;
    case TR_EVENT_STEP_END:
        if (d->n_losses < d->job.spec.steps)
            d->losses[d->n_losses++] = nats(e->loss, e->at);
        break;
    default: break;
    }
    pthread_mutex_unlock(&d->lock);
}

static err validation(demo *d, const bt_model *model, double *out, fault *f)
{
    uint64_t windows = tr_dataset_valid_windows(&d->data, d->job.spec.shape.context);
    uint64_t total = windows < VALIDATE_WINDOWS ? windows : VALIDATE_WINDOWS;
    int64_t sum = 0;
    for (uint64_t k = 0; k < total; k += 32) { /* blocks of windows, spread over the held-out text */
        uint32_t count = total - k < 32 ? (uint32_t)(total - k) : 32;
        int64_t part = 0;
        TRY(tr_exec_validate(&d->exec, model, &d->data, (windows - count) * k / total, count, &part, f));
        sum += part;
    }
    *out = total ? nats(sum, total * d->job.spec.shape.context) : 0;
    return OK;
}

static err measure(demo *d, const char *label, const bt_model *model, double *loss, fault *f)
{
    uint8_t text[SAMPLE_TEXT];
    TRY(validation(d, model, loss, f));
    TRY(corpus_sample(text, sizeof text, d->exec.gpt, model, &d->data, d->net.seed, f));
    demo_show_sample(d, label, *loss, text, sizeof text);
    return OK;
}

/* The model of step 0, as the coordinator will publish it; its weights are what the job names as its start. */
static err start_model(demo *d, bt_model *model, fault *f)
{
    const num_shape *s = &d->job.spec.shape;
    bt_state state;
    TRY(bt_state_init(&state, s, d->net.seed, f));
    uint64_t sequences[NUM_CALIBRATION_SEQUENCES];
    uint32_t count = num_calibration_sequences(sequences, &d->job.id, 0, 0, tr_dataset_windows(&d->data, s->context));
    uint16_t *tokens = malloc((size_t)count * (s->context + 1) * sizeof *tokens);
    err e = tokens ? OK : fail(f, ERR_MEMORY, "calibration", 0);
    for (uint32_t k = 0; k < count && e == OK; k++)
        tr_dataset_sequence(tokens + k * (s->context + 1), &d->data, &d->job.id, sequences[k], s->context);
    num_fractions fractions;
    bt_batch batch = { .count = count, .sequences = sequences, .tokens = tokens };
    if (e == OK)
        e = bt_gpt_calibrate(d->exec.gpt, &fractions, state.master, &batch, 0, f);
    if (e == OK)
        e = bt_state_publish(&state, &fractions, model, bt_gpt_tables(d->exec.gpt), f);
    free(tokens);
    bt_state_deinit(&state);
    return e;
}

err demo_measure_start(demo *d, double *loss, fault *f)
{
    bt_model model;
    TRY(bt_model_init(&model, &d->job.spec.shape, f));
    err e = start_model(d, &model, f);
    if (e == OK)
        e = measure(d, "before", &model, loss, f);
    bt_model_deinit(&model);
    return e;
}

err demo_measure_end(demo *d, double *loss, fault *f)
{
    bt_model model;
    TRY(bt_model_init(&model, &d->job.spec.shape, f));
    err e = tr_coordinator_publish(d->coordinator, &model, f);
    if (e == OK)
        e = measure(d, "after ", &model, loss, f);
    bt_model_deinit(&model);
    return e;
}

err demo_start_coordinator(demo *d, fault *f)
{
    const tb_ledger_options node = { .stop = demo_stop_flag() };
    TRY(tb_train_ledger_open(&d->ledger, &d->net.home, &node, &d->net.account[DEMO_BUYER].secret, f));
    char dir[TB_PATH_MAX];
    TRY(tb_home_path(dir, &d->net.home, "job", f));
    TRY(tb_make_folders(dir, f));
    tr_coordinator_config config = {
        .dir = dir, .data = &d->data, .ledger = tb_train_ledger_face(&d->ledger), .key = d->net.account[DEMO_BUYER].secret, .chain_id = d->net.chain_id,
        .job = d->job.id, .shape = d->job.spec.shape, .determinism_seed = d->net.seed, .schedule = d->job.spec.schedule, .batch_size = d->job.spec.batch,
        .steps = d->job.spec.steps, .price_sequences = d->job.spec.price_sequences, .level_min = d->job.spec.level, .sample_ppm = d->job.spec.sample_ppm,
        .expiry_height = d->job.expiry_height, .sequences_per_lease = d->job.spec.lease, .lease_blocks = 10000, .lease_ms = 20000,
        .challenge_ms = 10000, .patience_ms = 60000, .checkpoint_steps = d->job.spec.checkpoint_steps, .on_event = on_event, .event_ctx = d };
    err e = tr_coordinator_new(&d->coordinator, &config, f);
    cr_wipe(&config.key, sizeof config.key);
    TRY(e);
    for (size_t i = 0; i < DEMO_WORKERS; i++)
        TRY(tr_coordinator_admit(d->coordinator, &d->net.account[DEMO_WORKER_A + i].key, d->job.bid[i], 64, f));
    return tb_train_server_start(&d->server, d->coordinator, NULL, 0, f);
}

err demo_start_workers(demo *d, fault *f)
{
    char url[64], job[65], seed[32], rate[32];
    snprintf(url, sizeof url, "http://127.0.0.1:%u", tb_train_server_port(d->server));
    snprintf(seed, sizeof seed, "%" PRIu64, d->net.seed);
    snprintf(rate, sizeof rate, "%u", DEMO_CHEAT_RATE_PPM);
    base_hex_encode(job, d->job.id.b, 32);
    for (size_t i = 0; i < DEMO_WORKERS; i++) {
        bool cheats = i == DEMO_WORKERS - 1;
        char name[64], log[TB_PATH_MAX];
        snprintf(name, sizeof name, "%s.log", d->net.account[DEMO_WORKER_A + i].name);
        TRY(tb_home_path(log, &d->net.home, name, f));
        const char *args[] = { "worker", "run", "--home", d->net.home.dir, "--key", d->net.account[DEMO_WORKER_A + i].name, "--coordinator", url, "--job", job,
                               "--threads", "1", "--until-eof", cheats ? "--cheat-seed" : NULL, seed, "--cheat-rate", rate, NULL };
        TRY(demo_spawn(&d->net, &d->worker[i], args, log, f));
    }
    return OK;
}

static void *run_coordinator(void *ctx)
{
    demo *d = ctx;
    d->run_code = tr_coordinator_run(d->coordinator, &d->run_fault);
    d->done = true;
    return NULL;
}

err demo_train(demo *d, fault *f)
{
    d->started = term_now();
    if (pthread_create(&d->thread, NULL, run_coordinator, d) != 0)
        return fail(f, ERR_LIMIT, "thread", 0);
    for (unsigned i = 0; !d->done; i++) {
        nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
        demo_show_progress(d);
        if (i % 10 == 0)
            tb_job_live_send(&d->live, &d->net.ledger);
    }
    pthread_join(d->thread, NULL);
    demo_show_progress(d);
    tb_job_live_send(&d->live, &d->net.ledger);
    term_clear(&d->term);
    if (d->run_code != OK) {
        *f = d->run_fault;
        return d->run_code;
    }
    return OK;
}

/* "step S lease N: answered, computed in A us, proved in B us" */
static void read_times(const char *path, demo_result *r)
{
    char line[256];
    FILE *log = fopen(path, "r");
    while (log && fgets(line, sizeof line, log)) {
        const char *computed = strstr(line, "computed in "), *proved = strstr(line, "proved in ");
        if (computed && proved) {
            r->compute_us += strtoull(computed + strlen("computed in "), NULL, 10);
            r->prove_us += strtoull(proved + strlen("proved in "), NULL, 10);
        }
    }
    if (log)
        fclose(log);
}

void demo_read_times(const demo *d, demo_result *r)
{
    for (size_t i = 0; i < DEMO_WORKERS; i++) {
        char name[64], path[TB_PATH_MAX];
        snprintf(name, sizeof name, "%s.log", d->net.account[DEMO_WORKER_A + i].name);
        if (tb_home_path(path, &d->net.home, name, NULL) == OK)
            read_times(path, r);
    }
}

/* One file for each paid lease, with this coordinator's word on what it checked. */
err demo_write_receipts(demo *d, demo_result *r, fault *f)
{
    TRY(tb_home_path(r->receipt_dir, &d->net.home, "receipts", f));
    TRY(tb_make_folders(r->receipt_dir, f));
    if (d->notes.incomplete)
        return fail(f, ERR_MEMORY, "receipts: not every lease could be remembered", d->notes.count);
    for (size_t i = 0; i < d->notes.count; i++) {
        const demo_note *n = &d->notes.list[i];
        if (!(n->flags & DEMO_PAID))
            continue;
        TRY(demo_go_on(f));
        tb_checked checked = { .hashes = 1, .sampled = (n->flags & DEMO_SAMPLED) != 0, .executed = (n->flags & DEMO_EXECUTED) != 0,
                               .proved = (n->flags & DEMO_PROVED) != 0 };
        char path[TB_PATH_MAX + 32];
        snprintf(path, sizeof path, "%s/lease-%" PRIu64 ".receipt", r->receipt_dir, n->id);
        TRY(tb_receipt_write(NULL, path, &d->net.ledger, &d->job.id, n->id, &checked, &d->net.account[DEMO_BUYER].secret, f));
        demo_show_receipt(d, ++r->receipts);
    }
    term_clear(&d->term);
    return OK;
}
