/* SPDX-License-Identifier: Apache-2.0
 * Proposals: who may open one, how long each kind takes, and the list of those that are active. */
#include "chain/gov/gov_int.h"

chain_key chain_key_proposal(uint64_t number)
{
    return chain_key_height(number);
}

const chain_row_governance *chain_governance(const chain *c)
{
    chain_key key = chain_key_governance();
    return chain_row_get(c, CHAIN_TABLE_GOVERNANCE, &key);
}

const chain_row_proposal *chain_proposal(const chain *c, uint64_t number)
{
    chain_key key = chain_key_proposal(number);
    return chain_row_get(c, CHAIN_TABLE_PROPOSAL, &key);
}

chain_row_proposal *chain_gov_proposal_edit(chain *c, uint64_t number)
{
    chain_key key = chain_key_proposal(number);
    return chain_row_edit(c, CHAIN_TABLE_PROPOSAL, &key);
}

static chain_row_governance *list_edit(chain *c)
{
    chain_key key = chain_key_governance();
    return chain_row_edit(c, CHAIN_TABLE_GOVERNANCE, &key);
}

/* --- the list of active proposals, by number --- */

static chain_row_proposal *list_append(chain *c, uint64_t *number)
{
    chain_row_governance *list = list_edit(c);
    *number = ++list->proposals;
    chain_key key = chain_key_proposal(*number);
    chain_row_proposal *p = chain_row_create(c, CHAIN_TABLE_PROPOSAL, &key);
    p->previous = list->last;
    if (list->last)
        chain_gov_proposal_edit(c, list->last)->next = *number;
    else
        list->first = *number;
    list->last = *number;
    return p;
}

void chain_gov_proposal_close(chain *c, uint64_t number)
{
    chain_row_governance *list = list_edit(c);
    chain_row_proposal *p = chain_gov_proposal_edit(c, number);
    if (p->previous)
        chain_gov_proposal_edit(c, p->previous)->next = p->next;
    else
        list->first = p->next;
    if (p->next)
        chain_gov_proposal_edit(c, p->next)->previous = p->previous;
    else
        list->last = p->previous;
    p->previous = p->next = 0;
}

/* --- who may open one --- */

static bool urgent(uint8_t kind)
{
    return kind == CHAIN_PROPOSAL_EMERGENCY || kind == CHAIN_PROPOSAL_ROLLBACK;
}

/* Holds its slot for longer than an ordinary vote takes. */
static bool lengthy(const chain *c, uint8_t kind, uint64_t target)
{
    return kind == CHAIN_PROPOSAL_AMENDMENT ||
           (kind == CHAIN_PROPOSAL_DISBURSEMENT && chain_disbursement(c, target)->vote_epochs > param(c, CHAIN_PARAM_GOV_VOTING));
}

typedef struct slots {
    uint64_t ordinary, house, lengthy, emergencies, rollbacks, proposer;
} slots;

static slots count_slots(const chain *c, const gov_filing *n)
{
    slots s = { 0 };
    for (uint64_t number = chain_governance(c)->first; number;) {
        const chain_row_proposal *p = chain_proposal(c, number);
        bool ordinary = !urgent(p->kind);
        s.ordinary += ordinary;
        s.house += ordinary && p->house == n->house;
        s.lengthy += lengthy(c, p->kind, p->target);
        s.emergencies += p->kind == CHAIN_PROPOSAL_EMERGENCY;
        s.rollbacks += p->kind == CHAIN_PROPOSAL_ROLLBACK;
        s.proposer += cr_address_equal(&p->proposer, &n->proposer);
        number = p->next;
    }
    return s;
}

