/* SPDX-License-Identifier: Apache-2.0
 *
 * The leaves of the lookup instances (spec/proof.md section 7) and what is sent in their forks. */
#include "prove/prove_int.h"

#include <stdlib.h>
#include <string.h>

static fx fingerprint_tag(const prover *p, uint64_t number)
{
    return fx_mul_fp(p->run.gamma, fp_from_u64(number));
}

/* Tile `block` of a segment: token i, feature j at i B + j. */
static void fill_tile(const prover *p, const pf_segment *s, uint32_t block, int32_t *out)
{
    const pf_layout *y = p->y;
    const pv_witness *w = p->w;
    size_t B = (size_t)1 << y->b;
    if (s->part == PF_PART_CELL) {
        const int16_t *from = w->cell[s->index] + block * B;
        size_t ld = pf_padded(y, s->index);
        for (size_t i = 0; i < pf_tokens(y); i++)
            for (size_t j = 0; j < B; j++)
                out[i * B + j] = from[i * ld + j] + (int32_t)y->tensors[s->index].offset;
    } else if (s->part == PF_PART_REM) {
        const uint16_t *from = w->rem[s->index] + block * B;
        size_t ld = pf_padded(y, y->roundings[s->index].out);
        for (size_t i = 0; i < pf_tokens(y); i++)
            for (size_t j = 0; j < B; j++)
                out[i * B + j] = from[i * ld + j];
    } else if (s->part == PF_PART_DOMAIN) {
        for (uint32_t i = 0; i < pf_tokens(y); i++)
            for (uint32_t j = 0; j < B; j++)
                out[i * B + j] = pv_domain_leaf(w, s->index, i, block * (uint32_t)B + j);
    } else {
        memset(out, 0, ((size_t)B << y->nu) * sizeof *out);
    }
}

static err prove_integers(prover *p, uint32_t instance, pv_writer *w, pv_scratch *scratch)
{
    const pf_layout *y = p->y;
    const pf_instance *in = &y->instances[instance];
    size_t tiles = (size_t)1 << in->tile_bits, size = (size_t)1 << (y->nu + y->b);
    int32_t *memory = pv_scratch_take(scratch, PV_USE_LEAVES, tiles * size * sizeof *memory);
    const int32_t **tile = malloc(tiles * sizeof *tile);
    fx *alpha = malloc(tiles * sizeof *alpha);
    err e = memory && tile && alpha ? OK : fail(p->f, ERR_MEMORY, "instance", tiles);
    for (uint32_t k = 0; e == OK && k < in->segments; k++) {
        const pf_segment *s = &y->segments[in->segment + k];
        fx a = fx_sub(p->run.alpha, fingerprint_tag(p, s->n));
        for (uint32_t i = 0; i < s->blocks; i++) {
            int32_t *to = memory + (s->place + i) * size;
            fill_tile(p, s, s->block + i, to);
            tile[s->place + i] = to;
            alpha[s->place + i] = a;
        }
    }
    if (e == OK)
        e = pv_lookup_ints(&p->run.ends[instance], w, scratch->room, &(pv_int_leaves){ tile, alpha, in->bits, y->nu + y->b });
    free(tile);
    free(alpha);
    return e;
}

/* alpha - (x + gamma tag + gamma^2 x' + gamma^3 x''), by entry of a table. */
static fxv *table_denominators(const prover *p, const pf_table *t)
{
    const pf_tables *tables = p->w->s->tables;
    const int32_t *second = t->part == PF_PART_EXP ? tables->exp : t->part == PF_PART_EXPL ? tables->exp_loss :
                            t->part == PF_PART_GELU ? tables->gelu[t->layer] : NULL;
    fx g2 = fx_mul(p->run.gamma, p->run.gamma), g3 = fx_mul(g2, p->run.gamma), base = fx_sub(p->run.alpha, fingerprint_tag(p, t->tag));
    fxv *out = fxv_alloc(t->n);
    for (uint32_t k = 0; out && k < t->n; k++) {
        fx x = fx_sub(base, fx_from_i64(k));
        if (second)
            x = fx_sub(x, fx_mul_fp(g2, fp_from_i64(second[k])));
        if (t->part == PF_PART_GELU)
            x = fx_sub(x, fx_mul_fp(g3, fp_from_i64(tables->slope[t->layer][k])));
        fxv_set(out, k, x);
    }
    return out;
}

static const pf_table *find_table(const pf_layout *y, pf_part part, uint32_t layer)
{
    for (uint32_t i = 0; i < y->table_count; i++)
        if (y->tables[i].part == part && y->tables[i].layer == layer)
            return &y->tables[i];
    return NULL;
}

