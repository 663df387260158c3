/* SPDX-License-Identifier: Apache-2.0
 *
 * The factors of inner products with many columns (spec/proof.md section 9). P of a part is 0 outside the columns of its segment, so token rounds need no
 * others; what is left of B after them is made for all columns. */
#include "prove/products_int.h"

#include <stdlib.h>
#include <string.h>

typedef struct wide {
    pv_scene        *s;
    pv_token_product x;
    size_t           first;   /* of the columns */
    fxv             *v;       /* phi on them */
    fxv             *p[2], *b[2]; /* after the token rounds, `width` elements each */
} wide;

/* --- columns ----------------------------------------------------------------------------------------------------------------- */

/* Whole blocks of columns from `first` on, or all of them. */
static void set_columns(wide *a, size_t first, size_t n)
{
    const size_t width = a->s->width;
    if (first + n > width)
        n = width - first;
    bool blocks = first % FXV_LANES == 0 && n % FXV_LANES == 0;
    a->first = blocks ? first : 0;
    a->x.n = blocks ? n : width;
}

static fx_ints columns_of(const wide *a, const fx_ints *m)
{
    return pv_ints_part(m, 0, m->rows, a->first, m->cols - a->first < a->x.n ? m->cols - a->first : a->x.n);
}

/* phi on the columns of the segment. */
static void set_phi(wide *a)
{
    pv_scene *s = a->s;
    a->v = pv_scene_vector(s, a->x.n);
    for (size_t j = 0; a->v && j < s->at.n && s->at.first + j < a->first + a->x.n; j++)
        fxv_set(a->v, s->at.first + j - a->first, fxv_get(s->phi, s->at.first + j));
}

/* Only honest cells are 0 past the features, and gd's are not. */
static void add_ints(const wide *a, pv_factor *f, fx_ints m, size_t features, const fxv *w)
{
    m.cols = features;
    f->term[f->terms++] = (pv_term){ columns_of(a, &m), w };
}

/* --- factors ----------------------------------------------------------------------------------------------------------------- */

/* 1: P[sj, hc] = phi_hj sum_(i >= j) omega_si q[si, hc], sums along the tokens: made whole, of the heads that have a column in the segment; B = k. */
static void score_rows(wide *a, uint32_t sequence, const fx_ints *q, const fx_ints *k, fxv *sum, fxv *row)
{
    pv_scene *s = a->s;
    const pf_layout *y = s->y;
    const size_t n = a->x.n, hd = y->k.head_dim;
    memset(sum, 0, fxv_blocks(n) * sizeof *sum);
    for (uint32_t i = y->shape.context; i-- > 0;) {
        const size_t token = ((size_t)sequence << y->t_bits) + i;
        const int16_t *from = (const int16_t *)q->data + token * q->stride, *right = (const int16_t *)k->data + token * k->stride;
        fxv_from_ints(row, from, 2, q->cols, fxv_get(s->w, token));
        fxv_add_scaled(sum, row, FX_ONE, q->cols);
        for (size_t c = 0; c < q->cols; c++)
            fxv_set(row, c, fxv_get(s->phi, ((a->first + c) / hd << y->t_bits) + i));
        fxv_mul(row, sum, q->cols);
        if (n % FXV_LANES == 0) {
            memcpy(a->x.whole_p + token * n / FXV_LANES, row, fxv_blocks(n) * sizeof *row);
            fxv_from_ints(a->x.whole_b + token * n / FXV_LANES, right, 2, k->cols, FX_ONE);
            continue;
        }
        for (size_t c = 0; c < k->cols; c++) {
            fxv_set(a->x.whole_p, token * n + c, fxv_get(row, c));
            fxv_set(a->x.whole_b, token * n + c, fx_from_i64(right[c]));
        }
    }
}

