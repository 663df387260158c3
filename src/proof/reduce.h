/* SPDX-License-Identifier: Apache-2.0
 *
 * What both sides compute in the reduction of the claims and in the opening (spec/proof.md sections 10 and 11). */
#ifndef PROOF_REDUCE_H
#define PROOF_REDUCE_H

#include "proof/open.h"
#include "proof/run.h"

/* Variables of the sumcheck over features. */
unsigned pf_feature_vars(const pf_layout *y);

/* Values at (tau, rho) of all committed tensors, one after the other; virtual tensors from them. */
typedef struct pf_values {
    fx *committed; /* tensor_count */
    fx *x, *gx;    /* virtual: 2 L + 1 and 2 L + 2 of them */
} pf_values;

/* x and gx from committed, with x_0 at (tau, rho). ERR_MEMORY. */
err pf_values_virtual(pf_values *v, const pf_run *run, const fx *tau, const fx *rho, fault *f) MUST_USE;
fx  pf_value_of(const pf_values *v, uint32_t tensor);

err pf_geometry_of(pf_geometry *g, const pf_layout *y, fault *f) MUST_USE;

/* e_w by row of the commitment; rows elements. The column factors: M elements. */
void pf_row_weights(fxv *out, const pf_layout *y, const pf_geometry *g, fx chi, const fx *tau, const fx *rho);
void pf_column_factors(fxv *out, const pf_layout *y, const pf_geometry *g, const fx *tau, const fx *rho);

#endif
