/* SPDX-License-Identifier: Apache-2.0
 *
 * A network of several validators, of which one speaks: audits end without a verdict, and begin again. And a machine that fails. */
#include "base/port/file.h"
#include "world_kit.h"

#include <unistd.h>

static void begin_among_four(world *w, uint32_t rate_ppm)
{
    odd.validators = 3;
    begin(w, rate_ppm, LIE_NONE);
    odd.validators = 0;
}

static unsigned votes(world *w)
{
    chain_row_audit row = audit_row(w);
    unsigned n = 0;
    for (size_t i = 0; i < 8; i++)
        n += (row.valid.b[0] | row.invalid.b[0]) >> i & 1;
    return n;
}

static void until_voted(world *w)
{
    for (unsigned looks = 0; votes(w) == 0; look_again(w))
        assert_true(looks++ < 20000);
}

/* Who has voted has nothing more to judge; the audit is ended all the same, after a restart, too. */
static void who_has_voted_closes(void **state)
{
    (void)state;
    for (int restarted = 0; restarted < 2; restarted++) {
        world w;
        begin_among_four(&w, 0);
        dispute(&w);
        show_all(&w);
        until_voted(&w);
        uint64_t before = balance(&w, DISPUTER);
        if (restarted)
            eng_arbiter_stop(w.arbiter);
        pass(&w, PUSH_WINDOW + VERDICT_WINDOW + 1);
        if (restarted)
            start_arbiter(&w);
        until(&w, CHAIN_AUDIT_CLOSED);
        assert_int_equal(balance(&w, DISPUTER), before + 500001);
        uint64_t ended = audit_row(&w).end_height;
        pass(&w, 3); /* nobody drew it: nobody opens it again but who wants to */
        nanosleep(&(struct timespec){ .tv_nsec = 500000000 }, NULL);
        look_again(&w);
        assert_int_equal(audit_row(&w).end_height, ended);
        assert_int_equal(votes(&w), 1);
        end(&w);
    }
}

/* What was drawn is opened again by the validators, as anew: shown again, and judged again; also below rows that are over for good. */
static void a_drawn_audit_is_opened_again(void **state)
{
    (void)state;
    world w;
    begin_among_four(&w, 1000000);
    show_all(&w);
    until_voted(&w);
    for (int again = 1; again < 3; again++) {
        uint64_t opened = audit_row(&w).open_height;
        pass(&w, PUSH_WINDOW + VERDICT_WINDOW + 1);
        for (unsigned looks = 0; audit_row(&w).open_height == opened; look_again(&w))
            assert_true(looks++ < 20000);
        assert_int_equal(audit_row(&w).status, CHAIN_AUDIT_OPEN);
        assert_int_equal(audit_row(&w).deposit, 0);
        assert_int_equal(votes(&w), 0);
        uint64_t have = 1;
        bool complete;
        for (unsigned looks = 0; ask(&w, WORKER, TR_SHOWN_PROOF, &have, &complete) != OK || have != 0; look_again(&w)) /* what was shown is gone */
            assert_true(looks++ < 20000);
        show_all(&w);
        until_voted(&w);
    }
    assert_int_equal(lease_status(&w), CHAIN_LEASE_PAID);
    end(&w);
}

/* What the validator's own disk did not take, the worker has not kept back: its time begins anew. */
static void what_could_not_be_taken_was_not_silence(void **state)
{
    (void)state;
    world w;
    uint64_t have;
    begin(&w, 1000000, LIE_NONE);
    wait_for_audit(&w);
    pass(&w, PUSH_WINDOW - 5);
    nanosleep(&(struct timespec){ .tv_nsec = 300000000 }, NULL);
    assert_int_equal(rmdir(w.inbox), 0);
    assert_int_equal(push_part(&w, WORKER, TR_SHOWN_MODEL, 0, 5, bytes_of("model", 5), &have), ERR_NOT_FOUND);
    pass(&w, 20);
    nanosleep(&(struct timespec){ .tv_nsec = 500000000 }, NULL); /* some looks */
    look_again(&w);
    assert_int_equal(audit_row(&w).status, CHAIN_AUDIT_OPEN);
    fault f;
    assert_int_equal(base_dir_make(w.inbox, &f), OK);
    show_all(&w);
    until(&w, CHAIN_AUDIT_VALID);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_has_voted_closes), cmocka_unit_test(a_drawn_audit_is_opened_again), cmocka_unit_test(what_could_not_be_taken_was_not_silence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
