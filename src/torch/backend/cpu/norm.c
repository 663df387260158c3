/* SPDX-License-Identifier: Apache-2.0
 *
 * RMSNorm and its gradient, a row at a time (spec/numerics.md sections 4 and 5). */
#include "torch/backend/cpu/cpu_int.h"

#include "numerics/round.h"

typedef struct norm_job {
    cpu_device             *dev;
    const bt_norm_args     *a;
    const bt_norm_grad_args *g;
    _Atomic uint64_t        bad_row; /* the first with r, or m, outside its domain */
} norm_job;

static void norm_row(norm_job *job, size_t i, int64_t *row)
{
    const bt_norm_args *a = job->a;
    size_t d = (size_t)a->x.shape[1];
    const int32_t *restrict x = (const int32_t *)bt_tensor_data(&a->x) + i * d;
    uint64_t squares = 0;
    for (size_t j = 0; j < d; j++) {
        int64_t v = x[j];
        row[j] = v;
        squares += (uint64_t)(v * v);
    }
    if (squares > (uint64_t)a->c->d_s)
        cpu_keep_min(&job->bad_row, i);
    ((int64_t *)bt_tensor_data(&a->r))[i] = num_norm_r(squares, (uint32_t)d, a->c->f_r, a->c->f_res);
    (a->measure ? bt_round_max : bt_round_tile)(a->round, row, d, i, 1, 0, d);
}

static void norm_block(void *ctx, size_t block, unsigned thread)
{
    norm_job *job = ctx;
    size_t rows = (size_t)job->a->x.shape[0];
    for (size_t i = block * CPU_ROW_BLOCK; i < rows && i < (block + 1) * CPU_ROW_BLOCK; i++)
        norm_row(job, i, job->dev->row[thread]);
}

err cpu_norm(cpu_device *dev, const bt_norm_args *a)
{
    size_t d = (size_t)a->x.shape[1];
    TRY(cpu_need_rows(dev, d));
    a->round->n = d;
    a->round->mul = 1;
    a->round->row_mul = bt_tensor_data(&a->r);
    a->round->out16 = a->measure ? NULL : bt_tensor_data(&a->y);
    a->round->out32 = NULL;
    a->round->out_ld = d;
    norm_job job = { .dev = dev, .a = a, .bad_row = BT_ROUND_NONE };
    base_pool_for(dev->pool, cpu_row_blocks(a->x.shape[0]), norm_block, &job);
    *a->bad_r = job.bad_row;
    return OK;
}

enum { M_BITS_MAX = 34 };

/* dx goes through a scratch row of int32 behind the int64 one, then is added to the gradient stream. */
static void norm_grad_row(norm_job *job, size_t i, int64_t *row)
{
    const bt_norm_grad_args *a = job->g;
    size_t d = (size_t)a->dn.shape[1];
    const int32_t *restrict dn = (const int32_t *)bt_tensor_data(&a->dn) + i * d;
    const int16_t *restrict y = (const int16_t *)bt_tensor_data(&a->y) + i * d;
    int64_t r = ((const int64_t *)bt_tensor_data(&a->r))[i];
    int64_t sum = 0;
    for (size_t j = 0; j < d; j++)
        sum += (int64_t)dn[j] * y[j];
    int64_t m = num_norm_m(r, sum, (uint32_t)d, a->f_y);
    if (a->m.storage)
        ((int64_t *)bt_tensor_data(&a->m))[i] = m;
    if (m > (int64_t)1 << M_BITS_MAX || m < -((int64_t)1 << M_BITS_MAX)) {
        cpu_keep_min(&job->bad_row, i);
        m = 0;
    }
    for (size_t j = 0; j < d; j++)
        row[j] = r * dn[j] - y[j] * m;
    if (a->measure) {
        bt_round_max(a->round, row, d, i, 1, 0, d);
        return;
    }
    int32_t *restrict dx = (int32_t *)(row + d);
    bt_round piece = { .mul = 1, .shift = a->round->shift, .limit = a->round->limit, .clamp = a->round->clamp, .out32 = dx, .out_ld = d,
                       .n = d, .bad = BT_ROUND_NONE };
    if (a->round->dither_row) {
        piece.dither_row = a->round->dither_row + i;
        piece.dither_col = a->round->dither_col;
    }
    bt_round_tile(&piece, row, d, 0, 1, 0, d);
    if (piece.bad != BT_ROUND_NONE)
        cpu_keep_min(&a->round->bad, i * d + piece.bad);
    if (a->dx.storage)
        memcpy((int32_t *)bt_tensor_data(&a->dx) + i * d, dx, d * sizeof *dx);
    int32_t *restrict gx = (int32_t *)bt_tensor_data(&a->gx) + i * d;
    for (size_t j = 0; j < d; j++)
        gx[j] += dx[j];
}

static void norm_grad_block(void *ctx, size_t block, unsigned thread)
{
    norm_job *job = ctx;
    size_t rows = (size_t)job->g->dn.shape[0];
    for (size_t i = block * CPU_ROW_BLOCK; i < rows && i < (block + 1) * CPU_ROW_BLOCK; i++)
        norm_grad_row(job, i, job->dev->row[thread]);
}

err cpu_norm_grad(cpu_device *dev, const bt_norm_grad_args *a)
{
    size_t d = (size_t)a->dn.shape[1];
    TRY(cpu_need_rows(dev, d + (d + 1) / 2));
    norm_job job = { .dev = dev, .g = a, .bad_row = BT_ROUND_NONE };
    base_pool_for(dev->pool, cpu_row_blocks(a->dn.shape[0]), norm_grad_block, &job);
    *a->bad_m = job.bad_row;
    return OK;
}
