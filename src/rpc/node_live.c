/* SPDX-License-Identifier: Apache-2.0
 *
 * The four methods of seed 12.9, which join chain state and live data, and live.report, which feeds the latter. Without live data they
 * answer from the chain alone and say so: live is null and live_source is "none". */
#include "rpc/node_int.h"

#include "base/int.h"

#include <stdlib.h>
#include <time.h>

enum { DEFAULT_WINDOW_S = 300, PPM = 1000000 };

/* The providers in the order in which they are asked. */
static size_t providers(const rpc_node *n, const rpc_live *out[2])
{
    size_t count = 0;
    if (n->live)
        out[count++] = n->live;
    if (n->board)
        out[count++] = &n->board_face;
    return count;
}

/* Adds live, live_source and live_age_ms. `fields` NULL: nobody knows anything. */
static bool put_live(const rpc_node *n, json_t *out, const rpc_fields *fields, const void *record, const char *source, uint64_t age_ms)
{
    return rpc_put(out, "live", fields ? rpc_fields_write(fields, record, n->prefix) : json_null()) &&
           rpc_put(out, "live_source", json_string_nocheck(fields ? source : "none")) &&
           rpc_put(out, "live_age_ms", fields ? rpc_json_u64(age_ms) : json_null());
}

/* The first provider that knows this kind of thing about `key`, and its record. */
#define ASK(n, kind, key, record, age)                                                                      \
    __extension__({                                                                                         \
        const rpc_live *list_[2], *found_ = NULL;                                                           \
        size_t count_ = providers(n, list_);                                                                \
        for (size_t i_ = 0; i_ < count_ && !found_; i_++)                                                   \
            if (list_[i_]->kind && list_[i_]->kind(list_[i_]->ctx, record, age, key) == OK)                 \
                found_ = list_[i_];                                                                         \
        found_;                                                                                             \
    })

err rpc_worker_status(void *ctx, const rpc_call *call, const void *args, json_t **result, fault *f)
{
    (void)call;
    rpc_node *n = ctx;
    const rpc_args_worker_status *a = args;
    rpc_live_worker record = { 0 };
    uint64_t age = 0;
    const rpc_live *live = ASK(n, worker, &a->worker_id, &record, &age);
    const chain *c = eng_solo_read_begin(n->engine);
    const chain_row_worker *row = chain_worker(c, &a->worker_id);
    bool registered = row != NULL;
    json_t *chain_part = row ? rpc_row_json(CHAIN_TABLE_WORKER, row, n->prefix) : json_null();
    eng_solo_read_end(n->engine);
    json_t *out = json_pack("{s:o, s:b, s:o}", "worker_id", rpc_json_address(n->prefix, &a->worker_id), "registered", registered,
                            "chain", chain_part);
    if (!out || !put_live(n, out, live ? &rpc_live_worker_fields : NULL, &record, live ? live->source : NULL, age))
        return rpc_no_memory(out, f);
    *result = out;
    return OK;
}

err rpc_job_progress(void *ctx, const rpc_call *call, const void *args, json_t **result, fault *f)
{
    (void)call;
    rpc_node *n = ctx;
    const rpc_args_job_progress *a = args;
    rpc_live_job record = { 0 };
    uint64_t age = 0;
    const rpc_live *live = ASK(n, job, &a->job_id, &record, &age);
    const chain *c = eng_solo_read_begin(n->engine);
    const chain_row_job *row = chain_job(c, &a->job_id);
    chain_row_job job = row ? *row : (chain_row_job){ 0 };
    uint64_t height = chain_head(c)->height;
    eng_solo_read_end(n->engine);
    if (job.status == 0)
        return fail(f, ERR_NOT_FOUND, "job_id", 0);
    uint64_t paid_ppm = 0;
    if (job.sequences_total)
        TRY(mul_div_u64(&paid_ppm, job.sequences_paid, PPM, job.sequences_total, ROUND_DOWN));
    json_t *out = json_pack("{s:o, s:s?, s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:o}", "job_id", rpc_json_hex(BYTES_OF(a->job_id)),
                            "status", rpc_job_status_name(job.status), "height", rpc_json_u64(height),
                            "sequences_total", rpc_json_u64(job.sequences_total), "sequences_paid", rpc_json_u64(job.sequences_paid),
                            "paid_ppm", (json_int_t)paid_ppm, "steps_total", rpc_json_u64(job.steps),
                            "steps_paid", rpc_json_u64(job.batch_size ? job.sequences_paid / job.batch_size : 0),
                            "escrow_left", rpc_json_u64(job.escrow), "expiry_height", rpc_json_u64(job.expiry_height));
    if (!out || !put_live(n, out, live ? &rpc_live_job_fields : NULL, &record, live ? live->source : NULL, age))
        return rpc_no_memory(out, f);
    *result = out;
    return OK;
}

