/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernels of leaves, of every instruction set of this machine, against the formulas of fx.h: random values and the ends of the ranges. */
#include "field/vec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static uint64_t seed = 1;

static uint64_t random_u64(void)
{
    uint64_t z = (seed += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

typedef enum filling { RANDOM, LARGEST, ENDS, FILLINGS } filling;

static fx element(filling how)
{
    fx x;
    for (int k = 0; k < 3; k++)
        x.c[k] = how == LARGEST ? FP_P - 1 : how == ENDS ? (random_u64() & 1) * (FP_P - 1) : random_u64() % FP_P;
    return x;
}

static int32_t integer(filling how)
{
    const int32_t limit = 1 << FXV_LEAF_BITS, ends[] = { -limit, limit - 1, 0, 1 };
    return how == LARGEST ? limit - 1 : how == ENDS ? ends[random_u64() % COUNT_OF(ends)] : (int32_t)(random_u64() % (2u << FXV_LEAF_BITS)) - limit;
}

static fxv *vector(size_t n, filling how)
{
    fxv *a = fxv_alloc(n);
    assert_non_null(a);
    for (size_t i = 0; i < n; i++)
        fxv_set(a, i, element(how));
    return a;
}

static fxv *copy_of(const fxv *a, size_t n)
{
    fxv *b = fxv_alloc(n);
    assert_non_null(b);
    memcpy(b, a, fxv_blocks(n) * sizeof *a);
    return b;
}

/* One more than asked for: nothing may be read or written there. Not aligned. */
static int32_t *ints(size_t n, filling how)
{
    int32_t *x = malloc((n + 1) * sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < n; i++)
        x[i + 1] = integer(how);
    return x;
}

static fx_fractions *fractions(size_t n)
{
    fx_fractions *f = (fx_fractions *)fxv_alloc(2 * FXV_LANES * fxv_blocks(n));
    assert_non_null(f);
    return f;
}

static void assert_fx(fx got, fx want)
{
    for (int k = 0; k < 3; k++)
        assert_int_equal(got.c[k], want.c[k]);
}

static void assert_sum(const fx_fractions *f, size_t i, fx q0, fx q1)
{
    assert_fx(fxv_get(&f[i / FXV_LANES].p, i % FXV_LANES), fx_add(q0, q1));
    assert_fx(fxv_get(&f[i / FXV_LANES].q, i % FXV_LANES), fx_mul(q0, q1));
}

static const size_t lengths[] = { 1, 2, 4, 7, 8, 16, 31, 64, 1000 };

static void sums_of_units(void)
{
    for (filling how = 0; how < FILLINGS; how++)
        for (size_t l = 0; l < COUNT_OF(lengths); l++) {
            size_t n = lengths[l];
            fxv *q0 = vector(n, how), *q1 = vector(n, how);
            fx_fractions *out = fractions(n);
            fxv_unit_up(out, q0, q1, n);
            for (size_t i = 0; i < n; i++)
                assert_sum(out, i, fxv_get(q0, i), fxv_get(q1, i));
            free(q0);
            free(q1);
            free(out);
        }
}

static void affine(void)
{
    for (filling how = 0; how < FILLINGS; how++)
        for (size_t l = 0; l < COUNT_OF(lengths); l++) {
            size_t n = lengths[l];
            fxv *a = vector(n, how), *got = copy_of(a, n);
            fx s = element(how), c = element(how);
            fxv_affine(got, s, c, n);
            for (size_t i = 0; i < n; i++)
                assert_fx(fxv_get(got, i), fx_add(fx_mul(fxv_get(a, i), s), c));
            for (size_t i = n; i < FXV_LANES * fxv_blocks(n); i++)
                assert_fx(fxv_get(got, i), FX_ZERO);
            free(a);
            free(got);
        }
}

static void want_round(fx g[2], const fxv *p, const fxv *b, size_t half, const fxv *lo, size_t lo_n, const fxv *hi)
{
    g[0] = g[1] = FX_ZERO;
    for (size_t i = 0; i < half; i++) {
        fx e = fx_mul(fxv_get(lo, i % lo_n), fxv_get(hi, i / lo_n)), p0 = fxv_get(p, i), b0 = fxv_get(b, i);
        g[0] = fx_add(g[0], fx_mul(e, fx_mul(p0, b0)));
        g[1] = fx_add(g[1], fx_mul(e, fx_mul(fx_sub(fxv_get(p, i + half), p0), fx_sub(fxv_get(b, i + half), b0))));
    }
}

static void eq_rounds_of(filling how, size_t half, size_t lo_n)
{
    fxv *p = vector(2 * half, how), *b = vector(2 * half, how), *lo = vector(lo_n, how), *hi = vector(half / lo_n, how);
    fx got[2], want[2];
    want_round(want, p, b, half, lo, lo_n, hi);
    fxv_eq_round(got, p, b, half, lo, lo_n, hi);
    assert_fx(got[0], want[0]);
    assert_fx(got[1], want[1]);
    void *all[] = { p, b, lo, hi };
    for (size_t i = 0; i < COUNT_OF(all); i++)
        free(all[i]);
}

static void scaled_fold(fxv *a, size_t half, fx k)
{
    for (size_t i = 0; i < half; i++)
        fxv_set(a, i, fx_add(fxv_get(a, i), fx_mul(k, fxv_get(a, i + half))));
}

/* Round after round: what one leaves unreduced, the next one takes. */
static void eq_folds_of(filling how, size_t half, size_t lo_n)
{
    fxv *p = vector(2 * half, how), *b = vector(2 * half, how), *lo = vector(lo_n, how), *hi = vector(half / 2 / lo_n, how);
    fxv *p_folded = copy_of(p, 2 * half), *b_folded = copy_of(b, 2 * half);
    for (; half >= 2; half /= 2) {
        fx got[2], want[2], k = element(how);
        lo_n = lo_n <= half / 2 ? lo_n : half / 2;
        scaled_fold(p_folded, half, k);
        scaled_fold(b_folded, half, k);
        want_round(want, p_folded, b_folded, half / 2, lo, lo_n, hi);
        fxv_eq_fold_round(got, p, b, half, k, lo, lo_n, hi);
        assert_fx(got[0], want[0]);
        assert_fx(got[1], want[1]);
        for (size_t i = 0; half < 16 && i < half; i++) {
            assert_fx(fxv_get(p, i), fxv_get(p_folded, i));
            assert_fx(fxv_get(b, i), fxv_get(b_folded, i));
        }
    }
    void *all[] = { p, b, lo, hi, p_folded, b_folded };
    for (size_t i = 0; i < COUNT_OF(all); i++)
        free(all[i]);
}

static void eq_rounds(void)
{
    for (filling how = 0; how < FILLINGS; how++) {
        for (size_t half = 1; half <= 256; half *= 2) {
            eq_rounds_of(how, half, half);
            for (size_t lo_n = 8; lo_n < half; lo_n *= 2)
                eq_rounds_of(how, half, lo_n);
        }
        for (size_t half = 2; half <= 512; half *= 2) {
            eq_folds_of(how, half, half / 2);
            for (size_t lo_n = 8; lo_n < half; lo_n *= 2)
                eq_folds_of(how, half, lo_n);
        }
    }
    eq_rounds_of(LARGEST, 1 << 15, 1 << 15); /* more terms than one run of unreduced sums */
    eq_folds_of(LARGEST, 1 << 16, 1 << 15);
}

/* Of what may not be reduced. */
static void assert_congruent(fx got, fx want)
{
    for (int k = 0; k < 3; k++)
        got.c[k] %= FP_P;
    assert_fx(got, want);
}

static void integers_up_and_bound(void)
{
    for (filling how = 0; how < FILLINGS; how++)
        for (size_t n = 8; n <= 512; n *= 8) {
            int32_t *x[4];
            fx a[4], k = element(how);
            fx_fractions *out = fractions(n);
            for (int j = 0; j < 4; j++) {
                x[j] = ints(n, how);
                a[j] = element(how);
            }
            fxv_leaf_up_fold(out, (const int32_t *const[]){ x[0] + 1, x[1] + 1, x[2] + 1, x[3] + 1 }, n, a, k);
            for (size_t i = 0; i < n; i++) {
                fx q[4];
                for (int j = 0; j < 4; j++)
                    q[j] = fx_sub(a[j], fx_from_i64(x[j][i + 1]));
                const fx_fractions *f = &out[i / FXV_LANES];
                assert_congruent(fxv_get(&f->p, i % FXV_LANES), fx_add(fx_add(q[0], q[1]), fx_mul(k, fx_add(q[2], q[3]))));
                assert_congruent(fxv_get(&f->q, i % FXV_LANES), fx_add(fx_mul(q[0], q[1]), fx_mul(k, fx_mul(q[2], q[3]))));
                for (int c = 0; c < 3; c++)
                    assert_true(f->p.c[c][i % FXV_LANES] < 4 * FP_P && f->q.c[c][i % FXV_LANES] < 4 * FP_P);
            }
            for (int j = 0; j < 4; j++)
                free(x[j]);
            free(out);
        }
}

static void integers_up_and_folded(void)
{
    for (filling how = 0; how < FILLINGS; how++)
        for (size_t n = 8; n <= 512; n *= 8) {
            int32_t *x0 = ints(n, how), *x1 = ints(n, how);
            fx_fractions *out = fractions(n);
            fxv *folded = fxv_alloc(n);
            assert_non_null(folded);
            fx a0 = element(how), a1 = element(how), c = element(how), f0 = element(how), f1 = element(how);
            fxv_leaf_up(out, x0 + 1, x1 + 1, n, a0, a1);
            fxv_leaf_fold(folded, x0 + 1, x1 + 1, n, c, f0, f1);
            for (size_t i = 0; i < n; i++) {
                fx y0 = fx_from_i64(x0[i + 1]), y1 = fx_from_i64(x1[i + 1]);
                assert_sum(out, i, fx_sub(a0, y0), fx_sub(a1, y1));
                assert_fx(fxv_get(folded, i), fx_add(c, fx_add(fx_mul(f0, y0), fx_mul(f1, y1))));
            }
            free(x0);
            free(x1);
            free(out);
            free(folded);
        }
}

static void round_from_integers_of(filling how, size_t n)
{
    int32_t *x[4];
    fxv *w = vector(n, how);
    fxv_leaf_sums got, want = { .one = FX_ZERO };
    for (int k = 0; k < 4; k++)
        x[k] = ints(n, how);
    fxv_leaf_round(&got, (const int32_t *const[]){ x[0] + 1, x[1] + 1, x[2] + 1, x[3] + 1 }, w, n);
    for (size_t i = 0; i < n; i++) {
        fx e = fxv_get(w, i), y[4];
        want.one = fx_add(want.one, e);
        for (int k = 0; k < 4; k++) {
            y[k] = fx_from_i64(x[k][i + 1]);
            want.x[k] = fx_add(want.x[k], fx_mul(e, y[k]));
        }
        want.at_0 = fx_add(want.at_0, fx_mul(e, fx_mul(y[0], y[2])));
        want.at_top = fx_add(want.at_top, fx_mul(e, fx_mul(fx_sub(y[1], y[0]), fx_sub(y[3], y[2]))));
    }
    assert_fx(got.one, want.one);
    for (int k = 0; k < 4; k++) {
        assert_fx(got.x[k], want.x[k]);
        free(x[k]);
    }
    assert_fx(got.at_0, want.at_0);
    assert_fx(got.at_top, want.at_top);
    free(w);
}

static void rounds_from_integers(void)
{
    for (filling how = 0; how < FILLINGS; how++)
        for (size_t n = 8; n <= 512; n *= 4)
            round_from_integers_of(how, n);
    round_from_integers_of(LARGEST, 40000); /* more than one run of unreduced sums */
}

static void on_every_instruction_set(void **state)
{
    void (*const *test)(void) = *state;
    fx_isa before = fx_isa_in_use();
    for (fx_isa isa = FX_ISA_PORTABLE; isa < FX_ISA_COUNT; isa++)
        if (fx_isa_available(isa)) {
            fx_isa_use(isa);
            (*test)();
        }
    fx_isa_use(before);
}

int main(void)
{
    static void (*const tests[])(void) = { sums_of_units, affine, eq_rounds, integers_up_and_folded, integers_up_and_bound, rounds_from_integers };
    static const char *const names[] = { "sums_of_units", "affine", "eq_rounds", "integers_up_and_folded", "integers_up_and_bound", "rounds_from_integers" };
    struct CMUnitTest rows[COUNT_OF(tests)];
    for (size_t i = 0; i < COUNT_OF(tests); i++)
        rows[i] = (struct CMUnitTest){ names[i], on_every_instruction_set, NULL, NULL, (void *)(uintptr_t)&tests[i] };
    return cmocka_run_group_tests(rows, NULL, NULL);
}
