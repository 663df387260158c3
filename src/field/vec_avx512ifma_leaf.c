/* SPDX-License-Identifier: Apache-2.0
 *
 * Leaves with AVX-512 IFMA. Integers are moved by 2^24, so that they are not negative and below 2^25; products of two are below 2^50. */
#include "field/vec_avx512ifma_int.h"

enum { PIECE = 16 }; /* blocks */

static v3 zero3(void)
{
    const v8 z = _mm512_setzero_si512();
    return (v3){ { z, z, z } };
}

static v3 set3(fx x)
{
    return (v3){ { set1(x.c[0]), set1(x.c[1]), set1(x.c[2]) } };
}

/* a + b in [0, p). */
static inline v3 sum3(v3 a, v3 b)
{
    const v8 p = set1(FP_P);
    for (int k = 0; k < 3; k++)
        a.c[k] = less(add(a.c[k], b.c[k]), p);
    return a;
}

void fxv_unit_up_avx512ifma(fx_fractions *out, const fxv *q0, const fxv *q1, size_t n)
{
    size_t blocks = n / FXV_LANES;
    for (size_t i = 0; i < blocks; i++) {
        v3 a = load3(&q0[i]), b = load3(&q1[i]);
        store3(&out[i].p, sum3(a, b));
        store3(&out[i].q, product(a, b));
    }
    fxv_portable.unit_up(out + blocks, q0 + blocks, q1 + blocks, n % FXV_LANES);
}

void fxv_affine_avx512ifma(fxv *a, fx s, fx c, size_t n)
{
    const factor f = factor_of(s);
    const v3     constant = set3(c);
    size_t       blocks = n / FXV_LANES;
    for (size_t i = 0; i < blocks; i++)
        store3(&a[i], reduced8(plus_product(constant, load3(&a[i]), &f)));
    fxv_portable.affine(a + blocks, s, c, n % FXV_LANES);
}

/* --- rounds of E p b ------------------------------------------------------------------------------------------------------ */

/* a b + p, in (0, 5 p) for operands below 4 p: 5 4^2 p^2 / 2^52 + p. Between the rounds values are below 4 p. */
static inline v3 product_plus(v3 a, v3 b)
{
    const v8 p = set1(FP_P), z = _mm512_setzero_si512();
    wide     w = { { z, z, z }, { p, p, p } };
    wide_add(&w, a, b);
    return wide_reduce(&w);
}

static void fold_piece(fxv *a, const fxv *upper, size_t n, const factor *k)
{
    for (size_t i = 0; i < n; i++)
        store3(&a[i], sum_below4(load3(&a[i]), load3(&upper[i]), k));
}

static void round_piece(sums s[2], const fxv *p, const fxv *b, size_t half, size_t n, const fxv *weights)
{
    v3   values[PIECE];
    sums at_0 = s[0];
    for (size_t i = 0; i < n; i++)
        values[i] = product_plus(load3(&p[i]), load3(&b[i]));
    for (size_t i = 0; i < n; i++)
        sums_add(&at_0, with_pairs(values[i]), with_pairs(load3(&weights[i])));
    s[0] = at_0;
    sums at_top = s[1];
    for (size_t i = 0; i < n; i++)
        values[i] = product_plus(difference_below4(load3(&p[half + i]), load3(&p[i])), difference_below4(load3(&b[half + i]), load3(&b[i])));
    for (size_t i = 0; i < n; i++)
        sums_add(&at_top, with_pairs(values[i]), with_pairs(load3(&weights[i])));
    s[1] = at_top;
}

/* half in blocks, after the fold (NULL: none). */
static void pass(fx g[2], fxv *p, fxv *b, size_t half, const factor *r, const fxv *lo, size_t lo_blocks, const fxv *hi)
{
    g[0] = g[1] = FX_ZERO;
    for (size_t from = 0; from < half; from += lo_blocks)
        for (size_t j = 0; j < lo_blocks;) {
            size_t end = lo_blocks - j < SUMS_STEPS ? lo_blocks : j + SUMS_STEPS;
            sums   s[2] = { sums_zero(), sums_zero() };
            for (; j < end; j += PIECE) {
                size_t n = end - j < PIECE ? end - j : PIECE;
                for (size_t at = from + j; r && at <= from + j + half; at += half) {
                    fold_piece(p + at, p + at + 2 * half, n, r);
                    fold_piece(b + at, b + at + 2 * half, n, r);
                }
                round_piece(s, p + from + j, b + from + j, half, n, lo + j);
            }
            j = end;
            fx e = fxv_get(hi, from / lo_blocks);
            g[0] = fx_add(g[0], fx_mul(e, sums_done(&s[0])));
            g[1] = fx_add(g[1], fx_mul(e, sums_done(&s[1])));
        }
}

