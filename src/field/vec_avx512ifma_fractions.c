/* SPDX-License-Identifier: Apache-2.0
 *
 * Fractions with AVX-512 IFMA. A layer round goes through its arrays in pieces that stay in the first cache: fold a piece, make the values of the gate
 * for it, add these up with their weights; so each of the three loops keeps its sums in registers. Between the rounds of a layer values are below 4 p. */
#include "field/vec_avx512ifma_int.h"

enum { PIECE = 8 }; /* blocks */
_Static_assert(((u128)160 * FP_P * FP_P >> 52) < 8 * FP_P && 18 * FP_P <= MASK52, "values of the gate are below 9 p, of two operands 5 4^2 p^2 each");

/* a b + c d + p: at most T 2^-52 + p. */
static inline v3 dot2(v3 a, v3 b, v3 c, v3 d)
{
    const v8 p = set1(FP_P), z = _mm512_setzero_si512();
    wide     w = { { z, z, z }, { p, p, p } };
    wide_add(&w, a, b);
    wide_add(&w, c, d);
    return wide_reduce(&w);
}

void fxv_fractions_add_avx512ifma(fx_fractions *out, const fx_fractions *a, const fx_fractions *b, size_t n)
{
    const v8 p = set1(FP_P);
    for (size_t i = 0; i < n / FXV_LANES; i++) {
        v3 p0 = load3(&a[i].p), q0 = load3(&a[i].q), p1 = load3(&b[i].p), q1 = load3(&b[i].q);
        v3 sum = dot2(p0, q1, p1, q0); /* 10 p^2: below 1.5 p */
        for (int k = 0; k < 3; k++)
            sum.c[k] = less(sum.c[k], p);
        store3(&out[i].p, sum);
        store3(&out[i].q, product(q0, q1));
    }
}

void fxv_fractions_up_avx512ifma(fx_fractions *out, const fx_fractions *in, size_t half)
{
    if (half < FXV_LANES)
        fxv_portable.fractions_up(out, in, half);
    else
        fxv_fractions_add_avx512ifma(out, in, in + half / FXV_LANES, half);
}

static void fold_piece(fx_fractions *a, const fx_fractions *upper, size_t n, const factor *k)
{
    for (size_t i = 0; i < n; i++) {
        store3(&a[i].p, sum_below4(load3(&a[i].p), load3(&upper[i].p), k));
        store3(&a[i].q, sum_below4(load3(&a[i].q), load3(&upper[i].q), k));
    }
}

/* p += lambda q. */
static void absorb_piece(fx_fractions *a, size_t n, const factor *lambda)
{
    for (size_t i = 0; i < n; i++)
        store3(&a[i].p, sum_below4(load3(&a[i].p), load3(&a[i].q), lambda));
}

void fxv_fractions_fold_avx512ifma(fx_fractions *a, size_t half, fx k)
{
    if (half < FXV_LANES) {
        fxv_portable.fractions_fold(a, half, k);
        return;
    }
    const factor        f = factor_of(k);
    const fx_fractions *upper = a + half / FXV_LANES;
    for (size_t i = 0; i < half / FXV_LANES; i++) {
        store3(&a[i].p, reduced8(plus_product(load3(&a[i].p), load3(&upper[i].p), &f)));
        store3(&a[i].q, reduced8(plus_product(load3(&a[i].q), load3(&upper[i].q), &f)));
    }
}

/* --- layer rounds ------------------------------------------------------------------------------------------------------- */

/* The gate's values of a piece, at X = 0 and of X^2. */
typedef struct gate_values {
    v3 at_0[PIECE], at_top[PIECE];
} gate_values;

static inline void gate_piece(gate_values *v, const fx_fractions *a, const fx_fractions *b, size_t half, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const fx_fractions *a1 = a + half + i, *b1 = b + half + i;
        v->at_0[i] = dot2(load3(&a[i].p), load3(&b[i].q), load3(&b[i].p), load3(&a[i].q));
        v->at_top[i] = dot2(difference_below4(load3(&a1->p), load3(&a[i].p)), difference_below4(load3(&b1->q), load3(&b[i].q)),
                            difference_below4(load3(&b1->p), load3(&b[i].p)), difference_below4(load3(&a1->q), load3(&a[i].q)));
    }
}