static void score(wide *a)
{
    pv_scene *s = a->s;
    const pf_layout *y = s->y;
    const size_t hd = y->k.head_dim, d = y->shape.width, head = s->at.first >> y->t_bits, end = ((s->at.first + s->at.n - 1) >> y->t_bits) + 1;
    set_columns(a, head * hd, (end * hd < d ? end * hd : d) - head * hd);
    fx_ints q = pv_scene_tensor(s, PF_Q), k = pv_scene_tensor(s, PF_K);
    q.cols = k.cols = d;
    q = columns_of(a, &q);
    k = columns_of(a, &k);
    const size_t n = pf_tokens(y) * a->x.n;
    fxv *sum = pv_scene_vector(s, a->x.n), *row = pv_scene_vector(s, a->x.n);
    a->x.whole = true;
    a->x.whole_p = pv_scratch_vector(s->scratch, PV_USE_P0, n);
    a->x.whole_b = pv_scratch_vector(s->scratch, PV_USE_B0, n);
    if (!a->x.whole_p || !a->x.whole_b || !sum || !row) {
        s->e = ERR_MEMORY;
        return;
    }
    for (uint32_t sequence = 0; sequence < y->sequences; sequence++)
        score_rows(a, sequence, &q, &k, sum, row);
}

/* 6 and 7: P = omega phi left, B the exact products of dp and v, or of dm and W2^T. */
static void integers(wide *a, pf_slot left, bool scores)
{
    pv_scene *s = a->s;
    const pf_layout *y = s->y;
    const pv_witness *w = s->p->w;
    const pf_rounding *r = &y->roundings[s->x->rounding];
    set_columns(a, s->at.first, s->at.n);
    set_phi(a);
    const size_t n = a->x.n, rows = pf_tokens(y);
    const pv_window at = { a->first, n };
    int64_t *B = pv_scratch_take(s->scratch, PV_USE_LEAVES, rows * n * sizeof *B);
    if (!B)
        s->e = ERR_MEMORY;
    if (s->e == OK)
        s->e = pv_scratch_gemm(s->scratch, pv_gemm_depth(y));
    if (s->e == OK)
        s->e = scores ? pv_scores(w, s->scratch->gemm, B, at, pf_at(y, s->x->layer, PF_DP), pf_at(y, s->x->layer, PF_V), s->p->f) :
                        pv_times_weight(w, s->scratch->gemm, B, at, r->left, r->weight, true, s->p->f);
    add_ints(a, &a->x.p[0], pv_scene_tensor(s, left), r->features, s->w);
    a->x.p[0].v = a->v;
    a->x.b[0].term[a->x.b[0].terms++] = (pv_term){ { B, rows, n, n, sizeof *B }, NULL };
}

/* omega' and theta' of the products that squeeze points. */
static fxv *point_weights(pv_scene *s, const fx *r, unsigned bits)
{
    fxv *v = pv_scene_vector(s, (size_t)1 << bits);
    if (v)
        fxv_eq(v, r, bits, FX_ONE);
    return v;
}

static void all_columns(wide *a, uint32_t tensor)
{
    set_columns(a, 0, pf_row_features(a->s->y, tensor));
}

static void row_sums(wide *a)
{
    pv_scene *s = a->s;
    const pf_layout *y = s->y;
    fxv *w = point_weights(s, s->x->weights, y->nu), *theta = point_weights(s, s->x->heads, pf_log2_up(y->shape.heads));
    all_columns(a, pf_at(y, s->x->layer, PF_DP));
    fxv *v = pv_scene_vector(s, a->x.n);
    for (uint32_t c = 0; theta && v && c < y->shape.width; c++)
        fxv_set(v, c, fxv_get(theta, c / y->k.head_dim));
    add_ints(a, &a->x.p[0], pv_scene_tensor(s, PF_DP), y->shape.width, w);
    a->x.p[0].v = v;
    add_ints(a, &a->x.b[0], pv_scene_tensor(s, PF_O), y->shape.width, NULL);
}

/* P is a list of entries, B a tensor. */
static pv_entry *entries(wide *a, uint32_t right, size_t features, size_t most)
{
    all_columns(a, right);
    add_ints(a, &a->x.b[0], pv_matrix(a->s->p->w, right, NULL), features, NULL);
    pv_entry *list = pv_scene_keep(a->s, malloc((most + 1) * sizeof *list));
    a->x.p[0].entries = list;
    return list;
}

