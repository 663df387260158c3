/* SPDX-License-Identifier: Apache-2.0
 *
 * The GPT as a graph: one function that reads like section 4 of spec/numerics.md; autograd does section 5. */
#include "torch/gpt.h"

#include "numerics/dither.h"
#include "numerics/round.h"
#include "torch/graph.h"
#include "torch/optim.h"
#include "torch/tables.h"

#include <stdlib.h>

struct bt_gpt {
    num_shape  shape;
    num_const  c;
    bt_device *device;
    bt_tables *tables;
};

err bt_gpt_new(bt_gpt **out, const num_shape *shape, bt_device *device, fault *f)
{
    num_const c;
    TRY(num_const_of(&c, shape, f));
    bt_gpt *g = calloc(1, sizeof *g);
    if (!g)
        return fail(f, ERR_MEMORY, "gpt", 0);
    *g = (bt_gpt){ .shape = *shape, .c = c, .device = device };
    err e = bt_tables_new(&g->tables, shape, f);
    if (e != OK) {
        free(g);
        return e;
    }
    bt_tables_set_pool(g->tables, device->pool);
    *out = g;
    return OK;
}

void bt_gpt_free(bt_gpt *g)
{
    if (!g)
        return;
    bt_tables_free(g->tables);
    free(g);
}

bt_tables *bt_gpt_tables(bt_gpt *g)
{
    return g->tables;
}

/* Weights and gradients of one run: tensors over the caller's flat arrays, copied to the device where that is not the host. */
typedef struct run {
    bt_gpt       *gpt;
    bt_graph     *graph;
    bt_graph_spec spec;
    bt_tensor     weights, gradients; /* flat */
    bt_value     *parameter;          /* by tensor index */
} run;

static bt_slot slot(run *r, int8_t *fraction, uint32_t layer, num_slot which)
{
    (void)r;
    return (bt_slot){ fraction, NUM_TENSOR_ID(layer, which) };
}

/* A weight tensor as a view of the flat array. */
static err weight_view(bt_tensor *out, const bt_tensor *flat, const num_tensor_info *info, int fraction)
{
    bt_tensor piece = { 0 };
    err e = bt_tensor_slice(&piece, flat, 0, info->offset, info->offset + (uint64_t)info->rows * info->cols, 1, NULL);
    if (e == OK)
        e = bt_tensor_reshape(out, &piece, 2, (const uint64_t[]){ info->rows, info->cols }, NULL);
    bt_tensor_unref(&piece);
    if (e == OK)
        out->fraction = fraction;
    return e;
}

static err add_parameters(run *r)
{
    const num_shape *s = &r->gpt->shape;
    for (uint32_t i = 0; i < num_tensor_count(s); i++) {
        num_tensor_info info = num_tensor_describe(s, i);
        bt_tensor w = { 0 }, dw = { 0 };
        TRY(weight_view(&w, &r->weights, &info, num_weight_fraction(r->spec.fractions, s, i)));
        if (r->gradients.storage)
            TRY(weight_view(&dw, &r->gradients, &info, 0));
        r->parameter[i] = bt_parameter(r->graph, &w, dw.storage ? &dw : NULL);
        bt_tensor_unref(&w);
        bt_tensor_unref(&dw);
    }
    return OK;
}

