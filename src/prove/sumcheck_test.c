/* SPDX-License-Identifier: Apache-2.0
 *
 * Inner products: the prover's ends against direct evaluation, and proofs that must be refused. */
#include "prove/sumcheck.h"

#include "prove/prove_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

enum { VARS_MAX = 12, PRODUCTS_MAX = 3 };

/* One inner product with its proof. */
typedef struct sample {
    unsigned   n;
    size_t     count;
    fx         value;
    pv_product copy[PRODUCTS_MAX]; /* as they were */
    pv_writer  w;
    fx         point[VARS_MAX], ends[2 * PRODUCTS_MAX];
} sample;

static fxv *duplicate(const fxv *a, size_t n)
{
    fxv *b = kit_alloc(n);
    memcpy(b, a, fxv_blocks(n) * sizeof *a);
    return b;
}

static sample sample_make(unsigned n, size_t count, uint64_t seed)
{
    sample s = { .n = n, .count = count, .value = FX_ZERO, .w = kit_writer() };
    pv_product used[PRODUCTS_MAX];
    size_t len = (size_t)1 << n;
    for (size_t m = 0; m < count; m++) {
        s.copy[m] = (pv_product){ kit_vec(&seed, len), kit_vec(&seed, len) };
        used[m] = (pv_product){ duplicate(s.copy[m].p, len), duplicate(s.copy[m].b, len) };
        for (size_t i = 0; i < len; i++)
            s.value = fx_add(s.value, fx_mul(fxv_get(s.copy[m].p, i), fxv_get(s.copy[m].b, i)));
    }
    assert_int_equal(pv_inner_product(&s.w, used, count, n, s.point, s.ends), OK);
    for (size_t m = 0; m < count; m++) {
        free(used[m].p);
        free(used[m].b);
    }
    return s;
}

static void sample_drop(sample *s)
{
    for (size_t m = 0; m < s->count; m++) {
        free(s->copy[m].p);
        free(s->copy[m].b);
    }
    buf_deinit(&s->w.out);
}

static err verify(const sample *s, bytes proof, fx value, fault *f, fx *point, fx *ends)
{
    pf_transcript t = kit_transcript();
    pf_reader r = { .in = proof, .f = f };
    TRY(pf_inner_product(&r, &t, "sample", value, s->n, s->count, point, ends));
    return pf_read_end(&r);
}

static void expect_unproved(const sample *s, bytes proof, fx value)
{
    fx point[VARS_MAX], ends[2 * PRODUCTS_MAX];
    fault f = { 0 };
    assert_int_equal(verify(s, proof, value, &f, point, ends), ERR_UNPROVED);
    assert_int_equal(f.code, ERR_UNPROVED);
    assert_string_equal(f.what, "sample");
}

static void ends_are_the_extensions(void **state)
{
    (void)state;
    for (unsigned n = 0; n <= VARS_MAX; n++)
        for (size_t count = 1; count <= PRODUCTS_MAX; count++) {
            sample s = sample_make(n, count, 100 * n + count);
            fx point[VARS_MAX], ends[2 * PRODUCTS_MAX];
            assert_int_equal(verify(&s, buf_bytes(&s.w.out), s.value, NULL, point, ends), OK);
            assert_memory_equal(point, s.point, n * sizeof *point);
            for (size_t m = 0; m < count; m++) {
                assert_true(fx_equal(ends[2 * m], kit_eval(s.copy[m].p, point, n)));
                assert_true(fx_equal(ends[2 * m + 1], kit_eval(s.copy[m].b, point, n)));
            }
            sample_drop(&s);
        }
}

static void same_bytes_on_every_instruction_set(void **state)
{
    (void)state;
    fx_isa before = fx_isa_in_use();
    for (unsigned n = 0; n <= VARS_MAX; n++) {
        fx_isa_use(FX_ISA_PORTABLE);
        sample want = sample_make(n, 2, n);
        for (fx_isa isa = FX_ISA_PORTABLE + 1; isa < FX_ISA_COUNT; isa++) {
            if (!fx_isa_available(isa))
                continue;
            fx_isa_use(isa);
            sample s = sample_make(n, 2, n);
            assert_true(bytes_equal(buf_bytes(&s.w.out), buf_bytes(&want.w.out)));
            sample_drop(&s);
        }
        sample_drop(&want);
    }
    fx_isa_use(before);
}

static void a_wrong_value_is_refused(void **state)
{
    (void)state;
    for (unsigned n = 0; n <= 4; n++) {
        sample s = sample_make(n, 2, n);
        expect_unproved(&s, buf_bytes(&s.w.out), fx_add(s.value, FX_ONE));
        sample_drop(&s);
    }
}

/* Round v of n is elements 2 v and 2 v + 1: g(0) and the coefficient of X^2. */
static void each_element_changed_is_refused(void **state)
{
    (void)state;
    sample s = sample_make(5, 2, 1);
    size_t elements = s.w.out.len / FX_BYTES;
    for (size_t i = 0; i < elements; i++) {
        fx was = kit_proof_get(&s.w.out, i);
        const fx to[] = { FX_ZERO, fx_add(was, FX_ONE), fx_neg(was), kit_proof_get(&s.w.out, (i + 1) % elements) };
        for (size_t j = 0; j < COUNT_OF(to); j++) {
            kit_proof_set(&s.w.out, i, to[j]);
            expect_unproved(&s, buf_bytes(&s.w.out), s.value);
        }
        kit_proof_set(&s.w.out, i, was);
    }
    sample_drop(&s);
}

