/* SPDX-License-Identifier: Apache-2.0
 *
 * Votes, reputation, risk and sources: dividing never gains, late votes weigh less, one liar moves nothing. */
#include "econ/median.h"
#include "econ/reputation.h"
#include "econ/risk.h"
#include "econ/voting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static uint64_t bits64(void)
{
    static uint64_t x = 88172645463325252ull;
    x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    return x * 0x2545f4914f6cdd1dull;
}

static uint64_t power_of(uint64_t months, uint64_t score, uint64_t stake, const econ_power_params *p)
{
    uint64_t r;
    assert_int_equal(econ_power(&r, months, score, stake, p, NULL), OK);
    return r;
}

/* D28, by Cauchy-Schwarz: whatever is divided, in whatever way, the parts have no more power than the whole. */
static void splitting_never_gains(void **state)
{
    (void)state;
    double most = 0;
    for (int n = 0; n < 200000; n++) {
        const econ_power_params p = { (uint32_t)(bits64() % 1000001), (uint32_t)(bits64() % 1000001), (uint32_t)(bits64() % 1000001) * (n & 1),
                                      (uint32_t)(bits64() % 48 + 1), ECON_BLOCK * (bits64() % 5000 + 1) };
        uint64_t months = bits64() % 1000, score = bits64() % 2000000, stake = bits64() >> (bits64() % 40 + 9);
        const uint64_t whole = power_of(months, score, stake, &p);
        uint64_t parts = 0;
        for (int left = (int)(bits64() % 6 + 2); left > 0; left--) {
            const bool last = left == 1;
            const uint64_t m = last ? months : bits64() % (months + 1), s = last ? score : bits64() % (score + 1);
            const uint64_t t = last ? stake : bits64() % (stake + 1);
            parts += power_of(m, s, t, &p);
            months -= m, score -= s, stake -= t;
        }
        assert_true(parts <= whole);
        if (whole > 0 && (double)parts / (double)whole > most)
            most = (double)parts / (double)whole;
    }
    assert_true(most > 0.9); /* dividing badges and stake alike is the best that can be done, and only breaks even */
}

static void power_by_cases(void **state)
{
    (void)state;
    const econ_power_params operators = { 500000, 500000, 0, 24, 1000ull * ECON_BLOCK };
    /* B = 500,000 x 12/24 x 10^6 / 10^6 + 500,000: 750,000; T = 3 x 10^11; sqrt(2.25 x 10^17) = 474,341,649 */
    assert_int_equal(power_of(12, 1000000, 300ull * ECON_BLOCK, &operators), 474341649);
    assert_int_equal(power_of(0, 0, 300ull * ECON_BLOCK, &operators), 0); /* stake alone has no vote */
    assert_int_equal(power_of(24, 1000000, 0, &operators), 0);
}

static void late_votes_weigh_less(void **state)
{
    (void)state;
    const econ_vote_params p = { 500, 1, 500000 };
    const struct { uint64_t epoch, want; } cases[] = { { 6, 1050 }, { 8, 1050 }, { 9, 500 }, { 10, 500 } };
    uint64_t w = 0;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(econ_vote_weight(&w, 1000, cases[i].epoch, 10, &p, NULL), OK);
        assert_int_equal(w, cases[i].want);
    }
    fault f = { .what = "" };
    assert_int_equal(econ_vote_weight(&w, 1000, 11, 10, &p, &f), ERR_EXPIRED);
    assert_string_equal(f.what, "vote.epoch");
    assert_int_equal(econ_vote_weight(&w, UINT64_MAX, 1, 10, &p, &f), ERR_OVERFLOW);
    assert_int_equal(w, 500);
}

static const econ_reputation_params usual = { { 350000, 250000, 200000, 200000 }, 950000, 800000, 600000 };

