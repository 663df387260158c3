/* SPDX-License-Identifier: Apache-2.0
 *
 * `tb job`: quote, post, follow, run. */
#include "apps/amount.h"
#include "apps/job_run.h"
#include "apps/signals.h"
#include "apps/term.h"
#include "apps/wallet.h"

#include "base/int.h"
#include "rpc/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct buyer {
    const tb_cli     *cli;
    tb_home           home;
    tb_ledger_options node;
    tb_ledger         ledger;
    tb_wallet_key     key;
    cr_secret_key     secret;
    tb_job_spec       spec;
    tr_dataset        data;
    const char       *data_name;
    term              term;
    atomic_bool       stop;
} buyer;

static err open_spec(buyer *b, const tb_cli *cli, fault *f)
{
    b->cli = cli;
    b->node = (tb_ledger_options){ .node = tb_text(cli, "node"), .token_file = tb_text(cli, "token-file"), .stop = &b->stop };
    TRY(cr_ed25519_self_test());
    TRY(tb_home_find(&b->home, cli, f));
    TRY(tb_job_spec_load(&b->spec, cli->args[0], f));
    return tb_job_spec_open(&b->spec, &b->data, &b->data_name, f);
}

static void buyer_close(buyer *b)
{
    tb_ledger_close(&b->ledger);
    tr_dataset_deinit(&b->data);
    cr_wipe(&b->secret, sizeof b->secret);
}

/* --- quote -------------------------------------------------------------------------------------------------------------- */

/* What the ledger adds: the tariff comes out of what the workers get, so the buyer's cost does not depend on it. */
static void show_quote(const buyer *b, uint64_t cost, bool node)
{
    const tb_job_spec *s = &b->spec;
    char cost_text[TB_AMOUNT_TEXT], escrow[TB_AMOUNT_TEXT];
    tb_amount_format(cost_text, cost);
    tb_amount_format(escrow, s->escrow);
    uint64_t parameters = num_parameter_count(&s->shape), sequences = s->steps * s->batch;
    if (b->cli->json) {
        json_t *o = json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:s}", "schema", "tb-job-quote-1", "data", b->data_name, "parameters",
                              rpc_json_u64(parameters), "sequences", rpc_json_u64(sequences), "tokens", rpc_json_u64(sequences * s->shape.context),
                              "cost_max_nblock", rpc_json_u64(cost), "escrow_nblock", rpc_json_u64(s->escrow), "level", tb_level_name(s->level));
        json_object_set_new(o, "tariff_bps", node ? rpc_json_u64((uint64_t)b->ledger.tariff >> 32) : json_null());
        tb_print_json(o);
        return;
    }
    printf("data      %s: %" PRIu64 " training tokens, %u symbols\n", b->data_name, b->data.manifest.train_tokens, s->shape.vocab);
    printf("model     GPT, %" PRIu64 " parameters (width %u, %u layers, %u heads, context %u, %u bits)\n", parameters, s->shape.width, s->shape.layers,
           s->shape.heads, s->shape.context, s->shape.bits);
    printf("work      %" PRIu64 " steps of %u sequences, %" PRIu64 " tokens, leases of %u\n", s->steps, s->batch, sequences * s->shape.context, s->lease);
    printf("cost      at most %s BLOCK; bids may ask less\nescrow    %s BLOCK, the rest comes back\n", cost_text, escrow);
    if (s->level == CHAIN_LEVEL_FULL)
        printf("checked   level full: every gradient comes with a proof, and only what is proved is summed and paid\n");
    else
        printf("checked   level refereed: %.1f %% of the leases are computed again, drawn by the ledger's randomness; this is not a proof\n",
               (double)s->sample_ppm / 10000.0);
    if (node)
        printf("tariff    %.2f %% of a payment if you or the worker have no KYC; the worker bears it\n",
               (double)b->ledger.tariff / 4294967296.0 / 100.0);
    else
        printf("tariff    unknown: no node was asked\n");
}

int cmd_job_quote(const tb_cli *cli)
{
    buyer b = { 0 };
    fault f = { 0 };
    uint64_t cost = 0;
    err e = open_spec(&b, cli, &f);
    if (e == OK)
        e = tb_job_spec_cost(&cost, &b.spec, &f);
    if (e == OK) {
        bool node = tb_ledger_open(&b.ledger, &b.home, &b.node, NULL) == OK && tb_ledger_params(&b.ledger, NULL) == OK;
        show_quote(&b, cost, node);
    }
    buyer_close(&b);
    return e == OK ? 0 : tb_report(cli, e, cli->args[0], &f);
}

/* --- post --------------------------------------------------------------------------------------------------------------- */

