/* SPDX-License-Identifier: Apache-2.0 */
#include "train/spoil.h"

#include "crypto/blake3.h"

/* What a drawn operation is: outputs that later operations read. */
static const num_slot targets[] = { NUM_X,  NUM_Y1, NUM_QQ, NUM_KK, NUM_VV, NUM_OO, NUM_B1, NUM_Y2, NUM_HH, NUM_GG, NUM_B2,
                                    NUM_DM, NUM_DH, NUM_DA, NUM_DP, NUM_DQ, NUM_DK, NUM_DV };

static tr_spoil_kind draw_kind(const tr_cheat *cheat, const hash256 *h)
{
    if (load_le32(h->b) % 1000000u >= cheat->rate_ppm)
        return TR_SPOIL_NOTHING;
    if (cheat->always != TR_SPOIL_NOTHING)
        return cheat->always;
    if (load_le32(h->b + 28) % 1000000u < cheat->gradient_ppm)
        return TR_SPOIL_GRADIENT;
    unsigned n = h->b[5] % (COUNT_OF(targets) + 2);
    return n < COUNT_OF(targets) ? TR_SPOIL_OPERATION : n == COUNT_OF(targets) ? TR_SPOIL_TOKEN_LOSS : TR_SPOIL_LOSS;
}

void tr_spoil_choose(tr_spoil *s, const tr_cheat *cheat, const num_shape *shape, const hash256 *lease, uint64_t from, uint64_t to)
{
    uint8_t text[40];
    store_le64(text, cheat->seed);
    memcpy(text + 8, lease->b, 32);
    hash256 h = cr_blake3_hash_in("theblock 2026 cheating worker v1", bytes_of(text, sizeof text));
    uint64_t where = load_le64(h.b + 8), index = load_le64(h.b + 16);
    num_tensor_info embedding = num_tensor_describe(shape, 0);
    num_trace_tensor t;
    *s = (tr_spoil){ .kind = draw_kind(cheat, &h), .tensor = UINT32_MAX, .sequence = from + load_le32(h.b + 24) % (to - from) };
    switch (s->kind) {
    case TR_SPOIL_NOTHING: case TR_SPOIL_LOSS: break;
    case TR_SPOIL_GRADIENT:   s->index = index % num_parameter_count(shape); break;
    case TR_SPOIL_EMBEDDING:  s->index = index % ((uint64_t)embedding.rows * embedding.cols); break;
    case TR_SPOIL_INPUT:      s->tensor = NUM_TENSOR_ID(0, NUM_X); break;
    case TR_SPOIL_TOKEN_LOSS: s->tensor = NUM_TENSOR_ID(shape->layers, NUM_LOSS); break;
    case TR_SPOIL_OPERATION:  s->tensor = NUM_TENSOR_ID(where % shape->layers, targets[h.b[5] % COUNT_OF(targets)]); break;
    }
    if (s->tensor == UINT32_MAX)
        return;
    CHECK(num_trace_find(&t, NULL, shape, s->tensor) == OK);
    s->index = index % ((uint64_t)t.rows * t.cols);
}

/* One towards zero, or one from zero: inside every table's domain. */
static int64_t nudge(int64_t v)
{
    return v > 0 ? v - 1 : v + 1;
}

static err take(void *ctx, uint32_t tensor_id, uint64_t sequence, const void *data, uint32_t rows, uint32_t cols,
                uint32_t elem_bytes)
{
    tr_spoil *s = ctx;
    if (s->tensor == tensor_id && s->sequence == sequence) {
        /* The executor shows its live tensor right after the operation, before anything reads it: writing here is what a faulty
         * or lying operation would have written. */
        if (elem_bytes == 2) {
            int16_t *p = (int16_t *)(uintptr_t)data + s->index;
            *p = (int16_t)nudge(*p);
        } else if (elem_bytes == 4) {
            int32_t *p = (int32_t *)(uintptr_t)data + s->index;
            *p = (int32_t)nudge(*p);
        } else {
            int64_t *p = (int64_t *)(uintptr_t)data + s->index;
            *p = nudge(*p);
        }
    }
    return s->next.fn ? s->next.fn(s->next.ctx, tensor_id, sequence, data, rows, cols, elem_bytes) : OK;
}

static void reset(void *ctx)
{
    const tr_spoil *s = ctx;
    if (s->next.reset)
        s->next.reset(s->next.ctx);
}

tr_observer tr_spoil_observer(tr_spoil *s)
{
    return (tr_observer){ take, s, reset };
}

void tr_spoil_gradient(const tr_spoil *s, int64_t *gradient)
{
    if (s->kind == TR_SPOIL_GRADIENT || s->kind == TR_SPOIL_EMBEDDING)
        gradient[s->index] = nudge(gradient[s->index]);
}

void tr_spoil_loss(const tr_spoil *s, int64_t *loss)
{
    if (s->kind == TR_SPOIL_LOSS)
        *loss = nudge(*loss);
}
