/* SPDX-License-Identifier: Apache-2.0
 *
 * From end points to claims (spec/proof.md sections 9 and 10): every claim adds its terms, times its power of mu, to the rows. */
#include "proof/claims_int.h"

#include <stdlib.h>
#include <string.h>

uint32_t pf_row_features(const pf_layout *y, uint32_t tensor)
{
    return tensor >= PF_VIRTUAL_X ? pf_blocks(y, y->shape.width) << y->b : pf_padded(y, tensor);
}

/* The feature weights of row (tensor, w), made zero on first sight. */
static fxv *row(pf_builder *b, uint32_t tensor, const fxv *w)
{
    pf_claims *c = b->c;
    for (uint32_t i = c->count; i-- > b->first;)
        if (c->rows[i].tensor == tensor && c->rows[i].w == w)
            return c->rows[i].v;
    if (c->count == c->room) {
        uint32_t room = c->room ? 2 * c->room : 256;
        pf_row *more = realloc(c->rows, room * sizeof *more);
        if (!more)
            return NULL;
        c->rows = more;
        c->room = room;
    }
    fxv *v = pf_vector(b, (size_t)1 << pf_log2_up(pf_row_features(b->y, tensor)));
    if (v)
        c->rows[c->count++] = (pf_row){ tensor, w, v };
    return v;
}

/* Term (w; factor v) of the claim at hand, over the first n features of the tensor. */
err pf_term(pf_builder *b, uint32_t tensor, const fxv *w, const fxv *v, size_t n, fx factor)
{
    fxv *to = row(b, tensor, w);
    NEED(to);
    fxv_add_scaled(to, v, fx_mul(b->scale, factor), n);
    return OK;
}

void pf_value(pf_builder *b, fx x)
{
    b->c->value = fx_add(b->c->value, fx_mul(b->scale, x));
}

void pf_next_claim(pf_builder *b)
{
    b->c->claims++;
    b->scale = fx_mul(b->scale, b->mu);
}

fx pf_power_of_two(unsigned s)
{
    return fx_from_fp(fp_from_u64((uint64_t)1 << s));
}

fx pf_sum_of(const fxv *v, size_t n)
{
    fx sum = FX_ZERO;
    for (size_t i = 0; i < n; i++)
        sum = fx_add(sum, fxv_get(v, i));
    return sum;
}

fxv *pf_eq_vector(pf_builder *b, const fx *point, unsigned bits)
{
    fxv *v = pf_vector(b, (size_t)1 << bits);
    if (v)
        fxv_eq(v, point, bits, FX_ONE);
    return v;
}

/* w times integers, by token. */
fxv *pf_times_ints(pf_builder *b, const fxv *w, const int64_t *x)
{
    uint32_t n = pf_tokens(b->y);
    fxv *out = pf_vector(b, n);
    if (out) {
        fxv_from_ints(out, x, 8, n, FX_ONE);
        fxv_mul(out, w, n);
    }
    return out;
}

fxv *pf_times(pf_builder *b, const fxv *x, const fxv *y, size_t n)
{
    fxv *out = pf_vector(b, n);
    if (out) {
        memcpy(out, x, fxv_blocks(n) * sizeof *out);
        fxv_mul(out, y, n);
    }
    return out;
}

/* --- weights as matrices --------------------------------------------------------------------------------------------------- */

static fx_ints weight_matrix(const pf_builder *b, uint32_t tensor)
{
    num_tensor_info t = num_tensor_describe(&b->y->shape, tensor);
    return (fx_ints){ b->run->s->weights + t.offset, t.rows, t.cols, t.cols, 2 };
}

/* v_k = sum_j phi_j W[k, j], over W's rows. */
fxv *pf_through(pf_builder *b, uint32_t tensor, const fxv *phi)
{
    fx_ints m = weight_matrix(b, tensor);
    fxv *v = pf_vector(b, m.rows);
    if (v)
        fxv_cols(v, &m, phi);
    return v;
}

