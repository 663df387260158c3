/* SPDX-License-Identifier: Apache-2.0
 *
 * What is rounded, from the committed operands (spec/proof.md section 7). */
#include "prove/remainder_int.h"

#include <string.h>

typedef pv_rounding_work work;

size_t pv_gemm_depth(const pf_layout *y)
{
    size_t most = y->k.hidden > y->shape.vocab ? y->k.hidden : y->shape.vocab;
    most = most > 3 * (size_t)y->shape.width ? most : 3 * (size_t)y->shape.width;
    return most > y->shape.context ? most : y->shape.context;
}

static bt_gemm_term term_of(const pv_witness *w, bt_gemm_view a, bt_gemm_view b, size_t k)
{
    return (bt_gemm_term){ a, b, k, w->y.k.q_max, w->y.k.q_max, 0 };
}

/* Columns [first, first + n) of the product with a weight matrix, or its transpose; `real`: how many of them there are. */
static bt_gemm_term weight_term(const pv_witness *w, uint32_t left, uint32_t weight, bool transposed, pv_window at, size_t *real)
{
    num_tensor_info t = num_tensor_describe(&w->y.shape, weight);
    const size_t    columns = transposed ? t.rows : t.cols;
    const int16_t  *p = w->s->weights + t.offset + (at.first < columns ? at.first * (transposed ? t.cols : 1) : 0);
    bt_gemm_view    b = transposed ? (bt_gemm_view){ p, 1, (ptrdiff_t)t.cols } : (bt_gemm_view){ p, (ptrdiff_t)t.cols, 1 };
    size_t          left_over = at.first < columns ? columns - at.first : 0;
    *real = left_over < at.n ? left_over : at.n;
    return term_of(w, (bt_gemm_view){ w->cell[left], (ptrdiff_t)pf_padded(&w->y, left), 1 }, b, transposed ? t.cols : t.rows);
}

static err run(bt_gemm_ws *ws, size_t m, size_t n, const bt_gemm_term *terms, size_t count, int64_t *c, size_t ld, fault *f)
{
    if (n == 0)
        return OK;
    err e = bt_gemm_run(ws, &(bt_gemm_plan){ .m = m, .n = n, .terms = terms, .n_terms = count, .c = c, .ldc = ld });
    return e == OK ? OK : fail(f, e, "witness: product", n);
}

/* Zero where products do not write. */
static void clear(const pv_witness *w, int64_t *out, pv_window at, bool all_written)
{
    if (!all_written)
        memset(out, 0, (size_t)pf_tokens(&w->y) * at.n * sizeof *out);
}

err pv_times_weight(const pv_witness *w, bt_gemm_ws *ws, int64_t *out, pv_window at, uint32_t left, uint32_t weight, bool transposed, fault *f)
{
    size_t real;
    bt_gemm_term t = weight_term(w, left, weight, transposed, at, &real);
    clear(w, out, at, real == at.n);
    return run(ws, pf_tokens(&w->y), real, &t, 1, out, at.n, f);
}

/* The part of a tensor that belongs to one sequence and head: T rows; columns are the head's features (or keys). */
static const int16_t *head_part(const pv_witness *w, uint32_t tensor, uint32_t sequence, uint32_t head, uint32_t per_head)
{
    return w->cell[tensor] + ((size_t)sequence << w->y.t_bits) * pf_padded(&w->y, tensor) + (size_t)head * per_head;
}

static bt_gemm_view view(const pv_witness *w, uint32_t tensor, uint32_t q, uint32_t h, uint32_t per_head, bool transposed)
{
    ptrdiff_t n = (ptrdiff_t)pf_padded(&w->y, tensor);
    const int16_t *p = head_part(w, tensor, q, h, per_head);
    return transposed ? (bt_gemm_view){ p, 1, n } : (bt_gemm_view){ p, n, 1 };
}

/* The columns that a window and head h have in common, of which each has `per_head` at distance `span`; from: counted in the head. */
typedef struct common {
    size_t from, n;
} common;

static common common_columns(pv_window at, uint32_t h, size_t span, size_t per_head)
{
    size_t begin = h * span, end = begin + per_head, window_end = at.first + at.n;
    size_t from = at.first > begin ? at.first : begin, to = end < window_end ? end : window_end;
    return from < to ? (common){ from - begin, to - from } : (common){ 0, 0 };
}

static bool no_padding(const pf_layout *y)
{
    return y->shape.context == 1u << y->t_bits && (y->sequences << y->t_bits) == pf_tokens(y);
}

