/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RPC_SERVER_INT_H
#define RPC_SERVER_INT_H

#include "rpc/server.h"

#include <microhttpd.h>
#include <pthread.h>

enum { RPC_TOKENS_MAX = 8 };

/* One open connection, on the server's list. The watchdog shuts the socket when the deadline has passed; 0: none, a handler
 * is at work. Where a listener has too many, the oldest that does nothing is shut, strangers first. */
typedef struct rpc_conn {
    struct rpc_listener *listener;
    struct rpc_conn     *next, *previous;
    int                  fd;
    _Atomic uint64_t     deadline_ms;
    _Atomic uint64_t     idle_from_ms; /* when it was opened, or answered last */
    atomic_bool          busy;         /* a request was admitted and is not answered yet */
    atomic_bool          known;        /* a request was admitted that needed a token, or went to a route of the server's own */
    bool                 shut;         /* under the server's lock: on its way out, not counted */
} rpc_conn;

typedef struct rpc_listener {
    rpc_server        *server;
    struct MHD_Daemon *daemon;
    bool               local;
    uint32_t           open; /* connections that are not shut; under the server's lock */
} rpc_listener;

typedef enum rpc_credential { RPC_CRED_FAILED, RPC_CRED_NONE, RPC_CRED_LOCAL, RPC_CRED_TOKEN, RPC_CRED_COUNT = RPC_CRED_TOKEN + 3 } rpc_credential;

/* Token bucket in thousandths of a request. */
typedef struct rpc_bucket {
    uint64_t milli;
    uint64_t at_ms;
} rpc_bucket;

typedef enum rpc_server_metric {
    RPC_M_REQUESTS_UNIX, RPC_M_REQUESTS_TCP, RPC_M_REFUSED, RPC_M_FAILED, RPC_M_CUT_OFF, RPC_M_BYTES_IN, RPC_M_CONNECTIONS,
    RPC_M_COUNT
} rpc_server_metric;

struct rpc_server {
    rpc_server_config config;
    rpc_token_hash    tokens[RPC_TOKENS_MAX];
    rpc_route        *routes;
    size_t            route_count;
    rpc_listener      unix_listener, tcp_listener;
    int               unix_fd, tcp_fd; /* until MHD owns them */
    uint16_t          port;
    char             *socket_path;
    bool              socket_bound;

    atomic_bool       stopping;
    pthread_mutex_t   lock; /* connections and their counts, buckets */
    pthread_cond_t    wake;
    pthread_t         watchdog;
    bool              watchdog_runs;
    rpc_conn         *connections;
    rpc_bucket        buckets[RPC_CRED_COUNT];

    rpc_metrics       own;
    rpc_metric        metrics[RPC_M_COUNT];
};

/* server_request.c */
enum MHD_Result rpc_on_request(void *listener, struct MHD_Connection *connection, const char *url, const char *method,
                               const char *version, const char *upload, size_t *upload_size, void **state);
void *rpc_on_line(void *listener, const char *uri, struct MHD_Connection *connection); /* a request line came */
void rpc_on_completed(void *listener, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode why);

/* server_socket.c: listening sockets; the caller closes them. */
err rpc_listen_unix(int *fd, const char *path, fault *f) MUST_USE;
err rpc_listen_loopback(int *fd, uint16_t *port, fault *f) MUST_USE;

/* False if the bucket of the credential does not hold n requests. */
bool rpc_rate_take(rpc_server *s, rpc_credential who, uint32_t n);

#endif
