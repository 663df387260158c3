/* SPDX-License-Identifier: Apache-2.0
 *
 * The verifier's side of the sumcheck (spec/proof.md section 7). A round polynomial has degree 2 and comes as g(0) and its
 * coefficient of X^2; the claim gives the third. Variables are bound from the most significant one down. */
#ifndef PROOF_SUMCHECK_H
#define PROOF_SUMCHECK_H

#include "proof/reader.h"

enum { PF_VARS_MAX = 48 };

/* One round without eq factor: `claim` is g(0) + g(1) and becomes g(challenge). Codes of pf_receive_fx. */
err pf_round(pf_reader *r, pf_transcript *t, fx *claim, fx *challenge) MUST_USE;

/* One round with the factor eq(e, X), e not 0: `claim` is (1 - e) g(0) + e g(1). */
err pf_round_eq(pf_reader *r, pf_transcript *t, fx e, fx e_inv, fx *claim, fx *challenge) MUST_USE;

/* The n rounds of an inner product: `claim` becomes the value at the end point; point[b] is the challenge of variable b. */
err pf_inner_rounds(pf_reader *r, pf_transcript *t, unsigned n, fx *claim, fx *point) MUST_USE;

/* v = sum_x sum_m P_m(x) B_m(x), x in {0,1}^n (section 9): `point` as above, `ends` the 2 count values P_0, B_0, P_1, ... there,
 * which the caller turns into claims. ERR_UNPROVED `what`: they do not make up what the last round left. */
err pf_inner_product(pf_reader *r, pf_transcript *t, const char *what, fx claim, unsigned n, size_t count, fx *point,
                     fx *ends) MUST_USE;

#endif
