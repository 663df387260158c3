/* SPDX-License-Identifier: Apache-2.0
 *
 * 128-bit lanes. NEON has no pairwise int16 dot product, so panels are planes: one k at a time, 8 x 8 products by smlal and smlal2
 * by element. */
#include "torch/kernels/gemm_int.h"

#include <arm_neon.h>
#include <string.h>

#define MR 8
#define NR 8
#define GROUP 1
#include "gemm_pack.inc"

#define ROW(r, a, lane)                                            \
    acc[r][0] = vmlal_lane_s16(acc[r][0], vget_low_s16(bv), a, lane); \
    acc[r][1] = vmlal_high_lane_s16(acc[r][1], bv, a, lane)

static inline void flush(int64_t *c, int32x4_t acc, int64x2_t shift, bool add)
{
    int64x2_t lo = vshlq_s64(vmovl_s32(vget_low_s32(acc)), shift);
    int64x2_t hi = vshlq_s64(vmovl_high_s32(acc), shift);
    if (add) {
        lo = vaddq_s64(lo, vld1q_s64(c));
        hi = vaddq_s64(hi, vld1q_s64(c + 2));
    }
    vst1q_s64(c, lo);
    vst1q_s64(c + 2, hi);
}

static void micro(int64_t *c, size_t ldc, const int16_t *a, const int16_t *b, size_t k_pairs, size_t cols, unsigned shift, bool add)
{
    (void)cols; /* computes them all */
    int32x4_t acc[MR][2];
#pragma GCC unroll 8
    for (int r = 0; r < MR; r++)
        acc[r][0] = acc[r][1] = vdupq_n_s32(0);
    for (size_t k = 0; k < 2 * k_pairs; k++) {
        int16x8_t bv = vld1q_s16(b), av = vld1q_s16(a);
        int16x4_t a0 = vget_low_s16(av), a1 = vget_high_s16(av);
        ROW(0, a0, 0);
        ROW(1, a0, 1);
        ROW(2, a0, 2);
        ROW(3, a0, 3);
        ROW(4, a1, 0);
        ROW(5, a1, 1);
        ROW(6, a1, 2);
        ROW(7, a1, 3);
        a += MR;
        b += NR;
    }
    int64x2_t n = vdupq_n_s64((int64_t)shift);
#pragma GCC unroll 8
    for (size_t r = 0; r < MR; r++) {
        flush(c + r * ldc, acc[r][0], n, add);
        flush(c + r * ldc + 4, acc[r][1], n, add);
    }
}

const bt_gemm_kernel bt_gemm_neon = {.mr = MR, .nr = NR, .pack_a = pack_a, .pack_b = pack_b, .micro = micro};
