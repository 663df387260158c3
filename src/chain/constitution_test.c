/* SPDX-License-Identifier: Apache-2.0
 * Hostile proposers: a node whose execution is followed by an alteration of its own state, as if a rule had a hole. The node that checks refuses the
 * block by the name of the invariant; a node that does not check signs it, and an honest one refuses that block by its root. The seam is here and
 * nowhere else: this program compiles execute.c itself, with another function where the check is called. */
#include "chain/constitution.h"

static err hostile_check(const chain *c, const chain_block_input *in, fault *f);
#define chain_constitution_check hostile_check
#include "chain/execute.c"
#undef chain_constitution_check

#include "chain/gov/gov_kit.h"
#include "chain/treasury/treasury_kit.h"

static void (*alter)(chain *c);
static bool checks = true;

static err hostile_check(const chain *c, const chain_block_input *in, fault *f)
{
    if (alter)
        alter((chain *)(uintptr_t)c);
    return checks ? chain_constitution_check(c, in, f) : OK;
}

/* --- rows to alter ------------------------------------------------------------------------------------------------------- */

static uint64_t subject; /* number of the proposal or disbursement of the case */
static hash256  job;

static chain_row_supply *supply_of(chain *c)
{
    chain_key key = chain_key_supply();
    return chain_row_edit(c, CHAIN_TABLE_SUPPLY, &key);
}

static chain_row_account *account_of(chain *c, unsigned who)
{
    cr_address a = kit_address(who);
    chain_key key = chain_key_address(&a);
    return chain_row_edit(c, CHAIN_TABLE_ACCOUNT, &key);
}

static chain_row_param *param_of(chain *c, chain_param p)
{
    chain_key key = chain_key_param(p);
    return chain_row_edit(c, CHAIN_TABLE_PARAM, &key);
}

static chain_row_proposal *proposal_of(chain *c)
{
    chain_key key = chain_key_height(subject);
    return chain_row_edit(c, CHAIN_TABLE_PROPOSAL, &key);
}

static chain_row_disbursement *disbursement_of(chain *c)
{
    chain_key key = chain_key_height(subject);
    return chain_row_edit(c, CHAIN_TABLE_DISBURSEMENT, &key);
}

static chain_row_job *job_of(chain *c)
{
    chain_key key = chain_key_job(&job);
    return chain_row_edit(c, CHAIN_TABLE_JOB, &key);
}

static void credit(chain *c, unsigned who, uint64_t amount)
{
    cr_address a = kit_address(who);
    CHECK(chain_account_credit(c, &a, amount) == OK);
}

/* --- alterations: each keeps every other book in order, as a thief would --------------------------------------------------- */

