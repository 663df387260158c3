/* SPDX-License-Identifier: Apache-2.0
 *
 * Transactions and events: hand in, follow, stream. */
#include "rpc/node_int.h"

#include "rpc/error.h"

#include <stdlib.h>

enum { SLICE_MS = 100 }; /* a wait is cut into slices, so that a stopping server does not hang on it */

static json_t *tx_json(const eng_tx_result *r)
{
    const char *outcome = r->status == ENG_TX_WAITING ? "pending" : r->status == ENG_TX_DROPPED ? "rejected" : r->code == OK ? "ok" : "failed";
    json_t *out = json_pack("{s:o, s:s}", "id", rpc_json_hex(BYTES_OF(r->id)), "outcome", outcome);
    bool good = out != NULL;
    if (good && r->status == ENG_TX_INCLUDED)
        good = rpc_put(out, "height", rpc_json_u64(r->height)) && rpc_put(out, "index", json_integer(r->index)) &&
               rpc_put(out, "fee", rpc_json_u64(r->fee)) && rpc_put(out, "event_first", rpc_json_u64(r->event_first)) &&
               rpc_put(out, "event_count", json_integer(r->event_count));
    if (good && r->status != ENG_TX_WAITING && r->code != OK) {
        const fault why = { r->code, r->what, 0 };
        good = rpc_put(out, "error", rpc_error_json(&why));
    }
    if (good)
        return out;
    json_decref(out);
    return NULL;
}

/* What became of the transaction, after at most wait_ms. */
static err follow(rpc_node *n, const rpc_call *call, const hash256 *id, uint64_t wait_ms, json_t **result, fault *f)
{
    eng_tx_result r;
    err e = eng_solo_result(n->engine, &r, id);
    uint64_t until = rpc_clock_ms() + wait_ms;
    while (e == OK && r.status == ENG_TX_WAITING) {
        uint64_t now = rpc_clock_ms();
        if (now >= until || (call->request && rpc_request_stopping(call->request)))
            break;
        e = eng_solo_wait(n->engine, &r, id, until - now < SLICE_MS ? until - now : SLICE_MS);
        e = e == ERR_TIMEOUT ? OK : e;
    }
    if (e != OK)
        return fail(f, e, "transaction", 0);
    *result = tx_json(&r);
    return *result ? OK : fail(f, ERR_MEMORY, "result", 0);
}

err rpc_tx_submit(void *ctx, const rpc_call *call, const void *args, json_t **result, fault *f)
{
    rpc_node *n = ctx;
    const rpc_args_tx_submit *a = args;
    hash256 id;
    err e = eng_solo_submit(n->engine, &id, a->tx, f);
    if (e != OK && e != ERR_DUPLICATE)
        return e;
    /* The same bytes again: the answer is what became of them, unless that is forgotten. */
    fault follow_fault;
    err followed = follow(n, call, &id, a->wait_ms, result, &follow_fault);
    if (followed == ERR_NOT_FOUND && e == ERR_DUPLICATE)
        return e;
    return followed == OK ? OK : fail(f, followed, follow_fault.what, follow_fault.at);
}

err rpc_tx_get(void *ctx, const rpc_call *call, const void *args, json_t **result, fault *f)
{
    const rpc_args_tx_get *a = args;
    return follow(ctx, call, &a->id, a->wait_ms, result, f);
}

/* --- events ------------------------------------------------------------------------------------------------------------- */

json_t *rpc_event_json(const rpc_node *n, const eng_event *event)
{
    const chain_record *record = chain_event_record(event->type);
    _Alignas(16) uint8_t object[sizeof(((chain_event *)0)->data)];
    if (!record || chain_record_decode_all(bytes_of(event->data, event->len), record, object, NULL) != OK)
        return NULL;
    json_t *out = rpc_record_json(record, object, n->prefix);
    bool good = out && rpc_put(out, "sequence", rpc_json_u64(event->seq)) && rpc_put(out, "height", rpc_json_u64(event->height)) &&
                rpc_put(out, "name", json_string_nocheck(record->name)) &&
                rpc_put(out, "tx", event->tx_index == CHAIN_EVENT_NO_TX ? json_null() : rpc_json_hex(BYTES_OF(event->tx)));
    if (good)
        return out;
    json_decref(out);
    return NULL;
}

err rpc_chain_events(void *ctx, const rpc_call *call, const void *args, json_t **result, fault *f)
{
    rpc_node *n = ctx;
    const rpc_args_chain_events *a = args;
    size_t max = a->given_limit && a->limit ? a->limit : RPC_PAGE_DEFAULT, count = 0;
    uint64_t next, since = a->since, height = 0, until = rpc_clock_ms() + a->wait_ms;
    eng_event *events = malloc(max * sizeof *events);
    json_t *list = json_array();
    eng_solo_status status;
    eng_solo_status_get(n->engine, &status);
    bool lost, foreign = since > status.events_next; /* of a longer history than this one: go on with the oldest there is */
    if (foreign)
        since = 0;
    if (!events || !list) {
        free(events);
        json_decref(list);
        return fail(f, ERR_MEMORY, "result", 0);
    }
    for (;;) {
        const chain *c = eng_solo_read_begin(n->engine);
        height = chain_head(c)->height;
        eng_solo_read_end(n->engine);
        eng_solo_events(n->engine, events, &count, &next, &lost, since, max);
        uint64_t now = rpc_clock_ms();
        if (count || now >= until || (call->request && rpc_request_stopping(call->request)))
            break;
        err e = eng_solo_wait_block(n->engine, &height, height, until - now < SLICE_MS ? until - now : SLICE_MS);
        if (e != OK && e != ERR_TIMEOUT)
            break;
    }
    bool good = true;
    for (size_t i = 0; good && i < count; i++)
        good = json_array_append_new(list, rpc_event_json(n, &events[i])) == 0;
    free(events);
    *result = json_pack("{s:o, s:o, s:b}", "events", list, "next", rpc_json_u64(next), "lost", foreign || lost);
    return good && *result ? OK : fail(f, ERR_MEMORY, "result", 0);
}
