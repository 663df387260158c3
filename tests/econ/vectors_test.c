/* SPDX-License-Identifier: Apache-2.0
 *
 * The laws against spec/vectors/economy.json, which the Python reference wrote: every law has its cases, every case its answer. */
#include "laws.h"

#include "base/err.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static json_t *root;

static void each_case_has_its_answer(void **state)
{
    (void)state;
    static char line[LAWS_LINE_MAX], out[LAWS_LINE_MAX];
    size_t i, k, refused = 0, count = 0;
    json_t *row, *one;
    json_array_foreach(json_object_get(root, "laws"), i, row) {
        const char *law = json_string_value(json_object_get(row, "law"));
        json_array_foreach(json_object_get(row, "cases"), k, one) {
            const char *want = json_string_value(json_object_get(one, "out"));
            const int n = snprintf(line, sizeof line, "%s %s", law, json_string_value(json_object_get(one, "in")));
            assert_true(n > 0 && (size_t)n < sizeof line);
            if (!laws_answer(out, line))
                fail_msg("not a question: %s", line);
            if (strcmp(out, want) != 0)
                fail_msg("%s\n  gives %s\n  not   %s", line, out, want);
            count++;
            refused += want[0] >= 'A' && want[0] <= 'Z';
        }
    }
    print_message("%zu cases, %zu of them refusals\n", count, refused);
    assert_true(refused > 0 && refused < count / 2);
}

static void each_law_has_cases(void **state)
{
    (void)state;
    json_t *rows = json_object_get(root, "laws");
    size_t n = 0;
    for (; laws_name(n); n++) {
        json_t *row = json_array_get(rows, n);
        assert_non_null(row);
        assert_string_equal(json_string_value(json_object_get(row, "law")), laws_name(n));
        assert_true(json_array_size(json_object_get(row, "cases")) >= 20);
    }
    assert_int_equal(json_array_size(rows), n);
}

static int load(void **state)
{
    (void)state;
    json_error_t error;
    root = json_load_file(TB_SOURCE_DIR "/spec/vectors/economy.json", 0, &error);
    return root ? 0 : -1;
}

static int unload(void **state)
{
    (void)state;
    json_decref(root);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(each_law_has_cases), cmocka_unit_test(each_case_has_its_answer) };
    return cmocka_run_group_tests(tests, load, unload);
}
