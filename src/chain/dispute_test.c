/* SPDX-License-Identifier: Apache-2.0
 * What is held against a lease: evidence, challenges, openings, silence. */
#include "chain/chain_kit.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void audit(const kit *k)
{
    fault f = { 0 };
    if (chain_audit(k->c, &f) != OK)
        fail_msg("%s at %llu", f.what, (unsigned long long)f.at);
}

static err run_slash(kit *k, unsigned who, const hash256 *job, const chain_receipt *r, bytes evidence)
{
    chain_tx tx = kit_tx(k, who, CHAIN_TX_SLASH, 0);
    tx.payload.slash = (chain_tx_slash){ .job = *job, .lease = r->lease, .attestation = r->attestation, .evidence = evidence };
    return kit_run(k, &tx, who);
}

static void slashing(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, NULL);
    hash256 job = kit_post_job(&k, 2, 250000), none = { { 0 } };
    kit_add_worker(&k, 1, &job);
    chain_lease l = kit_lease(&k, &job, 1, 1, 0, 8), l2 = kit_lease(&k, &job, 1, 2, 0, 8);
    chain_attestation a = kit_attestation(&l), a2 = kit_attestation(&l2);
    chain_receipt r = kit_receipt(&l, &a, 1), r2 = kit_receipt(&l2, &a2, 1);
    assert_int_equal(kit_commit_trace(&k, KIT_COORDINATOR, &job, &r, 1), OK);
    assert_int_equal(run_slash(&k, 3, &none, &r, kit_evidence(&l, &a)), ERR_NOT_FOUND);
    assert_int_equal(run_slash(&k, 3, &job, &r, bytes_of_str("innocent")), ERR_EVIDENCE);
    assert_int_equal(run_slash(&k, 3, &job, &r, kit_evidence(&l2, &a2)), ERR_EVIDENCE);
    chain_attestation other = a;
    other.trace_root.b[5] ^= 1;
    assert_int_equal(run_slash(&k, 3, &job, &r, kit_evidence(&l, &other)), ERR_EVIDENCE);
    chain_lease wrong = l;
    wrong.worker = kit_public(2);
    assert_int_equal(run_slash(&k, 3, &job, &r, kit_evidence(&wrong, &a)), ERR_EVIDENCE);
    wrong = l;
    wrong.job.b[0] ^= 1;
    assert_int_equal(run_slash(&k, 3, &job, &r, kit_evidence(&wrong, &a)), ERR_EVIDENCE);

    kit_add_worker(&k, 2, &job);
    chain_lease redo = kit_lease(&k, &job, 2, 3, 0, 8);
    chain_attestation b = kit_attestation(&redo);
    chain_receipt rb = kit_receipt(&redo, &b, 2);
    assert_int_equal(kit_commit_trace(&k, KIT_COORDINATOR, &job, &rb, 1), ERR_OVERLAP); /* not yet free */

    uint64_t reporter = kit_balance(&k, 3), buyer = kit_balance(&k, 0);
    assert_int_equal(run_slash(&k, 3, &job, &r, kit_evidence(&l, &a)), OK);
    /* bond 10000001: half, rounded up, is 5000001; half of that burned; half of the rest to each */
    assert_int_equal(chain_supply(k.c)->burned, 2500000);
    assert_int_equal(kit_balance(&k, 3), reporter + 1250000 - k.result.txs[0].fee);
    assert_int_equal(kit_balance(&k, 0), buyer + 1250001);
    assert_int_equal(chain_supply(k.c)->bonds, 5000000 + 10000001); /* the second worker's is whole */
    assert_int_equal(chain_lease_row(k.c, &job, 1)->status, CHAIN_LEASE_SPOILED);
    assert_int_equal(kit_pay(&k, KIT_COORDINATOR, &job, &r, 1), ERR_STATE);
    assert_int_equal(run_slash(&k, 3, &job, &r, kit_evidence(&l, &a)), ERR_DUPLICATE);
    /* A lease that is not on the chain yet can be spoiled as well. */
    assert_int_equal(run_slash(&k, 3, &job, &r2, kit_evidence(&l2, &a2)), OK);
    assert_int_equal(kit_commit_trace(&k, KIT_COORDINATOR, &job, &r2, 1), ERR_DUPLICATE);
    /* The range is free for another worker. */
    assert_int_equal(kit_commit_trace(&k, KIT_COORDINATOR, &job, &rb, 1), OK);
    assert_int_equal(kit_pay(&k, KIT_COORDINATOR, &job, &rb, 1), OK);
    cr_address one = kit_address(1);
    assert_int_equal(chain_worker(k.c, &one)->leases_spoiled, 2);
    assert_int_equal(chain_worker(k.c, &one)->live_leases, 0);
    /* Slashed under the least bond: no new work. */
    assert_int_equal(run_slash(&k, 3, &job, &rb, kit_evidence(&redo, &b)), OK); /* a paid lease still costs the bond */
    assert_true(chain_lease_row(k.c, &job, 3)->gross > 0);
    audit(&k);
    kit_stop(&k);
}

