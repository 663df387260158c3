/* SPDX-License-Identifier: Apache-2.0
 *
 * Every law that rounds against exact rationals (GMP), on 10^6 drawn inputs each: the error stated in its header holds, and the largest one
 * seen is printed. What has no rounding but one floor of an integer quotient must be that floor. Argument: another number of inputs. */
#include "exact_kit.h"

#include "econ/adsplit.h"
#include "econ/baseline.h"
#include "econ/diversity.h"
#include "econ/issuance.h"
#include "econ/median.h"
#include "econ/multiplier.h"
#include "econ/reputation.h"
#include "econ/risk.h"
#include "econ/split.h"
#include "econ/subsidy.h"
#include "econ/tariff.h"
#include "econ/voting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void splits(void **state)
{
    (void)state;
    seen part = { 0 };
    EACH_INPUT {
        const size_t n = draw(1, 6);
        uint64_t w[6], parts[6], total = draw(0, UINT64_MAX), whole = 0, sum = 0;
        for (size_t i = 0; i < n; i++)
            whole += w[i] = draw(0, UINT64_MAX / 6);
        if (whole == 0)
            continue;
        assert_int_equal(econ_split(parts, total, w, n, NULL), OK);
        for (size_t i = 0; i < n; i++) {
            rat_uint(total), rat_ratio(w[i], whole), rat_mul();
            note(&part, rat_off_u64(parts[i]));
            sum += parts[i];
        }
        assert_true(sum == total);
    }
    must_hold("split", &part, -1, 1);
}

static void baselines(void **state)
{
    (void)state;
    seen value = { 0 }, high = { 0 };
    EACH_INPUT {
        const econ_baseline_params p = { draw32(0, ECON_PPM), draw32(0, ECON_PPM), draw32(0, ECON_PPM), draw32(0, ECON_PPM),
                                         draw32(1, 1000), draw32(1000, INT32_MAX) };
        const econ_baseline now = { draw_q32(0, Q32_MAX), draw_q32(0, Q32_MAX) };
        const q32 observed = draw_q32(0, Q32_MAX);
        econ_baseline r;
        assert_int_equal(econ_baseline_next(&r, &now, observed, &p, NULL), OK);
        const uint32_t rate = observed > now.value ? p.up_ppm : p.down_ppm;
        for (int i = 0; i < 2; i++) {
            if (i == 1)
                rat_q32(now.high), rat_ratio(p.high_keep_ppm, ECON_PPM), rat_mul();
            rat_int(p.min), rat_int(p.max);
            rat_q32(now.high), rat_ratio(p.high_keep_ppm, ECON_PPM), rat_mul(), rat_ratio(p.floor_ppm, ECON_PPM), rat_mul();
            rat_q32(observed), rat_q32(now.value), rat_sub(), rat_ratio(rate, ECON_PPM), rat_mul(), rat_q32(now.value), rat_add();
            rat_max(), rat_min(), rat_max();
            if (i == 1)
                rat_max();
            note(i == 0 ? &value : &high, rat_off(i == 0 ? r.value : r.high, 32));
        }
    }
    must_hold("baseline", &value, -2, 1e-9);
    must_hold("baseline high", &high, -2, 1e-9);
}

/* Pushes max(observed / baseline, 0.01) for an observed number of whole units. */
static void push_load(uint64_t observed, uint64_t unit, q32 base)
{
    rat_ratio(observed, unit), rat_q32(base), rat_div(), rat_ratio(1, 100), rat_max();
}