static bt_value layer_forward(run *r, uint32_t l, bt_value x)
{
    bt_graph *g = r->graph;
    num_layer_fractions *f = &r->spec.fractions->layer[l];
    bt_value *w = &r->parameter[num_tensor_of_layer(l, 0)];
    bt_slot none = { 0 };

    bt_value y1 = bt_rmsnorm(g, x, slot(r, &f->y1, l, NUM_Y1), NUM_TENSOR_ID(l, NUM_R1), slot(r, &f->dn1, l, NUM_DN1), NUM_TENSOR_ID(l, NUM_M1),
                             NUM_TENSOR_ID(l, NUM_DX1));
    bt_value q = bt_linear(g, y1, w[NUM_W_Q], BT_OPERAND, slot(r, &f->q, l, NUM_QQ), none);
    bt_value k = bt_linear(g, y1, w[NUM_W_K], BT_OPERAND, slot(r, &f->k, l, NUM_KK), none);
    bt_value v = bt_linear(g, y1, w[NUM_W_V], BT_OPERAND, slot(r, &f->v, l, NUM_VV), none);
    bt_attn_slots slots = {
        .o = slot(r, &f->o, l, NUM_OO), .dp = slot(r, &f->dp, l, NUM_DP), .dv = slot(r, &f->dv, l, NUM_DV), .ds = slot(r, &f->ds, l, NUM_DS),
        .dq = slot(r, &f->dq, l, NUM_DQ), .dk = slot(r, &f->dk, l, NUM_DK), .z = NUM_TENSOR_ID(l, NUM_ZZ), .zsum = NUM_TENSOR_ID(l, NUM_ZSUM),
        .rsum = NUM_TENSOR_ID(l, NUM_RSUM), .e = NUM_TENSOR_ID(l, NUM_EE), .row_c = NUM_TENSOR_ID(l, NUM_CC),
    };
    bt_value o = bt_attention(g, q, k, v, &slots);
    bt_release(g, q);
    bt_release(g, k);
    bt_release(g, v);
    bt_value b1 = bt_linear(g, o, w[NUM_W_O], BT_STREAM, slot(r, NULL, l, NUM_B1), slot(r, &f->da, l, NUM_DA));
    x = bt_add(g, x, b1, true, NUM_TENSOR_ID(l, NUM_XMID));
    bt_release(g, b1);
    bt_release(g, o);
    bt_release(g, y1);

    bt_value y2 = bt_rmsnorm(g, x, slot(r, &f->y2, l, NUM_Y2), NUM_TENSOR_ID(l, NUM_R2), slot(r, &f->dn2, l, NUM_DN2), NUM_TENSOR_ID(l, NUM_M2),
                             NUM_TENSOR_ID(l, NUM_DX2));
    bt_value h = bt_linear(g, y2, w[NUM_W_1], BT_INDEX, slot(r, &f->h, l, NUM_HH), none);
    bt_release(g, y2);
    bt_value gelu = bt_gelu(g, h, slot(r, &f->g, l, NUM_GG), slot(r, &f->dh, l, NUM_DH));
    bt_release(g, h);
    bt_value b2 = bt_linear(g, gelu, w[NUM_W_2], BT_STREAM, slot(r, NULL, l, NUM_B2), slot(r, &f->dm, l, NUM_DM));
    bt_release(g, gelu);
    x = bt_add(g, x, b2, true, NUM_TENSOR_ID(l + 1, NUM_X));
    bt_release(g, b2);
    return x;
}

/* From tokens to the final norm. */
static bt_value body_forward(run *r)
{
    uint32_t top = r->gpt->shape.layers;
    num_top_fractions *f = &r->spec.fractions->top;
    bt_value x = bt_embed(r->graph, r->parameter[0], r->parameter[1], NUM_TENSOR_ID(0, NUM_X));
    for (uint32_t l = 0; l < top; l++)
        x = layer_forward(r, l, x);
    bt_value y = bt_rmsnorm(r->graph, x, slot(r, &f->yf, top, NUM_Y1), NUM_TENSOR_ID(top, NUM_R1), slot(r, &f->dnf, top, NUM_DN1),
                            NUM_TENSOR_ID(top, NUM_M1), NUM_TENSOR_ID(top, NUM_DX1));
    bt_release(r->graph, x);
    return y;
}

static err check_tokens(const bt_gpt *g, const uint16_t *tokens, uint64_t count, fault *f)
{
    for (uint64_t i = 0; i < count; i++)
        if (tokens[i] >= g->shape.vocab)
            return fail(f, ERR_RANGE, "batch: token", i);
    return OK;
}

