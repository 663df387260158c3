/* SPDX-License-Identifier: Apache-2.0
 * Service badges and reputation. An epoch is one block here: the record of epoch e is made between blocks e and e + 1. */
#include "chain/ident/ident_kit.h"

#include <stdlib.h>

static uint64_t window_length, ttl_epochs, month_epochs;

static void one_block_epochs(chain_genesis *g)
{
    g->params.v[CHAIN_PARAM_EPOCH] = 1;
    if (window_length)
        g->params.v[CHAIN_PARAM_BADGE_WINDOW] = window_length;
    if (ttl_epochs)
        g->params.v[CHAIN_PARAM_BADGE_TTL] = ttl_epochs;
    if (month_epochs)
        g->params.v[CHAIN_PARAM_BADGE_MONTH] = month_epochs;
}

static void start(kit *k, uint64_t window, uint64_t ttl, uint64_t month)
{
    window_length = window, ttl_epochs = ttl, month_epochs = month;
    kit_start(k, one_block_epochs);
    kit_advance(k, 1);
}

/* Good by every threshold's exact edge. */
static const chain_service_epoch good = { .served = 100, .spoiled = 1, .answered = 95, .missed = 5, .latency_p95_blocks = 12, .proofs_ok = 99,
                                          .proofs_failed = 1 };
static const chain_service_epoch bad = { .answered = 94, .missed = 6 };

static uint64_t epoch_now(const kit *k)
{
    return chain_head(k->c)->height;
}

/* The record of the epoch that has just ended; then the next block. */
static void record(kit *k, unsigned who, chain_service_epoch e)
{
    fault f = { 0 };
    cr_address a = kit_address(who);
    e.epoch = epoch_now(k);
    make_room(k->c);
    if (chain_badge_record(k->c, ECON_COMPUTE, &a, &e, &f) != OK)
        fail_msg("%s", f.what);
}

static void epochs(kit *k, unsigned who, chain_service_epoch e, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        record(k, who, e);
        settle(k);
    }
}

static const chain_row_badge *badge(const kit *k, unsigned who)
{
    cr_address a = kit_address(who);
    return ROW(k, BADGE, chain_key_badge(ECON_COMPUTE, CHAIN_BADGE_OPERATOR, &a));
}

static bool live(const kit *k, unsigned who)
{
    return chain_badge_live(badge(k, who), next_height(k));
}

static chain_standing standing(const kit *k, unsigned who)
{
    chain_standing s;
    cr_address a = kit_address(who);
    chain_standing_at(k->c, &s, &a, next_height(k));
    return s;
}

/* Events of the block that has just been made: how many say that a badge ended or began so. */
static unsigned said(const kit *k, unsigned what)
{
    unsigned n = 0;
    for (size_t i = 0; i < k->result.event_count; i++)
        n += k->result.events[i].type == CHAIN_EVENT_BADGE_CHANGED && k->result.events[i].data.badge_changed.what == what;
    return n;
}

static void earned_by_a_full_window(void **state)
{
    (void)state;
    kit k;
    start(&k, 0, 0, 0);
    epochs(&k, 1, good, 89);
    assert_false(live(&k, 1));
    assert_int_equal(standing(&k, 1).markets, 0);
    epochs(&k, 1, good, 1);
    assert_true(live(&k, 1));
    assert_int_equal(standing(&k, 1).markets, 1 << ECON_COMPUTE);
    assert_int_equal(badge(&k, 1)->expiry_epoch, badge(&k, 1)->since_epoch + 4320 - 1);

    /* 89 of 90 is under 99 %: one bad epoch stays in the way until it has left the window. */
    epochs(&k, 2, bad, 1);
    epochs(&k, 2, good, 89);
    assert_false(live(&k, 2));
    epochs(&k, 2, good, 1);
    assert_true(live(&k, 2));
    audit(&k);
    kit_stop(&k);
}

