/* SPDX-License-Identifier: Apache-2.0
 *
 * The commitment to the cells of a step and its opening (spec/proof.md section 11): rows of M cells, each a Reed-Solomon codeword of 2 M
 * symbols; hashed by columns; opened as one weighted sum of all rows, which queried columns must agree with. */
#ifndef PROOF_OPEN_H
#define PROOF_OPEN_H

#include "field/vec.h"
#include "proof/reader.h"

enum {
    PF_QUERIES = 244,       /* columns opened, or all of them if there are no more */
    PF_BAND = 144,          /* rows under one hash of a column */
    PF_LOG_ROW_MIN = 9,     /* rows are not cut shorter to save bytes */
    PF_LOG_ROW_MAX = FP_TWO_ADICITY - 1,
    PF_CELL_BYTES = 2,      /* of a symbol in the columns c < M; FP_BYTES in the others */
};

typedef struct pf_geometry {
    unsigned m;    /* M = 2^m cells a row */
    uint64_t rows; /* M rows cells in all */
} pf_geometry;

/* For `tiles` tiles of 2^log_tile cells. ERR_LIMIT: no tiles, 2^40 cells or more, or rows longer than the code admits. */
err pf_geometry_make(pf_geometry *out, uint64_t tiles, unsigned log_tile, fault *f) MUST_USE;

static inline size_t pf_column_bytes(const pf_geometry *g, uint32_t column)
{
    return (size_t)g->rows * (column >> g->m ? (size_t)FP_BYTES : (size_t)PF_CELL_BYTES);
}

/* The leaf hash of a column; symbol_bytes is PF_CELL_BYTES or FP_BYTES. */
hash256 pf_column_hash(bytes column, size_t symbol_bytes);

/* Squeezes what the opening is made with: chi, and a weight in K for each of `rows` rows (out of fxv_alloc). */
void pf_open_weights(pf_transcript *t, fx *chi, fxv *weights, uint64_t rows);

/* Squeezes the columns to open, ascending. Returns their number. */
size_t pf_open_queries(pf_transcript *t, unsigned m, uint32_t out[PF_QUERIES]);

/* Claimed: the sum over rows w and places j of row_weights[w] factors[j] cell(w, j) is `value`. */
typedef struct pf_open_claim {
    const fxv *proximity;   /* rows: the weights of pf_open_weights */
    const fxv *row_weights; /* rows */
    const fxv *factors;     /* M */
    fx         value;
} pf_open_claim;

/* Receives an opening and checks it. ERR_TRUNCATED, ERR_CANONICAL, ERR_MEMORY; ERR_UNPROVED with what =
 *   "value"      the evaluation vector does not give the value; at: the offset behind it
 *   "commitment" the columns do not lie under `root`; at: the offset behind the siblings
 *   "proximity", "evaluation"  column `at` disagrees with the vector's codeword */
err pf_open_verify(pf_reader *r, pf_transcript *t, const hash256 *root, const pf_geometry *g, const pf_open_claim *claim) MUST_USE;

#endif
