/* SPDX-License-Identifier: Apache-2.0 */
#include "train/trace_root.h"

#include <stdlib.h>

err tr_trace_init(tr_trace *t, const num_shape *shape, uint32_t count, const uint64_t *sequences, base_pool *pool, fault *f)
{
    memset(t, 0, sizeof *t);
    if (count == 0 || count > LIMIT_LEASE_SEQUENCES)
        return fail(f, ERR_LIMIT, "trace.sequences", count);
    for (uint32_t i = 1; i < count; i++)
        if (sequences[i] <= sequences[i - 1])
            return fail(f, ERR_RANGE, "trace.sequences", i);
    *t = (tr_trace){ .shape = *shape, .count = count, .sequences = sequences, .pool = pool,
                     .leaf_count = num_trace_leaves(shape, count) };
    t->leaves = malloc((size_t)t->leaf_count * sizeof *t->leaves);
    t->seen = malloc((size_t)num_trace_count(shape) * count);
    if (!t->leaves || !t->seen) {
        tr_trace_deinit(t);
        return fail(f, ERR_MEMORY, "trace", 0);
    }
    tr_trace_reset(t);
    return OK;
}

void tr_trace_deinit(tr_trace *t)
{
    free(t->leaves);
    free(t->seen);
    memset(t, 0, sizeof *t);
}

void tr_trace_reset(tr_trace *t)
{
    t->missing = (uint64_t)num_trace_count(&t->shape) * t->count;
    memset(t->seen, 0, (size_t)t->missing);
    memset(t->leaves, 0, (size_t)t->leaf_count * sizeof *t->leaves);
}

static bool index_of(uint32_t *out, const tr_trace *t, uint64_t sequence)
{
    uint32_t lo = 0, hi = t->count;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (t->sequences[mid] < sequence)
            lo = mid + 1;
        else
            hi = mid;
    }
    *out = lo;
    return lo < t->count && t->sequences[lo] == sequence;
}

typedef struct group_job {
    const num_trace_tensor *tensor;
    uint64_t                sequence;
    const void             *data;
    hash256                *leaves; /* of the sequence's first tile */
} group_job;

static void hash_group(void *ctx, size_t group, unsigned thread)
{
    (void)thread;
    const group_job *job = ctx;
    const num_trace_tensor *t = job->tensor;
    uint8_t leaves[NUM_LEAF_GROUP * NUM_LEAF_BYTES_MAX];
    size_t len = num_leaf_bytes(t->elem_bytes), first = group * NUM_LEAF_GROUP;
    size_t n = t->tiles - first < NUM_LEAF_GROUP ? (size_t)t->tiles - first : NUM_LEAF_GROUP;
    for (size_t i = 0; i < n; i++)
        num_leaf_encode(leaves + i * len, t, job->sequence, (uint32_t)((first + i) / t->tile_cols), (uint32_t)((first + i) % t->tile_cols), job->data);
    cr_merkle_leaves(&cr_merkle_blake3, job->leaves + first, leaves, len, n);
}

err tr_trace_take(void *ctx, uint32_t tensor_id, uint64_t sequence, const void *data, uint32_t rows, uint32_t cols,
                  uint32_t elem_bytes)
{
    tr_trace *t = ctx;
    num_trace_tensor tensor;
    uint32_t k, index;
    TRY(num_trace_find(&tensor, &k, &t->shape, tensor_id));
    if (tensor.rows != rows || tensor.cols != cols || tensor.elem_bytes != elem_bytes)
        return ERR_SHAPE;
    if (!index_of(&index, t, sequence))
        return ERR_NOT_FOUND;
    uint8_t *seen = &t->seen[(size_t)k * t->count + index];
    if (*seen)
        return ERR_DUPLICATE;
    *seen = 1;
    t->missing--;
    group_job job = { &tensor, sequence, data, t->leaves + num_trace_leaf(&tensor, t->count, index, 0, 0) };
    base_pool_for(t->pool, (size_t)((tensor.tiles + NUM_LEAF_GROUP - 1) / NUM_LEAF_GROUP), hash_group, &job);
    return OK;
}

err tr_trace_root(const tr_trace *t, hash256 *root, fault *f)
{
    if (t->missing)
        return fail(f, ERR_TRUNCATED, "trace.tensors", t->missing);
    *root = tr_trace_root_partial(t);
    return OK;
}

hash256 tr_trace_root_partial(const tr_trace *t)
{
    return cr_merkle_root(&cr_merkle_blake3, t->leaves, (size_t)t->leaf_count);
}

err tr_trace_difference(const tr_trace *t, const hash256 *theirs, tr_place *out)
{
    uint64_t leaf = 0;
    while (leaf < t->leaf_count && hash256_equal(&t->leaves[leaf], &theirs[leaf]))
        leaf++;
    if (leaf == t->leaf_count)
        return ERR_NOT_FOUND;
    *out = (tr_place){ .leaf = leaf };
    TRY(num_trace_locate(&out->tensor, &out->seq_index, &out->tile_row, &out->tile_col, &t->shape, t->count, leaf));
    out->sequence = t->sequences[out->seq_index];
    return OK;
}

err tr_tile_take(void *ctx, uint32_t tensor_id, uint64_t sequence, const void *data, uint32_t rows, uint32_t cols,
                 uint32_t elem_bytes)
{
    tr_tile *t = ctx;
    if (tensor_id != t->place.tensor.id || sequence != t->place.sequence)
        return OK;
    if (rows != t->place.tensor.rows || cols != t->place.tensor.cols || elem_bytes != t->place.tensor.elem_bytes)
        return ERR_SHAPE;
    num_leaf_encode(t->leaf, &t->place.tensor, sequence, t->place.tile_row, t->place.tile_col, data);
    t->found = true;
    return OK;
}
