/* SPDX-License-Identifier: Apache-2.0
 * The end of an epoch moves money: mint, pool, awards, tariff; each movement against what the rows say and against the laws by hand. */
#include "chain/econ/market_kit.h"
#include "econ/issuance.h"

static void audit(const kit *k)
{
    fault f = { 0 };
    assert_int_equal(chain_audit(k->c, &f), OK);
}

/* Blocks 1 .. 12 are epoch 1; the mint is divided to the unit and reaches producer, pool and treasury. */
static void an_epoch_mints(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, short_epochs);
    uint64_t minted = chain_supply(k.c)->minted, producer = kit_balance(&k, KIT_PRODUCER);
    kit_advance(&k, EPOCH - 1);
    assert_int_equal(chain_supply(k.c)->minted, minted);
    kit_advance(&k, 1);
    const chain_row_epoch *e = epoch_row(&k, 1);
    assert_int_equal(e->end_height, EPOCH);
    assert_int_equal(e->producers, 1);
    assert_true(e->mint > 0);
    assert_int_equal(chain_supply(k.c)->minted, minted + e->mint);
    assert_int_equal(e->to_producers + e->to_subsidy + e->to_treasury, e->mint);
    assert_int_equal(kit_balance(&k, KIT_PRODUCER), producer + e->to_producers);
    assert_int_equal(chain_supply(k.c)->treasury, e->to_treasury);
    assert_int_equal(chain_supply(k.c)->subsidy + chain_supply(k.c)->awarded, e->to_subsidy);
    /* Activity is at its floor without transactions, one producer of ten is at the floor of 0.5, nearly nothing is minted: 1.8 BLOCK a block. */
    assert_int_equal(e->activity, (int64_t)1 << 31);
    assert_int_equal(e->decentralisation, (int64_t)1 << 31);
    double want = 1.8e9 * (36e15 / 40e15) * EPOCH * 0.25 * ((36e15 - 1e13) / 36e15) * ((36e15 - 1e13) / 36e15);
    double base = (double)e->formula / want;
    assert_true(base > 0.999 && base < 1.12); /* base of the law is of the decaying part or of the cap: spec/economy.md section 5 */
    audit(&k);
    kit_stop(&k);
}

/* Work and readiness are paid for in the next epoch, once, to who has KYC; what nobody may have goes back to the pool. */
static void work_and_readiness_are_paid(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, short_epochs);
    give_kyc(&k, 1, 276);
    give_kyc(&k, 2, 250);
    for (unsigned who = 1; who <= 3; who++) /* 3 has no KYC */
        provider_joins(&k, ECON_STORAGE, who, 1000000);
    finish_epoch(&k);
    uint64_t one = kit_balance(&k, 1), three = kit_balance(&k, 3);
    for (unsigned who = 1; who <= 3; who++)
        provider_works(&k, ECON_STORAGE, who, 1024 * 1000, 500000);
    uint64_t number = chain_economy(k.c)->epoch + 1;
    finish_epoch(&k);
    const chain_row_award *a = award_of(&k, number, ECON_STORAGE);
    assert_int_equal(a->used, 3 * 1024 * 1000);
    assert_int_equal(a->payout, 3 * 500000);
    assert_true(a->awarded > 0 && a->awarded <= a->budget && a->awarded <= a->due);
    assert_int_equal(chain_supply(k.c)->awarded, epoch_row(&k, number)->awarded);
    finish_epoch(&k);
    uint64_t paid = kit_balance(&k, 1) - one;
    assert_true(paid > 0);
    assert_int_equal(provider_row(&k, ECON_STORAGE, 1)->subsidies, paid);
    assert_int_equal(provider_row(&k, ECON_STORAGE, 2)->subsidies, paid);
    assert_int_equal(kit_balance(&k, 3), three);
    assert_true(2 * paid <= a->awarded);
    /* Two worked, one of them did so a second time later: no work, no pay. */
    one = kit_balance(&k, 1);
    finish_epoch(&k);
    assert_int_equal(kit_balance(&k, 1), one);
    audit(&k);

    /* Proved capacity stands by: who answers earns, who does not gets nothing. */
    uint64_t two = kit_balance(&k, 2);
    unsigned answers = 0;
    while (answers == 0) { /* it is drawn once in an epoch on the average */
        do {
            kit_advance(&k, 1);
            if (chain_head(k.c)->height % EPOCH && stand_by(&k, ECON_STORAGE, 1) == OK)
                answers++;
        } while (chain_head(k.c)->height % EPOCH);
    }
    assert_true(award_of(&k, chain_economy(k.c)->epoch, ECON_STORAGE)->due > 0);
    one = kit_balance(&k, 1);
    finish_epoch(&k);
    assert_true(kit_balance(&k, 1) > one);
    assert_int_equal(kit_balance(&k, 2), two);
    audit(&k);
    kit_stop(&k);
}

