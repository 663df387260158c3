/* SPDX-License-Identifier: Apache-2.0
 *
 * Same bits everywhere (DESIGN 2.1): the state id after 20 steps does not depend on the instruction set, the number of threads or how a
 * batch is split. Every combination at width 32; one axis at a time at width 128 (argument "wide"). */
#include "steps.h"

#include "torch/cpu.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static const unsigned threads[] = { 1, 2, 7 };
static const uint32_t splits[] = { 1, 2, 4, 16 };

static void must_equal(const hash256 *expected, const bits_model *model, bits_setting s)
{
    fault f = { .what = "" };
    hash256 id;
    err e = bits_state_id(&id, model, &s, &f);
    if (e == ERR_UNSUPPORTED) {
        print_message("SKIP %s: this processor does not have it\n", s.isa);
        return;
    }
    if (e != OK)
        fail_msg("%s, %u threads, split %u: %s: %s", s.isa, s.threads, s.split, f.what, err_describe(e)->text);
    if (!hash256_equal(&id, expected))
        fail_msg("width %u: %s, %u threads, split %u: another state id", model->shape.width, s.isa, s.threads, s.split);
}

static hash256 baseline(const bits_model *model)
{
    const bits_setting plain = { .isa = NULL, .threads = 1, .split = 1 };
    fault f = { .what = "" };
    hash256 id;
    if (bits_state_id(&id, model, &plain, &f) != OK)
        fail_msg("baseline: %s", f.what);
    return id;
}

static void test_narrow(void **state)
{
    (void)state;
    hash256 id = baseline(&bits_narrow);
    for (size_t i = 0; bt_cpu_name_at(i); i++)
        for (size_t t = 0; t < COUNT_OF(threads); t++)
            for (size_t s = 0; s < COUNT_OF(splits); s++)
                must_equal(&id, &bits_narrow, (bits_setting){ bt_cpu_name_at(i), threads[t], splits[s] });
}

static void test_wide(void **state)
{
    (void)state;
    hash256 id = baseline(&bits_wide);
    for (size_t i = 0; bt_cpu_name_at(i); i++)
        must_equal(&id, &bits_wide, (bits_setting){ bt_cpu_name_at(i), 1, 1 });
    for (size_t t = 1; t < COUNT_OF(threads); t++)
        must_equal(&id, &bits_wide, (bits_setting){ NULL, threads[t], 1 });
    for (size_t s = 1; s < COUNT_OF(splits); s++)
        must_equal(&id, &bits_wide, (bits_setting){ NULL, 1, splits[s] });
}

/* The comparison is worth something only if a state id sees a difference. */
static void test_sees_difference(void **state)
{
    (void)state;
    bits_model other = bits_tiny;
    other.steps++;
    hash256 a = baseline(&bits_tiny), b = baseline(&other);
    assert_false(hash256_equal(&a, &b));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest narrow[] = { cmocka_unit_test(test_sees_difference), cmocka_unit_test(test_narrow) };
    const struct CMUnitTest wide[] = { cmocka_unit_test(test_wide) };
    if (argc == 2 && strcmp(argv[1], "wide") == 0)
        return cmocka_run_group_tests(wide, NULL, NULL);
    return cmocka_run_group_tests(narrow, NULL, NULL);
}
