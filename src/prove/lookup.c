/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/lookup.h"

#include "base/port/pages.h"
#include "prove/leaf_int.h"

#include <stdlib.h>

/* layer[m] has 2^m nodes; proving goes down from the root and uses each up. The two lowest layers of large instances are not kept (leaf_int.h). */
enum { FEW = 7 }; /* smaller instances keep all */
struct pv_lookup_room {
    unsigned      layers;
    fx_fractions *layer[PF_VARS_MAX]; /* 0 .. layers - 1 */
    fx_fractions *memory;
    uint64_t      bytes;
    pv_eq         eq;
};
typedef struct pv_lookup_room tree;

static size_t fraction_blocks(unsigned m)
{
    return fxv_blocks((size_t)1 << m);
}

static err tree_init(tree *t, unsigned k_max)
{
    size_t blocks = 0;
    t->layers = k_max > FEW ? k_max - 1 : FEW;
    for (unsigned m = 0; m < t->layers; m++)
        blocks += fraction_blocks(m);
    t->bytes = blocks * sizeof *t->memory;
    t->memory = base_pages_zeroed(t->bytes);
    if (!t->memory)
        return ERR_MEMORY;
    blocks = 0;
    for (unsigned m = 0; m < t->layers; blocks += fraction_blocks(m++))
        t->layer[m] = t->memory + blocks;
    return pv_eq_init(&t->eq, t->layers);
}

err pv_lookup_room_new(pv_lookup_room **out, unsigned k_max)
{
    CHECK(k_max <= PF_VARS_MAX);
    tree *t = calloc(1, sizeof *t);
    if (!t)
        return ERR_MEMORY;
    err e = tree_init(t, k_max);
    if (e != OK) {
        pv_lookup_room_free(t);
        return e;
    }
    *out = t;
    return OK;
}

void pv_lookup_room_free(pv_lookup_room *room)
{
    if (!room)
        return;
    pv_eq_deinit(&room->eq);
    free(room->memory);
    free(room);
}

uint64_t pv_lookup_room_bytes(const pv_lookup_room *room)
{
    return room ? room->bytes : 0;
}

/* Layers below `m`, which is there. */
static void sum_up(tree *t, unsigned m)
{
    while (m-- > 0)
        fxv_fractions_up(t->layer[m], t->layer[m + 1], (size_t)1 << m);
}

/* A run of n nodes of layer m, and all below whose sums they are: depth first, so that a node is added up while it is in a near cache. */
static void build_run(tree *t, const pv_leaves *u, unsigned m, size_t i, size_t n)
{
    fx_fractions *out = t->layer[m] + i / FXV_LANES;
    size_t other = i + ((size_t)1 << m);
    if (m == u->k - 2) {
        pv_nodes_up(out, u, i, n);
        return;
    }
    build_run(t, u, m + 1, i, n);
    build_run(t, u, m + 1, other, n);
    fxv_fractions_add(out, t->layer[m + 1] + i / FXV_LANES, t->layer[m + 1] + other / FXV_LANES, n);
}

/* All layers of what fits: the first that is one run, and so what is below, then up to the root. */
static void build(tree *t, const pv_leaves *u)
{
    unsigned m = 0;
    size_t half = (size_t)1 << (u->k - 2), n = pv_leaves_run(u, half < PV_PIECE ? half : PV_PIECE);
    while ((size_t)1 << m < n)
        m++;
    build_run(t, u, m, 0, n);
    sum_up(t, m);
}

/* ---- layers ---- */

static err send_root(pv_writer *w, pf_lookup *out, pf_fraction root)
{
    if (fx_equal(root.q, FX_ZERO))
        return ERR_UNPROVED;
    out->root = out->claim = root;
    return pv_send_fx(w, "root", (fx[]){ root.p, root.q }, 2);
}

/* After lambda: no challenge so far may be 0, or the rounds cannot be written. */
static err begin_layer(pv_writer *w, const fx *point, unsigned m, fx *lambda)
{
    pf_challenge(&w->t, "lambda", lambda, 1);
    bool zero = fx_equal(*lambda, FX_ZERO);
    for (unsigned b = 0; b < m; b++)
        zero |= fx_equal(point[b], FX_ZERO);
    return zero ? ERR_UNPROVED : OK;
}

