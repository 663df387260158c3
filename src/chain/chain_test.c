/* SPDX-License-Identifier: Apache-2.0
 * The state machine as a whole: what each transaction does, each refusal, and what holds over random histories. */
#include "chain/chain_kit.h"

#include "crypto/sha256.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>

static void audit(const kit *k)
{
    fault f = { 0 };
    if (chain_audit(k->c, &f) != OK)
        fail_msg("%s at %llu", f.what, (unsigned long long)f.at);
}

static chain_tx transfer(const kit *k, unsigned from, unsigned to, uint64_t amount)
{
    chain_tx tx = kit_tx(k, from, CHAIN_TX_TRANSFER, 0);
    tx.payload.transfer = (chain_tx_transfer){ .to = kit_address(to), .amount = amount };
    return tx;
}

static chain_tx attest(const kit *k, unsigned subject)
{
    chain_tx tx = kit_tx(k, KIT_ISSUER, CHAIN_TX_KYC_ATTEST, 0);
    tx.payload.kyc_attest = (chain_tx_kyc_attest){ .subject = kit_address(subject), .level = 2, .jurisdiction = 756,
                                                   .expiry_height = chain_head(k->c)->height + 1000, .commitment = { { 5 } } };
    return tx;
}

#define EXPECT(k, tx, who, code) assert_int_equal(kit_run(k, tx, who), code)

static void transfers_and_tariff(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, NULL);
    chain_tx tx = transfer(&k, 0, 50, 1000000);
    EXPECT(&k, &tx, 0, OK);
    uint64_t fee = k.result.txs[0].fee;
    assert_int_equal(kit_balance(&k, 50), 990000);
    assert_int_equal(kit_balance(&k, 0), KIT_BALANCE - 1000000 - fee);
    assert_int_equal(chain_supply(k.c)->treasury, 10000);
    assert_int_equal(kit_balance(&k, KIT_PRODUCER), fee);
    assert_int_equal(k.result.event_count, 3);
    assert_int_equal(k.result.events[1].type, CHAIN_EVENT_TARIFF_COLLECTED);
    assert_int_equal(k.result.events[2].type, CHAIN_EVENT_FEES_PAID);

    chain_tx kyc = attest(&k, 0);
    EXPECT(&k, &kyc, KIT_ISSUER, OK);
    tx = transfer(&k, 0, 50, 1000000);
    EXPECT(&k, &tx, 0, OK);
    assert_int_equal(kit_balance(&k, 50), 1990000);
    assert_int_equal(chain_supply(k.c)->treasury, 10000);

    tx = transfer(&k, 0, 0, 500);
    tx.payload.transfer.to = chain_treasury_address();
    EXPECT(&k, &tx, 0, OK);
    assert_int_equal(chain_supply(k.c)->treasury, 10500);
    audit(&k);
    kit_stop(&k);
}

/* Parts pay what the whole pays, but for what is rounded; and a part small enough to be rounded to nothing costs a fee above what it saves. */
static void splitting_does_not_pay(void **state)
{
    (void)state;
    static const struct {
        uint64_t amount, parts;
    } cases[] = { { 100000, 10 }, { 100, 10 }, { 99, 10 }, { 1, 10 }, { 12345, 7 } };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        kit k;
        kit_start(&k, NULL);
        uint64_t fees = 0, parts = cases[i].parts, whole = cases[i].amount * parts / 100;
        for (uint64_t n = 0; n < parts; n++) {
            chain_tx tx = transfer(&k, 0, 50, cases[i].amount);
            EXPECT(&k, &tx, 0, OK);
            fees += k.result.txs[0].fee;
        }
        uint64_t paid = chain_supply(k.c)->treasury;
        assert_int_equal(paid, parts * (cases[i].amount / 100));
        assert_int_equal(kit_balance(&k, 50), cases[i].amount * parts - paid);
        chain_tx one = transfer(&k, 1, 51, cases[i].amount * parts);
        EXPECT(&k, &one, 1, OK);
        assert_int_equal(chain_supply(k.c)->treasury - paid, whole);
        assert_true(fees - k.result.txs[0].fee > whole - paid);
        kit_stop(&k);
    }
}

static void burn_half(chain_genesis *g)
{
    g->params.v[CHAIN_PARAM_FEE_BURN] = 500000;
}

static void fees_can_burn(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, burn_half);
    chain_tx tx = transfer(&k, 0, 1, 1);
    tx.tip = 7;
    EXPECT(&k, &tx, 0, OK);
    uint64_t base = k.result.txs[0].fee - 7;
    assert_int_equal(chain_supply(k.c)->burned, base / 2);
    assert_int_equal(kit_balance(&k, KIT_PRODUCER), base - base / 2 + 7);
    audit(&k);
    kit_stop(&k);
}

/* What keeps a transaction out of any block: the whole block is refused, and nothing changes. */
static void admission(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, NULL);
    static const struct {
        int case_no;
        err code;
    } cases[] = { { 0, ERR_CHAIN_ID }, { 1, ERR_EXPIRED }, { 2, ERR_RANGE }, { 3, ERR_FUNDS }, { 4, ERR_NONCE },
                  { 5, ERR_NONCE },    { 6, ERR_FEE },     { 7, ERR_FUNDS }, { 8, ERR_SIGNATURE }, { 9, ERR_OVERFLOW } };
    chain_tx first = transfer(&k, 1, 2, 5);
    EXPECT(&k, &first, 1, OK);
    hash256 root = chain_head(k.c)->state_root;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        unsigned who = cases[i].case_no == 3 ? 60 : 1;
        chain_tx tx = transfer(&k, who, 2, 5), ignored;
        switch (cases[i].case_no) {
        case 0: CHECK(chain_name_set(&tx.chain_id, bytes_of_str("other")) == OK); break;
        case 1: tx.expiry_height = chain_head(k.c)->height; break;
        case 2: tx.expiry_height = 1000000; break;
        case 4: tx.nonce--; break;
        case 5: tx.nonce += LIMIT_NONCE_WINDOW; break;
        case 6: tx.fee_max = 100; break;
        case 7: tx.fee_max = tx.tip = CHAIN_AMOUNT_MAX; tx.tip -= 100000; break;
        case 9: tx.tip = tx.fee_max = CHAIN_AMOUNT_MAX; break;
        }
        bytes raw = kit_sign(&tx, who);
        if (cases[i].case_no == 8) {
            uint8_t *copy = malloc(raw.len);
            memcpy(copy, raw.data, raw.len);
            copy[raw.len - 1] ^= 1;
            raw = kit_keep(bytes_of(copy, raw.len));
            free(copy);
        }
        fault f = { 0 };
        err want = cases[i].case_no == 9 ? ERR_FEE : cases[i].code;
        assert_int_equal(chain_check(k.c, &ignored, raw, (chain_check_flags){ 0 }, &f), want);
        bytes two[2] = { raw, raw };
        chain_tx good = transfer(&k, 3, 2, 5);
        two[0] = kit_sign(&good, 3);
        assert_int_equal(kit_execute(&k, two, 2, false, &f), want);
        assert_int_equal(f.at, 1);
        assert_true(hash256_equal(&root, &chain_head(k.c)->state_root));
        assert_int_equal(chain_execute(k.c, &(chain_block_input){ 0 }, &k.result, &f), ERR_STALE);
    }
    audit(&k);
    assert_int_equal(kit_balance(&k, 3), KIT_BALANCE);
    kit_stop(&k);
}

