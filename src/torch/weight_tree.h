/* SPDX-License-Identifier: Apache-2.0
 *
 * The tree over the 16 x 16 tiles of all weight tensors (spec/numerics.md section 14), for the operands themselves and, with the same
 * places, for a gradient (spec/gradient-wire.md): its leaf hashes, rule blake3. */
#ifndef TORCH_WEIGHT_TREE_H
#define TORCH_WEIGHT_TREE_H

#include "base/port/pool.h"
#include "numerics/trace.h"

/* num_weight_leaves(shape) hashes each, in order. The shape is valid, the data num_parameter_count(shape) elements; `pool` may be NULL. */
void bt_weight_leaves(hash256 *leaves, const num_shape *shape, const int16_t *weights, base_pool *pool);
void bt_gradient_leaves(hash256 *leaves, const num_shape *shape, const int64_t *gradient, base_pool *pool);

#endif
