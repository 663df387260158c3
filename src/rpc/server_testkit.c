/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "rpc/server_testkit.h"

#include "crypto/blake3.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static err echo_events(void *ctx, const rpc_call *call, const void *args, json_t **result, fault *f)
{
    (void)ctx, (void)call;
    const rpc_args_chain_events *a = args;
    if (a->since == 404)
        return fail(f, ERR_STALE, "since", 404);
    *result = json_pack("{s:i, s:b}", "limit", (int)a->limit, "local", (int)call->request->local);
    return OK;
}

static err submit(void *ctx, const rpc_call *call, const void *args, json_t **result, fault *f)
{
    (void)ctx, (void)call, (void)args, (void)f;
    *result = json_object();
    return OK;
}

static rpc_dispatcher dispatcher = {
    .fn = { [RPC_METHOD_DISCOVER] = rpc_discover, [RPC_METHOD_CHAIN_EVENTS] = echo_events, [RPC_METHOD_TX_SUBMIT] = submit },
    .address_prefix = "tb", .title = "kit",
};

/* Answers with length and hash of the body, and what the URL said. */
static err put_blob(void *ctx, const rpc_request *r, rpc_reply *reply, fault *f)
{
    (void)ctx, (void)f;
    char hex[65];
    hash256 h = cr_blake3_hash(r->body);
    base_hex_encode(hex, h.b, 32);
    const char *part = rpc_request_query(r, "part");
    return buf_printf(&reply->body, "%zu %s %s %s", r->body.len, hex, r->rest, part ? part : "-");
}

typedef struct stream {
    cr_blake3 hash;
    uint64_t  len;
} stream;

static err stream_chunk(void *ctx, rpc_request *r, bytes chunk, fault *f)
{
    kit *k = ctx;
    stream *s = r->state;
    if (!s) {
        s = r->state = malloc(sizeof *s);
        cr_blake3_init(&s->hash);
        s->len = 0;
        k->streams_begun++;
    }
    CHECK(chunk.len <= LIMIT_RPC_HEADER_BYTES);
    if (strcmp(r->rest, "refuse") == 0 && s->len > 100000)
        return fail(f, ERR_STALE, "stream", s->len);
    cr_blake3_update(&s->hash, chunk);
    s->len += chunk.len;
    return OK;
}

static err stream_done(void *ctx, const rpc_request *r, rpc_reply *reply, fault *f)
{
    (void)ctx, (void)f;
    stream *s = r->state;
    char hex[65];
    hash256 h = s ? cr_blake3_final(&s->hash) : cr_blake3_hash((bytes){ 0 });
    base_hex_encode(hex, h.b, 32);
    return buf_printf(&reply->body, "%llu %s", s ? (unsigned long long)s->len : 0ull, hex);
}

static void stream_end(void *ctx, rpc_request *r)
{
    kit *k = ctx;
    k->streams_ended++;
    free(r->state);
}

static err wait_long(void *ctx, const rpc_request *r, rpc_reply *reply, fault *f)
{
    (void)f;
    kit *k = ctx;
    const char *ms = rpc_request_query(r, "ms");
    uint64_t until = rpc_clock_ms() + (ms ? strtoull(ms, NULL, 10) : 60000);
    k->waiting++;
    while (rpc_clock_ms() < until && !rpc_request_stopping(r))
        usleep(10000);
    return buf_put_str(&reply->body, "waited");
}

static err give_file(void *ctx, const rpc_request *r, rpc_reply *reply, fault *f)
{
    (void)ctx, (void)r;
    reply->file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (reply->file < 0)
        return fail(f, ERR_IO, "file", 0);
    reply->file_at = 1;
    reply->file_len = 3;
    reply->content_type = "application/octet-stream";
    return OK;
}

static err give_zeros(void *ctx, const rpc_request *r, rpc_reply *reply, fault *f)
{
    (void)ctx, (void)f;
    size_t len = (size_t)strtoull(r->rest, NULL, 10);
    TRY(buf_reserve(&reply->body, len));
    memset(reply->body.data, 0, len);
    reply->body.len = len;
    return OK;
}

