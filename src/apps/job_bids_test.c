/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/job_bids.h"
#include "apps/node_run.h"
#include "base/port/file.h"
#include "engine/ledger_testkit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { BUYER, COORDINATOR, WORKERS_FROM, WORKERS = TB_BIDDERS_MAX + 8, ACCOUNTS = WORKERS_FROM + WORKERS };

typedef struct setup {
    tb_home   home;
    tb_node  *node;
    tb_ledger ledger;
    hash256   job;
} setup;

static void run_tx(setup *u, uint64_t who, chain_tx *tx, hash256 *id)
{
    cr_secret_key secret;
    cr_public_key key;
    tb_sent sent = { 0 };
    fault f = { 0 };
    kit_key(&secret, &key, who);
    if (tb_ledger_run(&u->ledger, &sent, tx, &secret, 10000, &f) != OK)
        fail_msg("transaction %d of %d: %s %s (%s)", (int)tx->type, (int)who, err_describe(f.code)->name, f.what, sent.what);
    if (id)
        *id = sent.id;
}

static void post_job(setup *u)
{
    chain_tx post = { .type = CHAIN_TX_JOB_POST };
    post.payload.job_post = (chain_tx_job_post){ .model_parameters = 1000, .width = 8, .layers = 1, .heads = 1, .context = 8, .vocabulary = 16,
        .operand_bits = 12, .batch_size = 8, .steps = 2, .learning_rate_ppb = 1000000, .gradient_format = 1, .max_batch_latency_blocks = 10,
        .sequences_total = 16, .price = 1000, .price_sequences = 4, .level_min = CHAIN_LEVEL_REFEREED, .sample_ppm = 1000000, .escrow = 100000,
        .expiry_height = 3000, .required_backends = CHAIN_BACKEND_CPU };
    cr_secret_key secret;
    kit_key(&secret, &post.payload.job_post.coordinator, COORDINATOR);
    run_tx(u, BUYER, &post, &u->job);
}

/* The later a worker comes the less it asks: prices fall from 1000. */
static void bid(setup *u, uint64_t number)
{
    chain_tx bond = { .type = CHAIN_TX_WORKER_REGISTER }, offer = { .type = CHAIN_TX_JOB_BID };
    bond.payload.worker_register = (chain_tx_worker_register){ .bond = 10000000000, .blocktorch_version = 1, .supported_backends = 1,
                                                               .max_model_parameters = 1000000, .max_batch_size = 8 };
    offer.payload.job_bid = (chain_tx_job_bid){ .job = u->job, .price = 1000 - number, .capacity = 8 };
    run_tx(u, WORKERS_FROM + number, &bond, NULL);
    run_tx(u, WORKERS_FROM + number, &offer, NULL);
}

static void start(setup *u, char *dir)
{
    buf genesis;
    cr_secret_key producer;
    cr_public_key key;
    fault f = { 0 };
    *u = (setup){ 0 };
    assert_non_null(mkdtemp(dir));
    assert_int_equal(tb_home_at(&u->home, dir, NULL), OK);
    assert_int_equal(tb_home_make(&u->home, NULL), OK);
    buf_init(&genesis, LIMIT_GENESIS_BYTES);
    kit_genesis(&genesis, "bids", ACCOUNTS);
    kit_key(&producer, &key, KIT_PRODUCER);
    const tb_node_options options = { .home = &u->home, .genesis = buf_bytes(&genesis), .producer = &producer, .interval_ms = 1 };
    if (tb_node_start(&u->node, &options, NULL, &f) != OK)
        fail_msg("node: %s %s", err_describe(f.code)->name, f.what);
    buf_deinit(&genesis);
    assert_int_equal(tb_ledger_open(&u->ledger, &u->home, NULL, NULL), OK);
}

/* More bids than one match takes: the accepted one stays, the cheapest of active workers come next, whoever was first. */
static void many_bids(void **state)
{
    (void)state;
    setup u;
    char dir[] = "/tmp/tb-bids-XXXXXX";
    static tb_bidder found[TB_BIDDERS_MAX];
    size_t count;
    fault f = { 0 };
    uint8_t list[64];
    start(&u, dir);
    post_job(&u);
    assert_int_equal(tb_job_bids(found, &count, &u.ledger, &u.job, &f), OK);
    assert_int_equal(count, 0);
    for (uint64_t i = 0; i < WORKERS; i++)
        bid(&u, i);
    cr_address first = kit_address(WORKERS_FROM);
    chain_tx match = { .type = CHAIN_TX_JOB_MATCH }, leave = { .type = CHAIN_TX_WORKER_UNREGISTER };
    match.payload.job_match.job = u.job;
    assert_int_equal(chain_addresses_encode(&match.payload.job_match.workers, list, sizeof list, &first, 1), OK);
    run_tx(&u, COORDINATOR, &match, NULL);
    run_tx(&u, WORKERS_FROM + WORKERS - 1, &leave, NULL); /* the cheapest, but it works no more */

    assert_int_equal(tb_job_bids(found, &count, &u.ledger, &u.job, &f), OK);
    assert_int_equal(count, TB_BIDDERS_MAX);
    assert_memory_equal(&found[0].address, &first, sizeof first);
    assert_int_equal(found[0].bid.status, CHAIN_BID_ACCEPTED);
    for (size_t i = 1; i < count; i++) {
        cr_address want = kit_address(WORKERS_FROM + WORKERS - 1 - i);
        assert_memory_equal(&found[i].address, &want, sizeof want);
        assert_true(found[i].bid.price == 1000 - (WORKERS - 1 - i));
    }
    tb_ledger_close(&u.ledger);
    assert_int_equal(tb_node_stop(u.node, NULL), OK);
    assert_int_equal(base_tree_remove(dir, NULL), OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(many_bids) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
