/* SPDX-License-Identifier: Apache-2.0
 * Auctions: each rule with what it lets pass and what it refuses; who pays what, to the unit. */
#include "chain/auction/auction_kit.h"

static void opening(void **state)
{
    (void)state;
    kit k;
    hash256 id;
    kit_start(&k, short_epochs);
    assert_refused(&k, open_auction(&k, 0, 0, 1, 5, &id), ERR_RANGE, "auction_open.kind");
    assert_refused(&k, open_auction(&k, 0, CHAIN_AUCTION_SECOND_PRICE, 2, 5, &id), ERR_RANGE, "auction_open.units");
    assert_refused(&k, open_auction(&k, 0, CHAIN_AUCTION_UNIFORM, 0, 5, &id), ERR_RANGE, "auction_open.units");
    assert_int_equal(open_auction(&k, 0, CHAIN_AUCTION_UNIFORM, 2, 5, &id), OK);
    const chain_row_auction *a = auction_row(&k, &id);
    assert_int_equal(a->commit_last, chain_head(k.c)->height + EPOCH);
    assert_int_equal(a->reveal_last, a->commit_last + EPOCH);
    assert_int_equal(a->deposit, BLOCK1);
    assert_int_equal(chain_supply(k.c)->stakes, BLOCK1);
    chain_tx all = kit_tx(&k, 1, CHAIN_TX_TRANSFER, 0);
    all.payload.transfer = (chain_tx_transfer){ .to = kit_address(2), .amount = kit_balance(&k, 1) - BLOCK1 };
    assert_int_equal(kit_run(&k, &all, 1), OK);
    assert_refused(&k, open_auction(&k, 1, CHAIN_AUCTION_UNIFORM, 2, 5, &id), ERR_FUNDS, "auction.open_deposit");
    audit_chain(&k);
    kit_stop(&k);
}

static void committing(void **state)
{
    (void)state;
    kit k;
    hash256 id, none = { { 5 } };
    kit_start(&k, short_epochs);
    assert_int_equal(open_auction(&k, 0, CHAIN_AUCTION_SECOND_PRICE, 1, 5, &id), OK);
    assert_refused(&k, commit_bid(&k, 1, &none, 9, 1, 1), ERR_NOT_FOUND, "auction_commit.auction");
    assert_refused(&k, commit_bid(&k, 1, &id, 9, 1, 0), ERR_RANGE, "auction_commit.bid_class");
    assert_refused(&k, commit_bid(&k, 0, &id, 9, 1, 1), ERR_PERMISSION, "auction.owner");
    assert_refused(&k, commit_bid(&k, 1, &id, 9, 1, 4), ERR_FUNDS, "auction_commit.bid_class"); /* all of it, and the fees are gone */
    static const uint64_t deposits[] = { BLOCK1, 10 * BLOCK1, 100 * BLOCK1 };
    uint64_t held = BLOCK1;
    for (uint8_t i = 1; i <= 3; i++) {
        assert_int_equal(commit_bid(&k, i, &id, 9, 1, i), OK);
        held += deposits[i - 1];
        assert_int_equal(commit_row(&k, &id, i)->locked, deposits[i - 1]);
        assert_int_equal(chain_supply(k.c)->stakes, held);
    }
    assert_refused(&k, commit_bid(&k, 1, &id, 10, 1, 1), ERR_DUPLICATE, "auction_commit.auction");
    pass(&k, auction_row(&k, &id)->commit_last - 1);
    assert_int_equal(commit_bid(&k, 4, &id, 9, 1, 1), OK);
    assert_refused(&k, commit_bid(&k, 5, &id, 9, 1, 1), ERR_EXPIRED, "auction.commit_last");
    audit_chain(&k);
    kit_stop(&k);
}

