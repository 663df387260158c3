/* SPDX-License-Identifier: Apache-2.0
 * Each of the 39 parameters of the control laws moves money: a network in which it binds ends with other balances when it has another value
 * from its genesis on; and when both houses vote for another value, beside the same network in which they vote against it. */
#include "chain/econ/market_kit.h"
#define GOV_EPOCH EPOCH
#include "chain/gov/gov_kit.h"
#include "crypto/sha256.h"

typedef enum fixture {
    YOUNG,  /* little is minted, all markets pay well but for the ones that stand still */
    OLD,    /* more than half of the cap is minted: layer 1 steers */
    BUSY,   /* all markets are used to the full */
    POOR,   /* all markets pay below cost */
    SCARCE, /* more is due than there is */
} fixture;

static struct {
    fixture     kind;
    chain_param param;
    uint64_t    value;
    bool        changed;
} now;

static void genesis(chain_genesis *g)
{
    short_epochs(g);
    g->params.v[CHAIN_PARAM_TARIFF] = 40;
    if (now.kind == OLD) {
        g->allocations[0].amount = 24000000000000000u;
        /* The formula asks for more than layer 1 allows. */
        g->params.v[CHAIN_PARAM_ISSUANCE_TIME] = 1000000;
        g->params.v[CHAIN_PARAM_YEAR] = 1000000;
        g->params.v[CHAIN_PARAM_TX_BASELINE] = g->params.v[CHAIN_PARAM_TX_BASELINE_MIN] = 1;
        g->params.v[CHAIN_PARAM_VOLUME_BASELINE] = g->params.v[CHAIN_PARAM_VOLUME_BASELINE_MIN] = 1;
    }
    if (now.kind == SCARCE)
        for (unsigned m = 0; m < ECON_MARKETS; m++)
            g->params.v[chain_cost_param((econ_market)m)] *= 100;
    if (now.changed)
        g->params.v[now.param] = now.value;
}

static void transfer(kit *k, unsigned from, unsigned to, uint64_t amount)
{
    chain_tx tx = kit_tx(k, from, CHAIN_TX_TRANSFER, 0);
    tx.payload.transfer = (chain_tx_transfer){ .to = kit_address(to), .amount = amount };
    assert_int_equal(kit_run(k, &tx, from), OK);
}

/* An advertiser without escrow of its own, yet: what the ad market will take from a campaign comes out of account 0. */
static void sell_impressions(kit *k, uint64_t price)
{
    cr_address payer = kit_address(0), viewer = kit_address(4), publisher = kit_address(5);
    assert_int_equal(chain_reserve(k->c, 8, 8192), OK);
    assert_int_equal(chain_account_debit(k->c, &payer, price), OK);
    assert_int_equal(chain_purse_add(k->c, PURSE_ESCROW, price), OK);
    assert_int_equal(chain_ad_pay(k->c, price, &viewer, &publisher), OK);
    market_step_end(k);
}

/* Percent of the capacity that is used, and of the cost that is paid. */
static void work_of(fixture kind, unsigned epoch, econ_market m, unsigned *used, unsigned *paid)
{
    *used = epoch == 0 || kind == BUSY ? 100 : 45 + 10 * m;
    *paid = kind == POOR ? 60 : 110 + 20 * m;
}

/* Six epochs of trade in all markets. */
static void trade(kit *k, fixture kind)
{
    for (unsigned who = 1; who <= 2; who++)
        give_kyc(k, who, 276);
    for (unsigned m = 0; m < ECON_MARKETS; m++)
        for (unsigned who = 1; who <= 2; who++)
            provider_joins(k, m, who, 1000000);
    static const uint64_t capacity[ECON_MARKETS] = { 102400000, 100000000, 2000, 1000 };
    for (unsigned e = 0; e < 5; e++) {
        for (unsigned m = 0; m < ECON_MARKETS; m++) {
            unsigned used, paid;
            work_of(kind, e, m, &used, &paid);
            uint64_t units = capacity[m] / 100 * used;
            for (unsigned who = 1; who <= 2; who++)
                provider_works(k, m, who, units, chain_reference_cost(k->c, m, units) / 100 * paid);
        }
        sell_impressions(k, 1000003);
        transfer(k, 0, 3, 40000000000); /* neither has KYC */
        finish_epoch(k);
    }
    finish_epoch(k);
}

/* A hash of what everybody holds, and of what a provider got in each market. */
static hash256 holdings(const kit *k)
{
    fault f = { 0 };
    assert_int_equal(chain_audit(k->c, &f), OK);
    uint8_t buffer[16 * 8];
    chain_row_supply s = *chain_supply(k->c);
    uint64_t amounts[16] = { s.minted, s.burned, s.treasury, s.subsidy, s.awarded };
    static const unsigned accounts[] = { 0, 1, 2, 3, 4, 5, KIT_PRODUCER };
    for (size_t i = 0; i < COUNT_OF(accounts); i++)
        amounts[5 + i] = kit_balance(k, accounts[i]);
    for (unsigned m = 0; m < ECON_MARKETS; m++)
        amounts[5 + COUNT_OF(accounts) + m] = provider_row(k, m, 1)->subsidies;
    for (size_t i = 0; i < 16; i++)
        store_be64(buffer + 8 * i, amounts[i]);
    return cr_sha256(bytes_of(buffer, sizeof buffer));
}

