/* SPDX-License-Identifier: Apache-2.0
 * Every parameter by signed transactions: those that both houses may change are proposed, voted, timelocked, activated and rolled
 * back; what is out of bounds, against a rule or nobody's to change is refused by name. */
#include "chain/gov/gov_kit.h"

#include <stdio.h>

/* Each reason that an event may give fits into it. */
#define PARAM(ID, number, key, unit, def, min, max, class, changer, doc) _Static_assert(sizeof(key) <= 91, "proposal_refused.why");
#define PARAM_RULE(text, condition)                                      _Static_assert(sizeof(text) <= 91, "proposal_refused.why");
#include "params.def"
#undef PARAM
#undef PARAM_RULE

static chain_params all_params(const kit *k)
{
    chain_params p;
    for (unsigned i = 0; i < CHAIN_PARAM_COUNT; i++)
        p.v[i] = chain_param_value(k->c, (chain_param)i);
    return p;
}

static const chain_row_param *row_of(const kit *k, chain_param p)
{
    chain_key key = chain_key_param(p);
    return chain_row_get(k->c, CHAIN_TABLE_PARAM, &key);
}

static bool votable(chain_param p, chain_param like)
{
    return chain_param_rows[p].changer == CHAIN_CHANGER_BOTH_HOUSES && chain_param_electorate(p) == chain_param_electorate(like) &&
           (chain_param_rows[p].class == CHAIN_CLASS_CONSTITUTIONAL) == (chain_param_rows[like].class == CHAIN_CLASS_CONSTITUTIONAL);
}

/* A change of the parameter that bounds and rules allow: alone, or with another one that takes up what it gives. Ascending by number. */
static size_t other_values(const kit *k, chain_param p, chain_param_change out[2])
{
    chain_params set = all_params(k);
    uint64_t now = set.v[p], candidates[] = { now + 1, now - 1, chain_param_rows[p].max, chain_param_rows[p].min };
    for (size_t i = 0; i < COUNT_OF(candidates); i++) {
        set.v[p] = candidates[i];
        out[0] = (chain_param_change){ p, candidates[i] };
        if (candidates[i] != now && chain_params_check(&set, NULL) == OK)
            return 1;
    }
    static const struct {
        int p, q;
    } steps[] = { { 1, -1 }, { -1, -1 }, { -1, 1 }, { 1, 1 } };
    for (unsigned i = 0; i < COUNT_OF(steps) * CHAIN_PARAM_COUNT; i++) {
        unsigned q = i % CHAIN_PARAM_COUNT, step = i / CHAIN_PARAM_COUNT;
        set = all_params(k);
        set.v[p] = now + (uint64_t)steps[step].p;
        set.v[q] += (uint64_t)steps[step].q;
        if (q == (unsigned)p || !votable((chain_param)q, p) || chain_params_check(&set, NULL) != OK)
            continue;
        bool first = chain_param_rows[p].number < chain_param_rows[q].number;
        out[!first] = (chain_param_change){ p, set.v[p] };
        out[first] = (chain_param_change){ (chain_param)q, set.v[q] };
        return 2;
    }
    fail_msg("%s has one value only", chain_param_rows[p].key);
    return 0;
}

static chain_proposal_kind kind_for(chain_param p)
{
    return chain_param_rows[p].class == CHAIN_CLASS_CONSTITUTIONAL ? CHAIN_PROPOSAL_AMENDMENT : CHAIN_PROPOSAL_PARAMETERS;
}

static void attest_all(kit *k)
{
    for (unsigned who = OPERATOR; who < VOTER_END; who++) {
        chain_tx tx = kit_tx(k, KIT_ISSUER, CHAIN_TX_KYC_ATTEST, 0);
        tx.payload.kyc_attest = (chain_tx_kyc_attest){ .subject = kit_address(who), .level = 2, .jurisdiction = 756,
                                                       .expiry_height = 1000000, .commitment = { { (uint8_t)who } } };
        assert_int_equal(kit_run(k, &tx, KIT_ISSUER), OK);
    }
}