static void mint_past_cap(chain *c)
{
    supply_of(c)->minted = param(c, CHAIN_PARAM_SUPPLY_CAP) + 1;
}
static void unburn(chain *c)
{
    supply_of(c)->burned--;
    credit(c, 3, 1);
}
static void mint_one_more(chain *c)
{
    supply_of(c)->minted++;
    credit(c, 3, 1);
}
static void mint_one_less(chain *c)
{
    supply_of(c)->minted--;
    supply_of(c)->treasury--;
}
static void mint_one_more_with_its_row(chain *c)
{
    mint_one_more(c);
    chain_key key = chain_key_height(1);
    chain_row_epoch *e = chain_row_edit(c, CHAIN_TABLE_EPOCH, &key);
    e->mint++;
    e->to_producers++;
}
static void account_from_nothing(chain *c)
{
    account_of(c, 3)->balance++;
}
static void escrow_from_nothing(chain *c)
{
    supply_of(c)->escrow++;
}
static void bonds_to_balance(chain *c)
{
    supply_of(c)->bonds--;
    credit(c, 3, 1);
}
static void stakes_to_balance(chain *c)
{
    supply_of(c)->stakes--;
    credit(c, 3, 1);
}
static void disbursing_from_nothing(chain *c)
{
    supply_of(c)->disbursing++;
}
static void pool_to_balance(chain *c)
{
    supply_of(c)->subsidy--;
    credit(c, 3, 1);
}
static void treasury_to_balance(chain *c)
{
    supply_of(c)->treasury--;
    credit(c, 3, 1);
}
static void burn_of_nothing(chain *c)
{
    supply_of(c)->burned++;
}
static void theft(chain *c)
{
    account_of(c, 2)->balance--;
    account_of(c, 3)->balance++;
}
static void theft_by_nonce(chain *c)
{
    theft(c);
    account_of(c, 2)->nonce++;
}
static void nonce_back(chain *c)
{
    account_of(c, 1)->nonce--;
}
static void escrow_twice(chain *c)
{
    supply_of(c)->escrow += 5;
    job_of(c)->escrow += 5;
    supply_of(c)->treasury -= 5;
}
static void job_again(chain *c)
{
    job_of(c)->status = CHAIN_JOB_OPEN;
}
static void longer_epoch(chain *c)
{
    param_of(c, CHAIN_PARAM_YEAR)->value++;
}
static void same_cap_by_proposal(chain *c)
{
    param_of(c, CHAIN_PARAM_GOV_TIMELOCK_MIN)->proposal = subject;
}
static void out_of_bounds(chain *c)
{
    param_of(c, CHAIN_PARAM_FEE_MIN)->value = chain_param_rows[CHAIN_PARAM_FEE_MIN].max + 1;
}
static void no_proposal(chain *c)
{
    param_of(c, CHAIN_PARAM_FEE_MIN)->value++;
}
static void act(chain *c, uint64_t value)
{
    chain_row_param *p = param_of(c, CHAIN_PARAM_FEE_MIN);
    *p = (chain_row_param){ .value = value, .previous = p->value, .changed_epoch = chain_head(c)->height / GOV_EPOCH + 2, .proposal = subject };
    proposal_of(c)->status = CHAIN_PROPOSAL_ACTIVATED;
}
static void early(chain *c)
{
    act(c, fee.value);
}
static void early_with_its_date(chain *c)
{
    act(c, fee.value);
    proposal_of(c)->activate_epoch = chain_head(c)->height / GOV_EPOCH + 2;
}
static void another_value(chain *c)
{
    param_of(c, CHAIN_PARAM_FEE_MIN)->value++;
}
static void other_change(chain *c)
{
    chain_key key = chain_key_change(subject, 0);
    ((chain_row_change *)chain_row_edit(c, CHAIN_TABLE_CHANGE, &key))->value++;
}
static void passed_alone(chain *c)
{
    chain_row_proposal *p = proposal_of(c);
    p->status = CHAIN_PROPOSAL_TIMELOCKED;
    p->activate_epoch = p->vote_end + p->timelock;
}
static void execute_early(chain *c)
{
    chain_row_disbursement *d = disbursement_of(c);
    d->status = CHAIN_DISBURSEMENT_EXECUTED;
    d->executed_epoch = chain_treasury(c)->epoch;
    d->final_epoch = d->executed_epoch + d->rollback_epochs;
    supply_of(c)->treasury -= d->amount;
    supply_of(c)->disbursing += d->amount;
}
static void pay_early(chain *c)
{
    chain_row_disbursement *d = disbursement_of(c);
    d->status = CHAIN_DISBURSEMENT_FINALIZED;
    supply_of(c)->disbursing -= d->amount;
    credit(c, 1, d->amount);
}
static void larger_amount(chain *c)
{
    chain_row_disbursement *d = disbursement_of(c);
    d->amount++;
    d->amount_1++;
}
static void accept_alone(chain *c)
{
    disbursement_of(c)->status = CHAIN_DISBURSEMENT_QUEUED;
}
static void revoked(chain *c)
{
    cr_address a = kit_address(1);
    chain_key key = chain_key_address(&a);
    ((chain_row_identity *)chain_row_edit(c, CHAIN_TABLE_IDENTITY, &key))->level = 0;
}

/* --- where each case begins: the block that comes is the one that is altered ------------------------------------------------ */

