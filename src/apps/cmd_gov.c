/* SPDX-License-Identifier: Apache-2.0
 *
 * `tb gov`, the commands that only look: proposals, power, parameters, history. */
#include "apps/actor.h"

#include "rpc/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* "12.3400 %" of ppm in a decimal string; "-" for null. */
static const char *percent(const json_t *o, const char *name)
{
    static char texts[4][32];
    static unsigned turn;
    char *text = texts[turn++ % COUNT_OF(texts)];
    uint64_t ppm = tb_view_u64(o, name);
    if (!json_is_string(json_object_get(o, name)))
        return "-";
    snprintf(text, sizeof texts[0], "%" PRIu64 ".%04" PRIu64 " %%", ppm / 10000, ppm % 10000);
    return text;
}

/* --- list ----------------------------------------------------------------------------------------------------------------- */

int cmd_gov_list(const tb_cli *cli)
{
    tb_actor a = { .cli = cli };
    fault f = { 0 };
    const char *status = tb_text(cli, "status");
    json_t *all = json_array(), *one, *params = json_object();
    size_t i;
    if (*status)
        json_object_set_new(params, "status", json_string(status));
    err e = tb_actor_watch(&a, cli, &f);
    if (e == OK)
        e = tb_view_pages(&a.ledger, all, "gov.list", params, "proposals", &f);
    else
        json_decref(params);
    tb_actor_close(&a);
    if (e == OK && cli->json) {
        tb_print_json(json_pack("{s:s, s:o}", "schema", "tb-gov-list-1", "proposals", all));
        return 0;
    }
    if (e == OK)
        json_array_foreach(all, i, one)
            printf("%s  %s, %s, %s, vote in epochs %s to %" PRIu64 "\n", tb_view_text(one, "number"), tb_view_text(one, "kind"),
                   tb_view_text(one, "class"), tb_view_text(one, "status"), tb_view_text(one, "vote_start"), tb_view_u64(one, "vote_end") - 1);
    json_decref(all);
    return e == OK ? 0 : tb_report(cli, e, "proposals", &f);
}

/* --- show ----------------------------------------------------------------------------------------------------------------- */

static void print_house(const json_t *proposal, const char *name)
{
    const json_t *h = json_object_get(json_object_get(proposal, "houses"), name);
    printf("%-10s %s of %s power voted (%s), %s needed; yes %s, no %s (%s yes)\n", name, tb_view_text(h, "cast"), tb_view_text(h, "eligible"),
           percent(h, "turnout_ppm"), tb_view_text(h, "quorum_power"), tb_view_text(h, "yes"), tb_view_text(h, "no"), percent(h, "yes_ppm"));
}

static void print_deadlines(const json_t *p)
{
    uint64_t activate = tb_view_u64(p, "activate_epoch"), expire = tb_view_u64(p, "expire_epoch"), round = tb_view_u64(p, "round");
    printf("vote       %s, epochs %s to %" PRIu64 ", blocks %s to %s; now epoch %s, block %s\n", round == 2 ? "the second" : "the first",
           tb_view_text(p, "vote_start"), tb_view_u64(p, "vote_end") - 1, tb_view_text(p, "vote_first_height"), tb_view_text(p, "vote_last_height"),
           tb_view_text(p, "epoch"), tb_view_text(p, "height"));
    if (activate)
        printf("acts       from epoch %" PRIu64 ", block %s\n", activate, tb_view_text(p, "activate_height"));
    else
        printf("acts       %s epochs after a vote that passes\n", tb_view_text(p, "timelock"));
    if (expire)
        printf("ends       in epoch %" PRIu64 ", block %s\n", expire, tb_view_text(p, "expire_height"));
}

