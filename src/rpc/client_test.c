/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "rpc/server_testkit.h"

#include "crypto/blake3.h"
#include "rpc/server_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static kit k;

static int start(void **state)
{
    (void)state;
    kit_start(&k, 0);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    kit_stop(&k);
    return 0;
}

static rpc_client *open_client(const char *endpoint, const char *token, uint32_t total_ms, const atomic_bool *stop_flag)
{
    rpc_client *c = NULL;
    const rpc_client_options options = { .token = token, .total_ms = total_ms, .stop = stop_flag };
    fault f;
    assert_int_equal(rpc_client_new(&c, endpoint, &options, &f), OK);
    return c;
}

static void calls(void **state)
{
    (void)state;
    const char *const endpoints[] = { k.endpoint_unix, k.endpoint_tcp };
    for (size_t i = 0; i < 2; i++) {
        rpc_client *c = open_client(endpoints[i], i ? KIT_READ : NULL, 0, NULL);
        json_t *params = json_pack("{s:i}", "limit", 7), *result = NULL;
        fault f;
        for (int again = 0; again < 3; again++) { /* over one kept connection */
            assert_int_equal(rpc_client_call(c, "chain.events", params, &result, &f), OK);
            assert_int_equal(json_integer_value(json_object_get(result, "limit")), 7);
            assert_true(json_is_true(json_object_get(result, "local")) == (i == 0));
            json_decref(result);
        }
        json_object_set_new(params, "since", json_string("404"));
        assert_int_equal(rpc_client_call(c, "chain.events", params, &result, &f), ERR_STALE);
        const rpc_remote *r = rpc_client_remote(c);
        assert_int_equal(r->status, 200);
        assert_int_equal(r->code, ERR_STALE);
        assert_string_equal(r->what, "since");
        assert_true(r->at == 404 && !r->retryable);
        assert_int_equal(rpc_client_call(c, "no.such", NULL, &result, &f), ERR_NOT_FOUND);
        assert_int_equal(rpc_client_remote(c)->code, RPC_METHOD_NOT_FOUND);
        json_object_set_new(params, "since", json_true());
        assert_int_equal(rpc_client_call(c, "chain.events", params, &result, &f), ERR_TYPE);
        assert_int_equal(rpc_client_remote(c)->code, RPC_INVALID_PARAMS);
        assert_int_equal(rpc_client_call(c, "tx.submit", NULL, &result, &f), i ? ERR_PERMISSION : ERR_FIELD);
        json_decref(params);
        rpc_client_free(c);
    }
}

static void refused_tokens(void **state)
{
    (void)state;
    json_t *result = NULL;
    fault f;
    static const char *const tokens[] = { NULL, "wrong" };
    for (size_t i = 0; i < 2; i++) {
        rpc_client *c = open_client(k.endpoint_tcp, tokens[i], 0, NULL);
        assert_int_equal(rpc_client_call(c, "chain.events", NULL, &result, &f), ERR_PERMISSION);
        assert_int_equal(rpc_client_remote(c)->status, 401);
        rpc_client_free(c);
    }
}

/* A token in clear never leaves the machine. */
static void tokens_stay_here(void **state)
{
    (void)state;
    static const struct { const char *endpoint; err want; } cases[] = {
        { "http://127.0.0.1:9", OK }, { "http://LocalHost:9", OK }, { "http://[::1]:9", OK }, { "http://localhost", OK }, { "unix:/none", OK },
        { "http://10.0.0.1:9", ERR_PERMISSION }, { "http://127.0.0.1.example:9", ERR_PERMISSION }, { "http://localhost.example", ERR_PERMISSION },
        { "http://127.0.0.2:9", ERR_PERMISSION }, { "http://example.org", ERR_PERMISSION }, { "http://0:9", ERR_PERMISSION },
    };
    const rpc_client_options options = { .token = KIT_OPERATE };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        rpc_client *c = NULL;
        fault f;
        assert_int_equal(rpc_client_new(&c, cases[i].endpoint, &options, &f), cases[i].want);
        rpc_client_free(c);
        c = NULL;
        assert_int_equal(rpc_client_new(&c, cases[i].endpoint, NULL, &f), OK);
        rpc_client_free(c);
    }
}

