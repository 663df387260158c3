/* SPDX-License-Identifier: Apache-2.0
 * Feeds: who may report, when a round ends, what it says, and what less than half of the weight cannot do. */
#include "chain/auction/auction_kit.h"

enum { FEED = 7, WINDOW = 4, UNBOND = 10 };

static void short_rounds(chain_genesis *g)
{
    short_epochs(g);
    g->params.v[CHAIN_PARAM_ORACLE_WINDOW] = WINDOW;
    g->params.v[CHAIN_PARAM_ORACLE_UNBOND] = UNBOND;
    g->params.v[CHAIN_PARAM_ORACLE_STAKE_MIN] = BLOCK1;
}

/* All readings of a round in one block, in the order of `who`, then its end. */
static err one_round(kit *k, const unsigned *who, const uint64_t *value, size_t n)
{
    bytes raw[8];
    uint64_t round = feed_row(k, FEED)->round;
    for (size_t i = 0; i < n; i++) {
        chain_tx tx = kit_tx(k, who[i], CHAIN_TX_ORACLE_REPORT, 0);
        tx.payload.oracle_report = (chain_tx_oracle_report){ .feed = FEED, .round = round, .value = value[i] };
        raw[i] = kit_sign(&tx, who[i]);
    }
    assert_int_equal(kit_block(k, raw, n), OK);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(k->result.txs[i].code, OK);
    kit_advance(k, WINDOW);
    return oracle_close(k, KIT_COORDINATOR, FEED, round);
}

static const chain_event *last_event(const kit *k)
{
    return &k->result.events[k->result.txs[0].event_first];
}

static void sources(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, short_rounds);
    assert_refused(&k, oracle_register(&k, 1, FEED, 0), ERR_RANGE, "oracle_register.stake");
    assert_refused(&k, oracle_register(&k, 1, FEED, BLOCK1 - 1), ERR_BOND, "oracle_register.stake");
    assert_refused(&k, oracle_leave(&k, 1, FEED), ERR_NOT_FOUND, "oracle_leave.feed");
    assert_refused(&k, oracle_withdraw(&k, 1, FEED), ERR_NOT_FOUND, "oracle_withdraw.feed");
    assert_int_equal(oracle_register(&k, 1, FEED, BLOCK1), OK);
    assert_int_equal(oracle_register(&k, 1, FEED, 5), OK);
    assert_int_equal(chain_supply(k.c)->stakes, BLOCK1 + 5);
    assert_int_equal(feed_row(&k, FEED)->active, 1);
    assert_int_equal(feed_row(&k, FEED)->weight, 500000);
    assert_refused(&k, oracle_withdraw(&k, 1, FEED), ERR_STATE, "oracle.status");
    assert_int_equal(oracle_leave(&k, 1, FEED), OK);
    uint64_t left = chain_head(k.c)->height;
    assert_int_equal(feed_row(&k, FEED)->weight, 0);
    assert_refused(&k, oracle_leave(&k, 1, FEED), ERR_STATE, "oracle.status");
    assert_refused(&k, oracle_register(&k, 1, FEED, BLOCK1), ERR_STATE, "oracle.status");
    pass(&k, left + UNBOND - 2);
    assert_refused(&k, oracle_withdraw(&k, 1, FEED), ERR_BUSY, "oracle.leave_height");
    assert_int_equal(oracle_withdraw(&k, 1, FEED), OK);
    assert_int_equal(chain_supply(k.c)->stakes, 0);
    assert_int_equal(feed_row(&k, FEED)->sources, 0);
    assert_int_equal(oracle_register(&k, 1, FEED, BLOCK1), OK);
    assert_int_equal(oracle_row(&k, FEED, 1)->number, 1);
    assert_int_equal(oracle_row(&k, FEED, 1)->reputation, (int64_t)500000 << 32);
    audit_chain(&k);
    kit_stop(&k);
}

static void places_are_bounded(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, short_rounds);
    for (unsigned i = 0; i <= LIMIT_ORACLE_SOURCES; i++) {
        chain_tx tx = kit_tx(&k, i % 7, CHAIN_TX_TRANSFER, 0);
        tx.payload.transfer = (chain_tx_transfer){ .to = kit_address(200 + i), .amount = 2 * BLOCK1 };
        assert_int_equal(kit_run(&k, &tx, i % 7), OK);
        assert_int_equal(oracle_register(&k, 200 + i, FEED, BLOCK1), i < LIMIT_ORACLE_SOURCES ? OK : ERR_LIMIT);
    }
    assert_string_equal(k.result.txs[0].what, "feed.sources");
    /* A full round ends in one transaction. */
    for (unsigned at = 0; at < LIMIT_ORACLE_SOURCES; at += 8) {
        bytes raw[8];
        for (unsigned i = 0; i < 8; i++) {
            chain_tx tx = kit_tx(&k, 200 + at + i, CHAIN_TX_ORACLE_REPORT, 0);
            tx.payload.oracle_report = (chain_tx_oracle_report){ .feed = FEED, .round = 1, .value = 1000 + at + i };
            raw[i] = kit_sign(&tx, 200 + at + i);
        }
        assert_int_equal(kit_block(&k, raw, 8), OK);
    }
    kit_advance(&k, WINDOW);
    assert_int_equal(oracle_close(&k, 0, FEED, 1), OK);
    assert_int_equal(feed_row(&k, FEED)->value, 1015);
    audit_chain(&k);
    kit_stop(&k);
}