static err fill_tuples(const prover *p, const pf_segment *s, fxv *q)
{
    const pf_layout *y = p->y;
    pf_part part = s->part == PF_PART_FILLER ? PF_PART_EXP : s->part;
    size_t B = (size_t)1 << y->b, size = B << y->nu;
    fxv *table = table_denominators(p, find_table(y, part, part == PF_PART_GELU ? s->index : 0));
    if (!table)
        return fail(p->f, ERR_MEMORY, "instance", size);
    for (uint32_t k = 0; k < s->blocks; k++) {
        size_t first = (s->place + k) * size;
        if (s->part == PF_PART_FILLER) {
            for (size_t i = 0; i < size; i++)
                fxv_set(q, first + i, fxv_get(table, y->hidden_d[0]));
            continue;
        }
        uint32_t t = pf_at(y, s->index, part == PF_PART_GELU ? PF_H : PF_D);
        size_t ld = pf_padded(y, t);
        const int16_t *from = p->w->cell[t] + (s->block + k) * B;
        for (size_t i = 0; i < pf_tokens(y); i++)
            for (size_t j = 0; j < B; j++)
                fxv_set(q, first + i * B + j, fxv_get(table, (size_t)(from[i * ld + j] + y->k.d_t)));
    }
    free(table);
    return OK;
}

static err prove_tuples(prover *p, uint32_t instance, pv_writer *w, pv_scratch *scratch)
{
    const pf_instance *in = &p->y->instances[instance];
    fxv *q = pv_scratch_take(scratch, PV_USE_LEAVES, fxv_blocks((size_t)1 << in->bits) * sizeof *q);
    err e = q ? OK : fail(p->f, ERR_MEMORY, "instance", in->bits);
    for (uint32_t k = 0; e == OK && k < in->segments; k++)
        e = fill_tuples(p, &p->y->segments[in->segment + k], q);
    if (e == OK)
        e = pv_lookup_tuples(&p->run.ends[instance], w, scratch->room, q, in->bits);
    return e;
}

static int64_t multiplicity(const prover *p, uint32_t v)
{
    const pf_layout *y = p->y;
    uint32_t B = 1u << y->b, i = (v / B) & (pf_tokens(y) - 1), tile = v / B >> y->nu;
    size_t at = (size_t)i * pf_padded(y, y->mult) + (size_t)tile * B + v % B;
    return p->w->cell[y->mult][at] + ((int64_t)p->w->cell[y->mult + 1][at] << 15);
}

static err prove_table(prover *p, uint32_t instance, pv_writer *w, pv_scratch *scratch)
{
    const pf_layout *y = p->y;
    const pf_instance *in = &y->instances[instance];
    size_t n = (size_t)1 << in->bits;
    fx_fractions *leaves = pv_scratch_take(scratch, PV_USE_LEAVES, fxv_blocks(n) * sizeof *leaves);
    if (!leaves)
        return fail(p->f, ERR_MEMORY, "instance", n);
    memset(leaves, 0, fxv_blocks(n) * sizeof *leaves);
    err e = OK;
    for (uint32_t i = 0; e == OK && i < y->table_count; i++) {
        fxv *q = table_denominators(p, &y->tables[i]);
        e = q ? OK : fail(p->f, ERR_MEMORY, "instance", n);
        for (uint32_t k = 0; e == OK && k < y->tables[i].n; k++) {
            size_t v = y->tables[i].first + k;
            fxv_set(&leaves[v / FXV_LANES].q, v % FXV_LANES, fxv_get(q, k));
            fxv_set(&leaves[v / FXV_LANES].p, v % FXV_LANES, fx_from_i64(multiplicity(p, (uint32_t)v)));
        }
        free(q);
    }
    for (size_t v = y->entries; v < n; v++)
        fxv_set(&leaves[v / FXV_LANES].q, v % FXV_LANES, p->run.alpha);
    if (e == OK)
        e = pv_lookup_table(&p->run.ends[instance], w, scratch->room, leaves, in->bits);
    return e;
}

err pv_prove_instance(prover *p, uint32_t instance, pv_writer *w, pv_scratch *scratch)
{
    const pf_layout *y = p->y;
    const pf_instance *in = &y->instances[instance];
    TRY(in->kind == PF_INTEGERS ? prove_integers(p, instance, w, scratch) : in->kind == PF_TUPLES ? prove_tuples(p, instance, w, scratch) :
                                                                                                 prove_table(p, instance, w, scratch));
    for (uint32_t k = 0; k < in->segments; k++) {
        fx value;
        if (!pf_has_part(y, &y->segments[in->segment + k]))
            continue;
        TRY(pv_part_value(p, scratch, in->segment + k, &value));
        p->run.parts[in->segment + k] = value;
        TRY(pv_send_fx(w, "parts", &value, 1));
    }
    return OK;
}