static void check_window(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, NULL);
    chain_tx out, tx = kit_tx(&k, 1, CHAIN_TX_TRANSFER, LIMIT_NONCE_WINDOW - 1);
    tx.payload.transfer = (chain_tx_transfer){ .to = kit_address(2), .amount = 5 };
    assert_int_equal(chain_check(k.c, &out, kit_sign(&tx, 1), (chain_check_flags){ 0 }, NULL), OK);
    tx.payload.transfer.amount = KIT_BALANCE;
    assert_int_equal(chain_check(k.c, &out, kit_sign(&tx, 1), (chain_check_flags){ 0 }, NULL), ERR_FUNDS);
    uint8_t junk[3] = { 0x82, 0x00, 0x00 };
    assert_int_not_equal(chain_check(k.c, &out, BYTES_OF(junk), (chain_check_flags){ 0 }, NULL), OK);
    kit_stop(&k);
}

/* A refused body costs its fee and the nonce and does nothing else. */
static void failed_tx_leaves_nothing(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, NULL);
    chain_row_supply before = *chain_supply(k.c);
    chain_tx tx = transfer(&k, 0, 77, KIT_BALANCE);
    EXPECT(&k, &tx, 0, ERR_FUNDS);
    assert_string_equal(k.result.txs[0].what, "transfer.amount");
    assert_null(chain_account(k.c, &(cr_address){ .kind = 1 }));
    cr_address a = kit_address(77);
    assert_null(chain_account(k.c, &a));
    assert_int_equal(chain_supply(k.c)->balances, before.balances);
    assert_int_equal(kit_balance(&k, 0), KIT_BALANCE - k.result.txs[0].fee);
    a = kit_address(0);
    assert_int_equal(chain_account(k.c, &a)->nonce, 1);
    tx = transfer(&k, 0, 1, 0);
    EXPECT(&k, &tx, 0, ERR_RANGE);
    tx = transfer(&k, 0, 1, 1);
    tx.payload.transfer.to = cr_address_of_chain("somebody");
    EXPECT(&k, &tx, 0, ERR_ADDRESS);
    tx.nonce++;
    tx.payload.transfer.to.kind = CR_ADDRESS_MULTISIG;
    EXPECT(&k, &tx, 0, ERR_ADDRESS);
    audit(&k);
    kit_stop(&k);
}

static void two_issuers(chain_genesis *g)
{
    static cr_public_key issuers[2];
    issuers[0] = kit_public(KIT_ISSUER);
    issuers[1] = kit_public(7);
    g->issuers = issuers;
    g->issuer_count = 2;
}

static void identity(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, two_issuers);
    cr_address one = kit_address(1);
    chain_tx tx = attest(&k, 1);
    tx.sender = kit_public(2);
    EXPECT(&k, &tx, 2, ERR_PERMISSION);
    tx = attest(&k, 1);
    tx.payload.kyc_attest.level = 0;
    EXPECT(&k, &tx, KIT_ISSUER, ERR_RANGE);
    tx = attest(&k, 1);
    tx.payload.kyc_attest.jurisdiction = 0;
    EXPECT(&k, &tx, KIT_ISSUER, ERR_RANGE);
    tx = attest(&k, 1);
    tx.payload.kyc_attest.expiry_height = 1;
    EXPECT(&k, &tx, KIT_ISSUER, ERR_EXPIRED);
    tx = attest(&k, 1);
    tx.payload.kyc_attest.subject.kind = CR_ADDRESS_CHAIN;
    EXPECT(&k, &tx, KIT_ISSUER, ERR_ADDRESS);
    chain_tx revoke = kit_tx(&k, KIT_ISSUER, CHAIN_TX_KYC_REVOKE, 0);
    revoke.payload.kyc_revoke.subject = one;
    EXPECT(&k, &revoke, KIT_ISSUER, ERR_NOT_FOUND);
    tx = attest(&k, 1);
    tx.payload.kyc_attest.expiry_height = chain_head(k.c)->height + 3;
    EXPECT(&k, &tx, KIT_ISSUER, OK);
    assert_true(chain_kyc_valid(k.c, &one));
    tx = kit_tx(&k, 7, CHAIN_TX_KYC_ATTEST, 0);
    tx.payload.kyc_attest = (chain_tx_kyc_attest){ .subject = one, .level = 1, .jurisdiction = 1, .expiry_height = 900 };
    EXPECT(&k, &tx, 7, ERR_EXISTS);
    kit_advance(&k, 2);
    assert_false(chain_kyc_valid(k.c, &one));
    tx.nonce++;
    EXPECT(&k, &tx, 7, OK);
    revoke = kit_tx(&k, KIT_ISSUER, CHAIN_TX_KYC_REVOKE, 0);
    revoke.payload.kyc_revoke.subject = one;
    EXPECT(&k, &revoke, KIT_ISSUER, ERR_PERMISSION);
    revoke = kit_tx(&k, 2, CHAIN_TX_KYC_REVOKE, 0);
    revoke.payload.kyc_revoke.subject = one;
    EXPECT(&k, &revoke, 2, ERR_PERMISSION);
    revoke = kit_tx(&k, 7, CHAIN_TX_KYC_REVOKE, 0);
    revoke.payload.kyc_revoke.subject = one;
    EXPECT(&k, &revoke, 7, OK);
    assert_false(chain_kyc_valid(k.c, &one));
    kit_stop(&k);
}

