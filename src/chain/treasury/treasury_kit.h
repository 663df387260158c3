/* SPDX-License-Identifier: Apache-2.0
 * For the tests of the treasury on a chain: a small network, filings, and votes as the count of votes reports them. */
#ifndef CHAIN_TREASURY_TREASURY_KIT_H
#define CHAIN_TREASURY_TREASURY_KIT_H

#include "chain/treasury/treasury.h"
#include "chain/econ/econ_int.h"

#include "chain/chain_kit.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Epochs of 2 blocks; windows of 1 to 8 epochs. The filer is account 0, payees are 1 to 4. */
enum { EPOCH_BLOCKS = 2, FILER = 0, FUNDED = 400000000 };

static inline void small_windows(chain_genesis *g)
{
    g->params.v[CHAIN_PARAM_EPOCH] = EPOCH_BLOCKS;
    g->params.v[CHAIN_PARAM_TREASURY_VOTE_MIN] = g->params.v[CHAIN_PARAM_TREASURY_TIMELOCK_MIN] = 1;
    g->params.v[CHAIN_PARAM_TREASURY_ROLLBACK_MIN] = 1;
    g->params.v[CHAIN_PARAM_TREASURY_WINDOW_MAX] = 8;
    g->params.v[CHAIN_PARAM_TREASURY_DRAFT] = 4;
    g->params.v[CHAIN_PARAM_TREASURY_WAIT_MAX] = 3;
    g->params.v[CHAIN_PARAM_TREASURY_FILE_FEE] = 0;
    g->params.v[CHAIN_PARAM_TX_TERM_MAX] = 100000;
    /* The mint goes to the producer, so that the treasury changes by what a test does; what the storage market is awarded is its work. */
    g->params.v[CHAIN_PARAM_MINT_PRODUCERS] = 1000000;
    g->params.v[CHAIN_PARAM_MINT_SUBSIDY] = g->params.v[CHAIN_PARAM_MINT_TREASURY] = 0;
    g->params.v[CHAIN_PARAM_STORAGE_UTIL_RESPONSE] = g->params.v[CHAIN_PARAM_STORAGE_COST_RESPONSE] = 0;
    g->params.v[CHAIN_PARAM_SUBSIDY_WORK] = 1000000;
    g->params.v[CHAIN_PARAM_SUBSIDY_READY] = 0;
    g->params.v[CHAIN_PARAM_STORAGE_COST] = 1024;
}

static inline void audit(const kit *k)
{
    fault f = { 0 };
    if (chain_audit(k->c, &f) != OK)
        fail_msg("%s at %llu", f.what, (unsigned long long)f.at);
}

static inline void long_waits(chain_genesis *g)
{
    small_windows(g);
    g->params.v[CHAIN_PARAM_TREASURY_WAIT_MAX] = 30;
    g->params.v[CHAIN_PARAM_TREASURY_DRAFT] = 100;
}

/* What the count of votes calls, between two blocks: its rows join the next block. */
static inline void outside(kit *k)
{
    CHECK(chain_reserve(k->c, 64, 65536) == OK);
    k->c->journal_len = k->c->event_count = 0;
}

static inline err open_vote(kit *k, uint64_t number)
{
    outside(k);
    return chain_disbursement_open(k->c, number, 900 + number, chain_head(k->c)->height + 1, CHAIN_EVENT_NO_TX, NULL);
}

static inline err voted(kit *k, uint64_t number, bool passed)
{
    outside(k);
    chain_vote_outcome outcome = { passed, 400000, 300000 };
    return chain_disbursement_voted(k->c, number, &outcome, NULL);
}

static inline err vote_back(kit *k, uint64_t number)
{
    outside(k);
    return chain_disbursement_vote_back(k->c, number, NULL);
}

static uint64_t subsidy_rate; /* what each epoch awards that ends with one of the blocks below */

static inline void work_for_subsidies(kit *k)
{
    if (!subsidy_rate)
        return;
    outside(k);
    market_edit(k->c, ECON_STORAGE)->work = subsidy_rate;
}

static inline void next_block(kit *k)
{
    work_for_subsidies(k);
    kit_advance(k, 1);
}

static inline void set_kyc(kit *k, unsigned who, bool valid)
{
    chain_tx tx = kit_tx(k, KIT_ISSUER, valid ? CHAIN_TX_KYC_ATTEST : CHAIN_TX_KYC_REVOKE, 0);
    if (valid)
        tx.payload.kyc_attest = (chain_tx_kyc_attest){ .subject = kit_address(who), .level = 1, .jurisdiction = 756,
                                                       .expiry_height = 1000000, .commitment = { { 5 } } };
    else
        tx.payload.kyc_revoke.subject = kit_address(who);
    work_for_subsidies(k);
    assert_int_equal(kit_run(k, &tx, KIT_ISSUER), OK);
}

