/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/jsonrpc.h"

#include "rpc/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

/* (fail)(...) below: cmocka has a macro of that name. */
static unsigned calls;

static err get_account(void *ctx, const rpc_call *call, const void *args, json_t **result, fault *f)
{
    (void)ctx, (void)f;
    const rpc_args_account_get *a = args;
    calls++;
    *result = json_pack("{s:o, s:b}", "address", rpc_json_address(call->dispatcher->address_prefix, &a->address), "proof", a->proof);
    return OK;
}

static err submit(void *ctx, const rpc_call *call, const void *args, json_t **result, fault *f)
{
    (void)ctx, (void)call;
    const rpc_args_tx_submit *a = args;
    calls++;
    if (a->tx.len == 1 && a->tx.data[0] == 0xff)
        return (fail)(f, ERR_FUNDS, "sender", 7);
    if (a->tx.len == 1 && a->tx.data[0] == 0xfe)
        return (fail)(f, ERR_INTERNAL, "sender", 7);
    *result = json_pack("{s:i, s:b}", "len", (int)a->tx.len, "waited", a->given_wait_ms);
    return OK;
}

static err events(void *ctx, const rpc_call *call, const void *args, json_t **result, fault *f)
{
    (void)ctx, (void)call, (void)f;
    const rpc_args_chain_events *a = args;
    if (a->limit == 1000) { /* more than any reply holds */
        char *big = malloc(4096);
        memset(big, 'a', 4096);
        *result = json_pack("{s:s#}", "big", big, 4096);
        free(big);
        return OK;
    }
    *result = json_pack("{s:o, s:i, s:i}", "since", rpc_json_u64(a->since), "limit", (int)a->limit, "count", (int)a->count);
    return OK;
}

static rpc_dispatcher dispatcher(void)
{
    rpc_dispatcher d = { .address_prefix = "tb", .title = "test" };
    d.fn[RPC_METHOD_DISCOVER] = rpc_discover;
    d.fn[RPC_METHOD_ACCOUNT_GET] = get_account;
    d.fn[RPC_METHOD_TX_SUBMIT] = submit;
    d.fn[RPC_METHOD_CHAIN_EVENTS] = events;
    return d;
}

static const char *ask_as(rpc_scope scope, const char *body)
{
    static char text[16384];
    rpc_dispatcher d = dispatcher();
    buf reply;
    fault f;
    buf_init(&reply, sizeof text - 1);
    assert_int_equal(rpc_dispatch(&d, scope, NULL, bytes_of_str(body), &reply, &f), OK);
    if (reply.len)
        memcpy(text, reply.data, reply.len);
    text[reply.len] = 0;
    buf_deinit(&reply);
    return text;
}

static const char *ask(const char *body)
{
    return ask_as(RPC_SCOPE_SPEND, body);
}

/* The JSON-RPC code, the name in data and `what`. */
static void expect(const char *body, int code, const char *name, const char *what)
{
    const char *text = ask(body);
    json_t *reply = json_loads(text, 0, NULL);
    const json_t *error = json_object_get(reply, "error"), *data = json_object_get(error, "data");
    if (json_integer_value(json_object_get(error, "code")) != code || !json_is_object(data) ||
        strcmp(json_string_value(json_object_get(data, "name")), name) != 0 ||
        strcmp(json_string_value(json_object_get(data, "what")), what) != 0)
        fail_msg("%s\ngives %s", body, text);
    assert_true(json_is_boolean(json_object_get(data, "retryable")) && json_is_integer(json_object_get(data, "at")));
    assert_string_equal(json_string_value(json_object_get(reply, "jsonrpc")), "2.0");
    assert_non_null(json_object_get(reply, "id"));
    assert_null(json_object_get(reply, "result"));
    json_decref(reply);
}

