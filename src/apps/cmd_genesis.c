/* SPDX-License-Identifier: Apache-2.0
 *
 * `tb genesis new`, `show`: the document that a network begins with. */
#include "apps/amount.h"
#include "apps/genesis_doc.h"
#include "apps/wallet.h"
#include "chain/profile.h"

#include "base/int.h"
#include "base/port/file.h"
#include "rpc/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct plan {
    tb_genesis_doc doc;
    tb_home        home;
    chain_name     prefix;
    bool           dev;
    const char    *what;  /* the option that the words are of: a fault names it */
    cr_public_key *keys;  /* the list that they join */
    size_t        *count;
    uint8_t        role;  /* of authorities */
} plan;

/* A public key in hex, or the name of a key here. On a development network a name without a key gets one; on any other the key has to be
 * there, and to be no development key: those sign nothing for it. */
static err find_key(plan *p, cr_public_key *out, const char *word, fault *f)
{
    tb_wallet_key key;
    if (strlen(word) == 2 * sizeof out->b && base_hex_decode(out->b, sizeof out->b, word) == OK)
        return OK;
    err e = tb_wallet_find(&key, &p->home, word, f);
    if (e == ERR_NOT_FOUND && p->dev)
        e = tb_wallet_create(&key, &p->home, word, bytes_of("", 0), CR_KEYSTORE_DEV, f);
    if (e == ERR_NOT_FOUND)
        return fail(f, ERR_NOT_FOUND, p->what, 0);
    TRY(e);
    if (key.dev_only && !p->dev)
        return fail(f, ERR_PERMISSION, "a development key signs only for chain ids that end in -dev", 0);
    *out = key.key;
    return OK;
}

static err add_key(void *ctx, const char *word, const char *value, fault *f)
{
    plan *p = ctx;
    (void)value;
    if (*p->count == LIMIT_GENESIS_KEYS)
        return fail(f, ERR_LIMIT, p->what, *p->count);
    TRY(find_key(p, &p->keys[*p->count], word, f));
    ++*p->count;
    return OK;
}

/* KEY, or KEY@REGION for an authority over one region. */
static err add_authority(void *ctx, const char *word, const char *value, fault *f)
{
    plan *p = ctx;
    chain_genesis *g = &p->doc.g;
    chain_authority a = { .role = p->role };
    char name[256];
    uint64_t region = 0;
    size_t len = strcspn(word, "@");
    (void)value;
    memcpy(name, word, len);
    name[len] = 0;
    if (word[len] && (rpc_decimal_u64(&region, word + len + 1) != OK || region > LIMIT_REGION || p->role != CHAIN_ROLE_PACKS))
        return fail(f, ERR_USAGE, "packs: KEY or KEY@REGION", region);
    if (g->authority_count == LIMIT_GENESIS_AUTHORITIES)
        return fail(f, ERR_LIMIT, p->what, g->authority_count);
    a.scope = (uint32_t)region;
    TRY(find_key(p, &a.key, name, f));
    g->authorities[g->authority_count++] = a;
    return OK;
}

/* What is as long as an address is one, and never the name of a key. */
static err find_receiver(plan *p, cr_address *out, const char *word, fault *f)
{
    enum { LIKE_AN_ADDRESS = 48 };
    cr_public_key key;
    if (strlen(word) >= LIKE_AN_ADDRESS || tb_wallet_name_check(word, NULL) != OK)
        return cr_address_decode(out, p->prefix.text, word, f);
    TRY(find_key(p, &key, word, f));
    *out = cr_address_of_key(&key);
    return OK;
}

static err add_allocation(void *ctx, const char *key, const char *value, fault *f)
{
    plan *p = ctx;
    chain_genesis *g = &p->doc.g;
    chain_allocation a;
    TRY(tb_amount_parse(&a.amount, value, f));
    TRY(find_receiver(p, &a.address, key, f));
    for (size_t i = 0; i < g->allocation_count; i++)
        if (cr_address_equal(&g->allocations[i].address, &a.address)) {
            err e = checked_add_u64(&g->allocations[i].amount, g->allocations[i].amount, a.amount);
            return e == OK ? OK : fail(f, ERR_OVERFLOW, "alloc", i);
        }
    if (g->allocation_count == LIMIT_GENESIS_ACCOUNTS)
        return fail(f, ERR_LIMIT, "alloc", g->allocation_count);
    g->allocations[g->allocation_count++] = a;
    return OK;
}

