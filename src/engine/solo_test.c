/* SPDX-License-Identifier: Apache-2.0
 *
 * The solo engine: life of a transaction, recovery, refusal of altered directories, a full disk. */
#define _GNU_SOURCE
#include "engine/solo.h"

#include "base/port/file.h"
#include "engine/block.h"
#include "engine/disk_testkit.h"
#include "engine/ledger_testkit.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { ACCOUNTS = 8 };

typedef struct setup {
    char          dir[256];
    buf           genesis;
    cr_secret_key producer;
    cr_public_key producer_key;
    uint64_t      nonce[ACCOUNTS]; /* of the next transfer */
} setup;

static void set_up(setup *u)
{
    *u = (setup){ 0 };
    disk_temp(u->dir, "solo");
    buf_init(&u->genesis, LIMIT_GENESIS_BYTES);
    kit_genesis(&u->genesis, "solo", ACCOUNTS);
    kit_key(&u->producer, &u->producer_key, KIT_PRODUCER);
}

static void tear_down(setup *u)
{
    buf_deinit(&u->genesis);
    disk_remove(u->dir);
}

static eng_solo_options manual(const setup *u)
{
    return (eng_solo_options){ .dir = u->dir, .genesis = buf_bytes(&u->genesis), .producer = &u->producer, .manual = true,
                               .checkpoint_blocks = 5, .segment_bytes = 16384 };
}

static eng_solo *open_with(const eng_solo_options *options, eng_solo_report *report)
{
    eng_solo *s = NULL;
    fault f = { 0 };
    err e = eng_solo_open(&s, options, report, &f);
    if (e != OK)
        fail_msg("open: %s: %s at %llu", err_describe(e)->name, f.what, (unsigned long long)f.at);
    return s;
}

static eng_solo *open_manual(const setup *u)
{
    eng_solo_options options = manual(u);
    return open_with(&options, NULL);
}

static err open_error(const eng_solo_options *options, fault *f)
{
    eng_solo *s = NULL;
    eng_solo_report report;
    *f = (fault){ 0 };
    err e = eng_solo_open(&s, options, &report, f);
    if (e == OK)
        assert_int_equal(eng_solo_close(s, NULL), OK);
    return e;
}

static hash256 submit(setup *u, eng_solo *s, uint64_t from, uint64_t to, uint64_t amount)
{
    uint8_t raw[KIT_TX_BYTES];
    hash256 id, got;
    fault f = { 0 };
    bytes tx = kit_transfer(raw, &id, "solo", from, to, amount, u->nonce[from]++);
    err e = eng_solo_submit(s, &got, tx, &f);
    if (e != OK)
        fail_msg("submit: %s: %s", err_describe(e)->name, f.what);
    assert_memory_equal(got.b, id.b, 32);
    return id;
}

static uint64_t produce(eng_solo *s)
{
    uint64_t height;
    fault f = { 0 };
    err e = eng_solo_produce(s, false, &height, &f);
    if (e != OK)
        fail_msg("produce: %s: %s", err_describe(e)->name, f.what);
    return height;
}

static hash256 root_of(eng_solo *s)
{
    const chain *c = eng_solo_read_begin(s);
    kit_audit(c);
    hash256 root = chain_head(c)->state_root;
    eng_solo_read_end(s);
    return root;
}

/* `n` blocks of a few transfers. */
static void make_blocks(setup *u, eng_solo *s, int n)
{
    for (int i = 0; i < n; i++) {
        for (uint64_t k = 0; k <= (uint64_t)i % 3; k++)
            submit(u, s, k, 100 + (uint64_t)i, 1000000 + k);
        assert_true(produce(s) != 0);
    }
}