/* v_n = sum_k phi_k W[k, n], over W's columns; k in [first, first + count). */
fxv *pf_back_through(pf_builder *b, uint32_t tensor, const fxv *phi, uint32_t first, uint32_t count)
{
    fx_ints m = weight_matrix(b, tensor);
    fxv *v = pf_vector(b, m.cols), *part = pf_vector(b, count);
    if (!v || !part)
        return NULL;
    for (uint32_t k = 0; k < count; k++)
        fxv_set(part, k, fxv_get(phi, first + k));
    m.data = (const int16_t *)m.data + (size_t)first * m.stride;
    m.rows = count;
    fxv_rows(v, &m, part);
    return v;
}

/* phi on the features of one head, 0 elsewhere; `per_head` features each. */
fxv *pf_on_head(pf_builder *b, const fxv *phi, size_t n, uint32_t head, uint32_t per_head)
{
    fxv *v = pf_vector(b, n);
    for (uint32_t j = 0; v && j < per_head; j++)
        fxv_set(v, head * per_head + j, fxv_get(phi, head * per_head + j));
    return v;
}

/* --- products ------------------------------------------------------------------------------------------------------------ */

/* The last term of a claim, and its value. */
static err claim_scaled(pf_builder *b, uint32_t tensor, const fxv *w, const fxv *v, size_t n, fx factor, fx x)
{
    TRY(pf_term(b, tensor, w, v, n, factor));
    pf_value(b, x);
    pf_next_claim(b);
    return OK;
}

static err claim(pf_builder *b, uint32_t tensor, const fxv *w, const fxv *v, size_t n, fx x)
{
    return claim_scaled(b, tensor, w, v, n, FX_ONE, x);
}

/* Everything that a product's end point gives: eq over tokens and features, and those of the part that it comes from. */
typedef struct ends {
    const fxv *tau, *rho, *w; /* eq tau, eq rho; omega of the part */
    fxv       *phi;           /* of the part */
    size_t     n;             /* padded features of phi */
} ends;

/* Token weights x_s y_j over (s, j): eq across sequences times eq inside. */
static fxv *split_tokens(pf_builder *b, const fx *across, const fx *inside)
{
    const pf_layout *y = b->y;
    fx point[PF_VARS_MAX];
    memcpy(point, inside, y->t_bits * sizeof *point);
    memcpy(point + y->t_bits, across, y->s_bits * sizeof *point);
    return pf_eq_vector(b, point, y->nu);
}

/* eq(across, s) at every token. */
static fxv *by_sequence(pf_builder *b, const fx *across)
{
    const pf_layout *y = b->y;
    fxv *v = pf_vector(b, pf_tokens(y)), *s = pf_eq_vector(b, across, y->s_bits);
    for (uint32_t i = 0; v && s && i < pf_tokens(y); i++)
        fxv_set(v, i, fxv_get(s, i >> y->t_bits));
    return v && s ? v : NULL;
}

/* eq(heads, h) x_j for features h T' + j (per_head = T') or eq(heads, h) phi for features h hd + c. */
static fxv *head_features(pf_builder *b, const fx *heads, unsigned head_bits, const fxv *inner, bool whole, uint32_t per_head, size_t n)
{
    fxv *v = pf_vector(b, n), *eq = pf_eq_vector(b, heads, head_bits);
    for (uint32_t h = 0; v && eq && h < b->y->shape.heads; h++)
        for (uint32_t j = 0; j < per_head; j++)
            fxv_set(v, h * per_head + j, fx_mul(fxv_get(eq, h), fxv_get(inner, whole ? h * per_head + j : j)));
    return v && eq ? v : NULL;
}

static unsigned head_bits(const pf_layout *y)
{
    return pf_log2_up(y->shape.heads);
}

