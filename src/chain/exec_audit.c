/* SPDX-License-Identifier: Apache-2.0
 * Audits: the validators verify the proof of a lease outside the execution of blocks, and their verdicts settle it (spec/audit.md). */
#include "chain/econ/econ_int.h"
#include "chain/receipt_int.h"

/* --- opening -------------------------------------------------------------------------------------------------------------- */

err chain_audit_draw(const chain *c, bool *out, const chain_row_lease *row, uint64_t height)
{
    if (row->level != CHAIN_LEVEL_FULL || row->status == CHAIN_LEASE_SPOILED)
        return ERR_NOT_FOUND;
    if (height <= chain_lease_first_block(row))
        return ERR_BUSY;
    const chain_row_beacon *beacon = chain_beacon(c, chain_lease_first_block(row) + 1);
    if (!beacon)
        return ERR_NOT_FOUND;
    *out = chain_audit_selected(&beacon->randomness, &row->lease_hash, (uint32_t)param(c, CHAIN_PARAM_AUDIT_RATE));
    return OK;
}

uint64_t chain_audit_reopen_window(const chain_params *p)
{
    uint64_t audit = p->v[CHAIN_PARAM_AUDIT_PUSH] + p->v[CHAIN_PARAM_AUDIT_VERDICT];
    uint64_t bond = p->v[CHAIN_PARAM_WORKER_UNBOND] - audit;
    uint64_t claim = p->v[CHAIN_PARAM_CLAIM_WINDOW] - p->v[CHAIN_PARAM_CLAIM_DELAY] - p->v[CHAIN_PARAM_OPEN_WINDOW] - audit;
    return bond < claim ? bond : claim;
}

/* Blocks after the lease's first one in which an audit may be opened, after one that was closed without a verdict or not. */
static uint64_t opening_window(const chain *c, bool again)
{
    static const chain_param read[] = { CHAIN_PARAM_AUDIT_PUSH,   CHAIN_PARAM_AUDIT_VERDICT, CHAIN_PARAM_WORKER_UNBOND,
                                        CHAIN_PARAM_CLAIM_WINDOW, CHAIN_PARAM_CLAIM_DELAY,   CHAIN_PARAM_OPEN_WINDOW };
    chain_params p = { { 0 } };
    for (size_t i = 0; i < COUNT_OF(read); i++)
        p.v[read[i]] = param(c, read[i]);
    return again ? chain_audit_reopen_window(&p) : param(c, CHAIN_PARAM_AUDIT_WINDOW);
}

err chain_audit_may_open(const chain *c, const hash256 *job, uint64_t lease_id, uint64_t height, fault *f)
{
    const chain_row_lease *row = chain_lease_row(c, job, lease_id);
    const chain_row_audit *before = chain_audit_row(c, job, lease_id);
    if (!row)
        return fail(f, ERR_NOT_FOUND, "lease.lease_id", lease_id);
    if (row->level != CHAIN_LEVEL_FULL)
        return fail(f, ERR_LEVEL, "lease.level", row->level);
    if (before && before->status != CHAIN_AUDIT_CLOSED)
        return fail(f, ERR_DUPLICATE, "audit", lease_id);
    if (row->status == CHAIN_LEASE_SPOILED)
        return fail(f, ERR_STATE, "lease.status", row->status);
    if (height - chain_lease_first_block(row) > opening_window(c, before != NULL))
        return fail(f, ERR_EXPIRED, "audit.window", chain_lease_first_block(row));
    return OK;
}

static err check_opening(const exec *x, const receipt *r, const chain_row_lease *row, fault *f)
{
    if (!row)
        return fail(f, ERR_NOT_FOUND, "lease.lease_id", r->lease.lease_id);
    if (!hash256_equal(&row->lease_hash, &r->lease_signed.hash))
        return fail(f, ERR_HASH, "lease", r->lease.lease_id);
    if (!hash256_equal(&row->attestation_hash, &r->attestation_signed.hash))
        return fail(f, ERR_HASH, "attestation", r->lease.lease_id);
    return chain_audit_may_open(x->c, &r->lease.job, r->lease.lease_id, x->height, f);
}

