/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/error.h"

#include "rpc/json.h"
#include "rpc/server.h"

#include <inttypes.h>

json_t *rpc_error_json(const fault *f)
{
    const err_row *row = err_describe(f->code);
    uint64_t at = f->at > INT64_MAX ? INT64_MAX : f->at;
    return json_pack("{s:i, s:s, s:s, s:b, s:s, s:I}", "code", (int)row->code, "name", row->name, "message", row->text,
                     "retryable", (int)row->retryable, "what", f->what ? f->what : "", "at", (json_int_t)at);
}

err rpc_error_of_number(int64_t code)
{
    const err_row *row;
    for (size_t i = 0; (row = err_row_at(i)) != NULL; i++) {
        if ((int64_t)row->code == code)
            return row->code;
    }
    return ERR_INTERNAL;
}

unsigned rpc_http_status(err e)
{
    switch (e) {
    case OK: return 200;
    case ERR_NOT_FOUND: return 404;
    case ERR_PERMISSION: case ERR_KEY: return 403;
    case ERR_LIMIT: return 413;
    case ERR_UNSUPPORTED: return 501;
    case ERR_BUSY: return 503;
    case ERR_TIMEOUT: return 504;
    case ERR_EXISTS: case ERR_STALE: case ERR_DUPLICATE: case ERR_STATE: return 409;
    case ERR_DISK_FULL: return 507;
    default: break;
    }
    int exit_code = err_describe(e)->exit_code;
    return exit_code == 2 || exit_code == 8 ? 400 : exit_code == 6 ? 422 : 500;
}

void rpc_reply_error(rpc_reply *reply, const fault *f)
{
    reply->status = rpc_http_status(f->code);
    if (f->code == ERR_BUSY) {
        reply->status = f->what && strcmp(f->what, "rate") == 0 ? 429 : 503;
        reply->retry_after_s = 1;
    }
    if (f->code == ERR_UNSUPPORTED && f->what)
        reply->status = strcmp(f->what, "method") == 0 ? 405 : strcmp(f->what, "header: Content-Type") == 0 ? 415 : 501;
    reply->content_type = "application/json";
    buf_clear(&reply->body);
    json_t *document = json_pack("{s:o}", "error", rpc_error_json(f));
    /* Without memory for its text the status alone tells the story. */
    if (!document || rpc_json_write(&reply->body, document) != OK)
        buf_clear(&reply->body);
    json_decref(document);
}
