/* SPDX-License-Identifier: Apache-2.0
 * Proposals: both votes of an amendment, emergencies, rollbacks, conflicts, stakes, slots. Each rule with what passes and what does not. */
#include "chain/gov/gov_kit.h"

/* --- amendments --- */

static void amendment(void **state)
{
    (void)state;
    for (unsigned fails = 0; fails <= 2; fails++) { /* in no round, the first, the second */
        kit k;
        gov_start(&k, NULL);
        uint64_t e = gov_now(&k), n = propose(&k, CHAIN_PROPOSAL_AMENDMENT, &issuance);
        const chain_row_proposal *p = gov_proposal(&k, n);
        assert_int_equal(p->vote_start, e + 1 + 2);
        assert_int_equal(p->vote_end, e + 3 + 2);
        EXPECT_ERR(gov_vote(&k, 1, n, CHAIN_VOTE_YES), ERR_BUSY, "proposal.vote_start");
        gov_until(&k, e + 3);
        gov_votes(&k, OPERATOR, VOTER_END, n, CHAIN_VOTE_YES);
        if (fails == 1)
            gov_votes(&k, 6, 7, n, CHAIN_VOTE_NO);
        gov_until(&k, e + 5);
        if (fails == 1) {
            assert_int_equal(gov_proposal(&k, n)->status, CHAIN_PROPOSAL_REJECTED);
            kit_stop(&k);
            continue;
        }
        p = gov_proposal(&k, n);
        assert_int_equal(p->round, 2);
        assert_int_equal(p->vote_start, e + 5 + 3);
        assert_int_equal(p->yes_operators + p->cast_builders, 0);
        EXPECT_ERR(gov_vote(&k, 1, n, CHAIN_VOTE_YES), ERR_BUSY, "proposal.vote_start");
        gov_until(&k, e + 6);
        assert_int_equal(gov_stake(&k, 6, GOV_STAKE), OK); /* before the second snapshot: counts there */
        gov_until(&k, e + 8);
        assert_int_equal(gov_stake(&k, 5, GOV_STAKE), OK); /* after it: does not */
        assert_int_equal(gov_proposal(&k, n)->eligible_builders, chain_house(k.c, CHAIN_ELECTORATE_BUILDERS)->before);
        cr_address a6 = kit_address(6), a4 = kit_address(4);
        uint64_t p6 = chain_voter(k.c, &a6)->power_builders, p4 = chain_voter(k.c, &a4)->power_builders;
        gov_votes(&k, OPERATOR, fails ? 6 : 7, n, CHAIN_VOTE_YES);
        assert_int_equal(gov_proposal(&k, n)->yes_builders, 2 * p4 + (fails ? 0 : p6));
        if (fails)
            gov_votes(&k, 6, 7, n, CHAIN_VOTE_NO);
        gov_until(&k, e + 10);
        assert_int_equal(gov_proposal(&k, n)->status, fails ? CHAIN_PROPOSAL_REJECTED : CHAIN_PROPOSAL_TIMELOCKED);
        if (!fails) {
            assert_int_equal(gov_proposal(&k, n)->activate_epoch, e + 14);
            gov_until(&k, e + 14);
        } else {
            gov_until(&k, e + 20);
        }
        assert_int_equal(param(k.c, CHAIN_PARAM_ISSUANCE_MAX), fails ? 12000000 : 11000000);
        gov_audit(&k);
        kit_stop(&k);
    }
}

/* The lengths that a real network has, short epochs aside. */
static void real_lengths(chain_genesis *g)
{
    static const chain_param rows[] = { CHAIN_PARAM_GOV_VOTING, CHAIN_PARAM_GOV_LATE_WINDOW, CHAIN_PARAM_GOV_EXTENSION, CHAIN_PARAM_GOV_AMEND_COMMENT,
                                        CHAIN_PARAM_GOV_AMEND_VOTING, CHAIN_PARAM_GOV_AMEND_GAP, CHAIN_PARAM_GOV_AMEND_COOLING };
    gov_short(g);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        g->params.v[rows[i]] = chain_param_rows[rows[i]].initial;
}

