/* SPDX-License-Identifier: Apache-2.0
 *
 * What is rounded: acc mul of every rounding (spec/proof.md section 7), computed from the committed operands. */
#include "prove/remainder_int.h"

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

static bt_gemm_term weight_term(const pv_witness *w, uint32_t left, uint32_t weight, bool transposed, size_t *columns)
{
    num_tensor_info t = num_tensor_describe(&w->y.shape, weight);
    const int16_t *p = w->s->weights + t.offset;
    bt_gemm_view b = transposed ? (bt_gemm_view){ p, 1, (ptrdiff_t)t.cols } : (bt_gemm_view){ p, (ptrdiff_t)t.cols, 1 };
    *columns = transposed ? t.rows : t.cols;
    return term_of(w, (bt_gemm_view){ w->cell[left], (ptrdiff_t)pf_padded(&w->y, left), 1 }, b, transposed ? t.cols : t.rows);
}

static err run(bt_gemm_ws *ws, size_t m, size_t n, const bt_gemm_term *terms, size_t count, int64_t *c, size_t ld, fault *f)
{
    err e = bt_gemm_run(ws, &(bt_gemm_plan){ .m = m, .n = n, .terms = terms, .n_terms = count, .c = c, .ldc = ld });
    return e == OK ? OK : fail(f, e, "witness: product", n);
}

