/* SPDX-License-Identifier: Apache-2.0
 *
 * The transcript against tools/vectors/transcript.py, and the properties that the proof's soundness leans on. */
#include "proof/transcript.h"

#include "proof/transcript_vectors_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* Compares with the next row: the state, and what the row lists. */
static size_t row;

static void matches(const pf_transcript *t, const fx *elements, size_t n_elements, const uint32_t *indices, size_t n_indices)
{
    char hex[65];
    assert_true(row < COUNT_OF(transcript_vectors));
    base_hex_encode(hex, t->state.b, 32);
    assert_string_equal(hex, transcript_vectors[row].state);
    for (size_t i = 0; i < n_elements; i++)
        for (int k = 0; k < 3; k++)
            assert_int_equal(fp_to_u64(elements[i].c[k]), transcript_vectors[row].elements[i][k]);
    for (size_t i = 0; i < n_indices; i++)
        assert_int_equal(indices[i], transcript_vectors[row].indices[i]);
    row++;
}

static void state_matches(const pf_transcript *t)
{
    matches(t, NULL, 0, NULL, 0);
}

static void squeezes_match(pf_transcript *t)
{
    pf_stream s;
    fx        all[200];
    uint32_t  index[4];
    static const unsigned bits[] = { 0, 1, 18, 32 };
    pf_squeeze(t, &s, "first");
    for (size_t i = 0; i < COUNT_OF(all); i++)
        all[i] = pf_stream_fx(&s);
    index[0] = pf_stream_index(&s, 10);
    matches(t, (fx[]){ all[0], all[1], all[198], all[199] }, 4, index, 1);
    pf_squeeze(t, &s, "queries");
    for (size_t i = 0; i < COUNT_OF(bits); i++)
        index[i] = pf_stream_index(&s, bits[i]);
    matches(t, NULL, 0, index, 4);
}

static void vectors(void **state)
{
    (void)state;
    static uint8_t long_data[5000];
    const fx elements[] = { { { 0, FP_ONE, fp_from_u64(FP_P - 1) } }, { { fp_from_u64(2), fp_from_u64(3), fp_from_u64(4) } } };
    for (size_t i = 0; i < sizeof long_data; i++)
        long_data[i] = (uint8_t)(i % 251);
    pf_transcript t, forks[3];
    pf_start(&t, 1);
    state_matches(&t);
    pf_absorb(&t, "empty", bytes_of(NULL, 0));
    state_matches(&t);
    pf_absorb(&t, "", bytes_of(long_data, sizeof long_data));
    state_matches(&t);
    pf_absorb_u64(&t, "n", UINT64_MAX);
    state_matches(&t);
    pf_absorb_fx(&t, "elements", elements, 2);
    state_matches(&t);
    squeezes_match(&t);
    for (uint64_t i = 0; i < 3; i++)
        forks[i] = pf_fork(&t, "part", i);
    state_matches(&forks[0]);
    state_matches(&forks[2]);
    pf_absorb(&forks[1], "inside", bytes_of_str("x"));
    state_matches(&forks[1]);
    pf_join(&t, forks, 3);
    state_matches(&t);
    pf_join(&t, NULL, 0);
    state_matches(&t);
    assert_int_equal(row, COUNT_OF(transcript_vectors));
}

static bool same(const pf_transcript *a, const pf_transcript *b)
{
    return hash256_equal(&a->state, &b->state);
}

static pf_transcript after(const char *label, const void *data, size_t len)
{
    pf_transcript t;
    pf_start(&t, 1);
    pf_absorb(&t, label, bytes_of(data, len));
    return t;
}

/* No two different lists of messages give one state: lengths and labels are part of what is hashed. */
static void framing_is_unambiguous(void **state)
{
    (void)state;
    static const uint8_t x[] = { 7, 0, 0, 0, 0, 0, 0, 0, 0 };
    pf_transcript one = after("a", x, 1), padded = after("a", x, 2), none = after("a", x, 0), other = after("b", x, 1);
    assert_false(same(&one, &padded));
    assert_false(same(&one, &none));
    assert_false(same(&one, &other));
    pf_transcript joined = after("ab", "c", 1), split = after("a", "bc", 2);
    assert_false(same(&joined, &split));
    pf_transcript twice = after("a", x, 1), whole = after("a", x, 2);
    pf_absorb(&twice, "a", bytes_of(x + 1, 1));
    assert_false(same(&twice, &whole));
    pf_transcript empty = one;
    pf_absorb(&empty, "a", bytes_of(NULL, 0)); /* an empty message is a message */
    assert_false(same(&empty, &one));
    pf_transcript number = after("n", x, 0), text = number;
    pf_absorb_u64(&number, "n", 7);
    pf_absorb(&text, "n", bytes_of(x, 8));
    assert_true(same(&number, &text));
    const fx zero[] = { FX_ONE, FX_ZERO };
    pf_transcript fx1 = one, fx2 = one;
    pf_absorb_fx(&fx1, "e", zero, 1);
    pf_absorb_fx(&fx2, "e", zero, 2);
    assert_false(same(&fx1, &fx2));
    pf_transcript version;
    pf_start(&version, 2);
    pf_transcript first;
    pf_start(&first, 1);
    assert_false(same(&version, &first));
}

enum { MESSAGES = 12 };

