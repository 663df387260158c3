/* SPDX-License-Identifier: Apache-2.0 */
#include "proof/relation_int.h"

#include "numerics/dither.h"
#include "numerics/ledger.h"
#include "numerics/round.h"
#include "numerics/table.h"
#include "numerics/trace.h"

/* ---- inputs ---- */

typedef struct bounds {
    int64_t least, most;
} bounds;

static bounds symmetric(int64_t most)
{
    return (bounds){ -most, most };
}

/* What an honest element of this slot lies in: with these the ledger keeps every sum below within 2^62. */
static bounds honest(const pf_eval *v, uint32_t slot)
{
    const num_shape *s = &v->c->model->shape;
    const num_const *k = &v->k;
    switch (slot) {
    case NUM_X: case NUM_XMID:
        return symmetric((int64_t)(2 * s->layers + 2) * (k->d_b + 1));
    case NUM_B1: case NUM_B2:
        return symmetric(k->d_b);
    case NUM_ZZ: case NUM_HH: case NUM_LG: case NUM_DN1: case NUM_DN2:
        return symmetric(k->d_t);
    case NUM_DX1: case NUM_DX2:
        return symmetric(k->d_g);
    case NUM_GX:
        return symmetric((int64_t)(2 * s->layers + 1) * k->d_g);
    case NUM_EE:
        return (bounds){ 0, k->q_max };
    case NUM_ZSUM: /* the row's maximum adds Q */
        return (bounds){ k->q_max, (int64_t)s->context * k->q_max };
    case NUM_RSUM:
        return (bounds){ 0, num_softmax_R(k->q_max, k->f_R, k->f_dl) };
    case NUM_R1: case NUM_R2:
        return (bounds){ 0, (int64_t)1 << (k->f_r + 9) };
    case NUM_M1: case NUM_M2:
        return symmetric((int64_t)1 << 34);
    case NUM_CC:
        return symmetric((int64_t)k->head_dim * k->q_max * k->q_max);
    case NUM_EL:
        return (bounds){ 0, k->q_l };
    case NUM_ZL: /* the row's maximum adds Q_l */
        return (bounds){ k->q_l, (int64_t)s->vocab * k->q_l };
    case NUM_RL: /* el RL, both hostile, must stay within 2^62 */
        return (bounds){ 0, num_loss_R(k->q_l, k->n_l) };
    case NUM_LOSS: /* from the target at the maximum, alone, to the target at the other end, among V maxima */
        return (bounds){ num_ilog2((uint64_t)k->q_l) - num_ilog2((uint64_t)k->q_l + 1),
                         2 * (int64_t)k->d_t * ((int64_t)1 << (16 - k->f_l)) + num_ilog2((uint64_t)s->vocab * (uint64_t)k->q_l) -
                             num_ilog2((uint64_t)k->q_l + 1) };
    default: /* operands */
        return symmetric(k->q_max);
    }
}

int64_t pf_get_at(pf_eval *v, uint32_t layer, uint32_t slot, uint32_t row, uint32_t col)
{
    int64_t value = 0;
    if (v->e != OK)
        return 0;
    uint32_t id = NUM_TENSOR_ID(layer, slot);
    v->e = v->source->trace(v->source->ctx, id, v->sequence, row, col, &value, v->f);
    if (v->e != OK)
        return 0;
    bounds b = honest(v, slot);
    if (value < b.least || value > b.most) {
        v->e = fail(v->f, ERR_EVIDENCE, "an input is outside its own range", id);
        return 0;
    }
    return value;
}

static int64_t get(pf_eval *v, uint32_t slot, uint32_t row, uint32_t col)
{
    return pf_get_at(v, v->layer, slot, row, col);
}

static int64_t weight(pf_eval *v, uint32_t tensor, uint32_t row, uint32_t col)
{
    int64_t value = 0;
    if (v->e != OK)
        return 0;
    v->e = v->source->weight(v->source->ctx, tensor, row, col, &value, v->f);
    if (v->e != OK)
        return 0;
    if (!num_in_domain(value, v->k.q_max)) {
        v->e = fail(v->f, ERR_EVIDENCE, "a weight is outside its range", tensor);
        return 0;
    }
    return value;
}

