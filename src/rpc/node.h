/* SPDX-License-Identifier: Apache-2.0
 *
 * The JSON-RPC methods of a node, over the solo engine: every row of schema/rpc.def. */
#ifndef RPC_NODE_H
#define RPC_NODE_H

#include "engine/solo.h"
#include "rpc/jsonrpc.h"
#include "rpc/live.h"
#include "rpc/metrics.h"

enum { RPC_NODE_METRICS = 16, RPC_NODE_WALK_ROWS = 1 << 17 };

typedef struct rpc_node {
    eng_solo       *engine; /* borrowed: closed after the server has stopped */
    const rpc_live *live;   /* a provider in this process, asked first; may be NULL */
    rpc_live_board *board;  /* takes live.report; NULL: the method is not offered */
    rpc_live        board_face;
    char            prefix[65];
    size_t          walk_rows; /* most rows that one call looks at; RPC_NODE_WALK_ROWS from init */
    rpc_dispatcher  dispatcher;
    rpc_metric      metrics[RPC_NODE_METRICS];
} rpc_node;

/* Fills in the rest of *n from engine, live and board. Give rpc_jsonrpc_route(&n->dispatcher) to a server. */
void rpc_node_init(rpc_node *n, eng_solo *engine, const rpc_live *live, rpc_live_board *board);

/* Lists height, pool and supply as metrics. The node must outlive the registry's readers. */
void rpc_node_list_metrics(rpc_node *n, rpc_metrics *registry);

#endif
