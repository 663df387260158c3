/* SPDX-License-Identifier: Apache-2.0
 * What holds disbursements back on a chain: slots, limits, reserve and breaker; and the greatest epoch. */
#include "chain/treasury/treasury_kit.h"

/* --- limits --- */

static void active_slots(void **state)
{
    (void)state;
    kit k;
    start(&k, long_waits);
    chain_disbursement_spec s = spec_of(1, 1);
    for (unsigned i = 0; i < LIMIT_DISBURSEMENTS_N + 1; i++)
        must_file(&k, &s);
    for (uint64_t number = 1; number <= LIMIT_DISBURSEMENTS_N; number++)
        assert_int_equal(open_vote(&k, number), OK);
    assert_int_equal(open_vote(&k, 11), ERR_LIMIT);
    next_block(&k);
    audit(&k);
    while (chain_treasury(k.c)->epoch < chain_disbursement(k.c, 4)->vote_end_epoch)
        next_block(&k);
    assert_int_equal(voted(&k, 4, false), OK);
    next_block(&k);
    assert_int_equal(open_vote(&k, 11), OK);
    assert_int_equal(chain_treasury(k.c)->active, 10);
    next_block(&k);
    audit(&k);
    kit_stop(&k);
}

static void wide_days(chain_genesis *g)
{
    small_windows(g);
    g->params.v[CHAIN_PARAM_TREASURY_PROPOSAL_MAX] = 30000;
}

/* What the limits do not admit waits; it is executed once they do, and given up if they never do. */
static void limits_make_it_wait(void **state)
{
    (void)state;
    kit k;
    start(&k, wide_days);
    uint64_t most = FUNDED / 100 * 3;
    chain_disbursement_spec s = spec_of(most, 1);
    uint64_t first = must_file(&k, &s), second = must_file(&k, &s);
    assert_int_equal(open_vote(&k, first), OK);
    assert_int_equal(open_vote(&k, second), OK);
    while (chain_treasury(k.c)->epoch < chain_disbursement(k.c, second)->vote_end_epoch)
        next_block(&k);
    assert_int_equal(voted(&k, first, true), OK);
    assert_int_equal(voted(&k, second, true), OK);
    pass_epochs(&k, 3);
    expect_status(&k, first, CHAIN_DISBURSEMENT_EXECUTED, 0);
    expect_status(&k, second, CHAIN_DISBURSEMENT_TIMELOCKED, 0); /* 6 % of one day */
    assert_int_equal(chain_supply(k.c)->treasury, FUNDED - most);
    audit(&k);
    pass_epochs(&k, 4);
    expect_status(&k, second, CHAIN_DISBURSEMENT_ROLLED_BACK, CHAIN_ROLLBACK_EXPIRED);
    assert_int_equal(chain_breaker_failed(chain_treasury_breaker(k.c), 0), 0); /* waiting is no failure */
    /* The day goes by: 144 epochs after it was taken it no longer counts, not one before. */
    uint64_t taken_in = chain_disbursement(k.c, first)->executed_epoch;
    while (chain_treasury(k.c)->epoch < taken_in + CHAIN_DAY_EPOCHS - 1)
        pass_epochs(&k, 1);
    assert_int_equal(chain_treasury(k.c)->day_out, most);
    pass_epochs(&k, 1);
    assert_int_equal(chain_treasury(k.c)->day_out, 0);
    assert_int_equal(chain_treasury(k.c)->month_out, most);
    audit(&k);
    s = spec_of(chain_treasury(k.c)->base / 100 * 3, 2);
    uint64_t third = must_pass(&k, &s);
    pass_epochs(&k, 3);
    expect_status(&k, third, CHAIN_DISBURSEMENT_EXECUTED, 0);
    audit(&k);
    /* And the month: 31 days after the first day nothing of it is left. */
    while (chain_day_of_epoch(chain_treasury(k.c)->epoch) < CHAIN_MONTH_BUCKETS)
        pass_epochs(&k, 1);
    assert_int_equal(chain_treasury(k.c)->month_out, chain_disbursement(k.c, third)->amount);
    audit(&k);
    while (chain_day_of_epoch(chain_treasury(k.c)->epoch) < CHAIN_MONTH_BUCKETS + 1)
        pass_epochs(&k, 1);
    assert_int_equal(chain_treasury(k.c)->month_out, 0);
    audit(&k);
    kit_stop(&k);
}

