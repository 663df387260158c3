/* SPDX-License-Identifier: Apache-2.0
 *
 * The arrays of the inner products (spec/proof.md section 9). */
#include "prove/prove_int.h"

#include <stdlib.h>
#include <string.h>

typedef struct scene {
    const prover     *p;
    const pf_layout  *y;
    const pf_product *x;
    size_t            width;  /* 2^feature_bits */
    fxv              *w, *phi; /* omega and phi of the part */
    fxv              *P, *B;
    err               e;
} scene;

fx_ints pv_matrix(const pv_witness *w, uint32_t tensor)
{
    const pf_layout *y = &w->y;
    size_t n = pf_row_features(y, tensor);
    if (tensor >= PF_VIRTUAL_GX)
        return (fx_ints){ w->gx[tensor - PF_VIRTUAL_GX], pf_tokens(y), n, n, 4 };
    if (tensor >= PF_VIRTUAL_X)
        return (fx_ints){ w->x[tensor - PF_VIRTUAL_X], pf_tokens(y), n, n, 4 };
    return (fx_ints){ w->cell[tensor], pf_tokens(y), n, n, 2 };
}

static int64_t at(const fx_ints *m, size_t i, size_t j)
{
    size_t k = i * m->stride + j;
    return m->bytes == 2 ? ((const int16_t *)m->data)[k] : m->bytes == 4 ? ((const int32_t *)m->data)[k] : ((const int64_t *)m->data)[k];
}

static fx_ints part(const fx_ints *m, size_t row, size_t rows, size_t col, size_t cols)
{
    fx_ints out = *m;
    out.data = (const uint8_t *)m->data + (row * m->stride + col) * m->bytes;
    out.rows = rows;
    out.cols = cols;
    return out;
}

/* out[i 2^k + j] = w_i v_j m[i][j] for j < n; w or v NULL: 1. */
static void outer(const scene *s, fxv *out, const fxv *w, const fxv *v, const fx_ints *m, size_t n)
{
    for (size_t i = 0; i < pf_tokens(s->y); i++) {
        fx row = w ? fxv_get(w, i) : FX_ONE;
        if (s->width % FXV_LANES == 0) {
            fxv *to = out + i * s->width / FXV_LANES;
            fxv_from_ints(to, (const uint8_t *)m->data + i * m->stride * m->bytes, m->bytes, n, row);
            if (v)
                fxv_mul(to, v, n);
            continue;
        }
        for (size_t j = 0; j < n; j++) {
            fx x = fx_mul_fp(row, fp_from_i64(at(m, i, j)));
            fxv_set(out, i * s->width + j, v ? fx_mul(x, fxv_get(v, j)) : x);
        }
    }
}

/* A copy of v[first, first + n), aligned. */
static fxv *slice(scene *s, const fxv *v, size_t first, size_t n)
{
    fxv *out = fxv_alloc(n);
    if (!out)
        s->e = ERR_MEMORY;
    for (size_t i = 0; out && i < n; i++)
        fxv_set(out, i, fxv_get(v, first + i));
    return out;
}

static fx_ints tensor(const scene *s, pf_slot slot)
{
    return pv_matrix(s->p->w, pf_at(s->y, s->x->layer, slot));
}

/* Sum over the features of head h of phi t, for every token, to out[token 2^k + h]. */
static void through_head(scene *s, fxv *out, pf_slot slot, uint32_t h)
{
    uint32_t hd = s->y->k.head_dim, n = pf_tokens(s->y);
    fx_ints m = tensor(s, slot), head = part(&m, 0, n, (size_t)h * hd, hd);
    fxv *phi = slice(s, s->phi, (size_t)h * hd, hd), *sum = fxv_alloc(n);
    if (phi && sum) {
        fxv_cols(sum, &head, phi);
        for (uint32_t i = 0; i < n; i++)
            fxv_set(out, i * s->width + h, fxv_get(sum, i));
    } else
        s->e = ERR_MEMORY;
    free(phi);
    free(sum);
}

