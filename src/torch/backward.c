/* SPDX-License-Identifier: Apache-2.0
 *
 * Autograd (spec/numerics.md section 5). The tape is walked from its end; when a node's turn comes, all uses of its output
 * have given their contributions. Products are kept as pending terms, so that a value used by three linear layers gets one pass
 * over three products and one rounding, without an int64 matrix; only views and mixed uses materialise the exact sum. */
#include "torch/graph_int.h"

#include "numerics/round.h"

#include <stdlib.h>

static bt_tensor flip(bt_graph *g, const bt_tensor *t)
{
    bt_tensor out = { 0 };
    err e = bt_tensor_transpose(&out, t, 0, 1, NULL);
    if (e != OK)
        graph_fail(g, e, "transpose", 0);
    return out;
}

/* Exact sums stay within 2^62; a graph whose fractions lie too far apart is refused, never wrapped. */
static bool fits_acc(const bt_tensor *acc, int shift)
{
    if (shift < 0 || shift > 62)
        return false;
    const int64_t most = ((int64_t)1 << 62) >> shift, *data = bt_tensor_data(acc);
    bool          fits = true;
    for (uint64_t i = 0, n = bt_tensor_count(acc); i < n; i++)
        fits &= data[i] <= most && data[i] >= -most;
    return fits;
}

static void need_fit(bt_graph *g, const bt_tensor *acc, int shift)
{
    if (graph_ok(g) && !fits_acc(acc, shift))
        graph_fail(g, ERR_LEDGER, "gradient: exact sum", (uint64_t)(shift < 0 ? 0 : shift));
}

/* Brings the exact sum to a fraction at least as fine; multiplying by a power of two is exact. */
static void acc_align(bt_graph *g, value *v, int fraction)
{
    if (fraction <= v->acc_fraction)
        return;
    need_fit(g, &v->acc, fraction - v->acc_fraction);
    if (!graph_ok(g))
        return;
    int64_t factor = (int64_t)1 << (fraction - v->acc_fraction);
    int64_t *data = bt_tensor_data(&v->acc);
    for (uint64_t i = 0, n = bt_tensor_count(&v->acc); i < n; i++)
        data[i] *= factor;
    v->acc_fraction = fraction;
}

static void acc_open(bt_graph *g, value *v, int fraction)
{
    if (!v->acc.storage) {
        v->acc = graph_tensor(g, BT_I64, v->rows, v->cols, fraction);
        v->acc_fraction = fraction;
        if (graph_ok(g))
            bt_tensor_zero(&v->acc);
    }
    if (graph_ok(g))
        acc_align(g, v, fraction);
}

static int64_t element(const bt_tensor *t, int64_t at)
{
    const void *data = bt_tensor_data(t);
    return t->dtype == BT_I64 ? ((const int64_t *)data)[at] : ((const int16_t *)data)[at];
}

/* Adds `t` (int16 or int64, same shape, any strides, within 2^62) at `fraction` to the exact sum. */
static void acc_add(bt_graph *g, value *v, const bt_tensor *t, int fraction)
{
    acc_open(g, v, fraction);
    if (!graph_ok(g))
        return;
    int shift = v->acc_fraction - fraction;
    if (t->dtype == BT_I64)
        need_fit(g, t, shift);
    else if (shift > 46)
        graph_fail(g, ERR_LEDGER, "gradient: exact sum", (uint64_t)shift);
    if (!graph_ok(g))
        return;
    int64_t factor = (int64_t)1 << shift;
    int64_t *to = bt_tensor_data(&v->acc);
    for (uint64_t i = 0; i < t->shape[0]; i++)
        for (uint64_t j = 0; j < t->shape[1]; j++)
            to[i * t->shape[1] + j] += element(t, (int64_t)i * t->stride[0] + (int64_t)j * t->stride[1]) * factor;
    need_fit(g, &v->acc, 0);
}

static void drop_terms(value *v)
{
    for (uint32_t i = 0; i < v->n_terms; i++) {
        bt_tensor_unref(&v->terms[i].a);
        bt_tensor_unref(&v->terms[i].b);
    }
    v->n_terms = 0;
}

