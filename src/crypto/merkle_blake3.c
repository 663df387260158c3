/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/merkle_int.h"

static const char leaf_context[] = "theblock 2026 merkle leaf v1";
static const char node_context[] = "theblock 2026 merkle node v1";

static void start_leaf(cr_blake3 *state)
{
    cr_blake3_init_derive(state, leaf_context);
}

static void start_node(cr_blake3 *state)
{
    cr_blake3_init_derive(state, node_context);
}

static hash256 leaf(cr_blake3 *state, bytes data)
{
    cr_blake3_reset(state);
    cr_blake3_update(state, data);
    return cr_blake3_final(state);
}

static hash256 node(cr_blake3 *state, const hash256 *left, const hash256 *right)
{
    cr_blake3_reset(state);
    cr_blake3_update(state, bytes_of(left->b, sizeof left->b));
    cr_blake3_update(state, bytes_of(right->b, sizeof right->b));
    return cr_blake3_final(state);
}

/* Not the hash of any node (those have 64 bytes) nor of any leaf (another context). */
static hash256 empty(void)
{
    return cr_blake3_hash_in(node_context, bytes_of(NULL, 0));
}

static void leaves(cr_blake3 *state, hash256 *out, const uint8_t *data, size_t len, size_t n)
{
    cr_blake3_reset(state);
    if (len != 0 && len % 64 == 0 && len <= CR_BLAKE3_MANY_BYTES) {
        cr_blake3_many(state, out, data, len, n);
        return;
    }
    for (size_t i = 0; i < n; i++)
        out[i] = leaf(state, bytes_of(data + i * len, len));
}

static void nodes(cr_blake3 *state, hash256 *out, const hash256 *pairs, size_t n)
{
    cr_blake3_reset(state);
    cr_blake3_many(state, out, pairs->b, 2 * sizeof *pairs, n);
}

const cr_merkle_rule cr_merkle_blake3 = { start_leaf, start_node, leaf, node, empty, leaves, nodes };
