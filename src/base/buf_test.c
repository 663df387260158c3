/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void grows_to_its_bound_and_no_further(void **state)
{
    (void)state;
    buf b;
    buf_init(&b, 1000);
    uint8_t byte = 0;
    for (size_t i = 0; i < 1000; i++) {
        byte = (uint8_t)i;
        assert_int_equal(buf_put(&b, &byte, 1), OK);
        assert_true(b.cap <= 1000);
    }
    assert_int_equal(buf_put(&b, &byte, 1), ERR_LIMIT);
    assert_int_equal(b.len, 1000);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(b.data[i], (uint8_t)i);
    assert_int_equal(buf_put(&b, &byte, 0), OK);
    assert_int_equal(buf_reserve(&b, SIZE_MAX), ERR_LIMIT);
    buf_clear(&b);
    assert_int_equal(b.len, 0);
    assert_int_equal(buf_put_str(&b, "again"), OK);
    assert_true(bytes_equal(buf_bytes(&b), bytes_of_str("again")));
    buf_deinit(&b);
    assert_null(b.data);
}

static void small_and_zero_bounds(void **state)
{
    (void)state;
    buf b;
    buf_init(&b, 10);
    assert_int_equal(buf_put_str(&b, "0123456789"), OK);
    assert_true(b.cap <= 10);
    assert_int_equal(buf_put_str(&b, "x"), ERR_LIMIT);
    buf_deinit(&b);
    buf_init(&b, 0);
    assert_int_equal(buf_put(&b, NULL, 0), OK);
    assert_int_equal(buf_put_str(&b, "x"), ERR_LIMIT);
    buf_deinit(&b);
}

static void printf_appends_or_leaves_it_alone(void **state)
{
    (void)state;
    buf b;
    buf_init(&b, 12);
    assert_int_equal(buf_printf(&b, "%d-%s", 42, "ab"), OK);
    assert_true(bytes_equal(buf_bytes(&b), bytes_of_str("42-ab")));
    assert_int_equal(buf_printf(&b, "%s", "much too long"), ERR_LIMIT);
    assert_true(bytes_equal(buf_bytes(&b), bytes_of_str("42-ab")));
    assert_int_equal(buf_printf(&b, "%s", "123456"), OK);
    assert_true(bytes_equal(buf_bytes(&b), bytes_of_str("42-ab123456")));
    assert_int_equal(buf_printf(&b, "%s", ""), OK);
    buf_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_to_its_bound_and_no_further),
        cmocka_unit_test(small_and_zero_bounds),
        cmocka_unit_test(printf_appends_or_leaves_it_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
