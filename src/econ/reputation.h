/* SPDX-License-Identifier: Apache-2.0
 *
 * Reputation with decay and hysteresis (seed Rec. 1.1; economics.md 2.4 "1.1"; spec/economy.md section 13). In ppm: an actor that always
 * earns the full contribution tends to 1,000,000. State in q32 of ppm. */
#ifndef ECON_REPUTATION_H
#define ECON_REPUTATION_H

#include "econ/unit.h"

typedef struct econ_contribution {
    uint32_t uptime_ppm, quality_ppm, latency_ppm, verification_ppm; /* measured in the epoch, each at most 1,000,000 */
} econ_contribution;

typedef struct econ_reputation_params {
    econ_contribution weights;     /* 350,000, 250,000, 200,000, 200,000: sum 1,000,000 */
    uint32_t          keep_ppm;    /* what an epoch leaves: 950,000; at most 999,999 */
    uint32_t          earn_ppm;    /* eligible from: 800,000; at most 1,000,000 */
    uint32_t          lose_ppm;    /* lost below: 600,000; at most earn_ppm */
} econ_reputation_params;

/* *score_ppm = sum of weight x measure x (1,000,000 - keep), in ppm as q32: 0 .. 50,000 by default. */
err econ_contribution_score(q32 *score_ppm, const econ_contribution *measured, const econ_reputation_params *p, fault *f) MUST_USE;

/* reputation x keep^epochs, decayed when it is needed instead of in every epoch; by squaring, in at most 64 steps. For keep_ppm up to
 * 950,000: less than 2^-31 ppm below the exact power, and less than 2^-27 ppm above decaying epoch by epoch. */
err econ_reputation_decay(q32 *reputation_ppm, q32 now_ppm, uint64_t epochs, const econ_reputation_params *p, fault *f) MUST_USE;

/* One epoch that earned `score_ppm`, `epochs` >= 1 after the last one that did. At most 2,000,000 is kept. */
err econ_reputation_next(q32 *reputation_ppm, q32 now_ppm, uint64_t epochs, q32 score_ppm, const econ_reputation_params *p, fault *f) MUST_USE;

/* *eligible: true from earn_ppm on, false below lose_ppm, else as it was. */
err econ_eligible_next(bool *eligible, q32 reputation_ppm, const econ_reputation_params *p, fault *f) MUST_USE;

#endif
