/* SPDX-License-Identifier: Apache-2.0
 *
 * `tb demo`: the main job. A node process, a coordinator (this process) and three worker processes, one of which cheats. Every number on
 * the screen is computed live. */
#include "apps/amount.h"
#include "apps/cli.h"
#include "apps/corpus.h"
#include "apps/demo_net.h"
#include "apps/receipt.h"
#include "apps/term.h"
#include "apps/train_http.h"
#include "apps/train_ledger.h"

#include "numerics/data.h"
#include "torch/cpu.h"
#include "train/coordinator.h"
#include "train/exec.h"
#include "train/spoil.h"

#include "rpc/json.h"

#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What the coordinator said of one lease. */
typedef struct lease_note {
    uint64_t id;
    bool     sampled, executed, paid;
} lease_note;

enum { LEASES_MAX = 1 << 16 };

enum { CHEAT_RATE_PPM = 100000, SAMPLE_PPM = 250000, VALIDATE_WINDOWS = 256, SAMPLE_TEXT = 160 };

typedef struct demo {
    const tb_cli   *cli;
    term            term;
    demo_net        net;
    demo_job        job;
    tr_dataset      data;
    const char     *data_name;
    tb_train_ledger ledger;
    tr_coordinator *coordinator;
    tb_train_server *server;
    pid_t           worker[DEMO_WORKERS];
    tr_exec         exec; /* validation and samples */
    double          started;

    /* Told by the coordinator's events, read by the screen. */
    pthread_mutex_t lock;
    uint64_t        step, leases_paid, sampled, checked_ok, ranges;
    lease_note     *leases; /* in order of first mention */
    size_t          n_leases;
    double         *losses;
    size_t          n_losses;
    uint64_t        undrawn; /* spoiled, not drawn, accepted and paid: what a sampled check lets pass */
    uint64_t        told_tenths;
    bool            caught, slashed;
    uint64_t        caught_step, caught_lease, redone_lease;
    size_t          caught_worker;
    err             evidence_code, ledger_code;
    char            evidence[TB_PATH_MAX];
    pthread_t       thread;
    _Atomic bool    done;
    err             run_code;
    fault           run_fault;
} demo;

static demo *the_demo; /* for the signal handler */
static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
    if (the_demo && the_demo->coordinator)
        tr_coordinator_stop(the_demo->coordinator);
}

static err go_on(fault *f)
{
    return stopped ? fail(f, ERR_INTERRUPTED, "demo", 0) : OK;
}

static double nats(int64_t loss_q16, uint64_t tokens)
{
    return (double)loss_q16 / 65536.0 * log(2.0) / (double)tokens;
}

static size_t worker_index(const demo *d, const cr_public_key *key)
{
    for (size_t i = 0; i < DEMO_WORKERS; i++)
        if (key && memcmp(key, &d->net.account[DEMO_WORKER_A + i].key, sizeof *key) == 0)
            return i;
    return DEMO_WORKERS;
}

/* The note of a lease, newest first; one that nobody reads when there is no more room. */
static lease_note *note_of(demo *d, uint64_t id)
{
    for (size_t i = d->n_leases; i-- > 0;)
        if (d->leases[i].id == id)
            return &d->leases[i];
    lease_note *n = &d->leases[d->n_leases];
    if (d->n_leases < LEASES_MAX - 1)
        d->n_leases++;
    *n = (lease_note){ .id = id };
    return n;
}

/* The cheat's choices follow from its seed and the lease, so whoever knows the seed can tell afterwards what it spoiled. */
static bool was_spoiled(const demo *d, const tr_event *e)
{
    chain_lease lease;
    chain_signed s;
    tr_spoil spoil;
    const tr_cheat cheat = { .seed = d->net.seed, .rate_ppm = CHEAT_RATE_PPM, .gradient_ppm = TR_GRADIENT_PPM };
    if (worker_index(d, e->worker) != DEMO_WORKERS - 1 || chain_lease_decode(&lease, &s, e->lease, NULL) != OK)
        return false;
    tr_spoil_choose(&spoil, &cheat, &d->job.shape, &s.hash, lease.from, lease.to);
    return spoil.kind != TR_SPOIL_NOTHING;
}

