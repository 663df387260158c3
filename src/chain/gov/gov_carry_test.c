/* SPDX-License-Identifier: Apache-2.0
 * What votes carry out in other modules, by signed transactions from end to end: disbursements, issuers, authorities, badges. */
#include "chain/gov/gov_kit.h"
#include "chain/ident/ident.h"
#include "chain/treasury/treasury_kit.h"

static void windows(chain_genesis *g)
{
    small_windows(g);
    gov_short(g);
    g->params.v[CHAIN_PARAM_GOV_AMEND_VOTING] = 6;
}

/* Accounts 1 to 4 have KYC; the treasury is funded. */
static void begin(kit *k)
{
    subsidy_rate = 0;
    gov_start(k, windows);
    chain_tx gift = kit_tx(k, 7, CHAIN_TX_TRANSFER, 0);
    gift.payload.transfer = (chain_tx_transfer){ .to = chain_treasury_address(), .amount = FUNDED };
    assert_int_equal(kit_run(k, &gift, 7), OK);
    for (unsigned who = 1; who <= 4; who++)
        set_kyc(k, who, true);
    gov_until(k, gov_now(k) + 1);
}

static uint64_t put_to_vote(kit *k, uint64_t disbursement)
{
    uint64_t number;
    if (gov_propose(k, OPERATOR, CHAIN_PROPOSAL_DISBURSEMENT, NULL, 0, disbursement, &number) != OK)
        fail_msg("%s", k->result.txs[0].what);
    assert_int_equal(chain_disbursement(k->c, disbursement)->status, CHAIN_DISBURSEMENT_VOTING);
    assert_int_equal(chain_disbursement(k->c, disbursement)->proposal, number);
    return number;
}

static chain_disbursement_spec grant(uint64_t amount)
{
    chain_disbursement_spec s = spec_of(amount, 3);
    s.vote_epochs = 3;
    return s;
}

/* Everybody votes as said; the next block is the first after the vote. */
static void decide(kit *k, uint64_t number, chain_vote_choice operators, chain_vote_choice builders)
{
    gov_until(k, gov_proposal(k, number)->vote_start);
    gov_votes(k, OPERATOR, BUILDER, number, operators);
    gov_votes(k, BUILDER, VOTER_END, number, builders);
    gov_until(k, gov_proposal(k, number)->vote_end);
}

static void a_disbursement_is_paid(void **state)
{
    (void)state;
    kit k;
    begin(&k);
    uint64_t before = kit_balance(&k, 3), treasury = chain_supply(k.c)->treasury;
    chain_disbursement_spec s = grant(10000000);
    uint64_t d = must_file(&k, &s), number = put_to_vote(&k, d);
    decide(&k, number, CHAIN_VOTE_YES, CHAIN_VOTE_YES);
    uint64_t fees = before - kit_balance(&k, 3); /* of its votes */
    assert_int_equal(gov_proposal(&k, number)->status, CHAIN_PROPOSAL_ACTIVATED);
    for (unsigned i = 0; i < 20 && chain_disbursement(k.c, d)->status != CHAIN_DISBURSEMENT_FINALIZED; i++) {
        assert_int_equal(kit_balance(&k, 3), before - fees); /* nothing before the last window is over */
        gov_until(&k, gov_now(&k) + 1);
    }
    assert_int_equal(chain_disbursement(k.c, d)->status, CHAIN_DISBURSEMENT_FINALIZED);
    assert_int_equal(kit_balance(&k, 3), before - fees + 10000000);
    assert_int_equal(chain_supply(k.c)->treasury, treasury - 10000000);
    gov_audit(&k);
    kit_stop(&k);
}

/* One house is not enough; what was refused is never paid. */
static void both_houses_are_asked(void **state)
{
    (void)state;
    static const chain_vote_choice votes[][2] = { { CHAIN_VOTE_YES, CHAIN_VOTE_NO }, { CHAIN_VOTE_NO, CHAIN_VOTE_YES } };
    for (size_t i = 0; i < COUNT_OF(votes); i++) {
        kit k;
        begin(&k);
        chain_disbursement_spec s = grant(10000000);
        uint64_t d = must_file(&k, &s), number = put_to_vote(&k, d), treasury = chain_supply(k.c)->treasury;
        decide(&k, number, votes[i][0], votes[i][1]);
        assert_int_equal(gov_proposal(&k, number)->status, CHAIN_PROPOSAL_REJECTED);
        assert_int_equal(chain_disbursement(k.c, d)->status, CHAIN_DISBURSEMENT_ROLLED_BACK);
        gov_until(&k, gov_now(&k) + 12);
        assert_int_equal(chain_supply(k.c)->treasury, treasury);
        gov_audit(&k);
        kit_stop(&k);
    }
}