/* Turns everything collected so far into the exact sum. */
static void materialise(bt_graph *g, value *v)
{
    for (uint32_t i = 0; i < v->n_terms && graph_ok(g); i++) {
        grad_term *t = &v->terms[i];
        acc_open(g, v, t->fraction);
        if (!graph_ok(g))
            break;
        bt_linear_args a = { .terms = { { .a = t->a, .b = t->b, .shift = (unsigned)(v->acc_fraction - t->fraction) } }, .n_terms = 1,
                             .bound = g->c.q_max, .acc = v->acc };
        uint64_t rows = t->a.shape[0], cols = t->b.shape[1];
        graph_launch(g, BT_OP_LINEAR, (bt_args){ .linear = &a, .rows = rows, .cols = cols, .macs = rows * cols * t->a.shape[1] }, 0);
        need_fit(g, &v->acc, 0);
    }
    drop_terms(v);
    if (v->ready.storage) {
        acc_add(g, v, &v->ready, v->ready.fraction);
        bt_tensor_unref(&v->ready);
    }
}

/* Takes both handles. */
static void grad_add_term(bt_graph *g, bt_value to, bt_tensor a, bt_tensor b)
{
    value *v = &g->values[to];
    if (v->n_terms == BT_TERMS_MAX)
        materialise(g, v);
    v->terms[v->n_terms++] = (grad_term){ .a = a, .b = b, .fraction = a.fraction + b.fraction };
}

/* Takes the handle. */
static void grad_add_ready(bt_graph *g, bt_value to, bt_tensor operand)
{
    value *v = &g->values[to];
    if (v->ready.storage)
        materialise(g, v);
    if (v->ready.storage)
        bt_tensor_unref(&v->ready);
    v->ready = operand;
}

void grad_add_stream(bt_graph *g, bt_value to, const bt_tensor *gx)
{
    value *v = &g->values[to];
    if (!v->stream.storage) {
        v->stream = bt_tensor_ref(gx);
        return;
    }
    bt_tensor sum = graph_tensor(g, BT_I32, gx->shape[0], gx->shape[1], gx->fraction);
    if (graph_ok(g) && bt_tensor_copy(&sum, &v->stream, NULL) == OK) {
        bt_add_args a = { .x = sum, .b = *gx };
        graph_launch(g, BT_OP_ADD, (bt_args){ .add = &a, .rows = gx->shape[0], .cols = gx->shape[1] }, 0);
    }
    bt_tensor_unref(&v->stream);
    v->stream = sum;
}

static bool has_gradient(const value *v)
{
    return v->stream.storage || v->acc.storage || v->ready.storage || v->n_terms != 0;
}

/* True if no operands could take the sum of the pending products, times a multiplier below 2^(extra + 1), out of 2^62. */
static bool terms_fit(const bt_graph *g, const value *v, int finest, int extra)
{
    u128 sum = 0, each = (u128)g->c.q_max * (u128)g->c.q_max;
    for (uint32_t i = 0; i < v->n_terms; i++) {
        int shift = finest - v->terms[i].fraction;
        if (shift > 40)
            return false;
        sum += (each * v->terms[i].a.shape[1]) << shift;
    }
    return sum <= (u128)1 << (61 - extra);
}

/* Rounds the whole gradient of v once, by `r` (its acc_fraction is set here), into `out`. `extra` is the fraction that the
 * rounding's multiplier adds (it is below 2^(extra + 1)); group_mul as in LINEAR. */
