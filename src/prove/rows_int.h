/* SPDX-License-Identifier: Apache-2.0
 *
 * Groups of rows and their parity symbols, in slots of one group each. */
#ifndef PROVE_ROWS_INT_H
#define PROVE_ROWS_INT_H

#include "prove/columns_int.h"
#include "prove/commit.h"

typedef struct pv_rows {
    const pf_geometry *g;
    const pv_cells    *source;
    const pv_column_kernels *kernels;
    size_t   width;    /* columns of a slot: M, at least PV_LANES; zero past M */
    size_t   stride;   /* width and a cache line: rows at power-of-two distances would share cache sets */
    size_t   groups;   /* of all rows */
    size_t   first, n; /* for the caller: the groups in the slots now */
    int16_t *cells;
    fp      *symbols; /* of the slots */
    fp      *kept;    /* of all groups, borrowed; or NULL */
} pv_rows;

/* How many slots make good use of memory and threads. */
size_t pv_rows_slots(const pf_geometry *g, const base_pool *pool);

/* symbol_slots: 0 or slots; 0 where the caller sets `kept`. ERR_MEMORY; deinit in any case. */
err  pv_rows_init(pv_rows *r, const pf_geometry *g, const pv_cells *source, size_t slots, size_t symbol_slots) MUST_USE;
void pv_rows_deinit(pv_rows *r);

/* Rows in the group: PV_GROUP, or fewer in the last. */
static inline size_t pv_rows_in(const pv_rows *r, size_t group)
{
    size_t left = (size_t)r->g->rows - PV_GROUP * group;
    return left < PV_GROUP ? left : PV_GROUP;
}

static inline int16_t *pv_rows_cells(const pv_rows *r, size_t slot)
{
    return r->cells + slot * PV_GROUP * r->stride;
}

static inline fp *pv_rows_symbols(const pv_rows *r, size_t slot, size_t group)
{
    return r->kept ? r->kept + group * PV_GROUP * r->width : r->symbols + slot * PV_GROUP * r->width;
}

/* The group's cells to the slot, zero rows behind the last; pv_rows_encode: and the parity symbols, as canonical residues. */
void pv_rows_load(pv_rows *r, size_t slot, size_t group);
void pv_rows_encode(pv_rows *r, size_t slot, size_t group);

#endif
