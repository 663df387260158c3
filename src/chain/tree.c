/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/tree_int.h"

static bool is_node(uint32_t ref)
{
    return (ref & TREE_NODE_BIT) != 0;
}

static tree_node *node_of(const tree *t, uint32_t ref)
{
    return &t->nodes[ref & ~TREE_NODE_BIT];
}

static tree_hashes *hashes_of(const tree *t, uint32_t ref)
{
    return &t->hashes[ref & ~TREE_NODE_BIT];
}

static unsigned bit_at(const hash256 *path, unsigned i)
{
    return (unsigned)path->b[i / 8] >> (7 - i % 8) & 1u;
}

/* The first bit at which the paths differ; 256 if they do not. */
static unsigned parting_bit(const hash256 *a, const hash256 *b)
{
    for (unsigned i = 0; i < 32; i += 8) {
        uint64_t x = load_be64(a->b + i) ^ load_be64(b->b + i);
        if (x)
            return 8 * i + (unsigned)__builtin_clzll(x);
    }
    return 256;
}

void chain_tree_init(tree *t)
{
    memset(t, 0, sizeof *t);
    t->root = t->free_leaf = t->free_node = TREE_NONE;
}

static uint32_t take_leaf(tree *t)
{
    uint32_t leaf = t->free_leaf;
    if (leaf != TREE_NONE) {
        t->free_leaf = t->leaves[leaf].parent;
        return leaf;
    }
    CHECK(t->leaf_count < t->cap);
    return t->leaf_count++;
}

static uint32_t take_node(tree *t)
{
    uint32_t number = t->free_node;
    if (number != TREE_NONE) {
        t->free_node = t->nodes[number].parent;
        return number;
    }
    CHECK(t->node_count < t->cap);
    return t->node_count++;
}

static uint32_t *parent_of(const tree *t, uint32_t ref)
{
    return is_node(ref) ? &node_of(t, ref)->parent : &t->leaves[ref].parent;
}

static unsigned side_of(const tree *t, uint32_t parent, uint32_t ref)
{
    return t->nodes[parent].child[1] == ref;
}

/* Where the hash of what `ref` names is kept. */
static hash256 *hash_of(tree *t, uint32_t ref)
{
    uint32_t parent = *parent_of(t, ref);
    return parent == TREE_NONE ? &t->root_hash : &t->hashes[parent].child[side_of(t, parent, ref)];
}

static bool is_stale(const tree *t, uint32_t ref)
{
    uint32_t parent = *parent_of(t, ref);
    return parent == TREE_NONE ? t->stale : t->nodes[parent].stale >> side_of(t, parent, ref) & 1;
}

/* The hashes of the node and of all above it are old. Above an old one all are marked already. */
static void touch(tree *t, uint32_t number)
{
    uint32_t parent;
    for (; number != TREE_NONE && !is_stale(t, number | TREE_NODE_BIT); number = parent) {
        parent = t->nodes[number].parent;
        if (parent == TREE_NONE)
            t->stale = true;
        else
            t->nodes[parent].stale |= (uint8_t)(1u << side_of(t, parent, number | TREE_NODE_BIT));
    }
}

/* Puts `ref`, its hash and whether that is old where `old` was below `parent`, or at the root. */
static void put(tree *t, uint32_t parent, uint32_t old, uint32_t ref, const hash256 *hash, bool stale)
{
    if (parent == TREE_NONE) {
        t->root = ref;
        t->root_hash = *hash;
        t->stale = stale;
    } else {
        unsigned side = side_of(t, parent, old);
        t->nodes[parent].child[side] = ref;
        t->hashes[parent].child[side] = *hash;
        t->nodes[parent].stale = (uint8_t)((t->nodes[parent].stale & ~(1u << side)) | (unsigned)stale << side);
    }
    *parent_of(t, ref) = parent;
}

/* The leaf that shares the longest prefix of branch bits with `path`. */
static uint32_t nearest(const tree *t, const hash256 *path)
{
    uint32_t ref = t->root;
    while (is_node(ref)) {
        const tree_node *n = node_of(t, ref);
        ref = n->child[bit_at(path, n->depth)];
    }
    return ref;
}

uint32_t chain_tree_insert(tree *t, const hash256 *path, const hash256 *value_hash)
{
    uint32_t leaf = take_leaf(t);
    t->leaves[leaf] = (tree_leaf){ *path, *value_hash, TREE_NONE };
    hash256 hash = smt_leaf(path, value_hash);
    if (t->root == TREE_NONE) {
        put(t, TREE_NONE, TREE_NONE, leaf, &hash, false);
        return leaf;
    }
    /* The new node parts the leaf from everything that shares its path down to the parting bit. */
    uint32_t other = nearest(t, path), parent;
    unsigned parting = parting_bit(path, &t->leaves[other].path);
    CHECK(parting < 256);
    while ((parent = *parent_of(t, other)) != TREE_NONE && t->nodes[parent].depth > parting)
        other = parent | TREE_NODE_BIT;

    uint32_t number = take_node(t), node = number | TREE_NODE_BIT;
    unsigned side = bit_at(path, parting);
    bool     other_stale = is_stale(t, other);
    hash256  other_hash = *hash_of(t, other);
    t->nodes[number] = (tree_node){ .depth = (uint8_t)parting };
    put(t, parent, other, node, &other_hash, other_stale);
    t->nodes[number].child[side] = leaf;
    t->nodes[number].child[side ^ 1] = other;
    put(t, number, leaf, leaf, &hash, false);
    put(t, number, other, other, &other_hash, other_stale);
    touch(t, number);
    return leaf;
}

