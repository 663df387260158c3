/* SPDX-License-Identifier: Apache-2.0
 *
 * File = le32 header length, header, master (le32 each), m, v (le64 each). */
#include "train/checkpoint.h"

#include "base/cbor.h"
#include "base/port/file.h"
#include "numerics/model_header.h"

#include <stdlib.h>
#include <stdio.h>

enum { HEADER_MAX = 4096, PIECE_ELEMENTS = 8192 };

static const char checkpoint_magic[] = "theblock/checkpoint/v1";

typedef struct header {
    tr_checkpoint c;        /* its state has no arrays here */
    uint64_t      elements;
    hash256       master, m, v;
} header;

void tr_checkpoint_deinit(tr_checkpoint *c)
{
    free(c->state.master);
    free(c->state.m);
    free(c->state.v);
    memset(c, 0, sizeof *c);
}

/* --- the three arrays as canonical bytes -------------------------------------------------------------------------------- */

typedef enum array { ARRAY_MASTER, ARRAY_M, ARRAY_V, ARRAY_COUNT } array;

static size_t element_bytes(array a)
{
    return a == ARRAY_MASTER ? 4 : 8;
}

static void store_piece(uint8_t *out, const bt_state *s, array a, uint64_t first, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (a == ARRAY_MASTER)
            store_le32(out + 4 * i, (uint32_t)s->master[first + i]);
        else
            store_le64(out + 8 * i, (uint64_t)(a == ARRAY_M ? s->m : s->v)[first + i]);
    }
}

static void load_piece(bt_state *s, array a, uint64_t first, size_t count, const uint8_t *in)
{
    for (size_t i = 0; i < count; i++) {
        if (a == ARRAY_MASTER)
            s->master[first + i] = (int32_t)load_le32(in + 4 * i);
        else
            (a == ARRAY_M ? s->m : s->v)[first + i] = (int64_t)load_le64(in + 8 * i);
    }
}

typedef err (*piece_fn)(void *ctx, bytes piece, fault *f);

static err each_piece(const bt_state *s, array a, uint64_t elements, piece_fn fn, void *ctx, fault *f)
{
    static _Thread_local uint8_t piece[8 * PIECE_ELEMENTS];
    for (uint64_t at = 0; at < elements; at += PIECE_ELEMENTS) {
        size_t n = elements - at < PIECE_ELEMENTS ? (size_t)(elements - at) : PIECE_ELEMENTS;
        store_piece(piece, s, a, at, n);
        TRY(fn(ctx, bytes_of(piece, n * element_bytes(a)), f));
    }
    return OK;
}

static err hash_piece(void *ctx, bytes piece, fault *f)
{
    (void)f;
    cr_blake3_update(ctx, piece);
    return OK;
}

static err array_hash(hash256 *out, const bt_state *s, array a, uint64_t elements, fault *f)
{
    cr_blake3 h;
    cr_blake3_init(&h);
    TRY(each_piece(s, a, elements, hash_piece, &h, f));
    *out = cr_blake3_final(&h);
    return OK;
}

/* --- header ------------------------------------------------------------------------------------------------------------- */

static err header_encode(uint8_t out[HEADER_MAX], bytes *view, const header *h)
{
    const tr_checkpoint *c = &h->c;
    uint8_t model[NUM_MODEL_HEADER_BYTES_MAX];
    bytes model_view;
    num_model_header mh = { .shape = c->state.shape, .fractions = c->fractions };
    TRY(num_model_header_encode(model, sizeof model, &mh, &model_view));
    cbor_writer w = cbor_writer_on(out, HEADER_MAX);
    cbor_put_array(&w, 17);
    cbor_put_text(&w, bytes_of(checkpoint_magic, sizeof checkpoint_magic - 1));
    cbor_put_bytes(&w, model_view);
    cbor_put_bytes(&w, BYTES_OF(c->model));
    cbor_put_bytes(&w, BYTES_OF(c->job));
    cbor_put_uint(&w, c->determinism_seed);
    cbor_put_bytes(&w, BYTES_OF(c->dataset));
    cbor_put_uint(&w, c->cursor);
    cbor_put_uint(&w, c->state.step);
    cbor_put_uint(&w, c->state.retries);
    cbor_put_uint(&w, c->state.p1);
    cbor_put_uint(&w, c->state.p2);
    cbor_put_int(&w, c->schedule.lr_max);
    cbor_put_uint(&w, c->schedule.warm_steps);
    cbor_put_uint(&w, c->schedule.total_steps);
    cbor_put_bytes(&w, BYTES_OF(h->master));
    cbor_put_bytes(&w, BYTES_OF(h->m));
    cbor_put_bytes(&w, BYTES_OF(h->v));
    return cbor_finish(&w, view);
}

