/* SPDX-License-Identifier: Apache-2.0
 *
 * The referee recomputes elements of traces that the tensor library made: every relation, and whole evidence files, honest,
 * forged and damaged. */
#include "crypto/merkle.h"
#include "numerics/dither.h"
#include "numerics/round.h"
#include "numerics/trace.h"
#include "proof/plan.h"
#include "torch/gpt.h"
#include "torch/optim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>

enum { SEQUENCES = 2, FROM = 7 };
_Static_assert(sizeof(pf_evidence) < 16384, "evidence lies on stacks");

typedef struct world {
    num_shape        shape;
    num_model_header header;
    bt_model         model;
    hash256          job;
    uint16_t        *tokens; /* SEQUENCES x (T + 1) */
    void            *data[SEQUENCES][64 * 50];
    hash256         *leaves, *weight_leaves;
    uint64_t         leaf_count, weight_leaf_count;
    hash256          trace_root, gradient_root, tokens_root, token_leaves[SEQUENCES];
    int64_t          loss;
    int64_t         *gradient;
    hash256         *gradient_leaves;
    uint32_t         seq_index; /* of the element in question */
    pf_context       context;
} world;

static err keep(void *ctx, uint32_t id, uint64_t sequence, const void *data, uint32_t rows, uint32_t cols, uint32_t elem_bytes)
{
    world *w = ctx;
    num_trace_tensor t;
    size_t size = (size_t)rows * cols * elem_bytes;
    assert_int_equal(num_trace_find(&t, NULL, &w->shape, id), OK);
    assert_int_equal(t.rows, rows);
    assert_int_equal(t.cols, cols);
    assert_int_equal(t.elem_bytes, elem_bytes);
    void **at = &w->data[sequence - FROM][id];
    assert_null(*at);
    *at = malloc(size);
    memcpy(*at, data, size);
    return OK;
}

static err from_trace(void *ctx, uint32_t id, uint64_t sequence, uint32_t row, uint32_t col, int64_t *out, fault *f)
{
    world *w = ctx;
    num_trace_tensor t;
    (void)f;
    assert_int_equal(num_trace_find(&t, NULL, &w->shape, id), OK);
    assert_true(row < t.rows && col < t.cols);
    const void *data = w->data[sequence - FROM][id];
    size_t at = (size_t)row * t.cols + col;
    *out = t.elem_bytes == 2 ? ((const int16_t *)data)[at] : t.elem_bytes == 4 ? ((const int32_t *)data)[at] : ((const int64_t *)data)[at];
    return OK;
}

static err from_model(void *ctx, uint32_t tensor, uint32_t row, uint32_t col, int64_t *out, fault *f)
{
    world *w = ctx;
    num_tensor_info t = num_tensor_describe(&w->shape, tensor);
    (void)f;
    assert_true(row < t.rows && col < t.cols);
    *out = w->model.weights[t.offset + (uint64_t)row * t.cols + col];
    return OK;
}

static err from_batch(void *ctx, uint64_t sequence, uint32_t position, uint16_t *out, fault *f)
{
    world *w = ctx;
    (void)f;
    assert_true(sequence >= FROM && sequence < FROM + SEQUENCES && position <= w->shape.context);
    *out = w->tokens[(sequence - FROM) * (w->shape.context + 1) + position];
    return OK;
}

static void hash_tokens(world *w)
{
    uint8_t *leaf = malloc(num_token_leaf_bytes(w->shape.context));
    for (uint32_t s = 0; s < SEQUENCES; s++) {
        num_token_leaf_encode(leaf, FROM + s, w->tokens + s * (w->shape.context + 1), w->shape.context);
        w->token_leaves[s] = cr_merkle_leaf(&cr_merkle_blake3, bytes_of(leaf, num_token_leaf_bytes(w->shape.context)));
    }
    w->tokens_root = cr_merkle_root(&cr_merkle_blake3, w->token_leaves, SEQUENCES);
    free(leaf);
}

static void hash_trace(world *w)
{
    for (uint32_t k = 0; k < num_trace_count(&w->shape); k++) {
        num_trace_tensor t = num_trace_at(&w->shape, k);
        for (uint32_t s = 0; s < SEQUENCES; s++)
            for (uint32_t r = 0; r < t.tile_rows; r++)
                for (uint32_t c = 0; c < t.tile_cols; c++) {
                    uint8_t leaf[NUM_LEAF_BYTES_MAX];
                    num_leaf_encode(leaf, &t, FROM + s, r, c, w->data[s][t.id]);
                    w->leaves[num_trace_leaf(&t, SEQUENCES, s, r, c)] = cr_merkle_leaf(&cr_merkle_blake3, bytes_of(leaf, num_leaf_bytes(t.elem_bytes)));
                }
    }
    w->trace_root = cr_merkle_root(&cr_merkle_blake3, w->leaves, w->leaf_count);
}

static void hash_weights(world *w)
{
    for (uint32_t i = 0; i < num_tensor_count(&w->shape); i++) {
        num_tensor_info t = num_tensor_describe(&w->shape, i);
        for (uint32_t r = 0; r < (t.rows + 15) / 16; r++)
            for (uint32_t c = 0; c < (t.cols + 15) / 16; c++) {
                uint8_t leaf[NUM_WEIGHT_LEAF_BYTES];
                num_weight_leaf_encode(leaf, &w->shape, i, r, c, w->model.weights + t.offset);
                w->weight_leaves[num_weight_leaf(&w->shape, i, r, c)] = cr_merkle_leaf(&cr_merkle_blake3, bytes_of(leaf, sizeof leaf));
            }
    }
    hash256 root = cr_merkle_root(&cr_merkle_blake3, w->weight_leaves, w->weight_leaf_count);
    assert_memory_equal(root.b, w->model.weight_root.b, 32);
}

