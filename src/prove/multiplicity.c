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

/* Every other one `apart` places further, as in remainder.c. */
static void count_cells(uint32_t *c, size_t apart, const int16_t *cell, int32_t centre, size_t n)
{
    for (size_t j = 0; j < n; j++)
        c[(size_t)(cell[j] + centre) + (j & 1) * apart]++;
}

uint32_t *pv_counts_of(const pf_layout *y, uint32_t *counts, uint32_t n)
{
    return table_of(y, counts, PF_PART_CELL, n, 0);
}

static void count_segment(const pv_witness *w, const pf_segment *s, uint32_t *counts)
{
    const pf_layout *y = &w->y;
    uint32_t B = 1u << y->b, tokens = pf_tokens(y);
    if (s->part == PF_PART_DOMAIN) {
        uint32_t *c = table_of(y, counts, PF_PART_CELL, s->n, 0);
        for (uint32_t i = 0; i < tokens; i++)
            for (uint32_t block = s->block; block < s->block + s->blocks; block++) {
                int32_t leaf[1 << PF_BLOCK_BITS];
                pv_domain_row(w, leaf, s->index, i, (pv_window){ (size_t)block * B, B });
                for (uint32_t j = 0; j < B; j++)
                    c[(size_t)leaf[j] + (j & 1) * y->entries]++;
            }
        return;
    }
    if (s->part == PF_PART_REM) /* counted when they were made */
        return;
    uint32_t t, *c;
    int32_t centre = (int32_t)y->k.d_t;
    if (s->part == PF_PART_CELL) {
        t = s->index;
        centre = (int32_t)y->tensors[t].offset;
        c = table_of(y, counts, PF_PART_CELL, s->n, 0);
    } else {
        t = pf_at(y, s->index, s->part == PF_PART_GELU ? PF_H : PF_D);
        c = table_of(y, counts, s->part, 0, s->part == PF_PART_GELU ? s->index : 0);
    }
    for (uint32_t i = 0; i < tokens; i++)
        count_cells(c, y->entries, w->cell[t] + (size_t)i * pf_padded(y, t) + s->block * B, centre, s->blocks * B);
}

void pv_multiplicities(pv_witness *w, uint32_t *counts)
{
    const pf_layout *y = &w->y;
    uint32_t n = pf_padded(y, y->mult), B = 1u << y->b;
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
}
