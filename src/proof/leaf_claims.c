/* SPDX-License-Identifier: Apache-2.0
 *
 * What the lookup argument leaves to be shown of an instance's leaves (spec/proof.md section 8). */
#include "numerics/dither.h"
#include "proof/claims_int.h"

#include <stdlib.h>
#include <string.h>

/* The leaf claim of one segment. */
typedef struct leaf {
    uint32_t   instance;
    const pf_segment  *s;
    const pf_rounding *r;
    const fxv *w;   /* omega */
    fxv       *phi;
    uint32_t   n;   /* padded features */
    fx         sum; /* of phi; omega adds up to 1 */
} leaf;

/* --- public parts of a remainder --------------------------------------------------------------------------------------------- */

/* sum_k bits of word k: out[k] = sum_i w_i (bit k of word_i). */
static err bit_sums(pf_builder *b, fx *out, const uint64_t *words, const fxv *w, size_t n, unsigned bits)
{
    int16_t *m = calloc(bits * n + 1, sizeof *m);
    fxv *sums = fxv_alloc(bits);
    err e = m && sums ? OK : fail(b->f, ERR_MEMORY, "claims", n);
    if (e == OK) {
        for (unsigned k = 0; k < bits; k++)
            for (size_t i = 0; i < n; i++)
                m[k * n + i] = (int16_t)(words[i] >> k & 1);
        fxv_cols(sums, &(fx_ints){ m, bits, n, n, 2 }, w);
        for (unsigned k = 0; k < bits; k++)
            out[k] = fxv_get(sums, k);
    }
    free(m);
    free(sums);
    return e;
}

/* sum omega_i phi_j ((A_i XOR B_j) mod 2^s) over features [first, first + n), with row words `rows` (N'). */
static err dither_block(pf_builder *b, const leaf *l, fx *out, const uint64_t *rows, const uint64_t *cols, uint32_t first, uint32_t n)
{
    fx a[64], c[64], all = FX_ZERO;
    fxv *phi = fxv_alloc(n);
    if (!phi)
        return fail(b->f, ERR_MEMORY, "claims", n);
    for (uint32_t j = 0; j < n; j++) {
        fxv_set(phi, j, fxv_get(l->phi, first + j));
        all = fx_add(all, fxv_get(phi, j));
    }
    err e = bit_sums(b, a, rows, l->w, pf_tokens(b->y), l->r->s);
    if (e == OK)
        e = bit_sums(b, c, cols, phi, n, l->r->s);
    for (unsigned k = 0; e == OK && k < l->r->s; k++) {
        fx both = fx_mul(a[k], c[k]);
        fx x = fx_sub(fx_add(fx_mul(a[k], all), c[k]), fx_add(both, both));
        *out = fx_add(*out, fx_mul(pf_power_of_two(k), x));
    }
    free(phi);
    return e;
}

static err dither_sum(pf_builder *b, const leaf *l, fx *out)
{
    const pf_layout *y = b->y;
    const pf_run *run = b->run;
    bool heads = l->r->op == PF_OP_DS;
    uint32_t T = y->shape.context, H = heads ? y->shape.heads : 1, keys = 1u << y->t_bits, n = pf_tokens(y);
    uint32_t per = heads ? keys : l->n, real = heads ? H * T : l->r->features;
    uint64_t *rows = calloc((size_t)H * n, sizeof *rows), *cols = calloc((size_t)H * per, sizeof *cols);
    uint64_t *words = malloc(((size_t)H * T + real) * sizeof *words);
    err e = rows && cols && words ? OK : fail(b->f, ERR_MEMORY, "claims", n);
    *out = FX_ZERO;
    for (uint32_t q = 0; e == OK && q < y->sequences; q++) {
        num_dither_rows(words, (size_t)H * T, &run->dither, l->r->dither_id, run->s->numbers[q]);
        for (uint32_t h = 0; h < H; h++)
            memcpy(rows + (size_t)h * n + ((size_t)q << y->t_bits), words + (size_t)h * T, T * sizeof *rows);
    }
    if (e == OK) {
        num_dither_cols(words, real, &run->dither, l->r->dither_id);
        for (uint32_t h = 0; h < H; h++)
            memcpy(cols + (size_t)h * per, words + (size_t)h * T, (heads ? T : real) * sizeof *cols);
    }
    for (uint32_t h = 0; e == OK && h < H; h++)
        e = dither_block(b, l, out, rows + (size_t)h * n, cols + (size_t)h * per, h * per, per);
    free(rows);
    free(cols);
    free(words);
    return e;
}