static err read_fields(header *h, cbor_reader *r, fault *f)
{
    tr_checkpoint *c = &h->c;
    bytes magic, model;
    uint64_t retries;
    int64_t lr_max;
    num_model_header mh;
    TRY(cbor_get_array_fixed(r, "checkpoint.header", 17));
    TRY(cbor_get_text(r, "checkpoint.magic", &magic, LIMIT_NAME_BYTES));
    if (!bytes_equal(magic, bytes_of(checkpoint_magic, sizeof checkpoint_magic - 1))) {
        bool ours = magic.len > 21 && memcmp(magic.data, checkpoint_magic, 21) == 0;
        return fail(f, ours ? ERR_VERSION : ERR_MAGIC, "checkpoint.magic", 0);
    }
    TRY(cbor_get_bytes(r, "checkpoint.model_header", &model, NUM_MODEL_HEADER_BYTES_MAX));
    TRY(num_model_header_decode(&mh, model, f));
    c->state.shape = mh.shape;
    c->fractions = mh.fractions;
    TRY(cbor_get_bytes_fixed(r, "checkpoint.model", c->model.b, 32));
    TRY(cbor_get_bytes_fixed(r, "checkpoint.job", c->job.b, 32));
    TRY(cbor_get_uint(r, "checkpoint.determinism_seed", &c->determinism_seed));
    TRY(cbor_get_bytes_fixed(r, "checkpoint.dataset", c->dataset.b, 32));
    TRY(cbor_get_uint(r, "checkpoint.cursor", &c->cursor));
    TRY(cbor_get_uint(r, "checkpoint.step", &c->state.step));
    TRY(cbor_get_uint_max(r, "checkpoint.retries", &retries, UINT32_MAX));
    TRY(cbor_get_uint_max(r, "checkpoint.p1", &c->state.p1, (uint64_t)1 << 32));
    TRY(cbor_get_uint_max(r, "checkpoint.p2", &c->state.p2, (uint64_t)1 << 32));
    TRY(cbor_get_int(r, "checkpoint.lr_max", &lr_max));
    if (lr_max < 0 || lr_max > INT32_MAX)
        return fail(f, ERR_RANGE, "checkpoint.lr_max", r->at);
    TRY(cbor_get_uint(r, "checkpoint.warm_steps", &c->schedule.warm_steps));
    TRY(cbor_get_uint(r, "checkpoint.total_steps", &c->schedule.total_steps));
    TRY(cbor_get_bytes_fixed(r, "checkpoint.master", h->master.b, 32));
    TRY(cbor_get_bytes_fixed(r, "checkpoint.m", h->m.b, 32));
    TRY(cbor_get_bytes_fixed(r, "checkpoint.v", h->v.b, 32));
    c->state.retries = (uint32_t)retries;
    c->schedule.lr_max = (int32_t)lr_max;
    h->elements = num_parameter_count(&c->state.shape);
    return cbor_end(r);
}

static err header_decode(header *h, bytes in, fault *f)
{
    memset(h, 0, sizeof *h);
    cbor_reader r = cbor_reader_on(in);
    err e = read_fields(h, &r, f);
    if (e != OK && r.fault.code != OK && f)
        *f = r.fault;
    return e;
}

static uint64_t file_bytes(size_t header_len, uint64_t elements)
{
    return 4 + header_len + 20 * elements;
}

uint64_t tr_checkpoint_bytes(const tr_checkpoint *c)
{
    uint8_t out[HEADER_MAX];
    bytes view = { 0 };
    header h = { .c = *c };
    CHECK(header_encode(out, &view, &h) == OK);
    return file_bytes(view.len, num_parameter_count(&c->state.shape));
}

/* --- save --------------------------------------------------------------------------------------------------------------- */

static err add_piece(void *ctx, bytes piece, fault *f)
{
    return tr_store_add(ctx, piece, f);
}