static void issuance_formula(void **state)
{
    (void)state;
    seen active = { 0 }, spread = { 0 }, minted = { 0 };
    EACH_INPUT {
        econ_issuance_in in = { .decay_cap_nblock = 36000000ull * ECON_BLOCK, .time_constant_blocks = draw(20000, 20000000), .epoch_blocks = draw(1, 2000),
                                .tx_count = draw(0, 20000), .volume_nblock = draw(0, 2000000ull * ECON_BLOCK), .miners = draw(0, 300),
                                .tx_baseline = draw_q32(50 * Q32_ONE, 10000 * Q32_ONE), .volume_baseline = draw_q32(5000 * Q32_ONE, 1000000 * Q32_ONE),
                                .miner_baseline = draw_q32(5 * Q32_ONE, 100 * Q32_ONE) };
        in.minted_nblock = draw(0, in.decay_cap_nblock);
        for (size_t i = 0; i < ECON_MARKETS; i++)
            in.utilisation[i] = draw_q32(0, Q32_ONE);
        econ_issuance_out r;
        assert_int_equal(econ_issuance(&r, &in, NULL), OK);
        rat_ratio(1, 2), rat_int(2);
        push_load(in.tx_count, 1, in.tx_baseline), push_load(in.volume_nblock, ECON_BLOCK, in.volume_baseline), rat_mul(), rat_sqrt();
        rat_int(0);
        for (size_t i = 0; i < ECON_MARKETS; i++)
            rat_q32(in.utilisation[i]), rat_add();
        rat_ratio(1, ECON_MARKETS), rat_mul(), rat_int(1), rat_add(), rat_mul(), rat_min(), rat_max();
        rat_same();
        note(&active, rat_off(r.activity, 32));
        rat_ratio(1, 2), rat_ratio(3, 2), rat_uint(in.miners), rat_q32(in.miner_baseline), rat_div(), rat_sqrt(), rat_min(), rat_max();
        rat_same();
        note(&spread, rat_off(r.decentralisation, 32));
        rat_mul();
        rat_ratio(in.decay_cap_nblock - in.minted_nblock, in.decay_cap_nblock), rat_pow(2), rat_mul();
        rat_ratio(in.decay_cap_nblock, in.time_constant_blocks), rat_uint(in.epoch_blocks), rat_mul(), rat_mul();
        rat_uint(in.decay_cap_nblock - in.minted_nblock), rat_min();
        const double base = (double)in.decay_cap_nblock * (double)in.epoch_blocks / (double)in.time_constant_blocks;
        const double off = rat_off_u64(r.mint_nblock);
        note(&minted, off < -4 ? (off + 4) / base * (1 << 24) : 0);
        assert_true(off <= 0);
    }
    must_hold("activity", &active, -256, 1e-9);
    must_hold("decentralisation", &spread, -1.5, 1e-9);
    must_hold("issuance, base 2^-24", &minted, -1, 1e-9);
}

static void envelope_and_tail(void **state)
{
    (void)state;
    seen annual = { 0 };
    EACH_INPUT {
        econ_envelope_in in = { .cap_nblock = 40000000ull * ECON_BLOCK, .annual_nblock = draw(0, 12000000ull * ECON_BLOCK),
                                .mint_nblock = draw(0, 400ull * ECON_BLOCK),
                                .target_bps = draw32(0, ECON_BPS), .gain_milli = draw32(0, ECON_MILLI), .max_block = draw(0, 12000000),
                                .on_ppm = draw32(0, ECON_PPM), .epochs_per_year = draw(1, 100000) };
        in.minted_nblock = draw(0, in.cap_nblock);
        in.circulating_nblock = draw(0, in.minted_nblock);
        in.min_block = draw(0, in.max_block);
        econ_envelope_out r;
        assert_int_equal(econ_envelope(&r, &in, NULL), OK);
        rat_int((int64_t)in.min_block * ECON_BLOCK), rat_int((int64_t)in.max_block * ECON_BLOCK);
        rat_uint(in.mint_nblock), rat_uint(in.max_block), rat_ratio(ECON_BLOCK, in.epochs_per_year), rat_mul();
        const uint64_t limited = (rat_min(), rat_floor());
        if (!r.on) {
            rat_uint(limited), rat_uint(in.epochs_per_year), rat_mul();
        } else if (in.circulating_nblock == 0) {
            rat_int(0);
        } else {
            rat_int(-1), rat_int(1);
            rat_ratio(in.target_bps, ECON_BPS), rat_ratio(in.annual_nblock, in.circulating_nblock), rat_sub(), rat_min(), rat_max();
            rat_ratio(in.gain_milli, ECON_MILLI), rat_mul(), rat_int(1), rat_add(), rat_uint(in.annual_nblock), rat_mul();
        }
        rat_min(), rat_max();
        const double off = rat_off_u64(r.annual_nblock), most = 1 + (double)in.annual_nblock / (1u << 31);
        note(&annual, off / most);
        rat_uint(limited);
        rat_ratio(r.on ? r.annual_nblock : UINT64_MAX, r.on ? in.epochs_per_year : 1), rat_min();
        assert_true(rat_floor() == r.mint_nblock);

        const econ_tail_in t = { in.circulating_nblock, 4000000ull * ECON_BLOCK, draw(0, 4000000ull * ECON_BLOCK),
                                 draw(0, 10ull * ECON_BLOCK), draw32(0, ECON_PPM), in.epochs_per_year };
        uint64_t tail;
        assert_int_equal(econ_tail(&tail, &t, NULL), OK);
        rat_uint(t.reserve_nblock - t.minted_nblock), rat_int(0);
        rat_uint(t.circulating_nblock), rat_ratio(t.tail_ppm, ECON_PPM), rat_mul(), rat_ratio(1, t.epochs_per_year), rat_mul();
        rat_uint(t.mint_nblock), rat_sub(), rat_max(), rat_min();
        assert_true(rat_floor() == tail);
    }
    must_hold("envelope, 1 + I 2^-31", &annual, -1, 1);
}

