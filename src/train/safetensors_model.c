/* SPDX-License-Identifier: Apache-2.0
 *
 * Weights of our models as safetensors, and back. */
#include "base/port/file.h"
#include "train/safetensors.h"
#include "train/store.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PIECE = 8192 };

static const double master_unit = 1.0 / (1 << 28);

/* --- out ---------------------------------------------------------------------------------------------------------------- */

static err put_metadata(buf *b, const bt_model *m)
{
    char id[65];
    base_hex_encode(id, m->id.b, 32);
    TRY(buf_printf(b, "\"__metadata__\":{\"format\":\"theblock-operands-1\",\"operand_bits\":\"%u\",\"model_id\":\"%s\"",
                   m->shape.bits, id));
    for (uint32_t k = 0; k < num_tensor_count(&m->shape); k++)
        TRY(buf_printf(b, ",\"%s.fraction\":\"%d\"", num_tensor_describe(&m->shape, k).name,
                       num_weight_fraction(&m->fractions, &m->shape, k)));
    return buf_put_str(b, "},");
}

/* Length and header, padded with spaces so that the data starts at a multiple of 8. `m` NULL: F32 masters, else I16. */
static err put_header(buf *b, const num_shape *shape, const bt_model *m)
{
    uint8_t length[8] = { 0 };
    unsigned size = m ? 2 : 4;
    TRY(buf_put(b, length, 8));
    TRY(buf_put_str(b, "{"));
    if (m)
        TRY(put_metadata(b, m));
    else
        TRY(buf_put_str(b, "\"__metadata__\":{\"format\":\"pt\"},"));
    for (uint32_t k = 0; k < num_tensor_count(shape); k++) {
        num_tensor_info t = num_tensor_describe(shape, k);
        unsigned long long begin = t.offset * size, end = begin + (uint64_t)t.rows * t.cols * size;
        TRY(buf_printf(b, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[%u,%u],\"data_offsets\":[%llu,%llu]}", k ? "," : "", t.name,
                       m ? "I16" : "F32", t.rows, t.cols, begin, end));
    }
    TRY(buf_put_str(b, "}"));
    while (b->len % 8)
        TRY(buf_put_str(b, " "));
    store_le64(b->data, b->len - 8);
    return OK;
}

static void store_weights(uint8_t *out, const int32_t *master, const bt_model *m, uint64_t first, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (m) {
            store_le16(out + 2 * i, (uint16_t)m->weights[first + i]);
        } else {
            float x = (float)(master[first + i] * master_unit);
            uint32_t bits;
            memcpy(&bits, &x, 4);
            store_le32(out + 4 * i, bits);
        }
    }
}

static err write_all(int fd, const num_shape *shape, const int32_t *master, const bt_model *m, fault *f)
{
    uint8_t piece[4 * PIECE];
    uint64_t n = num_parameter_count(shape), at = 0;
    size_t size = m ? 2 : 4;
    buf header;
    buf_init(&header, LIMIT_SAFETENSORS_HEADER_BYTES + 8);
    err e = put_header(&header, shape, m);
    if (e != OK)
        e = fail(f, e, "safetensors.header", 0);
    else
        e = base_file_write_at(fd, buf_bytes(&header), 0, f);
    at = header.len;
    buf_deinit(&header);
    for (uint64_t i = 0; i < n && e == OK; i += PIECE) {
        size_t count = n - i < PIECE ? (size_t)(n - i) : PIECE;
        store_weights(piece, master, m, i, count);
        e = base_file_write_at(fd, bytes_of(piece, count * size), at, f);
        at += count * size;
    }
    return e == OK ? base_file_sync(fd, f) : e;
}

static err export(const char *path, const num_shape *shape, const int32_t *master, const bt_model *m, fault *f)
{
    char temp[TR_PATH_MAX];
    int fd, n = snprintf(temp, sizeof temp, "%s.part", path);
    if (n < 0 || n >= (int)sizeof temp)
        return fail(f, ERR_LIMIT, "safetensors: path too long", TR_PATH_MAX);
    unlink(temp);
    TRY(base_file_open(&fd, temp, BASE_FILE_CREATE, f));
    err e = write_all(fd, shape, master, m, f);
    base_file_close(fd);
    if (e == OK)
        e = base_file_rename(temp, path, BASE_FILE_REPLACE, f);
    if (e != OK)
        unlink(temp);
    return e;
}

