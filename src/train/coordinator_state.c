/* SPDX-License-Identifier: Apache-2.0
 *
 * What outlives the process: checkpoint, journal, gradient files. */
#include "base/port/file.h"
#include "train/checkpoint.h"
#include "train/coordinator_int.h"

#include <stdlib.h>
#include <unistd.h>

void tr_coord_forget_step(tr_coordinator *c)
{
    for (size_t i = 0; c->answers && i < c->book.entry_count; i++) {
        free(c->answers[i].lease);
        free(c->answers[i].attestation);
    }
    free(c->answers);
    c->answers = NULL;
    tr_book_deinit(&c->book);
}

err tr_coord_journal(tr_coordinator *c, tr_journal_kind kind, uint64_t lease_id, const answer *a, fault *f)
{
    tr_journal_record r = { .kind = kind, .step = c->state.step, .lease_id = lease_id };
    if (a) {
        r.lease = bytes_of(a->lease, a->lease_len);
        r.attestation = bytes_of(a->attestation, a->attestation_len);
        r.file = a->file;
    }
    return tr_journal_add(&c->journal, &r, f);
}

static uint8_t *copy_of(bytes b)
{
    uint8_t *p = malloc(b.len ? b.len : 1);
    if (p && b.len)
        memcpy(p, b.data, b.len);
    return p;
}

static err remember(void *ctx, const tr_journal_record *r)
{
    tr_coordinator *c = ctx;
    if (c->past_count == c->past_room) {
        size_t room = c->past_room ? 2 * c->past_room : 64;
        remembered *more = realloc(c->past, room * sizeof *more);
        if (!more)
            return ERR_MEMORY;
        c->past = more;
        c->past_room = room;
    }
    remembered *p = &c->past[c->past_count];
    *p = (remembered){ r->kind, r->step, r->lease_id, copy_of(r->lease), copy_of(r->attestation), r->lease.len, r->attestation.len, r->file, false };
    if (!p->lease || !p->attestation) {
        free(p->lease);
        free(p->attestation);
        return ERR_MEMORY;
    }
    c->past_count++;
    return OK;
}

static void forget_past(tr_coordinator *c)
{
    for (size_t i = 0; i < c->past_count; i++) {
        free(c->past[i].lease);
        free(c->past[i].attestation);
    }
    free(c->past);
    c->past = NULL;
    c->past_count = c->past_room = 0;
}

/* The last word of the journal on a lease. */
static tr_journal_kind verdict_on(const tr_coordinator *c, uint64_t lease_id)
{
    tr_journal_kind kind = TR_JOURNAL_ANSWER;
    for (size_t i = 0; i < c->past_count; i++)
        if (c->past[i].lease_id == lease_id)
            kind = c->past[i].kind;
    return kind;
}

/* One answer of before the restart into the book, unless it does not belong there any more. */
static err replay_answer(tr_coordinator *c, const remembered *p, fault *f)
{
    answer a = { .lease_len = p->lease_len, .attestation_len = p->attestation_len, .file = p->file, .restored = true, .paid = p->paid,
                 .look = true };
    chain_signed s, t;
    const tr_lease_entry *entry;
    tr_journal_kind verdict = verdict_on(c, p->lease_id);
    if (verdict == TR_JOURNAL_REJECTED || chain_lease_decode(&a.terms, &s, bytes_of(p->lease, p->lease_len), NULL) != OK ||
        chain_attestation_decode(&a.said, &t, bytes_of(p->attestation, p->attestation_len), NULL) != OK)
        return OK;
    a.lease_hash = s.hash;
    a.said_hash = t.hash;
    size_t m = 0;
    while (m < c->member_count && memcmp(&c->members[m].key, &a.terms.worker, sizeof a.terms.worker) != 0)
        m++;
    /* A caught worker's answers count only once they were re-executed. */
    a.suspect = m < c->member_count && c->members[m].status.banned;
    tr_slot_status status = verdict == TR_JOURNAL_OWN                       ? TR_SLOT_OWN
                            : verdict == TR_JOURNAL_ACCEPTED && !a.suspect ? TR_SLOT_ACCEPTED
                                                                            : TR_SLOT_SUBMITTED;
    /* Another model: the step was repeated in between, or started over from an older checkpoint. */
    if (m == c->member_count || !hash256_equal(&a.terms.model, &c->model.id))
        return OK;
    if (tr_book_restore(&c->book, &entry, a.terms.from, a.terms.to, a.terms.lease_id, (uint32_t)m, p->paid ? 0 : a.terms.price,
                        a.terms.expiry_height, &a.said_hash, status, NULL) != OK)
        return OK;
    a.lease = copy_of(bytes_of(p->lease, p->lease_len));
    a.attestation = copy_of(bytes_of(p->attestation, p->attestation_len));
    c->answers[c->book.entry_count - 1] = a;
    if (!a.lease || !a.attestation)
        return fail(f, ERR_MEMORY, "answers", 0);
    tr_worker_status *w = &c->members[m].status;
    w->answers++;
    if (status == TR_SLOT_ACCEPTED) {
        w->accepted++;
        w->earned += a.terms.price;
    }
    return OK;
}

