/* SPDX-License-Identifier: Apache-2.0
 *
 * A validator's part in audits (spec/audit.md): opens the audits of what the ledger has drawn, takes in what workers and coordinators show,
 * runs the verifier outside the execution of blocks, on a thread of its own, and sends the verdict as a transaction. What was shown lies in a
 * folder and is gone with the audit; after a restart it is asked for again. */
#ifndef ENGINE_ARBITER_H
#define ENGINE_ARBITER_H

#include "engine/solo.h"
#include "train/audit.h"

typedef struct eng_arbiter eng_arbiter;

typedef enum eng_arbiter_event_kind {
    ENG_ARBITER_OPENED,  /* this validator opened the audit of a drawn lease */
    ENG_ARBITER_VERDICT, /* and this is its verdict: `code` OK: the proof verifies; else `what`: the relation */
    ENG_ARBITER_TROUBLE, /* `code`: a transaction was refused, or this machine failed; tried again while there is time */
} eng_arbiter_event_kind;

typedef struct eng_arbiter_event {
    eng_arbiter_event_kind kind;
    hash256                job;
    uint64_t               lease_id;
    err                    code;
    const char            *what;
} eng_arbiter_event;

typedef struct eng_arbiter_options {
    eng_solo            *engine;    /* borrowed; stays open until eng_arbiter_stop has returned */
    const char          *dir;       /* for what is shown; made, and emptied */
    const cr_secret_key *validator; /* copied; a producer of the genesis. Its account pays the fees */
    base_pool           *pool;      /* for hashing; borrowed, may be NULL */
    uint64_t             bytes_max; /* of what is shown of all audits, and of what to verify one takes; 0: LIMIT_AUDIT_BYTES. An audit that does not
                                       fit waits; a fourth is for drawn leases alone */
    void (*on_event)(void *ctx, const eng_arbiter_event *event); /* from the arbiter's thread; may be NULL */
    void *event_ctx;
} eng_arbiter_options;

/* ERR_PERMISSION: no producer; ERR_MEMORY, ERR_IO. */
err  eng_arbiter_start(eng_arbiter **out, const eng_arbiter_options *options, fault *f) MUST_USE;
void eng_arbiter_stop(eng_arbiter *a); /* NULL is fine */

/* Takes a part of a content, and says how much is there then. From any thread. ERR_SIGNATURE; ERR_STATE: no such audit is open here, or that
 * content is complete; ERR_PERMISSION: neither the lease's worker nor the job's coordinator; ERR_LIMIT: longer than it can be, or shown wrong too
 * often; ERR_RANGE: not the next part; ERR_BUSY: more audits, or bytes of them, than are handled at once, or the audit was not looked at yet: nothing is
 * stored, or reserved, of an audit that has no place. */
err eng_arbiter_take(eng_arbiter *a, const tr_push *p, uint64_t *have, fault *f) MUST_USE;

/* How much of the asker's own is there, and whether that is all of it, or the kind is not wanted. The same errors. */
err eng_arbiter_ask(eng_arbiter *a, const tr_push *p, uint64_t *have, bool *complete, fault *f) MUST_USE;

#endif