static err run_challenge(kit *k, unsigned who, const hash256 *job, const chain_receipt *r, uint64_t leaf)
{
    chain_tx tx = kit_tx(k, who, CHAIN_TX_TRACE_CHALLENGE, 0);
    tx.payload.trace_challenge = (chain_tx_trace_challenge){ .job = *job, .lease = r->lease, .attestation = r->attestation, .leaf = leaf };
    return kit_run(k, &tx, who);
}

static err run_open(kit *k, unsigned who, const chain_tx_trace_open *p)
{
    chain_tx tx = kit_tx(k, who, CHAIN_TX_TRACE_OPEN, 0);
    tx.payload.trace_open = *p;
    return kit_run(k, &tx, who);
}

enum { TRACE = 8 * KIT_LEAVES }; /* leaves of a lease of a whole step */

static chain_receipt traced_receipt(kit *k, const hash256 *job, uint64_t id, chain_result result)
{
    chain_lease l = kit_lease(k, job, 1, id, 8 * id, 8 * id + 8);
    chain_attestation a = kit_attestation(&l);
    a.trace_root = kit_trace_root(TRACE);
    if (result == CHAIN_RESULT_RANGE) {
        a.result = CHAIN_RESULT_RANGE;
        a.loss = 0;
        a.range_sequence = l.from;
        memset(&a.gradient, 0, sizeof a.gradient);
    }
    return kit_receipt(&l, &a, 1);
}

static void challenges(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, NULL);
    hash256 job = kit_post_job(&k, 4, 250000), none = { { 0 } };
    kit_add_worker(&k, 1, &job);
    kit_add_worker(&k, 2, &job);
    chain_receipt r = traced_receipt(&k, &job, 0, CHAIN_RESULT_NORMAL), range = traced_receipt(&k, &job, 1, CHAIN_RESULT_RANGE);
    assert_int_equal(run_challenge(&k, KIT_COORDINATOR, &job, &r, 0), ERR_NOT_FOUND); /* not committed */
    chain_receipt both[2] = { r, range };
    assert_int_equal(kit_commit_trace(&k, KIT_COORDINATOR, &job, both, 2), OK);
    assert_int_equal(run_challenge(&k, 2, &job, &r, 0), ERR_PERMISSION);
    assert_int_equal(run_challenge(&k, KIT_COORDINATOR, &none, &r, 0), ERR_NOT_FOUND);
    assert_int_equal(run_challenge(&k, KIT_COORDINATOR, &job, &r, TRACE), ERR_RANGE);
    kit_stop(&k);

    kit_start(&k, NULL);
    job = kit_post_job(&k, 4, 250000);
    kit_add_worker(&k, 1, &job);
    kit_add_worker(&k, 2, &job);
    both[0] = r = traced_receipt(&k, &job, 0, CHAIN_RESULT_NORMAL);
    both[1] = range = traced_receipt(&k, &job, 1, CHAIN_RESULT_RANGE);
    assert_int_equal(kit_commit_trace(&k, KIT_COORDINATOR, &job, both, 2), OK);
    assert_int_equal(run_challenge(&k, KIT_COORDINATOR, &job, &range, 0), ERR_UNSUPPORTED);
    uint64_t worker = kit_balance(&k, 1), buyer = kit_balance(&k, 0), fee = chain_param_value(k.c, CHAIN_PARAM_CHALLENGE_FEE);
    chain_tx_trace_open open = kit_opening(&job, 0, TRACE, 5), bad;
    assert_int_equal(run_open(&k, 1, &open), ERR_STATE); /* nobody asked */
    worker -= k.result.txs[0].fee;
    assert_int_equal(run_challenge(&k, 0, &job, &r, 5), OK); /* the buyer may */
    assert_int_equal(kit_balance(&k, 0), buyer - fee - k.result.txs[0].fee);
    assert_int_equal(kit_balance(&k, 1), worker + fee);
    assert_int_equal(run_challenge(&k, KIT_COORDINATOR, &job, &r, 6), ERR_DUPLICATE);
    assert_int_equal(kit_pay(&k, KIT_COORDINATOR, &job, &r, 1), ERR_STATE);
    /* What is not the leaf, in time, by its worker; each refusal in a block of its own would take the time, so all in one. */
    bytes txs[8];
    err want[8];
    size_t n = 0;
