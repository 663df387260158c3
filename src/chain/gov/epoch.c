/* SPDX-License-Identifier: Apache-2.0
 * What governance does at the end of an epoch: count the votes that end, activate what its timelock releases, end emergencies. */
#include "chain/gov/gov_int.h"

static void moved(chain *c, uint64_t number, const chain_row_proposal *p, uint64_t next)
{
    chain_event_add(c, CHAIN_EVENT_PROPOSAL_MOVED, CHAIN_EVENT_NO_TX)->data.proposal_moved =
        (chain_event_proposal_moved){ .proposal = number, .status = p->status, .round = p->round, .epoch = next };
}

/* An ordinary majority is more than its share; the greater ones are at least theirs. */
static bool won(const chain_row_proposal *p, uint64_t yes, uint64_t no)
{
    u128 have = (u128)yes * PPM, need = ((u128)yes + no) * p->threshold_ppm;
    return yes > 0 && (p->class == CHAIN_CLASS_OPERATIONAL ? have > need : have >= need);
}

static const char *verdict(const chain_row_proposal *p)
{
    if (!chain_gov_quorum_reached(p))
        return "quorum";
    if (!won(p, p->yes_operators, p->no_operators))
        return "operators";
    return won(p, p->yes_builders, p->no_builders) ? NULL : "builders";
}

/* Ends the proposal's life on the list. */
static err finish(chain *c, uint64_t number, chain_proposal_status status, const char *why)
{
    chain_row_proposal *p = chain_gov_proposal_edit(c, number);
    p->status = (uint8_t)status;
    if (p->stake)
        TRY(chain_gov_stake_release(c, number, status == CHAIN_PROPOSAL_REJECTED));
    moved(c, number, p, 0);
    if (why)
        chain_event_add(c, CHAIN_EVENT_PROPOSAL_REFUSED, CHAIN_EVENT_NO_TX)->data.proposal_refused =
            (chain_event_proposal_refused){ .proposal = number, .why = bytes_of_str(why) };
    chain_gov_proposal_close(c, number);
    return OK;
}

/* The same vote again, after the gap, by the power at the end of the epoch before it. */
static void second_round(chain *c, uint64_t number)
{
    chain_row_proposal *p = chain_gov_proposal_edit(c, number);
    uint64_t length = param(c, CHAIN_PARAM_GOV_AMEND_VOTING);
    p->round = 2;
    p->vote_start = p->vote_end + param(c, CHAIN_PARAM_GOV_AMEND_GAP);
    p->vote_end = p->vote_start + length;
    p->snapshot_epoch = p->vote_start - 1;
    p->extended = 0;
    p->eligible_operators = p->cast_operators = p->yes_operators = p->no_operators = 0;
    p->eligible_builders = p->cast_builders = p->yes_builders = p->no_builders = 0;
    moved(c, number, p, p->vote_start);
}

static err count(chain *c, uint64_t number)
{
    const char *why = verdict(chain_proposal(c, number));
    if (chain_proposal(c, number)->kind == CHAIN_PROPOSAL_DISBURSEMENT) { /* it has a timelock and a rollback window of its own */
        TRY(chain_gov_disbursement_counted(c, chain_proposal(c, number), !why));
        return finish(c, number, why ? CHAIN_PROPOSAL_REJECTED : CHAIN_PROPOSAL_ACTIVATED, why);
    }
    if (why)
        return finish(c, number, CHAIN_PROPOSAL_REJECTED, why);
    chain_row_proposal *p = chain_gov_proposal_edit(c, number);
    if (p->kind == CHAIN_PROPOSAL_AMENDMENT && p->round == 1) {
        second_round(c, number);
        return OK;
    }
    p->status = CHAIN_PROPOSAL_TIMELOCKED;
    p->activate_epoch = p->vote_end + p->timelock;
    moved(c, number, p, p->activate_epoch);
    return chain_gov_stake_release(c, number, false);
}