/* sum of omega phi over what is not masked, and the same times max. */
static void open_sums(const pf_builder *b, const leaf *l, fx *open, fx *max)
{
    const pf_layout *y = b->y;
    *open = *max = FX_ZERO;
    if (l->r->op == PF_OP_LOGIT) {
        fx phi = pf_sum_of(l->phi, y->shape.vocab);
        for (uint32_t i = 0; i < pf_tokens(y); i++) {
            if (!pf_is_token(y, i))
                continue;
            fx w = fx_mul(fxv_get(l->w, i), phi);
            *open = fx_add(*open, w);
            *max = fx_add(*max, fx_mul_fp(w, fp_from_i64(b->run->rows->logits.max[i])));
        }
        return;
    }
    for (uint32_t h = 0; h < y->shape.heads; h++) {
        const pf_head_rows *a = pf_head_of(b->run->rows, y, l->r->layer, h);
        fx prefix = FX_ZERO;
        for (uint32_t i = 0; i < y->shape.context; i++) {
            prefix = fx_add(prefix, fxv_get(l->phi, ((size_t)h << y->t_bits) + i));
            for (uint32_t q = 0; q < y->sequences; q++) {
                uint32_t at = (q << y->t_bits) + i;
                fx w = fx_mul(fxv_get(l->w, at), prefix);
                *open = fx_add(*open, w);
                *max = fx_add(*max, fx_mul_fp(w, fp_from_i64(a->max[at])));
            }
        }
    }
}

/* --- linear parts ------------------------------------------------------------------------------------------------------------ */

static err acc_norm(pf_builder *b, const leaf *l)
{
    const pf_layout *y = b->y;
    bool second = y->tensors[l->r->out].slot == PF_Y2;
    fxv *w = pf_times_ints(b, l->w, pf_norm_of(b->run->rows, y, l->r->layer, second)->r);
    NEED(w);
    return pf_term(b, PF_VIRTUAL_X + 2 * l->r->layer + second, w, l->phi, l->n, FX_ONE);
}

static err acc_back3(pf_builder *b, const leaf *l)
{
    const num_layer_fractions *f = &b->y->fractions.layer[l->r->layer];
    int top = f->dq > f->dk ? f->dq : f->dk;
    top = top > f->dv ? top : f->dv;
    const struct { pf_slot slot; uint32_t weight; int down; } part[] = { { PF_DQ, NUM_W_Q, f->dq }, { PF_DK, NUM_W_K, f->dk }, { PF_DV, NUM_W_V, f->dv } };
    for (int i = 0; i < 3; i++) {
        fxv *v = pf_back_through(b, num_tensor_of_layer(l->r->layer, part[i].weight), l->phi, 0, l->r->features);
        NEED(v);
        TRY(pf_term(b, pf_at(b->y, l->r->layer, part[i].slot), l->w, v, b->y->shape.width, pf_power_of_two((unsigned)(top - part[i].down))));
    }
    return OK;
}

static err acc_loss(pf_builder *b, const leaf *l, fx *open)
{
    const pf_layout *y = b->y;
    fxv *w = pf_times_ints(b, l->w, b->run->rows->logits.R);
    NEED(w);
    TRY(pf_term(b, pf_at(y, l->r->layer, PF_E), w, l->phi, l->n, FX_ONE));
    *open = fx_mul_fp(fx_mul(pf_sum_of(w, pf_tokens(y)), l->sum), fp_from_i64(32768));
    fx targets = FX_ZERO;
    for (uint32_t i = 0; i < pf_tokens(y); i++)
        if (pf_is_token(y, i))
            targets = fx_add(targets, fx_mul(fxv_get(l->w, i), fxv_get(l->phi, b->run->rows->targets[i])));
    *open = fx_sub(*open, fx_mul(targets, pf_power_of_two((unsigned)y->k.n_l)));
    return OK;
}