static void distances(wide *a)
{
    pv_scene *s = a->s;
    const pf_layout *y = s->y;
    fxv *w = point_weights(s, s->x->weights, y->nu), *theta = point_weights(s, s->x->heads, pf_log2_up(y->shape.heads));
    pv_entry *list = entries(a, pf_at(y, s->x->layer, PF_D), (size_t)y->shape.heads << y->t_bits, (size_t)pf_tokens(y) * y->shape.heads);
    size_t n = 0;
    for (uint32_t i = 0; w && theta && list && i < pf_tokens(y); i++)
        for (uint32_t h = 0; h < y->shape.heads && pf_is_token(y, i); h++) {
            uint32_t best = (uint32_t)pf_head_of(&s->p->w->rows, y, s->x->layer, h)->index[i];
            list[n++] = (pv_entry){ i, (h << y->t_bits) + best, fx_mul(fxv_get(w, i), fxv_get(theta, h)) };
        }
    a->x.p[0].entry_count = n;
}

static void logits(wide *a)
{
    pv_scene *s = a->s;
    const pf_layout *y = s->y;
    const pf_rows *rows = &s->p->w->rows;
    fxv *w = point_weights(s, s->x->weights, y->nu);
    pv_entry *list = entries(a, pf_at(y, s->x->layer, PF_D), y->shape.vocab, 2 * (size_t)pf_tokens(y));
    size_t n = 0;
    for (uint32_t i = 0; w && list && i < pf_tokens(y); i++) {
        if (!pf_is_token(y, i))
            continue;
        list[n++] = (pv_entry){ i, (uint32_t)rows->logits.index[i], fxv_get(w, i) };
        list[n++] = (pv_entry){ i, rows->targets[i], fx_mul(s->x->kappa, fxv_get(w, i)) };
    }
    a->x.p[0].entry_count = n;
}

static void exceptions(wide *a)
{
    pv_scene *s = a->s;
    const pf_rows *rows = &s->p->w->rows;
    const uint32_t first = rows->exception_first[s->x->rounding], end = rows->exception_first[s->x->rounding + 1];
    pv_entry *list = entries(a, s->y->roundings[s->x->rounding].out, s->y->roundings[s->x->rounding].features, end - first);
    fx power = FX_ONE;
    for (uint32_t i = first; list && i < end; i++) {
        list[i - first] = (pv_entry){ rows->exceptions[i].token, rows->exceptions[i].feature, power };
        power = fx_mul(power, s->x->kappa);
    }
    a->x.p[0].entry_count = end - first;
}

static void norm(wide *a)
{
    pv_scene *s = a->s;
    const pf_layout *y = s->y;
    const bool second = s->x->second;
    int32_t *room = pv_scene_keep(s, malloc(pv_stream_room(s->p->w) * sizeof *room));
    if (!room)
        return;
    fx_ints x = pv_matrix(s->p->w, PF_VIRTUAL_X + 2 * s->x->layer + second, room);
    fx_ints yy = pv_scene_tensor(s, second ? PF_Y2 : PF_Y1);
    const size_t n = pf_tokens(y), d = y->shape.width;
    fxv *w = point_weights(s, s->x->weights, y->nu), *w1 = pv_scene_vector(s, n), *w2 = pv_scene_vector(s, n);
    all_columns(a, pf_at(y, s->x->layer, PF_Y1));
    if (w && w1 && w2) {
        fxv_add_scaled(w1, w, s->x->kappa, n);
        fxv_add_scaled(w2, w, fx_mul(s->x->kappa, s->x->kappa), n);
    }
    add_ints(a, &a->x.p[0], x, d, w);
    add_ints(a, &a->x.b[0], x, d, NULL);
    add_ints(a, &a->x.p[1], yy, d, w1);
    if (pf_has_m(y, 2 * s->x->layer + second))
        add_ints(a, &a->x.p[1], pv_scene_tensor(s, second ? PF_DN2 : PF_DN1), d, w2);
    add_ints(a, &a->x.b[1], yy, d, NULL);
}

static void fill(wide *a)
{
    switch (a->s->x->kind) {
    case PF_X_SCORE:    score(a); break;
    case PF_X_DS:       integers(a, PF_E, true); break;
    case PF_X_GELU:     integers(a, PF_GD, false); break;
    case PF_X_C:        row_sums(a); break;
    case PF_X_DISTANCE: distances(a); break;
    case PF_X_NORM:     norm(a); break;
    case PF_X_LOGIT:    logits(a); break;
    default:            exceptions(a); break;
    }
}

/* --- B of all columns, bound to tau -------------------------------------------------------------------------------------------- */

