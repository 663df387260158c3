/* SPDX-License-Identifier: Apache-2.0
 * Leases on the chain: trace commitment, payment. What is held against them: exec_dispute.c. */
#include "chain/econ/econ_int.h"
#include "chain/receipt_int.h"
#include "crypto/sha256.h"

err chain_receipt_open(const exec *x, receipt *r, const hash256 *job_id, const chain_row_job *job, bytes lease,
                       bytes attestation, fault *f)
{
    TRY(chain_lease_decode(&r->lease, &r->lease_signed, lease, f));
    TRY(chain_attestation_decode(&r->attestation, &r->attestation_signed, attestation, f));
    if (!chain_name_equal(&r->lease.chain_id, &x->c->genesis.chain_id))
        return fail(f, ERR_CHAIN_ID, "lease.chain_id", 0);
    if (!hash256_equal(&r->lease.job, job_id))
        return fail(f, ERR_HASH, "lease.job", 0);
    TRY(chain_attestation_matches(&r->attestation, &r->lease, &r->lease_signed.hash, f));
    if (chain_signed_verify(&r->lease_signed, &job->coordinator) != OK)
        return fail(f, ERR_SIGNATURE, "lease.signature", 0);
    if (chain_signed_verify(&r->attestation_signed, &r->lease.worker) != OK)
        return fail(f, ERR_SIGNATURE, "attestation.signature", 0);
    r->worker = cr_address_of_key(&r->lease.worker);
    return OK;
}

/* What the job and the accepted bid allow the lease to say. `fresh`: it comes to the chain now, so there must be a bond behind it. */
static err receipt_check_terms(const exec *x, const receipt *r, const chain_row_job *job, bool fresh, fault *f)
{
    const chain_lease *l = &r->lease;
    uint64_t sequences = l->to - l->from, price_max;
    if (l->to > job->sequences_total)
        return fail(f, ERR_RANGE, "lease.to", l->to);
    if (l->from / job->batch_size != l->step || (l->to - 1) / job->batch_size != l->step)
        return fail(f, ERR_STALE, "lease.step", l->step);
    if (l->level_min < job->level_min)
        return fail(f, ERR_LEVEL, "lease.level_min", l->level_min);
    /* It would prove nothing beyond a sample (spec/proof.md section 15): paying such a claim would put a level on record that nobody checked. */
    if (r->attestation.level == CHAIN_LEVEL_LINEAR)
        return fail(f, ERR_UNSUPPORTED, "attestation.level", r->attestation.level);
    uint64_t weights = chain_weights(job->vocabulary, job->context, job->width, job->layers);
    if (r->attestation.level == CHAIN_LEVEL_FULL && weights > LIMIT_PROVED_WEIGHTS) /* more than the job asked for, and than can be audited */
        return fail(f, ERR_LIMIT, "attestation.level", weights);
    if (l->expiry_height > job->expiry_height)
        return fail(f, ERR_EXPIRED, "lease.expiry_height", l->expiry_height);
    chain_key worker_key = chain_key_address(&r->worker);
    const chain_row_worker *w = chain_row_get(x->c, CHAIN_TABLE_WORKER, &worker_key);
    if (!w)
        return fail(f, ERR_NOT_FOUND, "lease.worker", 0);
    if (w->status == CHAIN_WORKER_LEFT)
        return fail(f, ERR_STATE, "worker.status", w->status);
    chain_key bid_key = chain_key_bid(&l->job, &r->worker);
    const chain_row_bid *bid = chain_row_get(x->c, CHAIN_TABLE_BID, &bid_key);
    if (!bid || bid->status != CHAIN_BID_ACCEPTED)
        return fail(f, ERR_PERMISSION, "lease.worker", 0);
    if (fresh && w->bond < param(x->c, CHAIN_PARAM_WORKER_BOND_MIN))
        return fail(f, ERR_BOND, "worker.bond", w->bond);
    if (sequences > bid->capacity)
        return fail(f, ERR_LIMIT, "lease.to", l->to);
    /* Rounded down, so that leases over disjoint ranges never ask for more than the escrow holds, however the job is cut. */
    TRY(mul_div_u64(&price_max, bid->price, sequences, job->price_sequences, ROUND_DOWN));
    if (l->price > price_max)
        return fail(f, ERR_RANGE, "lease.price", l->price);
    if (r->attestation.tokens != sequences * job->context)
        return fail(f, ERR_RANGE, "attestation.tokens", r->attestation.tokens);
    return OK;
}

