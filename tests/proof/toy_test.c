/* SPDX-License-Identifier: Apache-2.0
 *
 * Soundness, measured. The sources of the sumcheck and of the lookup argument, built over a field K of 343 elements (toy/field/prime.h): a
 * cheating prover who does his best in each message is accepted as often as the analysis says (spec/proof.md section 13), no more and no less. */
#include "proof/lookup.h"
#include "prove/lookup.h"
#include "prove/prove_kit.h"
#include "prove/sumcheck.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

enum { FIELD = 343, TRIALS = 40000, BAD_TRIALS = 10000, VARS = 4, K_TREE = 3 };

/* `hits` of `trials` against the chance of each: five standard deviations; seeds are fixed, so the outcome is, too. */
static void assert_rate(unsigned hits, unsigned trials, double chance, double bound)
{
    double expected = trials * chance, spread = 5 * sqrt(trials * chance * (1 - chance));
    print_message("accepted %u of %u, predicted %.1f, bound %.1f\n", hits, trials, expected, bound * trials);
    assert_true(fabs(hits - expected) <= spread);
    assert_true(hits <= bound * trials + spread);
    assert_true(chance <= bound);
}

static fx element(size_t i)
{
    return (fx){ { fp_from_u64(i % 7), fp_from_u64(i / 7 % 7), fp_from_u64(i / 49) } };
}

static fx random_element(uint64_t *seed, bool zero_too)
{
    return element(zero_too ? kit_u64(seed) % FIELD : 1 + kit_u64(seed) % (FIELD - 1));
}

static void toy_field(void **state)
{
    (void)state;
    for (size_t i = 1; i < FIELD; i++)
        assert_true(fx_equal(fx_mul(element(i), fx_inv(element(i))), FX_ONE)); /* so K is a field */
}

/* ---- cheats in a round ---- */

/* e(X) = scale (X - a) (X - b) with (1 - r) e(0) + r e(1) = error; r = 1/2 and twice the error give e(0) + e(1). Zero at a and b only: two
 * challenges of |K| make the next claim true. */
typedef struct cheat {
    fx scale, a, b;
} cheat;

static fx cheat_at(const cheat *c, fx x)
{
    return fx_mul(c->scale, fx_mul(fx_sub(x, c->a), fx_sub(x, c->b)));
}

static cheat cheat_make(uint64_t *seed, fx r, fx error)
{
    for (;;) {
        cheat c = { FX_ONE, random_element(seed, true), random_element(seed, true) };
        fx sum = fx_add(fx_mul(fx_sub(FX_ONE, r), cheat_at(&c, FX_ZERO)), fx_mul(r, cheat_at(&c, FX_ONE)));
        if (fx_equal(c.a, c.b) || fx_equal(sum, FX_ZERO))
            continue;
        c.scale = fx_mul(error, fx_inv(sum));
        return c;
    }
}

/* Sends the true round polynomial g (g(0) and the coefficient of X^2) plus the cheat; *error becomes what is left of it. */
static fx send_round(pv_writer *w, const fx g[2], uint64_t *seed, fx r, fx *error)
{
    fx sent[2] = { g[0], g[1] }, challenge;
    cheat c = { FX_ZERO, FX_ZERO, FX_ZERO };
    if (!fx_equal(*error, FX_ZERO)) {
        c = cheat_make(seed, r, *error);
        sent[0] = fx_add(g[0], cheat_at(&c, FX_ZERO));
        sent[1] = fx_add(g[1], c.scale);
    }
    assert_int_equal(pv_send_fx(w, "round", sent, 2), OK);
    pf_challenge(&w->t, "round", &challenge, 1);
    *error = cheat_at(&c, challenge);
    return challenge;
}

/* ---- a false inner product ---- */

static bool false_inner_product_accepted(uint64_t *seed)
{
    fxv *p = kit_alloc(1 << VARS), *b = kit_alloc(1 << VARS);
    for (size_t i = 0; i < 1 << VARS; i++) {
        fxv_set(p, i, random_element(seed, true));
        fxv_set(b, i, random_element(seed, true));
    }
    fx error = random_element(seed, false), value = fx_add(fxv_dot(p, b, 1 << VARS), error), half = fx_inv(fx_from_i64(2));
    pv_writer w = kit_writer();
    pf_absorb_fx(&w.t, "value", &value, 1);
    pf_transcript t = w.t;
    for (unsigned v = VARS; v-- > 0;) {
        fx g[2] = { FX_ZERO, FX_ZERO };
        fxv_round(g, p, b, (size_t)1 << v);
        error = fx_mul(error, half); /* as cheat_make wants it for e(0) + e(1) */
        fx challenge = send_round(&w, g, seed, half, &error);
        fxv_fold(p, (size_t)1 << v, challenge);
        fxv_fold(b, (size_t)1 << v, challenge);
    }
    assert_int_equal(pv_send_fx(&w, "end", (fx[]){ fxv_get(p, 0), fxv_get(b, 0) }, 2), OK);
    fx point[VARS], ends[2];
    pf_reader r = { .in = buf_bytes(&w.out) };
    err e = pf_inner_product(&r, &t, "product", value, VARS, 1, point, ends);
    assert_true((e == OK) == fx_equal(error, FX_ZERO));
    free(p);
    free(b);
    buf_deinit(&w.out);
    return e == OK;
}