/* 25 epochs of comment, 100 of voting, 144 between, 100 of voting, 50 of cooling; in no epoch before the last anything acts. */
static void amendment_at_full_length(void **state)
{
    (void)state;
    kit k;
    gov_start(&k, real_lengths);
    uint64_t e = gov_now(&k), n = propose(&k, CHAIN_PROPOSAL_AMENDMENT, &issuance);
    static const uint64_t comment = 25, voting = 100, gap = 144, cooling = 50;
    uint64_t first = e + 1 + comment, second = first + voting + gap;
    for (unsigned round = 0; round < 2; round++) {
        uint64_t start = round ? second : first;
        assert_int_equal(gov_proposal(&k, n)->vote_start, start);
        assert_int_equal(gov_proposal(&k, n)->vote_end, start + voting);
        gov_until(&k, start - 1);
        EXPECT_ERR(gov_vote(&k, 1, n, CHAIN_VOTE_YES), ERR_BUSY, "proposal.vote_start");
        gov_until(&k, start);
        gov_votes(&k, OPERATOR, VOTER_END, n, CHAIN_VOTE_YES);
        gov_until(&k, start + voting - 1);
        assert_int_equal(gov_proposal(&k, n)->status, CHAIN_PROPOSAL_OPEN);
        gov_until(&k, start + voting);
    }
    uint64_t acts = second + voting + cooling;
    assert_int_equal(acts, e + 1 + 25 + 100 + 144 + 100 + 50);
    while (chain_head(k.c)->height + 1 < (acts - 1) * GOV_EPOCH) {
        kit_advance(&k, 1);
        assert_int_equal(param(k.c, CHAIN_PARAM_ISSUANCE_MAX), 12000000);
    }
    kit_advance(&k, 1);
    assert_int_equal(param(k.c, CHAIN_PARAM_ISSUANCE_MAX), 11000000);
    gov_audit(&k);
    kit_stop(&k);
}

/* --- emergencies --- */

static const chain_param_change bond_up = { CHAIN_PARAM_WORKER_BOND_MIN, 2000000 }, bond_down = { CHAIN_PARAM_WORKER_BOND_MIN, 999999 };

static void emergency(void **state)
{
    (void)state;
    kit k;
    gov_start(&k, NULL);
    uint64_t n, other;
    EXPECT_ERR(gov_propose(&k, 1, CHAIN_PROPOSAL_EMERGENCY, &bond_down, 1, 0, &n), ERR_PERMISSION, "worker.bond_min");
    EXPECT_ERR(gov_propose(&k, 1, CHAIN_PROPOSAL_EMERGENCY, &issuance, 1, 0, &n), ERR_PERMISSION, "MaxAnnualIssuanceBlock");
    chain_param_change no_way = { CHAIN_PARAM_CHALLENGE_FEE, 5 };
    EXPECT_ERR(gov_propose(&k, 1, CHAIN_PROPOSAL_EMERGENCY, &no_way, 1, 0, &n), ERR_PERMISSION, "trace.challenge_fee");
    uint64_t e = gov_now(&k);
    n = propose(&k, CHAIN_PROPOSAL_EMERGENCY, &bond_up);
    gov_until(&k, e + 1);
    gov_votes(&k, OPERATOR, VOTER_END, n, CHAIN_VOTE_YES);
    gov_until(&k, e + 2);
    assert_int_equal(gov_proposal(&k, n)->status, CHAIN_PROPOSAL_TIMELOCKED);
    assert_int_equal(param(k.c, CHAIN_PARAM_WORKER_BOND_MIN), 1000000);
    gov_until(&k, e + 3);
    assert_int_equal(gov_proposal(&k, n)->status, CHAIN_PROPOSAL_IN_FORCE);
    assert_int_equal(param(k.c, CHAIN_PARAM_WORKER_BOND_MIN), 2000000);
    chain_param_change more = { CHAIN_PARAM_WORKER_BOND_MIN, 3000000 };
    EXPECT_ERR(gov_propose(&k, 1, CHAIN_PROPOSAL_EMERGENCY, &more, 1, 0, &other), ERR_EXISTS, "worker.bond_min");
    gov_until(&k, e + 8);
    assert_int_equal(param(k.c, CHAIN_PARAM_WORKER_BOND_MIN), 2000000);
    gov_until(&k, e + 9); /* six epochs later it ends by itself */
    assert_int_equal(gov_proposal(&k, n)->status, CHAIN_PROPOSAL_EXPIRED);
    assert_int_equal(param(k.c, CHAIN_PARAM_WORKER_BOND_MIN), 1000000);
    assert_int_equal(chain_governance(k.c)->first, 0);
    gov_audit(&k);
    kit_stop(&k);
}

