/* SPDX-License-Identifier: Apache-2.0
 *
 * What a coordinator tells its node for the four blocktorch methods: how far the job is, what was checked, what each worker computed. It
 * informs and decides nothing. */
#ifndef APPS_JOB_LIVE_H
#define APPS_JOB_LIVE_H

#include "apps/job_spec.h"
#include "apps/ledger.h"
#include "train/coordinator.h"

#include <pthread.h>

enum { TB_LIVE_WORKERS_MAX = 256 }; /* more than any job matches; of the rest nothing is told */

typedef struct tb_job_live {
    const tb_job_spec *spec; /* borrowed */
    hash256            job;
    pthread_mutex_t    lock; /* guards what follows */
    uint64_t           steps, sampled, matched, differing;
    int64_t            loss_first, loss; /* mean of a step, 2^-16 nats */
    size_t             workers;
    struct {
        cr_public_key key;
        uint64_t      tokens, busy_ms; /* of paid leases, since the last report */
    } worker[TB_LIVE_WORKERS_MAX];
} tb_job_live;

void tb_job_live_init(tb_job_live *l, const tb_job_spec *spec, const hash256 *job);
void tb_job_live_deinit(tb_job_live *l);

/* From the coordinator's event handler, any thread. */
void tb_job_live_note(tb_job_live *l, const tr_event *e);

/* Sends it: now and then, and at the end. A node that does not take it is not worth a word. */
void tb_job_live_send(tb_job_live *l, tb_ledger *ledger);

#endif
