/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/ledger.h"
#include "apps/node_run.h"
#include "base/port/file.h"
#include "engine/ledger_testkit.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { SENDER, RECEIVER, ACCOUNTS, HANDS = 4, EACH = 3 };

typedef struct hand {
    const tb_home *home;
    unsigned       first, done; /* amounts from `first`: equal transactions would be one */
    err            code;
    tb_sent        sent;
} hand;

static err send_one(hand *h, tb_ledger *l, fault *f)
{
    cr_secret_key secret;
    cr_public_key key;
    chain_tx tx = { .type = CHAIN_TX_TRANSFER };
    tx.payload.transfer = (chain_tx_transfer){ .to = kit_address(RECEIVER), .amount = h->first + h->done };
    kit_key(&secret, &key, SENDER);
    return tb_ledger_run(l, &h->sent, &tx, &secret, 20000, f);
}

static void *send_some(void *arg)
{
    hand *h = arg;
    tb_ledger l = { 0 };
    fault f = { 0 };
    h->code = tb_ledger_open(&l, h->home, NULL, &f);
    while (h->code == OK && h->done < EACH) {
        h->code = send_one(h, &l, &f);
        h->done += h->code == OK;
    }
    tb_ledger_close(&l);
    return NULL;
}

/* Several programs with one key: each gets its transactions in, once each. */
static void one_key_in_many_hands(void **state)
{
    (void)state;
    char dir[] = "/tmp/tb-ledger-XXXXXX";
    tb_home home;
    tb_node *node;
    buf genesis;
    cr_secret_key producer;
    cr_public_key key;
    pthread_t threads[HANDS];
    hand hands[HANDS] = { 0 };
    tb_ledger l;
    tb_account before, after;
    fault f = { 0 };
    assert_non_null(mkdtemp(dir));
    assert_int_equal(tb_home_at(&home, dir, NULL), OK);
    assert_int_equal(tb_home_make(&home, NULL), OK);
    buf_init(&genesis, LIMIT_GENESIS_BYTES);
    kit_genesis(&genesis, "hands", ACCOUNTS);
    kit_key(&producer, &key, KIT_PRODUCER);
    const tb_node_options options = { .home = &home, .genesis = buf_bytes(&genesis), .producer = &producer, .interval_ms = 100 };
    if (tb_node_start(&node, &options, NULL, &f) != OK)
        fail_msg("node: %s %s", err_describe(f.code)->name, f.what);
    buf_deinit(&genesis);
    assert_int_equal(tb_ledger_open(&l, &home, NULL, &f), OK);
    cr_address to = kit_address(RECEIVER);
    assert_int_equal(tb_ledger_account(&l, &before, &to, &f), OK);
    for (size_t i = 0; i < HANDS; i++) {
        hands[i].home = &home;
        hands[i].first = 1 + (unsigned)i * EACH;
        assert_int_equal(pthread_create(&threads[i], NULL, send_some, &hands[i]), 0);
    }
    for (size_t i = 0; i < HANDS; i++) {
        pthread_join(threads[i], NULL);
        if (hands[i].code != OK)
            fail_msg("hand %zu: %s %s", i, err_describe(hands[i].code)->name, hands[i].sent.what);
    }
    assert_int_equal(tb_ledger_account(&l, &after, &to, &f), OK);
    assert_int_equal(after.balance - before.balance, HANDS * EACH * (HANDS * EACH + 1) / 2);
    tb_ledger_close(&l);
    assert_int_equal(tb_node_stop(node, NULL), OK);
    assert_int_equal(base_tree_remove(dir, NULL), OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(one_key_in_many_hands) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
