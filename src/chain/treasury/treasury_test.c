/* SPDX-License-Identifier: Apache-2.0
 * Disbursements on a chain: filed by signed transactions, voted on, and their money followed to the last nBLOCK. */
#include "chain/treasury/treasury_kit.h"

/* --- the life --- */

static void whole_life(void **state)
{
    (void)state;
    kit k;
    start(&k, small_windows);
    chain_disbursement_spec s = spec_of(1000, 1);
    s.payee_count = 2;
    bool in_order = memcmp(kit_address(1).hash, kit_address(2).hash, 32) < 0;
    s.payees[0] = (chain_payee){ kit_address(in_order ? 1 : 2), 400 };
    s.payees[1] = (chain_payee){ kit_address(in_order ? 2 : 1), 600 };
    uint64_t one = kit_balance(&k, 1), two = kit_balance(&k, 2), number = must_file(&k, &s);
    assert_int_equal(number, 1);
    expect_status(&k, 1, CHAIN_DISBURSEMENT_DRAFT, 0);
    pass_epochs(&k, 1);
    expect_status(&k, 1, CHAIN_DISBURSEMENT_DRAFT, 0); /* nothing happens to a draft by itself */
    assert_int_equal(open_vote(&k, 1), OK);
    assert_int_equal(open_vote(&k, 1), ERR_STATE);
    assert_int_equal(chain_treasury(k.c)->active, 1);
    assert_int_equal(voted(&k, 1, true), ERR_BUSY);
    assert_int_equal(vote_back(&k, 1), ERR_STATE);
    pass_epochs(&k, 1);
    assert_int_equal(voted(&k, 1, true), OK);
    uint64_t passed = chain_treasury(k.c)->epoch;
    expect_status(&k, 1, CHAIN_DISBURSEMENT_QUEUED, 0);
    pass_epochs(&k, 1);
    expect_status(&k, 1, CHAIN_DISBURSEMENT_TIMELOCKED, 0);
    assert_int_equal(chain_disbursement(k.c, 1)->ready_epoch, passed + 2);
    pass_epochs(&k, 1);
    expect_status(&k, 1, CHAIN_DISBURSEMENT_TIMELOCKED, 0);
    assert_int_equal(chain_supply(k.c)->treasury, FUNDED);
    pass_epochs(&k, 1);
    expect_status(&k, 1, CHAIN_DISBURSEMENT_EXECUTED, 0);
    assert_int_equal(chain_supply(k.c)->treasury, FUNDED - 1000);
    assert_int_equal(chain_supply(k.c)->disbursing, 1000);
    assert_int_equal(chain_treasury(k.c)->day_out, 1000);
    audit(&k);
    pass_epochs(&k, 1);
    assert_int_equal(kit_balance(&k, 1), one);
    pass_epochs(&k, 1);
    expect_status(&k, 1, CHAIN_DISBURSEMENT_FINALIZED, 0);
    assert_int_equal(count_events(&k, CHAIN_EVENT_DISBURSEMENT_PAID), 2);
    assert_int_equal(kit_balance(&k, 1) - one, in_order ? 400 : 600);
    assert_int_equal(kit_balance(&k, 2) - two, in_order ? 600 : 400);
    assert_int_equal(chain_supply(k.c)->disbursing, 0);
    assert_int_equal(chain_treasury(k.c)->active, 0);
    assert_int_equal(vote_back(&k, 1), ERR_STATE);
    pass_epochs(&k, 5);
    assert_int_equal(kit_balance(&k, 1) + kit_balance(&k, 2), one + two + 1000);
    audit(&k);
    kit_stop(&k);
}

