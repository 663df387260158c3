/* SPDX-License-Identifier: Apache-2.0 */
#include "torch/weight_tree.h"

#include "crypto/merkle.h"

typedef struct tensor_job {
    const num_shape *shape;
    uint32_t         tensor, tile_cols;
    const int16_t   *weights;  /* of the tensor; or NULL and */
    const int64_t   *gradient;
    hash256         *leaves;   /* of the tensor */
} tensor_job;

/* The leaves of one row of tiles. */
static void hash_tile_row(void *ctx, size_t row, unsigned thread)
{
    const tensor_job *job = ctx;
    (void)thread;
    uint8_t leaves[NUM_LEAF_GROUP * NUM_GRADIENT_LEAF_BYTES];
    size_t  len = job->weights ? NUM_WEIGHT_LEAF_BYTES : NUM_GRADIENT_LEAF_BYTES;
    for (uint32_t c = 0; c < job->tile_cols; c += NUM_LEAF_GROUP) {
        uint32_t n = job->tile_cols - c < NUM_LEAF_GROUP ? job->tile_cols - c : NUM_LEAF_GROUP;
        for (uint32_t i = 0; i < n; i++) {
            if (job->weights)
                num_weight_leaf_encode(leaves + i * len, job->shape, job->tensor, (uint32_t)row, c + i, job->weights);
            else
                num_gradient_leaf_encode(leaves + i * len, job->shape, job->tensor, (uint32_t)row, c + i, job->gradient);
        }
        cr_merkle_leaves(&cr_merkle_blake3, job->leaves + row * job->tile_cols + c, leaves, len, n);
    }
}

/* One of `weights` and `gradient` is NULL. */
static void hash_tensors(hash256 *leaves, const num_shape *shape, const int16_t *weights, const int64_t *gradient, base_pool *pool)
{
    for (uint32_t i = 0; i < num_tensor_count(shape); i++) {
        num_tensor_info t = num_tensor_describe(shape, i);
        tensor_job job = { shape, i, num_tiles(t.cols), weights ? weights + t.offset : NULL, gradient ? gradient + t.offset : NULL, leaves };
        base_pool_for(pool, num_tiles(t.rows), hash_tile_row, &job);
        leaves += (size_t)num_tiles(t.rows) * job.tile_cols;
    }
}

void bt_weight_leaves(hash256 *leaves, const num_shape *shape, const int16_t *weights, base_pool *pool)
{
    hash_tensors(leaves, shape, weights, NULL, pool);
}

void bt_gradient_leaves(hash256 *leaves, const num_shape *shape, const int64_t *gradient, base_pool *pool)
{
    hash_tensors(leaves, shape, NULL, gradient, pool);
}
