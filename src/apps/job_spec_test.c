/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/job_spec.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static err parse(tb_job_spec *s, const char *text, fault *f)
{
    return tb_job_spec_parse(s, bytes_of_str(text), f);
}

static void defaults(void **state)
{
    (void)state;
    tb_job_spec s;
    uint64_t cost;
    assert_int_equal(parse(&s, "{}", NULL), OK);
    assert_int_equal(s.shape.width, 128);
    assert_int_equal(s.shape.helper, NUM_NARROW);
    assert_int_equal(s.schedule.lr_max, 1073742);
    assert_int_equal(s.schedule.total_steps, 300);
    assert_string_equal(s.data, "");
    assert_int_equal(tb_job_spec_cost(&cost, &s, NULL), OK);
    assert_true(cost == (uint64_t)300 * 16 * 250000000 / 64);
    assert_true(s.escrow == cost + 300u * 4); /* one nBLOCK for the rounding of each lease */
}

static void values(void **state)
{
    (void)state;
    tb_job_spec s;
    assert_int_equal(parse(&s, "{\"data\": \"a/b\", \"bits\": 16, \"price\": \"1.5\", \"escrow\": \"1000\", \"learning_rate\": \"0.5\", \"steps\": 10,"
                               " \"batch\": 6, \"lease\": 3}", NULL), OK);
    assert_string_equal(s.data, "a/b");
    assert_int_equal(s.shape.helper, NUM_WIDE);
    assert_int_equal(s.price, 1500000000);
    assert_int_equal(s.escrow, 1000000000000);
    assert_int_equal(s.schedule.lr_max, 1 << 27);
    assert_true(s.batch == 6 && s.lease == 3 && s.steps == 10);
}

static void refused(void **state)
{
    (void)state;
    static const struct { const char *text; err e; } cases[] = {
        { "", ERR_SYNTAX }, { "[]", ERR_TYPE }, { "{\"widht\": 1}", ERR_FIELD }, { "{\"width\": 0}", ERR_RANGE }, { "{\"width\": 8193}", ERR_RANGE },
        { "{\"width\": -1}", ERR_TYPE }, { "{\"width\": 1.5}", ERR_TYPE }, { "{\"width\": \"128\"}", ERR_TYPE }, { "{\"price\": 1}", ERR_TYPE },
        { "{\"price\": \"0\"}", ERR_RANGE }, { "{\"price\": \"x\"}", ERR_USAGE }, { "{\"learning_rate\": 0.004}", ERR_TYPE },
        { "{\"learning_rate\": \"0\"}", ERR_RANGE }, { "{\"learning_rate\": \"nan\"}", ERR_RANGE }, { "{\"learning_rate\": \"2\"}", ERR_RANGE },
        { "{\"lease\": 3}", ERR_RANGE }, { "{\"lease\": 32}", ERR_RANGE }, { "{\"sample_ppm\": 250001}", ERR_RANGE }, { "{\"level\": \"linear\"}", ERR_RANGE }, { "{\"level\": 3}", ERR_TYPE }, { "{\"data\": 7}", ERR_TYPE },
        { "{\"escrow\": \"0.1\"}", ERR_RANGE }, { "{\"steps\": 4294967295, \"batch\": 65536, \"lease\": 1, \"price\": \"40000000\"}", ERR_OVERFLOW },
        { "{\"context\": 4096, \"batch\": 64, \"lease\": 64}", ERR_RANGE }, { "{\"width\": 1, \"width\": 2}", ERR_FIELD },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        tb_job_spec s;
        fault f = { 0 };
        err e = parse(&s, cases[i].text, &f);
        if (e != cases[i].e || !f.what)
            fail_msg("%s: %s, not %s", cases[i].text, err_describe(e)->name, err_describe(cases[i].e)->name);
    }
}

/* Every field of the configuration changes its hash. */
static void config_hash(void **state)
{
    (void)state;
    tb_job_spec a, b;
    assert_int_equal(parse(&a, "{}", NULL), OK);
    static const char *const changes[] = { "{\"bits\": 10}", "{\"bits\": 14}", "{\"learning_rate\": \"0.003\"}", "{\"warm_steps\": 21}", "{\"steps\": 301}",
                                           "{\"batch\": 32}", "{\"context\": 32}" };
    hash256 first = tb_job_config_hash(&a.shape, &a.schedule, a.batch, a.steps);
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        assert_int_equal(parse(&b, changes[i], NULL), OK);
        hash256 other = tb_job_config_hash(&b.shape, &b.schedule, b.batch, b.steps);
        assert_false(hash256_equal(&first, &other));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(defaults), cmocka_unit_test(values), cmocka_unit_test(refused), cmocka_unit_test(config_hash) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
