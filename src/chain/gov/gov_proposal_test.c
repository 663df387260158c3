/* SPDX-License-Identifier: Apache-2.0
 * Proposals and votes: quorum, thresholds, houses, snapshots, late votes, both votes of an amendment, emergencies, rollbacks,
 * stakes, slots. Each rule with what passes and what does not. */
#include "chain/gov/gov_kit.h"

static const chain_param_change fee = { CHAIN_PARAM_FEE_MIN, 1001 };                       /* operational */
static const chain_param_change window = { CHAIN_PARAM_TARIFF_REVENUE_TARGET, 900 };       /* structural */
static const chain_param_change issuance = { CHAIN_PARAM_ISSUANCE_MAX, 11000000 };         /* constitutional */
static const chain_param_change storage = { CHAIN_PARAM_STORAGE_UTIL_TARGET, 5000 };       /* operational, of one market */

static uint64_t propose(kit *k, chain_proposal_kind kind, const chain_param_change *change)
{
    uint64_t number;
    err e = gov_propose(k, OPERATOR, kind, change, 1, 0, &number);
    if (e != OK)
        fail_msg("%s", k->result.txs[0].what);
    return number;
}

/* A network with these stakes of operators 1 to 3 and builders 4 to 6. */
static void start_with(kit *k, const uint64_t stakes[6], void (*tweak)(chain_genesis *g))
{
    kit_start(k, tweak ? tweak : gov_short);
    for (unsigned who = OPERATOR; who < VOTER_END; who++) {
        gov_badge(k, who, who < BUILDER ? ALL_MARKETS : 0, who >= BUILDER, 24, 1000000);
        if (stakes[who - 1])
            assert_int_equal(gov_stake(k, who, stakes[who - 1]), OK);
    }
    gov_until(k, gov_now(k) + 2);
}

/* --- thresholds: each class at its edge, in each house --- */

typedef struct threshold_case {
    chain_proposal_kind       kind;
    const chain_param_change *change;
    uint64_t                  yes, no; /* roots of the stakes of who votes so in the tested house */
    bool                      passes;
} threshold_case;

static const threshold_case thresholds[] = {
    { CHAIN_PROPOSAL_PARAMETERS, &fee, 500, 500, false },       { CHAIN_PROPOSAL_PARAMETERS, &fee, 501, 500, true },
    { CHAIN_PROPOSAL_PARAMETERS, &window, 670, 330, true },     { CHAIN_PROPOSAL_PARAMETERS, &window, 669, 330, false },
    { CHAIN_PROPOSAL_AMENDMENT, &issuance, 900, 100, true },    { CHAIN_PROPOSAL_AMENDMENT, &issuance, 899, 100, false },
    { CHAIN_PROPOSAL_AMENDMENT, &issuance, 890, 110, false },   { CHAIN_PROPOSAL_EMERGENCY, &fee, 670, 330, true },
    { CHAIN_PROPOSAL_EMERGENCY, &fee, 669, 330, false },        { CHAIN_PROPOSAL_PARAMETERS, &fee, 0, 500, false },
};

/* One badge each, B = 10^6: the power of a stake of a^2 is 1000 a. */
static void threshold(const threshold_case *t, bool in_builders)
{
    kit k;
    uint64_t roots[6] = { 600, 600, 0, 600, 600, 0 };
    roots[in_builders ? 3 : 0] = t->yes;
    roots[in_builders ? 4 : 1] = t->no;
    kit_start(&k, gov_short);
    for (unsigned who = OPERATOR; who < VOTER_END; who++) {
        gov_badge(&k, who, who < BUILDER ? 1 << ECON_STORAGE : 0, who >= BUILDER, 24, 1000000);
        if (roots[who - 1])
            assert_int_equal(gov_stake(&k, who, roots[who - 1] * roots[who - 1]), OK);
    }
    gov_until(&k, gov_now(&k) + 2);
    uint64_t n;
    unsigned proposer = roots[0] ? 1 : 2;
    assert_int_equal(gov_propose(&k, proposer, t->kind, t->change, 1, 0, &n), OK);
    for (uint8_t round = 1; round <= 2 && gov_proposal(&k, n)->status == CHAIN_PROPOSAL_OPEN; round++) {
        bytes txs[5];
        size_t count = 0;
        gov_until(&k, gov_proposal(&k, n)->vote_start);
        for (unsigned who = 1; who <= 5; who++) {
            bool tested = (who >= BUILDER) == in_builders;
            chain_tx tx = kit_tx(&k, who, CHAIN_TX_VOTE, 0);
            tx.payload.vote = (chain_tx_vote){ .proposal = n, .choice = tested && (who == 2 || who == 5) ? CHAIN_VOTE_NO : CHAIN_VOTE_YES };
            if (roots[who - 1])
                txs[count++] = kit_sign(&tx, who);
        }
        assert_int_equal(kit_block(&k, txs, count), OK);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(k.result.txs[i].code, OK);
        uint64_t all = (t->yes + t->no) * 1000;
        assert_int_equal(in_builders ? gov_proposal(&k, n)->cast_builders : gov_proposal(&k, n)->cast_operators, all);
        gov_until(&k, gov_proposal(&k, n)->vote_end);
    }
    assert_int_equal(gov_proposal(&k, n)->status, t->passes ? CHAIN_PROPOSAL_TIMELOCKED : CHAIN_PROPOSAL_REJECTED);
    gov_audit(&k);
    kit_stop(&k);
}

static void thresholds_at_their_edges(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(thresholds); i++) {
        threshold(&thresholds[i], true);
        threshold(&thresholds[i], false);
    }
}

/* --- houses and quorum --- */

static void one_house_is_not_enough(void **state)
{
    (void)state;
    for (unsigned house = 1; house <= 2; house++)
        for (unsigned other = 0; other < 3; other++) { /* the other house says no, abstains, stays away */
            kit k;
            gov_start(&k, NULL);
            uint64_t n = propose(&k, CHAIN_PROPOSAL_PARAMETERS, &fee);
            gov_until(&k, gov_proposal(&k, n)->vote_start);
            unsigned from = house == 1 ? OPERATOR : BUILDER, against = house == 1 ? BUILDER : OPERATOR;
            gov_votes(&k, from, from + 3, n, CHAIN_VOTE_YES);
            if (other < 2)
                gov_votes(&k, against, against + 3, n, other ? CHAIN_VOTE_ABSTAIN : CHAIN_VOTE_NO);
            gov_until(&k, gov_proposal(&k, n)->vote_end);
            assert_int_equal(gov_proposal(&k, n)->status, CHAIN_PROPOSAL_REJECTED);
            kit_advance(&k, 20);
            assert_int_equal(param(k.c, CHAIN_PARAM_FEE_MIN), 1000);
            kit_stop(&k);
        }
}

static void half_quorum(chain_genesis *g)
{
    gov_short(g);
    g->params.v[CHAIN_PARAM_GOV_QUORUM_OPERATORS] = 500000;
    g->params.v[CHAIN_PARAM_GOV_QUORUM_BUILDERS] = 250000;
}

