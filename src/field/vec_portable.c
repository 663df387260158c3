/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernels in plain C: the meaning of every other instruction set, and what they fall back to for arrays shorter than a block. */
#include "field/vec_int.h"

#include <string.h>

/* --- sums of products, reduced once --------------------------------------------------------------------------------- */

/* Each product adds less than 5 p^2 < 2^98 to a coordinate: 2^30 products fit. */
typedef struct sums {
    u128 c[3];
} sums;

static inline void sums_add(sums *s, fx a, fx b)
{
    u128 a0 = a.c[0], a1 = a.c[1], a2 = a.c[2];
    s->c[0] += a0 * b.c[0] + 2 * (a1 * b.c[2] + a2 * b.c[1]);
    s->c[1] += a0 * b.c[1] + a1 * b.c[0] + 2 * (a2 * b.c[2]);
    s->c[2] += a0 * b.c[2] + a1 * b.c[1] + a2 * b.c[0];
}

enum { SUMS_FLUSH = 1 << 29 };

/* t 2^-52 mod p for any t: the bits from 96 on by 2^96 mod p. */
static inline fp reduce_wide(u128 t)
{
    const uint64_t top = (uint64_t)(((u128)1 << 96) % FP_P);
    u128 low = t & (((u128)1 << 96) - 1);
    return fp_add(fp_montgomery(low), fp_montgomery((u128)(uint64_t)(t >> 96) * top));
}

static fx sums_done(const sums *s)
{
    return (fx){ { reduce_wide(s->c[0]), reduce_wide(s->c[1]), reduce_wide(s->c[2]) } };
}

/* a b + c d: at most 10 p^2 < 2^52 p in a coordinate. */
static inline fx dot2(fx a, fx b, fx c, fx d)
{
    sums s = { { 0, 0, 0 } };
    sums_add(&s, a, b);
    sums_add(&s, c, d);
    return (fx){ { fp_montgomery(s.c[0]), fp_montgomery(s.c[1]), fp_montgomery(s.c[2]) } };
}

static inline fx lerp(fx a, fx b, fx r)
{
    return fx_add(a, fx_mul(r, fx_sub(b, a)));
}

/* --- vectors -------------------------------------------------------------------------------------------------------- */

static void eq(fxv *out, const fx *r, unsigned k, fx scale)
{
    memset(out, 0, sizeof *out); /* a short table has zeros after it */
    fxv_set(out, 0, scale);
    for (unsigned b = 0; b < k; b++)
        for (size_t n = (size_t)1 << b, i = 0; i < n; i++) {
            fx x = fxv_get(out, i), one = fx_mul(x, r[b]);
            fxv_set(out, i + n, one);
            fxv_set(out, i, fx_sub(x, one));
        }
}

static fx dot(const fxv *a, const fxv *b, size_t n)
{
    fx   done = FX_ZERO;
    sums s = { { 0, 0, 0 } };
    for (size_t i = 0; i < n; i++) {
        sums_add(&s, fxv_get(a, i), fxv_get(b, i));
        if (i % SUMS_FLUSH == SUMS_FLUSH - 1) {
            done = fx_add(done, sums_done(&s));
            s = (sums){ { 0, 0, 0 } };
        }
    }
    return fx_add(done, sums_done(&s));
}

static void add_scaled(fxv *a, const fxv *b, fx s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        fxv_set(a, i, fx_add(fxv_get(a, i), fx_mul(s, fxv_get(b, i))));
}

static void scale(fxv *a, fx s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        fxv_set(a, i, fx_mul(s, fxv_get(a, i)));
}

static void mul(fxv *a, const fxv *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        fxv_set(a, i, fx_mul(fxv_get(a, i), fxv_get(b, i)));
}

static void fold(fxv *a, size_t half, fx r)
{
    for (size_t i = 0; i < half; i++)
        fxv_set(a, i, lerp(fxv_get(a, i), fxv_get(a, i + half), r));
}