static err acc_dp(pf_builder *b, const leaf *l)
{
    const pf_layout *y = b->y;
    uint32_t hd = y->k.head_dim;
    for (uint32_t h = 0; h < y->shape.heads; h++) {
        fxv *w = pf_times_ints(b, l->w, pf_head_of(b->run->rows, y, l->r->layer, h)->R);
        fxv *v = pf_back_through(b, l->r->weight, l->phi, h * hd, hd);
        NEED(w && v);
        TRY(pf_term(b, l->r->left, w, v, y->shape.width, FX_ONE));
    }
    return OK;
}

static err acc_ds(pf_builder *b, const leaf *l)
{
    const pf_layout *y = b->y;
    for (uint32_t h = 0; h < y->shape.heads; h++) {
        fxv *w = pf_times_ints(b, l->w, pf_head_of(b->run->rows, y, l->r->layer, h)->c);
        fxv *v = pf_on_head(b, l->phi, l->n, h, 1u << y->t_bits);
        NEED(w && v);
        TRY(pf_term(b, pf_at(y, l->r->layer, PF_E), w, v, l->n, fx_neg(FX_ONE)));
    }
    return OK;
}

static err acc_dx(pf_builder *b, const leaf *l)
{
    const pf_layout *y = b->y;
    bool second = y->tensors[l->r->out].slot == PF_DX2LO;
    const pf_norm_rows *n = pf_norm_of(b->run->rows, y, l->r->layer, second);
    fxv *r = pf_times_ints(b, l->w, n->r), *m = pf_times_ints(b, l->w, n->m);
    NEED(r && m);
    TRY(pf_term(b, pf_at(y, l->r->layer, second ? PF_DN2 : PF_DN1), r, l->phi, l->n, FX_ONE));
    return pf_term(b, pf_at(y, l->r->layer, second ? PF_Y2 : PF_Y1), m, l->phi, l->n, fx_neg(FX_ONE));
}

/* The gradient stream that dm and da of a layer are made of: so many contributions from the top. */
static uint32_t stream_at(const pf_layout *y, uint32_t layer, bool middle)
{
    return PF_VIRTUAL_GX + 1 + 2 * (y->shape.layers - 1 - layer) + middle;
}

/* acc mul: the terms go to the rows; *open gets the public part, products included with their claimed values. */
static err accumulator(pf_builder *b, const leaf *l, uint32_t segment, fx *open)
{
    const pf_rounding *r = l->r;
    const num_layer_fractions *f = &b->y->fractions.layer[r->layer < b->y->shape.layers ? r->layer : 0];
    fx part = b->run->parts[segment], mul = fx_from_i64(r->mul);
    fxv *v;
    *open = FX_ZERO;
    switch (r->op) {
    case PF_OP_NORM:
        return acc_norm(b, l);
    case PF_OP_MATMUL: case PF_OP_LOGIT:
        NEED(v = pf_through(b, r->weight, l->phi));
        return pf_term(b, r->left, l->w, v, b->y->tensors[r->left].features, mul);
    case PF_OP_BACK:
        NEED(v = pf_back_through(b, r->weight, l->phi, 0, r->features));
        return pf_term(b, r->left, l->w, v, b->y->tensors[r->left].features, mul);
    case PF_OP_BACK3:
        return acc_back3(b, l);
    case PF_OP_LOSS:
        return acc_loss(b, l, open);
    case PF_OP_DP:
        return acc_dp(b, l);
    case PF_OP_DX:
        return acc_dx(b, l);
    case PF_OP_STREAM:
        return pf_term(b, stream_at(b->y, r->layer, b->y->tensors[r->out].slot == PF_DA), l->w, l->phi, l->n, FX_ONE);
    case PF_OP_DS:
        *open = fx_mul(part, pf_power_of_two((unsigned)(f->o - f->v)));
        return acc_ds(b, l);
    default: /* SCORE, ATTEND, GELU, DV, DQ, DK */
        *open = fx_mul(part, mul);
        return OK;
    }
}

