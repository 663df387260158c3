/* SPDX-License-Identifier: Apache-2.0
 *
 * One element of a trace from the elements that it is made of (spec/numerics.md sections 4 and 5), integers only, one relation
 * a slot. Whoever calls says where elements come from: a referee reads opened tiles, a prover of evidence reads its whole
 * trace and notes what was asked for. Nothing here allocates. */
#ifndef PROOF_RELATION_H
#define PROOF_RELATION_H

#include "numerics/model_header.h"

/* Element (row, col) of a committed tensor of global sequence `sequence`, or of a weight tensor. An error ends the evaluation
 * and is handed on. Elements that a relation does not need are never asked for. */
typedef struct pf_source {
    void *ctx;
    err (*trace)(void *ctx, uint32_t tensor_id, uint64_t sequence, uint32_t row, uint32_t col, int64_t *out, fault *f);
    err (*weight)(void *ctx, uint32_t tensor, uint32_t row, uint32_t col, int64_t *out, fault *f);
} pf_source;

/* What a relation depends on besides tensors. */
typedef struct pf_context {
    const num_model_header *model;
    hash256         dither_seed; /* num_dither_seed(job, model id, step) */
    uint64_t        sequence;    /* global number of the element's sequence */
    const uint16_t *tokens;      /* the T + 1 tokens of the sequence, or NULL if they are not known */
} pf_context;

typedef struct pf_element {
    bool    range; /* the value leaves its domain: the lease's result must be RANGE, and `value` means nothing */
    int64_t value;
} pf_element;

/* ERR_SHAPE or another code of num_const_of, ERR_RANGE (fractions), ERR_LEDGER (may exceed 64 bits), ERR_NOT_FOUND (no such
 * tensor, or element outside it), ERR_UNSUPPORTED (needs tokens: the embedding's output and the loss; dl without them:
 * pf_relation_eval_dl), or what the source said. An input outside the range of honest values is ERR_EVIDENCE: that
 * input is wrong itself, and it is the one to be disputed. */
err pf_relation_eval(pf_element *out, const pf_context *c, const pf_source *source, uint32_t tensor_id, uint64_t element,
                     fault *f) MUST_USE;

/* Whether elements of a slot of the trace are checked against a domain at all (sections 4 and 5), so that RANGE may name one. */
bool pf_slot_has_domain(uint32_t slot);

/* Element `element` of the lease's gradient of weight tensor `weight`, over its sequences [from, to): exact, so never RANGE.
 * ERR_UNSUPPORTED for the token embedding, which depends on all tokens of the lease. */
err pf_gradient_eval(pf_element *out, const pf_context *c, const pf_source *source, uint64_t from, uint64_t to, uint32_t weight,
                     uint64_t element, fault *f) MUST_USE;

/* pf_relation_eval for dl with the target known only as "this column" or "another column". */
err pf_relation_eval_dl(pf_element *out, const pf_context *c, const pf_source *source, uint64_t element, bool is_target,
                        fault *f) MUST_USE;

#endif