static void good_calls(void **state)
{
    (void)state;
    assert_string_equal(ask("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"chain.events\",\"params\":{\"since\":\"18446744073709551615\",\"limit\":5}}"),
                        "{\"jsonrpc\":\"2.0\",\"result\":{\"since\":\"18446744073709551615\",\"limit\":5,\"count\":2},\"id\":1}");
    assert_string_equal(ask("{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"chain.events\",\"params\":[3]}"),
                        "{\"jsonrpc\":\"2.0\",\"result\":{\"since\":\"3\",\"limit\":0,\"count\":1},\"id\":\"x\"}");
    assert_string_equal(ask("{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"chain.events\"}"),
                        "{\"jsonrpc\":\"2.0\",\"result\":{\"since\":\"0\",\"limit\":0,\"count\":0},\"id\":null}");
    cr_address a = { CR_ADDRESS_ACCOUNT, { 1, 2, 3 } };
    char address[CR_ADDRESS_TEXT_MAX], body[512], want[512];
    cr_address_encode(address, "tb", &a);
    snprintf(body, sizeof body, "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"account.get\",\"params\":{\"address\":\"%s\",\"proof\":true}}", address);
    snprintf(want, sizeof want, "{\"jsonrpc\":\"2.0\",\"result\":{\"address\":\"%s\",\"proof\":true},\"id\":9}", address);
    assert_string_equal(ask(body), want);
    assert_string_equal(ask("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tx.submit\",\"params\":{\"tx\":\"0001ff\"}}"),
                        "{\"jsonrpc\":\"2.0\",\"result\":{\"len\":3,\"waited\":false},\"id\":1}");
}

#define CALL(method, params) "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"" method "\",\"params\":" params "}"

