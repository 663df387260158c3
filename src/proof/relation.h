/* SPDX-License-Identifier: Apache-2.0
 *
 * One element of a trace from the elements that it is made of (spec/numerics.md sections 4 and 5), integers only, one relation
 * a slot. Whoever calls says where elements come from: a referee reads opened tiles, a prover of evidence reads its whole
 * trace and notes what was asked for. Nothing here allocates. */
#ifndef PROOF_RELATION_H
#define PROOF_RELATION_H

#include "numerics/model_header.h"

/* Element (row, col) of a committed tensor of global sequence `sequence`, or of a weight tensor; token `position` (0 .. T) of a
 * sequence. An error ends the evaluation and is handed on. What a relation does not need is never asked for. */
typedef struct pf_source {
    void *ctx;
    err (*trace)(void *ctx, uint32_t tensor_id, uint64_t sequence, uint32_t row, uint32_t col, int64_t *out, fault *f);
    err (*weight)(void *ctx, uint32_t tensor, uint32_t row, uint32_t col, int64_t *out, fault *f);
    err (*token)(void *ctx, uint64_t sequence, uint32_t position, uint16_t *out, fault *f);
} pf_source;

/* What a relation depends on besides tensors. */
typedef struct pf_context {
    const num_model_header *model;
    hash256  dither_seed; /* num_dither_seed(job, model id, step) */
    uint64_t sequence;    /* global number of the element's sequence */
} pf_context;

typedef struct pf_element {
    bool    range; /* the value leaves its domain: the lease's result must be RANGE, and `value` means nothing */
    int64_t value;
} pf_element;

/* ERR_SHAPE or another code of num_const_of, ERR_RANGE (fractions; a token that the model does not have), ERR_LEDGER (may exceed
 * 64 bits), ERR_NOT_FOUND (no such tensor, or element outside it), or what the source said. An input outside the range of honest
 * values is ERR_EVIDENCE: that input is wrong itself, and it is the one to be disputed. */
err pf_relation_eval(pf_element *out, const pf_context *c, const pf_source *source, uint32_t tensor_id, uint64_t element,
                     fault *f) MUST_USE;

/* Whether elements of a slot of the trace are checked against a domain at all (sections 4 and 5), so that RANGE may name one. */
bool pf_slot_has_domain(uint32_t slot);

/* An element of the lease's gradient (PF_GRADIENT + weight tensor) or its loss (PF_LOSS, element 0) over the lease's sequences
 * [from, to): exact, so never RANGE. */
err pf_sum_eval(int64_t *out, const pf_context *c, const pf_source *source, uint64_t from, uint64_t to, uint32_t id, uint64_t element,
                fault *f) MUST_USE;

#endif
