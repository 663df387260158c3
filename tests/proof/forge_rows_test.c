/* SPDX-License-Identifier: Apache-2.0
 *
 * Why what is sent in the clear is absorbed (as forge_test.c): integers chosen once all challenges are known. Each adds itself times a weight in K to what
 * the claims must add up to; a dozen of them, of fifteen bits, make up for any false claim, or for others that are false. */
#include "forger.h"
#include "lattice.h"
#include "liar.h"
#include "numerics/trace.h"

static const num_shape shape = { 20, 8, 16, 1, 2, 12, NUM_NARROW };

enum { SEQUENCES = 2, TOKENS = 16, HEADS = 2, FREE = 24 };

/* How far the sums over features are from what the claims add up to. */
static fx shortfall(const forger *x)
{
    const plant_tape *t = &x->tape;
    size_t rounds = feature_rounds(t), claims = squeeze_after(t, 0, "claims", 0);
    fx sum = FX_ZERO;
    for (size_t a = 0; a < x->report.rows; a++)
        sum = fx_add(sum, fx_mul(feature_weight(t, a), get(x, PF_OF_CLAIMS, 2 * rounds + a)));
    return divide(fx_sub(sum, t->claims_left), shrunk(t, claims, rounds));
}

/* What a forger may choose: integer `one` is a number more. */
typedef struct choice {
    void (*add)(const pf_run *run, size_t which);
    size_t one;
} choice;

static void add_one(const pf_run *run, void *ctx)
{
    const choice *c = ctx;
    c->add(run, c->one);
}

/* By how much each of the integers must be other than it is, that the false claim passes. */
static void choose(int64_t by[FREE], forger *x, void (*add)(const pf_run *run, size_t which))
{
    fx weight[FREE], sum = FX_ZERO;
    planted.check = "claims: features"; /* to see what follows */
    assert_int_equal(forger_look(x), OK);
    fx lacking = shortfall(x), value = x->tape.claims_value;
    choice c = { add, 0 };
    planted.claims = add_one;
    planted.claims_ctx = &c;
    for (; c.one < FREE; c.one++) {
        assert_int_equal(forger_look(x), OK);
        weight[c.one] = fx_sub(x->tape.claims_value, value);
    }
    planted.claims = NULL;
    planted.check = NULL;
    lattice_small_solution(by, weight, lacking, FREE);
    for (size_t i = 0; i < FREE; i++)
        sum = fx_add(sum, fx_mul_fp(weight[i], fp_from_i64(by[i])));
    assert_true(fx_equal(sum, lacking));
}

static void add_le32(uint8_t *at, int64_t by)
{
    store_le32(at, (uint32_t)((int64_t)(int32_t)load_le32(at) + by));
}

/* The kit's gradient, and whether it is still that. */
static int64_t *gradient_of(const forger *x)
{
    size_t size = num_parameter_count(&shape) * sizeof(int64_t);
    int64_t *copy = malloc(size);
    assert_non_null(copy);
    memcpy(copy, x->kit.gradient, size);
    return copy;
}

static void assert_false_gradient(const forger *x, int64_t *honest)
{
    assert_memory_not_equal(x->kit.gradient, honest, num_parameter_count(&shape) * sizeof *honest);
    free(honest);
}

/* --- maxima of scores --------------------------------------------------------------------------------------------------------- */

static void add_to_maximum(const pf_run *run, size_t which)
{
    const pf_layout *y = run->y;
    uint32_t i = (uint32_t)which / HEADS, token = i / shape.context << y->t_bits | i % shape.context;
    pf_head_of(run->rows, y, 0, (uint32_t)which % HEADS)->max[token]++;
}

/* Rows: the three norms (20 bytes a token), then max, index, Z and c (18 bytes) for each token and head. */
static uint8_t *sent_maximum(const forger *x, size_t which)
{
    return x->proof.data + x->first[PF_OF_ROWS] + (size_t)3 * TOKENS * 20 + which * 18;
}

