/* SPDX-License-Identifier: Apache-2.0
 *
 * A pool of threads for data-parallel loops. The caller works too; between loops the workers sleep (no spinning). Items are
 * handed out dynamically, so a result is reproducible only if each item writes its own place, or merges by min, max or exact sum. */
#ifndef BASE_PORT_POOL_H
#define BASE_PORT_POOL_H

#include "base/err.h"

typedef struct base_pool base_pool;

/* The body of a loop. `thread` is in 0 .. base_pool_threads - 1; no two bodies run at once under the same number. */
typedef void base_pool_fn(void *ctx, size_t item, unsigned thread);

/* Starts `threads` - 1 workers; 0 means one thread per processor this process may use. Owned by the caller.
 * ERR_RANGE past BASE_POOL_THREADS_MAX, ERR_MEMORY, ERR_LIMIT if the system gives no more threads. */
err base_pool_new(base_pool **out, unsigned threads) MUST_USE;

/* Joins the workers. NULL is fine. No loop may be running. */
void base_pool_free(base_pool *pool);

/* Threads that take part in a loop, the caller included; 1 for NULL. */
unsigned base_pool_threads(const base_pool *pool);

/* Runs fn(ctx, i, thread) once for each i < n_items and returns when all are done. A NULL pool runs them in order on the
 * calling thread. Several threads may call it; their loops run one after the other. A body must not start a loop on its own pool. */
void base_pool_for(base_pool *pool, size_t n_items, base_pool_fn *fn, void *ctx);

enum { BASE_POOL_THREADS_MAX = 1024 };

#endif