static void workers(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, NULL);
    chain_tx_worker_register good = { .bond = 1000000, .supported_backends = 1, .max_model_parameters = 1, .max_batch_size = 1 };
    struct {
        chain_tx_worker_register p;
        err                      code;
    } cases[] = { { good, ERR_BOND }, { good, ERR_RANGE }, { good, ERR_RANGE }, { good, ERR_RANGE }, { good, ERR_FUNDS } };
    cases[0].p.bond--;
    cases[1].p.supported_backends = 0;
    cases[2].p.max_model_parameters = 0;
    cases[3].p.max_batch_size = 0;
    cases[4].p.bond = KIT_BALANCE;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        chain_tx tx = kit_tx(&k, 1, CHAIN_TX_WORKER_REGISTER, 0);
        tx.payload.worker_register = cases[i].p;
        EXPECT(&k, &tx, 1, cases[i].code);
    }
    chain_tx leave = kit_tx(&k, 1, CHAIN_TX_WORKER_UNREGISTER, 0);
    EXPECT(&k, &leave, 1, ERR_NOT_FOUND);
    chain_tx take = kit_tx(&k, 1, CHAIN_TX_WORKER_WITHDRAW, 0);
    EXPECT(&k, &take, 1, ERR_NOT_FOUND);
    chain_tx tx = kit_tx(&k, 1, CHAIN_TX_WORKER_REGISTER, 0);
    tx.payload.worker_register = good;
    EXPECT(&k, &tx, 1, OK);
    take = kit_tx(&k, 1, CHAIN_TX_WORKER_WITHDRAW, 0);
    EXPECT(&k, &take, 1, ERR_STATE);
    leave = kit_tx(&k, 1, CHAIN_TX_WORKER_UNREGISTER, 0);
    EXPECT(&k, &leave, 1, OK);
    leave.nonce++;
    EXPECT(&k, &leave, 1, ERR_STATE);
    tx = kit_tx(&k, 1, CHAIN_TX_WORKER_REGISTER, 0);
    tx.payload.worker_register = good;
    EXPECT(&k, &tx, 1, ERR_STATE);
    kit_advance(&k, 1);
    uint64_t before = kit_balance(&k, 1);
    take = kit_tx(&k, 1, CHAIN_TX_WORKER_WITHDRAW, 0);
    EXPECT(&k, &take, 1, OK);
    assert_int_equal(kit_balance(&k, 1), before + 1000000 - k.result.txs[0].fee);
    assert_int_equal(chain_supply(k.c)->bonds, 0);
    tx = kit_tx(&k, 1, CHAIN_TX_WORKER_REGISTER, 0);
    tx.payload.worker_register = good;
    EXPECT(&k, &tx, 1, OK);
    audit(&k);
    kit_stop(&k);
}

static void job_post_refusals(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, NULL);
    hash256 ok = kit_post_job(&k, 2, 0);
    const chain_row_job *j = chain_job(k.c, &ok);
    assert_int_equal(j->escrow, 4077);
    chain_tx good = kit_tx(&k, 0, CHAIN_TX_JOB_POST, 0);
    good.payload.job_post = (chain_tx_job_post){
        .coordinator = kit_public(KIT_COORDINATOR), .model_parameters = 1000, .width = 32, .layers = 1, .heads = 2, .context = 64,
        .vocabulary = 73, .operand_bits = 12, .batch_size = 8, .steps = 2, .gradient_format = 1, .sequences_total = 16,
        .price = 1000, .price_sequences = 4, .level_min = 1, .escrow = 4000, .expiry_height = 40 };
#define REFUSE(member, value, code)                       \
    do {                                                  \
        chain_tx tx = good;                               \
        tx.nonce = kit_tx(&k, 0, CHAIN_TX_JOB_POST, 0).nonce; \
        tx.payload.job_post.member = (value);             \
        EXPECT(&k, &tx, 0, code);                         \
    } while (0)
    REFUSE(model_parameters, 0, ERR_RANGE);
    REFUSE(width, 0, ERR_RANGE);
    REFUSE(layers, 0, ERR_RANGE);
    REFUSE(heads, 0, ERR_RANGE);
    REFUSE(context, 0, ERR_RANGE);
    REFUSE(vocabulary, 0, ERR_RANGE);
    REFUSE(operand_bits, 7, ERR_RANGE);
    REFUSE(batch_size, 0, ERR_RANGE);
    REFUSE(steps, 0, ERR_RANGE);
    REFUSE(steps, UINT64_MAX, ERR_RANGE);
    REFUSE(sequences_total, 17, ERR_RANGE);
    REFUSE(gradient_format, 0, ERR_RANGE);
    REFUSE(price, 0, ERR_RANGE);
    REFUSE(price_sequences, 0, ERR_RANGE);
    REFUSE(level_min, 0, ERR_RANGE);
    REFUSE(level_min, CHAIN_LEVEL_LINEAR, ERR_UNSUPPORTED); /* nothing checks it yet */
    REFUSE(escrow, 3999, ERR_FUNDS);
    REFUSE(escrow, KIT_BALANCE, ERR_FUNDS);
    REFUSE(expiry_height, 1, ERR_EXPIRED);
    REFUSE(expiry_height, UINT64_MAX, ERR_RANGE);
    REFUSE(escrow, 4000, OK);
    /* A validator must be able to hold what is proved: 12 x 48 x 1365^2 is just below 2^30, but for the vocabulary. */
    good.payload.job_post.level_min = CHAIN_LEVEL_FULL;
    good.payload.job_post.layers = 48;
    REFUSE(width, 1365, OK);
    REFUSE(width, 1366, ERR_LIMIT);
    good.payload.job_post.level_min = CHAIN_LEVEL_REFEREED;
    REFUSE(width, 8192, OK);
#undef REFUSE
    audit(&k);
    kit_stop(&k);
}

