/* SPDX-License-Identifier: Apache-2.0
 *
 * Jobs at level full, over a real chain: every accepted gradient is proved, and nothing that is not proved gets anywhere. */
#include "train/range_kit.h"

typedef struct job_of_two {
    net      n;
    seen     seen;
    hash256  id, want;
    unsigned lives;
} job_of_two;

/* A whole job with two workers, of which the last does what `s` says. */
static void run_two(job_of_two *j, setup_t s)
{
    dir_kit d = dir_kit_make();
    net_start(&j->n, s.sample_ppm);
    s.net = &j->n;
    s.dir = d.path;
    s.per_lease = s.per_lease ? s.per_lease : 2;
    s.workers = 2;
    s.checkpoint_steps = 1;
    s.patience_ms = 60000;
    j->id = run_job(&s, &j->seen, &j->lives);
    j->want = reference(&j->n.job, s.master);
    assert_all_paid(&j->n);
    dir_kit_remove(&d);
}

static const chain_row_worker *worker_row(const job_of_two *j, unsigned w)
{
    cr_address a = kit_address(FIRST_WORKER + w);
    return chain_worker(j->n.kit.c, &a);
}

/* Whatever the last worker did, the model is the one that honest work gives, and the other worker loses nothing. */
static void assert_unharmed(const job_of_two *j)
{
    assert_memory_equal(j->id.b, j->want.b, 32);
    assert_int_equal(worker_row(j, 0)->leases_spoiled, 0);
}

/* The ids of a job's leases follow each other as long as nothing is leased twice: every answer on the ledger is at level full. */
static void assert_all_full(const job_of_two *j)
{
    unsigned rows = 0;
    for (uint64_t id = (uint64_t)1 << 24;; id++, rows++) {
        const chain_row_lease *row = chain_lease_row(j->n.kit.c, &j->n.job, id);
        if (!row)
            break;
        assert_int_equal(row->level, CHAIN_LEVEL_FULL);
        assert_true(row->proof.b[0] || row->proof.b[1] || row->proof.b[2]);
    }
    assert_int_equal(rows, BATCH * STEPS / 2);
}

static void every_lease_is_proved(void **state)
{
    (void)state;
    for (uint32_t sample = 0; sample <= 250000; sample += 250000) { /* without and with commitments before the draw */
        job_of_two j;
        run_two(&j, (setup_t){ .sample_ppm = sample });
        assert_unharmed(&j);
        assert_int_equal(j.seen.unproved, 0);
        assert_int_equal(j.seen.proved, BATCH * STEPS / 2);
        assert_int_equal(j.seen.events[TR_EVENT_ACCEPTED], BATCH * STEPS / 2);
        assert_all_full(&j);
        net_stop(&j.n);
    }
}

/* Whatever a worker spoils, it is caught at once, by the proof; re-execution then finds the element, and the bond is cut. */
static void every_cheat_is_caught_at_once(void **state)
{
    (void)state;
    unsigned caught[TR_SPOIL_LOSS + 1] = { 0 };
    for (tr_spoil_kind kind = TR_SPOIL_OPERATION; kind <= TR_SPOIL_LOSS; kind++)
        for (uint64_t seed = 1; seed <= (kind == TR_SPOIL_OPERATION ? 6 : 2); seed++) {
            job_of_two j;
            run_two(&j, (setup_t){ .cheat = { seed, 1000000, 0, kind } });
            assert_unharmed(&j);
            if (j.seen.spoiled_count) { /* else the other was faster */
                assert_true(j.seen.unproved >= 1); /* it may have answered again before the first was looked at */
                assert_int_equal(worker_row(&j, 1)->leases_paid, 0);
                assert_int_equal(worker_row(&j, 1)->leases_spoiled, j.n.slashes);
                assert_true(j.n.slashes >= 1);
                caught[kind]++;
            }
            net_stop(&j.n);
        }
    for (tr_spoil_kind kind = TR_SPOIL_OPERATION; kind <= TR_SPOIL_LOSS; kind++)
        assert_true(caught[kind] > 0);
}

