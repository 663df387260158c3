/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON-RPC 2.0: single calls and batches, named or positional parameters, notifications. What arrives is checked against the
 * method table before a method sees it.
 *
 * Error codes: -32700 not readable as JSON, -32600 not a request (or too large a batch), -32601 no such method here, -32602 wrong
 * parameters, -32603 our fault; every other error has the number of its row in schema/errors.def. error.data is always
 * {code, name, message, retryable, what, at} with the row's number, so a client can rely on data alone. */
#ifndef RPC_JSONRPC_H
#define RPC_JSONRPC_H

#include "rpc/method.h"
#include "rpc/server.h"

enum {
    RPC_PARSE_ERROR = -32700, RPC_INVALID_REQUEST = -32600, RPC_METHOD_NOT_FOUND = -32601, RPC_INVALID_PARAMS = -32602,
    RPC_INTERNAL_ERROR = -32603,
};

struct rpc_dispatcher;

typedef struct rpc_call {
    const struct rpc_dispatcher *dispatcher;
    rpc_scope                    scope;
    const rpc_request           *request; /* NULL when it did not come over HTTP */
} rpc_call;

/* `args` is the method's rpc_args_... struct. *result is a new object. A method may block: it runs on its connection's thread. */
typedef err rpc_method_fn(void *ctx, const rpc_call *call, const void *args, json_t **result, fault *f);

typedef struct rpc_dispatcher {
    rpc_method_fn *fn[RPC_METHOD_COUNT]; /* NULL: not offered here */
    void          *ctx;
    const char    *address_prefix;       /* "tb" */
    const char    *title;                /* for rpc.discover */
} rpc_dispatcher;

/* Appends the reply to the body, or nothing if all were notifications. The error is only for what cannot be answered at all:
 * ERR_MEMORY, ERR_LIMIT (the reply does not fit `reply`), ERR_BUSY (rate). */
err rpc_dispatch(const rpc_dispatcher *d, rpc_scope scope, const rpc_request *request, bytes body, buf *reply, fault *f) MUST_USE;

/* A handler for a server's route table: POST, RPC_BODY_BYTES, scope read; ctx is the dispatcher. Content-Type must be application/json. */
rpc_handler rpc_serve_jsonrpc;
rpc_route   rpc_jsonrpc_route(const rpc_dispatcher *d);

/* The method rpc.discover, for a dispatcher's table. */
rpc_method_fn rpc_discover;

#endif
