/* SPDX-License-Identifier: Apache-2.0
 *
 * What is compared is always the state id: it must not depend on who computed what, when, or how often. */
#include "train/range_kit.h"


#include <dirent.h>
#include <math.h>

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
        hash256 id = run_job(&s, &seen_events, &lives), want = reference(&n.job, NULL);
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
    setup_t s = { .net = &n, .dir = d.path, .sample_ppm = 250000, .per_lease = 2, .workers = 2, .lose_every = 7, .checkpoint_steps = 1,
                  .patience_ms = 60000 };
    hash256 id = run_job(&s, &seen_events, &lives), want = reference(&n.job, NULL);
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
    hash256 id = run_job(&s, &seen_events, &lives), want = reference(&n.job, NULL);
    assert_memory_equal(id.b, want.b, 32);
    assert_true(atomic_load(&seen_events.events[TR_EVENT_REVOKED]) > 0);
    assert_all_paid(&n);
    net_stop(&n);
    dir_kit_remove(&d);
}

static void takes_and_never_answers(tr_coordinator *c, uint64_t *nonce)
{
    tr_session session;
    buf reply, body;
    fault f;
    char auth[TR_AUTH_BYTES];
    cr_secret_key key = kit_key(FIRST_WORKER);
    buf_init(&reply, 4096);
    buf_init(&body, 16);
    tr_request hello = { "GET", TR_PATH_PREFIX "session", NULL, bytes_of("", 0) };
    assert_int_equal(tr_coordinator_serve(c, &hello, &reply, &f), OK);
    assert_int_equal(tr_session_decode(&session, buf_bytes(&reply), &f), OK);
    assert_int_equal(tr_count_encode(&body, 0), OK);
    tr_request r = { "POST", TR_PATH_PREFIX "work", NULL, buf_bytes(&body) };
    tr_addressee to = net_addressee(session.job, session.id);
    tr_auth_sign(auth, &key, &to, ++*nonce, &r);
    r.auth = auth;
    buf_clear(&reply);
    assert_int_equal(tr_coordinator_serve(c, &r, &reply, &f), OK);
    buf_deinit(&reply);
    buf_deinit(&body);
}

typedef struct running {
    tr_coordinator *coordinator;
    err             result;
    atomic_bool     done;
} running;

static void *run_it(void *arg)
{
    running *r = arg;
    fault f = { 0 };
    r->result = tr_coordinator_run(r->coordinator, &f);
    atomic_store(&r->done, true);
    return NULL;
}

/* The coordinator computes what it gave out in vain, again and again. */
static void a_job_of_silent_workers_ends(void **state)
{
    (void)state;
    net n;
    seen seen_events = { .coordinator = NULL };
    pthread_t thread;
    uint64_t nonce = 0;
    dir_kit d = dir_kit_make();
    net_start(&n, 250000);
    setup_t s = { .net = &n, .dir = d.path, .sample_ppm = 250000, .per_lease = 2, .workers = 1, .lease_ms = 1, .checkpoint_steps = 1,
                  .patience_ms = 60000 };
    running r = { .coordinator = coordinator_start(&s, &seen_events) };
    assert_int_equal(pthread_create(&thread, NULL, run_it, &r), 0);
    while (!atomic_load(&r.done)) {
        takes_and_never_answers(r.coordinator, &nonce);
        nap_ms(3);
    }
    pthread_join(thread, NULL);
    assert_int_equal(r.result, OK);
    assert_true(seen_events.events[TR_EVENT_GIVEN_UP] > 0);
    hash256 id = tr_coordinator_state_id(r.coordinator), want = reference(&n.job, NULL);
    assert_memory_equal(id.b, want.b, 32);
    assert_int_equal(chain_job(n.kit.c, &n.job)->sequences_paid, 0);
    tr_coordinator_free(r.coordinator);
    net_stop(&n);
    dir_kit_remove(&d);
}