static void consume(bt_graph *g, bt_value at, bt_rounding *r, int extra, const int64_t *group_mul, uint32_t groups, bt_tensor *out)
{
    value *v = &g->values[at];
    int finest = INT32_MIN;
    for (uint32_t i = 0; i < v->n_terms; i++)
        finest = v->terms[i].fraction > finest ? v->terms[i].fraction : finest;
    if (v->acc.storage || v->ready.storage || v->n_terms == 0 || !terms_fit(g, v, finest, extra)) {
        materialise(g, v);
        need_fit(g, &v->acc, extra + 1);
        if (!graph_ok(g))
            return;
        r->acc_fraction = v->acc_fraction + extra;
        bt_round_args a = { .in = v->acc, .group_mul = group_mul, .groups = groups };
        graph_round(g, &a, r, out);
        bt_tensor_unref(&v->acc);
        return;
    }
    bt_linear_args a = { .n_terms = v->n_terms, .group_mul = group_mul, .groups = groups };
    for (uint32_t i = 0; i < v->n_terms; i++)
        a.terms[i] = (bt_term){ .a = v->terms[i].a, .b = v->terms[i].b, .shift = (unsigned)(finest - v->terms[i].fraction) };
    r->acc_fraction = finest + extra;
    graph_linear(g, &a, r, out);
    drop_terms(v);
}

/* The gradient array of a parameter must mean one thing: all uses at one fraction. */
static void use_parameter(bt_graph *g, value *v, int fraction)
{
    if (v->parameter_used && v->parameter_fraction != fraction)
        graph_fail(g, ERR_RANGE, "parameter: uses at different gradient fractions", (uint64_t)(v - g->values));
    v->parameter_used = true;
    v->parameter_fraction = fraction;
}

/* Where an embedding adds the gradient of one of its tables: a new handle, or none if nobody wants it. */
static bt_tensor table_gradient(bt_graph *g, value *v, int fraction)
{
    if (v->parameter && v->needs_gradient) {
        use_parameter(g, v, fraction);
        return bt_tensor_ref(&v->parameter_gradient);
    }
    if (v->parameter)
        return (bt_tensor){ 0 };
    bt_tensor own = graph_tensor(g, BT_I64, v->rows, v->cols, fraction);
    if (graph_ok(g))
        bt_tensor_zero(&own);
    return own;
}

static void back_embed(bt_graph *g, const node *n)
{
    bt_tensor gx = g->values[n->out].stream, into[2];
    for (int i = 0; i < 2; i++)
        into[i] = table_gradient(g, &g->values[n->in[i]], gx.fraction);
    bt_embed_grad_args a = { .tokens = g->spec.tokens, .token_stride = (size_t)g->spec.context + 1, .context = g->spec.context, .gx = gx,
                             .de = into[0], .dp = into[1] };
    graph_launch(g, BT_OP_EMBED_GRAD, (bt_args){ .embed_grad = &a, .rows = gx.shape[0], .cols = gx.shape[1], .n_bytes = 20 * gx.shape[0] * gx.shape[1] }, 0);
    for (int i = 0; i < 2; i++) {
        value *v = &g->values[n->in[i]];
        if (!v->parameter && into[i].storage)
            acc_add(g, v, &into[i], gx.fraction);
        bt_tensor_unref(&into[i]);
    }
}

static void back_add(bt_graph *g, const node *n)
{
    const bt_tensor *gx = &g->values[n->out].stream;
    grad_add_stream(g, n->in[0], gx);
    grad_add_stream(g, n->in[1], gx);
}

/* The gradient stream of `to`, made ready to be added to: zeros at first, a copy of its own if others share it. */
static void own_stream(bt_graph *g, bt_value to, uint64_t rows, uint64_t d)
{
    value *v = &g->values[to];
    if (v->stream.storage && bt_tensor_unshared(&v->stream))
        return;
    bt_tensor own = graph_tensor(g, BT_I32, rows, d, g->spec.fractions->top.gx);
    if (!graph_ok(g))
        return;
    if (!v->stream.storage)
        bt_tensor_zero(&own);
    else if (bt_tensor_copy(&own, &v->stream, NULL) != OK)
        graph_fail(g, ERR_INTERNAL, "gradient stream", to);
    own.fraction = g->spec.fractions->top.gx;
    bt_tensor_unref(&v->stream);
    v->stream = own;
}