/* The children at the end point, their numerators only if they are not known to be 1. */
static err end_layer(pv_writer *w, pf_lookup *out, unsigned m, bool unit, const pf_fraction child[2])
{
    pf_fraction a = child[0], b = child[1];
    TRY(unit ? pv_send_fx(w, "end", (fx[]){ a.q, b.q }, 2) : pv_send_fx(w, "end", (fx[]){ a.p, a.q, b.p, b.q }, 4));
    pf_challenge(&w->t, "line", &out->point[m], 1);
    out->claim = pf_fraction_line(a, b, out->point[m]);
    return OK;
}

err pv_round_send(pv_writer *w, const fx g[2], pv_eq *eq, fx *point, unsigned v)
{
    TRY(pv_send_fx(w, "round", g, 2));
    pf_challenge(&w->t, "round", &point[v], 1);
    if (v > 0)
        pv_eq_drop(eq);
    return OK;
}

err pv_bind(fx *k, fx *scale, fx r)
{
    fx left = fx_sub(FX_ONE, r);
    *k = fx_mul(r, fx_inv(left));
    *scale = fx_mul(*scale, left);
    return fx_equal(left, FX_ZERO) ? ERR_UNPROVED : OK;
}

static pf_fraction scaled(const fx_fractions *a, fx scale)
{
    return (pf_fraction){ fx_mul(scale, fxv_get(&a->p, 0)), fx_mul(scale, fxv_get(&a->q, 0)) };
}

err pv_fraction_rounds(pv_writer *w, fx_fractions *a, fx_fractions *b, unsigned v, fx lambda, fx scale, pv_eq *eq, fx *point, pf_fraction child[2])
{
    fx g[2], k;
    for (; v > 0; v--) {
        TRY(pv_bind(&k, &scale, point[v]));
        fxv_fractions_fold_round(g, a, b, (size_t)1 << v, k, eq->lo, pv_eq_lo_n(eq), eq->hi);
        const fx square = fx_mul(scale, scale), sent[2] = { fx_mul(square, g[0]), fx_mul(square, g[1]) };
        TRY(pv_round_send(w, sent, eq, point, v - 1));
    }
    TRY(pv_bind(&k, &scale, point[0]));
    fxv_fractions_fold(a, 1, k);
    fxv_fractions_fold(b, 1, k);
    child[0] = scaled(a, scale);
    child[1] = scaled(b, scale);
    child[0].p = fx_sub(child[0].p, fx_mul(lambda, child[0].q));
    return OK;
}

static err layer_rounds(pv_writer *w, fx_fractions *a, fx_fractions *b, unsigned m, fx lambda, pv_eq *eq, fx *point, pf_fraction child[2])
{
    fx g[2];
    if (m == 0) {
        child[0] = pv_fraction_get(a, 0);
        child[1] = pv_fraction_get(b, 0);
        return OK;
    }
    pv_eq_set(eq, point, m - 1);
    fxv_fractions_absorb_round(g, a, b, (size_t)1 << (m - 1), lambda, eq->lo, pv_eq_lo_n(eq), eq->hi);
    TRY(pv_round_send(w, g, eq, point, m - 1));
    return pv_fraction_rounds(w, a, b, m - 1, lambda, FX_ONE, eq, point, child);
}

/* From the claim on layer m to the one on layer m + 1: fractions a, which are used up. */
static err prove_layer(pv_writer *w, pf_lookup *out, tree *t, unsigned m, fx_fractions *a)
{
    fx lambda;
    pf_fraction child[2];
    size_t n = (size_t)1 << m;
    fx_fractions *b = a + n / FXV_LANES, few;
    if (n < FXV_LANES) {
        pv_upper_half(&a->p, n, &few.p);
        pv_upper_half(&a->q, n, &few.q);
        b = &few;
    }
    TRY(begin_layer(w, out->point, m, &lambda));
    TRY(layer_rounds(w, a, b, m, lambda, &t->eq, out->point, child));
    return end_layer(w, out, m, false, child);
}