/* a b^T by head, for a and b of width d. */
err pv_scores(const pv_witness *w, bt_gemm_ws *ws, int64_t *out, pv_window at, uint32_t a, uint32_t b, fault *f)
{
    const pf_layout *y = &w->y;
    uint32_t T = y->shape.context, hd = y->k.head_dim;
    clear(w, out, at, no_padding(y) && at.first + at.n <= (size_t)y->shape.heads << y->t_bits);
    for (uint32_t q = 0; q < y->sequences; q++)
        for (uint32_t h = 0; h < y->shape.heads; h++) {
            common c = common_columns(at, h, (size_t)1 << y->t_bits, T);
            if (c.n == 0)
                continue;
            bt_gemm_view keys = view(w, b, q, h, hd, true);
            keys.p += (ptrdiff_t)c.from * keys.col;
            bt_gemm_term t = term_of(w, view(w, a, q, h, hd, false), keys, hd);
            int64_t *to = out + ((size_t)q << y->t_bits) * at.n + ((size_t)h << y->t_bits) + c.from - at.first;
            TRY(run(ws, T, c.n, &t, 1, to, at.n, f));
        }
    return OK;
}

/* scores times b by head (scores transposed: the sum runs over the rows). */
static err attend(work *x, pf_slot scores, bool transposed, pf_slot right)
{
    const pf_layout *y = x->y;
    uint32_t T = y->shape.context, hd = y->k.head_dim, a = pf_at(y, x->r->layer, scores), b = pf_at(y, x->r->layer, right);
    clear(x->w, x->acc, x->at, no_padding(y) && x->at.first + x->at.n <= y->shape.width);
    for (uint32_t q = 0; q < y->sequences; q++)
        for (uint32_t h = 0; h < y->shape.heads; h++) {
            common c = common_columns(x->at, h, hd, hd);
            if (c.n == 0)
                continue;
            bt_gemm_view features = view(x->w, b, q, h, hd, false);
            features.p += c.from;
            bt_gemm_term t = term_of(x->w, view(x->w, a, q, h, 1u << y->t_bits, transposed), features, T);
            int64_t *to = x->acc + ((size_t)q << y->t_bits) * x->at.n + (size_t)h * hd + c.from - x->at.first;
            TRY(run(x->ws, T, c.n, &t, 1, to, x->at.n, x->f));
        }
    return OK;
}

/* Times R of the row and head. */
static void scale_rows_by_head(work *x, const pf_layout *y)
{
    for (uint32_t h = 0; h < y->shape.heads; h++) {
        common c = common_columns(x->at, h, y->k.head_dim, y->k.head_dim);
        const int64_t *R = pf_head_of(&x->w->rows, y, x->r->layer, h)->R;
        size_t first = (size_t)h * y->k.head_dim + c.from - x->at.first;
        for (uint32_t i = 0; c.n && i < pf_tokens(y); i++)
            for (size_t j = first; j < first + c.n; j++)
                x->acc[i * x->at.n + j] *= R[i];
    }
}

static err acc_back3(work *x)
{
    const num_layer_fractions *f = &x->y->fractions.layer[x->r->layer];
    uint32_t l = x->r->layer;
    int top = f->dq > f->dk ? f->dq : f->dk;
    size_t n;
    top = top > f->dv ? top : f->dv;
    bt_gemm_term t[3] = { weight_term(x->w, pf_at(x->y, l, PF_DQ), num_tensor_of_layer(l, NUM_W_Q), true, x->at, &n),
                          weight_term(x->w, pf_at(x->y, l, PF_DK), num_tensor_of_layer(l, NUM_W_K), true, x->at, &n),
                          weight_term(x->w, pf_at(x->y, l, PF_DV), num_tensor_of_layer(l, NUM_W_V), true, x->at, &n) };
    t[0].shift = (unsigned)(top - f->dq);
    t[1].shift = (unsigned)(top - f->dk);
    t[2].shift = (unsigned)(top - f->dv);
    clear(x->w, x->acc, x->at, n == x->at.n);
    return run(x->ws, pf_tokens(x->y), n, t, 3, x->acc, x->at.n, x->f);
}

/* Row i of the window in a tensor's cells, and of the sums. */
static const int16_t *cells_at(const work *x, uint32_t tensor, uint32_t i)
{
    return x->w->cell[tensor] + (size_t)i * pf_padded(x->y, tensor) + x->at.first;
}

static int64_t *acc_at(const work *x, uint32_t i)
{
    return x->acc + (size_t)i * x->at.n;
}

static void acc_loss(work *x)
{
    const pf_layout *y = x->y;
    const pf_head_rows *a = &x->w->rows.logits;
    for (uint32_t i = 0; i < pf_tokens(y); i++) {
        const int16_t *el = cells_at(x, pf_at(y, x->r->layer, PF_E), i);
        int64_t *acc = acc_at(x, i);
        size_t   target = (size_t)x->w->rows.targets[i];
        for (size_t j = 0; j < x->at.n; j++)
            acc[j] = ((int64_t)el[j] + 32768) * a->R[i];
        if (pf_is_token(y, i) && target >= x->at.first && target < x->at.first + x->at.n)
            acc[target - x->at.first] -= (int64_t)1 << y->k.n_l;
    }
}

