/* SPDX-License-Identifier: Apache-2.0 */
#include "train/exec.h"

#include "train/gradient.h"
#include "train/job_kit.h"
#include "train/spoil.h"
#include "train/trace_root.h"

static job_kit k;

static int setup(void **state)
{
    (void)state;
    job_make(&k);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    job_drop(&k);
    return 0;
}

static void reset_trace(void *ctx)
{
    tr_trace_reset(ctx);
}

static void run(tr_exec *e, uint64_t from, uint64_t to, int64_t *gradient, int64_t *loss, hash256 *root, tr_spoil *spoil)
{
    uint64_t numbers[64];
    tr_trace t;
    bt_result result;
    for (uint64_t i = from; i < to; i++)
        numbers[i - from] = i;
    assert_int_equal(tr_trace_init(&t, &k.shape, (uint32_t)(to - from), numbers, NULL, NULL), OK);
    tr_task task = { &k.model, &k.data, k.job, 0, from, to };
    tr_observer see = { tr_trace_take, &t, reset_trace };
    if (spoil) {
        spoil->next = see;
        see = tr_spoil_observer(spoil);
    }
    assert_int_equal(tr_exec_run(e, &task, gradient, loss, &result, &see, NULL), OK);
    assert_false(result.range);
    assert_int_equal(tr_trace_root(&t, root, NULL), OK);
    if (spoil) {
        tr_spoil_gradient(spoil, gradient);
        tr_spoil_loss(spoil, loss);
    }
    tr_trace_deinit(&t);
}

static void split_and_threads_do_not_matter(void **state)
{
    (void)state;
    int64_t *a = malloc(k.elements * 8), *b = malloc(k.elements * 8), *sum = calloc(k.elements, 8), la, lb;
    hash256 ra, rb;
    run(&k.exec, 0, 8, a, &la, &ra, NULL);
    for (uint32_t split = 1; split <= 8; split = split * 2 + 1) {
        tr_exec e;
        assert_int_equal(tr_exec_init(&e, &k.shape, split, split, NULL), OK);
        run(&e, 0, 8, b, &lb, &rb, NULL);
        assert_memory_equal(a, b, k.elements * 8);
        assert_memory_equal(ra.b, rb.b, 32);
        assert_int_equal(la, lb);
        tr_exec_deinit(&e);
    }
    int64_t total = 0;
    for (uint64_t from = 0; from < 8; from += 3) {
        run(&k.exec, from, from + 3 < 8 ? from + 3 : 8, b, &lb, &rb, NULL);
        assert_int_equal(tr_gradient_add(sum, b, k.elements, NULL), OK);
        total += lb;
    }
    assert_memory_equal(a, sum, k.elements * 8);
    assert_int_equal(total, la);
    for (uint64_t i = 0; i < k.elements; i++)
        assert_true(a[i] < TR_GRADIENT_ABS_MAX && a[i] > -TR_GRADIENT_ABS_MAX);
    free(a), free(b), free(sum);
}

static void every_spoiled_element_shows(void **state)
{
    (void)state;
    int64_t *a = malloc(k.elements * 8), *b = malloc(k.elements * 8), la, lb;
    hash256 ra, rb, again;
    run(&k.exec, 4, 7, a, &la, &ra, NULL);
    size_t kinds[TR_SPOIL_LOSS + 1] = { 0 }, flowed = 0;
    for (uint8_t i = 0; i < 60; i++) {
        hash256 lease = { { i, 7 } };
        tr_spoil s;
        tr_spoil_choose(&s, &(tr_cheat){ 99, 1000000, 250000, i % 10 ? TR_SPOIL_NOTHING : i % 20 ? TR_SPOIL_INPUT : TR_SPOIL_EMBEDDING },
                        &k.shape, &lease, 4, 7);
        run(&k.exec, 4, 7, b, &lb, &rb, &s);
        bool trace = !hash256_equal(&ra, &rb), gradient = memcmp(a, b, k.elements * 8) != 0;
        assert_int_equal(trace, s.kind == TR_SPOIL_OPERATION || s.kind == TR_SPOIL_INPUT || s.kind == TR_SPOIL_TOKEN_LOSS);
        assert_true(trace || gradient || la != lb);
        kinds[s.kind]++;
        flowed += s.kind == TR_SPOIL_OPERATION && gradient;
        run(&k.exec, 4, 7, b, &lb, &again, &s); /* the cheat can be repeated: the worker opens what it committed to */
        assert_memory_equal(again.b, rb.b, 32);
    }
    assert_true(kinds[TR_SPOIL_OPERATION] > 25 && kinds[TR_SPOIL_GRADIENT] > 5 && flowed > 10 && kinds[TR_SPOIL_NOTHING] == 0);
    assert_true(kinds[TR_SPOIL_INPUT] == 3 && kinds[TR_SPOIL_EMBEDDING] == 3);
    size_t hits = 0;
    for (uint32_t i = 0; i < 20000; i++) {
        hash256 lease = { { 0 } };
        store_le32(lease.b, i);
        tr_spoil s;
        tr_spoil_choose(&s, &(tr_cheat){ .seed = 3, .rate_ppm = 50000 }, &k.shape, &lease, 0, 4);
        hits += s.kind != TR_SPOIL_NOTHING;
    }
    assert_in_range(hits, 880, 1120); /* 1000 expected, sigma 31 */
    free(a), free(b);
}

static void bad_ranges_are_refused(void **state)
{
    (void)state;
    int64_t *a = malloc(k.elements * 8), loss;
    bt_result result;
    fault f;
    tr_task task = { &k.model, &k.data, k.job, 0, 5, 5 };
    assert_int_equal(tr_exec_run(&k.exec, &task, a, &loss, &result, NULL, &f), ERR_RANGE);
    task.to = 5 + LIMIT_LEASE_SEQUENCES + 1;
    assert_int_equal(tr_exec_run(&k.exec, &task, a, &loss, &result, NULL, &f), ERR_LIMIT);
    int64_t valid;
    assert_int_equal(tr_exec_validate(&k.exec, &k.model, &k.data, 0, 8, &valid, &f), OK);
    double nats = (double)valid / 65536 / (8 * 16) * 0.69314718;
    assert_true(nats > 2.5 && nats < 4.5); /* near log(vocabulary) before training */
    free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(split_and_threads_do_not_matter),
                                        cmocka_unit_test(every_spoiled_element_shows), cmocka_unit_test(bad_ranges_are_refused) };
    return cmocka_run_group_tests(tests, setup, teardown);
}
