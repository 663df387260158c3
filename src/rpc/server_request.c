/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "rpc/server_int.h"

#include "rpc/error.h"
#include "rpc/json.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

/* A refused body of up to this many bytes is read and dropped, so that the client gets to see the refusal instead of a reset
 * connection; a longer one is refused at once. */
enum { DRAIN_MAX = 1 << 20 };

typedef struct request {
    rpc_request       face;
    rpc_server       *server;
    rpc_listener     *listener;
    rpc_conn         *conn;
    struct MHD_Connection *connection;
    const rpc_route  *route;
    rpc_credential    credential;
    err               refused; /* OK while it is good */
    fault             fault;
    bool              replied;
    uint64_t          received;
    buf               body;
} request;

const char *rpc_request_query(const rpc_request *r, const char *name)
{
    const request *q = r->handle;
    return MHD_lookup_connection_value(q->connection, MHD_GET_ARGUMENT_KIND, name);
}

const char *rpc_request_header(const rpc_request *r, const char *name)
{
    const request *q = r->handle;
    return MHD_lookup_connection_value(q->connection, MHD_HEADER_KIND, name);
}

bool rpc_request_stopping(const rpc_request *r)
{
    const request *q = r->handle;
    return rpc_server_stopping(q->server);
}

err rpc_request_charge(const rpc_request *r, uint32_t n)
{
    const request *q = r->handle;
    return rpc_rate_take(q->server, q->credential, n) ? OK : ERR_BUSY;
}

/* --- who asks ----------------------------------------------------------------------------------------------------------- */

typedef struct headers {
    const char *host, *origin, *authorization, *site, *length;
    bool        repeated;
} headers;

static enum MHD_Result collect_header(void *ctx, enum MHD_ValueKind kind, const char *key, const char *value)
{
    (void)kind;
    headers *h = ctx;
    const struct { const char *name; const char **slot; } known[] = {
        { "Host", &h->host }, { "Origin", &h->origin }, { "Authorization", &h->authorization },
        { "Sec-Fetch-Site", &h->site }, { "Content-Length", &h->length },
    };
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (strcasecmp(key, known[i].name) != 0)
            continue;
        h->repeated |= *known[i].slot != NULL;
        *known[i].slot = value ? value : "";
    }
    return MHD_YES;
}

/* "127.0.0.1:PORT" or "localhost:PORT"; over the Unix socket, where no browser can come from, the bare name. A page whose name
 * was made to resolve to 127.0.0.1 still sends its own name here. */
static bool is_own_host(const rpc_listener *listener, const char *host)
{
    static const char *const names[] = { "127.0.0.1", "localhost" };
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        char with_port[32];
        snprintf(with_port, sizeof with_port, "%s:%u", names[i], (unsigned)listener->server->port);
        if (listener->local ? strcasecmp(host, names[i]) == 0 : strcasecmp(host, with_port) == 0)
            return true;
    }
    return false;
}

static err check_origin(const rpc_listener *listener, const headers *h, fault *f)
{
    if (h->repeated)
        return fail(f, ERR_FIELD, "header: repeated", 0);
    if (!h->host || !is_own_host(listener, h->host))
        return fail(f, ERR_PERMISSION, "header: Host", 0);
    if (h->origin && (strncasecmp(h->origin, "http://", 7) != 0 || listener->local || !is_own_host(listener, h->origin + 7)))
        return fail(f, ERR_PERMISSION, "header: Origin", 0);
    if (h->site && strcasecmp(h->site, "same-origin") != 0 && strcasecmp(h->site, "none") != 0)
        return fail(f, ERR_PERMISSION, "header: Sec-Fetch-Site", 0);
    return OK;
}

static err authorize(request *q, const headers *h)
{
    rpc_server *s = q->server;
    if (q->listener->local) {
        q->face.scope = RPC_SCOPE_SPEND;
        q->credential = RPC_CRED_LOCAL;
        return OK;
    }
    q->credential = RPC_CRED_NONE;
    if (!h->authorization)
        return OK;
    if (strncasecmp(h->authorization, "Bearer ", 7) == 0 && strlen(h->authorization) - 7 <= LIMIT_RPC_TOKEN_BYTES)
        q->face.scope = rpc_token_scope(s->tokens, s->config.token_count, h->authorization + 7);
    if (q->face.scope == RPC_SCOPE_NONE) {
        q->credential = RPC_CRED_FAILED;
        return fail(&q->fault, ERR_PERMISSION, "header: Authorization", 0);
    }
    q->credential = RPC_CRED_TOKEN + (rpc_credential)(q->face.scope - RPC_SCOPE_READ);
    return OK;
}

/* --- where it goes ------------------------------------------------------------------------------------------------------ */

static err serve_health(void *ctx, const rpc_request *r, rpc_reply *reply, fault *f)
{
    (void)ctx, (void)r, (void)f;
    return buf_put_str(&reply->body, "{\"status\":\"ok\"}");
}

