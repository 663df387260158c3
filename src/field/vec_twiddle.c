/* SPDX-License-Identifier: Apache-2.0
 *
 * The twiddle tables of fp_rs_parity. Tables of all sizes are prefixes of the largest, but are made one by one as sizes come up. */
#include "field/vec_int.h"

#include <stdatomic.h>
#include <stdlib.h>

static _Atomic(fp_rs_table *) tables[FP_TWO_ADICITY];

static fp_twiddle twiddle(fp w)
{
    uint64_t plain = fp_to_u64(w);
    return (fp_twiddle){ plain, (uint64_t)(((u128)plain << 52) / FP_P) };
}

/* down[0] = 1; the entries of k bits are those of fewer times the new root. */
static void fill_down(fp_twiddle *down, size_t n)
{
    unsigned log = 2; /* of the order of the root that entry `half` is */
    down[0] = twiddle(FP_ONE);
    for (size_t half = 1; half < n; half *= 2, log++) {
        fp root = fp_inv(fp_root(log));
        for (size_t b = 0; b < half; b++)
            down[half + b] = twiddle(fp_mul(fp_from_u64(down[b].w), root));
    }
}

static void fill_up(fp_twiddle *up, size_t n)
{
    unsigned log = 2;
    up[0] = twiddle(0);
    for (size_t half = 1; half < n; half *= 2, log++) {
        fp w = fp_root(log), step = fp_mul(w, w);
        for (size_t j = 0; j < half; j++, w = fp_mul(w, step))
            up[half + j] = twiddle(w);
    }
}

static fp_rs_table *table_new(unsigned m)
{
    size_t       n = (size_t)1 << m, n_down = n > 1 ? n / 2 : 1;
    fp_rs_table *t = malloc(sizeof *t);
    fp_twiddle  *room = aligned_alloc(64, (n + n_down + 4) * sizeof *room / 64 * 64);
    CHECK(t && room); /* bounded: 24 bytes a symbol */
    *t = (fp_rs_table){ .down = room + n, .up = room, .scale = twiddle(fp_inv(fp_from_u64(n))) };
    fill_down(t->down, n_down);
    fill_up(t->up, n);
    return t;
}

const fp_rs_table *fp_rs_table_get(unsigned m)
{
    fp_rs_table *t = atomic_load_explicit(&tables[m], memory_order_acquire);
    if (t)
        return t;
    fp_rs_table *none = NULL;
    t = table_new(m);
    if (atomic_compare_exchange_strong(&tables[m], &none, t))
        return t;
    free(t->up); /* another thread was faster */
    free(t);
    return none;
}
