/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests only: one training step of a small model, with its witness, ready to be proved. */
#ifndef PROVE_STEP_KIT_H
#define PROVE_STEP_KIT_H

#include "prove/prove.h"
#include "proof/verify.h"
#include "torch/cpu.h"
#include "torch/gpt.h"
#include "torch/optim.h"
#include "torch/tables.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

typedef struct step_kit {
    bt_device      *device;
    bt_gpt         *gpt;
    bt_state        state;
    bt_model        model;
    num_fractions   fractions;
    uint64_t       *numbers;
    uint16_t       *tokens;
    int64_t        *gradient;
    int32_t        *table_memory;
    const int32_t **gelu, **slope;
    pf_tables       tables;
    pf_subject      subject;
    pv_witness      witness;
    bt_result       result;
    pv_workspace   *ws;
    /* The lie of a malicious worker: one element of one tensor of the trace, altered right after the operation that writes it. */
    bool            lies, lied;
    uint32_t        lie_tensor;
    uint64_t        lie_sequence, lie_index;
    int64_t         lie_by;
} step_kit;

/* The bt_trace_fn of a kit. */
static inline err kit_take(void *ctx, uint32_t tensor_id, uint64_t sequence, const void *data, uint32_t rows, uint32_t cols, uint32_t elem_bytes)
{
    step_kit *k = ctx;
    if (k->lies && k->lie_tensor == tensor_id && k->lie_sequence == sequence) {
        void *at = (uint8_t *)(uintptr_t)data + k->lie_index * elem_bytes;
        k->lied = true;
        if (elem_bytes == 2)
            *(int16_t *)at = (int16_t)(*(int16_t *)at + k->lie_by);
        else if (elem_bytes == 4)
            *(int32_t *)at = (int32_t)(*(int32_t *)at + k->lie_by);
        else
            *(int64_t *)at += k->lie_by;
    }
    return pv_witness_take(&k->witness, tensor_id, sequence, data, rows, cols, elem_bytes);
}

static inline uint32_t kit_random(uint64_t *s)
{
    *s = *s * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*s >> 33);
}

static inline void kit_tables(step_kit *k)
{
    const num_shape *s = &k->model.shape;
    num_const c;
    bt_tables *t = bt_gpt_tables(k->gpt);
    assert_int_equal(num_const_of(&c, s, NULL), OK);
    size_t n = (size_t)(2 * c.d_t + 1);
    k->table_memory = malloc(2 * n * s->layers * sizeof *k->table_memory);
    k->gelu = malloc(s->layers * sizeof *k->gelu);
    k->slope = malloc(s->layers * sizeof *k->slope);
    for (uint32_t l = 0; l < s->layers; l++) {
        int32_t *g = k->table_memory + 2 * n * l, *d = g + n;
        const uint32_t *packed;
        assert_int_equal(bt_tables_gelu(t, k->model.fractions.layer[l].h, k->model.fractions.layer[l].g, &packed), OK);
        for (size_t i = 0; i < n; i++) {
            g[i] = bt_gelu_value((packed - c.d_t)[i]);
            d[i] = bt_gelu_slope((packed - c.d_t)[i]);
        }
        k->gelu[l] = g;
        k->slope[l] = d;
    }
    k->tables = (pf_tables){ bt_tables_exp(t), bt_tables_exp_loss(t), k->gelu, k->slope };
}

/* Computes gradient, loss and result, with the witness's eyes. */
static inline void kit_compute(step_kit *k, base_pool *pool)
{
    const bt_batch batch = { k->subject.job_id, k->subject.step, k->subject.sequences, k->numbers, k->tokens };
    fault f = { 0 };
    memset(k->gradient, 0, num_parameter_count(&k->subject.shape) * sizeof *k->gradient);
    err e = pv_witness_init(&k->witness, &k->subject, pool, &f);
    if (e != OK)
        print_error("%s %s %llu\n", err_describe(e)->name, f.what, (unsigned long long)f.at);
    assert_int_equal(e, OK);
    k->witness.force = k->lies ? PV_FORCED : PV_HONEST;
    assert_int_equal(bt_gpt_gradient(k->gpt, &k->model, &batch, k->gradient, &k->subject.loss, &k->result, kit_take, k, NULL), OK);
    k->subject.result = (pf_result){ k->result.range, k->result.tensor, k->result.sequence, k->result.index };
    if (k->result.range)
        k->subject.loss = 0;
}

/* Computes gradient, loss and witness. */
static inline void kit_step(step_kit *k, base_pool *pool)
{
    fault f = { 0 };
    kit_compute(k, pool);
    assert_false(k->result.range);
    err e = pv_witness_finish(&k->witness, &f);
    if (e != OK)
        print_error("%s %s %llx\n", err_describe(e)->name, f.what, (unsigned long long)f.at);
    assert_int_equal(e, OK);
}

