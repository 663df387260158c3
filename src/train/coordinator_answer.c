/* SPDX-License-Identifier: Apache-2.0
 *
 * What workers send: the gradient and the leaf hashes of the trace, then the attestation that signs for both, and the tile that a
 * caught worker is asked for. */
#include "train/coordinator_int.h"

#include <stdlib.h>

/* --- uploads -------------------------------------------------------------------------------------------------------------- */

static void drop_gradient(member *m)
{
    if (!m->reader)
        return;
    tr_gradient_reader_free(m->reader);
    m->reader = NULL;
    tr_store_drop(&m->writer);
}

static void drop_leaves(member *m)
{
    if (m->leaves.open)
        tr_store_drop(&m->leaves.writer);
    m->leaves.open = false;
}

static void drop_proof(member *m)
{
    if (m->proof.open)
        tr_store_drop(&m->proof.writer);
    m->proof.open = false;
}

void tr_coord_drop_uploads(member *m)
{
    drop_gradient(m);
    drop_leaves(m);
    drop_proof(m);
}

static err may_answer(const tr_coordinator *c, const member *m, int64_t at, uint64_t lease_id, uint64_t height, fault *f)
{
    if (at < 0 || c->book.entries[at].worker != (uint32_t)(m - c->members))
        return fail(f, ERR_STALE, "lease.id", lease_id); /* of an earlier step, or somebody else's */
    if (m->status.banned)
        return tr_coord_turn_away(c, m, f);
    return tr_book_may_submit(&c->book, lease_id, height, f);
}

static err start_gradient(tr_coordinator *c, member *m, const answer *a, fault *f)
{
    char label[65];
    drop_gradient(m);
    tr_gradient_head want = { .model = a->terms.model, .lease = a->lease_hash, .shape = c->cfg.shape };
    base_hex_encode(label, m->key.b, 32);
    err e = tr_gradient_reader_new(&m->reader, &want, NULL, NULL);
    if (e != OK)
        return fail(f, e, "gradient", 0);
    m->upload_lease = a->terms.lease_id;
    e = tr_store_open(&m->writer, c->gradients, label, f);
    if (e != OK) {
        tr_gradient_reader_free(m->reader);
        m->reader = NULL;
    }
    return e;
}

static err start_leaves(tr_coordinator *c, member *m, const answer *a, fault *f)
{
    char label[72] = "leaves-";
    drop_leaves(m);
    base_hex_encode(label + 7, m->key.b, 32);
    m->leaves.lease_id = a->terms.lease_id;
    m->leaves.want = num_trace_leaves(&c->cfg.shape, a->terms.to - a->terms.from) * sizeof(hash256);
    cr_merkle_builder_init(&m->leaves.tree, &cr_merkle_blake3);
    TRY(tr_store_open(&m->leaves.writer, c->gradients, label, f));
    m->leaves.open = true;
    return OK;
}

static err start_proof(tr_coordinator *c, member *m, const answer *a, fault *f)
{
    char label[72] = "proof-";
    if (a->terms.level_min != CHAIN_LEVEL_FULL)
        return fail(f, ERR_LEVEL, "proof: not asked for", a->terms.level_min);
    drop_proof(m);
    base_hex_encode(label + 6, m->key.b, 32);
    m->proof.lease_id = a->terms.lease_id;
    TRY(tr_store_open(&m->proof.writer, c->gradients, label, f));
    m->proof.open = true;
    return OK;
}

/* Which of the uploads a part belongs to. */
typedef enum upload_kind { UPLOAD_GRADIENT, UPLOAD_LEAVES, UPLOAD_PROOF } upload_kind;

typedef struct upload {
    upload_kind kind;
    uint64_t lease_id, offset;
    bytes    part;
} upload;

/* How far the upload of this lease has come; false: it has not begun. */
static bool upload_at(const member *m, const upload *u, uint64_t *have)
{
    bool open = false;
    switch (u->kind) {
    case UPLOAD_GRADIENT:
        open = m->reader && m->upload_lease == u->lease_id;
        *have = open ? tr_gradient_reader_at(m->reader) : 0;
        break;
    case UPLOAD_LEAVES:
        open = m->leaves.open && m->leaves.lease_id == u->lease_id;
        *have = open ? m->leaves.writer.len : 0;
        break;
    case UPLOAD_PROOF:
        open = m->proof.open && m->proof.lease_id == u->lease_id;
        *have = open ? m->proof.writer.len : 0;
        break;
    }
    return open;
}

