/* SPDX-License-Identifier: Apache-2.0 */
#include "numerics/test_model.h"
#include "numerics/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const num_shape shapes[] = {
    { 40, 20, 48, 2, 3, 12, 0 }, { 73, 64, 128, 4, 4, 12, 0 }, { 2, 1, 1, 1, 1, 8, 0 }, { 65536, 4096, 8192, 48, 128, 12, 0 },
};

static void tensors_follow_each_other_without_gaps(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(shapes); i++) {
        const num_shape *s = &shapes[i];
        uint64_t at = 0;
        bool seen[64 * 49] = { false };
        for (uint32_t k = 0; k < num_trace_count(s); k++) {
            num_trace_tensor t = num_trace_at(s, k), found;
            uint32_t place = 0;
            assert_int_equal(t.tile_first, at);
            at += t.tiles;
            assert_false(seen[t.id]);
            seen[t.id] = true;
            assert_int_equal(num_trace_find(&found, &place, s, t.id), OK);
            assert_int_equal(place, k);
            assert_int_equal(found.tile_first, t.tile_first);
        }
        assert_int_equal(num_trace_leaves(s, 5), 5 * at);
        num_trace_tensor t;
        assert_int_equal(num_trace_find(&t, NULL, s, NUM_TENSOR_ID(s->layers, NUM_GX)), ERR_NOT_FOUND);
        assert_int_equal(num_trace_find(&t, NULL, s, NUM_TENSOR_ID(0, NUM_LG)), ERR_NOT_FOUND);
        assert_int_equal(num_trace_find(&t, NULL, s, UINT32_MAX), ERR_NOT_FOUND);
    }
}

static void leaves_are_numbered_one_by_one(void **state)
{
    (void)state;
    const num_shape *s = &shapes[0];
    uint64_t expected = 0;
    for (uint32_t k = 0; k < num_trace_count(s); k++) {
        num_trace_tensor t = num_trace_at(s, k);
        for (uint64_t seq = 0; seq < 3; seq++)
            for (uint32_t r = 0; r < t.tile_rows; r++)
                for (uint32_t c = 0; c < t.tile_cols; c++) {
                    num_trace_tensor found;
                    uint64_t seq_found;
                    uint32_t row, col;
                    assert_int_equal(num_trace_leaf(&t, 3, seq, r, c), expected);
                    assert_int_equal(num_trace_locate(&found, &seq_found, &row, &col, s, 3, expected), OK);
                    assert_int_equal(found.id, t.id);
                    assert_int_equal(seq_found, seq);
                    assert_int_equal(row, r);
                    assert_int_equal(col, c);
                    expected++;
                }
    }
    num_trace_tensor t;
    uint64_t seq;
    uint32_t row, col;
    assert_int_equal(num_trace_locate(&t, &seq, &row, &col, s, 3, expected), ERR_NOT_FOUND);
    assert_int_equal(num_trace_locate(&t, &seq, &row, &col, s, 0, 0), ERR_NOT_FOUND);
}

static void shapes_of_tensors(void **state)
{
    (void)state;
    const struct {
        uint32_t layer, slot, rows, cols, elem_bytes;
    } rows[] = {
        { 0, NUM_X, 20, 48, 4 },  { 1, NUM_ZZ, 60, 20, 4 },  { 1, NUM_EE, 60, 20, 2 },   { 0, NUM_DS, 60, 20, 2 },
        { 0, NUM_HH, 20, 192, 4 }, { 0, NUM_GG, 20, 192, 2 }, { 0, NUM_DH, 20, 192, 2 }, { 1, NUM_ZSUM, 20, 3, 8 },
        { 1, NUM_RSUM, 20, 3, 8 }, { 1, NUM_CC, 20, 3, 8 },   { 2, NUM_LG, 20, 40, 4 },  { 2, NUM_EL, 20, 40, 4 },
        { 2, NUM_DL, 20, 40, 2 },  { 2, NUM_ZL, 20, 1, 8 },   { 2, NUM_LOSS, 20, 1, 8 }, { 1, NUM_M2, 20, 1, 8 },
        { 1, NUM_DN1, 20, 48, 4 }, { 2, NUM_Y1, 20, 48, 2 },  { 0, NUM_GX, 20, 48, 4 },  { 0, NUM_XMID, 20, 48, 4 },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        num_trace_tensor t;
        assert_int_equal(num_trace_find(&t, NULL, &shapes[0], NUM_TENSOR_ID(rows[i].layer, rows[i].slot)), OK);
        assert_int_equal(t.rows, rows[i].rows);
        assert_int_equal(t.cols, rows[i].cols);
        assert_int_equal(t.elem_bytes, rows[i].elem_bytes);
    }
}

