/* SPDX-License-Identifier: Apache-2.0
 *
 * Every kernel of every instruction set of this machine against the plain formulas of fx.h, element by element: random values, and values at the
 * ends of [0, p), where sums that are reduced late are largest. */
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

typedef enum filling { RANDOM, ALL_LARGEST, EDGES, ENDS, FILLINGS } filling;

static fp sample(filling how)
{
    static const fp edge[] = { 0, 1, FP_ONE, FP_P - 1, FP_P - 2, FP_P / 2, FP_P / 2 + 1, FP_P - FP_ONE };
    uint64_t x = random_u64();
    switch (how) {
    case ALL_LARGEST: return FP_P - 1;
    case EDGES: return x & 8 ? edge[x % COUNT_OF(edge)] : x % FP_P;
    case ENDS: return x & 1 ? FP_P - 1 : 0;
    default: return x % FP_P;
    }
}

static fx sample_fx(filling how)
{
    return (fx){ { sample(how), sample(how), sample(how) } };
}

/* n elements; what is past n in the last block stays zero. */
static fxv *vector(size_t n, filling how)
{
    fxv *a = fxv_alloc(n);
    assert_non_null(a);
    for (size_t i = 0; i < n; i++)
        fxv_set(a, i, sample_fx(how));
    return a;
}

static fxv *copy_of(const fxv *a, size_t n)
{
    fxv *b = fxv_alloc(n);
    assert_non_null(b);
    memcpy(b, a, fxv_blocks(n) * sizeof *a);
    return b;
}

static void assert_fx(fx got, fx want)
{
    for (int k = 0; k < 3; k++)
        assert_int_equal(got.c[k], want.c[k]);
}

static fx lerp(fx a, fx b, fx r)
{
    return fx_add(a, fx_mul(r, fx_sub(b, a)));
}

static const size_t lengths[] = { 1, 2, 3, 7, 8, 9, 16, 31, 64, 100, 1000, 4099 };

static void eq_tables(void **state)
{
    (void)state;
    fx r[12];
    for (filling how = 0; how < FILLINGS; how++)
        for (unsigned k = 0; k < COUNT_OF(r); k++) {
            for (unsigned b = 0; b < k; b++)
                r[b] = sample_fx(how);
            fx   scale = sample_fx(how);
            fxv *out = vector((size_t)1 << k, RANDOM);
            fxv_eq(out, r, k, scale);
            for (size_t i = 0; i < (size_t)1 << k; i++) {
                fx want = scale;
                for (unsigned b = 0; b < k; b++)
                    want = fx_mul(want, i >> b & 1 ? r[b] : fx_sub(FX_ONE, r[b]));
                assert_fx(fxv_get(out, i), want);
            }
            for (size_t i = (size_t)1 << k; i < FXV_LANES; i++)
                assert_fx(fxv_get(out, i), FX_ZERO);
            free(out);
        }
}

static void elementwise(void **state)
{
    (void)state;
    for (filling how = 0; how < FILLINGS; how++)
        for (size_t l = 0; l < COUNT_OF(lengths); l++) {
            size_t n = lengths[l];
            fxv   *a = vector(n, how), *b = vector(n, how), *c = copy_of(a, n), *d = copy_of(a, n);
            fx     s = sample_fx(how), sum = FX_ZERO;
            for (size_t i = 0; i < n; i++)
                sum = fx_add(sum, fx_mul(fxv_get(a, i), fxv_get(b, i)));
            assert_fx(fxv_dot(a, b, n), sum);
            fxv_add_scaled(a, b, s, n);
            fxv_scale(c, s, n);
            for (size_t i = 0; i < n; i++) {
                assert_fx(fxv_get(a, i), fx_add(fxv_get(d, i), fx_mul(s, fxv_get(b, i))));
                assert_fx(fxv_get(c, i), fx_mul(s, fxv_get(d, i)));
            }
            memcpy(c, d, fxv_blocks(n) * sizeof *c);
            fxv_mul(c, b, n);
            for (size_t i = 0; i < n; i++)
                assert_fx(fxv_get(c, i), fx_mul(fxv_get(d, i), fxv_get(b, i)));
            free(a), free(b), free(c), free(d);
        }
}