/* Three equal builders and operators: 500000 ppm needs two of them, 250000 one; abstentions count. */
static void quorum(void **state)
{
    (void)state;
    static const struct {
        unsigned operators, builders;
        bool     abstain, passes;
    } cases[] = { { 1, 1, false, false }, { 2, 1, false, true }, { 2, 0, false, false }, { 3, 3, false, true }, { 1, 3, true, true } };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        kit k;
        gov_start(&k, half_quorum);
        uint64_t n = propose(&k, CHAIN_PROPOSAL_PARAMETERS, &fee);
        gov_until(&k, gov_proposal(&k, n)->vote_start);
        gov_votes(&k, OPERATOR, OPERATOR + cases[i].operators, n, CHAIN_VOTE_YES);
        gov_votes(&k, BUILDER, BUILDER + cases[i].builders, n, CHAIN_VOTE_YES);
        if (cases[i].abstain)
            gov_votes(&k, 3, 4, n, CHAIN_VOTE_ABSTAIN);
        gov_until(&k, gov_proposal(&k, n)->vote_end);
        assert_int_equal(gov_proposal(&k, n)->status, cases[i].passes ? CHAIN_PROPOSAL_TIMELOCKED : CHAIN_PROPOSAL_REJECTED);
        kit_stop(&k);
    }
}

/* A badge of one market weighs on its parameters, on those of all, and not on another's. */
static void markets(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, gov_short);
    for (unsigned who = OPERATOR; who < VOTER_END; who++) {
        uint8_t mask = who == 1 ? 1 << ECON_STORAGE : who < BUILDER ? 1 << ECON_ENERGY : 0;
        gov_badge(&k, who, mask, who >= BUILDER, 24, 1000000);
        assert_int_equal(gov_stake(&k, who, 1000000), OK);
    }
    gov_until(&k, gov_now(&k) + 2);
    uint64_t n;
    assert_int_equal(gov_propose(&k, 2, CHAIN_PROPOSAL_PARAMETERS, &storage, 1, 0, &n), OK); /* anyone may ask */
    assert_int_equal(gov_proposal(&k, n)->eligible_operators, 1000000);
    gov_until(&k, gov_proposal(&k, n)->vote_start);
    EXPECT_ERR(gov_vote(&k, 2, n, CHAIN_VOTE_NO), ERR_PERMISSION, "vote.sender");
    assert_int_equal(gov_vote(&k, 1, n, CHAIN_VOTE_YES), OK);
    gov_votes(&k, BUILDER, VOTER_END, n, CHAIN_VOTE_YES);
    gov_until(&k, gov_proposal(&k, n)->vote_end);
    assert_int_equal(gov_proposal(&k, n)->status, CHAIN_PROPOSAL_TIMELOCKED);
    assert_int_equal(gov_propose(&k, 2, CHAIN_PROPOSAL_PARAMETERS, &fee, 1, 0, &n), OK);
    assert_int_equal(gov_proposal(&k, n)->eligible_operators, 3000000);
    gov_until(&k, gov_proposal(&k, n)->vote_start);
    gov_votes(&k, OPERATOR, BUILDER, n, CHAIN_VOTE_YES);
    assert_int_equal(gov_proposal(&k, n)->yes_operators, 3000000);
    kit_stop(&k);
}

/* --- time: snapshots, late votes --- */

/* Stake that came in the epoch of the submission, or after it, or badges that came then, count for nothing; stake that left counts no
 * more than what is there. */
static void flash_power(void **state)
{
    (void)state;
    kit k;
    gov_start(&k, NULL);
    gov_until(&k, gov_now(&k) + 1);
    uint64_t n, old, mine;
    cr_address a1 = kit_address(1), a3 = kit_address(3);
    old = chain_voter(k.c, &a1)->power_operators;
    assert_int_equal(gov_stake(&k, 1, 9 * GOV_STAKE / 2), OK); /* in the epoch of the submission */
    n = propose(&k, CHAIN_PROPOSAL_PARAMETERS, &fee);
    assert_int_equal(gov_proposal(&k, n)->eligible_operators, 3 * old);
    gov_badge(&k, 7, ALL_MARKETS, true, 24, 1000000);
    assert_int_equal(gov_stake(&k, 7, 9 * GOV_STAKE), OK); /* a new voter in both houses */
    gov_badge(&k, 3, 0, false, 24, 1000000);             /* and one whose badge lapses */
    gov_until(&k, gov_proposal(&k, n)->vote_start);
    assert_int_equal(gov_vote(&k, 1, n, CHAIN_VOTE_YES), OK);
    assert_int_equal(gov_proposal(&k, n)->yes_operators, old);
    EXPECT_ERR(gov_vote(&k, 7, n, CHAIN_VOTE_YES), ERR_PERMISSION, "vote.sender");
    EXPECT_ERR(gov_vote(&k, 3, n, CHAIN_VOTE_YES), ERR_PERMISSION, "vote.sender");
    assert_int_equal(chain_voter(k.c, &a3)->power_operators, 0);
    /* Half the stake out: 1/sqrt 2 of the power, not what the snapshot says. */
    assert_int_equal(gov_unstake(&k, 2, GOV_STAKE / 2), OK);
    cr_address a2 = kit_address(2);
    mine = chain_voter(k.c, &a2)->power_operators;
    assert_int_equal(gov_vote(&k, 2, n, CHAIN_VOTE_NO), OK);
    assert_int_equal(gov_proposal(&k, n)->no_operators, mine);
    EXPECT_ERR(gov_unstake(&k, 2, 1), ERR_STATE, "voter.lock_epoch"); /* and what voted stays */
    gov_until(&k, gov_proposal(&k, n)->vote_end);
    assert_int_equal(gov_unstake(&k, 2, 1), OK);
    gov_audit(&k);
    kit_stop(&k);
}

static void late_rules(chain_genesis *g)
{
    gov_short(g);
    g->params.v[CHAIN_PARAM_GOV_VOTING] = 8;
    g->params.v[CHAIN_PARAM_GOV_LATE_WINDOW] = 2;
    g->params.v[CHAIN_PARAM_GOV_LATE_WEIGHT] = 300000;
    g->params.v[CHAIN_PARAM_GOV_EARLY_BONUS] = 500;
    g->params.v[CHAIN_PARAM_GOV_EXTENSION] = 3;
}

