/* SPDX-License-Identifier: Apache-2.0
 *
 * Many clients at once over both transports while the engine makes blocks: every payment is answered, followed and counted once. */
#define _GNU_SOURCE
#include "rpc/node.h"

#include "engine/ledger_testkit.h"
#include "rpc/client.h"
#include "rpc/json.h"

#include <ftw.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { PAYERS = 6, PAYMENTS = 15 };

static struct {
    char         dir[64], chain_dir[80], socket_path[96], endpoint[2][112];
    eng_solo    *engine;
    rpc_node     node;
    rpc_server  *server;
    atomic_uint  paid, transferred;
    atomic_bool  stop;
} t;

static int set_up(void **state)
{
    (void)state;
    buf genesis;
    cr_secret_key producer;
    cr_public_key key;
    buf_init(&genesis, LIMIT_GENESIS_BYTES);
    kit_genesis(&genesis, "load", PAYERS);
    kit_key(&producer, &key, KIT_PRODUCER);
    strcpy(t.dir, "/tmp/tb-load-XXXXXX");
    CHECK(mkdtemp(t.dir));
    snprintf(t.chain_dir, sizeof t.chain_dir, "%s/chain", t.dir);
    snprintf(t.socket_path, sizeof t.socket_path, "%s/run/rpc.sock", t.dir);
    const eng_solo_options options = { .dir = t.chain_dir, .genesis = buf_bytes(&genesis), .producer = &producer, .interval_ms = 20 };
    CHECK(eng_solo_open(&t.engine, &options, NULL, NULL) == OK);
    buf_deinit(&genesis);
    rpc_node_init(&t.node, t.engine, NULL, NULL);
    const rpc_route route = rpc_jsonrpc_route(&t.node.dispatcher);
    const rpc_token_hash token = rpc_token_hash_of("secret", RPC_SCOPE_OPERATE);
    const rpc_server_config config = { .socket_path = t.socket_path, .tcp = true, .tokens = &token, .token_count = 1, .routes = &route,
                                       .route_count = 1 };
    CHECK(rpc_server_start(&t.server, &config, NULL) == OK);
    snprintf(t.endpoint[0], sizeof t.endpoint[0], "unix:%s", t.socket_path);
    snprintf(t.endpoint[1], sizeof t.endpoint[1], "http://127.0.0.1:%u", (unsigned)rpc_server_port(t.server));
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st, (void)kind, (void)where;
    return remove(path);
}