static void test_life_of_a_transaction(void **state)
{
    (void)state;
    setup u;
    set_up(&u);
    eng_solo *s = open_manual(&u);
    assert_int_equal(produce(s), 0); /* nothing waits, no block */
    hash256 id = submit(&u, s, 0, 200, 5000000);
    eng_tx_result result;
    assert_int_equal(eng_solo_result(s, &result, &id), OK);
    assert_int_equal(result.status, ENG_TX_WAITING);
    assert_int_equal(eng_solo_wait(s, &result, &id, 10), ERR_TIMEOUT);
    assert_int_equal(produce(s), 1);
    assert_int_equal(eng_solo_wait(s, &result, &id, 0), OK);
    assert_int_equal(result.status, ENG_TX_INCLUDED);
    assert_int_equal(result.code, OK);
    assert_int_equal(result.height, 1);
    assert_true(result.fee > 0 && result.event_count > 0 && result.event_first == 1ull << ENG_EVENT_BITS);
    hash256 other = { { 1 } };
    assert_int_equal(eng_solo_wait(s, &result, &other, 0), ERR_NOT_FOUND);

    eng_event events[16];
    size_t count;
    uint64_t next;
    bool lost;
    eng_solo_events(s, events, &count, &next, &lost, 0, 16);
    assert_true(count >= 2 && !lost && next == 2ull << ENG_EVENT_BITS);
    for (size_t i = 0; i < count; i++)
        assert_true(events[i].seq == (1ull << ENG_EVENT_BITS) + i);
    assert_int_equal(events[0].type, CHAIN_EVENT_TRANSFERRED);
    assert_memory_equal(events[0].tx.b, id.b, 32);
    chain_event decoded;
    assert_int_equal(chain_record_decode_all(bytes_of(events[0].data, events[0].len), chain_event_record(events[0].type),
                                             &decoded.data, NULL), OK);
    eng_solo_events(s, events, &count, &next, &lost, next, 16);
    assert_int_equal(count, 0);

    /* The receiver's row under the signed header, checked with nothing but the proof. */
    eng_proved proved;
    cr_address address = kit_address(200);
    chain_key key = chain_key_address(&address);
    assert_int_equal(eng_solo_prove(s, &proved, CHAIN_TABLE_ACCOUNT, chain_key_bytes(&key), NULL), OK);
    chain_header header;
    hash256 block_hash;
    assert_int_equal(chain_header_decode(&header, &block_hash, bytes_of(proved.header, proved.header_len), NULL), OK);
    assert_memory_equal(&header.producer, &u.producer_key, 32);
    assert_int_equal(smt_verify(&proved.proof, &header.state_root, CHAIN_TABLE_ACCOUNT, chain_key_bytes(&key), &proved.value, NULL),
                     OK);
    buf block;
    buf_init(&block, LIMIT_LOG_RECORD_BYTES);
    assert_int_equal(eng_solo_block(s, &block, 1, NULL), OK);
    chain *reference = kit_chain(buf_bytes(&u.genesis));
    kit_apply(reference, buf_bytes(&block));
    assert_memory_equal(&chain_head(reference)->state_root, &header.state_root, 32);
    chain_free(reference);
    buf_deinit(&block);
    assert_int_equal(eng_solo_close(s, NULL), OK);
    tear_down(&u);
}

