/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/merkle_int.h"

#include "base/int.h"

/* The left part of a tree of n >= 2 leaves: the largest power of two below n. */
static uint64_t split(uint64_t n)
{
    return (uint64_t)1 << (bit_length_u64(n - 1) - 1);
}

hash256 cr_merkle_leaf(const cr_merkle_rule *rule, bytes data)
{
    cr_blake3 state;
    rule->start_leaf(&state);
    return rule->leaf(&state, data);
}

void cr_merkle_leaves(const cr_merkle_rule *rule, hash256 *out, const uint8_t *data, size_t len, size_t n)
{
    cr_blake3 state;
    rule->start_leaf(&state);
    rule->leaves(&state, out, data, len, n);
}

/* ---- roots ---- */

void cr_merkle_builder_init(cr_merkle_builder *b, const cr_merkle_rule *rule)
{
    b->rule = rule;
    b->count = 0;
    rule->start_leaf(&b->leaf_state);
    rule->start_node(&b->node_state);
}

/* Adds the root of 2^level leaves; that many divide the count so far. */
static void add_full(cr_merkle_builder *b, const hash256 *root, unsigned level)
{
    unsigned top = (unsigned)__builtin_popcountll(b->count);
    hash256 h = *root;
    for (uint64_t n = b->count >> level; n & 1; n >>= 1)
        h = b->rule->node(&b->node_state, &b->open[--top], &h);
    b->open[top] = h;
    b->count += (uint64_t)1 << level;
}

void cr_merkle_builder_add(cr_merkle_builder *b, const hash256 *leaf)
{
    add_full(b, leaf, 0);
}

hash256 cr_merkle_builder_add_data(cr_merkle_builder *b, bytes data)
{
    hash256 leaf = b->rule->leaf(&b->leaf_state, data);
    cr_merkle_builder_add(b, &leaf);
    return leaf;
}

hash256 cr_merkle_builder_root(cr_merkle_builder *b)
{
    unsigned top = (unsigned)__builtin_popcountll(b->count);
    if (top == 0)
        return b->rule->empty();
    hash256 h = b->open[--top];
    while (top != 0)
        h = b->rule->node(&b->node_state, &b->open[--top], &h);
    return h;
}

enum { FULL_LEVEL = 8, FULL = 1 << FULL_LEVEL };

/* The root of FULL leaves, level by level: the nodes of a level are hashed together. */
static hash256 full_root(cr_merkle_builder *b, const hash256 *leaves)
{
    hash256 level[2][FULL / 2];
    const hash256 *below = leaves;
    for (size_t n = FULL / 2, i = 0; n != 0; n /= 2, i ^= 1) {
        b->rule->nodes(&b->node_state, level[i], below, n);
        below = level[i];
    }
    return *below;
}

hash256 cr_merkle_root(const cr_merkle_rule *rule, const hash256 *leaves, size_t count)
{
    cr_merkle_builder b;
    cr_merkle_builder_init(&b, rule);
    size_t i = 0;
    for (; count - i >= FULL; i += FULL) {
        hash256 root = full_root(&b, leaves + i);
        add_full(&b, &root, FULL_LEVEL);
    }
    for (; i < count; i++)
        cr_merkle_builder_add(&b, &leaves[i]);
    return cr_merkle_builder_root(&b);
}

/* ---- one leaf ---- */

size_t cr_merkle_path(const cr_merkle_rule *rule, hash256 out[CR_MERKLE_DEPTH_MAX], const hash256 *leaves, size_t count,
                      size_t index)
{
    CHECK(index < count);
    size_t len = 0;
    for (size_t n = count; n > 1;) {
        size_t left = (size_t)split(n);
        if (index < left) {
            out[len++] = cr_merkle_root(rule, leaves + left, n - left);
            n = left;
        } else {
            out[len++] = cr_merkle_root(rule, leaves, left);
            leaves += left;
            index -= left;
            n -= left;
        }
    }
    for (size_t i = 0; i < len / 2; i++) { /* found from the root down */
        hash256 h = out[i];
        out[i] = out[len - 1 - i];
        out[len - 1 - i] = h;
    }
    return len;
}