/* Rolled back at each status from which it can be; what was held returns to the last unit. */
static void rollbacks(void **state)
{
    (void)state;
    for (uint64_t wait = 0; wait <= 3; wait++) {
        static const chain_disbursement_status at[] = { CHAIN_DISBURSEMENT_QUEUED, CHAIN_DISBURSEMENT_TIMELOCKED,
                                                        CHAIN_DISBURSEMENT_TIMELOCKED, CHAIN_DISBURSEMENT_EXECUTED };
        kit k;
        start(&k, small_windows);
        chain_disbursement_spec s = spec_of(777, 1);
        uint64_t before = kit_balance(&k, 1), number = must_pass(&k, &s);
        if (wait)
            pass_epochs(&k, wait);
        expect_status(&k, number, at[wait], 0);
        assert_int_equal(chain_supply(k.c)->disbursing, wait == 3 ? 777 : 0);
        assert_int_equal(vote_back(&k, number), OK);
        assert_int_equal(chain_supply(k.c)->treasury, FUNDED);
        assert_int_equal(chain_supply(k.c)->disbursing, 0);
        assert_int_equal(vote_back(&k, number), ERR_STATE);
        pass_epochs(&k, 6);
        expect_status(&k, number, CHAIN_DISBURSEMENT_ROLLED_BACK, CHAIN_ROLLBACK_VOTED);
        assert_int_equal(kit_balance(&k, 1), before);
        assert_int_equal(chain_treasury(k.c)->active, 0);
        audit(&k);
        kit_stop(&k);
    }
}

static void votes(void **state)
{
    (void)state;
    kit k;
    start(&k, small_windows);
    chain_disbursement_spec s = spec_of(10, 1);
    static const struct {
        chain_vote_outcome    outcome;
        uint8_t               status, reason;
    } cases[] = { { { true, 400000, 300000 }, CHAIN_DISBURSEMENT_QUEUED, 0 },
                  { { true, 399999, 1000000 }, CHAIN_DISBURSEMENT_ROLLED_BACK, CHAIN_ROLLBACK_QUORUM },
                  { { true, 1000000, 299999 }, CHAIN_DISBURSEMENT_ROLLED_BACK, CHAIN_ROLLBACK_QUORUM },
                  { { false, 1000000, 1000000 }, CHAIN_DISBURSEMENT_ROLLED_BACK, CHAIN_ROLLBACK_REJECTED } };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t number = must_file(&k, &s);
        assert_int_equal(open_vote(&k, number), OK);
        pass_epochs(&k, 2);
        outside(&k);
        assert_int_equal(chain_disbursement_voted(k.c, number, &cases[i].outcome, NULL), OK);
        expect_status(&k, number, cases[i].status, cases[i].reason);
    }
    /* A vote that nobody counts ends, too; a draft that nobody puts to the vote cannot be for ever. */
    uint64_t lost = must_file(&k, &s), old = must_file(&k, &s);
    assert_int_equal(open_vote(&k, lost), OK);
    while (chain_treasury(k.c)->epoch < chain_disbursement(k.c, lost)->vote_end_epoch + 4)
        pass_epochs(&k, 1);
    expect_status(&k, lost, CHAIN_DISBURSEMENT_VOTING, 0);
    pass_epochs(&k, 1);
    expect_status(&k, lost, CHAIN_DISBURSEMENT_ROLLED_BACK, CHAIN_ROLLBACK_EXPIRED);
    assert_int_equal(open_vote(&k, old), ERR_EXPIRED);
    assert_int_equal(open_vote(&k, 99), ERR_NOT_FOUND);
    assert_int_equal(voted(&k, 99, true), ERR_NOT_FOUND);
    assert_int_equal(voted(&k, old, true), ERR_STATE);
    assert_int_equal(vote_back(&k, 99), ERR_NOT_FOUND);
    next_block(&k);
    audit(&k);
    kit_stop(&k);
}

/* --- what is refused when it is filed --- */

static void one_coin_fee(chain_genesis *g)
{
    small_windows(g);
    g->params.v[CHAIN_PARAM_TREASURY_FILE_FEE] = 1000;
}