static err end_score(pf_builder *b, const pf_product *p, const ends *e)
{
    const pf_layout *y = b->y;
    uint32_t l = p->layer, hd = y->k.head_dim, d = y->shape.width, keys = 1u << y->t_bits;
    /* q, per head: omega_si sum_(j <= i) eq(tau, sj) phi_hj. */
    for (uint32_t h = 0; h < y->shape.heads; h++) {
        fxv *w = pf_vector(b, pf_tokens(y)), *v = pf_on_head(b, e->rho, pf_row_features(y, pf_at(y, l, PF_Q)), h, hd);
        NEED(w && v);
        for (uint32_t q = 0; q < y->sequences; q++) {
            fx prefix = FX_ZERO;
            for (uint32_t i = 0; i < y->shape.context; i++) {
                uint32_t at = (q << y->t_bits) + i;
                prefix = fx_add(prefix, fx_mul(fxv_get(e->tau, at), fxv_get(e->phi, h * keys + i)));
                fxv_set(w, at, fx_mul(fxv_get(e->w, at), prefix));
            }
        }
        TRY(pf_term(b, pf_at(y, l, PF_Q), w, v, d, FX_ONE));
    }
    pf_value(b, p->p[0]);
    pf_next_claim(b);
    return claim(b, pf_at(y, l, PF_K), e->tau, e->rho, d, p->b[0]);
}

/* o (e and v, with R) and dq (ds and k): P[sj, h] = sum_i omega R a[si, hj], B[sj, h] = sum_c phi c[sj, hc]. */
static err end_columns(pf_builder *b, const pf_product *p, const ends *e, pf_slot left, pf_slot right, bool scaled)
{
    const pf_layout *y = b->y;
    const fx *rho = p->end, *tau = p->end + p->feature_bits;
    uint32_t a = pf_at(y, p->layer, left), c = pf_at(y, p->layer, right), keys = 1u << y->t_bits;
    fxv *across = by_sequence(b, tau + y->t_bits), *inside = pf_eq_vector(b, tau, y->t_bits);
    NEED(across && inside);
    fxv *base = pf_times(b, across, e->w, pf_tokens(y)), *v = head_features(b, rho, p->feature_bits, inside, false, keys, pf_padded(y, a));
    NEED(base && v);
    if (scaled)
        for (uint32_t h = 0; h < y->shape.heads; h++) {
            fxv *w = pf_times_ints(b, base, pf_head_of(b->run->rows, y, p->layer, h)->R), *one = pf_on_head(b, v, pf_padded(y, a), h, keys);
            NEED(w && one);
            TRY(pf_term(b, a, w, one, pf_padded(y, a), FX_ONE));
        }
    else
        TRY(pf_term(b, a, base, v, pf_padded(y, a), FX_ONE));
    pf_value(b, p->p[0]);
    pf_next_claim(b);
    fxv *right_v = head_features(b, rho, p->feature_bits, e->phi, true, y->k.head_dim, pf_padded(y, c));
    NEED(right_v);
    return claim(b, c, e->tau, right_v, pf_padded(y, c), p->b[0]);
}

/* dv (e and dp) and dk (ds and q): P[si, h] = sum_j omega_sj a[si, hj], B[si, h] = sum_c phi c[si, hc]. */
static err end_rows(pf_builder *b, const pf_product *p, const ends *e, pf_slot left, pf_slot right)
{
    const pf_layout *y = b->y;
    const fx *rho = p->end, *r_tok = b->run->ends[p->instance].point + y->b;
    uint32_t a = pf_at(y, p->layer, left), c = pf_at(y, p->layer, right), keys = 1u << y->t_bits;
    fxv *across = by_sequence(b, r_tok + y->t_bits), *inside = pf_eq_vector(b, r_tok, y->t_bits);
    NEED(across && inside);
    fxv *w = pf_times(b, across, e->tau, pf_tokens(y)), *v = head_features(b, rho, p->feature_bits, inside, false, keys, pf_padded(y, a));
    fxv *right_v = head_features(b, rho, p->feature_bits, e->phi, true, y->k.head_dim, pf_padded(y, c));
    NEED(w && v && right_v);
    TRY(claim(b, a, w, v, pf_padded(y, a), p->p[0]));
    return claim(b, c, e->tau, right_v, pf_padded(y, c), p->b[0]);
}

