/* SPDX-License-Identifier: Apache-2.0
 *
 * Vectors with AVX2 and FMA. What is shorter than a block is left to the portable kernels. */
#include "field/vec_avx2_int.h"

/* --- element by element ------------------------------------------------------------------------------------------------------ */

static void eq(fxv *out, const fx *r, unsigned k, fx scale)
{
    unsigned b = k < 3 ? k : 3;
    fxv_portable.eq(out, r, b, scale);
    for (; b < k; b++) {
        const factor f = factor_of(r[b]);
        for (size_t n = (size_t)1 << b >> 3, i = 0; i < n; i++)
            for (int h = 0; h < HALVES; h++) {
                d3 x = load3(&out[i], h), one = plus_product(zero3(), x, &f);
                for (int c = 0; c < 3; c++)
                    one.c[c] = positive(one.c[c]);
                store3(&out[i + n], h, one);
                store3(&out[i], h, difference(x, one));
            }
    }
}

static void affine(fxv *a, fx s, fx c, size_t n)
{
    const factor f = factor_of(s);
    const d3     constant = set3(c);
    size_t       blocks = n / FXV_LANES;
    for (size_t i = 0; i < blocks; i++)
        for (int h = 0; h < HALVES; h++)
            store3(&a[i], h, plus_product(constant, load3(&a[i], h), &f));
    fxv_portable.affine(a + blocks, s, c, n % FXV_LANES);
}

static void scale(fxv *a, fx s, size_t n)
{
    affine(a, s, FX_ZERO, n);
}

static void add_blocks(fxv *a, const fxv *b, size_t n, const factor *f)
{
    for (size_t i = 0; i < n; i++)
        for (int h = 0; h < HALVES; h++)
            store3(&a[i], h, plus_product(load3(&a[i], h), load3(&b[i], h), f));
}

static void add_scaled(fxv *a, const fxv *b, fx s, size_t n)
{
    const factor f = factor_of(s);
    size_t       blocks = n / FXV_LANES;
    add_blocks(a, b, blocks, &f);
    fxv_portable.add_scaled(a + blocks, b + blocks, s, n % FXV_LANES);
}

static void mul(fxv *a, const fxv *b, size_t n)
{
    size_t blocks = n / FXV_LANES;
    for (size_t i = 0; i < blocks; i++)
        for (int h = 0; h < HALVES; h++)
            store3(&a[i], h, without_r(product(load3(&a[i], h), load3(&b[i], h))));
    fxv_portable.mul(a + blocks, b + blocks, n % FXV_LANES);
}

static void fold_blocks(fxv *a, const fxv *upper, size_t n, const factor *r)
{
    for (size_t i = 0; i < n; i++)
        for (int h = 0; h < HALVES; h++)
            store3(&a[i], h, folded(load3(&a[i], h), load3(&upper[i], h), r));
}

static void fold(fxv *a, size_t half, fx r)
{
    if (half < FXV_LANES) {
        fxv_portable.fold(a, half, r);
        return;
    }
    const factor f = factor_of(r);
    fold_blocks(a, a + half / FXV_LANES, half / FXV_LANES, &f);
}

/* --- sums of products ---------------------------------------------------------------------------------------------------------- */

static fx dot(const fxv *a, const fxv *b, size_t n)
{
    size_t blocks = n / FXV_LANES;
    fx     total = n % FXV_LANES ? fxv_portable.dot(a + blocks, b + blocks, n % FXV_LANES) : FX_ZERO;
    sums   s = sums_zero();
    for (size_t i = 0; i < blocks; i++) {
        for (int h = 0; h < HALVES; h++)
            sums_add(&s, load3(&a[i], h), load3(&b[i], h));
        if (i % SUMS_BLOCKS == SUMS_BLOCKS - 1)
            total = fx_add(total, sums_done(&s, 1));
    }
    return fx_add(total, sums_done(&s, 1));
}

/* A round of sum p b, or of sum E p b; half in blocks, after the fold (NULL: none), which is to r, or scaled. */
typedef struct product_pass {
    fxv          *p, *b;
    size_t        half;
    const factor *fold, *scaled;
} product_pass;

static inline void product_fold(const product_pass *x, size_t i)
{
    for (size_t at = i; x->fold && at <= i + x->half; at += x->half) {
        fold_blocks(x->p + at, x->p + at + 2 * x->half, 1, x->fold);
        fold_blocks(x->b + at, x->b + at + 2 * x->half, 1, x->fold);
    }
    for (size_t at = i; x->scaled && at <= i + x->half; at += x->half) {
        add_blocks(x->p + at, x->p + at + 2 * x->half, 1, x->scaled);
        add_blocks(x->b + at, x->b + at + 2 * x->half, 1, x->scaled);
    }
}

