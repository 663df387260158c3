/* SPDX-License-Identifier: Apache-2.0
 *
 * Weighted sums of matrices of integers with AVX2: a weight, as the residue of least magnitude, is three digits of 16 bits in [-2^15, 2^15], so that its products by
 * int16 are below 2^30 and by int32 below 2^46, and sums of 16 of them exact in doubles and below 2^51. */
#include "field/vec_avx2_int.h"

#include <string.h>

#define INLINE static inline __attribute__((always_inline)) /* sizes that the caller knows stay constants */
#define UNROLL _Pragma("GCC unroll 9")

enum {
    DIGITS = 9,   /* digit k of coordinate c is 3 c + k */
    STEPS = 16,   /* between flushes */
    TILE = 128,   /* columns whose sums wait */
    ROWS_MAX = 1 << 14, /* 64-bit sums stay below 2^46 2^14 */
};
_Static_assert(FP_P / 2 < UINT64_C(1) << 47, "three digits are enough");

static void digits_of(double d[DIGITS], fx w)
{
    for (int c = 0; c < 3; c++) {
        int64_t x = w.c[c] > FP_P / 2 ? (int64_t)w.c[c] - (int64_t)FP_P : (int64_t)w.c[c];
        for (int k = 0; k < 3; k++) {
            int64_t low = k < 2 ? (int16_t)(uint64_t)x : x;
            d[3 * c + k] = (double)low;
            x = (x - low) / 65536; /* exact */
        }
    }
}

/* a + s0 + 2^16 s1 + 2^32 s2. */
static fx joined(fx a, const int64_t s[DIGITS])
{
    for (int c = 0; c < 3; c++) {
        i128 t = s[3 * c] + ((i128)s[3 * c + 1] * 65536) + ((i128)s[3 * c + 2] * ((int64_t)1 << 32)) + ((i128)FP_P << 50);
        a.c[c] = fp_add(a.c[c], fp_mul(fp_montgomery((u128)t), FP_R2));
    }
    return a;
}

/* Four integers; n of them, or all. */
INLINE d4 load_ints(const fx_ints *m, size_t row, size_t col, size_t n, unsigned bytes)
{
    const char *from = (const char *)m->data + (row * m->stride + col) * bytes;
    int32_t     x[4] = { 0, 0, 0, 0 };
    if (n < 4) {
        for (size_t i = 0; i < n; i++)
            x[i] = (int32_t)fx_ints_at(from, bytes, i);
        return _mm256_cvtepi32_pd(_mm_loadu_si128((const __m128i *)(const void *)x));
    }
    return _mm256_cvtepi32_pd(bytes == 2 ? _mm_cvtepi16_epi32(_mm_loadl_epi64((const __m128i *)(const void *)from))
                                         : _mm_loadu_si128((const __m128i *)(const void *)from));
}

/* --- rows ------------------------------------------------------------------------------------------------------------------------ */

typedef struct tile_sums {
    _Alignas(32) int64_t s[TILE / 4][DIGITS][4];
} tile_sums;

INLINE void add_sums(int64_t to[DIGITS][4], const d4 acc[DIGITS])
{
    UNROLL for (int k = 0; k < DIGITS; k++) {
        __m256i *p = (__m256i *)(void *)to[k];
        _mm256_store_si256(p, _mm256_add_epi64(_mm256_load_si256(p), to_signed_integers(acc[k])));
    }
}

/* Rows [row, row + rows), at most STEPS; w: their digits; four columns. */
INLINE void rows_step(int64_t to[DIGITS][4], const fx_ints *m, double w[STEPS][DIGITS], size_t row, size_t rows, size_t col, size_t n, unsigned bytes)
{
    d4 acc[DIGITS];
    UNROLL for (int k = 0; k < DIGITS; k++)
        acc[k] = _mm256_setzero_pd();
    for (size_t i = 0; i < rows; i++) {
        d4 x = load_ints(m, row + i, col, n, bytes);
        UNROLL for (int k = 0; k < DIGITS; k++)
            acc[k] = _mm256_fmadd_pd(x, set4(w[i][k]), acc[k]);
    }
    add_sums(to, acc);
}

INLINE void rows_tile(fxv *out, const fx_ints *m, const fxv *w, size_t row0, size_t row1, size_t col, size_t n, unsigned bytes)
{
    tile_sums tile;
    double    digits[STEPS][DIGITS];
    memset(&tile, 0, sizeof tile);
    for (size_t row = row0; row < row1; row += STEPS) {
        size_t rows = row1 - row < STEPS ? row1 - row : STEPS;
        for (size_t i = 0; i < rows; i++)
            digits_of(digits[i], fxv_get(w, row + i));
        size_t j = 0;
        for (; j + 4 <= n; j += 4)
            rows_step(tile.s[j / 4], m, digits, row, rows, col + j, 4, bytes);
        if (j < n)
            rows_step(tile.s[j / 4], m, digits, row, rows, col + j, n - j, bytes);
    }
    for (size_t j = 0; j < n; j++) {
        int64_t s[DIGITS];
        for (int k = 0; k < DIGITS; k++)
            s[k] = tile.s[j / 4][k][j % 4];
        fxv_set(out, col + j, joined(fxv_get(out, col + j), s));
    }
}

