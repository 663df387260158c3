/* SPDX-License-Identifier: Apache-2.0
 *
 * Packing: which tiles the element is made of (proof/plan.h), opened under the accused's trace root and the model's weight root. */
#include "numerics/dither.h"
#include "proof/plan.h"
#include "train/dispute_int.h"
#include "train/token_root.h"

#include <stdlib.h>

typedef struct source {
    const tr_capture *capture;
    const bt_model   *model;
    tr_tokens        *tokens;
} source;

static err get_trace(void *ctx, uint32_t tensor_id, uint64_t sequence, uint32_t row, uint32_t col, int64_t *out, fault *f)
{
    const source *s = ctx;
    num_trace_tensor t;
    uint32_t k;
    TRY(num_trace_find(&t, &k, &s->capture->shape, tensor_id));
    if (sequence != s->capture->sequence || row >= t.rows || col >= t.cols || !s->capture->tensors[k])
        return fail(f, ERR_NOT_FOUND, "dispute.trace", tensor_id);
    const void *data = s->capture->tensors[k];
    size_t at = (size_t)row * t.cols + col;
    *out = t.elem_bytes == 2 ? ((const int16_t *)data)[at] : t.elem_bytes == 4 ? ((const int32_t *)data)[at] : ((const int64_t *)data)[at];
    return OK;
}

static err get_weight(void *ctx, uint32_t tensor, uint32_t row, uint32_t col, int64_t *out, fault *f)
{
    const source *s = ctx;
    num_tensor_info info = num_tensor_describe(&s->model->shape, tensor);
    if (row >= info.rows || col >= info.cols)
        return fail(f, ERR_NOT_FOUND, "dispute.weight", tensor);
    *out = s->model->weights[info.offset + (uint64_t)row * info.cols + col];
    return OK;
}

err tr_tokens_get(tr_tokens *t, uint64_t sequence, uint32_t position, uint16_t *out, fault *f)
{
    const tr_task *task = t->task;
    if (sequence < task->from || sequence >= task->to || position > task->model->shape.context)
        return fail(f, ERR_NOT_FOUND, "dispute.tokens", sequence);
    if (!t->have || t->sequence != sequence)
        tr_dataset_sequence(t->tokens, task->data, &task->job, sequence, task->model->shape.context);
    t->have = true;
    t->sequence = sequence;
    *out = t->tokens[position];
    return OK;
}

static err get_token(void *ctx, uint64_t sequence, uint32_t position, uint16_t *out, fault *f)
{
    const source *s = ctx;
    return tr_tokens_get(s->tokens, sequence, position, out, f);
}

typedef struct packer {
    const tr_dispute *d;
    const tr_trace   *mine;
    const hash256    *leaves;        /* of the accused */
    hash256          *weight_leaves; /* of the model */
    uint64_t          weight_count;
    bytes             tile;
    const tr_capture *capture;
    const bt_model   *model;
    buf               bytes;         /* elements and siblings of all openings; reserved before, so that views stay */
} packer;

static err put_trace_tile(packer *p, uint64_t leaf, fault *f)
{
    num_trace_tensor t;
    uint64_t seq_index;
    uint32_t row, col, k;
    uint8_t text[NUM_LEAF_BYTES_MAX];
    TRY(num_trace_locate(&t, &seq_index, &row, &col, &p->mine->shape, p->mine->count, leaf));
    if (leaf == p->d->place.leaf)
        return tr_dispute_put_tile(&p->bytes, p->tile.data + NUM_LEAF_HEAD, t.rows, t.cols, t.elem_bytes, row, col);
    TRY(num_trace_find(&t, &k, &p->mine->shape, t.id));
    if (!p->capture->tensors[k] || seq_index != p->d->place.seq_index)
        return fail(f, ERR_NOT_FOUND, "dispute.trace", t.id);
    num_leaf_encode(text, &t, p->d->place.sequence, row, col, p->capture->tensors[k]);
    return tr_dispute_put_tile(&p->bytes, text + NUM_LEAF_HEAD, t.rows, t.cols, t.elem_bytes, row, col);
}

static err put_weight_tile(packer *p, uint64_t leaf)
{
    const num_shape *s = &p->model->shape;
    uint8_t text[NUM_WEIGHT_LEAF_BYTES];
    uint32_t tensor, row, col;
    num_weight_locate(&tensor, &row, &col, s, leaf);
    num_tensor_info t = num_tensor_describe(s, tensor);
    num_weight_leaf_encode(text, s, tensor, row, col, p->model->weights + t.offset);
    return tr_dispute_put_tile(&p->bytes, text + NUM_LEAF_HEAD, t.rows, t.cols, 2, row, col);
}

