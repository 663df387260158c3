/* SPDX-License-Identifier: Apache-2.0
 *
 * `tb genesis`: a local network to work on. */
#include "apps/amount.h"
#include "apps/genesis_local.h"
#include "apps/wallet.h"

#include "base/port/file.h"
#include "rpc/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* The development key of this name; made if it is not there. */
static err ensure_key(tb_wallet_key *key, const tb_home *home, const char *name, bool *made, fault *f)
{
    err e = tb_wallet_find(key, home, name, f);
    *made = e == ERR_NOT_FOUND;
    return *made ? tb_wallet_create(key, home, name, bytes_of("", 0), CR_KEYSTORE_DEV, f) : e;
}

typedef struct plan {
    tb_home           home;
    chain_allocation *allocations;
    size_t            count;
    chain_params      params;
} plan;

/* Calls `each` for every KEY=VALUE of a list separated by commas. */
static err each_pair(const char *list, const char *what, err (*each)(plan *p, const char *key, const char *value, fault *f), plan *p, fault *f)
{
    char part[256];
    for (size_t at = 0; list[at];) {
        size_t len = strcspn(list + at, ",");
        if (len >= sizeof part)
            return fail(f, ERR_LIMIT, what, at);
        memcpy(part, list + at, len);
        part[len] = 0;
        char *equals = strchr(part, '=');
        if (!equals)
            return fail(f, ERR_USAGE, what, at);
        *equals = 0;
        TRY(each(p, part, equals + 1, f));
        at += len + (list[at + len] == ',');
    }
    return OK;
}

static err add_allocation(plan *p, const char *key, const char *value, fault *f)
{
    chain_allocation a;
    TRY(tb_amount_parse(&a.amount, value, f));
    if (tb_wallet_name_check(key, NULL) == OK && strncmp(key, "tb1", 3) != 0) {
        tb_wallet_key made;
        bool fresh;
        TRY(ensure_key(&made, &p->home, key, &fresh, f));
        a.address = made.address;
    } else {
        TRY(cr_address_decode(&a.address, "tb", key, f));
    }
    if (p->count == LIMIT_GENESIS_ACCOUNTS)
        return fail(f, ERR_LIMIT, "alloc", p->count);
    p->allocations[p->count++] = a;
    return OK;
}

static err set_param(plan *p, const char *key, const char *value, fault *f)
{
    chain_param which = chain_param_by_key(key);
    if (which == CHAIN_PARAM_COUNT)
        return fail(f, ERR_USAGE, "param: no such key (tb genesis show lists them)", 0);
    return rpc_decimal_u64(&p->params.v[which], value) == OK ? OK : fail(f, ERR_USAGE, "param: value", 0);
}

static err make(const tb_cli *cli, plan *p, buf *doc, hash256 *hash, tb_wallet_key *producer, tb_wallet_key *issuer, fault *f)
{
    bool made;
    chain_name name;
    char path[TB_PATH_MAX];
    if (chain_name_set(&name, bytes_of_str(tb_text(cli, "chain-id"))) != OK || !chain_id_is_dev(&name))
        return fail(f, ERR_USAGE, "chain-id: must end in -dev", 0);
    TRY(tb_home_find(&p->home, cli, f));
    TRY(tb_home_make(&p->home, f));
    TRY(tb_home_path(path, &p->home, "genesis.cbor", f));
    int fd;
    if (base_file_open(&fd, path, BASE_FILE_READ, NULL) == OK) {
        base_file_close(fd);
        return fail(f, ERR_EXISTS, "genesis.cbor", 0);
    }
    chain_params_default(&p->params);
    TRY(each_pair(tb_text(cli, "param"), "param", set_param, p, f));
    TRY(ensure_key(producer, &p->home, tb_text(cli, "producer"), &made, f));
    TRY(ensure_key(issuer, &p->home, tb_text(cli, "issuer"), &made, f));
    TRY(each_pair(tb_text(cli, "alloc"), "alloc", add_allocation, p, f));
    tb_genesis_plan g = { .chain_id = tb_text(cli, "chain-id"), .allocations = p->allocations, .allocation_count = p->count,
                          .issuer = &issuer->key, .producer = &producer->key, .params = &p->params };
    TRY(tb_genesis_make(doc, hash, &g, f));
    return tb_genesis_save(&p->home, buf_bytes(doc), f);
}

