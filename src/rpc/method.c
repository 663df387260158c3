/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/method.h"

/* A method without parameters would have an empty list, so every list ends with an empty row. */
#define RPC_BEGIN(ID, symbol, name, scope, result, returns, doc) static const rpc_field fields_##symbol[] = {
#define PARAM(symbol, type, name, given, max, doc)                                                     \
    { #name, RPC_TYPE_##type, RPC_##given, (max), offsetof(struct rpc_args_##symbol, name),            \
      offsetof(struct rpc_args_##symbol, given_##name), doc },
#define RPC_END(ID, symbol) { NULL, RPC_TYPE_BOOL, false, 0, 0, 0, NULL } };
#include "rpc.def"
#undef RPC_BEGIN
#undef PARAM
#undef RPC_END

const rpc_method rpc_methods[RPC_METHOD_COUNT] = {
#define RPC_BEGIN(ID, symbol, name, scope, result, returns, doc)                                       \
    { name, RPC_SCOPE_##scope, returns, doc,                                                           \
      { fields_##symbol, COUNT_OF(fields_##symbol) - 1, sizeof(struct rpc_args_##symbol) } },
#define PARAM(symbol, type, name, given, max, doc)
#define RPC_END(ID, symbol)
#include "rpc.def"
#undef RPC_BEGIN
#undef PARAM
#undef RPC_END
};

rpc_method_id rpc_method_by_name(const char *name)
{
    for (size_t i = 0; i < RPC_METHOD_COUNT; i++) {
        if (strcmp(rpc_methods[i].name, name) == 0)
            return (rpc_method_id)i;
    }
    return RPC_METHOD_COUNT;
}