/* Two that would hold one parameter, and one that no longer tightens anything: what was true at the submission is asked again. */
static void emergency_asked_again(void **state)
{
    (void)state;
    kit k;
    gov_start(&k, NULL);
    uint64_t to, first, second;
    chain_param_change same = { CHAIN_PARAM_WORKER_BOND_MIN, 2000000 }, more = { CHAIN_PARAM_WORKER_BOND_MIN, 3000000 };
    chain_param_change rate = { CHAIN_PARAM_AUDIT_RATE, 20000 };
    assert_int_equal(gov_propose(&k, 1, CHAIN_PROPOSAL_EMERGENCY, &same, 1, 0, &first), OK);
    assert_int_equal(gov_propose(&k, 2, CHAIN_PROPOSAL_EMERGENCY, &more, 1, 0, &second), OK);
    gov_until(&k, gov_proposal(&k, first)->vote_start);
    gov_votes(&k, OPERATOR, VOTER_END, first, CHAIN_VOTE_YES);
    gov_votes(&k, OPERATOR, VOTER_END, second, CHAIN_VOTE_YES);
    gov_until(&k, gov_proposal(&k, first)->vote_end);
    gov_until(&k, gov_proposal(&k, first)->activate_epoch);
    assert_int_equal(gov_proposal(&k, first)->status, CHAIN_PROPOSAL_IN_FORCE);
    assert_int_equal(gov_proposal(&k, second)->status, CHAIN_PROPOSAL_FAILED);
    assert_int_equal(param(k.c, CHAIN_PARAM_WORKER_BOND_MIN), 2000000);

    assert_int_equal(gov_propose(&k, 3, CHAIN_PROPOSAL_PARAMETERS, &rate, 1, 0, &to), OK);
    gov_until(&k, gov_proposal(&k, to)->vote_start);
    gov_votes(&k, OPERATOR, VOTER_END, to, CHAIN_VOTE_YES);
    gov_until(&k, gov_proposal(&k, to)->vote_end);
    gov_until(&k, gov_proposal(&k, to)->activate_epoch - 2);
    assert_int_equal(gov_propose(&k, 1, CHAIN_PROPOSAL_EMERGENCY, &rate, 1, 0, &first), OK); /* acts after it, with the same value */
    gov_until(&k, gov_proposal(&k, first)->vote_start);
    gov_votes(&k, OPERATOR, VOTER_END, first, CHAIN_VOTE_YES);
    gov_until(&k, gov_proposal(&k, first)->vote_end);
    gov_until(&k, gov_proposal(&k, first)->activate_epoch);
    assert_int_equal(gov_proposal(&k, to)->status, CHAIN_PROPOSAL_ACTIVATED);
    assert_int_equal(gov_proposal(&k, first)->status, CHAIN_PROPOSAL_FAILED);
    gov_audit(&k);
    kit_stop(&k);
}

static void short_vote(chain_genesis *g)
{
    gov_short(g);
    g->params.v[CHAIN_PARAM_GOV_VOTING] = 1;
    g->params.v[CHAIN_PARAM_GOV_EMERGENCY_TERM] = 12;
}