/* 1: P[sj, hc] = phi_hj sum_(i >= j) omega_si q[si, hc]; B = k. */
static void score_arrays(scene *s)
{
    const pf_layout *y = s->y;
    fx_ints q = tensor(s, PF_Q), k = tensor(s, PF_K);
    uint32_t d = y->shape.width, hd = y->k.head_dim;
    fx *sum = malloc(d * sizeof *sum);
    if (!sum) {
        s->e = ERR_MEMORY;
        return;
    }
    for (uint32_t sequence = 0; sequence < y->sequences; sequence++) {
        for (uint32_t c = 0; c < d; c++)
            sum[c] = FX_ZERO;
        for (uint32_t i = y->shape.context; i-- > 0;) {
            size_t token = ((size_t)sequence << y->t_bits) + i;
            fx omega = fxv_get(s->w, token);
            for (uint32_t c = 0; c < d; c++) {
                sum[c] = fx_add(sum[c], fx_mul_fp(omega, fp_from_i64(at(&q, token, c))));
                fxv_set(s->P, token * s->width + c, fx_mul(sum[c], fxv_get(s->phi, ((size_t)(c / hd) << y->t_bits) + i)));
            }
        }
    }
    free(sum);
    outer(s, s->B, NULL, NULL, &k, d);
}

/* 2 and 4: P[sj, h] = sum_i omega_si (R_ih) a[si, hj]; B[sj, h] = sum_c phi b[sj, hc]. */
static void column_arrays(scene *s, pf_slot a, pf_slot b, bool scaled)
{
    const pf_layout *y = s->y;
    uint32_t keys = 1u << y->t_bits, n = pf_tokens(y);
    fx_ints m = tensor(s, a);
    fxv *r = fxv_alloc(n);
    if (!r) {
        s->e = ERR_MEMORY;
        return;
    }
    for (uint32_t h = 0; h < y->shape.heads; h++) {
        through_head(s, s->B, b, h);
        if (scaled)
            fxv_from_ints(r, pf_head_of(&s->p->w->rows, y, s->x->layer, h)->R, 8, n, FX_ONE);
        for (uint32_t q = 0; q < 1u << y->s_bits; q++) {
            fx_ints head = part(&m, (size_t)q << y->t_bits, keys, (size_t)h << y->t_bits, keys);
            fxv *w = slice(s, s->w, (size_t)q << y->t_bits, keys), *factor = slice(s, r, (size_t)q << y->t_bits, keys), *sum = fxv_alloc(keys);
            if (w && factor && sum) {
                if (scaled)
                    fxv_mul(w, factor, keys);
                fxv_rows(sum, &head, w);
                for (uint32_t j = 0; j < keys; j++)
                    fxv_set(s->P, (((size_t)q << y->t_bits) + j) * s->width + h, fxv_get(sum, j));
            } else
                s->e = ERR_MEMORY;
            free(w);
            free(factor);
            free(sum);
        }
    }
    free(r);
}

/* 3 and 5: P[si, h] = sum_j omega_sj a[si, hj]; B[si, h] = sum_c phi b[si, hc]. */
static void row_arrays(scene *s, pf_slot a, pf_slot b)
{
    const pf_layout *y = s->y;
    uint32_t keys = 1u << y->t_bits;
    fx_ints m = tensor(s, a);
    for (uint32_t h = 0; h < y->shape.heads; h++) {
        through_head(s, s->B, b, h);
        for (uint32_t q = 0; q < 1u << y->s_bits; q++) {
            fx_ints head = part(&m, (size_t)q << y->t_bits, keys, (size_t)h << y->t_bits, keys);
            fxv *w = slice(s, s->w, (size_t)q << y->t_bits, keys), *sum = fxv_alloc(keys);
            if (w && sum) {
                fxv_cols(sum, &head, w);
                for (uint32_t i = 0; i < keys; i++)
                    fxv_set(s->P, (((size_t)q << y->t_bits) + i) * s->width + h, fxv_get(sum, i));
            } else
                s->e = ERR_MEMORY;
            free(w);
            free(sum);
        }
    }
}

/* The exact products of dp and v, or of dm and W2^T, as int64. */
static int64_t *integer_products(scene *s, size_t ld, bool scores)
{
    const pf_layout *y = s->y;
    int64_t *out = calloc((size_t)pf_tokens(y) * ld, sizeof *out);
    bt_gemm_ws *ws = NULL;
    if (!out || bt_gemm_ws_new(&ws, NULL, pv_gemm_depth(y)) != OK) {
        free(out);
        s->e = ERR_MEMORY;
        return NULL;
    }
    const pf_rounding *r = &y->roundings[s->x->rounding];
    s->e = scores ? pv_scores(s->p->w, ws, out, ld, pf_at(y, s->x->layer, PF_DP), pf_at(y, s->x->layer, PF_V), s->p->f) :
                    pv_times_weight(s->p->w, ws, out, ld, r->left, r->weight, true, s->p->f);
    bt_gemm_ws_free(ws);
    return out;
}

