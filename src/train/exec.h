/* SPDX-License-Identifier: Apache-2.0
 *
 * Executing a lease: the gradient of a range of sequences at a model, with whoever watches the trace. Worker and coordinator run
 * this same code; the result does not depend on threads, on the instruction set or on `split`. */
#ifndef TRAIN_EXEC_H
#define TRAIN_EXEC_H

#include "base/port/pool.h"
#include "torch/gpt.h"
#include "train/dataset.h"

typedef struct tr_exec {
    num_shape  shape;
    bt_device *device;
    bt_gpt    *gpt;
    uint32_t   split; /* sequences of one call; 0: the whole lease */
    uint16_t  *tokens;
    uint64_t   token_room;
} tr_exec;

/* `threads` 0: one per processor. */
err  tr_exec_init(tr_exec *e, const num_shape *shape, unsigned threads, uint32_t split, fault *f) MUST_USE;
void tr_exec_deinit(tr_exec *e);

typedef struct tr_task {
    const bt_model   *model;
    const tr_dataset *data;
    hash256           job;
    uint64_t          step;
    uint64_t          from, to; /* global sequence numbers [from, to) */
} tr_task;

/* Who sees the trace: `fn` for every committed tensor, `reset` before a run starts again. */
typedef struct tr_observer {
    bt_trace_fn fn;
    void       *ctx;
    void (*reset)(void *ctx); /* may be NULL */
} tr_observer;

/* `gradient` (num_parameter_count) is overwritten. *loss: sum over the tokens in 2^-16 bits; for RANGE loss and gradient are zero. `see`
 * may be NULL. ERR_LIMIT: more tokens than a lease may have. */
err tr_exec_run(tr_exec *e, const tr_task *task, int64_t *gradient, int64_t *loss, bt_result *result, const tr_observer *see,
                fault *f) MUST_USE;

/* Sum of losses over validation windows [first, first + count), in 2^-16 bits: for display. */
err tr_exec_validate(tr_exec *e, const bt_model *model, const tr_dataset *data, uint64_t first, uint32_t count, int64_t *loss,
                     fault *f) MUST_USE;

#endif
