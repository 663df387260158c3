/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "rpc/server_int.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    DEFAULT_REQUEST_MS = 5000, DEFAULT_IDLE_MS = 30000, DEFAULT_RATE = 2000, DEFAULT_CONNECTIONS = 64,
    FAILED_RATE = 10,          /* wrong tokens per second */
    WATCHDOG_MS = 50,
    SPARE = 32,                /* connections past the bound that are on their way out */
    THREAD_STACK = 1 << 20,
};

uint64_t rpc_clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint16_t rpc_server_port(const rpc_server *s)
{
    return s->port;
}

bool rpc_server_stopping(const rpc_server *s)
{
    return atomic_load(&s->stopping);
}

bool rpc_rate_take(rpc_server *s, rpc_credential who, uint32_t n)
{
    uint64_t rate = who == RPC_CRED_FAILED ? FAILED_RATE : s->config.rate_per_s;
    uint64_t full = 1000 * (who == RPC_CRED_FAILED ? (uint64_t)FAILED_RATE : s->config.rate_burst);
    uint64_t now = rpc_clock_ms();
    pthread_mutex_lock(&s->lock);
    rpc_bucket *b = &s->buckets[who];
    uint64_t passed = now > b->at_ms ? now - b->at_ms : 0;
    uint64_t milli = passed >= full / rate ? full : b->milli + passed * rate; /* rate per s = thousandths per ms */
    b->milli = milli > full ? full : milli;
    b->at_ms = now;
    bool enough = b->milli >= 1000 * (uint64_t)n;
    if (enough)
        b->milli -= 1000 * (uint64_t)n;
    pthread_mutex_unlock(&s->lock);
    return enough;
}

/* --- connections and the watchdog --------------------------------------------------------------------------------------- */

/* With the lock held. */
static void shut(rpc_conn *c)
{
    shutdown(c->fd, SHUT_RDWR); /* its thread wakes and closes */
    atomic_store(&c->deadline_ms, 0);
    c->listener->open -= !c->shut;
    c->shut = true;
    rpc_count(&c->listener->server->metrics[RPC_M_CUT_OFF], 1);
}

/* `fresh` is one too many: whoever does nothing for longest makes room, those who showed no token first, so that strangers' idle connections
 * keep nobody out. If everybody is at work, the fresh one goes. With the lock held. */
static void make_room(rpc_server *s, rpc_conn *fresh)
{
    rpc_conn *out = fresh;
    for (rpc_conn *c = s->connections; c; c = c->next) {
        if (c == fresh || c->listener != fresh->listener || c->shut || atomic_load(&c->busy))
            continue;
        bool known = atomic_load(&c->known), out_known = atomic_load(&out->known);
        bool older = atomic_load(&c->idle_from_ms) <= atomic_load(&out->idle_from_ms);
        if (out == fresh || known < out_known || (known == out_known && older))
            out = c;
    }
    shut(out);
}

static void on_connection(void *ctx, struct MHD_Connection *connection, void **state, enum MHD_ConnectionNotificationCode what)
{
    rpc_listener *listener = ctx;
    rpc_server *s = listener->server;
    rpc_conn *conn = *state;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        conn = calloc(1, sizeof *conn);
        if (!conn)
            return; /* the first request is then refused */
        *conn = (rpc_conn){ .listener = listener, .fd = info->connect_fd };
        atomic_store(&conn->idle_from_ms, rpc_clock_ms());
        atomic_store(&conn->deadline_ms, rpc_clock_ms() + s->config.request_ms);
        pthread_mutex_lock(&s->lock);
        conn->next = s->connections;
        if (conn->next)
            conn->next->previous = conn;
        s->connections = conn;
        if (++listener->open > s->config.connections_max)
            make_room(s, conn);
        pthread_mutex_unlock(&s->lock);
        rpc_count(&s->metrics[RPC_M_CONNECTIONS], 1);
        *state = conn;
    } else if (conn) {
        /* MHD closes the descriptor after this call: while a connection is on the list its descriptor is its own. */
        pthread_mutex_lock(&s->lock);
        listener->open -= !conn->shut;
        *(conn->previous ? &conn->previous->next : &s->connections) = conn->next;
        if (conn->next)
            conn->next->previous = conn->previous;
        pthread_mutex_unlock(&s->lock);
        free(conn);
        *state = NULL;
    }
}

