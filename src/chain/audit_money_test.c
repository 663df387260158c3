/* SPDX-License-Identifier: Apache-2.0
 * Audits of proved leases: where the money goes, to the last nBLOCK, what an open audit holds up, and the greatest block of verdicts. */
#include "chain/audit_kit.h"

/* --- who gets what -------------------------------------------------------------------------------------------------------- */

enum { WORKER = 1, OPENER = 3, BUYER = 0 };

/* Whose balance a settlement may change; the purses of the supply record besides. */
typedef struct money {
    uint64_t worker, opener, buyer, validator[4];
    uint64_t treasury, burned, escrow, bonds;
} money;

static money look(const kit *k)
{
    const chain_row_supply *s = chain_supply(k->c);
    money m = { .worker = kit_balance(k, WORKER), .opener = kit_balance(k, OPENER), .buyer = kit_balance(k, BUYER),
                .treasury = s->treasury, .burned = s->burned, .escrow = s->escrow, .bonds = s->bonds };
    for (size_t i = 0; i < 4; i++)
        m.validator[i] = kit_balance(k, validators[i]);
    return m;
}

/* What the parameters and the bond are, and what has to come of it. Validators 1 to 3 judge, in this order, the first for himself. */
typedef struct settlement {
    const char *name;
    uint64_t    deposit, slash_ppm, burn_ppm, reporter_ppm, bond;
    bool        drawn, valid;
    uint64_t    worker, part, treasury; /* credited: to the worker, to each of the validators, what was left */
    uint64_t    cut, burned, reporter, buyer;
} settlement;

static const settlement *now; /* a tweak of a genesis has no argument */

static void tweak_settlement(chain_genesis *g)
{
    four_validators(g);
    g->params.v[CHAIN_PARAM_AUDIT_DEPOSIT] = now->deposit;
    g->params.v[CHAIN_PARAM_AUDIT_RATE] = now->drawn ? 1000000 : 0;
    g->params.v[CHAIN_PARAM_SLASH] = now->slash_ppm;
    g->params.v[CHAIN_PARAM_SLASH_BURN] = now->burn_ppm;
    g->params.v[CHAIN_PARAM_SLASH_REPORTER] = now->reporter_ppm;
    /* A network in which one account holds nearly everything that may ever be. */
    cr_address rich = kit_address(WORKER);
    for (size_t i = 0; i < g->allocation_count; i++)
        if (cr_address_equal(&g->allocations[i].address, &rich))
            g->allocations[i].amount = CHAIN_AMOUNT_MAX - (KIT_ACCOUNTS + 1) * KIT_BALANCE;
}

#define RICH (CHAIN_AMOUNT_MAX - (KIT_ACCOUNTS + 2) * KIT_BALANCE)
static const settlement settlements[] = {
    { "valid, an odd deposit", 1000000009, 500000, 500000, 500000, 10000001, .valid = true, .worker = 500000004, .part = 166666668, .treasury = 1 },
    { "valid, the least deposit", 1, 500000, 500000, 500000, 10000001, .valid = true, .treasury = 1 },
    { "valid, the greatest deposit", 1000000000000 - 2000000, 500000, 500000, 500000, 10000001, .valid = true,
      .worker = 499999000000, .part = 166666333333, .treasury = 1 },
    { "valid, drawn", 1000000009, 500000, 500000, 500000, 10000001, .drawn = true, .valid = true },
    { "false", 1000001, 500000, 500000, 500000, 10000001, .part = 333333, .treasury = 2, .cut = 5000001, .burned = 2000000,
      .reporter = 1000000, .buyer = 1000000 },
    { "false, drawn", 1000001, 500000, 500000, 500000, 10000001, .drawn = true, .part = 333333, .treasury = 2, .cut = 5000001,
      .burned = 3000000, .buyer = 1000000 },
    { "false, odd shares", 1000003, 333333, 333333, 333333, 10000001, .part = 333334, .treasury = 1, .cut = 3333331,
      .burned = 777775, .reporter = 518517, .buyer = 1037036 },
    { "false, less than the fee", 1000000009, 500000, 500000, 500000, 10000001, .part = 1666667, .cut = 5000001 },
    { "false, exactly the fee", 5000001, 500000, 500000, 500000, 10000001, .part = 1666667, .cut = 5000001 },
    { "false, one nBLOCK over it", 5000000, 500000, 0, 1000000, 10000001, .part = 1666666, .treasury = 2, .cut = 5000001, .reporter = 1 },
    { "false, all of nearly all there is", 1000000000000 - 2000000, 1000000, 1000000, 0, RICH, .drawn = true, .part = 333332666666,
      .treasury = 2, .cut = RICH, .burned = RICH - (1000000000000 - 2000000) },
    { "false, all of it to the buyer", 1, 1000000, 0, 0, RICH, .drawn = true, .treasury = 1, .cut = RICH, .buyer = RICH - 1 },
};