static err prove_layers(pv_writer *w, pf_lookup *out, tree *t, unsigned count)
{
    for (unsigned m = 0; m < count; m++)
        TRY(prove_layer(w, out, t, m, t->layer[m + 1]));
    return OK;
}

/* ---- instances ---- */

/* Layer m + 1 = k - 1 is made from the leaves; layer m, which is used up, is the room. */
static err prove_nodes(pv_writer *w, pf_lookup *out, tree *t, const pv_leaves *u)
{
    fx lambda;
    pf_fraction child[2];
    unsigned m = u->k - 2;
    TRY(begin_layer(w, out->point, m, &lambda));
    TRY(pv_node_rounds(w, u, lambda, &t->eq, t->layer[m], out->point, child));
    return end_layer(w, out, m, false, child);
}

static err prove_leaves(pv_writer *w, pf_lookup *out, tree *t, const pv_leaves *u)
{
    if (u->table)
        return prove_layer(w, out, t, u->k - 1, u->table);
    fx lambda, q[2];
    fxv *room = u->ints ? &t->layer[u->k - 2]->p : NULL;
    TRY(begin_layer(w, out->point, u->k - 1, &lambda));
    TRY(pv_leaf_rounds(w, u, lambda, &t->eq, room, out->point, q));
    return end_layer(w, out, u->k - 1, true, (pf_fraction[]){ { FX_ONE, q[0] }, { FX_ONE, q[1] } });
}

/* An instance whose pieces are whole blocks. */
static err prove_large(pv_writer *w, pf_lookup *out, tree *t, const pv_leaves *u)
{
    CHECK(u->k <= t->layers + 1);
    build(t, u);
    TRY(send_root(w, out, pv_fraction_get(t->layer[0], 0)));
    TRY(prove_layers(w, out, t, u->k - 2));
    TRY(prove_nodes(w, out, t, u));
    return prove_leaves(w, out, t, u);
}

static err prove_few(pv_writer *w, pf_lookup *out, tree *t, const pv_leaves *u)
{
    if (u->k == 0)
        return send_root(w, out, u->table ? pv_fraction_get(u->table, 0) : (pf_fraction){ FX_ONE, fxv_get(u->tuples, 0) });
    pv_nodes(t->layer[u->k - 1], u);
    sum_up(t, u->k - 1);
    TRY(send_root(w, out, pv_fraction_get(t->layer[0], 0)));
    TRY(prove_layers(w, out, t, u->k - 1));
    return prove_leaves(w, out, t, u);
}

/* Tiles of less than a block, and few leaves: as tuples. */
static err prove_odd_ints(pv_writer *w, pf_lookup *out, tree *t, const pv_int_leaves *l)
{
    size_t n = (size_t)1 << l->k, tile = (size_t)1 << l->tile_vars;
    fxv *q = fxv_alloc(n);
    if (!q)
        return ERR_MEMORY;
    for (size_t i = 0; i < n; i++)
        fxv_set(q, i, fx_sub(l->alpha[i / tile], fx_from_i64(l->tile[i / tile][i % tile])));
    err e = pv_lookup_tuples(out, w, t, q, l->k);
    free(q);
    return e;
}

err pv_lookup_ints(pf_lookup *out, pv_writer *w, pv_lookup_room *room, const pv_int_leaves *leaves)
{
    pv_leaves u = { .k = leaves->k, .ints = leaves };
    CHECK(leaves->tile_vars <= leaves->k);
    return pv_leaves_fit(&u) ? prove_large(w, out, room, &u) : prove_odd_ints(w, out, room, leaves);
}

err pv_lookup_tuples(pf_lookup *out, pv_writer *w, pv_lookup_room *room, fxv *q, unsigned k)
{
    pv_leaves u = { .k = k, .tuples = q };
    return pv_leaves_fit(&u) ? prove_large(w, out, room, &u) : prove_few(w, out, room, &u);
}

err pv_lookup_table(pf_lookup *out, pv_writer *w, pv_lookup_room *room, fx_fractions *leaves, unsigned k)
{
    pv_leaves u = { .k = k, .table = leaves };
    return pv_leaves_fit(&u) ? prove_large(w, out, room, &u) : prove_few(w, out, room, &u);
}
