/* SPDX-License-Identifier: Apache-2.0
 * What votes carry out in other modules: disbursements of the treasury, and who may attest, publish and release. */
#include "chain/gov/gov_int.h"
#include "chain/ident/ident.h"
#include "chain/treasury/treasury.h"

/* --- disbursements ------------------------------------------------------------------------------------------------------------ */

err chain_gov_read_disbursement(const exec *x, gov_filing *n, const chain_tx_proposal_submit *p, fault *f)
{
    if (p->changes.len != 1) /* an empty array */
        return fail(f, ERR_RANGE, "proposal_submit.changes", p->changes.len);
    if (!chain_disbursement(x->c, p->target))
        return fail(f, ERR_NOT_FOUND, "proposal_submit.target", p->target);
    n->target = p->target;
    n->electorate = CHAIN_ELECTORATE_OPERATORS;
    n->class = CHAIN_CLASS_STRUCTURAL; /* what is paid is gone */
    return OK;
}

err chain_gov_disbursement_open(exec *x, uint64_t disbursement, fault *f)
{
    return chain_disbursement_open(x->c, disbursement, chain_governance(x->c)->proposals, x->height, x->tx_index, f);
}

static uint32_t turnout(uint64_t cast, uint64_t eligible)
{
    return eligible ? (uint32_t)((u128)cast * PPM / eligible) : 0;
}

err chain_gov_disbursement_counted(chain *c, const chain_row_proposal *p, bool passed)
{
    chain_vote_outcome outcome = { .passed = passed, .turnout_operators_ppm = turnout(p->cast_operators, p->eligible_operators),
                                   .turnout_builders_ppm = turnout(p->cast_builders, p->eligible_builders) };
    if (chain_disbursement(c, p->target)->status != CHAIN_DISBURSEMENT_VOTING) /* withdrawn, or its time was over, while the vote went on */
        return OK;
    return chain_disbursement_voted(c, p->target, &outcome, NULL);
}

err chain_gov_disbursement_back(chain *c, uint64_t disbursement, fault *f)
{
    return chain_disbursement_vote_back(c, disbursement, f);
}

/* --- membership --------------------------------------------------------------------------------------------------------------- */

static err check_membership(const chain_tx_membership_propose *p, fault *f)
{
    bool authority = p->action == CHAIN_MEMBERSHIP_AUTHORITY_ADMIT || p->action == CHAIN_MEMBERSHIP_AUTHORITY_REMOVE;
    if (p->action == 0)
        return fail(f, ERR_RANGE, "membership_propose.action", 0);
    if (p->subject.kind != CR_ADDRESS_ACCOUNT)
        return fail(f, ERR_ADDRESS, "membership_propose.subject", p->subject.kind);
    if (authority ? p->role != CHAIN_ROLE_PACKS && p->role != CHAIN_ROLE_RELEASES : p->action != CHAIN_MEMBERSHIP_BADGE_END && p->role)
        return fail(f, ERR_RANGE, "membership_propose.role", p->role);
    if (p->scope > (authority && p->role == CHAIN_ROLE_PACKS ? LIMIT_REGION : 0))
        return fail(f, ERR_RANGE, "membership_propose.scope", p->scope);
    return OK;
}

err chain_exec_membership_propose(exec *x, const chain_tx_membership_propose *p, fault *f)
{
    chain *c = x->c;
    TRY(check_membership(p, f));
    gov_filing n = { .proposer = x->sender, .kind = CHAIN_PROPOSAL_MEMBERSHIP, .house = (chain_house_id)p->house, .document = p->document,
                     .stake = p->stake, .electorate = CHAIN_ELECTORATE_OPERATORS, .class = CHAIN_CLASS_STRUCTURAL };
    TRY(chain_gov_proposal_open(x, &n, f));
    chain_key key = chain_key_height(chain_governance(c)->proposals);
    *(chain_row_membership *)chain_row_create(c, CHAIN_TABLE_MEMBERSHIP, &key) =
        (chain_row_membership){ .action = p->action, .subject = p->subject, .role = p->role, .scope = p->scope };
    return OK;
}

err chain_gov_membership_act(chain *c, uint64_t number, uint64_t height, fault *f)
{
    chain_key key = chain_key_height(number);
    const chain_row_membership *m = chain_row_get(c, CHAIN_TABLE_MEMBERSHIP, &key);
    CHECK(m);
    switch ((chain_membership)m->action) {
    case CHAIN_MEMBERSHIP_ISSUER_ADMIT:
    case CHAIN_MEMBERSHIP_ISSUER_REMOVE:
        return chain_issuer_set(c, &m->subject, m->action == CHAIN_MEMBERSHIP_ISSUER_ADMIT, height, f);
    case CHAIN_MEMBERSHIP_AUTHORITY_ADMIT:
    case CHAIN_MEMBERSHIP_AUTHORITY_REMOVE:
        return chain_authority_set(c, (chain_role)m->role, &m->subject, m->scope, m->action == CHAIN_MEMBERSHIP_AUTHORITY_ADMIT, f);
    case CHAIN_MEMBERSHIP_BADGE_END:
        return chain_badge_revoke(c, m->role, m->role == ECON_MARKETS ? CHAIN_BADGE_BUILDER : CHAIN_BADGE_OPERATOR, &m->subject,
                                  epoch_of(c, height) + 1, f);
    }
    return fail(f, ERR_UNSUPPORTED, "membership.action", m->action);
}
