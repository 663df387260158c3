/* SPDX-License-Identifier: Apache-2.0
 * Polls of overlays: weights, quorum and threshold at their edges, and that nothing outside the overlay feels them. */
#include "chain/ident/overlay_kit.h"

static hash256 guild(kit *k, uint32_t base, uint32_t badge, uint32_t stake, uint32_t quorum, uint32_t threshold)
{
    kit_start(k, quick_badges);
    chain_tx tx = overlay_create(k, 7, "guild", NULL, 0);
    tx.payload.overlay_create.vote_base = base;
    tx.payload.overlay_create.vote_badge = badge;
    tx.payload.overlay_create.vote_stake = stake;
    tx.payload.overlay_create.quorum_ppm = quorum;
    tx.payload.overlay_create.threshold_ppm = threshold;
    assert_int_equal(kit_run(k, &tx, 7), OK);
    return overlay_id("guild");
}

static chain_poll_outcome outcome(const kit *k, const hash256 *id, uint64_t poll)
{
    chain_poll_outcome out;
    assert_int_equal(chain_overlay_outcome(k->c, &out, id, poll, next_height(k)), OK);
    return out;
}

static const chain_row_poll *poll(const kit *k, const hash256 *id, uint64_t number)
{
    return ROW(k, POLL, chain_key_numbered(id, number));
}

static void refusals(void **state)
{
    (void)state;
    kit k;
    hash256 id = guild(&k, 1, 0, 0, 0, 500000), none = { { 1 } };
    NOT(&k, 1, overlay_poll(&k, 1, &none, 3), ERR_NOT_FOUND, "overlay_poll.overlay");
    NOT(&k, 1, overlay_poll(&k, 1, &id, 3), ERR_PERMISSION, "overlay_poll.overlay");
    DO(&k, 1, overlay_join(&k, 1, &id, 0, 0));
    NOT(&k, 1, overlay_poll(&k, 1, &id, 0), ERR_RANGE, "overlay_poll.epochs");
    chain_tx tx = overlay_poll(&k, 1, &id, 3);
    memset(&tx.payload.overlay_poll.subject, 0, 32);
    REFUSED(&k, &tx, 1, ERR_RANGE, "overlay_poll.subject");
    NOT(&k, 1, overlay_vote(&k, 1, &id, 1, 1), ERR_NOT_FOUND, "overlay_vote.poll");
    NOT(&k, 1, overlay_vote(&k, 1, &id, 0, 1), ERR_NOT_FOUND, "overlay_vote.poll");
    DO(&k, 1, overlay_poll(&k, 1, &id, 6));
    const uint64_t end = poll(&k, &id, 1)->end_epoch;
    assert_int_equal(end, chain_head(k.c)->height + 5);
    NOT(&k, 1, overlay_poll(&k, 1, &id, 3), ERR_BUSY, "overlay_poll.overlay");
    NOT(&k, 1, overlay_vote(&k, 1, &id, 1, 0), ERR_RANGE, "overlay_vote.choice");
    NOT(&k, 2, overlay_vote(&k, 2, &id, 1, 1), ERR_PERMISSION, "overlay_vote.overlay");
    assert_int_equal(outcome(&k, &id, 1), CHAIN_POLL_OPEN);
    kit_advance(&k, end - 1 - chain_head(k.c)->height);
    DO(&k, 1, overlay_vote(&k, 1, &id, 1, CHAIN_BALLOT_YES)); /* in its last epoch */
    NOT(&k, 1, overlay_vote(&k, 1, &id, 1, CHAIN_BALLOT_NO), ERR_EXPIRED, "overlay_vote.poll");
    assert_int_equal(outcome(&k, &id, 1), CHAIN_POLL_PASSED);
    DO(&k, 1, overlay_poll(&k, 1, &id, 3)); /* it is over, so the next one may begin */
    assert_int_equal(chain_overlay(k.c, &id)->polls, 2);
    chain_poll_outcome out;
    assert_int_equal(chain_overlay_outcome(k.c, &out, &id, 3, 1), ERR_NOT_FOUND);
    audit(&k);
    kit_stop(&k);
}

