/* SPDX-License-Identifier: Apache-2.0
 *
 * The buyer's process: from a job on the ledger to trained weights, payments and receipts. */
#ifndef APPS_JOB_RUN_H
#define APPS_JOB_RUN_H

#include "apps/job_spec.h"
#include "apps/train_ledger.h"

#include <stdatomic.h>

typedef struct tb_job_options {
    const tb_home       *home;
    const tb_ledger_options *node;
    const cr_secret_key *buyer;  /* pays, and is the job's coordinator key */
    const tb_job_spec   *spec;   /* opened */
    const tr_dataset    *data;
    hash256              job;
    uint16_t             port;
    uint32_t             bids;      /* to wait for before matching */
    uint32_t             wait_s;
    unsigned             threads;
    uint64_t             bundle_steps; /* keep the model of every so many steps in jobs/JOB/bundle; 0: none */
    const atomic_bool   *stop;      /* becomes true: ends with ERR_INTERRUPTED, nothing is lost */
    void (*say)(void *ctx, const char *line); /* a line for people; may be NULL */
    void (*progress)(void *ctx, uint64_t step, uint64_t steps, double loss_nats);
    void *ctx;
} tb_job_options;

typedef struct tb_job_result {
    uint64_t steps, leases_paid, paid_nblock, sampled, matched, differing, slashed, receipts;
    tb_sent  sent;           /* after an error: the transaction that the ledger refused, if that was it */
    double   loss_nats;      /* of the last step */
    hash256  state_id;
    char     receipts_dir[TB_PATH_MAX];
    char     evidence[TB_PATH_MAX]; /* newest evidence file; "" if there was no cheat */
} tb_job_result;

/* Waits for bids, matches those that are open, trains to the end, closes the job, writes a receipt for every paid lease into
 * jobs/JOB/receipts of the home. Run again with the same job it goes on where it was. */
err tb_job_run(tb_job_result *out, const tb_job_options *o, fault *f) MUST_USE;

#endif
