/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/leaf_int.h"

/* lambda, and what turns sums over u_0 u_1 into round polynomials and ends. */
typedef struct gate {
    fx lambda, inverse;
} gate;

/* u_0 and u_1 are less by the factor `scale`. */
static err send_round(pv_writer *w, const fx s[2], fx scale, const gate *g, pv_eq *eq, fx *point, unsigned v)
{
    const fx square = fx_mul(scale, scale);
    const fx sent[2] = { fx_mul(fx_sub(fx_mul(square, s[0]), FX_ONE), g->inverse), fx_mul(fx_mul(square, s[1]), g->inverse) };
    return pv_round_send(w, sent, eq, point, v);
}

/* The child at the end. */
static fx end_of(fx u, const gate *g)
{
    return fx_mul(fx_sub(u, FX_ONE), g->inverse);
}

/* The rounds of the variables below v over u_0, u_1 that are not yet bound to point[v]: 2^(v + 1) elements each. */
static err rounds_below(pv_writer *w, fxv *u0, fxv *u1, unsigned v, const gate *g, pv_eq *eq, fx *point, fx q[2])
{
    fx s[2], k, scale = FX_ONE;
    for (; v > 0; v--) {
        TRY(pv_bind(&k, &scale, point[v]));
        fxv_eq_fold_round(s, u0, u1, (size_t)1 << v, k, eq->lo, pv_eq_lo_n(eq), eq->hi);
        TRY(send_round(w, s, scale, g, eq, point, v - 1));
    }
    TRY(pv_bind(&k, &scale, point[0]));
    q[0] = end_of(fx_mul(scale, fx_add(fxv_get(u0, 0), fx_mul(k, fxv_get(u0, 1)))), g);
    q[1] = end_of(fx_mul(scale, fx_add(fxv_get(u1, 0), fx_mul(k, fxv_get(u1, 1)))), g);
    return OK;
}

static err tuple_rounds(pv_writer *w, fxv *u, unsigned k, const gate *g, pv_eq *eq, fx *point, fx q[2])
{
    size_t n = (size_t)1 << (k - 1);
    fxv few, *u1;
    fx s[2];
    fxv_affine(u, g->lambda, FX_ONE, 2 * n);
    u1 = pv_upper_half(u, n, &few);
    if (k == 1) {
        q[0] = end_of(fxv_get(u, 0), g);
        q[1] = end_of(fxv_get(u1, 0), g);
        return OK;
    }
    pv_eq_set(eq, point, k - 2);
    fxv_eq_round(s, u, u1, n / 2, eq->lo, pv_eq_lo_n(eq), eq->hi);
    TRY(send_round(w, s, FX_ONE, g, eq, point, k - 2));
    return rounds_below(w, u, u1, k - 2, g, eq, point, q);
}

/* ---- the first two rounds from the integers: u = b - lambda x, b = 1 + lambda alpha ---- */

static fx b_of(pv_run a, const gate *g)
{
    return fx_add(FX_ONE, fx_mul(g->lambda, a.alpha));
}

/* sum w (b0 - lambda x0) (b1 - lambda x1) from the sums of w, w x0, w x1, w x0 x1. */
static fx product_sum(fx b0, fx b1, fx lambda, fx one, fx x0, fx x1, fx x0x1)
{
    fx linear = fx_add(fx_mul(b0, x1), fx_mul(b1, x0));
    return fx_add(fx_mul(b0, fx_mul(b1, one)), fx_mul(lambda, fx_sub(fx_mul(lambda, x0x1), linear)));
}

/* The four quarters at i: both values of the top variable of u_0, then of u_1. */
static void add_run(fx s[2], const pv_int_leaves *l, size_t i, size_t n, const gate *g, pv_eq_at at)
{
    fxv_leaf_sums sum;
    const int32_t *x[4];
    fx b[4];
    for (size_t k = 0; k < 4; k++) {
        pv_run a = pv_run_at(l, i + (k << (l->k - 2)));
        x[k] = a.x;
        b[k] = b_of(a, g);
    }
    fxv_leaf_round(&sum, x, at.lo, n);
    fx at_0 = product_sum(b[0], b[2], g->lambda, sum.one, sum.x[0], sum.x[2], sum.at_0);
    fx at_top = product_sum(fx_sub(b[1], b[0]), fx_sub(b[3], b[2]), g->lambda, sum.one, fx_sub(sum.x[1], sum.x[0]),
                            fx_sub(sum.x[3], sum.x[2]), sum.at_top);
    s[0] = fx_add(s[0], fx_mul(at.hi, at_0));
    s[1] = fx_add(s[1], fx_mul(at.hi, at_top));
}