chain_row_lease *chain_lease_create(const exec *x, const receipt *r)
{
    chain_key key = chain_key_numbered(&r->lease.job, r->lease.lease_id);
    chain_row_lease *row = chain_row_create(x->c, CHAIN_TABLE_LEASE, &key);
    *row = (chain_row_lease){ .lease_hash = r->lease_signed.hash, .attestation_hash = r->attestation_signed.hash,
                              .trace_root = r->attestation.trace_root, .worker = r->worker, .from = r->lease.from,
                              .to = r->lease.to, .level = r->attestation.level, .proof = r->attestation.proof };
    return row;
}

const chain_row_lease *chain_lease_find(const exec *x, const receipt *r)
{
    chain_key key = chain_key_numbered(&r->lease.job, r->lease.lease_id);
    return chain_row_get(x->c, CHAIN_TABLE_LEASE, &key);
}

/* ERR_OVERLAP: a sequence is another lease's. */
static err take_sequence(chain_row_coverage *row, uint64_t i, taking how)
{
    uint8_t bit = (uint8_t)(1u << (i & 7)), *paid = &row->paid.b[i / 8], *reserved = &row->reserved.b[i / 8];
    bool free = !(*paid & bit) && (how == TAKE_SETTLE || !(*reserved & bit));
    if (how == TAKE_RELEASE)
        *reserved = (uint8_t)(*reserved & ~bit);
    else if (!free)
        return ERR_OVERLAP;
    else if (how == TAKE_RESERVE)
        *reserved = (uint8_t)(*reserved | bit);
    else
        *paid = (uint8_t)(*paid | bit);
    return OK;
}

err chain_lease_take(const exec *x, const hash256 *job, uint64_t from, uint64_t to, taking how, fault *f)
{
    for (uint64_t block = from / 256; block <= (to - 1) / 256; block++) {
        chain_key key = chain_key_numbered(job, block);
        chain_row_coverage *row = chain_row_edit_or_create(x->c, CHAIN_TABLE_COVERAGE, &key);
        uint64_t first = block * 256 < from ? from - block * 256 : 0;
        uint64_t last = to - block * 256 < 256 ? to - block * 256 : 256;
        for (uint64_t i = first; i < last; i++)
            if (take_sequence(row, i, how) != OK)
                return fail(f, ERR_OVERLAP, "lease.from", block * 256 + i);
    }
    return OK;
}

chain_row_worker *chain_worker_edit(const exec *x, const cr_address *worker)
{
    chain_key key = chain_key_address(worker);
    return chain_row_edit(x->c, CHAIN_TABLE_WORKER, &key);
}

/* The block after this one puts its randomness where it is drawn from which of this block's leases are re-executed and audited. */
static err ask_for_beacon(const exec *x)
{
    uint64_t next;
    TRY(checked_add_u64(&next, x->height, 1));
    chain_key key = chain_key_height(next);
    if (!chain_row_get(x->c, CHAIN_TABLE_BEACON, &key))
        (void)chain_row_create(x->c, CHAIN_TABLE_BEACON, &key);
    return OK;
}