static void with_rules(chain_genesis *g)
{
    small_windows(g);
    gov_short(g);
    g->params.v[CHAIN_PARAM_MINT_PRODUCERS] = 500000;
    g->params.v[CHAIN_PARAM_MINT_SUBSIDY] = 450000;
    g->params.v[CHAIN_PARAM_MINT_TREASURY] = 50000;
}

static void plain(kit *k) { kit_start(k, with_rules); }
static void burnt(kit *k) /* a head that something was burned before */
{
    plain(k);
    outside(k);
    supply_of(k->c)->burned += 5;
    supply_of(k->c)->minted += 5;
    kit_advance(k, 1);
}
static void epoch_end(kit *k)
{
    plain(k);
    kit_advance(k, GOV_EPOCH - 1);
}
static void rich(kit *k) { start(k, with_rules); }
static void with_job(kit *k)
{
    rich(k);
    job = kit_post_job(k, 2, 0);
    kit_advance(k, 400);
    chain_tx close = kit_tx(k, 0, CHAIN_TX_JOB_CLOSE, 0);
    close.payload.job_close.job = job;
    assert_int_equal(kit_run(k, &close, 0), OK);
    assert_int_equal(chain_job(k->c, &job)->escrow, 0);
}
static void voters(kit *k) { gov_start(k, with_rules); }
static void timelocked(kit *k, uint64_t epochs_left) /* the next block ends an epoch */
{
    voters(k);
    subject = propose(k, CHAIN_PROPOSAL_PARAMETERS, &fee);
    gov_until(k, gov_proposal(k, subject)->vote_start);
    gov_votes(k, OPERATOR, VOTER_END, subject, CHAIN_VOTE_YES);
    gov_until(k, gov_proposal(k, subject)->vote_end);
    assert_int_equal(gov_proposal(k, subject)->status, CHAIN_PROPOSAL_TIMELOCKED);
    gov_until(k, gov_proposal(k, subject)->activate_epoch - epochs_left - 1);
    kit_advance(k, GOV_EPOCH - 1);
}
static void acts_next(kit *k) { timelocked(k, 0); }
static void acts_later(kit *k) { timelocked(k, 1); }
static void vote_ends(kit *k) /* one house is silent */
{
    voters(k);
    subject = propose(k, CHAIN_PROPOSAL_PARAMETERS, &fee);
    gov_until(k, gov_proposal(k, subject)->vote_start);
    gov_votes(k, OPERATOR, BUILDER, subject, CHAIN_VOTE_YES);
    gov_until(k, gov_proposal(k, subject)->vote_end - 1);
    kit_advance(k, GOV_EPOCH - 1);
}
static void disbursement_at(kit *k, chain_disbursement_status status, uint64_t epochs)
{
    rich(k);
    chain_disbursement_spec s = spec_of(FUNDED / 100, 1);
    s.timelock_epochs = s.rollback_epochs = 4;
    subject = must_pass(k, &s);
    while (chain_disbursement(k->c, subject)->status != status)
        kit_advance(k, 1);
    kit_advance(k, epochs * EPOCH_BLOCKS + EPOCH_BLOCKS - 1); /* the next block ends an epoch */
}
static void in_timelock(kit *k) { disbursement_at(k, CHAIN_DISBURSEMENT_TIMELOCKED, 1); }
static void in_window(kit *k) { disbursement_at(k, CHAIN_DISBURSEMENT_EXECUTED, 1); }
static void window_over(kit *k) { disbursement_at(k, CHAIN_DISBURSEMENT_EXECUTED, 3); }

static void in_vote(kit *k)
{
    rich(k);
    chain_disbursement_spec s = spec_of(FUNDED / 100, 1);
    s.vote_epochs = 2;
    subject = must_file(k, &s);
    assert_int_equal(open_vote(k, subject), OK);
    do
        kit_advance(k, 1);
    while (chain_head(k->c)->height % EPOCH_BLOCKS != EPOCH_BLOCKS - 1);
}

typedef struct hostile_case {
    chain_invariant broken;
    void          (*begin)(kit *k);
    void          (*alter)(chain *c);
} hostile_case;