/* With a window of one epoch the badge says whether that epoch was good. */
static void every_threshold_at_its_edge(void **state)
{
    (void)state;
    static const struct {
        chain_service_epoch e;
        bool                good;
    } cases[] = {
        { { .answered = 95, .missed = 5 }, true },      { { .answered = 94, .missed = 6 }, false },
        { { .missed = 1 }, false },                     { { .answered = 1, .latency_p95_blocks = 12 }, true },
        { { .answered = 1, .latency_p95_blocks = 13 }, false },
        { { .proofs_ok = 99, .proofs_failed = 1 }, true }, { { .proofs_ok = 98, .proofs_failed = 1 }, false },
        { { .served = 100, .spoiled = 1 }, true },      { { .served = 99, .spoiled = 1 }, false },
        { { .answered = UINT64_MAX, .proofs_ok = UINT64_MAX, .served = UINT64_MAX }, true },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        kit k;
        start(&k, 1, 0, 0);
        epochs(&k, 1, cases[i].e, 1);
        if (live(&k, 1) != cases[i].good)
            fail_msg("case %zu", i);
        kit_stop(&k);
    }
}

static void record_refusals(void **state)
{
    (void)state;
    kit k;
    start(&k, 0, 0, 0);
    fault f = { 0 };
    cr_address a = kit_address(1), keyless = chain_treasury_address();
    chain_service_epoch e = good;
    e.epoch = epoch_now(&k);
    make_room(k.c);
    assert_int_equal(chain_badge_record(k.c, ECON_MARKETS, &a, &e, &f), ERR_RANGE);
    assert_string_equal(f.what, "service.market");
    assert_int_equal(chain_badge_record(k.c, ECON_AD, &keyless, &e, &f), ERR_ADDRESS);
    e.spoiled = e.served + 1;
    assert_int_equal(chain_badge_record(k.c, ECON_AD, &a, &e, &f), ERR_RANGE);
    assert_string_equal(f.what, "service.spoiled");
    e = good, e.epoch = epoch_now(&k);
    e.answered = UINT64_MAX;
    assert_int_equal(chain_badge_record(k.c, ECON_AD, &a, &e, &f), ERR_OVERFLOW);
    assert_string_equal(f.what, "service.missed");
    e = good, e.epoch = epoch_now(&k);
    e.proofs_ok = UINT64_MAX;
    assert_int_equal(chain_badge_record(k.c, ECON_AD, &a, &e, &f), ERR_OVERFLOW);
    assert_string_equal(f.what, "service.proofs_failed");
    e = (chain_service_epoch){ .epoch = epoch_now(&k), .latency_p95_blocks = 99 };
    assert_int_equal(chain_badge_record(k.c, ECON_AD, &a, &e, &f), OK); /* nothing was measured: no row */
    assert_null(ROW(&k, BADGE, chain_key_badge(ECON_AD, CHAIN_BADGE_OPERATOR, &a)));
    e = good, e.epoch = epoch_now(&k);
    assert_int_equal(chain_badge_record(k.c, ECON_AD, &a, &e, &f), OK);
    assert_int_equal(chain_badge_record(k.c, ECON_AD, &a, &e, &f), ERR_DUPLICATE);
    assert_string_equal(f.what, "service.epoch");
    assert_int_equal(chain_badge_record(k.c, ECON_ENERGY, &a, &e, &f), OK); /* another market */
    kit_stop(&k);
}

static void kept_and_lost_by_its_window(void **state)
{
    (void)state;
    kit k;
    start(&k, 0, 0, 0);
    epochs(&k, 1, good, 90);
    epochs(&k, 1, bad, 4); /* 86 of 90 is above 95 % */
    assert_true(live(&k, 1));
    assert_int_equal(badge(&k, 1)->expiry_epoch, epoch_now(&k) - 1 + 4320); /* and renews it */
    record(&k, 1, bad); /* 85 is not */
    assert_false(live(&k, 1));
    settle(&k);
    assert_int_equal(standing(&k, 1).markets, 0);
    assert_int_equal(badge(&k, 1)->held_epochs, 5);
    epochs(&k, 1, good, 89);
    assert_false(live(&k, 1)); /* earned like the first one */
    epochs(&k, 1, good, 1);
    assert_true(live(&k, 1));
    audit(&k);
    kit_stop(&k);
}

