/* SPDX-License-Identifier: Apache-2.0
 * The memory that is reserved before a block is enough for what governance does in it: each transaction at its dearest, and an epoch in
 * which as many proposals as there can be act at once. */
#include "chain/gov/gov_kit.h"

static void many_slots(chain_genesis *g)
{
    gov_short(g);
    g->params.v[CHAIN_PARAM_GOV_SLOTS] = g->params.v[CHAIN_PARAM_GOV_SLOTS_HOUSE] = g->params.v[CHAIN_PARAM_GOV_SLOTS_PROPOSER] = 16;
    g->params.v[CHAIN_PARAM_GOV_SLOTS_URGENT] = 8;
    g->params.v[CHAIN_PARAM_GOV_EMERGENCY_VOTING] = 4;
    g->params.v[CHAIN_PARAM_GOV_TIMELOCK_OPERATIONAL] = 1;
    g->params.v[CHAIN_PARAM_GOV_DISCLOSURE] = 1;
    g->params.v[CHAIN_PARAM_FEE_BURN] = 7;
}

/* Journal of a block of these transactions, which all run; it is dropped again. */
static size_t journal_of(kit *k, const bytes *txs, size_t count)
{
    assert_int_equal(kit_execute(k, txs, count, false, NULL), OK);
    for (size_t i = 0; i < count; i++)
        if (k->result.txs[i].code != OK)
            fail_msg("%zu: %s", i, k->result.txs[i].what);
    size_t used = k->c->journal_len;
    chain_abort(k->c);
    return used;
}

static void one(kit *k, const chain_tx *tx, unsigned who)
{
    bytes raw = kit_sign(tx, who);
    size_t empty = journal_of(k, NULL, 0), used = journal_of(k, &raw, 1) - empty;
    /* The producer's account, the meters and the burned fee are of the block's own part. */
    if (used > chain_gov_tx_journal() + 4096)
        fail_msg("type %d needs %zu of %zu", (int)tx->type, used, chain_gov_tx_journal());
    assert_true(k->result.txs[0].event_count <= 4);
    assert_int_equal(kit_block(k, &raw, 1), OK);
    assert_int_equal(k->result.txs[0].code, OK);
}

static chain_tx vote_tx(const kit *k, unsigned who, uint64_t n)
{
    chain_tx tx = kit_tx(k, who, CHAIN_TX_VOTE, 0);
    tx.payload.vote = (chain_tx_vote){ .proposal = n, .choice = CHAIN_VOTE_YES };
    return tx;
}

