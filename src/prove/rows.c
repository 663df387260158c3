/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/rows_int.h"

#include <stdlib.h>

enum { SLOT_BYTES_TOTAL = 4 << 20 }; /* unless there are more threads */

static size_t width_of(const pf_geometry *g)
{
    size_t M = (size_t)1 << g->m;
    return M < PV_LANES ? PV_LANES : M;
}

uint64_t pv_symbols_bytes(const pf_geometry *g)
{
    return ((uint64_t)g->rows + PV_GROUP - 1) / PV_GROUP * PV_GROUP * width_of(g) * sizeof(fp);
}

size_t pv_rows_slots(const pf_geometry *g, const base_pool *pool)
{
    size_t groups = ((size_t)g->rows + PV_GROUP - 1) / PV_GROUP, threads = base_pool_threads(pool);
    size_t slots = SLOT_BYTES_TOTAL / (PV_GROUP * sizeof(fp) << g->m);
    slots = slots > threads ? slots : threads;
    return slots < groups ? slots : groups;
}

err pv_rows_init(pv_rows *r, const pf_geometry *g, const pv_cells *source, size_t slots, size_t symbol_slots)
{
    size_t M = (size_t)1 << g->m, width = width_of(g), stride = width + 64 / sizeof(int16_t);
    *r = (pv_rows){ .g = g, .source = source, .kernels = pv_columns(), .width = width, .stride = stride };
    r->groups = ((size_t)g->rows + PV_GROUP - 1) / PV_GROUP;
    size_t cells = slots * PV_GROUP * stride * sizeof *r->cells, symbols = symbol_slots * PV_GROUP * width * sizeof *r->symbols;
    r->cells = aligned_alloc(64, cells);
    if (symbols)
        r->symbols = aligned_alloc(64, symbols);
    if (!r->cells || (symbols && !r->symbols))
        return ERR_MEMORY;
    if (width != M) /* else all that is read is written before */
        memset(r->cells, 0, cells);
    return OK;
}

void pv_rows_deinit(pv_rows *r)
{
    free(r->cells);
    free(r->symbols);
    r->cells = NULL;
    r->symbols = NULL;
}

void pv_rows_load(pv_rows *r, size_t slot, size_t group)
{
    int16_t *cells = pv_rows_cells(r, slot);
    size_t   n = pv_rows_in(r, group);
    r->source->rows(r->source->ctx, cells, r->stride, PV_GROUP * (uint64_t)group, n);
    for (size_t k = n; k < PV_GROUP; k++)
        memset(cells + k * r->stride, 0, sizeof *cells << r->g->m);
}

/* The code is linear, so what goes in as canonical residues instead of Montgomery form comes out as such. */
void pv_rows_encode(pv_rows *r, size_t slot, size_t group)
{
    fp *symbols = pv_rows_symbols(r, slot, group);
    pv_rows_load(r, slot, group);
    r->kernels->spread(symbols, pv_rows_cells(r, slot), r->stride, r->width);
    fp_rs_parity_rows(symbols, symbols, r->g->m);
}