static void round_of(fx g[2], const fxv *p, const fxv *b, size_t half)
{
    fx   d0 = FX_ZERO, d1 = FX_ZERO;
    sums s0 = { { 0, 0, 0 } }, s1 = s0;
    for (size_t i = 0; i < half; i++) {
        fx p0 = fxv_get(p, i), b0 = fxv_get(b, i);
        sums_add(&s0, p0, b0);
        sums_add(&s1, fx_sub(fxv_get(p, i + half), p0), fx_sub(fxv_get(b, i + half), b0));
        if (i % SUMS_FLUSH == SUMS_FLUSH - 1) {
            d0 = fx_add(d0, sums_done(&s0));
            d1 = fx_add(d1, sums_done(&s1));
            s0 = s1 = (sums){ { 0, 0, 0 } };
        }
    }
    g[0] = fx_add(g[0], fx_add(d0, sums_done(&s0)));
    g[1] = fx_add(g[1], fx_add(d1, sums_done(&s1)));
}

static void fold_round(fx g[2], fxv *p, fxv *b, size_t half, fx r)
{
    fold(p, half, r);
    fold(b, half, r);
    round_of(g, p, b, half / 2);
}

/* --- fractions ------------------------------------------------------------------------------------------------------ */

typedef struct fraction {
    fx p, q;
} fraction;

static inline fraction get(const fx_fractions *a, size_t i)
{
    const fx_fractions *f = &a[i / FXV_LANES];
    return (fraction){ fxv_get(&f->p, i % FXV_LANES), fxv_get(&f->q, i % FXV_LANES) };
}

static inline void set(fx_fractions *a, size_t i, fraction x)
{
    fx_fractions *f = &a[i / FXV_LANES];
    fxv_set(&f->p, i % FXV_LANES, x.p);
    fxv_set(&f->q, i % FXV_LANES, x.q);
}

static inline fraction fraction_sub(fraction a, fraction b)
{
    return (fraction){ fx_sub(a.p, b.p), fx_sub(a.q, b.q) };
}

static void fractions_add(fx_fractions *out, const fx_fractions *a, const fx_fractions *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        fraction x = get(a, i), y = get(b, i);
        set(out, i, (fraction){ dot2(x.p, y.q, y.p, x.q), fx_mul(x.q, y.q) });
    }
}

static void fractions_up(fx_fractions *out, const fx_fractions *in, size_t half)
{
    for (size_t i = 0; i < half; i++) {
        fraction a = get(in, i), b = get(in, i + half);
        set(out, i, (fraction){ dot2(a.p, b.q, b.p, a.q), fx_mul(a.q, b.q) });
    }
    for (size_t i = half; i < FXV_LANES; i++)
        set(out, i, (fraction){ FX_ZERO, FX_ZERO });
}

void fxv_fractions_round_portable(fx g[2], const fx_fractions *a, const fx_fractions *b, size_t half, const fxv *lo, size_t lo_n, const fxv *hi)
{
    g[0] = g[1] = FX_ZERO;
    for (size_t from = 0; from < half; from += lo_n) {
        sums s0 = { { 0, 0, 0 } }, s1 = s0; /* lo_n is an eq table in memory, far below 2^30 */
        for (size_t j = 0; j < lo_n; j++) {
            size_t   i = from + j;
            fraction a0 = get(a, i), b0 = get(b, i);
            fraction ad = fraction_sub(get(a, i + half), a0), bd = fraction_sub(get(b, i + half), b0);
            fx       e = fxv_get(lo, j);
            sums_add(&s0, dot2(a0.p, b0.q, b0.p, a0.q), e);
            sums_add(&s1, dot2(ad.p, bd.q, bd.p, ad.q), e);
        }
        fx e = fxv_get(hi, from / lo_n);
        g[0] = fx_add(g[0], fx_mul(e, sums_done(&s0)));
        g[1] = fx_add(g[1], fx_mul(e, sums_done(&s1)));
    }
}