static void refusals(void **state)
{
    (void)state;
    expect("", RPC_PARSE_ERROR, "SYNTAX", "json");
    expect("{\"jsonrpc\":", RPC_PARSE_ERROR, "SYNTAX", "json");
    expect("{\"jsonrpc\":\"2.0\",\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\"}", RPC_PARSE_ERROR, "FIELD", "json: repeated key");
    expect(CALL("chain.events", "{\"since\":1,\"since\":2}"), RPC_PARSE_ERROR, "FIELD", "json: repeated key");
    expect(CALL("chain.events", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"), RPC_PARSE_ERROR, "LIMIT", "json: nesting");
    expect("1", RPC_INVALID_REQUEST, "TYPE", "request");
    expect("[]", RPC_INVALID_REQUEST, "FIELD", "batch: empty");
    expect("{\"id\":1,\"method\":\"x\"}", RPC_INVALID_REQUEST, "FIELD", "jsonrpc");
    expect("{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"x\"}", RPC_INVALID_REQUEST, "FIELD", "jsonrpc");
    expect("{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"x\"}", RPC_INVALID_REQUEST, "TYPE", "id");
    expect("{\"jsonrpc\":\"2.0\",\"id\":[1],\"method\":\"x\"}", RPC_INVALID_REQUEST, "TYPE", "id");
    expect("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":7}", RPC_INVALID_REQUEST, "FIELD", "method");
    expect("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":null}", RPC_INVALID_REQUEST, "TYPE", "params");
    expect("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"extra\":1}", RPC_INVALID_REQUEST, "FIELD", "request: unknown member");
    expect(CALL("no.such", "{}"), RPC_METHOD_NOT_FOUND, "NOT_FOUND", "method");
    expect(CALL("chain.block", "{\"height\":1}"), RPC_METHOD_NOT_FOUND, "NOT_FOUND", "method"); /* in the table, not offered here */
    expect(CALL("chain.events", "{\"sinse\":1}"), RPC_INVALID_PARAMS, "FIELD", "params: unknown name");
    expect(CALL("chain.events", "{\"since\":-1}"), RPC_INVALID_PARAMS, "RANGE", "since");
    expect(CALL("chain.events", "{\"since\":1.0}"), RPC_INVALID_PARAMS, "TYPE", "since");
    expect(CALL("chain.events", "{\"since\":null}"), RPC_INVALID_PARAMS, "TYPE", "since");
    expect(CALL("chain.events", "{\"since\":\"01\"}"), RPC_INVALID_PARAMS, "SYNTAX", "since");
    expect(CALL("chain.events", "{\"since\":\"18446744073709551616\"}"), RPC_INVALID_PARAMS, "RANGE", "since");
    expect(CALL("chain.events", "{\"limit\":\"5\"}"), RPC_INVALID_PARAMS, "TYPE", "limit");
    expect(CALL("chain.events", "{\"limit\":1001}"), RPC_INVALID_PARAMS, "RANGE", "limit");
    expect(CALL("chain.events", "[1,2,3,4]"), RPC_INVALID_PARAMS, "FIELD", "params: too many");
    expect(CALL("account.get", "{}"), RPC_INVALID_PARAMS, "FIELD", "address");
    expect(CALL("account.get", "[]"), RPC_INVALID_PARAMS, "FIELD", "address");
    expect(CALL("account.get", "{\"address\":\"tb1qqqq\"}"), RPC_INVALID_PARAMS, "ADDRESS", "address");
    expect(CALL("account.get", "{\"address\":5}"), RPC_INVALID_PARAMS, "TYPE", "address");
    expect(CALL("tx.submit", "{\"tx\":\"0\"}"), RPC_INVALID_PARAMS, "SYNTAX", "tx");
    expect(CALL("tx.submit", "{\"tx\":\"AB\"}"), RPC_INVALID_PARAMS, "SYNTAX", "tx");
    expect(CALL("tx.submit", "{\"tx\":\"00\",\"wait_ms\":60001}"), RPC_INVALID_PARAMS, "RANGE", "wait_ms");
    expect(CALL("tx.submit", "{\"tx\":\"ff\"}"), ERR_FUNDS, "FUNDS", "sender");
    expect(CALL("tx.submit", "{\"tx\":\"fe\"}"), RPC_INTERNAL_ERROR, "INTERNAL", "sender");
    char *big = malloc(2 * (size_t)LIMIT_TX_SLASH_BYTES + 256);
    char *end = big + sprintf(big, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tx.submit\",\"params\":[\"");
    memset(end, '0', 2 * (size_t)LIMIT_TX_SLASH_BYTES + 2);
    strcpy(end + 2 * (size_t)LIMIT_TX_SLASH_BYTES + 2, "\"]}");
    expect(big, RPC_INVALID_PARAMS, "LIMIT", "tx");
    free(big);
}

static void scopes(void **state)
{
    (void)state;
    calls = 0;
    assert_non_null(strstr(ask_as(RPC_SCOPE_READ, CALL("tx.submit", "[\"00\"]")), "\"code\":11,"));
    assert_int_equal(calls, 0);
    assert_non_null(strstr(ask_as(RPC_SCOPE_OPERATE, CALL("tx.submit", "[\"00\"]")), "\"result\""));
    assert_int_equal(calls, 1);
    assert_non_null(strstr(ask_as(RPC_SCOPE_NONE, CALL("chain.events", "[]")), "scope: read"));
}

static void batches(void **state)
{
    (void)state;
    static const char note[] = "{\"jsonrpc\":\"2.0\",\"method\":\"tx.submit\",\"params\":[\"00\"]}";
    char body[4096];
    calls = 0;
    assert_string_equal(ask(note), ""); /* done, and not answered */
    assert_int_equal(calls, 1);
    assert_string_equal(ask("{\"jsonrpc\":\"2.0\",\"method\":\"no.such\"}"), "");
    snprintf(body, sizeof body, "[%s,%s]", note, note);
    assert_string_equal(ask(body), "");
    assert_int_equal(calls, 3);
    snprintf(body, sizeof body, "[%s,1,{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"chain.events\"}]", note);
    json_t *reply = json_loads(ask(body), 0, NULL);
    assert_int_equal(json_array_size(reply), 2);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(json_array_get(reply, 0), "error"), "code")), RPC_INVALID_REQUEST);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(reply, 1), "id")), 4);
    json_decref(reply);
    for (size_t count = LIMIT_RPC_BATCH; count <= LIMIT_RPC_BATCH + 1; count++) {
        calls = 0;
        strcpy(body, "[");
        for (size_t i = 0; i < count; i++)
            strcat(strcat(body, i ? "," : ""), note);
        strcat(body, "]");
        if (count <= LIMIT_RPC_BATCH)
            assert_string_equal(ask(body), "");
        else
            expect(body, RPC_INVALID_REQUEST, "LIMIT", "batch");
        assert_int_equal(calls, count <= LIMIT_RPC_BATCH ? count : 0);
    }
}

