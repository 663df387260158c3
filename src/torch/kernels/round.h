/* SPDX-License-Identifier: Apache-2.0
 *
 * The one rounding of the integer tier (DESIGN 4): from an exact 64-bit accumulator to a stored tensor. For element (i, j)
 *
 *     x = (acc + row_add[i]) * mul * row_mul[i] * g[i,j]
 *     u = 2^(shift-1)                                             half up (0 for shift 0), or with dither words
 *         (dither_row[i] XOR dither_col[j]) mod 2^shift
 *     t = floor((x + u) / 2^shift)
 *     out[i,j] = clamp(t, -clamp, clamp);   |t| > limit is a violation, and the smallest i * n + j of all is kept
 *
 * The caller's ledger holds |x| and its factors, in the order above, below 2^62. Every instruction set gives the same bytes. */
#ifndef TORCH_KERNELS_ROUND_H
#define TORCH_KERNELS_ROUND_H

#include "base/err.h"

#include <stdatomic.h>

enum { BT_ROUND_SHIFT_MAX = 62 };
#define BT_ROUND_LIMIT_MAX ((int64_t)1 << 62)
#define BT_ROUND_NONE UINT64_MAX /* `bad` of a rounding without violation */

/* Pointers are borrowed while the tensor is rounded. Whole-tensor indices throughout: i is a row, j a column of the result. */
typedef struct bt_round {
    int64_t         mul;
    const int64_t  *row_add, *row_mul; /* m each; NULL: 0 and 1 */
    const int16_t  *g16;               /* m x n with row stride g_ld; at most one of the two; both NULL: 1 */
    const int32_t  *g32;
    size_t          g_ld;
    unsigned        shift;                   /* 0 .. BT_ROUND_SHIFT_MAX */
    const uint64_t *dither_row, *dither_col; /* m and n words; both or none */
    int64_t         limit;                   /* 0 .. BT_ROUND_LIMIT_MAX */
    int32_t         clamp;                   /* 0 .. 32767 for out16, 0 .. INT32_MAX for out32 */
    int16_t        *out16;                   /* m x n with row stride out_ld; exactly one of the two (none for bt_round_max) */
    int32_t        *out32;
    size_t          out_ld;
    size_t          n; /* columns of the result, for the flat index */
    /* Merged over tiles and threads; the caller sets them before. */
    _Atomic uint64_t bad; /* starts as BT_ROUND_NONE: smallest flat index of a violation */
    _Atomic uint64_t max; /* starts as 0: max |x|, by bt_round_max only */
} bt_round;

/* Both are bt_gemm_epilogue functions: ctx is a bt_round. They also serve on any int64 matrix, whole or in pieces. */
void bt_round_tile(void *round, const int64_t *acc, size_t ld, size_t i0, size_t ni, size_t j0, size_t nj);
void bt_round_max(void *round, const int64_t *acc, size_t ld, size_t i0, size_t ni, size_t j0, size_t nj); /* stores no output */

#endif
