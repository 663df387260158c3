/* SPDX-License-Identifier: Apache-2.0
 *
 * The state tree of one module in memory: a crit-bit tree whose node hashes are renewed lazily, so that a block costs one hash
 * per touched node. Rules of the hashes: chain/smt.h. */
#ifndef CHAIN_TREE_INT_H
#define CHAIN_TREE_INT_H

#include "chain/smt.h"

#define TREE_NONE UINT32_MAX
#define TREE_NODE_BIT 0x80000000u /* a reference with this bit names a node, else a leaf */

typedef struct tree_leaf {
    hash256 path;
    hash256 value_hash;
} tree_leaf;

typedef struct tree_node {
    hash256  hash;
    uint32_t child[2];
    uint8_t  depth; /* the bit that parts the children */
    bool     stale; /* the hash is older than something below */
} tree_node;

typedef struct tree {
    tree_leaf *leaves;
    tree_node *nodes; /* a tree of n leaves has n - 1 nodes */
    uint32_t  *free_leaves, *free_nodes; /* stacks of unused numbers */
    uint32_t   free_leaf_count, free_node_count;
    uint32_t   leaf_count; /* numbers ever used, free ones included */
    uint32_t   node_count;
    uint32_t   cap;
    uint32_t   root;
} tree;

void chain_tree_init(tree *t);

/* Adds a leaf with a new path; room must be there. Returns its number, which stays until it is removed. */
uint32_t chain_tree_insert(tree *t, const hash256 *path, const hash256 *value_hash);
void     chain_tree_update(tree *t, uint32_t leaf, const hash256 *value_hash);
void     chain_tree_remove(tree *t, uint32_t leaf);

/* Renews stale hashes. Zero for an empty tree. */
hash256 chain_tree_root(tree *t);
/* The same when nothing is stale. */
hash256 chain_tree_fresh_root(const tree *t);

/* Everything of the proof but module and top. The root must be fresh. */
void chain_tree_prove(const tree *t, smt_proof *out, const hash256 *path);

/* Recomputes every hash from the leaves and compares; the root must be fresh. */
bool chain_tree_audit(const tree *t);

#endif
