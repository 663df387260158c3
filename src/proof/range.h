/* SPDX-License-Identifier: Apache-2.0
 *
 * The result RANGE (spec/proof.md section 14): the inputs of the element that failed are sent in the clear, and its equation, in integers,
 * must give a value outside its domain. That they are what was committed becomes claims. */
#ifndef PROOF_RANGE_H
#define PROOF_RANGE_H

#include "proof/run.h"

/* The element that the subject names, and where its inputs lie; room for their values. ERR_MEMORY; ERR_UNPROVED: there is no such element, or nothing
 * is checked there. pf_check_deinit after every outcome. */
err  pf_check_init(pf_check *c, const pf_layout *y, const pf_subject *s, fault *f) MUST_USE;
void pf_check_deinit(pf_check *c);

/* Receives and absorbs the values. */
err pf_check_receive(pf_check *c, pf_reader *in, pf_transcript *t) MUST_USE;

/* Whether the element fails, given its inputs and the row scalars. ERR_UNPROVED: it does not, or an input is none that a step can have. */
err pf_check_fails(const pf_rows *r, const pf_layout *y, const pf_subject *s, fault *f) MUST_USE;

/* Where nothing is committed: the inputs are those of x_0. ERR_UNPROVED. */
err pf_check_public(const pf_rows *r, const pf_layout *y, const pf_subject *s, fault *f) MUST_USE;

#endif