uint32_t pf_get_token(pf_eval *v, uint32_t position)
{
    uint16_t token = 0;
    if (v->e != OK)
        return 0;
    v->e = v->source->token(v->source->ctx, v->sequence, position, &token, v->f);
    if (v->e == OK && token >= v->c->model->shape.vocab)
        v->e = fail(v->f, ERR_RANGE, "token", token);
    return v->e == OK ? token : 0;
}

static uint32_t layer_weight(const pf_eval *v, uint32_t which)
{
    return num_tensor_of_layer(v->layer, which);
}

static uint32_t head_weight(const pf_eval *v)
{
    return num_tensor_count(&v->c->model->shape) - 1;
}

/* sum_n slot[row, n] W[n, col], or W[col, n] for the transposed weight. */
static int64_t times_weight(pf_eval *v, uint32_t slot, uint32_t tensor, bool transposed, uint32_t count)
{
    int64_t sum = 0;
    for (uint32_t n = 0; n < count && v->e == OK; n++)
        sum += get(v, slot, v->row, n) * (transposed ? weight(v, tensor, v->col, n) : weight(v, tensor, n, v->col));
    return sum;
}

/* The gradient stream from above the layer. */
static int64_t gx_above(pf_eval *v)
{
    uint32_t L = v->c->model->shape.layers;
    return pf_get_at(v, v->layer + 1, v->layer + 1 == L ? NUM_DX1 : NUM_GX, v->row, v->col);
}

/* ---- outputs ---- */

static pf_element plain(int64_t value)
{
    return (pf_element){ .value = value };
}

static pf_element within(int64_t t, int64_t domain)
{
    return (pf_element){ .range = !num_in_domain(t, domain), .value = t };
}

static pf_element operand(const pf_eval *v, int64_t t)
{
    return (pf_element){ .range = !num_in_domain(t, v->k.d_t), .value = num_sat(t, v->k.q_max) };
}

/* Rounding with the dither words of the tensor being written. */
static int64_t dithered_at(const pf_eval *v, int64_t acc, int s, uint64_t row_word, uint64_t col_word)
{
    const pf_context *c = v->c;
    return num_dith(acc, s, num_dither_row(&c->dither_seed, v->id, c->sequence, row_word),
                    num_dither_col(&c->dither_seed, v->id, col_word));
}

static int64_t dithered(const pf_eval *v, int64_t acc, int s)
{
    return dithered_at(v, acc, s, v->row, v->col);
}

/* ---- forward ---- */

static pf_element stream(pf_eval *v)
{
    const num_model_header *m = v->c->model;
    if (v->slot == NUM_XMID)
        return plain(get(v, NUM_X, v->row, v->col) + get(v, NUM_B1, v->row, v->col));
    if (v->layer > 0)
        return plain(pf_get_at(v, v->layer - 1, NUM_XMID, v->row, v->col) + pf_get_at(v, v->layer - 1, NUM_B2, v->row, v->col));
    uint32_t token = pf_get_token(v, v->row);
    if (v->e != OK) /* a token that the model has no row for */
        return plain(0);
    return plain(weight(v, 0, token, v->col) * ((int64_t)1 << (v->k.f_res - m->fractions.top.e)) +
                 weight(v, 1, v->row, v->col) * ((int64_t)1 << (v->k.f_res - m->fractions.top.p)));
}

static pf_element norm_scale(pf_eval *v)
{
    uint32_t d = v->c->model->shape.width, from = v->slot == NUM_R1 ? NUM_X : NUM_XMID;
    u128 squares = 0;
    for (uint32_t j = 0; j < d && v->e == OK; j++) {
        int64_t x = get(v, from, v->row, j);
        squares += (u128)(uint64_t)(x * x);
    }
    return (pf_element){ .range = squares > (uint64_t)v->k.d_s, .value = num_norm_r(squares, d, v->k.f_r, v->k.f_res) };
}

static int norm_fraction(const pf_eval *v, uint32_t slot)
{
    return !v->l ? v->c->model->fractions.top.yf : slot == NUM_Y1 ? v->l->y1 : v->l->y2;
}