static err end_ds(pf_builder *b, const pf_product *p, const ends *e)
{
    uint32_t a = pf_at(b->y, p->layer, PF_E), n = pf_padded(b->y, a);
    fxv *w = pf_times(b, e->w, e->tau, pf_tokens(b->y)), *v = pf_vector(b, n);
    NEED(w && v);
    size_t features = b->y->tensors[a].features;
    for (size_t j = 0; j < features; j++)
        fxv_set(v, j, fx_mul(fxv_get(e->phi, j), fxv_get(e->rho, j)));
    return claim(b, a, w, v, n, p->p[0]); /* B is the inner product that follows */
}

static err end_ds_inner(pf_builder *b, const pf_product *p, const pf_product *outer)
{
    const pf_layout *y = b->y;
    const fx *tau = outer->end + outer->feature_bits, *xi = outer->end, *eta = outer->end + y->t_bits, *rho = p->end, *sigma = p->end + p->feature_bits;
    uint32_t dp = pf_at(y, p->layer, PF_DP), vv = pf_at(y, p->layer, PF_V), d = y->shape.width;
    fxv *tau_w = pf_eq_vector(b, tau, y->nu), *across = by_sequence(b, sigma), *features = pf_eq_vector(b, rho, p->feature_bits);
    NEED(tau_w && across && features);
    fxv *w = pf_times(b, tau_w, across, pf_tokens(y)), *keys = split_tokens(b, sigma, xi);
    fxv *v = head_features(b, eta, head_bits(y), features, true, y->k.head_dim, pf_padded(y, dp));
    NEED(w && keys && v);
    TRY(claim(b, dp, w, v, pf_padded(y, dp), p->p[0]));
    return claim(b, vv, keys, features, d, p->b[0]);
}

static err end_gelu(pf_builder *b, const pf_product *p, const ends *e)
{
    const pf_layout *y = b->y;
    uint32_t F = y->k.hidden;
    fxv *w = pf_times(b, e->w, e->tau, pf_tokens(y)), *v = pf_vector(b, pf_row_features(y, pf_at(y, p->layer, PF_GD)));
    fxv *back = pf_back_through(b, y->roundings[p->rounding].weight, e->rho, 0, F);
    NEED(w && v && back);
    for (uint32_t j = 0; j < F; j++)
        fxv_set(v, j, fx_mul(fxv_get(e->phi, j), fxv_get(e->rho, j)));
    TRY(claim(b, pf_at(y, p->layer, PF_GD), w, v, F, p->p[0]));
    return claim(b, pf_at(y, p->layer, PF_DM), e->tau, back, y->shape.width, p->b[0]);
}

static err end_c(pf_builder *b, const pf_product *p, const ends *e)
{
    const pf_layout *y = b->y;
    uint32_t d = y->shape.width, dp = pf_at(y, p->layer, PF_DP);
    fxv *own = pf_eq_vector(b, p->weights, y->nu);
    NEED(own);
    fxv *w = pf_times(b, own, e->tau, pf_tokens(y)), *v = head_features(b, p->heads, head_bits(y), e->rho, true, y->k.head_dim, pf_padded(y, dp));
    NEED(w && v);
    TRY(claim(b, dp, w, v, d, p->p[0]));
    return claim(b, pf_at(y, p->layer, PF_O), e->tau, e->rho, d, p->b[0]);
}

static err end_norm(pf_builder *b, const pf_product *p, const ends *e)
{
    const pf_layout *y = b->y;
    uint32_t d = y->shape.width, x = PF_VIRTUAL_X + 2 * p->layer + p->second;
    uint32_t yy = pf_at(y, p->layer, p->second ? PF_Y2 : PF_Y1), dn = pf_at(y, p->layer, p->second ? PF_DN2 : PF_DN1);
    fxv *own = pf_eq_vector(b, p->weights, y->nu);
    NEED(own);
    fxv *w = pf_times(b, own, e->tau, pf_tokens(y));
    NEED(w);
    TRY(claim(b, x, w, e->rho, d, p->p[0]));
    TRY(claim(b, x, e->tau, e->rho, d, p->b[0]));
    TRY(pf_term(b, yy, w, e->rho, d, p->kappa));
    if (pf_has_m(y, 2 * p->layer + p->second))
        TRY(pf_term(b, dn, w, e->rho, d, fx_mul(p->kappa, p->kappa)));
    pf_value(b, p->p[1]);
    pf_next_claim(b);
    return claim(b, yy, e->tau, e->rho, d, p->b[1]);
}

