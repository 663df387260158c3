/* SPDX-License-Identifier: Apache-2.0
 *
 * BLAKE3 (content ids, gradients, traces, key derivation): a thin face over the official C code. */
#ifndef CRYPTO_BLAKE3_H
#define CRYPTO_BLAKE3_H

#include "base/bytes.h"

/* Opaque and caller-owned; large enough for the library's state (checked when the library is built). */
typedef struct cr_blake3 {
    _Alignas(64) uint8_t opaque[1920];
} cr_blake3;

void cr_blake3_init(cr_blake3 *h);
void cr_blake3_init_keyed(cr_blake3 *h, const uint8_t key[32]);

/* Key derivation mode; `context` is a compile-time constant such as "theblock 2026 dither v1". */
void cr_blake3_init_derive(cr_blake3 *h, const char *context);

/* Back to the state right after its init (same mode, key or context): cheaper than a new init_derive. */
void cr_blake3_reset(cr_blake3 *h);

void    cr_blake3_update(cr_blake3 *h, bytes in);
hash256 cr_blake3_final(const cr_blake3 *h);

/* Bytes [at, at + len) of the extendable output. */
void cr_blake3_final_xof(const cr_blake3 *h, uint64_t at, uint8_t *out, size_t len);

/* The first 64 bytes of output of a message of at most one chunk in key derivation mode: what init_derive, update and final_xof give, without their state
 * and without hashing the context. `key` belongs to the context (blake3_test.c shows which). */
enum { CR_BLAKE3_CHUNK_BYTES = 1024 };

void cr_blake3_chunk(uint8_t out[64], const uint32_t key[8], const uint8_t *in, size_t len);

hash256 cr_blake3_hash(bytes in);

/* out[i] = the hash of the `len` bytes at messages + i len, for i < n, as init, update and final give it, but as many at a time as the
 * machine has lanes: a short message alone uses one. `start`: right after an init or reset. 64 divides len; 64 <= len <=
 * CR_BLAKE3_MANY_BYTES. */
enum { CR_BLAKE3_MANY_BYTES = 3 * 1024 };

void cr_blake3_many(const cr_blake3 *start, hash256 *out, const uint8_t *messages, size_t len, size_t n);

/* Domain-separated hash: derive mode with `context` over `in`. */
hash256 cr_blake3_hash_in(const char *context, bytes in);

#endif
