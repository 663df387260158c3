/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_WORKER_INT_H
#define TRAIN_WORKER_INT_H

#include "train/exec.h"
#include "train/gradient.h"
#include "train/store.h"
#include "train/trace_root.h"
#include "train/worker.h"

#include <stdatomic.h>

/* Leases whose trace may still be asked for. The trace itself is computed again then: only the lease is kept. */
typedef struct past_lease {
    uint8_t     *signed_lease; /* owned; NULL: free place */
    size_t       len;
    chain_lease  lease;
    chain_signed s;
} past_lease;

enum { WORKER_PAST = 64 };

struct tr_worker {
    tr_worker_config cfg;
    cr_public_key    public_key;
    char             cache[TR_PATH_MAX];
    atomic_bool      stopping;
    uint64_t         nonce;
    tr_session       session;
    bool             ready;
    tr_dataset       data;
    tr_exec          exec;
    bt_model         model; /* the one of model.id, once downloaded */
    bool             has_model;
    uint64_t         elements;
    int64_t         *gradient;
    past_lease       past[WORKER_PAST];
    size_t           past_next;
};

void     tr_wk_event(const tr_worker *w, const tr_worker_event *event);
uint64_t tr_wk_now_ms(void);
bool     tr_wk_transient(err e);
void     tr_wk_forget(past_lease *p);

err tr_wk_call(tr_worker *w, const char *method, const char *path, bytes body, uint32_t wait_ms, uint64_t reply_max, buf *reply,
                fault *f) MUST_USE;
err tr_wk_insist(tr_worker *w, const char *method, const char *path, bytes body, uint64_t reply_max, buf *reply, fault *f) MUST_USE;
err tr_wk_download(tr_worker *w, const char *kind, const hash256 *id, uint64_t size_max, buf *out, fault *f) MUST_USE;
err tr_wk_session(tr_worker *w, fault *f) MUST_USE;

/* worker_lease.c */
err tr_wk_lease(tr_worker *w, bytes signed_lease, fault *f) MUST_USE;
err tr_wk_open_tile(tr_worker *w, uint64_t lease_id, uint64_t leaf, fault *f) MUST_USE;

#endif