static const hostile_case cases[] = {
    { CHAIN_INVARIANT_CAP, plain, mint_past_cap },
    { CHAIN_INVARIANT_NO_RETURN, burnt, unburn },
    { CHAIN_INVARIANT_NO_RETURN, rich, mint_one_less },
    { CHAIN_INVARIANT_MINT, plain, mint_one_more },
    { CHAIN_INVARIANT_MINT, epoch_end, mint_one_more },
    { CHAIN_INVARIANT_MINT, epoch_end, mint_one_less },
    { CHAIN_INVARIANT_MINT, epoch_end, mint_one_more_with_its_row },
    { CHAIN_INVARIANT_BALANCES, plain, account_from_nothing },
    { CHAIN_INVARIANT_ESCROW, plain, escrow_from_nothing },
    { CHAIN_INVARIANT_BONDS, plain, bonds_to_balance },
    { CHAIN_INVARIANT_STAKES, voters, stakes_to_balance },
    { CHAIN_INVARIANT_DISBURSING, plain, disbursing_from_nothing },
    { CHAIN_INVARIANT_POOL, rich, pool_to_balance },
    { CHAIN_INVARIANT_TREASURY, rich, treasury_to_balance },
    { CHAIN_INVARIANT_TOTAL, plain, burn_of_nothing },
    { CHAIN_INVARIANT_AUTHORITY, plain, theft },
    { CHAIN_INVARIANT_NONCES, plain, theft_by_nonce },
    { CHAIN_INVARIANT_NONCES, voters, nonce_back },
    { CHAIN_INVARIANT_JOB, with_job, escrow_twice },
    { CHAIN_INVARIANT_JOB, with_job, job_again },
    { CHAIN_INVARIANT_PARAM_FIXED, plain, longer_epoch },
    { CHAIN_INVARIANT_PARAM_FIXED, acts_next, same_cap_by_proposal },
    { CHAIN_INVARIANT_PARAM_BOUNDS, plain, out_of_bounds },
    { CHAIN_INVARIANT_PARAM_VOTE, plain, no_proposal },
    { CHAIN_INVARIANT_PARAM_VOTE, epoch_end, no_proposal },
    { CHAIN_INVARIANT_PARAM_VOTE, acts_next, another_value },
    { CHAIN_INVARIANT_PROPOSAL, acts_later, early },
    { CHAIN_INVARIANT_PROPOSAL, acts_later, early_with_its_date },
    { CHAIN_INVARIANT_PROPOSAL, acts_later, other_change },
    { CHAIN_INVARIANT_PROPOSAL, vote_ends, passed_alone },
    { CHAIN_INVARIANT_DISBURSEMENT, in_timelock, execute_early },
    { CHAIN_INVARIANT_DISBURSEMENT, in_timelock, larger_amount },
    { CHAIN_INVARIANT_DISBURSEMENT, in_window, pay_early },
    { CHAIN_INVARIANT_DISBURSEMENT, in_vote, accept_alone },
    { CHAIN_INVARIANT_PAYEE_KYC, window_over, revoked },
};

/* --- the tests ----------------------------------------------------------------------------------------------------------- */

static hash256 root_of(const kit *k)
{
    return chain_head(k->c)->state_root;
}

/* Refused by name and with nothing changed; the same block unaltered is good. */
static void refused_by_name(const hostile_case *h, size_t i)
{
    kit k;
    fault f = { 0 };
    alter = NULL;
    h->begin(&k);
    hash256 root = root_of(&k);
    alter = h->alter;
    err e = kit_execute(&k, NULL, 0, true, &f);
    alter = NULL;
    if (e != ERR_INVARIANT || strcmp(f.what, chain_invariants[h->broken].name) != 0)
        fail_msg("case %zu, %s: %d %s", i, chain_invariants[h->broken].name, (int)e, e == OK ? "accepted" : f.what);
    hash256 now = root_of(&k), trees = chain_trees_root(k.c, NULL);
    assert_true(hash256_equal(&root, &now) && hash256_equal(&root, &trees));
    gov_audit(&k);
    assert_int_equal(kit_execute(&k, NULL, 0, true, &f), OK);
    kit_stop(&k);
}