/* --- reserve and breaker --- */

/* Files `count` disbursements of 1000 to payee 1 and passes them all; the numbers are consecutive, the first is returned. */
static uint64_t pass_many(kit *k, unsigned count, unsigned essential_from)
{
    uint64_t first = chain_treasury(k->c)->disbursements + 1;
    for (unsigned i = 0; i < count; i++) {
        chain_disbursement_spec s = spec_of(1000, 1);
        s.essential = i >= essential_from;
        must_file(k, &s);
    }
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(open_vote(k, first + i), OK);
    while (chain_treasury(k->c)->epoch < chain_disbursement(k->c, first + count - 1)->vote_end_epoch)
        next_block(k);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(voted(k, first + i, true), OK);
    return first;
}

/* 2000 of a reserve at which 1000 more is no emergency and the next is: to the unit. */
static void reserve_halts_what_can_wait(void **state)
{
    (void)state;
    kit k;
    start(&k, long_waits);
    /* Emergency below 250000 ppm of 144 epochs at `rate`: with rate = treasury / 36 the limit is the treasury itself. */
    uint64_t rate = (FUNDED - 2000) / 36;
    uint64_t floor_of = rate * 36; /* of the reserve: nothing ordinary takes the treasury below it */
    uint64_t room = FUNDED - floor_of;
    assert_true(room >= 2000 && room < 2036);
    subsidy_rate = rate;
    uint64_t first = pass_many(&k, 5, 3); /* the last two are essential */
    pass_epochs(&k, 3);
    expect_status(&k, first + 3, CHAIN_DISBURSEMENT_EXECUTED, 0); /* the essential ones first: there is no room for more */
    expect_status(&k, first + 4, CHAIN_DISBURSEMENT_EXECUTED, 0);
    for (unsigned i = 0; i < 3; i++)
        expect_status(&k, first + i, CHAIN_DISBURSEMENT_TIMELOCKED, 0);
    assert_int_equal(count_events(&k, CHAIN_EVENT_DISBURSEMENT_REFUSED), 3);
    assert_int_equal(chain_treasury(k.c)->health, CHAIN_RESERVE_WARNING);
    /* An essential one goes below it; then it is an emergency. */
    chain_disbursement_spec s = spec_of(1000, 2);
    s.essential = true;
    uint64_t essential = must_pass(&k, &s);
    pass_epochs(&k, 3);
    expect_status(&k, essential, CHAIN_DISBURSEMENT_EXECUTED, 0);
    assert_int_equal(chain_treasury(k.c)->health, CHAIN_RESERVE_EMERGENCY);
    /* Without subsidies nothing is at risk: what waited is paid. */
    subsidy_rate = 0;
    pass_epochs(&k, 12);
    expect_status(&k, first, CHAIN_DISBURSEMENT_FINALIZED, 0);
    expect_status(&k, first + 2, CHAIN_DISBURSEMENT_FINALIZED, 0);
    assert_int_equal(chain_treasury(k.c)->health, CHAIN_RESERVE_HEALTHY);
    audit(&k);
    outside(&k);
    assert_int_equal(chain_treasury_set_subsidy_rate(k.c, CHAIN_AMOUNT_MAX + 1, NULL), ERR_RANGE);
    assert_int_equal(chain_treasury_set_subsidy_rate(k.c, CHAIN_AMOUNT_MAX, NULL), OK);
    kit_stop(&k);
}

