/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROVE_WITNESS_INT_H
#define PROVE_WITNESS_INT_H

#include "prove/witness.h"
#include "torch/kernels/gemm.h"

/* Columns [first, first + n) of a tensor. */
typedef struct pv_window {
    size_t first, n;
} pv_window;

/* As many whole blocks of columns as an instance has tiles. */
static inline size_t pv_window_columns(const pf_layout *y)
{
    return (size_t)1 << (y->nu + y->b < PF_INSTANCE_BITS ? PF_INSTANCE_BITS - y->nu : y->b);
}

/* Row i of a virtual tensor, a window of its columns. */
void pv_stream_row(const pv_witness *w, int32_t *out, uint32_t tensor, uint32_t i, pv_window at);

/* A tensor, committed or virtual, as a matrix: N' rows of pf_row_features. A virtual one is made in `room`, of pv_stream_room elements. */
fx_ints pv_matrix(const pv_witness *w, uint32_t tensor, int32_t *room);
size_t  pv_stream_room(const pv_witness *w);

/* Products of committed tensors, of weights, and of both, over all real tokens: a window of their columns to N' rows of at.n
 * int64, 0 past the last column. left W, or left W^T. */
err pv_times_weight(const pv_witness *w, bt_gemm_ws *ws, int64_t *out, pv_window at, uint32_t left, uint32_t weight, bool transposed, fault *f) MUST_USE;

/* dp . v for every head: features h T' + j. */
err pv_scores(const pv_witness *w, bt_gemm_ws *ws, int64_t *out, pv_window at, uint32_t a, uint32_t b, fault *f) MUST_USE;

/* Largest sum of k that these need. */
size_t pv_gemm_depth(const pf_layout *y);

/* Recomputes every remainder: digits, exceptions, and checks every output. Counts the lowest digits. */
err pv_remainders(pv_witness *w, uint32_t *counts, fault *f) MUST_USE;

/* Leaves max - D + D_t of scores or logits, D_t where they are masked: a window of a row. */
void pv_domain_row(const pv_witness *w, int32_t *out, uint32_t rounding, uint32_t token, pv_window at);

/* counts: 2 y->entries of them; entry v has counts[v] + counts[y->entries + v] look-ups. Here: where those of COUNT(n) begin. */
uint32_t *pv_counts_of(const pf_layout *y, uint32_t *counts, uint32_t n);

/* Counts the other look-ups, and writes the multiplicity tensors. */
void pv_multiplicities(pv_witness *w, uint32_t *counts);

/* Both, of cells and rows as they are; exceptions are listed anew. */
err pv_witness_count(pv_witness *w, fault *f) MUST_USE;

/* range.c. RANGE: the layout becomes that of what is reached, and the cells stay where they are. ERR_STATE: it was not all seen. */
err pv_reach(pv_witness *w, fault *f) MUST_USE;

/* The values of the inputs of the failed check, if there is one. */
void pv_inputs(pv_witness *w);

#endif
