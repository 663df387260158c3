/* SPDX-License-Identifier: Apache-2.0
 *
 * Arithmetic of four lanes of doubles that hold integers, with fused multiply-add: everything is exact in round-to-nearest.
 *
 * A sum of products is high + low: fma(a, b, high) rounds high + a b to a multiple of 2^50 as long as high, which begins at 1.5 2^102, stays in [2^102, 2^103):
 * sums below 2^101, 49 p^2. What was lost is at most 2^49 and another fma finds it; low is exact for 15 products.
 * Reduction: T = high + low in units of K p^2 loses with q = round(T / p) an error of (0.5 + 0.08 K) p.
 *
 * Elements in memory are in Montgomery form (times R = 2^52). Here a product is a plain one: products by a known factor take that in plain form; a product of
 * two elements has R^2, and is multiplied by R^-1 before it is stored; sums are corrected at the end. */
#ifndef FIELD_VEC_AVX2_INT_H
#define FIELD_VEC_AVX2_INT_H

#include "field/vec_int.h"

#include <immintrin.h>

typedef __m256d d4;

typedef struct d3 {
    d4 c[3];
} d3;

enum { HALVES = 2 }; /* of a block */

#define P_AS_DOUBLE 225179565293569.0
#define TWO_52      4503599627370496.0
#define HIGH_START  0x1.8p102
_Static_assert(FP_P == (uint64_t)P_AS_DOUBLE, "the same p");
_Static_assert((u128)49 * FP_P * FP_P < (u128)1 << 101, "the binade of the high parts");

static inline d4 set4(double x)
{
    return _mm256_set1_pd(x);
}

static inline d4 add4(d4 a, d4 b)
{
    return _mm256_add_pd(a, b);
}

static inline d4 sub4(d4 a, d4 b)
{
    return _mm256_sub_pd(a, b);
}

/* Integers below 2^52 and back. */
static inline d4 to_doubles(__m256i x)
{
    const d4 magic = set4(TWO_52);
    return sub4(_mm256_castsi256_pd(_mm256_or_si256(x, _mm256_castpd_si256(magic))), magic);
}

static inline __m256i to_integers(d4 x)
{
    const d4 magic = set4(TWO_52);
    return _mm256_xor_si256(_mm256_castpd_si256(add4(x, magic)), _mm256_castpd_si256(magic));
}

/* Integers in (-2^51, 2^51). */
static inline __m256i to_signed_integers(d4 x)
{
    const d4 magic = set4(1.5 * TWO_52);
    return _mm256_sub_epi64(_mm256_castpd_si256(add4(x, magic)), _mm256_castpd_si256(magic));
}

/* (-p, p) to [0, p). */
static inline d4 positive(d4 x)
{
    return add4(x, _mm256_and_pd(set4(P_AS_DOUBLE), _mm256_cmp_pd(x, _mm256_setzero_pd(), _CMP_LT_OQ)));
}

static inline d3 load3(const fxv *a, int half)
{
    d3 x;
    for (int k = 0; k < 3; k++)
        x.c[k] = to_doubles(_mm256_load_si256((const __m256i *)&a->c[k][4 * half]));
    return x;
}

/* Of (-p, p). */
static inline void store3(fxv *a, int half, d3 x)
{
    for (int k = 0; k < 3; k++)
        _mm256_store_si256((__m256i *)&a->c[k][4 * half], to_integers(positive(x.c[k])));
}

static inline d3 difference(d3 b, d3 a)
{
    for (int k = 0; k < 3; k++)
        b.c[k] = sub4(b.c[k], a.c[k]);
    return b;
}