static pf_element norm(pf_eval *v)
{
    bool first = v->slot == NUM_Y1;
    int64_t x = get(v, first ? NUM_X : NUM_XMID, v->row, v->col), r = get(v, first ? NUM_R1 : NUM_R2, v->row, 0);
    return operand(v, num_rhu(x * r, v->k.f_res + v->k.f_r - norm_fraction(v, v->slot)));
}

static pf_element projection(pf_eval *v)
{
    uint32_t which = v->slot == NUM_QQ ? NUM_W_Q : v->slot == NUM_KK ? NUM_W_K : NUM_W_V;
    int to = v->slot == NUM_QQ ? v->l->q : v->slot == NUM_KK ? v->l->k : v->l->v;
    int64_t acc = times_weight(v, NUM_Y1, layer_weight(v, which), false, v->c->model->shape.width);
    return operand(v, num_rhu(acc, v->l->y1 + v->l->wqkv - to));
}

/* Rows of attention tensors are head * T + i. */
static pf_element score(pf_eval *v)
{
    uint32_t T = v->c->model->shape.context, head = v->row / T, i = v->row % T, hd = v->k.head_dim;
    if (v->col > i)
        return plain(0);
    int64_t acc = 0;
    for (uint32_t n = 0; n < hd && v->e == OK; n++)
        acc += get(v, NUM_QQ, i, head * hd + n) * get(v, NUM_KK, v->col, head * hd + n);
    return within(num_rhu(acc * v->k.c_score, v->l->q + v->l->k + v->k.x_score - v->k.f_z), v->k.d_t);
}

static int64_t row_max(pf_eval *v, uint32_t slot, uint32_t count)
{
    int64_t most = INT64_MIN;
    for (uint32_t j = 0; j < count && v->e == OK; j++) {
        int64_t x = get(v, slot, v->row, j);
        most = x > most ? x : most;
    }
    return v->e == OK ? most : 0;
}

static pf_element exponential(pf_eval *v)
{
    bool loss = v->slot == NUM_EL;
    uint32_t i = v->row % v->c->model->shape.context, from = loss ? NUM_LG : NUM_ZZ;
    if (!loss && v->col > i)
        return plain(0);
    int64_t D = row_max(v, from, loss ? v->c->model->shape.vocab : i + 1) - get(v, from, v->row, v->col);
    if (v->e != OK)
        return plain(0);
    return plain(loss ? num_exp_loss_at(&v->k, D) : num_exp_at(&v->k, D));
}

static pf_element softmax_row(pf_eval *v)
{
    uint32_t T = v->c->model->shape.context, count = v->slot == NUM_ZSUM ? v->row + 1 : v->c->model->shape.vocab;
    int64_t sum = 0;
    switch (v->slot) {
    case NUM_RSUM: case NUM_RL:
        sum = get(v, v->slot == NUM_RSUM ? NUM_ZSUM : NUM_ZL, v->row, v->col);
        if (v->e != OK)
            return plain(0);
        return plain(v->slot == NUM_RSUM ? num_softmax_R(sum, v->k.f_R, v->k.f_dl) : num_loss_R(sum, v->k.n_l));
    default: /* Z of head `col`, ZL */
        for (uint32_t j = 0; j < count && v->e == OK; j++)
            sum += v->slot == NUM_ZSUM ? get(v, NUM_EE, v->col * T + v->row, j) : get(v, NUM_EL, v->row, j);
        return plain(sum);
    }
}

static pf_element attention(pf_eval *v)
{
    uint32_t T = v->c->model->shape.context, head = v->col / v->k.head_dim;
    int64_t acc = 0;
    for (uint32_t j = 0; j <= v->row && v->e == OK; j++)
        acc += get(v, NUM_EE, head * T + v->row, j) * get(v, NUM_VV, j, v->col);
    return operand(v, num_rhu(acc * get(v, NUM_RSUM, v->row, head), v->l->v + v->k.f_R + v->k.f_dl - v->l->o));
}

