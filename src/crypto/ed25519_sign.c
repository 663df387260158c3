/* SPDX-License-Identifier: Apache-2.0
 * Alone in its file: chain encodes and signs transactions for its users, and must not thereby link what draws random bytes. A
 * signature is a pure function of key and message. */
#include "crypto/ed25519.h"

#include <sodium.h>

void cr_ed25519_sign(cr_signature *out, const cr_secret_key *secret, bytes message)
{
    CHECK(crypto_sign_detached(out->b, NULL, message.data, message.len, secret->b) == 0);
}
