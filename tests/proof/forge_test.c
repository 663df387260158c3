/* SPDX-License-Identifier: Apache-2.0
 *
 * Why messages are absorbed: for a label at a time, prover and verifier that do not absorb it (plant.h), and a forger who chooses that
 * message once he knows the challenges that should have depended on it. The verifier accepts what is false. With the label absorbed, the
 * same forger is refused. docs/proof-tests.md lists the labels. */
#include "forger.h"

static const num_shape shape = { 7, 3, 15, 1, 3, 12, NUM_NARROW };

/* --- the statement --------------------------------------------------------------------------------------------------------- */

/* A proof for one lease, worker, level ... is replayed for another. The other fields of a statement decide what is verified (docs). */
static void replays(void **state)
{
    (void)state;
    forger x;
    forger_make(&x, &shape, 1);
    pf_subject *s = &x.kit.subject;
    const struct { const char *label; void *field; } fields[] = {
        { "weight root", &s->weight_root }, { "tables hash", &s->tables_hash }, { "tokens root", &s->tokens_root }, { "lease hash", &s->lease_hash },
        { "worker", &s->worker }, { "level", &s->level }, { "gradient root", &s->gradient_root },
    };
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        for (int absorbed = 0; absorbed < 2; absorbed++) {
            assert_int_equal(forger_prove(&x, absorbed ? NULL : fields[i].label), OK);
            *(uint8_t *)fields[i].field ^= 1;
            assert_int_equal(forger_ask(&x), absorbed ? ERR_UNPROVED : OK);
            *(uint8_t *)fields[i].field ^= 1;
            plant_tape_drop(&x.tape);
            buf_deinit(&x.proof);
        }
    x.proof = (buf){ 0 };
    forger_drop(&x);
}

/* --- false gradients ------------------------------------------------------------------------------------------------------- */

/* What one more in element 0 of a matrix adds to its extension at (r_in, r_out), or at (r_v, r_out): of weight tensor Wq, the first that is
 * batched, and of E. */
static fx gradient_error(const forger *x, bool embedding)
{
    const num_shape *n = &x->kit.subject.shape;
    pf_stream s = stream_at(&x->tape, squeeze_after(&x->tape, 0, "gradient", 0));
    uint32_t most = 4 * n->width > n->vocab ? 4 * n->width : n->vocab;
    fx in = FX_ONE, out = FX_ONE, rows = FX_ONE;
    unsigned bits = 0;
    while ((1u << bits) < most)
        bits++;
    for (unsigned i = 0; i < bits; i++)
        in = fx_mul(in, fx_sub(FX_ONE, pf_stream_fx(&s)));
    for (unsigned i = 0; i < bits; i++)
        out = fx_mul(out, fx_sub(FX_ONE, pf_stream_fx(&s)));
    for (unsigned i = 0; i < bits; i++) /* T' is smaller than F */
        rows = fx_mul(rows, fx_sub(FX_ONE, pf_stream_fx(&s)));
    return fx_mul(embedding ? rows : in, out);
}

enum { ROUNDS_TOKENS = 2, GROUPS = 5 };

/* First round of the gradient's inner product: g + a + b X with 2 a + b the error of the claim, and 0 at the challenge. */
static void forge_round(forger *x)
{
    size_t gradient = squeeze_after(&x->tape, 0, "gradient", 0);
    fx r = challenge_at(&x->tape, squeeze_after(&x->tape, gradient, "round", 0));
    fx a = divide(gradient_error(x, false), fx_sub(fx_from_i64(2), fx_inv(r)));
    x->kit.gradient[num_tensor_describe(&x->kit.subject.shape, 2).offset]++;
    add_to(x, PF_OF_GRADIENT, 0, a);
}

/* The ends of the gradient's inner product: two of the B altered so that the sum is the false one, and the batched claims are the same. */
static void forge_end(forger *x)
{
    size_t gradient = squeeze_after(&x->tape, 0, "gradient", 0), ends = 2 * ROUNDS_TOKENS;
    fx mu = challenge_at(&x->tape, squeeze_after(&x->tape, gradient, "claims", 0));
    fx error = fx_mul(gradient_error(x, false), shrunk(&x->tape, gradient, ROUNDS_TOKENS));
    fx p0 = get(x, PF_OF_GRADIENT, ends), p1 = get(x, PF_OF_GRADIENT, ends + 2), ratio = power_of(mu, 2);
    fx y = divide(error, fx_sub(p1, fx_mul(p0, ratio))); /* claims of X and Y in turn: the B are two apart */
    x->kit.gradient[num_tensor_describe(&x->kit.subject.shape, 2).offset]++;
    add_to(x, PF_OF_GRADIENT, ends + 1, fx_neg(fx_mul(y, ratio)));
    add_to(x, PF_OF_GRADIENT, ends + 3, y);
}