static void on_event(void *ctx, const tr_event *e)
{
    demo *d = ctx;
    pthread_mutex_lock(&d->lock);
    switch (e->kind) {
    case TR_EVENT_STEP_BEGIN: d->step = e->step; break;
    case TR_EVENT_SAMPLED:    d->sampled++, note_of(d, e->lease_id)->sampled = true; break;
    case TR_EVENT_CHECKED:    d->checked_ok += e->code == OK, note_of(d, e->lease_id)->executed = true; break;
    case TR_EVENT_REJECTED:
        if (e->code == ERR_CHEAT && !d->caught) {
            d->caught = true;
            d->caught_step = e->step;
            d->caught_lease = e->lease_id;
            d->caught_worker = worker_index(d, e->worker);
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
            d->leases_paid++, d->undrawn += was_spoiled(d, e), note_of(d, e->lease_id)->paid = true;
        break;
    case TR_EVENT_RANGE:      d->ranges++; break;
    case TR_EVENT_ACCEPTED:
        if (d->caught && d->redone_lease == 0 && e->step == d->caught_step && e->lease_id > d->caught_lease)
            d->redone_lease = e->lease_id;
        break;
    case TR_EVENT_STEP_END:
        if (d->n_losses < d->job.steps)
            d->losses[d->n_losses++] = nats(e->loss, e->at);
        break;
    case TR_EVENT_LEDGER:     d->ledger_code = e->code; break;
    default: break;
    }
    pthread_mutex_unlock(&d->lock);
}

static void headline(const demo *d, int number, const char *title)
{
    if (!d->cli->json)
        fprintf(d->term.out, "[%d/6] %-12s ", number, title);
}

static err validation(demo *d, const bt_model *model, double *out, fault *f)
{
    uint64_t windows = tr_dataset_valid_windows(&d->data, d->job.shape.context);
    uint64_t total = windows < VALIDATE_WINDOWS ? windows : VALIDATE_WINDOWS;
    int64_t sum = 0;
    for (uint64_t k = 0; k < total; k += 32) { /* blocks of windows, spread over the held-out text */
        uint32_t count = total - k < 32 ? (uint32_t)(total - k) : 32;
        int64_t part = 0;
        TRY(tr_exec_validate(&d->exec, model, &d->data, (windows - count) * k / total, count, &part, f));
        sum += part;
    }
    *out = total ? nats(sum, total * d->job.shape.context) : 0;
    return OK;
}

static err show_model(demo *d, const char *label, const bt_model *model, double *loss, fault *f)
{
    TRY(validation(d, model, loss, f));
    uint8_t text[SAMPLE_TEXT];
    TRY(corpus_sample(text, sizeof text, d->exec.gpt, model, &d->data, d->net.seed, f));
    if (!d->cli->json) {
        char head[64];
        snprintf(head, sizeof head, "      %s (validation %.3f nats): ", label, *loss);
        term_quote(&d->term, head, text, sizeof text);
    }
    return OK;
}

/* The model of step 0, as the coordinator will publish it; its weights are what the job names as its start. */
static err start_model(demo *d, bt_model *model, fault *f)
{
    const num_shape *s = &d->job.shape;
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

static err show_before(demo *d, double *loss, fault *f)
{
    bt_model model;
    TRY(bt_model_init(&model, &d->job.shape, f));
    err e = start_model(d, &model, f);
    if (e == OK)
        e = show_model(d, "before", &model, loss, f);
    bt_model_deinit(&model);
    return e;
}

static err show_after(demo *d, double *loss, fault *f)
{
    bt_model model;
    TRY(bt_model_init(&model, &d->job.shape, f));
    err e = tr_coordinator_publish(d->coordinator, &model, f);
    if (e == OK)
        e = show_model(d, "after ", &model, loss, f);
    bt_model_deinit(&model);
    return e;
}

static err open_data(demo *d, fault *f)
{
    const tb_cli *cli = d->cli;
    const struct { const char *name; uint64_t max; } bounded[] = { { "context", LIMIT_MODEL_CONTEXT }, { "width", LIMIT_MODEL_WIDTH },
        { "layers", LIMIT_MODEL_LAYERS }, { "heads", LIMIT_MODEL_HEADS }, { "steps", 100000 }, { "batch", 1024 }, { "lease", 1024 } };
    for (size_t i = 0; i < COUNT_OF(bounded); i++)
        if (tb_uint(cli, bounded[i].name) < 1 || tb_uint(cli, bounded[i].name) > bounded[i].max)
            return fail(f, ERR_LIMIT, bounded[i].name, tb_uint(cli, bounded[i].name));
    TRY(corpus_open(&d->data, tb_text(cli, "data"), (uint32_t)tb_uint(cli, "context"), &d->data_name, f));
    d->job = (demo_job){ .shape = { .vocab = d->data.manifest.vocab, .context = (uint32_t)tb_uint(cli, "context"), .width = (uint32_t)tb_uint(cli, "width"),
                                    .layers = (uint32_t)tb_uint(cli, "layers"), .heads = (uint32_t)tb_uint(cli, "heads"), .bits = 12, .helper = NUM_NARROW },
                         .batch_size = (uint32_t)tb_uint(cli, "batch"), .steps = tb_uint(cli, "steps"), .sample_ppm = SAMPLE_PPM };
    d->job.schedule = (bt_schedule){ .lr_max = 1073742, .warm_steps = d->job.steps / 4, .total_steps = d->job.steps };
    num_const c;
    TRY(num_const_of(&c, &d->job.shape, f));
    d->losses = calloc(d->job.steps + 1, sizeof *d->losses);
    d->leases = calloc(LEASES_MAX, sizeof *d->leases);
    return d->losses && d->leases ? tr_exec_init(&d->exec, &d->job.shape, 0, 0, f) : fail(f, ERR_MEMORY, "demo", 0);
}

/* BLAKE3 of the initial master weights: what the job starts from. */
static err start_weights(demo *d, fault *f)
{
    bt_state state;
    TRY(bt_state_init(&state, &d->job.shape, d->net.seed, f));
    cr_blake3 h;
    cr_blake3_init(&h);
    for (uint64_t i = 0, n = num_parameter_count(&d->job.shape); i < n; i++) {
        uint8_t le[4];
        store_le32(le, (uint32_t)state.master[i]);
        cr_blake3_update(&h, bytes_of(le, sizeof le));
    }
    d->job.start_weights = cr_blake3_final(&h);
    bt_state_deinit(&state);
    return OK;
}

static err start_network(demo *d, fault *f)
{
    tb_home home;
    if (*tb_text(d->cli, "home")) {
        TRY(tb_home_at(&home, tb_text(d->cli, "home"), f));
    } else {
        tb_home base;
        char name[64], path[TB_PATH_MAX];
        TRY(tb_home_find(&base, NULL, f));
        snprintf(name, sizeof name, "demo-%" PRIu64 "-%ld", tb_uint(d->cli, "seed"), (long)time(NULL));
        TRY(tb_home_path(path, &base, name, f));
        TRY(tb_home_at(&home, path, f));
    }
    TRY(demo_net_start(&d->net, &home, tb_uint(d->cli, "seed"), f));
    char genesis[65];
    base_hex_encode(genesis, d->net.genesis.b, 32);
    headline(d, 1, "Network");
    if (!d->cli->json)
        fprintf(d->term.out, "chain %.*s · genesis %.8s…%s · node process %ld · data in %s · Ctrl-C is safe\n", (int)d->net.chain_id.len, d->net.chain_id.text, genesis,
                genesis + 60, (long)d->net.node, home.dir);
    return OK;
}

static void show_job(const demo *d)
{
    char escrow[TB_AMOUNT_TEXT], quote[TB_AMOUNT_TEXT], price[TB_AMOUNT_TEXT], bid[DEMO_WORKERS][TB_AMOUNT_TEXT], id[65];
    const num_shape *s = &d->job.shape;
    tb_amount_format(escrow, d->job.escrow);
    tb_amount_format(quote, d->job.quote);
    tb_amount_format(price, d->job.price);
    for (size_t i = 0; i < DEMO_WORKERS; i++)
        tb_amount_format(bid[i], d->job.bid[i]);
    base_hex_encode(id, d->job.id.b, 32);
    fprintf(d->term.out, "%s: GPT of %" PRIu64 " parameters (width %u, %u layers, context %u), %" PRIu64 " steps of %u sequences\n      id %s\n", d->data_name,
            num_parameter_count(s), s->width, s->layers, s->context, d->job.steps, d->job.batch_size, id);
    fprintf(d->term.out, "      quote at most %s BLOCK (%s for %" PRIu64 " sequences) · escrow %s · bids %s, %s, %s: 3 accepted\n", quote, price,
            d->job.price_sequences, escrow, bid[0], bid[1], bid[2]);
    fprintf(d->term.out, "      level refereed: %u %% of the leases are drawn by the ledger's randomness and computed again; this is not a proof\n",
            d->job.sample_ppm / 10000);
}

static err post_job(demo *d, fault *f)
{
    TRY(demo_net_people(&d->net, 1 << 30, f));
    headline(d, 2, "Accounts");
    if (!d->cli->json) {
        fprintf(d->term.out, "buyer %s\n", d->net.account[DEMO_BUYER].text);
        static const char *const role[DEMO_WORKERS] = { "citizen", "visitor: pays the 1 % tariff", "citizen, will cheat" };
        for (size_t i = 0; i < DEMO_WORKERS; i++)
            fprintf(d->term.out, "      %s %s (%s)\n", d->net.account[DEMO_WORKER_A + i].name, d->net.account[DEMO_WORKER_A + i].text, role[i]);
    }
    TRY(start_weights(d, f));
    TRY(demo_net_job(&d->net, &d->job, &d->data, f));
    headline(d, 3, "Job");
    if (!d->cli->json)
        show_job(d);
    return OK;
}

static err start_coordinator(demo *d, fault *f)
{
    TRY(tb_train_ledger_open(&d->ledger, &d->net.home, NULL, &d->net.account[DEMO_BUYER].secret, f));
    char dir[TB_PATH_MAX];
    TRY(tb_home_path(dir, &d->net.home, "job", f));
    TRY(tb_make_folders(dir, f));
    tr_coordinator_config config = {
        .dir = dir, .data = &d->data, .ledger = tb_train_ledger_face(&d->ledger), .key = d->net.account[DEMO_BUYER].secret, .chain_id = d->net.chain_id,
        .job = d->job.id, .shape = d->job.shape, .determinism_seed = d->net.seed, .schedule = d->job.schedule, .batch_size = d->job.batch_size,
        .steps = d->job.steps, .price_sequences = d->job.price_sequences, .level_min = CHAIN_LEVEL_REFEREED, .sample_ppm = d->job.sample_ppm,
        .expiry_height = d->job.expiry_height, .sequences_per_lease = (uint32_t)tb_uint(d->cli, "lease"), .lease_blocks = 10000, .lease_ms = 20000,
        .challenge_ms = 10000, .patience_ms = 60000, .checkpoint_steps = 20, .on_event = on_event, .event_ctx = d };
    err e = tr_coordinator_new(&d->coordinator, &config, f);
    cr_wipe(&config.key, sizeof config.key);
    TRY(e);
    for (size_t i = 0; i < DEMO_WORKERS; i++)
        TRY(tr_coordinator_admit(d->coordinator, &d->net.account[DEMO_WORKER_A + i].key, d->job.bid[i], 64, f));
    return tb_train_server_start(&d->server, d->coordinator, NULL, 0, f);
}

static err start_workers(demo *d, fault *f)
{
    char url[64], job[65], seed[32], rate[32];
    snprintf(url, sizeof url, "http://127.0.0.1:%u", tb_train_server_port(d->server));
    snprintf(seed, sizeof seed, "%" PRIu64, d->net.seed);
    snprintf(rate, sizeof rate, "%u", CHEAT_RATE_PPM);
    base_hex_encode(job, d->job.id.b, 32);
    for (size_t i = 0; i < DEMO_WORKERS; i++) {
        bool cheats = i == DEMO_WORKERS - 1;
        char name[64], log[TB_PATH_MAX];
        snprintf(name, sizeof name, "%s.log", d->net.account[DEMO_WORKER_A + i].name);
        TRY(tb_home_path(log, &d->net.home, name, f));
        const char *args[] = { "worker", "run", "--home", d->net.home.dir, "--key", d->net.account[DEMO_WORKER_A + i].name, "--coordinator", url, "--job", job,
                               "--threads", "1", cheats ? "--cheat-seed" : NULL, seed, "--cheat-rate", rate, NULL };
        TRY(demo_spawn(&d->worker[i], args, log, f));
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

/* What happened since the last look; the progress line. */
static void show_progress(demo *d, bool *told)
{
    tr_status s;
    tr_coordinator_status(d->coordinator, &s);
    pthread_mutex_lock(&d->lock);
    double loss = d->n_losses ? d->losses[d->n_losses - 1] : 0;
    bool caught = d->caught && (d->slashed || d->evidence_code != OK);
    uint64_t sampled = d->sampled, checked = d->checked_ok + d->caught, step = d->caught_step, lease = d->caught_lease, done = d->n_losses;
    size_t who = d->caught_worker < DEMO_WORKERS ? d->caught_worker : 0;
    pthread_mutex_unlock(&d->lock);
    if (d->cli->json)
        return;
    if (caught && !*told) {
        *told = true;
        term_clear(&d->term);
        fprintf(d->term.out, "      step %" PRIu64 " ✗ %s: re-execution of lease %" PRIu64 " gives another result\n", step, d->net.account[DEMO_WORKER_A + who].name, lease);
    }
    char paid[TB_AMOUNT_TEXT], line[160];
    tb_amount_format(paid, s.paid + s.owed);
    double seconds = term_now() - d->started;
    snprintf(line, sizeof line, "%" PRIu64 "/%" PRIu64 "  loss %.3f  %.0f tok/s  checked %" PRIu64 "/%" PRIu64 "  spent %s  eta %.0f s", s.step, s.steps, loss,
             (double)(done * d->job.batch_size * d->job.shape.context) / seconds, checked, sampled, paid,
             done ? seconds / (double)done * (double)(s.steps - done) : 0);
    term_progress(&d->term, s.step, s.steps, line);
    if (!d->term.live && s.step * 10 / s.steps > d->told_tenths) { /* no terminal: now and then a plain line */
        d->told_tenths = s.step * 10 / s.steps;
        fprintf(d->term.out, "      step %s\n", line);
        fflush(d->term.out);
    }
}

static err train(demo *d, fault *f)
{
    d->started = term_now();
    if (pthread_create(&d->thread, NULL, run_coordinator, d) != 0)
        return fail(f, ERR_LIMIT, "thread", 0);
    bool told = false;
    while (!d->done) {
        nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
        show_progress(d, &told);
    }
    pthread_join(d->thread, NULL);
    show_progress(d, &told);
    term_clear(&d->term);
    if (d->run_code != OK) {
        *f = d->run_fault;
        return d->run_code;
    }
    return OK;
}

static void show_cheat(const demo *d)
{
    if (d->cli->json)
        return;
    headline(d, 5, "Cheating");
    double chance = 100 * (1 - pow(1 - SAMPLE_PPM / 1e6, (double)(d->undrawn + d->caught)));
    if (!d->caught) {
        fprintf(d->term.out, "none of the %" PRIu64 " spoiled leases was drawn (seed %" PRIu64 "; the chance to catch one of so many is %.0f %%)\n", d->undrawn,
                d->net.seed, chance);
        return;
    }
    size_t who = d->caught_worker < DEMO_WORKERS ? d->caught_worker : 0;
    fprintf(d->term.out, "%s spoiled lease %" PRIu64 " of step %" PRIu64 ": caught, unpaid, %s; the batch was redone as lease %" PRIu64 "\n",
            d->net.account[DEMO_WORKER_A + who].name, d->caught_lease, d->caught_step,
            d->slashed ? "slashed on evidence of one element" : "not slashed", d->redone_lease);
    fprintf(d->term.out, "      spoiled before and not drawn: %" PRIu64 "%s; the chance to catch one of %" PRIu64 " is %.0f %% (seed %" PRIu64 ")\n", d->undrawn,
            d->undrawn ? ", paid and in the model: what a sample lets pass" : "", d->undrawn + d->caught, chance, d->net.seed);
    if (*d->evidence)
        fprintf(d->term.out, "      evidence %s  (tb dispute replay FILE)\n", d->evidence);
}

static void show_buyer(const demo *d, const demo_books *b)
{
    tr_status s;
    char paid[TB_AMOUNT_TEXT], escrow[TB_AMOUNT_TEXT], back[TB_AMOUNT_TEXT], balance[TB_AMOUNT_TEXT];
    tr_coordinator_status(d->coordinator, &s);
    tb_amount_format(paid, s.paid);
    tb_amount_format(escrow, d->job.escrow);
    tb_amount_format(back, d->job.escrow - s.paid);
    tb_amount_format(balance, b->balance[DEMO_BUYER]);
    fprintf(d->term.out, "      buyer     paid %s of %s in escrow, %s came back, balance %s\n", paid, escrow, back, balance);
}

static err settle(demo *d, demo_books *b, fault *f)
{
    TRY(demo_net_close_job(&d->net, &d->job, f));
    TRY(demo_net_books(&d->net, b, f));
    if (!d->cli->json) {
        headline(d, 6, "Settlement");
        fprintf(d->term.out, "%" PRIu64 " leases paid, job closed\n", d->leases_paid);
        for (size_t i = 0; i < DEMO_WORKERS; i++) {
            tr_worker_status s;
            tr_coordinator_worker(d->coordinator, i, &s);
            char paid[TB_AMOUNT_TEXT], balance[TB_AMOUNT_TEXT];
            size_t who = worker_index(d, &s.key);
            tb_amount_format(paid, s.paid);
            tb_amount_format(balance, who < DEMO_WORKERS ? b->balance[DEMO_WORKER_A + who] : 0);
            fprintf(d->term.out, "      %-9s answers %-4" PRIu64 " accepted %-4" PRIu64 " sampled %-4" PRIu64 " earned %s, balance %s%s\n",
                    who < DEMO_WORKERS ? d->net.account[DEMO_WORKER_A + who].name : "?", s.answers, s.accepted, s.sampled, paid, balance, s.banned ? " (banned)" : "");
        }
        show_buyer(d, b);
        char part[6][TB_AMOUNT_TEXT];
        const uint64_t amounts[6] = { b->sum, b->supply.escrow, b->supply.bonds, b->supply.treasury, b->supply.minted, b->supply.burned };
        for (size_t i = 0; i < 6; i++)
            tb_amount_format(part[i], amounts[i]);
        fprintf(d->term.out, "      books: balances %s + escrow %s + bonds %s + treasury %s = minted %s - burned %s  %s\n", part[0], part[1], part[2], part[3], part[4],
                part[5], b->balanced ? "✓ to the unit" : "✗ DO NOT BALANCE");
    }
    return b->balanced ? OK : fail(f, ERR_INVARIANT, "books", b->sum);
}

/* One file for each paid lease, with this coordinator's word on what it checked. */
static err write_receipts(demo *d, const char *dir, size_t *count, fault *f)
{
    TRY(tb_make_folders(dir, f));
    for (size_t i = 0; i < d->n_leases; i++) {
        const lease_note *n = &d->leases[i];
        if (!n->paid)
            continue;
        TRY(go_on(f));
        tb_checked checked = { .hashes = 1, .sampled = n->sampled, .executed = n->executed };
        char path[TB_PATH_MAX + 32];
        snprintf(path, sizeof path, "%s/lease-%" PRIu64 ".receipt", dir, n->id);
        TRY(tb_receipt_write(NULL, path, &d->net.ledger, &d->job.id, n->id, &checked, &d->net.account[DEMO_BUYER].secret, f));
        ++*count;
        char line[64];
        snprintf(line, sizeof line, "writing receipts %zu", *count);
        if (!d->cli->json)
            term_progress(&d->term, *count, d->leases_paid, line);
    }
    term_clear(&d->term);
    return OK;
}

typedef struct result {
    double      before, after, unigram, bigram, seconds;
    size_t      receipts;
    const char *receipt_dir, *genesis, *producer, *state_id;
} result;

static json_t *workers_json(const demo *d)
{
    json_t *list = json_array();
    for (size_t i = 0; i < DEMO_WORKERS; i++) {
        tr_worker_status s;
        tr_coordinator_worker(d->coordinator, i, &s);
        json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:I, s:b, s:o}", "name", d->net.account[DEMO_WORKER_A + i].name, "answers", (json_int_t)s.answers,
                                              "accepted", (json_int_t)s.accepted, "sampled", (json_int_t)s.sampled, "banned", (int)s.banned, "paid_nblock",
                                              rpc_json_u64(s.paid)));
    }
    return list;
}

static json_t *result_json(const demo *d, const result *r, const demo_books *b)
{
    char job[65];
    base_hex_encode(job, d->job.id.b, 32);
    json_t *o = json_pack("{s:s, s:I, s:s, s:s, s:s, s:s, s:s, s:f, s:f, s:f, s:f, s:f}", "schema", "tb-demo-1", "seed", (json_int_t)d->net.seed, "job", job,
                          "genesis", r->genesis, "producer", r->producer, "state_id", r->state_id, "home", d->net.home.dir, "validation_before_nats",
                          r->before, "validation_nats", r->after, "unigram_nats", r->unigram, "bigram_nats", r->bigram, "seconds", r->seconds);
    json_object_update_new(o, json_pack("{s:b, s:b, s:I, s:I, s:I, s:I, s:s, s:b}", "caught", (int)d->caught, "slashed", (int)d->slashed, "caught_step",
                                        (json_int_t)d->caught_step, "caught_lease", (json_int_t)d->caught_lease, "redone_lease",
                                        (json_int_t)d->redone_lease, "spoiled_undrawn", (json_int_t)d->undrawn, "evidence", d->evidence, "balanced",
                                        (int)b->balanced));
    json_object_update_new(o, json_pack("{s:I, s:I, s:I, s:s, s:o, s:o}", "leases_paid", (json_int_t)d->leases_paid, "sampled", (json_int_t)d->sampled,
                                        "receipts", (json_int_t)r->receipts, "receipt_dir", r->receipt_dir, "bonds_nblock", rpc_json_u64(b->supply.bonds),
                                        "workers", workers_json(d)));
    return o;
}

static err run_demo(demo *d, fault *f)
{
    double begun = term_now();
    TRY(open_data(d, f));
    TRY(start_network(d, f));
    TRY(go_on(f));
    TRY(post_job(d, f));
    TRY(go_on(f));
    TRY(start_coordinator(d, f));
    TRY(go_on(f));
    double unigram, bigram, before = 0, after = 0;
    tr_dataset_entropy(&d->data, &unigram, &bigram);
    headline(d, 4, "Training");
    char cpu[160];
    bt_cpu_describe(cpu, sizeof cpu);
    if (!d->cli->json)
        fprintf(d->term.out, "three worker processes · %s\n", cpu);
    TRY(show_before(d, &before, f));
    TRY(start_workers(d, f));
    TRY(train(d, f));
    if (!d->cli->json)
        term_chart(&d->term, d->losses, d->n_losses, 8, "training loss in nats per token");
    show_cheat(d);
    demo_books b = { 0 };
    TRY(settle(d, &b, f));
    size_t receipts = 0;
    char receipt_dir[TB_PATH_MAX];
    TRY(tb_home_path(receipt_dir, &d->net.home, "receipts", f));
    TRY(write_receipts(d, receipt_dir, &receipts, f));
    TRY(show_after(d, &after, f));
    hash256 id = tr_coordinator_state_id(d->coordinator);
    char state_id[65], genesis[65], producer[65];
    base_hex_encode(state_id, id.b, 32);
    base_hex_encode(genesis, d->net.genesis.b, 32);
    base_hex_encode(producer, d->net.account[DEMO_PRODUCER].key.b, 32);
    if (d->cli->json) {
        tb_print_json(result_json(d, &(result){ before, after, unigram, bigram, term_now() - begun, receipts, receipt_dir, genesis, producer, state_id }, &b));
        return OK;
    }
    fprintf(d->term.out, "      bigram entropy of the validation text: %.3f nats\n", bigram);
    fprintf(d->term.out, "Receipts  %zu in %s · check one offline:\n  tb receipt verify FILE --trust %s:%s\n", receipts, receipt_dir, genesis, producer);
    fprintf(d->term.out, "Done in %.0f s. Final state id %.16s…\n", term_now() - begun, state_id);
    return OK;
}

int cmd_demo(const tb_cli *cli)
{
    demo d = { .cli = cli, .term = term_on(cli->json ? stderr : stdout, cli->color_out) };
    pthread_mutex_init(&d.lock, NULL);
    the_demo = &d;
    struct sigaction stop = { .sa_handler = on_signal };
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGHUP, &stop, NULL);
    signal(SIGPIPE, SIG_IGN);
    fault f = { 0 };
    err e = run_demo(&d, &f);
    if (e != OK && stopped) { /* a terminal's Ctrl-C reaches the node, too: that it no longer answers is not the reason */
        e = fail(&f, ERR_INTERRUPTED, "demo", 0);
        term_clear(&d.term);
    }
    int code = e == OK ? 0 : tb_report(cli, e, "demo", &f);
    if (d.coordinator)
        tr_coordinator_stop(d.coordinator);
    for (size_t i = 0; i < DEMO_WORKERS; i++)
        demo_reap(&d.worker[i]);
    tb_train_server_stop(d.server);
    the_demo = NULL;
    tr_coordinator_free(d.coordinator);
    if (d.coordinator)
        tb_train_ledger_close(&d.ledger);
    demo_net_stop(&d.net);
    tr_exec_deinit(&d.exec);
    tr_dataset_deinit(&d.data);
    free(d.losses);
    free(d.leases);
    return code;
}
