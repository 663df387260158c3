/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/fields.h"

#include "rpc/json.h"

static err read_u64(uint64_t *out, const json_t *v)
{
    if (json_is_string(v))
        return rpc_decimal_u64(out, json_string_value(v));
    if (!json_is_integer(v))
        return ERR_TYPE;
    json_int_t n = json_integer_value(v);
    if (n < 0)
        return ERR_RANGE;
    *out = (uint64_t)n;
    return OK;
}

static err read_i64(int64_t *out, const json_t *v)
{
    if (json_is_integer(v)) {
        *out = json_integer_value(v);
        return OK;
    }
    if (!json_is_string(v))
        return ERR_TYPE;
    const char *text = json_string_value(v);
    bool negative = *text == '-';
    uint64_t magnitude;
    TRY(rpc_decimal_u64(&magnitude, text + negative));
    if (magnitude > (uint64_t)INT64_MAX + negative || (negative && magnitude == 0))
        return ERR_RANGE;
    *out = negative ? (int64_t)(~magnitude + 1) : (int64_t)magnitude;
    return OK;
}

static err read_text(rpc_text *out, const json_t *v, size_t max)
{
    if (!json_is_string(v))
        return ERR_TYPE;
    const char *text = json_string_value(v);
    size_t len = json_string_length(v);
    if (len > max || len >= sizeof out->s)
        return ERR_LIMIT;
    for (size_t i = 0; i < len; i++) {
        if ((uint8_t)text[i] < 0x20 || text[i] == 0x7f)
            return ERR_SYNTAX;
    }
    memcpy(out->s, text, len + 1);
    return OK;
}

static err read_bytes(bytes *out, const json_t *v, size_t max, buf *scratch)
{
    if (!json_is_string(v))
        return ERR_TYPE;
    size_t digits = json_string_length(v);
    if (digits % 2)
        return ERR_SYNTAX;
    if (digits / 2 > max)
        return ERR_LIMIT;
    /* Room was reserved for all of them, so nothing handed out before moves. */
    if (digits / 2 > scratch->cap - scratch->len)
        return ERR_LIMIT;
    *out = bytes_of(scratch->data + scratch->len, digits / 2);
    TRY(base_hex_decode(scratch->data + scratch->len, digits / 2, json_string_value(v)));
    scratch->len += digits / 2;
    return OK;
}

static err read_value(void *to, const rpc_field *field, const json_t *v, const char *prefix, buf *scratch)
{
    uint64_t n;
    switch (field->type) {
    case RPC_TYPE_BOOL:
        if (!json_is_boolean(v))
            return ERR_TYPE;
        *(bool *)to = json_is_true(v);
        return OK;
    case RPC_TYPE_U32:
        if (!json_is_integer(v))
            return ERR_TYPE;
        TRY(read_u64(&n, v));
        if (n > field->max || n > UINT32_MAX)
            return ERR_RANGE;
        *(uint32_t *)to = (uint32_t)n;
        return OK;
    case RPC_TYPE_U64:
        TRY(read_u64(&n, v));
        if (n > field->max)
            return ERR_RANGE;
        *(uint64_t *)to = n;
        return OK;
    case RPC_TYPE_I64: return read_i64(to, v);
    case RPC_TYPE_HASH:
        if (!json_is_string(v))
            return ERR_TYPE;
        return base_hex_decode(((hash256 *)to)->b, 32, json_string_value(v));
    case RPC_TYPE_ADDRESS:
        return json_is_string(v) ? cr_address_decode(to, prefix, json_string_value(v), NULL) : ERR_TYPE;
    case RPC_TYPE_TEXT: return read_text(to, v, (size_t)field->max);
    case RPC_TYPE_BYTES: return read_bytes(to, v, (size_t)field->max, scratch);
    case RPC_TYPE_OBJECT:
        if (!json_is_object(v))
            return ERR_TYPE;
        *(const json_t **)to = v;
        return OK;
    }
    return ERR_INTERNAL;
}

