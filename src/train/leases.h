/* SPDX-License-Identifier: Apache-2.0
 *
 * The lease book of one step: which worker may answer for which sequences, what came back, what is owed. Pure bookkeeping:
 * times and heights are passed in, nothing here signs, hashes, sleeps or reads a clock.
 *
 * The range of the step is cut into slots. A slot is trained under one lease at a time, but may see several over its life (late,
 * lost or cheating workers); at most one of them is ever accepted and paid. Rules:
 *  - A lease that is late by the clock is revoked: the slot goes to another worker. Its answer still counts if it comes before
 *    the lease's expiry height and before another answer for the slot.
 *  - After the expiry height nothing counts.
 *  - The first answer under a lease counts; any later one is a duplicate, whatever it says.
 *  - What may still have to be paid (for each unpaid slot the dearest lease given out for it) never exceeds the escrow. */
#ifndef TRAIN_LEASES_H
#define TRAIN_LEASES_H

#include "base/bytes.h"
#include "base/limits.h"

typedef enum tr_slot_status {
    TR_SLOT_FREE,
    TR_SLOT_LEASED,
    TR_SLOT_SUBMITTED,
    TR_SLOT_ACCEPTED,
    TR_SLOT_PAID,
    TR_SLOT_OWN, /* the coordinator computes it, nobody is paid: its last answer was wrong, but the range stays reserved on the ledger, or
                    it was leased too often */
} tr_slot_status;

typedef struct tr_slot {
    uint64_t       from, to;  /* sequences [from, to) */
    tr_slot_status status;
    size_t         entry;     /* the lease that the status is about; while free the last one, if there was any */
    uint64_t       exposure;  /* nBLOCK that this slot may still cost */
    uint32_t       attempts;  /* leases given out for it */
} tr_slot;

typedef enum tr_lease_status {
    TR_LEASE_LIVE,       /* out with its worker */
    TR_LEASE_REVOKED,    /* late by the clock; an answer may still count */
    TR_LEASE_SUBMITTED,  /* answered, not checked to the end */
    TR_LEASE_ACCEPTED,   /* in the sum; to be paid */
    TR_LEASE_PAID,
    TR_LEASE_REJECTED,   /* wrong, or its worker was caught */
    TR_LEASE_EXPIRED,    /* its height has passed */
    TR_LEASE_SUPERSEDED, /* another lease answered for the slot */
} tr_lease_status;

typedef struct tr_lease_entry {
    uint64_t        id;   /* unique within the job */
    size_t          slot;
    uint32_t        worker; /* the caller's number for the worker */
    tr_lease_status status;
    uint64_t        price;
    uint64_t        deadline_ms;
    uint64_t        expiry_height;
    hash256         attestation; /* once submitted */
} tr_lease_entry;

typedef struct tr_book {
    tr_slot        *slots;
    size_t          slot_count;
    tr_lease_entry *entries; /* in order of giving out */
    size_t          entry_count, entry_max;
    uint64_t        id_next;     /* of the next lease */
    uint64_t        escrow;      /* what the job has left to pay with */
    uint64_t        outstanding; /* sum of the exposures, at most escrow */
} tr_book;

enum { TR_BOOK_SLOTS_MAX = 1 << 14, TR_BOOK_ATTEMPTS_MAX = 16 };

/* Slots of `per_lease` sequences over [from, to), the last one shorter. ERR_RANGE, ERR_LIMIT, ERR_MEMORY. */
err  tr_book_init(tr_book *b, uint64_t from, uint64_t to, uint64_t per_lease, uint64_t id_next, uint64_t escrow,
                  fault *f) MUST_USE;
void tr_book_deinit(tr_book *b);

/* Terms of a lease: price of the slot's whole range is mul_div(price, sequences, price_sequences), rounded down. */
typedef struct tr_terms {
    uint32_t worker;
    uint64_t capacity; /* most sequences the worker takes */
    uint64_t price, price_sequences;
    uint64_t deadline_ms;
    uint64_t expiry_height;
} tr_terms;

/* Leases the first free slot that was leased less than TR_BOOK_ATTEMPTS_MAX times. *out stays valid until deinit. ERR_BUSY: there is none;
 * ERR_LIMIT: slot too large for the worker; ERR_FUNDS: the escrow does not cover it. */
err tr_book_lease(tr_book *b, const tr_lease_entry **out, const tr_terms *terms, fault *f) MUST_USE;

/* NULL if there is no such lease. */
const tr_lease_entry *tr_book_find(const tr_book *b, uint64_t id);

/* Whether an answer would count now, without recording it: what an upload is checked against before it costs anything.
 * ERR_NOT_FOUND, ERR_EXPIRED, ERR_DUPLICATE (answered before), ERR_STALE (another answered), ERR_STATE (rejected). */
err tr_book_may_submit(const tr_book *b, uint64_t id, uint64_t height, fault *f) MUST_USE;
err tr_book_submit(tr_book *b, uint64_t id, const hash256 *attestation, uint64_t height, fault *f) MUST_USE;

/* Verdicts on a submitted lease; paid on an accepted one. ERR_STATE otherwise. A rejected lease frees its slot; an accepted one may
 * still be rejected while it is not paid (its worker was caught elsewhere). */
err tr_book_accept(tr_book *b, uint64_t id, fault *f) MUST_USE;
err tr_book_reject(tr_book *b, uint64_t id, fault *f) MUST_USE;
err tr_book_paid(tr_book *b, uint64_t id, fault *f) MUST_USE;

/* As reject, but the slot becomes the coordinator's own. */
err tr_book_own(tr_book *b, uint64_t id, fault *f) MUST_USE;

/* Free slots that were leased as often as may be become the coordinator's own. Returns how many. */
size_t tr_book_own_exhausted(tr_book *b);

/* An accepted lease is to be checked after all: submitted again. */
err tr_book_reopen(tr_book *b, uint64_t id, fault *f) MUST_USE;

/* After a restart: a lease of before, answered with `attestation`; `status` is that of its slot, submitted, accepted or own. The slot
 * [from, to) must be free: ERR_NOT_FOUND, ERR_DUPLICATE, ERR_FUNDS. */
err tr_book_restore(tr_book *b, const tr_lease_entry **out, uint64_t from, uint64_t to, uint64_t id, uint32_t worker, uint64_t price,
                    uint64_t expiry_height, const hash256 *attestation, tr_slot_status status, fault *f) MUST_USE;

/* Revokes what is late, expires what is too old. Returns the number of slots that became free. */
size_t tr_book_expire(tr_book *b, uint64_t now_ms, uint64_t height);

/* Takes back the live leases of a worker (lost, or caught). Returns how many. */
size_t tr_book_worker_lost(tr_book *b, uint32_t worker);

/* Slots in a state. */
size_t tr_book_count(const tr_book *b, tr_slot_status status);

#endif
