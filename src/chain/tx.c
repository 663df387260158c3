/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/tx.h"

#include "chain/field_int.h"
#include "crypto/sha256.h"

static const char tx_tag[] = "theblock/tx/v1";

enum { BODY_FIELDS = 9 };

#define TX_BEGIN(ID, number, name, size_max, doc) static const chain_field fields_##name[] = {
#define FIELD(record, type, field, max, doc) CHAIN_FIELD(chain_tx_##record, record, type, field, max, doc)
#define TX_END(ID, name) { 0 } };
#include "tx.def"
#undef TX_BEGIN
#undef FIELD
#undef TX_END

typedef struct tx_row {
    chain_tx_type type;
    uint64_t      size_max;
    chain_record  record;
} tx_row;

static const tx_row rows[] = {
#define TX_BEGIN(ID, number, title, most, text)                                                                         \
    { CHAIN_TX_##ID, (most),                                                                                            \
      { .name = #title, .doc = (text), .fields = fields_##title, .count = CHAIN_FIELD_COUNT(fields_##title),            \
        .size = sizeof(chain_tx_##title) } },
#define FIELD(record, type, field, max, doc)
#define TX_END(ID, name)
#include "tx.def"
#undef TX_BEGIN
#undef FIELD
#undef TX_END
};

static const tx_row *row_of(uint64_t type)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if ((uint64_t)rows[i].type == type)
            return &rows[i];
    return NULL;
}

const chain_record *chain_tx_record(uint64_t type)
{
    const tx_row *row = row_of(type);
    return row ? &row->record : NULL;
}

const chain_record *chain_tx_record_at(size_t index, chain_tx_type *type)
{
    if (index >= COUNT_OF(rows))
        return NULL;
    if (type)
        *type = rows[index].type;
    return &rows[index].record;
}

hash256 chain_tx_id(bytes body)
{
    return cr_sha256(body);
}

static void put_body(cbor_writer *w, const chain_tx *tx, const tx_row *row)
{
    cbor_put_array(w, BODY_FIELDS);
    cbor_put_text(w, bytes_of_str(tx_tag));
    cbor_put_text(w, bytes_of(tx->chain_id.text, tx->chain_id.len));
    cbor_put_uint(w, (uint64_t)tx->type);
    cbor_put_bytes(w, BYTES_OF(tx->sender));
    cbor_put_uint(w, tx->nonce);
    cbor_put_uint(w, tx->expiry_height);
    cbor_put_uint(w, tx->fee_max);
    cbor_put_uint(w, tx->tip);
    chain_record_encode(w, &row->record, &tx->payload);
}

err chain_tx_encode_body(bytes *out, uint8_t *buffer, size_t cap, const chain_tx *tx, fault *f)
{
    const tx_row *row = row_of((uint64_t)tx->type);
    if (!row)
        return fail(f, ERR_UNSUPPORTED, "tx.type", (uint64_t)tx->type);
    cbor_writer w = cbor_writer_on(buffer, cap);
    put_body(&w, tx, row);
    err e = cbor_finish(&w, out);
    return e == OK ? OK : fail(f, e, row->record.name, w.len);
}

err chain_tx_sign(bytes *out, uint8_t *buffer, size_t cap, const chain_tx *tx, const cr_secret_key *secret, hash256 *id, fault *f)
{
    if (memcmp(secret->b + 32, tx->sender.b, sizeof tx->sender.b) != 0)
        return fail(f, ERR_KEY, "tx.sender", 0);
    bytes body;
    if (cap < 1)
        return fail(f, ERR_LIMIT, "tx", cap);
    TRY(chain_tx_encode_body(&body, buffer + 1, cap - 1, tx, f));
    cr_signature signature;
    cr_ed25519_sign(&signature, secret, body);
    hash256 body_hash = chain_tx_id(body);

    cbor_writer w = cbor_writer_on(buffer, cap);
    cbor_put_array(&w, 2); /* one byte, so the body already stands where it belongs */
    CHECK(w.e == OK && w.len == 1);
    w.len += body.len;
    cbor_put_bytes(&w, BYTES_OF(signature));
    bytes whole;
    err e = cbor_finish(&w, &whole);
    if (e == OK && whole.len > row_of((uint64_t)tx->type)->size_max)
        e = ERR_LIMIT;
    if (e != OK)
        return fail(f, e, "tx", cap);

    /* What could not be decoded again (a field over its bound, items that are no array) must not leave the house. */
    chain_tx check;
    TRY(chain_tx_decode(&check, whole, f));
    *out = whole;
    if (id)
        *id = body_hash;
    return OK;
}

static err decode_body(chain_tx *out, cbor_reader *r, const tx_row **row)
{
    uint64_t type;
    bytes text;
    size_t at = r->at;
    TRY(cbor_get_array_fixed(r, "tx", BODY_FIELDS));
    TRY(cbor_get_text(r, "tx.tag", &text, sizeof tx_tag));
    if (!bytes_equal(text, bytes_of_str(tx_tag)))
        return fail(&r->fault, ERR_MAGIC, "tx.tag", at);
    at = r->at;
    TRY(cbor_get_text(r, "tx.chain_id", &text, sizeof out->chain_id.text - 1));
    err e = chain_name_set(&out->chain_id, text);
    if (e != OK)
        return fail(&r->fault, e, "tx.chain_id", at);
    at = r->at;
    TRY(cbor_get_uint(r, "tx.type", &type));
    *row = row_of(type);
    if (!*row)
        return fail(&r->fault, ERR_UNSUPPORTED, "tx.type", at);
    out->type = (*row)->type;
    TRY(cbor_get_bytes_fixed(r, "tx.sender", out->sender.b, sizeof out->sender.b));
    TRY(cbor_get_uint(r, "tx.nonce", &out->nonce));
    TRY(cbor_get_uint(r, "tx.expiry_height", &out->expiry_height));
    TRY(cbor_get_uint_max(r, "tx.fee_max", &out->fee_max, CHAIN_AMOUNT_MAX));
    TRY(cbor_get_uint_max(r, "tx.tip", &out->tip, CHAIN_AMOUNT_MAX));
    return chain_record_decode(r, &(*row)->record, &out->payload);
}

static err decode(chain_tx *out, cbor_reader *r, size_t len)
{
    const tx_row *row = NULL;
    TRY(cbor_get_array_fixed(r, "signed_tx", 2));
    size_t start = r->at;
    TRY(decode_body(out, r, &row));
    out->body = bytes_of(r->in.data + start, r->at - start);
    TRY(cbor_get_bytes_fixed(r, "tx.signature", out->signature.b, sizeof out->signature.b));
    TRY(cbor_end(r));
    if (len > row->size_max)
        return fail(&r->fault, ERR_LIMIT, row->record.name, len);
    return OK;
}

err chain_tx_decode(chain_tx *out, bytes in, fault *f)
{
    memset(out, 0, sizeof *out);
    if (in.len > LIMIT_TX_SLASH_BYTES)
        return fail(f, ERR_LIMIT, "tx", in.len);
    cbor_reader r = cbor_reader_on(in);
    err e = decode(out, &r, in.len);
    if (e != OK) {
        memset(out, 0, sizeof *out);
        if (f)
            *f = r.fault;
        return e;
    }
    out->id = chain_tx_id(out->body);
    out->sender_address = cr_address_of_key(&out->sender);
    return OK;
}

err chain_tx_verify(const chain_tx *tx)
{
    return cr_ed25519_verify(&tx->sender, tx->body, &tx->signature);
}

err chain_receipts_encode(bytes *out, uint8_t *buffer, size_t cap, const chain_receipt *receipts, size_t count)
{
    cbor_writer w = cbor_writer_on(buffer, cap);
    cbor_put_array(&w, count);
    for (size_t i = 0; i < count; i++) {
        cbor_put_array(&w, 2);
        cbor_put_bytes(&w, receipts[i].lease);
        cbor_put_bytes(&w, receipts[i].attestation);
    }
    return cbor_finish(&w, out);
}

static err decode_receipts(cbor_reader *r, chain_receipt *receipts, size_t *count)
{
    TRY(cbor_get_array(r, "receipts", count, LIMIT_TX_ITEMS));
    for (size_t i = 0; i < *count; i++) {
        TRY(cbor_get_array_fixed(r, "receipt", 2));
        TRY(cbor_get_bytes(r, "receipt.lease", &receipts[i].lease, LIMIT_LEASE_BYTES));
        TRY(cbor_get_bytes(r, "receipt.attestation", &receipts[i].attestation, LIMIT_LEASE_BYTES));
    }
    TRY(cbor_end(r));
    return *count ? OK : fail(&r->fault, ERR_RANGE, "receipts", 0);
}

err chain_receipts_decode(chain_receipt *receipts, size_t *count, bytes items, fault *f)
{
    cbor_reader r = cbor_reader_on(items);
    err e = decode_receipts(&r, receipts, count);
    if (e != OK && f)
        *f = r.fault;
    return e;
}

err chain_addresses_encode(bytes *out, uint8_t *buffer, size_t cap, const cr_address *addresses, size_t count)
{
    cbor_writer w = cbor_writer_on(buffer, cap);
    cbor_put_array(&w, count);
    for (size_t i = 0; i < count; i++) {
        uint8_t packed[33];
        chain_address_pack(packed, &addresses[i]);
        cbor_put_bytes(&w, bytes_of(packed, sizeof packed));
    }
    return cbor_finish(&w, out);
}

static err decode_addresses(cbor_reader *r, cr_address *addresses, size_t *count)
{
    TRY(cbor_get_array(r, "addresses", count, LIMIT_TX_ITEMS));
    for (size_t i = 0; i < *count; i++) {
        uint8_t packed[33];
        size_t at = r->at;
        TRY(cbor_get_bytes_fixed(r, "addresses", packed, sizeof packed));
        if (packed[0] != CR_ADDRESS_ACCOUNT)
            return fail(&r->fault, ERR_ADDRESS, "addresses", at);
        addresses[i].kind = packed[0];
        memcpy(addresses[i].hash, packed + 1, sizeof addresses[i].hash);
    }
    TRY(cbor_end(r));
    return *count ? OK : fail(&r->fault, ERR_RANGE, "addresses", 0);
}

err chain_addresses_decode(cr_address *addresses, size_t *count, bytes items, fault *f)
{
    cbor_reader r = cbor_reader_on(items);
    err e = decode_addresses(&r, addresses, count);
    if (e != OK && f)
        *f = r.fault;
    return e;
}
