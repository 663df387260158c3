/* SPDX-License-Identifier: Apache-2.0
 *
 * Issuance over its whole life: base, decay, envelope and tail never pass the cap, and meet the figures of economics.md 1.2, D3 - D7; a
 * suppressed baseline (seed 9.1) recovers slowly and never below its floor. */
#include "econ/baseline.h"
#include "econ/issuance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const uint64_t block = ECON_BLOCK, cap = 40000000ull * ECON_BLOCK, decay_cap = 36000000ull * ECON_BLOCK;
enum { EPOCHS_PER_YEAR = 52560 };

/* All factors 1: traffic, volume and miners at their baselines, nothing used. */
static econ_issuance_in calm(uint64_t minted)
{
    return (econ_issuance_in){ .decay_cap_nblock = decay_cap, .time_constant_blocks = 20000000, .epoch_blocks = 120, .minted_nblock = minted,
                               .tx_count = 100, .volume_nblock = 10000 * block, .miners = 10, .tx_baseline = 100 * Q32_ONE,
                               .volume_baseline = 10000 * Q32_ONE, .miner_baseline = 10 * Q32_ONE };
}

static void factors_are_clamped(void **state)
{
    (void)state;
    econ_issuance_out r;
    econ_issuance_in in = calm(0);
    assert_int_equal(econ_issuance(&r, &in, NULL), OK);
    assert_int_equal(r.activity, Q32_ONE);
    assert_int_equal(r.decentralisation, Q32_ONE);
    assert_true(r.decay == Q62_ONE);
    assert_int_equal(r.mint_nblock, 216 * block); /* 1.8 BLOCK a block */
    in.tx_count = UINT64_MAX, in.volume_nblock = UINT64_MAX, in.miners = UINT64_MAX;
    assert_int_equal(econ_issuance(&r, &in, NULL), OK);
    assert_int_equal(r.activity, 2 * Q32_ONE);
    assert_int_equal(r.decentralisation, 3 * Q32_ONE / 2);
    assert_int_equal(r.mint_nblock, 648 * block);
    in.tx_count = 0, in.volume_nblock = 0, in.miners = 0;
    assert_int_equal(econ_issuance(&r, &in, NULL), OK);
    assert_int_equal(r.activity, Q32_ONE / 2);
    assert_int_equal(r.decentralisation, Q32_ONE / 2);
    assert_int_equal(r.mint_nblock, 54 * block);
    in = calm(decay_cap / 2);
    assert_int_equal(econ_issuance(&r, &in, NULL), OK);
    assert_int_equal(r.mint_nblock, 54 * block); /* (1/2)^2 */
    /* The seed's three marks: a quarter, a hundredth, a ten-thousandth are left of the mint. */
    static const struct {
        uint64_t emitted_percent, of;
    } marks[] = { { 50, 4 }, { 90, 100 }, { 99, 10000 } };
    for (size_t i = 0; i < COUNT_OF(marks); i++) {
        in = calm(decay_cap / 100 * marks[i].emitted_percent);
        assert_int_equal(econ_issuance(&r, &in, NULL), OK);
        assert_in_range(r.decay, Q62_ONE / marks[i].of - 2, Q62_ONE / marks[i].of);
        assert_in_range(r.mint_nblock, 216 * block / marks[i].of - 1, 216 * block / marks[i].of);
    }
    in = calm(decay_cap - 7);
    assert_int_equal(econ_issuance(&r, &in, NULL), OK);
    assert_int_equal(r.mint_nblock, 0); /* floored: no one-unit minimum (D5) */
    in = calm(decay_cap + 1);
    fault f = { .what = "" };
    assert_int_equal(econ_issuance(&r, &in, &f), ERR_RANGE);
    assert_string_equal(f.what, "issuance.minted");
}

typedef struct life {
    uint64_t formula, tail, annual, half_epoch, tail_from, year_rate;
} life;

/* One epoch of the three laws in their order; returns what it minted. */
static uint64_t epoch_of(life *l, bool hot)
{
    econ_issuance_in in = calm(l->formula);
    if (hot)
        in.tx_count = 100000, in.miners = 1000;
    econ_issuance_out formula;
    assert_int_equal(econ_issuance(&formula, &in, NULL), OK);
    const uint64_t minted = l->formula + l->tail;
    const econ_envelope_in e = { .cap_nblock = cap, .minted_nblock = minted, .circulating_nblock = minted, .annual_nblock = l->annual,
                                 .mint_nblock = formula.mint_nblock, .target_bps = 500, .gain_milli = 100, .min_block = 0, .max_block = 12000000,
                                 .on_ppm = 500000, .epochs_per_year = EPOCHS_PER_YEAR };
    econ_envelope_out bounded;
    assert_int_equal(econ_envelope(&bounded, &e, NULL), OK);
    const econ_tail_in t = { minted, cap - decay_cap, l->tail, bounded.mint_nblock, 5000, EPOCHS_PER_YEAR };
    uint64_t tail;
    assert_int_equal(econ_tail(&tail, &t, NULL), OK);
    l->annual = bounded.annual_nblock;
    l->formula += bounded.mint_nblock;
    l->tail += tail;
    return bounded.mint_nblock + tail;
}

