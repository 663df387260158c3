/* SPDX-License-Identifier: Apache-2.0
 *
 * The treasury under a hostile majority that pays itself all it may: what the rolling caps leave; reserve and breaker by cases. */
#include "econ/breaker.h"
#include "econ/treasury.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static const econ_velocity_limits usual = { 50000, 100000, 200000, 400000, 50000, 4, { 6, 24 }, { 144, 30 } };

static err pay(econ_velocity *v, uint64_t balance, uint64_t amount, uint64_t epoch, const char **what)
{
    fault f = { .what = "" };
    const err e = econ_velocity_pay(v, v, &usual, balance, amount, epoch, &f);
    *what = f.what;
    return e;
}

static void each_limit_refuses_by_name(void **state)
{
    (void)state;
    econ_velocity v = { 0 };
    const char *what;
    assert_int_equal(pay(&v, 1000000, 50001, 10, &what), ERR_LIMIT);
    assert_string_equal(what, "velocity.proposal");
    assert_int_equal(pay(&v, 1000000, 1000001, 10, &what), ERR_FUNDS);
    assert_int_equal(pay(&v, 1000000, 49999, 10, &what), OK);
    assert_int_equal(v.rest_until, 0);
    assert_int_equal(pay(&v, 950001, 1, 10, &what), OK); /* 5 % of the epoch's treasury in sum: rest after it (D32) */
    assert_int_equal(v.rest_until, 15);
    assert_int_equal(pay(&v, 950000, 47500, 10, &what), OK);
    assert_int_equal(pay(&v, 902500, 2501, 10, &what), ERR_LIMIT); /* 100,001 of 1,000,000 */
    assert_string_equal(what, "velocity.epoch");
    assert_int_equal(pay(&v, 902500, 2500, 10, &what), OK);
    for (uint64_t epoch = 11; epoch < 15; epoch++) {
        assert_int_equal(pay(&v, 900000, 1, epoch, &what), ERR_STATE);
        assert_string_equal(what, "velocity.cooldown");
    }
    assert_int_equal(pay(&v, 900000, 45000, 15, &what), OK);
    assert_int_equal(pay(&v, 855000, 42750, 15, &what), OK);
    assert_int_equal(pay(&v, 812250, 12251, 20, &what), ERR_LIMIT); /* 200,001 of 1,000,000 within a day */
    assert_string_equal(what, "velocity.day");
    assert_int_equal(pay(&v, 812250, 1, 14, &what), ERR_RANGE);
    assert_string_equal(what, "velocity.epoch");
}

/* Economics.md 1.12 and DESIGN 6: without rolling caps 97.7 % leave in six hours. */
static void drain(void **state)
{
    (void)state;
    econ_velocity v = { 0 };
    const uint64_t start = 1000000000000000ull;
    uint64_t balance = start, after_day = 0, after_month = 0;
    const char *what;
    for (uint64_t epoch = 0; epoch < 30 * 144; epoch++) {
        for (uint64_t amount = balance / 20; amount > start / 1000000; amount /= 2)
            while (pay(&v, balance, amount, epoch, &what) == OK)
                balance -= amount;
        if (epoch == 143)
            after_day = balance;
    }
    after_month = balance;
    print_message("of 100 %% a hostile majority leaves %.2f %% after a day, %.2f %% after 30 days\n", (double)after_day * 100 / (double)start,
                  (double)after_month * 100 / (double)start);
    assert_true(after_day >= start / 10 * 8 && after_day < start / 100 * 81);
    assert_true(after_month >= start / 10 * 6 && after_month < start / 100 * 61);
}

/* Against the sum over every single payment: never less than the window, never more than one bucket beyond it. */
static void window_covers_its_epochs(void **state)
{
    (void)state;
    enum { EPOCHS = 3000 };
    static uint64_t paid[EPOCHS];
    const econ_window_shape shapes[] = { { 6, 24 }, { 144, 30 }, { 1, 1 }, { 7, 3 } };
    uint64_t x = 88172645463325252ull;
    for (size_t s = 0; s < COUNT_OF(shapes); s++) {
        econ_window w = { 0 };
        memset(paid, 0, sizeof paid);
        for (uint64_t epoch = 0; epoch < EPOCHS; epoch++) {
            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            if (x % 3 == 0 || (x >> 8) % 400 == 0)
                epoch += x % 50;
            if (epoch >= EPOCHS)
                break;
            uint64_t sum = 0, exact = 0, more = 0;
            paid[epoch] = x >> 44;
            assert_int_equal(econ_window_add(&w, &sum, &w, &shapes[s], epoch, paid[epoch], NULL), OK);
            const uint64_t window = (uint64_t)shapes[s].bucket_epochs * shapes[s].buckets;
            for (uint64_t k = 0; k < window + shapes[s].bucket_epochs && k <= epoch; k++) {
                exact += k < window ? paid[epoch - k] : 0;
                more += paid[epoch - k];
            }
            assert_true(sum >= exact && sum <= more);
        }
    }
    econ_window w = { .newest = 5 };
    uint64_t sum = 0;
    fault f = { .what = "" };
    const econ_window_shape large = { 6, ECON_WINDOW_BUCKETS };
    assert_int_equal(econ_window_add(&w, &sum, &w, &large, 30, 1, &f), ERR_RANGE);
    assert_string_equal(f.what, "window.buckets");
    assert_int_equal(econ_window_add(&w, &sum, &w, &shapes[0], 29, 1, &f), ERR_RANGE);
    assert_string_equal(f.what, "window.epoch");
}

