/* SPDX-License-Identifier: Apache-2.0
 *
 * Why messages are absorbed: for a label at a time, prover and verifier that do not absorb it (plant.h), and a forger who chooses that
 * message once he knows the challenges that should have depended on it. The verifier accepts what is false. With the label absorbed, the
 * same forger is refused. docs/proof-tests.md lists the labels. */
#include "plant.h"
#include "prove/step_kit.h"

typedef struct forger {
    step_kit   kit;
    buf        proof;
    plant_tape tape;  /* of the verifier, on the proof as it was made */
    pf_report  report;
    size_t     first[PF_OF_PARTS]; /* byte of each part */
} forger;

/* A proof of the step by a prover who does not absorb `label`, and what the verifier makes of it: `expected`, or any outcome is fine. */
static err forger_prove(forger *x, const char *label)
{
    fault f = { 0 };
    buf_init(&x->proof, (size_t)1 << 24);
    planted = (plant){ .absorb = label };
    assert_int_equal(pv_prove(x->kit.ws, &x->kit.witness, &x->proof, NULL), OK);
    planted.tape = &x->tape;
    err e = pf_verify(&x->kit.subject, buf_bytes(&x->proof), &x->report, &f);
    planted.tape = NULL;
    for (size_t i = 0; i + 1 < PF_OF_PARTS; i++)
        x->first[i + 1] = x->first[i] + x->report.bytes[i];
    return e;
}

static void forger_make(forger *x)
{
    *x = (forger){ 0 };
    kit_make(&x->kit, &(num_shape){ 7, 3, 15, 1, 3, 12, NUM_NARROW }, 1, 1, NULL);
}

static void forger_drop(forger *x)
{
    planted = (plant){ 0 };
    plant_tape_drop(&x->tape);
    buf_deinit(&x->proof);
    kit_drop(&x->kit);
}

/* What the verifier, which leaves the same label out, says of statement and proof as they are now. */
static err forger_ask(forger *x)
{
    fault f = { 0 };
    err   e = pf_verify(&x->kit.subject, buf_bytes(&x->proof), NULL, &f);
    if (e != OK)
        print_message("%s: refused: %s\n", planted.absorb ? planted.absorb : "nothing left out", f.what);
    return e;
}

/* Squeeze number `nth` with this label after call `from`: its place on the tape. */
static size_t squeeze_after(const plant_tape *t, size_t from, const char *label, size_t nth)
{
    for (size_t i = from; i < t->count; i++)
        if (t->event[i].kind == PLANT_SQUEEZE && strcmp(t->event[i].label, label) == 0 && nth-- == 0)
            return i;
    fail_msg("no squeeze %s", label);
    return 0;
}

static pf_stream stream_at(const plant_tape *t, size_t event)
{
    pf_transcript at = { t->event[event].before };
    pf_stream s;
    pf_squeeze(&at, &s, t->event[event].label);
    return s;
}

static fx challenge_at(const plant_tape *t, size_t event)
{
    pf_stream s = stream_at(t, event);
    return pf_stream_fx(&s);
}

/* The product of the challenges of n rounds after a call: what a false claim has become at their end. */
static fx shrunk(const plant_tape *t, size_t from, size_t n)
{
    fx all = FX_ONE;
    for (size_t i = 0; i < n; i++)
        all = fx_mul(all, challenge_at(t, squeeze_after(t, from, "round", i)));
    return all;
}

/* Element `i` of a part of the proof += x. */
static void add_to(forger *x, pf_part_of_proof part, size_t i, fx by)
{
    uint8_t *at = x->proof.data + x->first[part] + i * FX_BYTES;
    fx was;
    assert_true(fx_decode(&was, at));
    fx_encode(at, fx_add(was, by));
}

static fx get(const forger *x, pf_part_of_proof part, size_t i)
{
    fx is;
    assert_true(fx_decode(&is, x->proof.data + x->first[part] + i * FX_BYTES));
    return is;
}

static fx divide(fx a, fx b)
{
    return fx_mul(a, fx_inv(b));
}

static fx power_of(fx a, size_t n)
{
    fx x = FX_ONE;
    while (n-- > 0)
        x = fx_mul(x, a);
    return x;
}

/* --- the statement --------------------------------------------------------------------------------------------------------- */

/* A proof for one lease, worker, level ... is replayed for another. The other fields of a statement decide what is verified (docs). */
static void replays(void **state)
{
    (void)state;
    forger x;
    forger_make(&x);
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

/* The values U after the features: two of them altered so that their sum makes up for a false claim on E, and what the tokens are asked is the
 * same. */
static void forge_features(forger *x)
{
    const plant_tape *t = &x->tape;
    size_t claims = squeeze_after(t, 0, "claims", 0), tokens = squeeze_after(t, 0, "tokens", 0), rounds = 0, dots = 0;
    for (size_t i = claims; i < tokens; i++)
        rounds += t->event[i].kind == PLANT_SQUEEZE && strcmp(t->event[i].label, "round") == 0;
    while (t->dot_at[dots] != tokens) /* the first of the rows */
        dots++;
    fx mu = challenge_at(t, claims), theta = challenge_at(t, tokens);
    fx error = fx_mul(fx_mul(gradient_error(x, true), power_of(mu, x->report.claims - 2)), shrunk(t, claims, rounds));
    fx y = divide(error, fx_sub(t->dot[dots + 1], fx_mul(t->dot[dots], theta)));
    x->kit.gradient[0]++;
    add_to(x, PF_OF_CLAIMS, 2 * rounds, fx_neg(fx_mul(y, theta)));
    add_to(x, PF_OF_CLAIMS, 2 * rounds + 1, y);
}

static void check_forgery(const char *label, void (*forge)(forger *x))
{
    for (int absorbed = 0; absorbed < 2; absorbed++) {
        forger x;
        forger_make(&x);
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
        forger_make(&x);
        x.kit.witness.cell[x.kit.witness.y.mult][3]++;
        assert_int_equal(forger_prove(&x, absorbed ? NULL : "root"), ERR_UNPROVED);
        x.first[PF_OF_LOOKUPS] = x.report.bytes[PF_OF_HEADER] + x.report.bytes[PF_OF_ROWS];
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
        cmocka_unit_test(roots_chosen_after_lambda),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
