/* SPDX-License-Identifier: Apache-2.0
 *
 * The prover (spec/proof.md): from a finished witness to the bytes that proof/verify.h accepts. */
#ifndef PROVE_PROVE_H
#define PROVE_PROVE_H

#include "base/buf.h"
#include "prove/witness.h"

/* Appends the proof of w->s to `out`. The subject's loss and gradient are those of the step. ERR_MEMORY, ERR_LIMIT (of out); ERR_UNPROVED: the witness does
 * not satisfy the relations. */
err pv_prove(pv_witness *w, buf *out, fault *f) MUST_USE;

#endif