/* What is decided while an emergency holds the parameter stays when it ends; and taking that back returns to before the emergency. */
static void emergency_and_proposal(void **state)
{
    (void)state;
    kit k;
    gov_start(&k, short_vote);
    uint64_t n = propose(&k, CHAIN_PROPOSAL_EMERGENCY, &bond_up), other, back;
    chain_param_change to = { CHAIN_PARAM_WORKER_BOND_MIN, 1500000 };
    assert_int_equal(gov_propose(&k, 2, CHAIN_PROPOSAL_PARAMETERS, &to, 1, 0, &other), OK);
    gov_until(&k, gov_proposal(&k, n)->vote_start);
    gov_votes(&k, OPERATOR, VOTER_END, n, CHAIN_VOTE_YES);
    gov_votes(&k, OPERATOR, VOTER_END, other, CHAIN_VOTE_YES);
    gov_until(&k, gov_proposal(&k, n)->vote_end);
    gov_until(&k, gov_proposal(&k, n)->activate_epoch);
    assert_int_equal(param(k.c, CHAIN_PARAM_WORKER_BOND_MIN), 2000000);
    gov_until(&k, gov_proposal(&k, other)->activate_epoch);
    assert_int_equal(gov_proposal(&k, other)->status, CHAIN_PROPOSAL_ACTIVATED);
    assert_int_equal(param(k.c, CHAIN_PARAM_WORKER_BOND_MIN), 1500000);
    assert_int_equal(gov_propose(&k, 3, CHAIN_PROPOSAL_ROLLBACK, NULL, 0, other, &back), OK);
    gov_pass(&k, back);
    assert_int_equal(param(k.c, CHAIN_PARAM_WORKER_BOND_MIN), 1000000);
    gov_until(&k, gov_proposal(&k, n)->expire_epoch);
    assert_int_equal(gov_proposal(&k, n)->status, CHAIN_PROPOSAL_EXPIRED);
    assert_int_equal(param(k.c, CHAIN_PARAM_WORKER_BOND_MIN), 1000000);
    gov_audit(&k);
    kit_stop(&k);
}

/* Two emergencies that lean on each other end together: without the first alone a rule would not hold. */
static void emergencies_end_together(void **state)
{
    (void)state;
    kit k;
    gov_start(&k, short_vote); /* unbond 20, its rule: 2 + 1 + 1 <= unbond */
    uint64_t a, b;
    chain_param_change up = { CHAIN_PARAM_WORKER_UNBOND, 40 }, ceiling = { CHAIN_PARAM_STORAGE_MULTIPLIER_CEILING, 2000 };
    assert_int_equal(gov_propose(&k, 1, CHAIN_PROPOSAL_EMERGENCY, &up, 1, 0, &a), OK);
    gov_pass(&k, a);
    assert_int_equal(gov_propose(&k, 2, CHAIN_PROPOSAL_EMERGENCY, &ceiling, 1, 0, &b), OK);
    gov_pass(&k, b);
    assert_int_equal(gov_proposal(&k, b)->status, CHAIN_PROPOSAL_IN_FORCE);
    /* No proposal may rely on an emergency: an audit window that needs its longer unbonding is refused, by the rule. */
    chain_param_change leans = { CHAIN_PARAM_AUDIT_WINDOW, 25 };
    EXPECT_ERR(gov_propose(&k, 3, CHAIN_PROPOSAL_PARAMETERS, &leans, 1, 0, &b), ERR_RANGE, "an audit must end while the bond is there");
    chain_param_change fits = { CHAIN_PARAM_AUDIT_WINDOW, 18 };
    assert_int_equal(gov_propose(&k, 3, CHAIN_PROPOSAL_PARAMETERS, &fits, 1, 0, &b), OK);
    /* The second emergency's row says that it leans on the first. */
    chain_key key = chain_key_param(CHAIN_PARAM_AUDIT_WINDOW);
    assert_int_equal(chain_reserve(k.c, 8, 4096), OK);
    *(chain_row_param *)chain_row_edit(k.c, CHAIN_TABLE_PARAM, &key) = (chain_row_param){ .value = 25, .previous = 2, .proposal = 2 };
    key = chain_key_change(2, 0);
    *(chain_row_change *)chain_row_edit(k.c, CHAIN_TABLE_CHANGE, &key) =
        (chain_row_change){ .param = chain_param_rows[CHAIN_PARAM_AUDIT_WINDOW].number, .value = 25, .before = 2 };
    gov_until(&k, gov_proposal(&k, a)->expire_epoch);
    assert_int_equal(gov_proposal(&k, a)->status, CHAIN_PROPOSAL_EXPIRED);
    assert_int_equal(gov_proposal(&k, 2)->status, CHAIN_PROPOSAL_EXPIRED);
    assert_int_equal(param(k.c, CHAIN_PARAM_WORKER_UNBOND), 20);
    assert_int_equal(param(k.c, CHAIN_PARAM_AUDIT_WINDOW), 2);
    gov_audit(&k);
    kit_stop(&k);
}

/* --- rollbacks --- */