/* n may end inside a block whose rest is in use. */
static void lengths_are_exact(void **state)
{
    (void)state;
    for (size_t n = 0; n < 20; n++) {
        fxv *a = vector(24, RANDOM), *b = vector(24, RANDOM), *c = copy_of(a, 24);
        fx   sum = FX_ZERO;
        for (size_t i = 0; i < n; i++)
            sum = fx_add(sum, fx_mul(fxv_get(a, i), fxv_get(b, i)));
        assert_fx(fxv_dot(a, b, n), sum);
        fxv_add_scaled(a, b, FX_ONE, n);
        fxv_scale(a, b->c[0][0] ? fxv_get(b, 3) : FX_ONE, n);
        fxv_mul(a, b, n);
        for (size_t i = n; i < 24; i++)
            assert_fx(fxv_get(a, i), fxv_get(c, i));
        free(a), free(b), free(c);
    }
}

static void folds_and_rounds(void **state)
{
    (void)state;
    for (filling how = 0; how < FILLINGS; how++)
        for (size_t half = 1; half <= 2048; half *= 2) {
            fxv *p = vector(2 * half, how), *b = vector(2 * half, how), *p1 = copy_of(p, 2 * half), *b1 = copy_of(b, 2 * half);
            fx   r = sample_fx(how), start = sample_fx(how), g[2] = { start, start }, want[2] = { start, start };
            for (size_t i = 0; i < half; i++) {
                fx p0 = fxv_get(p, i), b0 = fxv_get(b, i);
                want[0] = fx_add(want[0], fx_mul(p0, b0));
                want[1] = fx_add(want[1], fx_mul(fx_sub(fxv_get(p, i + half), p0), fx_sub(fxv_get(b, i + half), b0)));
            }
            fxv_round(g, p, b, half);
            assert_fx(g[0], want[0]);
            assert_fx(g[1], want[1]);

            fxv_fold(p1, half, r);
            fxv_fold(b1, half, r);
            for (size_t i = 0; i < half; i++)
                assert_fx(fxv_get(p1, i), lerp(fxv_get(p, i), fxv_get(p, i + half), r));
            for (size_t i = half; i < 2 * half; i++)
                assert_fx(fxv_get(p1, i), fxv_get(p, i));
            if (half >= 2) {
                fx g1[2] = { start, start };
                want[0] = want[1] = start;
                fxv_fold_round(g1, p, b, half, r);
                fxv_round(want, p1, b1, half / 2);
                assert_fx(g1[0], want[0]);
                assert_fx(g1[1], want[1]);
                for (size_t i = 0; i < half; i++) {
                    assert_fx(fxv_get(p, i), fxv_get(p1, i));
                    assert_fx(fxv_get(b, i), fxv_get(b1, i));
                }
            }
            free(p), free(b), free(p1), free(b1);
        }
}

/* --- fractions ------------------------------------------------------------------------------------------------------ */

static fx_fractions *fractions(size_t n, filling how)
{
    fx_fractions *a = (fx_fractions *)vector(2 * FXV_LANES * fxv_blocks(n), RANDOM);
    for (size_t i = 0; i < fxv_blocks(n) * FXV_LANES; i++) {
        fxv_set(&a[i / FXV_LANES].p, i % FXV_LANES, i < n ? sample_fx(how) : FX_ZERO);
        fxv_set(&a[i / FXV_LANES].q, i % FXV_LANES, i < n ? sample_fx(how) : FX_ZERO);
    }
    return a;
}

static fx p_at(const fx_fractions *a, size_t i)
{
    return fxv_get(&a[i / FXV_LANES].p, i % FXV_LANES);
}

static fx q_at(const fx_fractions *a, size_t i)
{
    return fxv_get(&a[i / FXV_LANES].q, i % FXV_LANES);
}

