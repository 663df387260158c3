/* SPDX-License-Identifier: Apache-2.0
 *
 * The arbiter's thread: after each block it looks for what was drawn and for audits that are open, and judges what is shown. */
#include "engine/arbiter.h"

#include "base/limits.h"
#include "base/port/file.h"
#include "engine/arbiter_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOOK_MS = 200 /* without a block */ };

static void tell(const eng_arbiter *a, eng_arbiter_event_kind kind, const hash256 *job, uint64_t lease_id, err code, const char *what)
{
    const eng_arbiter_event e = { .kind = kind, .job = *job, .lease_id = lease_id, .code = code, .what = what };
    if (a->options.on_event)
        a->options.on_event(a->options.event_ctx, &e);
}

static void read_key(hash256 *job, uint64_t *lease_id, bytes key)
{
    memcpy(job->b, key.data, sizeof job->b);
    *lease_id = load_be64(key.data + sizeof job->b);
}

/* --- what was drawn --------------------------------------------------------------------------------------------------------- */

typedef enum look { LOOK_ON, LOOK_LATER, LOOK_DRAWN } look;

/* One lease row, under a read. */
static look look_at_lease(const eng_arbiter *a, const chain *c, const chain_row_lease *row, const hash256 *job, uint64_t lease_id)
{
    uint64_t first = chain_lease_first_block(row);
    bool     drawn;
    if (row->level != CHAIN_LEVEL_FULL || row->status == CHAIN_LEASE_SPOILED || chain_head(c)->height > first + a->window ||
        chain_audit_row(c, job, lease_id))
        return LOOK_ON;
    err e = chain_audit_drawn(c, &drawn, job, lease_id);
    return e == ERR_BUSY ? LOOK_LATER : e == OK && drawn ? LOOK_DRAWN : LOOK_ON;
}

/* The next drawn lease that nobody audits; rows before it are done with. */
static bool next_drawn(eng_arbiter *a, hash256 *job, uint64_t *lease_id, chain_row_lease *row)
{
    look l = LOOK_ON;
    const chain *c = eng_solo_read_begin(a->engine);
    size_t count = chain_row_count(c, CHAIN_TABLE_LEASE);
    for (; a->next_lease < count && l == LOOK_ON; a->next_lease += l != LOOK_LATER) {
        bytes key;
        const chain_row_lease *at = chain_row_at(c, CHAIN_TABLE_LEASE, a->next_lease, &key);
        read_key(job, lease_id, key);
        *row = *at;
        l = look_at_lease(a, c, at, job, *lease_id);
    }
    eng_solo_read_end(a->engine);
    return l == LOOK_DRAWN;
}

static err open_audit(eng_arbiter *a, const hash256 *job, const chain_row_lease *row, fault *f)
{
    buf pair;
    size_t lease_len = 0;
    chain_tx tx = { .type = CHAIN_TX_AUDIT_OPEN };
    buf_init(&pair, 2 * (size_t)LIMIT_LEASE_BYTES);
    err e = arbiter_find_receipt(a, chain_lease_first_block(row), job, row, &pair, &lease_len, f);
    if (e == OK) {
        tx.payload.audit_open = (chain_tx_audit_open){ .job = *job, .lease = bytes_of(pair.data, lease_len),
                                                       .attestation = bytes_of(pair.data + lease_len, pair.len - lease_len) };
        e = arbiter_send(a, &tx, f);
    }
    buf_deinit(&pair);
    return e;
}

static uint64_t head_height(const eng_arbiter *a)
{
    uint64_t out = chain_head(eng_solo_read_begin(a->engine))->height;
    eng_solo_read_end(a->engine);
    return out;
}

/* What the ledger did not take is tried again after the next block. */
static void open_drawn(eng_arbiter *a)
{
    hash256 job;
    uint64_t lease_id;
    chain_row_lease row;
    if (head_height(a) < a->open_again_height)
        return;
    while (!atomic_load(&a->stopping) && next_drawn(a, &job, &lease_id, &row)) {
        fault f = { 0 };
        err e = open_audit(a, &job, &row, &f);
        const err_row *about = err_describe(e);
        if (e == ERR_DUPLICATE || e == ERR_STATE || e == ERR_EXPIRED) /* somebody was faster, or it is over */
            continue;
        tell(a, e == OK ? ENG_ARBITER_OPENED : ENG_ARBITER_TROUBLE, &job, lease_id, e, f.what);
        if (e != OK && (about->retryable || e == ERR_NONCE || e == ERR_FUNDS)) {
            a->next_lease--;
            a->open_again_height = head_height(a) + 1;
            return;
        }
    }
}

/* --- what is open --------------------------------------------------------------------------------------------------------------- */

