/* SPDX-License-Identifier: Apache-2.0
 *
 * Embedding, residual additions and table look-ups: data movement. */
#include "torch/backend/cpu/cpu_int.h"

typedef struct embed_job {
    const bt_embed_args      *a;
    const bt_embed_grad_args *g;
} embed_job;

static void embed_block(void *ctx, size_t block, unsigned thread)
{
    const bt_embed_args *a = ((embed_job *)ctx)->a;
    (void)thread;
    size_t d = (size_t)a->x.shape[1], rows = (size_t)a->x.shape[0];
    const int16_t *e = bt_tensor_data(&a->e), *p = bt_tensor_data(&a->p);
    for (size_t i = block * CPU_ROW_BLOCK; i < rows && i < (block + 1) * CPU_ROW_BLOCK; i++) {
        size_t position = i % a->context;
        size_t token = a->tokens[i / a->context * a->token_stride + position];
        const int16_t *restrict from_e = e + token * d, *restrict from_p = p + position * d;
        int32_t *restrict x = (int32_t *)bt_tensor_data(&a->x) + i * d;
        for (size_t j = 0; j < d; j++)
            x[j] = from_e[j] * (1 << a->shift_e) + from_p[j] * (1 << a->shift_p);
    }
}

err cpu_embed(cpu_device *dev, const bt_embed_args *a)
{
    embed_job job = { .a = a };
    base_pool_for(dev->pool, cpu_row_blocks(a->x.shape[0]), embed_block, &job);
    return OK;
}

/* Threads own columns, so two tokens that are equal never meet. */
enum { EMBED_COLUMNS = 64 };

static void embed_grad_block(void *ctx, size_t block, unsigned thread)
{
    const bt_embed_grad_args *g = ((embed_job *)ctx)->g;
    (void)thread;
    size_t d = (size_t)g->gx.shape[1], rows = (size_t)g->gx.shape[0];
    size_t j0 = block * EMBED_COLUMNS, j1 = j0 + EMBED_COLUMNS < d ? j0 + EMBED_COLUMNS : d;
    for (size_t i = 0; i < rows; i++) {
        size_t position = i % g->context;
        size_t token = g->tokens[i / g->context * g->token_stride + position];
        const int32_t *restrict gx = (const int32_t *)bt_tensor_data(&g->gx) + i * d;
        int64_t *restrict de = g->de.storage ? (int64_t *)bt_tensor_data(&g->de) + token * d : NULL;
        int64_t *restrict dp = g->dp.storage ? (int64_t *)bt_tensor_data(&g->dp) + position * d : NULL;
        for (size_t j = j0; de && j < j1; j++)
            de[j] += gx[j];
        for (size_t j = j0; dp && j < j1; j++)
            dp[j] += gx[j];
    }
}

err cpu_embed_grad(cpu_device *dev, const bt_embed_grad_args *a)
{
    embed_job job = { .g = a };
    base_pool_for(dev->pool, (size_t)((a->gx.shape[1] + EMBED_COLUMNS - 1) / EMBED_COLUMNS), embed_grad_block, &job);
    return OK;
}

enum { FLAT_BLOCK = 16384 };

static void add_block(void *ctx, size_t block, unsigned thread)
{
    const bt_add_args *a = ctx;
    (void)thread;
    size_t n = (size_t)bt_tensor_count(&a->x), end = (block + 1) * FLAT_BLOCK < n ? (block + 1) * FLAT_BLOCK : n;
    int32_t *restrict x = bt_tensor_data(&a->x);
    const int32_t *restrict b = bt_tensor_data(&a->b);
    for (size_t i = block * FLAT_BLOCK; i < end; i++)
        x[i] += b[i];
}

err cpu_add(cpu_device *dev, const bt_add_args *a)
{
    CHECK(bt_tensor_contiguous(&a->x) && bt_tensor_contiguous(&a->b));
    bt_add_args copy = *a;
    base_pool_for(dev->pool, (size_t)((bt_tensor_count(&a->x) + FLAT_BLOCK - 1) / FLAT_BLOCK), add_block, &copy);
    return OK;
}

static void lookup_block(void *ctx, size_t block, unsigned thread)
{
    const bt_lookup_args *a = ctx;
    (void)thread;
    size_t n = (size_t)bt_tensor_count(&a->index), end = (block + 1) * FLAT_BLOCK < n ? (block + 1) * FLAT_BLOCK : n;
    const int32_t *restrict index = bt_tensor_data(&a->index);
    int16_t *restrict out = bt_tensor_data(&a->out);
    int16_t *restrict slope = a->out_slope.storage ? bt_tensor_data(&a->out_slope) : NULL;
    size_t i = block * FLAT_BLOCK;
    for (; slope && i < end; i++) {
        uint32_t entry = a->table[index[i]];
        out[i] = (int16_t)(uint16_t)entry;
        slope[i] = (int16_t)(uint16_t)(entry >> 16);
    }
    for (; i < end; i++)
        out[i] = (int16_t)(uint16_t)a->table[index[i]];
}

err cpu_lookup(cpu_device *dev, const bt_lookup_args *a)
{
    bt_lookup_args copy = *a;
    base_pool_for(dev->pool, (size_t)((bt_tensor_count(&a->index) + FLAT_BLOCK - 1) / FLAT_BLOCK), lookup_block, &copy);
    return OK;
}