static err start(tr_coordinator *c, member *m, upload_kind kind, const answer *a, fault *f)
{
    return kind == UPLOAD_LEAVES ? start_leaves(c, m, a, f) : kind == UPLOAD_PROOF ? start_proof(c, m, a, f) : start_gradient(c, m, a, f);
}

static void drop(member *m, upload_kind kind)
{
    if (kind == UPLOAD_LEAVES)
        drop_leaves(m);
    else if (kind == UPLOAD_PROOF)
        drop_proof(m);
    else
        drop_gradient(m);
}

/* Whether the part is the next one; *skip: it is here already. With mu. */
static err place_part(tr_coordinator *c, member *m, const upload *u, uint64_t height, bool *skip, fault *f)
{
    uint64_t have;
    if (m->busy)
        return fail(f, ERR_BUSY, "upload: another part is on its way", u->lease_id);
    int64_t at = tr_coord_find_id(c, u->lease_id);
    TRY(may_answer(c, m, at, u->lease_id, height, f));
    if (u->offset == 0 && !(upload_at(m, u, &have) && have == u->part.len))
        TRY(start(c, m, u->kind, &c->answers[at], f));
    if (!upload_at(m, u, &have))
        return fail(f, ERR_RANGE, "upload: starts at 0", u->offset);
    *skip = u->offset < have && u->offset + u->part.len == have;
    if (!*skip && u->offset != have)
        return fail(f, ERR_RANGE, "upload.offset", have);
    m->busy = !*skip;
    return OK;
}

static err add_gradient(member *m, bytes part, fault *f)
{
    TRY(tr_gradient_reader_feed(m->reader, part, f));
    return tr_store_add(&m->writer, part, f);
}

/* Whole hashes only, and not more than the trace of the lease has. */
static err add_leaves(member *m, bytes part, fault *f)
{
    leaves_upload *l = &m->leaves;
    if (part.len % sizeof(hash256) || part.len > l->want - l->writer.len)
        return fail(f, ERR_RANGE, "leaves.part", part.len);
    for (size_t i = 0; i < part.len; i += sizeof(hash256)) {
        hash256 leaf;
        memcpy(leaf.b, part.data + i, sizeof leaf.b);
        cr_merkle_builder_add(&l->tree, &leaf);
    }
    return tr_store_add(&l->writer, part, f);
}

static err add_proof(member *m, bytes part, fault *f)
{
    if (part.len > LIMIT_PROOF_BYTES - m->proof.writer.len)
        return fail(f, ERR_LIMIT, "proof.part", part.len);
    return tr_store_add(&m->proof.writer, part, f);
}

static err add(member *m, const upload *u, fault *f)
{
    return u->kind == UPLOAD_LEAVES ? add_leaves(m, u->part, f) : u->kind == UPLOAD_PROOF ? add_proof(m, u->part, f) : add_gradient(m, u->part, f);
}

static err take_part(tr_coordinator *c, member *m, const upload *u, buf *reply, fault *f)
{
    uint64_t height;
    bool skip = false;
    if (u->part.len == 0 || u->part.len > LIMIT_TRAIN_PART_BYTES)
        return fail(f, ERR_LIMIT, "upload.part", u->part.len);
    err e = c->cfg.ledger.height(c->cfg.ledger.ctx, &height);
    if (e != OK)
        return fail(f, e, "ledger.height", 0);
    pthread_mutex_lock(&c->mu);
    e = place_part(c, m, u, height, &skip, f);
    pthread_mutex_unlock(&c->mu);
    if (e == OK && !skip) {
        e = add(m, u, f);
        pthread_mutex_lock(&c->mu);
        m->busy = false;
        if (e != OK)
            drop(m, u->kind);
        c->progress_ms = tr_coord_now_ms();
        pthread_mutex_unlock(&c->mu);
    }
    return e == OK ? tr_count_encode(reply, u->offset + u->part.len) : e;
}