void kit_start(kit *k, uint32_t rate)
{
    *k = (kit){ .folder = "/tmp/tb-rpc-XXXXXX", .metric = { .name = "tb_kit", .help = "a metric", .kind = RPC_GAUGE } };
    CHECK(mkdtemp(k->folder));
    snprintf(k->socket_path, sizeof k->socket_path, "%s/run/rpc.sock", k->folder);
    snprintf(k->endpoint_unix, sizeof k->endpoint_unix, "unix:%s", k->socket_path);
    rpc_metrics_add(&k->metrics, &k->metric, 1);
    rpc_gauge_set(&k->metric, 42);
    const rpc_route routes[] = {
        rpc_jsonrpc_route(&dispatcher),
        { .method = "PUT", .path = "/blob/", .body_max = KIT_BLOB_MAX, .handle = put_blob },
        { .method = "PUT", .path = "/stream/", .body_max = KIT_BLOB_MAX, .body_ms = 20000, .handle = stream_done, .chunk = stream_chunk,
          .end = stream_end, .ctx = k },
        { .method = "GET", .path = "/wait", .handle = wait_long, .ctx = k },
        { .method = "GET", .path = "/file", .handle = give_file },
        { .method = "GET", .path = "/zeros/", .handle = give_zeros },
    };
    const rpc_token_hash tokens[] = { rpc_token_hash_of(KIT_READ, RPC_SCOPE_READ), rpc_token_hash_of(KIT_OPERATE, RPC_SCOPE_OPERATE) };
    const rpc_server_config config = {
        .socket_path = k->socket_path, .tcp = true, .tokens = tokens, .token_count = 2, .routes = routes, .route_count = COUNT_OF(routes),
        .metrics = &k->metrics, .request_ms = KIT_REQUEST_MS, .idle_ms = KIT_IDLE_MS, .rate_per_s = rate, .rate_burst = rate,
    };
    fault f = { 0 };
    if (rpc_server_start(&k->server, &config, &f) != OK) {
        fprintf(stderr, "server: %d %s %llu\n", (int)f.code, f.what, (unsigned long long)f.at);
        abort();
    }
    snprintf(k->endpoint_tcp, sizeof k->endpoint_tcp, "http://127.0.0.1:%u", (unsigned)rpc_server_port(k->server));
}

void kit_stop(kit *k)
{
    char run[64];
    rpc_server_stop(k->server);
    snprintf(run, sizeof run, "%s/run", k->folder);
    CHECK(access(k->socket_path, F_OK) != 0);
    rmdir(run);
    CHECK(rmdir(k->folder) == 0);
}

int kit_connect(const kit *k, bool local)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    in.sin_port = htons(rpc_server_port(k->server));
    snprintf(un.sun_path, sizeof un.sun_path, "%s", k->socket_path);
    int fd = socket(local ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    CHECK(connect(fd, local ? (struct sockaddr *)&un : (struct sockaddr *)&in, local ? sizeof un : sizeof in) == 0);
    return fd;
}

const char *kit_raw(kit *k, bool local, const char *request, unsigned wait_ms, bool *closed)
{
    static char text[65536];
    size_t len = 0;
    int fd = kit_connect(k, local);
    *closed = false;
    for (size_t at = 0, end = strlen(request); at < end;) {
        ssize_t n = send(fd, request + at, end - at, MSG_NOSIGNAL);
        if (n <= 0)
            break;
        at += (size_t)n;
    }
    struct pollfd p = { .fd = fd, .events = POLLIN };
    while (len < sizeof text - 1 && poll(&p, 1, (int)wait_ms) > 0) {
        ssize_t n = recv(fd, text + len, sizeof text - 1 - len, 0);
        if (n <= 0) {
            *closed = true;
            break;
        }
        len += (size_t)n;
    }
    text[len] = 0;
    close(fd);
    return text;
}
