/* SPDX-License-Identifier: Apache-2.0
 *
 * The proof field F_p, p = 225179565293569 = 3355437 * 2^26 + 1 (spec/proof.md section 2): 47.7 bits, so that the accumulators of the
 * integer tier stay below p / 2, and ten products of unreduced differences fit the 52-bit lanes of AVX-512 IFMA.
 *
 * An fp is held in Montgomery form, x 2^52 mod p, reduced to [0, p): one form for all instruction sets. What is hashed, sent or compared
 * across a border is the canonical residue of fp_to_u64. */
#ifndef FIELD_FP_H
#define FIELD_FP_H

#include "base/int.h"
#include "field/prime.h"

#include <stdbool.h>

typedef uint64_t fp;

static inline fp fp_reduce_once(uint64_t a) /* a < 2 p */
{
    return a >= FP_P ? a - FP_P : a;
}

/* t 2^-52 mod p for t < 2^52 p. */
static inline fp fp_montgomery(u128 t)
{
    uint64_t m = ((uint64_t)t * FP_NEG_INV) & ((UINT64_C(1) << FP_R_BITS) - 1);
    return fp_reduce_once((uint64_t)((t + (u128)m * FP_P) >> FP_R_BITS));
}

static inline fp fp_add(fp a, fp b)
{
    return fp_reduce_once(a + b);
}

static inline fp fp_sub(fp a, fp b)
{
    return a >= b ? a - b : a + FP_P - b;
}

static inline fp fp_neg(fp a)
{
    return a ? FP_P - a : 0;
}

static inline fp fp_mul(fp a, fp b)
{
    return fp_montgomery((u128)a * b);
}

/* Any 64-bit integer, taken mod p. */
static inline fp fp_from_u64(uint64_t x)
{
    return fp_montgomery((u128)(x % FP_P) * FP_R2);
}

static inline fp fp_from_i64(int64_t x)
{
    return x < 0 ? fp_neg(fp_from_u64(0 - (uint64_t)x)) : fp_from_u64((uint64_t)x);
}

/* The canonical residue, in [0, p). */
static inline uint64_t fp_to_u64(fp a)
{
    return fp_montgomery(a);
}

/* The residue of least magnitude, in (-p/2, p/2). */
static inline int64_t fp_to_i64(fp a)
{
    uint64_t x = fp_to_u64(a);
    return x > FP_P / 2 ? (int64_t)x - (int64_t)FP_P : (int64_t)x;
}

fp fp_pow(fp a, uint64_t exponent);

/* 1 / a; 0 for 0. */
fp fp_inv(fp a);

/* A generator of the subgroup of order 2^log_order, log_order <= FP_TWO_ADICITY: root(k)^2 = root(k - 1) (spec/proof.md section 2). */
fp fp_root(unsigned log_order);

/* Canonical, little-endian, FP_BYTES bytes. */
void fp_encode(uint8_t out[FP_BYTES], fp a);
bool fp_decode(fp *out, const uint8_t in[FP_BYTES]); /* false: not below p */

#endif
