/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/merkle.h"

#include "crypto/merkle_vectors_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>

enum { LEAVES = 100 };

static const cr_merkle_rule *const rules[] = { &cr_merkle_sha256, &cr_merkle_blake3 };

static void make_leaves(hash256 out[LEAVES], const cr_merkle_rule *rule)
{
    for (size_t i = 0; i < LEAVES; i++) {
        uint8_t data[LEAVES];
        for (size_t k = 0; k < i % 100; k++)
            data[k] = (uint8_t)(i + k);
        out[i] = cr_merkle_leaf(rule, bytes_of(data, i % 100));
    }
}

static void assert_hashes(const hash256 *got, size_t count, const char *want)
{
    assert_int_equal(strlen(want), 64 * count);
    for (size_t i = 0; i < count; i++) {
        char hex[65];
        base_hex_encode(hex, got[i].b, 32);
        assert_memory_equal(hex, want + 64 * i, 64);
    }
}

/* All nodes of a full tree: tree[count + i] = leaf i. */
static void make_tree(hash256 *tree, const cr_merkle_rule *rule, const hash256 *leaves, size_t count)
{
    memcpy(tree + count, leaves, count * sizeof *tree);
    for (size_t i = count - 1; i > 0; i--)
        tree[i] = cr_merkle_root(rule, tree + 2 * i, 2);
}

static void several_vector(const cr_merkle_rule *rule, const hash256 *leaves, size_t count, const hash256 *root, const char *want)
{
    hash256  tree[2 * 64], open[64], siblings[64];
    uint32_t index[64] = { 0 };
    size_t   n = 0;
    unsigned depth = 0;
    while ((size_t)1 << depth < count)
        depth++;
    make_tree(tree, rule, leaves, count);
    for (size_t i = 0; i < count; i++)
        if (i % 5 == 1 || i % 5 == 2)
            index[n++] = (uint32_t)i;
    n = n ? n : 1;
    for (size_t i = 0; i < n; i++)
        open[i] = leaves[index[i]];
    size_t len = cr_merkle_several(siblings, tree, depth, index, n);
    assert_hashes(siblings, len, want);
    assert_int_equal(cr_merkle_several_verify(rule, root, depth, index, open, n, siblings, len), OK);
}

static void vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(merkle_vectors); i++) {
        const cr_merkle_rule *rule = rules[strcmp(merkle_vectors[i].rule, "blake3") == 0];
        size_t count = merkle_vectors[i].count, index = merkle_vectors[i].index;
        size_t first = merkle_vectors[i].first, opened = merkle_vectors[i].opened;
        hash256 leaves[LEAVES], proof[CR_MERKLE_RANGE_MAX];
        make_leaves(leaves, rule);
        hash256 root = cr_merkle_root(rule, leaves, count);
        assert_hashes(&root, 1, merkle_vectors[i].root);
        if (count == 0)
            continue;
        size_t len = cr_merkle_path(rule, proof, leaves, count, index);
        assert_hashes(proof, len, merkle_vectors[i].path);
        assert_int_equal(cr_merkle_path_verify(rule, &root, count, index, &leaves[index], proof, len), OK);
        len = cr_merkle_range(rule, proof, leaves, count, first, opened);
        assert_hashes(proof, len, merkle_vectors[i].siblings);
        assert_int_equal(cr_merkle_range_verify(rule, &root, count, first, leaves + first, opened, proof, len), OK);
        if ((count & (count - 1)) == 0)
            several_vector(rule, leaves, count, &root, merkle_vectors[i].several);
    }
}

