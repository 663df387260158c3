/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernels of src/field/vec.h, portable against the best instruction set of this machine: ns per element (one thread, processor time, least of several
 * runs) and the ratio. Elements of rounds and folds are those of the arrays before the fold. Arguments: part of a kernel's name; anything more: without portable. */
#include "field/vec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LEAST_S 0.005 /* of a run */
enum { RUNS = 5 };

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static uint64_t seed = 1;

static uint64_t random_u64(void)
{
    uint64_t z = (seed += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static fx random_fx(void)
{
    return (fx){ { random_u64() % FP_P, random_u64() % FP_P, random_u64() % FP_P } };
}

static fxv *random_vector(size_t n)
{
    fxv *a = fxv_alloc(n);
    CHECK(a);
    for (size_t i = 0; i < n; i++)
        fxv_set(a, i, random_fx());
    return a;
}

static fx_fractions *random_fractions(size_t n)
{
    return (fx_fractions *)random_vector(2 * n); /* n a multiple of eight */
}

/* What the kernels work on; n is 2^log elements, a matrix has rows x cols. */
typedef struct data {
    unsigned      log;
    size_t        n, rows, cols;
    fxv          *a, *b;
    fx_fractions *f, *g;
    void         *ints;
    fp           *code;
    fx            r, s;
    fx            point[32];
    fxv          *lo, *hi;
    size_t        lo_n;
} data;

static data make(unsigned log)
{
    data d = { .log = log, .n = (size_t)1 << log, .r = random_fx(), .s = random_fx() };
    d.a = random_vector(d.n), d.b = random_vector(d.n);
    d.f = random_fractions(d.n), d.g = random_fractions(d.n);
    d.ints = malloc(8 * d.n);
    d.code = aligned_alloc(64, FP_RS_ROWS * sizeof(fp) * d.n);
    CHECK(d.ints && d.code);
    for (size_t i = 0; i < FP_RS_ROWS * d.n; i++)
        d.code[i] = random_u64() % FP_P;
    for (unsigned i = 0; i < 32; i++)
        d.point[i] = random_fx();
    d.lo_n = d.n < 1024 ? d.n / 2 : 512;
    d.lo = random_vector(d.lo_n), d.hi = random_vector(d.n / d.lo_n);
    d.rows = (size_t)1 << (log / 2), d.cols = d.n / d.rows;
    return d;
}

static void release(data *d)
{
    free(d->a), free(d->b), free(d->f), free(d->g), free(d->ints), free(d->code), free(d->lo), free(d->hi);
}

typedef struct kernel {
    const char *name;
    void (*run)(data *d, unsigned bytes);
    unsigned bytes;  /* of integers */
    size_t   spread; /* elements are n times this */
} kernel;

static fx sink[2];

static void fill_ints(data *d, unsigned bytes)
{
    for (size_t i = 0; i < d->n; i++)
        if (bytes == 2)
            ((int16_t *)d->ints)[i] = (int16_t)random_u64();
        else if (bytes == 4)
            ((int32_t *)d->ints)[i] = (int32_t)random_u64();
        else
            ((int64_t *)d->ints)[i] = (int64_t)(random_u64() % FP_P) - (int64_t)(FP_P / 2);
}

static void run_eq(data *d, unsigned bytes) { (void)bytes; fxv_eq(d->a, d->point, d->log, d->s); }
static void run_dot(data *d, unsigned bytes) { (void)bytes; sink[0] = fxv_dot(d->a, d->b, d->n); }
static void run_add_scaled(data *d, unsigned bytes) { (void)bytes; fxv_add_scaled(d->a, d->b, d->s, d->n); }
static void run_scale(data *d, unsigned bytes) { (void)bytes; fxv_scale(d->a, d->s, d->n); }
static void run_mul(data *d, unsigned bytes) { (void)bytes; fxv_mul(d->a, d->b, d->n); }
static void run_fold(data *d, unsigned bytes) { (void)bytes; fxv_fold(d->a, d->n / 2, d->r); }
static void run_round(data *d, unsigned bytes) { (void)bytes; fxv_round(sink, d->a, d->b, d->n / 2); }
static void run_fold_round(data *d, unsigned bytes) { (void)bytes; fxv_fold_round(sink, d->a, d->b, d->n / 2, d->r); }
static void run_up(data *d, unsigned bytes) { (void)bytes; fxv_fractions_up(d->g, d->f, d->n / 2); }

static void run_f_fold_round(data *d, unsigned bytes)
{
    (void)bytes;
    fxv_fractions_fold_round(sink, d->f, d->g, d->n / 2, d->r, d->lo, d->lo_n < d->n / 4 ? d->lo_n : d->n / 4, d->hi);
}

static void run_f_absorb_round(data *d, unsigned bytes)
{
    (void)bytes;
    fxv_fractions_absorb_round(sink, d->f, d->g, d->n / 2, d->s, d->lo, d->lo_n, d->hi);
}

static void run_eq_fold_round(data *d, unsigned bytes)
{
    (void)bytes;
    fxv_eq_fold_round(sink, d->a, d->b, d->n / 2, d->r, d->lo, d->lo_n < d->n / 4 ? d->lo_n : d->n / 4, d->hi);
}

static void run_leaf_up(data *d, unsigned bytes)
{
    (void)bytes;
    fxv_leaf_up(d->f, d->ints, (const int32_t *)d->ints + d->n / 2, d->n / 2, d->r, d->s);
}


static void run_rows(data *d, unsigned bytes)
{
    const fx_ints m = { d->ints, d->rows, d->cols, d->cols, bytes };
    fxv_rows(d->a, &m, d->b);
}

static void run_cols(data *d, unsigned bytes)
{
    const fx_ints m = { d->ints, d->rows, d->cols, d->cols, bytes };
    fxv_cols(d->a, &m, d->b);
}

static void run_from_ints(data *d, unsigned bytes) { fxv_from_ints(d->a, d->ints, bytes, d->n, d->s); }
static void run_parity(data *d, unsigned bytes) { (void)bytes; fp_rs_parity(d->code, d->code, d->log); }
static void run_parity_rows(data *d, unsigned bytes) { (void)bytes; fp_rs_parity_rows(d->code, d->code, d->log); }

static const kernel kernels[] = {
    { "fractions_up (per input)", run_up, 0, 1 },
    { "fractions_fold_round (per fraction)", run_f_fold_round, 0, 2 },
    { "fractions_absorb_round", run_f_absorb_round, 0, 2 },
    { "eq_fold_round (per pair)", run_eq_fold_round, 0, 1 },
    { "leaf_up (per leaf)", run_leaf_up, 0, 1 },
    { "rows int16", run_rows, 2, 1 },
    { "rows int32", run_rows, 4, 1 },
    { "rows int64", run_rows, 8, 1 },
    { "cols int16", run_cols, 2, 1 },
    { "cols int32", run_cols, 4, 1 },
    { "cols int64", run_cols, 8, 1 },
    { "rs_parity_rows (per symbol)", run_parity_rows, 0, FP_RS_ROWS },
    { "rs_parity", run_parity, 0, 1 },
    { "fold_round (per pair)", run_fold_round, 0, 1 },
    { "round (per pair)", run_round, 0, 1 },
    { "fold", run_fold, 0, 1 },
    { "eq", run_eq, 0, 1 },
    { "from_ints int16", run_from_ints, 2, 1 },
    { "from_ints int32", run_from_ints, 4, 1 },
    { "dot", run_dot, 0, 1 },
    { "add_scaled", run_add_scaled, 0, 1 },
    { "scale", run_scale, 0, 1 },
    { "mul", run_mul, 0, 1 },
};

/* ns per element. */
static double time_of(const kernel *k, data *d)
{
    size_t times = 1;
    double best = 0;
    for (int run = 0; run < RUNS;) {
        double t = now_s();
        for (size_t i = 0; i < times; i++)
            k->run(d, k->bytes);
        t = now_s() - t;
        if (run == 0 && t < LEAST_S) {
            times *= 2;
            continue;
        }
        t *= 1e9 / (double)times / (double)d->n / (double)k->spread;
        if (run == 0 || t < best)
            best = t;
        run++;
    }
    return best;
}

int main(int argc, char **argv)
{
    static const char *const names[FX_ISA_COUNT] = { "portable", "avx2", "avx512ifma" };
    const fx_isa best = fx_isa_in_use();
    for (unsigned log = 10; log <= 18; log += 4) {
        data d = make(log);
        printf("2^%u elements %29s %10s %8s\n", log, "portable", names[best], "ratio");
        for (size_t i = 0; i < COUNT_OF(kernels); i++) {
            if (argc > 1 && !strstr(kernels[i].name, argv[1]))
                continue;
            if (kernels[i].bytes)
                fill_ints(&d, kernels[i].bytes);
            if (kernels[i].run == run_leaf_up)
                for (size_t j = 0; j < d.n; j++)
                    ((int32_t *)d.ints)[j] = (int32_t)(random_u64() >> 48);
            fx_isa_use(FX_ISA_PORTABLE);
            double slow = argc > 2 ? 0 : time_of(&kernels[i], &d);
            fx_isa_use(best);
            double fast = time_of(&kernels[i], &d);
            printf("%-34s %8.3f %10.3f %8.1f\n", kernels[i].name, slow, fast, slow / fast);
        }
        release(&d);
    }
    return 0;
}