static void reputation_tends_to_one_million(void **state)
{
    (void)state;
    const econ_contribution full = { 1000000, 1000000, 1000000, 1000000 };
    q32 score, r = 0;
    assert_int_equal(econ_contribution_score(&score, &full, &usual, NULL), OK);
    assert_int_equal(score, 50000 * Q32_ONE);
    econ_reputation_params short_of = usual;
    short_of.weights.latency_ppm--;
    fault f = { .what = "" };
    assert_int_equal(econ_contribution_score(&score, &full, &short_of, &f), ERR_RANGE);
    assert_string_equal(f.what, "reputation.weights");
    bool eligible = false;
    int reached = 0;
    for (int n = 1; n <= 1000; n++) {
        assert_int_equal(econ_reputation_next(&r, r, 1, score, &usual, NULL), OK);
        assert_int_equal(econ_eligible_next(&eligible, r, &usual, NULL), OK);
        if (eligible && reached == 0)
            reached = n;
    }
    assert_int_equal(reached, 32); /* 1 - 0.95^32 = 0.806 */
    assert_true(r > 999999 * Q32_ONE && r <= 1000000 * Q32_ONE);
    /* Idle: it stays eligible down to 600,000 and is not again before 800,000. */
    int lost = 0;
    for (; eligible; lost++) {
        assert_int_equal(econ_reputation_decay(&r, r, 1, &usual, NULL), OK);
        assert_int_equal(econ_eligible_next(&eligible, r, &usual, NULL), OK);
    }
    assert_int_equal(lost, 10); /* 0.95^10 = 0.5987 */
    assert_int_equal(econ_reputation_next(&r, r, 1, 100000 * Q32_ONE, &usual, NULL), OK);
    assert_int_equal(econ_eligible_next(&eligible, r, &usual, NULL), OK);
    assert_false(eligible);
}

static void lazy_decay_is_the_same_decay(void **state)
{
    (void)state;
    q32 lazy, step = 1900000 * Q32_ONE;
    const q32 start = step;
    for (uint64_t n = 1; n <= 2000; n++) {
        assert_int_equal(econ_reputation_decay(&step, step, 1, &usual, NULL), OK);
        assert_int_equal(econ_reputation_decay(&lazy, start, n, &usual, NULL), OK);
        assert_true(lazy >= step - 1 && lazy - step < 32); /* 2^-27 ppm */
    }
    assert_int_equal(econ_reputation_decay(&lazy, start, UINT64_MAX, &usual, NULL), OK);
    assert_int_equal(lazy, 0);
    assert_int_equal(econ_reputation_decay(&lazy, start, 0, &usual, NULL), OK);
    assert_int_equal(lazy, start);
}

static const econ_median_params three = { .sources_min = 3, .deviation_ppm = 50000, .tolerance = 2, .quorum_ppm = 500000 };

static void one_liar_moves_nothing(void **state)
{
    (void)state;
    for (uint64_t lie = 0; lie < 4000; lie += 37) {
        econ_reading r[] = { { 1000, 4, 10, false }, { lie, 1, 10, false }, { 1010, 2, 10, false }, { 1005, 3, 10, false } };
        econ_median_out out;
        assert_int_equal(econ_median(&out, r, COUNT_OF(r), &three, NULL), OK);
        assert_true(out.value >= 1000 && out.value <= 1010);
        assert_int_equal(out.accepted, lie + 50 >= out.value && lie <= out.value + 50 ? 4 : 3);
    }
}

static void median_by_cases(void **state)
{
    (void)state;
    econ_median_out out;
    fault f = { .what = "" };
    econ_reading even[] = { { 20, 1, 1, false }, { 10, 2, 1, false }, { 20, 3, 1, false }, { 10, 4, 1, false } };
    const econ_median_params wide = { .sources_min = 2, .deviation_ppm = 1000000 };
    assert_int_equal(econ_median(&out, even, 4, &wide, NULL), OK);
    assert_int_equal(out.value, 10); /* the lower of the two */
    assert_true(even[0].id == 2 && even[1].id == 4 && even[2].id == 1 && even[3].id == 3);
    econ_reading heavy[] = { { 1, 1, 1, false }, { 2, 2, 1, false }, { 900, 3, 3, false } };
    assert_int_equal(econ_median(&out, heavy, 3, &(econ_median_params){ .sources_min = 1, .deviation_ppm = 50000 }, NULL), OK);
    assert_int_equal(out.value, 900);
    assert_int_equal(out.confidence_ppm, 600000);
    econ_reading zeros[] = { { 0, 1, 1, false }, { 2, 2, 1, false }, { 0, 3, 1, false }, { 3, 4, 1, false }, { 0, 5, 1, false } };
    assert_int_equal(econ_median(&out, zeros, 5, &three, NULL), OK);
    assert_int_equal(out.value, 0);
    assert_int_equal(out.accepted, 4); /* within the absolute tolerance */
    econ_reading torn[] = { { 100, 1, 1, false }, { 200, 2, 1, false }, { 300, 3, 1, false } };
    assert_int_equal(econ_median(&out, torn, 3, &three, &f), ERR_RANGE);
    assert_string_equal(f.what, "median.accepted");
    econ_reading light[] = { { 100, 1, 5, false }, { 101, 2, 5, false }, { 100, 3, 5, false }, { 50, 4, 9, false }, { 200, 5, 9, false } };
    assert_int_equal(econ_median(&out, light, 5, &three, &f), ERR_RANGE);
    assert_string_equal(f.what, "median.quorum");
    assert_int_equal(f.at, 454545); /* 15 of 33 */
    /* A quorum met exactly is met. */
    econ_reading half[] = { { 100, 1, 5, false }, { 101, 2, 5, false }, { 100, 3, 5, false }, { 50, 4, 8, false }, { 200, 5, 7, false } };
    assert_int_equal(econ_median(&out, half, 5, &three, &f), OK);
    assert_int_equal(out.confidence_ppm, 500000);
    torn[2].id = 1;
    assert_int_equal(econ_median(&out, torn, 3, &three, &f), ERR_DUPLICATE);
    assert_int_equal(econ_median(&out, torn, 2, &three, &f), ERR_RANGE);
    assert_string_equal(f.what, "median.sources");
}

