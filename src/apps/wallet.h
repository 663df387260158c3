/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys by name in the data directory: encrypted files keys/NAME.key. A development key (keystore cost "dev") has an empty
 * passphrase unless one was given, and signs only for chains whose id ends in "-dev". */
#ifndef APPS_WALLET_H
#define APPS_WALLET_H

#include "apps/home.h"
#include "apps/secret.h"
#include "chain/record.h"
#include "crypto/keystore.h"

typedef struct tb_wallet_key {
    char          name[65];
    cr_public_key key;
    cr_address    address;
    bool          dev_only; /* what the file says in clear; opening it proves it */
} tb_wallet_key;

/* Names: 1 to 64 of a-z, 0-9, '-', '_', not beginning with '-'. ERR_USAGE otherwise. */
err tb_wallet_name_check(const char *name, fault *f) MUST_USE;

/* A new random key. `home` must have been made. ERR_EXISTS. */
err tb_wallet_create(tb_wallet_key *out, const tb_home *home, const char *name, bytes passphrase, cr_keystore_cost cost,
                     fault *f) MUST_USE;
/* The public part: ERR_NOT_FOUND, or what is wrong with the file. */
err tb_wallet_find(tb_wallet_key *out, const tb_home *home, const char *name, fault *f) MUST_USE;
/* Sorted by name; free() *out. A file that cannot be read as a key is left out and counted in *damaged. */
err tb_wallet_list(tb_wallet_key **out, size_t *count, size_t *damaged, const tb_home *home, fault *f) MUST_USE;

/* Decrypts; wipe *secret. ERR_PERMISSION for a development key and a chain that is not one (chain_id NULL: any chain). */
err tb_wallet_open(cr_secret_key *secret, tb_wallet_key *key, const tb_home *home, const char *name, bytes passphrase,
                   const chain_name *chain_id, fault *f) MUST_USE;

/* The same, asking for the passphrase as secret.h says; a development key is tried with the empty one first. */
err tb_wallet_unlock(cr_secret_key *secret, tb_wallet_key *key, const tb_cli *cli, const tb_home *home, const char *name,
                     const chain_name *chain_id, fault *f) MUST_USE;

/* An address, or the name of a key here. */
err tb_wallet_address(cr_address *out, const tb_home *home, const char *prefix, const char *text, fault *f) MUST_USE;

#endif
