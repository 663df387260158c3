/* SPDX-License-Identifier: Apache-2.0
 *
 * How often each table entry is looked up (spec/proof.md section 7). */
#include "prove/witness_int.h"

#include <stdlib.h>

static uint32_t *table_of(const pf_layout *y, uint32_t *counts, pf_part part, uint32_t n, uint32_t layer)
{
    for (uint32_t i = 0; i < y->table_count; i++)
        if (y->tables[i].part == part && (part == PF_PART_CELL ? y->tables[i].n == n : y->tables[i].layer == layer))
            return counts + y->tables[i].first;
    return counts;
}

/* Neighbours are often equal, and counting the same place twice in a row waits for memory: every other one is counted `apart` places further. */
static void count_rems(uint32_t *c, size_t apart, const uint16_t *rem, size_t n)
{
    for (size_t j = 0; j < n; j++)
        c[rem[j] + (j & 1) * apart]++;
}

static void count_cells(uint32_t *c, size_t apart, const int16_t *cell, int32_t centre, size_t n)
{
    for (size_t j = 0; j < n; j++)
        c[(size_t)(cell[j] + centre) + (j & 1) * apart]++;
}

static void count_segment(const pv_witness *w, const pf_segment *s, uint32_t *counts)
{
    const pf_layout *y = &w->y;
    uint32_t B = 1u << y->b, tokens = pf_tokens(y);
    if (s->part == PF_PART_DOMAIN) {
        uint32_t *c = table_of(y, counts, PF_PART_CELL, s->n, 0);
        for (uint32_t i = 0; i < tokens; i++)
            for (uint32_t j = s->block * B; j < (s->block + s->blocks) * B; j++)
                c[pv_domain_leaf(w, s->index, i, j)]++;
        return;
    }
    const int16_t *cell = NULL;
    const uint16_t *rem = NULL;
    uint32_t ld, *c;
    int32_t centre = (int32_t)y->k.d_t;
    if (s->part == PF_PART_CELL) {
        cell = w->cell[s->index];
        ld = pf_padded(y, s->index);
        centre = (int32_t)y->tensors[s->index].offset;
        c = table_of(y, counts, PF_PART_CELL, s->n, 0);
    } else if (s->part == PF_PART_REM) {
        rem = w->rem[s->index];
        ld = pf_padded(y, y->roundings[s->index].out);
        c = table_of(y, counts, PF_PART_CELL, s->n, 0);
    } else {
        uint32_t t = pf_at(y, s->index, s->part == PF_PART_GELU ? PF_H : PF_D);
        cell = w->cell[t];
        ld = pf_padded(y, t);
        c = table_of(y, counts, s->part, 0, s->part == PF_PART_GELU ? s->index : 0);
    }
    for (uint32_t i = 0; i < tokens; i++) {
        size_t at = (size_t)i * ld + s->block * B, n = s->blocks * B;
        if (rem)
            count_rems(c, y->entries, rem + at, n);
        else
            count_cells(c, y->entries, cell + at, centre, n);
    }
}

err pv_multiplicities(pv_witness *w, fault *f)
{
    const pf_layout *y = &w->y;
    uint32_t *counts = calloc(2 * (size_t)y->entries, sizeof *counts), n = pf_padded(y, y->mult), B = 1u << y->b;
    if (!counts)
        return fail(f, ERR_MEMORY, "witness", y->entries);
    for (uint32_t i = 0; i < y->instance_count; i++)
        for (uint32_t k = 0; k < y->instances[i].segments; k++)
            count_segment(w, &y->segments[y->instances[i].segment + k], counts);
    for (uint32_t v = 0; v < y->entries; v++) {
        counts[v] += counts[y->entries + v];
        /* Entry v is cell v of the tiles, and a tile's cell (i, j) is feature tile B + j of token i. */
        uint32_t lo = v % B, i = (v / B) & (pf_tokens(y) - 1), tile = v / B >> y->nu;
        size_t at = (size_t)i * n + (size_t)tile * B + lo;
        w->cell[y->mult][at] = (int16_t)(counts[v] & 0x7fff);
        w->cell[y->mult + 1][at] = (int16_t)(counts[v] >> 15);
    }
    free(counts);
    return OK;
}