/* Sixty-four bidders, and one more. */
static void bids_are_bounded(void **state)
{
    (void)state;
    kit k;
    hash256 id;
    kit_start(&k, NULL);
    for (unsigned i = 0; i <= LIMIT_AUCTION_BIDS; i++) {
        chain_tx tx = kit_tx(&k, i % 7 + 1, CHAIN_TX_TRANSFER, 0);
        tx.payload.transfer = (chain_tx_transfer){ .to = kit_address(200 + i), .amount = 2 * BLOCK1 };
        assert_int_equal(kit_run(&k, &tx, i % 7 + 1), OK);
    }
    assert_int_equal(open_auction(&k, 0, CHAIN_AUCTION_SECOND_PRICE, 1, 5, &id), OK);
    for (unsigned i = 0; i <= LIMIT_AUCTION_BIDS; i++)
        assert_int_equal(commit_bid(&k, 200 + i, &id, 9, 1, 1), i < LIMIT_AUCTION_BIDS ? OK : ERR_LIMIT);
    assert_string_equal(k.result.txs[0].what, "auction.commits");
    pass(&k, auction_row(&k, &id)->reveal_last);
    /* Nobody opened a bid: each loses its share, half of it burned. */
    for (unsigned i = 0; i < LIMIT_AUCTION_BIDS; i++)
        assert_int_equal(settle(&k, 0, &id, 200 + i), OK);
    assert_int_equal(chain_supply(k.c)->burned, LIMIT_AUCTION_BIDS * BLOCK1 / 40);
    assert_int_equal(chain_supply(k.c)->stakes, BLOCK1);
    assert_int_equal(auction_row(&k, &id)->sold, 0);
    audit_chain(&k);
    kit_stop(&k);
}

static void revealing(void **state)
{
    (void)state;
    kit k;
    hash256 id, none = { { 5 } };
    kit_start(&k, short_epochs);
    assert_int_equal(open_auction(&k, 0, CHAIN_AUCTION_UNIFORM, 10, 5, &id), OK);
    assert_int_equal(commit_bid(&k, 1, &id, 9 * BLOCK1, 2, 1), OK);
    assert_int_equal(commit_bid(&k, 2, &id, 20 * BLOCK1, 2, 1), OK);          /* worth more than its class covers */
    assert_int_equal(commit_bid(&k, 3, &id, 7, 11, 1), OK);                   /* more than there is */
    assert_int_equal(commit_hash(&k, 4, &id, commit_row(&k, &id, 1)->commitment, 1), OK); /* a copy */
    assert_int_equal(commit_bid(&k, 5, &id, 10 * BLOCK1, 2, 1), OK);          /* just what it covers */
    assert_int_equal(commit_bid(&k, 6, &id, CHAIN_AMOUNT_MAX, 10, 1), OK);
    assert_int_equal(commit_bid(&k, 7, &id, 100 * BLOCK1, 2, 2), OK);
    assert_refused(&k, reveal_bid(&k, 1, &id, 9 * BLOCK1, 2), ERR_BUSY, "auction.commit_last");
    chain_tx all = kit_tx(&k, 7, CHAIN_TX_TRANSFER, 0);
    all.payload.transfer = (chain_tx_transfer){ .to = kit_address(2), .amount = kit_balance(&k, 7) - 150 * BLOCK1 };
    assert_int_equal(kit_run(&k, &all, 7), OK);
    pass(&k, auction_row(&k, &id)->commit_last);
    assert_refused(&k, reveal_bid(&k, 1, &none, 9 * BLOCK1, 2), ERR_NOT_FOUND, "auction_reveal.auction");
    assert_refused(&k, reveal_bid(&k, KIT_ISSUER, &id, 9 * BLOCK1, 2), ERR_NOT_FOUND, "auction_reveal.sender");
    assert_refused(&k, reveal_bid(&k, 1, &id, 9 * BLOCK1 + 1, 2), ERR_HASH, "commit.commitment");
    assert_refused(&k, reveal_bid(&k, 1, &id, 9 * BLOCK1, 1), ERR_HASH, "commit.commitment");
    assert_refused(&k, reveal_bid(&k, 2, &id, 20 * BLOCK1, 2), ERR_BOND, "commit.deposit");
    assert_refused(&k, reveal_bid(&k, 3, &id, 7, 11), ERR_RANGE, "auction_reveal.units");
    assert_refused(&k, reveal_bid(&k, 6, &id, CHAIN_AMOUNT_MAX, 10), ERR_RANGE, "auction_reveal.price");
    assert_refused(&k, reveal_bid(&k, 7, &id, 100 * BLOCK1, 2), ERR_FUNDS, "auction_reveal.price");
    chain_tx copy = kit_tx(&k, 4, CHAIN_TX_AUCTION_REVEAL, 0); /* with everything that the first bidder said */
    copy.payload.auction_reveal = (chain_tx_auction_reveal){ .auction = id, .price = 9 * BLOCK1, .units = 2, .salt = bid_of(1, 0, 0).salt };
    assert_refused(&k, kit_run(&k, &copy, 4), ERR_HASH, "commit.commitment");
    uint64_t stakes = chain_supply(k.c)->stakes;
    assert_int_equal(reveal_bid(&k, 1, &id, 9 * BLOCK1, 2), OK);
    assert_int_equal(commit_row(&k, &id, 1)->locked, 18 * BLOCK1);
    assert_int_equal(chain_supply(k.c)->stakes, stakes + 17 * BLOCK1);
    assert_refused(&k, reveal_bid(&k, 1, &id, 9 * BLOCK1, 2), ERR_DUPLICATE, "commit.status");
    pass(&k, auction_row(&k, &id)->reveal_last);
    assert_refused(&k, reveal_bid(&k, 5, &id, 10 * BLOCK1, 2), ERR_EXPIRED, "auction.reveal_last");
    audit_chain(&k);
    kit_stop(&k);
}

