/* SPDX-License-Identifier: Apache-2.0
 * The circuit breaker, step by step: what opens it, how long, one probe at a time, what closes it, and how thresholds move. */
#include "chain/treasury/breaker.h"

#include "chain/chain_kit.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const chain_breaker_rules seed_rules = { .failures = 5, .window = 60, .open = 12, .successes = 2, .tighten_ppm = 900000,
                                                .scale_min_ppm = 400000, .recover_ppm = 10000 };

/* One step and what it leads to. Epochs count on with '.'; heights are absolute. */
typedef struct step {
    char     what; /* f failure, s success, . a new epoch, ? nothing */
    uint64_t height;
    uint8_t  state;
    bool     admits; /* after it, at this height */
} step;

enum { C = CHAIN_BREAKER_CLOSED, O = CHAIN_BREAKER_OPEN, H = CHAIN_BREAKER_HALF_OPEN };

static void play(const step *steps, size_t count)
{
    chain_row_breaker b = chain_breaker_new();
    uint64_t epoch = 1;
    for (size_t i = 0; i < count; i++) {
        switch (steps[i].what) {
        case 'f': chain_breaker_failure(&b, &seed_rules, steps[i].height, epoch); break;
        case 's': chain_breaker_success(&b, &seed_rules, steps[i].height); break;
        case '.': epoch++; chain_breaker_epoch(&b, &seed_rules, steps[i].height); break;
        default: break;
        }
        assert_int_equal(b.state, steps[i].state);
        assert_int_equal(chain_breaker_admits(&b, steps[i].height), steps[i].admits);
    }
}

static void tables(void **state)
{
    (void)state;
    /* Five in a row open it; 12 blocks later one probe a block; two successes close it. */
    static const step life[] = { { 'f', 10, C, 1 }, { 'f', 10, C, 1 }, { 'f', 10, C, 1 }, { 'f', 10, C, 1 }, { 'f', 10, O, 0 },
                                 { '.', 21, O, 0 }, { '.', 22, H, 1 }, { 's', 22, H, 0 }, { '?', 23, H, 1 }, { '.', 24, H, 1 },
                                 { 's', 24, C, 1 }, { 'f', 24, C, 1 } };
    play(life, COUNT_OF(life));
    /* A success between them breaks the row; so do 60 blocks, exactly. */
    static const step row[] = { { 'f', 10, C, 1 }, { 'f', 10, C, 1 }, { 'f', 10, C, 1 }, { 'f', 10, C, 1 }, { 's', 11, C, 1 },
                                { 'f', 12, C, 1 }, { 'f', 12, C, 1 }, { 'f', 12, C, 1 }, { 'f', 12, C, 1 }, { 'f', 72, C, 1 },
                                { 'f', 72, C, 1 }, { 'f', 72, C, 1 }, { 'f', 72, C, 1 }, { 'f', 131, O, 0 } };
    play(row, COUNT_OF(row));
    static const step inside[] = { { 'f', 12, C, 1 }, { 'f', 12, C, 1 }, { 'f', 12, C, 1 }, { 'f', 12, C, 1 }, { 'f', 71, O, 0 } };
    play(inside, COUNT_OF(inside));
    /* A probe that fails opens it again, for the whole time; failures while it is open do not count. */
    static const step again[] = { { 'f', 10, C, 1 }, { 'f', 10, C, 1 }, { 'f', 10, C, 1 }, { 'f', 10, C, 1 }, { 'f', 10, O, 0 },
                                  { 'f', 15, O, 0 }, { '.', 22, H, 1 }, { 's', 22, H, 0 }, { 'f', 23, O, 0 }, { '.', 34, O, 0 },
                                  { '.', 35, H, 1 }, { 's', 35, H, 0 }, { '.', 36, H, 1 }, { 's', 36, C, 1 } };
    play(again, COUNT_OF(again));
}

static void thresholds(void **state)
{
    (void)state;
    chain_row_breaker b = chain_breaker_new();
    assert_int_equal(chain_breaker_threshold(&b, &seed_rules), 5);
    chain_breaker_incident(&b, &seed_rules, 7);
    assert_int_equal(b.scale_ppm, 900000);
    assert_int_equal(chain_breaker_threshold(&b, &seed_rules), 4);
    chain_breaker_incident(&b, &seed_rules, 7); /* one an epoch */
    assert_int_equal(b.scale_ppm, 900000);
    chain_breaker_incident(&b, &seed_rules, 8);
    assert_int_equal(b.scale_ppm, 810000);
    for (uint64_t epoch = 9; epoch < 60; epoch++)
        chain_breaker_incident(&b, &seed_rules, epoch);
    assert_int_equal(b.scale_ppm, 400000); /* and no further */
    assert_int_equal(chain_breaker_threshold(&b, &seed_rules), 2);
    chain_breaker_failure(&b, &seed_rules, 100, 60);
    chain_breaker_failure(&b, &seed_rules, 100, 60);
    assert_int_equal(b.state, CHAIN_BREAKER_OPEN); /* two are enough now */

    unsigned epochs = 0;
    chain_breaker_epoch(&b, &seed_rules, 100);
    assert_int_equal(b.scale_ppm, 404000);
    while (b.scale_ppm < 1000000) {
        uint32_t before = b.scale_ppm;
        chain_breaker_epoch(&b, &seed_rules, 100);
        assert_true(b.scale_ppm > before);
        epochs++;
    }
    assert_int_equal(epochs, 92); /* 1.01^92 is the first power above 1 / 0.404 */
    assert_int_equal(chain_breaker_threshold(&b, &seed_rules), 5);

    /* The greatest threshold needs every failure that the row can hold. */
    chain_breaker_rules eight = seed_rules;
    eight.failures = CHAIN_BREAKER_FAILURES_MAX;
    b = chain_breaker_new();
    for (uint64_t i = 1; i <= CHAIN_BREAKER_FAILURES_MAX; i++) {
        assert_int_equal(b.state, CHAIN_BREAKER_CLOSED);
        chain_breaker_failure(&b, &eight, 100 + i, 60);
    }
    assert_int_equal(b.state, CHAIN_BREAKER_OPEN);

    /* The least threshold is 1, and a floor above the scale does not loosen it. */
    chain_breaker_rules one = seed_rules;
    one.failures = 1;
    b.scale_ppm = 400000;
    assert_int_equal(chain_breaker_threshold(&b, &one), 1);
    one.scale_min_ppm = 700000;
    chain_breaker_incident(&b, &one, 99);
    assert_int_equal(b.scale_ppm, 400000);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(tables), cmocka_unit_test(thresholds) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
