/* SPDX-License-Identifier: Apache-2.0
 *
 * Custody: who may be challenged on the ledger must be able to open any tile of what it committed to, until that is settled, and who said that
 * it proved must be able to show it, while an audit can ask. Kept are the lease and its model, in memory and, for a worker with a ledger, in the cache: everything else is computed again. The receipt, lease and
 * attestation, stays in the cache until it is paid: worker_claim.c. */
#include "base/port/file.h"
#include "train/worker_int.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { WATCH_MS = 1000 };

void tr_wk_forget(past_lease *p)
{
    free(p->signed_lease);
    memset(p, 0, sizeof *p);
}

/* --- files ---------------------------------------------------------------------------------------------------------------- */

static err name_of(char out[TR_PATH_MAX], const tr_worker *w, const char *kind, const hash256 *id, fault *f)
{
    char name[80];
    char hex[65];
    base_hex_encode(hex, id->b, 32);
    snprintf(name, sizeof name, "%s-%s", kind, hex);
    return tr_store_name(out, w->cache, name, f);
}

static void remove_file(const tr_worker *w, const char *kind, const hash256 *id)
{
    char path[TR_PATH_MAX];
    if (name_of(path, w, kind, id, NULL) == OK)
        unlink(path);
}

/* A failure costs custody over a restart and nothing else. */
static void write_file(const tr_worker *w, const char *kind, const hash256 *id, bytes content)
{
    char path[TR_PATH_MAX];
    fault f = { 0 };
    err e = name_of(path, w, kind, id, &f);
    if (e == OK)
        e = base_file_write_atomic(path, content, 0600, BASE_FILE_REPLACE, &f);
    if (e != OK)
        tr_wk_event(w, &(tr_worker_event){ .kind = TR_WORKER_TROUBLE, .code = e, .what = f.what });
}

void tr_wk_keep_receipt(tr_worker *w, const past_lease *p, bytes attestation)
{
    uint8_t room[TR_RECEIPT_BYTES_MAX];
    bytes file;
    chain_receipt r = { bytes_of(p->signed_lease, p->len), attestation };
    if (w->cfg.ledger && chain_receipts_encode(&file, room, sizeof room, &r, 1) == OK)
        write_file(w, "receipt", &p->s.hash, file);
}

void tr_wk_drop_receipt(const tr_worker *w, const past_lease *p)
{
    remove_file(w, "receipt", &p->s.hash);
}

bool tr_wk_find_model(tr_worker *w, const hash256 *id, buf *out)
{
    char path[TR_PATH_MAX];
    return name_of(path, w, "model", id, NULL) == OK && base_file_read(out, path, NULL) == OK;
}

void tr_wk_keep_model(tr_worker *w, const hash256 *id, bytes file)
{
    if (w->cfg.ledger)
        write_file(w, "model", id, file);
}

bool tr_wk_find_session(tr_worker *w, buf *out)
{
    char path[TR_PATH_MAX];
    return w->cfg.ledger && name_of(path, w, "session", &w->cfg.job, NULL) == OK && base_file_read(out, path, NULL) == OK;
}

void tr_wk_keep_session(tr_worker *w, bytes session)
{
    if (w->cfg.ledger)
        write_file(w, "session", &w->cfg.job, session);
}

/* --- leases --------------------------------------------------------------------------------------------------------------- */

/* Unless a kept lease is of it, or it is the current one. */
void tr_wk_drop_model(tr_worker *w, const hash256 *model)
{
    bool used = w->has_model && hash256_equal(model, &w->model.id);
    for (size_t i = 0; i < WORKER_PAST && !used; i++)
        used = w->past[i].signed_lease && hash256_equal(&w->past[i].lease.model, model);
    if (!used)
        remove_file(w, "model", model);
}

void tr_wk_let_go(tr_worker *w, past_lease *p)
{
    if (!p->signed_lease)
        return;
    hash256 model = p->lease.model;
    remove_file(w, "lease", &p->s.hash);
    tr_wk_forget(p);
    tr_wk_drop_model(w, &model);
}

static past_lease *find_place(tr_worker *w, const hash256 *lease)
{
    past_lease *free_place = NULL;
    for (size_t i = 0; i < WORKER_PAST; i++) {
        past_lease *p = &w->past[i];
        if (p->signed_lease && hash256_equal(&p->s.hash, lease))
            return p;
        if (!p->signed_lease && !free_place)
            free_place = p;
    }
    return free_place;
}

bool tr_wk_has_room(const tr_worker *w)
{
    bool room = w->cfg.ledger == NULL;
    for (size_t i = 0; i < WORKER_PAST && !room; i++)
        room = !w->past[i].signed_lease;
    return room;
}