static void a_life_below_the_cap(void **state)
{
    (void)state;
    for (int hot = 0; hot < 2; hot++) {
        life l = { 0 };
        uint64_t first_year = 0;
        for (uint64_t n = 0; n < 50ull * EPOCHS_PER_YEAR; n++) {
            const uint64_t before = l.tail, made = epoch_of(&l, hot);
            assert_true(made <= 12000000 * block / EPOCHS_PER_YEAR);
            assert_true(l.formula <= decay_cap && l.tail <= cap - decay_cap);
            if (n < EPOCHS_PER_YEAR)
                first_year += made;
            if (l.half_epoch == 0 && l.formula + l.tail >= cap / 2)
                l.half_epoch = n;
            if (l.tail_from == 0 && l.tail > before && n > EPOCHS_PER_YEAR)
                l.tail_from = n;
        }
        print_message("%s: first year %.2fM, half after %.1f years, tail from year %.1f, 50 years: %.3fM + %.3fM\n", hot ? "busy" : "calm",
                      (double)first_year / 1e15, (double)l.half_epoch / EPOCHS_PER_YEAR, (double)l.tail_from / EPOCHS_PER_YEAR,
                      (double)l.formula / 1e15, (double)l.tail / 1e15);
        /* 36M x 1.8 / 36M a block: x = 1 - 1 / (1 + 0.3154 t) gives 8.63M after the first year, and half of the cap after 3.96 years. */
        assert_true(hot ? first_year > 11990000 * block : first_year / block > 8600000 && first_year / block < 8660000);
        assert_true(hot || (l.half_epoch > 39 * EPOCHS_PER_YEAR / 10 && l.half_epoch < 41 * EPOCHS_PER_YEAR / 10));
        assert_true(l.tail_from > 10 * EPOCHS_PER_YEAR);
        assert_true(l.formula + l.tail > 35900000 * block && l.formula + l.tail <= cap);
    }
}

/* D4: the controller takes over without a step up or down of more than its own gain, and the annual rate ends near 5 % of the supply. */
static void the_envelope_takes_over_mildly(void **state)
{
    (void)state;
    life l = { .formula = cap / 2 - 1000 * block, .annual = 0 };
    uint64_t last = epoch_of(&l, true);
    for (int n = 0; n < 3000; n++) {
        const uint64_t made = epoch_of(&l, true);
        assert_true(made <= last + last / 10 && made >= last - last / 10);
        last = made;
    }
    const uint64_t annual = last * EPOCHS_PER_YEAR, supply = l.formula + l.tail;
    assert_true(annual > supply / 100 * 49 / 10 && annual < supply / 100 * 51 / 10);
}

static void envelope_bounds(void **state)
{
    (void)state;
    econ_envelope_in e = { .cap_nblock = cap, .minted_nblock = cap / 2, .circulating_nblock = 0, .annual_nblock = 5 * block,
                           .mint_nblock = 100 * block, .target_bps = 500, .gain_milli = 100, .min_block = 52560, .max_block = 12000000, .on_ppm = 500000, .epochs_per_year = EPOCHS_PER_YEAR };
    econ_envelope_out r;
    assert_int_equal(econ_envelope(&r, &e, NULL), OK);
    assert_true(r.on && r.realised == 0);
    assert_int_equal(r.annual_nblock, 52560 * block); /* nothing circulates: the minimum */
    assert_int_equal(r.mint_nblock, block);
    e.minted_nblock--;
    assert_int_equal(econ_envelope(&r, &e, NULL), OK);
    assert_false(r.on);
    assert_int_equal(r.mint_nblock, 100 * block);
    assert_int_equal(r.annual_nblock, 100 * block * EPOCHS_PER_YEAR);
    e.min_block = 12000001;
    fault f = { .what = "" };
    assert_int_equal(econ_envelope(&r, &e, &f), ERR_RANGE);
    assert_string_equal(f.what, "envelope.min");
}

/* Seed 9.1, with D50: 50 epochs at half activity take a symmetric average of 0.05 down by 46 %; the asymmetric one by half of (1 - 0.98^50). */
static void suppression_is_slow(void **state)
{
    (void)state;
    const econ_baseline_params p = { 100000, 20000, 250000, 999900, 50, 10000 };
    econ_baseline b = { 1000 * Q32_ONE, 1000 * Q32_ONE };
    for (int n = 0; n < 50; n++)
        assert_int_equal(econ_baseline_next(&b, &b, 500 * Q32_ONE, &p, NULL), OK);
    assert_int_equal(b.value / Q32_ONE, 682);
    for (int n = 0; n < 10000; n++)
        assert_int_equal(econ_baseline_next(&b, &b, 0, &p, NULL), OK);
    /* The floor is a quarter of the high, which has decayed by 0.9999 an epoch: 1000 x 0.9999^10050 / 4. */
    assert_int_equal(b.value / Q32_ONE, 91);
    const econ_baseline now = { 100 * Q32_ONE, 100 * Q32_ONE };
    assert_int_equal(econ_baseline_next(&b, &now, Q32_MAX, &p, NULL), OK);
    assert_int_equal(b.value, 10000 * Q32_ONE);
    assert_int_equal(b.high, 10000 * Q32_ONE); /* of the clamped baseline, not of the spike */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(factors_are_clamped), cmocka_unit_test(a_life_below_the_cap), cmocka_unit_test(the_envelope_takes_over_mildly),
        cmocka_unit_test(envelope_bounds), cmocka_unit_test(suppression_is_slow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