static void false_inner_products_are_accepted_as_predicted(void **state)
{
    (void)state;
    uint64_t seed = 1;
    unsigned hits = 0;
    for (unsigned i = 0; i < TRIALS; i++)
        hits += false_inner_product_accepted(&seed);
    assert_rate(hits, TRIALS, 1 - pow(1 - 2.0 / FIELD, VARS), 2.0 * VARS / FIELD);
}

/* ---- a false sum of fractions ---- */

typedef struct fractions_error {
    fx p, q;
} fractions_error;

/* The rounds of layer m over its children a and b, which are folded to their ends; `error` of the claim becomes that of the value there. */
static void false_rounds(pv_writer *w, fx_fractions *a, fx_fractions *b, unsigned m, fx lambda, fx *point, uint64_t *seed, fx *error)
{
    fxv eq[1], one = { { { FP_ONE } } };
    for (unsigned v = m; v-- > 0;) {
        size_t half = (size_t)1 << v;
        fx_fractions used_up = *a;
        fx g[2];
        fxv_eq(eq, point, v, FX_ONE);
        fxv_fractions_absorb_round(g, &used_up, b, half, lambda, eq, half, &one);
        point[v] = send_round(w, g, seed, point[v], error);
        fxv *const all[] = { &a->p, &a->q, &b->p, &b->q };
        for (size_t i = 0; i < COUNT_OF(all); i++)
            fxv_fold(all[i], half, point[v]);
    }
}

/* Children that make up a value with `error`: the true ones, but for P_0 and, unless `last`, Q_0, which gives lambda another chance. False if
 * Q_1 is 0. */
static bool false_children(fx child[4], uint64_t *seed, fx lambda, fx error, bool last, fractions_error *on_0)
{
    *on_0 = (fractions_error){ FX_ZERO, FX_ZERO };
    if (fx_equal(child[3], FX_ZERO))
        return false;
    if (fx_equal(error, FX_ZERO))
        return true;
    if (!last)
        on_0->q = random_element(seed, false);
    fx by_q = fx_mul(on_0->q, fx_add(child[2], fx_mul(lambda, child[3])));
    on_0->p = fx_mul(fx_sub(error, by_q), fx_inv(child[3]));
    child[0] = fx_add(child[0], on_0->p);
    child[1] = fx_add(child[1], on_0->q);
    return true;
}

static pf_fraction fraction_at(const fx_fractions *a, size_t i)
{
    return (pf_fraction){ fxv_get(&a->p, i), fxv_get(&a->q, i) };
}

static fx_fractions upper(const fx_fractions *a, size_t n)
{
    fx_fractions b = *a;
    for (size_t i = 0; i < n; i++) {
        fxv_set(&b.p, i, fxv_get(&a->p, i + n));
        fxv_set(&b.q, i, fxv_get(&a->q, i + n));
    }
    return b;
}

/* One layer; false if a challenge is 0 where one is divided by, which the verifier refuses and no analysis counts. */
static bool false_layer(pv_writer *w, const fx_fractions *layer, unsigned m, fx *point, uint64_t *seed, fractions_error *error)
{
    fx_fractions a = *layer, b = upper(layer, (size_t)1 << m);
    fx lambda, c;
    for (unsigned v = 0; v < m; v++)
        if (fx_equal(point[v], FX_ZERO))
            return false;
    pf_challenge(&w->t, "lambda", &lambda, 1);
    fx left = fx_add(error->p, fx_mul(lambda, error->q));
    false_rounds(w, &a, &b, m, lambda, point, seed, &left);
    pf_fraction x0 = fraction_at(&a, 0), x1 = fraction_at(&b, 0);
    fx child[4] = { x0.p, x0.q, x1.p, x1.q };
    fractions_error on_0;
    if (!false_children(child, seed, lambda, left, m + 1 == K_TREE, &on_0))
        return false;
    assert_int_equal(pv_send_fx(w, "end", child, 4), OK);
    pf_challenge(&w->t, "line", &c, 1);
    point[m] = c;
    fx at_0 = fx_sub(FX_ONE, c);
    *error = (fractions_error){ fx_mul(at_0, on_0.p), fx_mul(at_0, on_0.q) };
    return true;
}