static void reports(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, short_rounds);
    assert_refused(&k, oracle_report(&k, 1, FEED, 1, 100), ERR_NOT_FOUND, "oracle_report.feed");
    assert_refused(&k, oracle_close(&k, 1, FEED, 1), ERR_NOT_FOUND, "oracle_close.feed");
    assert_int_equal(oracle_register(&k, 1, FEED, BLOCK1), OK);
    assert_refused(&k, oracle_report(&k, 1, FEED, 1, 100), ERR_STATE, "feed.active"); /* a feed of one source has no value */
    assert_int_equal(oracle_register(&k, 2, FEED, BLOCK1), OK);
    assert_refused(&k, oracle_report(&k, 1, FEED, 1, 100), ERR_STATE, "feed.active");
    assert_int_equal(oracle_register(&k, 3, FEED, BLOCK1), OK);
    assert_refused(&k, oracle_close(&k, 1, FEED, 1), ERR_STATE, "feed.readings");
    assert_refused(&k, oracle_report(&k, 4, FEED, 1, 100), ERR_PERMISSION, "oracle_report.sender");
    assert_refused(&k, oracle_report(&k, 1, FEED, 2, 100), ERR_STALE, "oracle_report.round");
    assert_int_equal(oracle_report(&k, 1, FEED, 1, 100), OK);
    uint64_t opened = chain_head(k.c)->height;
    assert_refused(&k, oracle_report(&k, 1, FEED, 1, 101), ERR_DUPLICATE, "oracle_report.round");
    assert_refused(&k, oracle_leave(&k, 1, FEED), ERR_BUSY, "oracle.round");
    assert_refused(&k, oracle_close(&k, 1, FEED, 1), ERR_BUSY, "feed.open_height");
    pass(&k, opened + WINDOW - 1);
    assert_int_equal(oracle_report(&k, 2, FEED, 1, 100), OK); /* the last block for it */
    assert_refused(&k, oracle_report(&k, 3, FEED, 1, 100), ERR_EXPIRED, "feed.open_height");
    assert_refused(&k, oracle_close(&k, 1, FEED, 2), ERR_STALE, "oracle_close.round");
    assert_int_equal(oracle_close(&k, 1, FEED, 1), OK);
    assert_int_equal(last_event(&k)->type, CHAIN_EVENT_FEED_FAILED);
    assert_int_equal(last_event(&k)->data.feed_failed.reason, CHAIN_FEED_SOURCES);
    assert_int_equal(feed_row(&k, FEED)->round, 2);
    assert_int_equal(feed_row(&k, FEED)->value_round, 0);
    assert_int_equal(oracle_leave(&k, 1, FEED), OK);
    assert_refused(&k, oracle_report(&k, 1, FEED, 2, 100), ERR_STATE, "oracle.status");
    audit_chain(&k);
    kit_stop(&k);
}

static void start_sources(kit *k, unsigned n)
{
    kit_start(k, short_rounds);
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(oracle_register(k, i, FEED, BLOCK1), OK);
}

/* The window's last block is not yet after it. */
static void closing_time(void **state)
{
    (void)state;
    kit k;
    start_sources(&k, 3);
    assert_int_equal(oracle_report(&k, 1, FEED, 1, 100), OK);
    pass(&k, chain_head(k.c)->height + WINDOW - 1);
    assert_refused(&k, oracle_close(&k, 5, FEED, 1), ERR_BUSY, "feed.open_height");
    assert_int_equal(oracle_close(&k, 5, FEED, 1), OK);
    kit_stop(&k);
}

/* Median 101; 106 is within 5 per cent (floor 5), 107 is not. The reputations: 500,000 x 0.95 + 50,000, or without it. */
static void a_round(void **state)
{
    (void)state;
    kit k;
    start_sources(&k, 5);
    static const unsigned who[] = { 4, 2, 0, 1, 3 };
    static const uint64_t value[] = { 107, 101, 100, 101, 106 };
    assert_int_equal(one_round(&k, who, value, 5), OK);
    const chain_event *e = last_event(&k);
    assert_int_equal(e->type, CHAIN_EVENT_FEED_VALUED);
    assert_int_equal(e->data.feed_valued.value, 101);
    assert_int_equal(e->data.feed_valued.accepted, 4);
    assert_int_equal(e->data.feed_valued.confidence_ppm, 800000);
    const chain_row_feed *feed = feed_row(&k, FEED);
    assert_int_equal(feed->value, 101);
    assert_int_equal(feed->value_round, 1);
    assert_int_equal(feed->value_height, chain_head(k.c)->height);
    assert_int_equal(feed->readings, 0);
    for (unsigned i = 0; i < 5; i++) {
        uint64_t want = i == 4 ? 475000 : 525000, got = oracle_weight(oracle_row(&k, FEED, i));
        assert_true(got == want || got + 1 == want); /* the power is floored */
    }
    audit_chain(&k);
    /* Two of five and nobody else near: no value, and nobody is judged. */
    static const uint64_t apart[] = { 10, 20, 30, 40, 50 };
    int64_t reputation = oracle_row(&k, FEED, 0)->reputation;
    assert_int_equal(one_round(&k, who, apart, 5), OK);
    assert_int_equal(last_event(&k)->type, CHAIN_EVENT_FEED_FAILED);
    assert_int_equal(last_event(&k)->data.feed_failed.reason, CHAIN_FEED_QUORUM);
    assert_int_equal(oracle_row(&k, FEED, 0)->reputation, reputation);
    assert_int_equal(feed_row(&k, FEED)->value, 101);
    assert_int_equal(feed_row(&k, FEED)->round, 3);
    audit_chain(&k);
    kit_stop(&k);
}

