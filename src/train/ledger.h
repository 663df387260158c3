/* SPDX-License-Identifier: Apache-2.0
 *
 * What the coordinator needs of a ledger, and a worker that watches over its leases (opened and randomness are not asked by it). The application connects it to a node over RPC, or to an embedded engine; tests have one in
 * memory. Calls may block; they come from the coordinator's own thread, except `height`. */
#ifndef TRAIN_LEDGER_H
#define TRAIN_LEDGER_H

#include "base/buf.h"
#include "chain/state.h"
#include "chain/tx.h"
#include "train/audit.h"

typedef struct tr_ledger {
    void *ctx;

    /* Of the newest block. From any thread, and quickly: it is asked on every answer. */
    err (*height)(void *ctx, uint64_t *out);

    /* Rows of the state: ERR_NOT_FOUND. */
    err (*job)(void *ctx, const hash256 *job, chain_row_job *out);
    err (*lease)(void *ctx, const hash256 *job, uint64_t lease_id, chain_row_lease *out);

    /* Signs and sends tx->type with tx->payload (chain id, sender, nonce, expiry and fee are the ledger's business), and waits until it
     * is in a durable block. *height is that block's, also if it failed there: then the error is about what it carries. With an error and
     * *height 0 it was never in a block: the sender lacks funds, its nonce was taken, and so on, and nothing is said about what it
     * carries. An error marked retryable in errors.def means that the outcome is unknown or that nothing happened: the coordinator looks
     * at the rows and asks again. */
    err (*submit)(void *ctx, const chain_tx *tx, uint64_t *height, fault *f);

    /* The leaf with this hash that a worker opened in block `height` (the row's open_height): appended. ERR_NOT_FOUND. */
    err (*opened)(void *ctx, const hash256 *job, uint64_t lease_id, uint64_t height, const hash256 *hash, buf *leaf, fault *f);
    uint64_t open_window; /* blocks that a worker has for that: the network's trace.open_window */
    uint64_t claim_delay; /* blocks after a commitment in which it may be challenged: job.claim_delay */

    /* Randomness of the first block after `height`: waits for it. */
    err (*randomness)(void *ctx, uint64_t height, hash256 *out, fault *f);

    /* Audits (spec/audit.md). The row of one: ERR_NOT_FOUND; the coordinator asks it, or with NULL sees no audits. */
    err (*audit)(void *ctx, const hash256 *job, uint64_t lease_id, chain_row_audit *out);
    /* For a worker whose proofs may be audited: how the audits of so many leases stand, all with one question: chain_audit_status, or 0 where there
     * is none; and one part of what it shows, or the question how much is there, to every validator: *have is the least of their answers,
     * *complete that of all. NULL: it shows nothing, and whoever disputes a proof of it takes its bond. */
    err (*audits)(void *ctx, const hash256 *job, uint8_t *status, const uint64_t *lease_ids, size_t count);
    err (*show)(void *ctx, const tr_push *p, uint64_t *have, bool *complete, fault *f);
    uint64_t audit_window, audit_reopen_window; /* blocks after a lease's first one in which an audit may be opened: a first one, or after one that was closed */
} tr_ledger;

#endif
