/* SPDX-License-Identifier: Apache-2.0 */
#include "numerics/config.h"

#include "base/int.h"
#include "numerics/round.h"

_Static_assert(sizeof(num_layer_fractions) == 22 && sizeof(num_top_fractions) == 6, "fractions are arrays of int8");

/* ---- constants of a shape (section 2) ---- */

static err shape_check(const num_shape *s, fault *f)
{
    const struct {
        const char *name;
        uint32_t    value, least;
        uint64_t    most;
    } bounds[] = {
        { "shape.vocab", s->vocab, 2, LIMIT_MODEL_VOCAB },    { "shape.context", s->context, 1, LIMIT_MODEL_CONTEXT },
        { "shape.width", s->width, 1, LIMIT_MODEL_WIDTH },    { "shape.layers", s->layers, 1, LIMIT_MODEL_LAYERS },
        { "shape.heads", s->heads, 1, LIMIT_MODEL_HEADS },
    };
    for (size_t i = 0; i < COUNT_OF(bounds); i++) {
        if (bounds[i].value < bounds[i].least)
            return fail(f, ERR_SHAPE, bounds[i].name, bounds[i].value);
        if (bounds[i].value > bounds[i].most)
            return fail(f, ERR_LIMIT, bounds[i].name, bounds[i].value);
    }
    if (s->width % s->heads != 0)
        return fail(f, ERR_SHAPE, "shape.heads", s->heads);
    if (s->width / s->heads > 256)
        return fail(f, ERR_LIMIT, "shape.head_dim", s->width / s->heads);
    if (s->bits != 8 && s->bits != 10 && s->bits != 12 && s->bits != 14 && s->bits != 16)
        return fail(f, ERR_SHAPE, "shape.bits", s->bits);
    if (s->helper > NUM_WIDE || (s->helper == NUM_NARROW && s->bits > 12))
        return fail(f, ERR_SHAPE, "shape.helper", s->helper);
    return OK;
}

/* The fraction 30 number n as a constant of b_C bits: *fraction is the smallest from b_C - 1 on that gives b_C bits. */
static int64_t constant_of(int *fraction, int64_t n, int b_C)
{
    int x = b_C - 1;
    while (num_rhu(n, 30 - x) < (int64_t)1 << (b_C - 1))
        x++;
    *fraction = x;
    return num_rhu(n, 30 - x);
}

err num_const_of(num_const *out, const num_shape *s, fault *f)
{
    TRY(shape_check(s, f));
    const int64_t log2e_30 = 1549082005; /* round(log2(e) 2^30) */
    bool wide = s->helper == NUM_WIDE;
    num_const c = {
        .q_max = (1 << (s->bits - 1)) - 1,
        .d_t = s->bits > 12 ? (1 << 18) - 1 : (1 << 15) - 1,
        .d_b = wide ? (1 << 20) - 1 : (1 << 17) - 1,
        .d_g = wide ? (1 << 24) - 1 : (1 << 23) - 1,
        .d_s = ((int64_t)1 << (wide ? 46 : 42)) - 1,
        .f_res = wide ? 12 : 10,
        .f_r = wide ? 16 : 12,
        .f_R = wide ? 16 : 12,
        .b_C = wide ? 14 : 10,
        .x_2 = wide ? 14 : 10,
        .f_z = wide ? 9 : 6,
        .f_l = wide ? 11 : 8,
        .f_h_max = wide ? 12 : 8,
        .f_gd = wide ? 14 : 10,
        .n_l = wide ? 48 : 40,
        .f_dl = (int)s->bits - 1,
        .q_l = wide ? (1 << 20) - 1 : (1 << 16) - 1,
        .head_dim = s->width / s->heads,
        .hidden = 4 * s->width,
    };
    int64_t root = (int64_t)isqrt_u128(((u128)1 << 60) / c.head_dim); /* 1 / sqrt(hd) at fraction 30 */
    c.c_grad = constant_of(&c.x_grad, root, c.b_C);
    c.c_score = constant_of(&c.x_score, num_rhu(root * log2e_30, 30), c.b_C);
    c.c_logit = num_rhu(log2e_30, 30 - c.x_2);
    *out = c;
    return OK;
}