#define TRY_OPEN(who, change, code)                                   \
    do {                                                              \
        bad = open;                                                   \
        change;                                                       \
        chain_tx tx = kit_tx(&k, who, CHAIN_TX_TRACE_OPEN, (who) == 1 ? n : 0); \
        tx.payload.trace_open = bad;                                  \
        txs[n] = kit_sign(&tx, who);                                  \
        want[n++] = code;                                             \
    } while (0)
    TRY_OPEN(1, bad.lease_id = 9, ERR_NOT_FOUND);
    TRY_OPEN(1, bad.tile = bytes_of_str("leaf\6"), ERR_PROOF);
    TRY_OPEN(1, bad.tile.len = 0, ERR_PROOF);
    TRY_OPEN(1, bad.path.len -= 32, ERR_PROOF);
    TRY_OPEN(1, bad.path.len -= 1, ERR_PROOF);
    TRY_OPEN(1, bad = kit_opening(&job, 0, TRACE, 6), ERR_PROOF);
    TRY_OPEN(1, bad.path = kit_opening(&job, 0, TRACE, 6).path, ERR_PROOF);
    TRY_OPEN(2, bad.lease_id = 0, ERR_PERMISSION);
#undef TRY_OPEN
    assert_int_equal(kit_block(&k, txs, 8), OK);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(k.result.txs[i].code, want[i]);
    assert_int_equal(run_open(&k, 1, &open), ERR_EXPIRED); /* four blocks after the challenge, with a window of three */
    kit_stop(&k);
}

/* An honest worker answers, and is paid, by its own claim if need be. */
static void an_opened_lease_is_paid(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, NULL);
    hash256 job = kit_post_job(&k, 4, 250000);
    kit_add_worker(&k, 1, &job);
    chain_receipt r = traced_receipt(&k, &job, 0, CHAIN_RESULT_NORMAL);
    chain_tx_trace_open open = kit_opening(&job, 0, TRACE, 9);
    assert_int_equal(kit_commit_trace(&k, KIT_COORDINATOR, &job, &r, 1), OK);
    assert_int_equal(run_challenge(&k, KIT_COORDINATOR, &job, &r, 9), OK);
    assert_int_equal(run_slash(&k, 3, &job, &r, (bytes){ 0 }), ERR_BUSY);
    assert_int_equal(run_open(&k, 1, &open), OK);
    assert_int_equal(chain_lease_row(k.c, &job, 0)->open_height, chain_head(k.c)->height);
    assert_int_equal(chain_lease_row(k.c, &job, 0)->challenge_leaf, 9);
    assert_int_equal(run_open(&k, 1, &open), ERR_STATE);
    assert_int_equal(run_slash(&k, 3, &job, &r, (bytes){ 0 }), ERR_EVIDENCE);
    assert_int_equal(run_challenge(&k, KIT_COORDINATOR, &job, &r, 3), ERR_EXPIRED); /* the time for it is over */
    assert_int_equal(kit_pay(&k, 1, &job, &r, 1), OK);
    assert_int_equal(run_challenge(&k, KIT_COORDINATOR, &job, &r, 3), ERR_STATE);
    audit(&k);
    kit_stop(&k);
}