static err consent(const buyer *b, fault *f)
{
    char escrow[TB_AMOUNT_TEXT];
    tb_amount_format(escrow, b->spec.escrow);
    if (!b->cli->json)
        fprintf(stderr, "escrow %s BLOCK from %s on %s\n", escrow, b->key.name, b->ledger.chain_id.text);
    return tb_consent(b->cli, "post it?", "not posted: no consent", f);
}

static err open_signer(buyer *b, fault *f)
{
    TRY(tb_ledger_open(&b->ledger, &b->home, &b->node, f));
    return tb_wallet_unlock(&b->secret, &b->key, b->cli, &b->home, tb_text(b->cli, "key"), &b->ledger.chain_id, f);
}

static err post(buyer *b, tb_sent *sent, fault *f)
{
    chain_tx tx;
    TRY(tb_job_spec_post(&tx, &b->spec, &b->data, &b->key.key, b->ledger.height, f));
    return tb_ledger_run(&b->ledger, sent, &tx, &b->secret, 0, f);
}

int cmd_job_post(const tb_cli *cli)
{
    buyer b = { 0 };
    tb_sent sent = { 0 };
    fault f = { 0 };
    err e = open_spec(&b, cli, &f);
    if (e == OK)
        e = open_signer(&b, &f);
    if (e == OK)
        e = consent(&b, &f);
    if (e == OK)
        e = post(&b, &sent, &f);
    if (e == OK && !cli->json) {
        char hex[65];
        base_hex_encode(hex, sent.id.b, 32);
        printf("%s\n", hex);
        fprintf(stderr, "posted in block %" PRIu64 "; go on with: tb job run %s --job %s\n", sent.height, cli->args[0], hex);
        buyer_close(&b);
        return 0;
    }
    buyer_close(&b);
    return tb_sent_report(cli, e, &sent, &f, "tb-job-post-1");
}

/* --- status ------------------------------------------------------------------------------------------------------------- */

static void print_progress(const json_t *o)
{
    static const char *const names[] = { "job_id", "status", "sequences_total", "sequences_paid", "steps_paid", "escrow_left" };
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const json_t *v = json_object_get(o, names[i]);
        if (json_is_string(v))
            printf("%-16s %s\n", names[i], json_string_value(v));
        else if (json_is_integer(v))
            printf("%-16s %" JSON_INTEGER_FORMAT "\n", names[i], json_integer_value(v));
    }
    const json_t *live = json_object_get(o, "live");
    uint64_t step, steps;
    if (json_is_object(live) && tb_json_u64(&step, live, "step", NULL) == OK && tb_json_u64(&steps, live, "steps_total", NULL) == OK)
        printf("%-16s step %" PRIu64 " of %" PRIu64 "\n", "live", step, steps);
}

static void print_jobs(const json_t *o)
{
    size_t i;
    json_t *job;
    json_array_foreach(json_object_get(o, "jobs"), i, job) {
        const char *id = json_string_value(json_object_get(job, "job")), *status = json_string_value(json_object_get(job, "status"));
        printf("%s  %s\n", id ? id : "?", status ? status : "?");
    }
}

int cmd_job_status(const tb_cli *cli)
{
    buyer b = { .cli = cli };
    fault f = { 0 };
    json_t *result = NULL;
    b.node = (tb_ledger_options){ .node = tb_text(cli, "node"), .token_file = tb_text(cli, "token-file") };
    err e = tb_home_find(&b.home, cli, &f);
    if (e == OK)
        e = tb_ledger_open(&b.ledger, &b.home, &b.node, &f);
    if (e == OK)
        e = cli->n_args ? tb_ledger_call(&b.ledger, "blocktorch.job_progress", json_pack("{s:s}", "job_id", cli->args[0]), 0, &result, &f)
                        : tb_ledger_call(&b.ledger, "job.list", json_object(), 0, &result, &f);
    buyer_close(&b);
    if (e != OK)
        return tb_report(cli, e, cli->n_args ? cli->args[0] : "jobs", &f);
    if (cli->json) {
        json_object_set_new(result, "schema", json_string(cli->n_args ? "tb-job-status-1" : "tb-jobs-1"));
        tb_print_json(result);
        return 0;
    }
    if (cli->n_args)
        print_progress(result);
    else
        print_jobs(result);
    json_decref(result);
    return 0;
}

/* --- run ---------------------------------------------------------------------------------------------------------------- */

static void on_stop(void *ctx)
{
    atomic_store(&((buyer *)ctx)->stop, true);
}

static void on_say(void *ctx, const char *line)
{
    buyer *b = ctx;
    term_clear(&b->term);
    fprintf(stderr, "%s\n", line);
}

