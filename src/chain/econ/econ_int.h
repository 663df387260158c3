/* SPDX-License-Identifier: Apache-2.0
 *
 * Markets, stand-by tasks and the end of an epoch (spec/epoch.md). The laws are pure functions of src/econ; here stands what they read from
 * the ledger and what they move on it. All of it runs inside chain_execute: nothing allocates, and the work of a block is bounded by the
 * number of providers over the length of an epoch. */
#ifndef CHAIN_ECON_INT_H
#define CHAIN_ECON_INT_H

#include "chain/chain_int.h"
#include "econ/unit.h"

/* --- meter.c: what the running epoch counts --- */

/* Adds to the meters of the block; they reach the economy row when the block ends, and a transaction that fails takes its own back.
 * Volumes saturate at 2^62 - 1: wash transfers must not stop the chain. */
void chain_meter_volume(chain *c, uint64_t amount, bool open);
/* What the treasury takes in, tariffs excepted; what returns to it (a disbursement rolled back) is no income. */
err chain_treasury_income(chain *c, uint64_t amount) MUST_USE;
/* Block end, before the epoch's. `producer`: its place in the genesis. */
err chain_meter_block_end(chain *c, size_t producer) MUST_USE;

/* The tariff of a payment into the treasury, with its event; nothing if it is 0. */
err chain_tariff_collect(chain *c, const cr_address *payer, uint64_t tariff, uint32_t tx_index) MUST_USE;
/* floor(amount x rate / 10,000) at the tariff in force. */
err chain_tariff_of(const chain *c, uint64_t *tariff, uint64_t amount) MUST_USE;

/* --- market.c: providers and work; what the markets call --- */

/* Reference cost of units: floor(units x cost / unit of cost), saturated at 2^62 - 1; at the cost in force, or at another. */
uint64_t chain_reference_cost(const chain *c, econ_market m, uint64_t units);
uint64_t chain_cost_at(econ_market m, uint64_t cost, uint64_t units);
chain_param chain_cost_param(econ_market m);
/* Whether the sum and its cost stay exact if these units join it. */
bool chain_units_fit(const chain *c, econ_market m, uint64_t sum, uint64_t units);

/* Brings the region of a provider, which was opened for writing, up to its KYC at this height. */
err chain_provider_look(chain *c, econ_market m, chain_row_provider *p, const cr_address *a, uint64_t height) MUST_USE;

/* The provider comes, changes its bond, or leaves (active false; stake is then 0). ERR_LIMIT "providers": the list is full. */
err chain_provider_set(chain *c, econ_market m, const cr_address *a, uint64_t stake, bool active, uint64_t height, fault *f) MUST_USE;

/* Work of the provider was found false and its bond is now `stake`: what it has not been paid yet, and its proved capacity, are void. */
err chain_provider_faulted(chain *c, econ_market m, const cr_address *a, uint64_t stake) MUST_USE;

/* The provider was paid `payout` for `units`. `eligible`: a subsidy is due on them, if the provider is known and has valid KYC. */
typedef struct chain_work {
    econ_market market;
    cr_address  provider;
    uint64_t    units, payout;
    bool        eligible;
} chain_work;
err chain_market_work(chain *c, const chain_work *w, uint64_t height) MUST_USE;

/* An impression (or many) was sold for `price`, which is in escrow: platform (the treasury), viewer and publisher get their parts by the split
 * in force, to the unit. The ad market calls it; the work of the publisher is reported apart. */
err chain_ad_pay(chain *c, uint64_t price, const cr_address *viewer, const cr_address *publisher) MUST_USE;

/* A provider for writing, its meters those of the running epoch; NULL if there is none. */
chain_row_provider *chain_provider_edit(chain *c, econ_market m, const cr_address *a);

/* The sums in the rows of the markets and regions against all providers: for chain_audit. */
err chain_audit_markets(const chain *c, fault *f) MUST_USE;

/* --- standby.c --- */

err chain_standby_draw(chain *c, uint64_t height, const hash256 *randomness) MUST_USE;

/* --- sweep.c: each provider once in an epoch --- */

err chain_sweep(chain *c, uint64_t height) MUST_USE;
/* What the rates of an award give for these, each part floored. */
err chain_award_due(const chain_row_award *a, uint64_t work_cost, uint64_t work_payout, uint64_t ready_cost, uint64_t *due) MUST_USE;
/* Most providers that one block sweeps or draws. */
size_t chain_sweep_block_max(const chain *c);

/* --- epoch.c --- */

/* Rows that stand from the genesis on. */
void chain_economy_genesis(chain *c);
/* After the transactions of an epoch's last block. */
err chain_epoch_end(chain *c, uint64_t height, fault *f) MUST_USE;

/* --- rows --- */

static inline const chain_row_economy *economy(const chain *c)
{
    chain_key key = chain_key_one(0);
    return chain_row_get(c, CHAIN_TABLE_ECONOMY, &key);
}
static inline chain_row_economy *economy_edit(chain *c)
{
    chain_key key = chain_key_one(0);
    return chain_row_edit(c, CHAIN_TABLE_ECONOMY, &key);
}
static inline const chain_row_market *market(const chain *c, econ_market m)
{
    chain_key key = chain_key_one((uint8_t)m);
    return chain_row_get(c, CHAIN_TABLE_MARKET, &key);
}
static inline chain_row_market *market_edit(chain *c, econ_market m)
{
    chain_key key = chain_key_one((uint8_t)m);
    return chain_row_edit(c, CHAIN_TABLE_MARKET, &key);
}

/* The number of the epoch that a block belongs to, from 1 on; the genesis belongs to none. */
static inline uint64_t epoch_of(const chain *c, uint64_t height)
{
    return (height + param(c, CHAIN_PARAM_EPOCH) - 1) / param(c, CHAIN_PARAM_EPOCH);
}
static inline bool epoch_ends(const chain *c, uint64_t height)
{
    return height % param(c, CHAIN_PARAM_EPOCH) == 0;
}

#endif