/* The right answer with a proof that is none: not paid, not slashed, no more work. */
static void a_wrong_proof_is_refused(void **state)
{
    (void)state;
    for (lie l = LIE_PROOF; l <= LIE_REPLAY; l++) {
        job_of_two j;
        run_two(&j, (setup_t){ .lie = l });
        assert_unharmed(&j);
        assert_true(j.seen.unproved >= 1);
        assert_int_equal(worker_row(&j, 1)->leases_spoiled, 0);
        assert_true(worker_row(&j, 1)->leases_paid <= (l == LIE_REPLAY)); /* the first proof was its own */
        net_stop(&j.n);
    }
}

static void a_lower_level_is_refused(void **state)
{
    (void)state;
    job_of_two j;
    run_two(&j, (setup_t){ .lie = LIE_LEVEL, .lease_ms = 500 });
    assert_unharmed(&j);
    assert_true(j.seen.refused > 0);
    assert_int_equal(worker_row(&j, 1)->leases_paid, 0);
    net_stop(&j.n);
}

/* A step that ends in RANGE is proved like any other; nothing is computed again but the repetition. One of the workers computes its leases in parts,
 * so that RANGE makes it compute the whole once more. */
static void range_is_proved(void **state)
{
    (void)state;
    int32_t *master = extreme_weights();
    for (uint32_t sample = 0; sample <= 250000; sample += 250000) {
        unsigned repetitions = 0;
        for (net_salt = 0; net_salt < 12 && repetitions == 0; net_salt++) {
            job_of_two j;
            run_two(&j, (setup_t){ .master = master, .sample_ppm = sample });
            repetitions = j.seen.events[TR_EVENT_RANGE];
            assert_unharmed(&j);
            assert_int_equal(j.seen.unproved, 0);
            assert_int_equal(j.seen.caught, 0);
            assert_int_equal(j.seen.proved, BATCH * STEPS / 2);
            assert_all_full(&j);
            net_stop(&j.n);
        }
        assert_true(repetitions > 0);
    }
    net_salt = 0;
    free(master);
}

/* A RANGE whose proof is none, as the element is inside its domain. Also one whose inputs are false, for which there is no evidence: then the ledger has
 * nothing that could be claimed. */
static void a_false_range_is_caught(void **state)
{
    (void)state;
    for (uint32_t sample = 0; sample <= 250000; sample += 250000)
        for (unsigned forged = 0; forged < 2; forged++) {
            job_of_two j;
            run_two(&j, (setup_t){ .lie = LIE_RANGE, .sample_ppm = sample, .cheat = forged ? (tr_cheat){ 1, 1000000, 0, TR_SPOIL_INPUT } : (tr_cheat){ 0 } });
            assert_unharmed(&j);
            assert_true(j.seen.caught >= 1);
            assert_int_equal(worker_row(&j, 1)->leases_paid, 0);
            assert_int_equal(worker_row(&j, 1)->live_leases, 0); /* nothing was committed */
            assert_int_equal(worker_row(&j, 1)->leases_spoiled, j.n.slashes);
            net_stop(&j.n);
        }
}

/* Whatever is lost, no range is trained twice for pay: what is committed stays, the rest is leased again. */
static void a_stopped_coordinator_goes_on(void **state)
{
    (void)state;
    for (uint32_t sample = 0; sample <= 250000; sample += 250000)
        for (unsigned lost = 0; lost < 2; lost++) {
            job_of_two j;
            run_two(&j, (setup_t){ .per_lease = 1, .stop_after = 3, .lose_files = lost, .sample_ppm = sample });
            assert_unharmed(&j);
            assert_true(j.lives > 2);
            assert_int_equal(j.seen.own, 0);
            net_stop(&j.n);
        }
}