static void plain_pass(fx g[2], const product_pass *x)
{
    sums at_0 = sums_zero(), at_top = sums_zero();
    for (size_t i = 0; i < x->half; i++) {
        product_fold(x, i);
        for (int h = 0; h < HALVES; h++) {
            d3 p = load3(&x->p[i], h), b = load3(&x->b[i], h);
            sums_add(&at_0, p, b);
            sums_add(&at_top, difference(load3(&x->p[i + x->half], h), p), difference(load3(&x->b[i + x->half], h), b));
        }
        if (i % SUMS_BLOCKS == SUMS_BLOCKS - 1 || i + 1 == x->half) {
            g[0] = fx_add(g[0], sums_done(&at_0, 1));
            g[1] = fx_add(g[1], sums_done(&at_top, 1));
        }
    }
}

static void round_of(fx g[2], const fxv *p, const fxv *b, size_t half)
{
    const product_pass x = { .p = (fxv *)(uintptr_t)p, .b = (fxv *)(uintptr_t)b, .half = half / FXV_LANES };
    if (half < FXV_LANES)
        fxv_portable.round(g, p, b, half);
    else
        plain_pass(g, &x);
}

static void fold_round(fx g[2], fxv *p, fxv *b, size_t half, fx r)
{
    if (half < 2 * FXV_LANES) {
        fold(p, half, r);
        fold(b, half, r);
        fxv_portable.round(g, p, b, half / 2);
        return;
    }
    const factor       f = factor_of(r);
    const product_pass x = { .p = p, .b = b, .half = half / 2 / FXV_LANES, .fold = &f };
    plain_pass(g, &x);
}

static void weighted_pass(fx g[2], const product_pass *x, const fxv *lo, size_t lo_blocks, const fxv *hi)
{
    sums at_0 = sums_zero(), at_top = sums_zero();
    g[0] = g[1] = FX_ZERO;
    for (size_t i = 0; i < x->half; i++) {
        size_t j = i % lo_blocks;
        product_fold(x, i);
        for (int h = 0; h < HALVES; h++) {
            d3 p = load3(&x->p[i], h), b = load3(&x->b[i], h), e = load3(&lo[j], h);
            sums_add(&at_0, product(p, b), e);
            sums_add(&at_top, product(difference(load3(&x->p[i + x->half], h), p), difference(load3(&x->b[i + x->half], h), b)), e);
        }
        if (j % SUMS_BLOCKS == SUMS_BLOCKS - 1 || j + 1 == lo_blocks) {
            fx e = fxv_get(hi, i / lo_blocks);
            g[0] = fx_add(g[0], fx_mul(e, sums_done(&at_0, 2)));
            g[1] = fx_add(g[1], fx_mul(e, sums_done(&at_top, 2)));
        }
    }
}

static void eq_round(fx g[2], const fxv *p, const fxv *b, size_t half, const fxv *lo, size_t lo_n, const fxv *hi)
{
    const product_pass x = { .p = (fxv *)(uintptr_t)p, .b = (fxv *)(uintptr_t)b, .half = half / FXV_LANES };
    if (half < FXV_LANES)
        fxv_portable.eq_round(g, p, b, half, lo, lo_n, hi);
    else
        weighted_pass(g, &x, lo, lo_n / FXV_LANES, hi);
}

static void eq_fold_round(fx g[2], fxv *p, fxv *b, size_t half, fx k, const fxv *lo, size_t lo_n, const fxv *hi)
{
    if (half < 2 * FXV_LANES) { /* reduced, as all is here */
        fxv_portable.eq_fold_round(g, p, b, half, k, lo, lo_n, hi);
        return;
    }
    const factor       f = factor_of(k);
    const product_pass x = { .p = p, .b = b, .half = half / 2 / FXV_LANES, .scaled = &f };
    weighted_pass(g, &x, lo, lo_n / FXV_LANES, hi);
}

/* --- fractions ---------------------------------------------------------------------------------------------------------------- */

static void fractions_add(fx_fractions *out, const fx_fractions *a, const fx_fractions *b, size_t n)
{
    for (size_t i = 0; i < n / FXV_LANES; i++)
        for (int h = 0; h < HALVES; h++) {
            d3 p0 = load3(&a[i].p, h), q0 = load3(&a[i].q, h), p1 = load3(&b[i].p, h), q1 = load3(&b[i].q, h);
            store3(&out[i].p, h, without_r(dot2(p0, q1, p1, q0)));
            store3(&out[i].q, h, without_r(product(q0, q1)));
        }
}

static void fractions_up(fx_fractions *out, const fx_fractions *in, size_t half)
{
    if (half < FXV_LANES) {
        fxv_portable.fractions_up(out, in, half);
        return;
    }
    fractions_add(out, in, in + half / FXV_LANES, half);
}

static void unit_up(fx_fractions *out, const fxv *q0, const fxv *q1, size_t n)
{
    const d4 p = set4(P_AS_DOUBLE);
    size_t   blocks = n / FXV_LANES;
    for (size_t i = 0; i < blocks; i++)
        for (int h = 0; h < HALVES; h++) {
            d3 a = load3(&q0[i], h), b = load3(&q1[i], h);
            store3(&out[i].q, h, without_r(product(a, b)));
            for (int k = 0; k < 3; k++)
                a.c[k] = sub4(add4(a.c[k], b.c[k]), p);
            store3(&out[i].p, h, a);
        }
    fxv_portable.unit_up(out + blocks, q0 + blocks, q1 + blocks, n % FXV_LANES);
}