/* The houses take an accepted one back before it is final: what is held returns to the treasury. */
static void it_is_taken_back(void **state)
{
    (void)state;
    kit k;
    begin(&k);
    uint64_t treasury = chain_supply(k.c)->treasury, back;
    chain_disbursement_spec s = grant(10000000);
    s.rollback_epochs = 8;
    uint64_t d = must_file(&k, &s), number = put_to_vote(&k, d);
    decide(&k, number, CHAIN_VOTE_YES, CHAIN_VOTE_YES);
    assert_int_equal(gov_propose(&k, OPERATOR, CHAIN_PROPOSAL_ROLLBACK, NULL, 0, number, &back), OK);
    gov_pass(&k, back);
    assert_int_equal(gov_proposal(&k, back)->status, CHAIN_PROPOSAL_ACTIVATED);
    assert_int_equal(gov_proposal(&k, number)->status, CHAIN_PROPOSAL_ROLLED_BACK);
    expect_status(&k, d, CHAIN_DISBURSEMENT_ROLLED_BACK, CHAIN_ROLLBACK_VOTED);
    assert_int_equal(chain_supply(k.c)->treasury, treasury);
    assert_int_equal(chain_supply(k.c)->disbursing, 0);

    /* Too late: it is final when the vote on the rollback ends, and the rollback fails. */
    s = grant(10000000);
    s.timelock_epochs = s.rollback_epochs = 1;
    d = must_file(&k, &s);
    number = put_to_vote(&k, d);
    decide(&k, number, CHAIN_VOTE_YES, CHAIN_VOTE_YES);
    assert_int_equal(gov_propose(&k, OPERATOR, CHAIN_PROPOSAL_ROLLBACK, NULL, 0, number, &back), OK);
    gov_pass(&k, back);
    assert_int_equal(gov_proposal(&k, back)->status, CHAIN_PROPOSAL_FAILED);
    assert_int_equal(chain_disbursement(k.c, d)->status, CHAIN_DISBURSEMENT_FINALIZED);
    gov_audit(&k);
    kit_stop(&k);
}

/* Whoever can propose could hold the slots of all with votes that take a month: no vote on a disbursement takes longer than one on an
 * amendment, and those that take longer than an ordinary one have the amendments' few slots. */
static void long_votes_hold_few_slots(void **state)
{
    (void)state;
    kit k;
    uint64_t none;
    begin(&k);
    uint64_t most = param(k.c, CHAIN_PARAM_GOV_SLOTS_AMENDMENT);
    chain_disbursement_spec s = grant(1000);
    s.vote_epochs = 7;
    assert_int_equal(file(&k, &s), ERR_RANGE);
    assert_string_equal(k.result.txs[0].what, "disbursement_file.vote_epochs");
    for (uint64_t i = 0; i < most; i++) { /* two by each proposer */
        s.vote_epochs = 5 + i % 2;
        uint64_t d = must_file(&k, &s);
        assert_int_equal(gov_propose(&k, OPERATOR + (unsigned)i / 2, CHAIN_PROPOSAL_DISBURSEMENT, NULL, 0, d, &none), OK);
    }
    uint64_t d = must_file(&k, &s);
    EXPECT_ERR(gov_propose(&k, BUILDER, CHAIN_PROPOSAL_DISBURSEMENT, NULL, 0, d, &none), ERR_LIMIT, "gov.slots_amendment");
    EXPECT_ERR(gov_propose(&k, BUILDER, CHAIN_PROPOSAL_AMENDMENT, &issuance, 1, 0, &none), ERR_LIMIT, "gov.slots_amendment");
    s.vote_epochs = 4;
    d = must_file(&k, &s);
    assert_int_equal(gov_propose(&k, BUILDER, CHAIN_PROPOSAL_DISBURSEMENT, NULL, 0, d, &none), OK);
    assert_int_equal(gov_propose(&k, BUILDER + 1, CHAIN_PROPOSAL_PARAMETERS, &fee, 1, 0, &none), OK);
    gov_audit(&k);
    kit_stop(&k);
}

/* --- membership --- */

static err ask(kit *k, chain_membership action, unsigned subject, uint8_t role, uint32_t scope)
{
    chain_tx tx = kit_tx(k, OPERATOR, CHAIN_TX_MEMBERSHIP_PROPOSE, 0);
    tx.payload.membership_propose = (chain_tx_membership_propose){ .house = 1, .action = (uint8_t)action, .subject = kit_address(subject), .role = role,
                                                                   .scope = scope, .stake = GOV_PROPOSAL_STAKE };
    return kit_run(k, &tx, OPERATOR);
}

