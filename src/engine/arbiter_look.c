/* SPDX-License-Identifier: Apache-2.0
 *
 * What the ledger's rows call for: audits to be opened, to be taken in, to be ended. Rows are never deleted, so each table has a cursor below which
 * nothing can come any more; and no read holds up the next block for longer than some thousand rows. */
#include "base/limits.h"
#include "engine/arbiter_int.h"

#include <string.h>

enum { LOOK_ROWS = 4096 };

typedef struct found {
    hash256         job;
    uint64_t        lease_id;
    chain_row_lease lease;
    chain_row_audit audit;
    chain_row_job   about;
    bool            drawn; /* whoever opened it, and for what deposit */
} found;

static void read_key(found *x, bytes key)
{
    memcpy(x->job.b, key.data, sizeof x->job.b);
    x->lease_id = load_be64(key.data + sizeof x->job.b);
}

/* --- leases that were drawn -------------------------------------------------------------------------------------------------- */

typedef enum look { LOOK_ON, LOOK_LATER, LOOK_DRAWN } look;

/* One lease row, under a read. */
static look look_at_lease(const eng_arbiter *a, const chain *c, const found *x)
{
    uint64_t first = chain_lease_first_block(&x->lease);
    bool     drawn;
    if (x->lease.level != CHAIN_LEVEL_FULL || x->lease.status == CHAIN_LEASE_SPOILED || chain_head(c)->height > first + a->window ||
        chain_audit_row(c, &x->job, x->lease_id))
        return LOOK_ON;
    err e = chain_audit_drawn(c, &drawn, &x->job, x->lease_id);
    return e == ERR_BUSY ? LOOK_LATER : e == OK && drawn ? LOOK_DRAWN : LOOK_ON;
}

/* Up to LOOK_ROWS of them: the next drawn lease that nobody audits. *end: there are no more now. */
static bool look_for_drawn(eng_arbiter *a, found *x, bool *end)
{
    look l = LOOK_ON;
    const chain *c = eng_solo_read_begin(a->engine);
    size_t count = chain_row_count(c, CHAIN_TABLE_LEASE);
    for (size_t n = 0; n < LOOK_ROWS && a->next_lease < count && l == LOOK_ON; n++, a->next_lease += l != LOOK_LATER) {
        bytes key;
        x->lease = *(const chain_row_lease *)chain_row_at(c, CHAIN_TABLE_LEASE, a->next_lease, &key);
        read_key(x, key);
        l = look_at_lease(a, c, x);
    }
    *end = l == LOOK_LATER || a->next_lease >= count;
    eng_solo_read_end(a->engine);
    return l == LOOK_DRAWN;
}

static err open_audit(eng_arbiter *a, const found *x, fault *f)
{
    buf pair;
    size_t lease_len = 0;
    chain_tx tx = { .type = CHAIN_TX_AUDIT_OPEN };
    buf_init(&pair, 2 * (size_t)LIMIT_LEASE_BYTES);
    err e = arbiter_find_receipt(a, chain_lease_first_block(&x->lease), &x->job, &x->lease, &pair, &lease_len, f);
    if (e == OK) {
        tx.payload.audit_open = (chain_tx_audit_open){ .job = x->job, .lease = bytes_of(pair.data, lease_len),
                                                       .attestation = bytes_of(pair.data + lease_len, pair.len - lease_len) };
        e = arbiter_send(a, &tx, f);
    }
    buf_deinit(&pair);
    return e;
}

/* Opens it, unless somebody was faster, or it is over. False: what the ledger did not take is to be tried again. After any trouble the next block is
 * waited for. */
static bool open_or_wait(eng_arbiter *a, const found *x)
{
    fault f = { 0 };
    err e = open_audit(a, x, &f);
    if (e == ERR_DUPLICATE || e == ERR_STATE || e == ERR_EXPIRED)
        return true;
    arbiter_tell(a, e == OK ? ENG_ARBITER_OPENED : ENG_ARBITER_TROUBLE, &x->job, x->lease_id, e, f.what);
    if (e != OK)
        a->open_again_height = arbiter_height(a) + 1;
    return e == OK || !(err_describe(e)->retryable || e == ERR_NONCE || e == ERR_FUNDS);
}

