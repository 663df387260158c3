/* SPDX-License-Identifier: Apache-2.0
 *
 * Adaptive baselines of the issuance law (spec/economy.md section 4; seed Rec. 9.1; economics.md 2.4 "9.1"): an average that rises fast,
 * falls slowly and never falls below a share of its own high, which decays, so that a forged spike does not bind for ever. The high is of
 * the clamped baseline, not of what was observed. Units: transactions, whole BLOCK or miners an epoch. */
#ifndef ECON_BASELINE_H
#define ECON_BASELINE_H

#include "econ/unit.h"

typedef struct econ_baseline_params {
    uint32_t up_ppm, down_ppm; /* share of the gap closed in an epoch: 100,000 and 20,000; at most 1,000,000 */
    uint32_t floor_ppm;        /* of the high: 250,000; at most 1,000,000 */
    uint32_t high_keep_ppm;    /* of the high, kept each epoch: 999,900; at most 1,000,000 */
    uint32_t min, max;         /* clamps, whole units: 1 <= min <= max < 2^31 */
} econ_baseline_params;

typedef struct econ_baseline {
    q32 value, high; /* 0 <= both */
} econ_baseline;

/* One epoch: `observed` from econ_count_q32 or econ_block_q32. The result lies in [min, max]. */
err econ_baseline_next(econ_baseline *out, const econ_baseline *now, q32 observed, const econ_baseline_params *p, fault *f) MUST_USE;

#endif
