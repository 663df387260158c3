/* SPDX-License-Identifier: Apache-2.0
 *
 * Checkpoints whose map must grow, and checkpoint files with changed bytes: refused or harmless, never a crash. */
#include "engine/checkpoint.h"

#include "base/port/file.h"
#include "engine/disk_testkit.h"
#include "engine/ledger_testkit.h"
#include "engine/lmdb_check.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct setup {
    char    base[256], dir[300], data[320];
    buf     genesis;
    chain  *chain;
    hash256 network;
} setup;

/* One empty block, as a producer makes it. */
static void make_block(chain *c)
{
    cr_secret_key secret;
    chain_block_input in = { .height = chain_head(c)->height + 1 };
    kit_key(&secret, &in.producer, KIT_PRODUCER);
    uint8_t message[CHAIN_BEACON_MESSAGE_BYTES], buffer[1024];
    hash256 head = chain_head_hash(c), hash;
    chain_beacon_message(message, &chain_head(c)->randomness, &head, in.height);
    cr_ed25519_sign(&in.beacon, &secret, bytes_of(message, sizeof message));
    chain_block_result result;
    chain_header header;
    bytes encoded;
    assert_int_equal(chain_reserve(c, 0, 0), OK);
    assert_int_equal(chain_execute(c, &in, &result, NULL), OK);
    assert_int_equal(chain_pending_header(c, &header, 1), OK);
    assert_int_equal(chain_header_sign(&encoded, buffer, sizeof buffer, &header, &secret, &hash, NULL), OK);
    assert_int_equal(chain_commit(c, encoded, NULL), OK);
}

static void set_up(setup *u, size_t accounts)
{
    disk_temp(u->base, "checkpoint");
    snprintf(u->dir, sizeof u->dir, "%s/cp", u->base);
    snprintf(u->data, sizeof u->data, "%s/data.mdb", u->dir);
    buf_init(&u->genesis, LIMIT_GENESIS_BYTES);
    kit_genesis(&u->genesis, "cp", accounts);
    u->chain = kit_chain(buf_bytes(&u->genesis));
    u->network = chain_network(u->chain);
    make_block(u->chain);
}

static void tear_down(setup *u)
{
    chain_free(u->chain);
    buf_deinit(&u->genesis);
    disk_remove(u->base);
}

static eng_checkpoint *open_checkpoint(const setup *u)
{
    eng_checkpoint *cp = NULL;
    fault f = { 0 };
    err e = eng_checkpoint_open(&cp, u->dir, &u->network, &f);
    if (e != OK)
        fail_msg("open: %s at %llu", f.what, (unsigned long long)f.at);
    return cp;
}

static void assert_loads(const setup *u, eng_checkpoint *cp)
{
    chain_config config = kit_config();
    chain *c = NULL;
    fault f = { 0 };
    err e = eng_checkpoint_load(cp, &c, &config, buf_bytes(&u->genesis), &f);
    if (e != OK)
        fail_msg("load: %s at %llu", f.what, (unsigned long long)f.at);
    assert_memory_equal(chain_head(c)->state_root.b, chain_head(u->chain)->state_root.b, 32);
    assert_int_equal(chain_dirty_count(c), 0);
    chain_free(c);
}

/* The largest genesis does not fit into the first map. */
static void test_map_grows(void **state)
{
    (void)state;
    setup u;
    hash256 mark = { { 9 } };
    eng_checkpoint_mark newest;
    set_up(&u, LIMIT_GENESIS_ACCOUNTS);
    eng_checkpoint *cp = open_checkpoint(&u);
    assert_false(eng_checkpoint_newest(cp, &newest));
    assert_int_equal(eng_checkpoint_collect(cp, u.chain, &mark, NULL), OK);
    assert_int_equal(eng_checkpoint_write(cp, NULL), OK);
    assert_loads(&u, cp);
    make_block(u.chain);
    assert_int_equal(eng_checkpoint_collect(cp, u.chain, &mark, NULL), OK);
    assert_int_equal(eng_checkpoint_write(cp, NULL), OK);
    eng_checkpoint_close(cp);
    cp = open_checkpoint(&u);
    assert_true(eng_checkpoint_newest(cp, &newest));
    assert_int_equal(newest.height, 2);
    assert_memory_equal(newest.log_mark.b, mark.b, 32);
    assert_loads(&u, cp);
    eng_checkpoint_close(cp);
    tear_down(&u);
}

