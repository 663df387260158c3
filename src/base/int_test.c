/* SPDX-License-Identifier: Apache-2.0 */
#include "base/int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void mul_div_rounds_as_named(void **state)
{
    (void)state;
    const struct { uint64_t a, b, c; rounding how; uint64_t want; } cases[] = {
        { 7, 3, 2, ROUND_DOWN, 10 }, { 7, 3, 2, ROUND_UP, 11 }, { 7, 3, 2, ROUND_HALF_UP, 11 },
        { 1, 1, 3, ROUND_HALF_UP, 0 }, { 2, 1, 3, ROUND_HALF_UP, 1 }, { 0, 5, 9, ROUND_UP, 0 },
        { UINT64_MAX, UINT64_MAX, UINT64_MAX, ROUND_UP, UINT64_MAX },
        { UINT64_MAX, 1, UINT64_MAX - 1, ROUND_HALF_UP, 1 },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t got = 0;
        assert_int_equal(mul_div_u64(&got, cases[i].a, cases[i].b, cases[i].c, cases[i].how), OK);
        assert_int_equal(got, cases[i].want);
    }
    uint64_t kept = 42;
    assert_int_equal(mul_div_u64(&kept, UINT64_MAX, 2, 1, ROUND_DOWN), ERR_OVERFLOW);
    assert_int_equal(mul_div_u64(&kept, 1, 1, 0, ROUND_DOWN), ERR_OVERFLOW);
    assert_int_equal(kept, 42);
}

static void isqrt_is_exact(void **state)
{
    (void)state;
    uint64_t x = 88172645463325252ull;
    for (int i = 0; i < 20000; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        u128 n = ((u128)x << 64 | (x * 0x9e3779b97f4a7c15ull)) >> (x % 127);
        u128 r = isqrt_u128(n);
        assert_true(r * r <= n);
        assert_true(n - r * r <= 2 * r);
    }
    assert_int_equal(isqrt_u128(0), 0);
    assert_true(isqrt_u128(~(u128)0) == UINT64_MAX);
}

static void checked_operations_refuse(void **state)
{
    (void)state;
    uint64_t r = 1;
    assert_int_equal(checked_add_u64(&r, UINT64_MAX, 1), ERR_OVERFLOW);
    assert_int_equal(checked_sub_u64(&r, 1, 2), ERR_OVERFLOW);
    assert_int_equal(checked_mul_u64(&r, UINT64_MAX, 2), ERR_OVERFLOW);
    assert_int_equal(r, 1);
    assert_int_equal(checked_add_u64(&r, 2, 3), OK);
    assert_int_equal(r, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mul_div_rounds_as_named),
        cmocka_unit_test(isqrt_is_exact),
        cmocka_unit_test(checked_operations_refuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