/* One voice each, two for each market with a badge, three for each whole BLOCK at stake. */
static void weights(void **state)
{
    (void)state;
    kit k;
    hash256 id = guild(&k, 1, 2, 3, 0, 500000);
    serve(&k, 2, ECON_AD);
    serve(&k, 2, ECON_STORAGE);
    settle(&k);
    DO(&k, 1, overlay_join(&k, 1, &id, 2 * (uint64_t)BLOCK - 1, 0));
    DO(&k, 2, overlay_join(&k, 2, &id, 0, 0));
    DO(&k, 3, overlay_join(&k, 3, &id, 2 * (uint64_t)BLOCK, 0));
    assert_int_equal(member(&k, &id, 1)->vote_weight, 1 + 3);
    assert_int_equal(member(&k, &id, 2)->vote_weight, 1 + 2 * 2);
    assert_int_equal(member(&k, &id, 3)->vote_weight, 1 + 2 * 3);
    DO(&k, 3, overlay_poll(&k, 3, &id, 100));
    assert_int_equal(poll(&k, &id, 1)->eligible, 4 + 5 + 7);
    DO(&k, 1, overlay_vote(&k, 1, &id, 1, CHAIN_BALLOT_YES));
    DO(&k, 2, overlay_vote(&k, 2, &id, 1, CHAIN_BALLOT_NO));
    DO(&k, 3, overlay_vote(&k, 3, &id, 1, CHAIN_BALLOT_ABSTAIN));
    assert_true(poll(&k, &id, 1)->yes == 4 && poll(&k, &id, 1)->no == 5 && poll(&k, &id, 1)->abstain == 7);
    DO(&k, 3, overlay_vote(&k, 3, &id, 1, CHAIN_BALLOT_YES)); /* otherwise: once, not twice */
    assert_true(poll(&k, &id, 1)->yes == 11 && poll(&k, &id, 1)->no == 5 && poll(&k, &id, 1)->abstain == 0);
    kit_advance(&k, 30); /* the badges lapse: a new ballot weighs less */
    DO(&k, 2, overlay_vote(&k, 2, &id, 1, CHAIN_BALLOT_YES));
    assert_true(poll(&k, &id, 1)->yes == 12 && poll(&k, &id, 1)->no == 0);
    audit(&k);
    kit_stop(&k);
}

/* What is brought after the opening does not count, what is taken away does. */
static void weight_is_that_of_the_opening(void **state)
{
    (void)state;
    kit k;
    hash256 id = guild(&k, 1, 0, 1, 0, 500000);
    DO(&k, 1, overlay_join(&k, 1, &id, 4 * (uint64_t)BLOCK, 0));
    DO(&k, 2, overlay_join(&k, 2, &id, 0, 0));
    DO(&k, 1, overlay_poll(&k, 1, &id, 50));
    DO(&k, 2, overlay_join(&k, 2, &id, 100 * (uint64_t)BLOCK, 0));
    DO(&k, 3, overlay_join(&k, 3, &id, 100 * (uint64_t)BLOCK, 0));
    assert_int_equal(member(&k, &id, 2)->vote_weight, 101);
    DO(&k, 2, overlay_vote(&k, 2, &id, 1, CHAIN_BALLOT_NO));
    assert_int_equal(poll(&k, &id, 1)->no, 1);
    DO(&k, 2, overlay_join(&k, 2, &id, 100 * (uint64_t)BLOCK, 0)); /* nor a second time */
    DO(&k, 2, overlay_vote(&k, 2, &id, 1, CHAIN_BALLOT_NO));
    assert_int_equal(poll(&k, &id, 1)->no, 1);
    NOT(&k, 3, overlay_vote(&k, 3, &id, 1, CHAIN_BALLOT_NO), ERR_STATE, "overlay_vote.weight");
    DO(&k, 1, overlay_vote(&k, 1, &id, 1, CHAIN_BALLOT_YES));
    assert_int_equal(poll(&k, &id, 1)->yes, 5);

    /* Leaving takes the ballot along; coming back with less weighs less. */
    DO(&k, 1, overlay_leave(&k, 1, &id, 1));
    assert_int_equal(poll(&k, &id, 1)->yes, 0);
    DO(&k, 1, overlay_join(&k, 1, &id, 2 * (uint64_t)BLOCK, 0));
    DO(&k, 1, overlay_vote(&k, 1, &id, 1, CHAIN_BALLOT_YES));
    assert_int_equal(poll(&k, &id, 1)->yes, 3);
    audit(&k);
    kit_advance(&k, 50);
    DO(&k, 2, overlay_leave(&k, 2, &id, 2)); /* the count of a poll that is over stands */
    assert_int_equal(poll(&k, &id, 1)->no, 1);
    DO(&k, 3, overlay_poll(&k, 3, &id, 50)); /* in the next poll the stake of then counts */
    DO(&k, 3, overlay_vote(&k, 3, &id, 2, CHAIN_BALLOT_YES));
    assert_int_equal(poll(&k, &id, 2)->yes, 101);
    audit(&k);
    kit_stop(&k);
}