/* Account 1 is in both houses; its powers change in each of these. */
static void transactions(void **state)
{
    (void)state;
    kit k;
    gov_start(&k, many_slots);
    gov_badge(&k, 1, ALL_MARKETS, true, 12, 700000);
    gov_badge(&k, 2, ALL_MARKETS, true, 12, 700000);
    gov_until(&k, gov_now(&k) + 2);
    chain_tx tx = kit_tx(&k, 1, CHAIN_TX_STAKE_ADD, 0);
    tx.payload.stake_add.amount = 1000000;
    one(&k, &tx, 1);
    tx = kit_tx(&k, 1, CHAIN_TX_STAKE_REMOVE, 0);
    tx.payload.stake_remove.amount = 1000000;
    one(&k, &tx, 1);
    kit_advance(&k, 6);
    tx = kit_tx(&k, 1, CHAIN_TX_STAKE_WITHDRAW, 0);
    one(&k, &tx, 1);
    for (unsigned to = 3; to >= 2; to--) {
        tx = kit_tx(&k, 1, CHAIN_TX_DELEGATE, 0);
        tx.payload.delegate = (chain_tx_delegate){ .house = 1, .to = kit_address(to) };
        one(&k, &tx, 1);
    }
    chain_param_change eight[8];
    for (unsigned i = 0; i < 8; i++) {
        static const chain_param of_all[] = { CHAIN_PARAM_FEE_MIN, CHAIN_PARAM_FEE_PER_BYTE, CHAIN_PARAM_SUBSIDY_ALPHA, CHAIN_PARAM_SUBSIDY_BETA,
                                              CHAIN_PARAM_SUBSIDY_TEMPERATURE, CHAIN_PARAM_SUBSIDY_DRIFT, CHAIN_PARAM_TARIFF_DRIFT,
                                              CHAIN_PARAM_GOV_PROPOSAL_BURN };
        eight[i] = (chain_param_change){ of_all[i], param(k.c, of_all[i]) + 1 };
    }
    tx = gov_proposal_tx(&k, 3, CHAIN_PROPOSAL_PARAMETERS, eight, 8, 0);
    one(&k, &tx, 3);
    tx = gov_proposal_tx(&k, 3, CHAIN_PROPOSAL_PARAMETERS, eight, 8, 0); /* the list has a tail to change */
    one(&k, &tx, 3);
    uint64_t n = chain_governance(k.c)->proposals;
    gov_until(&k, gov_proposal(&k, n)->vote_start);
    tx = vote_tx(&k, 2, n);
    one(&k, &tx, 2);
    tx = vote_tx(&k, 2, n); /* again: the old vote is taken out first */
    one(&k, &tx, 2);
    tx = kit_tx(&k, 2, CHAIN_TX_VOTE_FOR, 0);
    tx.payload.vote_for = (chain_tx_vote_for){ .proposal = n, .house = 1, .voter = kit_address(1) };
    one(&k, &tx, 2);
    gov_badge(&k, 1, ALL_MARKETS, true, 13, 710000);
    tx = kit_tx(&k, 1, CHAIN_TX_VOTE, 0);
    tx.payload.vote = (chain_tx_vote){ .proposal = n, .choice = CHAIN_VOTE_NO };
    bytes raw = kit_sign(&tx, 1);
    assert_int_equal(kit_block(&k, &raw, 1), OK);
    assert_int_equal(k.result.txs[0].code, OK);
    tx = kit_tx(&k, 1, CHAIN_TX_UNDELEGATE, 0);
    tx.payload.undelegate.house = 1;
    one(&k, &tx, 1);
    gov_audit(&k);
    kit_stop(&k);
}