/* The subject's model after the fractions were set by hand. */
static inline void kit_publish(step_kit *k)
{
    assert_int_equal(bt_state_publish(&k->state, &k->fractions, &k->model, bt_gpt_tables(k->gpt), NULL), OK);
    free(k->table_memory);
    free(k->gelu);
    free(k->slope);
    kit_tables(k);
    k->subject.fractions = k->model.fractions;
    k->subject.model_id = k->model.id;
    k->subject.weight_root = k->model.weight_root;
    k->subject.tables_hash = k->model.tables_hash;
    k->subject.weights = k->model.weights;
}

/* Model, tokens and tables for a step of `sequences` sequences of random tokens; nothing is computed yet. */
static inline void kit_begin(step_kit *k, const num_shape *shape, uint32_t sequences, uint64_t seed)
{
    uint32_t T = shape->context;
    memset(k, 0, sizeof *k);
    assert_int_equal(bt_backend_cpu.open(&k->device, 0, 1), OK);
    assert_int_equal(bt_gpt_new(&k->gpt, shape, k->device, NULL), OK);
    assert_int_equal(bt_state_init(&k->state, shape, seed, NULL), OK);
    assert_int_equal(bt_model_init(&k->model, shape, NULL), OK);
    k->numbers = malloc(sequences * sizeof *k->numbers);
    k->tokens = malloc((size_t)sequences * (T + 1) * sizeof *k->tokens);
    k->gradient = calloc(num_parameter_count(shape), sizeof *k->gradient);
    for (uint32_t q = 0; q < sequences; q++)
        k->numbers[q] = 100 + 3 * q;
    for (size_t i = 0; i < (size_t)sequences * (T + 1); i++)
        k->tokens[i] = (uint16_t)(kit_random(&seed) % shape->vocab);
    bt_batch batch = { .job_id = { { 7 } }, .step = 5, .count = sequences, .sequences = k->numbers, .tokens = k->tokens };
    assert_int_equal(bt_gpt_calibrate(k->gpt, &k->fractions, k->state.master, &batch, 0, NULL), OK);
    assert_int_equal(bt_state_publish(&k->state, &k->fractions, &k->model, bt_gpt_tables(k->gpt), NULL), OK);
    kit_tables(k);
    k->subject = (pf_subject){ .shape = *shape, .fractions = k->model.fractions, .model_id = k->model.id, .weight_root = k->model.weight_root,
                               .tables_hash = k->model.tables_hash, .job_id = batch.job_id, .step = batch.step, .sequences = sequences,
                               .numbers = k->numbers, .tokens = k->tokens, .weights = k->model.weights, .gradient = k->gradient,
                               .tables = &k->tables };
}

/* A step of `sequences` sequences of random tokens. */
static inline void kit_make(step_kit *k, const num_shape *shape, uint32_t sequences, uint64_t seed, base_pool *pool)
{
    kit_begin(k, shape, sequences, seed);
    assert_int_equal(pv_workspace_new(&k->ws, pool), OK);
    kit_step(k, pool);
}

/* The same with so many more bits of fraction than calibration gives operands that no other fraction is tied to: some of them saturate. */
static inline void kit_finer(step_kit *k, int by)
{
    for (uint32_t i = 0; i < k->subject.shape.layers; i++) {
        num_layer_fractions *f = &k->fractions.layer[i];
        int8_t *all[] = { &f->y1, &f->q, &f->k, &f->v, &f->o, &f->y2, &f->dm, &f->dh, &f->da, &f->dp, &f->dv, &f->ds, &f->dq, &f->dk };
        for (size_t j = 0; j < COUNT_OF(all); j++)
            *all[j] = (int8_t)(*all[j] + by);
    }
    k->fractions.top.yf = (int8_t)(k->fractions.top.yf + by);
    kit_publish(k);
    pv_witness_deinit(&k->witness);
    kit_step(k, NULL);
    assert_true(k->witness.rows.exception_count > 0);
}

/* The same with a lie. */
static inline void kit_lie(step_kit *k, uint32_t tensor, uint64_t sequence, uint64_t index, int64_t by)
{
    k->lies = true;
    k->lied = false;
    k->lie_tensor = tensor;
    k->lie_sequence = sequence;
    k->lie_index = index;
    k->lie_by = by;
    pv_witness_deinit(&k->witness);
    kit_step(k, NULL);
    assert_true(k->lied);
}

static inline void kit_drop(step_kit *k)
{
    pv_witness_deinit(&k->witness);
    pv_workspace_free(k->ws);
    free(k->numbers);
    free(k->tokens);
    free(k->gradient);
    free(k->table_memory);
    free(k->gelu);
    free(k->slope);
    bt_model_deinit(&k->model);
    bt_state_deinit(&k->state);
    bt_gpt_free(k->gpt);
    k->device->backend->close(k->device);
}

#endif
