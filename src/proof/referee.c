/* SPDX-License-Identifier: Apache-2.0 */
#include "proof/referee.h"

#include "crypto/merkle.h"
#include "numerics/dither.h"
#include "numerics/model_header.h"
#include "numerics/trace.h"
#include "proof/relation.h"

enum { LEAVES_MAX = 512 }; /* of one opening */

/* Tiles of one tensor (and, in the trace, of one sequence) whose openings verified. */
typedef struct opened {
    uint32_t       tensor, rows, cols, elem_bytes;
    uint64_t       sequence;    /* 0 for weights and gradients */
    uint64_t       tile, count; /* the first one's place in its tensor, row-major */
    const uint8_t *elements;
} opened;

typedef struct referee {
    num_model_header model;
    uint64_t from, sequences;
    uint32_t trace_count, weight_count, gradient_count;
    opened   trace[PF_OPENINGS_MAX], weight[PF_OPENINGS_MAX], gradient;
    uint64_t       tokens_first, tokens_count; /* opened sequences, counted from the first of the lease */
    const uint8_t *tokens;
} referee;

/* ---- openings ---- */

/* Whether the opening's leaves have these hashes under `root`. */
static err verify_leaves(const pf_opening *o, const hash256 *hashes, uint64_t count, const hash256 *root, uint64_t leaves, fault *f)
{
    hash256 siblings[CR_MERKLE_RANGE_MAX];
    size_t n = o->siblings.len / sizeof *siblings;
    if (o->siblings.len % sizeof *siblings != 0 || n > CR_MERKLE_RANGE_MAX)
        return fail(f, ERR_PROOF, "evidence.opening.siblings", o->first);
    if (n > 0)
        memcpy(siblings, o->siblings.data, o->siblings.len);
    if (cr_merkle_range_verify(&cr_merkle_blake3, root, leaves, o->first, hashes, (size_t)count, siblings, n) != OK)
        return fail(f, ERR_PROOF, "evidence.opening", o->first);
    return OK;
}

/* What a tile of the tensor (row-major number) has inside it, and its packed size. */
static size_t tile_size(const opened *at, uint64_t tile, uint32_t *n_rows, uint32_t *n_cols)
{
    uint32_t tile_cols = num_tiles(at->cols);
    *n_rows = num_tile_span(at->rows, (uint32_t)(tile / tile_cols));
    *n_cols = num_tile_span(at->cols, (uint32_t)(tile % tile_cols));
    return (size_t)*n_rows * *n_cols * at->elem_bytes;
}

/* Packed bytes of the tensor before the tile: whole rows of tiles, and in its own row tiles of 16 columns. */
static size_t packed_before(const opened *at, uint64_t tile)
{
    uint32_t tile_cols = num_tiles(at->cols), row = (uint32_t)(tile / tile_cols), col = (uint32_t)(tile % tile_cols);
    return ((size_t)row * NUM_TILE * at->cols + (size_t)num_tile_span(at->rows, row) * col * NUM_TILE) * at->elem_bytes;
}

/* How many whole tiles `elements` is, if they all lie in the tensor. */
static err count_tiles(opened *at, const pf_opening *o, fault *f)
{
    uint64_t tiles = (uint64_t)num_tiles(at->rows) * num_tiles(at->cols);
    uint32_t n_rows, n_cols;
    size_t len = 0;
    for (at->count = 0; len < o->elements.len && at->count < LEAVES_MAX && at->tile + at->count < tiles; at->count++)
        len += tile_size(at, at->tile + at->count, &n_rows, &n_cols);
    if (len != o->elements.len || at->count == 0)
        return fail(f, ERR_PROOF, "evidence.opening.elements", o->first);
    at->elements = o->elements.data;
    return OK;
}

/* Hashes the tiles with their heads and padding and checks the range proof. `head_bytes` of `head` stand before the tile's row and
 * column. */
static err verify_tiles(const pf_opening *o, const opened *at, const uint8_t *head, size_t head_bytes, const hash256 *root,
                        uint64_t leaves, fault *f)
{
    uint8_t leaf[NUM_LEAF_BYTES_MAX] = { 0 };
    hash256 hashes[LEAVES_MAX];
    uint32_t tile_cols = num_tiles(at->cols), n_rows, n_cols;
    const uint8_t *from = at->elements;
    memcpy(leaf, head, head_bytes);
    for (uint64_t i = 0; i < at->count; i++) {
        size_t size = tile_size(at, at->tile + i, &n_rows, &n_cols);
        store_le32(leaf + head_bytes, (uint32_t)((at->tile + i) / tile_cols));
        store_le32(leaf + head_bytes + 4, (uint32_t)((at->tile + i) % tile_cols));
        num_tile_unpack(leaf + NUM_LEAF_HEAD, from, n_rows, n_cols, at->elem_bytes);
        hashes[i] = cr_merkle_leaf(&cr_merkle_blake3, bytes_of(leaf, num_leaf_bytes(at->elem_bytes)));
        from += size;
    }
    return verify_leaves(o, hashes, at->count, root, leaves, f);
}

