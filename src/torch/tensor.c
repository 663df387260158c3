/* SPDX-License-Identifier: Apache-2.0 */
#include "torch/tensor.h"

#include <stdatomic.h>
#include <stdlib.h>

struct bt_storage {
    atomic_uint count;
    bt_device  *device;
    void       *data;
    uint64_t    n_bytes;
    bool        borrowed; /* the caller's memory */
};

size_t bt_dtype_size(bt_dtype dtype)
{
    static const uint8_t sizes[] = { [BT_U16] = 2, [BT_I16] = 2, [BT_I32] = 4, [BT_I64] = 8 };
    return sizes[dtype];
}

const char *bt_dtype_name(bt_dtype dtype)
{
    static const char *const names[] = { [BT_U16] = "u16", [BT_I16] = "i16", [BT_I32] = "i32", [BT_I64] = "i64" };
    return names[dtype];
}

static void set_row_major(bt_tensor *t, uint32_t rank, const uint64_t *shape)
{
    int64_t stride = 1;
    t->rank = rank;
    for (uint32_t i = rank; i-- > 0;) {
        t->shape[i] = shape[i];
        t->stride[i] = stride;
        stride *= (int64_t)(shape[i] ? shape[i] : 1);
    }
}

static err count_elements(uint64_t *out, uint32_t rank, const uint64_t *shape)
{
    if (rank > LIMIT_TENSOR_RANK)
        return ERR_SHAPE;
    uint64_t n = 1, padded = 1; /* padded: sizes of 0 count as 1, so that strides stay bounded too */
    for (uint32_t i = 0; i < rank; i++) {
        uint64_t size = shape[i] ? shape[i] : 1;
        if (padded > LIMIT_TENSOR_BYTES / size)
            return ERR_LIMIT;
        padded *= size;
        n *= shape[i];
    }
    *out = n;
    return OK;
}

err bt_tensor_new(bt_tensor *out, bt_device *device, bt_dtype dtype, uint32_t rank, const uint64_t *shape, int fraction)
{
    uint64_t n = 0;
    TRY(count_elements(&n, rank, shape));
    if (n > LIMIT_TENSOR_BYTES / bt_dtype_size(dtype))
        return ERR_LIMIT;
    bt_storage *s = malloc(sizeof *s);
    if (!s)
        return ERR_MEMORY;
    s->device = device;
    s->n_bytes = n * bt_dtype_size(dtype);
    s->borrowed = false;
    atomic_init(&s->count, 1);
    err e = device->backend->alloc(device, &s->data, s->n_bytes);
    if (e != OK) {
        free(s);
        return e;
    }
    *out = (bt_tensor){ .storage = s, .dtype = dtype, .fraction = fraction };
    set_row_major(out, rank, shape);
    return OK;
}

err bt_tensor_wrap(bt_tensor *out, bt_device *device, bt_dtype dtype, void *data, uint64_t count)
{
    if (!device->backend->host_memory)
        return ERR_UNSUPPORTED;
    if (count > LIMIT_TENSOR_BYTES / bt_dtype_size(dtype))
        return ERR_LIMIT;
    bt_storage *s = malloc(sizeof *s);
    if (!s)
        return ERR_MEMORY;
    *s = (bt_storage){ .device = device, .data = data, .n_bytes = count * bt_dtype_size(dtype), .borrowed = true };
    atomic_init(&s->count, 1);
    *out = (bt_tensor){ .storage = s, .dtype = dtype };
    set_row_major(out, 1, &count);
    return OK;
}

bt_tensor bt_tensor_ref(const bt_tensor *t)
{
    if (t->storage)
        atomic_fetch_add_explicit(&t->storage->count, 1, memory_order_relaxed);
    return *t;
}

void bt_tensor_unref(bt_tensor *t)
{
    bt_storage *s = t->storage;
    *t = (bt_tensor){ 0 };
    if (!s || atomic_fetch_sub_explicit(&s->count, 1, memory_order_acq_rel) != 1)
        return;
    if (!s->borrowed)
        s->device->backend->release(s->device, s->data, s->n_bytes);
    free(s);
}

