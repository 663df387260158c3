/* SPDX-License-Identifier: Apache-2.0
 *
 * Insides of auctions and oracles (spec/auction.md). A transaction reads at most LIMIT_AUCTION_BIDS bids or LIMIT_ORACLE_SOURCES readings. */
#ifndef CHAIN_AUCTION_INT_H
#define CHAIN_AUCTION_INT_H

#include "chain/auction/auction.h"
#include "chain/chain_int.h"

/* A revealed bid at or above the reserve. */
typedef struct chain_order {
    hash256  tie; /* equal prices, and equal remainders at the margin: the lower goes first */
    uint64_t price;
    uint32_t units;
    uint32_t won;    /* written */
} chain_order;

typedef struct chain_clearing {
    uint64_t price; /* of a unit: the highest bid that is not served in full, else the reserve */
    uint32_t sold;
} chain_clearing;

/* --- clearing.c: pure --- */

/* Sorts o[n] by falling price, then rising tie, and serves them in this order; those at the margin share what is left by their units, by
 * largest remainder. `units` are for sale; no order is below `reserve`, wants 0 units or is alike to another in its tie. */
chain_clearing chain_orders_clear(chain_order *o, size_t n, uint32_t units, uint64_t reserve);
hash256 chain_order_tie(const hash256 *commitment);

/* --- exec_oracle.c --- */

/* Bytes of journal that closing a round may need. */
size_t chain_oracle_close_journal(void);

/* --- audit.c --- */

/* What deposits, bids and sources hold of PURSE_STAKES. */
u128 chain_stakes_of_auctions(const chain *c);
/* The counters and sums in the rows against the rows that they count; ERR_INVARIANT. */
err chain_audit_auctions(const chain *c, fault *f) MUST_USE;

/* The weight of a source in its feed: ppm. */
static inline uint64_t oracle_weight(const chain_row_oracle *o)
{
    return (uint64_t)o->reputation >> 32;
}

#endif
