/* SPDX-License-Identifier: Apache-2.0 */
#include "torch/backend.h"

#include <string.h>

const char *bt_op_name(bt_op op)
{
    static const char *const names[] = {
#define OP(id, name, doc) [BT_OP_##id] = name,
#include "ops.def"
#undef OP
    };
    return op < BT_OP_COUNT ? names[op] : "?";
}

const bt_backend *bt_backend_find(const char *name)
{
    static const bt_backend *const all[] = { &bt_backend_cpu };
    for (size_t i = 0; i < COUNT_OF(all); i++)
        if (strcmp(all[i]->name, name) == 0)
            return all[i];
    return NULL;
}