/* Nothing but these differs from `before`. */
static void only_changed(const kit *k, const chain_params *before, const chain_param_change *changes, size_t count)
{
    chain_params now = all_params(k), want = *before;
    for (size_t i = 0; i < count; i++)
        want.v[changes[i].param] = changes[i].value;
    for (unsigned i = 0; i < CHAIN_PARAM_COUNT; i++)
        if (now.v[i] != want.v[i])
            fail_msg("%s is %llu", chain_param_rows[i].key, (unsigned long long)now.v[i]);
}

static void propose_and_pass(kit *k, chain_proposal_kind kind, const chain_param_change *changes, size_t count, uint64_t target,
                             const chain_params *before, uint64_t *number)
{
    chain_tx tx = gov_proposal_tx(k, OPERATOR, kind, changes, count, target);
    tx.fee_max = 2000000000;
    tx.payload.proposal_submit.stake = GOV_PROPOSAL_STAKE + 10;
    if (kit_run(k, &tx, OPERATOR) != OK)
        fail_msg("%s", k->result.txs[0].what);
    *number = chain_governance(k->c)->proposals;
    for (uint8_t round = 1; gov_proposal(k, *number)->status == CHAIN_PROPOSAL_OPEN; round++) {
        gov_until(k, gov_proposal(k, *number)->vote_start);
        gov_votes(k, OPERATOR, VOTER_END, *number, CHAIN_VOTE_YES);
        gov_until(k, gov_proposal(k, *number)->vote_end);
    }
    const chain_row_proposal *p = gov_proposal(k, *number);
    assert_int_equal(p->status, CHAIN_PROPOSAL_TIMELOCKED);
    uint64_t last = (p->activate_epoch - 1) * GOV_EPOCH - 1; /* the block before the one that activates */
    while (chain_head(k->c)->height < last) {
        kit_advance(k, 1);
        only_changed(k, before, NULL, 0);
    }
    kit_advance(k, 1);
}

/* One parameter's whole course; the chain ends with the values it had. */
static void course(kit *k, chain_param p)
{
    chain_params before = all_params(k), changed;
    chain_param_change changes[2];
    size_t count = other_values(k, p, changes);
    uint64_t number, back;
    propose_and_pass(k, kind_for(p), changes, count, 0, &before, &number);
    if (gov_proposal(k, number)->status != CHAIN_PROPOSAL_ACTIVATED)
        fail_msg("%s: status %u", chain_param_rows[p].key, gov_proposal(k, number)->status);
    only_changed(k, &before, changes, count);
    assert_int_equal(row_of(k, p)->previous, before.v[p]);
    assert_int_equal(row_of(k, p)->proposal, number);
    assert_int_equal(row_of(k, p)->changed_epoch, gov_now(k));
    changed = all_params(k);
    propose_and_pass(k, CHAIN_PROPOSAL_ROLLBACK, NULL, 0, number, &changed, &back);
    only_changed(k, &before, NULL, 0);
    assert_int_equal(gov_proposal(k, number)->status, CHAIN_PROPOSAL_ROLLED_BACK);
    assert_int_equal(gov_proposal(k, back)->status, CHAIN_PROPOSAL_ACTIVATED);
    assert_int_equal(row_of(k, p)->proposal, back);
    assert_int_equal(row_of(k, p)->previous, changed.v[p]);
}

static void every_parameter(void **state)
{
    (void)state;
    kit k;
    unsigned done = 0;
    gov_start(&k, NULL);
    attest_all(&k);
    chain_params genesis = all_params(&k);
    for (unsigned i = 0; i < CHAIN_PARAM_COUNT; i++)
        if (chain_param_rows[i].changer == CHAIN_CHANGER_BOTH_HOUSES) {
            course(&k, (chain_param)i);
            done++;
        }
    only_changed(&k, &genesis, NULL, 0);
    assert_true(done > 90);
    printf("%u parameters changed and rolled back in %llu blocks\n", done, (unsigned long long)chain_head(k.c)->height);
    gov_audit(&k);
    kit_stop(&k);
}

