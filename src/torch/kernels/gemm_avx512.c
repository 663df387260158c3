/* SPDX-License-Identifier: Apache-2.0 */
#include "torch/kernels/gemm_int.h"

#include <immintrin.h>
#include <string.h>

/* The addition by hand: for the intrinsic, gcc 12 copies accumulators around and spills them. */
static inline __m512i v_dot(__m512i acc, __m512i a, __m512i b)
{
    __asm__("vpaddd %1, %0, %0" : "+v"(acc) : "v"(_mm512_madd_epi16(a, b)));
    return acc;
}

#include "gemm_avx512.inc"

const bt_gemm_kernel bt_gemm_avx512 = {.mr = MR, .nr = NR, .pack_a = pack_a, .pack_b = pack_b, .micro = micro};
