/* SPDX-License-Identifier: Apache-2.0
 *
 * Towards the ledger: commit, randomness, pay, slash. A submission whose outcome is unknown is not repeated blindly: the rows say
 * what happened. */
#include "train/coordinator_int.h"

#include <stdlib.h>
#include <time.h>

enum { BATCH = 32, PAUSE_MS = 100 };

static void pause_ms(unsigned ms)
{
    struct timespec t = { ms / 1000, (long)(ms % 1000) * 1000000 };
    nanosleep(&t, NULL);
}

static void say_ledger(const tr_coordinator *c, err code)
{
    tr_coord_event(c, &(tr_event){ .kind = TR_EVENT_LEDGER, .step = c->state.step, .code = code });
}

/* After an error that may pass: false if the run has to end. */
static bool try_again(const tr_coordinator *c, err e)
{
    say_ledger(c, e);
    if (!err_describe(e)->retryable || atomic_load(&c->stopping))
        return false;
    pause_ms(PAUSE_MS);
    return true;
}

static err job_row(tr_coordinator *c, chain_row_job *row, fault *f)
{
    err e;
    do
        e = c->cfg.ledger.job(c->cfg.ledger.ctx, &c->cfg.job, row);
    while (e != OK && try_again(c, e));
    return e == OK ? OK : fail(f, e, "ledger.job", 0);
}

err tr_coord_escrow(tr_coordinator *c, uint64_t *out, fault *f)
{
    chain_row_job row;
    TRY(job_row(c, &row, f));
    *out = row.escrow;
    return OK;
}

/* Whether a refused submission of one lease says something about that lease: then OK. Otherwise the buyer has to do something (funds, the
 * job's state, its rights), no worker may lose by it, and the run ends with the error, which *f has already. */
static err about_lease(tr_coordinator *c, err e, uint64_t height, fault *f)
{
    chain_row_job job;
    if (height == 0 || e == ERR_FUNDS || e == ERR_PERMISSION || e == ERR_INVARIANT || e == ERR_INTERNAL)
        return e;
    TRY(job_row(c, &job, f));
    return job.status == CHAIN_JOB_OPEN ? OK : e;
}

err tr_coord_randomness(tr_coordinator *c, uint64_t height, hash256 *out, fault *f)
{
    err e;
    do
        e = c->cfg.ledger.randomness(c->cfg.ledger.ctx, height, out, f);
    while (e != OK && try_again(c, e));
    return e;
}

err tr_coord_row(tr_coordinator *c, const answer *a, chain_row_lease *row, fault *f)
{
    err e;
    do
        e = c->cfg.ledger.lease(c->cfg.ledger.ctx, &c->cfg.job, a->terms.lease_id, row);
    while (e != OK && e != ERR_NOT_FOUND && try_again(c, e));
    return e == OK ? OK : fail(f, e, "ledger.lease", a->terms.lease_id);
}

/* --- commit --------------------------------------------------------------------------------------------------------------- */

typedef struct batch {
    size_t   count;
    size_t   index[BATCH];
    uint8_t  items[65536];
    bytes    view;
} batch;

/* What is on the ledger already, from before a restart or a lost answer. */
err tr_coord_look_up(tr_coordinator *c, size_t i, bool *found, fault *f)
{
    chain_row_lease row;
    answer *a = &c->answers[i];
    *found = false;
    err e = tr_coord_row(c, a, &row, f);
    if (e != OK && e != ERR_NOT_FOUND)
        return e;
    pthread_mutex_lock(&c->mu);
    a->look = false;
    if (e == OK && hash256_equal(&row.attestation_hash, &a->said_hash) && row.commit_height) {
        a->committed = true;
        a->commit_height = row.commit_height;
        *found = true;
    }
    pthread_mutex_unlock(&c->mu);
    return OK;
}

/* Answers that wait for their commitment. */
static err gather(tr_coordinator *c, batch *b, fault *f)
{
    chain_receipt receipts[BATCH];
    b->count = 0;
    for (size_t i = 0; b->count < BATCH; i++) {
        pthread_mutex_lock(&c->mu);
        bool end = i >= c->book.entry_count;
        bool wants = !end && c->book.entries[i].status == TR_LEASE_SUBMITTED && !c->answers[i].committed &&
                     !tr_coord_wants_look(&c->answers[i]) && !c->answers[i].unproved;
        bool look = wants && c->answers[i].look, found = false;
        pthread_mutex_unlock(&c->mu);
        if (end)
            break;
        if (look)
            TRY(tr_coord_look_up(c, i, &found, f));
        if (!wants || found)
            continue;
        const answer *a = &c->answers[i];
        receipts[b->count] = (chain_receipt){ bytes_of(a->lease, a->lease_len), bytes_of(a->attestation, a->attestation_len) };
        b->index[b->count++] = i;
    }
    return b->count ? chain_receipts_encode(&b->view, b->items, sizeof b->items, receipts, b->count) : OK;
}