/* What a worker sends beside the plan is refused with a typed error, and leaves nothing behind. */
static void uploads_are_refused(void **state)
{
    (void)state;
    dir_kit d = dir_kit_make();
    net n;
    seen events = { .coordinator = NULL };
    net_start(&n, 0);
    setup_t s = { .net = &n, .dir = d.path, .per_lease = 2, .workers = 1, .checkpoint_steps = 1, .lie = LIE_EARLY };
    hash256 id;
    unsigned lives;
    id = run_job(&s, &events, &lives);
    hash256 want = reference(&n.job, NULL);
    assert_memory_equal(id.b, want.b, 32);
    assert_true(events.refused >= 2); /* an attestation before its proof, one with another proof's hash */
    assert_all_paid(&n);
    net_stop(&n);
    dir_kit_remove(&d);
}

/* Of the `count` that the worker keeps: the one that is paid first. In static memory. */
static chain_receipt oldest_receipt(const char *cache, unsigned count)
{
    uint64_t least = UINT64_MAX;
    unsigned which = 0;
    for (unsigned i = 0; i < count; i++) {
        chain_lease lease;
        chain_signed s;
        assert_int_equal(chain_lease_decode(&lease, &s, kept_receipt(cache, i).lease, NULL), OK);
        if (lease.lease_id < least) {
            least = lease.lease_id;
            which = i;
        }
    }
    return kept_receipt(cache, which);
}

/* An audit holds the pay of its lease up until it has ended, and no other's: nothing is dropped meanwhile, also if nobody can say for a moment how it
 * stands. */
static void an_audited_debt_is_waited_for(void **state)
{
    (void)state;
    dir_kit d = dir_kit_make();
    net n;
    seen events = { .coordinator = NULL };
    crew hands;
    fault f = { 0 };
    uint64_t height;
    net_start(&n, 250000);
    n.audit_calls = 1;
    n.refuse_type = CHAIN_TX_RECEIPT_PAY;
    n.refuse_code = ERR_FUNDS;
    n.refuse_count = 1;
    setup_t s = { .net = &n, .dir = d.path, .sample_ppm = 250000, .per_lease = 4, .workers = 1, .watches = true, .checkpoint_steps = STEPS,
                  .patience_ms = 60000 };
    crew_start(&hands, &s, &events);
    tr_coordinator *c = coordinator_start(&s, &events);
    crew_connect(&hands, c);
    assert_int_equal(tr_coordinator_run(c, &f), ERR_FUNDS);
    chain_receipt r = oldest_receipt(hands.cache[0].path, BATCH * STEPS / 4);
    chain_tx open = { .type = CHAIN_TX_AUDIT_OPEN };
    open.payload.audit_open = (chain_tx_audit_open){ .job = n.job, .lease = r.lease, .attestation = r.attestation };
    if (net_submit_as(&n, 0, &open, &height, &f) != OK)
        fail_msg("audit: %s %s", err_describe(f.code)->name, f.what);
    n.others = &events.paid_ok;
    n.others_want = BATCH * STEPS / 4 - 1; /* all others are paid before it ends */
    assert_int_equal(tr_coordinator_run(c, &f), OK);
    assert_true(n.audit_calls > 2);
    assert_int_equal(events.paid_ok, BATCH * STEPS / 4);
    assert_all_paid(&n);
    nap_ms(80);
    crew_connect(&hands, NULL);
    tr_coordinator_free(c);
    crew_stop(&hands);
    net_stop(&n);
    dir_kit_remove(&d);
}

static int setup(void **state)
{
    net_level = CHAIN_LEVEL_FULL;
    return net_setup(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_lease_is_proved),    cmocka_unit_test(every_cheat_is_caught_at_once), cmocka_unit_test(a_wrong_proof_is_refused),
        cmocka_unit_test(a_lower_level_is_refused), cmocka_unit_test(a_false_range_is_caught),       cmocka_unit_test(range_is_proved), cmocka_unit_test(a_stopped_coordinator_goes_on),
        cmocka_unit_test(uploads_are_refused), cmocka_unit_test(an_audited_debt_is_waited_for),
    };
    return cmocka_run_group_tests(tests, setup, net_teardown);
}
