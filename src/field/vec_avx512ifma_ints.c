/* SPDX-License-Identifier: Apache-2.0
 *
 * Weighted sums of matrices of integers.
 *
 * int16 and int32: a product of integer matrices with VNNI. A weight, as the residue of least magnitude, is below 2^47 and is cut into four
 * digits of 12 bits in [-2047, 2048]; the three coordinates make twelve digits. vpdpwssd adds two products of an int16 and a digit to an int32 lane. Each
 * is at most 2^26 in magnitude and 2^26 only with a negative sign (-2^15 times 2048), so a sum of 32, 16 steps, is in [-2^31, 2^31): exact.
 * After 16 steps the lanes are added to 64-bit sums low = d0 + 2^12 d1 and high = d2 + 2^12 d3, in magnitude below 2^38.1 a product: 2^22 products
 * stay below 2^61.
 *
 * An int32 m = 2^16 h + l + 2^15, h and l int16, is the pair (l, h) with the weights w and 2^16 w; 2^15 times the sum of the weights is added at the end.
 *
 * int64: IFMA, the integer plus p. */
#include "field/vec_avx512ifma_int.h"

#include <string.h>

#define INLINE static inline __attribute__((always_inline)) /* sizes that the caller knows stay constants */
#define UNROLL _Pragma("GCC unroll 12")

enum {
    DIGITS = 12,         /* digit k of coordinate c is 4 c + k */
    STEPS = 16,          /* between flushes */
    PRODUCTS_MAX = 1 << 22,
};
_Static_assert(2 * STEPS * (INT64_C(1) << 26) <= INT64_C(1) << 31, "int32 lanes are exact");
_Static_assert(FP_P / 2 < UINT64_C(2047) << 36, "four digits are enough");
_Static_assert((UINT64_C(4097) << 26) * PRODUCTS_MAX < UINT64_C(1) << 61, "64-bit sums are exact");

/* The instruction itself: through the intrinsic, gcc 12 copies and spills the 24 sums. */
INLINE void dot_pairs(__m512i *acc, __m512i a, __m512i b)
{
    __asm__("vpdpwssd %2, %1, %0" : "+v"(*acc) : "v"(a), "v"(b));
}

/* The four digits of a coordinate in [0, p), one after the other. */
static inline void digits_of(v8 d[4], v8 w)
{
    const v8 p = set1(FP_P), top = set1(2047), mask = set1(4095);
    w = _mm512_mask_sub_epi64(w, _mm512_cmpgt_epu64_mask(w, set1(FP_P / 2)), w, p);
    for (int k = 0; k < 3; k++) {
        d[k] = sub(_mm512_and_si512(add(w, top), mask), top);
        w = _mm512_srai_epi64(sub(w, d[k]), 12);
    }
    d[3] = w;
}

/* 2^16 w, w in [0, p). */
static inline v8 shifted16(v8 w)
{
    const v8 q = madd_hi(_mm512_setzero_si512(), w, set1(quotient_of(1 << 16)));
    v8       x = madd_lo(madd_lo(_mm512_setzero_si512(), w, set1(1 << 16)), q, set1(MASK52 + 1 - FP_P));
    return less(_mm512_and_si512(x, set1(MASK52)), set1(FP_P)); /* below 1.1 p */
}

/* low + 2^24 high + a in [0, p), for magnitudes below 2^61 and a below p. With the multiple 2^14 p added, in [0, 2^62.4): 2^48 times what is above 48 bits. */
static inline v8 joined(v8 low, v8 high, v8 a)
{
    static const uint64_t by[3] = { UINT64_C(56295411417087), UINT64_C(168900775903194), 1 << 24 }; /* 2^48, 2^72, 2^24 mod p */
    const v8 offset = set1(FP_P << 14), mask48 = set1((UINT64_C(1) << 48) - 1);
    factor   f;
    for (int k = 0; k < 3; k++) {
        f.m[k] = set1(by[k]);
        f.q[k] = set1(quotient_of(by[k]));
    }
    low = add(low, offset);
    high = add(high, offset);
    v3 d = { { _mm512_srli_epi64(low, 48), _mm512_srli_epi64(high, 48), _mm512_and_si512(high, mask48) } };
    v3 x = { { combine(add(a, _mm512_and_si512(low, mask48)), d, &f, 0, 1, 2), a, a } }; /* below (1 + 1.25 + 3.3) p */
    return reduced8(x).c[0];
}