static err check_slots(const chain *c, const gov_filing *n, fault *f)
{
    slots s = count_slots(c, n);
    uint64_t urgent_most = param(c, CHAIN_PARAM_GOV_SLOTS_URGENT);
    if (s.proposer >= param(c, CHAIN_PARAM_GOV_SLOTS_PROPOSER))
        return fail(f, ERR_LIMIT, "gov.slots_proposer", s.proposer);
    if (n->kind == CHAIN_PROPOSAL_EMERGENCY)
        return s.emergencies < urgent_most ? OK : fail(f, ERR_LIMIT, "gov.slots_urgent", s.emergencies);
    if (n->kind == CHAIN_PROPOSAL_ROLLBACK)
        return s.rollbacks < urgent_most ? OK : fail(f, ERR_LIMIT, "gov.slots_urgent", s.rollbacks);
    if (s.ordinary >= param(c, CHAIN_PARAM_GOV_SLOTS))
        return fail(f, ERR_LIMIT, "gov.slots", s.ordinary);
    if (s.house >= param(c, CHAIN_PARAM_GOV_SLOTS_HOUSE))
        return fail(f, ERR_LIMIT, "gov.slots_house", s.house);
    if (lengthy(c, (uint8_t)n->kind, n->target) && s.lengthy >= param(c, CHAIN_PARAM_GOV_SLOTS_AMENDMENT))
        return fail(f, ERR_LIMIT, "gov.slots_amendment", s.lengthy);
    return OK;
}

static err check_proposer(const chain *c, const gov_filing *n, uint64_t height, fault *f)
{
    const chain_row_voter *v = chain_voter(c, &n->proposer);
    gov_powers now = v ? chain_gov_powers_of(v) : (gov_powers){ 0 };
    if (!now.v[n->house == CHAIN_HOUSE_BUILDERS ? CHAIN_ELECTORATE_BUILDERS : CHAIN_ELECTORATE_OPERATORS])
        return fail(f, ERR_PERMISSION, "proposal.house", n->house);
    if (param(c, CHAIN_PARAM_GOV_KYC_REQUIRED) && !chain_kyc_valid_at(c, &n->proposer, height))
        return fail(f, ERR_KYC, "proposal.proposer", 0);
    if (n->stake < param(c, CHAIN_PARAM_GOV_PROPOSAL_STAKE))
        return fail(f, ERR_BOND, "proposal.stake", n->stake);
    if (v->proposed_epoch && epoch_of(c, height) - v->proposed_epoch < param(c, CHAIN_PARAM_GOV_COOLDOWN))
        return fail(f, ERR_BUSY, "gov.cooldown", v->proposed_epoch);
    return check_slots(c, n, f);
}

/* --- how long it takes and what it needs --- */

static void set_schedule(const chain *c, chain_row_proposal *p, uint64_t epoch)
{
    uint64_t comment = 0, voting = param(c, CHAIN_PARAM_GOV_VOTING);
    p->timelock = param(c, p->class == CHAIN_CLASS_STRUCTURAL ? CHAIN_PARAM_GOV_TIMELOCK_STRUCTURAL : CHAIN_PARAM_GOV_TIMELOCK_OPERATIONAL);
    switch (p->kind) {
    case CHAIN_PROPOSAL_AMENDMENT:
        comment = param(c, CHAIN_PARAM_GOV_AMEND_COMMENT);
        voting = param(c, CHAIN_PARAM_GOV_AMEND_VOTING);
        p->timelock = param(c, CHAIN_PARAM_GOV_AMEND_COOLING);
        break;
    case CHAIN_PROPOSAL_EMERGENCY:
        voting = param(c, CHAIN_PARAM_GOV_EMERGENCY_VOTING);
        p->timelock = param(c, CHAIN_PARAM_GOV_TIMELOCK_MIN);
        break;
    case CHAIN_PROPOSAL_DISBURSEMENT: /* as it was filed; the timelock is the treasury's */
        voting = chain_disbursement(c, p->target)->vote_epochs;
        p->timelock = 0;
        break;
    case CHAIN_PROPOSAL_ROLLBACK:
        p->timelock = param(c, CHAIN_PARAM_GOV_TIMELOCK_MIN);
        break;
    }
    p->submit_epoch = epoch;
    p->snapshot_epoch = epoch - 1;
    p->round = 1;
    p->vote_start = epoch + 1 + comment;
    p->vote_end = p->vote_start + voting;
}