static bool has_voted(const eng_arbiter *a, const chain_row_audit *row)
{
    uint8_t bit = (uint8_t)(1u << (a->validator & 7));
    return ((row->valid.b[a->validator / 8] | row->invalid.b[a->validator / 8]) & bit) != 0;
}

/* Signed lease and attestation, which the ledger has checked. */
static err read_about(tr_audited *out, bytes lease, bytes attestation, fault *f)
{
    chain_signed s;
    TRY(chain_lease_decode(&out->lease, &s, lease, f));
    out->lease_hash = s.hash;
    return chain_attestation_decode(&out->attestation, &s, attestation, f);
}

static err meet(eng_arbiter *a, const hash256 *job, uint64_t lease_id, const chain_row_audit *row, const chain_row_lease *lease,
                const chain_row_job *about, fault *f)
{
    buf pair;
    size_t lease_len = 0;
    audit *free_place = NULL;
    for (size_t i = 0; i < ARBITER_AUDITS && !free_place; i++)
        if (!a->audits[i].used)
            free_place = &a->audits[i];
    if (!free_place)
        return OK; /* its turn comes */
    buf_init(&pair, 2 * (size_t)LIMIT_LEASE_BYTES);
    tr_audited seen = { .job = *about };
    err e = arbiter_find_receipt(a, row->open_height, job, lease, &pair, &lease_len, f);
    if (e == OK)
        e = read_about(&seen, bytes_of(pair.data, lease_len), bytes_of(pair.data + lease_len, pair.len - lease_len), f);
    buf_deinit(&pair);
    if (e != OK)
        return e;
    uint64_t now = head_height(a);
    pthread_mutex_lock(&a->mu);
    *free_place = (audit){ .used = true, .job = *job, .lease_id = lease_id, .about = seen, .met_height = now, .open_height = row->open_height };
    pthread_mutex_unlock(&a->mu);
    return OK;
}

/* The rows of an open audit that this validator has not voted on; index goes on. False: no more. */
static bool next_open(eng_arbiter *a, size_t *index, hash256 *job, uint64_t *lease_id, chain_row_audit *row, chain_row_lease *lease,
                      chain_row_job *about)
{
    bool found = false;
    const chain *c = eng_solo_read_begin(a->engine);
    size_t count = chain_row_count(c, CHAIN_TABLE_AUDIT);
    for (; *index < count && !found; (*index)++) {
        bytes key;
        const chain_row_audit *at = chain_row_at(c, CHAIN_TABLE_AUDIT, *index, &key);
        if (at->status != CHAIN_AUDIT_OPEN || has_voted(a, at))
            continue;
        read_key(job, lease_id, key);
        const chain_row_lease *l = chain_lease_row(c, job, *lease_id);
        const chain_row_job *j = chain_job(c, job);
        if (!l || !j)
            continue;
        *row = *at;
        *lease = *l;
        *about = *j;
        found = true;
    }
    eng_solo_read_end(a->engine);
    return found;
}

static void meet_new(eng_arbiter *a)
{
    hash256 job;
    uint64_t lease_id;
    chain_row_audit row;
    chain_row_lease lease;
    chain_row_job about;
    for (size_t i = 0; next_open(a, &i, &job, &lease_id, &row, &lease, &about);) {
        fault f = { 0 };
        pthread_mutex_lock(&a->mu);
        bool known = arbiter_find(a, &job, lease_id) != NULL;
        pthread_mutex_unlock(&a->mu);
        err e = known ? OK : meet(a, &job, lease_id, &row, &lease, &about, &f);
        if (e != OK)
            tell(a, ENG_ARBITER_TROUBLE, &job, lease_id, e, f.what);
    }
}

static err vote(eng_arbiter *a, const audit *u, fault *f)
{
    chain_tx tx = { .type = CHAIN_TX_AUDIT_VERDICT };
    chain_tx_audit_verdict *v = &tx.payload.audit_verdict;
    *v = (chain_tx_audit_verdict){ .job = u->job, .lease_id = u->lease_id, .valid = u->code == OK, .reason = (uint32_t)u->code };
    if (chain_name_set(&v->relation, bytes_of_str(u->relation)) != OK)
        TRY(chain_name_set(&v->relation, bytes_of_str("-")));
    return arbiter_send(a, &tx, f);
}

static void try_later(const eng_arbiter *a, audit *u)
{
    u->again_height = head_height(a) + 1;
}

static void send_verdict(eng_arbiter *a, audit *u)
{
    fault f = { 0 };
    err e = vote(a, u, &f);
    u->done = e == OK || e == ERR_DUPLICATE || e == ERR_STATE || e == ERR_EXPIRED;
    if (e == OK)
        tell(a, ENG_ARBITER_VERDICT, &u->job, u->lease_id, u->code, u->code == OK ? NULL : u->relation);
    else if (!u->done) {
        tell(a, ENG_ARBITER_TROUBLE, &u->job, u->lease_id, e, f.what);
        try_later(a, u);
    }
}

