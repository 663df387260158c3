/* SPDX-License-Identifier: Apache-2.0 */
#include "proof/range.h"

#include "numerics/dither.h"
#include "numerics/round.h"
#include "numerics/trace.h"
#include "proof/claims_int.h"
#include "proof/relation.h"

#include <stdlib.h>
#include <string.h>

uint32_t pf_trace_place(const pf_layout *y, uint32_t layer, pf_slot slot)
{
    static const uint8_t of[PF_SLOTS] = {
        NUM_Y1, NUM_QQ, NUM_KK, NUM_VV, NUM_ZZ, NUM_EE, NUM_OO, NUM_B1, NUM_B1, NUM_Y2, NUM_HH, NUM_GG, NUM_GG, NUM_B2, NUM_B2,
        NUM_DL, NUM_DM, NUM_DH, NUM_DN2, NUM_DX2, NUM_DX2, NUM_DA, NUM_DP, NUM_DV, NUM_DS, NUM_DQ, NUM_DK, NUM_DN1, NUM_DX1, NUM_DX1 };
    bool top = layer == y->shape.layers;
    num_trace_tensor t;
    uint32_t place;
    CHECK(num_trace_find(&t, &place, &y->shape, NUM_TENSOR_ID(layer, top && slot == PF_D ? NUM_LG : top && slot == PF_E ? NUM_EL : of[slot])) == OK);
    return place;
}

/* --- where the inputs lie ------------------------------------------------------------------------------------------------ */

static void add_block(pf_check *c, uint32_t tensor, uint32_t slot, uint32_t token, uint32_t tokens, uint32_t feature, uint32_t features)
{
    CHECK(c->blocks < PF_BLOCKS_MAX && tensor != PF_NONE);
    c->block[c->blocks++] = (pf_block){ tensor, slot, token, tokens, feature, features, c->count };
    c->count += (size_t)tokens * features;
}

/* The element's own row, all of it. */
static void add_row(pf_check *c, const pf_layout *y, pf_slot from, uint32_t slot)
{
    uint32_t tensor = pf_at(y, c->layer, from);
    add_block(c, tensor, slot, c->token + c->row, 1, 0, y->tensors[tensor].features);
}

static void add_stream(pf_check *c, const pf_layout *y, bool second)
{
    add_block(c, PF_VIRTUAL_X + 2 * c->layer + second, second ? NUM_XMID : NUM_X, c->token + c->row, 1, 0, y->shape.width);
}

/* The gradient stream where dm, or da, of the layer reads it. */
static void add_gradient_stream(pf_check *c, const pf_layout *y, bool middle)
{
    add_block(c, PF_VIRTUAL_GX + 1 + 2 * (y->shape.layers - 1 - c->layer) + middle, NUM_GX, c->token + c->row, 1, c->col, 1);
}

/* One head of a row of q, k, v, o or dp. */
static void add_head(pf_check *c, const pf_layout *y, pf_slot from, uint32_t slot, uint32_t position, uint32_t head)
{
    add_block(c, pf_at(y, c->layer, from), slot, c->token + position, 1, head * y->k.head_dim, y->k.head_dim);
}

/* Products over the positions that a row attends to: a row of e or ds, a column of v or k. */
static void add_attended(pf_check *c, const pf_layout *y, pf_slot scores, uint32_t scores_slot, pf_slot from, uint32_t slot)
{
    uint32_t head = c->col / y->k.head_dim, n = c->row + 1;
    add_block(c, pf_at(y, c->layer, scores), scores_slot, c->token + c->row, 1, head << y->t_bits, n);
    add_block(c, pf_at(y, c->layer, from), slot, c->token, n, c->col, 1);
}