/* The example tree of the Certificate Transparency test data. */
static void certificate_transparency_roots(void **state)
{
    (void)state;
    const char *const data[] = { "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
                                 "606162636465666768696a6b6c6d6e6f" };
    const char *const roots[] = {
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    };
    cr_merkle_builder b;
    cr_merkle_builder_init(&b, &cr_merkle_sha256);
    for (size_t i = 0; i < COUNT_OF(data); i++) {
        uint8_t raw[16];
        assert_int_equal(base_hex_decode(raw, strlen(data[i]) / 2, data[i]), OK);
        hash256 leaf = cr_merkle_builder_add_data(&b, bytes_of(raw, strlen(data[i]) / 2));
        hash256 same = cr_merkle_leaf(&cr_merkle_sha256, bytes_of(raw, strlen(data[i]) / 2));
        assert_true(hash256_equal(&leaf, &same));
        hash256 root = cr_merkle_builder_root(&b);
        assert_hashes(&root, 1, roots[i]);
    }
}

/* A large tree is hashed in groups: the root must be that of leaves that come one by one, and the leaves those of single messages. */
static void groups_are_each_one(void **state)
{
    (void)state;
    enum { MOST = 1100 };
    static hash256 leaves[MOST];
    static const size_t counts[] = { 1, 15, 255, 256, 257, 511, 512, 513, 768, 1023, MOST };
    uint8_t data[20 * 128];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7 >> 2);
    for (size_t r = 0; r < COUNT_OF(rules); r++) {
        for (size_t i = 0; i < MOST; i++)
            leaves[i] = cr_merkle_leaf(rules[r], BYTES_OF(i));
        for (size_t k = 0; k < COUNT_OF(counts); k++) {
            cr_merkle_builder b;
            cr_merkle_builder_init(&b, rules[r]);
            for (size_t i = 0; i < counts[k]; i++)
                cr_merkle_builder_add(&b, &leaves[i]);
            hash256 want = cr_merkle_builder_root(&b), got = cr_merkle_root(rules[r], leaves, counts[k]);
            assert_memory_equal(got.b, want.b, 32);
        }
        for (size_t len = 1; len <= 128; len++) {
            hash256 got[20];
            cr_merkle_leaves(rules[r], got, data, len, COUNT_OF(got));
            for (size_t i = 0; i < COUNT_OF(got); i++) {
                hash256 want = cr_merkle_leaf(rules[r], bytes_of(data + i * len, len));
                assert_memory_equal(got[i].b, want.b, 32);
            }
        }
    }
}

static void every_path_and_no_other(void **state)
{
    (void)state;
    const cr_merkle_rule *rule = &cr_merkle_sha256;
    hash256 leaves[LEAVES], path[CR_MERKLE_DEPTH_MAX + 1];
    make_leaves(leaves, rule);
    for (size_t count = 1; count <= 40; count++) {
        hash256 root = cr_merkle_root(rule, leaves, count);
        for (size_t index = 0; index < count; index++) {
            size_t len = cr_merkle_path(rule, path, leaves, count, index);
            assert_int_equal(cr_merkle_path_verify(rule, &root, count, index, &leaves[index], path, len), OK);
            path[len] = root;
            assert_int_equal(cr_merkle_path_verify(rule, &root, count, index, &leaves[index], path, len + 1), ERR_PROOF);
            if (len)
                assert_int_equal(cr_merkle_path_verify(rule, &root, count, index, &leaves[index], path, len - 1), ERR_PROOF);
            for (size_t other = 0; other <= count; other++)
                if (other != index)
                    assert_int_equal(cr_merkle_path_verify(rule, &root, count, other, &leaves[index], path, len), ERR_PROOF);
            for (size_t i = 0; i < len; i++) {
                path[i].b[i % 32] ^= 1;
                assert_int_equal(cr_merkle_path_verify(rule, &root, count, index, &leaves[index], path, len), ERR_PROOF);
                path[i].b[i % 32] ^= 1;
            }
        }
    }
}

