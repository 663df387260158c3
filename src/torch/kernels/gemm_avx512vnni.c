/* SPDX-License-Identifier: Apache-2.0 */
#include "torch/kernels/gemm_int.h"

#include <immintrin.h>
#include <string.h>

/* By hand: for the intrinsic, gcc 12 copies accumulators around and spills half of them, a factor of two. */
static inline __m512i v_dot(__m512i acc, __m512i a, __m512i b)
{
    __asm__("vpdpwssd %2, %1, %0" : "+v"(acc) : "v"(a), "v"(b));
    return acc;
}

#include "gemm_avx512.inc"

const bt_gemm_kernel bt_gemm_avx512vnni = {.mr = MR, .nr = NR, .pack_a = pack_a, .pack_b = pack_b, .micro = micro};
