/* SPDX-License-Identifier: Apache-2.0
 *
 * `tb badge`: what an authority for releases says of a builder's work (spec/identity.md section 5). */
#include "apps/actor.h"

int cmd_badge_attest_release(const tb_cli *cli)
{
    tb_actor a = { .cli = cli };
    fault f = { 0 };
    chain_tx tx = { .type = CHAIN_TX_RELEASE_ATTEST };
    chain_tx_release_attest *t = &tx.payload.release_attest;
    t->grant = !tb_flag(cli, "take-back");
    err e = base_hex_decode(t->release.b, sizeof t->release.b, cli->args[1]) == OK ? OK : fail(&f, ERR_USAGE, "RELEASE: 64 hex digits", 0);
    if (e == OK)
        e = tb_actor_open(&a, cli, &f);
    if (e == OK)
        e = tb_actor_address(&a, &t->builder, cli->args[0], &f);
    return tb_actor_send(&a, e, &tx, &f, "tb-badge-attest-release-1");
}
