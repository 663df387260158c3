/* SPDX-License-Identifier: Apache-2.0
 * Rights: what parameters, proposals, disbursements and jobs may become in one block. */
#include "chain/constitution_int.h"
#include "chain/gov/gov.h"
#include "chain/treasury/treasury.h"

/* --- parameters ---------------------------------------------------------------------------------------------------------- */

static const chain_row_change *change_of(const chain *c, uint64_t number, uint8_t place)
{
    chain_key key = chain_key_change(number, place);
    return chain_row_get(c, CHAIN_TABLE_CHANGE, &key);
}

/* What `number` sets the parameter to, or (undone) what it had before. */
static bool gives(const chain *c, uint64_t number, uint8_t changes, uint64_t which, uint64_t value, bool undone)
{
    for (uint8_t i = 0; i < changes; i++) {
        const chain_row_change *change = change_of(c, number, i);
        if (change && change->param == which && (undone ? change->before : change->value) == value)
            return true;
    }
    return false;
}

/* The proposal that the row names acted, or ended, in this very block; judge_proposal has seen whether it was time. */
static bool voted(const judging *k, uint64_t which, const chain_row_param *now)
{
    chain_key key = chain_key_height(now->proposal);
    const row_table *t = &k->c->tables[CHAIN_TABLE_PROPOSAL];
    uint32_t number = chain_table_find(t, &key);
    if (!k->ends || now->changed_epoch != k->epoch + 1 || number == TABLE_NONE || !table_entry_at(t, number)->in_block)
        return false;
    const chain_row_proposal *p = table_row_at(t, number), *target;
    switch (p->status) {
    case CHAIN_PROPOSAL_ACTIVATED:
        if (p->activate_epoch != k->epoch + 1)
            return false;
        if (p->kind != CHAIN_PROPOSAL_ROLLBACK)
            return gives(k->c, now->proposal, p->changes, which, now->value, false);
        key = chain_key_height(p->target);
        target = chain_row_get(k->c, CHAIN_TABLE_PROPOSAL, &key);
        return target && gives(k->c, p->target, target->changes, which, now->value, true);
    case CHAIN_PROPOSAL_IN_FORCE:
        return p->activate_epoch == k->epoch + 1 && gives(k->c, now->proposal, p->changes, which, now->value, false);
    case CHAIN_PROPOSAL_EXPIRED:
        return gives(k->c, now->proposal, p->changes, which, now->value, true);
    default:
        return false;
    }
}

err chain_judge_param(const judging *k, uint64_t which, const chain_row_param *old, const chain_row_param *now, fault *f)
{
    const chain_param_row *row = &chain_param_rows[chain_param_by_number(which)];
    if (memcmp(old, now, sizeof *now) == 0)
        return OK;
    if (row->changer == CHAIN_CHANGER_NOBODY)
        return broken(f, CHAIN_INVARIANT_PARAM_FIXED, which);
    if (now->value < row->min || now->value > row->max)
        return broken(f, CHAIN_INVARIANT_PARAM_BOUNDS, which);
    for (size_t i = 0; i < k->c->genesis.bound_count; i++) {
        const chain_bound *b = &k->c->genesis.bounds[i];
        if (chain_param_rows[b->param].number == which && (now->value < b->min || now->value > b->max))
            return broken(f, CHAIN_INVARIANT_PARAM_BOUNDS, which);
    }
    return voted(k, which, now) ? OK : broken(f, CHAIN_INVARIANT_PARAM_VOTE, which);
}

/* --- proposals ----------------------------------------------------------------------------------------------------------- */

/* An ordinary majority is more than its share; the greater ones are at least theirs. */
static bool house_passed(const chain_row_proposal *p, uint64_t yes, uint64_t no, uint64_t cast, uint64_t eligible, uint32_t quorum_ppm)
{
    u128 have = (u128)yes * PPM, need = ((u128)yes + no) * p->threshold_ppm;
    bool majority = p->class == CHAIN_CLASS_OPERATIONAL ? have > need : have >= need;
    return yes > 0 && majority && (u128)cast * PPM >= (u128)eligible * quorum_ppm;
}

