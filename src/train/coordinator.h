/* SPDX-License-Identifier: Apache-2.0
 *
 * The coordinator of a training job: the buyer's process. Per step: publish the model, lease its sequences to workers, collect their
 * gradients, put their trace roots on the ledger, draw the sample from the block after, re-execute what was drawn, accept or
 * reject, sum exactly, update, checkpoint, pay. spec/training-network.md has the protocol and the rules.
 *
 * Threads: tr_coordinator_run (or _step) in one thread; tr_coordinator_serve from as many as the HTTP server has.
 *
 * It can be killed at any moment. What survives: the newest checkpoint, the journal after it, the ledger. After a restart with the
 * same configuration training goes on to the same state id; what was accepted is neither asked for nor paid again. */
#ifndef TRAIN_COORDINATOR_H
#define TRAIN_COORDINATOR_H

#include "chain/lease.h"
#include "torch/optim.h"
#include "train/dataset.h"
#include "train/ledger.h"
#include "train/wire.h"

typedef struct tr_coordinator tr_coordinator;

typedef enum tr_event_kind {
    TR_EVENT_STEP_BEGIN,  /* step; model id in `hash` */
    TR_EVENT_LEASED,      /* a lease went out */
    TR_EVENT_REVOKED,     /* `at` slots were taken back: late or lost workers */
    TR_EVENT_GIVEN_UP,    /* `at` slots were leased again and again without an answer: the coordinator computes them */
    TR_EVENT_SUBMITTED,   /* an answer came in */
    TR_EVENT_COMMITTED,   /* its trace root is on the ledger at height `at` */
    TR_EVENT_SAMPLED,     /* drawn for re-execution */
    TR_EVENT_CHECKED,     /* re-executed: `code` OK or ERR_CHEAT */
    TR_EVENT_PROVED,      /* `code` OK: the proof, of `at` bytes, verifies; else what pf_verify says, of relation `path` at `at` */
    TR_EVENT_ACCEPTED,
    TR_EVENT_REJECTED,    /* `code` says why; `at` 0: its range goes to another worker, 1: the coordinator computes it */
    TR_EVENT_CHALLENGED,  /* did not send its tile: has to open leaf `at` on the ledger */
    TR_EVENT_EVIDENCE,    /* `code` OK: written to `path`; else why there is none */
    TR_EVENT_SLASHED,     /* `code` OK at height `at` */
    TR_EVENT_PAID,        /* `code` OK at height `at`; lease and attestation are the receipt's, `hash` names the gradient's file; it
                             and the proof's, by its own hash, are in <dir>/gradients during the call, if they survived */
    TR_EVENT_RANGE,       /* the step's result is RANGE: new fractions, repetition `at` */
    TR_EVENT_STEP_END,    /* loss of the step in `loss`, tokens in `at` */
    TR_EVENT_CHECKPOINT,  /* id in `hash` */
    TR_EVENT_LEDGER,      /* `code`: the ledger is not reachable or refuses; tried again if that can help */
} tr_event_kind;

/* Valid during the call. */
typedef struct tr_event {
    tr_event_kind        kind;
    uint64_t             step;
    uint64_t             lease_id;
    const cr_public_key *worker; /* NULL where there is none */
    err                  code;
    uint64_t             at;
    int64_t              loss;   /* sum in 2^-16 bits */
    const hash256       *hash;
    bytes                lease, attestation; /* signed */
    const char          *path;   /* a file; of PROVED the relation that fails */
    uint64_t             us;     /* of PROVED: how long it took to verify */
} tr_event;