/* Answers of others, twice, late, of a block that did not draw, and by who is not drawn. */
static void stand_by_refuses(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, short_epochs);
    provider_joins(&k, ECON_ENERGY, 1, 100);
    provider_joins(&k, ECON_ENERGY, 2, 100);
    const chain_row_standby *task;
    uint64_t height;
    do {
        kit_advance(&k, 1);
        height = chain_head(k.c)->height;
        chain_key at = chain_key_one((uint8_t)(height % 256));
        task = chain_row_get(k.c, CHAIN_TABLE_STANDBY, &at);
    } while (!task || task->height != height || task->count == 0 || height % EPOCH > EPOCH / 2 - 3);
    assert_true(task->count == 1);
    unsigned drawn = task->first == provider_row(&k, ECON_ENERGY, 1)->number ? 1 : 2, other = 3 - drawn;
    cr_address a = kit_address(drawn), b = kit_address(other);
    hash256 mine = chain_standby_answer(&task->randomness, ECON_ENERGY, &a), theirs = chain_standby_answer(&task->randomness, ECON_ENERGY, &b);
    const struct {
        unsigned who;
        uint8_t  market;
        uint64_t height;
        hash256  answer;
        err      want;
    } cases[] = {
        { drawn, ECON_ENERGY, height, theirs, ERR_HASH },          { other, ECON_ENERGY, height, theirs, ERR_PERMISSION },
        { drawn, ECON_ENERGY, height + 5, mine, ERR_NOT_FOUND },   { drawn, ECON_AD, height, mine, ERR_NOT_FOUND },
        { 4, ECON_ENERGY, height, mine, ERR_NOT_FOUND },           { drawn, ECON_ENERGY, height, mine, OK },
        { drawn, ECON_ENERGY, height, mine, ERR_DUPLICATE },
    };
    bytes txs[COUNT_OF(cases)];
    uint64_t ahead[8] = { 0 };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        chain_tx tx = kit_tx(&k, cases[i].who, CHAIN_TX_STANDBY_ANSWER, ahead[cases[i].who]++);
        tx.payload.standby_answer = (chain_tx_standby_answer){ .market = cases[i].market, .height = cases[i].height, .answer = cases[i].answer };
        txs[i] = kit_sign(&tx, cases[i].who);
    }
    assert_int_equal(kit_block(&k, txs, COUNT_OF(cases)), OK);
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(k.result.txs[i].code, cases[i].want);
    assert_int_equal(provider_row(&k, ECON_ENERGY, drawn)->answered, 1);
    kit_advance(&k, EPOCH);
    chain_tx late = kit_tx(&k, drawn, CHAIN_TX_STANDBY_ANSWER, 0);
    late.payload.standby_answer = (chain_tx_standby_answer){ .market = ECON_ENERGY, .height = height, .answer = mine };
    assert_int_equal(kit_run(&k, &late, drawn), ERR_EXPIRED);
    kit_stop(&k);
}

