/* SPDX-License-Identifier: Apache-2.0
 *
 * `tb genesis set`, `diff`, `hash`: from one document to another. */
#include "apps/amount.h"
#include "apps/genesis_doc.h"

#include "rpc/json.h"

#include <inttypes.h>
#include <stdio.h>

static void print_hash(const tb_cli *cli, const tb_genesis_doc *d, const char *schema)
{
    char hex[65];
    base_hex_encode(hex, d->hash.b, 32);
    if (cli->json)
        tb_print_json(json_pack("{s:s, s:s, s:s}", "schema", schema, "chain_id", d->g.chain_id.text, "genesis", hex));
    else
        puts(hex);
}

static err change(const tb_cli *cli, tb_genesis_doc *d, fault *f)
{
    if (!*tb_text(cli, "out"))
        return fail(f, ERR_USAGE, "--out is missing: a genesis is never changed in place", 0);
    TRY(tb_genesis_doc_init(d, f));
    TRY(tb_genesis_doc_read(d, cli->args[0], f));
    for (size_t i = 1; i < cli->n_args; i++)
        TRY(tb_genesis_words(cli->args[i], '=', "KEY=VALUE", tb_genesis_set_value, d, f));
    TRY(tb_genesis_words(tb_text(cli, "bound"), '=', "bound", tb_genesis_set_bound, d, f));
    return tb_genesis_doc_write(d, tb_text(cli, "out"), f);
}

int cmd_genesis_set(const tb_cli *cli)
{
    tb_genesis_doc d = { 0 };
    fault f = { 0 };
    err e = change(cli, &d, &f);
    int code = e == OK ? 0 : tb_report(cli, e, cli->args[0], &f);
    if (e == OK)
        print_hash(cli, &d, "tb-genesis-set-1");
    tb_genesis_doc_deinit(&d);
    return code;
}

int cmd_genesis_hash(const tb_cli *cli)
{
    tb_genesis_doc d;
    fault f = { 0 };
    err e = tb_genesis_doc_init(&d, &f);
    if (e == OK)
        e = tb_genesis_doc_read(&d, cli->args[0], &f);
    int code = e == OK ? 0 : tb_report(cli, e, cli->args[0], &f);
    if (e == OK)
        print_hash(cli, &d, "tb-genesis-hash-1");
    tb_genesis_doc_deinit(&d);
    return code;
}

/* --- diff --- */

enum { SIDE_TEXT = 200 };

typedef struct differences {
    json_t *list;
    bool    print;
} differences;

/* "" stands for what a side does not have. */
static void differ(differences *l, const char *kind, const char *key, const char *a, const char *b)
{
    if (strcmp(a, b) == 0)
        return;
    json_array_append_new(l->list, json_pack("{s:s, s:s, s:s, s:s}", "kind", kind, "key", key, "a", a, "b", b));
    if (l->print)
        printf("%-10s %s: %s -> %s\n", kind, key, *a ? a : "none", *b ? b : "none");
}

static void bound_text(char out[SIDE_TEXT], const chain_genesis *g, chain_param p)
{
    *out = 0;
    for (size_t i = 0; i < g->bound_count; i++)
        if (g->bounds[i].param == p)
            snprintf(out, SIDE_TEXT, "%" PRIu64 ":%" PRIu64, g->bounds[i].min, g->bounds[i].max);
}

static bool has_key(const cr_public_key *keys, size_t count, const cr_public_key *key)
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(&keys[i], key, sizeof *key) == 0)
            return true;
    return false;
}

static void differ_keys(differences *l, const char *kind, const cr_public_key *a, size_t a_count, const cr_public_key *b, size_t b_count)
{
    char hex[65];
    for (size_t i = 0; i < a_count; i++)
        if (!has_key(b, b_count, &a[i])) {
            base_hex_encode(hex, a[i].b, 32);
            differ(l, kind, hex, "listed", "");
        }
    for (size_t i = 0; i < b_count; i++)
        if (!has_key(a, a_count, &b[i])) {
            base_hex_encode(hex, b[i].b, 32);
            differ(l, kind, hex, "", "listed");
        }
}

