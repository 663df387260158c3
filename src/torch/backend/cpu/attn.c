/* SPDX-License-Identifier: Apache-2.0
 *
 * Causal multi-head attention, one (sequence, head) a task. The products run over whole T x T squares; the masked half is
 * exact zeros in e, so it never reaches a result. */
#include "torch/backend/cpu/cpu_int.h"

#include "numerics/round.h"

#include <stdlib.h>

typedef struct attn_job {
    cpu_device              *dev;
    const bt_attn_args      *a;
    const bt_attn_grad_args *g;
    size_t                   context, heads, head_dim, d, rows;
    int32_t                 *z_scratch;  /* T x T per thread */
    int16_t                 *ds_scratch; /* T x T per thread */
    int64_t                 *c_scratch;  /* T per thread */
    _Atomic uint64_t         bad_z;
    _Atomic int              status;
} attn_job;

static bt_gemm_view rows_of(const void *data, size_t row_stride)
{
    return (bt_gemm_view){ .p = data, .row = (ptrdiff_t)row_stride, .col = 1 };
}

static bt_gemm_view flip(bt_gemm_view v)
{
    return (bt_gemm_view){ .p = v.p, .row = v.col, .col = v.row };
}

/* One small product through a rounding, on the calling thread. */
static void product(attn_job *job, unsigned thread, size_t m, size_t n, size_t k, bt_gemm_view a, bt_gemm_view b, int32_t bound,
                    bt_gemm_epilogue *epilogue, bt_round *round)
{
    bt_gemm_term term = { .a = a, .b = b, .k = k, .a_max = bound, .b_max = bound };
    bt_gemm_plan plan = { .m = m, .n = n, .terms = &term, .n_terms = 1, .epilogue = epilogue, .ctx = round };
    err e = bt_gemm_run(job->dev->small_ws[thread], &plan);
    if (e != OK)
        atomic_store(&job->status, (int)e);
}

/* The part of a whole-tensor rounding that belongs to one (sequence, head): columns [h hd, (h + 1) hd) of rows [s T, (s + 1) T). */
static bt_round head_part(const attn_job *job, const bt_round *whole, size_t sequence, size_t head, int16_t *out)
{
    bt_round r = { .mul = whole->mul, .shift = whole->shift, .limit = whole->limit, .clamp = whole->clamp, .n = job->head_dim,
                   .bad = BT_ROUND_NONE };
    if (out) {
        r.out16 = out + sequence * job->context * job->d + head * job->head_dim;
        r.out_ld = job->d;
    }
    if (whole->dither_row) {
        r.dither_row = whole->dither_row + sequence * job->context;
        r.dither_col = whole->dither_col + head * job->head_dim;
    }
    return r;
}

static void head_merge(const attn_job *job, const bt_round *part, bt_round *whole, size_t sequence, size_t head)
{
    cpu_keep_max(&whole->max, part->max);
    if (part->bad == BT_ROUND_NONE)
        return;
    size_t i = part->bad / job->head_dim, j = part->bad % job->head_dim;
    cpu_keep_min(&whole->bad, (sequence * job->context + i) * job->d + head * job->head_dim + j);
}

/* Scores to exponentials: row maximum, table, sum, reciprocal. */
static void softmax_rows(attn_job *job, const int32_t *z, size_t sequence, size_t head)
{
    const bt_attn_args *a = job->a;
    size_t t = job->context, flat_row = (sequence * job->heads + head) * t;
    int e_fraction = num_bitlen(a->c->q_max);
    int16_t *e = (int16_t *)bt_tensor_data(&a->e) + flat_row * t;
    int64_t *r = (int64_t *)bt_tensor_data(&a->r) + head * job->rows + sequence * t;
    int64_t *zsum = a->zsum.storage ? (int64_t *)bt_tensor_data(&a->zsum) + head * job->rows + sequence * t : NULL;
    for (size_t i = 0; i < t; i++, z += t, e += t) {
        int32_t max = z[0], min = z[0];
        for (size_t j = 1; j <= i; j++) {
            max = z[j] > max ? z[j] : max;
            min = z[j] < min ? z[j] : min;
        }
        bool bad = max > a->c->d_t || min < -a->c->d_t;
        for (size_t j = 0; bad && j <= i; j++)
            if (z[j] > a->c->d_t || z[j] < -a->c->d_t) {
                cpu_keep_min(&job->bad_z, (flat_row + i) * t + j);
                break;
            }
        int64_t sum = 0;
        for (size_t j = 0; j <= i; j++) {
            int32_t value = bad ? 1 : a->exp_table[max - z[j]];
            e[j] = (int16_t)value;
            sum += value;
        }
        memset(e + i + 1, 0, (t - i - 1) * sizeof *e);
        r[i] = num_softmax_R(sum, a->c->f_R, e_fraction);
        if (zsum)
            zsum[i] = sum;
    }
}

