/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/amount.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void parses(void **state)
{
    (void)state;
    static const struct { const char *text; uint64_t nblock; err e; } cases[] = {
        { "0", 0, OK }, { "1", 1000000000, OK }, { "0.5", 500000000, OK }, { "0.000000001", 1, OK }, { "007.250", 7250000000, OK },
        { "40000000", 40000000000000000, OK }, { ".5", 500000000, OK },
        { "40000000.000000001", 0, ERR_USAGE }, { "40000001", 0, ERR_USAGE }, { "99999999999999999999999", 0, ERR_USAGE },
        { "0.0000000001", 0, ERR_USAGE }, { "", 0, ERR_USAGE }, { ".", 0, ERR_USAGE }, { "1.", 0, ERR_USAGE }, { "-1", 0, ERR_USAGE },
        { "+1", 0, ERR_USAGE }, { "1e3", 0, ERR_USAGE }, { "1,5", 0, ERR_USAGE }, { " 1", 0, ERR_USAGE }, { "1 ", 0, ERR_USAGE },
        { "1.2.3", 0, ERR_USAGE },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t got = 7;
        fault f = { 0 };
        err e = tb_amount_parse(&got, cases[i].text, &f);
        if (e != cases[i].e || got != (e == OK ? cases[i].nblock : 7))
            fail_msg("\"%s\": %d, %llu", cases[i].text, (int)e, (unsigned long long)got);
        assert_true(e == OK || f.what != NULL);
    }
}

static void formats(void **state)
{
    (void)state;
    static const struct { uint64_t nblock; const char *text; } cases[] = {
        { 0, "0.000" }, { 1, "0.000000001" }, { 1000000000, "1.000" }, { 1500000000, "1.500" }, { 1234567890, "1.23456789" },
        { 40000000000000000, "40000000.000" }, { UINT64_MAX, "18446744073.709551615" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[TB_AMOUNT_TEXT];
        tb_amount_format(text, cases[i].nblock);
        assert_string_equal(text, cases[i].text);
    }
}

/* What is shown can be pasted back. */
static void round_trip(void **state)
{
    (void)state;
    uint64_t x = 88172645463325252u;
    for (int i = 0; i < 10000; i++) {
        char text[TB_AMOUNT_TEXT];
        uint64_t back;
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        uint64_t amount = (x % 40000000000000001u) >> (x >> 58);
        tb_amount_format(text, amount);
        assert_int_equal(tb_amount_parse(&back, text, NULL), OK);
        assert_true(back == amount);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(parses), cmocka_unit_test(formats), cmocka_unit_test(round_trip) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
