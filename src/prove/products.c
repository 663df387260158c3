/* SPDX-License-Identifier: Apache-2.0
 *
 * The inner products (spec/proof.md section 9), and the factors of those with few columns. */
#include "prove/products_int.h"

#include <stdlib.h>
#include <string.h>

fx_ints pv_ints_part(const fx_ints *m, size_t row, size_t rows, size_t col, size_t cols)
{
    fx_ints out = *m;
    out.data = (const uint8_t *)m->data + (row * m->stride + col) * m->bytes;
    out.rows = rows;
    out.cols = cols;
    return out;
}

void *pv_scene_keep(pv_scene *s, void *p)
{
    CHECK(s->memory_count < COUNT_OF(s->memory));
    if (p)
        s->memory[s->memory_count++] = p;
    else
        s->e = ERR_MEMORY;
    return p;
}

fxv *pv_scene_vector(pv_scene *s, size_t n)
{
    return pv_scene_keep(s, fxv_alloc(n));
}

fx_ints pv_scene_tensor(const pv_scene *s, pf_slot slot)
{
    return pv_matrix(s->p->w, pf_at(s->y, s->x->layer, slot), NULL);
}

/* A copy of v[first, first + n), aligned. */
static fxv *slice(pv_scene *s, const fxv *v, size_t first, size_t n)
{
    fxv *out = fxv_alloc(n);
    if (!out)
        s->e = ERR_MEMORY;
    for (size_t i = 0; out && i < n; i++)
        fxv_set(out, i, fxv_get(v, first + i));
    return out;
}

/* phi is 0 on the heads that have no column in the segment. */
static bool has_weight(const pv_scene *s, uint32_t h)
{
    size_t hd = s->y->k.head_dim;
    return h * hd < s->at.first + s->at.n && (h + 1) * hd > s->at.first;
}

