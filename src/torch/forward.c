/* SPDX-License-Identifier: Apache-2.0
 *
 * The operations of a graph, forward (spec/numerics.md section 4). Each writes the node that its gradient needs. */
#include "torch/graph_int.h"

#include <stdlib.h>

bt_value bt_parameter(bt_graph *g, const bt_tensor *weight, const bt_tensor *gradient)
{
    bt_tensor w = bt_tensor_ref(weight);
    bt_value v = graph_value(g, BT_OPERAND, &w);
    if (graph_ok(g)) {
        g->values[v].leaf = g->values[v].parameter = true;
        g->values[v].needs_gradient = gradient && gradient->storage;
        if (g->values[v].needs_gradient)
            g->values[v].parameter_gradient = bt_tensor_ref(gradient);
    }
    return v;
}

bt_value bt_input(bt_graph *g, const bt_tensor *operand)
{
    if (operand->rank != 2 || operand->dtype != BT_I16)
        graph_fail(g, ERR_DTYPE, "input: int16 matrix wanted", operand->rank);
    bt_tensor t = bt_tensor_ref(operand);
    bt_value v = graph_value(g, BT_OPERAND, &t);
    if (graph_ok(g))
        g->values[v].leaf = true;
    return v;
}

/* A matrix product wants `cols` columns of an operand; a wrong kind or size is the caller's mistake, reported like any error. */
static bool wants(bt_graph *g, bt_value v, bt_kind kind, uint64_t rows, const char *what)
{
    if (!graph_ok(g))
        return false;
    if (v >= g->n_values || g->values[v].kind != kind || g->values[v].released || g->values[v].t.rank != 2 ||
        (rows && g->values[v].t.shape[0] != rows)) {
        graph_fail(g, ERR_SHAPE, what, v);
        return false;
    }
    return true;
}

bt_value bt_embed(bt_graph *g, bt_value e, bt_value p, uint32_t id)
{
    if (!wants(g, e, BT_OPERAND, 0, "embed: token table") || !wants(g, p, BT_OPERAND, 0, "embed: position table"))
        return 0;
    const bt_tensor *te = &g->values[e].t, *tp = &g->values[p].t;
    int shift_e = g->c.f_res - te->fraction, shift_p = g->c.f_res - tp->fraction;
    if (te->shape[1] != tp->shape[1] || te->shape[0] < g->spec.shape->vocab || tp->shape[0] < g->spec.context ||
        !bt_tensor_contiguous(te) || !bt_tensor_contiguous(tp) || shift_e < 0 || shift_e > 4 || shift_p < 0 || shift_p > 4)
        graph_fail(g, ERR_SHAPE, "embed: tables", id);
    uint64_t d = te->shape[1];
    bt_tensor x = graph_tensor(g, BT_I32, g->rows, d, g->c.f_res);
    bt_embed_args a = { .tokens = g->spec.tokens, .token_stride = (size_t)g->spec.context + 1, .context = g->spec.context, .e = *te, .p = *tp,
                        .shift_e = (unsigned)shift_e, .shift_p = (unsigned)shift_p, .x = x };
    bool ok = graph_launch(g, BT_OP_EMBED, (bt_args){ .embed = &a, .rows = g->rows, .cols = d, .n_bytes = g->rows * d * 8 }, id);
    if (ok)
        trace_emit(g, id, &x, g->spec.context, d);
    bt_value out = graph_value(g, BT_STREAM, &x);
    node *n = graph_node(g, NODE_EMBED);
    if (n) {
        n->in[0] = e, n->in[1] = p, n->out = out;
    }
    return out;
}

void bt_release(bt_graph *g, bt_value v)
{
    if (!graph_ok(g) || v >= g->n_values || g->values[v].parameter)
        return;
    g->values[v].released = true;
    if (g->values[v].kind != BT_OPERAND || g->spec.mode == BT_INFER)
        bt_tensor_unref(&g->values[v].t);
}