static void fold_fractions(fx_fractions *a, const fx_fractions *upper, size_t n, const factor *k)
{
    for (size_t i = 0; i < n; i++) {
        add_blocks(&a[i].p, &upper[i].p, 1, k);
        add_blocks(&a[i].q, &upper[i].q, 1, k);
    }
}

static void fractions_fold(fx_fractions *a, size_t half, fx k)
{
    if (half < FXV_LANES) {
        fxv_portable.fractions_fold(a, half, k);
        return;
    }
    const factor f = factor_of(k);
    fold_fractions(a, a + half / FXV_LANES, half / FXV_LANES, &f);
}

/* half in blocks, after the fold. NULL: without that step. */
typedef struct layer_pass {
    fx_fractions *a, *b;
    size_t        half;
    const factor *fold, *absorb;
} layer_pass;

static inline void layer_prepare(const layer_pass *l, size_t i)
{
    for (size_t at = i; at <= i + l->half; at += l->half) {
        if (l->fold) {
            fold_fractions(l->a + at, l->a + at + 2 * l->half, 1, l->fold);
            fold_fractions(l->b + at, l->b + at + 2 * l->half, 1, l->fold);
        }
        for (int h = 0; l->absorb && h < HALVES; h++)
            store3(&l->a[at].p, h, plus_product(load3(&l->a[at].p, h), load3(&l->a[at].q, h), l->absorb));
    }
}

static inline void layer_step(sums *at_0, sums *at_top, const layer_pass *l, size_t i, const fxv *weights)
{
    const fx_fractions *a = &l->a[i], *b = &l->b[i], *a1 = a + l->half, *b1 = b + l->half;
    for (int h = 0; h < HALVES; h++) {
        d3 e = load3(weights, h), p0 = load3(&a->p, h), q0 = load3(&a->q, h), p1 = load3(&b->p, h), q1 = load3(&b->q, h);
        sums_add(at_0, dot2(p0, q1, p1, q0), e);
        sums_add(at_top, dot2(difference(load3(&a1->p, h), p0), difference(load3(&b1->q, h), q1), difference(load3(&b1->p, h), p1),
                              difference(load3(&a1->q, h), q0)), e);
    }
}

static void pass(fx g[2], const layer_pass *l, const fxv *lo, size_t lo_blocks, const fxv *hi)
{
    sums at_0 = sums_zero(), at_top = sums_zero();
    g[0] = g[1] = FX_ZERO;
    for (size_t i = 0; i < l->half; i++) {
        size_t j = i % lo_blocks;
        layer_prepare(l, i);
        layer_step(&at_0, &at_top, l, i, &lo[j]);
        if (j % SUMS_BLOCKS == SUMS_BLOCKS - 1 || j + 1 == lo_blocks) {
            fx e = fxv_get(hi, i / lo_blocks);
            g[0] = fx_add(g[0], fx_mul(e, sums_done(&at_0, 2)));
            g[1] = fx_add(g[1], fx_mul(e, sums_done(&at_top, 2)));
        }
    }
}

static void fractions_absorb_round(fx g[2], fx_fractions *a, const fx_fractions *b, size_t half, fx lambda, const fxv *lo, size_t lo_n,
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

static void fractions_fold_round(fx g[2], fx_fractions *a, fx_fractions *b, size_t half, fx k, const fxv *lo, size_t lo_n, const fxv *hi)
{
    if (half < 2 * FXV_LANES) {
        fractions_fold(a, half, k);
        fractions_fold(b, half, k);
        fxv_fractions_round_portable(g, a, b, half / 2, lo, lo_n, hi);
        return;
    }
    const factor     f = factor_of(k);
    const layer_pass all = { .a = a, .b = b, .half = half / 2 / FXV_LANES, .fold = &f };
    pass(g, &all, lo, lo_n / FXV_LANES, hi);
}

static void rs_parity(fp *out, const fp *in, unsigned m)
{
    fxv_portable.rs_parity(out, in, m);
}

const fxv_kernels fxv_avx2 = {
    .eq = eq,
    .dot = dot,
    .add_scaled = add_scaled,
    .scale = scale,
    .mul = mul,
    .fold = fold,
    .round = round_of,
    .fold_round = fold_round,
    .fractions_up = fractions_up,
    .fractions_add = fractions_add,
    .fractions_fold_round = fractions_fold_round,
    .fractions_fold = fractions_fold,
    .rows = fxv_rows_avx2,
    .cols = fxv_cols_avx2,
    .from_ints = fxv_from_ints_avx2,
    .rs_parity = rs_parity,
    .rs_parity_rows = fp_rs_parity_rows_avx2,
    .fractions_absorb_round = fractions_absorb_round,
    .unit_up = unit_up,
    .affine = affine,
    .eq_round = eq_round,
    .eq_fold_round = eq_fold_round,
    .leaf_up = fxv_leaf_up_avx2,
    .leaf_up_fold = fxv_leaf_up_fold_avx2,
    .leaf_fold = fxv_leaf_fold_avx2,
    .leaf_round = fxv_leaf_round_avx2,
};
