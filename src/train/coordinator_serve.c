/* SPDX-License-Identifier: Apache-2.0
 *
 * What workers ask for; what they send is coordinator_answer.c. Every request but GET session is signed by an admitted worker. Repeating a request whose answer was lost is
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

err tr_coord_number(uint64_t *out, const char **path, fault *f)
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
    tr_addressee me = { .job = c->cfg.job, .coordinator = c->public_key };
    memcpy(me.session, c->session, sizeof me.session);
    TRY(tr_auth_verify(&a, &me, r, f));
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
    TRY(tr_coord_number(&at, &path, f));
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
    TRY(tr_coord_number(&at, &path, f));
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

err tr_coord_turn_away(const tr_coordinator *c, const member *m, fault *f)
{
    for (size_t i = 0; i < c->book.entry_count; i++)
        if (c->book.entries[i].worker == (uint32_t)(m - c->members) && c->book.entries[i].status == TR_LEASE_SUBMITTED)
            return fail(f, ERR_STALE, "worker: caught", 0);
    return fail(f, ERR_CHEAT, "worker: caught before", 0);
}

/* What there is to do for this worker now. With mu. *given: a lease went out. */
static err find_work(tr_coordinator *c, size_t index, uint64_t height, tr_work *work, int64_t *given, fault *f)
{
    member *m = &c->members[index];
    if (m->challenge.state == CHALLENGE_TILE) {
        work->kind = TR_WORK_TILE;
        work->lease_id = m->challenge.lease_id;
        work->leaf = m->challenge.leaf;
        return OK;
    }
    if (c->done) {
        work->kind = TR_WORK_DONE;
        return OK;
    }
    if (m->status.banned) {
        err e = tr_coord_turn_away(c, m, f);
        return e == ERR_STALE ? OK : e;
    }
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
        return tr_coord_take_gradient(c, m, request, path, reply, f);
    if (put && take_word(&path, "leaves"))
        return tr_coord_take_leaves(c, m, request, path, reply, f);
    if (put && take_word(&path, "proof"))
        return tr_coord_take_proof(c, m, request, path, reply, f);
    if (post && take_word(&path, "attestation") && !*path)
        return tr_coord_take_attestation(c, m, request, reply, f);
    if (put && take_word(&path, "tile"))
        return tr_coord_take_tile(c, m, request, path, reply, f);
    return fail(f, ERR_NOT_FOUND, "path", 0);
}
