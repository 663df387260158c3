/* SPDX-License-Identifier: Apache-2.0
 *
 * File = le32 header length, header (canonical CBOR), chunk hashes (32 bytes each), then per chunk le32 packed length and the
 * packed bytes. */
#include "train/gradient.h"

#include "base/cbor.h"

#include <stdlib.h>

static const char gradient_magic[] = "theblock/gradient/v1";

static uint64_t chunk_count(uint64_t elements)
{
    return elements / TR_CHUNK_ELEMENTS + (elements % TR_CHUNK_ELEMENTS != 0);
}

static size_t chunk_elements(uint64_t elements, uint64_t chunk)
{
    uint64_t left = elements - chunk * TR_CHUNK_ELEMENTS;
    return left < TR_CHUNK_ELEMENTS ? (size_t)left : TR_CHUNK_ELEMENTS;
}

uint64_t tr_gradient_bytes_max(uint64_t elements)
{
    return 4 + TR_GRADIENT_HEADER_MAX + chunk_count(elements) * (32 + 4 + (uint64_t)TR_CHUNK_PACKED_MAX);
}

/* The canonical bytes of up to one chunk, in pieces that stay in cache. */
static hash256 chunk_hash(const int64_t *values, size_t count)
{
    cr_blake3 h;
    uint8_t raw[8 * 512];
    cr_blake3_init(&h);
    for (size_t at = 0; at < count;) {
        size_t n = count - at < 512 ? count - at : 512;
        for (size_t i = 0; i < n; i++)
            store_le64(raw + 8 * i, (uint64_t)values[at + i]);
        cr_blake3_update(&h, bytes_of(raw, 8 * n));
        at += n;
    }
    return cr_blake3_final(&h);
}

static hash256 table_root(const uint8_t *table, uint64_t chunks)
{
    cr_merkle_builder b;
    cr_merkle_builder_init(&b, &cr_merkle_blake3);
    for (uint64_t i = 0; i < chunks; i++)
        cr_merkle_builder_add_data(&b, bytes_of(table + 32 * i, 32));
    return cr_merkle_builder_root(&b);
}

static err header_encode(uint8_t out[TR_GRADIENT_HEADER_MAX], bytes *view, const tr_gradient_head *head, const hash256 *table)
{
    cbor_writer w = cbor_writer_on(out, TR_GRADIENT_HEADER_MAX);
    cbor_put_array(&w, 8);
    cbor_put_text(&w, bytes_of(gradient_magic, sizeof gradient_magic - 1));
    cbor_put_bytes(&w, BYTES_OF(head->model));
    cbor_put_bytes(&w, BYTES_OF(head->lease));
    cbor_put_uint(&w, num_tensor_count(&head->shape));
    cbor_put_uint(&w, num_parameter_count(&head->shape));
    cbor_put_uint(&w, TR_CHUNK_ELEMENTS * 8);
    cbor_put_bytes(&w, BYTES_OF(head->root));
    cbor_put_bytes(&w, BYTES_OF(*table));
    return cbor_finish(&w, view);
}