static void rollbacks(void **state)
{
    (void)state;
    kit k;
    gov_start(&k, NULL);
    uint64_t n, two, back, again;
    EXPECT_ERR(gov_propose(&k, 1, CHAIN_PROPOSAL_ROLLBACK, NULL, 0, 1, &back), ERR_NOT_FOUND, "proposal_submit.target");
    chain_param_change both[2] = { { CHAIN_PARAM_FEE_MIN, 1500 }, { CHAIN_PARAM_SUBSIDY_ALPHA, 500 } }, later = { CHAIN_PARAM_FEE_MIN, 1600 };
    assert_int_equal(gov_propose(&k, 1, CHAIN_PROPOSAL_PARAMETERS, both, 2, 0, &n), OK);
    EXPECT_ERR(gov_propose(&k, 2, CHAIN_PROPOSAL_ROLLBACK, NULL, 0, n, &back), ERR_STATE, "proposal_submit.target");
    gov_pass(&k, n);
    assert_int_equal(gov_propose(&k, 2, CHAIN_PROPOSAL_PARAMETERS, &later, 1, 0, &two), OK);
    gov_pass(&k, two);
    /* Only what still has its value from it goes back. */
    chain_param_change extra = { CHAIN_PARAM_FEE_MIN, 1 };
    EXPECT_ERR(gov_propose(&k, 3, CHAIN_PROPOSAL_ROLLBACK, &extra, 1, n, &back), ERR_RANGE, "proposal_submit.changes");
    assert_int_equal(gov_propose(&k, 3, CHAIN_PROPOSAL_ROLLBACK, NULL, 0, n, &back), OK);
    /* The slots of rollbacks are not for asking the same again, before the vote and after it has passed; of another one, they are. */
    EXPECT_ERR(gov_propose(&k, BUILDER, CHAIN_PROPOSAL_ROLLBACK, NULL, 0, n, &again), ERR_EXISTS, "proposal_submit.target");
    assert_int_equal(gov_propose(&k, BUILDER, CHAIN_PROPOSAL_ROLLBACK, NULL, 0, two, &again), OK);
    gov_until(&k, gov_proposal(&k, back)->vote_start);
    gov_votes(&k, OPERATOR, VOTER_END, back, CHAIN_VOTE_YES);
    gov_until(&k, gov_proposal(&k, back)->vote_end);
    EXPECT_ERR(gov_propose(&k, BUILDER, CHAIN_PROPOSAL_ROLLBACK, NULL, 0, n, &again), ERR_EXISTS, "proposal_submit.target");
    gov_until(&k, gov_proposal(&k, back)->activate_epoch);
    assert_int_equal(gov_proposal(&k, back)->status, CHAIN_PROPOSAL_ACTIVATED);
    assert_int_equal(param(k.c, CHAIN_PARAM_FEE_MIN), 1600);
    assert_int_equal(param(k.c, CHAIN_PARAM_SUBSIDY_ALPHA), 600);
    EXPECT_ERR(gov_propose(&k, 3, CHAIN_PROPOSAL_ROLLBACK, NULL, 0, back, &again), ERR_STATE, "proposal_submit.target");
    gov_until(&k, gov_proposal(&k, two)->activate_epoch + 12);
    assert_int_equal(gov_propose(&k, 1, CHAIN_PROPOSAL_ROLLBACK, NULL, 0, two, &back), OK); /* its window is still open */
    gov_until(&k, gov_proposal(&k, two)->activate_epoch + 13);
    EXPECT_ERR(gov_propose(&k, 5, CHAIN_PROPOSAL_ROLLBACK, NULL, 0, two, &back), ERR_EXPIRED, "gov.rollback_window");
    gov_audit(&k);
    kit_stop(&k);
}