static void test_submissions_refused(void **state)
{
    (void)state;
    setup u;
    set_up(&u);
    eng_solo *s = open_manual(&u);
    uint8_t raw[KIT_TX_BYTES];
    hash256 id, got;
    fault f = { 0 };
    bytes tx = kit_transfer(raw, &id, "solo", 0, 1, 1000, 0);
    assert_int_equal(eng_solo_submit(s, &got, tx, &f), OK);
    assert_int_equal(eng_solo_submit(s, &got, tx, &f), ERR_DUPLICATE);
    assert_memory_equal(got.b, id.b, 32);
    assert_int_equal(produce(s), 1);
    assert_int_equal(eng_solo_submit(s, &got, tx, &f), ERR_DUPLICATE);
    assert_string_equal(f.what, "tx: was in a block already");
    raw[tx.len - 1] ^= 1;
    assert_int_equal(eng_solo_submit(s, &got, tx, &f), ERR_SIGNATURE);
    assert_true(eng_solo_submit(s, &got, bytes_of(raw, tx.len - 1), &f) != OK);
    tx = kit_transfer(raw, &id, "other", 0, 1, 1000, 1);
    assert_int_equal(eng_solo_submit(s, &got, tx, &f), ERR_CHAIN_ID);
    tx = kit_transfer(raw, &id, "solo", 0, 1, 1000, 0);
    tx = kit_transfer(raw, &id, "solo", 0, 1, 999, 0);
    assert_int_equal(eng_solo_submit(s, &got, tx, &f), ERR_NONCE);
    tx = kit_transfer(raw, &id, "solo", 0, 1, 2 * KIT_GRANT_NBLOCK, 1);
    assert_int_equal(eng_solo_submit(s, &got, tx, &f), ERR_FUNDS);
    tx = kit_transfer(raw, &id, "solo", 999, 1, 1000, 0); /* nobody */
    assert_int_equal(eng_solo_submit(s, &got, tx, &f), ERR_FUNDS);
    /* A gap waits; when it closes all go, in order. */
    hash256 last;
    tx = kit_transfer(raw, &last, "solo", 0, 1, 1000, 3);
    assert_int_equal(eng_solo_submit(s, &got, tx, &f), OK);
    assert_int_equal(produce(s), 0);
    for (uint64_t n = 2; n > 0; n--) {
        tx = kit_transfer(raw, &id, "solo", 0, 1, 1000, n);
        assert_int_equal(eng_solo_submit(s, &got, tx, &f), OK);
    }
    assert_int_equal(produce(s), 2);
    eng_tx_result result;
    assert_int_equal(eng_solo_wait(s, &result, &last, 0), OK);
    assert_int_equal(result.code, OK);
    assert_int_equal(result.index, 2);
    assert_int_equal(eng_solo_close(s, NULL), OK);
    tear_down(&u);
}

static void test_many_at_once(void **state)
{
    (void)state;
    enum { N = 400 };
    setup u;
    set_up(&u);
    base_pool *pool;
    assert_int_equal(base_pool_new(&pool, 2), OK);
    eng_solo_options options = manual(&u);
    options.pool = pool;
    options.segment_bytes = 0;
    eng_solo *s = open_with(&options, NULL);
    static uint8_t raws[N][KIT_TX_BYTES];
    static eng_submitted out[N];
    bytes txs[N];
    hash256 id;
    for (size_t i = 0; i < N; i++)
        txs[i] = kit_transfer(raws[i], &id, "solo", i % ACCOUNTS, 300 + i, 1000, i / ACCOUNTS);
    raws[7][txs[7].len - 2] ^= 4;
    eng_solo_submit_many(s, out, txs, N);
    for (size_t i = 0; i < N; i++)
        assert_int_equal(out[i].code, i == 7 ? ERR_SIGNATURE : OK);
    assert_int_equal(produce(s), 1);
    eng_tx_result result;
    for (size_t i = 0; i < N; i++) {
        if (i % ACCOUNTS != 7) /* the sender of the bad one has a gap from its first */
            assert_int_equal(eng_solo_result(s, &result, &out[i].id), OK);
    }
    eng_solo_status status;
    eng_solo_status_get(s, &status);
    assert_int_equal(status.waiting_txs, N / ACCOUNTS - 1);
    assert_int_equal(eng_solo_close(s, NULL), OK);
    base_pool_free(pool);
    tear_down(&u);
}

static void test_thread_makes_blocks(void **state)
{
    (void)state;
    setup u;
    set_up(&u);
    eng_solo_options options = manual(&u);
    options.manual = false;
    options.interval_ms = 20;
    options.idle_ms = 60;
    eng_solo *s = open_with(&options, NULL);
    eng_tx_result result;
    for (int i = 0; i < 5; i++) {
        hash256 id = submit(&u, s, 1, 2, 1000);
        assert_int_equal(eng_solo_wait(s, &result, &id, 20000), OK);
        assert_int_equal(result.code, OK);
    }
    uint64_t now; /* and heights pass without transactions */
    assert_int_equal(eng_solo_wait_block(s, &now, result.height, 20000), OK);
    assert_int_equal(eng_solo_close(s, NULL), OK);
    tear_down(&u);
}

