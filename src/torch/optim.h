/* SPDX-License-Identifier: Apache-2.0
 *
 * Training state and integer Adam (spec/numerics.md sections 3, 12, 14). Only the coordinator has it. */
#ifndef TORCH_OPTIM_H
#define TORCH_OPTIM_H

#include "base/port/pool.h"
#include "torch/gpt.h"

typedef struct bt_schedule {
    int32_t  lr_max; /* fraction 28 */
    uint64_t warm_steps, total_steps;
} bt_schedule;

typedef struct bt_state {
    num_shape shape;
    uint64_t  step;       /* updates applied */
    uint32_t  retries;    /* repetitions of the current step after RANGE */
    uint64_t  p1, p2;     /* Q32 powers of the betas */
    int32_t  *master;     /* fraction 28; owned, as the next two; num_parameter_count each */
    int64_t  *m;          /* fraction 34 */
    int64_t  *v;          /* fraction 60 */
    base_pool *pool;      /* borrowed: threads for updates; NULL: the caller's alone */
} bt_state;

err  bt_state_init(bt_state *s, const num_shape *shape, uint64_t determinism_seed, fault *f) MUST_USE; /* section 12 init */
void bt_state_deinit(bt_state *s);

/* Quantises master weights with the given fractions into `model` and seals it. */
err bt_state_publish(const bt_state *s, const num_fractions *fractions, bt_model *model, bt_tables *tables, fault *f) MUST_USE;

/* Operand weights of all tensors: sat(rhu(master, 28 - f_W)) (section 3). */
void bt_quantise(int16_t *out, const int32_t *master, const num_fractions *fractions, const num_shape *shape, base_pool *pool);

/* One Adam update from the exact gradient sum of a step over `tokens` tokens. */
err bt_state_update(bt_state *s, const num_fractions *fractions, const int64_t *gradient, uint64_t tokens,
                    const bt_schedule *schedule) MUST_USE;

int32_t bt_schedule_rate(const bt_schedule *schedule, uint64_t step);

/* True if fractions must be calibrated before this step (section 10). */
bool bt_state_calibrates(const bt_state *s);

hash256 bt_state_id(const bt_state *s, const bt_model *model);

#endif
