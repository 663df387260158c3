/* SPDX-License-Identifier: Apache-2.0
 *
 * `tb econ`: what the control laws do, as any node shows it: the running epoch, a finished one, a provider; and all of it as files. */
#include "apps/amount.h"
#include "apps/econ_export.h"
#include "apps/wallet.h"
#include "rpc/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const markets[] = { "storage", "compute", "energy", "ad" };

typedef struct view {
    tb_home   home;
    tb_ledger ledger;
} view;

static err view_open(view *v, const tb_cli *cli, fault *f)
{
    tb_ledger_options options = { .node = tb_text(cli, "node"), .token_file = tb_text(cli, "token-file") };
    TRY(tb_home_find(&v->home, cli, f));
    return tb_ledger_open(&v->ledger, &v->home, &options, f);
}

/* --- text --- */

static uint64_t number_of(const json_t *o, const char *name)
{
    uint64_t v = 0;
    return tb_json_u64(&v, o, name, NULL) == OK ? v : 0;
}

static const char *amount_of(const json_t *o, const char *name, char text[TB_AMOUNT_TEXT])
{
    tb_amount_format(text, number_of(o, name));
    return text;
}

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
    char text[TB_AMOUNT_TEXT];
    printf("%-14s %s BLOCK\n", label, amount_of(o, name, text));
}

static void print_running(const json_t *now)
{
    char a[32], b[32], c[TB_AMOUNT_TEXT];
    printf("epoch %" PRIu64 " runs until block %" PRIu64 "\n", number_of(now, "epoch") + 1, number_of(now, "end_height"));
    printf("%-14s %s bps\n", "tariff", fixed_of(now, "tariff", a));
    line(now, "subsidy pool", "pool");
    line(now, "volume", "volume");
    line(now, "tariffs", "tariff_income");
    printf("%-14s %" PRIu64 "\n\n", "transactions", number_of(now, "txs"));
    printf("%-8s %8s %9s %10s %10s %14s  %s\n", "market", "share", "providers", "used", "capacity", "paid BLOCK", "state");
    for (size_t m = 0; m < COUNT_OF(markets); m++) {
        const json_t *row = json_object_get(json_object_get(now, "markets"), markets[m]);
        printf("%-8s %8s %9" PRIu64 " %10" PRIu64 " %10" PRIu64 " %14s  %s\n", markets[m], fixed_of(row, "share", b), number_of(row, "providers"),
               number_of(row, "used"), number_of(row, "capacity"), amount_of(row, "payout", c),
               number_of(row, "declining") ? "in structural decline" : number_of(row, "distress_epochs") ? "in distress" : "healthy");
    }
}

static void print_epoch(const json_t *e)
{
    char a[32], b[32], c[32], d[TB_AMOUNT_TEXT], due[TB_AMOUNT_TEXT], got[TB_AMOUNT_TEXT];
    printf("epoch %" PRIu64 ", ended at block %" PRIu64 "\n", number_of(e, "number"), number_of(e, "end_height"));
    line(e, "minted", "mint");
    line(e, "  producers", "to_producers");
    line(e, "  subsidies", "to_subsidy");
    line(e, "  treasury", "to_treasury");
    line(e, "volume", "volume");
    line(e, "tariffs", "tariff_income");
    line(e, "awarded", "awarded");
    printf("%-14s %s bps from then on\n\n", "tariff", fixed_of(e, "tariff", a));
    printf("%-8s %6s %8s %8s %10s %14s %14s %14s\n", "market", "used", "margin", "distress", "multiplier", "budget", "due", "awarded");
    for (size_t m = 0; m < COUNT_OF(markets); m++) {
        const json_t *w = json_object_get(json_object_get(e, "markets"), markets[m]);
        char used[32];
        if (w)
            printf("%-8s %6s %8s %8s %10s %14s %14s %14s\n", markets[m], fixed_of(w, "utilisation", used), fixed_of(w, "margin", a), fixed_of(w, "distress", b),
                   fixed_of(w, "multiplier", c), amount_of(w, "budget", d), amount_of(w, "due", due), amount_of(w, "awarded", got));
    }
}

static void print_provider(const json_t *p)
{
    const json_t *all = json_object_get(p, "markets");
    char text[TB_AMOUNT_TEXT];
    if (json_object_size(all) == 0)
        printf("never registered in any market\n");
    for (size_t m = 0; m < COUNT_OF(markets); m++) {
        const json_t *row = json_object_get(all, markets[m]);
        if (!row)
            continue;
        printf("%s: %s\n", markets[m], number_of(row, "active") ? "active" : "not active");
        line(row, "bond", "stake");
        line(row, "subsidies", "subsidies");
        printf("%-14s %" PRIu64 " units an epoch\n", "capacity", number_of(row, "capacity"));
        printf("%-14s %" PRIu64 " units, paid %s BLOCK\n", "this epoch", number_of(row, "work"), amount_of(row, "work_payout", text));
        printf("%-14s %" PRIu64 " drawn, %" PRIu64 " answered\n", "stand-by tasks", number_of(row, "drawn"), number_of(row, "answered"));
    }
}

