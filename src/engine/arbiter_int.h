/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_ARBITER_INT_H
#define ENGINE_ARBITER_INT_H

#include "engine/arbiter.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    ARBITER_AUDITS = 128,  /* handled at once; more wait */
    ARBITER_RESERVED = 32, /* of them, for drawn leases alone: who opens disputes cannot hide what was drawn */
    ARBITER_SHARE = 4,     /* and one part in so many of the bytes */
    ARBITER_MISSHOWN = 3,  /* contents of a wrong name that one side may send of a kind */
    ARBITER_PATH = 1024,
};

/* Who shows: each has a place of its own. */
typedef enum side { SIDE_WORKER, SIDE_COORDINATOR, SIDES } side;

typedef struct place {
    uint64_t have, total; /* total 0: nothing was sent */
    bool     complete;
    uint32_t misshown;
} place;

/* An open audit. */
typedef struct audit {
    bool       used;
    hash256    job;
    uint64_t   lease_id;
    tr_audited about;
    bool       drawn;
    uint64_t   bytes;      /* of the budget, until it is forgotten: the most that can be shown of it, and what to verify it takes */
    bool       deaf;       /* this machine failed to take in what was shown */
    uint64_t   met_height; /* head when this process began to take in what is shown */
    uint64_t   open_height;
    bool       done;       /* this validator has voted, or cannot */
    uint64_t   again_height; /* something failed: not tried again before this head */
    bool       judged;     /* what was shown is verified; the verdict is below, and still to be sent */
    err        code;
    char       relation[65]; /* a name: no spaces, and at most 64 characters */
    place      places[SIDES][TR_SHOWN_KINDS];
} audit;

struct eng_arbiter {
    eng_solo           *engine;
    char                dir[ARBITER_PATH - 160];
    cr_secret_key       secret;
    cr_public_key       key;
    cr_address          address;
    chain_name          chain_id;
    base_pool          *pool;
    eng_arbiter_options options;
    uint64_t            window, push_window, verdict_window; /* parameters of the network, as they are in this round; of the thread */
    uint64_t            bytes_max;
    size_t              validator;   /* place of the key in the genesis */
    size_t              next_lease;  /* lease rows below it were looked at: drawn or not */
    atomic_size_t       next_audit;  /* audit rows below it are done with for good: a verdict, or no time to open them again */
    uint64_t            open_again_height, close_again_height; /* as again_height, of what is sent without a place */
    pthread_t           thread;
    bool                running;
    atomic_bool         stopping;
    pthread_mutex_t     mu;          /* of audits[] and the files of their places that are not complete */
    audit               audits[ARBITER_AUDITS];
};

/* arbiter_intake.c */
audit *arbiter_find(eng_arbiter *a, const hash256 *job, uint64_t lease_id);                        /* under mu; NULL */
void   arbiter_place_path(char out[ARBITER_PATH], const eng_arbiter *a, const audit *u, side s, tr_shown kind);
void   arbiter_drop_place(eng_arbiter *a, audit *u, side s, tr_shown kind, bool misshown);           /* under mu */
void   arbiter_drop_files(eng_arbiter *a, const audit *u);

/* arbiter_look.c: what the ledger's rows call for, apart from what is shown. */
void arbiter_open_drawn(eng_arbiter *a);  /* opens the audits of what was drawn, also once more */
void arbiter_meet(eng_arbiter *a);        /* gives open audits a place, drawn ones first */
bool arbiter_close_one(eng_arbiter *a);   /* ends one that got no verdict, whoever judged it; false: there is none */
bool arbiter_has_voted(const eng_arbiter *a, const chain_row_audit *row);

/* arbiter_ledger.c */
void     arbiter_tell(const eng_arbiter *a, eng_arbiter_event_kind kind, const hash256 *job, uint64_t lease_id, err code, const char *what);
uint64_t arbiter_height(const eng_arbiter *a); /* of the head */
/* The signed lease and attestation of a row, from a transaction of block `height`, appended; *lease_len is where the attestation begins. */
err arbiter_find_receipt(eng_arbiter *a, uint64_t height, const hash256 *job, const chain_row_lease *row, buf *out, size_t *lease_len,
                         fault *f) MUST_USE;
/* Signs, sends and waits. The ledger's own verdict, or ERR_TIMEOUT and so on. */
err arbiter_send(eng_arbiter *a, chain_tx *tx, fault *f) MUST_USE;

#endif