/* Two payees, half each, in the order of their addresses; whether the second one is the other. */
static bool pay_both(chain_disbursement_spec *s, unsigned one, unsigned other)
{
    cr_address a = kit_address(one), b = kit_address(other);
    bool in_order = memcmp(a.hash, b.hash, 32) < 0;
    s->payee_count = 2;
    s->payees[0] = (chain_payee){ in_order ? a : b, s->amount / 2 };
    s->payees[1] = (chain_payee){ in_order ? b : a, s->amount / 2 };
    return in_order;
}

static void filing(void **state)
{
    (void)state;
    kit k;
    start(&k, one_coin_fee);
    chain_disbursement_spec s;
#define REFUSE(change, code, where)                            \
    do {                                                       \
        s = spec_of(1000, 1);                                  \
        change;                                                \
        assert_int_equal(file(&k, &s), code);                  \
        assert_string_equal(k.result.txs[0].what, where);      \
        assert_int_equal(chain_treasury(k.c)->disbursements, filed); \
    } while (0)
    uint64_t filed = 0, most = FUNDED / 20;
    REFUSE(s.summary_bytes = 0, ERR_RANGE, "disbursement_file.summary_bytes");
    REFUSE(memset(&s.summary, 0, 32), ERR_RANGE, "disbursement_file.summary");
    REFUSE(s.amount = 0, ERR_RANGE, "disbursement_file.amount");
    REFUSE(s.amount++, ERR_RANGE, "disbursement_file.amount");
    REFUSE(s.payee_count = 0, ERR_RANGE, "disbursement_file.payees");
    REFUSE(s.payees[0].to = chain_treasury_address(), ERR_ADDRESS, "disbursement_file.payees");
    REFUSE(s.scheduled_epoch = 0, ERR_RANGE, "disbursement_file.scheduled_epoch");
    REFUSE(s.vote_epochs = 0, ERR_RANGE, "disbursement_file.vote_epochs");
    REFUSE(s.timelock_epochs = 0, ERR_RANGE, "disbursement_file.timelock_epochs");
    REFUSE(s.rollback_epochs = 0, ERR_RANGE, "disbursement_file.rollback_epochs");
    REFUSE(s.payees[0].to = kit_address(5), ERR_KYC, "disbursement_file.payees");
    unsigned last = 0; /* of two payees the one without KYC comes first, or last */
    for (unsigned who = 5; who < 15; who++)
        REFUSE(last += pay_both(&s, 1, who), ERR_KYC, "disbursement_file.payees");
    assert_in_range(last, 1, 9);
    REFUSE((s.dependency_count = 1, s.dependencies[0] = 1), ERR_NOT_FOUND, "disbursement_file.dependencies"); /* not itself either */
    REFUSE(s.amount = s.payees[0].amount = most + 1, ERR_LIMIT, "treasury.proposal_max");
    uint64_t before = kit_balance(&k, FILER), treasury = chain_supply(k.c)->treasury;
    s = spec_of(most, 1);
    filed = must_file(&k, &s);
    assert_int_equal(kit_balance(&k, FILER), before - k.result.txs[0].fee - 1000);
    assert_int_equal(chain_supply(k.c)->treasury, treasury + 1000);
    assert_int_equal(count_events(&k, CHAIN_EVENT_DISBURSEMENT_CHANGED), 1);
    /* Quorums over the whole, and a list that is none, are no transaction at all. */
    uint8_t buffer[2048];
    bytes out;
    cr_secret_key secret = kit_key(FILER);
    fault f = { 0 };
    s = spec_of(1, 1);
    s.quorum_operators_ppm = 1000001;
    chain_tx tx = file_tx(&k, &s);
    assert_int_equal(chain_tx_sign(&out, buffer, sizeof buffer, &tx, &secret, NULL, &f), ERR_RANGE);
    assert_string_equal(f.what, "disbursement_file.quorum_operators_ppm");
    s.quorum_operators_ppm = 0, s.quorum_builders_ppm = 1000001;
    tx = file_tx(&k, &s);
    assert_int_equal(chain_tx_sign(&out, buffer, sizeof buffer, &tx, &secret, NULL, &f), ERR_RANGE);
    assert_string_equal(f.what, "disbursement_file.quorum_builders_ppm");
    s.quorum_builders_ppm = 0, s.title.len = 0;
    tx = file_tx(&k, &s);
    assert_int_equal(chain_tx_sign(&out, buffer, sizeof buffer, &tx, &secret, NULL, &f), ERR_LIMIT);
    assert_string_equal(f.what, "disbursement_file.title");
    static const uint8_t junk[] = { 0x81, 0x01 };
    s = spec_of(1, 1);
    tx = file_tx(&k, &s);
    tx.payload.disbursement_file.payees = BYTES_OF(junk);
    assert_int_not_equal(kit_run(&k, &tx, FILER), OK);
    assert_string_equal(k.result.txs[0].what, "disbursement_file.payees");

    /* Its filer takes it back, once, while nobody votes on it. */
    chain_tx back = kit_tx(&k, 3, CHAIN_TX_DISBURSEMENT_WITHDRAW, 0);
    back.payload.disbursement_withdraw.number = filed;
    assert_int_equal(kit_run(&k, &back, 3), ERR_PERMISSION);
    s = spec_of(5, 1);
    s.dependency_count = 1, s.dependencies[0] = filed;
    uint64_t after = must_file(&k, &s);
    back = kit_tx(&k, FILER, CHAIN_TX_DISBURSEMENT_WITHDRAW, 0);
    back.payload.disbursement_withdraw.number = 77;
    assert_int_equal(kit_run(&k, &back, FILER), ERR_NOT_FOUND);
    back = kit_tx(&k, FILER, CHAIN_TX_DISBURSEMENT_WITHDRAW, 0);
    back.payload.disbursement_withdraw.number = filed;
    assert_int_equal(kit_run(&k, &back, FILER), OK);
    expect_status(&k, filed, CHAIN_DISBURSEMENT_ROLLED_BACK, CHAIN_ROLLBACK_WITHDRAWN);
    back.nonce++;
    assert_int_equal(kit_run(&k, &back, FILER), ERR_STATE);
    assert_int_equal(open_vote(&k, after), ERR_STATE); /* what it depends on is dead */
    assert_int_equal(file(&k, &s), ERR_STATE);
    assert_string_equal(k.result.txs[0].what, "disbursement_file.dependencies");
    s = spec_of(5, 1);
    after = must_file(&k, &s);
    s.dependency_count = 2, s.dependencies[0] = after, s.dependencies[1] = after + 1; /* each of them is looked at */
    assert_int_equal(file(&k, &s), ERR_NOT_FOUND);
    s.dependencies[0] = filed, s.dependencies[1] = after;
    assert_int_equal(file(&k, &s), ERR_STATE);
    assert_int_equal(open_vote(&k, after), OK);
    back = kit_tx(&k, FILER, CHAIN_TX_DISBURSEMENT_WITHDRAW, 0);
    back.payload.disbursement_withdraw.number = after;
    assert_int_equal(kit_run(&k, &back, FILER), ERR_STATE);
    next_block(&k);
    audit(&k);
    kit_stop(&k);
}

