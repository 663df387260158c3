/* SPDX-License-Identifier: Apache-2.0
 *
 * Records and rows of the ledger as JSON, from their descriptors. */
#include "rpc/node_int.h"

err rpc_no_memory(json_t *partial, fault *f)
{
    json_decref(partial);
    return fail(f, ERR_MEMORY, "result", 0);
}

bool rpc_put(json_t *object, const char *name, json_t *value)
{
    return json_object_set_new_nocheck(object, name, value) == 0;
}

static json_t *field_json(const chain_field *field, const uint8_t *at, const char *prefix)
{
    switch (field->type) {
    case CHAIN_TYPE_U8: return json_integer(*at);
    case CHAIN_TYPE_U32: return json_integer(*(const uint32_t *)(const void *)at);
    case CHAIN_TYPE_U64: return rpc_json_u64(*(const uint64_t *)(const void *)at);
    case CHAIN_TYPE_I64: return rpc_json_i64(*(const int64_t *)(const void *)at);
    case CHAIN_TYPE_HASH: case CHAIN_TYPE_KEY: return rpc_json_hex(bytes_of(at, 32));
    case CHAIN_TYPE_SIGNATURE: return rpc_json_hex(bytes_of(at, 64));
    case CHAIN_TYPE_ADDRESS: return rpc_json_address(prefix, (const cr_address *)(const void *)at);
    case CHAIN_TYPE_NAME: return json_string_nocheck(((const chain_name *)(const void *)at)->text);
    case CHAIN_TYPE_BLOB: case CHAIN_TYPE_ITEMS: return rpc_json_hex(*(const bytes *)(const void *)at);
    }
    return NULL;
}

json_t *rpc_record_json(const chain_record *r, const void *object, const char *prefix)
{
    json_t *out = json_object();
    for (size_t i = 0; out && i < r->count; i++) {
        const chain_field *field = &r->fields[i];
        if (!rpc_put(out, field->name, field_json(field, (const uint8_t *)object + field->offset, prefix))) {
            json_decref(out);
            out = NULL;
        }
    }
    return out;
}

static const char *word(const char *const *words, size_t count, uint64_t value)
{
    return value < count ? words[value] : NULL;
}

const char *rpc_job_status_name(uint64_t status)
{
    static const char *const words[] = { NULL, "open", "complete", "refunded" };
    return word(words, COUNT_OF(words), status);
}

const char *rpc_level_name(uint64_t level)
{
    static const char *const words[] = { NULL, "refereed", "linear", "full" };
    return word(words, COUNT_OF(words), level);
}

const char *rpc_audit_status_name(uint64_t status)
{
    static const char *const words[] = { NULL, "open", "valid", "false", "closed" };
    return word(words, COUNT_OF(words), status);
}

const char *rpc_proposal_status_name(uint64_t status)
{
    static const char *const words[] = { NULL, "open", "timelocked", "activated", "rejected", "failed", "rolled back", "in force", "expired" };
    return word(words, COUNT_OF(words), status);
}

static const char *status_name(chain_table table, uint64_t status)
{
    static const char *const bid[] = { "open", "accepted" };
    static const char *const worker[] = { "active", "leaving", "left" };
    static const char *const lease[] = { NULL, "committed", "paid", "spoiled" };
    switch (table) {
    case CHAIN_TABLE_JOB: return rpc_job_status_name(status);
    case CHAIN_TABLE_BID: return word(bid, COUNT_OF(bid), status);
    case CHAIN_TABLE_WORKER: return word(worker, COUNT_OF(worker), status);
    case CHAIN_TABLE_LEASE: return word(lease, COUNT_OF(lease), status);
    case CHAIN_TABLE_AUDIT: return rpc_audit_status_name(status);
    case CHAIN_TABLE_PROPOSAL: return rpc_proposal_status_name(status);
    default: return NULL;
    }
}

static json_t *backends_json(uint64_t mask)
{
    static const struct { chain_backend bit; const char *name; } backends[] = {
        { CHAIN_BACKEND_CPU, "cpu" }, { CHAIN_BACKEND_CUDA, "cuda" }, { CHAIN_BACKEND_VULKAN, "vulkan" }, { CHAIN_BACKEND_METAL, "metal" },
    };
    json_t *out = json_array();
    for (size_t i = 0; out && i < COUNT_OF(backends); i++) {
        if ((mask & backends[i].bit) && json_array_append_new(out, json_string_nocheck(backends[i].name)) != 0) {
            json_decref(out);
            out = NULL;
        }
    }
    return out;
}

/* Replaces number `name` by the word that it stands for, if there is one. */
static bool put_word(json_t *object, const char *name, const char *text)
{
    return !text || rpc_put(object, name, json_string_nocheck(text));
}

json_t *rpc_row_json(chain_table table, const void *row, const char *prefix)
{
    json_t *out = rpc_record_json(chain_table_describe(table)->record, row, prefix);
    bool good = out != NULL;
    static const char *const masks[] = { "supported_backends", "required_backends" };
    for (size_t i = 0; good && i < COUNT_OF(masks); i++) {
        const json_t *mask = json_object_get(out, masks[i]);
        good = !mask || rpc_put(out, masks[i], backends_json((uint64_t)json_integer_value(mask)));
    }
    if (good && json_object_get(out, "status"))
        good = put_word(out, "status", status_name(table, (uint64_t)json_integer_value(json_object_get(out, "status"))));
    if (good && json_object_get(out, "level_min"))
        good = put_word(out, "level_min", rpc_level_name((uint64_t)json_integer_value(json_object_get(out, "level_min"))));
    if (good)
        return out;
    json_decref(out);
    return NULL;
}

err rpc_cursor_read(size_t *out, const rpc_text *cursor, bool given, fault *f)
{
    uint64_t at = 0;
    if (given && rpc_decimal_u64(&at, cursor->s) != OK)
        return fail(f, ERR_SYNTAX, "cursor", 0);
    *out = (size_t)at;
    return OK;
}

json_t *rpc_cursor_json(size_t next, bool more)
{
    return more ? rpc_json_u64(next) : json_null();
}
