/* SPDX-License-Identifier: Apache-2.0
 * Sovereign forks: four profiles start, run the same epoch and end it differently, take no transaction of each other; and what a genesis
 * bounds, no vote, emergency, amendment or hostile node gets out of its bounds. */
#include "chain/gov/gov_kit.h"
#include "chain/profile.h"

#include <stdio.h>

enum { EPOCH = 6 };
#define PAID 100000000000u /* nBLOCK of one payment */

static const char *const prefixes[CHAIN_PROFILE_COUNT] = { "tb", "cit", "lib", "pro" };
static chain_profile profile; /* of the network that starts next */

static void of_profile(chain_genesis *g)
{
    char id[32];
    chain_profile_apply(g, profile);
    snprintf(id, sizeof id, "%s-dev", chain_profile_name(profile));
    CHECK(chain_name_set(&g->chain_id, bytes_of_str(id)) == OK);
    CHECK(chain_name_set(&g->address_prefix, bytes_of_str(prefixes[profile])) == OK);
    g->params.v[CHAIN_PARAM_EPOCH] = EPOCH;
}

/* The same with the shortest course of votes, and the kit's own short windows, which go with it. */
static void of_profile_short(chain_genesis *g)
{
    chain_params short_ones = g->params, standard;
    chain_params_default(&standard);
    of_profile(g);
    for (unsigned i = 0; i < CHAIN_PARAM_COUNT; i++)
        if (short_ones.v[i] != standard.v[i])
            g->params.v[i] = short_ones.v[i];
    gov_short(g);
}

static void attest(kit *k, unsigned who, uint8_t commitment, uint32_t region)
{
    chain_tx tx = kit_tx(k, KIT_ISSUER, CHAIN_TX_KYC_ATTEST, 0);
    tx.payload.kyc_attest = (chain_tx_kyc_attest){ .subject = kit_address(who), .level = 1, .jurisdiction = region, .expiry_height = 100000,
                                                   .commitment = { { commitment } } };
    assert_int_equal(kit_run(k, &tx, KIT_ISSUER), OK);
}

/* --- the same epoch on four networks --- */

typedef struct flows {
    chain_row_epoch  epoch;
    chain_row_supply supply;
    uint64_t         received;
    q32              share[ECON_MARKETS];
} flows;

static void run_epoch(chain_profile which, flows *out)
{
    kit k;
    profile = which;
    kit_start(&k, of_profile);
    chain_tx tx = kit_tx(&k, 1, CHAIN_TX_TRANSFER, 0);
    tx.payload.transfer = (chain_tx_transfer){ .to = kit_address(2), .amount = PAID };
    uint64_t before = kit_balance(&k, 2);
    assert_int_equal(kit_run(&k, &tx, 1), OK);
    out->received = kit_balance(&k, 2) - before;
    kit_advance(&k, EPOCH - 1);
    chain_key key = chain_key_height(1);
    const chain_row_epoch *e = chain_row(k.c, CHAIN_TABLE_EPOCH, &key);
    assert_non_null(e);
    out->epoch = *e;
    out->supply = *chain_supply(k.c);
    for (unsigned m = 0; m < ECON_MARKETS; m++) {
        key = chain_key_one((uint8_t)m);
        out->share[m] = ((const chain_row_market *)chain_row(k.c, CHAIN_TABLE_MARKET, &key))->share;
    }
    gov_audit(&k);
    kit_stop(&k);
}

/* By largest remainder: less than one unit beside the exact share. */
static void is_share(uint64_t part, uint64_t whole, uint64_t ppm)
{
    u128 got = (u128)part * PPM, exact = (u128)whole * ppm;
    assert_true((got > exact ? got - exact : exact - got) < PPM);
}

