/* SPDX-License-Identifier: Apache-2.0
 *
 * eq(r, i) as an outer product E[i] = hi[i / 2^lo_vars] lo[i mod 2^lo_vars], so that the inner factor stays in the nearest cache. */
#ifndef PROVE_EQ_INT_H
#define PROVE_EQ_INT_H

#include "field/vec.h"

enum { PV_EQ_LO_VARS = 9 };

typedef struct pv_eq {
    fxv     *lo, *hi;
    unsigned lo_vars, hi_vars;
} pv_eq;

err  pv_eq_init(pv_eq *eq, unsigned vars_max) MUST_USE; /* room for that many variables */
void pv_eq_deinit(pv_eq *eq);
void pv_eq_set(pv_eq *eq, const fx *r, unsigned vars);

/* Drops the most significant variable: the sum over both of its values. */
void pv_eq_drop(pv_eq *eq);

static inline size_t pv_eq_lo_n(const pv_eq *eq)
{
    return (size_t)1 << eq->lo_vars;
}

/* eq from index i on, as hi lo[0], hi lo[1] ... up to the end of lo. i is a multiple of 8. */
typedef struct pv_eq_at {
    const fxv *lo;
    fx         hi;
} pv_eq_at;

static inline pv_eq_at pv_eq_piece(const pv_eq *eq, size_t i)
{
    size_t lo_n = pv_eq_lo_n(eq);
    return (pv_eq_at){ eq->lo + i % lo_n / FXV_LANES, fxv_get(eq->hi, i / lo_n) };
}

#endif
