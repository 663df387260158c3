/* SPDX-License-Identifier: Apache-2.0
 *
 * The entries of the table list as the argument sees them (spec/proof.md section 7). */
#include "prove/prove_int.h"

#include <string.h>

/* Fingerprints are x + gamma tag + gamma^2 second + gamma^3 third. */
typedef struct entry_ints {
    int32_t x[PV_ENTRIES], tag[PV_ENTRIES], second[PV_ENTRIES], third[PV_ENTRIES];
    bool    pairs; /* second or third is not 0 everywhere */
} entry_ints;

static const int32_t *second_of(const pf_tables *t, const pf_table *of)
{
    switch (of->part) {
    case PF_PART_EXP:  return t->exp;
    case PF_PART_EXPL: return t->exp_loss;
    case PF_PART_GELU: return t->gelu[of->layer];
    default:           return NULL;
    }
}

/* Entries k .. k + n - 1 of a table, to places at .. */
static void put_entries(entry_ints *e, size_t at, const pf_tables *tables, const pf_table *t, uint32_t k, size_t n)
{
    const int32_t *second = second_of(tables, t);
    CHECK(t->tag >> FXV_LEAF_BITS == 0 && t->n >> FXV_LEAF_BITS == 0);
    for (size_t i = 0; i < n; i++) {
        e->x[at + i] = (int32_t)(k + i);
        e->tag[at + i] = (int32_t)t->tag;
    }
    if (!second)
        return;
    e->pairs = true;
    memcpy(e->second + at, second + k, n * sizeof *second);
    if (t->part == PF_PART_GELU)
        memcpy(e->third + at, tables->slope[t->layer] + k, n * sizeof *second);
}

void pv_entry_denominators(const prover *p, fxv *out, uint32_t v, size_t n)
{
    const pf_layout *y = p->y;
    const fx gamma = p->run.gamma, g2 = fx_mul(gamma, gamma), g3 = fx_mul(g2, gamma);
    entry_ints e;
    CHECK(n <= PV_ENTRIES && n % FXV_LANES == 0);
    memset(&e, 0, sizeof e);
    for (uint32_t i = 0; i < y->table_count; i++) {
        const pf_table *t = &y->tables[i];
        size_t from = v > t->first ? v : t->first, to = v + n < t->first + t->n ? v + n : t->first + t->n;
        if (from < to)
            put_entries(&e, from - v, p->w->s->tables, t, (uint32_t)from - t->first, to - from);
    }
    fxv_leaf_fold(out, e.x, e.tag, n, p->run.alpha, fx_neg(FX_ONE), fx_neg(gamma));
    if (!e.pairs)
        return;
    fxv more[PV_ENTRIES / FXV_LANES];
    fxv_leaf_fold(more, e.second, e.third, n, FX_ZERO, fx_neg(g2), fx_neg(g3));
    fxv_add_scaled(out, more, FX_ONE, n);
}