/* Not touched after it was earned: it counts through its last epoch and not beyond, and the epoch's end says so. */
static void lapses_at_its_ttl(void **state)
{
    (void)state;
    kit k;
    start(&k, 3, 10, 4);
    epochs(&k, 1, good, 3);
    const uint64_t last = badge(&k, 1)->expiry_epoch;
    assert_int_equal(last, badge(&k, 1)->since_epoch + 9);
    while (next_height(&k) < last) {
        assert_true(live(&k, 1));
        kit_advance(&k, 1);
        assert_int_equal(said(&k, 2), 0);
        audit(&k);
    }
    assert_true(live(&k, 1)); /* its last epoch is the next block */
    assert_true(badge(&k, 1)->live);
    kit_advance(&k, 1);
    assert_false(live(&k, 1));
    assert_false(badge(&k, 1)->live);
    assert_int_equal(said(&k, 2), 1);
    assert_int_equal(badge(&k, 1)->held_epochs, 10);
    assert_int_equal(badge(&k, 1)->queued, 0);
    audit(&k);

    /* One that serves on is renewed, however often the calendar looks at it. */
    epochs(&k, 1, good, 40);
    assert_true(live(&k, 1));
    kit_stop(&k);
}

/* Months are complete ones, over all times that the badge was held, and tick without being touched. */
static void months_accumulate(void **state)
{
    (void)state;
    kit k;
    start(&k, 1, 10, 4);
    epochs(&k, 1, good, 1);
    const uint64_t since = badge(&k, 1)->since_epoch;
    uint32_t ticks = 0, known = 0;
    while (next_height(&k) <= since + 9) {
        assert_int_equal(standing(&k, 1).operator_months[ECON_COMPUTE], (next_height(&k) - since) / 4);
        kit_advance(&k, 1);
        for (size_t i = 0; i < k.result.event_count; i++)
            if (k.result.events[i].type == CHAIN_EVENT_STANDING_CHANGED) {
                known = k.result.events[i].data.standing_changed.compute_months;
                assert_int_equal(known, standing(&k, 1).operator_months[ECON_COMPUTE]);
                ticks++;
            }
        if (next_height(&k) <= since + 9) /* whoever added it up from the events is right at every epoch */
            assert_int_equal(known, standing(&k, 1).operator_months[ECON_COMPUTE]);
    }
    assert_int_equal(ticks, 3); /* two months and the end */
    assert_int_equal(known, 0); /* no months without a live badge */
    epochs(&k, 1, good, 1);
    assert_int_equal(standing(&k, 1).operator_months[ECON_COMPUTE], 2); /* 11 epochs so far: it went on from 10 */
    known = 2;
    for (uint32_t held = 12; held < 20; held++) {
        kit_advance(&k, 1);
        for (size_t i = 0; i < k.result.event_count; i++)
            if (k.result.events[i].type == CHAIN_EVENT_STANDING_CHANGED)
                known = k.result.events[i].data.standing_changed.compute_months;
        assert_int_equal(known, held / 4);
        assert_int_equal(standing(&k, 1).operator_months[ECON_COMPUTE], held / 4);
    }
    kit_stop(&k);
}