static err take(tr_coordinator *c, member *m, upload_kind kind, const tr_request *r, const char *path, buf *reply, fault *f)
{
    upload u = { .kind = kind, .part = r->body };
    TRY(tr_coord_number(&u.lease_id, &path, f));
    TRY(tr_coord_number(&u.offset, &path, f));
    return take_part(c, m, &u, reply, f);
}

err tr_coord_take_gradient(tr_coordinator *c, member *m, const tr_request *r, const char *path, buf *reply, fault *f)
{
    return take(c, m, UPLOAD_GRADIENT, r, path, reply, f);
}

err tr_coord_take_leaves(tr_coordinator *c, member *m, const tr_request *r, const char *path, buf *reply, fault *f)
{
    return take(c, m, UPLOAD_LEAVES, r, path, reply, f);
}

err tr_coord_take_proof(tr_coordinator *c, member *m, const tr_request *r, const char *path, buf *reply, fault *f)
{
    return take(c, m, UPLOAD_PROOF, r, path, reply, f);
}

/* --- the answer ----------------------------------------------------------------------------------------------------------- */

/* The attestation against its lease. */
static err check_answer(const tr_coordinator *c, const answer *a, const chain_attestation *said, const chain_signed *s, fault *f)
{
    TRY(chain_attestation_matches(said, &a->terms, &a->lease_hash, f));
    if (chain_signed_verify(s, &a->terms.worker) != OK)
        return fail(f, ERR_SIGNATURE, "attestation.signature", 0);
    if (said->level != a->terms.level_min) /* more was not asked for, and would cost us */
        return fail(f, ERR_LEVEL, "attestation.level", said->level);
    if (said->tokens != (a->terms.to - a->terms.from) * c->cfg.shape.context)
        return fail(f, ERR_RANGE, "attestation.tokens", said->tokens);
    return OK;
}

/* The gradient that was uploaded is the one attested. Keeps its file. */
static err keep_gradient(member *m, const chain_attestation *said, uint64_t lease_id, hash256 *file, fault *f)
{
    hash256 root;
    if (!m->reader || m->upload_lease != lease_id)
        return fail(f, ERR_STATE, "gradient: not uploaded", lease_id);
    TRY(tr_gradient_reader_finish(m->reader, &root, f));
    if (!hash256_equal(&root, &said->gradient))
        return fail(f, ERR_HASH, "attestation.gradient", 0);
    err e = tr_store_keep(&m->writer, false, file, f);
    drop_gradient(m);
    return e;
}

/* The leaf hashes that were uploaded are those of the attested trace: should the lease be drawn, nothing about them has to be asked. */
static err check_leaves(member *m, const chain_attestation *said, uint64_t lease_id, fault *f)
{
    const leaves_upload *l = &m->leaves;
    if (!l->open || l->lease_id != lease_id || l->writer.len != l->want)
        return fail(f, ERR_STATE, "leaves: not uploaded", lease_id);
    hash256 root = cr_merkle_builder_root(&m->leaves.tree);
    return hash256_equal(&root, &said->trace_root) ? OK : fail(f, ERR_HASH, "attestation.trace_root", 0);
}

/* The proof that was uploaded is the one attested; what it proves is looked at later. */
static err check_proof(const member *m, const chain_attestation *said, uint64_t lease_id, fault *f)
{
    if (said->level != CHAIN_LEVEL_FULL)
        return OK;
    if (!m->proof.open || m->proof.lease_id != lease_id)
        return fail(f, ERR_STATE, "proof: not uploaded", lease_id);
    hash256 id = cr_blake3_final(&m->proof.writer.hash);
    return hash256_equal(&id, &said->proof) ? OK : fail(f, ERR_HASH, "attestation.proof", 0);
}

static err keep_proof(member *m, const chain_attestation *said, fault *f)
{
    hash256 id;
    if (said->level != CHAIN_LEVEL_FULL)
        return OK;
    m->proof.open = false;
    return tr_store_keep(&m->proof.writer, false, &id, f);
}

/* Under the name of their root. */
static err keep_leaves(member *m, const chain_attestation *said, fault *f)
{
    m->leaves.open = false;
    return tr_store_keep_as(&m->leaves.writer, false, &said->trace_root, f);
}

