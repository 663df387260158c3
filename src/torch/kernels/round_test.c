/* SPDX-License-Identifier: Apache-2.0
 *
 * The rounding kernels of this processor against 128-bit integers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/int.h"
#include "torch/cpu.h"
#include "torch/kernels/gemm.h"
#include "torch/kernels/round.h"

#include <cmocka.h>

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

static int64_t within(int64_t max) /* -max .. max, the ends often */
{
    switch (rng() % 8) {
    case 0:
        return max;
    case 1:
        return -max;
    default:
        return (int64_t)(rng() % (2 * (uint64_t)max + 1)) - max;
    }
}

enum { ROWS = 7, COLS = 70, GUARD = 3, LD = COLS + GUARD };

/* One random rounding: all its inputs, in whole-tensor layout. */
typedef struct scene {
    int64_t  acc[ROWS * LD], add[ROWS], mul[ROWS];
    int16_t  g16[ROWS * LD], q16[ROWS * LD];
    int32_t  g32[ROWS * LD], q32[ROWS * LD];
    uint64_t a[ROWS], b[COLS];
    size_t   m, n;
    bt_round r;
} scene;

/* Draws sizes so that every factor stays within the contract: |x| < 2^62. */
static void scene_make(scene *s)
{
    *s = (scene){.m = 1 + rng() % ROWS, .n = 1 + rng() % COLS};
    bt_round *r = &s->r;
    unsigned  g_bits = 0, mul_bits = (unsigned)(rng() % 12), row_bits = (unsigned)(rng() % 12);
    r->mul = rng() % 2 ? 1 : within(((int64_t)1 << mul_bits) - 1);
    switch (rng() % 3) {
    case 0:
        r->g16 = s->g16;
        g_bits = 15;
        break;
    case 1:
        r->g32 = s->g32;
        g_bits = 20;
        break;
    default:
        break;
    }
    r->g_ld = LD;
    unsigned acc_bits = 60 - g_bits - mul_bits - row_bits;
    if (rng() % 4 == 0)
        acc_bits = (unsigned)(rng() % acc_bits);
    for (size_t i = 0; i < ROWS * LD; i++) {
        s->acc[i] = within(((int64_t)1 << acc_bits) - 1);
        s->g16[i] = (int16_t)within(32767);
        s->g32[i] = (int32_t)within((1 << 20) - 1);
    }
    for (size_t i = 0; i < ROWS; i++) {
        s->add[i] = within(((int64_t)1 << acc_bits) - 1);
        s->mul[i] = within(((int64_t)1 << row_bits) - 1);
        s->a[i] = rng();
    }
    for (size_t j = 0; j < COLS; j++)
        s->b[j] = rng();
    r->row_add = rng() % 2 ? s->add : NULL;
    r->row_mul = rng() % 2 ? s->mul : NULL;
    if (rng() % 2) {
        r->dither_row = s->a;
        r->dither_col = s->b;
    }
    r->shift = (unsigned)(rng() % (BT_ROUND_SHIFT_MAX + 1));
    r->limit = rng() % 3 == 0 ? BT_ROUND_LIMIT_MAX : (int64_t)(rng() >> (2 + rng() % 60));
    r->clamp = (int32_t)(rng() % 2 ? 2047 : rng() % 32768);
    if (rng() % 2)
        r->out16 = s->q16;
    else
        r->out32 = s->q32;
    r->out_ld = LD;
    r->n = s->n;
    r->bad = BT_ROUND_NONE;
}

/* The formula of round.h, word for word. */
static i128 oracle_x(const scene *s, size_t i, size_t j)
{
    const bt_round *r = &s->r;
    i128            x = (i128)s->acc[i * LD + j] + (r->row_add ? r->row_add[i] : 0);
    x *= r->mul;
    x *= r->row_mul ? r->row_mul[i] : 1;
    return x * (r->g16 ? r->g16[i * LD + j] : r->g32 ? r->g32[i * LD + j] : 1);
}

static i128 oracle_t(const scene *s, size_t i, size_t j)
{
    const bt_round *r = &s->r;
    i128            scale = (i128)1 << r->shift, x = oracle_x(s, i, j), u = r->shift ? scale / 2 : 0;
    if (r->dither_row)
        u = (i128)((u128)(s->a[i] ^ s->b[j]) % (u128)scale);
    i128 t = (x + u) / scale;
    return t * scale > x + u ? t - 1 : t; /* C divides towards zero */
}

