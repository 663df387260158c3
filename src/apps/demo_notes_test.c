/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/demo_notes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* More leases than any table of fixed size had room for: each keeps its own note. */
static void every_lease(void **state)
{
    (void)state;
    enum { LEASES = 70000, WINDOW = 12 };
    demo_notes n = { 0 };
    for (uint64_t id = 1; id <= LEASES + WINDOW; id++) {
        if (id <= LEASES)
            demo_notes_set(&n, id, id % 4 == 0 ? DEMO_SAMPLED : DEMO_PAID);
        if (id > WINDOW)
            demo_notes_set(&n, id - WINDOW, DEMO_PAID);
    }
    assert_true(n.count == LEASES && !n.incomplete);
    for (size_t i = 0; i < n.count; i++) {
        assert_true(n.list[i].id == i + 1);
        assert_int_equal(n.list[i].flags, (i + 1) % 4 == 0 ? DEMO_SAMPLED | DEMO_PAID : DEMO_PAID);
    }
    demo_notes_deinit(&n);
    assert_null(n.list);
    static const uint64_t mixed[] = { 5, 3, 9, 3, 1, 9 }; /* answers come in any order */
    for (size_t i = 0; i < sizeof mixed / sizeof mixed[0]; i++)
        demo_notes_set(&n, mixed[i], i < 3 ? DEMO_SAMPLED : DEMO_EXECUTED);
    static const demo_note want[] = { { 1, DEMO_EXECUTED }, { 3, DEMO_SAMPLED | DEMO_EXECUTED }, { 5, DEMO_SAMPLED }, { 9, DEMO_SAMPLED | DEMO_EXECUTED } };
    assert_int_equal(n.count, 4);
    for (size_t i = 0; i < n.count; i++)
        assert_true(n.list[i].id == want[i].id && n.list[i].flags == want[i].flags);
    demo_notes_deinit(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(every_lease) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
