/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading: the header. */
#include "train/safetensors.h"

#include <jansson.h>
#include <stdlib.h>

static const struct { const char *name; unsigned bytes; } dtypes[TR_ST_DTYPES] = {
    [TR_ST_I8] = { "I8", 1 },   [TR_ST_U8] = { "U8", 1 },   [TR_ST_BOOL] = { "BOOL", 1 }, [TR_ST_I16] = { "I16", 2 },
    [TR_ST_U16] = { "U16", 2 }, [TR_ST_F16] = { "F16", 2 }, [TR_ST_BF16] = { "BF16", 2 }, [TR_ST_I32] = { "I32", 4 },
    [TR_ST_U32] = { "U32", 4 }, [TR_ST_F32] = { "F32", 4 }, [TR_ST_I64] = { "I64", 8 },   [TR_ST_U64] = { "U64", 8 },
    [TR_ST_F64] = { "F64", 8 },
};

void tr_st_deinit(tr_st_file *s)
{
    free(s->tensors);
    memset(s, 0, sizeof *s);
}

const tr_st_tensor *tr_st_find(const tr_st_file *s, const char *name)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->tensors[i].name, name) == 0)
            return &s->tensors[i];
    return NULL;
}

static err get_uint(uint64_t *out, const json_t *v, const char *what, size_t index, fault *f)
{
    if (!json_is_integer(v) || json_integer_value(v) < 0)
        return fail(f, ERR_TYPE, what, index);
    *out = (uint64_t)json_integer_value(v);
    return OK;
}

static err read_shape(tr_st_tensor *t, const json_t *shape, size_t index, fault *f)
{
    if (!json_is_array(shape))
        return fail(f, ERR_TYPE, "safetensors.shape", index);
    if (json_array_size(shape) > LIMIT_TENSOR_RANK)
        return fail(f, ERR_LIMIT, "safetensors.shape", index);
    uint64_t bytes_wanted = dtypes[t->dtype].bytes;
    t->rank = (uint32_t)json_array_size(shape);
    for (uint32_t i = 0; i < t->rank; i++) {
        TRY(get_uint(&t->shape[i], json_array_get(shape, i), "safetensors.shape", index, f));
        if (checked_mul_u64(&bytes_wanted, bytes_wanted, t->shape[i]) != OK)
            return fail(f, ERR_OVERFLOW, "safetensors.shape", index);
    }
    if (t->end < t->begin || t->end - t->begin != bytes_wanted)
        return fail(f, ERR_RANGE, "safetensors.data_offsets", index);
    return OK;
}

static err read_tensor(tr_st_tensor *t, const char *name, const json_t *entry, size_t index, fault *f)
{
    if (!json_is_object(entry))
        return fail(f, ERR_TYPE, "safetensors.tensor", index);
    const json_t *dtype = json_object_get(entry, "dtype"), *offsets = json_object_get(entry, "data_offsets");
    const json_t *shape = json_object_get(entry, "shape");
    if (!dtype || !offsets || !shape || json_object_size(entry) != 3)
        return fail(f, ERR_FIELD, "safetensors.tensor", index);
    if (strlen(name) >= sizeof t->name)
        return fail(f, ERR_LIMIT, "safetensors.name", index);
    memcpy(t->name, name, strlen(name) + 1);
    if (!json_is_string(dtype))
        return fail(f, ERR_TYPE, "safetensors.dtype", index);
    while (t->dtype < TR_ST_DTYPES && strcmp(dtypes[t->dtype].name, json_string_value(dtype)) != 0)
        t->dtype++;
    if (t->dtype == TR_ST_DTYPES)
        return fail(f, ERR_DTYPE, "safetensors.dtype", index);
    if (!json_is_array(offsets) || json_array_size(offsets) != 2)
        return fail(f, ERR_TYPE, "safetensors.data_offsets", index);
    TRY(get_uint(&t->begin, json_array_get(offsets, 0), "safetensors.data_offsets", index, f));
    TRY(get_uint(&t->end, json_array_get(offsets, 1), "safetensors.data_offsets", index, f));
    return read_shape(t, shape, index, f);
}

static int by_begin(const void *a, const void *b)
{
    const tr_st_tensor *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return x->end < y->end ? -1 : x->end > y->end; /* empty tensors first */
}

static err read_object(tr_st_file *s, json_t *root, fault *f)
{
    if (!json_is_object(root))
        return fail(f, ERR_TYPE, "safetensors.header", 0);
    size_t all = json_object_size(root), index = 0;
    if (all > LIMIT_SAFETENSORS_TENSORS)
        return fail(f, ERR_LIMIT, "safetensors.tensors", all);
    s->tensors = calloc(all + 1, sizeof *s->tensors);
    if (!s->tensors)
        return fail(f, ERR_MEMORY, "safetensors", all);
    const char *name;
    json_t *entry;
    json_object_foreach(root, name, entry) {
        if (strcmp(name, "__metadata__") != 0)
            TRY(read_tensor(&s->tensors[s->count++], name, entry, index, f));
        else if (!json_is_object(entry))
            return fail(f, ERR_TYPE, "safetensors.metadata", index);
        index++;
    }
    qsort(s->tensors, s->count, sizeof *s->tensors, by_begin);
    uint64_t at = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (s->tensors[i].begin != at)
            return fail(f, ERR_OVERLAP, "safetensors.data_offsets", i);
        at = s->tensors[i].end;
    }
    if (at != s->data_len)
        return fail(f, at > s->data_len ? ERR_TRUNCATED : ERR_TRAILING, "safetensors.data", at);
    return OK;
}

err tr_st_parse(tr_st_file *s, bytes head, uint64_t file_len, fault *f)
{
    memset(s, 0, sizeof *s);
    if (head.len < 8 || file_len < 8)
        return fail(f, ERR_TRUNCATED, "safetensors.header_length", head.len);
    uint64_t len = load_le64(head.data);
    if (len > LIMIT_SAFETENSORS_HEADER_BYTES)
        return fail(f, ERR_LIMIT, "safetensors.header_length", len);
    if (len > file_len - 8 || len > head.len - 8)
        return fail(f, ERR_TRUNCATED, "safetensors.header", len);
    s->data_at = 8 + len;
    s->data_len = file_len - s->data_at;
    json_error_t where;
    json_t *root = len && head.data[8] == '{'
                       ? json_loadb((const char *)head.data + 8, (size_t)len, JSON_REJECT_DUPLICATES, &where) : NULL;
    if (!root) {
        bool twice = len && head.data[8] == '{' && json_error_code(&where) == json_error_duplicate_key;
        return fail(f, twice ? ERR_FIELD : ERR_SYNTAX, "safetensors.header", len && head.data[8] == '{' ? (uint64_t)where.position : 0);
    }
    err e = read_object(s, root, f);
    json_decref(root);
    if (e != OK)
        tr_st_deinit(s);
    return e;
}
