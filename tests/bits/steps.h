/* SPDX-License-Identifier: Apache-2.0
 *
 * The state id after some steps of training under one setting of everything that must not matter. */
#ifndef TESTS_BITS_STEPS_H
#define TESTS_BITS_STEPS_H

#include "numerics/config.h"

typedef struct bits_model {
    num_shape shape;
    uint32_t  batch, steps;
} bits_model;

typedef struct bits_setting {
    const char *isa;     /* NULL: the best */
    unsigned    threads;
    uint32_t    split;   /* pieces of a batch; divides it */
} bits_setting;

/* The models that the tests train: the small one also under an emulator. */
extern const bits_model bits_tiny, bits_narrow, bits_wide;

/* ERR_UNSUPPORTED, ERR_NOT_FOUND: see bt_cpu_select. */
err bits_state_id(hash256 *out, const bits_model *model, const bits_setting *setting, fault *f) MUST_USE;

#endif
