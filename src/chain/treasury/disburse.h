/* SPDX-License-Identifier: Apache-2.0
 *
 * One disbursement of the treasury as a state machine:
 *
 *   DRAFT -> VOTING -> QUEUED -> TIMELOCKED -> EXECUTED -> FINALIZED
 *     |        |         |           |            |
 *     +--------+---------+-----------+------------+--> ROLLED_BACK
 *
 * Pure: each step is a function of the row and its arguments, and refuses what its state or epoch does not allow, whoever calls.
 * Money moves at three of them: EXECUTED takes it from the treasury, FINALIZED pays it out, ROLLED_BACK from EXECUTED returns it.
 * Times are epochs. spec/treasury.md "Life". */
#ifndef CHAIN_TREASURY_DISBURSE_H
#define CHAIN_TREASURY_DISBURSE_H

#include "base/limits.h"
#include "chain/state.h"

typedef enum chain_disbursement_status {
    CHAIN_DISBURSEMENT_DRAFT = 1,
    CHAIN_DISBURSEMENT_VOTING = 2,
    CHAIN_DISBURSEMENT_QUEUED = 3,     /* passed; waits for its dependencies */
    CHAIN_DISBURSEMENT_TIMELOCKED = 4, /* until ready_epoch, then until the limits admit it */
    CHAIN_DISBURSEMENT_EXECUTED = 5,   /* held until final_epoch */
    CHAIN_DISBURSEMENT_FINALIZED = 6,
    CHAIN_DISBURSEMENT_ROLLED_BACK = 7,
} chain_disbursement_status;

typedef enum chain_rollback_reason {
    CHAIN_ROLLBACK_NONE = 0,
    CHAIN_ROLLBACK_WITHDRAWN = 1,  /* by who filed it, while a draft */
    CHAIN_ROLLBACK_REJECTED = 2,   /* by the vote on it */
    CHAIN_ROLLBACK_QUORUM = 3,     /* a house had fewer votes than it asks for */
    CHAIN_ROLLBACK_DEPENDENCY = 4, /* one was rolled back */
    CHAIN_ROLLBACK_EXPIRED = 5,    /* waited longer than treasury.wait_max */
    CHAIN_ROLLBACK_KYC = 6,        /* a payee had no valid KYC when it was due */
    CHAIN_ROLLBACK_VOTED = 7,      /* by a later vote */
} chain_rollback_reason;

/* --- filing ------------------------------------------------------------------------------------------------------------- */

typedef struct chain_payee {
    cr_address to;
    uint64_t   amount;
} chain_payee;

/* What is filed: fields as of the transaction disbursement_file. */
typedef struct chain_disbursement_spec {
    chain_name  title;
    hash256     summary;
    uint32_t    summary_bytes;
    bool        essential;
    uint64_t    amount;
    chain_payee payees[LIMIT_DISBURSEMENT_PARTS_N];
    size_t      payee_count;
    uint64_t    dependencies[LIMIT_DISBURSEMENT_PARTS_N];
    size_t      dependency_count;
    uint64_t    scheduled_epoch;
    uint32_t    quorum_operators_ppm, quorum_builders_ppm;
    uint64_t    vote_epochs, timelock_epochs, rollback_epochs;
} chain_disbursement_spec;

/* The parameters that a disbursement's times are bounded by, in epochs. */
typedef struct chain_disbursement_terms {
    uint64_t draft, vote_min, vote_max, timelock_min, rollback_min, window_max, wait_max;
} chain_disbursement_terms;

/* The rules of form: ERR_RANGE, ERR_ADDRESS, ERR_CANONICAL naming the field. */
err chain_disburse_check(const chain_disbursement_spec *s, const chain_disbursement_terms *terms, uint64_t epoch, fault *f) MUST_USE;

/* The row of a draft; `s` passed the check. */
chain_row_disbursement chain_disburse_draft(const chain_disbursement_spec *s, const cr_address *filer, uint64_t epoch);

/* Payee i < row->payees, dependency i < row->dependencies. */
chain_payee chain_disbursement_payee(const chain_row_disbursement *d, size_t i);
uint64_t    chain_disbursement_dependency(const chain_row_disbursement *d, size_t i);

/* The lists of the transaction disbursement_file. */
err chain_payees_encode(bytes *out, uint8_t *buffer, size_t cap, const chain_payee *payees, size_t count) MUST_USE;
err chain_dependencies_encode(bytes *out, uint8_t *buffer, size_t cap, const uint64_t *numbers, size_t count) MUST_USE;

/* --- steps: ERR_STATE from a state that they do not start in ------------------------------------------------------------- */

/* DRAFT -> VOTING. ERR_EXPIRED if the draft is too old. */
err chain_disburse_open(chain_row_disbursement *d, const chain_disbursement_terms *terms, uint64_t proposal, uint64_t epoch, fault *f) MUST_USE;

/* How the vote ended. Turnout: weight that voted over weight that could, of each house. */
typedef struct chain_vote_outcome {
    bool     passed; /* in both houses */
    uint32_t turnout_operators_ppm, turnout_builders_ppm;
} chain_vote_outcome;

/* VOTING -> QUEUED if passed with the quorum, else ROLLED_BACK. ERR_BUSY before vote_end_epoch. */
err chain_disburse_vote(chain_row_disbursement *d, const chain_vote_outcome *outcome, uint64_t epoch, fault *f) MUST_USE;

/* QUEUED -> TIMELOCKED; the caller saw that every dependency is finalized. */
err chain_disburse_lock(chain_row_disbursement *d, uint64_t epoch, fault *f) MUST_USE;

/* TIMELOCKED -> EXECUTED. ERR_BUSY before ready_epoch. The caller moves the amount from the treasury to what is held. */
err chain_disburse_execute(chain_row_disbursement *d, uint64_t epoch, fault *f) MUST_USE;

/* EXECUTED -> FINALIZED. ERR_BUSY before final_epoch. The caller pays the payees out of what is held. */
err chain_disburse_finalize(chain_row_disbursement *d, uint64_t epoch, fault *f) MUST_USE;

/* Any but the last two -> ROLLED_BACK. If *held the caller returns the amount to the treasury. */
err chain_disburse_roll_back(chain_row_disbursement *d, chain_rollback_reason reason, uint64_t epoch, bool *held, fault *f) MUST_USE;

/* --- what is due ---------------------------------------------------------------------------------------------------------- */

typedef enum chain_dependencies { CHAIN_DEPENDENCIES_FINAL, CHAIN_DEPENDENCIES_OPEN, CHAIN_DEPENDENCIES_DEAD } chain_dependencies;

typedef enum chain_disburse_due {
    CHAIN_DUE_NOTHING,
    CHAIN_DUE_LOCK,
    CHAIN_DUE_EXECUTE,
    CHAIN_DUE_FINALIZE,
    CHAIN_DUE_ROLL_BACK, /* with *reason */
} chain_disburse_due;

/* The step that the end of `epoch` asks for. */
chain_disburse_due chain_disburse_next(const chain_row_disbursement *d, chain_dependencies dependencies,
                                       const chain_disbursement_terms *terms, uint64_t epoch, chain_rollback_reason *reason);

/* It occupies one of the slots: on the vote, passed or executed. */
static inline bool chain_disbursement_active(const chain_row_disbursement *d)
{
    return d->status >= CHAIN_DISBURSEMENT_VOTING && d->status <= CHAIN_DISBURSEMENT_EXECUTED;
}

#endif
