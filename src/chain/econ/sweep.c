/* SPDX-License-Identifier: Apache-2.0
 * In the blocks of an epoch each provider is visited once, in the order of the list: it gets its subsidy of the last epoch, its service
 * is recorded for its badge, and its proved capacity is renewed. So the end of an epoch costs the same with ten providers as with ten thousand. */
#include "chain/econ/econ_int.h"
#include "chain/ident/ident.h"
#include "econ/multiplier.h"

/* Capacities of all providers that a list has room for add up without overflow. */
#define CAPACITY_MAX (((uint64_t)1 << 62) / LIMIT_PROVIDERS)

static size_t share(uint64_t n, uint64_t length)
{
    return (size_t)((n + length - 1) / length);
}

size_t chain_sweep_block_max(const chain *c)
{
    const chain_row_economy *e = economy(c);
    if (!e) /* the genesis is made, or rows are loaded: no block yet */
        return 0;
    uint64_t length = param(c, CHAIN_PARAM_EPOCH), n = e->providers;
    uint64_t draws = (uint64_t)((u128)n * param(c, CHAIN_PARAM_STANDBY_DRAWS) / 1000) + 1;
    size_t drawn = share(draws, length - length / 2) + 1; /* the draws fall into what the window leaves: at least half */
    return share(n, length) + (drawn < n ? drawn : (size_t)n);
}

/* Floors: the sum over all providers is at most that of the market's meters, the award's due. */
err chain_award_due(const chain_row_award *w, uint64_t work_cost, uint64_t work_payout, uint64_t ready_cost, uint64_t *due)
{
    uint64_t part[3], sum;
    TRY(q32_scale(&part[0], work_cost, w->work_rate, ROUND_DOWN));
    TRY(q32_scale(&part[1], work_payout, w->topup_rate, ROUND_DOWN));
    TRY(q32_scale(&part[2], ready_cost, w->ready_rate, ROUND_DOWN));
    TRY(checked_add_u64(&sum, part[0], part[1]));
    return checked_add_u64(due, sum, part[2]);
}

static err pay(chain *c, const cr_address *a, econ_market m, chain_row_provider *p, uint64_t epoch, uint64_t height)
{
    uint64_t due, amount;
    chain_key key = chain_key_award(epoch, (uint8_t)m);
    const chain_row_award *award = chain_row_get(c, CHAIN_TABLE_AWARD, &key);
    if (!award || award->awarded == 0 || !chain_kyc_valid_at(c, a, height))
        return OK;
    TRY(chain_award_due(award, chain_cost_at(m, award->cost, p->last_work), p->last_work_payout, chain_cost_at(m, award->cost, p->last_ready), &due));
    TRY(econ_topup_paid(&amount, due, award->due, award->budget, NULL));
    if (amount == 0)
        return OK;
    TRY(chain_purse_take(c, PURSE_AWARDED, amount));
    TRY(chain_account_credit(c, a, amount));
    TRY(checked_add_u64(&p->subsidies, p->subsidies, amount));
    chain_event_add(c, CHAIN_EVENT_SUBSIDY_PAID, CHAIN_EVENT_NO_TX)->data.subsidy_paid =
        (chain_event_subsidy_paid){ .provider = *a, .market = (uint8_t)m, .epoch = epoch, .amount = amount };
    return OK;
}

/* Proved capacity is the work of the best epoch, decaying: who never works again soon earns nothing by standing by. */
static err renew_capacity(chain *c, econ_market m, chain_row_provider *p)
{
    uint64_t kept;
    TRY(mul_div_u64(&kept, p->capacity, param(c, CHAIN_PARAM_CAPACITY_KEEP), PPM, ROUND_DOWN));
    uint64_t next = p->last_work > kept ? p->last_work : kept;
    if (next > CAPACITY_MAX)
        next = CAPACITY_MAX;
    if (p->active) {
        chain_row_market *row = market_edit(c, m);
        TRY(checked_sub_u64(&row->capacity, row->capacity, p->capacity));
        TRY(checked_add_u64(&row->capacity, row->capacity, next));
    }
    p->capacity = next;
    return OK;
}

/* What the epoch showed of the provider. Its slowest answer stands for the 95th percentile: of fewer than twenty they are the same. */
static err record_service(chain *c, const cr_address *a, econ_market m, const chain_row_provider *p, uint64_t epoch)
{
    /* A task that was drawn while the provider had left may be answered when it is back. */
    const uint32_t missed = p->last_drawn > p->last_answered ? p->last_drawn - p->last_answered : 0;
    chain_service_epoch s = { .epoch = epoch, .answered = p->last_answered, .missed = missed,
                              .latency_p95_blocks = p->last_latency, .proofs_ok = p->last_proved, .proofs_failed = p->last_faults };
    return chain_badge_record(c, m, a, &s, NULL);
}

static err visit(chain *c, uint64_t number, uint64_t epoch, uint64_t height)
{
    chain_key at = chain_key_height(number);
    const chain_row_provider_at *who = chain_row_get(c, CHAIN_TABLE_PROVIDER_AT, &at);
    CHECK(who);
    chain_row_provider *p = chain_provider_edit(c, who->market, &who->provider);
    TRY(pay(c, &who->provider, who->market, p, epoch, height));
    TRY(renew_capacity(c, who->market, p));
    TRY(record_service(c, &who->provider, who->market, p, epoch));
    p->last_work = p->last_work_payout = p->last_ready = 0;
    return chain_provider_look(c, who->market, p, &who->provider, height);
}

err chain_sweep(chain *c, uint64_t height)
{
    const chain_row_economy *e = economy(c);
    uint64_t length = param(c, CHAIN_PARAM_EPOCH), block = (height - 1) % length, n = e->sweep, epoch = e->epoch;
    uint64_t first = (uint64_t)((u128)n * block / length), end = (uint64_t)((u128)n * (block + 1) / length);
    for (uint64_t i = first; i < end; i++)
        TRY(visit(c, i, epoch, height));
    return OK;
}