/* To go back asks for one class less than to go: more than half for a structural change, 67 % for an amendment. */
static void rollback_thresholds(void **state)
{
    (void)state;
    static const struct {
        chain_proposal_kind       kind;
        const chain_param_change *change;
        uint64_t                  yes, no;
        bool                      passes;
    } cases[] = { { CHAIN_PROPOSAL_PARAMETERS, &window, 501, 500, true }, { CHAIN_PROPOSAL_PARAMETERS, &window, 500, 500, false },
                  { CHAIN_PROPOSAL_AMENDMENT, &issuance, 670, 330, true }, { CHAIN_PROPOSAL_AMENDMENT, &issuance, 669, 330, false } };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        kit k;
        uint64_t n, back;
        const uint64_t stakes[6] = { 10000, 10000, 10000, cases[i].yes * cases[i].yes, cases[i].no * cases[i].no, 0 };
        start_with(&k, stakes, NULL);
        assert_int_equal(gov_propose(&k, 1, cases[i].kind, cases[i].change, 1, 0, &n), OK);
        for (uint8_t round = 0; round < 2 && gov_proposal(&k, n)->status == CHAIN_PROPOSAL_OPEN; round++) {
            gov_until(&k, gov_proposal(&k, n)->vote_start);
            gov_votes(&k, OPERATOR, 6, n, CHAIN_VOTE_YES);
            gov_until(&k, gov_proposal(&k, n)->vote_end);
        }
        gov_until(&k, gov_proposal(&k, n)->activate_epoch);
        assert_int_equal(gov_propose(&k, 2, CHAIN_PROPOSAL_ROLLBACK, NULL, 0, n, &back), OK);
        gov_until(&k, gov_proposal(&k, back)->vote_start);
        gov_votes(&k, OPERATOR, 5, back, CHAIN_VOTE_YES);
        gov_votes(&k, 5, 6, back, CHAIN_VOTE_NO);
        gov_until(&k, gov_proposal(&k, back)->vote_end + 1);
        assert_int_equal(gov_proposal(&k, n)->status, cases[i].passes ? CHAIN_PROPOSAL_ROLLED_BACK : CHAIN_PROPOSAL_ACTIVATED);
        assert_int_equal(gov_proposal(&k, back)->status, cases[i].passes ? CHAIN_PROPOSAL_ACTIVATED : CHAIN_PROPOSAL_REJECTED);
        gov_audit(&k);
        kit_stop(&k);
    }
}

static void rollback_of_an_emergency(void **state)
{
    (void)state;
    kit k;
    gov_start(&k, short_vote);
    uint64_t n = propose(&k, CHAIN_PROPOSAL_EMERGENCY, &bond_up), back;
    gov_pass(&k, n);
    assert_int_equal(gov_propose(&k, 2, CHAIN_PROPOSAL_ROLLBACK, NULL, 0, n, &back), OK);
    gov_pass(&k, back);
    assert_int_equal(gov_proposal(&k, n)->status, CHAIN_PROPOSAL_ROLLED_BACK);
    assert_int_equal(param(k.c, CHAIN_PARAM_WORKER_BOND_MIN), 1000000);
    assert_int_equal(chain_governance(k.c)->first, 0);
    gov_audit(&k);
    kit_stop(&k);
}

/* What passed, but breaks a rule when it is to act, fails then and says which. */
static void conflict(void **state)
{
    (void)state;
    kit k;
    gov_start(&k, NULL);
    uint64_t a, b;
    chain_param_change min = { CHAIN_PARAM_CLAIM_DELAY, 30 }, max = { CHAIN_PARAM_CLAIM_WINDOW, 20 };
    assert_int_equal(gov_propose(&k, 1, CHAIN_PROPOSAL_PARAMETERS, &min, 1, 0, &a), OK);
    assert_int_equal(gov_propose(&k, 2, CHAIN_PROPOSAL_PARAMETERS, &max, 1, 0, &b), OK);
    gov_until(&k, gov_proposal(&k, a)->vote_start);
    gov_votes(&k, OPERATOR, VOTER_END, a, CHAIN_VOTE_YES);
    gov_votes(&k, OPERATOR, VOTER_END, b, CHAIN_VOTE_YES);
    gov_until(&k, gov_proposal(&k, a)->vote_end);
    uint64_t last = (gov_proposal(&k, a)->activate_epoch - 1) * GOV_EPOCH;
    while (chain_head(k.c)->height < last)
        kit_advance(&k, 1);
    assert_int_equal(gov_proposal(&k, a)->status, CHAIN_PROPOSAL_ACTIVATED);
    assert_int_equal(gov_proposal(&k, b)->status, CHAIN_PROPOSAL_FAILED);
    static const char why[] = "a claim must be possible before the refund, after a challenge, too";
    bool said = false;
    for (size_t i = 0; i < k.result.event_count; i++) {
        const chain_event *e = &k.result.events[i];
        if (e->type == CHAIN_EVENT_PROPOSAL_REFUSED && e->data.proposal_refused.proposal == b)
            said = bytes_equal(e->data.proposal_refused.why, bytes_of_str(why));
    }
    assert_true(said);
    assert_int_equal(param(k.c, CHAIN_PARAM_CLAIM_WINDOW), 50);
    assert_int_equal(chain_supply(k.c)->burned, 0); /* it passed: its stake came back whole */
    gov_audit(&k);
    kit_stop(&k);
}

