/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* The parser below recurses and allocates per value, so both are bounded on the raw text first. Only strings need care: a
 * bracket or comma inside one counts for nothing. Malformed text is left for the parser to refuse. */
static err scan(bytes text, fault *f)
{
    uint64_t depth = 0, values = 1;
    bool in_string = false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
            continue;
        }
        if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > LIMIT_JSON_DEPTH)
                return fail(f, ERR_LIMIT, "json: nesting", i);
            values++;
        } else if (c == ']' || c == '}') {
            depth -= depth > 0;
        } else if (c == ',') {
            values++;
        }
        if (values > LIMIT_JSON_VALUES)
            return fail(f, ERR_LIMIT, "json: number of values", i);
    }
    return OK;
}

err rpc_json_read(json_t **out, bytes text, fault *f)
{
    TRY(scan(text, f));
    json_error_t error = { 0 };
    json_t *value = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (value) {
        *out = value;
        return OK;
    }
    if (!error.text[0]) /* the parser says nothing only where an allocation failed */
        return fail(f, ERR_MEMORY, "json", 0);
    uint64_t at = error.position < 0 ? 0 : (uint64_t)error.position;
    switch (json_error_code(&error)) {
    case json_error_out_of_memory: return fail(f, ERR_MEMORY, "json", at);
    case json_error_duplicate_key: return fail(f, ERR_FIELD, "json: repeated key", at);
    case json_error_numeric_overflow: return fail(f, ERR_RANGE, "json: number", at);
    default: return fail(f, ERR_SYNTAX, "json", at);
    }
}

static int dump_into(const char *data, size_t len, void *ctx)
{
    return buf_put(ctx, data, len) == OK ? 0 : -1;
}

err rpc_json_write(buf *out, const json_t *value)
{
    size_t start = out->len;
    if (json_dump_callback(value, dump_into, out, JSON_COMPACT | JSON_ENCODE_ANY) == 0)
        return OK;
    out->len = start;
    return ERR_LIMIT;
}

json_t *rpc_json_u64(uint64_t v)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, v);
    return json_string_nocheck(text);
}

json_t *rpc_json_i64(int64_t v)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, v);
    return json_string_nocheck(text);
}

json_t *rpc_json_hex(bytes v)
{
    char *text = malloc(2 * v.len + 1);
    if (!text)
        return NULL;
    base_hex_encode(text, v.data, v.len);
    json_t *out = json_stringn_nocheck(text, 2 * v.len);
    free(text);
    return out;
}

json_t *rpc_json_text(bytes utf8)
{
    return json_stringn((const char *)utf8.data, utf8.len);
}

err rpc_decimal_u64(uint64_t *out, const char *text)
{
    uint64_t v = 0;
    if (!*text || (text[0] == '0' && text[1]))
        return ERR_SYNTAX;
    for (const char *p = text; *p; p++) {
        if (*p < '0' || *p > '9')
            return ERR_SYNTAX;
        uint64_t digit = (uint64_t)(*p - '0');
        if (v > (UINT64_MAX - digit) / 10)
            return ERR_RANGE;
        v = v * 10 + digit;
    }
    *out = v;
    return OK;
}
