/* SPDX-License-Identifier: Apache-2.0
 *
 * Cascades and adaptive security (spec/economy.md section 12).
 *
 * Market dependencies (seed Rec. 9.5; economics.md 2.4 "9.5"): risk = sum over edges of s_from x weight x (1 + s_to), with scores
 * clipped at 0 first, since two negative ones would make a positive risk. Default edges: energy -> compute 0.5, energy -> storage 0.3,
 * storage -> compute 0.2, compute -> ad 0.1; threshold 0.5.
 *
 * Adaptive security (Rec. 10.3; economics.md 2.4 "10.3"): each confirmed incident tightens a key, at most once an epoch; a quiet epoch
 * recovers a little; the adjusted value never leaves the key's bounds. */
#ifndef ECON_RISK_H
#define ECON_RISK_H

#include "econ/unit.h"

enum { ECON_EDGES_MAX = ECON_MARKETS * (ECON_MARKETS - 1) };

typedef struct econ_edge {
    uint32_t from, to;   /* econ_market, different */
    uint32_t weight_ppm; /* at most 1,000,000 */
} econ_edge;

/* distress in [-8, 8]. *risk is the floor of the exact value; *trips: risk > threshold_ppm. */
err econ_risk(q32 *risk, bool *trips, const q32 distress[ECON_MARKETS], const econ_edge *edges, size_t n, uint32_t threshold_ppm,
              fault *f) MUST_USE;

typedef struct econ_security_params {
    uint32_t tighten_ppm; /* factor of an incident: 900,000; 1 .. 1,000,000 */
    uint32_t recover_ppm; /* growth of the factor in a quiet epoch: 10,000; at most 1,000,000 */
    uint32_t least_ppm;   /* the factor stays at or above this: 1 .. 1,000,000 */
} econ_security_params;

/* One epoch of one key: `incident` if at least one was confirmed. The factor is in (0, 1], 1 at genesis. */
err econ_security_next(q32 *factor, q32 now, bool incident, const econ_security_params *p, fault *f) MUST_USE;

typedef enum econ_tightening {
    ECON_TIGHTER_LOWER,  /* a limit, a rate: floor(base x factor) */
    ECON_TIGHTER_HIGHER, /* a bond, a quorum, a delay: ceil(base / factor) */
} econ_tightening;

/* The key's value in force: base, adjusted and clamped to its bounds min <= base <= max. */
err econ_security_value(uint64_t *value, uint64_t base, q32 factor, econ_tightening way, uint64_t min, uint64_t max, fault *f) MUST_USE;

#endif
