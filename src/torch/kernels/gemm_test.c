/* SPDX-License-Identifier: Apache-2.0
 *
 * Every kernel of this processor against a naive 128-bit sum. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/int.h"
#include "torch/cpu.h"
#include "torch/kernels/gemm.h"

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t rng_state;

static uint64_t rng(void) /* splitmix64 */
{
    uint64_t z = (rng_state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static size_t below(size_t n)
{
    return (size_t)(rng() % n);
}

typedef enum fill { FILL_RANDOM, FILL_TOP, FILL_SIGNS } fill; /* anything; all +max; +max or -max */

/* rows x cols values in one of four layouts: transposed or not, mirrored or not, with gaps. */
static bt_gemm_view make_view(int16_t **memory, size_t rows, size_t cols, int32_t max, fill how)
{
    bool      transposed = rng() & 1, mirrored = rng() % 4 == 0;
    size_t    gap = below(3), step = rng() % 4 == 0 ? 2 : 1;
    size_t    inner = transposed ? rows : cols, outer = transposed ? cols : rows;
    size_t    pitch = inner * step + gap, count = outer * pitch + 1;
    int16_t  *p = malloc(count * sizeof *p);
    ptrdiff_t near = (ptrdiff_t)step, far = (ptrdiff_t)pitch;
    assert_non_null(p);
    *memory = p;
    for (size_t i = 0; i < count; i++) {
        int64_t q = how == FILL_TOP ? max : how == FILL_SIGNS ? (rng() & 1 ? max : -max)
                                                              : (int64_t)(rng() % (2 * (uint64_t)max + 1)) - max;
        p[i] = (int16_t)q;
    }
    if (mirrored && outer > 0) {
        p += (outer - 1) * pitch;
        far = -far;
    }
    return transposed ? (bt_gemm_view){p, near, far} : (bt_gemm_view){p, far, near};
}

static int64_t at(const bt_gemm_view *v, size_t r, size_t c)
{
    return v->p[(ptrdiff_t)r * v->row + (ptrdiff_t)c * v->col];
}

static int64_t oracle(const bt_gemm_plan *plan, size_t i, size_t j)
{
    i128 sum = 0;
    for (size_t t = 0; t < plan->n_terms; t++) {
        const bt_gemm_term *term = &plan->terms[t];
        i128                product = 0;
        for (size_t k = 0; k < term->k; k++)
            product += at(&term->a, i, k) * at(&term->b, k, j);
        sum += product * ((i128)1 << term->shift);
    }
    return (int64_t)sum;
}

/* Collects the tiles and counts how often each element was handed over. */
typedef struct collect {
    pthread_mutex_t lock;
    int64_t        *acc;
    uint8_t        *seen;
    size_t          m, n;
    bool            inside;
} collect;

static void collect_tile(void *ctx, const int64_t *acc, size_t ld, size_t i0, size_t ni, size_t j0, size_t nj)
{
    collect *c = ctx;
    pthread_mutex_lock(&c->lock);
    c->inside = c->inside && i0 + ni <= c->m && j0 + nj <= c->n && ni <= BT_GEMM_TILE_ROWS && nj <= BT_GEMM_TILE_COLS && nj <= ld;
    for (size_t i = 0; c->inside && i < ni; i++)
        for (size_t j = 0; j < nj; j++) {
            c->acc[(i0 + i) * c->n + j0 + j] = acc[i * ld + j];
            c->seen[(i0 + i) * c->n + j0 + j]++;
        }
    pthread_mutex_unlock(&c->lock);
}

/* Runs the plan all three ways: stored, added, by tiles. The guard columns of C must survive. */
static void check_plan(bt_gemm_ws *ws, bt_gemm_plan plan)
{
    enum { GUARD = 3 };
    size_t   m = plan.m, n = plan.n, ld = n + GUARD;
    int64_t *want = malloc((m * n + 1) * sizeof *want), *c = malloc((m * ld + 1) * sizeof *c);
    collect  all = {.lock = PTHREAD_MUTEX_INITIALIZER, .acc = malloc((m * n + 1) * sizeof *all.acc), .seen = calloc(m * n + 1, 1),
                    .m = m, .n = n, .inside = true};
    assert_true(want && c && all.acc && all.seen);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            want[i * n + j] = oracle(&plan, i, j);
    for (size_t i = 0; i < m * ld; i++)
        c[i] = 77;
    plan.c = c;
    plan.ldc = ld;
    for (int64_t round = 1; round <= 2; round++) {
        plan.accumulate = round == 2;
        assert_int_equal(bt_gemm_run(ws, &plan), OK);
        for (size_t i = 0; i < m; i++) {
            for (size_t j = 0; j < n; j++)
                if (c[i * ld + j] != round * want[i * n + j])
                    fail_msg("%s: c[%zu,%zu] of %zu x %zu", bt_cpu_kernels()->name, i, j, m, n);
            for (size_t j = n; j < ld; j++)
                assert_int_equal(c[i * ld + j], 77);
        }
    }
    plan.c = NULL;
    plan.epilogue = collect_tile;
    plan.ctx = &all;
    assert_int_equal(bt_gemm_run(ws, &plan), OK);
    assert_true(all.inside);
    for (size_t i = 0; i < m * n; i++)
        if (all.seen[i] != 1 || all.acc[i] != want[i])
            fail_msg("%s: tile element %zu of %zu x %zu", bt_cpu_kernels()->name, i, m, n);
    free(want);
    free(c);
    free(all.acc);
    free(all.seen);
}

/* One random product of the given sizes, `n_terms` terms of k, k + 1, ... */
static void check_product(bt_gemm_ws *ws, size_t m, size_t n, size_t k, size_t n_terms, int32_t a_max, int32_t b_max, fill how)
{
    bt_gemm_term terms[BT_GEMM_TERMS_MAX];
    int16_t     *memory[2 * BT_GEMM_TERMS_MAX];
    for (size_t t = 0; t < n_terms; t++) {
        terms[t] = (bt_gemm_term){.k = k + t, .a_max = a_max, .b_max = b_max, .shift = (unsigned)below(t == 0 ? 1 : 12)};
        terms[t].a = make_view(&memory[2 * t], m, k + t, a_max, how);
        terms[t].b = make_view(&memory[2 * t + 1], k + t, n, b_max, how);
    }
    check_plan(ws, (bt_gemm_plan){.m = m, .n = n, .terms = terms, .n_terms = n_terms});
    for (size_t t = 0; t < 2 * n_terms; t++)
        free(memory[t]);
}

/* Runs `body` under each kernel of this build, on 1, 2 and 7 threads. A processor that lacks one says so. */
static void each_kernel(void (*body)(bt_gemm_ws *ws), size_t k_max)
{
    static const unsigned threads[] = {1, 2, 7};
    for (size_t i = 0; bt_cpu_name_at(i); i++) {
        if (bt_cpu_select(bt_cpu_name_at(i)) != OK) {
            print_message("SKIP: this processor has no %s\n", bt_cpu_name_at(i));
            continue;
        }
        for (size_t t = 0; t < COUNT_OF(threads); t++) {
            base_pool  *pool;
            bt_gemm_ws *ws;
            assert_int_equal(base_pool_new(&pool, threads[t]), OK);
            assert_int_equal(bt_gemm_ws_new(&ws, pool, k_max), OK);
            rng_state = 1 + t;
            body(ws);
            bt_gemm_ws_free(ws);
            base_pool_free(pool);
        }
    }
    assert_int_equal(bt_cpu_select(NULL), OK);
}

static void small_body(bt_gemm_ws *ws)
{
    for (int i = 0; i < 600; i++) {
        static const int widths[] = {8, 10, 12, 14, 16};
        int32_t max = BT_WIDTH_MAX(widths[below(5)]);
        check_product(ws, below(41), below(41), below(41), below(4), max, max, FILL_RANDOM);
    }
}

static void small_test(void **state)
{
    (void)state;
    each_kernel(small_body, 3 * 43);
}

static void limits_body(bt_gemm_ws *ws)
{
    static const size_t ks[] = {511, 512, 513, 1025};
    for (int width = 8; width <= 16; width += 2)
        for (size_t i = 0; i < COUNT_OF(ks); i++) {
            check_product(ws, 9, 50, ks[i], 1, BT_WIDTH_MAX(width), BT_WIDTH_MAX(width), FILL_TOP);
            check_product(ws, 5, 17, ks[i], 2, BT_WIDTH_MAX(width), BT_WIDTH_MAX(width), FILL_SIGNS);
        }
    check_product(ws, 10, 49, 700, 1, BT_WIDTH_MAX(16), BT_WIDTH_MAX(12), FILL_TOP);
    check_product(ws, 10, 49, 700, 1, BT_WIDTH_MAX(10), BT_WIDTH_MAX(16), FILL_SIGNS);
}

static void limits_test(void **state)
{
    (void)state;
    each_kernel(limits_body, 2 * 1026);
}

static void long_body(bt_gemm_ws *ws)
{
    for (int width = 8; width <= 16; width += 2) {
        check_product(ws, 2, 3, 8192, 1, BT_WIDTH_MAX(width), BT_WIDTH_MAX(width), FILL_TOP);
        check_product(ws, 3, 2, 8192, 1, BT_WIDTH_MAX(width), BT_WIDTH_MAX(width), FILL_SIGNS);
    }
}

static void long_test(void **state)
{
    (void)state;
    each_kernel(long_body, 8192);
}

/* Several row tiles, column tiles and strips: sizes past every block boundary. */
static void blocks_body(bt_gemm_ws *ws)
{
    check_product(ws, 130, 200, 33, 1, 2047, 2047, FILL_RANDOM);
    check_product(ws, 64, 400, 20, 2, 2047, 2047, FILL_RANDOM);
    check_product(ws, 3, 331, 2500, 1, 2047, 2047, FILL_RANDOM);
    check_product(ws, 70, 193, 40, 1, 32767, 32767, FILL_SIGNS);
}

static void blocks_test(void **state)
{
    (void)state;
    each_kernel(blocks_body, 2500);
}

static void refusals_test(void **state)
{
    (void)state;
    int16_t      one = 1;
    int64_t      c = 5;
    bt_gemm_view v = {&one, 0, 0};
    bt_gemm_ws  *ws;
    assert_int_equal(bt_gemm_ws_new(&ws, NULL, 100), OK);
    static const struct {
        size_t   k;
        int32_t  a_max, b_max;
        unsigned shift;
        size_t   n_terms;
        err      want;
    } cases[] = {
        {101, 1, 1, 0, 1, ERR_LIMIT},       {100, 1, 1, 0, 2, ERR_LIMIT},     {SIZE_MAX, 1, 1, 0, 1, ERR_LIMIT},
        {1, 1, 1, 0, 9, ERR_LIMIT},         {1, 0, 1, 0, 1, ERR_RANGE},       {1, 1, 32768, 0, 1, ERR_RANGE},
        {1, -1, 1, 0, 1, ERR_RANGE},        {1, 1, 1, 63, 1, ERR_RANGE},      {2, 1, 1, 62, 1, ERR_LEDGER},
        {1, 1, 1, 62, 2, ERR_LEDGER},       {2, 32767, 32767, 32, 1, ERR_LEDGER}, {100, 2047, 2047, 0, 1, OK},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        bt_gemm_term terms[9];
        for (size_t t = 0; t < 9; t++)
            terms[t] = (bt_gemm_term){v, v, cases[i].k, cases[i].a_max, cases[i].b_max, cases[i].shift};
        bt_gemm_plan plan = {.m = 1, .n = 1, .terms = terms, .n_terms = cases[i].n_terms, .c = &c, .ldc = 1};
        assert_int_equal(bt_gemm_run(ws, &plan), cases[i].want);
        assert_int_equal(c, cases[i].want == OK ? 100 : 5); /* stride 0: all operands are 1 */
    }
    bt_gemm_ws_free(ws);
}

static void flush_test(void **state)
{
    (void)state;
    static const struct {
        int    width;
        size_t want;
    } cases[] = {{8, 133144}, {10, 8224}, {12, 512}, {14, 32}, {16, 2}};
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(bt_gemm_flush_length(BT_WIDTH_MAX(cases[i].width), BT_WIDTH_MAX(cases[i].width)), cases[i].want);
}

static void select_test(void **state)
{
    (void)state;
    char line[200], tiny[8];
    assert_int_equal(bt_cpu_select("mmx"), ERR_NOT_FOUND);
    assert_int_equal(bt_cpu_select("scalar"), OK);
    assert_string_equal(bt_cpu_kernels()->name, "scalar");
    bt_cpu_describe(line, sizeof line);
    assert_non_null(strstr(line, "in use: scalar"));
    bt_cpu_describe(tiny, sizeof tiny);
    assert_int_equal(strlen(tiny), sizeof tiny - 1);
    assert_int_equal(bt_cpu_select(NULL), OK);
    bt_cpu_describe(line, sizeof line);
    print_message("%s\n", line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(select_test), cmocka_unit_test(flush_test),  cmocka_unit_test(refusals_test), cmocka_unit_test(small_test),
        cmocka_unit_test(limits_test), cmocka_unit_test(long_test), cmocka_unit_test(blocks_test),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
