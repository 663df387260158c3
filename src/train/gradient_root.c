/* SPDX-License-Identifier: Apache-2.0 */
#include "train/gradient_root.h"

#include <stdlib.h>

static uint32_t tiles_of(uint32_t n)
{
    return (n + NUM_TILE - 1) / NUM_TILE;
}

typedef struct tensor_job {
    const num_shape *shape;
    uint32_t         tensor, tile_cols;
    const int64_t   *gradient; /* of the tensor */
    hash256         *leaves;   /* of its first tile */
} tensor_job;

static void hash_tile_row(void *ctx, size_t tile_row, unsigned thread)
{
    (void)thread;
    const tensor_job *job = ctx;
    uint8_t leaf[NUM_GRADIENT_LEAF_BYTES];
    for (uint32_t c = 0; c < job->tile_cols; c++) {
        num_gradient_leaf_encode(leaf, job->shape, job->tensor, (uint32_t)tile_row, c, job->gradient);
        job->leaves[tile_row * job->tile_cols + c] = cr_merkle_leaf(&cr_merkle_blake3, bytes_of(leaf, sizeof leaf));
    }
}

void tr_gradient_leaves(hash256 *leaves, const num_shape *shape, const int64_t *gradient, base_pool *pool)
{
    for (uint32_t i = 0; i < num_tensor_count(shape); i++) {
        num_tensor_info t = num_tensor_describe(shape, i);
        tensor_job job = { shape, i, tiles_of(t.cols), gradient + t.offset, leaves };
        base_pool_for(pool, tiles_of(t.rows), hash_tile_row, &job);
        leaves += (size_t)tiles_of(t.rows) * job.tile_cols;
    }
}

err tr_gradient_root(hash256 *root, const num_shape *shape, const int64_t *gradient, base_pool *pool, fault *f)
{
    size_t count = (size_t)num_weight_leaves(shape);
    hash256 *leaves = malloc(count * sizeof *leaves);
    if (!leaves)
        return fail(f, ERR_MEMORY, "gradient.root", count);
    tr_gradient_leaves(leaves, shape, gradient, pool);
    *root = cr_merkle_root(&cr_merkle_blake3, leaves, count);
    free(leaves);
    return OK;
}

void tr_gradient_locate(const num_shape *shape, uint64_t leaf, uint32_t *tensor, uint32_t *tile_row, uint32_t *tile_col)
{
    CHECK(leaf < num_weight_leaves(shape));
    uint32_t i = 0, tile_cols;
    for (;; i++) {
        num_tensor_info t = num_tensor_describe(shape, i);
        tile_cols = tiles_of(t.cols);
        uint64_t tiles = (uint64_t)tiles_of(t.rows) * tile_cols;
        if (leaf < tiles)
            break;
        leaf -= tiles;
    }
    *tensor = i;
    *tile_row = (uint32_t)(leaf / tile_cols);
    *tile_col = (uint32_t)(leaf % tile_cols);
}

/* --- as a stream ---------------------------------------------------------------------------------------------------------- */

static uint32_t rows_here(const tr_root_stream *s, const num_tensor_info *t)
{
    uint32_t left = t->rows - s->tile_row * NUM_TILE;
    return left < NUM_TILE ? left : NUM_TILE;
}

static void expect_rows(tr_root_stream *s)
{
    s->have = s->need = 0;
    if (s->tensor == num_tensor_count(&s->shape))
        return;
    num_tensor_info t = num_tensor_describe(&s->shape, s->tensor);
    s->need = (uint64_t)rows_here(s, &t) * t.cols;
}

err tr_root_stream_init(tr_root_stream *s, const num_shape *shape)
{
    uint64_t most = 0;
    memset(s, 0, sizeof *s);
    s->shape = *shape;
    for (uint32_t i = 0; i < num_tensor_count(shape); i++) {
        num_tensor_info t = num_tensor_describe(shape, i);
        most = t.cols > most ? t.cols : most;
    }
    s->rows = malloc((size_t)most * NUM_TILE * sizeof *s->rows);
    if (!s->rows)
        return ERR_MEMORY;
    cr_merkle_builder_init(&s->builder, &cr_merkle_blake3);
    expect_rows(s);
    return OK;
}

void tr_root_stream_deinit(tr_root_stream *s)
{
    free(s->rows);
    s->rows = NULL;
}

/* The gathered rows are complete: their tiles, and on to the next ones. num_gradient_leaf_encode wants the whole tensor, so the leaf is
 * written here. */
static void take_rows(tr_root_stream *s)
{
    num_tensor_info t = num_tensor_describe(&s->shape, s->tensor);
    uint32_t rows = rows_here(s, &t);
    uint8_t leaf[NUM_GRADIENT_LEAF_BYTES];
    for (uint32_t c = 0; c < tiles_of(t.cols); c++) {
        uint32_t cols = t.cols - c * NUM_TILE < NUM_TILE ? t.cols - c * NUM_TILE : NUM_TILE;
        store_le32(leaf, s->tensor);
        store_le32(leaf + 4, s->tile_row);
        store_le32(leaf + 8, c);
        if (rows < NUM_TILE || cols < NUM_TILE)
            memset(leaf + NUM_WEIGHT_LEAF_HEAD, 0, sizeof leaf - NUM_WEIGHT_LEAF_HEAD);
        for (uint32_t r = 0; r < rows; r++)
            for (uint32_t x = 0; x < cols; x++)
                store_le64(leaf + NUM_WEIGHT_LEAF_HEAD + 8 * (r * NUM_TILE + x),
                           (uint64_t)s->rows[(size_t)r * t.cols + c * NUM_TILE + x]);
        cr_merkle_builder_add_data(&s->builder, bytes_of(leaf, sizeof leaf));
    }
    if (++s->tile_row == tiles_of(t.rows)) {
        s->tile_row = 0;
        s->tensor++;
    }
    expect_rows(s);
}

void tr_root_stream_add(tr_root_stream *s, const int64_t *values, size_t count)
{
    while (count > 0) {
        CHECK(s->need > 0);
        size_t n = s->need - s->have < count ? (size_t)(s->need - s->have) : count;
        memcpy(s->rows + s->have, values, n * sizeof *values);
        s->have += n;
        values += n;
        count -= n;
        if (s->have == s->need)
            take_rows(s);
    }
}

hash256 tr_root_stream_root(tr_root_stream *s)
{
    CHECK(s->need == 0);
    return cr_merkle_builder_root(&s->builder);
}