void fxv_eq_round_avx512ifma(fx g[2], const fxv *p, const fxv *b, size_t half, const fxv *lo, size_t lo_n, const fxv *hi)
{
    if (half < FXV_LANES)
        fxv_portable.eq_round(g, p, b, half, lo, lo_n, hi);
    else
        pass(g, (fxv *)(uintptr_t)p, (fxv *)(uintptr_t)b, half / FXV_LANES, NULL, lo, lo_n / FXV_LANES, hi);
}

static void reduce(fxv *a, size_t blocks)
{
    for (size_t i = 0; i < blocks; i++)
        store3(&a[i], reduced4(load3(&a[i])));
}

void fxv_eq_fold_round_avx512ifma(fx g[2], fxv *p, fxv *b, size_t half, fx k, const fxv *lo, size_t lo_n, const fxv *hi)
{
    if (half < 2 * FXV_LANES) {
        reduce(p, fxv_blocks(2 * half));
        reduce(b, fxv_blocks(2 * half));
        fxv_portable.eq_fold_round(g, p, b, half, k, lo, lo_n, hi);
        return;
    }
    const factor f = factor_of(k);
    pass(g, p, b, half / 2 / FXV_LANES, &f, lo, lo_n / FXV_LANES, hi);
}

/* --- integers ----------------------------------------------------------------------------------------------------------- */

enum { OFFSET = 1 << FXV_LEAF_BITS };

static inline v8 load_moved(const int32_t *x)
{
    return _mm512_cvtepi32_epi64(_mm256_add_epi32(_mm256_loadu_si256((const void *)x), _mm256_set1_epi32(OFFSET)));
}

/* A residue as the factor of a small integer. */
typedef struct small_factor {
    v8 m, q;
} small_factor;

static small_factor small_factor_of(fp m)
{
    return (small_factor){ set1(m), set1(quotient_of(m)) };
}

/* a + sum of d_k f_k, k < n: a < p, d_k < 2^50: [0, (1 + n + sum of d_k / 2^52) p), at most 4.8 p for n = 3. */
static inline __attribute__((always_inline)) v8 combine_small(v8 a, const v8 *d, const small_factor *f, int n)
{
    v8 q = _mm512_setzero_si512();
    for (int k = 0; k < n; k++) {
        q = madd_hi(q, d[k], f[k].q);
        a = madd_lo(a, d[k], f[k].m);
    }
    return _mm512_and_si512(madd_lo(a, q, set1(MASK52 + 1 - FP_P)), set1(MASK52));
}

static inline v8 reduced8_lane(v8 x)
{
    return less(less(less(x, set1(4 * FP_P)), set1(2 * FP_P)), set1(FP_P));
}

/* With y = x + 2^24 and b = a + 2^24: q_0 q_1 = b_0 b_1 - b_0 y_1 - b_1 y_0 + y_0 y_1. */
void fxv_leaf_up_avx512ifma(fx_fractions *out, const int32_t *x0, const int32_t *x1, size_t n, fx a0, fx a1)
{
    const fx     b0 = fx_add(a0, fx_from_i64(OFFSET)), b1 = fx_add(a1, fx_from_i64(OFFSET));
    const v3     sum = set3(fx_add(b0, b1)), product_of_b = set3(fx_mul(b0, b1));
    small_factor minus_one = small_factor_of(fp_neg(FP_ONE)), f[3][3];
    for (int k = 0; k < 3; k++) {
        f[k][0] = small_factor_of(fp_neg(b1.c[k]));
        f[k][1] = small_factor_of(fp_neg(b0.c[k]));
        f[k][2] = small_factor_of(FP_ONE);
    }
    for (size_t i = 0; i < n / FXV_LANES; i++) {
        const v8 y0 = load_moved(x0 + FXV_LANES * i), y1 = load_moved(x1 + FXV_LANES * i), y01 = add(y0, y1);
        const v8 d[3] = { y0, y1, _mm512_mul_epu32(y0, y1) };
        store3(&out[i].p, (v3){ { less(less(combine_small(sum.c[0], &y01, &minus_one, 1), set1(2 * FP_P)), set1(FP_P)), sum.c[1], sum.c[2] } });
        store3(&out[i].q, (v3){ { reduced8_lane(combine_small(product_of_b.c[0], d, f[0], 3)), reduced8_lane(combine_small(product_of_b.c[1], d, f[1], 2)),
                                  reduced8_lane(combine_small(product_of_b.c[2], d, f[2], 2)) } });
    }
}