static pf_element branch(pf_eval *v)
{
    const num_layer_fractions *l = v->l;
    uint32_t d = v->c->model->shape.width;
    switch (v->slot) {
    case NUM_B1:
        return within(num_rhu(times_weight(v, NUM_OO, layer_weight(v, NUM_W_O), false, d), l->o + l->wo - v->k.f_res), v->k.d_b);
    case NUM_B2:
        return within(num_rhu(times_weight(v, NUM_GG, layer_weight(v, NUM_W_2), false, 4 * d), l->g + l->w2 - v->k.f_res), v->k.d_b);
    default: /* h */
        return within(num_rhu(times_weight(v, NUM_Y2, layer_weight(v, NUM_W_1), false, d), l->y2 + l->w1 - l->h), v->k.d_t);
    }
}

static pf_element logits(pf_eval *v)
{
    const num_top_fractions *t = &v->c->model->fractions.top;
    int64_t acc = times_weight(v, NUM_Y1, head_weight(v), false, v->c->model->shape.width);
    return within(num_rhu(acc * v->k.c_logit, t->yf + t->wh + v->k.x_2 - v->k.f_l), v->k.d_t);
}

static pf_element loss(pf_eval *v)
{
    uint32_t target = pf_get_token(v, v->row + 1);
    int64_t gap = row_max(v, NUM_LG, v->c->model->shape.vocab) - get(v, NUM_LG, v->row, target), sum = get(v, NUM_ZL, v->row, 0);
    if (v->e != OK)
        return plain(0);
    return plain(gap * ((int64_t)1 << (16 - v->k.f_l)) + num_ilog2((uint64_t)sum) - num_ilog2((uint64_t)v->k.q_l + 1));
}

/* ---- backward ---- */

static pf_element loss_gradient(pf_eval *v)
{
    bool is_target = pf_get_token(v, v->row + 1) == v->col;
    int64_t acc = get(v, NUM_EL, v->row, v->col) * get(v, NUM_RL, v->row, 0) - (is_target ? (int64_t)1 << v->k.n_l : 0);
    return operand(v, dithered(v, acc, v->k.n_l - v->k.f_dl));
}

static pf_element norm_input_gradient(pf_eval *v)
{
    const num_top_fractions *t = &v->c->model->fractions.top;
    const num_layer_fractions *l = v->l;
    uint32_t d = v->c->model->shape.width;
    if (!l)
        return within(dithered(v, times_weight(v, NUM_DL, head_weight(v), true, v->c->model->shape.vocab),
                               v->k.f_dl + t->wh - t->dnf), v->k.d_t);
    if (v->slot == NUM_DN2)
        return within(dithered(v, times_weight(v, NUM_DH, layer_weight(v, NUM_W_1), true, 4 * d), l->dh + l->w1 - l->dn2), v->k.d_t);
    int top = l->dq > l->dk ? l->dq : l->dk;
    top = top > l->dv ? top : l->dv;
    int64_t acc = times_weight(v, NUM_DQ, layer_weight(v, NUM_W_Q), true, d) * ((int64_t)1 << (top - l->dq)) +
                  times_weight(v, NUM_DK, layer_weight(v, NUM_W_K), true, d) * ((int64_t)1 << (top - l->dk)) +
                  times_weight(v, NUM_DV, layer_weight(v, NUM_W_V), true, d) * ((int64_t)1 << (top - l->dv));
    return within(dithered(v, acc, l->wqkv + top - l->dn1), v->k.d_t);
}

static pf_element norm_back(pf_eval *v)
{
    const pf_context *c = v->c;
    bool first = v->slot == NUM_M1 || v->slot == NUM_DX1;
    uint32_t dn = first ? NUM_DN1 : NUM_DN2, y = first ? NUM_Y1 : NUM_Y2, d = c->model->shape.width;
    int64_t r = get(v, first ? NUM_R1 : NUM_R2, v->row, 0);
    if (v->slot == NUM_M1 || v->slot == NUM_M2) {
        int64_t sum = 0;
        for (uint32_t j = 0; j < d && v->e == OK; j++)
            sum += get(v, dn, v->row, j) * get(v, y, v->row, j);
        return within(num_norm_m(r, sum, d, norm_fraction(v, y)), (int64_t)1 << 34);
    }
    int f_dn = !v->l ? c->model->fractions.top.dnf : first ? v->l->dn1 : v->l->dn2;
    int64_t acc = r * get(v, dn, v->row, v->col) - get(v, y, v->row, v->col) * get(v, first ? NUM_M1 : NUM_M2, v->row, 0);
    return within(dithered(v, acc, v->k.f_r + f_dn - c->model->fractions.top.gx), v->k.d_g);
}

