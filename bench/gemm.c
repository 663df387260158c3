/* SPDX-License-Identifier: Apache-2.0
 *
 * The exact integer product against sgemm of OpenBLAS: same shapes, same number of threads, alternating rounds in one process. Prints, per
 * shape, sgemm time / our time: the median and the spread (first and third quartile). Above 1 we are faster. "store" writes the int64
 * accumulators; "round" runs the rounding epilogue to int16. */
#include "base/err.h"
#include "torch/cpu.h"
#include "torch/kernels/gemm.h"
#include "torch/kernels/round.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 15, ROW_MAJOR = 101, NO_TRANS = 111, TRANS = 112, WIDTH = 12 };

/* OpenBLAS's threads spin for about 2^26 clock ticks after a call; ours must not have to share the cores with them. */
enum { REST_NS = 60 * 1000 * 1000 };
#define WARM_S 0.01

typedef void sgemm_fn(int order, int trans_a, int trans_b, int m, int n, int k, float alpha, const float *a, int lda, const float *b,
                      int ldb, float beta, float *c, int ldc);

typedef struct rival {
    sgemm_fn *sgemm;
    void (*set_threads)(int);
    char *(*corename)(void);
} rival;

typedef struct shape {
    const char *name;
    size_t      m, n, k;
    bool        a_transposed, b_transposed; /* stored k x m; stored n x k */
} shape;

/* One thread is timed by the processor time it got, so that other work on the machine does not count; several by the wall clock. */
static clockid_t clock_used;