static void print_proposal(const json_t *p)
{
    size_t i;
    json_t *change;
    const json_t *membership = json_object_get(p, "membership");
    const char *obstacle = json_string_value(json_object_get(p, "obstacle"));
    printf("proposal   %s: %s, %s, %s\nproposer   %s, for the %s, stake %s BLOCK\ndecide     %s operators, and the builders\n",
           tb_view_text(p, "number"), tb_view_text(p, "kind"), tb_view_text(p, "class"), tb_view_text(p, "status"), tb_view_text(p, "proposer"),
           tb_view_text(p, "house"), tb_view_amount(p, "stake"), tb_view_text(p, "electorate"));
    if (tb_view_u64(p, "target"))
        printf("about      %s %s\n", strcmp(tb_view_text(p, "kind"), "disbursement") == 0 ? "disbursement" : "proposal", tb_view_text(p, "target"));
    json_array_foreach(json_object_get(p, "changed"), i, change)
        printf("change     %s to %s %s; now %s\n", tb_view_text(change, "key"), tb_view_text(change, "value"), tb_view_text(change, "unit"),
               tb_view_text(change, "in_force"));
    if (json_is_object(membership))
        printf("asks for   %s: %s\n", tb_view_text(membership, "action"), tb_view_text(membership, "subject"));
    print_deadlines(p);
    printf("threshold  %s %" PRIu64 " ppm yes in both houses\n", strcmp(tb_view_text(p, "class"), "operational") == 0 ? "more than" : "at least",
           tb_view_u64(p, "threshold_ppm"));
    print_house(p, "operators");
    print_house(p, "builders");
    if (obstacle)
        printf("refused    as it stands, by: %s\n", obstacle);
}

int cmd_gov_show(const tb_cli *cli)
{
    tb_actor a = { .cli = cli };
    fault f = { 0 };
    uint64_t number;
    err e = tb_number_parse(&number, cli->args[0], "N: number of a proposal", &f);
    if (e == OK)
        e = tb_actor_watch(&a, cli, &f);
    return tb_actor_show(&a, e, "gov.get", json_pack("{s:s}", "proposal", cli->args[0]), &f, cli->args[0], "tb-gov-show-1", print_proposal);
}

/* --- power ---------------------------------------------------------------------------------------------------------------- */

static void print_power(const json_t *v)
{
    static const struct { const char *shown, *power, *house; } houses[] = {
        { "operators", "power_operators", "all" }, { "storage", "power_storage", "storage" }, { "compute", "power_compute", "compute" },
        { "energy", "power_energy", "energy" },    { "ad", "power_ad", "ad" },                { "builders", "power_builders", "builders" },
    };
    uint64_t unbonding = tb_view_u64(v, "unbonding");
    printf("account    %s\nstake      %s BLOCK\n", tb_view_text(v, "address"), tb_view_amount(v, "stake"));
    if (unbonding)
        printf("unbonding  %s BLOCK, free at block %s\n", tb_view_amount(v, "unbonding"), tb_view_text(v, "unbond_height"));
    if (tb_view_u64(v, "lock_epoch") > tb_view_u64(v, "current_epoch"))
        printf("locked     until epoch %s\n", tb_view_text(v, "lock_epoch"));
    printf("reputation %" PRIu64 " ppm\n", tb_view_u64(v, "reputation_ppm"));
    for (size_t i = 0; i < COUNT_OF(houses); i++)
        if (tb_view_u64(v, houses[i].power))
            printf("%-10s %s of %s power\n", houses[i].shown, tb_view_text(v, houses[i].power),
                   tb_view_text(json_object_get(v, "houses"), houses[i].house));
    if (!tb_view_u64(v, "power_operators") && !tb_view_u64(v, "power_builders"))
        printf("power      none: it takes a stake and a live badge\n");
    if (json_is_string(json_object_get(v, "delegate_operators")))
        printf("delegate   among the operators: %s\n", tb_view_text(v, "delegate_operators"));
    if (json_is_string(json_object_get(v, "delegate_builders")))
        printf("delegate   among the builders: %s\n", tb_view_text(v, "delegate_builders"));
}