static void carried(kit *k, chain_membership action, unsigned subject, uint8_t role, uint32_t scope)
{
    assert_int_equal(ask(k, action, subject, role, scope), OK);
    uint64_t number = chain_governance(k->c)->proposals;
    gov_pass(k, number);
    assert_int_equal(gov_proposal(k, number)->status, CHAIN_PROPOSAL_ACTIVATED);
}

static err attest(kit *k, unsigned issuer, unsigned subject)
{
    chain_tx tx = kit_tx(k, issuer, CHAIN_TX_KYC_ATTEST, 0);
    tx.payload.kyc_attest = (chain_tx_kyc_attest){ .subject = kit_address(subject), .level = 1, .jurisdiction = 40, .expiry_height = 100000,
                                                   .commitment = { { (uint8_t)subject, 9 } } };
    return kit_run(k, &tx, issuer);
}

static void issuers_and_authorities(void **state)
{
    (void)state;
    kit k;
    begin(&k);
    cr_address seven = kit_address(7), five = kit_address(5);
    assert_int_equal(attest(&k, 7, 5), ERR_PERMISSION);
    carried(&k, CHAIN_MEMBERSHIP_ISSUER_ADMIT, 7, 0, 0);
    assert_int_equal(attest(&k, 7, 5), OK);
    assert_true(chain_kyc_valid(k.c, &five));
    carried(&k, CHAIN_MEMBERSHIP_ISSUER_REMOVE, 7, 0, 0);
    assert_false(chain_kyc_valid(k.c, &five)); /* on the next block, for every attestation of the issuer */
    assert_int_equal(attest(&k, 7, 6), ERR_PERMISSION);
    assert_null(chain_authority_get(k.c, CHAIN_ROLE_PACKS, &seven));
    carried(&k, CHAIN_MEMBERSHIP_AUTHORITY_ADMIT, 7, CHAIN_ROLE_PACKS, 276);
    assert_non_null(chain_authority_get(k.c, CHAIN_ROLE_PACKS, &seven));
    carried(&k, CHAIN_MEMBERSHIP_AUTHORITY_REMOVE, 7, CHAIN_ROLE_PACKS, 276);
    assert_null(chain_authority_get(k.c, CHAIN_ROLE_PACKS, &seven));
    /* A badge that is not there cannot end: the proposal passes and fails. */
    assert_int_equal(ask(&k, CHAIN_MEMBERSHIP_BADGE_END, 7, ECON_COMPUTE, 0), OK);
    uint64_t number = chain_governance(k.c)->proposals;
    gov_pass(&k, number);
    assert_int_equal(gov_proposal(&k, number)->status, CHAIN_PROPOSAL_FAILED);
    gov_audit(&k);
    kit_stop(&k);
}

static void membership_refused(void **state)
{
    (void)state;
    kit k;
    begin(&k);
    assert_int_equal(ask(&k, 0, 7, 0, 0), ERR_RANGE);
    assert_int_equal(ask(&k, CHAIN_MEMBERSHIP_ISSUER_ADMIT, 7, 1, 0), ERR_RANGE);
    assert_int_equal(ask(&k, CHAIN_MEMBERSHIP_ISSUER_ADMIT, 7, 0, 1), ERR_RANGE);
    assert_int_equal(ask(&k, CHAIN_MEMBERSHIP_AUTHORITY_ADMIT, 7, 0, 0), ERR_RANGE);
    assert_int_equal(ask(&k, CHAIN_MEMBERSHIP_AUTHORITY_ADMIT, 7, CHAIN_ROLE_PACKS, (uint32_t)LIMIT_REGION + 1), ERR_RANGE);
    assert_int_equal(ask(&k, CHAIN_MEMBERSHIP_AUTHORITY_ADMIT, 7, CHAIN_ROLE_RELEASES, 1), ERR_RANGE);
    assert_int_equal(ask(&k, CHAIN_MEMBERSHIP_BADGE_END, 7, ECON_COMPUTE, 1), ERR_RANGE);
    uint64_t none;
    assert_int_equal(gov_propose(&k, OPERATOR, CHAIN_PROPOSAL_DISBURSEMENT, NULL, 0, 77, &none), ERR_NOT_FOUND);
    assert_int_equal(chain_governance(k.c)->proposals, 0);
    gov_audit(&k);
    kit_stop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_disbursement_is_paid), cmocka_unit_test(both_houses_are_asked), cmocka_unit_test(it_is_taken_back),
        cmocka_unit_test(long_votes_hold_few_slots),
        cmocka_unit_test(issuers_and_authorities), cmocka_unit_test(membership_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
