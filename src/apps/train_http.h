/* SPDX-License-Identifier: Apache-2.0
 *
 * The training network over HTTP: a coordinator behind a server of its own, and a worker's way to it. Workers connect outward only; a
 * request is authorised by the worker's signature, so the routes need no token. */
#ifndef APPS_TRAIN_HTTP_H
#define APPS_TRAIN_HTTP_H

#include "rpc/client.h"
#include "rpc/server.h"
#include "train/coordinator.h"
#include "train/wire.h"

typedef struct tb_train_server tb_train_server;

/* Serves `coordinator` (borrowed) on loopback TCP (port 0: the system picks one) and, if `socket` is not NULL, on a Unix socket. */
err      tb_train_server_start(tb_train_server **out, tr_coordinator *coordinator, const char *socket, uint16_t port, fault *f) MUST_USE;
void     tb_train_server_stop(tb_train_server *s); /* stop the coordinator before: handlers that wait return then. NULL is fine */
uint16_t tb_train_server_port(const tb_train_server *s);

/* A transport over a client (borrowed): one thread at a time. */
tr_transport tb_train_transport(rpc_client *client);

#endif
