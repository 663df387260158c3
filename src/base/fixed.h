/* SPDX-License-Identifier: Apache-2.0
 *
 * Signed fixed point for the control laws (spec/economy.md section 2): a q32 is an integer x that stands for x / 2^32, so its range is
 * [-2^31, 2^31) and its step 2^-32; a q62 is unsigned, x / 2^62. Every operation is exact integer arithmetic followed by one named
 * rounding, in 128 bits inside: the same bits on every machine. What does not fit is ERR_OVERFLOW with *out unchanged.
 *
 * Error of the exponentials (measured against big integers by fixed_test and tests/econ/exact_test): relative error below 2^-48 before the
 * last shift, then one floor to the step of the result. A cubic over 64 intervals cannot pass 2^-37.7 (its minimax bound), hence the quintic. */
#ifndef BASE_FIXED_H
#define BASE_FIXED_H

#include "base/int.h"

typedef int64_t  q32;
typedef uint64_t q62;

#define Q32_ONE ((q32)1 << 32)
#define Q32_MAX INT64_MAX
#define Q62_ONE ((q62)1 << 62)

/* a / b with the named rounding; b > 0. */
i128 q32_quotient(i128 a, i128 b, rounding how);

/* *out = a / b. ERR_OVERFLOW also if b == 0 or |a| >= 2^95. */
err q32_from_ratio(q32 *out, i128 a, uint64_t b, rounding how) MUST_USE;

err q32_add(q32 *out, q32 a, q32 b) MUST_USE;
err q32_sub(q32 *out, q32 a, q32 b) MUST_USE;
err q32_mul(q32 *out, q32 a, q32 b, rounding how) MUST_USE;
/* ERR_OVERFLOW also if b == 0. */
err q32_div(q32 *out, q32 a, q32 b, rounding how) MUST_USE;

/* *out = amount * factor, an integer. ERR_OVERFLOW also if factor < 0. */
err q32_scale(uint64_t *out, uint64_t amount, q32 factor, rounding how) MUST_USE;

static inline q32 q32_clamp(q32 x, q32 low, q32 high)
{
    return x < low ? low : x > high ? high : x;
}

/* x + floor((target - x) * rate / unit), the step of every controller. rate <= unit, 0 < unit <= 2^32 (broken: CHECK).
 * The result lies between x and target. From above it arrives exactly; from below it rests less than unit / rate steps away. */
q32 q32_drift(q32 x, q32 target, uint64_t rate, uint64_t unit);

/* floor(sqrt(a * b)) in steps of 2^-32; a, b >= 0 (broken: CHECK). */
q32 q32_sqrt_product(q32 a, q32 b);

/* *out = floor(2^x), floor(e^x). ERR_OVERFLOW from x = 31 and x = 31 ln 2 on; 0 below the step. Error below one step + 2^-48 of the value. */
err q32_exp2(q32 *out, q32 x) MUST_USE;
err q32_exp(q32 *out, q32 x) MUST_USE;

/* *out = e^x for x <= 0, else ERR_RANGE. Error below 2^-48; exactly Q62_ONE at 0. */
err q62_exp(q62 *out, q32 x) MUST_USE;

#endif
