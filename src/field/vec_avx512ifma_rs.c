/* SPDX-License-Identifier: Apache-2.0
 *
 * Reed-Solomon with AVX-512 IFMA: the butterflies of vec_portable.c in radix 4. A block goes down one pass, its quarters all the way down and up again,
 * and then up one pass, so that most passes run over blocks that are in the first caches. Of what is larger than the second cache the first and the last pass are of
 * radix 8.
 *
 * Ranges: a product by a twiddle is below 2 p for a factor below 20 p. Between passes all is below 16 p. In a pass only the operand that is never multiplied
 * is brought below 8 p: it ends below 12 p; the others are below 18 p where they are multiplied. Values are the low 52 bits of a lane: multiplications see no
 * others, sums keep them right, and what is above is dropped where values are compared or stored for good. */
#include "field/vec_avx512ifma_int.h"

#include <string.h>

#define INLINE static inline __attribute__((always_inline))

typedef struct twiddle8 {
    v8 w, quotient;
} twiddle8;

INLINE twiddle8 twiddle_of(const fp_twiddle *t)
{
    return (twiddle8){ set1(t->w), set1(t->quotient) };
}

INLINE v8 value(v8 x)
{
    return _mm512_and_si512(x, set1(MASK52));
}

/* y w below 2 p. */
INLINE v8 times(v8 y, twiddle8 t)
{
    const v8 z = _mm512_setzero_si512();
    v8       q = madd_hi(z, y, t.quotient);
    return madd_lo(madd_lo(z, y, t.w), q, set1(MASK52 + 1 - FP_P));
}

/* (a, b) = (a + w b, a - w b): 2 p more than a. */
INLINE void butterfly(v8 *a, v8 *b, twiddle8 t)
{
    v8 y = times(*b, t), x = *a;
    *a = add(x, y);
    *b = sub(add(x, set1(2 * FP_P)), y);
}

INLINE v8 below_8p(v8 x)
{
    return less(value(x), set1(8 * FP_P));
}

/* Two levels down: x[0..3] are the quarters; t0 of the block, t1 and t2 of its halves. */
INLINE void down4(v8 x[4], twiddle8 t0, twiddle8 t1, twiddle8 t2)
{
    x[0] = below_8p(x[0]);
    butterfly(&x[0], &x[2], t0);
    butterfly(&x[1], &x[3], t0);
    butterfly(&x[0], &x[1], t1);
    butterfly(&x[2], &x[3], t2);
}

/* Two levels up: t0 of the half-sized blocks, t1 and t2 of the whole one's first and second quarter. */
INLINE void up4(v8 x[4], twiddle8 t0, twiddle8 t1, twiddle8 t2)
{
    x[0] = below_8p(x[0]);
    butterfly(&x[0], &x[1], t0);
    butterfly(&x[2], &x[3], t0);
    butterfly(&x[0], &x[2], t1);
    butterfly(&x[1], &x[3], t2);
}

/* y w in [0, p). */
INLINE v8 scaled(v8 y, twiddle8 t)
{
    return less(value(times(y, t)), set1(FP_P));
}

/* Three levels down: x[0..7] are the eighths; t[1 << level | block]. Below 20 p where it is multiplied, below 14 p at the end. */
INLINE void down_eighths(v8 x[8], const twiddle8 t[8])
{
    x[0] = below_8p(x[0]);
    for (int k = 0; k < 4; k++)
        butterfly(&x[k], &x[k + 4], t[1]);
    x[4] = below_8p(x[4]);
    for (int k = 0; k < 2; k++) {
        butterfly(&x[k], &x[k + 2], t[2]);
        butterfly(&x[k + 4], &x[k + 6], t[3]);
    }
    for (int k = 0; k < 4; k++)
        butterfly(&x[2 * k], &x[2 * k + 1], t[4 + k]);
}

/* Three levels up; t[half + j]. The same bounds. */
INLINE void up_eighths(v8 x[8], const twiddle8 t[8])
{
    x[0] = below_8p(x[0]);
    for (int k = 0; k < 8; k += 2)
        butterfly(&x[k], &x[k + 1], t[1]);
    for (int k = 0; k < 8; k += 4) {
        butterfly(&x[k], &x[k + 2], t[2]);
        butterfly(&x[k + 1], &x[k + 3], t[3]);
    }
    for (int k = 0; k < 4; k++)
        butterfly(&x[k], &x[k + 4], t[4 + k]);
}

