/* SPDX-License-Identifier: Apache-2.0
 *
 * Coordinator and workers over a real chain (chain_kit.h) and real models, in one process: workers are threads whose transport is a function
 * call. What is compared is always the state id: it must not depend on who computed what, when, or how often. */
#include "train/coordinator.h"

#include "chain/chain_kit.h"
#include "numerics/data.h"
#include "train/dir_kit.h"
#include "train/dispute.h"
#include "train/worker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

enum { BATCH = 8, STEPS = 4, CONTEXT = 16, WORKERS_MAX = 3, FIRST_WORKER = 1 };

static tr_dataset data;
static num_shape  shape;

static void nap_ms(long ms)
{
    nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

/* --- ledger --------------------------------------------------------------------------------------------------------------- */

typedef struct net {
    kit             kit;
    pthread_mutex_t mu;
    hash256         job;
    unsigned        fail_every; /* every n-th submission is carried out, but its answer is lost */
    unsigned        submissions;
    unsigned        slashes;
} net;

static err referee(bytes evidence, const chain_dispute *d, fault *f)
{
    static pf_evidence e; /* the net's lock is held */
    pf_verdict v;
    pf_statement s = tr_dispute_statement(d->lease, d->attestation, NULL);
    TRY(pf_evidence_decode(&e, evidence, f));
    return pf_referee_check(&v, &e, &s, f);
}

static err net_height(void *ctx, uint64_t *out)
{
    net *n = ctx;
    pthread_mutex_lock(&n->mu);
    *out = chain_head(n->kit.c)->height;
    pthread_mutex_unlock(&n->mu);
    return OK;
}

static err net_job(void *ctx, const hash256 *job, chain_row_job *out)
{
    net *n = ctx;
    pthread_mutex_lock(&n->mu);
    const chain_row_job *row = chain_job(n->kit.c, job);
    if (row)
        *out = *row;
    pthread_mutex_unlock(&n->mu);
    return row ? OK : ERR_NOT_FOUND;
}

static err net_lease(void *ctx, const hash256 *job, uint64_t id, chain_row_lease *out)
{
    net *n = ctx;
    pthread_mutex_lock(&n->mu);
    const chain_row_lease *row = chain_lease_row(n->kit.c, job, id);
    if (row)
        *out = *row;
    pthread_mutex_unlock(&n->mu);
    return row ? OK : ERR_NOT_FOUND;
}

static err net_submit(void *ctx, const chain_tx *tx, uint64_t *height, fault *f)
{
    net *n = ctx;
    pthread_mutex_lock(&n->mu);
    chain_tx t = kit_tx(&n->kit, KIT_COORDINATOR, tx->type, 0);
    t.payload = tx->payload;
    t.fee_max = 100000000;
    err e = kit_run(&n->kit, &t, KIT_COORDINATOR);
    *height = chain_head(n->kit.c)->height;
    n->slashes += e == OK && tx->type == CHAIN_TX_SLASH;
    bool lost = n->fail_every && ++n->submissions % n->fail_every == 0;
    pthread_mutex_unlock(&n->mu);
    if (lost)
        return (fail)(f, ERR_TIMEOUT, "the answer was lost", 0);
    return e == OK ? OK : (fail)(f, e, n->kit.result.txs[0].what ? n->kit.result.txs[0].what : "transaction", 0);
}

static err net_randomness(void *ctx, uint64_t height, hash256 *out, fault *f)
{
    net *n = ctx;
    pthread_mutex_lock(&n->mu);
    if (chain_head(n->kit.c)->height <= height)
        kit_advance(&n->kit, 1);
    const chain_row_beacon *b = chain_beacon(n->kit.c, height + 1);
    if (b)
        *out = b->randomness;
    pthread_mutex_unlock(&n->mu);
    return b ? OK : (fail)(f, ERR_NOT_FOUND, "beacon", height);
}

static tr_ledger net_face(net *n)
{
    return (tr_ledger){ n, net_height, net_job, net_lease, net_submit, net_randomness };
}

static void net_start(net *n, uint32_t sample_ppm)
{
    memset(n, 0, sizeof *n);
    pthread_mutex_init(&n->mu, NULL);
    kit_start(&n->kit, NULL);
    chain_free(n->kit.c);
    n->kit.config.referee = referee;
    assert_int_equal(chain_new(&n->kit.c, &n->kit.config, bytes_of(n->kit.genesis, n->kit.genesis_len), NULL), OK);
    chain_tx tx = kit_tx(&n->kit, 0, CHAIN_TX_JOB_POST, 0);
    tx.payload.job_post = (chain_tx_job_post){
        .coordinator = kit_public(KIT_COORDINATOR), .dataset_manifest_cid = data.cid, .model_parameters = num_parameter_count(&shape),
        .width = shape.width, .layers = shape.layers, .heads = shape.heads, .context = shape.context, .vocabulary = shape.vocab,
        .operand_bits = 12, .batch_size = BATCH, .steps = STEPS, .learning_rate_ppb = 1000000, .determinism_seed = 7,
        .gradient_format = 1, .max_batch_latency_blocks = 10, .max_batch_latency_ms = 50000, .sequences_total = BATCH * STEPS,
        .price = 1000, .price_sequences = 4, .level_min = CHAIN_LEVEL_REFEREED, .sample_ppm = sample_ppm,
        .escrow = 250 * BATCH * STEPS, .expiry_height = 5000, .required_backends = CHAIN_BACKEND_CPU,
    };
    assert_int_equal(kit_run(&n->kit, &tx, 0), OK);
    n->job = n->kit.last_id;
    for (unsigned w = 0; w < WORKERS_MAX; w++)
        kit_add_worker(&n->kit, FIRST_WORKER + w, &n->job);
}

static void net_stop(net *n)
{
    fault f;
    assert_int_equal(chain_audit(n->kit.c, &f), OK);
    kit_stop(&n->kit);
    pthread_mutex_destroy(&n->mu);
}

/* --- a job and its workers ------------------------------------------------------------------------------------------------ */

typedef struct seen {
    atomic_uint events[TR_EVENT_LEDGER + 1];
    atomic_uint caught, paid_ok, stop_after; /* stop the coordinator after so many submissions; 0: never */
    tr_coordinator *coordinator;
} seen;

static void on_event(void *ctx, const tr_event *e)
{
    seen *s = ctx;
    unsigned n = atomic_fetch_add(&s->events[e->kind], 1) + 1;
    if (e->kind == TR_EVENT_CHECKED && e->code == ERR_CHEAT)
        atomic_fetch_add(&s->caught, 1);
    if (e->kind == TR_EVENT_PAID && e->code == OK)
        atomic_fetch_add(&s->paid_ok, 1);
    if (e->kind == TR_EVENT_SUBMITTED && atomic_load(&s->stop_after) && n == atomic_load(&s->stop_after))
        tr_coordinator_stop(s->coordinator);
}

typedef struct setup {
    net            *net;
    const char     *dir;
    uint32_t        sample_ppm, per_lease, split, checkpoint_steps;
    unsigned        workers;
    tr_cheat        cheat;      /* of the last worker */
    bool            silent;     /* it takes leases and never answers */
    unsigned        stop_after;
    uint32_t        patience_ms;
} setup_t;

/* The line to the coordinator; NULL: nobody listens. */
typedef struct line {
    pthread_rwlock_t lock;
    tr_coordinator  *coordinator;
    bool             deaf;      /* answers of this worker get lost on the way */
    unsigned         calls, lose_every;
} line;

static err line_call(void *ctx, const tr_request *r, uint32_t wait_ms, uint64_t reply_max, buf *reply, fault *f)
{
    line *l = ctx;
    (void)wait_ms;
    (void)reply_max;
    pthread_rwlock_rdlock(&l->lock);
    err e = l->coordinator ? tr_coordinator_serve(l->coordinator, r, reply, f) : (fail)(f, ERR_UNREACHABLE, "line", 0);
    if (e == OK && l->deaf && strcmp(r->method, "PUT") == 0)
        e = (fail)(f, ERR_PERMISSION, "line: cut", 0);
    if (e == OK && l->lose_every && ++l->calls % l->lose_every == 0) {
        reply->len = 0;
        e = (fail)(f, ERR_TIMEOUT, "line: answer lost", 0);
    }
    pthread_rwlock_unlock(&l->lock);
    return e;
}

typedef struct crew {
    line       line[WORKERS_MAX];
    dir_kit    cache[WORKERS_MAX];
    tr_worker *worker[WORKERS_MAX];
    pthread_t  thread[WORKERS_MAX];
    err        result[WORKERS_MAX];
    unsigned   count;
} crew;

typedef struct crew_arg {
    crew    *crew;
    unsigned index;
} crew_arg;

static crew_arg crew_args[WORKERS_MAX];

static void *work(void *arg)
{
    crew_arg *a = arg;
    fault f = { 0 };
    a->crew->result[a->index] = tr_worker_run(a->crew->worker[a->index], &f);
    return NULL;
}

static void crew_start(crew *c, const setup_t *s)
{
    memset(c, 0, sizeof *c);
    c->count = s->workers;
    for (unsigned i = 0; i < c->count; i++) {
        pthread_rwlock_init(&c->line[i].lock, NULL);
        c->cache[i] = dir_kit_make();
        bool last = i + 1 == c->count;
        c->line[i].deaf = last && s->silent;
        c->line[i].lose_every = 7 + i;
        tr_worker_config k = { .transport = { &c->line[i], line_call }, .key = kit_key(FIRST_WORKER + i), .job = s->net->job,
                               .coordinator = kit_public(KIT_COORDINATOR), .cache = c->cache[i].path, .threads = 1, .split = i,
                               .wait_ms = 200 };
        if (last)
            k.cheat = s->cheat;
        assert_int_equal(chain_name_set(&k.chain_id, bytes_of_str("kit-dev")), OK);
        assert_int_equal(tr_worker_new(&c->worker[i], &k, NULL), OK);
        crew_args[i] = (crew_arg){ c, i };
        assert_int_equal(pthread_create(&c->thread[i], NULL, work, &crew_args[i]), 0);
    }
}

static void crew_connect(crew *c, tr_coordinator *to)
{
    for (unsigned i = 0; i < c->count; i++) {
        pthread_rwlock_wrlock(&c->line[i].lock);
        c->line[i].coordinator = to;
        pthread_rwlock_unlock(&c->line[i].lock);
    }
}

static void crew_stop(crew *c)
{
    for (unsigned i = 0; i < c->count; i++)
        tr_worker_stop(c->worker[i]);
    for (unsigned i = 0; i < c->count; i++) {
        pthread_join(c->thread[i], NULL);
        tr_worker_free(c->worker[i]);
        dir_kit_remove(&c->cache[i]);
        pthread_rwlock_destroy(&c->line[i].lock);
    }
}

static tr_coordinator *coordinator_start(const setup_t *s, seen *seen_events)
{
    tr_coordinator_config k = {
        .dir = s->dir, .data = &data, .ledger = net_face(s->net), .key = kit_key(KIT_COORDINATOR), .job = s->net->job, .shape = shape,
        .determinism_seed = 7, .schedule = { 800000, 2, STEPS }, .batch_size = BATCH, .steps = STEPS, .price_sequences = 4,
        .level_min = CHAIN_LEVEL_REFEREED, .sample_ppm = s->sample_ppm, .expiry_height = 5000, .sequences_per_lease = s->per_lease,
        .lease_blocks = 1000, .lease_ms = s->silent ? 700 : 20000, .challenge_ms = 10000, .patience_ms = s->patience_ms,
        .checkpoint_steps = s->checkpoint_steps, .threads = 1, .split = s->split, .on_event = on_event, .event_ctx = seen_events,
    };
    tr_coordinator *c;
    fault f = { 0 };
    assert_int_equal(chain_name_set(&k.chain_id, bytes_of_str("kit-dev")), OK);
    err e = tr_coordinator_new(&c, &k, &f);
    if (e != OK)
        fail_msg("%s: %s", err_describe(e)->name, f.what);
    for (unsigned i = 0; i < s->workers; i++) {
        cr_public_key key = kit_public(FIRST_WORKER + i);
        assert_int_equal(tr_coordinator_admit(c, &key, 1000, 8, NULL), OK);
    }
    seen_events->coordinator = c;
    atomic_store(&seen_events->stop_after, s->stop_after);
    return c;
}

/* Runs the job to its end, through as many lives as it takes. Returns the state id. */
static hash256 run_job(const setup_t *s, seen *seen_events, unsigned *lives)
{
    crew hands;
    setup_t now = *s;
    hash256 id;
    *lives = 0;
    memset(seen_events, 0, sizeof *seen_events);
    crew_start(&hands, s);
    for (;;) {
        fault f = { 0 };
        tr_coordinator *c = coordinator_start(&now, seen_events);
        atomic_store(&seen_events->events[TR_EVENT_SUBMITTED], 0);
        ++*lives;
        crew_connect(&hands, c);
        err e = tr_coordinator_run(c, &f);
        if (e != OK && e != ERR_INTERRUPTED)
            fail_msg("%s: %s at %llu", err_describe(e)->name, f.what, (unsigned long long)f.at);
        if (e == OK && !s->silent)
            nap_ms(300); /* workers hear that it is done */
        crew_connect(&hands, NULL);
        id = tr_coordinator_state_id(c);
        if (e == OK)
            assert_int_equal(tr_coordinator_state(c)->step, STEPS);
        tr_coordinator_free(c);
        if (e == OK)
            break;
        now.stop_after = now.stop_after < 30 ? now.stop_after + 2 : 0;
    }
    crew_stop(&hands);
    return id;
}

/* The same training without any network: what all of it must come to. */
static hash256 reference(const hash256 *job)
{
    tr_exec e;
    bt_state state;
    bt_model model;
    num_fractions fractions;
    uint64_t n = num_parameter_count(&shape);
    int64_t *g = malloc(n * 8), loss;
    bt_schedule schedule = { 800000, 2, STEPS };
    assert_int_equal(tr_exec_init(&e, &shape, 2, 0, NULL), OK);
    assert_int_equal(bt_state_init(&state, &shape, 7, NULL), OK);
    assert_int_equal(bt_model_init(&model, &shape, NULL), OK);
    for (uint64_t step = 0; step < STEPS; step++) {
        if (bt_state_calibrates(&state)) {
            uint64_t numbers[NUM_CALIBRATION_SEQUENCES];
            uint16_t tokens[NUM_CALIBRATION_SEQUENCES * (CONTEXT + 1)];
            uint32_t count = num_calibration_sequences(numbers, job, step, 0, tr_dataset_windows(&data, CONTEXT));
            for (uint32_t i = 0; i < count; i++)
                tr_dataset_sequence(tokens + i * (CONTEXT + 1), &data, job, numbers[i], CONTEXT);
            bt_batch batch = { .job_id = *job, .step = step, .count = count, .sequences = numbers, .tokens = tokens };
            assert_int_equal(bt_gpt_calibrate(e.gpt, &fractions, state.master, &batch, 0, NULL), OK);
        }
        assert_int_equal(bt_state_publish(&state, &fractions, &model, bt_gpt_tables(e.gpt), NULL), OK);
        bt_result result;
        tr_task task = { &model, &data, *job, step, step * BATCH, (step + 1) * BATCH };
        assert_int_equal(tr_exec_run(&e, &task, g, &loss, &result, NULL, NULL), OK);
        assert_false(result.range);
        assert_int_equal(bt_state_update(&state, &fractions, g, BATCH * CONTEXT, &schedule), OK);
    }
    hash256 id = bt_state_id(&state, &model);
    bt_model_deinit(&model);
    bt_state_deinit(&state);
    tr_exec_deinit(&e);
    free(g);
    return id;
}

static int setup(void **state)
{
    (void)state;
    enum { LEN = 20000 };
    static const char words[] = "in the beginning was the word and the word was with time and all of it was good, ";
    uint8_t *text = malloc(LEN);
    uint32_t s = 5;
    for (size_t i = 0; i < LEN; i++) {
        s = s * 1664525u + 1013904223u;
        text[i] = (uint8_t)words[(i * 7 + (s >> 29)) % (sizeof words - 1)];
    }
    assert_int_equal(tr_dataset_from_text(&data, bytes_of(text, LEN), TR_TOKENIZER_CHAR, CONTEXT, NULL), OK);
    free(text);
    shape = (num_shape){ .vocab = data.manifest.vocab, .context = CONTEXT, .width = 32, .layers = 2, .heads = 2, .bits = 12,
                         .helper = NUM_NARROW };
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tr_dataset_deinit(&data);
    return 0;
}

static void assert_all_paid(net *n)
{
    const chain_row_job *job = chain_job(n->kit.c, &n->job);
    assert_int_equal(job->sequences_paid, BATCH * STEPS);
    assert_int_equal(job->escrow, 0);
}

static void any_number_of_workers_gives_the_same_state(void **state)
{
    (void)state;
    const struct { unsigned workers; uint32_t per_lease, split, sample_ppm, checkpoint_steps; } cases[] = {
        { 1, 8, 0, 250000, 1 }, { 2, 3, 2, 250000, 1 }, { 3, 1, 1, 100000, 3 }, { 3, 2, 0, 0, 2 },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        net n;
        seen seen_events;
        unsigned lives;
        dir_kit d = dir_kit_make();
        net_start(&n, cases[i].sample_ppm);
        setup_t s = { .net = &n, .dir = d.path, .sample_ppm = cases[i].sample_ppm, .per_lease = cases[i].per_lease, .split = cases[i].split,
                      .workers = cases[i].workers, .checkpoint_steps = cases[i].checkpoint_steps, .patience_ms = 60000 };
        hash256 id = run_job(&s, &seen_events, &lives), want = reference(&n.job);
        assert_memory_equal(id.b, want.b, 32);
        assert_all_paid(&n);
        assert_int_equal(atomic_load(&seen_events.caught), 0);
        assert_int_equal(n.slashes, 0);
        net_stop(&n);
        dir_kit_remove(&d);
    }
}

static void lost_answers_on_both_sides(void **state)
{
    (void)state;
    net n;
    seen seen_events;
    unsigned lives;
    dir_kit d = dir_kit_make();
    net_start(&n, 250000);
    n.fail_every = 2;
    setup_t s = { .net = &n, .dir = d.path, .sample_ppm = 250000, .per_lease = 2, .workers = 2, .checkpoint_steps = 1, .patience_ms = 60000 };
    hash256 id = run_job(&s, &seen_events, &lives), want = reference(&n.job);
    assert_memory_equal(id.b, want.b, 32);
    assert_all_paid(&n);
    net_stop(&n);
    dir_kit_remove(&d);
}

static void a_silent_worker_is_replaced(void **state)
{
    (void)state;
    net n;
    seen seen_events;
    unsigned lives;
    dir_kit d = dir_kit_make();
    net_start(&n, 250000);
    setup_t s = { .net = &n, .dir = d.path, .sample_ppm = 250000, .per_lease = 2, .workers = 2, .silent = true, .checkpoint_steps = 1,
                  .patience_ms = 60000 };
    hash256 id = run_job(&s, &seen_events, &lives), want = reference(&n.job);
    assert_memory_equal(id.b, want.b, 32);
    assert_true(atomic_load(&seen_events.events[TR_EVENT_REVOKED]) > 0);
    assert_all_paid(&n);
    net_stop(&n);
    dir_kit_remove(&d);
}

static void a_stopped_coordinator_goes_on_to_the_same_bits(void **state)
{
    (void)state;
    for (uint32_t every = 1; every <= 3; every += 2) {
        net n;
        seen seen_events;
        unsigned lives;
        dir_kit d = dir_kit_make();
        net_start(&n, 250000);
        setup_t s = { .net = &n, .dir = d.path, .sample_ppm = 250000, .per_lease = 1, .workers = 3, .checkpoint_steps = every,
                      .stop_after = 3, .patience_ms = 60000 };
        hash256 id = run_job(&s, &seen_events, &lives), want = reference(&n.job);
        assert_memory_equal(id.b, want.b, 32);
        assert_true(lives > 2);
        assert_all_paid(&n);
        net_stop(&n);
        dir_kit_remove(&d);
    }
}

static void a_cheat_is_caught_unpaid_and_slashed(void **state)
{
    (void)state;
    unsigned caught = 0, slashed = 0;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        net n;
        seen seen_events;
        unsigned lives;
        dir_kit d = dir_kit_make();
        net_start(&n, 250000);
        setup_t s = { .net = &n, .dir = d.path, .sample_ppm = 250000, .per_lease = 1, .workers = 3, .cheat = { seed, 1000000, 0 },
                      .checkpoint_steps = 1, .patience_ms = 60000 };
        hash256 id = run_job(&s, &seen_events, &lives), want = reference(&n.job);
        const chain_row_worker *w = NULL;
        cr_address a = kit_address(FIRST_WORKER + 2);
        w = chain_worker(n.kit.c, &a);
        unsigned c = atomic_load(&seen_events.caught);
        caught += c;
        slashed += n.slashes;
        assert_int_equal(n.slashes, c);
        assert_int_equal(w->leases_spoiled, c);
        for (unsigned honest = 0; honest < 2; honest++) {
            cr_address h = kit_address(FIRST_WORKER + honest);
            assert_int_equal(chain_worker(n.kit.c, &h)->leases_spoiled, 0);
        }
        assert_all_paid(&n);
        /* Until it is caught a cheat that was not drawn gets through: that is what a sample is, and what `refereed` says. */
        if (w->leases_paid == 0)
            assert_memory_equal(id.b, want.b, 32);
        net_stop(&n);
        dir_kit_remove(&d);
    }
    assert_true(caught > 0 && slashed == caught);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_number_of_workers_gives_the_same_state),
        cmocka_unit_test(lost_answers_on_both_sides),
        cmocka_unit_test(a_silent_worker_is_replaced),
        cmocka_unit_test(a_stopped_coordinator_goes_on_to_the_same_bits),
        cmocka_unit_test(a_cheat_is_caught_unpaid_and_slashed),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