static double now_s(void)
{
    struct timespec t;
    clock_gettime(clock_used, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The library is loaded at run time: the product does not depend on it. `core`: whose kernels to use; NULL: those that it picks itself. */
static bool rival_load(rival *r, const char *core)
{
    if (core)
        setenv("OPENBLAS_CORETYPE", core, 1);
    else
        unsetenv("OPENBLAS_CORETYPE");
    void *lib = dlopen("libopenblas.so.0", RTLD_NOW);
    if (!lib)
        return false;
    *(void **)&r->sgemm = dlsym(lib, "cblas_sgemm");
    *(void **)&r->set_threads = dlsym(lib, "openblas_set_num_threads");
    *(void **)&r->corename = dlsym(lib, "openblas_get_corename");
    return r->sgemm && r->set_threads && r->corename;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

typedef struct buffers {
    int16_t *a, *b, *q;
    int64_t *c;
    float   *fa, *fb, *fc;
} buffers;

static void *take(size_t bytes)
{
    void *p = aligned_alloc(64, (bytes + 63) / 64 * 64);
    CHECK(p);
    return p;
}

static buffers make_buffers(const shape *s)
{
    buffers  x = {.a = take(2 * s->m * s->k), .b = take(2 * s->k * s->n), .q = take(2 * s->m * s->n), .c = take(8 * s->m * s->n),
                  .fa = take(4 * s->m * s->k), .fb = take(4 * s->k * s->n), .fc = take(4 * s->m * s->n)};
    uint32_t z = 1;
    for (size_t i = 0; i < s->m * s->k; i++) {
        z = z * 1664525u + 1013904223u;
        x.fa[i] = x.a[i] = (int16_t)((int)(z >> 20) % 4095 - 2047);
    }
    for (size_t i = 0; i < s->k * s->n; i++) {
        z = z * 1664525u + 1013904223u;
        x.fb[i] = x.b[i] = (int16_t)((int)(z >> 20) % 4095 - 2047);
    }
    return x;
}

static void drop_buffers(buffers *x)
{
    void *all[] = {x->a, x->b, x->q, x->c, x->fa, x->fb, x->fc};
    for (size_t i = 0; i < COUNT_OF(all); i++)
        free(all[i]);
}

static double time_ours(bt_gemm_ws *ws, const shape *s, const buffers *x, bool rounded)
{
    bt_gemm_term term = {.k = s->k, .a_max = BT_WIDTH_MAX(WIDTH), .b_max = BT_WIDTH_MAX(WIDTH)};
    term.a = s->a_transposed ? (bt_gemm_view){x->a, 1, (ptrdiff_t)s->m} : (bt_gemm_view){x->a, (ptrdiff_t)s->k, 1};
    term.b = s->b_transposed ? (bt_gemm_view){x->b, 1, (ptrdiff_t)s->k} : (bt_gemm_view){x->b, (ptrdiff_t)s->n, 1};
    bt_round     round = {.mul = 1, .shift = 18, .limit = 32767, .clamp = 2047, .out16 = x->q, .out_ld = s->n, .n = s->n,
                          .bad = BT_ROUND_NONE};
    bt_gemm_plan plan = {.m = s->m, .n = s->n, .terms = &term, .n_terms = 1, .c = x->c, .ldc = s->n};
    if (rounded) {
        plan.epilogue = bt_round_tile;
        plan.ctx = &round;
    }
    double start = now_s();
    CHECK(bt_gemm_run(ws, &plan) == OK);
    return now_s() - start;
}

static double time_rival(const rival *r, const shape *s, const buffers *x)
{
    double start = now_s();
    r->sgemm(ROW_MAJOR, s->a_transposed ? TRANS : NO_TRANS, s->b_transposed ? TRANS : NO_TRANS, (int)s->m, (int)s->n, (int)s->k, 1.0f,
             x->fa, (int)(s->a_transposed ? s->m : s->k), x->fb, (int)(s->b_transposed ? s->k : s->n), 0.0f, x->fc, (int)s->n);
    return now_s() - start;
}

/* The time of one product with these kernels, in a process of its own, since the library reads the choice once; 0 if it cannot run them. */
static double time_kernels(const char *core)
{
    static const shape probe = {"", 512, 1024, 768, false, false};
    double             best = 0;
    int                ends[2];
    CHECK(pipe(ends) == 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        rival   r;
        buffers x = make_buffers(&probe);
        if (!rival_load(&r, core))
            _exit(1);
        r.set_threads(1);
        for (int i = 0; i < 8; i++) {
            double s = time_rival(&r, &probe, &x);
            best = i == 0 || s < best ? s : best;
        }
        _exit(write(ends[1], &best, sizeof best) == (ssize_t)sizeof best ? 0 : 1);
    }
    (void)close(ends[1]);
    if (read(ends[0], &best, sizeof best) != (ssize_t)sizeof best)
        best = 0;
    (void)close(ends[0]);
    (void)waitpid(child, NULL, 0);
    return best;
}

/* The rival at its best: under a hypervisor that does not name the processor, OpenBLAS may pick kernels five times slower than those it can run. */
static const char *fastest_kernels(void)
{
    static const char *const cores[] = {"Haswell", "SkylakeX", "Cooperlake", "Sapphirerapids", "Zen"};
    const char              *best = NULL;
    double                   least = time_kernels(NULL) / 1.05; /* within the noise: its own choice */
    for (size_t i = 0; i < COUNT_OF(cores); i++) {
        double s = time_kernels(cores[i]);
        if (s > 0 && s < least) {
            least = s;
            best = cores[i];
        }
    }
    return best;
}

typedef enum side { RIVAL, STORE, ROUND } side;

static double time_side(side which, const rival *r, bt_gemm_ws *ws, const shape *s, const buffers *x)
{
    return which == RIVAL ? time_rival(r, s, x) : time_ours(ws, s, x, which == ROUND);
}

/* One timed call, after untimed ones for WARM_S: a system that has just woken a thread may take milliseconds to give it a core of its own. */
static double time_warm(side which, const rival *r, bt_gemm_ws *ws, const shape *s, const buffers *x)
{
    for (double spent = 0; spent < WARM_S;)
        spent += time_side(which, r, ws, s, x);
    return time_side(which, r, ws, s, x);
}

static void report(const char *what, double *ratio)
{
    qsort(ratio, ROUNDS, sizeof *ratio, by_value);
    printf("  %s %.2f (%.2f..%.2f)", what, ratio[ROUNDS / 2], ratio[ROUNDS / 4], ratio[ROUNDS * 3 / 4]);
}

static void compare(const rival *r, bt_gemm_ws *ws, unsigned threads, const shape *s)
{
    buffers x = make_buffers(s);
    double  stored[ROUNDS], rounded[ROUNDS];
    r->set_threads((int)threads);
    for (int i = 0; i < ROUNDS; i++) {
        double rival_s = time_warm(RIVAL, r, ws, s, &x);
        if (threads > 1)
            nanosleep(&(struct timespec){.tv_nsec = REST_NS}, NULL);
        double store_s = time_warm(STORE, r, ws, s, &x), round_s = time_warm(ROUND, r, ws, s, &x);
        stored[i] = rival_s / store_s;
        rounded[i] = rival_s / round_s;
    }
    printf("%u thread%s  %-22s", threads, threads == 1 ? " " : "s", s->name);
    report("store", stored);
    report("round", rounded);
    printf("\n");
    drop_buffers(&x);
}

int main(void)
{
    static const shape shapes[] = {
        {"1024x768x768 y=xW", 1024, 768, 768, false, false},    {"1024x3072x768 h=xW", 1024, 3072, 768, false, false},
        {"1024x768x3072 y=hW", 1024, 768, 3072, false, false},  {"1024x768x768 dx=dyW'", 1024, 768, 768, false, true},
        {"1024x3072x768 dh=dyW'", 1024, 3072, 768, false, true}, {"768x768x1024 dW=x'dy", 768, 768, 1024, true, false},
        {"3072x768x2048 dW=h'dy", 3072, 768, 2048, true, false}, {"2048x128x128 small", 2048, 128, 128, false, false},
        {"256x256x64 scores", 256, 256, 64, false, true},
    };
    rival r;
    char  line[200];
    bt_cpu_describe(line, sizeof line);
    printf("ours: %s\n", line);
    clock_used = CLOCK_THREAD_CPUTIME_ID;
    if (!rival_load(&r, fastest_kernels())) {
        printf("SKIP gemm: OpenBLAS (libopenblas.so.0) is not on this machine\n");
        return 0;
    }
    printf("OpenBLAS kernel: %s\nsgemm time / ours, median (quartiles) of %d alternating rounds\n", r.corename(), ROUNDS);
    for (unsigned threads = 1; threads <= 2; threads++) {
        base_pool  *pool;
        bt_gemm_ws *ws;
        clock_used = threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;
        CHECK(base_pool_new(&pool, threads) == OK && bt_gemm_ws_new(&ws, pool, 3072) == OK);
        for (size_t i = 0; i < COUNT_OF(shapes); i++)
            compare(&r, ws, threads, &shapes[i]);
        bt_gemm_ws_free(ws);
        base_pool_free(pool);
    }
    return 0;
}