static err submit_commit(tr_coordinator *c, const batch *b, uint64_t *height, fault *f)
{
    *height = 0;
    chain_tx tx;
    memset(&tx, 0, sizeof tx);
    tx.type = CHAIN_TX_TRACE_COMMIT;
    tx.payload.trace_commit = (chain_tx_trace_commit){ .job = c->cfg.job, .traces = b->view };
    return c->cfg.ledger.submit(c->cfg.ledger.ctx, &tx, height, f);
}

static err commit_batch(tr_coordinator *c, batch *b, fault *f)
{
    uint64_t height;
    err e = submit_commit(c, b, &height, f);
    if (e != OK && err_describe(e)->retryable) {
        for (size_t k = 0; k < b->count; k++)
            c->answers[b->index[k]].look = true;
        return try_again(c, e) ? OK : e;
    }
    if (e != OK && height == 0)
        return e;
    if (e != OK && b->count == 1) {
        /* The ledger will never take it: to be trained again, by nobody else if another answer, which we have lost, holds the range. */
        bool found = false;
        if (e == ERR_DUPLICATE)
            TRY(tr_coord_look_up(c, b->index[0], &found, f));
        if (found)
            return OK;
        TRY(about_lease(c, e, height, f));
        return tr_coord_dismiss(c, b->index[0], e == ERR_OVERLAP, e, f);
    }
    if (e != OK) {
        /* One of them spoils it for all: one by one. */
        size_t count = b->count, index[BATCH];
        memcpy(index, b->index, sizeof index);
        for (size_t k = 0; k < count; k++) {
            const answer *a = &c->answers[index[k]];
            chain_receipt r = { bytes_of(a->lease, a->lease_len), bytes_of(a->attestation, a->attestation_len) };
            b->count = 1;
            b->index[0] = index[k];
            TRY(chain_receipts_encode(&b->view, b->items, sizeof b->items, &r, 1));
            TRY(commit_batch(c, b, f));
        }
        return OK;
    }
    for (size_t k = 0; k < b->count; k++) {
        answer *a = &c->answers[b->index[k]];
        a->committed = true;
        a->commit_height = height;
        tr_coord_event(c, &(tr_event){ .kind = TR_EVENT_COMMITTED, .step = c->state.step, .lease_id = a->terms.lease_id,
                                    .worker = &a->terms.worker, .at = height, .hash = &a->said.trace_root });
    }
    return OK;
}

err tr_coord_commit(tr_coordinator *c, fault *f)
{
    batch *b = malloc(sizeof *b);
    if (!b)
        return fail(f, ERR_MEMORY, "commit", 0);
    err e = gather(c, b, f);
    if (e == OK && b->count) {
        pthread_mutex_lock(&c->mu);
        e = tr_journal_sync(&c->journal, f);
        pthread_mutex_unlock(&c->mu);
    }
    if (e == OK && b->count)
        e = commit_batch(c, b, f);
    free(b);
    return e;
}

/* --- pay ------------------------------------------------------------------------------------------------------------------ */

static void settle(tr_coordinator *c, owed *o, err code, uint64_t height)
{
    pthread_mutex_lock(&c->mu);
    c->owed_total -= o->price;
    if (code == OK) {
        c->paid_total += o->price;
        c->members[o->member].status.paid += o->price;
    }
    pthread_mutex_unlock(&c->mu);
    tr_coord_event(c, &(tr_event){ .kind = TR_EVENT_PAID, .step = o->step, .lease_id = o->lease_id, .worker = &c->members[o->member].key,
                                .code = code, .at = height, .lease = bytes_of(o->lease, o->lease_len),
                                .attestation = bytes_of(o->attestation, o->attestation_len), .hash = &o->file });
    free(o->lease);
    free(o->attestation);
    o->lease = o->attestation = NULL;
}