static err read_names(plan *p, const tb_cli *cli, fault *f)
{
    chain_genesis *g = &p->doc.g;
    chain_profile profile = chain_profile_by_name(tb_text(cli, "profile"));
    if (profile == CHAIN_PROFILE_COUNT)
        return fail(f, ERR_USAGE, "profile: base, citizen, libertarian or progressive", 0);
    if (chain_name_set(&g->chain_id, bytes_of_str(tb_text(cli, "chain-id"))) != OK)
        return fail(f, ERR_USAGE, "chain-id", 0);
    if (chain_name_set(&p->prefix, bytes_of_str(tb_text(cli, "prefix"))) != OK)
        return fail(f, ERR_USAGE, "prefix", 0);
    g->address_prefix = p->prefix;
    p->dev = chain_id_is_dev(&g->chain_id);
    if (*tb_text(cli, "alloc") && !p->dev)
        return fail(f, ERR_USAGE, "alloc: only where the chain id ends in -dev", 0);
    chain_profile_apply(g, profile);
    return OK;
}

static err read_keys(plan *p, const tb_cli *cli, fault *f)
{
    chain_genesis *g = &p->doc.g;
    p->what = "producer", p->keys = g->producers, p->count = &g->producer_count;
    TRY(tb_genesis_words(tb_text(cli, "producer"), 0, p->what, add_key, p, f));
    p->what = "issuer", p->keys = g->issuers, p->count = &g->issuer_count;
    if (strcmp(tb_text(cli, "issuer"), "none") != 0)
        TRY(tb_genesis_words(tb_text(cli, "issuer"), 0, p->what, add_key, p, f));
    p->what = "packs", p->role = CHAIN_ROLE_PACKS;
    TRY(tb_genesis_words(tb_text(cli, "packs"), 0, p->what, add_authority, p, f));
    p->what = "releases", p->role = CHAIN_ROLE_RELEASES;
    TRY(tb_genesis_words(tb_text(cli, "releases"), 0, p->what, add_authority, p, f));
    p->what = "alloc";
    return tb_genesis_words(tb_text(cli, "alloc"), '=', "alloc", add_allocation, p, f);
}

static err make(const tb_cli *cli, plan *p, fault *f)
{
    char path[TB_PATH_MAX];
    int fd;
    TRY(tb_genesis_doc_init(&p->doc, f));
    TRY(read_names(p, cli, f));
    TRY(tb_genesis_words(tb_text(cli, "param"), '=', "param", tb_genesis_set_value, &p->doc, f));
    TRY(tb_genesis_words(tb_text(cli, "bound"), '=', "bound", tb_genesis_set_bound, &p->doc, f));
    TRY(tb_home_find(&p->home, cli, f));
    TRY(tb_home_make(&p->home, f));
    TRY(tb_home_path(path, &p->home, "genesis.cbor", f));
    if (base_file_open(&fd, path, BASE_FILE_READ, NULL) == OK) {
        base_file_close(fd);
        return fail(f, ERR_EXISTS, "genesis.cbor", 0);
    }
    TRY(read_keys(p, cli, f));
    return tb_genesis_doc_write(&p->doc, path, f);
}

int cmd_genesis_new(const tb_cli *cli)
{
    plan p = { 0 };
    fault f = { 0 };
    err e = make(cli, &p, &f);
    int code = 0;
    if (e != OK) {
        code = tb_report(cli, e, "genesis", &f);
    } else {
        const chain_genesis *g = &p.doc.g;
        char hex[65], key[65];
        base_hex_encode(hex, p.doc.hash.b, 32);
        base_hex_encode(key, g->producers[0].b, 32);
        if (cli->json)
            tb_print_json(json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I}", "schema", "tb-genesis-1", "chain_id", g->chain_id.text,
                                    "address_prefix", g->address_prefix.text, "profile", tb_text(cli, "profile"), "genesis", hex,
                                    "producer_key", key, "home", p.home.dir, "allocations", (json_int_t)g->allocation_count, "bounds",
                                    (json_int_t)g->bound_count));
        else
            printf("network   %s\ngenesis   %s\nproducer  %s\ndata in   %s\ntrust     --trust %s:%s\n", g->chain_id.text, hex, key,
                   p.home.dir, hex, key);
    }
    tb_genesis_doc_deinit(&p.doc);
    return code;
}

/* --- show --- */

static json_t *keys_json(const cr_public_key *keys, size_t count)
{
    json_t *out = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(out, rpc_json_hex(BYTES_OF(keys[i])));
    return out;
}

static const char *role_name(uint8_t role)
{
    return role == CHAIN_ROLE_PACKS ? "packs" : "releases";
}

