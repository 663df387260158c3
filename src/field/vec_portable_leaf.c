/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernels of leaves in plain C. */
#include "field/vec_int.h"

static void set_fraction(fx_fractions *out, size_t i, fx p, fx q)
{
    fxv_set(&out[i / FXV_LANES].p, i % FXV_LANES, p);
    fxv_set(&out[i / FXV_LANES].q, i % FXV_LANES, q);
}

void fxv_unit_up_portable(fx_fractions *out, const fxv *q0, const fxv *q1, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        fx a = fxv_get(q0, i), b = fxv_get(q1, i);
        set_fraction(out, i, fx_add(a, b), fx_mul(a, b));
    }
}

void fxv_affine_portable(fxv *a, fx s, fx c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        fxv_set(a, i, fx_add(fx_mul(fxv_get(a, i), s), c));
}

/* ADDED: the sums over one run of lo. */
static void run_round(fx g[2], const fxv *p, const fxv *b, size_t half, size_t first, const fxv *lo, size_t lo_n)
{
    for (size_t j = 0; j < lo_n; j++) {
        size_t i = first + j;
        fx p0 = fxv_get(p, i), b0 = fxv_get(b, i), e = fxv_get(lo, j);
        fx dp = fx_sub(fxv_get(p, i + half), p0), db = fx_sub(fxv_get(b, i + half), b0);
        g[0] = fx_add(g[0], fx_mul(e, fx_mul(p0, b0)));
        g[1] = fx_add(g[1], fx_mul(e, fx_mul(dp, db)));
    }
}

void fxv_eq_round_portable(fx g[2], const fxv *p, const fxv *b, size_t half, const fxv *lo, size_t lo_n, const fxv *hi)
{
    g[0] = g[1] = FX_ZERO;
    for (size_t from = 0; from < half; from += lo_n) {
        fx run[2] = { FX_ZERO, FX_ZERO }, e = fxv_get(hi, from / lo_n);
        run_round(run, p, b, half, from, lo, lo_n);
        g[0] = fx_add(g[0], fx_mul(e, run[0]));
        g[1] = fx_add(g[1], fx_mul(e, run[1]));
    }
}

static void scaled_fold(fxv *a, size_t half, fx k)
{
    for (size_t i = 0; i < half; i++)
        fxv_set(a, i, fx_add(fxv_get(a, i), fx_mul(k, fxv_get(a, i + half))));
}

void fxv_eq_fold_round_portable(fx g[2], fxv *p, fxv *b, size_t half, fx k, const fxv *lo, size_t lo_n, const fxv *hi)
{
    scaled_fold(p, half, k);
    scaled_fold(b, half, k);
    fxv_eq_round_portable(g, p, b, half / 2, lo, lo_n, hi);
}

/* --- integers ----------------------------------------------------------------------------------------------------------- */

static inline fx minus_int(fx a, int32_t x)
{
    a.c[0] = fp_sub(a.c[0], fp_from_i64(x));
    return a;
}

static inline fx times_int(fx a, int64_t x)
{
    return fx_mul_fp(a, fp_from_i64(x));
}

void fxv_leaf_up_portable(fx_fractions *out, const int32_t *x0, const int32_t *x1, size_t n, fx a0, fx a1)
{
    for (size_t i = 0; i < n; i++) {
        fx q0 = minus_int(a0, x0[i]), q1 = minus_int(a1, x1[i]);
        set_fraction(out, i, fx_add(q0, q1), fx_mul(q0, q1));
    }
}

void fxv_leaf_up_fold_portable(fx_fractions *out, const int32_t *const x[4], size_t n, const fx a[4], fx k)
{
    for (size_t i = 0; i < n; i++) {
        fx q[4];
        for (int j = 0; j < 4; j++)
            q[j] = minus_int(a[j], x[j][i]);
        set_fraction(out, i, fx_add(fx_add(q[0], q[1]), fx_mul(k, fx_add(q[2], q[3]))), fx_add(fx_mul(q[0], q[1]), fx_mul(k, fx_mul(q[2], q[3]))));
    }
}

void fxv_leaf_fold_portable(fxv *out, const int32_t *x0, const int32_t *x1, size_t n, fx c, fx f0, fx f1)
{
    for (size_t i = 0; i < n; i++)
        fxv_set(out, i, fx_add(c, fx_add(times_int(f0, x0[i]), times_int(f1, x1[i]))));
}

static void add_to(fx *sum, fx x)
{
    *sum = fx_add(*sum, x);
}

void fxv_leaf_round_portable(fxv_leaf_sums *out, const int32_t *const x[4], const fxv *w, size_t n)
{
    *out = (fxv_leaf_sums){ .one = FX_ZERO };
    for (size_t i = 0; i < n; i++) {
        fx e = fxv_get(w, i);
        add_to(&out->one, e);
        for (int k = 0; k < 4; k++)
            add_to(&out->x[k], times_int(e, x[k][i]));
        add_to(&out->at_0, times_int(e, (int64_t)x[0][i] * x[2][i]));
        add_to(&out->at_top, times_int(e, ((int64_t)x[1][i] - x[0][i]) * ((int64_t)x[3][i] - x[2][i])));
    }
}