/* --- commands --- */

static int show(const tb_cli *cli, err e, json_t *answer, const char *schema, void (*print)(const json_t *), const fault *f)
{
    if (e != OK)
        return tb_report(cli, e, cli->n_args ? cli->args[0] : NULL, f);
    if (cli->json) {
        json_object_set_new(answer, "schema", json_string(schema));
        tb_print_json(answer);
        return 0;
    }
    print(answer);
    json_decref(answer);
    return 0;
}

int cmd_econ_show(const tb_cli *cli)
{
    view v = { 0 };
    json_t *answer = NULL;
    fault f = { 0 };
    err e = view_open(&v, cli, &f);
    if (e == OK)
        e = tb_ledger_call(&v.ledger, "econ.get", json_object(), 0, &answer, &f);
    tb_ledger_close(&v.ledger);
    return show(cli, e, answer, "tb-econ-show-1", print_running, &f);
}

int cmd_econ_epoch(const tb_cli *cli)
{
    view v = { 0 };
    json_t *answer = NULL;
    fault f = { 0 };
    uint64_t number = 0;
    err e = cli->n_args && (rpc_decimal_u64(&number, cli->args[0]) != OK || number == 0) ? fail(&f, ERR_USAGE, "epoch", 0) : OK;
    if (e == OK)
        e = view_open(&v, cli, &f);
    if (e == OK)
        e = tb_ledger_call(&v.ledger, "econ.epoch", json_pack("{s:o}", "epoch", rpc_json_u64(number)), 0, &answer, &f);
    tb_ledger_close(&v.ledger);
    return show(cli, e, answer, "tb-econ-epoch-1", print_epoch, &f);
}

int cmd_econ_provider(const tb_cli *cli)
{
    view v = { 0 };
    json_t *answer = NULL;
    fault f = { 0 };
    cr_address address;
    char text[CR_ADDRESS_TEXT_MAX];
    err e = view_open(&v, cli, &f);
    if (e == OK)
        e = tb_wallet_address(&address, &v.home, v.ledger.prefix, cli->args[0], &f);
    if (e == OK) {
        cr_address_encode(text, v.ledger.prefix, &address);
        e = tb_ledger_call(&v.ledger, "econ.provider", json_pack("{s:s}", "provider", text), 0, &answer, &f);
    }
    tb_ledger_close(&v.ledger);
    return show(cli, e, answer, "tb-econ-provider-1", print_provider, &f);
}

static void print_export(const json_t *manifest)
{
    size_t i;
    json_t *file;
    printf("epochs %" PRIu64 " to %" PRIu64 " of %s, seen at block %" PRIu64 "\n", number_of(manifest, "from"), number_of(manifest, "to"),
           json_string_value(json_object_get(manifest, "chain_id")), number_of(manifest, "height"));
    json_array_foreach(json_object_get(manifest, "files"), i, file)
        printf("%-12s %10" PRIu64 " bytes  sha256 %s\n", json_string_value(json_object_get(file, "name")), number_of(file, "bytes"),
               json_string_value(json_object_get(file, "sha256")));
}

static err export_now(json_t **manifest, const tb_cli *cli, view *v, fault *f)
{
    json_t *now;
    uint64_t finished, from = tb_uint(cli, "from"), to = tb_uint(cli, "to");
    if (!*tb_text(cli, "out"))
        return fail(f, ERR_USAGE, "out: which directory", 0);
    if (from == 0 || (to && from > to))
        return fail(f, ERR_USAGE, "from", from);
    TRY(view_open(v, cli, f));
    TRY(tb_ledger_call(&v->ledger, "econ.get", json_object(), 0, &now, f));
    err e = tb_json_u64(&finished, now, "epoch", f);
    json_decref(now);
    TRY(e);
    if (finished == 0)
        return fail(f, ERR_NOT_FOUND, "no epoch has ended", 0);
    return tb_econ_export(manifest, &v->ledger, from, to ? to : finished, tb_text(cli, "out"), f);
}

int cmd_econ_export(const tb_cli *cli)
{
    view v = { 0 };
    json_t *manifest = NULL;
    fault f = { 0 };
    err e = tb_given(cli, "check") ? tb_econ_export_check(&manifest, tb_text(cli, "check"), &f) : export_now(&manifest, cli, &v, &f);
    tb_ledger_close(&v.ledger);
    return show(cli, e, manifest, "tb-econ-export-1", print_export, &f);
}