err tr_gradient_write(tr_gradient_head *head, const int64_t *values, base_pool *pool, tr_sink_fn sink, void *ctx, fault *f)
{
    uint64_t elements = num_parameter_count(&head->shape), chunks = chunk_count(elements);
    for (uint64_t i = 0; i < elements; i++)
        if (values[i] > TR_GRADIENT_ABS_MAX || values[i] < -TR_GRADIENT_ABS_MAX)
            return fail(f, ERR_RANGE, "gradient.element", i);
    uint8_t *table = malloc((size_t)chunks * 32), *packed = malloc(4 + TR_CHUNK_PACKED_MAX);
    err e = OK;
    if (!table || !packed) {
        e = fail(f, ERR_MEMORY, "gradient", 0);
        goto out;
    }
    TRY_OUT(tr_gradient_root(&head->root, &head->shape, values, pool, f));
    for (uint64_t c = 0; c < chunks; c++) {
        hash256 h = chunk_hash(values + c * TR_CHUNK_ELEMENTS, chunk_elements(elements, c));
        memcpy(table + 32 * c, h.b, 32);
    }
    hash256 root = table_root(table, chunks);
    uint8_t header[TR_GRADIENT_HEADER_MAX], length[4];
    bytes view;
    TRY_OUT(header_encode(header, &view, head, &root));
    store_le32(length, (uint32_t)view.len);
    TRY_OUT(sink(ctx, bytes_of(length, 4)));
    TRY_OUT(sink(ctx, view));
    TRY_OUT(sink(ctx, bytes_of(table, (size_t)chunks * 32)));
    for (uint64_t c = 0; c < chunks; c++) {
        size_t len = tr_chunk_pack(packed + 4, values + c * TR_CHUNK_ELEMENTS, chunk_elements(elements, c));
        store_le32(packed, (uint32_t)len);
        TRY_OUT(sink(ctx, bytes_of(packed, 4 + len)));
    }
out:
    free(table);
    free(packed);
    return e;
}

static err put_part(void *ctx, bytes part)
{
    return buf_put(ctx, part.data, part.len);
}

err tr_gradient_encode(buf *out, tr_gradient_head *head, const int64_t *values, base_pool *pool, fault *f)
{
    return tr_gradient_write(head, values, pool, put_part, out, f);
}

typedef enum part { PART_LENGTH, PART_HEADER, PART_TABLE, PART_CHUNK_LENGTH, PART_CHUNK, PART_END } part;

static const char *const part_names[] = { "gradient.header_length", "gradient.header", "gradient.chunk_table",
                                          "gradient.chunk_length", "gradient.chunk", "gradient.end" };

struct tr_gradient_reader {
    tr_gradient_head want;
    uint64_t         elements;
    hash256          root, table_root; /* what the header says */
    tr_values_fn     sink;
    void            *ctx;
    tr_root_stream   whole;
    uint64_t         chunks, chunk, at;
    part             part;
    size_t           need, have; /* of the part that is being gathered */
    err              failed;
    uint8_t         *table;
    int64_t         *values;
    uint8_t          small[TR_GRADIENT_HEADER_MAX];
    uint8_t          packed[TR_CHUNK_PACKED_MAX];
};

err tr_gradient_reader_new(tr_gradient_reader **out, const tr_gradient_head *want, tr_values_fn values, void *ctx)
{
    *out = NULL;
    tr_gradient_reader *r = calloc(1, sizeof *r);
    if (!r)
        return ERR_MEMORY;
    r->want = *want;
    r->elements = num_parameter_count(&want->shape);
    r->sink = values;
    r->ctx = ctx;
    r->chunks = chunk_count(r->elements);
    r->need = 4;
    r->table = malloc((size_t)r->chunks * 32);
    r->values = malloc(chunk_elements(r->elements, 0) * sizeof *r->values);
    if (!r->table || !r->values || tr_root_stream_init(&r->whole, &want->shape) != OK) {
        tr_gradient_reader_free(r);
        return ERR_MEMORY;
    }
    *out = r;
    return OK;
}

void tr_gradient_reader_free(tr_gradient_reader *r)
{
    if (!r)
        return;
    tr_root_stream_deinit(&r->whole);
    free(r->table);
    free(r->values);
    free(r);
}

uint64_t tr_gradient_reader_at(const tr_gradient_reader *r)
{
    return r->at;
}

typedef struct header_text {
    hash256  model, lease, root, table_root;
    uint64_t tensors, elements;
} header_text;