static void fractions_add_up(void **state)
{
    (void)state;
    for (filling how = 0; how < FILLINGS; how++)
        for (size_t half = 1; half <= 512; half *= 2) {
            fx_fractions *in = fractions(2 * half, how), *out = fractions(half, RANDOM);
            size_t        size = fxv_blocks(half) * sizeof *in;
            fxv_fractions_up(out, in, half);
            for (size_t i = 0; i < half; i++) {
                fx p0 = p_at(in, i), p1 = p_at(in, i + half), q0 = q_at(in, i), q1 = q_at(in, i + half);
                assert_fx(p_at(out, i), fx_add(fx_mul(p0, q1), fx_mul(p1, q0)));
                assert_fx(q_at(out, i), fx_mul(q0, q1));
            }
            for (size_t i = half; i < FXV_LANES; i++) {
                assert_fx(p_at(out, i), FX_ZERO);
                assert_fx(q_at(out, i), FX_ZERO);
            }
            if (half >= FXV_LANES) {
                fx_fractions *sum = fractions(half, RANDOM);
                fxv_fractions_add(sum, in, in + half / FXV_LANES, half);
                assert_memory_equal(sum, out, size);
                fxv_fractions_add(in + half / FXV_LANES, in, in + half / FXV_LANES, half);
                assert_memory_equal(in + half / FXV_LANES, out, size);
                free(sum), free(in);
                in = fractions(2 * half, how);
                fxv_fractions_up(out, in, half);
            }
            fxv_fractions_up(in, in, half);
            assert_memory_equal(in, out, size);
            free(in), free(out);
        }
}

/* h(X) at X = 0, or its coefficient of X^2. */
static fx layer_sum(const fx_fractions *a, const fx_fractions *b, size_t half, fx lambda, const fxv *lo, size_t lo_n, const fxv *hi, bool top)
{
    fx sum = FX_ZERO;
    for (size_t i = 0; i < half; i++) {
        fx p0 = p_at(a, i), q0 = q_at(a, i), p1 = p_at(b, i), q1 = q_at(b, i);
        if (top) {
            p0 = fx_sub(p_at(a, i + half), p0), q0 = fx_sub(q_at(a, i + half), q0);
            p1 = fx_sub(p_at(b, i + half), p1), q1 = fx_sub(q_at(b, i + half), q1);
        }
        fx h = fx_add(fx_add(fx_mul(p0, q1), fx_mul(p1, q0)), fx_mul(lambda, fx_mul(q0, q1)));
        sum = fx_add(sum, fx_mul(fx_mul(fxv_get(hi, i / lo_n), fxv_get(lo, i % lo_n)), h));
    }
    return sum;
}

static void set_fraction(fx_fractions *a, size_t i, fx p, fx q)
{
    fxv_set(&a[i / FXV_LANES].p, i % FXV_LANES, p);
    fxv_set(&a[i / FXV_LANES].q, i % FXV_LANES, q);
}

static void scaled_fold(fx_fractions *a, size_t half, fx k)
{
    for (size_t i = 0; i < half; i++)
        set_fraction(a, i, fx_add(p_at(a, i), fx_mul(k, p_at(a, i + half))), fx_add(q_at(a, i), fx_mul(k, q_at(a, i + half))));
}

static void assert_fractions(const fx_fractions *got, const fx_fractions *want, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        assert_fx(p_at(got, i), p_at(want, i));
        assert_fx(q_at(got, i), q_at(want, i));
    }
}

static void assert_sums(const fx g[2], const fx_fractions *a, const fx_fractions *b, size_t half, const fxv *lo, size_t lo_n, const fxv *hi)
{
    assert_fx(g[0], layer_sum(a, b, half, FX_ZERO, lo, lo_n, hi, false));
    assert_fx(g[1], layer_sum(a, b, half, FX_ZERO, lo, lo_n, hi, true));
}