/* As above with c = k b: p is b_0 + b_1 + c_2 + c_3 - (y_0 + y_1) - k (y_2 + y_3), below 3.1 p, and q is b_0 b_1 + k b_2 b_3 - b_1 y_0 - b_0 y_1 - c_3 y_2 - c_2 y_3 +
 * k y_2 y_3 + y_0 y_1, below (7 + 2 / 4 + 1 / 8) p. */
void fxv_leaf_up_fold_avx512ifma(fx_fractions *out, const int32_t *const x[4], size_t n, const fx a[4], fx k)
{
    fx b[4];
    for (int j = 0; j < 4; j++)
        b[j] = fx_add(a[j], fx_from_i64(OFFSET));
    const fx     c2 = fx_mul(k, b[2]), c3 = fx_mul(k, b[3]), by[6] = { fx_neg(b[1]), fx_neg(b[0]), fx_neg(c3), fx_neg(c2), k, FX_ONE };
    const v3     sum = set3(fx_add(fx_add(b[0], b[1]), fx_add(c2, c3))), product_of_b = set3(fx_add(fx_mul(b[0], b[1]), fx_mul(c2, b[3])));
    small_factor of_pairs[3][2], f[3][6];
    for (int c = 0; c < 3; c++) {
        of_pairs[c][0] = small_factor_of(fp_neg(k.c[c]));
        of_pairs[c][1] = small_factor_of(fp_neg(FX_ONE.c[c]));
        for (int j = 0; j < 6; j++)
            f[c][j] = small_factor_of(by[j].c[c]);
    }
    for (size_t i = 0; i < n / FXV_LANES; i++) {
        v8 y[6];
        for (int j = 0; j < 4; j++)
            y[j] = load_moved(x[j] + FXV_LANES * i);
        y[4] = _mm512_mul_epu32(y[2], y[3]);
        y[5] = _mm512_mul_epu32(y[0], y[1]);
        const v8 pair[2] = { add(y[2], y[3]), add(y[0], y[1]) };
        const v3 p = { { combine_small(sum.c[0], pair, of_pairs[0], 2), combine_small(sum.c[1], pair, of_pairs[1], 1), combine_small(sum.c[2], pair, of_pairs[2], 1) } };
        const v3 q = { { combine_small(product_of_b.c[0], y, f[0], 6), combine_small(product_of_b.c[1], y, f[1], 5), combine_small(product_of_b.c[2], y, f[2], 5) } };
        store3(&out[i].p, p);
        store3(&out[i].q, below4(q));
    }
}

void fxv_leaf_fold_avx512ifma(fxv *out, const int32_t *x0, const int32_t *x1, size_t n, fx c, fx f0, fx f1)
{
    const v3     constant = set3(fx_sub(c, fx_mul(fx_add(f0, f1), fx_from_i64(OFFSET))));
    small_factor f[3][2];
    for (int k = 0; k < 3; k++) {
        f[k][0] = small_factor_of(f0.c[k]);
        f[k][1] = small_factor_of(f1.c[k]);
    }
    for (size_t i = 0; i < n / FXV_LANES; i++) {
        const v8 d[2] = { load_moved(x0 + FXV_LANES * i), load_moved(x1 + FXV_LANES * i) };
        v3       y;
        for (int k = 0; k < 3; k++)
            y.c[k] = less(less(combine_small(constant.c[k], d, f[k], 2), set1(2 * FP_P)), set1(FP_P)); /* below 3.1 p: integers, not products */
        store3(&out[i], y);
    }
}

/* Sums of a weight in [0, p) times an integer below 2^51: per step less than 2^52 in lo, 2^47 in hi. */
typedef struct int_sums {
    v8 lo[3], hi[3];
} int_sums;

static inline void int_sums_add(int_sums *s, v3 w, v8 y)
{
    for (int k = 0; k < 3; k++) {
        s->lo[k] = madd_lo(s->lo[k], w.c[k], y);
        s->hi[k] = madd_hi(s->hi[k], w.c[k], y);
    }
}

