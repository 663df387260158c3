/* SPDX-License-Identifier: Apache-2.0
 * The end of an epoch, in this order: the laws read the epoch's meters, the mint is divided, the pool is awarded to the markets, the rows of the
 * epoch are written and the meters start again. What is awarded is paid in the blocks of the next epoch (sweep.c). */
#include "chain/econ/econ_int.h"
#include "chain/gov/gov_int.h"
#include "econ/adsplit.h"
#include "econ/baseline.h"
#include "econ/diversity.h"
#include "econ/health.h"
#include "econ/issuance.h"
#include "econ/multiplier.h"
#include "econ/split.h"
#include "econ/subsidy.h"
#include "econ/tariff.h"

#define AMOUNT_MAX ((uint64_t)1 << 62)

enum { REGIONS = 1000 }; /* jurisdictions are three digits */

/* One epoch's end while it is worked out. */
typedef struct closing {
    chain            *c;
    uint64_t          number, height;
    chain_row_economy state;               /* at the beginning, then the next one */
    chain_row_market  market[ECON_MARKETS]; /* likewise */
    chain_row_award   award[ECON_MARKETS];
    chain_row_epoch   epoch;
    uint32_t          produced[ECON_SPLIT_MAX]; /* blocks of each producer (LIMIT_GENESIS_KEYS) */
    uint64_t          pool;                /* to be awarded */
} closing;

static uint32_t p32(const chain *c, chain_param p)
{
    return (uint32_t)param(c, p);
}

/* The four parameters of a market's targets and multiplier stand one behind the other. */
static chain_param of_market(chain_param storage, unsigned step, econ_market m)
{
    return (chain_param)(storage + step * m);
}

/* --- genesis -------------------------------------------------------------------------------------------------------------------------------- */

void chain_economy_genesis(chain *c)
{
    chain_key key = chain_key_one(0);
    chain_row_economy *e = chain_row_create(c, CHAIN_TABLE_ECONOMY, &key);
    *e = (chain_row_economy){ .tx_baseline = econ_count_q32(param(c, CHAIN_PARAM_TX_BASELINE)),
                              .volume_baseline = econ_count_q32(param(c, CHAIN_PARAM_VOLUME_BASELINE)),
                              .producer_baseline = econ_count_q32(param(c, CHAIN_PARAM_PRODUCER_BASELINE)),
                              .annual = param(c, CHAIN_PARAM_ISSUANCE_MAX) * ECON_BLOCK, /* for a genesis that has layer 1 on at once */
                              .tariff = (q32)(param(c, CHAIN_PARAM_TARIFF) << 32) };
    e->tx_high = e->tx_baseline;
    e->volume_high = e->volume_baseline;
    e->producer_high = e->producer_baseline;
    CHECK(q32_from_ratio(&e->ad_platform, (i128)param(c, CHAIN_PARAM_AD_PLATFORM), BPS, ROUND_DOWN) == OK &&
          q32_from_ratio(&e->ad_user, (i128)param(c, CHAIN_PARAM_AD_USER), BPS, ROUND_DOWN) == OK);
    for (unsigned m = 0; m < ECON_MARKETS; m++) {
        key = chain_key_one((uint8_t)m);
        chain_row_market *row = chain_row_create(c, CHAIN_TABLE_MARKET, &key);
        CHECK(q32_from_ratio(&row->share, (i128)param(c, of_market(CHAIN_PARAM_SHARE_STORAGE, 1, m)), PPM, ROUND_DOWN) == OK);
    }
    for (size_t i = 0; i < c->genesis.producer_count; i++) {
        key = chain_key_one((uint8_t)i);
        (void)chain_row_create(c, CHAIN_TABLE_PRODUCER, &key);
    }
}

/* --- what the epoch was ---------------------------------------------------------------------------------------------------------------------- */

static void read_epoch(closing *k)
{
    chain *c = k->c;
    k->state = *economy(c);
    k->number = k->state.epoch + 1;
    for (unsigned m = 0; m < ECON_MARKETS; m++)
        k->market[m] = *market(c, m);
    for (size_t i = 0; i < c->genesis.producer_count; i++) {
        chain_key key = chain_key_one((uint8_t)i);
        const chain_row_producer *row = chain_row_get(c, CHAIN_TABLE_PRODUCER, &key);
        k->produced[i] = (uint32_t)row->blocks;
        k->epoch.producers += row->blocks > 0;
    }
    k->epoch.end_height = k->height;
    k->epoch.txs = k->state.txs;
    k->epoch.volume = k->state.volume;
    k->epoch.open_volume = k->state.open_volume;
    k->epoch.tariff_income = k->state.tariff_income;
    k->epoch.other_income = k->state.other_income;
}