/* --- what a proposal costs --- */

static void stakes(void **state)
{
    (void)state;
    kit k;
    gov_start(&k, NULL);
    uint64_t held = chain_supply(k.c)->stakes, before = kit_balance(&k, 1);
    chain_tx tx = gov_proposal_tx(&k, 1, CHAIN_PROPOSAL_PARAMETERS, &fee, 1, 0);
    tx.payload.proposal_submit.stake = GOV_PROPOSAL_STAKE - 1;
    EXPECT_ERR(kit_run(&k, &tx, 1), ERR_BOND, "proposal.stake");
    uint64_t spent = k.result.txs[0].fee;
    tx = gov_proposal_tx(&k, 1, CHAIN_PROPOSAL_PARAMETERS, &fee, 1, 0);
    tx.payload.proposal_submit.stake = GOV_PROPOSAL_STAKE + 7;
    assert_int_equal(kit_run(&k, &tx, 1), OK);
    spent += k.result.txs[0].fee;
    assert_int_equal(chain_supply(k.c)->stakes, held + GOV_PROPOSAL_STAKE + 7);
    assert_int_equal(kit_balance(&k, 1), before - spent - GOV_PROPOSAL_STAKE - 7);
    gov_until(&k, gov_proposal(&k, 1)->vote_end); /* nobody votes */
    assert_int_equal(gov_proposal(&k, 1)->status, CHAIN_PROPOSAL_REJECTED);
    uint64_t burned = (GOV_PROPOSAL_STAKE + 7) / 10;
    assert_int_equal(chain_supply(k.c)->burned, burned);
    assert_int_equal(chain_supply(k.c)->stakes, held);
    assert_int_equal(kit_balance(&k, 1), before - spent - burned);
    uint64_t n = propose(&k, CHAIN_PROPOSAL_PARAMETERS, &fee);
    spent += k.result.txs[0].fee;
    gov_until(&k, gov_proposal(&k, n)->vote_start);
    gov_votes(&k, 2, VOTER_END, n, CHAIN_VOTE_YES);
    gov_until(&k, gov_proposal(&k, n)->vote_end);
    assert_int_equal(kit_balance(&k, 1), before - spent - burned); /* passed: all of it, at once */
    assert_int_equal(gov_proposal(&k, n)->stake, 0);
    gov_until(&k, gov_proposal(&k, n)->activate_epoch + 1);
    assert_int_equal(chain_supply(k.c)->burned, burned);
    EXPECT_ERR(gov_propose(&k, 7, CHAIN_PROPOSAL_PARAMETERS, &storage, 1, 0, &n), ERR_PERMISSION, "proposal.house");
    tx = gov_proposal_tx(&k, BUILDER, CHAIN_PROPOSAL_PARAMETERS, &storage, 1, 0);
    tx.payload.proposal_submit.house = CHAIN_HOUSE_OPERATORS;
    EXPECT_ERR(kit_run(&k, &tx, BUILDER), ERR_PERMISSION, "proposal.house");
    tx = gov_proposal_tx(&k, BUILDER, CHAIN_PROPOSAL_PARAMETERS, &storage, 1, 0);
    tx.payload.proposal_submit.house = 0;
    EXPECT_ERR(kit_run(&k, &tx, BUILDER), ERR_RANGE, "proposal.house");
    gov_audit(&k);
    kit_stop(&k);
}

static void few_slots(chain_genesis *g)
{
    gov_short(g);
    g->params.v[CHAIN_PARAM_GOV_VOTING] = 40;
    g->params.v[CHAIN_PARAM_GOV_SLOTS] = 6;
    g->params.v[CHAIN_PARAM_GOV_SLOTS_HOUSE] = 4;
    g->params.v[CHAIN_PARAM_GOV_SLOTS_AMENDMENT] = 1;
    g->params.v[CHAIN_PARAM_GOV_SLOTS_URGENT] = 1;
    g->params.v[CHAIN_PARAM_GOV_COOLDOWN] = 3;
    g->params.v[CHAIN_PARAM_GOV_EMERGENCY_VOTING] = 10;
    g->params.v[CHAIN_PARAM_GOV_AMEND_VOTING] = 40;
}

