/* SPDX-License-Identifier: Apache-2.0
 *
 * `tb worker standby`: answers the stand-by tasks of its key until it is stopped (spec/epoch.md section 4). */
#include "apps/ledger.h"
#include "apps/signals.h"
#include "apps/wallet.h"

#include "chain/chain.h"
#include "econ/unit.h"
#include "rpc/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

typedef struct standby {
    const tb_cli *cli;
    tb_home       home;
    tb_ledger     ledger;
    tb_wallet_key key;
    cr_secret_key secret;
    uint64_t      answered, failed;
} standby;

static err open_all(standby *s, const atomic_bool *stop, fault *f)
{
    tb_ledger_options options = { .node = tb_text(s->cli, "node"), .token_file = tb_text(s->cli, "token-file"), .stop = stop };
    TRY(cr_ed25519_self_test());
    TRY(tb_home_find(&s->home, s->cli, f));
    TRY(tb_wallet_find(&s->key, &s->home, tb_text(s->cli, "key"), f));
    TRY(tb_ledger_open(&s->ledger, &s->home, &options, f));
    TRY(tb_ledger_params(&s->ledger, f));
    return tb_wallet_unlock(&s->secret, &s->key, s->cli, &s->home, tb_text(s->cli, "key"), &s->ledger.chain_id, f);
}

static err read_task(chain_tx_standby_answer *out, const json_t *task, const cr_address *a, fault *f)
{
    const char *market;
    hash256 randomness;
    TRY(tb_json_string(&market, task, "market", f));
    TRY(tb_json_u64(&out->height, task, "height", f));
    TRY(tb_json_hash(&randomness, task, "randomness", f));
    for (out->market = 0; out->market < ECON_MARKETS && strcmp(econ_market_names[out->market], market) != 0;)
        out->market++;
    if (out->market == ECON_MARKETS)
        return fail(f, ERR_FIELD, "market", 0);
    out->answer = chain_standby_answer(&randomness, out->market, a);
    return OK;
}

/* An answer that comes too late, or twice, is not worth stopping for; a node that is gone is. */
static err answer(standby *s, const json_t *task, fault *f)
{
    chain_tx tx = { .type = CHAIN_TX_STANDBY_ANSWER };
    tb_sent sent = { 0 };
    TRY(read_task(&tx.payload.standby_answer, task, &s->key.address, f));
    err e = tb_ledger_run(&s->ledger, &sent, &tx, &s->secret, 0, f);
    if (e != OK && sent.outcome == TB_SENT_DONE)
        return e;
    s->answered += e == OK;
    s->failed += e != OK;
    if (!s->cli->json)
        fprintf(stderr, "task of block %" PRIu64 ": %s\n", tx.payload.standby_answer.height, e == OK ? "answered" : err_describe(e)->name);
    return OK;
}

static err round_of_answers(standby *s, fault *f)
{
    char address[CR_ADDRESS_TEXT_MAX];
    json_t *result, *task;
    size_t i;
    cr_address_encode(address, s->ledger.prefix, &s->key.address);
    TRY(tb_ledger_call(&s->ledger, "econ.standby", json_pack("{s:s}", "provider", address), 0, &result, f));
    err e = OK;
    json_array_foreach(json_object_get(result, "tasks"), i, task)
        if (e == OK)
            e = answer(s, task, f);
    json_decref(result);
    return e;
}

/* The loop and the ledger look at `caught` themselves. */
static void nothing_more(void *ctx)
{
    (void)ctx;
}

int cmd_worker_standby(const tb_cli *cli)
{
    standby s = { .cli = cli };
    tb_signals signals = { .until_eof = tb_flag(cli, "until-eof") };
    fault f = { 0 };
    uint64_t wanted = tb_uint(cli, "answers");
    err e = open_all(&s, &signals.caught, &f);
    if (e == OK) {
        tb_signals_block();
        tb_signals_start(&signals, nothing_more, NULL);
        while (e == OK && !atomic_load(&signals.caught) && (wanted == 0 || s.answered < wanted)) {
            e = round_of_answers(&s, &f);
            nanosleep(&(struct timespec){ .tv_nsec = 200000000 }, NULL);
        }
        tb_signals_end(&signals);
        if (e == ERR_INTERRUPTED)
            e = OK;
    }
    tb_ledger_close(&s.ledger);
    cr_wipe(&s.secret, sizeof s.secret);
    if (e != OK)
        return tb_report(cli, e, "worker", &f);
    if (cli->json)
        tb_print_json(json_pack("{s:s, s:o, s:o}", "schema", "tb-worker-standby-1", "answered", rpc_json_u64(s.answered), "failed", rpc_json_u64(s.failed)));
    else
        printf("%" PRIu64 " stand-by tasks answered, %" PRIu64 " failed\n", s.answered, s.failed);
    return 0;
}