static void late_votes(void **state)
{
    (void)state;
    kit k;
    gov_start(&k, late_rules);
    uint64_t n = propose(&k, CHAIN_PROPOSAL_PARAMETERS, &fee);
    cr_address a = kit_address(1), b = kit_address(BUILDER);
    uint64_t power = chain_voter(k.c, &a)->power_operators, builder = chain_voter(k.c, &b)->power_builders;
    gov_until(&k, gov_proposal(&k, n)->vote_start);
    EXPECT_ERR(gov_vote(&k, 1, n, (chain_vote_choice)0), ERR_RANGE, "vote.choice");
    assert_int_equal(gov_vote(&k, 1, n, CHAIN_VOTE_YES), OK);
    assert_int_equal(gov_proposal(&k, n)->yes_operators, power * 10500 / 10000);
    assert_int_equal(gov_proposal(&k, n)->cast_operators, power); /* a bonus makes no quorum */
    gov_until(&k, gov_proposal(&k, n)->vote_end - 3);            /* the last epoch that is not late */
    assert_int_equal(gov_vote(&k, 2, n, CHAIN_VOTE_NO), OK);
    assert_int_equal(gov_proposal(&k, n)->no_operators, power * 10500 / 10000);
    gov_until(&k, gov_proposal(&k, n)->vote_end - 2);
    assert_int_equal(gov_vote(&k, 3, n, CHAIN_VOTE_NO), OK);
    assert_int_equal(gov_proposal(&k, n)->no_operators, power * 10500 / 10000 + power * 300000 / 1000000);
    assert_int_equal(gov_vote(&k, 1, n, CHAIN_VOTE_NO), OK); /* who changes late weighs late */
    assert_int_equal(gov_proposal(&k, n)->yes_operators, 0);
    assert_int_equal(gov_proposal(&k, n)->no_operators, power * 10500 / 10000 + 2 * (power * 300000 / 1000000));
    assert_int_equal(gov_proposal(&k, n)->cast_operators, 3 * power);
    gov_audit(&k);

    /* No builder has voted yet: their late votes make the quorum, so the vote lasts longer, once. */
    uint64_t end = gov_proposal(&k, n)->vote_end;
    gov_until(&k, end - 1);
    assert_int_equal(gov_vote(&k, BUILDER, n, CHAIN_VOTE_YES), OK);
    assert_int_equal(gov_proposal(&k, n)->vote_end, end + 3);
    assert_int_equal(gov_proposal(&k, n)->yes_builders, builder * 300000 / 1000000);
    assert_int_equal(gov_vote(&k, 2, n, CHAIN_VOTE_YES), OK); /* two epochs and more are left: not late */
    assert_int_equal(gov_proposal(&k, n)->yes_operators, power * 10500 / 10000);
    gov_until(&k, end + 2);
    assert_int_equal(gov_vote(&k, BUILDER + 1, n, CHAIN_VOTE_YES), OK);
    assert_int_equal(gov_proposal(&k, n)->vote_end, end + 3);
    EXPECT_ERR(gov_unstake(&k, 2, 1), ERR_STATE, "voter.lock_epoch");
    gov_until(&k, end + 3);
    EXPECT_ERR(gov_vote(&k, 2, n, CHAIN_VOTE_YES), ERR_STATE, "vote.proposal");
    gov_audit(&k);
    kit_stop(&k);
}

static void two_thirds(chain_genesis *g)
{
    late_rules(g);
    g->params.v[CHAIN_PARAM_GOV_QUORUM_BUILDERS] = 600000;
}

/* Reached in the first late epoch, the vote lasts longer; one epoch before, it does not; lost and reached again, it does not twice. */
static void late_quorum(void **state)
{
    (void)state;
    for (uint64_t before = 0; before <= 1; before++) {
        kit k;
        gov_start(&k, two_thirds);
        uint64_t n = propose(&k, CHAIN_PROPOSAL_PARAMETERS, &fee);
        uint64_t end = gov_proposal(&k, n)->vote_end;
        gov_until(&k, gov_proposal(&k, n)->vote_start);
        gov_votes(&k, OPERATOR, BUILDER + 1, n, CHAIN_VOTE_YES);
        gov_until(&k, end - 2 - before);
        gov_votes(&k, BUILDER + 1, BUILDER + 2, n, CHAIN_VOTE_YES);
        assert_int_equal(gov_proposal(&k, n)->vote_end, before ? end : end + 3);
        if (!before) {
            gov_until(&k, end + 1); /* the second builder has lost most of its reputation */
            gov_badge(&k, BUILDER + 1, 0, true, 1, 0);
            gov_votes(&k, BUILDER + 1, BUILDER + 2, n, CHAIN_VOTE_YES);
            assert_false(chain_gov_quorum_reached(gov_proposal(&k, n)));
            gov_votes(&k, BUILDER + 2, BUILDER + 3, n, CHAIN_VOTE_YES);
            assert_true(chain_gov_quorum_reached(gov_proposal(&k, n)));
            assert_int_equal(gov_proposal(&k, n)->vote_end, end + 3);
        }
        gov_audit(&k);
        kit_stop(&k);
    }
}

/* An attacker that buys four fifths of both houses in the last epoch, against one honest vote in each. */
static void bought_in_the_last_epoch(void **state)
{
    (void)state;
    kit k;
    gov_start(&k, NULL);
    uint64_t n = propose(&k, CHAIN_PROPOSAL_PARAMETERS, &fee);
    gov_until(&k, gov_proposal(&k, n)->vote_start);
    assert_int_equal(gov_vote(&k, 3, n, CHAIN_VOTE_NO), OK);
    assert_int_equal(gov_vote(&k, 6, n, CHAIN_VOTE_NO), OK);
    gov_until(&k, gov_proposal(&k, n)->vote_end - 1);
    assert_int_equal(gov_stake(&k, 2, 8 * GOV_STAKE), OK);
    gov_badge(&k, 7, ALL_MARKETS, true, 24, 1000000);
    assert_int_equal(gov_stake(&k, 7, 9 * GOV_STAKE), OK);
    assert_true(chain_head(k.c)->height % GOV_EPOCH == 0);
    assert_int_equal(gov_proposal(&k, n)->status, CHAIN_PROPOSAL_REJECTED);
    kit_stop(&k);
}

/* --- persons --- */

static void attest_as(kit *k, unsigned who, uint8_t commitment)
{
    chain_tx tx = kit_tx(k, KIT_ISSUER, CHAIN_TX_KYC_ATTEST, 0);
    tx.payload.kyc_attest = (chain_tx_kyc_attest){ .subject = kit_address(who), .level = 1, .jurisdiction = 40, .expiry_height = 100000,
                                                   .commitment = { { commitment } } };
    assert_int_equal(kit_run(k, &tx, KIT_ISSUER), OK);
}

static void capped(chain_genesis *g)
{
    gov_short(g);
    g->params.v[CHAIN_PARAM_GOV_IDENTITY_CAP] = 1500;
    g->params.v[CHAIN_PARAM_GOV_VOTING] = 10;
    g->params.v[CHAIN_PARAM_GOV_KYC_REQUIRED] = 1;
}