/* A run of MESSAGES absorbs; `skip`, `change` and `swap` name the message that is left out, altered, or exchanged with the one after it. */
static fx challenge_of(int skip, int change, int swap)
{
    pf_transcript t;
    fx            c;
    pf_start(&t, 1);
    for (int i = 0; i < MESSAGES; i++) {
        int     which = i == swap ? i + 1 : swap >= 0 && i == swap + 1 ? i - 1 : i;
        uint8_t data[] = { 1, 2, (uint8_t)which, (uint8_t)(i == change) };
        if (i != skip)
            pf_absorb(&t, "message", bytes_of(data, sizeof data));
    }
    pf_challenge(&t, "c", &c, 1);
    return c;
}

static void every_absorb_counts(void **state)
{
    (void)state;
    fx honest = challenge_of(-1, -1, -1);
    assert_true(fx_equal(honest, challenge_of(-1, -1, -1)));
    for (int i = 0; i < MESSAGES; i++) {
        assert_false(fx_equal(honest, challenge_of(i, -1, -1)));
        assert_false(fx_equal(honest, challenge_of(-1, i, -1)));
        if (i + 1 < MESSAGES)
            assert_false(fx_equal(honest, challenge_of(-1, -1, i)));
    }
}

static void squeezes_move_the_state(void **state)
{
    (void)state;
    pf_transcript t, u;
    fx            a[3], b[3], c;
    pf_start(&t, 1);
    u = t;
    pf_challenge(&t, "c", a, 3);
    pf_challenge(&u, "c", b, 1);
    assert_true(fx_equal(a[0], b[0])); /* how much is drawn leaves no trace */
    assert_true(same(&t, &u));
    pf_challenge(&t, "c", &c, 1);
    assert_false(fx_equal(a[0], c) || fx_equal(a[1], c));
    pf_challenge(&u, "d", &b[1], 1); /* the label counts */
    assert_false(fx_equal(b[1], c));
    /* The state after a squeeze is not in the stream, and a stream reads the same in any portions. */
    pf_stream s;
    pf_start(&t, 1);
    pf_squeeze(&t, &s, "c");
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++)
            assert_int_equal(pf_stream_fp(&s), a[i].c[k]);
}

static void forks_depend_on_everything_before(void **state)
{
    (void)state;
    pf_transcript t, u;
    pf_start(&t, 1);
    u = t;
    pf_absorb(&u, "a", bytes_of_str("x"));
    pf_transcript f0 = pf_fork(&t, "part", 0), f1 = pf_fork(&t, "part", 1), g0 = pf_fork(&u, "part", 0), h0 = pf_fork(&t, "other", 0);
    assert_false(same(&f0, &f1) || same(&f0, &g0) || same(&f0, &h0) || same(&f0, &t));
    pf_transcript in_order[] = { f0, f1 }, swapped[] = { f1, f0 };
    pf_transcript a = t, b = t, c = t, d = t;
    pf_join(&a, in_order, 2);
    pf_join(&b, swapped, 2);
    pf_join(&c, in_order, 1);
    pf_absorb(&in_order[1], "late", bytes_of(NULL, 0));
    pf_join(&d, in_order, 2);
    assert_false(same(&a, &b) || same(&a, &c) || same(&a, &d) || same(&c, &t));
}

/* Chi-square of `n` draws in `bins` cells; for 63 degrees of freedom 130 is passed by chance once in a million. */
static double chi_square(const uint32_t *count, size_t bins, double n)
{
    double sum = 0, mean = n / (double)bins;
    for (size_t i = 0; i < bins; i++)
        sum += ((double)count[i] - mean) * ((double)count[i] - mean) / mean;
    return sum;
}

enum { BINS = 64, DRAWS = 60000 };

/* By their size and by their lowest bits: a draw reduced mod p instead of rejected would crowd the lower fifth of the field. */
static void elements_are_uniform(void **state)
{
    (void)state;
    pf_transcript t;
    pf_stream     s;
    uint32_t      high[BINS] = { 0 }, low[BINS] = { 0 };
    pf_start(&t, 1);
    pf_squeeze(&t, &s, "uniform");
    for (int i = 0; i < DRAWS; i++) {
        uint64_t x = fp_to_u64(pf_stream_fp(&s));
        assert_true(x < FP_P);
        high[(u128)x * BINS / FP_P]++;
        low[x % BINS]++;
    }
    assert_true(chi_square(high, BINS, DRAWS) < 130);
    assert_true(chi_square(low, BINS, DRAWS) < 130);
}

static void indices_are_uniform(void **state)
{
    (void)state;
    pf_transcript t;
    pf_stream     s;
    uint32_t      count[BINS] = { 0 }, high[BINS] = { 0 };
    pf_start(&t, 1);
    pf_squeeze(&t, &s, "uniform");
    for (int i = 0; i < DRAWS; i++) {
        count[pf_stream_index(&s, 6)]++;
        high[pf_stream_index(&s, 17) >> 11]++;
    }
    assert_true(chi_square(count, BINS, DRAWS) < 130);
    assert_true(chi_square(high, BINS, DRAWS) < 130);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors),
        cmocka_unit_test(framing_is_unambiguous),
        cmocka_unit_test(every_absorb_counts),
        cmocka_unit_test(squeezes_move_the_state),
        cmocka_unit_test(forks_depend_on_everything_before),
        cmocka_unit_test(elements_are_uniform),
        cmocka_unit_test(indices_are_uniform),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