static void a_leaf_holds_its_tile_and_zeros(void **state)
{
    (void)state;
    num_trace_tensor t;
    int32_t x[20 * 48];
    for (int i = 0; i < 20 * 48; i++)
        x[i] = -i - 1;
    assert_int_equal(num_trace_find(&t, NULL, &shapes[0], NUM_TENSOR_ID(1, NUM_X)), OK);
    uint8_t leaf[NUM_LEAF_BYTES_MAX];
    num_leaf_encode(leaf, &t, 0x123456789aull, 1, 2, x);
    assert_int_equal(num_leaf_bytes(4), 1088);
    assert_int_equal(load_le32(leaf), 64);
    assert_true(load_le64(leaf + 4) == 0x123456789aull);
    assert_int_equal(load_le32(leaf + 12), 1);
    assert_int_equal(load_le32(leaf + 16), 2);
    for (uint32_t i = 0; i < 16; i++)
        for (uint32_t j = 0; j < 16; j++)
            assert_int_equal(num_leaf_element(leaf, 4, i * 16 + j), i < 4 ? x[(16 + i) * 48 + 32 + j] : 0);
    int16_t y[20 * 40];
    for (int i = 0; i < 20 * 40; i++)
        y[i] = (int16_t)(-i - 1);
    assert_int_equal(num_trace_find(&t, NULL, &shapes[0], NUM_TENSOR_ID(2, NUM_DL)), OK);
    num_leaf_encode(leaf, &t, 1, 0, 2, y);
    assert_int_equal(num_leaf_element(leaf, 2, 7), -40);
    assert_int_equal(num_leaf_element(leaf, 2, 8), 0);
    int64_t r[20];
    for (int i = 0; i < 20; i++)
        r[i] = -i * ((int64_t)1 << 40);
    assert_int_equal(num_trace_find(&t, NULL, &shapes[0], NUM_TENSOR_ID(2, NUM_R1)), OK);
    num_leaf_encode(leaf, &t, 1, 1, 0, r);
    assert_true(num_leaf_element(leaf, 8, 48) == (int64_t)-19 * ((int64_t)1 << 40));
}

/* Evidence carries tiles without their padding; a leaf that is not what its place says is told from one that is. */
static void padding_is_left_out_and_checked(void **state)
{
    (void)state;
    num_trace_tensor t;
    int32_t x[20 * 48];
    for (int i = 0; i < 20 * 48; i++)
        x[i] = i + 1;
    assert_int_equal(num_trace_find(&t, NULL, &shapes[0], NUM_TENSOR_ID(1, NUM_X)), OK);
    uint8_t leaf[NUM_LEAF_BYTES_MAX], packed[4 * NUM_TILE_ELEMENTS], back[4 * NUM_TILE_ELEMENTS];
    num_leaf_encode(leaf, &t, 5, 1, 2, x);
    assert_int_equal(num_tile_span(20, 0), 16);
    assert_int_equal(num_tile_span(20, 1), 4);
    assert_int_equal(num_tile_pack(packed, leaf + NUM_LEAF_HEAD, 4, 16, 4), 4 * 16 * 4);
    num_tile_unpack(back, packed, 4, 16, 4);
    assert_memory_equal(back, leaf + NUM_LEAF_HEAD, sizeof back);
    /* A tile of one column. */
    uint8_t column[8 * NUM_TILE_ELEMENTS] = { 0 }, inside[8 * NUM_TILE], again[8 * NUM_TILE_ELEMENTS];
    for (uint32_t i = 0; i < 3; i++)
        store_le64(column + (size_t)i * NUM_TILE * 8, 7 + i);
    assert_int_equal(num_tile_pack(inside, column, 3, 1, 8), 24);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(load_le64(inside + 8 * (size_t)i), 7 + i);
    num_tile_unpack(again, inside, 3, 1, 8);
    assert_memory_equal(again, column, sizeof column);

    size_t len = num_leaf_bytes(4);
    assert_true(num_leaf_is_formed(bytes_of(leaf, len), &t, 5, 1, 2));
    assert_false(num_leaf_is_formed(bytes_of(leaf, len - 1), &t, 5, 1, 2));
    assert_false(num_leaf_is_formed(bytes_of(leaf, len), &t, 6, 1, 2));
    assert_false(num_leaf_is_formed(bytes_of(leaf, len), &t, 5, 0, 2));
    leaf[NUM_LEAF_HEAD + 1]++;
    assert_true(num_leaf_is_formed(bytes_of(leaf, len), &t, 5, 1, 2));
    leaf[len - 1]++;
    assert_false(num_leaf_is_formed(bytes_of(leaf, len), &t, 5, 1, 2));
}

static void weight_leaves_are_numbered_one_by_one(void **state)
{
    (void)state;
    const num_shape *s = &shapes[0];
    uint64_t expected = 0;
    for (uint32_t i = 0; i < num_tensor_count(s); i++) {
        num_tensor_info t = num_tensor_describe(s, i);
        for (uint32_t r = 0; r < (t.rows + 15) / 16; r++)
            for (uint32_t c = 0; c < (t.cols + 15) / 16; c++) {
                uint32_t tensor, row, col;
                num_weight_locate(&tensor, &row, &col, s, expected);
                assert_true(tensor == i && row == r && col == c);
                assert_int_equal(num_weight_leaf(s, i, r, c), expected++);
            }
    }
    assert_int_equal(num_weight_leaves(s), expected);
    int16_t w[20 * 48];
    for (int i = 0; i < 20 * 48; i++)
        w[i] = (int16_t)(i + 1);
    uint8_t leaf[NUM_WEIGHT_LEAF_BYTES];
    num_weight_leaf_encode(leaf, s, 1, 1, 1, w);
    assert_int_equal(load_le32(leaf), 1);
    assert_int_equal(load_le16(leaf + 64 + 2 * (16 * 3 + 5)), w[19 * 48 + 21]);
    assert_int_equal(load_le16(leaf + 64 + 2 * (16 * 4)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensors_follow_each_other_without_gaps),
        cmocka_unit_test(leaves_are_numbered_one_by_one),
        cmocka_unit_test(shapes_of_tensors),
        cmocka_unit_test(a_leaf_holds_its_tile_and_zeros),
        cmocka_unit_test(padding_is_left_out_and_checked),
        cmocka_unit_test(weight_leaves_are_numbered_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
