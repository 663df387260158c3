/* SPDX-License-Identifier: Apache-2.0
 * For tests of the economy: a network with short epochs, and the market interface by hand, as the markets that come later call it. */
#ifndef CHAIN_MARKET_KIT_H
#define CHAIN_MARKET_KIT_H

#include "chain/chain_kit.h"
#include "chain/econ/econ_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

enum { EPOCH = 12 };

static inline void short_epochs(chain_genesis *g)
{
    g->params.v[CHAIN_PARAM_EPOCH] = EPOCH;
}

/* Blocks up to and including the last one of the running epoch. */
static inline void finish_epoch(kit *k)
{
    do
        kit_advance(k, 1);
    while (chain_head(k->c)->height % EPOCH);
}

static inline void give_kyc(kit *k, unsigned who, uint32_t jurisdiction)
{
    chain_tx tx = kit_tx(k, KIT_ISSUER, CHAIN_TX_KYC_ATTEST, 0);
    tx.payload.kyc_attest = (chain_tx_kyc_attest){ .subject = kit_address(who), .level = 1, .jurisdiction = jurisdiction, .expiry_height = 1000000,
                                                   .commitment = { { 1, (uint8_t)who } } };
    assert_int_equal(kit_run(k, &tx, KIT_ISSUER), OK);
}

/* What a market does while a block executes: rows, then straight into the tree, as if by a transaction of the last block. */
static inline void market_step_end(kit *k)
{
    k->c->journal_len = 0;
    chain_trees_sync(k->c);
    chain_block_dirty_to_mark(k->c);
}

static inline void provider_joins(kit *k, econ_market m, unsigned who, uint64_t stake)
{
    cr_address a = kit_address(who);
    assert_int_equal(chain_reserve(k->c, 8, 8192), OK);
    assert_int_equal(chain_provider_set(k->c, m, &a, stake, true, chain_head(k->c)->height + 1, NULL), OK);
    market_step_end(k);
}

static inline void provider_works(kit *k, econ_market m, unsigned who, uint64_t units, uint64_t payout)
{
    chain_work w = { .market = m, .provider = kit_address(who), .units = units, .payout = payout, .eligible = true };
    assert_int_equal(chain_reserve(k->c, 8, 8192), OK);
    assert_int_equal(chain_market_work(k->c, &w, chain_head(k->c)->height + 1), OK);
    market_step_end(k);
}

/* Answers the stand-by task of the newest block if `who` is drawn; what the transaction said, ERR_NOT_FOUND if it is not drawn. */
static inline err stand_by(kit *k, econ_market m, unsigned who)
{
    uint64_t height = chain_head(k->c)->height;
    chain_key at = chain_key_one((uint8_t)(height % 256));
    const chain_row_standby *task = chain_row_get(k->c, CHAIN_TABLE_STANDBY, &at);
    cr_address a = kit_address(who);
    chain_key key = chain_key_provider((uint8_t)m, &a);
    const chain_row_provider *p = chain_row_get(k->c, CHAIN_TABLE_PROVIDER, &key);
    if (!task || task->height != height || !p || (p->number + task->providers - task->first) % task->providers >= task->count)
        return ERR_NOT_FOUND;
    chain_tx tx = kit_tx(k, who, CHAIN_TX_STANDBY_ANSWER, 0);
    tx.payload.standby_answer = (chain_tx_standby_answer){ .market = (uint8_t)m, .height = height,
                                                           .answer = chain_standby_answer(&task->randomness, (uint8_t)m, &a) };
    return kit_run(k, &tx, who);
}

static inline const chain_row_award *award_of(const kit *k, uint64_t epoch, econ_market m)
{
    chain_key key = chain_key_award(epoch, (uint8_t)m);
    const chain_row_award *a = chain_row_get(k->c, CHAIN_TABLE_AWARD, &key);
    assert_non_null(a);
    return a;
}

static inline const chain_row_epoch *epoch_row(const kit *k, uint64_t epoch)
{
    chain_key key = chain_key_height(epoch);
    const chain_row_epoch *e = chain_row_get(k->c, CHAIN_TABLE_EPOCH, &key);
    assert_non_null(e);
    return e;
}

static inline const chain_row_provider *provider_row(const kit *k, econ_market m, unsigned who)
{
    cr_address a = kit_address(who);
    chain_key key = chain_key_provider((uint8_t)m, &a);
    const chain_row_provider *p = chain_row_get(k->c, CHAIN_TABLE_PROVIDER, &key);
    assert_non_null(p);
    return p;
}

#endif
