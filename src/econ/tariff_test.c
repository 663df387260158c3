/* SPDX-License-Identifier: Apache-2.0
 *
 * Layers 3 and 4 by cases: what a market with bad margins is paid, what a transfer is charged, where the controllers hold. */
#include "econ/adsplit.h"
#include "econ/multiplier.h"
#include "econ/tariff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const econ_multiplier_in at_target = { .utilisation = 1717986918, .cost_nblock = 100, .payout_nblock = 150, 
                                              .util_target_bps = 4000, .margin_target_bps = 5000, .util_response_milli = 2000, .cost_response_milli = 1000, .floor_milli = 800, .ceiling_milli = 3000 };

static q32 multiplier_of(const econ_multiplier_in *in)
{
    q32 r;
    assert_int_equal(econ_multiplier(&r, in, NULL), OK);
    return r;
}

static void multipliers(void **state)
{
    (void)state;
    econ_multiplier_in in = at_target;
    assert_int_equal(multiplier_of(&in), Q32_ONE); /* a payout of cost x 1.5 at the target use */
    in.utilisation = 0;
    assert_int_equal(multiplier_of(&in), 7730941132); /* 1.8, the target floored to a step */
    in.cost_nblock = 1000;
    assert_int_equal(multiplier_of(&in), 3 * Q32_ONE); /* costs rose tenfold: the ceiling */
    in = at_target;
    in.payout_nblock = 0;
    assert_int_equal(multiplier_of(&in), Q32_ONE); /* nothing was paid: no judgement of the cost */
    in = at_target;
    in.utilisation = Q32_ONE, in.payout_nblock = 100000;
    assert_int_equal(multiplier_of(&in), 3435973836); /* 0.8, the floor */
    /* Strong responses make both factors negative; their product would be 5.9. */
    in.util_response_milli = 5000, in.cost_response_milli = 3000;
    assert_int_equal(multiplier_of(&in), 3435973836);
    fault f = { .what = "" };
    q32 r = 7;
    in.floor_milli = 3001;
    assert_int_equal(econ_multiplier(&r, &in, &f), ERR_RANGE);
    assert_string_equal(f.what, "multiplier.floor");
    assert_int_equal(r, 7);
}

static void topups_fit_their_budget(void **state)
{
    (void)state;
    const uint64_t due[] = { 50, 166, 500 };
    uint64_t paid, sum = 0, spent = 0;
    for (size_t i = 0; i < COUNT_OF(due); i++)
        sum += due[i];
    for (uint64_t budget = 0; budget < 800; budget++, spent = 0) {
        for (size_t i = 0; i < COUNT_OF(due); i++) {
            assert_int_equal(econ_topup_paid(&paid, due[i], sum, budget, NULL), OK);
            assert_true(paid <= due[i]);
            spent += paid;
        }
        assert_true(budget >= sum ? spent == sum : spent <= budget && spent + 3 > budget);
    }
}

static const econ_tariff_in usual = { .volume_nblock = 1000000, .inflow_nblock = 9000, .target_bps = 1000, .max_bps = 200, .converge = { 50, 200, 50, 25 } };

static void charge_is_floored(void **state)
{
    (void)state;
    const struct { uint64_t value; q32 rate; uint64_t want; } cases[] = {
        { 1000000, 100 * Q32_ONE, 10000 }, { 99, 100 * Q32_ONE, 0 }, { 100, 100 * Q32_ONE, 1 }, { 12345, 200 * Q32_ONE, 246 },
        { UINT64_MAX, ECON_BPS * Q32_ONE, UINT64_MAX }, { 1000000, Q32_ONE / 2, 50 }, { 5000, 0, 0 },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t r;
        assert_int_equal(econ_tariff_charge(&r, cases[i].value, cases[i].rate, NULL), OK);
        assert_int_equal(r, cases[i].want);
    }
}

