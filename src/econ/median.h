/* SPDX-License-Identifier: Apache-2.0
 *
 * Consensus of several sources with rejection of outliers (seed Rec. 9.6; economics.md 2.4 "9.6"; spec/economy.md section 14): the lower
 * weighted median in the total order (value, id) - the first reading at which the weights so far reach half of the whole -, then a quorum
 * of those that agree with it. */
#ifndef ECON_MEDIAN_H
#define ECON_MEDIAN_H

#include "econ/unit.h"

enum { ECON_READINGS_MAX = 64 };

typedef struct econ_reading {
    uint64_t value;
    uint64_t id;       /* of the source; no two alike */
    uint64_t weight;
    bool     accepted; /* written */
} econ_reading;

typedef struct econ_median_params {
    uint32_t sources_min;   /* before and after rejection: 3; at least 1 */
    uint32_t deviation_ppm; /* of the median: 50,000; at most 1,000,000 */
    uint64_t tolerance;     /* absolute, where the median is 0 */
    uint32_t quorum_ppm;    /* of the weight, that must be left; at most 1,000,000 */
} econ_median_params;

typedef struct econ_median_out {
    uint64_t value;
    uint32_t accepted;       /* readings */
    uint32_t confidence_ppm; /* accepted weight / weight, floored */
} econ_median_out;

/* Sorts r[n] by (value, id) and marks what is accepted: |value - median| <= floor(median x deviation / 1,000,000). ERR_RANGE:
 * "median.sources" (too few, or above ECON_READINGS_MAX), "median.weight" (all 0), "median.accepted" and "median.quorum" (too little is
 * left); ERR_DUPLICATE "median.id". On an error the order and the marks of r are unspecified. */
err econ_median(econ_median_out *out, econ_reading *r, size_t n, const econ_median_params *p, fault *f) MUST_USE;

#endif