static void a_stopped_coordinator_goes_on_to_the_same_bits(void **state)
{
    (void)state;
    for (uint32_t every = 1; every <= 4; every++) {
        net n;
        seen seen_events;
        unsigned lives;
        dir_kit d = dir_kit_make();
        net_start(&n, 250000);
        setup_t s = { .net = &n, .dir = d.path, .sample_ppm = 250000, .per_lease = 1, .workers = 3, .checkpoint_steps = every,
                      .stop_after = 3, .lose_files = every % 2 == 0, .patience_ms = 60000 };
        hash256 id = run_job(&s, &seen_events, &lives), want = reference(&n.job, NULL);
        assert_memory_equal(id.b, want.b, 32);
        assert_true(lives > 2);
        assert_all_paid(&n);
        net_stop(&n);
        dir_kit_remove(&d);
    }
}

/* One job in which the last worker cheats: caught means slashed, unpaid and redone, and nobody else loses anything. */
static unsigned caught_in_a_job(tr_cheat cheat)
{
    net n;
    seen seen_events;
    unsigned lives;
    dir_kit d = dir_kit_make();
    net_start(&n, 250000);
    setup_t s = { .net = &n, .dir = d.path, .sample_ppm = 250000, .per_lease = 1, .workers = 3, .cheat = cheat, .checkpoint_steps = 1,
                  .patience_ms = 60000 };
    hash256 id = run_job(&s, &seen_events, &lives), want = reference(&n.job, NULL);
    const chain_row_worker *w = NULL;
    cr_address a = kit_address(FIRST_WORKER + 2);
    w = chain_worker(n.kit.c, &a);
    unsigned caught = atomic_load(&seen_events.caught);
    assert_int_equal(n.slashes, caught);
    assert_int_equal(seen_events.own, 0); /* every range is free again */
    assert_int_equal(w->leases_spoiled, n.slashes);
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
    return caught;
}

static void a_cheat_is_caught_unpaid_and_slashed(void **state)
{
    (void)state;
    unsigned caught = 0;
    for (uint64_t seed = 1; seed <= 4; seed++)
        caught += caught_in_a_job((tr_cheat){ seed, 1000000, 0, TR_SPOIL_NOTHING });
    assert_true(caught > 0);
}

/* What the referee can only decide with the lease's tokens, or with all positions of the lease. */
static void every_kind_of_cheat_is_slashed(void **state)
{
    (void)state;
    for (tr_spoil_kind kind = TR_SPOIL_INPUT; kind <= TR_SPOIL_LOSS; kind++) {
        unsigned caught = 0;
        for (uint64_t seed = 1; seed <= 8 && !caught; seed++)
            caught = caught_in_a_job((tr_cheat){ seed, 1000000, 0, kind });
        assert_true(caught > 0);
    }
}

/* A cheat that does not send its tile is challenged on the ledger. Without a ledger of its own it opens nothing and is slashed for that; with
 * one it opens the tile, and is slashed with what is in it. */
static void refuse_tiles(bool watches, uint64_t seed, unsigned *challenges)
{
    net n;
    seen seen_events;
    unsigned lives;
    dir_kit d = dir_kit_make();
    net_start(&n, 250000);
    setup_t s = { .net = &n, .dir = d.path, .sample_ppm = 250000, .per_lease = 1, .workers = 2, .cheat = { .seed = seed, .rate_ppm = 1000000 },
                  .lie = LIE_NO_TILE, .watches = watches, .checkpoint_steps = 1, .patience_ms = 60000 };
    hash256 id = run_job(&s, &seen_events, &lives), want = reference(&n.job, NULL);
    cr_address cheat = kit_address(FIRST_WORKER + 1), honest = kit_address(FIRST_WORKER);
    *challenges = n.challenges;
    assert_int_equal(n.slashes, seen_events.caught);
    assert_int_equal(n.opened_count, watches ? n.challenges : 0);
    assert_int_equal(chain_worker(n.kit.c, &cheat)->leases_spoiled, n.slashes);
    assert_int_equal(chain_worker(n.kit.c, &honest)->leases_spoiled, 0);
    assert_all_paid(&n);
    if (chain_worker(n.kit.c, &cheat)->leases_paid == 0)
        assert_memory_equal(id.b, want.b, 32);
    net_stop(&n);
    dir_kit_remove(&d);
}