/* A whole layer: what one round leaves unreduced, the next one takes. lo_n stays, until it is all that is left. */
static void layer_rounds_of(filling how, size_t half, size_t lo_n)
{
    fx_fractions *a = fractions(2 * half, how), *b = fractions(2 * half, how), *a1 = fractions(2 * half, how), *b1 = fractions(2 * half, how);
    fxv          *lo = vector(lo_n, how), *hi = vector(half / lo_n, how);
    fx            lambda = sample_fx(how), g[2];
    memcpy(a1, a, fxv_blocks(2 * half) * sizeof *a);
    memcpy(b1, b, fxv_blocks(2 * half) * sizeof *b);
    fxv_fractions_absorb_round(g, a1, b1, half, lambda, lo, lo_n, hi);
    assert_fx(g[0], layer_sum(a, b, half, lambda, lo, lo_n, hi, false));
    assert_fx(g[1], layer_sum(a, b, half, lambda, lo, lo_n, hi, true));
    for (size_t i = 0; i < 2 * half; i++)
        set_fraction(a, i, fx_add(p_at(a, i), fx_mul(lambda, q_at(a, i))), q_at(a, i));
    for (; half >= 2; half /= 2) {
        fx k = sample_fx(how);
        lo_n = lo_n <= half / 2 ? lo_n : half / 2;
        scaled_fold(a, half, k);
        scaled_fold(b, half, k);
        fxv_fractions_fold_round(g, a1, b1, half, k, lo, lo_n, hi);
        assert_sums(g, a, b, half / 2, lo, lo_n, hi);
        if (half < 16) {
            assert_fractions(a1, a, half);
            assert_fractions(b1, b, half);
        }
    }
    free(a), free(b), free(a1), free(b1), free(lo), free(hi);
}

static void layer_rounds(void **state)
{
    (void)state;
    for (filling how = 0; how < FILLINGS; how++)
        for (size_t half = 1; half <= 2048; half *= half < 64 ? 2 : 4) {
            layer_rounds_of(how, half, half);
            for (size_t lo_n = 8; lo_n < half; lo_n *= 4)
                layer_rounds_of(how, half, lo_n);
        }
}

static void fraction_folds(void **state)
{
    (void)state;
    for (filling how = 0; how < FILLINGS; how++)
        for (size_t half = 1; half <= 64; half *= 2) {
            fx_fractions *a = fractions(2 * half, how), *want = fractions(2 * half, how);
            fx            k = sample_fx(how);
            memcpy(want, a, fxv_blocks(2 * half) * sizeof *a);
            scaled_fold(want, half, k);
            fxv_fractions_fold(a, half, k);
            assert_fractions(a, want, half);
            free(a), free(want);
        }
}

/* --- small integers ------------------------------------------------------------------------------------------------- */

/* Extreme and random ones; 8 bytes: within (-p/2, p/2). */
static int64_t sample_int(unsigned bytes, filling how)
{
    int64_t  largest = bytes == 2 ? INT16_MAX : bytes == 4 ? INT32_MAX : (int64_t)(FP_P / 2), least = bytes == 8 ? -largest : -largest - 1;
    uint64_t x = random_u64();
    switch (how) {
    case ALL_LARGEST: return least;
    case EDGES: return (x & 3) == 0 ? least : (x & 3) == 1 ? largest : (int64_t)(x >> 2 & 3) - 1;
    case ENDS: return x & 1 ? least : largest;
    default: return (int64_t)(x % ((uint64_t)largest - (uint64_t)least + 1)) + least;
    }
}

static void *ints(size_t n, unsigned bytes, filling how)
{
    void *data = malloc(n * bytes);
    assert_non_null(data);
    for (size_t i = 0; i < n; i++) {
        int64_t x = sample_int(bytes, how);
        if (bytes == 2)
            ((int16_t *)data)[i] = (int16_t)x;
        else if (bytes == 4)
            ((int32_t *)data)[i] = (int32_t)x;
        else
            ((int64_t *)data)[i] = x;
    }
    return data;
}

