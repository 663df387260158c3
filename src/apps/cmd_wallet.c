/* SPDX-License-Identifier: Apache-2.0
 *
 * `tb wallet`: keys, balances, payments. */
#include "apps/amount.h"
#include "apps/genesis_doc.h"
#include "apps/ledger.h"
#include "apps/wallet.h"

#include "econ/tariff.h"
#include "rpc/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static json_t *key_json(const tb_wallet_key *key, const char *prefix)
{
    char address[CR_ADDRESS_TEXT_MAX];
    cr_address_encode(address, prefix, &key->address);
    return json_pack("{s:s, s:s, s:o, s:b}", "name", key->name, "address", address, "public_key", rpc_json_hex(BYTES_OF(key->key)),
                     "dev", (int)key->dev_only);
}

static void print_key(const tb_cli *cli, const tb_home *home, const tb_wallet_key *key, const char *schema)
{
    char address[CR_ADDRESS_TEXT_MAX], hex[65], prefix[65];
    tb_home_prefix(prefix, home);
    if (cli->json) {
        json_t *o = key_json(key, prefix);
        json_object_set_new(o, "schema", json_string(schema));
        tb_print_json(o);
        return;
    }
    cr_address_encode(address, prefix, &key->address);
    base_hex_encode(hex, key->key.b, sizeof key->key.b);
    printf("%s%s\n  address     %s\n  public key  %s\n", key->name, key->dev_only ? " (development key)" : "", address, hex);
}

int cmd_wallet_new(const tb_cli *cli)
{
    tb_home home;
    tb_wallet_key key;
    tb_secret passphrase = { 0 };
    fault f = { 0 };
    const char *name = cli->args[0], *cost_name = tb_text(cli, "cost");
    bool dev = tb_flag(cli, "dev"), moderate = strcmp(cost_name, "moderate") == 0;
    if (!moderate && strcmp(cost_name, "interactive") != 0) {
        f.what = "cost: interactive or moderate";
        return tb_report(cli, ERR_USAGE, cost_name, &f);
    }
    err e = tb_wallet_name_check(name, &f);
    if (e == OK)
        e = tb_home_find(&home, cli, &f);
    if (e == OK)
        e = tb_home_make(&home, &f);
    if (e == OK && tb_wallet_find(&key, &home, name, NULL) != ERR_NOT_FOUND)
        e = fail(&f, ERR_EXISTS, "key", 0);
    if (e == OK && (!dev || tb_given(cli, "passphrase-fd")))
        e = tb_secret_get(&passphrase, cli, name, true, &f);
    if (e == OK && !dev && passphrase.len == 0)
        e = fail(&f, ERR_PASSPHRASE, "empty: only development keys may have none", 0);
    if (e == OK)
        e = tb_wallet_create(&key, &home, name, tb_secret_bytes(&passphrase),
                             dev ? CR_KEYSTORE_DEV : moderate ? CR_KEYSTORE_MODERATE : CR_KEYSTORE_INTERACTIVE, &f);
    tb_secret_wipe(&passphrase);
    if (e != OK)
        return tb_report(cli, e, name, &f);
    print_key(cli, &home, &key, "tb-key-1");
    return 0;
}

int cmd_wallet_list(const tb_cli *cli)
{
    tb_home home;
    tb_wallet_key *keys = NULL;
    size_t count = 0, damaged = 0;
    fault f = { 0 };
    err e = tb_home_find(&home, cli, &f);
    if (e == OK)
        e = tb_wallet_list(&keys, &count, &damaged, &home, &f);
    if (e != OK)
        return tb_report(cli, e, "keys", &f);
    json_t *list = json_array();
    char prefix[65];
    tb_home_prefix(prefix, &home);
    for (size_t i = 0; i < count; i++) {
        char address[CR_ADDRESS_TEXT_MAX];
        cr_address_encode(address, prefix, &keys[i].address);
        json_array_append_new(list, key_json(&keys[i], prefix));
        if (!cli->json)
            printf("%-20s %s%s\n", keys[i].name, address, keys[i].dev_only ? "  dev" : "");
    }
    if (damaged)
        fprintf(stderr, "tb: %zu key files cannot be read (tb doctor names them)\n", damaged);
    if (cli->json)
        tb_print_json(json_pack("{s:s, s:O, s:I}", "schema", "tb-keys-1", "keys", list, "damaged", (json_int_t)damaged));
    json_decref(list);
    free(keys);
    return 0;
}

