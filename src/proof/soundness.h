/* SPDX-License-Identifier: Apache-2.0
 *
 * The soundness budget of a proof (spec/proof.md section 13): what each round of the protocol may let through, added up. Proven bounds only:
 * unique decoding, Schwartz-Zippel, degrees. There is no grinding. */
#ifndef PROOF_SOUNDNESS_H
#define PROOF_SOUNDNESS_H

#include "proof/open.h"
#include "proof/run.h"

typedef enum pf_error_term {
    PF_ERROR_LOOKUP,    /* alpha and gamma: the fractions balance by chance */
    PF_ERROR_LAYERS,    /* rounds, lambda and line of every layer of every instance */
    PF_ERROR_PRODUCTS,  /* rounds and points of the inner products, sums and the gradient */
    PF_ERROR_CLAIMS,    /* batching, and the rounds of the reduction */
    PF_ERROR_PROXIMITY, /* the combination of rows is closer to the code than they are */
    PF_ERROR_TERMS
} pf_error_term;

typedef struct pf_soundness {
    u128     terms[PF_ERROR_TERMS]; /* each an error of that many |K|-ths, |K| > 2^143 */
    unsigned algebraic_bits;        /* of all of them together */
    unsigned query_bits;            /* of (3/4)^queries */
    unsigned bits;                  /* of everything: at least this many, rounded down */
} pf_soundness;

/* `run` has its products listed; `claims` and `rows` are the numbers of claims and of batched rows. */
pf_soundness pf_soundness_of(const pf_run *run, const pf_geometry *g, uint64_t claims, uint64_t rows);

#endif
