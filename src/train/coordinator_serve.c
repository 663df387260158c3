/* SPDX-License-Identifier: Apache-2.0
 *
 * What workers ask for. Every request but GET session is signed by an admitted worker. Repeating a request whose answer was lost is
 * harmless everywhere: a lease is given again, a part that is there is not taken twice, an attestation that is known is agreed to. */
#include "train/coordinator_int.h"
#include "train/token_root.h"

#include "base/int.h"

#include <stdlib.h>

int64_t tr_coord_find_hash(const tr_coordinator *c, const hash256 *lease_hash)
{
    for (size_t i = 0; i < c->book.entry_count; i++)
        if (hash256_equal(&c->answers[i].lease_hash, lease_hash))
            return (int64_t)i;
    return -1;
}

int64_t tr_coord_find_id(const tr_coordinator *c, uint64_t lease_id)
{
    for (size_t i = 0; i < c->book.entry_count; i++)
        if (c->book.entries[i].id == lease_id)
            return (int64_t)i;
    return -1;
}

/* --- path ---------------------------------------------------------------------------------------------------------------- */

static bool take_word(const char **path, const char *word)
{
    size_t n = strlen(word);
    if (strncmp(*path, word, n) != 0 || ((*path)[n] != 0 && (*path)[n] != '/'))
        return false;
    *path += n + ((*path)[n] == '/');
    return true;
}

static err take_number(uint64_t *out, const char **path, fault *f)
{
    uint64_t v = 0;
    const char *p = *path;
    if (*p < '0' || *p > '9')
        return fail(f, ERR_SYNTAX, "path.number", 0);
    for (; *p >= '0' && *p <= '9'; p++)
        if (checked_mul_u64(&v, v, 10) != OK || checked_add_u64(&v, v, (uint64_t)(*p - '0')) != OK)
            return fail(f, ERR_RANGE, "path.number", 0);
    if (*p != 0 && *p != '/')
        return fail(f, ERR_SYNTAX, "path.number", 0);
    *path = p + (*p == '/');
    *out = v;
    return OK;
}

static err take_id(hash256 *out, const char **path, fault *f)
{
    char hex[65];
    if (strlen(*path) < 64)
        return fail(f, ERR_SYNTAX, "path.id", 0);
    memcpy(hex, *path, 64);
    hex[64] = 0;
    if (base_hex_decode(out->b, 32, hex) != OK || (*path)[64] != '/')
        return fail(f, ERR_SYNTAX, "path.id", 0);
    *path += 65;
    return OK;
}

/* --- who asks ------------------------------------------------------------------------------------------------------------ */

/* The member, with its nonce moved up. */
static err authenticate(tr_coordinator *c, const tr_request *r, member **out, fault *f)
{
    tr_auth a;
    if (!r->auth)
        return fail(f, ERR_PERMISSION, "auth", 0);
    TRY(tr_auth_parse(&a, r->auth, f));
    if (memcmp(a.session, c->session, sizeof a.session) != 0)
        return fail(f, ERR_STALE, "auth.session", 0);
    TRY(tr_auth_verify(&a, r, f));
    pthread_mutex_lock(&c->mu);
    member *m = NULL;
    for (size_t i = 0; i < c->member_count && !m; i++)
        if (memcmp(&c->members[i].key, &a.key, sizeof a.key) == 0)
            m = &c->members[i];
    err e = OK;
    if (!m)
        e = fail(f, ERR_PERMISSION, "auth.key", 0);
    else if (a.nonce <= m->nonce)
        e = fail(f, ERR_DUPLICATE, "auth.nonce", a.nonce);
    else {
        m->nonce = a.nonce;
        m->status.seen = true;
    }
    pthread_mutex_unlock(&c->mu);
    *out = m;
    return e;
}

/* --- downloads ----------------------------------------------------------------------------------------------------------- */

static err reply_part(buf *reply, bytes whole, uint64_t at, fault *f)
{
    if (at > whole.len)
        return fail(f, ERR_RANGE, "path.offset", at);
    uint64_t left = whole.len - at, n = left < LIMIT_TRAIN_PART_BYTES ? left : LIMIT_TRAIN_PART_BYTES;
    return tr_part_encode(reply, whole.len, bytes_of(whole.data + at, (size_t)n));
}

static err serve_model(tr_coordinator *c, const char *path, buf *reply, fault *f)
{
    hash256 id;
    uint64_t at;
    TRY(take_id(&id, &path, f));
    TRY(take_number(&at, &path, f));
    pthread_mutex_lock(&c->mu);
    err e = c->model_file && hash256_equal(&id, &c->model.id) ? reply_part(reply, bytes_of(c->model_file, c->model_file_len), at, f)
                                                              : fail(f, ERR_STALE, "model", 0);
    pthread_mutex_unlock(&c->mu);
    return e;
}