static void hash_gradient(world *w)
{
    for (uint32_t i = 0; i < num_tensor_count(&w->shape); i++) {
        num_tensor_info t = num_tensor_describe(&w->shape, i);
        for (uint32_t r = 0; r < (t.rows + 15) / 16; r++)
            for (uint32_t c = 0; c < (t.cols + 15) / 16; c++) {
                uint8_t leaf[NUM_GRADIENT_LEAF_BYTES];
                num_gradient_leaf_encode(leaf, &w->shape, i, r, c, w->gradient + t.offset);
                w->gradient_leaves[num_weight_leaf(&w->shape, i, r, c)] = cr_merkle_leaf(&cr_merkle_blake3, bytes_of(leaf, sizeof leaf));
            }
    }
    w->gradient_root = cr_merkle_root(&cr_merkle_blake3, w->gradient_leaves, w->weight_leaf_count);
}

static world *world_new(num_shape shape)
{
    world *w = calloc(1, sizeof *w);
    fault f = { 0 };
    bt_device *device;
    bt_gpt *gpt;
    bt_state state;
    bt_result result;
    uint64_t sequences[SEQUENCES] = { FROM, FROM + 1 };
    w->shape = shape;
    w->gradient = calloc(num_parameter_count(&shape), sizeof *w->gradient);
    memset(w->job.b, 0x5a, 32);
    w->tokens = calloc(SEQUENCES * (shape.context + 1), sizeof *w->tokens);
    for (uint32_t i = 0; i < SEQUENCES * (shape.context + 1); i++)
        w->tokens[i] = (uint16_t)((i * i * 7 + i * 3 + 1) % shape.vocab);
    assert_int_equal(bt_backend_cpu.open(&device, 0, 1), OK);
    assert_int_equal(bt_gpt_new(&gpt, &shape, device, &f), OK);
    assert_int_equal(bt_state_init(&state, &shape, 11, &f), OK);
    for (uint64_t i = 0; i < num_parameter_count(&shape); i++)
        state.master[i] *= 4; /* attention that is not flat */
    assert_int_equal(bt_model_init(&w->model, &shape, &f), OK);
    bt_batch batch = { .job_id = w->job, .step = 3, .count = SEQUENCES, .sequences = sequences, .tokens = w->tokens };
    assert_int_equal(bt_gpt_calibrate(gpt, &w->header.fractions, state.master, &batch, 0, &f), OK);
    assert_int_equal(bt_state_publish(&state, &w->header.fractions, &w->model, bt_gpt_tables(gpt), &f), OK);
    assert_int_equal(bt_gpt_gradient(gpt, &w->model, &batch, w->gradient, &w->loss, &result, keep, w, &f), OK);
    assert_false(result.range);
    w->header.shape = shape;
    w->header.weight_root = w->model.weight_root;
    w->header.tables_hash = w->model.tables_hash;
    w->leaf_count = num_trace_leaves(&shape, SEQUENCES);
    w->leaves = calloc(w->leaf_count, sizeof *w->leaves);
    w->weight_leaf_count = num_weight_leaves(&shape);
    w->gradient_leaves = calloc(w->weight_leaf_count, sizeof *w->gradient_leaves);
    w->weight_leaves = calloc(w->weight_leaf_count, sizeof *w->weight_leaves);
    hash_trace(w);
    hash_weights(w);
    hash_tokens(w);
    w->context = (pf_context){ .model = &w->header, .dither_seed = num_dither_seed(&w->job, &w->model.id, 3), .sequence = FROM };
    bt_state_deinit(&state);
    bt_gpt_free(gpt);
    device->backend->close(device);
    hash_gradient(w);
    return w;
}

static void world_free(world *w)
{
    for (uint32_t s = 0; s < SEQUENCES; s++)
        for (size_t i = 0; i < COUNT_OF(w->data[s]); i++)
            free(w->data[s][i]);
    bt_model_deinit(&w->model);
    free(w->tokens);
    free(w->leaves);
    free(w->gradient);
    free(w->gradient_leaves);
    free(w->weight_leaves);
    free(w);
}

static void look_at(world *w, uint32_t seq_index)
{
    w->seq_index = seq_index;
    w->context.sequence = FROM + seq_index;
}

static const num_shape small = { 40, 20, 48, 2, 3, 12, NUM_NARROW };

static err level_stream(void *ctx, uint32_t id, uint64_t sequence, uint32_t row, uint32_t col, int64_t *out, fault *f)
{
    (void)id, (void)sequence, (void)row, (void)col, (void)f;
    *out = *(const int64_t *)ctx;
    return OK;
}

static void squares_have_a_domain(void **state)
{
    (void)state;
    world *w = world_new(small);
    const int64_t inside = (int64_t)isqrt_u128(((u128)1 << 42) / small.width), outside = inside + 1;
    pf_element x = { 0 };
    look_at(w, 0);
    for (int i = 0; i < 2; i++) {
        pf_source source = { (void *)(uintptr_t)(i ? &outside : &inside), level_stream, from_model, from_batch };
        assert_int_equal(pf_relation_eval(&x, &w->context, &source, NUM_TENSOR_ID(1, NUM_R2), 3, NULL), OK);
        assert_int_equal(x.range, i == 1);
    }
    world_free(w);
}

