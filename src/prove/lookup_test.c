/* SPDX-License-Identifier: Apache-2.0
 *
 * Single instances of the lookup argument: the claims against direct evaluation of the leaves, for every kind and many shapes, and
 * proofs that must be refused. lookup_attack_test.c has whole arguments. */
#include "prove/lookup.h"

#include "prove/prove_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

enum { K_MAX = 14 };

static pv_lookup_room *room;

typedef enum leaf_form { INTS, TUPLES, TABLE, FORMS } leaf_form;

/* An instance with its proof; p and q are the leaves, element by element. */
typedef struct sample {
    leaf_form form;
    unsigned  k;
    fxv      *p, *q;
    pv_writer w;
    pf_lookup out;
} sample;

static void prove_ints(sample *s, unsigned tile_vars, uint64_t *seed)
{
    size_t n = (size_t)1 << s->k, tile = (size_t)1 << tile_vars;
    int32_t *x = malloc(n * sizeof *x);
    const int32_t **tiles = malloc(n / tile * sizeof *tiles);
    fx *alpha = malloc(n / tile * sizeof *alpha);
    CHECK(x && tiles && alpha);
    for (size_t i = 0; i < n; i++) {
        static const int32_t edge[] = { 0, 1, 65535, 131071, -1, (1 << 24) - 1, -(1 << 24) };
        x[i] = i % 5 ? (int32_t)(kit_u64(seed) % 131072) : edge[kit_u64(seed) % COUNT_OF(edge)];
        if (i % tile == 0)
            alpha[i / tile] = kit_fx(seed);
        tiles[i / tile] = &x[i / tile * tile];
        fxv_set(s->p, i, FX_ONE);
        fxv_set(s->q, i, fx_sub(alpha[i / tile], fx_from_i64(x[i])));
    }
    pv_int_leaves leaves = { .tile = tiles, .alpha = alpha, .k = s->k, .tile_vars = tile_vars };
    assert_int_equal(pv_lookup_ints(&s->out, &s->w, room, &leaves), OK);
    free(x);
    free(tiles);
    free(alpha);
}

static void prove_tuples(sample *s, uint64_t *seed)
{
    fxv *q = kit_alloc((size_t)1 << s->k);
    for (size_t i = 0; i < (size_t)1 << s->k; i++) {
        fx x = kit_fx(seed);
        fxv_set(q, i, x);
        fxv_set(s->p, i, FX_ONE);
        fxv_set(s->q, i, x);
    }
    assert_int_equal(pv_lookup_tuples(&s->out, &s->w, room, q, s->k), OK);
    free(q);
}

static void prove_table(sample *s, uint64_t *seed)
{
    size_t n = (size_t)1 << s->k;
    fx_fractions *leaves = (fx_fractions *)kit_alloc(2 * fxv_blocks(n) * FXV_LANES);
    for (size_t i = 0; i < n; i++) {
        fx p = i % 3 ? fx_from_i64((int64_t)(kit_u64(seed) % 1000)) : kit_fx(seed), q = kit_fx(seed);
        fxv_set(&leaves[i / FXV_LANES].p, i % FXV_LANES, p);
        fxv_set(&leaves[i / FXV_LANES].q, i % FXV_LANES, q);
        fxv_set(s->p, i, p);
        fxv_set(s->q, i, q);
    }
    assert_int_equal(pv_lookup_table(&s->out, &s->w, room, leaves, s->k), OK);
    free(leaves);
}

static sample sample_make(leaf_form form, unsigned k, unsigned tile_vars, uint64_t seed)
{
    size_t n = (size_t)1 << k;
    sample s = { .form = form, .k = k, .p = kit_alloc(n), .q = kit_alloc(n), .w = kit_writer() };
    if (form == INTS)
        prove_ints(&s, tile_vars, &seed);
    else if (form == TUPLES)
        prove_tuples(&s, &seed);
    else
        prove_table(&s, &seed);
    return s;
}

static void sample_drop(sample *s)
{
    free(s->p);
    free(s->q);
    buf_deinit(&s->w.out);
}

static err verify(const sample *s, bytes proof, fault *f, pf_lookup *out)
{
    pf_transcript t = kit_transcript();
    pf_reader r = { .in = proof, .f = f };
    TRY(pf_lookup_verify(out, &r, &t, s->k, s->form == TABLE ? PF_LOOKUP_TABLE : PF_LOOKUP_UNIT));
    return pf_read_end(&r);
}

