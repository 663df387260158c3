/* SPDX-License-Identifier: Apache-2.0 */
#include "train/dataset.h"

#include "base/cbor.h"
#include "base/port/file.h"
#include "numerics/data.h"
#include "train/store.h"

#include <math.h>
#include <stdlib.h>

static const char manifest_magic[] = "theblock/dataset/v1";

static uint64_t shard_count_of(uint64_t tokens)
{
    return tokens / TR_SHARD_BYTES + (tokens % TR_SHARD_BYTES != 0);
}

static uint64_t token_count(const tr_manifest *m)
{
    return m->train_tokens + m->valid_tokens;
}

static size_t shard_len(const tr_manifest *m, uint64_t index)
{
    uint64_t left = token_count(m) - index * TR_SHARD_BYTES;
    return left < TR_SHARD_BYTES ? (size_t)left : TR_SHARD_BYTES;
}

static hash256 tokenizer_hash(const tr_manifest *m)
{
    uint8_t text[1 + 256] = { (uint8_t)m->tokenizer };
    memcpy(text + 1, m->symbols, m->vocab);
    return cr_blake3_hash_in("theblock 2026 tokenizer v1", bytes_of(text, 1 + m->vocab));
}

void tr_manifest_deinit(tr_manifest *m)
{
    free(m->shards);
    memset(m, 0, sizeof *m);
}

void tr_dataset_deinit(tr_dataset *d)
{
    tr_manifest_deinit(&d->manifest);
    free(d->tokens);
    free(d->have);
    memset(d, 0, sizeof *d);
}

err tr_manifest_encode(buf *out, const tr_manifest *m)
{
    size_t cap = 512 + (size_t)m->shard_count * 34;
    buf_init(out, cap);
    TRY(buf_reserve(out, cap));
    cbor_writer w = cbor_writer_on(out->data, cap);
    cbor_put_array(&w, 7);
    cbor_put_text(&w, bytes_of(manifest_magic, sizeof manifest_magic - 1));
    cbor_put_uint(&w, m->tokenizer);
    cbor_put_bytes(&w, bytes_of(m->symbols, m->vocab));
    cbor_put_bytes(&w, BYTES_OF(m->tokenizer_hash));
    cbor_put_uint(&w, m->train_tokens);
    cbor_put_uint(&w, m->valid_tokens);
    cbor_put_array(&w, (size_t)m->shard_count);
    for (uint64_t i = 0; i < m->shard_count; i++)
        cbor_put_bytes(&w, BYTES_OF(m->shards[i]));
    bytes view;
    TRY(cbor_finish(&w, &view));
    out->len = view.len;
    return OK;
}

static err check_fields(const tr_manifest *m, fault *f)
{
    bool ascending = m->vocab > 0;
    for (uint32_t i = 1; i < m->vocab; i++)
        ascending = ascending && m->symbols[i] > m->symbols[i - 1];
    if (!ascending || (m->tokenizer == TR_TOKENIZER_BYTE && m->vocab != 256))
        return fail(f, ERR_CANONICAL, "dataset.symbols", m->vocab);
    hash256 h = tokenizer_hash(m);
    if (!hash256_equal(&h, &m->tokenizer_hash))
        return fail(f, ERR_HASH, "dataset.tokenizer_hash", 0);
    uint64_t all = token_count(m);
    if (all / 100 * 95 + all % 100 * 95 / 100 != m->train_tokens)
        return fail(f, ERR_RANGE, "dataset.train_tokens", m->train_tokens);
    if (m->shard_count != shard_count_of(all))
        return fail(f, ERR_RANGE, "dataset.shards", m->shard_count);
    return OK;
}

