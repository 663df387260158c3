/* SPDX-License-Identifier: Apache-2.0
 *
 * `tb worker`: register, bid, work, claim. */
#include "apps/amount.h"
#include "apps/signals.h"
#include "apps/train_http.h"
#include "apps/train_ledger.h"
#include "apps/wallet.h"

#include "rpc/json.h"
#include "train/worker.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { EXPIRY_BLOCKS_MIN = 16 }; /* to compute a lease and have it committed */

/* A worker's key and its node, for the length of one command. */
typedef struct worker {
    const tb_cli *cli;
    tb_home       home;
    tb_ledger     ledger;
    tb_wallet_key key;
    cr_secret_key secret;
    hash256       job;
    chain_row_job row;
    uint64_t      price; /* of its bid */
    tb_sent       sent; /* the bid of a run, if it made one */
    /* of a run */
    tr_worker    *work;
    uint64_t      done, refused;
    atomic_bool   stop;
} worker;

static err worker_open(worker *w, bool sign, fault *f)
{
    tb_ledger_options options = { .node = tb_text(w->cli, "node"), .token_file = tb_text(w->cli, "token-file") };
    TRY(cr_ed25519_self_test());
    TRY(tb_home_find(&w->home, w->cli, f));
    TRY(tb_wallet_find(&w->key, &w->home, tb_text(w->cli, "key"), f));
    TRY(tb_ledger_open(&w->ledger, &w->home, &options, f));
    return sign ? tb_wallet_unlock(&w->secret, &w->key, w->cli, &w->home, tb_text(w->cli, "key"), &w->ledger.chain_id, f) : OK;
}

static void worker_close(worker *w)
{
    tb_ledger_close(&w->ledger);
    cr_wipe(&w->secret, sizeof w->secret);
}

/* One transaction of the worker's own, reported in the user's form. */
static int run_tx(worker *w, chain_tx *tx, const char *schema)
{
    tb_sent sent = { 0 };
    fault f = { 0 };
    err e = tb_ledger_run(&w->ledger, &sent, tx, &w->secret, 0, &f);
    int code = tb_sent_report(w->cli, e, &sent, &f, schema);
    worker_close(w);
    return code;
}

int cmd_worker_register(const tb_cli *cli)
{
    worker w = { .cli = cli };
    chain_tx tx = { .type = CHAIN_TX_WORKER_REGISTER };
    fault f = { 0 };
    uint64_t bond, max_batch = tb_uint(cli, "max-batch"), throughput = tb_uint(cli, "throughput");
    err e = tb_amount_parse(&bond, tb_text(cli, "bond"), &f);
    if (e == OK && (max_batch > UINT32_MAX || throughput > UINT64_MAX / 1000))
        e = fail(&f, ERR_USAGE, "max-batch or throughput", max_batch);
    if (e == OK)
        e = worker_open(&w, true, &f);
    if (e != OK) {
        worker_close(&w);
        return tb_report(cli, e, "worker", &f);
    }
    tx.payload.worker_register = (chain_tx_worker_register){ .bond = bond, .blocktorch_version = 1 << 10, .supported_backends = CHAIN_BACKEND_CPU,
        .max_model_parameters = tb_uint(cli, "max-parameters"), .max_batch_size = (uint32_t)max_batch, .measured_throughput = throughput * 1000 };
    return run_tx(&w, &tx, "tb-worker-register-1");
}

static int run_plain(const tb_cli *cli, chain_tx_type type, const char *schema)
{
    worker w = { .cli = cli };
    chain_tx tx = { .type = type };
    fault f = { 0 };
    err e = worker_open(&w, true, &f);
    if (e == OK)
        return run_tx(&w, &tx, schema);
    worker_close(&w);
    return tb_report(cli, e, "worker", &f);
}

int cmd_worker_leave(const tb_cli *cli)
{
    return run_plain(cli, CHAIN_TX_WORKER_UNREGISTER, "tb-worker-leave-1");
}

int cmd_worker_withdraw(const tb_cli *cli)
{
    return run_plain(cli, CHAIN_TX_WORKER_WITHDRAW, "tb-worker-withdraw-1");
}

static err fill_bid(chain_tx *tx, const hash256 *job, const char *price, uint64_t capacity, fault *f)
{
    tx->type = CHAIN_TX_JOB_BID;
    tx->payload.job_bid.job = *job;
    if (capacity == 0 || capacity > UINT32_MAX)
        return fail(f, ERR_USAGE, "capacity", capacity);
    tx->payload.job_bid.capacity = (uint32_t)capacity;
    return tb_amount_parse(&tx->payload.job_bid.price, price, f);
}

