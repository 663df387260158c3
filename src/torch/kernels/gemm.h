/* SPDX-License-Identifier: Apache-2.0
 *
 * Exact integer matrix product, the heart of the integer tier (DESIGN 4). Operands are int16 containers with a stated bound on |q|;
 * the result is the exact sum in int64. 32-bit lanes are flushed to 64 bits before any operand within the bounds can wrap them,
 * so there is no order of additions to specify: every instruction set, tile shape and thread count gives the same integers.
 *
 *     acc[i,j] = sum over terms t of ( sum_{k < K_t} A_t[i,k] * B_t[k,j] ) << shift_t          0 <= i < m, 0 <= j < n
 *
 * acc goes either to an int64 matrix, or tile by tile to an epilogue that rounds it, so that no int64 matrix is ever stored. */
#ifndef TORCH_KERNELS_GEMM_H
#define TORCH_KERNELS_GEMM_H

#include "base/err.h"
#include "base/port/pool.h"

/* Largest |q| of a signed operand of `width` bits: the symmetric range of the integer tier (12 bits: 2047). */
#define BT_WIDTH_MAX(width) ((1 << ((width) - 1)) - 1)

enum {
    BT_GEMM_OPERAND_MAX = 32767, /* -32768 is never a value of the integer tier */
    BT_GEMM_SHIFT_MAX = 62,
    BT_GEMM_TERMS_MAX = 8,
    BT_GEMM_TILE_ROWS = 64, /* no epilogue tile is larger */
    BT_GEMM_TILE_COLS = 192,
};

/* A borrowed matrix: element (r, c) is p[r * row + c * col]. Strides count elements, may be 0 or negative; all four transposed cases are
 * a swap of strides. One of the strides should be 1 for speed. */
typedef struct bt_gemm_view {
    const int16_t *p;
    ptrdiff_t      row, col;
} bt_gemm_view;

typedef struct bt_gemm_term {
    bt_gemm_view a; /* m x k */
    bt_gemm_view b; /* k x n */
    size_t       k;
    int32_t      a_max, b_max; /* bounds on |q|, 1 .. BT_GEMM_OPERAND_MAX; an operand past its bound makes acc meaningless, no more */
    unsigned     shift;        /* left shift of this term, 0 .. BT_GEMM_SHIFT_MAX */
} bt_gemm_term;

/* Receives acc[i0 .. i0+ni, j0 .. j0+nj]: element (i, j) of the result is acc[(i - i0) * ld + (j - j0)]. The tiles cover the result
 * exactly once, in any order, from any thread of the pool; acc is scratch and dead after the return. */
typedef void bt_gemm_epilogue(void *ctx, const int64_t *acc, size_t ld, size_t i0, size_t ni, size_t j0, size_t nj);

typedef struct bt_gemm_plan {
    size_t              m, n;
    const bt_gemm_term *terms;
    size_t              n_terms; /* 0 .. BT_GEMM_TERMS_MAX; none, or k = 0, means acc = 0 */
    /* Where acc goes. With an epilogue: there, and `c` is not looked at. */
    bt_gemm_epilogue *epilogue;
    void             *ctx;
    /* Without: c[i * ldc + j] = acc, or += acc (two's complement; the ledger proves the sum fits). */
    int64_t *c;
    size_t   ldc; /* >= n */
    bool     accumulate;
} bt_gemm_plan;

/* Scratch for one product at a time, spread over `pool` (borrowed, may be NULL: the caller's thread alone, e.g. one per thread
 * for batches of small products). `k_max` bounds the sum of k over the terms of any plan. ERR_MEMORY. Owned by the caller. */
typedef struct bt_gemm_ws bt_gemm_ws;
err    bt_gemm_ws_new(bt_gemm_ws **out, base_pool *pool, size_t k_max) MUST_USE;
void   bt_gemm_ws_free(bt_gemm_ws *ws);

/* All it holds: min(1.5 KiB * k_max, 6 MiB) for B and at most 0.7 MiB per thread, up to k_max = 16384; then in proportion to k_max. */
size_t bt_gemm_ws_bytes(const bt_gemm_ws *ws);

/* Runs the plan. Allocates nothing. On error nothing was written and no epilogue called:
 * ERR_LIMIT  sum of k > k_max, or too many terms
 * ERR_RANGE  a bound or shift outside its range
 * ERR_LEDGER acc could leave 2^62 for some operands within the bounds */
err bt_gemm_run(bt_gemm_ws *ws, const bt_gemm_plan *plan) MUST_USE;

/* Longest run of products with |a| <= a_max, |b| <= b_max that any order of additions keeps within int32, rounded down to even
 * (pairs are added by one instruction); at least 2 within the admitted bounds. For w = 12: 512; for w = 16: 2. */
size_t bt_gemm_flush_length(int32_t a_max, int32_t b_max);

#endif
