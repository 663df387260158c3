/* SPDX-License-Identifier: Apache-2.0
 *
 * Where every element of a lease's trace lies in the tree of 16 x 16 tiles (spec/numerics.md section 7): the committed
 * tensors in the order of sections 4 and 5; for each tensor the sequences in the order of the lease; for each sequence the
 * tiles row-major. All of it is a function of the shape and of the number of sequences. Nothing here allocates. */
#ifndef NUMERICS_TRACE_H
#define NUMERICS_TRACE_H

#include "numerics/config.h"

enum {
    NUM_TILE = 16,                           /* rows and columns of a tile */
    NUM_TILE_ELEMENTS = NUM_TILE * NUM_TILE,
    NUM_LEAF_HEAD = 64,                      /* a block of BLAKE3, so that leaves are whole blocks (cr_blake3_many) */
    NUM_LEAF_BYTES_MAX = NUM_LEAF_HEAD + 8 * NUM_TILE_ELEMENTS,
    NUM_LEAF_GROUP = 16,                     /* leaves that are encoded, and hashed, together */
};

/* Tiles that `n` rows or columns take. */
static inline uint32_t num_tiles(uint32_t n)
{
    return (n + NUM_TILE - 1) / NUM_TILE;
}

/* How many of a tile's rows or columns lie inside `n`. */
static inline uint32_t num_tile_span(uint32_t n, uint32_t tile)
{
    uint32_t left = n - tile * NUM_TILE;
    return left < NUM_TILE ? left : NUM_TILE;
}

/* The elements of a tile without the padding, as evidence carries them (spec/evidence.md): n_rows x n_cols of `size` bytes, from
 * and to the 256 of a leaf. num_tile_pack returns the number of bytes. */
size_t num_tile_pack(uint8_t *out, const uint8_t *elements, uint32_t n_rows, uint32_t n_cols, uint32_t size);
void   num_tile_unpack(uint8_t *elements, const uint8_t *packed, uint32_t n_rows, uint32_t n_cols, uint32_t size);

/* One committed tensor. `tile_first` is its first leaf in the trace of a lease of ONE sequence; with n sequences it is
 * n * tile_first, and sequence s of the lease (0-based) follows at s * tiles. */
typedef struct num_trace_tensor {
    uint32_t id;          /* NUM_TENSOR_ID(layer, slot) */
    uint32_t rows, cols;  /* of one sequence */
    uint32_t elem_bytes;  /* 2, 4 or 8 */
    uint32_t tile_rows, tile_cols;
    uint64_t tiles;       /* of one sequence */
    uint64_t tile_first;
} num_trace_tensor;

/* Number of committed tensors: 34 a layer and 12 of the final norm, loss and head. */
uint32_t num_trace_count(const num_shape *shape);

/* The k-th committed tensor, k < num_trace_count; the shape is valid (num_const_of). Constant time. */
num_trace_tensor num_trace_at(const num_shape *shape, uint32_t k);

/* The committed tensor with this id: ERR_NOT_FOUND if the shape has none. *k (may be NULL) gets its place in the order. */
err num_trace_find(num_trace_tensor *out, uint32_t *k, const num_shape *shape, uint32_t id) MUST_USE;

/* Leaves of the whole trace of a lease of `sequences` sequences. */
uint64_t num_trace_leaves(const num_shape *shape, uint64_t sequences);

/* Index of the leaf; seq_index < sequences is the place in the lease, tile_row < tile_rows, tile_col < tile_cols. */
uint64_t num_trace_leaf(const num_trace_tensor *tensor, uint64_t sequences, uint64_t seq_index, uint32_t tile_row,
                        uint32_t tile_col);

/* The other way round: which tensor, sequence and tile leaf `leaf` is. ERR_NOT_FOUND past the end. */
err num_trace_locate(num_trace_tensor *out, uint64_t *seq_index, uint32_t *tile_row, uint32_t *tile_col,
                     const num_shape *shape, uint64_t sequences, uint64_t leaf) MUST_USE;

static inline size_t num_leaf_bytes(uint32_t elem_bytes)
{
    return NUM_LEAF_HEAD + (size_t)elem_bytes * NUM_TILE_ELEMENTS;
}

/* Writes the leaf's num_leaf_bytes(elem_bytes) bytes: head (le32 tensor, le64 sequence, le32 tile row, le32 tile column, zeros), then
 * the tile's 256 elements row-major, little-endian, zero outside the tensor. `sequence` is the global sequence number; `data` the sequence's rows x cols tensor in host order. */
void num_leaf_encode(uint8_t *out, const num_trace_tensor *tensor, uint64_t sequence, uint32_t tile_row, uint32_t tile_col,
                     const void *data);

/* Whether it has the length, the head and the padding that its place says. */
bool num_leaf_is_formed(bytes leaf, const num_trace_tensor *tensor, uint64_t sequence, uint32_t tile_row, uint32_t tile_col);

/* Element `at` (0 .. 255) of an encoded leaf. */
int64_t num_leaf_element(const uint8_t *leaf, uint32_t elem_bytes, uint32_t at);

/* The leaf of a weight tile under the weight root (section 14): head (le32 tensor, le32 tile row, le32 tile column, zeros), 256 le16. */
enum { NUM_WEIGHT_LEAF_BYTES = NUM_LEAF_HEAD + 2 * NUM_TILE_ELEMENTS };

uint64_t num_weight_leaves(const num_shape *shape);
uint64_t num_weight_leaf(const num_shape *shape, uint32_t tensor, uint32_t tile_row, uint32_t tile_col);

/* Its inverse; leaf < num_weight_leaves. */
void num_weight_locate(uint32_t *tensor, uint32_t *tile_row, uint32_t *tile_col, const num_shape *shape, uint64_t leaf);

/* `weights` is the tensor itself, rows x cols. */
void num_weight_leaf_encode(uint8_t out[NUM_WEIGHT_LEAF_BYTES], const num_shape *shape, uint32_t tensor, uint32_t tile_row,
                            uint32_t tile_col, const int16_t *weights);

/* The leaf of a gradient tile under the gradient root: the same places as the weights, with 256 le64 elements. `gradient` is that
 * of the tensor, rows x cols. */
enum { NUM_GRADIENT_LEAF_BYTES = NUM_LEAF_HEAD + 8 * NUM_TILE_ELEMENTS };

void num_gradient_leaf_encode(uint8_t out[NUM_GRADIENT_LEAF_BYTES], const num_shape *shape, uint32_t tensor, uint32_t tile_row,
                              uint32_t tile_col, const int64_t *gradient);

/* The same from the rows of these tiles alone: `band` begins with row NUM_TILE * tile_row of the tensor. */
void num_gradient_band_encode(uint8_t out[NUM_GRADIENT_LEAF_BYTES], const num_shape *shape, uint32_t tensor, uint32_t tile_row,
                              uint32_t tile_col, const int64_t *band);

/* The leaf of a sequence's tokens under a lease's tokens root (section 7): le64 sequence, then its inputs and the last target as
 * le16. */
enum { NUM_TOKEN_LEAF_HEAD = 8 };

static inline size_t num_token_leaf_bytes(uint32_t context)
{
    return NUM_TOKEN_LEAF_HEAD + 2 * ((size_t)context + 1);
}

void num_token_leaf_encode(uint8_t *out, uint64_t sequence, const uint16_t *tokens, uint32_t context);

#endif
