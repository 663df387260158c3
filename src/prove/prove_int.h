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
    pf_values     values;
    fault        *f;
} prover;

/* products.c: rounds and ends of product `index`, to the fork of its own. */
err pv_prove_product(prover *p, pv_scratch *scratch, uint32_t index, pv_writer *w) MUST_USE;

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

#endif
