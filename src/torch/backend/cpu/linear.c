/* SPDX-License-Identifier: Apache-2.0
 *
 * Matrix products and the roundings on their way out. */
#include "torch/backend/cpu/cpu_int.h"

static bt_gemm_view view_of(const bt_tensor *t)
{
    return (bt_gemm_view){ .p = bt_tensor_data(t), .row = (ptrdiff_t)t->stride[0], .col = (ptrdiff_t)t->stride[1] };
}

/* A rounding whose row multiplier differs by range of columns: one bt_round per range, merged at the end. */
enum { GROUPS_MAX = 128 };

typedef struct grouped {
    bt_round rounds[GROUPS_MAX];
    size_t   n_groups, width;
    bool     measure;
} grouped;

static void grouped_init(grouped *g, const bt_round *round, const int64_t *mul, uint32_t groups, size_t rows, bool measure)
{
    CHECK(groups >= 1 && groups <= GROUPS_MAX && round->n % groups == 0);
    g->n_groups = groups;
    g->width = round->n / groups;
    g->measure = measure;
    for (size_t i = 0; i < groups; i++) {
        bt_round *r = &g->rounds[i];
        *r = (bt_round){ .mul = round->mul, .row_mul = mul + i * rows, .shift = round->shift, .dither_row = round->dither_row,
                         .dither_col = round->dither_col, .limit = round->limit, .clamp = round->clamp, .out16 = round->out16,
                         .out32 = round->out32, .out_ld = round->out_ld, .n = round->n, .bad = BT_ROUND_NONE };
    }
}

static void grouped_epilogue(void *ctx, const int64_t *acc, size_t ld, size_t i0, size_t ni, size_t j0, size_t nj)
{
    grouped *g = ctx;
    for (size_t j = j0; j < j0 + nj;) {
        size_t group = j / g->width, end = (group + 1) * g->width;
        size_t n = end < j0 + nj ? end - j : j0 + nj - j;
        (g->measure ? bt_round_max : bt_round_tile)(&g->rounds[group], acc + (j - j0), ld, i0, ni, j, n);
        j += n;
    }
}

static void grouped_merge(const grouped *g, bt_round *round)
{
    for (size_t i = 0; i < g->n_groups; i++) {
        cpu_keep_min(&round->bad, g->rounds[i].bad);
        cpu_keep_max(&round->max, g->rounds[i].max);
    }
}

static void set_output(bt_round *round, const bt_tensor *out, size_t n, bool measure)
{
    round->n = n;
    round->out16 = NULL;
    round->out32 = NULL;
    if (measure)
        return;
    round->out_ld = n;
    if (out->dtype == BT_I16)
        round->out16 = bt_tensor_data(out);
    else
        round->out32 = bt_tensor_data(out);
}

err cpu_linear(cpu_device *dev, const bt_linear_args *a)
{
    bt_gemm_term terms[BT_TERMS_MAX];
    size_t k_sum = 0;
    CHECK(a->n_terms >= 1 && a->n_terms <= BT_TERMS_MAX);
    for (uint32_t t = 0; t < a->n_terms; t++) {
        const bt_term *from = &a->terms[t];
        CHECK(from->a.dtype == BT_I16 && from->b.dtype == BT_I16 && from->a.rank == 2 && from->b.rank == 2);
        terms[t] = (bt_gemm_term){ .a = view_of(&from->a), .b = view_of(&from->b), .k = (size_t)from->a.shape[1],
                                   .a_max = a->bound, .b_max = a->bound, .shift = from->shift };
        k_sum += (size_t)from->a.shape[1];
    }
    TRY(cpu_need_ws(dev, k_sum));
    bt_gemm_plan plan = { .m = (size_t)a->terms[0].a.shape[0], .n = (size_t)a->terms[0].b.shape[1], .terms = terms, .n_terms = a->n_terms };
    if (a->acc.storage) {
        plan.c = bt_tensor_data(&a->acc);
        plan.ldc = (size_t)a->acc.stride[0];
        plan.accumulate = true;
        return bt_gemm_run(dev->ws, &plan);
    }
    set_output(a->round, &a->out, plan.n, a->measure);
    if (!a->group_mul) {
        plan.epilogue = a->measure ? bt_round_max : bt_round_tile;
        plan.ctx = a->round;
        return bt_gemm_run(dev->ws, &plan);
    }
    grouped g;
    grouped_init(&g, a->round, a->group_mul, a->groups, plan.m, a->measure);
    plan.epilogue = grouped_epilogue;
    plan.ctx = &g;
    err e = bt_gemm_run(dev->ws, &plan);
    grouped_merge(&g, a->round);
    return e;
}