/* x minus the nearest multiple of p, or one beside it: |x| < 2^53 gives at most 0.51 p. */
static inline d4 nearest(d4 x)
{
    d4 q = _mm256_round_pd(_mm256_mul_pd(x, set4(1 / P_AS_DOUBLE)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    return _mm256_fnmadd_pd(q, set4(P_AS_DOUBLE), x);
}

/* --- sums of products ------------------------------------------------------------------------------------------------------- */

typedef struct wide {
    d4 high[3], low[3];
} wide;

/* Begins at `low`, integers below 2^51. */
static inline wide wide_from(d3 low)
{
    const d4 h = set4(HIGH_START);
    return (wide){ { h, h, h }, { low.c[0], low.c[1], low.c[2] } };
}

static inline d3 zero3(void)
{
    const d4 z = _mm256_setzero_pd();
    return (d3){ { z, z, z } };
}

static inline void wide_term(wide *w, int k, d4 a, d4 b)
{
    d4 h = _mm256_fmadd_pd(a, b, w->high[k]);
    w->low[k] = add4(w->low[k], _mm256_fmadd_pd(a, b, sub4(w->high[k], h)));
    w->high[k] = h;
}

/* += a b: three terms and at most 5 |a| |b| in a coordinate. */
static inline void wide_add(wide *w, d3 a, d3 b)
{
    d4 b1 = add4(b.c[1], b.c[1]), b2 = add4(b.c[2], b.c[2]);
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

/* T = K p^2: |result| <= (0.5 + 0.08 K) p. The fma is exact: its result is an integer below 2^53. */
static inline d4 reduce1(d4 high, d4 low)
{
    d4 t = sub4(high, set4(HIGH_START));
    d4 q = _mm256_round_pd(_mm256_mul_pd(add4(t, low), set4(1 / P_AS_DOUBLE)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    return add4(_mm256_fnmadd_pd(q, set4(P_AS_DOUBLE), t), low);
}

static inline d3 wide_reduce(const wide *w)
{
    d3 r;
    for (int k = 0; k < 3; k++)
        r.c[k] = reduce1(w->high[k], w->low[k]);
    return r;
}

static inline d3 set3(fx x)
{
    return (d3){ { set4((double)x.c[0]), set4((double)x.c[1]), set4((double)x.c[2]) } };
}

static inline d3 product(d3 a, d3 b)
{
    wide w = wide_from(zero3());
    wide_add(&w, a, b);
    return wide_reduce(&w);
}

/* a b + c d: K = 10 for operands below p, so at most 1.3 p. */
static inline d3 dot2(d3 a, d3 b, d3 c, d3 d)
{
    wide w = wide_from(zero3());
    wide_add(&w, a, b);
    wide_add(&w, c, d);
    return wide_reduce(&w);
}

/* --- factors that are known ahead: plain form, of least magnitude ------------------------------------------------------------ */

typedef struct factor {
    d4 m[5]; /* r0, r1, r2, 2 r1, 2 r2 */
} factor;

static inline d4 plain4(fp a)
{
    return set4((double)fp_to_i64(a));
}

static inline factor factor_of(fx r)
{
    return (factor){ { plain4(r.c[0]), plain4(r.c[1]), plain4(r.c[2]), plain4(fp_add(r.c[1], r.c[1])), plain4(fp_add(r.c[2], r.c[2])) } };
}

/* a + r d, for |a| < 2 p and |d| <= 2 p: K = 3, |result| < 0.8 p. */
static inline d3 plus_product(d3 a, d3 d, const factor *f)
{
    wide w = wide_from(a);
    wide_term(&w, 0, d.c[0], f->m[0]);
    wide_term(&w, 1, d.c[0], f->m[1]);
    wide_term(&w, 2, d.c[0], f->m[2]);
    wide_term(&w, 0, d.c[1], f->m[4]);
    wide_term(&w, 1, d.c[1], f->m[0]);
    wide_term(&w, 2, d.c[1], f->m[1]);
    wide_term(&w, 0, d.c[2], f->m[3]);
    wide_term(&w, 1, d.c[2], f->m[4]);
    wide_term(&w, 2, d.c[2], f->m[0]);
    return wide_reduce(&w);
}

static inline d3 folded(d3 a, d3 b, const factor *r)
{
    return plus_product(a, difference(b, a), r);
}

/* x R^-1, |x| <= 4 p: |result| < 0.8 p. */
static inline d3 without_r(d3 x)
{
    const d4 by = set4((double)(int64_t)fp_to_i64(1)); /* 1 as a Montgomery form is R^-1 */
    for (int k = 0; k < 3; k++) {
        d4 h = _mm256_fmadd_pd(x.c[k], by, set4(HIGH_START));
        x.c[k] = reduce1(h, _mm256_fmadd_pd(x.c[k], by, sub4(set4(HIGH_START), h)));
    }
    return x;
}

/* --- long sums of products ------------------------------------------------------------------------------------------------------ */

enum { SUM_STEPS = 4 }; /* 12 products, K = 25 for |a| < 1.25 p and |b| < p: at most 2.5 p after reduction, and low below 2^53 - 3 p */

typedef struct sums {
    wide    w;
    __m256i total[3];
    int     steps;
} sums;

static inline sums sums_zero(void)
{
    const __m256i z = _mm256_setzero_si256();
    return (sums){ wide_from(zero3()), { z, z, z }, 0 };
}

static inline void sums_flush(sums *s)
{
    d3 r = wide_reduce(&s->w);
    for (int k = 0; k < 3; k++)
        s->total[k] = _mm256_add_epi64(s->total[k], to_signed_integers(r.c[k]));
    s->w = wide_from(zero3());
    s->steps = 0;
}

/* |a| <= 1.3 p, |b| <= p. */
static inline void sums_add(sums *s, d3 a, d3 b)
{
    wide_add(&s->w, a, b);
    if (++s->steps == SUM_STEPS)
        sums_flush(s);
}

/* += x w, |x| <= 2^50. */
static inline void sums_add_scaled(sums *s, d4 x, d3 w)
{
    for (int k = 0; k < 3; k++)
        wide_term(&s->w, k, x, w.c[k]);
    if (++s->steps == SUM_STEPS)
        sums_flush(s);
}

/* All lanes, times R^-divisions: after each 2^12 flushes at most, as |total| < 2^50 each. */
static inline fx sums_done(sums *s, int divisions)
{
    fx x;
    sums_flush(s);
    for (int k = 0; k < 3; k++) {
        int64_t lane[4];
        _mm256_storeu_si256((__m256i *)lane, s->total[k]);
        x.c[k] = 0;
        for (int i = 0; i < 4; i++) {
            int64_t r = lane[i] % (int64_t)FP_P;
            x.c[k] = fp_add(x.c[k], r < 0 ? (fp)(r + (int64_t)FP_P) : (fp)r);
        }
        for (int i = 0; i < divisions; i++)
            x.c[k] = fp_montgomery(x.c[k]);
    }
    *s = sums_zero();
    return x;
}

enum { SUMS_BLOCKS = 4096 }; /* two steps a block: 2^11 flushes */

void fp_rs_parity_rows_avx2(fp *out, const fp *in, unsigned m);
void fxv_from_ints_avx2(fxv *out, const void *data, unsigned bytes, size_t n, fx s);
void fxv_leaf_up_avx2(fx_fractions *out, const int32_t *x0, const int32_t *x1, size_t n, fx a0, fx a1);
void fxv_leaf_up_fold_avx2(fx_fractions *out, const int32_t *const x[4], size_t n, const fx a[4], fx k);
void fxv_leaf_fold_avx2(fxv *out, const int32_t *x0, const int32_t *x1, size_t n, fx c, fx f0, fx f1);
void fxv_leaf_round_avx2(fxv_leaf_sums *out, const int32_t *const x[4], const fxv *w, size_t n);
void fxv_rows_avx2(fxv *out, const fx_ints *m, const fxv *w);
void fxv_cols_avx2(fxv *out, const fx_ints *m, const fxv *v);

#endif