static err run_open(run *r, const int16_t *weights, int64_t *gradient, fault *f)
{
    bt_gpt *g = r->gpt;
    uint64_t count = num_parameter_count(&g->shape);
    if (r->spec.count == 0 || (uint64_t)r->spec.count * r->spec.context > LIMIT_LEASE_TOKENS)
        return fail(f, ERR_LIMIT, "batch: tokens", r->spec.count);
    TRY(check_tokens(g, r->spec.tokens, (uint64_t)r->spec.count * (r->spec.context + 1), f));
    r->spec.shape = &g->shape;
    r->spec.tables = g->tables;
    err e = bt_tensor_wrap(&r->weights, g->device, BT_I16, (void *)(uintptr_t)weights, count);
    if (e == OK && gradient)
        e = bt_tensor_wrap(&r->gradients, g->device, BT_I64, gradient, count);
    if (e == OK) {
        r->parameter = calloc(num_tensor_count(&g->shape), sizeof *r->parameter);
        e = r->parameter ? bt_graph_new(&r->graph, g->device, &r->spec) : ERR_MEMORY;
    }
    if (e == OK)
        e = add_parameters(r);
    return e == OK ? OK : fail(f, e, "gpt: run", 0);
}

static void run_close(run *r)
{
    bt_graph_free(r->graph);
    free(r->parameter);
    bt_tensor_unref(&r->weights);
    bt_tensor_unref(&r->gradients);
}

/* RANGE is a result of a run, not an error of it. */
static err run_status(run *r, bt_result *result, fault *f)
{
    err e = bt_graph_status(r->graph, result, f);
    return e == ERR_STEP_RANGE ? OK : e;
}

static bt_graph_spec spec_of(const bt_gpt *g, const bt_model *model, const bt_batch *batch, bt_mode mode)
{
    bt_graph_spec s = { .mode = mode, .sequences = batch->sequences, .count = batch->count, .tokens = batch->tokens,
                        .context = g->shape.context, .step = batch->step };
    if (model) {
        s.fractions = (num_fractions *)(uintptr_t)&model->fractions; /* read only outside a calibration */
        s.dither_seed = num_dither_seed(&batch->job_id, &model->id, batch->step);
    }
    return s;
}

static err fits(const bt_gpt *g, const bt_model *model, fault *f)
{
    return memcmp(&g->shape, &model->shape, sizeof g->shape) == 0 ? OK : fail(f, ERR_SHAPE, "gpt: model of another shape", 0);
}

err bt_gpt_gradient(bt_gpt *g, const bt_model *model, const bt_batch *batch, int64_t *gradient, int64_t *loss_q16, bt_result *result,
                    bt_trace_fn trace, void *trace_ctx, fault *f)
{
    TRY(fits(g, model, f));
    run r = { .gpt = g, .spec = spec_of(g, model, batch, BT_TRAIN) };
    r.spec.trace = trace;
    r.spec.trace_ctx = trace_ctx;
    err e = run_open(&r, model->weights, gradient, f);
    if (e == OK) {
        bt_value y = body_forward(&r);
        bt_cross_entropy(r.graph, y, r.parameter[num_tensor_count(&g->shape) - 1], g->shape.layers);
        bt_backward(r.graph);
        e = run_status(&r, result, f);
        *loss_q16 = bt_graph_loss_q16(r.graph);
    }
    run_close(&r);
    return e;
}

err bt_gpt_loss(bt_gpt *g, const bt_model *model, const bt_batch *batch, int64_t *loss_q16, bt_result *result, fault *f)
{
    TRY(fits(g, model, f));
    run r = { .gpt = g, .spec = spec_of(g, model, batch, BT_INFER) };
    err e = run_open(&r, model->weights, NULL, f);
    if (e == OK) {
        bt_value y = body_forward(&r);
        bt_cross_entropy(r.graph, y, r.parameter[num_tensor_count(&g->shape) - 1], g->shape.layers);
        e = run_status(&r, result, f);
        *loss_q16 = bt_graph_loss_q16(r.graph);
    }
    run_close(&r);
    return e;
}

err bt_gpt_logits(bt_gpt *g, const bt_model *model, const uint16_t *context, uint32_t count, int32_t *logits, bt_result *result, fault *f)
{
    TRY(fits(g, model, f));
    if (count == 0 || count > g->shape.context)
        return fail(f, ERR_LIMIT, "logits: context", count);
    uint16_t *tokens = malloc((count + 1) * sizeof *tokens); /* the last is no target of anything */
    if (!tokens)
        return fail(f, ERR_MEMORY, "logits: context", count);
    memcpy(tokens, context, count * sizeof *tokens);
    tokens[count] = 0;
    uint64_t sequence = 0;
    bt_batch batch = { .count = 1, .sequences = &sequence, .tokens = tokens };
    run r = { .gpt = g, .spec = spec_of(g, model, &batch, BT_INFER) };
    r.spec.context = count;
    err e = run_open(&r, model->weights, NULL, f);
    if (e == OK) {
        bt_value y = body_forward(&r);
        bt_logits(r.graph, y, r.parameter[num_tensor_count(&g->shape) - 1], g->shape.layers, logits);
        e = run_status(&r, result, f);
    }
    run_close(&r);
    free(tokens);
    return e;
}