static void distress_and_softmax(void **state)
{
    (void)state;
    seen s = { 0 }, share = { 0 };
    EACH_INPUT {
        const econ_distress_params p = { draw32(0, ECON_BPS), draw32(0, ECON_BPS), draw32(0, ECON_MILLI), draw32(0, ECON_MILLI) };
        const q32 used = draw_q32(0, Q32_ONE), gain = draw_q32(-Q32_ONE, 2 * Q32_ONE);
        q32 r;
        assert_int_equal(econ_distress(&r, used, gain, &p, NULL), OK);
        rat_ratio(p.util_target_bps, ECON_BPS), rat_q32(used), rat_sub(), rat_ratio(p.alpha_milli, ECON_MILLI), rat_mul();
        rat_ratio(p.margin_target_bps, ECON_BPS), rat_q32(gain), rat_sub(), rat_ratio(p.beta_milli, ECON_MILLI), rat_mul(), rat_add();
        note(&s, rat_off(r, 32));

        const q32 most = bits64() & 1 ? 8 * Q32_ONE : Q32_ONE;
        const uint32_t t = bits64() & 1 ? 1000 : draw32(1, 100000);
        q32 x[ECON_MARKETS], target[ECON_MARKETS], top = -most;
        for (size_t i = 0; i < ECON_MARKETS; i++) {
            x[i] = draw_q32(-most, most);
            top = x[i] > top ? x[i] : top;
        }
        assert_int_equal(econ_softmax(target, x, t, NULL), OK);
        u128 weight[ECON_MARKETS], sum = 0;
        for (size_t i = 0; i < ECON_MARKETS; i++) {
            weight[i] = rat_exp_minus(RAT_E, ((u128)(uint64_t)(top - x[i]) << 32) * ECON_MILLI / t) >> 2;
            sum += weight[i];
        }
        q32 total = 0;
        for (size_t i = 0; i < ECON_MARKETS; i++) {
            rat_fraction(weight[i]), rat_fraction(sum), rat_div();
            note(&share, rat_off(target[i], 32));
            total += target[i];
        }
        assert_true(total <= Q32_ONE && total > Q32_ONE - 5);
    }
    must_hold("distress", &s, -4, 1e-9);
    must_hold("softmax", &share, -4, 4);
}

