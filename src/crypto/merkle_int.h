/* SPDX-License-Identifier: Apache-2.0
 *
 * What a hash rule provides. The two states belong to the caller of the rule; a rule that needs none ignores them. */
#ifndef CRYPTO_MERKLE_INT_H
#define CRYPTO_MERKLE_INT_H

#include "crypto/merkle.h"

struct cr_merkle_rule {
    void (*start_leaf)(cr_blake3 *state);
    void (*start_node)(cr_blake3 *state);
    hash256 (*leaf)(cr_blake3 *state, bytes data);
    hash256 (*node)(cr_blake3 *state, const hash256 *left, const hash256 *right);
    hash256 (*empty)(void); /* the root of no leaves */
    /* The same of n messages of `len` bytes that lie one after the other, and of n pairs. */
    void (*leaves)(cr_blake3 *state, hash256 *out, const uint8_t *data, size_t len, size_t n);
    void (*nodes)(cr_blake3 *state, hash256 *out, const hash256 *pairs, size_t n);
};

#endif
