/* SPDX-License-Identifier: Apache-2.0
 *
 * Transactions (spec/tx.md). Wire form: array [body, signature]; body is the array
 *   ["theblock/tx/v1", chain id, type, sender key, nonce, expiry height, fee_max, tip, payload]
 * whose bytes are what is signed; the transaction id is their SHA-256. The payload is the record of schema/tx.def. */
#ifndef CHAIN_TX_H
#define CHAIN_TX_H

#include "chain/record.h"

#define CHAIN_AMOUNT_MAX 40000000000000000u /* the supply cap, in nBLOCK */

typedef enum chain_tx_type {
#define TX_BEGIN(ID, number, name, size_max, doc) CHAIN_TX_##ID = (number),
#define FIELD(record, type, field, max, doc)
#define TX_END(ID, name)
#include "tx.def"
#undef TX_BEGIN
#undef FIELD
#undef TX_END
} chain_tx_type;

/* One struct per type: chain_tx_transfer {cr_address to; uint64_t amount; bytes memo;} and so on. */
#define TX_BEGIN(ID, number, name, size_max, doc) typedef struct chain_tx_##name {
#define FIELD(record, type, field, max, doc) CHAIN_C_##type field;
#define TX_END(ID, name) } chain_tx_##name;
#include "tx.def"
#undef TX_BEGIN
#undef FIELD
#undef TX_END

/* Backends, as bits of required_backends and supported_backends. */
typedef enum chain_backend {
    CHAIN_BACKEND_CPU = 1,
    CHAIN_BACKEND_CUDA = 2,
    CHAIN_BACKEND_VULKAN = 4,
    CHAIN_BACKEND_METAL = 8,
} chain_backend;

typedef enum chain_level {
    CHAIN_LEVEL_REFEREED = 1,
    CHAIN_LEVEL_LINEAR = 2,
    CHAIN_LEVEL_FULL = 3,
} chain_level;

typedef struct chain_tx {
    chain_name    chain_id;
    chain_tx_type type;
    cr_public_key sender;
    uint64_t      nonce;         /* the account's next nonce */
    uint64_t      expiry_height; /* last block that may include it */
    uint64_t      fee_max;       /* nBLOCK; the sender pays base fee + tip, never more than this */
    uint64_t      tip;           /* nBLOCK, on top of the base fee */
    union {
#define TX_BEGIN(ID, number, name, size_max, doc) chain_tx_##name name;
#define FIELD(record, type, field, max, doc)
#define TX_END(ID, name)
#include "tx.def"
#undef TX_BEGIN
#undef FIELD
#undef TX_END
    } payload;

    /* Set by decode, not read by encode. Views point into the input. */
    bytes        body;
    cr_signature signature;
    hash256      id;
    cr_address   sender_address;
} chain_tx;

/* Writes the signed transaction into out[0..cap) and returns its view. ERR_LIMIT if it does not fit or is over its type's
 * bound; ERR_KEY if `secret` does not belong to tx->sender (its last 32 bytes are the public key). */
err chain_tx_sign(bytes *out, uint8_t *buffer, size_t cap, const chain_tx *tx, const cr_secret_key *secret, hash256 *id,
                  fault *f) MUST_USE;

/* The body alone, for signing elsewhere. */
err chain_tx_encode_body(bytes *out, uint8_t *buffer, size_t cap, const chain_tx *tx, fault *f) MUST_USE;

/* Structure, bounds and canonical form only; not the signature and nothing about state. */
err chain_tx_decode(chain_tx *out, bytes in, fault *f) MUST_USE;

err chain_tx_verify(const chain_tx *tx) MUST_USE; /* ERR_SIGNATURE */

hash256 chain_tx_id(bytes body);

/* The table: NULL for an unknown number or past the end. `payload` of a chain_tx is the record's object. */
const chain_record *chain_tx_record(uint64_t type);
const chain_record *chain_tx_record_at(size_t index, chain_tx_type *type);

/* [signed lease, signed attestation] pairs, for the ITEMS fields of trace_commit and receipt_pay. */
typedef struct chain_receipt {
    bytes lease;
    bytes attestation;
} chain_receipt;
err chain_receipts_encode(bytes *out, uint8_t *buffer, size_t cap, const chain_receipt *receipts, size_t count) MUST_USE;
/* `*count` <= LIMIT_TX_ITEMS; receipts has that many elements. */
err chain_receipts_decode(chain_receipt *receipts, size_t *count, bytes items, fault *f) MUST_USE;

/* The worker addresses of job_match. */
err chain_addresses_encode(bytes *out, uint8_t *buffer, size_t cap, const cr_address *addresses, size_t count) MUST_USE;
err chain_addresses_decode(cr_address *addresses, size_t *count, bytes items, fault *f) MUST_USE;

#endif
