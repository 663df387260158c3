/* SPDX-License-Identifier: Apache-2.0 */
#include "train/gradient_root.h"

#include <stdlib.h>

err tr_gradient_root(hash256 *root, const num_shape *shape, const int64_t *gradient, base_pool *pool, fault *f)
{
    size_t count = (size_t)num_weight_leaves(shape);
    hash256 *leaves = malloc(count * sizeof *leaves);
    if (!leaves)
        return fail(f, ERR_MEMORY, "gradient.root", count);
    bt_gradient_leaves(leaves, shape, gradient, pool);
    *root = cr_merkle_root(&cr_merkle_blake3, leaves, count);
    free(leaves);
    return OK;
}

/* --- as a stream ---------------------------------------------------------------------------------------------------------- */

static void expect_rows(tr_root_stream *s)
{
    s->have = s->need = 0;
    if (s->tensor == num_tensor_count(&s->shape))
        return;
    num_tensor_info t = num_tensor_describe(&s->shape, s->tensor);
    uint32_t left = t.rows - s->tile_row * NUM_TILE;
    s->need = (uint64_t)(left < NUM_TILE ? left : NUM_TILE) * t.cols;
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

/* The gathered rows are complete: their tiles, and on to the next ones. */
static void take_rows(tr_root_stream *s)
{
    num_tensor_info t = num_tensor_describe(&s->shape, s->tensor);
    uint8_t data[NUM_LEAF_GROUP * NUM_GRADIENT_LEAF_BYTES];
    hash256 leaves[NUM_LEAF_GROUP];
    for (uint32_t c = 0, n; c < num_tiles(t.cols); c += n) {
        n = num_tiles(t.cols) - c < NUM_LEAF_GROUP ? num_tiles(t.cols) - c : NUM_LEAF_GROUP;
        for (uint32_t i = 0; i < n; i++)
            num_gradient_band_encode(data + i * NUM_GRADIENT_LEAF_BYTES, &s->shape, s->tensor, s->tile_row, c + i, s->rows);
        cr_merkle_leaves(&cr_merkle_blake3, leaves, data, NUM_GRADIENT_LEAF_BYTES, n);
        for (uint32_t i = 0; i < n; i++)
            cr_merkle_builder_add(&s->builder, &leaves[i]);
    }
    if (++s->tile_row == num_tiles(t.rows)) {
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