err chain_exec_audit_open(exec *x, const chain_tx_audit_open *p, fault *f)
{
    chain *c = x->c;
    receipt r;
    bool drawn = false;
    const chain_row_job *job = chain_job(c, &p->job);
    if (!job)
        return fail(f, ERR_NOT_FOUND, "audit_open.job", 0);
    TRY(chain_receipt_open(x, &r, &p->job, job, p->lease, p->attestation, f));
    const chain_row_lease *row = chain_lease_find(x, &r);
    TRY(check_opening(x, &r, row, f));
    /* In the lease's first block nobody knows the draw yet: who does not wait for it puts up the deposit. */
    if (chain_audit_draw(c, &drawn, row, x->height) != OK)
        drawn = false;
    uint64_t fee = param(c, CHAIN_PARAM_AUDIT_DEPOSIT), deposit = drawn ? 0 : fee;
    if (chain_account_debit(c, &x->sender, deposit) != OK)
        return fail(f, ERR_FUNDS, "audit.deposit", deposit);
    TRY(chain_purse_add(c, PURSE_ESCROW, deposit));
    chain_row_worker *w = chain_worker_edit(x, &r.worker);
    TRY(checked_add_u64(&w->audits, w->audits, 1));
    chain_key key = chain_key_numbered(&p->job, r.lease.lease_id);
    chain_row_audit *audit = chain_row_edit_or_create(c, CHAIN_TABLE_AUDIT, &key); /* of one that was closed nothing is left, no vote either */
    *audit = (chain_row_audit){ .opener = x->sender, .deposit = deposit, .fee = fee, .status = CHAIN_AUDIT_OPEN,
                                .open_height = x->height };
    chain_event_add(c, CHAIN_EVENT_AUDIT_OPENED, x->tx_index)->data.audit_opened =
        (chain_event_audit_opened){ .job = p->job, .lease_id = r.lease.lease_id, .worker = r.worker, .deposit = deposit };
    return OK;
}

/* --- end ------------------------------------------------------------------------------------------------------------------ */

/* An audit that a transaction is about, and its lease; rows to be written once it was admitted. */
typedef struct auditing {
    const hash256         *job;
    uint64_t               lease_id;
    chain_key              key;
    const chain_row_audit *audit;
    const chain_row_lease *lease;
} auditing;

static err find_open(const exec *x, auditing *a, const hash256 *job, uint64_t lease_id, const char *what, fault *f)
{
    *a = (auditing){ .job = job, .lease_id = lease_id, .key = chain_key_numbered(job, lease_id) };
    a->audit = chain_row_get(x->c, CHAIN_TABLE_AUDIT, &a->key);
    a->lease = chain_row_get(x->c, CHAIN_TABLE_LEASE, &a->key);
    if (!a->audit || !a->lease)
        return fail(f, ERR_NOT_FOUND, what, lease_id);
    if (a->audit->status != CHAIN_AUDIT_OPEN)
        return fail(f, ERR_STATE, "audit.status", a->audit->status);
    return OK;
}

/* Neither the time to show nor the time to judge is left. */
static bool is_over(const exec *x, const chain_row_audit *audit)
{
    return x->height - audit->open_height > param(x->c, CHAIN_PARAM_AUDIT_PUSH) + param(x->c, CHAIN_PARAM_AUDIT_VERDICT);
}

static size_t count_votes(const hash256 *votes)
{
    size_t n = 0;
    for (size_t i = 0; i < LIMIT_GENESIS_KEYS; i++)
        n += votes->b[i / 8] >> (i % 8) & 1;
    return n;
}

static bool has_vote(const hash256 *votes, size_t i)
{
    return votes->b[i / 8] >> (i % 8) & 1;
}

/* What left a purse goes in equal parts to who voted so, and what cannot be divided to the treasury. */
static err pay_validators(const exec *x, const hash256 *votes, uint64_t amount)
{
    const chain_genesis *g = &x->c->genesis;
    uint64_t count = count_votes(votes), part = amount / count;
    for (size_t i = 0; part && i < g->producer_count; i++) {
        if (!has_vote(votes, i))
            continue;
        cr_address a = cr_address_of_key(&g->producers[i]);
        TRY(chain_account_credit(x->c, &a, part));
    }
    return chain_treasury_income(x->c, amount - part * count);
}

static err end_audit(exec *x, const auditing *a, chain_row_audit *audit, chain_audit_status status)
{
    audit->status = (uint8_t)status;
    audit->end_height = x->height;
    chain_row_worker *w = chain_worker_edit(x, &a->lease->worker);
    TRY(checked_sub_u64(&w->audits, w->audits, 1));
    chain_event_add(x->c, CHAIN_EVENT_AUDIT_ENDED, x->tx_index)->data.audit_ended =
        (chain_event_audit_ended){ .job = *a->job, .lease_id = a->lease_id, .status = audit->status };
    return OK;
}

static err return_deposit(const exec *x, const chain_row_audit *audit)
{
    if (!audit->deposit)
        return OK;
    TRY(chain_purse_take(x->c, PURSE_ESCROW, audit->deposit));
    return chain_account_credit(x->c, &audit->opener, audit->deposit);
}

