/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/rows_int.h"

#include "crypto/merkle.h"

#include <stdlib.h>

/* --- the two vectors ------------------------------------------------------------------------------------------------- */

enum { COLUMNS_TASK = 1024, VECTORS = 2, SUM_BYTES_TOTAL = 8 << 20 };

typedef struct sums {
    pv_rows    rows;
    const fxv *weights[VECTORS];
    fxv       *out[VECTORS];
} sums;

static void load_task(void *ctx, size_t item, unsigned thread)
{
    sums *s = ctx;
    (void)thread;
    pv_rows_load(&s->rows, item, s->rows.first + item);
}

static void sum_task(void *ctx, size_t item, unsigned thread)
{
    sums          *s = ctx;
    const pv_rows *r = &s->rows;
    (void)thread;
    size_t  M = (size_t)1 << r->g->m, at = COLUMNS_TASK * item, row = PV_GROUP * r->first, left = (size_t)r->g->rows - row;
    fx_ints m = { .data = r->cells + at, .stride = r->stride, .bytes = sizeof *r->cells };
    m.rows = PV_GROUP * r->n < left ? PV_GROUP * r->n : left;
    m.cols = M - at < COLUMNS_TASK ? M - at : COLUMNS_TASK;
    for (size_t i = 0; i < VECTORS; i++)
        fxv_rows(s->out[i] + at / FXV_LANES, &m, s->weights[i] + row / FXV_LANES);
}

static err send_vector(pv_writer *w, const char *label, const fxv *v, size_t n)
{
    fx *plain = malloc(n * sizeof *plain);
    if (!plain)
        return ERR_MEMORY;
    for (size_t i = 0; i < n; i++)
        plain[i] = fxv_get(v, i);
    err e = pv_send_fx(w, label, plain, n);
    free(plain);
    return e;
}

static err send_sums(pv_writer *w, const pf_geometry *g, const pv_cells *cells, const fxv *proximity, const fxv *row_weights, base_pool *pool)
{
    size_t M = (size_t)1 << g->m, slots = SUM_BYTES_TOTAL / (PV_GROUP * sizeof(int16_t) << g->m);
    size_t groups = ((size_t)g->rows + PV_GROUP - 1) / PV_GROUP, threads = base_pool_threads(pool);
    slots = slots > threads ? slots : threads;
    slots = slots < groups ? slots : groups;
    sums s = { .weights = { proximity, row_weights }, .out = { fxv_alloc(M), fxv_alloc(M) } };
    err  e = pv_rows_init(&s.rows, g, cells, slots, 0);
    if (e == OK && (!s.out[0] || !s.out[1]))
        e = ERR_MEMORY;
    if (e != OK)
        goto out;
    for (size_t first = 0; first < groups; first += slots) {
        s.rows.first = first;
        s.rows.n = groups - first < slots ? groups - first : slots;
        base_pool_for(pool, s.rows.n, load_task, &s);
        base_pool_for(pool, (M + COLUMNS_TASK - 1) / COLUMNS_TASK, sum_task, &s);
    }
    TRY_OUT(send_vector(w, "proximity", s.out[0], M));
    TRY_OUT(send_vector(w, "evaluation", s.out[1], M));
out:
    pv_rows_deinit(&s.rows);
    free(s.out[1]);
    free(s.out[0]);
    return e;
}

/* --- the columns ----------------------------------------------------------------------------------------------------- */

typedef struct queried {
    pv_rows   rows; /* a slot for each thread */
    const fp *symbols; /* of all groups, where they were kept */
    size_t   n;
    uint32_t query[PF_QUERIES];
    uint8_t *column[PF_QUERIES];
} queried;

static void column_task(void *ctx, size_t group, unsigned thread)
{
    queried       *q = ctx;
    pv_rows       *r = &q->rows;
    size_t         M = (size_t)1 << r->g->m, rows = pv_rows_in(r, group), at = PV_GROUP * group;
    const int16_t *cells = pv_rows_cells(r, thread);
    const fp      *symbols = q->symbols ? q->symbols + at * r->width : pv_rows_symbols(r, thread, group);
    if (q->symbols)
        pv_rows_load(r, thread, group);
    else
        pv_rows_encode(r, thread, group);
    for (size_t i = 0; i < q->n; i++) {
        size_t column = q->query[i];
        for (size_t k = 0; k < rows; k++)
            if (column < M) {
                store_le16(q->column[i] + PF_CELL_BYTES * (at + k), (uint16_t)cells[k * r->stride + column]);
            } else {
                uint64_t x = symbols[PV_GROUP * (column - M) + k];
                store_le32(q->column[i] + FP_BYTES * (at + k), (uint32_t)x);
                store_le16(q->column[i] + FP_BYTES * (at + k) + 4, (uint16_t)(x >> 32));
            }
    }
}

static err put_columns(pv_writer *w, const pv_commitment *c, const pv_cells *cells, base_pool *pool)
{
    queried q = { .symbols = c->symbols };
    size_t  len = 0;
    q.n = pf_open_queries(&w->t, c->g.m, q.query);
    for (size_t i = 0; i < q.n; i++)
        len += pf_column_bytes(&c->g, q.query[i]);
    size_t siblings = cr_merkle_several_len(c->g.m + 1, q.query, q.n), len_all = len + siblings * sizeof(hash256);
    TRY(buf_reserve(&w->out, len_all));
    uint8_t *at = w->out.data + w->out.len;
    for (size_t i = 0; i < q.n; i++) {
        q.column[i] = at;
        at += pf_column_bytes(&c->g, q.query[i]);
    }
    size_t slots = base_pool_threads(pool);
    err    e = pv_rows_init(&q.rows, &c->g, cells, slots, c->symbols ? 0 : slots);
    if (e == OK) {
        base_pool_for(pool, q.rows.groups, column_task, &q);
        cr_merkle_several((hash256 *)at, c->tree, c->g.m + 1, q.query, q.n);
        w->out.len += len_all;
    }
    pv_rows_deinit(&q.rows);
    return e;
}

err pv_open(pv_writer *w, const pv_commitment *c, const pv_cells *cells, const fxv *proximity, const fxv *row_weights, base_pool *pool)
{
    TRY(send_sums(w, &c->g, cells, proximity, row_weights, pool));
    return put_columns(w, c, cells, pool);
}
