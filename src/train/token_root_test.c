/* SPDX-License-Identifier: Apache-2.0 */
#include "train/token_root.h"

#include "train/job_kit.h"

enum { T = 16, FROM = 5, COUNT = 3 };

static void the_root_is_over_one_leaf_a_sequence(void **state)
{
    (void)state;
    tr_dataset d;
    hash256 job = { { 3 } }, leaves[COUNT];
    job_dataset(&d, T);
    for (uint32_t s = 0; s < COUNT; s++) {
        uint16_t tokens[T + 1];
        uint8_t leaf[8 + 2 * (T + 1)], own[sizeof leaf];
        tr_dataset_sequence(tokens, &d, &job, FROM + s, T);
        store_le64(leaf, FROM + s);
        for (uint32_t i = 0; i <= T; i++)
            store_le16(leaf + 8 + 2 * i, tokens[i]);
        tr_token_leaf(own, &d, &job, FROM + s, T);
        assert_int_equal(num_token_leaf_bytes(T), sizeof leaf);
        assert_memory_equal(own, leaf, sizeof leaf);
        leaves[s] = cr_merkle_leaf(&cr_merkle_blake3, bytes_of(leaf, sizeof leaf));
    }
    hash256 root = cr_merkle_root(&cr_merkle_blake3, leaves, COUNT), own = tr_token_root(&d, &job, FROM, FROM + COUNT, T);
    assert_memory_equal(own.b, root.b, 32);
    /* Another range, another job, another text. */
    own = tr_token_root(&d, &job, FROM + 1, FROM + 1 + COUNT, T);
    assert_memory_not_equal(own.b, root.b, 32);
    job.b[0]++;
    own = tr_token_root(&d, &job, FROM, FROM + COUNT, T);
    assert_memory_not_equal(own.b, root.b, 32);
    job.b[0]--;
    for (uint64_t i = 0; i < d.manifest.train_tokens; i++)
        d.tokens[i] ^= 1;
    own = tr_token_root(&d, &job, FROM, FROM + COUNT, T);
    assert_memory_not_equal(own.b, root.b, 32);
    tr_dataset_deinit(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(the_root_is_over_one_leaf_a_sequence) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
