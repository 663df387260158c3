/* SPDX-License-Identifier: Apache-2.0
 * Badges out of the markets' own meters: a provider that answers its stand-by tasks by signed transactions earns one, one that is silent
 * does not, and proven fraud ends it. */
#include "chain/econ/market_kit.h"
#include "chain/ident/ident.h"

enum { STEADY = 1, SILENT = 2 };

static void short_window(chain_genesis *g)
{
    short_epochs(g);
    g->params.v[CHAIN_PARAM_BADGE_WINDOW] = 3;
}

static const chain_row_badge *badge(const kit *k, unsigned who)
{
    cr_address a = kit_address(who);
    chain_key key = chain_key_badge(ECON_ENERGY, CHAIN_BADGE_OPERATOR, &a);
    return chain_row(k->c, CHAIN_TABLE_BADGE, &key);
}

static bool live(const kit *k, unsigned who)
{
    return badge(k, who) && chain_badge_live(badge(k, who), epoch_of(k->c, chain_head(k->c)->height + 1));
}

/* One epoch in which only the steady one answers; how often it did. */
static unsigned one_epoch(kit *k)
{
    unsigned answers = 0;
    do {
        kit_advance(k, 1);
        uint64_t height = chain_head(k->c)->height;
        if (height % EPOCH == 0)
            break;
        answers += stand_by(k, ECON_ENERGY, STEADY) == OK;
    } while (chain_head(k->c)->height % EPOCH);
    return answers;
}

static void answers_earn_a_badge(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, short_window);
    provider_joins(&k, ECON_ENERGY, STEADY, 1000000);
    provider_joins(&k, ECON_ENERGY, SILENT, 1000000);
    unsigned good_epochs = 0;
    for (unsigned n = 0; n < 40 && good_epochs < 3; n++) {
        assert_false(live(&k, STEADY));
        good_epochs += one_epoch(&k) > 0;
    }
    assert_int_equal(good_epochs, 3);
    finish_epoch(&k); /* the visits of the next epoch */
    assert_true(live(&k, STEADY));
    assert_int_equal(badge(&k, STEADY)->window_low, 7);
    assert_false(live(&k, SILENT));
    assert_true(badge(&k, SILENT)->recorded > 0 && badge(&k, SILENT)->window_low == 0);
    cr_address a = kit_address(STEADY);
    assert_true(chain_reputation_at(k.c, ECON_ENERGY, &a, epoch_of(k.c, chain_head(k.c)->height)) > 0);
    fault f = { 0 };
    assert_int_equal(chain_audit(k.c, &f), OK);

    /* Found false: an epoch with a failed proof is a bad one, and two of three are not enough. */
    assert_int_equal(chain_reserve(k.c, 8, 8192), OK);
    assert_int_equal(chain_provider_faulted(k.c, ECON_ENERGY, &a, 500000), OK);
    market_step_end(&k);
    finish_epoch(&k);
    finish_epoch(&k);
    assert_false(live(&k, STEADY));
    assert_int_equal(chain_audit(k.c, &f), OK);
    kit_stop(&k);
}

/* The slowest answer of the epoch is what the latency of a good one is measured by. */
static void slow_answers_do_not(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, short_window);
    ((chain_row_param *)(uintptr_t)table_row_at(&k.c->tables[CHAIN_TABLE_PARAM], k.c->param_rows[CHAIN_PARAM_BADGE_LATENCY]))->value = 1;
    provider_joins(&k, ECON_ENERGY, STEADY, 1000000);
    uint64_t bad_epoch = 0, good_epoch = 0;
    while (!bad_epoch || !good_epoch) {
        kit_advance(&k, 1);
        uint64_t height = chain_head(k.c)->height;
        if (height % EPOCH == 0)
            continue;
        chain_tx tx = kit_tx(&k, STEADY, CHAIN_TX_STANDBY_ANSWER, 0);
        chain_key at = chain_key_one((uint8_t)(height % 256));
        const chain_row_standby *task = chain_row(k.c, CHAIN_TABLE_STANDBY, &at);
        if (!task || task->height != height || task->count == 0)
            continue;
        cr_address a = kit_address(STEADY);
        tx.payload.standby_answer = (chain_tx_standby_answer){ .market = ECON_ENERGY, .height = height,
                                                               .answer = chain_standby_answer(&task->randomness, ECON_ENERGY, &a) };
        if (!bad_epoch)
            kit_advance(&k, 1); /* a block later than the fastest */
        assert_int_equal(kit_run(&k, &tx, STEADY), OK);
        assert_int_equal(provider_row(&k, ECON_ENERGY, STEADY)->latency, bad_epoch ? 1 : 2);
        *(bad_epoch ? &good_epoch : &bad_epoch) = epoch_of(k.c, height);
        finish_epoch(&k);
        finish_epoch(&k);
        assert_int_equal(badge(&k, STEADY)->window_low & 1, good_epoch != 0);
        assert_int_equal(badge(&k, STEADY)->recorded_epoch, good_epoch ? good_epoch : bad_epoch);
    }
    kit_stop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(answers_earn_a_badge), cmocka_unit_test(slow_answers_do_not) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
