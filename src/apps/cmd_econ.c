/* SPDX-License-Identifier: Apache-2.0
 *
 * `tb econ`: what the control laws do, as any node shows it: the running epoch, a finished one, a provider; and all of it as files. */
#include "apps/actor.h"
#include "apps/econ_export.h"
#include "econ/unit.h"
#include "rpc/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>


/* A q32 as a decimal, its last digit cut. */
static const char *fixed_of(const json_t *o, const char *name, char text[32])
{
    const char *digits = json_string_value(json_object_get(o, name));
    int64_t v = digits ? strtoll(digits, NULL, 10) : 0;
    uint64_t size = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    snprintf(text, 32, "%s%" PRIu64 ".%04" PRIu64, v < 0 ? "-" : "", size >> 32, (size & UINT32_MAX) * 10000 >> 32);
    return text;
}

static void line(const json_t *o, const char *label, const char *name)
{
    printf("%-14s %s BLOCK\n", label, tb_view_amount(o, name));
}

static void print_running(const json_t *now)
{
    char a[32], b[32];
    printf("epoch %" PRIu64 " runs until block %" PRIu64 "\n", tb_view_u64(now, "epoch") + 1, tb_view_u64(now, "end_height"));
    printf("%-14s %s bps\n", "tariff", fixed_of(now, "tariff", a));
    line(now, "subsidy pool", "pool");
    line(now, "volume", "volume");
    line(now, "tariffs", "tariff_income");
    printf("%-14s %" PRIu64 "\n\n", "transactions", tb_view_u64(now, "txs"));
    printf("%-8s %8s %9s %10s %10s %14s  %s\n", "market", "share", "providers", "used", "capacity", "paid BLOCK", "state");
    for (size_t m = 0; m < ECON_MARKETS; m++) {
        const json_t *row = json_object_get(json_object_get(now, "markets"), econ_market_names[m]);
        printf("%-8s %8s %9" PRIu64 " %10" PRIu64 " %10" PRIu64 " %14s  %s\n", econ_market_names[m], fixed_of(row, "share", b), tb_view_u64(row, "providers"),
               tb_view_u64(row, "used"), tb_view_u64(row, "capacity"), tb_view_amount(row, "payout"),
               tb_view_u64(row, "declining") ? "in structural decline" : tb_view_u64(row, "distress_epochs") ? "in distress" : "healthy");
    }
}

static void print_epoch(const json_t *e)
{
    char a[32], b[32], c[32];
    printf("epoch %" PRIu64 ", ended at block %" PRIu64 "\n", tb_view_u64(e, "number"), tb_view_u64(e, "end_height"));
    line(e, "minted", "mint");
    line(e, "  producers", "to_producers");
    line(e, "  subsidies", "to_subsidy");
    line(e, "  treasury", "to_treasury");
    line(e, "volume", "volume");
    line(e, "tariffs", "tariff_income");
    line(e, "awarded", "awarded");
    printf("%-14s %s bps from then on\n\n", "tariff", fixed_of(e, "tariff", a));
    printf("%-8s %6s %8s %8s %10s %14s %14s %14s\n", "market", "used", "margin", "distress", "multiplier", "budget", "due", "awarded");
    for (size_t m = 0; m < ECON_MARKETS; m++) {
        const json_t *w = json_object_get(json_object_get(e, "markets"), econ_market_names[m]);
        char used[32];
        if (w)
            printf("%-8s %6s %8s %8s %10s %14s %14s %14s\n", econ_market_names[m], fixed_of(w, "utilisation", used), fixed_of(w, "margin", a), fixed_of(w, "distress", b),
                   fixed_of(w, "multiplier", c), tb_view_amount(w, "budget"), tb_view_amount(w, "due"), tb_view_amount(w, "awarded"));
    }
}

