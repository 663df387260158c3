/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests only: a small real training job: text, data set, state, published model. */
#ifndef TRAIN_JOB_KIT_H
#define TRAIN_JOB_KIT_H

#include "numerics/data.h"
#include "torch/optim.h"
#include "train/dataset.h"
#include "train/exec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static inline num_shape job_shape(uint32_t vocab)
{
    return (num_shape){ .vocab = vocab, .context = 16, .width = 32, .layers = 2, .heads = 2, .bits = 12, .helper = NUM_NARROW };
}

static inline void job_dataset(tr_dataset *d, uint32_t context)
{
    static const char words[] = "in the beginning was the word and the word was with time and all of it was good, ";
    enum { LEN = 20000 };
    uint8_t *text = malloc(LEN);
    uint32_t s = 5;
    for (size_t i = 0; i < LEN; i++) {
        s = s * 1664525u + 1013904223u;
        text[i] = (uint8_t)words[(i * 7 + (s >> 29)) % (sizeof words - 1)];
    }
    assert_int_equal(tr_dataset_from_text(d, bytes_of(text, LEN), TR_TOKENIZER_CHAR, context, NULL), OK);
    free(text);
}

/* Calibrates and publishes the model of the state's step. */
static inline void job_publish(bt_model *m, num_fractions *fractions, const bt_state *s, tr_exec *e, const tr_dataset *d,
                               const hash256 *job)
{
    uint64_t numbers[NUM_CALIBRATION_SEQUENCES];
    uint32_t t = s->shape.context;
    uint16_t tokens[NUM_CALIBRATION_SEQUENCES * 65];
    uint32_t n = num_calibration_sequences(numbers, job, s->step, s->retries, tr_dataset_windows(d, t));
    for (uint32_t i = 0; i < n; i++)
        tr_dataset_sequence(tokens + i * (t + 1), d, job, numbers[i], t);
    bt_batch batch = { .job_id = *job, .step = s->step, .count = n, .sequences = numbers, .tokens = tokens };
    assert_int_equal(bt_gpt_calibrate(e->gpt, fractions, s->master, &batch, s->retries, NULL), OK);
    assert_int_equal(bt_state_publish(s, fractions, m, bt_gpt_tables(e->gpt), NULL), OK);
}

typedef struct job_kit {
    tr_dataset    data;
    num_shape     shape;
    hash256       job;
    tr_exec       exec;
    bt_state      state;
    num_fractions fractions;
    bt_model      model;
    uint64_t      elements;
} job_kit;

static inline void job_make(job_kit *k)
{
    memset(k, 0, sizeof *k);
    job_dataset(&k->data, 16);
    k->shape = job_shape(k->data.manifest.vocab);
    k->job = (hash256){ { 42 } };
    k->elements = num_parameter_count(&k->shape);
    assert_int_equal(tr_exec_init(&k->exec, &k->shape, 1, 0, NULL), OK);
    assert_int_equal(bt_state_init(&k->state, &k->shape, 1, NULL), OK);
    assert_int_equal(bt_model_init(&k->model, &k->shape, NULL), OK);
    job_publish(&k->model, &k->fractions, &k->state, &k->exec, &k->data, &k->job);
}

static inline void job_drop(job_kit *k)
{
    bt_model_deinit(&k->model);
    bt_state_deinit(&k->state);
    tr_exec_deinit(&k->exec);
    tr_dataset_deinit(&k->data);
}

#endif
