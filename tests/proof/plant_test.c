/* SPDX-License-Identifier: Apache-2.0
 *
 * A verifier in which a check is missing (plant.h): the driver of fuzz/proof.c finds a wrong proof that is accepted, and so does a prover
 * who lies; neither finds one where nothing is missing. */
#include "plant.h"
#include "prove/step_kit.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LIST = 255, FROM_END = 2, PLACES = 1024 };

static uint32_t draw(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33);
}

/* One byte changed, near the beginning of the opening (where its vectors are) or near its end (where the tree is). True: the driver aborted,
 * as it does when it finds something; so it runs in a child. */
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

/* One element altered where it is computed, and everything after it computed from that: one check alone says so. */
static void a_lie_passes_where_its_check_is_missing(void **state)
{
    (void)state;
    const struct { uint32_t slot; const char *check; } cases[] = {
        { NUM_X, "claims: tokens" }, { NUM_QQ, "claims: features" }, { NUM_DH, "claims: features" }, { NUM_CC, "product: c" },
    };
    step_kit k;
    kit_make(&k, &(num_shape){ 7, 3, 15, 1, 3, 12, NUM_NARROW }, 1, 1, NULL);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        buf proof;
        fault f = { 0 };
        kit_lie(&k, NUM_TENSOR_ID(0, cases[i].slot), k.numbers[0], 2, 1);
        buf_init(&proof, (size_t)1 << 24);
        assert_int_equal(pv_prove(k.ws, &k.witness, &proof, NULL), OK);
        assert_int_equal(pf_verify(&k.subject, buf_bytes(&proof), NULL, &f), ERR_UNPROVED);
        assert_string_equal(f.what, cases[i].check);
        planted.check = cases[i].check;
        assert_int_equal(pf_verify(&k.subject, buf_bytes(&proof), NULL, &f), OK);
        planted.check = NULL;
        buf_deinit(&proof);
    }
    kit_drop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(nothing_is_found_where_nothing_is_missing), cmocka_unit_test(a_missing_check_is_found),
                                        cmocka_unit_test(a_lie_passes_where_its_check_is_missing) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