static void revoked_by_vote(void **state)
{
    (void)state;
    kit k;
    start(&k, 3, 0, 0);
    fault f = { 0 };
    cr_address a = kit_address(1), keyless = chain_treasury_address();
    assert_int_equal(chain_badge_revoke(k.c, ECON_COMPUTE, CHAIN_BADGE_OPERATOR, &a, next_height(&k), &f), ERR_NOT_FOUND);
    epochs(&k, 1, good, 3);
    assert_int_equal(chain_badge_revoke(k.c, ECON_STORAGE, CHAIN_BADGE_OPERATOR, &a, next_height(&k), &f), ERR_NOT_FOUND);
    assert_int_equal(chain_badge_revoke(k.c, ECON_COMPUTE, CHAIN_BADGE_OPERATOR, &keyless, next_height(&k), &f), ERR_NOT_FOUND);
    assert_int_equal(chain_badge_revoke(k.c, ECON_COMPUTE, CHAIN_BADGE_OPERATOR, &a, next_height(&k), &f), OK);
    assert_int_equal(chain_badge_revoke(k.c, ECON_COMPUTE, CHAIN_BADGE_OPERATOR, &a, next_height(&k), &f), ERR_NOT_FOUND);
    settle(&k);
    audit(&k);
    epochs(&k, 1, good, 2);
    assert_false(live(&k, 1)); /* a whole window anew */
    epochs(&k, 1, good, 1);
    assert_true(live(&k, 1));
    audit(&k);
    kit_stop(&k);
}

/* Old evidence is none: after a silence longer than a badge's life the window is empty. */
static void a_long_silence_empties_the_window(void **state)
{
    (void)state;
    for (uint64_t silence = 9; silence <= 10; silence++) {
        kit k;
        start(&k, 3, 10, 4);
        epochs(&k, 1, good, 2);
        kit_advance(&k, silence);
        epochs(&k, 1, good, 1);
        assert_int_equal(live(&k, 1), silence == 9);
        kit_stop(&k);
    }
}

/* More badges end in one epoch than its end may look at: the rest follow, none twice, in any order of joining. */
static void many_end_at_once(const unsigned many, unsigned ends)
{
    kit k;
    start(&k, 1, 5, 100);
    assert_int_equal(chain_reserve(k.c, 1000, 1000000), OK); /* more records than the providers of an epoch */
    for (unsigned i = 0; i < many; i++)
        record(&k, 1000 + i, good);
    settle(&k);
    record(&k, 999, good); /* one that is due an epoch later */
    settle(&k);
    audit(&k);
    unsigned ended = 0, blocks = 0;
    while (ended < many + 1 && blocks++ < 20) {
        kit_advance(&k, 1);
        unsigned now = said(&k, 2);
        assert_true(now <= LIMIT_BADGE_SWEEP);
        ended += now;
        audit(&k);
        for (unsigned i = 0; i < many && next_height(&k) > badge(&k, 1000)->expiry_epoch; i += 50)
            assert_false(live(&k, 1000 + i)); /* none counts longer, looked at or not */
    }
    assert_int_equal(ended, many + 1);
    assert_int_equal(blocks, 2 + ends); /* three epochs of life are left; the end of the last one is the first that ends some */
    kit_stop(&k);
}

static void the_calendar_is_bounded(void **state)
{
    (void)state;
    many_end_at_once(255, 2); /* each of these and the one that is due an epoch later */
    many_end_at_once(256, 2);
    many_end_at_once(257, 2);
    many_end_at_once(2 * 256 - 1, 2);
    many_end_at_once(2 * 256, 3);
    many_end_at_once(2 * 256 + 40, 3);
}

/* With half of the epochs enough, a window that was emptied still has to fill. */
static void an_emptied_window_fills_again(void **state)
{
    (void)state;
    kit k;
    start(&k, 4, 10, 4);
    ((chain_row_param *)(uintptr_t)ROW(&k, PARAM, chain_key_param(CHAIN_PARAM_BADGE_KEEP)))->value = 500000; /* rules hold in every block */
    ((chain_row_param *)(uintptr_t)ROW(&k, PARAM, chain_key_param(CHAIN_PARAM_BADGE_EARN)))->value = 500000;
    epochs(&k, 1, bad, 4);
    kit_advance(&k, 10);
    epochs(&k, 1, good, 3);
    assert_false(live(&k, 1));
    epochs(&k, 1, bad, 1); /* three of four */
    assert_true(live(&k, 1));
    epochs(&k, 2, good, 2);
    epochs(&k, 2, bad, 1);
    assert_false(live(&k, 2));
    epochs(&k, 2, bad, 1); /* exactly half */
    assert_true(live(&k, 2));
    kit_stop(&k);
}

