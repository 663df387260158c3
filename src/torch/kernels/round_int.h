/* SPDX-License-Identifier: Apache-2.0
 *
 * Between round.c and the row kernels (round_<isa>.c). */
#ifndef TORCH_KERNELS_ROUND_INT_H
#define TORCH_KERNELS_ROUND_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A piece of one row; pointers stand at its first element. */
typedef struct bt_round_row {
    const int64_t  *acc;
    size_t          n;
    uint64_t        add, mul; /* two's complement */
    const int16_t  *g16;
    const int32_t  *g32;
    unsigned        shift;
    uint64_t        half, mask, word; /* without and with dither */
    const uint64_t *words;            /* per column; NULL: half up */
    int64_t         limit, clamp;
    int16_t        *out16;
    int32_t        *out32;
} bt_round_row;

typedef struct bt_round_kernel {
    bool (*row)(const bt_round_row *r);     /* rounds and stores; true if some |t| > limit */
    uint64_t (*max)(const bt_round_row *r); /* max |x| */
} bt_round_kernel;

extern const bt_round_kernel bt_round_scalar, bt_round_avx2, bt_round_avx512, bt_round_neon;

#endif
