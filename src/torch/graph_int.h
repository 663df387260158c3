/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside of graph.c, forward.c and backward.c. */
#ifndef TORCH_GRAPH_INT_H
#define TORCH_GRAPH_INT_H

#include "torch/graph.h"
#include "torch/kernels/ops.h"
#include "torch/tables.h"

/* A pending contribution to an OPERAND's gradient: the product a b, not yet computed. */
typedef struct grad_term {
    bt_tensor a, b;
    int       fraction;
} grad_term;

typedef struct value {
    bt_kind   kind;
    bt_tensor t;
    uint64_t  rows, cols; /* also when t is gone */
    bool      leaf;       /* a parameter or an input */
    bool      parameter;
    bool      released;   /* by bt_release: no further use */
    bool      needs_gradient;
    bt_tensor parameter_gradient; /* int64 or none; every use must contribute at one fraction */
    bool      parameter_used;
    int       parameter_fraction;
    /* gradient, while it is being collected */
    bt_tensor stream;             /* STREAM: int32 */
    grad_term terms[BT_TERMS_MAX];
    uint32_t  n_terms;
    bt_tensor acc;                /* OPERAND: exact int64 */
    int       acc_fraction;
    bt_tensor ready;              /* OPERAND, INDEX: one contribution that is an operand already */
} value;

typedef enum node_kind { NODE_EMBED, NODE_ADD, NODE_NORM, NODE_LINEAR, NODE_GELU, NODE_ATTENTION, NODE_LOSS, NODE_VIEW } node_kind;

typedef enum view_kind { VIEW_SLICE, VIEW_TRANSPOSE, VIEW_RESHAPE } view_kind;

typedef struct node {
    node_kind     kind;
    bt_value      in[3], out;
    bt_slot       slot, slot2; /* gradient roundings */
    bt_attn_slots attn;
    uint32_t      id, id2;
    bt_tensor     saved[3];    /* NORM: r. GELU: slope. ATTENTION: e, R. LOSS: dl. */
    view_kind     view;
    uint32_t      dim;
    uint64_t      start, stop, step;
} node;

struct bt_graph {
    bt_device      *device;
    bt_graph_spec   spec;
    num_const       c;
    bt_profile     *profile;
    value          *values;
    uint32_t        n_values, values_cap;
    node           *nodes;
    uint32_t        n_nodes, nodes_cap;
    uint64_t        rows;        /* N */
    uint64_t       *dither_rows, *dither_cols;
    size_t          dither_rows_cap, dither_cols_cap;
    void           *trace_row;   /* scratch for head-major scalars */
    bool            walked;      /* the backward pass has run */
    bool            gx_chosen;   /* a calibration has fixed the gradient stream's fraction */
    err             status;
    fault           fault;
    bt_result       result;
    _Atomic int64_t loss_q16;
};

/* Which rule of section 10 chooses a fraction in a calibration. */
typedef enum bt_rule { RULE_FIXED, RULE_OPERAND, RULE_INDEX, RULE_DN, RULE_GX } bt_rule;

/* One rounding as the graph sees it. */
typedef struct bt_rounding {
    bt_slot  slot;
    bt_rule  rule;
    int      acc_fraction;
    bool     backward;  /* dithered in a training run */
    bool     saturate;
    int64_t  domain;
    bt_round round;
} bt_rounding;

static inline bool graph_ok(const bt_graph *g)
{
    return g->status == OK;
}

void graph_fail(bt_graph *g, err code, const char *what, uint64_t at);
/* A tensor of count x rows_per_sequence rows is one piece a sequence; any other (of a graph that mixes rows) is one piece under the
 * number BT_NO_SEQUENCE. `rows` is what a piece has. */
#define BT_NO_SEQUENCE UINT64_MAX
typedef struct bt_pieces {
    uint32_t count;
    uint64_t rows;
} bt_pieces;
bt_pieces graph_pieces(const bt_graph *g, uint64_t tensor_rows, uint64_t rows_per_sequence);
uint64_t  graph_sequence(const bt_graph *g, bt_pieces p, uint64_t piece);
/* RANGE at a flat index of a tensor with `cols` columns, in pieces of `rows` rows. */
void graph_range(bt_graph *g, uint32_t id, uint64_t flat, bt_pieces pieces, uint64_t cols);

bt_value graph_value(bt_graph *g, bt_kind kind, const bt_tensor *owned); /* takes the handle */
node    *graph_node(bt_graph *g, node_kind kind);                       /* NULL when nothing is taped or after an error */
bool     graph_launch(bt_graph *g, bt_op op, bt_args args, uint32_t id); /* true if it ran well; a failure sticks to the graph */
bt_tensor graph_tensor(bt_graph *g, bt_dtype dtype, uint64_t rows, uint64_t cols, int fraction);
/* An int64 row scalar for tracing, or no tensor when nothing is traced. */
bt_tensor graph_traced(bt_graph *g, bt_dtype dtype, uint64_t rows, uint64_t cols);

/* Prepares the shift, domain and dither for n columns; a word of dither for each row of a piece. In a calibration the fraction must be
 * chosen already. */
void rounding_prepare(bt_graph *g, bt_rounding *r, bt_pieces pieces, uint64_t n);
/* Calibration: the fraction that the rule gives for the measured maximum. */
void rounding_choose(bt_graph *g, bt_rounding *r);
/* Bits by which repetitions shrink the room of the gradient stream. */
int graph_gx_coarser(const bt_graph *g);
/* After the launch: RANGE, if some element left its domain. */
void rounding_check(bt_graph *g, const bt_rounding *r, bt_pieces pieces, uint64_t n);
static inline bool calibrating(const bt_graph *g)
{
    return g->spec.mode == BT_CALIBRATE;
}

/* Rounds a sum of products (LINEAR) or an accumulator (ROUND) into `out`; measures first in a calibration. `source` has out, round,
 * measure unset. */
void graph_linear(bt_graph *g, bt_linear_args *source, bt_rounding *r, bt_tensor *out);
void graph_round(bt_graph *g, bt_round_args *source, bt_rounding *r, bt_tensor *out);

void trace_emit(bt_graph *g, uint32_t id, const bt_tensor *t, uint64_t rows_per_sequence, uint64_t cols);
void trace_emit_heads(bt_graph *g, uint32_t id, const bt_tensor *heads_by_rows); /* H x N int64 as T x H */

/* Gradients (backward.c). */
void grad_add_stream(bt_graph *g, bt_value v, const bt_tensor *gx); /* shares the handle */

#endif
