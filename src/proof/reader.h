/* SPDX-License-Identifier: Apache-2.0
 *
 * A proof as it is read: a cursor over hostile bytes. What is received is absorbed in the same call, so nothing can be used before
 * the transcript knows it. */
#ifndef PROOF_READER_H
#define PROOF_READER_H

#include "proof/transcript.h"

typedef struct pf_reader {
    bytes    in;
    size_t   at;
    fault   *f;
} pf_reader;

/* ERR_TRUNCATED; a view into the input. Not absorbed. */
err pf_read(pf_reader *r, const char *what, size_t len, bytes *out) MUST_USE;

/* n elements of K, absorbed under `label`. ERR_TRUNCATED; ERR_CANONICAL: a residue that is not below p. */
err pf_receive_fx(pf_reader *r, pf_transcript *t, const char *label, fx *out, size_t n) MUST_USE;

/* ERR_TRAILING: bytes after the end. */
err pf_read_end(const pf_reader *r) MUST_USE;

/* What a proof must satisfy: ERR_UNPROVED with `what` unless it holds. */
static inline err pf_want(bool holds, fault *f, const char *what, uint64_t at)
{
    return holds ? OK : fail(f, ERR_UNPROVED, what, at);
}

#endif