past_lease *tr_wk_keep(tr_worker *w, past_lease *p)
{
    past_lease *place = find_place(w, &p->s.hash);
    if (!place) {
        CHECK(!w->cfg.ledger);
        place = &w->past[w->past_next++ % WORKER_PAST];
        tr_wk_let_go(w, place);
    }
    p->attested = p->attested || place->attested; /* leased again */
    tr_wk_forget(place);
    *place = *p;
    p->signed_lease = NULL;
    if (w->cfg.ledger)
        write_file(w, "lease", &place->s.hash, bytes_of(place->signed_lease, place->len));
    return place;
}

static void read_kept(tr_worker *w, const char *name)
{
    char path[TR_PATH_MAX];
    buf text;
    past_lease p = { .signed_lease = NULL };
    buf_init(&text, LIMIT_LEASE_BYTES);
    if (tr_wk_has_room(w) && tr_store_name(path, w->cache, name, NULL) == OK && base_file_read(&text, path, NULL) == OK &&
        tr_wk_read_lease(w, &p, buf_bytes(&text), NULL) == OK) {
        p.attested = true; /* for all that is known */
        (void)tr_wk_keep(w, &p);
    }
    tr_wk_forget(&p);
    buf_deinit(&text);
}

static void drop_named_model(tr_worker *w, const char *name)
{
    hash256 id;
    if (base_hex_decode(id.b, 32, name) == OK)
        tr_wk_drop_model(w, &id);
}