/* u and t of the remainder, and its digits. */
static err remainder_rest(pf_builder *b, const leaf *l, fx *open)
{
    const pf_layout *y = b->y;
    const pf_rounding *r = l->r;
    const fx scale = pf_power_of_two(r->s), minus = fx_neg(scale);
    fx u = FX_ZERO, half = r->s ? pf_power_of_two(r->s - 1) : FX_ZERO;
    if (r->op == PF_OP_SCORE || r->op == PF_OP_LOGIT) {
        fx clear, max, hidden = fx_from_i64(y->hidden_d[r->op == PF_OP_LOGIT]);
        open_sums(b, l, &clear, &max);
        /* mask (u - 2^s max) + 2^s (D - D0 where masked), D = cell + D_t */
        u = fx_sub(fx_mul(clear, half), fx_mul(scale, max));
        u = fx_add(u, fx_mul(scale, fx_sub(fx_mul_fp(l->sum, fp_from_i64(y->k.d_t)), fx_mul(hidden, fx_sub(l->sum, clear)))));
        TRY(pf_term(b, r->out, l->w, l->phi, l->n, scale));
    } else {
        if (r->dither_id != PF_NONE)
            TRY(dither_sum(b, l, &u));
        else
            u = fx_mul(half, l->sum);
        TRY(pf_term(b, r->out, l->w, l->phi, l->n, minus));
        if (r->out_hi != PF_NONE)
            TRY(pf_term(b, r->out_hi, l->w, l->phi, l->n, fx_mul_fp(minus, fp_from_i64(r->hi_mul))));
    }
    for (uint32_t i = b->run->rows->exception_first[l->s->index]; i < b->run->rows->exception_first[l->s->index + 1]; i++) {
        const pf_exception *x = &b->run->rows->exceptions[i];
        int64_t delta = x->t < 0 ? x->t + y->k.q_max : x->t - y->k.q_max;
        u = fx_add(u, fx_mul(fx_mul_fp(minus, fp_from_i64(delta)), fx_mul(fxv_get(l->w, x->token), fxv_get(l->phi, x->feature))));
    }
    for (uint32_t k = 0; k < r->digits; k++) {
        fx power = fx_neg(pf_power_of_two(PF_DIGIT_BITS * (k + 1)));
        TRY(pf_term(b, r->digit + k, l->w, l->phi, l->n, power));
        u = fx_add(u, fx_mul(fx_mul_fp(power, fp_from_i64(y->tensors[r->digit + k].offset)), l->sum));
    }
    *open = fx_add(*open, u);
    return OK;
}

/* --- the leaf claim of an instance --------------------------------------------------------------------------------------- */

static fx tag(const pf_run *run, uint64_t number)
{
    return fx_mul_fp(run->gamma, fp_from_u64(number));
}

static uint32_t whole_table(const pf_layout *y)
{
    return (uint32_t)(2 * y->k.d_t + 1);
}

/* x + gamma tag + gamma^2 x' + gamma^3 x'' of committed cells. */
static err tuple(pf_builder *b, const leaf *l, fx *open)
{
    const pf_layout *y = b->y;
    uint32_t layer = l->s->index;
    fx g2 = fx_mul(b->run->gamma, b->run->gamma), g3 = fx_mul(g2, b->run->gamma), centre = fx_from_i64(whole_table(y) / 2);
    const uint64_t first = (uint64_t)1 << 20;
    if (l->s->part == PF_PART_GELU) {
        TRY(pf_term(b, pf_at(y, layer, PF_H), l->w, l->phi, l->n, FX_ONE));
        TRY(pf_term(b, pf_at(y, layer, PF_G), l->w, l->phi, l->n, g2));
        TRY(pf_term(b, pf_at(y, layer, PF_GD), l->w, l->phi, l->n, g3));
        *open = fx_mul(l->sum, fx_add(centre, tag(b->run, first + 2 + layer)));
        return OK;
    }
    bool loss = l->s->part == PF_PART_EXPL;
    TRY(pf_term(b, pf_at(y, layer, PF_D), l->w, l->phi, l->n, FX_ONE));
    TRY(pf_term(b, pf_at(y, layer, PF_E), l->w, l->phi, l->n, g2));
    *open = fx_add(centre, tag(b->run, first + loss));
    if (loss)
        *open = fx_add(*open, fx_mul_fp(g2, fp_from_i64(32768)));
    *open = fx_mul(*open, l->sum);
    return OK;
}

