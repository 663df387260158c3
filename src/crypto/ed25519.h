/* SPDX-License-Identifier: Apache-2.0
 *
 * Ed25519 with the acceptance rule of spec/ed25519.md: S < L, A canonical, A and R not of small order, R equal byte for byte
 * to the recomputed value. That is what libsodium does; cr_ed25519_self_test checks it against pinned vectors. */
#ifndef CRYPTO_ED25519_H
#define CRYPTO_ED25519_H

#include "base/bytes.h"

typedef struct cr_public_key { uint8_t b[32]; } cr_public_key;
typedef struct cr_signature  { uint8_t b[64]; } cr_signature;
typedef struct cr_secret_key { uint8_t b[64]; } cr_secret_key; /* seed || public key; wipe with cr_wipe */

/* Must be called once before anything else here (initialises the library). ERR_INTERNAL if the library cannot start or
 * its verdict on a pinned vector is not the one in the rule: such a node must not run. */
err cr_ed25519_self_test(void) MUST_USE;

void cr_ed25519_keypair(cr_secret_key *secret, cr_public_key *public_key, const uint8_t seed[32]);
void cr_ed25519_sign(cr_signature *out, const cr_secret_key *secret, bytes message);
err  cr_ed25519_verify(const cr_public_key *public_key, bytes message, const cr_signature *signature) MUST_USE; /* ERR_SIGNATURE */

void cr_wipe(void *data, size_t len);
void cr_random(uint8_t *out, size_t len); /* never called from consensus code */

#endif