static pf_element gradient_stream(pf_eval *v)
{
    int f_gx = v->c->model->fractions.top.gx;
    int64_t gx = gx_above(v);
    if (v->slot == NUM_DM)
        return operand(v, dithered(v, gx, f_gx - v->l->dm));
    gx += get(v, NUM_DX2, v->row, v->col);
    if (v->slot == NUM_DA)
        return operand(v, dithered(v, gx, f_gx - v->l->da));
    return plain(gx + get(v, NUM_DX1, v->row, v->col));
}

static pf_element hidden_gradient(pf_eval *v)
{
    int64_t acc = times_weight(v, NUM_DM, layer_weight(v, NUM_W_2), true, v->c->model->shape.width);
    int64_t h = get(v, NUM_HH, v->row, v->col);
    if (v->e != OK)
        return plain(0);
    acc *= num_gelu_slope_at(&v->k, v->l->h, h);
    return operand(v, dithered(v, acc, v->l->dm + v->l->w2 + v->k.f_gd - v->l->dh));
}

static pf_element output_gradient(pf_eval *v)
{
    int64_t acc = times_weight(v, NUM_DA, layer_weight(v, NUM_W_O), true, v->c->model->shape.width);
    acc *= get(v, NUM_RSUM, v->row, v->col / v->k.head_dim);
    return operand(v, dithered(v, acc, v->l->da + v->l->wo + v->k.f_R - v->l->dp));
}

/* sum over the head's features of a[i, .] b[j, .] */
static int64_t head_dot(pf_eval *v, uint32_t a, uint32_t i, uint32_t b, uint32_t j, uint32_t head)
{
    int64_t sum = 0;
    for (uint32_t n = head * v->k.head_dim; n < (head + 1) * v->k.head_dim && v->e == OK; n++)
        sum += get(v, a, i, n) * get(v, b, j, n);
    return sum;
}

static pf_element score_gradient(pf_eval *v)
{
    uint32_t T = v->c->model->shape.context, head = v->row / T, i = v->row % T;
    if (v->col > i)
        return plain(0);
    int64_t inner = head_dot(v, NUM_DP, i, NUM_VV, v->col, head) * ((int64_t)1 << (v->l->o - v->l->v)) - get(v, NUM_CC, i, head);
    int64_t acc = get(v, NUM_EE, v->row, v->col) * inner;
    return operand(v, dithered_at(v, acc, v->l->dp + v->l->o + v->k.f_dl - v->l->ds, v->row, (uint64_t)head * T + v->col));
}

/* dv, dq, dk: row is a position, the sum runs over the positions that attend to it or that it attends to. */
static pf_element attention_gradient(pf_eval *v)
{
    const num_layer_fractions *l = v->l;
    uint32_t T = v->c->model->shape.context, head = v->col / v->k.head_dim, base = head * T;
    int64_t acc = 0;
    if (v->slot == NUM_DQ) {
        for (uint32_t j = 0; j <= v->row && v->e == OK; j++)
            acc += get(v, NUM_DS, base + v->row, j) * get(v, NUM_KK, j, v->col);
        return operand(v, dithered(v, acc * v->k.c_grad, l->ds + l->k + v->k.x_grad - l->dq));
    }
    bool value = v->slot == NUM_DV;
    for (uint32_t i = v->row; i < T && v->e == OK; i++)
        acc += get(v, value ? NUM_EE : NUM_DS, base + i, v->row) * get(v, value ? NUM_DP : NUM_QQ, i, v->col);
    if (value)
        return operand(v, dithered(v, acc, l->dp + v->k.f_dl - l->dv));
    return operand(v, dithered(v, acc * v->k.c_grad, l->ds + l->q + v->k.x_grad - l->dk));
}

