/* SPDX-License-Identifier: Apache-2.0
 *
 * The leaves of the lookup instances (spec/proof.md section 7) and what is sent in their forks. */
#include "prove/prove_int.h"
#include "prove/remainder_int.h"

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
    size_t B = (size_t)1 << y->b;
    if (s->part == PF_PART_CELL) {
        const int16_t *from = p->w->cell[s->index] + block * B;
        size_t ld = pf_padded(y, s->index);
        for (size_t i = 0; i < pf_tokens(y); i++)
            for (size_t j = 0; j < B; j++)
                out[i * B + j] = from[i * ld + j] + (int32_t)y->tensors[s->index].offset;
    } else {
        for (uint32_t i = 0; i < pf_tokens(y); i++)
            pv_domain_row(p->w, out + i * B, s->index, i, (pv_window){ block * B, B });
    }
}

/* What the integer tiles of an instance are made of: leaves in tiles of `size`, and as many sums behind remainders. */
typedef struct integers {
    size_t           size;
    int32_t         *leaves;
    int64_t         *acc;
    const int32_t  **tile;
    fx              *alpha;
    pv_rounding_work work;
} integers;

/* The tiles of a segment of remainders: their lowest digits. */
static err fill_remainders(integers *g, const pf_layout *y, const pf_segment *s)
{
    const size_t B = (size_t)1 << y->b;
    pv_rounding_work *x = &g->work;
    x->at = (pv_window){ s->block * B, s->blocks * B };
    x->acc = g->acc + s->place * g->size;
    pv_rounding_set(x, s->index);
    TRY(pv_accumulate(x));
    for (uint32_t i = 0; i < pf_tokens(y); i++) {
        TRY(pv_rounding_row(x, i));
        for (size_t k = 0; k < s->blocks; k++) {
            int32_t *to = g->leaves + (s->place + k) * g->size + i * B;
            for (size_t j = 0; j < B; j++)
                to[j] = (uint16_t)x->rem[k * B + j];
        }
    }
    return OK;
}

static err fill_integers(const prover *p, const pf_instance *in, integers *g)
{
    const pf_layout *y = p->y;
    for (uint32_t k = 0; k < in->segments; k++) {
        const pf_segment *s = &y->segments[in->segment + k];
        fx a = fx_sub(p->run.alpha, fingerprint_tag(p, s->n));
        for (uint32_t i = 0; i < s->blocks; i++) {
            g->tile[s->place + i] = g->leaves + (s->place + i) * g->size;
            g->alpha[s->place + i] = a;
        }
        if (s->part == PF_PART_REM)
            TRY(fill_remainders(g, y, s));
        else
            for (uint32_t i = 0; i < s->blocks; i++)
                fill_tile(p, s, s->block + i, g->leaves + (s->place + i) * g->size);
    }
    return OK;
}

/* The product part of a segment: its sums, weighted by omega and phi. */
static err part_value(const prover *p, const integers *g, uint32_t instance, uint32_t segment, fx *out)
{
    const pf_layout *y = p->y;
    const pf_segment *s = &y->segments[segment];
    const size_t n = (size_t)s->blocks << y->b, first = (size_t)s->block << y->b, tokens = pf_tokens(y);
    fxv *w = pf_token_weights(&p->run, instance), *all = pf_feature_weights(&p->run, instance, segment), *phi = fxv_alloc(n), *sum = fxv_alloc(tokens);
    err e = w && all && phi && sum ? OK : fail(p->f, ERR_MEMORY, "part", segment);
    if (e == OK) {
        for (size_t j = 0; j < n; j++)
            fxv_set(phi, j, fxv_get(all, first + j));
        fxv_cols(sum, &(fx_ints){ g->acc + s->place * g->size, tokens, n, n, sizeof *g->acc }, phi);
        *out = fxv_dot(sum, w, tokens);
    }
    free(w);
    free(all);
    free(phi);
    free(sum);
    return e;
}

static err send_parts(prover *p, const integers *g, uint32_t instance, pv_writer *w)
{
    const pf_instance *in = &p->y->instances[instance];
    for (uint32_t k = 0; k < in->segments; k++) {
        const uint32_t segment = in->segment + k;
        if (!pf_has_part(p->y, &p->y->segments[segment]))
            continue;
        TRY(part_value(p, g, instance, segment, &p->run.parts[segment]));
        TRY(pv_send_fx(w, "parts", &p->run.parts[segment], 1));
    }
    return OK;
}

static err prove_integers(prover *p, uint32_t instance, pv_writer *w, pv_scratch *scratch)
{
    const pf_layout *y = p->y;
    const pf_instance *in = &y->instances[instance];
    size_t tiles = (size_t)1 << in->tile_bits, size = (size_t)1 << (y->nu + y->b);
    integers g = { .size = size, .acc = pv_scratch_take(scratch, PV_USE_LEAVES, tiles * size * (sizeof *g.acc + sizeof *g.leaves)),
                   .tile = malloc(tiles * sizeof *g.tile), .alpha = malloc(tiles * sizeof *g.alpha) };
    err e = pv_rounding_init(&g.work, p->w, tiles << y->b, p->f);
    if (e == OK && (!g.acc || !g.tile || !g.alpha))
        e = fail(p->f, ERR_MEMORY, "instance", tiles);
    if (e == OK)
        e = pv_scratch_gemm(scratch, pv_gemm_depth(y));
    g.work.ws = scratch->gemm;
    if (e == OK) {
        g.leaves = (int32_t *)(g.acc + tiles * size);
        e = fill_integers(p, in, &g);
    }
    if (e == OK)
        e = pv_lookup_ints(&p->run.ends[instance], w, scratch->room, &(pv_int_leaves){ g.tile, g.alpha, in->bits, y->nu + y->b });
    if (e == OK)
        e = send_parts(p, &g, instance, w);
    pv_rounding_deinit(&g.work);
    free(g.tile);
    free(g.alpha);
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
    switch (p->y->instances[instance].kind) {
    case PF_INTEGERS: return prove_integers(p, instance, w, scratch);
    case PF_TUPLES:   return prove_tuples(p, instance, w, scratch);
    default:          return prove_table(p, instance, w, scratch);
    }
}