static err open_trace(referee *r, const pf_opening *o, const hash256 *root, fault *f)
{
    num_trace_tensor t;
    uint64_t seq_index;
    uint32_t tile_row, tile_col;
    opened *at = &r->trace[r->trace_count];
    if (num_trace_locate(&t, &seq_index, &tile_row, &tile_col, &r->model.shape, r->sequences, o->first) != OK)
        return fail(f, ERR_PROOF, "evidence.opening.first", o->first);
    *at = (opened){ .tensor = t.id, .rows = t.rows, .cols = t.cols, .elem_bytes = t.elem_bytes, .sequence = r->from + seq_index,
                    .tile = (uint64_t)tile_row * t.tile_cols + tile_col };
    TRY(count_tiles(at, o, f));
    uint8_t head[12];
    store_le32(head, t.id);
    store_le64(head + 4, at->sequence);
    TRY(verify_tiles(o, at, head, sizeof head, root, num_trace_leaves(&r->model.shape, r->sequences), f));
    r->trace_count++;
    return OK;
}

/* A tile of a weight tensor or of its gradient: the same tree shape, under `root`. */
static err open_parameter(opened *at, const referee *r, const pf_opening *o, uint32_t elem_bytes, const hash256 *root, fault *f)
{
    const num_shape *s = &r->model.shape;
    uint64_t leaves = num_weight_leaves(s);
    if (o->first >= leaves)
        return fail(f, ERR_PROOF, "evidence.opening.first", o->first);
    uint32_t tensor, row, col;
    num_weight_locate(&tensor, &row, &col, s, o->first);
    num_tensor_info t = num_tensor_describe(s, tensor);
    *at = (opened){ .tensor = tensor, .rows = t.rows, .cols = t.cols, .elem_bytes = elem_bytes,
                    .tile = (uint64_t)row * num_tiles(t.cols) + col };
    TRY(count_tiles(at, o, f));
    uint8_t head[4];
    store_le32(head, at->tensor);
    return verify_tiles(o, at, head, sizeof head, root, leaves, f);
}

static err open_tokens(referee *r, const pf_opening *o, const hash256 *root, fault *f)
{
    uint8_t leaf[NUM_TOKEN_LEAF_HEAD + 2 * (LIMIT_MODEL_CONTEXT_N + 1)];
    hash256 hashes[LEAVES_MAX];
    size_t one = num_token_leaf_bytes(r->model.shape.context) - NUM_TOKEN_LEAF_HEAD;
    uint64_t count = o->elements.len / one;
    if (o->elements.len % one != 0 || count == 0 || count > LEAVES_MAX || o->first >= r->sequences || count > r->sequences - o->first)
        return fail(f, ERR_PROOF, "evidence.tokens", o->first);
    for (uint64_t i = 0; i < count; i++) {
        store_le64(leaf, r->from + o->first + i);
        memcpy(leaf + NUM_TOKEN_LEAF_HEAD, o->elements.data + i * one, one);
        hashes[i] = cr_merkle_leaf(&cr_merkle_blake3, bytes_of(leaf, NUM_TOKEN_LEAF_HEAD + one));
    }
    TRY(verify_leaves(o, hashes, count, root, r->sequences, f));
    r->tokens_first = o->first;
    r->tokens_count = count;
    r->tokens = o->elements.data;
    return OK;
}

/* ---- the source of a relation ---- */

static int64_t read_element(const opened *o, uint64_t tile, uint32_t row, uint32_t col)
{
    uint32_t n_rows, n_cols;
    tile_size(o, tile, &n_rows, &n_cols);
    const uint8_t *at = o->elements + packed_before(o, tile) - packed_before(o, o->tile) + ((size_t)row * n_cols + col) * o->elem_bytes;
    return o->elem_bytes == 2 ? (int16_t)load_le16(at) : o->elem_bytes == 4 ? (int32_t)load_le32(at) : (int64_t)load_le64(at);
}

static err read_opened(const opened *list, uint32_t count, uint32_t tensor, uint64_t sequence, uint32_t row, uint32_t col,
                       int64_t *out, fault *f)
{
    for (uint32_t i = 0; i < count; i++) {
        const opened *o = &list[i];
        uint64_t tile = (uint64_t)(row / NUM_TILE) * num_tiles(o->cols) + col / NUM_TILE;
        if (o->tensor != tensor || o->sequence != sequence || tile < o->tile || tile - o->tile >= o->count)
            continue;
        *out = read_element(o, tile, row % NUM_TILE, col % NUM_TILE);
        return OK;
    }
    return fail(f, ERR_EVIDENCE, "a tile is missing", tensor);
}

