/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests only: coordinator and workers over a real chain (chain_kit.h) and real models, in one process: workers are threads whose
 * transport is a function call. */
#ifndef TRAIN_NET_KIT_H
#define TRAIN_NET_KIT_H

#include "train/coordinator.h"

#include "base/port/file.h"
#include "chain/chain_kit.h"
#include "numerics/data.h"
#include "train/dir_kit.h"
#include "train/dispute.h"
#include "train/store.h"
#include "train/worker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

enum { BATCH = 8, STEPS = 4, CONTEXT = 16, WORKERS_MAX = 3, FIRST_WORKER = 1 };

static tr_dataset data;
static num_shape  shape;
static uint64_t   net_salt; /* another job id, and so other sequences */
static uint8_t    net_level = CHAIN_LEVEL_REFEREED; /* of the job */

static inline void nap_ms(long ms)
{
    nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

/* --- ledger --------------------------------------------------------------------------------------------------------------- */

typedef struct net {
    kit             kit;
    pthread_mutex_t mu;
    hash256         job;
    unsigned        fail_every; /* every n-th submission is carried out, but its answer is lost */
    unsigned        submissions;
    chain_tx_type   refuse_type; /* the next `refuse_count` of this type that the coordinator sends never get into a block: refuse_code */
    err             refuse_code;
    unsigned        refuse_count;
    uint64_t        refuse_height; /* or they fail in this block */
    bool            closed;      /* the job says so */
    unsigned        slashes;
    unsigned        challenges;
    uint8_t         opened[64][NUM_LEAF_BYTES_MAX]; /* leaves that workers opened */
    size_t          opened_len[64], opened_count;
    unsigned        audit_calls; /* above 0: the coordinator sees audits. The first question fails, the second finds one open, then it ends */
    const atomic_uint *others; /* if not NULL, only once so many are counted there: */
    unsigned        others_want;
} net;

/* A worker's own hand on it. */
typedef struct net_hand {
    net     *net;
    unsigned who;
    tr_ledger face;
} net_hand;

static inline err referee(bytes evidence, const chain_dispute *d, fault *f)
{
    static pf_evidence e; /* the net's lock is held */
    pf_verdict v;
    pf_statement s = tr_dispute_statement(d->lease, d->attestation);
    TRY(pf_evidence_decode(&e, evidence, f));
    return pf_referee_check(&v, &e, &s, f);
}

static inline err net_height(void *ctx, uint64_t *out)
{
    net *n = ctx;
    pthread_mutex_lock(&n->mu);
    *out = chain_head(n->kit.c)->height;
    pthread_mutex_unlock(&n->mu);
    return OK;
}

static inline err net_job(void *ctx, const hash256 *job, chain_row_job *out)
{
    net *n = ctx;
    pthread_mutex_lock(&n->mu);
    const chain_row_job *row = chain_job(n->kit.c, job);
    if (row)
        *out = *row;
    if (row && n->closed)
        out->status = CHAIN_JOB_COMPLETE;
    pthread_mutex_unlock(&n->mu);
    return row ? OK : ERR_NOT_FOUND;
}

static inline err net_lease(void *ctx, const hash256 *job, uint64_t id, chain_row_lease *out)
{
    net *n = ctx;
    pthread_mutex_lock(&n->mu);
    const chain_row_lease *row = chain_lease_row(n->kit.c, job, id);
    if (row)
        *out = *row;
    if (row && row->challenge_height)
        kit_advance(&n->kit, 1); /* time passes for who waits */
    pthread_mutex_unlock(&n->mu);
    return row ? OK : ERR_NOT_FOUND;
}

static inline err net_submit_as(net *n, unsigned who, const chain_tx *tx, uint64_t *height, fault *f)
{
    pthread_mutex_lock(&n->mu);
    chain_tx t = kit_tx(&n->kit, who, tx->type, 0);
    t.payload = tx->payload;
    t.fee_max = 100000000;
    err e = kit_run(&n->kit, &t, who);
    *height = chain_head(n->kit.c)->height;
    n->slashes += e == OK && tx->type == CHAIN_TX_SLASH;
    n->challenges += e == OK && tx->type == CHAIN_TX_TRACE_CHALLENGE;
    if (e == OK && tx->type == CHAIN_TX_TRACE_OPEN) {
        bytes leaf = tx->payload.trace_open.tile;
        assert_true(n->opened_count < 64);
        n->opened_len[n->opened_count] = leaf.len;
        memcpy(n->opened[n->opened_count++], leaf.data, leaf.len);
    }
    bool lost = n->fail_every && ++n->submissions % n->fail_every == 0;
    pthread_mutex_unlock(&n->mu);
    if (lost)
        return (fail)(f, ERR_TIMEOUT, "the answer was lost", 0);
    return e == OK ? OK : (fail)(f, e, n->kit.result.txs[0].what ? n->kit.result.txs[0].what : "transaction", 0);
}

static inline err net_submit(void *ctx, const chain_tx *tx, uint64_t *height, fault *f)
{
    net *n = ctx;
    pthread_mutex_lock(&n->mu);
    bool refuse = n->refuse_count && tx->type == n->refuse_type;
    n->refuse_count -= refuse;
    pthread_mutex_unlock(&n->mu);
    *height = n->refuse_height;
    if (refuse)
        return (fail)(f, n->refuse_code, "tx", 0);
    return net_submit_as(ctx, KIT_COORDINATOR, tx, height, f);
}

static inline err net_opened(void *ctx, const hash256 *job, uint64_t id, uint64_t height, const hash256 *hash, buf *leaf, fault *f)
{
    net *n = ctx;
    (void)job, (void)id, (void)height;
    pthread_mutex_lock(&n->mu);
    err e = (fail)(f, ERR_NOT_FOUND, "opening", 0);
    for (size_t i = 0; i < n->opened_count && e != OK; i++) {
        hash256 h = cr_merkle_leaf(&cr_merkle_blake3, bytes_of(n->opened[i], n->opened_len[i]));
        if (hash256_equal(&h, hash))
            e = buf_put(leaf, n->opened[i], n->opened_len[i]);
    }
    pthread_mutex_unlock(&n->mu);
    return e;
}

static inline err hand_height(void *ctx, uint64_t *out)
{
    return net_height(((net_hand *)ctx)->net, out);
}

static inline err hand_job(void *ctx, const hash256 *job, chain_row_job *out)
{
    return net_job(((net_hand *)ctx)->net, job, out);
}

static inline err hand_lease(void *ctx, const hash256 *job, uint64_t id, chain_row_lease *out)
{
    return net_lease(((net_hand *)ctx)->net, job, id, out);
}

static inline err hand_submit(void *ctx, const chain_tx *tx, uint64_t *height, fault *f)
{
    net_hand *h = ctx;
    return net_submit_as(h->net, h->who, tx, height, f);
}

static inline err net_randomness(void *ctx, uint64_t height, hash256 *out, fault *f)
{
    net *n = ctx;
    pthread_mutex_lock(&n->mu);
    if (chain_head(n->kit.c)->height <= height)
        kit_advance(&n->kit, 1);
    const chain_row_beacon *b = chain_beacon(n->kit.c, height + 1);
    if (b)
        *out = b->randomness;
    pthread_mutex_unlock(&n->mu);
    return b ? OK : (fail)(f, ERR_NOT_FOUND, "beacon", height);
}

static inline err net_audit(void *ctx, const hash256 *job, uint64_t id, chain_row_audit *out)
{
    net *n = ctx;
    pthread_mutex_lock(&n->mu);
    const chain_row_audit *row = chain_audit_row(n->kit.c, job, id);
    if (row)
        *out = *row;
    bool open = row && row->status == CHAIN_AUDIT_OPEN, blind = open && n->audit_calls++ == 1;
    assert_true(n->audit_calls < 500); /* what it waits for does not come */
    if (open && n->audit_calls > 2 && (!n->others || atomic_load(n->others) >= n->others_want)) {
        chain_tx tx = kit_audit_verdict(&n->kit, KIT_PRODUCER, job, id, 0);
        assert_int_equal(kit_run(&n->kit, &tx, KIT_PRODUCER), OK);
    }
    pthread_mutex_unlock(&n->mu);
    return blind ? ERR_UNREACHABLE : row ? OK : ERR_NOT_FOUND;
}

static inline tr_ledger net_face(net *n)
{
    return (tr_ledger){ .ctx = n, .height = net_height, .job = net_job, .lease = net_lease, .submit = net_submit, .opened = net_opened,
                        .randomness = net_randomness, .audit = n->audit_calls ? net_audit : NULL, .open_window = chain_param_value(n->kit.c, CHAIN_PARAM_OPEN_WINDOW),
                        .claim_delay = chain_param_value(n->kit.c, CHAIN_PARAM_CLAIM_DELAY) };
}

/* hand->net and hand->who are set. */
static inline const tr_ledger *net_hand_face(net_hand *hand)
{
    hand->face = net_face(hand->net);
    hand->face.ctx = hand;
    hand->face.audit = NULL;
    hand->face.height = hand_height;
    hand->face.job = hand_job;
    hand->face.lease = hand_lease;
    hand->face.submit = hand_submit;
    return &hand->face;
}

/* Long enough for whoever checks, in blocks that come as fast as they are asked for. */
static inline void long_claims(chain_genesis *g)
{
    g->params.v[CHAIN_PARAM_CLAIM_DELAY] = 2000;
    g->params.v[CHAIN_PARAM_OPEN_WINDOW] = 100;
    g->params.v[CHAIN_PARAM_AUDIT_WINDOW] = 200;
    g->params.v[CHAIN_PARAM_AUDIT_VERDICT] = 20;
    g->params.v[CHAIN_PARAM_WORKER_UNBOND] = 240;
    g->params.v[CHAIN_PARAM_CLAIM_WINDOW] = 2400;
}

static inline void net_start(net *n, uint32_t sample_ppm)
{
    memset(n, 0, sizeof *n);
    pthread_mutex_init(&n->mu, NULL);
    kit_start(&n->kit, long_claims);
    chain_free(n->kit.c);
    n->kit.config.referee = referee;
    n->kit.config.trace_leaf = tr_dispute_leaf;
    assert_int_equal(chain_new(&n->kit.c, &n->kit.config, bytes_of(n->kit.genesis, n->kit.genesis_len), NULL), OK);
    chain_tx tx = kit_tx(&n->kit, 0, CHAIN_TX_JOB_POST, 0);
    tx.payload.job_post = (chain_tx_job_post){
        .coordinator = kit_public(KIT_COORDINATOR), .dataset_manifest_cid = data.cid, .model_parameters = num_parameter_count(&shape),
        .width = shape.width, .layers = shape.layers, .heads = shape.heads, .context = shape.context, .vocabulary = shape.vocab,
        .operand_bits = 12, .batch_size = BATCH, .steps = STEPS, .learning_rate_ppb = 1000000 + net_salt, .determinism_seed = 7,
        .gradient_format = 1, .max_batch_latency_blocks = 10, .max_batch_latency_ms = 50000, .sequences_total = BATCH * STEPS,
        .price = 1000, .price_sequences = 4, .level_min = net_level, .sample_ppm = sample_ppm,
        .escrow = 250 * BATCH * STEPS, .expiry_height = 5000, .required_backends = CHAIN_BACKEND_CPU,
    };
    assert_int_equal(kit_run(&n->kit, &tx, 0), OK);
    n->job = n->kit.last_id;
    for (unsigned w = 0; w < WORKERS_MAX; w++)
        kit_add_worker(&n->kit, FIRST_WORKER + w, &n->job);
}

static inline void net_stop(net *n)
{
    fault f;
    assert_int_equal(chain_audit(n->kit.c, &f), OK);
    kit_stop(&n->kit);
    pthread_mutex_destroy(&n->mu);
}

/* --- a job and its workers ------------------------------------------------------------------------------------------------ */

typedef struct seen {
    atomic_uint events[TR_EVENT_LEDGER + 1];
    atomic_uint caught, proved, unproved, refused, paid_ok, stop_after; /* stop the coordinator after so many submissions; 0: never */
    tr_coordinator *coordinator;
    atomic_uint judged_count; /* leases that were accepted, or re-executed and found wrong */
    uint64_t    judged[1024];
    atomic_uint drawn_count; /* leases that the sample drew */
    uint64_t    drawn[1024];
    atomic_uint accepted_by[WORKERS_MAX];
    atomic_uint own;         /* ranges that the coordinator computed itself */
    atomic_uint turned_away; /* workers that heard that they were caught */
    void      (*also)(const tr_event *e); /* what else listens to the coordinator; may be NULL */
    atomic_uint spoiled_count; /* leases that the cheat says it spoiled, perhaps more than once */
    uint64_t    spoiled[1024];
} seen;

static inline void on_event(void *ctx, const tr_event *e)
{
    seen *s = ctx;
    unsigned n = atomic_fetch_add(&s->events[e->kind], 1) + 1;
    if (e->kind == TR_EVENT_CHECKED && e->code == ERR_CHEAT)
        atomic_fetch_add(&s->caught, 1);
    if (e->kind == TR_EVENT_PROVED)
        atomic_fetch_add(e->code == OK ? &s->proved : &s->unproved, 1);
    if (e->kind == TR_EVENT_SAMPLED)
        s->drawn[atomic_fetch_add(&s->drawn_count, 1) % 1024] = e->lease_id;
    for (unsigned i = 0; e->kind == TR_EVENT_ACCEPTED && i < WORKERS_MAX; i++) {
        cr_public_key key = kit_public(FIRST_WORKER + i);
        atomic_fetch_add(&s->accepted_by[i], memcmp(e->worker, &key, sizeof key) == 0);
    }
    if (e->kind == TR_EVENT_REJECTED)
        atomic_fetch_add(&s->own, (unsigned)e->at);
    if (e->kind == TR_EVENT_ACCEPTED || (e->kind == TR_EVENT_CHECKED && e->code == ERR_CHEAT))
        s->judged[atomic_fetch_add(&s->judged_count, 1) % 1024] = e->lease_id;
    if (e->kind == TR_EVENT_PAID && e->code == OK)
        atomic_fetch_add(&s->paid_ok, 1);
    if (s->also)
        s->also(e);
    if (e->kind == TR_EVENT_SUBMITTED && atomic_load(&s->stop_after) && n == atomic_load(&s->stop_after))
        tr_coordinator_stop(s->coordinator);
}

static inline void on_worker_event(void *ctx, const tr_worker_event *e)
{
    seen *s = ctx;
    atomic_fetch_add(&s->turned_away, e->kind == TR_WORKER_TROUBLE && e->code == ERR_CHEAT);
    if (e->kind == TR_WORKER_SPOILED)
        s->spoiled[atomic_fetch_add(&s->spoiled_count, 1) % 1024] = e->lease_id;
}

/* What the last worker does beside its cheat, on its way to the coordinator. */
typedef enum lie {
    LIE_NOTHING,
    LIE_RANGE,    /* says RANGE of an element that is inside its domain */
    LIE_NO_CHECK, /* says RANGE of an element that no check looks at */
    LIE_NO_TILE,  /* does not send the tile that it is asked for */
    LIE_LEVEL,    /* attests its right answer at level refereed */
    LIE_EARLY,    /* first tries to attest without its proof, then with another proof's hash */
    LIE_PROOF,    /* alters one byte of its proof, and attests that */
    LIE_REPLAY,   /* sends the proof of its first lease again and again */
    IS_LIED_TO,   /* hears of each answer that it was refused */
} lie;

struct line;

typedef struct setup {
    net            *net;
    const char     *dir;
    uint32_t        sample_ppm, per_lease, split, checkpoint_steps;
    unsigned        workers;
    tr_cheat        cheat;      /* of the last worker */
    lie             lie;
    bool            watches;    /* workers have a ledger and answer challenges there */
    void          (*face)(tr_ledger *f); /* what else that ledger can do; may be NULL */
    bool            silent;     /* it takes leases and never answers */
    const int32_t  *master;     /* start weights, or NULL */
    unsigned        lose_every; /* answers to workers that get lost; 0: none */
    unsigned        stop_after;
    bool            lose_files; /* what workers uploaded does not survive a life */
    uint32_t        patience_ms, lease_ms;
    err           (*between)(void *ctx, struct line *l, const tr_request *r, buf *reply, fault *f); /* of the last worker; NULL: nothing */
    void           *between_ctx;
} setup_t;

/* The line to the coordinator; NULL: nobody listens. */
typedef struct line line;

struct line {
    pthread_rwlock_t lock;
    tr_coordinator  *coordinator;
    bool             deaf;      /* answers of this worker get lost on the way */
    lie              lie;
    unsigned         who;
    hash256          job;
    uint64_t         from;      /* of the lease it has */
    uint8_t         *proof;     /* LIE_PROOF, LIE_REPLAY: what was sent instead; owned */
    size_t           proof_len;
    char             proof_path[TR_URL_MAX];
    seen            *seen;
    unsigned         calls, lose_every;
    err            (*between)(void *ctx, line *l, const tr_request *r, buf *reply, fault *f); /* serves requests as it likes; NULL: nothing does */
    void            *between_ctx;
};

static inline void note_lease(line *l, bytes reply)
{
    tr_work work;
    chain_lease lease;
    chain_signed s;
    if (tr_work_decode(&work, reply, NULL) == OK && work.kind == TR_WORK_LEASE && chain_lease_decode(&lease, &s, work.lease, NULL) == OK)
        l->from = lease.from;
}

static inline tr_addressee net_addressee(hash256 job, const uint8_t session[TR_SESSION_BYTES])
{
    tr_addressee to = { .job = job, .coordinator = kit_public(KIT_COORDINATOR) };
    memcpy(to.session, session, TR_SESSION_BYTES);
    return to;
}

/* The attestation as it should not have been, and the request signed anew. */
static inline void tell_lie(const line *l, tr_request *r, uint8_t room[2048], char auth[TR_AUTH_BYTES])
{
    chain_attestation a;
    chain_signed s;
    tr_auth old;
    cr_secret_key key = kit_key(l->who);
    assert_int_equal(chain_attestation_decode(&a, &s, r->body, NULL), OK);
    assert_int_equal(tr_auth_parse(&old, r->auth, NULL), OK);
    if (l->lie == LIE_LEVEL) {
        a.level = CHAIN_LEVEL_REFEREED;
        memset(&a.proof, 0, sizeof a.proof);
    } else if (l->lie == LIE_PROOF || l->lie == LIE_REPLAY) {
        a.proof = cr_blake3_hash(bytes_of(l->proof, l->proof_len));
    } else {
        a.result = CHAIN_RESULT_RANGE;
        a.range_tensor = NUM_TENSOR_ID(1, l->lie == LIE_RANGE ? NUM_QQ : NUM_EE);
        a.range_sequence = l->from;
        a.range_index = 5;
        a.loss = 0;
        memset(&a.gradient, 0, sizeof a.gradient);
    }
    assert_int_equal(chain_attestation_sign(&r->body, room, 2048, &a, &key, NULL, NULL), OK);
    tr_addressee to = net_addressee(l->job, old.session);
    tr_auth_sign(auth, &key, &to, old.nonce, r);
    r->auth = auth;
}

/* The request with that nonce, signed anew. */
static inline void sign_again(const line *l, tr_request *r, uint64_t nonce, char auth[TR_AUTH_BYTES])
{
    tr_auth old;
    cr_secret_key key = kit_key(l->who);
    assert_int_equal(tr_auth_parse(&old, r->auth, NULL), OK);
    tr_addressee to = net_addressee(l->job, old.session);
    tr_auth_sign(auth, &key, &to, nonce ? nonce : old.nonce, r);
    r->auth = auth;
}

static inline void keep_proof_of(line *l, const tr_request *r)
{
    free(l->proof);
    l->proof = malloc(r->body.len);
    l->proof_len = r->body.len;
    memcpy(l->proof, r->body.data, r->body.len);
}

/* Another proof instead of the one in `r`, which comes in one part; the request signed anew. */
static inline void tell_proof(line *l, tr_request *r, char auth[TR_AUTH_BYTES])
{
    if (l->lie == LIE_PROOF || !l->proof)
        keep_proof_of(l, r);
    if (l->lie == LIE_PROOF)
        l->proof[l->proof_len / 2] ^= 1;
    r->body = bytes_of(l->proof, l->proof_len);
    sign_again(l, r, 0, auth);
}

/* LIE_EARLY. The proof is held back until an attestation without it was refused; then one that names another proof is. Nonces are spread, to leave room
 * for what is sent beside. */
static inline err early(line *l, const tr_request *r, buf *reply, fault *f)
{
    char    auth[TR_AUTH_BYTES];
    uint8_t room[2048];
    tr_auth old;
    tr_request sent = *r;
    assert_int_equal(tr_auth_parse(&old, r->auth, NULL), OK);
    if (strncmp(r->path, TR_PATH_PREFIX "proof", strlen(TR_PATH_PREFIX "proof")) == 0) {
        keep_proof_of(l, r);
        snprintf(l->proof_path, sizeof l->proof_path, "%s", r->path);
        return tr_count_encode(reply, r->body.len);
    }
    if (strcmp(r->path, TR_PATH_PREFIX "attestation") == 0) {
        chain_attestation a;
        chain_signed s;
        cr_secret_key key = kit_key(l->who);
        sign_again(l, &sent, 8 * old.nonce - 3, auth);
        assert_int_equal(tr_coordinator_serve(l->coordinator, &sent, reply, NULL), ERR_STATE);
        tr_request proof = { .method = "PUT", .path = l->proof_path, .auth = r->auth, .body = bytes_of(l->proof, l->proof_len) };
        sign_again(l, &proof, 8 * old.nonce - 2, auth);
        assert_int_equal(tr_coordinator_serve(l->coordinator, &proof, reply, NULL), OK);
        reply->len = 0;
        assert_int_equal(chain_attestation_decode(&a, &s, r->body, NULL), OK);
        a.proof.b[0] ^= 1;
        tr_request false_hash = *r;
        assert_int_equal(chain_attestation_sign(&false_hash.body, room, sizeof room, &a, &key, NULL, NULL), OK);
        sign_again(l, &false_hash, 8 * old.nonce - 1, auth);
        assert_int_equal(tr_coordinator_serve(l->coordinator, &false_hash, reply, NULL), ERR_HASH);
        atomic_fetch_add(&l->seen->refused, 2);
    }
    sent = *r;
    sign_again(l, &sent, 8 * old.nonce, auth);
    return tr_coordinator_serve(l->coordinator, &sent, reply, f);
}

static inline err line_call(void *ctx, const tr_request *r, uint32_t wait_ms, uint64_t reply_max, buf *reply, fault *f)
{
    line *l = ctx;
    (void)wait_ms;
    (void)reply_max;
    uint8_t room[2048];
    char auth[TR_AUTH_BYTES];
    tr_request sent = *r;
    if (l->lie == LIE_NO_TILE && strncmp(r->path, TR_PATH_PREFIX "tile", strlen(TR_PATH_PREFIX "tile")) == 0)
        return tr_count_encode(reply, 0); /* the worker believes that it was taken */
    if ((l->lie == LIE_EARLY || l->between) && r->auth && l->coordinator) {
        pthread_rwlock_rdlock(&l->lock);
        err e = l->coordinator && l->between ? l->between(l->between_ctx, l, r, reply, f) : l->coordinator ? early(l, r, reply, f) : (fail)(f, ERR_UNREACHABLE, "line", 0);
        pthread_rwlock_unlock(&l->lock);
        return e;
    }
    if ((l->lie == LIE_PROOF || l->lie == LIE_REPLAY) && strncmp(r->path, TR_PATH_PREFIX "proof", strlen(TR_PATH_PREFIX "proof")) == 0)
        tell_proof(l, &sent, auth);
    if (l->lie != LIE_NOTHING && l->lie != LIE_NO_TILE && l->lie != LIE_EARLY && l->lie != IS_LIED_TO && strcmp(r->path, TR_PATH_PREFIX "attestation") == 0)
        tell_lie(l, &sent, room, auth);
    pthread_rwlock_rdlock(&l->lock);
    err e = l->coordinator ? tr_coordinator_serve(l->coordinator, &sent, reply, f) : (fail)(f, ERR_UNREACHABLE, "line", 0);
    if (e == ERR_LEVEL)
        atomic_fetch_add(&l->seen->refused, 1);
    if (e == OK && strcmp(r->path, TR_PATH_PREFIX "work") == 0)
        note_lease(l, buf_bytes(reply));
    if (e == OK && l->deaf && strcmp(r->method, "PUT") == 0)
        e = (fail)(f, ERR_PERMISSION, "line: cut", 0);
    if (e == OK && l->lie == IS_LIED_TO && strcmp(r->path, TR_PATH_PREFIX "attestation") == 0)
        e = (fail)(f, ERR_STALE, "line: a lie", 0);
    if (e == OK && l->lose_every && ++l->calls % l->lose_every == 0) {
        reply->len = 0;
        e = (fail)(f, ERR_TIMEOUT, "line: answer lost", 0);
    }
    pthread_rwlock_unlock(&l->lock);
    return e;
}

typedef struct crew {
    line       line[WORKERS_MAX];
    dir_kit    cache[WORKERS_MAX];
    tr_worker *worker[WORKERS_MAX];
    pthread_t  thread[WORKERS_MAX];
    err        result[WORKERS_MAX];
    net_hand   hand[WORKERS_MAX];
    unsigned   count;
} crew;

typedef struct crew_arg {
    crew    *crew;
    unsigned index;
} crew_arg;

static crew_arg crew_args[WORKERS_MAX];

static inline void *work(void *arg)
{
    crew_arg *a = arg;
    fault f = { 0 };
    a->crew->result[a->index] = tr_worker_run(a->crew->worker[a->index], &f);
    return NULL;
}

static inline chain_row_job net_row(net *n)
{
    chain_row_job row;
    assert_int_equal(net_job(n, &n->job, &row), OK);
    return row;
}

static inline void crew_start(crew *c, const setup_t *s, seen *seen_events)
{
    memset(c, 0, sizeof *c);
    c->count = s->workers;
    for (unsigned i = 0; i < c->count; i++) {
        pthread_rwlock_init(&c->line[i].lock, NULL);
        c->cache[i] = dir_kit_make();
        bool last = i + 1 == c->count;
        c->line[i].deaf = last && s->silent;
        c->line[i].lie = last ? s->lie : LIE_NOTHING;
        c->line[i].between = last ? s->between : NULL;
        c->line[i].between_ctx = s->between_ctx;
        c->line[i].who = FIRST_WORKER + i;
        c->line[i].seen = seen_events;
        c->line[i].job = s->net->job;
        c->line[i].lose_every = s->lose_every ? s->lose_every + i : 0;
        tr_worker_config k = { .transport = { &c->line[i], line_call }, .key = kit_key(FIRST_WORKER + i), .job = s->net->job,
                               .row = net_row(s->net), .price = 1000, .expiry_blocks_min = 10, .cache = c->cache[i].path, .threads = 1, .split = i,
                               .wait_ms = 200, .on_event = on_worker_event, .event_ctx = seen_events };
        c->hand[i] = (net_hand){ .net = s->net, .who = FIRST_WORKER + i };
        if (s->watches)
            k.ledger = net_hand_face(&c->hand[i]);
        if (s->watches && s->face)
            s->face(&c->hand[i].face);
        if (last)
            k.cheat = s->cheat;
        assert_int_equal(chain_name_set(&k.chain_id, bytes_of_str("kit-dev")), OK);
        assert_int_equal(tr_worker_new(&c->worker[i], &k, NULL), OK);
        crew_args[i] = (crew_arg){ c, i };
        assert_int_equal(pthread_create(&c->thread[i], NULL, work, &crew_args[i]), 0);
    }
}

static inline void crew_connect(crew *c, tr_coordinator *to)
{
    for (unsigned i = 0; i < c->count; i++) {
        pthread_rwlock_wrlock(&c->line[i].lock);
        c->line[i].coordinator = to;
        pthread_rwlock_unlock(&c->line[i].lock);
    }
}

static inline void crew_stop(crew *c)
{
    for (unsigned i = 0; i < c->count; i++)
        tr_worker_stop(c->worker[i]);
    for (unsigned i = 0; i < c->count; i++) {
        pthread_join(c->thread[i], NULL);
        tr_worker_free(c->worker[i]);
        dir_kit_remove(&c->cache[i]);
        pthread_rwlock_destroy(&c->line[i].lock);
        free(c->line[i].proof);
    }
}

static inline tr_coordinator *coordinator_start(const setup_t *s, seen *seen_events)
{
    tr_coordinator_config k = {
        .dir = s->dir, .data = &data, .ledger = net_face(s->net), .key = kit_key(KIT_COORDINATOR), .job = s->net->job, .shape = shape,
        .determinism_seed = 7, .schedule = { 800000, 2, STEPS }, .batch_size = BATCH, .steps = STEPS, .price_sequences = 4,
        .level_min = net_level, .sample_ppm = s->sample_ppm, .expiry_height = 5000, .sequences_per_lease = s->per_lease,
        .lease_blocks = 1000, .lease_ms = s->lease_ms ? s->lease_ms : s->silent ? 700 : 20000, .challenge_ms = s->lie == LIE_NO_TILE ? 300 : 10000, .patience_ms = s->patience_ms,
        .checkpoint_steps = s->checkpoint_steps, .master = s->master, .threads = 1, .split = s->split, .on_event = on_event, .event_ctx = seen_events,
    };
    tr_coordinator *c;
    fault f = { 0 };
    assert_int_equal(chain_name_set(&k.chain_id, bytes_of_str("kit-dev")), OK);
    err e = tr_coordinator_new(&c, &k, &f);
    if (e != OK)
        fail_msg("%s: %s", err_describe(e)->name, f.what);
    for (unsigned i = 0; i < s->workers; i++) {
        cr_public_key key = kit_public(FIRST_WORKER + i);
        assert_int_equal(tr_coordinator_admit(c, &key, 1000, 8, NULL), OK);
    }
    seen_events->coordinator = c;
    atomic_store(&seen_events->stop_after, s->stop_after);
    return c;
}

/* Runs the job to its end, through as many lives as it takes. Returns the state id. */
static inline hash256 run_job(const setup_t *s, seen *seen_events, unsigned *lives)
{
    crew hands;
    setup_t now = *s;
    hash256 id;
    *lives = 0;
    memset(seen_events, 0, sizeof *seen_events);
    crew_start(&hands, s, seen_events);
    for (;;) {
        fault f = { 0 };
        tr_coordinator *c = coordinator_start(&now, seen_events);
        atomic_store(&seen_events->events[TR_EVENT_SUBMITTED], 0);
        ++*lives;
        crew_connect(&hands, c);
        err e = tr_coordinator_run(c, &f);
        if (e != OK && e != ERR_INTERRUPTED && e != s->net->refuse_code)
            fail_msg("%s: %s at %llu", err_describe(e)->name, f.what, (unsigned long long)f.at);
        if (e == OK && !s->silent)
            nap_ms(80); /* workers hear that it is done */
        crew_connect(&hands, NULL);
        id = tr_coordinator_state_id(c);
        if (e == OK)
            assert_int_equal(tr_coordinator_state(c)->step, STEPS);
        tr_coordinator_free(c);
        if (e == OK)
            break;
        if (s->lose_files) {
            char gradients[TR_PATH_MAX];
            assert_int_equal(tr_store_name(gradients, s->dir, "gradients", NULL), OK);
            tr_store_clear(gradients);
        }
        now.stop_after = now.stop_after < 30 ? now.stop_after + 2 : 0;
    }
    crew_stop(&hands);
    return id;
}

/* The same training without any network: what all of it must come to. */
static inline hash256 reference(const hash256 *job, const int32_t *master)
{
    tr_exec e;
    bt_state state;
    bt_model model;
    num_fractions fractions;
    uint64_t n = num_parameter_count(&shape);
    int64_t *g = malloc(n * 8), loss;
    bt_schedule schedule = { 800000, 2, STEPS };
    assert_int_equal(tr_exec_init(&e, &shape, 2, 0, NULL), OK);
    assert_int_equal(bt_state_init(&state, &shape, 7, NULL), OK);
    if (master)
        memcpy(state.master, master, n * sizeof *master);
    assert_int_equal(bt_model_init(&model, &shape, NULL), OK);
    for (uint64_t step = 0; step < STEPS; step++) {
        bt_result result = { 0 };
        do {
            state.retries += result.range;
            if (bt_state_calibrates(&state)) {
                uint64_t numbers[NUM_CALIBRATION_SEQUENCES];
                uint16_t tokens[NUM_CALIBRATION_SEQUENCES * (CONTEXT + 1)];
                uint32_t count = num_calibration_sequences(numbers, job, step, state.retries, tr_dataset_windows(&data, CONTEXT));
                for (uint32_t i = 0; i < count; i++)
                    tr_dataset_sequence(tokens + i * (CONTEXT + 1), &data, job, numbers[i], CONTEXT);
                bt_batch batch = { .job_id = *job, .step = step, .count = count, .sequences = numbers, .tokens = tokens };
                assert_int_equal(bt_gpt_calibrate(e.gpt, &fractions, state.master, &batch, state.retries, NULL), OK);
            }
            assert_int_equal(bt_state_publish(&state, &fractions, &model, bt_gpt_tables(e.gpt), NULL), OK);
            tr_task task = { &model, &data, *job, step, step * BATCH, (step + 1) * BATCH };
            assert_int_equal(tr_exec_run(&e, &task, g, &loss, &result, NULL, NULL), OK);
        } while (result.range);
        assert_int_equal(bt_state_update(&state, &fractions, g, BATCH * CONTEXT, &schedule), OK);
    }
    hash256 id = bt_state_id(&state, &model);
    bt_model_deinit(&model);
    bt_state_deinit(&state);
    tr_exec_deinit(&e);
    free(g);
    return id;
}

static inline int net_setup(void **state)
{
    (void)state;
    enum { LEN = 20000 };
    static const char words[] = "in the beginning was the word and the word was with time and all of it was good, ";
    uint8_t *text = malloc(LEN);
    uint32_t s = 5;
    for (size_t i = 0; i < LEN; i++) {
        s = s * 1664525u + 1013904223u;
        /* A symbol so rare that calibration often does not see it. */
        text[i] = i % 97 == 50 ? (uint8_t)'Z' : (uint8_t)words[(i * 7 + (s >> 29)) % (sizeof words - 1)];
    }
    assert_int_equal(tr_dataset_from_text(&data, bytes_of(text, LEN), TR_TOKENIZER_CHAR, CONTEXT, NULL), OK);
    free(text);
    shape = (num_shape){ .vocab = data.manifest.vocab, .context = CONTEXT, .width = 32, .layers = 2, .heads = 2, .bits = 12,
                         .helper = NUM_NARROW };
    return 0;
}

static inline int net_teardown(void **state)
{
    (void)state;
    tr_dataset_deinit(&data);
    return 0;
}

/* A receipt that the worker keeps, in static memory. */
static inline chain_receipt kept_receipt(const char *cache, unsigned index)
{
    struct dirent *entry;
    char path[TR_PATH_MAX];
    static uint8_t room[8192];
    buf file;
    chain_receipt items[64];
    size_t count;
    DIR *d = opendir(cache);
    assert_non_null(d);
    while ((entry = readdir(d)) != NULL && (strncmp(entry->d_name, "receipt-", 8) != 0 || index--))
        continue;
    assert_non_null(entry);
    assert_int_equal(tr_store_name(path, cache, entry->d_name, NULL), OK);
    closedir(d);
    buf_init(&file, sizeof room);
    assert_int_equal(base_file_read(&file, path, NULL), OK);
    memcpy(room, file.data, file.len);
    assert_int_equal(chain_receipts_decode(items, &count, bytes_of(room, file.len), NULL), OK);
    buf_deinit(&file);
    return items[0];
}

static inline void assert_all_paid(net *n)
{
    const chain_row_job *job = chain_job(n->kit.c, &n->job);
    assert_int_equal(job->sequences_paid, BATCH * STEPS);
    assert_int_equal(job->escrow, 0);
}

#endif