/* dm W2^T. */
static void gelu_rest(pv_scene *s, fxv *B, const fxv *tau)
{
    const pf_rounding *r = &s->y->roundings[s->x->rounding];
    const num_tensor_info t = num_tensor_describe(&s->y->shape, r->weight);
    fx_ints left = pv_matrix(s->p->w, r->left, NULL);
    fxv *sum = pv_scene_vector(s, left.cols);
    if (!sum)
        return;
    fxv_rows(sum, &left, tau);
    fxv_cols(B, &(fx_ints){ s->p->w->s->weights + t.offset, t.rows, t.cols, t.cols, 2 }, sum);
}

/* B[h T' + j] = sum over sequences of v[sj, hc] times sum_i eq(tau, si) dp[si, hc]. */
static void ds_rest(pv_scene *s, fxv *B, const fxv *tau)
{
    const pf_layout *y = s->y;
    const size_t keys = (size_t)1 << y->t_bits, d = y->shape.width, hd = y->k.head_dim;
    fx_ints dp = pv_scene_tensor(s, PF_DP), v = pv_scene_tensor(s, PF_V);
    fxv *left = pv_scene_vector(s, d), *by = pv_scene_vector(s, hd), *sum = pv_scene_vector(s, keys), *eq = pv_scene_vector(s, keys);
    for (size_t q = 0; left && by && sum && eq && q < (size_t)1 << y->s_bits; q++) {
        fx_ints rows = pv_ints_part(&dp, q * keys, keys, 0, d);
        for (size_t i = 0; i < keys; i++)
            fxv_set(eq, i, fxv_get(tau, q * keys + i));
        memset(left, 0, fxv_blocks(d) * sizeof *left);
        fxv_rows(left, &rows, eq);
        for (size_t h = 0; h < y->shape.heads; h++) {
            rows = pv_ints_part(&v, q * keys, keys, h * hd, hd);
            for (size_t c = 0; c < hd; c++)
                fxv_set(by, c, fxv_get(left, h * hd + c));
            memset(sum, 0, fxv_blocks(keys) * sizeof *sum);
            fxv_cols(sum, &rows, by);
            for (size_t j = 0; j < keys; j++)
                fxv_set(B, h * keys + j, fx_add(fxv_get(B, h * keys + j), fxv_get(sum, j)));
        }
    }
}

static void make_rest(wide *a)
{
    pv_scene *s = a->s;
    const pf_product *x = s->x;
    fxv *tau = pv_scene_vector(s, pf_tokens(s->y)), *B = a->b[0];
    if (!tau)
        return;
    fxv_eq(tau, x->end + x->feature_bits, x->token_bits, FX_ONE);
    memset(B, 0, fxv_blocks(s->width) * sizeof *B);
    if (x->kind == PF_X_SCORE) {
        fx_ints k = pv_scene_tensor(s, PF_K);
        k.cols = s->y->shape.width;
        fxv_rows(B, &k, tau);
    } else if (x->kind == PF_X_GELU) {
        gelu_rest(s, B, tau);
    } else {
        ds_rest(s, B, tau);
    }
}

err pv_prove_wide(pv_scene *s, pv_writer *w, fx *point, fx *ends)
{
    const pf_product *x = s->x;
    wide a = { .s = s, .x = { .token_bits = x->token_bits, .pairs = x->pairs } };
    pv_product rows[2];
    fxv *p[2], *b[2];
    fill(&a);
    for (unsigned m = 0; m < x->pairs; m++) {
        a.p[m] = pv_scene_vector(s, s->width);
        a.b[m] = pv_scene_vector(s, s->width);
    }
    TRY(s->e);
    for (unsigned m = 0; m < x->pairs; m++) {
        rows[m] = (pv_product){ a.p[m], a.b[m] };
        p[m] = a.p[m] + a.first / FXV_LANES;
        b[m] = a.b[m] + a.first / FXV_LANES;
    }
    TRY(pv_token_rounds(w, s->scratch, &a.x, point + x->feature_bits, p, b));
    if (a.x.n < s->width && x->kind < PF_X_C)
        make_rest(&a);
    TRY(s->e);
    return pv_inner_product(w, rows, x->pairs, x->feature_bits, point, ends);
}