INLINE void rows_of(fxv *out, const fx_ints *m, const fxv *w, unsigned bytes)
{
    for (size_t row = 0; row < m->rows; row += ROWS_MAX)
        for (size_t j = 0; j < m->cols; j += TILE)
            rows_tile(out, m, w, row, m->rows - row < ROWS_MAX ? m->rows : row + ROWS_MAX, j, m->cols - j < TILE ? m->cols - j : TILE, bytes);
}

void fxv_rows_avx2(fxv *out, const fx_ints *m, const fxv *w)
{
    if (m->bytes == 2)
        rows_of(out, m, w, 2);
    else if (m->bytes == 4)
        rows_of(out, m, w, 4);
    else
        fxv_portable.rows(out, m, w);
}

/* --- cols ------------------------------------------------------------------------------------------------------------------------ */

enum { ALONG = 512 }; /* columns whose digits are made at once */

typedef struct col_digits {
    _Alignas(32) double d[DIGITS][ALONG];
} col_digits;

INLINE fx cols_piece(fx a, const fx_ints *m, const col_digits *v, size_t row, size_t col, size_t n, unsigned bytes)
{
    _Alignas(32) int64_t sum[DIGITS][4];
    int64_t              s[DIGITS];
    memset(sum, 0, sizeof sum);
    for (size_t j = 0; j < n;) {
        size_t end = n - j < 4 * STEPS ? n : j + 4 * STEPS;
        d4     acc[DIGITS];
        UNROLL for (int k = 0; k < DIGITS; k++)
            acc[k] = _mm256_setzero_pd();
        for (; j < end; j += 4) {
            d4 x = load_ints(m, row, col + j, n - j, bytes);
            UNROLL for (int k = 0; k < DIGITS; k++)
                acc[k] = _mm256_fmadd_pd(x, _mm256_load_pd(&v->d[k][j]), acc[k]);
        }
        add_sums(sum, acc);
    }
    for (int k = 0; k < DIGITS; k++)
        s[k] = sum[k][0] + sum[k][1] + sum[k][2] + sum[k][3];
    return joined(a, s);
}

INLINE void cols_of(fxv *out, const fx_ints *m, const fxv *v, unsigned bytes)
{
    for (size_t col = 0; col < m->cols; col += ALONG) {
        size_t     n = m->cols - col < ALONG ? m->cols - col : ALONG;
        col_digits digits;
        for (size_t j = 0; j < (n + 3) / 4 * 4; j++) {
            double d[DIGITS] = { 0 };
            if (j < n)
                digits_of(d, fxv_get(v, col + j));
            for (int k = 0; k < DIGITS; k++)
                digits.d[k][j] = d[k];
        }
        for (size_t i = 0; i < m->rows; i++)
            fxv_set(out, i, cols_piece(fxv_get(out, i), m, &digits, i, col, n, bytes));
    }
}

void fxv_cols_avx2(fxv *out, const fx_ints *m, const fxv *v)
{
    if (m->bytes == 2)
        cols_of(out, m, v, 2);
    else if (m->bytes == 4)
        cols_of(out, m, v, 4);
    else
        fxv_portable.cols(out, m, v);
}

/* --- integers as elements ------------------------------------------------------------------------------------------------------- */

static inline d4 centred4(fp a)
{
    return set4(a > FP_P / 2 ? (double)a - P_AS_DOUBLE : (double)a);
}

/* c + x f + y g for factors of least magnitude and integers below p / 2: K <= 0.5, so at most 0.6 p. */
static inline d4 affine1(d4 c, d4 x, d4 f, d4 y, d4 g)
{
    wide w = wide_from((d3){ { c, c, c } });
    wide_term(&w, 0, x, f);
    wide_term(&w, 0, y, g);
    return reduce1(w.high[0], w.low[0]);
}

static inline d4 load_x(const int32_t *x)
{
    return _mm256_cvtepi32_pd(_mm_loadu_si128((const __m128i *)(const void *)x));
}

static inline d4 load_wide(const int64_t *x)
{
    const d4 magic = set4(1.5 * TWO_52);
    __m256i  bits = _mm256_add_epi64(_mm256_loadu_si256((const __m256i *)(const void *)x), _mm256_castpd_si256(magic));
    return sub4(_mm256_castsi256_pd(bits), magic);
}