static void settles_to_the_last_unit(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(settlements); i++) {
        const settlement *s = now = &settlements[i];
        kit k;
        hash256 job;
        print_message("%s\n", s->name);
        chain_receipt r = start(&k, tweak_settlement, &job, COMMITTED);
        chain_tx more = kit_tx(&k, WORKER, CHAIN_TX_WORKER_REGISTER, 0);
        more.payload.worker_register = (chain_tx_worker_register){ .bond = s->bond - 10000001, .supported_backends = CHAIN_BACKEND_CPU,
                                                                   .max_model_parameters = 1000000, .max_batch_size = 8 };
        assert_int_equal(run(&k, more, WORKER), OK);
        uint64_t deposit = s->drawn ? 0 : s->deposit;
        money m = look(&k);
        assert_int_equal(run_open(&k, OPENER, &job, &r), OK);
        assert_int_equal(kit_balance(&k, OPENER), m.opener - deposit - k.result.txs[0].fee);
        assert_int_equal(chain_supply(k.c)->escrow, m.escrow + deposit);
        for (size_t v = 1; v < 3; v++)
            assert_int_equal(run_verdict(&k, validators[v], &job, 0, s->valid ? 0 : ERR_UNPROVED), OK);
        m = look(&k);
        assert_int_equal(run_verdict(&k, validators[3], &job, 0, s->valid ? 0 : ERR_UNPROVED), OK);
        money after = look(&k);
        uint64_t fee = k.result.txs[0].fee;
        assert_int_equal(after.worker, m.worker + s->worker);
        assert_int_equal(after.opener, m.opener + s->reporter + (s->valid ? 0 : deposit));
        assert_int_equal(after.buyer, m.buyer + s->buyer);
        assert_int_equal(after.validator[0], m.validator[0] + fee); /* it made the block, and did not vote */
        assert_int_equal(after.validator[1], m.validator[1] + s->part);
        assert_int_equal(after.validator[2], m.validator[2] + s->part);
        assert_int_equal(after.validator[3], m.validator[3] + s->part - fee);
        assert_int_equal(after.treasury, m.treasury + s->treasury);
        assert_int_equal(after.burned, m.burned + s->burned);
        assert_int_equal(after.bonds, m.bonds - s->cut);
        assert_int_equal(after.escrow, m.escrow - deposit);
        assert_int_equal(chain_audit_row(k.c, &job, 0)->status, s->valid ? CHAIN_AUDIT_VALID : CHAIN_AUDIT_FALSE);
        kit_stop(&k);
    }
}

/* A network of one validator: it alone decides and is paid; the events say what was done. */
static void solo_events(void **state)
{
    (void)state;
    kit k;
    hash256 job;
    chain_receipt r = start(&k, windows, &job, PAID);
    assert_int_equal(run_open(&k, OPENER, &job, &r), OK);
    uint64_t producer = kit_balance(&k, KIT_PRODUCER);
    assert_int_equal(run_verdict(&k, KIT_PRODUCER, &job, 0, ERR_UNPROVED), OK);
    assert_int_equal(kit_balance(&k, KIT_PRODUCER), producer + 5000001);
    assert_int_equal(k.result.txs[0].event_count, 3);
    const chain_event *e = &k.result.events[k.result.txs[0].event_first];
    assert_int_equal(e[0].type, CHAIN_EVENT_AUDIT_VOTED);
    assert_int_equal(e[1].type, CHAIN_EVENT_WORKER_SLASHED);
    assert_int_equal(e[1].data.worker_slashed.slashed, 5000001);
    assert_int_equal(e[1].data.worker_slashed.burned, 0);
    assert_int_equal(e[2].type, CHAIN_EVENT_AUDIT_ENDED);
    assert_int_equal(e[2].data.audit_ended.status, CHAIN_AUDIT_FALSE);
    /* What was paid stays paid, and on record. */
    const chain_row_lease *lease = chain_lease_row(k.c, &job, 0);
    assert_int_equal(lease->status, CHAIN_LEASE_SPOILED);
    assert_int_equal(lease->gross, 2000);
    assert_int_equal(chain_job(k.c, &job)->sequences_paid, 8);
    kit_stop(&k);
}

