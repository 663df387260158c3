/* SPDX-License-Identifier: Apache-2.0 */
#include "train/statement.h"

#include <stdlib.h>

/* numerics section 11, laid out as the verifier reads it: value and slope apart. */
static err unpack_tables(tr_statement *s, const bt_model *model, bt_tables *tables, fault *f)
{
    num_const c;
    uint32_t  layers = model->shape.layers;
    TRY(num_const_of(&c, &model->shape, f));
    size_t n = (size_t)(2 * c.d_t + 1);
    s->entries = malloc(2 * n * layers * sizeof *s->entries);
    s->layers = malloc(2 * (size_t)layers * sizeof *s->layers);
    if (!s->entries || !s->layers)
        return fail(f, ERR_MEMORY, "statement.tables", n);
    for (uint32_t l = 0; l < layers; l++) {
        int32_t        *gelu = s->entries + 2 * n * l, *slope = gelu + n;
        const uint32_t *packed; /* its middle */
        err e = bt_tables_gelu(tables, model->fractions.layer[l].h, model->fractions.layer[l].g, &packed);
        if (e != OK)
            return fail(f, e, "statement.tables", l);
        for (size_t i = 0; i < n; i++) {
            uint32_t entry = (packed - c.d_t)[i];
            gelu[i] = bt_gelu_value(entry);
            slope[i] = bt_gelu_slope(entry);
        }
        s->layers[l] = gelu;
        s->layers[layers + l] = slope;
    }
    s->tables = (pf_tables){ bt_tables_exp(tables), bt_tables_exp_loss(tables), s->layers, s->layers + layers };
    return OK;
}

/* Room for the sequences of the lease; their numbers. */
static err list_sequences(tr_statement *s, const chain_lease *lease, uint32_t context, fault *f)
{
    size_t count = (size_t)(lease->to - lease->from);
    s->numbers = malloc(count * sizeof *s->numbers);
    s->tokens = malloc(count * (context + 1) * sizeof *s->tokens);
    if (!s->numbers || !s->tokens)
        return fail(f, ERR_MEMORY, "statement.tokens", count);
    for (size_t i = 0; i < count; i++)
        s->numbers[i] = lease->from + i;
    return OK;
}

/* All but the tokens. */
static err init(tr_statement *s, const bt_model *model, bt_tables *tables, const chain_lease *lease, const hash256 *lease_hash, fault *f)
{
    memset(s, 0, sizeof *s);
    TRY(unpack_tables(s, model, tables, f));
    TRY(list_sequences(s, lease, model->shape.context, f));
    s->subject = (pf_subject){ .shape = model->shape, .fractions = model->fractions, .model_id = model->id, .weight_root = model->weight_root,
                               .tables_hash = model->tables_hash, .job_id = lease->job, .tokens_root = lease->tokens, .lease_hash = *lease_hash,
                               .step = lease->step, .sequences = (uint32_t)(lease->to - lease->from), .numbers = s->numbers,
                               .tokens = s->tokens, .weights = model->weights, .tables = &s->tables };
    memcpy(s->subject.worker.b, lease->worker.b, sizeof s->subject.worker.b);
    return OK;
}

err tr_statement_init(tr_statement *s, const bt_model *model, bt_tables *tables, const chain_lease *lease, const hash256 *lease_hash,
                      const tr_dataset *data, fault *f)
{
    uint32_t context = model->shape.context;
    TRY(init(s, model, tables, lease, lease_hash, f));
    for (uint64_t i = 0; i < lease->to - lease->from; i++)
        tr_dataset_sequence(s->tokens + i * (context + 1), data, &lease->job, lease->from + i, context);
    return OK;
}

err tr_statement_init_shown(tr_statement *s, const bt_model *model, bt_tables *tables, const chain_lease *lease, const hash256 *lease_hash,
                            const uint16_t *tokens, fault *f)
{
    TRY(init(s, model, tables, lease, lease_hash, f));
    memcpy(s->tokens, tokens, (size_t)(lease->to - lease->from) * (model->shape.context + 1) * sizeof *s->tokens);
    return OK;
}

void tr_statement_deinit(tr_statement *s)
{
    free(s->layers);
    free(s->entries);
    free(s->numbers);
    free(s->tokens);
    memset(s, 0, sizeof *s);
}

void tr_statement_normal(tr_statement *s, uint8_t level, int64_t loss, const hash256 *gradient_root, const int64_t *gradient)
{
    s->subject.level = level;
    s->subject.result = (pf_result){ 0 };
    s->subject.loss = loss;
    s->subject.gradient_root = *gradient_root;
    s->subject.gradient = gradient;
}

void tr_statement_range(tr_statement *s, uint8_t level, uint32_t tensor, uint64_t sequence, uint64_t index)
{
    s->subject.level = level;
    s->subject.result = (pf_result){ true, tensor, sequence, index };
    s->subject.loss = 0;
    s->subject.gradient = NULL;
}

void tr_statement_answer(tr_statement *s, const chain_attestation *said, const int64_t *gradient)
{
    if (said->result == CHAIN_RESULT_RANGE)
        tr_statement_range(s, said->level, said->range_tensor, said->range_sequence, said->range_index);
    else
        tr_statement_normal(s, said->level, said->loss, &said->gradient, gradient);
}