static void unreachable(void **state)
{
    (void)state;
    fault f;
    json_t *result = NULL;
    char endpoint[128];
    /* A port that was just given back, a path that is not there, a socket file without a process. */
    snprintf(endpoint, sizeof endpoint, "unix:%s/none", k.folder);
    rpc_client *c = open_client(endpoint, NULL, 0, NULL);
    assert_int_equal(rpc_client_call(c, "chain.events", NULL, &result, &f), ERR_UNREACHABLE);
    rpc_client_free(c);
    c = open_client("http://127.0.0.1:1", NULL, 0, NULL);
    assert_int_equal(rpc_client_call(c, "chain.events", NULL, &result, &f), ERR_UNREACHABLE);
    rpc_client_free(c);
    c = open_client(k.endpoint_unix, NULL, 0, NULL);
    assert_int_equal(rpc_client_call(c, "chain.events", NULL, &result, &f), OK);
    json_decref(result);
    kit_stop(&k); /* the kept connection dies with the server */
    assert_int_equal(rpc_client_call(c, "chain.events", NULL, &result, &f), ERR_UNREACHABLE);
    rpc_client_free(c);
    kit_start(&k, 0);
    static const char *const bad[] = { "", "unix:", "unix:relative", "https://localhost:1", "http://", "http://a/b", "http://u@h:1", "localhost:80" };
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(rpc_client_new(&c, bad[i], NULL, &f), ERR_SYNTAX);
}

static void *set_soon(void *flag)
{
    usleep(200000);
    atomic_store((atomic_bool *)flag, true);
    return NULL;
}

static void timeouts(void **state)
{
    (void)state;
    fault f;
    buf reply;
    buf_init(&reply, 1000);
    rpc_client *c = open_client(k.endpoint_unix, NULL, 300, NULL);
    assert_int_equal(rpc_client_get(c, "/wait?ms=5000", &reply, 100, &f), ERR_TIMEOUT);
    assert_int_equal(rpc_client_get(c, "/wait?ms=20", &reply, 100, &f), OK);
    assert_true(bytes_equal(buf_bytes(&reply), bytes_of_str("waited")));
    rpc_client_free(c);

    atomic_bool flag = false;
    pthread_t thread;
    c = open_client(k.endpoint_unix, NULL, 0, &flag);
    assert_int_equal(pthread_create(&thread, NULL, set_soon, &flag), 0);
    assert_int_equal(rpc_client_get(c, "/wait?ms=5000", &reply, 100, &f), ERR_INTERRUPTED);
    pthread_join(thread, NULL);
    rpc_client_free(c);
    c = open_client("http://127.0.0.1:1", NULL, 0, &flag); /* it is set already, and nobody listens */
    assert_int_equal(rpc_client_get(c, "/health", &reply, 100, &f), ERR_INTERRUPTED);
    rpc_client_free(c);
    buf_deinit(&reply);
}

typedef struct stream {
    cr_blake3 hash;
    uint64_t  left, taken;
    uint64_t  refuse_at;
} stream;

static err give(void *ctx, uint8_t *out, size_t *len)
{
    stream *s = ctx;
    if (*len > s->left)
        *len = (size_t)s->left;
    for (size_t i = 0; i < *len; i++)
        out[i] = (uint8_t)((s->left - i) * 37);
    s->left -= *len;
    cr_blake3_update(&s->hash, bytes_of(out, *len));
    return OK;
}

static err take(void *ctx, bytes piece)
{
    stream *s = ctx;
    s->taken += piece.len;
    return s->refuse_at && s->taken > s->refuse_at ? ERR_DISK_FULL : OK;
}