/* A full disk while the map grows or at the write keeps the old checkpoint, and what was collected for the next try. */
static void test_full_disk(void **state)
{
    (void)state;
    hash256 mark = { { 9 } };
    for (size_t n = 0; n < 40; n++) {
        setup u;
        fault f = { 0 };
        set_up(&u, 2000);
        disk_fast(true);
        eng_checkpoint *cp = open_checkpoint(&u);
        assert_int_equal(eng_checkpoint_collect(cp, u.chain, &mark, NULL), OK);
        disk_watch(u.base);
        disk_fail(n, ENOSPC, true);
        err e = eng_checkpoint_write(cp, &f);
        disk_fail(0, 0, false);
        disk_unwatch();
        assert_true(e == OK || e == ERR_DISK_FULL);
        if (e != OK)
            assert_int_equal(eng_checkpoint_write(cp, &f), OK);
        assert_loads(&u, cp);
        eng_checkpoint_close(cp);
        cp = open_checkpoint(&u);
        assert_loads(&u, cp);
        eng_checkpoint_close(cp);
        disk_fast(false);
        tear_down(&u);
        if (e == OK)
            break;
    }
}

static err open_and_load(const setup *u, fault *f)
{
    chain_config config = kit_config();
    eng_checkpoint *cp = NULL;
    chain *c = NULL;
    TRY(eng_checkpoint_open(&cp, u->dir, &u->network, f));
    err e = eng_checkpoint_load(cp, &c, &config, buf_bytes(&u->genesis), f);
    if (e == OK) /* the change hit what nobody reads */
        assert_memory_equal(chain_head(c)->state_root.b, chain_head(u->chain)->state_root.b, 32);
    chain_free(c);
    eng_checkpoint_close(cp);
    return e;
}

static void test_changed_bytes(void **state)
{
    (void)state;
    setup u;
    hash256 mark = { { 9 } };
    set_up(&u, 300);
    disk_fast(true);
    for (int i = 0; i < 3; i++) { /* a few commits, so that there are free pages */
        eng_checkpoint *cp = open_checkpoint(&u);
        assert_int_equal(eng_checkpoint_collect(cp, u.chain, &mark, NULL), OK);
        assert_int_equal(eng_checkpoint_write(cp, NULL), OK);
        eng_checkpoint_close(cp);
        make_block(u.chain);
    }
    eng_checkpoint *cp = open_checkpoint(&u);
    assert_int_equal(eng_checkpoint_collect(cp, u.chain, &mark, NULL), OK);
    assert_int_equal(eng_checkpoint_write(cp, NULL), OK);
    eng_checkpoint_close(cp);
    buf b;
    buf_init(&b, 16 << 20);
    assert_int_equal(base_file_read(&b, u.data, NULL), OK);
    assert_int_equal(lmdb_check(buf_bytes(&b), NULL), OK);
    size_t used = b.len;
    while (b.data[used - 1] == 0)
        used--;
    uint64_t random = 99;
    size_t refused = 0;
    for (int i = 0; i < 400; i++) {
        size_t at[3];
        uint8_t old[3];
        for (int k = 0; k < 3; k++) { /* half of them in the first bytes of a page, where the structure is */
            random = random * 6364136223846793005u + 1442695040888963407u;
            size_t page = (size_t)(random >> 33) % (used / 4096 + 1);
            at[k] = page * 4096 + (size_t)(random >> 20) % (i % 2 ? 64 : 4096);
            old[k] = b.data[at[k]];
            b.data[at[k]] = (uint8_t)(b.data[at[k]] ^ (1 + (random >> 12) % 255));
        }
        assert_int_equal(base_file_write_atomic(u.data, buf_bytes(&b), 0600, BASE_FILE_REPLACE, NULL), OK);
        fault f = { 0 };
        if (open_and_load(&u, &f) != OK) {
            assert_non_null(f.what);
            refused++;
        }
        for (int k = 3; k-- > 0;)
            b.data[at[k]] = old[k];
    }
    assert_true(refused > 200);
    buf_deinit(&b);
    disk_fast(false);
    tear_down(&u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_map_grows),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_changed_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
