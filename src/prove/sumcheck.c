/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/sumcheck.h"

err pv_inner_rounds(pv_writer *w, pv_product *products, size_t count, unsigned n, fx *point)
{
    CHECK(n <= PF_VARS_MAX);
    for (unsigned b = n; b-- > 0;) {
        fx g[2] = { FX_ZERO, FX_ZERO };
        size_t half = (size_t)1 << b;
        for (size_t m = 0; m < count; m++) {
            if (b + 1 == n)
                fxv_round(g, products[m].p, products[m].b, half);
            else
                fxv_fold_round(g, products[m].p, products[m].b, 2 * half, point[b + 1]);
        }
        TRY(pv_send_fx(w, "round", g, 2));
        pf_challenge(&w->t, "round", &point[b], 1);
    }
    for (size_t m = 0; n > 0 && m < count; m++) {
        fxv_fold(products[m].p, 1, point[0]);
        fxv_fold(products[m].b, 1, point[0]);
    }
    return OK;
}

/* sum of the products that are not at their own variables yet: P and B are 0 in the upper half, so they have g(0) = g's X^2 = P B. */
static fx waiting_sum(const pv_product *products, const unsigned *vars, size_t count, unsigned b)
{
    fx sum = FX_ZERO;
    for (size_t m = 0; m < count; m++)
        if (vars[m] <= b)
            sum = fx_add(sum, fxv_dot(products[m].p, products[m].b, (size_t)1 << vars[m]));
    return sum;
}

err pv_mixed_rounds(pv_writer *w, pv_product *products, const unsigned *vars, size_t count, unsigned n, fx *point)
{
    fx above = FX_ONE; /* product of 1 - r over the variables that are bound */
    CHECK(n <= PF_VARS_MAX);
    for (unsigned b = n; b-- > 0;) {
        fx wait = fx_mul(fx_mul(above, above), waiting_sum(products, vars, count, b)), g[2] = { wait, wait };
        size_t half = (size_t)1 << b;
        for (size_t m = 0; m < count; m++) {
            if (vars[m] == b + 1) {
                fxv_scale(products[m].p, above, 2 * half);
                fxv_scale(products[m].b, above, 2 * half);
                fxv_round(g, products[m].p, products[m].b, half);
            } else if (vars[m] > b + 1) {
                fxv_fold_round(g, products[m].p, products[m].b, 2 * half, point[b + 1]);
            }
        }
        TRY(pv_send_fx(w, "round", g, 2));
        pf_challenge(&w->t, "round", &point[b], 1);
        above = fx_mul(above, fx_sub(FX_ONE, point[b]));
    }
    for (size_t m = 0; m < count; m++) {
        if (vars[m] > 0) {
            fxv_fold(products[m].p, 1, point[0]);
            fxv_fold(products[m].b, 1, point[0]);
        } else {
            fxv_scale(products[m].p, above, 1);
            fxv_scale(products[m].b, above, 1);
        }
    }
    return OK;
}

err pv_inner_product(pv_writer *w, pv_product *products, size_t count, unsigned n, fx *point, fx *ends)
{
    TRY(pv_inner_rounds(w, products, count, n, point));
    for (size_t m = 0; m < count; m++) {
        ends[2 * m] = fxv_get(products[m].p, 0);
        ends[2 * m + 1] = fxv_get(products[m].b, 0);
    }
    return pv_send_fx(w, "end", ends, 2 * count);
}