void chain_tree_update(tree *t, uint32_t leaf, const hash256 *value_hash)
{
    tree_leaf *l = &t->leaves[leaf];
    l->value_hash = *value_hash;
    *hash_of(t, leaf) = smt_leaf(&l->path, value_hash);
    touch(t, l->parent);
}

void chain_tree_prefetch(const tree *t, uint32_t leaf, unsigned level)
{
    if (leaf == TREE_NONE)
        return;
    if (level == 0) {
        __builtin_prefetch(&t->leaves[leaf]);
        __builtin_prefetch(&t->leaves[leaf].parent);
        return;
    }
    uint32_t number = t->leaves[leaf].parent;
    for (unsigned i = 1; i < level && number != TREE_NONE; i++)
        number = t->nodes[number].parent;
    if (number == TREE_NONE)
        return;
    __builtin_prefetch(&t->nodes[number]);
    if (level == 1)
        __builtin_prefetch(&t->hashes[number], 1);
}

void chain_tree_remove(tree *t, uint32_t leaf)
{
    uint32_t number = t->leaves[leaf].parent;
    if (number == TREE_NONE) {
        CHECK(t->root == leaf);
        t->root = TREE_NONE;
    } else {
        uint32_t above = t->nodes[number].parent;
        unsigned side = side_of(t, number, leaf) ^ 1;
        put(t, above, number | TREE_NODE_BIT, t->nodes[number].child[side], &t->hashes[number].child[side],
            t->nodes[number].stale >> side & 1);
        touch(t, above);
        t->nodes[number].parent = t->free_node;
        t->free_node = number;
    }
    t->leaves[leaf].parent = t->free_leaf;
    t->free_leaf = leaf;
}

/* The recursion is bounded: depth grows along every path and is below 256. */
static hash256 renew(tree *t, uint32_t ref)
{
    tree_node   *n = node_of(t, ref);
    tree_hashes *h = hashes_of(t, ref);
    for (unsigned side = 0; side < 2; side++) {
        if (n->stale >> side & 1) { /* while one child is renewed the other one comes from memory */
            __builtin_prefetch(node_of(t, n->child[side]));
            __builtin_prefetch(hashes_of(t, n->child[side]), 1);
        }
    }
    for (unsigned side = 0; side < 2; side++)
        if (n->stale >> side & 1)
            h->child[side] = renew(t, n->child[side]);
    n->stale = 0;
    return smt_node(n->depth, &h->child[0], &h->child[1]);
}

hash256 chain_tree_root(tree *t)
{
    if (t->root != TREE_NONE && t->stale)
        t->root_hash = renew(t, t->root);
    t->stale = false;
    return chain_tree_fresh_root(t);
}

hash256 chain_tree_fresh_root(const tree *t)
{
    CHECK(!t->stale);
    return t->root == TREE_NONE ? (hash256){ { 0 } } : t->root_hash;
}

void chain_tree_prove(const tree *t, smt_proof *out, const hash256 *path)
{
    memset(out, 0, sizeof *out);
    if (t->root == TREE_NONE) {
        out->empty = true;
        return;
    }
    uint32_t ref = t->root, count = 0;
    while (is_node(ref)) {
        const tree_node *n = node_of(t, ref);
        unsigned side = bit_at(path, n->depth);
        out->depth[count] = n->depth;
        out->sibling[count] = hashes_of(t, ref)->child[side ^ 1];
        count++;
        ref = n->child[side];
    }
    out->leaf_path = t->leaves[ref].path;
    out->value_hash = t->leaves[ref].value_hash;
    out->count = count;
    for (uint32_t i = 0; i < count / 2; i++) { /* the walk went down; a proof goes up */
        uint8_t depth = out->depth[i];
        hash256 sibling = out->sibling[i];
        out->depth[i] = out->depth[count - 1 - i];
        out->sibling[i] = out->sibling[count - 1 - i];
        out->depth[count - 1 - i] = depth;
        out->sibling[count - 1 - i] = sibling;
    }
}

/* Whether the hash kept of `ref`, which hangs below `parent`, and everything below it are right. */
static bool audit(const tree *t, uint32_t ref, uint32_t parent, const hash256 *kept)
{
    hash256 got;
    if (*parent_of(t, ref) != parent)
        return false;
    if (is_node(ref)) {
        const tree_node *n = node_of(t, ref);
        uint32_t number = ref & ~TREE_NODE_BIT;
        const tree_hashes *h = hashes_of(t, ref);
        if (n->stale || !audit(t, n->child[0], number, &h->child[0]) || !audit(t, n->child[1], number, &h->child[1]))
            return false;
        got = smt_node(n->depth, &h->child[0], &h->child[1]);
    } else {
        got = smt_leaf(&t->leaves[ref].path, &t->leaves[ref].value_hash);
    }
    return hash256_equal(&got, kept);
}

bool chain_tree_audit(const tree *t)
{
    return t->root == TREE_NONE || audit(t, t->root, TREE_NONE, &t->root_hash);
}