static void bodies(void **state)
{
    (void)state;
    const char *const endpoints[] = { k.endpoint_unix, k.endpoint_tcp };
    for (size_t i = 0; i < 2; i++) {
        rpc_client *c = open_client(endpoints[i], NULL, 20000, NULL);
        fault f;
        unsigned status;
        buf reply;
        buf_init(&reply, 1000);
        stream s = { .left = 3500000 };
        cr_blake3_init(&s.hash);
        rpc_http q = { .method = "PUT", .path = "/stream/x", .source = give, .source_ctx = &s, .source_len = 3500000, .reply = &reply, .reply_max = 200 };
        assert_int_equal(rpc_client_http(c, &q, &status, &f), OK);
        char hex[65], want[128];
        hash256 h = cr_blake3_final(&s.hash);
        base_hex_encode(hex, h.b, 32);
        snprintf(want, sizeof want, "3500000 %s", hex);
        assert_true(bytes_equal(buf_bytes(&reply), bytes_of_str(want)));

        buf_clear(&reply);
        assert_int_equal(rpc_client_put(c, "/blob/abc?part=9", bytes_of_str("hello"), &reply, 200, &f), OK);
        assert_non_null(memmem(reply.data, reply.len, "abc 9", 5));

        /* Refused in the middle, and refused before. */
        buf_clear(&reply);
        q.path = "/stream/refuse", q.source_len = s.left = 3500000;
        assert_int_equal(rpc_client_http(c, &q, &status, &f), ERR_STALE);
        assert_int_equal(status, 409);
        q.path = "/stream/x", q.source_len = s.left = KIT_BLOB_MAX + 1;
        assert_int_equal(rpc_client_http(c, &q, &status, &f), ERR_LIMIT);
        assert_int_equal(status, 413);
        assert_true(reply.len == 0);

        /* Replies: too long for the caller, streamed, refused by the caller's sink. */
        assert_int_equal(rpc_client_get(c, "/zeros/900", &reply, 900, &f), OK);
        assert_true(reply.len == 900);
        assert_int_equal(rpc_client_get(c, "/zeros/901", &reply, 900, &f), ERR_LIMIT);
        assert_true(reply.len == 900);
        s = (stream){ 0 };
        q = (rpc_http){ .method = "GET", .path = "/zeros/3000000", .sink = take, .sink_ctx = &s, .reply_max = 3000000 };
        assert_int_equal(rpc_client_http(c, &q, NULL, &f), OK);
        assert_true(s.taken == 3000000);
        s = (stream){ .refuse_at = 100000 };
        assert_int_equal(rpc_client_http(c, &q, NULL, &f), ERR_DISK_FULL);
        assert_int_equal(rpc_client_get(c, "/nothing", &reply, 900, &f), ERR_NOT_FOUND);
        assert_string_equal(rpc_client_remote(c)->what, "path");
        rpc_client_free(c);
        buf_deinit(&reply);
    }
}

/* A server that says what it likes. */
static void *serve_once(void *ctx)
{
    const char *text = ((const char **)ctx)[0];
    int listener = (int)(intptr_t)((void **)ctx)[1];
    int fd = accept(listener, NULL, NULL);
    char request[4096];
    if (recv(fd, request, sizeof request, 0) > 0)
        send(fd, text, strlen(text), MSG_NOSIGNAL);
    shutdown(fd, SHUT_WR);
    while (recv(fd, request, sizeof request, 0) > 0)
        ;
    close(fd);
    return NULL;
}

static void hostile_servers(void **state)
{
    (void)state;
    static const struct { const char *text; err e; } cases[] = {
        { "", ERR_TIMEOUT },                                      /* hung up after the request: it may have been done */
        { "HTTP/1.1 200 OK\r\n\r\nnot json", ERR_SYNTAX },
        { "HTTP/1.1 200 OK\r\n\r\n{}", ERR_FIELD },
        { "HTTP/1.1 200 OK\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":99,\"result\":{}}", ERR_FIELD },
        { "HTTP/1.1 200 OK\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{}}", ERR_INTERNAL },
        { "HTTP/1.1 200 OK\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"data\":{\"code\":103,\"what\":\"\\u001b[2J\"}}}", ERR_FUNDS },
        { "HTTP/1.1 200 OK\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"data\":{\"code\":0}}}", ERR_INTERNAL },
        { "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", ERR_USAGE },
        { "HTTP/1.1 500 Oops\r\n\r\n<html>", ERR_INTERNAL },
        { "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", ERR_TIMEOUT },
        { "SSH-2.0-OpenSSH\r\n", ERR_IO },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int listener = -1;
        uint16_t port = 0;
        fault f;
        pthread_t thread;
        char endpoint[64];
        assert_int_equal(rpc_listen_loopback(&listener, &port, &f), OK);
        const void *ctx[2] = { cases[i].text, (void *)(intptr_t)listener };
        assert_int_equal(pthread_create(&thread, NULL, serve_once, ctx), 0);
        snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%u", (unsigned)port);
        rpc_client *c = open_client(endpoint, NULL, 2000, NULL);
        json_t *result = NULL;
        err e = rpc_client_call(c, "chain.events", NULL, &result, &f);
        if (e != cases[i].e)
            fail_msg("%s gives %d (%s)", cases[i].text, (int)e, f.what);
        assert_null(strchr(rpc_client_remote(c)->what, 0x1b));
        rpc_client_free(c);
        pthread_join(thread, NULL);
        close(listener);
    }
}

