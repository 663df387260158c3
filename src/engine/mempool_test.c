/* SPDX-License-Identifier: Apache-2.0
 *
 * The pool of waiting transactions against a plain list. */
#include "engine/mempool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const mempool_limits limits = { .txs = 100, .bytes = 20000, .sender_txs = 8 };

static mempool_tx make(uint64_t sender, uint64_t nonce, uint64_t fee, size_t len)
{
    static uint8_t body[4096];
    mempool_tx tx = { .nonce = nonce, .fee = fee, .expiry_height = UINT64_MAX, .raw = bytes_of(body, len) };
    store_le64(tx.sender.b, sender);
    store_le64(tx.id.b, sender * 1000003 + nonce * 101 + fee);
    store_le64(tx.id.b + 8, fee);
    return tx;
}

static err add(mempool *pool, mempool_tx tx)
{
    bool    replaced;
    hash256 old;
    return mempool_add(pool, &tx, &replaced, &old, NULL);
}

static void test_bounds(void **state)
{
    (void)state;
    mempool *pool;
    assert_int_equal(mempool_new(&pool, &limits, 3), OK);
    for (uint64_t n = 0; n < limits.sender_txs; n++)
        assert_int_equal(add(pool, make(1, n, 5, 10)), OK);
    fault f = { 0 };
    mempool_tx tx = make(1, 99, 5, 10);
    bool    replaced;
    hash256 old;
    assert_int_equal(mempool_add(pool, &tx, &replaced, &old, &f), ERR_BUSY);
    assert_string_equal(f.what, "mempool: transactions of this sender");
    assert_int_equal(add(pool, make(1, 3, 5, 10)), ERR_DUPLICATE);
    for (uint64_t s = 2; mempool_count(pool) < limits.txs; s++)
        assert_int_equal(add(pool, make(s, 0, 5, 10)), OK);
    assert_int_equal(add(pool, make(9999, 0, 5, 10)), ERR_BUSY);
    mempool_free(pool);

    assert_int_equal(mempool_new(&pool, &limits, 3), OK);
    for (uint64_t s = 0; s < 5; s++)
        assert_int_equal(add(pool, make(s, 0, 5, 4000)), OK);
    assert_int_equal(add(pool, make(77, 0, 5, 1)), ERR_BUSY);
    assert_int_equal(mempool_bytes(pool), 20000);
    mempool_free(pool);
}

static void test_replacement(void **state)
{
    (void)state;
    mempool *pool;
    assert_int_equal(mempool_new(&pool, &limits, 3), OK);
    assert_int_equal(add(pool, make(1, 0, 80, 10)), OK);
    assert_int_equal(add(pool, make(1, 0, 90, 10)), ERR_DUPLICATE);
    mempool_tx better = make(1, 0, 91, 20), first = make(1, 0, 80, 10);
    bool    replaced;
    hash256 old;
    assert_int_equal(mempool_add(pool, &better, &replaced, &old, NULL), OK);
    assert_true(replaced && hash256_equal(&old, &first.id));
    assert_false(mempool_has(pool, &first.id));
    assert_true(mempool_has(pool, &better.id));
    assert_int_equal(mempool_count(pool), 1);
    assert_int_equal(mempool_bytes(pool), 20);
    mempool_free(pool);
}