static void breaker_on_the_chain(void **state)
{
    (void)state;
    kit k;
    start(&k, long_waits);
    subsidy_rate = FUNDED;
    uint64_t first = pass_many(&k, 7, 99);
    pass_epochs(&k, 3);
    const chain_row_breaker *b = chain_treasury_breaker(k.c);
    assert_int_equal(count_events(&k, CHAIN_EVENT_DISBURSEMENT_REFUSED), 5); /* the last two are not even tried */
    assert_int_equal(count_events(&k, CHAIN_EVENT_BREAKER_CHANGED), 1);
    assert_int_equal(b->state, CHAIN_BREAKER_OPEN);
    assert_int_equal(b->scale_ppm, 900000);
    subsidy_rate = 0; /* the cause is gone, but it stays open for 12 blocks */
    pass_epochs(&k, 12 / EPOCH_BLOCKS - 1);
    assert_int_equal(b->state, CHAIN_BREAKER_OPEN);
    assert_int_equal(chain_supply(k.c)->disbursing, 0);
    pass_epochs(&k, 1);
    assert_int_equal(b->state, CHAIN_BREAKER_HALF_OPEN);
    assert_int_equal(chain_supply(k.c)->disbursing, 1000); /* one probe */
    expect_status(&k, first, CHAIN_DISBURSEMENT_EXECUTED, 0);
    expect_status(&k, first + 1, CHAIN_DISBURSEMENT_TIMELOCKED, 0);
    pass_epochs(&k, 1);
    assert_int_equal(b->state, CHAIN_BREAKER_CLOSED); /* the second probe closes it, and the rest follows at once */
    for (unsigned i = 1; i < 7; i++)
        expect_status(&k, first + i, CHAIN_DISBURSEMENT_EXECUTED, 0);
    outside(&k);
    uint32_t scale = b->scale_ppm;
    chain_treasury_incident(k.c);
    assert_true(b->scale_ppm < scale);
    next_block(&k);
    audit(&k);
    kit_stop(&k);
}

/* Five that the reserve refuses open the breaker once. They are no failure again, and use up no probe: what is essential passes. */
static void stuck_ones_block_nobody(void **state)
{
    (void)state;
    kit k;
    start(&k, long_waits);
    subsidy_rate = FUNDED;
    uint64_t first = pass_many(&k, 5, 99);
    pass_epochs(&k, 3);
    const chain_row_breaker *b = chain_treasury_breaker(k.c);
    assert_int_equal(b->state, CHAIN_BREAKER_OPEN);
    pass_epochs(&k, 12 / EPOCH_BLOCKS + 1);
    assert_int_equal(b->state, CHAIN_BREAKER_HALF_OPEN);
    uint64_t more = pass_many(&k, 3, 0);
    pass_epochs(&k, 3);
    assert_int_equal(b->state, CHAIN_BREAKER_HALF_OPEN);
    expect_status(&k, more, CHAIN_DISBURSEMENT_EXECUTED, 0);
    expect_status(&k, more + 1, CHAIN_DISBURSEMENT_TIMELOCKED, 0);
    pass_epochs(&k, 1);
    assert_int_equal(b->state, CHAIN_BREAKER_CLOSED);
    expect_status(&k, more + 1, CHAIN_DISBURSEMENT_EXECUTED, 0);
    expect_status(&k, more + 2, CHAIN_DISBURSEMENT_EXECUTED, 0);
    expect_status(&k, first, CHAIN_DISBURSEMENT_TIMELOCKED, 0);
    pass_epochs(&k, 2);
    assert_int_equal(b->state, CHAIN_BREAKER_CLOSED);
    audit(&k);
    kit_stop(&k);
}

/* --- the greatest epoch, and funds that went elsewhere --- */

static void many_payees(kit *k, chain_disbursement_spec *s, unsigned from)
{
    s->payee_count = LIMIT_DISBURSEMENT_PARTS_N;
    s->amount = 0;
    for (unsigned i = 0; i < LIMIT_DISBURSEMENT_PARTS_N; i++) {
        chain_payee p = { kit_address(from + i), 10 + i };
        set_kyc(k, from + i, true);
        size_t at = i;
        for (; at > 0 && memcmp(p.to.hash, s->payees[at - 1].to.hash, 32) < 0; at--)
            s->payees[at] = s->payees[at - 1];
        s->payees[at] = p;
        s->amount += p.amount;
    }
}

