/* SPDX-License-Identifier: Apache-2.0
 *
 * A small registry of counters and gauges, printed in the Prometheus text format (version 0.0.4). Metrics belong to whoever
 * counts; the registry only lists them. Counting is one relaxed atomic add, from any thread. */
#ifndef RPC_METRICS_H
#define RPC_METRICS_H

#include "base/buf.h"

#include <stdatomic.h>

typedef enum rpc_metric_kind { RPC_COUNTER, RPC_GAUGE } rpc_metric_kind;

typedef struct rpc_metric {
    const char      *name;   /* "tb_rpc_requests_total" */
    const char      *labels; /* "transport=\"unix\"", or NULL */
    const char      *help;   /* one line; metrics of one name stand together and share it */
    rpc_metric_kind  kind;
    uint64_t       (*read)(void *ctx); /* NULL: `value` */
    void            *ctx;
    _Atomic uint64_t value;
    struct rpc_metric *next; /* the registry's */
} rpc_metric;

typedef struct rpc_metrics {
    _Atomic(rpc_metric *) first;
} rpc_metrics;

static inline void rpc_count(rpc_metric *m, uint64_t n)
{
    atomic_fetch_add_explicit(&m->value, n, memory_order_relaxed);
}

static inline void rpc_gauge_set(rpc_metric *m, uint64_t v)
{
    atomic_store_explicit(&m->value, v, memory_order_relaxed);
}

/* Lists `count` metrics of an array, in its order. They must outlive the registry, and are never taken out. */
void rpc_metrics_add(rpc_metrics *registry, rpc_metric *metrics, size_t count);

err rpc_metrics_write(const rpc_metrics *registry, buf *out) MUST_USE;

#endif