/* RFC 9162 section 2.1.3.2. */
err cr_merkle_path_verify(const cr_merkle_rule *rule, const hash256 *root, uint64_t count, uint64_t index,
                          const hash256 *leaf, const hash256 *path, size_t path_len)
{
    if (index >= count || path_len > CR_MERKLE_DEPTH_MAX)
        return ERR_PROOF;
    cr_blake3 state;
    rule->start_node(&state);
    hash256 h = *leaf;
    uint64_t at = index, last = count - 1;
    for (size_t i = 0; i < path_len; i++) {
        if (last == 0)
            return ERR_PROOF;
        if (at & 1 || at == last) {
            h = rule->node(&state, &path[i], &h);
            while (!(at & 1) && at != 0) {
                at >>= 1;
                last >>= 1;
            }
        } else {
            h = rule->node(&state, &h, &path[i]);
        }
        at >>= 1;
        last >>= 1;
    }
    return last == 0 && hash256_equal(&h, root) ? OK : ERR_PROOF;
}

/* ---- a range ---- */

static bool range_is_inside(uint64_t count, uint64_t first, uint64_t opened)
{
    return opened != 0 && first < count && opened <= count - first;
}

/* Walks the subtree of the leaves [lo, lo + n) and counts the maximal subtrees outside [first, end). */
static size_t range_count(uint64_t lo, uint64_t n, uint64_t first, uint64_t end)
{
    if (lo >= end || lo + n <= first)
        return 1;
    if (lo >= first && lo + n <= end)
        return 0;
    uint64_t left = split(n);
    return range_count(lo, left, first, end) + range_count(lo + left, n - left, first, end);
}

size_t cr_merkle_range_len(uint64_t count, uint64_t first, uint64_t opened)
{
    return range_is_inside(count, first, opened) ? range_count(0, count, first, first + opened) : 0;
}

static hash256 *range_siblings(const cr_merkle_rule *rule, hash256 *out, const hash256 *leaves, size_t lo, size_t n,
                               size_t first, size_t end)
{
    if (lo >= end || lo + n <= first) {
        *out = cr_merkle_root(rule, leaves + lo, n);
        return out + 1;
    }
    if (lo >= first && lo + n <= end)
        return out;
    size_t left = (size_t)split(n);
    out = range_siblings(rule, out, leaves, lo, left, first, end);
    return range_siblings(rule, out, leaves, lo + left, n - left, first, end);
}

size_t cr_merkle_range(const cr_merkle_rule *rule, hash256 out[CR_MERKLE_RANGE_MAX], const hash256 *leaves, size_t count,
                       size_t first, size_t opened)
{
    CHECK(range_is_inside(count, first, opened));
    return (size_t)(range_siblings(rule, out, leaves, 0, count, first, first + opened) - out);
}

typedef struct range_walk {
    const cr_merkle_rule *rule;
    cr_blake3      node_state;
    uint64_t       first;
    uint64_t       end;
    const hash256 *opened_leaves;
    const hash256 *next_sibling; /* their number was checked against the shape before the walk */
} range_walk;

/* The root of the subtree [lo, lo + n). Each level at least halves the larger part's bound, so 64 levels are the most, and
 * below a subtree outside the range nothing is visited. */
static hash256 range_root(range_walk *w, uint64_t lo, uint64_t n)
{
    if (lo >= w->end || lo + n <= w->first)
        return *w->next_sibling++;
    if (n == 1)
        return w->opened_leaves[lo - w->first];
    uint64_t left_n = split(n);
    hash256 left = range_root(w, lo, left_n);
    hash256 right = range_root(w, lo + left_n, n - left_n);
    return w->rule->node(&w->node_state, &left, &right);
}

