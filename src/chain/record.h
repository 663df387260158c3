/* SPDX-License-Identifier: Apache-2.0
 *
 * One table-driven codec for every fixed structure of the ledger: transactions, events, leases, attestations, headers,
 * state rows. A structure is listed once in a .def file (schema/ or rows.def); the macros at the bottom turn the list into a
 * C struct and a descriptor, and this codec walks the descriptor. Wire form: a canonical CBOR array whose first element is
 * the record's tag text (if it has one), then the fields in order. spec/tx.md, "Records". */
#ifndef CHAIN_RECORD_H
#define CHAIN_RECORD_H

#include "base/cbor.h"
#include "crypto/address.h"
#include "crypto/ed25519.h"

typedef enum chain_type {
    CHAIN_TYPE_U8,
    CHAIN_TYPE_U32,
    CHAIN_TYPE_U64,
    CHAIN_TYPE_I64,
    CHAIN_TYPE_HASH,      /* hash256, 32 bytes */
    CHAIN_TYPE_KEY,       /* cr_public_key, 32 bytes */
    CHAIN_TYPE_SIGNATURE, /* cr_signature, 64 bytes */
    CHAIN_TYPE_ADDRESS,   /* cr_address, 33 bytes on the wire: kind, hash */
    CHAIN_TYPE_NAME,      /* chain_name, text of 1..64 printable ASCII characters */
    CHAIN_TYPE_BLOB,      /* bytes, a view */
    CHAIN_TYPE_ITEMS,     /* bytes, a view of one canonical CBOR array; its elements are checked where it is used */
} chain_type;

typedef struct chain_name {
    char    text[65]; /* NUL-terminated, zero-filled behind */
    uint8_t len;
} chain_name;

typedef struct chain_field {
    const char *name;   /* "amount" */
    const char *where;  /* "transfer.amount": what a fault names */
    const char *doc;
    chain_type  type;
    uint32_t    offset; /* in the C struct */
    uint64_t    max;    /* greatest integer, or greatest length of a view */
} chain_field;

typedef struct chain_record {
    const char        *name;
    const char        *tag; /* domain tag, or NULL */
    const char        *doc;
    const chain_field *fields;
    size_t             count;
    size_t             size; /* of the C struct */
} chain_record;

/* Names of 1..64 characters from 0x21..0x7e; ERR_SYNTAX or ERR_LIMIT otherwise. */
err chain_name_set(chain_name *out, bytes text) MUST_USE;
static inline bool chain_name_equal(const chain_name *a, const chain_name *b)
{
    return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

/* Errors stick in the writer. */
void chain_record_encode(cbor_writer *w, const chain_record *r, const void *object);

/* Reads one record; views in *object point into the reader's input. On failure the reader's fault names field and offset
 * and *object is zeroed. */
err chain_record_decode(cbor_reader *in, const chain_record *r, void *object) MUST_USE;

/* The whole of `in` must be one record. */
err chain_record_decode_all(bytes in, const chain_record *r, void *object, fault *f) MUST_USE;

/* Addresses in records of 33 bytes, as state keys need them. */
void chain_address_pack(uint8_t out[33], const cr_address *a);

/* C types of the wire types, for the struct expansions. */
#define CHAIN_C_U8        uint8_t
#define CHAIN_C_U32       uint32_t
#define CHAIN_C_U64       uint64_t
#define CHAIN_C_I64       int64_t
#define CHAIN_C_HASH      hash256
#define CHAIN_C_KEY       cr_public_key
#define CHAIN_C_SIGNATURE cr_signature
#define CHAIN_C_ADDRESS   cr_address
#define CHAIN_C_NAME      chain_name
#define CHAIN_C_BLOB      bytes
#define CHAIN_C_ITEMS     bytes

#endif
