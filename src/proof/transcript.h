/* SPDX-License-Identifier: Apache-2.0
 *
 * The Fiat-Shamir transcript (spec/proof.md section 3): a chain of domain-separated hashes. Prover and verifier call the same
 * functions in the same order. */
#ifndef PROOF_TRANSCRIPT_H
#define PROOF_TRANSCRIPT_H

#include "crypto/blake3.h"
#include "field/fx.h"

typedef struct pf_transcript {
    hash256 state;
} pf_transcript;

void pf_start(pf_transcript *t, uint64_t version);
void pf_absorb(pf_transcript *t, const char *label, bytes data);
void pf_absorb_u64(pf_transcript *t, const char *label, uint64_t x);
void pf_absorb_fx(pf_transcript *t, const char *label, const fx *x, size_t n);

pf_transcript pf_fork(const pf_transcript *t, const char *label, uint64_t n);
void          pf_join(pf_transcript *t, const pf_transcript *forks, size_t n); /* absorbs their states, in order, in one absorb */

/* A stream of challenges: pf_squeeze moves the state on; the stream then gives any number of them. */
typedef struct pf_stream {
    uint8_t   head[128]; /* what is hashed */
    size_t    head_len;
    cr_blake3 hash;  /* of head, once more is wanted than its first block of output */
    uint64_t  at;    /* position in the extendable output */
    uint32_t  used;  /* of buffer */
    uint8_t   buffer[512];
} pf_stream;

void     pf_squeeze(pf_transcript *t, pf_stream *s, const char *label);
fp       pf_stream_fp(pf_stream *s);
fx       pf_stream_fx(pf_stream *s);
uint32_t pf_stream_index(pf_stream *s, unsigned bits); /* bits <= 32 */

/* One squeeze of n elements of K. */
void pf_challenge(pf_transcript *t, const char *label, fx *out, size_t n);

#endif
