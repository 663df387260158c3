/* SPDX-License-Identifier: Apache-2.0
 *
 * What a device must do: one const vtable, one folder under src/torch/backend/. Nothing is optional except native operations:
 * one that is not in `native_ops` runs on the CPU reference with the same bytes. */
#ifndef TORCH_BACKEND_H
#define TORCH_BACKEND_H

#include "base/err.h"

typedef enum bt_op {
#define OP(id, name, doc) BT_OP_##id,
#include "ops.def"
#undef OP
    BT_OP_COUNT
} bt_op;

const char *bt_op_name(bt_op op);

typedef struct bt_device bt_device;
typedef struct bt_args   bt_args; /* one struct per op, see torch/kernels/ops.h */

typedef struct bt_memory {
    uint64_t live_bytes, peak_bytes; /* tensor storage */
    uint64_t scratch_bytes;          /* packing buffers and the like, allocated once */
} bt_memory;

typedef struct bt_backend {
    const char *name;
    uint64_t    native_ops; /* bit i: row i of ops.def */
    bool        host_memory; /* tensor data can be read and written by the host */
    err (*open)(bt_device **out, uint32_t ordinal, unsigned threads) MUST_USE;
    void (*close)(bt_device *device);
    err (*alloc)(bt_device *device, void **out, uint64_t n_bytes) MUST_USE;
    void (*release)(bt_device *device, void *data, uint64_t n_bytes);
    err (*upload)(bt_device *device, void *dst, const void *src, uint64_t n_bytes) MUST_USE;
    err (*download)(bt_device *device, void *dst, const void *src, uint64_t n_bytes) MUST_USE;
    err (*launch)(bt_device *device, bt_op op, const bt_args *args) MUST_USE;
    err (*sync)(bt_device *device) MUST_USE;
    void (*memory)(const bt_device *device, bt_memory *out);
} bt_backend;

/* Common head of every backend's device. */
struct bt_device {
    const bt_backend *backend;
    struct base_pool *pool; /* its host threads, for work beside the operations; NULL: the caller's alone */
};

extern const bt_backend bt_backend_cpu;

/* By name; NULL if this build does not have it. */
const bt_backend *bt_backend_find(const char *name);

#endif
