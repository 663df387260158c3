/* SPDX-License-Identifier: Apache-2.0
 *
 * Integers that cannot wrap unnoticed. Amounts are u64 nBLOCK; products go through 128 bits (DESIGN 6). */
#ifndef BASE_INT_H
#define BASE_INT_H

#include "base/err.h"

typedef unsigned __int128 u128;
typedef __int128          i128;

/* *out = a op b, or ERR_OVERFLOW with *out unchanged. */
static inline MUST_USE err checked_add_u64(uint64_t *out, uint64_t a, uint64_t b)
{
    uint64_t r;
    if (__builtin_add_overflow(a, b, &r))
        return ERR_OVERFLOW;
    *out = r;
    return OK;
}

static inline MUST_USE err checked_sub_u64(uint64_t *out, uint64_t a, uint64_t b)
{
    if (b > a)
        return ERR_OVERFLOW;
    *out = a - b;
    return OK;
}

static inline MUST_USE err checked_mul_u64(uint64_t *out, uint64_t a, uint64_t b)
{
    uint64_t r;
    if (__builtin_mul_overflow(a, b, &r))
        return ERR_OVERFLOW;
    *out = r;
    return OK;
}

typedef enum rounding {
    ROUND_DOWN,    /* towards zero: the remainder stays with the payer */
    ROUND_UP,      /* away from zero */
    ROUND_HALF_UP, /* nearest, ties up */
    ROUND_FLOOR,   /* towards minus infinity: of what is not negative the same as ROUND_DOWN */
} rounding;

/* *out = a * b / c with the named rounding; ERR_OVERFLOW if the quotient does not fit or c == 0. */
err mul_div_u64(uint64_t *out, uint64_t a, uint64_t b, uint64_t c, rounding how) MUST_USE;

/* floor(sqrt(x)). */
uint64_t isqrt_u128(u128 x);

/* Number of bits of |x|: 0 for 0. */
static inline unsigned bit_length_u64(uint64_t x)
{
    return x ? 64u - (unsigned)__builtin_clzll(x) : 0u;
}

#endif
