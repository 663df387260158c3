/* SPDX-License-Identifier: Apache-2.0
 *
 * The array kernels of Adam against the one-element arithmetic of numerics/data.h, on every instruction set: usual values, values around
 * each bound of the fast way, and ones whose quotients and roots are exact or one off. */
#include "torch/kernels/adam.h"

#include "numerics/data.h"
#include "torch/cpu.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

enum { LEN = 1000 };

typedef struct arrays {
    int64_t g[LEN], m[LEN], v[LEN];
    int32_t w[LEN];
} arrays;

static uint64_t seed = 88172645463325252u;

static uint64_t draw(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

/* A signed number of up to `bits` bits, all lengths alike; now and then the bound itself. */
static int64_t number(unsigned bits)
{
    uint64_t length = draw() % (bits + 1);
    int64_t  most = (int64_t)(((uint64_t)1 << length) - 1), x = (int64_t)(draw() & (uint64_t)most);
    x = draw() % 16 == 0 ? most : x;
    return draw() & 1 ? -x : x;
}

static void fill(arrays *a, unsigned g_bits, unsigned v_bits)
{
    for (size_t i = 0; i < LEN; i++) {
        a->g[i] = number(g_bits);
        a->m[i] = draw() % 50 == 0 ? ((int64_t)1 << 35) * (draw() & 1 ? 1 : -1) : number(35);
        a->v[i] = number(v_bits);
        a->v[i] = a->v[i] < 0 ? -a->v[i] : a->v[i];
        a->w[i] = (int32_t)number(31);
    }
}

/* v such that v 2^32 / c2 lies at or next to a square. */
static void near_squares(arrays *a, uint64_t c2)
{
    for (size_t i = 0; i < LEN; i++) {
        u128 root = draw() >> (36 + draw() % 20);
        u128 v = (root * root * c2) >> 32;
        a->v[i] = (int64_t)v + (int64_t)(draw() % 5) - 2;
        a->v[i] = a->v[i] < 0 ? 0 : a->v[i];
        a->g[i] = 0;
    }
}

static void check(const bt_adam *c, const arrays *start, size_t n)
{
    static arrays ours, theirs;
    ours = theirs = *start;
    bt_adam_update(c, ours.g, ours.w, ours.m, ours.v, n);
    for (size_t i = 0; i < n; i++) {
        num_adam one = {theirs.w[i], theirs.m[i], theirs.v[i]};
        num_adam_step(&one, num_adam_gradient(theirs.g[i], c->gradient_fraction, c->tokens), c->rate, c->c1, c->c2);
        theirs.w[i] = one.w;
        theirs.m[i] = one.m;
        theirs.v[i] = one.v;
    }
    assert_true(memcmp(&ours, &theirs, sizeof ours) == 0);
}

static void check_all(void)
{
    static const int      fractions[] = {-64, -32, -6, -5, 0, 12, 27, 33, 34, 35, 44, 74, 75, 124};
    static const uint64_t tokens[] = {1, 3, 1000, 1024, 4096, ((uint64_t)1 << 40) - 1, (uint64_t)1 << 48};
    static const int32_t  rates[] = {0, 1, 1073742, (1 << 24) - 1, 1 << 24, INT32_MAX};
    static arrays         a;
    uint64_t              p1 = (uint64_t)1 << 32, p2 = p1;
    for (unsigned step = 0; step < 420; step++) {
        num_adam_powers(&p1, &p2);
        bt_adam c = {.gradient_fraction = fractions[step % COUNT_OF(fractions)], .tokens = tokens[draw() % COUNT_OF(tokens)],
                     .rate = rates[draw() % COUNT_OF(rates)], .c1 = ((uint64_t)1 << 32) - p1, .c2 = ((uint64_t)1 << 32) - p2};
        fill(&a, step % 3 ? 30 : 62, step % 2 ? 40 : 62);
        check(&c, &a, LEN - step % 130);
        c.gradient_fraction = 30;
        c.tokens = 1024;
        c.rate = 1073742;
        fill(&a, 36, 50);
        check(&c, &a, LEN);
        near_squares(&a, c.c2);
        check(&c, &a, LEN);
    }
}

static void test_every_isa(void **state)
{
    (void)state;
    for (size_t i = 0; bt_cpu_name_at(i); i++) {
        if (bt_cpu_select(bt_cpu_name_at(i)) == ERR_UNSUPPORTED) {
            print_message("SKIP %s: this processor does not have it\n", bt_cpu_name_at(i));
            continue;
        }
        check_all();
    }
    assert_int_equal(bt_cpu_select(NULL), OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_isa)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