/* --- against a plain model, over random service --- */

enum { PROVIDERS = 5, EPOCHS = 900 };

typedef struct model {
    bool     window[EPOCHS], live;
    unsigned recorded;
    uint64_t last, since, expiry, held;
} model;

static void model_record(model *m, bool is_good, uint64_t e, uint64_t length, uint64_t ttl)
{
    if (e - m->last > ttl)
        m->recorded = 0;
    m->window[m->recorded++] = is_good;
    m->last = e;
    uint64_t counted = m->recorded < length ? m->recorded : length, sum = 0;
    for (uint64_t i = 0; i < counted; i++)
        sum += m->window[m->recorded - 1 - i];
    if (m->live && sum * 100 >= 95 * counted) {
        m->expiry = e + ttl;
    } else if (m->live) {
        m->held += e + 1 - m->since;
        m->live = false;
    } else if (counted == length && sum * 100 >= 99 * length) {
        m->live = true;
        m->since = e + 1;
        m->expiry = e + ttl;
    }
}

static void random_service_follows_the_model(void **state)
{
    (void)state;
    unsigned seen_live = 0, seen_lapse = 0, seen_loss = 0;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        static model m[PROVIDERS];
        memset(m, 0, sizeof m);
        kit k;
        uint64_t r = seed, ttl = 5 + kit_random(&r) % 40, month = 1 + kit_random(&r) % 30, length = 1 + kit_random(&r) % 40;
        start(&k, length, ttl, month);
        for (unsigned n = 0; n < EPOCHS; n++) {
            for (unsigned p = 0; p < PROVIDERS; p++) {
                const bool silent = kit_random(&r) % 100 < 3 * p || (p == 1 && n / 100 % 2), is_good = kit_random(&r) % 100 >= 2 * p;
                if (silent)
                    continue;
                record(&k, p, is_good ? good : bad);
                bool was = m[p].live;
                model_record(&m[p], is_good, epoch_now(&k), length, ttl);
                seen_loss += was && !m[p].live;
            }
            settle(&k);
            for (unsigned p = 0; p < PROVIDERS; p++) {
                if (m[p].live && next_height(&k) > m[p].expiry) {
                    m[p].held += m[p].expiry + 1 - m[p].since;
                    m[p].live = false;
                    seen_lapse++;
                }
                const chain_row_badge *row = badge(&k, p);
                if (!row)
                    continue;
                if (row->live != m[p].live || chain_badge_live(row, next_height(&k)) != m[p].live || row->held_epochs != m[p].held)
                    fail_msg("seed %llu, epoch %u, provider %u", (unsigned long long)seed, n, p);
                seen_live += m[p].live;
            }
            if (n % 50 == 0)
                audit(&k);
        }
        kit_stop(&k);
    }
    assert_true(seen_live > 1000 && seen_lapse > 3 && seen_loss > 3);
}

/* --- reputation --- */

/* In the epoch after the newest record, and after as many silent ones as were made since. */
static q32 reputation(const kit *k)
{
    cr_address a = kit_address(1);
    return chain_reputation_at(k->c, ECON_COMPUTE, &a, epoch_now(k));
}

static bool eligible(const kit *k)
{
    cr_address a = kit_address(1);
    return chain_reputation_eligible(k->c, ECON_COMPUTE, &a, epoch_now(k));
}

static const chain_service_epoch perfect = { .answered = 1, .proofs_ok = 1, .served = 1 };

