/* SPDX-License-Identifier: Apache-2.0 */
#include "job.h"

#include "numerics/data.h"

#include <stdlib.h>

enum { REPETITIONS_MAX = 8 };

err job_init(job *j, uint64_t determinism_seed, unsigned threads, fault *f)
{
    j->device = NULL;
    j->gpt = NULL;
    j->gradient = NULL;
    j->state = (bt_state){ 0 };
    j->model = (bt_model){ 0 };
    j->ranges = 0;
    j->windows = num_windows(j->token_count, j->shape.context);
    if (j->windows == 0)
        return fail(f, ERR_LIMIT, "tokens", j->token_count);
    TRY(bt_backend_cpu.open(&j->device, 0, threads));
    TRY(bt_gpt_new(&j->gpt, &j->shape, j->device, f));
    TRY(bt_state_init(&j->state, &j->shape, determinism_seed, f));
    TRY(bt_model_init(&j->model, &j->shape, f));
    j->gradient = calloc(num_parameter_count(&j->shape), sizeof *j->gradient);
    return j->gradient ? OK : ERR_MEMORY;
}

void job_deinit(job *j)
{
    free(j->gradient);
    bt_model_deinit(&j->model);
    bt_state_deinit(&j->state);
    bt_gpt_free(j->gpt);
    if (j->device)
        bt_backend_cpu.close(j->device);
}

err job_windows(uint16_t **out, const job *j, const uint64_t *sequences, uint32_t count)
{
    const size_t T = j->shape.context;
    uint16_t *rows = malloc(count * (T + 1) * sizeof *rows);
    if (!rows)
        return ERR_MEMORY;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t window = num_window_of_sequence(&j->id, j->windows, sequences[i]);
        memcpy(rows + i * (T + 1), j->tokens + window * T, (T + 1) * sizeof *rows);
    }
    *out = rows;
    return OK;
}

err job_publish(job *j, fault *f)
{
    return bt_state_publish(&j->state, &j->fractions, &j->model, bt_gpt_tables(j->gpt), f);
}

err job_calibrate(job *j, uint32_t repetitions, fault *f)
{
    uint64_t sequences[NUM_CALIBRATION_SEQUENCES];
    uint32_t count = num_calibration_sequences(sequences, &j->id, j->state.step, repetitions, j->windows);
    uint16_t *tokens;
    TRY(job_windows(&tokens, j, sequences, count));
    bt_batch batch = { .job_id = j->id, .step = j->state.step, .count = count, .sequences = sequences, .tokens = tokens };
    err e = bt_gpt_calibrate(j->gpt, &j->fractions, j->state.master, &batch, repetitions, f);
    free(tokens);
    return e == OK ? job_publish(j, f) : e;
}

err job_gradient(job *j, const uint64_t *sequences, uint32_t count, int64_t *loss_q16, bt_result *result, bt_trace_fn trace,
                 void *trace_ctx, fault *f)
{
    uint16_t *tokens;
    TRY(job_windows(&tokens, j, sequences, count));
    bt_batch batch = { .job_id = j->id, .step = j->state.step, .count = count, .sequences = sequences, .tokens = tokens };
    err e = bt_gpt_gradient(j->gpt, &j->model, &batch, j->gradient, loss_q16, result, trace, trace_ctx, f);
    free(tokens);
    return e;
}

/* The masters changed since the model was published, so it is published anew even where the fractions stay. */
static err prepare(job *j, fault *f)
{
    if (bt_state_calibrates(&j->state))
        return job_calibrate(j, j->state.retries, f);
    return job_publish(j, f);
}

err job_step(job *j, int64_t *loss_q16, fault *f)
{
    const uint64_t parameters = num_parameter_count(&j->shape);
    uint64_t *sequences = malloc(j->batch * sizeof *sequences);
    if (!sequences)
        return ERR_MEMORY;
    for (uint32_t i = 0; i < j->batch; i++)
        sequences[i] = j->state.step * j->batch + i;
    err e;
    bt_result result;
    for (;;) {
        TRY_OUT(prepare(j, f));
        memset(j->gradient, 0, parameters * sizeof *j->gradient);
        TRY_OUT(job_gradient(j, sequences, j->batch, loss_q16, &result, NULL, NULL, f));
        if (!result.range)
            break;
        j->ranges++;
        if (++j->state.retries > REPETITIONS_MAX) {
            e = fail(f, ERR_STEP_RANGE, "step", j->state.step);
            goto out;
        }
    }
    e = bt_state_update(&j->state, &j->fractions, j->gradient, (uint64_t)j->batch * j->shape.context, &j->schedule);
out:
    free(sequences);
    return e;
}
