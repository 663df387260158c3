/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/node_run.h"

#include "apps/referee.h"

#include "rpc/node.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROUTES_MAX = 64 };

struct tb_node {
    eng_solo       *engine;
    rpc_live_board *board;
    rpc_server     *server;
    base_pool      *pool;
    rpc_metrics     metrics;
    rpc_node        node;
    char            endpoint[TB_PATH_MAX + 8];
};

static err load_tokens(rpc_token_hash hashes[2], const tb_home *home, fault *f)
{
    static const struct { const char *file; rpc_scope scope; } rows[2] = { { "token.read", RPC_SCOPE_READ },
                                                                            { "token.operate", RPC_SCOPE_OPERATE } };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char path[TB_PATH_MAX], token[RPC_TOKEN_TEXT];
        TRY(tb_home_path(path, home, rows[i].file, f));
        TRY(rpc_token_ensure(token, path, f));
        hashes[i] = rpc_token_hash_of(token, rows[i].scope);
        cr_wipe(token, sizeof token);
    }
    return OK;
}

static err open_engine(tb_node *n, const tb_node_options *o, eng_solo_report *report, fault *f)
{
    char dir[TB_PATH_MAX];
    TRY(tb_home_path(dir, o->home, "chain", f));
    err e = base_pool_new(&n->pool, 0);
    if (e != OK)
        return fail(f, e, "threads", 0);
    eng_solo_options options = { .dir = dir, .genesis = o->genesis, .producer = o->producer, .interval_ms = o->interval_ms,
                                 .idle_ms = o->idle_ms, .pool = n->pool, .referee = tb_referee };
    return eng_solo_open(&n->engine, &options, report, f);
}

static err start_server(tb_node *n, const tb_node_options *o, fault *f)
{
    rpc_token_hash tokens[2];
    char socket[TB_PATH_MAX];
    if (o->route_count >= ROUTES_MAX)
        return fail(f, ERR_LIMIT, "routes", o->route_count);
    if (o->socket)
        snprintf(socket, sizeof socket, "%s", o->socket);
    else
        TRY(tb_home_path(socket, o->home, "run/rpc.sock", f));
    snprintf(n->endpoint, sizeof n->endpoint, "unix:%s", socket);
    if (o->tcp)
        TRY(load_tokens(tokens, o->home, f));
    rpc_route routes[ROUTES_MAX] = { rpc_jsonrpc_route(&n->node.dispatcher) };
    for (size_t i = 0; i < o->route_count; i++)
        routes[1 + i] = o->routes[i];
    rpc_server_config config = { .socket_path = socket, .tcp = o->tcp, .port = o->port, .tokens = tokens,
                                 .token_count = o->tcp ? COUNT_OF(tokens) : 0, .routes = routes, .route_count = 1 + o->route_count,
                                 .metrics = &n->metrics };
    return rpc_server_start(&n->server, &config, f);
}

err tb_node_start(tb_node **out, const tb_node_options *options, eng_solo_report *report, fault *f)
{
    tb_node *n = calloc(1, sizeof *n);
    if (!n)
        return fail(f, ERR_MEMORY, "node", sizeof *n);
    err e = open_engine(n, options, report, f);
    if (e == OK && (e = rpc_live_board_new(&n->board)) != OK)
        e = fail(f, e, "node", 0);
    if (e == OK) {
        rpc_node_init(&n->node, n->engine, options->live, n->board);
        rpc_node_list_metrics(&n->node, &n->metrics);
        e = start_server(n, options, f);
    }
    if (e == OK)
        *out = n;
    else
        (void)!tb_node_stop(n, NULL); /* the first error is the one to tell */
    return e;
}

err tb_node_stop(tb_node *n, fault *f)
{
    if (!n)
        return OK;
    rpc_server_stop(n->server);
    err e = eng_solo_close(n->engine, f);
    rpc_live_board_free(n->board);
    base_pool_free(n->pool);
    free(n);
    return e;
}

eng_solo *tb_node_engine(tb_node *n)
{
    return n->engine;
}

const char *tb_node_endpoint(const tb_node *n)
{
    return n->endpoint;
}

uint16_t tb_node_port(const tb_node *n)
{
    return rpc_server_port(n->server);
}