static void judge(eng_arbiter *a, audit *u, err code, const char *relation)
{
    size_t n = 0;
    u->judged = code != ERR_NOT_FOUND; /* until that is sent, the rest may still come */
    u->code = code;
    for (; code != OK && relation && relation[n] && n + 1 < sizeof u->relation; n++)
        u->relation[n] = relation[n] > 0x20 && relation[n] < 0x7f ? relation[n] : '_';
    u->relation[n] = 0;
    send_verdict(a, u);
}

/* --- verification ---------------------------------------------------------------------------------------------------------------- */

typedef struct mapped {
    int            fd;
    const uint8_t *data;
    uint64_t       len;
    side           from;
} mapped;

/* The complete place of a kind, the worker's first. Complete places are not written to. Under mu. */
static bool choose(const audit *u, tr_shown kind, side *out)
{
    for (int s = 0; s < SIDES; s++)
        if (u->places[s][kind].complete) {
            *out = (side)s;
            return true;
        }
    return false;
}

static bool all_shown(eng_arbiter *a, const audit *u, side from[TR_SHOWN_KINDS])
{
    bool all = true;
    pthread_mutex_lock(&a->mu);
    for (int k = 0; k < TR_SHOWN_KINDS; k++)
        all = all && (tr_shown_bytes_max(&u->about, (tr_shown)k) == 0 || choose(u, (tr_shown)k, &from[k]));
    pthread_mutex_unlock(&a->mu);
    return all;
}

static err map_all(eng_arbiter *a, const audit *u, mapped files[TR_SHOWN_KINDS], const side from[TR_SHOWN_KINDS], fault *f)
{
    char path[ARBITER_PATH];
    for (int k = 0; k < TR_SHOWN_KINDS; k++) {
        if (tr_shown_bytes_max(&u->about, (tr_shown)k) == 0)
            continue;
        files[k].from = from[k];
        arbiter_place_path(path, a, u, from[k], (tr_shown)k);
        TRY(base_file_open(&files[k].fd, path, BASE_FILE_READ, f));
        TRY(base_file_map(&files[k].data, &files[k].len, files[k].fd, f));
    }
    return OK;
}

static void verify(eng_arbiter *a, audit *u, const side from[TR_SHOWN_KINDS])
{
    mapped files[TR_SHOWN_KINDS];
    bytes  shown[TR_SHOWN_KINDS] = { { 0 } };
    fault  f = { 0 };
    for (int k = 0; k < TR_SHOWN_KINDS; k++)
        files[k] = (mapped){ .fd = -1 };
    tr_finding found = TR_FOUND_NOTHING;
    if (map_all(a, u, files, from, &f) == OK) {
        for (int k = 0; k < TR_SHOWN_KINDS; k++)
            shown[k] = bytes_of(files[k].data, (size_t)files[k].len);
        found = tr_audit_verify(&u->about, shown, a->pool, &f);
    }
    for (int k = 0; k < TR_SHOWN_KINDS; k++) {
        if (files[k].data)
            base_file_unmap(files[k].data, files[k].len);
        base_file_close(files[k].fd);
    }
    switch (found) {
    case TR_FOUND_VALID:
        judge(a, u, OK, NULL);
        break;
    case TR_FOUND_FALSE:
        judge(a, u, f.code, f.what);
        break;
    case TR_FOUND_MISSHOWN:
        pthread_mutex_lock(&a->mu);
        arbiter_drop_place(a, u, from[f.at], (tr_shown)f.at, true);
        pthread_mutex_unlock(&a->mu);
        break;
    case TR_FOUND_NOTHING:
        tell(a, ENG_ARBITER_TROUBLE, &u->job, u->lease_id, f.code, f.what);
        try_later(a, u);
        break;
    }
}

/* --- ends ------------------------------------------------------------------------------------------------------------------------ */

static void close_audit(eng_arbiter *a, audit *u)
{
    chain_tx tx = { .type = CHAIN_TX_AUDIT_CLOSE };
    fault f = { 0 };
    tx.payload.audit_close = (chain_tx_audit_close){ .job = u->job, .lease_id = u->lease_id };
    err e = arbiter_send(a, &tx, &f);
    if (e != OK && e != ERR_STATE && e != ERR_BUSY)
        tell(a, ENG_ARBITER_TROUBLE, &u->job, u->lease_id, e, f.what);
    if (e != OK)
        try_later(a, u);
}

