/* SPDX-License-Identifier: Apache-2.0 */
#include "torch/kernels/round.h"

#include "torch/cpu.h"
#include "torch/kernels/round_int.h"

static bt_round_row row_at(const bt_round *r, const int64_t *acc, size_t i, size_t j0, size_t n)
{
    CHECK(r->shift <= BT_ROUND_SHIFT_MAX && r->limit >= 0 && r->limit <= BT_ROUND_LIMIT_MAX && r->clamp >= 0);
    CHECK(!(r->g16 && r->g32) && !r->dither_row == !r->dither_col);
    bt_round_row row = {.acc = acc, .n = n, .mul = (uint64_t)r->mul, .shift = r->shift, .limit = r->limit, .clamp = r->clamp};
    if (r->row_add)
        row.add = (uint64_t)r->row_add[i];
    if (r->row_mul)
        row.mul *= (uint64_t)r->row_mul[i];
    if (r->g16)
        row.g16 = r->g16 + i * r->g_ld + j0;
    if (r->g32)
        row.g32 = r->g32 + i * r->g_ld + j0;
    row.half = r->shift ? (uint64_t)1 << (r->shift - 1) : 0;
    row.mask = ((uint64_t)1 << r->shift) - 1;
    if (r->dither_row) {
        row.word = r->dither_row[i];
        row.words = r->dither_col + j0;
    }
    return row;
}

/* The row kernel says that some element violates; this says which is the first. */
static size_t first_bad(const bt_round_row *r)
{
    for (size_t j = 0; j < r->n; j++) {
        uint64_t x = ((uint64_t)r->acc[j] + r->add) * r->mul;
        if (r->g16 || r->g32)
            x *= (uint64_t)(r->g16 ? (int64_t)r->g16[j] : (int64_t)r->g32[j]);
        uint64_t u = r->words ? (r->word ^ r->words[j]) & r->mask : r->half;
        int64_t  t = (int64_t)(x + u) >> r->shift;
        if (t > r->limit || t < -r->limit)
            return j;
    }
    return r->n;
}

static void keep_min(_Atomic uint64_t *to, uint64_t x)
{
    uint64_t old = atomic_load_explicit(to, memory_order_relaxed);
    while (x < old && !atomic_compare_exchange_weak(to, &old, x))
        ;
}

static void keep_max(_Atomic uint64_t *to, uint64_t x)
{
    uint64_t old = atomic_load_explicit(to, memory_order_relaxed);
    while (x > old && !atomic_compare_exchange_weak(to, &old, x))
        ;
}

void bt_round_tile(void *round, const int64_t *acc, size_t ld, size_t i0, size_t ni, size_t j0, size_t nj)
{
    bt_round              *r = round;
    const bt_round_kernel *kernel = bt_cpu_kernels()->round;
    CHECK(!r->out16 != !r->out32 && (r->out32 || r->clamp <= INT16_MAX));
    for (size_t i = i0; i < i0 + ni; i++, acc += ld) {
        bt_round_row row = row_at(r, acc, i, j0, nj);
        if (r->out16)
            row.out16 = r->out16 + i * r->out_ld + j0;
        else
            row.out32 = r->out32 + i * r->out_ld + j0;
        if (kernel->row(&row)) {
            size_t at = first_bad(&row);
            CHECK(at < nj);
            keep_min(&r->bad, (uint64_t)i * r->n + j0 + at);
        }
    }
}

void bt_round_max(void *round, const int64_t *acc, size_t ld, size_t i0, size_t ni, size_t j0, size_t nj)
{
    bt_round              *r = round;
    const bt_round_kernel *kernel = bt_cpu_kernels()->round;
    uint64_t               max = 0;
    for (size_t i = i0; i < i0 + ni; i++, acc += ld) {
        bt_round_row row = row_at(r, acc, i, j0, nj);
        uint64_t     m = kernel->max(&row);
        max = m > max ? m : max;
    }
    keep_max(&r->max, max);
}
