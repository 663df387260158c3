/* SPDX-License-Identifier: Apache-2.0 */
#include "proof/plan.h"

#include "numerics/trace.h"

enum { LEAVES_MAX = 512 }; /* more than LIMIT_EVIDENCE_BYTES holds with their siblings are of no use */

typedef struct leaf_set {
    uint32_t count;
    uint64_t leaf[LEAVES_MAX]; /* ascending */
} leaf_set;

typedef struct recorder {
    const pf_source *source;
    const num_shape *shape;
    uint64_t from, sequences;
    leaf_set trace, weight;
    pf_run   tokens; /* count 0: none */
} recorder;

static err leaf_add(leaf_set *set, uint64_t leaf, fault *f)
{
    uint32_t at = set->count;
    while (at > 0 && set->leaf[at - 1] > leaf)
        at--;
    if (at > 0 && set->leaf[at - 1] == leaf)
        return OK;
    if (set->count == LEAVES_MAX)
        return fail(f, ERR_LIMIT, "evidence.openings", leaf);
    memmove(set->leaf + at + 1, set->leaf + at, (set->count - at) * sizeof set->leaf[0]);
    set->leaf[at] = leaf;
    set->count++;
    return OK;
}

static err record_trace(void *ctx, uint32_t id, uint64_t sequence, uint32_t row, uint32_t col, int64_t *out, fault *f)
{
    recorder *r = ctx;
    num_trace_tensor t;
    TRY(num_trace_find(&t, NULL, r->shape, id));
    TRY(leaf_add(&r->trace, num_trace_leaf(&t, r->sequences, sequence - r->from, row / NUM_TILE, col / NUM_TILE), f));
    return r->source->trace(r->source->ctx, id, sequence, row, col, out, f);
}

static err record_weight(void *ctx, uint32_t tensor, uint32_t row, uint32_t col, int64_t *out, fault *f)
{
    recorder *r = ctx;
    TRY(leaf_add(&r->weight, num_weight_leaf(r->shape, tensor, row / NUM_TILE, col / NUM_TILE), f));
    return r->source->weight(r->source->ctx, tensor, row, col, out, f);
}

/* One run: a relation reads the tokens of its own sequence, or those of all. */
static err record_token(void *ctx, uint64_t sequence, uint32_t position, uint16_t *out, fault *f)
{
    recorder *r = ctx;
    uint64_t at = sequence - r->from;
    if (r->tokens.count == 0)
        r->tokens.first = at;
    r->tokens.count = (uint32_t)(at - r->tokens.first) + 1;
    return r->source->token(r->source->ctx, sequence, position, out, f);
}

/* Which tensor a leaf belongs to, as its number among the committed tensors or weights: a run must not cross into the next. */
static uint64_t trace_owner(const recorder *r, uint64_t leaf)
{
    num_trace_tensor t;
    uint64_t seq_index; /* a run must not cross into the next sequence either */
    uint32_t row, col;
    CHECK(num_trace_locate(&t, &seq_index, &row, &col, r->shape, r->sequences, leaf) == OK);
    return seq_index << 32 | t.id;
}

static uint64_t weight_owner(const recorder *r, uint64_t leaf)
{
    uint32_t tensor = 0;
    while (tensor + 1 < num_tensor_count(r->shape) && num_weight_leaf(r->shape, tensor + 1, 0, 0) <= leaf)
        tensor++;
    return tensor;
}

static err runs_of(pf_run *out, uint32_t *count, const recorder *r, const leaf_set *set, bool weight, fault *f)
{
    uint64_t owner_before = 0;
    *count = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        uint64_t leaf = set->leaf[i], owner = weight ? weight_owner(r, leaf) : trace_owner(r, leaf);
        if (i > 0 && set->leaf[i - 1] + 1 == leaf && owner == owner_before) {
            out[*count - 1].count++;
        } else {
            if (*count == PF_OPENINGS_MAX)
                return fail(f, ERR_LIMIT, "evidence.openings", leaf);
            out[(*count)++] = (pf_run){ leaf, 1 };
        }
        owner_before = owner;
    }
    return OK;
}

static err plan_runs(pf_plan *out, const recorder *r, fault *f)
{
    out->tokens = r->tokens;
    TRY(runs_of(out->trace, &out->trace_count, r, &r->trace, false, f));
    return runs_of(out->weight, &out->weight_count, r, &r->weight, true, f);
}

static err plan_sum(pf_plan *out, const recorder *r, const pf_context *c, const pf_source *recording, uint32_t id, uint64_t element,
                    fault *f)
{
    out->expected = (pf_element){ .range = false };
    TRY(pf_sum_eval(&out->expected.value, c, recording, r->from, r->from + r->sequences, id, element, f));
    if (id != PF_LOSS) {
        uint64_t cols = num_tensor_describe(r->shape, id - PF_GRADIENT).cols;
        out->gradient = num_weight_leaf(r->shape, id - PF_GRADIENT, (uint32_t)(element / cols / NUM_TILE), (uint32_t)(element % cols / NUM_TILE));
    }
    return plan_runs(out, r, f);
}

err pf_plan_make(pf_plan *out, const pf_context *c, const pf_source *source, uint64_t from, uint64_t to,
                 uint32_t tensor_id, uint64_t element, fault *f)
{
    recorder r;
    r.source = source;
    r.shape = &c->model->shape;
    r.from = from;
    r.sequences = to - from;
    r.trace.count = r.weight.count = r.tokens.count = 0;
    pf_source recording = { &r, record_trace, record_weight, record_token };
    if (tensor_id >= PF_GRADIENT)
        return plan_sum(out, &r, c, &recording, tensor_id, element, f);
    TRY(pf_relation_eval(&out->expected, c, &recording, tensor_id, element, f));
    num_trace_tensor t;
    TRY(num_trace_find(&t, NULL, r.shape, tensor_id));
    /* The tile of the element itself, whose value no source needs to have: where the step ended, it was never written. */
    uint32_t row = (uint32_t)(element / t.cols), col = (uint32_t)(element % t.cols);
    TRY(leaf_add(&r.trace, num_trace_leaf(&t, r.sequences, c->sequence - from, row / NUM_TILE, col / NUM_TILE), f));
    return plan_runs(out, &r, f);
}
