/* SPDX-License-Identifier: Apache-2.0
 * What must agree between the rows of governance, recomputed from all of them, and what a block needs at most. */
#include "chain/gov/gov_int.h"

/* --- bounds --- */

size_t chain_gov_tx_journal(void)
{
    size_t money = 3 * CHAIN_JOURNAL_OF(account) + 3 * CHAIN_JOURNAL_OF(supply); /* fee and one movement */
    size_t voter = CHAIN_VOTER_UPDATE_JOURNAL + 3 * CHAIN_JOURNAL_OF(voter);      /* refresh; lock, delegations */
    size_t votes = 2 * (CHAIN_JOURNAL_OF(vote) + 2 * CHAIN_JOURNAL_OF(person_vote)) + CHAIN_JOURNAL_OF(proposal);
    size_t opening = 2 * CHAIN_JOURNAL_OF(proposal) + CHAIN_JOURNAL_OF(governance) + LIMIT_PROPOSAL_CHANGES * CHAIN_JOURNAL_OF(change);
    return money + voter + votes + opening;
}

/* Each active proposal moves at most once: activated, finished, its stake returned, taken off the list; a rollback ends another one. */
size_t chain_gov_epoch_journal(void)
{
    size_t rows = LIMIT_PROPOSAL_CHANGES * (CHAIN_JOURNAL_OF(change) + CHAIN_JOURNAL_OF(param));
    size_t ending = 5 * CHAIN_JOURNAL_OF(proposal) + CHAIN_JOURNAL_OF(governance) + CHAIN_JOURNAL_OF(account) + 3 * CHAIN_JOURNAL_OF(supply);
    return LIMIT_PROPOSALS * (rows + 2 * CHAIN_JOURNAL_OF(proposal) + 2 * ending);
}

size_t chain_gov_epoch_events(void)
{
    return LIMIT_PROPOSALS * (LIMIT_PROPOSAL_CHANGES + 5); /* changes; a stake, a move and a reason of itself; a stake and a move of what it takes back */
}

/* --- sums --- */

u128 chain_gov_stakes(const chain *c)
{
    u128 sum = 0;
    for (size_t i = 0; i < chain_row_count(c, CHAIN_TABLE_VOTER); i++) {
        const chain_row_voter *v = chain_row_at(c, CHAIN_TABLE_VOTER, i, NULL);
        sum += (u128)v->stake + v->unbonding;
    }
    for (size_t i = 0; i < chain_row_count(c, CHAIN_TABLE_PROPOSAL); i++)
        sum += ((const chain_row_proposal *)chain_row_at(c, CHAIN_TABLE_PROPOSAL, i, NULL))->stake;
    return sum;
}

static err audit_houses(const chain *c, fault *f)
{
    u128 sums[CHAIN_ELECTORATE_COUNT] = { 0 };
    for (size_t i = 0; i < chain_row_count(c, CHAIN_TABLE_VOTER); i++) {
        gov_powers p = chain_gov_powers_of(chain_row_at(c, CHAIN_TABLE_VOTER, i, NULL));
        for (unsigned e = 0; e < CHAIN_ELECTORATE_COUNT; e++)
            sums[e] += p.v[e];
    }
    for (unsigned e = 0; e < CHAIN_ELECTORATE_COUNT; e++)
        if (sums[e] != chain_house(c, (chain_electorate)e)->power)
            return fail(f, ERR_INVARIANT, "power of a house", e);
    return OK;
}

static uint64_t count_delegators(const chain *c, const uint8_t hash[32], chain_house_id house)
{
    uint64_t n = 0;
    for (size_t i = 0; i < chain_row_count(c, CHAIN_TABLE_VOTER); i++) {
        const chain_row_voter *v = chain_row_at(c, CHAIN_TABLE_VOTER, i, NULL);
        n += memcmp(house == CHAIN_HOUSE_OPERATORS ? v->delegate_operators.b : v->delegate_builders.b, hash, 32) == 0;
    }
    return n;
}