/* Section 10: the gradient stream must leave its contributions room to grow. */
static bool stream_too_fine(const bt_graph *g, const bt_rounding *r)
{
    int shift = r->acc_fraction - *r->slot.fraction;
    return shift < 0 || num_bitlen(num_rhu((int64_t)r->round.max, shift)) > (g->spec.shape->helper == NUM_WIDE ? 20 : 18) - graph_gx_coarser(g);
}

static void back_norm(bt_graph *g, const node *n)
{
    const value *y = &g->values[n->out];
    uint64_t rows = y->t.shape[0], d = y->t.shape[1];
    bt_pieces pieces = graph_pieces(g, rows, g->spec.context);
    bt_tensor dn = graph_tensor(g, BT_I32, rows, d, 0);
    bt_rounding rn = { .slot = n->slot, .rule = RULE_DN, .backward = true, .domain = g->c.d_t, .round = { .mul = 1 } };
    if (graph_ok(g))
        consume(g, n->out, &rn, 0, NULL, 0, &dn);
    trace_emit(g, n->slot.id, &dn, g->spec.context, d);

    bt_tensor dx = graph_traced(g, BT_I32, rows, d), m = graph_traced(g, BT_I64, rows, 1);
    uint64_t bad_m = BT_ROUND_NONE;
    bt_rounding rx = { .slot = { &g->spec.fractions->top.gx, n->id2 }, .rule = g->gx_chosen ? RULE_FIXED : RULE_GX,
                    .acc_fraction = g->c.f_r + dn.fraction, .backward = true, .domain = g->c.d_g, .round = { .mul = 1 } };
    bt_norm_grad_args a = { .c = &g->c, .dn = dn, .y = y->t, .r = n->saved[0], .f_y = y->t.fraction, .dx = dx, .m = m, .bad_m = &bad_m,
                            .round = &rx.round };
    bt_args args = { .norm_grad = &a, .rows = rows, .cols = d, .n_bytes = rows * d * 14 };
    if (graph_ok(g) && calibrating(g)) {
        a.measure = true;
        if (graph_launch(g, BT_OP_NORM_GRAD, args, n->id2) && !g->gx_chosen)
            rounding_choose(g, &rx);
        a.measure = false;
        g->gx_chosen = true;
        if (graph_ok(g) && stream_too_fine(g, &rx))
            graph_range(g, n->id2, 0, pieces, d); /* the calibration starts again with a coarser gradient stream */
    }
    if (graph_ok(g)) {
        rounding_prepare(g, &rx, pieces, d);
        own_stream(g, n->in[0], rows, d);
        a.gx = g->values[n->in[0]].stream;
    }
    if (graph_launch(g, BT_OP_NORM_GRAD, args, n->id2)) {
        if (bad_m != BT_ROUND_NONE)
            graph_range(g, n->id, bad_m, pieces, 1);
        rounding_check(g, &rx, pieces, d);
    }
    if (m.storage)
        trace_emit(g, n->id, &m, g->spec.context, 1);
    if (dx.storage)
        trace_emit(g, n->id2, &dx, g->spec.context, d);
    /* dx1 is the last contribution of a layer: the stream now leaves it downwards (what leaves the head is dxF itself) */
    if (n->id2 % 64 == NUM_DX1 && n->id2 / 64 < g->spec.shape->layers && graph_ok(g))
        trace_emit(g, n->id2 - NUM_DX1 + NUM_GX, &a.gx, g->spec.context, d);
    bt_tensor_unref(&dn);
    bt_tensor_unref(&dx);
    bt_tensor_unref(&m);
}