/* Two implementations of every equation of sections 4 and 5. */
static void every_element_is_what_its_relation_says(void **state)
{
    (void)state;
    const num_shape shapes[] = { small, { 19, 7, 20, 1, 2, 8, NUM_NARROW }, { 33, 18, 24, 2, 1, 16, NUM_WIDE } };
    for (size_t i = 0; i < COUNT_OF(shapes); i++) {
        world *w = world_new(shapes[i]);
        pf_source source = { w, from_trace, from_model, from_batch };
        for (uint32_t s = 0; s < SEQUENCES; s++)
            for (uint32_t k = 0; k < num_trace_count(&w->shape); k++) {
                num_trace_tensor t = num_trace_at(&w->shape, k);
                uint64_t n = (uint64_t)t.rows * t.cols, step = n > 300 ? 7 : 1;
                look_at(w, s);
                for (uint64_t e = s; e < n; e += step) {
                    pf_element x = { 0 };
                    fault f = { 0 };
                    int64_t committed;
                    if (pf_relation_eval(&x, &w->context, &source, t.id, e, &f) != OK)
                        fail_msg("tensor %u: %s", t.id, f.what);
                    assert_int_equal(from_trace(w, t.id, FROM + s, (uint32_t)(e / t.cols), (uint32_t)(e % t.cols), &committed, NULL), OK);
                    if (x.range || x.value != committed)
                        fail_msg("layer %u slot %u element %lu: %ld, relation says %ld", t.id / 64, t.id % 64, (unsigned long)e,
                                 (long)committed, (long)x.value);
                }
            }
        world_free(w);
    }
}

/* ---- evidence files ---- */

typedef struct file {
    uint8_t  bytes[65536], model[NUM_MODEL_HEADER_BYTES_MAX];
    bytes    view;
} file;

/* Returns the packed size. */
static size_t tile_bytes(const world *w, const num_trace_tensor *t, uint64_t seq, uint64_t tile, uint8_t *out)
{
    uint32_t row = (uint32_t)(tile / t->tile_cols), col = (uint32_t)(tile % t->tile_cols);
    uint8_t leaf[NUM_LEAF_BYTES_MAX];
    num_leaf_encode(leaf, t, FROM + seq, row, col, w->data[seq][t->id]);
    return num_tile_pack(out, leaf + NUM_LEAF_HEAD, num_tile_span(t->rows, row), num_tile_span(t->cols, col), t->elem_bytes);
}

static bytes siblings_of(const hash256 *leaves, uint64_t count, pf_run run)
{
    hash256 *out = malloc(CR_MERKLE_RANGE_MAX * sizeof *out);
    return bytes_of(out, cr_merkle_range(&cr_merkle_blake3, out, leaves, count, run.first, run.count) * sizeof *out);
}

static void free_openings(pf_opening *o, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        free((void *)o[i].elements.data);
        free((void *)o[i].siblings.data);
    }
}

/* What the coordinator does: plan, then open. False if it does not fit an evidence file. */
static bool accuse(world *w, file *out, uint32_t tensor, uint64_t element)
{
    pf_source source = { w, from_trace, from_model, from_batch };
    pf_plan plan;
    pf_evidence e = { .lease = bytes_of_str("lease"), .attestation = bytes_of_str("attestation"), .tensor = tensor,
                      .sequence = FROM + w->seq_index, .element = element };
    if (pf_plan_make(&plan, &w->context, &source, FROM, FROM + SEQUENCES, tensor, element, NULL) != OK)
        return false;
    assert_int_equal(num_model_header_encode(out->model, sizeof out->model, &w->header, &e.model), OK);
    for (uint32_t i = 0; i < plan.trace_count; i++) {
        num_trace_tensor t;
        uint64_t seq;
        uint32_t r, c;
        assert_int_equal(num_trace_locate(&t, &seq, &r, &c, &w->shape, SEQUENCES, plan.trace[i].first), OK);
        uint8_t *data = malloc((size_t)t.elem_bytes * NUM_TILE_ELEMENTS * plan.trace[i].count);
        size_t len = 0;
        for (uint32_t k = 0; k < plan.trace[i].count; k++)
            len += tile_bytes(w, &t, seq, (uint64_t)r * t.tile_cols + c + k, data + len);
        e.trace[e.trace_count++] = (pf_opening){ plan.trace[i].first, bytes_of(data, len),
                                                 siblings_of(w->leaves, w->leaf_count, plan.trace[i]) };
    }
    for (uint32_t i = 0; i < plan.weight_count; i++) {
        uint32_t tensor_index = 0;
        while (tensor_index + 1 < num_tensor_count(&w->shape) && num_weight_leaf(&w->shape, tensor_index + 1, 0, 0) <= plan.weight[i].first)
            tensor_index++;
        num_tensor_info t = num_tensor_describe(&w->shape, tensor_index);
        uint32_t cols = (t.cols + 15) / 16;
        uint8_t *data = malloc((size_t)512 * plan.weight[i].count), leaf[NUM_WEIGHT_LEAF_BYTES];
        size_t len = 0;
        for (uint32_t k = 0; k < plan.weight[i].count; k++) {
            uint64_t tile = plan.weight[i].first + k - num_weight_leaf(&w->shape, tensor_index, 0, 0);
            num_weight_leaf_encode(leaf, &w->shape, tensor_index, (uint32_t)(tile / cols), (uint32_t)(tile % cols), w->model.weights + t.offset);
            len += num_tile_pack(data + len, leaf + NUM_LEAF_HEAD, num_tile_span(t.rows, (uint32_t)(tile / cols)),
                                 num_tile_span(t.cols, (uint32_t)(tile % cols)), 2);
        }
        e.weight[e.weight_count++] = (pf_opening){ plan.weight[i].first, bytes_of(data, len),
                                                   siblings_of(w->weight_leaves, w->weight_leaf_count, plan.weight[i]) };
    }
    if (plan.tokens.count) {
        size_t one = 2 * (w->shape.context + 1);
        uint8_t *data = malloc(plan.tokens.count * one);
        for (size_t i = 0; i < plan.tokens.count * (one / 2); i++)
            store_le16(data + 2 * i, w->tokens[plan.tokens.first * (one / 2) + i]);
        e.tokens = (pf_opening){ plan.tokens.first, bytes_of(data, plan.tokens.count * one), siblings_of(w->token_leaves, SEQUENCES, plan.tokens) };
        e.tokens_count = 1;
    }
    uint8_t gradient_leaf[NUM_GRADIENT_LEAF_BYTES];
    if (tensor >= PF_GRADIENT && tensor != PF_LOSS) {
        num_tensor_info t = num_tensor_describe(&w->shape, tensor - PF_GRADIENT);
        uint64_t tile = plan.gradient - num_weight_leaf(&w->shape, tensor - PF_GRADIENT, 0, 0), cols = (t.cols + 15) / 16;
        num_gradient_leaf_encode(gradient_leaf, &w->shape, tensor - PF_GRADIENT, (uint32_t)(tile / cols), (uint32_t)(tile % cols), w->gradient + t.offset);
        uint8_t *packed = gradient_leaf + NUM_LEAF_HEAD;
        size_t len = num_tile_pack(packed, packed, num_tile_span(t.rows, (uint32_t)(tile / cols)), num_tile_span(t.cols, (uint32_t)(tile % cols)), 8);
        e.gradient = (pf_opening){ plan.gradient, bytes_of(packed, len),
                                   siblings_of(w->gradient_leaves, w->weight_leaf_count, (pf_run){ plan.gradient, 1 }) };
        e.gradient_count = 1;
    }
    err result = pf_evidence_encode(out->bytes, sizeof out->bytes, &e, &out->view);
    free_openings(e.trace, e.trace_count);
    free_openings(e.weight, e.weight_count);
    free_openings(&e.tokens, e.tokens_count);
    if (e.gradient_count)
        free((void *)e.gradient.siblings.data);
    return result == OK;
}

