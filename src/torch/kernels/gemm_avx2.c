/* SPDX-License-Identifier: Apache-2.0
 *
 * 256-bit lanes: 12 accumulators, 2 vectors of B, a broadcast and a product fill the 16 registers. */
#include "torch/kernels/gemm_int.h"

#include <immintrin.h>
#include <string.h>

#define V __m256i
#define LANES 8
#define MR 6
#define NV 2
#define NR 16
#define GROUP 2
#define v_zero _mm256_setzero_si256
#define v_load(p) _mm256_load_si256((const void *)(p))

/* The addition by hand: for the intrinsic, gcc 12 copies accumulators around and spills them. */
static inline __m256i v_dot(__m256i acc, __m256i a, __m256i b)
{
    __asm__("vpaddd %1, %0, %0" : "+x"(acc) : "x"(_mm256_madd_epi16(a, b)));
    return acc;
}

static inline __m256i v_pair(const int16_t *p)
{
    int32_t pair;
    memcpy(&pair, p, sizeof pair);
    return _mm256_set1_epi32(pair);
}

static inline void v_flush(int64_t *c, __m256i acc, unsigned shift, bool add)
{
    __m256i lo = _mm256_cvtepi32_epi64(_mm256_castsi256_si128(acc));
    __m256i hi = _mm256_cvtepi32_epi64(_mm256_extracti128_si256(acc, 1));
    if (shift > 0) {
        __m128i n = _mm_cvtsi32_si128((int)shift);
        lo = _mm256_sll_epi64(lo, n);
        hi = _mm256_sll_epi64(hi, n);
    }
    if (add) {
        lo = _mm256_add_epi64(lo, _mm256_loadu_si256((const void *)c));
        hi = _mm256_add_epi64(hi, _mm256_loadu_si256((const void *)(c + 4)));
    }
    _mm256_storeu_si256((void *)c, lo);
    _mm256_storeu_si256((void *)(c + 4), hi);
}

#include "gemm_x86.inc"
#include "gemm_pack.inc"
#include "gemm_micro.inc"

const bt_gemm_kernel bt_gemm_avx2 = {.mr = MR, .nr = NR, .pack_a = pack_a, .pack_b = pack_b, .micro = micro};
