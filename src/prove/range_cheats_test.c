/* SPDX-License-Identifier: Apache-2.0
 *
 * What passes for a proof of RANGE and is none (docs/proof-tests.md). Provers are forced on: they send what they say, and the claims do not hold. */
#include "prove/range_kit.h"

typedef struct cheat {
    step_kit k;
    buf      proof;
    fault    why;
} cheat;

static void prove(cheat *c)
{
    buf_deinit(&c->proof);
    buf_init(&c->proof, (size_t)1 << 26);
    assert_int_equal(pv_prove(c->k.ws, &c->k.witness, &c->proof, NULL), OK);
}

static err verdict(cheat *c)
{
    c->why = (fault){ 0 };
    return pf_verify(&c->k.subject, buf_bytes(&c->proof), NULL, &c->why);
}

static void begin(cheat *c, const range_case *from)
{
    memset(c, 0, sizeof *c);
    range_make(&c->k, from);
    prove(c);
    assert_int_equal(verdict(c), OK);
    c->k.witness.force = PV_FORCED;
}

static void end(cheat *c)
{
    buf_deinit(&c->proof);
    kit_drop(&c->k);
}

static const range_case *case_of(uint32_t layer, uint32_t slot)
{
    for (size_t i = 0; i < COUNT_OF(range_cases); i++)
        if (range_cases[i].layer == layer && range_cases[i].slot == slot)
            return &range_cases[i];
    fail_msg("no case of layer %u slot %u", layer, slot);
    return NULL;
}

/* An element of the right tensor that is inside its domain: with its own inputs, and with those of one that is not. */
static void an_element_inside_its_domain(void **state)
{
    (void)state;
    uint32_t borrowed = 0;
    for (size_t i = 0; i < COUNT_OF(range_cases); i++) {
        cheat c;
        begin(&c, &range_cases[i]);
        pf_check *check = &c.k.witness.rows.check;
        pf_result *r = &c.k.subject.result;
        const uint64_t fails = r->index;
        const size_t count = check->count;
        int64_t *values = malloc(count * sizeof *values);
        memcpy(values, check->values, count * sizeof *values);
        num_trace_tensor t;
        assert_int_equal(num_trace_find(&t, NULL, &range_shape, r->tensor), OK);
        uint32_t tried = 0;
        /* Down the column, so that the same weights make it. */
        for (r->index = fails % t.cols; r->index < (uint64_t)t.rows * t.cols && tried < 2; r->index += t.cols) {
            if (pv_witness_finish(&c.k.witness, NULL) != OK || pf_rows_derive(&c.k.witness.rows, &c.k.witness.y, &c.k.subject, NULL) == OK)
                continue;
            tried++;
            prove(&c);
            assert_int_equal(verdict(&c), ERR_UNPROVED);
            assert_true(strncmp(c.why.what, "range: ", 7) == 0);
            if (check->count != count)
                continue;
            memcpy(check->values, values, count * sizeof *values);
            prove(&c);
            assert_int_equal(verdict(&c), ERR_UNPROVED);
            borrowed += strncmp(c.why.what, "claims: ", 8) == 0;
        }
        assert_true(tried > 0);
        free(values);
        end(&c);
    }
    assert_true(borrowed > COUNT_OF(range_cases) / 2);
}

/* Each input by one: what is sent is not what is committed. */
static void every_input_counts(void **state)
{
    (void)state;
    uint32_t claims = 0;
    for (size_t i = 0; i < COUNT_OF(range_cases); i += 4) {
        cheat c;
        begin(&c, &range_cases[i]);
        pf_check *check = &c.k.witness.rows.check;
        for (size_t n = 0; n < check->count; n += 1 + check->count / 6) {
            check->values[n]++;
            prove(&c);
            assert_int_equal(verdict(&c), ERR_UNPROVED);
            claims += strncmp(c.why.what, "claims: ", 8) == 0;
            check->values[n]--;
        }
        prove(&c);
        assert_int_equal(verdict(&c), OK);
        end(&c);
    }
    assert_true(claims > 10);
}

/* Inputs that no step can have, so large that an equation could leave 64 bits. */
static void inputs_are_bounded(void **state)
{
    (void)state;
    const int64_t values[] = { INT64_MAX, INT64_MIN, (int64_t)1 << 40, -32769 };
    for (size_t i = 0; i < COUNT_OF(range_cases); i += 2) {
        cheat c;
        begin(&c, &range_cases[i]);
        pf_check *check = &c.k.witness.rows.check;
        for (size_t n = 0; n < COUNT_OF(values); n++) {
            for (size_t k = 0; k < check->count; k++)
                check->values[k] = values[n];
            prove(&c);
            assert_int_equal(verdict(&c), ERR_UNPROVED);
        }
        end(&c);
    }
}