static err read_fields(tr_manifest *m, cbor_reader *r, fault *f)
{
    bytes magic, symbols;
    uint64_t tokenizer;
    size_t count;
    TRY(cbor_get_array_fixed(r, "dataset.manifest", 7));
    TRY(cbor_get_text(r, "dataset.magic", &magic, LIMIT_NAME_BYTES));
    if (!bytes_equal(magic, bytes_of(manifest_magic, sizeof manifest_magic - 1)))
        return fail(f, ERR_MAGIC, "dataset.magic", 0);
    TRY(cbor_get_uint_max(r, "dataset.tokenizer", &tokenizer, TR_TOKENIZER_CHAR));
    TRY(cbor_get_bytes(r, "dataset.symbols", &symbols, sizeof m->symbols));
    memcpy(m->symbols, symbols.data, symbols.len);
    m->vocab = (uint32_t)symbols.len;
    m->tokenizer = (uint32_t)tokenizer;
    TRY(cbor_get_bytes_fixed(r, "dataset.tokenizer_hash", m->tokenizer_hash.b, 32));
    TRY(cbor_get_uint_max(r, "dataset.train_tokens", &m->train_tokens, LIMIT_DATASET_BYTES));
    TRY(cbor_get_uint_max(r, "dataset.valid_tokens", &m->valid_tokens, LIMIT_DATASET_BYTES));
    TRY(cbor_get_array(r, "dataset.shards", &count, LIMIT_DATASET_BYTES / TR_SHARD_BYTES));
    m->shard_count = count;
    TRY(check_fields(m, f));
    if (r->in.len - r->at != count * 34)
        return fail(f, ERR_TRUNCATED, "dataset.shards", count);
    m->shards = malloc(count ? count * sizeof *m->shards : 1);
    if (!m->shards)
        return fail(f, ERR_MEMORY, "dataset.shards", count);
    for (size_t i = 0; i < count; i++)
        TRY(cbor_get_bytes_fixed(r, "dataset.shard", m->shards[i].b, 32));
    return cbor_end(r);
}

err tr_manifest_decode(tr_manifest *m, bytes in, fault *f)
{
    memset(m, 0, sizeof *m);
    cbor_reader r = cbor_reader_on(in);
    err e = read_fields(m, &r, f);
    if (e != OK) {
        if (r.fault.code != OK && f)
            *f = r.fault;
        tr_manifest_deinit(m);
    }
    return e;
}

/* The bytes that occur, or all of them. Returns the token of each byte. */
static void make_vocabulary(tr_manifest *m, uint8_t token_of[256], bytes text, tr_tokenizer how)
{
    bool occurs[256] = { false };
    for (size_t i = 0; i < text.len; i++)
        occurs[text.data[i]] = true;
    m->tokenizer = how;
    for (unsigned b = 0; b < 256; b++)
        if (occurs[b] || how == TR_TOKENIZER_BYTE) {
            token_of[b] = (uint8_t)m->vocab;
            m->symbols[m->vocab++] = (uint8_t)b;
        }
    m->tokenizer_hash = tokenizer_hash(m);
}

static err seal(tr_dataset *d, fault *f)
{
    tr_manifest *m = &d->manifest;
    m->shard_count = shard_count_of(token_count(m));
    m->shards = malloc((size_t)m->shard_count * sizeof *m->shards);
    d->have = malloc((size_t)m->shard_count);
    if (!m->shards || !d->have)
        return fail(f, ERR_MEMORY, "dataset", 0);
    memset(d->have, 1, (size_t)m->shard_count);
    for (uint64_t i = 0; i < m->shard_count; i++)
        m->shards[i] = cr_blake3_hash(tr_dataset_shard(d, i));
    buf b;
    err e = tr_manifest_encode(&b, m);
    if (e == OK)
        d->cid = cr_blake3_hash(buf_bytes(&b));
    else
        e = fail(f, e, "dataset.manifest", 0);
    buf_deinit(&b);
    return e;
}

