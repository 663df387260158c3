/* SPDX-License-Identifier: Apache-2.0
 *
 * What a worker keeps, and when it lets go of it: against a ledger that says what the test wants. */
#include "base/int.h"
#include "train/dir_kit.h"
#include "train/worker_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* A ledger with one row of everything. */
typedef struct said {
    uint64_t         height;
    err              lease_code, audits_code;
    chain_row_lease  lease;
    uint8_t          audit;   /* status of all audits */
    unsigned         questions, asked; /* about audits; leases in the newest */
    tr_ledger        face;
} said;

typedef struct world {
    dir_kit    cache;
    said       said;
    tr_worker *w;
} world;

static err say_height(void *ctx, uint64_t *out)
{
    *out = ((said *)ctx)->height;
    return OK;
}

static err say_lease(void *ctx, const hash256 *job, uint64_t lease_id, chain_row_lease *out)
{
    (void)job, (void)lease_id;
    *out = ((said *)ctx)->lease;
    return ((said *)ctx)->lease_code;
}

static err say_audits(void *ctx, const hash256 *job, uint8_t *status, const uint64_t *lease_ids, size_t count)
{
    said *s = ctx;
    (void)job;
    s->questions++;
    s->asked = (unsigned)count;
    for (size_t i = 0; i < count; i++)
        status[i] = lease_ids[i] == 1 ? s->audit : 0;
    return s->audits_code;
}

static err refuse_to_be_shown(void *ctx, const tr_push *p, uint64_t *have, bool *complete, fault *f)
{
    (void)ctx, (void)have, (void)complete;
    return (fail)(f, ERR_BUSY, "audit", p->lease_id);
}

static void begin(world *w, bool with_ledger)
{
    tr_worker_config k = { .cache = NULL };
    memset(w, 0, sizeof *w);
    w->cache = dir_kit_make();
    w->said.face = (tr_ledger){ .ctx = &w->said, .height = say_height, .lease = say_lease, .audits = say_audits, .show = refuse_to_be_shown,
                                .audit_window = 10, .audit_reopen_window = 30, .claim_delay = 5 };
    k.cache = w->cache.path;
    k.ledger = with_ledger ? &w->said.face : NULL;
    assert_int_equal(tr_worker_new(&w->w, &k, NULL), OK);
}

static void end(world *w)
{
    tr_worker_free(w->w);
    dir_kit_remove(&w->cache);
}

static past_lease lease_of(uint64_t number)
{
    past_lease p = { .signed_lease = malloc(8), .len = 8, .lease = { .lease_id = number, .expiry_height = 100, .level_min = CHAIN_LEVEL_FULL } };
    assert_non_null(p.signed_lease);
    memset(p.signed_lease, 0, 8);
    store_be64(p.s.hash.b, number + 1);
    return p;
}

static past_lease *keep(world *w, uint64_t number)
{
    past_lease p = lease_of(number);
    return tr_wk_keep(w->w, &p);
}

static err watch(world *w, fault *f)
{
    w->w->watched_ms = 0;
    return tr_wk_watch(w->w, f);
}

/* Who has a bond does not take more than it can answer for. */
static void room_ends(void **state)
{
    (void)state;
    world w;
    fault f;
    begin(&w, true);
    for (size_t i = 0; i < WORKER_PAST; i++) {
        assert_true(tr_wk_has_room(w.w));
        w.w->past[i] = lease_of(i);
    }
    assert_false(tr_wk_has_room(w.w));
    assert_int_equal(tr_wk_lease(w.w, bytes_of("no lease", 8), &f), ERR_BUSY);
    (void)keep(&w, 3); /* one that it has takes no place */
    for (size_t i = 0; i < WORKER_PAST; i++)
        assert_int_equal(w.w->past[i].lease.lease_id, i);
    end(&w);

    begin(&w, false); /* nobody but the coordinator asks, and that for the newest ones */
    for (size_t i = 0; i < WORKER_PAST; i++)
        w.w->past[i] = lease_of(i);
    assert_true(tr_wk_has_room(w.w));
    assert_int_equal(keep(&w, WORKER_PAST)->lease.lease_id, WORKER_PAST);
    end(&w);
}

/* An answer is kept while it may be committed, and then dropped; only one that was accepted is missed. */
static void what_is_never_committed_goes_with_its_expiry(void **state)
{
    (void)state;
    for (int accepted = 0; accepted < 2; accepted++) {
        world w;
        fault f;
        begin(&w, true);
        past_lease *p = keep(&w, 1);
        p->attested = true;
        p->accepted = accepted;
        tr_wk_keep_receipt(w.w, p, bytes_of("attestation", 11));
        w.said.lease_code = ERR_NOT_FOUND;
        w.said.height = 100;
        assert_int_equal(watch(&w, &f), OK);
        assert_int_equal(dir_kit_count(&w.cache, "lease-") + dir_kit_count(&w.cache, "receipt-"), 2);
        w.said.lease_code = ERR_UNREACHABLE;
        w.said.height = 101;
        assert_int_equal(watch(&w, &f), OK);
        assert_int_equal(dir_kit_count(&w.cache, "lease-"), 1);
        w.said.lease_code = ERR_NOT_FOUND;
        assert_int_equal(watch(&w, &f), accepted ? ERR_EXPIRED : OK);
        assert_int_equal(dir_kit_count(&w.cache, "lease-") + dir_kit_count(&w.cache, "receipt-"), 0);
        assert_int_equal(watch(&w, &f), OK); /* and that once */
        end(&w);
    }
}

