/* SPDX-License-Identifier: Apache-2.0
 *
 * What a proof costs against the training step that it proves: processor time of one thread for step, witness, proof (by phase) and verification.
 *
 *   bench_prove [--width N] [--layers N] [--heads N] [--context N] [--sequences N] [--vocab N] [--rounds N] */
#define _GNU_SOURCE
#include "prove/step_kit.h"

#include <stdio.h>
#include <time.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static uint32_t option(int argc, char **argv, const char *name, uint32_t standard)
{
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return (uint32_t)strtoul(argv[i + 1], NULL, 10);
    return standard;
}

int main(int argc, char **argv)
{
    const num_shape shape = { option(argc, argv, "--vocab", 73), option(argc, argv, "--context", 64), option(argc, argv, "--width", 64),
                              option(argc, argv, "--layers", 2), option(argc, argv, "--heads", 2), 12, NUM_NARROW };
    uint32_t sequences = option(argc, argv, "--sequences", 4), rounds = option(argc, argv, "--rounds", 3);
    step_kit k;
    kit_make(&k, &shape, sequences, 1, NULL);
    for (uint32_t i = 0; i < rounds; i++) {
        bt_batch batch = { .job_id = k.subject.job_id, .step = k.subject.step, .count = sequences, .sequences = k.numbers, .tokens = k.tokens };
        int64_t *gradient = calloc(num_parameter_count(&shape), sizeof *gradient), loss;
        bt_result result;
        double t0 = now();
        if (bt_gpt_gradient(k.gpt, &k.model, &batch, gradient, &loss, &result, NULL, NULL, NULL) != OK)
            return 1;
        double t1 = now();
        free(gradient);
        k.witness.rows.exception_count = 0;
        if (pv_witness_finish(&k.witness, NULL) != OK)
            return 1;
        double t2 = now();
        buf proof;
        pf_report report;
        fault f;
        buf_init(&proof, (size_t)1 << 32);
        if (pv_prove(k.ws, &k.witness, &proof, &f) != OK)
            return 1;
        double t3 = now();
        if (pf_verify(&k.subject, buf_bytes(&proof), &report, &f) != OK)
            return 1;
        double t4 = now();
        printf("step %.1f ms, witness %.1f ms, proof %.1f ms (%.2f of the step), verify %.1f ms; %llu leaves, %.1f ns a leaf; %llu cells; %zu bytes\n",
               (t1 - t0) * 1e3, (t2 - t1) * 1e3, (t3 - t2) * 1e3, (t3 - t1) / (t1 - t0), (t4 - t3) * 1e3, (unsigned long long)report.leaves,
               (t3 - t2) * 1e9 / (double)report.leaves, (unsigned long long)report.cells, proof.len);
        static const char *const names[PF_ERROR_TERMS] = { "lookups", "layers", "products", "claims", "proximity" };
        for (int t = 0; i == 0 && t < PF_ERROR_TERMS; t++)
            printf("soundness: %s %llu / |K|\n", names[t], (unsigned long long)report.soundness.terms[t]);
        if (i == 0)
            printf("soundness: %u bits (algebra %u, queries %u), proven bounds, no grinding\n", report.soundness.bits, report.soundness.algebraic_bits,
                   report.soundness.query_bits);
        buf_deinit(&proof);
    }
    kit_drop(&k);
    return 0;
}
