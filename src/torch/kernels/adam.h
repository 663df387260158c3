/* SPDX-License-Identifier: Apache-2.0
 *
 * Integer Adam over arrays: for every element exactly num_adam_step(num_adam_gradient(...)) of numerics/data.h (spec/numerics.md section
 * 12). Quotients and roots are estimated in double precision and corrected to the exact integer, so every instruction set gives the
 * same bytes; elements outside the range in which one correction is proved to be enough take the way of data.h. */
#ifndef TORCH_KERNELS_ADAM_H
#define TORCH_KERNELS_ADAM_H

#include "base/err.h"

typedef struct bt_adam {
    int      gradient_fraction; /* of the exact sums, in [-64, 124] */
    uint64_t tokens;            /* 1 .. 2^48 */
    int32_t  rate;              /* fraction 28, >= 0 */
    uint64_t c1, c2;            /* 2^32 - p1, 2^32 - p2 */
} bt_adam;

/* Updates n weights and their moments in place; |m| <= 2^35 and 0 <= v <= 2^62, as data.h keeps them. Any gradient. */
void bt_adam_update(const bt_adam *a, const int64_t *gradient, int32_t *w, int64_t *m, int64_t *v, size_t n);

#endif
