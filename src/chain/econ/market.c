/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/econ/econ_int.h"
#include "econ/split.h"

#define SUM_MAX (((uint64_t)1 << 62) - 1)

/* In the order of econ_market. */
static const struct {
    chain_param cost; /* nBLOCK ... */
    uint64_t    unit; /* ... for so many units */
} reference[ECON_MARKETS] = {
    [ECON_STORAGE] = { CHAIN_PARAM_STORAGE_COST, 1024 },    /* MiB kept for an epoch */
    [ECON_COMPUTE] = { CHAIN_PARAM_COMPUTE_COST, 1000000 }, /* 10^6 multiply-adds */
    [ECON_ENERGY] = { CHAIN_PARAM_ENERGY_COST, 1000 },      /* Wh */
    [ECON_AD] = { CHAIN_PARAM_AD_COST, 1000 },              /* impressions */
};

chain_param chain_cost_param(econ_market m)
{
    return reference[m].cost;
}

uint64_t chain_cost_at(econ_market m, uint64_t cost, uint64_t units)
{
    u128 sum = (u128)units * cost / reference[m].unit;
    return sum > SUM_MAX ? SUM_MAX : (uint64_t)sum;
}

uint64_t chain_reference_cost(const chain *c, econ_market m, uint64_t units)
{
    return chain_cost_at(m, param(c, reference[m].cost), units);
}

bool chain_units_fit(const chain *c, econ_market m, uint64_t sum, uint64_t units)
{
    return units <= SUM_MAX - sum && chain_reference_cost(c, m, sum + units) < SUM_MAX;
}

/* --- providers --- */

/* Its meters become those of the running epoch; what stood there becomes the last epoch's, or is forgotten if it is older: each provider
 * is swept once in every epoch, so nothing unpaid is. */
static void roll(chain_row_provider *p, uint64_t epoch)
{
    if (p->epoch == epoch)
        return;
    bool last = p->epoch + 1 == epoch;
    p->last_work = last ? p->work : 0;
    p->last_work_payout = last ? p->work_payout : 0;
    p->last_ready = last ? p->ready : 0;
    p->last_drawn = last ? p->drawn : 0;
    p->last_answered = last ? p->answered : 0;
    p->last_latency = last ? p->latency : 0;
    p->last_proved = last ? p->proved : 0;
    p->last_faults = last ? p->faults : 0;
    p->work = p->work_payout = p->ready = 0;
    p->drawn = p->answered = 0;
    p->latency = p->proved = p->faults = 0;
    p->epoch = epoch;
}

chain_row_provider *chain_provider_edit(chain *c, econ_market m, const cr_address *a)
{
    chain_key key = chain_key_provider((uint8_t)m, a);
    if (!chain_row_get(c, CHAIN_TABLE_PROVIDER, &key))
        return NULL;
    chain_row_provider *p = chain_row_edit(c, CHAIN_TABLE_PROVIDER, &key);
    roll(p, economy(c)->epoch + 1);
    return p;
}

static err list_provider(chain *c, econ_market m, const cr_address *a, fault *f)
{
    chain_row_economy *e = economy_edit(c);
    if (e->providers >= LIMIT_PROVIDERS)
        return fail(f, ERR_LIMIT, "providers", e->providers);
    chain_key key = chain_key_provider((uint8_t)m, a), at = chain_key_height(e->providers);
    *(chain_row_provider *)chain_row_create(c, CHAIN_TABLE_PROVIDER, &key) =
        (chain_row_provider){ .number = e->providers, .epoch = e->epoch + 1 };
    *(chain_row_provider_at *)chain_row_create(c, CHAIN_TABLE_PROVIDER_AT, &at) =
        (chain_row_provider_at){ .market = (uint8_t)m, .provider = *a };
    e->providers++;
    return OK;
}

static uint32_t region_of(const chain *c, const cr_address *a, uint64_t height)
{
    chain_key key = chain_key_address(a);
    const chain_row_identity *id = chain_row_get(c, CHAIN_TABLE_IDENTITY, &key);
    return id && chain_kyc_valid_at(c, a, height) ? id->jurisdiction : 0;
}

/* Changes the bond of a provider in the sums of its market and region. */
static err stake_move(chain *c, econ_market m, uint32_t region, uint64_t from, uint64_t to)
{
    chain_key key = chain_key_region((uint8_t)m, region);
    chain_row_region *r = chain_row_edit_or_create(c, CHAIN_TABLE_REGION, &key);
    chain_row_market *row = market_edit(c, m);
    TRY(checked_sub_u64(&r->stake, r->stake, from));
    TRY(checked_add_u64(&r->stake, r->stake, to));
    TRY(checked_sub_u64(&row->stake, row->stake, from));
    return checked_add_u64(&row->stake, row->stake, to);
}

err chain_provider_look(chain *c, econ_market m, chain_row_provider *p, const cr_address *a, uint64_t height)
{
    uint32_t region = region_of(c, a, height);
    if (region == p->region)
        return OK;
    TRY(stake_move(c, m, p->region, p->stake, 0));
    TRY(stake_move(c, m, region, 0, p->stake));
    p->region = region;
    return OK;
}