static void long_reply(void **state)
{
    (void)state;
    rpc_dispatcher d = dispatcher();
    buf reply;
    buf_init(&reply, 1000);
    const char *body = "[" CALL("chain.events", "[]") "," CALL("chain.events", "{\"limit\":1000}") "]";
    assert_int_equal(rpc_dispatch(&d, RPC_SCOPE_READ, NULL, bytes_of_str(body), &reply, NULL), OK);
    json_t *text = json_loadb((const char *)reply.data, reply.len, 0, NULL);
    assert_non_null(json_object_get(json_array_get(text, 0), "result"));
    assert_int_equal(json_integer_value(json_object_get(json_object_get(json_array_get(text, 1), "error"), "code")), ERR_LIMIT);
    json_decref(text);
    buf_deinit(&reply);
}

static size_t allocations_left; /* 0: no end */

static void *allocate(size_t size)
{
    if (allocations_left && --allocations_left == 0) {
        allocations_left = 1; /* and all later ones */
        return NULL;
    }
    return malloc(size);
}

/* Whichever allocation of the JSON library is the last to succeed: a reply or ERR_MEMORY, nothing half done (and no leak, which the
 * sanitizer would see). */
static void no_memory(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        CALL("account.get", "{\"address\":1}"), "[" CALL("chain.events", "[1]") "," CALL("tx.submit", "{\"tx\":\"ff\"}") ",3]",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"rpc.discover\"}", "{\"jsonrpc\":\"2.0\",\"id\":1",
    };
    json_malloc_t real_malloc;
    json_free_t real_free;
    json_get_alloc_funcs(&real_malloc, &real_free);
    rpc_dispatcher d = dispatcher();
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        char *full = strdup(ask(bodies[i]));
        bool done = false;
        for (size_t n = 1; !done; n++) {
            buf reply;
            buf_init(&reply, 16384);
            allocations_left = n;
            json_set_alloc_funcs(allocate, free);
            err e = rpc_dispatch(&d, RPC_SCOPE_SPEND, NULL, bytes_of_str(bodies[i]), &reply, NULL);
            json_set_alloc_funcs(real_malloc, real_free);
            done = allocations_left > 1;
            if (e != OK)
                assert_int_equal(e, ERR_MEMORY);
            else if (reply.len == strlen(full))
                assert_memory_equal(reply.data, full, reply.len);
            assert_true(n < 5000);
            assert_true(!done || e == OK);
            buf_deinit(&reply);
        }
        free(full);
    }
}

static void openrpc(void **state)
{
    (void)state;
    json_t *reply = json_loads(ask("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"rpc.discover\"}"), JSON_REJECT_DUPLICATES, NULL);
    const json_t *document = json_object_get(reply, "result"), *methods = json_object_get(document, "methods");
    assert_string_equal(json_string_value(json_object_get(document, "openrpc")), "1.2.6");
    assert_int_equal(json_array_size(methods), 4);
    for (size_t i = 0; i < json_array_size(methods); i++) {
        const json_t *m = json_array_get(methods, i), *params = json_object_get(m, "params");
        assert_true(rpc_method_by_name(json_string_value(json_object_get(m, "name"))) != RPC_METHOD_COUNT);
        assert_true(json_is_object(json_object_get(json_object_get(m, "result"), "schema")));
        for (size_t k = 0; k < json_array_size(params); k++)
            assert_true(json_is_object(json_object_get(json_array_get(params, k), "schema")));
    }
    json_decref(reply);
}

static void table(void **state)
{
    (void)state;
    for (size_t i = 0; i < RPC_METHOD_COUNT; i++) {
        const rpc_method *m = &rpc_methods[i];
        assert_int_equal(rpc_method_by_name(m->name), i); /* names are unique */
        assert_true(m->scope >= RPC_SCOPE_READ && m->returns[0] && m->doc[0]);
        bool optional = false;
        for (size_t k = 0; k < m->params.count; k++) {
            assert_true(!optional || !m->params.field[k].required); /* else a position could not be left out */
            optional |= !m->params.field[k].required;
            assert_true(m->params.field[k].type != RPC_TYPE_TEXT || m->params.field[k].max < sizeof(rpc_text));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_calls), cmocka_unit_test(refusals), cmocka_unit_test(scopes), cmocka_unit_test(batches),
        cmocka_unit_test(long_reply), cmocka_unit_test(no_memory), cmocka_unit_test(openrpc), cmocka_unit_test(table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
