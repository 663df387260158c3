/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROVE_PROVE_INT_H
#define PROVE_PROVE_INT_H

#include "proof/reduce.h"
#include "prove/commit.h"
#include "prove/lookup.h"
#include "prove/sumcheck.h"
#include "prove/witness_int.h"
#include "prove/workspace.h"

typedef struct prover {
    pv_workspace *ws;
    pv_witness   *w;
    const pf_layout *y;
    pf_run        run;
    pf_geometry   geometry;
    pv_commitment commitment;
    pf_claims     claims;
    pv_writer     out;   /* the main transcript */
    fx            rho[PF_VARS_MAX], tau[PF_VARS_MAX];
    fx           *ends;  /* U of each row */
    pf_values     values;
    pv_product   *kept;  /* by product: arrays from when the part's value was needed to when it is proved; NULL: made twice */
    fault        *f;
} prover;

/* products.c: chooses the parts whose arrays are kept. ERR_MEMORY. */
err pv_parts_keep(prover *p) MUST_USE;

/* P and B of product `index`, 2^(token_bits + feature_bits) elements each, for its pairs: in the scratch memory, or kept. */
err pv_product_arrays(const prover *p, pv_scratch *scratch, uint32_t index, pv_product pairs[2]) MUST_USE;

/* The value of the part that belongs to a segment; ERR_NOT_FOUND: it has none. */
err pv_part_value(const prover *p, pv_scratch *scratch, uint32_t segment, fx *out) MUST_USE;

/* entries.c: alpha - fingerprint of the entries v .. v + n - 1 of the table list, fingerprint 0 past its end. n: a multiple of 8, at most PV_ENTRIES. */
enum { PV_ENTRIES = 512 };
void pv_entry_denominators(const prover *p, fxv *out, uint32_t v, size_t n);

/* leaves of an instance. */
err pv_prove_instance(prover *p, uint32_t instance, pv_writer *w, pv_scratch *scratch) MUST_USE;

/* reduce */
err pv_reduce(prover *p) MUST_USE;
err pv_gradient(prover *p) MUST_USE;

/* The cells of the commitment. */
void pv_cell_rows(void *ctx, int16_t *out, size_t stride, uint64_t row, size_t n);

/* A tensor, committed or virtual, as a matrix: N' rows of pf_row_features. */
fx_ints pv_matrix(const pv_witness *w, uint32_t tensor);

#endif