/* Block `at` of a vector of n elements: lanes past its end are zero. */
static inline v3 load_upto(const fxv *w, size_t at, size_t n)
{
    size_t   left = n - at * FXV_LANES;
    __mmask8 k = (__mmask8)(left >= FXV_LANES ? 0xffu : (1u << left) - 1);
    v3       x;
    for (int c = 0; c < 3; c++)
        x.c[c] = _mm512_maskz_load_epi64(k, w[at].c[c]);
    return x;
}

static inline void store_upto(fxv *out, size_t at, size_t n, v3 x)
{
    size_t   left = n - at * FXV_LANES;
    __mmask8 k = (__mmask8)(left >= FXV_LANES ? 0xffu : (1u << left) - 1);
    for (int c = 0; c < 3; c++)
        _mm512_mask_store_epi64(out[at].c[c], k, x.c[c]);
}

/* Sums low and high of eight elements. */
typedef struct digit_sums {
    v8 low[3], high[3];
} digit_sums;

static inline void add_joined(fxv *out, size_t at, size_t n, const digit_sums *s)
{
    v3 a = load_upto(out, at, n);
    for (int c = 0; c < 3; c++)
        a.c[c] = joined(s->low[c], s->high[c], a.c[c]);
    store_upto(out, at, n, a);
}

/* --- rows: combinations of rows, columns side by side ------------------------------------------------------------------------ */

enum {
    PANEL = 32,        /* columns whose sums are in registers */
    TILE = 256,        /* columns whose 64-bit sums are in the first cache */
    GROUP_STEPS = 512, /* steps whose digits are made at once */
};

/* The digits of a group as vpdpwssd takes them: a pair in 32 bits, those of digit k of eight steps together. */
typedef struct row_digits {
    _Alignas(64) int32_t pair[GROUP_STEPS / 8][DIGITS][8];
} row_digits;

/* int16: step s is the rows 2 s and 2 s + 1, so a block of eight rows makes four steps. */
static void digits_of_row_pairs(row_digits *to, const fxv *w, size_t n)
{
    const __m512i even = _mm512_set_epi32(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 12, 8, 4, 0);
    for (size_t b = 0; b < fxv_blocks(n); b++) {
        v3 x = load_upto(w, b, n);
        for (int c = 0; c < 3; c++) {
            v8 d[4];
            digits_of(d, x.c[c]);
            for (int k = 0; k < 4; k++) {
                v8 odd = _mm512_slli_epi64(_mm512_unpackhi_epi64(d[k], d[k]), 16);
                v8 pair = _mm512_permutexvar_epi32(even, _mm512_mask_blend_epi16(0xaaaaaaaa, d[k], odd));
                _mm_store_si128((__m128i *)&to->pair[b / 2][4 * c + k][4 * (b % 2)], _mm512_castsi512_si128(pair));
            }
        }
    }
}

/* int32: a step is a row; the weights of its halves are w and 2^16 w. */
static void digits_of_rows(row_digits *to, const fxv *w, size_t n)
{
    for (size_t b = 0; b < fxv_blocks(n); b++) {
        v3 x = load_upto(w, b, n);
        for (int c = 0; c < 3; c++) {
            v8 d[4], e[4];
            digits_of(d, x.c[c]);
            digits_of(e, shifted16(x.c[c]));
            for (int k = 0; k < 4; k++) {
                v8 pair = _mm512_mask_blend_epi16(0xaaaaaaaa, d[k], _mm512_slli_epi64(e[k], 16));
                _mm256_store_si256((__m256i *)to->pair[b][4 * c + k], _mm512_cvtepi64_epi32(pair));
            }
        }
    }
}

