/* SPDX-License-Identifier: Apache-2.0
 *
 * What evidence about an element of a trace and of a gradient have in common. */
#ifndef TRAIN_DISPUTE_INT_H
#define TRAIN_DISPUTE_INT_H

#include "numerics/model_header.h"
#include "train/dispute.h"

/* The model's header, and its text as evidence carries it (a view of `text`). */
err tr_dispute_model(num_model_header *header, uint8_t text[NUM_MODEL_HEADER_BYTES_MAX], bytes *view, const bt_model *model) MUST_USE;

/* Completes the opening of the run's leaves: their elements are what `room` holds from `elements_at` on; the siblings, from the tree
 * over `leaf_count` leaves, follow there. The opening is a view of `room`, so LIMIT_EVIDENCE_BYTES of it are reserved before. */
err tr_dispute_open(pf_opening *out, buf *room, size_t elements_at, const pf_run *run, const hash256 *leaves, uint64_t leaf_count) MUST_USE;

/* Encodes the evidence behind what `out` holds and judges it as the ledger's referee does; `tokens` of the sequence may be NULL. `out` is as
 * before on failure. */
err tr_dispute_write(buf *out, pf_verdict *verdict, const pf_evidence *e, const uint16_t *tokens, fault *f) MUST_USE;

#endif