/* Over the positions that attend to it: columns of both. */
static void add_attending(pf_check *c, const pf_layout *y, pf_slot scores, uint32_t scores_slot, pf_slot from, uint32_t slot)
{
    uint32_t head = c->col / y->k.head_dim, n = y->shape.context - c->row;
    add_block(c, pf_at(y, c->layer, scores), scores_slot, c->token + c->row, n, (head << y->t_bits) + c->row, 1);
    add_block(c, pf_at(y, c->layer, from), slot, c->token + c->row, n, c->col, 1);
}

static void add_score_gradient(pf_check *c, const pf_layout *y)
{
    uint32_t head = c->row / y->shape.context, i = c->row % y->shape.context;
    add_block(c, pf_at(y, c->layer, PF_E), NUM_EE, c->token + i, 1, (head << y->t_bits) + c->col, 1);
    add_head(c, y, PF_DP, NUM_DP, i, head);
    add_head(c, y, PF_V, NUM_VV, c->col, head);
    add_head(c, y, PF_O, NUM_OO, i, head);
}

static void list_forward(pf_check *c, const pf_layout *y)
{
    uint32_t T = y->shape.context;
    switch (c->slot) {
    case NUM_R1: case NUM_Y1:              add_stream(c, y, false); return;
    case NUM_R2: case NUM_Y2:              add_stream(c, y, true); return;
    case NUM_QQ: case NUM_KK: case NUM_VV: add_row(c, y, PF_Y1, NUM_Y1); return;
    case NUM_LG:                           add_row(c, y, PF_Y1, NUM_Y1); return;
    case NUM_OO:                           add_attended(c, y, PF_E, NUM_EE, PF_V, NUM_VV); return;
    case NUM_B1:                           add_row(c, y, PF_O, NUM_OO); return;
    case NUM_HH:                           add_row(c, y, PF_Y2, NUM_Y2); return;
    case NUM_B2:                           add_row(c, y, PF_G, NUM_GG); return;
    default: /* NUM_ZZ */
        add_head(c, y, PF_Q, NUM_QQ, c->row % T, c->row / T);
        add_head(c, y, PF_K, NUM_KK, c->col, c->row / T);
        return;
    }
}

static void list_backward(pf_check *c, const pf_layout *y)
{
    bool top = c->layer == y->shape.layers;
    switch (c->slot) {
    case NUM_DM:  add_gradient_stream(c, y, false); return;
    case NUM_DA:  add_gradient_stream(c, y, true); return;
    case NUM_DP:  add_row(c, y, PF_DA, NUM_DA); return;
    case NUM_DN2: add_row(c, y, PF_DH, NUM_DH); return;
    case NUM_DV:  add_attending(c, y, PF_E, NUM_EE, PF_DP, NUM_DP); return;
    case NUM_DQ:  add_attended(c, y, PF_DS, NUM_DS, PF_K, NUM_KK); return;
    case NUM_DK:  add_attending(c, y, PF_DS, NUM_DS, PF_Q, NUM_QQ); return;
    case NUM_DS:  add_score_gradient(c, y); return;
    case NUM_DL:
        add_block(c, pf_at(y, c->layer, PF_E), NUM_EL, c->token + c->row, 1, c->col, 1);
        return;
    case NUM_DH:
        add_row(c, y, PF_DM, NUM_DM);
        add_block(c, pf_at(y, c->layer, PF_H), NUM_HH, c->token + c->row, 1, c->col, 1);
        return;
    case NUM_DN1:
        add_row(c, y, top ? PF_DL : PF_DQ, top ? NUM_DL : NUM_DQ);
        if (!top) {
            add_row(c, y, PF_DK, NUM_DK);
            add_row(c, y, PF_DV, NUM_DV);
        }
        return;
    case NUM_M1: case NUM_DX1:
        add_row(c, y, PF_DN1, NUM_DN1);
        add_row(c, y, PF_Y1, NUM_Y1);
        return;
    default: /* NUM_M2, NUM_DX2 */
        add_row(c, y, PF_DN2, NUM_DN2);
        add_row(c, y, PF_Y2, NUM_Y2);
        return;
    }
}

