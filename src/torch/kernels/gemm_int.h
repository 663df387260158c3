/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the blocking code (gemm.c) and the microkernels (gemm_<isa>.c).
 *
 * Packed panels. A panel of `width` lanes (rows of A, or columns of B) over an even number of k holds, for each group of two
 * consecutive k, the lanes side by side:   pairs: panel[(k/2 * width + lane) * 2 + k%2]     planes: panel[k * width + lane]
 * Lanes and k past the edge are 0, so a microkernel never sees an edge. */
#ifndef TORCH_KERNELS_GEMM_INT_H
#define TORCH_KERNELS_GEMM_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which part of an operand is packed. A product whose flush length would be tiny has its A split as q = 256 high + low, both <= 128. */
typedef enum bt_gemm_part { BT_GEMM_WHOLE, BT_GEMM_LOW, BT_GEMM_HIGH } bt_gemm_part;

/* Packs lanes x k elements src[lane * lane_step + k * k_step] into ceil(lanes / width) panels, panel_len elements apart. */
typedef void bt_gemm_pack(int16_t *panels, size_t panel_len, const int16_t *src, ptrdiff_t lane_step, ptrdiff_t k_step, size_t lanes,
                          size_t k, bt_gemm_part part);

/* c[r * ldc + l] = or += (sum over 2 * k_pairs products of lane r of `a` and lane l of `b`) << shift, in 32-bit lanes until the
 * end: 2 * k_pairs is at most the flush length. Writes mr rows and at least `cols` (1 .. nr), at most nr columns of c. */
typedef void bt_gemm_micro(int64_t *c, size_t ldc, const int16_t *a, const int16_t *b, size_t k_pairs, size_t cols, unsigned shift,
                           bool add);

typedef struct bt_gemm_kernel {
    size_t         mr, nr; /* mr <= BT_GEMM_TILE_ROWS, nr divides BT_GEMM_TILE_COLS */
    bt_gemm_pack  *pack_a, *pack_b;
    bt_gemm_micro *micro;
} bt_gemm_kernel;

extern const bt_gemm_kernel bt_gemm_scalar, bt_gemm_avx2, bt_gemm_avx512, bt_gemm_avx512vnni, bt_gemm_neon;

enum { BT_GEMM_MR_MAX = 8, BT_GEMM_NR_MAX = 48 };

#endif