/* The statement names another place, with the proof of the first: any tensor, sequence or element, or none. */
static void another_place(void **state)
{
    (void)state;
    cheat c;
    begin(&c, case_of(0, NUM_DS));
    pf_result *r = &c.k.subject.result, was = *r;
    for (uint32_t id = 0; id < 64 * (range_shape.layers + 2); id++) {
        r->tensor = id;
        if (id == was.tensor)
            continue;
        err e = verdict(&c);
        if (e != ERR_UNPROVED && e != ERR_TRUNCATED && e != ERR_TRAILING && e != ERR_CANONICAL && e != ERR_LIMIT)
            fail_msg("tensor %u: %s", id, err_describe(e)->name);
    }
    *r = was;
    const uint64_t numbers[] = { 0, c.k.numbers[0], c.k.numbers[1], c.k.numbers[0] + 1, UINT64_MAX };
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        r->sequence = numbers[i];
        assert_int_equal(verdict(&c), r->sequence == was.sequence ? OK : ERR_UNPROVED);
    }
    *r = was;
    const uint64_t places[] = { 0, was.index + 1, was.index - 1, 16 * 8 - 1, 16 * 8, 1 << 20, UINT64_MAX };
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        r->index = places[i];
        assert_int_equal(verdict(&c), ERR_UNPROVED);
    }
    *r = was;
    r->range = false;
    assert_int_not_equal(verdict(&c), OK);
    *r = was;
    assert_int_equal(verdict(&c), OK);
    end(&c);
}

/* Replayed for another statement. */
static void replays(void **state)
{
    (void)state;
    const range_case *cases[] = { case_of(0, NUM_Y1), case_of(1, NUM_DK) };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        cheat c;
        begin(&c, cases[i]);
        pf_subject *s = &c.k.subject;
        uint8_t *const fields[] = { s->model_id.b, s->weight_root.b, s->tables_hash.b, s->job_id.b, s->tokens_root.b, s->lease_hash.b, s->worker.b,
                                    (uint8_t *)&s->step, &s->level, (uint8_t *)&s->fractions.top.e, (uint8_t *)&s->numbers[1 - (s->result.sequence != s->numbers[0])] };
        /* Where nothing is committed there are no challenges: what the check does not depend on is not bound, and needs not be. */
        bool all_public = c.k.witness.y.tensor_count == 0;
        for (size_t n = 0; n < COUNT_OF(fields); n++) {
            *fields[n] ^= 1;
            assert_true(all_public || verdict(&c) != OK);
            *fields[n] ^= 1;
        }
        size_t at = (size_t)(s->result.sequence != s->numbers[0]) * (range_shape.context + 1) + s->result.index / range_shape.width;
        c.k.tokens[at] ^= 1;
        assert_int_equal(verdict(&c), ERR_UNPROVED);
        c.k.tokens[at] ^= 1;
        assert_int_equal(verdict(&c), OK);
        end(&c);
    }
}

/* The step is computed with fractions of another model, under which the earlier check holds, and handed in for this one. */
static void the_check_is_not_the_first(void **state)
{
    (void)state;
    const range_case *later[] = { case_of(0, NUM_KK), case_of(0, NUM_DQ), case_of(1, NUM_B1), case_of(2, NUM_DX1) };
    for (size_t i = 0; i < COUNT_OF(later); i++) {
        cheat c;
        begin(&c, later[i]);
        c.k.subject.fractions.layer[0].y1 = (int8_t)(c.k.subject.fractions.layer[0].y1 + 6);
        c.k.subject.fractions.layer[0].wqkv = (int8_t)(c.k.subject.fractions.layer[0].wqkv - 6);
        pv_witness_deinit(&c.k.witness);
        c.k.subject.result = (pf_result){ 0 };
        kit_compute(&c.k, NULL);
        c.k.witness.force = PV_FORCED;
        assert_int_equal(pv_witness_finish(&c.k.witness, NULL), OK);
        prove(&c);
        assert_int_equal(verdict(&c), ERR_UNPROVED);
        end(&c);
    }
}

/* NORMAL, with the gradient that other fractions give, where a check fails; and RANGE where none does. */
static void normal_and_range_exchanged(void **state)
{
    (void)state;
    const range_case none = { 0 };
    for (size_t i = 0; i < COUNT_OF(range_cases); i += 5) {
        cheat c = { 0 };
        step_kit due;
        range_begin(&due, &range_cases[i]);
        range_begin(&c.k, &none);
        range_step(&c.k);
        assert_false(c.k.result.range);
        prove(&c);
        assert_int_equal(verdict(&c), OK);
        const pf_subject normal = c.k.subject;

        c.k.subject.result = (pf_result){ true, NUM_TENSOR_ID(range_cases[i].layer, range_cases[i].slot), c.k.numbers[0], 0 };
        assert_int_not_equal(verdict(&c), OK);

        c.k.subject = normal;
        c.k.subject.fractions = due.model.fractions;
        pv_witness_deinit(&c.k.witness);
        kit_compute(&c.k, NULL);
        c.k.witness.force = PV_FORCED;
        err e = pv_witness_finish(&c.k.witness, NULL);
        assert_int_equal(e, OK);
        prove(&c);
        assert_int_equal(verdict(&c), ERR_UNPROVED);
        kit_drop(&due);
        end(&c);
    }
}