/* The dispute was wrong: its deposit pays the worker and the validators for their work. */
static err settle_valid(exec *x, const auditing *a, chain_row_audit *audit)
{
    if (audit->deposit) {
        uint64_t half = audit->deposit / 2;
        TRY(chain_purse_take(x->c, PURSE_ESCROW, audit->deposit));
        TRY(chain_account_credit(x->c, &a->lease->worker, half));
        TRY(pay_validators(x, &audit->valid, audit->deposit - half));
    }
    return end_audit(x, a, audit, CHAIN_AUDIT_VALID);
}

static err settle_false(exec *x, const auditing *a, chain_row_audit *audit, fault *f)
{
    uint64_t fee;
    spoiling s = { .job = a->job, .lease_id = a->lease_id, .row = chain_row_edit(x->c, CHAIN_TABLE_LEASE, &a->key),
                   .reporter = audit->opener, .drawn = audit->deposit == 0, .fee_max = audit->fee };
    TRY(chain_lease_spoil(x, &s, &fee, f));
    TRY(pay_validators(x, &audit->invalid, fee));
    TRY(return_deposit(x, audit));
    return end_audit(x, a, audit, CHAIN_AUDIT_FALSE);
}

/* --- verdict -------------------------------------------------------------------------------------------------------------- */

static err check_verdict(const exec *x, const chain_tx_audit_verdict *p, const auditing *a, size_t validator, fault *f)
{
    if (a->lease->status == CHAIN_LEASE_SPOILED)
        return fail(f, ERR_STATE, "lease.status", a->lease->status);
    if (is_over(x, a->audit))
        return fail(f, ERR_EXPIRED, "audit.verdict_window", a->audit->open_height);
    if (has_vote(&a->audit->valid, validator) || has_vote(&a->audit->invalid, validator))
        return fail(f, ERR_DUPLICATE, "audit_verdict.sender", validator);
    if (p->valid ? p->reason != 0 : p->reason == 0)
        return fail(f, ERR_RANGE, "audit_verdict.reason", p->reason);
    /* What is not there yet may still come. */
    if (p->reason == ERR_NOT_FOUND && x->height - a->audit->open_height <= param(x->c, CHAIN_PARAM_AUDIT_PUSH))
        return fail(f, ERR_BUSY, "audit.push_window", a->audit->open_height);
    return OK;
}

err chain_exec_audit_verdict(exec *x, const chain_tx_audit_verdict *p, fault *f)
{
    size_t validator;
    auditing a;
    if (!chain_producer_index(x->c, &x->sender_key, &validator))
        return fail(f, ERR_PERMISSION, "audit_verdict.sender", 0);
    TRY(find_open(x, &a, &p->job, p->lease_id, "audit_verdict.lease_id", f));
    TRY(check_verdict(x, p, &a, validator, f));

    CHECK(LIMIT_GENESIS_KEYS <= 8 * sizeof(hash256)); /* a vote is a bit of it */
    chain_row_audit *audit = chain_row_edit(x->c, CHAIN_TABLE_AUDIT, &a.key);
    hash256 *votes = p->valid ? &audit->valid : &audit->invalid;
    votes->b[validator / 8] = (uint8_t)(votes->b[validator / 8] | 1u << (validator % 8));
    if (!p->valid)
        audit->reason = p->reason;
    chain_event_add(x->c, CHAIN_EVENT_AUDIT_VOTED, x->tx_index)->data.audit_voted =
        (chain_event_audit_voted){ .job = p->job, .lease_id = p->lease_id, .validator = x->sender_key, .valid = p->valid,
                                   .reason = p->reason };
    if (3 * count_votes(votes) <= 2 * x->c->genesis.producer_count)
        return OK;
    return p->valid ? settle_valid(x, &a, audit) : settle_false(x, &a, audit, f);
}

err chain_exec_audit_close(exec *x, const chain_tx_audit_close *p, fault *f)
{
    auditing a;
    TRY(find_open(x, &a, &p->job, p->lease_id, "audit_close.lease_id", f));
    if (a.lease->status != CHAIN_LEASE_SPOILED && !is_over(x, a.audit))
        return fail(f, ERR_BUSY, "audit.verdict_window", a.audit->open_height);
    chain_row_audit *audit = chain_row_edit(x->c, CHAIN_TABLE_AUDIT, &a.key);
    TRY(return_deposit(x, audit));
    return end_audit(x, &a, audit, CHAIN_AUDIT_CLOSED);
}
