/* SPDX-License-Identifier: Apache-2.0
 *
 * Layer 2: who gets how much, what a structural decline does to a share, and what the pool holds when the mint runs dry. */
#include "econ/diversity.h"
#include "econ/health.h"
#include "econ/subsidy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const econ_subsidy_in genesis = { .share = { 644245094, 1288490188, 858993459, 1503238553 }, 
                                        .drift_milli = 50, .freeze_epochs = 144, .wind_down_ppm = 10000 };

static void worst_distress_takes_the_largest_part(void **state)
{
    (void)state;
    /* economics.md 1.5: with a temperature of 1 one market at the worst and three healthy ones give about 55/17/14/14. */
    const econ_distress_params p[] = { { 4000, 5000, 600, 400 }, { 6000, 5000, 600, 400 }, { 5000, 2500, 600, 400 }, { 5000, 3000, 600, 400 } };
    const q32 used[] = { 0, 6 * Q32_ONE / 10, Q32_ONE / 2, Q32_ONE / 2 }, gain[] = { -Q32_ONE, Q32_ONE / 2, Q32_ONE / 4, 3 * Q32_ONE / 10 };
    q32 s[ECON_MARKETS], target[ECON_MARKETS];
    for (size_t i = 0; i < ECON_MARKETS; i++)
        assert_int_equal(econ_distress(&s[i], used[i], gain[i], &p[i], NULL), OK);
    assert_true(s[0] > 83 * Q32_ONE / 100 && s[0] < 85 * Q32_ONE / 100);
    assert_int_equal(econ_softmax(target, s, 1000, NULL), OK);
    for (size_t i = 1; i < ECON_MARKETS; i++)
        assert_true(target[0] > 2 * target[i]);
    assert_int_equal(econ_softmax(target, s, 50, NULL), OK);
    assert_true(target[0] > 99 * (Q32_ONE / 100)); /* cold: nearly all */
    const q32 equal[ECON_MARKETS] = { -Q32_ONE, -Q32_ONE, -Q32_ONE, -Q32_ONE };
    assert_int_equal(econ_softmax(target, equal, 1000, NULL), OK);
    for (size_t i = 0; i < ECON_MARKETS; i++)
        assert_int_equal(target[i], Q32_ONE / 4);
}

static void shares_reach_the_target(void **state)
{
    (void)state;
    econ_subsidy_in in = genesis;
    const q32 target[] = { Q32_ONE / 2, Q32_ONE / 8, Q32_ONE / 8, Q32_ONE / 4 };
    econ_subsidy_out r;
    for (int n = 0; n < 600; n++) {
        for (size_t i = 0; i < ECON_MARKETS; i++)
            in.target[i] = target[i];
        assert_int_equal(econ_subsidy_next(&r, &in, NULL), OK);
        uint32_t sum = r.rest_ppm;
        q32 whole = 0;
        for (size_t i = 0; i < ECON_MARKETS; i++) {
            in.share[i] = r.share[i];
            sum += r.share_ppm[i];
            whole += r.share[i];
        }
        assert_int_equal(sum, ECON_PPM);
        assert_true(r.rest_ppm == 0 && whole <= Q32_ONE && whole > Q32_ONE - 8);
    }
    assert_int_equal(r.share_ppm[0], 500000);
    assert_int_equal(r.share_ppm[1], 125000);
    assert_int_equal(r.share_ppm[3], 250000);
}