static hash256 run(fixture kind, chain_param p, uint64_t value, bool changed)
{
    now.kind = kind;
    now.param = p;
    now.value = value;
    now.changed = changed;
    kit k;
    kit_start(&k, genesis);
    trade(&k, kind);
    hash256 end = holdings(&k);
    kit_stop(&k);
    return end;
}

static const struct {
    chain_param param;
    fixture     kind;
    uint64_t    value; /* another one, in bounds */
} cases[] = {
    { CHAIN_PARAM_INFLATION_TARGET, OLD, 1500 },
    { CHAIN_PARAM_INFLATION_GAIN, OLD, 500 },
    { CHAIN_PARAM_ISSUANCE_MIN, OLD, 12000000 },
    { CHAIN_PARAM_ISSUANCE_MAX, OLD, 100000 },
    { CHAIN_PARAM_STORAGE_UTIL_TARGET, YOUNG, 9500 },
    { CHAIN_PARAM_STORAGE_MARGIN_TARGET, YOUNG, 10000 },
    { CHAIN_PARAM_COMPUTE_UTIL_TARGET, YOUNG, 9500 },
    { CHAIN_PARAM_COMPUTE_MARGIN_TARGET, YOUNG, 10000 },
    { CHAIN_PARAM_ENERGY_UTIL_TARGET, YOUNG, 9500 },
    { CHAIN_PARAM_ENERGY_MARGIN_TARGET, YOUNG, 10000 },
    { CHAIN_PARAM_AD_UTIL_TARGET, YOUNG, 1000 },
    { CHAIN_PARAM_AD_MARGIN_TARGET, SCARCE, 10000 },
    { CHAIN_PARAM_SUBSIDY_ALPHA, SCARCE, 0 },
    { CHAIN_PARAM_SUBSIDY_BETA, SCARCE, 1000 },
    { CHAIN_PARAM_SUBSIDY_TEMPERATURE, SCARCE, 50 },
    { CHAIN_PARAM_SUBSIDY_DRIFT, SCARCE, 200 },
    { CHAIN_PARAM_STORAGE_UTIL_RESPONSE, YOUNG, 0 },
    { CHAIN_PARAM_STORAGE_COST_RESPONSE, YOUNG, 0 },
    { CHAIN_PARAM_STORAGE_MULTIPLIER_FLOOR, BUSY, 1000 },
    { CHAIN_PARAM_STORAGE_MULTIPLIER_CEILING, YOUNG, 1000 },
    { CHAIN_PARAM_COMPUTE_UTIL_RESPONSE, YOUNG, 0 },
    { CHAIN_PARAM_COMPUTE_COST_RESPONSE, YOUNG, 0 },
    { CHAIN_PARAM_COMPUTE_MULTIPLIER_FLOOR, BUSY, 1000 },
    { CHAIN_PARAM_COMPUTE_MULTIPLIER_CEILING, YOUNG, 1000 },
    { CHAIN_PARAM_ENERGY_UTIL_RESPONSE, POOR, 0 },
    { CHAIN_PARAM_ENERGY_COST_RESPONSE, POOR, 0 },
    { CHAIN_PARAM_ENERGY_MULTIPLIER_FLOOR, BUSY, 1000 },
    { CHAIN_PARAM_ENERGY_MULTIPLIER_CEILING, POOR, 1000 },
    { CHAIN_PARAM_AD_UTIL_RESPONSE, POOR, 0 },
    { CHAIN_PARAM_AD_COST_RESPONSE, POOR, 0 },
    { CHAIN_PARAM_AD_MULTIPLIER_FLOOR, BUSY, 1000 },
    { CHAIN_PARAM_AD_MULTIPLIER_CEILING, POOR, 1000 },
    { CHAIN_PARAM_AD_PLATFORM_TARGET, YOUNG, 0 },
    { CHAIN_PARAM_AD_USER_TARGET, YOUNG, 6000 },
    { CHAIN_PARAM_AD_DRIFT, YOUNG, 200 },
    { CHAIN_PARAM_TARIFF_REVENUE_TARGET, YOUNG, 5000 },
    { CHAIN_PARAM_TARIFF_DRIFT, YOUNG, 0 },
    { CHAIN_PARAM_TARIFF_MIN, YOUNG, 60 },
    { CHAIN_PARAM_TARIFF_MAX, YOUNG, 20 },
};

