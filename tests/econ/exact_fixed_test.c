/* SPDX-License-Identifier: Apache-2.0
 *
 * The fixed point (base/fixed.h) and the readings of the markets against exact rationals, on 10^6 drawn inputs each: the stated error
 * holds, and the largest one seen is printed. Argument: another number of inputs. */
#include "exact_kit.h"

#include "econ/unit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static int64_t wide(void)
{
    const int64_t x = (int64_t)(bits64() >> (bits64() % 63 + 1));
    return bits64() & 1 ? -x : x;
}

static void check_rounding(int64_t got, rounding how, seen *s)
{
    rat_same();
    const double off = rat_off(got, 32);
    rat_int(0);
    const int sign = rat_compare();
    assert_true(off > -1 && off < 1);
    if (how == ROUND_FLOOR)
        assert_true(off <= 0);
    if (how == ROUND_HALF_UP)
        assert_true(off > -0.5 - 1e-6 && off <= 0.5);
    if (how == ROUND_DOWN)
        assert_true(off * sign <= 0);
    if (how == ROUND_UP)
        assert_true(off * sign >= 0);
    note(s, off);
}

static void arithmetic(void **state)
{
    (void)state;
    seen products = { 0 }, quotients = { 0 }, ratios = { 0 };
    EACH_INPUT {
        const q32 a = wide(), b = wide();
        const rounding how = (rounding)(bits64() % 4);
        q32 r;
        if (q32_mul(&r, a, b, how) == OK) {
            rat_q32(a), rat_q32(b), rat_mul();
            check_rounding(r, how, &products);
        }
        if (b != 0 && q32_div(&r, a, b, how) == OK) {
            rat_q32(b < 0 ? -a : a), rat_q32(b < 0 ? -b : b), rat_div();
            check_rounding(r, how, &quotients);
        }
        if (b > 0 && q32_from_ratio(&r, a, (uint64_t)b, how) == OK) {
            rat_int(a), rat_int(b), rat_div();
            check_rounding(r, how, &ratios);
        }
    }
    must_hold("mul", &products, -1, 1);
    must_hold("div", &quotients, -1, 1);
    must_hold("from_ratio", &ratios, -1, 1);
}

static void drift_and_roots(void **state)
{
    (void)state;
    seen drifts = { 0 }, roots = { 0 }, scaled = { 0 };
    EACH_INPUT {
        const q32 x = wide(), target = wide(), a = draw_q32(0, Q32_MAX), b = draw_q32(0, Q32_MAX);
        const uint64_t unit = draw(1, (uint64_t)Q32_ONE), rate = draw(0, unit), amount = bits64() >> 31;
        rat_q32(target), rat_q32(x), rat_sub(), rat_ratio(rate, unit), rat_mul(), rat_q32(x), rat_add();
        note(&drifts, rat_off(q32_drift(x, target, rate, unit), 32));
        rat_q32(a), rat_q32(b), rat_mul(), rat_sqrt();
        note(&roots, rat_off(q32_sqrt_product(a, b), 32));
        uint64_t r;
        assert_int_equal(q32_scale(&r, amount, a, ROUND_FLOOR), OK);
        rat_uint(amount), rat_q32(a), rat_mul();
        note(&scaled, rat_off_u64(r));
    }
    must_hold("drift", &drifts, -1, 1e-9);
    must_hold("sqrt_product", &roots, -1, 1e-9);
    must_hold("scale", &scaled, -1, 1e-9);
}

/* (got 2^-62 - exact) / exact, in units of 2^-62. */
static double relative(uint64_t got, u128 exact)
{
    rat_fraction(exact), rat_ratio(got, (uint64_t)1 << 62), rat_sub();
    rat_fraction(exact), rat_div();
    return rat_off(0, 62);
}

static void exponentials(void **state)
{
    (void)state;
    seen two = { 0 }, e = { 0 }, minus = { 0 }, kernel = { 0 };
    EACH_INPUT {
        q32 r;
        /* Down to 2^-32 the step of the result dominates. */
        const q32 x = draw_q32(-32 * Q32_ONE, 0);
        assert_int_equal(q32_exp2(&r, x), OK);
        rat_fraction(rat_exp_minus(RAT_2, (u128)(uint64_t)-x << 32));
        note(&two, rat_off(r, 32));
        assert_int_equal(q32_exp(&r, x), OK);
        rat_fraction(rat_exp_minus(RAT_E, (u128)(uint64_t)-x << 32));
        note(&e, rat_off(r, 32));
        const q32 y = draw_q32(-43 * Q32_ONE, 0);
        q62 w;
        assert_int_equal(q62_exp(&w, y), OK);
        rat_fraction(rat_exp_minus(RAT_E, (u128)(uint64_t)-y << 32));
        note(&minus, rat_off((int64_t)w, 62));
        /* 2^(30 + x) for -1 <= x < 0: 62 significant bits, the precision of the kernel itself, in steps of 2^-62 of the value. */
        const q32 z = draw_q32(-Q32_ONE, -1);
        assert_int_equal(q32_exp2(&r, 30 * Q32_ONE + z), OK);
        note(&kernel, relative((uint64_t)r, rat_exp_minus(RAT_2, (u128)(uint64_t)-z << 32)));
    }
    must_hold("exp2, x <= 0", &two, -1.001, 0.001);
    must_hold("exp, x <= 0", &e, -1.001, 0.001);
    must_hold("exp in Q62", &minus, -16384, 1);
    must_hold("exp2, relative 2^-62", &kernel, -16384, 16384);
}

/* e^x for x > 0 through its reciprocal: got x e^-x against 1. */
static void exponentials_above_one(void **state)
{
    (void)state;
    seen up = { 0 };
    EACH_INPUT {
        const q32 x = draw_q32(1, 21 * Q32_ONE);
        q32 r;
        assert_int_equal(q32_exp(&r, x), OK);
        rat_int(1), rat_fraction(rat_exp_minus(RAT_E, (u128)(uint64_t)x << 32)), rat_div();
        note(&up, rat_off(r, 32));
    }
    /* One step, and 2^-48 of up to e^21 < 2^31, that is 2^15 steps. */
    must_hold("exp, x > 0", &up, -32769, 32768);
}

static void readings(void **state)
{
    (void)state;
    seen use = { 0 }, gain = { 0 };
    EACH_INPUT {
        const uint64_t a = draw(0, UINT64_MAX), b = draw(1, UINT64_MAX), c = draw(1, 1000000), d = draw(0, 4000000);
        rat_int(1), rat_ratio(a, b), rat_min();
        note(&use, rat_off(econ_utilisation(a, b), 32));
        rat_int(-1), rat_int(2), rat_ratio(d, c), rat_int(1), rat_sub(), rat_min(), rat_max();
        note(&gain, rat_off(econ_margin(d, c), 32));
    }
    must_hold("utilisation", &use, -1, 1e-9);
    must_hold("margin", &gain, -1, 1e-9);
}

int main(int argc, char **argv)
{
    exact_start(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arithmetic), cmocka_unit_test(drift_and_roots), cmocka_unit_test(exponentials),
        cmocka_unit_test(exponentials_above_one), cmocka_unit_test(readings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