static void decline_freezes_then_winds_down(void **state)
{
    (void)state;
    econ_subsidy_in in = genesis;
    in.declining[ECON_STORAGE] = true;
    for (size_t i = 0; i < ECON_MARKETS; i++)
        in.target[i] = i == ECON_STORAGE ? Q32_ONE - 3 : 1; /* in distress it would get everything */
    uint32_t last = 150000;
    econ_subsidy_out r;
    for (uint32_t n = 1; n <= 400; n++) {
        in.declining_epochs[ECON_STORAGE] = n;
        assert_int_equal(econ_subsidy_next(&r, &in, NULL), OK);
        assert_true(r.share_ppm[ECON_STORAGE] <= last);
        if (n <= 144)
            assert_true(r.share_ppm[ECON_STORAGE] >= 149999); /* frozen */
        else
            assert_true(r.share_ppm[ECON_STORAGE] < last); /* 1 % an epoch */
        last = r.share_ppm[ECON_STORAGE];
        uint32_t sum = r.rest_ppm;
        for (size_t i = 0; i < ECON_MARKETS; i++) {
            in.share[i] = r.share[i];
            sum += r.share_ppm[i];
        }
        assert_int_equal(sum, ECON_PPM);
        assert_int_equal(r.rest_ppm, 0); /* the others have it */
    }
    assert_true(last < 12000);
    in.declining[ECON_STORAGE] = false; /* recovered: it rises again */
    assert_int_equal(econ_subsidy_next(&r, &in, NULL), OK);
    assert_true(r.share_ppm[ECON_STORAGE] > last + 40000);
    for (size_t i = 0; i < ECON_MARKETS; i++)
        in.declining[i] = true; /* nobody may rise: what is given up stays in the pool */
    in.declining_epochs[0] = in.declining_epochs[1] = in.declining_epochs[2] = in.declining_epochs[3] = 200;
    assert_int_equal(econ_subsidy_next(&r, &in, NULL), OK);
    assert_true(r.rest_ppm >= 9999);
    assert_int_equal(r.share_ppm[0] + r.share_ppm[1] + r.share_ppm[2] + r.share_ppm[3] + r.rest_ppm, ECON_PPM);
}

/* A market that is not declining but has nothing, and nothing to expect, gets nothing: the rest stays in the pool. */
static void nothing_to_divide_by(void **state)
{
    (void)state;
    econ_subsidy_in in = { .share = { Q32_ONE / 2 }, .target = { Q32_ONE }, .declining = { true }, .drift_milli = 50, .freeze_epochs = 144 };
    econ_subsidy_out r;
    assert_int_equal(econ_subsidy_next(&r, &in, NULL), OK);
    assert_int_equal(r.share_ppm[0], 500000);
    assert_int_equal(r.rest_ppm, 500000);
    assert_int_equal(r.share[1], 0);
}

static void bad_shares_are_refused(void **state)
{
    (void)state;
    econ_subsidy_in in = genesis;
    econ_subsidy_out r;
    fault f = { .what = "" };
    in.share[3] += 10;
    assert_int_equal(econ_subsidy_next(&r, &in, &f), ERR_RANGE);
    assert_string_equal(f.what, "subsidy.share");
    in = genesis;
    in.target[0] = -1;
    assert_int_equal(econ_subsidy_next(&r, &in, &f), ERR_RANGE);
    assert_string_equal(f.what, "subsidy.target");
}

static void budget_has_a_floor_as_far_as_there_are_funds(void **state)
{
    (void)state;
    econ_budget_out r;
    econ_budget_in in = { .mint_nblock = 1000, .fees_nblock = 999, .capture_ppm = 800000, .peak_nblock = 50000, .floor_bps = 1000, .treasury_nblock = 10000 };
    assert_int_equal(econ_budget(&r, &in, NULL), OK);
    assert_int_equal(r.from_fees_nblock, 799);
    assert_int_equal(r.from_treasury_nblock, 5000 - 1799);
    assert_int_equal(r.budget_nblock, 5000);
    assert_int_equal(r.peak_nblock, 50000);
    in.treasury_nblock = 100; /* best effort (D17) */
    assert_int_equal(econ_budget(&r, &in, NULL), OK);
    assert_int_equal(r.budget_nblock, 1899);
    in.mint_nblock = 60000;
    assert_int_equal(econ_budget(&r, &in, NULL), OK);
    assert_int_equal(r.from_treasury_nblock, 0);
    assert_int_equal(r.peak_nblock, 60799);
}

static const econ_health_params usual = { 100000, 144, 12 };