static void weigh_piece(sums s[2], const gate_values *v, const fxv *weights, size_t n)
{
    sums at_0 = s[0];
    for (size_t i = 0; i < n; i++)
        sums_add(&at_0, with_pairs(v->at_0[i]), with_pairs(load3(&weights[i])));
    s[0] = at_0;
    sums at_top = s[1];
    for (size_t i = 0; i < n; i++)
        sums_add(&at_top, with_pairs(v->at_top[i]), with_pairs(load3(&weights[i])));
    s[1] = at_top;
}

/* What a pass over a layer needs; counts are of blocks. half: of the arrays after the fold, if there is one. */
typedef struct layer_pass {
    fx_fractions *a, *b;
    size_t        half;
    const factor *fold, *absorb; /* NULL: without that step */
} layer_pass;

static inline void pass_piece(sums s[2], const layer_pass *l, size_t i, size_t n, const fxv *weights)
{
    gate_values v;
    size_t      half = l->half;
    for (size_t at = i; at <= i + half; at += half) { /* both halves of what is left */
        if (l->fold) {
            fold_piece(l->a + at, l->a + at + 2 * half, n, l->fold);
            fold_piece(l->b + at, l->b + at + 2 * half, n, l->fold);
        }
        if (l->absorb)
            absorb_piece(l->a + at, n, l->absorb);
    }
    gate_piece(&v, l->a + i, l->b + i, half, n);
    weigh_piece(s, &v, weights, n);
}

static void pass(fx g[2], const layer_pass *l, const fxv *lo, size_t lo_blocks, const fxv *hi)
{
    g[0] = g[1] = FX_ZERO;
    for (size_t from = 0; from < l->half; from += lo_blocks)
        for (size_t j = 0; j < lo_blocks;) {
            size_t end = lo_blocks - j < SUMS_STEPS ? lo_blocks : j + SUMS_STEPS;
            sums   s[2] = { sums_zero(), sums_zero() };
            for (; j < end; j += PIECE)
                pass_piece(s, l, from + j, end - j < PIECE ? end - j : PIECE, lo + j);
            j = end;
            fx e = fxv_get(hi, from / lo_blocks);
            g[0] = fx_add(g[0], fx_mul(e, sums_done(&s[0])));
            g[1] = fx_add(g[1], fx_mul(e, sums_done(&s[1])));
        }
}

void fxv_fractions_absorb_round_avx512ifma(fx g[2], fx_fractions *a, const fx_fractions *b, size_t half, fx lambda, const fxv *lo, size_t lo_n,
                                           const fxv *hi)
{
    if (half < FXV_LANES) {
        fxv_portable.fractions_absorb_round(g, a, b, half, lambda, lo, lo_n, hi);
        return;
    }
    const factor     l = factor_of(lambda);
    const layer_pass all = { .a = a, .b = (fx_fractions *)(uintptr_t)b, .half = half / FXV_LANES, .absorb = &l };
    pass(g, &all, lo, lo_n / FXV_LANES, hi);
}

void fxv_fractions_fold_round_avx512ifma(fx g[2], fx_fractions *a, fx_fractions *b, size_t half, fx k, const fxv *lo, size_t lo_n, const fxv *hi)
{
    if (half < 2 * FXV_LANES) {
        fxv_fractions_fold_avx512ifma(a, half, k);
        fxv_fractions_fold_avx512ifma(b, half, k);
        fxv_fractions_round_portable(g, a, b, half / 2, lo, lo_n, hi);
        return;
    }
    const factor     f = factor_of(k);
    const layer_pass all = { .a = a, .b = b, .half = half / 2 / FXV_LANES, .fold = &f };
    pass(g, &all, lo, lo_n / FXV_LANES, hi);
}