static void fractions_absorb_round(fx g[2], fx_fractions *a, const fx_fractions *b, size_t half, fx lambda, const fxv *lo, size_t lo_n,
                                   const fxv *hi)
{
    for (size_t i = 0; i < 2 * half; i++) {
        fraction x = get(a, i);
        set(a, i, (fraction){ fx_add(x.p, fx_mul(lambda, x.q)), x.q });
    }
    fxv_fractions_round_portable(g, a, b, half, lo, lo_n, hi);
}

static void fractions_fold(fx_fractions *a, size_t half, fx k)
{
    for (size_t i = 0; i < half; i++) {
        fraction x = get(a, i), y = get(a, i + half);
        set(a, i, (fraction){ fx_add(x.p, fx_mul(k, y.p)), fx_add(x.q, fx_mul(k, y.q)) });
    }
}

static void fractions_fold_round(fx g[2], fx_fractions *a, fx_fractions *b, size_t half, fx k, const fxv *lo, size_t lo_n, const fxv *hi)
{
    fractions_fold(a, half, k);
    fractions_fold(b, half, k);
    fxv_fractions_round_portable(g, a, b, half / 2, lo, lo_n, hi);
}

/* --- small integers: fx times integer, Montgomery form kept ------------------------------------------------------------ */

/* Signed sums of coordinate times integer: below 2^48 2^47 each, so 2^31 of them fit. */
typedef struct int_sums {
    i128 c[3];
} int_sums;

enum { INT_SUMS_FLUSH = 1 << 30 };

static inline void int_sums_add(int_sums *s, fx a, int64_t x)
{
    for (int k = 0; k < 3; k++)
        s->c[k] += (i128)a.c[k] * x;
}

static inline fp reduce_signed(i128 t)
{
    fp r = fp_mul(reduce_wide(t < 0 ? -(u128)t : (u128)t), FP_R2);
    return t < 0 ? fp_neg(r) : r;
}

static fx int_sums_done(const int_sums *s)
{
    return (fx){ { reduce_signed(s->c[0]), reduce_signed(s->c[1]), reduce_signed(s->c[2]) } };
}

enum { ROWS_COLS = 64 }; /* columns at a time, so that the sums stay in the first cache */

static void rows_piece(fxv *out, const fx_ints *m, const fxv *w, size_t j0, size_t n, size_t i0, size_t i1)
{
    int_sums s[ROWS_COLS] = { { { 0, 0, 0 } } };
    for (size_t i = i0; i < i1; i++) {
        fx weight = fxv_get(w, i);
        for (size_t j = 0; j < n; j++)
            int_sums_add(&s[j], weight, fx_ints_at(m->data, m->bytes, i * m->stride + j0 + j));
    }
    for (size_t j = 0; j < n; j++)
        fxv_set(out, j0 + j, fx_add(fxv_get(out, j0 + j), int_sums_done(&s[j])));
}

static void rows(fxv *out, const fx_ints *m, const fxv *w)
{
    for (size_t i0 = 0; i0 < m->rows; i0 += INT_SUMS_FLUSH)
        for (size_t j0 = 0; j0 < m->cols; j0 += ROWS_COLS) {
            size_t i1 = m->rows - i0 < INT_SUMS_FLUSH ? m->rows : i0 + INT_SUMS_FLUSH;
            rows_piece(out, m, w, j0, m->cols - j0 < ROWS_COLS ? m->cols - j0 : ROWS_COLS, i0, i1);
        }
}

static void cols(fxv *out, const fx_ints *m, const fxv *v)
{
    for (size_t i = 0; i < m->rows; i++)
        for (size_t j0 = 0; j0 < m->cols; j0 += INT_SUMS_FLUSH) {
            int_sums s = { { 0, 0, 0 } };
            for (size_t j = j0; j < m->cols && j - j0 < INT_SUMS_FLUSH; j++)
                int_sums_add(&s, fxv_get(v, j), fx_ints_at(m->data, m->bytes, i * m->stride + j));
            fxv_set(out, i, fx_add(fxv_get(out, i), int_sums_done(&s)));
        }
}

