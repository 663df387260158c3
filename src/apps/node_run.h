/* SPDX-License-Identifier: Apache-2.0
 *
 * A node in this process: the solo engine over a data directory, and its RPC server on a Unix socket and, if asked for, on
 * loopback TCP. `tb node run` and `tb demo` use the same. Never fork with one running. */
#ifndef APPS_NODE_RUN_H
#define APPS_NODE_RUN_H

#include "apps/home.h"
#include "engine/solo.h"
#include "rpc/conf.h"
#include "rpc/live.h"
#include "rpc/server.h"

typedef struct tb_node tb_node;

typedef struct tb_node_options {
    const tb_home       *home;     /* made */
    bytes                genesis;
    const cr_secret_key *producer; /* copied */
    const rpc_conf      *conf;     /* resolved: folders, socket, port, bounds; NULL: the defaults for this home */
    uint32_t             interval_ms, idle_ms; /* 0: as in conf */
    const rpc_live      *live;     /* a provider in this process; may be NULL */
    const rpc_route     *routes;   /* more routes of the same server; may be NULL */
    size_t               route_count;
} tb_node_options;

/* Opens the ledger (recovering it), starts the server. `report` may be NULL. The codes of eng_solo_open and rpc_server_start. */
err tb_node_start(tb_node **out, const tb_node_options *options, eng_solo_report *report, fault *f) MUST_USE;

/* Stops the server, then the engine; frees. The error is that of the last checkpoint: nothing is lost by it. NULL is fine. */
err tb_node_stop(tb_node *n, fault *f) MUST_USE;

eng_solo   *tb_node_engine(tb_node *n);
const char *tb_node_endpoint(const tb_node *n); /* "unix:/..." */
uint16_t    tb_node_port(const tb_node *n);     /* 0 without TCP */

#endif
