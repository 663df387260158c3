/* SPDX-License-Identifier: Apache-2.0
 *
 * Addresses: bech32m (BIP-350) over a kind symbol above 16 and a 32-byte key hash, e.g. tb1a... An address names an account
 * (kind 'a'), a multisig account ('m') or a chain-owned account ('c': treasury, escrow). spec/tx.md section "Addresses". */
#ifndef CRYPTO_ADDRESS_H
#define CRYPTO_ADDRESS_H

#include "crypto/ed25519.h"

typedef enum cr_address_kind {
    /* Values of the first 5-bit symbol, chosen so that the letter after "tb1" is the one in the name. */
    CR_ADDRESS_ACCOUNT = 29,  /* a */
    CR_ADDRESS_MULTISIG = 27, /* m */
    CR_ADDRESS_CHAIN = 24,    /* c */
} cr_address_kind;

typedef struct cr_address {
    uint8_t kind; /* cr_address_kind */
    uint8_t hash[32];
} cr_address;

enum { CR_ADDRESS_TEXT_MAX = 90 }; /* with the final NUL */

/* hash = SHA-256("theblock/account/v1" || public key). */
cr_address cr_address_of_key(const cr_public_key *key);

/* A chain-owned address: hash = SHA-256("theblock/chain/v1" || name). Nobody has its key. */
cr_address cr_address_of_chain(const char *name);

/* `prefix` is the network's human-readable part, "tb" on the base network. */
void cr_address_encode(char out[CR_ADDRESS_TEXT_MAX], const char *prefix, const cr_address *address);

/* ERR_ADDRESS with a fault that says what is wrong: checksum, prefix, kind, length, mixed case, or "a Bitcoin segwit address". */
err cr_address_decode(cr_address *out, const char *prefix, const char *text, fault *f) MUST_USE;

static inline bool cr_address_equal(const cr_address *a, const cr_address *b)
{
    return a->kind == b->kind && memcmp(a->hash, b->hash, 32) == 0;
}

#endif
