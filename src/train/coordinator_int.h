/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside of the coordinator. `mu` guards everything below it; the run thread computes and talks to the ledger without it. */
#ifndef TRAIN_COORDINATOR_INT_H
#define TRAIN_COORDINATOR_INT_H

#include "train/coordinator.h"
#include "train/exec.h"
#include "train/gradient.h"
#include "train/journal.h"
#include "train/leases.h"
#include "train/store.h"
#include "train/trace_root.h"

#include <pthread.h>
#include <stdatomic.h>

/* What is known about a lease of the step, beside the book's entry of the same index. */
typedef struct answer {
    uint8_t          *lease, *attestation; /* signed bytes; owned */
    size_t            lease_len, attestation_len;
    chain_lease       terms;
    hash256           lease_hash;
    chain_attestation said;
    hash256           said_hash, file;
    bool              restored;  /* from the journal of an earlier life */
    bool              paid;      /* in that life */
    bool              look;      /* ask the ledger whether it is committed */
    bool              committed;
    uint64_t          commit_height;
    bool              verified;  /* re-executed and right */
    bool              proved;    /* its proof was verified */
    bool              unproved;  /* its proof is none: re-executed for evidence, and never accepted */
    bool              challenged; /* its worker has to open a leaf on the ledger, and may have time left */
    bool              suspect;   /* its worker was caught: re-executed, drawn or not */
} answer;

typedef enum challenge_state { CHALLENGE_NONE, CHALLENGE_TILE, CHALLENGE_ANSWERED } challenge_state;

/* The accused is asked for one leaf of its trace. */
typedef struct challenge {
    challenge_state state;
    uint64_t        lease_id, leaf, want; /* bytes wanted */
    buf             data;
} challenge;

/* Leaf hashes on their way: to disk, and into their root. */
typedef struct leaves_upload {
    bool              open;
    uint64_t          lease_id, want; /* bytes wanted */
    cr_merkle_builder tree;
    tr_store_writer   writer;
} leaves_upload;

typedef struct proof_upload {
    bool            open;
    uint64_t        lease_id;
    tr_store_writer writer;
} proof_upload;

typedef struct member {
    cr_public_key key;
    uint64_t      price, capacity;
    uint64_t      nonce;
    bool          busy;        /* an upload part is being taken in */
    uint64_t      upload_lease;
    tr_gradient_reader *reader; /* NULL: no upload */
    tr_store_writer     writer;
    leaves_upload leaves;
    proof_upload  proof;
    challenge     challenge;
    bool          mute;        /* did not send a tile once: it is asked on the ledger at once */
    tr_worker_status status;
} member;

/* Accepted, in a finished step, not paid yet. */
typedef struct owed {
    uint8_t *lease, *attestation; /* owned */
    size_t   lease_len, attestation_len;
    uint64_t lease_id, step, price;
    hash256  file; /* of the gradient */
    size_t   member;
    bool     look;
    uint64_t refused_height; /* the ledger refused its payment in this block, perhaps only for now; 0: it did not */
    err      refused_code;   /* why */
} owed;

/* A journal record of before the restart. */
typedef struct remembered {
    tr_journal_kind kind;
    uint64_t        step, lease_id;
    uint8_t        *lease, *attestation;
    size_t          lease_len, attestation_len;
    hash256         file;
    bool            paid;
} remembered;

struct tr_coordinator {
    tr_coordinator_config cfg;
    cr_public_key         public_key;
    char                  dir[TR_PATH_MAX], gradients[TR_PATH_MAX], checkpoints[TR_PATH_MAX], evidence[TR_PATH_MAX];
    int                   lock;
    tr_exec               exec;
    uint64_t              elements;
    int64_t              *sum, *part;
    bt_state              state;
    num_fractions         fractions;
    bt_model              model;
    buf                   manifest;
    tr_journal            journal;
    remembered           *past;
    size_t                past_count, past_room;
    bool                  due; /* the step that ended last calls for payment and a checkpoint */
    atomic_bool           stopping;

    pthread_mutex_t mu;
    pthread_cond_t  changed;
    uint8_t         session[TR_SESSION_BYTES];
    uint8_t        *model_file;
    size_t          model_file_len;
    bool            open, done;
    uint64_t        progress_ms;
    tr_book         book;
    answer         *answers; /* book.entry_max of them, one per book entry; they do not move while the step lasts */
    uint64_t        lease_next;
    uint64_t        escrow, owed_total, paid_total;
    owed           *debts;
    size_t          debt_count, debt_room;
    member         *members;
    size_t          member_count;
};

enum { TICK_MS = 50 }; /* who waits looks this often whether it has to stop */

uint64_t tr_coord_now_ms(void);
uint64_t tr_coord_now_us(void);
void     tr_coord_event(const tr_coordinator *c, const tr_event *event);
void     tr_coord_wake(tr_coordinator *c); /* with mu */
/* Waits on `changed`, at most until `until_ms`. With mu. */
void     tr_coord_wait(tr_coordinator *c, uint64_t until_ms);

/* coordinator_ledger.c: the run thread, without mu. */
err tr_coord_look_up(tr_coordinator *c, size_t i, bool *found, fault *f) MUST_USE; /* whether answer i is committed already */
err tr_coord_commit(tr_coordinator *c, fault *f) MUST_USE;  /* answers that are not on the ledger yet */
err tr_coord_pay(tr_coordinator *c, fault *f) MUST_USE;     /* everything owed */
err tr_coord_randomness(tr_coordinator *c, uint64_t height, hash256 *out, fault *f) MUST_USE;
err tr_coord_slash(tr_coordinator *c, const answer *a, bytes evidence, uint64_t *height, fault *f) MUST_USE; /* empty evidence: a challenge was not answered */
err tr_coord_challenge(tr_coordinator *c, const answer *a, uint64_t leaf, uint64_t *height, fault *f) MUST_USE;
err tr_coord_row(tr_coordinator *c, const answer *a, chain_row_lease *row, fault *f) MUST_USE; /* ERR_NOT_FOUND */
err tr_coord_escrow(tr_coordinator *c, uint64_t *out, fault *f) MUST_USE;