/* The bid that a class just covers, in the last block for it. */
static void last_block_to_reveal(void **state)
{
    (void)state;
    kit k;
    hash256 id;
    kit_start(&k, short_epochs);
    assert_int_equal(open_auction(&k, 0, CHAIN_AUCTION_UNIFORM, 10, 5, &id), OK);
    assert_int_equal(commit_bid(&k, 5, &id, 10 * BLOCK1, 2, 1), OK);
    pass(&k, auction_row(&k, &id)->reveal_last - 1);
    assert_refused(&k, settle(&k, 5, &id, 5), ERR_BUSY, "auction.reveal_last");
    kit_stop(&k);
    kit_start(&k, short_epochs);
    assert_int_equal(open_auction(&k, 0, CHAIN_AUCTION_UNIFORM, 10, 5, &id), OK);
    assert_int_equal(commit_bid(&k, 5, &id, 10 * BLOCK1, 2, 1), OK);
    pass(&k, auction_row(&k, &id)->reveal_last - 1);
    assert_int_equal(reveal_bid(&k, 5, &id, 10 * BLOCK1, 2), OK);
    assert_int_equal(settle(&k, 1, &id, 5), OK);
    assert_int_equal(auction_row(&k, &id)->price, 5);
    assert_int_equal(commit_row(&k, &id, 5)->won, 2);
    kit_stop(&k);
}