/* Ten at once, each to eight accounts that do not exist yet, in blocks without a transaction. */
static void greatest_epoch(void **state)
{
    (void)state;
    kit k;
    start(&k, long_waits);
    uint64_t paid = 0;
    for (unsigned i = 0; i < LIMIT_DISBURSEMENTS_N; i++) {
        chain_disbursement_spec s = spec_of(1, 1);
        many_payees(&k, &s, 1000 + 8 * i);
        must_file(&k, &s);
        paid += s.amount;
    }
    for (uint64_t number = 1; number <= LIMIT_DISBURSEMENTS_N; number++)
        assert_int_equal(open_vote(&k, number), OK);
    pass_epochs(&k, 2);
    for (uint64_t number = 1; number <= LIMIT_DISBURSEMENTS_N; number++)
        assert_int_equal(voted(&k, number, true), OK);
    pass_epochs(&k, 4);
    kit_advance(&k, EPOCH_BLOCKS - 1);
    /* What the block needs is within what it reserves, and of that order. */
    size_t accounts = chain_row_count(k.c, CHAIN_TABLE_ACCOUNT);
    assert_int_equal(kit_execute(&k, NULL, 0, false, NULL), OK);
    assert_in_range(k.c->journal_len, chain_treasury_journal_bytes() / 3, chain_treasury_journal_bytes());
    assert_in_range(k.result.event_count, CHAIN_TREASURY_EVENTS / 2, CHAIN_TREASURY_EVENTS);
    assert_int_equal(chain_row_count(k.c, CHAIN_TABLE_ACCOUNT) - accounts, CHAIN_TREASURY_ACCOUNTS);
    chain_abort(k.c);
    assert_int_equal(chain_row_count(k.c, CHAIN_TABLE_ACCOUNT), accounts);
    audit(&k);
    pass_epochs(&k, 1);
    assert_int_equal(count_events(&k, CHAIN_EVENT_DISBURSEMENT_PAID), 80);
    assert_int_equal(chain_supply(k.c)->treasury, FUNDED - paid);
    assert_int_equal(kit_balance(&k, 1079), 17);
    audit(&k);
    kit_stop(&k);
}

static void funds_that_are_gone(void **state)
{
    (void)state;
    kit k;
    start(&k, long_waits);
    chain_disbursement_spec s = spec_of(1000, 1);
    uint64_t number = must_pass(&k, &s);
    pass_epochs(&k, 2);
    next_block(&k);
    cr_address elsewhere = kit_address(6);
    outside(&k);
    assert_int_equal(chain_purse_take(k.c, PURSE_TREASURY, FUNDED - 999), OK);
    assert_int_equal(chain_account_credit(k.c, &elsewhere, FUNDED - 999), OK);
    pass_epochs(&k, 1);
    expect_status(&k, number, CHAIN_DISBURSEMENT_TIMELOCKED, 0);
    assert_int_equal(count_events(&k, CHAIN_EVENT_DISBURSEMENT_REFUSED), 1);
    assert_int_equal(chain_supply(k.c)->treasury, 999);
    outside(&k);
    assert_int_equal(chain_account_debit(k.c, &elsewhere, FUNDED - 999), OK);
    assert_int_equal(chain_purse_add(k.c, PURSE_TREASURY, FUNDED - 999), OK);
    pass_epochs(&k, 2); /* the base is 999 for one epoch more */
    expect_status(&k, number, CHAIN_DISBURSEMENT_EXECUTED, 0);
    audit(&k);
    kit_stop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(active_slots), cmocka_unit_test(limits_make_it_wait), cmocka_unit_test(reserve_halts_what_can_wait),
        cmocka_unit_test(breaker_on_the_chain), cmocka_unit_test(stuck_ones_block_nobody), cmocka_unit_test(greatest_epoch),
        cmocka_unit_test(funds_that_are_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