static void authority_text(char out[SIDE_TEXT], const chain_genesis *g, uint8_t role, const cr_public_key *key)
{
    *out = 0;
    for (size_t i = 0; i < g->authority_count; i++)
        if (g->authorities[i].role == role && memcmp(&g->authorities[i].key, key, sizeof *key) == 0)
            snprintf(out, SIDE_TEXT, "region %" PRIu32, g->authorities[i].scope);
}

/* Those of `of`; of b only those that a has not, so that each is named once. */
static void differ_authorities(differences *l, const chain_genesis *a, const chain_genesis *b, const chain_genesis *of)
{
    char left[SIDE_TEXT], right[SIDE_TEXT], hex[65];
    for (size_t i = 0; i < of->authority_count; i++) {
        const chain_authority *x = &of->authorities[i];
        authority_text(left, a, x->role, &x->key);
        authority_text(right, b, x->role, &x->key);
        base_hex_encode(hex, x->key.b, 32);
        if (of == a || !*left)
            differ(l, x->role == CHAIN_ROLE_PACKS ? "packs" : "releases", hex, left, right);
    }
}

static void allocation_text(char out[SIDE_TEXT], const chain_genesis *g, const cr_address *address)
{
    *out = 0;
    for (size_t i = 0; i < g->allocation_count; i++)
        if (cr_address_equal(&g->allocations[i].address, address))
            tb_amount_format(out, g->allocations[i].amount);
}

static void differ_allocations(differences *l, const chain_genesis *a, const chain_genesis *b, const chain_genesis *of)
{
    char left[SIDE_TEXT], right[SIDE_TEXT], address[CR_ADDRESS_TEXT_MAX];
    for (size_t i = 0; i < of->allocation_count; i++) {
        allocation_text(left, a, &of->allocations[i].address);
        allocation_text(right, b, &of->allocations[i].address);
        cr_address_encode(address, of->address_prefix.text, &of->allocations[i].address);
        if (of == a || !*left)
            differ(l, "allocation", address, left, right);
    }
}

static void compare(differences *l, const chain_genesis *a, const chain_genesis *b)
{
    char left[SIDE_TEXT], right[SIDE_TEXT];
    differ(l, "network", "chain_id", a->chain_id.text, b->chain_id.text);
    differ(l, "network", "address_prefix", a->address_prefix.text, b->address_prefix.text);
    for (unsigned i = 0; i < CHAIN_PARAM_COUNT; i++) {
        snprintf(left, sizeof left, "%" PRIu64, a->params.v[i]);
        snprintf(right, sizeof right, "%" PRIu64, b->params.v[i]);
        differ(l, "param", chain_param_rows[i].key, left, right);
    }
    for (unsigned i = 0; i < CHAIN_PARAM_COUNT; i++) {
        bound_text(left, a, (chain_param)i);
        bound_text(right, b, (chain_param)i);
        differ(l, "bound", chain_param_rows[i].key, left, right);
    }
    differ_keys(l, "producer", a->producers, a->producer_count, b->producers, b->producer_count);
    differ_keys(l, "issuer", a->issuers, a->issuer_count, b->issuers, b->issuer_count);
    differ_authorities(l, a, b, a);
    differ_authorities(l, a, b, b);
    differ_allocations(l, a, b, a);
    differ_allocations(l, a, b, b);
}

int cmd_genesis_diff(const tb_cli *cli)
{
    tb_genesis_doc a, b = { 0 };
    fault f = { 0 };
    const char *subject = cli->args[0];
    err e = tb_genesis_doc_init(&a, &f);
    if (e == OK)
        e = tb_genesis_doc_init(&b, &f);
    if (e == OK)
        e = tb_genesis_doc_read(&a, subject, &f);
    if (e == OK) {
        subject = cli->args[1];
        e = tb_genesis_doc_read(&b, subject, &f);
    }
    int code = 0;
    if (e != OK) {
        code = tb_report(cli, e, subject, &f);
    } else {
        differences l = { .list = json_array(), .print = !cli->json };
        compare(&l, &a.g, &b.g);
        code = json_array_size(l.list) ? err_describe(ERR_HASH)->exit_code : 0;
        if (cli->json)
            tb_print_json(json_pack("{s:s, s:b, s:O}", "schema", "tb-genesis-diff-1", "same", code == 0, "differences", l.list));
        else if (code == 0)
            puts("the same");
        json_decref(l.list);
    }
    tb_genesis_doc_deinit(&a);
    tb_genesis_doc_deinit(&b);
    return code;
}