/* An account that cannot pay what filing costs files nothing. */
static void filing_costs(chain_genesis *g)
{
    small_windows(g);
    g->params.v[CHAIN_PARAM_TREASURY_FILE_FEE] = KIT_BALANCE;
}

static void filing_must_be_paid(void **state)
{
    (void)state;
    kit k;
    start(&k, filing_costs);
    chain_disbursement_spec s = spec_of(1000, 1);
    assert_int_equal(file(&k, &s), ERR_FUNDS);
    assert_string_equal(k.result.txs[0].what, "treasury.file_fee");
    assert_int_equal(chain_treasury(k.c)->disbursements, 0);
    assert_null(chain_disbursement(k.c, 1));
    audit(&k);
    kit_stop(&k);
}

/* --- KYC, when it is due --- */

static void kyc_when_due(void **state)
{
    (void)state;
    for (unsigned late = 0; late < 2; late++) {
        kit k;
        start(&k, small_windows);
        chain_disbursement_spec s = spec_of(1000, 1);
        s.timelock_epochs = 3;
        uint64_t before = kit_balance(&k, 1), number = must_pass(&k, &s);
        pass_epochs(&k, late ? 4 : 2);
        expect_status(&k, number, late ? CHAIN_DISBURSEMENT_EXECUTED : CHAIN_DISBURSEMENT_TIMELOCKED, 0);
        set_kyc(&k, 1, false);
        pass_epochs(&k, 2);
        expect_status(&k, number, CHAIN_DISBURSEMENT_ROLLED_BACK, CHAIN_ROLLBACK_KYC);
        assert_int_equal(chain_supply(k.c)->treasury, FUNDED);
        assert_int_equal(chain_supply(k.c)->disbursing, 0);
        assert_int_equal(kit_balance(&k, 1), before);
        assert_true(chain_breaker_failed(chain_treasury_breaker(k.c), 0) > 0);
        audit(&k);
        kit_stop(&k);
    }
    kit k;
    start(&k, small_windows);
    chain_disbursement_spec s = spec_of(1000, 1);
    uint64_t number = must_file(&k, &s);
    set_kyc(&k, 1, false);
    assert_int_equal(open_vote(&k, number), ERR_KYC);
    kit_stop(&k);
}