err tr_dataset_from_text(tr_dataset *d, bytes text, tr_tokenizer how, uint32_t context, fault *f)
{
    memset(d, 0, sizeof *d);
    if (text.len > LIMIT_DATASET_TEXT_BYTES)
        return fail(f, ERR_LIMIT, "dataset: too large", text.len);
    uint64_t train = (uint64_t)text.len / 100 * 95 + (uint64_t)text.len % 100 * 95 / 100;
    if (train < (uint64_t)context + 1 || text.len - train < (uint64_t)context + 1)
        return fail(f, ERR_RANGE, text.len ? "dataset: too short" : "dataset: empty", text.len);
    uint8_t token_of[256] = { 0 };
    make_vocabulary(&d->manifest, token_of, text, how);
    if (d->manifest.vocab < 2) {
        memset(d, 0, sizeof *d);
        return fail(f, ERR_RANGE, "dataset: only one symbol", text.data[0]);
    }
    d->manifest.train_tokens = train;
    d->manifest.valid_tokens = text.len - train;
    d->tokens = malloc(text.len);
    err e = d->tokens ? OK : fail(f, ERR_MEMORY, "dataset", text.len);
    if (e == OK) {
        for (size_t i = 0; i < text.len; i++)
            d->tokens[i] = token_of[text.data[i]];
        e = seal(d, f);
    }
    if (e != OK)
        tr_dataset_deinit(d);
    return e;
}

err tr_dataset_from_file(tr_dataset *d, const char *path, tr_tokenizer how, uint32_t context, fault *f)
{
    memset(d, 0, sizeof *d);
    buf text;
    buf_init(&text, LIMIT_DATASET_TEXT_BYTES);
    int fd;
    uint64_t size = 0;
    TRY(base_file_open(&fd, path, BASE_FILE_READ, f));
    err e = base_file_size(&size, fd, f);
    base_file_close(fd);
    if (e == OK && size > LIMIT_DATASET_TEXT_BYTES)
        e = fail(f, ERR_LIMIT, "dataset: too large", size);
    if (e == OK)
        e = base_file_read(&text, path, f);
    if (e == OK)
        e = tr_dataset_from_text(d, buf_bytes(&text), how, context, f);
    buf_deinit(&text);
    return e;
}

bytes tr_dataset_shard(const tr_dataset *d, uint64_t index)
{
    CHECK(index < d->manifest.shard_count);
    return bytes_of(d->tokens + index * TR_SHARD_BYTES, shard_len(&d->manifest, index));
}

err tr_dataset_open(tr_dataset *d, bytes manifest, const hash256 *cid, fault *f)
{
    memset(d, 0, sizeof *d);
    d->cid = cr_blake3_hash(manifest);
    if (!hash256_equal(&d->cid, cid))
        return fail(f, ERR_HASH, "dataset.manifest", 0);
    TRY(tr_manifest_decode(&d->manifest, manifest, f));
    if (token_count(&d->manifest) > LIMIT_DATASET_TEXT_BYTES) {
        uint64_t tokens = token_count(&d->manifest);
        tr_dataset_deinit(d);
        return fail(f, ERR_LIMIT, "dataset: too large", tokens);
    }
    d->missing = d->manifest.shard_count;
    d->tokens = malloc(token_count(&d->manifest) ? (size_t)token_count(&d->manifest) : 1);
    d->have = calloc((size_t)d->missing + 1, 1);
    if (d->tokens && d->have)
        return OK;
    tr_dataset_deinit(d);
    return fail(f, ERR_MEMORY, "dataset", 0);
}

err tr_dataset_put_shard(tr_dataset *d, uint64_t index, bytes shard, fault *f)
{
    const tr_manifest *m = &d->manifest;
    if (index >= m->shard_count)
        return fail(f, ERR_NOT_FOUND, "dataset.shard", index);
    if (d->have[index])
        return OK;
    hash256 h = cr_blake3_hash(shard);
    if (!hash256_equal(&h, &m->shards[index]))
        return fail(f, ERR_HASH, "dataset.shard", index);
    if (shard.len != shard_len(m, index))
        return fail(f, ERR_SHAPE, "dataset.shard", index);
    for (size_t i = 0; i < shard.len; i++)
        if (shard.data[i] >= m->vocab)
            return fail(f, ERR_RANGE, "dataset.shard", index);
    memcpy(d->tokens + index * TR_SHARD_BYTES, shard.data, shard.len);
    d->have[index] = 1;
    d->missing--;
    return OK;
}

