/* SPDX-License-Identifier: Apache-2.0 */
#include "liar.h"

#include "numerics/dither.h"
#include "numerics/round.h"
#include "numerics/trace.h"
#include "prove/witness_int.h"

int64_t liar_get(const liar *x, uint32_t layer, uint32_t slot, uint32_t row, uint32_t col)
{
    uint32_t id = NUM_TENSOR_ID(layer, slot);
    return x->record[id * x->kit->subject.sequences + x->sequence][(size_t)row * x->cols[id] + col];
}

int64_t liar_weight(const liar *x, uint32_t tensor, uint32_t row, uint32_t col)
{
    num_tensor_info t = num_tensor_describe(&x->model.shape, tensor);
    return x->kit->subject.weights[t.offset + (size_t)row * t.cols + col];
}

uint16_t liar_token(const liar *x, uint32_t sequence, uint32_t position)
{
    return x->kit->tokens[(size_t)sequence * (x->model.shape.context + 1) + position];
}

int64_t liar_dithered(const liar *x, int64_t acc, int shift, uint32_t row_word, uint32_t col_word)
{
    const pf_subject *s = &x->kit->subject;
    hash256 seed = num_dither_seed(&s->job_id, &s->model_id, s->step);
    uint64_t row = num_dither_row(&seed, x->of.id, s->numbers[x->sequence], row_word), col = num_dither_col(&seed, x->of.id, col_word);
    return num_sat(num_dith(acc, shift, row, col), x->k.q_max);
}

/* --- the referee's source: sequences are that at hand, whatever a lie makes of the dither's --------------------------------- */

static err read_trace(void *ctx, uint32_t id, uint64_t sequence, uint32_t row, uint32_t col, int64_t *out, fault *f)
{
    liar *x = ctx;
    liar_place at = { id, id / 64, id % 64, row, col };
    (void)sequence;
    (void)f;
    if (!x->lie->read || !x->lie->read(x, &at, out))
        *out = liar_get(x, at.layer, at.slot, row, col);
    return OK;
}

static err read_weight(void *ctx, uint32_t tensor, uint32_t row, uint32_t col, int64_t *out, fault *f)
{
    (void)f;
    *out = liar_weight(ctx, tensor, row, col);
    return OK;
}

static err read_token(void *ctx, uint64_t sequence, uint32_t position, uint16_t *out, fault *f)
{
    liar *x = ctx;
    (void)sequence;
    (void)f;
    if (!x->lie->token || !x->lie->token(x, position, out))
        *out = liar_token(x, x->sequence, position);
    return OK;
}

/* --- the step ---------------------------------------------------------------------------------------------------------------- */

static pf_context context_of(liar *x)
{
    const pf_subject *s = &x->kit->subject;
    pf_context c = { &x->model, num_dither_seed(&s->job_id, &s->model_id, s->step), s->numbers[x->sequence] };
    if (x->lie->context)
        x->lie->context(x, &c);
    return c;
}

static int64_t element(liar *x, const num_trace_tensor *t, uint64_t index)
{
    const pf_source source = { x, read_trace, read_weight, read_token };
    pf_element e = { 0 };
    fault f = { 0 };
    int64_t value;
    x->of = (liar_place){ t->id, t->id / 64, t->id % 64, (uint32_t)(index / t->cols), (uint32_t)(index % t->cols) };
    if (x->lie->write && x->lie->write(x, &value))
        return value;
    pf_context c = context_of(x);
    if (pf_relation_eval(&e, &c, &source, t->id, index, &f) != OK || e.range)
        fail_msg("%s: slot %u: %s", x->lie->name, x->of.slot, e.range ? "range" : f.what);
    return e.value;
}