static void a_refused_tile_costs_the_bond(void **state)
{
    (void)state;
    for (unsigned watches = 0; watches < 2; watches++) {
        unsigned challenges = 0;
        for (uint64_t seed = 1; seed <= 20 && challenges == 0; seed++) /* until the sample draws one */
            refuse_tiles(watches, seed, &challenges);
        assert_true(challenges > 0);
    }
}

/* The trace is right, the gradient is not: nothing has to be asked, so a worker that sends no tile is convicted by its own upload. */
static void a_cheat_in_the_gradient_alone_is_slashed(void **state)
{
    (void)state;
    unsigned slashed = 0;
    for (uint64_t seed = 1; seed <= 20 && slashed == 0; seed++) { /* until the sample draws one */
        net n;
        seen seen_events;
        unsigned lives;
        dir_kit d = dir_kit_make();
        net_start(&n, 250000);
        setup_t s = { .net = &n, .dir = d.path, .sample_ppm = 250000, .per_lease = 1, .workers = 2, .cheat = { .seed = seed, .rate_ppm = 1000000, .gradient_ppm = 1000000 },
                      .lie = LIE_NO_TILE, .checkpoint_steps = 1, .patience_ms = 60000 };
        run_job(&s, &seen_events, &lives);
        cr_address cheat = kit_address(FIRST_WORKER + 1);
        slashed = n.slashes;
        assert_int_equal(n.challenges, 0);
        assert_int_equal(n.slashes, seen_events.caught);
        assert_int_equal(chain_worker(n.kit.c, &cheat)->leases_spoiled, n.slashes);
        assert_all_paid(&n);
        net_stop(&n);
        dir_kit_remove(&d);
    }
    assert_true(slashed > 0);
}

/* RANGE is always looked at, and a false one is as wrong as a false number. */
static void a_false_range_is_slashed(void **state)
{
    (void)state;
    for (lie l = LIE_RANGE; l <= LIE_NO_CHECK; l++) {
        net n;
        seen seen_events;
        unsigned lives;
        dir_kit d = dir_kit_make();
        net_start(&n, 250000);
        setup_t s = { .net = &n, .dir = d.path, .sample_ppm = 250000, .per_lease = 1, .workers = 2, .lie = l, .checkpoint_steps = 1,
                      .patience_ms = 60000 };
        hash256 id = run_job(&s, &seen_events, &lives), want = reference(&n.job, NULL);
        cr_address liar = kit_address(FIRST_WORKER + 1);
        assert_true(seen_events.caught > 0);
        assert_int_equal(n.slashes, seen_events.caught);
        assert_int_equal(chain_worker(n.kit.c, &liar)->leases_spoiled, n.slashes);
        assert_int_equal(chain_worker(n.kit.c, &liar)->leases_paid, 0);
        assert_memory_equal(id.b, want.b, 32);
        assert_all_paid(&n);
        net_stop(&n);
        dir_kit_remove(&d);
    }
}

/* One life of a job whose second worker cheats, and is not drawn. ERR_INTERRUPTED: it was stopped. */
static err live(const setup_t *s, seen *seen_events, hash256 *id)
{
    crew hands;
    fault f = { 0 };
    crew_start(&hands, s, seen_events);
    tr_coordinator *c = coordinator_start(s, seen_events);
    crew_connect(&hands, c);
    err e = tr_coordinator_run(c, &f);
    nap_ms(80);
    crew_connect(&hands, NULL);
    *id = tr_coordinator_state_id(c);
    tr_coordinator_free(c);
    crew_stop(&hands);
    return e;
}