/* Silence counts only against this validator's own ears: after a restart, or where it had no room before, the worker has the whole window again. */
static bool was_silent(const eng_arbiter *a, const audit *u, uint64_t next)
{
    uint64_t since = u->met_height > u->open_height ? u->met_height : u->open_height;
    return next > since + a->push_window;
}

static void forget(eng_arbiter *a, audit *u)
{
    pthread_mutex_lock(&a->mu);
    u->used = false;
    arbiter_drop_files(a, u);
    pthread_mutex_unlock(&a->mu);
}

/* One audit that was met, after a block. */
static void go_on(eng_arbiter *a, audit *u)
{
    side from[TR_SHOWN_KINDS] = { SIDE_WORKER };
    const chain *c = eng_solo_read_begin(a->engine);
    const chain_row_audit *row = chain_audit_row(c, &u->job, u->lease_id);
    const chain_row_lease *lease = chain_lease_row(c, &u->job, u->lease_id);
    bool open = row && row->status == CHAIN_AUDIT_OPEN, spoiled = lease && lease->status == CHAIN_LEASE_SPOILED;
    bool voted = row && has_voted(a, row);
    uint64_t next = chain_head(c)->height + 1;
    eng_solo_read_end(a->engine);
    if (!open) {
        forget(a, u);
    } else if (next <= u->again_height) {
        return;
    } else if (spoiled || next > u->open_height + a->push_window + a->verdict_window) {
        close_audit(a, u);
    } else if (voted || u->done) {
        u->done = true;
    } else if (u->judged) {
        send_verdict(a, u);
    } else if (all_shown(a, u, from)) {
        verify(a, u, from);
    } else if (was_silent(a, u, next)) {
        judge(a, u, ERR_NOT_FOUND, "not_shown");
    }
}

static void *run(void *ctx)
{
    eng_arbiter *a = ctx;
    uint64_t seen = 0;
    while (!atomic_load(&a->stopping)) {
        uint64_t now;
        if (eng_solo_wait_block(a->engine, &now, seen, LOOK_MS) == OK)
            seen = now;
        open_drawn(a);
        meet_new(a);
        for (size_t i = 0; i < ARBITER_AUDITS && !atomic_load(&a->stopping); i++)
            if (a->audits[i].used)
                go_on(a, &a->audits[i]);
    }
    return NULL;
}

/* --- life ------------------------------------------------------------------------------------------------------------------------ */

static err read_network(eng_arbiter *a, fault *f)
{
    const chain *c = eng_solo_read_begin(a->engine);
    a->chain_id = *chain_chain_id(c);
    a->window = chain_param_value(c, CHAIN_PARAM_AUDIT_WINDOW);
    a->push_window = chain_param_value(c, CHAIN_PARAM_AUDIT_PUSH);
    a->verdict_window = chain_param_value(c, CHAIN_PARAM_AUDIT_VERDICT);
    bool may = chain_producer_index(c, &a->key, &a->validator);
    eng_solo_read_end(a->engine);
    return may ? OK : fail(f, ERR_PERMISSION, "arbiter.validator", 0);
}

static err prepare(eng_arbiter *a, const eng_arbiter_options *o, fault *f)
{
    if (strlen(o->dir) >= sizeof a->dir)
        return fail(f, ERR_LIMIT, "arbiter.dir", sizeof a->dir);
    strcpy(a->dir, o->dir);
    a->options = *o;
    a->options.validator = NULL;
    a->engine = o->engine;
    a->pool = o->pool;
    a->secret = *o->validator;
    memcpy(a->key.b, a->secret.b + 32, sizeof a->key.b);
    a->address = cr_address_of_key(&a->key);
    TRY(read_network(a, f));
    TRY(base_tree_remove(a->dir, f));
    return base_dir_make(a->dir, f);
}

err eng_arbiter_start(eng_arbiter **out, const eng_arbiter_options *options, fault *f)
{
    eng_arbiter *a = calloc(1, sizeof *a);
    if (!a)
        return fail(f, ERR_MEMORY, "arbiter", sizeof *a);
    pthread_mutex_init(&a->mu, NULL);
    err e = prepare(a, options, f);
    if (e == OK && pthread_create(&a->thread, NULL, run, a) != 0)
        e = fail(f, ERR_MEMORY, "arbiter", 0);
    a->running = e == OK;
    if (e == OK)
        *out = a;
    else
        eng_arbiter_stop(a);
    return e;
}

void eng_arbiter_stop(eng_arbiter *a)
{
    if (!a)
        return;
    atomic_store(&a->stopping, true);
    if (a->running)
        pthread_join(a->thread, NULL);
    pthread_mutex_destroy(&a->mu);
    cr_wipe(&a->secret, sizeof a->secret);
    free(a);
}