/* The rules of now, not those of the submission: what passed may have become impossible. */
static err may_act(const chain *c, const chain_row_proposal *p, const gov_diff *d, fault *why)
{
    if (p->kind == CHAIN_PROPOSAL_EMERGENCY)
        TRY(chain_gov_emergency_check(c, d, why));
    if (p->kind == CHAIN_PROPOSAL_ROLLBACK) {
        uint8_t status = chain_proposal(c, p->target)->status;
        if (d->count == 0 || (status != CHAIN_PROPOSAL_ACTIVATED && status != CHAIN_PROPOSAL_IN_FORCE))
            return fail(why, ERR_STATE, "nothing to take back", p->target);
    }
    return chain_gov_diff_check(c, d, p->kind == CHAIN_PROPOSAL_EMERGENCY, why);
}

/* An emergency in force is still on the list; what was activated is not. */
static err taken_back(chain *c, uint64_t number)
{
    if (chain_proposal(c, number)->status == CHAIN_PROPOSAL_IN_FORCE)
        return finish(c, number, CHAIN_PROPOSAL_ROLLED_BACK, NULL);
    chain_row_proposal *p = chain_gov_proposal_edit(c, number);
    p->status = CHAIN_PROPOSAL_ROLLED_BACK;
    moved(c, number, p, 0);
    return OK;
}

/* What is no change of parameters is carried out by its module, which may refuse it by now. */
static err activate_other(chain *c, uint64_t number, uint64_t from_epoch)
{
    const chain_row_proposal *p = chain_proposal(c, number);
    fault why = { 0 };
    size_t mark = chain_journal_mark(c), events = c->event_count;
    err e = p->kind == CHAIN_PROPOSAL_MEMBERSHIP ? chain_gov_membership_act(c, number, (from_epoch - 1) * param(c, CHAIN_PARAM_EPOCH), &why)
                                                 : chain_gov_disbursement_back(c, chain_proposal(c, p->target)->target, &why);
    if (e == ERR_INVARIANT)
        return e;
    if (e != OK) { /* nothing of it stays */
        chain_journal_undo(c, mark);
        c->event_count = events;
        return finish(c, number, CHAIN_PROPOSAL_FAILED, why.what);
    }
    if (p->kind == CHAIN_PROPOSAL_ROLLBACK)
        TRY(taken_back(c, p->target));
    return finish(c, number, CHAIN_PROPOSAL_ACTIVATED, NULL);
}

static bool changes_parameters(const chain *c, const chain_row_proposal *p)
{
    return p->kind != CHAIN_PROPOSAL_MEMBERSHIP &&
           !(p->kind == CHAIN_PROPOSAL_ROLLBACK && chain_proposal(c, p->target)->kind == CHAIN_PROPOSAL_DISBURSEMENT);
}

const char *chain_proposal_obstacle(const chain *c, uint64_t number)
{
    const chain_row_proposal *p = chain_proposal(c, number);
    bool waits = p && (p->status == CHAIN_PROPOSAL_OPEN || p->status == CHAIN_PROPOSAL_TIMELOCKED);
    const char *vote = waits && p->status == CHAIN_PROPOSAL_OPEN ? verdict(p) : NULL;
    if (vote || !waits || p->kind == CHAIN_PROPOSAL_DISBURSEMENT || !changes_parameters(c, p))
        return vote;
    gov_diff d;
    fault why = { 0 };
    chain_gov_diff_of(c, &d, number);
    return may_act(c, p, &d, &why) == OK ? NULL : why.what;
}