static err header_fields(cbor_reader *c, header_text *h, fault *f)
{
    uint64_t chunk_bytes;
    bytes magic;
    TRY(cbor_get_array_fixed(c, "gradient.header", 8));
    TRY(cbor_get_text(c, "gradient.magic", &magic, LIMIT_NAME_BYTES));
    if (!bytes_equal(magic, bytes_of(gradient_magic, sizeof gradient_magic - 1))) {
        bool ours = magic.len > 19 && memcmp(magic.data, gradient_magic, 19) == 0;
        return fail(f, ours ? ERR_VERSION : ERR_MAGIC, "gradient.magic", 0);
    }
    TRY(cbor_get_bytes_fixed(c, "gradient.model", h->model.b, 32));
    TRY(cbor_get_bytes_fixed(c, "gradient.lease", h->lease.b, 32));
    TRY(cbor_get_uint_max(c, "gradient.tensors", &h->tensors, UINT32_MAX));
    TRY(cbor_get_uint(c, "gradient.elements", &h->elements));
    TRY(cbor_get_uint(c, "gradient.chunk_bytes", &chunk_bytes));
    TRY(cbor_get_bytes_fixed(c, "gradient.root", h->root.b, 32));
    TRY(cbor_get_bytes_fixed(c, "gradient.table_root", h->table_root.b, 32));
    TRY(cbor_end(c));
    if (chunk_bytes > LIMIT_GRADIENT_CHUNK_BYTES)
        return fail(f, ERR_LIMIT, "gradient.chunk_bytes", chunk_bytes);
    if (chunk_bytes != LIMIT_GRADIENT_CHUNK_BYTES)
        return fail(f, ERR_CANONICAL, "gradient.chunk_bytes", chunk_bytes);
    return OK;
}

static err read_header(tr_gradient_reader *r, fault *f)
{
    cbor_reader c = cbor_reader_on(bytes_of(r->small, r->have));
    header_text h;
    err e = header_fields(&c, &h, f);
    if (e != OK) {
        if (c.fault.code != OK && f)
            *f = c.fault;
        return e;
    }
    if (!hash256_equal(&h.model, &r->want.model))
        return fail(f, ERR_STALE, "gradient.model", 0);
    if (!hash256_equal(&h.lease, &r->want.lease))
        return fail(f, ERR_HASH, "gradient.lease", 0);
    if (h.tensors != num_tensor_count(&r->want.shape))
        return fail(f, ERR_SHAPE, "gradient.tensors", h.tensors);
    if (h.elements != r->elements)
        return fail(f, ERR_SHAPE, "gradient.elements", h.elements);
    r->root = h.root;
    r->table_root = h.table_root;
    return OK;
}

static err read_chunk(tr_gradient_reader *r, fault *f)
{
    uint64_t first = r->chunk * TR_CHUNK_ELEMENTS;
    size_t count = chunk_elements(r->elements, r->chunk);
    err e = tr_chunk_unpack(r->values, count, bytes_of(r->packed, r->have));
    if (e != OK)
        return fail(f, e, "gradient.chunk", r->chunk);
    hash256 h = chunk_hash(r->values, count);
    if (memcmp(h.b, r->table + 32 * r->chunk, 32) != 0)
        return fail(f, ERR_HASH, "gradient.chunk", r->chunk);
    for (size_t i = 0; i < count; i++)
        if (r->values[i] > TR_GRADIENT_ABS_MAX || r->values[i] < -TR_GRADIENT_ABS_MAX)
            return fail(f, ERR_RANGE, "gradient.chunk", r->chunk);
    tr_root_stream_add(&r->whole, r->values, count);
    if (r->sink)
        TRY(r->sink(r->ctx, first, r->values, count));
    return OK;
}

static void expect(tr_gradient_reader *r, part p, size_t need)
{
    r->part = p;
    r->need = need;
    r->have = 0;
}

