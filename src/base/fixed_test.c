/* SPDX-License-Identifier: Apache-2.0
 *
 * The fixed point by cases: roundings of every sign, refusals, the ends of the exponentials. What the operations compute on random inputs
 * is held against big integers in tests/econ. */
#include "base/fixed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const q32 one = Q32_ONE;

static void quotient_rounds_as_named(void **state)
{
    (void)state;
    const struct { int a, b, down, up, half_up, floor; } cases[] = {
        { 7, 2, 3, 4, 4, 3 },   { -7, 2, -3, -4, -3, -4 }, { 6, 2, 3, 3, 3, 3 },    { -6, 2, -3, -3, -3, -3 }, { 1, 3, 0, 1, 0, 0 },
        { -1, 3, 0, -1, 0, -1 }, { 2, 3, 0, 1, 1, 0 },      { -2, 3, 0, -1, -1, -1 }, { 0, 5, 0, 0, 0, 0 },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(q32_quotient(cases[i].a, cases[i].b, ROUND_DOWN), cases[i].down);
        assert_int_equal(q32_quotient(cases[i].a, cases[i].b, ROUND_UP), cases[i].up);
        assert_int_equal(q32_quotient(cases[i].a, cases[i].b, ROUND_HALF_UP), cases[i].half_up);
        assert_int_equal(q32_quotient(cases[i].a, cases[i].b, ROUND_FLOOR), cases[i].floor);
    }
}

static void arithmetic(void **state)
{
    (void)state;
    q32 r = 5;
    assert_int_equal(q32_from_ratio(&r, 1, 3, ROUND_FLOOR), OK);
    assert_int_equal(r, 1431655765);
    assert_int_equal(q32_from_ratio(&r, -1, 3, ROUND_FLOOR), OK);
    assert_int_equal(r, -1431655766);
    assert_int_equal(q32_mul(&r, one / 2, -3, ROUND_FLOOR), OK);
    assert_int_equal(r, -2);
    assert_int_equal(q32_mul(&r, one / 2, -3, ROUND_DOWN), OK);
    assert_int_equal(r, -1);
    assert_int_equal(q32_div(&r, one, -2 * one, ROUND_FLOOR), OK);
    assert_int_equal(r, -one / 2);
    assert_int_equal(q32_div(&r, 1, -2 * one, ROUND_FLOOR), OK);
    assert_int_equal(r, -1);
    assert_int_equal(q32_add(&r, Q32_MAX - 1, 1), OK);
    assert_true(r == Q32_MAX);
    assert_int_equal(q32_sub(&r, INT64_MIN + 1, 1), OK);
    assert_true(r == INT64_MIN);
    uint64_t amount = 0;
    assert_int_equal(q32_scale(&amount, 1000000007, one / 3, ROUND_FLOOR), OK);
    assert_int_equal(amount, 333333335);
    assert_int_equal(q32_sqrt_product(2 * one, 8 * one), 4 * one);
    assert_int_equal(q32_sqrt_product(2 * one, one), 6074000999);
}