static err read_trace(void *ctx, uint32_t tensor, uint64_t sequence, uint32_t row, uint32_t col, int64_t *out, fault *f)
{
    const referee *r = ctx;
    return read_opened(r->trace, r->trace_count, tensor, sequence, row, col, out, f);
}

static err read_weight(void *ctx, uint32_t tensor, uint32_t row, uint32_t col, int64_t *out, fault *f)
{
    const referee *r = ctx;
    return read_opened(r->weight, r->weight_count, tensor, 0, row, col, out, f);
}

static err read_token(void *ctx, uint64_t sequence, uint32_t position, uint16_t *out, fault *f)
{
    const referee *r = ctx;
    uint64_t at = sequence - r->from - r->tokens_first; /* a sequence of the lease; wraps below the first opened one */
    uint32_t context = r->model.shape.context;
    if (at >= r->tokens_count || position > context)
        return fail(f, ERR_EVIDENCE, "the tokens are missing", sequence);
    *out = load_le16(r->tokens + 2 * (at * (context + 1) + position));
    return OK;
}

/* ---- the verdict ---- */

static err open_all(referee *r, const pf_evidence *e, const pf_statement *s, fault *f)
{
    hash256 id = num_model_id(e->model);
    if (!hash256_equal(&id, &s->model_id))
        return fail(f, ERR_HASH, "evidence.model", 0);
    TRY(num_model_header_decode(&r->model, e->model, f));
    if (s->to <= s->from || s->to - s->from > LIMIT_LEASE_TOKENS)
        return fail(f, ERR_RANGE, "statement.sequences", s->to);
    if (e->sequence < s->from || e->sequence >= s->to)
        return fail(f, ERR_RANGE, "evidence.sequence", e->sequence);
    if (e->trace_count > PF_OPENINGS_MAX || e->weight_count > PF_OPENINGS_MAX || e->gradient_count > 1 || e->tokens_count > 1)
        return fail(f, ERR_LIMIT, "evidence.openings", 0);
    r->from = s->from;
    r->sequences = s->to - s->from;
    for (uint32_t i = 0; i < e->trace_count && e->tensor != PF_LEAF; i++)
        TRY(open_trace(r, &e->trace[i], &s->trace_root, f));
    for (; r->weight_count < e->weight_count; r->weight_count++)
        TRY(open_parameter(&r->weight[r->weight_count], r, &e->weight[r->weight_count], 2, &r->model.weight_root, f));
    for (; r->gradient_count < e->gradient_count; r->gradient_count++)
        TRY(open_parameter(&r->gradient, r, &e->gradient, 8, &s->gradient_root, f));
    return e->tokens_count ? open_tokens(r, &e->tokens, &s->tokens_root, f) : OK;
}

/* What an attestation says about an element of the trace. */
typedef enum claim {
    CLAIM_NOTHING,
    CLAIM_VALUE,   /* it has the committed value, inside its domain */
    CLAIM_INSIDE,  /* it is inside its domain: it stands in the tensor that RANGE names, before the element that RANGE names */
    CLAIM_OUTSIDE, /* it is outside: RANGE names it */
} claim;

static claim claim_of(const num_shape *shape, const pf_statement *s, const pf_evidence *e)
{
    num_trace_tensor t;
    uint32_t mine, end;
    if (!s->range)
        return CLAIM_VALUE;
    if (num_trace_find(&t, &end, shape, s->range_tensor) != OK || num_trace_find(&t, &mine, shape, e->tensor) != OK || mine > end)
        return CLAIM_NOTHING;
    if (mine < end)
        return CLAIM_VALUE;
    if (e->sequence != s->range_sequence)
        return e->sequence < s->range_sequence ? CLAIM_INSIDE : CLAIM_NOTHING;
    return e->element < s->range_index ? CLAIM_INSIDE : e->element == s->range_index ? CLAIM_OUTSIDE : CLAIM_NOTHING;
}

static bool is_wrong(claim c, const pf_element *x, int64_t committed)
{
    return c == CLAIM_OUTSIDE ? !x->range : c == CLAIM_INSIDE ? x->range : x->range || x->value != committed;
}

/* RANGE of an element that no check can fail at: outside the model, or of a tensor without a domain. There is nothing to
 * recompute. */
static bool range_is_impossible(const num_shape *shape, const pf_statement *s)
{
    num_trace_tensor t;
    return num_trace_find(&t, NULL, shape, s->range_tensor) != OK || s->range_index >= (uint64_t)t.rows * t.cols ||
           !pf_slot_has_domain(t.id % 64);
}

