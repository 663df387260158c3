/* SPDX-License-Identifier: Apache-2.0
 * Votes: thresholds at their edges, houses, quorum, markets, snapshots, late votes, persons. Each rule with what passes and what does not. */
#include "chain/gov/gov_kit.h"
#include "chain/ident/ident.h"

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
        const char *obstacle = chain_proposal_obstacle(k.c, n);
        if (t->passes)
            assert_null(obstacle);
        else
            assert_string_equal(obstacle, in_builders ? "builders" : "operators");
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

/* A quorum of abstentions decides nothing, although nobody is against it: of no class. */
static void all_abstain(void **state)
{
    (void)state;
    static const chain_param_change *const changes[] = { &fee, &window };
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        kit k;
        gov_start(&k, NULL);
        uint64_t n = propose(&k, CHAIN_PROPOSAL_PARAMETERS, changes[i]);
        gov_until(&k, gov_proposal(&k, n)->vote_start);
        gov_votes(&k, OPERATOR, VOTER_END, n, CHAIN_VOTE_ABSTAIN);
        assert_true(chain_gov_quorum_reached(gov_proposal(&k, n)));
        gov_until(&k, gov_proposal(&k, n)->vote_end);
        assert_int_equal(gov_proposal(&k, n)->status, CHAIN_PROPOSAL_REJECTED);
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

/* An attacker that buys the greater part of both houses in the last epoch and votes with it, against one honest vote in each; with the same
 * power before the proposal it would pass. */
static void bought_in_the_last_epoch(void **state)
{
    (void)state;
    for (unsigned early = 0; early < 2; early++) {
        kit k;
        gov_start(&k, NULL);
        if (early) {
            assert_int_equal(gov_stake(&k, 2, 8 * GOV_STAKE), OK);
            assert_int_equal(gov_stake(&k, 5, 8 * GOV_STAKE), OK);
            gov_until(&k, gov_now(&k) + 1);
        }
        uint64_t n = propose(&k, CHAIN_PROPOSAL_PARAMETERS, &fee);
        gov_until(&k, gov_proposal(&k, n)->vote_start);
        assert_int_equal(gov_vote(&k, 3, n, CHAIN_VOTE_NO), OK);
        assert_int_equal(gov_vote(&k, 6, n, CHAIN_VOTE_NO), OK);
        gov_until(&k, gov_proposal(&k, n)->vote_end - 1);
        gov_badge(&k, 7, ALL_MARKETS, true, 24, 1000000);
        bytes txs[6];
        size_t count = 0;
        static const unsigned buyers[] = { 2, 5, 7 };
        for (size_t i = 0; i < COUNT_OF(buyers); i++) {
            chain_tx stake = kit_tx(&k, buyers[i], CHAIN_TX_STAKE_ADD, 0), vote = kit_tx(&k, buyers[i], CHAIN_TX_VOTE, early ? 0 : 1);
            stake.payload.stake_add.amount = 8 * GOV_STAKE;
            vote.payload.vote = (chain_tx_vote){ .proposal = n, .choice = CHAIN_VOTE_YES };
            if (!early)
                txs[count++] = kit_sign(&stake, buyers[i]);
            if (!early || buyers[i] != 7)
                txs[count++] = kit_sign(&vote, buyers[i]);
        }
        assert_int_equal(kit_block(&k, txs, count), OK);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(k.result.txs[i].code, i == 5 ? ERR_PERMISSION : OK); /* the newcomer has no vote at all */
        cr_address a = kit_address(2);
        const chain_row_proposal *p = gov_proposal(&k, n);
        assert_true(chain_voter(k.c, &a)->power_operators > 2 * p->no_operators);
        assert_true(early ? p->yes_operators > p->no_operators : p->yes_operators == p->no_operators);
        gov_until(&k, p->vote_end);
        assert_int_equal(gov_proposal(&k, n)->status, early ? CHAIN_PROPOSAL_TIMELOCKED : CHAIN_PROPOSAL_REJECTED);
        gov_audit(&k);
        kit_stop(&k);
    }
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

static void kyc_asked_for(chain_genesis *g)
{
    gov_short(g);
    g->params.v[CHAIN_PARAM_GOV_KYC_REQUIRED] = 1;
    g->params.v[CHAIN_PARAM_GOV_IDENTITY_CAP] = 10000000;
    g->params.v[CHAIN_PARAM_GOV_AMEND_VOTING] = 4;
}

/* A coalition with 89 % of both houses, all of it with KYC, cannot take the rule away that voters need it, nor can 90 % of one house; 90 %
 * of both can, by two votes. In a network whose genesis bounds the rule nobody can: fork_test.c. */
static void coalition_against_kyc(void **state)
{
    (void)state;
    static const struct {
        uint64_t operators, builders; /* of 1000 */
        bool     passes;
    } cases[] = { { 890, 890, false }, { 900, 890, false }, { 890, 900, false }, { 899, 1000, false }, { 900, 900, true } };
    static const chain_param_change open_to_all = { CHAIN_PARAM_GOV_KYC_REQUIRED, 0 };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        kit k;
        uint64_t n, o = cases[i].operators, b = cases[i].builders;
        const uint64_t stakes[6] = { o * o, (1000 - o) * (1000 - o), 0, b * b, (1000 - b) * (1000 - b), 0 };
        kit_start(&k, kyc_asked_for);
        for (unsigned who = 1; who <= 5; who++) {
            attest_as(&k, who, (uint8_t)who);
            gov_badge(&k, who, who < BUILDER ? 1 << ECON_STORAGE : 0, who >= BUILDER, 24, 1000000); /* the power of a stake of a^2 is 1000 a */
            if (stakes[who - 1])
                assert_int_equal(gov_stake(&k, who, stakes[who - 1]), OK);
        }
        gov_until(&k, gov_now(&k) + 2);
        EXPECT_ERR(gov_propose(&k, 1, CHAIN_PROPOSAL_PARAMETERS, &open_to_all, 1, 0, &n), ERR_PERMISSION, "gov.kyc_required");
        EXPECT_ERR(gov_propose(&k, 1, CHAIN_PROPOSAL_EMERGENCY, &open_to_all, 1, 0, &n), ERR_PERMISSION, "gov.kyc_required");
        assert_int_equal(gov_propose(&k, 1, CHAIN_PROPOSAL_AMENDMENT, &open_to_all, 1, 0, &n), OK);
        for (uint8_t round = 1; round <= 2 && gov_proposal(&k, n)->status == CHAIN_PROPOSAL_OPEN; round++) {
            gov_until(&k, gov_proposal(&k, n)->vote_start);
            for (unsigned who = 1; who <= 5; who++)
                if (stakes[who - 1])
                    assert_int_equal(gov_vote(&k, who, n, who == 2 || who == 5 ? CHAIN_VOTE_NO : CHAIN_VOTE_YES), OK);
            assert_int_equal(gov_proposal(&k, n)->yes_operators, 1000 * o);
            assert_int_equal(gov_proposal(&k, n)->yes_builders, 1000 * b);
            gov_until(&k, gov_proposal(&k, n)->vote_end);
        }
        assert_int_equal(gov_proposal(&k, n)->status, cases[i].passes ? CHAIN_PROPOSAL_TIMELOCKED : CHAIN_PROPOSAL_REJECTED);
        gov_until(&k, gov_now(&k) + 5);
        assert_int_equal(param(k.c, CHAIN_PARAM_GOV_KYC_REQUIRED), cases[i].passes ? 0 : 1);
        gov_audit(&k);
        kit_stop(&k);
    }
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

/* --- the second vote of an amendment --- */

static void short_badges(chain_genesis *g)
{
    gov_short(g);
    g->params.v[CHAIN_PARAM_BADGE_WINDOW] = 1;
    g->params.v[CHAIN_PARAM_BADGE_TTL] = 3;
}

/* A badge that lapses with the epoch before the second vote is no power in it: not to vote with, and not to be missed by the quorum. */
static void a_second_vote_is_measured_when_badges_have_lapsed(void **state)
{
    (void)state;
    kit k;
    cr_address seven = kit_address(7);
    kit_start(&k, short_badges);
    for (unsigned who = OPERATOR; who < VOTER_END; who++) {
        gov_badge(&k, who, who < BUILDER ? ALL_MARKETS : 0, who >= BUILDER, 24, 1000000);
        assert_int_equal(gov_stake(&k, who, GOV_STAKE), OK);
    }
    assert_int_equal(gov_stake(&k, 7, GOV_STAKE), OK);
    gov_until(&k, gov_now(&k) + 2);
    uint64_t n = propose(&k, CHAIN_PROPOSAL_AMENDMENT, &issuance);
    gov_until(&k, gov_proposal(&k, n)->vote_start);
    gov_votes(&k, OPERATOR, VOTER_END, n, CHAIN_VOTE_YES);
    gov_until(&k, gov_proposal(&k, n)->vote_end);
    assert_int_equal(gov_proposal(&k, n)->round, 2);
    uint64_t start = gov_proposal(&k, n)->vote_start, before = chain_house(k.c, CHAIN_ELECTORATE_OPERATORS)->power;
    gov_until(&k, start - 3);
    chain_service_epoch good = { .epoch = start - 4, .served = 1, .answered = 1, .proofs_ok = 1 };
    assert_int_equal(chain_reserve(k.c, 8, 4096), OK);
    assert_int_equal(chain_badge_record(k.c, ECON_STORAGE, &seven, &good, NULL), OK);
    gov_until(&k, start - 1);
    assert_true(chain_house(k.c, CHAIN_ELECTORATE_OPERATORS)->power > before);
    gov_until(&k, start);
    assert_int_equal(chain_house(k.c, CHAIN_ELECTORATE_OPERATORS)->power, before);
    assert_int_equal(gov_proposal(&k, n)->eligible_operators, before);
    gov_audit(&k);
    kit_stop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thresholds_at_their_edges), cmocka_unit_test(one_house_is_not_enough), cmocka_unit_test(quorum), cmocka_unit_test(all_abstain),
        cmocka_unit_test(markets), cmocka_unit_test(flash_power), cmocka_unit_test(late_votes),
        cmocka_unit_test(bought_in_the_last_epoch), cmocka_unit_test(one_person_one_cap), cmocka_unit_test(coalition_against_kyc),
        cmocka_unit_test(late_quorum),
        cmocka_unit_test(load_in_the_middle),
        cmocka_unit_test(a_second_vote_is_measured_when_badges_have_lapsed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