static err serve_data(tr_coordinator *c, const char *path, buf *reply, fault *f)
{
    hash256 id;
    uint64_t at;
    TRY(take_id(&id, &path, f));
    TRY(take_number(&at, &path, f));
    if (hash256_equal(&id, &c->cfg.data->cid))
        return reply_part(reply, buf_bytes(&c->manifest), at, f);
    for (uint64_t i = 0; i < c->cfg.data->manifest.shard_count; i++)
        if (hash256_equal(&id, &c->cfg.data->manifest.shards[i]))
            return reply_part(reply, tr_dataset_shard(c->cfg.data, i), at, f);
    return fail(f, ERR_NOT_FOUND, "data", 0);
}

static err serve_session(tr_coordinator *c, buf *reply)
{
    tr_session s = { .chain_id = c->cfg.chain_id, .job = c->cfg.job, .coordinator = c->public_key, .dataset = c->cfg.data->cid,
                     .shape = c->cfg.shape, .batch_size = c->cfg.batch_size, .steps = c->cfg.steps,
                     .spec_version = CHAIN_SPEC_VERSION, .gradient_version = TR_GRADIENT_VERSION };
    memcpy(s.id, c->session, sizeof s.id);
    return tr_session_encode(reply, &s);
}

/* --- work ---------------------------------------------------------------------------------------------------------------- */

/* The lease that this worker holds already. */
static int64_t live_lease(const tr_coordinator *c, size_t m)
{
    for (size_t i = c->book.entry_count; i-- > 0;)
        if (c->book.entries[i].worker == m && c->book.entries[i].status == TR_LEASE_LIVE)
            return (int64_t)i;
    return -1;
}

/* A new lease for the first free slot; ERR_BUSY if there is none. With mu. */
static err give_lease(tr_coordinator *c, size_t index, uint64_t height, size_t *entry, fault *f)
{
    member *m = &c->members[index];
    const tr_lease_entry *e;
    uint64_t expiry = height + c->cfg.lease_blocks;
    tr_terms terms = { .worker = (uint32_t)index, .capacity = m->capacity, .price = m->price, .price_sequences = c->cfg.price_sequences,
                       .deadline_ms = tr_coord_now_ms() + c->cfg.lease_ms,
                       .expiry_height = expiry < c->cfg.expiry_height ? expiry : c->cfg.expiry_height };
    TRY(tr_book_lease(&c->book, &e, &terms, f));
    *entry = c->book.entry_count - 1;
    c->lease_next = c->book.id_next;
    answer *a = &c->answers[*entry];
    const tr_slot *slot = &c->book.slots[e->slot];
    memset(a, 0, sizeof *a);
    a->terms = (chain_lease){ .version = CHAIN_LEASE_VERSION, .chain_id = c->cfg.chain_id, .job = c->cfg.job, .lease_id = e->id,
                              .step = c->state.step, .from = slot->from, .to = slot->to, .model = c->model.id, .worker = m->key,
                              .tokens = tr_token_root(c->cfg.data, &c->cfg.job, slot->from, slot->to, c->cfg.shape.context),
                              .price = e->price, .level_min = c->cfg.level_min, .expiry_height = e->expiry_height };
    uint8_t text[2048];
    bytes view;
    TRY(chain_lease_sign(&view, text, sizeof text, &a->terms, &c->cfg.key, &a->lease_hash, f));
    a->lease = malloc(view.len);
    if (!a->lease)
        return fail(f, ERR_MEMORY, "lease", 0);
    memcpy(a->lease, view.data, view.len);
    a->lease_len = view.len;
    m->status.leases++;
    return OK;
}

/* What there is to do for this worker now. With mu. *given: a lease went out. */
static err find_work(tr_coordinator *c, size_t index, uint64_t height, tr_work *work, int64_t *given, fault *f)
{
    member *m = &c->members[index];
    if (m->challenge.state == CHALLENGE_LEAVES || m->challenge.state == CHALLENGE_TILE) {
        work->kind = m->challenge.state == CHALLENGE_LEAVES ? TR_WORK_LEAVES : TR_WORK_TILE;
        work->lease_id = m->challenge.lease_id;
        work->leaf = m->challenge.leaf;
        return OK;
    }
    if (c->done) {
        work->kind = TR_WORK_DONE;
        return OK;
    }
    if (m->status.banned)
        return fail(f, ERR_CHEAT, "worker: caught before", 0);
    if (!c->open)
        return OK;
    int64_t at = live_lease(c, index);
    if (at < 0) {
        size_t entry;
        err e = give_lease(c, index, height, &entry, f);
        if (e == ERR_BUSY)
            return OK;
        if (e != OK)
            return e;
        at = *given = (int64_t)entry;
    }
    work->kind = TR_WORK_LEASE;
    work->lease = bytes_of(c->answers[at].lease, c->answers[at].lease_len);
    work->lease_id = c->book.entries[at].id;
    return OK;
}