static pf_statement statement_of(const world *w)
{
    return (pf_statement){ .job_id = w->job, .model_id = w->model.id, .trace_root = w->trace_root, .gradient_root = w->gradient_root,
                           .tokens_root = w->tokens_root, .loss = w->loss, .step = 3, .from = FROM, .to = FROM + SEQUENCES };
}

static err judge(const world *w, bytes view, pf_verdict *v, const pf_statement *s, fault *f)
{
    (void)w;
    pf_evidence e;
    err code = pf_evidence_decode(&e, view, f);
    return code != OK ? code : pf_referee_check(v, &e, s, f);
}

static void nudge(world *w, uint32_t id, uint64_t element, int by)
{
    num_trace_tensor t;
    assert_int_equal(num_trace_find(&t, NULL, &w->shape, id), OK);
    void *data = w->data[w->seq_index][id];
    if (t.elem_bytes == 2)
        ((int16_t *)data)[element] = (int16_t)(((int16_t *)data)[element] + by);
    else if (t.elem_bytes == 4)
        ((int32_t *)data)[element] += by;
    else
        ((int64_t *)data)[element] += by;
    hash_trace(w);
}

static void one_wrong_element_of_every_tensor_is_proved_and_a_right_one_is_not(void **state)
{
    (void)state;
    world *w = world_new(small);
    file *evidence = malloc(sizeof *evidence);
    for (uint32_t k = 0; k < num_trace_count(&w->shape); k++) {
        num_trace_tensor t = num_trace_at(&w->shape, k);
        uint64_t element = (uint64_t)t.rows * t.cols * 5 / 7;
        pf_verdict v;
        fault f = { 0 };
        look_at(w, k % SEQUENCES);
        assert_true(accuse(w, evidence, t.id, element));
        pf_statement s = statement_of(w);
        assert_int_equal(judge(w, evidence->view, &v, &s, &f), ERR_EVIDENCE);
        assert_string_equal(f.what, "the attested element is right");
        nudge(w, t.id, element, 1);
        assert_true(accuse(w, evidence, t.id, element));
        s = statement_of(w);
        if (judge(w, evidence->view, &v, &s, &f) != OK)
            fail_msg("layer %u slot %u: %s", t.id / 64, t.id % 64, f.what);
        assert_true(v.expected == v.committed - 1);
        assert_false(v.expected_range);
        nudge(w, t.id, element, -1);
    }
    free(evidence);
    world_free(w);
}

static void one_wrong_element_of_every_gradient_is_proved(void **state)
{
    (void)state;
    world *w = world_new(small);
    file *evidence = malloc(sizeof *evidence);
    for (uint32_t i = 0; i < num_tensor_count(&w->shape); i++) {
        num_tensor_info t = num_tensor_describe(&w->shape, i);
        uint64_t element = (uint64_t)t.rows * t.cols * 4 / 9;
        pf_verdict v;
        fault f = { 0 };
        for (int wrong = 0; wrong <= 1; wrong++) {
            w->gradient[t.offset + element] += wrong;
            hash_gradient(w);
            pf_statement s = statement_of(w);
            assert_true(accuse(w, evidence, PF_GRADIENT + i, element));
            assert_int_equal(judge(w, evidence->view, &v, &s, &f), wrong ? OK : ERR_EVIDENCE);
        }
        assert_true(v.expected == v.committed - 1);
        w->gradient[t.offset + element]--;
    }
    free(evidence);
    world_free(w);
}

