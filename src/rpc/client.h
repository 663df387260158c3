/* SPDX-License-Identifier: Apache-2.0
 *
 * The HTTP client: JSON-RPC calls, and plain requests with bounded bodies for the training network. Outbound only: a Unix
 * socket, or http, with a bearer token to this machine only; no proxy, no redirect, no compression. One client per thread.
 *
 * What went wrong tells what may be done: ERR_UNREACHABLE, nothing was sent or an answer was refused for lack of a listener: try
 * again; ERR_TIMEOUT, the request may have been carried out: ask before repeating what is not idempotent; any other code is the
 * server's own verdict, and rpc_client_remote has its words. */
#ifndef RPC_CLIENT_H
#define RPC_CLIENT_H

#include "base/buf.h"
#include "base/limits.h"

#include <jansson.h>
#include <stdatomic.h>

typedef struct rpc_client rpc_client;

typedef struct rpc_client_options {
    const char        *token;      /* NULL: none. Copied, and wiped by rpc_client_free */
    uint32_t           connect_ms; /* 0: 2000 */
    uint32_t           total_ms;   /* for a whole request; 0: 10000. Calls that wait add the time that they ask for */
    const atomic_bool *stop;       /* NULL: none; true ends a request under way, and every later one, with ERR_INTERRUPTED */
} rpc_client_options;

/* `endpoint`: "unix:/path/to/socket" or "http://host:port" (no path). `options` may be NULL. Owned by the caller. ERR_SYNTAX,
 * ERR_LIMIT, ERR_MEMORY; ERR_PERMISSION: a token in clear for another machine. */
err  rpc_client_new(rpc_client **out, const char *endpoint, const rpc_client_options *options, fault *f) MUST_USE;
void rpc_client_free(rpc_client *c);

/* The server's words on the newest failure. */
typedef struct rpc_remote {
    int      status;        /* HTTP status; 0: there was no answer */
    int64_t  code;          /* JSON-RPC error code; 0 if it was not one */
    err      error;
    bool     retryable;
    char     message[128];
    char     what[128];     /* which input, "" if none was named */
    uint64_t at;
} rpc_remote;
const rpc_remote *rpc_client_remote(const rpc_client *c);

/* Calls `method` with `params` (an object or array, borrowed; NULL: none). *result is the caller's. The error of a failed call is
 * that of its data.code. The fault's `what` says whether transport or server refused. */
err rpc_client_call(rpc_client *c, const char *method, const json_t *params, json_t **result, fault *f) MUST_USE;
/* The same with `extra_ms` more time, for methods that wait. */
err rpc_client_call_wait(rpc_client *c, const char *method, const json_t *params, uint32_t extra_ms, json_t **result, fault *f) MUST_USE;

/* Gives the next piece of a request body: *len bytes into `out` (room on entry), 0 at the end. */
typedef err rpc_source_fn(void *ctx, uint8_t *out, size_t *len);
/* Takes the next piece of a reply body. */
typedef err rpc_sink_fn(void *ctx, bytes piece);

typedef struct rpc_http {
    const char    *method;   /* "GET", "PUT", "POST" */
    const char    *path;     /* "/v1/gradient/7?part=2", escaped already */
    const char    *content_type; /* NULL: application/octet-stream */
    bytes          body;     /* sent if `source` is NULL */
    rpc_source_fn *source;   /* streamed body of source_len bytes */
    void          *source_ctx;
    uint64_t       source_len;
    uint64_t       reply_max;    /* a longer reply is cut off with ERR_LIMIT */
    rpc_sink_fn   *sink;     /* streamed reply, only if the status is 2xx; NULL: it goes to `reply` */
    void          *sink_ctx;
    buf           *reply;    /* appended; may be NULL with sink */
    uint32_t       total_ms; /* 0: the client's */
} rpc_http;

/* OK only for a status of 2xx; otherwise the error in the reply's document, or the one that fits the status. *status may be NULL. A
 * failed request leaves `reply` as it was. */
err rpc_client_http(rpc_client *c, const rpc_http *request, unsigned *status, fault *f) MUST_USE;

err rpc_client_get(rpc_client *c, const char *path, buf *reply, uint64_t reply_max, fault *f) MUST_USE;
err rpc_client_put(rpc_client *c, const char *path, bytes body, buf *reply, uint64_t reply_max, fault *f) MUST_USE;
err rpc_client_post(rpc_client *c, const char *path, bytes body, buf *reply, uint64_t reply_max, fault *f) MUST_USE;

#endif