/* The operand gradient of a linear layer's output. */
static bt_tensor output_gradient(bt_graph *g, const node *n)
{
    value *v = &g->values[n->out];
    if (v->ready.storage && !v->acc.storage && v->n_terms == 0) {
        bt_tensor ready = v->ready;
        v->ready = (bt_tensor){ 0 };
        return ready;
    }
    uint64_t cols = g->values[n->in[1]].t.shape[1], rows = g->values[n->in[0]].t.shape[0];
    bt_tensor dy = graph_tensor(g, BT_I16, rows, cols, 0);
    bt_rounding r = { .slot = n->slot, .rule = RULE_OPERAND, .backward = true, .saturate = true, .domain = g->c.d_t, .round = { .mul = 1 } };
    if (!n->slot.fraction) {
        graph_fail(g, ERR_USAGE, "linear: gradient slot missing", n->out);
    } else if (v->kind == BT_STREAM) {
        r.acc_fraction = g->spec.fractions->top.gx;
        bt_round_args a = { .in = v->stream };
        if (graph_ok(g))
            graph_round(g, &a, &r, &dy);
    } else if (graph_ok(g)) {
        consume(g, n->out, &r, 0, NULL, 0, &dy);
    }
    trace_emit(g, n->slot.id, &dy, g->spec.context, cols);
    return dy;
}

/* dy reaches the weights as an exact product and the input as a pending one. Takes dy. */
static void back_product(bt_graph *g, bt_value x, bt_value w, bt_tensor dy)
{
    value *vx = &g->values[x], *vw = &g->values[w];
    if (graph_ok(g) && vw->parameter && vw->needs_gradient) {
        use_parameter(g, vw, vx->t.fraction + dy.fraction);
        bt_outer_args a = { .x = vx->t, .dy = dy, .bound = g->c.q_max, .dw = vw->parameter_gradient };
        uint64_t rows = vx->t.shape[1], cols = dy.shape[1], k = dy.shape[0];
        graph_launch(g, BT_OP_OUTER, (bt_args){ .outer = &a, .rows = rows, .cols = cols, .n_bytes = 2 * k * (rows + cols) + 8 * rows * cols,
                                                      .macs = rows * cols * k }, 0);
    }
    if (graph_ok(g) && !vw->parameter) {
        bt_tensor xt = flip(g, &vx->t);
        if (graph_ok(g))
            grad_add_term(g, w, xt, bt_tensor_ref(&dy));
    }
    if (graph_ok(g) && vx->needs_gradient) {
        bt_tensor wt = flip(g, &vw->t);
        if (graph_ok(g))
            grad_add_term(g, x, bt_tensor_ref(&dy), wt);
    }
    bt_tensor_unref(&dy);
}

static void back_linear(bt_graph *g, const node *n)
{
    bt_tensor dy = output_gradient(g, n);
    bt_tensor_unref(&g->values[n->out].stream);
    back_product(g, n->in[0], n->in[1], dy);
}

static void back_gelu(bt_graph *g, const node *n)
{
    uint64_t rows = n->saved[0].shape[0], cols = n->saved[0].shape[1];
    bt_tensor dh = graph_tensor(g, BT_I16, rows, cols, 0);
    bt_rounding r = { .slot = n->slot, .rule = RULE_OPERAND, .backward = true, .saturate = true, .domain = g->c.d_t,
                   .round = { .mul = 1, .g16 = graph_ok(g) ? bt_tensor_data(&n->saved[0]) : NULL, .g_ld = (size_t)cols } };
    if (graph_ok(g))
        consume(g, n->out, &r, g->c.f_gd, NULL, 0, &dh);
    trace_emit(g, n->slot.id, &dh, g->spec.context, cols);
    grad_add_ready(g, n->in[0], dh);
}

static int at_most(int f, int bound)
{
    return f > bound ? bound : f;
}

/* dq, dk, dv meet in one sum: the finer two may be at most 8 bits finer than the coarsest. */
static void align_three(const bt_attn_slots *s)
{
    int least = *s->dq.fraction < *s->dk.fraction ? *s->dq.fraction : *s->dk.fraction;
    least = *s->dv.fraction < least ? *s->dv.fraction : least;
    *s->dq.fraction = (int8_t)at_most(*s->dq.fraction, least + 8);
    *s->dk.fraction = (int8_t)at_most(*s->dk.fraction, least + 8);
    *s->dv.fraction = (int8_t)at_most(*s->dv.fraction, least + 8);
}

enum { DV, DS, DQ, DK, ATTN_ROUNDINGS };