err pv_times_weight(const pv_witness *w, bt_gemm_ws *ws, int64_t *out, size_t ld, uint32_t left, uint32_t weight, bool transposed, fault *f)
{
    size_t columns;
    bt_gemm_term t = weight_term(w, left, weight, transposed, &columns);
    return run(ws, pf_tokens(&w->y), columns, &t, 1, out, ld, f);
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

/* a b^T by head, for a and b of width d. */
err pv_scores(const pv_witness *w, bt_gemm_ws *ws, int64_t *out, size_t ld, uint32_t a, uint32_t b, fault *f)
{
    const pf_layout *y = &w->y;
    uint32_t T = y->shape.context, hd = y->k.head_dim;
    for (uint32_t q = 0; q < y->sequences; q++)
        for (uint32_t h = 0; h < y->shape.heads; h++) {
            bt_gemm_term t = term_of(w, view(w, a, q, h, hd, false), view(w, b, q, h, hd, true), hd);
            TRY(run(ws, T, T, &t, 1, out + ((size_t)q << y->t_bits) * ld + ((size_t)h << y->t_bits), ld, f));
        }
    return OK;
}

/* scores times b by head (scores transposed: the sum runs over the rows). */
static err attend(work *x, pf_slot scores, bool transposed, pf_slot right)
{
    const pf_layout *y = x->y;
    uint32_t T = y->shape.context, hd = y->k.head_dim, a = pf_at(y, x->r->layer, scores), b = pf_at(y, x->r->layer, right);
    for (uint32_t q = 0; q < y->sequences; q++)
        for (uint32_t h = 0; h < y->shape.heads; h++) {
            bt_gemm_term t = term_of(x->w, view(x->w, a, q, h, 1u << y->t_bits, transposed), view(x->w, b, q, h, hd, false), T);
            TRY(run(x->ws, T, hd, &t, 1, x->acc + ((size_t)q << y->t_bits) * x->ld + (size_t)h * hd, x->ld, x->f));
        }
    return OK;
}

static void scale_rows_by_head(work *x, const pf_layout *y)
{
    for (uint32_t i = 0; i < pf_tokens(y); i++)
        for (uint32_t j = 0; j < y->shape.width; j++)
            x->acc[i * x->ld + j] *= pf_head_of(&x->w->rows, y, x->r->layer, j / y->k.head_dim)->R[i];
}

static void scale_all(work *x, int64_t mul)
{
    if (mul != 1)
        for (size_t i = 0; i < (size_t)pf_tokens(x->y) * x->ld; i++)
            x->acc[i] *= mul;
}

static err acc_back3(work *x)
{
    const num_layer_fractions *f = &x->y->fractions.layer[x->r->layer];
    uint32_t l = x->r->layer;
    int top = f->dq > f->dk ? f->dq : f->dk;
    size_t n;
    top = top > f->dv ? top : f->dv;
    bt_gemm_term t[3] = { weight_term(x->w, pf_at(x->y, l, PF_DQ), num_tensor_of_layer(l, NUM_W_Q), true, &n),
                          weight_term(x->w, pf_at(x->y, l, PF_DK), num_tensor_of_layer(l, NUM_W_K), true, &n),
                          weight_term(x->w, pf_at(x->y, l, PF_DV), num_tensor_of_layer(l, NUM_W_V), true, &n) };
    t[0].shift = (unsigned)(top - f->dq);
    t[1].shift = (unsigned)(top - f->dk);
    t[2].shift = (unsigned)(top - f->dv);
    return run(x->ws, pf_tokens(x->y), n, t, 3, x->acc, x->ld, x->f);
}

static void acc_loss(work *x)
{
    const pf_layout *y = x->y;
    const int16_t *el = x->w->cell[pf_at(y, x->r->layer, PF_E)];
    const pf_head_rows *a = &x->w->rows.logits;
    for (uint32_t i = 0; i < pf_tokens(y); i++) {
        for (size_t j = 0; j < x->ld; j++)
            x->acc[i * x->ld + j] = ((int64_t)el[i * x->ld + j] + 32768) * a->R[i];
        if (pf_is_token(y, i))
            x->acc[i * x->ld + x->w->rows.targets[i]] -= (int64_t)1 << y->k.n_l;
    }
}

static void acc_norm(work *x)
{
    const pf_layout *y = x->y;
    bool second = y->tensors[x->r->out].slot == PF_Y2;
    const pf_norm_rows *n = pf_norm_of(&x->w->rows, y, x->r->layer, second);
    const int32_t *from = x->w->x[2 * x->r->layer + second];
    for (uint32_t i = 0; i < pf_tokens(y); i++)
        for (size_t j = 0; j < x->ld; j++)
            x->acc[i * x->ld + j] = n->r[i] * from[i * x->ld + j];
}

static void acc_dx(work *x)
{
    const pf_layout *y = x->y;
    bool second = y->tensors[x->r->out].slot == PF_DX2LO;
    const pf_norm_rows *n = pf_norm_of(&x->w->rows, y, x->r->layer, second);
    const int16_t *dn = x->w->cell[pf_at(y, x->r->layer, second ? PF_DN2 : PF_DN1)], *yy = x->w->cell[pf_at(y, x->r->layer, second ? PF_Y2 : PF_Y1)];
    for (uint32_t i = 0; i < pf_tokens(y); i++)
        for (size_t j = 0; j < x->ld; j++)
            x->acc[i * x->ld + j] = n->r[i] * dn[i * x->ld + j] - n->m[i] * yy[i * x->ld + j];
}

static void acc_stream(work *x)
{
    const pf_layout *y = x->y;
    uint32_t k = 1 + 2 * (y->shape.layers - 1 - x->r->layer) + (y->tensors[x->r->out].slot == PF_DA);
    for (size_t i = 0; i < (size_t)pf_tokens(y) * x->ld; i++)
        x->acc[i] = x->w->gx[k][i];
}

static err acc_ds(work *x)
{
    const pf_layout *y = x->y;
    uint32_t l = x->r->layer;
    const num_layer_fractions *f = &y->fractions.layer[l];
    const int16_t *e = x->w->cell[pf_at(y, l, PF_E)];
    TRY(pv_scores(x->w, x->ws, x->acc, x->ld, pf_at(y, l, PF_DP), pf_at(y, l, PF_V), x->f));
    for (uint32_t i = 0; i < pf_tokens(y); i++)
        for (uint32_t j = 0; j < y->shape.heads << y->t_bits; j++) {
            int64_t *a = &x->acc[i * x->ld + j];
            *a = e[i * x->ld + j] * (*a * ((int64_t)1 << (f->o - f->v)) - pf_head_of(&x->w->rows, y, l, j >> y->t_bits)->c[i]);
        }
    return OK;
}

err pv_accumulate(work *x)
{
    const pf_layout *y = x->y;
    const pf_rounding *r = x->r;
    uint32_t l = r->layer;
    switch (r->op) {
    case PF_OP_NORM:   acc_norm(x); return OK;
    case PF_OP_MATMUL: return pv_times_weight(x->w, x->ws, x->acc, x->ld, r->left, r->weight, false, x->f);
    case PF_OP_LOGIT:
        TRY(pv_times_weight(x->w, x->ws, x->acc, x->ld, r->left, r->weight, false, x->f));
        scale_all(x, r->mul);
        return OK;
    case PF_OP_BACK:   return pv_times_weight(x->w, x->ws, x->acc, x->ld, r->left, r->weight, true, x->f);
    case PF_OP_BACK3:  return acc_back3(x);
    case PF_OP_SCORE:
        TRY(pv_scores(x->w, x->ws, x->acc, x->ld, pf_at(y, l, PF_Q), pf_at(y, l, PF_K), x->f));
        scale_all(x, r->mul);
        return OK;
    case PF_OP_ATTEND:
        TRY(attend(x, PF_E, false, PF_V));
        scale_rows_by_head(x, y);
        return OK;
    case PF_OP_LOSS:   acc_loss(x); return OK;
    case PF_OP_GELU: {
        const int16_t *gd = x->w->cell[pf_at(y, l, PF_GD)];
        TRY(pv_times_weight(x->w, x->ws, x->acc, x->ld, r->left, r->weight, true, x->f));
        for (size_t i = 0; i < (size_t)pf_tokens(y) * x->ld; i++)
            x->acc[i] *= gd[i];
        return OK;
    }
    case PF_OP_DP:
        TRY(pv_times_weight(x->w, x->ws, x->acc, x->ld, r->left, r->weight, true, x->f));
        scale_rows_by_head(x, y);
        return OK;
    case PF_OP_DV: return attend(x, PF_E, true, PF_DP);
    case PF_OP_DS: return acc_ds(x);
    case PF_OP_DQ:
        TRY(attend(x, PF_DS, false, PF_K));
        scale_all(x, r->mul);
        return OK;
    case PF_OP_DK:
        TRY(attend(x, PF_DS, true, PF_Q));
        scale_all(x, r->mul);
        return OK;
    case PF_OP_DX:     acc_dx(x); return OK;
    default:           acc_stream(x); return OK;
    }
}