static void all_at_stake(chain_genesis *g)
{
    four_validators(g);
    g->params.v[CHAIN_PARAM_SLASH] = 1000000;
}

/* One lie may cost all of the bond. The worker's other leases are audited all the same: nobody is paid for it, but what nobody shows does not stay on
 * record as proved, and its range is free. */
static void without_a_bond(void **state)
{
    (void)state;
    kit k;
    hash256 job;
    cr_address worker = kit_address(WORKER);
    chain_receipt first = start(&k, all_at_stake, &job, COMMITTED), second = kit_proved_receipt(&k, &job, WORKER, 1);
    assert_int_equal(kit_commit_trace(&k, KIT_COORDINATOR, &job, &second, 1), OK);
    assert_int_equal(run_open(&k, OPENER, &job, &first), OK);
    for (size_t v = 1; v < 4; v++)
        assert_int_equal(run_verdict(&k, validators[v], &job, 0, ERR_UNPROVED), OK);
    assert_int_equal(chain_worker(k.c, &worker)->bond, 0);
    assert_int_equal(run_open(&k, OPENER, &job, &second), OK);
    kit_advance(&k, PUSH);
    for (size_t v = 1; v < 3; v++)
        assert_int_equal(run_verdict(&k, validators[v], &job, 1, ERR_NOT_FOUND), OK);
    money m = look(&k);
    uint64_t deposit = chain_param_value(k.c, CHAIN_PARAM_AUDIT_DEPOSIT);
    assert_int_equal(run_verdict(&k, validators[3], &job, 1, ERR_NOT_FOUND), OK);
    money after = look(&k);
    assert_int_equal(after.opener, m.opener + deposit);
    assert_int_equal(after.validator[1], m.validator[1]);
    assert_int_equal(after.validator[2], m.validator[2]);
    assert_int_equal(after.validator[3], m.validator[3] - k.result.txs[0].fee);
    assert_true(after.treasury == m.treasury && after.burned == m.burned && after.bonds == m.bonds && after.buyer == m.buyer);
    assert_int_equal(chain_audit_row(k.c, &job, 1)->status, CHAIN_AUDIT_FALSE);
    assert_int_equal(chain_lease_row(k.c, &job, 1)->status, CHAIN_LEASE_SPOILED);
    chain_lease l = kit_lease(&k, &job, 2, 9, 8, 16);
    chain_attestation a = kit_attestation(&l);
    chain_receipt other = kit_receipt(&l, &a, 2);
    assert_int_equal(kit_commit_trace(&k, KIT_COORDINATOR, &job, &other, 1), OK);
    audit(&k);
    kit_stop(&k);
}

/* --- what an open audit holds up ------------------------------------------------------------------------------------------ */

static void payment_waits(void **state)
{
    (void)state;
    static const chain_audit_status ends[] = { CHAIN_AUDIT_VALID, CHAIN_AUDIT_FALSE, CHAIN_AUDIT_CLOSED };
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        kit k;
        hash256 job;
        chain_receipt r = start(&k, windows, &job, COMMITTED);
        assert_int_equal(run_open(&k, 3, &job, &r), OK);
        kit_advance(&k, 4); /* the claim delay is over */
        REFUSED(kit_pay(&k, KIT_COORDINATOR, &job, &r, 1), ERR_STATE, "audit.status");
        REFUSED(kit_pay(&k, 1, &job, &r, 1), ERR_STATE, "audit.status");
        if (ends[i] == CHAIN_AUDIT_CLOSED) {
            kit_advance(&k, VERDICT);
            assert_int_equal(run_close(&k, 1, &job, 0), OK);
        } else {
            assert_int_equal(run_verdict(&k, KIT_PRODUCER, &job, 0, ends[i] == CHAIN_AUDIT_VALID ? 0 : ERR_UNPROVED), OK);
        }
        assert_int_equal(row(&k, &job, 0)->status, ends[i]);
        if (ends[i] == CHAIN_AUDIT_FALSE) {
            REFUSED(kit_pay(&k, 1, &job, &r, 1), ERR_STATE, "lease.status");
            chain_receipt other = kit_proved_receipt(&k, &job, 2, 0);
            chain_lease l = kit_lease(&k, &job, 2, 9, 0, 8);
            chain_attestation a = kit_attestation(&l);
            other = kit_receipt(&l, &a, 2);
            assert_int_equal(kit_commit_trace(&k, KIT_COORDINATOR, &job, &other, 1), OK); /* its range is free */
        } else {
            assert_int_equal(kit_pay(&k, i ? KIT_COORDINATOR : 1, &job, &r, 1), OK);
        }
        cr_address worker = kit_address(1);
        assert_int_equal(chain_worker(k.c, &worker)->live_leases, 0);
        audit(&k);
        kit_stop(&k);
    }
}