/* --- sixteen rows: an element is two vectors -------------------------------------------------------------------------------- */

enum {
    ROW_VECTORS = FP_RS_ROWS / FXV_LANES,
    LARGE = 1 << 14, /* more elements than that, 2 MiB, do not stay in the second cache from pass to pass */
};

INLINE v8 *at(fp *x, size_t i)
{
    return (v8 *)(void *)(x + FP_RS_ROWS * i);
}

static void down_rows(fp *out, const fp *in, size_t n, size_t block, const fp_rs_table *t)
{
    const twiddle8 t0 = twiddle_of(&t->down[block]), t1 = twiddle_of(&t->down[2 * block]), t2 = twiddle_of(&t->down[2 * block + 1]);
    for (size_t q = n / 4, i = 0; i < q; i++)
        for (int v = 0; v < ROW_VECTORS; v++) {
            v8 x[4];
            for (size_t k = 0; k < 4; k++)
                x[k] = _mm512_load_si512(in + FP_RS_ROWS * (i + k * q) + FXV_LANES * v);
            down4(x, t0, t1, t2);
            for (size_t k = 0; k < 4; k++)
                at(out, i + k * q)[v] = x[k];
        }
}

INLINE void up_rows(fp *out, size_t n, const fp_rs_table *t, bool last)
{
    const twiddle8 scale = twiddle_of(&t->scale);
    for (size_t q = n / 4, i = 0; i < q; i++) {
        const twiddle8 t0 = twiddle_of(&t->up[q + i]), t1 = twiddle_of(&t->up[2 * q + i]), t2 = twiddle_of(&t->up[3 * q + i]);
        for (int v = 0; v < ROW_VECTORS; v++) {
            v8 x[4];
            for (size_t k = 0; k < 4; k++)
                x[k] = at(out, i + k * q)[v];
            up4(x, t0, t1, t2);
            for (size_t k = 0; k < 4; k++)
                at(out, i + k * q)[v] = last ? scaled(x[k], scale) : x[k];
        }
    }
}

/* Down and up of a block of 2 or 4. */
INLINE void smallest_rows(fp *out, size_t n, size_t block, const fp_rs_table *t)
{
    const twiddle8 t0 = twiddle_of(&t->down[block]), u1 = twiddle_of(&t->up[1]);
    if (n == 2) {
        for (int v = 0; v < ROW_VECTORS; v++) {
            v8 a = below_8p(at(out, 0)[v]), b = at(out, 1)[v]; /* a: 8, 10, 8, 10 p */
            butterfly(&a, &b, t0);
            a = below_8p(a);
            butterfly(&a, &b, u1);
            at(out, 0)[v] = a;
            at(out, 1)[v] = b;
        }
        return;
    }
    const twiddle8 t1 = twiddle_of(&t->down[2 * block]), t2 = twiddle_of(&t->down[2 * block + 1]), u2 = twiddle_of(&t->up[2]), u3 = twiddle_of(&t->up[3]);
    for (int v = 0; v < ROW_VECTORS; v++) {
        v8 x[4];
        for (size_t k = 0; k < 4; k++)
            x[k] = at(out, k)[v];
        down4(x, t0, t1, t2);
        up4(x, u1, u2, u3);
        for (size_t k = 0; k < 4; k++)
            at(out, k)[v] = x[k];
    }
}

/* Down and up of the block of n >= 2 elements, which is number `block` of its size. */
static void block_rows(fp *out, size_t n, size_t block, const fp_rs_table *t)
{
    if (n <= 4) {
        smallest_rows(out, n, block, t);
        return;
    }
    down_rows(out, out, n, block, t);
    for (size_t k = 0; k < 4; k++)
        block_rows(out + FP_RS_ROWS * k * (n / 4), n / 4, 4 * block + k, t);
    up_rows(out, n, t, false);
}

/* The first three levels down, and the last three up. */
static void down_large(fp *out, const fp *in, size_t n, const fp_rs_table *t)
{
    const size_t q = n / 8;
    twiddle8     w[8];
    for (size_t k = 1; k < 8; k++)
        w[k] = twiddle_of(&t->down[k < 2 ? 0 : k < 4 ? k - 2 : k - 4]);
    for (size_t i = 0; i < q; i++)
        for (int v = 0; v < ROW_VECTORS; v++) {
            v8 x[8];
            for (size_t k = 0; k < 8; k++)
                x[k] = _mm512_load_si512(in + FP_RS_ROWS * (i + k * q) + FXV_LANES * v);
            down_eighths(x, w);
            for (size_t k = 0; k < 8; k++)
                at(out, i + k * q)[v] = x[k];
        }
}

