/* SPDX-License-Identifier: Apache-2.0
 *
 * Arithmetic of eight lanes with AVX-512 IFMA: vpmadd52luq / vpmadd52huq add the low / high 52 bits of a product of the low 52 bits of two
 * lanes. p < 2^52 / 20, and little is reduced before it must be: comments give the range of each result in units of p, for operands below
 * the bounds that they name. What is stored to memory is always in [0, p).
 *
 * Two reductions:
 * Montgomery, of T = hi 2^52 + lo: (T - (lo / p mod 2^52) p) 2^-52 is in (-p, T 2^-52).
 * Quotient, for a factor m known ahead, with m' = floor(m 2^52 / p): a sum of n products d m minus the sum of floor(d m' / 2^52) times p is
 * in [0, (n + sum of d / 2^52) p), and is computed modulo 2^52. */
#ifndef FIELD_VEC_AVX512IFMA_INT_H
#define FIELD_VEC_AVX512IFMA_INT_H

#include "field/vec_int.h"

#include <immintrin.h>

typedef __m512i v8;

typedef struct v3 {
    v8 c[3];
} v3;

#define MASK52 ((UINT64_C(1) << 52) - 1)
_Static_assert(20 * FP_P <= MASK52 && FP_P < (UINT64_C(1) << 48), "the ranges below rest on this");

static inline v8 set1(uint64_t x)
{
    return _mm512_set1_epi64((long long)x);
}

static inline v8 add(v8 a, v8 b)
{
    return _mm512_add_epi64(a, b);
}

static inline v8 sub(v8 a, v8 b)
{
    return _mm512_sub_epi64(a, b);
}

static inline v8 madd_lo(v8 acc, v8 a, v8 b)
{
    return _mm512_madd52lo_epu64(acc, a, b);
}

static inline v8 madd_hi(v8 acc, v8 a, v8 b)
{
    return _mm512_madd52hi_epu64(acc, a, b);
}

/* x - k p if that is not negative: [0, 2 k p) to [0, k p). */
static inline v8 less(v8 x, v8 k_p)
{
    return _mm512_min_epu64(x, sub(x, k_p));
}

/* (-p, p) to [0, p): a negative lane is large as an unsigned one. */
static inline v8 positive(v8 x, v8 p)
{
    return _mm512_min_epu64(x, add(x, p));
}

static inline v3 load3(const fxv *a)
{
    return (v3){ { _mm512_load_si512(a->c[0]), _mm512_load_si512(a->c[1]), _mm512_load_si512(a->c[2]) } };
}

static inline void store3(fxv *a, v3 x)
{
    for (int k = 0; k < 3; k++)
        _mm512_store_si512(a->c[k], x.c[k]);
}

/* b - a + p, in (0, 2 p). */
static inline v3 difference(v3 b, v3 a)
{
    const v8 p = set1(FP_P);
    v3       d;
    for (int k = 0; k < 3; k++)
        d.c[k] = add(sub(b.c[k], a.c[k]), p);
    return d;
}

/* --- products by a factor that is known ahead ------------------------------------------------------------------------- */

/* r = r0 + r1 X + r2 X^2 in plain form (not Montgomery): the five entries of the matrix of multiplication by r, and their quotients. */
typedef struct factor {
    v8 m[5], q[5]; /* r0, r1, r2, 2 r1, 2 r2 */
} factor;

/* floor(m 2^52 / p), m < p: with floor(2^104 / p) it comes out right or one too small. */
static inline uint64_t quotient_of(uint64_t m)
{
    const uint64_t inverse = UINT64_C(90072158977699760);
    uint64_t q = (uint64_t)((u128)m * inverse >> 52), rest = (m << 52) - q * FP_P;
    return q + (rest >= FP_P);
}

static inline factor factor_of(fx r)
{
    uint64_t m[5] = { fp_to_u64(r.c[0]), fp_to_u64(r.c[1]), fp_to_u64(r.c[2]), fp_to_u64(fp_add(r.c[1], r.c[1])), fp_to_u64(fp_add(r.c[2], r.c[2])) };
    factor   f;
    for (int k = 0; k < 5; k++) {
        f.m[k] = set1(m[k]);
        f.q[k] = set1(quotient_of(m[k]));
    }
    return f;
}

/* a + d0 m[i] + d1 m[j] + d2 m[k]: with a < n p and the d < 2 p, in [0, (n + 3.3) p); with the d < 4 p, in [0, (n + 3.6) p). */
static inline v8 combine(v8 a, v3 d, const factor *f, int i, int j, int k)
{
    v8 q = madd_hi(madd_hi(madd_hi(_mm512_setzero_si512(), d.c[0], f->q[i]), d.c[1], f->q[j]), d.c[2], f->q[k]);
    v8 x = madd_lo(madd_lo(madd_lo(a, d.c[0], f->m[i]), d.c[1], f->m[j]), d.c[2], f->m[k]);
    x = madd_lo(x, q, set1(MASK52 + 1 - FP_P));
    return _mm512_and_si512(x, set1(MASK52));
}