static void the_same_epoch(void **state)
{
    (void)state;
    static const struct {
        uint64_t tariff, producers_ppm, treasury_ppm, subsidy_ppm, captured_ppm;
    } want[CHAIN_PROFILE_COUNT] = {
        [CHAIN_PROFILE_BASE] = { PAID / 100, 500000, 50000, 450000, 800000 },
        [CHAIN_PROFILE_CITIZEN] = { PAID / 50, 500000, 50000, 450000, 800000 },
        [CHAIN_PROFILE_LIBERTARIAN] = { 0, 1000000, 0, 0, 0 },
        [CHAIN_PROFILE_PROGRESSIVE] = { 0, 200000, 100000, 700000, 800000 },
    };
    flows all[CHAIN_PROFILE_COUNT];
    for (unsigned i = 0; i < CHAIN_PROFILE_COUNT; i++) {
        flows *now = &all[i];
        run_epoch((chain_profile)i, now);
        uint64_t mint = now->epoch.mint;
        assert_true(mint > 1000000);
        assert_int_equal(now->received, PAID - want[i].tariff);
        assert_int_equal(now->epoch.tariff_income, want[i].tariff);
        assert_int_equal(now->epoch.from_fees, want[i].tariff * want[i].captured_ppm / PPM);
        assert_int_equal(now->epoch.to_producers + now->epoch.to_treasury + now->epoch.to_subsidy, mint);
        is_share(now->epoch.to_producers, mint, want[i].producers_ppm);
        is_share(now->epoch.to_treasury, mint, want[i].treasury_ppm);
        is_share(now->epoch.to_subsidy, mint, want[i].subsidy_ppm);
        assert_true(i == 0 || memcmp(&all[i - 1].supply, &now->supply, sizeof now->supply) != 0);
    }
    /* The law steers the citizens' tariff between floor and top; where there is none it stays none. */
    assert_in_range(all[CHAIN_PROFILE_CITIZEN].epoch.tariff >> 32, 50, 200);
    assert_int_equal(all[CHAIN_PROFILE_LIBERTARIAN].epoch.tariff, 0);
    assert_int_equal(all[CHAIN_PROFILE_PROGRESSIVE].epoch.tariff, 0);
    /* No subsidy at all; a quarter for each market; what the base network's markets need. */
    assert_int_equal(all[CHAIN_PROFILE_LIBERTARIAN].supply.subsidy, 0);
    assert_int_equal(all[CHAIN_PROFILE_LIBERTARIAN].supply.treasury, 0);
    for (unsigned m = 0; m < ECON_MARKETS; m++)
        assert_int_equal(all[CHAIN_PROFILE_PROGRESSIVE].share[m], (q32)1 << 30);
    assert_int_not_equal(all[CHAIN_PROFILE_BASE].share[0], all[CHAIN_PROFILE_BASE].share[1]);
}

static void nothing_replays(void **state)
{
    (void)state;
    kit k[CHAIN_PROFILE_COUNT];
    for (unsigned i = 0; i < CHAIN_PROFILE_COUNT; i++) {
        profile = (chain_profile)i;
        kit_start(&k[i], of_profile);
    }
    for (unsigned i = 0; i < CHAIN_PROFILE_COUNT; i++) {
        char text[CR_ADDRESS_TEXT_MAX];
        cr_address to = kit_address(2), back;
        chain_tx tx = kit_tx(&k[i], 1, CHAIN_TX_TRANSFER, 0), seen;
        tx.payload.transfer = (chain_tx_transfer){ .to = to, .amount = PAID };
        bytes raw = kit_sign(&tx, 1);
        cr_address_encode(text, chain_address_prefix(k[i].c)->text, &to);
        for (unsigned j = 0; j < CHAIN_PROFILE_COUNT; j++) {
            fault f = { 0 };
            hash256 root = chain_head(k[j].c)->state_root;
            assert_int_equal(chain_check(k[j].c, &seen, raw, (chain_check_flags){ 0 }, &f), i == j ? OK : ERR_CHAIN_ID);
            assert_int_equal(cr_address_decode(&back, chain_address_prefix(k[j].c)->text, text, &f), i == j ? OK : ERR_ADDRESS);
            if (i == j)
                continue;
            assert_string_equal(f.what, "address: prefix of another network");
            assert_int_equal(kit_execute(&k[j], &raw, 1, true, &f), ERR_CHAIN_ID); /* nor has it a place in a block */
            assert_true(hash256_equal(&root, &chain_head(k[j].c)->state_root));
        }
    }
    for (unsigned i = 0; i < CHAIN_PROFILE_COUNT; i++)
        kit_stop(&k[i]);
}