static err hash_weights(packer *p, fault *f)
{
    p->weight_count = num_weight_leaves(&p->model->shape);
    p->weight_leaves = malloc((size_t)p->weight_count * sizeof *p->weight_leaves);
    if (!p->weight_leaves)
        return fail(f, ERR_MEMORY, "dispute.weights", p->weight_count);
    bt_weight_leaves(p->weight_leaves, &p->model->shape, p->model->weights, NULL);
    return OK;
}

static err open_run(packer *p, pf_opening *out, const pf_run *run, bool weight, fault *f)
{
    size_t at = p->bytes.len;
    for (uint32_t i = 0; i < run->count; i++)
        TRY(weight ? put_weight_tile(p, run->first + i) : put_trace_tile(p, run->first + i, f));
    return tr_dispute_open(out, &p->bytes, at, run, weight ? p->weight_leaves : p->leaves, weight ? p->weight_count : p->mine->leaf_count);
}

static err pack(packer *p, pf_evidence *e, const pf_plan *plan, const tr_task *task, fault *f)
{
    /* More than an evidence file holds is refused anyway. */
    buf_init(&p->bytes, LIMIT_EVIDENCE_BYTES);
    err r = buf_reserve(&p->bytes, LIMIT_EVIDENCE_BYTES);
    e->trace_count = plan->trace_count;
    e->weight_count = plan->weight_count;
    for (uint32_t i = 0; r == OK && i < plan->trace_count; i++)
        r = open_run(p, &e->trace[i], &plan->trace[i], false, f);
    if (r == OK && plan->weight_count)
        r = hash_weights(p, f);
    for (uint32_t i = 0; r == OK && i < plan->weight_count; i++)
        r = open_run(p, &e->weight[i], &plan->weight[i], true, f);
    if (r == OK)
        r = tr_dispute_open_tokens(e, &p->bytes, &plan->tokens, task, f);
    return r == ERR_LIMIT ? fail(f, r, "dispute: too many inputs for an evidence file", p->d->element) : r;
}

static err plan_of(pf_plan *plan, const packer *p, const num_model_header *header, const tr_task *task, tr_tokens *tokens, fault *f)
{
    source s = { p->capture, p->model, tokens };
    pf_source from = { &s, get_trace, get_weight, get_token };
    pf_context c = { .model = header, .dither_seed = num_dither_seed(&task->job, &task->model->id, task->step),
                     .sequence = p->d->place.sequence };
    return pf_plan_make(plan, &c, &from, task->from, task->to, p->d->place.tensor.id, p->d->element, f);
}

err tr_dispute_put_tile(buf *room, const uint8_t *elements, uint32_t rows, uint32_t cols, uint32_t elem_bytes, uint32_t tile_row,
                        uint32_t tile_col)
{
    uint8_t packed[8 * NUM_TILE_ELEMENTS];
    size_t n = num_tile_pack(packed, elements, num_tile_span(rows, tile_row), num_tile_span(cols, tile_col), elem_bytes);
    return buf_put(room, packed, n);
}

err tr_dispute_open(pf_opening *out, buf *room, size_t elements_at, const pf_run *run, const hash256 *leaves, uint64_t leaf_count)
{
    hash256 siblings[CR_MERKLE_RANGE_MAX];
    size_t n = cr_merkle_range(&cr_merkle_blake3, siblings, leaves, (size_t)leaf_count, (size_t)run->first, run->count), at = room->len;
    TRY(buf_put(room, siblings, n * sizeof *siblings));
    *out = (pf_opening){ run->first, bytes_of(room->data + elements_at, at - elements_at), bytes_of(room->data + at, n * sizeof *siblings) };
    return OK;
}

err tr_dispute_open_tokens(pf_evidence *e, buf *room, const pf_run *run, const tr_task *task, fault *f)
{
    uint8_t leaf[NUM_TOKEN_LEAF_HEAD + 2 * (LIMIT_MODEL_CONTEXT_N + 1)];
    uint32_t context = task->model->shape.context;
    size_t n = (size_t)(task->to - task->from), len = num_token_leaf_bytes(context), at = room->len;
    if (run->count == 0)
        return OK;
    hash256 *leaves = malloc(n * sizeof *leaves);
    if (!leaves)
        return fail(f, ERR_MEMORY, "dispute.tokens", n);
    err r = OK;
    for (size_t i = 0; i < n && r == OK; i++) {
        tr_token_leaf(leaf, task->data, &task->job, task->from + i, context);
        leaves[i] = cr_merkle_leaf(&cr_merkle_blake3, bytes_of(leaf, len));
        if (i >= run->first && i - run->first < run->count)
            r = buf_put(room, leaf + NUM_TOKEN_LEAF_HEAD, len - NUM_TOKEN_LEAF_HEAD);
    }
    if (r == OK)
        r = tr_dispute_open(&e->tokens, room, at, run, leaves, n);
    e->tokens_count = 1;
    free(leaves);
    return r;
}

