/* SPDX-License-Identifier: Apache-2.0
 *
 * What coordinator and worker say to each other (spec/training-network.md). The transport is HTTP, mounted by the application; here a
 * request is a method, a path, an authenticator and a body, and an answer is a body or a typed error. All bodies are canonical CBOR. */
#ifndef TRAIN_WIRE_H
#define TRAIN_WIRE_H

#include "base/buf.h"
#include "chain/record.h"
#include "crypto/ed25519.h"
#include "numerics/config.h"

#define TR_PATH_PREFIX "/v1/train/"

enum {
    TR_SESSION_BYTES = 16,
    TR_AUTH_BYTES = 64 + 1 + 32 + 1 + 16 + 1 + 128 + 1, /* hex of key, session, nonce, signature; with the final NUL */
    TR_URL_MAX = 192,
};

typedef struct tr_request {
    const char *method; /* "GET", "PUT", "POST" */
    const char *path;   /* "/v1/train/..." without a query */
    const char *auth;   /* NULL: none. Travels as the query parameter `auth` */
    bytes       body;
} tr_request;

/* The worker's way to the coordinator. OK: the answer's body is appended to `reply`. Otherwise the coordinator's typed error, or
 * ERR_UNREACHABLE, ERR_TIMEOUT. The call may take wait_ms longer than usual. */
typedef struct tr_transport {
    void *ctx;
    err (*call)(void *ctx, const tr_request *request, uint32_t wait_ms, uint64_t reply_max, buf *reply, fault *f);
} tr_transport;

/* The first 2 len (at most 128) characters of `text` as bytes: false if they are no hex, or fewer. */
bool tr_take_hex(uint8_t *out, size_t len, const char *text);

/* Whom a request is meant for. A worker takes job and coordinator from the ledger, not from who answers. */
typedef struct tr_addressee {
    hash256       job;
    cr_public_key coordinator;
    uint8_t       session[TR_SESSION_BYTES];
} tr_addressee;

/* A request is signed by the worker's key over addressee, nonce, method, path and body. The session is the coordinator's, new at
 * every start; nonces of a key go up. So a recorded request is worth nothing a second time, or elsewhere: another coordinator can choose the
 * same session, and not the same job and key. */
typedef struct tr_auth {
    cr_public_key key;
    uint8_t       session[TR_SESSION_BYTES];
    uint64_t      nonce;
    cr_signature  signature;
} tr_auth;

void tr_auth_sign(char out[TR_AUTH_BYTES], const cr_secret_key *key, const tr_addressee *to, uint64_t nonce, const tr_request *request);
/* ERR_SYNTAX "auth". */
err tr_auth_parse(tr_auth *out, const char *text, fault *f) MUST_USE;
/* ERR_STALE "auth.session" of another session, ERR_SIGNATURE "auth.signature". */
err tr_auth_verify(const tr_auth *a, const tr_addressee *me, const tr_request *request, fault *f) MUST_USE;

/* Answer to GET session: what a worker must know. Whoever sends it, leases are believed only under the coordinator's key, which the
 * worker compares with the job's on the ledger. */
typedef struct tr_session {
    uint8_t       id[TR_SESSION_BYTES];
    chain_name    chain_id;
    hash256       job;
    cr_public_key coordinator;
    hash256       dataset; /* manifest */
    num_shape     shape;
    uint64_t      batch_size, steps;
    uint32_t      spec_version, gradient_version;
} tr_session;

err tr_session_encode(buf *out, const tr_session *s) MUST_USE;
err tr_session_decode(tr_session *out, bytes in, fault *f) MUST_USE;

/* Answer to POST work. */
typedef enum tr_work_kind {
    TR_WORK_WAIT = 0,   /* nothing now: ask again */
    TR_WORK_LEASE = 1,  /* `lease`: a signed lease */
    TR_WORK_TILE = 2,   /* send leaf `leaf` of the trace of `lease_id` */
    TR_WORK_DONE = 3,   /* the job has ended */
} tr_work_kind;

typedef struct tr_work {
    tr_work_kind kind;
    bytes        lease; /* view */
    uint64_t     lease_id, leaf;
} tr_work;

err tr_work_encode(buf *out, const tr_work *w) MUST_USE;
err tr_work_decode(tr_work *out, bytes in, fault *f) MUST_USE;

/* [total, piece]: a part of a download. */
err tr_part_encode(buf *out, uint64_t total, bytes piece) MUST_USE;
err tr_part_decode(uint64_t *total, bytes *piece, bytes in, fault *f) MUST_USE;

/* [n]: how far an upload has come. */
err tr_count_encode(buf *out, uint64_t n) MUST_USE;
err tr_count_decode(uint64_t *n, bytes in, fault *f) MUST_USE;

#endif