/* Fractions of the weights, section 10. */
static void calibrate_weights(const num_shape *s, const num_const *c, num_fractions *f, const int32_t *master)
{
    for (uint32_t i = 0; i < num_tensor_count(s); i++) {
        num_tensor_info info = num_tensor_describe(s, i);
        uint64_t max = 0, count = (uint64_t)info.rows * info.cols;
        for (uint64_t n = 0; n < count; n++) {
            uint64_t a = (uint64_t)llabs((long long)master[info.offset + n]);
            max = a > max ? a : max;
        }
        int fraction = (int)s->bits - 2 - (int)bit_length_u64(max) + 28;
        fraction = fraction < 0 ? 0 : fraction > 28 ? 28 : fraction;
        if (i < 2)
            fraction = fraction < c->f_res - 4 ? c->f_res - 4 : fraction > c->f_res ? c->f_res : fraction;
        uint32_t layer = i < 2 ? 0 : (i - 2) / NUM_W_PER_LAYER, which = i < 2 ? 0 : (i - 2) % NUM_W_PER_LAYER;
        num_layer_fractions *lf = &f->layer[layer < s->layers ? layer : 0];
        if (i == 0)
            f->top.e = (int8_t)fraction;
        else if (i == 1)
            f->top.p = (int8_t)fraction;
        else if (i == num_tensor_count(s) - 1)
            f->top.wh = (int8_t)fraction;
        else if (which == NUM_W_Q || ((which == NUM_W_K || which == NUM_W_V) && fraction < lf->wqkv))
            lf->wqkv = (int8_t)fraction;
        else if (which == NUM_W_O)
            lf->wo = (int8_t)fraction;
        else if (which == NUM_W_1)
            lf->w1 = (int8_t)fraction;
        else if (which == NUM_W_2)
            lf->w2 = (int8_t)fraction;
    }
}

static bool is_stream_gradient(uint32_t tensor)
{
    return tensor % 64 == NUM_DX1 || tensor % 64 == NUM_DX2;
}

err bt_gpt_calibrate(bt_gpt *g, num_fractions *fractions, const int32_t *master, const bt_batch *batch, uint32_t repetitions, fault *f)
{
    num_fractions found = { 0 };
    calibrate_weights(&g->shape, &g->c, &found, master);
    int16_t *weights = malloc(num_parameter_count(&g->shape) * sizeof *weights);
    if (!weights)
        return fail(f, ERR_MEMORY, "calibration", 0);
    bt_quantise(weights, master, &found, &g->shape, g->device->pool);
    err e = OK;
    bt_result result = { 0 };
    for (bool keep_gx = false;; keep_gx = true) {
        run r = { .gpt = g, .spec = spec_of(g, NULL, batch, BT_CALIBRATE) };
        r.spec.fractions = &found;
        r.spec.repetitions = repetitions;
        r.spec.keep_gx = keep_gx;
        e = run_open(&r, weights, NULL, f);
        if (e == OK) {
            bt_value y = body_forward(&r);
            bt_cross_entropy(r.graph, y, r.parameter[num_tensor_count(&g->shape) - 1], g->shape.layers);
            bt_backward(r.graph);
            e = bt_graph_status(r.graph, &result, f);
        }
        run_close(&r);
        if (e != ERR_STEP_RANGE || !is_stream_gradient(result.tensor) || found.top.gx < -20)
            break;
        found.top.gx = (int8_t)(found.top.gx - 3);
    }
    free(weights);
    if (e == OK)
        e = num_fractions_check(&found, &g->shape, f);
    if (e == OK)
        *fractions = found;
    return e;
}