/* Weight of a member: whole BLOCK at stake. Ten in all. */
static void quorum_and_threshold_at_their_edges(void **state)
{
    (void)state;
    static const struct {
        uint32_t           quorum, threshold;
        uint64_t           yes, no, abstain;
        chain_poll_outcome outcome;
    } cases[] = {
        { 500000, 500000, 5, 0, 0, CHAIN_POLL_PASSED },   { 500001, 500000, 5, 0, 0, CHAIN_POLL_REJECTED },
        { 500000, 500000, 3, 2, 0, CHAIN_POLL_PASSED },   { 500000, 500000, 1, 0, 4, CHAIN_POLL_PASSED },
        { 500000, 500000, 4, 0, 0, CHAIN_POLL_REJECTED }, { 0, 500000, 2, 2, 0, CHAIN_POLL_REJECTED }, /* a tie */
        { 0, 666667, 4, 2, 0, CHAIN_POLL_REJECTED },      { 0, 666666, 4, 2, 0, CHAIN_POLL_PASSED },
        { 0, 1000000, 4, 0, 6, CHAIN_POLL_PASSED },       { 0, 1000000, 8, 1, 0, CHAIN_POLL_REJECTED },
        { 0, 500000, 0, 0, 9, CHAIN_POLL_REJECTED },      { 1000000, 500000, 8, 1, 1, CHAIN_POLL_PASSED },
        { 1000000, 500000, 8, 1, 0, CHAIN_POLL_REJECTED },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        kit k;
        hash256 id = guild(&k, 0, 0, 1, cases[i].quorum, cases[i].threshold);
        const uint64_t stakes[] = { cases[i].yes, cases[i].no, cases[i].abstain, 10 - cases[i].yes - cases[i].no - cases[i].abstain };
        for (unsigned who = 0; who < 4; who++)
            DO(&k, who, overlay_join(&k, who, &id, stakes[who] * BLOCK, 0));
        DO(&k, 0, overlay_poll(&k, 0, &id, 9));
        for (uint8_t who = 0; who < 3; who++)
            if (stakes[who])
                DO(&k, who, overlay_vote(&k, who, &id, 1, (uint8_t)(who + 1)));
        assert_int_equal(outcome(&k, &id, 1), CHAIN_POLL_OPEN);
        kit_advance(&k, 9);
        if (outcome(&k, &id, 1) != cases[i].outcome)
            fail_msg("case %zu", i);
        kit_stop(&k);
    }
}