static err activate(chain *c, uint64_t number, uint64_t from_epoch)
{
    gov_diff d;
    fault why = { 0 };
    if (!changes_parameters(c, chain_proposal(c, number)))
        return activate_other(c, number, from_epoch);
    chain_gov_diff_of(c, &d, number);
    if (may_act(c, chain_proposal(c, number), &d, &why) != OK)
        return finish(c, number, CHAIN_PROPOSAL_FAILED, why.what);
    const chain_row_proposal *p = chain_proposal(c, number);
    chain_gov_changes_remember(c, number);
    chain_gov_diff_apply(c, &d, number, from_epoch);
    if (p->kind == CHAIN_PROPOSAL_EMERGENCY) {
        chain_row_proposal *e = chain_gov_proposal_edit(c, number);
        e->status = CHAIN_PROPOSAL_IN_FORCE;
        e->expire_epoch = from_epoch + param(c, CHAIN_PARAM_GOV_EMERGENCY_TERM);
        moved(c, number, e, e->expire_epoch);
        return OK;
    }
    if (p->kind == CHAIN_PROPOSAL_ROLLBACK)
        TRY(taken_back(c, p->target));
    return finish(c, number, CHAIN_PROPOSAL_ACTIVATED, NULL);
}

static err end_emergency(chain *c, uint64_t number, uint64_t from_epoch)
{
    gov_diff d;
    chain_gov_diff_restore(c, &d, number);
    chain_gov_diff_apply(c, &d, number, from_epoch);
    return finish(c, number, CHAIN_PROPOSAL_EXPIRED, NULL);
}

/* If what is left would break a rule without this one's changes, all emergencies end together: the set without any is always good. */
static err expire(chain *c, uint64_t number, uint64_t from_epoch)
{
    gov_diff d;
    chain_gov_diff_restore(c, &d, number);
    if (chain_gov_diff_check(c, &d, true, NULL) == OK)
        return end_emergency(c, number, from_epoch);
    for (uint64_t n = chain_governance(c)->first; n;) {
        const chain_row_proposal *p = chain_proposal(c, n);
        uint64_t next = p->next;
        if (p->status == CHAIN_PROPOSAL_IN_FORCE)
            TRY(end_emergency(c, n, from_epoch));
        n = next;
    }
    return OK;
}

static err step(chain *c, uint64_t number, uint64_t next_epoch)
{
    const chain_row_proposal *p = chain_proposal(c, number);
    switch (p->status) {
    case CHAIN_PROPOSAL_OPEN:
        return p->vote_end == next_epoch ? count(c, number) : OK;
    case CHAIN_PROPOSAL_TIMELOCKED:
        return p->activate_epoch == next_epoch ? activate(c, number, next_epoch) : OK;
    case CHAIN_PROPOSAL_IN_FORCE:
        return p->expire_epoch == next_epoch ? expire(c, number, next_epoch) : OK;
    default:
        return OK; /* ended by another one in this very transition */
    }
}

err chain_gov_epoch(chain *c, uint64_t height, fault *f)
{
    uint64_t next_epoch = epoch_of(c, height) + 1;
    uint64_t numbers[LIMIT_PROPOSALS_N];
    size_t count_of = 0;
    for (uint64_t n = chain_governance(c)->first; n; n = chain_proposal(c, n)->next) {
        CHECK(count_of < LIMIT_PROPOSALS);
        numbers[count_of++] = n;
    }
    for (size_t i = 0; i < count_of; i++)
        if (step(c, numbers[i], next_epoch) != OK)
            return fail(f, ERR_INVARIANT, "governance", numbers[i]);
    return OK;
}

void chain_gov_second_votes(chain *c, uint64_t height)
{
    uint64_t next_epoch = epoch_of(c, height) + 1;
    for (uint64_t number = chain_governance(c)->first; number;) {
        const chain_row_proposal *now = chain_proposal(c, number);
        uint64_t next = now->next;
        if (now->status == CHAIN_PROPOSAL_OPEN && now->round == 2 && now->vote_start == next_epoch) {
            chain_row_proposal *p = chain_gov_proposal_edit(c, number);
            p->eligible_operators = chain_gov_eligible(c, (chain_electorate)p->electorate, p->snapshot_epoch);
            p->eligible_builders = chain_gov_eligible(c, CHAIN_ELECTORATE_BUILDERS, p->snapshot_epoch);
        }
        number = next;
    }
}
