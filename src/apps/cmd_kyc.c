/* SPDX-License-Identifier: Apache-2.0
 *
 * `tb kyc`: an issuer's word about an account. */
#include "apps/actor.h"

int cmd_kyc_attest(const tb_cli *cli)
{
    tb_actor a = { .cli = cli };
    chain_tx tx = { .type = CHAIN_TX_KYC_ATTEST };
    cr_address subject;
    fault f = { 0 };
    uint64_t level = tb_uint(cli, "level"), jurisdiction = tb_uint(cli, "jurisdiction"), blocks = tb_uint(cli, "blocks");
    err e = level < 1 || level > 3 || jurisdiction > 999 || blocks > UINT32_MAX ? fail(&f, ERR_USAGE, "level, jurisdiction or blocks", level) : OK;
    if (e == OK)
        e = tb_actor_open(&a, cli, &f);
    if (e == OK)
        e = tb_actor_address(&a, &subject, cli->args[0], &f);
    if (e == OK) {
        tx.payload.kyc_attest = (chain_tx_kyc_attest){ .subject = subject, .level = (uint8_t)level, .jurisdiction = (uint32_t)jurisdiction,
                                                       .expiry_height = a.ledger.height + blocks };
        /* What the issuer keeps is its own business; a random commitment says nothing about anybody. */
        cr_random(tx.payload.kyc_attest.commitment.b, sizeof tx.payload.kyc_attest.commitment.b);
    }
    return tb_actor_send(&a, e, &tx, &f, "tb-kyc-attest-1");
}

int cmd_kyc_revoke(const tb_cli *cli)
{
    tb_actor a = { .cli = cli };
    chain_tx tx = { .type = CHAIN_TX_KYC_REVOKE };
    fault f = { 0 };
    err e = tb_actor_open(&a, cli, &f);
    if (e == OK)
        e = tb_actor_address(&a, &tx.payload.kyc_revoke.subject, cli->args[0], &f);
    return tb_actor_send(&a, e, &tx, &f, "tb-kyc-revoke-1");
}
