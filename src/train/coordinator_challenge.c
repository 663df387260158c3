/* SPDX-License-Identifier: Apache-2.0
 *
 * The accused opens its trace: asked over HTTP first, and on the ledger, where silence costs the bond, if that brings nothing. */
#include "train/coordinator_int.h"

/* Asks and waits. The answer is in m->challenge.data, whose memory stays until the next question. */
static err ask(tr_coordinator *c, member *m, uint64_t lease_id, uint64_t leaf, uint64_t want, fault *f)
{
    uint64_t until = tr_coord_now_ms() + c->cfg.challenge_ms;
    pthread_mutex_lock(&c->mu);
    challenge *q = &m->challenge;
    buf_deinit(&q->data);
    buf_init(&q->data, (size_t)want);
    q->lease_id = lease_id;
    q->leaf = leaf;
    q->want = want;
    q->state = CHALLENGE_TILE;
    tr_coord_wake(c);
    while (q->state != CHALLENGE_ANSWERED && tr_coord_now_ms() < until && !atomic_load(&c->stopping))
        tr_coord_wait(c, until);
    bool answered = q->state == CHALLENGE_ANSWERED;
    q->state = CHALLENGE_NONE;
    pthread_mutex_unlock(&c->mu);
    if (answered)
        return OK;
    return atomic_load(&c->stopping) ? fail(f, ERR_INTERRUPTED, "dispute", lease_id) : fail(f, ERR_TIMEOUT, "dispute: no answer", lease_id);
}

/* What it opened on the ledger, in the place of what it would have sent. */
static err take_opened(tr_coordinator *c, member *m, const answer *a, const chain_row_lease *row, const hash256 *hash,
                       fault *f)
{
    buf *data = &m->challenge.data;
    buf_deinit(data);
    buf_init(data, LIMIT_TRACE_LEAF_BYTES);
    return c->cfg.ledger.opened(c->cfg.ledger.ctx, &c->cfg.job, a->terms.lease_id, row->open_height, hash, data, f);
}

static err challenge_on_ledger(tr_coordinator *c, member *m, answer *a, uint64_t leaf, fault *f)
{
    uint64_t height;
    m->mute = true;
    if (!a->committed)
        return fail(f, ERR_STATE, "dispute: not committed", a->terms.lease_id);
    TRY(tr_coord_challenge(c, a, leaf, &height, f));
    a->challenged = true;
    tr_coord_event(c, &(tr_event){ .kind = TR_EVENT_CHALLENGED, .step = c->state.step, .lease_id = a->terms.lease_id, .worker = &m->key,
                                   .at = leaf });
    return fail(f, ERR_BUSY, "dispute: challenged", leaf);
}

err tr_coord_tile(tr_coordinator *c, member *m, answer *a, const tr_place *place, const hash256 *hash, tr_coord_tile_fn good,
                  void *ctx, fault *f)
{
    chain_row_lease row;
    err e = tr_coord_row(c, a, &row, f);
    if (e != OK && e != ERR_NOT_FOUND)
        return e;
    if (e == OK && row.challenge_height) {
        a->challenged = true; /* before a restart */
        return fail(f, ERR_BUSY, "dispute: challenged", row.challenge_leaf);
    }
    if (e == OK && row.open_height && row.challenge_leaf == place->leaf) {
        TRY(take_opened(c, m, a, &row, hash, f));
        return good(ctx, buf_bytes(&m->challenge.data), f);
    }
    if (!m->mute) {
        e = ask(c, m, a->terms.lease_id, place->leaf, num_leaf_bytes(place->tensor.elem_bytes), f);
        if (e == OK)
            e = good(ctx, buf_bytes(&m->challenge.data), f);
        if (e == OK || e == ERR_INTERRUPTED)
            return e;
    }
    return challenge_on_ledger(c, m, a, place->leaf, f);
}

err tr_coord_follow(tr_coordinator *c, answer *a, bool *opened, bool *spoiled, fault *f)
{
    chain_row_lease row;
    uint64_t now, height = 0;
    TRY(tr_coord_row(c, a, &row, f));
    *spoiled = row.status == CHAIN_LEASE_SPOILED;
    *opened = !*spoiled && row.challenge_height == 0;
    if (*spoiled || *opened)
        return OK;
    err e = c->cfg.ledger.height(c->cfg.ledger.ctx, &now);
    if (e != OK)
        return fail(f, e, "ledger.height", 0);
    if (now < row.challenge_height + c->cfg.ledger.open_window) /* the next block is the first that is too late */
        return OK;
    fault why;
    e = tr_coord_slash(c, a, (bytes){ 0 }, &height, &why);
    *spoiled = e == OK;
    if (e == OK)
        tr_coord_event(c, &(tr_event){ .kind = TR_EVENT_SLASHED, .step = c->state.step, .lease_id = a->terms.lease_id,
                                       .worker = &a->terms.worker, .at = height });
    /* It was opened, or spoiled by somebody else, in the last moment: the row will say so. */
    return e == OK || e == ERR_BUSY || e == ERR_EVIDENCE ? OK : fail(f, e, why.what, why.at);
}
