/* SPDX-License-Identifier: Apache-2.0
 *
 * Values, tape, roundings, trace: what forward.c and backward.c stand on. */
#include "torch/graph_int.h"

#include "base/int.h"
#include "numerics/dither.h"

#include <stdlib.h>

err bt_graph_new(bt_graph **out, bt_device *device, const bt_graph_spec *spec)
{
    bt_graph *g = calloc(1, sizeof *g);
    if (!g)
        return ERR_MEMORY;
    g->device = device;
    g->spec = *spec;
    g->profile = bt_profile_get();
    g->gx_chosen = spec->mode != BT_CALIBRATE || spec->keep_gx;
    g->rows = (uint64_t)spec->count * spec->context;
    err e = num_const_of(&g->c, spec->shape, NULL);
    if (e == OK && (spec->count == 0 || spec->context == 0 || spec->context > spec->shape->context || (spec->mode == BT_TRAIN && !spec->sequences)))
        e = ERR_USAGE;
    if (e == OK && spec->trace) {
        g->trace_row = malloc((size_t)spec->context * spec->shape->heads * sizeof(int64_t));
        e = g->trace_row ? OK : ERR_MEMORY;
    }
    if (e != OK) {
        bt_graph_free(g);
        return e;
    }
    *out = g;
    return OK;
}

static void drop_gradient(value *v)
{
    bt_tensor_unref(&v->stream);
    bt_tensor_unref(&v->acc);
    bt_tensor_unref(&v->ready);
    for (uint32_t i = 0; i < v->n_terms; i++) {
        bt_tensor_unref(&v->terms[i].a);
        bt_tensor_unref(&v->terms[i].b);
    }
    v->n_terms = 0;
}

void bt_graph_free(bt_graph *g)
{
    if (!g)
        return;
    for (uint32_t i = 0; i < g->n_nodes; i++)
        for (size_t s = 0; s < COUNT_OF(g->nodes[i].saved); s++)
            bt_tensor_unref(&g->nodes[i].saved[s]);
    for (uint32_t i = 0; i < g->n_values; i++) {
        drop_gradient(&g->values[i]);
        bt_tensor_unref(&g->values[i].t);
        bt_tensor_unref(&g->values[i].parameter_gradient);
    }
    free(g->nodes);
    free(g->values);
    free(g->dither_rows);
    free(g->dither_cols);
    free(g->trace_row);
    free(g);
}

void graph_fail(bt_graph *g, err code, const char *what, uint64_t at)
{
    if (graph_ok(g))
        g->status = fail(&g->fault, code, what, at);
}

bt_pieces graph_pieces(const bt_graph *g, uint64_t tensor_rows, uint64_t rows_per_sequence)
{
    return tensor_rows == g->spec.count * rows_per_sequence ? (bt_pieces){ g->spec.count, rows_per_sequence } : (bt_pieces){ 1, tensor_rows };
}

uint64_t graph_sequence(const bt_graph *g, bt_pieces p, uint64_t piece)
{
    if (p.count != g->spec.count)
        return BT_NO_SEQUENCE;
    return g->spec.sequences ? g->spec.sequences[piece] : piece;
}

void graph_range(bt_graph *g, uint32_t id, uint64_t flat, bt_pieces pieces, uint64_t cols)
{
    if (!graph_ok(g))
        return;
    uint64_t size = pieces.rows * cols;
    g->result = (bt_result){ .range = true, .tensor = id, .sequence = graph_sequence(g, pieces, flat / size), .index = flat % size };
    graph_fail(g, ERR_STEP_RANGE, "tensor", id);
}

/* Doubles a table of `size`-byte elements when it is full. */
static bool grow(void **table, uint32_t used, uint32_t *cap, size_t size)
{
    if (used < *cap)
        return true;
    uint32_t more = *cap ? *cap * 2 : 64;
    void *larger = realloc(*table, more * size);
    if (!larger)
        return false;
    *table = larger;
    *cap = more;
    return true;
}

bt_value graph_value(bt_graph *g, bt_kind kind, const bt_tensor *owned)
{
    bt_tensor t = *owned;
    if (!grow((void **)&g->values, g->n_values, &g->values_cap, sizeof *g->values)) {
        bt_tensor_unref(&t);
        graph_fail(g, ERR_MEMORY, "values", g->n_values);
        return 0;
    }
    g->values[g->n_values] = (value){ .kind = kind, .t = t, .rows = t.shape[0], .cols = t.shape[1], .needs_gradient = true };
    return g->n_values++;
}