err cr_merkle_range_verify(const cr_merkle_rule *rule, const hash256 *root, uint64_t count, uint64_t first,
                           const hash256 *opened_leaves, size_t opened, const hash256 *siblings, size_t sibling_count)
{
    if (!range_is_inside(count, first, opened) || sibling_count != cr_merkle_range_len(count, first, opened))
        return ERR_PROOF;
    range_walk w = { .rule = rule, .first = first, .end = first + opened, .opened_leaves = opened_leaves,
                     .next_sibling = siblings };
    rule->start_node(&w.node_state);
    hash256 h = range_root(&w, 0, count);
    return hash256_equal(&h, root) ? OK : ERR_PROOF;
}

/* ---- several leaves of a full tree ---- */

static bool several_are_valid(unsigned depth, const uint32_t *index, size_t n)
{
    if (depth > CR_MERKLE_SEVERAL_DEPTH_MAX || n == 0 || n > CR_MERKLE_SEVERAL_MAX)
        return false;
    for (size_t i = 0; i < n; i++)
        if (index[i] >> depth != 0 || (i != 0 && index[i] <= index[i - 1]))
            return false;
    return true;
}

/* Whether the known nodes i and i + 1 of one level are the two children of one node. */
static bool are_pair(const uint32_t *at, size_t i, size_t n)
{
    return i + 1 < n && (at[i] ^ 1) == at[i + 1];
}

/* The walk that defines the opening. `out` and `tree` may be NULL, to count. */
static size_t several_siblings(hash256 *out, const hash256 *tree, unsigned depth, const uint32_t *index, size_t n)
{
    uint32_t at[CR_MERKLE_SEVERAL_MAX];
    size_t   len = 0;
    memcpy(at, index, n * sizeof *at);
    for (unsigned d = depth; d != 0; d--) {
        size_t up = 0;
        for (size_t i = 0; i < n; up++) {
            bool     pair = are_pair(at, i, n);
            uint32_t sibling = at[i] ^ 1;
            if (!pair && out)
                out[len] = tree[((size_t)1 << d) + sibling];
            len += !pair;
            at[up] = at[i] >> 1;
            i += pair ? 2 : 1;
        }
        n = up;
    }
    return len;
}

size_t cr_merkle_several(hash256 *out, const hash256 *tree, unsigned depth, const uint32_t *index, size_t n)
{
    CHECK(several_are_valid(depth, index, n));
    return several_siblings(out, tree, depth, index, n);
}

size_t cr_merkle_several_len(unsigned depth, const uint32_t *index, size_t n)
{
    return several_are_valid(depth, index, n) ? several_siblings(NULL, NULL, depth, index, n) : 0;
}

err cr_merkle_several_verify(const cr_merkle_rule *rule, const hash256 *root, unsigned depth, const uint32_t *index,
                             const hash256 *opened_leaves, size_t n, const hash256 *siblings, size_t sibling_count)
{
    if (!several_are_valid(depth, index, n) || sibling_count != several_siblings(NULL, NULL, depth, index, n))
        return ERR_PROOF;
    uint32_t  at[CR_MERKLE_SEVERAL_MAX];
    hash256   known[CR_MERKLE_SEVERAL_MAX];
    cr_blake3 state;
    memcpy(at, index, n * sizeof *at);
    memcpy(known, opened_leaves, n * sizeof *known);
    rule->start_node(&state);
    for (unsigned d = depth; d != 0; d--) {
        size_t up = 0;
        for (size_t i = 0; i < n; up++) {
            bool           pair = are_pair(at, i, n), is_right = at[i] & 1;
            const hash256 *other = pair ? &known[i + 1] : siblings++;
            known[up] = is_right ? rule->node(&state, other, &known[i]) : rule->node(&state, &known[i], other);
            at[up] = at[i] >> 1;
            i += pair ? 2 : 1;
        }
        n = up;
    }
    return hash256_equal(&known[0], root) ? OK : ERR_PROOF;
}