static void set_rules(const chain *c, chain_row_proposal *p)
{
    static const chain_param thresholds[] = { [CHAIN_CLASS_OPERATIONAL] = CHAIN_PARAM_GOV_THRESHOLD_OPERATIONAL,
                                              [CHAIN_CLASS_STRUCTURAL] = CHAIN_PARAM_GOV_THRESHOLD_STRUCTURAL,
                                              [CHAIN_CLASS_CONSTITUTIONAL] = CHAIN_PARAM_GOV_THRESHOLD_CONSTITUTIONAL };
    p->threshold_ppm = (uint32_t)param(c, thresholds[p->class]);
    p->quorum_operators_ppm = (uint32_t)param(c, CHAIN_PARAM_GOV_QUORUM_OPERATORS);
    p->quorum_builders_ppm = (uint32_t)param(c, CHAIN_PARAM_GOV_QUORUM_BUILDERS);
    p->eligible_operators = chain_gov_eligible(c, (chain_electorate)p->electorate, p->snapshot_epoch);
    p->eligible_builders = chain_gov_eligible(c, CHAIN_ELECTORATE_BUILDERS, p->snapshot_epoch);
}

err chain_gov_proposal_open(exec *x, const gov_filing *n, fault *f)
{
    chain *c = x->c;
    TRY(chain_gov_house_check((uint8_t)n->house, "proposal.house", f));
    TRY(check_proposer(c, n, x->height, f));
    if (chain_account_debit(c, &n->proposer, n->stake) != OK)
        return fail(f, ERR_FUNDS, "proposal.stake", n->stake);
    TRY(chain_purse_add(c, PURSE_STAKES, n->stake));
    uint64_t number, epoch = epoch_of(c, x->height);
    chain_row_proposal *p = list_append(c, &number);
    p->proposer = n->proposer;
    p->kind = (uint8_t)n->kind;
    p->class = (uint8_t)n->class;
    p->house = (uint8_t)n->house;
    p->electorate = (uint8_t)n->electorate;
    p->status = CHAIN_PROPOSAL_OPEN;
    p->changes = (uint8_t)n->diff.count;
    p->target = n->target;
    p->document = n->document;
    p->stake = n->stake;
    set_schedule(c, p, epoch);
    set_rules(c, p);
    for (uint8_t i = 0; i < p->changes; i++) {
        chain_key key = chain_key_change(number, i);
        chain_row_change *change = chain_row_create(c, CHAIN_TABLE_CHANGE, &key);
        *change = (chain_row_change){ .param = chain_param_rows[n->diff.change[i].param].number, .value = n->diff.change[i].value };
    }
    chain_key key = chain_key_address(&n->proposer);
    ((chain_row_voter *)chain_row_edit(c, CHAIN_TABLE_VOTER, &key))->proposed_epoch = epoch;
    chain_event_add(c, CHAIN_EVENT_PROPOSED, x->tx_index)->data.proposed =
        (chain_event_proposed){ .proposal = number, .proposer = n->proposer, .kind = p->kind, .vote_start = p->vote_start,
                                .vote_end = p->vote_end };
    return OK;
}

err chain_gov_stake_release(chain *c, uint64_t number, bool burn)
{
    chain_row_proposal *p = chain_gov_proposal_edit(c, number);
    uint64_t stake = p->stake, burned = 0;
    if (burn)
        TRY(mul_div_u64(&burned, stake, param(c, CHAIN_PARAM_GOV_PROPOSAL_BURN), PPM, ROUND_DOWN));
    p->stake = 0;
    TRY(chain_purse_take(c, PURSE_STAKES, stake));
    TRY(chain_supply_burn(c, burned));
    TRY(chain_account_credit(c, &p->proposer, stake - burned));
    chain_event_add(c, CHAIN_EVENT_STAKE_RELEASED, CHAIN_EVENT_NO_TX)->data.stake_released =
        (chain_event_stake_released){ .proposal = number, .proposer = p->proposer, .returned = stake - burned, .burned = burned };
    return OK;
}