/* Three of eight sources are there: enough readings, too little weight. */
static void turnout(void **state)
{
    (void)state;
    kit k;
    start_sources(&k, 8);
    static const unsigned who[] = { 0, 1, 2, 3 };
    static const uint64_t value[] = { 100, 100, 100, 100 };
    assert_int_equal(one_round(&k, who, value, 3), OK);
    assert_int_equal(last_event(&k)->type, CHAIN_EVENT_FEED_FAILED);
    assert_int_equal(last_event(&k)->data.feed_failed.reason, CHAIN_FEED_TURNOUT);
    assert_int_equal(one_round(&k, who, value, 4), OK);
    assert_int_equal(last_event(&k)->type, CHAIN_EVENT_FEED_VALUED);
    kit_stop(&k);
}

/* Whoever holds less than half of the weight, and says what it likes, the value is one that stands between honest ones; and liars lose weight. */
static void minorities_move_nothing(void **state)
{
    (void)state;
    kit k;
    uint64_t seed = 11, valued = 0;
    start_sources(&k, 8);
    unsigned who[8];
    for (unsigned i = 0; i < 8; i++)
        who[i] = i;
    for (unsigned round = 0; round < 40; round++) {
        uint64_t value[8], least = UINT64_MAX, most = 0, lying = 0, all = feed_row(&k, FEED)->weight;
        uint64_t truth = 1000000 + kit_random(&seed) % 1000000;
        bool liar[8] = { false };
        for (unsigned tries = 0; tries < 8; tries++) {
            unsigned i = (unsigned)(kit_random(&seed) % 8);
            uint64_t w = oracle_weight(oracle_row(&k, FEED, i));
            if (!liar[i] && 2 * (lying + w) < all) {
                liar[i] = true;
                lying += w;
            }
        }
        uint64_t lie = (uint64_t[]){ 0, UINT64_MAX, truth * 107 / 100, truth * 93 / 100 }[round % 4];
        for (unsigned i = 0; i < 8; i++) {
            value[i] = liar[i] ? lie : truth + kit_random(&seed) % (truth / 100);
            if (liar[i])
                continue;
            least = value[i] < least ? value[i] : least;
            most = value[i] > most ? value[i] : most;
        }
        assert_int_equal(one_round(&k, who, value, 8), OK);
        audit_chain(&k);
        assert_int_equal(last_event(&k)->type, CHAIN_EVENT_FEED_VALUED); /* nor can it stop the feed */
        valued++;
        assert_in_range(feed_row(&k, FEED)->value, least, most);
    }
    assert_int_equal(valued, 40);
    kit_stop(&k);
}

/* A liar loses its weight round by round; it does not come back cleaner than it left. */
static void reputation_follows(void **state)
{
    (void)state;
    kit k;
    start_sources(&k, 4);
    static const unsigned who[] = { 0, 1, 2, 3 };
    static const uint64_t value[] = { 100, 100, 100, 200 };
    uint64_t before = 500000;
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(one_round(&k, who, value, 4), OK);
        assert_true(oracle_weight(oracle_row(&k, FEED, 3)) < before);
        before = oracle_weight(oracle_row(&k, FEED, 3));
    }
    assert_in_range(before, 179230, 179243); /* 500,000 x 0.95^20 = 179,242.96 */
    assert_in_range(oracle_weight(oracle_row(&k, FEED, 0)), 820740, 820757);
    assert_int_equal(oracle_leave(&k, 3, FEED), OK);
    kit_advance(&k, UNBOND);
    assert_int_equal(oracle_withdraw(&k, 3, FEED), OK);
    assert_int_equal(oracle_register(&k, 3, FEED, BLOCK1), OK);
    assert_int_equal(oracle_weight(oracle_row(&k, FEED, 3)), before);
    audit_chain(&k);
    kit_stop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sources), cmocka_unit_test(places_are_bounded),      cmocka_unit_test(reports),
        cmocka_unit_test(a_round), cmocka_unit_test(turnout),                 cmocka_unit_test(minorities_move_nothing),
        cmocka_unit_test(reputation_follows), cmocka_unit_test(closing_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
