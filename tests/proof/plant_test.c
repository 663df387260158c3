/* SPDX-License-Identifier: Apache-2.0
 *
 * A verifier in which a check is missing (plant.h): the driver of fuzz/proof.c finds a wrong proof that is accepted, and so does a prover
 * who lies; neither finds one where nothing is missing. */
#include "plant.h"
#include "prove/range_kit.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

int    LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed);

enum { INPUT_MAX = 64, INPUTS = 100, INPUTS_MAX = 10000 };

/* Inputs as the fuzzer makes them, from nothing. True: the driver aborted, as it does when it finds something; so it runs in a child. */
static bool finds(const char *check, unsigned inputs)
{
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        uint8_t input[INPUT_MAX] = { 0 };
        size_t  size = 0;
        planted.check = check;
        (void)close(STDERR_FILENO); /* what CHECK says */
        for (unsigned i = 0; i < inputs; i++) {
            size = LLVMFuzzerCustomMutator(input, i % 4 ? size : 0, sizeof input, i);
            LLVMFuzzerTestOneInput(input, size);
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
    assert_false(finds(NULL, INPUTS));
}

static void a_missing_check_is_found(void **state)
{
    (void)state;
    assert_true(finds("proximity", INPUTS_MAX));
    assert_true(finds("commitment", INPUTS_MAX));
    assert_true(finds("proof", INPUTS_MAX)); /* what it is called that bytes are left */
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

/* RANGE of an element inside its domain; and with an input that makes it fail. */
static void a_false_range_passes_where_its_check_is_missing(void **state)
{
    (void)state;
    step_kit k;
    size_t i = 0;
    while (range_cases[i].slot != NUM_QQ)
        i++;
    range_make(&k, &range_cases[i]);
    pf_check *c = &k.witness.rows.check;
    for (int input = 0; input < 2; input++) {
        buf proof;
        fault f = { 0 };
        const char *check = input ? "claims: features" : "range: the element is inside its domain";
        if (input) {
            assert_int_equal(pv_witness_finish(&k.witness, NULL), OK);
            c->values[0] ^= 1;
        } else {
            do
                k.subject.result.index++;
            while (pv_witness_finish(&k.witness, NULL) != OK || pf_rows_derive(&k.witness.rows, &k.witness.y, &k.subject, NULL) == OK);
        }
        k.witness.force = PV_FORCED;
        buf_init(&proof, (size_t)1 << 24);
        assert_int_equal(pv_prove(k.ws, &k.witness, &proof, NULL), OK);
        assert_int_equal(pf_verify(&k.subject, buf_bytes(&proof), NULL, &f), ERR_UNPROVED);
        assert_string_equal(f.what, check);
        planted.check = check;
        assert_int_equal(pf_verify(&k.subject, buf_bytes(&proof), NULL, &f), OK);
        planted.check = NULL;
        buf_deinit(&proof);
        k.subject.result.index = k.result.index;
    }
    kit_drop(&k);
}

/* Where nothing is committed one check alone says that the inputs are x_0: those of the row that fails, for another. */
static void another_rows_x_0_passes_where_its_check_is_missing(void **state)
{
    (void)state;
    step_kit k;
    buf proof;
    fault f = { 0 };
    int64_t values[16];
    range_make(&k, &range_cases[0]);
    pf_check *c = &k.witness.rows.check;
    assert_true(k.witness.y.tensor_count == 0 && c->count == COUNT_OF(values));
    memcpy(values, c->values, sizeof values);
    k.subject.result.index = (k.result.index + range_shape.width) % (range_shape.width * range_shape.context);
    assert_int_equal(pv_witness_finish(&k.witness, NULL), OK);
    memcpy(c->values, values, sizeof values);
    k.witness.force = PV_FORCED;
    buf_init(&proof, (size_t)1 << 16);
    assert_int_equal(pv_prove(k.ws, &k.witness, &proof, NULL), OK);
    assert_int_equal(pf_verify(&k.subject, buf_bytes(&proof), NULL, &f), ERR_UNPROVED);
    assert_string_equal(f.what, "range: x_0");
    planted.check = f.what;
    assert_int_equal(pf_verify(&k.subject, buf_bytes(&proof), NULL, &f), OK);
    planted.check = NULL;
    buf_deinit(&proof);
    kit_drop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(nothing_is_found_where_nothing_is_missing), cmocka_unit_test(a_missing_check_is_found),
                                        cmocka_unit_test(a_lie_passes_where_its_check_is_missing),
                                        cmocka_unit_test(a_false_range_passes_where_its_check_is_missing),
                                        cmocka_unit_test(another_rows_x_0_passes_where_its_check_is_missing) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