static void rounds_out_of_place_are_refused(void **state)
{
    (void)state;
    sample s = sample_make(5, 1, 2);
    uint8_t *data = s.w.out.data, kept[512], round[2 * FX_BYTES];
    assert_true(s.w.out.len <= sizeof kept);
    memcpy(kept, data, s.w.out.len);
    for (unsigned a = 0; a < s.n; a++) {
        for (unsigned b = 0; b < s.n; b++) {
            if (a == b)
                continue;
            memcpy(data + a * sizeof round, kept + b * sizeof round, sizeof round); /* replayed */
            expect_unproved(&s, buf_bytes(&s.w.out), s.value);
            memcpy(data + b * sizeof round, kept + a * sizeof round, sizeof round); /* swapped */
            expect_unproved(&s, buf_bytes(&s.w.out), s.value);
            memcpy(data, kept, s.w.out.len);
        }
        memset(data + a * sizeof round, 0, sizeof round);
        expect_unproved(&s, buf_bytes(&s.w.out), s.value);
        memcpy(data, kept, s.w.out.len);
    }
    memset(data, 0, s.n * sizeof round); /* all rounds zero */
    expect_unproved(&s, buf_bytes(&s.w.out), s.value);
    expect_unproved(&s, buf_bytes(&s.w.out), FX_ZERO);
    sample_drop(&s);
}

/* A false value whose error is spread over g(0) and g(1) or over g(0) and X^2, as if by a linear term: the next round must notice. */
static void a_compensated_value_is_refused(void **state)
{
    (void)state;
    sample s = sample_make(4, 1, 3);
    fx error = fx_from_i64(6), half = fx_mul(error, fx_inv(fx_from_i64(2))), g0 = kit_proof_get(&s.w.out, 0);
    fx square = kit_proof_get(&s.w.out, 1);
    kit_proof_set(&s.w.out, 0, fx_add(g0, half));
    expect_unproved(&s, buf_bytes(&s.w.out), fx_add(s.value, error));
    kit_proof_set(&s.w.out, 0, fx_add(g0, error));
    kit_proof_set(&s.w.out, 1, fx_sub(square, error));
    expect_unproved(&s, buf_bytes(&s.w.out), fx_add(s.value, error));
    sample_drop(&s);
}

/* Ends that make up the last claim but are others: accepted here, and a false claim for the caller. */
static void other_ends_are_other_claims(void **state)
{
    (void)state;
    sample s = sample_make(3, 1, 4);
    fx point[VARS_MAX], ends[2], two = fx_from_i64(2);
    kit_proof_set(&s.w.out, 6, fx_mul(s.ends[0], two));
    kit_proof_set(&s.w.out, 7, fx_mul(s.ends[1], fx_inv(two)));
    assert_int_equal(verify(&s, buf_bytes(&s.w.out), s.value, NULL, point, ends), OK);
    assert_false(fx_equal(ends[0], kit_eval(s.copy[0].p, point, s.n)));
    sample_drop(&s);
}

static void a_round_too_few_or_too_many_is_refused(void **state)
{
    (void)state;
    sample s = sample_make(4, 2, 5);
    fx point[VARS_MAX], ends[2 * PRODUCTS_MAX];
    fault f = { 0 };
    for (unsigned n = 0; n <= 6; n++) {
        sample other = { .n = n, .count = s.count };
        if (n == s.n)
            continue;
        assert_int_equal(verify(&other, buf_bytes(&s.w.out), s.value, &f, point, ends), n > s.n ? ERR_TRUNCATED : ERR_UNPROVED);
    }
    for (size_t len = 0; len < s.w.out.len; len++) {
        assert_int_equal(verify(&s, bytes_of(s.w.out.data, len), s.value, &f, point, ends), ERR_TRUNCATED);
        assert_true(f.at <= len);
    }
    assert_int_equal(buf_put(&s.w.out, "", 1), OK);
    assert_int_equal(verify(&s, buf_bytes(&s.w.out), s.value, &f, point, ends), ERR_TRAILING);
    sample_drop(&s);
}

static void each_byte_altered_is_refused(void **state)
{
    (void)state;
    sample s = sample_make(3, 2, 6);
    fx point[VARS_MAX], ends[2 * PRODUCTS_MAX];
    for (size_t i = 0; i < s.w.out.len; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            fault f = { 0 };
            s.w.out.data[i] ^= (uint8_t)(1u << bit);
            err e = verify(&s, buf_bytes(&s.w.out), s.value, &f, point, ends);
            assert_true(e == ERR_UNPROVED || e == ERR_CANONICAL);
            assert_int_equal(f.code, e);
            s.w.out.data[i] ^= (uint8_t)(1u << bit);
        }
    sample_drop(&s);
}

static void a_full_proof_buffer_is_an_error(void **state)
{
    (void)state;
    uint64_t seed = 7;
    for (size_t max = 0; max < 4 * 2 * FX_BYTES; max += FX_BYTES) {
        pv_writer w = { .t = kit_transcript() };
        buf_init(&w.out, max);
        pv_product p = { kit_vec(&seed, 8), kit_vec(&seed, 8) };
        fx point[3], ends[2];
        assert_int_equal(pv_inner_product(&w, &p, 1, 3, point, ends), ERR_LIMIT);
        free(p.p);
        free(p.b);
        buf_deinit(&w.out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_are_the_extensions),
        cmocka_unit_test(same_bytes_on_every_instruction_set),
        cmocka_unit_test(a_wrong_value_is_refused),
        cmocka_unit_test(each_element_changed_is_refused),
        cmocka_unit_test(rounds_out_of_place_are_refused),
        cmocka_unit_test(a_compensated_value_is_refused),
        cmocka_unit_test(other_ends_are_other_claims),
        cmocka_unit_test(a_round_too_few_or_too_many_is_refused),
        cmocka_unit_test(each_byte_altered_is_refused),
        cmocka_unit_test(a_full_proof_buffer_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
