/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/job_live.h"

#include "rpc/json.h"

#include <math.h>
#include <time.h>

void tb_job_live_init(tb_job_live *l, const tb_job_spec *spec, const hash256 *job)
{
    *l = (tb_job_live){ .spec = spec, .job = *job };
    pthread_mutex_init(&l->lock, NULL);
}

void tb_job_live_deinit(tb_job_live *l)
{
    pthread_mutex_destroy(&l->lock);
}

/* What a paid lease was, and how long its worker says that it took, stands in the two signed papers of its receipt. */
static void note_paid(tb_job_live *l, const tr_event *e)
{
    chain_lease lease;
    chain_attestation attestation;
    chain_signed s;
    size_t i = 0;
    if (e->code != OK || !e->worker || chain_lease_decode(&lease, &s, e->lease, NULL) != OK ||
        chain_attestation_decode(&attestation, &s, e->attestation, NULL) != OK)
        return;
    while (i < l->workers && memcmp(&l->worker[i].key, e->worker, sizeof *e->worker) != 0)
        i++;
    if (i == COUNT_OF(l->worker))
        return;
    if (i == l->workers) {
        l->worker[i].key = *e->worker;
        l->workers++;
    }
    l->worker[i].tokens += (lease.to - lease.from) * l->spec->shape.context;
    l->worker[i].busy_ms += attestation.computation_time_ms;
}

void tb_job_live_note(tb_job_live *l, const tr_event *e)
{
    pthread_mutex_lock(&l->lock);
    switch (e->kind) {
    case TR_EVENT_SAMPLED: l->sampled++; break;
    case TR_EVENT_CHECKED: *(e->code == OK ? &l->matched : &l->differing) += 1; break;
    case TR_EVENT_PAID:    note_paid(l, e); break;
    case TR_EVENT_STEP_END:
        l->steps = e->step + 1;
        if (e->at)
            l->loss = (int64_t)lrint((double)e->loss * log(2.0) / (double)e->at);
        l->loss_first = l->loss_first ? l->loss_first : l->loss;
        break;
    default: break;
    }
    pthread_mutex_unlock(&l->lock);
}

static void report(tb_ledger *ledger, json_t *params)
{
    json_t *result;
    if (tb_ledger_call(ledger, "live.report", params, 0, &result, NULL) == OK)
        json_decref(result);
}

static json_t *job_json(tb_job_live *l)
{
    char hex[65];
    uint64_t done = l->steps * l->spec->batch;
    base_hex_encode(hex, l->job.b, 32);
    return json_pack("{s:s, s:{s:o, s:o, s:o, s:o, s:o}, s:{s:s, s:o, s:o, s:o, s:o}}", "job", hex, "job_progress", "step", rpc_json_u64(l->steps),
                     "steps_total", rpc_json_u64(l->spec->steps), "sequences_done", rpc_json_u64(done), "loss_first", rpc_json_i64(l->loss_first), "loss",
                     rpc_json_i64(l->loss), "verification", "level", tb_level_name(l->spec->level), "leases_checked", rpc_json_u64(done / l->spec->lease),
                     "leases_sampled", rpc_json_u64(l->sampled), "leases_matched", rpc_json_u64(l->matched), "leases_differing",
                     rpc_json_u64(l->differing));
}

/* The next worker from `*at` on that computed something; its count starts anew. NULL: no more. */
static json_t *take_sample(tb_job_live *l, size_t *at, const char *prefix)
{
    struct timespec now;
    char address[CR_ADDRESS_TEXT_MAX];
    while (*at < l->workers && l->worker[*at].tokens == 0)
        ++*at;
    if (*at == l->workers)
        return NULL;
    size_t i = (*at)++;
    cr_address worker = cr_address_of_key(&l->worker[i].key);
    cr_address_encode(address, prefix, &worker);
    clock_gettime(CLOCK_REALTIME, &now);
    json_t *params = json_pack("{s:s, s:{s:o, s:o, s:o}}", "worker", address, "sample", "time_ms",
                               rpc_json_u64((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000), "tokens", rpc_json_u64(l->worker[i].tokens),
                               "busy_ms", rpc_json_u64(l->worker[i].busy_ms));
    l->worker[i].tokens = l->worker[i].busy_ms = 0;
    return params;
}

void tb_job_live_send(tb_job_live *l, tb_ledger *ledger)
{
    pthread_mutex_lock(&l->lock);
    json_t *params = job_json(l);
    pthread_mutex_unlock(&l->lock);
    report(ledger, params);
    for (size_t at = 0;;) {
        pthread_mutex_lock(&l->lock);
        params = take_sample(l, &at, ledger->prefix);
        pthread_mutex_unlock(&l->lock);
        if (!params)
            return;
        report(ledger, params);
    }
}