static void every_range_and_no_other(void **state)
{
    (void)state;
    const cr_merkle_rule *rule = &cr_merkle_blake3;
    hash256 leaves[LEAVES], proof[CR_MERKLE_RANGE_MAX];
    make_leaves(leaves, rule);
    for (size_t count = 1; count <= 21; count++) {
        hash256 root = cr_merkle_root(rule, leaves, count);
        for (size_t first = 0; first < count; first++) {
            for (size_t n = 1; n <= count - first; n++) {
                size_t len = cr_merkle_range(rule, proof, leaves, count, first, n);
                assert_int_equal(len, cr_merkle_range_len(count, first, n));
                const hash256 *open = leaves + first;
                assert_int_equal(cr_merkle_range_verify(rule, &root, count, first, open, n, proof, len), OK);
                assert_int_equal(cr_merkle_range_verify(rule, &root, count, first, open, n, proof, len + 1), ERR_PROOF);
                if (n > 1) /* a part of the range needs other siblings, or other places for them */
                    assert_int_equal(cr_merkle_range_verify(rule, &root, count, first, open, n - 1, proof, len), ERR_PROOF);
                if (first + n < count)
                    assert_int_equal(cr_merkle_range_verify(rule, &root, count, first + 1, open, n, proof, len), ERR_PROOF);
                hash256 changed[LEAVES];
                memcpy(changed, open, n * sizeof *changed);
                changed[n / 2].b[31] ^= 0x80;
                assert_int_equal(cr_merkle_range_verify(rule, &root, count, first, changed, n, proof, len), ERR_PROOF);
                for (size_t i = 0; i < len; i++) {
                    proof[i].b[7] ^= 1;
                    assert_int_equal(cr_merkle_range_verify(rule, &root, count, first, open, n, proof, len), ERR_PROOF);
                    proof[i].b[7] ^= 1;
                }
            }
        }
    }
}

/* A claimed count of up to 2^64 - 1 costs no more than the hashes handed in, and reads none beyond them. */
static void hostile_shapes_end(void **state)
{
    (void)state;
    hash256 root = { { 0 } }, leaf = { { 1 } };
    hash256 *exact = calloc(CR_MERKLE_RANGE_MAX, sizeof *exact);
    assert_non_null(exact);
    const uint64_t edges[] = { 0, 1, 2, 3, (uint64_t)1 << 32, ((uint64_t)1 << 63) - 1, (uint64_t)1 << 63,
                               ((uint64_t)1 << 63) + 1, UINT64_MAX - 1, UINT64_MAX };
    for (size_t c = 0; c < COUNT_OF(edges); c++) {
        for (size_t i = 0; i < COUNT_OF(edges); i++) {
            assert_true(cr_merkle_range_len(edges[c], edges[i], 1) <= CR_MERKLE_RANGE_MAX);
            for (size_t len = 0; len <= CR_MERKLE_RANGE_MAX; len++) {
                const hash256 *end = exact + CR_MERKLE_RANGE_MAX - len; /* the sanitizer sees a read past it */
                assert_int_equal(cr_merkle_range_verify(&cr_merkle_blake3, &root, edges[c], edges[i], &leaf, 1, end, len),
                                 ERR_PROOF);
                assert_int_equal(cr_merkle_path_verify(&cr_merkle_blake3, &root, edges[c], edges[i], &leaf, end, len),
                                 ERR_PROOF);
            }
            assert_int_equal(cr_merkle_range_verify(&cr_merkle_blake3, &root, edges[c], edges[i], &leaf, 0, exact, 0), ERR_PROOF);
        }
    }
    assert_int_equal(cr_merkle_range_len(10, 5, 6), 0);
    assert_int_equal(cr_merkle_range_len(10, 5, UINT64_MAX), 0);
    free(exact);
}