static fx int_at(const fx_ints *m, size_t i, size_t j)
{
    size_t at = i * m->stride + j;
    return fx_from_i64(m->bytes == 2 ? ((const int16_t *)m->data)[at] : m->bytes == 4 ? ((const int32_t *)m->data)[at] : ((const int64_t *)m->data)[at]);
}

static void matrix_of(size_t rows, size_t cols, unsigned bytes, filling how)
{
    size_t  stride = cols + rows % 5;
    void   *data = ints(rows * stride, bytes, how);
    fx_ints m = { .data = data, .rows = rows, .cols = cols, .stride = stride, .bytes = bytes };
    fxv    *w = vector(rows, how), *v = vector(cols, how), *row = vector(cols, how), *col = vector(rows, how);
    fxv    *row0 = copy_of(row, cols), *col0 = copy_of(col, rows);
    fxv_rows(row, &m, w);
    fxv_cols(col, &m, v);
    for (size_t j = 0; j < cols; j++) {
        fx sum = fxv_get(row0, j);
        for (size_t i = 0; i < rows; i++)
            sum = fx_add(sum, fx_mul(fxv_get(w, i), int_at(&m, i, j)));
        assert_fx(fxv_get(row, j), sum);
    }
    for (size_t i = 0; i < rows; i++) {
        fx sum = fxv_get(col0, i);
        for (size_t j = 0; j < cols; j++)
            sum = fx_add(sum, fx_mul(fxv_get(v, j), int_at(&m, i, j)));
        assert_fx(fxv_get(col, i), sum);
    }
    free(data), free(w), free(v), free(row), free(col), free(row0), free(col0);
}

static void integer_matrices(void **state)
{
    (void)state;
    static const size_t shape[][2] = { { 1, 1 },   { 1, 9 },    { 9, 1 },    { 8, 8 },     { 3, 70 },   { 70, 3 },
                                       { 33, 65 }, { 5, 1100 }, { 1100, 5 }, { 260, 130 }, { 2, 5000 }, { 5000, 17 } };
    for (filling how = 0; how < FILLINGS; how++)
        for (size_t s = 0; s < COUNT_OF(shape); s++)
            for (unsigned bytes = 2; bytes <= 8; bytes *= 2)
                matrix_of(shape[s][0], shape[s][1], bytes, how);
}

static void integers_become_elements(void **state)
{
    (void)state;
    for (filling how = 0; how < FILLINGS; how++)
        for (size_t l = 0; l < COUNT_OF(lengths); l++)
            for (unsigned bytes = 2; bytes <= 8; bytes *= 2) {
                size_t  n = lengths[l];
                void   *data = ints(n, bytes, how);
                fx_ints m = { .data = data, .rows = 1, .cols = n, .stride = n, .bytes = bytes };
                fxv    *out = vector(fxv_blocks(n) * FXV_LANES, RANDOM);
                fx      s = sample_fx(how);
                fxv_from_ints(out, data, bytes, n, s);
                for (size_t i = 0; i < fxv_blocks(n) * FXV_LANES; i++)
                    assert_fx(fxv_get(out, i), i < n ? fx_mul(s, int_at(&m, 0, i)) : FX_ZERO);
                free(data), free(out);
            }
}

/* --- Reed-Solomon --------------------------------------------------------------------------------------------------- */

static fp evaluate(const fp *f, size_t n, fp x)
{
    fp y = 0;
    for (size_t i = n; i--;)
        y = fp_add(fp_mul(y, x), f[i]);
    return y;
}

