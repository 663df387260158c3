/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/leaf_int.h"

enum { PIECE_BLOCKS = PV_PIECE / FXV_LANES };

fxv *pv_upper_half(fxv *a, size_t n, fxv *few)
{
    if (n >= FXV_LANES)
        return a + n / FXV_LANES;
    *few = a[0];
    for (size_t i = 0; i < n; i++)
        fxv_set(few, i, fxv_get(a, i + n));
    return few;
}

/* Nodes i .. i + n - 1, a run. */
static void nodes(fx_fractions *out, const pv_leaves *u, size_t i, size_t n)
{
    size_t half = (size_t)1 << (u->k - 1);
    if (u->ints) {
        pv_run a = pv_run_at(u->ints, i), b = pv_run_at(u->ints, i + half);
        fxv_leaf_up(out, a.x, b.x, n, a.alpha, b.alpha);
    } else if (u->tuples) {
        fxv_unit_up(out, u->tuples + i / FXV_LANES, u->tuples + (i + half) / FXV_LANES, n);
    } else {
        fxv_fractions_add(out, u->table + i / FXV_LANES, u->table + (i + half) / FXV_LANES, n);
    }
}

void pv_nodes(fx_fractions *out, const pv_leaves *u)
{
    size_t half = (size_t)1 << (u->k - 1);
    fxv few;
    CHECK(!u->ints);
    if (u->tuples)
        fxv_unit_up(out, u->tuples, pv_upper_half(u->tuples, half, &few), half);
    else
        fxv_fractions_up(out, u->table, half);
}

void pv_nodes_up(fx_fractions *out, const pv_leaves *u, size_t i, size_t n)
{
    fx_fractions a[PIECE_BLOCKS], b[PIECE_BLOCKS];
    nodes(a, u, i, n);
    nodes(b, u, i + ((size_t)1 << (u->k - 2)), n);
    fxv_fractions_add(out, a, b, n);
}

/* ---- rounds ---- */

/* g += the sums of one piece of n nodes for each value of the top variable, weighted by eq at i. a absorbs lambda. */
static void add_piece(fx g[2], fx_fractions *a, const fx_fractions *b, size_t n, fx lambda, const pv_eq *eq, size_t i)
{
    fxv one = { { { FP_ONE } } };
    fx s[2];
    pv_eq_at at = pv_eq_piece(eq, i);
    fxv_fractions_absorb_round(s, a, b, n, lambda, at.lo, n, &one);
    g[0] = fx_add(g[0], fx_mul(at.hi, s[0]));
    g[1] = fx_add(g[1], fx_mul(at.hi, s[1]));
}

static void first_round(fx g[2], const pv_leaves *u, fx lambda, const pv_eq *eq)
{
    fx_fractions a[2 * PIECE_BLOCKS], b[2 * PIECE_BLOCKS];
    size_t half = (size_t)1 << (u->k - 3), n = pv_leaves_run(u, half < PV_PIECE ? half : PV_PIECE), upper = n / FXV_LANES;
    g[0] = g[1] = FX_ZERO;
    for (size_t i = 0; i < half; i += n) {
        nodes(a, u, i, n);
        nodes(a + upper, u, i + half, n);
        nodes(b, u, i + 2 * half, n);
        nodes(b + upper, u, i + 3 * half, n);
        add_piece(g, a, b, n, lambda, eq, i);
    }
}

/* Nodes i, and k times nodes i + half, into the first n of `out`, which has room for 2 n. */
static void fold_nodes(fx_fractions *out, const pv_leaves *u, size_t i, size_t half, size_t n, fx k)
{
    if (u->ints) {
        const size_t other = (size_t)1 << (u->k - 1), at[4] = { i, i + other, i + half, i + half + other };
        const int32_t *x[4];
        fx a[4];
        for (size_t j = 0; j < 4; j++) {
            const pv_run run = pv_run_at(u->ints, at[j]);
            x[j] = run.x;
            a[j] = run.alpha;
        }
        fxv_leaf_up_fold(out, x, n, a, k);
        return;
    }
    nodes(out, u, i, n);
    nodes(out + n / FXV_LANES, u, i + half, n);
    fxv_fractions_fold(out, n, k);
}

/* Binds the first variable, but for a factor; stores what is left in a and b (`half` nodes each), and sums up the second round. */
static void second_round(fx g[2], fx_fractions *a, fx_fractions *b, const pv_leaves *u, size_t half, fx k, fx lambda, const pv_eq *eq)
{
    fx_fractions piece[2][3 * PIECE_BLOCKS];
    fx_fractions *const to[2] = { a, b };
    size_t quarter = half / 2, n = pv_leaves_run(u, quarter < PV_PIECE ? quarter : PV_PIECE), upper = n / FXV_LANES;
    g[0] = g[1] = FX_ZERO;
    for (size_t i = 0; i < quarter; i += n) {
        for (size_t c = 0; c < 2; c++) {
            fold_nodes(piece[c], u, i + 2 * half * c, half, n, k);
            fold_nodes(piece[c] + upper, u, i + quarter + 2 * half * c, half, n, k);
        }
        add_piece(g, piece[0], piece[1], n, lambda, eq, i);
        for (size_t c = 0; c < 2; c++) {
            memcpy(to[c] + i / FXV_LANES, piece[c], upper * sizeof *a);
            memcpy(to[c] + (i + quarter) / FXV_LANES, piece[c] + upper, upper * sizeof *a);
        }
    }
}

err pv_node_rounds(pv_writer *w, const pv_leaves *u, fx lambda, pv_eq *eq, fx_fractions *room, fx *point, pf_fraction child[2])
{
    unsigned v = u->k - 3; /* the top variable */
    size_t half = (size_t)1 << v;
    fx_fractions *a = room, *b = room + half / FXV_LANES;
    fx g[2], k, scale = FX_ONE;
    pv_eq_set(eq, point, v);
    first_round(g, u, lambda, eq);
    TRY(pv_round_send(w, g, eq, point, v));
    TRY(pv_bind(&k, &scale, point[v]));
    second_round(g, a, b, u, half, k, lambda, eq);
    const fx square = fx_mul(scale, scale), sent[2] = { fx_mul(square, g[0]), fx_mul(square, g[1]) };
    TRY(pv_round_send(w, sent, eq, point, v - 1));
    return pv_fraction_rounds(w, a, b, v - 1, lambda, scale, eq, point, child);
}