/* ---- one element ---- */

bool pf_slot_has_domain(uint32_t slot)
{
    switch (slot) {
    case NUM_X: case NUM_XMID: case NUM_EE: case NUM_EL: case NUM_ZSUM: case NUM_RSUM: case NUM_ZL:
    case NUM_RL: case NUM_LOSS: case NUM_GG: case NUM_CC: case NUM_GX:
        return false;
    default:
        return true;
    }
}

static pf_element relation(pf_eval *v)
{
    int64_t h;
    switch (v->slot) {
    case NUM_X: case NUM_XMID:                                  return stream(v);
    case NUM_R1: case NUM_R2:                                   return norm_scale(v);
    case NUM_Y1: case NUM_Y2:                                   return norm(v);
    case NUM_QQ: case NUM_KK: case NUM_VV:                      return projection(v);
    case NUM_ZZ:                                                return score(v);
    case NUM_EE: case NUM_EL:                                   return exponential(v);
    case NUM_ZSUM: case NUM_RSUM: case NUM_ZL: case NUM_RL:     return softmax_row(v);
    case NUM_OO:                                                return attention(v);
    case NUM_B1: case NUM_B2: case NUM_HH:                      return branch(v);
    case NUM_LG:                                                return logits(v);
    case NUM_LOSS:                                              return loss(v);
    case NUM_DL:                                                return loss_gradient(v);
    case NUM_DN1: case NUM_DN2:                                 return norm_input_gradient(v);
    case NUM_M1: case NUM_M2: case NUM_DX1: case NUM_DX2:       return norm_back(v);
    case NUM_DM: case NUM_DA: case NUM_GX:                      return gradient_stream(v);
    case NUM_DH:                                                return hidden_gradient(v);
    case NUM_DP:                                                return output_gradient(v);
    case NUM_CC:                                                return plain(head_dot(v, NUM_DP, v->row, NUM_OO, v->row, v->col));
    case NUM_DS:                                                return score_gradient(v);
    case NUM_DV: case NUM_DQ: case NUM_DK:                      return attention_gradient(v);
    case NUM_GG:
        h = get(v, NUM_HH, v->row, v->col);
        return plain(v->e == OK ? num_gelu_at(&v->k, v->l->h, v->l->g, h) : 0);
    default: /* num_trace_find admits no other */
        v->e = fail(v->f, ERR_NOT_FOUND, "tensor", v->id);
        return plain(0);
    }
}

err pf_eval_model(pf_eval *v, fault *f)
{
    const num_shape *s = &v->c->model->shape;
    TRY(num_const_of(&v->k, s, f));
    TRY(num_fractions_check(&v->c->model->fractions, s, f));
    return num_ledger_check(NULL, s, NUM_LEDGER_WORD, f);
}

static err open_element(pf_eval *v, const pf_context *c, const pf_source *source, uint32_t id, uint64_t element, fault *f)
{
    const num_shape *s = &c->model->shape;
    num_trace_tensor t;
    *v = (pf_eval){ .c = c, .source = source, .id = id, .layer = id / 64, .slot = id % 64, .sequence = c->sequence, .f = f };
    TRY(pf_eval_model(v, f));
    if (num_trace_find(&t, NULL, s, id) != OK)
        return fail(f, ERR_NOT_FOUND, "tensor", id);
    if (element >= (uint64_t)t.rows * t.cols)
        return fail(f, ERR_NOT_FOUND, "element", element);
    v->row = (uint32_t)(element / t.cols);
    v->col = (uint32_t)(element % t.cols);
    v->l = v->layer < s->layers ? &c->model->fractions.layer[v->layer] : NULL;
    return OK;
}

err pf_relation_eval(pf_element *out, const pf_context *c, const pf_source *source, uint32_t tensor_id, uint64_t element, fault *f)
{
    pf_eval v;
    TRY(open_element(&v, c, source, tensor_id, element, f));
    pf_element result = relation(&v);
    if (v.e == OK)
        *out = result;
    return v.e;
}