static err serve_metrics(void *ctx, const rpc_request *r, rpc_reply *reply, fault *f)
{
    (void)ctx, (void)f;
    const request *q = r->handle;
    reply->content_type = "text/plain; version=0.0.4";
    TRY(rpc_metrics_write(&q->server->own, &reply->body));
    return q->server->config.metrics ? rpc_metrics_write(q->server->config.metrics, &reply->body) : OK;
}

static const rpc_route built_in[] = {
    { .method = "GET", .path = "/health", .scope = RPC_SCOPE_NONE, .handle = serve_health },
    { .method = "GET", .path = "/metrics", .scope = RPC_SCOPE_READ, .handle = serve_metrics },
};

static bool is_built_in(const rpc_route *route)
{
    return route >= built_in && route < built_in + COUNT_OF(built_in);
}

/* Length of the route's path if it matches, else 0. */
static size_t match(const rpc_route *route, const char *path)
{
    size_t len = strlen(route->path);
    bool prefix = route->path[len - 1] == '/';
    return (prefix ? strncmp(path, route->path, len) : strcmp(path, route->path)) == 0 ? len : 0;
}

static err find_route(request *q)
{
    size_t best = 0;
    bool path_known = false;
    const rpc_server *s = q->server;
    if (strlen(q->face.path) > LIMIT_RPC_PATH_BYTES)
        return fail(&q->fault, ERR_LIMIT, "path", LIMIT_RPC_PATH_BYTES);
    for (size_t i = 0; i < s->route_count + COUNT_OF(built_in); i++) {
        const rpc_route *route = i < s->route_count ? &s->routes[i] : &built_in[i - s->route_count];
        size_t len = match(route, q->face.path);
        path_known |= len > 0;
        if (len > best && strcmp(route->method, q->face.method) == 0) {
            best = len;
            q->route = route;
        }
    }
    if (best == 0)
        return path_known ? fail(&q->fault, ERR_UNSUPPORTED, "method", 0) : fail(&q->fault, ERR_NOT_FOUND, "path", 0);
    q->face.rest = q->face.path + best;
    return OK;
}

/* --- life of a request -------------------------------------------------------------------------------------------------- */

static err admit(request *q, const headers *h)
{
    TRY(check_origin(q->listener, h, &q->fault));
    err e = authorize(q, h);
    if (!rpc_rate_take(q->server, q->credential, 1))
        return fail(&q->fault, ERR_BUSY, "rate", 0);
    TRY(e);
    TRY(find_route(q));
    if (q->face.scope < q->route->scope)
        return fail(&q->fault, ERR_PERMISSION, q->face.scope == RPC_SCOPE_NONE ? "header: Authorization" : "scope of the token", 0);
    if (h->length && (rpc_decimal_u64(&q->face.body_declared, h->length) != OK))
        return fail(&q->fault, ERR_SYNTAX, "header: Content-Length", 0);
    if (q->face.body_declared != UINT64_MAX && q->face.body_declared > q->route->body_max)
        return fail(&q->fault, ERR_LIMIT, "body", q->route->body_max);
    return OK;
}

static request *request_begin(rpc_listener *listener, struct MHD_Connection *connection, const char *url, const char *method)
{
    rpc_server *s = listener->server;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    request *q = info && info->socket_context ? calloc(1, sizeof *q) : NULL;
    if (!q)
        return NULL;
    *q = (request){ .server = s, .listener = listener, .conn = info->socket_context, .connection = connection };
    q->face = (rpc_request){ .method = method, .path = url, .rest = "", .local = listener->local, .body_declared = UINT64_MAX, .handle = q };
    rpc_count(&s->metrics[listener->local ? RPC_M_REQUESTS_UNIX : RPC_M_REQUESTS_TCP], 1);
    headers h = { 0 };
    MHD_get_connection_values(connection, MHD_HEADER_KIND, collect_header, &h);
    q->refused = admit(q, &h);
    if (q->refused != OK)
        rpc_count(&s->metrics[RPC_M_REFUSED], 1);
    buf_init(&q->body, q->route ? (size_t)q->route->body_max : 0);
    if (q->refused == OK) {
        atomic_store(&q->conn->busy, true);
        if (q->face.scope > RPC_SCOPE_NONE || !is_built_in(q->route))
            atomic_store(&q->conn->known, true);
    }
    uint32_t body_ms = q->refused == OK && q->route->body_ms ? q->route->body_ms : s->config.request_ms;
    atomic_store(&q->conn->deadline_ms, rpc_clock_ms() + body_ms);
    return q;
}

static void take_chunk(request *q, bytes chunk)
{
    q->received += chunk.len;
    rpc_count(&q->server->metrics[RPC_M_BYTES_IN], chunk.len);
    if (q->refused != OK)
        return;
    if (q->received > q->route->body_max)
        q->refused = fail(&q->fault, ERR_LIMIT, "body", q->route->body_max);
    else if (q->route->chunk)
        q->refused = q->route->chunk(q->route->ctx, &q->face, chunk, &q->fault);
    else if ((q->refused = buf_put(&q->body, chunk.data, chunk.len)) != OK)
        q->refused = fail(&q->fault, q->refused, "body", q->received);
    if (q->refused != OK && q->fault.code != q->refused)
        q->fault = (fault){ q->refused, "body", q->received };
}