/* Dither words for four roundings at once, so they get buffers of their own. */
typedef struct attn_words {
    uint64_t *rows[ATTN_ROUNDINGS], *cols[ATTN_ROUNDINGS];
} attn_words;

static void prepare_four(bt_graph *g, bt_rounding *r, attn_words *w, uint64_t t, uint64_t heads, uint64_t d)
{
    for (int i = 0; i < ATTN_ROUNDINGS && graph_ok(g); i++) {
        uint64_t rows = i == DS ? heads * t : t, cols = i == DS ? heads * t : d;
        rounding_prepare(g, &r[i], (bt_pieces){ g->spec.count, rows }, cols);
        if (!graph_ok(g) || !r[i].round.dither_row)
            continue;
        w->rows[i] = g->dither_rows, w->cols[i] = g->dither_cols;
        g->dither_rows = g->dither_cols = NULL; /* now owned by w: the next rounding makes new ones */
        g->dither_rows_cap = g->dither_cols_cap = 0;
    }
}

static void back_attention(bt_graph *g, const node *n)
{
    const bt_attn_slots *s = &n->attn;
    const bt_tensor *tq = &g->values[n->in[0]].t, *tk = &g->values[n->in[1]].t, *tv = &g->values[n->in[2]].t, *to = &g->values[n->out].t;
    uint64_t rows = g->rows, d = tq->shape[1], t = g->spec.context, heads = d / g->c.head_dim;
    int e_fraction = (int)g->spec.shape->bits - 1;
    bt_tensor dp = graph_tensor(g, BT_I16, rows, d, 0);
    bt_rounding rp = { .slot = s->dp, .rule = RULE_OPERAND, .backward = true, .saturate = true, .domain = g->c.d_t, .round = { .mul = 1 } };
    if (graph_ok(g))
        consume(g, n->out, &rp, g->c.f_R, bt_tensor_data(&n->saved[1]), (uint32_t)heads, &dp);
    trace_emit(g, s->dp.id, &dp, t, d);

    bt_tensor out[ATTN_ROUNDINGS] = { [DV] = graph_tensor(g, BT_I16, rows, d, 0), [DQ] = graph_tensor(g, BT_I16, rows, d, 0),
                                      [DK] = graph_tensor(g, BT_I16, rows, d, 0), [DS] = graph_traced(g, BT_I16, rows * heads, t) };
    bt_tensor row_c = graph_traced(g, BT_I64, heads, rows);
    bt_rounding r[ATTN_ROUNDINGS] = {
        [DV] = { .slot = s->dv, .acc_fraction = dp.fraction + e_fraction, .round = { .mul = 1 } },
        [DS] = { .slot = s->ds, .acc_fraction = dp.fraction + to->fraction + e_fraction, .round = { .mul = 1 } },
        [DQ] = { .slot = s->dq, .round = { .mul = g->c.c_grad } },
        [DK] = { .slot = s->dk, .round = { .mul = g->c.c_grad } },
    };
    for (int i = 0; i < ATTN_ROUNDINGS; i++)
        r[i].rule = RULE_OPERAND, r[i].backward = true, r[i].saturate = true, r[i].domain = g->c.d_t;
    bt_attn_grad_args a = { .c = &g->c, .context = (uint32_t)t, .heads = (uint32_t)heads, .q = *tq, .k = *tk, .v = *tv, .e = n->saved[0], .o = *to,
                            .dp = dp, .align = (unsigned)(to->fraction - tv->fraction), .dv = out[DV], .dq = out[DQ], .dk = out[DK], .ds = out[DS],
                            .row_c = row_c, .round_dv = &r[DV].round, .round_ds = &r[DS].round, .round_dq = &r[DQ].round, .round_dk = &r[DK].round };
    bt_args args = { .attn_grad = &a, .rows = rows, .cols = d, .n_bytes = rows * (16 * d + 2 * heads * t), .macs = 4 * rows * d * t };
    if (graph_ok(g) && calibrating(g)) {
        a.stage = BT_ATTN_MEASURE_DV_DS;
        if (graph_launch(g, BT_OP_ATTN_GRAD, args, s->ds.id)) {
            rounding_choose(g, &r[DV]);
            rounding_choose(g, &r[DS]);
            rounding_prepare(g, &r[DS], (bt_pieces){ g->spec.count, heads * t }, heads * t);
        }
    }
    r[DQ].acc_fraction = *s->ds.fraction + tk->fraction + g->c.x_grad;
    r[DK].acc_fraction = *s->ds.fraction + tq->fraction + g->c.x_grad;
    if (graph_ok(g) && calibrating(g)) {
        a.stage = BT_ATTN_MEASURE_DQ_DK;
        if (graph_launch(g, BT_OP_ATTN_GRAD, args, s->ds.id)) {
            rounding_choose(g, &r[DQ]);
            rounding_choose(g, &r[DK]);
            align_three(s);
        }
    }
    a.stage = BT_ATTN_RUN;
    attn_words w = { 0 };
    prepare_four(g, r, &w, t, heads, d);
    bool done = graph_launch(g, BT_OP_ATTN_GRAD, args, s->ds.id);
    for (int i = 0; i < ATTN_ROUNDINGS; i++) {
        free(w.rows[i]);
        free(w.cols[i]);
    }
    out[DV].fraction = *s->dv.fraction, out[DQ].fraction = *s->dq.fraction, out[DK].fraction = *s->dk.fraction;
    /* One operation, but four tensors: what comes before the check that fails was reached. */
    for (int i = 0; done && i < ATTN_ROUNDINGS; i++) {
        uint64_t part_rows = i == DS ? heads * t : t, cols = i == DS ? t : d;
        rounding_check(g, &r[i], (bt_pieces){ g->spec.count, part_rows }, cols);
        if (out[i].storage)
            trace_emit(g, r[i].slot.id, &out[i], part_rows, cols);
        if (i == DV && row_c.storage)
            trace_emit_heads(g, s->row_c, &row_c);
    }
    bt_tensor_unref(&dp);
    bt_tensor_unref(&row_c);
    bt_tensor_unref(&out[DS]);
    grad_add_ready(g, n->in[0], out[DQ]);
    grad_add_ready(g, n->in[1], out[DK]);
    grad_add_ready(g, n->in[2], out[DV]);
}