err tr_st_export_master(const char *path, const num_shape *shape, const int32_t *master, fault *f)
{
    return export(path, shape, master, NULL, f);
}

err tr_st_export_operands(const char *path, const bt_model *model, fault *f)
{
    return export(path, &model->shape, NULL, model, f);
}

/* --- in ----------------------------------------------------------------------------------------------------------------- */

typedef struct source {
    bytes memory;
    int   fd; /* -1: memory */
} source;

static err take(const source *s, uint8_t *out, size_t len, uint64_t at, fault *f)
{
    if (s->fd >= 0)
        return base_file_read_at(s->fd, out, len, at, f);
    if (at > s->memory.len || len > s->memory.len - at)
        return fail(f, ERR_TRUNCATED, "safetensors", s->memory.len);
    memcpy(out, s->memory.data + at, len);
    return OK;
}

static err import_tensor(int32_t *out, const source *s, const tr_st_file *file, const tr_st_tensor *t, uint32_t index, fault *f)
{
    uint8_t piece[4 * PIECE];
    uint64_t n = (t->end - t->begin) / 4;
    for (uint64_t i = 0; i < n; i += PIECE) {
        size_t count = n - i < PIECE ? (size_t)(n - i) : PIECE;
        TRY(take(s, piece, 4 * count, file->data_at + t->begin + 4 * i, f));
        for (size_t k = 0; k < count; k++) {
            uint32_t bits = load_le32(piece + 4 * k);
            float x;
            memcpy(&x, &bits, 4);
            double scaled = rint((double)x / master_unit);
            if (!(fabs(scaled) <= INT32_MAX)) /* NaN too */
                return fail(f, ERR_RANGE, "safetensors.value", index);
            out[i + k] = (int32_t)scaled;
        }
    }
    return OK;
}

static err import_all(int32_t *out, const num_shape *shape, const source *s, const tr_st_file *file, fault *f)
{
    uint32_t count = num_tensor_count(shape);
    for (uint32_t k = 0; k < count; k++) {
        num_tensor_info want = num_tensor_describe(shape, k);
        const tr_st_tensor *t = tr_st_find(file, want.name);
        if (!t)
            return fail(f, ERR_NOT_FOUND, "safetensors.tensor", k);
        if (t->dtype != TR_ST_F32)
            return fail(f, ERR_DTYPE, "safetensors.dtype", k);
        if (t->rank != 2 || t->shape[0] != want.rows || t->shape[1] != want.cols)
            return fail(f, ERR_SHAPE, "safetensors.shape", k);
        TRY(import_tensor(out + want.offset, s, file, t, k, f));
    }
    return file->count == count ? OK : fail(f, ERR_FIELD, "safetensors: a tensor that the model does not have", count);
}

static err import_from(int32_t *master, const num_shape *shape, const source *s, uint64_t size, fault *f)
{
    tr_st_file file = { 0 };
    uint64_t n = num_parameter_count(shape);
    uint64_t cap = LIMIT_SAFETENSORS_HEADER_BYTES + 8, head_len = size < cap ? size : cap;
    uint8_t *head = malloc((size_t)head_len + 1);
    int32_t *out = malloc((size_t)n * sizeof *out);
    err e = head && out ? take(s, head, (size_t)head_len, 0, f) : fail(f, ERR_MEMORY, "safetensors", n);
    if (e == OK)
        e = tr_st_parse(&file, bytes_of(head, (size_t)head_len), size, f);
    if (e == OK)
        e = import_all(out, shape, s, &file, f);
    if (e == OK)
        memcpy(master, out, (size_t)n * sizeof *out);
    tr_st_deinit(&file);
    free(head);
    free(out);
    return e;
}

err tr_st_import_master_bytes(int32_t *master, const num_shape *shape, bytes file, fault *f)
{
    source s = { file, -1 };
    return import_from(master, shape, &s, file.len, f);
}

err tr_st_import_master(int32_t *master, const num_shape *shape, const char *path, fault *f)
{
    source s = { .fd = -1 };
    uint64_t size;
    TRY(base_file_open(&s.fd, path, BASE_FILE_READ, f));
    err e = base_file_size(&size, s.fd, f);
    if (e == OK)
        e = import_from(master, shape, &s, size, f);
    base_file_close(s.fd);
    return e;
}