bool bt_tensor_unshared(const bt_tensor *t)
{
    return atomic_load_explicit(&t->storage->count, memory_order_acquire) == 1;
}

uint64_t bt_tensor_count(const bt_tensor *t)
{
    uint64_t n = 1;
    for (uint32_t i = 0; i < t->rank; i++)
        n *= t->shape[i];
    return n;
}

bool bt_tensor_contiguous(const bt_tensor *t)
{
    int64_t stride = 1;
    for (uint32_t i = t->rank; i-- > 0;) {
        if (t->shape[i] != 1 && t->stride[i] != stride && bt_tensor_count(t) != 0)
            return false;
        stride *= (int64_t)t->shape[i];
    }
    return true;
}

bt_device *bt_tensor_device(const bt_tensor *t)
{
    return t->storage->device;
}

void *bt_tensor_data(const bt_tensor *t)
{
    CHECK(t->storage && t->storage->device->backend->host_memory);
    return (char *)t->storage->data + t->offset * (int64_t)bt_dtype_size(t->dtype);
}

err bt_tensor_slice(bt_tensor *out, const bt_tensor *t, uint32_t dim, uint64_t start, uint64_t stop, uint64_t step, fault *f)
{
    if (dim >= t->rank)
        return fail(f, ERR_SHAPE, "slice: dimension", dim);
    if (step == 0 || step > INT64_MAX || start > stop || stop > t->shape[dim])
        return fail(f, ERR_SHAPE, "slice: start, stop or step", start);
    bt_tensor view = bt_tensor_ref(t);
    uint64_t count = (stop - start + (step - 1)) / step;
    if (stop - start > UINT64_MAX - (step - 1))
        count = 1;
    view.shape[dim] = count;
    view.offset += (int64_t)start * t->stride[dim];
    if (count > 1)
        view.stride[dim] = t->stride[dim] * (int64_t)step;
    *out = view;
    return OK;
}

err bt_tensor_transpose(bt_tensor *out, const bt_tensor *t, uint32_t a, uint32_t b, fault *f)
{
    if (a >= t->rank || b >= t->rank)
        return fail(f, ERR_SHAPE, "transpose: dimension", a >= t->rank ? a : b);
    bt_tensor view = bt_tensor_ref(t);
    view.shape[a] = t->shape[b], view.shape[b] = t->shape[a];
    view.stride[a] = t->stride[b], view.stride[b] = t->stride[a];
    *out = view;
    return OK;
}

err bt_tensor_select(bt_tensor *out, const bt_tensor *t, uint32_t dim, uint64_t index, fault *f)
{
    if (dim >= t->rank)
        return fail(f, ERR_SHAPE, "select: dimension", dim);
    if (index >= t->shape[dim])
        return fail(f, ERR_SHAPE, "select: index", index);
    bt_tensor view = bt_tensor_ref(t);
    view.offset += (int64_t)index * t->stride[dim];
    view.rank--;
    for (uint32_t i = dim; i < view.rank; i++) {
        view.shape[i] = t->shape[i + 1];
        view.stride[i] = t->stride[i + 1];
    }
    *out = view;
    return OK;
}

err bt_tensor_expand(bt_tensor *out, const bt_tensor *t, uint32_t rank, const uint64_t *shape, fault *f)
{
    uint64_t n;
    if (rank < t->rank || count_elements(&n, rank, shape) != OK)
        return fail(f, ERR_SHAPE, "expand: rank or size", rank);
    bt_tensor view = *t;
    view.rank = rank;
    uint32_t lead = rank - t->rank;
    for (uint32_t i = 0; i < rank; i++) {
        uint64_t have = i < lead ? 1 : t->shape[i - lead];
        int64_t stride = i < lead ? 0 : t->stride[i - lead];
        if (have != shape[i] && have != 1)
            return fail(f, ERR_SHAPE, "expand: size", i);
        view.shape[i] = shape[i];
        view.stride[i] = have == shape[i] ? stride : 0;
    }
    bt_tensor counted = bt_tensor_ref(t);
    view.storage = counted.storage;
    *out = view;
    return OK;
}