static inline __mmask16 first16(size_t n)
{
    return (__mmask16)(n >= 16 ? 0xffffu : (1u << n) - 1);
}

static inline __mmask32 first32(size_t n)
{
    return n >= 32 ? 0xffffffff : ((1u << n) - 1);
}

/* The 32 columns of a step as pairs; n of them, or all. */
INLINE void load_step(__m512i d[2], const fx_ints *m, size_t row, size_t col, size_t n, unsigned bytes)
{
    if (bytes == 4) {
        const int32_t *from = (const int32_t *)m->data + row * m->stride + col;
        const __m512i  flip = _mm512_set1_epi32(0x8000);
        d[0] = _mm512_xor_si512(_mm512_maskz_loadu_epi32(first16(n), from), flip);
        d[1] = _mm512_xor_si512(_mm512_maskz_loadu_epi32(first16(n > 16 ? n - 16 : 0), from + 16), flip);
        return;
    }
    const int16_t *from = (const int16_t *)m->data + row * m->stride + col;
    const int16_t *next = row + 1 < m->rows ? from + m->stride : from; /* its weight is zero */
    const __m512i  a = _mm512_maskz_loadu_epi16(first32(n), from), b = _mm512_maskz_loadu_epi16(first32(n), next);
    const __m512i  zip = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, 39, 7, 38, 6, 37, 5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
    d[0] = _mm512_permutex2var_epi16(a, zip, b);
    d[1] = _mm512_permutex2var_epi16(a, _mm512_add_epi16(zip, _mm512_set1_epi16(16)), b);
}

/* Adds the lanes of a panel's digit sums, eight columns each, to the 64-bit sums. */
INLINE void flush_panel(digit_sums to[PANEL / 8], __m512i acc[2][DIGITS])
{
    UNROLL for (int h = 0; h < 2; h++)
        UNROLL for (int c = 0; c < 3; c++)
            UNROLL for (int q = 0; q < 2; q++) {
                v8 x[4];
                UNROLL for (int k = 0; k < 4; k++)
                    x[k] = _mm512_cvtepi32_epi64(q ? _mm512_extracti64x4_epi64(acc[h][4 * c + k], 1) : _mm512_castsi512_si256(acc[h][4 * c + k]));
                digit_sums *s = &to[2 * h + q];
                s->low[c] = add(s->low[c], add(x[0], _mm512_slli_epi64(x[1], 12)));
                s->high[c] = add(s->high[c], add(x[2], _mm512_slli_epi64(x[3], 12)));
            }
}

/* Steps [from, end) of a group that begins at row row0, at most STEPS; n columns from col on. */
INLINE void panel(digit_sums to[PANEL / 8], const fx_ints *m, const row_digits *w, size_t row0, size_t from, size_t end, size_t col, size_t n,
                  unsigned bytes)
{
    __m512i acc[2][DIGITS];
    UNROLL for (int k = 0; k < DIGITS; k++)
        acc[0][k] = acc[1][k] = _mm512_setzero_si512();
    for (size_t s = from; s < end; s++) {
        __m512i        d[2];
        const int32_t *pair = &w->pair[s / 8][0][s % 8];
        load_step(d, m, row0 + s * (bytes == 2 ? 2 : 1), col, n, bytes);
        UNROLL for (int k = 0; k < DIGITS; k++) {
            __m512i x = _mm512_set1_epi32(pair[8 * k]);
            dot_pairs(&acc[0][k], d[0], x);
            dot_pairs(&acc[1][k], d[1], x);
        }
    }
    flush_panel(to, acc);
}

