/* SPDX-License-Identifier: Apache-2.0
 *
 * What evidence about an element of a trace and of a gradient have in common. */
#ifndef TRAIN_DISPUTE_INT_H
#define TRAIN_DISPUTE_INT_H

#include "numerics/model_header.h"
#include "train/dispute.h"

/* The model's header, and its text as evidence carries it (a view of `text`). */
err tr_dispute_model(num_model_header *header, uint8_t text[NUM_MODEL_HEADER_BYTES_MAX], bytes *view, const bt_model *model) MUST_USE;

/* Judges `file`, whose lease and attestation are those of `e`, as the ledger's referee does; `tokens` of the sequence may be NULL. */
err tr_dispute_replay(pf_verdict *verdict, bytes file, const pf_evidence *e, const uint16_t *tokens, fault *f) MUST_USE;

#endif
