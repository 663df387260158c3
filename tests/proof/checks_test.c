/* SPDX-License-Identifier: Apache-2.0
 *
 * Each check of the verifier is shown to be needed: a proof that it refuses, alone or with a few others, and that a verifier without them
 * accepts (plant.h). docs/proof-tests.md lists the checks that are here, and why the others cannot be. */
#include "liar.h"
#include "refused.h"

#include "numerics/round.h"
#include "proof/run.h"

static const num_shape shape = { 20, 8, 16, 1, 2, 12, NUM_NARROW };

enum { SEQUENCES = 2, TOKEN = 5 };

typedef struct scene {
    step_kit kit;
    liar     liar;
    buf      proof;
    pf_run   run; /* its list of products */
} scene;

static void prove(scene *c)
{
    c->proof.len = 0;
    planted.sent = 0;
    assert_int_equal(pv_prove(c->kit.ws, &c->kit.witness, &c->proof, NULL), OK);
}

/* --- a step in which operands saturate, so that there are exceptions ------------------------------------------------------------------ */

static void scene_make(scene *c)
{
    step_kit *k = &c->kit;
    fault f;
    *c = (scene){ 0 };
    kit_make(k, &shape, SEQUENCES, 1, NULL);
    kit_finer(k, 2);
    liar_init(&c->liar, k);
    buf_init(&c->proof, (size_t)1 << 24);
    assert_int_equal(pf_run_init(&c->run, &k->witness.y, &k->subject, &k->witness.rows, &f), OK);
}

static void scene_drop(scene *c)
{
    pf_run_deinit(&c->run);
    buf_deinit(&c->proof);
    liar_deinit(&c->liar);
    kit_drop(&c->kit);
}

/* An honest step again. */
static void scene_step(scene *c)
{
    fault f;
    pf_run_deinit(&c->run);
    pv_witness_deinit(&c->kit.witness);
    kit_step(&c->kit, NULL);
    c->kit.witness.force = PV_FORCED;
    assert_int_equal(pf_run_init(&c->run, &c->kit.witness.y, &c->kit.subject, &c->kit.witness.rows, &f), OK);
}

/* --- one message is another, and the prover goes on from it ----------------------------------------------------------------------- */

typedef struct message {
    const char *label;
    const char *checks;
    int         kind;            /* of the product that it is in; or one of: */
    size_t      element;
} message;

enum { FIRST = -1, LAST = -2, GRADIENT = -3, FEATURES = -4, TABLE = -5 };

static size_t lookup_count(const scene *c, bool rounds)
{
    const pf_layout *y = &c->kit.witness.y;
    size_t n = 0;
    for (uint32_t i = 0; i < y->instance_count; i++) {
        size_t k = y->instances[i].bits;
        n += rounds ? k * (k - 1) / 2 : k; /* k layers; layer m has m rounds and an end */
    }
    return n;
}

/* How many messages of that label come before it. */
static size_t nth(const scene *c, const message *m)
{
    bool rounds = strcmp(m->label, "round") == 0;
    if (m->kind == FIRST || (!rounds && strcmp(m->label, "end") != 0))
        return 0;
    size_t n = lookup_count(c, rounds);
    if (m->kind == TABLE)
        return n - 1;
    for (uint32_t i = 0; i < c->run.product_count; i++) {
        const pf_product *p = &c->run.products[i];
        if ((int)p->kind == m->kind)
            return n;
        n += rounds ? p->token_bits + p->feature_bits : 1;
    }
    n += m->kind != GRADIENT ? c->kit.witness.y.nu : 0;
    return m->kind == LAST ? n + pf_feature_vars(&c->kit.witness.y) : n;
}

