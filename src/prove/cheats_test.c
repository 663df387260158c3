/* SPDX-License-Identifier: Apache-2.0
 *
 * Gradients that are not those of the statement, beside a proof that is as good as the cheat can make it (docs/proof-tests.md). */
#include "prove/step_kit.h"
#include "prove/witness_int.h"

static const num_shape shape = { 20, 8, 16, 1, 2, 12, NUM_NARROW };

enum { SEQUENCES = 2 };

typedef struct cheat {
    step_kit k;
    buf      proof;
    int64_t *honest; /* a copy of the gradient */
    size_t   n;
} cheat;

static void prove_again(cheat *c)
{
    buf_deinit(&c->proof);
    buf_init(&c->proof, (size_t)1 << 24);
    assert_int_equal(pv_prove(c->k.ws, &c->k.witness, &c->proof, NULL), OK);
}

/* The step computed anew, from the tokens and numbers as they are now, and proved. */
static void step_again(cheat *c)
{
    pv_witness_deinit(&c->k.witness);
    kit_step(&c->k, NULL);
    prove_again(c);
}

static int setup(void **state)
{
    static cheat c;
    kit_make(&c.k, &shape, SEQUENCES, 1, NULL);
    c.n = num_parameter_count(&shape);
    c.honest = malloc(c.n * sizeof *c.honest);
    memcpy(c.honest, c.k.gradient, c.n * sizeof *c.honest);
    prove_again(&c);
    *state = &c;
    return 0;
}

static int teardown(void **state)
{
    cheat *c = *state;
    buf_deinit(&c->proof);
    free(c->honest);
    kit_drop(&c->k);
    return 0;
}

static err verdict(const cheat *c)
{
    return pf_verify(&c->k.subject, buf_bytes(&c->proof), NULL, NULL);
}

/* After each cheat: the honest gradient, which is accepted. */
static void restore(cheat *c)
{
    memcpy(c->k.gradient, c->honest, c->n * sizeof *c->honest);
    assert_int_equal(verdict(c), OK);
}

static void bits_of_every_tensor(void **state)
{
    cheat *c = *state;
    const int64_t by[] = { 1, INT64_C(1) << 20, INT64_C(1) << 45 };
    for (uint32_t t = 0; t < num_tensor_count(&shape); t++) {
        num_tensor_info info = num_tensor_describe(&shape, t);
        int64_t *g = c->k.gradient + info.offset + t % ((uint64_t)info.rows * info.cols);
        for (size_t i = 0; i < COUNT_OF(by); i++) {
            *g ^= by[i];
            assert_int_equal(verdict(c), ERR_UNPROVED);
            *g ^= by[i];
        }
        int64_t was = *g;
        *g = was == 0 ? 1 : -was;
        assert_int_equal(verdict(c), ERR_UNPROVED);
        *g = was;
    }
    restore(c);
}

/* The same residue, or past p / 2. */
static void entries_are_below_half_of_p(void **state)
{
    cheat *c = *state;
    const int64_t p = (int64_t)FP_P, past[] = { c->honest[7] + p, c->honest[7] - p, (p - 1) / 2 + 1, -(p - 1) / 2 - 1, INT64_MIN, INT64_MAX };
    for (size_t i = 0; i < COUNT_OF(past); i++) {
        c->k.gradient[7] = past[i];
        assert_int_equal(verdict(c), ERR_RANGE);
    }
    c->k.gradient[7] = (p - 1) / 2;
    assert_int_equal(verdict(c), ERR_UNPROVED);
    restore(c);
}

static void scaled_negated_zeroed(void **state)
{
    cheat *c = *state;
    for (int64_t factor = -1; factor <= 2; factor++) {
        for (size_t i = 0; i < c->n; i++)
            c->k.gradient[i] = factor * c->honest[i];
        assert_int_equal(verdict(c), factor == 1 ? OK : ERR_UNPROVED);
    }
    restore(c);
}

static void tensors_exchanged_and_transposed(void **state)
{
    cheat *c = *state;
    num_tensor_info q = num_tensor_describe(&shape, 2 + NUM_W_Q), k = num_tensor_describe(&shape, 2 + NUM_W_K);
    size_t n = (size_t)q.rows * q.cols;
    memcpy(c->k.gradient + q.offset, c->honest + k.offset, n * sizeof *c->honest);
    memcpy(c->k.gradient + k.offset, c->honest + q.offset, n * sizeof *c->honest);
    assert_int_equal(verdict(c), ERR_UNPROVED);
    restore(c);
    assert_int_equal(q.rows, q.cols);
    for (size_t i = 0; i < q.rows; i++)
        for (size_t j = 0; j < q.cols; j++)
            c->k.gradient[q.offset + i * q.cols + j] = c->honest[q.offset + j * q.cols + i];
    assert_int_equal(verdict(c), ERR_UNPROVED);
    restore(c);
}

/* What is sent in the clear, altered by a prover who goes on from it: r, m and R are derived from what he sends, remainders are reduced into their tables, and
 * look-ups counted anew, so that they balance. */