static void test_reopening_gives_the_same_state(void **state)
{
    (void)state;
    setup u;
    set_up(&u);
    disk_fast(true);
    hash256 root = { { 0 } };
    for (int round = 0; round < 4; round++) {
        eng_solo *s = open_manual(&u);
        if (round) {
            hash256 again = root_of(s);
            assert_memory_equal(again.b, root.b, 32);
        }
        make_blocks(&u, s, 7);
        root = root_of(s);
        assert_int_equal(eng_solo_close(s, NULL), OK);
    }
    /* From the checkpoint of the clean stop; from the log alone. */
    eng_solo_options options = manual(&u);
    options.genesis = bytes_of(NULL, 0);
    eng_solo_report report;
    for (int rebuild = 0; rebuild < 2; rebuild++) {
        options.rebuild = rebuild;
        eng_solo *s = open_with(&options, &report);
        assert_int_equal(report.height, 28);
        assert_int_equal(report.checkpoint_height, rebuild ? 0 : 28);
        hash256 again = root_of(s);
        assert_memory_equal(again.b, root.b, 32);
        assert_int_equal(eng_solo_close(s, NULL), OK);
    }
    disk_fast(false);
    tear_down(&u);
}

/* A client that polls across restarts hears each event once, or hears that it may have missed some. */
static void test_events_across_restarts(void **state)
{
    (void)state;
    setup u;
    eng_event events[64];
    size_t count;
    uint64_t next, again;
    bool lost;
    set_up(&u);
    eng_solo *s = open_manual(&u);
    make_blocks(&u, s, 2);
    eng_solo_events(s, events, &count, &next, &lost, 0, 64);
    assert_true(count > 4 && !lost && next == 3ull << ENG_EVENT_BITS);
    eng_solo_events(s, events, &count, &again, &lost, events[1].seq, 2);
    assert_true(count == 2 && !lost && events[1].seq == (1ull << ENG_EVENT_BITS) + 2 && again > events[1].seq);
    assert_int_equal(eng_solo_close(s, NULL), OK);

    s = open_manual(&u); /* nothing happened meanwhile: nothing to hear, nothing lost */
    eng_solo_events(s, events, &count, &again, &lost, next, 64);
    assert_true(count == 0 && !lost && again == next);
    make_blocks(&u, s, 1);
    eng_solo_events(s, events, &count, &again, &lost, next, 64);
    assert_true(count > 0 && !lost && events[0].height == 3 && events[0].seq == next);
    uint64_t first = events[0].seq;
    assert_int_equal(eng_solo_close(s, NULL), OK);

    s = open_manual(&u); /* block 3 is in the checkpoint: its events are gone, and that is said */
    make_blocks(&u, s, 2);
    eng_solo_events(s, events, &count, &again, &lost, next, 64);
    assert_true(lost && count > 0 && events[0].height == 4);
    assert_int_equal(eng_solo_close(s, NULL), OK);

    eng_solo_options options = manual(&u); /* executed again, the events have the numbers they had */
    options.rebuild = true;
    s = open_with(&options, NULL);
    eng_solo_events(s, events, &count, &again, &lost, next, 64);
    assert_true(!lost && count > 0 && events[0].seq == first && again == 6ull << ENG_EVENT_BITS);
    assert_int_equal(eng_solo_close(s, NULL), OK);
    tear_down(&u);
}

