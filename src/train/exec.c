/* SPDX-License-Identifier: Apache-2.0 */
#include "train/exec.h"

#include "torch/backend.h"

#include <stdlib.h>

enum { SEQUENCES_MAX = 4096 }; /* LIMIT_LEASE_SEQUENCES */

err tr_exec_init(tr_exec *e, const num_shape *shape, unsigned threads, uint32_t split, fault *f)
{
    *e = (tr_exec){ .shape = *shape, .split = split };
    err r = bt_backend_cpu.open(&e->device, 0, threads);
    if (r != OK)
        return fail(f, r, "exec.device", threads);
    r = bt_gpt_new(&e->gpt, shape, e->device, f);
    if (r != OK)
        tr_exec_deinit(e);
    return r;
}

void tr_exec_deinit(tr_exec *e)
{
    if (e->gpt)
        bt_gpt_free(e->gpt);
    if (e->device)
        bt_backend_cpu.close(e->device);
    free(e->tokens);
    memset(e, 0, sizeof *e);
}

static err token_memory(tr_exec *e, uint64_t sequences, fault *f)
{
    uint64_t need = sequences * ((uint64_t)e->shape.context + 1);
    if (need <= e->token_room)
        return OK;
    uint16_t *more = realloc(e->tokens, (size_t)need * sizeof *more);
    if (!more)
        return fail(f, ERR_MEMORY, "exec.tokens", need);
    e->tokens = more;
    e->token_room = need;
    return OK;
}

/* Sequences [from, from + count) in one call; the gradient is added to. */
static err run_piece(tr_exec *e, const tr_task *task, uint64_t from, uint32_t count, int64_t *gradient, int64_t *loss,
                     bt_result *result, const tr_observer *see, fault *f)
{
    uint64_t numbers[SEQUENCES_MAX];
    TRY(token_memory(e, count, f));
    for (uint32_t i = 0; i < count; i++) {
        numbers[i] = from + i;
        tr_dataset_sequence(e->tokens + (size_t)i * (e->shape.context + 1), task->data, &task->job, from + i, e->shape.context);
    }
    bt_batch batch = { .job_id = task->job, .step = task->step, .count = count, .sequences = numbers, .tokens = e->tokens };
    return bt_gpt_gradient(e->gpt, task->model, &batch, gradient, loss, result, see ? see->fn : NULL, see ? see->ctx : NULL, f);
}

static err run_split(tr_exec *e, const tr_task *task, uint32_t split, int64_t *gradient, int64_t *loss, bt_result *result,
                     const tr_observer *see, fault *f)
{
    memset(gradient, 0, (size_t)num_parameter_count(&e->shape) * sizeof *gradient);
    *loss = 0;
    if (see && see->reset)
        see->reset(see->ctx);
    for (uint64_t at = task->from; at < task->to; at += split) {
        uint32_t count = task->to - at < split ? (uint32_t)(task->to - at) : split;
        int64_t part = 0;
        TRY(run_piece(e, task, at, count, gradient, &part, result, see, f));
        if (result->range)
            return OK;
        *loss += part;
    }
    return OK;
}

err tr_exec_run(tr_exec *e, const tr_task *task, int64_t *gradient, int64_t *loss, bt_result *result, const tr_observer *see,
                fault *f)
{
    if (task->from >= task->to)
        return fail(f, ERR_RANGE, "lease.to", task->to);
    uint64_t count = task->to - task->from;
    if (count > LIMIT_LEASE_SEQUENCES || count * e->shape.context > LIMIT_LEASE_TOKENS)
        return fail(f, ERR_LIMIT, "lease.sequences", count);
    uint32_t split = e->split && e->split < count ? e->split : (uint32_t)count;
    *result = (bt_result){ 0 };
    TRY(run_split(e, task, split, gradient, loss, result, see, f));
    /* The first failing check comes by equation before it comes by sequence: only a run of the whole lease names it. */
    if (result->range && split < count) {
        *result = (bt_result){ 0 };
        TRY(run_split(e, task, (uint32_t)count, gradient, loss, result, see, f));
    }
    if (result->range) {
        memset(gradient, 0, (size_t)num_parameter_count(&e->shape) * sizeof *gradient);
        *loss = 0;
    }
    return OK;
}

err tr_exec_validate(tr_exec *e, const bt_model *model, const tr_dataset *data, uint64_t first, uint32_t count, int64_t *loss,
                     fault *f)
{
    uint64_t numbers[SEQUENCES_MAX];
    bt_result result = { 0 };
    if (count == 0 || count > LIMIT_LEASE_SEQUENCES)
        return fail(f, ERR_LIMIT, "validation.windows", count);
    TRY(token_memory(e, count, f));
    for (uint32_t i = 0; i < count; i++) {
        numbers[i] = i;
        tr_dataset_valid_window(e->tokens + (size_t)i * (e->shape.context + 1), data, first + i, e->shape.context);
    }
    bt_batch batch = { .count = count, .sequences = numbers, .tokens = e->tokens };
    TRY(bt_gpt_loss(e->gpt, model, &batch, loss, &result, f));
    return result.range ? fail(f, ERR_STEP_RANGE, "validation", result.tensor) : OK;
}
