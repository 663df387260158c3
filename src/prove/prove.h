/* SPDX-License-Identifier: Apache-2.0
 *
 * The prover (spec/proof.md): from a finished witness to the bytes that proof/verify.h accepts. */
#ifndef PROVE_PROVE_H
#define PROVE_PROVE_H

#include "base/buf.h"
#include "prove/witness.h"

/* What a prover works with, per thread of the pool. For one proof at a time. */
typedef struct pv_workspace pv_workspace;
err  pv_workspace_new(pv_workspace **out, base_pool *pool) MUST_USE; /* ERR_MEMORY; the pool (borrowed, may be NULL) is that of the witness */
void pv_workspace_free(pv_workspace *ws);                            /* NULL is fine */
uint64_t pv_workspace_bytes(const pv_workspace *ws); /* the most that it has held */

/* From then on `fn` hears how many of the parts of a proof under way are done, from any thread of the pool. NULL: nobody. */
typedef void (*pv_progress_fn)(void *ctx, uint32_t done, uint32_t parts);
void pv_workspace_watch(pv_workspace *ws, pv_progress_fn fn, void *ctx);

/* Appends the proof of w->s to `out`. The subject's loss and gradient are those of the step. ERR_MEMORY, ERR_LIMIT (of out); ERR_UNPROVED: the witness does
 * not satisfy the relations. */
err pv_prove(pv_workspace *ws, pv_witness *w, buf *out, fault *f) MUST_USE;

#endif