/* What it needs is what it needed when it was filed. */
static bool passed(const chain_row_proposal *old, const chain_row_proposal *p)
{
    return old->threshold_ppm == p->threshold_ppm && old->class == p->class && old->quorum_operators_ppm == p->quorum_operators_ppm &&
           old->quorum_builders_ppm == p->quorum_builders_ppm &&
           house_passed(p, p->yes_operators, p->no_operators, p->cast_operators, p->eligible_operators, p->quorum_operators_ppm) &&
           house_passed(p, p->yes_builders, p->no_builders, p->cast_builders, p->eligible_builders, p->quorum_builders_ppm);
}

static bool on_time(const judging *k, const chain_row_proposal *old, const chain_row_proposal *now)
{
    uint64_t next = k->epoch + 1;
    switch (now->status) {
    case CHAIN_PROPOSAL_TIMELOCKED:
        return k->ends && old->status == CHAIN_PROPOSAL_OPEN && old->vote_end == next && passed(old, now) && old->timelock == now->timelock &&
               now->timelock >= param(k->c, CHAIN_PARAM_GOV_TIMELOCK_MIN) && now->activate_epoch == next + now->timelock;
    case CHAIN_PROPOSAL_ACTIVATED:
        if (old->kind == CHAIN_PROPOSAL_DISBURSEMENT)
            return k->ends && old->status == CHAIN_PROPOSAL_OPEN && old->vote_end == next && passed(old, now);
        return k->ends && old->status == CHAIN_PROPOSAL_TIMELOCKED && old->activate_epoch == next;
    case CHAIN_PROPOSAL_IN_FORCE:
        return k->ends && old->kind == CHAIN_PROPOSAL_EMERGENCY && old->status == CHAIN_PROPOSAL_TIMELOCKED && old->activate_epoch == next;
    case CHAIN_PROPOSAL_EXPIRED:
        return k->ends && old->status == CHAIN_PROPOSAL_IN_FORCE;
    case CHAIN_PROPOSAL_OPEN:
        return old->status == 0; /* it is new */
    default:
        return true; /* it does not act */
    }
}

err chain_judge_proposal(const judging *k, const chain_row_proposal *old, const chain_row_proposal *now, fault *f)
{
    bool moved = old->status != now->status;
    bool kept = old->status == 0 || (old->kind == now->kind && old->target == now->target && old->changes == now->changes);
    bool locked = old->status != CHAIN_PROPOSAL_TIMELOCKED || old->activate_epoch == now->activate_epoch;
    return kept && locked && (!moved || on_time(k, old, now)) ? OK : broken(f, CHAIN_INVARIANT_PROPOSAL, now->activate_epoch);
}

err chain_judge_change(const chain_row_change *old, const chain_row_change *now, bool created, fault *f)
{
    return created || (old->param == now->param && old->value == now->value) ? OK : broken(f, CHAIN_INVARIANT_PROPOSAL, now->param);
}

/* --- the treasury's payments --------------------------------------------------------------------------------------------- */

/* Queued before, or by the vote that ended with this block. */
static bool accepted(const judging *k, uint64_t number, const chain_row_disbursement *old)
{
    if (old->status != CHAIN_DISBURSEMENT_VOTING)
        return old->status == CHAIN_DISBURSEMENT_QUEUED;
    chain_key key = chain_key_height(old->proposal);
    const row_table *t = &k->c->tables[CHAIN_TABLE_PROPOSAL];
    uint32_t at = chain_table_find(t, &key);
    if (at == TABLE_NONE || !table_entry_at(t, at)->in_block)
        return false;
    const chain_row_proposal *p = table_row_at(t, at);
    return p->kind == CHAIN_PROPOSAL_DISBURSEMENT && p->target == number && p->status == CHAIN_PROPOSAL_ACTIVATED;
}