static err find_key(tb_wallet_key *key, tb_home *home, const tb_cli *cli, fault *f)
{
    TRY(tb_home_find(home, cli, f));
    return tb_wallet_find(key, home, cli->args[0], f);
}

int cmd_wallet_show(const tb_cli *cli)
{
    tb_home home;
    tb_wallet_key key;
    fault f = { 0 };
    err e = find_key(&key, &home, cli, &f);
    if (e != OK)
        return tb_report(cli, e, cli->args[0], &f);
    print_key(cli, &home, &key, "tb-key-1");
    return 0;
}

int cmd_wallet_export_address(const tb_cli *cli)
{
    tb_home home;
    tb_wallet_key key;
    fault f = { 0 };
    char address[CR_ADDRESS_TEXT_MAX], prefix[65];
    err e = find_key(&key, &home, cli, &f);
    if (e != OK)
        return tb_report(cli, e, cli->args[0], &f);
    tb_home_prefix(prefix, &home);
    cr_address_encode(address, prefix, &key.address);
    if (cli->json)
        tb_print_json(json_pack("{s:s, s:s}", "schema", "tb-address-1", "address", address));
    else
        puts(address);
    return 0;
}

int cmd_wallet_unlock_check(const tb_cli *cli)
{
    tb_home home;
    tb_wallet_key key;
    cr_secret_key secret;
    fault f = { 0 };
    err e = tb_home_find(&home, cli, &f);
    if (e == OK)
        e = tb_wallet_unlock(&secret, &key, cli, &home, cli->args[0], NULL, &f);
    if (e != OK)
        return tb_report(cli, e, cli->args[0], &f);
    cr_wipe(&secret, sizeof secret);
    if (cli->json)
        tb_print_json(json_pack("{s:s, s:s, s:b}", "schema", "tb-unlock-1", "name", key.name, "unlocks", 1));
    else
        printf("%s: the passphrase opens it\n", key.name);
    return 0;
}

static tb_ledger_options node_options(const tb_cli *cli)
{
    return (tb_ledger_options){ .node = tb_text(cli, "node"), .token_file = tb_text(cli, "token-file") };
}

static err show_balance(const tb_cli *cli, tb_ledger *l, const cr_address *address, const char *name, json_t *list, fault *f)
{
    tb_account account;
    char text[CR_ADDRESS_TEXT_MAX], amount[TB_AMOUNT_TEXT];
    TRY(tb_ledger_account(l, &account, address, f));
    cr_address_encode(text, l->prefix, address);
    tb_amount_format(amount, account.balance);
    if (!cli->json)
        printf("%-14s %16s BLOCK  %s  %s\n", name, amount, account.kyc ? "kyc" : "   ", text);
    json_t *row = json_pack("{s:s, s:o, s:o, s:b}", "address", text, "balance_nblock", rpc_json_u64(account.balance), "nonce",
                            rpc_json_u64(account.nonce), "kyc", (int)account.kyc);
    if (*name)
        json_object_set_new(row, "name", json_string(name));
    json_array_append_new(list, row);
    return OK;
}

static err show_balances(const tb_cli *cli, const tb_home *home, tb_ledger *l, json_t *list, fault *f)
{
    if (cli->n_args) {
        cr_address address;
        TRY(tb_wallet_address(&address, home, l->prefix, cli->args[0], f));
        return show_balance(cli, l, &address, tb_wallet_name_check(cli->args[0], NULL) == OK ? cli->args[0] : "", list, f);
    }
    tb_wallet_key *keys = NULL;
    size_t count, damaged;
    TRY(tb_wallet_list(&keys, &count, &damaged, home, f));
    err e = OK;
    for (size_t i = 0; i < count && e == OK; i++)
        e = show_balance(cli, l, &keys[i].address, keys[i].name, list, f);
    free(keys);
    return e;
}

