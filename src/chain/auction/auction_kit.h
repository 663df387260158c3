/* SPDX-License-Identifier: Apache-2.0
 * For tests of auctions and oracles: each transaction in one line. Epochs are those of econ/market_kit.h. */
#ifndef CHAIN_AUCTION_KIT_H
#define CHAIN_AUCTION_KIT_H

#include "chain/auction/auction_int.h"
#include "chain/econ/market_kit.h"

#include <string.h>

#define BLOCK1 ((uint64_t)1000000000)

static inline void audit_chain(kit *k)
{
    fault f = { 0 };
    if (chain_audit(k->c, &f) != OK)
        fail_msg("%s", f.what);
}

/* What the transaction that was run last said about its refusal. */
#define assert_refused(k, call, code, named)                    \
    do {                                                        \
        assert_int_equal((call), (code));                       \
        assert_string_equal((k)->result.txs[0].what, (named));  \
    } while (0)

static inline err open_auction(kit *k, unsigned who, uint8_t kind, uint32_t units, uint64_t reserve, hash256 *id)
{
    chain_tx tx = kit_tx(k, who, CHAIN_TX_AUCTION_OPEN, 0);
    tx.payload.auction_open = (chain_tx_auction_open){ .kind = kind, .item = { { 9 } }, .units = units, .reserve = reserve };
    err e = kit_run(k, &tx, who);
    *id = k->last_id;
    return e;
}

/* Each bidder has a salt of its own. */
static inline chain_sealed_bid bid_of(unsigned who, uint64_t price, uint32_t units)
{
    return (chain_sealed_bid){ .price = price, .units = units, .salt = { { (uint8_t)who, 77 } } };
}

static inline err commit_hash(kit *k, unsigned who, const hash256 *id, hash256 commitment, uint8_t bid_class)
{
    chain_tx tx = kit_tx(k, who, CHAIN_TX_AUCTION_COMMIT, 0);
    tx.payload.auction_commit = (chain_tx_auction_commit){ .auction = *id, .commitment = commitment, .bid_class = bid_class };
    return kit_run(k, &tx, who);
}

static inline hash256 seal(const kit *k, unsigned who, const hash256 *id, uint64_t price, uint32_t units)
{
    hash256 network = chain_network(k->c);
    cr_address a = kit_address(who);
    chain_sealed_bid bid = bid_of(who, price, units);
    return chain_auction_commitment(&network, id, &a, &bid);
}

static inline err commit_bid(kit *k, unsigned who, const hash256 *id, uint64_t price, uint32_t units, uint8_t bid_class)
{
    return commit_hash(k, who, id, seal(k, who, id, price, units), bid_class);
}

static inline err reveal_bid(kit *k, unsigned who, const hash256 *id, uint64_t price, uint32_t units)
{
    chain_tx tx = kit_tx(k, who, CHAIN_TX_AUCTION_REVEAL, 0);
    tx.payload.auction_reveal =
        (chain_tx_auction_reveal){ .auction = *id, .price = price, .units = units, .salt = bid_of(who, price, units).salt };
    return kit_run(k, &tx, who);
}

static inline err settle(kit *k, unsigned who, const hash256 *id, unsigned bidder)
{
    chain_tx tx = kit_tx(k, who, CHAIN_TX_AUCTION_SETTLE, 0);
    tx.payload.auction_settle = (chain_tx_auction_settle){ .auction = *id, .bidder = kit_address(bidder) };
    return kit_run(k, &tx, who);
}

static inline const chain_row_auction *auction_row(const kit *k, const hash256 *id)
{
    chain_key key = chain_key_job(id);
    return chain_row_get(k->c, CHAIN_TABLE_AUCTION, &key);
}

static inline const chain_row_commit *commit_row(const kit *k, const hash256 *id, unsigned who)
{
    cr_address a = kit_address(who);
    chain_key key = chain_key_bid(id, &a);
    return chain_row_get(k->c, CHAIN_TABLE_COMMIT, &key);
}

/* Until the next block is the first one after `height`. */
static inline void pass(kit *k, uint64_t height)
{
    while (chain_head(k->c)->height < height)
        kit_advance(k, 1);
}

/* --- oracles --- */

static inline err oracle_register(kit *k, unsigned who, uint64_t feed, uint64_t stake)
{
    chain_tx tx = kit_tx(k, who, CHAIN_TX_ORACLE_REGISTER, 0);
    tx.payload.oracle_register = (chain_tx_oracle_register){ .feed = feed, .stake = stake };
    return kit_run(k, &tx, who);
}

static inline err oracle_report(kit *k, unsigned who, uint64_t feed, uint64_t round, uint64_t value)
{
    chain_tx tx = kit_tx(k, who, CHAIN_TX_ORACLE_REPORT, 0);
    tx.payload.oracle_report = (chain_tx_oracle_report){ .feed = feed, .round = round, .value = value };
    return kit_run(k, &tx, who);
}

static inline err oracle_close(kit *k, unsigned who, uint64_t feed, uint64_t round)
{
    chain_tx tx = kit_tx(k, who, CHAIN_TX_ORACLE_CLOSE, 0);
    tx.payload.oracle_close = (chain_tx_oracle_close){ .feed = feed, .round = round };
    return kit_run(k, &tx, who);
}

static inline err oracle_leave(kit *k, unsigned who, uint64_t feed)
{
    chain_tx tx = kit_tx(k, who, CHAIN_TX_ORACLE_LEAVE, 0);
    tx.payload.oracle_leave.feed = feed;
    return kit_run(k, &tx, who);
}

static inline err oracle_withdraw(kit *k, unsigned who, uint64_t feed)
{
    chain_tx tx = kit_tx(k, who, CHAIN_TX_ORACLE_WITHDRAW, 0);
    tx.payload.oracle_withdraw.feed = feed;
    return kit_run(k, &tx, who);
}

static inline const chain_row_feed *feed_row(const kit *k, uint64_t feed)
{
    chain_key key = chain_key_height(feed);
    return chain_row_get(k->c, CHAIN_TABLE_FEED, &key);
}

static inline const chain_row_oracle *oracle_row(const kit *k, uint64_t feed, unsigned who)
{
    cr_address a = kit_address(who);
    chain_key key = chain_key_feed(feed, &a);
    return chain_row_get(k->c, CHAIN_TABLE_ORACLE, &key);
}

#endif
