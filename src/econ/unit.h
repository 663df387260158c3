/* SPDX-License-Identifier: Apache-2.0
 *
 * What the control laws share (spec/economy.md section 1): units, the four markets, and the checks of inputs.
 *
 * A law is a pure function from a struct of integers to a struct of integers: parameters in the seed's units (bps, milli, ppm, BLOCK a
 * year), amounts in nBLOCK, state in q32. Nothing is allocated, kept or rounded but where the header says so. Every law refuses an input
 * outside its stated domain by ERR_RANGE and an overflow by ERR_OVERFLOW, names the field in `fault` (may be NULL) and leaves *out as it was. */
#ifndef ECON_UNIT_H
#define ECON_UNIT_H

#include "base/fixed.h"

enum {
    ECON_MILLI = 1000,
    ECON_BPS = 10000,
    ECON_PPM = 1000000,
    ECON_BLOCK = 1000000000, /* nBLOCK */
};

typedef enum econ_market {
    ECON_STORAGE,
    ECON_COMPUTE,
    ECON_ENERGY,
    ECON_AD,
    ECON_MARKETS,
} econ_market;

extern const char *const econ_market_names[ECON_MARKETS]; /* as users write them */

/* ERR_RANGE unless low <= value <= high. */
err econ_within(uint64_t value, uint64_t low, uint64_t high, const char *what, fault *f) MUST_USE;
err econ_within_q32(q32 value, q32 low, q32 high, const char *what, fault *f) MUST_USE;

/* x in steps of 2^-32, saturated at Q32_MAX: a count, and an amount in whole BLOCK. */
q32 econ_count_q32(uint64_t count);
q32 econ_block_q32(uint64_t nblock);

/* floor(numerator / denominator), an integer taken as q32 and saturated; denominator > 0. */
q32 econ_floor_q32(i128 numerator, i128 denominator);

/* used / offered in [0, 1]; 0 where nothing is offered (D10). */
q32 econ_utilisation(uint64_t used, uint64_t offered);

/* (payout - cost) / cost, clipped to [-1, 2]; at cost 0: 2 if anything is paid, else 0 (D9). Both in nBLOCK for the same work. */
q32 econ_margin(uint64_t payout_nblock, uint64_t cost_nblock);

#endif