/* Killed after the ban reached the disk and before the verdicts did: what the journal calls accepted is re-executed all the same. */
static void a_ban_outlives_the_verdicts(void **state)
{
    (void)state;
    net n;
    seen seen_events;
    hash256 id, want;
    char path[TR_PATH_MAX], name[80] = "banned-";
    cr_public_key cheat = kit_public(FIRST_WORKER + 1);
    unsigned accepted = 0;
    for (unsigned tries = 0; tries < 20 && accepted == 0; tries++) { /* until it gets a lease, and the stop does not come first */
        dir_kit d = dir_kit_make();
        memset(&seen_events, 0, sizeof seen_events);
        net_start(&n, 0);
        setup_t s = { .net = &n, .dir = d.path, .per_lease = 1, .workers = 2, .cheat = { 1, 1000000, 0, TR_SPOIL_NOTHING },
                      .checkpoint_steps = STEPS, .stop_after = BATCH - 1, .patience_ms = 60000 };
        assert_int_equal(live(&s, &seen_events, &id), ERR_INTERRUPTED);
        accepted = atomic_load(&seen_events.accepted_by[1]);
        base_hex_encode(name + 7, cheat.b, 32);
        assert_int_equal(tr_store_name(path, d.path, name, NULL), OK);
        assert_int_equal(base_file_write_atomic(path, bytes_of("", 0), 0600, BASE_FILE_REPLACE, NULL), OK);
        s.stop_after = 0;
        assert_int_equal(live(&s, &seen_events, &id), OK);
        want = reference(&n.job, NULL);
        assert_memory_equal(id.b, want.b, 32);
        assert_true(atomic_load(&seen_events.caught) >= accepted);
        cr_address a = kit_address(FIRST_WORKER + 1);
        assert_int_equal(chain_worker(n.kit.c, &a)->leases_paid, 0);
        net_stop(&n);
        dir_kit_remove(&d);
    }
    assert_true(accepted > 0);
}

/* What is the buyer's own fault, or an accident of its transaction, costs no worker anything: the run ends, and a later one pays. */
static void a_refused_carrier_costs_no_worker_anything(void **state)
{
    (void)state;
    const err codes[] = { ERR_FUNDS, ERR_FEE, ERR_NONCE, ERR_DUPLICATE, ERR_EXPIRED };
    for (size_t i = 0; i < 2 * COUNT_OF(codes); i++) {
        net n;
        seen seen_events;
        unsigned lives;
        dir_kit d = dir_kit_make();
        net_start(&n, 250000);
        n.refuse_type = i % 2 ? CHAIN_TX_TRACE_COMMIT : CHAIN_TX_RECEIPT_PAY;
        n.refuse_code = codes[i / 2];
        n.refuse_count = 3;
        setup_t s = { .net = &n, .dir = d.path, .sample_ppm = 250000, .per_lease = 2, .workers = 2, .checkpoint_steps = 2, .patience_ms = 60000 };
        hash256 id = run_job(&s, &seen_events, &lives), want = reference(&n.job, NULL);
        assert_memory_equal(id.b, want.b, 32);
        assert_true(lives >= 4);
        assert_int_equal(seen_events.events[TR_EVENT_REJECTED], 0);
        assert_int_equal(seen_events.paid_ok, BATCH * STEPS / 2);
        assert_all_paid(&n);
        net_stop(&n);
        dir_kit_remove(&d);
    }
}

/* The same coordinator, told again to run, does not take the last step for done before it is paid. */
static void what_could_not_be_paid_stays_due(void **state)
{
    (void)state;
    net n;
    seen seen_events = { .coordinator = NULL };
    crew hands;
    fault f;
    dir_kit d = dir_kit_make();
    net_start(&n, 0);
    n.refuse_type = CHAIN_TX_RECEIPT_PAY;
    n.refuse_code = ERR_FUNDS;
    n.refuse_count = 2;
    setup_t s = { .net = &n, .dir = d.path, .per_lease = 4, .workers = 1, .checkpoint_steps = STEPS, .patience_ms = 60000 };
    crew_start(&hands, &s, &seen_events);
    tr_coordinator *c = coordinator_start(&s, &seen_events);
    crew_connect(&hands, c);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(tr_coordinator_run(c, &f), ERR_FUNDS);
        assert_int_equal(seen_events.events[TR_EVENT_CHECKPOINT], 0);
    }
    assert_int_equal(tr_coordinator_run(c, &f), OK);
    assert_int_equal(seen_events.events[TR_EVENT_CHECKPOINT], 1);
    assert_all_paid(&n);
    nap_ms(80);
    crew_connect(&hands, NULL);
    tr_coordinator_free(c);
    crew_stop(&hands);
    net_stop(&n);
    dir_kit_remove(&d);
}