err rpc_fields_read(void *out, const rpc_fields *fields, const json_t *from, const char *address_prefix, buf *scratch, fault *f)
{
    uint8_t *object = out;
    size_t given = 0;
    memset(object, 0, fields->size);
    if (from && !json_is_object(from) && !json_is_array(from))
        return fail(f, ERR_TYPE, "params", 0);
    if (from && json_is_array(from) && json_array_size(from) > fields->count)
        return fail(f, ERR_FIELD, "params: too many", fields->count);
    for (size_t i = 0; i < fields->count; i++) {
        const rpc_field *field = &fields->field[i];
        const json_t *v = !from ? NULL : json_is_array(from) ? json_array_get(from, i) : json_object_get(from, field->name);
        if (!v) {
            if (field->required)
                return fail(f, ERR_FIELD, field->name, i);
            continue;
        }
        err e = read_value(object + field->offset, field, v, address_prefix, scratch);
        if (e != OK)
            return fail(f, e, field->name, i);
        *(bool *)(object + field->given_offset) = true;
        given++;
    }
    if (from && json_is_object(from) && json_object_size(from) > given)
        return fail(f, ERR_FIELD, "params: unknown name", given);
    *(uint32_t *)(void *)object = (uint32_t)given;
    return OK;
}

json_t *rpc_json_address(const char *prefix, const cr_address *address)
{
    char text[CR_ADDRESS_TEXT_MAX];
    cr_address_encode(text, prefix, address);
    return json_string_nocheck(text);
}

static json_t *write_value(const rpc_field *field, const void *from, const char *prefix)
{
    switch (field->type) {
    case RPC_TYPE_BOOL: return json_boolean(*(const bool *)from);
    case RPC_TYPE_U32: return json_integer(*(const uint32_t *)from);
    case RPC_TYPE_U64: return rpc_json_u64(*(const uint64_t *)from);
    case RPC_TYPE_I64: return rpc_json_i64(*(const int64_t *)from);
    case RPC_TYPE_HASH: return rpc_json_hex(bytes_of(from, 32));
    case RPC_TYPE_ADDRESS: return rpc_json_address(prefix, from);
    case RPC_TYPE_TEXT: return json_string(((const rpc_text *)from)->s);
    case RPC_TYPE_BYTES: return rpc_json_hex(*(const bytes *)from);
    case RPC_TYPE_OBJECT: return json_deep_copy(*(const json_t *const *)from);
    }
    return NULL;
}

json_t *rpc_fields_write(const rpc_fields *fields, const void *from, const char *address_prefix)
{
    const uint8_t *object = from;
    json_t *out = json_object();
    for (size_t i = 0; out && i < fields->count; i++) {
        const rpc_field *field = &fields->field[i];
        if (!*(const bool *)(object + field->given_offset))
            continue;
        if (json_object_set_new_nocheck(out, field->name, write_value(field, object + field->offset, address_prefix)) != 0) {
            json_decref(out);
            out = NULL;
        }
    }
    return out;
}

const char *rpc_type_name(rpc_type type)
{
    static const char *const names[] = {
        [RPC_TYPE_BOOL] = "boolean", [RPC_TYPE_U32] = "integer", [RPC_TYPE_U64] = "decimal string",
        [RPC_TYPE_I64] = "signed decimal string", [RPC_TYPE_HASH] = "hash", [RPC_TYPE_ADDRESS] = "address", [RPC_TYPE_TEXT] = "text",
        [RPC_TYPE_BYTES] = "hex", [RPC_TYPE_OBJECT] = "object",
    };
    return names[type];
}

json_t *rpc_type_schema(rpc_type type, uint64_t max)
{
    json_int_t bound = max > INT64_MAX / 2 ? INT64_MAX / 2 : (json_int_t)max;
    switch (type) {
    case RPC_TYPE_BOOL: return json_pack("{s:s}", "type", "boolean");
    case RPC_TYPE_U32: return json_pack("{s:s, s:i, s:I}", "type", "integer", "minimum", 0, "maximum", bound);
    case RPC_TYPE_U64: return json_pack("{s:s, s:s}", "type", "string", "pattern", "^(0|[1-9][0-9]{0,19})$");
    case RPC_TYPE_I64: return json_pack("{s:s, s:s}", "type", "string", "pattern", "^(0|-?[1-9][0-9]{0,18})$");
    case RPC_TYPE_HASH: return json_pack("{s:s, s:s}", "type", "string", "pattern", "^[0-9a-f]{64}$");
    case RPC_TYPE_ADDRESS: return json_pack("{s:s, s:s}", "type", "string", "pattern", "^[a-z]{1,8}1[a-z0-9]+$");
    case RPC_TYPE_TEXT: return json_pack("{s:s, s:I}", "type", "string", "maxLength", bound);
    case RPC_TYPE_BYTES: return json_pack("{s:s, s:s, s:I}", "type", "string", "pattern", "^([0-9a-f]{2})*$", "maxLength", 2 * bound);
    case RPC_TYPE_OBJECT: return json_pack("{s:s}", "type", "object");
    }
    return NULL;
}