int cmd_worker_bid(const tb_cli *cli)
{
    worker w = { .cli = cli };
    chain_tx tx = { 0 };
    fault f = { 0 };
    err e = base_hex_decode(w.job.b, 32, cli->args[0]) == OK ? OK : fail(&f, ERR_USAGE, "JOB: 64 hex digits", 0);
    if (e == OK)
        e = fill_bid(&tx, &w.job, cli->args[1], tb_uint(cli, "capacity"), &f);
    if (e == OK)
        e = worker_open(&w, true, &f);
    if (e == OK)
        return run_tx(&w, &tx, "tb-worker-bid-1");
    worker_close(&w);
    return tb_report(cli, e, "worker", &f);
}

int cmd_worker_status(const tb_cli *cli)
{
    worker w = { .cli = cli };
    fault f = { 0 };
    cr_address address;
    char text[CR_ADDRESS_TEXT_MAX] = "";
    json_t *result = NULL;
    tb_ledger_options options = { .node = tb_text(cli, "node"), .token_file = tb_text(cli, "token-file") };
    err e = tb_home_find(&w.home, cli, &f);
    if (e == OK)
        e = tb_ledger_open(&w.ledger, &w.home, &options, &f);
    if (e == OK)
        e = tb_wallet_address(&address, &w.home, w.ledger.prefix, cli->n_args ? cli->args[0] : tb_text(cli, "key"), &f);
    if (e == OK) {
        cr_address_encode(text, w.ledger.prefix, &address);
        e = tb_ledger_call(&w.ledger, "blocktorch.worker_status", json_pack("{s:s}", "worker_id", text), 0, &result, &f);
    }
    worker_close(&w);
    if (e != OK)
        return tb_report(cli, e, *text ? text : "worker", &f);
    if (cli->json) {
        json_object_set_new(result, "schema", json_string("tb-worker-status-1"));
        tb_print_json(result);
        return 0;
    }
    const json_t *row = json_object_get(result, "chain"), *live = json_object_get(result, "live");
    if (!json_is_object(row)) {
        printf("%s is not registered: tb worker register\n", text);
    } else {
        char amount[TB_AMOUNT_TEXT];
        uint64_t bond = 0;
        const char *status = json_string_value(json_object_get(row, "status")), *paid = json_string_value(json_object_get(row, "leases_paid")),
                   *spoiled = json_string_value(json_object_get(row, "leases_spoiled")), *state = json_string_value(json_object_get(live, "state"));
        if (tb_json_u64(&bond, row, "bond", NULL) != OK)
            bond = 0;
        tb_amount_format(amount, bond);
        printf("%s\nstatus    %s\nbond      %s BLOCK\npaid      %s leases\nspoiled   %s leases\nlive      %s\n", text, status ? status : "?", amount,
               paid ? paid : "?", spoiled ? spoiled : "?", state ? state : "not heard of lately");
    }
    json_decref(result);
    return 0;
}

/* --- claiming --------------------------------------------------------------------------------------------------------- */

/* Where this key keeps data, models, leases and receipts: several workers may share a data directory. */
static err find_cache(const worker *w, char out[TB_PATH_MAX], fault *f)
{
    char name[96];
    snprintf(name, sizeof name, "cache/%s", w->key.name);
    return tb_home_path(out, &w->home, name, f);
}

static err claim(worker *w, tr_claims *out, fault *f)
{
    tb_train_ledger hand;
    char cache[TB_PATH_MAX];
    tb_ledger_options options = { .node = tb_text(w->cli, "node"), .token_file = tb_text(w->cli, "token-file") };
    TRY(worker_open(w, true, f));
    TRY(find_cache(w, cache, f));
    TRY(tb_make_folders(cache, f));
    TRY(tb_train_ledger_open(&hand, &w->home, &options, &w->secret, f));
    tr_ledger face = tb_train_ledger_face(&hand);
    err e = tr_worker_claim(out, cache, &w->key.key, &face, f);
    w->sent = hand.sent;
    tb_train_ledger_close(&hand);
    return e;
}

