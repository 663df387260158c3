/* SPDX-License-Identifier: Apache-2.0
 * proposal_submit: parameter changes, amendments, emergencies and rollbacks. */
#include "chain/gov/gov_int.h"

/* The class of a diff is the highest of its parameters; all of them must be of one electorate. */
static err classify(gov_filing *n, fault *f)
{
    n->class = CHAIN_CLASS_OPERATIONAL;
    n->electorate = chain_param_electorate(n->diff.change[0].param);
    for (size_t i = 0; i < n->diff.count; i++) {
        chain_param p = n->diff.change[i].param;
        if (chain_param_rows[p].class > n->class)
            n->class = chain_param_rows[p].class;
        if (chain_param_electorate(p) != n->electorate)
            return fail(f, ERR_RANGE, "proposal_submit.changes", i);
    }
    return OK;
}

static err read_changes(const exec *x, gov_filing *n, const chain_tx_proposal_submit *p, fault *f)
{
    const chain *c = x->c;
    if (p->target)
        return fail(f, ERR_RANGE, "proposal_submit.target", p->target);
    TRY(chain_changes_decode(n->diff.change, &n->diff.count, p->changes, f));
    for (size_t i = 0; i < n->diff.count; i++)
        if (param(c, n->diff.change[i].param) == n->diff.change[i].value)
            return fail(f, ERR_EXISTS, chain_param_rows[n->diff.change[i].param].key, i);
    TRY(chain_gov_diff_check(c, &n->diff, n->kind == CHAIN_PROPOSAL_EMERGENCY, f));
    TRY(classify(n, f));
    if (n->kind == CHAIN_PROPOSAL_AMENDMENT)
        return n->class == CHAIN_CLASS_CONSTITUTIONAL ? OK : fail(f, ERR_RANGE, "proposal_submit.kind", p->kind);
    if (n->class == CHAIN_CLASS_CONSTITUTIONAL) {
        for (size_t i = 0; i < n->diff.count; i++)
            if (chain_param_rows[n->diff.change[i].param].class == CHAIN_CLASS_CONSTITUTIONAL)
                return fail(f, ERR_PERMISSION, chain_param_rows[n->diff.change[i].param].key, i);
    }
    if (n->kind == CHAIN_PROPOSAL_EMERGENCY) {
        TRY(chain_gov_emergency_check(c, &n->diff, f));
        n->class = CHAIN_CLASS_STRUCTURAL; /* whatever it tightens */
    }
    return OK;
}

/* A rollback needs one class less than what it takes back: to return to what was there asks for less than to leave it. */
static err read_rollback(const exec *x, gov_filing *n, const chain_tx_proposal_submit *p, fault *f)
{
    const chain *c = x->c;
    if (p->changes.len != 1) /* an empty array */
        return fail(f, ERR_RANGE, "proposal_submit.changes", p->changes.len);
    const chain_row_proposal *target = chain_proposal(c, p->target);
    if (!target)
        return fail(f, ERR_NOT_FOUND, "proposal_submit.target", p->target);
    if (target->kind == CHAIN_PROPOSAL_ROLLBACK || (target->status != CHAIN_PROPOSAL_ACTIVATED && target->status != CHAIN_PROPOSAL_IN_FORCE))
        return fail(f, ERR_STATE, "proposal_submit.target", target->status);
    if (target->kind == CHAIN_PROPOSAL_MEMBERSHIP) /* what is admitted is removed by another one */
        return fail(f, ERR_UNSUPPORTED, "proposal_submit.target", target->kind);
    n->target = p->target;
    n->electorate = (chain_electorate)target->electorate;
    n->class = CHAIN_CLASS_OPERATIONAL;
    if (target->kind == CHAIN_PROPOSAL_DISBURSEMENT) /* until it is final: the vote itself may come too late */
        return OK;
    uint64_t epoch = epoch_of(c, x->height);
    if (epoch > target->activate_epoch + param(c, CHAIN_PARAM_GOV_ROLLBACK_WINDOW))
        return fail(f, ERR_EXPIRED, "gov.rollback_window", target->activate_epoch);
    gov_diff d;
    chain_gov_diff_restore(c, &d, p->target);
    if (d.count == 0)
        return fail(f, ERR_STATE, "proposal_submit.target", 0);
    if (target->class == CHAIN_CLASS_CONSTITUTIONAL)
        n->class = CHAIN_CLASS_STRUCTURAL;
    return chain_gov_diff_check(c, &d, false, f);
}

/* Several votes on the same would only take the rollbacks' few slots. */
static err check_asked_once(const chain *c, uint64_t target, fault *f)
{
    for (uint64_t number = chain_governance(c)->first; number;) {
        const chain_row_proposal *p = chain_proposal(c, number);
        if (p->kind == CHAIN_PROPOSAL_ROLLBACK && p->target == target)
            return fail(f, ERR_EXISTS, "proposal_submit.target", number);
        number = p->next;
    }
    return OK;
}

err chain_exec_proposal_submit(exec *x, const chain_tx_proposal_submit *p, fault *f)
{
    gov_filing n = { .proposer = x->sender, .kind = (chain_proposal_kind)p->kind, .house = (chain_house_id)p->house,
                     .document = p->document, .stake = p->stake };
    switch (n.kind) {
    case CHAIN_PROPOSAL_PARAMETERS:
    case CHAIN_PROPOSAL_AMENDMENT:
    case CHAIN_PROPOSAL_EMERGENCY:
        TRY(read_changes(x, &n, p, f));
        break;
    case CHAIN_PROPOSAL_ROLLBACK:
        TRY(read_rollback(x, &n, p, f));
        TRY(check_asked_once(x->c, n.target, f));
        break;
    case CHAIN_PROPOSAL_DISBURSEMENT:
        TRY(chain_gov_read_disbursement(x, &n, p, f));
        break;
    default: /* membership has a transaction of its own */
        return fail(f, ERR_UNSUPPORTED, "proposal_submit.kind", p->kind);
    }
    TRY(chain_gov_pack_check(x, &x->sender, n.kind, f));
    TRY(chain_gov_proposal_open(x, &n, f));
    return n.kind == CHAIN_PROPOSAL_DISBURSEMENT ? chain_gov_disbursement_open(x, n.target, f) : OK;
}