static void tariff_brings_its_share(void **state)
{
    (void)state;
    econ_tariff_in in = usual;
    econ_tariff_out r = { .rate_bps = 0 };
    for (int n = 0; n < 600; n++) {
        in.rate_bps = r.rate_bps, in.emergency = r.emergency;
        assert_int_equal(econ_tariff_next(&r, &in, NULL), OK);
    }
    /* 0.1 x 9000 / (0.9 x 1,000,000) = 10 bps: 1000 of 10,000 is the tenth that it aims at (D14). */
    assert_true(r.implied_bps == 10 * Q32_ONE && r.rate_bps <= r.implied_bps && r.rate_bps > r.implied_bps - 20);
    assert_true(r.contribution_ppm >= 99900 && r.contribution_ppm <= 100000);
}

static void tariff_holds_and_clamps(void **state)
{
    (void)state;
    econ_tariff_in in = usual;
    econ_tariff_out r;
    in.rate_bps = 150 * Q32_ONE, in.volume_nblock = 0;
    assert_int_equal(econ_tariff_next(&r, &in, NULL), OK);
    assert_true(r.rate_bps == 150 * Q32_ONE && r.contribution_ppm == 0);
    in.max_bps = 120;
    assert_int_equal(econ_tariff_next(&r, &in, NULL), OK);
    assert_int_equal(r.rate_bps, 120 * Q32_ONE);
    in = usual;
    in.inflow_nblock = UINT64_MAX >> 2, in.volume_nblock = 1;
    assert_int_equal(econ_tariff_next(&r, &in, NULL), OK);
    assert_true(r.implied_bps == ECON_BPS * Q32_ONE && r.rate_bps == 200 * Q32_ONE && r.emergency);
    in.rate_bps = r.rate_bps, in.emergency = r.emergency;
    assert_int_equal(econ_tariff_next(&r, &in, NULL), OK);
    assert_false(r.emergency); /* it is where it may be: no emergency for ever */
    fault f = { .what = "" };
    in.min_bps = 201;
    assert_int_equal(econ_tariff_next(&r, &in, &f), ERR_RANGE);
    assert_string_equal(f.what, "tariff.min");
}

static void convergence_has_hysteresis(void **state)
{
    (void)state;
    const econ_converge_params p = { 50, 200, 50, 25 };
    const struct { int64_t bps; bool emergency; uint32_t drift; } steps[] = {
        { 50, false, 50 }, { 51, true, 200 }, { 40, true, 200 }, { 25, true, 200 }, { 24, false, 50 }, { 40, false, 50 }, { 50, false, 50 }, { 60, true, 200 },
    };
    bool emergency = false;
    uint32_t drift;
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        assert_int_equal(econ_converge(&drift, &emergency, steps[i].bps * Q32_ONE, &p, NULL), OK);
        assert_int_equal(emergency, steps[i].emergency);
        assert_int_equal(drift, steps[i].drift);
    }
}

static void ad_split_drifts(void **state)
{
    (void)state;
    const econ_adsplit_params p = { 2800, 2200, 10 };
    econ_adsplit_out r = { .next = { 1288490188, 1073741824 } }; /* 30 / 25 / 45 */
    for (int n = 0; n < 1500; n++)
        assert_int_equal(econ_adsplit_next(&r, &r.next, &p, NULL), OK);
    assert_int_equal(r.platform_ppm, 280000);
    assert_int_equal(r.user_ppm, 220000);
    assert_int_equal(r.publisher_ppm, 500000);
    const econ_adsplit_params over = { 6000, 4001, 10 };
    fault f = { .what = "" };
    assert_int_equal(econ_adsplit_next(&r, &r.next, &over, &f), ERR_RANGE);
    assert_string_equal(f.what, "adsplit.user_target");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(multipliers), cmocka_unit_test(topups_fit_their_budget), cmocka_unit_test(charge_is_floored),
        cmocka_unit_test(tariff_brings_its_share), cmocka_unit_test(tariff_holds_and_clamps), cmocka_unit_test(convergence_has_hysteresis),
        cmocka_unit_test(ad_split_drifts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
