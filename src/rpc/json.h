/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON from outside, read strictly: UTF-8, one value and nothing behind it, no repeated key, no NUL, bounded nesting and
 * number of values (counted before anything is allocated). Amounts, heights and other 64-bit numbers travel as decimal
 * strings, hashes and bytes as lower-case hex. */
#ifndef RPC_JSON_H
#define RPC_JSON_H

#include "base/buf.h"
#include "base/limits.h"

#include <jansson.h>

/* *out is the caller's (json_decref). ERR_SYNTAX (fault.at: byte offset), ERR_LIMIT (depth or count), ERR_FIELD (repeated key),
 * ERR_MEMORY. */
err rpc_json_read(json_t **out, bytes text, fault *f) MUST_USE;

/* Appends the compact text of `value`; ERR_LIMIT if the buffer's bound is reached: then `out` is as before. */
err rpc_json_write(buf *out, const json_t *value) MUST_USE;

/* New values, NULL when there is no memory, as json_object_set_new takes them. */
json_t *rpc_json_u64(uint64_t v); /* "123" */
json_t *rpc_json_i64(int64_t v);  /* "-123" */
json_t *rpc_json_hex(bytes v);    /* "00ff" */
json_t *rpc_json_text(bytes utf8);

/* A canonical decimal u64: no sign, no leading zero, no blank. ERR_SYNTAX, ERR_RANGE. */
err rpc_decimal_u64(uint64_t *out, const char *text) MUST_USE;

#endif
