/* SPDX-License-Identifier: Apache-2.0
 *
 * Evidence about a sum over all positions of the lease: an element of a weight gradient, with its own tile, or the attested loss. It
 * opens tiles of one or two trace tensors for every sequence. */
#include "train/dispute_int.h"

#include "numerics/dither.h"

#include <stdlib.h>

/* --- which element -------------------------------------------------------------------------------------------------------- */

/* How often each token is an input in the lease; owned by the caller. */
static err count_tokens(uint32_t **out, const tr_task *task, fault *f)
{
    const num_shape *s = &task->model->shape;
    tr_tokens t = { .task = task };
    uint32_t *count = calloc(s->vocab, sizeof *count);
    err e = count ? OK : fail(f, ERR_MEMORY, "dispute.tokens", s->vocab);
    for (uint64_t q = task->from; q < task->to && e == OK; q++)
        for (uint32_t i = 0; i < s->context && e == OK; i++) {
            uint16_t token = 0;
            e = tr_tokens_get(&t, q, i, &token, f);
            if (e == OK && token >= s->vocab)
                e = fail(f, ERR_RANGE, "token", token);
            if (e == OK)
                count[token]++;
        }
    *out = count;
    return e;
}

/* The differing row of the token embedding that has the fewest inputs; its number of rows if none differs. */
static err rarest_row(uint32_t *out, const int64_t *mine, const int64_t *theirs, const tr_task *task, fault *f)
{
    num_tensor_info t = num_tensor_describe(&task->model->shape, 0);
    uint32_t *count, best = t.rows;
    err e = count_tokens(&count, task, f);
    for (uint32_t row = 0; row < t.rows && e == OK; row++)
        if (memcmp(mine + (uint64_t)row * t.cols, theirs + (uint64_t)row * t.cols, t.cols * sizeof *mine) != 0 &&
            (best == t.rows || count[row] < count[best]))
            best = row;
    free(count);
    *out = best;
    return e;
}

static err find_element(tr_sum_dispute *d, const int64_t *mine, const int64_t *theirs, const tr_task *task, fault *f)
{
    const num_shape *s = &task->model->shape;
    num_tensor_info t = num_tensor_describe(s, 0);
    uint64_t elements = num_parameter_count(s);
    uint32_t row, tensor = 0;
    TRY(rarest_row(&row, mine, theirs, task, f));
    uint64_t at = (uint64_t)row * t.cols; /* without a row: the tensor after the embedding */
    while (at < elements && mine[at] == theirs[at])
        at++;
    if (at == elements)
        return fail(f, ERR_NOT_FOUND, "dispute.gradient", 0);
    while (tensor + 1 < num_tensor_count(s) && num_tensor_describe(s, tensor + 1).offset <= at)
        tensor++;
    t = num_tensor_describe(s, tensor);
    d->tensor = PF_GRADIENT + tensor;
    d->element = at - t.offset;
    d->mine = mine[at];
    d->theirs = theirs[at];
    num_gradient_leaf_encode(d->tile, s, tensor, (uint32_t)(d->element / t.cols / NUM_TILE), (uint32_t)(d->element % t.cols / NUM_TILE),
                             theirs + t.offset);
    return OK;
}

/* --- which tiles ---------------------------------------------------------------------------------------------------------- */

/* A sum reads the same places whatever stands there; only tokens matter. */
static err nothing_there(void *ctx, uint32_t id, uint64_t sequence, uint32_t row, uint32_t col, int64_t *out, fault *f)
{
    (void)ctx, (void)id, (void)sequence, (void)row, (void)col, (void)f;
    *out = 0;
    return OK;
}

static err no_weight(void *ctx, uint32_t tensor, uint32_t row, uint32_t col, int64_t *out, fault *f)
{
    return nothing_there(ctx, tensor, 0, row, col, out, f);
}

static err get_token(void *ctx, uint64_t sequence, uint32_t position, uint16_t *out, fault *f)
{
    return tr_tokens_get(ctx, sequence, position, out, f);
}

static err make_plan(tr_sum_dispute *d, const tr_task *task, fault *f)
{
    uint8_t text[NUM_MODEL_HEADER_BYTES_MAX];
    bytes view;
    num_model_header header;
    tr_tokens tokens = { .task = task };
    pf_source source = { &tokens, nothing_there, no_weight, get_token };
    TRY(tr_dispute_model(&header, text, &view, task->model));
    pf_context c = { .model = &header, .dither_seed = num_dither_seed(&task->job, &task->model->id, task->step),
                     .sequence = task->from };
    d->plan = malloc(sizeof *d->plan);
    if (!d->plan)
        return fail(f, ERR_MEMORY, "dispute.plan", 0);
    return pf_plan_make(d->plan, &c, &source, task->from, task->to, d->tensor, d->element, f);
}

static err place_tiles(tr_sum_dispute *d, const tr_task *task, fault *f)
{
    const num_shape *s = &task->model->shape;
    for (uint32_t i = 0; i < d->plan->trace_count; i++)
        d->tile_count += d->plan->trace[i].count;
    d->tiles = calloc((size_t)d->tile_count + 1, sizeof *d->tiles); /* a token that does not occur has none */
    if (!d->tiles)
        return fail(f, ERR_MEMORY, "dispute.tiles", d->tile_count);
    tr_tile *t = d->tiles;
    for (uint32_t i = 0; i < d->plan->trace_count; i++)
        for (uint32_t k = 0; k < d->plan->trace[i].count; k++, t++) {
            tr_place *p = &t->place;
            t->shape = *s;
            p->leaf = d->plan->trace[i].first + k;
            TRY(num_trace_locate(&p->tensor, &p->seq_index, &p->tile_row, &p->tile_col, s, task->to - task->from, p->leaf));
            p->sequence = task->from + p->seq_index;
        }
    return OK;
}

