/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/metrics.h"

#include <inttypes.h>

void rpc_metrics_add(rpc_metrics *registry, rpc_metric *metrics, size_t count)
{
    if (count == 0)
        return;
    for (size_t i = 0; i + 1 < count; i++)
        metrics[i].next = &metrics[i + 1];
    rpc_metric *first = atomic_load(&registry->first);
    do {
        metrics[count - 1].next = first;
    } while (!atomic_compare_exchange_weak(&registry->first, &first, metrics));
}

err rpc_metrics_write(const rpc_metrics *registry, buf *out)
{
    const char *previous = "";
    for (rpc_metric *m = atomic_load(&registry->first); m; m = m->next) {
        if (strcmp(previous, m->name) != 0)
            TRY(buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help, m->name,
                           m->kind == RPC_COUNTER ? "counter" : "gauge"));
        previous = m->name;
        uint64_t value = m->read ? m->read(m->ctx) : atomic_load_explicit(&m->value, memory_order_relaxed);
        TRY(m->labels ? buf_printf(out, "%s{%s} %" PRIu64 "\n", m->name, m->labels, value)
                      : buf_printf(out, "%s %" PRIu64 "\n", m->name, value));
    }
    return OK;
}
