/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests only: steps that end in RANGE, at every check that a step can fail. Fractions are set by hand, and the operand weights kept: a
 * weight's lower fraction makes its real values, and what is computed from them, larger. */
#ifndef PROVE_RANGE_KIT_H
#define PROVE_RANGE_KIT_H

#include "numerics/trace.h"
#include "prove/step_kit.h"

/* Fractions, in the order of the wire: of a layer, then of the top. */
enum { RK_Y1, RK_WQKV, RK_Q, RK_K, RK_V, RK_O, RK_WO, RK_Y2, RK_W1, RK_H, RK_G, RK_W2, RK_DM, RK_DH, RK_DN2, RK_DA, RK_DP, RK_DV, RK_DS, RK_DQ, RK_DK,
       RK_DN1, RK_LAYER, RK_YF = RK_LAYER + 2, RK_WH, RK_DNF, RK_GX };

enum { RK_CHANGES = 9 };

typedef struct range_case {
    uint32_t layer, slot; /* of the check that fails */
    int      times;
    struct { int fraction, by; } change[RK_CHANGES]; /* by = 0: no more */
} range_case;

#define RK_ATTENTION { RK_WQKV, -1 }, { RK_Q, -1 }, { RK_K, -1 }, { RK_V, -1 }, { RK_O, -1 }

/* Of the model below. o and dl are bounded below their domain by their operands, and r and m have tests of their own. */
static const range_case range_cases[] = {
    { 0, NUM_Y1, 6, { { RK_Y1, 1 } } },                                { 1, NUM_Y1, 6, { { RK_Y1, 1 } } },
    { 0, NUM_QQ, 6, { { RK_Q, 1 } } },                                 { 0, NUM_KK, 7, { { RK_K, 1 } } },
    { 1, NUM_VV, 6, { { RK_V, 1 }, { RK_O, 1 } } },                    { 0, NUM_ZZ, 8, { RK_ATTENTION } },
    { 1, NUM_ZZ, 9, { RK_ATTENTION } },                                { 1, NUM_B1, 14, { { RK_WO, -1 } } },
    { 0, NUM_Y2, 7, { { RK_Y2, 1 } } },                                { 1, NUM_HH, 9, { { RK_W1, -1 } } },
    { 0, NUM_B2, 14, { { RK_W2, -1 } } },                              { 2, NUM_Y1, 6, { { RK_YF, 1 } } },
    { 2, NUM_LG, 9, { { RK_WH, -1 } } },                               { 2, NUM_DN1, 5, { { RK_DNF, 1 } } },
    { 2, NUM_DX1, 8, { { RK_GX, 1 } } },                               { 1, NUM_DM, 6, { { RK_DM, 1 } } },
    { 0, NUM_DM, 6, { { RK_DM, 1 } } },                                { 1, NUM_DH, 7, { { RK_DH, 1 } } },
    { 0, NUM_DN2, 5, { { RK_DN2, 1 } } },                              { 1, NUM_DX2, 6, { { RK_W1, -1 }, { RK_DN2, -1 }, { RK_GX, 1 } } },
    { 0, NUM_DX2, 6, { { RK_W1, -1 }, { RK_DN2, -1 }, { RK_GX, 1 } } }, { 1, NUM_DA, 6, { { RK_DA, 1 } } },
    { 0, NUM_DA, 6, { { RK_DA, 1 } } },                                { 0, NUM_DP, 6, { { RK_DP, 1 } } },
    { 1, NUM_DV, 6, { { RK_DV, 1 } } },                                { 0, NUM_DS, 6, { { RK_DS, 1 } } },
    { 1, NUM_DS, 7, { { RK_DS, 1 } } },                                { 0, NUM_DQ, 4, { RK_ATTENTION } },
    { 1, NUM_DK, 4, { RK_ATTENTION, { RK_DQ, -1 } } },                 { 0, NUM_DN1, 5, { { RK_DN1, 1 } } },
    { 0, NUM_DX1, 6, { RK_ATTENTION, { RK_DQ, -1 }, { RK_DK, -1 }, { RK_DN1, -1 }, { RK_GX, 1 } } },
};

static const num_shape range_shape = { 20, 8, 16, 2, 2, 12, NUM_NARROW };
enum { RANGE_SEQUENCES = 2 };

/* The step and all of its witness. */
static inline void range_step(step_kit *k)
{
    fault f = { 0 };
    kit_compute(k, NULL);
    err e = pv_witness_finish(&k->witness, &f);
    if (e != OK)
        print_error("%s %s %llx\n", err_describe(e)->name, f.what, (unsigned long long)f.at);
    assert_int_equal(e, OK);
}

/* Publishes the fractions as they are now, with other weights. */
static inline void range_publish(step_kit *k, const int16_t *weights)
{
    kit_publish(k);
    memcpy(k->model.weights, weights, num_parameter_count(&k->subject.shape) * sizeof *weights);
}

/* A copy of the model's weights; the caller's. */
static inline int16_t *range_weights(const step_kit *k)
{
    size_t   size = num_parameter_count(&k->subject.shape) * sizeof(int16_t);
    int16_t *weights = malloc(size);
    assert_non_null(weights);
    memcpy(weights, k->model.weights, size);
    return weights;
}

/* The model of a case, ready for its step. */
static inline void range_begin(step_kit *k, const range_case *c)
{
    kit_begin(k, &range_shape, RANGE_SEQUENCES, 1);
    assert_int_equal(pv_workspace_new(&k->ws, NULL), OK);
    int16_t *weights = range_weights(k);
    for (size_t i = 0; i < RK_CHANGES && c->change[i].by; i++) {
        int     which = c->change[i].fraction;
        uint32_t layer = c->layer < range_shape.layers ? c->layer : 0;
        int8_t *at = which < RK_LAYER ? (int8_t *)&k->fractions.layer[layer] + which : (int8_t *)&k->fractions.top + (which - RK_LAYER);
        *at = (int8_t)(*at + c->change[i].by * c->times);
    }
    range_publish(k, weights);
    free(weights);
}

static inline void range_make(step_kit *k, const range_case *c)
{
    range_begin(k, c);
    range_step(k);
    if (!k->result.range || k->result.tensor != NUM_TENSOR_ID(c->layer, c->slot))
        fail_msg("case %td: layer %u slot %u", c - range_cases, k->result.tensor / 64, k->result.tensor % 64);
}

#endif
