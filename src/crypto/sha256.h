/* SPDX-License-Identifier: Apache-2.0
 *
 * SHA-256 for the state tree and block hashes (libcrypto: uses the CPU's SHA instructions). Nothing here allocates. */
#ifndef CRYPTO_SHA256_H
#define CRYPTO_SHA256_H

#include "base/bytes.h"

hash256 cr_sha256(bytes in);

/* H(parts[0] || parts[1] || ...), without joining them in memory. */
hash256 cr_sha256_concat(const bytes *parts, size_t count);

/* H(prefix byte || a || b): tree nodes. */
hash256 cr_sha256_node(uint8_t prefix, const hash256 *a, const hash256 *b);

#endif