static err run_bid(kit *k, unsigned who, const hash256 *job, uint64_t price, uint32_t capacity)
{
    chain_tx tx = kit_tx(k, who, CHAIN_TX_JOB_BID, 0);
    tx.payload.job_bid = (chain_tx_job_bid){ .job = *job, .price = price, .capacity = capacity };
    return kit_run(k, &tx, who);
}

static err run_match(kit *k, unsigned who, const hash256 *job, unsigned worker)
{
    uint8_t buffer[128];
    chain_tx tx = kit_tx(k, who, CHAIN_TX_JOB_MATCH, 0);
    cr_address a = kit_address(worker);
    tx.payload.job_match.job = *job;
    CHECK(chain_addresses_encode(&tx.payload.job_match.workers, buffer, sizeof buffer, &a, 1) == OK);
    return kit_run(k, &tx, who);
}

static void bids_and_matches(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, NULL);
    hash256 job = kit_post_job(&k, 2, 0), none = { { 1 } };
    assert_int_equal(run_bid(&k, 1, &job, 1000, 1), ERR_NOT_FOUND); /* no worker */
    chain_tx reg = kit_tx(&k, 1, CHAIN_TX_WORKER_REGISTER, 0);
    reg.payload.worker_register = (chain_tx_worker_register){ .bond = 1000000, .supported_backends = CHAIN_BACKEND_CUDA,
                                                              .max_model_parameters = 10, .max_batch_size = 4 };
    EXPECT(&k, &reg, 1, OK);
    assert_int_equal(run_bid(&k, 1, &none, 1000, 1), ERR_NOT_FOUND);
    assert_int_equal(run_bid(&k, 1, &job, 1001, 1), ERR_RANGE);
    assert_int_equal(run_bid(&k, 1, &job, 0, 1), ERR_RANGE);
    assert_int_equal(run_bid(&k, 1, &job, 1000, 5), ERR_RANGE);
    assert_int_equal(run_bid(&k, 1, &job, 1000, 0), ERR_RANGE);
    assert_int_equal(run_bid(&k, 1, &job, 1000, 4), ERR_UNSUPPORTED); /* backend */
    reg = kit_tx(&k, 1, CHAIN_TX_WORKER_REGISTER, 0);
    reg.payload.worker_register = (chain_tx_worker_register){ .supported_backends = 3, .max_model_parameters = 10,
                                                              .max_batch_size = 4 };
    EXPECT(&k, &reg, 1, OK);
    assert_int_equal(run_bid(&k, 1, &job, 1000, 4), ERR_LIMIT); /* model too large */
    reg = kit_tx(&k, 1, CHAIN_TX_WORKER_REGISTER, 0);
    reg.payload.worker_register = (chain_tx_worker_register){ .supported_backends = 3, .max_model_parameters = 1000,
                                                              .max_batch_size = 4 };
    EXPECT(&k, &reg, 1, OK);
    assert_int_equal(run_match(&k, KIT_COORDINATOR, &job, 1), ERR_NOT_FOUND);
    assert_int_equal(run_bid(&k, 1, &job, 900, 4), OK);
    assert_int_equal(run_bid(&k, 1, &job, 800, 4), OK);
    assert_int_equal(run_match(&k, 2, &job, 1), ERR_PERMISSION);
    assert_int_equal(run_match(&k, 0, &none, 1), ERR_NOT_FOUND);
    assert_int_equal(run_match(&k, 0, &job, 1), OK); /* the buyer may as well */
    assert_int_equal(run_match(&k, KIT_COORDINATOR, &job, 1), ERR_DUPLICATE);
    assert_int_equal(run_bid(&k, 1, &job, 800, 4), ERR_DUPLICATE);
    kit_add_worker(&k, 2, &job);
    chain_tx leave = kit_tx(&k, 2, CHAIN_TX_WORKER_UNREGISTER, 0);
    EXPECT(&k, &leave, 2, OK);
    hash256 other = kit_post_job(&k, 1, 0);
    assert_int_equal(run_bid(&k, 2, &other, 1000, 4), ERR_STATE); /* leaving */
    kit_advance(&k, 310);
    assert_int_equal(run_bid(&k, 1, &other, 1000, 4), ERR_EXPIRED);
    kit_stop(&k);
}

/* 10000000 of bond, half of it at stake: 5000000 q against p (1 - q), with 8 sequences for p. */
static void the_bond_outweighs_a_lease(void **state)
{
    (void)state;
    static const struct {
        uint32_t sample_ppm, capacity;
        uint64_t price;
        err      code;
    } cases[] = {
        { 250000, 8, 833333, OK }, { 250000, 8, 833334, ERR_BOND }, { 250000, 100, 833333, OK }, /* a step has 8 sequences */
        { 250000, 4, 1666666, OK }, { 250000, 4, 1666668, ERR_BOND }, { 10000, 8, 25252, OK }, { 10000, 8, 25253, ERR_BOND },
        { 1, 8, 3, ERR_BOND }, { 1000000, 8, 5000000, OK }, { 0, 8, 5000000, OK },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        kit k;
        kit_start(&k, NULL);
        chain_tx post = kit_tx(&k, 0, CHAIN_TX_JOB_POST, 0);
        post.payload.job_post = (chain_tx_job_post){
            .coordinator = kit_public(KIT_COORDINATOR), .model_parameters = 1000, .width = 32, .layers = 1, .heads = 2, .context = 64,
            .vocabulary = 73, .operand_bits = 12, .batch_size = 8, .steps = 1, .gradient_format = 1, .sequences_total = 8, .price = 5000000,
            .price_sequences = 4, .level_min = CHAIN_LEVEL_REFEREED, .sample_ppm = cases[i].sample_ppm, .escrow = 10000000, .expiry_height = 90 };
        assert_int_equal(kit_run(&k, &post, 0), OK);
        hash256 job = k.last_id;
        chain_tx reg = kit_tx(&k, 1, CHAIN_TX_WORKER_REGISTER, 0);
        reg.payload.worker_register = (chain_tx_worker_register){ .bond = 10000000, .supported_backends = 1, .max_model_parameters = 1000,
                                                                  .max_batch_size = 100 };
        assert_int_equal(kit_run(&k, &reg, 1), OK);
        assert_int_equal(run_bid(&k, 1, &job, cases[i].price, cases[i].capacity), OK);
        assert_int_equal(run_match(&k, KIT_COORDINATOR, &job, 1), cases[i].code);
        kit_stop(&k);
    }
}