err tr_coord_replay_step(tr_coordinator *c, fault *f)
{
    c->answers = calloc(c->book.entry_max, sizeof *c->answers);
    if (!c->answers)
        return fail(f, ERR_MEMORY, "answers", c->book.entry_max);
    for (size_t i = 0; i < c->past_count; i++)
        if (c->past[i].kind == TR_JOURNAL_ANSWER && c->past[i].step == c->state.step)
            TRY(replay_answer(c, &c->past[i], f));
    return OK;
}

/* --- what workers uploaded ------------------------------------------------------------------------------------------------- */

err tr_coord_uploaded(tr_coordinator *c, const answer *a, int64_t *values, fault *f)
{
    tr_gradient_head want = { .model = a->terms.model, .lease = a->lease_hash, .shape = c->cfg.shape };
    hash256 root;
    buf file;
    buf_init(&file, (size_t)tr_gradient_bytes_max(c->elements));
    err e = tr_store_get(&file, c->gradients, &a->file, f);
    if (e == OK)
        e = tr_gradient_decode(values, &root, &want, buf_bytes(&file), f);
    if (e == OK && !hash256_equal(&root, &a->said.gradient))
        e = fail(f, ERR_HASH, "gradient.root", a->terms.lease_id);
    buf_deinit(&file);
    return e;
}

err tr_coord_leaves(tr_coordinator *c, const answer *a, uint64_t count, hash256 **out, fault *f)
{
    char path[TR_PATH_MAX];
    buf file;
    TRY(tr_store_path(path, c->gradients, &a->said.trace_root, f));
    buf_init(&file, (size_t)count * sizeof(hash256));
    err e = base_file_read(&file, path, f);
    if (e == OK && file.len != count * sizeof(hash256))
        e = fail(f, ERR_TRUNCATED, "leaves", file.len);
    *out = e == OK ? malloc(file.len) : NULL;
    if (e == OK && !*out)
        e = fail(f, ERR_MEMORY, "leaves", file.len);
    if (e == OK)
        memcpy(*out, file.data, file.len);
    buf_deinit(&file);
    return e;
}

/* --- who was caught ------------------------------------------------------------------------------------------------------- */

static err ban_path(char out[TR_PATH_MAX], const tr_coordinator *c, const cr_public_key *worker, fault *f)
{
    char name[80] = "banned-";
    base_hex_encode(name + 7, worker->b, 32);
    return tr_store_name(out, c->dir, name, f);
}

err tr_coord_ban(tr_coordinator *c, const cr_public_key *worker, fault *f)
{
    char path[TR_PATH_MAX];
    TRY(ban_path(path, c, worker, f));
    return base_file_write_atomic(path, bytes_of("", 0), 0600, BASE_FILE_REPLACE, f);
}

bool tr_coord_was_banned(const tr_coordinator *c, const cr_public_key *worker)
{
    char path[TR_PATH_MAX];
    return ban_path(path, c, worker, NULL) == OK && access(path, F_OK) == 0;
}

/* --- checkpoint ----------------------------------------------------------------------------------------------------------- */