/* Of two markets that may rise and two in decline: the law in real numbers. */
static void subsidy_shares(void **state)
{
    (void)state;
    seen open = { 0 }, held = { 0 };
    EACH_INPUT {
        econ_subsidy_in in = { .declining = { false, true, false, true }, .declining_epochs = { 0, 3, 0, 30 }, .drift_milli = draw32(0, ECON_MILLI),
                               .freeze_epochs = 10, .wind_down_ppm = draw32(0, ECON_PPM) };
        q32 left = Q32_ONE, aim = Q32_ONE;
        for (size_t i = 0; i < ECON_MARKETS; i++) {
            left -= in.share[i] = draw_q32(0, left);
            aim -= in.target[i] = draw_q32(0, aim);
        }
        econ_subsidy_out r;
        assert_int_equal(econ_subsidy_next(&r, &in, NULL), OK);
        uint64_t sum = r.rest_ppm;
        for (size_t i = 0; i < ECON_MARKETS; i++)
            sum += r.share_ppm[i];
        assert_int_equal(sum, ECON_PPM);
        for (size_t i = 1; i < ECON_MARKETS; i += 2) {
            rat_q32(in.target[i]), rat_q32(in.share[i]), rat_sub(), rat_ratio(in.drift_milli, ECON_MILLI), rat_mul(), rat_q32(in.share[i]), rat_add();
            rat_q32(in.share[i]), rat_ratio(i == 1 ? ECON_PPM : ECON_PPM - in.wind_down_ppm, ECON_PPM), rat_mul(), rat_min();
            note(&held, rat_off(r.share[i], 32));
            assert_true(r.share[i] <= in.share[i]);
            rat_uint(r.share_ppm[i]), rat_ratio(1, ECON_PPM), rat_mul(), rat_q32(r.share[i]);
            assert_true(rat_compare() <= 0);
        }
        /* d0 (1 - d1 - d3) / (d0 + d2) with exact d, where there is something to divide by. */
        if (r.share[0] + r.share[2] < Q32_ONE / 1000)
            continue;
        for (size_t i = 0; i < ECON_MARKETS; i += 2)
            rat_q32(in.target[i]), rat_q32(in.share[i]), rat_sub(), rat_ratio(in.drift_milli, ECON_MILLI), rat_mul(), rat_q32(in.share[i]), rat_add();
        rat_add();
        rat_q32(Q32_ONE / 1000);
        if (rat_compare() < 0)
            continue;
        rat_q32(Q32_ONE - r.share[1] - r.share[3]);
        rat_q32(in.target[0]), rat_q32(in.share[0]), rat_sub(), rat_ratio(in.drift_milli, ECON_MILLI), rat_mul(), rat_q32(in.share[0]), rat_add();
        rat_mul();
        for (size_t i = 0; i < ECON_MARKETS; i += 2)
            rat_q32(in.target[i]), rat_q32(in.share[i]), rat_sub(), rat_ratio(in.drift_milli, ECON_MILLI), rat_mul(), rat_q32(in.share[i]), rat_add();
        rat_add();
        rat_div();
        note(&open, rat_off(r.share[0], 32));
    }
    must_hold("declining share", &held, -1, 1e-9);
    must_hold("open share", &open, -2048, 2048);
}

static void budgets(void **state)
{
    (void)state;
    EACH_INPUT {
        const econ_budget_in in = { draw(0, (uint64_t)1 << 62), draw(0, (uint64_t)1 << 62), draw32(0, ECON_PPM), draw(0, (uint64_t)1 << 62),
                                    draw32(0, ECON_BPS), draw(0, (uint64_t)1 << 62) };
        econ_budget_out r;
        assert_int_equal(econ_budget(&r, &in, NULL), OK);
        rat_uint(in.fees_nblock), rat_ratio(in.capture_ppm, ECON_PPM), rat_mul();
        assert_true(rat_floor() == r.from_fees_nblock);
        rat_uint(in.treasury_nblock), rat_int(0), rat_uint(in.peak_nblock), rat_ratio(in.floor_bps, ECON_BPS), rat_mul();
        rat_uint(in.mint_nblock), rat_sub(), rat_uint(r.from_fees_nblock), rat_sub(), rat_max(), rat_min();
        assert_true(rat_floor() == r.from_treasury_nblock);
        assert_true(r.budget_nblock == in.mint_nblock + r.from_fees_nblock + r.from_treasury_nblock);
    }
}