/* ---- fractions (section 10) ---- */

typedef struct interval {
    const char *name;
    int         value, least, most;
} interval;

static err intervals_check(const interval *rows, size_t count, uint64_t at, fault *f)
{
    for (size_t i = 0; i < count; i++)
        if (rows[i].value < rows[i].least || rows[i].value > rows[i].most)
            return fail(f, ERR_RANGE, rows[i].name, at);
    return OK;
}

#define SHIFT(name, value) { "fraction." name, (value), 0, 62 }

static err layer_check(const num_layer_fractions *l, const num_const *c, int f_gx, uint64_t layer, fault *f)
{
    int e = c->f_dl; /* fraction of e: w - 1 */
    int top = l->dq > l->dk ? l->dq : l->dk;
    top = top > l->dv ? top : l->dv;
    const interval rows[] = {
        SHIFT("y1", c->f_res + c->f_r - l->y1),
        SHIFT("wqkv", 28 - l->wqkv),
        SHIFT("q", l->y1 + l->wqkv - l->q),
        SHIFT("k", l->y1 + l->wqkv - l->k),
        SHIFT("v", l->y1 + l->wqkv - l->v),
        SHIFT("z", l->q + l->k + c->x_score - c->f_z),
        { "fraction.o", l->o - l->v, 0, 2 },
        SHIFT("o", l->v + c->f_R + e - l->o),
        SHIFT("wo", 28 - l->wo),
        SHIFT("b1", l->o + l->wo - c->f_res),
        SHIFT("y2", c->f_res + c->f_r - l->y2),
        SHIFT("w1", 28 - l->w1),
        { "fraction.h", l->h, -32, c->f_h_max },
        SHIFT("h", l->y2 + l->w1 - l->h),
        SHIFT("w2", 28 - l->w2),
        SHIFT("b2", l->g + l->w2 - c->f_res),
        SHIFT("dm", f_gx - l->dm),
        SHIFT("dh", l->dm + l->w2 + c->f_gd - l->dh),
        SHIFT("dn2", l->dh + l->w1 - l->dn2),
        SHIFT("dx2", c->f_r + l->dn2 - f_gx),
        SHIFT("da", f_gx - l->da),
        SHIFT("dp", l->da + l->wo + c->f_R - l->dp),
        SHIFT("dv", l->dp + e - l->dv),
        SHIFT("ds", l->dp + l->o + e - l->ds),
        SHIFT("dq", l->ds + l->k + c->x_grad - l->dq),
        SHIFT("dk", l->ds + l->q + c->x_grad - l->dk),
        { "fraction.dq", top - l->dq, 0, 8 },
        { "fraction.dk", top - l->dk, 0, 8 },
        { "fraction.dv", top - l->dv, 0, 8 },
        SHIFT("dn1", l->wqkv + top - l->dn1),
        SHIFT("dx1", c->f_r + l->dn1 - f_gx),
    };
    return intervals_check(rows, COUNT_OF(rows), layer, f);
}

static err top_check(const num_top_fractions *t, const num_const *c, uint64_t layers, fault *f)
{
    const interval rows[] = {
        { "fraction.e", c->f_res - t->e, 0, 4 },
        { "fraction.p", c->f_res - t->p, 0, 4 },
        SHIFT("yf", c->f_res + c->f_r - t->yf),
        SHIFT("wh", 28 - t->wh),
        SHIFT("lg", t->yf + t->wh + c->x_2 - c->f_l),
        SHIFT("dnf", c->f_dl + t->wh - t->dnf),
        SHIFT("gx", c->f_r + t->dnf - t->gx),
    };
    return intervals_check(rows, COUNT_OF(rows), layers, f);
}

static err bounds_check(const int8_t *fractions, size_t count, uint64_t at, fault *f)
{
    for (size_t i = 0; i < count; i++)
        if (fractions[i] < -32 || fractions[i] > 62)
            return fail(f, ERR_RANGE, "fraction", at);
    return OK;
}