static void up_large(fp *out, size_t n, const fp_rs_table *t)
{
    const size_t   q = n / 8;
    const twiddle8 scale = twiddle_of(&t->scale);
    for (size_t i = 0; i < q; i++) {
        twiddle8 w[8];
        for (size_t k = 1; k < 8; k++)
            w[k] = twiddle_of(&t->up[k * q + i]);
        for (int v = 0; v < ROW_VECTORS; v++) {
            v8 x[8];
            for (size_t k = 0; k < 8; k++)
                x[k] = at(out, i + k * q)[v];
            up_eighths(x, w);
            for (size_t k = 0; k < 8; k++)
                at(out, i + k * q)[v] = scaled(x[k], scale);
        }
    }
}

static void parity_large(fp *out, const fp *in, size_t n, const fp_rs_table *t)
{
    down_large(out, in, n, t);
    for (size_t k = 0; k < 8; k++)
        block_rows(out + FP_RS_ROWS * k * (n / 8), n / 8, k, t);
    up_large(out, n, t);
}

void fp_rs_parity_rows_avx512ifma(fp *out, const fp *in, unsigned m)
{
    if (m < 3) {
        fxv_portable.rs_parity_rows(out, in, m);
        return;
    }
    const fp_rs_table *t = fp_rs_table_get(m);
    size_t             n = (size_t)1 << m;
    if (n > LARGE) {
        parity_large(out, in, n, t);
        return;
    }
    down_rows(out, in, n, 0, t);
    for (size_t k = 0; k < 4; k++)
        block_rows(out + FP_RS_ROWS * k * (n / 4), n / 4, k, t);
    up_rows(out, n, t, true);
}

/* --- one vector ------------------------------------------------------------------------------------------------------------------
 *
 * Eight neighbours are a vector. Levels below eight elements work on eight blocks of eight, transposed. */

enum { UNIT = 64 };

/* Eight neighbouring twiddles. */
INLINE twiddle8 twiddles_at(const fp_twiddle *t)
{
    const v8 a = _mm512_loadu_si512(t), b = _mm512_loadu_si512(t + 4);
    return (twiddle8){ _mm512_permutex2var_epi64(a, _mm512_set_epi64(14, 12, 10, 8, 6, 4, 2, 0), b),
                       _mm512_permutex2var_epi64(a, _mm512_set_epi64(15, 13, 11, 9, 7, 5, 3, 1), b) };
}

/* Eight twiddles `step` apart. */
INLINE twiddle8 twiddles_apart(const fp_twiddle *t, long long step)
{
    const v8 at = _mm512_set_epi64(14 * step, 12 * step, 10 * step, 8 * step, 6 * step, 4 * step, 2 * step, 0);
    return (twiddle8){ _mm512_i64gather_epi64(at, (const void *)&t->w, 8), _mm512_i64gather_epi64(at, (const void *)&t->quotient, 8) };
}

INLINE void transpose(v8 x[8])
{
    v8 a[8], b[8];
    for (int i = 0; i < 8; i += 2) {
        a[i] = _mm512_unpacklo_epi64(x[i], x[i + 1]);
        a[i + 1] = _mm512_unpackhi_epi64(x[i], x[i + 1]);
    }
    for (int i = 0; i < 8; i += 4)
        for (int k = 0; k < 2; k++) { /* even and odd 128-bit parts of two pairs of rows */
            b[i + k] = _mm512_shuffle_i64x2(a[i + k], a[i + k + 2], 0x88);
            b[i + k + 2] = _mm512_shuffle_i64x2(a[i + k], a[i + k + 2], 0xdd);
        }
    for (int k = 0; k < 4; k++) {
        x[k] = _mm512_shuffle_i64x2(b[k], b[k + 4], 0x88);
        x[k + 4] = _mm512_shuffle_i64x2(b[k], b[k + 4], 0xdd);
    }
}

/* Below 16 p to below 10 p. */
INLINE void butterfly16(v8 *a, v8 *b, twiddle8 t)
{
    *a = below_8p(*a);
    butterfly(a, b, t);
}

