/* SPDX-License-Identifier: Apache-2.0
 *
 * Leases: what paying for them and disputing them have in common. */
#ifndef CHAIN_RECEIPT_INT_H
#define CHAIN_RECEIPT_INT_H

#include "chain/chain_int.h"

/* A lease and its attestation, decoded, with signatures and mutual fit checked. */
typedef struct receipt {
    chain_lease       lease;
    chain_attestation attestation;
    chain_signed      lease_signed, attestation_signed;
    cr_address        worker;
} receipt;

err chain_receipt_open(const exec *x, receipt *r, const hash256 *job_id, const chain_row_job *job, bytes lease, bytes attestation,
                       fault *f) MUST_USE;

chain_row_lease       *chain_lease_create(const exec *x, const receipt *r);
const chain_row_lease *chain_lease_find(const exec *x, const receipt *r); /* NULL: not on the chain */
chain_row_worker      *chain_worker_edit(const exec *x, const cr_address *worker);

/* What happens to the sequences of a lease. */
typedef enum taking {
    TAKE_RESERVE, /* committed: for nobody else */
    TAKE_PAY,     /* paid without a commitment */
    TAKE_SETTLE,  /* paid after it */
    TAKE_RELEASE, /* spoiled: for another worker */
} taking;

/* ERR_OVERLAP: a sequence is another lease's. */
err chain_lease_take(const exec *x, const hash256 *job, uint64_t from, uint64_t to, taking how, fault *f) MUST_USE;

/* Weights of a model of this shape (numerics section 3). The job's table bounds each: nothing overflows. */
static inline uint64_t chain_weights(uint32_t vocabulary, uint32_t context, uint32_t width, uint32_t layers)
{
    return (2 * (uint64_t)vocabulary + context) * width + 12 * (uint64_t)width * width * layers;
}

/* A lease that was found false. */
typedef struct spoiling {
    const hash256   *job;
    uint64_t         lease_id;
    chain_row_lease *row;      /* for writing; not spoiled yet */
    cr_address       reporter; /* gets its share of the bond ... */
    bool             drawn;    /* ... unless nobody reported it, but the ledger's randomness: then that is burned, too */
    uint64_t         fee_max;  /* of what is cut, so much at most is for who judged: *fee, which the caller has to credit */
} spoiling;

/* Frees the lease's range and cuts its worker's bond: fee, burned part, reporter, buyer. */
err chain_lease_spoil(exec *x, const spoiling *s, uint64_t *fee, fault *f) MUST_USE;

#endif