static err product_claims(pf_builder *b, uint32_t index)
{
    const pf_layout *y = b->y;
    const pf_product *p = &b->run->products[index];
    if (p->kind == PF_X_DS_INNER)
        return end_ds_inner(b, p, &b->run->products[index - 1]);
    ends e = { .tau = pf_eq_vector(b, p->end + p->feature_bits, y->nu), .rho = pf_eq_vector(b, p->end, p->feature_bits) };
    NEED(e.tau && e.rho);
    if (p->kind < PF_X_C) {
        e.w = pf_eq_vector(b, b->run->ends[p->instance].point + y->b, y->nu);
        NEED(e.w);
        e.phi = pf_feature_weights(b->run, p->instance, p->segment);
        NEED(e.phi);
    }
    err r;
    switch (p->kind) {
    case PF_X_SCORE:  r = end_score(b, p, &e); break;
    case PF_X_ATTEND: r = end_columns(b, p, &e, PF_E, PF_V, true); break;
    case PF_X_DQ:     r = end_columns(b, p, &e, PF_DS, PF_K, false); break;
    case PF_X_DV:     r = end_rows(b, p, &e, PF_E, PF_DP); break;
    case PF_X_DK:     r = end_rows(b, p, &e, PF_DS, PF_Q); break;
    case PF_X_DS:     r = end_ds(b, p, &e); break;
    case PF_X_GELU:   r = end_gelu(b, p, &e); break;
    case PF_X_C:      r = end_c(b, p, &e); break;
    case PF_X_NORM:   r = end_norm(b, p, &e); break;
    case PF_X_EXCEPTION:
        r = claim(b, y->roundings[p->rounding].out, e.tau, e.rho, y->roundings[p->rounding].features, p->b[0]);
        break;
    default: /* DISTANCE, LOGIT */
        r = claim(b, pf_at(y, p->layer, PF_D), e.tau, e.rho, p->kind == PF_X_LOGIT ? y->shape.vocab : y->shape.heads << y->t_bits, p->b[0]);
        break;
    }
    free(e.phi);
    return r;
}

/* --- sums, gradient ---------------------------------------------------------------------------------------------------------- */

static fx rows_at(const pf_builder *b, const fxv *w, const int64_t *x)
{
    fx sum = FX_ZERO;
    for (uint32_t i = 0; i < pf_tokens(b->y); i++)
        sum = fx_add(sum, fx_mul_fp(fxv_get(w, i), fp_from_i64(x[i])));
    return sum;
}

/* Z is the sum of e, and ZL of el. */
static err sum_claims(pf_builder *b)
{
    const pf_layout *y = b->y;
    uint32_t L = y->shape.layers, V = y->shape.vocab, el = pf_at(y, L, PF_E);
    fxv *w = pf_eq_vector(b, b->run->sum_tokens, y->nu), *ones = pf_vector(b, V), *keys = pf_vector(b, (size_t)1 << y->t_bits);
    fxv *theta = pf_eq_vector(b, b->run->sum_heads, head_bits(y));
    NEED(w && ones && keys && theta);
    for (uint32_t j = 0; j < 1u << y->t_bits; j++)
        fxv_set(keys, j, FX_ONE);
    for (uint32_t l = 0; l < L && pf_has(y, l, PF_E); l++) {
        uint32_t e = pf_at(y, l, PF_E);
        fxv *v = head_features(b, b->run->sum_heads, head_bits(y), keys, false, 1u << y->t_bits, pf_padded(y, e));
        fx sum = FX_ZERO;
        NEED(v);
        for (uint32_t h = 0; h < y->shape.heads; h++)
            sum = fx_add(sum, fx_mul(fxv_get(theta, h), rows_at(b, w, pf_head_of(b->run->rows, y, l, h)->Z)));
        TRY(claim(b, e, w, v, pf_padded(y, e), sum));
    }
    if (el == PF_NONE)
        return OK;
    for (uint32_t j = 0; j < V; j++)
        fxv_set(ones, j, FX_ONE);
    fx offset = fx_mul_fp(pf_sum_of(w, pf_tokens(y)), fp_from_i64(32768 * (int64_t)V));
    return claim(b, el, w, ones, V, fx_sub(rows_at(b, w, b->run->rows->logits.Z), offset));
}