err chain_exec_trace_commit(exec *x, const chain_tx_trace_commit *p, fault *f)
{
    chain *c = x->c;
    const chain_row_job *job;
    chain_receipt items[64];
    size_t count;
    TRY(chain_find_open_job(x, &p->job, "trace_commit.job", &job, f));
    /* Not the worker: what it commits to counts only once the coordinator holds the gradient and the leaves of the trace. */
    if (!chain_job_sender_leads(x, job))
        return fail(f, ERR_PERMISSION, "trace_commit.sender", 0);
    TRY(chain_receipts_decode(items, &count, p->traces, f));
    uint64_t live_until;
    TRY(checked_add_u64(&live_until, job->expiry_height, param(c, CHAIN_PARAM_CLAIM_WINDOW)));
    for (size_t i = 0; i < count; i++) {
        receipt r;
        TRY(chain_receipt_open(x, &r, &p->job, job, items[i].lease, items[i].attestation, f));
        TRY(receipt_check_terms(x, &r, job, true, f));
        if (x->height > r.lease.expiry_height)
            return fail(f, ERR_EXPIRED, "lease.expiry_height", r.lease.expiry_height);
        if (chain_lease_find(x, &r))
            return fail(f, ERR_DUPLICATE, "lease.lease_id", r.lease.lease_id);
        TRY(chain_lease_take(x, &p->job, r.lease.from, r.lease.to, TAKE_RESERVE, f));
        chain_row_lease *row = chain_lease_create(x, &r);
        row->status = CHAIN_LEASE_COMMITTED;
        row->commit_height = x->height;
        chain_row_worker *w = chain_worker_edit(x, &r.worker);
        TRY(checked_add_u64(&w->live_leases, w->live_leases, 1));
        if (w->live_until_height < live_until)
            w->live_until_height = live_until;
        chain_event_add(c, CHAIN_EVENT_TRACE_COMMITTED, x->tx_index)->data.trace_committed =
            (chain_event_trace_committed){ .job = p->job, .lease_id = r.lease.lease_id, .trace_root = row->trace_root };
    }
    return ask_for_beacon(x);
}

/* Whether this lease may be paid now, and by this sender. */
static err check_payable(const exec *x, const receipt *r, const chain_row_job *job, const chain_row_lease *row, fault *f)
{
    bool leads = chain_job_sender_leads(x, job);
    if (!row) {
        if (job->sample_ppm > 0)
            return fail(f, ERR_STATE, "trace commitment", r->lease.lease_id);
        if (x->height > r->lease.expiry_height)
            return fail(f, ERR_EXPIRED, "lease.expiry_height", r->lease.expiry_height);
        return leads ? OK : fail(f, ERR_PERMISSION, "receipt_pay.sender", 0);
    }
    if (row->status == CHAIN_LEASE_PAID)
        return fail(f, ERR_DUPLICATE, "lease.lease_id", r->lease.lease_id);
    if (row->status == CHAIN_LEASE_SPOILED)
        return fail(f, ERR_STATE, "lease.status", row->status);
    if (!hash256_equal(&row->lease_hash, &r->lease_signed.hash))
        return fail(f, ERR_HASH, "lease", r->lease.lease_id);
    if (!hash256_equal(&row->attestation_hash, &r->attestation_signed.hash))
        return fail(f, ERR_HASH, "attestation", r->lease.lease_id);
    if (x->height <= row->commit_height)
        return fail(f, ERR_BUSY, "lease.commit_height", row->commit_height);
    if (row->challenge_height)
        return fail(f, ERR_STATE, "lease.challenge_height", row->challenge_height);
    const chain_row_audit *audit = chain_audit_row(x->c, &r->lease.job, r->lease.lease_id);
    if (audit && audit->status == CHAIN_AUDIT_OPEN)
        return fail(f, ERR_STATE, "audit.status", audit->status);
    if (leads)
        return OK;
    if (!cr_address_equal(&x->sender, &r->worker))
        return fail(f, ERR_PERMISSION, "receipt_pay.sender", 0);
    /* The coordinator had its time to look at the sample; now silence must not cost the worker its pay. */
    if (x->height - row->commit_height < param(x->c, CHAIN_PARAM_CLAIM_DELAY))
        return fail(f, ERR_BUSY, "job.claim_delay", row->commit_height);
    return OK;
}