/* The view of the parent's exact sum that corresponds to the child. */
static err same_view(bt_tensor *out, const bt_tensor *parent, const node *n)
{
    switch (n->view) {
    case VIEW_SLICE:     return bt_tensor_slice(out, parent, n->dim, n->start, n->stop, n->step, NULL);
    case VIEW_TRANSPOSE: return bt_tensor_transpose(out, parent, 0, 1, NULL);
    case VIEW_RESHAPE:   break;
    }
    *out = bt_tensor_ref(parent);
    return OK;
}

static void back_view(bt_graph *g, const node *n)
{
    value *child = &g->values[n->out], *parent = &g->values[n->in[0]];
    if (!parent->needs_gradient)
        return;
    materialise(g, child);
    if (!graph_ok(g))
        return;
    acc_open(g, parent, child->acc_fraction);
    bt_tensor into = { 0 };
    if (graph_ok(g))
        need_fit(g, &child->acc, parent->acc_fraction - child->acc_fraction);
    if (graph_ok(g) && same_view(&into, &parent->acc, n) != OK)
        graph_fail(g, ERR_INTERNAL, "view", n->out);
    if (graph_ok(g)) {
        int64_t factor = (int64_t)1 << (parent->acc_fraction - child->acc_fraction);
        const int64_t *from = bt_tensor_data(&child->acc);
        int64_t *to = bt_tensor_data(&into);
        if (n->view == VIEW_RESHAPE)
            for (uint64_t i = 0, count = bt_tensor_count(&child->acc); i < count; i++)
                to[i] += from[i] * factor; /* both are row-major in the same order */
        else
            for (uint64_t i = 0; i < into.shape[0]; i++)
                for (uint64_t j = 0; j < into.shape[1]; j++)
                    to[(int64_t)i * into.stride[0] + (int64_t)j * into.stride[1]] += from[i * into.shape[1] + j] * factor;
    }
    bt_tensor_unref(&into);
    bt_tensor_unref(&child->acc);
    if (graph_ok(g))
        need_fit(g, &parent->acc, 0);
}