static err gradient_claims(pf_builder *b)
{
    const pf_layout *y = b->y;
    const pf_run *run = b->run;
    unsigned bits = pf_gradient_vars(y);
    fxv *tau = pf_eq_vector(b, run->grad_end, y->nu), *in = pf_eq_vector(b, run->in, bits), *out = pf_eq_vector(b, run->out, bits);
    NEED(tau && in && out);
    fx power = FX_ONE;
    for (uint32_t g = 0; g < pf_group_count(y); g++) {
        pf_group group = pf_group_at(y, g);
        TRY(claim(b, group.x, tau, in, y->tensors[group.x].features, run->grad_p[g]));
        for (uint32_t i = 0; i < group.count; i++) {
            TRY(pf_term(b, group.y[i], tau, out, y->tensors[group.y[i]].features, power));
            power = fx_mul(power, run->grad_kappa);
        }
        pf_value(b, run->grad_b[g]);
        pf_next_claim(b);
    }
    return OK;
}

static err embedding_claims(pf_builder *b)
{
    const pf_layout *y = b->y;
    const pf_run *run = b->run;
    unsigned bits = pf_gradient_vars(y), pos_bits = y->t_bits;
    unsigned in_bits = bits > pos_bits ? bits : pos_bits;
    fxv *by_token = pf_vector(b, pf_tokens(y)), *by_place = pf_vector(b, pf_tokens(y));
    fxv *names = pf_eq_vector(b, run->embed, in_bits), *out = pf_eq_vector(b, run->out, bits);
    NEED(by_token && by_place && names && out);
    for (uint32_t i = 0; i < pf_tokens(y); i++)
        if (pf_is_token(y, i)) {
            fxv_set(by_token, i, fxv_get(names, run->rows->inputs[i]));
            fxv_set(by_place, i, fxv_get(names, i & ((1u << y->t_bits) - 1)));
        }
    for (uint32_t k = 0; k < 2; k++) {
        num_tensor_info t = num_tensor_describe(&y->shape, k);
        fx g;
        TRY(pf_evaluate(&g, &(fx_ints){ run->s->gradient + t.offset, t.rows, t.cols, t.cols, 8 }, run->embed, in_bits, run->out, bits, b->f));
        TRY(claim(b, PF_VIRTUAL_GX + 2 * y->shape.layers + 1, k ? by_place : by_token, out, y->shape.width, g));
    }
    return OK;
}

err pf_claims_build(pf_claims *c, const pf_run *run, fx mu, fault *f)
{
    memset(c, 0, sizeof *c);
    const pf_layout *y = run->y;
    pf_builder all = { .c = c, .run = run, .y = y, .mu = mu, .scale = FX_ONE, .f = f }, *b = &all;
    for (uint32_t i = 0; i + 1 < y->instance_count; i++) {
        const size_t made = c->memory_count;
        b->first = c->count;
        TRY(pf_instance_claim(b, i));
        pf_forget(c, made, b->first);
    }
    b->first = c->count;
    TRY(pf_table_claim(b));
    for (uint32_t i = 0; i < run->product_count; i++) {
        const size_t made = c->memory_count;
        b->first = c->count;
        TRY(product_claims(b, i));
        pf_forget(c, made, b->first);
    }
    b->first = c->count;
    TRY(sum_claims(b));
    if (y->until != PF_NONE)
        return pf_input_claims(b);
    TRY(gradient_claims(b));
    return embedding_claims(b);
}