static void test_directories_refused(void **state)
{
    (void)state;
    setup u;
    set_up(&u);
    eng_solo *s = open_manual(&u);
    make_blocks(&u, s, 2);
    eng_solo_options options = manual(&u);
    fault f;
    assert_int_equal(open_error(&options, &f), ERR_BUSY);
    assert_int_equal(eng_solo_close(s, NULL), OK);
    buf other;
    buf_init(&other, LIMIT_GENESIS_BYTES);
    kit_genesis(&other, "elsewhere", 3);
    options.genesis = buf_bytes(&other);
    assert_int_equal(open_error(&options, &f), ERR_CHAIN_ID);
    assert_string_equal(f.what, "data directory: of another genesis");
    options = manual(&u);
    cr_secret_key stranger;
    cr_public_key key;
    kit_key(&stranger, &key, 1);
    options.producer = &stranger;
    assert_int_equal(open_error(&options, &f), ERR_PERMISSION);
    /* Another network's log in its place. */
    char genesis[400];
    snprintf(genesis, sizeof genesis, "%s/genesis.cbor", u.dir);
    assert_int_equal(base_file_write_atomic(genesis, buf_bytes(&other), 0600, BASE_FILE_REPLACE, NULL), OK);
    options = manual(&u);
    options.genesis = buf_bytes(&other);
    assert_int_equal(open_error(&options, &f), ERR_CHAIN_ID);
    assert_string_equal(f.what, "block log segment: genesis");
    /* A genesis that is none leaves nothing behind. */
    char fresh[300];
    snprintf(fresh, sizeof fresh, "%s/fresh", u.dir);
    options.dir = fresh;
    options.genesis = bytes_of("nonsense", 8);
    assert_true(open_error(&options, &f) != OK);
    snprintf(genesis, sizeof genesis, "%s/genesis.cbor", fresh);
    assert_int_not_equal(access(genesis, F_OK), 0);
    options.genesis = bytes_of(NULL, 0);
    assert_int_equal(open_error(&options, &f), ERR_NOT_FOUND);
    buf_deinit(&other);
    tear_down(&u);
}

static void *find(const buf *b, bytes what)
{
    return memmem(b->data, b->len, what.data, what.len);
}

static void put_back(const char *path, const buf *b, size_t len)
{
    assert_int_equal(base_file_write_atomic(path, bytes_of(b->data, len), 0600, BASE_FILE_REPLACE, NULL), OK);
}

/* Each altered checkpoint is refused by name; the log rebuilds it. */
static void test_altered_checkpoints_are_refused(void **state)
{
    (void)state;
    setup u;
    set_up(&u);
    disk_fast(true);
    eng_solo *s = open_manual(&u);
    make_blocks(&u, s, 9);
    hash256 root = root_of(s);
    eng_proved proved;
    cr_address address = kit_address(2);
    chain_key key = chain_key_address(&address);
    assert_int_equal(eng_solo_prove(s, &proved, CHAIN_TABLE_ACCOUNT, chain_key_bytes(&key), NULL), OK);
    assert_int_equal(eng_solo_close(s, NULL), OK);
    char path[300];
    snprintf(path, sizeof path, "%s/checkpoint/data.mdb", u.dir);
    buf good;
    buf_init(&good, 64 << 20);
    assert_int_equal(base_file_read(&good, path, NULL), OK);
    eng_solo_options options = manual(&u);
    fault f;
    /* A balance. */
    uint8_t *row = find(&good, proved.value);
    assert_non_null(row);
    for (uint8_t *at = row; at; at = memmem(at + 1, (size_t)(good.data + good.len - at - 1), proved.value.data, proved.value.len))
        at[proved.value.len - 2] ^= 1;
    put_back(path, &good, good.len);
    assert_int_equal(open_error(&options, &f), ERR_HASH);
    assert_string_equal(f.what, "header.state_root");
    for (uint8_t *at = good.data; at < good.data + good.len - 40; at++) {
        if (memcmp(at, proved.value.data, proved.value.len - 2) == 0)
            at[proved.value.len - 2] = proved.value.data[proved.value.len - 2];
    }
    /* Its note of the state root: the only copies of the root outside headers. */
    uint8_t *noted = NULL;
    while ((noted = memmem(noted ? noted + 1 : good.data, good.len - (size_t)(noted ? noted + 1 - good.data : 0), root.b, 32)))
        noted[5] ^= 1, noted += 31;
    put_back(path, &good, good.len);
    assert_true(open_error(&options, &f) != OK);
    assert_non_null(f.what);
    /* Cut short, empty, and no database at all. */
    put_back(path, &good, 8192);
    assert_int_equal(open_error(&options, &f), ERR_TRUNCATED);
    assert_string_equal(f.what, "data.mdb: ends early");
    put_back(path, &good, 0);
    assert_int_equal(open_error(&options, &f), ERR_TRUNCATED);
    memset(good.data, 0x5a, good.len);
    put_back(path, &good, good.len);
    assert_int_equal(open_error(&options, &f), ERR_MAGIC);
    assert_string_equal(f.what, "data.mdb: magic");
    options.rebuild = true;
    s = open_with(&options, NULL);
    hash256 again = root_of(s);
    assert_memory_equal(again.b, root.b, 32);
    assert_int_equal(eng_solo_close(s, NULL), OK);
    buf_deinit(&good);
    disk_fast(false);
    tear_down(&u);
}

