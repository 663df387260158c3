/* SPDX-License-Identifier: Apache-2.0
 * Alone in its file: consensus code links this and nothing that signs or draws random bytes (tools/symcheck). */
#include "crypto/ed25519.h"

#include <sodium.h>

err cr_ed25519_verify(const cr_public_key *public_key, bytes message, const cr_signature *signature)
{
    return crypto_sign_verify_detached(signature->b, message.data, message.len, public_key->b) == 0 ? OK : ERR_SIGNATURE;
}