/* Builders of power 1000 each: two accounts of one person have 1500, of two persons 2000; without KYC none. */
static void one_person_one_cap(void **state)
{
    (void)state;
    kit k;
    static const uint64_t stakes[6] = { 1, 1, 1, 1, 1, 1 };
    start_with(&k, stakes, capped);
    uint64_t n;
    EXPECT_ERR(gov_propose(&k, OPERATOR, CHAIN_PROPOSAL_PARAMETERS, &fee, 1, 0, &n), ERR_KYC, "proposal.proposer");
    attest_as(&k, OPERATOR, 9);
    n = propose(&k, CHAIN_PROPOSAL_PARAMETERS, &fee);
    gov_until(&k, gov_proposal(&k, n)->vote_start);
    EXPECT_ERR(gov_vote(&k, 4, n, CHAIN_VOTE_YES), ERR_KYC, "vote.sender");
    attest_as(&k, 4, 1);
    attest_as(&k, 5, 1);
    attest_as(&k, 6, 2);
    assert_int_equal(gov_vote(&k, 4, n, CHAIN_VOTE_YES), OK);
    assert_int_equal(gov_vote(&k, 5, n, CHAIN_VOTE_YES), OK);
    assert_int_equal(gov_proposal(&k, n)->yes_builders, 1500);
    assert_int_equal(gov_vote(&k, 6, n, CHAIN_VOTE_NO), OK);
    assert_int_equal(gov_proposal(&k, n)->no_builders, 1000);
    assert_int_equal(gov_vote(&k, 4, n, CHAIN_VOTE_NO), OK); /* a changed vote frees its part of the cap, and takes it again */
    assert_int_equal(gov_proposal(&k, n)->yes_builders, 500);
    assert_int_equal(gov_proposal(&k, n)->no_builders, 2000);
    assert_int_equal(gov_vote(&k, 5, n, CHAIN_VOTE_NO), OK);
    assert_int_equal(gov_proposal(&k, n)->cast_builders, 2500);
    gov_audit(&k);
    kit_stop(&k);
}

/* --- amendments --- */

static void amendment(void **state)
{
    (void)state;
    for (unsigned fails = 0; fails <= 2; fails++) { /* in no round, the first, the second */
        kit k;
        gov_start(&k, NULL);
        uint64_t e = gov_now(&k), n = propose(&k, CHAIN_PROPOSAL_AMENDMENT, &issuance);
        const chain_row_proposal *p = gov_proposal(&k, n);
        assert_int_equal(p->vote_start, e + 1 + 2);
        assert_int_equal(p->vote_end, e + 3 + 2);
        EXPECT_ERR(gov_vote(&k, 1, n, CHAIN_VOTE_YES), ERR_BUSY, "proposal.vote_start");
        gov_until(&k, e + 3);
        gov_votes(&k, OPERATOR, VOTER_END, n, CHAIN_VOTE_YES);
        if (fails == 1)
            gov_votes(&k, 6, 7, n, CHAIN_VOTE_NO);
        gov_until(&k, e + 5);
        if (fails == 1) {
            assert_int_equal(gov_proposal(&k, n)->status, CHAIN_PROPOSAL_REJECTED);
            kit_stop(&k);
            continue;
        }
        p = gov_proposal(&k, n);
        assert_int_equal(p->round, 2);
        assert_int_equal(p->vote_start, e + 5 + 3);
        assert_int_equal(p->yes_operators + p->cast_builders, 0);
        EXPECT_ERR(gov_vote(&k, 1, n, CHAIN_VOTE_YES), ERR_BUSY, "proposal.vote_start");
        gov_until(&k, e + 6);
        assert_int_equal(gov_stake(&k, 6, GOV_STAKE), OK); /* before the second snapshot: counts there */
        gov_until(&k, e + 8);
        assert_int_equal(gov_stake(&k, 5, GOV_STAKE), OK); /* after it: does not */
        assert_int_equal(gov_proposal(&k, n)->eligible_builders, chain_house(k.c, CHAIN_ELECTORATE_BUILDERS)->before);
        cr_address a6 = kit_address(6), a4 = kit_address(4);
        uint64_t p6 = chain_voter(k.c, &a6)->power_builders, p4 = chain_voter(k.c, &a4)->power_builders;
        gov_votes(&k, OPERATOR, fails ? 6 : 7, n, CHAIN_VOTE_YES);
        assert_int_equal(gov_proposal(&k, n)->yes_builders, 2 * p4 + (fails ? 0 : p6));
        if (fails)
            gov_votes(&k, 6, 7, n, CHAIN_VOTE_NO);
        gov_until(&k, e + 10);
        assert_int_equal(gov_proposal(&k, n)->status, fails ? CHAIN_PROPOSAL_REJECTED : CHAIN_PROPOSAL_TIMELOCKED);
        if (!fails) {
            assert_int_equal(gov_proposal(&k, n)->activate_epoch, e + 14);
            gov_until(&k, e + 14);
        } else {
            gov_until(&k, e + 20);
        }
        assert_int_equal(param(k.c, CHAIN_PARAM_ISSUANCE_MAX), fails ? 12000000 : 11000000);
        gov_audit(&k);
        kit_stop(&k);
    }
}

/* --- emergencies --- */

static const chain_param_change bond_up = { CHAIN_PARAM_WORKER_BOND_MIN, 2000000 }, bond_down = { CHAIN_PARAM_WORKER_BOND_MIN, 999999 };

static void emergency(void **state)
{
    (void)state;
    kit k;
    gov_start(&k, NULL);
    uint64_t n, other;
    EXPECT_ERR(gov_propose(&k, 1, CHAIN_PROPOSAL_EMERGENCY, &bond_down, 1, 0, &n), ERR_PERMISSION, "worker.bond_min");
    EXPECT_ERR(gov_propose(&k, 1, CHAIN_PROPOSAL_EMERGENCY, &issuance, 1, 0, &n), ERR_PERMISSION, "MaxAnnualIssuanceBlock");
    chain_param_change no_way = { CHAIN_PARAM_CHALLENGE_FEE, 5 };
    EXPECT_ERR(gov_propose(&k, 1, CHAIN_PROPOSAL_EMERGENCY, &no_way, 1, 0, &n), ERR_PERMISSION, "trace.challenge_fee");
    uint64_t e = gov_now(&k);
    n = propose(&k, CHAIN_PROPOSAL_EMERGENCY, &bond_up);
    gov_until(&k, e + 1);
    gov_votes(&k, OPERATOR, VOTER_END, n, CHAIN_VOTE_YES);
    gov_until(&k, e + 2);
    assert_int_equal(gov_proposal(&k, n)->status, CHAIN_PROPOSAL_TIMELOCKED);
    assert_int_equal(param(k.c, CHAIN_PARAM_WORKER_BOND_MIN), 1000000);
    gov_until(&k, e + 3);
    assert_int_equal(gov_proposal(&k, n)->status, CHAIN_PROPOSAL_IN_FORCE);
    assert_int_equal(param(k.c, CHAIN_PARAM_WORKER_BOND_MIN), 2000000);
    chain_param_change more = { CHAIN_PARAM_WORKER_BOND_MIN, 3000000 };
    EXPECT_ERR(gov_propose(&k, 1, CHAIN_PROPOSAL_EMERGENCY, &more, 1, 0, &other), ERR_EXISTS, "worker.bond_min");
    gov_until(&k, e + 8);
    assert_int_equal(param(k.c, CHAIN_PARAM_WORKER_BOND_MIN), 2000000);
    gov_until(&k, e + 9); /* six epochs later it ends by itself */
    assert_int_equal(gov_proposal(&k, n)->status, CHAIN_PROPOSAL_EXPIRED);
    assert_int_equal(param(k.c, CHAIN_PARAM_WORKER_BOND_MIN), 1000000);
    assert_int_equal(chain_governance(k.c)->first, 0);
    gov_audit(&k);
    kit_stop(&k);
}

