/* SPDX-License-Identifier: Apache-2.0
 *
 * A GPT in the integer tier: what the training network, `tb train` and the tests call. Bits: spec/numerics.md. The model
 * is built as a graph of tensor operations (graph.h); this face hides it. */
#ifndef TORCH_GPT_H
#define TORCH_GPT_H

#include "base/port/pool.h"
#include "numerics/config.h"

/* What a lease names and a proof is about: operand weights, fractions, tables (section 14). */
typedef struct bt_model {
    num_shape     shape;
    num_fractions fractions;
    int16_t      *weights; /* num_parameter_count elements, tensors in order; owned */
    hash256       weight_root, tables_hash, id;
} bt_model;

err  bt_model_init(bt_model *m, const num_shape *shape, fault *f) MUST_USE; /* zero weights and fractions */
void bt_model_deinit(bt_model *m);

/* Recomputes weight_root, tables_hash and id from shape, fractions and weights. Checks the fractions. */
err bt_model_seal(bt_model *m, bt_pool *pool, fault *f) MUST_USE;

/* Canonical model file: the CBOR of section 14 followed by the weights (le16). Decoding checks everything and the id. */
err bt_model_encode(const bt_model *m, uint8_t **out, size_t *len) MUST_USE; /* free() */
err bt_model_decode(bt_model *m, bytes file, bt_pool *pool, fault *f) MUST_USE;

/* Section 8. */
typedef struct bt_result {
    bool     range; /* true: RANGE(tensor, sequence, index) */
    uint32_t tensor;
    uint64_t sequence, index;
} bt_result;

typedef struct bt_gpt bt_gpt;

/* `model` is borrowed for the life of the gpt; set_model replaces it (same shape). `sequences_max` bounds a call. */
err  bt_gpt_new(bt_gpt **out, const bt_model *model, uint32_t sequences_max, bt_pool *pool, fault *f) MUST_USE;
void bt_gpt_free(bt_gpt *g);
err  bt_gpt_set_model(bt_gpt *g, const bt_model *model, fault *f) MUST_USE;

typedef struct bt_batch {
    hash256         job_id;
    uint64_t        step;
    uint32_t        count;     /* sequences, 1 .. sequences_max */
    const uint64_t *sequences; /* their global numbers (rows of dither) */
    const uint16_t *tokens;    /* count x (T + 1): T inputs, shifted by one the targets; each < V */
} bt_batch;

/* Committed tensors of one call, shown in the order of sections 4 and 5, one call per tensor and sequence: `rows x cols`
 * elements of `elem_bytes` (2: int16, 4: int32, 8: int64), row-major, valid only during the call. Attention tensors come
 * as (H T) x T. Used by the trace commitment, `--trace` and disputes. */
typedef err (*bt_trace_fn)(void *ctx, uint32_t tensor_id, uint64_t sequence, const void *data, uint32_t rows, uint32_t cols,
                           uint32_t elem_bytes);

/* Forward and backward. `gradient` (num_parameter_count int64, caller's memory) is ADDED to: exact integer sums.
 * `loss_q16` gets the sum of token losses in 2^-16 bits. ERR_RANGE-free: a value outside its table is not an error, it is
 * result->range, and the gradient is then unspecified. */
err bt_gpt_gradient(bt_gpt *g, const bt_batch *batch, int64_t *gradient, int64_t *loss_q16, bt_result *result,
                    bt_trace_fn trace, void *trace_ctx) MUST_USE;

/* Forward only: sum of losses. */
err bt_gpt_loss(bt_gpt *g, const bt_batch *batch, int64_t *loss_q16, bt_result *result) MUST_USE;

/* Logits (base-2, fraction f_l) of the last of `count` tokens of context (1 .. T): V values. For text samples. */
err bt_gpt_logits(bt_gpt *g, const uint16_t *context, uint32_t count, int32_t *logits, bt_result *result) MUST_USE;

/* Section 10: computes all fractions from master weights on the given batch (job and step are not used for dither). The
 * result goes to `fractions`; `master` has num_parameter_count elements. */
err bt_gpt_calibrate(num_fractions *fractions, const num_shape *shape, const int32_t *master, const bt_batch *batch,
                     bt_pool *pool, fault *f) MUST_USE;

#endif
