/* SPDX-License-Identifier: Apache-2.0
 *
 * Malicious provers. */
#include "prove/step_kit.h"

#include "numerics/trace.h"

/* One element of one operation's output is wrong by one, and everything after it is consistent with that. */
static void lies(void **state)
{
    (void)state;
    const num_shape shape = { 20, 8, 16, 2, 2, 12, NUM_NARROW };
    step_kit k;
    kit_make(&k, &shape, 2, 1, NULL);
    const size_t bytes_n = num_parameter_count(&shape) * sizeof *k.gradient;
    const int64_t loss = k.subject.loss;
    int64_t *honest = malloc(bytes_n);
    memcpy(honest, k.gradient, bytes_n);
    for (uint32_t t = 0; t < num_trace_count(&shape); t++) {
        num_trace_tensor x = num_trace_at(&shape, t);
        uint32_t slot = x.id % 64;
        buf proof;
        fault f = { 0 };
        /* Row-major; in attention tensors row 5 of the first head has elements 0 .. 5. */
        uint64_t index = x.cols == 1 ? 5 : 5 * (uint64_t)x.cols + 3;
        kit_lie(&k, x.id, k.numbers[1], index, 1);
        buf_init(&proof, (size_t)1 << 30);
        assert_int_equal(pv_prove(k.ws, &k.witness, &proof, &f), OK);
        err e = pf_verify(&k.subject, buf_bytes(&proof), NULL, &f);
        /* Derived row scalars are traced as copies: altering them alters nothing. */
        bool harmless = memcmp(k.gradient, honest, bytes_n) == 0 && k.subject.loss == loss;
        bool copy = slot == NUM_R1 || slot == NUM_R2 || slot == NUM_RSUM || slot == NUM_RL || slot == NUM_LOSS || slot == NUM_M1 || slot == NUM_M2;
        if (e != (copy && harmless ? OK : ERR_UNPROVED))
            fail_msg("layer %u slot %u: %s %s", x.id / 64, slot, err_describe(e)->name, f.what);
        buf_deinit(&proof);
    }
    free(honest);
    kit_drop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(lies) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
