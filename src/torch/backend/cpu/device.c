/* SPDX-License-Identifier: Apache-2.0 */
#include "torch/backend/cpu/cpu_int.h"

#include <stdlib.h>
#include <string.h>

static void free_small(cpu_device *dev)
{
    for (unsigned t = 0; dev->small_ws && t < dev->threads; t++)
        bt_gemm_ws_free(dev->small_ws[t]);
    free(dev->small_ws);
    dev->small_ws = NULL;
    dev->small_k = 0;
}

static void free_rows(cpu_device *dev)
{
    for (unsigned t = 0; dev->row && t < dev->threads; t++)
        free(dev->row[t]);
    free(dev->row);
    dev->row = NULL;
    dev->row_len = 0;
}

static void cpu_close(bt_device *device)
{
    cpu_device *dev = (cpu_device *)device;
    if (!dev)
        return;
    free_small(dev);
    free_rows(dev);
    bt_gemm_ws_free(dev->ws);
    base_pool_free(dev->pool);
    free(dev);
}

static err cpu_open(bt_device **out, uint32_t ordinal, unsigned threads)
{
    if (ordinal != 0)
        return ERR_DEVICE;
    cpu_device *dev = calloc(1, sizeof *dev);
    if (!dev)
        return ERR_MEMORY;
    dev->base.backend = &bt_backend_cpu;
    err e = base_pool_new(&dev->pool, threads);
    if (e != OK) {
        free(dev);
        return e;
    }
    dev->base.pool = dev->pool;
    dev->threads = base_pool_threads(dev->pool);
    *out = &dev->base;
    return OK;
}

err cpu_need_ws(cpu_device *dev, size_t k)
{
    if (k <= dev->ws_k)
        return OK;
    bt_gemm_ws *ws = NULL;
    TRY(bt_gemm_ws_new(&ws, dev->pool, k));
    bt_gemm_ws_free(dev->ws);
    dev->ws = ws;
    dev->ws_k = k;
    return OK;
}

err cpu_need_small_ws(cpu_device *dev, size_t k)
{
    if (k <= dev->small_k)
        return OK;
    free_small(dev);
    dev->small_ws = calloc(dev->threads, sizeof *dev->small_ws);
    if (!dev->small_ws)
        return ERR_MEMORY;
    for (unsigned t = 0; t < dev->threads; t++) {
        err e = bt_gemm_ws_new(&dev->small_ws[t], NULL, k);
        if (e != OK) {
            free_small(dev);
            return e;
        }
    }
    dev->small_k = k;
    return OK;
}

err cpu_need_rows(cpu_device *dev, size_t len)
{
    if (len <= dev->row_len)
        return OK;
    free_rows(dev);
    dev->row = calloc(dev->threads, sizeof *dev->row);
    if (!dev->row)
        return ERR_MEMORY;
    for (unsigned t = 0; t < dev->threads; t++) {
        dev->row[t] = malloc(len * sizeof **dev->row);
        if (!dev->row[t]) {
            free_rows(dev);
            return ERR_MEMORY;
        }
    }
    dev->row_len = len;
    return OK;
}

static err cpu_alloc(bt_device *device, void **out, uint64_t n_bytes)
{
    cpu_device *dev = (cpu_device *)device;
    size_t size = (size_t)(n_bytes + 63) & ~(size_t)63; /* whole cache lines, so that vector loads start aligned */
    void *data = aligned_alloc(64, size ? size : 64);
    if (!data)
        return ERR_MEMORY;
    uint64_t live = atomic_fetch_add(&dev->live_bytes, n_bytes) + n_bytes;
    cpu_keep_max(&dev->peak_bytes, live);
    *out = data;
    return OK;
}

static void cpu_release(bt_device *device, void *data, uint64_t n_bytes)
{
    cpu_device *dev = (cpu_device *)device;
    atomic_fetch_sub(&dev->live_bytes, n_bytes);
    free(data);
}

static err cpu_copy(bt_device *device, void *dst, const void *src, uint64_t n_bytes)
{
    (void)device;
    if (n_bytes)
        memcpy(dst, src, n_bytes);
    return OK;
}

static err cpu_launch(bt_device *device, bt_op op, const bt_args *args)
{
    cpu_device *dev = (cpu_device *)device;
    switch (op) {
    case BT_OP_EMBED:      return cpu_embed(dev, args->embed);
    case BT_OP_EMBED_GRAD: return cpu_embed_grad(dev, args->embed_grad);
    case BT_OP_ADD:        return cpu_add(dev, args->add);
    case BT_OP_NORM:       return cpu_norm(dev, args->norm);
    case BT_OP_NORM_GRAD:  return cpu_norm_grad(dev, args->norm_grad);
    case BT_OP_LINEAR:     return cpu_linear(dev, args->linear);
    case BT_OP_OUTER:      return cpu_outer(dev, args->outer);
    case BT_OP_ROUND:      return cpu_round(dev, args->round);
    case BT_OP_LOOKUP:     return cpu_lookup(dev, args->lookup);
    case BT_OP_ATTN:       return cpu_attn(dev, args->attn);
    case BT_OP_ATTN_GRAD:  return cpu_attn_grad(dev, args->attn_grad);
    case BT_OP_LOSS:       return cpu_loss(dev, args->loss);
    case BT_OP_COUNT:      break;
    }
    return ERR_UNSUPPORTED;
}

static err cpu_sync(bt_device *device)
{
    (void)device;
    return OK;
}

static void cpu_memory(const bt_device *device, bt_memory *out)
{
    const cpu_device *dev = (const cpu_device *)device;
    out->live_bytes = atomic_load(&dev->live_bytes);
    out->peak_bytes = atomic_load(&dev->peak_bytes);
    out->scratch_bytes = (dev->ws ? bt_gemm_ws_bytes(dev->ws) : 0) + (uint64_t)dev->threads * dev->row_len * sizeof(int64_t);
    for (unsigned t = 0; dev->small_ws && t < dev->threads; t++)
        out->scratch_bytes += bt_gemm_ws_bytes(dev->small_ws[t]);
}

const bt_backend bt_backend_cpu = {
    .name = "cpu",
    .native_ops = (1u << BT_OP_COUNT) - 1,
    .host_memory = true,
    .open = cpu_open,
    .close = cpu_close,
    .alloc = cpu_alloc,
    .release = cpu_release,
    .upload = cpu_copy,
    .download = cpu_copy,
    .launch = cpu_launch,
    .sync = cpu_sync,
    .memory = cpu_memory,
};