static void scene_check(scene *s)
{
    bt_round *r = &s->r;
    uint64_t  bad = BT_ROUND_NONE, max = 0;
    size_t    cut_i = rng() % (s->m + 1), cut_j = rng() % (s->n + 1); /* four pieces, last first */
    memset(s->q16, 0x55, sizeof s->q16);
    memset(s->q32, 0x55, sizeof s->q32);
    for (int piece = 3; piece >= 0; piece--) {
        size_t i0 = piece & 2 ? cut_i : 0, i1 = piece & 2 ? s->m : cut_i, j0 = piece & 1 ? cut_j : 0, j1 = piece & 1 ? s->n : cut_j;
        bt_round_tile(r, s->acc + i0 * LD + j0, LD, i0, i1 - i0, j0, j1 - j0);
        bt_round_max(r, s->acc + i0 * LD + j0, LD, i0, i1 - i0, j0, j1 - j0);
    }
    for (size_t i = 0; i < s->m; i++)
        for (size_t j = 0; j < LD; j++) {
            int64_t got = r->out16 ? s->q16[i * LD + j] : s->q32[i * LD + j];
            if (j >= s->n) {
                assert_int_equal(got, r->out16 ? 0x5555 : 0x55555555);
                continue;
            }
            i128 t = oracle_t(s, i, j), x = oracle_x(s, i, j);
            i128 q = t > r->clamp ? r->clamp : t < -r->clamp ? -r->clamp : t;
            assert_int_equal(got, (int64_t)q);
            if ((t > r->limit || t < -r->limit) && bad == BT_ROUND_NONE)
                bad = i * s->n + j;
            x = x < 0 ? -x : x;
            max = x > (i128)max ? (uint64_t)x : max;
        }
    assert_int_equal(r->bad, bad);
    assert_int_equal(r->max, max);
}

static void each_kernel(void (*body)(void))
{
    for (size_t i = 0; bt_cpu_name_at(i); i++) {
        if (bt_cpu_select(bt_cpu_name_at(i)) != OK) {
            print_message("SKIP: this processor has no %s\n", bt_cpu_name_at(i));
            continue;
        }
        rng_state = 7;
        body();
    }
    assert_int_equal(bt_cpu_select(NULL), OK);
}

static void scenes_body(void)
{
    static scene s;
    for (int k = 0; k < 2000; k++) {
        scene_make(&s);
        scene_check(&s);
    }
}

static void scenes_test(void **state)
{
    (void)state;
    each_kernel(scenes_body);
}

static void ties_body(void)
{
    static const struct {
        int64_t  acc;
        unsigned shift;
        int16_t  want;
    } cases[] = {{1, 1, 1}, {-1, 1, 0}, {3, 1, 2}, {-3, 1, -1}, {2, 2, 1}, {-2, 2, 0}, {-6, 2, -1}, {5, 0, 5},
                 {-5, 0, -5}, {4000, 0, 2047}, {-4000, 0, -2047}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int16_t  q = 99;
        bt_round r = {.mul = 1, .shift = cases[i].shift, .limit = 32767, .clamp = 2047, .out16 = &q, .out_ld = 1, .n = 1,
                      .bad = BT_ROUND_NONE};
        bt_round_tile(&r, &cases[i].acc, 1, 0, 1, 0, 1);
        assert_int_equal(q, cases[i].want);
        assert_true(r.bad == BT_ROUND_NONE);
    }
}

static void ties_test(void **state)
{
    (void)state;
    each_kernel(ties_body);
}

/* As the epilogue of a product on several threads: the first violation is the same whoever meets it. */
static void epilogue_test(void **state)
{
    (void)state;
    enum { M = 150, N = 250, K = 5 };
    static int16_t a[M * K], b[K * N], q[M * N];
    for (size_t i = 0; i < M * K; i++)
        a[i] = i / K == 100 ? 2047 : 1;
    for (size_t i = 0; i < K * N; i++)
        b[i] = i % N >= 77 ? 2047 : 1;
    base_pool   *pool;
    bt_gemm_ws  *ws;
    bt_gemm_term term = {.a = {a, K, 1}, .b = {b, N, 1}, .k = K, .a_max = 2047, .b_max = 2047};
    bt_round     r = {.mul = 1, .shift = 5, .limit = 32767, .clamp = 2047, .out16 = q, .out_ld = N, .n = N, .bad = BT_ROUND_NONE};
    bt_gemm_plan plan = {.m = M, .n = N, .terms = &term, .n_terms = 1, .epilogue = bt_round_tile, .ctx = &r};
    assert_int_equal(base_pool_new(&pool, 3), OK);
    assert_int_equal(bt_gemm_ws_new(&ws, pool, K), OK);
    assert_int_equal(bt_gemm_run(ws, &plan), OK);
    assert_int_equal(r.bad, 100 * N + 77);
    assert_int_equal(q[0], 0);
    assert_int_equal(q[80], (5 * 2047 + 16) >> 5);
    assert_int_equal(q[100 * N + 80], 2047);
    bt_gemm_ws_free(ws);
    base_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ties_test), cmocka_unit_test(scenes_test), cmocka_unit_test(epilogue_test)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