/* Two that would hold one parameter, and one that no longer tightens anything: what was true at the submission is asked again. */
static void emergency_asked_again(void **state)
{
    (void)state;
    kit k;
    gov_start(&k, NULL);
    uint64_t to, first, second;
    chain_param_change same = { CHAIN_PARAM_WORKER_BOND_MIN, 2000000 }, more = { CHAIN_PARAM_WORKER_BOND_MIN, 3000000 };
    chain_param_change rate = { CHAIN_PARAM_AUDIT_RATE, 20000 };
    assert_int_equal(gov_propose(&k, 1, CHAIN_PROPOSAL_EMERGENCY, &same, 1, 0, &first), OK);
    assert_int_equal(gov_propose(&k, 2, CHAIN_PROPOSAL_EMERGENCY, &more, 1, 0, &second), OK);
    gov_until(&k, gov_proposal(&k, first)->vote_start);
    gov_votes(&k, OPERATOR, VOTER_END, first, CHAIN_VOTE_YES);
    gov_votes(&k, OPERATOR, VOTER_END, second, CHAIN_VOTE_YES);
    gov_until(&k, gov_proposal(&k, first)->vote_end);
    gov_until(&k, gov_proposal(&k, first)->activate_epoch);
    assert_int_equal(gov_proposal(&k, first)->status, CHAIN_PROPOSAL_IN_FORCE);
    assert_int_equal(gov_proposal(&k, second)->status, CHAIN_PROPOSAL_FAILED);
    assert_int_equal(param(k.c, CHAIN_PARAM_WORKER_BOND_MIN), 2000000);

    assert_int_equal(gov_propose(&k, 3, CHAIN_PROPOSAL_PARAMETERS, &rate, 1, 0, &to), OK);
    gov_until(&k, gov_proposal(&k, to)->vote_start);
    gov_votes(&k, OPERATOR, VOTER_END, to, CHAIN_VOTE_YES);
    gov_until(&k, gov_proposal(&k, to)->vote_end);
    gov_until(&k, gov_proposal(&k, to)->activate_epoch - 2);
    assert_int_equal(gov_propose(&k, 1, CHAIN_PROPOSAL_EMERGENCY, &rate, 1, 0, &first), OK); /* acts after it, with the same value */
    gov_until(&k, gov_proposal(&k, first)->vote_start);
    gov_votes(&k, OPERATOR, VOTER_END, first, CHAIN_VOTE_YES);
    gov_until(&k, gov_proposal(&k, first)->vote_end);
    gov_until(&k, gov_proposal(&k, first)->activate_epoch);
    assert_int_equal(gov_proposal(&k, to)->status, CHAIN_PROPOSAL_ACTIVATED);
    assert_int_equal(gov_proposal(&k, first)->status, CHAIN_PROPOSAL_FAILED);
    gov_audit(&k);
    kit_stop(&k);
}

static void short_vote(chain_genesis *g)
{
    gov_short(g);
    g->params.v[CHAIN_PARAM_GOV_VOTING] = 1;
    g->params.v[CHAIN_PARAM_GOV_EMERGENCY_TERM] = 12;
}

/* What is decided while an emergency holds the parameter stays when it ends; and taking that back returns to before the emergency. */
static void emergency_and_proposal(void **state)
{
    (void)state;
    kit k;
    gov_start(&k, short_vote);
    uint64_t n = propose(&k, CHAIN_PROPOSAL_EMERGENCY, &bond_up), other, back;
    chain_param_change to = { CHAIN_PARAM_WORKER_BOND_MIN, 1500000 };
    assert_int_equal(gov_propose(&k, 2, CHAIN_PROPOSAL_PARAMETERS, &to, 1, 0, &other), OK);
    gov_until(&k, gov_proposal(&k, n)->vote_start);
    gov_votes(&k, OPERATOR, VOTER_END, n, CHAIN_VOTE_YES);
    gov_votes(&k, OPERATOR, VOTER_END, other, CHAIN_VOTE_YES);
    gov_until(&k, gov_proposal(&k, n)->vote_end);
    gov_until(&k, gov_proposal(&k, n)->activate_epoch);
    assert_int_equal(param(k.c, CHAIN_PARAM_WORKER_BOND_MIN), 2000000);
    gov_until(&k, gov_proposal(&k, other)->activate_epoch);
    assert_int_equal(gov_proposal(&k, other)->status, CHAIN_PROPOSAL_ACTIVATED);
    assert_int_equal(param(k.c, CHAIN_PARAM_WORKER_BOND_MIN), 1500000);
    assert_int_equal(gov_propose(&k, 3, CHAIN_PROPOSAL_ROLLBACK, NULL, 0, other, &back), OK);
    gov_pass(&k, back);
    assert_int_equal(param(k.c, CHAIN_PARAM_WORKER_BOND_MIN), 1000000);
    gov_until(&k, gov_proposal(&k, n)->expire_epoch);
    assert_int_equal(gov_proposal(&k, n)->status, CHAIN_PROPOSAL_EXPIRED);
    assert_int_equal(param(k.c, CHAIN_PARAM_WORKER_BOND_MIN), 1000000);
    gov_audit(&k);
    kit_stop(&k);
}