int cmd_gov_power(const tb_cli *cli)
{
    tb_actor a = { .cli = cli };
    cr_address address;
    char text[CR_ADDRESS_TEXT_MAX] = "";
    fault f = { 0 };
    err e = tb_actor_watch(&a, cli, &f);
    if (e == OK)
        e = tb_actor_address(&a, &address, cli->n_args ? cli->args[0] : NULL, &f);
    if (e == OK)
        cr_address_encode(text, a.ledger.prefix, &address);
    return tb_actor_show(&a, e, "gov.power", json_pack("{s:s}", "address", text), &f, cli->n_args ? cli->args[0] : tb_text(cli, "key"),
                         "tb-gov-power-1", print_power);
}

/* --- parameters ----------------------------------------------------------------------------------------------------------- */

static void print_params(const json_t *answer)
{
    size_t i;
    json_t *p;
    json_array_foreach(json_object_get(answer, "params"), i, p) {
        printf("%-28s %s %s, %s to %s, %s", tb_view_text(p, "key"), tb_view_text(p, "value"), tb_view_text(p, "unit"), tb_view_text(p, "min"),
               tb_view_text(p, "max"), json_is_true(json_object_get(p, "votable")) ? tb_view_text(p, "class") : "fixed");
        if (tb_view_u64(p, "proposal"))
            printf(", by proposal %s in epoch %s, before %s", tb_view_text(p, "proposal"), tb_view_text(p, "changed_epoch"), tb_view_text(p, "previous"));
        putchar('\n');
    }
}

int cmd_gov_params(const tb_cli *cli)
{
    tb_actor a = { .cli = cli };
    fault f = { 0 };
    err e = tb_actor_watch(&a, cli, &f);
    return tb_actor_show(&a, e, "gov.params", json_object(), &f, "parameters", "tb-gov-params-1", print_params);
}

/* --- history -------------------------------------------------------------------------------------------------------------- */

/* The fields of an event in their order, but for those that every event has. */
static void print_event(const json_t *event)
{
    static const char *const common[] = { "sequence", "height", "name", "tx" };
    const char *name;
    json_t *value;
    printf("block %s  %s", tb_view_text(event, "height"), tb_view_text(event, "name"));
    json_object_foreach((json_t *)(uintptr_t)event, name, value) {
        bool own = true;
        for (size_t i = 0; i < COUNT_OF(common); i++)
            own &= strcmp(name, common[i]) != 0;
        if (own && json_is_string(value))
            printf(" %s=%s", name, json_string_value(value));
        else if (own && json_is_integer(value))
            printf(" %s=%" JSON_INTEGER_FORMAT, name, json_integer_value(value));
    }
    putchar('\n');
}

static err read_log(tb_actor *a, json_t *events, bool *lost, fault *f)
{
    char since[24] = "0";
    for (bool more = true; more;) {
        json_t *page;
        TRY(tb_ledger_call(&a->ledger, "gov.log", json_pack("{s:s}", "since", since), 0, &page, f));
        more = json_is_true(json_object_get(page, "more"));
        *lost |= json_is_true(json_object_get(page, "lost"));
        snprintf(since, sizeof since, "%s", tb_view_text(page, "next"));
        bool good = json_array_extend(events, json_object_get(page, "events")) == 0;
        json_decref(page);
        if (!good)
            return fail(f, ERR_FIELD, "events", 0);
    }
    return OK;
}

int cmd_gov_log(const tb_cli *cli)
{
    tb_actor a = { .cli = cli };
    fault f = { 0 };
    json_t *events = json_array(), *one;
    bool lost = false;
    size_t i;
    err e = tb_actor_watch(&a, cli, &f);
    if (e == OK)
        e = read_log(&a, events, &lost, &f);
    tb_actor_close(&a);
    if (e == OK && cli->json) {
        tb_print_json(json_pack("{s:s, s:o, s:b}", "schema", "tb-gov-log-1", "events", events, "lost", (int)lost));
        return 0;
    }
    if (e == OK) {
        fputs("what this node has seen since its checkpoint:\n", stderr);
        json_array_foreach(events, i, one)
            print_event(one);
    }
    json_decref(events);
    return e == OK ? 0 : tb_report(cli, e, "history", &f);
}