static struct MHD_Response *make_response(rpc_reply *reply)
{
    struct MHD_Response *response;
    if (reply->file >= 0) {
        response = MHD_create_response_from_fd_at_offset64(reply->file_len, reply->file, reply->file_at);
        if (!response)
            close(reply->file);
        buf_deinit(&reply->body);
    } else {
        response = MHD_create_response_from_buffer(reply->body.len, reply->body.data, MHD_RESPMEM_MUST_FREE);
        if (!response)
            buf_deinit(&reply->body);
    }
    if (!response)
        return NULL;
    char seconds[16];
    snprintf(seconds, sizeof seconds, "%u", reply->retry_after_s);
    bool good = MHD_add_response_header(response, "X-Content-Type-Options", "nosniff") &&
                MHD_add_response_header(response, "Cache-Control", "no-store") &&
                (reply->status == 204 || MHD_add_response_header(response, "Content-Type", reply->content_type)) &&
                (reply->status != 401 || MHD_add_response_header(response, "WWW-Authenticate", "Bearer")) &&
                (!reply->retry_after_s || MHD_add_response_header(response, "Retry-After", seconds));
    if (good)
        return response;
    MHD_destroy_response(response);
    return NULL;
}

/* The handler, or the refusal, and the reply. */
static enum MHD_Result answer(request *q)
{
    rpc_reply reply = { .status = 200, .content_type = "application/json", .file = -1 };
    buf_init(&reply.body, LIMIT_HTTP_BODY_BYTES);
    err e = q->refused;
    if (e == OK) {
        q->face.body = buf_bytes(&q->body);
        atomic_store(&q->conn->deadline_ms, 0);
        e = q->route->handle(q->route->ctx, &q->face, &reply, &q->fault);
        if (e != OK)
            rpc_count(&q->server->metrics[RPC_M_FAILED], 1);
    }
    if (e != OK) {
        if (q->fault.code != e)
            q->fault = (fault){ e, "request", 0 };
        rpc_reply_error(&reply, &q->fault);
        if (reply.status == 403 && q->face.scope == RPC_SCOPE_NONE && strcmp(q->fault.what, "header: Authorization") == 0)
            reply.status = 401;
    }
    q->replied = true;
    atomic_store(&q->conn->deadline_ms, rpc_clock_ms() + q->server->config.request_ms +
                 (reply.file >= 0 ? reply.file_len : reply.body.len) / 1024); /* a reply may flow at 1 MB/s */
    struct MHD_Response *response = make_response(&reply);
    if (!response)
        return MHD_NO;
    enum MHD_Result sent = MHD_queue_response(q->connection, reply.status, response);
    MHD_destroy_response(response);
    return sent;
}

/* On a kept connection the time for the headers begins with the request's line; it never ends later than it would have. */
void *rpc_on_line(void *ctx, const char *uri, struct MHD_Connection *connection)
{
    (void)uri;
    const rpc_listener *listener = ctx;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    rpc_conn *conn = info ? info->socket_context : NULL;
    uint64_t until = rpc_clock_ms() + listener->server->config.request_ms;
    if (conn && atomic_load(&conn->deadline_ms) > until)
        atomic_store(&conn->deadline_ms, until);
    return NULL; /* the request's state: none yet */
}

enum MHD_Result rpc_on_request(void *ctx, struct MHD_Connection *connection, const char *url, const char *method,
                               const char *version, const char *upload, size_t *upload_size, void **state)
{
    (void)version;
    request *q = *state;
    if (!q) {
        q = *state = request_begin(ctx, connection, url, method);
        if (!q)
            return MHD_NO;
        bool drainable = q->face.body_declared == UINT64_MAX || q->face.body_declared <= DRAIN_MAX;
        return q->refused != OK && !drainable ? answer(q) : MHD_YES;
    }
    if (q->replied)
        return MHD_YES;
    if (*upload_size > 0) {
        take_chunk(q, bytes_of(upload, *upload_size));
        *upload_size = 0;
        /* Nobody may make us read for ever: past the drain the connection is cut. */
        return q->refused != OK && q->received > q->body.max + DRAIN_MAX ? MHD_NO : MHD_YES;
    }
    return answer(q);
}

void rpc_on_completed(void *ctx, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode why)
{
    (void)ctx, (void)connection, (void)why;
    request *q = *state;
    if (!q)
        return;
    if (q->face.state && q->route && q->route->end)
        q->route->end(q->route->ctx, &q->face);
    if (q->conn) {
        atomic_store(&q->conn->idle_from_ms, rpc_clock_ms());
        atomic_store(&q->conn->busy, false);
        atomic_store(&q->conn->deadline_ms, rpc_clock_ms() + q->server->config.idle_ms);
    }
    buf_deinit(&q->body);
    free(q);
    *state = NULL;
}