/* Multiply-adds of a gradient over so many tokens, in 10^6: forward, and both products of the backward pass, of every product of matrices; of
 * attention the causal half. */
static uint64_t work_units(const chain_row_job *job, uint64_t tokens)
{
    u128 d = job->width, per_token = 12 * d * d * job->layers + d * job->vocabulary + d * job->context * job->layers;
    u128 units = 3 * per_token * tokens / 1000000;
    return units > UINT64_MAX ? UINT64_MAX : (uint64_t)units;
}

/* Whether a subsidy was ever due on this model and these tokens: if not, it is now. */
static bool first_time(const exec *x, const chain_lease *l)
{
    static const char tag[] = "theblock/worked/v1";
    uint8_t range[16];
    store_be64(range, l->from);
    store_be64(range + 8, l->to);
    hash256 id = cr_sha256_concat((const bytes[]){ bytes_of(tag, sizeof tag), BYTES_OF(l->model), BYTES_OF(l->tokens), BYTES_OF(range) }, 4);
    chain_key key = chain_key_job(&id);
    if (chain_row_get(x->c, CHAIN_TABLE_WORKED, &key))
        return false;
    ((chain_row_worked *)chain_row_create(x->c, CHAIN_TABLE_WORKED, &key))->height = x->height;
    return true;
}

/* What a fault costs a worker beyond what comes back to it as the buyer: what is burned of the slash, the drawn reporter's part included. */
static err loss_of_fault(const chain *c, uint64_t bond, uint64_t *loss)
{
    uint64_t slashed, burned, reporter;
    TRY(mul_div_u64(&slashed, bond, param(c, CHAIN_PARAM_SLASH), PPM, ROUND_DOWN));
    TRY(mul_div_u64(&burned, slashed, param(c, CHAIN_PARAM_SLASH_BURN), PPM, ROUND_DOWN));
    TRY(mul_div_u64(&reporter, slashed - burned, param(c, CHAIN_PARAM_SLASH_REPORTER), PPM, ROUND_DOWN));
    return checked_add_u64(loss, burned, reporter);
}

/* A level is what the attestation claims until an audit is drawn, with probability q: the subsidies that the claimed work of an epoch may earn, now and by
 * standing by, together at most its reference cost, must be worth less than the expected loss, gain x (1 - q) <= loss x q (DESIGN 5). */
static err stake_covers(const exec *x, const cr_address *worker, uint64_t units, bool *covers)
{
    const chain *c = x->c;
    uint64_t loss, q = param(c, CHAIN_PARAM_AUDIT_RATE);
    chain_key key = chain_key_provider(ECON_COMPUTE, worker);
    const chain_row_provider *p = chain_row_get(c, CHAIN_TABLE_PROVIDER, &key);
    *covers = false;
    if (!p || !p->active)
        return OK;
    uint64_t before = p->epoch == epoch_of(c, x->height) ? p->work : 0;
    if (!chain_units_fit(c, ECON_COMPUTE, before, units))
        return OK;
    TRY(loss_of_fault(c, p->stake, &loss));
    *covers = (u128)chain_reference_cost(c, ECON_COMPUTE, before + units) * (PPM - q) <= (u128)loss * q;
    return OK;
}

/* The compute market's meters. Only proved work earns a subsidy, and each piece of it once (DESIGN 7): what earns none for another reason is not used up. */
static err report_work(const exec *x, const receipt *r, const chain_row_job *job)
{
    chain_work w = { .market = ECON_COMPUTE, .provider = r->worker, .units = work_units(job, r->attestation.tokens), .payout = r->lease.price };
    bool covers;
    TRY(stake_covers(x, &r->worker, w.units, &covers));
    w.eligible = r->attestation.level == CHAIN_LEVEL_FULL && covers && chain_kyc_valid_at(x->c, &r->worker, x->height) && first_time(x, &r->lease);
    return chain_market_work(x->c, &w, x->height);
}