static void cascades(void **state)
{
    (void)state;
    const econ_edge edges[] = { { ECON_ENERGY, ECON_COMPUTE, 500000 }, { ECON_ENERGY, ECON_STORAGE, 300000 },
                                { ECON_STORAGE, ECON_COMPUTE, 200000 }, { ECON_COMPUTE, ECON_AD, 100000 } };
    const struct { q32 s[ECON_MARKETS]; q32 risk; bool trips; } cases[] = {
        { { 0, 0, Q32_ONE, 0 }, 3435973836, true },              /* 0.8 */
        { { 0, 0, Q32_ONE / 2, 0 }, 1717986918, false },         /* 0.4 */
        { { 0, Q32_ONE, Q32_ONE / 2, 0 }, 3221225472, true },    /* 0.5 + 0.15 + 0.1 */
        { { -Q32_ONE, -Q32_ONE, -Q32_ONE, -Q32_ONE }, 0, false }, /* two negative scores make no risk */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        q32 risk;
        bool trips;
        assert_int_equal(econ_risk(&risk, &trips, cases[i].s, edges, COUNT_OF(edges), 500000, NULL), OK);
        assert_int_equal(risk, cases[i].risk);
        assert_int_equal(trips, cases[i].trips);
    }
    const struct { econ_edge edge; const char *what; } bad[] = {
        { { ECON_MARKETS, 0, 1 }, "risk.from" }, { { 0, ECON_MARKETS, 1 }, "risk.to" }, { { 1, 1, 1 }, "risk.to" }, { { 0, 1, ECON_PPM + 1 }, "risk.weight" },
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        q32 risk = 7;
        bool trips;
        fault f = { .what = "" };
        assert_int_equal(econ_risk(&risk, &trips, cases[0].s, &bad[i].edge, 1, 500000, &f), ERR_RANGE);
        assert_string_equal(f.what, bad[i].what);
        assert_int_equal(risk, 7);
    }
}

static void security_tightens_and_recovers(void **state)
{
    (void)state;
    const econ_security_params p = { 900000, 10000, 100000 };
    q32 f = Q32_ONE;
    uint64_t v;
    assert_int_equal(econ_security_next(&f, f, true, &p, NULL), OK);
    assert_int_equal(econ_security_value(&v, 1000, f, ECON_TIGHTER_LOWER, 500, 2000, NULL), OK);
    assert_int_equal(v, 899); /* 0.9 less a step */
    assert_int_equal(econ_security_value(&v, 1000, f, ECON_TIGHTER_HIGHER, 500, 2000, NULL), OK);
    assert_int_equal(v, 1112);
    int epochs = 0;
    for (; f < Q32_ONE; epochs++)
        assert_int_equal(econ_security_next(&f, f, false, &p, NULL), OK);
    assert_int_equal(epochs, 11); /* 0.9 x 1.01^11 > 1 */
    for (int n = 0; n < 100; n++)
        assert_int_equal(econ_security_next(&f, f, true, &p, NULL), OK);
    assert_int_equal(f, 429496729); /* a tenth, never less */
    assert_int_equal(econ_security_value(&v, 1000, f, ECON_TIGHTER_LOWER, 500, 2000, NULL), OK);
    assert_int_equal(v, 500); /* inside the bounds of the row */
    assert_int_equal(econ_security_value(&v, 1000, f, ECON_TIGHTER_HIGHER, 500, 2000, NULL), OK);
    assert_int_equal(v, 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splitting_never_gains), cmocka_unit_test(power_by_cases), cmocka_unit_test(late_votes_weigh_less),
        cmocka_unit_test(reputation_tends_to_one_million), cmocka_unit_test(lazy_decay_is_the_same_decay),
        cmocka_unit_test(one_liar_moves_nothing), cmocka_unit_test(median_by_cases), cmocka_unit_test(cascades),
        cmocka_unit_test(security_tightens_and_recovers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
