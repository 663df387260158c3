/* SPDX-License-Identifier: Apache-2.0
 *
 * What is a sum over all positions of a lease: weight gradients, and the attested loss. */
#include "numerics/trace.h"
#include "proof/referee.h"
#include "proof/relation_int.h"

/* Positions whose token is the row. */
static int64_t token_embedding(pf_eval *v)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < v->c->model->shape.context && v->e == OK; i++)
        if (pf_get_token(v, i) == v->row)
            sum += pf_get_at(v, 0, NUM_GX, i, v->col);
    return sum;
}

static int64_t linear(pf_eval *v, uint32_t tensor)
{
    static const uint8_t left[NUM_W_PER_LAYER] = { NUM_Y1, NUM_Y1, NUM_Y1, NUM_OO, NUM_Y2, NUM_GG };
    static const uint8_t right[NUM_W_PER_LAYER] = { NUM_DQ, NUM_DK, NUM_DV, NUM_DA, NUM_DH, NUM_DM };
    const num_shape *s = &v->c->model->shape;
    uint32_t layer = (tensor - 2) / NUM_W_PER_LAYER, which = (tensor - 2) % NUM_W_PER_LAYER;
    bool head = layer == s->layers;
    int64_t sum = 0;
    for (uint32_t i = 0; i < s->context && v->e == OK; i++)
        sum += pf_get_at(v, layer, head ? NUM_Y1 : left[which], i, v->row) * pf_get_at(v, layer, head ? NUM_DL : right[which], i, v->col);
    return sum;
}

static int64_t loss(pf_eval *v)
{
    const num_shape *s = &v->c->model->shape;
    int64_t sum = 0;
    for (uint32_t i = 0; i < s->context && v->e == OK; i++)
        sum += pf_get_at(v, s->layers, NUM_LOSS, i, 0);
    return sum;
}

static int64_t of_sequence(pf_eval *v, uint32_t id)
{
    switch (id) {
    case PF_LOSS:         return loss(v);
    case PF_GRADIENT:     return token_embedding(v);
    case PF_GRADIENT + 1: return pf_get_at(v, 0, NUM_GX, v->row, v->col);
    default:              return linear(v, id - PF_GRADIENT);
    }
}

/* Finds the element's row and column. */
static err place(pf_eval *v, uint32_t id, uint64_t element, fault *f)
{
    const num_shape *s = &v->c->model->shape;
    num_tensor_info t = { .rows = 1, .cols = 1 };
    if (id != PF_LOSS) {
        if (id < PF_GRADIENT || id - PF_GRADIENT >= num_tensor_count(s))
            return fail(f, ERR_NOT_FOUND, "tensor", id);
        t = num_tensor_describe(s, id - PF_GRADIENT);
    }
    if (element >= (uint64_t)t.rows * t.cols)
        return fail(f, ERR_NOT_FOUND, "element", element);
    v->row = (uint32_t)(element / t.cols);
    v->col = (uint32_t)(element % t.cols);
    return OK;
}

err pf_sum_eval(int64_t *out, const pf_context *c, const pf_source *source, uint64_t from, uint64_t to, uint32_t id, uint64_t element,
                fault *f)
{
    pf_eval v = { .c = c, .source = source, .f = f };
    TRY(pf_eval_model(&v, f));
    TRY(place(&v, id, element, f));
    if (to <= from || to - from > LIMIT_LEASE_TOKENS / c->model->shape.context)
        return fail(f, ERR_RANGE, "sequences", to);
    int64_t sum = 0;
    for (v.sequence = from; v.sequence < to && v.e == OK; v.sequence++)
        sum += of_sequence(&v, id);
    if (v.e == OK)
        *out = sum;
    return v.e;
}
