/* SPDX-License-Identifier: Apache-2.0
 *
 * A server in this process on both transports, with routes that show every kind of body, for the tests of server and client. */
#ifndef RPC_SERVER_TESTKIT_H
#define RPC_SERVER_TESTKIT_H

#include "rpc/client.h"
#include "rpc/jsonrpc.h"

#include <stdlib.h>

typedef struct kit {
    rpc_server *server;
    rpc_metrics metrics;
    rpc_metric  metric;
    char        folder[32], socket_path[64], endpoint_unix[80], endpoint_tcp[64];
    _Atomic unsigned streams_begun, streams_ended, waiting;
} kit;

#define KIT_READ    "read-token"
#define KIT_OPERATE "operate-token"

enum { KIT_BLOB_MAX = 4 << 20, KIT_REQUEST_MS = 800, KIT_IDLE_MS = 1600 };

/* Aborts if the server does not start. `rate` 0: the default. */
void kit_start(kit *k, uint32_t rate);
void kit_stop(kit *k);

/* Sends `request` as it is and gives back what comes until the server closes or `wait_ms` of silence pass; *closed says which.
 * `local`: over the Unix socket. The text is static. */
const char *kit_raw(kit *k, bool local, const char *request, unsigned wait_ms, bool *closed);

/* A connected socket. */
int kit_connect(const kit *k, bool local);

#endif