static void each_parameter_binds(void **state)
{
    (void)state;
    assert_int_equal(COUNT_OF(cases), 39);
    hash256 plain[SCARCE + 1];
    unsigned idle = 0;
    for (fixture kind = YOUNG; kind <= SCARCE; kind++)
        plain[kind] = run(kind, 0, 0, false);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const chain_param_row *row = &chain_param_rows[cases[i].param];
        assert_int_equal(row->number, 101 + i); /* all 39, each once */
        assert_true(cases[i].value != row->initial);
        hash256 other = run(cases[i].kind, cases[i].param, cases[i].value, true);
        if (hash256_equal(&plain[cases[i].kind], &other)) {
            print_error("%s does not bind\n", row->key);
            idle++;
        }
    }
    assert_int_equal(idle, 0);
}

/* --- by a vote --- */

enum { COURSE = 20, TRUE_VOTER = 3 /* the first two become providers, whose badges are then their own affair */ };

static void genesis_with_votes(chain_genesis *g)
{
    genesis(g);
    gov_short(g);
    g->params.v[CHAIN_PARAM_GOV_PROPOSAL_BURN] = 0; /* whoever loses the vote, the stake comes back whole */
    g->params.v[CHAIN_PARAM_GOV_ROLLBACK_WINDOW] = 100;
}

/* All vote in every round; those who are against it say so in the last one, so that both networks carry the same transactions. */
static void decide(kit *k, uint64_t number, bool for_it, unsigned first)
{
    uint8_t last = gov_proposal(k, number)->kind == CHAIN_PROPOSAL_AMENDMENT ? 2 : 1;
    for (uint8_t round = 1; gov_proposal(k, number)->status == CHAIN_PROPOSAL_OPEN; round++) {
        gov_until(k, gov_proposal(k, number)->vote_start);
        gov_votes(k, first, VOTER_END, number, for_it || round < last ? CHAIN_VOTE_YES : CHAIN_VOTE_NO);
        gov_until(k, gov_proposal(k, number)->vote_end);
    }
}

static void take_back(kit *k, chain_param p, uint64_t number)
{
    uint64_t back;
    assert_int_equal(gov_propose(k, TRUE_VOTER, CHAIN_PROPOSAL_ROLLBACK, NULL, 0, number, &back), OK);
    decide(k, back, true, TRUE_VOTER);
    gov_until(k, gov_proposal(k, back)->activate_epoch);
    assert_int_equal(gov_proposal(k, number)->status, CHAIN_PROPOSAL_ROLLED_BACK);
    assert_int_equal(chain_param_value(k->c, p), chain_param_rows[p].initial);
}

static hash256 vote_and_trade(fixture kind, chain_param p, uint64_t value, bool for_it)
{
    kit k;
    uint64_t number;
    chain_param_change change = { p, value };
    bool constitutional = chain_param_rows[p].class == CHAIN_CLASS_CONSTITUTIONAL;
    now.kind = kind;
    now.changed = false;
    gov_start(&k, genesis_with_votes);
    uint64_t end = gov_now(&k) + COURSE;
    if (gov_propose(&k, OPERATOR, constitutional ? CHAIN_PROPOSAL_AMENDMENT : CHAIN_PROPOSAL_PARAMETERS, &change, 1, 0, &number) != OK)
        fail_msg("%s: %s", chain_param_rows[p].key, k.result.txs[0].what);
    decide(&k, number, for_it, OPERATOR);
    assert_int_equal(chain_param_value(k.c, p), chain_param_rows[p].initial); /* passed or not, it waits */
    gov_until(&k, end);
    assert_int_equal(gov_proposal(&k, number)->status, for_it ? CHAIN_PROPOSAL_ACTIVATED : CHAIN_PROPOSAL_REJECTED);
    assert_int_equal(chain_param_value(k.c, p), for_it ? value : chain_param_rows[p].initial);
    trade(&k, kind);
    hash256 held = holdings(&k);
    if (for_it)
        take_back(&k, p, number);
    kit_stop(&k);
    return held;
}

static void each_parameter_binds_by_a_vote(void **state)
{
    (void)state;
    unsigned idle = 0;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        hash256 yes = vote_and_trade(cases[i].kind, cases[i].param, cases[i].value, true);
        hash256 no = vote_and_trade(cases[i].kind, cases[i].param, cases[i].value, false);
        if (hash256_equal(&yes, &no)) {
            print_error("a vote on %s moves nothing\n", chain_param_rows[cases[i].param].key);
            idle++;
        }
    }
    assert_int_equal(idle, 0);
    /* The comparison itself: two networks that vote the same end the same. */
    hash256 a = vote_and_trade(YOUNG, CHAIN_PARAM_AD_DRIFT, 200, false), b = vote_and_trade(YOUNG, CHAIN_PARAM_AD_DRIFT, 200, false);
    assert_true(hash256_equal(&a, &b));
    hash256 lower = vote_and_trade(BUSY, CHAIN_PARAM_INFLATION_TARGET, 1500, true), same = vote_and_trade(BUSY, CHAIN_PARAM_INFLATION_TARGET, 1500, false);
    assert_true(hash256_equal(&lower, &same)); /* and where a parameter does not bind, its vote moves nothing */
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(each_parameter_binds), cmocka_unit_test(each_parameter_binds_by_a_vote) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
