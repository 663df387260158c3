/* SPDX-License-Identifier: Apache-2.0
 * Limits at their edges, the reserve, and the slow drain: what a majority that is captured for good can take at most. */
#include "chain/treasury/velocity.h"

#include "chain/chain_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const chain_velocity_limits seed_limits = { .epoch_ppm = 100000, .proposal_ppm = 50000, .day_ppm = 50000, .month_ppm = 100000,
                                                   .large_ppm = 50000, .cooldown_epochs = 4 };

/* --- edges --- */

static void edges(void **state)
{
    (void)state;
    static const struct {
        const char        *name; /* NULL: admitted */
        err                code;
        chain_row_treasury t;
        uint64_t           amount;
    } cases[] = {
        { NULL, OK, { .epoch = 9, .base = 1000000 }, 50000 },
        { "treasury.proposal_max", ERR_LIMIT, { .epoch = 9, .base = 1000000 }, 50001 },
        { NULL, OK, { .epoch = 9, .base = 1000019 }, 50000 }, /* the share is rounded down */
        { "treasury.proposal_max", ERR_LIMIT, { .epoch = 9, .base = 1000019 }, 50001 },
        { NULL, OK, { .epoch = 9, .base = 1000020 }, 50001 },
        { "treasury.proposal_max", ERR_LIMIT, { .epoch = 9, .base = 0 }, 1 },
        { "treasury.proposal_max", ERR_LIMIT, { .epoch = 9, .base = 19 }, 1 },
        { NULL, OK, { .epoch = 9, .base = 20 }, 1 },
        { NULL, OK, { .epoch = 9, .base = 1000000, .day_out = 10000, .month_out = 10000 }, 40000 },
        { "treasury.day_max", ERR_LIMIT, { .epoch = 9, .base = 1000000, .day_out = 10001, .month_out = 10001 }, 40000 },
        { NULL, OK, { .epoch = 9, .base = 1000000, .day_out = 0, .month_out = 60000 }, 40000 },
        { "treasury.month_max", ERR_LIMIT, { .epoch = 9, .base = 1000000, .day_out = 0, .month_out = 60001 }, 40000 },
        { "treasury.month_max", ERR_LIMIT, { .epoch = 9, .base = 1000000, .day_out = 0, .month_out = UINT64_MAX }, 40000 },
        { "treasury.cooldown", ERR_BUSY, { .epoch = 9, .base = 1000000, .cooldown_epoch = 9 }, 1 },
        { NULL, OK, { .epoch = 9, .base = 1000000, .cooldown_epoch = 8 }, 1 },
        { NULL, OK, { .epoch = 9, .base = 40000000000000000u }, 2000000000000000u },
        { "treasury.proposal_max", ERR_LIMIT, { .epoch = 9, .base = 40000000000000000u }, 2000000000000001u },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        fault f = { 0 };
        assert_int_equal(chain_velocity_check(&cases[i].t, &seed_limits, cases[i].amount, &f), cases[i].code);
        if (cases[i].name)
            assert_string_equal(f.what, cases[i].name);
    }
    /* The limit of the epoch binds where the day's is wider. */
    chain_velocity_limits wide = seed_limits;
    wide.day_ppm = wide.month_ppm = 1000000;
    chain_row_treasury t = { .epoch = 9, .base = 1000000, .epoch_out = 50000, .day_out = 50000, .month_out = 50000 };
    fault f = { 0 };
    assert_int_equal(chain_velocity_check(&t, &wide, 50000, &f), OK);
    t.epoch_out++;
    assert_int_equal(chain_velocity_check(&t, &wide, 50000, &f), ERR_LIMIT);
    assert_string_equal(f.what, "treasury.epoch_max");
}