static err decide_element(pf_verdict *v, referee *r, const pf_context *c, const pf_source *source, const pf_evidence *e,
                          const pf_statement *s, fault *f)
{
    const num_shape *shape = &r->model.shape;
    num_trace_tensor t;
    pf_element x;
    claim said = claim_of(shape, s, e);
    if (said == CLAIM_NOTHING)
        return fail(f, ERR_EVIDENCE, "RANGE was attested for another element", e->element);
    if (num_trace_find(&t, NULL, shape, e->tensor) != OK || e->element >= (uint64_t)t.rows * t.cols)
        return fail(f, ERR_NOT_FOUND, "evidence.element", e->element);
    if (said == CLAIM_VALUE)
        TRY(read_trace(r, t.id, e->sequence, (uint32_t)(e->element / t.cols), (uint32_t)(e->element % t.cols), &v->committed, f));
    TRY(pf_relation_eval(&x, c, source, e->tensor, e->element, f));
    if (!is_wrong(said, &x, v->committed))
        return fail(f, ERR_EVIDENCE, "the attested element is right", e->element);
    v->expected_range = x.range;
    v->expected = x.range ? 0 : x.value;
    return OK;
}

/* The gradient and the loss, which are sums over the lease. */
static err decide_sum(pf_verdict *v, referee *r, const pf_context *c, const pf_source *source, const pf_evidence *e,
                      const pf_statement *s, fault *f)
{
    if (s->range)
        return fail(f, ERR_EVIDENCE, "RANGE was attested for another element", e->element);
    TRY(pf_sum_eval(&v->expected, c, source, s->from, s->to, e->tensor, e->element, f));
    v->committed = s->loss;
    if (e->tensor != PF_LOSS) {
        uint32_t tensor = e->tensor - PF_GRADIENT, cols = num_tensor_describe(&r->model.shape, tensor).cols;
        TRY(read_opened(&r->gradient, r->gradient_count, tensor, 0, (uint32_t)(e->element / cols), (uint32_t)(e->element % cols),
                        &v->committed, f));
    }
    return v->expected != v->committed ? OK : fail(f, ERR_EVIDENCE, "the attested element is right", e->element);
}

/* A leaf of the trace that no element can be opened from: not of its tensor's size, or with another head or padding than its
 * place says. It comes as it is. */
static err decide_leaf(referee *r, const pf_evidence *e, const pf_statement *s, fault *f)
{
    const pf_opening *o = &e->trace[0];
    uint64_t seq_index;
    num_trace_tensor t;
    uint32_t row, col;
    if (e->trace_count != 1 || o->first != e->element)
        return fail(f, ERR_EVIDENCE, "the leaf is missing", e->element);
    if (num_trace_locate(&t, &seq_index, &row, &col, &r->model.shape, r->sequences, o->first) != OK)
        return fail(f, ERR_PROOF, "evidence.opening.first", o->first);
    hash256 hash = cr_merkle_leaf(&cr_merkle_blake3, o->elements);
    TRY(verify_leaves(o, &hash, 1, &s->trace_root, num_trace_leaves(&r->model.shape, r->sequences), f));
    if (num_leaf_is_formed(o->elements, &t, r->from + seq_index, row, col))
        return fail(f, ERR_EVIDENCE, "the leaf is well formed", e->element);
    return OK;
}

static err decide(pf_verdict *v, referee *r, const pf_evidence *e, const pf_statement *s, fault *f)
{
    pf_source source = { r, read_trace, read_weight, read_token };
    pf_context c = { .model = &r->model, .sequence = e->sequence,
                     .dither_seed = num_dither_seed(&s->job_id, &s->model_id, s->step) };
    *v = (pf_verdict){ .tensor = e->tensor, .sequence = e->sequence, .element = e->element };
    if (s->range && e->tensor == s->range_tensor && e->sequence == s->range_sequence && e->element == s->range_index &&
        range_is_impossible(&r->model.shape, s))
        return OK;
    if (e->tensor == PF_LEAF)
        return decide_leaf(r, e, s, f);
    return e->tensor >= PF_GRADIENT ? decide_sum(v, r, &c, &source, e, s, f) : decide_element(v, r, &c, &source, e, s, f);
}

err pf_referee_check(pf_verdict *out, const pf_evidence *evidence, const pf_statement *statement, fault *f)
{
    referee r;
    pf_verdict v;
    r.trace_count = r.weight_count = r.gradient_count = 0;
    r.tokens_first = r.tokens_count = 0;
    TRY(open_all(&r, evidence, statement, f));
    TRY(decide(&v, &r, evidence, statement, f));
    *out = v;
    return OK;
}