static void messages(void **state)
{
    static const message all[] = {
        { "root", "lookup.layer|lookups: a value is in no table", FIRST, 0 },
        { "round", "lookup.layer", FIRST, 0 },
        { "round", "lookup.layer", TABLE, 1 },
        { "end", "lookup.layer|tables", TABLE, 1 },
        { "parts", "product: scores|claims: features", FIRST, 0 },
        { "round", "product: scores", PF_X_SCORE, 0 },
        { "round", "product: attention output", PF_X_ATTEND, 0 },
        { "round", "product: dv", PF_X_DV, 0 },
        { "round", "product: dq", PF_X_DQ, 0 },
        { "round", "product: dk", PF_X_DK, 0 },
        { "round", "product: ds", PF_X_DS, 0 },
        { "round", "product: dp . v", PF_X_DS_INNER, 1 },
        { "round", "product: dh", PF_X_GELU, 0 },
        { "round", "product: c", PF_X_C, 0 },
        { "round", "product: maxima of scores", PF_X_DISTANCE, 0 },
        { "round", "product: sums of a norm", PF_X_NORM, 1 },
        { "round", "product: maxima and targets of logits", PF_X_LOGIT, 0 },
        { "round", "product: exceptions", PF_X_EXCEPTION, 0 },
        { "end", "product: scores|claims: features", PF_X_SCORE, 0 },
        { "end", "product: maxima of scores|product: public factor", PF_X_DISTANCE, 0 },
        { "round", "gradient", GRADIENT, 0 },
        { "end", "gradient|claims: features", GRADIENT, 1 },
        { "round", "claims: features", FEATURES, 0 },
        { "features", "claims: features|claims: tokens", FIRST, 3 },
        { "round", "claims: tokens", LAST, 0 },
        { "values", "claims: tokens|value", FIRST, 1 },
        { "proximity", "proximity", FIRST, 5 },
        { "evaluation", "value|evaluation", FIRST, 5 },
    };
    scene *c = *state;
    scene_step(c);
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        planted = (plant){ .false_message = all[i].label, .false_nth = nth(c, &all[i]), .false_element = all[i].element, .false_by = fx_from_i64(1 + (int64_t)i) };
        prove(c);
        planted.false_message = NULL;
        assert_refused(all[i].label, all[i].checks, &c->kit, &c->proof);
    }
}

/* --- what comes with the proof ----------------------------------------------------------------------------------------------------- */

static void statements(void **state)
{
    scene *c = *state;
    int32_t *unused = c->kit.table_memory; /* GELU of the most negative h */
    scene_step(c);
    prove(c);
    assert_int_equal(verify_without(NULL, &c->kit, &c->proof, NULL), OK);
    ++*unused;
    assert_refused("another table", "tables", &c->kit, &c->proof);
    --*unused;
    uint64_t last = num_parameter_count(&shape) - 1; /* of Wh */
    c->kit.gradient[last]++;
    assert_refused("another gradient", "gradient", &c->kit, &c->proof);
    c->kit.gradient[last] += (int64_t)FP_P - 1;
    assert_refused("the same residues", "gradient: entry", &c->kit, &c->proof);
    c->kit.gradient[last] -= (int64_t)FP_P;
    assert_int_equal(buf_put(&c->proof, "", 1), OK);
    assert_refused("a byte more", "proof", &c->kit, &c->proof);
    c->kit.subject.loss++;
    prove(c);
    assert_refused("another loss", "loss", &c->kit, &c->proof);
    c->kit.subject.loss--;
}

/* --- the witness ----------------------------------------------------------------------------------------------------------------------- */

static void counts(void **state)
{
    scene *c = *state;
    scene_step(c);
    c->kit.witness.cell[c->kit.witness.y.mult][3]++;
    prove(c);
    assert_refused("a look-up that nobody makes", "lookups: a value is in no table", &c->kit, &c->proof);
}

/* --- integers that are not what their residues say ------------------------------------------------------------------------------- */

/* What is sent is compared mod p, so without a bound another integer would do, from which other scales follow. In sequence 0, position TOKEN. */
static bool at_token(const liar *x)
{
    return x->sequence == 0 && x->of.row == TOKEN;
}

static bool scale_of_squares_and_p(liar *x, int64_t *out)
{
    uint64_t squares = FP_P;
    if (x->of.slot != NUM_R1 || x->of.layer != 0 || !at_token(x))
        return false;
    for (uint32_t j = 0; j < shape.width; j++) {
        int64_t v = liar_get(x, 0, NUM_X, TOKEN, j);
        squares += (uint64_t)(v * v);
    }
    *out = num_norm_r(squares, shape.width, x->k.f_r, x->k.f_res);
    return true;
}

