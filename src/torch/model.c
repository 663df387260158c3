/* SPDX-License-Identifier: Apache-2.0
 *
 * Published models: weights and fractions, their roots and ids (spec/numerics.md section 14). */
#include "crypto/merkle.h"
#include "numerics/model_header.h"
#include "torch/gpt.h"
#include "torch/tables.h"
#include "torch/weight_tree.h"

#include <stdlib.h>

err bt_model_init(bt_model *m, const num_shape *shape, fault *f)
{
    num_const c;
    TRY(num_const_of(&c, shape, f));
    int16_t *weights = calloc(num_parameter_count(shape), sizeof *weights);
    if (!weights)
        return fail(f, ERR_MEMORY, "model: weights", 0);
    *m = (bt_model){ .shape = *shape, .weights = weights };
    return OK;
}

void bt_model_deinit(bt_model *m)
{
    free(m->weights);
    *m = (bt_model){ 0 };
}

static err weight_root(bt_model *m, base_pool *pool)
{
    size_t count = (size_t)num_weight_leaves(&m->shape);
    hash256 *leaves = malloc(count * sizeof *leaves);
    if (!leaves)
        return ERR_MEMORY;
    bt_weight_leaves(leaves, &m->shape, m->weights, pool);
    m->weight_root = cr_merkle_root(&cr_merkle_blake3, leaves, count);
    free(leaves);
    return OK;
}

static err header_of(const bt_model *m, uint8_t *out, bytes *view)
{
    num_model_header h = { .shape = m->shape, .fractions = m->fractions, .weight_root = m->weight_root, .tables_hash = m->tables_hash };
    return num_model_header_encode(out, NUM_MODEL_HEADER_BYTES_MAX, &h, view);
}

err bt_model_seal(bt_model *m, bt_tables *tables, fault *f)
{
    TRY(num_fractions_check(&m->fractions, &m->shape, f));
    err e = bt_tables_hash(tables, &m->fractions, &m->tables_hash);
    if (e != OK)
        return fail(f, e, "model: tables", 0);
    e = weight_root(m, bt_tables_pool(tables));
    if (e != OK)
        return fail(f, e, "model: leaves", 0);
    uint8_t header[NUM_MODEL_HEADER_BYTES_MAX];
    bytes view;
    e = header_of(m, header, &view);
    if (e != OK)
        return fail(f, e, "model: header", 0);
    m->id = num_model_id(view);
    return OK;
}

err bt_model_encode(const bt_model *m, uint8_t **out, size_t *len)
{
    uint8_t header[NUM_MODEL_HEADER_BYTES_MAX];
    bytes view;
    TRY(header_of(m, header, &view));
    uint64_t count = num_parameter_count(&m->shape);
    uint8_t *file = malloc(4 + view.len + 2 * count);
    if (!file)
        return ERR_MEMORY;
    store_le32(file, (uint32_t)view.len);
    memcpy(file + 4, view.data, view.len);
    for (uint64_t i = 0; i < count; i++)
        store_le16(file + 4 + view.len + 2 * i, (uint16_t)m->weights[i]);
    *out = file;
    *len = 4 + view.len + 2 * count;
    return OK;
}

/* Weights within +-Q; the position goes into the fault. */
static err read_weights(bt_model *m, bytes in, uint64_t file_at, fault *f)
{
    num_const c;
    TRY(num_const_of(&c, &m->shape, f));
    for (uint64_t i = 0; i < num_parameter_count(&m->shape); i++) {
        int16_t w = (int16_t)load_le16(in.data + 2 * i);
        if (w > c.q_max || w < -c.q_max)
            return fail(f, ERR_RANGE, "model: weight", file_at + 2 * i);
        m->weights[i] = w;
    }
    return OK;
}

static err check_hashes(bt_model *m, const num_model_header *h, fault *f)
{
    bt_tables *tables = NULL;
    TRY(bt_tables_new(&tables, &m->shape, f));
    err e = bt_model_seal(m, tables, f);
    bt_tables_free(tables);
    if (e != OK)
        return e;
    if (!hash256_equal(&m->weight_root, &h->weight_root))
        return fail(f, ERR_HASH, "model: weight root", 0);
    if (!hash256_equal(&m->tables_hash, &h->tables_hash))
        return fail(f, ERR_HASH, "model: tables hash", 0);
    return OK;
}

err bt_model_decode(bt_model *m, bytes file, fault *f)
{
    if (file.len < 4)
        return fail(f, ERR_TRUNCATED, "model: header length", file.len);
    uint32_t header_len = load_le32(file.data);
    if (header_len > NUM_MODEL_HEADER_BYTES_MAX || header_len > file.len - 4)
        return fail(f, ERR_TRUNCATED, "model: header", 4);
    num_model_header h;
    TRY(num_model_header_decode(&h, bytes_of(file.data + 4, header_len), f));
    uint64_t want = 2 * num_parameter_count(&h.shape), have = file.len - 4 - header_len;
    if (have != want)
        return fail(f, have < want ? ERR_TRUNCATED : ERR_TRAILING, "model: weights", file.len);
    bt_model read;
    TRY(bt_model_init(&read, &h.shape, f));
    read.fractions = h.fractions;
    err e = read_weights(&read, bytes_of(file.data + 4 + header_len, have), 4 + header_len, f);
    if (e == OK)
        e = check_hashes(&read, &h, f);
    if (e != OK) {
        bt_model_deinit(&read);
        return e;
    }
    *m = read;
    return OK;
}
