/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/jsonrpc.h"

#include "rpc/error.h"
#include "rpc/json.h"

#include <strings.h>

typedef struct context {
    const rpc_dispatcher *d;
    rpc_call              call;
    size_t                body_len;
} context;

/* New reply object for a failure; takes over nothing. `id` may be NULL. */
static json_t *error_reply(int64_t code, const fault *f, const json_t *id)
{
    json_t *data = rpc_error_json(f);
    const char *message = code == RPC_PARSE_ERROR ? "parse error"
                        : code == RPC_INVALID_REQUEST ? "invalid request"
                        : code == RPC_METHOD_NOT_FOUND ? "method not found"
                        : code == RPC_INVALID_PARAMS ? "invalid params" : err_describe(f->code)->text;
    return json_pack("{s:s, s:{s:I, s:s, s:o}, s:O?}", "jsonrpc", "2.0", "error", "code", (json_int_t)code, "message", message,
                     "data", data, "id", id ? id : json_null());
}

static int64_t code_of(err e)
{
    return e == ERR_INTERNAL || e == ERR_MEMORY ? RPC_INTERNAL_ERROR : (int64_t)e;
}

static err check_envelope(const json_t *call, fault *f)
{
    if (!json_is_object(call))
        return fail(f, ERR_TYPE, "request", 0);
    const char *version = json_string_value(json_object_get(call, "jsonrpc"));
    if (!version || strcmp(version, "2.0") != 0)
        return fail(f, ERR_FIELD, "jsonrpc", 0);
    const json_t *id = json_object_get(call, "id");
    if (id && !json_is_string(id) && !json_is_integer(id) && !json_is_null(id))
        return fail(f, ERR_TYPE, "id", 0);
    if (id && json_is_string(id) && json_string_length(id) > LIMIT_NAME_BYTES)
        return fail(f, ERR_LIMIT, "id", LIMIT_NAME_BYTES);
    const json_t *method = json_object_get(call, "method");
    if (!json_is_string(method))
        return fail(f, ERR_FIELD, "method", 0);
    const json_t *params = json_object_get(call, "params");
    if (params && !json_is_object(params) && !json_is_array(params))
        return fail(f, ERR_TYPE, "params", 0);
    if (json_object_size(call) != 2u + (id != NULL) + (params != NULL))
        return fail(f, ERR_FIELD, "request: unknown member", 0);
    return OK;
}

/* Finds the method, reads the parameters, runs it. *code is the JSON-RPC code of a failure. */
static err run(const context *c, const json_t *call, json_t **result, int64_t *code, fault *f)
{
    rpc_method_id id = rpc_method_by_name(json_string_value(json_object_get(call, "method")));
    if (id == RPC_METHOD_COUNT || !c->d->fn[id]) {
        *code = RPC_METHOD_NOT_FOUND;
        return fail(f, ERR_NOT_FOUND, "method", 0);
    }
    const rpc_method *m = &rpc_methods[id];
    if (c->call.scope < m->scope) {
        *code = ERR_PERMISSION;
        return fail(f, ERR_PERMISSION, m->scope == RPC_SCOPE_SPEND ? "scope: spend" : m->scope == RPC_SCOPE_OPERATE ? "scope: operate"
                                                                                                                 : "scope: read", 0);
    }
    union {
#define RPC_BEGIN(ID, symbol, name, scope, result, returns, doc) rpc_args_##symbol symbol;
#define PARAM(symbol, type, name, given, max, doc)
#define RPC_END(ID, symbol)
#include "rpc.def"
#undef RPC_BEGIN
#undef PARAM
#undef RPC_END
    } args;
    buf scratch;
    buf_init(&scratch, c->body_len);
    err e = buf_reserve(&scratch, c->body_len);
    if (e != OK)
        e = fail(f, e, "params", 0);
    else
        e = rpc_fields_read(&args, &m->params, json_object_get(call, "params"), c->d->address_prefix, &scratch, f);
    *code = e == ERR_MEMORY ? RPC_INTERNAL_ERROR : RPC_INVALID_PARAMS;
    if (e == OK) {
        *result = NULL;
        *f = (fault){ 0 };
        e = c->d->fn[id](c->d->ctx, &c->call, &args, result, f);
        if (e == OK && !*result)
            e = fail(f, ERR_MEMORY, "result", 0);
        else if (e != OK && f->code != e)
            *f = (fault){ e, m->name, 0 };
        *code = code_of(e);
    }
    buf_deinit(&scratch);
    return e;
}