/* A part is complete: check it and say what comes next. */
static err take_part(tr_gradient_reader *r, fault *f)
{
    switch (r->part) {
    case PART_LENGTH: {
        uint32_t len = load_le32(r->small);
        if (len == 0 || len > TR_GRADIENT_HEADER_MAX)
            return fail(f, ERR_MAGIC, "gradient.header_length", len);
        expect(r, PART_HEADER, len);
        return OK;
    }
    case PART_HEADER:
        TRY(read_header(r, f));
        expect(r, PART_TABLE, (size_t)r->chunks * 32);
        return OK;
    case PART_TABLE: {
        hash256 root = table_root(r->table, r->chunks);
        if (!hash256_equal(&root, &r->table_root))
            return fail(f, ERR_HASH, "gradient.chunk_table", 0);
        expect(r, PART_CHUNK_LENGTH, 4);
        return OK;
    }
    case PART_CHUNK_LENGTH: {
        uint32_t len = load_le32(r->small);
        if (len == 0 || len > TR_CHUNK_PACKED_MAX)
            return fail(f, ERR_LIMIT, "gradient.chunk", r->chunk);
        expect(r, PART_CHUNK, len);
        return OK;
    }
    case PART_CHUNK: {
        TRY(read_chunk(r, f));
        bool last = ++r->chunk == r->chunks;
        expect(r, last ? PART_END : PART_CHUNK_LENGTH, last ? 0 : 4);
        if (!last)
            return OK;
        hash256 whole = tr_root_stream_root(&r->whole);
        return hash256_equal(&whole, &r->root) ? OK : fail(f, ERR_HASH, "gradient.root", 0);
    }
    case PART_END:
        break;
    }
    return fail(f, ERR_TRAILING, "gradient.end", r->at);
}

static uint8_t *part_memory(tr_gradient_reader *r)
{
    return r->part == PART_TABLE ? r->table : r->part == PART_CHUNK ? r->packed : r->small;
}

static err feed(tr_gradient_reader *r, bytes in, fault *f)
{
    while (in.len > 0) {
        if (r->part == PART_END)
            return fail(f, ERR_TRAILING, "gradient.end", r->at);
        size_t n = r->need - r->have < in.len ? r->need - r->have : in.len;
        memcpy(part_memory(r) + r->have, in.data, n);
        r->have += n;
        r->at += n;
        in = bytes_of(in.data + n, in.len - n);
        if (r->have == r->need)
            TRY(take_part(r, f));
    }
    return OK;
}

err tr_gradient_reader_feed(tr_gradient_reader *r, bytes in, fault *f)
{
    if (r->failed != OK)
        return fail(f, r->failed, "gradient: failed before", r->at);
    r->failed = feed(r, in, f);
    return r->failed;
}

err tr_gradient_reader_finish(tr_gradient_reader *r, hash256 *root, fault *f)
{
    if (r->failed != OK)
        return fail(f, r->failed, "gradient: failed before", r->at);
    if (r->part != PART_END)
        return fail(f, ERR_TRUNCATED, part_names[r->part], r->part >= PART_CHUNK_LENGTH ? r->chunk : r->at);
    *root = r->root;
    return OK;
}

static err keep_values(void *ctx, uint64_t first, const int64_t *values, size_t count)
{
    memcpy((int64_t *)ctx + first, values, count * sizeof *values);
    return OK;
}

err tr_gradient_decode(int64_t *values, hash256 *root, const tr_gradient_head *want, bytes file, fault *f)
{
    tr_gradient_reader *r;
    TRY(tr_gradient_reader_new(&r, want, keep_values, values));
    err e = tr_gradient_reader_feed(r, file, f);
    if (e == OK)
        e = tr_gradient_reader_finish(r, root, f);
    tr_gradient_reader_free(r);
    return e;
}

err tr_gradient_add(int64_t *sum, const int64_t *values, uint64_t count, fault *f)
{
    for (uint64_t i = 0; i < count; i++) {
        int64_t r;
        if (__builtin_add_overflow(sum[i], values[i], &r))
            return fail(f, ERR_OVERFLOW, "gradient.element", i);
    }
    for (uint64_t i = 0; i < count; i++)
        sum[i] += values[i];
    return OK;
}