node *graph_node(bt_graph *g, node_kind kind)
{
    if (!graph_ok(g) || g->spec.mode == BT_INFER)
        return NULL;
    if (!grow((void **)&g->nodes, g->n_nodes, &g->nodes_cap, sizeof *g->nodes)) {
        graph_fail(g, ERR_MEMORY, "tape", g->n_nodes);
        return NULL;
    }
    g->nodes[g->n_nodes] = (node){ .kind = kind };
    return &g->nodes[g->n_nodes++];
}

bool graph_launch(bt_graph *g, bt_op op, bt_args args, uint32_t id)
{
    if (!graph_ok(g))
        return false;
    err e = bt_profile_launch(g->profile, g->device, op, &args, g->spec.step, id);
    if (e != OK)
        graph_fail(g, e, bt_op_name(op), id);
    return e == OK;
}

bt_tensor graph_tensor(bt_graph *g, bt_dtype dtype, uint64_t rows, uint64_t cols, int fraction)
{
    bt_tensor t = { 0 };
    if (!graph_ok(g))
        return t;
    err e = bt_tensor_new(&t, g->device, dtype, 2, (const uint64_t[]){ rows, cols }, fraction);
    if (e != OK)
        graph_fail(g, e, "tensor", rows);
    return t;
}

bt_tensor graph_traced(bt_graph *g, bt_dtype dtype, uint64_t rows, uint64_t cols)
{
    return g->spec.trace ? graph_tensor(g, dtype, rows, cols, 0) : (bt_tensor){ 0 };
}

static uint64_t *words(bt_graph *g, uint64_t **table, size_t *cap, size_t n)
{
    if (*cap < n) {
        free(*table);
        *table = malloc(n * sizeof **table);
        *cap = *table ? n : 0;
    }
    if (!*table)
        graph_fail(g, ERR_MEMORY, "dither words", n);
    return *table;
}

void rounding_prepare(bt_graph *g, bt_rounding *r, bt_pieces pieces, uint64_t n)
{
    int shift = r->acc_fraction - *r->slot.fraction;
    if (shift < 0 || shift > BT_ROUND_SHIFT_MAX) {
        graph_fail(g, ERR_RANGE, "shift of tensor", r->slot.id);
        return;
    }
    r->round.shift = (unsigned)shift;
    r->round.limit = r->domain;
    r->round.clamp = r->saturate ? g->c.q_max : (int32_t)r->domain;
    r->round.bad = BT_ROUND_NONE;
    if (!r->backward || g->spec.mode != BT_TRAIN)
        return;
    uint64_t *rows = words(g, &g->dither_rows, &g->dither_rows_cap, (size_t)(pieces.count * pieces.rows));
    uint64_t *cols = words(g, &g->dither_cols, &g->dither_cols_cap, (size_t)n);
    if (!graph_ok(g))
        return;
    for (uint32_t s = 0; s < pieces.count; s++)
        num_dither_rows(rows + s * pieces.rows, (size_t)pieces.rows, &g->spec.dither_seed, r->slot.id, graph_sequence(g, pieces, s));
    num_dither_cols(cols, (size_t)n, &g->spec.dither_seed, r->slot.id);
    r->round.dither_row = rows;
    r->round.dither_col = cols;
}

int graph_gx_coarser(const bt_graph *g)
{
    return g->spec.repetitions < 3 ? 3 * (int)g->spec.repetitions : 9;
}

void rounding_choose(bt_graph *g, bt_rounding *r)
{
    bool wide = g->spec.shape->helper == NUM_WIDE;
    int bits = (int)bit_length_u64(r->round.max), coarser = g->spec.repetitions < 4 ? (int)g->spec.repetitions : 4;
    int room = 0;
    switch (r->rule) {
    case RULE_FIXED:   return;
    case RULE_OPERAND: room = (int)g->spec.shape->bits - 2; break;
    case RULE_INDEX:   room = wide ? 15 : 12; break;
    case RULE_DN:      room = wide ? 14 : 11; break;
    case RULE_GX:      room = 16 - graph_gx_coarser(g), coarser = 0; break;
    }
    int shift = bits > room ? bits - room : 0;
    if (r->rule == RULE_INDEX && shift < r->acc_fraction - g->c.f_h_max)
        shift = r->acc_fraction - g->c.f_h_max;
    *r->slot.fraction = (int8_t)(r->acc_fraction - shift - coarser);
}

void rounding_check(bt_graph *g, const bt_rounding *r, bt_pieces pieces, uint64_t n)
{
    if (r->round.bad != BT_ROUND_NONE)
        graph_range(g, r->slot.id, r->round.bad, pieces, n);
}

