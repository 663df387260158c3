/* SPDX-License-Identifier: Apache-2.0
 *
 * Block headers. A block is a signed header and its transactions in order. The header's body is the tagged record below; the
 * producer's signature covers the body's bytes; the block hash is their SHA-256. */
#ifndef CHAIN_BLOCK_H
#define CHAIN_BLOCK_H

#include "chain/record.h"

enum { CHAIN_HEADER_VERSION = 1 };

typedef struct chain_header {
    uint32_t      version;
    chain_name    chain_id;
    uint64_t      height;     /* 0 is the genesis: its previous hash is the genesis hash, its other inputs are zero */
    hash256       previous;   /* block hash of height - 1 */
    uint64_t      time_ms;    /* Unix time, informative: nothing in the state depends on it */
    uint32_t      tx_count;
    hash256       tx_root;    /* chain_tx_root */
    hash256       state_root; /* after execution */
    hash256       randomness;
    cr_signature  beacon;     /* the producer's signature over chain_beacon_message */
    cr_public_key producer;
} chain_header;

extern const chain_record chain_header_record;

/* Randomness of a block: SHA-256("theblock/randomness/v1", beacon). The beacon signs the previous randomness, the previous
 * block hash and the height, so nobody but the producer knows it before the block exists. A solo producer could grind it by
 * dropping blocks: spec/state.md says so. */
enum { CHAIN_BEACON_MESSAGE_BYTES = 18 + 32 + 32 + 8 };
void    chain_beacon_message(uint8_t out[CHAIN_BEACON_MESSAGE_BYTES], const hash256 *previous_randomness,
                             const hash256 *previous_hash, uint64_t height);
hash256 chain_randomness(const cr_signature *beacon);

/* RFC 6962 tree over the SHA-256 of each signed transaction. `scratch` has room for `count` hashes. */
hash256 chain_tx_root(const bytes *txs, size_t count, hash256 *scratch);

/* RFC 6962 tree hash over leaf hashes, in place: `leaves` is overwritten. SHA-256("") for none. */
hash256 chain_rfc6962_root(hash256 *leaves, size_t count);

/* [body, signature]. */
err chain_header_sign(bytes *out, uint8_t *buffer, size_t cap, const chain_header *h, const cr_secret_key *producer,
                      hash256 *block_hash, fault *f) MUST_USE;
/* Checks form and the signature against the producer key inside; whether that key may produce is the caller's question. */
err chain_header_decode(chain_header *out, hash256 *block_hash, bytes in, fault *f) MUST_USE;

#endif