/* Everybody is drawn about as often as the parameter says, and every answer falls into the epoch of its draw. */
static void draws_are_even(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, short_epochs);
    for (unsigned who = 0; who < 8; who++)
        provider_joins(&k, ECON_AD, who, 100);
    uint64_t drawn[8] = { 0 }, sum = 0;
    enum { EPOCHS = 60 };
    for (unsigned e = 0; e < EPOCHS; e++) {
        kit_advance(&k, EPOCH - 1);
        for (unsigned who = 0; who < 8; who++)
            if (provider_row(&k, ECON_AD, who)->epoch == chain_economy(k.c)->epoch + 1) /* else not touched in this one yet */
                drawn[who] += provider_row(&k, ECON_AD, who)->drawn;
        kit_advance(&k, 1);
    }
    for (unsigned who = 0; who < 8; who++) {
        assert_true(drawn[who] > EPOCHS / 3 && drawn[who] < 2 * EPOCHS);
        sum += drawn[who];
    }
    assert_int_equal(sum, 8 * EPOCHS);
    kit_stop(&k);
}

/* Layer 4: the tariff in force is charged, its income is captured for subsidies, and it drifts to what the target implies. */
static void tariff_moves(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, short_epochs);
    q32 first = chain_economy(k.c)->tariff;
    assert_int_equal(first, (q32)100 << 32);
    finish_epoch(&k); /* nothing was moved: the law holds */
    assert_int_equal(chain_economy(k.c)->tariff, first);
    uint64_t treasury = chain_supply(k.c)->treasury;
    chain_tx tx = kit_tx(&k, 0, CHAIN_TX_TRANSFER, 0);
    tx.payload.transfer = (chain_tx_transfer){ .to = kit_address(1), .amount = 100000000000 };
    assert_int_equal(kit_run(&k, &tx, 0), OK);
    assert_int_equal(chain_supply(k.c)->treasury, treasury + 1000000000);
    assert_int_equal(chain_economy(k.c)->open_volume, 100000000000);
    finish_epoch(&k);
    const chain_row_epoch *e = epoch_row(&k, 2);
    assert_int_equal(e->tariff_income, 1000000000);
    assert_int_equal(e->from_fees, 800000000);
    /* implied = R other / ((1 - R) volume), in bps */
    double implied = 1e4 * 0.1 * (double)(e->other_income + e->to_treasury) / (0.9 * (double)e->open_volume);
    assert_true((double)e->tariff_implied / 4294967296.0 - implied < 1e-6 && implied - (double)e->tariff_implied / 4294967296.0 < 1e-6);
    double drift = implied < 50 ? 0.2 : 0.05, want = 100 + drift * (implied - 100);
    double got = (double)e->tariff / 4294967296.0;
    assert_true(got - want < 1e-6 && want - got < 1e-6);
    /* A transfer now pays at the new rate, fractions of a basis point included. */
    treasury = chain_supply(k.c)->treasury;
    tx = kit_tx(&k, 0, CHAIN_TX_TRANSFER, 0);
    tx.payload.transfer = (chain_tx_transfer){ .to = kit_address(1), .amount = 100000000000 };
    assert_int_equal(kit_run(&k, &tx, 0), OK);
    u128 due = (u128)100000000000u * (uint64_t)e->tariff / ((u128)10000 << 32);
    assert_int_equal(chain_supply(k.c)->treasury, treasury + (uint64_t)due);
    audit(&k);
    kit_stop(&k);
}

