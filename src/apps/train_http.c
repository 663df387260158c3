/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/train_http.h"

#include <stdio.h>
#include <stdlib.h>

struct tb_train_server {
    tr_coordinator *coordinator;
    rpc_server     *server;
};

enum {
    BODY_SLACK = 65536,        /* CBOR around one part */
    REQUEST_MS = 20000,        /* for a part of a gradient to arrive */
    CALL_MS = 20000,
    RATE_PER_S = 20000,
};

static err handle(void *ctx, const rpc_request *r, rpc_reply *reply, fault *f)
{
    tb_train_server *s = ctx;
    tr_request request = { .method = r->method, .path = r->path, .auth = rpc_request_query(r, "auth"), .body = r->body };
    reply->content_type = "application/cbor";
    return tr_coordinator_serve(s->coordinator, &request, &reply->body, f);
}

err tb_train_server_start(tb_train_server **out, tr_coordinator *coordinator, const char *socket, uint16_t port, fault *f)
{
    tb_train_server *s = calloc(1, sizeof *s);
    if (!s)
        return fail(f, ERR_MEMORY, "train server", 0);
    s->coordinator = coordinator;
    static const char *const methods[] = { "GET", "PUT", "POST" };
    rpc_route routes[COUNT_OF(methods)];
    for (size_t i = 0; i < COUNT_OF(methods); i++)
        routes[i] = (rpc_route){ .method = methods[i], .path = TR_PATH_PREFIX, .scope = RPC_SCOPE_NONE, .body_max = LIMIT_TRAIN_PART_BYTES + BODY_SLACK,
                                 .body_ms = REQUEST_MS, .handle = handle, .ctx = s };
    rpc_server_config config = { .socket_path = socket, .tcp = true, .port = port, .routes = routes, .route_count = COUNT_OF(routes),
                                 .request_ms = REQUEST_MS, .idle_ms = 2 * (uint32_t)LIMIT_TRAIN_WAIT_MS, .rate_per_s = RATE_PER_S,
                                 .connections_max = (uint32_t)LIMIT_TRAIN_WORKERS };
    err e = rpc_server_start(&s->server, &config, f);
    if (e != OK) {
        free(s);
        return e;
    }
    *out = s;
    return OK;
}

void tb_train_server_stop(tb_train_server *s)
{
    if (!s)
        return;
    rpc_server_stop(s->server);
    free(s);
}

uint16_t tb_train_server_port(const tb_train_server *s)
{
    return rpc_server_port(s->server);
}

static err call(void *ctx, const tr_request *request, uint32_t wait_ms, uint64_t reply_max, buf *reply, fault *f)
{
    char path[TR_URL_MAX + TR_AUTH_BYTES + 16];
    int n = request->auth ? snprintf(path, sizeof path, "%s?auth=%s", request->path, request->auth) : snprintf(path, sizeof path, "%s", request->path);
    if (n < 0 || (size_t)n >= sizeof path)
        return fail(f, ERR_LIMIT, "path", (uint64_t)n);
    rpc_http http = { .method = request->method, .path = path, .content_type = "application/cbor", .body = request->body, .reply_max = reply_max,
                      .reply = reply, .total_ms = CALL_MS + wait_ms };
    return rpc_client_http(ctx, &http, NULL, f);
}

tr_transport tb_train_transport(rpc_client *client)
{
    return (tr_transport){ .ctx = client, .call = call };
}