/* New reply, or NULL for a notification; *e for lack of memory. */
static json_t *answer_one(const context *c, const json_t *call, err *e)
{
    fault f = { 0 };
    int64_t code = RPC_INVALID_REQUEST;
    json_t *result = NULL, *reply;
    const json_t *id = json_is_object(call) ? json_object_get(call, "id") : NULL;
    if (check_envelope(call, &f) != OK) {
        bool usable = id && (json_is_integer(id) || (json_is_string(id) && json_string_length(id) <= LIMIT_NAME_BYTES));
        reply = error_reply(code, &f, usable ? id : NULL);
    } else if (run(c, call, &result, &code, &f) != OK) {
        reply = id ? error_reply(code, &f, id) : NULL;
        json_decref(result);
        if (!id)
            return NULL;
    } else if (!id) {
        json_decref(result);
        return NULL;
    } else {
        reply = json_pack("{s:s, s:o, s:O}", "jsonrpc", "2.0", "result", result, "id", id);
    }
    if (!reply)
        *e = ERR_MEMORY;
    return reply;
}

/* Writes a reply; one that does not fit becomes an error, so that a batch's other replies survive. */
static err put_reply(buf *out, json_t *reply)
{
    err e = rpc_json_write(out, reply);
    if (e == ERR_LIMIT) {
        const fault f = { ERR_LIMIT, "reply", out->max };
        json_t *shorter = error_reply(ERR_LIMIT, &f, json_object_get(reply, "id"));
        e = shorter ? rpc_json_write(out, shorter) : ERR_MEMORY;
        json_decref(shorter);
    }
    json_decref(reply);
    return e;
}

static err answer_refusal(buf *reply, int64_t code, const fault *f)
{
    json_t *refusal = error_reply(code, f, NULL);
    return refusal ? put_reply(reply, refusal) : ERR_MEMORY;
}

static err answer_batch(const context *c, const json_t *batch, buf *reply, fault *f)
{
    fault why;
    size_t count = json_array_size(batch), start = reply->len;
    err e = OK;
    if (count == 0) {
        why = (fault){ ERR_FIELD, "batch: empty", 0 };
        return answer_refusal(reply, RPC_INVALID_REQUEST, &why);
    }
    if (count > LIMIT_RPC_BATCH) {
        why = (fault){ ERR_LIMIT, "batch", LIMIT_RPC_BATCH };
        return answer_refusal(reply, RPC_INVALID_REQUEST, &why);
    }
    if (c->call.request && rpc_request_charge(c->call.request, (uint32_t)count - 1) != OK)
        return fail(f, ERR_BUSY, "rate", 0);
    for (size_t i = 0; i < count && e == OK; i++) {
        json_t *one = answer_one(c, json_array_get(batch, i), &e);
        if (!one)
            continue;
        e = buf_put_str(reply, reply->len == start ? "[" : ",");
        if (e == OK)
            e = put_reply(reply, one);
        else
            json_decref(one);
    }
    if (e == OK && reply->len > start)
        e = buf_put_str(reply, "]");
    return e;
}

err rpc_dispatch(const rpc_dispatcher *d, rpc_scope scope, const rpc_request *request, bytes body, buf *reply, fault *f)
{
    const context c = { d, { d, scope, request }, body.len };
    fault why = { 0 };
    json_t *text = NULL;
    err e = rpc_json_read(&text, body, &why);
    if (e == ERR_MEMORY)
        return fail(f, e, "json", 0);
    if (e != OK) {
        e = answer_refusal(reply, RPC_PARSE_ERROR, &why);
    } else if (json_is_array(text)) {
        e = answer_batch(&c, text, reply, f);
    } else {
        json_t *one = answer_one(&c, text, &e);
        if (one)
            e = put_reply(reply, one);
    }
    json_decref(text);
    return e == OK || e == ERR_BUSY ? e : fail(f, e, "reply", 0);
}

err rpc_serve_jsonrpc(void *ctx, const rpc_request *r, rpc_reply *reply, fault *f)
{
    static const char json_type[] = "application/json";
    const rpc_dispatcher *d = ctx;
    const char *type = rpc_request_header(r, "Content-Type");
    size_t len = sizeof json_type - 1;
    /* A web page cannot send this type elsewhere without asking first, and nobody here answers that question. */
    if (!type || strncasecmp(type, json_type, len) != 0 || (type[len] && type[len] != ';' && type[len] != ' '))
        return fail(f, ERR_UNSUPPORTED, "header: Content-Type", 0);
    reply->body.max = LIMIT_RPC_REPLY_BYTES;
    TRY(rpc_dispatch(d, r->scope, r, r->body, &reply->body, f));
    if (reply->body.len == 0)
        reply->status = 204;
    return OK;
}

rpc_route rpc_jsonrpc_route(const rpc_dispatcher *d)
{
    return (rpc_route){
        .method = "POST", .path = "/rpc", .scope = RPC_SCOPE_READ, .body_max = LIMIT_RPC_BODY_BYTES,
        .handle = rpc_serve_jsonrpc, .ctx = (void *)(uintptr_t)d,
    };
}
