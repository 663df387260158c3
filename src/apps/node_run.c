/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/node_run.h"

#include "apps/audit_http.h"
#include "apps/referee.h"

#include "rpc/node.h"
#include "train/dispute.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROUTES_MAX = 64 };

struct tb_node {
    eng_solo       *engine;
    rpc_live_board *board;
    rpc_server     *server;
    eng_arbiter    *arbiter;
    base_pool      *pool;
    rpc_metrics     metrics;
    rpc_node        node;
    char            endpoint[TB_PATH_MAX + 8];
};

static err load_tokens(rpc_token_hash hashes[2], const rpc_conf *conf, fault *f)
{
    static const struct { rpc_conf_key file; rpc_scope scope; } rows[2] = { { RPC_CONF_rpc_token_read, RPC_SCOPE_READ },
                                                                             { RPC_CONF_rpc_token_operate, RPC_SCOPE_OPERATE } };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char token[RPC_TOKEN_TEXT];
        TRY(rpc_token_ensure(token, conf->v[rows[i].file].text, f));
        hashes[i] = rpc_token_hash_of(token, rows[i].scope);
        cr_wipe(token, sizeof token);
    }
    return OK;
}

static err open_engine(tb_node *n, const tb_node_options *o, const rpc_conf *conf, eng_solo_report *report, fault *f)
{
    err e = base_pool_new(&n->pool, conf->v[RPC_CONF_node_threads].number);
    if (e != OK)
        return fail(f, e, "node.threads", conf->v[RPC_CONF_node_threads].number);
    eng_solo_options options = { .dir = conf->v[RPC_CONF_node_dir].text, .genesis = o->genesis, .producer = o->producer,
                                 .interval_ms = o->interval_ms ? o->interval_ms : conf->v[RPC_CONF_engine_interval_ms].number,
                                 .idle_ms = o->idle_ms ? o->idle_ms : conf->v[RPC_CONF_engine_idle_ms].number,
                                 .checkpoint_blocks = conf->v[RPC_CONF_engine_checkpoint_blocks].number, .pool = n->pool,
                                 .referee = tb_referee, .trace_leaf = tr_dispute_leaf };
    return eng_solo_open(&n->engine, &options, report, f);
}

static void on_audit(void *ctx, const eng_arbiter_event *e)
{
    static const char *const texts[] = { [ENG_ARBITER_OPENED] = "opened: it was drawn", [ENG_ARBITER_VERDICT] = "the proof verifies",
                                         [ENG_ARBITER_TROUBLE] = "trouble" };
    (void)ctx;
    if (e->code == OK)
        fprintf(stderr, "audit of lease %" PRIu64 ": %s\n", e->lease_id, texts[e->kind]);
    else
        fprintf(stderr, "audit of lease %" PRIu64 ": %s%s%s%s\n", e->lease_id, e->kind == ENG_ARBITER_VERDICT ? "" : "trouble: ",
                err_describe(e->code)->text, e->what ? ": " : "", e->what ? e->what : "");
}

static err start_arbiter(tb_node *n, const tb_node_options *o, const rpc_conf *conf, fault *f)
{
    char dir[TB_PATH_MAX];
    int len = snprintf(dir, sizeof dir, "%s/audits", conf->v[RPC_CONF_node_dir].text);
    if (len < 0 || len >= (int)sizeof dir)
        return fail(f, ERR_LIMIT, "path too long", sizeof dir);
    const eng_arbiter_options options = { .engine = n->engine, .dir = dir, .validator = o->producer, .pool = n->pool, .on_event = on_audit,
                                          .bytes_max = (uint64_t)conf->v[RPC_CONF_audit_room_mib].number << 20 };
    return eng_arbiter_start(&n->arbiter, &options, f);
}

static err start_server(tb_node *n, const tb_node_options *o, const rpc_conf *conf, fault *f)
{
    rpc_token_hash tokens[2];
    bool tcp = conf->v[RPC_CONF_rpc_tcp].number != 0;
    uint32_t port = conf->v[RPC_CONF_rpc_port].number;
    if (o->route_count >= ROUTES_MAX - TB_AUDIT_ROUTES)
        return fail(f, ERR_LIMIT, "routes", o->route_count);
    snprintf(n->endpoint, sizeof n->endpoint, "unix:%s", conf->v[RPC_CONF_rpc_socket].text);
    if (tcp)
        TRY(load_tokens(tokens, conf, f));
    rpc_route routes[ROUTES_MAX] = { rpc_jsonrpc_route(&n->node.dispatcher) };
    tb_audit_routes(routes + 1, n->arbiter);
    for (size_t i = 0; i < o->route_count; i++)
        routes[1 + TB_AUDIT_ROUTES + i] = o->routes[i];
    rpc_server_config config = { .socket_path = conf->v[RPC_CONF_rpc_socket].text, .tcp = tcp, .port = (uint16_t)port, .tokens = tokens,
                                 .token_count = tcp ? COUNT_OF(tokens) : 0, .routes = routes, .route_count = 1 + TB_AUDIT_ROUTES + o->route_count,
                                 .metrics = &n->metrics, .request_ms = conf->v[RPC_CONF_rpc_request_ms].number,
                                 .idle_ms = conf->v[RPC_CONF_rpc_idle_ms].number, .rate_per_s = conf->v[RPC_CONF_rpc_rate_per_s].number,
                                 .rate_burst = conf->v[RPC_CONF_rpc_rate_burst].number,
                                 .connections_max = conf->v[RPC_CONF_rpc_connections_max].number };
    return rpc_server_start(&n->server, &config, f);
}

err tb_node_start(tb_node **out, const tb_node_options *options, eng_solo_report *report, fault *f)
{
    tb_node *n = calloc(1, sizeof *n);
    if (!n)
        return fail(f, ERR_MEMORY, "node", sizeof *n);
    rpc_conf *own = NULL;
    const rpc_conf *conf = options->conf;
    err e = OK;
    if (!conf) {
        conf = own = malloc(sizeof *own);
        e = own ? OK : fail(f, ERR_MEMORY, "settings", 0);
        if (own)
            rpc_conf_init(own);
        if (e == OK)
            e = rpc_conf_resolve(own, options->home->dir, f);
    }
    if (e == OK)
        e = open_engine(n, options, conf, report, f);
    if (e == OK)
        e = start_arbiter(n, options, conf, f);
    if (e == OK && (e = rpc_live_board_new(&n->board)) != OK)
        e = fail(f, e, "node", 0);
    if (e == OK) {
        rpc_node_init(&n->node, n->engine, options->live, n->board);
        rpc_node_list_metrics(&n->node, &n->metrics);
        e = start_server(n, options, conf, f);
    }
    free(own);
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
    eng_arbiter_stop(n->arbiter);
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