int cmd_wallet_balance(const tb_cli *cli)
{
    tb_home home;
    tb_ledger ledger = { 0 };
    fault f = { 0 };
    tb_ledger_options options = node_options(cli);
    json_t *list = json_array();
    err e = tb_home_find(&home, cli, &f);
    if (e == OK)
        e = tb_ledger_open(&ledger, &home, &options, &f);
    if (e == OK)
        e = show_balances(cli, &home, &ledger, list, &f);
    if (e == OK && cli->json)
        tb_print_json(json_pack("{s:s, s:s, s:o, s:O}", "schema", "tb-balances-1", "chain_id", ledger.chain_id.text, "height",
                                rpc_json_u64(ledger.height), "accounts", list));
    json_decref(list);
    tb_ledger_close(&ledger);
    return e == OK ? 0 : tb_report(cli, e, cli->n_args ? cli->args[0] : NULL, &f);
}

/* One payment from the words of the command line to its finality. */
typedef struct payment {
    const tb_cli *cli;
    tb_home       home;
    tb_ledger     ledger;
    tb_wallet_key from;
    tb_account    payer;
    chain_tx      tx;
    uint64_t      fee, tariff;
    char          to[CR_ADDRESS_TEXT_MAX];
} payment;

/* Everything that can be known before a signature. The fee is that of the signed bytes, so they are made with a key of no value. */
static err prepare(payment *p, fault *f)
{
    const tb_cli *cli = p->cli;
    tb_ledger_options options = node_options(cli);
    const char *from = tb_text(cli, "from"), *memo = tb_text(cli, "memo");
    if (!*from)
        return fail(f, ERR_USAGE, "--from is missing", 0);
    p->tx.type = CHAIN_TX_TRANSFER;
    p->tx.payload.transfer.memo = bytes_of_str(memo);
    TRY(tb_amount_parse(&p->tx.payload.transfer.amount, cli->args[1], f));
    TRY(tb_amount_parse(&p->tx.tip, tb_text(cli, "tip"), f));
    TRY(tb_home_find(&p->home, cli, f));
    TRY(tb_wallet_find(&p->from, &p->home, from, f));
    TRY(tb_ledger_open(&p->ledger, &p->home, &options, f));
    TRY(tb_wallet_address(&p->tx.payload.transfer.to, &p->home, p->ledger.prefix, cli->args[0], f));
    cr_address_encode(p->to, p->ledger.prefix, &p->tx.payload.transfer.to);
    TRY(tb_ledger_params(&p->ledger, f));
    TRY(tb_ledger_fill(&p->ledger, &p->tx, &p->from.key, 120, f));
    TRY(tb_ledger_account(&p->ledger, &p->payer, &p->from.address, f));
    if (!p->payer.kyc)
        TRY(econ_tariff_charge(&p->tariff, p->tx.payload.transfer.amount, p->ledger.tariff, f));

    uint8_t buffer[4096], seed[32] = { 0 };
    cr_secret_key nobody;
    chain_tx draft = p->tx;
    bytes raw;
    cr_ed25519_keypair(&nobody, &draft.sender, seed);
    TRY(tb_ledger_sign(&p->ledger, &draft, &raw, buffer, sizeof buffer, &nobody, NULL, f));
    p->fee = draft.fee_max;
    return OK;
}

static void show_payment(const payment *p)
{
    char amount[TB_AMOUNT_TEXT], fee[TB_AMOUNT_TEXT], tariff[TB_AMOUNT_TEXT], arrives[TB_AMOUNT_TEXT], left[TB_AMOUNT_TEXT];
    uint64_t sum = p->tx.payload.transfer.amount + p->fee;
    tb_amount_format(amount, p->tx.payload.transfer.amount);
    tb_amount_format(fee, p->fee);
    tb_amount_format(tariff, p->tariff);
    tb_amount_format(arrives, p->tx.payload.transfer.amount - p->tariff);
    tb_amount_format(left, p->payer.balance >= sum ? p->payer.balance - sum : 0);
    fprintf(stderr, "chain     %s\nfrom      %s\nto        %s\namount    %s BLOCK\n", p->ledger.chain_id.text, p->from.name, p->to, amount);
    fprintf(stderr, "tariff    %s BLOCK of it to the treasury (%s)\narrives   %s BLOCK\n", tariff,
            p->payer.kyc ? "none: the sender has KYC" : "the sender has no KYC", arrives);
    fprintf(stderr, "fee       %s BLOCK to the block's producer\nleft      %s BLOCK%s\n", fee, left,
            p->payer.balance < sum ? "  NOT ENOUGH" : "");
}