static void print_json(const chain_genesis *g, const hash256 *hash)
{
    char text[CR_ADDRESS_TEXT_MAX];
    json_t *allocations = json_array(), *params = json_object(), *authorities = json_array(), *bounds = json_object();
    for (size_t i = 0; i < g->allocation_count; i++) {
        cr_address_encode(text, g->address_prefix.text, &g->allocations[i].address);
        json_array_append_new(allocations, json_pack("{s:s, s:o}", "address", text, "amount_nblock", rpc_json_u64(g->allocations[i].amount)));
    }
    for (size_t i = 0; i < CHAIN_PARAM_COUNT; i++)
        json_object_set_new(params, chain_param_rows[i].key, rpc_json_u64(g->params.v[i]));
    for (size_t i = 0; i < g->authority_count; i++)
        json_array_append_new(authorities, json_pack("{s:s, s:I, s:o}", "role", role_name(g->authorities[i].role), "region",
                                                     (json_int_t)g->authorities[i].scope, "key", rpc_json_hex(BYTES_OF(g->authorities[i].key))));
    for (size_t i = 0; i < g->bound_count; i++)
        json_object_set_new(bounds, chain_param_rows[g->bounds[i].param].key,
                            json_pack("{s:o, s:o}", "min", rpc_json_u64(g->bounds[i].min), "max", rpc_json_u64(g->bounds[i].max)));
    tb_print_json(json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "schema", "tb-genesis-show-1", "chain_id", g->chain_id.text,
                            "address_prefix", g->address_prefix.text, "genesis", rpc_json_hex(BYTES_OF(*hash)), "producers",
                            keys_json(g->producers, g->producer_count), "issuers", keys_json(g->issuers, g->issuer_count), "authorities",
                            authorities, "allocations", allocations, "params", params, "bounds", bounds));
}

static void print_keys(const char *what, const cr_public_key *keys, size_t count)
{
    char hex[65];
    for (size_t i = 0; i < count; i++) {
        base_hex_encode(hex, keys[i].b, sizeof keys[i].b);
        printf("%-9s %s\n", what, hex);
    }
}

static void print_text(const chain_genesis *g, const hash256 *hash)
{
    char text[CR_ADDRESS_TEXT_MAX], amount[TB_AMOUNT_TEXT], hex[65];
    base_hex_encode(hex, hash->b, 32);
    printf("network   %s\nprefix    %s\ngenesis   %s\n", g->chain_id.text, g->address_prefix.text, hex);
    print_keys("producer", g->producers, g->producer_count);
    print_keys("issuer", g->issuers, g->issuer_count);
    for (size_t i = 0; i < g->authority_count; i++) {
        base_hex_encode(hex, g->authorities[i].key.b, 32);
        printf("%-9s %s", role_name(g->authorities[i].role), hex);
        if (g->authorities[i].scope)
            printf("  region %" PRIu32, g->authorities[i].scope);
        putchar('\n');
    }
    for (size_t i = 0; i < g->allocation_count; i++) {
        cr_address_encode(text, g->address_prefix.text, &g->allocations[i].address);
        tb_amount_format(amount, g->allocations[i].amount);
        printf("account   %s  %s BLOCK\n", text, amount);
    }
    for (size_t i = 0; i < CHAIN_PARAM_COUNT; i++)
        printf("param     %-16s %" PRIu64 " %s\n", chain_param_rows[i].key, g->params.v[i], chain_param_rows[i].unit);
    for (size_t i = 0; i < g->bound_count; i++)
        printf("bound     %-16s %" PRIu64 " to %" PRIu64 "\n", chain_param_rows[g->bounds[i].param].key, g->bounds[i].min, g->bounds[i].max);
}

int cmd_genesis_show(const tb_cli *cli)
{
    tb_home home;
    char path[TB_PATH_MAX] = "";
    tb_genesis_doc d;
    fault f = { 0 };
    err e = tb_genesis_doc_init(&d, &f);
    if (e == OK && cli->n_args == 0)
        e = tb_home_find(&home, cli, &f);
    if (e == OK && cli->n_args == 0)
        e = tb_home_path(path, &home, "genesis.cbor", &f);
    const char *file = cli->n_args ? cli->args[0] : path;
    if (e == OK)
        e = tb_genesis_doc_read(&d, file, &f);
    if (e == OK && chain_genesis_problems(&d.g, &f, 1) > 0)
        e = f.code;
    int code = 0;
    if (e != OK)
        code = tb_report(cli, e, file, &f);
    else if (cli->json)
        print_json(&d.g, &d.hash);
    else
        print_text(&d.g, &d.hash);
    tb_genesis_doc_deinit(&d);
    return code;
}