/* Two fixed points of layer 2: a market without work is in distress and gains on one that is busy and well paid. */
static void a_starved_market_is_helped(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, short_epochs);
    for (unsigned m = 0; m < ECON_MARKETS; m++)
        for (unsigned who = 1; who <= 2; who++) {
            if (m == 0)
                give_kyc(&k, who, 276);
            provider_joins(&k, m, who, 1000000);
        }
    uint64_t units[ECON_MARKETS] = { 1024000, 1000000000, 100000, 100000 };
    for (unsigned e = 0; e < 6; e++) { /* all busy, and paid half as much again as the work costs */
        for (unsigned m = 0; m < ECON_MARKETS; m++)
            for (unsigned who = 1; who <= 2; who++)
                provider_works(&k, m, who, units[m], 3 * chain_reference_cost(k.c, m, units[m]) / 2);
        finish_epoch(&k);
    }
    for (unsigned m = 0; m < ECON_MARKETS; m++)
        assert_true(award_of(&k, 6, m)->utilisation == Q32_ONE && award_of(&k, 6, m)->margin > 0);
    for (unsigned starved = 0; starved < ECON_MARKETS; starved++) {
        q32 share = market(k.c, starved)->share;
        uint64_t balance = kit_balance(&k, 1) + kit_balance(&k, 2), ready_paid = 0;
        for (unsigned e = 0; e < 8; e++) {
            for (unsigned m = 0; m < ECON_MARKETS; m++)
                for (unsigned who = 1; m != starved && who <= 2; who++)
                    provider_works(&k, m, who, units[m], 3 * chain_reference_cost(k.c, m, units[m]) / 2);
            do {
                kit_advance(&k, 1);
                for (unsigned who = 1; who <= 2 && chain_head(k.c)->height % EPOCH; who++)
                    (void)stand_by(&k, starved, who);
            } while (chain_head(k.c)->height % EPOCH);
            ready_paid += award_of(&k, chain_economy(k.c)->epoch, starved)->awarded;
        }
        assert_true(market(k.c, starved)->share > share); /* its share rises, */
        assert_true(ready_paid > 0);                      /* its providers are paid for standing by, */
        assert_true(kit_balance(&k, 1) + kit_balance(&k, 2) > balance);
        share = market(k.c, starved)->share;
        for (unsigned e = 0; e < 8; e++) {
            for (unsigned m = 0; m < ECON_MARKETS; m++)
                for (unsigned who = 1; who <= 2; who++)
                    provider_works(&k, m, who, units[m], 3 * chain_reference_cost(k.c, m, units[m]) / 2);
            finish_epoch(&k);
        }
        assert_true(market(k.c, starved)->share < share); /* and when work is back it falls again */
    }
    audit(&k);
    kit_stop(&k);
}

/* A buyer who is its own worker: whatever it pays itself, the subsidy stays below what the work costs by reference. */
static void self_dealing_does_not_pay(void **state)
{
    (void)state;
    static const uint64_t pays[] = { 0, 1, 1000, 500000, 1000000, 2000000, 1000000000000 };
    for (size_t i = 0; i < COUNT_OF(pays); i++) {
        kit k;
        kit_start(&k, short_epochs);
        give_kyc(&k, 1, 276);
        provider_joins(&k, ECON_COMPUTE, 1, 1000000);
        for (unsigned e = 0; e < 4; e++) {
            provider_works(&k, ECON_COMPUTE, 1, 1000000, pays[i]);
            finish_epoch(&k);
        }
        uint64_t cost = 4 * chain_reference_cost(k.c, ECON_COMPUTE, 1000000);
        finish_epoch(&k);
        finish_epoch(&k);
        uint64_t got = provider_row(&k, ECON_COMPUTE, 1)->subsidies;
        assert_true(got > 0 && got <= cost);
        audit(&k);
        kit_stop(&k);
    }
}

/* Lasting distress is flagged and wound down; a temporary one is not. */
static void decline_is_flagged(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, short_epochs);
    /* No market works: all are in distress; the shares do not move much, but all are flagged after 144 epochs and none before. */
    for (unsigned e = 0; e < 143; e++)
        finish_epoch(&k);
    for (unsigned m = 0; m < ECON_MARKETS; m++)
        assert_int_equal(market(k.c, m)->declining, 0);
    finish_epoch(&k);
    for (unsigned m = 0; m < ECON_MARKETS; m++)
        assert_int_equal(market(k.c, m)->declining, 1);
    kit_stop(&k);
}