/* Two emergencies that lean on each other end together: without the first alone a rule would not hold. */
static void emergencies_end_together(void **state)
{
    (void)state;
    kit k;
    gov_start(&k, short_vote); /* unbond 20, its rule: 2 + 1 + 1 <= unbond */
    uint64_t a, b;
    chain_param_change up = { CHAIN_PARAM_WORKER_UNBOND, 40 }, ceiling = { CHAIN_PARAM_STORAGE_MULTIPLIER_CEILING, 2000 };
    assert_int_equal(gov_propose(&k, 1, CHAIN_PROPOSAL_EMERGENCY, &up, 1, 0, &a), OK);
    gov_pass(&k, a);
    assert_int_equal(gov_propose(&k, 2, CHAIN_PROPOSAL_EMERGENCY, &ceiling, 1, 0, &b), OK);
    gov_pass(&k, b);
    assert_int_equal(gov_proposal(&k, b)->status, CHAIN_PROPOSAL_IN_FORCE);
    /* No proposal may rely on an emergency: an audit window that needs its longer unbonding is refused, by the rule. */
    chain_param_change leans = { CHAIN_PARAM_AUDIT_WINDOW, 25 };
    EXPECT_ERR(gov_propose(&k, 3, CHAIN_PROPOSAL_PARAMETERS, &leans, 1, 0, &b), ERR_RANGE, "an audit must end while the bond is there");
    chain_param_change fits = { CHAIN_PARAM_AUDIT_WINDOW, 18 };
    assert_int_equal(gov_propose(&k, 3, CHAIN_PROPOSAL_PARAMETERS, &fits, 1, 0, &b), OK);
    /* The second emergency's row says that it leans on the first. */
    chain_key key = chain_key_param(CHAIN_PARAM_AUDIT_WINDOW);
    assert_int_equal(chain_reserve(k.c, 8, 4096), OK);
    *(chain_row_param *)chain_row_edit(k.c, CHAIN_TABLE_PARAM, &key) = (chain_row_param){ .value = 25, .previous = 2, .proposal = 2 };
    key = chain_key_change(2, 0);
    *(chain_row_change *)chain_row_edit(k.c, CHAIN_TABLE_CHANGE, &key) =
        (chain_row_change){ .param = chain_param_rows[CHAIN_PARAM_AUDIT_WINDOW].number, .value = 25, .before = 2 };
    gov_until(&k, gov_proposal(&k, a)->expire_epoch);
    assert_int_equal(gov_proposal(&k, a)->status, CHAIN_PROPOSAL_EXPIRED);
    assert_int_equal(gov_proposal(&k, 2)->status, CHAIN_PROPOSAL_EXPIRED);
    assert_int_equal(param(k.c, CHAIN_PARAM_WORKER_UNBOND), 20);
    assert_int_equal(param(k.c, CHAIN_PARAM_AUDIT_WINDOW), 2);
    gov_audit(&k);
    kit_stop(&k);
}

/* --- rollbacks --- */

static void rollbacks(void **state)
{
    (void)state;
    kit k;
    gov_start(&k, NULL);
    uint64_t n, two, back, again;
    EXPECT_ERR(gov_propose(&k, 1, CHAIN_PROPOSAL_ROLLBACK, NULL, 0, 1, &back), ERR_NOT_FOUND, "proposal_submit.target");
    chain_param_change both[2] = { { CHAIN_PARAM_FEE_MIN, 1500 }, { CHAIN_PARAM_SUBSIDY_ALPHA, 500 } }, later = { CHAIN_PARAM_FEE_MIN, 1600 };
    assert_int_equal(gov_propose(&k, 1, CHAIN_PROPOSAL_PARAMETERS, both, 2, 0, &n), OK);
    EXPECT_ERR(gov_propose(&k, 2, CHAIN_PROPOSAL_ROLLBACK, NULL, 0, n, &back), ERR_STATE, "proposal_submit.target");
    gov_pass(&k, n);
    uint64_t active = gov_now(&k);
    assert_int_equal(gov_propose(&k, 2, CHAIN_PROPOSAL_PARAMETERS, &later, 1, 0, &two), OK);
    gov_pass(&k, two);
    /* Only what still has its value from it goes back. */
    chain_param_change extra = { CHAIN_PARAM_FEE_MIN, 1 };
    EXPECT_ERR(gov_propose(&k, 3, CHAIN_PROPOSAL_ROLLBACK, &extra, 1, n, &back), ERR_RANGE, "proposal_submit.changes");
    assert_int_equal(gov_propose(&k, 3, CHAIN_PROPOSAL_ROLLBACK, NULL, 0, n, &back), OK);
    assert_int_equal(gov_propose(&k, BUILDER, CHAIN_PROPOSAL_ROLLBACK, NULL, 0, n, &again), OK);
    gov_until(&k, gov_proposal(&k, again)->vote_start);
    gov_votes(&k, OPERATOR, VOTER_END, back, CHAIN_VOTE_YES);
    gov_votes(&k, OPERATOR, VOTER_END, again, CHAIN_VOTE_YES);
    gov_until(&k, gov_proposal(&k, again)->vote_end);
    gov_until(&k, gov_proposal(&k, again)->activate_epoch);
    assert_int_equal(gov_proposal(&k, back)->status, CHAIN_PROPOSAL_ACTIVATED);
    assert_int_equal(gov_proposal(&k, again)->status, CHAIN_PROPOSAL_FAILED); /* it is taken back already */
    assert_int_equal(param(k.c, CHAIN_PARAM_FEE_MIN), 1600);
    assert_int_equal(param(k.c, CHAIN_PARAM_SUBSIDY_ALPHA), 600);
    EXPECT_ERR(gov_propose(&k, 3, CHAIN_PROPOSAL_ROLLBACK, NULL, 0, back, &again), ERR_STATE, "proposal_submit.target");
    gov_until(&k, active + 13 + 2);
    assert_int_equal(gov_propose(&k, 1, CHAIN_PROPOSAL_ROLLBACK, NULL, 0, two, &back), OK); /* its window is still open */
    gov_until(&k, gov_proposal(&k, two)->activate_epoch + 13);
    EXPECT_ERR(gov_propose(&k, 5, CHAIN_PROPOSAL_ROLLBACK, NULL, 0, two, &back), ERR_EXPIRED, "gov.rollback_window");
    gov_audit(&k);
    kit_stop(&k);
}

/* To go back asks for one class less than to go: more than half for a structural change, 67 % for an amendment. */
static void rollback_thresholds(void **state)
{
    (void)state;
    static const struct {
        chain_proposal_kind       kind;
        const chain_param_change *change;
        uint64_t                  yes, no;
        bool                      passes;
    } cases[] = { { CHAIN_PROPOSAL_PARAMETERS, &window, 501, 500, true }, { CHAIN_PROPOSAL_PARAMETERS, &window, 500, 500, false },
                  { CHAIN_PROPOSAL_AMENDMENT, &issuance, 670, 330, true }, { CHAIN_PROPOSAL_AMENDMENT, &issuance, 669, 330, false } };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        kit k;
        uint64_t n, back;
        const uint64_t stakes[6] = { 10000, 10000, 10000, cases[i].yes * cases[i].yes, cases[i].no * cases[i].no, 0 };
        start_with(&k, stakes, NULL);
        assert_int_equal(gov_propose(&k, 1, cases[i].kind, cases[i].change, 1, 0, &n), OK);
        for (uint8_t round = 0; round < 2 && gov_proposal(&k, n)->status == CHAIN_PROPOSAL_OPEN; round++) {
            gov_until(&k, gov_proposal(&k, n)->vote_start);
            gov_votes(&k, OPERATOR, 6, n, CHAIN_VOTE_YES);
            gov_until(&k, gov_proposal(&k, n)->vote_end);
        }
        gov_until(&k, gov_proposal(&k, n)->activate_epoch);
        assert_int_equal(gov_propose(&k, 2, CHAIN_PROPOSAL_ROLLBACK, NULL, 0, n, &back), OK);
        gov_until(&k, gov_proposal(&k, back)->vote_start);
        gov_votes(&k, OPERATOR, 5, back, CHAIN_VOTE_YES);
        gov_votes(&k, 5, 6, back, CHAIN_VOTE_NO);
        gov_until(&k, gov_proposal(&k, back)->vote_end + 1);
        assert_int_equal(gov_proposal(&k, n)->status, cases[i].passes ? CHAIN_PROPOSAL_ROLLED_BACK : CHAIN_PROPOSAL_ACTIVATED);
        assert_int_equal(gov_proposal(&k, back)->status, cases[i].passes ? CHAIN_PROPOSAL_ACTIVATED : CHAIN_PROPOSAL_REJECTED);
        gov_audit(&k);
        kit_stop(&k);
    }
}