static void diversity_factor(void **state)
{
    (void)state;
    seen s = { 0 };
    EACH_INPUT {
        const econ_diversity_params p = { draw32(0, 2 * ECON_PPM), draw32(0, 2 * ECON_PPM) };
        const uint64_t stake[] = { draw(0, UINT64_MAX / 4), draw(0, UINT64_MAX / 4), draw(1, UINT64_MAX / 4) };
        uint64_t most = 0, sum = 0;
        for (size_t i = 0; i < COUNT_OF(stake); i++) {
            most = stake[i] > most ? stake[i] : most;
            sum += stake[i];
        }
        q32 r;
        assert_int_equal(econ_diversity(&r, stake, COUNT_OF(stake), &p, NULL), OK);
        rat_int(1), rat_ratio(most, sum), rat_ratio(1, 2), rat_sub();
        rat_same(), rat_int(0);
        rat_ratio(rat_compare() > 0 ? p.penalty_ppm : p.bonus_ppm, ECON_PPM), rat_mul(), rat_sub();
        note(&s, rat_off(r, 32));
    }
    must_hold("diversity", &s, -4, 4);
}

static void multipliers(void **state)
{
    (void)state;
    seen any = { 0 }, usual = { 0 };
    EACH_INPUT {
        const bool by_default = bits64() & 1;
        econ_multiplier_in in = { .utilisation = draw_q32(0, Q32_ONE), .cost_nblock = draw(0, 1000000), .payout_nblock = draw(0, 1000000),
                                  .util_target_bps = draw32(0, ECON_BPS), .margin_target_bps = draw32(0, ECON_BPS),
                                  .util_response_milli = by_default ? 2000 : draw32(0, 10000), .cost_response_milli = by_default ? 1000 : draw32(0, 10000),
                                  .ceiling_milli = by_default ? 3000 : draw32(0, 100000) };
        in.floor_milli = draw32(0, in.ceiling_milli);
        q32 r;
        assert_int_equal(econ_multiplier(&r, &in, NULL), OK);
        rat_ratio(in.floor_milli, ECON_MILLI), rat_ratio(in.ceiling_milli, ECON_MILLI);
        rat_int(0), rat_ratio(in.util_target_bps, ECON_BPS), rat_q32(in.utilisation), rat_sub(), rat_ratio(in.util_response_milli, ECON_MILLI), rat_mul();
        rat_int(1), rat_add(), rat_max();
        if (in.payout_nblock > 0) {
            rat_int(0), rat_ratio(1, 10), rat_int(10);
            rat_ratio(in.cost_nblock, in.payout_nblock), rat_ratio(ECON_BPS + in.margin_target_bps, ECON_BPS), rat_mul(), rat_min(), rat_max();
            rat_int(1), rat_sub(), rat_ratio(in.cost_response_milli, ECON_MILLI), rat_mul(), rat_int(1), rat_add(), rat_max(), rat_mul();
        }
        rat_min(), rat_max();
        note(by_default ? &usual : &any, rat_off(r, 32));

        const uint64_t due = draw(0, 1000000ull * ECON_BLOCK), budget = draw(0, 1000000ull * ECON_BLOCK);
        uint64_t paid;
        const uint64_t sum = due + draw(0, 1000000ull * ECON_BLOCK);
        assert_int_equal(econ_topup_paid(&paid, due, sum, budget, NULL), OK);
        rat_uint(due);
        if (sum > budget)
            rat_ratio(budget, sum), rat_mul();
        assert_true(rat_floor() == paid);
    }
    must_hold("multiplier", &any, -2048, 1e-9);
    must_hold("multiplier, defaults", &usual, -32, 1e-9);
}

