/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROVE_WITNESS_INT_H
#define PROVE_WITNESS_INT_H

#include "prove/witness.h"
#include "torch/kernels/gemm.h"

/* Products of committed tensors, of weights, and of both, over all real tokens. `out` is N' rows of `ld` int64, zero where nothing is written.
 * left W, or left W^T. */
err pv_times_weight(const pv_witness *w, bt_gemm_ws *ws, int64_t *out, size_t ld, uint32_t left, uint32_t weight, bool transposed, fault *f) MUST_USE;

/* dp . v for every head: features h T' + j. */
err pv_scores(const pv_witness *w, bt_gemm_ws *ws, int64_t *out, size_t ld, uint32_t a, uint32_t b, fault *f) MUST_USE;

/* Largest sum of k that these need. */
size_t pv_gemm_depth(const pf_layout *y);

/* Recomputes every remainder: digits, exceptions, and checks every output. */
err pv_remainders(pv_witness *w, fault *f) MUST_USE;

/* Leaf max - D + D_t of a score or logit, D_t where it is masked. */
int32_t pv_domain_leaf(const pv_witness *w, uint32_t rounding, uint32_t token, uint32_t feature);

/* range.c. RANGE: the layout becomes that of what is reached, and the cells stay where they are. ERR_STATE: it was not all seen. */
err pv_reach(pv_witness *w, fault *f) MUST_USE;

/* The values of the inputs of the failed check, if there is one. */
void pv_inputs(pv_witness *w);

/* Counts the look-ups of every table entry into the multiplicity tensors. */
err pv_multiplicities(pv_witness *w, fault *f) MUST_USE;

#endif