/* The last block wiped from the log, wholly: the log alone cannot tell, the checkpoint can. */
static void test_log_shorter_than_checkpoint(void **state)
{
    (void)state;
    setup u;
    set_up(&u);
    eng_solo *s = open_manual(&u);
    make_blocks(&u, s, 4);
    assert_int_equal(eng_solo_close(s, NULL), OK);
    char path[300];
    snprintf(path, sizeof path, "%s/log/%020d.blocks", u.dir, 1);
    eng_solo_options options = manual(&u);
    eng_solo_report report;
    s = open_with(&options, &report);
    uint64_t end = report.log.offset;
    make_blocks(&u, s, 1);
    assert_int_equal(eng_solo_close(s, NULL), OK);
    buf b;
    buf_init(&b, 1 << 20);
    assert_int_equal(base_file_read(&b, path, NULL), OK);
    memset(b.data + end, 0, b.len - end);
    put_back(path, &b, b.len);
    fault f;
    assert_int_equal(open_error(&options, &f), ERR_HASH);
    assert_string_equal(f.what, "block log: ends before the checkpoint, at height");
    assert_int_equal(f.at, 4);
    buf_deinit(&b);
    tear_down(&u);
}

static void test_full_disk(void **state)
{
    (void)state;
    setup u;
    set_up(&u);
    disk_watch(u.dir);
    eng_solo *s = open_manual(&u);
    make_blocks(&u, s, 2);
    hash256 root = root_of(s);
    hash256 id = submit(&u, s, 3, 4, 1000);
    disk_fail(0, ENOSPC, true);
    uint64_t height;
    fault f = { 0 };
    assert_int_equal(eng_solo_produce(s, false, &height, &f), ERR_DISK_FULL);
    /* Both the append and the blanking met a full disk: what is there is unknown, so the engine stops making blocks. */
    eng_solo_status status;
    eng_solo_status_get(s, &status);
    assert_int_equal(status.block_error, ERR_DISK_FULL);
    assert_int_equal(status.height, 2);
    hash256 same = root_of(s);
    assert_memory_equal(same.b, root.b, 32);
    uint8_t raw[KIT_TX_BYTES];
    hash256 other, got;
    bytes tx = kit_transfer(raw, &other, "solo", 4, 5, 1000, 0);
    err refused = eng_solo_submit(s, &got, tx, &f);
    assert_true(refused == ERR_DISK_FULL || refused == ERR_IO);
    disk_fail(0, 0, false);
    assert_int_equal(eng_solo_close(s, NULL), OK);
    s = open_manual(&u);
    same = root_of(s);
    assert_memory_equal(same.b, root.b, 32);
    u.nonce[3] = 0;
    id = submit(&u, s, 3, 4, 1000);
    /* One write fails, the next works: the block is tried again and the transaction is not lost. */
    disk_fail(0, ENOSPC, false);
    assert_int_equal(eng_solo_produce(s, false, &height, &f), ERR_DISK_FULL);
    eng_tx_result result;
    assert_int_equal(eng_solo_result(s, &result, &id), OK);
    assert_int_equal(result.status, ENG_TX_WAITING);
    assert_int_equal(produce(s), 3);
    assert_int_equal(eng_solo_wait(s, &result, &id, 0), OK);
    assert_int_equal(result.code, OK);
    /* A sync that fails stops the engine; opening again tells what became of the block. */
    submit(&u, s, 3, 4, 1000);
    disk_fail(1, EIO, false);
    assert_int_equal(eng_solo_produce(s, false, &height, &f), ERR_IO);
    assert_int_equal(eng_solo_produce(s, false, &height, &f), ERR_IO);
    assert_string_equal(f.what, "engine: halted, open it again");
    disk_fail(0, 0, false);
    assert_int_equal(eng_solo_close(s, NULL), OK);
    s = open_manual(&u);
    root_of(s);
    eng_solo_status_get(s, &status);
    assert_true(status.height == 3 || status.height == 4);
    assert_int_equal(eng_solo_close(s, NULL), OK);
    disk_unwatch();
    tear_down(&u);
}

