/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cbor.h"

enum { /* major types, as the top three bits of an item's first byte */
    MAJOR_UINT = 0,
    MAJOR_NEGATIVE = 1,
    MAJOR_BYTES = 2,
    MAJOR_TEXT = 3,
    MAJOR_ARRAY = 4,
    MAJOR_SIMPLE = 7,
};

enum { SIMPLE_FALSE = 20, SIMPLE_TRUE = 21, SIMPLE_NULL = 22 };

/* RFC 3629: no surrogates, nothing above U+10FFFF, no overlong forms. */
static bool is_utf8(bytes v)
{
    for (size_t i = 0; i < v.len;) {
        uint8_t first = v.data[i++];
        unsigned more = first < 0x80 ? 0 : first < 0xc2 ? 9 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : first < 0xf5 ? 3 : 9;
        if (more > v.len - i)
            return false;
        uint8_t low = 0x80, high = 0xbf; /* of the second byte */
        if (first == 0xe0)
            low = 0xa0;
        if (first == 0xed)
            high = 0x9f;
        if (first == 0xf0)
            low = 0x90;
        if (first == 0xf4)
            high = 0x8f;
        for (unsigned k = 0; k < more; k++) {
            uint8_t next = v.data[i++];
            if (next < low || next > high)
                return false;
            low = 0x80, high = 0xbf;
        }
    }
    return true;
}

/* ---- writer ---- */

cbor_writer cbor_writer_on(uint8_t *data, size_t cap)
{
    return (cbor_writer){ .data = data, .cap = cap };
}

static void put(cbor_writer *w, const uint8_t *data, size_t len)
{
    if (w->e != OK || len == 0)
        return;
    if (len > w->cap - w->len) {
        w->e = ERR_LIMIT;
        return;
    }
    memcpy(w->data + w->len, data, len);
    w->len += len;
}

static void put_head(cbor_writer *w, unsigned major, uint64_t v)
{
    uint8_t head[9];
    size_t len = v < 24 ? 0 : v <= UINT8_MAX ? 1 : v <= UINT16_MAX ? 2 : v <= UINT32_MAX ? 4 : 8;
    unsigned info = len == 0 ? (unsigned)v : len == 1 ? 24 : len == 2 ? 25 : len == 4 ? 26 : 27;
    head[0] = (uint8_t)(major << 5 | info);
    for (size_t i = 0; i < len; i++)
        head[1 + i] = (uint8_t)(v >> (8 * (len - 1 - i)));
    put(w, head, 1 + len);
}

void cbor_put_uint(cbor_writer *w, uint64_t v)
{
    put_head(w, MAJOR_UINT, v);
}

void cbor_put_int(cbor_writer *w, int64_t v)
{
    if (v >= 0)
        put_head(w, MAJOR_UINT, (uint64_t)v);
    else
        put_head(w, MAJOR_NEGATIVE, ~(uint64_t)v); /* -1 - v */
}

void cbor_put_bool(cbor_writer *w, bool v)
{
    put_head(w, MAJOR_SIMPLE, v ? SIMPLE_TRUE : SIMPLE_FALSE);
}

void cbor_put_null(cbor_writer *w)
{
    put_head(w, MAJOR_SIMPLE, SIMPLE_NULL);
}

void cbor_put_bytes(cbor_writer *w, bytes v)
{
    put_head(w, MAJOR_BYTES, v.len);
    put(w, v.data, v.len);
}

void cbor_put_text(cbor_writer *w, bytes utf8)
{
    if (w->e == OK && !is_utf8(utf8))
        w->e = ERR_SYNTAX;
    put_head(w, MAJOR_TEXT, utf8.len);
    put(w, utf8.data, utf8.len);
}

void cbor_put_array(cbor_writer *w, size_t count)
{
    put_head(w, MAJOR_ARRAY, count);
}

void cbor_put_raw(cbor_writer *w, bytes encoded)
{
    put(w, encoded.data, encoded.len);
}

err cbor_finish(const cbor_writer *w, bytes *out)
{
    if (w->e != OK)
        return w->e;
    *out = bytes_of(w->data, w->len);
    return OK;
}

/* ---- reader ---- */

cbor_reader cbor_reader_on(bytes in)
{
    return (cbor_reader){ .in = in };
}

static err refuse(cbor_reader *r, const char *field, err code)
{
    return fail(&r->fault, code, field, r->at);
}

typedef struct head {
    unsigned major;
    uint64_t value; /* the number, length or count; for MAJOR_SIMPLE the simple value */
    size_t   len;   /* of the head itself */
} head;

/* Reads one head at r->at and checks everything that the item itself decides: shortest form, a type of the subset, a
 * content that lies inside the input. Consumes nothing. */
static err peek_head(cbor_reader *r, const char *field, head *out)
{
    if (r->fault.code != OK)
        return r->fault.code;
    size_t left = r->in.len - r->at;
    if (left == 0)
        return refuse(r, field, ERR_TRUNCATED);
    const uint8_t *p = r->in.data + r->at;
    head h = { .major = p[0] >> 5, .value = p[0] & 31, .len = 1 };
    if (h.major > MAJOR_ARRAY && h.major != MAJOR_SIMPLE)
        return refuse(r, field, ERR_TYPE);
    if (h.major == MAJOR_SIMPLE) {
        if (h.value < SIMPLE_FALSE || h.value > SIMPLE_NULL)
            return refuse(r, field, ERR_TYPE);
        *out = h;
        return OK;
    }
    if (h.value > 27)
        return refuse(r, field, h.value == 31 ? ERR_CANONICAL : ERR_SYNTAX);
    if (h.value >= 24) {
        size_t more = (size_t)1 << (h.value - 24);
        if (left - 1 < more)
            return refuse(r, field, ERR_TRUNCATED);
        h.value = 0;
        for (size_t i = 0; i < more; i++)
            h.value = h.value << 8 | p[1 + i];
        if (h.value < 24 || (more > 1 && h.value >> (4 * more) == 0))
            return refuse(r, field, ERR_CANONICAL);
        h.len += more;
    }
    if (h.major == MAJOR_NEGATIVE && h.value > INT64_MAX)
        return refuse(r, field, ERR_RANGE);
    /* Each element takes a byte at least, so a hostile count ends here and not in somebody's loop. */
    if (h.major >= MAJOR_BYTES && h.value > left - h.len)
        return refuse(r, field, ERR_TRUNCATED);
    if (h.major == MAJOR_TEXT && !is_utf8(bytes_of(p + h.len, (size_t)h.value)))
        return refuse(r, field, ERR_SYNTAX);
    *out = h;
    return OK;
}