static void on_progress(void *ctx, uint64_t step, uint64_t steps, double loss)
{
    buyer *b = ctx;
    char text[80];
    snprintf(text, sizeof text, "%" PRIu64 "/%" PRIu64 "  loss %.3f", step, steps, loss);
    term_progress(&b->term, step, steps, text);
}

/* Everything that may ask on the terminal. */
static err prepare_run(buyer *b, hash256 *job, fault *f)
{
    const tb_cli *cli = b->cli;
    if (tb_uint(cli, "port") > 65535 || tb_uint(cli, "bids") == 0 || tb_uint(cli, "bids") > 64 || tb_uint(cli, "wait") > 86400 ||
        tb_uint(cli, "threads") > 1024)
        return fail(f, ERR_USAGE, "port, bids, wait or threads", 0);
    if (*tb_text(cli, "job") && base_hex_decode(job->b, 32, tb_text(cli, "job")) != OK)
        return fail(f, ERR_USAGE, "--job: 64 hex digits", 0);
    TRY(open_signer(b, f));
    return *tb_text(cli, "job") ? OK : consent(b, f);
}

static err run(buyer *b, tb_job_result *result, hash256 *job, fault *f)
{
    const tb_cli *cli = b->cli;
    uint64_t port = tb_uint(cli, "port"), bids = tb_uint(cli, "bids"), wait = tb_uint(cli, "wait"), threads = tb_uint(cli, "threads");
    if (!*tb_text(cli, "job")) {
        TRY(post(b, &result->sent, f));
        *job = result->sent.id;
    }
    tb_job_options o = { .home = &b->home, .node = &b->node, .buyer = &b->secret, .spec = &b->spec, .data = &b->data, .job = *job,
                         .port = (uint16_t)port, .bids = (uint32_t)bids, .wait_s = (uint32_t)wait, .threads = (unsigned)threads,
                         .bundle_steps = tb_uint(cli, "bundle"), .stop = &b->stop,
                         .say = on_say, .progress = on_progress, .ctx = b };
    return tb_job_run(result, &o, f);
}

static void show_result(const tb_cli *cli, const tb_job_result *r, const hash256 *job)
{
    char id[65], state[65], paid[TB_AMOUNT_TEXT];
    base_hex_encode(id, job->b, 32);
    base_hex_encode(state, r->state_id.b, 32);
    tb_amount_format(paid, r->paid_nblock);
    if (cli->json)
        tb_print_json(json_pack("{s:s, s:s, s:s, s:o, s:f, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:s}", "schema", "tb-job-run-1", "job", id, "state_id",
                                state, "steps", rpc_json_u64(r->steps), "loss_nats", r->loss_nats, "leases_paid", rpc_json_u64(r->leases_paid),
                                "paid_nblock", rpc_json_u64(r->paid_nblock), "sampled", rpc_json_u64(r->sampled), "matched",
                                rpc_json_u64(r->matched), "differing", rpc_json_u64(r->differing), "slashed", rpc_json_u64(r->slashed), "receipts",
                                r->receipts_dir, "evidence", r->evidence));
    else
        printf("job       %s\nstate id  %s\nloss      %.4f nats after %" PRIu64 " steps\npaid      %s BLOCK for %" PRIu64 " leases\n"
               "checked   %" PRIu64 " drawn, %" PRIu64 " equal, %" PRIu64 " different, %" PRIu64 " slashed\nreceipts  %s\n%s%s%s",
               id, state, r->loss_nats, r->steps, paid, r->leases_paid, r->sampled, r->matched, r->differing, r->slashed, r->receipts_dir,
               *r->evidence ? "evidence  " : "", r->evidence, *r->evidence ? "\n" : "");
}

int cmd_job_run(const tb_cli *cli)
{
    buyer b = { .term = term_on(stderr, cli->color_err) };
    tb_job_result result = { 0 };
    tb_signals signals = { 0 };
    hash256 job = { { 0 } };
    fault f = { 0 };
    err e = open_spec(&b, cli, &f);
    if (e == OK)
        e = prepare_run(&b, &job, &f);
    tb_signals_block();
    tb_signals_start(&signals, on_stop, &b);
    if (e == OK)
        e = run(&b, &result, &job, &f);
    tb_signals_end(&signals);
    term_clear(&b.term);
    buyer_close(&b);
    if (e == OK) {
        show_result(cli, &result, &job);
        return 0;
    }
    static const hash256 none;
    if (!hash256_equal(&job, &none) && !cli->json) {
        char hex[65];
        base_hex_encode(hex, job.b, 32);
        fprintf(stderr, "nothing is lost: go on with tb job run %s --job %s\n", cli->args[0], hex);
    }
    return tb_refusal_report(cli, e, "job", &result.sent, &f);
}