static err diversity_of(const chain *c, econ_market m, q32 *out)
{
    econ_diversity_params p = { .penalty_ppm = p32(c, CHAIN_PARAM_DIVERSITY_PENALTY), .bonus_ppm = p32(c, CHAIN_PARAM_DIVERSITY_BONUS) };
    uint64_t stake[ECON_REGIONS_MAX];
    size_t n = 0;
    for (uint32_t region = 0; region < REGIONS; region++) {
        chain_key key = chain_key_region((uint8_t)m, region);
        const chain_row_region *row = chain_row_get(c, CHAIN_TABLE_REGION, &key);
        if (!row || row->stake == 0)
            continue;
        if (n < ECON_REGIONS_MAX)
            stake[n++] = row->stake;
        else
            stake[n - 1] += row->stake; /* there are fewer states than this: more codes are no diversity */
    }
    return econ_diversity(out, stake, n, &p, NULL);
}

static err measure_market(closing *k, econ_market m)
{
    chain *c = k->c;
    const chain_row_market *row = &k->market[m];
    chain_row_award *a = &k->award[m];
    chain_param util = of_market(CHAIN_PARAM_STORAGE_UTIL_TARGET, 2, m), response = of_market(CHAIN_PARAM_STORAGE_UTIL_RESPONSE, 4, m);
    econ_distress_params d = { .util_target_bps = p32(c, util), .margin_target_bps = p32(c, util + 1), .alpha_milli = p32(c, CHAIN_PARAM_SUBSIDY_ALPHA),
                               .beta_milli = p32(c, CHAIN_PARAM_SUBSIDY_BETA) };
    *a = (chain_row_award){ .used = row->used, .offered = row->capacity, .payout = row->payout, .providers = row->providers,
                            .entries = row->entries, .exits = row->exits, .cost = param(c, chain_cost_param(m)) };
    uint64_t cost = chain_cost_at(m, a->cost, row->used);
    a->utilisation = econ_utilisation(row->used < row->capacity ? row->used : row->capacity, row->capacity);
    a->margin = econ_margin(row->payout, cost);
    TRY(econ_distress(&a->distress, a->utilisation, a->margin, &d, NULL));
    econ_multiplier_in in = { .utilisation = a->utilisation, .cost_nblock = cost, .payout_nblock = row->payout, .util_target_bps = p32(c, util),
                              .margin_target_bps = p32(c, util + 1), .util_response_milli = p32(c, response), .cost_response_milli = p32(c, response + 1),
                              .floor_milli = p32(c, response + 2), .ceiling_milli = p32(c, response + 3) };
    TRY(econ_multiplier(&a->multiplier, &in, NULL));
    return diversity_of(c, m, &a->diversity);
}

/* --- the mint -------------------------------------------------------------------------------------------------------------------------------- */

static err next_baseline(closing *k, int64_t *value, int64_t *high, q32 observed, chain_param min)
{
    const chain *c = k->c;
    econ_baseline_params p = { .up_ppm = p32(c, CHAIN_PARAM_BASELINE_UP), .down_ppm = p32(c, CHAIN_PARAM_BASELINE_DOWN),
                               .floor_ppm = p32(c, CHAIN_PARAM_BASELINE_FLOOR), .high_keep_ppm = p32(c, CHAIN_PARAM_BASELINE_HIGH_KEEP),
                               .min = p32(c, min), .max = p32(c, min + 1) };
    econ_baseline now = { .value = *value, .high = *high }, next;
    TRY(econ_baseline_next(&next, &now, observed, &p, NULL));
    *value = next.value;
    *high = next.high;
    return OK;
}