static void *watch(void *ctx)
{
    rpc_server *s = ctx;
    pthread_mutex_lock(&s->lock);
    while (!atomic_load(&s->stopping)) {
        uint64_t now = rpc_clock_ms();
        for (rpc_conn *c = s->connections; c; c = c->next) {
            uint64_t deadline = atomic_load(&c->deadline_ms);
            if (deadline && deadline < now)
                shut(c);
        }
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += WATCHDOG_MS * 1000000;
        if (until.tv_nsec >= 1000000000) {
            until.tv_nsec -= 1000000000;
            until.tv_sec++;
        }
        pthread_cond_timedwait(&s->wake, &s->lock, &until);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* --- life --------------------------------------------------------------------------------------------------------------- */

static err start_daemon(rpc_listener *listener, rpc_server *s, int fd, bool local, fault *f)
{
    *listener = (rpc_listener){ .server = s, .local = local };
    unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_ITC;
    listener->daemon = MHD_start_daemon(flags, 0, NULL, NULL, rpc_on_request, listener,
                                        MHD_OPTION_LISTEN_SOCKET, (MHD_socket)fd,
                                        MHD_OPTION_CONNECTION_LIMIT, s->config.connections_max + SPARE,
                                        MHD_OPTION_CONNECTION_TIMEOUT, 0u, /* the watchdog's work */
                                        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)LIMIT_RPC_HEADER_BYTES,
                                        MHD_OPTION_THREAD_STACK_SIZE, (size_t)THREAD_STACK,
                                        MHD_OPTION_STRICT_FOR_CLIENT, 1,
                                        MHD_OPTION_URI_LOG_CALLBACK, rpc_on_line, listener,
                                        MHD_OPTION_NOTIFY_CONNECTION, on_connection, listener,
                                        MHD_OPTION_NOTIFY_COMPLETED, rpc_on_completed, listener, MHD_OPTION_END);
    return listener->daemon ? OK : fail(f, ERR_IO, local ? "http: unix listener" : "http: tcp listener", 0);
}

static err check_config(const rpc_server_config *c, fault *f)
{
    if (!c->socket_path && !c->tcp)
        return fail(f, ERR_USAGE, "http: neither socket nor port", 0);
    if (c->token_count > RPC_TOKENS_MAX)
        return fail(f, ERR_LIMIT, "http: tokens", c->token_count);
    if (c->route_count > LIMIT_RPC_ROUTES)
        return fail(f, ERR_LIMIT, "http: routes", c->route_count);
    if (c->connections_max > LIMIT_RPC_CONNECTIONS)
        return fail(f, ERR_LIMIT, "http: connections", c->connections_max);
    for (size_t i = 0; i < c->route_count; i++) {
        const rpc_route *r = &c->routes[i];
        if (r->path[0] != '/' || !r->handle || r->body_max > LIMIT_HTTP_BODY_BYTES || (r->end && !r->chunk))
            return fail(f, ERR_USAGE, "http: route", i);
    }
    return OK;
}

static err take_config(rpc_server *s, const rpc_server_config *config, fault *f)
{
    s->config = *config;
    rpc_server_config *c = &s->config;
    c->request_ms = c->request_ms ? c->request_ms : DEFAULT_REQUEST_MS;
    c->idle_ms = c->idle_ms ? c->idle_ms : DEFAULT_IDLE_MS;
    c->rate_per_s = c->rate_per_s ? c->rate_per_s : DEFAULT_RATE;
    c->rate_burst = c->rate_burst ? c->rate_burst : 2 * c->rate_per_s;
    c->connections_max = c->connections_max ? c->connections_max : DEFAULT_CONNECTIONS;
    if (c->token_count)
        memcpy(s->tokens, c->tokens, c->token_count * sizeof *c->tokens);
    s->routes = calloc(c->route_count + 1, sizeof *s->routes);
    s->socket_path = c->socket_path ? strdup(c->socket_path) : NULL;
    if (!s->routes || (c->socket_path && !s->socket_path))
        return fail(f, ERR_MEMORY, "http", 0);
    if (c->route_count)
        memcpy(s->routes, c->routes, c->route_count * sizeof *c->routes);
    s->route_count = c->route_count;
    return OK;
}

static void list_metrics(rpc_server *s)
{
    static const char requests[] = "HTTP requests that arrived";
    const rpc_metric all[RPC_M_COUNT] = {
        [RPC_M_REQUESTS_UNIX] = { .name = "tb_http_requests_total", .labels = "transport=\"unix\"", .help = requests },
        [RPC_M_REQUESTS_TCP] = { .name = "tb_http_requests_total", .labels = "transport=\"tcp\"", .help = requests },
        [RPC_M_REFUSED] = { .name = "tb_http_refused_total", .help = "HTTP requests refused before a handler ran" },
        [RPC_M_FAILED] = { .name = "tb_http_failed_total", .help = "HTTP requests whose handler gave an error" },
        [RPC_M_CUT_OFF] = { .name = "tb_http_cut_off_total", .help = "connections cut off because a client was too slow" },
        [RPC_M_BYTES_IN] = { .name = "tb_http_body_bytes_total", .help = "bytes of request bodies that arrived" },
        [RPC_M_CONNECTIONS] = { .name = "tb_http_connections_total", .help = "connections that were opened" },
    };
    memcpy(s->metrics, all, sizeof all);
    rpc_metrics_add(&s->own, s->metrics, RPC_M_COUNT);
}

err rpc_server_start(rpc_server **out, const rpc_server_config *config, fault *f)
{
    TRY(check_config(config, f));
    rpc_server *s = calloc(1, sizeof *s);
    if (!s)
        return fail(f, ERR_MEMORY, "http", 0);
    s->unix_fd = s->tcp_fd = -1;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    list_metrics(s);
    err e = take_config(s, config, f);
    if (e == OK && s->socket_path) {
        e = rpc_listen_unix(&s->unix_fd, s->socket_path, f);
        s->socket_bound = e == OK;
    }
    s->port = config->port;
    if (e == OK && config->tcp)
        e = rpc_listen_loopback(&s->tcp_fd, &s->port, f);
    if (!config->tcp)
        s->port = 0;
    if (e == OK && pthread_create(&s->watchdog, NULL, watch, s) != 0)
        e = fail(f, ERR_LIMIT, "http: watchdog thread", 0);
    else
        s->watchdog_runs = e == OK;
    if (e == OK && s->unix_fd >= 0)
        e = start_daemon(&s->unix_listener, s, s->unix_fd, true, f);
    if (e == OK && s->tcp_fd >= 0)
        e = start_daemon(&s->tcp_listener, s, s->tcp_fd, false, f);
    if (e != OK) {
        rpc_server_stop(s);
        return e;
    }
    *out = s;
    return OK;
}

/* The daemon closes its listening socket; one that never started leaves it to us. */
static void stop_daemon(rpc_listener *listener, int fd)
{
    if (listener->daemon)
        MHD_stop_daemon(listener->daemon);
    else if (fd >= 0)
        close(fd);
}

void rpc_server_stop(rpc_server *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    atomic_store(&s->stopping, true);
    pthread_cond_broadcast(&s->wake);
    pthread_mutex_unlock(&s->lock);
    if (s->socket_bound)
        unlink(s->socket_path);
    stop_daemon(&s->unix_listener, s->unix_fd);
    stop_daemon(&s->tcp_listener, s->tcp_fd);
    if (s->watchdog_runs)
        pthread_join(s->watchdog, NULL);
    pthread_cond_destroy(&s->wake);
    pthread_mutex_destroy(&s->lock);
    free(s->routes);
    free(s->socket_path);
    free(s);
}