static int tear_down(void **state)
{
    (void)state;
    rpc_server_stop(t.server);
    CHECK(eng_solo_close(t.engine, NULL) == OK);
    return nftw(t.dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static rpc_client *open_client(unsigned transport)
{
    rpc_client *c = NULL;
    CHECK(rpc_client_new(&c, t.endpoint[transport], &(rpc_client_options){ .token = transport ? "secret" : NULL }, NULL) == OK);
    return c;
}

/* Pays its neighbour again and again, each time waiting for the block; every third payment is handed in twice. */
static void *pay(void *number)
{
    uint64_t who = (uint64_t)(uintptr_t)number;
    rpc_client *c = open_client(who % 2);
    for (uint64_t i = 0; i < PAYMENTS; i++) {
        uint8_t raw[KIT_TX_BYTES];
        char hex[2 * KIT_TX_BYTES + 1];
        hash256 id;
        bytes tx = kit_transfer(raw, &id, "load", who, (who + 1) % PAYERS, 1000 + i, i);
        base_hex_encode(hex, tx.data, tx.len);
        json_t *params = json_pack("{s:s, s:i}", "tx", hex, "wait_ms", 20000), *result = NULL;
        for (int times = i % 3 == 0 ? 2 : 1; times > 0; times--) {
            fault f = { 0 };
            if (rpc_client_call_wait(c, "tx.submit", params, 20000, &result, &f) != OK ||
                strcmp(json_string_value(json_object_get(result, "outcome")), "ok") != 0) {
                const rpc_remote *r = rpc_client_remote(c);
                fprintf(stderr, "payer %u: %s, %s %s\n", (unsigned)who, f.what ? f.what : "-", r->message, r->what);
                abort();
            }
            json_decref(result);
        }
        json_decref(params);
        atomic_fetch_add(&t.paid, 1);
    }
    rpc_client_free(c);
    return NULL;
}

/* Follows the events by long polls, and reads status and blocks in between. */
static void *follow(void *unused)
{
    (void)unused;
    rpc_client *c = open_client(1);
    char since[24] = "0";
    while (!atomic_load(&t.stop)) {
        json_t *params = json_pack("{s:s, s:i, s:i}", "since", since, "limit", 7, "wait_ms", 200), *result = NULL, *one;
        CHECK(rpc_client_call_wait(c, "chain.events", params, 200, &result, NULL) == OK);
        CHECK(json_is_false(json_object_get(result, "lost")));
        size_t i;
        json_array_foreach(json_object_get(result, "events"), i, one)
            atomic_fetch_add(&t.transferred, strcmp(json_string_value(json_object_get(one, "name")), "transferred") == 0);
        snprintf(since, sizeof since, "%s", json_string_value(json_object_get(result, "next")));
        json_decref(params);
        json_decref(result);
        CHECK(rpc_client_call(c, "chain.status", NULL, &result, NULL) == OK);
        params = json_pack("{s:O, s:b}", "height", json_object_get(result, "height"), "bodies", 1);
        bool genesis = strcmp(json_string_value(json_object_get(result, "height")), "0") == 0;
        json_decref(result);
        CHECK(genesis || rpc_client_call(c, "chain.block", params, &result, NULL) == OK);
        if (!genesis)
            json_decref(result);
        json_decref(params);
    }
    rpc_client_free(c);
    return NULL;
}

static void many_clients(void **state)
{
    (void)state;
    pthread_t payers[PAYERS], follower;
    assert_int_equal(pthread_create(&follower, NULL, follow, NULL), 0);
    for (uintptr_t i = 0; i < PAYERS; i++)
        assert_int_equal(pthread_create(&payers[i], NULL, pay, (void *)i), 0);
    for (size_t i = 0; i < PAYERS; i++)
        pthread_join(payers[i], NULL);
    assert_int_equal(t.paid, PAYERS * PAYMENTS);
    for (int i = 0; i < 500 && t.transferred < PAYERS * PAYMENTS; i++)
        usleep(10000);
    atomic_store(&t.stop, true);
    pthread_join(follower, NULL);
    assert_int_equal(t.transferred, PAYERS * PAYMENTS); /* each once, the repeated ones too */
    assert_int_equal(chain_audit(eng_solo_read_begin(t.engine), NULL), OK);
    eng_solo_read_end(t.engine);
}

/* Waits for the event after the newest one. */
static void *wait_long(void *code)
{
    rpc_client *c = open_client(0);
    json_t *status = NULL, *result = NULL;
    CHECK(rpc_client_call(c, "chain.status", NULL, &status, NULL) == OK);
    json_t *params = json_pack("{s:O, s:i}", "since", json_object_get(status, "event_next"), "wait_ms", 60000);
    *(atomic_int *)code = (int)rpc_client_call_wait(c, "chain.events", params, 60000, &result, NULL);
    json_decref(result);
    json_decref(status);
    json_decref(params);
    rpc_client_free(c);
    return NULL;
}

static void stop_while_waiting(void **state)
{
    (void)state;
    pthread_t waiter;
    atomic_int e = ERR_INTERNAL;
    assert_int_equal(pthread_create(&waiter, NULL, wait_long, &e), 0);
    usleep(300000);
    assert_int_equal(e, ERR_INTERNAL); /* it waits */
    uint64_t begin = rpc_clock_ms();
    rpc_server_stop(t.server);
    t.server = NULL;
    assert_true(rpc_clock_ms() - begin < 3000);
    pthread_join(waiter, NULL);
    assert_true(e == OK || e == ERR_TIMEOUT); /* answered early, or cut off: not left waiting */
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(many_clients), cmocka_unit_test(stop_while_waiting) };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