/* The formula is of what decays: a genesis's allocations count as minted by it (spec/epoch.md section 3). */
static err formula(closing *k, const chain_row_supply *supply)
{
    chain *c = k->c;
    uint64_t decays = param(c, CHAIN_PARAM_SUPPLY_CAP) - param(c, CHAIN_PARAM_TAIL_RESERVE), minted = supply->minted - k->state.minted_tail;
    econ_issuance_in in = { .decay_cap_nblock = decays, .time_constant_blocks = param(c, CHAIN_PARAM_ISSUANCE_TIME),
                            .epoch_blocks = param(c, CHAIN_PARAM_EPOCH), .minted_nblock = minted < decays ? minted : decays,
                            .tx_count = k->state.txs, .volume_nblock = k->state.volume, .miners = k->epoch.producers,
                            .tx_baseline = k->state.tx_baseline, .volume_baseline = k->state.volume_baseline,
                            .miner_baseline = k->state.producer_baseline };
    for (unsigned m = 0; m < ECON_MARKETS; m++)
        in.utilisation[m] = k->award[m].utilisation;
    econ_issuance_out out;
    TRY(econ_issuance(&out, &in, NULL));
    k->epoch.activity = out.activity;
    k->epoch.decentralisation = out.decentralisation;
    k->epoch.decay = out.decay;
    k->epoch.formula = out.mint_nblock;
    return OK;
}

static err envelope_and_tail(closing *k, const chain_row_supply *supply)
{
    chain *c = k->c;
    uint64_t circulating = supply->minted - supply->burned;
    econ_envelope_in in = { .cap_nblock = param(c, CHAIN_PARAM_SUPPLY_CAP), .minted_nblock = supply->minted, .circulating_nblock = circulating,
                            .annual_nblock = k->state.annual, .mint_nblock = k->epoch.formula, .target_bps = p32(c, CHAIN_PARAM_INFLATION_TARGET),
                            .gain_milli = p32(c, CHAIN_PARAM_INFLATION_GAIN), .min_block = param(c, CHAIN_PARAM_ISSUANCE_MIN),
                            .max_block = param(c, CHAIN_PARAM_ISSUANCE_MAX), .on_ppm = p32(c, CHAIN_PARAM_ENVELOPE_ON),
                            .epochs_per_year = param(c, CHAIN_PARAM_YEAR) };
    econ_envelope_out out;
    TRY(econ_envelope(&out, &in, NULL));
    k->state.annual = k->epoch.annual = out.annual_nblock;
    /* A genesis may have allocated a part of the reserve: what is left of the cap is less then. */
    uint64_t reserve = param(c, CHAIN_PARAM_TAIL_RESERVE), room = param(c, CHAIN_PARAM_SUPPLY_CAP) - supply->minted - out.mint_nblock;
    uint64_t gone = reserve > room ? reserve - room : 0;
    econ_tail_in tail = { .circulating_nblock = circulating, .reserve_nblock = reserve,
                          .minted_nblock = k->state.minted_tail > gone ? k->state.minted_tail : gone, .mint_nblock = out.mint_nblock, .tail_ppm = p32(c, CHAIN_PARAM_TAIL_RATE), .epochs_per_year = param(c, CHAIN_PARAM_YEAR) };
    TRY(econ_tail(&k->epoch.tail, &tail, NULL));
    k->state.minted_tail += k->epoch.tail;
    k->epoch.mint = out.mint_nblock + k->epoch.tail;
    return OK;
}

static err pay_producers(closing *k)
{
    chain *c = k->c;
    uint64_t weight[ECON_SPLIT_MAX], part[ECON_SPLIT_MAX];
    for (size_t i = 0; i < c->genesis.producer_count; i++)
        weight[i] = k->produced[i];
    TRY(econ_split(part, k->epoch.to_producers, weight, c->genesis.producer_count, NULL));
    for (size_t i = 0; i < c->genesis.producer_count; i++) {
        chain_key key = chain_key_one((uint8_t)i);
        ((chain_row_producer *)chain_row_edit(c, CHAIN_TABLE_PRODUCER, &key))->blocks = 0;
        if (part[i] == 0)
            continue;
        cr_address a = cr_address_of_key(&c->genesis.producers[i]);
        TRY(chain_account_credit(c, &a, part[i]));
        chain_event_add(c, CHAIN_EVENT_ISSUED, CHAIN_EVENT_NO_TX)->data.issued = (chain_event_issued){ .producer = a, .amount = part[i] };
    }
    return OK;
}