/* Sends a false root; false as false_layer. *accepted: the verifier's claim on the leaves is true. */
static bool false_sum(uint64_t *seed, bool *accepted)
{
    fx_fractions layer[K_TREE + 1];
    memset(layer, 0, sizeof layer);
    for (size_t i = 0; i < 1 << K_TREE; i++) {
        fxv_set(&layer[K_TREE].p, i, random_element(seed, true));
        fxv_set(&layer[K_TREE].q, i, random_element(seed, false));
    }
    for (unsigned m = K_TREE; m-- > 0;)
        fxv_fractions_up(&layer[m], &layer[m + 1], (size_t)1 << m);
    fractions_error error = { random_element(seed, false), random_element(seed, false) };
    pf_fraction root = fraction_at(&layer[0], 0), leaf;
    fx sent[2] = { fx_add(root.p, error.p), fx_add(root.q, error.q) }, point[K_TREE];
    pv_writer w = kit_writer();
    pf_absorb(&w.t, "leaves", BYTES_OF(layer[K_TREE]));
    pf_transcript t = w.t;
    bool whole = !fx_equal(sent[1], FX_ZERO);
    assert_int_equal(pv_send_fx(&w, "root", sent, 2), OK);
    for (unsigned m = 0; whole && m < K_TREE; m++)
        whole = false_layer(&w, &layer[m + 1], m, point, seed, &error);
    if (whole) {
        pf_lookup out;
        pf_reader r = { .in = buf_bytes(&w.out) };
        assert_int_equal(pf_lookup_verify(&out, &r, &t, K_TREE, PF_LOOKUP_TABLE), OK); /* the lie is in the claim that is left */
        leaf = (pf_fraction){ kit_eval(&layer[K_TREE].p, out.point, K_TREE), kit_eval(&layer[K_TREE].q, out.point, K_TREE) };
        *accepted = fx_equal(leaf.p, out.claim.p) && fx_equal(leaf.q, out.claim.q);
    }
    buf_deinit(&w.out);
    return whole;
}

static void false_sums_are_accepted_as_predicted(void **state)
{
    (void)state;
    uint64_t seed = 2;
    unsigned hits = 0, trials = 0;
    for (unsigned i = 0; i < TRIALS; i++) {
        bool accepted = false;
        if (false_sum(&seed, &accepted)) {
            trials++;
            hits += accepted;
        }
    }
    unsigned rounds = K_TREE * (K_TREE - 1) / 2, lines = 2 * K_TREE; /* lambda and c of each layer */
    assert_true(trials > TRIALS * 9 / 10);
    assert_rate(hits, trials, 1 - pow(1 - 2.0 / FIELD, rounds) * pow(1 - 1.0 / FIELD, lines), (2.0 * rounds + lines) / FIELD);
}

/* ---- values that are in no table ---- */

enum { LEAVES_VARS = 2, LEAVES = 1 << LEAVES_VARS };

/* Leaves of which the first is outside the table { element(0) ... element(3) }, and multiplicities. */
typedef struct bad_lookup {
    fx leaf[LEAVES], mult[LEAVES];
} bad_lookup;

/* x with m x = y, where m is [m | y]; false: singular. */
static bool solve(fx x[LEAVES], fx m[LEAVES][LEAVES + 1])
{
    for (size_t k = 0; k < LEAVES; k++) {
        if (fx_equal(m[k][k], FX_ZERO)) /* another choice of points is as good */
            return false;
        fx inverse = fx_inv(m[k][k]);
        for (size_t j = 0; j <= LEAVES; j++)
            m[k][j] = fx_mul(m[k][j], inverse);
        for (size_t i = 0; i < LEAVES; i++)
            for (size_t j = LEAVES + 1; i != k && j-- > k;)
                m[i][j] = fx_sub(m[i][j], fx_mul(m[i][k], m[k][j]));
    }
    for (size_t k = 0; k < LEAVES; k++)
        x[k] = m[k][LEAVES];
    return true;
}

