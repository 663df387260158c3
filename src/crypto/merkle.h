/* SPDX-License-Identifier: Apache-2.0
 *
 * Merkle trees of the shape of RFC 6962 (any number of leaves, nothing padded or repeated), under two hash rules; exact
 * definition and vectors in spec/merkle.md. A root is published together with its leaf count: the count fixes the shape, and
 * every verification takes it.
 *
 * Nothing here allocates. Verification is total: hostile counts, indices and lengths give ERR_PROOF after work that is linear
 * in the leaves and hashes handed in, and recursion is at most CR_MERKLE_DEPTH_MAX deep. Leaves are given as leaf hashes. */
#ifndef CRYPTO_MERKLE_H
#define CRYPTO_MERKLE_H

#include "crypto/blake3.h"

enum {
    CR_MERKLE_DEPTH_MAX = 64,                      /* hashes in the path of one leaf */
    CR_MERKLE_RANGE_MAX = 2 * CR_MERKLE_DEPTH_MAX, /* siblings of one range */
    CR_MERKLE_SEVERAL_MAX = 256,                   /* leaves of one multi-opening */
    CR_MERKLE_SEVERAL_DEPTH_MAX = 31,
};

typedef struct cr_merkle_rule cr_merkle_rule;

extern const cr_merkle_rule cr_merkle_sha256; /* RFC 6962: block and state commitments */
extern const cr_merkle_rule cr_merkle_blake3; /* traces and chunked blobs */

hash256 cr_merkle_leaf(const cr_merkle_rule *rule, bytes data);

/* The leaves of `n` messages of `len` bytes that lie one after the other; fast under the rule blake3 if `len` suits cr_blake3_many. */
void cr_merkle_leaves(const cr_merkle_rule *rule, hash256 *out, const uint8_t *data, size_t len, size_t n);

hash256 cr_merkle_root(const cr_merkle_rule *rule, const hash256 *leaves, size_t count);

/* The root of leaves that come one by one, in about 8 KB whatever their number. */
typedef struct cr_merkle_builder {
    const cr_merkle_rule *rule;
    uint64_t  count;
    cr_blake3 leaf_state; /* the rule's own, so that its start is paid once */
    cr_blake3 node_state;
    hash256   open[CR_MERKLE_DEPTH_MAX]; /* roots of full subtrees, largest first: one per set bit of count */
} cr_merkle_builder;

void    cr_merkle_builder_init(cr_merkle_builder *b, const cr_merkle_rule *rule);
void    cr_merkle_builder_add(cr_merkle_builder *b, const hash256 *leaf);
hash256 cr_merkle_builder_add_data(cr_merkle_builder *b, bytes data); /* hashes, adds and returns the leaf */
hash256 cr_merkle_builder_root(cr_merkle_builder *b); /* of the leaves so far; more may follow */

/* The path of leaf `index` < `count`, from the leaf up (RFC 6962 section 2.1.1). Returns its length. */
size_t cr_merkle_path(const cr_merkle_rule *rule, hash256 out[CR_MERKLE_DEPTH_MAX], const hash256 *leaves, size_t count,
                      size_t index);
err cr_merkle_path_verify(const cr_merkle_rule *rule, const hash256 *root, uint64_t count, uint64_t index,
                          const hash256 *leaf, const hash256 *path, size_t path_len) MUST_USE;

/* The proof for the leaves [first, first + opened): the roots of the maximal subtrees outside the range, left to right. It is
 * the smallest proof, and the only one that verifies. `opened` >= 1. Returns the number of siblings. */
size_t cr_merkle_range(const cr_merkle_rule *rule, hash256 out[CR_MERKLE_RANGE_MAX], const hash256 *leaves, size_t count,
                       size_t first, size_t opened);

/* How many siblings that proof has; 0 if the range is empty or outside the tree (and for a whole tree). */
size_t cr_merkle_range_len(uint64_t count, uint64_t first, uint64_t opened);

/* OK: under `root` with `count` leaves, leaf first + i has hash opened_leaves[i], for all i < opened. */
err cr_merkle_range_verify(const cr_merkle_rule *rule, const hash256 *root, uint64_t count, uint64_t first,
                           const hash256 *opened_leaves, size_t opened, const hash256 *siblings,
                           size_t sibling_count) MUST_USE;

/* The multi-opening of several leaves of a full tree of 2^depth leaves: level by level from the leaves, left to right, each sibling that
 * is not the hash of opened leaves. `index` ascends strictly, 1 <= n <= CR_MERKLE_SEVERAL_MAX, depth <= CR_MERKLE_SEVERAL_DEPTH_MAX.
 * `tree` has 2^(depth + 1) places: node i has the children 2 i and 2 i + 1, the root is node 1, leaf j is node 2^depth + j. Returns the
 * number of siblings. */
size_t cr_merkle_several(hash256 *out, const hash256 *tree, unsigned depth, const uint32_t *index, size_t n);

/* How many siblings that opening has; 0 also for indices, n or depth as above forbids them. */
size_t cr_merkle_several_len(unsigned depth, const uint32_t *index, size_t n);

/* OK: under `root` with 2^depth leaves, leaf index[i] has hash opened_leaves[i], for all i < n. */
err cr_merkle_several_verify(const cr_merkle_rule *rule, const hash256 *root, unsigned depth, const uint32_t *index,
                             const hash256 *opened_leaves, size_t n, const hash256 *siblings, size_t sibling_count) MUST_USE;

#endif