static err mint(closing *k)
{
    chain *c = k->c;
    const chain_row_supply *supply = chain_supply(c);
    TRY(formula(k, supply));
    TRY(envelope_and_tail(k, supply));
    econ_mint_shares shares = { .producer_ppm = p32(c, CHAIN_PARAM_MINT_PRODUCERS), .subsidy_ppm = p32(c, CHAIN_PARAM_MINT_SUBSIDY),
                                .treasury_ppm = p32(c, CHAIN_PARAM_MINT_TREASURY) };
    econ_mint_parts parts;
    TRY(econ_mint_split(&parts, k->epoch.mint, &shares, NULL));
    k->epoch.to_producers = parts.producer_nblock;
    k->epoch.to_subsidy = parts.subsidy_nblock;
    k->epoch.to_treasury = parts.treasury_nblock;
    TRY(chain_supply_mint(c, k->epoch.mint));
    TRY(chain_purse_add(c, PURSE_SUBSIDY, parts.subsidy_nblock));
    TRY(chain_purse_add(c, PURSE_TREASURY, parts.treasury_nblock));
    TRY(pay_producers(k));
    TRY(next_baseline(k, &k->state.tx_baseline, &k->state.tx_high, econ_count_q32(k->state.txs), CHAIN_PARAM_TX_BASELINE_MIN));
    TRY(next_baseline(k, &k->state.volume_baseline, &k->state.volume_high, econ_block_q32(k->state.volume), CHAIN_PARAM_VOLUME_BASELINE_MIN));
    return next_baseline(k, &k->state.producer_baseline, &k->state.producer_high, econ_count_q32(k->epoch.producers), CHAIN_PARAM_PRODUCER_BASELINE_MIN);
}

/* --- subsidies ------------------------------------------------------------------------------------------------------------------------------- */

static err refill_pool(closing *k)
{
    chain *c = k->c;
    /* What the last epoch's award did not pay (no KYC, remainders) goes back to the pool. */
    uint64_t left = chain_supply(c)->awarded, reserve;
    TRY(chain_purse_take(c, PURSE_AWARDED, left));
    TRY(chain_purse_add(c, PURSE_SUBSIDY, left));
    uint64_t treasury = chain_supply(c)->treasury, fees = k->epoch.tariff_income < treasury ? k->epoch.tariff_income : treasury;
    if (mul_div_u64(&reserve, k->state.subsidy_last, param(c, CHAIN_PARAM_RESERVE_EPOCHS), 1, ROUND_DOWN) != OK)
        reserve = UINT64_MAX;
    uint64_t free = treasury - fees > reserve ? treasury - fees - reserve : 0;
    econ_budget_in in = { .mint_nblock = k->epoch.to_subsidy, .fees_nblock = fees, .capture_ppm = p32(c, CHAIN_PARAM_FEE_CAPTURE),
                          .peak_nblock = k->state.subsidy_peak, .floor_bps = p32(c, CHAIN_PARAM_SUBSIDY_FLOOR), .treasury_nblock = free };
    econ_budget_out out;
    TRY(econ_budget(&out, &in, NULL));
    k->state.subsidy_peak = out.peak_nblock;
    k->epoch.from_fees = out.from_fees_nblock;
    k->epoch.from_treasury = out.from_treasury_nblock;
    uint64_t moved = out.from_fees_nblock + out.from_treasury_nblock;
    TRY(chain_purse_take(c, PURSE_TREASURY, moved));
    TRY(chain_purse_add(c, PURSE_SUBSIDY, moved));
    k->pool = chain_supply(c)->subsidy;
    return OK;
}

static err next_health(closing *k, econ_market m, bool share_rose)
{
    chain *c = k->c;
    chain_row_market *row = &k->market[m];
    econ_health_params p = { .distress_ppm = p32(c, CHAIN_PARAM_DISTRESS), .flag_epochs = p32(c, CHAIN_PARAM_DECLINE_AFTER),
                             .clear_epochs = p32(c, CHAIN_PARAM_DECLINE_CLEAR) };
    econ_health now = { .distress_epochs = row->distress_epochs, .recovery_attempts = row->recovery_attempts,
                        .recovery_successes = row->recovery_successes, .declining = row->declining, .declining_epochs = row->declining_epochs };
    econ_health next;
    TRY(econ_health_next(&next, &now, k->award[m].distress, share_rose, &p, NULL));
    if (next.declining != now.declining)
        chain_event_add(c, CHAIN_EVENT_MARKET_DECLINING, CHAIN_EVENT_NO_TX)->data.market_declining =
            (chain_event_market_declining){ .market = (uint8_t)m, .declining = next.declining };
    row->distress_epochs = next.distress_epochs;
    row->recovery_attempts = next.recovery_attempts;
    row->recovery_successes = next.recovery_successes;
    row->declining = next.declining;
    row->declining_epochs = next.declining_epochs;
    return OK;
}

