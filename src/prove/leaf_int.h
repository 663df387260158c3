/* SPDX-License-Identifier: Apache-2.0
 *
 * The two lowest layers of an instance: their arrays are made from the leaves, a piece at a time, where they are needed, and not kept.
 * nodes.c: layer k - 1, the sums of two leaves; leaf.c: the leaves, if their numerators are all 1. */
#ifndef PROVE_LEAF_INT_H
#define PROVE_LEAF_INT_H

#include "prove/eq_int.h"
#include "prove/lookup.h"

/* The leaves of an instance, one of: integers, denominators, fractions. All but integers are used up in the last layer. */
typedef struct pv_leaves {
    unsigned             k;
    const pv_int_leaves *ints;
    fxv                 *tuples;
    fx_fractions        *table;
} pv_leaves;

enum { PV_PIECE = 256 }; /* nodes: what a piece costs beside its nodes is little then, and four times as many fractions stay in the second cache */

/* How many leaves or nodes in a row are of one tile and of one run of `limit`; all are powers of two. */
static inline size_t pv_leaves_run(const pv_leaves *u, size_t limit)
{
    size_t tile = u->ints ? (size_t)1 << u->ints->tile_vars : limit;
    return limit < tile ? limit : tile;
}

/* Whether pieces are whole blocks in all functions on pieces. */
static inline bool pv_leaves_fit(const pv_leaves *u)
{
    return u->k >= 7 && pv_leaves_run(u, FXV_LANES) == FXV_LANES;
}

/* --- what all rounds share (lookup.c) --- */

/* Sends the round of variable v, squeezes point[v], drops the next variable of eq. */
err pv_round_send(pv_writer *w, const fx g[2], pv_eq *eq, fx *point, unsigned v) MUST_USE;

/* Binding a variable to r leaves out a factor 1 - r (field/vec.h): *k = r / (1 - r), *scale times that factor. ERR_UNPROVED if it is 0. */
err pv_bind(fx *k, fx *scale, fx r) MUST_USE;

/* The rounds of the variables below v over fractions that are not yet bound to point[v]: 2^(v + 1) each, which are less by the factor `scale`. */
err pv_fraction_rounds(pv_writer *w, fx_fractions *a, fx_fractions *b, unsigned v, fx lambda, fx scale, pv_eq *eq, fx *point, pf_fraction child[2]) MUST_USE;

/* --- layer k - 1: node i is the sum of the leaves i and i + 2^(k - 1) --- */

/* Its nodes, k >= 1. */
void pv_nodes(fx_fractions *out, const pv_leaves *u);

/* Sums of them: a run of n <= PV_PIECE nodes of layer k - 2 from i on, for what fits. */
void pv_nodes_up(fx_fractions *out, const pv_leaves *u, size_t i, size_t n);

/* The k - 2 rounds over them, for what fits; `room`: 2^(k - 2) fractions. */
err pv_node_rounds(pv_writer *w, const pv_leaves *u, fx lambda, pv_eq *eq, fx_fractions *room, fx *point, pf_fraction child[2]) MUST_USE;

/* --- the leaves. With u = lambda q + 1, the relation q_0 + q_1 + lambda q_0 q_1 is (u_0 u_1 - 1) / lambda: one product, and u folds as q does --- */

/* The k - 1 rounds; `room`: 2^(k - 1) elements, used if the leaves are integers, which must fit. q: the children at the end. */
err pv_leaf_rounds(pv_writer *w, const pv_leaves *u, fx lambda, pv_eq *eq, fxv *room, fx *point, fx q[2]) MUST_USE;

static inline pf_fraction pv_fraction_get(const fx_fractions *a, size_t i)
{
    const fx_fractions *b = &a[i / FXV_LANES];
    return (pf_fraction){ fxv_get(&b->p, i % FXV_LANES), fxv_get(&b->q, i % FXV_LANES) };
}

/* The upper half of a vector of 2 n elements; `few` holds it if it begins inside a block. */
fxv *pv_upper_half(fxv *a, size_t n, fxv *few);

/* A run of integer leaves of one tile, from leaf i. */
typedef struct pv_run {
    const int32_t *x;
    fx             alpha;
} pv_run;

static inline pv_run pv_run_at(const pv_int_leaves *l, size_t i)
{
    size_t t = i >> l->tile_vars;
    return (pv_run){ l->tile[t] + (i & (((size_t)1 << l->tile_vars) - 1)), l->alpha[t] };
}

#endif