static void cooldown(void **state)
{
    (void)state;
    fault f = { 0 };
    for (uint64_t taken = 49999; taken <= 50000; taken++) {
        chain_row_treasury t = { .epoch = 9, .base = 1000000 };
        assert_int_equal(chain_velocity_take(&t, 20000), OK);
        assert_int_equal(chain_velocity_take(&t, taken - 20000), OK);
        assert_int_equal(t.epoch_out, taken);
        assert_int_equal(chain_velocity_next(&t, &seed_limits, 1000000 - taken, 0, 0, &f), OK);
        unsigned waits = 0;
        while (chain_velocity_check(&t, &seed_limits, 0, &f) == ERR_BUSY) {
            waits++;
            assert_int_equal(chain_velocity_next(&t, &seed_limits, 1000000 - taken, 0, 0, &f), OK);
        }
        assert_int_equal(waits, taken == 50000 ? 4 : 0);
    }
    /* Nothing out of nothing is no large share. */
    chain_row_treasury t = { .epoch = 9 };
    assert_int_equal(chain_velocity_next(&t, &seed_limits, 0, 0, 0, &f), OK);
    assert_int_equal(t.cooldown_epoch, 0);
}

static void sums_hold_what_leaves_them(void **state)
{
    (void)state;
    fault f = { 0 };
    chain_row_treasury t = { .epoch = 200, .base = 100, .epoch_out = 1, .day_out = 5, .month_out = 9 }, before = t;
    assert_int_equal(chain_velocity_next(&t, &seed_limits, 100, 6, 0, &f), ERR_INVARIANT);
    assert_string_equal(f.what, "treasury.day_out");
    assert_int_equal(chain_velocity_next(&t, &seed_limits, 100, 0, 10, &f), ERR_INVARIANT);
    assert_string_equal(f.what, "treasury.month_out");
    assert_memory_equal(&t, &before, sizeof t);
    assert_int_equal(chain_velocity_next(&t, &seed_limits, 70, 5, 9, &f), OK);
    assert_true(t.day_out == 0 && t.month_out == 0 && t.epoch_out == 0 && t.base == 70 && t.epoch == 201);
    t.month_out = UINT64_MAX;
    before = t;
    assert_int_equal(chain_velocity_take(&t, 1), ERR_OVERFLOW);
    assert_memory_equal(&t, &before, sizeof t);
}

