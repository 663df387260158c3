/* SPDX-License-Identifier: Apache-2.0
 * Each of the 39 parameters of the control laws moves money: a network in which it binds ends with other balances when it has another value. */
#include "chain/econ/market_kit.h"
#include "crypto/sha256.h"

typedef enum fixture {
    YOUNG,  /* little is minted, all markets pay well but for the ones that stand still */
    OLD,    /* more than half of the cap is minted: layer 1 steers */
    BUSY,   /* all markets are used to the full */
    POOR,   /* all markets pay below cost */
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

static hash256 run(fixture kind, chain_param p, uint64_t value, bool changed)
{
    now.kind = kind;
    now.param = p;
    now.value = value;
    now.changed = changed;
    kit k;
    kit_start(&k, genesis);
    for (unsigned who = 1; who <= 2; who++)
        give_kyc(&k, who, 276);
    for (unsigned m = 0; m < ECON_MARKETS; m++)
        for (unsigned who = 1; who <= 2; who++)
            provider_joins(&k, m, who, 1000000);
    static const uint64_t capacity[ECON_MARKETS] = { 102400000, 100000000, 2000, 1000 };
    for (unsigned e = 0; e < 5; e++) {
        for (unsigned m = 0; m < ECON_MARKETS; m++) {
            unsigned used, paid;
            work_of(kind, e, m, &used, &paid);
            uint64_t units = capacity[m] / 100 * used;
            for (unsigned who = 1; who <= 2; who++)
                provider_works(&k, m, who, units, chain_reference_cost(k.c, m, units) / 100 * paid);
        }
        sell_impressions(&k, 1000003);
        transfer(&k, 0, 3, 40000000000); /* neither has KYC */
        finish_epoch(&k);
    }
    finish_epoch(&k);
    fault f = { 0 };
    assert_int_equal(chain_audit(k.c, &f), OK);
    uint8_t buffer[16 * 8];
    chain_row_supply s = *chain_supply(k.c);
    uint64_t amounts[16] = { s.minted, s.burned, s.treasury, s.subsidy, s.awarded };
    static const unsigned accounts[] = { 0, 1, 2, 3, 4, 5, KIT_PRODUCER };
    for (size_t i = 0; i < COUNT_OF(accounts); i++)
        amounts[5 + i] = kit_balance(&k, accounts[i]);
    for (size_t i = 0; i < 16; i++)
        store_be64(buffer + 8 * i, amounts[i]);
    kit_stop(&k);
    return cr_sha256(bytes_of(buffer, sizeof buffer));
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
    { CHAIN_PARAM_AD_MARGIN_TARGET, YOUNG, 10000 },
    { CHAIN_PARAM_SUBSIDY_ALPHA, YOUNG, 0 },
    { CHAIN_PARAM_SUBSIDY_BETA, YOUNG, 1000 },
    { CHAIN_PARAM_SUBSIDY_TEMPERATURE, YOUNG, 50 },
    { CHAIN_PARAM_SUBSIDY_DRIFT, YOUNG, 200 },
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
    hash256 plain[POOR + 1];
    unsigned idle = 0;
    for (fixture kind = YOUNG; kind <= POOR; kind++)
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

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(each_parameter_binds) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