/* One element of dh is false, and the gradient with it. */
static void rows_chosen_after_the_challenges(void **state)
{
    (void)state;
    for (int absorbed = 0; absorbed < 2; absorbed++) {
        forger x;
        int64_t by[FREE];
        forger_make(&x, &shape, SEQUENCES);
        int64_t *honest = gradient_of(&x);
        kit_lie(&x.kit, NUM_TENSOR_ID(0, NUM_DH), x.kit.numbers[1], 5 * 4 * shape.width + 3, 1);
        assert_int_equal(forger_prove(&x, absorbed ? NULL : "rows"), ERR_UNPROVED);
        choose(by, &x, add_to_maximum);
        for (size_t i = 0; i < FREE; i++)
            add_le32(sent_maximum(&x, i), by[i]);
        assert_int_equal(forger_ask(&x), absorbed ? ERR_UNPROVED : OK);
        assert_false_gradient(&x, honest);
        forger_drop(&x);
    }
}

/* --- exceptions ----------------------------------------------------------------------------------------------------------------- */

enum { CENTRE = 17000 };

static bool largest_at_some_places(liar *x, int64_t *out)
{
    if (x->of.slot != NUM_DQ || x->of.row * shape.width + x->of.col >= FREE || x->sequence != 0)
        return false;
    *out = x->k.q_max;
    return true;
}

static uint32_t rounding_of_dq(const pf_layout *y)
{
    uint32_t k = 0;
    while (y->roundings[k].op != PF_OP_DQ)
        k++;
    return k;
}

/* The places are declared saturated, with whatever values. */
static void declare(pf_rows *r, const pf_layout *y)
{
    uint32_t k = rounding_of_dq(y), at = r->exception_first[k];
    assert_int_equal(r->exception_first[k + 1], at); /* none that is true */
    r->exceptions = realloc(r->exceptions, (r->exception_count + FREE) * sizeof *r->exceptions);
    assert_non_null(r->exceptions);
    memmove(r->exceptions + at + FREE, r->exceptions + at, (r->exception_count - at) * sizeof *r->exceptions);
    for (uint32_t i = 0; i < FREE; i++)
        r->exceptions[at + i] = (pf_exception){ i / shape.width, i % shape.width, CENTRE };
    r->exception_count += FREE;
    for (uint32_t j = k + 1; j <= y->rounding_count; j++)
        r->exception_first[j] += FREE;
}

static void add_to_exception(const pf_run *run, size_t which)
{
    run->rows->exceptions[run->rows->exception_first[rounding_of_dq(run->y)] + which].t++;
}

/* After the rows: a count for each rounding that saturates, and 12 bytes an exception. */
static uint8_t *sent_exception(const forger *x, size_t which)
{
    const pf_layout *y = &x->kit.witness.y;
    uint32_t k = rounding_of_dq(y), counts = 0;
    for (uint32_t i = 0; i <= k; i++)
        counts += y->roundings[i].saturates;
    size_t before = x->kit.witness.rows.exception_first[k];
    return x->proof.data + x->first[PF_OF_ROWS] + pf_rows_size(y) + (size_t)4 * counts + 12 * (before + which) + 8;
}

/* Elements of dq are the largest there are, and the gradient is false. */
static void lists_chosen_after_the_challenges(void **state)
{
    (void)state;
    static const lie largest = { .name = "the largest", .write = largest_at_some_places };
    for (int absorbed = 0; absorbed < 2; absorbed++) {
        forger x;
        liar l;
        int64_t by[FREE];
        forger_make(&x, &shape, SEQUENCES);
        int64_t *honest = gradient_of(&x);
        liar_init(&l, &x.kit);
        liar_step(&l, &largest);
        declare(&x.kit.witness.rows, &x.kit.witness.y);
        assert_int_equal(forger_prove(&x, absorbed ? NULL : "lists"), ERR_UNPROVED);
        choose(by, &x, add_to_exception);
        for (size_t i = 0; i < FREE; i++)
            add_le32(sent_exception(&x, i), by[i]);
        assert_int_equal(forger_ask(&x), absorbed ? ERR_UNPROVED : OK);
        assert_false_gradient(&x, honest);
        liar_deinit(&l);
        forger_drop(&x);
    }
}

/* --- inputs of RANGE ------------------------------------------------------------------------------------------------------------- */

