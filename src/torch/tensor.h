/* SPDX-License-Identifier: Apache-2.0
 *
 * Tensors: typed, strided, rank 0 to 8, sizes of 0 allowed, over reference-counted storage; every view shares its storage
 * (no copy). A tensor of the integer tier carries the fraction of its quantity: real value = element * 2^-fraction. */
#ifndef TORCH_TENSOR_H
#define TORCH_TENSOR_H

#include "base/bytes.h"
#include "base/limits.h"
#include "torch/backend.h"

typedef enum bt_dtype { BT_U16, BT_I16, BT_I32, BT_I64 } bt_dtype;

size_t      bt_dtype_size(bt_dtype dtype);
const char *bt_dtype_name(bt_dtype dtype);

typedef struct bt_storage bt_storage; /* counted; freed on its device with the last tensor */

typedef struct bt_tensor {
    bt_storage *storage; /* NULL: no tensor */
    bt_dtype    dtype;
    uint32_t    rank;
    uint64_t    shape[LIMIT_TENSOR_RANK_N];
    int64_t     stride[LIMIT_TENSOR_RANK_N]; /* in elements; 0 where a dimension was expanded */
    int64_t     offset;                      /* of element (0, ..., 0), in elements */
    int         fraction;
} bt_tensor;

/* A new contiguous tensor of unspecified content. ERR_SHAPE (rank), ERR_LIMIT (LIMIT_TENSOR_BYTES), ERR_MEMORY. Owned: unref it. */
err bt_tensor_new(bt_tensor *out, bt_device *device, bt_dtype dtype, uint32_t rank, const uint64_t *shape, int fraction) MUST_USE;

/* A rank-1 tensor over `count` elements of the caller's memory, which must outlive every handle. Where the device does not share host memory:
 * ERR_UNSUPPORTED. */
err bt_tensor_wrap(bt_tensor *out, bt_device *device, bt_dtype dtype, void *data, uint64_t count) MUST_USE;

/* Another handle on the same elements; and giving one up. Handles may be given up in any order, from any thread. */
bt_tensor bt_tensor_ref(const bt_tensor *t);
void      bt_tensor_unref(bt_tensor *t); /* sets it to no tensor; fine on none */

/* True if no other handle shares the storage. */
bool bt_tensor_unshared(const bt_tensor *t);

uint64_t bt_tensor_count(const bt_tensor *t);
bool     bt_tensor_contiguous(const bt_tensor *t);
bt_device *bt_tensor_device(const bt_tensor *t);

/* Host address of element (0, ..., 0); only for tensors on a device that shares host memory (CPU). */
void *bt_tensor_data(const bt_tensor *t);

/* Views: `out` is a new handle (unref it), sharing storage with `t`. ERR_SHAPE names what does not fit. */
err bt_tensor_slice(bt_tensor *out, const bt_tensor *t, uint32_t dim, uint64_t start, uint64_t stop, uint64_t step, fault *f) MUST_USE;
err bt_tensor_transpose(bt_tensor *out, const bt_tensor *t, uint32_t dim_a, uint32_t dim_b, fault *f) MUST_USE;
err bt_tensor_select(bt_tensor *out, const bt_tensor *t, uint32_t dim, uint64_t index, fault *f) MUST_USE; /* drops `dim` */
err bt_tensor_expand(bt_tensor *out, const bt_tensor *t, uint32_t rank, const uint64_t *shape, fault *f) MUST_USE; /* sizes 1 repeat */
/* Same elements in row-major order under another shape; ERR_SHAPE if counts differ or strides do not allow a view. */
err bt_tensor_reshape(bt_tensor *out, const bt_tensor *t, uint32_t rank, const uint64_t *shape, fault *f) MUST_USE;

/* Copies elements, row-major on both sides; same shape and dtype. */
err bt_tensor_copy(bt_tensor *dst, const bt_tensor *src, fault *f) MUST_USE;
void bt_tensor_zero(bt_tensor *t);

#endif
