/* SPDX-License-Identifier: Apache-2.0
 * For tests of governance: a network of short epochs, voters with badges, and one-line proposals and votes. */
#ifndef CHAIN_GOV_GOV_KIT_H
#define CHAIN_GOV_GOV_KIT_H

#include "chain/chain_kit.h"
#include "chain/gov/gov_int.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#ifndef GOV_EPOCH
#define GOV_EPOCH 2 /* blocks; an includer may have longer ones */
#endif
enum { ALL_MARKETS = 15 };
#define GOV_STAKE 100000000000u       /* of each voter */
#define GOV_PROPOSAL_STAKE 1000000000u

/* Accounts 1 to 3 are operators in all markets, 4 to 6 builders. */
enum { OPERATOR = 1, BUILDER = 4, VOTER_END = 7 };

#define MAY_BE_UNUSED __attribute__((unused))

MAY_BE_UNUSED static void gov_audit(const kit *k)
{
    fault f = { 0 };
    if (chain_audit(k->c, &f) != OK)
        fail_msg("%s at %llu", f.what, (unsigned long long)f.at);
}

/* The shortest course of each kind. */
MAY_BE_UNUSED static void gov_short(chain_genesis *g)
{
    static const struct {
        chain_param p;
        uint64_t    value;
    } rows[] = {
        { CHAIN_PARAM_EPOCH, GOV_EPOCH },         { CHAIN_PARAM_GOV_VOTING, 4 },         { CHAIN_PARAM_GOV_LATE_WINDOW, 0 },
        { CHAIN_PARAM_GOV_EXTENSION, 0 },         { CHAIN_PARAM_GOV_TIMELOCK_OPERATIONAL, 2 }, { CHAIN_PARAM_GOV_TIMELOCK_STRUCTURAL, 3 },
        { CHAIN_PARAM_GOV_ROLLBACK_WINDOW, 12 },  { CHAIN_PARAM_GOV_AMEND_COMMENT, 2 },  { CHAIN_PARAM_GOV_AMEND_VOTING, 2 },
        { CHAIN_PARAM_GOV_AMEND_GAP, 3 },         { CHAIN_PARAM_GOV_AMEND_COOLING, 4 },  { CHAIN_PARAM_GOV_EMERGENCY_TERM, 6 },
        { CHAIN_PARAM_GOV_PROPOSAL_STAKE, GOV_PROPOSAL_STAKE }, { CHAIN_PARAM_GOV_COOLDOWN, 0 }, { CHAIN_PARAM_GOV_FREEZE, 1 },
        { CHAIN_PARAM_GOV_UNSTAKE_DELAY, 5 },     { CHAIN_PARAM_CLAIM_WINDOW, 50 },        { CHAIN_PARAM_WORKER_UNBOND, 20 },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        g->params.v[rows[i].p] = rows[i].value;
}

MAY_BE_UNUSED static uint64_t gov_now(const kit *k) /* epoch of the next block */
{
    return chain_head(k->c)->height / GOV_EPOCH + 1;
}

/* The next block is the first of this epoch. */
MAY_BE_UNUSED static void gov_until(kit *k, uint64_t epoch)
{
    while (chain_head(k->c)->height < (epoch - 1) * GOV_EPOCH)
        kit_advance(k, 1);
}

/* Identity's part, between two blocks. */
MAY_BE_UNUSED static void gov_badge(kit *k, unsigned who, uint8_t markets, bool builder, uint32_t months, uint32_t reputation_ppm)
{
    cr_address a = kit_address(who);
    chain_voter_inputs in = { .operator_months = { months, months, months, months }, .builder_months = months,
                              .reputation_ppm = reputation_ppm, .markets = markets, .builder = builder };
    assert_int_equal(chain_reserve(k->c, 8, 4096), OK);
    assert_int_equal(chain_voter_update(k->c, &a, &in, chain_head(k->c)->height + 1, NULL), OK);
}

MAY_BE_UNUSED static err gov_stake(kit *k, unsigned who, uint64_t amount)
{
    chain_tx tx = kit_tx(k, who, CHAIN_TX_STAKE_ADD, 0);
    tx.payload.stake_add.amount = amount;
    return kit_run(k, &tx, who);
}

MAY_BE_UNUSED static err gov_unstake(kit *k, unsigned who, uint64_t amount)
{
    chain_tx tx = kit_tx(k, who, CHAIN_TX_STAKE_REMOVE, 0);
    tx.payload.stake_remove.amount = amount;
    return kit_run(k, &tx, who);
}

/* A network whose voters had their power before the epoch that comes. */
MAY_BE_UNUSED static void gov_start(kit *k, void (*tweak)(chain_genesis *g))
{
    kit_start(k, tweak ? tweak : gov_short);
    for (unsigned who = OPERATOR; who < VOTER_END; who++) {
        gov_badge(k, who, who < BUILDER ? ALL_MARKETS : 0, who >= BUILDER, 12, 800000);
        assert_int_equal(gov_stake(k, who, GOV_STAKE), OK);
    }
    gov_until(k, gov_now(k) + 2);
}

MAY_BE_UNUSED static chain_tx gov_proposal_tx(const kit *k, unsigned who, chain_proposal_kind kind, const chain_param_change *changes,
                                              size_t count, uint64_t target)
{
    uint8_t buffer[256];
    bytes items;
    chain_tx tx = kit_tx(k, who, CHAIN_TX_PROPOSAL_SUBMIT, 0);
    CHECK(chain_changes_encode(&items, buffer, sizeof buffer, changes, count) == OK);
    tx.payload.proposal_submit = (chain_tx_proposal_submit){ .kind = (uint8_t)kind, .house = who < BUILDER ? 1 : 2, .changes = kit_keep(items),
                                                             .target = target, .document = { { 3 } }, .stake = GOV_PROPOSAL_STAKE };
    return tx;
}

/* *number: that of the newest proposal. */
MAY_BE_UNUSED static err gov_propose(kit *k, unsigned who, chain_proposal_kind kind, const chain_param_change *changes, size_t count,
                                     uint64_t target, uint64_t *number)
{
    chain_tx tx = gov_proposal_tx(k, who, kind, changes, count, target);
    err e = kit_run(k, &tx, who);
    *number = chain_governance(k->c)->proposals;
    return e;
}

MAY_BE_UNUSED static err gov_vote(kit *k, unsigned who, uint64_t number, chain_vote_choice choice)
{
    chain_tx tx = kit_tx(k, who, CHAIN_TX_VOTE, 0);
    tx.payload.vote = (chain_tx_vote){ .proposal = number, .choice = (uint8_t)choice };
    return kit_run(k, &tx, who);
}

MAY_BE_UNUSED static void gov_votes(kit *k, unsigned from, unsigned to, uint64_t number, chain_vote_choice choice)
{
    bytes txs[8];
    size_t n = 0;
    for (unsigned who = from; who < to; who++) {
        chain_tx tx = kit_tx(k, who, CHAIN_TX_VOTE, 0);
        tx.fee_max = 2000000000;
        tx.payload.vote = (chain_tx_vote){ .proposal = number, .choice = (uint8_t)choice };
        txs[n++] = kit_sign(&tx, who);
    }
    assert_int_equal(kit_block(k, txs, n), OK);
    for (size_t i = 0; i < n; i++)
        if (k->result.txs[i].code != OK)
            fail_msg("vote %zu on %llu: %s", i, (unsigned long long)number, k->result.txs[i].what);
}

MAY_BE_UNUSED static const chain_row_proposal *gov_proposal(const kit *k, uint64_t number)
{
    const chain_row_proposal *p = chain_proposal(k->c, number);
    assert_non_null(p);
    return p;
}

/* All vote yes in each round until the proposal is over or acts. */
MAY_BE_UNUSED static void gov_pass(kit *k, uint64_t number)
{
    for (uint8_t round = 1; gov_proposal(k, number)->status == CHAIN_PROPOSAL_OPEN; round++) {
        assert_int_equal(gov_proposal(k, number)->round, round);
        gov_until(k, gov_proposal(k, number)->vote_start);
        gov_votes(k, OPERATOR, VOTER_END, number, CHAIN_VOTE_YES);
        gov_until(k, gov_proposal(k, number)->vote_end);
    }
    assert_int_equal(gov_proposal(k, number)->status, CHAIN_PROPOSAL_TIMELOCKED);
    gov_until(k, gov_proposal(k, number)->activate_epoch);
}

MAY_BE_UNUSED static const chain_param_change fee = { CHAIN_PARAM_FEE_MIN, 1001 }; /* operational */
MAY_BE_UNUSED static const chain_param_change window = { CHAIN_PARAM_TARIFF_REVENUE_TARGET, 900 }; /* structural */
MAY_BE_UNUSED static const chain_param_change issuance = { CHAIN_PARAM_ISSUANCE_MAX, 11000000 }; /* constitutional */
MAY_BE_UNUSED static const chain_param_change storage = { CHAIN_PARAM_STORAGE_UTIL_TARGET, 5000 }; /* operational, of one market */

MAY_BE_UNUSED static uint64_t propose(kit *k, chain_proposal_kind kind, const chain_param_change *change)
{
    uint64_t number;
    err e = gov_propose(k, OPERATOR, kind, change, 1, 0, &number);
    if (e != OK)
        fail_msg("%s", k->result.txs[0].what);
    return number;
}

/* A network with these stakes of operators 1 to 3 and builders 4 to 6. */
MAY_BE_UNUSED static void start_with(kit *k, const uint64_t stakes[6], void (*tweak)(chain_genesis *g))
{
    kit_start(k, tweak ? tweak : gov_short);
    for (unsigned who = OPERATOR; who < VOTER_END; who++) {
        gov_badge(k, who, who < BUILDER ? ALL_MARKETS : 0, who >= BUILDER, 24, 1000000);
        if (stakes[who - 1])
            assert_int_equal(gov_stake(k, who, stakes[who - 1]), OK);
    }
    gov_until(k, gov_now(k) + 2);
}

#define EXPECT_ERR(call, code, named)                              \
    do {                                                           \
        err expected_ = (code);                                    \
        assert_int_equal(call, expected_);                         \
        if (expected_ != OK)                                       \
            assert_string_equal(k.result.txs[0].what, named);      \
    } while (0)

#endif
