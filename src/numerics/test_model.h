/* SPDX-License-Identifier: Apache-2.0
 *
 * A small shape with plausible fractions, for tests only. */
#ifndef NUMERICS_TEST_MODEL_H
#define NUMERICS_TEST_MODEL_H

#include "numerics/config.h"

static inline num_shape test_model_shape(void)
{
    return (num_shape){ .vocab = 40, .context = 20, .width = 48, .layers = 2, .heads = 3, .bits = 12, .helper = NUM_NARROW };
}

static inline num_fractions test_model_fractions(const num_shape *s)
{
    num_fractions f;
    memset(&f, 0, sizeof f);
    f.top = (num_top_fractions){ .e = 10, .p = 10, .yf = 9, .wh = 13, .dnf = 14, .gx = 16 };
    for (uint32_t l = 0; l < s->layers; l++)
        f.layer[l] = (num_layer_fractions){
            .y1 = 9, .wqkv = 13, .q = 9, .k = 9, .v = 9, .o = 10, .wo = 13, .y2 = 9, .w1 = 13, .h = 8, .g = 10, .w2 = 13,
            .dm = 10, .dh = 12, .dn2 = 14, .da = 10, .dp = 11, .dv = 10, .ds = 12, .dq = 12, .dk = 12, .dn1 = 14,
        };
    return f;
}

#endif
