/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/port/pool.h"

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

enum { ITEMS = 1000, THREADS = 7 };

typedef struct tally {
    atomic_uint  seen[ITEMS];
    atomic_uint  inside[THREADS]; /* bodies at work under each thread number */
    atomic_bool  clash;
    unsigned     threads;
} tally;

static void count_item(void *ctx, size_t item, unsigned thread)
{
    tally *t = ctx;
    if (thread >= t->threads || atomic_fetch_add(&t->inside[thread], 1) != 0)
        atomic_store(&t->clash, true);
    atomic_fetch_add(&t->seen[item], 1);
    if (thread < t->threads)
        atomic_fetch_sub(&t->inside[thread], 1);
}

static void check_loop(base_pool *pool, size_t n)
{
    static tally t;
    t = (tally){.threads = base_pool_threads(pool)};
    base_pool_for(pool, n, count_item, &t);
    assert_false(atomic_load(&t.clash));
    for (size_t i = 0; i < ITEMS; i++)
        assert_int_equal(atomic_load(&t.seen[i]), i < n ? 1 : 0);
}

static void loops_test(void **state)
{
    (void)state;
    static const unsigned threads[] = {1, 2, THREADS};
    check_loop(NULL, ITEMS);
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        base_pool *pool;
        assert_int_equal(base_pool_new(&pool, threads[i]), OK);
        assert_int_equal(base_pool_threads(pool), threads[i]);
        for (size_t n = 0; n <= ITEMS; n = n < 20 ? n + 1 : n * 3)
            for (int again = 0; again < 20; again++)
                check_loop(pool, n);
        check_loop(pool, ITEMS);
        base_pool_free(pool);
    }
}

typedef struct caller {
    base_pool  *pool;
    atomic_uint sum;
} caller;

static void add_item(void *ctx, size_t item, unsigned thread)
{
    (void)thread;
    atomic_fetch_add(&((caller *)ctx)->sum, (unsigned)item);
}

static void *call_often(void *arg)
{
    caller *c = arg;
    for (int i = 0; i < 200; i++)
        base_pool_for(c->pool, 10, add_item, c);
    return NULL;
}

/* Loops of several callers do not mix. */
static void callers_test(void **state)
{
    (void)state;
    base_pool *pool;
    pthread_t  ids[3];
    caller     callers[3] = {0};
    assert_int_equal(base_pool_new(&pool, 3), OK);
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        callers[i].pool = pool;
        assert_int_equal(pthread_create(&ids[i], NULL, call_often, &callers[i]), 0);
    }
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        assert_int_equal(pthread_join(ids[i], NULL), 0);
        assert_int_equal(atomic_load(&callers[i].sum), 200 * 45);
    }
    base_pool_free(pool);
}

/* Each item waits until every thread has one: it ends only if all threads really take part. */
static void meet_item(void *ctx, size_t item, unsigned thread)
{
    (void)item;
    (void)thread;
    atomic_uint *missing = ctx;
    atomic_fetch_sub(missing, 1);
    while (atomic_load(missing) > 0)
        sched_yield();
}

static void meet_test(void **state)
{
    (void)state;
    base_pool *pool;
    assert_int_equal(base_pool_new(&pool, THREADS), OK);
    for (int i = 0; i < 100; i++) {
        atomic_uint missing = THREADS;
        base_pool_for(pool, THREADS, meet_item, &missing);
        assert_int_equal(atomic_load(&missing), 0);
    }
    base_pool_free(pool);
}

static void edges_test(void **state)
{
    (void)state;
    base_pool *pool = NULL;
    assert_int_equal(base_pool_new(&pool, BASE_POOL_THREADS_MAX + 1), ERR_RANGE);
    assert_null(pool);
    assert_int_equal(base_pool_threads(NULL), 1);
    assert_int_equal(base_pool_new(&pool, 0), OK);
    assert_true(base_pool_threads(pool) >= 1);
    base_pool_free(pool);
    base_pool_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(loops_test), cmocka_unit_test(callers_test), cmocka_unit_test(meet_test),
                                       cmocka_unit_test(edges_test)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