/* Answers the first request of a connection, hangs up on the second; counts all. */
static atomic_int requests_seen;

/* Reads a whole request: head, and for a PUT one byte of body. */
static bool read_request(int fd)
{
    char text[4096];
    size_t len = 0;
    for (const char *end = NULL; !end || (text[0] == 'P' && end + 4 == text + len); end = memmem(text, len, "\r\n\r\n", 4)) {
        ssize_t n = recv(fd, text + len, sizeof text - len, 0);
        if (n <= 0)
            return false;
        len += (size_t)n;
    }
    return true;
}

static void *serve_and_drop(void *ctx)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    int listener = *(int *)ctx;
    for (int fd; (fd = accept(listener, NULL, NULL)) >= 0; close(fd)) {
        for (int i = 0; i < 2 && read_request(fd); i++) {
            requests_seen++;
            if (i == 0)
                send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL);
        }
    }
    return NULL;
}

/* A request that may have been carried out is not sent again behind the caller's back; one that only reads may be. */
static void kept_connection_breaks(void **state)
{
    (void)state;
    int listener = -1;
    uint16_t port = 0;
    fault f;
    pthread_t thread;
    char endpoint[64];
    buf reply;
    buf_init(&reply, 100);
    assert_int_equal(rpc_listen_loopback(&listener, &port, &f), OK);
    assert_int_equal(pthread_create(&thread, NULL, serve_and_drop, &listener), 0);
    snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%u", (unsigned)port);
    rpc_client *c = open_client(endpoint, NULL, 3000, NULL);
    assert_int_equal(rpc_client_put(c, "/a", bytes_of_str("1"), &reply, 10, &f), OK);
    assert_int_equal(rpc_client_put(c, "/a", bytes_of_str("2"), &reply, 10, &f), ERR_TIMEOUT);
    assert_int_equal(requests_seen, 2);
    assert_int_equal(rpc_client_get(c, "/a", &reply, 10, &f), OK);
    assert_int_equal(rpc_client_get(c, "/a", &reply, 10, &f), OK);
    assert_int_equal(requests_seen, 5);
    rpc_client_free(c);
    shutdown(listener, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(listener);
    buf_deinit(&reply);
}

static void *ask_long(void *ctx)
{
    rpc_client *c = ctx;
    fault f;
    return (void *)(intptr_t)rpc_client_get(c, "/wait", NULL, 100, &f);
}

static void stopping(void **state)
{
    (void)state;
    pthread_t thread;
    void *e;
    rpc_client *c = open_client(k.endpoint_unix, NULL, 0, NULL);
    unsigned before = k.waiting;
    assert_int_equal(pthread_create(&thread, NULL, ask_long, c), 0);
    while (k.waiting == before)
        usleep(1000);
    uint64_t begin = rpc_clock_ms();
    kit_stop(&k); /* a request under way does not hold it up */
    assert_true(rpc_clock_ms() - begin < 2000);
    pthread_join(thread, &e);
    rpc_client_free(c);
    kit_start(&k, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls), cmocka_unit_test(refused_tokens), cmocka_unit_test(tokens_stay_here), cmocka_unit_test(unreachable), cmocka_unit_test(timeouts),
        cmocka_unit_test(bodies), cmocka_unit_test(hostile_servers), cmocka_unit_test(kept_connection_breaks), cmocka_unit_test(stopping),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