/* Plan and tiles of the element that `d` names. */
static err prepare(tr_sum_dispute *d, const tr_task *task, fault *f)
{
    TRY(make_plan(d, task, f));
    return place_tiles(d, task, f);
}

static void start(tr_sum_dispute *d)
{
    d->leaves = NULL;
    d->plan = NULL;
    d->tiles = NULL;
    d->tile_count = 0;
}

err tr_dispute_gradient(tr_sum_dispute *d, const int64_t *mine, const int64_t *theirs, const tr_task *task, base_pool *pool, fault *f)
{
    const num_shape *s = &task->model->shape;
    start(d);
    TRY(find_element(d, mine, theirs, task, f));
    TRY(prepare(d, task, f));
    uint64_t count = num_weight_leaves(s);
    d->leaves = malloc((size_t)count * sizeof *d->leaves);
    if (!d->leaves)
        return fail(f, ERR_MEMORY, "dispute.leaves", count);
    bt_gradient_leaves(d->leaves, s, theirs, pool);
    return OK;
}

err tr_dispute_loss(tr_sum_dispute *d, int64_t mine, int64_t theirs, const tr_task *task, fault *f)
{
    start(d);
    if (mine == theirs)
        return fail(f, ERR_NOT_FOUND, "dispute.loss", 0);
    d->tensor = PF_LOSS;
    d->element = 0;
    d->mine = mine;
    d->theirs = theirs;
    return prepare(d, task, f);
}

void tr_dispute_sum_deinit(tr_sum_dispute *d)
{
    free(d->leaves);
    free(d->plan);
    free(d->tiles);
    start(d);
}

err tr_dispute_sum_take(void *ctx, uint32_t tensor_id, uint64_t sequence, const void *data, uint32_t rows, uint32_t cols,
                        uint32_t elem_bytes)
{
    tr_sum_dispute *d = ctx;
    for (uint32_t i = 0; i < d->tile_count; i++)
        TRY(tr_tile_take(&d->tiles[i], tensor_id, sequence, data, rows, cols, elem_bytes));
    return OK;
}

/* --- the file ------------------------------------------------------------------------------------------------------------- */

static err put_trace(buf *room, pf_evidence *e, const tr_sum_dispute *d, fault *f)
{
    const tr_tile *t = d->tiles;
    e->trace_count = d->plan->trace_count;
    for (uint32_t i = 0; i < e->trace_count; i++) {
        const pf_run *run = &d->plan->trace[i];
        size_t at = room->len;
        for (uint32_t k = 0; k < run->count; k++, t++) {
            if (!t->found)
                return fail(f, ERR_NOT_FOUND, "dispute.trace", t->place.tensor.id);
            const num_trace_tensor *tensor = &t->place.tensor;
            TRY(tr_dispute_put_tile(room, t->leaf + NUM_LEAF_HEAD, tensor->rows, tensor->cols, tensor->elem_bytes, t->place.tile_row,
                                    t->place.tile_col));
        }
        TRY(tr_dispute_open(&e->trace[i], room, at, run, d->trace->leaves, d->trace->leaf_count));
    }
    return OK;
}

static err put_all(buf *room, pf_evidence *e, const tr_sum_dispute *d, const tr_task *task, fault *f)
{
    /* Reserved before, so that views stay; more than an evidence file holds is refused anyway. */
    TRY(buf_reserve(room, LIMIT_EVIDENCE_BYTES));
    TRY(put_trace(room, e, d, f));
    TRY(tr_dispute_open_tokens(e, room, &d->plan->tokens, task, f));
    if (d->tensor == PF_LOSS)
        return OK;
    const pf_run run = { .first = d->plan->gradient, .count = 1 };
    size_t at = room->len;
    num_tensor_info t = num_tensor_describe(&task->model->shape, d->tensor - PF_GRADIENT);
    TRY(tr_dispute_put_tile(room, d->tile + NUM_LEAF_HEAD, t.rows, t.cols, 8, (uint32_t)(d->element / t.cols / NUM_TILE),
                            (uint32_t)(d->element % t.cols / NUM_TILE)));
    e->gradient_count = 1;
    return tr_dispute_open(&e->gradient, room, at, &run, d->leaves, num_weight_leaves(&task->model->shape));
}

static err write_file(buf *out, pf_verdict *verdict, pf_evidence *e, buf *room, const tr_sum_dispute *d, const tr_task *task,
                      fault *f)
{
    uint8_t text[NUM_MODEL_HEADER_BYTES_MAX];
    num_model_header header;
    *e = (pf_evidence){ .lease = d->lease, .attestation = d->attestation, .tensor = d->tensor, .sequence = task->from,
                        .element = d->element };
    TRY(tr_dispute_model(&header, text, &e->model, task->model));
    err r = put_all(room, e, d, task, f);
    if (r != OK)
        return r == ERR_LIMIT ? fail(f, r, "dispute: too many inputs for an evidence file", d->element) : r;
    return tr_dispute_write(out, verdict, e, f);
}

err tr_dispute_sum_evidence(buf *out, pf_verdict *verdict, const tr_sum_dispute *d, const tr_task *task, fault *f)
{
    buf room;
    pf_evidence *e = malloc(sizeof *e);
    if (!e)
        return fail(f, ERR_MEMORY, "dispute", 0);
    buf_init(&room, LIMIT_EVIDENCE_BYTES);
    err r = write_file(out, verdict, e, &room, d, task, f);
    buf_deinit(&room);
    free(e);
    return r;
}
