/* SPDX-License-Identifier: Apache-2.0 */
#include "train/trace_root.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static const num_shape shape = { .vocab = 50, .context = 20, .width = 32, .layers = 2, .heads = 2, .bits = 12, .helper = NUM_NARROW };
static const uint64_t  sequences[] = { 4, 9, 10 };
enum { COUNT = 3 };

static int64_t value_of(uint32_t tensor, uint64_t sequence, uint64_t i)
{
    return (int64_t)((tensor * 31 + sequence * 17 + i * 7) % 2000) - 1000;
}

typedef struct change {
    uint32_t tensor;
    uint64_t sequence, index;
    int64_t  by;
} change;

static err show(tr_trace *t, uint32_t k, uint64_t sequence, const change *c)
{
    num_trace_tensor tensor = num_trace_at(&shape, k);
    uint64_t n = (uint64_t)tensor.rows * tensor.cols;
    uint8_t *data = calloc(n, tensor.elem_bytes);
    for (uint64_t i = 0; i < n; i++) {
        int64_t v = value_of(tensor.id, sequence, i);
        if (c && c->tensor == tensor.id && c->sequence == sequence && c->index == i)
            v += c->by;
        if (tensor.elem_bytes == 2)
            ((int16_t *)(void *)data)[i] = (int16_t)v;
        else if (tensor.elem_bytes == 4)
            ((int32_t *)(void *)data)[i] = (int32_t)v;
        else
            ((int64_t *)(void *)data)[i] = v;
    }
    err e = tr_trace_take(t, tensor.id, sequence, data, tensor.rows, tensor.cols, tensor.elem_bytes);
    free(data);
    return e;
}

/* An executor may show sequences inside tensors or tensors inside sequences. */
static void run(tr_trace *t, bool by_sequence, const change *c)
{
    uint32_t n = num_trace_count(&shape);
    for (uint32_t i = 0; i < n * COUNT; i++)
        assert_int_equal(by_sequence ? show(t, i % n, sequences[i / n], c) : show(t, i / COUNT, sequences[i % COUNT], c), OK);
}

static void root_does_not_depend_on_order_or_threads(void **state)
{
    (void)state;
    base_pool *pool;
    assert_int_equal(base_pool_new(&pool, 3), OK);
    tr_trace a, b;
    hash256 ra, rb;
    assert_int_equal(tr_trace_init(&a, &shape, COUNT, sequences, NULL, NULL), OK);
    assert_int_equal(tr_trace_init(&b, &shape, COUNT, sequences, pool, NULL), OK);
    run(&a, false, NULL);
    run(&b, true, NULL);
    assert_int_equal(tr_trace_root(&a, &ra, NULL), OK);
    assert_int_equal(tr_trace_root(&b, &rb, NULL), OK);
    assert_memory_equal(ra.b, rb.b, 32);
    tr_place p;
    assert_int_equal(tr_trace_difference(&a, b.leaves, &p), ERR_NOT_FOUND);

    /* A leaf by hand: the tile of value_of, hashed as spec/merkle.md says. */
    num_trace_tensor y1;
    assert_int_equal(num_trace_find(&y1, NULL, &shape, NUM_TENSOR_ID(1, NUM_Y1)), OK);
    uint8_t leaf[NUM_LEAF_BYTES_MAX] = { 0 };
    store_le32(leaf, y1.id);
    store_le64(leaf + 4, 9);
    store_le32(leaf + 12, 1);
    store_le32(leaf + 16, 1);
    for (uint32_t r = 0; r < 16; r++)
        for (uint32_t c = 0; c < 16; c++)
            if (16 + r < 20)
                store_le16(leaf + 64 + 2 * (16 * r + c), (uint16_t)value_of(y1.id, 9, (16 + r) * 32 + 16 + c));
    hash256 want = cr_merkle_leaf(&cr_merkle_blake3, bytes_of(leaf, num_leaf_bytes(2)));
    assert_memory_equal(a.leaves[num_trace_leaf(&y1, COUNT, 1, 1, 1)].b, want.b, 32);
    tr_trace_deinit(&a);
    tr_trace_deinit(&b);
    base_pool_free(pool);
}

static void first_difference_is_found(void **state)
{
    (void)state;
    tr_trace a, b;
    assert_int_equal(tr_trace_init(&a, &shape, COUNT, sequences, NULL, NULL), OK);
    assert_int_equal(tr_trace_init(&b, &shape, COUNT, sequences, NULL, NULL), OK);
    run(&a, false, NULL);
    const change changes[] = {
        { NUM_TENSOR_ID(0, NUM_X), 4, 0, 1 },
        { NUM_TENSOR_ID(1, NUM_EE), 9, 40 * 20 - 1, -1 },
        { NUM_TENSOR_ID(0, NUM_DQ), 10, 17 * 32 + 19, 5 },
        { NUM_TENSOR_ID(2, NUM_DL), 9, 19 * 50 + 49, 1 },
    };
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        tr_trace_reset(&b);
        run(&b, true, &changes[i]);
        tr_place p;
        assert_int_equal(tr_trace_difference(&a, b.leaves, &p), OK);
        assert_int_equal(p.tensor.id, changes[i].tensor);
        assert_int_equal(p.sequence, changes[i].sequence);
        assert_int_equal(p.tile_row, changes[i].index / p.tensor.cols / 16);
        assert_int_equal(p.tile_col, changes[i].index % p.tensor.cols / 16);
    }
    tr_trace_deinit(&a);
    tr_trace_deinit(&b);
}

static void incomplete_or_strange_traces_are_refused(void **state)
{
    (void)state;
    tr_trace t;
    hash256 root;
    fault f;
    const uint64_t twice[] = { 4, 4 };
    assert_int_equal(tr_trace_init(&t, &shape, 2, twice, NULL, &f), ERR_RANGE);
    assert_int_equal(tr_trace_init(&t, &shape, 0, twice, NULL, &f), ERR_LIMIT);
    assert_int_equal(tr_trace_init(&t, &shape, COUNT, sequences, NULL, &f), OK);
    assert_int_equal(tr_trace_root(&t, &root, &f), ERR_TRUNCATED);
    assert_int_equal(f.at, num_trace_count(&shape) * COUNT);
    assert_int_equal(show(&t, 3, 4, NULL), OK);
    assert_int_equal(show(&t, 3, 4, NULL), ERR_DUPLICATE);
    assert_int_equal(show(&t, 3, 5, NULL), ERR_NOT_FOUND);
    int16_t data[20 * 32] = { 0 };
    assert_int_equal(tr_trace_take(&t, NUM_TENSOR_ID(0, NUM_Y1), 4, data, 20, 31, 2), ERR_SHAPE);
    assert_int_equal(tr_trace_take(&t, NUM_TENSOR_ID(9, NUM_Y1), 4, data, 20, 32, 2), ERR_NOT_FOUND);
    assert_int_equal(tr_trace_root(&t, &root, &f), ERR_TRUNCATED);
    tr_trace_deinit(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(root_does_not_depend_on_order_or_threads),
        cmocka_unit_test(first_difference_is_found),
        cmocka_unit_test(incomplete_or_strange_traces_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
