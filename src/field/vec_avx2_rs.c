/* SPDX-License-Identifier: Apache-2.0
 *
 * Reed-Solomon with AVX2: vec_avx512ifma_rs.c in doubles, which lie in the output between the first pass and the last.
 *
 * Ranges: a product by a twiddle is at most 0.7 p for a factor of at most 5 p (product1). In a pass of two levels only the operand that is never multiplied is
 * brought to 0.51 p, so that all end below 2 p; where they are multiplied the others are below 3 p. */
#include "field/vec_avx2_int.h"

enum { ROW_VECTORS = FP_RS_ROWS / 4 };

/* y w for a plain |w| <= p / 2 and |y| <= 5 p. |h| <= 2.5 p^2, so q is wrong by at most 0.5 + 2.5 p 2^-52 < 0.63, the fma is exact (an integer below 2^53), and
 * what h lost is at most 2^43. */
static inline d4 product1(d4 y, d4 w)
{
    d4 h = _mm256_mul_pd(y, w), low = _mm256_fmsub_pd(y, w, h);
    d4 q = _mm256_round_pd(_mm256_mul_pd(h, set4(1 / P_AS_DOUBLE)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    return add4(_mm256_fnmadd_pd(q, set4(P_AS_DOUBLE), h), low);
}

static inline d4 twiddle_of(const fp_twiddle *t)
{
    return set4(t->w > FP_P / 2 ? (double)t->w - P_AS_DOUBLE : (double)t->w);
}

static inline void butterfly(d4 *a, d4 *b, d4 w)
{
    d4 y = product1(*b, w), x = *a;
    *a = add4(x, y);
    *b = sub4(x, y);
}

static inline void down4(d4 x[4], d4 t0, d4 t1, d4 t2)
{
    x[0] = nearest(x[0]);
    butterfly(&x[0], &x[2], t0);
    butterfly(&x[1], &x[3], t0);
    butterfly(&x[0], &x[1], t1);
    butterfly(&x[2], &x[3], t2);
}

static inline void up4(d4 x[4], d4 t0, d4 t1, d4 t2)
{
    x[0] = nearest(x[0]);
    butterfly(&x[0], &x[1], t0);
    butterfly(&x[2], &x[3], t0);
    butterfly(&x[0], &x[2], t1);
    butterfly(&x[1], &x[3], t2);
}

static inline double *at(fp *x, size_t i, int v)
{
    return (double *)(void *)(x + FP_RS_ROWS * i + 4 * (size_t)v);
}

static void down_rows(fp *out, const fp *in, size_t n, size_t block, const fp_rs_table *t, bool first)
{
    const d4 t0 = twiddle_of(&t->down[block]), t1 = twiddle_of(&t->down[2 * block]), t2 = twiddle_of(&t->down[2 * block + 1]);
    for (size_t q = n / 4, i = 0; i < q; i++)
        for (int v = 0; v < ROW_VECTORS; v++) {
            d4 x[4];
            for (size_t k = 0; k < 4; k++) {
                const fp *from = in + FP_RS_ROWS * (i + k * q) + 4 * (size_t)v;
                __m256i   bits = _mm256_load_si256((const __m256i *)(const void *)from);
                x[k] = first ? to_doubles(bits) : _mm256_castsi256_pd(bits);
            }
            down4(x, t0, t1, t2);
            for (size_t k = 0; k < 4; k++)
                _mm256_store_pd(at(out, i + k * q, v), x[k]);
        }
}

static void up_rows(fp *out, size_t n, const fp_rs_table *t, bool last)
{
    const d4 scale = twiddle_of(&t->scale);
    for (size_t q = n / 4, i = 0; i < q; i++) {
        const d4 t0 = twiddle_of(&t->up[q + i]), t1 = twiddle_of(&t->up[2 * q + i]), t2 = twiddle_of(&t->up[3 * q + i]);
        for (int v = 0; v < ROW_VECTORS; v++) {
            d4 x[4];
            for (size_t k = 0; k < 4; k++)
                x[k] = _mm256_load_pd(at(out, i + k * q, v));
            up4(x, t0, t1, t2);
            for (size_t k = 0; k < 4; k++) {
                double *to = at(out, i + k * q, v);
                if (last) /* below p: positive() is enough */
                    _mm256_store_si256((__m256i *)(void *)to, to_integers(positive(product1(x[k], scale))));
                else
                    _mm256_store_pd(to, x[k]);
            }
        }
    }
}

/* Down and up of a block of 2 or 4. */
static void smallest_rows(fp *out, size_t n, size_t block, const fp_rs_table *t)
{
    const d4 t0 = twiddle_of(&t->down[block]), u1 = twiddle_of(&t->up[1]);
    if (n == 2) {
        for (int v = 0; v < ROW_VECTORS; v++) {
            d4 a = nearest(_mm256_load_pd(at(out, 0, v))), b = _mm256_load_pd(at(out, 1, v));
            butterfly(&a, &b, t0);
            butterfly(&a, &b, u1);
            _mm256_store_pd(at(out, 0, v), a);
            _mm256_store_pd(at(out, 1, v), b);
        }
        return;
    }
    const d4 t1 = twiddle_of(&t->down[2 * block]), t2 = twiddle_of(&t->down[2 * block + 1]), u2 = twiddle_of(&t->up[2]), u3 = twiddle_of(&t->up[3]);
    for (int v = 0; v < ROW_VECTORS; v++) {
        d4 x[4];
        for (size_t k = 0; k < 4; k++)
            x[k] = _mm256_load_pd(at(out, k, v));
        down4(x, t0, t1, t2);
        up4(x, u1, u2, u3);
        for (size_t k = 0; k < 4; k++)
            _mm256_store_pd(at(out, k, v), x[k]);
    }
}

static void block_rows(fp *out, size_t n, size_t block, const fp_rs_table *t)
{
    if (n <= 4) {
        smallest_rows(out, n, block, t);
        return;
    }
    down_rows(out, out, n, block, t, false);
    for (size_t k = 0; k < 4; k++)
        block_rows(out + FP_RS_ROWS * k * (n / 4), n / 4, 4 * block + k, t);
    up_rows(out, n, t, false);
}

void fp_rs_parity_rows_avx2(fp *out, const fp *in, unsigned m)
{
    if (m < 3) {
        fxv_portable.rs_parity_rows(out, in, m);
        return;
    }
    const fp_rs_table *t = fp_rs_table_get(m);
    size_t             n = (size_t)1 << m;
    down_rows(out, in, n, 0, t, true);
    for (size_t k = 0; k < 4; k++)
        block_rows(out + FP_RS_ROWS * k * (n / 4), n / 4, k, t);
    up_rows(out, n, t, true);
}
