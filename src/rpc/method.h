/* SPDX-License-Identifier: Apache-2.0
 *
 * The methods of schema/rpc.def: an id, a struct of arguments and a descriptor for each. */
#ifndef RPC_METHOD_H
#define RPC_METHOD_H

#include "base/limits.h"
#include "rpc/fields.h"
#include "rpc/token.h"

typedef enum rpc_method_id {
#define RPC_BEGIN(ID, symbol, name, scope, result, returns, doc) RPC_METHOD_##ID,
#define PARAM(symbol, type, name, given, max, doc)
#define RPC_END(ID, symbol)
#include "rpc.def"
#undef RPC_BEGIN
#undef PARAM
#undef RPC_END
    RPC_METHOD_COUNT
} rpc_method_id;

/* rpc_args_account_get { uint32_t count; cr_address address; bool given_address; ... } and so on. */
#define RPC_BEGIN(ID, symbol, name, scope, result, returns, doc) typedef struct rpc_args_##symbol { uint32_t count;
#define PARAM(symbol, type, name, given, max, doc) RPC_C_##type name; bool given_##name;
#define RPC_END(ID, symbol) } rpc_args_##symbol;
#include "rpc.def"
#undef RPC_BEGIN
#undef PARAM
#undef RPC_END

typedef struct rpc_method {
    const char *name;    /* "chain.status" */
    rpc_scope   scope;
    const char *returns; /* the members of the result object */
    const char *doc;
    rpc_fields  params;
} rpc_method;

extern const rpc_method rpc_methods[RPC_METHOD_COUNT];

/* RPC_METHOD_COUNT if there is none. */
rpc_method_id rpc_method_by_name(const char *name);

#endif