/* A group of old dimensions that runs like one can be split freely: walk both shapes from the right and match products. */
static bool view_strides(const bt_tensor *t, uint32_t rank, const uint64_t *shape, int64_t *stride)
{
    uint32_t new_dim = rank;
    for (uint32_t old_dim = t->rank; old_dim > 0;) {
        uint64_t group = t->shape[old_dim - 1];
        int64_t unit = t->stride[old_dim - 1];
        uint32_t first = old_dim - 1;
        while (first > 0 && (t->shape[first - 1] == 1 || t->stride[first - 1] == unit * (int64_t)group)) {
            group *= t->shape[first - 1];
            first--;
        }
        uint64_t filled = 1;
        while (new_dim > 0 && filled * shape[new_dim - 1] <= group) {
            new_dim--;
            stride[new_dim] = unit * (int64_t)filled;
            filled *= shape[new_dim];
        }
        if (filled != group)
            return false;
        old_dim = first;
    }
    while (new_dim > 0) {
        if (shape[--new_dim] != 1)
            return false;
        stride[new_dim] = 0;
    }
    return true;
}

err bt_tensor_reshape(bt_tensor *out, const bt_tensor *t, uint32_t rank, const uint64_t *shape, fault *f)
{
    uint64_t n = 0;
    if (count_elements(&n, rank, shape) != OK || n != bt_tensor_count(t))
        return fail(f, ERR_SHAPE, "reshape: element count", rank);
    bt_tensor view = *t;
    set_row_major(&view, rank, shape);
    if (n != 0 && !bt_tensor_contiguous(t) && !view_strides(t, rank, shape, view.stride))
        return fail(f, ERR_SHAPE, "reshape: strides allow no view", rank);
    bt_tensor counted = bt_tensor_ref(t);
    view.storage = counted.storage;
    *out = view;
    return OK;
}

static void copy_dim(char *dst, const char *src, const bt_tensor *d, const bt_tensor *s, uint32_t dim, size_t size)
{
    if (dim == d->rank) {
        memcpy(dst, src, size);
        return;
    }
    for (uint64_t i = 0; i < d->shape[dim]; i++)
        copy_dim(dst + (int64_t)i * d->stride[dim] * (int64_t)size, src + (int64_t)i * s->stride[dim] * (int64_t)size, d, s, dim + 1, size);
}

err bt_tensor_copy(bt_tensor *dst, const bt_tensor *src, fault *f)
{
    if (dst->dtype != src->dtype)
        return fail(f, ERR_DTYPE, "copy: element type", 0);
    if (dst->rank != src->rank)
        return fail(f, ERR_SHAPE, "copy: rank", src->rank);
    for (uint32_t i = 0; i < dst->rank; i++)
        if (dst->shape[i] != src->shape[i])
            return fail(f, ERR_SHAPE, "copy: size of dimension", i);
    size_t size = bt_dtype_size(dst->dtype);
    if (bt_tensor_contiguous(dst) && bt_tensor_contiguous(src)) {
        uint64_t n_bytes = bt_tensor_count(dst) * size;
        if (n_bytes)
            memmove(bt_tensor_data(dst), bt_tensor_data(src), n_bytes);
    } else {
        copy_dim(bt_tensor_data(dst), bt_tensor_data(src), dst, src, 0, size);
    }
    dst->fraction = src->fraction;
    return OK;
}

static void zero_dim(char *data, const bt_tensor *t, uint32_t dim, size_t size)
{
    if (dim == t->rank) {
        memset(data, 0, size);
        return;
    }
    for (uint64_t i = 0; i < t->shape[dim]; i++)
        zero_dim(data + (int64_t)i * t->stride[dim] * (int64_t)size, t, dim + 1, size);
}

void bt_tensor_zero(bt_tensor *t)
{
    size_t size = bt_dtype_size(t->dtype);
    if (bt_tensor_contiguous(t))
        memset(bt_tensor_data(t), 0, bt_tensor_count(t) * size);
    else
        zero_dim(bt_tensor_data(t), t, 0, size);
}