static void pays_once_and_closes(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, NULL);
    hash256 job = kit_post_job(&k, 2, 0);
    kit_add_worker(&k, 1, &job);
    kit_add_worker(&k, 2, &job);
    chain_lease l[4] = { kit_lease(&k, &job, 1, 10, 0, 8), kit_lease(&k, &job, 2, 11, 8, 12), kit_lease(&k, &job, 1, 12, 12, 16),
                         kit_lease(&k, &job, 1, 13, 11, 13) };
    chain_receipt r[4];
    for (int i = 0; i < 4; i++) {
        chain_attestation a = kit_attestation(&l[i]);
        r[i] = kit_receipt(&l[i], &a, i == 1 ? 2 : 1);
    }
    uint64_t one = kit_balance(&k, 1), two = kit_balance(&k, 2), treasury = chain_supply(k.c)->treasury;
    assert_int_equal(kit_pay(&k, 1, &job, r, 1), ERR_PERMISSION); /* the worker alone, without a commitment */
    one -= k.result.txs[0].fee;
    assert_int_equal(kit_pay(&k, KIT_COORDINATOR, &job, r, 2), OK);
    assert_int_equal(kit_balance(&k, 1), one + 2000 - 20); /* tariff 1 %, gross, once */
    assert_int_equal(kit_balance(&k, 2), two + 1000 - 10);
    assert_int_equal(chain_supply(k.c)->treasury, treasury + 30);
    assert_int_equal(kit_pay(&k, KIT_COORDINATOR, &job, r, 1), ERR_DUPLICATE);
    assert_int_equal(kit_pay(&k, KIT_COORDINATOR, &job, &r[3], 1), ERR_OVERLAP);
    chain_tx close = kit_tx(&k, 3, CHAIN_TX_JOB_CLOSE, 0);
    close.payload.job_close.job = job;
    EXPECT(&k, &close, 3, ERR_STATE);
    chain_receipt twice[2] = { r[2], r[2] };
    assert_int_equal(kit_pay(&k, KIT_COORDINATOR, &job, twice, 2), ERR_DUPLICATE); /* all or none */
    assert_int_equal(chain_job(k.c, &job)->sequences_paid, 12);
    chain_tx kyc = attest(&k, 0);
    EXPECT(&k, &kyc, KIT_ISSUER, OK);
    kyc = attest(&k, 1);
    EXPECT(&k, &kyc, KIT_ISSUER, OK);
    assert_int_equal(kit_pay(&k, 0, &job, &r[2], 1), OK); /* both known: no tariff; the buyer may pay */
    assert_int_equal(kit_balance(&k, 1), one + 1980 + 1000);
    uint64_t buyer = kit_balance(&k, 0);
    close = kit_tx(&k, 3, CHAIN_TX_JOB_CLOSE, 0);
    close.payload.job_close.job = job;
    EXPECT(&k, &close, 3, OK);
    assert_int_equal(kit_balance(&k, 0), buyer + 77);
    assert_int_equal(chain_job(k.c, &job)->status, CHAIN_JOB_COMPLETE);
    close.nonce++;
    EXPECT(&k, &close, 3, ERR_STATE);
    assert_int_equal(kit_pay(&k, KIT_COORDINATOR, &job, &r[3], 1), ERR_STATE);
    audit(&k);
    kit_stop(&k);
}

static void refund_after_expiry(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, NULL);
    hash256 job = kit_post_job(&k, 2, 0);
    uint64_t expiry = chain_job(k.c, &job)->expiry_height;
    kit_advance(&k, expiry + 10 - chain_head(k.c)->height);
    chain_tx close = kit_tx(&k, 3, CHAIN_TX_JOB_CLOSE, 0);
    close.payload.job_close.job = job;
    EXPECT(&k, &close, 3, ERR_STATE);
    close.nonce++;
    uint64_t buyer = kit_balance(&k, 0);
    EXPECT(&k, &close, 3, OK);
    assert_int_equal(kit_balance(&k, 0), buyer + 4077);
    assert_int_equal(chain_job(k.c, &job)->status, CHAIN_JOB_REFUNDED);
    assert_int_equal(chain_supply(k.c)->escrow, 0);
    close = kit_tx(&k, 3, CHAIN_TX_JOB_CLOSE, 0);
    EXPECT(&k, &close, 3, ERR_NOT_FOUND);
    audit(&k);
    kit_stop(&k);
}

/* Every field of lease and attestation: what a wrong value is refused with. */
static void receipt_refusals(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, NULL);
    hash256 job = kit_post_job(&k, 2, 0);
    kit_add_worker(&k, 1, &job);
    chain_lease good = kit_lease(&k, &job, 1, 1, 0, 8);
    chain_receipt r;
    chain_lease l;
    chain_attestation a;
