/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests only: a job in which a step ends in RANGE. Whether a calibration sees the symbol and a step does not is a matter of the job id, and so of
 * net_salt. */
#ifndef TRAIN_RANGE_KIT_H
#define TRAIN_RANGE_KIT_H

#include "train/net_kit.h"

/* Weights under which one rare symbol sends a query through the roof: a calibration that does not see the symbol chooses
 * fractions that do not hold it. */
static inline int32_t *extreme_weights(void)
{
    bt_state state;
    uint64_t n = num_parameter_count(&shape);
    int32_t *master = malloc(n * sizeof *master);
    assert_int_equal(bt_state_init(&state, &shape, 7, NULL), OK);
    memcpy(master, state.master, n * sizeof *master);
    bt_state_deinit(&state);
    num_tensor_info e = num_tensor_describe(&shape, 0), p = num_tensor_describe(&shape, 1);
    num_tensor_info q = num_tensor_describe(&shape, num_tensor_of_layer(0, NUM_W_Q));
    int rare = tr_dataset_token(&data, 'Z');
    assert_true(rare >= 0);
    for (uint64_t row = 0; row < e.rows; row++)
        master[e.offset + row * e.cols] = 0;
    for (uint64_t row = 0; row < p.rows; row++)
        master[p.offset + row * p.cols] = 0;
    for (uint64_t col = 0; col < e.cols; col++)
        master[e.offset + (uint64_t)rare * e.cols + col] = col ? 0 : 2000000000;
    for (uint64_t col = 0; col < q.cols; col++)
        master[q.offset + col] = 2000000000;
    return master;
}

#endif