static err work_wait(const tr_request *r, uint64_t *wait_ms, fault *f)
{
    TRY(tr_count_decode(wait_ms, r->body, f));
    return *wait_ms <= LIMIT_TRAIN_WAIT_MS ? OK : fail(f, ERR_LIMIT, "work.wait_ms", *wait_ms);
}

static err serve_work(tr_coordinator *c, member *m, const tr_request *r, buf *reply, fault *f)
{
    uint64_t wait_ms, height;
    TRY(work_wait(r, &wait_ms, f));
    uint64_t until = tr_coord_now_ms() + wait_ms;
    size_t index = (size_t)(m - c->members);
    tr_event event = { .kind = TR_EVENT_LEASED, .worker = &m->key };
    int64_t given = -1;
    err e = OK;
    for (;;) {
        tr_work work = { .kind = TR_WORK_WAIT };
        e = c->cfg.ledger.height(c->cfg.ledger.ctx, &height);
        if (e != OK)
            return fail(f, e, "ledger.height", 0);
        pthread_mutex_lock(&c->mu);
        e = find_work(c, index, height, &work, &given, f);
        bool over = e != OK || work.kind != TR_WORK_WAIT || tr_coord_now_ms() >= until || atomic_load(&c->stopping);
        if (over && e == OK)
            e = tr_work_encode(reply, &work);
        if (over && given >= 0) {
            event.lease_id = work.lease_id;
            event.step = c->state.step;
        }
        if (!over)
            tr_coord_wait(c, until);
        pthread_mutex_unlock(&c->mu);
        if (over)
            break;
    }
    if (e == OK && given >= 0)
        tr_coord_event(c, &event);
    return e;
}

/* --- answers -------------------------------------------------------------------------------------------------------------- */

static void drop_upload(member *m)
{
    if (!m->reader)
        return;
    tr_gradient_reader_free(m->reader);
    m->reader = NULL;
    tr_store_drop(&m->writer);
}

static err may_answer(const tr_coordinator *c, const member *m, int64_t at, uint64_t lease_id, uint64_t height, fault *f)
{
    if (at < 0 || c->book.entries[at].worker != (uint32_t)(m - c->members))
        return fail(f, ERR_STALE, "lease.id", lease_id); /* of an earlier step, or somebody else's */
    if (m->status.banned)
        return fail(f, ERR_CHEAT, "worker: caught before", lease_id);
    return tr_book_may_submit(&c->book, lease_id, height, f);
}