static bool is_forward(uint32_t slot)
{
    return slot < NUM_DM || slot == NUM_R2 || slot == NUM_LG;
}

err pf_check_init(pf_check *c, const pf_layout *y, const pf_subject *s, fault *f)
{
    const pf_result *r = &s->result;
    num_trace_tensor t;
    uint32_t q = 0;
    memset(c, 0, sizeof *c);
    if (!r->range)
        return OK;
    while (q < s->sequences && s->numbers[q] != r->sequence)
        q++;
    TRY(pf_want(q < s->sequences, f, "range: sequence", r->sequence));
    c->layer = r->tensor / 64;
    c->slot = r->tensor % 64;
    TRY(pf_want(num_trace_find(&t, NULL, &y->shape, r->tensor) == OK && pf_slot_has_domain(c->slot), f, "range: tensor", r->tensor));
    TRY(pf_want(r->index < (uint64_t)t.rows * t.cols, f, "range: index", r->index));
    c->token = q << y->t_bits;
    c->row = (uint32_t)(r->index / t.cols);
    c->col = (uint32_t)(r->index % t.cols);
    TRY(pf_want((c->slot != NUM_ZZ && c->slot != NUM_DS) || c->col <= c->row % y->shape.context, f, "range: index", r->index));
    if (is_forward(c->slot))
        list_forward(c, y);
    else
        list_backward(c, y);
    c->values = calloc(c->count, sizeof *c->values);
    return c->values ? OK : fail(f, ERR_MEMORY, "range", c->count);
}

void pf_check_deinit(pf_check *c)
{
    free(c->values);
    memset(c, 0, sizeof *c);
}

err pf_check_receive(pf_check *c, pf_reader *in, pf_transcript *t)
{
    bytes raw;
    if (c->blocks == 0)
        return OK;
    TRY(pf_read(in, "inputs", 8 * c->count, &raw));
    pf_absorb(t, "inputs", raw);
    for (size_t i = 0; i < c->count; i++)
        c->values[i] = (int64_t)load_le64(raw.data + 8 * i);
    return OK;
}

/* --- the equation ---------------------------------------------------------------------------------------------------------- */

typedef struct opened {
    const pf_rows    *r;
    const pf_layout  *y;
    const pf_subject *s;
} opened;

/* The block read as `slot`. Which there are follows from the check, and so does what its equation reads. */
static const pf_block *block_of(const pf_check *c, uint32_t slot)
{
    uint32_t i = 0;
    while (i < c->blocks && c->block[i].slot != slot)
        i++;
    CHECK(i < c->blocks);
    return &c->block[i];
}

static int64_t value_at(const pf_check *c, uint32_t slot, uint32_t token, uint32_t feature)
{
    const pf_block *b = block_of(c, slot);
    uint32_t i = token - b->token, j = feature - b->feature;
    CHECK(i < b->tokens && j < b->features);
    return c->values[b->first + (size_t)i * b->features + j];
}

/* The row scalar r: of a norm that is not reached, from the row itself. */
static err norm_r(const opened *o, uint32_t slot, int64_t *out, fault *f)
{
    const pf_check *c = &o->r->check;
    const pf_layout *y = o->y;
    bool second = slot == NUM_R2;
    if (pf_has(y, c->layer, second ? PF_Y2 : PF_Y1)) {
        *out = pf_norm_of(o->r, y, c->layer, second)->r[c->token + c->row];
        return OK;
    }
    u128 squares = 0;
    for (size_t j = 0; j < c->count; j++)
        squares += (u128)((i128)c->values[j] * c->values[j]);
    TRY(pf_want(squares <= (uint64_t)y->k.d_s, f, "range: the row's sum of squares fails before", c->row));
    *out = num_norm_r(squares, y->shape.width, y->k.f_r, y->k.f_res);
    return OK;
}