int cmd_worker_claim(const tb_cli *cli)
{
    worker w = { .cli = cli };
    tr_claims c = { .code = OK };
    fault f = { 0 };
    err e = claim(&w, &c, &f);
    worker_close(&w);
    if (e != OK)
        return tb_refusal_report(cli, e, "worker", &w.sent, &f);
    if (cli->json) {
        tb_print_json(json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "schema", "tb-worker-claim-1", "claimed", rpc_json_u64(c.claimed),
                                "claimed_nblock", rpc_json_u64(c.claimed_nblock), "waiting", rpc_json_u64(c.waiting), "settled",
                                rpc_json_u64(c.settled), "lost", rpc_json_u64(c.lost), "refused", rpc_json_u64(c.refused)));
    } else {
        char amount[TB_AMOUNT_TEXT];
        tb_amount_format(amount, c.claimed_nblock);
        printf("claimed   %" PRIu64 " leases, %s BLOCK\nwaiting   %" PRIu64 " leases\nsettled   %" PRIu64 " leases before\nlost      %" PRIu64
               " leases, never committed\nrefused   %" PRIu64 " leases%s%s\n", c.claimed, amount, c.waiting, c.settled, c.lost, c.refused,
               c.refused ? ": " : "", c.refused ? err_describe(c.code)->text : "");
    }
    return 0;
}

/* --- working ------------------------------------------------------------------------------------------------------------ */

/* Tells the node what this worker does, for the dashboard and the blocktorch methods. It informs and decides nothing, so a failure is
 * not worth a word. */
static void report_live(worker *w, const tr_worker_event *e)
{
    char address[CR_ADDRESS_TEXT_MAX];
    json_t *result;
    cr_address_encode(address, w->ledger.prefix, &w->key.address);
    bool computing = e->kind == TR_WORKER_LEASE;
    json_t *params = json_pack("{s:s, s:{s:s, s:o, s:o, s:o, s:o, s:o}}", "worker", address, "worker_status", "state",
                               computing ? "computing" : "waiting", "job", rpc_json_hex(BYTES_OF(w->job)), "lease_id", rpc_json_u64(e->lease_id),
                               "step", rpc_json_u64(e->step), "leases_done", rpc_json_u64(w->done), "leases_refused", rpc_json_u64(w->refused));
    if (tb_ledger_call(&w->ledger, "live.report", params, 0, &result, NULL) == OK)
        json_decref(result);
}

static void report_answer(const tr_worker_event *e)
{
    fprintf(stderr, "step %" PRIu64 " lease %" PRIu64 ": answered, computed in %" PRIu64 " us", e->step, e->lease_id, e->us);
    if (e->prove_us)
        fprintf(stderr, ", proved in %" PRIu64 " us", e->prove_us);
    fprintf(stderr, "%s%s\n", e->code == OK ? "" : ", refused: ", e->code == OK ? "" : err_describe(e->code)->name);
}

static void on_event(void *ctx, const tr_worker_event *e)
{
    worker *w = ctx;
    switch (e->kind) {
    case TR_WORKER_READY: fprintf(stderr, "ready: session and data are here\n"); break;
    case TR_WORKER_LEASE: report_live(w, e); break;
    case TR_WORKER_PROVING: fprintf(stderr, "step %" PRIu64 " lease %" PRIu64 ": proving, %u %%\n", e->step, e->lease_id, 100 * e->done / e->parts); break;
    case TR_WORKER_ANSWERED:
        w->done += e->code == OK;
        w->refused += e->code != OK;
        report_live(w, e);
        report_answer(e);
        break;
    case TR_WORKER_SPOILED: fprintf(stderr, "step %" PRIu64 " lease %" PRIu64 ": spoiled on purpose (--cheat-rate)\n", e->step, e->lease_id); break;
    case TR_WORKER_CHALLENGED: fprintf(stderr, "step %" PRIu64 " lease %" PRIu64 ": opened a part of its trace %s%s%s\n", e->step, e->lease_id,
                                       e->what, e->code == OK ? "" : ", refused: ", e->code == OK ? "" : err_describe(e->code)->name); break;
    case TR_WORKER_AUDITED: fprintf(stderr, "step %" PRIu64 " lease %" PRIu64 ": model, tokens, gradient and proof shown to the validators\n", e->step, e->lease_id); break;
    case TR_WORKER_STAYS: fprintf(stderr, "no more work (%s): stays until nothing that it answered can be asked for\n", err_describe(e->code)->text); break;
    case TR_WORKER_TROUBLE: fprintf(stderr, "trouble: %s%s%s\n", err_describe(e->code)->text, e->what ? ": " : "", e->what ? e->what : ""); break;
    }
}