INLINE void rows_tile(fxv *out, const fx_ints *m, const row_digits *w, size_t row0, size_t steps, size_t col, size_t n, unsigned bytes)
{
    digit_sums tile[TILE / 8];
    memset(tile, 0, (n + PANEL - 1) / PANEL * PANEL / 8 * sizeof tile[0]);
    for (size_t s = 0; s < steps; s += STEPS) {
        size_t end = steps - s < STEPS ? steps : s + STEPS, j = 0;
        for (; j + PANEL <= n; j += PANEL)
            panel(&tile[j / 8], m, w, row0, s, end, col + j, PANEL, bytes);
        if (j < n)
            panel(&tile[j / 8], m, w, row0, s, end, col + j, n - j, bytes);
    }
    for (size_t j = 0; j < n; j += FXV_LANES)
        add_joined(out, (col + j) / FXV_LANES, m->cols, &tile[j / 8]);
}

INLINE void rows_digits(fxv *out, const fx_ints *m, const fxv *w, unsigned bytes)
{
    row_digits   digits;
    const size_t step_rows = bytes == 2 ? 2 : 1;
    for (size_t row0 = 0; row0 < m->rows; row0 += GROUP_STEPS * step_rows) {
        size_t n = m->rows - row0 < GROUP_STEPS * step_rows ? m->rows - row0 : GROUP_STEPS * step_rows;
        if (bytes == 2)
            digits_of_row_pairs(&digits, w + row0 / FXV_LANES, n);
        else
            digits_of_rows(&digits, w + row0 / FXV_LANES, n);
        for (size_t j = 0; j < m->cols; j += TILE)
            rows_tile(out, m, &digits, row0, (n + step_rows - 1) / step_rows, j, m->cols - j < TILE ? m->cols - j : TILE, bytes);
    }
}

static void rows16(fxv *out, const fx_ints *m, const fxv *w)
{
    rows_digits(out, m, w, 2);
}

static fx sum_of(const fxv *a, size_t n)
{
    const v8 z = _mm512_setzero_si512();
    v3       s = { { z, z, z } }; /* 2^16 blocks below 2^48 p: taken in pieces */
    fx       total = FX_ZERO;
    for (size_t i = 0; i < fxv_blocks(n); i++) {
        v3 x = load_upto(a, i, n);
        for (int c = 0; c < 3; c++)
            s.c[c] = add(s.c[c], x.c[c]);
        if (i % 4096 == 4095 || i + 1 == fxv_blocks(n))
            for (int c = 0; c < 3; c++) {
                total.c[c] = fp_add(total.c[c], (uint64_t)_mm512_reduce_add_epi64(s.c[c]) % FP_P);
                s.c[c] = z;
            }
    }
    return total;
}

/* 2^15 times the weights: what the offset of the low halves left out. */
static void add_everywhere(fxv *out, size_t n, fx sum)
{
    fx       x = fx_mul(sum, fx_from_i64(1 << 15));
    const v8 p = set1(FP_P);
    for (size_t i = 0; i < fxv_blocks(n); i++) {
        v3 a = load_upto(out, i, n);
        for (int c = 0; c < 3; c++)
            a.c[c] = less(add(a.c[c], set1(x.c[c])), p);
        store_upto(out, i, n, a);
    }
}

static void rows32(fxv *out, const fx_ints *m, const fxv *w)
{
    rows_digits(out, m, w, 4);
    add_everywhere(out, m->cols, sum_of(w, m->rows));
}

/* --- cols: products with a vector, along the rows ---------------------------------------------------------------------------- */

enum {
    COL_STEPS = 32,                 /* 64 bytes of a row each */
    COL_ROWS = 256,                 /* rows whose sums wait */
};

typedef struct col_digits {
    _Alignas(64) int32_t pair[DIGITS][COL_STEPS * 16];
} col_digits;

/* Sums of rows: low and high of each coordinate. */
typedef struct col_sums {
    _Alignas(64) int64_t s[6][COL_ROWS];
} col_sums;