bt_value bt_add(bt_graph *g, bt_value sa, bt_value sb, bool take, uint32_t id)
{
    if (!wants(g, sa, BT_STREAM, 0, "add: stream") || !wants(g, sb, BT_STREAM, g->values[sa].t.shape[0], "add: stream") ||
        g->values[sa].t.shape[1] != g->values[sb].t.shape[1]) {
        graph_fail(g, ERR_SHAPE, "add: streams", id);
        return 0;
    }
    uint64_t rows = g->values[sa].t.shape[0], d = g->values[sa].t.shape[1];
    bool in_place = take && sa != sb;
    bt_tensor x = in_place ? bt_tensor_ref(&g->values[sa].t) : graph_tensor(g, BT_I32, rows, d, g->c.f_res);
    if (in_place)
        bt_release(g, sa);
    else if (graph_ok(g) && bt_tensor_copy(&x, &g->values[sa].t, &g->fault) != OK)
        graph_fail(g, ERR_INTERNAL, "add: copy", id);
    bt_add_args a = { .x = x, .b = g->values[sb].t };
    if (graph_launch(g, BT_OP_ADD, (bt_args){ .add = &a, .rows = rows, .cols = d, .n_bytes = rows * d * 12 }, id))
        trace_emit(g, id, &x, g->spec.context, d);
    bt_value out = graph_value(g, BT_STREAM, &x);
    node *n = graph_node(g, NODE_ADD);
    if (n) {
        n->in[0] = sa, n->in[1] = sb, n->out = out;
    }
    return out;
}

bt_value bt_rmsnorm(bt_graph *g, bt_value stream, bt_slot y_slot, uint32_t r_id, bt_slot dn, uint32_t m_id, uint32_t dx_id)
{
    if (!wants(g, stream, BT_STREAM, 0, "norm: stream"))
        return 0;
    const bt_tensor *x = &g->values[stream].t;
    uint64_t rows = x->shape[0], d = x->shape[1];
    bt_pieces pieces = graph_pieces(g, rows, g->spec.context);
    bt_tensor r = graph_tensor(g, BT_I64, rows, 1, g->c.f_r), y = graph_tensor(g, BT_I16, rows, d, 0);
    bt_rounding round = { .slot = y_slot, .rule = RULE_OPERAND, .acc_fraction = g->c.f_res + g->c.f_r, .saturate = true, .domain = g->c.d_t };
    uint64_t bad_r = BT_ROUND_NONE;
    bt_norm_args a = { .c = &g->c, .x = *x, .y = y, .r = r, .bad_r = &bad_r, .round = &round.round, .measure = calibrating(g) };
    bt_args args = { .norm = &a, .rows = rows, .cols = d, .n_bytes = rows * d * 6 };
    if (a.measure && graph_launch(g, BT_OP_NORM, args, y_slot.id))
        rounding_choose(g, &round);
    a.measure = false;
    if (graph_ok(g))
        rounding_prepare(g, &round, pieces, d);
    y.fraction = *y_slot.fraction;
    if (graph_launch(g, BT_OP_NORM, args, y_slot.id)) {
        if (bad_r != BT_ROUND_NONE)
            graph_range(g, r_id, bad_r, pieces, 1);
        rounding_check(g, &round, pieces, d);
    }
    trace_emit(g, r_id, &r, g->spec.context, 1);
    trace_emit(g, y_slot.id, &y, g->spec.context, d);
    bt_value out = graph_value(g, BT_OPERAND, &y);
    node *n = graph_node(g, NODE_NORM);
    if (n) {
        n->in[0] = stream, n->out = out, n->slot = dn, n->id = m_id, n->id2 = dx_id;
        n->saved[0] = r;
    } else {
        bt_tensor_unref(&r);
    }
    return out;
}

bt_value bt_linear(bt_graph *g, bt_value x, bt_value w, bt_kind kind, bt_slot out_slot, bt_slot grad)
{
    if (!wants(g, x, BT_OPERAND, 0, "linear: x") || !wants(g, w, BT_OPERAND, g->values[x].t.shape[1], "linear: x and w"))
        return 0;
    const bt_tensor *tx = &g->values[x].t, *tw = &g->values[w].t;
    uint64_t rows = tx->shape[0], n_cols = tw->shape[1];
    int8_t stream_fraction = (int8_t)g->c.f_res;
    bt_rounding round = { .slot = out_slot, .rule = kind == BT_STREAM ? RULE_FIXED : kind == BT_INDEX ? RULE_INDEX : RULE_OPERAND,
                       .acc_fraction = tx->fraction + tw->fraction, .saturate = kind == BT_OPERAND,
                       .domain = kind == BT_STREAM ? g->c.d_b : g->c.d_t, .round = { .mul = 1 } };
    if (kind == BT_STREAM)
        round.slot.fraction = &stream_fraction;
    bt_tensor out = graph_tensor(g, kind == BT_OPERAND ? BT_I16 : BT_I32, rows, n_cols, 0);
    bt_linear_args a = { .terms = { { .a = *tx, .b = *tw } }, .n_terms = 1 };
    if (graph_ok(g))
        graph_linear(g, &a, &round, &out);
    trace_emit(g, out_slot.id, &out, g->spec.context, n_cols);
    bt_value v = graph_value(g, kind, &out);
    node *n = graph_node(g, NODE_LINEAR);
    if (n) {
        n->in[0] = x, n->in[1] = w, n->out = v, n->slot = grad;
    }
    return v;
}