static void layer_four(void **state)
{
    (void)state;
    seen platform = { 0 }, implied = { 0 }, rate = { 0 };
    EACH_INPUT {
        econ_adsplit now = { .platform = draw_q32(0, Q32_ONE) };
        now.user = draw_q32(0, Q32_ONE - now.platform);
        econ_adsplit_params p = { .platform_bps = draw32(0, ECON_BPS), .drift_milli = draw32(0, ECON_MILLI) };
        p.user_bps = draw32(0, ECON_BPS - p.platform_bps);
        econ_adsplit_out a;
        assert_int_equal(econ_adsplit_next(&a, &now, &p, NULL), OK);
        rat_ratio(p.platform_bps, ECON_BPS), rat_q32(now.platform), rat_sub(), rat_ratio(p.drift_milli, ECON_MILLI), rat_mul();
        rat_q32(now.platform), rat_add();
        note(&platform, rat_off(a.next.platform, 32));
        assert_int_equal(a.platform_ppm + a.user_ppm + a.publisher_ppm, ECON_PPM);

        econ_tariff_in in = { .rate_bps = draw_q32(0, 200 * Q32_ONE), .volume_nblock = draw(1, (uint64_t)1 << 62), .inflow_nblock = draw(1, (uint64_t)1 << 62),
                              .target_bps = draw32(0, 9000), .max_bps = draw32(0, ECON_BPS), .converge = { 50, 200, 50, 25 } };
        in.min_bps = draw32(0, in.max_bps);
        econ_tariff_out r;
        assert_int_equal(econ_tariff_next(&r, &in, NULL), OK);
        rat_int(ECON_BPS), rat_ratio(in.inflow_nblock, in.volume_nblock), rat_uint((uint64_t)in.target_bps * ECON_BPS), rat_mul();
        rat_uint(ECON_BPS - in.target_bps), rat_div(), rat_min(), rat_same();
        note(&implied, rat_off(r.implied_bps, 32));
        rat_int(in.min_bps), rat_max(), rat_int(in.max_bps), rat_min(), rat_q32(in.rate_bps), rat_sub();
        rat_same(), rat_int(0);
        if (rat_compare() < 0)
            rat_neg();
        rat_same(), rat_int(50);
        const bool fast = rat_compare() > 0;
        rat_clear();
        /* At the very edge the rounded deviation decides; there the law is only held to its own state. */
        if (fast != r.emergency)
            continue;
        rat_int(in.min_bps), rat_int(in.max_bps);
        rat_int(ECON_BPS), rat_ratio(in.inflow_nblock, in.volume_nblock), rat_uint((uint64_t)in.target_bps * ECON_BPS), rat_mul();
        rat_uint(ECON_BPS - in.target_bps), rat_div(), rat_min(), rat_q32(in.rate_bps), rat_sub(), rat_ratio(fast ? 200 : 50, ECON_MILLI), rat_mul();
        rat_q32(in.rate_bps), rat_add(), rat_min(), rat_max();
        note(&rate, rat_off(r.rate_bps, 32));
        uint64_t paid;
        const uint64_t value = draw(0, UINT64_MAX);
        assert_int_equal(econ_tariff_charge(&paid, value, r.rate_bps, NULL), OK);
        rat_uint(value), rat_q32(r.rate_bps), rat_mul(), rat_ratio(1, ECON_BPS), rat_mul();
        assert_true(rat_floor() == paid);
    }
    must_hold("ad split", &platform, -2, 1e-9);
    must_hold("tariff, implied", &implied, -1, 1e-9);
    must_hold("tariff, rate", &rate, -2, 1e-9);
}