/* Units and payouts that would overflow every sum are refused a subsidy, and stop nothing. */
static void absurd_work_stops_nothing(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, short_epochs);
    give_kyc(&k, 1, 276);
    provider_joins(&k, ECON_COMPUTE, 1, UINT64_MAX / 4);
    for (unsigned i = 0; i < 5; i++)
        provider_works(&k, ECON_COMPUTE, 1, UINT64_MAX, UINT64_MAX);
    for (unsigned i = 0; i < 5; i++)
        provider_works(&k, ECON_COMPUTE, 1, (uint64_t)1 << 61, (uint64_t)1 << 61);
    finish_epoch(&k);
    finish_epoch(&k);
    audit(&k);
    assert_true(provider_row(&k, ECON_COMPUTE, 1)->subsidies <= epoch_row(&k, 1)->awarded);
    kit_stop(&k);
}

/* A genesis that allocates the whole cap mints nothing, and its chain goes on. */
static void all_allocated(chain_genesis *g)
{
    short_epochs(g);
    g->allocations[0].amount = 40000000000000000u - (g->allocation_count - 1) * KIT_BALANCE;
}

static void the_cap_holds(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, all_allocated);
    for (unsigned e = 0; e < 3; e++)
        finish_epoch(&k);
    assert_int_equal(chain_supply(k.c)->minted, 40000000000000000u);
    assert_int_equal(epoch_row(&k, 3)->mint, 0);
    audit(&k);
    kit_stop(&k);
}

/* A slash voids what was not paid yet, and the proved capacity. */
static void a_fault_voids(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, short_epochs);
    give_kyc(&k, 1, 276);
    provider_joins(&k, ECON_COMPUTE, 1, 1000000);
    provider_works(&k, ECON_COMPUTE, 1, 1000000, 1000000);
    finish_epoch(&k);
    finish_epoch(&k);
    assert_true(provider_row(&k, ECON_COMPUTE, 1)->capacity > 0 && provider_row(&k, ECON_COMPUTE, 1)->subsidies > 0);
    provider_works(&k, ECON_COMPUTE, 1, 1000000, 1000000);
    uint64_t paid = provider_row(&k, ECON_COMPUTE, 1)->subsidies;
    finish_epoch(&k);
    cr_address a = kit_address(1);
    assert_int_equal(chain_reserve(k.c, 8, 8192), OK);
    assert_int_equal(chain_provider_faulted(k.c, ECON_COMPUTE, &a, 500000), OK);
    market_step_end(&k);
    finish_epoch(&k);
    assert_int_equal(provider_row(&k, ECON_COMPUTE, 1)->subsidies, paid);
    assert_int_equal(provider_row(&k, ECON_COMPUTE, 1)->capacity, 0);
    assert_int_equal(market(k.c, ECON_COMPUTE)->stake, 500000);
    audit(&k);
    kit_stop(&k);
}

/* --- the mint to the unit, and near its end --- */

static void send(kit *k, unsigned from, unsigned to, uint64_t amount)
{
    chain_tx tx = kit_tx(k, from, CHAIN_TX_TRANSFER, 0);
    tx.payload.transfer = (chain_tx_transfer){ .to = kit_address(to), .amount = amount };
    assert_int_equal(kit_run(k, &tx, from), OK);
}

static void small_baselines(chain_genesis *g)
{
    short_epochs(g);
    g->params.v[CHAIN_PARAM_TX_BASELINE] = 10;
    g->params.v[CHAIN_PARAM_VOLUME_BASELINE] = 100;
    g->params.v[CHAIN_PARAM_TX_BASELINE_MIN] = g->params.v[CHAIN_PARAM_VOLUME_BASELINE_MIN] = 1;
}

