/* SPDX-License-Identifier: Apache-2.0
 * Random histories of disbursements under every invariant, and the audit that holds them, shown to see what is wrong. */
#include "chain/treasury/treasury_kit.h"

/* --- the audit sees what is wrong --- */

static void audit_sees(void **state)
{
    (void)state;
    static const char *const names[] = { "number of disbursements", "sum of payees", "sum of executed disbursements",
                                         "active disbursements", "slot of an active disbursement", "treasury.day_out",
                                         "treasury.month_out", "treasury.epoch_out", "one slot" };
    kit k;
    start(&k, small_windows);
    chain_disbursement_spec s = spec_of(1000, 1);
    uint64_t number = must_pass(&k, &s);
    pass_epochs(&k, 3);
    must_file(&k, &s);
    audit(&k);
    chain_key key = chain_key_one(0), at = chain_key_height(number), slot = chain_key_one(0), slot_1 = chain_key_one(1);
    for (unsigned i = 0; i < COUNT_OF(names); i++) {
        outside(&k);
        chain_row_treasury *t = chain_row_edit(k.c, CHAIN_TABLE_TREASURY, &key);
        chain_row_disbursement *d = chain_row_edit(k.c, CHAIN_TABLE_DISBURSEMENT, &at);
        chain_row_disbursement_slot *place = chain_row_edit(k.c, CHAIN_TABLE_DISBURSEMENT_SLOT, &slot);
        size_t mark = chain_journal_mark(k.c);
        chain_row_treasury t_was = *t;
        chain_row_disbursement d_was = *d;
        chain_row_disbursement_slot place_was = *place;
        switch (i) {
        case 0: t->disbursements++; break;
        case 1: d->amount_1--; break;
        case 2: d->amount++, d->amount_1++; break;
        case 3: t->active++; break;
        case 4: place->number = 2; break; /* a draft */
        case 5: t->day_out++; break;
        case 6: t->month_out++; break;
        case 7: t->epoch_out++; break;
        default:
            ((chain_row_disbursement_slot *)chain_row_edit_or_create(k.c, CHAIN_TABLE_DISBURSEMENT_SLOT, &slot_1))->number = number;
            break;
        }
        fault f = { 0 };
        assert_int_equal(chain_treasury_audit(k.c, &f), ERR_INVARIANT);
        assert_string_equal(f.what, names[i]);
        *t = t_was, *d = d_was, *place = place_was;
        chain_journal_undo(k.c, mark);
        assert_int_equal(chain_treasury_audit(k.c, &f), OK);
    }
    kit_stop(&k);
}

/* --- random histories --- */

typedef struct ghost { /* what each disbursement did with money, by its events and rows */
    bool taken, paid, returned;
} ghost;

enum { RANDOM_EPOCHS = 60, RANDOM_MAX = 300 };

static void random_call(kit *k, uint64_t *seed)
{
    uint64_t count = chain_treasury(k->c)->disbursements, number = count ? 1 + kit_random(seed) % count : 1;
    if (count > 12 && kit_random(seed) % 4)
        number = count - kit_random(seed) % 12;
    switch (kit_random(seed) % 8) {
    case 0: case 1: case 2: (void)open_vote(k, number); break;
    case 3: case 4: case 5: (void)voted(k, number, kit_random(seed) % 5 != 0); break;
    case 6: if (kit_random(seed) % 4 == 0) (void)vote_back(k, number); break;
    default: subsidy_rate = kit_random(seed) % 3 ? 0 : FUNDED / 36 - kit_random(seed) % 5000; break;
    }
}

static void random_filing(kit *k, uint64_t *seed)
{
    chain_disbursement_spec s = spec_of(1 + kit_random(seed) % (FUNDED / 60), 1 + (unsigned)(kit_random(seed) % 4));
    uint64_t count = chain_treasury(k->c)->disbursements;
    s.essential = kit_random(seed) % 2;
    s.timelock_epochs = 1 + kit_random(seed) % 3, s.rollback_epochs = 1 + kit_random(seed) % 3;
    s.vote_epochs = 1 + kit_random(seed) % 2;
    if (count && kit_random(seed) % 3 == 0)
        s.dependency_count = 1, s.dependencies[0] = 1 + kit_random(seed) % count;
    (void)file(k, &s);
}

static void check_ghosts(const kit *k, ghost *ghosts, uint64_t *paid_events)
{
    uint64_t treasury_epoch = chain_treasury(k->c)->epoch;
    u128 held = 0;
    for (uint64_t n = 1; n <= chain_treasury(k->c)->disbursements; n++) {
        const chain_row_disbursement *d = chain_disbursement(k->c, n);
        ghost *g = &ghosts[n];
        if (d->status == CHAIN_DISBURSEMENT_EXECUTED) {
            assert_false(g->paid || g->returned);
            assert_true(d->executed_epoch >= d->ready_epoch && d->ready_epoch >= d->queued_epoch + d->timelock_epochs && d->queued_epoch);
            assert_true(treasury_epoch <= d->final_epoch); /* what is due is final */
            g->taken = true;
            held += d->amount;
        }
        if (d->status == CHAIN_DISBURSEMENT_FINALIZED) {
            assert_true(g->taken && !g->returned && d->ended_epoch >= d->executed_epoch + d->rollback_epochs);
            *paid_events += !g->paid;
            g->paid = true;
        }
        if (d->status == CHAIN_DISBURSEMENT_ROLLED_BACK) {
            assert_false(g->paid);
            g->returned = g->taken;
        }
    }
    assert_true(held == chain_supply(k->c)->disbursing);
}

static void random_histories(void **state)
{
    (void)state;
    uint64_t paid = 0, paid_events = 0, refused = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        uint64_t random = seed * 977;
        static ghost ghosts[RANDOM_MAX];
        memset(ghosts, 0, sizeof ghosts);
        kit k;
        start(&k, long_waits);
        for (unsigned step = 0; step < RANDOM_EPOCHS * EPOCH_BLOCKS; step++) {
            for (unsigned i = 0; i < 4; i++)
                random_call(&k, &random);
            if (kit_random(&random) % 6 == 0) {
                unsigned who = 1 + (unsigned)(kit_random(&random) % 4);
                cr_address a = kit_address(who);
                set_kyc(&k, who, !chain_kyc_valid(k.c, &a));
            } else if (kit_random(&random) % 2) {
                random_filing(&k, &random);
            } else {
                next_block(&k);
            }
            paid_events += count_events(&k, CHAIN_EVENT_DISBURSEMENT_PAID);
            refused += count_events(&k, CHAIN_EVENT_DISBURSEMENT_REFUSED);
            audit(&k);
            check_ghosts(&k, ghosts, &paid);
        }
        kit_stop(&k);
    }
    assert_int_equal(paid, paid_events);
    assert_true(paid > 50 && refused > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(audit_sees), cmocka_unit_test(random_histories),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