static void long_delay(chain_genesis *g)
{
    g->params.v[CHAIN_PARAM_CLAIM_DELAY] = 60;
    g->params.v[CHAIN_PARAM_CLAIM_WINDOW] = 70;
    g->params.v[CHAIN_PARAM_CHALLENGE_FEE] = KIT_BALANCE / 1000;
}

static void challenges_are_few_and_cost(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, long_delay);
    hash256 job = kit_post_job(&k, 4, 250000);
    kit_add_worker(&k, 1, &job);
    chain_receipt r = traced_receipt(&k, &job, 0, CHAIN_RESULT_NORMAL);
    assert_int_equal(kit_commit_trace(&k, KIT_COORDINATOR, &job, &r, 1), OK);
    for (size_t leaf = 0; leaf < LIMIT_LEASE_CHALLENGES; leaf++) {
        chain_tx_trace_open open = kit_opening(&job, 0, TRACE, leaf);
        assert_int_equal(run_challenge(&k, KIT_COORDINATOR, &job, &r, leaf), OK);
        assert_int_equal(run_open(&k, 1, &open), OK);
    }
    assert_int_equal(run_challenge(&k, KIT_COORDINATOR, &job, &r, 0), ERR_LIMIT);
    /* Who cannot pay cannot ask. */
    chain_receipt other = traced_receipt(&k, &job, 1, CHAIN_RESULT_NORMAL);
    assert_int_equal(kit_commit_trace(&k, KIT_COORDINATOR, &job, &other, 1), OK);
    chain_tx all = kit_tx(&k, KIT_COORDINATOR, CHAIN_TX_TRANSFER, 0);
    all.payload.transfer = (chain_tx_transfer){ .to = kit_address(5), .amount = kit_balance(&k, KIT_COORDINATOR) - KIT_BALANCE / 1000 };
    assert_int_equal(kit_run(&k, &all, KIT_COORDINATOR), OK);
    assert_int_equal(run_challenge(&k, KIT_COORDINATOR, &job, &other, 0), ERR_FUNDS);
    audit(&k);
    kit_stop(&k);
}

/* Silence after a challenge costs what a proven lie costs, and frees the range. */
static void an_unopened_lease_is_spoiled(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, NULL);
    hash256 job = kit_post_job(&k, 4, 250000);
    kit_add_worker(&k, 1, &job);
    kit_add_worker(&k, 2, &job);
    chain_receipt r = traced_receipt(&k, &job, 0, CHAIN_RESULT_NORMAL), again = traced_receipt(&k, &job, 0, CHAIN_RESULT_RANGE);
    assert_int_equal(kit_commit_trace(&k, KIT_COORDINATOR, &job, &r, 1), OK);
    assert_int_equal(run_slash(&k, 3, &job, &r, (bytes){ 0 }), ERR_EVIDENCE); /* not challenged */
    assert_int_equal(run_challenge(&k, KIT_COORDINATOR, &job, &r, 7), OK);
    kit_advance(&k, 2);
    assert_int_equal(run_slash(&k, 3, &job, &r, (bytes){ 0 }), ERR_BUSY); /* the last block of the window */
    assert_int_equal(kit_pay(&k, 1, &job, &r, 1), ERR_STATE); /* not the worker's claim either */
    chain_tx_trace_open late = kit_opening(&job, 0, TRACE, 7);
    assert_int_equal(run_open(&k, 1, &late), ERR_EXPIRED);
    assert_int_equal(run_slash(&k, 3, &job, &again, (bytes){ 0 }), ERR_HASH); /* another attestation */
    uint64_t bonds = chain_supply(k.c)->bonds;
    assert_int_equal(run_slash(&k, 3, &job, &r, (bytes){ 0 }), OK);
    assert_int_equal(chain_supply(k.c)->bonds, bonds - 5000001);
    assert_int_equal(chain_lease_row(k.c, &job, 0)->status, CHAIN_LEASE_SPOILED);
    assert_int_equal(chain_lease_row(k.c, &job, 0)->challenge_height, 0);
    assert_int_equal(run_slash(&k, 3, &job, &r, (bytes){ 0 }), ERR_DUPLICATE);
    assert_int_equal(kit_pay(&k, 1, &job, &r, 1), ERR_STATE);
    assert_int_equal(run_open(&k, 1, &late), ERR_STATE);
    chain_lease redo = kit_lease(&k, &job, 2, 9, 0, 8);
    chain_attestation b = kit_attestation(&redo);
    chain_receipt rb = kit_receipt(&redo, &b, 2);
    assert_int_equal(kit_commit_trace(&k, KIT_COORDINATOR, &job, &rb, 1), OK);
    assert_int_equal(kit_pay(&k, KIT_COORDINATOR, &job, &rb, 1), OK);
    audit(&k);
    kit_stop(&k);
}

