/* SPDX-License-Identifier: Apache-2.0
 *
 * Layer 2 (spec/economy.md section 6; seed 1.2, Rec. 9.4; economics.md 1.5, D12, D17, D20): how the subsidy pool of an epoch is divided
 * among the markets, and how large it is.
 *
 *   distress   s = alpha (U* - U) + beta (m* - m)
 *   target     softmax(s / temperature)
 *   share      drifts to the target; a market in structural decline (econ/health.h) never rises, and is wound down after a while;
 *              what it gives up goes to the others in proportion */
#ifndef ECON_SUBSIDY_H
#define ECON_SUBSIDY_H

#include "econ/unit.h"

typedef struct econ_distress_params {
    uint32_t util_target_bps, margin_target_bps; /* at most 10,000 */
    uint32_t alpha_milli, beta_milli;            /* 600 and 400; at most 1000 */
} econ_distress_params;

/* utilisation in [0, 1] (econ_utilisation), margin in [-1, 2] (econ_margin). |*distress| <= 3; less than 2^-30 below the exact value. */
err econ_distress(q32 *distress, q32 utilisation, q32 margin, const econ_distress_params *p, fault *f) MUST_USE;

/* target[j] = exp(s_j / t) / sum exp(s_k / t), for |s| <= 8 and a temperature of 1 .. 100,000 milli. Each target is in [0, 1], off by
 * less than 2^-30, and they add up to at most 1. */
err econ_softmax(q32 target[ECON_MARKETS], const q32 distress[ECON_MARKETS], uint32_t temperature_milli, fault *f) MUST_USE;

typedef struct econ_subsidy_in {
    q32      share[ECON_MARKETS];            /* state: each >= 0, sum <= 1; genesis 15/30/20/35 % (D20) */
    q32      target[ECON_MARKETS];           /* econ_softmax: each >= 0, sum <= 1 */
    bool     declining[ECON_MARKETS];        /* econ_health */
    uint32_t declining_epochs[ECON_MARKETS]; /* of the present decline */
    uint32_t drift_milli;                    /* SubsidyAllocatorDriftRate: 50; at most 1000 */
    uint32_t freeze_epochs;                  /* a declining share is held so long, then wound down */
    uint32_t wind_down_ppm;                  /* of the share, an epoch; at most 1,000,000 */
} econ_subsidy_in;

typedef struct econ_subsidy_out {
    q32      share[ECON_MARKETS];     /* next state, sum <= 1; each less than 2^-21 off where the open markets hold 1/1000 or more */
    uint32_t share_ppm[ECON_MARKETS]; /* what to pay by */
    uint32_t rest_ppm;                /* stays in the pool: not 0 only if nobody may have it. share_ppm and rest_ppm add up to 1,000,000 */
} econ_subsidy_out;

err econ_subsidy_next(econ_subsidy_out *out, const econ_subsidy_in *in, fault *f) MUST_USE;

/* The pool of an epoch (Rec. 9.4): its part of the mint, captured fees, and from the treasury what is missing to the floor, as far as the
 * treasury may give it (D17: best effort). Amounts at most 2^62. */
typedef struct econ_budget_in {
    uint64_t mint_nblock;             /* econ_mint_parts.subsidy_nblock */
    uint64_t fees_nblock;             /* fees and tariffs of the epoch that the treasury took in */
    uint32_t capture_ppm;             /* 800,000; at most 1,000,000 */
    uint64_t peak_nblock;             /* state: the largest budget so far */
    uint32_t floor_bps;               /* of the peak: 1000; at most 10,000 */
    uint64_t treasury_nblock;         /* what the treasury may give: its balance after the capture, above its required reserve */
} econ_budget_in;

typedef struct econ_budget_out {
    uint64_t from_fees_nblock, from_treasury_nblock;
    uint64_t budget_nblock; /* mint + both */
    uint64_t peak_nblock;   /* next state */
} econ_budget_out;

err econ_budget(econ_budget_out *out, const econ_budget_in *in, fault *f) MUST_USE;

#endif