/* From the largest |GELU| over the inputs (section 10). */
static void choose_gelu(bt_graph *g, const bt_tensor *h, bt_slot slot)
{
    uint64_t max = 0;
    err e = bt_tables_gelu_peak(g->spec.tables, h->fraction, bt_tensor_data(h), bt_tensor_count(h), &max);
    if (e != OK) {
        graph_fail(g, e, "gelu: table", slot.id);
        return;
    }
    bt_rounding r = { .slot = slot, .rule = RULE_OPERAND, .acc_fraction = BT_GELU_FINE, .round = { .max = max } };
    rounding_choose(g, &r);
}

bt_value bt_gelu(bt_graph *g, bt_value index, bt_slot out_slot, bt_slot dh)
{
    if (!wants(g, index, BT_INDEX, 0, "gelu: index"))
        return 0;
    bt_tensor *h = &g->values[index].t;
    uint64_t rows = h->shape[0], cols = h->shape[1];
    if (calibrating(g))
        choose_gelu(g, h, out_slot);
    bool taped = g->spec.mode != BT_INFER;
    bt_tensor out = graph_tensor(g, BT_I16, rows, cols, *out_slot.fraction);
    bt_tensor slope = taped ? graph_tensor(g, BT_I16, rows, cols, g->c.f_gd) : (bt_tensor){ 0 };
    bt_lookup_args a = { .index = *h, .out = out, .out_slope = slope };
    err e = graph_ok(g) ? bt_tables_gelu(g->spec.tables, h->fraction, *out_slot.fraction, &a.table) : OK;
    if (e != OK)
        graph_fail(g, e, "gelu: table", out_slot.id);
    if (graph_launch(g, BT_OP_LOOKUP, (bt_args){ .lookup = &a, .rows = rows, .cols = cols, .n_bytes = rows * cols * 8 }, out_slot.id))
        trace_emit(g, out_slot.id, &out, g->spec.context, cols);
    bt_value v = graph_value(g, BT_OPERAND, &out);
    node *n = graph_node(g, NODE_GELU);
    if (n) {
        n->in[0] = index, n->out = v, n->slot = dh;
        n->saved[0] = slope;
    } else {
        bt_tensor_unref(&slope);
    }
    return v;
}