/* The model of the demonstration: every tensor and gradient can be disputed within the limits of an evidence file. */
static void evidence_fits_at_width_128(void **state)
{
    (void)state;
    world *w = world_new((num_shape){ 73, 64, 128, 4, 4, 12, NUM_NARROW });
    file *evidence = malloc(sizeof *evidence);
    size_t most = 0;
    for (uint32_t k = 0; k < num_trace_count(&w->shape); k++) {
        num_trace_tensor t = num_trace_at(&w->shape, k);
        if (!accuse(w, evidence, t.id, (uint64_t)t.rows * t.cols - 1) || !accuse(w, evidence, t.id, t.cols / 2))
            fail_msg("layer %u slot %u does not fit", t.id / 64, t.id % 64);
        most = evidence->view.len > most ? evidence->view.len : most;
    }
    for (uint32_t i = 0; i < num_tensor_count(&w->shape); i++)
        assert_true(accuse(w, evidence, PF_GRADIENT + i, 300));
    assert_true(accuse(w, evidence, PF_LOSS, 0));
    print_message("largest evidence: %zu bytes\n", most);
    free(evidence);
    world_free(w);
}

static void a_wrong_loss_is_proved(void **state)
{
    (void)state;
    world *w = world_new(small);
    file *evidence = malloc(sizeof *evidence);
    pf_verdict v;
    fault f = { 0 };
    assert_true(accuse(w, evidence, PF_LOSS, 0));
    pf_statement s = statement_of(w);
    assert_int_equal(judge(w, evidence->view, &v, &s, &f), ERR_EVIDENCE);
    assert_string_equal(f.what, "the attested element is right");
    s.loss -= 7;
    assert_int_equal(judge(w, evidence->view, &v, &s, &f), OK);
    assert_int_equal(v.committed, w->loss - 7);
    assert_int_equal(v.expected, w->loss);
    assert_false(accuse(w, evidence, PF_LOSS, 1)); /* there is one element */
    assert_false(accuse(w, evidence, PF_LOSS + 1, 0));
    /* A committed loss that no execution has is itself what is wrong. */
    nudge(w, NUM_TENSOR_ID(small.layers, NUM_LOSS), 3, -(1 << 30));
    pf_source source = { w, from_trace, from_model, from_batch };
    int64_t sum;
    assert_int_equal(pf_sum_eval(&sum, &w->context, &source, FROM, FROM + SEQUENCES, PF_LOSS, 0, &f), ERR_EVIDENCE);
    free(evidence);
    world_free(w);
}

/* Losses are opened without their padding, so many positions fit; and they fit in runs of many tiles. */
static void the_loss_of_a_long_lease_fits(void **state)
{
    (void)state;
    world *w = world_new((num_shape){ 19, 600, 8, 1, 1, 12, NUM_NARROW });
    file *evidence = malloc(sizeof *evidence);
    pf_verdict v;
    assert_true(accuse(w, evidence, PF_LOSS, 0));
    assert_true(evidence->view.len < 16384);
    pf_statement s = statement_of(w);
    s.loss++;
    assert_int_equal(judge(w, evidence->view, &v, &s, NULL), OK);
    assert_int_equal(v.expected, w->loss);
    free(evidence);
    world_free(w);
}

/* Puts `leaf` where an element's tile should be, and opens it as it is. */
static err judge_leaf(world *w, uint64_t at, bytes leaf, uint64_t named, fault *f)
{
    hash256 saved = w->leaves[at];
    pf_verdict v;
    pf_evidence e = { .tensor = PF_LEAF, .sequence = FROM, .element = named, .trace_count = 1 };
    uint8_t model[NUM_MODEL_HEADER_BYTES_MAX];
    w->leaves[at] = cr_merkle_leaf(&cr_merkle_blake3, leaf);
    w->trace_root = cr_merkle_root(&cr_merkle_blake3, w->leaves, w->leaf_count);
    assert_int_equal(num_model_header_encode(model, sizeof model, &w->header, &e.model), OK);
    e.trace[0] = (pf_opening){ at, leaf, siblings_of(w->leaves, w->leaf_count, (pf_run){ at, 1 }) };
    pf_statement s = statement_of(w);
    err code = pf_referee_check(&v, &e, &s, f);
    pf_evidence none = e;
    none.trace_count = 0;
    assert_int_equal(pf_referee_check(&v, &none, &s, NULL), ERR_EVIDENCE);
    s.trace_root.b[0] ^= 1;
    assert_int_equal(pf_referee_check(&v, &e, &s, NULL), named == at ? ERR_PROOF : ERR_EVIDENCE);
    free((void *)e.trace[0].siblings.data);
    w->leaves[at] = saved;
    return code;
}