err chain_provider_set(chain *c, econ_market m, const cr_address *a, uint64_t stake, bool active, uint64_t height, fault *f)
{
    chain_key key = chain_key_provider((uint8_t)m, a);
    if (!chain_row_get(c, CHAIN_TABLE_PROVIDER, &key)) {
        if (!active)
            return OK;
        TRY(list_provider(c, m, a, f));
    }
    chain_row_provider *p = chain_provider_edit(c, m, a);
    TRY(chain_provider_look(c, m, p, a, height));
    uint64_t counts = active ? stake : 0;
    TRY(stake_move(c, m, p->region, p->stake, counts));
    chain_row_market *row = market_edit(c, m);
    if (active && !p->active) {
        row->providers++;
        row->entries++;
        TRY(checked_add_u64(&row->capacity, row->capacity, p->capacity));
    } else if (!active && p->active) {
        row->providers--;
        row->exits++;
        TRY(checked_sub_u64(&row->capacity, row->capacity, p->capacity));
    }
    p->stake = counts;
    p->active = active;
    return OK;
}

err chain_provider_faulted(chain *c, econ_market m, const cr_address *a, uint64_t stake)
{
    chain_row_provider *p = chain_provider_edit(c, m, a);
    if (!p)
        return OK;
    if (p->active) {
        chain_row_market *row = market_edit(c, m);
        TRY(checked_sub_u64(&row->capacity, row->capacity, p->capacity));
        TRY(stake_move(c, m, p->region, p->stake, stake));
        p->stake = stake;
    }
    /* Its part of the market's dues goes, too: it must not thin out what honest providers get. */
    chain_row_market *sums = market_edit(c, m);
    TRY(checked_sub_u64(&sums->work, sums->work, p->work));
    TRY(checked_sub_u64(&sums->work_payout, sums->work_payout, p->work_payout));
    TRY(checked_sub_u64(&sums->ready, sums->ready, p->ready));
    p->capacity = 0;
    p->faults += p->faults < UINT32_MAX;
    p->work = p->work_payout = p->ready = 0;
    p->last_work = p->last_work_payout = p->last_ready = 0;
    return OK;
}

/* --- work --- */

/* Of what no subsidy depends on: a buyer who is its own worker may move the same BLOCK round and round. */
static uint64_t add_saturated(uint64_t a, uint64_t b)
{
    return a > SUM_MAX || b > SUM_MAX - a ? SUM_MAX : a + b;
}

err chain_market_work(chain *c, const chain_work *w, uint64_t height)
{
    chain_row_market *row = market_edit(c, w->market);
    row->used = add_saturated(row->used, w->units);
    row->payout = add_saturated(row->payout, w->payout);
    /* Sums that subsidies are paid by must be exact: what would overflow them earns none. */
    if (!w->eligible || !chain_units_fit(c, w->market, row->work, w->units) || !chain_kyc_valid_at(c, &w->provider, height))
        return OK;
    chain_row_provider *p = chain_provider_edit(c, w->market, &w->provider);
    if (!p)
        return OK;
    /* What is paid above the reference cost earns no top-up, so the sum of these stays below the reference cost of the market's work. */
    uint64_t cost = chain_reference_cost(c, w->market, w->units), counts = w->payout < cost ? w->payout : cost;
    row->work += w->units;
    row->work_payout += counts;
    p->work += w->units;
    p->work_payout += counts;
    p->proved += p->proved < UINT32_MAX;
    return OK;
}

err chain_ad_pay(chain *c, uint64_t price, const cr_address *viewer, const cr_address *publisher)
{
    const chain_row_economy *e = economy(c);
    uint64_t weight[3] = { (uint64_t)e->ad_platform, (uint64_t)e->ad_user, (uint64_t)(Q32_ONE - e->ad_platform - e->ad_user) }, part[3];
    TRY(econ_split(part, price, weight, 3, NULL));
    TRY(chain_purse_take(c, PURSE_ESCROW, price));
    TRY(chain_treasury_income(c, part[0]));
    TRY(chain_account_credit(c, viewer, part[1]));
    return chain_account_credit(c, publisher, part[2]);
}

/* --- audit --- */

typedef struct totals {
    u128 providers, stake, capacity;
} totals;

static totals regions_of(const chain *c, econ_market m)
{
    totals t = { 0 };
    for (size_t i = 0; i < chain_row_count(c, CHAIN_TABLE_REGION); i++) {
        bytes key;
        const chain_row_region *r = chain_row_at(c, CHAIN_TABLE_REGION, i, &key);
        t.stake += key.data[0] == m ? r->stake : 0;
    }
    return t;
}

static totals providers_of(const chain *c, econ_market m)
{
    totals t = { 0 };
    for (size_t i = 0; i < chain_row_count(c, CHAIN_TABLE_PROVIDER); i++) {
        bytes key;
        const chain_row_provider *p = chain_row_at(c, CHAIN_TABLE_PROVIDER, i, &key);
        if (key.data[0] != m)
            continue;
        t.providers += p->active;
        t.stake += p->stake;
        t.capacity += p->active ? p->capacity : 0;
    }
    return t;
}

err chain_audit_markets(const chain *c, fault *f)
{
    if (economy(c)->providers != chain_row_count(c, CHAIN_TABLE_PROVIDER) || economy(c)->providers != chain_row_count(c, CHAIN_TABLE_PROVIDER_AT))
        return fail(f, ERR_INVARIANT, "list of providers", economy(c)->providers);
    for (unsigned m = 0; m < ECON_MARKETS; m++) {
        const chain_row_market *row = market(c, m);
        totals t = providers_of(c, m);
        if (t.providers != row->providers || t.capacity != row->capacity)
            return fail(f, ERR_INVARIANT, "providers of a market", m);
        if (t.stake != row->stake || regions_of(c, m).stake != row->stake)
            return fail(f, ERR_INVARIANT, "bonds of a market", m);
    }
    return OK;
}