static void squares_and_p(liar *x)
{
    if (x->sequence == 0)
        x->kit->witness.rows.norms[0].squares[TOKEN] += (int64_t)FP_P;
}

/* With that scale y is 0, and so is M, whatever dn is. */
static void both_and_p(liar *x)
{
    squares_and_p(x);
    if (x->sequence == 0)
        x->kit->witness.rows.norms[0].M[TOKEN] += (int64_t)FP_P;
}

static bool scale_of_sum_and_p(liar *x, int64_t *out)
{
    if ((x->of.slot != NUM_RL && x->of.slot != NUM_LOSS) || !at_token(x))
        return false;
    int64_t sum = liar_get(x, shape.layers, NUM_ZL, TOKEN, 0) + (int64_t)FP_P;
    *out = num_loss_R(sum, x->k.n_l);
    if (x->of.slot == NUM_LOSS) {
        int64_t most = liar_get(x, shape.layers, NUM_LG, TOKEN, 0), target = liar_get(x, shape.layers, NUM_LG, TOKEN, liar_token(x, 0, TOKEN + 1));
        for (uint32_t j = 1; j < shape.vocab; j++)
            most = liar_get(x, shape.layers, NUM_LG, TOKEN, j) > most ? liar_get(x, shape.layers, NUM_LG, TOKEN, j) : most;
        *out = (most - target) * ((int64_t)1 << (16 - x->k.f_l)) + num_ilog2((uint64_t)sum) - num_ilog2((uint64_t)x->k.q_l + 1);
    }
    return true;
}

static void sum_and_p(liar *x)
{
    if (x->sequence == 0)
        x->kit->witness.rows.logits.Z[TOKEN] += (int64_t)FP_P;
}

static void residues(void **state)
{
    static const lie lies[] = {
        { "S and p", "norm: squares", .write = scale_of_squares_and_p, .after = squares_and_p },
        { "S and M and p", "norm: squares|norm: M", .write = scale_of_squares_and_p, .after = both_and_p },
        { "ZL and p", "logits: sum", .write = scale_of_sum_and_p, .after = sum_and_p },
    };
    scene *c = *state;
    for (size_t i = 0; i < COUNT_OF(lies); i++) {
        liar_step(&c->liar, &lies[i]);
        prove(c);
        assert_refused(lies[i].name, lies[i].check, &c->kit, &c->proof);
    }
    scene_step(c);
    c->kit.witness.rows.heads[0].c[TOKEN] += (int64_t)FP_P; /* nothing follows from it but a second proof */
    prove(c);
    assert_refused("c and p", "attention: c", &c->kit, &c->proof);
}

/* --- exceptions ------------------------------------------------------------------------------------------------------------------- */

static uint32_t rounding_of_dm(const pf_layout *y)
{
    uint32_t k = 0;
    while (y->roundings[k].out != pf_at(y, 0, PF_DM))
        k++;
    return k;
}

/* One more exception of dm, before its exception number `at`. */
static void insert_exception(scene *c, uint32_t at, pf_exception x)
{
    pf_rows *r = &c->kit.witness.rows;
    const pf_layout *y = &c->kit.witness.y;
    uint32_t k = rounding_of_dm(y), i = r->exception_first[k] + at;
    r->exceptions = realloc(r->exceptions, (r->exception_count + 1) * sizeof *r->exceptions);
    assert_non_null(r->exceptions);
    memmove(r->exceptions + i + 1, r->exceptions + i, (r->exception_count - i) * sizeof *r->exceptions);
    r->exceptions[i] = x;
    r->exception_count++;
    for (uint32_t j = k + 1; j <= y->rounding_count; j++)
        r->exception_first[j]++;
}

/* A place listed twice counts twice: so could a value beyond the domain be. */
static void an_exception_in_two(void **state)
{
    scene *c = *state;
    scene_step(c);
    const int32_t q = c->liar.k.q_max;
    uint32_t k = rounding_of_dm(&c->kit.witness.y), at = 0;
    pf_exception *x = c->kit.witness.rows.exceptions + c->kit.witness.rows.exception_first[k];
    while (x[at].t < q + 2) {
        at++;
        assert_true(at < c->kit.witness.rows.exception_first[k + 1] - c->kit.witness.rows.exception_first[k]);
    }
    x[at].t--;
    insert_exception(c, at, (pf_exception){ x[at].token, x[at].feature, q + 1 });
    prove(c);
    assert_refused("an exception in two", "exception: order", &c->kit, &c->proof);
}

