/* SPDX-License-Identifier: Apache-2.0
 *
 * The network of `tb demo`: keys, genesis, a node process, accounts, a job that is posted, bid for and matched. Everything goes through
 * the same transactions and processes as on a real network; only the keys come from the demo's seed. */
#ifndef APPS_DEMO_NET_H
#define APPS_DEMO_NET_H

#include "apps/ledger.h"
#include "apps/job_spec.h"
#include "chain/state.h"

#include <sys/types.h>

typedef enum demo_who { DEMO_PRODUCER, DEMO_ISSUER, DEMO_BUYER, DEMO_WORKER_A, DEMO_WORKER_B, DEMO_WORKER_C, DEMO_ACCOUNTS } demo_who;

enum { DEMO_WORKERS = 3 };

typedef struct demo_account {
    const char   *name;
    cr_secret_key secret;
    cr_public_key key;
    cr_address    address;
    char          text[CR_ADDRESS_TEXT_MAX];
} demo_account;

typedef struct demo_net {
    tb_home      home;
    uint64_t     seed;
    demo_account account[DEMO_ACCOUNTS];
    hash256      genesis;
    chain_name   chain_id;
    pid_t        node;
    int          lock;    /* of the folder, kept by every child; -1: none */
    int          life[2]; /* a pipe whose end tells the children that this process is gone */
    tb_ledger    ledger;
} demo_net;

/* Makes keys, genesis and the node process in `home` (which must be new), and waits until it answers. Before it, `lock` and `life`
 * are set (-1: none); after it, whatever it returned, demo_net_stop closes them. */
err  demo_net_start(demo_net *n, const tb_home *home, uint64_t seed, fault *f) MUST_USE;
/* Stops the node process; wipes the keys. */
void demo_net_stop(demo_net *n);

/* KYC for buyer, worker A and worker C (B stays a visitor, who pays the tariff); bonds and capabilities of the workers. */
err demo_net_people(demo_net *n, uint64_t max_parameters, fault *f) MUST_USE;

typedef struct demo_job {
    tb_job_spec spec; /* price, escrow and expiry are set by demo_net_job, like what follows */
    hash256     id;
    uint64_t    quote, expiry_height;
    uint64_t    bid[DEMO_WORKERS];
} demo_job;

/* Posts the job, lets the three workers bid, accepts their bids. */
err demo_net_job(demo_net *n, demo_job *job, const tr_dataset *data, fault *f) MUST_USE;

/* Closes the job when all of it is paid: the rest of the escrow goes back. */
err demo_net_close_job(demo_net *n, const demo_job *job, fault *f) MUST_USE;

/* What everybody has, and whether it adds up: balances and all purses = minted - burned. */
typedef struct demo_books {
    uint64_t         balance[DEMO_ACCOUNTS], sum;
    chain_row_supply supply;
    bool             balanced;
} demo_books;

/* Audits that the ledger's randomness drew (spec/audit.md), as they stand. */
typedef struct demo_audits {
    uint64_t open, valid, other;
} demo_audits;

err demo_net_audits(demo_net *n, demo_audits *a, fault *f) MUST_USE;
err demo_net_books(demo_net *n, demo_books *b, fault *f) MUST_USE;

/* The folder of a demo that names none: demo in the data directory, or demo-2 and so on while others run. What an earlier run left
 * there is removed. *lock is the caller's. ERR_BUSY if too many run. */
err demo_home_take(tb_home *out, int *lock, fault *f) MUST_USE;

/* This program with arguments (NULL-terminated, without the program's name); output to /dev/null, errors to `log`. It must look at
 * --until-eof. */
err demo_spawn(demo_net *n, pid_t *out, const char *const *args, const char *log, fault *f) MUST_USE;
/* SIGTERM, then SIGKILL after a while; reaps it. */
void demo_reap(pid_t *pid);

#endif
