/* SPDX-License-Identifier: Apache-2.0
 * What is held against a lease: a challenge to open a leaf of its trace, the answer, and the slash. */
#include "chain/econ/econ_int.h"
#include "chain/receipt_int.h"
#include "crypto/merkle.h"

/* --- challenge ------------------------------------------------------------------------------------------------------------ */

static err trace_leaf(const exec *x, uint64_t *count, const chain_leaf *leaf, fault *f)
{
    if (!x->c->config.trace_leaf)
        return fail(f, ERR_UNSUPPORTED, "trace", 0);
    return x->c->config.trace_leaf(count, leaf, f);
}

static err check_challenge(const exec *x, const receipt *r, const chain_row_lease *row, fault *f)
{
    if (!row)
        return fail(f, ERR_NOT_FOUND, "lease.lease_id", r->lease.lease_id);
    if (row->status != CHAIN_LEASE_COMMITTED)
        return fail(f, ERR_STATE, "lease.status", row->status);
    if (!hash256_equal(&row->lease_hash, &r->lease_signed.hash))
        return fail(f, ERR_HASH, "lease", r->lease.lease_id);
    if (!hash256_equal(&row->attestation_hash, &r->attestation_signed.hash))
        return fail(f, ERR_HASH, "attestation", r->lease.lease_id);
    /* What RANGE did not reach has no leaf to open; and it is always re-executed before it is paid. */
    if (r->attestation.result != CHAIN_RESULT_NORMAL)
        return fail(f, ERR_UNSUPPORTED, "attestation.result", r->attestation.result);
    if (row->challenge_height)
        return fail(f, ERR_DUPLICATE, "lease.challenge_height", row->challenge_height);
    if (x->height - row->commit_height > param(x->c, CHAIN_PARAM_CLAIM_DELAY))
        return fail(f, ERR_EXPIRED, "job.claim_delay", row->commit_height);
    if (row->challenges >= LIMIT_LEASE_CHALLENGES)
        return fail(f, ERR_LIMIT, "lease.challenges", row->challenges);
    return OK;
}

err chain_exec_trace_challenge(exec *x, const chain_tx_trace_challenge *p, fault *f)
{
    chain *c = x->c;
    const chain_row_job *job;
    receipt r;
    uint64_t count, fee = param(c, CHAIN_PARAM_CHALLENGE_FEE);
    TRY(chain_find_open_job(x, &p->job, "trace_challenge.job", &job, f));
    if (!chain_job_sender_leads(x, job))
        return fail(f, ERR_PERMISSION, "trace_challenge.sender", 0);
    TRY(chain_receipt_open(x, &r, &p->job, job, p->lease, p->attestation, f));
    TRY(check_challenge(x, &r, chain_lease_find(x, &r), f));
    TRY(trace_leaf(x, &count, &(chain_leaf){ .job = job, .from = r.lease.from, .to = r.lease.to }, f));
    if (p->leaf >= count)
        return fail(f, ERR_RANGE, "trace_challenge.leaf", count);
    /* The worker is paid for its answer beforehand: asking an honest one costs who asks, not who answers. */
    if (chain_account_debit(c, &x->sender, fee) != OK)
        return fail(f, ERR_FUNDS, "trace.challenge_fee", fee);
    TRY(chain_account_credit(c, &r.worker, fee));
    chain_key key = chain_key_numbered(&p->job, r.lease.lease_id);
    chain_row_lease *row = chain_row_edit(c, CHAIN_TABLE_LEASE, &key);
    row->challenge_height = x->height;
    row->challenge_leaf = p->leaf;
    row->challenges++;
    chain_event_add(c, CHAIN_EVENT_TRACE_CHALLENGED, x->tx_index)->data.trace_challenged =
        (chain_event_trace_challenged){ .job = p->job, .lease_id = r.lease.lease_id, .worker = r.worker, .leaf = p->leaf };
    return OK;
}