err tr_dataset_save(const tr_dataset *d, const char *dir, fault *f)
{
    hash256 id;
    for (uint64_t i = 0; i < d->manifest.shard_count; i++)
        TRY(tr_store_put(dir, tr_dataset_shard(d, i), &id, f));
    buf b;
    err e = tr_manifest_encode(&b, &d->manifest);
    if (e == OK)
        e = tr_store_put(dir, buf_bytes(&b), &id, f);
    else
        e = fail(f, e, "dataset.manifest", 0);
    buf_deinit(&b);
    return e;
}

static err load_shards(tr_dataset *d, const char *dir, buf *b, fault *f)
{
    for (uint64_t i = 0; i < d->manifest.shard_count; i++) {
        buf_clear(b);
        err e = tr_store_get(b, dir, &d->manifest.shards[i], f);
        if (e != OK)
            return fail(f, e, "dataset.shard", i);
        TRY(tr_dataset_put_shard(d, i, buf_bytes(b), f));
    }
    return OK;
}

err tr_dataset_load(tr_dataset *d, const char *dir, const hash256 *cid, fault *f)
{
    memset(d, 0, sizeof *d);
    buf b;
    buf_init(&b, 512 + LIMIT_DATASET_BYTES / TR_SHARD_BYTES * 34);
    err e = tr_store_get(&b, dir, cid, f);
    if (e != OK)
        e = fail(f, e, "dataset.manifest", 0);
    else
        e = tr_dataset_open(d, buf_bytes(&b), cid, f);
    if (e == OK)
        e = load_shards(d, dir, &b, f);
    buf_deinit(&b);
    if (e != OK)
        tr_dataset_deinit(d);
    return e;
}

uint64_t tr_dataset_windows(const tr_dataset *d, uint32_t context)
{
    return num_windows(d->manifest.train_tokens, context);
}

uint64_t tr_dataset_valid_windows(const tr_dataset *d, uint32_t context)
{
    return num_windows(d->manifest.valid_tokens, context);
}

static void copy_window(uint16_t *out, const uint8_t *from, uint32_t context)
{
    for (uint32_t i = 0; i <= context; i++)
        out[i] = from[i];
}

void tr_dataset_sequence(uint16_t *out, const tr_dataset *d, const hash256 *job, uint64_t sequence, uint32_t context)
{
    uint64_t window = num_window_of_sequence(job, tr_dataset_windows(d, context), sequence);
    copy_window(out, d->tokens + window * context, context);
}

void tr_dataset_valid_window(uint16_t *out, const tr_dataset *d, uint64_t k, uint32_t context)
{
    CHECK(k < tr_dataset_valid_windows(d, context));
    copy_window(out, d->tokens + d->manifest.train_tokens + k * context, context);
}

void tr_dataset_entropy(const tr_dataset *d, double *unigram, double *bigram)
{
    static const uint64_t none;
    uint64_t *pair = calloc(256 * 256, sizeof *pair), single[256] = { none };
    const uint8_t *t = d->tokens + d->manifest.train_tokens;
    uint64_t n = d->manifest.valid_tokens;
    *unigram = *bigram = 0;
    for (uint64_t i = 0; i < n; i++)
        single[t[i]]++;
    for (size_t a = 0; a < 256; a++)
        if (single[a])
            *unigram -= (double)single[a] / (double)n * log((double)single[a] / (double)n);
    for (uint64_t i = 1; pair && i < n; i++)
        pair[256 * (size_t)t[i - 1] + t[i]]++;
    for (size_t a = 0; pair && a < 256; a++) {
        uint64_t before = single[a] - (n && t[n - 1] == a);
        for (size_t b = 0; b < 256; b++)
            if (pair[256 * a + b])
                *bigram -= (double)pair[256 * a + b] / (double)(n - 1) * log((double)pair[256 * a + b] / (double)before);
    }
    free(pair);
}

uint8_t tr_dataset_symbol(const tr_dataset *d, uint16_t token)
{
    CHECK(token < d->manifest.vocab);
    return d->manifest.symbols[token];
}

int tr_dataset_token(const tr_dataset *d, uint8_t symbol)
{
    for (uint32_t i = 0; i < d->manifest.vocab; i++)
        if (d->manifest.symbols[i] == symbol)
            return (int)i;
    return -1;
}