static void reserve(void **state)
{
    (void)state;
    const struct { uint64_t balance, rate; econ_reserve want; uint64_t ratio; } cases[] = {
        { 144000, 1000, ECON_RESERVE_HEALTHY, 1000000 }, { 143999, 1000, ECON_RESERVE_WARNING, 999993 }, { 36000, 1000, ECON_RESERVE_WARNING, 250000 },
        { 35999, 1000, ECON_RESERVE_EMERGENCY, 249993 }, { 0, 0, ECON_RESERVE_HEALTHY, UINT64_MAX },     { 0, 1, ECON_RESERVE_EMERGENCY, 0 },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        econ_reserve r;
        uint64_t ratio;
        assert_int_equal(econ_reserve_check(&r, &ratio, cases[i].balance, cases[i].rate, 144, 250000, NULL), OK);
        assert_int_equal(r, cases[i].want);
        assert_true(ratio == cases[i].ratio);
    }
}

static const econ_breaker_params five = { 5, 2, 12, 60 };

static err admit(econ_breaker *b, uint64_t height)
{
    return econ_breaker_admit(b, b, height, &five, NULL);
}

static void report(econ_breaker *b, uint64_t height, bool success)
{
    assert_int_equal(econ_breaker_report(b, b, height, success, &five, NULL), OK);
}

static void breaker_opens_and_closes(void **state)
{
    (void)state;
    econ_breaker b = { 0 };
    for (uint64_t height = 100; height < 105; height++) {
        assert_int_equal(admit(&b, height), OK);
        report(&b, height, false);
    }
    assert_int_equal(b.state, ECON_BREAKER_OPEN);
    assert_int_equal(econ_breaker_report(&b, &b, 105, true, &five, NULL), ERR_STATE);
    for (uint64_t height = 105; height < 116; height++)
        assert_int_equal(admit(&b, height), ERR_BUSY);
    assert_int_equal(admit(&b, 116), OK);
    assert_int_equal(b.state, ECON_BREAKER_HALF_OPEN);
    assert_int_equal(admit(&b, 116), ERR_BUSY); /* one probe at a time */
    report(&b, 116, true);
    assert_int_equal(b.state, ECON_BREAKER_HALF_OPEN);
    assert_int_equal(admit(&b, 117), OK);
    report(&b, 117, false);
    assert_int_equal(b.state, ECON_BREAKER_OPEN); /* any failure opens it again, and the first success counts no more */
    assert_int_equal(admit(&b, 129), OK);
    report(&b, 129, true);
    assert_int_equal(admit(&b, 129), OK);
    report(&b, 129, true);
    assert_int_equal(b.state, ECON_BREAKER_CLOSED);
    assert_int_equal(b.failures, 0);
}

static void breaker_counts_in_its_window(void **state)
{
    (void)state;
    econ_breaker b = { 0 };
    /* One failure every 15 blocks: never five within 60. */
    for (uint64_t height = 0; height < 3000; height += 15) {
        assert_int_equal(admit(&b, height), OK);
        report(&b, height, false);
    }
    assert_true(b.state == ECON_BREAKER_CLOSED && b.failures == 4);
    report(&b, 2999, true); /* a success forgets them */
    for (int n = 0; n < 4; n++)
        report(&b, 3000, false);
    assert_int_equal(b.state, ECON_BREAKER_CLOSED);
    report(&b, 3059, false);
    assert_int_equal(b.state, ECON_BREAKER_OPEN);
    fault f = { .what = "" };
    assert_int_equal(econ_breaker_admit(&b, &b, 3058, &five, &f), ERR_RANGE);
    assert_string_equal(f.what, "breaker.height");
    assert_int_equal(econ_breaker_admit(&b, &b, 3060, &five, &f), ERR_BUSY);
    assert_string_equal(f.what, "breaker.open");
    assert_int_equal(f.at, 3071); /* when to come back */
    b.failures = ECON_BREAKER_FAILURES_MAX;
    assert_int_equal(econ_breaker_admit(&b, &b, 3060, &five, &f), ERR_RANGE);
    assert_string_equal(f.what, "breaker.failures");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_limit_refuses_by_name), cmocka_unit_test(drain), cmocka_unit_test(window_covers_its_epochs),
        cmocka_unit_test(reserve), cmocka_unit_test(breaker_opens_and_closes), cmocka_unit_test(breaker_counts_in_its_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