/* --- throughput --------------------------------------------------------------------------------------------------------- */

static uint64_t unix_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static json_t *samples_json(const rpc_node *n, const rpc_live_sample *samples, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < count; i++) {
        if (json_array_append_new(list, rpc_fields_write(&rpc_live_sample_fields, &samples[i], n->prefix)) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

err rpc_throughput_history(void *ctx, const rpc_call *call, const void *args, json_t **result, fault *f)
{
    (void)call;
    rpc_node *n = ctx;
    const rpc_args_throughput_history *a = args;
    uint64_t window_ms = 1000 * (uint64_t)(a->given_window ? a->window : DEFAULT_WINDOW_S), now = unix_ms();
    uint64_t tokens = 0, busy_ms = 0;
    const rpc_live *list[2], *live = NULL;
    size_t provider_count = providers(n, list), count = 0;
    rpc_live_sample *samples = calloc(RPC_LIVE_SAMPLES, sizeof *samples);
    if (!samples)
        return rpc_no_memory(NULL, f);
    for (size_t i = 0; i < provider_count && !live; i++) {
        count = RPC_LIVE_SAMPLES;
        if (list[i]->samples && list[i]->samples(list[i]->ctx, samples, &count, &a->worker_id, now > window_ms ? now - window_ms : 0) == OK)
            live = list[i];
    }
    count = live ? count : 0;
    for (size_t i = 0; i < count; i++) {
        /* What somebody reported: a sum that wraps would be nonsense, not harm, so it stops at the top. */
        tokens = samples[i].tokens > UINT64_MAX - tokens ? UINT64_MAX : tokens + samples[i].tokens;
        busy_ms = samples[i].busy_ms > UINT64_MAX - busy_ms ? UINT64_MAX : busy_ms + samples[i].busy_ms;
    }
    const chain *c = eng_solo_read_begin(n->engine);
    const chain_row_worker *row = chain_worker(c, &a->worker_id);
    json_t *measured = row ? rpc_json_u64(row->measured_throughput) : json_null();
    eng_solo_read_end(n->engine);
    *result = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:s}", "worker_id", rpc_json_address(n->prefix, &a->worker_id),
                        "window_ms", rpc_json_u64(window_ms), "measured_throughput", measured, "samples", samples_json(n, samples, count),
                        "tokens", rpc_json_u64(tokens), "busy_ms", rpc_json_u64(busy_ms), "live_source", live ? live->source : "none");
    free(samples);
    return *result ? OK : rpc_no_memory(NULL, f);
}

/* --- verification ------------------------------------------------------------------------------------------------------- */

typedef struct lease_counts {
    uint64_t committed, paid, spoiled, sampled;
} lease_counts;

/* Counts from row *at on, in slices, until the end or as many rows as one call may look at; *more: not the end. */
static void count_leases(rpc_node *n, const hash256 *job, lease_counts *out, size_t *at, bool *more)
{
    *out = (lease_counts){ 0 };
    *more = true;
    for (size_t left = n->walk_rows; left > 0 && *more;) {
        const chain *c = eng_solo_read_begin(n->engine);
        size_t slice = left < RPC_SCAN_ROWS ? left : RPC_SCAN_ROWS;
        for (; slice > 0 && *at < chain_row_count(c, CHAIN_TABLE_LEASE); slice--, left--, ++*at) {
            bytes key;
            bool sampled = false;
            const chain_row_lease *row = chain_row_at(c, CHAIN_TABLE_LEASE, *at, &key);
            if (memcmp(key.data, job->b, 32) != 0)
                continue;
            out->committed += row->commit_height != 0;
            out->paid += row->status == CHAIN_LEASE_PAID;
            out->spoiled += row->status == CHAIN_LEASE_SPOILED;
            out->sampled += chain_sampled(c, &sampled, job, load_be64(key.data + 32)) == OK && sampled;
        }
        *more = *at < chain_row_count(c, CHAIN_TABLE_LEASE);
        eng_solo_read_end(n->engine);
    }
}