static err write_file(tr_store_writer *w, const tr_checkpoint *c, fault *f)
{
    header h = { .c = *c, .elements = num_parameter_count(&c->state.shape) };
    hash256 *const hashes[ARRAY_COUNT] = { &h.master, &h.m, &h.v };
    for (array a = ARRAY_MASTER; a < ARRAY_COUNT; a++)
        TRY(array_hash(hashes[a], &c->state, a, h.elements, f));
    uint8_t out[HEADER_MAX], length[4];
    bytes view;
    err e = header_encode(out, &view, &h);
    if (e != OK)
        return fail(f, e, "checkpoint.header", 0);
    store_le32(length, (uint32_t)view.len);
    TRY(tr_store_add(w, bytes_of(length, 4), f));
    TRY(tr_store_add(w, view, f));
    for (array a = ARRAY_MASTER; a < ARRAY_COUNT; a++)
        TRY(each_piece(&c->state, a, h.elements, add_piece, w, f));
    return OK;
}

static const char *pointer_name(bool previous)
{
    return previous ? "PREVIOUS" : "HEAD";
}

static err write_pointer(const char *dir, bool previous, const hash256 *id, fault *f)
{
    char path[TR_PATH_MAX], text[66];
    TRY(tr_store_name(path, dir, pointer_name(previous), f));
    base_hex_encode(text, id->b, 32);
    text[64] = '\n';
    return base_file_write_atomic(path, bytes_of(text, 65), 0600, BASE_FILE_REPLACE, f);
}

err tr_checkpoint_head(const char *dir, bool previous, hash256 *id, fault *f)
{
    char path[TR_PATH_MAX], text[65];
    TRY(tr_store_name(path, dir, pointer_name(previous), f));
    buf b;
    buf_init(&b, 128);
    err e = base_file_read(&b, path, f);
    if (e == OK) {
        bool shaped = b.len == 65 && b.data[64] == '\n';
        if (shaped)
            snprintf(text, sizeof text, "%.64s", (const char *)b.data);
        if (!shaped || base_hex_decode(id->b, 32, text) != OK)
            e = fail(f, ERR_SYNTAX, previous ? "checkpoint.PREVIOUS" : "checkpoint.HEAD", b.len);
    }
    buf_deinit(&b);
    return e;
}

err tr_checkpoint_save(const char *dir, const tr_checkpoint *c, hash256 *id, fault *f)
{
    tr_store_writer w;
    hash256 head = { { 0 } }, oldest;
    TRY(tr_store_open(&w, dir, "checkpoint", f));
    err e = write_file(&w, c, f);
    if (e != OK) {
        tr_store_drop(&w);
        return e;
    }
    TRY(tr_store_keep(&w, true, id, f));
    bool had_head = tr_checkpoint_head(dir, false, &head, NULL) == OK;
    bool had_oldest = tr_checkpoint_head(dir, true, &oldest, NULL) == OK;
    if (had_head && hash256_equal(&head, id))
        return OK;
    /* PREVIOUS first: between the two writes both name the old checkpoint, which is whole. */
    e = had_head ? write_pointer(dir, true, &head, f) : OK;
    if (e == OK)
        e = write_pointer(dir, false, id, f);
    if (e != OK) {
        if (!had_oldest || !hash256_equal(&oldest, id))
            tr_store_remove(dir, id);
        return e;
    }
    if (had_oldest && had_head && !hash256_equal(&oldest, &head) && !hash256_equal(&oldest, id))
        tr_store_remove(dir, &oldest);
    return OK;
}

/* --- load --------------------------------------------------------------------------------------------------------------- */

/* Where the file comes from: memory, or an open file. */
typedef struct source {
    bytes    memory;
    int      fd; /* -1: memory */
    uint64_t size;
    cr_blake3 hash;
} source;

static err take(source *s, uint8_t *out, size_t len, uint64_t at, fault *f)
{
    if (at > s->size || len > s->size - at)
        return fail(f, ERR_TRUNCATED, "checkpoint", s->size);
    if (s->fd >= 0)
        TRY(base_file_read_at(s->fd, out, len, at, f));
    else
        memcpy(out, s->memory.data + at, len);
    cr_blake3_update(&s->hash, bytes_of(out, len));
    return OK;
}

