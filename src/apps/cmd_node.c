/* SPDX-License-Identifier: Apache-2.0
 *
 * `tb node`: run one, ask one. */
#include "apps/genesis_local.h"
#include "apps/ledger.h"
#include "apps/node_run.h"
#include "apps/settings.h"
#include "apps/signals.h"
#include "apps/wallet.h"

#include "rpc/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void no_more(void *ctx)
{
    (void)ctx;
}

/* Until a signal comes, or the engine can make no more blocks. */
static err serve(tb_node *n, tb_signals *signals, fault *f)
{
    const struct timespec slice = { .tv_nsec = 50000000 };
    for (;;) {
        if (atomic_load(&signals->caught))
            return OK;
        nanosleep(&slice, NULL);
        eng_solo_status status;
        eng_solo_status_get(tb_node_engine(n), &status);
        if (status.halted)
            return fail(f, status.block_error != OK ? status.block_error : ERR_INTERNAL, "the ledger cannot make blocks", status.height);
    }
}

static err read_settings(rpc_conf *conf, const tb_cli *cli, const tb_home *home, fault *f)
{
    static const struct { const char *option; rpc_conf_key key; } flags[] = {
        { "producer", RPC_CONF_node_producer }, { "socket", RPC_CONF_rpc_socket }, { "port", RPC_CONF_rpc_port },
        { "interval", RPC_CONF_engine_interval_ms }, { "idle", RPC_CONF_engine_idle_ms },
    };
    TRY(tb_settings_load(conf, home, NULL, f));
    for (size_t i = 0; i < COUNT_OF(flags); i++)
        TRY(tb_settings_flag(conf, cli, flags[i].option, flags[i].key, f));
    if (tb_flag(cli, "no-tcp"))
        TRY(rpc_conf_set(conf, RPC_CONF_rpc_tcp, bytes_of_str("no"), RPC_CONF_FLAG, f));
    return rpc_conf_resolve(conf, home->dir, f);
}

static err prepare(const tb_cli *cli, tb_node_options *o, tb_home *home, rpc_conf *conf, buf *genesis, cr_secret_key *producer,
                   hash256 *hash, chain_name *chain_id, fault *f)
{
    tb_wallet_key key;
    TRY(tb_home_find(home, cli, f));
    TRY(read_settings(conf, cli, home, f));
    TRY(tb_home_make(home, f));
    TRY(tb_genesis_load(genesis, chain_id, hash, home, f));
    TRY(tb_wallet_unlock(producer, &key, cli, home, conf->v[RPC_CONF_node_producer].text, chain_id, f));
    o->home = home;
    o->genesis = buf_bytes(genesis);
    o->producer = producer;
    o->conf = conf;
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
    static rpc_conf conf;
    tb_node_options options = { 0 };
    tb_node *node = NULL;
    tb_home home;
    buf genesis;
    cr_secret_key producer = { { 0 } };
    hash256 hash;
    chain_name chain_id;
    eng_solo_report report = { 0 };
    tb_signals signals = { .until_eof = tb_flag(cli, "until-eof") };
    fault f = { 0 };
    buf_init(&genesis, LIMIT_GENESIS_BYTES);
    err e = prepare(cli, &options, &home, &conf, &genesis, &producer, &hash, &chain_id, &f);
    tb_signals_block();
    tb_signals_start(&signals, no_more, NULL);
    if (e == OK)
        e = tb_node_start(&node, &options, &report, &f);
    cr_wipe(&producer, sizeof producer);
    if (e == OK) {
        show_ready(cli, node, &chain_id, &hash, &report);
        e = serve(node, &signals, &f);
    }
    fault stop_fault = { 0 };
    err stopped = tb_node_stop(node, &stop_fault);
    if (e == OK && stopped != OK) {
        e = stopped;
        f = stop_fault;
    }
    tb_signals_end(&signals);
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
