/* SPDX-License-Identifier: Apache-2.0 */
#include "steps.h"

#include "../torch/job.h"
#include "torch/cpu.h"
#include "torch/gpt.h"

#include <stdlib.h>

const bits_model bits_tiny = { { .vocab = 29, .context = 12, .width = 32, .layers = 2, .heads = 4, .bits = 12 }, .batch = 4, .steps = 3 };
const bits_model bits_narrow = { { .vocab = 61, .context = 13, .width = 32, .layers = 2, .heads = 2, .bits = 12 }, .batch = 16, .steps = 20 };
const bits_model bits_wide = { { .vocab = 73, .context = 32, .width = 128, .layers = 2, .heads = 4, .bits = 12 }, .batch = 16, .steps = 20 };

enum { TOKENS = 40000, SEED = 5, REPETITIONS_MAX = 8 };

/* A text with something to learn: each token hangs on the one before. */
static uint16_t *make_text(uint32_t vocab)
{
    uint16_t *text = malloc(TOKENS * sizeof *text);
    uint32_t z = 7;
    for (uint32_t i = 0, last = 0; text && i < TOKENS; i++) {
        z = z * 1664525u + 1013904223u;
        last = (3 * last + (z >> 28) % 5) % vocab;
        text[i] = (uint16_t)last;
    }
    return text;
}

/* The gradient of one try at a step, in `split` pieces, the last first: sums are exact, so order is nothing either. */
static err gradient(job *j, uint32_t split, bool *range, fault *f)
{
    const uint32_t piece = j->batch / split;
    memset(j->gradient, 0, num_parameter_count(&j->shape) * sizeof *j->gradient);
    *range = false;
    for (uint32_t p = split; p-- > 0 && !*range;) {
        uint64_t sequences[64];
        CHECK(piece <= COUNT_OF(sequences));
        for (uint32_t k = 0; k < piece; k++)
            sequences[k] = j->state.step * j->batch + p * piece + k;
        int64_t loss;
        bt_result result = { 0 };
        TRY(job_gradient(j, sequences, piece, &loss, &result, NULL, NULL, f));
        *range = result.range;
    }
    return OK;
}

static err step(job *j, uint32_t split, fault *f)
{
    for (bool range = true; range;) {
        TRY(bt_state_calibrates(&j->state) ? job_calibrate(j, j->state.retries, f) : job_publish(j, f));
        TRY(gradient(j, split, &range, f));
        if (range && ++j->state.retries > REPETITIONS_MAX)
            return fail(f, ERR_STEP_RANGE, "step", j->state.step);
    }
    return bt_state_update(&j->state, &j->fractions, j->gradient, (uint64_t)j->batch * j->shape.context, &j->schedule);
}

err bits_state_id(hash256 *out, const bits_model *model, const bits_setting *setting, fault *f)
{
    TRY(bt_cpu_select(setting->isa));
    uint16_t *text = make_text(model->shape.vocab);
    if (!text)
        return ERR_MEMORY;
    job j = { .shape = model->shape, .batch = model->batch, .tokens = text, .token_count = TOKENS,
              .schedule = { .lr_max = 1073742, .warm_steps = 4, .total_steps = model->steps } };
    err e = job_init(&j, SEED, setting->threads, f);
    while (e == OK && j.state.step < model->steps)
        e = step(&j, setting->split, f);
    if (e == OK)
        e = job_publish(&j, f);
    if (e == OK)
        *out = bt_state_id(&j.state, &j.model);
    job_deinit(&j);
    free(text);
    return e;
}
