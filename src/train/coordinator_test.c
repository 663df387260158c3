/* SPDX-License-Identifier: Apache-2.0
 *
 * What is compared is always the state id: it must not depend on who computed what, when, or how often. */
#include "train/net_kit.h"

#include <math.h>

static void any_number_of_workers_gives_the_same_state(void **state)
{
    (void)state;
    const struct { unsigned workers; uint32_t per_lease, split, sample_ppm, checkpoint_steps; } cases[] = {
        { 1, 8, 0, 250000, 1 }, { 2, 3, 2, 250000, 1 }, { 3, 1, 1, 100000, 3 }, { 3, 2, 0, 0, 2 },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        net n;
        seen seen_events;
        unsigned lives;
        dir_kit d = dir_kit_make();
        net_start(&n, cases[i].sample_ppm);
        setup_t s = { .net = &n, .dir = d.path, .sample_ppm = cases[i].sample_ppm, .per_lease = cases[i].per_lease, .split = cases[i].split,
                      .workers = cases[i].workers, .checkpoint_steps = cases[i].checkpoint_steps, .patience_ms = 60000 };
        hash256 id = run_job(&s, &seen_events, &lives), want = reference(&n.job, NULL);
        assert_memory_equal(id.b, want.b, 32);
        assert_all_paid(&n);
        assert_int_equal(atomic_load(&seen_events.caught), 0);
        assert_int_equal(n.slashes, 0);
        net_stop(&n);
        dir_kit_remove(&d);
    }
}

static void lost_answers_on_both_sides(void **state)
{
    (void)state;
    net n;
    seen seen_events;
    unsigned lives;
    dir_kit d = dir_kit_make();
    net_start(&n, 250000);
    n.fail_every = 2;
    setup_t s = { .net = &n, .dir = d.path, .sample_ppm = 250000, .per_lease = 2, .workers = 2, .lose_every = 7, .checkpoint_steps = 1,
                  .patience_ms = 60000 };
    hash256 id = run_job(&s, &seen_events, &lives), want = reference(&n.job, NULL);
    assert_memory_equal(id.b, want.b, 32);
    assert_all_paid(&n);
    net_stop(&n);
    dir_kit_remove(&d);
}

static void a_silent_worker_is_replaced(void **state)
{
    (void)state;
    net n;
    seen seen_events;
    unsigned lives;
    dir_kit d = dir_kit_make();
    net_start(&n, 250000);
    setup_t s = { .net = &n, .dir = d.path, .sample_ppm = 250000, .per_lease = 2, .workers = 2, .silent = true, .checkpoint_steps = 1,
                  .patience_ms = 60000 };
    hash256 id = run_job(&s, &seen_events, &lives), want = reference(&n.job, NULL);
    assert_memory_equal(id.b, want.b, 32);
    assert_true(atomic_load(&seen_events.events[TR_EVENT_REVOKED]) > 0);
    assert_all_paid(&n);
    net_stop(&n);
    dir_kit_remove(&d);
}

static void a_stopped_coordinator_goes_on_to_the_same_bits(void **state)
{
    (void)state;
    for (uint32_t every = 1; every <= 4; every++) {
        net n;
        seen seen_events;
        unsigned lives;
        dir_kit d = dir_kit_make();
        net_start(&n, 250000);
        setup_t s = { .net = &n, .dir = d.path, .sample_ppm = 250000, .per_lease = 1, .workers = 3, .checkpoint_steps = every,
                      .stop_after = 3, .lose_files = every % 2 == 0, .patience_ms = 60000 };
        hash256 id = run_job(&s, &seen_events, &lives), want = reference(&n.job, NULL);
        assert_memory_equal(id.b, want.b, 32);
        assert_true(lives > 2);
        assert_all_paid(&n);
        net_stop(&n);
        dir_kit_remove(&d);
    }
}

/* One job in which the last worker cheats: caught means slashed, unpaid and redone, and nobody else loses anything. */
static unsigned caught_in_a_job(tr_cheat cheat)
{
    net n;
    seen seen_events;
    unsigned lives;
    dir_kit d = dir_kit_make();
    net_start(&n, 250000);
    setup_t s = { .net = &n, .dir = d.path, .sample_ppm = 250000, .per_lease = 1, .workers = 3, .cheat = cheat, .checkpoint_steps = 1,
                  .patience_ms = 60000 };
    hash256 id = run_job(&s, &seen_events, &lives), want = reference(&n.job, NULL);
    const chain_row_worker *w = NULL;
    cr_address a = kit_address(FIRST_WORKER + 2);
    w = chain_worker(n.kit.c, &a);
    unsigned caught = atomic_load(&seen_events.caught);
    assert_int_equal(n.slashes, caught);
    assert_int_equal(w->leases_spoiled, n.slashes);
    for (unsigned honest = 0; honest < 2; honest++) {
        cr_address h = kit_address(FIRST_WORKER + honest);
        assert_int_equal(chain_worker(n.kit.c, &h)->leases_spoiled, 0);
    }
    assert_all_paid(&n);
    /* Until it is caught a cheat that was not drawn gets through: that is what a sample is, and what `refereed` says. */
    if (w->leases_paid == 0)
        assert_memory_equal(id.b, want.b, 32);
    net_stop(&n);
    dir_kit_remove(&d);
    return caught;
}

static void a_cheat_is_caught_unpaid_and_slashed(void **state)
{
    (void)state;
    unsigned caught = 0;
    for (uint64_t seed = 1; seed <= 4; seed++)
        caught += caught_in_a_job((tr_cheat){ seed, 1000000, 0, TR_SPOIL_NOTHING });
    assert_true(caught > 0);
}