/* The figures: 10^6 (1 - 0.95^n), then times 0.95^m, in Python's floats, floored. */
static void eligibility_has_hysteresis(void **state)
{
    (void)state;
    kit k;
    start(&k, 0, 0, 0);
    epochs(&k, 1, perfect, 31);
    assert_int_equal(reputation(&k) >> 32, 796093); /* floor(10^6 (1 - 0.95^31)) */
    assert_false(eligible(&k));
    epochs(&k, 1, perfect, 1);
    assert_int_equal(reputation(&k) >> 32, 806288);
    assert_true(eligible(&k));
    kit_advance(&k, 5);
    assert_int_equal(reputation(&k) >> 32, 623890);
    assert_true(eligible(&k));
    kit_advance(&k, 1);
    assert_int_equal(reputation(&k) >> 32, 592696);
    assert_false(eligible(&k));
    epochs(&k, 1, perfect, 9); /* it was below: above 600,000 is not enough, and a row that slept knows */
    assert_in_range(reputation(&k) >> 32, 700000, 799999);
    assert_false(eligible(&k));
    epochs(&k, 1, perfect, 8);
    assert_true(eligible(&k));
    kit_stop(&k);
}

/* What one epoch adds to nothing, for each measure alone and together; floors as spec/identity.md says. */
static void contributions(void **state)
{
    (void)state;
    static const struct {
        chain_service_epoch e;
        uint64_t            ppm;
    } cases[] = {
        { { .answered = 1, .proofs_ok = 1, .served = 1 }, 50000 },
        { { .answered = 1 }, 50000 },                       /* what is not measured neither helps nor harms */
        { { .missed = 1 }, 0 },
        { { .proofs_ok = 3, .proofs_failed = 1 }, 37500 },
        { { .served = 4, .spoiled = 1 }, 37500 },
        { { .answered = 1, .latency_p95_blocks = 18 }, 40909 }, /* (35 + 20 / 2) / 55 */
        { { .answered = 1, .latency_p95_blocks = 24 }, 31818 }, /* 35 / 55 */
        { { .answered = 1, .latency_p95_blocks = 25 }, 31818 },
        { { .answered = 1, .missed = 1, .served = 2, .spoiled = 1, .proofs_ok = 1, .proofs_failed = 1 }, 30000 }, /* halves, but full latency */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        kit k;
        start(&k, 0, 0, 0);
        epochs(&k, 1, cases[i].e, 1);
        if ((uint64_t)reputation(&k) >> 32 != cases[i].ppm)
            fail_msg("case %zu: %llu", i, (unsigned long long)reputation(&k) >> 32);
        kit_stop(&k);
    }
}

static void reputation_is_known_in_steps(void **state)
{
    (void)state;
    kit k;
    start(&k, 1, 0, 0);
    epochs(&k, 1, perfect, 1);
    uint32_t known = 50000;
    assert_int_equal(badge(&k, 1)->reported_ppm, known);
    for (unsigned i = 0; i < 80; i++) {
        epochs(&k, 1, perfect, 1);
        uint64_t now = (uint64_t)reputation(&k) >> 32;
        if (now - known >= 50000)
            known = (uint32_t)now;
        assert_int_equal(badge(&k, 1)->reported_ppm, known);
        chain_standing s;
        cr_address a = kit_address(1);
        chain_standing_at(k.c, &s, &a, epoch_now(&k));
        assert_int_equal(s.reputation_ppm, now);
    }
    assert_true(known > 900000);
    kit_stop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(earned_by_a_full_window),    cmocka_unit_test(every_threshold_at_its_edge),
        cmocka_unit_test(record_refusals),            cmocka_unit_test(kept_and_lost_by_its_window),
        cmocka_unit_test(lapses_at_its_ttl),          cmocka_unit_test(months_accumulate),
        cmocka_unit_test(revoked_by_vote),            cmocka_unit_test(a_long_silence_empties_the_window),
        cmocka_unit_test(the_calendar_is_bounded),    cmocka_unit_test(an_emptied_window_fills_again),
            cmocka_unit_test(random_service_follows_the_model),
        cmocka_unit_test(eligibility_has_hysteresis), cmocka_unit_test(contributions),
        cmocka_unit_test(reputation_is_known_in_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