static void risk_and_security(void **state)
{
    (void)state;
    seen risk = { 0 }, factor = { 0 };
    EACH_INPUT {
        const econ_edge edges[] = { { ECON_ENERGY, ECON_COMPUTE, draw32(0, ECON_PPM) }, { ECON_ENERGY, ECON_STORAGE, draw32(0, ECON_PPM) },
                                    { ECON_STORAGE, ECON_COMPUTE, draw32(0, ECON_PPM) }, { ECON_COMPUTE, ECON_AD, draw32(0, ECON_PPM) } };
        q32 s[ECON_MARKETS], r;
        bool trips;
        for (size_t i = 0; i < ECON_MARKETS; i++)
            s[i] = draw_q32(-8 * Q32_ONE, 8 * Q32_ONE);
        assert_int_equal(econ_risk(&r, &trips, s, edges, COUNT_OF(edges), 500000, NULL), OK);
        rat_int(0);
        for (size_t i = 0; i < COUNT_OF(edges); i++) {
            rat_int(0), rat_q32(s[edges[i].from]), rat_max(), rat_ratio(edges[i].weight_ppm, ECON_PPM), rat_mul();
            rat_int(0), rat_q32(s[edges[i].to]), rat_max(), rat_int(1), rat_add(), rat_mul(), rat_add();
        }
        note(&risk, rat_off(r, 32));
        assert_int_equal(trips, r > Q32_ONE / 2);

        const econ_security_params p = { draw32(1, ECON_PPM), draw32(0, ECON_PPM), draw32(1, ECON_PPM) };
        const q32 now = draw_q32(1, Q32_ONE);
        const bool incident = bits64() & 1;
        assert_int_equal(econ_security_next(&r, now, incident, &p, NULL), OK);
        rat_ratio(p.least_ppm, ECON_PPM), rat_int(1), rat_q32(now), rat_ratio(incident ? p.tighten_ppm : ECON_PPM + p.recover_ppm, ECON_PPM), rat_mul();
        rat_min(), rat_max();
        note(&factor, rat_off(r, 32));
        const uint64_t low = draw(0, 1000), base = low + draw(0, 1000000000000), high = base + draw(0, 1000000000000);
        uint64_t value;
        assert_int_equal(econ_security_value(&value, base, r, ECON_TIGHTER_LOWER, low, high, NULL), OK);
        rat_uint(low), rat_uint(base), rat_q32(r), rat_mul(), rat_max();
        assert_true(rat_floor() == value);
        assert_int_equal(econ_security_value(&value, base, r, ECON_TIGHTER_HIGHER, low, high, NULL), OK);
        /* ceil(x) = n if and only if n - 1 < x <= n. */
        rat_uint(high), rat_uint(base), rat_q32(r), rat_div(), rat_min();
        const double off = rat_off_u64(value);
        assert_true(off >= 0 && off < 1);
    }
    must_hold("risk", &risk, -1, 1e-9);
    must_hold("security factor", &factor, -1, 1e-9);
}

static void reputations(void **state)
{
    (void)state;
    seen score = { 0 }, kept = { 0 };
    EACH_INPUT {
        const econ_reputation_params p = { { 350000, 250000, 200000, 200000 }, draw32(0, 950000), 800000, 600000 };
        const econ_contribution m = { draw32(0, ECON_PPM), draw32(0, ECON_PPM), draw32(0, ECON_PPM), draw32(0, ECON_PPM) };
        q32 r;
        assert_int_equal(econ_contribution_score(&r, &m, &p, NULL), OK);
        rat_uint((uint64_t)p.weights.uptime_ppm * m.uptime_ppm), rat_uint((uint64_t)p.weights.quality_ppm * m.quality_ppm), rat_add();
        rat_uint((uint64_t)p.weights.latency_ppm * m.latency_ppm), rat_add();
        rat_uint((uint64_t)p.weights.verification_ppm * m.verification_ppm), rat_add();
        rat_ratio(ECON_PPM - p.keep_ppm, (uint64_t)ECON_PPM * ECON_PPM), rat_mul();
        note(&score, rat_off(r, 32));
        const uint64_t epochs = bits64() % 8 ? draw(0, 6) : draw(0, 120);
        const q32 now = draw_q32(0, 2 * ECON_PPM * Q32_ONE);
        assert_int_equal(econ_reputation_decay(&r, now, epochs, &p, NULL), OK);
        rat_ratio(p.keep_ppm, ECON_PPM), rat_pow((unsigned)epochs), rat_q32(now), rat_mul();
        note(&kept, rat_off(r, 32));
    }
    must_hold("contribution", &score, -1, 1e-9);
    must_hold("reputation decay", &kept, -2, 1e-9);
}