#define REFUSE(change, worker, code)                                              \
    do {                                                                          \
        l = good;                                                                 \
        a = kit_attestation(&l);                                                  \
        bool relink = true;                                                       \
        change;                                                                   \
        if (relink)                                                               \
            a.lease = kit_attestation(&l).lease;                                  \
        r = kit_receipt(&l, &a, worker);                                          \
        assert_int_equal(kit_pay(&k, KIT_COORDINATOR, &job, &r, 1), code);        \
        assert_int_equal(kit_commit_trace(&k, KIT_COORDINATOR, &job, &r, 1), code); \
    } while (0)
    REFUSE(l.version = 2, 1, ERR_VERSION);
    REFUSE(l.chain_id.text[0] = 'x', 1, ERR_CHAIN_ID);
    REFUSE(l.job.b[0] ^= 1, 1, ERR_HASH);
    REFUSE(l.step = 1, 1, ERR_STALE);
    REFUSE(l.from = 8, 1, ERR_RANGE);
    REFUSE((l.from = 4, l.to = 12), 1, ERR_STALE);
    REFUSE((l.from = 8, l.to = 17, l.step = 1), 1, ERR_RANGE);
    REFUSE(l.to = 1 + LIMIT_LEASE_SEQUENCES, 1, ERR_LIMIT);
    REFUSE(l.worker = kit_public(2), 2, ERR_NOT_FOUND);
    REFUSE(l.worker = kit_public(2), 1, ERR_SIGNATURE);
    REFUSE(l.price = 2001, 1, ERR_RANGE);
    REFUSE(memset(&l.tokens, 0, sizeof l.tokens), 1, ERR_RANGE);
    REFUSE(l.level_min = 0, 1, ERR_RANGE);
    REFUSE(l.level_min = CHAIN_LEVEL_FULL, 1, ERR_LEVEL);
    REFUSE(l.expiry_height++, 1, ERR_EXPIRED);
    REFUSE(l.expiry_height = 1, 1, ERR_EXPIRED);
    REFUSE((relink = false, l.model.b[0] ^= 1), 1, ERR_HASH); /* the attestation is for another model */
    REFUSE((relink = false, l.tokens.b[0] ^= 1), 1, ERR_HASH); /* or for other tokens */
    REFUSE((relink = false, l.lease_id++), 1, ERR_HASH);
    REFUSE(a.version = 0, 1, ERR_VERSION);
    REFUSE(memset(&a.gradient, 0, 32), 1, ERR_RANGE);
    REFUSE(memset(&a.trace_root, 0, 32), 1, ERR_RANGE);
    REFUSE(a.proof.b[0] = 1, 1, ERR_RANGE);
    REFUSE(a.level = 0, 1, ERR_RANGE);
    REFUSE(a.level = CHAIN_LEVEL_LINEAR, 1, ERR_RANGE); /* without a proof */
    REFUSE((a.level = CHAIN_LEVEL_LINEAR, a.proof.b[0] = 1), 1, ERR_UNSUPPORTED); /* with a claim that nobody checks */
    REFUSE((l.level_min = CHAIN_LEVEL_FULL, a.level = CHAIN_LEVEL_LINEAR, a.proof.b[0] = 1), 1, ERR_LEVEL); /* below the lease's */
    REFUSE(a.level = CHAIN_LEVEL_FULL, 1, ERR_RANGE); /* without a proof */
    REFUSE((a.result = CHAIN_RESULT_RANGE, memset(&a.gradient, 0, 32), a.loss = 0, a.level = CHAIN_LEVEL_FULL), 1, ERR_RANGE); /* nor may RANGE be */
    REFUSE(a.spec_version++, 1, ERR_VERSION);
    REFUSE(a.tokens--, 1, ERR_RANGE);
    REFUSE(a.result = CHAIN_RESULT_RANGE, 1, ERR_RANGE); /* with a gradient */
    REFUSE((a.result = CHAIN_RESULT_RANGE, memset(&a.gradient, 0, 32)), 1, ERR_RANGE); /* with a loss */
    REFUSE(a.range_tensor = 1, 1, ERR_RANGE);
    REFUSE(a.range_index = 1, 1, ERR_RANGE);
    REFUSE(a.range_sequence = 1, 1, ERR_RANGE);
    REFUSE((a.result = CHAIN_RESULT_RANGE, memset(&a.gradient, 0, 32), a.loss = 0, a.range_sequence = 8), 1, ERR_RANGE);
#undef REFUSE
    /* Each byte of either structure changed: never accepted. */
    a = kit_attestation(&good);
    r = kit_receipt(&good, &a, 1);
    for (size_t i = 0; i < r.lease.len + r.attestation.len; i += 7) {
        chain_receipt bad = { kit_keep(r.lease), kit_keep(r.attestation) };
        if (i < r.lease.len)
            ((uint8_t *)(uintptr_t)bad.lease.data)[i] ^= 0x10;
        else
            ((uint8_t *)(uintptr_t)bad.attestation.data)[i - r.lease.len] ^= 0x10;
        assert_int_not_equal(kit_pay(&k, KIT_COORDINATOR, &job, &bad, 1), OK);
    }
    assert_int_equal(kit_pay(&k, KIT_COORDINATOR, &job, &r, 1), OK);
    /* A RANGE result is paid like any other. */
    l = kit_lease(&k, &job, 1, 2, 8, 16);
    a = kit_attestation(&l);
    memset(&a.gradient, 0, 32);
    a.loss = 0;
    a.result = CHAIN_RESULT_RANGE;
    a.range_tensor = 3;
    a.range_sequence = 15;
    a.range_index = 99;
    r = kit_receipt(&l, &a, 1);
    assert_int_equal(kit_pay(&k, KIT_COORDINATOR, &job, &r, 1), OK);
    audit(&k);
    kit_stop(&k);
}

/* A job at level full: what is attested below it is refused even if it is signed by everybody, RANGE as well; the row says what was attested. */
static void full_job(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, NULL);
    hash256 job = kit_post_job_at(&k, 2, 0, CHAIN_LEVEL_FULL);
    kit_add_worker(&k, 1, &job);

    chain_lease l = kit_lease(&k, &job, 1, 1, 0, 8);
    chain_attestation a = kit_attestation(&l);
    chain_receipt r = kit_receipt(&l, &a, 1);
    assert_int_equal(kit_pay(&k, KIT_COORDINATOR, &job, &r, 1), ERR_LEVEL); /* the lease */
    l.level_min = CHAIN_LEVEL_FULL;
    a = kit_attestation(&l);
    r = kit_receipt(&l, &a, 1);
    assert_int_equal(kit_pay(&k, KIT_COORDINATOR, &job, &r, 1), ERR_LEVEL); /* the attestation */
    a.level = CHAIN_LEVEL_FULL;
    a.proof.b[0] = 77;
    r = kit_receipt(&l, &a, 1);
    assert_int_equal(kit_pay(&k, KIT_COORDINATOR, &job, &r, 1), OK);
    const chain_row_lease *row = chain_lease_row(k.c, &job, 1);
    assert_int_equal(row->level, CHAIN_LEVEL_FULL);
    assert_memory_equal(row->proof.b, a.proof.b, 32);

    l = kit_lease(&k, &job, 1, 2, 8, 16);
    l.level_min = CHAIN_LEVEL_FULL;
    a = kit_attestation(&l);
    memset(&a.gradient, 0, 32);
    a.loss = 0;
    a.result = CHAIN_RESULT_RANGE;
    a.range_sequence = 15;
    r = kit_receipt(&l, &a, 1);
    assert_int_equal(kit_pay(&k, KIT_COORDINATOR, &job, &r, 1), ERR_LEVEL);
    a.level = CHAIN_LEVEL_FULL;
    a.proof.b[0] = 78;
    r = kit_receipt(&l, &a, 1);
    assert_int_equal(kit_pay(&k, KIT_COORDINATOR, &job, &r, 1), OK);
    assert_int_equal(chain_lease_row(k.c, &job, 2)->level, CHAIN_LEVEL_FULL);
    audit(&k);
    kit_stop(&k);
}