err num_fractions_check(const num_fractions *fractions, const num_shape *shape, fault *f)
{
    num_const c;
    TRY(num_const_of(&c, shape, f));
    for (uint32_t l = 0; l < shape->layers; l++) {
        const num_layer_fractions *row = &fractions->layer[l];
        TRY(bounds_check((const int8_t *)row, sizeof *row, l, f));
        TRY(layer_check(row, &c, fractions->top.gx, l, f));
    }
    TRY(bounds_check((const int8_t *)&fractions->top, sizeof fractions->top, shape->layers, f));
    return top_check(&fractions->top, &c, shape->layers, f);
}

/* ---- weight tensors (section 3) ---- */

static void name_layer(char name[32], uint32_t layer, const char *which)
{
    static const char prefix[] = "layer";
    size_t n = sizeof prefix - 1;
    memcpy(name, prefix, n);
    if (layer >= 10)
        name[n++] = (char)('0' + layer / 10 % 10);
    name[n++] = (char)('0' + layer % 10);
    name[n++] = '.';
    memcpy(name + n, which, strlen(which) + 1);
}

num_tensor_info num_tensor_describe(const num_shape *s, uint32_t index)
{
    static const char *const which_names[NUM_W_PER_LAYER] = { "wq", "wk", "wv", "wo", "w1", "w2" };
    const uint64_t V = s->vocab, T = s->context, d = s->width;
    CHECK(index < num_tensor_count(s));
    num_tensor_info t = { .rows = s->width, .cols = s->width };
    if (index == 0) {
        memcpy(t.name, "embed", 6);
        t.rows = s->vocab;
        return t;
    }
    if (index == 1) {
        memcpy(t.name, "pos", 4);
        t.rows = s->context;
        t.offset = V * d;
        return t;
    }
    uint32_t layer = (index - 2) / NUM_W_PER_LAYER, which = (index - 2) % NUM_W_PER_LAYER;
    t.offset = (V + T) * d + 12 * d * d * layer;
    if (layer == s->layers) {
        memcpy(t.name, "head", 5);
        t.cols = s->vocab;
        return t;
    }
    name_layer(t.name, layer, which_names[which]);
    t.offset += which == NUM_W_2 ? 8 * d * d : which * d * d;
    if (which == NUM_W_1)
        t.cols = 4 * s->width;
    if (which == NUM_W_2)
        t.rows = 4 * s->width;
    return t;
}

uint64_t num_parameter_count(const num_shape *s)
{
    uint64_t d = s->width;
    return (2 * (uint64_t)s->vocab + s->context) * d + 12 * d * d * s->layers;
}

int num_weight_fraction(const num_fractions *f, const num_shape *s, uint32_t index)
{
    CHECK(index < num_tensor_count(s));
    if (index == 0)
        return f->top.e;
    if (index == 1)
        return f->top.p;
    uint32_t layer = (index - 2) / NUM_W_PER_LAYER;
    if (layer == s->layers)
        return f->top.wh;
    const num_layer_fractions *l = &f->layer[layer];
    switch ((index - 2) % NUM_W_PER_LAYER) {
    case NUM_W_O:
        return l->wo;
    case NUM_W_1:
        return l->w1;
    case NUM_W_2:
        return l->w2;
    default:
        return l->wqkv;
    }
}

int num_gradient_fraction(const num_fractions *f, const num_shape *s, uint32_t index)
{
    CHECK(index < num_tensor_count(s));
    if (index < 2)
        return f->top.gx;
    uint32_t layer = (index - 2) / NUM_W_PER_LAYER;
    if (layer == s->layers)
        return f->top.yf + (int)s->bits - 1;
    const num_layer_fractions *l = &f->layer[layer];
    switch ((index - 2) % NUM_W_PER_LAYER) {
    case NUM_W_Q:
        return l->y1 + l->dq;
    case NUM_W_K:
        return l->y1 + l->dk;
    case NUM_W_V:
        return l->y1 + l->dv;
    case NUM_W_O:
        return l->o + l->da;
    case NUM_W_1:
        return l->y2 + l->dh;
    default:
        return l->g + l->dm;
    }
}
