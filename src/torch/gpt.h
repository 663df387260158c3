/* SPDX-License-Identifier: Apache-2.0
 *
 * A GPT in the integer tier: what the training network, `tb train` and the tests call. Bits: spec/numerics.md. The model
 * is built as a graph of tensor operations (graph.h); this face hides it. */
#ifndef TORCH_GPT_H
#define TORCH_GPT_H

#include "numerics/config.h"
#include "torch/backend.h"

/* What a lease names and a proof is about: operand weights, fractions, tables (section 14). */
typedef struct bt_model {
    num_shape     shape;
    num_fractions fractions;
    int16_t      *weights; /* num_parameter_count elements, tensors in order; owned */
    hash256       weight_root, tables_hash, id;
} bt_model;

err  bt_model_init(bt_model *m, const num_shape *shape, fault *f) MUST_USE; /* zero weights and fractions */
void bt_model_deinit(bt_model *m);

/* Recomputes weight_root, tables_hash and id from shape, fractions and weights. Checks the fractions. `tables` fit the shape. */
typedef struct bt_tables bt_tables; /* tables.h */
err bt_model_seal(bt_model *m, bt_tables *tables, fault *f) MUST_USE;

/* Canonical model file: the CBOR of section 14 followed by the weights (le16). Decoding checks everything and the id. */
err bt_model_encode(const bt_model *m, uint8_t **out, size_t *len) MUST_USE; /* free() */
/* ERR_HASH if weights or tables do not give the hashes in the header. `tables` NULL: made for the occasion. */
err bt_model_decode(bt_model *m, bytes file, fault *f) MUST_USE;

/* Section 8. */
typedef struct bt_result {
    bool     range; /* true: RANGE(tensor, sequence, index) */
    uint32_t tensor;
    uint64_t sequence, index;
} bt_result;

typedef struct bt_gpt bt_gpt;

/* A GPT of one shape on a device (borrowed). It holds the tables, not the model. */
err  bt_gpt_new(bt_gpt **out, const num_shape *shape, bt_device *device, fault *f) MUST_USE;
void bt_gpt_free(bt_gpt *g);
bt_tables *bt_gpt_tables(bt_gpt *g);

typedef struct bt_batch {
    hash256         job_id;
    uint64_t        step;
    uint32_t        count;     /* sequences, >= 1; count x T at most LIMIT_LEASE_TOKENS */
    const uint64_t *sequences; /* their global numbers (rows of dither) */
    const uint16_t *tokens;    /* count x (T + 1): T inputs, shifted by one the targets; each < V */
} bt_batch;

/* Committed tensors of one call, shown in the order of sections 4 and 5, one call per tensor and sequence: `rows x cols`
 * elements of `elem_bytes` (2: int16, 4: int32, 8: int64), row-major, valid only during the call. Attention tensors come
 * as (H T) x T. Used by the trace commitment, `--trace` and disputes. */
typedef err (*bt_trace_fn)(void *ctx, uint32_t tensor_id, uint64_t sequence, const void *data, uint32_t rows, uint32_t cols,
                           uint32_t elem_bytes);

/* Forward and backward of `model` (of the gpt's shape). `gradient` (num_parameter_count int64, caller's memory) is ADDED to: exact
 * integer sums. `loss_q16` gets the sum of token losses in 2^-16 bits. A value outside its table is not an error: it is result->range, and
 * gradient and loss are then unspecified. ERR_RANGE: a token >= V. trace may be NULL. */
err bt_gpt_gradient(bt_gpt *g, const bt_model *model, const bt_batch *batch, int64_t *gradient, int64_t *loss_q16, bt_result *result,
                    bt_trace_fn trace, void *trace_ctx, fault *f) MUST_USE;

/* Forward only: sum of losses. */
err bt_gpt_loss(bt_gpt *g, const bt_model *model, const bt_batch *batch, int64_t *loss_q16, bt_result *result, fault *f) MUST_USE;

/* Logits (base-2 logarithm units, fraction f_l) after the last of `count` tokens (1 .. T): V values. For text samples. */
err bt_gpt_logits(bt_gpt *g, const bt_model *model, const uint16_t *context, uint32_t count, int32_t *logits, bt_result *result, fault *f) MUST_USE;

/* Section 10: all fractions from master weights (num_parameter_count) on the given batch; its job and step are not looked at.
 * `repetitions`: how often the step has ended in RANGE already. ERR_STEP_RANGE: the model has diverged. */
err bt_gpt_calibrate(bt_gpt *g, num_fractions *fractions, const int32_t *master, const bt_batch *batch, uint32_t repetitions, fault *f) MUST_USE;

#endif