static bool disbursement_on_time(const judging *k, uint64_t number, const chain_row_disbursement *old, const chain_row_disbursement *now)
{
    switch (now->status) {
    case CHAIN_DISBURSEMENT_QUEUED:
        return k->ends && accepted(k, number, old);
    case CHAIN_DISBURSEMENT_TIMELOCKED:
        return k->ends && accepted(k, number, old) && old->timelock_epochs >= param(k->c, CHAIN_PARAM_TREASURY_TIMELOCK_MIN) &&
               now->ready_epoch >= k->epoch + old->timelock_epochs;
    case CHAIN_DISBURSEMENT_EXECUTED:
        return k->ends && old->status == CHAIN_DISBURSEMENT_TIMELOCKED && k->epoch >= old->ready_epoch &&
               now->final_epoch == k->epoch + old->rollback_epochs;
    case CHAIN_DISBURSEMENT_FINALIZED:
        return k->ends && old->status == CHAIN_DISBURSEMENT_EXECUTED && k->epoch >= old->final_epoch;
    default:
        return old->status != CHAIN_DISBURSEMENT_FINALIZED && old->status != CHAIN_DISBURSEMENT_ROLLED_BACK; /* those are the end */
    }
}

/* Amount, windows and payees stay as they were filed. */
static bool as_filed(const chain_row_disbursement *old, const chain_row_disbursement *now)
{
    size_t from = offsetof(chain_row_disbursement, payees);
    return old->amount == now->amount && old->timelock_epochs == now->timelock_epochs && old->rollback_epochs == now->rollback_epochs &&
           (old->status != CHAIN_DISBURSEMENT_EXECUTED || old->final_epoch == now->final_epoch) &&
           (old->status != CHAIN_DISBURSEMENT_TIMELOCKED || old->ready_epoch == now->ready_epoch) &&
           memcmp((const uint8_t *)old + from, (const uint8_t *)now + from, sizeof *now - from) == 0;
}

static bool known(const judging *k, const cr_address *a)
{
    chain_key key = chain_key_address(a);
    const chain_row_identity *id = chain_row_get(k->c, CHAIN_TABLE_IDENTITY, &key);
    if (!id || id->level == 0 || id->expiry_height < k->height)
        return false;
    key = chain_key_address(&id->issuer);
    const chain_row_issuer *issuer = chain_row_get(k->c, CHAIN_TABLE_ISSUER, &key);
    return issuer && issuer->active;
}

err chain_judge_disbursement(const judging *k, uint64_t number, const chain_row_disbursement *old, const chain_row_disbursement *now,
                             bool created, fault *f)
{
    bool fresh = now->status == CHAIN_DISBURSEMENT_DRAFT || now->status == CHAIN_DISBURSEMENT_VOTING || now->status == CHAIN_DISBURSEMENT_ROLLED_BACK;
    if (created)
        return fresh ? OK : broken(f, CHAIN_INVARIANT_DISBURSEMENT, number);
    if (!as_filed(old, now) || (old->status != now->status && !disbursement_on_time(k, number, old, now)))
        return broken(f, CHAIN_INVARIANT_DISBURSEMENT, number);
    if (now->status != CHAIN_DISBURSEMENT_FINALIZED || old->status == now->status)
        return OK;
    for (size_t i = 0; i < now->payees; i++) {
        chain_payee p = chain_disbursement_payee(now, i);
        if (!known(k, &p.to))
            return broken(f, CHAIN_INVARIANT_PAYEE_KYC, i);
    }
    return OK;
}

/* --- jobs ---------------------------------------------------------------------------------------------------------------- */

err chain_judge_job(const chain_row_job *old, const chain_row_job *now, bool created, fault *f)
{
    bool over = now->status != CHAIN_JOB_OPEN;
    if ((over && now->escrow) || (!created && (now->escrow > old->escrow || (old->status != CHAIN_JOB_OPEN && now->status != old->status))))
        return broken(f, CHAIN_INVARIANT_JOB, now->escrow);
    return OK;
}