err tr_wk_restore(tr_worker *w, fault *f)
{
    if (!w->cfg.ledger)
        return OK;
    DIR *d = opendir(w->cache);
    if (!d)
        return fail(f, ERR_IO, "worker.cache", 0);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        if (strncmp(e->d_name, "lease-", 6) == 0)
            read_kept(w, e->d_name);
    rewinddir(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        if (strncmp(e->d_name, "model-", 6) == 0)
            drop_named_model(w, e->d_name + 6);
    closedir(d);
    return OK;
}

/* --- challenges on the ledger ------------------------------------------------------------------------------------------------- */

static err submit_opening(tr_worker *w, const past_lease *p, const tr_tile *tile, const outcome *o, fault *f)
{
    hash256 path[CR_MERKLE_DEPTH_MAX];
    uint64_t height;
    size_t n = cr_merkle_path(&cr_merkle_blake3, path, o->leaves, (size_t)o->leaf_count, (size_t)tile->place.leaf);
    chain_tx tx;
    memset(&tx, 0, sizeof tx);
    tx.type = CHAIN_TX_TRACE_OPEN;
    tx.payload.trace_open = (chain_tx_trace_open){ .job = p->lease.job, .lease_id = p->lease.lease_id,
                                                   .tile = bytes_of(tile->leaf, num_leaf_bytes(tile->place.tensor.elem_bytes)),
                                                   .path = bytes_of(path, n * sizeof *path) };
    return w->cfg.ledger->submit(w->cfg.ledger->ctx, &tx, &height, f);
}

/* Tried again while the row says that it is open. */
static void answer(tr_worker *w, const past_lease *p, uint64_t leaf)
{
    tr_tile tile;
    outcome o = { 0 };
    fault f;
    err e = tr_wk_open(w, p, leaf, &tile, &o, &f);
    if (e == OK)
        e = submit_opening(w, p, &tile, &o, &f);
    free(o.leaves);
    tr_wk_event(w, &(tr_worker_event){ .kind = TR_WORKER_CHALLENGED, .step = p->lease.step, .lease_id = p->lease.lease_id, .code = e,
                                       .what = "on the ledger" });
}

/* --- audits ------------------------------------------------------------------------------------------------------------------- */

static bool may_be_proved(const past_lease *p)
{
    return p->signed_lease && p->lease.level_min == CHAIN_LEVEL_FULL;
}

/* How the audits of all kept leases stand, with one question. False: that is not known now, and nothing may be let go. */
static bool look_for_audits(tr_worker *w)
{
    size_t count = 0, at = 0;
    for (size_t i = 0; i < WORKER_PAST; i++)
        if (may_be_proved(&w->past[i]))
            w->asked[count++] = w->past[i].lease.lease_id;
    if (!w->cfg.ledger->audits || count == 0)
        return true;
    if (w->cfg.ledger->audits(w->cfg.ledger->ctx, &w->cfg.job, w->audits, w->asked, count) != OK)
        return false;
    for (size_t i = 0; i < WORKER_PAST; i++)
        if (may_be_proved(&w->past[i]))
            w->past[i].audit = w->audits[at++];
    return true;
}

/* Whether an audit asks for it at this height, or may be opened after it. */
static bool may_be_audited(const tr_worker *w, const past_lease *p, uint64_t height)
{
    const tr_ledger *l = w->cfg.ledger;
    uint64_t window = p->audit == CHAIN_AUDIT_CLOSED ? l->audit_reopen_window : l->audit_window;
    if (!l->audits || !p->proved_height || p->audit == CHAIN_AUDIT_VALID || p->audit == CHAIN_AUDIT_FALSE)
        return false;
    return p->audit == CHAIN_AUDIT_OPEN || height <= p->proved_height || height - p->proved_height <= window;
}

/* Shows what an open audit of the lease asks for. Tried again while something is missing. */
static void answer_audit(tr_worker *w, const past_lease *p)
{
    fault f = { 0 };
    err e = tr_wk_show(w, p, &f);
    if (e != OK && e != ERR_BUSY && e != ERR_STATE)
        tr_wk_event(w, &(tr_worker_event){ .kind = TR_WORKER_TROUBLE, .step = p->lease.step, .lease_id = p->lease.lease_id, .code = e, .what = f.what });
}

/* --- watching ------------------------------------------------------------------------------------------------------------------ */

/* It has expired, so it will never be on the ledger. ERR_EXPIRED: although the coordinator had taken it. */
static err end_unseen(tr_worker *w, past_lease *p, fault *f)
{
    uint64_t id = p->lease.lease_id;
    bool accepted = p->accepted;
    tr_wk_drop_receipt(w, p);
    tr_wk_let_go(w, p);
    return accepted ? fail(f, ERR_EXPIRED, "worker: an answer was never committed", id) : OK;
}

/* One lease against its row. */
static err watch_lease(tr_worker *w, past_lease *p, uint64_t height, fault *f)
{
    chain_row_lease row = { 0 };
    if (!p->paid) {
        err e = w->cfg.ledger->lease(w->cfg.ledger->ctx, &p->lease.job, p->lease.lease_id, &row);
        if (e == ERR_NOT_FOUND && height > p->lease.expiry_height)
            return end_unseen(w, p, f);
        w->unseen += e != OK && p->accepted;
        if (e != OK)
            return OK; /* not there yet, or not reachable: next time */
        if (row.status != CHAIN_LEASE_COMMITTED)
            tr_wk_drop_receipt(w, p);
        p->proved_height = row.level == CHAIN_LEVEL_FULL && row.status != CHAIN_LEASE_SPOILED ? chain_lease_first_block(&row) : 0;
        p->paid = row.status == CHAIN_LEASE_PAID;
    }
    bool challengeable = !p->paid && row.status == CHAIN_LEASE_COMMITTED &&
                         (row.challenge_height || height <= row.commit_height + w->cfg.ledger->claim_delay);
    bool auditable = may_be_audited(w, p, height);
    if (!challengeable && !auditable) {
        tr_wk_let_go(w, p); /* settled, or too old to be asked for */
        return OK;
    }
    w->exposed++;
    if (challengeable && row.challenge_height)
        answer(w, p, row.challenge_leaf);
    if (auditable && p->audit == CHAIN_AUDIT_OPEN)
        answer_audit(w, p);
    return OK;
}

err tr_wk_watch(tr_worker *w, fault *f)
{
    uint64_t now = tr_wk_now_ms(), height;
    err e = OK;
    /* The height before the audits: what is not open then, and may not be opened after that height, is not audited any more. */
    if (!w->cfg.ledger || w->watching || now - w->watched_ms < WATCH_MS || w->cfg.ledger->height(w->cfg.ledger->ctx, &height) != OK ||
        !look_for_audits(w))
        return OK;
    w->watching = true; /* opening may have to wait for a model, and whoever waits comes by here */
    w->watched_ms = now;
    w->exposed = w->unseen = 0;
    for (size_t i = 0; i < WORKER_PAST && e == OK; i++)
        if (w->past[i].signed_lease)
            e = watch_lease(w, &w->past[i], height, f);
    w->watching = false;
    return e;
}

/* What a coordinator took from a worker that it turned away afterwards may still come to the ledger, where it can be challenged and audited: until
 * everything is paid for, or the job is closed. */
static bool more_may_come(const tr_worker *w)
{
    chain_row_job job;
    const tr_ledger *l = w->cfg.ledger;
    if (!w->turned_away || w->unseen == 0)
        return false;
    return l->job(l->ctx, &w->cfg.job, &job) != OK || (job.status == CHAIN_JOB_OPEN && job.sequences_paid < job.sequences_total);
}

err tr_wk_linger(tr_worker *w, fault *f)
{
    err first = OK;
    if (!w->cfg.ledger)
        return OK;
    for (;;) {
        fault why = { 0 };
        uint64_t before = w->watched_ms;
        err e = tr_wk_watch(w, &why);
        if (e != OK && first == OK) { /* about one lease: the others may be asked for all the same */
            first = e;
            if (f)
                *f = why;
        }
        if (w->watched_ms != before && w->exposed == 0 && e == OK && !more_may_come(w))
            return first;
        if (atomic_load(&w->stopping))
            return fail(f, ERR_INTERRUPTED, "worker", 0);
        tr_wk_pause();
    }
}