/* A price that does not divide: every one of the smallest leases is paid at its greatest price, the last one too. */
/* A worker may attest more than the job asked for, but not what no validator could hold. */
static void too_large_to_be_proved(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, NULL);
    chain_tx tx = kit_tx(&k, 0, CHAIN_TX_JOB_POST, 0);
    tx.payload.job_post = (chain_tx_job_post){
        .coordinator = kit_public(KIT_COORDINATOR), .model_parameters = 1000, .width = 8192, .layers = 48, .heads = 2, .context = 64,
        .vocabulary = 73, .operand_bits = 12, .batch_size = 8, .steps = 1, .gradient_format = 1, .sequences_total = 8, .price = 1000, .price_sequences = 4,
        .level_min = CHAIN_LEVEL_REFEREED, .escrow = 4000, .expiry_height = 90 };
    assert_int_equal(kit_run(&k, &tx, 0), OK);
    hash256 job = k.last_id;
    kit_add_worker(&k, 1, &job);
    chain_lease lease = kit_lease(&k, &job, 1, 1, 0, 4);
    chain_attestation a = kit_attestation(&lease), full = a;
    full.level = CHAIN_LEVEL_FULL;
    full.proof = (hash256){ { 1 } };
    chain_receipt proved = kit_receipt(&lease, &full, 1), refereed = kit_receipt(&lease, &a, 1);
    assert_int_equal(kit_pay(&k, KIT_COORDINATOR, &job, &proved, 1), ERR_LIMIT);
    assert_int_equal(kit_pay(&k, KIT_COORDINATOR, &job, &refereed, 1), OK);
    audit(&k);
    kit_stop(&k);
}

static void escrow_suffices_however_the_job_is_cut(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, NULL);
    hash256 model_job = kit_post_job(&k, 1, 0);
    chain_tx post = kit_tx(&k, 0, CHAIN_TX_JOB_POST, 0);
    post.payload.job_post = (chain_tx_job_post){
        .coordinator = kit_public(KIT_COORDINATOR), .model_parameters = 1000, .width = 32, .layers = 1, .heads = 2, .context = 64,
        .vocabulary = 73, .operand_bits = 12, .batch_size = 8, .steps = 1, .gradient_format = 1, .sequences_total = 8, .price = 1000,
        .price_sequences = 3, .level_min = CHAIN_LEVEL_REFEREED, .escrow = 2667,
        .expiry_height = chain_job(k.c, &model_job)->expiry_height };
    assert_int_equal(kit_run(&k, &post, 0), OK);
    hash256 job = k.last_id;
    kit_add_worker(&k, 1, &job);
    for (unsigned i = 0; i < 8; i++) {
        chain_lease l = kit_lease(&k, &job, 1, i, i, i + 1);
        for (l.price = 334; l.price >= 333; l.price--) {
            chain_attestation a = kit_attestation(&l);
            chain_receipt r = kit_receipt(&l, &a, 1);
            assert_int_equal(kit_pay(&k, KIT_COORDINATOR, &job, &r, 1), l.price == 333 ? OK : ERR_RANGE);
        }
    }
    assert_int_equal(chain_job(k.c, &job)->escrow, 2667 - 8 * 333);
    audit(&k);
    kit_stop(&k);
}

static void sampled_job(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, NULL);
    hash256 job = kit_post_job(&k, 4, 500000);
    kit_add_worker(&k, 1, &job);
    kit_add_worker(&k, 2, &job);
    chain_receipt r[4];
    for (unsigned i = 0; i < 4; i++) {
        chain_lease l = kit_lease(&k, &job, 1, i, 8 * i, 8 * i + 8);
        chain_attestation a = kit_attestation(&l);
        r[i] = kit_receipt(&l, &a, 1);
    }
    bool sampled;
    assert_int_equal(kit_pay(&k, KIT_COORDINATOR, &job, r, 1), ERR_STATE); /* no commitment */
    assert_int_equal(kit_commit_trace(&k, 2, &job, r, 1), ERR_PERMISSION);
    assert_int_equal(kit_commit_trace(&k, 1, &job, r, 1), ERR_PERMISSION); /* nor its own worker */
    assert_int_equal(kit_commit_trace(&k, KIT_COORDINATOR, &job, r, 2), OK);
    assert_int_equal(chain_sampled(k.c, &sampled, &job, 0), ERR_BUSY);
    assert_int_equal(chain_sampled(k.c, &sampled, &job, 9), ERR_NOT_FOUND);
    assert_int_equal(kit_commit_trace(&k, KIT_COORDINATOR, &job, r, 1), ERR_DUPLICATE);
    uint64_t height = chain_lease_row(k.c, &job, 0)->commit_height;
    const chain_row_beacon *beacon = chain_beacon(k.c, height + 1);
    assert_non_null(beacon);
    assert_int_equal(chain_sampled(k.c, &sampled, &job, 0), OK);
    assert_int_equal(sampled, chain_sample_selected(&beacon->randomness, &chain_lease_row(k.c, &job, 0)->lease_hash, 500000));
    assert_int_equal(kit_pay(&k, 2, &job, r, 1), ERR_PERMISSION);
    assert_int_equal(kit_pay(&k, 1, &job, r, 1), ERR_BUSY); /* claim delay */
    assert_int_equal(kit_pay(&k, KIT_COORDINATOR, &job, r, 1), OK);
    assert_int_equal(kit_pay(&k, 1, &job, &r[1], 1), OK); /* the delay is over: a silent coordinator costs nothing */

    /* In the block of the commitment nobody can be paid yet. */
    uint8_t buffer[4096];
    bytes txs[2];
    chain_tx tx = kit_tx(&k, KIT_COORDINATOR, CHAIN_TX_TRACE_COMMIT, 0);
    tx.payload.trace_commit.job = job;
    CHECK(chain_receipts_encode(&tx.payload.trace_commit.traces, buffer, sizeof buffer, &r[2], 1) == OK);
    txs[0] = kit_sign(&tx, KIT_COORDINATOR);
    tx.type = CHAIN_TX_RECEIPT_PAY;
    tx.nonce++;
    txs[1] = kit_sign(&tx, KIT_COORDINATOR);
    assert_int_equal(kit_block(&k, txs, 2), OK);
    assert_int_equal(k.result.txs[0].code, OK);
    assert_int_equal(k.result.txs[1].code, ERR_BUSY);

    /* Another attestation for a committed lease is not what was committed. */
    chain_lease l = kit_lease(&k, &job, 1, 2, 16, 24);
    chain_attestation a = kit_attestation(&l);
    a.gradient.b[0]++;
    chain_receipt other = kit_receipt(&l, &a, 1);
    assert_int_equal(kit_pay(&k, KIT_COORDINATOR, &job, &other, 1), ERR_HASH);
    l.price--;
    a = kit_attestation(&l);
    other = kit_receipt(&l, &a, 1);
    assert_int_equal(kit_pay(&k, KIT_COORDINATOR, &job, &other, 1), ERR_HASH);

    /* A live lease keeps the bond. */
    chain_tx leave = kit_tx(&k, 1, CHAIN_TX_WORKER_UNREGISTER, 0);
    EXPECT(&k, &leave, 1, OK);
    kit_advance(&k, 4);
    leave = kit_tx(&k, 1, CHAIN_TX_WORKER_WITHDRAW, 0);
    EXPECT(&k, &leave, 1, ERR_STATE);
    assert_int_equal(kit_pay(&k, KIT_COORDINATOR, &job, &r[2], 1), OK);
    /* Nor may it leave with the pay in the same breath: evidence has the whole delay after the last payment. */
    for (unsigned i = 0; i < 3; i++) {
        leave = kit_tx(&k, 1, CHAIN_TX_WORKER_WITHDRAW, 0);
        EXPECT(&k, &leave, 1, ERR_STATE);
    }
    leave = kit_tx(&k, 1, CHAIN_TX_WORKER_WITHDRAW, 0);
    EXPECT(&k, &leave, 1, OK);
    assert_int_equal(kit_commit_trace(&k, KIT_COORDINATOR, &job, &r[3], 1), ERR_STATE); /* it left */
    audit(&k);
    kit_stop(&k);
}