static void first_round(fx s[2], const pv_leaves *u, const gate *g, const pv_eq *eq)
{
    size_t quarter = (size_t)1 << (u->k - 2), n = pv_leaves_run(u, pv_eq_lo_n(eq));
    s[0] = s[1] = FX_ZERO;
    for (size_t i = 0; i < quarter; i += n)
        add_run(s, u->ints, i, n, g, pv_eq_piece(eq, i));
}

/* u at the leaves i and i + quarter bound to r. */
static void fold_run(fxv *out, const pv_int_leaves *l, size_t i, size_t n, const gate *g, fx r)
{
    pv_run a = pv_run_at(l, i), b = pv_run_at(l, i + ((size_t)1 << (l->k - 2)));
    fx f1 = fx_neg(fx_mul(g->lambda, r)), f0 = fx_sub(fx_neg(g->lambda), f1), b0 = b_of(a, g);
    fxv_leaf_fold(out, a.x, b.x, n, fx_add(b0, fx_mul(r, fx_sub(b_of(b, g), b0))), f0, f1);
}

/* Binds the first variable, stores what is left in u0 and u1 (a quarter of the leaves each), and sums up the second round. */
static void second_round(fx s[2], fxv *const u[2], const pv_leaves *leaves, const gate *g, fx r, const pv_eq *eq)
{
    fxv piece[2][2 * PV_PIECE / FXV_LANES], one = { { { FP_ONE } } };
    size_t quarter = (size_t)1 << (leaves->k - 2), half = quarter / 2, n = pv_leaves_run(leaves, half < PV_PIECE ? half : PV_PIECE);
    s[0] = s[1] = FX_ZERO;
    for (size_t i = 0; i < half; i += n) {
        fx sum[2];
        pv_eq_at at = pv_eq_piece(eq, i);
        for (size_t c = 0; c < 2; c++)
            for (size_t j = 0; j < 2; j++) {
                fxv *to = piece[c] + j * n / FXV_LANES;
                fold_run(to, leaves->ints, i + j * half + c * 2 * quarter, n, g, r);
                memcpy(u[c] + (i + j * half) / FXV_LANES, to, n / FXV_LANES * sizeof *to);
            }
        fxv_eq_round(sum, piece[0], piece[1], n, at.lo, n, &one);
        s[0] = fx_add(s[0], fx_mul(at.hi, sum[0]));
        s[1] = fx_add(s[1], fx_mul(at.hi, sum[1]));
    }
}

static err int_rounds(pv_writer *w, const pv_leaves *leaves, const gate *g, pv_eq *eq, fxv *room, fx *point, fx q[2])
{
    unsigned v = leaves->k - 2; /* the top variable */
    fxv *const u[2] = { room, room + ((size_t)1 << v) / FXV_LANES };
    fx s[2];
    pv_eq_set(eq, point, v);
    first_round(s, leaves, g, eq);
    TRY(send_round(w, s, FX_ONE, g, eq, point, v));
    second_round(s, u, leaves, g, point[v], eq);
    TRY(send_round(w, s, FX_ONE, g, eq, point, v - 1));
    return rounds_below(w, u[0], u[1], v - 1, g, eq, point, q);
}

err pv_leaf_rounds(pv_writer *w, const pv_leaves *u, fx lambda, pv_eq *eq, fxv *room, fx *point, fx q[2])
{
    const gate g = { lambda, fx_inv(lambda) };
    return u->ints ? int_rounds(w, u, &g, eq, room, point, q) : tuple_rounds(w, u->tuples, u->k, &g, eq, point, q);
}
