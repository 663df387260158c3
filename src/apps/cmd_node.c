/* SPDX-License-Identifier: Apache-2.0
 *
 * `tb node`: run one, ask one. */
#include "apps/genesis_local.h"
#include "apps/ledger.h"
#include "apps/node_run.h"
#include "apps/wallet.h"

#include "rpc/json.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Signals are taken by the main thread alone, between the blocks of whatever the others do: blocked before the first thread starts. */
static void hold_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* else a full quota kills the node before it can say so */
}

/* Until a signal comes, or the engine can make no more blocks. */
static err serve(tb_node *n, const sigset_t *set, int *signal_number, fault *f)
{
    const struct timespec second = { .tv_sec = 1 };
    for (;;) {
        *signal_number = sigtimedwait(set, NULL, &second);
        if (*signal_number > 0)
            return OK;
        eng_solo_status status;
        eng_solo_status_get(tb_node_engine(n), &status);
        if (status.halted)
            return fail(f, status.block_error != OK ? status.block_error : ERR_INTERNAL, "the ledger cannot make blocks", status.height);
    }
}

static err read_ms(const tb_cli *cli, const char *name, uint32_t *out, fault *f)
{
    uint64_t v = tb_uint(cli, name);
    *out = (uint32_t)v;
    return v <= 86400000 ? OK : fail(f, ERR_USAGE, name, v);
}

static err prepare(const tb_cli *cli, tb_node_options *o, tb_home *home, buf *genesis, cr_secret_key *producer, hash256 *hash,
                   chain_name *chain_id, fault *f)
{
    tb_wallet_key key;
    uint64_t port = tb_uint(cli, "port");
    if (port > 65535)
        return fail(f, ERR_USAGE, "port", port);
    TRY(read_ms(cli, "interval", &o->interval_ms, f));
    TRY(read_ms(cli, "idle", &o->idle_ms, f));
    TRY(tb_home_find(home, cli, f));
    TRY(tb_home_make(home, f));
    TRY(tb_genesis_load(genesis, chain_id, hash, home, f));
    TRY(tb_wallet_unlock(producer, &key, cli, home, tb_text(cli, "producer"), chain_id, f));
    o->home = home;
    o->genesis = buf_bytes(genesis);
    o->producer = producer;
    o->socket = *tb_text(cli, "socket") ? tb_text(cli, "socket") : NULL;
    o->tcp = !tb_flag(cli, "no-tcp");
    o->port = (uint16_t)port;
    return OK;
}

static void show_ready(const tb_cli *cli, const tb_node *n, const chain_name *chain_id, const hash256 *hash, const eng_solo_report *report)
{
    char hex[65], url[40] = "";
    base_hex_encode(hex, hash->b, 32);
    if (tb_node_port(n))
        snprintf(url, sizeof url, "http://127.0.0.1:%u", tb_node_port(n));
    if (cli->json)
        tb_print_json(json_pack("{s:s, s:s, s:s, s:o, s:s, s:s}", "schema", "tb-node-ready-1", "chain_id", chain_id->text, "genesis", hex,
                                "height", rpc_json_u64(report->height), "socket", tb_node_endpoint(n), "url", url));
    else
        printf("node of %s, genesis %s\nheight %" PRIu64 ", listening on %s %s\nCtrl-C stops it; it is safe at any time\n", chain_id->text,
               hex, report->height, tb_node_endpoint(n), url);
    fflush(stdout);
}

int cmd_node_run(const tb_cli *cli)
{
    tb_node_options options = { 0 };
    tb_node *node = NULL;
    tb_home home;
    buf genesis;
    cr_secret_key producer = { { 0 } };
    hash256 hash;
    chain_name chain_id;
    eng_solo_report report = { 0 };
    sigset_t signals;
    int number = 0;
    fault f = { 0 };
    buf_init(&genesis, LIMIT_GENESIS_BYTES);
    hold_signals(&signals);
    err e = prepare(cli, &options, &home, &genesis, &producer, &hash, &chain_id, &f);
    if (e == OK)
        e = tb_node_start(&node, &options, &report, &f);
    cr_wipe(&producer, sizeof producer);
    if (e == OK) {
        show_ready(cli, node, &chain_id, &hash, &report);
        e = serve(node, &signals, &number, &f);
    }
    fault stop_fault = { 0 };
    err stopped = tb_node_stop(node, &stop_fault);
    if (e == OK && stopped != OK) {
        e = stopped;
        f = stop_fault;
    }
    buf_deinit(&genesis);
    if (e != OK)
        return tb_report(cli, e, "node", &f);
    if (!cli->json)
        fprintf(stderr, "stopped\n");
    return 0;
}

int cmd_node_status(const tb_cli *cli)
{
    tb_home home;
    tb_ledger l = { 0 };
    fault f = { 0 };
    json_t *status = NULL;
    tb_ledger_options options = { .node = tb_text(cli, "node"), .token_file = tb_text(cli, "token-file") };
    err e = tb_home_find(&home, cli, &f);
    if (e == OK)
        e = tb_ledger_open(&l, &home, &options, &f);
    if (e == OK)
        e = tb_ledger_call(&l, "chain.status", json_object(), 0, &status, &f);
    if (e == OK && cli->json) {
        json_object_set_new(status, "schema", json_string("tb-node-status-1"));
        tb_print_json(json_incref(status));
    } else if (e == OK) {
        char genesis[65], root[65];
        base_hex_encode(genesis, l.genesis.b, 32);
        base_hex_encode(root, l.state_root.b, 32);
        printf("network     %s\ngenesis     %s\nheight      %" PRIu64 "\nstate root  %s\n", l.chain_id.text, genesis, l.height, root);
        const char *engine = json_string_value(json_object_get(status, "engine"));
        printf("engine      %s\nwaiting     %" JSON_INTEGER_FORMAT " transactions\n", engine ? engine : "?",
               json_integer_value(json_object_get(status, "mempool_txs")));
    }
    json_decref(status);
    tb_ledger_close(&l);
    return e == OK ? 0 : tb_report(cli, e, "node", &f);
}