/* What a worker might commit to so that nothing can be opened there. */
static void a_malformed_leaf_is_proved(void **state)
{
    (void)state;
    world *w = world_new(small);
    num_trace_tensor t;
    uint8_t leaf[NUM_LEAF_BYTES_MAX + 1] = { 0 };
    fault f = { 0 };
    assert_int_equal(num_trace_find(&t, NULL, &small, NUM_TENSOR_ID(1, NUM_Y1)), OK);
    uint64_t at = num_trace_leaf(&t, SEQUENCES, 1, 1, 2); /* 4 of its 16 rows lie inside */
    size_t len = num_leaf_bytes(t.elem_bytes);
    num_leaf_encode(leaf, &t, FROM + 1, 1, 2, w->data[1][t.id]);
    assert_int_equal(judge_leaf(w, at, bytes_of(leaf, len), at, &f), ERR_EVIDENCE);
    assert_string_equal(f.what, "the leaf is well formed");
    leaf[NUM_LEAF_HEAD + 3] ^= 1; /* an element: that is for its relation to say */
    assert_int_equal(judge_leaf(w, at, bytes_of(leaf, len), at, &f), ERR_EVIDENCE);
    static const size_t wrong[] = { 0, 4, 12, 16, NUM_LEAF_HEAD + 2 * 4 * NUM_TILE, NUM_LEAF_HEAD + 2 * NUM_TILE_ELEMENTS - 1 };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) { /* each field of the head, and the padding's first and last byte */
        leaf[wrong[i]] ^= 1;
        assert_int_equal(judge_leaf(w, at, bytes_of(leaf, len), at, &f), OK);
        leaf[wrong[i]] ^= 1;
    }
    assert_int_equal(judge_leaf(w, at, bytes_of(leaf, len - 1), at, &f), OK);
    assert_int_equal(judge_leaf(w, at, bytes_of(leaf, len + 1), at, &f), OK);
    assert_int_equal(judge_leaf(w, at, bytes_of(leaf, 0), at, &f), OK);
    assert_int_equal(judge_leaf(w, at, bytes_of(leaf, len - 1), at + 1, &f), ERR_EVIDENCE);
    assert_string_equal(f.what, "the leaf is missing");
    world_free(w);
}

/* A token that the lease does not have has no gradient: its evidence is all tokens and no tile of the trace. */
static void a_token_that_does_not_occur(void **state)
{
    (void)state;
    world *w = world_new((num_shape){ 80, 20, 48, 2, 3, 12, NUM_NARROW });
    file *evidence = malloc(sizeof *evidence);
    uint32_t token = 0;
    for (bool found = false; !found; token += !found) {
        found = true;
        for (uint32_t s = 0; s < SEQUENCES; s++)
            for (uint32_t i = 0; i < w->shape.context; i++)
                found = found && w->tokens[s * (w->shape.context + 1) + i] != token;
    }
    pf_verdict v;
    pf_evidence e;
    w->gradient[token * w->shape.width + 2] = 9;
    hash_gradient(w);
    assert_true(accuse(w, evidence, PF_GRADIENT, token * w->shape.width + 2));
    assert_int_equal(pf_evidence_decode(&e, evidence->view, NULL), OK);
    assert_int_equal(e.trace_count, 0);
    pf_statement s = statement_of(w);
    assert_int_equal(judge(w, evidence->view, &v, &s, NULL), OK);
    assert_int_equal(v.committed, 9);
    assert_int_equal(v.expected, 0);
    free(evidence);
    world_free(w);
}

/* What depends on tokens needs them opened, all that it reads, under the lease's root. */
static void tokens_are_opened_or_it_does_not_hold(void **state)
{
    (void)state;
    world *w = world_new(small);
    file *evidence = malloc(sizeof *evidence);
    const uint32_t L = small.layers, T = small.context;
    const struct { uint32_t tensor; uint64_t element; } cases[] = {
        { NUM_TENSOR_ID(0, NUM_X), 5 }, { NUM_TENSOR_ID(L, NUM_LOSS), 7 }, { NUM_TENSOR_ID(L, NUM_DL), 45 }, { PF_GRADIENT, w->tokens[3] * 48u + 1 },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        bool sum = cases[i].tensor >= PF_GRADIENT;
        look_at(w, 1);
        if (sum) {
            w->gradient[cases[i].element]++;
            hash_gradient(w);
        } else {
            nudge(w, cases[i].tensor, cases[i].element, 1);
        }
        assert_true(accuse(w, evidence, cases[i].tensor, cases[i].element));
        pf_statement s = statement_of(w), other = s;
        pf_evidence e, bad;
        pf_verdict v;
        fault f = { 0 };
        assert_int_equal(pf_evidence_decode(&e, evidence->view, NULL), OK);
        assert_int_equal(e.tokens.first, sum ? 0 : 1);
        assert_int_equal(e.tokens.elements.len, 2 * (T + 1) * (sum ? SEQUENCES : 1));
        assert_int_equal(pf_referee_check(&v, &e, &s, &f), OK);
        other.tokens_root.b[9] ^= 1; /* other tokens than those of the lease */
        assert_int_equal(pf_referee_check(&v, &e, &other, &f), ERR_PROOF);
        bad = e, bad.tokens_count = 0;
        assert_int_equal(pf_referee_check(&v, &bad, &s, &f), ERR_EVIDENCE);
        assert_string_equal(f.what, "the tokens are missing");
        bad = e, bad.tokens.first = SEQUENCES;
        assert_int_equal(pf_referee_check(&v, &bad, &s, &f), ERR_PROOF);
        bad = e, bad.tokens.first = UINT64_MAX;
        assert_int_equal(pf_referee_check(&v, &bad, &s, &f), ERR_PROOF);
        bad = e, bad.tokens.elements.len -= 2; /* not whole sequences */
        assert_int_equal(pf_referee_check(&v, &bad, &s, &f), ERR_PROOF);
        bad = e, bad.tokens.elements.len = 0;
        assert_int_equal(pf_referee_check(&v, &bad, &s, &f), ERR_PROOF);
        /* The other sequence's tokens, rightly opened. */
        uint8_t other_tokens[2 * 64];
        for (uint32_t k = 0; k <= T; k++)
            store_le16(other_tokens + 2 * k, w->tokens[k]);
        bad = e, bad.tokens = (pf_opening){ 0, bytes_of(other_tokens, 2 * (T + 1)), BYTES_OF(w->token_leaves[1]) };
        assert_int_equal(pf_referee_check(&v, &bad, &s, &f), ERR_EVIDENCE);
        assert_string_equal(f.what, "the tokens are missing");
        if (sum)
            w->gradient[cases[i].element]--;
        else
            nudge(w, cases[i].tensor, cases[i].element, -1);
    }
    /* A lease over tokens that the model does not have convicts nobody. */
    w->tokens[T + 1] = (uint16_t)small.vocab;
    hash_tokens(w);
    pf_source source = { w, from_trace, from_model, from_batch };
    pf_element x;
    fault f = { 0 };
    assert_int_equal(pf_relation_eval(&x, &w->context, &source, NUM_TENSOR_ID(0, NUM_X), 0, &f), ERR_RANGE);
    assert_string_equal(f.what, "token");
    free(evidence);
    world_free(w);
}

