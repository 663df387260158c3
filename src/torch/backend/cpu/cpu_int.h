/* SPDX-License-Identifier: Apache-2.0
 *
 * The CPU device and the operations it runs; one file per family of operations. */
#ifndef TORCH_BACKEND_CPU_INT_H
#define TORCH_BACKEND_CPU_INT_H

#include "base/port/pool.h"
#include "torch/kernels/gemm.h"
#include "torch/kernels/ops.h"

#include <stdatomic.h>

typedef struct cpu_device {
    bt_device        base;
    base_pool       *pool; /* owned */
    unsigned         threads;
    bt_gemm_ws      *ws;       /* products over the whole pool; grown to the largest k seen */
    size_t           ws_k;
    bt_gemm_ws     **small_ws; /* one per thread, for attention: many small products at once */
    size_t           small_k;
    int64_t        **row;      /* one scratch row per thread */
    size_t           row_len;
    _Atomic uint64_t live_bytes, peak_bytes;
} cpu_device;

/* Makes the scratch at least that large; ERR_MEMORY leaves the old one. */
err cpu_need_ws(cpu_device *dev, size_t k) MUST_USE;
err cpu_need_small_ws(cpu_device *dev, size_t k) MUST_USE;
err cpu_need_rows(cpu_device *dev, size_t len) MUST_USE;

err cpu_embed(cpu_device *dev, const bt_embed_args *a) MUST_USE;
err cpu_embed_grad(cpu_device *dev, const bt_embed_grad_args *a) MUST_USE;
err cpu_add(cpu_device *dev, const bt_add_args *a) MUST_USE;
err cpu_norm(cpu_device *dev, const bt_norm_args *a) MUST_USE;
err cpu_norm_grad(cpu_device *dev, const bt_norm_grad_args *a) MUST_USE;
err cpu_linear(cpu_device *dev, const bt_linear_args *a) MUST_USE;
err cpu_outer(cpu_device *dev, const bt_outer_args *a) MUST_USE;
err cpu_round(cpu_device *dev, const bt_round_args *a) MUST_USE;
err cpu_lookup(cpu_device *dev, const bt_lookup_args *a) MUST_USE;
err cpu_attn(cpu_device *dev, const bt_attn_args *a) MUST_USE;
err cpu_attn_grad(cpu_device *dev, const bt_attn_grad_args *a) MUST_USE;
err cpu_loss(cpu_device *dev, const bt_loss_args *a) MUST_USE;

static inline void cpu_keep_min(_Atomic uint64_t *to, uint64_t x)
{
    uint64_t old = atomic_load_explicit(to, memory_order_relaxed);
    while (x < old && !atomic_compare_exchange_weak(to, &old, x))
        ;
}

static inline void cpu_keep_max(_Atomic uint64_t *to, uint64_t x)
{
    uint64_t old = atomic_load_explicit(to, memory_order_relaxed);
    while (x > old && !atomic_compare_exchange_weak(to, &old, x))
        ;
}

/* Rows are handed to threads in blocks of this many. */
enum { CPU_ROW_BLOCK = 16 };

static inline size_t cpu_row_blocks(uint64_t rows)
{
    return (size_t)((rows + CPU_ROW_BLOCK - 1) / CPU_ROW_BLOCK);
}

#endif