static void every_invariant(void **state)
{
    (void)state;
    unsigned seen[CHAIN_INVARIANT_COUNT] = { 0 };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        refused_by_name(&cases[i], i);
        seen[cases[i].broken]++;
    }
    for (unsigned i = 0; i < CHAIN_INVARIANT_COUNT; i++)
        if (!seen[i])
            fail_msg("no hostile block breaks: %s", chain_invariants[i].name);
}

/* Signs what it did without asking the check: the header of another state. */
static void honest_node_refuses(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        kit bad, good;
        fault f = { 0 };
        alter = NULL;
        cases[i].begin(&bad);
        cases[i].begin(&good);
        hash256 root = root_of(&good), same = root_of(&bad);
        assert_true(hash256_equal(&root, &same));
        alter = cases[i].alter;
        checks = false;
        assert_int_equal(kit_execute(&bad, NULL, 0, true, &f), OK);
        alter = NULL;
        checks = true;
        assert_int_equal(kit_execute(&good, NULL, 0, false, &f), OK);
        assert_int_equal(chain_commit(good.c, chain_head_signed(bad.c), &f), ERR_HASH);
        assert_string_equal(f.what, "header.state_root");
        chain_abort(good.c);
        hash256 now = root_of(&good), trees = chain_trees_root(good.c, NULL);
        assert_true(hash256_equal(&root, &now) && hash256_equal(&root, &trees));
        kit_stop(&bad);
        kit_stop(&good);
    }
}

/* A transfer without its owner's signature has no place in a block. */
static void forged_signature(void **state)
{
    (void)state;
    kit k;
    fault f = { 0 };
    plain(&k);
    chain_tx tx = kit_tx(&k, 1, CHAIN_TX_TRANSFER, 0);
    tx.payload.transfer = (chain_tx_transfer){ .to = kit_address(2), .amount = 1 };
    bytes good = kit_sign(&tx, 1);
    uint8_t copy[1024];
    assert_in_range(good.len, 64, sizeof copy);
    memcpy(copy, good.data, good.len);
    copy[good.len - 64] ^= 1; /* within the signature, which is last */
    bytes forged = bytes_of(copy, good.len);
    hash256 root = root_of(&k);
    assert_int_equal(kit_execute(&k, &forged, 1, true, &f), ERR_SIGNATURE);
    hash256 now = root_of(&k);
    assert_true(hash256_equal(&root, &now));
    assert_int_equal(kit_execute(&k, &good, 1, true, &f), OK);
    kit_stop(&k);
}

/* Every voter of both houses is willing: nobody may even file it. */
static void no_vote_changes_it(void **state)
{
    (void)state;
    kit k;
    unsigned tried = 0;
    alter = NULL;
    voters(&k);
    for (unsigned p = 0; p < CHAIN_PARAM_COUNT; p++) {
        const chain_param_row *row = &chain_param_rows[p];
        if (row->changer != CHAIN_CHANGER_NOBODY)
            continue;
        static const chain_proposal_kind kinds[] = { CHAIN_PROPOSAL_PARAMETERS, CHAIN_PROPOSAL_AMENDMENT, CHAIN_PROPOSAL_EMERGENCY };
        for (size_t i = 0; i < COUNT_OF(kinds); i++) {
            chain_param_change change = { (chain_param)p, param(k.c, (chain_param)p) + 1 };
            uint64_t number;
            err e = gov_propose(&k, OPERATOR, kinds[i], &change, 1, 0, &number);
            if (e != ERR_PERMISSION || strcmp(k.result.txs[0].what, row->key) != 0)
                fail_msg("%s: %d %s", row->key, (int)e, k.result.txs[0].what);
            tried++;
        }
    }
    assert_true(tried >= 30);
    kit_stop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_invariant), cmocka_unit_test(honest_node_refuses), cmocka_unit_test(forged_signature),
        cmocka_unit_test(no_vote_changes_it),
    };
    CHECK(cr_ed25519_self_test() == OK);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
