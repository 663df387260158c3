/* SPDX-License-Identifier: Apache-2.0
 *
 * Vectors with AVX-512 IFMA. Lengths that end inside a block leave its other lanes alone: whole blocks here, the rest by the portable kernels. */
#include "field/vec_avx512ifma_int.h"

/* --- element by element --------------------------------------------------------------------------------------------------- */

static void eq(fxv *out, const fx *r, unsigned k, fx scale)
{
    unsigned b = k < 3 ? k : 3;
    fxv_portable.eq(out, r, b, scale);
    const v8 p = set1(FP_P), z = _mm512_setzero_si512();
    const v3 zero = { { z, z, z } };
    for (; b < k; b++) {
        const factor f = factor_of(r[b]);
        for (size_t n = (size_t)1 << b >> 3, i = 0; i < n; i++) {
            v3 x = load3(&out[i]), one = reduced4(plus_product(zero, x, &f));
            store3(&out[i + n], one);
            for (int c = 0; c < 3; c++)
                x.c[c] = positive(sub(x.c[c], one.c[c]), p);
            store3(&out[i], x);
        }
    }
}

static void add_scaled(fxv *a, const fxv *b, fx s, size_t n)
{
    const factor f = factor_of(s);
    size_t       blocks = n / FXV_LANES;
    for (size_t i = 0; i < blocks; i++)
        store3(&a[i], reduced8(plus_product(load3(&a[i]), load3(&b[i]), &f)));
    fxv_portable.add_scaled(a + blocks, b + blocks, s, n % FXV_LANES);
}

static void scale(fxv *a, fx s, size_t n)
{
    const v8     z = _mm512_setzero_si512();
    const v3     zero = { { z, z, z } };
    const factor f = factor_of(s);
    size_t       blocks = n / FXV_LANES;
    for (size_t i = 0; i < blocks; i++)
        store3(&a[i], reduced4(plus_product(zero, load3(&a[i]), &f)));
    fxv_portable.scale(a + blocks, s, n % FXV_LANES);
}

static void mul(fxv *a, const fxv *b, size_t n)
{
    size_t blocks = n / FXV_LANES;
    for (size_t i = 0; i < blocks; i++)
        store3(&a[i], product(load3(&a[i]), load3(&b[i])));
    fxv_portable.mul(a + blocks, b + blocks, n % FXV_LANES);
}

/* --- sums --------------------------------------------------------------------------------------------------------------- */

static fx dot(const fxv *a, const fxv *b, size_t n)
{
    size_t blocks = n / FXV_LANES;
    fx     total = n % FXV_LANES ? fxv_portable.dot(a + blocks, b + blocks, n % FXV_LANES) : FX_ZERO;
    for (size_t i = 0; i < blocks;) {
        size_t end = blocks - i < SUMS_STEPS ? blocks : i + SUMS_STEPS;
        sums   s = sums_zero();
        for (; i < end; i++)
            sums_add(&s, with_pairs(load3(&a[i])), with_pairs(load3(&b[i])));
        total = fx_add(total, sums_done(&s));
    }
    return total;
}

static void fold_blocks(fxv *a, const fxv *upper, size_t n, const factor *r)
{
    for (size_t i = 0; i < n; i++)
        store3(&a[i], folded(load3(&a[i]), load3(&upper[i]), r));
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

enum { PIECE = 16 }; /* blocks, of a fold and of the sums that follow it */

static void round_piece(sums s[2], const fxv *p, const fxv *b, size_t half, size_t n)
{
    sums at_0 = s[0];
    for (size_t i = 0; i < n; i++)
        sums_add(&at_0, with_pairs(load3(&p[i])), with_pairs(load3(&b[i])));
    s[0] = at_0;
    sums at_top = s[1];
    for (size_t i = 0; i < n; i++)
        sums_add(&at_top, with_pairs(difference(load3(&p[half + i]), load3(&p[i]))), with_pairs(difference(load3(&b[half + i]), load3(&b[i]))));
    s[1] = at_top;
}

/* half in blocks, after the fold (NULL: none). */
static void pass(fx g[2], fxv *p, fxv *b, size_t half, const factor *r)
{
    for (size_t i = 0; i < half;) {
        size_t end = half - i < SUMS_STEPS ? half : i + SUMS_STEPS;
        sums   s[2] = { sums_zero(), sums_zero() };
        for (; i < end; i += PIECE) {
            size_t n = end - i < PIECE ? end - i : PIECE;
            if (r)
                for (size_t at = i; at <= i + half; at += half) {
                    fold_blocks(p + at, p + at + 2 * half, n, r);
                    fold_blocks(b + at, b + at + 2 * half, n, r);
                }
            round_piece(s, p + i, b + i, half, n);
        }
        i = end;
        g[0] = fx_add(g[0], sums_done(&s[0]));
        g[1] = fx_add(g[1], sums_done(&s[1]));
    }
}

static void round_of(fx g[2], const fxv *p, const fxv *b, size_t half)
{
    if (half < FXV_LANES)
        fxv_portable.round(g, p, b, half);
    else
        pass(g, (fxv *)(uintptr_t)p, (fxv *)(uintptr_t)b, half / FXV_LANES, NULL);
}

static void fold_round(fx g[2], fxv *p, fxv *b, size_t half, fx r)
{
    if (half < 2 * FXV_LANES) {
        fold(p, half, r);
        fold(b, half, r);
        fxv_portable.round(g, p, b, half / 2);
        return;
    }
    const factor f = factor_of(r);
    pass(g, p, b, half / 2 / FXV_LANES, &f);
}

const fxv_kernels fxv_avx512ifma = {
    .eq = eq,
    .dot = dot,
    .add_scaled = add_scaled,
    .scale = scale,
    .mul = mul,
    .fold = fold,
    .round = round_of,
    .fold_round = fold_round,
    .fractions_up = fxv_fractions_up_avx512ifma,
    .fractions_add = fxv_fractions_add_avx512ifma,
    .fractions_fold_round = fxv_fractions_fold_round_avx512ifma,
    .fractions_fold = fxv_fractions_fold_avx512ifma,
    .rows = fxv_rows_avx512ifma,
    .cols = fxv_cols_avx512ifma,
    .from_ints = fxv_from_ints_avx512ifma,
    .rs_parity = fp_rs_parity_avx512ifma,
    .rs_parity_rows = fp_rs_parity_rows_avx512ifma,
    .fractions_absorb_round = fxv_fractions_absorb_round_avx512ifma,
    .unit_up = fxv_unit_up_avx512ifma,
    .affine = fxv_affine_avx512ifma,
    .eq_round = fxv_eq_round_avx512ifma,
    .eq_fold_round = fxv_eq_fold_round_avx512ifma,
    .leaf_up = fxv_leaf_up_avx512ifma,
    .leaf_up_fold = fxv_leaf_up_fold_avx512ifma,
    .leaf_fold = fxv_leaf_fold_avx512ifma,
    .leaf_round = fxv_leaf_round_avx512ifma,
};