static void refused(kit *k, chain_proposal_kind kind, chain_param p, uint64_t value, err code, const char *named)
{
    chain_param_change change = { p, value };
    uint64_t number, before = chain_governance(k->c)->proposals;
    if (gov_propose(k, OPERATOR, kind, &change, 1, 0, &number) != code || strcmp(k->result.txs[0].what, named) != 0)
        fail_msg("%s = %llu: code %d, %s", chain_param_rows[p].key, (unsigned long long)value, k->result.txs[0].code,
                 k->result.txs[0].what ? k->result.txs[0].what : "accepted");
    assert_int_equal(number, before);
}

static void bounds(void **state)
{
    (void)state;
    kit k;
    gov_start(&k, NULL);
    for (unsigned i = 0; i < CHAIN_PARAM_COUNT; i++) {
        const chain_param_row *row = &chain_param_rows[i];
        if (row->changer == CHAIN_CHANGER_NOBODY) {
            refused(&k, CHAIN_PROPOSAL_PARAMETERS, (chain_param)i, row->max + 1, ERR_PERMISSION, row->key);
            refused(&k, CHAIN_PROPOSAL_AMENDMENT, (chain_param)i, row->max + 1, ERR_PERMISSION, row->key);
            refused(&k, CHAIN_PROPOSAL_EMERGENCY, (chain_param)i, row->max + 1, ERR_PERMISSION, row->key);
            continue;
        }
        refused(&k, kind_for((chain_param)i), (chain_param)i, row->max + 1, ERR_RANGE, row->key);
        if (row->min)
            refused(&k, kind_for((chain_param)i), (chain_param)i, row->min - 1, ERR_RANGE, row->key);
        refused(&k, kind_for((chain_param)i), (chain_param)i, param(k.c, (chain_param)i), ERR_EXISTS, row->key);
        chain_param_change other[2];
        if (other_values(&k, (chain_param)i, other) == 2) { /* without the other one it breaks the rule between them */
            fault f = { 0 };
            chain_params alone = all_params(&k);
            alone.v[i] = other[other[1].param == (chain_param)i].value;
            assert_int_equal(chain_params_check(&alone, &f), ERR_RANGE);
            refused(&k, kind_for((chain_param)i), (chain_param)i, alone.v[i], ERR_RANGE, f.what);
        } else if (row->class == CHAIN_CLASS_CONSTITUTIONAL)
            refused(&k, CHAIN_PROPOSAL_PARAMETERS, (chain_param)i, other[0].value, ERR_PERMISSION, row->key);
        else
            refused(&k, CHAIN_PROPOSAL_AMENDMENT, (chain_param)i, other[0].value, ERR_RANGE, "proposal_submit.kind");
    }
    kit_stop(&k);
}