/* Two answers for one range: the second cannot be committed, nor paid, so the coordinator has to pay the first. */
static void a_committed_range_is_reserved(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, NULL);
    hash256 job = kit_post_job(&k, 64, 0);
    kit_add_worker(&k, 1, &job);
    kit_add_worker(&k, 2, &job);
    static const struct {
        uint64_t from, to;
        err      commit, pay;
    } cases[] = { /* beside [250, 256) and [256, 260), in two rows of the bitmap */
        { 248, 251, ERR_OVERLAP, ERR_OVERLAP }, { 250, 256, ERR_OVERLAP, ERR_OVERLAP }, { 259, 264, ERR_OVERLAP, ERR_OVERLAP },
        { 248, 250, OK, ERR_OVERLAP },          { 260, 264, OK, ERR_OVERLAP },
    };
    chain_receipt first[2], other;
    for (unsigned i = 0; i < 2; i++) {
        chain_lease l = i ? kit_lease(&k, &job, 1, 2, 256, 260) : kit_lease(&k, &job, 1, 1, 250, 256);
        chain_attestation a = kit_attestation(&l);
        first[i] = kit_receipt(&l, &a, 1);
    }
    assert_int_equal(kit_commit_trace(&k, KIT_COORDINATOR, &job, first, 2), OK);
    for (unsigned i = 0; i < COUNT_OF(cases); i++) {
        chain_lease l = kit_lease(&k, &job, 2, 10 + i, cases[i].from, cases[i].to), again = l;
        again.lease_id = 20 + i;
        chain_attestation a = kit_attestation(&l), b = kit_attestation(&again);
        other = kit_receipt(&l, &a, 2);
        assert_int_equal(kit_commit_trace(&k, KIT_COORDINATOR, &job, &other, 1), cases[i].commit);
        other = kit_receipt(&again, &b, 2);
        assert_int_equal(kit_pay(&k, KIT_COORDINATOR, &job, &other, 1), cases[i].pay); /* without a commitment of its own */
    }
    assert_int_equal(kit_pay(&k, KIT_COORDINATOR, &job, first, 2), OK);
    assert_int_equal(kit_commit_trace(&k, KIT_COORDINATOR, &job, &other, 1), ERR_OVERLAP);
    audit(&k);
    kit_stop(&k);
}

static void sample_rate(void **state)
{
    (void)state;
    hash256 randomness = { { 3 } };
    unsigned hits = 0;
    for (unsigned i = 0; i < 20000; i++) {
        hash256 lease = { { 0 } };
        store_le32(lease.b, i);
        hits += chain_sample_selected(&randomness, &lease, 250000);
        assert_false(chain_sample_selected(&randomness, &lease, 0));
        assert_true(chain_sample_selected(&randomness, &lease, 1000000));
    }
    assert_in_range(hits, 4750, 5250);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(transfers_and_tariff), cmocka_unit_test(splitting_does_not_pay), cmocka_unit_test(fees_can_burn),        cmocka_unit_test(admission),
    cmocka_unit_test(check_window),         cmocka_unit_test(failed_tx_leaves_nothing), cmocka_unit_test(identity),
    cmocka_unit_test(workers),              cmocka_unit_test(job_post_refusals),    cmocka_unit_test(bids_and_matches),
    cmocka_unit_test(pays_once_and_closes), cmocka_unit_test(the_bond_outweighs_a_lease), cmocka_unit_test(refund_after_expiry),  cmocka_unit_test(receipt_refusals),
    cmocka_unit_test(full_job), cmocka_unit_test(too_large_to_be_proved), cmocka_unit_test(escrow_suffices_however_the_job_is_cut), cmocka_unit_test(sampled_job),
    cmocka_unit_test(a_committed_range_is_reserved),          cmocka_unit_test(sample_rate),
};

int main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
