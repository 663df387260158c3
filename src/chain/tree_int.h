/* SPDX-License-Identifier: Apache-2.0
 *
 * The state tree of one module in memory: a crit-bit tree whose node hashes are renewed lazily, so that a block costs one hash
 * per touched node. A node keeps the hashes of its two children, not its own: renewing it reads nothing but itself, and no
 * sibling of what changed is hashed or looked at. Rules of the hashes: chain/smt.h. */
#ifndef CHAIN_TREE_INT_H
#define CHAIN_TREE_INT_H

#include "chain/smt.h"

#define TREE_NONE UINT32_MAX
#define TREE_NODE_BIT 0x80000000u /* a reference with this bit names a node, else a leaf */

typedef struct tree_leaf {
    hash256  path;
    hash256  value_hash;
    uint32_t parent; /* a node's number, TREE_NONE at the root; of an unused leaf: the next unused one */
} tree_leaf;

typedef struct tree_node {
    uint32_t child[2];
    uint32_t parent; /* as in tree_leaf */
    uint8_t  depth;  /* the bit that parts the children */
    uint8_t  stale;  /* bit i: the hash kept of child i is old. Then the hashes kept of the nodes above are, too */
    uint8_t  pad[2];
} tree_node;

/* What a node hashes; apart from the links, which are walked far more often. */
typedef struct tree_hashes {
    hash256 child[2];
} tree_hashes;

typedef struct tree {
    tree_leaf   *leaves;
    tree_node   *nodes; /* a tree of n leaves has n - 1 nodes */
    tree_hashes *hashes; /* of the nodes */
    uint32_t     leaf_count, node_count; /* numbers ever used, free ones included */
    uint32_t     free_leaf, free_node;   /* lists of unused numbers */
    uint32_t     cap;
    uint32_t     root;
    bool         stale; /* as in tree_node, of the root's hash */
    hash256      root_hash;
} tree;

void chain_tree_init(tree *t);

/* Adds a leaf with a new path; room must be there. Returns its number, which stays until it is removed. */
uint32_t chain_tree_insert(tree *t, const hash256 *path, const hash256 *value_hash);
void     chain_tree_update(tree *t, uint32_t leaf, const hash256 *value_hash);
void     chain_tree_remove(tree *t, uint32_t leaf);

/* Fetches from memory what chain_tree_update will touch: the leaf (level 0), or what is `level` steps above it, which works if
 * the steps below were fetched before. TREE_NONE is fine. */
enum { TREE_PREFETCH_LEVELS = 6 }; /* further up nodes are shared by many leaves */
void chain_tree_prefetch(const tree *t, uint32_t leaf, unsigned level);

/* Renews stale hashes. Zero for an empty tree. */
hash256 chain_tree_root(tree *t);
/* The same when nothing is stale. */
hash256 chain_tree_fresh_root(const tree *t);

/* Everything of the proof but module and top. The root must be fresh. */
void chain_tree_prove(const tree *t, smt_proof *out, const hash256 *path);

/* Recomputes every hash from the leaves and compares; the root must be fresh. */
bool chain_tree_audit(const tree *t);

#endif