static void test_gaps_wait_and_turns_rotate(void **state)
{
    (void)state;
    mempool *pool;
    assert_int_equal(mempool_new(&pool, &limits, 3), OK);
    assert_int_equal(add(pool, make(1, 2, 5, 10)), OK);
    assert_int_equal(add(pool, make(1, 1, 5, 10)), OK); /* nothing of sender 1 is ready: 0 is missing */
    for (uint64_t s = 2; s < 6; s++) {
        assert_int_equal(add(pool, make(s, 0, 5, 10)), OK);
        assert_int_equal(add(pool, make(s, 1, 5, 10)), OK);
    }
    const mempool_tx *ready[100];
    assert_int_equal(mempool_ready(pool, ready, 100, 1000), 8);
    assert_int_equal(mempool_ready(pool, ready, 100, 35), 3);
    uint64_t seen = 0; /* with room for two, each sender has its turn within four calls */
    for (int i = 0; i < 5; i++) {
        assert_int_equal(mempool_ready(pool, ready, 2, 1000), 2);
        assert_int_equal(ready[0]->nonce, 0);
        seen |= 1u << load_le64(ready[0]->sender.b);
    }
    assert_int_equal(seen, 0x3c);
    assert_int_equal(add(pool, make(1, 0, 5, 10)), OK);
    assert_int_equal(mempool_ready(pool, ready, 100, 1000), 11);
    /* The sender's nonce moves with the committed state: by a block, or seen when its next transaction came. */
    mempool_tx tx = make(1, 0, 5, 10);
    assert_true(mempool_remove(pool, &tx.id));
    assert_int_equal(mempool_ready(pool, ready, 100, 1000), 8);
    mempool_advance(pool, &tx.sender, 1, NULL, NULL);
    assert_int_equal(mempool_ready(pool, ready, 100, 1000), 10);
    tx = make(1, 5, 5, 10);
    tx.next_nonce = 2;
    assert_int_equal(add(pool, tx), OK);
    assert_int_equal(mempool_ready(pool, ready, 100, 1000), 9);
    mempool_free(pool);
}

static void count_drop(void *ctx, const hash256 *id, err code, const char *what)
{
    (void)id;
    assert_non_null(what);
    assert_true(code == ERR_NONCE || code == ERR_EXPIRED);
    ++*(size_t *)ctx;
}

static void test_advance_and_expire(void **state)
{
    (void)state;
    mempool *pool;
    size_t dropped = 0;
    assert_int_equal(mempool_new(&pool, &limits, 3), OK);
    for (uint64_t n = 0; n < 6; n++) {
        mempool_tx tx = make(1, n, 5, 10);
        tx.expiry_height = 10 + n;
        assert_int_equal(add(pool, tx), OK);
    }
    mempool_tx tx = make(1, 0, 5, 10);
    assert_true(mempool_remove(pool, &tx.id));
    assert_false(mempool_remove(pool, &tx.id));
    mempool_advance(pool, &tx.sender, 3, count_drop, &dropped);
    assert_int_equal(dropped, 2);
    mempool_expire(pool, 14, count_drop, &dropped);
    assert_int_equal(dropped, 3);
    assert_int_equal(mempool_count(pool), 2);
    mempool_advance(pool, &tx.sender, 100, count_drop, &dropped);
    assert_int_equal(mempool_count(pool), 0);
    assert_int_equal(mempool_bytes(pool), 0);
    mempool_advance(pool, &tx.sender, 100, count_drop, &dropped);
    assert_int_equal(dropped, 5);
    mempool_free(pool);
}

/* Random additions and removals, compared with a table of which (sender, nonce) waits. */
static void test_against_a_table(void **state)
{
    (void)state;
    enum { SENDERS = 20, NONCES = 8 };
    bool     waits[SENDERS][NONCES] = { { false } };
    size_t   count = 0;
    mempool *pool;
    assert_int_equal(mempool_new(&pool, &limits, 9), OK);
    uint64_t random = 12345;
    for (int step = 0; step < 20000; step++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        uint64_t s = random >> 33, sender = s % SENDERS, nonce = s / SENDERS % NONCES;
        mempool_tx tx = make(sender, nonce, 5, 10);
        if (s / 1000 % 2) {
            err e = add(pool, tx);
            assert_int_equal(e, waits[sender][nonce] ? ERR_DUPLICATE : count == limits.txs ? ERR_BUSY : OK);
            count += e == OK;
            waits[sender][nonce] = waits[sender][nonce] || e == OK;
        } else {
            assert_int_equal(mempool_remove(pool, &tx.id), waits[sender][nonce]);
            count -= waits[sender][nonce];
            waits[sender][nonce] = false;
        }
        assert_int_equal(mempool_count(pool), count);
    }
    const mempool_tx *ready[200];
    size_t expect = 0;
    for (size_t s = 0; s < SENDERS; s++) {
        for (size_t n = 0; n < NONCES && waits[s][n]; n++)
            expect++;
    }
    assert_int_equal(mempool_ready(pool, ready, 200, 20000), expect);
    mempool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_replacement),
        cmocka_unit_test(test_gaps_wait_and_turns_rotate),
        cmocka_unit_test(test_advance_and_expire),
        cmocka_unit_test(test_against_a_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
