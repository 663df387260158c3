/* SPDX-License-Identifier: Apache-2.0 */
#include "proof/sumcheck.h"

/* g(x) for g(0), g(1) and the coefficient of X^2. */
static fx at_point(fx g0, fx g1, fx square, fx x)
{
    fx linear = fx_sub(fx_sub(g1, g0), square);
    return fx_add(g0, fx_mul(x, fx_add(linear, fx_mul(x, square))));
}

err pf_round(pf_reader *r, pf_transcript *t, fx *claim, fx *challenge)
{
    fx g[2];
    TRY(pf_receive_fx(r, t, "round", g, 2));
    pf_challenge(t, "round", challenge, 1);
    *claim = at_point(g[0], fx_sub(*claim, g[0]), g[1], *challenge);
    return OK;
}

err pf_round_eq(pf_reader *r, pf_transcript *t, fx e, fx e_inv, fx *claim, fx *challenge)
{
    fx g[2];
    TRY(pf_receive_fx(r, t, "round", g, 2));
    pf_challenge(t, "round", challenge, 1);
    fx rest = fx_sub(*claim, fx_mul(fx_sub(FX_ONE, e), g[0]));
    *claim = at_point(g[0], fx_mul(rest, e_inv), g[1], *challenge);
    return OK;
}

err pf_inner_rounds(pf_reader *r, pf_transcript *t, unsigned n, fx *claim, fx *point)
{
    CHECK(n <= PF_VARS_MAX);
    for (unsigned b = n; b-- > 0;)
        TRY(pf_round(r, t, claim, &point[b]));
    return OK;
}

err pf_inner_product(pf_reader *r, pf_transcript *t, const char *what, fx claim, unsigned n, size_t count, fx *point, fx *ends)
{
    TRY(pf_inner_rounds(r, t, n, &claim, point));
    size_t at = r->at;
    TRY(pf_receive_fx(r, t, "end", ends, 2 * count));
    fx sum = FX_ZERO;
    for (size_t m = 0; m < count; m++)
        sum = fx_add(sum, fx_mul(ends[2 * m], ends[2 * m + 1]));
    return pf_want(fx_equal(sum, claim), r->f, what, at);
}
