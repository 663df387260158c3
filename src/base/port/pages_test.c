/* SPDX-License-Identifier: Apache-2.0 */
#include "base/port/pages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void aligned_and_usable(void **state)
{
    (void)state;
    const size_t sizes[] = { 1, 63, 64, 4097, (4 << 20) - 1, 4 << 20, (5 << 20) + 3 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint8_t *a = base_pages_alloc(sizes[i]);
        assert_non_null(a);
        assert_int_equal((uintptr_t)a % 64, 0);
        memset(a, 0xa5, sizes[i]);
        free(a); /* what comes next may be the same memory, and must be zero all the same */
        uint8_t *b = base_pages_zeroed(sizes[i]);
        assert_non_null(b);
        for (size_t k = 0; k < sizes[i]; k += 1 + k / 7)
            assert_int_equal(b[k], 0);
        assert_int_equal(b[sizes[i] - 1], 0);
        free(b);
    }
}

static void too_much_is_no_memory(void **state)
{
    (void)state;
    assert_null(base_pages_alloc(SIZE_MAX));
    assert_null(base_pages_zeroed(SIZE_MAX - (1 << 20)));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(aligned_and_usable), cmocka_unit_test(too_much_is_no_memory) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