/* The ledger ran the payment and refused it, as the job was closed under the coordinator: that says nothing about the receipts. */
static void a_closed_job_keeps_its_debts(void **state)
{
    (void)state;
    net n;
    seen seen_events = { .coordinator = NULL };
    crew hands;
    fault f;
    tr_status status;
    dir_kit d = dir_kit_make();
    net_start(&n, 250000);
    n.refuse_type = CHAIN_TX_RECEIPT_PAY;
    n.refuse_code = ERR_FUNDS;
    n.refuse_count = 1;
    setup_t s = { .net = &n, .dir = d.path, .sample_ppm = 250000, .per_lease = 4, .workers = 1, .checkpoint_steps = STEPS, .patience_ms = 60000 };
    crew_start(&hands, &s, &seen_events);
    tr_coordinator *c = coordinator_start(&s, &seen_events);
    crew_connect(&hands, c);
    assert_int_equal(tr_coordinator_run(c, &f), ERR_FUNDS);
    n.closed = true;
    n.refuse_type = CHAIN_TX_RECEIPT_PAY;
    n.refuse_code = ERR_STATE;
    n.refuse_count = 9;
    n.refuse_height = 7; /* it was run, and failed */
    assert_int_equal(tr_coordinator_run(c, &f), ERR_STATE);
    tr_coordinator_status(c, &status);
    assert_int_equal(status.owed, 250 * BATCH * STEPS);
    n.closed = false;
    n.refuse_count = 0;
    assert_int_equal(tr_coordinator_run(c, &f), OK);
    assert_all_paid(&n);
    nap_ms(80);
    crew_connect(&hands, NULL);
    tr_coordinator_free(c);
    crew_stop(&hands);
    net_stop(&n);
    dir_kit_remove(&d);
}

static void claim_all(net *n, crew *hands, tr_claims *sum)
{
    memset(sum, 0, sizeof *sum);
    for (unsigned i = 0; i < hands->count; i++) {
        tr_claims one;
        fault f = { 0 };
        net_hand hand = { .net = n, .who = FIRST_WORKER + i };
        cr_public_key key = kit_public(FIRST_WORKER + i);
        assert_int_equal(tr_worker_claim(&one, hands->cache[i].path, &key, net_hand_face(&hand), &f), OK);
        sum->claimed += one.claimed;
        sum->claimed_nblock += one.claimed_nblock;
        sum->waiting += one.waiting;
        sum->settled += one.settled;
        sum->refused += one.refused;
    }
}

/* A buyer that never pays: what was committed, its workers collect themselves. And one that comes back finds its debts paid. */
static void claim_what_is_not_paid(lie l)
{
    enum { LEASES = BATCH * STEPS / 2 };
    net n;
    seen seen_events = { .coordinator = NULL };
    crew hands;
    tr_claims claims;
    fault f;
    dir_kit d = dir_kit_make();
    net_start(&n, 250000);
    n.refuse_type = CHAIN_TX_RECEIPT_PAY;
    n.refuse_code = ERR_FUNDS;
    n.refuse_count = 1;
    setup_t s = { .net = &n, .dir = d.path, .sample_ppm = 250000, .per_lease = 2, .workers = 2, .watches = true, .checkpoint_steps = STEPS,
                  .patience_ms = 60000, .lie = l };
    crew_start(&hands, &s, &seen_events);
    tr_coordinator *c = coordinator_start(&s, &seen_events);
    crew_connect(&hands, c);
    assert_int_equal(tr_coordinator_run(c, &f), ERR_FUNDS);
    claim_all(&n, &hands, &claims);
    assert_int_equal(claims.waiting, LEASES); /* the buyer has time */
    assert_int_equal(claims.claimed, 0);
    kit_advance(&n.kit, chain_param_value(n.kit.c, CHAIN_PARAM_CLAIM_DELAY));
    nap_ms(1500); /* workers see that they cannot be challenged any more; their receipts stay */
    claim_all(&n, &hands, &claims);
    assert_int_equal(claims.claimed, LEASES);
    assert_int_equal(claims.claimed_nblock, 250 * BATCH * STEPS);
    assert_int_equal(claims.refused + claims.waiting, 0);
    assert_all_paid(&n);
    claim_all(&n, &hands, &claims);
    assert_int_equal(claims.claimed + claims.settled + claims.waiting, 0); /* forgotten */
    assert_int_equal(tr_coordinator_run(c, &f), OK);
    assert_int_equal(seen_events.paid_ok, LEASES);
    nap_ms(80);
    crew_connect(&hands, NULL);
    tr_coordinator_free(c);
    crew_stop(&hands);
    net_stop(&n);
    dir_kit_remove(&d);
}

