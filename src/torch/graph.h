/* SPDX-License-Identifier: Apache-2.0
 *
 * Graph and autograd of the integer tier. Operations run at once and, in a training run, are written to a tape; the backward
 * pass walks it from the end. Any directed acyclic graph: values may be used many times, sliced, transposed, reshaped.
 *
 * Three kinds of values (spec/numerics.md section 1):
 *   STREAM   int32 at fraction f_res. Its gradient is the exact sum of rounded contributions at the fraction gx.
 *   OPERAND  int16 of w bits, input of matrix products. Its gradient is the exact sum of unrounded accumulators over all its
 *            uses, aligned to the finest fraction and rounded once, by the operation that made the value.
 *   INDEX    int32 within the table domain (the input of GELU).
 * Every rounding has a `bt_slot`: its fraction and its tensor id (dither, trace, RANGE). */
#ifndef TORCH_GRAPH_H
#define TORCH_GRAPH_H

#include "base/port/pool.h"
#include "torch/gpt.h"
#include "torch/profile.h"
#include "torch/tensor.h"

typedef enum bt_kind { BT_STREAM, BT_OPERAND, BT_INDEX } bt_kind;

typedef uint32_t bt_value; /* index into the graph's values */

/* A rounding: read in a run, written in a calibration. */
typedef struct bt_slot {
    int8_t  *fraction;
    uint32_t id;
} bt_slot;

typedef enum bt_mode {
    BT_INFER,     /* forward only, nothing kept */
    BT_TRAIN,     /* forward, tape, dithered backward */
    BT_CALIBRATE, /* as TRAIN with half-up rounding; fractions are chosen on the way (section 10) */
} bt_mode;

typedef struct bt_tables bt_tables;

typedef struct bt_graph_spec {
    const num_shape *shape;
    bt_tables       *tables;    /* borrowed */
    num_fractions   *fractions; /* where slots point; written only by a calibration */
    bt_mode          mode;
    hash256          dither_seed;
    uint64_t         step;      /* for the profile */
    const uint64_t  *sequences; /* `count` global numbers */
    uint32_t         count;
    const uint16_t  *tokens;    /* count x (context_now + 1), see bt_batch */
    uint32_t         context;   /* tokens per sequence in this run, at most shape->context */
    uint32_t         repetitions; /* calibration: of the step so far; coarsens (section 10) */
    bool             keep_gx;   /* calibration: the gradient stream's fraction is given already */
    bt_trace_fn      trace;
    void            *trace_ctx;
} bt_graph_spec;

typedef struct bt_graph bt_graph;

err  bt_graph_new(bt_graph **out, bt_device *device, const bt_graph_spec *spec) MUST_USE;
void bt_graph_free(bt_graph *g);

/* A trainable int16 matrix; its exact gradient is added to `gradient` (int64, same shape; no storage: frozen). All its uses must
 * contribute at one fraction (ERR_RANGE); for a weight used otherwise take bt_input. */
bt_value bt_parameter(bt_graph *g, const bt_tensor *weight, const bt_tensor *gradient);

/* An OPERAND given from outside, N x n. Its gradient can be read after the backward pass with bt_gradient_acc. */
bt_value bt_input(bt_graph *g, const bt_tensor *operand);

/* Operations. Each gives a new value; errors stick to the graph and come out of bt_graph_status. */
bt_value bt_embed(bt_graph *g, bt_value e, bt_value p, uint32_t id);
/* With `take` the sum takes the storage of stream_a, which must not be used again. */
bt_value bt_add(bt_graph *g, bt_value stream_a, bt_value stream_b, bool take, uint32_t id);
/* No later operation will use v: frees what the backward pass does not need. Using it again is ERR_SHAPE. Parameters stay. */
void bt_release(bt_graph *g, bt_value v);
bt_value bt_rmsnorm(bt_graph *g, bt_value stream, bt_slot y, uint32_t r_id, bt_slot dn, uint32_t m_id, uint32_t dx_id);
/* out = round(x w). `kind` OPERAND: at slot `out`; STREAM: at f_res; INDEX: at slot `out`. `grad` is the rounding of the incoming
 * gradient to an operand (STREAM: dm, da; OPERAND: used only if the value has several uses; INDEX: none). */
bt_value bt_linear(bt_graph *g, bt_value x, bt_value w, bt_kind kind, bt_slot out, bt_slot grad);
bt_value bt_gelu(bt_graph *g, bt_value index, bt_slot out, bt_slot dh);
typedef struct bt_attn_slots {
    bt_slot  o, dp, dv, ds, dq, dk;
    uint32_t z, zsum, rsum, e, row_c;
} bt_attn_slots;
bt_value bt_attention(bt_graph *g, bt_value q, bt_value k, bt_value v, const bt_attn_slots *slots);
/* Cross-entropy of the logits x w against the next tokens; the end of a graph. */
void bt_cross_entropy(bt_graph *g, bt_value x, bt_value w, uint32_t layer);
/* Logits of the last position of each sequence: count x V int32, for sampling. */
void bt_logits(bt_graph *g, bt_value x, bt_value w, uint32_t layer, int32_t *out);

/* Views of OPERAND values. */
bt_value bt_view_slice(bt_graph *g, bt_value x, uint32_t dim, uint64_t start, uint64_t stop, uint64_t step);
bt_value bt_view_transpose(bt_graph *g, bt_value x);
bt_value bt_view_reshape(bt_graph *g, bt_value x, uint64_t rows, uint64_t cols);

/* Seeds the gradient of an OPERAND or INDEX value with an operand at a fraction, for graphs that do not end in a cross-entropy. */
void bt_seed_gradient(bt_graph *g, bt_value x, const bt_tensor *operand);

/* Walks the tape backwards, once. Exact sums that would leave 2^62, because fractions lie too far apart: ERR_LEDGER. */
void bt_backward(bt_graph *g);

/* After the backward pass: the exact accumulated gradient of a bt_input (else ERR_USAGE): int64, same shape, *fraction its fraction.
 * Borrowed until the graph is freed. */
err bt_gradient_acc(bt_graph *g, bt_value input, bt_tensor *out, int *fraction) MUST_USE;

const bt_tensor *bt_value_tensor(const bt_graph *g, bt_value x);

/* OK, ERR_STEP_RANGE (see `result`), or the first error. */
err     bt_graph_status(const bt_graph *g, bt_result *result, fault *f) MUST_USE;
int64_t bt_graph_loss_q16(const bt_graph *g);

#endif
