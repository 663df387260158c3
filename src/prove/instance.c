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
    } else {
        for (uint32_t i = 0; i < pf_tokens(y); i++)
            for (uint32_t j = 0; j < B; j++)
                out[i * B + j] = pv_domain_leaf(w, s->index, i, block * (uint32_t)B + j);
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

static const pf_table *find_table(const pf_layout *y, pf_part part, uint32_t layer)
{
    for (uint32_t i = 0; i < y->table_count; i++)
        if (y->tables[i].part == part && y->tables[i].layer == layer)
            return &y->tables[i];
    return NULL;
}

/* Element by element, not in blocks: look-ups come in no order. */
static fx *table_denominators(const prover *p, const pf_table *t, pv_scratch *scratch)
{
    fxv piece[PV_ENTRIES / FXV_LANES];
    fx *out = pv_scratch_take(scratch, PV_USE_TABLE, t->n * sizeof *out);
    for (uint32_t k = 0; out && k < t->n; k += PV_ENTRIES) {
        pv_entry_denominators(p, piece, t->first + k, PV_ENTRIES);
        for (uint32_t i = 0; i < PV_ENTRIES && k + i < t->n; i++)
            out[k + i] = fxv_get(piece, i);
    }
    return out;
}

/* q[first + i] = table[cells[i]], n of them; whole blocks, or few. */
static void look_up(fxv *q, size_t first, const fx *table, const int16_t *cells, size_t n)
{
    if (n % FXV_LANES != 0) {
        for (size_t i = 0; i < n; i++)
            fxv_set(q, first + i, table[cells[i]]);
        return;
    }
    for (size_t i = 0; i < n; i += FXV_LANES) {
        fxv *to = &q[(first + i) / FXV_LANES];
        for (size_t k = 0; k < FXV_LANES; k++) {
            const fx *from = &table[cells[i + k]];
            for (int c = 0; c < 3; c++)
                to->c[c][k] = from->c[c];
        }
    }
}

static err fill_tuples(const prover *p, const pf_segment *s, fxv *q, pv_scratch *scratch)
{
    const pf_layout *y = p->y;
    size_t B = (size_t)1 << y->b, size = B << y->nu, first = s->place * size;
    const fx *table = table_denominators(p, find_table(y, s->part, s->part == PF_PART_GELU ? s->index : 0), scratch);
    if (!table)
        return fail(p->f, ERR_MEMORY, "instance", size);
    uint32_t t = pf_at(y, s->index, s->part == PF_PART_GELU ? PF_H : PF_D);
    size_t ld = pf_padded(y, t);
    for (uint32_t k = 0; k < s->blocks; k++, first += size)
        for (size_t i = 0; i < pf_tokens(y); i++)
            look_up(q, first + i * B, table + y->k.d_t, p->w->cell[t] + i * ld + (s->block + k) * B, B);
    return OK;
}

static err prove_tuples(prover *p, uint32_t instance, pv_writer *w, pv_scratch *scratch)
{
    const pf_instance *in = &p->y->instances[instance];
    fxv *q = pv_scratch_take(scratch, PV_USE_LEAVES, fxv_blocks((size_t)1 << in->bits) * sizeof *q);
    err e = q ? OK : fail(p->f, ERR_MEMORY, "instance", in->bits);
    for (uint32_t k = 0; e == OK && k < in->segments; k++)
        e = fill_tuples(p, &p->y->segments[in->segment + k], q, scratch);
    if (e == OK)
        e = pv_lookup_tuples(&p->run.ends[instance], w, scratch->room, q, in->bits);
    return e;
}

/* How often the entries v .. v + n - 1 are looked up: entry v is cell v of the tiles. */
static void multiplicities(const prover *p, int64_t *out, uint32_t v, size_t n)
{
    const pf_layout *y = p->y;
    const int16_t *lo = p->w->cell[y->mult], *hi = p->w->cell[y->mult + 1];
    uint32_t B = 1u << y->b, ld = pf_padded(y, y->mult), mask = pf_tokens(y) - 1;
    for (size_t k = 0; k < n;) {
        uint32_t row = ((uint32_t)(v + k) >> y->b & mask), tile = (uint32_t)(v + k) >> (y->b + y->nu), from = (uint32_t)(v + k) & (B - 1);
        size_t at = (size_t)row * ld + (size_t)tile * B + from, run = B - from < n - k ? B - from : n - k;
        for (size_t i = 0; i < run; i++)
            out[k + i] = lo[at + i] + ((int64_t)hi[at + i] << 15);
        k += run;
    }
}

/* Past the entries the fingerprint is 0, and so is the multiplicity. */
static void fill_table(const prover *p, fx_fractions *leaves, size_t n)
{
    fxv piece[2][PV_ENTRIES / FXV_LANES];
    int64_t counts[PV_ENTRIES];
    CHECK(n % PV_ENTRIES == 0);
    for (uint32_t v = 0; v < n; v += PV_ENTRIES) {
        size_t left = v < p->y->entries ? p->y->entries - v : 0, real = left < PV_ENTRIES ? left : PV_ENTRIES;
        multiplicities(p, counts, v, real);
        memset(counts + real, 0, (PV_ENTRIES - real) * sizeof *counts);
        fxv_from_ints(piece[0], counts, sizeof *counts, PV_ENTRIES, FX_ONE);
        pv_entry_denominators(p, piece[1], v, PV_ENTRIES);
        for (size_t i = 0; i < PV_ENTRIES / FXV_LANES; i++)
            leaves[v / FXV_LANES + i] = (fx_fractions){ piece[0][i], piece[1][i] };
    }
}

static err prove_table(prover *p, uint32_t instance, pv_writer *w, pv_scratch *scratch)
{
    const pf_instance *in = &p->y->instances[instance];
    size_t n = (size_t)1 << in->bits;
    fx_fractions *leaves = pv_scratch_take(scratch, PV_USE_LEAVES, fxv_blocks(n) * sizeof *leaves);
    if (!leaves)
        return fail(p->f, ERR_MEMORY, "instance", n);
    fill_table(p, leaves, n);
    return pv_lookup_table(&p->run.ends[instance], w, scratch->room, leaves, in->bits);
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