/* The power goes at every change of a script of 60 blocks with checkpoints, LMDB's own changes included. */
static void test_cut_at_every_write(void **state)
{
    (void)state;
    enum { BLOCKS = 60 };
    setup u;
    set_up(&u);
    char image[300];
    snprintf(image, sizeof image, "%s-image", u.dir);
    disk_fast(true);
    disk_watch(u.dir);
    size_t  ops_at[BLOCKS + 1] = { 0 };
    hash256 roots[BLOCKS + 1];
    eng_solo_options options = manual(&u);
    options.checkpoint_blocks = 16;
    eng_solo *s = open_with(&options, NULL);
    roots[0] = root_of(s);
    for (int h = 1; h <= BLOCKS; h++) {
        for (uint64_t k = 0; k <= (uint64_t)h % 3; k++)
            submit(&u, s, k, 100 + (uint64_t)h, 1000000 + k);
        assert_int_equal(produce(s), h);
        ops_at[h] = disk_op_count();
        roots[h] = root_of(s);
    }
    assert_int_equal(eng_solo_close(s, NULL), OK);
    disk_unwatch();
    options.dir = image;
    uint64_t acknowledged = 0;
    size_t cuts = 0;
    for (size_t op = 0; op <= disk_op_count(); op++) {
        while (acknowledged < BLOCKS && ops_at[acknowledged + 1] <= op)
            acknowledged++;
        for (disk_cut how = 0; how < DISK_CUTS; how++) {
            disk_image(image, op, how);
            s = NULL;
            fault f = { 0 };
            err e = eng_solo_open(&s, &options, NULL, &f);
            if (e != OK)
                fail_msg("cut %zu.%d: %s: %s at %llu", op, (int)how, err_describe(e)->name, f.what, (unsigned long long)f.at);
            const chain *c = eng_solo_read_begin(s);
            uint64_t height = chain_head(c)->height;
            assert_true(height >= acknowledged && height <= BLOCKS);
            assert_memory_equal(chain_head(c)->state_root.b, roots[height].b, 32);
            eng_solo_read_end(s);
            assert_int_equal(eng_solo_close(s, NULL), OK);
            disk_remove(image);
            cuts++;
        }
    }
    assert_true(cuts > 4 * 2 * BLOCKS);
    disk_fast(false);
    tear_down(&u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life_of_a_transaction),
        cmocka_unit_test(test_submissions_refused),
        cmocka_unit_test(test_many_at_once),
        cmocka_unit_test(test_thread_makes_blocks),
        cmocka_unit_test(test_reopening_gives_the_same_state),
        cmocka_unit_test(test_events_across_restarts),
        cmocka_unit_test(test_directories_refused),
        cmocka_unit_test(test_altered_checkpoints_are_refused),
        cmocka_unit_test(test_log_shorter_than_checkpoint),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_cut_at_every_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