/* --- bounds --- */

static void refused(kit *k, chain_proposal_kind kind, chain_param p, uint64_t value, err code, const char *named)
{
    chain_param_change change = { p, value };
    uint64_t number, before = chain_governance(k->c)->proposals;
    if (gov_propose(k, OPERATOR, kind, &change, 1, 0, &number) != code || strcmp(k->result.txs[0].what, named) != 0)
        fail_msg("%s = %llu: %s", chain_param_rows[p].key, (unsigned long long)value,
                 k->result.txs[0].what ? k->result.txs[0].what : "accepted");
    assert_int_equal(number, before);
}

/* A block on top of state that a node holds by error or by will: refused whole, by the name of the bound. */
static void no_block_with(kit *k, chain_param p, uint64_t value)
{
    if (chain_head(k->c)->height % GOV_EPOCH == GOV_EPOCH - 1) /* the laws at an epoch's end would notice some by themselves */
        kit_advance(k, 1);
    assert_int_equal(chain_reserve(k->c, 8, 4096), OK);
    chain_key key = chain_key_param(p);
    uint64_t height = chain_head(k->c)->height;
    chain_row_param *row = chain_row_edit(k->c, CHAIN_TABLE_PARAM, &key);
    uint64_t good = row->value;
    fault f = { 0 };
    row->value = value;
    assert_int_equal(kit_execute(k, NULL, 0, true, &f), ERR_INVARIANT);
    assert_string_equal(f.what, chain_bound_name(p));
    assert_int_equal(chain_head(k->c)->height, height);
    row = chain_row_edit(k->c, CHAIN_TABLE_PARAM, &key);
    row->value = good;
    assert_int_equal(kit_execute(k, NULL, 0, true, &f), OK);
}

static void try_value(kit *k, chain_param p, uint64_t value)
{
    const chain_param_row *row = &chain_param_rows[p];
    static const chain_proposal_kind kinds[] = { CHAIN_PROPOSAL_PARAMETERS, CHAIN_PROPOSAL_AMENDMENT, CHAIN_PROPOSAL_EMERGENCY };
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (row->changer == CHAIN_CHANGER_NOBODY)
            refused(k, kinds[i], p, value, ERR_PERMISSION, row->key);
        else
            refused(k, kinds[i], p, value, ERR_RANGE, chain_bound_name(p));
    no_block_with(k, p, value);
}

/* Every bound of every profile, one below it and one above. */
static void every_bound(void **state)
{
    (void)state;
    unsigned tried = 0;
    for (unsigned i = 0; i < CHAIN_PROFILE_COUNT; i++) {
        static chain_genesis g;
        kit k;
        profile = (chain_profile)i;
        memset(&g, 0, sizeof g);
        chain_profile_apply(&g, profile);
        kit_start(&k, of_profile_short);
        for (unsigned who = OPERATOR; who < VOTER_END; who++) {
            attest(&k, who, (uint8_t)who, 756);
            gov_badge(&k, who, who < BUILDER ? ALL_MARKETS : 0, who >= BUILDER, 12, 800000);
            assert_int_equal(gov_stake(&k, who, GOV_STAKE), OK);
        }
        gov_until(&k, gov_now(&k) + 2);
        for (size_t b = 0; b < g.bound_count; b++) {
            const chain_bound *bound = &g.bounds[b];
            if (bound->min > chain_param_rows[bound->param].min)
                try_value(&k, bound->param, bound->min - 1), tried++;
            if (bound->max < chain_param_rows[bound->param].max)
                try_value(&k, bound->param, bound->max + 1), tried++;
        }
        gov_audit(&k);
        kit_stop(&k);
    }
    assert_true(tried >= 20);
}

