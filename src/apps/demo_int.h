/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of `tb demo`: cmd_demo.c leads through it, demo_run.c trains, demo_show.c is the screen and the JSON, demo_notes.c what is
 * remembered of each lease, demo_net.c the network. */
#ifndef APPS_DEMO_INT_H
#define APPS_DEMO_INT_H

#include "apps/cli.h"
#include "apps/demo_net.h"
#include "apps/demo_notes.h"
#include "apps/job_live.h"
#include "apps/term.h"
#include "apps/train_http.h"
#include "apps/train_ledger.h"
#include "train/coordinator.h"
#include "train/exec.h"

#include <pthread.h>
#include <stdatomic.h>

enum { DEMO_CHEAT_RATE_PPM = 100000, DEMO_SAMPLE_PPM = 250000 };

typedef struct demo {
    const tb_cli   *cli;
    term            term;
    demo_net        net;
    demo_job        job;
    tr_dataset      data;
    const char     *data_name;
    tb_train_ledger ledger;
    tr_coordinator *coordinator;
    tb_train_server *server;
    tb_job_live     live;
    pid_t           worker[DEMO_WORKERS];
    tr_exec         exec; /* validation and samples */
    bool            full; /* level */
    double          started;

    /* Told by the coordinator's events, read by the screen. */
    pthread_mutex_t lock;
    uint64_t        leases_paid, sampled, checked_ok;
    uint64_t        proved, unproved, proof_bytes, verify_us; /* level full; the last two of all proofs that verified */
    char            relation[128]; /* that failed first */
    demo_notes      notes;
    double         *losses;
    size_t          n_losses;
    uint64_t        undrawn; /* spoiled, not drawn, accepted and paid: what a sampled check lets pass */
    bool            caught, slashed;
    uint64_t        caught_step, caught_lease, redone_lease;
    size_t          caught_worker;
    err             evidence_code;
    char            evidence[TB_PATH_MAX];

    pthread_t       thread;
    _Atomic bool    done;
    err             run_code;
    fault           run_fault;
    bool            told_caught; /* the screen's own */
    uint64_t        told_tenths;
} demo;

typedef struct demo_result {
    double     before, after, unigram, bigram, seconds; /* validation of the first and last model; of the text */
    size_t     receipts;
    char       receipt_dir[TB_PATH_MAX];
    uint64_t   compute_us, prove_us; /* of all leases, by the workers */
    hash256    state_id;
    demo_books books;
    demo_audits audits;
} demo_result;

err    demo_go_on(fault *f) MUST_USE; /* ERR_INTERRUPTED after Ctrl-C */
const atomic_bool *demo_stop_flag(void); /* true after it */
size_t demo_worker_index(const demo *d, const cr_public_key *key); /* DEMO_WORKERS: none of them */

/* --- the run, in this order --------------------------------------------------------------------------------------------- */

err demo_start_coordinator(demo *d, fault *f) MUST_USE;
err demo_measure_start(demo *d, double *loss, fault *f) MUST_USE; /* and shows a sample */
err demo_start_workers(demo *d, fault *f) MUST_USE;
err demo_train(demo *d, fault *f) MUST_USE;
err demo_bundle_dir(char out[TB_PATH_MAX], const demo *d, fault *f) MUST_USE; /* what the receipts of the last step refer to */
void demo_read_times(const demo *d, demo_result *r); /* from the workers' logs */
err demo_write_receipts(demo *d, demo_result *r, fault *f) MUST_USE;
err demo_measure_end(demo *d, double *loss, fault *f) MUST_USE;

/* --- the screen: silent with --json ------------------------------------------------------------------------------------- */

void demo_show_begin(const demo *d, const tb_home *home);
void demo_show_network(const demo *d);
void demo_show_accounts(const demo *d);
void demo_show_job(const demo *d);
void demo_show_training(const demo *d);
void demo_show_sample(const demo *d, const char *label, double loss, const uint8_t *text, size_t len);
void demo_show_progress(demo *d);
void demo_show_losses(const demo *d);
void demo_show_cheat(const demo *d);
void demo_show_books(const demo *d, const demo_books *b);
void demo_show_receipt(const demo *d, size_t count);
void demo_show_end(const demo *d, const demo_result *r); /* or the JSON document */

#endif