static void from_ints(fxv *out, const void *data, unsigned bytes, size_t n, fx s)
{
    if (n % FXV_LANES)
        memset(&out[n / FXV_LANES], 0, sizeof *out);
    fx by = fx_mul_fp(s, FP_R2); /* so that a plain integer is its other factor */
    for (size_t i = 0; i < n; i++) {
        int64_t x = fx_ints_at(data, bytes, i);
        fx      y = fx_mul_fp(by, x < 0 ? 0 - (uint64_t)x : (uint64_t)x);
        fxv_set(out, i, x < 0 ? fx_neg(y) : y);
    }
}

/* --- Reed-Solomon --------------------------------------------------------------------------------------------------- */

/* y w, below 2 p, for y below 20 p < 2^52. The quotient is of 64 bits here, its lowest twelve zero. */
static inline uint64_t times(uint64_t y, fp_twiddle t)
{
    return y * t.w - (uint64_t)((u128)y * (t.quotient << 12) >> 64) * FP_P;
}

/* (a, b) = (a + w b, a - w b), `width` rows at a time: 10 p at most, as a is first brought below 8 p. */
static inline void butterfly(fp *a, fp *b, fp_twiddle w, unsigned width)
{
    for (unsigned k = 0; k < width; k++) {
        uint64_t x = a[k] >= 8 * FP_P ? a[k] - 8 * FP_P : a[k], y = times(b[k], w);
        a[k] = x + y;
        b[k] = x + 2 * FP_P - y;
    }
}

/* Values in natural order to 2^m times the coefficients in bit-reversed order: the sum of v[i] y^i modulo y^size - z, block by block. */
static void to_coefficients(fp *x, unsigned m, const fp_rs_table *t, unsigned width)
{
    size_t n = (size_t)1 << m;
    for (size_t half = n / 2; half; half /= 2)
        for (size_t block = 0; block < n / 2 / half; block++)
            for (size_t j = 2 * half * block; j < 2 * half * block + half; j++)
                butterfly(&x[width * j], &x[width * (j + half)], t->down[block], width);
}

/* f(x) = even(x^2) + x odd(x^2) at the points root(k + 1) root(k)^j, 2^k = 2 half. */
static void to_values(fp *x, unsigned m, const fp_rs_table *t, unsigned width)
{
    size_t n = (size_t)1 << m;
    for (size_t half = 1; half < n; half *= 2)
        for (size_t block = 0; block < n; block += 2 * half)
            for (size_t j = 0; j < half; j++)
                butterfly(&x[width * (block + j)], &x[width * (block + j + half)], t->up[half + j], width);
}

static void parity(fp *out, const fp *in, unsigned m, unsigned width)
{
    const fp_rs_table *t = fp_rs_table_get(m);
    size_t             n = width * ((size_t)1 << m);
    if (out != in)
        memcpy(out, in, n * sizeof *out);
    to_coefficients(out, m, t, width);
    to_values(out, m, t, width);
    for (size_t i = 0; i < n; i++)
        out[i] = fp_reduce_once(times(out[i], t->scale));
}

static void rs_parity(fp *out, const fp *in, unsigned m)
{
    parity(out, in, m, 1);
}

static void rs_parity_rows(fp *out, const fp *in, unsigned m)
{
    parity(out, in, m, FP_RS_ROWS);
}

const fxv_kernels fxv_portable = {
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
    .rows = rows,
    .cols = cols,
    .from_ints = from_ints,
    .rs_parity = rs_parity,
    .rs_parity_rows = rs_parity_rows,
    .fractions_absorb_round = fractions_absorb_round,
    .unit_up = fxv_unit_up_portable,
    .affine = fxv_affine_portable,
    .eq_round = fxv_eq_round_portable,
    .eq_fold_round = fxv_eq_fold_round_portable,
    .leaf_up = fxv_leaf_up_portable,
    .leaf_up_fold = fxv_leaf_up_fold_portable,
    .leaf_fold = fxv_leaf_fold_portable,
    .leaf_round = fxv_leaf_round_portable,
};