static void bounded_fee(chain_genesis *g)
{
    gov_short(g);
    g->params.v[CHAIN_PARAM_TARIFF_MAX] = 150;
    g->bounds[g->bound_count++] = (chain_bound){ CHAIN_PARAM_FEE_MIN, 900, 1500 };
    g->bounds[g->bound_count++] = (chain_bound){ CHAIN_PARAM_ISSUANCE_MAX, 11000000, 12000000 };
    g->bounds[g->bound_count++] = (chain_bound){ CHAIN_PARAM_TARIFF_MIN, 0, 60 };
    g->bounds[g->bound_count++] = (chain_bound){ CHAIN_PARAM_TARIFF_MAX, 100, 150 };
}

/* Up to the bound each way leads, past it none: a vote, an emergency, an amendment. What passed before by a row that was altered since
 * fails when it is to act. */
static void the_edge(void **state)
{
    (void)state;
    kit k;
    uint64_t number;
    chain_param_change edge = { CHAIN_PARAM_FEE_MIN, 1500 }, most = { CHAIN_PARAM_ISSUANCE_MAX, 11000000 };
    gov_start(&k, bounded_fee);
    refused(&k, CHAIN_PROPOSAL_EMERGENCY, CHAIN_PARAM_FEE_MIN, 1501, ERR_RANGE, "genesis bound: fee.min");
    refused(&k, CHAIN_PROPOSAL_PARAMETERS, CHAIN_PARAM_FEE_MIN, 899, ERR_RANGE, "genesis bound: fee.min");
    refused(&k, CHAIN_PROPOSAL_AMENDMENT, CHAIN_PARAM_ISSUANCE_MAX, 10999999, ERR_RANGE, "genesis bound: MaxAnnualIssuanceBlock");
    assert_int_equal(gov_propose(&k, OPERATOR, CHAIN_PROPOSAL_EMERGENCY, &edge, 1, 0, &number), OK);
    gov_pass(&k, number);
    assert_int_equal(gov_proposal(&k, number)->status, CHAIN_PROPOSAL_IN_FORCE);
    assert_int_equal(param(k.c, CHAIN_PARAM_FEE_MIN), 1500);
    gov_until(&k, gov_proposal(&k, number)->expire_epoch);
    assert_int_equal(gov_proposal(&k, number)->status, CHAIN_PROPOSAL_EXPIRED);
    assert_int_equal(param(k.c, CHAIN_PARAM_FEE_MIN), 1000);
    assert_int_equal(gov_propose(&k, OPERATOR, CHAIN_PROPOSAL_AMENDMENT, &most, 1, 0, &number), OK);
    gov_pass(&k, number);
    assert_int_equal(param(k.c, CHAIN_PARAM_ISSUANCE_MAX), 11000000);

    assert_int_equal(gov_propose(&k, OPERATOR, CHAIN_PROPOSAL_PARAMETERS, &edge, 1, 0, &number), OK);
    chain_key key = chain_key_change(number, 0);
    assert_int_equal(chain_reserve(k.c, 8, 4096), OK);
    ((chain_row_change *)chain_row_edit(k.c, CHAIN_TABLE_CHANGE, &key))->value = 1501;
    gov_until(&k, gov_proposal(&k, number)->vote_start);
    assert_string_equal(chain_proposal_obstacle(k.c, number), "quorum");
    gov_votes(&k, OPERATOR, VOTER_END, number, CHAIN_VOTE_YES);
    assert_string_equal(chain_proposal_obstacle(k.c, number), "genesis bound: fee.min");
    gov_until(&k, gov_proposal(&k, number)->vote_end);
    assert_int_equal(gov_proposal(&k, number)->status, CHAIN_PROPOSAL_TIMELOCKED);
    assert_string_equal(chain_proposal_obstacle(k.c, number), "genesis bound: fee.min");
    gov_until(&k, gov_proposal(&k, number)->activate_epoch);
    assert_int_equal(gov_proposal(&k, number)->status, CHAIN_PROPOSAL_FAILED);
    assert_null(chain_proposal_obstacle(k.c, number));
    assert_null(chain_proposal_obstacle(k.c, number + 1));
    chain_bound own = chain_param_bound(k.c, CHAIN_PARAM_FEE_MIN), row = chain_param_bound(k.c, CHAIN_PARAM_FEE_PER_BYTE);
    assert_true(own.param == CHAIN_PARAM_FEE_MIN && own.min == 900 && own.max == 1500);
    assert_true(row.param == CHAIN_PARAM_FEE_PER_BYTE && row.min == chain_param_rows[CHAIN_PARAM_FEE_PER_BYTE].min &&
                row.max == chain_param_rows[CHAIN_PARAM_FEE_PER_BYTE].max);
    assert_int_equal(param(k.c, CHAIN_PARAM_FEE_MIN), 1000);
    gov_audit(&k);
    kit_stop(&k);
}