typedef struct tr_coordinator_config {
    const char       *dir;       /* state; made if absent. One process at a time */
    const tr_dataset *data;      /* whole; borrowed */
    tr_ledger         ledger;
    cr_secret_key     key;       /* the job's coordinator key: signs leases. Copied */

    /* The job. */
    chain_name  chain_id;
    hash256     job;
    num_shape   shape;
    uint64_t    determinism_seed;
    bt_schedule schedule;
    uint32_t    batch_size;      /* sequences of a step */
    uint64_t    steps;
    uint64_t    price_sequences; /* what a bid's price buys */
    uint8_t     level_min;       /* chain_level: refereed or full */
    uint32_t    sample_ppm;      /* at most TR_SAMPLE_PPM_MAX; above 0, answers are committed on the ledger before the draw */
    uint64_t    expiry_height;   /* of the job */
    const int32_t *master;       /* start weights instead of the seed's, or NULL; read by new() alone */

    /* How to run it. */
    uint32_t sequences_per_lease; /* with a sample at most tr_dispute_sequences_max of the shape */
    uint64_t lease_blocks;       /* a lease expires so many blocks after it was signed */
    uint32_t lease_ms;           /* and is revoked after this long without an answer */
    uint32_t challenge_ms;       /* for the accused to send a tile; then it is challenged on the ledger */
    uint32_t patience_ms;        /* without any progress, a step ends with ERR_TIMEOUT; 0: never */
    uint32_t checkpoint_steps;   /* steps between checkpoints (and payments); 0: 1 */
    unsigned threads;            /* for own computing; 0: one per processor */
    uint32_t split;              /* sequences of one call of the executor; 0: the whole lease */
    void (*on_event)(void *ctx, const tr_event *event); /* from any thread, under no lock; may be NULL */
    void *event_ctx;
} tr_coordinator_config;

enum { TR_SAMPLE_PPM_MAX = 250000 };

/* Starts or resumes. ERR_CONFIG naming the field; ERR_BUSY: the directory is in use; the codes of a damaged checkpoint. */
err  tr_coordinator_new(tr_coordinator **out, const tr_coordinator_config *config, fault *f) MUST_USE;
void tr_coordinator_free(tr_coordinator *c); /* no thread may be inside; writes nothing */

/* Lets a worker in: its accepted bid. Again: changes the terms. ERR_LIMIT. */
err tr_coordinator_admit(tr_coordinator *c, const cr_public_key *worker, uint64_t price, uint64_t capacity, fault *f) MUST_USE;

/* One request of a worker, path and all; the answer's body is appended. The error is the answer otherwise. May block for the wait that the
 * request asks for, at most LIMIT_TRAIN_WAIT_MS. */
err tr_coordinator_serve(tr_coordinator *c, const tr_request *request, buf *reply, fault *f) MUST_USE;

/* One step, or all that are left and then payment and a checkpoint. ERR_INTERRUPTED after stop: nothing is lost. ERR_TIMEOUT: no
 * worker did anything for patience_ms. */
err  tr_coordinator_step(tr_coordinator *c, fault *f) MUST_USE;
err  tr_coordinator_run(tr_coordinator *c, fault *f) MUST_USE;
void tr_coordinator_stop(tr_coordinator *c); /* from any thread, or a signal handler */

/* The state after the last finished step; between steps only. */
const bt_state *tr_coordinator_state(const tr_coordinator *c);
/* State id over the state and the model that was published for its last step (section 14); zero before the first. */
hash256 tr_coordinator_state_id(const tr_coordinator *c);
const bt_model *tr_coordinator_model(const tr_coordinator *c);
/* The weights after the last step, quantised with the fractions in force: for samples and validation. Between steps only. */
err tr_coordinator_publish(const tr_coordinator *c, bt_model *model, fault *f) MUST_USE;

typedef struct tr_worker_status {
    cr_public_key key;
    bool          seen, banned;
    uint64_t      leases, answers, accepted, rejected, sampled;
    uint64_t      earned; /* nBLOCK of accepted leases */
    uint64_t      paid;
} tr_worker_status;

typedef struct tr_status {
    uint64_t step, steps;
    size_t   slots, leased, submitted, accepted; /* of the step under way */
    uint64_t owed, paid, escrow_left;            /* nBLOCK */
    size_t   worker_count;
} tr_status;

void tr_coordinator_status(tr_coordinator *c, tr_status *out);
/* index < worker_count */
void tr_coordinator_worker(tr_coordinator *c, size_t index, tr_worker_status *out);

#endif