static pf_exception below; /* an element of dm that does not saturate, and what it is */

static bool largest_for_any(liar *x, int64_t *out)
{
    if (x->of.slot != NUM_DM || x->sequence != 0 || x->of.row != below.token || x->of.col != below.feature)
        return false;
    *out = x->k.q_max;
    return true;
}

/* Listed as an exception, any value could be committed to as Q. */
static void an_exception_that_is_none(void **state)
{
    scene *c = *state;
    static const lie largest = { .name = "the largest", .write = largest_for_any };
    scene_step(c);
    const pv_witness *w = &c->kit.witness;
    const uint32_t dm = pf_at(&w->y, 0, PF_DM), k = rounding_of_dm(&w->y);
    uint32_t i = 0, at = 0;
    while (w->cell[dm][i] <= 0 || w->cell[dm][i] == c->liar.k.q_max)
        i++;
    assert_true(i < shape.context * pf_padded(&w->y, dm));
    below = (pf_exception){ i / pf_padded(&w->y, dm), i % pf_padded(&w->y, dm), w->cell[dm][i] };
    liar_step(&c->liar, &largest);
    const pf_exception *x = w->rows.exceptions + w->rows.exception_first[k], *end = w->rows.exceptions + w->rows.exception_first[k + 1];
    while (x + at < end && (x[at].token < below.token || (x[at].token == below.token && x[at].feature < below.feature)))
        at++;
    insert_exception(c, at, below);
    prove(c);
    assert_refused("an exception that is none", "exception: value", &c->kit, &c->proof);
}

/* --- a public factor ---------------------------------------------------------------------------------------------------------------- */

/* What the second of the ends of a product is. */
static fx second_end(const scene *c, const pf_report *report, pf_product_kind kind)
{
    const pf_product *p = c->run.products;
    size_t at = 1, first = 0;
    fx is;
    for (; p->kind != kind; p++)
        at += 2 * (p->token_bits + p->feature_bits + p->pairs);
    at += 2 * (p->token_bits + p->feature_bits);
    for (int part = 0; part < PF_OF_PRODUCTS; part++)
        first += report->bytes[part];
    assert_true(fx_decode(&is, c->proof.data + first + at * FX_BYTES));
    return is;
}

/* The maximum is said to be where it is not; the product holds with another factor in the place of the public one. */
static void a_public_factor(void **state)
{
    static const message end = { "end", "product: public factor", PF_X_DISTANCE, 0 };
    scene *c = *state;
    plant_tape tape = { 0 };
    pf_report report;
    scene_step(c);
    int64_t *index = &pf_head_of(&c->kit.witness.rows, &c->kit.witness.y, 0, 1)->index[TOKEN];
    *index = *index ? *index - 1 : 1;
    prove(c);
    planted = (plant){ .tape = &tape, .check = "product: maxima of scores" };
    assert_int_equal(pf_verify(&c->kit.subject, buf_bytes(&c->proof), &report, NULL), OK);
    planted = (plant){ .false_message = end.label, .false_nth = nth(c, &end),
                       .false_by = fx_mul(tape.short_by, fx_inv(second_end(c, &report, PF_X_DISTANCE))) };
    plant_tape_drop(&tape);
    prove(c);
    planted.false_message = NULL;
    assert_refused("a public factor", end.checks, &c->kit, &c->proof);
}

static int setup(void **state)
{
    static scene c;
    scene_make(&c);
    *state = &c;
    return 0;
}

static int teardown(void **state)
{
    scene_drop(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(messages), cmocka_unit_test(statements), cmocka_unit_test(counts), cmocka_unit_test(residues),
                                        cmocka_unit_test(an_exception_in_two), cmocka_unit_test(an_exception_that_is_none), cmocka_unit_test(a_public_factor) };
    return cmocka_run_group_tests(tests, setup, teardown);
}
