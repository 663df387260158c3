/* SPDX-License-Identifier: Apache-2.0
 *
 * Methods about workers, training jobs and audits. Lists walk a table in slices, so that a long walk never holds up a block. */
#include "rpc/node_int.h"

#include <stdlib.h>

/* An address as it stands in a key: kind, hash. */
static json_t *packed_address_json(const rpc_node *n, bytes packed)
{
    cr_address a = { .kind = packed.data[0] };
    memcpy(a.hash, packed.data + 1, 32);
    return rpc_json_address(n->prefix, &a);
}

/* A row in the walk over a table: appends to `list` what belongs there. False if there is no memory. */
typedef bool visit_fn(const rpc_node *n, const chain *c, json_t *list, const void *row, bytes key, const void *ctx);

/* Visits rows from *at until `list` has `limit` members, as many rows as one call may were looked at, or the end: then *more is false. */
static err walk(rpc_node *n, chain_table table, size_t *at, bool *more, json_t *list, size_t limit, visit_fn *visit, const void *ctx,
                fault *f)
{
    bool good = true, end = false;
    size_t rows_max = n->walk_rows;
    for (size_t seen = 0; good && !end && json_array_size(list) < limit && seen < rows_max;) {
        const chain *c = eng_solo_read_begin(n->engine);
        for (size_t slice = 0; good && slice < RPC_SCAN_ROWS && json_array_size(list) < limit && seen < rows_max; slice++, seen++) {
            bytes key;
            const void *row = chain_row_at(c, table, *at, &key);
            if (!row) {
                end = true;
                break;
            }
            good = visit(n, c, list, row, key, ctx);
            ++*at;
        }
        end |= *at >= chain_row_count(c, table);
        eng_solo_read_end(n->engine);
    }
    *more = !end;
    return good ? OK : fail(f, ERR_MEMORY, "result", 0);
}

static err page(rpc_node *n, chain_table table, const char *name, const rpc_text *cursor, bool given_cursor, uint32_t limit, visit_fn *visit,
                const void *ctx, json_t **result, fault *f)
{
    size_t at;
    bool more;
    TRY(rpc_cursor_read(&at, cursor, given_cursor, f));
    json_t *list = json_array();
    if (!list)
        return rpc_no_memory(NULL, f);
    err e = walk(n, table, &at, &more, list, limit ? limit : RPC_PAGE_DEFAULT, visit, ctx, f);
    *result = json_pack("{s:o, s:o}", name, list, "next", rpc_cursor_json(at, more));
    return e != OK ? e : *result ? OK : rpc_no_memory(NULL, f);
}

/* --- workers ------------------------------------------------------------------------------------------------------------ */

static bool visit_worker(const rpc_node *n, const chain *c, json_t *list, const void *row, bytes key, const void *ctx)
{
    (void)c, (void)ctx;
    json_t *one = rpc_row_json(CHAIN_TABLE_WORKER, row, n->prefix);
    if (one && !rpc_put(one, "address", packed_address_json(n, key))) {
        json_decref(one);
        one = NULL;
    }
    return json_array_append_new(list, one) == 0;
}

err rpc_worker_list(void *ctx, const rpc_call *call, const void *args, json_t **result, fault *f)
{
    (void)call;
    const rpc_args_worker_list *a = args;
    return page(ctx, CHAIN_TABLE_WORKER, "workers", &a->cursor, a->given_cursor, a->limit, visit_worker, NULL, result, f);
}

err rpc_worker_get(void *ctx, const rpc_call *call, const void *args, json_t **result, fault *f)
{
    (void)call;
    rpc_node *n = ctx;
    const rpc_args_worker_get *a = args;
    const chain *c = eng_solo_read_begin(n->engine);
    const chain_row_worker *row = chain_worker(c, &a->worker);
    json_t *out = row ? rpc_row_json(CHAIN_TABLE_WORKER, row, n->prefix) : NULL;
    bool found = row != NULL;
    eng_solo_read_end(n->engine);
    if (!found)
        return fail(f, ERR_NOT_FOUND, "worker", 0);
    if (!out || !rpc_put(out, "address", rpc_json_address(n->prefix, &a->worker)))
        return rpc_no_memory(out, f);
    chain_key key = chain_key_address(&a->worker);
    *result = out;
    return rpc_put_proof(n, out, a->proof, CHAIN_TABLE_WORKER, chain_key_bytes(&key), f);
}

/* --- jobs --------------------------------------------------------------------------------------------------------------- */

