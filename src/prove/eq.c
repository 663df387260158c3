/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/eq_int.h"

#include <stdlib.h>

static unsigned lo_vars_of(unsigned vars)
{
    return vars < PV_EQ_LO_VARS ? vars : PV_EQ_LO_VARS;
}

err pv_eq_init(pv_eq *eq, unsigned vars_max)
{
    unsigned lo = lo_vars_of(vars_max);
    eq->lo = fxv_alloc((size_t)1 << lo);
    eq->hi = fxv_alloc((size_t)1 << (vars_max - lo));
    if (eq->lo && eq->hi)
        return OK;
    pv_eq_deinit(eq);
    return ERR_MEMORY;
}

void pv_eq_deinit(pv_eq *eq)
{
    free(eq->lo);
    free(eq->hi);
    eq->lo = eq->hi = NULL;
}

void pv_eq_set(pv_eq *eq, const fx *r, unsigned vars)
{
    eq->lo_vars = lo_vars_of(vars);
    eq->hi_vars = vars - eq->lo_vars;
    fxv_eq(eq->lo, r, eq->lo_vars, FX_ONE);
    fxv_eq(eq->hi, r + eq->lo_vars, eq->hi_vars, FX_ONE);
}

void pv_eq_drop(pv_eq *eq)
{
    unsigned *vars = eq->hi_vars > 0 ? &eq->hi_vars : &eq->lo_vars;
    fxv *a = eq->hi_vars > 0 ? eq->hi : eq->lo;
    size_t half = (size_t)1 << --*vars;
    for (size_t i = 0; i < half; i++)
        fxv_set(a, i, fx_add(fxv_get(a, i), fxv_get(a, i + half)));
}
