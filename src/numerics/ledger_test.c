/* SPDX-License-Identifier: Apache-2.0 */
#include "numerics/ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void what_fits_and_what_does_not(void **state)
{
    (void)state;
    const struct {
        num_shape        shape;
        num_ledger_bound bound;
        err              code;
        const char      *what;
    } cases[] = {
        { { 256, 64, 128, 4, 4, 12, 0 }, NUM_LEDGER_FIELD, OK, "" },
        { { 50257, 1024, 768, 12, 12, 12, 0 }, NUM_LEDGER_FIELD, OK, "" },
        { { 50257, 1024, 768, 39, 12, 12, 0 }, NUM_LEDGER_FIELD, OK, "" },
        { { 50257, 1024, 768, 40, 12, 12, 0 }, NUM_LEDGER_FIELD, OK, "" }, /* the depth bounds no square: they have a domain */
        { { 50257, 4096, 8192, 32, 64, 12, 0 }, NUM_LEDGER_FIELD, ERR_LEDGER, "dp" },
        { { 50257, 4096, 8192, 48, 64, 12, 0 }, NUM_LEDGER_WORD, OK, "" },
        { { 50257, 1024, 768, 12, 12, 16, 1 }, NUM_LEDGER_FIELD, ERR_LEDGER, "z" },
        { { 50257, 1024, 768, 12, 12, 16, 1 }, NUM_LEDGER_WORD, OK, "" },
        { { 50257, 4096, 8192, 48, 64, 16, 1 }, NUM_LEDGER_WORD, ERR_LEDGER, "squares of a row" },
        { { 50257, 4096, 8192, 48, 64, 16, 0 }, NUM_LEDGER_WORD, ERR_SHAPE, "shape.helper" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        fault f = { 0 };
        err e = num_ledger_check(NULL, &cases[i].shape, cases[i].bound, &f);
        if (e != cases[i].code || (e != OK && strcmp(f.what, cases[i].what) != 0))
            fail_msg("case %zu: %s %s", i, err_describe(e)->name, e == OK ? "" : f.what);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(what_fits_and_what_does_not) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