static void expect(const sample *s, err want, const char *what)
{
    pf_lookup out;
    fault f = { 0 };
    assert_int_equal(verify(s, buf_bytes(&s->w.out), &f, &out), want);
    assert_int_equal(f.code, want);
    assert_string_equal(f.what, what);
}

/* ---- what holds ---- */

/* The root is the sum of the leaves: added here one after the other, so only the value and the product of denominators agree. */
static void check_root(const sample *s, pf_fraction root)
{
    pf_fraction sum = { FX_ZERO, FX_ONE };
    for (size_t i = 0; i < (size_t)1 << s->k; i++) {
        fx p = fxv_get(s->p, i), q = fxv_get(s->q, i);
        sum = (pf_fraction){ fx_add(fx_mul(sum.p, q), fx_mul(p, sum.q)), fx_mul(sum.q, q) };
    }
    assert_true(fx_equal(sum.p, root.p));
    assert_true(fx_equal(sum.q, root.q));
}

static void check(const sample *s)
{
    pf_lookup out;
    assert_int_equal(verify(s, buf_bytes(&s->w.out), NULL, &out), OK);
    check_root(s, out.root);
    assert_true(fx_equal(out.claim.p, kit_eval(s->p, out.point, s->k)));
    assert_true(fx_equal(out.claim.q, kit_eval(s->q, out.point, s->k)));
    assert_memory_equal(out.point, s->out.point, s->k * sizeof *out.point);
    assert_memory_equal(&out.root, &s->out.root, sizeof out.root);
    assert_memory_equal(&out.claim, &s->out.claim, sizeof out.claim);
    size_t layers = s->k * (s->k - 1) / 2 * 2 + 4 * s->k - (s->form != TABLE && s->k > 0 ? 2 : 0);
    assert_int_equal(s->w.out.len, (2 + layers) * FX_BYTES);
}

static void claims_are_the_extensions_of_the_leaves(void **state)
{
    (void)state;
    for (unsigned k = 0; k <= K_MAX; k++)
        for (leaf_form form = INTS; form < FORMS; form++) {
            sample s = sample_make(form, k, k, k);
            check(&s);
            sample_drop(&s);
        }
}

static void tiles_of_every_size(void **state)
{
    (void)state;
    static const unsigned ks[] = { 1, 4, 5, 6, 9, 12, 13 };
    for (size_t i = 0; i < COUNT_OF(ks); i++)
        for (unsigned tile_vars = 0; tile_vars < ks[i]; tile_vars++) {
            sample s = sample_make(INTS, ks[i], tile_vars, i);
            check(&s);
            sample_drop(&s);
        }
}

static void same_bytes_on_every_instruction_set(void **state)
{
    (void)state;
    fx_isa before = fx_isa_in_use();
    for (unsigned k = 0; k <= 13; k++)
        for (leaf_form form = INTS; form < FORMS; form++) {
            unsigned tile_vars = k > 3 ? k - 2 : k;
            fx_isa_use(FX_ISA_PORTABLE);
            sample want = sample_make(form, k, tile_vars, k);
            for (fx_isa isa = FX_ISA_PORTABLE + 1; isa < FX_ISA_COUNT; isa++) {
                if (!fx_isa_available(isa))
                    continue;
                fx_isa_use(isa);
                sample s = sample_make(form, k, tile_vars, k);
                assert_true(bytes_equal(buf_bytes(&s.w.out), buf_bytes(&want.w.out)));
                sample_drop(&s);
            }
            sample_drop(&want);
        }
    fx_isa_use(before);
}

/* Integers as tuples: one protocol, two provers. */
static void integers_and_tuples_have_one_proof(void **state)
{
    (void)state;
    for (unsigned k = 0; k <= 11; k++) {
        sample s = sample_make(INTS, k, k / 2 + k % 2, k);
        pv_writer w = kit_writer();
        pf_lookup out;
        assert_int_equal(pv_lookup_tuples(&out, &w, room, s.q, k), OK);
        assert_true(bytes_equal(buf_bytes(&s.w.out), buf_bytes(&w.out)));
        buf_deinit(&w.out);
        sample_drop(&s);
    }
}

/* ---- what is refused ---- */