static bool visit_job(const rpc_node *n, const chain *c, json_t *list, const void *row, bytes key, const void *ctx)
{
    (void)c;
    const char *status = ctx;
    const chain_row_job *job = row;
    const char *is = rpc_job_status_name(job->status);
    if (status && (!is || strcmp(status, is) != 0))
        return true;
    json_t *one = rpc_row_json(CHAIN_TABLE_JOB, row, n->prefix);
    if (one && !rpc_put(one, "job", rpc_json_hex(key))) {
        json_decref(one);
        one = NULL;
    }
    return json_array_append_new(list, one) == 0;
}

err rpc_job_list(void *ctx, const rpc_call *call, const void *args, json_t **result, fault *f)
{
    (void)call;
    const rpc_args_job_list *a = args;
    bool known = !a->given_status;
    for (unsigned s = CHAIN_JOB_OPEN; s <= CHAIN_JOB_REFUNDED; s++)
        known |= strcmp(a->status.s, rpc_job_status_name(s)) == 0;
    if (!known)
        return fail(f, ERR_RANGE, "status", 0);
    return page(ctx, CHAIN_TABLE_JOB, "jobs", &a->cursor, a->given_cursor, a->limit, visit_job, a->given_status ? a->status.s : NULL, result, f);
}

static bool visit_bid(const rpc_node *n, const chain *c, json_t *list, const void *row, bytes key, const void *ctx)
{
    (void)c;
    if (memcmp(key.data, ctx, 32) != 0)
        return true;
    json_t *one = rpc_row_json(CHAIN_TABLE_BID, row, n->prefix);
    if (one && !rpc_put(one, "worker", packed_address_json(n, bytes_of(key.data + 32, 33)))) {
        json_decref(one);
        one = NULL;
    }
    return json_array_append_new(list, one) == 0;
}

err rpc_job_get(void *ctx, const rpc_call *call, const void *args, json_t **result, fault *f)
{
    (void)call;
    rpc_node *n = ctx;
    const rpc_args_job_get *a = args;
    size_t at;
    TRY(rpc_cursor_read(&at, &a->cursor, a->given_cursor, f));
    const chain *c = eng_solo_read_begin(n->engine);
    const chain_row_job *row = chain_job(c, &a->job);
    bool found = row != NULL, more;
    json_t *out = row ? rpc_row_json(CHAIN_TABLE_JOB, row, n->prefix) : NULL;
    eng_solo_read_end(n->engine);
    if (!found)
        return fail(f, ERR_NOT_FOUND, "job", 0);
    json_t *bids = json_array();
    if (!out || !bids || !rpc_put(out, "job", rpc_json_hex(BYTES_OF(a->job)))) {
        json_decref(bids);
        return rpc_no_memory(out, f);
    }
    *result = out;
    err e = walk(n, CHAIN_TABLE_BID, &at, &more, bids, a->limit ? a->limit : LIMIT_RPC_PAGE, visit_bid, a->job.b, f);
    if (!rpc_put(out, "bids", bids) || !rpc_put(out, "bids_next", rpc_cursor_json(at, more)))
        return rpc_no_memory(NULL, f);
    TRY(e);
    chain_key key = chain_key_job(&a->job);
    return rpc_put_proof(n, out, a->proof, CHAIN_TABLE_JOB, chain_key_bytes(&key), f);
}

static bool visit_lease(const rpc_node *n, const chain *c, json_t *list, const void *row, bytes key, const void *ctx)
{
    const hash256 *job = ctx;
    bool sampled, audited;
    if (memcmp(key.data, job->b, 32) != 0)
        return true;
    uint64_t lease_id = load_be64(key.data + 32);
    err drawn = chain_sampled(c, &sampled, job, lease_id), audit_drawn = chain_audit_drawn(c, &audited, job, lease_id);
    const chain_row_audit *audit = chain_audit_row(c, job, lease_id);
    json_t *one = rpc_row_json(CHAIN_TABLE_LEASE, row, n->prefix);
    if (one && !(rpc_put(one, "lease_id", rpc_json_u64(lease_id)) &&
                 rpc_put(one, "sampled", drawn == OK ? json_boolean(sampled) : json_null()) &&
                 rpc_put(one, "audit_drawn", audit_drawn == OK ? json_boolean(audited) : json_null()) &&
                 rpc_put(one, "audit", audit ? json_string_nocheck(rpc_audit_status_name(audit->status)) : json_null()))) {
        json_decref(one);
        one = NULL;
    }
    return json_array_append_new(list, one) == 0;
}

err rpc_job_receipts(void *ctx, const rpc_call *call, const void *args, json_t **result, fault *f)
{
    (void)call;
    rpc_node *n = ctx;
    const rpc_args_job_receipts *a = args;
    const chain *c = eng_solo_read_begin(n->engine);
    bool found = chain_job(c, &a->job) != NULL;
    eng_solo_read_end(n->engine);
    if (!found)
        return fail(f, ERR_NOT_FOUND, "job", 0);
    return page(n, CHAIN_TABLE_LEASE, "receipts", &a->cursor, a->given_cursor, a->limit, visit_lease, &a->job, result, f);
}

