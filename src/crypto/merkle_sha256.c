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

static void leaves(cr_blake3 *state, hash256 *out, const uint8_t *data, size_t len, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = leaf(state, bytes_of(data + i * len, len));
}

static void nodes(cr_blake3 *state, hash256 *out, const hash256 *pairs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = node(state, &pairs[2 * i], &pairs[2 * i + 1]);
}

const cr_merkle_rule cr_merkle_sha256 = { start, start, leaf, node, empty, leaves, nodes };
