/* SPDX-License-Identifier: Apache-2.0 */
#include "torch/kernels/gemm_int.h"

#include <immintrin.h>
#include <string.h>

#define v_dot(acc, a, b) _mm512_dpwssd_epi32(acc, a, b)
#include "gemm_avx512.inc"

const bt_gemm_kernel bt_gemm_avx512vnni = {.mr = MR, .nr = NR, .pack_a = pack_a, .pack_b = pack_b, .micro = micro};
