/* SPDX-License-Identifier: Apache-2.0
 *
 * The prover's side of proof/sumcheck.h. */
#ifndef PROVE_SUMCHECK_H
#define PROVE_SUMCHECK_H

#include "field/vec.h"
#include "proof/sumcheck.h"
#include "prove/writer.h"

/* P_m and B_m, 2^n elements each. Proving folds both in place: afterwards element 0 is the value at the end point, the rest is used up. */
typedef struct pv_product {
    fxv *p, *b;
} pv_product;

/* pf_inner_rounds: point[b] is the challenge of variable b. */
err pv_inner_rounds(pv_writer *w, pv_product *products, size_t count, unsigned n, fx *point) MUST_USE;

/* The same for products of 2^vars[m] elements, vars[m] <= n, that are 0 from there to 2^n. */
err pv_mixed_rounds(pv_writer *w, pv_product *products, const unsigned *vars, size_t count, unsigned n, fx *point) MUST_USE;

/* pf_inner_product: also sends the 2 count `ends`. */
err pv_inner_product(pv_writer *w, pv_product *products, size_t count, unsigned n, fx *point, fx *ends) MUST_USE;

#endif
