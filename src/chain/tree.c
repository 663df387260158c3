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
    t->root = TREE_NONE;
}

static uint32_t take(uint32_t *free_stack, uint32_t *free_count, uint32_t *used, uint32_t cap)
{
    if (*free_count)
        return free_stack[--*free_count];
    CHECK(*used < cap);
    return (*used)++;
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
    uint32_t leaf = take(t->free_leaves, &t->free_leaf_count, &t->leaf_count, t->cap);
    t->leaves[leaf] = (tree_leaf){ *path, *value_hash };
    if (t->root == TREE_NONE) {
        t->root = leaf;
        return leaf;
    }
    unsigned parting = parting_bit(path, &t->leaves[nearest(t, path)].path);
    CHECK(parting < 256);
    uint32_t *link = &t->root;
    while (is_node(*link) && node_of(t, *link)->depth < parting) {
        tree_node *n = node_of(t, *link);
        n->stale = true;
        link = &n->child[bit_at(path, n->depth)];
    }
    uint32_t number = take(t->free_nodes, &t->free_node_count, &t->node_count, t->cap);
    unsigned side = bit_at(path, parting);
    tree_node *n = &t->nodes[number];
    n->depth = (uint8_t)parting;
    n->stale = true;
    n->child[side] = leaf;
    n->child[side ^ 1] = *link;
    *link = number | TREE_NODE_BIT;
    return leaf;
}

void chain_tree_update(tree *t, uint32_t leaf, const hash256 *value_hash)
{
    tree_leaf *l = &t->leaves[leaf];
    l->value_hash = *value_hash;
    uint32_t ref = t->root;
    while (is_node(ref)) {
        tree_node *n = node_of(t, ref);
        n->stale = true;
        ref = n->child[bit_at(&l->path, n->depth)];
    }
    CHECK(ref == leaf);
}

void chain_tree_remove(tree *t, uint32_t leaf)
{
    const hash256 *path = &t->leaves[leaf].path;
    uint32_t *link = &t->root, *above = NULL;
    while (is_node(*link)) {
        tree_node *n = node_of(t, *link);
        n->stale = true;
        above = link;
        link = &n->child[bit_at(path, n->depth)];
    }
    CHECK(*link == leaf);
    if (above) {
        uint32_t number = *above & ~TREE_NODE_BIT;
        const tree_node *n = &t->nodes[number];
        *above = n->child[n->child[0] == leaf ? 1 : 0];
        t->free_nodes[t->free_node_count++] = number;
    } else {
        t->root = TREE_NONE;
    }
    t->free_leaves[t->free_leaf_count++] = leaf;
}

static hash256 leaf_hash(const tree_leaf *l)
{
    return smt_leaf(&l->path, &l->value_hash);
}

/* The recursion is bounded: depth grows along every path and is below 256. */
static hash256 renew(tree *t, uint32_t ref)
{
    if (!is_node(ref))
        return leaf_hash(&t->leaves[ref]);
    tree_node *n = node_of(t, ref);
    if (n->stale) {
        hash256 left = renew(t, n->child[0]), right = renew(t, n->child[1]);
        n->hash = smt_node(n->depth, &left, &right);
        n->stale = false;
    }
    return n->hash;
}

hash256 chain_tree_root(tree *t)
{
    if (t->root == TREE_NONE)
        return (hash256){ { 0 } };
    return renew(t, t->root);
}

hash256 chain_tree_fresh_root(const tree *t)
{
    if (t->root == TREE_NONE)
        return (hash256){ { 0 } };
    if (!is_node(t->root))
        return leaf_hash(&t->leaves[t->root]);
    CHECK(!node_of(t, t->root)->stale);
    return node_of(t, t->root)->hash;
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
        uint32_t other = n->child[side ^ 1];
        out->depth[count] = n->depth;
        out->sibling[count] = is_node(other) ? node_of(t, other)->hash : leaf_hash(&t->leaves[other]);
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

static bool audit(const tree *t, uint32_t ref, hash256 *out)
{
    if (!is_node(ref)) {
        *out = leaf_hash(&t->leaves[ref]);
        return true;
    }
    const tree_node *n = node_of(t, ref);
    hash256 left, right;
    if (n->stale || !audit(t, n->child[0], &left) || !audit(t, n->child[1], &right))
        return false;
    *out = smt_node(n->depth, &left, &right);
    return hash256_equal(out, &n->hash);
}

bool chain_tree_audit(const tree *t)
{
    hash256 root;
    return t->root == TREE_NONE || audit(t, t->root, &root);
}