err tr_coord_checkpoint(tr_coordinator *c, fault *f)
{
    hash256 id;
    tr_checkpoint point = { .job = c->cfg.job, .determinism_seed = c->cfg.determinism_seed, .dataset = c->cfg.data->cid,
                            .cursor = c->state.step * c->cfg.batch_size, .schedule = c->cfg.schedule, .fractions = c->fractions,
                            .model = c->model.id, .state = c->state };
    TRY(tr_checkpoint_save(c->checkpoints, &point, &id, f));
    pthread_mutex_lock(&c->mu);
    err e = tr_journal_clear(&c->journal, f);
    pthread_mutex_unlock(&c->mu);
    forget_past(c);
    tr_coord_event(c, &(tr_event){ .kind = TR_EVENT_CHECKPOINT, .step = c->state.step, .hash = &id });
    return e;
}

static err fits_job(const tr_coordinator *c, const tr_checkpoint *p, fault *f)
{
    if (!hash256_equal(&p->job, &c->cfg.job))
        return fail(f, ERR_STALE, "checkpoint.job", 0);
    if (!hash256_equal(&p->dataset, &c->cfg.data->cid))
        return fail(f, ERR_STALE, "checkpoint.dataset", 0);
    if (memcmp(&p->state.shape, &c->cfg.shape, sizeof p->state.shape) != 0)
        return fail(f, ERR_SHAPE, "checkpoint.shape", 0);
    if (p->determinism_seed != c->cfg.determinism_seed || p->schedule.lr_max != c->cfg.schedule.lr_max ||
        p->schedule.warm_steps != c->cfg.schedule.warm_steps || p->schedule.total_steps != c->cfg.schedule.total_steps)
        return fail(f, ERR_CONFIG, "checkpoint.schedule", 0);
    if (p->cursor != p->state.step * c->cfg.batch_size)
        return fail(f, ERR_CONFIG, "checkpoint.cursor", p->cursor);
    return OK;
}

/* A new number at every start: lease ids of different lives never meet. Durable before the first lease is signed. */
static err next_life(tr_coordinator *c, fault *f)
{
    char path[TR_PATH_MAX];
    uint64_t life = 0;
    uint8_t text[8];
    buf b;
    TRY(tr_store_name(path, c->dir, "life", f));
    buf_init(&b, 8);
    err e = base_file_read(&b, path, f);
    if (e == OK && b.len == 8)
        life = load_le64(b.data);
    else if (e == OK)
        e = fail(f, ERR_SYNTAX, "coordinator.life", b.len);
    else if (e == ERR_NOT_FOUND)
        e = OK;
    buf_deinit(&b);
    TRY(e);
    if (++life >= (uint64_t)1 << 40)
        return fail(f, ERR_LIMIT, "coordinator.life", life);
    c->lease_next = life << 24;
    store_le64(text, life);
    return base_file_write_atomic(path, bytes_of(text, 8), 0600, BASE_FILE_REPLACE, f);
}

err tr_coord_restore(tr_coordinator *c, fault *f)
{
    char path[TR_PATH_MAX];
    hash256 head;
    TRY(next_life(c, f));
    tr_store_clear_incoming(c->gradients);
    err e = tr_checkpoint_head(c->checkpoints, false, &head, f);
    if (e == OK) {
        tr_checkpoint p;
        TRY(tr_checkpoint_load(&p, c->checkpoints, &head, f));
        e = fits_job(c, &p, f);
        if (e != OK) {
            tr_checkpoint_deinit(&p);
            return e;
        }
        c->state = p.state;
        c->fractions = p.fractions;
        c->model.id = p.model; /* the state id needs it if no step is left */
    } else if (e == ERR_NOT_FOUND) {
        TRY(bt_state_init(&c->state, &c->cfg.shape, c->cfg.determinism_seed, f));
        if (c->cfg.master)
            memcpy(c->state.master, c->cfg.master, (size_t)c->elements * sizeof *c->state.master);
    } else {
        return e;
    }
    c->state.pool = c->exec.device->pool;
    TRY(tr_store_name(path, c->dir, "journal", f));
    return tr_journal_open(&c->journal, path, remember, c, NULL, f);
}
