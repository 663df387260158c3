/* SPDX-License-Identifier: Apache-2.0
 * Auctions and oracles recomputed from their rows: for chain_audit, never while a block executes. */
#include "chain/auction/auction_int.h"

u128 chain_stakes_of_auctions(const chain *c)
{
    u128 sum = 0;
    for (size_t i = 0; i < chain_row_count(c, CHAIN_TABLE_AUCTION); i++)
        sum += ((const chain_row_auction *)chain_row_at(c, CHAIN_TABLE_AUCTION, i, NULL))->deposit;
    for (size_t i = 0; i < chain_row_count(c, CHAIN_TABLE_COMMIT); i++)
        sum += ((const chain_row_commit *)chain_row_at(c, CHAIN_TABLE_COMMIT, i, NULL))->locked;
    for (size_t i = 0; i < chain_row_count(c, CHAIN_TABLE_ORACLE); i++)
        sum += ((const chain_row_oracle *)chain_row_at(c, CHAIN_TABLE_ORACLE, i, NULL))->stake;
    return sum;
}

/* Each auction's list against its bids, and what was won against what was sold. */
static err audit_auction(const chain *c, const chain_row_auction *a, bytes id, size_t i, fault *f)
{
    uint64_t bids = 0, won = 0, unsettled = 0;
    for (size_t k = 0; k < chain_row_count(c, CHAIN_TABLE_COMMIT); k++) {
        bytes key;
        const chain_row_commit *bid = chain_row_at(c, CHAIN_TABLE_COMMIT, k, &key);
        if (memcmp(key.data, id.data, id.len) != 0)
            continue;
        bids++;
        won += bid->won;
        unsettled += bid->status == CHAIN_COMMIT_SEALED || bid->status == CHAIN_COMMIT_REVEALED;
        if ((bid->locked == 0) != (bid->status == CHAIN_COMMIT_SETTLED || bid->status == CHAIN_COMMIT_FORFEITED))
            return fail(f, ERR_INVARIANT, "commit.locked", k);
    }
    if (bids != a->commits)
        return fail(f, ERR_INVARIANT, "auction.commits", i);
    if (won > a->sold || (a->cleared && !unsettled && won != a->sold))
        return fail(f, ERR_INVARIANT, "auction.sold", i);
    return OK;
}

/* Each feed's counters against its sources. */
static err audit_feed(const chain *c, const chain_row_feed *feed, bytes id, size_t i, fault *f)
{
    uint64_t sources = 0, active = 0, weight = 0, readings = 0;
    for (size_t k = 0; k < chain_row_count(c, CHAIN_TABLE_ORACLE); k++) {
        bytes key;
        const chain_row_oracle *o = chain_row_at(c, CHAIN_TABLE_ORACLE, k, &key);
        if (memcmp(key.data, id.data, id.len) != 0)
            continue;
        sources += o->status != CHAIN_ORACLE_LEFT;
        active += o->status == CHAIN_ORACLE_ACTIVE;
        weight += o->status == CHAIN_ORACLE_ACTIVE ? oracle_weight(o) : 0;
        readings += o->status == CHAIN_ORACLE_ACTIVE && o->round == feed->round;
    }
    if (sources != feed->sources || active != feed->active || weight != feed->weight)
        return fail(f, ERR_INVARIANT, "feed.sources", i);
    if (readings != feed->readings || (readings == 0) != (feed->open_height == 0))
        return fail(f, ERR_INVARIANT, "feed.readings", i);
    return OK;
}

err chain_audit_auctions(const chain *c, fault *f)
{
    bytes id;
    for (size_t i = 0; i < chain_row_count(c, CHAIN_TABLE_AUCTION); i++) {
        const chain_row_auction *a = chain_row_at(c, CHAIN_TABLE_AUCTION, i, &id);
        TRY(audit_auction(c, a, id, i, f));
    }
    for (size_t i = 0; i < chain_row_count(c, CHAIN_TABLE_FEED); i++) {
        const chain_row_feed *feed = chain_row_at(c, CHAIN_TABLE_FEED, i, &id);
        TRY(audit_feed(c, feed, id, i, f));
    }
    return OK;
}