/* Highest 30, second 20, one below the reserve, one never opened. The owner gets 20 less the tariff of 100 bps. */
static void second_price(void **state)
{
    (void)state;
    for (int known = 0; known < 2; known++) {
        kit k;
        hash256 id;
        kit_start(&k, short_epochs);
        give_kyc(&k, 0, 276);
        if (known)
            give_kyc(&k, 2, 276);
        uint64_t start[6];
        assert_int_equal(open_auction(&k, 0, CHAIN_AUCTION_SECOND_PRICE, 1, 10 * BLOCK1, &id), OK);
        static const uint64_t price[6] = { 0, 20, 30, 9, 50, 0 };
        for (unsigned i = 1; i <= 4; i++)
            assert_int_equal(commit_bid(&k, i, &id, price[i] * BLOCK1, 1, 2), OK);
        pass(&k, auction_row(&k, &id)->commit_last);
        for (unsigned i = 1; i <= 3; i++)
            assert_int_equal(reveal_bid(&k, i, &id, price[i] * BLOCK1, 1), OK);
        pass(&k, auction_row(&k, &id)->reveal_last);
        for (unsigned i = 0; i < 5; i++)
            start[i] = kit_balance(&k, i);
        uint64_t burned = chain_supply(k.c)->burned, treasury = chain_supply(k.c)->treasury, rate = known ? 0 : (uint64_t)economy(k.c)->tariff;
        for (unsigned i = 0; i < 5; i++) {
            assert_int_equal(settle(&k, KIT_COORDINATOR, &id, i), OK);
            audit_chain(&k);
        }
        uint64_t tariff = (uint64_t)((u128)20 * BLOCK1 * rate / ((u128)10000 << 32));
        assert_true(known || tariff > 0);
        assert_int_equal(auction_row(&k, &id)->price, 20 * BLOCK1);
        assert_int_equal(auction_row(&k, &id)->sold, 1);
        assert_int_equal(commit_row(&k, &id, 2)->won, 1);
        assert_int_equal(kit_balance(&k, 0) - start[0], 21 * BLOCK1 - tariff);
        assert_int_equal(kit_balance(&k, 1) - start[1], 20 * BLOCK1);
        assert_int_equal(kit_balance(&k, 2) - start[2], 10 * BLOCK1);
        assert_int_equal(kit_balance(&k, 3) - start[3], 10 * BLOCK1);
        assert_int_equal(kit_balance(&k, 4) - start[4], 9 * BLOCK1 + BLOCK1 / 2);
        assert_int_equal(commit_row(&k, &id, 4)->status, CHAIN_COMMIT_FORFEITED);
        assert_int_equal(chain_supply(k.c)->burned - burned, BLOCK1 / 4);
        assert_int_equal(chain_supply(k.c)->treasury - treasury, BLOCK1 / 4 + tariff);
        assert_int_equal(chain_supply(k.c)->stakes, 0);
        assert_refused(&k, settle(&k, 1, &id, 1), ERR_DUPLICATE, "commit.status");
        assert_refused(&k, settle(&k, 1, &id, 0), ERR_DUPLICATE, "auction.deposit");
        assert_refused(&k, settle(&k, 1, &id, 6), ERR_NOT_FOUND, "auction_settle.bidder");
        hash256 none = { { 1 } };
        assert_refused(&k, settle(&k, 1, &none, 1), ERR_NOT_FOUND, "auction_settle.auction");
        kit_stop(&k);
    }
}

/* 10 units: 4 at 9, then 5, 3 and 1 at 8 share 6: floors 3, 2, 0 and the last to the greatest remainder, 6/9; price 8. */
static void uniform_price(void **state)
{
    (void)state;
    static const struct { uint64_t price; uint32_t units, won; } bids[] = { { 0, 0, 0 }, { 9, 4, 4 }, { 8, 5, 3 }, { 8, 3, 2 }, { 8, 1, 1 }, { 7, 9, 0 } };
    kit k;
    hash256 id;
    kit_start(&k, short_epochs);
    assert_int_equal(open_auction(&k, 0, CHAIN_AUCTION_UNIFORM, 10, 5, &id), OK);
    for (unsigned i = 1; i <= 5; i++)
        assert_int_equal(commit_bid(&k, i, &id, bids[i].price, bids[i].units, 1), OK);
    pass(&k, auction_row(&k, &id)->commit_last);
    for (unsigned i = 5; i >= 1; i--)
        assert_int_equal(reveal_bid(&k, i, &id, bids[i].price, bids[i].units), OK);
    pass(&k, auction_row(&k, &id)->reveal_last);
    for (unsigned i = 1; i <= 5; i++) {
        uint64_t before = kit_balance(&k, i);
        assert_int_equal(settle(&k, 0, &id, i), OK);
        assert_int_equal(commit_row(&k, &id, i)->won, bids[i].won);
        assert_int_equal(kit_balance(&k, i) - before, BLOCK1 - 8 * bids[i].won);
        audit_chain(&k);
    }
    assert_int_equal(auction_row(&k, &id)->price, 8);
    assert_int_equal(auction_row(&k, &id)->sold, 10);
    kit_stop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opening),   cmocka_unit_test(committing),           cmocka_unit_test(bids_are_bounded),
        cmocka_unit_test(revealing), cmocka_unit_test(last_block_to_reveal), cmocka_unit_test(second_price),
        cmocka_unit_test(uniform_price),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
