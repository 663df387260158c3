/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/ed25519.h"

#include "crypto/ed25519_vectors_int.h"

#include <sodium.h>

_Static_assert(sizeof(cr_public_key) == crypto_sign_PUBLICKEYBYTES, "public key size");
_Static_assert(sizeof(cr_secret_key) == crypto_sign_SECRETKEYBYTES, "secret key size");
_Static_assert(sizeof(cr_signature) == crypto_sign_BYTES, "signature size");

err cr_ed25519_self_test(void)
{
    if (sodium_init() < 0)
        return ERR_INTERNAL;
    for (size_t i = 0; i < COUNT_OF(ed25519_vectors); i++) {
        cr_public_key key;
        cr_signature signature;
        uint8_t message[64];
        size_t len = strlen(ed25519_vectors[i].message) / 2;
        CHECK(len <= sizeof message);
        TRY(base_hex_decode(key.b, sizeof key.b, ed25519_vectors[i].key));
        TRY(base_hex_decode(signature.b, sizeof signature.b, ed25519_vectors[i].signature));
        TRY(base_hex_decode(message, len, ed25519_vectors[i].message));
        err got = cr_ed25519_verify(&key, bytes_of(message, len), &signature);
        if ((got == OK) != ed25519_vectors[i].accept)
            return ERR_INTERNAL;
    }
    return OK;
}

void cr_ed25519_keypair(cr_secret_key *secret, cr_public_key *public_key, const uint8_t seed[32])
{
    CHECK(crypto_sign_seed_keypair(public_key->b, secret->b, seed) == 0);
}

void cr_wipe(void *data, size_t len)
{
    sodium_memzero(data, len);
}

void cr_random(uint8_t *out, size_t len)
{
    randombytes_buf(out, len);
}
