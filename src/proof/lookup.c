/* SPDX-License-Identifier: Apache-2.0 */
#include "proof/lookup.h"

pf_fraction pf_fraction_line(pf_fraction a, pf_fraction b, fx c)
{
    return (pf_fraction){ fx_add(a.p, fx_mul(c, fx_sub(b.p, a.p))), fx_add(a.q, fx_mul(c, fx_sub(b.q, a.q))) };
}

/* P_0 Q_1 + P_1 Q_0 + lambda Q_0 Q_1. */
static fx node_value(pf_fraction a, pf_fraction b, fx lambda)
{
    fx cross = fx_add(fx_mul(a.p, b.q), fx_mul(b.p, a.q));
    return fx_add(cross, fx_mul(lambda, fx_mul(a.q, b.q)));
}

/* The two children at the end point. */
static err receive_children(pf_reader *r, pf_transcript *t, pf_fraction child[2], bool unit)
{
    fx x[4];
    if (unit) {
        TRY(pf_receive_fx(r, t, "end", x, 2));
        child[0] = (pf_fraction){ FX_ONE, x[0] };
        child[1] = (pf_fraction){ FX_ONE, x[1] };
    } else {
        TRY(pf_receive_fx(r, t, "end", x, 4));
        child[0] = (pf_fraction){ x[0], x[1] };
        child[1] = (pf_fraction){ x[2], x[3] };
    }
    return OK;
}

/* out[i] = 1 / x[i] with one inversion; false if an x[i] is 0. */
static bool invert(fx *out, const fx *x, unsigned n)
{
    fx all = FX_ONE;
    for (unsigned i = 0; i < n; i++) {
        out[i] = all;
        all = fx_mul(all, x[i]);
    }
    if (fx_equal(all, FX_ZERO))
        return false;
    all = fx_inv(all);
    for (unsigned i = n; i-- > 0; all = fx_mul(all, x[i]))
        out[i] = fx_mul(out[i], all);
    return true;
}

/* From the claim on layer m at `point` to the one on layer m + 1. */
static err verify_layer(pf_reader *r, pf_transcript *t, unsigned m, bool unit, fx *point, pf_fraction *claim)
{
    fx lambda, c, inverse[PF_VARS_MAX];
    pf_fraction child[2];
    if (!invert(inverse, point, m))
        return fail(r->f, ERR_UNPROVED, "lookup.point", r->at);
    pf_challenge(t, "lambda", &lambda, 1);
    fx value = fx_add(claim->p, fx_mul(lambda, claim->q));
    for (unsigned b = m; b-- > 0;)
        TRY(pf_round_eq(r, t, point[b], inverse[b], &value, &point[b]));
    size_t at = r->at;
    TRY(receive_children(r, t, child, unit));
    TRY(pf_want(fx_equal(value, node_value(child[0], child[1], lambda)), r->f, "lookup.layer", at));
    pf_challenge(t, "line", &c, 1);
    point[m] = c;
    *claim = pf_fraction_line(child[0], child[1], c);
    return OK;
}

err pf_lookup_verify(pf_lookup *out, pf_reader *r, pf_transcript *t, unsigned k, pf_lookup_kind kind)
{
    CHECK(k <= PF_VARS_MAX);
    bool unit = kind == PF_LOOKUP_UNIT;
    size_t at = r->at;
    fx root[2];
    TRY(pf_receive_fx(r, t, "root", root, 2));
    out->root = out->claim = (pf_fraction){ root[0], root[1] };
    TRY(pf_want(!fx_equal(root[1], FX_ZERO) && (k != 0 || !unit || fx_equal(root[0], FX_ONE)), r->f, "lookup.root", at));
    for (unsigned m = 0; m < k; m++)
        TRY(verify_layer(r, t, m, unit && m + 1 == k, out->point, &out->claim));
    return OK;
}

bool pf_fractions_balance(const pf_fraction *f, size_t n, pf_fraction table)
{
    pf_fraction sum = { FX_ZERO, FX_ONE };
    for (size_t i = 0; i < n; i++)
        sum = (pf_fraction){ fx_add(fx_mul(sum.p, f[i].q), fx_mul(f[i].p, sum.q)), fx_mul(sum.q, f[i].q) };
    return fx_equal(fx_mul(sum.p, table.q), fx_mul(table.p, sum.q));
}
