/* SPDX-License-Identifier: Apache-2.0
 *
 * Which leaves evidence about one element must open: found by evaluating its relation on the accuser's own trace and noting
 * every tile that was read. */
#ifndef PROOF_PLAN_H
#define PROOF_PLAN_H

#include "proof/referee.h"
#include "proof/relation.h"

typedef struct pf_run {
    uint64_t first;
    uint32_t count; /* consecutive leaves of one tensor */
} pf_run;

typedef struct pf_plan {
    pf_element expected; /* of the element, from `source` */
    uint32_t   trace_count, weight_count;
    pf_run     trace[PF_OPENINGS_MAX], weight[PF_OPENINGS_MAX]; /* ascending; a trace element's own tile is among them */
    pf_run     tokens;   /* sequences of the lease; count 0: none */
    uint64_t   gradient; /* leaf of the element's own tile, for a gradient */
} pf_plan;

/* `tensor_id` as in pf_evidence; [from, to) the lease's sequences, c->sequence one of them. Codes of pf_relation_eval; ERR_LIMIT if the
 * element needs more openings than evidence may have. The inputs must be those that the worker committed (the element is the first
 * that differs). */
err pf_plan_make(pf_plan *out, const pf_context *c, const pf_source *source, uint64_t from, uint64_t to,
                 uint32_t tensor_id, uint64_t element, fault *f) MUST_USE;

#endif
