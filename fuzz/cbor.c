/* SPDX-License-Identifier: Apache-2.0
 * Whatever the decoder accepts is exactly what the encoder writes; the item walker and the typed getters agree. */
#include "base/cbor.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static err copy_item(cbor_writer *w, cbor_reader *r, unsigned depth)
{
    uint64_t u;
    int64_t i;
    bool b;
    bytes v;
    size_t count;
    if (cbor_take_null(r)) {
        cbor_put_null(w);
        return OK;
    }
    switch (r->at < r->in.len ? r->in.data[r->at] >> 5 : 0) {
    case 0:
        TRY(cbor_get_uint(r, "uint", &u));
        cbor_put_uint(w, u);
        return OK;
    case 1:
        TRY(cbor_get_int(r, "int", &i));
        cbor_put_int(w, i);
        return OK;
    case 2:
        TRY(cbor_get_bytes(r, "bytes", &v, SIZE_MAX));
        cbor_put_bytes(w, v);
        return OK;
    case 3:
        TRY(cbor_get_text(r, "text", &v, SIZE_MAX));
        cbor_put_text(w, v);
        return OK;
    case 4:
        TRY(cbor_get_array(r, "array", &count, SIZE_MAX));
        if (depth == LIMIT_CBOR_DEPTH)
            return ERR_LIMIT;
        cbor_put_array(w, count);
        for (size_t k = 0; k < count; k++)
            TRY(copy_item(w, r, depth + 1));
        return OK;
    default:
        TRY(cbor_get_bool(r, "bool", &b));
        cbor_put_bool(w, b);
        return OK;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *again = malloc(size + 1);
    CHECK(again != NULL);
    bytes in = bytes_of(data, size), item = { 0 }, out = { 0 };
    cbor_reader walk = cbor_reader_on(in), typed = cbor_reader_on(in);
    cbor_writer w = cbor_writer_on(again, size);
    err a = cbor_get_item(&walk, "item", &item);
    err b = copy_item(&w, &typed, 0);
    CHECK(a == b);
    if (a == OK) {
        CHECK(cbor_finish(&w, &out) == OK);
        CHECK(bytes_equal(item, out));
        CHECK(walk.at == typed.at && cbor_end(&walk) == cbor_end(&typed));
    }
    free(again);
    return 0;
}