/* a + r d, not reduced: a < n p, d < 2 p: [0, (n + 3.3) p). */
static inline v3 plus_product(v3 a, v3 d, const factor *f)
{
    return (v3){ { combine(a.c[0], d, f, 0, 4, 3), combine(a.c[1], d, f, 1, 0, 4), combine(a.c[2], d, f, 2, 1, 0) } };
}

/* [0, 8 p) to [0, p). */
static inline v3 reduced8(v3 x)
{
    const v8 p = set1(FP_P), p2 = set1(2 * FP_P), p4 = set1(4 * FP_P);
    for (int k = 0; k < 3; k++)
        x.c[k] = less(less(less(x.c[k], p4), p2), p);
    return x;
}

/* [0, 4 p) to [0, p). */
static inline v3 reduced4(v3 x)
{
    const v8 p = set1(FP_P), p2 = set1(2 * FP_P);
    for (int k = 0; k < 3; k++)
        x.c[k] = less(less(x.c[k], p2), p);
    return x;
}

/* Values below 4 p stay so at the price of one step of reduction: a + k b, below 7.6 p before, and b - a, below 8 p before. */
static inline v3 below4(v3 x)
{
    for (int k = 0; k < 3; k++)
        x.c[k] = less(x.c[k], set1(4 * FP_P));
    return x;
}

static inline v3 sum_below4(v3 a, v3 b, const factor *k)
{
    return below4(plus_product(a, b, k));
}

static inline v3 difference_below4(v3 b, v3 a)
{
    for (int k = 0; k < 3; k++)
        a.c[k] = less(add(sub(b.c[k], a.c[k]), set1(4 * FP_P)), set1(4 * FP_P));
    return a;
}

/* a + r (b - a), in [0, p): below 4.3 p before. */
static inline v3 folded(v3 a, v3 b, const factor *r)
{
    return reduced8(plus_product(a, difference(b, a), r));
}

/* --- products of two unknowns ------------------------------------------------------------------------------------------ */

/* Coordinates of a sum of products as hi 2^52 + lo; a product adds at most three terms to a lane of each. */
typedef struct wide {
    v8 lo[3], hi[3];
} wide;

static inline wide wide_zero(void)
{
    const v8 z = _mm512_setzero_si512();
    return (wide){ { z, z, z }, { z, z, z } };
}

static inline void wide_term(wide *w, int k, v8 a, v8 b)
{
    w->lo[k] = madd_lo(w->lo[k], a, b);
    w->hi[k] = madd_hi(w->hi[k], a, b);
}

/* += a b, a and 2 b below 2^52. */
static inline void wide_add(wide *w, v3 a, v3 b)
{
    v8 b1 = add(b.c[1], b.c[1]), b2 = add(b.c[2], b.c[2]);
    wide_term(w, 0, a.c[0], b.c[0]);
    wide_term(w, 1, a.c[0], b.c[1]);
    wide_term(w, 2, a.c[0], b.c[2]);
    wide_term(w, 0, a.c[1], b2);
    wide_term(w, 1, a.c[1], b.c[0]);
    wide_term(w, 2, a.c[1], b.c[1]);
    wide_term(w, 0, a.c[2], b1);
    wide_term(w, 1, a.c[2], b2);
    wide_term(w, 2, a.c[2], b.c[0]);
}

/* Montgomery, in (-p, T 2^-52): T = n p^2 gives (-p, n p / 20). */
static inline v3 wide_reduce(const wide *w)
{
    const v8 p = set1(FP_P), inverse = set1((0 - FP_NEG_INV) & MASK52), zero = _mm512_setzero_si512();
    v3       r;
    for (int k = 0; k < 3; k++) {
        v8 t = madd_hi(zero, madd_lo(zero, w->lo[k], inverse), p);
        r.c[k] = sub(add(w->hi[k], _mm512_srli_epi64(w->lo[k], 52)), t);
    }
    return r;
}

static inline v3 positive3(v3 x)
{
    const v8 p = set1(FP_P);
    for (int k = 0; k < 3; k++)
        x.c[k] = positive(x.c[k], p);
    return x;
}

/* a b in [0, p), for a and b below 2 p: T < 20 p^2. */
static inline v3 product(v3 a, v3 b)
{
    wide w = wide_zero();
    wide_add(&w, a, b);
    return positive3(wide_reduce(&w));
}

/* --- long sums of products ----------------------------------------------------------------------------------------------- */

/* Sums of a0 b0, a1 b1, a2 b2, (a0 + a1)(b0 + b1), (a0 + a2)(b0 + b2), (a1 + a2)(b1 + b2): two multiplications each instead of eighteen for nine
 * products. A lane of lo grows by less than 2^52 a step, one of hi by less than 2 p, for a < m p and b < n p with m n <= 10: (2 m p)(2 n p) / 2^52. The sums of two
 * must be below 2^52. */
typedef struct sums {
    v8 lo[6], hi[6];
} sums;