/* sums_reduce divides by 2^52, which an integer factor does not have. */
static fx int_sums_done(const int_sums *s)
{
    fx x;
    for (int k = 0; k < 3; k++) {
        v8 hi = add(s->hi[k], _mm512_srli_epi64(s->lo[k], 52)), lo = _mm512_and_si512(s->lo[k], set1(MASK52));
        x.c[k] = fp_mul(sums_reduce((uint64_t)_mm512_reduce_add_epi64(hi), (uint64_t)_mm512_reduce_add_epi64(lo)), FP_R2);
    }
    return x;
}

static int_sums int_sums_zero(void)
{
    const v8 z = _mm512_setzero_si512();
    return (int_sums){ { z, z, z }, { z, z, z } };
}

/* sum w and sum w y of two arrays. */
static void linear_sums(fx *one, fx *x0, fx *x1, const int32_t *in0, const int32_t *in1, const fxv *w, size_t blocks)
{
    v3       total = zero3();
    int_sums s0 = int_sums_zero(), s1 = int_sums_zero();
    for (size_t i = 0; i < blocks; i++) {
        v3 e = load3(&w[i]);
        for (int k = 0; k < 3; k++)
            total.c[k] = add(total.c[k], e.c[k]); /* below SUMS_STEPS p */
        int_sums_add(&s0, e, load_moved(in0 + FXV_LANES * i));
        int_sums_add(&s1, e, load_moved(in1 + FXV_LANES * i));
    }
    for (int k = 0; k < 3; k++)
        one->c[k] = (uint64_t)_mm512_reduce_add_epi64(total.c[k]) % FP_P;
    *x0 = int_sums_done(&s0);
    *x1 = int_sums_done(&s1);
}

/* sum w y_0 y_2 and sum w ((y_1 - y_0) (y_3 - y_2) + 2^50). */
static void product_sums(fx *at_0, fx *at_top, const int32_t *const x[4], const fxv *w, size_t blocks)
{
    int_sums s0 = int_sums_zero(), s1 = int_sums_zero();
    for (size_t i = 0; i < blocks; i++) {
        v3 e = load3(&w[i]);
        v8 y[4];
        for (int k = 0; k < 4; k++)
            y[k] = load_moved(x[k] + FXV_LANES * i);
        int_sums_add(&s0, e, _mm512_mul_epu32(y[0], y[2]));
        int_sums_add(&s1, e, add(_mm512_mul_epi32(sub(y[1], y[0]), sub(y[3], y[2])), set1(UINT64_C(1) << (2 * FXV_LEAF_BITS + 2))));
    }
    *at_0 = int_sums_done(&s0);
    *at_top = int_sums_done(&s1);
}

static void sums_of_run(fxv_leaf_sums *s, const int32_t *const x[4], const fxv *w, size_t blocks)
{
    const fx by = fx_from_i64(OFFSET), by2 = fx_from_i64((int64_t)OFFSET * OFFSET);
    linear_sums(&s->one, &s->x[0], &s->x[1], x[0], x[1], w, blocks);
    linear_sums(&s->one, &s->x[2], &s->x[3], x[2], x[3], w, blocks);
    product_sums(&s->at_0, &s->at_top, x, w, blocks);
    fx moved = fx_mul(by, s->one);
    s->at_0 = fx_add(fx_sub(s->at_0, fx_mul(by, fx_add(s->x[0], s->x[2]))), fx_mul(by2, s->one));
    s->at_top = fx_sub(s->at_top, fx_mul(fx_mul_fp(by2, fp_from_u64(4)), s->one));
    for (int k = 0; k < 4; k++)
        s->x[k] = fx_sub(s->x[k], moved);
}

void fxv_leaf_round_avx512ifma(fxv_leaf_sums *out, const int32_t *const x[4], const fxv *w, size_t n)
{
    *out = (fxv_leaf_sums){ .one = FX_ZERO };
    for (size_t at = 0, blocks = n / FXV_LANES; at < blocks; at += SUMS_STEPS) {
        fxv_leaf_sums s;
        size_t        from = FXV_LANES * at;
        sums_of_run(&s, (const int32_t *const[]){ x[0] + from, x[1] + from, x[2] + from, x[3] + from }, w + at,
                    blocks - at < SUMS_STEPS ? blocks - at : SUMS_STEPS);
        out->one = fx_add(out->one, s.one);
        for (int k = 0; k < 4; k++)
            out->x[k] = fx_add(out->x[k], s.x[k]);
        out->at_0 = fx_add(out->at_0, s.at_0);
        out->at_top = fx_add(out->at_top, s.at_top);
    }
}