static void back_loss(bt_graph *g, node *n)
{
    bt_tensor dl = n->saved[0];
    n->saved[0] = (bt_tensor){ 0 };
    back_product(g, n->in[0], n->in[1], dl);
}

static void back_node(bt_graph *g, node *n)
{
    static void (*const back[])(bt_graph *, const node *) = {
        [NODE_EMBED] = back_embed, [NODE_ADD] = back_add,   [NODE_NORM] = back_norm,           [NODE_LINEAR] = back_linear,
        [NODE_GELU] = back_gelu,   [NODE_VIEW] = back_view, [NODE_ATTENTION] = back_attention,
    };
    if (n->kind == NODE_LOSS) {
        back_loss(g, n);
        return;
    }
    if (has_gradient(&g->values[n->out])) /* else: a value that no seed or loss depends on */
        back[n->kind](g, n);
    /* Whatever used this value is done: it and what was saved for it can go. */
    value *v = &g->values[n->out];
    bt_tensor_unref(&v->t);
    bt_tensor_unref(&v->stream);
    bt_tensor_unref(&v->ready);
    bt_tensor_unref(&v->acc);
    drop_terms(v);
    for (size_t i = 0; i < COUNT_OF(n->saved); i++)
        bt_tensor_unref(&n->saved[i]);
}

/* What reached a parameter otherwise than as the right factor of a product: through a view, or as the left one. */
static void settle_parameter(bt_graph *g, value *v)
{
    if (!v->parameter || !has_gradient(v))
        return;
    if (v->needs_gradient) {
        materialise(g, v);
        use_parameter(g, v, v->acc_fraction);
    }
    if (v->needs_gradient && graph_ok(g)) {
        const int64_t *from = bt_tensor_data(&v->acc);
        int64_t *to = bt_tensor_data(&v->parameter_gradient);
        const bt_tensor *t = &v->parameter_gradient;
        for (uint64_t i = 0; i < v->rows; i++)
            for (uint64_t j = 0; j < v->cols; j++)
                to[(int64_t)i * t->stride[0] + (int64_t)j * t->stride[1]] += from[i * v->cols + j];
    }
    drop_terms(v);
    bt_tensor_unref(&v->ready);
    bt_tensor_unref(&v->acc);
}

void bt_backward(bt_graph *g)
{
    if (g->spec.mode == BT_INFER || g->walked)
        graph_fail(g, ERR_USAGE, g->walked ? "backward: walked already" : "backward: graph without a tape", 0);
    g->walked = true;
    for (uint32_t i = g->n_nodes; i-- > 0 && graph_ok(g);)
        back_node(g, &g->nodes[i]);
    for (uint32_t i = 0; i < g->n_values && graph_ok(g); i++)
        settle_parameter(g, &g->values[i]);
}

void bt_seed_gradient(bt_graph *g, bt_value x, const bt_tensor *operand)
{
    if (!graph_ok(g))
        return;
    if (x >= g->n_values || g->values[x].kind == BT_STREAM || operand->dtype != BT_I16 || operand->rank != 2 || operand->shape[0] != g->values[x].rows ||
        operand->shape[1] != g->values[x].cols) {
        graph_fail(g, ERR_SHAPE, "seed gradient", x);
        return;
    }
    grad_add_ready(g, x, bt_tensor_ref(operand));
}

err bt_gradient_acc(bt_graph *g, bt_value input, bt_tensor *out, int *fraction)
{
    if (!graph_ok(g))
        return g->status;
    if (input >= g->n_values || !g->walked || !g->values[input].leaf || g->values[input].parameter)
        return ERR_USAGE;
    value *v = &g->values[input];
    if (!has_gradient(v))
        acc_open(g, v, 0);
    materialise(g, v);
    *out = v->acc;
    *fraction = v->acc_fraction;
    return g->status;
}