/* Gross out of the escrow, tariff to the treasury, the rest to the worker. */
static err pay(const exec *x, const receipt *r, chain_row_job *job, chain_row_lease *row, fault *f)
{
    chain *c = x->c;
    uint64_t gross = r->lease.price, tariff = 0;
    if (job->escrow < gross)
        return fail(f, ERR_FUNDS, "job.escrow", job->escrow);
    bool open = !chain_kyc_valid_at(c, &job->owner, x->height) || !chain_kyc_valid_at(c, &r->worker, x->height);
    if (open)
        TRY(chain_tariff_of(c, &tariff, gross));
    job->escrow -= gross;
    job->sequences_paid += r->lease.to - r->lease.from;
    TRY(chain_purse_take(c, PURSE_ESCROW, gross));
    TRY(chain_account_credit(c, &r->worker, gross - tariff));
    chain_meter_volume(c, gross, open);

    chain_row_worker *w = chain_worker_edit(x, &r->worker);
    if (row->status == CHAIN_LEASE_COMMITTED)
        TRY(checked_sub_u64(&w->live_leases, w->live_leases, 1));
    TRY(checked_add_u64(&w->leases_paid, w->leases_paid, 1));
    /* Evidence must find a bond for a while after every payment, not only after the last word of who leaves. */
    uint64_t bond_until;
    TRY(checked_add_u64(&bond_until, x->height, param(c, CHAIN_PARAM_WORKER_UNBOND)));
    if (w->status == CHAIN_WORKER_LEAVING && w->withdraw_height < bond_until)
        w->withdraw_height = bond_until;
    row->status = CHAIN_LEASE_PAID;
    row->settle_height = x->height;
    row->gross = gross;
    row->tariff = tariff;

    chain_event_add(c, CHAIN_EVENT_RECEIPT_PAID, x->tx_index)->data.receipt_paid =
        (chain_event_receipt_paid){ .job = r->lease.job, .lease_id = r->lease.lease_id, .worker = r->worker, .gross = gross,
                                    .tariff = tariff };
    TRY(report_work(x, r, job));
    return chain_tariff_collect(c, &r->worker, tariff, x->tx_index);
}

err chain_exec_receipt_pay(exec *x, const chain_tx_receipt_pay *p, fault *f)
{
    chain *c = x->c;
    const chain_row_job *job;
    chain_receipt items[64];
    size_t count;
    TRY(chain_find_open_job(x, &p->job, "receipt_pay.job", &job, f));
    TRY(chain_receipts_decode(items, &count, p->receipts, f));
    chain_key job_key = chain_key_job(&p->job);
    chain_row_job *mine = chain_row_edit(c, CHAIN_TABLE_JOB, &job_key);
    bool to_be_drawn = false;
    for (size_t i = 0; i < count; i++) {
        receipt r;
        TRY(chain_receipt_open(x, &r, &p->job, job, items[i].lease, items[i].attestation, f));
        const chain_row_lease *row = chain_lease_find(x, &r);
        TRY(receipt_check_terms(x, &r, job, !row, f));
        TRY(check_payable(x, &r, job, row, f));
        TRY(chain_lease_take(x, &p->job, r.lease.from, r.lease.to, row ? TAKE_SETTLE : TAKE_PAY, f));
        chain_key key = chain_key_numbered(&r.lease.job, r.lease.lease_id);
        TRY(pay(x, &r, mine, row ? chain_row_edit(c, CHAIN_TABLE_LEASE, &key) : chain_lease_create(x, &r), f));
        to_be_drawn = to_be_drawn || (!row && r.attestation.level == CHAIN_LEVEL_FULL);
    }
    return to_be_drawn ? ask_for_beacon(x) : OK;
}