static void a_false_range_is_proved(void **state)
{
    (void)state;
    world *w = world_new(small);
    file *evidence = malloc(sizeof *evidence);
    const uint32_t q = NUM_TENSOR_ID(1, NUM_QQ);
    pf_verdict v;
    fault f = { 0 };
    assert_true(accuse(w, evidence, q, 100));
    pf_statement s = statement_of(w);
    s.range = true;
    s.range_tensor = q;
    s.range_sequence = FROM;
    s.range_index = 100;
    assert_int_equal(judge(w, evidence->view, &v, &s, &f), OK);
    s.range_index = 99; /* element 100 comes after it: nothing is attested about that */
    assert_int_equal(judge(w, evidence->view, &v, &s, &f), ERR_EVIDENCE);
    assert_string_equal(f.what, "RANGE was attested for another element");
    s.range_index = 101; /* it comes before, so it should be inside its domain: it is */
    assert_int_equal(judge(w, evidence->view, &v, &s, &f), ERR_EVIDENCE);
    assert_string_equal(f.what, "the attested element is right");
    free(evidence);
    world_free(w);
}

/* Up to the tensor that RANGE names the trace is committed and can be wrong like any other; from there on it is not. */
static void a_wrong_trace_below_range_is_proved(void **state)
{
    (void)state;
    world *w = world_new(small);
    file *evidence = malloc(sizeof *evidence);
    const uint32_t before = NUM_TENSOR_ID(0, NUM_KK), named = NUM_TENSOR_ID(1, NUM_QQ), after = NUM_TENSOR_ID(1, NUM_KK);
    const uint32_t tensors[] = { before, named, after };
    for (size_t i = 0; i < COUNT_OF(tensors); i++)
        for (int wrong = 0; wrong <= 1; wrong++) {
            pf_verdict v;
            fault f = { 0 };
            nudge(w, tensors[i], 100, wrong);
            assert_true(accuse(w, evidence, tensors[i], 100));
            pf_statement s = statement_of(w);
            s.range = true;
            s.range_tensor = named;
            s.range_sequence = FROM + 1;
            err e = judge(w, evidence->view, &v, &s, &f);
            assert_int_equal(e, wrong && tensors[i] == before ? OK : ERR_EVIDENCE);
            nudge(w, tensors[i], 100, -wrong);
        }
    assert_true(accuse(w, evidence, PF_LOSS, 0));
    pf_statement s = statement_of(w);
    pf_verdict v;
    s.range = true;
    s.range_tensor = named;
    s.range_sequence = FROM + 1;
    s.loss = 0;
    assert_int_equal(judge(w, evidence->view, &v, &s, NULL), ERR_EVIDENCE);
    free(evidence);
    world_free(w);
}

/* RANGE where no check exists would be pay without work if only a recomputed element could refute it. */
static void an_impossible_range_is_proved_without_openings(void **state)
{
    (void)state;
    world *w = world_new(small);
    file *evidence = malloc(sizeof *evidence);
    const uint32_t q = NUM_TENSOR_ID(1, NUM_QQ), L = small.layers;
    num_trace_tensor t;
    assert_int_equal(num_trace_find(&t, NULL, &small, q), OK);
    const uint64_t size = (uint64_t)t.rows * t.cols;
    const struct {
        uint32_t tensor;
        uint64_t index;
    } impossible[] = {
        { q, size }, { q, UINT64_MAX }, { NUM_TENSOR_ID(L + 1, NUM_QQ), 0 }, { NUM_TENSOR_ID(L, NUM_QQ), 0 }, { UINT32_MAX, 0 },
        { PF_GRADIENT + 2, 0 }, { NUM_TENSOR_ID(0, NUM_X), 0 }, { NUM_TENSOR_ID(L, NUM_LOSS), 0 }, { NUM_TENSOR_ID(0, NUM_GG), 1 },
    };
    for (size_t i = 0; i < COUNT_OF(impossible); i++) {
        pf_evidence e = { .tensor = impossible[i].tensor, .sequence = FROM, .element = impossible[i].index };
        assert_int_equal(num_model_header_encode(evidence->model, sizeof evidence->model, &w->header, &e.model), OK);
        pf_statement s = statement_of(w);
        s.range = true;
        s.range_tensor = e.tensor;
        s.range_sequence = FROM;
        s.range_index = e.element;
        pf_verdict v;
        assert_int_equal(pf_referee_check(&v, &e, &s, NULL), OK);
        e.sequence++; /* not what was attested */
        assert_int_equal(pf_referee_check(&v, &e, &s, NULL), ERR_EVIDENCE);
        e.sequence--;
        s.range = false; /* NORMAL was attested: the same file shows nothing */
        assert_int_not_equal(pf_referee_check(&v, &e, &s, NULL), OK);
    }
    /* A possible one still needs its element. */
    pf_evidence e = { .tensor = q, .sequence = FROM, .element = size - 1 };
    assert_int_equal(num_model_header_encode(evidence->model, sizeof evidence->model, &w->header, &e.model), OK);
    pf_statement s = statement_of(w);
    s.range = true;
    s.range_tensor = q;
    s.range_sequence = FROM;
    s.range_index = size - 1;
    pf_verdict v;
    assert_int_equal(pf_referee_check(&v, &e, &s, NULL), ERR_EVIDENCE);
    free(evidence);
    world_free(w);
}

