/* SPDX-License-Identifier: Apache-2.0
 *
 * Gradient wire format v1 (spec/gradient-wire.md): a header, a table of chunk hashes, and chunks of at most
 * LIMIT_GRADIENT_CHUNK_BYTES raw bytes, each packed losslessly in the one way that a reader accepts. Hashes are over the raw
 * canonical values (int64, little-endian), so nothing depends on the packing: chunk hashes and their root for the transport, and
 * the gradient root (train/gradient_root.h), which the worker attests.
 *
 * The reader is a stream: it takes any split of the file, checks each chunk before anyone sees its values, and holds one
 * chunk, the table and 16 rows. Every fault names the part; for a chunk `at` is the chunk's number. */
#ifndef TRAIN_GRADIENT_H
#define TRAIN_GRADIENT_H

#include "base/buf.h"
#include "train/gradient_root.h"

enum {
    TR_GRADIENT_VERSION = 1,
    TR_CHUNK_ELEMENTS = 32768,     /* LIMIT_GRADIENT_CHUNK_BYTES / 8 */
    TR_BLOCK_ELEMENTS = 256,       /* elements that share one bit width */
    TR_CHUNK_PACKED_MAX = TR_CHUNK_ELEMENTS / TR_BLOCK_ELEMENTS * (1 + 8 * TR_BLOCK_ELEMENTS),
    TR_GRADIENT_HEADER_MAX = 256,
};

/* Greatest magnitude of an element of one lease: above what the no-wrap ledger admits for any lease (LEASE_TOKENS A and
 * LEASE_TOKENS (2 L + 1) D_g, at most 2^46.7). With at most TR_SUM_LEASES_MAX leases a sum stays below 2^62 in every order. */
#define TR_GRADIENT_ABS_MAX ((int64_t)1 << 48)
enum { TR_SUM_LEASES_MAX = 1 << 14 };

/* What the header says. */
typedef struct tr_gradient_head {
    hash256   model; /* model id that the gradient is taken at */
    hash256   lease; /* hash of the lease's body */
    num_shape shape; /* valid; gives the header's number of tensors and elements, and the tiles */
    hash256   root;  /* gradient root: the gradient of an attestation. Set by the writer. */
} tr_gradient_head;

/* Receives bytes of the file in order. */
typedef err (*tr_sink_fn)(void *ctx, bytes part);

/* Writes the whole file to `sink` and fills head->root; `pool` (may be NULL) is for hashing. ERR_RANGE naming the first element above
 * TR_GRADIENT_ABS_MAX; the sink has then seen nothing. Errors of the sink come back as they are. */
err tr_gradient_write(tr_gradient_head *head, const int64_t *values, base_pool *pool, tr_sink_fn sink, void *ctx,
                      fault *f) MUST_USE;

/* The same into a buffer; on failure the buffer may hold a part. */
err tr_gradient_encode(buf *out, tr_gradient_head *head, const int64_t *values, base_pool *pool, fault *f) MUST_USE;

/* Largest file of `elements` elements. */
uint64_t tr_gradient_bytes_max(uint64_t elements);

/* Receives the elements [first, first + count) of a checked chunk, in order. */
typedef err (*tr_values_fn)(void *ctx, uint64_t first, const int64_t *values, size_t count);

typedef struct tr_gradient_reader tr_gradient_reader;

/* `want` says what the receiver leased: model, lease and shape must agree with the header (ERR_STALE, ERR_HASH, ERR_SHAPE);
 * want->root is not read. */
err  tr_gradient_reader_new(tr_gradient_reader **out, const tr_gradient_head *want, tr_values_fn values, void *ctx) MUST_USE;
void tr_gradient_reader_free(tr_gradient_reader *r);

/* Takes the next bytes of the file. After an error the reader stays failed with the same code. Codes: MAGIC, VERSION, CANONICAL
 * (header or packing is not what the writer would have written), STALE, HASH, SHAPE, LIMIT (oversized part), RANGE, TRAILING. */
err tr_gradient_reader_feed(tr_gradient_reader *r, bytes part, fault *f) MUST_USE;

/* After the last byte: ERR_TRUNCATED naming the part, or the gradient root of what came, which was compared with the header's. */
err tr_gradient_reader_finish(tr_gradient_reader *r, hash256 *root, fault *f) MUST_USE;

/* Bytes taken so far. */
uint64_t tr_gradient_reader_at(const tr_gradient_reader *r);

/* A whole file in memory; `values` has room for all elements of want->shape. On failure it is unspecified. */
err tr_gradient_decode(int64_t *values, hash256 *root, const tr_gradient_head *want, bytes file, fault *f) MUST_USE;

/* sum[i] += values[i], exact. ERR_OVERFLOW naming the element, and `sum` is then unchanged. */
err tr_gradient_add(int64_t *sum, const int64_t *values, uint64_t count, fault *f) MUST_USE;

/* The packing of one chunk (shared by writer, reader and their tests). Returns the packed length. */
size_t tr_chunk_pack(uint8_t out[TR_CHUNK_PACKED_MAX], const int64_t *values, size_t count);
/* ERR_TRUNCATED, ERR_TRAILING, ERR_CANONICAL. */
err tr_chunk_unpack(int64_t *values, size_t count, bytes packed) MUST_USE;

#endif