/* Opened in the last block for it: the audit outlives the delay of a worker that left right after its pay. */
static void bond_waits(void **state)
{
    (void)state;
    kit k;
    hash256 job;
    chain_receipt r = start(&k, windows, &job, PAID);
    uint64_t paid = chain_head(k.c)->height;
    assert_int_equal(run(&k, kit_tx(&k, 1, CHAIN_TX_WORKER_UNREGISTER, 0), 1), OK);
    advance_to(&k, paid + WINDOW - 1);
    assert_int_equal(run_open(&k, 3, &job, &r), OK);
    advance_to(&k, paid + WINDOW + PUSH + VERDICT);
    REFUSED(run(&k, kit_tx(&k, 1, CHAIN_TX_WORKER_WITHDRAW, 0), 1), ERR_STATE, "worker.audits");
    assert_int_equal(run_close(&k, 1, &job, 0), OK);
    assert_int_equal(run(&k, kit_tx(&k, 1, CHAIN_TX_WORKER_WITHDRAW, 0), 1), OK);
    kit_stop(&k);
}

/* --- the greatest block --------------------------------------------------------------------------------------------------- */

enum { MANY = 64, AUDITS = 40, FEW = 8, LONGEST = 4096, QUORUM = 2 * MANY / 3 + 1, FIRST = 1000 };

static void many_validators(chain_genesis *g)
{
    static cr_public_key keys[MANY];
    windows(g);
    keys[0] = kit_public(KIT_PRODUCER);
    for (unsigned i = 1; i < MANY; i++)
        keys[i] = kit_public(FIRST + i);
    g->producers = keys;
    g->producer_count = MANY;
    g->params.v[CHAIN_PARAM_AUDIT_PUSH] = 1000;
    g->params.v[CHAIN_PARAM_WORKER_UNBOND] = 2000;
    g->params.v[CHAIN_PARAM_CLAIM_WINDOW] = 2000;
    g->params.v[CHAIN_PARAM_AUDIT_DEPOSIT] = 1000;
    g->params.v[CHAIN_PARAM_SLASH] = 10000; /* so that the last of them has something to share */
}

/* Leases of whole steps of the longest length, so that spoiling one touches as many rows as it may. */
static hash256 long_job(kit *k)
{
    chain_tx tx = kit_tx(k, 0, CHAIN_TX_JOB_POST, 0);
    tx.payload.job_post = (chain_tx_job_post){
        .coordinator = kit_public(KIT_COORDINATOR), .model_parameters = 1000, .width = 32, .layers = 1, .heads = 2, .context = 16,
        .vocabulary = 73, .operand_bits = 12, .batch_size = LONGEST, .steps = AUDITS, .learning_rate_ppb = 1000000,
        .gradient_format = 1, .max_batch_latency_blocks = 10, .sequences_total = LONGEST * AUDITS, .price = 1000,
        .price_sequences = LONGEST, .level_min = CHAIN_LEVEL_FULL, .escrow = 1000 * AUDITS,
        .expiry_height = chain_head(k->c)->height + 300, .required_backends = CHAIN_BACKEND_CPU };
    assert_int_equal(kit_run(k, &tx, 0), OK);
    hash256 job = k->last_id;
    return job;
}

static void bid_for_long_leases(kit *k, const hash256 *job, unsigned who)
{
    chain_tx tx = kit_tx(k, who, CHAIN_TX_WORKER_REGISTER, 0);
    tx.payload.worker_register = (chain_tx_worker_register){ .bond = 10000001, .supported_backends = CHAIN_BACKEND_CPU,
                                                             .max_model_parameters = 1000000, .max_batch_size = LONGEST };
    assert_int_equal(kit_run(k, &tx, who), OK);
    tx = kit_tx(k, who, CHAIN_TX_JOB_BID, 0);
    tx.payload.job_bid = (chain_tx_job_bid){ .job = *job, .price = 1000, .capacity = LONGEST };
    assert_int_equal(kit_run(k, &tx, who), OK);
    uint8_t buffer[128];
    cr_address a = kit_address(who);
    tx = kit_tx(k, KIT_COORDINATOR, CHAIN_TX_JOB_MATCH, 0);
    tx.payload.job_match.job = *job;
    CHECK(chain_addresses_encode(&tx.payload.job_match.workers, buffer, sizeof buffer, &a, 1) == OK);
    assert_int_equal(kit_run(k, &tx, KIT_COORDINATOR), OK);
}

