/* SPDX-License-Identifier: Apache-2.0
 * Any node.conf is read or refused with a place in it; what is read resolves, and its values are within their bounds. */
#include "rpc/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static rpc_conf c;
    fault f = { 0 };
    rpc_conf_init(&c);
    if (rpc_conf_read(&c, bytes_of(data, size), &f) != OK) {
        CHECK(f.code != OK && f.what && (f.code == ERR_LIMIT || f.at > 0));
        return 0;
    }
    CHECK(rpc_conf_resolve(&c, "/home", &f) == OK || f.code == ERR_LIMIT);
    for (size_t i = 0; i < RPC_CONF_COUNT; i++) {
        const rpc_conf_row *row = &rpc_conf_rows[i];
        CHECK(memchr(c.v[i].text, 0, sizeof c.v[i].text));
        CHECK(row->type != RPC_CONF_U32 || (c.v[i].number >= row->least && c.v[i].number <= row->greatest));
    }
    return 0;
}