static err segment_claim(pf_builder *b, leaf *l, uint32_t segment, fx *open)
{
    const pf_layout *y = b->y;
    const pf_segment *s = l->s;
    fxv *phi = pf_feature_weights(b->run, l->instance, segment);
    NEED(phi);
    l->phi = phi;
    l->n = pf_blocks(y, pf_segment_features(y, s)) << y->b;
    l->sum = pf_sum_of(phi, l->n);
    err e = OK;
    if (s->part == PF_PART_CELL) {
        *open = fx_mul(l->sum, fx_add(fx_from_i64(y->tensors[s->index].offset), tag(b->run, s->n)));
        e = pf_term(b, s->index, l->w, phi, l->n, FX_ONE);
    } else if (s->part == PF_PART_REM) {
        l->r = &y->roundings[s->index];
        e = accumulator(b, l, segment, open);
        if (e == OK)
            e = remainder_rest(b, l, open);
        *open = fx_add(*open, fx_mul(l->sum, tag(b->run, s->n)));
    } else if (s->part == PF_PART_DOMAIN) {
        /* max - D + D_t, or D_t where masked: D = cell + D_t is D0 there. */
        fx clear, max, hidden;
        l->r = &y->roundings[s->index];
        hidden = fx_from_i64(y->hidden_d[l->r->op == PF_OP_LOGIT]);
        open_sums(b, l, &clear, &max);
        *open = fx_add(fx_add(max, fx_mul(hidden, fx_sub(l->sum, clear))), fx_mul(l->sum, tag(b->run, s->n)));
        e = pf_term(b, l->r->out, l->w, phi, l->n, fx_neg(FX_ONE));
    } else {
        e = tuple(b, l, open);
    }
    free(phi);
    return e;
}

/* alpha - Q(r) = sum over the leaves of omega phi fingerprint. */
err pf_instance_claim(pf_builder *b, uint32_t instance)
{
    const pf_layout *y = b->y;
    const pf_instance *in = &y->instances[instance];
    const pf_lookup *end = &b->run->ends[instance];
    fxv *w = pf_eq_vector(b, end->point + y->b, y->nu);
    NEED(w);
    fx total = fx_sub(b->run->alpha, end->claim.q);
    for (uint32_t k = 0; k < in->segments; k++) {
        leaf l = { .instance = instance, .s = &y->segments[in->segment + k], .w = w };
        fx open;
        TRY(segment_claim(b, &l, in->segment + k, &open));
        total = fx_sub(total, open);
    }
    pf_value(b, total);
    pf_next_claim(b);
    return OK;
}

/* P(r) of the table instance: mult_lo + 2^15 mult_hi at r; entry v is cell v of the tiles. */
err pf_table_claim(pf_builder *b)
{
    const pf_layout *y = b->y;
    uint32_t last = y->instance_count - 1, bits = y->instances[last].bits, have = y->nu + y->b;
    const fx *r = b->run->ends[last].point;
    uint32_t n = pf_padded(y, y->mult), B = 1u << y->b;
    fx point[PF_VARS_MAX] = { { { 0 } } };
    for (uint32_t i = 0; i < bits; i++)
        point[i] = r[i];
    fxv *w = pf_eq_vector(b, point + y->b, y->nu), *lo = pf_eq_vector(b, point, y->b), *v = pf_vector(b, n);
    NEED(w && lo && v);
    for (uint32_t tile = 0; tile < n / B; tile++) {
        fx factor = FX_ONE;
        for (uint32_t i = have; i < bits; i++)
            factor = fx_mul(factor, tile >> (i - have) & 1 ? point[i] : fx_sub(FX_ONE, point[i]));
        for (uint32_t j = 0; j < B; j++)
            fxv_set(v, (size_t)tile * B + j, fx_mul(factor, fxv_get(lo, j)));
    }
    TRY(pf_term(b, y->mult, w, v, n, FX_ONE));
    TRY(pf_term(b, y->mult + 1, w, v, n, pf_power_of_two(15)));
    pf_value(b, b->run->ends[last].claim.p);
    pf_next_claim(b);
    return OK;
}