static bt_args linear_args(const bt_linear_args *a)
{
    uint64_t rows = a->terms[0].a.shape[0], cols = a->terms[0].b.shape[1], macs = 0, n_bytes = 0;
    for (uint32_t i = 0; i < a->n_terms; i++) {
        macs += rows * cols * a->terms[i].a.shape[1];
        n_bytes += 2 * a->terms[i].a.shape[1] * (rows + cols);
    }
    return (bt_args){ .linear = a, .rows = rows, .cols = cols, .n_bytes = n_bytes + 2 * rows * cols, .macs = macs };
}

void graph_linear(bt_graph *g, bt_linear_args *a, bt_rounding *r, bt_tensor *out)
{
    uint64_t n = out->shape[1];
    bt_pieces pieces = graph_pieces(g, out->shape[0], g->spec.context);
    a->bound = g->c.q_max;
    a->round = &r->round;
    if (calibrating(g) && r->rule != RULE_FIXED) {
        a->measure = true;
        if (!graph_launch(g, BT_OP_LINEAR, linear_args(a), r->slot.id))
            return;
        rounding_choose(g, r);
        a->measure = false;
    }
    if (!graph_ok(g))
        return;
    rounding_prepare(g, r, pieces, n);
    out->fraction = *r->slot.fraction;
    a->out = *out;
    if (graph_launch(g, BT_OP_LINEAR, linear_args(a), r->slot.id))
        rounding_check(g, r, pieces, n);
}

void graph_round(bt_graph *g, bt_round_args *a, bt_rounding *r, bt_tensor *out)
{
    uint64_t rows = out->shape[0], n = out->shape[1];
    bt_pieces pieces = graph_pieces(g, rows, g->spec.context);
    bt_args args = { .round = a, .rows = rows, .cols = n, .n_bytes = rows * n * 6 };
    a->round = &r->round;
    if (calibrating(g) && r->rule != RULE_FIXED) {
        a->measure = true;
        if (!graph_launch(g, BT_OP_ROUND, args, r->slot.id))
            return;
        rounding_choose(g, r);
        a->measure = false;
    }
    if (!graph_ok(g))
        return;
    rounding_prepare(g, r, pieces, n);
    out->fraction = *r->slot.fraction;
    a->out = *out;
    if (graph_launch(g, BT_OP_ROUND, args, r->slot.id))
        rounding_check(g, r, pieces, n);
}

void trace_emit(bt_graph *g, uint32_t id, const bt_tensor *t, uint64_t rows_per_sequence, uint64_t cols)
{
    if (!g->spec.trace || !graph_ok(g))
        return;
    size_t size = bt_dtype_size(t->dtype);
    const char *data = bt_tensor_data(t);
    bt_pieces p = graph_pieces(g, t->shape[0], rows_per_sequence);
    for (uint32_t s = 0; s < p.count && graph_ok(g); s++) {
        err e = g->spec.trace(g->spec.trace_ctx, id, graph_sequence(g, p, s), data + s * p.rows * cols * size, (uint32_t)p.rows, (uint32_t)cols,
                              (uint32_t)size);
        if (e != OK)
            graph_fail(g, e, "trace of tensor", id);
    }
}

void trace_emit_heads(bt_graph *g, uint32_t id, const bt_tensor *t)
{
    if (!g->spec.trace || !graph_ok(g))
        return;
    uint64_t heads = t->shape[0], context = g->spec.context;
    const int64_t *data = bt_tensor_data(t);
    int64_t *row = g->trace_row;
    for (uint32_t s = 0; s < g->spec.count && graph_ok(g); s++) {
        for (uint64_t h = 0; h < heads; h++)
            for (uint64_t i = 0; i < context; i++)
                row[i * heads + h] = data[h * g->rows + s * context + i];
        err e = g->spec.trace(g->spec.trace_ctx, id, graph_sequence(g, (bt_pieces){ g->spec.count, context }, s), row, (uint32_t)context,
                              (uint32_t)heads, 8);
        if (e != OK)
            graph_fail(g, e, "trace of tensor", id);
    }
}

const bt_tensor *bt_value_tensor(const bt_graph *g, bt_value x)
{
    return &g->values[x].t;
}

err bt_graph_status(const bt_graph *g, bt_result *result, fault *f)
{
    if (result)
        *result = g->result;
    if (g->status != OK && f)
        *f = g->fault;
    return g->status;
}

int64_t bt_graph_loss_q16(const bt_graph *g)
{
    return g->loss_q16;
}