int cmd_genesis_new(const tb_cli *cli)
{
    plan p = { 0 };
    buf doc;
    hash256 hash;
    tb_wallet_key producer, issuer;
    fault f = { 0 };
    buf_init(&doc, LIMIT_GENESIS_BYTES);
    p.allocations = calloc(LIMIT_GENESIS_ACCOUNTS, sizeof *p.allocations);
    err e = p.allocations ? make(cli, &p, &doc, &hash, &producer, &issuer, &f) : fail(&f, ERR_MEMORY, "genesis", 0);
    int code = 0;
    if (e != OK) {
        code = tb_report(cli, e, "genesis", &f);
    } else {
        char hex[65], key[65];
        base_hex_encode(hex, hash.b, 32);
        base_hex_encode(key, producer.key.b, 32);
        if (cli->json)
            tb_print_json(json_pack("{s:s, s:s, s:s, s:s, s:s, s:I}", "schema", "tb-genesis-1", "chain_id", tb_text(cli, "chain-id"),
                                    "genesis", hex, "producer_key", key, "home", p.home.dir, "allocations", (json_int_t)p.count));
        else
            printf("network   %s\ngenesis   %s\nproducer  %s\ndata in   %s\ntrust     --trust %s:%s\n", tb_text(cli, "chain-id"), hex, key,
                   p.home.dir, hex, key);
    }
    free(p.allocations);
    buf_deinit(&doc);
    return code;
}

static void print_genesis(const tb_cli *cli, const chain_genesis *g, const hash256 *hash)
{
    char text[CR_ADDRESS_TEXT_MAX], amount[TB_AMOUNT_TEXT], hex[65];
    json_t *allocations = json_array(), *params = json_object(), *issuers = json_array(), *producers = json_array();
    base_hex_encode(hex, hash->b, 32);
    if (!cli->json)
        printf("network   %s\ngenesis   %s\n", g->chain_id.text, hex);
    for (size_t i = 0; i < g->producer_count; i++) {
        base_hex_encode(hex, g->producers[i].b, 32);
        json_array_append_new(producers, json_string(hex));
        if (!cli->json)
            printf("producer  %s\n", hex);
    }
    for (size_t i = 0; i < g->issuer_count; i++) {
        base_hex_encode(hex, g->issuers[i].b, 32);
        json_array_append_new(issuers, json_string(hex));
        if (!cli->json)
            printf("issuer    %s\n", hex);
    }
    for (size_t i = 0; i < g->allocation_count; i++) {
        cr_address_encode(text, g->address_prefix.text, &g->allocations[i].address);
        tb_amount_format(amount, g->allocations[i].amount);
        json_array_append_new(allocations, json_pack("{s:s, s:o}", "address", text, "amount_nblock", rpc_json_u64(g->allocations[i].amount)));
        if (!cli->json)
            printf("account   %s  %s BLOCK\n", text, amount);
    }
    for (size_t i = 0; i < CHAIN_PARAM_COUNT; i++) {
        json_object_set_new(params, chain_param_rows[i].key, rpc_json_u64(g->params.v[i]));
        if (!cli->json)
            printf("param     %-16s %" PRIu64 " %s\n", chain_param_rows[i].key, g->params.v[i], chain_param_rows[i].unit);
    }
    if (cli->json) {
        base_hex_encode(hex, hash->b, 32);
        tb_print_json(json_pack("{s:s, s:s, s:s, s:O, s:O, s:O, s:O}", "schema", "tb-genesis-show-1", "chain_id", g->chain_id.text,
                                "genesis", hex, "producers", producers, "issuers", issuers, "allocations", allocations, "params", params));
    }
    json_decref(allocations);
    json_decref(params);
    json_decref(issuers);
    json_decref(producers);
}

int cmd_genesis_show(const tb_cli *cli)
{
    tb_home home;
    char path[TB_PATH_MAX];
    fault f = { 0 };
    buf doc;
    cr_public_key issuers[64], producers[64];
    chain_genesis g = { .allocation_count = LIMIT_GENESIS_ACCOUNTS, .issuers = issuers, .issuer_count = COUNT_OF(issuers),
                        .producers = producers, .producer_count = COUNT_OF(producers) };
    buf_init(&doc, LIMIT_GENESIS_BYTES);
    g.allocations = calloc(LIMIT_GENESIS_ACCOUNTS, sizeof *g.allocations);
    err e = g.allocations ? tb_home_find(&home, cli, &f) : fail(&f, ERR_MEMORY, "genesis", 0);
    if (e == OK)
        e = tb_home_path(path, &home, "genesis.cbor", &f);
    const char *file = cli->n_args ? cli->args[0] : path;
    if (e == OK)
        e = base_file_read(&doc, file, &f);
    if (e == OK)
        e = chain_genesis_decode(&g, buf_bytes(&doc), &f);
    if (e == OK) {
        hash256 hash = chain_genesis_hash(buf_bytes(&doc));
        print_genesis(cli, &g, &hash);
    }
    int code = e == OK ? 0 : tb_report(cli, e, file, &f);
    free(g.allocations);
    buf_deinit(&doc);
    return code;
}
