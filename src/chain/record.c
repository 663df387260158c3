/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/record.h"

err chain_name_set(chain_name *out, bytes text)
{
    if (text.len == 0 || text.len >= sizeof out->text)
        return ERR_LIMIT;
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] < 0x21 || text.data[i] > 0x7e)
            return ERR_SYNTAX;
    memset(out, 0, sizeof *out);
    memcpy(out->text, text.data, text.len);
    out->len = (uint8_t)text.len;
    return OK;
}

void chain_address_pack(uint8_t out[33], const cr_address *a)
{
    out[0] = a->kind;
    memcpy(out + 1, a->hash, sizeof a->hash);
}

static void put_field(cbor_writer *w, const chain_field *f, const uint8_t *p)
{
    switch (f->type) {
    case CHAIN_TYPE_U8:
        cbor_put_uint(w, *p);
        return;
    case CHAIN_TYPE_U32:
        cbor_put_uint(w, *(const uint32_t *)(const void *)p);
        return;
    case CHAIN_TYPE_U64:
        cbor_put_uint(w, *(const uint64_t *)(const void *)p);
        return;
    case CHAIN_TYPE_I64:
        cbor_put_int(w, *(const int64_t *)(const void *)p);
        return;
    case CHAIN_TYPE_HASH:
    case CHAIN_TYPE_KEY:
        cbor_put_bytes(w, bytes_of(p, 32));
        return;
    case CHAIN_TYPE_SIGNATURE:
        cbor_put_bytes(w, bytes_of(p, 64));
        return;
    case CHAIN_TYPE_ADDRESS: {
        uint8_t packed[33];
        chain_address_pack(packed, (const cr_address *)(const void *)p);
        cbor_put_bytes(w, bytes_of(packed, sizeof packed));
        return;
    }
    case CHAIN_TYPE_NAME: {
        const chain_name *name = (const chain_name *)(const void *)p;
        cbor_put_text(w, bytes_of(name->text, name->len));
        return;
    }
    case CHAIN_TYPE_BLOB:
        cbor_put_bytes(w, *(const bytes *)(const void *)p);
        return;
    case CHAIN_TYPE_ITEMS:
        cbor_put_raw(w, *(const bytes *)(const void *)p);
        return;
    }
    CHECK(false);
}

void chain_record_encode(cbor_writer *w, const chain_record *r, const void *object)
{
    cbor_put_array(w, r->count + (r->tag != NULL));
    if (r->tag)
        cbor_put_text(w, bytes_of_str(r->tag));
    for (size_t i = 0; i < r->count; i++)
        put_field(w, &r->fields[i], (const uint8_t *)object + r->fields[i].offset);
}

static err get_address(cbor_reader *in, const chain_field *f, cr_address *out)
{
    uint8_t packed[33];
    size_t at = in->at;
    TRY(cbor_get_bytes_fixed(in, f->where, packed, sizeof packed));
    if (packed[0] != CR_ADDRESS_ACCOUNT && packed[0] != CR_ADDRESS_MULTISIG && packed[0] != CR_ADDRESS_CHAIN)
        return fail(&in->fault, ERR_ADDRESS, f->where, at);
    out->kind = packed[0];
    memcpy(out->hash, packed + 1, sizeof out->hash);
    return OK;
}

static err get_items(cbor_reader *in, const chain_field *f, bytes *out)
{
    size_t at = in->at;
    bytes item;
    TRY(cbor_get_item(in, f->where, &item));
    if ((item.data[0] & 0xe0) != 0x80)
        return fail(&in->fault, ERR_TYPE, f->where, at);
    if (item.len > f->max)
        return fail(&in->fault, ERR_LIMIT, f->where, at);
    *out = item;
    return OK;
}

static err get_field(cbor_reader *in, const chain_field *f, uint8_t *p)
{
    uint64_t v;
    size_t at = in->at;
    switch (f->type) {
    case CHAIN_TYPE_U8:
        TRY(cbor_get_uint_max(in, f->where, &v, f->max < UINT8_MAX ? f->max : UINT8_MAX));
        *p = (uint8_t)v;
        return OK;
    case CHAIN_TYPE_U32:
        TRY(cbor_get_uint_max(in, f->where, &v, f->max < UINT32_MAX ? f->max : UINT32_MAX));
        *(uint32_t *)(void *)p = (uint32_t)v;
        return OK;
    case CHAIN_TYPE_U64:
        return cbor_get_uint_max(in, f->where, (uint64_t *)(void *)p, f->max);
    case CHAIN_TYPE_I64:
        return cbor_get_int(in, f->where, (int64_t *)(void *)p);
    case CHAIN_TYPE_HASH:
    case CHAIN_TYPE_KEY:
        return cbor_get_bytes_fixed(in, f->where, p, 32);
    case CHAIN_TYPE_SIGNATURE:
        return cbor_get_bytes_fixed(in, f->where, p, 64);
    case CHAIN_TYPE_ADDRESS:
        return get_address(in, f, (cr_address *)(void *)p);
    case CHAIN_TYPE_NAME: {
        bytes text;
        TRY(cbor_get_text(in, f->where, &text, sizeof(((chain_name *)0)->text) - 1));
        err e = chain_name_set((chain_name *)(void *)p, text);
        return e == OK ? OK : fail(&in->fault, e, f->where, at);
    }
    case CHAIN_TYPE_BLOB:
        return cbor_get_bytes(in, f->where, (bytes *)(void *)p, f->max);
    case CHAIN_TYPE_ITEMS:
        return get_items(in, f, (bytes *)(void *)p);
    }
    return fail(&in->fault, ERR_INTERNAL, f->where, at);
}

static err get_tag(cbor_reader *in, const chain_record *r)
{
    bytes tag;
    size_t at = in->at;
    TRY(cbor_get_text(in, r->name, &tag, 64));
    if (!bytes_equal(tag, bytes_of_str(r->tag)))
        return fail(&in->fault, ERR_MAGIC, r->name, at);
    return OK;
}

err chain_record_decode(cbor_reader *in, const chain_record *r, void *object)
{
    err e;
    memset(object, 0, r->size);
    TRY_OUT(cbor_get_array_fixed(in, r->name, r->count + (r->tag != NULL)));
    if (r->tag)
        TRY_OUT(get_tag(in, r));
    for (size_t i = 0; i < r->count; i++)
        TRY_OUT(get_field(in, &r->fields[i], (uint8_t *)object + r->fields[i].offset));
out:
    if (e != OK)
        memset(object, 0, r->size);
    return e;
}

err chain_record_decode_all(bytes in, const chain_record *r, void *object, fault *f)
{
    cbor_reader reader = cbor_reader_on(in);
    err e = chain_record_decode(&reader, r, object);
    if (e == OK)
        e = cbor_end(&reader);
    if (e != OK) {
        memset(object, 0, r->size);
        if (f)
            *f = reader.fault;
    }
    return e;
}