/* The text is that leaf's form, and it lies there under the root. */
static err check_opening(const exec *x, const chain_tx_trace_open *p, const chain_row_lease *row, fault *f)
{
    hash256 path[CR_MERKLE_DEPTH_MAX];
    uint64_t count;
    chain_key key = chain_key_job(&p->job);
    chain_leaf leaf = { .job = chain_row_get(x->c, CHAIN_TABLE_JOB, &key), .from = row->from, .to = row->to,
                        .leaf = row->challenge_leaf, .text = p->tile };
    if (p->tile.len == 0)
        return fail(f, ERR_PROOF, "trace_open.tile", 0);
    TRY(trace_leaf(x, &count, &leaf, f));
    size_t n = p->path.len / sizeof path[0];
    if (p->path.len % sizeof path[0] || n > CR_MERKLE_DEPTH_MAX)
        return fail(f, ERR_PROOF, "trace_open.path", p->path.len);
    memcpy(path, p->path.data, p->path.len);
    hash256 h = cr_merkle_leaf(&cr_merkle_blake3, p->tile);
    if (cr_merkle_path_verify(&cr_merkle_blake3, &row->trace_root, count, row->challenge_leaf, &h, path, n) != OK)
        return fail(f, ERR_PROOF, "trace_open.path", row->challenge_leaf);
    return OK;
}

err chain_exec_trace_open(exec *x, const chain_tx_trace_open *p, fault *f)
{
    chain *c = x->c;
    chain_key key = chain_key_numbered(&p->job, p->lease_id);
    const chain_row_lease *now = chain_row_get(c, CHAIN_TABLE_LEASE, &key);
    if (!now)
        return fail(f, ERR_NOT_FOUND, "trace_open.lease_id", p->lease_id);
    if (!cr_address_equal(&x->sender, &now->worker))
        return fail(f, ERR_PERMISSION, "trace_open.sender", 0);
    if (!now->challenge_height)
        return fail(f, ERR_STATE, "lease.challenge_height", 0);
    if (x->height - now->challenge_height > param(c, CHAIN_PARAM_OPEN_WINDOW))
        return fail(f, ERR_EXPIRED, "trace.open_window", now->challenge_height);
    TRY(check_opening(x, p, now, f));
    chain_row_lease *row = chain_row_edit(c, CHAIN_TABLE_LEASE, &key);
    row->challenge_height = 0;
    row->open_height = x->height;
    chain_event_add(c, CHAIN_EVENT_TRACE_OPENED, x->tx_index)->data.trace_opened =
        (chain_event_trace_opened){ .job = p->job, .lease_id = p->lease_id, .leaf = row->challenge_leaf };
    return OK;
}

/* --- slash ---------------------------------------------------------------------------------------------------------------- */

/* Without evidence: the lease was challenged and its worker had its time. */
static err check_default(const exec *x, const receipt *r, const chain_row_lease *row, fault *f)
{
    if (!row || row->status != CHAIN_LEASE_COMMITTED || !row->challenge_height)
        return fail(f, ERR_EVIDENCE, "slash.evidence", 0);
    if (!hash256_equal(&row->attestation_hash, &r->attestation_signed.hash))
        return fail(f, ERR_HASH, "attestation", r->lease.lease_id);
    if (x->height - row->challenge_height <= param(x->c, CHAIN_PARAM_OPEN_WINDOW))
        return fail(f, ERR_BUSY, "trace.open_window", row->challenge_height);
    return OK;
}

static err check_evidence(const exec *x, const receipt *r, bytes evidence, fault *f)
{
    chain_dispute dispute = { .lease = &r->lease, .lease_hash = r->lease_signed.hash, .attestation = &r->attestation };
    if (!x->c->config.referee)
        return fail(f, ERR_UNSUPPORTED, "slash.evidence", 0);
    if (x->c->config.referee(evidence, &dispute, f) != OK)
        return fail(f, ERR_EVIDENCE, "slash.evidence", 0);
    return OK;
}