/* The tariff in force is no parameter; the bounds of its least and greatest hold it all the same. */
static void tariff_in_force(void **state)
{
    (void)state;
    static const struct { q32 tariff; const char *named; } cases[] = {
        { ((q32)99 << 32) + (((q32)1 << 32) - 1), NULL }, { (q32)150 << 32, NULL }, { ((q32)150 << 32) + 1, "genesis bound: TariffMaxBps" },
        { -1, "genesis bound: TariffMinBps" },            { 0, NULL },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        kit k;
        fault f = { 0 };
        kit_start(&k, bounded_fee);
        assert_int_equal(chain_reserve(k.c, 8, 4096), OK);
        chain_key key = { .len = 1 };
        ((chain_row_economy *)chain_row_edit(k.c, CHAIN_TABLE_ECONOMY, &key))->tariff = cases[i].tariff;
        assert_int_equal(kit_execute(&k, NULL, 0, true, &f), cases[i].named ? ERR_INVARIANT : OK);
        if (cases[i].named)
            assert_string_equal(f.what, cases[i].named);
        kit_stop(&k);
    }
}

/* --- genesis documents with bounds --- */

static err encode(uint8_t buffer[16384], bytes *out, const chain_bound *bounds, size_t count, uint64_t tariff, fault *f)
{
    static chain_genesis g;
    cr_public_key producer = kit_public(KIT_PRODUCER);
    memset(&g, 0, sizeof g);
    g.producers = &producer;
    g.producer_count = 1;
    CHECK(chain_name_set(&g.chain_id, bytes_of_str("fork")) == OK);
    CHECK(chain_name_set(&g.address_prefix, bytes_of_str("fork")) == OK);
    chain_params_default(&g.params);
    g.params.v[CHAIN_PARAM_TARIFF] = tariff;
    g.bound_count = count;
    memcpy(g.bounds, bounds, count * sizeof *bounds);
    return chain_genesis_encode(out, buffer, 16384, &g, f);
}

static err decode(bytes in, chain_genesis *g, fault *f)
{
    static chain_allocation a[1];
    static cr_public_key    issuers[1], producers[1];
    *g = (chain_genesis){ .allocations = a, .allocation_count = 1, .issuers = issuers, .issuer_count = 1, .producers = producers,
                          .producer_count = 1 };
    return chain_genesis_decode(g, in, f);
}

