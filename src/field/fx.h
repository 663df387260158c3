/* SPDX-License-Identifier: Apache-2.0
 *
 * The challenge field F_p[X] / (X^3 - 2): 143 bits. 2 is not a cube mod p and p = 1 mod 3, so X^3 - 2 is irreducible. */
#ifndef FIELD_FX_H
#define FIELD_FX_H

#include "field/fp.h"

typedef struct fx {
    fp c[3]; /* c0 + c1 X + c2 X^2 */
} fx;

enum { FX_BYTES = 3 * FP_BYTES };

static const fx FX_ZERO = { { 0, 0, 0 } };
static const fx FX_ONE = { { FP_ONE, 0, 0 } };

static inline fx fx_from_fp(fp a)
{
    return (fx){ { a, 0, 0 } };
}

static inline fx fx_from_i64(int64_t x)
{
    return fx_from_fp(fp_from_i64(x));
}

static inline fx fx_add(fx a, fx b)
{
    return (fx){ { fp_add(a.c[0], b.c[0]), fp_add(a.c[1], b.c[1]), fp_add(a.c[2], b.c[2]) } };
}

static inline fx fx_sub(fx a, fx b)
{
    return (fx){ { fp_sub(a.c[0], b.c[0]), fp_sub(a.c[1], b.c[1]), fp_sub(a.c[2], b.c[2]) } };
}

static inline fx fx_neg(fx a)
{
    return (fx){ { fp_neg(a.c[0]), fp_neg(a.c[1]), fp_neg(a.c[2]) } };
}

/* Nine products; a coordinate is a sum of at most 5 p^2 < 2^52 p before its one reduction. */
static inline fx fx_mul(fx a, fx b)
{
    u128 a0 = a.c[0], a1 = a.c[1], a2 = a.c[2];
    return (fx){ { fp_montgomery(a0 * b.c[0] + 2 * (a1 * b.c[2] + a2 * b.c[1])),
                   fp_montgomery(a0 * b.c[1] + a1 * b.c[0] + 2 * (a2 * b.c[2])),
                   fp_montgomery(a0 * b.c[2] + a1 * b.c[1] + a2 * b.c[0]) } };
}

static inline fx fx_mul_fp(fx a, fp b)
{
    return (fx){ { fp_mul(a.c[0], b), fp_mul(a.c[1], b), fp_mul(a.c[2], b) } };
}

static inline bool fx_equal(fx a, fx b)
{
    return ((a.c[0] ^ b.c[0]) | (a.c[1] ^ b.c[1]) | (a.c[2] ^ b.c[2])) == 0;
}

/* 1 / a; 0 for 0. */
fx fx_inv(fx a);

/* c0, c1, c2, each as fp_encode. */
void fx_encode(uint8_t out[FX_BYTES], fx a);
bool fx_decode(fx *out, const uint8_t in[FX_BYTES]); /* false: a coordinate is not below p */

#endif