bt_value bt_attention(bt_graph *g, bt_value q, bt_value k, bt_value v, const bt_attn_slots *slots)
{
    if (!wants(g, q, BT_OPERAND, g->rows, "attention: q") || !wants(g, k, BT_OPERAND, g->rows, "attention: k") ||
        !wants(g, v, BT_OPERAND, g->rows, "attention: v"))
        return 0;
    const bt_tensor *tq = &g->values[q].t, *tk = &g->values[k].t, *tv = &g->values[v].t;
    uint64_t d = tq->shape[1], t = g->spec.context, heads = d / g->c.head_dim;
    bool fits = tk->shape[1] == d && tv->shape[1] == d && heads * g->c.head_dim == d && bt_tensor_contiguous(tq) && bt_tensor_contiguous(tk) &&
                bt_tensor_contiguous(tv);
    int shift_z = tq->fraction + tk->fraction + g->c.x_score - g->c.f_z;
    if (!fits || shift_z < 0 || shift_z > BT_ROUND_SHIFT_MAX)
        graph_fail(g, fits ? ERR_RANGE : ERR_SHAPE, "attention: q, k, v", slots->z);
    bt_tensor e = graph_tensor(g, BT_I16, g->rows * heads, t, (int)g->spec.shape->bits - 1), r = graph_tensor(g, BT_I64, heads, g->rows, g->c.f_R);
    bt_tensor o = graph_tensor(g, BT_I16, g->rows, d, 0);
    bt_tensor z = graph_traced(g, BT_I32, g->rows * heads, t), zsum = graph_traced(g, BT_I64, heads, g->rows);
    bt_rounding round = { .slot = slots->o, .rule = RULE_OPERAND, .acc_fraction = tv->fraction + g->c.f_R + (int)g->spec.shape->bits - 1,
                       .saturate = true, .domain = g->c.d_t };
    uint64_t bad_z = BT_ROUND_NONE;
    bt_attn_args a = { .c = &g->c, .context = (uint32_t)t, .heads = (uint32_t)heads, .exp_table = bt_tables_exp(g->spec.tables), .q = *tq, .k = *tk,
                       .v = *tv, .shift_z = (unsigned)shift_z, .e = e, .r = r, .o = o, .z = z, .zsum = zsum, .bad_z = &bad_z,
                       .round_o = &round.round, .measure = calibrating(g) };
    bt_args args = { .attn = &a, .rows = g->rows, .cols = d, .n_bytes = g->rows * (8 * d + 2 * heads * t), .macs = 2 * g->rows * d * t };
    if (a.measure && graph_launch(g, BT_OP_ATTN, args, slots->o.id)) {
        rounding_choose(g, &round);
        int f = *slots->o.fraction; /* within two bits of v, so that both terms of ds have one fraction */
        *slots->o.fraction = (int8_t)(f < tv->fraction ? tv->fraction : f > tv->fraction + 2 ? tv->fraction + 2 : f);
    }
    a.measure = false;
    if (graph_ok(g))
        rounding_prepare(g, &round, (bt_pieces){ g->spec.count, t }, d);
    o.fraction = *slots->o.fraction;
    if (graph_launch(g, BT_OP_ATTN, args, slots->o.id)) {
        if (bad_z != BT_ROUND_NONE)
            graph_range(g, slots->z, bad_z, (bt_pieces){ g->spec.count, heads * t }, t);
        rounding_check(g, &round, (bt_pieces){ g->spec.count, t }, d);
    }
    trace_emit(g, slots->z, &z, heads * t, t);
    trace_emit(g, slots->e, &e, heads * t, t);
    if (zsum.storage)
        trace_emit_heads(g, slots->zsum, &zsum);
    trace_emit_heads(g, slots->rsum, &r);
    trace_emit(g, slots->o.id, &o, t, d);
    bt_tensor_unref(&z);
    bt_tensor_unref(&zsum);
    bt_value out = graph_value(g, BT_OPERAND, &o);
    node *n = graph_node(g, NODE_ATTENTION);
    if (n) {
        n->in[0] = q, n->in[1] = k, n->in[2] = v, n->out = out, n->attn = *slots;
        n->saved[0] = e, n->saved[1] = r;
    } else {
        bt_tensor_unref(&e);
        bt_tensor_unref(&r);
    }
    return out;
}

/* Logits in base-2 logarithm units, and their table domain. */
static bt_tensor logits_of(bt_graph *g, bt_value x, bt_value w, uint32_t layer)
{
    if (!wants(g, x, BT_OPERAND, g->rows, "logits: x") || !wants(g, w, BT_OPERAND, g->values[x].t.shape[1], "logits: x and w"))
        return (bt_tensor){ 0 };
    const bt_tensor *tx = &g->values[x].t, *tw = &g->values[w].t;
    if (tw->shape[1] != g->spec.shape->vocab)
        graph_fail(g, ERR_SHAPE, "logits: vocabulary", tw->shape[1]);
    int8_t f_l = (int8_t)g->c.f_l;
    bt_rounding round = { .slot = { &f_l, NUM_TENSOR_ID(layer, NUM_LG) }, .rule = RULE_FIXED, .acc_fraction = tx->fraction + tw->fraction + g->c.x_2,
                       .domain = g->c.d_t, .round = { .mul = g->c.c_logit } };
    bt_tensor lg = graph_tensor(g, BT_I32, tx->shape[0], tw->shape[1], g->c.f_l);
    bt_linear_args a = { .terms = { { .a = *tx, .b = *tw } }, .n_terms = 1 };
    if (graph_ok(g))
        graph_linear(g, &a, &round, &lg);
    return lg;
}

void bt_logits(bt_graph *g, bt_value x, bt_value w, uint32_t layer, int32_t *out)
{
    bt_tensor lg = logits_of(g, x, w, layer);
    if (graph_ok(g)) {
        uint64_t v = lg.shape[1], t = g->spec.context;
        const int32_t *data = bt_tensor_data(&lg);
        for (uint32_t s = 0; s < g->spec.count; s++)
            memcpy(out + s * v, data + ((s + 1) * t - 1) * v, v * sizeof *out);
    }
    bt_tensor_unref(&lg);
}

