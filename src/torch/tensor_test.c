/* SPDX-License-Identifier: Apache-2.0
 *
 * Views against a brute-force model: a view is a list of element addresses in row-major order. */
#include "torch/tensor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static bt_device *device;

static int open_device(void **state)
{
    (void)state;
    return bt_backend_cpu.open(&device, 0, 1) == OK ? 0 : -1;
}

static int close_device(void **state)
{
    (void)state;
    bt_memory m;
    bt_backend_cpu.memory(device, &m);
    int leaked = m.live_bytes != 0;
    bt_backend_cpu.close(device);
    return leaked;
}

enum { CELLS = 4096 };

static uint64_t rng = 7;

static uint64_t draw(uint64_t n)
{
    rng = rng * 6364136223846793005u + 1442695040888963407u;
    return (rng >> 33) % n;
}

/* The elements of t in row-major order. */
static uint64_t list_elements(const bt_tensor *t, int64_t out[CELLS])
{
    uint64_t n = bt_tensor_count(t);
    assert_true(n <= CELLS);
    const int64_t *data = bt_tensor_data(t);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t rest = i;
        int64_t at = 0;
        for (uint32_t d = t->rank; d-- > 0;) {
            at += (int64_t)(rest % t->shape[d]) * t->stride[d];
            rest /= t->shape[d];
        }
        out[i] = data[at];
    }
    return n;
}

static bt_tensor counting(uint32_t rank, const uint64_t *shape)
{
    bt_tensor t;
    assert_int_equal(bt_tensor_new(&t, device, BT_I64, rank, shape, 0), OK);
    for (uint64_t i = 0; i < bt_tensor_count(&t); i++)
        ((int64_t *)bt_tensor_data(&t))[i] = (int64_t)i;
    return t;
}

static void slices_and_selects(void **state)
{
    (void)state;
    for (int round = 0; round < 300; round++) {
        uint64_t shape[3] = { 1 + draw(6), 1 + draw(6), 1 + draw(6) };
        bt_tensor t = counting(3, shape), v;
        uint32_t dim = (uint32_t)draw(3);
        uint64_t start = draw(shape[dim] + 1), stop = start + draw(shape[dim] - start + 1), step = 1 + draw(3);
        assert_int_equal(bt_tensor_slice(&v, &t, dim, start, stop, step, NULL), OK);
        int64_t got[CELLS];
        uint64_t n = list_elements(&v, got), at = 0, index[3];
        for (index[0] = 0; index[0] < shape[0]; index[0]++)
            for (index[1] = 0; index[1] < shape[1]; index[1]++)
                for (index[2] = 0; index[2] < shape[2]; index[2]++)
                    if (index[dim] >= start && index[dim] < stop && (index[dim] - start) % step == 0) {
                        assert_true(at < n);
                        assert_int_equal(got[at++], (int64_t)((index[0] * shape[1] + index[1]) * shape[2] + index[2]));
                    }
        assert_int_equal(at, n);
        bt_tensor s;
        uint64_t pick = draw(shape[dim]);
        assert_int_equal(bt_tensor_select(&s, &t, dim, pick, NULL), OK);
        assert_int_equal(s.rank, 2);
        bt_tensor_unref(&t); /* views keep the storage */
        assert_int_equal(list_elements(&s, got), bt_tensor_count(&s));
        bt_tensor_unref(&v);
        bt_tensor_unref(&s);
    }
}

/* Reshape of any view either gives the same row-major list or refuses; it never refuses a contiguous one. */
static void reshapes_keep_the_order(void **state)
{
    (void)state;
    int views = 0, refused = 0;
    for (int round = 0; round < 2000; round++) {
        uint64_t shape[4] = { 1 + draw(3), 1 + draw(4), 1 + draw(4), 1 + draw(3) };
        bt_tensor t = counting(4, shape), v = bt_tensor_ref(&t), next;
        if (draw(2)) {
            assert_int_equal(bt_tensor_transpose(&next, &v, (uint32_t)draw(4), (uint32_t)draw(4), NULL), OK);
            bt_tensor_unref(&v);
            v = next;
        }
        if (draw(2)) {
            uint32_t dim = (uint32_t)draw(4);
            assert_int_equal(bt_tensor_slice(&next, &v, dim, 0, 1 + draw(v.shape[dim]), 1, NULL), OK);
            bt_tensor_unref(&v);
            v = next;
        }
        uint64_t n = bt_tensor_count(&v), target[3] = { 1, 1, 1 }, rest = n;
        for (uint64_t p = 2; rest > 1; p++)
            while (rest % p == 0) {
                target[draw(3)] *= p;
                rest /= p;
            }
        int64_t want[CELLS], got[CELLS];
        list_elements(&v, want);
        fault f = { 0 };
        err e = bt_tensor_reshape(&next, &v, 3, target, &f);
        if (e == OK) {
            views++;
            assert_int_equal(list_elements(&next, got), n);
            assert_memory_equal(got, want, n * sizeof *got);
            bt_tensor_unref(&next);
        } else {
            refused++;
            assert_int_equal(e, ERR_SHAPE);
            assert_non_null(f.what);
            assert_false(bt_tensor_contiguous(&v));
        }
        bt_tensor_unref(&v);
        bt_tensor_unref(&t);
    }
    assert_true(views > 100 && refused > 100);
}