enum { SUMS_STEPS = 2048 }; /* 2^11 2^52 < 2^63, and with eight lanes added up 2^14 2 p < 2^63 */
_Static_assert((UINT64_C(8) * SUMS_STEPS) * (2 * FP_P + 1) < UINT64_C(1) << 63 && (UINT64_C(40) * (u128)FP_P * FP_P >> 52) <= 2 * FP_P, "sums fit");

static inline sums sums_zero(void)
{
    const v8 z = _mm512_setzero_si512();
    return (sums){ { z, z, z, z, z, z }, { z, z, z, z, z, z } };
}

typedef struct v6 {
    v8 c[6];
} v6;

static inline v6 with_pairs(v3 a)
{
    return (v6){ { a.c[0], a.c[1], a.c[2], add(a.c[0], a.c[1]), add(a.c[0], a.c[2]), add(a.c[1], a.c[2]) } };
}

static inline void sums_add(sums *s, v6 a, v6 b)
{
    for (int k = 0; k < 6; k++) {
        s->lo[k] = madd_lo(s->lo[k], a.c[k], b.c[k]);
        s->hi[k] = madd_hi(s->hi[k], a.c[k], b.c[k]);
    }
}

/* t 2^-52 mod p, t = hi 2^52 + lo, hi < 2^63. */
static inline fp sums_reduce(uint64_t hi, uint64_t lo)
{
    const uint64_t top = UINT64_C(155309460945745); /* 2^96 mod p */
    u128 t = ((u128)hi << 52) + lo, low = t & (((u128)1 << 96) - 1);
    return fp_add(fp_montgomery(low), fp_montgomery((u128)(uint64_t)(t >> 96) * top));
}

/* All lanes together; at most SUMS_STEPS steps were added. */
static inline fx sums_done(const sums *s)
{
    fp t[6];
    for (int k = 0; k < 6; k++) {
        v8 hi = add(s->hi[k], _mm512_srli_epi64(s->lo[k], 52)), lo = _mm512_and_si512(s->lo[k], set1(MASK52));
        t[k] = sums_reduce((uint64_t)_mm512_reduce_add_epi64(hi), (uint64_t)_mm512_reduce_add_epi64(lo));
    }
    fp x12 = fp_sub(fp_sub(t[5], t[1]), t[2]), x01 = fp_sub(fp_sub(t[3], t[0]), t[1]), x02 = fp_sub(fp_sub(t[4], t[0]), t[2]);
    return (fx){ { fp_add(t[0], fp_add(x12, x12)), fp_add(x01, fp_add(t[2], t[2])), fp_add(x02, t[1]) } };
}

/* --- across files ---------------------------------------------------------------------------------------------------------- */

void fxv_rows_avx512ifma(fxv *out, const fx_ints *m, const fxv *w);
void fxv_cols_avx512ifma(fxv *out, const fx_ints *m, const fxv *v);
void fxv_from_ints_avx512ifma(fxv *out, const void *data, unsigned bytes, size_t n, fx s);
void fp_rs_parity_avx512ifma(fp *out, const fp *in, unsigned m);
void fp_rs_parity_rows_avx512ifma(fp *out, const fp *in, unsigned m);
void fxv_fractions_add_avx512ifma(fx_fractions *out, const fx_fractions *a, const fx_fractions *b, size_t n);
void fxv_fractions_up_avx512ifma(fx_fractions *out, const fx_fractions *in, size_t half);
void fxv_fractions_fold_round_avx512ifma(fx g[2], fx_fractions *a, fx_fractions *b, size_t half, fx k, const fxv *lo, size_t lo_n, const fxv *hi);
void fxv_fractions_fold_avx512ifma(fx_fractions *a, size_t half, fx k);
void fxv_fractions_absorb_round_avx512ifma(fx g[2], fx_fractions *a, const fx_fractions *b, size_t half, fx lambda, const fxv *lo, size_t lo_n,
                                           const fxv *hi);
void fxv_unit_up_avx512ifma(fx_fractions *out, const fxv *q0, const fxv *q1, size_t n);
void fxv_affine_avx512ifma(fxv *a, fx s, fx c, size_t n);
void fxv_eq_round_avx512ifma(fx g[2], const fxv *p, const fxv *b, size_t half, const fxv *lo, size_t lo_n, const fxv *hi);
void fxv_eq_fold_round_avx512ifma(fx g[2], fxv *p, fxv *b, size_t half, fx k, const fxv *lo, size_t lo_n, const fxv *hi);
void fxv_leaf_up_avx512ifma(fx_fractions *out, const int32_t *x0, const int32_t *x1, size_t n, fx a0, fx a1);
void fxv_leaf_up_fold_avx512ifma(fx_fractions *out, const int32_t *const x[4], size_t n, const fx a[4], fx k);
void fxv_leaf_fold_avx512ifma(fxv *out, const int32_t *x0, const int32_t *x1, size_t n, fx c, fx f0, fx f1);
void fxv_leaf_round_avx512ifma(fxv_leaf_sums *out, const int32_t *const x[4], const fxv *w, size_t n);

#endif
