/* SPDX-License-Identifier: Apache-2.0
 *
 * The commitment to a lease's trace: the Merkle root (rule blake3) over the 16 x 16 tiles of every committed tensor, laid out by
 * numerics/trace.h. Only the leaf hashes are kept, 32 bytes a tile. Two leaf lists of the same lease say where two executions
 * part: leaves stand in the order of computation, so everything before the first difference is agreed on. */
#ifndef TRAIN_TRACE_ROOT_H
#define TRAIN_TRACE_ROOT_H

#include "base/port/pool.h"
#include "crypto/merkle.h"
#include "numerics/trace.h"

typedef struct tr_trace {
    num_shape       shape;
    uint32_t        count;     /* sequences */
    const uint64_t *sequences; /* their global numbers, as in bt_batch; borrowed */
    base_pool      *pool;      /* for hashing; may be NULL; borrowed */
    uint64_t        leaf_count;
    hash256        *leaves;    /* leaf_count; owned */
    uint8_t        *seen;      /* one byte per tensor and sequence */
    uint64_t        missing;   /* tensor and sequence pairs not seen yet */
} tr_trace;

/* ERR_MEMORY; ERR_RANGE if a sequence number stands there twice; ERR_LIMIT above LIMIT_LEASE_SEQUENCES. The shape is valid. */
err  tr_trace_init(tr_trace *t, const num_shape *shape, uint32_t count, const uint64_t *sequences, base_pool *pool,
                   fault *f) MUST_USE;
void tr_trace_deinit(tr_trace *t);

/* Forgets what was seen: ready for another run of the same lease. */
void tr_trace_reset(tr_trace *t);

/* The bt_trace_fn; `ctx` is the tr_trace. ERR_SHAPE, ERR_NOT_FOUND or ERR_DUPLICATE if the executor shows what the layout does not
 * have. */
err tr_trace_take(void *ctx, uint32_t tensor_id, uint64_t sequence, const void *data, uint32_t rows, uint32_t cols,
                  uint32_t elem_bytes);

/* ERR_TRUNCATED with the number of missing tensors if not everything was shown. */
err tr_trace_root(const tr_trace *t, hash256 *root, fault *f) MUST_USE;

/* The root of a run that ended in RANGE: leaves of tensors that were not reached are 32 zero bytes. What is reached before the first
 * failing check is defined (spec/numerics.md section 8), so this is a function of the lease, too. */
hash256 tr_trace_root_partial(const tr_trace *t);

/* Where a leaf lies. */
typedef struct tr_place {
    num_trace_tensor tensor;
    uint64_t         sequence; /* global number */
    uint64_t         seq_index;
    uint32_t         tile_row, tile_col;
    uint64_t         leaf;
} tr_place;

/* The first leaf in which the lists differ: ERR_NOT_FOUND if they are equal. Both have t->leaf_count leaves. */
err tr_trace_difference(const tr_trace *t, const hash256 *theirs, tr_place *out) MUST_USE;

/* A bt_trace_fn that keeps the bytes of one tile: the leaf as num_leaf_encode writes it. */
typedef struct tr_tile {
    num_shape shape;
    tr_place  place;
    bool      found;
    uint8_t   leaf[NUM_LEAF_BYTES_MAX];
} tr_tile;

err tr_tile_take(void *ctx, uint32_t tensor_id, uint64_t sequence, const void *data, uint32_t rows, uint32_t cols,
                 uint32_t elem_bytes);

#endif