/* The best that multiplicities can do: the sums agree at as many points as there are entries. */
static bad_lookup bad_lookup_make(uint64_t *seed)
{
    for (;;) {
        bad_lookup b;
        fx m[LEAVES][LEAVES + 1];
        for (size_t i = 0; i < LEAVES; i++)
            b.leaf[i] = element(i == 0 ? LEAVES + kit_u64(seed) % (FIELD - LEAVES) : kit_u64(seed) % FIELD);
        for (size_t i = 0; i < LEAVES; i++) {
            fx at = element(kit_u64(seed) % FIELD);
            m[i][LEAVES] = FX_ZERO;
            for (size_t j = 0; j < LEAVES; j++) {
                m[i][j] = fx_inv(fx_sub(at, element(j)));
                m[i][LEAVES] = fx_add(m[i][LEAVES], fx_inv(fx_sub(at, b.leaf[j])));
            }
        }
        if (solve(b.mult, m))
            return b;
    }
}

/* Whether the fractions balance at alpha, without the argument; false where one has no value. */
static bool balances_at(const bad_lookup *b, fx alpha)
{
    fx sum = FX_ZERO;
    for (size_t i = 0; i < LEAVES; i++) {
        fx q = fx_sub(alpha, b->leaf[i]), entry = fx_sub(alpha, element(i));
        if (fx_equal(q, FX_ZERO) || fx_equal(entry, FX_ZERO))
            return false;
        sum = fx_add(sum, fx_sub(fx_inv(q), fx_mul(b->mult[i], fx_inv(entry))));
    }
    return fx_equal(sum, FX_ZERO);
}

/* The whole argument with alpha from the transcript; false if it cannot be written. */
static bool bad_lookup_argued(const bad_lookup *b, pv_lookup_room *room, bool *accepted)
{
    pf_transcript main = kit_transcript();
    fx alpha;
    fxv q = { { { 0 } } };
    fx_fractions table = { q, q };
    pf_absorb_fx(&main, "leaves", b->leaf, LEAVES);
    pf_absorb_fx(&main, "multiplicities", b->mult, LEAVES);
    pf_challenge(&main, "lookup", &alpha, 1);
    for (size_t i = 0; i < LEAVES; i++) {
        fxv_set(&q, i, fx_sub(alpha, b->leaf[i]));
        fxv_set(&table.p, i, b->mult[i]);
        fxv_set(&table.q, i, fx_sub(alpha, element(i)));
    }
    pv_writer w = { .t = pf_fork(&main, "lookup", 0) };
    pf_lookup out[2];
    buf_init(&w.out, KIT_PROOF_MAX);
    err e = pv_lookup_tuples(&out[0], &w, room, &q, LEAVES_VARS);
    w.t = pf_fork(&main, "lookup", 1);
    if (e == OK)
        e = pv_lookup_table(&out[1], &w, room, &table, LEAVES_VARS);
    if (e == OK) {
        pf_reader r = { .in = buf_bytes(&w.out) };
        pf_transcript t[2] = { pf_fork(&main, "lookup", 0), pf_fork(&main, "lookup", 1) };
        assert_int_equal(pf_lookup_verify(&out[0], &r, &t[0], LEAVES_VARS, PF_LOOKUP_UNIT), OK);
        assert_int_equal(pf_lookup_verify(&out[1], &r, &t[1], LEAVES_VARS, PF_LOOKUP_TABLE), OK);
        *accepted = pf_fractions_balance(&out[0].root, 1, out[1].root);
        assert_int_equal(*accepted, balances_at(b, alpha));
    }
    buf_deinit(&w.out);
    return e == OK;
}

static void bad_lookups_balance_as_predicted(void **state)
{
    (void)state;
    pv_lookup_room *room;
    uint64_t seed = 3;
    unsigned hits = 0, trials = 0, roots = 0;
    CHECK(pv_lookup_room_new(&room, LEAVES_VARS) == OK);
    for (unsigned i = 0; i < BAD_TRIALS; i++) {
        bad_lookup b = bad_lookup_make(&seed);
        bool accepted = false;
        if (!bad_lookup_argued(&b, room, &accepted))
            continue;
        trials++;
        hits += accepted;
        for (size_t a = 0; a < FIELD; a++)
            roots += balances_at(&b, element(a));
    }
    pv_lookup_room_free(room);
    assert_true(trials > BAD_TRIALS * 9 / 10);
    assert_rate(hits, trials, (double)roots / trials / FIELD, (double)(2 * LEAVES) / FIELD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(toy_field),
        cmocka_unit_test(false_inner_products_are_accepted_as_predicted),
        cmocka_unit_test(false_sums_are_accepted_as_predicted),
        cmocka_unit_test(bad_lookups_balance_as_predicted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