static err norm_m(const opened *o, bool second, int64_t *out, fault *f)
{
    const pf_check *c = &o->r->check;
    const pf_layout *y = o->y;
    uint32_t token = c->token + c->row, k = 2 * c->layer + second;
    int64_t M = 0;
    for (uint32_t j = 0; j < y->shape.width; j++)
        M += value_at(c, second ? NUM_DN2 : NUM_DN1, token, j) * value_at(c, second ? NUM_Y2 : NUM_Y1, token, j);
    *out = num_norm_m(pf_norm_of(o->r, y, c->layer, second)->r[token], M, y->shape.width, pf_norm_fraction(y, k));
    return pf_want(num_in_domain(*out, (int64_t)1 << 34), f, "range: the row's m fails before", c->row);
}

static int64_t row_c(const opened *o, uint32_t position, uint32_t head)
{
    const pf_check *c = &o->r->check;
    int64_t sum = 0;
    for (uint32_t j = head * o->y->k.head_dim; j < (head + 1) * o->y->k.head_dim; j++)
        sum += value_at(c, NUM_DP, c->token + position, j) * value_at(c, NUM_OO, c->token + position, j);
    return sum;
}

/* Parts of the gradient stream: the equations read what comes from above and dx2, the prover sends their sum. Only the sum matters. */
static int64_t stream_part(const opened *o, uint32_t slot, uint32_t layer)
{
    const pf_check *c = &o->r->check;
    int64_t whole = c->values[0], most = o->y->k.d_g;
    if (c->slot == NUM_DM)
        return whole;
    int64_t dx2 = whole > most ? most : whole < -most ? -most : whole;
    return slot == NUM_DX2 && layer == c->layer ? dx2 : whole - dx2;
}

static err read_trace(void *ctx, uint32_t id, uint64_t sequence, uint32_t row, uint32_t col, int64_t *out, fault *f)
{
    const opened *o = ctx;
    const pf_layout *y = o->y;
    const pf_check *c = &o->r->check;
    uint32_t slot = id % 64, T = y->shape.context;
    (void)sequence;
    switch (slot) {
    case NUM_R1: case NUM_R2: return norm_r(o, slot, out, f);
    case NUM_M1: case NUM_M2: return norm_m(o, slot == NUM_M2, out, f);
    case NUM_CC:              *out = row_c(o, row, col); return OK;
    case NUM_RSUM:            *out = pf_head_of(o->r, y, c->layer, col)->R[c->token + row]; return OK;
    case NUM_RL:              *out = o->r->logits.R[c->token + row]; return OK;
    case NUM_EL:              *out = value_at(c, slot, c->token + row, col) + 32768; return OK;
    case NUM_EE: case NUM_DS: *out = value_at(c, slot, c->token + row % T, (row / T << y->t_bits) + col); return OK;
    default:                  break;
    }
    if (c->slot == NUM_DM || c->slot == NUM_DA)
        *out = stream_part(o, slot, id / 64);
    else
        *out = value_at(c, slot, c->token + row, col);
    return OK;
}

static err read_weight(void *ctx, uint32_t tensor, uint32_t row, uint32_t col, int64_t *out, fault *f)
{
    const opened *o = ctx;
    num_tensor_info t = num_tensor_describe(&o->y->shape, tensor);
    (void)f;
    *out = o->s->weights[t.offset + (size_t)row * t.cols + col];
    return OK;
}

/* Of the sequence of the check: its inputs, then the last target. */
static err read_token(void *ctx, uint64_t sequence, uint32_t position, uint16_t *out, fault *f)
{
    const opened *o = ctx;
    (void)sequence;
    (void)f;
    *out = o->s->tokens[(size_t)(o->r->check.token >> o->y->t_bits) * (o->y->shape.context + 1) + position];
    return OK;
}