static void integer_arrays(scene *s, pf_slot left, size_t features, bool scores)
{
    fx_ints m = tensor(s, left);
    int64_t *a = integer_products(s, features, scores);
    if (a && s->e == OK) {
        outer(s, s->P, s->w, s->phi, &m, features);
        outer(s, s->B, NULL, NULL, &(fx_ints){ a, pf_tokens(s->y), features, features, 8 }, features);
    }
    free(a);
}

/* 7, second part: P[s, hc] = sum_i eq(tau, si) eq(eta, h) dp[si, hc], B[s, hc] = sum_j eq(xi, j) v[sj, hc]. */
static void inner_arrays(scene *s)
{
    const pf_layout *y = s->y;
    const pf_product *outer_product = s->x - 1;
    uint32_t keys = 1u << y->t_bits, d = y->shape.width;
    fx_ints dp = tensor(s, PF_DP), v = tensor(s, PF_V);
    fxv *tau = fxv_alloc(pf_tokens(y)), *xi = fxv_alloc(keys), *eta = fxv_alloc((size_t)1 << (outer_product->feature_bits - y->t_bits));
    if (tau && xi && eta) {
        fxv_eq(tau, outer_product->end + outer_product->feature_bits, y->nu, FX_ONE);
        fxv_eq(xi, outer_product->end, y->t_bits, FX_ONE);
        fxv_eq(eta, outer_product->end + y->t_bits, outer_product->feature_bits - y->t_bits, FX_ONE);
    }
    for (uint32_t q = 0; tau && xi && eta && q < 1u << y->s_bits; q++) {
        fx_ints a = part(&dp, (size_t)q << y->t_bits, keys, 0, d), b = part(&v, (size_t)q << y->t_bits, keys, 0, d);
        fxv *w = slice(s, tau, (size_t)q << y->t_bits, keys), *p = fxv_alloc(d), *x = fxv_alloc(d);
        if (w && p && x) {
            fxv_rows(p, &a, w);
            fxv_rows(x, &b, xi);
            for (uint32_t c = 0; c < d; c++) {
                fxv_set(s->P, (size_t)q * s->width + c, fx_mul(fxv_get(eta, c / y->k.head_dim), fxv_get(p, c)));
                fxv_set(s->B, (size_t)q * s->width + c, fxv_get(x, c));
            }
        } else
            s->e = ERR_MEMORY;
        free(w);
        free(p);
        free(x);
    }
    if (!tau || !xi || !eta)
        s->e = ERR_MEMORY;
    free(tau);
    free(xi);
    free(eta);
}

/* omega' and theta' of the products that squeeze points. */
static fxv *point(scene *s, const fx *r, unsigned bits)
{
    fxv *v = fxv_alloc((size_t)1 << bits);
    if (v)
        fxv_eq(v, r, bits, FX_ONE);
    else
        s->e = ERR_MEMORY;
    return v;
}

static void c_arrays(scene *s)
{
    const pf_layout *y = s->y;
    fx_ints dp = tensor(s, PF_DP), o = tensor(s, PF_O);
    fxv *w = point(s, s->x->weights, y->nu), *theta = point(s, s->x->heads, pf_log2_up(y->shape.heads)), *v = fxv_alloc(y->shape.width);
    if (w && theta && v) {
        for (uint32_t c = 0; c < y->shape.width; c++)
            fxv_set(v, c, fxv_get(theta, c / y->k.head_dim));
        outer(s, s->P, w, v, &dp, y->shape.width);
        outer(s, s->B, NULL, NULL, &o, y->shape.width);
    } else
        s->e = ERR_MEMORY;
    free(w);
    free(theta);
    free(v);
}

static void distance_arrays(scene *s)
{
    const pf_layout *y = s->y;
    fx_ints D = tensor(s, PF_D);
    fxv *w = point(s, s->x->weights, y->nu), *theta = point(s, s->x->heads, pf_log2_up(y->shape.heads));
    for (uint32_t i = 0; w && theta && i < pf_tokens(y); i++)
        for (uint32_t h = 0; h < y->shape.heads && pf_is_token(y, i); h++) {
            size_t best = (size_t)pf_head_of(&s->p->w->rows, y, s->x->layer, h)->index[i];
            fxv_set(s->P, (size_t)i * s->width + (h << y->t_bits) + best, fx_mul(fxv_get(w, i), fxv_get(theta, h)));
        }
    outer(s, s->B, NULL, NULL, &D, y->shape.heads << y->t_bits);
    free(w);
    free(theta);
}

