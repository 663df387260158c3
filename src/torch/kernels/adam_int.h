/* SPDX-License-Identifier: Apache-2.0
 *
 * Between adam.c and the block kernels (adam_<isa>.c). */
#ifndef TORCH_KERNELS_ADAM_INT_H
#define TORCH_KERNELS_ADAM_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BT_ADAM_BLOCK = 128 };

typedef struct bt_adam_fast {
    /* gradient per token: floor((G 2^shift + add) / bottom), for |G| <= g_max */
    unsigned shift;
    int64_t  add, bottom, g_max;
    double   per_bottom;
    int64_t  rate, c1, c2;
    double   k1, k2; /* 2^32 / c1, 2^32 / c2 */
} bt_adam_fast;

typedef struct bt_adam_block {
    int64_t m[BT_ADAM_BLOCK], v[BT_ADAM_BLOCK];
    int32_t w[BT_ADAM_BLOCK];
} bt_adam_block;

typedef struct bt_adam_kernel {
    /* The new values of n <= BT_ADAM_BLOCK elements; false if some element was outside the fast range: nothing is valid then. */
    bool (*run)(bt_adam_block *out, const bt_adam_fast *f, const int64_t *gradient, const int32_t *w, const int64_t *m, const int64_t *v,
                size_t n);
} bt_adam_kernel;

extern const bt_adam_kernel bt_adam_scalar, bt_adam_avx2, bt_adam_avx512, bt_adam_neon;

#endif