/* What the referee can only decide with the lease's tokens, or with all positions of the lease. */
static void every_kind_of_cheat_is_slashed(void **state)
{
    (void)state;
    for (tr_spoil_kind kind = TR_SPOIL_INPUT; kind <= TR_SPOIL_LOSS; kind++) {
        unsigned caught = 0;
        for (uint64_t seed = 1; seed <= 8 && !caught; seed++)
            caught = caught_in_a_job((tr_cheat){ seed, 1000000, 0, kind });
        assert_int_equal(caught, 1);
    }
}

static bool spoiled(const seen *s, uint64_t lease)
{
    for (unsigned i = 0; i < s->spoiled_count && i < COUNT_OF(s->spoiled); i++)
        if (s->spoiled[i] == lease)
            return true;
    return false;
}

/* A cheat that was judged is caught with the probability of the sample. Which leases are spoiled and which are drawn comes from seeds. */
static void detection_matches_the_sample_rate(void **state)
{
    (void)state;
    unsigned caught = 0, cheats = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        net n;
        seen seen_events;
        unsigned lives, mine = 0;
        dir_kit d = dir_kit_make();
        net_start(&n, 250000);
        setup_t s = { .net = &n, .dir = d.path, .sample_ppm = 250000, .per_lease = 1, .workers = 2, .cheat = { .seed = seed, .rate_ppm = 500000 },
                      .checkpoint_steps = 1, .patience_ms = 60000 };
        run_job(&s, &seen_events, &lives);
        for (unsigned i = 0; i < seen_events.judged_count; i++)
            mine += spoiled(&seen_events, seen_events.judged[i]);
        cr_address honest = kit_address(FIRST_WORKER);
        assert_int_equal(chain_worker(n.kit.c, &honest)->leases_spoiled, 0);
        assert_true(mine >= seen_events.caught);
        assert_int_equal(n.slashes, seen_events.caught);
        cheats += mine;
        caught += seen_events.caught;
        net_stop(&n);
        dir_kit_remove(&d);
    }
    double want = 0.25 * cheats, sigma = sqrt(cheats * 0.25 * 0.75);
    print_message("%u of %u spoiled answers caught, %.1f expected, sigma %.1f\n", caught, cheats, want, sigma);
    assert_true(caught > 0 && fabs(caught - want) <= 3.5 * sigma);
}

/* Weights under which one rare symbol sends a query through the roof: a calibration that does not see the symbol chooses
 * fractions that do not hold it. */
static int32_t *extreme_weights(void)
{
    bt_state state;
    uint64_t n = num_parameter_count(&shape);
    int32_t *master = malloc(n * sizeof *master);
    assert_int_equal(bt_state_init(&state, &shape, 7, NULL), OK);
    memcpy(master, state.master, n * sizeof *master);
    bt_state_deinit(&state);
    num_tensor_info e = num_tensor_describe(&shape, 0), p = num_tensor_describe(&shape, 1);
    num_tensor_info q = num_tensor_describe(&shape, num_tensor_of_layer(0, NUM_W_Q));
    int rare = tr_dataset_token(&data, 'Z');
    assert_true(rare >= 0);
    for (uint64_t row = 0; row < e.rows; row++)
        master[e.offset + row * e.cols] = 0;
    for (uint64_t row = 0; row < p.rows; row++)
        master[p.offset + row * p.cols] = 0;
    for (uint64_t col = 0; col < e.cols; col++)
        master[e.offset + (uint64_t)rare * e.cols + col] = col ? 0 : 2000000000;
    for (uint64_t col = 0; col < q.cols; col++)
        master[q.offset + col] = 2000000000;
    return master;
}

static unsigned repetitions_of(const int32_t *master)
{
    net n;
    seen seen_events;
    unsigned lives;
    dir_kit d = dir_kit_make();
    net_start(&n, 250000);
    setup_t s = { .net = &n, .dir = d.path, .sample_ppm = 250000, .per_lease = 3, .workers = 2, .checkpoint_steps = 2, .master = master,
                  .patience_ms = 60000 };
    hash256 id = run_job(&s, &seen_events, &lives), want = reference(&n.job, master);
    assert_memory_equal(id.b, want.b, 32);
    assert_int_equal(seen_events.caught, 0);
    assert_all_paid(&n);
    net_stop(&n);
    dir_kit_remove(&d);
    return seen_events.events[TR_EVENT_RANGE];
}

static void range_is_paid_and_the_step_repeated(void **state)
{
    (void)state;
    int32_t *master = extreme_weights();
    unsigned repetitions = 0;
    /* Whether a calibration sees the symbol and a step does not is a matter of the job id. */
    for (net_salt = 0; net_salt < 12 && repetitions == 0; net_salt++)
        repetitions = repetitions_of(master);
    assert_true(repetitions > 0);
    net_salt = 0;
    free(master);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_number_of_workers_gives_the_same_state),
        cmocka_unit_test(lost_answers_on_both_sides),
        cmocka_unit_test(a_silent_worker_is_replaced),
        cmocka_unit_test(a_stopped_coordinator_goes_on_to_the_same_bits),
        cmocka_unit_test(a_cheat_is_caught_unpaid_and_slashed),
        cmocka_unit_test(every_kind_of_cheat_is_slashed),
        cmocka_unit_test(detection_matches_the_sample_rate),
        cmocka_unit_test(range_is_paid_and_the_step_repeated),
    };
    return cmocka_run_group_tests(tests, net_setup, net_teardown);
}