/* Sum over the features of head h of phi t, for every token, to out[token 2^k + h]. */
static void through_head(pv_scene *s, fxv *out, pf_slot slot, uint32_t h)
{
    uint32_t hd = s->y->k.head_dim, n = pf_tokens(s->y);
    fx_ints m = pv_scene_tensor(s, slot), head = pv_ints_part(&m, 0, n, (size_t)h * hd, hd);
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

/* 2 and 4: P[sj, h] = sum_i omega_si (R_ih) a[si, hj]; B[sj, h] = sum_c phi b[sj, hc]. */
static void column_arrays(pv_scene *s, pf_slot a, pf_slot b, bool scaled)
{
    const pf_layout *y = s->y;
    uint32_t keys = 1u << y->t_bits, n = pf_tokens(y);
    fx_ints m = pv_scene_tensor(s, a);
    fxv *r = fxv_alloc(n);
    if (!r) {
        s->e = ERR_MEMORY;
        return;
    }
    for (uint32_t h = 0; h < y->shape.heads; h++) {
        if (has_weight(s, h))
            through_head(s, s->B, b, h);
        if (scaled)
            fxv_from_ints(r, pf_head_of(&s->p->w->rows, y, s->x->layer, h)->R, 8, n, FX_ONE);
        for (uint32_t q = 0; q < 1u << y->s_bits; q++) {
            fx_ints head = pv_ints_part(&m, (size_t)q << y->t_bits, keys, (size_t)h << y->t_bits, keys);
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
static void row_arrays(pv_scene *s, pf_slot a, pf_slot b)
{
    const pf_layout *y = s->y;
    uint32_t keys = 1u << y->t_bits;
    fx_ints m = pv_scene_tensor(s, a);
    for (uint32_t h = 0; h < y->shape.heads; h++) {
        if (has_weight(s, h))
            through_head(s, s->B, b, h);
        for (uint32_t q = 0; q < 1u << y->s_bits; q++) {
            fx_ints head = pv_ints_part(&m, (size_t)q << y->t_bits, keys, (size_t)h << y->t_bits, keys);
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

/* 6': P[s, hc] = sum_i eq(tau, si) eq(eta, h) dp[si, hc], B[s, hc] = sum_j eq(xi, j) v[sj, hc]. */
static void inner_arrays(pv_scene *s)
{
    const pf_layout *y = s->y;
    const pf_product *outer_product = s->x - 1;
    uint32_t keys = 1u << y->t_bits, d = y->shape.width;
    fx_ints dp = pv_scene_tensor(s, PF_DP), v = pv_scene_tensor(s, PF_V);
    fxv *tau = fxv_alloc(pf_tokens(y)), *xi = fxv_alloc(keys), *eta = fxv_alloc((size_t)1 << (outer_product->feature_bits - y->t_bits));
    if (tau && xi && eta) {
        fxv_eq(tau, outer_product->end + outer_product->feature_bits, y->nu, FX_ONE);
        fxv_eq(xi, outer_product->end, y->t_bits, FX_ONE);
        fxv_eq(eta, outer_product->end + y->t_bits, outer_product->feature_bits - y->t_bits, FX_ONE);
    }
    for (uint32_t q = 0; tau && xi && eta && q < 1u << y->s_bits; q++) {
        fx_ints a = pv_ints_part(&dp, (size_t)q << y->t_bits, keys, 0, d), b = pv_ints_part(&v, (size_t)q << y->t_bits, keys, 0, d);
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

static void fill_narrow(pv_scene *s)
{
    switch (s->x->kind) {
    case PF_X_ATTEND: column_arrays(s, PF_E, PF_V, true); break;
    case PF_X_DQ:     column_arrays(s, PF_DS, PF_K, false); break;
    case PF_X_DV:     row_arrays(s, PF_E, PF_DP); break;
    case PF_X_DK:     row_arrays(s, PF_DS, PF_Q); break;
    default:          inner_arrays(s); break;
    }
}

static err prove_narrow(pv_scene *s, pv_writer *w, fx *point, fx *ends)
{
    const unsigned vars = s->x->token_bits + s->x->feature_bits;
    s->P = pv_scratch_vector(s->scratch, PV_USE_P0, (size_t)1 << vars);
    s->B = pv_scratch_vector(s->scratch, PV_USE_B0, (size_t)1 << vars);
    if (!s->P || !s->B)
        return ERR_MEMORY;
    fill_narrow(s);
    TRY(s->e);
    return pv_inner_product(w, &(pv_product){ s->P, s->B }, 1, vars, point, ends);
}

static bool is_narrow(pf_product_kind kind)
{
    return kind == PF_X_ATTEND || kind == PF_X_DQ || kind == PF_X_DV || kind == PF_X_DK || kind == PF_X_DS_INNER;
}

static void scene_begin(pv_scene *s, const prover *p, pv_scratch *scratch, uint32_t index)
{
    const pf_product *x = &p->run.products[index];
    *s = (pv_scene){ .p = p, .scratch = scratch, .y = p->y, .x = x, .width = (size_t)1 << x->feature_bits, .e = OK };
    if (x->kind >= PF_X_C || x->kind == PF_X_DS_INNER)
        return;
    const pf_segment *segment = &p->y->segments[x->segment];
    s->at = (pv_window){ (size_t)segment->block << p->y->b, (size_t)segment->blocks << p->y->b };
    s->w = pv_scene_keep(s, pf_token_weights(&p->run, x->instance));
    s->phi = pv_scene_keep(s, pf_feature_weights(&p->run, x->instance, x->segment));
}

err pv_prove_product(prover *p, pv_scratch *scratch, uint32_t index, pv_writer *w)
{
    pf_product *x = &p->run.products[index];
    pv_scene s;
    fx ends[4];
    TRY(pf_product_start(&p->run, index, &w->t, p->f));
    scene_begin(&s, p, scratch, index);
    if (s.e == OK)
        s.e = is_narrow(x->kind) ? prove_narrow(&s, w, x->end, ends) : pv_prove_wide(&s, w, x->end, ends);
    for (size_t i = 0; i < s.memory_count; i++)
        free(s.memory[i]);
    if (s.e != OK)
        return fail(p->f, s.e, "product", index);
    for (uint32_t m = 0; m < x->pairs; m++) {
        x->p[m] = ends[2 * m];
        x->b[m] = ends[2 * m + 1];
    }
    return OK;
}