static void each_byte_altered_is_refused(void **state)
{
    (void)state;
    for (unsigned k = 1; k <= 4; k++)
        for (leaf_form form = INTS; form < FORMS; form++) {
            sample s = sample_make(form, k, k, 1);
            for (size_t i = 0; i < s.w.out.len; i++)
                for (unsigned bit = 0; bit < 8; bit++) {
                    pf_lookup out;
                    fault f = { 0 };
                    s.w.out.data[i] ^= (uint8_t)(1u << bit);
                    err e = verify(&s, buf_bytes(&s.w.out), &f, &out);
                    assert_true(e == ERR_UNPROVED || e == ERR_CANONICAL);
                    assert_int_equal(f.code, e);
                    assert_non_null(f.what);
                    s.w.out.data[i] ^= (uint8_t)(1u << bit);
                }
            sample_drop(&s);
        }
}

/* The relation of the last layer does not tell Q_0 from Q_1; the claim on the leaves does. */
static void expect_false_claim(const sample *s)
{
    pf_lookup out;
    assert_int_equal(verify(s, buf_bytes(&s->w.out), NULL, &out), OK);
    assert_false(fx_equal(out.claim.q, kit_eval(s->q, out.point, s->k)));
}

static void each_element_changed_is_refused(void **state)
{
    (void)state;
    for (leaf_form form = INTS; form < FORMS; form++) {
        sample s = sample_make(form, 5, 5, 2);
        size_t elements = s.w.out.len / FX_BYTES;
        for (size_t i = 0; i < elements; i++) {
            fx was = kit_proof_get(&s.w.out, i), next = kit_proof_get(&s.w.out, (i + 1) % elements);
            const fx to[] = { FX_ZERO, fx_add(was, FX_ONE), fx_neg(was), next };
            for (size_t j = 0; j < COUNT_OF(to); j++) {
                kit_proof_set(&s.w.out, i, to[j]);
                expect(&s, ERR_UNPROVED, i == 1 && j == 0 ? "lookup.root" : "lookup.layer");
            }
            kit_proof_set(&s.w.out, (i + 1) % elements, was); /* neighbours swapped */
            if (i == elements - 2 && form != TABLE)
                expect_false_claim(&s);
            else
                expect(&s, ERR_UNPROVED, "lookup.layer");
            kit_proof_set(&s.w.out, (i + 1) % elements, next);
            kit_proof_set(&s.w.out, i, was);
        }
        sample_drop(&s);
    }
}

static void truncated_or_extended_is_refused(void **state)
{
    (void)state;
    for (unsigned k = 0; k <= 4; k++)
        for (leaf_form form = INTS; form < FORMS; form++) {
            sample s = sample_make(form, k, k, 3);
            pf_lookup out;
            fault f = { 0 };
            for (size_t len = 0; len < s.w.out.len; len++) {
                uint8_t *exact = malloc(len + 1); /* so that a read past the end is one past the allocation */
                CHECK(exact);
                memcpy(exact + 1, s.w.out.data, len);
                assert_int_equal(verify(&s, bytes_of(exact + 1, len), &f, &out), ERR_TRUNCATED);
                assert_true(f.at <= len);
                free(exact);
            }
            assert_int_equal(buf_put(&s.w.out, "", 1), OK);
            expect(&s, ERR_TRAILING, "proof");
            sample_drop(&s);
        }
}

/* The rounds of layer m begin after the root and the layers before it. */
static size_t first_element(unsigned m)
{
    return 2 + m * (m - 1) + 4 * m;
}

static void copy_round(buf *proof, size_t to, size_t from)
{
    for (size_t i = 0; i < 2; i++)
        kit_proof_set(proof, to + i, kit_proof_get(proof, from + i));
}

/* Each round of each layer replayed over each other, and all rounds of a layer zero. */
static void rounds_out_of_place_are_refused(void **state)
{
    (void)state;
    enum { K = 6 };
    for (leaf_form form = INTS; form < FORMS; form++)
        for (unsigned m = 1; m < K; m++) {
            for (unsigned a = 0; a < m; a++)
                for (unsigned b = 0; b < m; b++) {
                    if (a == b)
                        continue;
                    sample s = sample_make(form, K, K, 4);
                    copy_round(&s.w.out, first_element(m) + 2 * a, first_element(m) + 2 * b);
                    expect(&s, ERR_UNPROVED, "lookup.layer");
                    sample_drop(&s);
                }
            sample s = sample_make(form, K, K, 4);
            for (unsigned i = 0; i < 2 * m; i++)
                kit_proof_set(&s.w.out, first_element(m) + i, FX_ZERO);
            expect(&s, ERR_UNPROVED, "lookup.layer");
            sample_drop(&s);
        }
}

