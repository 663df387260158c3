/* SPDX-License-Identifier: Apache-2.0 */
#include "numerics/model_header.h"

#include "base/cbor.h"
#include "crypto/blake3.h"

enum { VERSION = 1, LAYER = sizeof(num_layer_fractions), TOP = sizeof(num_top_fractions) };

err num_model_header_encode(uint8_t *out, size_t cap, const num_model_header *h, bytes *view)
{
    const num_shape *s = &h->shape;
    TRY(num_fractions_check(&h->fractions, s, NULL));
    cbor_writer w = cbor_writer_on(out, cap);
    cbor_put_array(&w, 5);
    cbor_put_uint(&w, VERSION);
    const uint32_t shape[] = { s->vocab, s->context, s->width, s->layers, s->heads, s->bits, s->helper };
    cbor_put_array(&w, COUNT_OF(shape));
    for (size_t i = 0; i < COUNT_OF(shape); i++)
        cbor_put_uint(&w, shape[i]);
    cbor_put_array(&w, (size_t)LAYER * s->layers + TOP);
    const int8_t *layers = (const int8_t *)h->fractions.layer;
    for (size_t i = 0; i < (size_t)LAYER * s->layers; i++)
        cbor_put_int(&w, layers[i]);
    for (size_t i = 0; i < TOP; i++)
        cbor_put_int(&w, ((const int8_t *)&h->fractions.top)[i]);
    cbor_put_bytes(&w, BYTES_OF(h->weight_root));
    cbor_put_bytes(&w, BYTES_OF(h->tables_hash));
    return cbor_finish(&w, view);
}

static err read_fraction(cbor_reader *r, int8_t *out, fault *f)
{
    int64_t v;
    TRY(cbor_get_int(r, "model.fraction", &v));
    if (v < INT8_MIN || v > INT8_MAX)
        return fail(f, ERR_RANGE, "model.fraction", r->at);
    *out = (int8_t)v;
    return OK;
}

static err read_fields(num_model_header *h, cbor_reader *r, fault *f)
{
    num_shape *s = &h->shape;
    uint64_t version;
    TRY(cbor_get_array_fixed(r, "model", 5));
    TRY(cbor_get_uint(r, "model.version", &version));
    if (version != VERSION)
        return fail(f, ERR_VERSION, "model.version", version);
    uint32_t *const shape[] = { &s->vocab, &s->context, &s->width, &s->layers, &s->heads, &s->bits, &s->helper };
    TRY(cbor_get_array_fixed(r, "model.shape", COUNT_OF(shape)));
    for (size_t i = 0; i < COUNT_OF(shape); i++) {
        uint64_t v;
        TRY(cbor_get_uint_max(r, "model.shape", &v, UINT32_MAX));
        *shape[i] = (uint32_t)v;
    }
    num_const c;
    TRY(num_const_of(&c, s, f));
    TRY(cbor_get_array_fixed(r, "model.fractions", (size_t)LAYER * s->layers + TOP));
    int8_t *layers = (int8_t *)h->fractions.layer;
    for (size_t i = 0; i < (size_t)LAYER * s->layers; i++)
        TRY(read_fraction(r, layers + i, f));
    for (size_t i = 0; i < TOP; i++)
        TRY(read_fraction(r, (int8_t *)&h->fractions.top + i, f));
    TRY(cbor_get_bytes_fixed(r, "model.weight_root", h->weight_root.b, sizeof h->weight_root.b));
    TRY(cbor_get_bytes_fixed(r, "model.tables_hash", h->tables_hash.b, sizeof h->tables_hash.b));
    TRY(cbor_end(r));
    return num_fractions_check(&h->fractions, s, f);
}

err num_model_header_decode(num_model_header *out, bytes encoded, fault *f)
{
    memset(out, 0, sizeof *out);
    cbor_reader r = cbor_reader_on(encoded);
    err e = read_fields(out, &r, f);
    if (e != OK && r.fault.code == e && f)
        *f = r.fault;
    return e;
}

hash256 num_model_id(bytes encoded)
{
    return cr_blake3_hash_in("theblock 2026 model id v1", encoded);
}