/* One element of a tensor before the check is wrong by one, and all that follows is consistent with that. */
static void lies_before_the_check(void **state)
{
    (void)state;
    const range_case *last = case_of(0, NUM_DX1);
    const uint32_t copies = 1u << NUM_R1 | 1u << NUM_RSUM | 1u << NUM_M1 | 1u << NUM_R2;
    uint32_t lies = 0;
    for (uint32_t n = 1; n < num_trace_count(&range_shape); n += 4) {
        cheat c = { 0 };
        num_trace_tensor x = num_trace_at(&range_shape, n);
        uint32_t slot = x.id % 64;
        bool is_copy = (slot < 32 && copies >> slot & 1) || slot == NUM_RL || slot == NUM_LOSS || slot == NUM_M2;
        range_begin(&c.k, last);
        uint64_t index = x.cols == 1 ? 5 : 5 * (uint64_t)x.cols + 3;
        c.k.lies = true;
        c.k.lie_tensor = x.id;
        c.k.lie_sequence = c.k.numbers[1];
        c.k.lie_index = index;
        c.k.lie_by = 1;
        kit_compute(&c.k, NULL);
        if (!c.k.lied || !c.k.result.range) { /* not reached: it comes after the check */
            if (n + 4 < num_trace_count(&range_shape))
                fail_msg("layer %u slot %u is not reached", x.id / 64, slot);
            end(&c);
            continue;
        }
        assert_int_equal(pv_witness_finish(&c.k.witness, NULL), OK);
        prove(&c);
        err e = verdict(&c);
        if (e != ERR_UNPROVED && !(is_copy && e == OK))
            fail_msg("layer %u slot %u: %s %s", x.id / 64, slot, err_describe(e)->name, c.why.what);
        lies += e == ERR_UNPROVED;
        end(&c);
    }
    assert_true(lies > 12);
}

/* Row scalars of what is reached, altered by a prover who goes on from them. */
static void row_scalars(void **state)
{
    (void)state;
    enum { TOKEN = 5 };
    cheat c;
    begin(&c, case_of(0, NUM_DN1));
    pf_rows *r = &c.k.witness.rows;
    int64_t *const rows[] = { r->norms[0].squares, r->norms[1].y_squares, r->norms[3].M, r->norms[4].M, r->heads[1].max, r->heads[1].index,
                              r->heads[0].Z, r->heads[0].c, r->logits.max, r->logits.index, r->logits.Z, r->logits.c };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        rows[i][TOKEN]++;
        prove(&c);
        if (verdict(&c) != ERR_UNPROVED)
            fail_msg("row %zu", i);
        rows[i][TOKEN]--;
    }
    prove(&c);
    assert_int_equal(verdict(&c), OK);
    end(&c);
}

/* Bytes altered all over the proof; shorter; longer. */
static void bytes_of_the_proof(void **state)
{
    (void)state;
    const range_case *cases[] = { case_of(0, NUM_Y1), case_of(0, NUM_QQ), case_of(1, NUM_DV) };
    for (size_t n = 0; n < COUNT_OF(cases); n++) {
        cheat c;
        begin(&c, cases[n]);
        size_t len = c.proof.len, step = len / 97 + 1;
        for (size_t at = 0; at < len; at += step) {
            c.proof.data[at] ^= (uint8_t)(1u << at % 8);
            if (verdict(&c) == OK || !c.why.what)
                fail_msg("case %zu byte %zu", n, at);
            c.proof.data[at] ^= (uint8_t)(1u << at % 8);
        }
        for (size_t cut = 0; cut < len; cut += len / 23 + 1)
            assert_int_equal(pf_verify(&c.k.subject, bytes_of(c.proof.data, cut), NULL, NULL) == OK, false);
        assert_int_equal(buf_put(&c.proof, "", 1), OK);
        assert_int_equal(verdict(&c), ERR_TRAILING);
        end(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_element_inside_its_domain), cmocka_unit_test(every_input_counts),      cmocka_unit_test(inputs_are_bounded),
        cmocka_unit_test(another_place),                cmocka_unit_test(replays),                 cmocka_unit_test(the_check_is_not_the_first),
        cmocka_unit_test(normal_and_range_exchanged),   cmocka_unit_test(lies_before_the_check),   cmocka_unit_test(row_scalars),
        cmocka_unit_test(bytes_of_the_proof),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
