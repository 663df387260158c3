/* SPDX-License-Identifier: Apache-2.0
 *
 * `tb audit replay`: recomputes every balance from the genesis and says what came out. */
#include "apps/amount.h"
#include "apps/genesis_local.h"
#include "apps/replay.h"

#include "base/port/file.h"
#include "rpc/json.h"

#include <inttypes.h>
#include <stdio.h>

typedef struct history {
    tb_home   home;
    tb_ledger ledger;
    buf       genesis;
    tb_replay replay;
    hash256   root; /* what the node says is the state after the last block of the replay */
} history;

/* The genesis is what the user trusts: a file, or the one of the data directory. */
static err read_genesis(history *h, const tb_cli *cli, fault *f)
{
    chain_name id;
    hash256 hash;
    if (*tb_text(cli, "genesis"))
        return base_file_read(&h->genesis, tb_text(cli, "genesis"), f);
    return tb_genesis_load(&h->genesis, &id, &hash, &h->home, f);
}

static err replay_all(history *h, const tb_cli *cli, fault *f)
{
    tb_ledger_options options = { .node = tb_text(cli, "node"), .token_file = tb_text(cli, "token-file") };
    TRY(cr_ed25519_self_test());
    TRY(tb_home_find(&h->home, cli, f));
    TRY(read_genesis(h, cli, f));
    TRY(tb_ledger_open(&h->ledger, &h->home, &options, f));
    h->root = h->ledger.state_root;
    TRY(tb_replay_start(&h->replay, &h->ledger, buf_bytes(&h->genesis), f));
    TRY(tb_replay_run(&h->replay, &h->ledger, h->ledger.height, f));
    return tb_replay_check(&h->replay, &h->root, f);
}

static const struct {
    const char *name, *label;
    size_t      offset;
} sums[] = {
    { "minted", "minted", offsetof(chain_row_supply, minted) },
    { "burned", "burned", offsetof(chain_row_supply, burned) },
    { "balances", "in accounts", offsetof(chain_row_supply, balances) },
    { "escrow", "in escrow", offsetof(chain_row_supply, escrow) },
    { "bonds", "in bonds", offsetof(chain_row_supply, bonds) },
    { "stakes", "at stake", offsetof(chain_row_supply, stakes) },
    { "treasury", "in the treasury", offsetof(chain_row_supply, treasury) },
    { "disbursing", "on its way out", offsetof(chain_row_supply, disbursing) },
    { "subsidy", "for subsidies", offsetof(chain_row_supply, subsidy) },
    { "awarded", "of them awarded", offsetof(chain_row_supply, awarded) },
};

static uint64_t sum_of(const chain_row_supply *s, size_t i)
{
    return *(const uint64_t *)(const void *)((const uint8_t *)s + sums[i].offset);
}

static void print_text(const history *h, const char *root)
{
    const chain *c = h->replay.chain;
    char amount[TB_AMOUNT_TEXT];
    printf("%" PRIu64 " blocks with %" PRIu64 " transactions (%" PRIu64 " failed) give the state that the node has\nstate root       %s\n", h->replay.height,
           h->replay.txs, h->replay.failed, root);
    printf("accounts         %zu\n", chain_row_count(c, CHAIN_TABLE_ACCOUNT));
    for (size_t i = 0; i < COUNT_OF(sums); i++) {
        tb_amount_format(amount, sum_of(chain_supply(c), i));
        printf("%-16s %s BLOCK\n", sums[i].label, amount);
    }
    printf("minted - burned = all that is held; every sum was made again from its rows\n");
}

static void print_result(const history *h, const tb_cli *cli)
{
    const chain *c = h->replay.chain;
    char root[65];
    base_hex_encode(root, chain_head(c)->state_root.b, 32);
    if (!cli->json) {
        print_text(h, root);
        return;
    }
    json_t *out = json_pack("{s:s, s:o, s:o, s:o, s:s, s:I}", "schema", "tb-audit-replay-1", "height", rpc_json_u64(h->replay.height), "txs",
                            rpc_json_u64(h->replay.txs), "failed", rpc_json_u64(h->replay.failed), "state_root", root, "accounts",
                            (json_int_t)chain_row_count(c, CHAIN_TABLE_ACCOUNT));
    for (size_t i = 0; i < COUNT_OF(sums); i++)
        json_object_set_new(out, sums[i].name, rpc_json_u64(sum_of(chain_supply(c), i)));
    tb_print_json(out);
}

int cmd_audit_replay(const tb_cli *cli)
{
    history h = { 0 };
    fault f = { 0 };
    char where[48] = "genesis";
    buf_init(&h.genesis, LIMIT_GENESIS_BYTES);
    err e = replay_all(&h, cli, &f);
    if (h.replay.chain)
        snprintf(where, sizeof where, h.replay.height < h.ledger.height ? "block %" PRIu64 : "after block %" PRIu64,
                 h.replay.height + (h.replay.height < h.ledger.height));
    if (e == OK)
        print_result(&h, cli);
    int code = e == OK ? 0 : tb_report(cli, e, where, &f);
    tb_replay_free(&h.replay);
    tb_ledger_close(&h.ledger);
    buf_deinit(&h.genesis);
    return code;
}