/* Two networks with the same history but for an overlay's modifiers and poll: outside the overlay they agree, but for the fees. */
static void modifiers_act_inside_only(void **state)
{
    (void)state;
    chain_standing standings[2][2];
    uint64_t tariffs[2], votes[2], params[2][CHAIN_PARAM_COUNT];
    for (unsigned round = 0; round < 2; round++) {
        kit k;
        hash256 id = guild(&k, round ? 1000000 : 1, round ? 1000000 : 0, round, 0, 500000);
        serve(&k, 2, ECON_AD);
        settle(&k);
        for (unsigned who = 1; who <= 2; who++)
            DO(&k, who, overlay_join(&k, who, &id, 3 * (uint64_t)BLOCK, 0));
        DO(&k, 1, overlay_poll(&k, 1, &id, 50));
        for (unsigned who = 1; who <= 2; who++)
            DO(&k, who, overlay_vote(&k, who, &id, 1, CHAIN_BALLOT_YES));
        chain_tx pay = kit_tx(&k, 1, CHAIN_TX_TRANSFER, 0);
        pay.payload.transfer = (chain_tx_transfer){ .to = kit_address(2), .amount = 1000000 };
        DO(&k, 1, pay);
        for (unsigned who = 1; who <= 2; who++) {
            cr_address a = kit_address(who);
            chain_standing_at(k.c, &standings[round][who - 1], &a, next_height(&k));
        }
        tariffs[round] = chain_supply(k.c)->treasury;
        votes[round] = poll(&k, &id, 1)->yes;
        for (unsigned i = 0; i < CHAIN_PARAM_COUNT; i++)
            params[round][i] = chain_param_value(k.c, (chain_param)i);
        kit_stop(&k);
    }
    assert_int_equal(votes[0], 2);
    assert_int_equal(votes[1], 2 * (1000000 + 3) + 1000000); /* the modifiers do act */
    assert_int_equal(tariffs[0], tariffs[1]);
    assert_memory_equal(params[0], params[1], sizeof params[0]);
    for (unsigned i = 0; i < 2; i++)
        assert_true(standings[0][i].markets == standings[1][i].markets && standings[0][i].reputation_ppm == standings[1][i].reputation_ppm);
}

/* A region without overlays: its accounts get neither in nor heard, but out. */
static void packs_rule_overlays(void **state)
{
    (void)state;
    kit k;
    hash256 id = guild(&k, 1, 0, 0, 0, 500000);
    cr_address ruler = kit_address(6);
    assert_int_equal(chain_authority_set(k.c, CHAIN_ROLE_PACKS, &ruler, 0, true, NULL), OK);
    settle(&k);
    DO(&k, 1, overlay_join(&k, 1, &id, 10, 0));
    DO(&k, 1, overlay_poll(&k, 1, &id, 50));
    chain_tx ban = kit_tx(&k, 6, CHAIN_TX_PACK_PUBLISH, 0);
    ban.payload.pack_publish = (chain_tx_pack_publish){ .version = 1, .features_off = 1u << CHAIN_FEATURE_OVERLAY };
    DO(&k, 6, ban);
    static const char what[] = "pack.features_off: overlay";
    NOT(&k, 2, overlay_create(&k, 2, "other", NULL, 0), ERR_PERMISSION, what);
    NOT(&k, 2, overlay_join(&k, 2, &id, 0, 0), ERR_PERMISSION, what);
    NOT(&k, 1, overlay_vote(&k, 1, &id, 1, 1), ERR_PERMISSION, what);
    NOT(&k, 1, overlay_poll(&k, 1, &id, 1), ERR_PERMISSION, what);
    NOT(&k, 1, overlay_vouch(&k, 1, &id, 2), ERR_PERMISSION, what);
    NOT(&k, 1, overlay_attest(&k, 1, &id, 2, 1, true), ERR_PERMISSION, what);
    DO(&k, 1, overlay_leave(&k, 1, &id, 1));
    assert_int_equal(chain_supply(k.c)->stakes, 0);
    audit(&k);
    kit_stop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals), cmocka_unit_test(weights), cmocka_unit_test(weight_is_that_of_the_opening),
        cmocka_unit_test(quorum_and_threshold_at_their_edges), cmocka_unit_test(modifiers_act_inside_only),
        cmocka_unit_test(packs_rule_overlays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