static bool may_open(const eng_arbiter *a)
{
    return !atomic_load(&a->stopping) && arbiter_height(a) >= a->open_again_height;
}

/* --- audits -------------------------------------------------------------------------------------------------------------------- */

/* What a row calls for. NEVER: for nothing, whatever comes. */
typedef enum calling { CALLS_NEVER, CALLS_NOT_NOW, CALLS_TO_MEET, CALLS_TO_CLOSE, CALLS_TO_OPEN } calling;

bool arbiter_has_voted(const eng_arbiter *a, const chain_row_audit *row)
{
    uint8_t bit = (uint8_t)(1u << (a->validator & 7));
    return ((row->valid.b[a->validator / 8] | row->invalid.b[a->validator / 8]) & bit) != 0;
}

/* Closed without a verdict: opened again by whoever wants, and by the validators if it was drawn, while there is time. */
static calling look_at_closed(const chain *c, const found *x)
{
    if (chain_audit_may_open(c, &x->job, x->lease_id, chain_head(c)->height + 1, NULL) != OK)
        return CALLS_NEVER;
    return x->drawn ? CALLS_TO_OPEN : CALLS_NOT_NOW;
}

/* One audit row, under a read. */
static calling look_at_audit(const eng_arbiter *a, const chain *c, found *x)
{
    const chain_row_lease *lease = chain_lease_row(c, &x->job, x->lease_id);
    const chain_row_job *about = chain_job(c, &x->job);
    if (!lease || !about || x->audit.status == CHAIN_AUDIT_VALID || x->audit.status == CHAIN_AUDIT_FALSE)
        return CALLS_NEVER;
    x->lease = *lease;
    x->about = *about;
    err draw = chain_audit_drawn(c, &x->drawn, &x->job, x->lease_id);
    x->drawn = draw == OK && x->drawn;
    if (x->audit.status == CHAIN_AUDIT_CLOSED)
        return look_at_closed(c, x);
    if (lease->status == CHAIN_LEASE_SPOILED || chain_head(c)->height + 1 > x->audit.open_height + a->push_window + a->verdict_window)
        return CALLS_TO_CLOSE;
    /* One that was opened in the lease's first block has its turn when it is known whether it is drawn. */
    return draw == ERR_BUSY || arbiter_has_voted(a, &x->audit) ? CALLS_NOT_NOW : CALLS_TO_MEET;
}

/* The next row that calls for `what`, from *index on, which moves behind it. */
static bool next_audit(eng_arbiter *a, size_t *index, calling what, found *x)
{
    bool is = false, end = false;
    if (*index < a->next_audit)
        *index = a->next_audit;
    while (!is && !end && !atomic_load(&a->stopping)) {
        const chain *c = eng_solo_read_begin(a->engine);
        size_t count = chain_row_count(c, CHAIN_TABLE_AUDIT);
        for (size_t n = 0; n < LOOK_ROWS && *index < count && !is; n++, ++*index) {
            bytes key;
            x->audit = *(const chain_row_audit *)chain_row_at(c, CHAIN_TABLE_AUDIT, *index, &key);
            read_key(x, key);
            calling now = look_at_audit(a, c, x);
            a->next_audit += now == CALLS_NEVER && *index == a->next_audit;
            is = now == what;
        }
        end = *index >= count;
        eng_solo_read_end(a->engine);
    }
    return is;
}

void arbiter_open_drawn(eng_arbiter *a)
{
    found x;
    for (bool end = false; !end && may_open(a);)
        if (look_for_drawn(a, &x, &end)) {
            a->next_lease -= !open_or_wait(a, &x);
            end = false;
        }
    for (size_t i = 0; may_open(a) && next_audit(a, &i, CALLS_TO_OPEN, &x);)
        (void)open_or_wait(a, &x);
}