/* The subset of the leaves that `set` names, opened: it verifies, and nothing next to it does. */
static void one_subset(const hash256 *tree, unsigned depth, uint32_t set, bool tamper)
{
    const cr_merkle_rule *rule = &cr_merkle_blake3;
    hash256  open[17], siblings[17];
    uint32_t index[17];
    size_t   n = 0;
    for (uint32_t i = 0; i >> depth == 0; i++)
        if (set >> i & 1) {
            index[n] = i;
            open[n++] = tree[((size_t)1 << depth) + i];
        }
    size_t len = cr_merkle_several(siblings, tree, depth, index, n);
    assert_int_equal(len, cr_merkle_several_len(depth, index, n));
    assert_int_equal(cr_merkle_several_verify(rule, &tree[1], depth, index, open, n, siblings, len), OK);
    if (!tamper)
        return;
    assert_int_equal(cr_merkle_several_verify(rule, &tree[1], depth, index, open, n, siblings, len + 1), ERR_PROOF);
    if (len)
        assert_int_equal(cr_merkle_several_verify(rule, &tree[1], depth, index, open, n, siblings, len - 1), ERR_PROOF);
    for (size_t i = 0; i < len; i++) {
        siblings[i].b[i % 32] ^= 4;
        assert_int_equal(cr_merkle_several_verify(rule, &tree[1], depth, index, open, n, siblings, len), ERR_PROOF);
        siblings[i].b[i % 32] ^= 4;
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t was = index[i];
        for (uint32_t other = 0; other >> depth <= 1; other++) { /* outside the tree as well */
            index[i] = other;
            if (other != was)
                assert_int_equal(cr_merkle_several_verify(rule, &tree[1], depth, index, open, n, siblings, len), ERR_PROOF);
        }
        index[i] = was;
        open[i].b[9] ^= 1;
        assert_int_equal(cr_merkle_several_verify(rule, &tree[1], depth, index, open, n, siblings, len), ERR_PROOF);
        open[i].b[9] ^= 1;
    }
}

static void every_subset_and_no_other(void **state)
{
    (void)state;
    hash256 leaves[LEAVES], tree[32];
    make_leaves(leaves, &cr_merkle_blake3);
    for (unsigned depth = 0; depth <= 4; depth++) {
        make_tree(tree, &cr_merkle_blake3, leaves + 20, (size_t)1 << depth);
        for (uint32_t set = 1; set >> (1u << depth) == 0; set++)
            one_subset(tree, depth, set, depth <= 3 || set % 64 == 1);
    }
}

static void several_refuses_bad_indices(void **state)
{
    (void)state;
    static hash256  none[CR_MERKLE_SEVERAL_MAX + 1];
    static uint32_t index[CR_MERKLE_SEVERAL_MAX + 1];
    const uint32_t  twice[] = { 3, 3 }, falling[] = { 3, 2 }, outside[] = { 3, 8 };
    for (size_t i = 0; i < COUNT_OF(index); i++)
        index[i] = (uint32_t)i;
    assert_int_equal(cr_merkle_several_len(3, twice, 2), 0);
    assert_int_equal(cr_merkle_several_len(3, falling, 2), 0);
    assert_int_equal(cr_merkle_several_len(3, outside, 2), 0);
    assert_int_equal(cr_merkle_several_len(3, index, 0), 0);
    assert_int_equal(cr_merkle_several_len(32, index, 1), 0);
    assert_int_equal(cr_merkle_several_len(20, index, COUNT_OF(index)), 0);
    assert_int_equal(cr_merkle_several_len(31, index, 1), 31);
    assert_int_equal(cr_merkle_several_verify(&cr_merkle_blake3, none, 3, index, none, 0, none, 0), ERR_PROOF);
    assert_int_equal(cr_merkle_several_verify(&cr_merkle_blake3, none, 20, index, none, COUNT_OF(index), none, 0), ERR_PROOF);
    assert_int_equal(cr_merkle_several_verify(&cr_merkle_blake3, none, 64, index, none, 1, none, 64), ERR_PROOF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors),
        cmocka_unit_test(certificate_transparency_roots),
        cmocka_unit_test(groups_are_each_one),
        cmocka_unit_test(every_path_and_no_other),
        cmocka_unit_test(every_range_and_no_other),
        cmocka_unit_test(hostile_shapes_end),
        cmocka_unit_test(every_subset_and_no_other),
        cmocka_unit_test(several_refuses_bad_indices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
