/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/trace_file.h"

#include <string.h>

static const char magic[8] = { 'T', 'B', 'T', 'R', 'A', 'C', 'E', '1' };

enum { HEAD = 24 };

err trace_writer_open(trace_writer *w, const char *path, fault *f)
{
    w->file = fopen(path, "wb");
    if (!w->file)
        return fail(f, ERR_IO, "trace: cannot write", 0);
    return fwrite(magic, 1, sizeof magic, w->file) == sizeof magic ? OK : fail(f, ERR_IO, "trace", 0);
}

static err put_record(FILE *file, uint32_t tensor, uint64_t sequence, const void *data, uint32_t rows, uint32_t cols, uint32_t elem_bytes)
{
    uint8_t head[HEAD], le[8192];
    store_le32(head, tensor);
    store_le64(head + 4, sequence);
    store_le32(head + 12, rows);
    store_le32(head + 16, cols);
    store_le32(head + 20, elem_bytes);
    if (fwrite(head, 1, sizeof head, file) != sizeof head)
        return ERR_IO;
    uint64_t count = (uint64_t)rows * cols, batch = sizeof le / elem_bytes;
    for (uint64_t n0 = 0; n0 < count; n0 += batch) {
        uint64_t n = count - n0 < batch ? count - n0 : batch;
        for (uint64_t i = 0; i < n; i++) {
            if (elem_bytes == 2)
                store_le16(le + 2 * i, (uint16_t)((const int16_t *)data)[n0 + i]);
            else if (elem_bytes == 4)
                store_le32(le + 4 * i, (uint32_t)((const int32_t *)data)[n0 + i]);
            else
                store_le64(le + 8 * i, (uint64_t)((const int64_t *)data)[n0 + i]);
        }
        if (fwrite(le, elem_bytes, n, file) != n)
            return ERR_IO;
    }
    return OK;
}

err trace_writer_tensor(void *ctx, uint32_t tensor, uint64_t sequence, const void *data, uint32_t rows, uint32_t cols, uint32_t elem_bytes)
{
    trace_writer *w = ctx;
    return put_record(w->file, tensor, sequence, data, rows, cols, elem_bytes);
}

err trace_writer_gradients(trace_writer *w, const num_shape *shape, const int64_t *gradient, fault *f)
{
    for (uint32_t i = 0; i < num_tensor_count(shape); i++) {
        num_tensor_info info = num_tensor_describe(shape, i);
        if (put_record(w->file, TRACE_GRADIENT + i, 0, gradient + info.offset, info.rows, info.cols, 8) != OK)
            return fail(f, ERR_IO, "trace: gradient", i);
    }
    return OK;
}

err trace_writer_close(trace_writer *w, err e, fault *f)
{
    if (fclose(w->file) != 0 && e == OK)
        e = fail(f, ERR_IO, "trace: close", 0);
    w->file = NULL;
    return e;
}

err trace_reader_open(FILE **out, const char *path, fault *f)
{
    char head[sizeof magic];
    FILE *file = fopen(path, "rb");
    if (!file)
        return fail(f, ERR_NOT_FOUND, "trace file", 0);
    if (fread(head, 1, sizeof head, file) != sizeof head || memcmp(head, magic, sizeof head) != 0) {
        fclose(file);
        return fail(f, ERR_MAGIC, "trace file", 0);
    }
    *out = file;
    return OK;
}

err trace_reader_next(FILE *file, trace_record *r, bool *more, fault *f)
{
    uint8_t head[HEAD];
    size_t got = fread(head, 1, sizeof head, file);
    *more = got == sizeof head;
    if (!*more)
        return got == 0 && !ferror(file) ? OK : fail(f, ERR_TRUNCATED, "trace: record", got);
    *r = (trace_record){ .tensor = load_le32(head), .sequence = load_le64(head + 4), .rows = load_le32(head + 12), .cols = load_le32(head + 16),
                         .elem_bytes = load_le32(head + 20) };
    if (r->elem_bytes != 2 && r->elem_bytes != 4 && r->elem_bytes != 8)
        return fail(f, ERR_RANGE, "trace: element bytes", r->elem_bytes);
    return OK;
}

void trace_name(char out[64], const num_shape *shape, uint32_t tensor)
{
    static const char *const slots[NUM_SLOT_COUNT] = {
        "x", "y1", "q", "k", "v", "z", "Z", "R", "e", "o", "b1", "y2", "h", "g", "b2", "r1", "dm", "dh", "dn2", "dx2",
        "da", "dp", "c", "m1", "dv", "ds", "dq", "dk", "dn1", "dx1", "gx", "r2", "lg", "el", "ZL", "RL", "dl", "m2", "loss", "x_mid",
    };
    if (tensor >= TRACE_GRADIENT) {
        if (shape && tensor - TRACE_GRADIENT < num_tensor_count(shape)) {
            num_tensor_info info = num_tensor_describe(shape, tensor - TRACE_GRADIENT);
            snprintf(out, 64, "gradient %s", info.name);
        } else {
            snprintf(out, 64, "gradient of weight tensor %u", tensor - TRACE_GRADIENT);
        }
        return;
    }
    uint32_t slot = tensor % 64;
    snprintf(out, 64, "layer %u %s", tensor / 64, slot < NUM_SLOT_COUNT ? slots[slot] : "?");
}
