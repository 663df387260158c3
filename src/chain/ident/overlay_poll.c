/* SPDX-License-Identifier: Apache-2.0
 * Polls of overlays: one open at a time, weights as of its opening at most. */
#include "chain/ident/overlay_int.h"

static const chain_row_poll *poll_of(const chain *c, const hash256 *overlay, uint64_t number)
{
    chain_key key = chain_key_numbered(overlay, number);
    return chain_row_get(c, CHAIN_TABLE_POLL, &key);
}

static chain_row_poll *edit_poll(chain *c, const hash256 *overlay, uint64_t number)
{
    chain_key key = chain_key_numbered(overlay, number);
    return chain_row_edit(c, CHAIN_TABLE_POLL, &key);
}

uint64_t chain_overlay_open_poll(const chain *c, const hash256 *overlay, const chain_row_overlay *o, uint64_t epoch)
{
    return o->polls && poll_of(c, overlay, o->polls)->end_epoch >= epoch ? o->polls : 0;
}

err chain_overlay_outcome(const chain *c, chain_poll_outcome *out, const hash256 *overlay, uint64_t poll, uint64_t epoch)
{
    const chain_row_poll *p = poll_of(c, overlay, poll);
    if (!p)
        return ERR_NOT_FOUND;
    const u128 voices = (u128)p->yes + p->no;
    const bool quorum = (voices + p->abstain) * PPM >= (u128)p->eligible * p->quorum_ppm;
    const bool passed = quorum && p->yes > p->no && (u128)p->yes * PPM >= voices * p->threshold_ppm;
    *out = epoch <= p->end_epoch ? CHAIN_POLL_OPEN : passed ? CHAIN_POLL_PASSED : CHAIN_POLL_REJECTED;
    return OK;
}

static uint64_t *tally_of(chain_row_poll *p, uint8_t choice)
{
    return choice == CHAIN_BALLOT_YES ? &p->yes : choice == CHAIN_BALLOT_NO ? &p->no : &p->abstain;
}

err chain_overlay_withdraw_ballot(chain *c, const hash256 *overlay, const chain_row_overlay *o, chain_row_member *m, uint64_t epoch)
{
    const uint64_t open = chain_overlay_open_poll(c, overlay, o, epoch);
    if (open == 0 || m->ballot_poll != open)
        return OK;
    uint64_t *tally = tally_of(edit_poll(c, overlay, open), m->ballot_choice);
    TRY(checked_sub_u64(tally, *tally, m->ballot_weight));
    m->ballot_poll = m->ballot_weight = 0;
    m->ballot_choice = 0;
    return OK;
}

err chain_exec_overlay_poll(exec *x, const chain_tx_overlay_poll *p, fault *f)
{
    static const hash256 none = { { 0 } };
    chain *c = x->c;
    const uint64_t epoch = epoch_of(c, x->height);
    TRY(chain_overlay_enter_member(x, &p->overlay, "overlay_poll.overlay", f));
    if (hash256_equal(&p->subject, &none))
        return fail(f, ERR_RANGE, "overlay_poll.subject", 0);
    if (p->epochs == 0)
        return fail(f, ERR_RANGE, "overlay_poll.epochs", 0);
    const uint64_t open = chain_overlay_open_poll(c, &p->overlay, chain_overlay(c, &p->overlay), epoch);
    if (open)
        return fail(f, ERR_BUSY, "overlay_poll.overlay", open);
    chain_key key = chain_key_job(&p->overlay);
    chain_row_overlay *o = chain_row_edit(c, CHAIN_TABLE_OVERLAY, &key);
    TRY(checked_add_u64(&o->polls, o->polls, 1));
    key = chain_key_numbered(&p->overlay, o->polls);
    chain_row_poll *poll = chain_row_create(c, CHAIN_TABLE_POLL, &key);
    *poll = (chain_row_poll){ .proposer = x->sender, .subject = p->subject, .open_epoch = epoch, .eligible = o->vote_total,
                              .quorum_ppm = o->quorum_ppm, .threshold_ppm = o->threshold_ppm };
    TRY(checked_add_u64(&poll->end_epoch, epoch, p->epochs - 1));
    chain_event_add(c, CHAIN_EVENT_OVERLAY_POLL_OPENED, x->tx_index)->data.overlay_poll_opened = (chain_event_overlay_poll_opened){
        .overlay = p->overlay, .poll = o->polls, .subject = p->subject, .end_epoch = poll->end_epoch };
    return OK;
}

/* Joining, or adding stake, while a poll is open adds nothing to it; a weight that fell has fallen. */
static uint64_t weight_in(const chain_row_member *m, uint64_t poll)
{
    return m->poll_mark == poll && m->poll_weight < m->vote_weight ? m->poll_weight : m->vote_weight;
}

err chain_exec_overlay_vote(exec *x, const chain_tx_overlay_vote *p, fault *f)
{
    chain *c = x->c;
    const uint64_t epoch = epoch_of(c, x->height);
    TRY(chain_overlay_enter_member(x, &p->overlay, "overlay_vote.overlay", f));
    if (p->choice == 0)
        return fail(f, ERR_RANGE, "overlay_vote.choice", 0);
    const chain_row_poll *now = p->poll ? poll_of(c, &p->overlay, p->poll) : NULL;
    if (!now)
        return fail(f, ERR_NOT_FOUND, "overlay_vote.poll", p->poll);
    if (now->end_epoch < epoch)
        return fail(f, ERR_EXPIRED, "overlay_vote.poll", now->end_epoch);

    chain_key key = chain_key_job(&p->overlay), member_key = chain_key_member(&p->overlay, &x->sender);
    chain_row_overlay *o = chain_row_edit(c, CHAIN_TABLE_OVERLAY, &key);
    chain_row_member *m = chain_row_edit(c, CHAIN_TABLE_MEMBER, &member_key);
    TRY(chain_overlay_weigh(x, &p->overlay, o, m, &x->sender, epoch));
    TRY(chain_overlay_withdraw_ballot(c, &p->overlay, o, m, epoch));
    const uint64_t weight = weight_in(m, p->poll);
    if (weight == 0)
        return fail(f, ERR_STATE, "overlay_vote.weight", 0);
    uint64_t *tally = tally_of(edit_poll(c, &p->overlay, p->poll), p->choice);
    TRY(checked_add_u64(tally, *tally, weight));
    m->ballot_poll = p->poll;
    m->ballot_choice = p->choice;
    m->ballot_weight = weight;
    chain_event_add(c, CHAIN_EVENT_OVERLAY_VOTED, x->tx_index)->data.overlay_voted = (chain_event_overlay_voted){
        .overlay = p->overlay, .poll = p->poll, .member = x->sender, .choice = p->choice, .weight = weight };
    return OK;
}
