/* SPDX-License-Identifier: Apache-2.0
 *
 * The keystore file taken apart, without the slow key derivation (spec/keystore.md). */
#ifndef CRYPTO_KEYSTORE_INT_H
#define CRYPTO_KEYSTORE_INT_H

#include "crypto/keystore.h"

enum {
    KEYSTORE_VERSION = 1,
    KEYSTORE_FILE_MAX = 512, /* the longest valid file is shorter */
    KEYSTORE_SALT = 16,
    KEYSTORE_NONCE = 24,
    KEYSTORE_SEED = 32,
    KEYSTORE_BOX = KEYSTORE_SEED + 16,
};

typedef struct keystore_file {
    char             label[65];
    cr_public_key    public_key;
    cr_keystore_cost cost;
    uint64_t         opslimit;
    uint64_t         memlimit; /* bytes */
    uint8_t          salt[KEYSTORE_SALT];
    uint8_t          nonce[KEYSTORE_NONCE];
    uint8_t          box[KEYSTORE_BOX];
    bytes            clear; /* what the box authenticates: the file up to the box; a view of the input */
} keystore_file;

/* Everything that can be checked without the passphrase. */
err keystore_parse(keystore_file *out, bytes file, fault *f) MUST_USE;

#endif