/* To the end of `epochs` epochs: the next block begins one. */
static inline void pass_epochs(kit *k, uint64_t epochs)
{
    do
        next_block(k);
    while (chain_head(k->c)->height % EPOCH_BLOCKS != 0 || --epochs > 0);
}

static inline void start(kit *k, void (*tweak)(chain_genesis *g))
{
    cr_address donor = kit_address(6);
    subsidy_rate = 0;
    kit_start(k, tweak);
    outside(k);
    assert_int_equal(chain_account_debit(k->c, &donor, KIT_BALANCE / 2), OK);
    assert_int_equal(chain_purse_add(k->c, PURSE_SUBSIDY, KIT_BALANCE / 2), OK);
    chain_tx gift = kit_tx(k, 7, CHAIN_TX_TRANSFER, 0);
    gift.payload.transfer = (chain_tx_transfer){ .to = chain_treasury_address(), .amount = FUNDED };
    assert_int_equal(kit_run(k, &gift, 7), OK);
    for (unsigned who = 1; who <= 4; who++)
        set_kyc(k, who, true);
    pass_epochs(k, 1);
}

/* --- filing --- */

static inline chain_disbursement_spec spec_of(uint64_t amount, unsigned payee)
{
    chain_disbursement_spec s = { .summary = { { 1 } }, .summary_bytes = 100, .amount = amount, .payee_count = 1, .scheduled_epoch = 1,
                                  .quorum_operators_ppm = 400000, .quorum_builders_ppm = 300000, .vote_epochs = 1,
                                  .timelock_epochs = 2, .rollback_epochs = 2 };
    CHECK(chain_name_set(&s.title, bytes_of_str("roof-repair")) == OK);
    s.payees[0] = (chain_payee){ kit_address(payee), amount };
    return s;
}

static inline chain_tx file_tx(const kit *k, const chain_disbursement_spec *s)
{
    static uint8_t payees[1024], dependencies[128];
    chain_tx tx = kit_tx(k, FILER, CHAIN_TX_DISBURSEMENT_FILE, 0);
    chain_tx_disbursement_file *p = &tx.payload.disbursement_file;
    *p = (chain_tx_disbursement_file){
        .title = s->title, .summary = s->summary, .summary_bytes = s->summary_bytes, .essential = s->essential, .amount = s->amount,
        .scheduled_epoch = s->scheduled_epoch, .quorum_operators_ppm = s->quorum_operators_ppm,
        .quorum_builders_ppm = s->quorum_builders_ppm, .vote_epochs = s->vote_epochs, .timelock_epochs = s->timelock_epochs,
        .rollback_epochs = s->rollback_epochs };
    CHECK(chain_payees_encode(&p->payees, payees, sizeof payees, s->payees, s->payee_count) == OK);
    CHECK(chain_dependencies_encode(&p->dependencies, dependencies, sizeof dependencies, s->dependencies, s->dependency_count) == OK);
    return tx;
}

static inline err file(kit *k, const chain_disbursement_spec *s)
{
    chain_tx tx = file_tx(k, s);
    work_for_subsidies(k);
    return kit_run(k, &tx, FILER);
}

static inline uint64_t must_file(kit *k, const chain_disbursement_spec *s)
{
    assert_int_equal(file(k, s), OK);
    return chain_treasury(k->c)->disbursements;
}

/* Filed, voted on, and passed: queued, at the start of an epoch. */
static inline uint64_t must_pass(kit *k, const chain_disbursement_spec *s)
{
    uint64_t number = must_file(k, s);
    assert_int_equal(open_vote(k, number), OK);
    while (chain_treasury(k->c)->epoch < chain_disbursement(k->c, number)->vote_end_epoch)
        kit_advance(k, 1);
    assert_int_equal(voted(k, number, true), OK);
    return number;
}

static inline void expect_status(const kit *k, uint64_t number, chain_disbursement_status status, chain_rollback_reason reason)
{
    assert_int_equal(chain_disbursement(k->c, number)->status, status);
    assert_int_equal(chain_disbursement(k->c, number)->reason, reason);
}

static inline size_t count_events(const kit *k, chain_event_type type)
{
    size_t n = 0;
    for (size_t i = 0; i < k->result.event_count; i++)
        n += k->result.events[i].type == type;
    return n;
}

#endif