static json_t *payment_json(const payment *p)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "schema", "tb-send-1", "chain_id", p->ledger.chain_id.text, "from",
                     p->from.name, "to", p->to, "amount_nblock", rpc_json_u64(p->tx.payload.transfer.amount), "fee_nblock",
                     rpc_json_u64(p->fee), "tariff_nblock", rpc_json_u64(p->tariff), "arrives_nblock",
                     rpc_json_u64(p->tx.payload.transfer.amount - p->tariff));
}

static err sign_and_send(payment *p, tb_sent *sent, fault *f)
{
    cr_secret_key secret;
    uint8_t buffer[4096];
    hash256 id;
    bytes raw;
    TRY(tb_wallet_unlock(&secret, &p->from, p->cli, &p->home, tb_text(p->cli, "from"), &p->ledger.chain_id, f));
    err e = tb_ledger_sign(&p->ledger, &p->tx, &raw, buffer, sizeof buffer, &secret, &id, f);
    cr_wipe(&secret, sizeof secret);
    if (e != OK)
        return e;
    uint64_t wait = tb_flag(p->cli, "no-wait") ? 0 : tb_uint(p->cli, "wait");
    return tb_ledger_submit(&p->ledger, sent, raw, &id, wait > 86400 ? 86400000 : (uint32_t)wait * 1000, f);
}

static int show_sent(const payment *p, const tb_sent *sent)
{
    char id[65];
    bool waited = !tb_flag(p->cli, "no-wait");
    if (p->cli->json) {
        json_t *o = payment_json(p), *tx = tb_sent_json(sent);
        json_object_update(o, tx);
        json_decref(tx);
        tb_print_json(o);
    } else {
        base_hex_encode(id, sent->id.b, sizeof sent->id.b);
        printf("%s\n", id);
        if (sent->outcome == TB_SENT_DONE)
            fprintf(stderr, "in block %" PRIu64 ", final\n", sent->height);
        else if (sent->outcome == TB_SENT_UNKNOWN)
            fprintf(stderr, waited ? "tb: outcome unknown: no block in time; ask again with `tb wallet balance`, do not send twice\n"
                                   : "handed in, not waited for\n");
        else
            fprintf(stderr, "tb: %s: %s%s%s%s [%s]\n", sent->outcome == TB_SENT_FAILED ? "included but failed" : "rejected",
                    err_describe(sent->code)->text, *sent->what ? " (" : "", sent->what, *sent->what ? ")" : "",
                    err_describe(sent->code)->name);
    }
    return !waited && sent->outcome == TB_SENT_UNKNOWN ? 0 : tb_sent_exit_code(sent);
}

int cmd_wallet_send(const tb_cli *cli)
{
    payment p = { .cli = cli };
    tb_sent sent;
    fault f = { 0 };
    err e = cr_ed25519_self_test();
    if (e == OK)
        e = prepare(&p, &f);
    bool dry = tb_flag(cli, "dry-run");
    if (e == OK && !cli->json)
        show_payment(&p);
    if (e == OK && dry) {
        if (cli->json) {
            json_t *o = payment_json(&p);
            json_object_set_new(o, "outcome", json_string("not sent"));
            tb_print_json(o);
        }
        tb_ledger_close(&p.ledger);
        return 0;
    }
    if (e == OK)
        e = tb_consent(cli, "send it?", "not sent: no consent", &f);
    if (e == OK)
        e = sign_and_send(&p, &sent, &f);
    int code = e == OK ? show_sent(&p, &sent) : tb_report(cli, e, cli->args[0], &f);
    tb_ledger_close(&p.ledger);
    return code;
}
