/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/merkle_int.h"
#include "crypto/sha256.h"

static void start(cr_blake3 *state)
{
    (void)state;
}

static hash256 leaf(cr_blake3 *state, bytes data)
{
    static const uint8_t prefix[1] = { 0 };
    (void)state;
    const bytes parts[] = { bytes_of(prefix, sizeof prefix), data };
    return cr_sha256_concat(parts, COUNT_OF(parts));
}

static hash256 node(cr_blake3 *state, const hash256 *left, const hash256 *right)
{
    (void)state;
    return cr_sha256_node(1, left, right);
}

static hash256 empty(void)
{
    return cr_sha256(bytes_of(NULL, 0));
}

const cr_merkle_rule cr_merkle_sha256 = { start, start, leaf, node, empty };