static err replay(pf_verdict *verdict, bytes file, const pf_evidence *e, fault *f)
{
    chain_lease lease;
    chain_attestation attestation;
    chain_signed s;
    pf_evidence *again = malloc(sizeof *again);
    if (!again)
        return fail(f, ERR_MEMORY, "dispute", 0);
    err r = chain_lease_decode(&lease, &s, e->lease, f);
    if (r == OK)
        r = chain_attestation_decode(&attestation, &s, e->attestation, f);
    if (r == OK)
        r = pf_evidence_decode(again, file, f);
    if (r == OK) {
        pf_statement statement = tr_dispute_statement(&lease, &attestation);
        r = pf_referee_check(verdict, again, &statement, f);
    }
    free(again);
    return r;
}

err tr_dispute_write(buf *out, pf_verdict *verdict, const pf_evidence *e, fault *f)
{
    bytes view;
    TRY(buf_reserve(out, LIMIT_EVIDENCE_BYTES));
    err r = pf_evidence_encode(out->data + out->len, LIMIT_EVIDENCE_BYTES, e, &view);
    if (r != OK)
        return fail(f, r, "dispute: too many inputs for an evidence file", e->element);
    TRY(replay(verdict, view, e, f));
    out->len += view.len;
    return OK;
}

err tr_dispute_model(num_model_header *header, uint8_t text[NUM_MODEL_HEADER_BYTES_MAX], bytes *view, const bt_model *m)
{
    *header = (num_model_header){ .shape = m->shape, .fractions = m->fractions, .weight_root = m->weight_root,
                                  .tables_hash = m->tables_hash };
    return num_model_header_encode(text, NUM_MODEL_HEADER_BYTES_MAX, header, view);
}

/* A plan has the element's own tile; under a RANGE root it has no leaf. */
static void drop_tile(pf_plan *plan, uint64_t leaf)
{
    uint32_t i = 0;
    while (i < plan->trace_count && plan->trace[i].first != leaf)
        i++;
    CHECK(i < plan->trace_count && plan->trace[i].count == 1); /* nothing reads its own tensor */
    memmove(&plan->trace[i], &plan->trace[i + 1], (plan->trace_count - i - 1) * sizeof plan->trace[0]);
    plan->trace_count--;
}

typedef struct workspace {
    pf_plan          plan;
    pf_evidence      evidence;
    num_model_header header;
    uint8_t          model[NUM_MODEL_HEADER_BYTES_MAX];
    tr_tokens        tokens;
} workspace;

/* The leaf as it is. */
static err build_leaf(buf *out, pf_verdict *verdict, workspace *w, packer *p, fault *f)
{
    const pf_run run = { .first = p->d->place.leaf, .count = 1 };
    pf_evidence *e = &w->evidence;
    e->tensor = PF_LEAF;
    e->element = run.first;
    buf_init(&p->bytes, LIMIT_EVIDENCE_BYTES);
    TRY(buf_reserve(&p->bytes, LIMIT_EVIDENCE_BYTES));
    TRY(buf_put(&p->bytes, p->tile.data, p->tile.len));
    e->trace_count = 1;
    TRY(tr_dispute_open(&e->trace[0], &p->bytes, 0, &run, p->leaves, p->mine->leaf_count));
    return tr_dispute_write(out, verdict, e, f);
}

static err build(buf *out, pf_verdict *verdict, workspace *w, packer *p, const tr_task *task, fault *f)
{
    const tr_dispute *d = p->d;
    bytes view;
    w->tokens = (tr_tokens){ .task = task };
    TRY(tr_dispute_model(&w->header, w->model, &view, task->model));
    w->evidence = (pf_evidence){ .lease = d->lease, .attestation = d->attestation, .model = view, .tensor = d->place.tensor.id,
                                 .sequence = d->place.sequence, .element = d->element };
    if (d->malformed)
        return build_leaf(out, verdict, w, p, f);
    if (d->bare)
        return tr_dispute_write(out, verdict, &w->evidence, f);
    TRY(plan_of(&w->plan, p, &w->header, task, &w->tokens, f));
    if (d->range)
        drop_tile(&w->plan, d->place.leaf);
    TRY(pack(p, &w->evidence, &w->plan, task, f));
    return tr_dispute_write(out, verdict, &w->evidence, f);
}

err tr_dispute_evidence(buf *out, pf_verdict *verdict, const tr_dispute *d, const tr_trace *mine, const hash256 *leaves, bytes tile,
                        const tr_capture *capture, const tr_task *task, fault *f)
{
    packer p = { .d = d, .mine = mine, .leaves = leaves, .tile = tile, .capture = capture, .model = task->model };
    workspace *w = malloc(sizeof *w);
    if (!w)
        return fail(f, ERR_MEMORY, "dispute", 0);
    err e = build(out, verdict, w, &p, task, f);
    free(w);
    free(p.weight_leaves);
    buf_deinit(&p.bytes);
    return e;
}