err tr_coord_ask_past(tr_coordinator *c, fault *f) MUST_USE; /* which remembered answers of this step are paid for */

/* coordinator_serve.c: the next number of a request's path, which moves on. */
err tr_coord_number(uint64_t *out, const char **path, fault *f) MUST_USE;
/* What a caught worker hears: ERR_STALE while answers of it wait for their verdict, as it may be asked for more tiles, then ERR_CHEAT, which
 * sends it away. With mu. */
err tr_coord_turn_away(const tr_coordinator *c, const member *m, fault *f) MUST_USE;

/* coordinator_answer.c: one request each, path after its first word. */
err tr_coord_take_gradient(tr_coordinator *c, member *m, const tr_request *r, const char *path, buf *reply, fault *f) MUST_USE;
err tr_coord_take_leaves(tr_coordinator *c, member *m, const tr_request *r, const char *path, buf *reply, fault *f) MUST_USE;
err tr_coord_take_proof(tr_coordinator *c, member *m, const tr_request *r, const char *path, buf *reply, fault *f) MUST_USE;
err tr_coord_take_attestation(tr_coordinator *c, member *m, const tr_request *r, buf *reply, fault *f) MUST_USE;
err tr_coord_take_tile(tr_coordinator *c, member *m, const tr_request *r, const char *path, buf *reply, fault *f) MUST_USE;
void tr_coord_drop_uploads(member *m);

/* coordinator_proof.c: the run thread, without mu. Looks at what has come and wants it; returns early when a worker is caught. */
err tr_coord_verify(tr_coordinator *c, fault *f) MUST_USE;
/* Whether the model's fractions admit proofs: ERR_LEDGER. */
err tr_coord_can_prove(const tr_coordinator *c, fault *f) MUST_USE;

/* The answer has to be looked at before it counts, or is committed: what says full is proved; below, what says RANGE is re-executed. */
static inline bool tr_coord_wants_look(const answer *a)
{
    return a->said.level == CHAIN_LEVEL_FULL ? !a->proved && !a->unproved : a->said.result == CHAIN_RESULT_RANGE && !a->verified;
}

/* coordinator_check.c: the run thread, without mu. Draws, re-executes, decides. */
err tr_coord_check(tr_coordinator *c, size_t i, fault *f) MUST_USE; /* re-executes answer i; accepts it if nothing else is missing, or convicts */
err tr_coord_judge(tr_coordinator *c, bool *idle, fault *f) MUST_USE; /* *idle: nothing but challenges is waited for */
/* An answer that does not count: its range goes to another worker, or stays with the coordinator (`own`). */
err tr_coord_dismiss(tr_coordinator *c, size_t i, bool own, err code, fault *f) MUST_USE;
void tr_coord_recompute(tr_coordinator *c, const answer *a, tr_task *out);

/* coordinator_challenge.c: the run thread, without mu. The leaf of the accused, whose hash it uploaded, from the worker or from the ledger, into
 * m->challenge.data. ERR_BUSY: it was challenged on the ledger, and a->challenged is set. `good` says whether what came can be used. */
typedef err (*tr_coord_tile_fn)(void *ctx, bytes tile, fault *f);
err tr_coord_tile(tr_coordinator *c, member *m, answer *a, const tr_place *place, const hash256 *hash, tr_coord_tile_fn good,
                  void *ctx, fault *f) MUST_USE;
/* What became of the challenge: `opened` (check again), `spoiled`, or neither: the worker has time left. */
err tr_coord_follow(tr_coordinator *c, answer *a, bool *opened, bool *spoiled, fault *f) MUST_USE;

/* coordinator_state.c */
err  tr_coord_restore(tr_coordinator *c, fault *f) MUST_USE;     /* checkpoint or fresh start, journal */
err  tr_coord_replay_step(tr_coordinator *c, fault *f) MUST_USE; /* answers' memory, and the journal's into the new book; with mu */
err  tr_coord_checkpoint(tr_coordinator *c, fault *f) MUST_USE;
err  tr_coord_journal(tr_coordinator *c, tr_journal_kind kind, uint64_t lease_id, const answer *a, fault *f) MUST_USE; /* with mu */
void tr_coord_forget_step(tr_coordinator *c);                    /* book and answers; with mu */
err  tr_coord_ban(tr_coordinator *c, const cr_public_key *worker, fault *f) MUST_USE; /* for good: survives a restart */
bool tr_coord_was_banned(const tr_coordinator *c, const cr_public_key *worker);
/* The gradient and the leaf hashes (`count` of them; owned by the caller) that the worker uploaded, from their files, compared with the attested
 * roots. ERR_NOT_FOUND and the like if a file did not survive. */
err  tr_coord_uploaded(tr_coordinator *c, const answer *a, int64_t *values, fault *f) MUST_USE;
err  tr_coord_leaves(tr_coordinator *c, const answer *a, uint64_t count, hash256 **out, fault *f) MUST_USE;

/* Index in answers and book.entries; -1: none. With mu. */
int64_t tr_coord_find_hash(const tr_coordinator *c, const hash256 *lease_hash);
int64_t tr_coord_find_id(const tr_coordinator *c, uint64_t lease_id);

#endif
