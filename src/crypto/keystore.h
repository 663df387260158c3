/* SPDX-License-Identifier: Apache-2.0
 *
 * Encrypted key files: Argon2id + XChaCha20-Poly1305, mode 0600, written atomically; the public part is readable without
 * unlocking. Parameters stand in the file, with a lower bound enforced at load. spec/keystore.md. */
#ifndef CRYPTO_KEYSTORE_H
#define CRYPTO_KEYSTORE_H

#include "crypto/ed25519.h"

typedef enum cr_keystore_cost {
    CR_KEYSTORE_DEV,         /* development chains only (chain ids that end in "-dev"): minimal cost */
    CR_KEYSTORE_INTERACTIVE, /* wallets */
    CR_KEYSTORE_MODERATE,    /* operators */
} cr_keystore_cost;

/* ERR_EXISTS if `path` exists. */
err cr_keystore_create(const char *path, const char *label, bytes passphrase, cr_keystore_cost cost,
                       const cr_secret_key *secret, fault *f) MUST_USE;
/* ERR_PASSPHRASE for a wrong passphrase or a damaged box; other codes name the damaged field. `dev_only` tells whether the
 * file was made at the DEV cost: its key may sign for "-dev" chains only. */
err cr_keystore_open(const char *path, bytes passphrase, cr_secret_key *secret, bool *dev_only, fault *f) MUST_USE;
err cr_keystore_public(const char *path, cr_public_key *out, char label[65], fault *f) MUST_USE;

/* The same on bytes in memory (fuzzed). */
err cr_keystore_decode_public(bytes file, cr_public_key *out, char label[65], fault *f) MUST_USE;
err cr_keystore_decode(bytes file, bytes passphrase, cr_secret_key *secret, bool *dev_only, fault *f) MUST_USE;

#endif
