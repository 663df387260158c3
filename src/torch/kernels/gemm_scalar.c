/* SPDX-License-Identifier: Apache-2.0
 *
 * Plain C: what the other kernels must equal. 32-bit sums like theirs, so that a wrong flush length shows here (and under UBSan) too. */
#include "torch/kernels/gemm_int.h"

#include <string.h>

#define MR 4
#define NR 4
#define GROUP 1
#include "gemm_pack.inc"

static void micro(int64_t *c, size_t ldc, const int16_t *a, const int16_t *b, size_t k_pairs, size_t cols, unsigned shift, bool add)
{
    (void)cols; /* computes them all */
    for (size_t r = 0; r < MR; r++)
        for (size_t l = 0; l < NR; l++) {
            int32_t acc = 0;
            for (size_t k = 0; k < 2 * k_pairs; k++)
                acc += a[k * MR + r] * b[k * NR + l];
            int64_t *out = &c[r * ldc + l];
            *out = (int64_t)((add ? (uint64_t)*out : 0) + ((uint64_t)(int64_t)acc << shift));
        }
}

const bt_gemm_kernel bt_gemm_scalar = {.mr = MR, .nr = NR, .pack_a = pack_a, .pack_b = pack_b, .micro = micro};