static err start_upload(tr_coordinator *c, member *m, int64_t at, fault *f)
{
    const answer *a = &c->answers[at];
    char label[65];
    drop_upload(m);
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

/* Whether bytes at `offset` are the next ones; *skip: they are here already. With mu. */
static err place_part(tr_coordinator *c, member *m, uint64_t lease_id, uint64_t offset, uint64_t len, uint64_t height, bool *skip,
                      fault *f)
{
    if (m->busy)
        return fail(f, ERR_BUSY, "gradient: another part is on its way", lease_id);
    int64_t at = tr_coord_find_id(c, lease_id);
    TRY(may_answer(c, m, at, lease_id, height, f));
    if (offset == 0 && !(m->reader && m->upload_lease == lease_id && tr_gradient_reader_at(m->reader) == len))
        TRY(start_upload(c, m, at, f));
    if (!m->reader || m->upload_lease != lease_id)
        return fail(f, ERR_RANGE, "gradient: starts at 0", offset);
    uint64_t have = tr_gradient_reader_at(m->reader);
    *skip = offset < have && offset + len == have;
    if (!*skip && offset != have)
        return fail(f, ERR_RANGE, "gradient.offset", have);
    m->busy = !*skip;
    return OK;
}

static err serve_gradient(tr_coordinator *c, member *m, const tr_request *r, const char *path, buf *reply, fault *f)
{
    uint64_t lease_id, offset, height;
    bool skip = false;
    TRY(take_number(&lease_id, &path, f));
    TRY(take_number(&offset, &path, f));
    if (r->body.len == 0 || r->body.len > LIMIT_TRAIN_PART_BYTES)
        return fail(f, ERR_LIMIT, "gradient.part", r->body.len);
    err e = c->cfg.ledger.height(c->cfg.ledger.ctx, &height);
    if (e != OK)
        return fail(f, e, "ledger.height", 0);
    pthread_mutex_lock(&c->mu);
    e = place_part(c, m, lease_id, offset, r->body.len, height, &skip, f);
    pthread_mutex_unlock(&c->mu);
    if (e == OK && !skip) {
        e = tr_gradient_reader_feed(m->reader, r->body, f);
        if (e == OK)
            e = tr_store_add(&m->writer, r->body, f);
        pthread_mutex_lock(&c->mu);
        m->busy = false;
        if (e != OK)
            drop_upload(m);
        c->progress_ms = tr_coord_now_ms();
        pthread_mutex_unlock(&c->mu);
    }
    return e == OK ? tr_count_encode(reply, offset + r->body.len) : e;
}

/* The attestation against its lease. */
static err check_answer(const tr_coordinator *c, const answer *a, const chain_attestation *said, const chain_signed *s, fault *f)
{
    TRY(chain_attestation_matches(said, &a->terms, &a->lease_hash, f));
    if (chain_signed_verify(s, &a->terms.worker) != OK)
        return fail(f, ERR_SIGNATURE, "attestation.signature", 0);
    if (said->level != CHAIN_LEVEL_REFEREED)
        return fail(f, ERR_UNSUPPORTED, "attestation.level", said->level);
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
    drop_upload(m);
    return e;
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
        return fail(f, ERR_BUSY, "gradient: a part is on its way", *lease_id);
    hash256 file = { { 0 } };
    if (said.result == CHAIN_RESULT_NORMAL)
        TRY(keep_gradient(m, &said, *lease_id, &file, f));
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

static err serve_attestation(tr_coordinator *c, member *m, const tr_request *r, buf *reply, fault *f)
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

/* --- challenges ----------------------------------------------------------------------------------------------------------- */

static err take_challenge(challenge *q, bool tile, uint64_t lease_id, uint64_t offset, bytes part, fault *f)
{
    if (q->state != (tile ? CHALLENGE_TILE : CHALLENGE_LEAVES) || q->lease_id != lease_id)
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

static err serve_challenge(tr_coordinator *c, member *m, const tr_request *r, const char *path, bool tile, buf *reply, fault *f)
{
    uint64_t lease_id, offset;
    TRY(take_number(&lease_id, &path, f));
    TRY(take_number(&offset, &path, f));
    pthread_mutex_lock(&c->mu);
    err e = take_challenge(&m->challenge, tile, lease_id, offset, r->body, f);
    if (e == OK)
        tr_coord_wake(c);
    pthread_mutex_unlock(&c->mu);
    return e == OK ? tr_count_encode(reply, offset + r->body.len) : e;
}

err tr_coordinator_serve(tr_coordinator *c, const tr_request *request, buf *reply, fault *f)
{
    const char *path = request->path;
    size_t prefix = strlen(TR_PATH_PREFIX);
    member *m;
    if (strlen(path) > TR_URL_MAX || strncmp(path, TR_PATH_PREFIX, prefix) != 0)
        return fail(f, ERR_NOT_FOUND, "path", 0);
    path += prefix;
    bool get = strcmp(request->method, "GET") == 0, put = strcmp(request->method, "PUT") == 0;
    bool post = strcmp(request->method, "POST") == 0;
    if (get && take_word(&path, "session") && !*path)
        return serve_session(c, reply);
    TRY(authenticate(c, request, &m, f));
    if (get && take_word(&path, "model"))
        return serve_model(c, path, reply, f);
    if (get && take_word(&path, "data"))
        return serve_data(c, path, reply, f);
    if (post && take_word(&path, "work") && !*path)
        return serve_work(c, m, request, reply, f);
    if (put && take_word(&path, "gradient"))
        return serve_gradient(c, m, request, path, reply, f);
    if (post && take_word(&path, "attestation") && !*path)
        return serve_attestation(c, m, request, reply, f);
    if (put && take_word(&path, "leaves"))
        return serve_challenge(c, m, request, path, false, reply, f);
    if (put && take_word(&path, "tile"))
        return serve_challenge(c, m, request, path, true, reply, f);
    return fail(f, ERR_NOT_FOUND, "path", 0);
}