/* Who has delegators has as many as say so, and delegates to nobody. */
static err audit_delegations(const chain *c, fault *f)
{
    static const hash256 zero;
    for (size_t i = 0; i < chain_row_count(c, CHAIN_TABLE_VOTER); i++) {
        bytes key;
        const chain_row_voter *v = chain_row_at(c, CHAIN_TABLE_VOTER, i, &key);
        if (v->delegators_operators &&
            (v->delegators_operators != count_delegators(c, key.data + 1, CHAIN_HOUSE_OPERATORS) || !hash256_equal(&v->delegate_operators, &zero)))
            return fail(f, ERR_INVARIANT, "delegations of operators", i);
        if (v->delegators_builders &&
            (v->delegators_builders != count_delegators(c, key.data + 1, CHAIN_HOUSE_BUILDERS) || !hash256_equal(&v->delegate_builders, &zero)))
            return fail(f, ERR_INVARIANT, "delegations of builders", i);
    }
    return OK;
}

/* The votes of the proposal's round in one house against its tally. */
static err audit_tally(const chain *c, uint64_t number, const chain_row_proposal *p, chain_house_id house, fault *f)
{
    u128 cast = 0, yes = 0, no = 0, persons = 0;
    chain_key prefix = chain_key_vote(number, p->round, house, &p->proposer);
    for (size_t i = 0; i < chain_row_count(c, CHAIN_TABLE_VOTE); i++) {
        bytes key;
        const chain_row_vote *v = chain_row_at(c, CHAIN_TABLE_VOTE, i, &key);
        if (memcmp(key.data, prefix.b, 10) != 0)
            continue;
        cast += v->power;
        yes += v->choice == CHAIN_VOTE_YES ? v->weight : 0;
        no += v->choice == CHAIN_VOTE_NO ? v->weight : 0;
    }
    for (size_t i = 0; i < chain_row_count(c, CHAIN_TABLE_PERSON_VOTE); i++) {
        bytes key;
        const chain_row_person_vote *v = chain_row_at(c, CHAIN_TABLE_PERSON_VOTE, i, &key);
        persons += memcmp(key.data, prefix.b, 10) == 0 ? v->power : 0;
    }
    bool operators = house == CHAIN_HOUSE_OPERATORS;
    bool same = cast == (operators ? p->cast_operators : p->cast_builders) && yes == (operators ? p->yes_operators : p->yes_builders) &&
                no == (operators ? p->no_operators : p->no_builders) && persons == cast;
    return same ? OK : fail(f, ERR_INVARIANT, "tally of a proposal", number);
}

/* The list holds exactly the proposals that are not over, in ascending order. */
static err audit_list(const chain *c, fault *f)
{
    const chain_row_governance *list = chain_governance(c);
    uint64_t before = 0, n = list->first, listed = 0, active = 0;
    for (; n; listed++) {
        const chain_row_proposal *p = chain_proposal(c, n);
        if (!p || p->previous != before || n <= before || listed == LIMIT_PROPOSALS)
            return fail(f, ERR_INVARIANT, "list of proposals", n);
        before = n;
        n = p->next;
    }
    for (uint64_t number = 1; number <= list->proposals; number++) {
        const chain_row_proposal *p = chain_proposal(c, number);
        if (!p)
            return fail(f, ERR_INVARIANT, "numbers of proposals", number);
        active += p->status == CHAIN_PROPOSAL_OPEN || p->status == CHAIN_PROPOSAL_TIMELOCKED || p->status == CHAIN_PROPOSAL_IN_FORCE;
        TRY(audit_tally(c, number, p, CHAIN_HOUSE_OPERATORS, f));
        TRY(audit_tally(c, number, p, CHAIN_HOUSE_BUILDERS, f));
    }
    if (before != list->last || listed != active)
        return fail(f, ERR_INVARIANT, "list of proposals", listed);
    return OK;
}

err chain_gov_audit(const chain *c, fault *f)
{
    TRY(audit_houses(c, f));
    TRY(audit_delegations(c, f));
    return audit_list(c, f);
}