/* The definition, without a sort: below the median lies less than half of the weight, at or below it at least half. */
static void medians(void **state)
{
    (void)state;
    EACH_INPUT {
        econ_reading r[7];
        const size_t n = draw(3, 7);
        const uint64_t spread = draw(1, 1000);
        u128 whole = 0, below = 0, upto = 0, kept = 0;
        for (size_t i = 0; i < n; i++) {
            r[i] = (econ_reading){ .value = 10000 + draw(0, spread), .id = bits64() % 1000 * 8 + i, .weight = draw(1, 9) };
            whole += r[i].weight;
        }
        const econ_median_params p = { .sources_min = 1, .deviation_ppm = 50000 };
        econ_median_out out;
        assert_int_equal(econ_median(&out, r, n, &p, NULL), OK);
        uint32_t accepted = 0;
        for (size_t i = 0; i < n; i++) {
            below += r[i].value < out.value ? r[i].weight : 0;
            upto += r[i].value <= out.value ? r[i].weight : 0;
            rat_uint(r[i].value), rat_uint(out.value), rat_sub();
            rat_same(), rat_int(0);
            if (rat_compare() < 0)
                rat_neg();
            rat_uint(out.value), rat_ratio(1, 20), rat_mul();
            /* An integer is at most floor(x) if and only if it is at most x. */
            const bool near = rat_compare() <= 0;
            assert_int_equal(r[i].accepted, near);
            accepted += near;
            kept += near ? r[i].weight : 0;
        }
        assert_true(2 * below < whole && 2 * upto >= whole);
        assert_int_equal(out.accepted, accepted);
        rat_uint((uint64_t)kept * ECON_PPM), rat_uint((uint64_t)whole), rat_div();
        assert_true(rat_floor() == out.confidence_ppm);
    }
}

static void votes(void **state)
{
    (void)state;
    EACH_INPUT {
        const econ_power_params p = { draw32(0, ECON_PPM), draw32(0, ECON_PPM), draw32(0, ECON_PPM), draw32(1, 100),
                                      draw(ECON_BLOCK, 100000ull * ECON_BLOCK) };
        const uint64_t months = draw(0, 1000000), score = draw(0, 1000000000000), stake = draw(0, (uint64_t)1 << 62);
        uint64_t power;
        assert_int_equal(econ_power(&power, months, score, stake, &p, NULL), OK);
        /* power^2 <= B T, and the floors inside lose less than 3 of B: (power + 1)^2 > (B - 3) T. */
        for (int i = 0; i < 2; i++) {
            rat_uint(power), rat_int(i), rat_add(), rat_pow(2);
            rat_uint(months), rat_ratio(p.service_ppm, p.months_full), rat_mul();
            rat_uint(score), rat_ratio(p.reputation_ppm, ECON_PPM), rat_mul(), rat_add();
            rat_uint(stake), rat_ratio(p.token_ppm, p.token_unit_nblock), rat_mul(), rat_add();
            rat_int(3 * i), rat_sub(), rat_int(0), rat_max(), rat_uint(stake), rat_mul();
            const int c = rat_compare();
            assert_true(i == 0 ? c <= 0 : c > 0);
        }
        uint64_t weight;
        const econ_vote_params v = { draw32(0, ECON_BPS), 1, draw32(0, ECON_PPM) };
        const uint64_t left = draw(0, 3);
        assert_int_equal(econ_vote_weight(&weight, power / 2, 10 - left, 10, &v, NULL), OK);
        rat_uint(power / 2), left <= 1 ? rat_ratio(v.late_ppm, ECON_PPM) : rat_ratio(ECON_BPS + v.early_bonus_bps, ECON_BPS), rat_mul();
        assert_true(rat_floor() == weight);
    }
}

int main(int argc, char **argv)
{
    exact_start(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits), cmocka_unit_test(baselines), cmocka_unit_test(issuance_formula),
        cmocka_unit_test(envelope_and_tail), cmocka_unit_test(distress_and_softmax), cmocka_unit_test(subsidy_shares),
        cmocka_unit_test(budgets), cmocka_unit_test(diversity_factor), cmocka_unit_test(multipliers),
        cmocka_unit_test(layer_four), cmocka_unit_test(risk_and_security), cmocka_unit_test(reputations),
        cmocka_unit_test(medians), cmocka_unit_test(votes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