/* What the formula is asked, by hand: three transfers, their volume, one producer, markets used for a half and not at all. */
static void the_mint_is_the_formula(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, small_baselines);
    give_kyc(&k, 1, 276);
    provider_joins(&k, ECON_STORAGE, 1, 1000000);
    provider_works(&k, ECON_STORAGE, 1, 2048, 500000);
    finish_epoch(&k);
    finish_epoch(&k);
    assert_int_equal(provider_row(&k, ECON_STORAGE, 1)->capacity, 2048);
    const chain_row_economy *now = chain_economy(k.c);
    econ_issuance_in in = { .decay_cap_nblock = 36000000000000000, .time_constant_blocks = 20000000, .epoch_blocks = EPOCH, .tx_count = 3,
                            .volume_nblock = 240000000000, .miners = 1, .tx_baseline = now->tx_baseline, .volume_baseline = now->volume_baseline,
                            .miner_baseline = now->producer_baseline, .minted_nblock = chain_supply(k.c)->minted - now->minted_tail };
    for (unsigned i = 1; i <= 3; i++)
        send(&k, 0, 1, i * 40000000000);
    provider_works(&k, ECON_STORAGE, 1, 1024, 500000);
    finish_epoch(&k);
    in.utilisation[ECON_STORAGE] = award_of(&k, 3, ECON_STORAGE)->utilisation;
    assert_in_range(in.utilisation[ECON_STORAGE], Q32_ONE / 2, Q32_ONE / 2 + Q32_ONE / 50); /* the capacity has decayed a little */
    econ_issuance_out out;
    assert_int_equal(econ_issuance(&out, &in, NULL), OK);
    assert_in_range(out.activity, Q32_ONE / 2 + 1, 2 * Q32_ONE - 1); /* no clamp hides an input */
    const chain_row_epoch *e = epoch_row(&k, 3);
    assert_int_equal(e->formula, out.mint_nblock);
    assert_int_equal(e->mint, e->formula + e->tail);
    assert_int_equal(e->tail, 0);
    kit_stop(&k);
}

static void nearly_all_allocated(chain_genesis *g)
{
    short_epochs(g);
    g->allocations[0].amount = 39600000000000000u - (g->allocation_count - 1) * KIT_BALANCE;
}

/* 99 % of the cap are out: only the tail is minted. When tariffs fall away the treasury keeps the pool at a tenth of its best epoch, as long as
 * it has something, and the cap holds. */
static void a_dip_near_the_end(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, nearly_all_allocated);
    send(&k, 0, 1, 1000000000000000);
    assert_int_equal(chain_supply(k.c)->treasury, 10000000000000);
    finish_epoch(&k);
    const chain_row_epoch *e = epoch_row(&k, 1);
    uint64_t peak = e->to_subsidy + 8000000000000, kept = 0;
    assert_int_equal(e->formula, 0);
    assert_int_equal(e->mint, (uint64_t)39600000000000000 / 200 / 52560);
    assert_int_equal(e->from_fees, 8000000000000);
    assert_int_equal(e->from_treasury, 0);
    for (uint64_t n = 2; n <= 6; n++) {
        uint64_t treasury = chain_supply(k.c)->treasury, pool = chain_supply(k.c)->subsidy;
        finish_epoch(&k);
        e = epoch_row(&k, n);
        uint64_t wanted = peak / 10 - e->to_subsidy, free = treasury + e->to_treasury;
        assert_int_equal(e->from_fees, 0);
        assert_int_equal(e->from_treasury, wanted < free ? wanted : free);
        assert_int_equal(chain_supply(k.c)->subsidy, pool + e->to_subsidy + e->from_treasury);
        assert_int_equal(chain_supply(k.c)->treasury, free - e->from_treasury);
        assert_true(chain_supply(k.c)->minted <= 40000000000000000);
        kept += e->from_treasury == wanted;
    }
    assert_in_range(kept, 2, 3); /* then it is empty: no floor without funds */
    audit(&k);
    kit_stop(&k);
}

/* --- regions, and who is paid without a subsidy --- */

