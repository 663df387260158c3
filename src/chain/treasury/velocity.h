/* SPDX-License-Identifier: Apache-2.0
 *
 * How fast the treasury may be spent, and how much of it must stay. Pure: functions of the treasury's row and their arguments.
 * Amounts are nBLOCK, shares ppm of the treasury at the start of the epoch (`base`), rounded down. spec/treasury.md "Velocity",
 * "Reserve". */
#ifndef CHAIN_TREASURY_VELOCITY_H
#define CHAIN_TREASURY_VELOCITY_H

#include "chain/state.h"

enum {
    CHAIN_DAY_EPOCHS = 144,  /* 24 hours of epochs of 120 blocks of 5 s */
    CHAIN_MONTH_BUCKETS = 31 /* a day that runs and 30 whole ones before it */
};

/* Past periods in which something was taken; the value stands in the keys of table OUTFLOW. */
typedef enum chain_outflow_kind { CHAIN_OUTFLOW_EPOCH = 0, CHAIN_OUTFLOW_DAY = 1 } chain_outflow_kind;

/* The parameters treasury.*_max, treasury.large and treasury.cooldown. */
typedef struct chain_velocity_limits {
    uint64_t epoch_ppm, proposal_ppm, day_ppm, month_ppm, large_ppm;
    uint64_t cooldown_epochs;
} chain_velocity_limits;

static inline uint64_t chain_day_of_epoch(uint64_t epoch) /* epochs count from 1, days from 0 */
{
    return (epoch - 1) / CHAIN_DAY_EPOCHS;
}

/* ERR_LIMIT naming the parameter unless `amount` is within the limit of one disbursement. */
err chain_velocity_check_proposal(const chain_row_treasury *t, const chain_velocity_limits *l, uint64_t amount, fault *f) MUST_USE;

/* Whether `amount` may be taken now: ERR_BUSY in a cooldown, ERR_LIMIT naming the parameter whose limit would be passed. */
err chain_velocity_check(const chain_row_treasury *t, const chain_velocity_limits *l, uint64_t amount, fault *f) MUST_USE;

/* Counts what was taken. ERR_OVERFLOW cannot happen to amounts under the supply cap. */
err chain_velocity_take(chain_row_treasury *t, uint64_t amount) MUST_USE;

/* The next epoch begins with `base` in the treasury. `old_epoch` is what epoch t->epoch + 1 - 144 took, `old_day` what the day 31
 * before the next epoch's took, if it begins one: they leave the sums. ERR_INVARIANT if a sum does not hold them. */
err chain_velocity_next(chain_row_treasury *t, const chain_velocity_limits *l, uint64_t base, uint64_t old_epoch, uint64_t old_day,
                        fault *f) MUST_USE;

typedef enum chain_reserve_health { CHAIN_RESERVE_HEALTHY = 0, CHAIN_RESERVE_WARNING = 1, CHAIN_RESERVE_EMERGENCY = 2 } chain_reserve_health;

/* A treasury against `epochs` of subsidies at `rate` each: below the whole a warning, below the emergency's share of it an
 * emergency. Without subsidies it is healthy. epochs < 2^32, emergency_ppm <= 10^6. */
chain_reserve_health chain_reserve_judge(uint64_t treasury, uint64_t rate, uint64_t epochs, uint64_t emergency_ppm);

#endif
