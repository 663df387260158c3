/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void rows_are_unique_and_complete(void **state)
{
    (void)state;
    size_t n = 0;
    for (const err_row *a; (a = err_row_at(n)); n++) {
        assert_true(a->code > 0);
        assert_true(a->exit_code >= 1 && (a->exit_code <= 9 || a->exit_code == 130));
        assert_true(strlen(a->text) > 0);
        assert_ptr_equal(err_describe(a->code), a);
        for (size_t k = 0; k < n; k++) {
            assert_int_not_equal(err_row_at(k)->code, a->code);
            assert_string_not_equal(err_row_at(k)->name, a->name);
        }
    }
    assert_true(n > 40);
    assert_null(err_row_at(n));
    assert_string_equal(err_describe(OK)->name, "OK");
    assert_int_equal(err_describe(OK)->exit_code, 0);
    assert_string_equal(err_describe((err)99999)->name, "INTERNAL");
}

/* In parentheses: cmocka has a macro of that name. */
static void fail_fills_the_fault(void **state)
{
    (void)state;
    fault f = { 0 };
    assert_int_equal((fail)(&f, ERR_RANGE, "lease.step", 9), ERR_RANGE);
    assert_int_equal(f.code, ERR_RANGE);
    assert_string_equal(f.what, "lease.step");
    assert_int_equal(f.at, 9);
    assert_int_equal((fail)(NULL, ERR_IO, "x", 0), ERR_IO);
}

static err try_twice(err first, err second, int *reached)
{
    TRY(first);
    *reached = 1;
    TRY(second);
    *reached = 2;
    return OK;
}

static err try_out(err first, int *cleaned)
{
    err e = OK;
    TRY_OUT(first);
out:
    *cleaned = 1;
    return e;
}

static void try_passes_the_first_error(void **state)
{
    (void)state;
    int reached = 0, cleaned = 0;
    assert_int_equal(try_twice(ERR_IO, OK, &reached), ERR_IO);
    assert_int_equal(reached, 0);
    assert_int_equal(try_twice(OK, ERR_RANGE, &reached), ERR_RANGE);
    assert_int_equal(reached, 1);
    assert_int_equal(try_twice(OK, OK, &reached), OK);
    assert_int_equal(reached, 2);
    assert_int_equal(try_out(ERR_MEMORY, &cleaned), ERR_MEMORY);
    assert_int_equal(cleaned, 1);
}

/* CHECK is on in every build: it aborts and prints the condition. */
static void check_aborts_with_its_text(void **state)
{
    (void)state;
    int pipe_fds[2];
    assert_int_equal(pipe(pipe_fds), 0);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(pipe_fds[1], 2);
        volatile int one = 1;
        CHECK(one == 1);
        CHECK(one == 2);
        _exit(0);
    }
    close(pipe_fds[1]);
    char text[256] = { 0 };
    assert_true(read(pipe_fds[0], text, sizeof text - 1) > 0);
    close(pipe_fds[0]);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(text, "broken invariant: one == 2"));
    assert_non_null(strstr(text, "err_test.c:"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_unique_and_complete),
        cmocka_unit_test(fail_fills_the_fault),
        cmocka_unit_test(try_passes_the_first_error),
        cmocka_unit_test(check_aborts_with_its_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