void fxv_from_ints_avx2(fxv *out, const void *data, unsigned bytes, size_t n, fx s)
{
    const d4 zero = _mm256_setzero_pd();
    size_t   blocks = n / FXV_LANES;
    for (size_t i = 0; i < 2 * blocks; i++) {
        const void *from = (const char *)data + 4 * i * bytes;
        d4 x = bytes == 2   ? _mm256_cvtepi32_pd(_mm_cvtepi16_epi32(_mm_loadl_epi64((const __m128i *)from)))
               : bytes == 4 ? load_x(from)
                            : load_wide(from);
        d3 y;
        for (int k = 0; k < 3; k++)
            y.c[k] = affine1(zero, x, centred4(s.c[k]), zero, zero);
        store3(&out[i / 2], (int)(i % 2), y);
    }
    fxv_portable.from_ints(out + blocks, (const char *)data + blocks * FXV_LANES * bytes, bytes, n % FXV_LANES, s);
}

/* a - x: times R as a is. */
static inline d3 leaf(d3 a, const int32_t *x)
{
    const d4 zero = _mm256_setzero_pd(), minus_one = set4(-(double)FP_ONE);
    a.c[0] = affine1(a.c[0], load_x(x), minus_one, zero, zero);
    return a;
}

typedef struct d_fraction {
    d3 p, q;
} d_fraction;

/* Of two leaves; `sum` is a0 + a1. */
static inline d_fraction leaf_sum(d3 a0, d3 a1, d3 sum, const int32_t *x0, const int32_t *x1)
{
    d3 a = leaf(a0, x0), b = leaf(a1, x1);
    sum.c[0] = nearest(add4(a.c[0], b.c[0]));
    return (d_fraction){ sum, without_r(product(a, b)) };
}

void fxv_leaf_up_avx2(fx_fractions *out, const int32_t *x0, const int32_t *x1, size_t n, fx a0, fx a1)
{
    const d3 b0 = set3(a0), b1 = set3(a1), sum = set3(fx_add(a0, a1));
    for (size_t i = 0; i < n / 4; i++) {
        d_fraction f = leaf_sum(b0, b1, sum, x0 + 4 * i, x1 + 4 * i);
        store3(&out[i / 2].p, (int)(i % 2), f.p);
        store3(&out[i / 2].q, (int)(i % 2), f.q);
    }
}

void fxv_leaf_up_fold_avx2(fx_fractions *out, const int32_t *const x[4], size_t n, const fx a[4], fx k)
{
    const d3     b[4] = { set3(a[0]), set3(a[1]), set3(a[2]), set3(a[3]) }, sum[2] = { set3(fx_add(a[0], a[1])), set3(fx_add(a[2], a[3])) };
    const factor by = factor_of(k);
    for (size_t i = 0; i < n / 4; i++) {
        d_fraction f = leaf_sum(b[0], b[1], sum[0], x[0] + 4 * i, x[1] + 4 * i), g = leaf_sum(b[2], b[3], sum[1], x[2] + 4 * i, x[3] + 4 * i);
        store3(&out[i / 2].p, (int)(i % 2), plus_product(f.p, g.p, &by));
        store3(&out[i / 2].q, (int)(i % 2), plus_product(f.q, g.q, &by));
    }
}

void fxv_leaf_fold_avx2(fxv *out, const int32_t *x0, const int32_t *x1, size_t n, fx c, fx f0, fx f1)
{
    const d3 constant = set3(c);
    for (size_t i = 0; i < n / 4; i++) {
        d4 x = load_x(x0 + 4 * i), y = load_x(x1 + 4 * i);
        d3 r;
        for (int k = 0; k < 3; k++)
            r.c[k] = affine1(constant.c[k], x, centred4(f0.c[k]), y, centred4(f1.c[k]));
        store3(&out[i / 2], (int)(i % 2), r);
    }
}

void fxv_leaf_round_avx2(fxv_leaf_sums *out, const int32_t *const x[4], const fxv *w, size_t n)
{
    sums s[7]; /* of w, w x[0..3], w x[0] x[2], w (x[1] - x[0]) (x[3] - x[2]): below 2^50 all */
    fx   total[7];
    for (int k = 0; k < 7; k++) {
        s[k] = sums_zero();
        total[k] = FX_ZERO;
    }
    for (size_t i = 0; i < n / 4; i++) {
        d3 e = load3(&w[i / 2], (int)(i % 2));
        d4 y[4];
        sums_add_scaled(&s[0], set4(1), e);
        for (int k = 0; k < 4; k++) {
            y[k] = load_x(x[k] + 4 * i);
            sums_add_scaled(&s[1 + k], y[k], e);
        }
        sums_add_scaled(&s[5], _mm256_mul_pd(y[0], y[2]), e);
        sums_add_scaled(&s[6], _mm256_mul_pd(sub4(y[1], y[0]), sub4(y[3], y[2])), e);
        if (i % SUMS_BLOCKS == SUMS_BLOCKS - 1 || i + 1 == n / 4)
            for (int k = 0; k < 7; k++)
                total[k] = fx_add(total[k], sums_done(&s[k], 0));
    }
    *out = (fxv_leaf_sums){ total[0], { total[1], total[2], total[3], total[4] }, total[5], total[6] };
}