static void slots(void **state)
{
    (void)state;
    kit k;
    gov_start(&k, few_slots);
    uint64_t n, other, e = gov_now(&k);
    assert_int_equal(gov_propose(&k, 1, CHAIN_PROPOSAL_AMENDMENT, &issuance, 1, 0, &n), OK);
    EXPECT_ERR(gov_propose(&k, 1, CHAIN_PROPOSAL_PARAMETERS, &fee, 1, 0, &n), ERR_BUSY, "gov.cooldown");
    EXPECT_ERR(gov_propose(&k, 2, CHAIN_PROPOSAL_AMENDMENT, &issuance, 1, 0, &n), ERR_LIMIT, "gov.slots_amendment");
    gov_until(&k, e + 2);
    EXPECT_ERR(gov_propose(&k, 1, CHAIN_PROPOSAL_PARAMETERS, &fee, 1, 0, &n), ERR_BUSY, "gov.cooldown");
    gov_until(&k, e + 3);
    assert_int_equal(gov_propose(&k, 1, CHAIN_PROPOSAL_PARAMETERS, &fee, 1, 0, &n), OK);
    assert_int_equal(gov_propose(&k, 2, CHAIN_PROPOSAL_PARAMETERS, &fee, 1, 0, &n), OK);
    assert_int_equal(gov_propose(&k, 3, CHAIN_PROPOSAL_PARAMETERS, &fee, 1, 0, &n), OK);
    gov_until(&k, e + 10);
    EXPECT_ERR(gov_propose(&k, 1, CHAIN_PROPOSAL_PARAMETERS, &fee, 1, 0, &n), ERR_LIMIT, "gov.slots_proposer");
    EXPECT_ERR(gov_propose(&k, 2, CHAIN_PROPOSAL_PARAMETERS, &fee, 1, 0, &n), ERR_LIMIT, "gov.slots_house");
    /* A house full of proposals does not keep the other one from its own, nor anyone from an emergency. */
    assert_int_equal(gov_propose(&k, 6, CHAIN_PROPOSAL_EMERGENCY, &bond_up, 1, 0, &n), OK);
    assert_int_equal(gov_propose(&k, 4, CHAIN_PROPOSAL_PARAMETERS, &fee, 1, 0, &other), OK);
    assert_int_equal(gov_propose(&k, 5, CHAIN_PROPOSAL_PARAMETERS, &fee, 1, 0, &other), OK);
    gov_until(&k, gov_now(&k) + 3);
    EXPECT_ERR(gov_propose(&k, 6, CHAIN_PROPOSAL_PARAMETERS, &fee, 1, 0, &other), ERR_LIMIT, "gov.slots");
    EXPECT_ERR(gov_propose(&k, 3, CHAIN_PROPOSAL_EMERGENCY, &bond_up, 1, 0, &other), ERR_LIMIT, "gov.slots_urgent");
    gov_until(&k, gov_proposal(&k, n)->vote_end);
    assert_int_equal(gov_proposal(&k, n)->status, CHAIN_PROPOSAL_REJECTED);
    assert_int_equal(gov_propose(&k, 3, CHAIN_PROPOSAL_EMERGENCY, &bond_up, 1, 0, &n), OK);
    gov_until(&k, gov_proposal(&k, 2)->vote_end); /* the first four are over: there is room */
    assert_int_equal(gov_propose(&k, 2, CHAIN_PROPOSAL_PARAMETERS, &fee, 1, 0, &n), OK);
    gov_audit(&k);
    kit_stop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(amendment), cmocka_unit_test(amendment_at_full_length), cmocka_unit_test(emergency_asked_again), cmocka_unit_test(rollback_thresholds),
        cmocka_unit_test(emergency), cmocka_unit_test(emergency_and_proposal), cmocka_unit_test(emergencies_end_together),
        cmocka_unit_test(rollbacks), cmocka_unit_test(rollback_of_an_emergency), cmocka_unit_test(conflict), cmocka_unit_test(stakes),
        cmocka_unit_test(slots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
