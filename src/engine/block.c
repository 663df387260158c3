/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/block.h"

#include "base/cbor.h"

static const char tag[] = "theblock/block/v1";

enum {
    FRAME_BYTES = 64, /* tag and the heads of the outer items, generously */
    ITEM_BYTES = 9,   /* the longest head of a byte string */
};

err eng_block_encode(buf *out, const eng_block *block, fault *f)
{
    size_t size = FRAME_BYTES + block->header.len;
    for (size_t i = 0; i < block->tx_count; i++)
        size += ITEM_BYTES + block->txs[i].len;
    err e = buf_reserve(out, size);
    if (e != OK)
        return fail(f, e, "block: encode", size);
    cbor_writer w = cbor_writer_on(out->data + out->len, size);
    cbor_put_array(&w, 3);
    cbor_put_text(&w, bytes_of(tag, sizeof tag - 1));
    cbor_put_bytes(&w, block->header);
    cbor_put_array(&w, block->tx_count);
    for (size_t i = 0; i < block->tx_count; i++)
        cbor_put_bytes(&w, block->txs[i]);
    bytes encoded;
    e = cbor_finish(&w, &encoded);
    if (e == OK && encoded.len > LIMIT_LOG_RECORD_BYTES)
        e = ERR_LIMIT;
    if (e != OK)
        return fail(f, e, "block: encode", size);
    out->len += encoded.len;
    return OK;
}

static err decode(eng_block *out, cbor_reader *r, size_t txs_max)
{
    bytes text;
    TRY(cbor_get_array_fixed(r, "block", 3));
    TRY(cbor_get_text(r, "block.tag", &text, sizeof tag));
    if (!bytes_equal(text, bytes_of(tag, sizeof tag - 1)))
        return fail(&r->fault, ERR_MAGIC, "block.tag", r->at);
    TRY(cbor_get_bytes(r, "block.header", &out->header, LIMIT_HEADER_BYTES));
    TRY(cbor_get_array(r, "block.txs", &out->tx_count, txs_max));
    for (size_t i = 0; i < out->tx_count; i++)
        TRY(cbor_get_bytes(r, "block.tx", &out->txs[i], LIMIT_TX_SLASH_BYTES));
    return cbor_end(r);
}

err eng_block_decode(eng_block *out, bytes in, size_t txs_max, fault *f)
{
    cbor_reader r = cbor_reader_on(in);
    err e = decode(out, &r, txs_max);
    return e == OK ? OK : fail(f, e, r.fault.what ? r.fault.what : "block", r.fault.at);
}
