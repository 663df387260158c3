/* SPDX-License-Identifier: Apache-2.0
 * Evidence files: what decodes encodes to the same bytes, and nothing a stranger can write convicts a trace root he does not
 * hold. The relations behind the hashes get their elements straight from the input. */
#include "numerics/model_header.h"
#include "numerics/trace.h"
#include "proof/plan.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A function of the place, like every real source. */
static err place(void *ctx, uint32_t tensor, uint64_t sequence, uint32_t row, uint32_t col, int64_t *out, fault *f)
{
    const bytes *in = ctx;
    uint8_t word[8] = { 0 };
    (void)f, (void)sequence;
    if (in->len == 0)
        return ERR_TRUNCATED;
    size_t at = (size_t)tensor * 31 + (size_t)row * 7 + (size_t)col * 9;
    size_t kind = in->data[at++ % in->len] % 9; /* length of the value: small ones matter most */
    for (size_t i = 0; i < kind; i++)
        word[i] = in->data[at++ % in->len];
    *out = (int64_t)load_le64(word);
    if (kind > 0 && kind < 8 && word[kind - 1] & 0x80)
        *out -= (int64_t)1 << (8 * kind);
    return OK;
}

/* Honest values only where the relation would refuse others at once: half of the inputs are cut to 11 bits. */
static err weight(void *ctx, uint32_t tensor, uint32_t row, uint32_t col, int64_t *out, fault *f)
{
    return place(ctx, tensor + 1, 0, row, col, out, f);
}

static err small_place(void *ctx, uint32_t tensor, uint64_t sequence, uint32_t row, uint32_t col, int64_t *out, fault *f)
{
    TRY(place(ctx, tensor, sequence, row, col, out, f));
    *out = *out % 2048 & INT64_MAX;
    return OK;
}

static err small_weight(void *ctx, uint32_t tensor, uint32_t row, uint32_t col, int64_t *out, fault *f)
{
    return small_place(ctx, tensor + 1, 0, row, col, out, f);
}

static err token(void *ctx, uint64_t sequence, uint32_t position, uint16_t *out, fault *f)
{
    const bytes *in = ctx;
    (void)f;
    *out = in->len ? in->data[(sequence * 5 + position) % in->len] % 64 : 0;
    return OK;
}

static void relations(const num_model_header *model, bytes in, uint32_t tensor, uint64_t at)
{
    pf_context c = { .model = model, .sequence = 1 };
    pf_source any = { &in, place, weight, token }, small = { &in, small_place, small_weight, token };
    pf_element out;
    int64_t sum;
    for (uint32_t i = 0; i < 8; i++) {
        uint32_t id = tensor % 64 > 39 ? NUM_TENSOR_ID(model->shape.layers, i) : tensor + i;
        err e = pf_relation_eval(&out, &c, i % 2 ? &any : &small, id, at, NULL);
        e = pf_sum_eval(&sum, &c, i % 2 ? &any : &small, 1, 3, i == 7 ? PF_LOSS : PF_GRADIENT + tensor % 64 + i, i == 7 ? 0 : at, NULL);
        (void)e;
    }
}

/* Any bytes as a leaf of any place: formed or not, without a step outside them. */
static void leaf(const num_model_header *model, bytes in, uint64_t at)
{
    num_trace_tensor t;
    uint64_t seq_index;
    uint32_t row, col;
    CHECK(num_trace_locate(&t, &seq_index, &row, &col, &model->shape, 3, at % num_trace_leaves(&model->shape, 3)) == OK);
    size_t len = num_leaf_bytes(t.elem_bytes);
    (void)num_leaf_is_formed(in, &t, seq_index, row, col);
    if (in.len > len)
        (void)num_leaf_is_formed(bytes_of(in.data + in.len - len, len), &t, seq_index, row, col);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pf_evidence e;
    bytes in = bytes_of(data, size), again;
    if (pf_evidence_decode(&e, in, NULL) != OK)
        return 0;
    uint8_t *out = malloc(size);
    CHECK(out != NULL);
    CHECK(pf_evidence_encode(out, size, &e, &again) == OK && bytes_equal(in, again));
    free(out);
    pf_statement s = { .model_id = num_model_id(e.model), .from = e.sequence, .to = e.sequence < UINT64_MAX ? e.sequence + 1 : e.sequence };
    pf_verdict v;
    CHECK(pf_referee_check(&v, &e, &s, NULL) != OK);
    num_model_header model;
    if (num_model_header_decode(&model, e.model, NULL) == OK && model.shape.width <= 256 && model.shape.context <= 256) {
        relations(&model, e.lease, e.tensor, e.element);
        leaf(&model, in, e.element);
    }
    return 0;
}