/* --- dependencies --- */

enum { FINAL, VOTED_BACK, NEVER_OPENED, DEPENDENCY_CASES };

static void dependencies(void **state)
{
    (void)state;
    for (unsigned what = 0; what < DEPENDENCY_CASES; what++) {
        kit k;
        start(&k, small_windows);
        chain_disbursement_spec s = spec_of(100, 1);
        uint64_t first = must_file(&k, &s);
        s = spec_of(50, 2);
        s.dependency_count = 1, s.dependencies[0] = first;
        uint64_t second = must_file(&k, &s), before = kit_balance(&k, 2);
        if (what != NEVER_OPENED)
            assert_int_equal(open_vote(&k, first), OK);
        assert_int_equal(open_vote(&k, second), OK);
        while (chain_treasury(k.c)->epoch < chain_disbursement(k.c, second)->vote_end_epoch)
            next_block(&k);
        if (what != NEVER_OPENED)
            assert_int_equal(voted(&k, first, true), OK);
        assert_int_equal(voted(&k, second, true), OK);
        pass_epochs(&k, 3);
        expect_status(&k, second, CHAIN_DISBURSEMENT_QUEUED, 0);
        if (what != NEVER_OPENED)
            expect_status(&k, first, CHAIN_DISBURSEMENT_EXECUTED, 0); /* executed is not final */
        if (what == VOTED_BACK)
            assert_int_equal(vote_back(&k, first), OK);
        pass_epochs(&k, 8);
        if (what == FINAL)
            expect_status(&k, second, CHAIN_DISBURSEMENT_FINALIZED, 0);
        else
            expect_status(&k, second, CHAIN_DISBURSEMENT_ROLLED_BACK, what == VOTED_BACK ? CHAIN_ROLLBACK_DEPENDENCY : CHAIN_ROLLBACK_EXPIRED);
        assert_int_equal(kit_balance(&k, 2), before + (what == FINAL ? 50 : 0));
        audit(&k);
        kit_stop(&k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_life), cmocka_unit_test(rollbacks), cmocka_unit_test(votes), cmocka_unit_test(filing),
        cmocka_unit_test(filing_must_be_paid), cmocka_unit_test(kyc_when_due), cmocka_unit_test(dependencies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