static void acc_norm(work *x)
{
    const pf_layout *y = x->y;
    bool second = y->tensors[x->r->out].slot == PF_Y2;
    const pf_norm_rows *n = pf_norm_of(&x->w->rows, y, x->r->layer, second);
    for (uint32_t i = 0; i < pf_tokens(y); i++) {
        int64_t *acc = acc_at(x, i);
        pv_stream_row(x->w, x->stream, PF_VIRTUAL_X + 2 * x->r->layer + second, i, x->at);
        for (size_t j = 0; j < x->at.n; j++)
            acc[j] = n->r[i] * x->stream[j];
    }
}

static void acc_dx(work *x)
{
    const pf_layout *y = x->y;
    bool second = y->tensors[x->r->out].slot == PF_DX2LO;
    const pf_norm_rows *n = pf_norm_of(&x->w->rows, y, x->r->layer, second);
    const uint32_t dn_of = pf_at(y, x->r->layer, second ? PF_DN2 : PF_DN1), y_of = pf_at(y, x->r->layer, second ? PF_Y2 : PF_Y1);
    for (uint32_t i = 0; i < pf_tokens(y); i++) {
        const int16_t *dn = cells_at(x, dn_of, i), *yy = cells_at(x, y_of, i);
        int64_t *acc = acc_at(x, i);
        for (size_t j = 0; j < x->at.n; j++)
            acc[j] = n->r[i] * dn[j] - n->m[i] * yy[j];
    }
}

static void acc_stream(work *x)
{
    const pf_layout *y = x->y;
    uint32_t k = 1 + 2 * (y->shape.layers - 1 - x->r->layer) + (y->tensors[x->r->out].slot == PF_DA);
    for (uint32_t i = 0; i < pf_tokens(y); i++) {
        int64_t *acc = acc_at(x, i);
        pv_stream_row(x->w, x->stream, PF_VIRTUAL_GX + k, i, x->at);
        for (size_t j = 0; j < x->at.n; j++)
            acc[j] = x->stream[j];
    }
}

/* Times the cells of a tensor of the output's shape. */
static void times_cells(work *x, uint32_t tensor)
{
    for (uint32_t i = 0; i < pf_tokens(x->y); i++) {
        const int16_t *cell = cells_at(x, tensor, i);
        int64_t *acc = acc_at(x, i);
        for (size_t j = 0; j < x->at.n; j++)
            acc[j] *= cell[j];
    }
}

err pv_accumulate(work *x)
{
    const pf_layout *y = x->y;
    const pf_rounding *r = x->r;
    uint32_t l = r->layer;
    switch (r->op) {
    case PF_OP_NORM:   acc_norm(x); return OK;
    case PF_OP_MATMUL:
    case PF_OP_LOGIT:  return pv_times_weight(x->w, x->ws, x->acc, x->at, r->left, r->weight, false, x->f);
    case PF_OP_BACK:   return pv_times_weight(x->w, x->ws, x->acc, x->at, r->left, r->weight, true, x->f);
    case PF_OP_BACK3:  return acc_back3(x);
    case PF_OP_SCORE:  return pv_scores(x->w, x->ws, x->acc, x->at, pf_at(y, l, PF_Q), pf_at(y, l, PF_K), x->f);
    case PF_OP_ATTEND:
        TRY(attend(x, PF_E, false, PF_V));
        scale_rows_by_head(x, y);
        return OK;
    case PF_OP_LOSS:   acc_loss(x); return OK;
    case PF_OP_GELU:
        TRY(pv_times_weight(x->w, x->ws, x->acc, x->at, r->left, r->weight, true, x->f));
        times_cells(x, pf_at(y, l, PF_GD));
        return OK;
    case PF_OP_DP:
        TRY(pv_times_weight(x->w, x->ws, x->acc, x->at, r->left, r->weight, true, x->f));
        scale_rows_by_head(x, y);
        return OK;
    case PF_OP_DV: return attend(x, PF_E, true, PF_DP);
    case PF_OP_DS:
        TRY(pv_scores(x->w, x->ws, x->acc, x->at, pf_at(y, l, PF_DP), pf_at(y, l, PF_V), x->f));
        times_cells(x, pf_at(y, l, PF_E));
        return OK;
    case PF_OP_DQ: return attend(x, PF_DS, false, PF_K);
    case PF_OP_DK: return attend(x, PF_DS, true, PF_Q);
    case PF_OP_DX: acc_dx(x); return OK;
    default:       acc_stream(x); return OK;
    }
}
