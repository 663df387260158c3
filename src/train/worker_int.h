/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_WORKER_INT_H
#define TRAIN_WORKER_INT_H

#include "prove/prove.h"
#include "train/exec.h"
#include "train/gradient.h"
#include "train/statement.h"
#include "train/store.h"
#include "train/trace_root.h"
#include "train/worker.h"

#include <stdatomic.h>

/* Answered leases whose trace may still be asked for. The trace itself is computed again then: lease and model are kept. */
typedef struct past_lease {
    uint8_t     *signed_lease; /* owned; NULL: free place */
    size_t       len;
    chain_lease  lease;
    chain_signed s;
    bool         attested;    /* an answer may have been signed: whoever has that can put it on the ledger until the lease expires */
    bool         accepted;    /* the coordinator says that it will */
    bool         paid;        /* only an audit can still ask for it */
    uint64_t     proved_height; /* the first block that has it, at level full; 0: none is known */
    uint8_t      audit;       /* chain_audit_status of its audit; 0: there was none */
} past_lease;

enum { WORKER_PAST = 4096, TR_RECEIPT_BYTES_MAX = 2 * 2048 + 64 }; /* two of LIMIT_LEASE_BYTES */

struct tr_worker {
    tr_worker_config cfg;
    cr_public_key    public_key;
    char             cache[TR_PATH_MAX];
    atomic_bool      stopping;
    uint64_t         nonce;
    tr_session       session;
    bool             ready;      /* session, data, executor */
    bool             met;        /* this process heard from the coordinator */
    bool             offline;    /* what is not in the cache is not asked for */
    tr_dataset       data;
    tr_exec          exec;
    bt_model         model; /* the one of model.id, once downloaded */
    bool             has_model;
    uint64_t         elements;
    int64_t         *gradient;
    pv_workspace    *prover; /* NULL until a lease asks for a proof */
    past_lease       past[WORKER_PAST];
    size_t           past_next;
    uint64_t         watched_ms; /* when the ledger was looked at last */
    size_t           exposed;    /* leases that may be challenged, as it said then */
    size_t           unseen;     /* that the coordinator took, and has not put there yet */
    bool             turned_away; /* it gets no more work of this job, which goes on without it */
    bool             watching;
    uint64_t         asked[WORKER_PAST]; /* lease ids of one question about audits, and what is answered */
    uint8_t          audits[WORKER_PAST];
};

void     tr_wk_event(const tr_worker *w, const tr_worker_event *event);
uint64_t tr_wk_now_ms(void);
uint64_t tr_wk_now_us(void);
bool     tr_wk_transient(err e);
void     tr_wk_pause(void); /* before the next try */
void     tr_wk_forget(past_lease *p);

err tr_wk_call(tr_worker *w, const char *method, const char *path, bytes body, uint32_t wait_ms, uint64_t reply_max, buf *reply,
                fault *f) MUST_USE;
err tr_wk_insist(tr_worker *w, const char *method, const char *path, bytes body, uint64_t reply_max, buf *reply, fault *f) MUST_USE;
err tr_wk_download(tr_worker *w, const char *kind, const hash256 *id, uint64_t size_max, buf *out, fault *f) MUST_USE;
err tr_wk_session(tr_worker *w, fault *f) MUST_USE;

/* worker_custody.c: what has to be kept until the ledger has settled it. */
bool tr_wk_has_room(const tr_worker *w);             /* for one lease more */
past_lease *tr_wk_keep(tr_worker *w, past_lease *p); /* takes *p over. There is room, or no ledger that could ask for what makes place */
void tr_wk_let_go(tr_worker *w, past_lease *p);
void tr_wk_keep_receipt(tr_worker *w, const past_lease *p, bytes attestation); /* until it is paid */
void tr_wk_drop_receipt(const tr_worker *w, const past_lease *p);
err  tr_wk_restore(tr_worker *w, fault *f) MUST_USE; /* what an earlier process kept */
err  tr_wk_watch(tr_worker *w, fault *f) MUST_USE;   /* answers challenges on the ledger; now and then */
err  tr_wk_linger(tr_worker *w, fault *f) MUST_USE;  /* until no lease can be challenged any more */
bool tr_wk_find_model(tr_worker *w, const hash256 *id, buf *out); /* its file, kept or not: false */
bool tr_wk_find_session(tr_worker *w, buf *out); /* the newest one of the job */
void tr_wk_keep_session(tr_worker *w, bytes session);
void tr_wk_keep_model(tr_worker *w, const hash256 *id, bytes file);
void tr_wk_drop_model(tr_worker *w, const hash256 *id);

/* worker_lease.c */
typedef struct outcome {
    int64_t   loss;
    bt_result result;
    hash256   root;
    hash256  *leaves; /* owned; leaf_count of them */
    uint64_t  leaf_count;
    bool      spoiled;
} outcome;

/* worker_prove.c: a lease that is computed and proved. The witness takes the trace as it is computed. */
typedef struct proving {
    tr_statement statement;
    pv_witness   witness;
} proving;

/* The witness is ready to take the trace. Deinit after every outcome. ERR_LEDGER: the model's fractions do not admit a proof. */
err  tr_wk_proving_init(proving *v, tr_worker *w, const past_lease *p, fault *f) MUST_USE;
void tr_wk_proving_deinit(proving *v);

/* The proof of the outcome (if it is NORMAL, of w->gradient, with this root), appended to `out`. ERR_UNPROVED: the witness is not that of the statement. */
err tr_wk_prove(tr_worker *w, const past_lease *p, proving *v, const outcome *o, const hash256 *root, buf *out, fault *f) MUST_USE;

/* Signed by the coordinator, for this worker, of this job, and possible. */
err tr_wk_read_lease(tr_worker *w, past_lease *p, bytes in, fault *f) MUST_USE;
/* The lease's trace, its leaves, and leaf `leaf` of it. */
err tr_wk_open(tr_worker *w, const past_lease *p, uint64_t leaf, tr_tile *tile, outcome *o, fault *f) MUST_USE;
/* The lease computed and proved again: gradient file (empty for RANGE) and proof, appended. The model is then w->model. */
err tr_wk_again(tr_worker *w, const past_lease *p, buf *gradient, buf *proof, fault *f) MUST_USE;
err tr_wk_lease(tr_worker *w, bytes signed_lease, fault *f) MUST_USE;
/* worker_audit.c: shows the validators what is not there yet. ERR_BUSY: they have not looked at the audit yet; ERR_STATE: it is over. */
err tr_wk_show(tr_worker *w, const past_lease *p, fault *f) MUST_USE;
err tr_wk_open_tile(tr_worker *w, uint64_t lease_id, uint64_t leaf, fault *f) MUST_USE;

#endif