static void health_step(econ_health *h, bool distressed)
{
    assert_int_equal(econ_health_next(h, h, distressed ? Q32_ONE / 5 : Q32_ONE / 20, distressed, &usual, NULL), OK);
}

static void lasting_distress_is_flagged_and_cleared(void **state)
{
    (void)state;
    econ_health h = { 0 };
    for (int n = 1; n <= 143; n++)
        health_step(&h, true);
    assert_false(h.declining);
    health_step(&h, true);
    assert_true(h.declining && h.declining_epochs == 1 && h.recovery_attempts == 144);
    for (int n = 1; n < 12; n++) {
        health_step(&h, false);
        assert_true(h.declining);
    }
    health_step(&h, false);
    assert_true(!h.declining && h.declining_epochs == 0 && h.recovery_successes == 1);
}

/* The two sides of the definition: flagged if and only if over some run of epochs distress exceeds 12 x health by 144. */
static void flag_means_a_run_of_distress(void **state)
{
    (void)state;
    uint64_t x = 88172645463325252ull;
    size_t flagged = 0;
    for (int round = 0; round < 300; round++) {
        econ_health h = { 0 };
        int64_t lowest = 0, walk = 0;
        bool before = false;
        for (int n = 0; n < 600 && !before; n++) {
            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            const bool distressed = x % 100 < 80 + (uint64_t)round % 21;
            health_step(&h, distressed);
            walk += distressed ? 1 : -12;
            lowest = walk < lowest ? walk : lowest;
            assert_int_equal(h.declining, walk - lowest >= 144);
            before = h.declining;
        }
        flagged += before;
    }
    assert_true(flagged > 10 && flagged < 290);
}

static void temporary_distress_is_never_flagged(void **state)
{
    (void)state;
    econ_health h = { 0 };
    for (int n = 0; n < 100; n++) {
        for (int k = 0; k < 143; k++) {
            health_step(&h, true);
            assert_false(h.declining);
        }
        for (int k = 0; k < 12; k++)
            health_step(&h, false);
        assert_int_equal(h.distress_epochs, 0);
    }
    assert_int_equal(h.recovery_successes, 100);
    /* One epoch of distress in two, for years. */
    for (int n = 0; n < 100000; n++) {
        health_step(&h, n & 1);
        assert_false(h.declining);
    }
    /* One forged healthy epoch a day does not hide a decline. */
    h = (econ_health){ 0 };
    for (int n = 0; n < 300; n++)
        health_step(&h, n % 144 != 143);
    assert_true(h.declining);
}

static void concentration_costs(void **state)
{
    (void)state;
    const econ_diversity_params p = { 1000000, 100000 };
    const struct { uint64_t stake[3]; size_t n; q32 want; } cases[] = {
        { { 5 }, 1, Q32_ONE / 2 },
        { { 1, 1 }, 2, Q32_ONE },
        { { 3, 1 }, 2, 3 * Q32_ONE / 4 },
        { { 1, 1, 2 }, 3, Q32_ONE },
        { { 0, 0 }, 2, Q32_ONE },
        { { 0 }, 0, Q32_ONE },
    };
    q32 r;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(econ_diversity(&r, cases[i].stake, cases[i].n, &p, NULL), OK);
        assert_int_equal(r, cases[i].want);
    }
    const uint64_t even[] = { 1, 1, 1, 1 };
    assert_int_equal(econ_diversity(&r, even, 4, &p, NULL), OK);
    assert_int_equal(r, 4402341478); /* floor(1.025 x 2^32) */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(worst_distress_takes_the_largest_part), cmocka_unit_test(shares_reach_the_target),
        cmocka_unit_test(decline_freezes_then_winds_down), cmocka_unit_test(nothing_to_divide_by), cmocka_unit_test(bad_shares_are_refused),
        cmocka_unit_test(budget_has_a_floor_as_far_as_there_are_funds), cmocka_unit_test(lasting_distress_is_flagged_and_cleared),
        cmocka_unit_test(flag_means_a_run_of_distress), cmocka_unit_test(temporary_distress_is_never_flagged),
        cmocka_unit_test(concentration_costs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
