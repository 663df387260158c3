/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/treasury/velocity.h"

enum { WHOLE_PPM = 1000000 };

/* Whether `sum` is at most floor(base x ppm / 10^6): exact, as sum is whole. */
static bool within(u128 sum, uint64_t base, uint64_t ppm)
{
    return sum * WHOLE_PPM <= (u128)base * ppm;
}

err chain_velocity_check_proposal(const chain_row_treasury *t, const chain_velocity_limits *l, uint64_t amount, fault *f)
{
    return within(amount, t->base, l->proposal_ppm) ? OK : fail(f, ERR_LIMIT, "treasury.proposal_max", amount);
}

err chain_velocity_check(const chain_row_treasury *t, const chain_velocity_limits *l, uint64_t amount, fault *f)
{
    if (t->epoch <= t->cooldown_epoch)
        return fail(f, ERR_BUSY, "treasury.cooldown", t->cooldown_epoch);
    TRY(chain_velocity_check_proposal(t, l, amount, f));
    if (!within((u128)t->epoch_out + amount, t->base, l->epoch_ppm))
        return fail(f, ERR_LIMIT, "treasury.epoch_max", amount);
    if (!within((u128)t->day_out + amount, t->base, l->day_ppm))
        return fail(f, ERR_LIMIT, "treasury.day_max", amount);
    if (!within((u128)t->month_out + amount, t->base, l->month_ppm))
        return fail(f, ERR_LIMIT, "treasury.month_max", amount);
    return OK;
}

err chain_velocity_take(chain_row_treasury *t, uint64_t amount)
{
    uint64_t epoch, day, month;
    TRY(checked_add_u64(&epoch, t->epoch_out, amount));
    TRY(checked_add_u64(&day, t->day_out, amount));
    TRY(checked_add_u64(&month, t->month_out, amount));
    t->epoch_out = epoch;
    t->day_out = day;
    t->month_out = month;
    return OK;
}

err chain_velocity_next(chain_row_treasury *t, const chain_velocity_limits *l, uint64_t base, uint64_t old_epoch, uint64_t old_day,
                        fault *f)
{
    if (t->day_out < old_epoch)
        return fail(f, ERR_INVARIANT, "treasury.day_out", old_epoch);
    if (t->month_out < old_day)
        return fail(f, ERR_INVARIANT, "treasury.month_out", old_day);
    if (t->epoch_out && (u128)t->epoch_out * WHOLE_PPM >= (u128)t->base * l->large_ppm)
        t->cooldown_epoch = t->epoch + l->cooldown_epochs;
    t->day_out -= old_epoch;
    t->month_out -= old_day;
    t->epoch_out = 0;
    t->base = base;
    t->epoch++;
    return OK;
}

chain_reserve_health chain_reserve_judge(uint64_t treasury, uint64_t rate, uint64_t epochs, uint64_t emergency_ppm)
{
    u128 reserve = (u128)rate * epochs; /* below 2^96: times 10^6 it still fits */
    if ((u128)treasury * WHOLE_PPM < reserve * emergency_ppm)
        return CHAIN_RESERVE_EMERGENCY;
    return treasury < reserve ? CHAIN_RESERVE_WARNING : CHAIN_RESERVE_HEALTHY;
}