static err peek_major(cbor_reader *r, const char *field, unsigned major, head *out)
{
    TRY(peek_head(r, field, out));
    return out->major == major ? OK : refuse(r, field, ERR_TYPE);
}

err cbor_get_uint(cbor_reader *r, const char *field, uint64_t *out)
{
    return cbor_get_uint_max(r, field, out, UINT64_MAX);
}

err cbor_get_uint_max(cbor_reader *r, const char *field, uint64_t *out, uint64_t max)
{
    head h;
    TRY(peek_major(r, field, MAJOR_UINT, &h));
    if (h.value > max)
        return refuse(r, field, ERR_RANGE);
    r->at += h.len;
    *out = h.value;
    return OK;
}

err cbor_get_int(cbor_reader *r, const char *field, int64_t *out)
{
    head h;
    TRY(peek_head(r, field, &h));
    if (h.major != MAJOR_UINT && h.major != MAJOR_NEGATIVE)
        return refuse(r, field, ERR_TYPE);
    if (h.value > INT64_MAX)
        return refuse(r, field, ERR_RANGE);
    r->at += h.len;
    *out = h.major == MAJOR_UINT ? (int64_t)h.value : -1 - (int64_t)h.value;
    return OK;
}

err cbor_get_bool(cbor_reader *r, const char *field, bool *out)
{
    head h;
    TRY(peek_major(r, field, MAJOR_SIMPLE, &h));
    if (h.value == SIMPLE_NULL)
        return refuse(r, field, ERR_TYPE);
    r->at += h.len;
    *out = h.value == SIMPLE_TRUE;
    return OK;
}

static err get_string(cbor_reader *r, const char *field, unsigned major, bytes *out, size_t len_max)
{
    head h;
    TRY(peek_major(r, field, major, &h));
    if (h.value > len_max)
        return refuse(r, field, ERR_LIMIT);
    *out = bytes_of(r->in.data + r->at + h.len, (size_t)h.value);
    r->at += h.len + out->len;
    return OK;
}

err cbor_get_bytes(cbor_reader *r, const char *field, bytes *out, size_t len_max)
{
    return get_string(r, field, MAJOR_BYTES, out, len_max);
}

err cbor_get_bytes_fixed(cbor_reader *r, const char *field, uint8_t *out, size_t len)
{
    head h;
    TRY(peek_major(r, field, MAJOR_BYTES, &h));
    if (h.value != len)
        return refuse(r, field, ERR_RANGE);
    if (len != 0)
        memcpy(out, r->in.data + r->at + h.len, len);
    r->at += h.len + len;
    return OK;
}

err cbor_get_text(cbor_reader *r, const char *field, bytes *out, size_t len_max)
{
    return get_string(r, field, MAJOR_TEXT, out, len_max);
}

err cbor_get_array(cbor_reader *r, const char *field, size_t *count, size_t count_max)
{
    head h;
    TRY(peek_major(r, field, MAJOR_ARRAY, &h));
    if (h.value > count_max)
        return refuse(r, field, ERR_LIMIT);
    r->at += h.len;
    *count = (size_t)h.value;
    return OK;
}

err cbor_get_array_fixed(cbor_reader *r, const char *field, size_t count)
{
    head h;
    TRY(peek_major(r, field, MAJOR_ARRAY, &h));
    if (h.value != count)
        return refuse(r, field, ERR_FIELD);
    r->at += h.len;
    return OK;
}

bool cbor_take_null(cbor_reader *r)
{
    if (r->fault.code != OK || r->at == r->in.len || r->in.data[r->at] != (MAJOR_SIMPLE << 5 | SIMPLE_NULL))
        return false;
    r->at++;
    return true;
}

err cbor_get_item(cbor_reader *r, const char *field, bytes *out)
{
    size_t start = r->at;
    uint64_t open[LIMIT_CBOR_DEPTH_N]; /* elements still to come, per open array */
    unsigned depth = 0;
    do {
        head h;
        TRY(peek_head(r, field, &h));
        if (depth != 0)
            open[depth - 1]--;
        if (h.major == MAJOR_ARRAY) {
            if (depth == LIMIT_CBOR_DEPTH_N)
                return refuse(r, field, ERR_LIMIT);
            open[depth++] = h.value;
        }
        r->at += h.len;
        if (h.major == MAJOR_BYTES || h.major == MAJOR_TEXT)
            r->at += (size_t)h.value;
        while (depth != 0 && open[depth - 1] == 0)
            depth--;
    } while (depth != 0);
    *out = bytes_of(r->in.data + start, r->at - start);
    return OK;
}

err cbor_end(cbor_reader *r)
{
    if (r->fault.code != OK)
        return r->fault.code;
    return r->at == r->in.len ? OK : refuse(r, "end", ERR_TRAILING);
}