static void print_provider(const json_t *p)
{
    const json_t *all = json_object_get(p, "markets");
    if (json_object_size(all) == 0)
        printf("never registered in any market\n");
    for (size_t m = 0; m < ECON_MARKETS; m++) {
        const json_t *row = json_object_get(all, econ_market_names[m]);
        if (!row)
            continue;
        printf("%s: %s\n", econ_market_names[m], tb_view_u64(row, "active") ? "active" : "not active");
        line(row, "bond", "stake");
        line(row, "subsidies", "subsidies");
        printf("%-14s %" PRIu64 " units an epoch\n", "capacity", tb_view_u64(row, "capacity"));
        printf("%-14s %" PRIu64 " units, paid %s BLOCK\n", "this epoch", tb_view_u64(row, "work"), tb_view_amount(row, "work_payout"));
        printf("%-14s %" PRIu64 " drawn, %" PRIu64 " answered\n", "stand-by tasks", tb_view_u64(row, "drawn"), tb_view_u64(row, "answered"));
    }
}

/* --- commands --- */

int cmd_econ_show(const tb_cli *cli)
{
    tb_actor a = { .cli = cli };
    fault f = { 0 };
    err e = tb_actor_watch(&a, cli, &f);
    return tb_actor_show(&a, e, "econ.get", json_object(), &f, NULL, "tb-econ-show-1", print_running);
}

int cmd_econ_epoch(const tb_cli *cli)
{
    tb_actor a = { .cli = cli };
    fault f = { 0 };
    const char *asked = cli->n_args ? cli->args[0] : NULL;
    uint64_t number = 0;
    err e = asked ? tb_number_parse(&number, asked, "epoch", &f) : OK;
    if (e == OK && asked && number == 0)
        e = fail(&f, ERR_USAGE, "epoch", 0);
    if (e == OK)
        e = tb_actor_watch(&a, cli, &f);
    return tb_actor_show(&a, e, "econ.epoch", json_pack("{s:o}", "epoch", rpc_json_u64(number)), &f, asked, "tb-econ-epoch-1", print_epoch);
}

int cmd_econ_provider(const tb_cli *cli)
{
    tb_actor a = { .cli = cli };
    fault f = { 0 };
    cr_address address;
    char text[CR_ADDRESS_TEXT_MAX] = "";
    err e = tb_actor_watch(&a, cli, &f);
    if (e == OK)
        e = tb_actor_address(&a, &address, cli->args[0], &f);
    if (e == OK)
        cr_address_encode(text, a.ledger.prefix, &address);
    return tb_actor_show(&a, e, "econ.provider", json_pack("{s:s}", "provider", text), &f, cli->args[0], "tb-econ-provider-1", print_provider);
}

static void print_export(const json_t *manifest)
{
    size_t i;
    json_t *file;
    printf("epochs %" PRIu64 " to %" PRIu64 " of %s, seen at block %" PRIu64 "\n", tb_view_u64(manifest, "from"), tb_view_u64(manifest, "to"),
           json_string_value(json_object_get(manifest, "chain_id")), tb_view_u64(manifest, "height"));
    json_array_foreach(json_object_get(manifest, "files"), i, file)
        printf("%-12s %10" PRIu64 " bytes  sha256 %s\n", json_string_value(json_object_get(file, "name")), tb_view_u64(file, "bytes"),
               json_string_value(json_object_get(file, "sha256")));
}

static err export_now(json_t **manifest, tb_actor *a, const tb_cli *cli, fault *f)
{
    json_t *now;
    uint64_t finished, from = tb_uint(cli, "from"), to = tb_uint(cli, "to");
    if (!*tb_text(cli, "out"))
        return fail(f, ERR_USAGE, "out: which directory", 0);
    if (from == 0 || (to && from > to))
        return fail(f, ERR_USAGE, "from", from);
    TRY(tb_actor_watch(a, cli, f));
    TRY(tb_ledger_call(&a->ledger, "econ.get", json_object(), 0, &now, f));
    err e = tb_json_u64(&finished, now, "epoch", f);
    json_decref(now);
    TRY(e);
    if (finished == 0)
        return fail(f, ERR_NOT_FOUND, "no epoch has ended", 0);
    return tb_econ_export(manifest, &a->ledger, from, to ? to : finished, tb_text(cli, "out"), f);
}

int cmd_econ_export(const tb_cli *cli)
{
    tb_actor a = { .cli = cli };
    json_t *manifest = NULL;
    fault f = { 0 };
    err e = tb_given(cli, "check") ? tb_econ_export_check(&manifest, tb_text(cli, "check"), &f) : export_now(&manifest, &a, cli, &f);
    tb_actor_close(&a);
    return tb_answer_report(cli, e, manifest, &f, NULL, "tb-econ-export-1", print_export);
}
