/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside of the claims: terms that are added to rows, and where vectors live. Functions that return a vector give NULL when memory is short. */
#ifndef PROOF_CLAIMS_INT_H
#define PROOF_CLAIMS_INT_H

#include "proof/run.h"

#define NEED(p)                                                                                                                    \
    do {                                                                                                                           \
        if (!(p))                                                                                                                  \
            return fail(b->f, ERR_MEMORY, "claims", 0);                                                                            \
    } while (0)


typedef struct pf_builder {
    pf_claims        *c;
    const pf_run     *run;
    const pf_layout  *y;
    fx                mu, scale; /* scale: mu^c of the claim at hand */
    uint32_t          first;     /* row: no other than those from here on has token weights of the claims at hand */
    fault            *f;
} pf_builder;

fxv *pf_vector(pf_builder *b, size_t n); /* zero; freed with the claims */

/* Frees the vectors made from memory[from] on, but for those of the rows from first_row on. */
void pf_forget(pf_claims *c, size_t from, uint32_t first_row);

/* Term (w; factor v) of the claim at hand, over the first n features of the tensor. */
err  pf_term(pf_builder *b, uint32_t tensor, const fxv *w, const fxv *v, size_t n, fx factor) MUST_USE;
void pf_value(pf_builder *b, fx x);     /* adds to its value */
void pf_next_claim(pf_builder *b);

fx   pf_power_of_two(unsigned s);
fx   pf_sum_of(const fxv *v, size_t n);
fxv *pf_eq_vector(pf_builder *b, const fx *point, unsigned bits);
fxv *pf_times_ints(pf_builder *b, const fxv *w, const int64_t *x); /* by token */
fxv *pf_times(pf_builder *b, const fxv *x, const fxv *y, size_t n);

/* v_k = sum_j phi_j W[k, j], over W's rows; v_n = sum_k phi_k W[k, n], over its columns, k in [first, first + count). */
fxv *pf_through(pf_builder *b, uint32_t tensor, const fxv *phi);
fxv *pf_back_through(pf_builder *b, uint32_t tensor, const fxv *phi, uint32_t first, uint32_t count);

/* phi on the features of one head, 0 elsewhere; `per_head` features each. */
fxv *pf_on_head(pf_builder *b, const fxv *phi, size_t n, uint32_t head, uint32_t per_head);

/* leaf_claims.c: what is left of an instance, and of the multiplicities. */
err pf_instance_claim(pf_builder *b, uint32_t instance) MUST_USE;
err pf_table_claim(pf_builder *b) MUST_USE;

/* range.c: the inputs of the failed check are what is committed. */
err pf_input_claims(pf_builder *b) MUST_USE;

#endif
