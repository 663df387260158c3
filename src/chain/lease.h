/* SPDX-License-Identifier: Apache-2.0
 *
 * Leases and attestations (DESIGN 8, spec/tx.md "Leases"). Wire form of both: array [body, signature] where body is the
 * tagged record below; the signature covers the body's bytes, that is every field and the domain tag. The lease is signed by
 * the job's coordinator key, the attestation by the worker key that the lease names. */
#ifndef CHAIN_LEASE_H
#define CHAIN_LEASE_H

#include "chain/record.h"
#include "chain/tx.h"

/* [body, signature] of any tagged record: leases, attestations and headers share it. */
typedef struct chain_signed {
    bytes        body; /* a view of what was signed */
    hash256      hash; /* SHA-256 of it */
    cr_signature signature;
} chain_signed;

err chain_signed_write(bytes *out, uint8_t *buffer, size_t cap, const chain_record *r, const void *object,
                       const cr_secret_key *secret, hash256 *hash, fault *f) MUST_USE;
err chain_signed_read(chain_signed *s, const chain_record *r, void *object, bytes in, fault *f) MUST_USE;
/* ERR_SIGNATURE */
err chain_signed_verify(const chain_signed *s, const cr_public_key *key) MUST_USE;

enum { CHAIN_LEASE_VERSION = 1, CHAIN_ATTESTATION_VERSION = 1, CHAIN_SPEC_VERSION = 1 };

/* Sequences are numbered over the whole job: step s trains [s * batch_size, (s+1) * batch_size). A lease lies inside one step. */
typedef struct chain_lease {
    uint32_t      version;
    chain_name    chain_id;
    hash256       job;
    uint64_t      lease_id;      /* unique within the job */
    uint64_t      step;
    uint64_t      from, to;      /* [from, to), 1 to LIMIT_LEASE_SEQUENCES sequences of the job */
    hash256       model;         /* model id that the gradient is taken at */
    hash256       tokens;        /* root over the tokens of the range (spec/tx.md "Leases"), so that a referee knows them */
    cr_public_key worker;
    uint64_t      price;         /* nBLOCK for the whole range */
    uint8_t       level_min;     /* chain_level */
    uint64_t      expiry_height; /* last block at which an answer counts */
} chain_lease;

typedef enum chain_result {
    CHAIN_RESULT_NORMAL = 0,
    CHAIN_RESULT_RANGE = 1, /* a value left its table at (range_tensor, range_sequence, range_index): the defined result of the step */
} chain_result;

typedef struct chain_attestation {
    uint32_t version;
    hash256  lease;         /* chain_lease_hash of the lease's body */
    hash256  gradient;      /* gradient root (spec/gradient-wire.md): over tiles, so that one element can be disputed; zero for RANGE */
    hash256  trace_root;
    hash256  proof;         /* BLAKE3 of the proof; zero at level refereed */
    uint8_t  level;         /* chain_level */
    uint32_t spec_version;
    int64_t  loss;          /* sum over the tokens, in 2^-16 bits (spec/numerics.md section 4); 0 for RANGE */
    uint64_t tokens;
    uint64_t computation_time_ms; /* informative, never sets pay */
    uint8_t  result;        /* chain_result */
    uint32_t range_tensor;  /* zero for NORMAL */
    uint64_t range_sequence; /* of the lease; zero for NORMAL */
    uint64_t range_index;    /* row-major in the tensor of that sequence; zero for NORMAL */
} chain_attestation;

extern const chain_record chain_lease_record;
extern const chain_record chain_attestation_record;

/* Encode the fields, sign, and write [body, signature]. What decode would refuse is refused here. ERR_LIMIT if it does not fit. */
err chain_lease_sign(bytes *out, uint8_t *buffer, size_t cap, const chain_lease *lease, const cr_secret_key *coordinator,
                     hash256 *hash, fault *f) MUST_USE;
err chain_attestation_sign(bytes *out, uint8_t *buffer, size_t cap, const chain_attestation *attestation,
                           const cr_secret_key *worker, hash256 *hash, fault *f) MUST_USE;

/* Canonical form, bounds, and the rules between fields (range not empty, proof hash zero exactly at refereed, RANGE fields).
 * Signatures are not checked here. */
err chain_lease_decode(chain_lease *out, chain_signed *s, bytes in, fault *f) MUST_USE;
err chain_attestation_decode(chain_attestation *out, chain_signed *s, bytes in, fault *f) MUST_USE;

/* What an attestation must satisfy against its lease: H(lease), level, spec version. */
err chain_attestation_matches(const chain_attestation *a, const chain_lease *lease, const hash256 *lease_hash, fault *f) MUST_USE;

/* Whether this pair is the one of a ledger row with these hashes, under both signatures. The hashes are of bodies: a transaction that was refused
 * may stand in the same block with the same bodies under other signatures, and is of no use to anybody. */
bool chain_receipt_is(const chain_receipt *r, const hash256 *lease_hash, const hash256 *attestation_hash, const cr_public_key *coordinator);

/* Whether the lease is in the sample: the first 64 bits of H("theblock/sample/v1", randomness, lease hash), as a fraction, lie
 * below rate_ppm. `randomness` is that of the first block after the one that holds the trace commitment. */
bool chain_sample_selected(const hash256 *randomness, const hash256 *lease_hash, uint32_t rate_ppm);
/* The same for audits, with the tag "theblock/audit/v1" (spec/audit.md). */
bool chain_audit_selected(const hash256 *randomness, const hash256 *lease_hash, uint32_t rate_ppm);

#endif
