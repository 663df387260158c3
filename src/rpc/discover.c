/* SPDX-License-Identifier: Apache-2.0
 *
 * rpc.discover: the OpenRPC document of what a dispatcher offers, from the method table. */
#include "rpc/jsonrpc.h"

static json_t *describe_params(const rpc_method *m)
{
    json_t *params = json_array();
    for (size_t i = 0; params && i < m->params.count; i++) {
        const rpc_field *p = &m->params.field[i];
        json_t *one = json_pack("{s:s, s:s, s:b, s:o}", "name", p->name, "description", p->doc, "required", (int)p->required,
                                "schema", rpc_type_schema(p->type, p->max));
        if (json_array_append_new(params, one) != 0) {
            json_decref(params);
            params = NULL;
        }
    }
    return params;
}

static json_t *describe_method(const rpc_method *m)
{
    return json_pack("{s:s, s:s, s:s, s:o, s:{s:s, s:s, s:{s:s}}, s:s}", "name", m->name, "summary", m->doc, "paramStructure", "either",
                     "params", describe_params(m), "result", "name", "result", "description", m->returns, "schema", "type",
                     "object", "x-scope", rpc_scope_name(m->scope));
}

err rpc_discover(void *ctx, const rpc_call *call, const void *args, json_t **result, fault *f)
{
    (void)ctx, (void)args;
    json_t *methods = json_array();
    for (size_t i = 0; methods && i < RPC_METHOD_COUNT; i++) {
        if (!call->dispatcher->fn[i])
            continue;
        if (json_array_append_new(methods, describe_method(&rpc_methods[i])) != 0) {
            json_decref(methods);
            methods = NULL;
        }
    }
    *result = json_pack("{s:s, s:{s:s, s:s}, s:o}", "openrpc", "1.2.6", "info", "title", call->dispatcher->title, "version", "0.1.0",
                        "methods", methods);
    return *result ? OK : fail(f, ERR_MEMORY, "rpc.discover", 0);
}