/* Long sums over tokens go in equal pieces, so that the packing scratch does not grow with the batch; where the model's own products need
 * longer sums, pieces are as long. */
enum { OUTER_K = 768 };

err cpu_outer(cpu_device *dev, const bt_outer_args *a)
{
    size_t rows = (size_t)a->x.shape[0], most = dev->ws_k > OUTER_K ? dev->ws_k : OUTER_K;
    size_t pieces = (rows + most - 1) / most, piece = pieces ? (rows + pieces - 1) / pieces : 0;
    for (size_t k0 = 0; k0 < rows; k0 += piece) {
        size_t k = rows - k0 < piece ? rows - k0 : piece;
        TRY(cpu_need_ws(dev, k));
        bt_gemm_view x = view_of(&a->x), dy = view_of(&a->dy);
        bt_gemm_term term = { .a = { .p = x.p + (ptrdiff_t)k0 * x.row, .row = x.col, .col = x.row },
                              .b = { .p = dy.p + (ptrdiff_t)k0 * dy.row, .row = dy.row, .col = dy.col },
                              .k = k, .a_max = a->bound, .b_max = a->bound };
        bt_gemm_plan plan = { .m = (size_t)a->x.shape[1], .n = (size_t)a->dy.shape[1], .terms = &term, .n_terms = 1,
                              .c = bt_tensor_data(&a->dw), .ldc = (size_t)a->dw.stride[0], .accumulate = true };
        TRY(bt_gemm_run(dev->ws, &plan));
    }
    return OK;
}

typedef struct round_job {
    cpu_device          *dev;
    const bt_round_args *a;
    grouped             *groups;
} round_job;

static void round_block(void *ctx, size_t block, unsigned thread)
{
    round_job *job = ctx;
    const bt_round_args *a = job->a;
    size_t n = (size_t)a->in.shape[1], rows = (size_t)a->in.shape[0];
    for (size_t i = block * CPU_ROW_BLOCK; i < rows && i < (block + 1) * CPU_ROW_BLOCK; i++) {
        const int64_t *acc;
        if (a->in.dtype == BT_I64) {
            acc = (const int64_t *)bt_tensor_data(&a->in) + i * n;
        } else {
            const int32_t *in = (const int32_t *)bt_tensor_data(&a->in) + i * n;
            int64_t *row = job->dev->row[thread];
            for (size_t j = 0; j < n; j++)
                row[j] = in[j];
            acc = row;
        }
        if (job->groups)
            grouped_epilogue(job->groups, acc, n, i, 1, 0, n);
        else
            (a->measure ? bt_round_max : bt_round_tile)(a->round, acc, n, i, 1, 0, n);
    }
}

err cpu_round(cpu_device *dev, const bt_round_args *a)
{
    size_t rows = (size_t)a->in.shape[0], n = (size_t)a->in.shape[1];
    CHECK(bt_tensor_contiguous(&a->in));
    TRY(cpu_need_rows(dev, n));
    set_output(a->round, &a->out, n, a->measure);
    grouped g;
    if (a->group_mul)
        grouped_init(&g, a->round, a->group_mul, a->groups, rows, a->measure);
    round_job job = { .dev = dev, .a = a, .groups = a->group_mul ? &g : NULL };
    base_pool_for(dev->pool, cpu_row_blocks(rows), round_block, &job);
    if (a->group_mul)
        grouped_merge(&g, a->round);
    return OK;
}
