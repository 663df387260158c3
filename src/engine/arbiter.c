/* SPDX-License-Identifier: Apache-2.0
 *
 * The arbiter's thread: after each block it looks at what the ledger has of audits (arbiter_look.c), and judges what is shown. */
#include "engine/arbiter.h"

#include "base/limits.h"
#include "base/port/file.h"
#include "engine/arbiter_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOOK_MS = 200 /* without a block */ };

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
    u->again_height = arbiter_height(a) + 1;
}

static void send_verdict(eng_arbiter *a, audit *u)
{
    fault f = { 0 };
    err e = vote(a, u, &f);
    u->done = e == OK || e == ERR_DUPLICATE || e == ERR_STATE || e == ERR_EXPIRED;
    if (e == OK)
        arbiter_tell(a, ENG_ARBITER_VERDICT, &u->job, u->lease_id, u->code, u->code == OK ? NULL : u->relation);
    else if (!u->done) {
        arbiter_tell(a, ENG_ARBITER_TROUBLE, &u->job, u->lease_id, e, f.what);
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
        arbiter_tell(a, ENG_ARBITER_TROUBLE, &u->job, u->lease_id, f.code, f.what);
        try_later(a, u);
        break;
    }
}

/* --- rounds ---------------------------------------------------------------------------------------------------------------------- */

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

/* What this machine could not take in, nobody has kept from it: it listens anew. */
static void hear(eng_arbiter *a, audit *u, uint64_t head)
{
    pthread_mutex_lock(&a->mu);
    if (u->deaf)
        u->met_height = head;
    u->deaf = false;
    pthread_mutex_unlock(&a->mu);
}

/* One audit that was met. True: it took its time, as it was verified or something was sent. */
static bool go_on(eng_arbiter *a, audit *u)
{
    side from[TR_SHOWN_KINDS] = { SIDE_WORKER };
    const chain *c = eng_solo_read_begin(a->engine);
    const chain_row_audit *row = chain_audit_row(c, &u->job, u->lease_id);
    const chain_row_lease *lease = chain_lease_row(c, &u->job, u->lease_id);
    bool open = row && row->status == CHAIN_AUDIT_OPEN && row->open_height == u->open_height; /* else it is another one of the lease */
    bool over = lease && lease->status == CHAIN_LEASE_SPOILED;
    uint64_t head = chain_head(c)->height, next = head + 1;
    u->done = u->done || (row && arbiter_has_voted(a, row));
    eng_solo_read_end(a->engine);
    hear(a, u, head);
    over = over || next > u->open_height + a->push_window + a->verdict_window;
    if (!open) {
        forget(a, u);
        return false;
    }
    if (over || u->done || next <= u->again_height)
        return false;
    if (u->judged)
        send_verdict(a, u);
    else if (all_shown(a, u, from))
        verify(a, u, from);
    else if (was_silent(a, u, next))
        judge(a, u, ERR_NOT_FOUND, "not_shown");
    else
        return false;
    return true;
}

/* Parameters are the ledger's: they may change. */
static void read_windows(eng_arbiter *a)
{
    const chain *c = eng_solo_read_begin(a->engine);
    a->window = chain_param_value(c, CHAIN_PARAM_AUDIT_WINDOW);
    a->push_window = chain_param_value(c, CHAIN_PARAM_AUDIT_PUSH);
    a->verdict_window = chain_param_value(c, CHAIN_PARAM_AUDIT_VERDICT);
    eng_solo_read_end(a->engine);
}

/* The drawn ones, all of them, before the first of the others; and after each of those again. True: there may be more to do, block or not. */
static bool one_round(eng_arbiter *a)
{
    read_windows(a);
    arbiter_open_drawn(a);
    arbiter_meet(a);
    for (size_t i = 0; i < ARBITER_AUDITS && !atomic_load(&a->stopping); i++)
        if (a->audits[i].used && a->audits[i].drawn)
            (void)go_on(a, &a->audits[i]);
    for (size_t i = 0; i < ARBITER_AUDITS && !atomic_load(&a->stopping); i++)
        if (a->audits[i].used && !a->audits[i].drawn && go_on(a, &a->audits[i]))
            return true;
    return !atomic_load(&a->stopping) && arbiter_close_one(a);
}

static void *run(void *ctx)
{
    eng_arbiter *a = ctx;
    uint64_t seen = 0;
    bool more = false;
    while (!atomic_load(&a->stopping)) {
        uint64_t now;
        if (eng_solo_wait_block(a->engine, &now, seen, more ? 0 : LOOK_MS) == OK)
            seen = now;
        more = one_round(a);
    }
    return NULL;
}

/* --- life ------------------------------------------------------------------------------------------------------------------------ */

static err read_network(eng_arbiter *a, fault *f)
{
    const chain *c = eng_solo_read_begin(a->engine);
    a->chain_id = *chain_chain_id(c);
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
    a->bytes_max = o->bytes_max ? o->bytes_max : LIMIT_AUDIT_BYTES;
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
