/* SPDX-License-Identifier: Apache-2.0
 * Blind execution windows: who knows that a change will act is held still before it does (seed Rec. 9.10). */
#include "chain/gov/gov_int.h"

static bool in_window(const chain *c, const chain_row_proposal *p, uint64_t epoch)
{
    return p->status == CHAIN_PROPOSAL_TIMELOCKED && epoch + param(c, CHAIN_PARAM_GOV_FREEZE) >= p->activate_epoch;
}

static bool voted(const chain *c, uint64_t number, const chain_row_proposal *p, const cr_address *a, bool yes_only)
{
    for (uint8_t round = 1; round <= p->round; round++)
        for (unsigned house = CHAIN_HOUSE_OPERATORS; house <= CHAIN_HOUSE_BUILDERS; house++) {
            const chain_row_vote *v = chain_vote(c, number, round, (chain_house_id)house, a);
            if (v && (!yes_only || v->choice == CHAIN_VOTE_YES))
                return true;
        }
    return false;
}

/* The first active change in its window that concerns the market and that the account is bound by; 0: none. */
static uint64_t bound_by(const chain *c, const cr_address *a, econ_market market, bool yes_only, uint64_t height)
{
    uint64_t epoch = epoch_of(c, height);
    for (uint64_t number = chain_governance(c)->first; number;) {
        const chain_row_proposal *p = chain_proposal(c, number);
        CHECK(p);
        bool concerns = market == ECON_MARKETS || p->electorate == CHAIN_ELECTORATE_OPERATORS || p->electorate == 1u + market;
        if (concerns && in_window(c, p, epoch) && (cr_address_equal(&p->proposer, a) || voted(c, number, p, a, yes_only)))
            return number;
        number = p->next;
    }
    return 0;
}

uint64_t chain_gov_frozen(const chain *c, const cr_address *a, econ_market market, uint64_t height)
{
    return bound_by(c, a, market, true, height);
}

void chain_gov_disclose(exec *x, uint64_t amount)
{
    chain *c = x->c;
    if (chain_governance(c)->first == 0)
        return;
    const chain_row_supply *s = chain_supply(c);
    if ((u128)amount * PPM < (u128)(s->minted - s->burned) * param(c, CHAIN_PARAM_GOV_DISCLOSURE))
        return;
    uint64_t number = bound_by(c, &x->sender, ECON_MARKETS, false, x->height);
    if (number)
        chain_event_add(c, CHAIN_EVENT_POSITION_DISCLOSED, x->tx_index)->data.position_disclosed =
            (chain_event_position_disclosed){ .voter = x->sender, .proposal = number, .amount = amount };
}
