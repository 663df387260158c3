/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/node_int.h"

void rpc_node_init(rpc_node *n, eng_solo *engine, const rpc_live *live, rpc_live_board *board)
{
    *n = (rpc_node){ .engine = engine, .walk_rows = RPC_NODE_WALK_ROWS, .live = live, .board = board };
    const chain *c = eng_solo_read_begin(engine);
    memcpy(n->prefix, chain_address_prefix(c)->text, sizeof n->prefix);
    eng_solo_read_end(engine);
    if (board)
        n->board_face = rpc_live_of_board(board, "reported");
    n->dispatcher = (rpc_dispatcher){
        .ctx = n, .address_prefix = n->prefix, .title = "The Block node",
        .fn = {
            [RPC_METHOD_DISCOVER] = rpc_discover,
            [RPC_METHOD_CHAIN_STATUS] = rpc_chain_status,
            [RPC_METHOD_CHAIN_BLOCK] = rpc_chain_block,
            [RPC_METHOD_CHAIN_EVENTS] = rpc_chain_events,
            [RPC_METHOD_ACCOUNT_GET] = rpc_account_get,
            [RPC_METHOD_TX_SUBMIT] = rpc_tx_submit,
            [RPC_METHOD_TX_GET] = rpc_tx_get,
            [RPC_METHOD_SUPPLY_GET] = rpc_supply_get,
            [RPC_METHOD_PARAMS_LIST] = rpc_params_list,
            [RPC_METHOD_ECON_GET] = rpc_econ_get,
            [RPC_METHOD_ECON_EPOCH] = rpc_econ_epoch,
            [RPC_METHOD_ECON_PROVIDER] = rpc_econ_provider,
            [RPC_METHOD_ECON_STANDBY] = rpc_econ_standby,
            [RPC_METHOD_GOV_LIST] = rpc_gov_list,
            [RPC_METHOD_GOV_GET] = rpc_gov_get,
            [RPC_METHOD_GOV_POWER] = rpc_gov_power,
            [RPC_METHOD_GOV_PARAMS] = rpc_gov_params,
            [RPC_METHOD_GOV_LOG] = rpc_gov_log,
            [RPC_METHOD_WORKER_LIST] = rpc_worker_list,
            [RPC_METHOD_WORKER_GET] = rpc_worker_get,
            [RPC_METHOD_JOB_LIST] = rpc_job_list,
            [RPC_METHOD_JOB_GET] = rpc_job_get,
            [RPC_METHOD_JOB_RECEIPTS] = rpc_job_receipts,
            [RPC_METHOD_AUDIT_LIST] = rpc_audit_list,
            [RPC_METHOD_AUDIT_GET] = rpc_audit_get,
            [RPC_METHOD_AUDIT_STATES] = rpc_audit_states,
            [RPC_METHOD_PROOF_GET] = rpc_proof_get,
            [RPC_METHOD_GENESIS_GET] = rpc_genesis_get,
            [RPC_METHOD_WORKER_STATUS] = rpc_worker_status,
            [RPC_METHOD_JOB_PROGRESS] = rpc_job_progress,
            [RPC_METHOD_THROUGHPUT_HISTORY] = rpc_throughput_history,
            [RPC_METHOD_VERIFICATION_STATUS] = rpc_verification_status,
            [RPC_METHOD_LIVE_REPORT] = board ? rpc_live_report : NULL,
        },
    };
}

/* --- metrics ------------------------------------------------------------------------------------------------------------ */

static uint64_t read_height(void *ctx)
{
    rpc_node *n = ctx;
    uint64_t height = chain_head(eng_solo_read_begin(n->engine))->height;
    eng_solo_read_end(n->engine);
    return height;
}

#define READ_SUPPLY(field)                                                             \
    static uint64_t read_##field(void *ctx)                                            \
    {                                                                                  \
        rpc_node *n = ctx;                                                             \
        uint64_t v = chain_supply(eng_solo_read_begin(n->engine))->field;              \
        eng_solo_read_end(n->engine);                                                  \
        return v;                                                                      \
    }
READ_SUPPLY(minted)
READ_SUPPLY(burned)
READ_SUPPLY(balances)
READ_SUPPLY(escrow)
READ_SUPPLY(bonds)
READ_SUPPLY(treasury)
READ_SUPPLY(subsidy)
READ_SUPPLY(awarded)
READ_SUPPLY(disbursing)
READ_SUPPLY(stakes)
#undef READ_SUPPLY

#define READ_STATUS(field)                                                             \
    static uint64_t read_##field(void *ctx)                                            \
    {                                                                                  \
        rpc_node *n = ctx;                                                             \
        eng_solo_status status;                                                        \
        eng_solo_status_get(n->engine, &status);                                       \
        return (uint64_t)status.field;                                                 \
    }
READ_STATUS(waiting_txs)
READ_STATUS(waiting_bytes)
READ_STATUS(events_next)
READ_STATUS(checkpoint_height)
READ_STATUS(halted)
#undef READ_STATUS

void rpc_node_list_metrics(rpc_node *n, rpc_metrics *registry)
{
    static const char supply[] = "parts of the supply record, in nBLOCK";
    const rpc_metric all[RPC_NODE_METRICS] = {
        { .name = "tb_chain_height", .help = "newest committed block", .read = read_height },
        { .name = "tb_chain_checkpoint_height", .help = "block of the newest checkpoint", .read = read_checkpoint_height },
        { .name = "tb_chain_halted", .help = "1 if no block can be made until the node is restarted", .read = read_halted },
        { .name = "tb_mempool_txs", .help = "transactions that wait for a block", .read = read_waiting_txs },
        { .name = "tb_mempool_bytes", .help = "bytes of transactions that wait for a block", .read = read_waiting_bytes },
        { .name = "tb_events_next", .help = "sequence number of the next block's first event", .read = read_events_next },
        { .name = "tb_supply_nblock", .labels = "part=\"minted\"", .help = supply, .read = read_minted },
        { .name = "tb_supply_nblock", .labels = "part=\"burned\"", .help = supply, .read = read_burned },
        { .name = "tb_supply_nblock", .labels = "part=\"balances\"", .help = supply, .read = read_balances },
        { .name = "tb_supply_nblock", .labels = "part=\"escrow\"", .help = supply, .read = read_escrow },
        { .name = "tb_supply_nblock", .labels = "part=\"bonds\"", .help = supply, .read = read_bonds },
        { .name = "tb_supply_nblock", .labels = "part=\"treasury\"", .help = supply, .read = read_treasury },
        { .name = "tb_supply_nblock", .labels = "part=\"subsidy\"", .help = supply, .read = read_subsidy },
        { .name = "tb_supply_nblock", .labels = "part=\"awarded\"", .help = supply, .read = read_awarded },
        { .name = "tb_supply_nblock", .labels = "part=\"disbursing\"", .help = supply, .read = read_disbursing },
        { .name = "tb_supply_nblock", .labels = "part=\"stakes\"", .help = supply, .read = read_stakes },
    };
    for (size_t i = 0; i < RPC_NODE_METRICS; i++) {
        n->metrics[i] = all[i];
        n->metrics[i].kind = RPC_GAUGE;
        n->metrics[i].ctx = n;
    }
    rpc_metrics_add(registry, n->metrics, RPC_NODE_METRICS);
}
