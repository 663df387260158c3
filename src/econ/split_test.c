/* SPDX-License-Identifier: Apache-2.0
 *
 * Splits: ties, empty parts, refusals; the mint of an epoch to the unit. Random splits: tests/econ/exact_test. */
#include "econ/split.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void parts_by_largest_remainder(void **state)
{
    (void)state;
    const struct { uint64_t total, weights[4], parts[4]; size_t n; } cases[] = {
        { 10, { 1, 1, 1 }, { 4, 3, 3 }, 3 },                 /* a tie goes to the lowest index */
        { 11, { 1, 1, 1 }, { 4, 4, 3 }, 3 },
        { 100, { 15, 30, 20, 35 }, { 15, 30, 20, 35 }, 4 },
        { 1, { 1, 2, 1 }, { 0, 1, 0 }, 3 },
        { 7, { 0, 5, 0, 5 }, { 0, 4, 0, 3 }, 4 },            /* nothing goes to a weight of 0 */
        { 0, { 3, 4 }, { 0, 0 }, 2 },
        { UINT64_MAX, { UINT64_MAX, UINT64_MAX }, { UINT64_MAX / 2 + 1, UINT64_MAX / 2 }, 2 },
        { 5, { 9 }, { 5 }, 1 },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t parts[4] = { 0 };
        assert_int_equal(econ_split(parts, cases[i].total, cases[i].weights, cases[i].n, NULL), OK);
        assert_memory_equal(parts, cases[i].parts, sizeof parts);
    }
}

static void refusals_name_the_field(void **state)
{
    (void)state;
    uint64_t weights[ECON_SPLIT_MAX + 1] = { 0 }, parts[ECON_SPLIT_MAX + 1];
    fault f = { .what = "" };
    assert_int_equal(econ_split(parts, 1, weights, 0, &f), ERR_RANGE);
    assert_string_equal(f.what, "split.parts");
    assert_int_equal(econ_split(parts, 1, weights, COUNT_OF(weights), &f), ERR_RANGE);
    assert_string_equal(f.what, "split.parts");
    assert_int_equal(econ_split(parts, 1, weights, ECON_SPLIT_MAX, &f), ERR_RANGE);
    assert_string_equal(f.what, "split.weights");
    const econ_mint_shares over = { 500000, 450000, 50001 };
    econ_mint_parts kept = { 1, 2, 3 };
    assert_int_equal(econ_mint_split(&kept, 5, &over, &f), ERR_RANGE);
    assert_string_equal(f.what, "mint.shares");
    assert_int_equal(kept.producer_nblock, 1);
}

static void mint_of_an_epoch(void **state)
{
    (void)state;
    const econ_mint_shares shares = { 500000, 450000, 50000 };
    econ_mint_parts r;
    assert_int_equal(econ_mint_split(&r, 216000000001, &shares, NULL), OK);
    assert_int_equal(r.producer_nblock, 108000000001); /* its remainder is the largest */
    assert_int_equal(r.subsidy_nblock, 97200000000);
    assert_int_equal(r.treasury_nblock, 10800000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_by_largest_remainder), cmocka_unit_test(refusals_name_the_field), cmocka_unit_test(mint_of_an_epoch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
