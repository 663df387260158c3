/* SPDX-License-Identifier: Apache-2.0
 *
 * Bearer tokens of the HTTP server. A token is 32 random bytes in hex behind "tbt1_", in a file that only its owner can
 * read. The server keeps a hash of it, never the token; whoever holds the token may do what its scope allows. */
#ifndef RPC_TOKEN_H
#define RPC_TOKEN_H

#include "base/bytes.h"

/* Each scope includes the ones before it. */
typedef enum rpc_scope {
    RPC_SCOPE_NONE,    /* no token needed */
    RPC_SCOPE_READ,    /* look */
    RPC_SCOPE_OPERATE, /* submit what its owner has signed, feed live data */
    RPC_SCOPE_SPEND,   /* make this process sign with its own keys */
} rpc_scope;

const char *rpc_scope_name(rpc_scope scope); /* "none", "read", "operate", "spend" */

typedef struct rpc_token_hash {
    hash256   hash;
    rpc_scope scope;
} rpc_token_hash;

enum { RPC_TOKEN_TEXT = 5 + 64 + 1 };

rpc_token_hash rpc_token_hash_of(const char *token, rpc_scope scope);

/* Reads the token of the file `path`; makes file and token if there is none. ERR_PERMISSION if the file is not a regular one of
 * this user, or others may read it; ERR_SYNTAX if it holds no token. Wipe `out` with cr_wipe. */
err rpc_token_load(char out[RPC_TOKEN_TEXT], const char *path, fault *f) MUST_USE;
err rpc_token_ensure(char out[RPC_TOKEN_TEXT], const char *path, fault *f) MUST_USE;

/* The greatest scope among the tokens equal to `token`; RPC_SCOPE_NONE if none is. Takes the same time for every token. */
rpc_scope rpc_token_scope(const rpc_token_hash *tokens, size_t count, const char *token);

#endif
