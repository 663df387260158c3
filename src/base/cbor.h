/* SPDX-License-Identifier: Apache-2.0
 *
 * The one deterministic CBOR subset for everything hashed or signed (RFC 8949 section 4.2.1; spec/cbor.md):
 * unsigned and negative integers of up to 64 bits in shortest form, byte strings, text strings (UTF-8), definite arrays,
 * true, false, null. No maps, tags, floats or indefinite lengths: a structure is an array whose element order is its
 * schema. A decoder accepts a byte string only if it is what the encoder would have written. */
#ifndef BASE_CBOR_H
#define BASE_CBOR_H

#include "base/bytes.h"
#include "base/limits.h"

/* Writes into the caller's buffer. Errors stick: check once with cbor_finish. */
typedef struct cbor_writer {
    uint8_t *data;
    size_t   cap;
    size_t   len;
    err      e;
} cbor_writer;

cbor_writer cbor_writer_on(uint8_t *data, size_t cap);

void cbor_put_uint(cbor_writer *w, uint64_t v);
void cbor_put_int(cbor_writer *w, int64_t v);
void cbor_put_bool(cbor_writer *w, bool v);
void cbor_put_null(cbor_writer *w);
void cbor_put_bytes(cbor_writer *w, bytes v);
void cbor_put_text(cbor_writer *w, bytes utf8); /* ERR_SYNTAX if not UTF-8 */
void cbor_put_array(cbor_writer *w, size_t count);
void cbor_put_raw(cbor_writer *w, bytes encoded); /* `encoded` is canonical already */

/* *out = what was written (a view of the writer's buffer); ERR_LIMIT if it did not fit. */
err cbor_finish(const cbor_writer *w, bytes *out) MUST_USE;

/* Reads canonical CBOR. Every getter names the field that it reads (a static string, for the fault). On failure the
 * reader's fault says field and byte offset, and every later call fails with the same code. Views point into the input. */
typedef struct cbor_reader {
    bytes    in;
    size_t   at;
    fault    fault;
} cbor_reader;

cbor_reader cbor_reader_on(bytes in);

err cbor_get_uint(cbor_reader *r, const char *field, uint64_t *out) MUST_USE;
err cbor_get_uint_max(cbor_reader *r, const char *field, uint64_t *out, uint64_t max) MUST_USE; /* ERR_RANGE above max */
err cbor_get_int(cbor_reader *r, const char *field, int64_t *out) MUST_USE;
err cbor_get_bool(cbor_reader *r, const char *field, bool *out) MUST_USE;
err cbor_get_bytes(cbor_reader *r, const char *field, bytes *out, size_t len_max) MUST_USE;      /* ERR_LIMIT above */
err cbor_get_bytes_fixed(cbor_reader *r, const char *field, uint8_t *out, size_t len) MUST_USE;  /* exactly len */
err cbor_get_text(cbor_reader *r, const char *field, bytes *out, size_t len_max) MUST_USE;
err cbor_get_array(cbor_reader *r, const char *field, size_t *count, size_t count_max) MUST_USE;
err cbor_get_array_fixed(cbor_reader *r, const char *field, size_t count) MUST_USE;              /* exactly count */

/* True and consumes it if the next item is null. */
bool cbor_take_null(cbor_reader *r);

/* The next whole item, checked for canonical form, as a view. */
err cbor_get_item(cbor_reader *r, const char *field, bytes *out) MUST_USE;

/* ERR_TRAILING unless everything was read. */
err cbor_end(cbor_reader *r) MUST_USE;

#endif
