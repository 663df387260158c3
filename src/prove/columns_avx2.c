/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/columns_int.h"

#include <immintrin.h>

#define LANES 8
#define ROTATED_16(x) \
    (vec)_mm256_shuffle_epi8((__m256i)(x), _mm256_broadcastsi128_si256(_mm_setr_epi8(2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13)))
#define ROTATED_8(x) \
    (vec)_mm256_shuffle_epi8((__m256i)(x), _mm256_broadcastsi128_si256(_mm_setr_epi8(1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12)))
#include "columns.inc"

const pv_column_kernels pv_columns_avx2 = { compress, absorb_cells, absorb_symbols, spread };
