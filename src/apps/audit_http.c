/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/audit_http.h"

#include "base/cbor.h"

#include <stdio.h>
#include <string.h>

enum { REQUEST_MS = 20000, CALL_MS = 30000, REPLY_MAX = 64 };

static err put_answer(buf *out, bool asked, uint64_t have, bool complete)
{
    uint8_t text[REPLY_MAX];
    bytes view;
    cbor_writer w = cbor_writer_on(text, sizeof text);
    cbor_put_array(&w, asked ? 2 : 1);
    cbor_put_uint(&w, have);
    if (asked)
        cbor_put_uint(&w, complete);
    TRY(cbor_finish(&w, &view));
    return buf_put(out, view.data, view.len);
}

static err handle(void *ctx, const rpc_request *r, rpc_reply *reply, fault *f)
{
    tr_push  p;
    uint64_t have;
    bool     asked = strcmp(r->method, "GET") == 0, complete = false;
    TRY(tr_push_read(&p, r->rest, rpc_request_query(r, "auth"), f));
    p.body = r->body;
    TRY(asked ? eng_arbiter_ask(ctx, &p, &have, &complete, f) : eng_arbiter_take(ctx, &p, &have, f));
    reply->content_type = "application/cbor";
    return put_answer(&reply->body, asked, have, complete);
}

void tb_audit_routes(rpc_route out[TB_AUDIT_ROUTES], eng_arbiter *arbiter)
{
    static const char *const methods[TB_AUDIT_ROUTES] = { "PUT", "GET" };
    for (size_t i = 0; i < TB_AUDIT_ROUTES; i++)
        out[i] = (rpc_route){ .method = methods[i], .path = TR_AUDIT_PREFIX, .scope = RPC_SCOPE_NONE, .body_max = LIMIT_TRAIN_PART_BYTES,
                              .body_ms = REQUEST_MS, .handle = handle, .ctx = arbiter };
}

static err read_answer(bytes in, bool asked, uint64_t *have, bool *complete, fault *f)
{
    cbor_reader r = cbor_reader_on(in);
    uint64_t whole = 0;
    err e = cbor_get_array_fixed(&r, "audit.answer", asked ? 2 : 1);
    if (e == OK)
        e = cbor_get_uint(&r, "audit.have", have);
    if (e == OK && asked)
        e = cbor_get_uint_max(&r, "audit.complete", &whole, 1);
    if (e == OK)
        e = cbor_end(&r);
    *complete = whole != 0;
    return e == OK ? OK : fail(f, e, r.fault.what, r.fault.at);
}

err tb_audit_call(rpc_client *client, const tr_push *p, uint64_t *have, bool *complete, fault *f)
{
    char url[TR_PUSH_URL_MAX], auth[TR_PUSH_AUTH_BYTES], path[TR_PUSH_URL_MAX + TR_PUSH_AUTH_BYTES + 8];
    buf  reply;
    bool asked = p->total == 0;
    tr_push_write(url, auth, p);
    snprintf(path, sizeof path, "%s?auth=%s", url, auth);
    buf_init(&reply, REPLY_MAX);
    rpc_http http = { .method = asked ? "GET" : "PUT", .path = path, .content_type = "application/cbor", .body = p->body, .reply_max = REPLY_MAX,
                      .reply = &reply, .total_ms = CALL_MS };
    err e = rpc_client_http(client, &http, NULL, f);
    if (e == OK)
        e = read_answer(buf_bytes(&reply), asked, have, complete, f);
    buf_deinit(&reply);
    return e;
}