static void workers_claim_what_is_not_paid(void **state)
{
    (void)state;
    claim_what_is_not_paid(LIE_NOTHING);
}

/* What was signed is kept, whatever its receiver said of it: it may be committed all the same, and then be asked for. */
static void a_refusal_is_not_believed(void **state)
{
    (void)state;
    claim_what_is_not_paid(IS_LIED_TO);
}

/* The first receipt that the worker keeps, challenged by somebody who pays for it. */
static void challenge_one(net *n, const char *cache)
{
    uint64_t height;
    fault f = { 0 };
    chain_receipt r = kept_receipt(cache, 0);
    chain_tx tx;
    memset(&tx, 0, sizeof tx);
    tx.type = CHAIN_TX_TRACE_CHALLENGE;
    tx.payload.trace_challenge = (chain_tx_trace_challenge){ .job = n->job, .lease = r.lease, .attestation = r.attestation };
    if (net_submit_as(n, 0, &tx, &height, &f) != OK)
        fail_msg("challenge: %s %s", err_describe(f.code)->name, f.what);
}

/* A challenge in the last moment holds the pay up, and takes it from nobody who opens. */
static void a_challenged_debt_is_waited_for(void **state)
{
    (void)state;
    net n;
    seen seen_events = { .coordinator = NULL };
    crew hands;
    fault f;
    dir_kit d = dir_kit_make();
    net_start(&n, 250000);
    n.refuse_type = CHAIN_TX_RECEIPT_PAY;
    n.refuse_code = ERR_FUNDS;
    n.refuse_count = 1;
    setup_t s = { .net = &n, .dir = d.path, .sample_ppm = 250000, .per_lease = 4, .workers = 1, .watches = true, .checkpoint_steps = STEPS,
                  .patience_ms = 60000 };
    crew_start(&hands, &s, &seen_events);
    tr_coordinator *c = coordinator_start(&s, &seen_events);
    crew_connect(&hands, c);
    assert_int_equal(tr_coordinator_run(c, &f), ERR_FUNDS);
    challenge_one(&n, hands.cache[0].path);
    assert_int_equal(tr_coordinator_run(c, &f), OK);
    assert_int_equal(n.opened_count, 1);
    assert_int_equal(seen_events.paid_ok, BATCH * STEPS / 4);
    assert_all_paid(&n);
    nap_ms(80);
    crew_connect(&hands, NULL);
    tr_coordinator_free(c);
    crew_stop(&hands);
    net_stop(&n);
    dir_kit_remove(&d);
}

static bool is_among(uint64_t lease, const uint64_t *list, unsigned count)
{
    for (unsigned i = 0; i < count && i < 1024; i++)
        if (list[i] == lease)
            return true;
    return false;
}

