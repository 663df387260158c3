/* SPDX-License-Identifier: Apache-2.0
 *
 * The coordinator's ledger (train/ledger.h) over a node's RPC. Rows are read as their canonical bytes, with the node's word for them; the
 * connections are two, so that asking for the height never waits behind a submission. */
#ifndef APPS_TRAIN_LEDGER_H
#define APPS_TRAIN_LEDGER_H

#include "apps/ledger.h"
#include "crypto/ed25519.h"
#include "train/ledger.h"

#include <pthread.h>

typedef struct tb_train_ledger {
    tb_ledger       main;   /* the coordinator's own thread */
    tb_ledger       quick;  /* heights, under the lock */
    pthread_mutex_t lock;
    double          height_at; /* when the height was asked last, seconds */
    tb_sent         sent;   /* the newest transaction; after an error, what the ledger said of it */
    cr_secret_key   buyer;  /* pays fees and signs; a copy, wiped by close */
} tb_train_ledger;

err  tb_train_ledger_open(tb_train_ledger *l, const tb_home *home, const tb_ledger_options *options, const cr_secret_key *buyer,
                          fault *f) MUST_USE;
void tb_train_ledger_close(tb_train_ledger *l);

/* The face for the coordinator; valid while *l is. */
tr_ledger tb_train_ledger_face(tb_train_ledger *l);

/* A state row as its record. ERR_NOT_FOUND if absent. */
err tb_ledger_row(tb_ledger *l, void *row, chain_table table, bytes key, fault *f) MUST_USE;

#endif
