/* SPDX-License-Identifier: Apache-2.0
 *
 * Limits of the treasury (seed Rec. 4.1, 4.2; economics.md D32, D33; DESIGN 6; spec/economy.md section 16). Every share is of what the
 * treasury would hold had the window paid nothing: balance + paid in the window. The rolling caps exist because 10 % of every epoch would
 * let 97.7 % leave in six hours. */
#ifndef ECON_TREASURY_H
#define ECON_TREASURY_H

#include "econ/unit.h"

enum { ECON_WINDOW_BUCKETS = 31 };

/* A rolling sum over `buckets` x `bucket_epochs` epochs: 24 x 6 for a day, 30 x 144 for 30 days. The present bucket counts beside the full
 * window, so the sum never covers less than the window, and less than one bucket more. */
typedef struct econ_window_shape {
    uint32_t bucket_epochs; /* at least 1 */
    uint32_t buckets;       /* 1 .. ECON_WINDOW_BUCKETS - 1 */
} econ_window_shape;

typedef struct econ_window {
    uint64_t newest;                        /* number of the present bucket: epoch / bucket_epochs; 0 at genesis */
    uint64_t paid_nblock[ECON_WINDOW_BUCKETS]; /* of bucket b at b mod (buckets + 1); entries past that stay 0 */
} econ_window;

/* Moves the window to `epoch` (ERR_RANGE "window.epoch" if that lies before it), adds the amount, gives the new sum. ERR_OVERFLOW "window.sum". */
err econ_window_add(econ_window *next, uint64_t *sum_nblock, const econ_window *now, const econ_window_shape *shape, uint64_t epoch,
                    uint64_t amount_nblock, fault *f) MUST_USE;

typedef struct econ_velocity_limits {
    uint32_t proposal_ppm, epoch_ppm, day_ppm, month_ppm; /* 50,000, 100,000, 200,000, 400,000; at most 1,000,000 */
    uint32_t cooldown_ppm;    /* paid in one epoch, from which on the treasury rests: 50,000 */
    uint32_t cooldown_epochs; /* that it rests after that epoch: 4 */
    econ_window_shape day, month;
} econ_velocity_limits;

typedef struct econ_velocity {
    uint64_t    epoch;        /* of the last payment */
    uint64_t    epoch_nblock; /* paid in it */
    uint64_t    rest_until;   /* first epoch that may pay again, for epochs after `epoch` */
    econ_window day, month;
} econ_velocity;

/* May `amount` leave a balance of `balance` in `epoch`? If so *next is the state with it. Refusals, in this order: ERR_RANGE "velocity.epoch",
 * ERR_FUNDS "velocity.balance", ERR_STATE "velocity.cooldown", ERR_LIMIT "velocity.proposal", ".epoch", ".day", ".month". */
err econ_velocity_pay(econ_velocity *next, const econ_velocity *now, const econ_velocity_limits *limits, uint64_t balance_nblock,
                      uint64_t amount_nblock, uint64_t epoch, fault *f) MUST_USE;

typedef enum econ_reserve {
    ECON_RESERVE_HEALTHY,
    ECON_RESERVE_WARNING,   /* below the required reserve */
    ECON_RESERVE_EMERGENCY, /* below emergency_ppm of it: the non-essential halts */
} econ_reserve;

/* required = rate x reserve_epochs (144); *ratio_ppm = floor(balance x 1,000,000 / required), saturated. A rate of 0 requires nothing and is
 * healthy (D33). emergency_ppm: 250,000; at most 1,000,000. */
err econ_reserve_check(econ_reserve *health, uint64_t *ratio_ppm, uint64_t balance_nblock, uint64_t epoch_subsidy_nblock,
                       uint64_t reserve_epochs, uint32_t emergency_ppm, fault *f) MUST_USE;

#endif