/* Cuts the bond: after the fee a part is burned, the rest goes to the reporter and the buyer. */
static err cut_bond(const exec *x, const spoiling *s, chain_row_worker *w, uint64_t *slashed, uint64_t *fee, uint64_t *burned)
{
    chain *c = x->c;
    uint64_t reporter, rest;
    const chain_row_job *job = chain_job(c, s->job);
    TRY(mul_div_u64(slashed, w->bond, param(c, CHAIN_PARAM_SLASH), PPM, ROUND_UP));
    w->bond -= *slashed;
    TRY(chain_purse_take(c, PURSE_BONDS, *slashed));
    *fee = *slashed < s->fee_max ? *slashed : s->fee_max;
    rest = *slashed - *fee;
    TRY(mul_div_u64(burned, rest, param(c, CHAIN_PARAM_SLASH_BURN), PPM, ROUND_DOWN));
    rest -= *burned;
    TRY(mul_div_u64(&reporter, rest, param(c, CHAIN_PARAM_SLASH_REPORTER), PPM, ROUND_DOWN));
    rest -= reporter;
    if (s->drawn)
        *burned += reporter;
    else
        TRY(chain_account_credit(c, &s->reporter, reporter));
    TRY(chain_supply_burn(c, *burned));
    return chain_account_credit(c, &job->owner, rest);
}

err chain_lease_spoil(exec *x, const spoiling *s, uint64_t *fee, fault *f)
{
    uint64_t slashed, burned;
    chain_row_lease *row = s->row;
    chain_row_worker *w = chain_worker_edit(x, &row->worker);
    if (row->status == CHAIN_LEASE_COMMITTED) {
        TRY(checked_sub_u64(&w->live_leases, w->live_leases, 1));
        TRY(chain_lease_take(x, s->job, row->from, row->to, TAKE_RELEASE, f));
    }
    if (row->status != CHAIN_LEASE_PAID)
        row->settle_height = x->height;
    row->status = CHAIN_LEASE_SPOILED;
    row->challenge_height = 0;
    TRY(checked_add_u64(&w->leases_spoiled, w->leases_spoiled, 1));
    TRY(cut_bond(x, s, w, &slashed, fee, &burned));
    TRY(chain_provider_faulted(x->c, ECON_COMPUTE, &row->worker, w->bond));
    chain_event_add(x->c, CHAIN_EVENT_WORKER_SLASHED, x->tx_index)->data.worker_slashed =
        (chain_event_worker_slashed){ .job = *s->job, .lease_id = s->lease_id, .worker = row->worker, .slashed = slashed,
                                      .burned = burned };
    return OK;
}

err chain_exec_slash(exec *x, const chain_tx_slash *p, fault *f)
{
    chain *c = x->c;
    receipt r;
    chain_key job_key = chain_key_job(&p->job);
    const chain_row_job *job = chain_row_get(c, CHAIN_TABLE_JOB, &job_key);
    if (!job)
        return fail(f, ERR_NOT_FOUND, "slash.job", 0);
    TRY(chain_receipt_open(x, &r, &p->job, job, p->lease, p->attestation, f));
    chain_key worker_key = chain_key_address(&r.worker);
    if (!chain_row_get(c, CHAIN_TABLE_WORKER, &worker_key))
        return fail(f, ERR_NOT_FOUND, "lease.worker", 0);
    const chain_row_lease *now = chain_lease_find(x, &r);
    if (now && !hash256_equal(&now->lease_hash, &r.lease_signed.hash))
        return fail(f, ERR_HASH, "lease", r.lease.lease_id);
    if (now && now->status == CHAIN_LEASE_SPOILED)
        return fail(f, ERR_DUPLICATE, "lease.lease_id", r.lease.lease_id);
    TRY(p->evidence.len ? check_evidence(x, &r, p->evidence, f) : check_default(x, &r, now, f));

    uint64_t fee;
    chain_key key = chain_key_numbered(&p->job, r.lease.lease_id);
    spoiling s = { .job = &p->job, .lease_id = r.lease.lease_id, .reporter = x->sender,
                   .row = now ? chain_row_edit(c, CHAIN_TABLE_LEASE, &key) : chain_lease_create(x, &r) };
    return chain_lease_spoil(x, &s, &fee, f);
}
