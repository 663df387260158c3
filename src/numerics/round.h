/* SPDX-License-Identifier: Apache-2.0
 *
 * The scalar arithmetic of spec/numerics.md sections 1, 4 and 5: roundings, saturation, roots and reciprocals. What the
 * reference kernels, the referee and the tests all use. Everything is exact and total over the stated ranges. */
#ifndef NUMERICS_ROUND_H
#define NUMERICS_ROUND_H

#include "base/int.h"

/* floor(a / b), b > 0. The common case fits 64 bits, where division is several times cheaper. */
static inline i128 num_floor_div(i128 a, i128 b)
{
    if (a == (int64_t)a && b == (int64_t)b) {
        int64_t q = (int64_t)a / (int64_t)b, r = (int64_t)a % (int64_t)b;
        return q - (r < 0);
    }
    i128 q = a / b;
    return q - (a % b < 0);
}

/* Round half up: floor((a + 2^(s-1)) / 2^s), 0 <= s <= 62, |a| <= 2^62. */
static inline int64_t num_rhu(int64_t a, int s)
{
    return s == 0 ? a : (a + ((int64_t)1 << (s - 1))) >> s;
}

/* The dither of row word a and column word b for a shift of s bits, 0 <= s <= 62. */
static inline int64_t num_dither_bits(uint64_t a, uint64_t b, int s)
{
    return (int64_t)((a ^ b) & (((uint64_t)1 << s) - 1));
}

/* floor((acc + u) / 2^s) with the public dither, 0 <= s <= 62, |acc| <= 2^62. */
static inline int64_t num_dith(int64_t acc, int s, uint64_t a, uint64_t b)
{
    return (acc + num_dither_bits(a, b, s)) >> s;
}

/* max(-q_max, min(q_max, t)). */
static inline int64_t num_sat(int64_t t, int64_t q_max)
{
    return t > q_max ? q_max : t < -q_max ? -q_max : t;
}

/* |t| <= d: the domain check of section 1. */
static inline bool num_in_domain(int64_t t, int64_t d)
{
    return t <= d && t >= -d;
}

/* floor(sqrt(x)). The digits come from four divisions of doubling precision: for x scaled into [2^62, 2^64) the estimate
 * is within one of the root (the scheme of CPython's math.isqrt, proved in its source), so one comparison settles it. */
static inline uint64_t num_isqrt_u64(uint64_t x)
{
    if (x == 0)
        return 0;
    unsigned down = (unsigned)__builtin_clzll(x) & ~1u;
    uint64_t n = x << down;
    uint64_t u = 1 + (n >> 62);
    u = (u << 1) + (n >> 59) / u;
    u = (u << 3) + (n >> 53) / u;
    u = (u << 7) + (n >> 41) / u;
    u = (u << 15) + (n >> 17) / u; /* at most 2^32 */
    u -= (u128)u * u > n;
    u >>= down / 2; /* floor(sqrt(x 4^k)) >> k is floor(sqrt(x)) */
    return u;
}

/* floor(sqrt(x)) with the short way for x < 2^64. */
static inline uint64_t num_isqrt(u128 x)
{
    return x <= UINT64_MAX ? num_isqrt_u64((uint64_t)x) : isqrt_u128(x);
}

/* Number of bits of |a|. */
static inline int num_bitlen(int64_t a)
{
    return (int)bit_length_u64(a < 0 ? 0 - (uint64_t)a : (uint64_t)a);
}

/* log2(n) at fraction 16, n >= 1: section 4, sixteen squarings. */
static inline int64_t num_ilog2(uint64_t n)
{
    int b = (int)bit_length_u64(n) - 1;
    uint64_t m = b <= 62 ? n << (62 - b) : n >> (b - 62);
    int64_t result = b;
    for (int i = 0; i < 16; i++) {
        m = (uint64_t)(((u128)m * m) >> 62);
        int64_t bit = (int64_t)(m >> 63);
        m >>= bit;
        result = result * 2 + bit;
    }
    return result;
}

/* r_i = isqrt(floor(d 2^(2 f_r + 2 f_res) / (S + d 2^(2 f_res - 17)))) for S = sum of squares of the row. */
static inline int64_t num_norm_r(u128 squares, uint32_t width, int f_r, int f_res)
{
    u128 top = (u128)width << (2 * f_r + 2 * f_res);
    u128 bottom = squares + ((u128)width << (2 * f_res - 17));
    return (int64_t)num_isqrt(top / bottom);
}

/* m_i = floor((2 r M + d 2^(2 f_y)) / (2 d 2^(2 f_y))), f_y in [-32, 28]. |r M| <= 2^72 for every admitted row. A result
 * beyond 2^62 comes as +-2^62: far outside the domain of m. */
static inline int64_t num_norm_m(int64_t r, int64_t M, uint32_t width, int f_y)
{
    i128 top = 2 * (i128)r * M, d = width, q;
    if (f_y >= 0)
        q = num_floor_div(top + (d << (2 * f_y)), d << (2 * f_y + 1));
    else /* both sides times 2^(-2 f_y); from 2^48 on every product but 0 is outside the domain of m */
        q = num_floor_div(top * ((i128)1 << (f_y < -24 ? 48 : -2 * f_y)) + d, 2 * d);
    const i128 far = (i128)1 << 62;
    return (int64_t)(q > far ? far : q < -far ? -far : q);
}

/* R_i = floor((2^(f_R + w - 1) + (Z >> 1)) / Z), Z >= 1; `e_fraction` is w - 1. */
static inline int64_t num_softmax_R(int64_t Z, int f_R, int e_fraction)
{
    return (((int64_t)1 << (f_R + e_fraction)) + (Z >> 1)) / Z;
}

/* RL_i = floor((2^n_l + (ZL >> 1)) / ZL), ZL >= 1. */
static inline int64_t num_loss_R(int64_t ZL, int n_l)
{
    return (((int64_t)1 << n_l) + (ZL >> 1)) / ZL;
}

#endif