/* No integer that a step can have at this place is larger, and no equation of such integers leaves 64 bits. */
static int64_t most_of(const pf_layout *y, const pf_block *b)
{
    const num_const *k = &y->k;
    if (b->tensor >= PF_VIRTUAL_GX)
        return (int64_t)(2 * y->shape.layers + 1) * k->d_g;
    if (b->tensor >= PF_VIRTUAL_X)
        return (int64_t)(2 * y->shape.layers + 2) * (k->d_b + 1);
    return 32768;
}

err pf_check_fails(const pf_rows *r, const pf_layout *y, const pf_subject *s, fault *f)
{
    const pf_check *c = &r->check;
    for (uint32_t b = 0; b < c->blocks; b++)
        for (size_t i = 0; i < (size_t)c->block[b].tokens * c->block[b].features; i++)
            TRY(pf_want(num_in_domain(c->values[c->block[b].first + i], most_of(y, &c->block[b])), f, "range: an input", i));
    opened o = { r, y, s };
    const num_model_header model = { .shape = s->shape, .fractions = s->fractions };
    const pf_context context = { &model, num_dither_seed(&s->job_id, &s->model_id, s->step), s->result.sequence };
    const pf_source source = { &o, read_trace, read_weight, read_token };
    pf_element element = { 0 };
    fault why = { 0 };
    err e = pf_relation_eval(&element, &context, &source, s->result.tensor, s->result.index, &why);
    if (e != OK)
        return fail(f, ERR_UNPROVED, e == ERR_UNPROVED ? why.what : "range: an input", why.at);
    return pf_want(element.range, f, "range: the element is inside its domain", s->result.index);
}

err pf_check_public(const pf_rows *r, const pf_layout *y, const pf_subject *s, fault *f)
{
    const pf_check *c = &r->check;
    const int16_t *e = s->weights + num_tensor_describe(&y->shape, 0).offset + (size_t)r->inputs[c->token + c->row] * y->shape.width;
    const int16_t *p = s->weights + num_tensor_describe(&y->shape, 1).offset + (size_t)c->row * y->shape.width;
    for (uint32_t j = 0; j < y->shape.width; j++) {
        int64_t x = e[j] * ((int64_t)1 << (y->k.f_res - y->fractions.top.e)) + p[j] * ((int64_t)1 << (y->k.f_res - y->fractions.top.p));
        TRY(pf_want(c->values[j] == x, f, "range: x_0", j));
    }
    return OK;
}

/* --- claims ---------------------------------------------------------------------------------------------------------------- */

/* A 1 at `first`, then the powers of x. */
static fxv *powers(pf_builder *b, size_t size, size_t first, size_t n, fx x)
{
    fxv *v = pf_vector(b, size);
    fx power = FX_ONE;
    for (size_t i = 0; v && i < n; i++, power = fx_mul(power, x))
        fxv_set(v, first + i, power);
    return v;
}

err pf_input_claims(pf_builder *b)
{
    const pf_layout *y = b->y;
    const pf_check *c = &b->run->rows->check;
    for (uint32_t k = 0; k < c->blocks; k++) {
        const pf_block *x = &c->block[k];
        fx kappa = b->run->input_kappa, down = FX_ONE, power = FX_ONE, value = FX_ZERO;
        for (uint32_t j = 0; j < x->features; j++)
            down = fx_mul(down, kappa);
        for (size_t i = 0; i < (size_t)x->tokens * x->features; i++, power = fx_mul(power, kappa))
            value = fx_add(value, fx_mul_fp(power, fp_from_i64(c->values[x->first + i])));
        fxv *w = powers(b, pf_tokens(y), x->token, x->tokens, down), *v = powers(b, pf_row_features(y, x->tensor), x->feature, x->features, kappa);
        NEED(w && v);
        TRY(pf_term(b, x->tensor, w, v, pf_row_features(y, x->tensor), FX_ONE));
        pf_value(b, value);
        pf_next_claim(b);
    }
    return OK;
}