/* Settled before, says the ledger. *row is zero if there is none. */
static err paid_before(tr_coordinator *c, owed *o, bool *yes, chain_row_lease *row, fault *f)
{
    err e;
    memset(row, 0, sizeof *row);
    do
        e = c->cfg.ledger.lease(c->cfg.ledger.ctx, &c->cfg.job, o->lease_id, row);
    while (e != OK && e != ERR_NOT_FOUND && try_again(c, e));
    o->look = false;
    *yes = e == OK && row->status == CHAIN_LEASE_PAID;
    if (*yes)
        settle(c, o, OK, row->settle_height);
    return e == OK || e == ERR_NOT_FOUND ? OK : fail(f, e, "ledger.lease", o->lease_id);
}

static err submit_pay(tr_coordinator *c, owed **list, size_t count, uint8_t *room, uint64_t *height, fault *f)
{
    chain_receipt receipts[BATCH];
    for (size_t i = 0; i < count; i++)
        receipts[i] = (chain_receipt){ bytes_of(list[i]->lease, list[i]->lease_len), bytes_of(list[i]->attestation, list[i]->attestation_len) };
    chain_tx tx;
    *height = 0;
    memset(&tx, 0, sizeof tx);
    tx.type = CHAIN_TX_RECEIPT_PAY;
    tx.payload.receipt_pay.job = c->cfg.job;
    TRY(chain_receipts_encode(&tx.payload.receipt_pay.receipts, room, 65536, receipts, count));
    return c->cfg.ledger.submit(c->cfg.ledger.ctx, &tx, height, f);
}

/* What may hold up the pay of a lease: a challenge, until the worker opens or the lease is spoiled, or an audit, until it ends. */
typedef enum hold { HOLD_NONE, HOLD_NOW, HOLD_OVER } hold;

/* Whether it was so when the payment failed, and is still. Nobody may hold it up for longer than he may. An audit that was closed may be opened again. */
static hold hold_of(const tr_coordinator *c, const owed *o, const chain_row_lease *row)
{
    const tr_ledger *l = &c->cfg.ledger;
    chain_row_audit audit;
    uint64_t now;
    err e;
    if (row->challenge_height)
        return l->height(l->ctx, &now) == OK && now <= row->challenge_height + l->open_window ? HOLD_NOW : HOLD_NONE;
    if (row->open_height && row->open_height >= o->refused_height)
        return HOLD_OVER;
    if (!l->audit || row->level != CHAIN_LEVEL_FULL)
        return HOLD_NONE;
    e = l->audit(l->ctx, &c->cfg.job, o->lease_id, &audit);
    if (e != OK && e != ERR_NOT_FOUND) /* not known: no reason to drop a debt */
        return HOLD_NOW;
    if (e == ERR_NOT_FOUND)
        return HOLD_NONE;
    return audit.status == CHAIN_AUDIT_OPEN ? HOLD_NOW : audit.end_height >= o->refused_height ? HOLD_OVER : HOLD_NONE;
}

/* The ledger ran the payment of this one debt and refused it: paid before, never to be paid, held up, or to be tried again. */
static err look_at_refused(tr_coordinator *c, owed *o, fault *f)
{
    chain_row_lease row;
    bool paid;
    TRY(paid_before(c, o, &paid, &row, f));
    if (paid)
        return OK;
    hold h = hold_of(c, o, &row);
    if (h == HOLD_NOW) /* the debts behind it are not */
        return OK;
    uint64_t height = o->refused_height;
    o->refused_height = 0;
    if (row.status == CHAIN_LEASE_COMMITTED && h == HOLD_OVER)
        return OK; /* opened, or found valid: now it can be paid */
    if (f && f->code != o->refused_code) /* else it says more about it */
        (void)!fail(f, o->refused_code, "receipt_pay", o->lease_id);
    if (row.challenge_height) /* not opened in time, and nobody has said so yet */
        return o->refused_code;
    if (row.status != CHAIN_LEASE_SPOILED)
        TRY(about_lease(c, o->refused_code, height, f));
    settle(c, o, o->refused_code, height);
    return OK;
}

/* Once everything else is paid: looks after what is held up, and waits a little if nothing has changed. *any: there was some. */
static err look_at_held(tr_coordinator *c, bool *any, fault *f)
{
    const owed *held = NULL;
    bool changed = false;
    for (size_t i = 0; i < c->debt_count; i++) {
        owed *o = &c->debts[i];
        if (!o->lease || !o->refused_height)
            continue;
        TRY(look_at_refused(c, o, f));
        if (o->lease && o->refused_height)
            held = o;
        else
            changed = true;
    }
    *any = held || changed;
    if (changed || !held || try_again(c, ERR_BUSY))
        return OK;
    return fail(f, held->refused_code, "receipt_pay", held->lease_id);
}

