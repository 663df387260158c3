/* SPDX-License-Identifier: Apache-2.0
 *
 * Auctions by sealed bids, and values that several sources report (spec/auction.md; seed Rec. 9.2 and 9.6). What stands on the ledger is in
 * chain/rows.def, what may be sent in schema/tx.def; here are the words of both, and what a bidder computes. */
#ifndef CHAIN_AUCTION_H
#define CHAIN_AUCTION_H

#include "chain/chain.h"

typedef enum chain_auction_kind {
    CHAIN_AUCTION_SECOND_PRICE = 1, /* one unit: the highest bid wins and pays the second */
    CHAIN_AUCTION_UNIFORM = 2,      /* many units at one price */
} chain_auction_kind;

typedef enum chain_commit_status {
    CHAIN_COMMIT_SEALED = 1,
    CHAIN_COMMIT_REVEALED = 2,
    CHAIN_COMMIT_SETTLED = 3,   /* it was revealed */
    CHAIN_COMMIT_FORFEITED = 4, /* it never was */
} chain_commit_status;

typedef enum chain_oracle_status { CHAIN_ORACLE_ACTIVE = 1, CHAIN_ORACLE_LEAVING = 2, CHAIN_ORACLE_LEFT = 3 } chain_oracle_status;

typedef enum chain_feed_failure {
    CHAIN_FEED_SOURCES = 1, /* fewer readings than oracle.sources_min */
    CHAIN_FEED_TURNOUT = 2, /* too little of the feed's weight gave readings */
    CHAIN_FEED_QUORUM = 3,  /* too few readings, or too little weight, near the median */
} chain_feed_failure;

/* What the owner of an unopened bid knows. */
typedef struct chain_sealed_bid {
    uint64_t price; /* nBLOCK, most for a unit */
    uint32_t units;
    hash256  salt; /* random: with a known one the bid can be guessed */
} chain_sealed_bid;

/* The seal of a bid: bound to the network (its genesis hash), the auction and the bidder, so that a copy of it is worth nothing. */
hash256 chain_auction_commitment(const hash256 *network, const hash256 *auction, const cr_address *bidder, const chain_sealed_bid *bid);

#endif
