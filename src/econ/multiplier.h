/* SPDX-License-Identifier: Apache-2.0
 *
 * Layer 3 (economics.md 1.6, D8, D9, D12; spec/economy.md section 9): M = clamp(mU x mc, floor, ceiling) with
 *
 *   mU = 1 + kU (U* - U)
 *   mc = 1 + kc (clamp(cost (1 + m*) / payout, 0.1, 10) - 1), or 1 if the payout is 0
 *
 * A factor below 0 counts as 0: otherwise plenty of use and of margin at once, both factors negative, would multiply to a rise. */
#ifndef ECON_MULTIPLIER_H
#define ECON_MULTIPLIER_H

#include "econ/unit.h"

typedef struct econ_multiplier_in {
    q32      utilisation;                     /* [0, 1] */
    uint64_t cost_nblock, payout_nblock;      /* for the same work; at most 2^62 */
    uint32_t util_target_bps, margin_target_bps; /* at most 10,000 */
    uint32_t util_response_milli;             /* 2000; at most 10,000 */
    uint32_t cost_response_milli;             /* 1000; at most 10,000 */
    uint32_t floor_milli, ceiling_milli;      /* 800 and 3000; floor <= ceiling <= 100,000 */
} econ_multiplier_in;

/* Less than 2^-21 from the exact value of the same inputs (2^-27 at the default responses). */
err econ_multiplier(q32 *multiplier, const econ_multiplier_in *in, fault *f) MUST_USE;

/* Pro rata: all of `due` if the sum of all that is due fits the budget, else floor(due x budget / sum). What is paid never exceeds the
 * budget; the remainder stays in the pool. ERR_RANGE "topup.due": due > sum. */
err econ_topup_paid(uint64_t *paid_nblock, uint64_t due_nblock, uint64_t due_sum_nblock, uint64_t budget_nblock, fault *f) MUST_USE;

#endif
