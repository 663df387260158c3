/* SPDX-License-Identifier: Apache-2.0
 * Any body gives a reply that is JSON-RPC, or none; what the methods see is within the table's bounds, and writing it and reading it
 * again changes nothing. The first byte picks the caller's scope. */
#include "rpc/json.h"
#include "rpc/jsonrpc.h"
#include "rpc/live.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Same fields, same values: as JSON both look the same. */
static void check_fields(const rpc_fields *fields, const void *object)
{
    void *again = calloc(1, fields->size);
    json_t *first = rpc_fields_write(fields, object, "tb");
    buf scratch;
    buf_init(&scratch, LIMIT_RPC_BODY_BYTES);
    CHECK(again && first && buf_reserve(&scratch, LIMIT_RPC_BODY_BYTES) == OK);
    CHECK(rpc_fields_read(again, fields, first, "tb", &scratch, NULL) == OK);
    json_t *second = rpc_fields_write(fields, again, "tb");
    CHECK(second && json_equal(first, second));
    json_decref(first);
    json_decref(second);
    buf_deinit(&scratch);
    free(again);
}

static err check_args(rpc_method_id id, const rpc_call *call, const void *args, json_t **result, fault *f)
{
    CHECK(call->scope >= rpc_methods[id].scope);
    check_fields(&rpc_methods[id].params, args);
    if (*(const uint32_t *)args == 1)
        return fail(f, ERR_STALE, "fuzz", UINT64_MAX);
    *result = json_object();
    return *result ? OK : fail(f, ERR_MEMORY, "fuzz", 0);
}

#define RPC_BEGIN(ID, symbol, name, scope, returns_kind, returns, doc)                                                  \
    static err method_##symbol(void *ctx, const rpc_call *call, const void *args, json_t **result, fault *f)            \
    {                                                                                                                   \
        (void)ctx;                                                                                                      \
        return check_args(RPC_METHOD_##ID, call, args, result, f);                                                      \
    }
#define PARAM(symbol, type, name, given, max, doc)
#define RPC_END(ID, symbol)
#include "rpc.def"
#undef RPC_BEGIN
#undef PARAM
#undef RPC_END

static const rpc_dispatcher dispatcher = {
    .fn = {
#define RPC_BEGIN(ID, symbol, name, scope, result, returns, doc) [RPC_METHOD_##ID] = method_##symbol,
#define PARAM(symbol, type, name, given, max, doc)
#define RPC_END(ID, symbol)
#include "rpc.def"
#undef RPC_BEGIN
#undef PARAM
#undef RPC_END
    },
    .address_prefix = "tb", .title = "fuzz",
};

static void check_reply(const json_t *reply)
{
    const json_t *error = json_object_get(reply, "error");
    CHECK(json_is_object(reply) && json_object_get(reply, "id") && json_is_string(json_object_get(reply, "jsonrpc")));
    CHECK((error != NULL) != (json_object_get(reply, "result") != NULL));
    CHECK(!error || (json_is_integer(json_object_get(error, "code")) && json_is_object(json_object_get(error, "data"))));
}

/* The same bytes as live records. */
static void try_records(bytes text)
{
    static const rpc_fields *const records[] = { &rpc_live_worker_fields, &rpc_live_sample_fields, &rpc_live_job_fields,
                                                 &rpc_live_verification_fields };
    json_t *value;
    buf none;
    buf_init(&none, 0);
    if (rpc_json_read(&value, text, NULL) != OK)
        return;
    for (size_t i = 0; i < COUNT_OF(records); i++) {
        void *object = calloc(1, records[i]->size);
        CHECK(object);
        if (rpc_fields_read(object, records[i], value, "tb", &none, NULL) == OK)
            check_fields(records[i], object);
        free(object);
    }
    json_decref(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    bytes body = bytes_of(data + 1, size - 1);
    buf reply;
    buf_init(&reply, LIMIT_RPC_REPLY_BYTES);
    CHECK(rpc_dispatch(&dispatcher, (rpc_scope)(data[0] % 4), NULL, body, &reply, NULL) == OK);
    if (reply.len) {
        json_t *out = json_loadb((const char *)reply.data, reply.len, JSON_REJECT_DUPLICATES, NULL);
        CHECK(out && (!json_is_array(out) || (json_array_size(out) >= 1 && json_array_size(out) <= LIMIT_RPC_BATCH)));
        for (size_t i = 0; i < json_array_size(out); i++)
            check_reply(json_array_get(out, i));
        if (!json_is_array(out))
            check_reply(out);
        json_decref(out);
    }
    buf_deinit(&reply);
    try_records(body);
    return 0;
}
