/* SPDX-License-Identifier: Apache-2.0 */
#include "train/leases.h"

#include "base/int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static uint64_t mix(uint64_t *s)
{
    uint64_t z = (*s += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static const tr_terms plain = { .worker = 1, .capacity = 8, .price = 100, .price_sequences = 10, .deadline_ms = 1000,
                                .expiry_height = 50 };

static void one_lease_through_its_life(void **state)
{
    (void)state;
    tr_book b;
    fault f;
    const tr_lease_entry *e;
    hash256 h = { { 9 } };
    assert_int_equal(tr_book_init(&b, 100, 120, 8, 7, 250, &f), OK);
    assert_int_equal(b.slot_count, 3);
    assert_int_equal(b.slots[2].from, 116);
    assert_int_equal(b.slots[2].to, 120);
    assert_int_equal(tr_book_lease(&b, &e, &plain, &f), OK);
    assert_int_equal(e->id, 7);
    assert_int_equal(e->price, 80);
    assert_int_equal(b.outstanding, 80);
    assert_int_equal(tr_book_accept(&b, 7, &f), ERR_STATE);
    assert_int_equal(tr_book_paid(&b, 7, &f), ERR_STATE);
    assert_int_equal(tr_book_submit(&b, 7, &h, 50, &f), OK);
    assert_int_equal(tr_book_submit(&b, 7, &h, 50, &f), ERR_DUPLICATE);
    assert_int_equal(tr_book_submit(&b, 8, &h, 50, &f), ERR_NOT_FOUND);
    assert_int_equal(tr_book_accept(&b, 7, &f), OK);
    assert_int_equal(tr_book_accept(&b, 7, &f), ERR_STATE);
    assert_int_equal(tr_book_paid(&b, 7, &f), OK);
    assert_int_equal(tr_book_paid(&b, 7, &f), ERR_STATE);
    assert_int_equal(b.escrow, 170);
    assert_int_equal(b.outstanding, 0);
    tr_book_deinit(&b);
}

static void late_lost_and_superseded(void **state)
{
    (void)state;
    tr_book b;
    fault f;
    const tr_lease_entry *a, *c;
    hash256 h = { { 9 } };
    tr_terms second = plain;
    second.worker = 2, second.price = 110, second.deadline_ms = 9000;
    assert_int_equal(tr_book_init(&b, 0, 8, 8, 1, 90, &f), OK);
    assert_int_equal(tr_book_lease(&b, &a, &plain, &f), OK);
    assert_int_equal(tr_book_lease(&b, &c, &second, &f), ERR_BUSY);
    assert_int_equal(tr_book_expire(&b, 1000, 50), 0);
    assert_int_equal(tr_book_expire(&b, 1001, 50), 1);
    assert_int_equal(tr_book_lease(&b, &c, &second, &f), OK);
    assert_int_equal(b.outstanding, 88); /* one slot is paid once: the dearer lease counts */
    /* The late answer comes first and counts; the second worker is too late until the first is rejected. */
    assert_int_equal(tr_book_submit(&b, a->id, &h, 50, &f), OK);
    assert_int_equal(tr_book_submit(&b, c->id, &h, 50, &f), ERR_STALE);
    assert_int_equal(tr_book_reject(&b, a->id, &f), OK);
    assert_int_equal(tr_book_submit(&b, a->id, &h, 50, &f), ERR_STATE);
    assert_int_equal(tr_book_submit(&b, c->id, &h, 51, &f), ERR_EXPIRED);
    assert_int_equal(tr_book_submit(&b, c->id, &h, 50, &f), OK);
    assert_int_equal(tr_book_accept(&b, c->id, &f), OK);
    assert_int_equal(tr_book_paid(&b, c->id, &f), OK);
    assert_int_equal(b.escrow, 2);
    tr_book_deinit(&b);
}

/* A wrong answer whose range nobody else may have; and an accepted one that is looked at again. */
static void own_and_reopened(void **state)
{
    (void)state;
    tr_book b;
    fault f;
    hash256 h = { { 4 } };
    const tr_lease_entry *a, *c;
    assert_int_equal(tr_book_init(&b, 0, 16, 8, 1, 200, &f), OK);
    assert_int_equal(tr_book_lease(&b, &a, &plain, &f), OK);
    assert_int_equal(tr_book_own(&b, a->id, &f), ERR_STATE); /* not answered */
    assert_int_equal(tr_book_reopen(&b, a->id, &f), ERR_STATE);
    assert_int_equal(tr_book_submit(&b, a->id, &h, 50, &f), OK);
    assert_int_equal(tr_book_reopen(&b, a->id, &f), ERR_STATE); /* not accepted */
    assert_int_equal(tr_book_accept(&b, a->id, &f), OK);
    assert_int_equal(tr_book_reopen(&b, a->id, &f), OK);
    assert_int_equal(tr_book_paid(&b, a->id, &f), ERR_STATE);
    assert_int_equal(tr_book_count(&b, TR_SLOT_SUBMITTED), 1);
    assert_int_equal(b.outstanding, 80);
    assert_int_equal(tr_book_own(&b, a->id, &f), OK);
    assert_int_equal(b.outstanding, 0);
    assert_int_equal(a->status, TR_LEASE_REJECTED);
    assert_int_equal(b.slots[0].entry, 0);
    assert_int_equal(tr_book_reject(&b, a->id, &f), ERR_STATE);
    assert_int_equal(tr_book_lease(&b, &c, &plain, &f), OK);
    assert_int_equal(c->slot, 1); /* the first is not free */
    assert_int_equal(tr_book_count(&b, TR_SLOT_OWN), 1);
    tr_book_deinit(&b);
    assert_int_equal(tr_book_init(&b, 0, 16, 8, 10, 0, &f), OK);
    assert_int_equal(tr_book_restore(&b, &a, 0, 8, 3, 1, 80, 50, &h, TR_SLOT_OWN, &f), OK); /* costs nothing */
    assert_int_equal(a->status, TR_LEASE_REJECTED);
    assert_int_equal(tr_book_count(&b, TR_SLOT_OWN), 1);
    tr_book_deinit(&b);
}

static void restored_leases(void **state)
{
    (void)state;
    tr_book b;
    fault f;
    const tr_lease_entry *e;
    hash256 h = { { 4 } };
    assert_int_equal(tr_book_init(&b, 0, 24, 8, 1000, 230, &f), OK);
    assert_int_equal(tr_book_restore(&b, &e, 8, 16, 3, 1, 80, 50, &h, TR_SLOT_ACCEPTED, &f), OK);
    assert_int_equal(tr_book_restore(&b, &e, 8, 16, 4, 1, 80, 50, &h, TR_SLOT_SUBMITTED, &f), ERR_DUPLICATE);
    assert_int_equal(tr_book_restore(&b, &e, 0, 9, 4, 1, 80, 50, &h, TR_SLOT_SUBMITTED, &f), ERR_NOT_FOUND);
    assert_int_equal(tr_book_restore(&b, &e, 0, 8, 3, 1, 80, 50, &h, TR_SLOT_SUBMITTED, &f), ERR_DUPLICATE);
    assert_int_equal(tr_book_restore(&b, &e, 0, 8, 1000, 1, 80, 50, &h, TR_SLOT_SUBMITTED, &f), ERR_DUPLICATE); /* an id of the future */
    assert_int_equal(tr_book_restore(&b, &e, 0, 8, 4, 1, 151, 50, &h, TR_SLOT_SUBMITTED, &f), ERR_FUNDS);
    assert_int_equal(tr_book_restore(&b, &e, 0, 8, 4, 1, 80, 50, &h, TR_SLOT_SUBMITTED, &f), OK);
    assert_int_equal(b.outstanding, 160);
    assert_int_equal(tr_book_submit(&b, 4, &h, 1, &f), ERR_DUPLICATE);
    assert_int_equal(tr_book_lease(&b, &e, &plain, &f), ERR_FUNDS);
    assert_int_equal(tr_book_paid(&b, 3, &f), OK);
    assert_int_equal(tr_book_accept(&b, 4, &f), OK);
    assert_int_equal(tr_book_reject(&b, 4, &f), OK);
    assert_int_equal(tr_book_lease(&b, &e, &plain, &f), OK);
    assert_int_equal(e->id, 1000);
    assert_int_equal(b.slots[e->slot].from, 0);
    tr_book_deinit(&b);
}

/* One slot that nobody answers does not keep the others: it is passed over, and taken by the coordinator. */
static void an_exhausted_slot_is_passed_over(void **state)
{
    (void)state;
    tr_book b;
    fault f;
    hash256 h = { { 9 } };
    const tr_lease_entry *e, *last = NULL;
    assert_int_equal(tr_book_init(&b, 0, 16, 8, 1, 1000, &f), OK);
    for (unsigned i = 0; i < TR_BOOK_ATTEMPTS_MAX; i++) {
        assert_int_equal(tr_book_own_exhausted(&b), 0);
        assert_int_equal(tr_book_lease(&b, &last, &plain, &f), OK);
        assert_int_equal(last->slot, 0);
        assert_int_equal(tr_book_own_exhausted(&b), 0); /* it is out */
        assert_int_equal(tr_book_expire(&b, 1001, 1), 1);
    }
    assert_int_equal(tr_book_lease(&b, &e, &plain, &f), OK);
    assert_int_equal(e->slot, 1);
    assert_int_equal(tr_book_lease(&b, &e, &plain, &f), ERR_BUSY);
    assert_int_equal(b.outstanding, 160);
    assert_int_equal(tr_book_own_exhausted(&b), 1);
    assert_int_equal(tr_book_own_exhausted(&b), 0);
    assert_int_equal(b.outstanding, 80);
    assert_int_equal(b.slots[0].status, TR_SLOT_OWN);
    assert_int_equal(b.entries[b.slots[0].entry].id, last->id);
    assert_int_equal(tr_book_submit(&b, last->id, &h, 1, &f), ERR_STALE); /* too late now */
    tr_book_deinit(&b);
}

static void refusals(void **state)
{
    (void)state;
    tr_book b;
    fault f;
    const tr_lease_entry *e;
    assert_int_equal(tr_book_init(&b, 5, 5, 1, 0, 1, &f), ERR_RANGE);
    assert_int_equal(tr_book_init(&b, 0, 5, 0, 0, 1, &f), ERR_RANGE);
    assert_int_equal(tr_book_init(&b, 0, 5, LIMIT_LEASE_SEQUENCES + 1, 0, 1, &f), ERR_LIMIT);
    assert_int_equal(tr_book_init(&b, 0, TR_BOOK_SLOTS_MAX + 1, 1, 0, 1, &f), ERR_LIMIT);
    assert_int_equal(tr_book_init(&b, 0, 10, 1, UINT64_MAX - 3, 1, &f), ERR_OVERFLOW);
    assert_int_equal(tr_book_init(&b, 0, 10, 4, 0, 79, &f), OK);
    tr_terms t = plain;
    t.capacity = 3;
    assert_int_equal(tr_book_lease(&b, &e, &t, &f), ERR_LIMIT);
    t = plain;
    t.price_sequences = 0;
    assert_int_equal(tr_book_lease(&b, &e, &t, &f), ERR_OVERFLOW);
    assert_int_equal(tr_book_lease(&b, &e, &plain, &f), OK); /* 40 of 79 */
    assert_int_equal(tr_book_lease(&b, &e, &plain, &f), ERR_FUNDS);
    assert_int_equal(b.outstanding, 40);
    assert_int_equal(tr_book_count(&b, TR_SLOT_FREE), 2);
    tr_book_deinit(&b);
}

/* What must hold after every event. `paid` is what the events say was paid so far. */
static void check_invariants(const tr_book *b, uint64_t escrow, uint64_t paid)
{
    uint64_t exposure = 0, from = b->slots[0].from;
    assert_true(b->outstanding <= b->escrow);
    assert_int_equal(b->escrow + paid, escrow);
    for (size_t i = 0; i < b->slot_count; i++) {
        assert_int_equal(b->slots[i].from, from);
        from = b->slots[i].to;
        exposure += b->slots[i].exposure;
        size_t answered = 0, live = 0;
        for (size_t k = 0; k < b->entry_count; k++) {
            if (b->entries[k].slot != i)
                continue;
            tr_lease_status s = b->entries[k].status;
            answered += s == TR_LEASE_SUBMITTED || s == TR_LEASE_ACCEPTED || s == TR_LEASE_PAID;
            live += s == TR_LEASE_LIVE;
        }
        assert_true(answered <= 1 && live <= 1 && answered + live <= 1);
        assert_int_equal(answered == 1, b->slots[i].status >= TR_SLOT_SUBMITTED && b->slots[i].status != TR_SLOT_OWN);
        assert_int_equal(live == 1, b->slots[i].status == TR_SLOT_LEASED);
    }
    assert_int_equal(exposure, b->outstanding);
}

/* Workers that answer, are late, answer twice, are lost, and answers that are rejected, in seeded disorder. */
static void one_history(uint64_t seed)
{
    tr_book b;
    fault f;
    uint64_t s = seed, now = 0, height = 1, paid = 0, escrow = 4000 + mix(&s) % 2000;
    assert_int_equal(tr_book_init(&b, 1000, 1000 + 30 + mix(&s) % 60, 1 + mix(&s) % 8, 17, escrow, &f), OK);
    for (size_t event = 0; event < 4000 && tr_book_count(&b, TR_SLOT_PAID) + tr_book_count(&b, TR_SLOT_OWN) < b.slot_count; event++) {
        const tr_lease_entry *e;
        uint64_t id = 17 + mix(&s) % (b.entry_count + 1);
        hash256 h = { { (uint8_t)mix(&s) } };
        tr_lease_status before = tr_book_find(&b, id) ? tr_book_find(&b, id)->status : TR_LEASE_EXPIRED;
        err r;
        switch (mix(&s) % 11) {
        case 0: case 1: {
            tr_terms t = { (uint32_t)(mix(&s) % 4), 8, 90 + mix(&s) % 20, 10, now + 20 + mix(&s) % 100, height + 3 + mix(&s) % 20 };
            r = tr_book_lease(&b, &e, &t, &f);
            assert_true(r == OK || r == ERR_BUSY || r == ERR_LIMIT);
            break;
        }
        case 2: case 3:
            r = tr_book_submit(&b, id, &h, height, &f);
            assert_true(r != OK || before == TR_LEASE_LIVE || before == TR_LEASE_REVOKED);
            break;
        case 4:
            r = tr_book_accept(&b, id, &f);
            assert_int_equal(r == OK, before == TR_LEASE_SUBMITTED);
            break;
        case 5:
            r = mix(&s) % 3 ? ERR_STATE : tr_book_reject(&b, id, &f);
            assert_true(r != OK || before == TR_LEASE_SUBMITTED || before == TR_LEASE_ACCEPTED);
            break;
        case 6:
            r = tr_book_paid(&b, id, &f);
            assert_int_equal(r == OK, before == TR_LEASE_ACCEPTED);
            if (r == OK)
                paid += tr_book_find(&b, id)->price;
            break;
        case 7:
            now += mix(&s) % 30;
            height += mix(&s) % 2;
            tr_book_expire(&b, now, height);
            break;
        case 8:
            r = mix(&s) % 8 ? ERR_STATE : tr_book_own(&b, id, &f);
            assert_true(r != OK || before == TR_LEASE_SUBMITTED || before == TR_LEASE_ACCEPTED);
            break;
        case 9:
            r = mix(&s) % 3 ? ERR_STATE : tr_book_reopen(&b, id, &f);
            assert_true(r != OK || before == TR_LEASE_ACCEPTED);
            break;
        default:
            if (mix(&s) % 8 == 0)
                tr_book_worker_lost(&b, (uint32_t)(mix(&s) % 4));
            if (mix(&s) % 4 == 0)
                tr_book_own_exhausted(&b);
        }
        check_invariants(&b, escrow, paid);
    }
    tr_book_deinit(&b);
}

static void invariants_hold_in_any_history(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++)
        one_history(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_lease_through_its_life), cmocka_unit_test(late_lost_and_superseded),
        cmocka_unit_test(refusals), cmocka_unit_test(an_exhausted_slot_is_passed_over), cmocka_unit_test(own_and_reopened), cmocka_unit_test(restored_leases), cmocka_unit_test(invariants_hold_in_any_history),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