static void logit_arrays(scene *s)
{
    const pf_layout *y = s->y;
    fx_ints D = tensor(s, PF_D);
    fxv *w = point(s, s->x->weights, y->nu);
    for (uint32_t i = 0; w && i < pf_tokens(y); i++) {
        if (!pf_is_token(y, i))
            continue;
        size_t row = (size_t)i * s->width, best = row + (size_t)s->p->w->rows.logits.index[i], target = row + s->p->w->rows.targets[i];
        fxv_set(s->P, best, fxv_get(w, i));
        fxv_set(s->P, target, fx_add(fxv_get(s->P, target), fx_mul(s->x->kappa, fxv_get(w, i))));
    }
    outer(s, s->B, NULL, NULL, &D, y->shape.vocab);
    free(w);
}

static void exception_arrays(scene *s)
{
    const pf_layout *y = s->y;
    const pf_rows *rows = &s->p->w->rows;
    fx_ints q = pv_matrix(s->p->w, y->roundings[s->x->rounding].out);
    fx power = FX_ONE;
    for (uint32_t i = rows->exception_first[s->x->rounding]; i < rows->exception_first[s->x->rounding + 1]; i++) {
        size_t place = (size_t)rows->exceptions[i].token * s->width + rows->exceptions[i].feature;
        fxv_set(s->P, place, fx_add(fxv_get(s->P, place), power));
        power = fx_mul(power, s->x->kappa);
    }
    outer(s, s->B, NULL, NULL, &q, y->roundings[s->x->rounding].features);
}

static void norm_arrays(scene *s, pv_product *pairs, size_t n)
{
    const pf_layout *y = s->y;
    bool second = s->x->second;
    fx_ints x = pv_matrix(s->p->w, PF_VIRTUAL_X + 2 * s->x->layer + second);
    fx_ints yy = tensor(s, second ? PF_Y2 : PF_Y1);
    bool has_m = pf_has_m(y, 2 * s->x->layer + second);
    fxv *w = point(s, s->x->weights, y->nu), *part_dn = fxv_alloc(n);
    if (!w || !part_dn) {
        s->e = ERR_MEMORY;
    } else {
        uint32_t d = y->shape.width;
        outer(s, pairs[0].p, w, NULL, &x, d);
        outer(s, pairs[0].b, NULL, NULL, &x, d);
        outer(s, pairs[1].p, w, NULL, &yy, d);
        outer(s, pairs[1].b, NULL, NULL, &yy, d);
        fxv_scale(pairs[1].p, s->x->kappa, n);
        if (has_m) {
            fx_ints dn = tensor(s, second ? PF_DN2 : PF_DN1);
            outer(s, part_dn, w, NULL, &dn, d);
            fxv_add_scaled(pairs[1].p, part_dn, fx_mul(s->x->kappa, s->x->kappa), n);
        }
    }
    free(w);
    free(part_dn);
}

static void fill(scene *s, pv_product *pairs, size_t n)
{
    const pf_layout *y = s->y;
    switch (s->x->kind) {
    case PF_X_SCORE:     score_arrays(s); break;
    case PF_X_ATTEND:    column_arrays(s, PF_E, PF_V, true); break;
    case PF_X_DQ:        column_arrays(s, PF_DS, PF_K, false); break;
    case PF_X_DV:        row_arrays(s, PF_E, PF_DP); break;
    case PF_X_DK:        row_arrays(s, PF_DS, PF_Q); break;
    case PF_X_DS:        integer_arrays(s, PF_E, y->shape.heads << y->t_bits, true); break;
    case PF_X_DS_INNER:  inner_arrays(s); break;
    case PF_X_GELU:      integer_arrays(s, PF_GD, y->k.hidden, false); break;
    case PF_X_C:         c_arrays(s); break;
    case PF_X_DISTANCE:  distance_arrays(s); break;
    case PF_X_NORM:      norm_arrays(s, pairs, n); break;
    case PF_X_LOGIT:     logit_arrays(s); break;
    default:             exception_arrays(s); break;
    }
}

static size_t length_of(const pf_product *x)
{
    return (size_t)1 << (x->token_bits + x->feature_bits);
}

static bool is_part(const pf_product *x)
{
    return x->kind < PF_X_C && x->kind != PF_X_DS_INNER;
}

err pv_parts_keep(prover *p)
{
    size_t blocks = 0, at = 0;
    p->kept = calloc(p->run.product_count, sizeof *p->kept);
    if (!p->kept)
        return fail(p->f, ERR_MEMORY, "parts", p->run.product_count);
    for (int pass = 0; pass < 2; pass++) {
        fxv *room = pass && blocks ? pv_block_take(&p->ws->arrays, blocks * sizeof *room) : NULL;
        if (pass && !room)
            return OK;
        for (uint32_t i = 0; i < p->run.product_count; i++) {
            size_t need = fxv_blocks(length_of(&p->run.products[i]));
            if (!is_part(&p->run.products[i]) || (at + 2 * need) * sizeof(fxv) > p->ws->arrays_max)
                continue;
            if (pass)
                p->kept[i] = (pv_product){ room + at, room + at + need };
            at += 2 * need;
        }
        blocks = at;
        at = 0;
    }
    return OK;
}

