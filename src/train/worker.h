/* SPDX-License-Identifier: Apache-2.0
 *
 * A worker: asks the coordinator for work, computes, uploads, attests, and opens its trace when it is challenged. It only makes outbound
 * requests. Its identity is one key. What it believes: leases signed by the job's coordinator key for its own key, models and data
 * whose content gives the id that the lease or the session names. */
#ifndef TRAIN_WORKER_H
#define TRAIN_WORKER_H

#include "chain/lease.h"
#include "train/ledger.h"
#include "train/spoil.h"
#include "train/wire.h"

typedef struct tr_worker tr_worker;

typedef enum tr_worker_event_kind {
    TR_WORKER_READY,     /* session and data are here */
    TR_WORKER_LEASE,     /* computing */
    TR_WORKER_PROVING,   /* a proof that takes long: now and then; `done` of `parts` */
    TR_WORKER_ANSWERED,  /* attested; `code` is the coordinator's verdict on the answer's form */
    TR_WORKER_SPOILED,   /* a cheater spoils this lease */
    TR_WORKER_CHALLENGED,/* opened a part of its trace; `what` says where */
    TR_WORKER_AUDITED,   /* showed the validators what an audit asks for */
    TR_WORKER_STAYS,     /* gets no more work, as `code` says, and stays while what it answered may be asked for */
    TR_WORKER_TROUBLE,   /* `code`: not reachable, or a refusal; the worker goes on */
} tr_worker_event_kind;

typedef struct tr_worker_event {
    tr_worker_event_kind kind;
    uint64_t             step, lease_id;
    err                  code;
    const char          *what;
    uint64_t             us, prove_us; /* of computing, of proving */
    uint32_t             done, parts;
} tr_worker_event;

typedef struct tr_worker_config {
    tr_transport  transport;
    cr_secret_key key;         /* copied */
    hash256       job;         /* what the worker bid for ... */
    chain_row_job row;         /* ... as the ledger has it: the session must say the same, and its coordinator key signs the leases */
    uint64_t      price;       /* of the accepted bid, for row.price_sequences: a lease for less is refused */
    uint64_t      expiry_blocks_min; /* and one that expires sooner than so many blocks from now, or after the job; needs the ledger */
    chain_name    chain_id;
    const char   *cache;       /* directory for data and models by content id, and for leases that may be challenged; made if absent */
    const tr_ledger *ledger;   /* answers challenges there, signed by the worker's key; borrowed. NULL: whoever challenges it on the ledger
                                  takes its bond */
    unsigned      threads;
    uint32_t      split;       /* sequences of one call of the executor; 0: the whole lease */
    uint32_t      wait_ms;     /* of one request for work; 0: 10000 */
    uint32_t      patience_ms; /* a coordinator that does not answer for so long ends the run; 0: never */
    tr_cheat      cheat;       /* rate 0: honest */
    void (*on_event)(void *ctx, const tr_worker_event *event);
    void *event_ctx;
} tr_worker_config;

err  tr_worker_new(tr_worker **out, const tr_worker_config *config, fault *f) MUST_USE;
void tr_worker_free(tr_worker *w);

/* Works until the job is done (OK), stop is called (ERR_INTERRUPTED), or it cannot go on: ERR_PERMISSION (not admitted), ERR_CHEAT (caught),
 * ERR_STALE (another job or coordinator), ERR_CONFIG (its coordinator says something else of the job than the ledger), ERR_EXPIRED (the coordinator took an answer and never committed it), ERR_UNREACHABLE after patience_ms, ERR_DISK_FULL, ERR_MEMORY. */
err  tr_worker_run(tr_worker *w, fault *f) MUST_USE;
void tr_worker_stop(tr_worker *w); /* from any thread */

/* What became of the receipts in a cache. */
typedef struct tr_claims {
    uint64_t claimed, claimed_nblock; /* paid now */
    uint64_t waiting;                 /* not committed yet, challenged, or the buyer still has time to pay: claim again later */
    uint64_t settled;                 /* paid or spoiled before: forgotten now */
    uint64_t lost;                    /* never committed by its expiry: forgotten now */
    uint64_t refused;                 /* by the ledger, or unreadable; kept. `code` of the newest refusal */
    err      code;
} tr_claims;

/* Claims the pay of every lease in `cache` that `worker` answered, whose trace was committed and which the coordinator has not paid within
 * job.claim_delay. `ledger` signs with the worker's key. A worker may be running. Errors: those of the ledger when it is not reachable, or
 * takes no transaction of this worker (ERR_FUNDS: no money for the fee); *out says how far it came. */
err tr_worker_claim(tr_claims *out, const char *cache, const cr_public_key *worker, const tr_ledger *ledger, fault *f) MUST_USE;

#endif