/* As long as it is not known that no audit is open, nothing that one may ask for goes. */
static void ignorance_lets_nothing_go(void **state)
{
    (void)state;
    world w;
    fault f;
    begin(&w, true);
    (void)keep(&w, 1);
    w.said.lease = (chain_row_lease){ .status = CHAIN_LEASE_PAID, .level = CHAIN_LEVEL_FULL, .settle_height = 50 };
    w.said.height = 61; /* nobody can open one any more */
    w.said.audits_code = ERR_UNREACHABLE;
    assert_int_equal(watch(&w, &f), OK);
    assert_int_equal(dir_kit_count(&w.cache, "lease-"), 1);
    w.said.audits_code = OK;
    w.said.audit = CHAIN_AUDIT_OPEN;
    assert_int_equal(watch(&w, &f), OK);
    assert_int_equal(dir_kit_count(&w.cache, "lease-"), 1);
    assert_int_equal(w.w->exposed, 1);
    w.said.audit = 0;
    assert_int_equal(watch(&w, &f), OK);
    assert_int_equal(dir_kit_count(&w.cache, "lease-"), 0);
    end(&w);
}

/* The last height at which a paid lease of block 50 is still kept, by what became of its audit. */
static void kept_while_an_audit_may_come(void **state)
{
    (void)state;
    static const struct { uint8_t audit; uint64_t until; } cases[] = {
        { 0, 60 }, { CHAIN_AUDIT_OPEN, 1000 }, { CHAIN_AUDIT_CLOSED, 80 /* it may be opened again */ }, { CHAIN_AUDIT_VALID, 0 }, { CHAIN_AUDIT_FALSE, 0 },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (uint64_t height = 59; height < 84; height++) {
            world w;
            fault f;
            begin(&w, true);
            (void)keep(&w, 1);
            w.said.lease = (chain_row_lease){ .status = CHAIN_LEASE_PAID, .level = CHAIN_LEVEL_FULL, .settle_height = 50 };
            w.said.audit = cases[i].audit;
            w.said.height = height;
            assert_int_equal(watch(&w, &f), OK);
            assert_int_equal(dir_kit_count(&w.cache, "lease-"), height <= cases[i].until);
            end(&w);
        }
}

/* However many leases are kept, the ledger is asked about their audits once; not about those that are not proved. */
static void one_question_for_all(void **state)
{
    (void)state;
    world w;
    fault f;
    begin(&w, true);
    for (uint64_t i = 0; i < 20; i++)
        keep(&w, i)->lease.level_min = i < 17 ? CHAIN_LEVEL_FULL : CHAIN_LEVEL_REFEREED;
    w.said.lease = (chain_row_lease){ .status = CHAIN_LEASE_PAID, .level = CHAIN_LEVEL_FULL, .settle_height = 50 };
    w.said.height = 55;
    w.said.audit = CHAIN_AUDIT_CLOSED;
    assert_int_equal(watch(&w, &f), OK);
    assert_int_equal(w.said.questions, 1);
    assert_int_equal(w.said.asked, 17);
    for (size_t i = 0; i < WORKER_PAST; i++) /* each has its own answer */
        assert_int_equal(w.w->past[i].audit, w.w->past[i].signed_lease && w.w->past[i].lease.lease_id == 1 ? CHAIN_AUDIT_CLOSED : 0);
    assert_int_equal(watch(&w, &f), OK);
    assert_int_equal(w.said.questions, 2);
    end(&w);
}

/* Who lingers complains of an answer that was never committed, and stays for the others. */
static void one_complaint_ends_no_custody(void **state)
{
    (void)state;
    world w;
    fault f = { 0 };
    begin(&w, true);
    past_lease *p = keep(&w, 1);
    p->attested = p->accepted = true;
    w.said.lease_code = ERR_NOT_FOUND;
    w.said.height = 101;
    w.w->watched_ms = 0;
    assert_int_equal(tr_wk_linger(w.w, &f), ERR_EXPIRED);
    assert_int_equal(f.code, ERR_EXPIRED);
    assert_int_equal(w.said.questions, 1); /* and it looked once more, when nothing was left to ask about */
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(room_ends), cmocka_unit_test(what_is_never_committed_goes_with_its_expiry), cmocka_unit_test(ignorance_lets_nothing_go),
        cmocka_unit_test(kept_while_an_audit_may_come), cmocka_unit_test(one_question_for_all), cmocka_unit_test(one_complaint_ends_no_custody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
