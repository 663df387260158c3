/* SPDX-License-Identifier: Apache-2.0
 *
 * The referee: one element of re-execution decides a dispute (spec/evidence.md). Evidence names one element of a lease's trace
 * and opens the tiles that it is made of; it holds if every tile lies under the root that the worker signed or the model's
 * weight root, and the spec's relation gives another value than the worker's. Integers only, no memory of its own, total on
 * hostile bytes. This is the one header of tensors and proofs that `chain` may see. */
#ifndef PROOF_REFEREE_H
#define PROOF_REFEREE_H

#include "base/bytes.h"
#include "base/limits.h"

enum { PF_OPENINGS_MAX = 128 };

/* What is not an element of the trace: PF_GRADIENT + index of a weight tensor is the lease's gradient of it, PF_LOSS the attested loss
 * (element 0), PF_LEAF a leaf of the trace that is not formed like one (element: its index). */
enum { PF_GRADIENT = 65536, PF_LOSS = 2 * PF_GRADIENT, PF_LEAF };

/* Consecutive leaves under one root: their elements without heads and padding (of a tile the little-endian elements that lie
 * inside the tensor), and the siblings of crypto/merkle.h's range proof, 32 bytes each. Views. */
typedef struct pf_opening {
    uint64_t first;
    bytes    elements, siblings;
} pf_opening;

typedef struct pf_evidence {
    bytes      lease, attestation; /* the signed structures, as the chain encodes them; opaque here */
    bytes      model;              /* the model header (numerics/model_header.h) */
    uint32_t   tensor;             /* id of numerics section 7, or one of the above */
    uint64_t   sequence, element;  /* global number (any of the lease for a sum over it); row-major index in the tensor */
    uint32_t   trace_count, weight_count, gradient_count, tokens_count; /* the last two <= 1 */
    pf_opening trace[PF_OPENINGS_MAX], weight[PF_OPENINGS_MAX], gradient;
    pf_opening tokens;             /* of consecutive sequences: T + 1 le16 each, under the lease's tokens root */
} pf_evidence;

/* At most LIMIT_EVIDENCE_BYTES of canonical CBOR; on failure *out is unspecified and the fault names the field. */
err pf_evidence_decode(pf_evidence *out, bytes file, fault *f) MUST_USE;
err pf_evidence_encode(uint8_t *out, size_t cap, const pf_evidence *evidence, bytes *view) MUST_USE; /* ERR_LIMIT */

/* What the signed lease and attestation say; the caller has decoded them and checked the signatures. */
typedef struct pf_statement {
    hash256  job_id, model_id, trace_root;
    hash256  gradient_root;  /* over the tiles of numerics/trace.h; looked at for gradients only */
    hash256  tokens_root;    /* of the lease, one leaf a sequence */
    int64_t  loss;           /* attested */
    uint64_t step, from, to; /* global sequence numbers [from, to) */
    bool     range;          /* attested result: RANGE(range_tensor, range_sequence, range_index) */
    uint32_t range_tensor;
    uint64_t range_sequence, range_index;
} pf_statement;

typedef struct pf_verdict {
    uint32_t tensor;
    uint64_t sequence, element;
    int64_t  committed;      /* what the worker's trace says; 0 if RANGE was attested */
    bool     expected_range; /* the right value leaves its domain */
    int64_t  expected;
} pf_verdict;

/* OK: the evidence holds, the attested result is wrong. ERR_EVIDENCE: everything opens, but the worker is right about this
 * element, or nothing is attested about it, or an input is missing or is itself outside its range (then dispute that one). ERR_HASH:
 * another model; ERR_PROOF: something does not open; other codes name the field. */
err pf_referee_check(pf_verdict *out, const pf_evidence *evidence, const pf_statement *statement, fault *f) MUST_USE;

#endif
