/* SPDX-License-Identifier: Apache-2.0
 *
 * The coordinator's journal: what was answered and decided since the newest checkpoint. Records are framed by length and hash; a torn
 * tail, as a killed process leaves it, is cut off when the journal is opened. It is emptied when a checkpoint covers it.
 *
 * It is synced before what it holds is committed on the ledger, and after every round of verdicts. Losing the rest (power cut) costs work, never money: payments are on the
 * ledger, and whatever is missing is computed again to the same bits. */
#ifndef TRAIN_JOURNAL_H
#define TRAIN_JOURNAL_H

#include "base/buf.h"

typedef enum tr_journal_kind {
    TR_JOURNAL_ANSWER = 1,   /* a lease was answered: lease, attestation, gradient file */
    TR_JOURNAL_ACCEPTED = 2, /* checked as far as the sample asks, and in the sum */
    TR_JOURNAL_REJECTED = 3, /* wrong, or its worker was caught */
    TR_JOURNAL_OWN = 4,      /* wrong, and its range stays reserved on the ledger: computed by the coordinator itself */
} tr_journal_kind;

typedef struct tr_journal_record {
    tr_journal_kind kind;
    uint64_t        step;
    uint64_t        lease_id;
    bytes           lease, attestation; /* signed; ANSWER only */
    hash256         file;               /* content id of the gradient's wire file; zero for RANGE */
} tr_journal_record;

typedef struct tr_journal {
    int      fd;
    uint64_t len;
} tr_journal;

typedef err (*tr_journal_fn)(void *ctx, const tr_journal_record *record);

/* Opens or makes `path` and hands every whole record to `fn`, in order; what follows the first broken one is cut off and *lost (may be
 * NULL) says how many bytes that were. */
err  tr_journal_open(tr_journal *j, const char *path, tr_journal_fn fn, void *ctx, uint64_t *lost, fault *f) MUST_USE;
void tr_journal_close(tr_journal *j);

/* Not synced. On failure the journal is as before. */
err tr_journal_add(tr_journal *j, const tr_journal_record *record, fault *f) MUST_USE;
err tr_journal_sync(tr_journal *j, fault *f) MUST_USE;

/* Everything in it is covered by a checkpoint. */
err tr_journal_clear(tr_journal *j, fault *f) MUST_USE;

#endif
