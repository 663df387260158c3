/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/rows_int.h"

#include <stdlib.h>

/* A step encodes a few groups of rows side by side, then takes the columns further by them, a stretch of columns a task. */
enum { STRETCH = 16, NODES_TASK = 64 * PV_LANES };

typedef struct commit {
    pv_rows     rows;
    pv_word     column_key[8], node_key[8];
    pv_stripe  *stripe; /* of the cells' columns, then of the others */
    size_t      stripes; /* of either */
    hash256    *tree;
    size_t      level, level_end; /* nodes being made */
} commit;

static void encode_task(void *ctx, size_t item, unsigned thread)
{
    commit *c = ctx;
    (void)thread;
    pv_rows_encode(&c->rows, item, c->rows.first + item);
}

static void absorb_task(void *ctx, size_t item, unsigned thread)
{
    commit        *c = ctx;
    const pv_rows *r = &c->rows;
    (void)thread;
    for (size_t s = STRETCH * item; s < STRETCH * (item + 1) && s < c->stripes; s++)
        for (size_t slot = 0; slot < r->n; slot++) {
            size_t   group = r->first + slot;
            pv_group g = { group, pv_rows_in(r, group), group + 1 == r->groups };
            r->kernels->absorb_cells(&c->stripe[s], (const pv_word *)c->column_key, &g, pv_rows_cells(r, slot) + PV_LANES * s, r->stride);
            r->kernels->absorb_symbols(&c->stripe[c->stripes + s], (const pv_word *)c->column_key, &g,
                                       pv_rows_symbols(r, slot, group) + PV_GROUP * PV_LANES * s);
        }
}

static void nodes_task(void *ctx, size_t item, unsigned thread)
{
    commit *c = ctx;
    (void)thread;
    size_t end = c->level + NODES_TASK * (item + 1);
    end = end < c->level_end ? end : c->level_end;
    for (size_t i = c->level + NODES_TASK * item; i < end; i += PV_LANES)
        pv_columns_nodes(c->rows.kernels, (const pv_word *)c->node_key, c->tree, i, end - i < PV_LANES ? end - i : PV_LANES);
}

static void make_tree(commit *c, base_pool *pool)
{
    size_t M = (size_t)1 << c->rows.g->m;
    for (size_t half = 0; half < 2; half++)
        for (size_t s = 0; s < c->stripes; s++)
            pv_stripe_hashes(&c->stripe[half * c->stripes + s], &c->tree[(2 + half) * M + PV_LANES * s], M < PV_LANES ? M : PV_LANES);
    for (size_t n = M; n != 0; n /= 2) {
        c->level = n;
        c->level_end = 2 * n;
        base_pool_for(pool, (n + NODES_TASK - 1) / NODES_TASK, nodes_task, c);
    }
}

err pv_commit(pv_commitment *out, const pf_geometry *g, const pv_cells *cells, fp *room, base_pool *pool)
{
    commit c = { .stripes = (((size_t)1 << g->m) + PV_LANES - 1) / PV_LANES };
    size_t slots = pv_rows_slots(g, pool);
    c.tree = calloc((size_t)4 << g->m, sizeof *c.tree);
    c.stripe = aligned_alloc(64, 2 * c.stripes * sizeof *c.stripe);
    err e = pv_rows_init(&c.rows, g, cells, slots, room ? 0 : slots);
    c.rows.kept = room;
    if (e == OK && (!c.tree || !c.stripe))
        e = ERR_MEMORY;
    if (e != OK)
        goto out;
    memset(c.stripe, 0, 2 * c.stripes * sizeof *c.stripe);
    pv_columns_key(c.rows.kernels, c.column_key, "theblock 2026 proof column v1");
    pv_columns_key(c.rows.kernels, c.node_key, "theblock 2026 merkle node v1");
    for (size_t first = 0; first < c.rows.groups; first += slots) {
        c.rows.first = first;
        c.rows.n = c.rows.groups - first < slots ? c.rows.groups - first : slots;
        base_pool_for(pool, c.rows.n, encode_task, &c);
        base_pool_for(pool, (c.stripes + STRETCH - 1) / STRETCH, absorb_task, &c);
    }
    make_tree(&c, pool);
    *out = (pv_commitment){ *g, c.tree, room };
    c.tree = NULL;
out:
    pv_rows_deinit(&c.rows);
    free(c.stripe);
    free(c.tree);
    return e;
}

void pv_commitment_deinit(pv_commitment *c)
{
    free(c->tree);
    c->tree = NULL;
}
