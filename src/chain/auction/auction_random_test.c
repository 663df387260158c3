/* SPDX-License-Identifier: Apache-2.0
 * Random histories of auctions and feeds: the books hold after each block, most things happen, and a chain loaded from a snapshot goes on as
 * the first one would. */
#include "chain/auction/auction_kit.h"

enum { AUCTIONS = 24, PEOPLE = 7, FEEDS = 2, PER_BLOCK = 6 };

typedef struct history {
    kit      k;
    uint64_t seed;
    hash256  ids[AUCTIONS];
    size_t   auctions;
    uint64_t done[CHAIN_TX_ORACLE_WITHDRAW + 1], refused;
} history;

static void small(chain_genesis *g)
{
    short_epochs(g);
    g->params.v[CHAIN_PARAM_ORACLE_WINDOW] = 2;
    g->params.v[CHAIN_PARAM_ORACLE_UNBOND] = 5;
    g->params.v[CHAIN_PARAM_ORACLE_STAKE_MIN] = BLOCK1;
}

static uint64_t draw(history *h, uint64_t below)
{
    return kit_random(&h->seed) % below;
}

/* A bid is a function of who and which, so that it can be opened; one in eight is forgotten, or opened wrong. */
static chain_sealed_bid bid_on(unsigned who, const hash256 *id)
{
    return (chain_sealed_bid){ .price = 1 + id->b[who] % 5, .units = 1 + id->b[who + 8] % 6, .salt = { { (uint8_t)who, 77 } } };
}

static void auction_tx(history *h, chain_tx *tx, unsigned who)
{
    /* Mostly where it has a chance: bids to the newest auction, reveals to one of the two before. */
    size_t back = draw(h, h->auctions);
    if (tx->type != CHAIN_TX_AUCTION_SETTLE && draw(h, 8))
        back = tx->type == CHAIN_TX_AUCTION_COMMIT || h->auctions < 3 ? 0 : 1 + draw(h, 2);
    const hash256 *id = &h->ids[h->auctions - 1 - back];
    chain_sealed_bid bid = bid_on(who, id);
    cr_address me = kit_address(who);
    hash256 network = chain_network(h->k.c);
    switch (tx->type) {
    case CHAIN_TX_AUCTION_COMMIT:
        tx->payload.auction_commit = (chain_tx_auction_commit){ .auction = *id, .bid_class = (uint8_t)(1 + draw(h, 2)),
                                                                .commitment = chain_auction_commitment(&network, id, &me, &bid) };
        break;
    case CHAIN_TX_AUCTION_REVEAL:
        tx->payload.auction_reveal =
            (chain_tx_auction_reveal){ .auction = *id, .price = bid.price + (draw(h, 8) == 0), .units = bid.units, .salt = bid.salt };
        break;
    default:
        tx->payload.auction_settle = (chain_tx_auction_settle){ .auction = *id, .bidder = kit_address((unsigned)draw(h, PEOPLE)) };
    }
}

static bytes random_tx(history *h, unsigned who)
{
    chain_tx_type type = (chain_tx_type)(CHAIN_TX_AUCTION_COMMIT + draw(h, 8));
    if (draw(h, 3) == 0)
        type = CHAIN_TX_ORACLE_REPORT;
    chain_tx tx = kit_tx(&h->k, who, type, 0);
    uint64_t feed = draw(h, FEEDS);
    const chain_row_feed *row = feed_row(&h->k, feed);
    uint64_t round = row ? row->round : 1;
    switch (type) {
    case CHAIN_TX_ORACLE_REGISTER:
        tx.payload.oracle_register = (chain_tx_oracle_register){ .feed = feed, .stake = BLOCK1 };
        break;
    case CHAIN_TX_ORACLE_REPORT:
        tx.payload.oracle_report = (chain_tx_oracle_report){ .feed = feed, .round = round, .value = 100 + draw(h, 12) };
        break;
    case CHAIN_TX_ORACLE_CLOSE:
        tx.payload.oracle_close = (chain_tx_oracle_close){ .feed = feed, .round = round };
        break;
    case CHAIN_TX_ORACLE_LEAVE:
        tx.payload.oracle_leave.feed = draw(h, 3) ? 99 : feed;
        break;
    case CHAIN_TX_ORACLE_WITHDRAW:
        tx.payload.oracle_withdraw.feed = feed;
        break;
    default:
        auction_tx(h, &tx, who);
    }
    return kit_sign(&tx, who);
}

