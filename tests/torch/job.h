/* SPDX-License-Identifier: Apache-2.0
 *
 * A training job run by one process on the C library, for tests and for comparison with the Python reference: data set, state,
 * current model. Nothing of the network. */
#ifndef TESTS_TORCH_JOB_H
#define TESTS_TORCH_JOB_H

#include "torch/optim.h"

typedef struct job {
    num_shape       shape;
    hash256         id;
    bt_schedule     schedule;
    uint32_t        batch; /* sequences a step */
    const uint16_t *tokens;
    uint64_t        token_count, windows;
    bt_device      *device;
    bt_gpt         *gpt;
    bt_state        state;
    bt_model        model;
    num_fractions   fractions;
    int64_t        *gradient; /* of the last step */
    uint64_t        ranges;   /* steps that ended in RANGE */
} job;

/* Fields above `device` are set by the caller; tokens are borrowed. */
err  job_init(job *j, uint64_t determinism_seed, unsigned threads, fault *f) MUST_USE;
void job_deinit(job *j);

/* Chooses fractions for the current step and publishes the model. */
err job_calibrate(job *j, uint32_t repetitions, fault *f) MUST_USE;

/* Seals the model of the current masters under j->fractions. */
err job_publish(job *j, fault *f) MUST_USE;

/* The windows of `count` global sequence numbers: count x (T + 1) tokens; free(). */
err job_windows(uint16_t **out, const job *j, const uint64_t *sequences, uint32_t count) MUST_USE;

/* Gradient of `count` sequences of the current step under the current model, added to j->gradient. */
err job_gradient(job *j, const uint64_t *sequences, uint32_t count, int64_t *loss_q16, bt_result *result, bt_trace_fn trace,
                 void *trace_ctx, fault *f) MUST_USE;

/* One whole step: calibration if it is due, gradient, repetition after RANGE, update. */
err job_step(job *j, int64_t *loss_q16, fault *f) MUST_USE;

#endif
