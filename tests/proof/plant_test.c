/* SPDX-License-Identifier: Apache-2.0
 *
 * The driver of fuzz/proof.c over a verifier in which a check is missing: it finds a wrong proof that is accepted, and none where nothing
 * is missing. The driver aborts when it finds one, so it runs in a child. */
#include "plant.h"
#include "proof/verify.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LIST = 255, FROM_END = 2, PLACES = 1024 };

static uint32_t draw(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33);
}

/* One byte changed, near the beginning of the opening (where its vectors are) or near its end (where the tree is). True: the driver aborted. */
static bool finds(uint8_t statement, uint8_t kind, const char *check)
{
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        uint64_t seed = 1;
        planted.check = check;
        (void)close(STDERR_FILENO); /* what CHECK says */
        for (int i = 0; i < 6; i++) {
            uint32_t at = draw(&seed) % PLACES;
            uint8_t  input[] = { statement, LIST, (uint8_t)(8 * PF_OF_OPENING + kind), (uint8_t)at, (uint8_t)(at >> 8), 0, (uint8_t)(1 + draw(&seed) % 255) };
            LLVMFuzzerTestOneInput(input, sizeof input);
        }
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status))
        assert_int_equal(WTERMSIG(status), SIGABRT);
    else
        assert_int_equal(WEXITSTATUS(status), 0);
    return WIFSIGNALED(status);
}

static void nothing_is_found_where_nothing_is_missing(void **state)
{
    (void)state;
    assert_false(finds(0, 0, NULL));
    assert_false(finds(1, FROM_END, NULL));
}

static void a_missing_check_is_found(void **state)
{
    (void)state;
    assert_true(finds(0, 0, "proximity"));
    assert_true(finds(1, FROM_END, "commitment"));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(nothing_is_found_where_nothing_is_missing), cmocka_unit_test(a_missing_check_is_found) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