/* All points of small codes, some of large ones. */
static void parity_of(unsigned m, filling how)
{
    size_t n = (size_t)1 << m, step = m <= 8 ? 1 : n / 16 + 1;
    fp    *f = malloc(n * sizeof *f), *in = malloc(n * sizeof *in), *out = malloc(n * sizeof *out);
    assert_true(f && in && out);
    for (size_t i = 0; i < n; i++)
        f[i] = sample(how);
    if (m <= 8)
        for (size_t i = 0; i < n; i++)
            in[i] = evaluate(f, n, fp_pow(fp_root(m), i));
    else { /* few coefficients, so that all values are quick to make */
        for (size_t k = 3; k < n; k++)
            f[k] = 0;
        f[n - 1] = sample(how), f[n / 2] = sample(how);
        for (size_t i = 0; i < n; i++) {
            fp x = fp_pow(fp_root(m), i), half = fp_pow(x, n / 2), last = fp_pow(x, n - 1);
            in[i] = fp_add(evaluate(f, 3, x), fp_add(fp_mul(f[n / 2], half), fp_mul(f[n - 1], last)));
        }
    }
    fp_rs_parity(out, in, m);
    for (size_t i = 0; i < n; i += step)
        assert_int_equal(out[i], evaluate(f, n, fp_mul(fp_root(m + 1), fp_pow(fp_root(m), i))));
    fp_rs_parity(in, in, m);
    assert_memory_equal(in, out, n * sizeof *in);
    free(f), free(in), free(out);
}

/* Sixteen rows are as sixteen vectors. */
static void parity_rows_of(unsigned m, filling how)
{
    size_t n = (size_t)1 << m;
    fp    *rows = aligned_alloc(64, FP_RS_ROWS * n * sizeof *rows), *out = aligned_alloc(64, FP_RS_ROWS * n * sizeof *rows), *one = malloc(n * sizeof *one);
    assert_true(rows && out && one);
    for (size_t i = 0; i < FP_RS_ROWS * n; i++)
        rows[i] = sample(how);
    fp_rs_parity_rows(out, rows, m);
    for (size_t k = 0; k < FP_RS_ROWS; k++) {
        for (size_t i = 0; i < n; i++)
            one[i] = rows[FP_RS_ROWS * i + k];
        fp_rs_parity(one, one, m);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(out[FP_RS_ROWS * i + k], one[i]);
    }
    fp_rs_parity_rows(rows, rows, m);
    assert_memory_equal(rows, out, FP_RS_ROWS * n * sizeof *rows);
    free(rows), free(out), free(one);
}

static void parities(void **state)
{
    (void)state;
    for (filling how = 0; how < FILLINGS; how++) {
        for (unsigned m = 0; m <= 13; m++)
            parity_of(m, how);
        for (unsigned m = 0; m <= 13; m++)
            parity_rows_of(m, how);
    }
    for (unsigned m = 14; m <= 16; m++) { /* more than the second cache holds */
        parity_of(m, RANDOM);
        parity_rows_of(m, RANDOM);
        parity_rows_of(m, ENDS);
    }
}

static void selection(void **state)
{
    (void)state;
    assert_true(fx_isa_available(FX_ISA_PORTABLE));
    assert_false(fx_isa_available(FX_ISA_COUNT));
    fx_isa now = fx_isa_in_use();
    assert_true(fx_isa_available(now));
    fx_isa_use(FX_ISA_PORTABLE);
    assert_int_equal(fx_isa_in_use(), FX_ISA_PORTABLE);
    fx_isa_use(now);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(selection),        cmocka_unit_test(eq_tables),
        cmocka_unit_test(elementwise),      cmocka_unit_test(lengths_are_exact),
        cmocka_unit_test(folds_and_rounds), cmocka_unit_test(fractions_add_up),
        cmocka_unit_test(layer_rounds),     cmocka_unit_test(fraction_folds),   cmocka_unit_test(integer_matrices),
        cmocka_unit_test(parities),         cmocka_unit_test(integers_become_elements),
    };
    static const char *const names[FX_ISA_COUNT] = { "portable", "avx2", "avx512ifma" };
    int failed = 0;
    for (fx_isa isa = FX_ISA_PORTABLE; isa < FX_ISA_COUNT; isa++)
        if (fx_isa_available(isa)) {
            print_message("--- %s\n", names[isa]);
            fx_isa_use(isa);
            failed += cmocka_run_group_tests(tests, NULL, NULL);
        }
    return failed;
}