static err pay_batch(tr_coordinator *c, owed **list, size_t count, uint8_t *room, fault *f)
{
    uint64_t height;
    err e = submit_pay(c, list, count, room, &height, f);
    if (e != OK && err_describe(e)->retryable) {
        for (size_t i = 0; i < count; i++)
            list[i]->look = true;
        return try_again(c, e) ? OK : e;
    }
    if (e != OK && height == 0)
        return e;
    if (e != OK && count > 1) {
        for (size_t i = 0; i < count; i++)
            TRY(pay_batch(c, &list[i], 1, room, f));
        return OK;
    }
    if (e != OK) {
        list[0]->refused_height = height;
        list[0]->refused_code = e;
        return look_at_refused(c, list[0], f);
    }
    for (size_t i = 0; i < count; i++)
        settle(c, list[i], OK, height);
    return OK;
}

/* The next debts that are not known to be settled, nor held up. */
static err next_debts(tr_coordinator *c, owed **list, size_t *count, fault *f)
{
    chain_row_lease row;
    *count = 0;
    for (size_t i = 0; i < c->debt_count && *count < BATCH; i++) {
        bool before = false;
        if (!c->debts[i].lease || c->debts[i].refused_height)
            continue;
        if (c->debts[i].look)
            TRY(paid_before(c, &c->debts[i], &before, &row, f));
        if (!before)
            list[(*count)++] = &c->debts[i];
    }
    return OK;
}

err tr_coord_pay(tr_coordinator *c, fault *f)
{
    owed *list[BATCH];
    size_t count;
    uint8_t *room = malloc(65536);
    err e = room ? OK : fail(f, ERR_MEMORY, "pay", 0);
    for (bool more = true; e == OK && more;) {
        e = next_debts(c, list, &count, f);
        if (e == OK)
            e = count ? pay_batch(c, list, count, room, f) : look_at_held(c, &more, f);
    }
    free(room);
    if (e != OK)
        return e;
    c->debt_count = 0;
    uint64_t left;
    TRY(tr_coord_escrow(c, &left, f));
    pthread_mutex_lock(&c->mu);
    c->escrow = left;
    pthread_mutex_unlock(&c->mu);
    return OK;
}

err tr_coord_ask_past(tr_coordinator *c, fault *f)
{
    for (size_t i = 0; i < c->past_count; i++) {
        chain_row_lease row;
        err e;
        if (c->past[i].kind != TR_JOURNAL_ANSWER || c->past[i].step != c->state.step)
            continue;
        do
            e = c->cfg.ledger.lease(c->cfg.ledger.ctx, &c->cfg.job, c->past[i].lease_id, &row);
        while (e != OK && e != ERR_NOT_FOUND && try_again(c, e));
        if (e != OK && e != ERR_NOT_FOUND)
            return fail(f, e, "ledger.lease", c->past[i].lease_id);
        c->past[i].paid = e == OK && row.status == CHAIN_LEASE_PAID;
    }
    return OK;
}

/* The same until its outcome is known. */
static err insist(tr_coordinator *c, const chain_tx *tx, uint64_t *height, fault *f)
{
    err e;
    do {
        *height = 0;
        e = c->cfg.ledger.submit(c->cfg.ledger.ctx, tx, height, f);
    } while (e != OK && try_again(c, e));
    return e == ERR_DUPLICATE && *height ? OK : e; /* done by the try whose answer was lost */
}

err tr_coord_slash(tr_coordinator *c, const answer *a, bytes evidence, uint64_t *height, fault *f)
{
    chain_tx tx;
    memset(&tx, 0, sizeof tx);
    tx.type = CHAIN_TX_SLASH;
    tx.payload.slash = (chain_tx_slash){ .job = c->cfg.job, .lease = bytes_of(a->lease, a->lease_len),
                                         .attestation = bytes_of(a->attestation, a->attestation_len), .evidence = evidence };
    return insist(c, &tx, height, f);
}

err tr_coord_challenge(tr_coordinator *c, const answer *a, uint64_t leaf, uint64_t *height, fault *f)
{
    chain_tx tx;
    memset(&tx, 0, sizeof tx);
    tx.type = CHAIN_TX_TRACE_CHALLENGE;
    tx.payload.trace_challenge = (chain_tx_trace_challenge){ .job = c->cfg.job, .lease = bytes_of(a->lease, a->lease_len), .leaf = leaf,
                                                             .attestation = bytes_of(a->attestation, a->attestation_len) };
    return insist(c, &tx, height, f);
}