static void documents(void **state)
{
    (void)state;
    static const struct {
        chain_bound bounds[2];
        size_t      count;
        uint64_t    tariff;
        err         code;
        const char *named;
    } cases[] = {
        { { { CHAIN_PARAM_TARIFF_MAX, 100, 200 }, { CHAIN_PARAM_TARIFF_MIN, 0, 50 } }, 2, 100, OK, NULL },
        { { { CHAIN_PARAM_SLASH, 500000, 500000 } }, 1, 100, OK, NULL },
        { { { CHAIN_PARAM_SUPPLY_CAP, 40000000000000000, 40000000000000000 } }, 1, 100, ERR_CANONICAL, "genesis bound: supply.cap" },
        { { { CHAIN_PARAM_TARIFF_MIN, 0, 201 } }, 1, 100, ERR_RANGE, "genesis bound: TariffMinBps" },
        { { { CHAIN_PARAM_SLASH, 0, 500000 } }, 1, 100, ERR_RANGE, "genesis bound: slash.share" },
        { { { CHAIN_PARAM_SLASH, 500001, 500000 } }, 1, 100, ERR_RANGE, "genesis bound: slash.share" },
        { { { CHAIN_PARAM_SLASH, 500001, 1000000 } }, 1, 100, ERR_RANGE, "genesis bound: slash.share" },
        { { { CHAIN_PARAM_SLASH, 1, 499999 } }, 1, 100, ERR_RANGE, "genesis bound: slash.share" },
        { { { CHAIN_PARAM_SLASH, 1, 500000 }, { CHAIN_PARAM_SLASH, 1, 500000 } }, 2, 100, ERR_CANONICAL, "genesis.bounds" },
        { { { CHAIN_PARAM_TARIFF_MAX, 50, 200 } }, 1, 150, OK, NULL },
        { { { CHAIN_PARAM_TARIFF_MAX, 100, 199 } }, 1, 100, ERR_RANGE, "genesis bound: TariffMaxBps" },
        { { { CHAIN_PARAM_TARIFF, 50, 200 } }, 1, 49, ERR_RANGE, "genesis bound: tariff.initial" },
        { { { CHAIN_PARAM_TARIFF_MIN, 0, 50 }, { CHAIN_PARAM_TARIFF, 1, 50 } }, 2, 51, ERR_RANGE, "genesis bound: tariff.initial" },
    };
    static uint8_t buffer[16384];
    static chain_genesis g;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        fault f = { 0 };
        bytes out;
        err e = encode(buffer, &out, cases[i].bounds, cases[i].count, cases[i].tariff, &f);
        if (e != cases[i].code || (e != OK && strcmp(f.what, cases[i].named) != 0))
            fail_msg("case %zu: %d %s", i, (int)e, e == OK ? "accepted" : f.what);
        if (e != OK)
            continue;
        assert_int_equal(decode(out, &g, &f), OK);
        assert_int_equal(g.bound_count, cases[i].count);
        for (size_t b = 1; b < g.bound_count; b++)
            assert_true(chain_param_rows[g.bounds[b - 1].param].number < chain_param_rows[g.bounds[b].param].number);
    }
}

/* What was written before there were bounds is told apart; a number that is none, too; and all problems are listed at once. */
static void hostile_documents(void **state)
{
    (void)state;
    static uint8_t buffer[16384];
    static chain_genesis g;
    const chain_bound bound = { CHAIN_PARAM_GOV_FOREIGN_WEIGHT, 1000000, 1000000 };
    fault f = { 0 }, many[8];
    bytes out;
    assert_int_equal(encode(buffer, &out, &bound, 1, 100, &f), OK);
    uint8_t *at = buffer + out.len - 13; /* [451, 1000000, 1000000]: 19 01c3, 1a 000f4240 twice */
    assert_int_equal(at[0], 0x19);
    at[2]++;
    assert_int_equal(decode(out, &g, &f), ERR_NOT_FOUND);
    assert_string_equal(f.what, "genesis.bounds");
    at[2]--;
    assert_int_equal(decode(bytes_of(buffer, out.len - 1), &g, &f), ERR_TRUNCATED);
    assert_int_equal(buffer[1], 0x73); /* text of 19 bytes */
    buffer[20] = '1';
    assert_int_equal(decode(out, &g, &f), ERR_VERSION);
    assert_string_equal(f.what, "genesis.tag");
    buffer[0]--;
    assert_int_equal(decode(out, &g, &f), ERR_VERSION); /* with the eight fields that it had */
    buffer[20] = '2';
    assert_int_equal(decode(out, &g, &f), ERR_FIELD);
    buffer[20] = '3';
    assert_int_equal(decode(out, &g, &f), ERR_MAGIC);
    buffer[20] = '2';
    buffer[0]++;
    assert_int_equal(decode(out, &g, &f), OK);

    g.params.v[CHAIN_PARAM_FEE_MIN] = 1000000001;
    g.params.v[CHAIN_PARAM_GOV_FOREIGN_WEIGHT] = 999999;
    g.producer_count = 0;
    CHECK(chain_name_set(&g.address_prefix, bytes_of_str("FORK")) == OK);
    static const char *const named[] = { "fee.min", "genesis.address_prefix", "genesis.producers", "genesis bound: gov.foreign_weight" };
    assert_int_equal(chain_genesis_problems(&g, many, COUNT_OF(many)), COUNT_OF(named));
    for (size_t i = 0; i < COUNT_OF(named); i++)
        assert_string_equal(many[i].what, named[i]);
    assert_int_equal(chain_genesis_problems(&g, many, 1), COUNT_OF(named));

    /* The tariff that the network starts with is held by the floor, too. */
    assert_int_equal(decode(out, &g, &f), OK);
    g.bounds[0] = (chain_bound){ CHAIN_PARAM_TARIFF_MIN, 50, 200 };
    g.params.v[CHAIN_PARAM_TARIFF_MIN] = 50;
    g.params.v[CHAIN_PARAM_TARIFF] = 49;
    assert_int_equal(chain_genesis_problems(&g, many, COUNT_OF(many)), 1);
    assert_string_equal(many[0].what, "tariff.initial");
    g.params.v[CHAIN_PARAM_TARIFF] = 50;
    assert_int_equal(chain_genesis_problems(&g, many, COUNT_OF(many)), 0);
}