static void stop_work(void *ctx)
{
    worker *w = ctx;
    atomic_store(&w->stop, true);
    tr_worker_stop(w->work);
}

/* The job as the ledger has it; a bid if there is none and --price says how much. */
static err join_job(worker *w, fault *f)
{
    chain_key job_key = chain_key_job(&w->job), bid_key = chain_key_bid(&w->job, &w->key.address);
    chain_row_bid bid = { 0 };
    TRY(tb_ledger_row(&w->ledger, &w->row, CHAIN_TABLE_JOB, chain_key_bytes(&job_key), f));
    err e = tb_ledger_row(&w->ledger, &bid, CHAIN_TABLE_BID, chain_key_bytes(&bid_key), f);
    w->price = bid.price;
    if (e != ERR_NOT_FOUND)
        return e;
    if (!*tb_text(w->cli, "price"))
        return fail(f, ERR_STATE, "no bid on this job: tb worker bid, or --price", 0);
    chain_tx tx = { 0 };
    TRY(fill_bid(&tx, &w->job, tb_text(w->cli, "price"), tb_uint(w->cli, "capacity"), f));
    w->price = tx.payload.job_bid.price;
    return tb_ledger_run(&w->ledger, &w->sent, &tx, &w->secret, 0, f);
}

static err work(worker *w, fault *f)
{
    const tb_cli *cli = w->cli;
    rpc_client *client = NULL;
    tb_train_ledger hand;
    tb_ledger_options options = { .node = tb_text(cli, "node"), .token_file = tb_text(cli, "token-file"), .stop = &w->stop };
    char cache[TB_PATH_MAX];
    tb_signals signals = { .until_eof = tb_flag(cli, "until-eof") };
    uint64_t threads = tb_uint(cli, "threads"), patience = tb_uint(cli, "patience"), rate = tb_uint(cli, "cheat-rate");
    if (threads > 1024 || patience > 86400 || rate > 1000000)
        return fail(f, ERR_USAGE, "threads, patience or cheat-rate", 0);
    if (base_hex_decode(w->job.b, 32, tb_text(cli, "job")) != OK)
        return fail(f, ERR_USAGE, "--job: 64 hex digits", 0);
    if (!*tb_text(cli, "coordinator"))
        return fail(f, ERR_USAGE, "--coordinator is missing", 0);
    TRY(worker_open(w, true, f));
    TRY(join_job(w, f));
    TRY(find_cache(w, cache, f));
    TRY(tb_make_folders(cache, f));
    TRY(tb_train_ledger_open(&hand, &w->home, &options, &w->secret, f));
    err e = rpc_client_new(&client, tb_text(cli, "coordinator"), NULL, f);
    if (e != OK) {
        tb_train_ledger_close(&hand);
        return e;
    }
    tr_ledger face = tb_train_ledger_face(&hand);
    tr_worker_config config = { .transport = tb_train_transport(client), .key = w->secret, .job = w->job, .row = w->row, .price = w->price, .expiry_blocks_min = EXPIRY_BLOCKS_MIN, .ledger = &face,
                                .chain_id = w->ledger.chain_id, .cache = cache, .threads = (unsigned)threads, .patience_ms = (uint32_t)patience * 1000,
                                .cheat = { .seed = tb_uint(cli, "cheat-seed"), .rate_ppm = (uint32_t)rate, .gradient_ppm = TR_GRADIENT_PPM }, .on_event = on_event, .event_ctx = w };
    tb_signals_block();
    e = tr_worker_new(&w->work, &config, f);
    cr_wipe(&config.key, sizeof config.key);
    if (e == OK) {
        tb_signals_start(&signals, stop_work, w);
        e = tr_worker_run(w->work, f);
        tb_signals_end(&signals);
    }
    tr_worker_free(w->work);
    rpc_client_free(client);
    tb_train_ledger_close(&hand);
    return e;
}

int cmd_worker_run(const tb_cli *cli)
{
    worker w = { .cli = cli };
    fault f = { 0 };
    err e = work(&w, &f);
    worker_close(&w);
    if (e != OK)
        return tb_refusal_report(cli, e, "worker", &w.sent, &f);
    if (cli->json)
        tb_print_json(json_pack("{s:s, s:o, s:o}", "schema", "tb-worker-run-1", "answered", rpc_json_u64(w.done), "refused", rpc_json_u64(w.refused)));
    else
        printf("the job is done: %" PRIu64 " leases answered, %" PRIu64 " refused\n", w.done, w.refused);
    return 0;
}