static void all_ok(const kit *k, size_t count)
{
    assert_int_equal(k->result.tx_count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(k->result.txs[i].code, OK);
}

static chain_receipt long_receipt(const kit *k, const hash256 *job, unsigned worker, uint64_t id)
{
    chain_lease l = kit_lease(k, job, worker, id, LONGEST * id, LONGEST * (id + 1));
    l.step = id;
    l.price = 1000;
    l.level_min = CHAIN_LEVEL_FULL;
    chain_attestation a = kit_attestation(&l);
    a.level = CHAIN_LEVEL_FULL;
    a.proof = (hash256){ { 5 } };
    a.tokens = 16 * LONGEST;
    return kit_receipt(&l, &a, worker);
}

/* The votes of one validator on audits [first, first + count), in one block. */
static void votes(kit *k, bytes *txs, unsigned who, unsigned first, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        chain_tx tx = kit_audit_verdict(k, who, &k->last_id, first + i, ERR_UNPROVED);
        tx.nonce += i;
        txs[i] = kit_sign(&tx, who);
    }
}

/* Leases 0 .. AUDITS - 1 of one worker, each with an open audit and one vote less than a verdict needs; the job is k->last_id. All in
 * small blocks, so that no journal is reserved for them that is long enough for the block to come. */
static void almost_false(kit *k)
{
    bytes txs[FEW];
    hash256 job = long_job(k);
    bid_for_long_leases(k, &job, WORKER);
    for (unsigned i = 1; i <= QUORUM; i++) {
        chain_tx tx = kit_tx(k, 6, CHAIN_TX_TRANSFER, 0);
        tx.payload.transfer = (chain_tx_transfer){ .to = kit_address(FIRST + i), .amount = 1000000 };
        assert_int_equal(kit_run(k, &tx, 6), OK);
    }
    for (unsigned id = 0; id < AUDITS; id++) {
        chain_receipt r = long_receipt(k, &job, WORKER, id);
        assert_int_equal(kit_commit_trace(k, KIT_COORDINATOR, &job, &r, 1), OK);
        chain_tx open = kit_audit_open(k, OPENER, &job, &r);
        assert_int_equal(kit_run(k, &open, OPENER), OK);
    }
    k->last_id = job;
    for (unsigned v = 1; v < QUORUM; v++)
        for (unsigned first = 0; first < AUDITS; first += FEW) {
            votes(k, txs, FIRST + v, first, FEW);
            assert_int_equal(kit_block(k, txs, FEW), OK);
            all_ok(k, FEW);
        }
    for (unsigned id = 0; id < AUDITS; id++)
        assert_int_equal(chain_audit_row(k->c, &job, id)->status, CHAIN_AUDIT_OPEN);
}

/* 64 validators, and a block in which every transaction is the last vote against a lease of the greatest length: what was reserved for
 * it must hold, and dropping it must leave nothing. */
static void a_block_of_last_votes(void **state)
{
    (void)state;
    bytes txs[AUDITS];
    kit k;
    kit_start(&k, many_validators);
    almost_false(&k);
    votes(&k, txs, FIRST + QUORUM, 0, AUDITS);
    hash256 before = chain_head(k.c)->state_root;
    uint64_t validator = kit_balance(&k, FIRST + 1);
    assert_int_equal(kit_execute(&k, txs, AUDITS, false, NULL), OK);
    all_ok(&k, AUDITS);
    hash256 root = k.result.state_root;
    chain_abort(k.c);
    assert_true(hash256_equal(&before, &chain_head(k.c)->state_root));
    audit(&k);
    assert_int_equal(kit_execute(&k, txs, AUDITS, true, NULL), OK);
    assert_true(hash256_equal(&root, &k.result.state_root));
    for (unsigned id = 0; id < AUDITS; id++)
        assert_int_equal(chain_audit_row(k.c, &k.last_id, id)->status, CHAIN_AUDIT_FALSE);
    assert_int_equal(kit_balance(&k, FIRST + 1) - validator, AUDITS * (1000 / QUORUM));
    cr_address worker = kit_address(WORKER);
    assert_int_equal(chain_worker(k.c, &worker)->audits, 0);
    assert_int_equal(chain_worker(k.c, &worker)->leases_spoiled, AUDITS);
    audit(&k);
    kit_stop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settles_to_the_last_unit),
        cmocka_unit_test(solo_events),
        cmocka_unit_test(without_a_bond),
        cmocka_unit_test(payment_waits),
        cmocka_unit_test(bond_waits),
        cmocka_unit_test(a_block_of_last_votes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
