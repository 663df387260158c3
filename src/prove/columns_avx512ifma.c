/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/columns_int.h"

#include <immintrin.h>

/* Eight rows of sixteen columns: the bytes of two symbols are packed into three words of a 128-bit lane, the fourth is dropped; then words are
 * transposed within lanes (x) and lanes between columns (y). */
static void eight_rows(pv_word *out, const fp *symbols)
{
    const __m512i pack = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13, -1, -1, -1, -1));
    __m512i       x[3][4];
    for (size_t g = 0; g < 4; g++) {
        __m512i c[4];
        for (size_t k = 0; k < 4; k++)
            c[k] = _mm512_shuffle_epi8(_mm512_loadu_si512(symbols + PV_GROUP * (4 * g + k)), pack);
        __m512i low01 = _mm512_unpacklo_epi32(c[0], c[1]), low23 = _mm512_unpacklo_epi32(c[2], c[3]);
        __m512i high01 = _mm512_unpackhi_epi32(c[0], c[1]), high23 = _mm512_unpackhi_epi32(c[2], c[3]);
        x[0][g] = _mm512_unpacklo_epi64(low01, low23);
        x[1][g] = _mm512_unpackhi_epi64(low01, low23);
        x[2][g] = _mm512_unpacklo_epi64(high01, high23);
    }
    for (size_t w = 0; w < 3; w++) {
        __m512i a = _mm512_shuffle_i32x4(x[w][0], x[w][1], 0x44), b = _mm512_shuffle_i32x4(x[w][2], x[w][3], 0x44);
        __m512i c = _mm512_shuffle_i32x4(x[w][0], x[w][1], 0xee), d = _mm512_shuffle_i32x4(x[w][2], x[w][3], 0xee);
        _mm512_storeu_si512(out[w], _mm512_shuffle_i32x4(a, b, 0x88));
        _mm512_storeu_si512(out[w + 3], _mm512_shuffle_i32x4(a, b, 0xdd));
        _mm512_storeu_si512(out[w + 6], _mm512_shuffle_i32x4(c, d, 0x88));
        _mm512_storeu_si512(out[w + 9], _mm512_shuffle_i32x4(c, d, 0xdd));
    }
}

static void symbol_words(pv_word out[PV_SYMBOL_WORDS], const fp *symbols)
{
    eight_rows(out, symbols);
    eight_rows(out + PV_SYMBOL_WORDS / 2, symbols + PV_GROUP / 2);
}

static inline __m512i residues(__m128i cells)
{
    __m512i x = _mm512_cvtepi16_epi64(cells);
    return _mm512_mask_add_epi64(x, _mm512_movepi64_mask(x), x, _mm512_set1_epi64((long long)FP_P));
}

/* Eight columns: rows k and k + 8 share a register, whose halves are transposed as 8 x 8 matrices. */
static inline void eight_columns(fp *out, const int16_t *cells, size_t stride)
{
    __m256i a[8], b[8];
    for (size_t k = 0; k < 8; k++)
        a[k] = _mm256_loadu2_m128i((const __m128i *)(const void *)(cells + (k + 8) * stride), (const __m128i *)(const void *)(cells + k * stride));
    for (size_t k = 0; k < 4; k++) {
        b[2 * k] = _mm256_unpacklo_epi16(a[2 * k], a[2 * k + 1]);
        b[2 * k + 1] = _mm256_unpackhi_epi16(a[2 * k], a[2 * k + 1]);
    }
    for (size_t k = 0; k < 2; k++)
        for (size_t half = 0; half < 2; half++) {
            a[4 * k + 2 * half] = _mm256_unpacklo_epi32(b[4 * k + half], b[4 * k + 2 + half]);
            a[4 * k + 2 * half + 1] = _mm256_unpackhi_epi32(b[4 * k + half], b[4 * k + 2 + half]);
        }
    for (size_t pair = 0; pair < 4; pair++) {
        b[2 * pair] = _mm256_unpacklo_epi64(a[pair], a[pair + 4]);
        b[2 * pair + 1] = _mm256_unpackhi_epi64(a[pair], a[pair + 4]);
    }
    for (size_t i = 0; i < 8; i++) {
        _mm512_storeu_si512(out + PV_GROUP * i, residues(_mm256_castsi256_si128(b[i])));
        _mm512_storeu_si512(out + PV_GROUP * i + 8, residues(_mm256_extracti128_si256(b[i], 1)));
    }
}

static void spread(fp *out, const int16_t *cells, size_t stride, size_t n)
{
    for (size_t i = 0; i < n; i += 8)
        eight_columns(out + PV_GROUP * i, cells + i, stride);
}

#define LANES 16
#define COLUMNS_MOVES
#include "columns.inc"

const pv_column_kernels pv_columns_avx512ifma = { compress, absorb_cells, absorb_symbols, spread };