static void overflow_is_refused(void **state)
{
    (void)state;
    q32 r = 42;
    assert_int_equal(q32_from_ratio(&r, 1, 0, ROUND_FLOOR), ERR_OVERFLOW);
    assert_int_equal(q32_from_ratio(&r, (i128)1 << 31, 1, ROUND_FLOOR), ERR_OVERFLOW);
    assert_int_equal(q32_from_ratio(&r, (i128)1 << 95, UINT64_MAX, ROUND_FLOOR), ERR_OVERFLOW);
    assert_int_equal(q32_add(&r, Q32_MAX, 1), ERR_OVERFLOW);
    assert_int_equal(q32_sub(&r, INT64_MIN, 1), ERR_OVERFLOW);
    assert_int_equal(q32_mul(&r, INT64_MIN, -one, ROUND_FLOOR), ERR_OVERFLOW);
    assert_int_equal(q32_mul(&r, one << 16, one << 15, ROUND_FLOOR), ERR_OVERFLOW);
    assert_int_equal(q32_div(&r, one, 0, ROUND_FLOOR), ERR_OVERFLOW);
    assert_int_equal(q32_div(&r, one, 1, ROUND_FLOOR), ERR_OVERFLOW);
    assert_int_equal(q32_exp2(&r, 31 * one), ERR_OVERFLOW);
    assert_int_equal(q32_exp(&r, 22 * one), ERR_OVERFLOW);
    q62 wide = 42;
    uint64_t amount = 42;
    assert_int_equal(q62_exp(&wide, 1), ERR_RANGE);
    assert_int_equal(q32_scale(&amount, 1, -1, ROUND_FLOOR), ERR_OVERFLOW);
    assert_int_equal(q32_scale(&amount, UINT64_MAX, one + 1, ROUND_FLOOR), ERR_OVERFLOW);
    assert_int_equal(r, 42);
    assert_int_equal(wide, 42);
    assert_int_equal(amount, 42);
}

static void drift_stays_between(void **state)
{
    (void)state;
    const q32 ends[] = { INT64_MIN, INT64_MIN + 7, -one, -1, 0, 1, 19, one / 3, one, Q32_MAX - 1, Q32_MAX };
    const uint64_t rates[] = { 0, 1, 50, 999, 1000 };
    for (size_t i = 0; i < COUNT_OF(ends); i++)
        for (size_t j = 0; j < COUNT_OF(ends); j++)
            for (size_t k = 0; k < COUNT_OF(rates); k++) {
                const q32 x = ends[i], t = ends[j], r = q32_drift(x, t, rates[k], 1000);
                assert_true(x <= t ? r >= x && r <= t : r <= x && r >= t);
                assert_true(rates[k] != 1000 || r == t);
                assert_true(rates[k] != 0 || r == x);
            }
    /* The floor arrives from above; from below it rests less than unit / rate steps away. */
    q32 up = 0, down = one;
    for (int n = 0; n < 2000; n++) {
        up = q32_drift(up, one / 2, 50, 1000);
        down = q32_drift(down, one / 2, 50, 1000);
    }
    assert_true(one / 2 - up < 20 && up <= one / 2);
    assert_int_equal(down, one / 2);
}

static void exponentials_at_their_ends(void **state)
{
    (void)state;
    const struct { q32 x, exp2; } powers[] = { { 0, one }, { one, 2 * one }, { -one, one / 2 }, { 30 * one, one << 30 }, { -32 * one, 1 },
                                               { -32 * one - 1, 0 }, { INT64_MIN, 0 }, { one / 2, 6074000999 } };
    q32 r = 0;
    for (size_t i = 0; i < COUNT_OF(powers); i++) {
        assert_int_equal(q32_exp2(&r, powers[i].x), OK);
        assert_int_equal(r, powers[i].exp2);
    }
    assert_int_equal(q32_exp(&r, one), OK);
    assert_int_equal(r, 11674931554); /* floor(e 2^32) */
    assert_int_equal(q32_exp(&r, -one), OK);
    assert_int_equal(r, 1580030168);
    assert_int_equal(q32_exp(&r, INT64_MIN), OK);
    assert_int_equal(r, 0);
    q62 wide = 0;
    assert_int_equal(q62_exp(&wide, 0), OK);
    assert_true(wide == Q62_ONE);
    assert_int_equal(q62_exp(&wide, -43 * one), OK);
    assert_int_equal(wide, 0); /* e^-43 < 2^-62 */
    assert_int_equal(q62_exp(&wide, INT64_MIN), OK);
    assert_int_equal(wide, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quotient_rounds_as_named), cmocka_unit_test(arithmetic),
        cmocka_unit_test(overflow_is_refused),      cmocka_unit_test(drift_stays_between),
        cmocka_unit_test(exponentials_at_their_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