static void row_scalars(void **state)
{
    cheat *c = *state;
    pf_rows *r = &c->k.witness.rows;
    const struct { const char *name; int64_t *array; } rows[] = {
        { "S", r->norms[0].squares },  { "Y", r->norms[1].y_squares }, { "M", r->norms[2].M },         { "max", r->heads[1].max },
        { "index", r->heads[1].index }, { "Z", r->heads[0].Z },        { "c", r->heads[0].c },         { "max of logits", r->logits.max },
        { "index of logits", r->logits.index }, { "ZL", r->logits.Z }, { "D at the target", r->logits.c },
    };
    enum { TOKEN = 5 };
    c->k.witness.force = PV_FORCED;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (int64_t by = -1; by <= 1; by += 2) {
            if (rows[i].array[TOKEN] + by < 0 && strcmp(rows[i].name, "M") != 0 && strcmp(rows[i].name, "c") != 0 && strncmp(rows[i].name, "max", 3) != 0)
                continue;
            rows[i].array[TOKEN] += by;
            assert_int_equal(pv_witness_count(&c->k.witness, NULL), OK);
            prove_again(c);
            err e = verdict(c);
            if (e != ERR_UNPROVED)
                fail_msg("%s %+d: %s", rows[i].name, (int)by, err_describe(e)->name);
            rows[i].array[TOKEN] -= by;
        }
    c->k.witness.force = PV_HONEST;
    assert_int_equal(pv_witness_count(&c->k.witness, NULL), OK);
    prove_again(c);
    restore(c);
}

/* The step is computed and proved for other tokens or sequences, and handed in for those of the lease. */
static void another_batch(void **state)
{
    cheat *c = *state;
    enum { ONE = 8 + 1, ALL = SEQUENCES * ONE };
    uint16_t tokens[ALL];
    memcpy(tokens, c->k.tokens, sizeof tokens);
    for (int how = 0; how < 6; how++) {
        if (how == 0)
            memcpy(c->k.tokens + ONE, c->k.tokens, ONE * sizeof *tokens); /* one sequence twice, one not at all */
        else if (how == 1)
            memset(c->k.tokens, 0, sizeof tokens);
        else if (how == 2)
            for (size_t i = 0; i < ALL; i++)
                c->k.tokens[i] = tokens[i % ONE == ONE - 1 ? i : i + 1]; /* shifted by one */
        else if (how == 3)
            c->k.tokens[ALL - 1] ^= 1; /* the last target alone */
        else if (how == 4)
            c->k.numbers[1]++; /* the next sequence number, for the dither */
        else
            c->k.subject.step++;
        step_again(c);
        assert_int_equal(verdict(c), OK);
        memcpy(c->k.tokens, tokens, sizeof tokens);
        c->k.numbers[1] -= how == 4;
        c->k.subject.step -= how == 5;
        assert_int_equal(verdict(c), ERR_UNPROVED); /* that step's gradient, proof and loss */
        memcpy(c->k.gradient, c->honest, c->n * sizeof *c->honest);
        assert_int_equal(verdict(c), ERR_UNPROVED);
    }
    step_again(c);
    restore(c);
}

/* Operands as large as they may be would wrap: such a statement is refused before a byte of its proof is looked at. */
static void past_the_ledger(void **state)
{
    cheat *c = *state;
    const num_layer_fractions *l = &c->k.subject.fractions.layer[0];
    fault f = { 0 };
    pf_subject large = c->k.subject, fine = c->k.subject;
    large.shape = (num_shape){ 50257, 4096, 8192, 32, 64, 12, NUM_NARROW };
    for (uint32_t i = 1; i < large.shape.layers; i++)
        large.fractions.layer[i] = *l;
    assert_int_equal(pf_verify(&large, bytes_of(NULL, 0), NULL, &f), ERR_LEDGER);
    assert_string_equal(f.what, "dp");
    fine.fractions.layer[0].h = (int8_t)(l->y2 + l->w1 - 31); /* (D_t + 1) 2^31 is below p / 2 */
    assert_int_equal(pf_verify(&fine, bytes_of(NULL, 0), NULL, &f), ERR_TRUNCATED);
    fine.fractions.layer[0].h--;
    assert_int_equal(pf_verify(&fine, bytes_of(NULL, 0), NULL, &f), ERR_LEDGER);
    assert_string_equal(f.what, "rounding");
    fine = c->k.subject;
    fine.sequences = (uint32_t)(LIMIT_LEASE_TOKENS / shape.context) + 1;
    assert_int_equal(pf_verify(&fine, bytes_of(NULL, 0), NULL, &f), ERR_LIMIT);
    restore(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bits_of_every_tensor),  cmocka_unit_test(entries_are_below_half_of_p),
        cmocka_unit_test(scaled_negated_zeroed), cmocka_unit_test(tensors_exchanged_and_transposed),
        cmocka_unit_test(row_scalars),           cmocka_unit_test(another_batch),
        cmocka_unit_test(past_the_ledger),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
