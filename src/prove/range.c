/* SPDX-License-Identifier: Apache-2.0
 *
 * The witness of a step that ended in RANGE (spec/proof.md section 14): what was written before the check that failed. */
#include "numerics/trace.h"
#include "prove/prove_int.h"

#include <stdlib.h>
#include <string.h>

/* Tensors of the trace that a step shows before it ends: r and m come with the operand that they are for. */
static err check_seen(const pv_witness *w, const pf_layout *y, fault *f)
{
    num_trace_tensor t;
    uint32_t slot = y->until % 64, place;
    TRY(num_trace_find(&t, &place, &y->shape, y->until));
    bool with_row = slot == NUM_Y1 || slot == NUM_Y2 || slot == NUM_DX1 || slot == NUM_DX2;
    return w->seen == (place - with_row) * w->s->sequences ? OK : fail(f, ERR_STATE, "trace", w->seen);
}

static uint32_t tensor_of(const pf_layout *y, const pf_tensor *t)
{
    for (uint32_t i = 0; i < y->tensor_count; i++)
        if (y->tensors[i].layer == t->layer && y->tensors[i].slot == t->slot && y->tensors[i].digit == t->digit)
            return i;
    return PF_NONE;
}

/* Every tensor of the part is one of the whole, of the same shape; its tables are a part of the whole's, so multiplicities have room. */
static err repoint(pv_witness *w, const pf_layout *part, fault *f)
{
    const pf_layout *whole = &w->y;
    int16_t **cell = calloc((size_t)part->tensor_count + 1, sizeof *cell);
    if (!cell)
        return fail(f, ERR_MEMORY, "witness", part->tensor_count);
    for (uint32_t t = 0; t < part->tensor_count; t++)
        cell[t] = w->cell[tensor_of(whole, &part->tensors[t])];
    free(w->cell);
    w->cell = cell;
    return OK;
}

/* Row scalars of what is not reached are 0; those that were taken are kept. */
static err move_rows(pv_witness *w, const pf_layout *part, fault *f)
{
    pf_rows fresh;
    err e = pf_rows_init(&fresh, part, w->s, f);
    if (e == OK) {
        uint32_t n = pf_tokens(part);
        for (uint32_t l = 0; l < part->shape.layers; l++)
            for (uint32_t h = 0; h < part->shape.heads && pf_has(part, l, PF_E); h++) {
                const pf_head_rows *from = pf_head_of(&w->rows, part, l, h), *to = pf_head_of(&fresh, part, l, h);
                memcpy(to->max, from->max, n * sizeof *to->max);
                memcpy(to->index, from->index, n * sizeof *to->index);
                memcpy(to->Z, from->Z, n * sizeof *to->Z);
                if (pf_has(part, l, PF_DS))
                    memcpy(to->c, from->c, n * sizeof *to->c);
            }
        if (pf_has(part, part->shape.layers, PF_E)) {
            const pf_head_rows *from = &w->rows.logits, *to = &fresh.logits;
            memcpy(to->max, from->max, n * sizeof *to->max);
            memcpy(to->index, from->index, n * sizeof *to->index);
            memcpy(to->Z, from->Z, n * sizeof *to->Z);
            memcpy(to->c, from->c, n * sizeof *to->c);
        }
    }
    pf_rows_deinit(e == OK ? &w->rows : &fresh);
    if (e == OK)
        w->rows = fresh;
    return e;
}

err pv_reach(pv_witness *w, fault *f)
{
    pf_layout part;
    err e = pf_layout_init(&part, &w->s->shape, &w->s->fractions, w->s->sequences, pf_until(w->s), f);
    if (e == OK)
        e = check_seen(w, &part, f);
    if (e == OK)
        e = move_rows(w, &part, f);
    if (e == OK)
        e = repoint(w, &part, f);
    if (e != OK) {
        pf_layout_deinit(&part);
        return e;
    }
    pf_layout_deinit(&w->y);
    w->y = part;
    return OK;
}

/* n features of a token, from `first` on. */
static void copy_features(const pv_witness *w, int64_t *out, uint32_t tensor, uint32_t token, size_t first, size_t n)
{
    enum { PIECE = 256 };
    int32_t x[PIECE];
    for (size_t from = 0; from < n; from += PIECE) {
        const pv_window at = { first + from, n - from < PIECE ? n - from : PIECE };
        if (tensor >= PF_VIRTUAL_X)
            pv_stream_row(w, x, tensor, token, at);
        for (size_t j = 0; j < at.n; j++)
            out[from + j] = tensor >= PF_VIRTUAL_X ? x[j] : w->cell[tensor][(size_t)token * pf_padded(&w->y, tensor) + at.first + j];
    }
}

void pv_inputs(pv_witness *w)
{
    pf_check *c = &w->rows.check;
    for (uint32_t k = 0; k < c->blocks; k++) {
        const pf_block *b = &c->block[k];
        for (uint32_t i = 0; i < b->tokens; i++)
            copy_features(w, c->values + b->first + (size_t)i * b->features, b->tensor, b->token + i, b->feature, b->features);
    }
}