static const num_shape wide = { 20, 8, 32, 1, 2, 12, NUM_NARROW };

enum { FAR = 1400 /* from 0, with room beside for what makes up for it: no input is beyond 2047 */, INPUTS = 32 };

/* A step without RANGE, though not far from it, of which it is claimed that an element of q leaves its domain. */
static void claim_falsely(forger *x)
{
    forger_make(x, &wide, SEQUENCES);
    x->kit.fractions.layer[0].q = (int8_t)(x->kit.fractions.layer[0].q + 4);
    kit_publish(&x->kit);
    pv_witness_deinit(&x->kit.witness);
    kit_step(&x->kit, NULL);
    x->kit.subject.result = (pf_result){ true, NUM_TENSOR_ID(0, NUM_QQ), x->kit.numbers[1], 3 * wide.width + 5 };
    x->kit.subject.loss = 0;
    x->kit.subject.gradient = NULL;
    num_trace_tensor t;
    uint32_t before; /* so many tensors are shown until then */
    assert_int_equal(num_trace_find(&t, &before, &wide, x->kit.subject.result.tensor), OK);
    x->kit.witness.seen = before * SEQUENCES;
    assert_int_equal(pv_witness_finish(&x->kit.witness, NULL), OK);
    x->kit.witness.force = PV_FORCED;
}

/* Inputs as far from 0 as they are to send the element out of its domain, and with the sum that was committed to, at the challenge. */
static void choose_inputs(int64_t inputs[INPUTS], forger *x)
{
    const pf_check *c = &x->kit.witness.rows.check;
    num_tensor_info t = num_tensor_describe(&wide, num_tensor_of_layer(0, NUM_W_Q));
    fx weight[INPUTS], lacking = FX_ZERO;
    int64_t by[INPUTS];
    planted.check = "range: the element is inside its domain"; /* to see what follows */
    assert_int_equal(forger_look(x), OK);
    planted.check = NULL;
    fx kappa = challenge_at(&x->tape, squeeze_after(&x->tape, 0, "inputs", 0));
    assert_int_equal(c->count, INPUTS);
    for (size_t i = 0; i < INPUTS; i++) {
        weight[i] = power_of(kappa, i);
        inputs[i] = x->kit.subject.weights[t.offset + i * t.cols + c->col] < 0 ? -FAR : FAR;
        lacking = fx_add(lacking, fx_mul_fp(weight[i], fp_from_i64(c->values[i] - inputs[i])));
    }
    lattice_small_solution(by, weight, lacking, INPUTS);
    for (size_t i = 0; i < INPUTS; i++) {
        inputs[i] += by[i];
        lacking = fx_sub(lacking, fx_mul_fp(weight[i], fp_from_i64(by[i])));
        assert_true(inputs[i] != c->values[i]);
    }
    assert_true(fx_equal(lacking, FX_ZERO));
}

/* The last of what is sent in the clear. */
static void send_inputs(forger *x, const int64_t inputs[INPUTS])
{
    uint8_t *at = x->proof.data + x->first[PF_OF_ROWS] + x->report.bytes[PF_OF_ROWS] - 8 * INPUTS;
    for (size_t i = 0; i < INPUTS; i++) {
        assert_int_equal((int64_t)load_le64(at + 8 * i), x->kit.witness.rows.check.values[i]);
        store_le64(at + 8 * i, (uint64_t)inputs[i]);
    }
}

static void inputs_chosen_after_the_challenges(void **state)
{
    (void)state;
    for (int absorbed = 0; absorbed < 2; absorbed++) {
        forger x;
        int64_t inputs[INPUTS];
        claim_falsely(&x);
        assert_int_equal(forger_prove(&x, absorbed ? NULL : "inputs"), ERR_UNPROVED);
        choose_inputs(inputs, &x);
        send_inputs(&x, inputs);
        assert_int_equal(forger_ask(&x), absorbed ? ERR_UNPROVED : OK);
        forger_drop(&x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(rows_chosen_after_the_challenges), cmocka_unit_test(lists_chosen_after_the_challenges),
                                        cmocka_unit_test(inputs_chosen_after_the_challenges) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
