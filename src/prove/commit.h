/* SPDX-License-Identifier: Apache-2.0
 *
 * The prover's side of proof/open.h. Cells are asked for row by row, twice or more, and never kept: a commitment holds the hashes of its
 * columns and, where the caller has room for them, the parity symbols; else an opening encodes the rows again. The bytes depend neither on that
 * nor on the number of threads or the instruction set. */
#ifndef PROVE_COMMIT_H
#define PROVE_COMMIT_H

#include "base/port/pool.h"
#include "proof/open.h"
#include "prove/writer.h"

typedef struct pv_cells {
    void *ctx;
    /* The rows [row, row + n), n <= FP_RS_ROWS, of M cells each, to out, out + stride, ... Several threads call it at once. */
    void (*rows)(void *ctx, int16_t *out, size_t stride, uint64_t row, size_t n);
} pv_cells;

typedef struct pv_commitment {
    pf_geometry g;
    hash256    *tree;    /* as in cr_merkle_several, over 2 M columns; owned */
    const fp   *symbols; /* borrowed; NULL: not kept */
} pv_commitment;

/* What all parity symbols of a commitment need. */
uint64_t pv_symbols_bytes(const pf_geometry *g);

/* room: that many bytes, 64-byte aligned, which must outlive the commitment; or NULL. ERR_MEMORY. `pool` may be NULL. */
err  pv_commit(pv_commitment *out, const pf_geometry *g, const pv_cells *cells, fp *room, base_pool *pool) MUST_USE;
void pv_commitment_deinit(pv_commitment *c);

static inline const hash256 *pv_commitment_root(const pv_commitment *c)
{
    return &c->tree[1];
}

/* Sends an opening: the weights are those of pf_open_claim. ERR_MEMORY, ERR_LIMIT. */
err pv_open(pv_writer *w, const pv_commitment *c, const pv_cells *cells, const fxv *proximity, const fxv *row_weights,
            base_pool *pool) MUST_USE;

#endif