static void trace_scores(const attn_job *job, const int32_t *z, size_t sequence, size_t head)
{
    size_t t = job->context;
    int32_t *out = (int32_t *)bt_tensor_data(&job->a->z) + (sequence * job->heads + head) * t * t;
    memset(out, 0, t * t * sizeof *out);
    for (size_t i = 0; i < t; i++)
        memcpy(out + i * t, z + i * t, (i + 1) * sizeof *out);
}

static void attn_task(void *ctx, size_t task, unsigned thread)
{
    attn_job *job = ctx;
    const bt_attn_args *a = job->a;
    size_t t = job->context, hd = job->head_dim, sequence = task / job->heads, head = task % job->heads;
    size_t at = sequence * t * job->d + head * hd;
    bt_gemm_view q = rows_of((const int16_t *)bt_tensor_data(&a->q) + at, job->d);
    bt_gemm_view k = rows_of((const int16_t *)bt_tensor_data(&a->k) + at, job->d);
    bt_gemm_view v = rows_of((const int16_t *)bt_tensor_data(&a->v) + at, job->d);
    int32_t *z = job->z_scratch + (size_t)thread * t * t;
    bt_round scores = { .mul = a->c->c_score, .shift = a->shift_z, .limit = BT_ROUND_LIMIT_MAX, .clamp = INT32_MAX, .out32 = z, .out_ld = t,
                        .n = t, .bad = BT_ROUND_NONE };
    product(job, thread, t, t, hd, q, flip(k), a->c->q_max, bt_round_tile, &scores);
    softmax_rows(job, z, sequence, head);
    if (a->z.storage)
        trace_scores(job, z, sequence, head);
    const int16_t *e = (const int16_t *)bt_tensor_data(&a->e) + (sequence * job->heads + head) * t * t;
    bt_round part = head_part(job, a->round_o, sequence, head, a->measure ? NULL : bt_tensor_data(&a->o));
    part.mul = 1;
    part.row_mul = (const int64_t *)bt_tensor_data(&a->r) + head * job->rows + sequence * t;
    product(job, thread, t, hd, t, rows_of(e, t), v, a->c->q_max, a->measure ? bt_round_max : bt_round_tile, &part);
    head_merge(job, &part, a->round_o, sequence, head);
}

static err job_init(attn_job *job, cpu_device *dev, const bt_tensor *q, uint32_t context, uint32_t heads)
{
    *job = (attn_job){ .dev = dev, .context = context, .heads = heads, .d = (size_t)q->shape[1], .rows = (size_t)q->shape[0],
                       .bad_z = BT_ROUND_NONE };
    job->head_dim = job->d / heads;
    size_t k = job->head_dim > context ? job->head_dim : context;
    return cpu_need_small_ws(dev, k);
}

err cpu_attn(cpu_device *dev, const bt_attn_args *a)
{
    attn_job job;
    TRY(job_init(&job, dev, &a->q, a->context, a->heads));
    job.a = a;
    job.z_scratch = malloc((size_t)dev->threads * a->context * a->context * sizeof *job.z_scratch);
    if (!job.z_scratch)
        return ERR_MEMORY;
    base_pool_for(dev->pool, job.rows / job.context * job.heads, attn_task, &job);
    free(job.z_scratch);
    *a->bad_z = job.bad_z;
    return (err)job.status;
}

static void row_dots(const attn_job *job, size_t sequence, size_t head, int64_t *c)
{
    const bt_attn_grad_args *a = job->g;
    for (size_t i = 0; i < job->context; i++) {
        size_t at = (sequence * job->context + i) * job->d + head * job->head_dim;
        const int16_t *dp = (const int16_t *)bt_tensor_data(&a->dp) + at, *o = (const int16_t *)bt_tensor_data(&a->o) + at;
        int64_t sum = 0;
        for (size_t j = 0; j < job->head_dim; j++)
            sum += dp[j] * o[j];
        c[i] = sum;
    }
    if (a->row_c.storage)
        memcpy((int64_t *)bt_tensor_data(&a->row_c) + head * job->rows + sequence * job->context, c, job->context * sizeof *c);
}