/* Signed lease and attestation, which the ledger has checked. */
static err read_about(tr_audited *out, bytes lease, bytes attestation, fault *f)
{
    chain_signed s;
    TRY(chain_lease_decode(&out->lease, &s, lease, f));
    out->lease_hash = s.hash;
    return chain_attestation_decode(&out->attestation, &s, attestation, f);
}

/* A free place, if the budget has `need` bytes left for one like this; NULL: its turn comes. */
static audit *find_room(eng_arbiter *a, bool drawn, uint64_t need)
{
    audit *out = NULL;
    size_t disputed = 0;
    uint64_t all = 0, of_disputed = 0;
    for (size_t i = 0; i < ARBITER_AUDITS; i++) {
        audit *u = &a->audits[i];
        if (!u->used && !out)
            out = u;
        all += u->used ? u->bytes : 0;
        of_disputed += u->used && !u->drawn ? u->bytes : 0;
        disputed += u->used && !u->drawn;
    }
    uint64_t share = a->bytes_max - a->bytes_max / ARBITER_SHARE;
    bool fits = need <= a->bytes_max - all;
    bool leaves = disputed < ARBITER_AUDITS - ARBITER_RESERVED && need <= share - of_disputed; /* enough for what is drawn */
    return fits && (drawn || leaves) ? out : NULL;
}

static void meet(eng_arbiter *a, const found *x)
{
    buf    pair;
    size_t lease_len = 0;
    fault  f = { 0 };
    tr_audited seen = { .job = x->about, .lease = { .from = x->lease.from, .to = x->lease.to } };
    uint64_t need = tr_audit_bytes_max(&seen);
    audit   *room = find_room(a, x->drawn, need);
    if (!room)
        return;
    buf_init(&pair, 2 * (size_t)LIMIT_LEASE_BYTES);
    err e = arbiter_find_receipt(a, x->audit.open_height, &x->job, &x->lease, &pair, &lease_len, &f);
    if (e == OK)
        e = read_about(&seen, bytes_of(pair.data, lease_len), bytes_of(pair.data + lease_len, pair.len - lease_len), &f);
    buf_deinit(&pair);
    if (e != OK) {
        arbiter_tell(a, ENG_ARBITER_TROUBLE, &x->job, x->lease_id, e, f.what);
        return;
    }
    uint64_t now = arbiter_height(a);
    pthread_mutex_lock(&a->mu);
    *room = (audit){ .used = true, .job = x->job, .lease_id = x->lease_id, .about = seen, .drawn = x->drawn, .bytes = need, .met_height = now,
                      .open_height = x->audit.open_height };
    pthread_mutex_unlock(&a->mu);
}

void arbiter_meet(eng_arbiter *a)
{
    found x;
    for (int drawn = 1; drawn >= 0; drawn--)
        for (size_t i = 0; next_audit(a, &i, CALLS_TO_MEET, &x);) {
            pthread_mutex_lock(&a->mu);
            bool known = arbiter_find(a, &x.job, x.lease_id) != NULL;
            pthread_mutex_unlock(&a->mu);
            if (!known && x.drawn == drawn)
                meet(a, &x);
        }
}

bool arbiter_close_one(eng_arbiter *a)
{
    found x;
    size_t i = 0;
    fault f = { 0 };
    if (arbiter_height(a) < a->close_again_height || !next_audit(a, &i, CALLS_TO_CLOSE, &x))
        return false;
    chain_tx tx = { .type = CHAIN_TX_AUDIT_CLOSE };
    tx.payload.audit_close = (chain_tx_audit_close){ .job = x.job, .lease_id = x.lease_id };
    err e = arbiter_send(a, &tx, &f);
    if (e == OK || e == ERR_STATE) /* or another validator did */
        return true;
    arbiter_tell(a, ENG_ARBITER_TROUBLE, &x.job, x.lease_id, e, f.what);
    a->close_again_height = arbiter_height(a) + 1;
    return false;
}
