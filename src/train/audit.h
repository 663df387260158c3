/* SPDX-License-Identifier: Apache-2.0
 *
 * Audits of proved leases (spec/audit.md): what is shown to the validators, how it is named and sent, and the verdict that follows from it.
 * Worker, validator and test run this same code. */
#ifndef TRAIN_AUDIT_H
#define TRAIN_AUDIT_H

#include "base/port/pool.h"
#include "chain/lease.h"
#include "chain/state.h"
#include "numerics/config.h"

typedef enum tr_shown { TR_SHOWN_MODEL, TR_SHOWN_TOKENS, TR_SHOWN_GRADIENT, TR_SHOWN_PROOF, TR_SHOWN_KINDS } tr_shown;

const char *tr_shown_name(tr_shown kind); /* "model", "tokens", "gradient", "proof" */

/* What the audit is about, as the ledger has it: hashes and signatures are checked. */
typedef struct tr_audited {
    chain_row_job     job;
    chain_lease       lease;
    hash256           lease_hash;
    chain_attestation attestation;
} tr_audited;

/* Whether a model of this shape, number of weights and all, is what the job is about. */
bool tr_shape_is_of_job(const num_shape *s, const chain_row_job *j);

/* The longest content of a kind; 0: the kind is not wanted. */
uint64_t tr_shown_bytes_max(const tr_audited *a, tr_shown kind);

/* Bytes that an audit of the lease may cost a validator: the longest contents of all kinds, of worker and coordinator, and model and gradient as they
 * are held to verify. Of `a`, job and range of the lease are read. At most LIMIT_AUDIT_BYTES less a fourth, for all that the ledger admits. */
uint64_t tr_audit_bytes_max(const tr_audited *a);

typedef enum tr_finding {
    TR_FOUND_VALID,   /* the proof verifies */
    TR_FOUND_FALSE,   /* it does not, or there is nothing that could be proved: the error and the fault say why */
    TR_FOUND_MISSHOWN,/* a content does not have its name: it says nothing about the lease. f->at: its kind */
    TR_FOUND_NOTHING, /* this machine failed */
} tr_finding;

/* Whether an error that the verifier, or what makes its statement, can return says something about the lease: every other one, whatever it is, is
 * this machine's. */
bool tr_audit_refutes(err e);

/* Verifies the lease with what is shown (empty where a kind is not wanted). */
tr_finding tr_audit_verify(const tr_audited *a, const bytes shown[TR_SHOWN_KINDS], base_pool *pool, fault *f) MUST_USE;

/* --- sending ------------------------------------------------------------------------------------------------------------------ */

#define TR_AUDIT_PREFIX "/v1/audit/"

enum { TR_PUSH_URL_MAX = 256, TR_PUSH_AUTH_BYTES = 64 + 1 + 128 + 1 /* hex of key and signature; with the final NUL */ };

/* A part of a content on its way to a validator; with `total` 0 the question how much of it is there. */
typedef struct tr_push {
    hash256       job;
    uint64_t      lease_id;
    tr_shown      kind;
    uint64_t      at, total; /* bytes before this part; of the whole content */
    bytes         body;
    cr_public_key key;
    cr_signature  signature;
} tr_push;

/* Sets key and signature. */
void tr_push_sign(tr_push *p, const chain_name *chain_id, const cr_secret_key *key);
err  tr_push_verify(const tr_push *p, const chain_name *chain_id, fault *f) MUST_USE; /* ERR_SIGNATURE */

/* The path of the request, and its query parameter `auth`. */
void tr_push_write(char url[TR_PUSH_URL_MAX], char auth[TR_PUSH_AUTH_BYTES], const tr_push *p);
/* From the path behind TR_AUDIT_PREFIX, and `auth` (may be NULL). ERR_SYNTAX. The body is the caller's. */
err  tr_push_read(tr_push *p, const char *rest, const char *auth, fault *f) MUST_USE;

#endif
