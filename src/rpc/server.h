/* SPDX-License-Identifier: Apache-2.0
 *
 * The HTTP server of every process of ours: node (JSON-RPC, metrics) and training coordinator (models, gradients). It listens
 * on a Unix socket (mode 0600 in a folder of mode 0700: whoever can open it has every scope) and on loopback TCP
 * (127.0.0.1 only: bearer token). One thread per connection, so a handler may block.
 *
 * Before a handler runs: Host and Origin are ours (against DNS rebinding and foreign web pages; no CORS headers are ever
 * sent), the token's scope is enough, the rate is kept, the body is within the route's bound. A request that does not arrive
 * in time is cut off by a watchdog, however slowly it drips. Each transport has its own bound on connections; one too many takes the
 * place of the one that does nothing for longest, those that showed no token first. Refusals carry {"error": {code, name, message, retryable, what, at}}. */
#ifndef RPC_SERVER_H
#define RPC_SERVER_H

#include "base/buf.h"
#include "base/limits.h"
#include "rpc/metrics.h"
#include "rpc/token.h"

typedef struct rpc_server rpc_server;

typedef struct rpc_request {
    const char *method;
    const char *path;
    const char *rest;   /* of the path, behind a prefix route's own part */
    rpc_scope   scope;  /* granted to this request */
    bool        local;  /* came over the Unix socket */
    bytes       body;   /* whole; empty on a streaming route */
    uint64_t    body_declared; /* Content-Length, UINT64_MAX if none was sent */
    void       *state;  /* the streaming route's own, NULL at first */
    void       *handle; /* the server's */
} rpc_request;

/* NULL if absent. Valid while the request lives. */
const char *rpc_request_query(const rpc_request *r, const char *name);
const char *rpc_request_header(const rpc_request *r, const char *name);

/* What a handler fills in. It starts as 200, application/json, empty; 204 means no body. */
typedef struct rpc_reply {
    unsigned    status;
    const char *content_type; /* static */
    buf         body;         /* bound: HTTP_BODY_BYTES */
    int         file;         /* >= 0: the body is bytes [file_at, file_at + file_len) of this descriptor, which the server closes */
    uint64_t    file_at, file_len;
    unsigned    retry_after_s; /* 0: no Retry-After header */
} rpc_reply;

/* An error becomes the reply that rpc_reply_error makes of it. */
typedef err rpc_handler(void *ctx, const rpc_request *r, rpc_reply *reply, fault *f);

/* One piece of a streamed body, in order, each at most RPC_HEADER_BYTES long. The first error ends it: the rest is dropped, the
 * error is the reply, `handle` is not called. */
typedef err rpc_chunk_handler(void *ctx, rpc_request *r, bytes chunk, fault *f);

/* Called once if `state` is set, when the request is over however it ended: frees it. */
typedef void rpc_end_handler(void *ctx, rpc_request *r);

typedef struct rpc_route {
    const char        *method;   /* "PUT" */
    const char        *path;     /* "/v1/gradient/": a prefix if it ends in '/', else exact; the longest match wins */
    rpc_scope          scope;    /* least scope; NONE: no token (the handler checks signatures itself) */
    uint64_t           body_max; /* at most HTTP_BODY_BYTES */
    uint32_t           body_ms;  /* time for the body to arrive; 0: the server's request_ms */
    rpc_handler       *handle;
    rpc_chunk_handler *chunk;    /* NULL: the body is collected */
    rpc_end_handler   *end;      /* with chunk */
    void              *ctx;
} rpc_route;

typedef struct rpc_server_config {
    const char           *socket_path;  /* NULL: no Unix socket. Its folder is made if absent, with mode 0700 */
    bool                  tcp;
    uint16_t              port;         /* 0: the system picks one */
    const rpc_token_hash *tokens;       /* copied */
    size_t                token_count;
    const rpc_route      *routes;       /* copied; the strings and contexts must outlive the server */
    size_t                route_count;
    rpc_metrics          *metrics;      /* may be NULL; printed behind the server's own */
    uint32_t              request_ms;   /* for headers, for the body, and for taking the reply; 0: 5000 */
    uint32_t              idle_ms;      /* for a kept connection from an answer to the next request's line; 0: 30000 */
    uint32_t              rate_per_s;   /* requests per second and credential; 0: 2000; a batch counts each call */
    uint32_t              rate_burst;   /* 0: twice the rate */
    uint32_t              connections_max; /* per transport; 0: 64; at most RPC_CONNECTIONS */
} rpc_server_config;

/* Starts the threads. ERR_BUSY if another process serves the socket path or the port; ERR_PERMISSION if the socket's folder is
 * open to others; ERR_LIMIT, ERR_USAGE for a bad configuration. GET /health (no token) and
 * GET /metrics (scope read) are built in. */
err rpc_server_start(rpc_server **out, const rpc_server_config *config, fault *f) MUST_USE;

/* Stops listening, waits for the handlers, removes the socket file. NULL is fine. */
void rpc_server_stop(rpc_server *s);

uint16_t rpc_server_port(const rpc_server *s); /* 0 without TCP */

/* Handlers that wait look at this at least every 100 ms. */
bool rpc_server_stopping(const rpc_server *s);
bool rpc_request_stopping(const rpc_request *r);

/* Takes `n` more requests from the credential's bucket (calls of a batch): ERR_BUSY if the rate is exceeded. */
err rpc_request_charge(const rpc_request *r, uint32_t n) MUST_USE;

/* Replaces the reply's body by an error document and sets the fitting status. */
void rpc_reply_error(rpc_reply *reply, const fault *f);

/* The status for an error. */
unsigned rpc_http_status(err e);

/* Milliseconds of a clock that only goes forward. */
uint64_t rpc_clock_ms(void);

#endif