void bt_cross_entropy(bt_graph *g, bt_value x, bt_value w, uint32_t layer)
{
    bt_tensor lg = logits_of(g, x, w, layer);
    if (!graph_ok(g)) {
        bt_tensor_unref(&lg);
        return;
    }
    uint64_t rows = lg.shape[0], v = lg.shape[1];
    bool taped = g->spec.mode != BT_INFER;
    int8_t f_dl = (int8_t)g->c.f_dl;
    bt_rounding round = { .slot = { &f_dl, NUM_TENSOR_ID(layer, NUM_DL) }, .rule = RULE_FIXED, .acc_fraction = g->c.n_l, .backward = true,
                       .saturate = true, .domain = g->c.d_t };
    bt_tensor dl = taped ? graph_tensor(g, BT_I16, rows, v, g->c.f_dl) : (bt_tensor){ 0 };
    bt_tensor el = graph_traced(g, BT_I32, rows, v), zl = graph_traced(g, BT_I64, rows, 1), rl = graph_traced(g, BT_I64, rows, 1);
    bt_tensor loss = graph_traced(g, BT_I64, rows, 1);
    if (taped && graph_ok(g))
        rounding_prepare(g, &round, (bt_pieces){ g->spec.count, g->spec.context }, v);
    bt_loss_args a = { .c = &g->c, .exp_table = bt_tables_exp_loss(g->spec.tables), .lg = lg, .targets = g->spec.tokens + 1,
                       .target_stride = (size_t)g->spec.context + 1, .context = g->spec.context, .dl = dl, .round = &round.round,
                       .loss_q16 = &g->loss_q16, .el = el, .zl = zl, .rl = rl, .loss = loss };
    bool ok = graph_launch(g, BT_OP_LOSS, (bt_args){ .loss = &a, .rows = rows, .cols = v, .n_bytes = rows * v * 6 }, round.slot.id);
    if (ok && taped)
        rounding_check(g, &round, (bt_pieces){ g->spec.count, g->spec.context }, v);
    const struct { num_slot slot; const bt_tensor *t; uint64_t cols; } traced[] = {
        { NUM_LG, &lg, v }, { NUM_EL, &el, v }, { NUM_ZL, &zl, 1 }, { NUM_RL, &rl, 1 }, { NUM_LOSS, &loss, 1 }, { NUM_DL, &dl, v } };
    for (size_t i = 0; g->spec.trace && i < COUNT_OF(traced); i++)
        if (traced[i].t->storage)
            trace_emit(g, NUM_TENSOR_ID(layer, traced[i].slot), traced[i].t, g->spec.context, traced[i].cols);
    bt_tensor_unref(&lg);
    bt_tensor_unref(&el);
    bt_tensor_unref(&zl);
    bt_tensor_unref(&rl);
    bt_tensor_unref(&loss);
    node *n = graph_node(g, NODE_LOSS);
    if (n) {
        n->in[0] = x, n->in[1] = w;
        n->saved[0] = dl;
    } else {
        bt_tensor_unref(&dl);
    }
}

static bt_value view_value(bt_graph *g, bt_value x, err e, bt_tensor *view, node as)
{
    if (e != OK) {
        graph_fail(g, e, g->fault.what ? g->fault.what : "view", x);
        return 0;
    }
    view->fraction = g->values[x].t.fraction;
    bt_value out = graph_value(g, BT_OPERAND, view);
    node *n = graph_node(g, NODE_VIEW);
    if (n) {
        *n = as;
        n->in[0] = x, n->out = out;
    }
    return out;
}

bt_value bt_view_slice(bt_graph *g, bt_value x, uint32_t dim, uint64_t start, uint64_t stop, uint64_t step)
{
    if (!wants(g, x, BT_OPERAND, 0, "slice"))
        return 0;
    bt_tensor view;
    err e = bt_tensor_slice(&view, &g->values[x].t, dim, start, stop, step, &g->fault);
    return view_value(g, x, e, &view, (node){ .kind = NODE_VIEW, .view = VIEW_SLICE, .dim = dim, .start = start, .stop = stop, .step = step });
}

bt_value bt_view_transpose(bt_graph *g, bt_value x)
{
    if (!wants(g, x, BT_OPERAND, 0, "transpose"))
        return 0;
    bt_tensor view;
    err e = bt_tensor_transpose(&view, &g->values[x].t, 0, 1, &g->fault);
    return view_value(g, x, e, &view, (node){ .kind = NODE_VIEW, .view = VIEW_TRANSPOSE });
}

bt_value bt_view_reshape(bt_graph *g, bt_value x, uint64_t rows, uint64_t cols)
{
    if (!wants(g, x, BT_OPERAND, 0, "reshape"))
        return 0;
    bt_tensor view;
    err e = bt_tensor_reshape(&view, &g->values[x].t, 2, (const uint64_t[]){ rows, cols }, &g->fault);
    return view_value(g, x, e, &view, (node){ .kind = NODE_VIEW, .view = VIEW_RESHAPE });
}