/* A layer less or more, or the other kind, is another format. */
static void other_shapes_are_refused(void **state)
{
    (void)state;
    for (leaf_form form = INTS; form < FORMS; form++) {
        sample s = sample_make(form, 5, 5, 5);
        for (unsigned k = 0; k <= 6; k++)
            for (unsigned other = 0; other < 2; other++) {
                pf_lookup out;
                fault f = { 0 };
                sample seen = { .k = k, .form = other ? TABLE : INTS, .w = s.w };
                if (k != s.k || other != (form == TABLE))
                    assert_int_not_equal(verify(&seen, buf_bytes(&s.w.out), &f, &out), OK);
            }
        sample_drop(&s);
    }
}

static void a_root_without_denominator_is_refused(void **state)
{
    (void)state;
    for (unsigned k = 0; k <= 3; k++)
        for (leaf_form form = INTS; form < FORMS; form++) {
            sample s = sample_make(form, k, k, 6);
            kit_proof_set(&s.w.out, 1, FX_ZERO);
            expect(&s, ERR_UNPROVED, "lookup.root");
            sample_drop(&s);
        }
}

/* The prover's own refusal: a leaf that is 1 / 0. */
static void a_leaf_without_denominator_cannot_be_proved(void **state)
{
    (void)state;
    uint64_t seed = 7;
    for (unsigned k = 0; k <= 6; k++) {
        size_t n = (size_t)1 << k;
        pv_writer w = kit_writer();
        pf_lookup out;
        fxv *q = kit_vec(&seed, n);
        fxv_set(q, n / 2, FX_ZERO);
        assert_int_equal(pv_lookup_tuples(&out, &w, room, q, k), ERR_UNPROVED);
        free(q);
        buf_deinit(&w.out);
    }
}

/* One leaf is its own root; its numerator is sent, so it must be looked at. */
static void the_numerator_of_a_single_leaf_is_1(void **state)
{
    (void)state;
    sample s = sample_make(INTS, 0, 0, 8);
    kit_proof_set(&s.w.out, 0, fx_from_i64(2));
    expect(&s, ERR_UNPROVED, "lookup.root");
    sample_drop(&s);
    s = sample_make(TABLE, 0, 0, 8);
    check(&s);
    sample_drop(&s);
}

static void a_full_proof_buffer_is_an_error(void **state)
{
    (void)state;
    sample s = sample_make(TUPLES, 6, 6, 9);
    for (size_t max = 0; max < s.w.out.len; max += FX_BYTES) {
        pv_writer w = { .t = kit_transcript() };
        pf_lookup out;
        fxv *q = kit_alloc(64);
        memcpy(q, s.q, 8 * sizeof *q);
        buf_init(&w.out, max);
        assert_int_equal(pv_lookup_tuples(&out, &w, room, q, 6), ERR_LIMIT);
        buf_deinit(&w.out);
        free(q);
    }
    sample_drop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(claims_are_the_extensions_of_the_leaves),
        cmocka_unit_test(tiles_of_every_size),
        cmocka_unit_test(same_bytes_on_every_instruction_set),
        cmocka_unit_test(integers_and_tuples_have_one_proof),
        cmocka_unit_test(each_byte_altered_is_refused),
        cmocka_unit_test(each_element_changed_is_refused),
        cmocka_unit_test(truncated_or_extended_is_refused),
        cmocka_unit_test(rounds_out_of_place_are_refused),
        cmocka_unit_test(other_shapes_are_refused),
        cmocka_unit_test(a_root_without_denominator_is_refused),
        cmocka_unit_test(a_leaf_without_denominator_cannot_be_proved),
        cmocka_unit_test(the_numerator_of_a_single_leaf_is_1),
        cmocka_unit_test(a_full_proof_buffer_is_an_error),
    };
    CHECK(pv_lookup_room_new(&room, K_MAX) == OK);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pv_lookup_room_free(room);
    return failed;
}