static err next_shares(closing *k)
{
    chain *c = k->c;
    econ_subsidy_in in = { .drift_milli = p32(c, CHAIN_PARAM_SUBSIDY_DRIFT), .freeze_epochs = p32(c, CHAIN_PARAM_DECLINE_FREEZE),
                           .wind_down_ppm = p32(c, CHAIN_PARAM_WIND_DOWN) };
    q32 distress[ECON_MARKETS];
    for (unsigned m = 0; m < ECON_MARKETS; m++) {
        distress[m] = k->award[m].distress;
        in.share[m] = k->market[m].share;
        in.declining[m] = k->market[m].declining;
        in.declining_epochs[m] = k->market[m].declining_epochs;
    }
    econ_subsidy_out out;
    TRY(econ_softmax(in.target, distress, p32(c, CHAIN_PARAM_SUBSIDY_TEMPERATURE), NULL));
    TRY(econ_subsidy_next(&out, &in, NULL));
    for (unsigned m = 0; m < ECON_MARKETS; m++) {
        bool rose = out.share[m] > in.share[m];
        k->market[m].share = out.share[m];
        k->award[m].share = out.share_ppm[m];
        k->award[m].declining = k->market[m].declining;
        TRY(next_health(k, m, rose));
    }
    return OK;
}

/* What a piece of proved work may earn by standing by until its capacity has decayed, as a share of its cost: a geometric series. At most
 * 1 - subsidy.work, by the rules of the parameters. */
static err standing_by_for_ever(const chain *c, q32 *share)
{
    uint64_t ready = param(c, CHAIN_PARAM_SUBSIDY_READY);
    *share = 0;
    return ready == 0 ? OK : q32_from_ratio(share, (i128)ready, PPM - param(c, CHAIN_PARAM_CAPACITY_KEEP), ROUND_UP);
}

/* What would be paid without a budget. Work and the readiness that it proves never earn more than its reference cost in all: a buyer who is
 * its own worker gains nothing by it. */
static err rates_and_due(closing *k, econ_market m)
{
    chain *c = k->c;
    const chain_row_market *row = &k->market[m];
    chain_row_award *a = &k->award[m];
    q32 below = a->multiplier < Q32_ONE ? a->multiplier : Q32_ONE, base, ready, kept_for;
    TRY(q32_from_ratio(&base, (i128)param(c, CHAIN_PARAM_SUBSIDY_WORK), PPM, ROUND_DOWN));
    TRY(q32_mul(&a->work_rate, base, below, ROUND_DOWN));
    TRY(standing_by_for_ever(c, &kept_for));
    q32 above = a->multiplier > Q32_ONE ? a->multiplier - Q32_ONE : 0, room = Q32_ONE - kept_for - a->work_rate;
    if (room < 0) /* by the rounding of the shares */
        room = 0;
    a->topup_rate = above < room ? above : room;
    /* A provider is drawn standby.draws / 1000 times in an epoch. */
    TRY(q32_from_ratio(&ready, (i128)param(c, CHAIN_PARAM_SUBSIDY_READY) * 1000, PPM * param(c, CHAIN_PARAM_STANDBY_DRAWS), ROUND_DOWN));
    TRY(q32_mul(&a->ready_rate, ready, below, ROUND_DOWN));
    return chain_award_due(a, chain_cost_at(m, a->cost, row->work), row->work_payout, chain_cost_at(m, a->cost, row->ready), &a->due);
}

static err award(closing *k)
{
    chain *c = k->c;
    uint64_t weight[ECON_MARKETS + 1], part[ECON_MARKETS + 1];
    weight[ECON_MARKETS] = PPM;
    for (unsigned m = 0; m < ECON_MARKETS; m++) {
        weight[m] = k->award[m].share;
        weight[ECON_MARKETS] -= k->award[m].share;
    }
    TRY(econ_split(part, k->pool, weight, ECON_MARKETS + 1, NULL));
    uint64_t left = k->pool;
    for (unsigned m = 0; m < ECON_MARKETS; m++) {
        chain_row_award *a = &k->award[m];
        TRY(rates_and_due(k, m));
        TRY(q32_scale(&a->budget, part[m], a->diversity, ROUND_DOWN));
        if (a->budget > left)
            a->budget = left;
        a->awarded = a->due < a->budget ? a->due : a->budget;
        left -= a->awarded;
        k->epoch.awarded += a->awarded;
    }
    TRY(chain_purse_take(c, PURSE_SUBSIDY, k->epoch.awarded));
    TRY(chain_purse_add(c, PURSE_AWARDED, k->epoch.awarded));
    k->state.subsidy_last = k->epoch.awarded;
    return OK;
}