/* How much the sum over features falls short when one more in element 0 of E's gradient makes a claim false. */
static fx features_error(const forger *x)
{
    size_t claims = squeeze_after(&x->tape, 0, "claims", 0);
    fx claim = fx_mul(gradient_error(x, true), power_of(challenge_at(&x->tape, claims), x->report.claims - 2));
    return fx_mul(claim, shrunk(&x->tape, claims, feature_rounds(&x->tape)));
}

/* The values U after the features: two of them altered so that their sum makes up for a false claim on E, and what the tokens are asked is the
 * same. */
static void forge_features(forger *x)
{
    const plant_tape *t = &x->tape;
    size_t u = 2 * feature_rounds(t);
    fx theta = challenge_at(t, squeeze_after(t, 0, "tokens", 0));
    fx y = divide(features_error(x), fx_sub(feature_weight(t, 1), fx_mul(feature_weight(t, 0), theta)));
    x->kit.gradient[0]++;
    add_to(x, PF_OF_CLAIMS, u, fx_neg(fx_mul(y, theta)));
    add_to(x, PF_OF_CLAIMS, u + 1, y);
}

/* The weight of a committed tensor, on which no virtual one depends, in the sum over tokens. */
static fx tensor_weight(const plant_tape *t, uint32_t tensor)
{
    fx theta = challenge_at(t, squeeze_after(t, 0, "tokens", 0)), power = FX_ONE, sum = FX_ZERO;
    for (size_t a = 0; a < t->row_count; a++) {
        if (t->row_tensor[a] == tensor)
            sum = fx_add(sum, fx_mul(power, t->dot[t->row_dot[a]]));
        power = fx_mul(power, theta);
    }
    return sum;
}

/* The false claim on E goes into U of row 0; the sum over tokens, then false, is made up for by two of the values, of which the opening sees
 * one sum with the weights chi^t. */
static void forge_values(forger *x)
{
    const plant_tape *t = &x->tape;
    uint32_t q = pf_at(&x->kit.witness.y, 0, PF_Q), k = pf_at(&x->kit.witness.y, 0, PF_K);
    fx by = divide(features_error(x), feature_weight(t, 0));
    planted.false_message = "features";
    planted.false_by = by;
    x->proof.len = 0;
    assert_int_equal(pv_prove(x->kit.ws, &x->kit.witness, &x->proof, NULL), OK);
    planted.false_message = NULL;
    x->kit.gradient[0]++;
    planted.check = "claims: tokens"; /* to see what follows */
    assert_int_equal(forger_look(x), OK);
    planted.check = NULL;
    size_t tokens = squeeze_after(t, 0, "tokens", 0), values = 2 * feature_rounds(t) + x->report.rows + 2 * ROUNDS_TOKENS;
    fx ratio = power_of(challenge_at(t, squeeze_after(t, 0, "opening", 0)), k - q);
    fx b = divide(fx_mul(by, shrunk(t, tokens, ROUNDS_TOKENS)), fx_sub(tensor_weight(t, k), fx_mul(ratio, tensor_weight(t, q))));
    add_to(x, PF_OF_CLAIMS, values + q, fx_neg(fx_mul(b, ratio)));
    add_to(x, PF_OF_CLAIMS, values + k, b);
}

static void check_forgery(const char *label, void (*forge)(forger *x))
{
    for (int absorbed = 0; absorbed < 2; absorbed++) {
        forger x;
        forger_make(&x, &shape, 1);
        assert_int_equal(forger_prove(&x, absorbed ? NULL : label), OK);
        forge(&x);
        err e = forger_ask(&x);
        if (e != (absorbed ? ERR_UNPROVED : OK))
            fail_msg("%s%s: %s", label, absorbed ? "" : " left out", err_describe(e)->name);
        forger_drop(&x);
    }
}

static void rounds_chosen_after_their_challenge(void **state)
{
    (void)state;
    check_forgery("round", forge_round);
}

static void ends_chosen_after_the_batching(void **state)
{
    (void)state;
    check_forgery("end", forge_end);
}

static void features_chosen_after_the_batching(void **state)
{
    (void)state;
    check_forgery("features", forge_features);
}

static void values_chosen_after_the_batching(void **state)
{
    (void)state;
    check_forgery("values", forge_values);
}

/* --- products ---------------------------------------------------------------------------------------------------------------- */

/* The first product of a kind, and where its ends begin in the part of the products. */
static size_t ends_of(const pf_run *run, pf_product_kind kind)
{
    size_t at = 0;
    for (uint32_t i = 0; i < run->product_count; i++) {
        const pf_product *p = &run->products[i];
        at += 2 * (p->token_bits + p->feature_bits);
        if (p->kind == kind)
            return at;
        at += 2 * p->pairs;
    }
    fail_msg("no such product");
    return 0;
}