/* --- citizens --- */

static void quarter_weight(chain_genesis *g)
{
    gov_short(g);
    g->params.v[CHAIN_PARAM_GOV_HOME_REGION] = 756;
    g->params.v[CHAIN_PARAM_GOV_FOREIGN_WEIGHT] = 250000;
    g->params.v[CHAIN_PARAM_GOV_IDENTITY_CAP] = 50000000;
}

/* Power above the cap each: a citizen votes with the cap, a foreigner with a quarter of it whether attested or not, and with two accounts
 * of one person no more than with one. */
static void citizens_weigh_more(void **state)
{
    (void)state;
    kit k;
    gov_start(&k, quarter_weight);
    uint64_t cap = param(k.c, CHAIN_PARAM_GOV_IDENTITY_CAP);
    cr_address a = kit_address(4);
    assert_int_equal(chain_voter(k.c, &a)->power_builders, cap);
    attest(&k, 1, 1, 756);
    attest(&k, 2, 2, 40);
    attest(&k, 4, 4, 40);
    attest(&k, 5, 4, 40);
    attest(&k, 6, 6, 756);
    uint64_t number = propose(&k, CHAIN_PROPOSAL_PARAMETERS, &fee);
    gov_until(&k, gov_proposal(&k, number)->vote_start);
    static const struct { unsigned who; uint64_t quarters; } order[] = { { 1, 4 }, { 2, 5 }, { 3, 6 }, { 4, 1 }, { 5, 1 }, { 6, 5 } };
    for (size_t i = 0; i < COUNT_OF(order); i++) {
        assert_int_equal(gov_vote(&k, order[i].who, number, CHAIN_VOTE_YES), OK);
        const chain_row_proposal *p = gov_proposal(&k, number);
        assert_int_equal(order[i].who < BUILDER ? p->cast_operators : p->cast_builders, cap / 4 * order[i].quarters);
        assert_int_equal(order[i].who < BUILDER ? p->yes_operators : p->yes_builders, cap / 4 * order[i].quarters);
    }
    gov_audit(&k);
    kit_stop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_epoch), cmocka_unit_test(nothing_replays),   cmocka_unit_test(every_bound),
        cmocka_unit_test(the_edge),       cmocka_unit_test(tariff_in_force),   cmocka_unit_test(documents),
        cmocka_unit_test(hostile_documents), cmocka_unit_test(citizens_weigh_more),
    };
    CHECK(cr_ed25519_self_test() == OK);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