/* The budget of a market is its part of the pool times the factor of where its bonds are; who has no attestation is of one region together. */
static void regions_weigh_on_the_budget(void **state)
{
    (void)state;
    static const struct {
        uint32_t region[3]; /* 0: no KYC */
        uint64_t bond[3];
        int64_t  want; /* q32 */
    } cases[] = {
        { { 276, 250, 276 }, { 1000, 1000, 0 }, Q32_ONE },
        { { 276, 250, 276 }, { 2000, 1000, 1000 }, 3 * Q32_ONE / 4 },
        { { 276, 276, 276 }, { 1000, 1000, 1000 }, Q32_ONE / 2 },
        { { 0, 0, 0 }, { 1000, 1000, 1000 }, Q32_ONE / 2 },
        { { 0, 276, 0 }, { 500, 1000, 500 }, Q32_ONE },
        { { 276, 250, 756 }, { 1000, 1000, 1000 }, 4366550084 }, /* 1 + (1/2 - 1/3) / 10 */
    };
    uint64_t part = 0;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        kit k;
        kit_start(&k, short_epochs);
        for (unsigned who = 0; who < 3; who++)
            if (cases[i].region[who])
                give_kyc(&k, who, cases[i].region[who]);
        while (chain_head(k.c)->height < 5)
            kit_advance(&k, 1);
        for (unsigned who = 0; who < 3; who++)
            if (cases[i].bond[who])
                provider_joins(&k, ECON_STORAGE, who, cases[i].bond[who]);
        finish_epoch(&k);
        const chain_row_award *a = award_of(&k, 1, ECON_STORAGE);
        assert_in_range(a->diversity, cases[i].want - 1, cases[i].want);
        part = i ? part : a->budget;
        u128 budget = (u128)part * (uint64_t)a->diversity >> 32;
        /* The transactions of the attestations differ, and so may the mint, by less than one part in a thousand. */
        assert_in_range(a->budget, (uint64_t)(budget - budget / 1000), (uint64_t)(budget + budget / 1000));
        kit_stop(&k);
    }
}

/* Two workers prove the same lease of one job; both are paid its price, and only the one with KYC gets a subsidy. */
static void paid_without_kyc_and_not_subsidised(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, short_epochs);
    give_kyc(&k, 2, 276);
    hash256 job = kit_post_job_at(&k, 2, 0, CHAIN_LEVEL_FULL);
    chain_receipt r[2];
    uint64_t before[3] = { 0 };
    for (unsigned who = 1; who <= 2; who++) {
        kit_add_worker(&k, who, &job);
        chain_lease l = kit_lease(&k, &job, who, who, who == 1 ? 0 : 8, who == 1 ? 8 : 16);
        l.level_min = CHAIN_LEVEL_FULL;
        chain_attestation a = kit_attestation(&l);
        a.level = CHAIN_LEVEL_FULL;
        a.proof = (hash256){ { (uint8_t)who } };
        r[who - 1] = kit_receipt(&l, &a, who);
        before[who] = kit_balance(&k, who);
    }
    assert_int_equal(kit_pay(&k, KIT_COORDINATOR, &job, r, 2), OK);
    for (unsigned who = 1; who <= 2; who++) {
        assert_int_equal(kit_balance(&k, who), before[who] + 2000 - 20); /* the buyer has no KYC: both bear the tariff */
        before[who] = kit_balance(&k, who);
    }
    finish_epoch(&k);
    finish_epoch(&k);
    uint64_t subsidy = provider_row(&k, ECON_COMPUTE, 2)->subsidies;
    assert_true(subsidy > 0);
    assert_int_equal(kit_balance(&k, 2), before[2] + subsidy);
    assert_int_equal(provider_row(&k, ECON_COMPUTE, 1)->subsidies, 0);
    assert_int_equal(kit_balance(&k, 1), before[1]);
    audit(&k);
    kit_stop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_epoch_mints),       cmocka_unit_test(work_and_readiness_are_paid), cmocka_unit_test(stand_by_refuses),
        cmocka_unit_test(draws_are_even),       cmocka_unit_test(tariff_moves),                cmocka_unit_test(a_starved_market_is_helped),
        cmocka_unit_test(self_dealing_does_not_pay), cmocka_unit_test(decline_is_flagged),     cmocka_unit_test(absurd_work_stops_nothing),
        cmocka_unit_test(the_cap_holds),        cmocka_unit_test(a_fault_voids),
        cmocka_unit_test(the_mint_is_the_formula),   cmocka_unit_test(a_dip_near_the_end),
        cmocka_unit_test(regions_weigh_on_the_budget), cmocka_unit_test(paid_without_kyc_and_not_subsidised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
