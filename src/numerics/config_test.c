/* SPDX-License-Identifier: Apache-2.0 */
#include "numerics/config.h"
#include "numerics/model_header.h"
#include "numerics/test_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void shapes_outside_the_bounds_are_refused_by_name(void **state)
{
    (void)state;
    const struct {
        num_shape   shape;
        err         code;
        const char *what;
    } cases[] = {
        { { 73, 64, 128, 4, 4, 12, 0 }, OK, "" },
        { { 73, 64, 128, 4, 4, 16, 1 }, OK, "" },
        { { 65536, 4096, 8192, 48, 128, 8, 1 }, OK, "" },
        { { 1, 64, 128, 4, 4, 12, 0 }, ERR_SHAPE, "shape.vocab" },
        { { 65537, 64, 128, 4, 4, 12, 0 }, ERR_LIMIT, "shape.vocab" },
        { { 73, 0, 128, 4, 4, 12, 0 }, ERR_SHAPE, "shape.context" },
        { { 73, 4097, 128, 4, 4, 12, 0 }, ERR_LIMIT, "shape.context" },
        { { 73, 64, 0, 4, 4, 12, 0 }, ERR_SHAPE, "shape.width" },
        { { 73, 64, 8193, 4, 4, 12, 0 }, ERR_LIMIT, "shape.width" },
        { { 73, 64, 128, 0, 4, 12, 0 }, ERR_SHAPE, "shape.layers" },
        { { 73, 64, 128, 49, 4, 12, 0 }, ERR_LIMIT, "shape.layers" },
        { { 73, 64, 128, 4, 0, 12, 0 }, ERR_SHAPE, "shape.heads" },
        { { 73, 64, 128, 4, 3, 12, 0 }, ERR_SHAPE, "shape.heads" },
        { { 73, 64, 8192, 4, 16, 12, 0 }, ERR_LIMIT, "shape.head_dim" },
        { { 73, 64, 128, 4, 4, 11, 0 }, ERR_SHAPE, "shape.bits" },
        { { 73, 64, 128, 4, 4, 12, 2 }, ERR_SHAPE, "shape.helper" },
        { { 73, 64, 128, 4, 4, 14, 0 }, ERR_SHAPE, "shape.helper" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        num_const c;
        fault f = { 0 };
        assert_int_equal(num_const_of(&c, &cases[i].shape, &f), cases[i].code);
        if (cases[i].code != OK)
            assert_string_equal(f.what, cases[i].what);
    }
}

/* Computed with Python integers from the definitions of section 2. */
static void constants_of_a_head_dimension(void **state)
{
    (void)state;
    const struct {
        uint32_t head_dim;
        int      bits, c_score, x_score, c_grad, x_grad;
    } rows[] = {
        { 1, 10, 739, 9, 512, 9 },
        { 1, 14, 11819, 13, 8192, 13 },
        { 2, 10, 522, 9, 724, 10 },
        { 2, 14, 8357, 13, 11585, 14 },
        { 3, 10, 853, 10, 591, 10 },
        { 3, 14, 13647, 14, 9459, 14 },
        { 16, 10, 739, 11, 512, 11 },
        { 16, 14, 11819, 15, 8192, 15 },
        { 32, 10, 522, 11, 724, 12 },
        { 32, 14, 8357, 15, 11585, 16 },
        { 48, 10, 853, 12, 591, 12 },
        { 48, 14, 13647, 16, 9459, 16 },
        { 64, 10, 739, 12, 512, 12 },
        { 64, 14, 11819, 16, 8192, 16 },
        { 85, 10, 641, 12, 889, 13 },
        { 85, 14, 10255, 16, 14217, 17 },
        { 128, 10, 522, 12, 724, 13 },
        { 128, 14, 8357, 16, 11585, 17 },
        { 256, 10, 739, 13, 512, 13 },
        { 256, 14, 11819, 17, 8192, 17 },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        num_const c;
        num_shape s = { 73, 64, 2 * rows[i].head_dim, 4, 2, 12, rows[i].bits == 14 };
        assert_int_equal(num_const_of(&c, &s, NULL), OK);
        assert_int_equal(c.c_score, rows[i].c_score);
        assert_int_equal(c.x_score, rows[i].x_score);
        assert_int_equal(c.c_grad, rows[i].c_grad);
        assert_int_equal(c.x_grad, rows[i].x_grad);
        assert_int_equal(c.c_logit, rows[i].bits == 14 ? 23637 : 1477);
    }
}

static void every_shift_and_alignment_is_checked(void **state)
{
    (void)state;
    const num_shape s = test_model_shape();
    num_fractions good = test_model_fractions(&s);
    assert_int_equal(num_fractions_check(&good, &s, NULL), OK);
    /* Each fraction, pushed to both ends of its type, breaks some relation. */
    for (size_t i = 0; i < sizeof(num_layer_fractions) + sizeof(num_top_fractions); i++)
        for (int up = 0; up <= 1; up++) {
            num_fractions bad = good;
            int8_t *field = i < sizeof(num_layer_fractions) ? (int8_t *)&bad.layer[1] + i
                                                            : (int8_t *)&bad.top + (i - sizeof(num_layer_fractions));
            *field = up ? 63 : -33;
            fault f = { 0 };
            assert_int_equal(num_fractions_check(&bad, &s, &f), ERR_RANGE);
        }
    num_fractions bad = good;
    bad.layer[1].h = 9; /* above f_h,max */
    fault f = { 0 };
    assert_int_equal(num_fractions_check(&bad, &s, &f), ERR_RANGE);
    assert_string_equal(f.what, "fraction.h");
    assert_int_equal(f.at, 1);
    bad = good;
    bad.layer[0].o = (int8_t)(bad.layer[0].v + 3);
    assert_int_equal(num_fractions_check(&bad, &s, &f), ERR_RANGE);
    assert_string_equal(f.what, "fraction.o");
    bad = good;
    bad.layer[0].dq = (int8_t)(bad.layer[0].dk - 9);
    assert_int_equal(num_fractions_check(&bad, &s, &f), ERR_RANGE);
    assert_string_equal(f.what, "fraction.dq");
}

static void weight_tensors_lie_without_gaps(void **state)
{
    (void)state;
    const num_shape s = { 73, 64, 128, 12, 4, 12, 0 };
    uint64_t at = 0;
    for (uint32_t i = 0; i < num_tensor_count(&s); i++) {
        num_tensor_info t = num_tensor_describe(&s, i);
        assert_int_equal(t.offset, at);
        at += (uint64_t)t.rows * t.cols;
    }
    assert_int_equal(at, num_parameter_count(&s));
    assert_string_equal(num_tensor_describe(&s, 0).name, "embed");
    assert_string_equal(num_tensor_describe(&s, num_tensor_of_layer(11, NUM_W_2)).name, "layer11.w2");
    assert_int_equal(num_tensor_describe(&s, num_tensor_of_layer(11, NUM_W_2)).rows, 512);
    assert_string_equal(num_tensor_describe(&s, num_tensor_count(&s) - 1).name, "head");
    num_fractions f = test_model_fractions(&s);
    assert_int_equal(num_weight_fraction(&f, &s, num_tensor_of_layer(3, NUM_W_K)), f.layer[3].wqkv);
    assert_int_equal(num_gradient_fraction(&f, &s, num_tensor_of_layer(3, NUM_W_K)), f.layer[3].y1 + f.layer[3].dk);
    assert_int_equal(num_gradient_fraction(&f, &s, num_tensor_of_layer(3, NUM_W_2)), f.layer[3].g + f.layer[3].dm);
    assert_int_equal(num_gradient_fraction(&f, &s, num_tensor_count(&s) - 1), f.top.yf + 11);
    assert_int_equal(num_gradient_fraction(&f, &s, 1), f.top.gx);
}

static void a_model_header_survives_and_every_changed_byte_is_noticed(void **state)
{
    (void)state;
    num_model_header h = { .shape = test_model_shape() }, back;
    h.fractions = test_model_fractions(&h.shape);
    memset(h.weight_root.b, 0x11, 32);
    memset(h.tables_hash.b, 0x22, 32);
    uint8_t data[NUM_MODEL_HEADER_BYTES_MAX], copy[NUM_MODEL_HEADER_BYTES_MAX];
    bytes view, again;
    assert_int_equal(num_model_header_encode(data, sizeof data, &h, &view), OK);
    assert_int_equal(num_model_header_decode(&back, view, NULL), OK);
    assert_memory_equal(&back, &h, sizeof h);
    hash256 id = num_model_id(view);
    for (size_t i = 0; i < view.len; i++) {
        memcpy(copy, data, view.len);
        copy[i] ^= 1;
        fault f = { 0 };
        err e = num_model_header_decode(&back, bytes_of(copy, view.len), &f);
        if (e == OK) { /* another model: it must encode to these bytes, and has another id */
            uint8_t other[NUM_MODEL_HEADER_BYTES_MAX];
            assert_int_equal(num_model_header_encode(other, sizeof other, &back, &again), OK);
            assert_true(bytes_equal(again, bytes_of(copy, view.len)));
            hash256 other_id = num_model_id(again);
            assert_false(hash256_equal(&id, &other_id));
        } else {
            assert_int_equal(f.code, e);
            assert_non_null(f.what);
        }
        assert_int_not_equal(num_model_header_decode(&back, bytes_of(data, i), NULL), OK);
    }
    assert_int_equal(num_model_header_encode(copy, view.len - 1, &h, &again), ERR_LIMIT);
    h.shape.layers = 48;
    h.shape.vocab = 65536;
    h.fractions = test_model_fractions(&h.shape);
    assert_int_equal(num_model_header_encode(data, sizeof data, &h, &view), OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_outside_the_bounds_are_refused_by_name),
        cmocka_unit_test(constants_of_a_head_dimension),
        cmocka_unit_test(every_shift_and_alignment_is_checked),
        cmocka_unit_test(weight_tensors_lie_without_gaps),
        cmocka_unit_test(a_model_header_survives_and_every_changed_byte_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
