/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* the set of processors this process may use */
#include "base/port/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

typedef struct worker {
    base_pool *pool;
    pthread_t  id;
    unsigned   thread;
} worker;

struct base_pool {
    pthread_mutex_t turn; /* held for a whole loop: callers queue here */
    pthread_mutex_t lock; /* guards everything below but `next` */
    pthread_cond_t  opened, drained;
    uint64_t        loop; /* counts loops, so that a worker joins each at most once */
    bool            open, quit;
    unsigned        active; /* workers inside the loop */
    base_pool_fn   *fn;
    void           *ctx;
    size_t          n_items;
    atomic_size_t   next;
    unsigned        threads;
    worker          workers[];
};

/* The pool whose loop body this thread runs: a nested loop would wait for itself. */
static _Thread_local const base_pool *inside;

static void take_items(base_pool *pool, unsigned thread)
{
    inside = pool;
    for (;;) {
        size_t item = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
        if (item >= pool->n_items)
            break;
        pool->fn(pool->ctx, item, thread);
    }
    inside = NULL;
}

static void *worker_main(void *arg)
{
    worker    *w = arg;
    base_pool *pool = w->pool;
    uint64_t   seen = 0;

    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (!pool->quit && (!pool->open || pool->loop == seen))
            pthread_cond_wait(&pool->opened, &pool->lock);
        if (pool->quit)
            break;
        seen = pool->loop;
        pool->active++;
        pthread_mutex_unlock(&pool->lock);
        take_items(pool, w->thread);
        pthread_mutex_lock(&pool->lock);
        if (--pool->active == 0)
            pthread_cond_signal(&pool->drained);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

static unsigned processors(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    int n = CPU_COUNT(&set);
    return n < 1 ? 1 : n > BASE_POOL_THREADS_MAX ? BASE_POOL_THREADS_MAX : (unsigned)n;
}

err base_pool_new(base_pool **out, unsigned threads)
{
    if (threads > BASE_POOL_THREADS_MAX)
        return ERR_RANGE;
    if (threads == 0)
        threads = processors();
    base_pool *pool = calloc(1, sizeof *pool + (threads - 1) * sizeof pool->workers[0]);
    if (!pool)
        return ERR_MEMORY;
    CHECK(pthread_mutex_init(&pool->turn, NULL) == 0);
    CHECK(pthread_mutex_init(&pool->lock, NULL) == 0);
    CHECK(pthread_cond_init(&pool->opened, NULL) == 0);
    CHECK(pthread_cond_init(&pool->drained, NULL) == 0);
    for (pool->threads = 1; pool->threads < threads; pool->threads++) {
        worker *w = &pool->workers[pool->threads - 1];
        w->pool = pool;
        w->thread = pool->threads;
        if (pthread_create(&w->id, NULL, worker_main, w) != 0) {
            base_pool_free(pool);
            return ERR_LIMIT;
        }
    }
    *out = pool;
    return OK;
}

void base_pool_free(base_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    CHECK(!pool->open);
    pool->quit = true;
    pthread_cond_broadcast(&pool->opened);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i + 1 < pool->threads; i++)
        CHECK(pthread_join(pool->workers[i].id, NULL) == 0);
    pthread_cond_destroy(&pool->drained);
    pthread_cond_destroy(&pool->opened);
    pthread_mutex_destroy(&pool->lock);
    pthread_mutex_destroy(&pool->turn);
    free(pool);
}

unsigned base_pool_threads(const base_pool *pool)
{
    return pool ? pool->threads : 1;
}

void base_pool_for(base_pool *pool, size_t n_items, base_pool_fn *fn, void *ctx)
{
    if (!pool) {
        for (size_t i = 0; i < n_items; i++)
            fn(ctx, i, 0);
        return;
    }
    CHECK(inside != pool);
    pthread_mutex_lock(&pool->turn);
    pool->fn = fn;
    pool->ctx = ctx;
    pool->n_items = n_items;
    atomic_store(&pool->next, 0);
    bool wake = n_items > 1 && pool->threads > 1;
    if (wake) {
        pthread_mutex_lock(&pool->lock);
        pool->open = true;
        pool->loop++;
        pthread_cond_broadcast(&pool->opened);
        pthread_mutex_unlock(&pool->lock);
    }
    take_items(pool, 0);
    if (wake) {
        /* Closing first means a worker that wakes late never joins: the loop waits for running bodies, not for sleepers. */
        pthread_mutex_lock(&pool->lock);
        pool->open = false;
        while (pool->active > 0)
            pthread_cond_wait(&pool->drained, &pool->lock);
        pthread_mutex_unlock(&pool->lock);
    }
    pthread_mutex_unlock(&pool->turn);
}
