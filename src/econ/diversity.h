/* SPDX-License-Identifier: Apache-2.0
 *
 * Geographic diversity (seed Rec. 3.2; economics.md 2.4 "3.2"; spec/economy.md section 8): with c the largest region's share of the
 * stake (not of the nodes), the multiplier is 1 - penalty (c - 1/2) above one half and 1 + bonus (1/2 - c) below it. Regions come from
 * the registry; providers without an attested region count as one region. */
#ifndef ECON_DIVERSITY_H
#define ECON_DIVERSITY_H

#include "econ/unit.h"

enum { ECON_REGIONS_MAX = 256 };

typedef struct econ_diversity_params {
    uint32_t penalty_ppm; /* 1,000,000; at most 2,000,000, so that the multiplier is never negative */
    uint32_t bonus_ppm;   /* 100,000; at most 2,000,000 */
} econ_diversity_params;

/* stake[n] in any one unit, n <= ECON_REGIONS_MAX. 1 if there is no stake. Less than 2^-30 from the exact value. */
err econ_diversity(q32 *multiplier, const uint64_t *stake, size_t n, const econ_diversity_params *p, fault *f) MUST_USE;

#endif