/* The vector's elements from `at` on, n of them. */
INLINE void digits_of_cols(col_digits *to, const fxv *v, size_t n, unsigned bytes)
{
    const v8 z = _mm512_setzero_si512();
    for (size_t b = 0; b < (n + 31) / 32 * 4; b++) { /* whole steps */
        v3 x = b < fxv_blocks(n) ? load_upto(v, b, n) : (v3){ { z, z, z } };
        for (int c = 0; c < 3; c++) {
            v8 d[4], e[4];
            digits_of(d, x.c[c]);
            if (bytes == 4)
                digits_of(e, shifted16(x.c[c]));
            for (int k = 0; k < 4; k++)
                if (bytes == 4) {
                    v8 pair = _mm512_mask_blend_epi16(0xaaaaaaaa, d[k], _mm512_slli_epi64(e[k], 16));
                    _mm256_store_si256((__m256i *)&to->pair[4 * c + k][8 * b], _mm512_cvtepi64_epi32(pair));
                } else
                    _mm_store_si128((__m128i *)&to->pair[4 * c + k][4 * b], _mm512_cvtepi64_epi16(d[k]));
        }
    }
}

INLINE __m512i load_along(const fx_ints *m, size_t row, size_t col, size_t n, unsigned bytes)
{
    if (bytes == 4)
        return _mm512_xor_si512(_mm512_maskz_loadu_epi32(first16(n), (const int32_t *)m->data + row * m->stride + col), _mm512_set1_epi32(0x8000));
    return _mm512_maskz_loadu_epi16(first32(n), (const int16_t *)m->data + row * m->stride + col);
}

/* Both int32 halves of each 64-bit lane. */
static inline v8 halves(__m512i x)
{
    return add(_mm512_srai_epi64(x, 32), _mm512_srai_epi64(_mm512_slli_epi64(x, 32), 32));
}

INLINE void flush_cols(digit_sums *s, const __m512i d[DIGITS])
{
    UNROLL for (int c = 0; c < 3; c++) {
        s->low[c] = add(s->low[c], add(halves(d[4 * c]), _mm512_slli_epi64(halves(d[4 * c + 1]), 12)));
        s->high[c] = add(s->high[c], add(halves(d[4 * c + 2]), _mm512_slli_epi64(halves(d[4 * c + 3]), 12)));
    }
}

/* Two rows (or twice the same), n columns from col on: the digits are those of these columns. */
INLINE void cols_piece(digit_sums s[2], const fx_ints *m, size_t r0, size_t r1, const col_digits *v, size_t col, size_t n, unsigned bytes)
{
    const size_t width = 64 / bytes;
    for (size_t j = 0; j < n;) {
        size_t  end = n - j < STEPS * width ? n : j + STEPS * width;
        __m512i acc[2][DIGITS];
        UNROLL for (int k = 0; k < DIGITS; k++)
            acc[0][k] = acc[1][k] = _mm512_setzero_si512();
        for (; j < end; j += width) {
            size_t  left = n - j < width ? n - j : width;
            __m512i x = load_along(m, r0, col + j, left, bytes), y = load_along(m, r1, col + j, left, bytes);
            UNROLL for (int k = 0; k < DIGITS; k++) {
                __m512i d = _mm512_load_si512(&v->pair[k][16 * (j / width)]);
                dot_pairs(&acc[0][k], x, d);
                dot_pairs(&acc[1][k], y, d);
            }
        }
        flush_cols(&s[0], acc[0]);
        flush_cols(&s[1], acc[1]);
    }
}

static inline void keep(col_sums *to, size_t row, const digit_sums *s)
{
    for (int c = 0; c < 3; c++) {
        to->s[2 * c][row] += _mm512_reduce_add_epi64(s->low[c]);
        to->s[2 * c + 1][row] += _mm512_reduce_add_epi64(s->high[c]);
    }
}