static void strict_bond(chain_genesis *g)
{
    g->params.v[CHAIN_PARAM_WORKER_BOND_MIN] = 10000001;
}

static void slashed_worker_takes_no_work(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, strict_bond);
    hash256 job = kit_post_job(&k, 3, 0);
    kit_add_worker(&k, 1, &job);
    chain_lease l = kit_lease(&k, &job, 1, 1, 0, 8), honest = kit_lease(&k, &job, 1, 2, 8, 16), late = kit_lease(&k, &job, 1, 3, 16, 24);
    chain_attestation a = kit_attestation(&l), b = kit_attestation(&honest), c = kit_attestation(&late);
    chain_receipt r = kit_receipt(&l, &a, 1), rb = kit_receipt(&honest, &b, 1), rc = kit_receipt(&late, &c, 1);
    assert_int_equal(kit_commit_trace(&k, KIT_COORDINATOR, &job, &rb, 1), OK);
    assert_int_equal(run_slash(&k, 3, &job, &r, kit_evidence(&l, &a)), OK);
    /* What stood on the chain with the bond behind it is paid; what comes now has nothing behind it. */
    assert_int_equal(kit_pay(&k, KIT_COORDINATOR, &job, &rb, 1), OK);
    assert_int_equal(kit_pay(&k, KIT_COORDINATOR, &job, &rc, 1), ERR_BOND);
    assert_int_equal(kit_commit_trace(&k, KIT_COORDINATOR, &job, &rc, 1), ERR_BOND);
    hash256 other = kit_post_job(&k, 1, 0);
    chain_tx bid = kit_tx(&k, 1, CHAIN_TX_JOB_BID, 0);
    bid.payload.job_bid = (chain_tx_job_bid){ .job = other, .price = 1000, .capacity = 4 };
    assert_int_equal(kit_run(&k, &bid, 1), ERR_BOND);
    kit_stop(&k);
}

static void no_referee(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, NULL);
    chain_free(k.c);
    k.config.referee = NULL;
    assert_int_equal(chain_new(&k.c, &k.config, bytes_of(k.genesis, k.genesis_len), NULL), OK);
    hash256 job = kit_post_job(&k, 1, 0);
    kit_add_worker(&k, 1, &job);
    chain_lease l = kit_lease(&k, &job, 1, 1, 0, 8);
    chain_attestation a = kit_attestation(&l);
    chain_receipt r = kit_receipt(&l, &a, 1);
    assert_int_equal(run_slash(&k, 3, &job, &r, kit_evidence(&l, &a)), ERR_UNSUPPORTED);
    kit_stop(&k);
    kit_start(&k, NULL);
    chain_free(k.c);
    k.config.trace_leaf = NULL;
    assert_int_equal(chain_new(&k.c, &k.config, bytes_of(k.genesis, k.genesis_len), NULL), OK);
    job = kit_post_job(&k, 1, 0);
    kit_add_worker(&k, 1, &job);
    r = traced_receipt(&k, &job, 0, CHAIN_RESULT_NORMAL);
    assert_int_equal(kit_commit_trace(&k, KIT_COORDINATOR, &job, &r, 1), OK);
    assert_int_equal(run_challenge(&k, KIT_COORDINATOR, &job, &r, 0), ERR_UNSUPPORTED);
    kit_stop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slashing),
        cmocka_unit_test(challenges),
        cmocka_unit_test(an_opened_lease_is_paid),
        cmocka_unit_test(challenges_are_few_and_cost),
        cmocka_unit_test(an_unopened_lease_is_spoiled),
        cmocka_unit_test(slashed_worker_takes_no_work),
        cmocka_unit_test(no_referee),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
