/* SPDX-License-Identifier: Apache-2.0
 *
 * One evaluation, and the reads that relations are made of. After the first failure reads give 0, and the code that stuck is returned
 * in the end, so that a relation reads like its equation. */
#ifndef PROOF_RELATION_INT_H
#define PROOF_RELATION_INT_H

#include "proof/relation.h"

typedef struct pf_eval {
    const pf_context          *c;
    const pf_source           *source;
    const num_layer_fractions *l; /* of the layer; NULL in layer L */
    num_const k;
    uint32_t  layer, slot, id, row, col;
    uint64_t  sequence; /* that reads are about */
    err       e;
    fault    *f;
} pf_eval;

/* Whether the model is one that relations hold for; fills in v->k. */
err pf_eval_model(pf_eval *v, fault *f) MUST_USE;

int64_t  pf_get_at(pf_eval *v, uint32_t layer, uint32_t slot, uint32_t row, uint32_t col);
uint32_t pf_get_token(pf_eval *v, uint32_t position);

#endif