static void rollback_of_an_emergency(void **state)
{
    (void)state;
    kit k;
    gov_start(&k, short_vote);
    uint64_t n = propose(&k, CHAIN_PROPOSAL_EMERGENCY, &bond_up), back;
    gov_pass(&k, n);
    assert_int_equal(gov_propose(&k, 2, CHAIN_PROPOSAL_ROLLBACK, NULL, 0, n, &back), OK);
    gov_pass(&k, back);
    assert_int_equal(gov_proposal(&k, n)->status, CHAIN_PROPOSAL_ROLLED_BACK);
    assert_int_equal(param(k.c, CHAIN_PARAM_WORKER_BOND_MIN), 1000000);
    assert_int_equal(chain_governance(k.c)->first, 0);
    gov_audit(&k);
    kit_stop(&k);
}

/* What passed, but breaks a rule when it is to act, fails then and says which. */
static void conflict(void **state)
{
    (void)state;
    kit k;
    gov_start(&k, NULL);
    uint64_t a, b;
    chain_param_change min = { CHAIN_PARAM_CLAIM_DELAY, 30 }, max = { CHAIN_PARAM_CLAIM_WINDOW, 20 };
    assert_int_equal(gov_propose(&k, 1, CHAIN_PROPOSAL_PARAMETERS, &min, 1, 0, &a), OK);
    assert_int_equal(gov_propose(&k, 2, CHAIN_PROPOSAL_PARAMETERS, &max, 1, 0, &b), OK);
    gov_until(&k, gov_proposal(&k, a)->vote_start);
    gov_votes(&k, OPERATOR, VOTER_END, a, CHAIN_VOTE_YES);
    gov_votes(&k, OPERATOR, VOTER_END, b, CHAIN_VOTE_YES);
    gov_until(&k, gov_proposal(&k, a)->vote_end);
    uint64_t last = (gov_proposal(&k, a)->activate_epoch - 1) * GOV_EPOCH;
    while (chain_head(k.c)->height < last)
        kit_advance(&k, 1);
    assert_int_equal(gov_proposal(&k, a)->status, CHAIN_PROPOSAL_ACTIVATED);
    assert_int_equal(gov_proposal(&k, b)->status, CHAIN_PROPOSAL_FAILED);
    static const char why[] = "a claim must be possible before the refund, after a challenge, too";
    bool said = false;
    for (size_t i = 0; i < k.result.event_count; i++) {
        const chain_event *e = &k.result.events[i];
        if (e->type == CHAIN_EVENT_PROPOSAL_REFUSED && e->data.proposal_refused.proposal == b)
            said = bytes_equal(e->data.proposal_refused.why, bytes_of_str(why));
    }
    assert_true(said);
    assert_int_equal(param(k.c, CHAIN_PARAM_CLAIM_WINDOW), 50);
    assert_int_equal(chain_supply(k.c)->burned, 0); /* it passed: its stake came back whole */
    gov_audit(&k);
    kit_stop(&k);
}

/* --- what a proposal costs --- */

static void stakes(void **state)
{
    (void)state;
    kit k;
    gov_start(&k, NULL);
    uint64_t held = chain_supply(k.c)->stakes, before = kit_balance(&k, 1);
    chain_tx tx = gov_proposal_tx(&k, 1, CHAIN_PROPOSAL_PARAMETERS, &fee, 1, 0);
    tx.payload.proposal_submit.stake = GOV_PROPOSAL_STAKE - 1;
    EXPECT_ERR(kit_run(&k, &tx, 1), ERR_BOND, "proposal.stake");
    uint64_t spent = k.result.txs[0].fee;
    tx = gov_proposal_tx(&k, 1, CHAIN_PROPOSAL_PARAMETERS, &fee, 1, 0);
    tx.payload.proposal_submit.stake = GOV_PROPOSAL_STAKE + 7;
    assert_int_equal(kit_run(&k, &tx, 1), OK);
    spent += k.result.txs[0].fee;
    assert_int_equal(chain_supply(k.c)->stakes, held + GOV_PROPOSAL_STAKE + 7);
    assert_int_equal(kit_balance(&k, 1), before - spent - GOV_PROPOSAL_STAKE - 7);
    gov_until(&k, gov_proposal(&k, 1)->vote_end); /* nobody votes */
    assert_int_equal(gov_proposal(&k, 1)->status, CHAIN_PROPOSAL_REJECTED);
    uint64_t burned = (GOV_PROPOSAL_STAKE + 7) / 10;
    assert_int_equal(chain_supply(k.c)->burned, burned);
    assert_int_equal(chain_supply(k.c)->stakes, held);
    assert_int_equal(kit_balance(&k, 1), before - spent - burned);
    uint64_t n = propose(&k, CHAIN_PROPOSAL_PARAMETERS, &fee);
    spent += k.result.txs[0].fee;
    gov_until(&k, gov_proposal(&k, n)->vote_start);
    gov_votes(&k, 2, VOTER_END, n, CHAIN_VOTE_YES);
    gov_until(&k, gov_proposal(&k, n)->vote_end);
    assert_int_equal(kit_balance(&k, 1), before - spent - burned); /* passed: all of it, at once */
    assert_int_equal(gov_proposal(&k, n)->stake, 0);
    gov_until(&k, gov_proposal(&k, n)->activate_epoch + 1);
    assert_int_equal(chain_supply(k.c)->burned, burned);
    EXPECT_ERR(gov_propose(&k, 7, CHAIN_PROPOSAL_PARAMETERS, &storage, 1, 0, &n), ERR_PERMISSION, "proposal.house");
    tx = gov_proposal_tx(&k, BUILDER, CHAIN_PROPOSAL_PARAMETERS, &storage, 1, 0);
    tx.payload.proposal_submit.house = CHAIN_HOUSE_OPERATORS;
    EXPECT_ERR(kit_run(&k, &tx, BUILDER), ERR_PERMISSION, "proposal.house");
    tx = gov_proposal_tx(&k, BUILDER, CHAIN_PROPOSAL_PARAMETERS, &storage, 1, 0);
    tx.payload.proposal_submit.house = 0;
    EXPECT_ERR(kit_run(&k, &tx, BUILDER), ERR_RANGE, "proposal.house");
    gov_audit(&k);
    kit_stop(&k);
}