/* Three levels down of eight vectors; t[1 << level | block]. */
INLINE void down8(v8 x[8], const twiddle8 t[8])
{
    for (int k = 0; k < 4; k++)
        butterfly16(&x[k], &x[k + 4], t[1]);
    for (int b = 0; b < 2; b++)
        for (int k = 0; k < 2; k++)
            butterfly16(&x[4 * b + k], &x[4 * b + k + 2], t[2 + b]);
    for (int b = 0; b < 4; b++)
        butterfly16(&x[2 * b], &x[2 * b + 1], t[4 + b]);
}

/* Three levels up; t[half + j]. */
INLINE void up8(v8 x[8], const twiddle8 t[8])
{
    for (int half = 1; half < 8; half *= 2)
        for (int block = 0; block < 8; block += 2 * half)
            for (int j = 0; j < half; j++)
                butterfly16(&x[block + j], &x[block + j + half], t[half + j]);
}

static void unit_down_up(fp *out, size_t block, const fp_rs_table *t)
{
    v8       x[8];
    twiddle8 w[8];
    for (size_t e = 0; e < 8; e++)
        x[e] = _mm512_loadu_si512(out + 8 * e);
    for (size_t level = 1; level < 8; level *= 2)
        for (size_t b = 0; b < level; b++)
            w[level + b] = twiddle_of(&t->down[level * block + b]);
    down8(x, w);
    transpose(x);
    for (size_t level = 1; level < 8; level *= 2)
        for (size_t b = 0; b < level; b++)
            w[level + b] = twiddles_apart(&t->down[8 * level * block + b], (long long)level);
    down8(x, w);
    for (size_t k = 1; k < 8; k++)
        w[k] = twiddle_of(&t->up[k]);
    up8(x, w);
    transpose(x);
    for (size_t k = 1; k < 8; k++)
        w[k] = twiddles_at(&t->up[8 * k]);
    up8(x, w);
    for (size_t e = 0; e < 8; e++)
        _mm512_storeu_si512(out + 8 * e, x[e]);
}

static void block_one(fp *out, size_t n, size_t block, const fp_rs_table *t)
{
    if (n == UNIT) {
        unit_down_up(out, block, t);
        return;
    }
    const size_t parts = n == 2 * UNIT ? 2 : 4, q = n / parts;
    twiddle8     w[3] = { twiddle_of(&t->down[block]), twiddle_of(&t->down[2 * block]), twiddle_of(&t->down[2 * block + 1]) };
    for (size_t i = 0; i < q; i += FXV_LANES) {
        v8 x[4];
        for (size_t k = 0; k < parts; k++)
            x[k] = _mm512_loadu_si512(out + i + k * q);
        if (parts == 2)
            butterfly16(&x[0], &x[1], w[0]);
        else
            down4(x, w[0], w[1], w[2]);
        for (size_t k = 0; k < parts; k++)
            _mm512_storeu_si512(out + i + k * q, x[k]);
    }
    for (size_t k = 0; k < parts; k++)
        block_one(out + k * q, q, parts * block + k, t);
    for (size_t i = 0; i < q; i += FXV_LANES) {
        v8 x[4];
        for (size_t k = 0; k < parts; k++) {
            x[k] = _mm512_loadu_si512(out + i + k * q);
            if (k > 0)
                w[k - 1] = twiddles_at(&t->up[k * q + i]);
        }
        if (parts == 2)
            butterfly16(&x[0], &x[1], w[0]);
        else
            up4(x, w[0], w[1], w[2]);
        for (size_t k = 0; k < parts; k++)
            _mm512_storeu_si512(out + i + k * q, x[k]);
    }
}

void fp_rs_parity_avx512ifma(fp *out, const fp *in, unsigned m)
{
    const size_t n = (size_t)1 << m;
    if (n < UNIT) {
        fxv_portable.rs_parity(out, in, m);
        return;
    }
    const fp_rs_table *t = fp_rs_table_get(m);
    const twiddle8     scale = twiddle_of(&t->scale);
    if (out != in)
        memcpy(out, in, n * sizeof *out);
    block_one(out, n, 0, t);
    for (size_t i = 0; i < n; i += FXV_LANES)
        _mm512_storeu_si512(out + i, scaled(_mm512_loadu_si512(out + i), scale));
}