err rpc_verification_status(void *ctx, const rpc_call *call, const void *args, json_t **result, fault *f)
{
    (void)call;
    rpc_node *n = ctx;
    const rpc_args_verification_status *a = args;
    rpc_live_verification record = { 0 };
    lease_counts leases;
    uint64_t age = 0;
    size_t at;
    bool more;
    TRY(rpc_cursor_read(&at, &a->cursor, a->given_cursor, f));
    const rpc_live *live = ASK(n, verification, &a->job_id, &record, &age);
    const chain *c = eng_solo_read_begin(n->engine);
    const chain_row_job *row = chain_job(c, &a->job_id);
    chain_row_job job = row ? *row : (chain_row_job){ 0 };
    eng_solo_read_end(n->engine);
    if (job.status == 0)
        return fail(f, ERR_NOT_FOUND, "job_id", 0);
    count_leases(n, &a->job_id, &leases, &at, &more);
    json_t *out = json_pack("{s:o, s:s?, s:I, s:{s:o, s:o, s:o, s:o}, s:o}", "job_id", rpc_json_hex(BYTES_OF(a->job_id)),
                            "level_min", rpc_level_name(job.level_min), "sample_ppm", (json_int_t)job.sample_ppm, "leases",
                            "committed", rpc_json_u64(leases.committed), "sampled", rpc_json_u64(leases.sampled),
                            "paid", rpc_json_u64(leases.paid), "spoiled", rpc_json_u64(leases.spoiled), "next",
                            rpc_cursor_json(at, more));
    if (!out || !put_live(n, out, live ? &rpc_live_verification_fields : NULL, &record, live ? live->source : NULL, age))
        return rpc_no_memory(out, f);
    *result = out;
    return OK;
}

/* --- reports ------------------------------------------------------------------------------------------------------------ */

err rpc_live_report(void *ctx, const rpc_call *call, const void *args, json_t **result, fault *f)
{
    (void)call;
    rpc_node *n = ctx;
    const rpc_args_live_report *a = args;
    rpc_live_worker worker;
    rpc_live_sample sample;
    rpc_live_job job;
    rpc_live_verification verification;
    buf none;
    err e = OK;
    buf_init(&none, 0);
    if ((a->given_worker_status || a->given_sample) && !a->given_worker)
        return fail(f, ERR_FIELD, "worker", 0);
    if ((a->given_job_progress || a->given_verification) && !a->given_job)
        return fail(f, ERR_FIELD, "job", 0);
    /* All are read before one is kept: a report with a mistake changes nothing. */
    if (a->given_worker_status)
        TRY(rpc_fields_read(&worker, &rpc_live_worker_fields, a->worker_status, n->prefix, &none, f));
    if (a->given_sample)
        TRY(rpc_fields_read(&sample, &rpc_live_sample_fields, a->sample, n->prefix, &none, f));
    if (a->given_job_progress)
        TRY(rpc_fields_read(&job, &rpc_live_job_fields, a->job_progress, n->prefix, &none, f));
    if (a->given_verification)
        TRY(rpc_fields_read(&verification, &rpc_live_verification_fields, a->verification, n->prefix, &none, f));
    if (a->given_sample)
        e = rpc_live_put_sample(n->board, &a->worker, &sample);
    if (e == OK && a->given_worker_status)
        e = rpc_live_put_worker(n->board, &a->worker, &worker);
    if (e == OK && a->given_job_progress)
        e = rpc_live_put_job(n->board, &a->job, &job);
    if (e == OK && a->given_verification)
        e = rpc_live_put_verification(n->board, &a->job, &verification);
    if (e != OK)
        return fail(f, e, e == ERR_STALE ? "sample.time_ms" : "live.report", 0);
    int accepted = a->given_sample + a->given_worker_status + a->given_job_progress + a->given_verification;
    *result = json_pack("{s:i}", "accepted", accepted);
    return *result ? OK : rpc_no_memory(NULL, f);
}