/* With mu. *news: it was not known before. */
static err take_answer(tr_coordinator *c, member *m, bytes body, uint64_t height, uint64_t *lease_id, bool *news, fault *f)
{
    chain_attestation said;
    chain_signed s;
    TRY(chain_attestation_decode(&said, &s, body, f));
    int64_t at = tr_coord_find_hash(c, &said.lease);
    if (at < 0)
        return fail(f, ERR_STALE, "attestation.lease", 0);
    answer *a = &c->answers[at];
    *lease_id = a->terms.lease_id;
    if (a->attestation && hash256_equal(&a->said_hash, &s.hash))
        return OK;
    TRY(may_answer(c, m, at, *lease_id, height, f));
    TRY(check_answer(c, a, &said, &s, f));
    if (m->busy)
        return fail(f, ERR_BUSY, "upload: a part is on its way", *lease_id);
    hash256 file = { { 0 } };
    TRY(check_leaves(m, &said, *lease_id, f));
    TRY(check_proof(m, &said, *lease_id, f));
    /* From here on only our own disk can refuse: nothing that a worker repeats leaves files behind. */
    if (said.result == CHAIN_RESULT_NORMAL)
        TRY(keep_gradient(m, &said, *lease_id, &file, f));
    TRY(keep_proof(m, &said, f));
    TRY(keep_leaves(m, &said, f));
    uint8_t *copy = malloc(body.len);
    if (!copy)
        return fail(f, ERR_MEMORY, "attestation", 0);
    memcpy(copy, body.data, body.len);
    a->attestation = copy;
    a->attestation_len = body.len;
    a->said = said;
    a->said_hash = s.hash;
    a->file = file;
    err e = tr_coord_journal(c, TR_JOURNAL_ANSWER, *lease_id, a, f);
    if (e == OK)
        e = tr_book_submit(&c->book, *lease_id, &s.hash, height, f);
    if (e != OK) {
        free(copy);
        a->attestation = NULL;
        return e;
    }
    *news = true;
    m->status.answers++;
    c->progress_ms = tr_coord_now_ms();
    tr_coord_wake(c);
    return OK;
}

err tr_coord_take_attestation(tr_coordinator *c, member *m, const tr_request *r, buf *reply, fault *f)
{
    uint64_t height, lease_id = 0;
    bool news = false;
    err e = c->cfg.ledger.height(c->cfg.ledger.ctx, &height);
    if (e != OK)
        return fail(f, e, "ledger.height", 0);
    pthread_mutex_lock(&c->mu);
    e = take_answer(c, m, r->body, height, &lease_id, &news, f);
    tr_event event = { .kind = TR_EVENT_SUBMITTED, .step = c->state.step, .lease_id = lease_id, .worker = &m->key };
    pthread_mutex_unlock(&c->mu);
    if (e == OK && news)
        tr_coord_event(c, &event);
    return e == OK ? tr_count_encode(reply, lease_id) : e;
}

/* --- the tile ----------------------------------------------------------------------------------------------------------- */

static err take_tile(challenge *q, uint64_t lease_id, uint64_t offset, bytes part, fault *f)
{
    if (q->state != CHALLENGE_TILE || q->lease_id != lease_id)
        return fail(f, ERR_STATE, "challenge", lease_id);
    if (offset < q->data.len && offset + part.len == q->data.len)
        return OK;
    if (offset != q->data.len)
        return fail(f, ERR_RANGE, "challenge.offset", q->data.len);
    if (part.len == 0 || part.len > q->want - q->data.len)
        return fail(f, ERR_LIMIT, "challenge.part", part.len);
    err e = buf_put(&q->data, part.data, part.len);
    if (e != OK)
        return fail(f, e, "challenge.part", part.len);
    if (q->data.len == q->want)
        q->state = CHALLENGE_ANSWERED;
    return OK;
}

err tr_coord_take_tile(tr_coordinator *c, member *m, const tr_request *r, const char *path, buf *reply, fault *f)
{
    uint64_t lease_id, offset;
    TRY(tr_coord_number(&lease_id, &path, f));
    TRY(tr_coord_number(&offset, &path, f));
    pthread_mutex_lock(&c->mu);
    err e = take_tile(&m->challenge, lease_id, offset, r->body, f);
    if (e == OK)
        tr_coord_wake(c);
    pthread_mutex_unlock(&c->mu);
    return e == OK ? tr_count_encode(reply, offset + r->body.len) : e;
}
