/* SPDX-License-Identifier: Apache-2.0 */
#include "proof/tables.h"

#include "field/vec.h"
#include "proof/eq.h"

#include <stdlib.h>
#include <string.h>

enum { RUN_BITS = 10 };

/* eq(point, entry) = high lowest: a run is the 2^low_bits entries that share the high factor. */
typedef struct evaluation {
    const fx *point;
    unsigned  bits, low_bits;
    fxv      *low, *shifted, *runs; /* eq of the low variables; the same from some place on; sums over runs */
} evaluation;

/* --- entries that are numbers themselves ---------------------------------------------------------------------------------- */

typedef struct prefix {
    fx weight, weighted; /* sum of eq(point, i), of eq(point, i) i */
} prefix;

/* Over i < n <= 2^bits, without a loop over i: those that agree with n above bit b, and are smaller at b, are free below it, where eq adds
 * up to 1, and eq times the number to sum of r_j 2^j. */
static prefix prefix_at(const evaluation *v, uint64_t n)
{
    prefix sum = { FX_ZERO, FX_ZERO };
    fx agree = FX_ONE, below = FX_ZERO;
    for (unsigned j = 0; j < v->bits; j++)
        below = fx_add(below, fx_mul_fp(v->point[j], fp_from_u64((uint64_t)1 << j)));
    if (n >> v->bits)
        return (prefix){ FX_ONE, below };
    for (unsigned b = v->bits; b-- > 0;) {
        fx r = v->point[b];
        below = fx_sub(below, fx_mul_fp(r, fp_from_u64((uint64_t)1 << b)));
        if (n >> b & 1) {
            fx smaller = fx_mul(agree, fx_sub(FX_ONE, r)), first = fx_from_fp(fp_from_u64(n >> b >> 1 << b << 1));
            sum.weight = fx_add(sum.weight, smaller);
            sum.weighted = fx_add(sum.weighted, fx_mul(smaller, fx_add(first, below)));
            agree = fx_mul(agree, r);
        } else {
            agree = fx_mul(agree, fx_sub(FX_ONE, r));
        }
    }
    return sum;
}

/* Sum of eq (x + gamma tag). */
static fx numbers_and_tags(const evaluation *v, const pf_table *t, fx gamma)
{
    prefix from = prefix_at(v, t->first), to = prefix_at(v, (uint64_t)t->first + t->n);
    fx weight = fx_sub(to.weight, from.weight), x = fx_sub(to.weighted, from.weighted);
    fx tag = fx_sub(fx_mul_fp(gamma, fp_from_u64(t->tag)), fx_from_fp(fp_from_u64(t->first)));
    return fx_add(x, fx_mul(weight, tag));
}

/* --- entries that are values of functions ---------------------------------------------------------------------------------- */

/* Part of one run, from place `low` of it on. */
static fx piece(const evaluation *v, uint32_t first, const int32_t *data, size_t n)
{
    size_t low = first & (((uint32_t)1 << v->low_bits) - 1);
    fxv    sum = { 0 };
    for (size_t i = 0; i < n; i++)
        fxv_set(v->shifted, i, fxv_get(v->low, low + i));
    fxv_cols(&sum, &(fx_ints){ data, 1, n, n, sizeof *data }, v->shifted);
    return fx_mul(pf_eq_at(v->point + v->low_bits, v->bits - v->low_bits, first >> v->low_bits), fxv_get(&sum, 0));
}

/* Sum of eq(point, first + k) data[k]: what lies before the first whole run, whole runs, and what is left. */
static fx values(const evaluation *v, uint32_t first, const int32_t *data, size_t n)
{
    size_t run = (size_t)1 << v->low_bits, before = (run - (first & (run - 1))) & (run - 1);
    before = before < n ? before : n;
    fx sum = before ? piece(v, first, data, before) : FX_ZERO;
    size_t whole = (n - before) >> v->low_bits, done = before + whole * run;
    if (whole) {
        uint32_t at = (uint32_t)(first + before) >> v->low_bits;
        memset(v->runs, 0, fxv_blocks(whole) * sizeof *v->runs);
        fxv_cols(v->runs, &(fx_ints){ data + before, whole, run, run, sizeof *data }, v->low);
        for (size_t k = 0; k < whole; k++)
            sum = fx_add(sum, fx_mul(pf_eq_at(v->point + v->low_bits, v->bits - v->low_bits, at + k), fxv_get(v->runs, k)));
    }
    return done < n ? fx_add(sum, piece(v, first + (uint32_t)done, data + done, n - done)) : sum;
}

static fx evaluate(const evaluation *v, const pf_table *t, const pf_tables *tables, fx gamma)
{
    const int32_t *second = t->part == PF_PART_EXP ? tables->exp : t->part == PF_PART_EXPL ? tables->exp_loss :
                            t->part == PF_PART_GELU ? tables->gelu[t->layer] : NULL;
    fx sum = numbers_and_tags(v, t, gamma), g2 = fx_mul(gamma, gamma);
    if (second)
        sum = fx_add(sum, fx_mul(g2, values(v, t->first, second, t->n)));
    if (t->part == PF_PART_GELU)
        sum = fx_add(sum, fx_mul(fx_mul(g2, gamma), values(v, t->first, tables->slope[t->layer], t->n)));
    return sum;
}

err pf_tables_evaluate(fx *out, const pf_layout *y, const pf_tables *tables, const fx *point, fx gamma, fault *f)
{
    unsigned bits = y->instances[y->instance_count - 1].bits, low_bits = bits < RUN_BITS ? bits : RUN_BITS;
    evaluation v = { point, bits, low_bits, fxv_alloc((size_t)1 << low_bits), fxv_alloc((size_t)1 << low_bits), fxv_alloc((size_t)1 << (bits - low_bits)) };
    err e = v.low && v.shifted && v.runs ? OK : fail(f, ERR_MEMORY, "tables", y->entries);
    if (e == OK) {
        fxv_eq(v.low, point, low_bits, FX_ONE);
        *out = FX_ZERO;
        for (uint32_t i = 0; i < y->table_count; i++)
            *out = fx_add(*out, evaluate(&v, &y->tables[i], tables, gamma));
    }
    free(v.low);
    free(v.shifted);
    free(v.runs);
    return e;
}
