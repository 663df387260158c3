/* SPDX-License-Identifier: Apache-2.0
 *
 * What a proof costs against the training step that it proves, on one thread: step, witness, proof and verification, by the clock.
 *
 *   bench_prove [--width N] [--layers N] [--heads N] [--context N] [--sequences N] [--vocab N] [--rounds N]
 *
 * As the other side of prove.py (--serve 1) it answers lines: `prove` with the nanoseconds of step, witness, proof and verification, then leaves,
 * cells and bytes of the proof and bits of soundness; `verify` with the nanoseconds of the verifier on the portable arithmetic and on the one
 * in use; `memory` with the peaks of a process that computes the step alone and of this one. */
#define _GNU_SOURCE
#include "prove/step_kit.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef struct times {
    uint64_t step, witness, proof, verify;
} times;

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint32_t option(int argc, char **argv, const char *name, uint32_t standard)
{
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return (uint32_t)strtoul(argv[i + 1], NULL, 10);
    return standard;
}

static void must(err e, const char *what)
{
    if (e == OK)
        return;
    fprintf(stderr, "bench_prove: %s: %s\n", what, err_describe(e)->text);
    exit(1);
}

static uint64_t peak_bytes(void)
{
    uint64_t kib = 0;
    char line[128];
    FILE *in = fopen("/proc/self/status", "r");
    while (in && fgets(line, sizeof line, in))
        if (sscanf(line, "VmHWM: %" SCNu64, &kib) == 1)
            break;
    if (in)
        fclose(in);
    return kib * 1024;
}

static void compute(step_kit *k)
{
    int64_t   loss;
    bt_result result;
    bt_batch  batch = { .job_id = k->subject.job_id, .step = k->subject.step, .count = k->subject.sequences, .sequences = k->numbers, .tokens = k->tokens };
    memset(k->gradient, 0, num_parameter_count(&k->subject.shape) * sizeof *k->gradient);
    must(bt_gpt_gradient(k->gpt, &k->model, &batch, k->gradient, &loss, &result, NULL, NULL, NULL), "step");
}

/* Of a process that computes a step and does nothing else. */
static uint64_t step_peak(const num_shape *shape, uint32_t sequences)
{
    int      ends[2];
    uint64_t peak = 0;
    if (pipe(ends) != 0)
        return 0;
    pid_t child = fork();
    if (child == 0) {
        step_kit k;
        kit_begin(&k, shape, sequences, 1);
        for (int i = 0; i < 2; i++)
            compute(&k);
        peak = peak_bytes();
        _exit(write(ends[1], &peak, sizeof peak) == (ssize_t)sizeof peak ? 0 : 1);
    }
    close(ends[1]);
    if (read(ends[0], &peak, sizeof peak) != (ssize_t)sizeof peak)
        peak = 0;
    close(ends[0]);
    waitpid(child, NULL, 0);
    return peak;
}

/* One round; the proof stays in `proof`. What it costs to take the trace is part of the witness, which is not there yet while the step runs alone. */
static times round_trip(step_kit *k, buf *proof, pf_report *report)
{
    pv_witness_deinit(&k->witness);
    uint64_t t0 = now();
    compute(k);
    uint64_t t1 = now();
    kit_compute(k, NULL);
    must(pv_witness_finish(&k->witness, NULL), "witness");
    uint64_t t2 = now(), step = t1 - t0, traced = t2 - t1;
    buf_clear(proof);
    must(pv_prove(k->ws, &k->witness, proof, NULL), "prove");
    uint64_t t3 = now();
    must(pf_verify(&k->subject, buf_bytes(proof), report, NULL), "verify");
    return (times){ step, traced > step ? traced - step : 0, t3 - t2, now() - t3 };
}

static uint64_t verify_time(const step_kit *k, const buf *proof)
{
    uint64_t start = now();
    must(pf_verify(&k->subject, buf_bytes(proof), NULL, NULL), "verify");
    return now() - start;
}

static void serve(step_kit *k, buf *proof, uint64_t alone)
{
    char line[32];
    pf_report report;
    puts("The Block");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        if (strcmp(line, "prove\n") == 0) {
            times t = round_trip(k, proof, &report);
            printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %zu %u\n", t.step, t.witness, t.proof, t.verify, report.leaves,
                   report.cells, proof->len, report.soundness.bits);
        } else if (strcmp(line, "verify\n") == 0) {
            fx_isa isa = fx_isa_in_use();
            fx_isa_use(FX_ISA_PORTABLE);
            uint64_t portable = verify_time(k, proof);
            fx_isa_use(isa);
            printf("%" PRIu64 " %" PRIu64 "\n", portable, verify_time(k, proof));
        } else {
            printf("%" PRIu64 " %" PRIu64 "\n", alone, peak_bytes());
        }
        fflush(stdout);
    }
}

static void print_round(const times *t, const pf_report *r)
{
    printf("step %.1f ms, witness %.1f ms, proof %.1f ms (%.2f of the step), verify %.1f ms; %" PRIu64 " leaves, %.1f ns a leaf; %" PRIu64 " cells; %" PRIu64 " bytes\n",
           (double)t->step / 1e6, (double)t->witness / 1e6, (double)t->proof / 1e6, (double)(t->witness + t->proof) / (double)t->step, (double)t->verify / 1e6,
           r->leaves, (double)t->proof / (double)r->leaves, r->cells, r->proof_bytes);
}

static void print_soundness(const pf_soundness *s)
{
    static const char *const names[PF_ERROR_TERMS] = { "lookups", "layers", "products", "claims", "proximity" };
    for (int t = 0; t < PF_ERROR_TERMS; t++)
        printf("soundness: %s %" PRIu64 " / |K|\n", names[t], (uint64_t)s->terms[t]);
    printf("soundness: %u bits (algebra %u, queries %u), proven bounds, no grinding\n", s->bits, s->algebraic_bits, s->query_bits);
}

/* A function of model and batch: whoever makes the prover faster sees here that the proof is the same. */
static void print_hash(const buf *proof)
{
    const hash256 hash = cr_blake3_hash(buf_bytes(proof));
    printf("BLAKE3 of the proof ");
    for (size_t i = 0; i < sizeof hash.b; i++)
        printf("%02x", hash.b[i]);
    printf("\n");
}

int main(int argc, char **argv)
{
    const num_shape shape = { option(argc, argv, "--vocab", 73), option(argc, argv, "--context", 64), option(argc, argv, "--width", 64),
                              option(argc, argv, "--layers", 2), option(argc, argv, "--heads", 2), 12, NUM_NARROW };
    uint32_t sequences = option(argc, argv, "--sequences", 4), rounds = option(argc, argv, "--rounds", 3);
    bool     serves = option(argc, argv, "--serve", 0) != 0;
    uint64_t alone = serves ? step_peak(&shape, sequences) : 0;
    step_kit k;
    buf      proof;
    kit_make(&k, &shape, sequences, 1, NULL);
    buf_init(&proof, (size_t)1 << 32);
    if (serves)
        serve(&k, &proof, alone);
    for (uint32_t i = 0; !serves && i < rounds; i++) {
        pf_report report;
        times t = round_trip(&k, &proof, &report);
        print_round(&t, &report);
        if (i == 0)
            print_hash(&proof);
        if (i == 0)
            print_soundness(&report.soundness);
    }
    buf_deinit(&proof);
    kit_drop(&k);
    return 0;
}