static err check_array(const bt_state *s, array a, uint64_t elements, const hash256 *want, fault *f)
{
    static const char *const names[] = { "checkpoint.master", "checkpoint.m", "checkpoint.v" };
    hash256 got;
    TRY(array_hash(&got, s, a, elements, f));
    if (!hash256_equal(&got, want))
        return fail(f, ERR_HASH, names[a], 0);
    /* The ranges that num_adam_step keeps and needs (numerics/data.h). */
    const int64_t m_max = (int64_t)1 << 35, v_max = (int64_t)1 << 62;
    for (uint64_t i = 0; i < elements; i++)
        if ((a == ARRAY_MASTER && s->master[i] == INT32_MIN) || (a == ARRAY_V && (s->v[i] < 0 || s->v[i] > v_max)) ||
            (a == ARRAY_M && (s->m[i] < -m_max || s->m[i] > m_max)))
            return fail(f, ERR_RANGE, names[a], i);
    return OK;
}

static err read_arrays(tr_checkpoint *c, source *s, const header *h, uint64_t at, fault *f)
{
    static _Thread_local uint8_t piece[8 * PIECE_ELEMENTS];
    for (array a = ARRAY_MASTER; a < ARRAY_COUNT; a++)
        for (uint64_t i = 0; i < h->elements; i += PIECE_ELEMENTS) {
            size_t n = h->elements - i < PIECE_ELEMENTS ? (size_t)(h->elements - i) : PIECE_ELEMENTS;
            TRY(take(s, piece, n * element_bytes(a), at, f));
            load_piece(&c->state, a, i, n, piece);
            at += n * element_bytes(a);
        }
    const hash256 *const hashes[ARRAY_COUNT] = { &h->master, &h->m, &h->v };
    for (array a = ARRAY_MASTER; a < ARRAY_COUNT; a++)
        TRY(check_array(&c->state, a, h->elements, hashes[a], f));
    return OK;
}

static err load_from(tr_checkpoint *c, source *s, const hash256 *id, fault *f)
{
    uint8_t text[HEADER_MAX];
    header h;
    cr_blake3_init(&s->hash);
    TRY(take(s, text, 4, 0, f));
    uint32_t len = load_le32(text);
    if (len == 0 || len > HEADER_MAX)
        return fail(f, ERR_MAGIC, "checkpoint.header_length", len);
    TRY(take(s, text, len, 4, f));
    TRY(header_decode(&h, bytes_of(text, len), f));
    /* Before memory is taken for it. */
    uint64_t want = file_bytes(len, h.elements);
    if (s->size != want)
        return fail(f, s->size < want ? ERR_TRUNCATED : ERR_TRAILING, "checkpoint", s->size);
    *c = h.c;
    c->state.master = malloc((size_t)h.elements * sizeof *c->state.master);
    c->state.m = malloc((size_t)h.elements * sizeof *c->state.m);
    c->state.v = malloc((size_t)h.elements * sizeof *c->state.v);
    if (!c->state.master || !c->state.m || !c->state.v)
        return fail(f, ERR_MEMORY, "checkpoint", h.elements);
    TRY(read_arrays(c, s, &h, 4 + (uint64_t)len, f));
    hash256 got = cr_blake3_final(&s->hash);
    return !id || hash256_equal(&got, id) ? OK : fail(f, ERR_HASH, "checkpoint: content differs from its name", 0);
}

err tr_checkpoint_decode(tr_checkpoint *c, bytes file, const hash256 *id, fault *f)
{
    source s = { .memory = file, .fd = -1, .size = file.len };
    memset(c, 0, sizeof *c);
    err e = load_from(c, &s, id, f);
    if (e != OK)
        tr_checkpoint_deinit(c);
    return e;
}

err tr_checkpoint_load(tr_checkpoint *c, const char *dir, const hash256 *id, fault *f)
{
    char path[TR_PATH_MAX];
    source s = { .fd = -1 };
    memset(c, 0, sizeof *c);
    TRY(tr_store_path(path, dir, id, f));
    TRY(base_file_open(&s.fd, path, BASE_FILE_READ, f));
    err e = base_file_size(&s.size, s.fd, f);
    if (e == OK)
        e = load_from(c, &s, id, f);
    if (e != OK)
        tr_checkpoint_deinit(c);
    base_file_close(s.fd);
    return e;
}
