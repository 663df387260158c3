/* SPDX-License-Identifier: Apache-2.0
 * The library's direct SHA256_* calls: its newer one-shot calls look the algorithm up and allocate each time, which costs
 * more than hashing a tree node does. They are marked deprecated there, hence the define. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/sha256.h"

#include <openssl/sha.h>

hash256 cr_sha256_concat(const bytes *parts, size_t count)
{
    SHA256_CTX ctx;
    hash256 out;
    CHECK(SHA256_Init(&ctx) == 1);
    for (size_t i = 0; i < count; i++)
        CHECK(parts[i].len == 0 || SHA256_Update(&ctx, parts[i].data, parts[i].len) == 1);
    CHECK(SHA256_Final(out.b, &ctx) == 1);
    return out;
}

hash256 cr_sha256(bytes in)
{
    return cr_sha256_concat(&in, 1);
}

hash256 cr_sha256_node(uint8_t prefix, const hash256 *a, const hash256 *b)
{
    uint8_t node[1 + 2 * sizeof(hash256)];
    node[0] = prefix;
    memcpy(node + 1, a->b, sizeof a->b);
    memcpy(node + 1 + sizeof a->b, b->b, sizeof b->b);
    return cr_sha256(bytes_of(node, sizeof node));
}