static scene scene_of(const prover *p, uint32_t index, const pv_product *pair)
{
    const pf_product *x = &p->run.products[index];
    scene s = { .p = p, .y = p->y, .x = x, .width = (size_t)1 << x->feature_bits, .P = pair->p, .B = pair->b, .e = OK };
    if (is_part(x)) {
        s.w = pf_token_weights(&p->run, x->instance);
        s.phi = pf_feature_weights(&p->run, x->instance, x->segment);
        if (!s.w || !s.phi)
            s.e = ERR_MEMORY;
    }
    return s;
}

static err scene_end(scene *s, uint32_t index)
{
    free(s->w);
    free(s->phi);
    return s->e == OK ? OK : fail(s->p->f, s->e, "product", index);
}

static err make_arrays(const prover *p, uint32_t index, pv_product *pairs)
{
    scene s = scene_of(p, index, &pairs[0]);
    if (s.e == OK)
        fill(&s, pairs, length_of(s.x));
    return scene_end(&s, index);
}

/* Of the parts with large arrays, 6 and 7: sum omega phi left B, in integers up to the sum over tokens. left B is an accumulator, and so below p / 2. */
static err integer_value(const prover *p, uint32_t index, fx *out)
{
    scene s = scene_of(p, index, &(pv_product){ NULL, NULL });
    bool scores = s.x->kind == PF_X_DS;
    size_t n = pf_tokens(p->y), features = scores ? (size_t)p->y->shape.heads << p->y->t_bits : p->y->k.hidden;
    fx_ints left = tensor(&s, scores ? PF_E : PF_GD);
    int64_t *a = s.e == OK ? integer_products(&s, features, scores) : NULL;
    fxv *sum = fxv_alloc(n);
    if (s.e == OK && !sum)
        s.e = ERR_MEMORY;
    if (s.e == OK) {
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < features; j++)
                a[i * features + j] *= ((const int16_t *)left.data)[i * left.stride + j];
        fxv_cols(sum, &(fx_ints){ a, n, features, features, 8 }, s.phi);
        *out = fxv_dot(sum, s.w, n);
    }
    free(sum);
    free(a);
    return scene_end(&s, index);
}

err pv_product_arrays(const prover *p, pv_scratch *scratch, uint32_t index, pv_product pairs[2])
{
    const pf_product *x = &p->run.products[index];
    size_t n = length_of(x);
    memset(pairs, 0, 2 * sizeof *pairs);
    if (p->kept[index].p) {
        pairs[0] = p->kept[index];
        return OK;
    }
    for (uint32_t i = 0; i < x->pairs; i++) {
        pairs[i] = (pv_product){ pv_scratch_vector(scratch, i ? PV_USE_P1 : PV_USE_P0, n), pv_scratch_vector(scratch, i ? PV_USE_B1 : PV_USE_B0, n) };
        if (!pairs[i].p || !pairs[i].b)
            return fail(p->f, ERR_MEMORY, "product", n);
    }
    return make_arrays(p, index, pairs);
}

err pv_part_value(const prover *p, pv_scratch *scratch, uint32_t segment, fx *out)
{
    uint32_t i = 0;
    pv_product pairs[2];
    while (i < p->run.product_count && (p->run.products[i].kind >= PF_X_C || p->run.products[i].segment != segment))
        i++;
    if (i == p->run.product_count)
        return fail(p->f, ERR_NOT_FOUND, "part", segment);
    size_t n = length_of(&p->run.products[i]);
    if (p->kept[i].p) {
        pairs[0] = p->kept[i];
        memset(pairs[0].p, 0, fxv_blocks(n) * sizeof(fxv));
        memset(pairs[0].b, 0, fxv_blocks(n) * sizeof(fxv));
        TRY(make_arrays(p, i, pairs));
    } else if (p->run.products[i].kind == PF_X_DS || p->run.products[i].kind == PF_X_GELU) {
        return integer_value(p, i, out);
    } else {
        TRY(pv_product_arrays(p, scratch, i, pairs));
    }
    *out = fxv_dot(pairs[0].p, pairs[0].b, n);
    return OK;
}
