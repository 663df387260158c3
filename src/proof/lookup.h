/* SPDX-License-Identifier: Apache-2.0
 *
 * The verifier's side of the lookup argument (spec/proof.md section 7): that the sum of the fractions of an instance is P / Q, up to
 * one claim on its leaves, and that the instances balance. */
#ifndef PROOF_LOOKUP_H
#define PROOF_LOOKUP_H

#include "proof/sumcheck.h"

typedef enum pf_lookup_kind {
    PF_LOOKUP_UNIT,  /* integer and tuple instances: every numerator is 1 */
    PF_LOOKUP_TABLE, /* numerators are the multiplicities */
} pf_lookup_kind;

typedef struct pf_fraction {
    fx p, q;
} pf_fraction;

/* What is left to be shown of an instance of 2^k leaves: their extensions P and Q at `point`. For PF_LOOKUP_UNIT p is 1. */
typedef struct pf_lookup {
    pf_fraction root; /* q is not 0 */
    fx          point[PF_VARS_MAX];
    pf_fraction claim;
} pf_lookup;

/* `t` is the fork of the instance. ERR_UNPROVED "lookup.root", "lookup.layer", "lookup.point" (a challenge is 0); codes of pf_receive_fx. */
err pf_lookup_verify(pf_lookup *out, pf_reader *r, pf_transcript *t, unsigned k, pf_lookup_kind kind) MUST_USE;

/* The line through the children a (at 0) and b (at 1), at c. */
pf_fraction pf_fraction_line(pf_fraction a, pf_fraction b, fx c);

/* Whether the n fractions add up to `table`. No denominator is 0. */
bool pf_fractions_balance(const pf_fraction *f, size_t n, pf_fraction table);

#endif
