/* SPDX-License-Identifier: Apache-2.0
 *
 * Products of 128-bit fixed-point numbers. */
#ifndef NUMERICS_FIXED_INT_H
#define NUMERICS_FIXED_INT_H

#include "base/int.h"

static inline u128 num_u128(uint64_t high, uint64_t low)
{
    return (u128)high << 64 | low;
}

/* floor(a b 2^-127), a and b at most 2^127. */
static inline u128 num_mul_127(u128 a, u128 b)
{
    uint64_t a1 = (uint64_t)(a >> 64), a0 = (uint64_t)a, b1 = (uint64_t)(b >> 64), b0 = (uint64_t)b;
    u128 low = (u128)a0 * b0, mid1 = (u128)a1 * b0, mid2 = (u128)a0 * b1;
    u128 carry = (low >> 64) + (uint64_t)mid1 + (uint64_t)mid2;
    u128 high = (u128)a1 * b1 + (mid1 >> 64) + (mid2 >> 64) + (carry >> 64);
    return high << 1 | (carry >> 63 & 1);
}

#endif