static void expansion_repeats(void **state)
{
    (void)state;
    bt_tensor t = counting(2, (const uint64_t[]){ 3, 1 }), v;
    assert_int_equal(bt_tensor_expand(&v, &t, 3, (const uint64_t[]){ 2, 3, 4 }, NULL), OK);
    int64_t got[CELLS];
    list_elements(&v, got);
    for (int i = 0; i < 24; i++)
        assert_int_equal(got[i], i / 4 % 3);
    bt_tensor copy;
    assert_int_equal(bt_tensor_new(&copy, device, BT_I64, 3, v.shape, 0), OK);
    assert_int_equal(bt_tensor_copy(&copy, &v, NULL), OK);
    assert_memory_equal(bt_tensor_data(&copy), got, 24 * sizeof *got);
    bt_tensor_unref(&copy);
    bt_tensor_unref(&v);
    bt_tensor_unref(&t);
}

static void edges_and_refusals(void **state)
{
    (void)state;
    bt_tensor t, v;
    fault f = { 0 };
    assert_int_equal(bt_tensor_new(&t, device, BT_I16, 0, NULL, 0), OK); /* a scalar */
    assert_int_equal(bt_tensor_count(&t), 1);
    bt_tensor_unref(&t);
    assert_int_equal(bt_tensor_new(&t, device, BT_I16, 9, (const uint64_t[9]){ 0 }, 0), ERR_SHAPE);
    assert_int_equal(bt_tensor_new(&t, device, BT_I16, 3, (const uint64_t[]){ UINT64_MAX, 2, 2 }, 0), ERR_LIMIT);
    assert_int_equal(bt_tensor_new(&t, device, BT_I16, 2, (const uint64_t[]){ 0, UINT64_MAX }, 0), ERR_LIMIT);
    assert_int_equal(bt_tensor_new(&t, device, BT_I64, 3, (const uint64_t[]){ 4, 0, 5 }, 0), OK); /* empty */
    assert_int_equal(bt_tensor_count(&t), 0);
    assert_int_equal(bt_tensor_reshape(&v, &t, 1, (const uint64_t[]){ 0 }, &f), OK);
    bt_tensor_unref(&v);
    assert_int_equal(bt_tensor_slice(&v, &t, 1, 0, 0, 1, &f), OK);
    bt_tensor_unref(&v);
    assert_int_equal(bt_tensor_slice(&v, &t, 3, 0, 0, 1, &f), ERR_SHAPE);
    assert_string_equal(f.what, "slice: dimension");
    assert_int_equal(bt_tensor_slice(&v, &t, 0, 3, 2, 1, &f), ERR_SHAPE);
    assert_int_equal(bt_tensor_slice(&v, &t, 0, 0, 5, 1, &f), ERR_SHAPE);
    assert_int_equal(bt_tensor_slice(&v, &t, 0, 0, 4, 0, &f), ERR_SHAPE);
    assert_int_equal(bt_tensor_select(&v, &t, 1, 0, &f), ERR_SHAPE);
    assert_int_equal(bt_tensor_expand(&v, &t, 2, (const uint64_t[]){ 4, 5 }, &f), ERR_SHAPE);
    bt_tensor u = counting(1, (const uint64_t[]){ 4 });
    assert_int_equal(bt_tensor_copy(&t, &u, &f), ERR_SHAPE);
    u.dtype = BT_I32;
    assert_int_equal(bt_tensor_copy(&t, &u, &f), ERR_DTYPE);
    bt_tensor_unref(&u);
    bt_tensor_unref(&t);
    bt_tensor_unref(&t); /* fine on none */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slices_and_selects),
        cmocka_unit_test(reshapes_keep_the_order),
        cmocka_unit_test(expansion_repeats),
        cmocka_unit_test(edges_and_refusals),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