static void reserve(void **state)
{
    (void)state;
    static const struct {
        uint64_t             treasury, rate, epochs, emergency_ppm;
        chain_reserve_health want;
    } cases[] = {
        { 0, 0, 144, 250000, CHAIN_RESERVE_HEALTHY }, /* no subsidies: healthy, whatever it has */
        { 14400, 100, 144, 250000, CHAIN_RESERVE_HEALTHY },
        { 14399, 100, 144, 250000, CHAIN_RESERVE_WARNING },
        { 3600, 100, 144, 250000, CHAIN_RESERVE_WARNING },
        { 3599, 100, 144, 250000, CHAIN_RESERVE_EMERGENCY },
        { 0, 1, 1, 1, CHAIN_RESERVE_EMERGENCY },
        { 1, 3, 1, 333333, CHAIN_RESERVE_WARNING },
        { 1, 3, 1, 333334, CHAIN_RESERVE_EMERGENCY },
        { UINT64_MAX, UINT64_MAX, 1, 1000000, CHAIN_RESERVE_HEALTHY },
        { UINT64_MAX - 1, UINT64_MAX, 1, 1000000, CHAIN_RESERVE_EMERGENCY },
        { UINT64_MAX, UINT64_MAX, UINT32_MAX, 1000000, CHAIN_RESERVE_EMERGENCY },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(chain_reserve_judge(cases[i].treasury, cases[i].rate, cases[i].epochs, cases[i].emergency_ppm), cases[i].want);
}

/* --- the slow drain --- */

enum { DRAIN_EPOCHS = 70 * CHAIN_DAY_EPOCHS, ATTEMPTS = 10 };

typedef struct drain {
    chain_row_treasury t;
    uint64_t           treasury, gifts;
    uint64_t           epochs[CHAIN_DAY_EPOCHS], days[CHAIN_MONTH_BUCKETS]; /* the rings, as the chain keeps them */
    uint64_t           taken[DRAIN_EPOCHS + 1], start[DRAIN_EPOCHS + 1];   /* by epoch, and the treasury at its start */
} drain;

/* The most that the limits admit now, by bisection: the attacker asks for it. */
static uint64_t greediest(const drain *d)
{
    uint64_t low = 0, high = d->treasury + 1;
    if (chain_velocity_check(&d->t, &seed_limits, 0, NULL) != OK)
        return 0;
    while (high - low > 1) {
        uint64_t mid = low + (high - low) / 2;
        *(chain_velocity_check(&d->t, &seed_limits, mid, NULL) == OK ? &low : &high) = mid;
    }
    return low;
}

static void drain_epoch(drain *d, uint64_t *seed, unsigned style)
{
    uint64_t epoch = d->t.epoch, day = chain_day_of_epoch(epoch);
    d->start[epoch] = d->t.base;
    if (d->epochs[epoch % CHAIN_DAY_EPOCHS])
        d->epochs[epoch % CHAIN_DAY_EPOCHS] = 0;
    for (unsigned i = 0; i < ATTEMPTS; i++) {
        uint64_t most = greediest(d), amount = style == 0 ? most : kit_random(seed) % 3 ? 0 : most / (1 + kit_random(seed) % 4);
        if (amount == 0)
            continue;
        assert_int_equal(chain_velocity_check(&d->t, &seed_limits, amount, NULL), OK);
        assert_int_equal(chain_velocity_take(&d->t, amount), OK);
        d->treasury -= amount;
        d->taken[epoch] += amount;
        d->epochs[epoch % CHAIN_DAY_EPOCHS] += amount;
        d->days[day % CHAIN_MONTH_BUCKETS] += amount;
    }
    if (style == 2) {
        uint64_t gift = kit_random(seed) % 1000000;
        d->treasury += gift;
        d->gifts += gift;
    }
    uint64_t old_day = 0, next_day = chain_day_of_epoch(epoch + 1);
    if (next_day != day) {
        old_day = d->days[next_day % CHAIN_MONTH_BUCKETS];
        d->days[next_day % CHAIN_MONTH_BUCKETS] = 0;
    }
    fault f = { 0 };
    assert_int_equal(chain_velocity_next(&d->t, &seed_limits, d->treasury, d->epochs[(epoch + 1) % CHAIN_DAY_EPOCHS], old_day, &f), OK);
}

/* No `window` epochs in a row take more than `ppm` of the treasury at their start and what came in meanwhile. */
static uint64_t worst_ppm(const drain *d, uint64_t window)
{
    uint64_t worst = 0, sum = 0;
    for (uint64_t e = 1; e <= DRAIN_EPOCHS; e++) {
        sum += d->taken[e];
        if (e > window)
            sum -= d->taken[e - window];
        uint64_t from = e >= window ? e - window + 1 : 1;
        uint64_t ppm = (uint64_t)(((u128)sum * 1000000 + d->start[from] + d->gifts - 1) / (d->start[from] + d->gifts));
        worst = ppm > worst ? ppm : worst;
    }
    return worst;
}

static void slow_drain(void **state)
{
    (void)state;
    drain *d = malloc(sizeof *d);
    for (unsigned style = 0; style < 3; style++) {
        uint64_t seed = 40 + style;
        memset(d, 0, sizeof *d);
        d->treasury = d->t.base = 123456789012345u;
        d->t.epoch = 1;
        for (unsigned e = 0; e < DRAIN_EPOCHS; e++)
            drain_epoch(d, &seed, style);
        uint64_t day = worst_ppm(d, CHAIN_DAY_EPOCHS), month = worst_ppm(d, 30 * CHAIN_DAY_EPOCHS);
        assert_true(day <= 50000);
        assert_true(month <= 100000);
        assert_true(day > 40000 && month > 90000); /* and the attack is no straw man */
    }
    free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(edges), cmocka_unit_test(cooldown), cmocka_unit_test(sums_hold_what_leaves_them),
                                        cmocka_unit_test(reserve), cmocka_unit_test(slow_drain) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
