/* SPDX-License-Identifier: Apache-2.0
 *
 * Epochs that each controller takes to close 90 % of a gap, at the default parameters, printed beside the figures of seed 5.2. The seed's
 * are those of no formula: a drift of 5 % an epoch closes 90 % in ceil(ln 0.1 / ln 0.95) = 45 epochs and 40 % in ten. */
#include "econ/adsplit.h"
#include "econ/multiplier.h"
#include "econ/subsidy.h"
#include "econ/tariff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { NEVER = 10000 };

static int arrived(q32 start, q32 goal, q32 now)
{
    const q32 gap = goal > start ? goal - start : start - goal, left = goal > now ? goal - now : now - goal;
    return left <= gap / 10;
}

/* From `start` to the rate that the inflow implies. */
static int tariff_epochs(q32 start, int goal_bps, bool adaptive)
{
    econ_tariff_in in = { .rate_bps = start, .volume_nblock = 9000000, .inflow_nblock = (uint64_t)goal_bps * 8100, .target_bps = 1000, .max_bps = 200,
                          .converge = { 50, adaptive ? 200 : 50, 50, 25 } };
    econ_tariff_out r;
    for (int n = 1; n < NEVER; n++) {
        assert_int_equal(econ_tariff_next(&r, &in, NULL), OK);
        assert_int_equal(r.implied_bps, goal_bps * Q32_ONE);
        if (arrived(start, r.implied_bps, r.rate_bps))
            return n;
        in.rate_bps = r.rate_bps, in.emergency = r.emergency;
    }
    return NEVER;
}

static int subsidy_epochs(uint32_t drift_milli)
{
    econ_subsidy_in in = { .share = { Q32_ONE / 4, Q32_ONE / 4, Q32_ONE / 4, Q32_ONE / 4 }, .target = { Q32_ONE / 2, Q32_ONE / 8, Q32_ONE / 8, Q32_ONE / 4 },
                           .drift_milli = drift_milli };
    econ_subsidy_out r;
    for (int n = 1; n < NEVER; n++) {
        assert_int_equal(econ_subsidy_next(&r, &in, NULL), OK);
        if (arrived(Q32_ONE / 4, Q32_ONE / 2, r.share[0]))
            return n;
        for (size_t i = 0; i < ECON_MARKETS; i++)
            in.share[i] = r.share[i];
    }
    return NEVER;
}

static int ad_epochs(void)
{
    const econ_adsplit_params p = { 2800, 2200, 10 };
    const q32 start = 1288490188;
    econ_adsplit_out r = { .next = { start, 1073741824 } };
    for (int n = 1; n < NEVER; n++) {
        assert_int_equal(econ_adsplit_next(&r, &r.next, &p, NULL), OK);
        if (arrived(start, 28 * Q32_ONE / 100, r.next.platform))
            return n;
    }
    return NEVER;
}

static void line(const char *what, const char *seed, int epochs, int low, int high)
{
    print_message("  %-44s %4d epochs (%6.1f h); seed 5.2: %s\n", what, epochs, epochs / 6.0, seed);
    assert_in_range(epochs, low, high);
}

static void epochs_to_ninety_percent(void **state)
{
    (void)state;
    print_message("  epochs to close 90 %% of a gap, at the default parameters:\n");
    line("tariff 0 -> 40 bps, drift 5 %", "15-30 epochs", tariff_epochs(0, 40, false), 45, 45);
    line("tariff 0 -> 40 bps, adaptive (no emergency)", "15-30 epochs", tariff_epochs(0, 40, true), 45, 45);
    line("tariff 0 -> 200 bps, drift 5 %", "15-30 epochs", tariff_epochs(0, 200, false), 45, 45);
    line("tariff 0 -> 200 bps, adaptive (20 % above 50)", "15-30 epochs", tariff_epochs(0, 200, true), 10, 14);
    line("tariff 200 -> 10 bps, adaptive", "15-30 epochs", tariff_epochs(200 * Q32_ONE, 10, true), 9, 14);
    line("subsidy share, drift 5 %", "10 epochs", subsidy_epochs(50), 45, 45);
    line("subsidy share, drift 20 %", "10 epochs", subsidy_epochs(200), 11, 11);
    line("ad split, drift 1 %", "-", ad_epochs(), 229, 230);
}

static void multiplier_is_immediate(void **state)
{
    (void)state;
    econ_multiplier_in in = { .cost_nblock = 1000, .payout_nblock = 100, .util_target_bps = 5000, .margin_target_bps = 2500, .util_response_milli = 2000,
                              .cost_response_milli = 1000, .floor_milli = 800, .ceiling_milli = 3000 };
    q32 r;
    assert_int_equal(econ_multiplier(&r, &in, NULL), OK);
    assert_int_equal(r, 3 * Q32_ONE);
    line("multiplier, costs x 10", "immediate", 1, 1, 1);
}

/* Seed 1.2 and economics.md 1.5: ten epochs close 40 % of a subsidy gap, thirty 79 %. */
static void subsidy_gap_after_ten_and_thirty(void **state)
{
    (void)state;
    q32 x = 0;
    for (int n = 1; n <= 30; n++) {
        x = q32_drift(x, Q32_ONE, 50, ECON_MILLI);
        if (n == 10)
            assert_in_range(x * 100 / Q32_ONE, 40, 40);
    }
    assert_in_range(x * 100 / Q32_ONE, 78, 79);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(epochs_to_ninety_percent), cmocka_unit_test(multiplier_is_immediate),
        cmocka_unit_test(subsidy_gap_after_ten_and_thirty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