static size_t count_of(const pf_run *run, pf_product_kind kind)
{
    size_t n = 0;
    for (uint32_t i = 0; i < run->product_count; i++)
        n += run->products[i].kind == kind;
    return n;
}

/* A worker lies about c (numerics N5): the ends of that product are made to fit, and ends of the first norm, whose two pairs may move against
 * each other, bring the batched claims back to their sum. */
static void forge_products(forger *x)
{
    enum { OF_NORM = 4, OF_SUMS = 2, OF_EMBEDDING = 2 };
    pf_run run;
    fault f;
    assert_int_equal(pf_run_init(&run, &x->kit.witness.y, &x->kit.subject, &x->kit.witness.rows, &f), OK);
    size_t c = ends_of(&run, PF_X_C), norm = ends_of(&run, PF_X_NORM);
    size_t after = OF_EMBEDDING + 2 * GROUPS + OF_SUMS + count_of(&run, PF_X_EXCEPTION) + count_of(&run, PF_X_LOGIT);
    size_t first = x->report.claims - after - OF_NORM * count_of(&run, PF_X_NORM); /* claim of the first norm; before it 2 of c, 1 of the maxima */
    pf_run_deinit(&run);
    fx mu = challenge_at(&x->tape, squeeze_after(&x->tape, 0, "claims", 0));
    fx by = divide(x->tape.short_by, get(x, PF_OF_PRODUCTS, c)), shift = fx_mul(by, power_of(mu, first - 2));
    fx p1 = get(x, PF_OF_PRODUCTS, norm), p2 = get(x, PF_OF_PRODUCTS, norm + 2);
    fx per = fx_mul(power_of(mu, first + 1), fx_sub(p2, fx_mul(p1, power_of(mu, 2))));
    fx s = fx_neg(divide(shift, per));
    add_to(x, PF_OF_PRODUCTS, c + 1, by);
    add_to(x, PF_OF_PRODUCTS, norm + 1, fx_mul(s, p2));
    add_to(x, PF_OF_PRODUCTS, norm + 3, fx_neg(fx_mul(s, p1)));
}

static void forks_chosen_after_the_batching(void **state)
{
    (void)state;
    for (int absorbed = 0; absorbed < 2; absorbed++) {
        forger x;
        forger_make(&x, &shape, 1);
        kit_lie(&x.kit, NUM_TENSOR_ID(0, NUM_CC), x.kit.numbers[0], 2, 1);
        assert_int_equal(forger_prove(&x, absorbed ? NULL : "join"), ERR_UNPROVED);
        planted.check = "product: c"; /* to see what follows */
        assert_int_equal(forger_look(&x), OK);
        planted.check = NULL;
        forge_products(&x);
        assert_int_equal(forger_ask(&x), absorbed ? ERR_UNPROVED : OK);
        forger_drop(&x);
    }
}

/* --- a value that is in no table ------------------------------------------------------------------------------------------- */

/* P + x and Q - x / lambda of the first instance make the same claim on the layer below, and all roots balance. */
static void forge_root(forger *x)
{
    const plant_tape *t = &x->tape;
    const pf_fraction *f = t->root, table = t->root[t->root_count - 1];
    fx lambda = challenge_at(t, squeeze_after(t, 0, "lambda", 0)), missing = divide(table.p, table.q);
    for (size_t i = 1; i + 1 < t->root_count; i++)
        missing = fx_sub(missing, divide(f[i].p, f[i].q));
    fx by = divide(fx_sub(fx_mul(missing, f[0].q), f[0].p), fx_add(FX_ONE, divide(missing, lambda)));
    add_to(x, PF_OF_LOOKUPS, 0, by);
    add_to(x, PF_OF_LOOKUPS, 1, fx_neg(divide(by, lambda)));
}

/* The committed multiplicities count a lookup that nothing makes: the sums are not equal, so nothing is known of any lookup. */
static void roots_chosen_after_lambda(void **state)
{
    (void)state;
    for (int absorbed = 0; absorbed < 2; absorbed++) {
        forger x;
        forger_make(&x, &shape, 1);
        x.kit.witness.cell[x.kit.witness.y.mult][3]++;
        assert_int_equal(forger_prove(&x, absorbed ? NULL : "root"), ERR_UNPROVED);
        forge_root(&x);
        assert_int_equal(forger_ask(&x), absorbed ? ERR_UNPROVED : OK);
        forger_drop(&x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replays),
        cmocka_unit_test(rounds_chosen_after_their_challenge),
        cmocka_unit_test(ends_chosen_after_the_batching),
        cmocka_unit_test(features_chosen_after_the_batching),
        cmocka_unit_test(values_chosen_after_the_batching),
        cmocka_unit_test(forks_chosen_after_the_batching),
        cmocka_unit_test(roots_chosen_after_lambda),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