INLINE void cols_rows(fxv *out, const fx_ints *m, const fxv *v, size_t row0, size_t rows, unsigned bytes)
{
    const size_t tile = COL_STEPS * 64 / bytes;
    col_digits   digits;
    col_sums     kept;
    for (int k = 0; k < 6; k++)
        memset(kept.s[k], 0, fxv_blocks(rows) * FXV_LANES * sizeof kept.s[k][0]);
    for (size_t col = 0; col < m->cols; col += tile) {
        size_t n = m->cols - col < tile ? m->cols - col : tile;
        digits_of_cols(&digits, v + col / FXV_LANES, n, bytes);
        for (size_t i = 0; i < rows; i += 2) {
            digit_sums s[2];
            memset(s, 0, sizeof s);
            bool two = i + 1 < rows;
            cols_piece(s, m, row0 + i, row0 + i + two, &digits, col, n, bytes);
            keep(&kept, i, &s[0]);
            if (two)
                keep(&kept, i + 1, &s[1]);
        }
    }
    for (size_t i = 0; i < rows; i += FXV_LANES) {
        digit_sums s;
        for (int c = 0; c < 3; c++) {
            s.low[c] = _mm512_load_si512(&kept.s[2 * c][i]);
            s.high[c] = _mm512_load_si512(&kept.s[2 * c + 1][i]);
        }
        add_joined(out, (row0 + i) / FXV_LANES, m->rows, &s);
    }
}

INLINE void cols_digits(fxv *out, const fx_ints *m, const fxv *v, unsigned bytes)
{
    for (size_t i = 0; i < m->rows; i += COL_ROWS)
        cols_rows(out, m, v, i, m->rows - i < COL_ROWS ? m->rows - i : COL_ROWS, bytes);
}

static void cols16(fxv *out, const fx_ints *m, const fxv *v)
{
    cols_digits(out, m, v, 2);
}

static void cols32(fxv *out, const fx_ints *m, const fxv *v)
{
    cols_digits(out, m, v, 4);
    add_everywhere(out, m->rows, sum_of(v, m->cols));
}

/* --- int64 -------------------------------------------------------------------------------------------------------------------- */

enum { WIDE_TERMS = 128 }; /* w u < 1.5 p^2, so a sum's Montgomery reduction is below 1.5 128 / 20 p = 9.6 p */

/* x + p, x in (-p/2, p/2): in (0, 1.5 p). */
static inline v8 load_wide(const int64_t *from, size_t n)
{
    __mmask8 k = (__mmask8)(n >= 8 ? 0xffu : (1u << n) - 1);
    return add(_mm512_maskz_loadu_epi64(k, from), set1(FP_P));
}

/* Columns [col, col + 8) of the rows from row0 on; by: their weights times 2^52. */
static inline void rows64_block(fxv *out, const fx_ints *m, size_t row0, size_t rows, fp by[WIDE_TERMS][3], size_t col)
{
    wide w = wide_zero();
    for (size_t i = 0; i < rows; i++) {
        v8 u = load_wide((const int64_t *)m->data + (row0 + i) * m->stride + col, m->cols - col);
        for (int c = 0; c < 3; c++)
            wide_term(&w, c, u, set1(by[i][c]));
    }
    v3 x = wide_reduce(&w), a = load_upto(out, col / FXV_LANES, m->cols);
    for (int c = 0; c < 3; c++)
        a.c[c] = less(add(add(a.c[c], x.c[c]), set1(FP_P)), set1(8 * FP_P)); /* below 11.6 p before */
    store_upto(out, col / FXV_LANES, m->cols, reduced8(a));
}

static void rows64(fxv *out, const fx_ints *m, const fxv *w)
{
    fp by[WIDE_TERMS][3];
    for (size_t row0 = 0; row0 < m->rows; row0 += WIDE_TERMS) {
        size_t rows = m->rows - row0 < WIDE_TERMS ? m->rows - row0 : WIDE_TERMS;
        for (size_t i = 0; i < rows; i++)
            for (int c = 0; c < 3; c++)
                by[i][c] = fp_mul(fxv_get(w, row0 + i).c[c], FP_R2);
        for (size_t j = 0; j < m->cols; j += FXV_LANES)
            rows64_block(out, m, row0, rows, by, j);
    }
}

