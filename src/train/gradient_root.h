/* SPDX-License-Identifier: Apache-2.0
 *
 * The gradient root: what an attestation calls its gradient. It is the Merkle root (rule blake3) over the 16 x 16 tiles of every weight
 * tensor's gradient, laid out by numerics/trace.h like the weight tree, so that one element of it can be opened in a dispute. The
 * number of leaves is num_weight_leaves(shape). */
#ifndef TRAIN_GRADIENT_ROOT_H
#define TRAIN_GRADIENT_ROOT_H

#include "crypto/merkle.h"
#include "torch/weight_tree.h"

/* `gradient` has num_parameter_count(shape) elements; the shape is valid; `pool` may be NULL. ERR_MEMORY. */
err tr_gradient_root(hash256 *root, const num_shape *shape, const int64_t *gradient, base_pool *pool, fault *f) MUST_USE;

/* The same root of elements that come in order, in any pieces. Holds 16 rows of the widest tensor. */
typedef struct tr_root_stream {
    num_shape         shape;
    uint32_t          tensor, tile_row; /* of the rows that are gathered */
    uint64_t          need, have;       /* elements of them */
    int64_t          *rows;             /* owned */
    cr_merkle_builder builder;
} tr_root_stream;

err  tr_root_stream_init(tr_root_stream *s, const num_shape *shape) MUST_USE; /* ERR_MEMORY */
void tr_root_stream_deinit(tr_root_stream *s);

/* No more than num_parameter_count elements in all. */
void tr_root_stream_add(tr_root_stream *s, const int64_t *values, size_t count);

/* After the last element. */
hash256 tr_root_stream_root(tr_root_stream *s);

#endif
