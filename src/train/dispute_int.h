/* SPDX-License-Identifier: Apache-2.0
 *
 * What evidence about an element of a trace and about a sum over the lease have in common. */
#ifndef TRAIN_DISPUTE_INT_H
#define TRAIN_DISPUTE_INT_H

#include "numerics/model_header.h"
#include "train/dispute.h"

/* The tokens of a lease, for a pf_source: those of the sequence that was asked for last are kept. */
typedef struct tr_tokens {
    const tr_task *task;
    bool           have;
    uint64_t       sequence;
    uint16_t       tokens[LIMIT_MODEL_CONTEXT_N + 1];
} tr_tokens;

err tr_tokens_get(tr_tokens *t, uint64_t sequence, uint32_t position, uint16_t *out, fault *f) MUST_USE;

/* The model's header, and its text as evidence carries it (a view of `text`). */
err tr_dispute_model(num_model_header *header, uint8_t text[NUM_MODEL_HEADER_BYTES_MAX], bytes *view, const bt_model *model) MUST_USE;

/* Puts a tile as evidence carries it: `elements` are the 256 of a leaf. */
err tr_dispute_put_tile(buf *room, const uint8_t *elements, uint32_t rows, uint32_t cols, uint32_t elem_bytes, uint32_t tile_row,
                        uint32_t tile_col) MUST_USE;

/* Completes the opening of the run's leaves: their elements are what `room` holds from `elements_at` on; the siblings, from the tree
 * over `leaf_count` leaves, follow there. The opening is a view of `room`, so LIMIT_EVIDENCE_BYTES of it are reserved before. */
err tr_dispute_open(pf_opening *out, buf *room, size_t elements_at, const pf_run *run, const hash256 *leaves, uint64_t leaf_count) MUST_USE;

/* Opens the tokens of the run's sequences, if there are any: the same for `room`. */
err tr_dispute_open_tokens(pf_evidence *e, buf *room, const pf_run *run, const tr_task *task, fault *f) MUST_USE;

/* Encodes the evidence behind what `out` holds and judges it as the ledger's referee does. `out` is as before on failure. */
err tr_dispute_write(buf *out, pf_verdict *verdict, const pf_evidence *e, fault *f) MUST_USE;

#endif