/* One row; `by` is v times 2^52, n columns from col on, at most 8 WIDE_TERMS. */
static inline fx cols64_piece(const fx_ints *m, size_t row, const v3 *by, size_t col, size_t n)
{
    wide w = wide_zero();
    for (size_t j = 0; j < n; j += FXV_LANES) {
        v8 u = load_wide((const int64_t *)m->data + row * m->stride + col + j, n - j);
        for (int c = 0; c < 3; c++)
            wide_term(&w, c, u, by[j / FXV_LANES].c[c]);
    }
    fx x;
    for (int c = 0; c < 3; c++) {
        v8 hi = add(w.hi[c], _mm512_srli_epi64(w.lo[c], 52)), lo = _mm512_and_si512(w.lo[c], set1(MASK52));
        x.c[c] = sums_reduce((uint64_t)_mm512_reduce_add_epi64(hi), (uint64_t)_mm512_reduce_add_epi64(lo));
    }
    return x;
}

static void cols64(fxv *out, const fx_ints *m, const fxv *v)
{
    const v8 r2 = set1(FP_R2), z = _mm512_setzero_si512();
    const v3 to_montgomery = { { r2, z, z } };
    v3       by[WIDE_TERMS];
    for (size_t col = 0; col < m->cols; col += WIDE_TERMS * FXV_LANES) {
        size_t n = m->cols - col < WIDE_TERMS * FXV_LANES ? m->cols - col : WIDE_TERMS * FXV_LANES;
        for (size_t j = 0; j < n; j += FXV_LANES)
            by[j / FXV_LANES] = product(load_upto(v, (col + j) / FXV_LANES, m->cols), to_montgomery);
        for (size_t i = 0; i < m->rows; i++)
            fxv_set(out, i, fx_add(fxv_get(out, i), cols64_piece(m, i, by, col, n)));
    }
}

/* --- the three sizes ------------------------------------------------------------------------------------------------------------ */

void fxv_rows_avx512ifma(fxv *out, const fx_ints *m, const fxv *w)
{
    if (m->bytes == 2)
        rows16(out, m, w);
    else if (m->bytes == 4)
        rows32(out, m, w);
    else
        rows64(out, m, w);
}

void fxv_cols_avx512ifma(fxv *out, const fx_ints *m, const fxv *v)
{
    CHECK(m->cols <= PRODUCTS_MAX / 2);
    if (m->bytes == 2)
        cols16(out, m, v);
    else if (m->bytes == 4)
        cols32(out, m, v);
    else
        cols64(out, m, v);
}

/* Eight integers plus p: in (0, 1.5 p). */
static inline v8 load_ints(const void *data, unsigned bytes, size_t i)
{
    v8 x = bytes == 2   ? _mm512_cvtepi16_epi64(_mm_loadu_si128((const __m128i *)((const int16_t *)data + i)))
           : bytes == 4 ? _mm512_cvtepi32_epi64(_mm256_loadu_si256((const __m256i *)((const int32_t *)data + i)))
                        : _mm512_loadu_si512((const int64_t *)data + i);
    return add(x, set1(FP_P));
}

void fxv_from_ints_avx512ifma(fxv *out, const void *data, unsigned bytes, size_t n, fx s)
{
    const v8 zero = _mm512_setzero_si512(), p = set1(FP_P), minus_p = set1(MASK52 + 1 - FP_P), mask = set1(MASK52);
    v8       m[3], q[3];
    for (int c = 0; c < 3; c++) {
        m[c] = set1(s.c[c]);
        q[c] = set1(quotient_of(s.c[c]));
    }
    size_t blocks = n / FXV_LANES;
    for (size_t i = 0; i < blocks; i++) {
        v8 u = load_ints(data, bytes, i * FXV_LANES);
        v3 x;
        for (int c = 0; c < 3; c++) /* below 1.1 p */
            x.c[c] = less(_mm512_and_si512(madd_lo(madd_lo(zero, u, m[c]), madd_hi(zero, u, q[c]), minus_p), mask), p);
        store3(&out[i], x);
    }
    fxv_portable.from_ints(out + blocks, (const char *)data + blocks * FXV_LANES * bytes, bytes, n % FXV_LANES, s);
}