static void few_slots(chain_genesis *g)
{
    gov_short(g);
    g->params.v[CHAIN_PARAM_GOV_VOTING] = 40;
    g->params.v[CHAIN_PARAM_GOV_SLOTS] = 6;
    g->params.v[CHAIN_PARAM_GOV_SLOTS_HOUSE] = 4;
    g->params.v[CHAIN_PARAM_GOV_SLOTS_AMENDMENT] = 1;
    g->params.v[CHAIN_PARAM_GOV_SLOTS_URGENT] = 1;
    g->params.v[CHAIN_PARAM_GOV_COOLDOWN] = 3;
    g->params.v[CHAIN_PARAM_GOV_EMERGENCY_VOTING] = 10;
    g->params.v[CHAIN_PARAM_GOV_AMEND_VOTING] = 40;
}

static void slots(void **state)
{
    (void)state;
    kit k;
    gov_start(&k, few_slots);
    uint64_t n, other, e = gov_now(&k);
    assert_int_equal(gov_propose(&k, 1, CHAIN_PROPOSAL_AMENDMENT, &issuance, 1, 0, &n), OK);
    EXPECT_ERR(gov_propose(&k, 1, CHAIN_PROPOSAL_PARAMETERS, &fee, 1, 0, &n), ERR_BUSY, "gov.cooldown");
    EXPECT_ERR(gov_propose(&k, 2, CHAIN_PROPOSAL_AMENDMENT, &issuance, 1, 0, &n), ERR_LIMIT, "gov.slots_amendment");
    gov_until(&k, e + 2);
    EXPECT_ERR(gov_propose(&k, 1, CHAIN_PROPOSAL_PARAMETERS, &fee, 1, 0, &n), ERR_BUSY, "gov.cooldown");
    gov_until(&k, e + 3);
    assert_int_equal(gov_propose(&k, 1, CHAIN_PROPOSAL_PARAMETERS, &fee, 1, 0, &n), OK);
    assert_int_equal(gov_propose(&k, 2, CHAIN_PROPOSAL_PARAMETERS, &fee, 1, 0, &n), OK);
    assert_int_equal(gov_propose(&k, 3, CHAIN_PROPOSAL_PARAMETERS, &fee, 1, 0, &n), OK);
    gov_until(&k, e + 10);
    EXPECT_ERR(gov_propose(&k, 1, CHAIN_PROPOSAL_PARAMETERS, &fee, 1, 0, &n), ERR_LIMIT, "gov.slots_proposer");
    EXPECT_ERR(gov_propose(&k, 2, CHAIN_PROPOSAL_PARAMETERS, &fee, 1, 0, &n), ERR_LIMIT, "gov.slots_house");
    /* A house full of proposals does not keep the other one from its own, nor anyone from an emergency. */
    assert_int_equal(gov_propose(&k, 6, CHAIN_PROPOSAL_EMERGENCY, &bond_up, 1, 0, &n), OK);
    assert_int_equal(gov_propose(&k, 4, CHAIN_PROPOSAL_PARAMETERS, &fee, 1, 0, &other), OK);
    assert_int_equal(gov_propose(&k, 5, CHAIN_PROPOSAL_PARAMETERS, &fee, 1, 0, &other), OK);
    gov_until(&k, gov_now(&k) + 3);
    EXPECT_ERR(gov_propose(&k, 6, CHAIN_PROPOSAL_PARAMETERS, &fee, 1, 0, &other), ERR_LIMIT, "gov.slots");
    EXPECT_ERR(gov_propose(&k, 3, CHAIN_PROPOSAL_EMERGENCY, &bond_up, 1, 0, &other), ERR_LIMIT, "gov.slots_urgent");
    gov_until(&k, gov_proposal(&k, n)->vote_end);
    assert_int_equal(gov_proposal(&k, n)->status, CHAIN_PROPOSAL_REJECTED);
    assert_int_equal(gov_propose(&k, 3, CHAIN_PROPOSAL_EMERGENCY, &bond_up, 1, 0, &n), OK);
    gov_until(&k, gov_proposal(&k, 2)->vote_end); /* the first four are over: there is room */
    assert_int_equal(gov_propose(&k, 2, CHAIN_PROPOSAL_PARAMETERS, &fee, 1, 0, &n), OK);
    gov_audit(&k);
    kit_stop(&k);
}

/* The state of a vote survives a snapshot: the copy goes on to the same root. */
static void load_in_the_middle(void **state)
{
    (void)state;
    kit k;
    gov_start(&k, late_rules);
    uint64_t n = propose(&k, CHAIN_PROPOSAL_PARAMETERS, &fee);
    gov_until(&k, gov_proposal(&k, n)->vote_start + 1);
    gov_votes(&k, OPERATOR, VOTER_END, n, CHAIN_VOTE_YES);
    chain *copy;
    fault f = { 0 };
    assert_int_equal(chain_load_begin(&copy, &k.config, chain_genesis_bytes(k.c), &f), OK);
    uint8_t buffer[1024];
    for (unsigned t = chain_table_next(0); t < CHAIN_TABLE_END; t = chain_table_next(t))
        for (size_t i = chain_row_count(k.c, (chain_table)t); i-- > 0;) { /* the other way round */
            bytes key;
            CHECK(chain_row_at(k.c, (chain_table)t, i, &key));
            bytes value = chain_row_encode(&k.c->tables[t], (uint32_t)i, buffer);
            if (chain_load_row(copy, (uint8_t)t, key, value, &f) != OK)
                fail_msg("%s", f.what);
        }
    if (chain_load_end(copy, chain_head_signed(k.c), &f) != OK)
        fail_msg("%s", f.what);
    kit twin = k;
    twin.c = copy;
    for (unsigned i = 0; i < 30; i++) {
        assert_int_equal(kit_block(&k, NULL, 0), OK);
        assert_int_equal(kit_block(&twin, NULL, 0), OK);
        assert_true(hash256_equal(&k.result.state_root, &twin.result.state_root));
    }
    assert_int_equal(gov_proposal(&twin, n)->status, CHAIN_PROPOSAL_ACTIVATED);
    chain_free(copy);
    kit_stop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thresholds_at_their_edges),     cmocka_unit_test(one_house_is_not_enough), cmocka_unit_test(quorum),
        cmocka_unit_test(markets),                 cmocka_unit_test(flash_power),             cmocka_unit_test(late_votes),
        cmocka_unit_test(bought_in_the_last_epoch), cmocka_unit_test(one_person_one_cap),     cmocka_unit_test(amendment),
        cmocka_unit_test(emergency_asked_again),   cmocka_unit_test(late_quorum),             cmocka_unit_test(rollback_thresholds),
        cmocka_unit_test(emergency),               cmocka_unit_test(emergency_and_proposal),  cmocka_unit_test(emergencies_end_together),
        cmocka_unit_test(rollbacks),               cmocka_unit_test(rollback_of_an_emergency), cmocka_unit_test(conflict),
        cmocka_unit_test(stakes),                  cmocka_unit_test(slots),                   cmocka_unit_test(load_in_the_middle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