/* 16 proposals of eight changes each, eight emergencies and eight rollbacks, all in one transition. */
static void transition(void **state)
{
    (void)state;
    kit k;
    gov_start(&k, many_slots);
    /* Eight single changes first, for the rollbacks. */
    static const chain_param early[] = { CHAIN_PARAM_SUBSIDY_ALPHA, CHAIN_PARAM_SUBSIDY_BETA, CHAIN_PARAM_SUBSIDY_TEMPERATURE,
                                         CHAIN_PARAM_SUBSIDY_DRIFT, CHAIN_PARAM_TARIFF_DRIFT, CHAIN_PARAM_GOV_PROPOSAL_BURN, CHAIN_PARAM_GOV_DISCLOSURE,
                                         CHAIN_PARAM_TX_TERM_MAX };
    static const chain_param late[] = { CHAIN_PARAM_FEE_MIN, CHAIN_PARAM_FEE_PER_BYTE, CHAIN_PARAM_INFLATION_GAIN, CHAIN_PARAM_BASELINE_UP,
                                        CHAIN_PARAM_BASELINE_DOWN, CHAIN_PARAM_DIVERSITY_PENALTY, CHAIN_PARAM_DIVERSITY_BONUS, CHAIN_PARAM_CONVERGE_EMERGENCY };
    static const chain_param tight[] = { CHAIN_PARAM_WORKER_BOND_MIN, CHAIN_PARAM_SLASH, CHAIN_PARAM_AUDIT_RATE, CHAIN_PARAM_STORAGE_UTIL_RESPONSE,
                                         CHAIN_PARAM_ENERGY_UTIL_RESPONSE, CHAIN_PARAM_AD_UTIL_RESPONSE, CHAIN_PARAM_COMPUTE_UTIL_RESPONSE,
                                         CHAIN_PARAM_AD_COST_RESPONSE };
    bytes txs[64];
    size_t count = 0;
    chain_param_change c[8];
    for (unsigned i = 0; i < 8; i++) {
        c[0] = (chain_param_change){ early[i], param(k.c, early[i]) + 1 };
        chain_tx tx = gov_proposal_tx(&k, 1 + i % 6, CHAIN_PROPOSAL_PARAMETERS, c, 1, 0);
        tx.nonce += i / 6;
        txs[count++] = kit_sign(&tx, 1 + i % 6);
    }
    assert_int_equal(kit_block(&k, txs, count), OK);
    gov_until(&k, gov_proposal(&k, 8)->vote_start);
    for (uint64_t n = 1; n <= 8; n++) {
        gov_votes(&k, OPERATOR, VOTER_END, n, CHAIN_VOTE_YES);
        assert_true(gov_proposal(&k, n)->status == CHAIN_PROPOSAL_OPEN || n == 8);
    }
    gov_until(&k, gov_proposal(&k, 8)->vote_end + 1);
    assert_int_equal(gov_proposal(&k, 8)->status, CHAIN_PROPOSAL_ACTIVATED);

    count = 0;
    uint64_t ahead[VOTER_END] = { 0 };
    for (unsigned i = 0; i < 32; i++) {
        unsigned who = 1 + i % 6;
        size_t changes = i < 16 ? 8 : i < 24;
        for (unsigned j = 0; j < changes; j++) {
            chain_param p = i < 16 ? late[j] : tight[i - 16];
            bool down = chain_param_tightens(p) == CHAIN_TIGHTENS_DOWN && i >= 16;
            c[j] = (chain_param_change){ p, param(k.c, p) + (down ? (uint64_t)-1 : 1 + i) };
        }
        chain_tx tx = gov_proposal_tx(&k, who, i < 16 ? CHAIN_PROPOSAL_PARAMETERS : changes ? CHAIN_PROPOSAL_EMERGENCY : CHAIN_PROPOSAL_ROLLBACK, c,
                                      changes, changes ? 0 : i - 23);
        tx.nonce += ahead[who]++;
        txs[count++] = kit_sign(&tx, who);
    }
    assert_int_equal(kit_block(&k, txs, count), OK);
    for (size_t i = 0; i < count; i++)
        if (k.result.txs[i].code != OK)
            fail_msg("%zu: %s", i, k.result.txs[i].what);
    gov_until(&k, gov_proposal(&k, 40)->vote_start);
    for (unsigned half = 0; half < 2; half++) {
        count = 0;
        for (unsigned who = half ? BUILDER : OPERATOR; who < (half ? VOTER_END : BUILDER); who++)
            for (uint64_t n = 0; n < 32 && count < 64; n++) {
                chain_tx tx = kit_tx(&k, who, CHAIN_TX_VOTE, n);
                tx.payload.vote = (chain_tx_vote){ .proposal = 9 + n, .choice = CHAIN_VOTE_YES };
                txs[count++] = kit_sign(&tx, who);
            }
        assert_int_equal(kit_block(&k, txs, count), OK);
    }
    gov_until(&k, gov_proposal(&k, 40)->vote_end);
    uint64_t at = gov_proposal(&k, 40)->activate_epoch;
    for (uint64_t n = 9; n <= 40; n++) {
        assert_int_equal(gov_proposal(&k, n)->status, CHAIN_PROPOSAL_TIMELOCKED);
        assert_int_equal(gov_proposal(&k, n)->activate_epoch, at);
    }
    while (chain_head(k.c)->height + 1 < (at - 1) * GOV_EPOCH)
        kit_advance(&k, 1);
    size_t used = journal_of(&k, NULL, 0);
    assert_int_equal(kit_block(&k, NULL, 0), OK);
    size_t events = k.result.event_count;
    for (uint64_t n = 9; n <= 40; n++)
        assert_int_equal(gov_proposal(&k, n)->status, n < 25 || n > 32 ? CHAIN_PROPOSAL_ACTIVATED : CHAIN_PROPOSAL_IN_FORCE);
    kit_advance(&k, GOV_EPOCH - 1);
    size_t plain = journal_of(&k, NULL, 0); /* the end of an epoch in which governance does nothing */
    assert_int_equal(kit_block(&k, NULL, 0), OK);
    assert_true(used - plain <= chain_gov_epoch_journal());
    assert_true(events <= chain_gov_epoch_events());
    assert_true(used - plain > chain_gov_epoch_journal() / 8); /* and the bound is no fancy one */
    gov_audit(&k);
    kit_stop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(transactions), cmocka_unit_test(transition) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