/* A worker may commit any bytes: reciprocals that no sum has must be refused before they are multiplied. */
static err hostile_trace(void *ctx, uint32_t id, uint64_t sequence, uint32_t row, uint32_t col, int64_t *out, fault *f)
{
    const num_const *k = ctx;
    (void)sequence, (void)row, (void)col, (void)f;
    *out = id % 64 == NUM_RL ? (int64_t)1 << k->n_l : id % 64 == NUM_RSUM ? (int64_t)2 << k->f_R : id % 64 == NUM_EL ? k->q_l : k->q_max;
    return OK;
}

static err any_weight(void *ctx, uint32_t tensor, uint32_t row, uint32_t col, int64_t *out, fault *f)
{
    const num_const *k = ctx;
    (void)tensor, (void)row, (void)col, (void)f;
    *out = k->q_max;
    return OK;
}

static err any_token(void *ctx, uint64_t sequence, uint32_t position, uint16_t *out, fault *f)
{
    (void)ctx, (void)sequence, (void)position, (void)f;
    *out = 0;
    return OK;
}

static void hostile_reciprocals_are_refused(void **state)
{
    (void)state;
    world *w = world_new((num_shape){ 19, 8, 16, 1, 2, 16, NUM_WIDE });
    num_const k;
    assert_int_equal(num_const_of(&k, &w->shape, NULL), OK);
    pf_source source = { &k, hostile_trace, any_weight, any_token };
    const uint32_t ids[] = { NUM_TENSOR_ID(1, NUM_DL), NUM_TENSOR_ID(0, NUM_OO), NUM_TENSOR_ID(0, NUM_DP) };
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        pf_element x;
        assert_int_equal(pf_relation_eval(&x, &w->context, &source, ids[i], 3, NULL), ERR_EVIDENCE);
    }
    world_free(w);
}

/* Forged evidence against an honest worker: whatever byte is changed, it does not hold. */
static void damage_never_convicts(void **state)
{
    (void)state;
    world *w = world_new((num_shape){ 19, 7, 20, 1, 2, 8, NUM_NARROW });
    file *evidence = malloc(sizeof *evidence);
    assert_true(accuse(w, evidence, NUM_TENSOR_ID(0, NUM_DN1), 33));
    pf_statement s = statement_of(w);
    pf_verdict v;
    for (size_t i = 0; i < evidence->view.len; i += i < 400 ? 1 : 13) {
        for (int bit = 0; bit < 8; bit += 7) {
            evidence->bytes[i] ^= (uint8_t)(1 << bit);
            fault f = { 0 };
            err e = judge(w, evidence->view, &v, &s, &f);
            assert_int_not_equal(e, OK);
            assert_int_equal(f.code, e);
            assert_non_null(f.what);
            evidence->bytes[i] ^= (uint8_t)(1 << bit);
        }
        assert_int_not_equal(judge(w, bytes_of(evidence->bytes, i), &v, &s, NULL), OK);
    }
    pf_statement other = s;
    other.to += 1; /* another number of leaves */
    assert_int_equal(judge(w, evidence->view, &v, &other, NULL), ERR_PROOF);
    other = s;
    other.model_id.b[0] ^= 1;
    assert_int_equal(judge(w, evidence->view, &v, &other, NULL), ERR_HASH);
    other = s;
    other.from = FROM + 1;
    other.to = FROM + 3;
    assert_int_equal(judge(w, evidence->view, &v, &other, NULL), ERR_RANGE);
    free(evidence);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_element_is_what_its_relation_says), cmocka_unit_test(squares_have_a_domain),
        cmocka_unit_test(one_wrong_element_of_every_tensor_is_proved_and_a_right_one_is_not),
        cmocka_unit_test(one_wrong_element_of_every_gradient_is_proved),
        cmocka_unit_test(evidence_fits_at_width_128),
        cmocka_unit_test(a_wrong_loss_is_proved),
        cmocka_unit_test(the_loss_of_a_long_lease_fits),
        cmocka_unit_test(a_malformed_leaf_is_proved),
        cmocka_unit_test(a_token_that_does_not_occur),
        cmocka_unit_test(tokens_are_opened_or_it_does_not_hold),
        cmocka_unit_test(a_false_range_is_proved),
        cmocka_unit_test(a_wrong_trace_below_range_is_proved),
        cmocka_unit_test(an_impossible_range_is_proved_without_openings),
        cmocka_unit_test(hostile_reciprocals_are_refused),
        cmocka_unit_test(damage_never_convicts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