/* Distinct senders, so that every nonce fits. */
static size_t random_block(history *h, bytes *txs)
{
    unsigned first = (unsigned)draw(h, PEOPLE);
    for (unsigned i = 0; i < PER_BLOCK; i++)
        txs[i] = random_tx(h, (first + i) % PEOPLE);
    return PER_BLOCK;
}

static void count(history *h, const bytes *txs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        chain_tx tx;
        assert_int_equal(chain_tx_decode(&tx, txs[i], NULL), OK);
        if (h->k.result.txs[i].code == OK)
            h->done[tx.type]++;
        else
            h->refused++;
    }
}

static void step(history *h)
{
    if (h->auctions < AUCTIONS && chain_head(h->k.c)->height % 8 == 0) {
        unsigned who = (unsigned)draw(h, PEOPLE);
        uint8_t kind = (uint8_t)(1 + draw(h, 2));
        assert_int_equal(open_auction(&h->k, who, kind, kind == CHAIN_AUCTION_UNIFORM ? 12 : 1, 2, &h->ids[h->auctions]), OK);
        h->auctions++;
    }
    bytes txs[PER_BLOCK];
    size_t n = random_block(h, txs);
    assert_int_equal(kit_block(&h->k, txs, n), OK);
    count(h, txs, n);
    audit_chain(&h->k);
}

static void begin(history *h, uint64_t seed)
{
    memset(h, 0, sizeof *h);
    h->seed = seed;
    kit_start(&h->k, small);
    assert_int_equal(open_auction(&h->k, 0, CHAIN_AUCTION_UNIFORM, 12, 2, &h->ids[h->auctions++]), OK);
}

static void random_histories(void **state)
{
    (void)state;
    uint64_t done[CHAIN_TX_ORACLE_WITHDRAW + 1] = { 0 };
    for (uint64_t seed = 1; seed <= 6; seed++) {
        history h;
        begin(&h, seed);
        for (unsigned i = 0; i < 200; i++)
            step(&h);
        for (size_t i = 0; i < COUNT_OF(done); i++)
            done[i] += h.done[i];
        assert_true(h.refused > 50);
        kit_stop(&h.k);
    }
    for (unsigned type = CHAIN_TX_AUCTION_COMMIT; type <= CHAIN_TX_ORACLE_WITHDRAW; type++)
        assert_true(done[type] > 20);
}

static chain *load_copy(kit *k)
{
    static uint8_t buffer[2048];
    chain_snapshot *s;
    chain *copy;
    assert_int_equal(chain_snapshot_new(&s, k->c, sizeof buffer, NULL), OK);
    assert_int_equal(chain_load_begin(&copy, &k->config, bytes_of(k->genesis, k->genesis_len), NULL), OK);
    for (size_t i = 0; i < chain_snapshot_chunks(s); i++) {
        bytes chunk;
        hash256 hash;
        assert_int_equal(chain_snapshot_chunk(s, i, &chunk, &hash, buffer), OK);
        assert_int_equal(chain_load_chunk(copy, i, chunk, &hash, NULL), OK);
    }
    assert_int_equal(chain_load_end(copy, chain_head_signed(k->c), NULL), OK);
    chain_snapshot_free(s);
    return copy;
}

static void snapshots_go_on(void **state)
{
    (void)state;
    history h;
    begin(&h, 21);
    for (unsigned i = 0; i < 60; i++)
        step(&h);
    kit twin = h.k;
    twin.c = load_copy(&h.k);
    for (unsigned i = 0; i < 60; i++) {
        bytes txs[PER_BLOCK];
        size_t n = random_block(&h, txs);
        assert_int_equal(kit_block(&twin, txs, n), OK);
        assert_int_equal(kit_block(&h.k, txs, n), OK);
        assert_true(hash256_equal(&twin.result.state_root, &h.k.result.state_root));
        count(&h, txs, n);
    }
    assert_true(h.done[CHAIN_TX_AUCTION_SETTLE] > 0 && h.done[CHAIN_TX_ORACLE_CLOSE] > 0);
    chain_free(twin.c);
    kit_stop(&h.k);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(random_histories), cmocka_unit_test(snapshots_go_on) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