/* ds = round(e ((dp . v) << align - c)): the shift becomes a multiplier and c, so aligned, an addend. */
static void score_gradient(attn_job *job, unsigned thread, size_t sequence, size_t head, bt_gemm_view dp, bt_gemm_view v,
                           const int16_t *e, int16_t *ds, bool measure)
{
    const bt_attn_grad_args *a = job->g;
    size_t t = job->context, flat_row = (sequence * job->heads + head) * t;
    int64_t *c = job->c_scratch + (size_t)thread * t;
    row_dots(job, sequence, head, c);
    for (size_t i = 0; i < t; i++)
        c[i] = -c[i];
    bt_round r = { .mul = 1, .row_add = c, .g16 = e, .g_ld = t, .shift = a->round_ds->shift, .limit = a->round_ds->limit,
                   .clamp = a->round_ds->clamp, .out16 = measure ? NULL : ds, .out_ld = t, .n = t, .bad = BT_ROUND_NONE };
    if (a->round_ds->dither_row) {
        r.dither_row = a->round_ds->dither_row + flat_row;
        r.dither_col = a->round_ds->dither_col + head * t;
    }
    bt_gemm_term term = { .a = dp, .b = flip(v), .k = job->head_dim, .a_max = a->c->q_max, .b_max = a->c->q_max, .shift = a->align };
    bt_gemm_plan plan = { .m = t, .n = t, .terms = &term, .n_terms = 1, .epilogue = measure ? bt_round_max : bt_round_tile, .ctx = &r };
    err status = bt_gemm_run(job->dev->small_ws[thread], &plan);
    if (status != OK)
        atomic_store(&job->status, (int)status);
    cpu_keep_max(&a->round_ds->max, r.max);
    if (r.bad != BT_ROUND_NONE)
        cpu_keep_min(&a->round_ds->bad, flat_row * t + r.bad);
}

static void head_product(attn_job *job, unsigned thread, size_t sequence, size_t head, bt_gemm_view a, bt_gemm_view b,
                         const bt_tensor *out, bt_round *round, bool measure)
{
    bt_round part = head_part(job, round, sequence, head, measure ? NULL : bt_tensor_data(out));
    product(job, thread, job->context, job->head_dim, job->context, a, b, job->g->c->q_max, measure ? bt_round_max : bt_round_tile, &part);
    head_merge(job, &part, round, sequence, head);
}

static void attn_grad_task(void *ctx, size_t task, unsigned thread)
{
    attn_job *job = ctx;
    const bt_attn_grad_args *a = job->g;
    size_t t = job->context, sequence = task / job->heads, head = task % job->heads;
    size_t at = sequence * t * job->d + head * job->head_dim;
    bt_gemm_view q = rows_of((const int16_t *)bt_tensor_data(&a->q) + at, job->d);
    bt_gemm_view k = rows_of((const int16_t *)bt_tensor_data(&a->k) + at, job->d);
    bt_gemm_view v = rows_of((const int16_t *)bt_tensor_data(&a->v) + at, job->d);
    bt_gemm_view dp = rows_of((const int16_t *)bt_tensor_data(&a->dp) + at, job->d);
    const int16_t *e = (const int16_t *)bt_tensor_data(&a->e) + (sequence * job->heads + head) * t * t;
    int16_t *ds = a->ds.storage ? (int16_t *)bt_tensor_data(&a->ds) + (sequence * job->heads + head) * t * t
                                : job->ds_scratch + (size_t)thread * t * t;
    bool first = a->stage == BT_ATTN_MEASURE_DV_DS, second = a->stage == BT_ATTN_MEASURE_DQ_DK;
    if (!second)
        head_product(job, thread, sequence, head, flip(rows_of(e, t)), dp, &a->dv, a->round_dv, first);
    score_gradient(job, thread, sequence, head, dp, v, e, ds, first);
    if (first)
        return;
    head_product(job, thread, sequence, head, rows_of(ds, t), k, &a->dq, a->round_dq, second);
    head_product(job, thread, sequence, head, flip(rows_of(ds, t)), q, &a->dk, a->round_dk, second);
}

err cpu_attn_grad(cpu_device *dev, const bt_attn_grad_args *a)
{
    attn_job job;
    TRY(job_init(&job, dev, &a->q, a->context, a->heads));
    job.g = a;
    size_t threads = dev->threads, t = a->context;
    job.ds_scratch = malloc(threads * t * t * sizeof *job.ds_scratch);
    job.c_scratch = malloc(threads * t * sizeof *job.c_scratch);
    err e = job.ds_scratch && job.c_scratch ? OK : ERR_MEMORY;
    if (e == OK)
        base_pool_for(dev->pool, job.rows / job.context * job.heads, attn_grad_task, &job);
    free(job.ds_scratch);
    free(job.c_scratch);
    return e == OK ? (err)job.status : e;
}
