/* SPDX-License-Identifier: Apache-2.0
 *
 * Audits over HTTP (spec/audit.md "What is shown"): a validator's node takes in what workers and coordinators send. */
#ifndef APPS_AUDIT_HTTP_H
#define APPS_AUDIT_HTTP_H

#include "engine/arbiter.h"
#include "rpc/client.h"
#include "rpc/server.h"

enum { TB_AUDIT_ROUTES = 2 };

/* Routes of a node's server; `arbiter` is borrowed. */
void tb_audit_routes(rpc_route out[TB_AUDIT_ROUTES], eng_arbiter *arbiter);

/* The same from outside: one request. *complete only after a question (total 0). */
err tb_audit_call(rpc_client *client, const tr_push *p, uint64_t *have, bool *complete, fault *f) MUST_USE;

#endif
