/* SPDX-License-Identifier: Apache-2.0 */
#include "train/token_root.h"

#include "base/limits.h"

void tr_token_leaf(uint8_t *out, const tr_dataset *data, const hash256 *job, uint64_t sequence, uint32_t context)
{
    uint16_t tokens[LIMIT_MODEL_CONTEXT_N + 1];
    CHECK(context <= LIMIT_MODEL_CONTEXT);
    tr_dataset_sequence(tokens, data, job, sequence, context);
    num_token_leaf_encode(out, sequence, tokens, context);
}

hash256 tr_token_root(const tr_dataset *data, const hash256 *job, uint64_t from, uint64_t to, uint32_t context)
{
    uint8_t leaf[NUM_TOKEN_LEAF_HEAD + 2 * (LIMIT_MODEL_CONTEXT_N + 1)];
    cr_merkle_builder b;
    cr_merkle_builder_init(&b, &cr_merkle_blake3);
    for (uint64_t s = from; s < to; s++) {
        tr_token_leaf(leaf, data, job, s, context);
        cr_merkle_builder_add_data(&b, bytes_of(leaf, num_token_leaf_bytes(context)));
    }
    return cr_merkle_builder_root(&b);
}
