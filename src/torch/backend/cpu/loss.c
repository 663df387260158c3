/* SPDX-License-Identifier: Apache-2.0
 *
 * Softmax cross-entropy over the logits of a row: loss and logit gradient (spec/numerics.md sections 4 and 5). */
#include "torch/backend/cpu/cpu_int.h"

#include "numerics/round.h"

typedef struct loss_job {
    cpu_device         *dev;
    const bt_loss_args *a;
} loss_job;

static void trace_row(const bt_loss_args *a, size_t i, const int64_t *el, uint64_t sum, int64_t reciprocal, int64_t loss)
{
    size_t v = (size_t)a->lg.shape[1];
    int32_t *out = (int32_t *)bt_tensor_data(&a->el) + i * v;
    for (size_t j = 0; j < v; j++)
        out[j] = (int32_t)el[j];
    ((int64_t *)bt_tensor_data(&a->zl))[i] = (int64_t)sum;
    ((int64_t *)bt_tensor_data(&a->rl))[i] = reciprocal;
    ((int64_t *)bt_tensor_data(&a->loss))[i] = loss;
}

static int64_t loss_row(const bt_loss_args *a, size_t i, int64_t *row)
{
    size_t v = (size_t)a->lg.shape[1];
    const int32_t *lg = (const int32_t *)bt_tensor_data(&a->lg) + i * v;
    size_t target = a->targets[i / a->context * a->target_stride + i % a->context];
    int32_t max = lg[0];
    for (size_t j = 1; j < v; j++)
        max = lg[j] > max ? lg[j] : max;
    uint64_t sum = 0;
    for (size_t j = 0; j < v; j++) {
        row[j] = a->exp_table[max - lg[j]];
        sum += (uint64_t)row[j];
    }
    int64_t loss = (((int64_t)max - lg[target]) << (16 - a->c->f_l)) + num_ilog2(sum) - num_ilog2((uint64_t)a->c->q_l + 1);
    int64_t reciprocal = num_loss_R((int64_t)sum, a->c->n_l);
    if (a->el.storage)
        trace_row(a, i, row, sum, reciprocal, loss);
    if (a->dl.storage) {
        for (size_t j = 0; j < v; j++)
            row[j] *= reciprocal;
        row[target] -= (int64_t)1 << a->c->n_l;
        bt_round_tile(a->round, row, v, i, 1, 0, v);
    }
    return loss;
}

static void loss_block(void *ctx, size_t block, unsigned thread)
{
    loss_job *job = ctx;
    size_t rows = (size_t)job->a->lg.shape[0];
    int64_t sum = 0;
    for (size_t i = block * CPU_ROW_BLOCK; i < rows && i < (block + 1) * CPU_ROW_BLOCK; i++)
        sum += loss_row(job->a, i, job->dev->row[thread]);
    atomic_fetch_add(job->a->loss_q16, sum);
}

err cpu_loss(cpu_device *dev, const bt_loss_args *a)
{
    size_t v = (size_t)a->lg.shape[1];
    TRY(cpu_need_rows(dev, v));
    if (a->dl.storage) {
        a->round->n = v;
        a->round->mul = 1;
        a->round->out16 = bt_tensor_data(&a->dl);
        a->round->out32 = NULL;
        a->round->out_ld = v;
    }
    loss_job job = { .dev = dev, .a = a };
    base_pool_for(dev->pool, cpu_row_blocks(a->lg.shape[0]), loss_block, &job);
    return OK;
}