/* One tensor of one sequence, computed and shown to the witness. */
static void tensor(liar *x, const num_trace_tensor *t)
{
    size_t n = (size_t)t->rows * t->cols;
    int64_t *to = x->record[t->id * x->kit->subject.sequences + x->sequence];
    uint8_t *shown = malloc(n * t->elem_bytes);
    assert_non_null(shown);
    for (size_t i = 0; i < n; i++) {
        to[i] = element(x, t, i);
        if (t->elem_bytes == 2)
            ((int16_t *)(void *)shown)[i] = (int16_t)to[i];
        else if (t->elem_bytes == 4)
            ((int32_t *)(void *)shown)[i] = (int32_t)to[i];
        else
            ((int64_t *)(void *)shown)[i] = to[i];
    }
    assert_int_equal(pv_witness_take(&x->kit->witness, t->id, x->kit->numbers[x->sequence], shown, t->rows, t->cols, t->elem_bytes), OK);
    free(shown);
}

/* The sum over the sequences of an element of the gradient, or of the loss. */
static int64_t sum(liar *x, uint32_t id, uint64_t index)
{
    const pf_source source = { x, read_trace, read_weight, read_token };
    int64_t all = 0;
    for (x->sequence = 0; x->sequence < x->kit->subject.sequences; x->sequence++) {
        int64_t one = 0;
        pf_context c = context_of(x);
        x->of = (liar_place){ .id = id };
        assert_int_equal(pf_sum_eval(&one, &c, &source, c.sequence, c.sequence + 1, id, index, NULL), OK);
        all += one;
    }
    return all;
}

static void result(liar *x)
{
    for (uint32_t t = 0; t < num_tensor_count(&x->model.shape); t++) {
        num_tensor_info info = num_tensor_describe(&x->model.shape, t);
        for (uint64_t i = 0; i < (uint64_t)info.rows * info.cols; i++)
            x->kit->gradient[info.offset + i] = sum(x, PF_GRADIENT + t, i);
    }
    x->kit->subject.loss = sum(x, PF_LOSS, 0);
}

void liar_step(liar *x, const lie *l)
{
    step_kit *k = x->kit;
    pv_witness *w = &k->witness;
    x->lie = l;
    pv_witness_deinit(w);
    assert_int_equal(pv_witness_init(w, &k->subject, NULL, NULL), OK);
    w->force = PV_FORCED;
    for (uint32_t i = 0; i < num_trace_count(&x->model.shape); i++) {
        num_trace_tensor t = num_trace_at(&x->model.shape, i);
        for (x->sequence = 0; x->sequence < k->subject.sequences; x->sequence++)
            tensor(x, &t);
    }
    result(x);
    assert_int_equal(pv_witness_finish(w, NULL), OK);
    if (!l->after)
        return;
    for (x->sequence = 0; x->sequence < k->subject.sequences; x->sequence++)
        l->after(x);
    assert_int_equal(pv_witness_count(w, NULL), OK);
}

void liar_init(liar *x, step_kit *k)
{
    const num_shape *s = &k->subject.shape;
    uint32_t ids = NUM_TENSOR_ID(s->layers + 1, 0), n = k->subject.sequences;
    *x = (liar){ .kit = k, .model = { *s, k->subject.fractions, k->subject.weight_root, k->subject.tables_hash } };
    assert_int_equal(num_const_of(&x->k, s, NULL), OK);
    x->record = calloc((size_t)ids * n, sizeof *x->record);
    x->cols = calloc(ids, sizeof *x->cols);
    assert_non_null(x->record);
    assert_non_null(x->cols);
    for (uint32_t i = 0; i < num_trace_count(s); i++) {
        num_trace_tensor t = num_trace_at(s, i);
        x->cols[t.id] = t.cols;
        for (uint32_t q = 0; q < n; q++)
            assert_non_null(x->record[t.id * n + q] = calloc((size_t)t.rows * t.cols, sizeof(int64_t)));
    }
}

void liar_deinit(liar *x)
{
    size_t n = (size_t)NUM_TENSOR_ID(x->model.shape.layers + 1, 0) * x->kit->subject.sequences;
    for (size_t i = 0; i < n; i++)
        free(x->record[i]);
    free(x->record);
    free(x->cols);
}
