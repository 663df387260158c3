/* SPDX-License-Identifier: Apache-2.0 */
#include "torch/kernels/adam.h"

#include "numerics/data.h"
#include "torch/cpu.h"
#include "torch/kernels/adam_int.h"

#include <string.h>

/* False where constants are outside the fast range: then every element goes the long way. */
static bool prepare(bt_adam_fast *f, const bt_adam *a)
{
    int up = 34 - a->gradient_fraction, down = up < 0 ? -up : 0;
    if (up > 40 || down > 40 || a->rate >= 1 << 24 || a->tokens >= (uint64_t)1 << (60 - down))
        return false;
    unsigned shift = up > 0 ? (unsigned)up + 1 : 1;
    int64_t  add = (int64_t)(a->tokens << down);
    *f = (bt_adam_fast){.shift = shift, .add = add, .bottom = 2 * add, .g_max = ((int64_t)1 << (61 - shift)) - 1,
                        .per_bottom = 0.5 / (double)add, .rate = a->rate, .c1 = (int64_t)a->c1, .c2 = (int64_t)a->c2,
                        .k1 = 0x1p32 / (double)a->c1, .k2 = 0x1p32 / (double)a->c2};
    return true;
}

static void long_way(const bt_adam *a, const int64_t *gradient, int32_t *w, int64_t *m, int64_t *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        num_adam one = {w[i], m[i], v[i]};
        num_adam_step(&one, num_adam_gradient(gradient[i], a->gradient_fraction, a->tokens), a->rate, a->c1, a->c2);
        w[i] = one.w;
        m[i] = one.m;
        v[i] = one.v;
    }
}

void bt_adam_update(const bt_adam *a, const int64_t *gradient, int32_t *w, int64_t *m, int64_t *v, size_t n)
{
    const bt_adam_kernel *kernel = bt_cpu_kernels()->adam;
    bt_adam_fast          fast;
    bool                  is_fast = prepare(&fast, a);
    for (size_t at = 0; at < n; at += BT_ADAM_BLOCK) {
        size_t        count = n - at < BT_ADAM_BLOCK ? n - at : BT_ADAM_BLOCK;
        bt_adam_block out;
        if (is_fast && kernel->run(&out, &fast, gradient + at, w + at, m + at, v + at, count)) {
            memcpy(w + at, out.w, count * sizeof *w);
            memcpy(m + at, out.m, count * sizeof *m);
            memcpy(v + at, out.v, count * sizeof *v);
        } else {
            long_way(a, gradient + at, w + at, m + at, v + at, count);
        }
    }
}
