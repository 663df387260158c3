/* SPDX-License-Identifier: Apache-2.0
 *
 * The verifier of a gradient's proof (spec/proof.md). Total on hostile bytes: a typed error that names the relation, in time and memory that the
 * statement bounds. */
#ifndef PROOF_VERIFY_H
#define PROOF_VERIFY_H

#include "proof/soundness.h"

/* The parts of a proof, in order (section 12). */
typedef enum pf_part_of_proof { PF_OF_HEADER, PF_OF_ROWS, PF_OF_LOOKUPS, PF_OF_PRODUCTS, PF_OF_GRADIENT, PF_OF_CLAIMS, PF_OF_OPENING, PF_OF_PARTS } pf_part_of_proof;

typedef struct pf_report {
    uint64_t bytes[PF_OF_PARTS]; /* of each part; zero from the one in which a proof fails */
    uint64_t leaves, cells; /* lookups and committed cells; zero, as all that follows, unless the proof verifies */
    uint64_t proof_bytes;
    uint32_t instances, products, claims, rows;
    pf_soundness soundness;
} pf_report;

/* OK: the result of `s` is right: NORMAL with its gradient and its loss; or RANGE: the check that it names fails, and none of an earlier tensor does. The caller vouches for what pf_subject says it has checked.
 * ERR_UNPROVED: a relation does not hold (what: which; at: where); ERR_TRUNCATED, ERR_TRAILING, ERR_CANONICAL, ERR_VERSION: not a proof;
 * ERR_LEDGER, ERR_UNSUPPORTED, ERR_LIMIT, ERR_SHAPE: not a statement that can be proved; ERR_RANGE: an entry of the gradient is beyond p / 2; ERR_MEMORY.
 * `report` may be NULL; it is filled after every outcome. */
err pf_verify(const pf_subject *s, bytes proof, pf_report *report, fault *f) MUST_USE;

/* No proof of this layout, nor of RANGE at any of its checks, is longer. ERR_LIMIT. */
err pf_proof_bytes_max(uint64_t *out, const pf_layout *y, fault *f) MUST_USE;

#endif
