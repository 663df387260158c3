/* SPDX-License-Identifier: Apache-2.0 */
#include "econ/treasury.h"

err econ_window_add(econ_window *next, uint64_t *sum_nblock, const econ_window *now, const econ_window_shape *shape, uint64_t epoch,
                    uint64_t amount_nblock, fault *f)
{
    TRY(econ_within(shape->bucket_epochs, 1, UINT32_MAX, "window.bucket_epochs", f));
    TRY(econ_within(shape->buckets, 1, ECON_WINDOW_BUCKETS - 1, "window.buckets", f));
    const uint64_t bucket = epoch / shape->bucket_epochs, ring = shape->buckets + 1;
    TRY(econ_within(bucket, now->newest, UINT64_MAX, "window.epoch", f));
    econ_window w = *now;
    uint64_t passed = bucket - w.newest;
    if (passed > ring)
        passed = ring;
    for (uint64_t i = 0; i < passed; i++)
        w.paid_nblock[(bucket - i) % ring] = 0;
    w.newest = bucket;
    uint64_t sum = amount_nblock;
    for (size_t i = 0; i < ring; i++)
        if (checked_add_u64(&sum, sum, w.paid_nblock[i]) != OK)
            return fail(f, ERR_OVERFLOW, "window.sum", amount_nblock);
    w.paid_nblock[bucket % ring] += amount_nblock;
    *next = w;
    *sum_nblock = sum;
    return OK;
}

/* paid <= ppm of (balance before the payment + what the window had paid before it) */
static bool within_share(uint64_t paid, uint64_t balance, uint64_t amount, uint32_t ppm)
{
    return (u128)paid * ECON_PPM <= ((u128)balance + paid - amount) * ppm;
}

static err check_limits(const econ_velocity_limits *l, fault *f)
{
    TRY(econ_within(l->proposal_ppm, 0, ECON_PPM, "velocity.proposal_share", f));
    TRY(econ_within(l->epoch_ppm, 0, ECON_PPM, "velocity.epoch_share", f));
    TRY(econ_within(l->day_ppm, 0, ECON_PPM, "velocity.day_share", f));
    TRY(econ_within(l->month_ppm, 0, ECON_PPM, "velocity.month_share", f));
    return econ_within(l->cooldown_ppm, 0, ECON_PPM, "velocity.cooldown_share", f);
}

err econ_velocity_pay(econ_velocity *next, const econ_velocity *now, const econ_velocity_limits *limits, uint64_t balance_nblock,
                      uint64_t amount_nblock, uint64_t epoch, fault *f)
{
    TRY(check_limits(limits, f));
    TRY(econ_within(epoch, now->epoch, UINT64_MAX, "velocity.epoch", f));
    if (amount_nblock > balance_nblock)
        return fail(f, ERR_FUNDS, "velocity.balance", balance_nblock);
    if (epoch > now->epoch && epoch < now->rest_until)
        return fail(f, ERR_STATE, "velocity.cooldown", now->rest_until);
    econ_velocity v = *now;
    if (epoch > now->epoch)
        v.epoch_nblock = 0;
    v.epoch = epoch;
    if (checked_add_u64(&v.epoch_nblock, v.epoch_nblock, amount_nblock) != OK)
        return fail(f, ERR_OVERFLOW, "velocity.amount", amount_nblock);
    uint64_t day = 0, month = 0;
    TRY(econ_window_add(&v.day, &day, &now->day, &limits->day, epoch, amount_nblock, f));
    TRY(econ_window_add(&v.month, &month, &now->month, &limits->month, epoch, amount_nblock, f));
    if (!within_share(amount_nblock, balance_nblock, amount_nblock, limits->proposal_ppm))
        return fail(f, ERR_LIMIT, "velocity.proposal", amount_nblock);
    if (!within_share(v.epoch_nblock, balance_nblock, amount_nblock, limits->epoch_ppm))
        return fail(f, ERR_LIMIT, "velocity.epoch", v.epoch_nblock);
    if (!within_share(day, balance_nblock, amount_nblock, limits->day_ppm))
        return fail(f, ERR_LIMIT, "velocity.day", day);
    if (!within_share(month, balance_nblock, amount_nblock, limits->month_ppm))
        return fail(f, ERR_LIMIT, "velocity.month", month);
    const u128 held = (u128)balance_nblock + v.epoch_nblock - amount_nblock;
    if ((u128)v.epoch_nblock * ECON_PPM >= held * limits->cooldown_ppm)
        if (checked_add_u64(&v.rest_until, epoch, (uint64_t)limits->cooldown_epochs + 1) != OK)
            return fail(f, ERR_OVERFLOW, "velocity.epoch", epoch);
    *next = v;
    return OK;
}

err econ_reserve_check(econ_reserve *health, uint64_t *ratio_ppm, uint64_t balance_nblock, uint64_t epoch_subsidy_nblock,
                       uint64_t reserve_epochs, uint32_t emergency_ppm, fault *f)
{
    TRY(econ_within(emergency_ppm, 0, ECON_PPM, "reserve.emergency", f));
    const u128 required = (u128)epoch_subsidy_nblock * reserve_epochs;
    u128 ratio = UINT64_MAX;
    if (required > 0)
        ratio = (u128)balance_nblock * ECON_PPM / required;
    *ratio_ppm = ratio > UINT64_MAX ? UINT64_MAX : (uint64_t)ratio;
    *health = ratio < emergency_ppm ? ECON_RESERVE_EMERGENCY : ratio < ECON_PPM ? ECON_RESERVE_WARNING : ECON_RESERVE_HEALTHY;
    return OK;
}
