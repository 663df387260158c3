/* SPDX-License-Identifier: Apache-2.0
 *
 * `tb kyc`: an issuer's word about an account. */
#include "apps/ledger.h"
#include "apps/wallet.h"

#include <stdio.h>

typedef struct issuer {
    tb_home       home;
    tb_ledger     ledger;
    tb_wallet_key key;
    cr_secret_key secret;
    cr_address    subject;
} issuer;

static err issuer_open(issuer *i, const tb_cli *cli, fault *f)
{
    tb_ledger_options options = { .node = tb_text(cli, "node"), .token_file = tb_text(cli, "token-file") };
    TRY(cr_ed25519_self_test());
    TRY(tb_home_find(&i->home, cli, f));
    TRY(tb_wallet_find(&i->key, &i->home, tb_text(cli, "key"), f));
    TRY(tb_ledger_open(&i->ledger, &i->home, &options, f));
    TRY(tb_wallet_address(&i->subject, &i->home, i->ledger.prefix, cli->args[0], f));
    return tb_wallet_unlock(&i->secret, &i->key, cli, &i->home, tb_text(cli, "key"), &i->ledger.chain_id, f);
}

static int send(issuer *i, const tb_cli *cli, err e, chain_tx *tx, fault *f, const char *schema)
{
    tb_sent sent = { 0 };
    if (e == OK)
        e = tb_ledger_run(&i->ledger, &sent, tx, &i->secret, 0, f);
    cr_wipe(&i->secret, sizeof i->secret);
    tb_ledger_close(&i->ledger);
    return tb_sent_report(cli, e, &sent, f, schema);
}

int cmd_kyc_attest(const tb_cli *cli)
{
    issuer i = { 0 };
    chain_tx tx = { .type = CHAIN_TX_KYC_ATTEST };
    fault f = { 0 };
    uint64_t level = tb_uint(cli, "level"), jurisdiction = tb_uint(cli, "jurisdiction"), blocks = tb_uint(cli, "blocks");
    err e = level < 1 || level > 3 || jurisdiction > 999 || blocks > UINT32_MAX ? fail(&f, ERR_USAGE, "level, jurisdiction or blocks", level) : OK;
    if (e == OK)
        e = issuer_open(&i, cli, &f);
    if (e == OK) {
        tx.payload.kyc_attest = (chain_tx_kyc_attest){ .subject = i.subject, .level = (uint8_t)level, .jurisdiction = (uint32_t)jurisdiction,
                                                       .expiry_height = i.ledger.height + blocks };
        /* What the issuer keeps is its own business; a random commitment says nothing about anybody. */
        cr_random(tx.payload.kyc_attest.commitment.b, sizeof tx.payload.kyc_attest.commitment.b);
    }
    return send(&i, cli, e, &tx, &f, "tb-kyc-attest-1");
}

int cmd_kyc_revoke(const tb_cli *cli)
{
    issuer i = { 0 };
    chain_tx tx = { .type = CHAIN_TX_KYC_REVOKE };
    fault f = { 0 };
    err e = issuer_open(&i, cli, &f);
    if (e == OK)
        tx.payload.kyc_revoke.subject = i.subject;
    return send(&i, cli, e, &tx, &f, "tb-kyc-revoke-1");
}