/* --- audits ------------------------------------------------------------------------------------------------------------- */

static json_int_t count_votes(const hash256 *votes)
{
    json_int_t n = 0;
    for (size_t i = 0; i < sizeof votes->b; i++)
        n += __builtin_popcount(votes->b[i]);
    return n;
}

static json_t *audit_json(const rpc_node *n, const chain *c, const chain_row_audit *row, bytes key)
{
    const err_row *why = err_describe((err)row->reason);
    const char *reason = row->reason && (uint32_t)why->code == row->reason ? why->name : NULL;
    json_t *out = rpc_row_json(CHAIN_TABLE_AUDIT, row, n->prefix);
    if (out && !(rpc_put(out, "job", rpc_json_hex(bytes_of(key.data, 32))) && rpc_put(out, "lease_id", rpc_json_u64(load_be64(key.data + 32))) &&
                 rpc_put(out, "drawn", json_boolean(row->deposit == 0)) &&
                 rpc_put(out, "reason_name", reason ? json_string_nocheck(reason) : json_null()) &&
                 rpc_put(out, "votes_valid", json_integer(count_votes(&row->valid))) &&
                 rpc_put(out, "votes_invalid", json_integer(count_votes(&row->invalid))) &&
                 rpc_put(out, "validators", json_integer((json_int_t)chain_producer_count(c))))) {
        json_decref(out);
        out = NULL;
    }
    return out;
}

static bool visit_audit(const rpc_node *n, const chain *c, json_t *list, const void *row, bytes key, const void *ctx)
{
    const char *status = ctx;
    const chain_row_audit *audit = row;
    const char *is = rpc_audit_status_name(audit->status);
    if (status && (!is || strcmp(status, is) != 0))
        return true;
    return json_array_append_new(list, audit_json(n, c, audit, key)) == 0;
}

err rpc_audit_list(void *ctx, const rpc_call *call, const void *args, json_t **result, fault *f)
{
    (void)call;
    const rpc_args_audit_list *a = args;
    bool known = !a->given_status;
    for (unsigned s = CHAIN_AUDIT_OPEN; s <= CHAIN_AUDIT_CLOSED; s++)
        known |= strcmp(a->status.s, rpc_audit_status_name(s)) == 0;
    if (!known)
        return fail(f, ERR_RANGE, "status", 0);
    return page(ctx, CHAIN_TABLE_AUDIT, "audits", &a->cursor, a->given_cursor, a->limit, visit_audit, a->given_status ? a->status.s : NULL,
                result, f);
}

err rpc_audit_get(void *ctx, const rpc_call *call, const void *args, json_t **result, fault *f)
{
    (void)call;
    rpc_node *n = ctx;
    const rpc_args_audit_get *a = args;
    chain_key key = chain_key_numbered(&a->job, a->lease_id);
    const chain *c = eng_solo_read_begin(n->engine);
    const chain_row_audit *row = chain_audit_row(c, &a->job, a->lease_id);
    bool found = row != NULL;
    json_t *out = row ? audit_json(n, c, row, chain_key_bytes(&key)) : NULL;
    eng_solo_read_end(n->engine);
    if (!found)
        return fail(f, ERR_NOT_FOUND, "audit", a->lease_id);
    if (!out)
        return rpc_no_memory(NULL, f);
    *result = out;
    return rpc_put_proof(n, out, a->proof, CHAIN_TABLE_AUDIT, chain_key_bytes(&key), f);
}

err rpc_audit_states(void *ctx, const rpc_call *call, const void *args, json_t **result, fault *f)
{
    (void)call;
    rpc_node *n = ctx;
    const rpc_args_audit_states *a = args;
    size_t count = a->leases.len / 8;
    char *states = malloc(2 * count + 1);
    if (a->leases.len % 8 || !states) {
        free(states);
        return a->leases.len % 8 ? fail(f, ERR_RANGE, "leases", a->leases.len) : rpc_no_memory(NULL, f);
    }
    states[0] = 0;
    const chain *c = eng_solo_read_begin(n->engine);
    for (size_t i = 0; i < count; i++) {
        const chain_row_audit *row = chain_audit_row(c, &a->job, load_be64(a->leases.data + 8 * i));
        base_hex_encode(states + 2 * i, row ? &row->status : (const uint8_t[]){ 0 }, 1);
    }
    eng_solo_read_end(n->engine);
    *result = json_pack("{s:s}", "states", states);
    free(states);
    return *result ? OK : rpc_no_memory(NULL, f);
}
