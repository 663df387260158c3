/* SPDX-License-Identifier: Apache-2.0
 *
 * `tb genesis validate`, `checklist`: whether a document is one, and whether a community can live with it. */
#include "apps/genesis_doc.h"

#include "rpc/json.h"

#include <inttypes.h>
#include <stdio.h>

enum { PROBLEMS_MAX = 64 };

int cmd_genesis_validate(const tb_cli *cli)
{
    tb_genesis_doc d;
    fault f = { 0 }, found[PROBLEMS_MAX];
    size_t count = 0;
    err e = tb_genesis_doc_init(&d, &f);
    if (e == OK)
        e = tb_genesis_doc_read(&d, cli->args[0], &f);
    int code = e == OK ? 0 : tb_report(cli, e, cli->args[0], &f);
    if (e == OK) {
        count = chain_genesis_problems(&d.g, found, PROBLEMS_MAX);
        code = count ? err_describe(ERR_RANGE)->exit_code : 0;
        json_t *list = json_array();
        for (size_t i = 0; i < count && i < PROBLEMS_MAX; i++) {
            const err_row *row = err_describe(found[i].code);
            json_array_append_new(list, json_pack("{s:s, s:s, s:o}", "what", found[i].what, "error", row->name, "at", rpc_json_u64(found[i].at)));
            if (!cli->json)
                printf("%s: %s (%" PRIu64 ")\n", found[i].what, row->text, found[i].at);
        }
        if (cli->json)
            tb_print_json(json_pack("{s:s, s:b, s:I, s:O}", "schema", "tb-genesis-validate-1", "valid", count == 0, "count", (json_int_t)count,
                                    "problems", list));
        else if (count == 0)
            puts("valid");
        json_decref(list);
    }
    tb_genesis_doc_deinit(&d);
    return code;
}

/* --- checklist --- */

typedef struct checklist {
    const chain_genesis *g;
    bool                 regions; /* the community means to restrict some */
} checklist;

static uint64_t value(const checklist *l, chain_param p)
{
    return l->g->params.v[p];
}

static size_t authorities(const checklist *l, uint8_t role)
{
    size_t count = 0;
    for (size_t i = 0; i < l->g->authority_count; i++)
        count += l->g->authorities[i].role == role;
    return count;
}

static bool is_one_of(const char *text, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(text, list[i]) == 0)
            return true;
    return false;
}

static bool is_valid(const checklist *l)
{
    fault first;
    return chain_genesis_problems(l->g, &first, 1) == 0;
}

static bool has_own_id(const checklist *l)
{
    static const char *const taken[] = { "local-dev", "theblock" };
    return !is_one_of(l->g->chain_id.text, taken, COUNT_OF(taken));
}

static bool is_no_dev(const checklist *l)
{
    return !chain_id_is_dev(&l->g->chain_id) && l->g->allocation_count == 0;
}

static bool has_own_prefix(const checklist *l)
{
    static const char *const taken[] = { "tb", "bc", "bcrt" };
    return !is_one_of(l->g->address_prefix.text, taken, COUNT_OF(taken));
}

static bool has_producers(const checklist *l)
{
    return l->g->producer_count >= 1;
}

/* Tariffs that end with KYC, votes that need it or weigh it, a treasury that pays nobody else. */
static bool has_issuer(const checklist *l)
{
    bool needed = value(l, CHAIN_PARAM_GOV_KYC_REQUIRED) || value(l, CHAIN_PARAM_GOV_FOREIGN_WEIGHT) < 1000000 ||
                  value(l, CHAIN_PARAM_TARIFF_MAX) > 0 || value(l, CHAIN_PARAM_MINT_TREASURY) > 0 || value(l, CHAIN_PARAM_MINT_SUBSIDY) > 0;
    return !needed || l->g->issuer_count > 0;
}

static bool has_pack_authority(const checklist *l)
{
    return (!l->regions && value(l, CHAIN_PARAM_GOV_HOME_REGION) == 0) || authorities(l, CHAIN_ROLE_PACKS) > 0;
}

static bool has_builders(const checklist *l)
{
    return authorities(l, CHAIN_ROLE_RELEASES) >= value(l, CHAIN_PARAM_RELEASE_SIGNERS);
}

static bool has_thresholds(const checklist *l)
{
    return value(l, CHAIN_PARAM_GOV_THRESHOLD_OPERATIONAL) < value(l, CHAIN_PARAM_GOV_THRESHOLD_STRUCTURAL) &&
           value(l, CHAIN_PARAM_GOV_THRESHOLD_STRUCTURAL) < value(l, CHAIN_PARAM_GOV_THRESHOLD_CONSTITUTIONAL);
}

static bool has_time(const checklist *l)
{
    return value(l, CHAIN_PARAM_GOV_TIMELOCK_STRUCTURAL) > value(l, CHAIN_PARAM_GOV_TIMELOCK_MIN) &&
           value(l, CHAIN_PARAM_GOV_AMEND_COOLING) > value(l, CHAIN_PARAM_GOV_TIMELOCK_STRUCTURAL);
}

static const struct {
    const char *name;
    bool (*holds)(const checklist *l);
    const char *missing;
} items[] = {
    { "valid", is_valid, "it breaks rules of its form: tb genesis validate names each" },
    { "chain_id", has_own_id, "the chain id is another network's: signatures would count there, too" },
    { "launch", is_no_dev, "a development network: its id ends in -dev, or coins are given away before the first block" },
    { "address_prefix", has_own_prefix, "the address prefix is another network's: people would send coins into the void" },
    { "producers", has_producers, "no key that makes blocks" },
    { "issuer", has_issuer, "KYC decides about tariff, votes, subsidies or treasury, and nobody may attest it (--issuer)" },
    { "packs", has_pack_authority, "regions count, and nobody may publish their packs (--packs)" },
    { "builders", has_builders, "fewer authorities for releases than badge.release_signers: no builders, so no vote could ever pass (--releases)" },
    { "thresholds", has_thresholds, "greater changes do not need greater majorities: gov.threshold_operational < structural < constitutional" },
    { "timelocks", has_time, "greater changes do not wait longer: gov.timelock_min < gov.timelock_structural < gov.amend_cooling" },
};

static int judge(const tb_cli *cli, const checklist *l)
{
    size_t missing = 0;
    json_t *list = json_array();
    for (size_t i = 0; i < COUNT_OF(items); i++) {
        bool good = items[i].holds(l);
        missing += !good;
        json_array_append_new(list, json_pack("{s:s, s:b, s:s}", "item", items[i].name, "ok", (int)good, "missing", good ? "" : items[i].missing));
        if (!cli->json)
            printf("%-8s %-15s %s\n", good ? "ok" : "missing", items[i].name, good ? "" : items[i].missing);
    }
    if (cli->json)
        tb_print_json(json_pack("{s:s, s:s, s:b, s:O}", "schema", "tb-genesis-checklist-1", "chain_id", l->g->chain_id.text, "ready", missing == 0,
                                "items", list));
    json_decref(list);
    return missing ? err_describe(ERR_RANGE)->exit_code : 0;
}

int cmd_genesis_checklist(const tb_cli *cli)
{
    tb_genesis_doc d;
    fault f = { 0 };
    err e = tb_genesis_doc_init(&d, &f);
    if (e == OK)
        e = tb_genesis_doc_read(&d, cli->args[0], &f);
    checklist l = { .g = &d.g, .regions = tb_flag(cli, "regions") };
    int code = e == OK ? judge(cli, &l) : tb_report(cli, e, cli->args[0], &f);
    tb_genesis_doc_deinit(&d);
    return code;
}