/* The sample draws spoiled answers with its rate, and finds each of them. Which leases are spoiled and which are drawn comes from seeds. */
static void detection_matches_the_sample_rate(void **state)
{
    (void)state;
    unsigned drawn = 0, cheats = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        net n;
        seen seen_events, *s = &seen_events;
        unsigned lives, mine = 0, mine_drawn = 0;
        dir_kit d = dir_kit_make();
        net_start(&n, 250000);
        setup_t setup = { .net = &n, .dir = d.path, .sample_ppm = 250000, .per_lease = 1, .workers = 2, .cheat = { .seed = seed, .rate_ppm = 500000 },
                          .checkpoint_steps = 1, .patience_ms = 60000 };
        run_job(&setup, s, &lives);
        for (unsigned i = 0; i < s->judged_count; i++) {
            /* A suspect was accepted first, and judged again. */
            if (!is_among(s->judged[i], s->spoiled, s->spoiled_count) || is_among(s->judged[i], s->judged, i))
                continue;
            mine++;
            mine_drawn += is_among(s->judged[i], s->drawn, s->drawn_count);
        }
        cr_address honest = kit_address(FIRST_WORKER);
        assert_int_equal(chain_worker(n.kit.c, &honest)->leases_spoiled, 0);
        assert_true(mine >= s->caught && s->caught >= mine_drawn); /* and suspects */
        assert_int_equal(n.slashes, s->caught);
        assert_all_paid(&n);
        cheats += mine;
        drawn += mine_drawn;
        net_stop(&n);
        dir_kit_remove(&d);
    }
    double want = 0.25 * cheats, sigma = sqrt(cheats * 0.25 * 0.75);
    print_message("%u of %u spoiled answers drawn, %.1f expected, sigma %.1f\n", drawn, cheats, want, sigma);
    assert_true(drawn > 0 && fabs(drawn - want) <= 3.5 * sigma);
}

static unsigned repetitions_of(const int32_t *master)
{
    net n;
    seen seen_events;
    unsigned lives;
    dir_kit d = dir_kit_make();
    net_start(&n, 250000);
    setup_t s = { .net = &n, .dir = d.path, .sample_ppm = 250000, .per_lease = 3, .workers = 2, .checkpoint_steps = 2, .master = master,
                  .patience_ms = 60000 };
    hash256 id = run_job(&s, &seen_events, &lives), want = reference(&n.job, master);
    assert_memory_equal(id.b, want.b, 32);
    assert_int_equal(seen_events.caught, 0);
    assert_all_paid(&n);
    net_stop(&n);
    dir_kit_remove(&d);
    return seen_events.events[TR_EVENT_RANGE];
}

static void range_is_paid_and_the_step_repeated(void **state)
{
    (void)state;
    int32_t *master = extreme_weights();
    unsigned repetitions = 0;
    for (net_salt = 0; net_salt < 12 && repetitions == 0; net_salt++)
        repetitions = repetitions_of(master);
    assert_true(repetitions > 0);
    net_salt = 0;
    free(master);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_number_of_workers_gives_the_same_state),
        cmocka_unit_test(lost_answers_on_both_sides),
        cmocka_unit_test(a_silent_worker_is_replaced),
        cmocka_unit_test(a_job_of_silent_workers_ends),
        cmocka_unit_test(a_stopped_coordinator_goes_on_to_the_same_bits),
        cmocka_unit_test(a_cheat_is_caught_unpaid_and_slashed),
        cmocka_unit_test(every_kind_of_cheat_is_slashed),
        cmocka_unit_test(a_refused_tile_costs_the_bond),
        cmocka_unit_test(a_cheat_in_the_gradient_alone_is_slashed),
        cmocka_unit_test(a_false_range_is_slashed),
        cmocka_unit_test(a_ban_outlives_the_verdicts),
        cmocka_unit_test(a_refused_carrier_costs_no_worker_anything),
        cmocka_unit_test(what_could_not_be_paid_stays_due),
        cmocka_unit_test(a_closed_job_keeps_its_debts),
        cmocka_unit_test(a_challenged_debt_is_waited_for),
        cmocka_unit_test(workers_claim_what_is_not_paid),
        cmocka_unit_test(a_refusal_is_not_believed),
        cmocka_unit_test(detection_matches_the_sample_rate),
        cmocka_unit_test(range_is_paid_and_the_step_repeated),
    };
    return cmocka_run_group_tests(tests, net_setup, net_teardown);
}