/* Each rule between governance's own rows, at its edge and one over. */
static void rules(void **state)
{
    (void)state;
    static const struct {
        chain_param p;
        uint64_t    bad, good;
        const char *rule;
    } cases[] = {
        { CHAIN_PARAM_CLAIM_DELAY, 48, 40, "a claim must be possible before the refund, after a challenge, too" },
        { CHAIN_PARAM_ISSUANCE_MIN, 12000001, 12000000, "MinAnnualIssuanceBlock <= MaxAnnualIssuanceBlock" },
        { CHAIN_PARAM_TARIFF_MAX, 9, 10, "TariffMinBps <= TariffMaxBps" },
        { CHAIN_PARAM_GOV_THRESHOLD_STRUCTURAL, 549999, 550000, "gov.threshold_operational <= gov.threshold_structural" },
        { CHAIN_PARAM_GOV_LATE_WINDOW, 2, 1, "4 * gov.late_window <= gov.voting" },
        { CHAIN_PARAM_GOV_TIMELOCK_OPERATIONAL, 4, 3, "gov.timelock_operational <= gov.timelock_structural" },
        { CHAIN_PARAM_GOV_TIMELOCK_STRUCTURAL, 1, 2, "gov.timelock_operational <= gov.timelock_structural" },
        { CHAIN_PARAM_GOV_AMEND_COOLING, 1, 2, "gov.timelock_operational <= gov.amend_cooling" },
        { CHAIN_PARAM_GOV_FREEZE, 3, 2, "gov.freeze <= gov.timelock_operational" },
        { CHAIN_PARAM_GOV_SLOTS, 4, 5, "gov.slots_house <= gov.slots" },
        { CHAIN_PARAM_GOV_SLOTS_AMENDMENT, 11, 10, "gov.slots_amendment <= gov.slots" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        chain_params set;
        fault f = { 0 };
        chain_params_default(&set);
        kit k;
        gov_start(&k, NULL);
        set = all_params(&k);
        set.v[CHAIN_PARAM_GOV_THRESHOLD_OPERATIONAL] = 550000;
        set.v[CHAIN_PARAM_TARIFF_MIN] = 10;
        set.v[cases[i].p] = cases[i].good;
        assert_int_equal(chain_params_check(&set, &f), OK);
        set.v[cases[i].p] = cases[i].bad;
        assert_int_equal(chain_params_check(&set, &f), ERR_RANGE);
        assert_string_equal(f.what, cases[i].rule);
        set = all_params(&k);
        set.v[cases[i].p] = cases[i].bad;
        if (chain_params_check(&set, &f) != OK) /* with the values of this network, too: then no proposal may say so */
            refused(&k, kind_for(cases[i].p), cases[i].p, cases[i].bad, ERR_RANGE, cases[i].rule);
        kit_stop(&k);
    }
}

/* Seed 4.2, scenario 2: every market asks for everything. Use cannot be the whole of what is offered, in no market, not even in a genesis. */
static void every_target_at_its_whole(void **state)
{
    (void)state;
    kit k;
    gov_start(&k, NULL);
    for (unsigned m = 0; m < ECON_MARKETS; m++) {
        chain_param use = (chain_param)(CHAIN_PARAM_STORAGE_UTIL_TARGET + 2 * m), margin = (chain_param)(use + 1);
        chain_param_change both[2] = { { use, 10000 }, { margin, 10000 } };
        uint64_t number;
        fault f = { 0 };
        chain_params set = all_params(&k);
        EXPECT_ERR(gov_propose(&k, OPERATOR, CHAIN_PROPOSAL_PARAMETERS, both, 2, 0, &number), ERR_RANGE, chain_param_rows[use].key);
        assert_int_equal(number, 0);
        set.v[use] = 10000;
        assert_int_equal(chain_params_check(&set, &f), ERR_RANGE);
        assert_string_equal(f.what, chain_param_rows[use].key);
        refused(&k, CHAIN_PROPOSAL_PARAMETERS, margin, 10001, ERR_RANGE, chain_param_rows[margin].key);
    }
    gov_audit(&k);
    kit_stop(&k);
}

/* The immutable rows, whole houses for it or not: there is no transaction that reaches the vote. And what one vote may not, a vote
 * on something else cannot carry along. */
static void immutable(void **state)
{
    (void)state;
    kit k;
    gov_start(&k, NULL);
    uint64_t number;
    chain_param_change carried[2] = { { CHAIN_PARAM_FEE_MIN, 1001 }, { CHAIN_PARAM_EPOCH, 3 } };
    EXPECT_ERR(gov_propose(&k, OPERATOR, CHAIN_PROPOSAL_PARAMETERS, carried, 2, 0, &number), ERR_PERMISSION, "epoch.length");
    assert_int_equal(number, 0);
    /* Even a proposal row that says so is stopped when it is to act. */
    chain_param_change good = { CHAIN_PARAM_FEE_MIN, 1001 };
    assert_int_equal(gov_propose(&k, OPERATOR, CHAIN_PROPOSAL_PARAMETERS, &good, 1, 0, &number), OK);
    chain_key key = chain_key_change(number, 0);
    assert_int_equal(chain_reserve(k.c, 8, 4096), OK);
    ((chain_row_change *)chain_row_edit(k.c, CHAIN_TABLE_CHANGE, &key))->param = chain_param_rows[CHAIN_PARAM_SUPPLY_CAP].number;
    gov_pass(&k, number);
    assert_int_equal(gov_proposal(&k, number)->status, CHAIN_PROPOSAL_FAILED);
    assert_int_equal(param(k.c, CHAIN_PARAM_SUPPLY_CAP), CHAIN_AMOUNT_MAX);
    gov_audit(&k);
    kit_stop(&k);
}

static void diffs(void **state)
{
    (void)state;
    kit k;
    gov_start(&k, NULL);
    uint64_t number;
    /* Eight at once act together or not at all. */
    chain_param_change eight[8];
    for (unsigned i = 0; i < 8; i++)
        eight[i] = (chain_param_change){ (chain_param)(CHAIN_PARAM_SUBSIDY_ALPHA + (int[]){ 0, 1, 2, 3, 22, 23, 24, 24 }[i]), 100 };
    eight[4] = (chain_param_change){ CHAIN_PARAM_TARIFF_REVENUE_TARGET, 900 };
    eight[5] = (chain_param_change){ CHAIN_PARAM_TARIFF_DRIFT, 60 };
    eight[6] = (chain_param_change){ CHAIN_PARAM_GOV_WEIGHT_TOKEN, 5 };
    eight[7] = (chain_param_change){ CHAIN_PARAM_GOV_WEIGHT_SERVICE, 6 };
    assert_int_equal(gov_propose(&k, OPERATOR, CHAIN_PROPOSAL_PARAMETERS, eight, 8, 0, &number), OK);
    gov_pass(&k, number);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(param(k.c, eight[i].param), eight[i].value);

    chain_param_change twice[2] = { { CHAIN_PARAM_FEE_MIN, 5 }, { CHAIN_PARAM_FEE_MIN, 6 } };
    EXPECT_ERR(gov_propose(&k, OPERATOR, CHAIN_PROPOSAL_PARAMETERS, twice, 2, 0, &number), ERR_DUPLICATE, "changes");
    chain_param_change none = { CHAIN_PARAM_FEE_MIN, 5 };
    EXPECT_ERR(gov_propose(&k, OPERATOR, CHAIN_PROPOSAL_PARAMETERS, &none, 0, 0, &number), ERR_RANGE, "changes");
    EXPECT_ERR(gov_propose(&k, OPERATOR, CHAIN_PROPOSAL_PARAMETERS, &none, 1, 1, &number), ERR_RANGE, "proposal_submit.target");
    chain_param_change nine[9];
    for (unsigned i = 0; i < 9; i++)
        nine[i] = (chain_param_change){ (chain_param)(CHAIN_PARAM_SUBSIDY_ALPHA + i), 7 };
    EXPECT_ERR(gov_propose(&k, OPERATOR, CHAIN_PROPOSAL_PARAMETERS, nine, 9, 0, &number), ERR_LIMIT, "changes");
    chain_param_change mixed[2] = { { CHAIN_PARAM_STORAGE_UTIL_TARGET, 5000 }, { CHAIN_PARAM_ENERGY_UTIL_TARGET, 5001 } };
    EXPECT_ERR(gov_propose(&k, OPERATOR, CHAIN_PROPOSAL_PARAMETERS, mixed, 2, 0, &number), ERR_RANGE, "proposal_submit.changes");
    EXPECT_ERR(gov_propose(&k, OPERATOR, CHAIN_PROPOSAL_MEMBERSHIP, &none, 1, 0, &number), ERR_UNSUPPORTED, "proposal_submit.kind");
    EXPECT_ERR(gov_propose(&k, OPERATOR, CHAIN_PROPOSAL_DISBURSEMENT, &none, 1, 1, &number), ERR_RANGE, "proposal_submit.changes");
    EXPECT_ERR(gov_propose(&k, OPERATOR, CHAIN_PROPOSAL_DISBURSEMENT, &none, 0, 1, &number), ERR_NOT_FOUND, "proposal_submit.target");
    chain_tx tx = gov_proposal_tx(&k, OPERATOR, CHAIN_PROPOSAL_PARAMETERS, &none, 1, 0);
    static const uint8_t unknown[] = { 0x81, 0x82, 0x19, 0x03, 0xe7, 0x05 }; /* [[999, 5]] */
    tx.payload.proposal_submit.changes = BYTES_OF(unknown);
    EXPECT_ERR(kit_run(&k, &tx, OPERATOR), ERR_NOT_FOUND, "changes");
    gov_audit(&k);
    kit_stop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(every_parameter), cmocka_unit_test(bounds), cmocka_unit_test(rules),
                                        cmocka_unit_test(every_target_at_its_whole), cmocka_unit_test(immutable),
                                        cmocka_unit_test(diffs) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