/* --- layer 4 --------------------------------------------------------------------------------------------------------------------------------- */

static err next_tariff(closing *k)
{
    const chain *c = k->c;
    uint64_t other = k->epoch.other_income + k->epoch.to_treasury;
    econ_tariff_in in = { .rate_bps = k->state.tariff, .emergency = k->state.tariff_emergency, .volume_nblock = k->epoch.open_volume,
                          .inflow_nblock = other < AMOUNT_MAX ? other : AMOUNT_MAX, .target_bps = p32(c, CHAIN_PARAM_TARIFF_REVENUE_TARGET),
                          .min_bps = p32(c, CHAIN_PARAM_TARIFF_MIN), .max_bps = p32(c, CHAIN_PARAM_TARIFF_MAX),
                          .converge = { .base_milli = p32(c, CHAIN_PARAM_TARIFF_DRIFT), .emergency_milli = p32(c, CHAIN_PARAM_CONVERGE_EMERGENCY),
                                        .enter_bps = p32(c, CHAIN_PARAM_CONVERGE_ENTER), .leave_bps = p32(c, CHAIN_PARAM_CONVERGE_LEAVE) } };
    econ_tariff_out out;
    TRY(econ_tariff_next(&out, &in, NULL));
    k->state.tariff = k->epoch.tariff = out.rate_bps;
    k->state.tariff_emergency = out.emergency;
    k->epoch.tariff_implied = out.implied_bps;
    econ_adsplit now = { .platform = k->state.ad_platform, .user = k->state.ad_user };
    econ_adsplit_params p = { .platform_bps = p32(c, CHAIN_PARAM_AD_PLATFORM_TARGET), .user_bps = p32(c, CHAIN_PARAM_AD_USER_TARGET),
                              .drift_milli = p32(c, CHAIN_PARAM_AD_DRIFT) };
    econ_adsplit_out split;
    TRY(econ_adsplit_next(&split, &now, &p, NULL));
    k->state.ad_platform = k->epoch.ad_platform = split.next.platform;
    k->state.ad_user = k->epoch.ad_user = split.next.user;
    return OK;
}

/* --- the whole ------------------------------------------------------------------------------------------------------------------------------- */

static void write_rows(closing *k)
{
    chain *c = k->c;
    k->state.epoch = k->number;
    k->state.sweep = k->state.providers;
    k->state.txs = k->state.volume = k->state.open_volume = k->state.tariff_income = k->state.other_income = 0;
    *economy_edit(c) = k->state;
    chain_key key = chain_key_height(k->number);
    *(chain_row_epoch *)chain_row_create(c, CHAIN_TABLE_EPOCH, &key) = k->epoch;
    for (unsigned m = 0; m < ECON_MARKETS; m++) {
        chain_row_market *row = &k->market[m];
        row->entries = row->exits = row->used = row->payout = row->work = row->work_payout = row->ready = 0;
        *market_edit(c, m) = *row;
        key = chain_key_award(k->number, (uint8_t)m);
        *(chain_row_award *)chain_row_create(c, CHAIN_TABLE_AWARD, &key) = k->award[m];
    }
    chain_event_add(c, CHAIN_EVENT_EPOCH_ENDED, CHAIN_EVENT_NO_TX)->data.epoch_ended =
        (chain_event_epoch_ended){ .epoch = k->number, .mint = k->epoch.mint, .awarded = k->epoch.awarded };
}

err chain_epoch_end(chain *c, uint64_t height, fault *f)
{
    closing k = { .c = c, .height = height };
    err e;
    read_epoch(&k);
    for (unsigned m = 0; m < ECON_MARKETS; m++)
        TRY_OUT(measure_market(&k, m));
    TRY_OUT(mint(&k));
    TRY_OUT(refill_pool(&k));
    TRY_OUT(next_shares(&k));
    TRY_OUT(award(&k));
    TRY_OUT(next_tariff(&k));
    write_rows(&k);
    return chain_gov_epoch(c, height, f);
out: /* every input is within the domain of its law: this is a defect of ours */
    return fail(f, e == ERR_CAP ? ERR_CAP : ERR_INVARIANT, "epoch", height);
}
