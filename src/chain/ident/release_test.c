/* SPDX-License-Identifier: Apache-2.0
 * Builder badges: M of N signers, taking back, lifetime, and what a change of the signers' list voids. */
#include "chain/ident/ident_kit.h"

enum { BUILDER = 1, FIRST = 2, SECOND = 3, THIRD = 4, RULER = 5, OTHER = 6 };

static void signers(chain_genesis *g)
{
    g->params.v[CHAIN_PARAM_EPOCH] = 1;
    g->params.v[CHAIN_PARAM_BADGE_TTL] = 20;
    g->params.v[CHAIN_PARAM_BADGE_MONTH] = 5;
    for (unsigned i = 0; i < 3; i++)
        g->authorities[i] = (chain_authority){ CHAIN_ROLE_RELEASES, 0, kit_public(FIRST + i) };
    g->authorities[3] = (chain_authority){ CHAIN_ROLE_PACKS, 0, kit_public(RULER) };
    g->authority_count = 4;
}

static chain_tx attestation(const kit *k, unsigned who, unsigned builder, uint8_t release, bool grant)
{
    chain_tx tx = kit_tx(k, who, CHAIN_TX_RELEASE_ATTEST, 0);
    tx.payload.release_attest = (chain_tx_release_attest){ .builder = kit_address(builder), .release = { { release } }, .grant = grant };
    return tx;
}

static err say(kit *k, unsigned who, uint8_t release, bool grant)
{
    chain_tx tx = attestation(k, who, BUILDER, release, grant);
    return kit_run(k, &tx, who);
}

static const chain_row_badge *badge(const kit *k)
{
    cr_address a = kit_address(BUILDER);
    return ROW(k, BADGE, chain_key_badge(ECON_MARKETS, CHAIN_BADGE_BUILDER, &a));
}

static bool live(const kit *k)
{
    return badge(k) && chain_badge_live(badge(k), next_height(k));
}

#define SAY_REFUSED(k, who, builder, release, grant, code, text)              \
    do {                                                                      \
        chain_tx refused_ = attestation(k, who, builder, release, grant);     \
        REFUSED(k, &refused_, who, code, text);                               \
    } while (0)

static void m_of_n(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, signers);
    SAY_REFUSED(&k, OTHER, BUILDER, 1, true, ERR_PERMISSION, "release_attest.sender");
    SAY_REFUSED(&k, RULER, BUILDER, 1, true, ERR_PERMISSION, "release_attest.sender");
    SAY_REFUSED(&k, FIRST, FIRST, 1, true, ERR_PERMISSION, "release_attest.builder");
    SAY_REFUSED(&k, FIRST, BUILDER, 0, true, ERR_RANGE, "release_attest.release");
    SAY_REFUSED(&k, FIRST, BUILDER, 1, false, ERR_STATE, "release_attest.release"); /* nothing to take back */
    chain_tx tx = attestation(&k, FIRST, BUILDER, 1, true);
    tx.payload.release_attest.builder = chain_treasury_address();
    REFUSED(&k, &tx, FIRST, ERR_ADDRESS, "release_attest.builder");

    assert_int_equal(say(&k, FIRST, 1, true), OK);
    assert_null(badge(&k)); /* one is not enough */
    SAY_REFUSED(&k, FIRST, BUILDER, 1, true, ERR_DUPLICATE, "release_attest.sender");
    assert_int_equal(say(&k, SECOND, 2, true), OK); /* another release is another count */
    assert_null(badge(&k));
    assert_int_equal(say(&k, SECOND, 1, true), OK);
    assert_true(live(&k));
    const uint64_t epoch = chain_head(k.c)->height;
    assert_int_equal(badge(&k)->since_epoch, epoch);
    assert_int_equal(badge(&k)->expiry_epoch, epoch + 20 - 1);
    assert_int_equal(k.result.events[2].type, CHAIN_EVENT_STANDING_CHANGED);
    assert_true(k.result.events[2].data.standing_changed.builder);
    SAY_REFUSED(&k, THIRD, BUILDER, 1, true, ERR_STATE, "release_attest.release"); /* it has done its work */
    audit(&k);
    kit_stop(&k);
}

static void lapses_and_is_renewed(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, signers);
    assert_true(say(&k, FIRST, 1, true) == OK && say(&k, SECOND, 1, true) == OK);
    const uint64_t since = badge(&k)->since_epoch;
    kit_advance(&k, 9);
    chain_standing s;
    cr_address a = kit_address(BUILDER);
    chain_standing_at(k.c, &s, &a, since + 10);
    assert_true(s.builder && s.builder_months == 2 && s.markets == 0);
    assert_true(say(&k, FIRST, 2, true) == OK && say(&k, SECOND, 2, true) == OK); /* a newer release renews, and does not begin */
    assert_int_equal(badge(&k)->since_epoch, since);
    const uint64_t last = chain_head(k.c)->height + 19;
    assert_int_equal(badge(&k)->expiry_epoch, last);
    while (next_height(&k) <= last) {
        assert_true(live(&k));
        kit_advance(&k, 1);
    }
    assert_false(live(&k));
    assert_false(badge(&k)->live);
    audit(&k);
    SAY_REFUSED(&k, THIRD, BUILDER, 2, true, ERR_STATE, "release_attest.release"); /* an old release brings nothing back */
    assert_true(say(&k, FIRST, 3, true) == OK && say(&k, THIRD, 3, true) == OK);
    assert_true(live(&k));
    audit(&k);
    kit_stop(&k);
}

static void taken_back_by_m_of_n(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, signers);
    for (uint8_t release = 1; release <= 2; release++)
        assert_true(say(&k, FIRST, release, true) == OK && say(&k, SECOND, release, true) == OK);
    assert_true(say(&k, FIRST, 1, false) == OK && say(&k, THIRD, 1, false) == OK);
    assert_true(live(&k)); /* the newer one stands */
    SAY_REFUSED(&k, SECOND, BUILDER, 1, false, ERR_STATE, "release_attest.release");
    assert_int_equal(say(&k, THIRD, 2, false), OK);
    SAY_REFUSED(&k, THIRD, BUILDER, 2, false, ERR_DUPLICATE, "release_attest.sender");
    assert_true(live(&k));
    assert_int_equal(say(&k, FIRST, 2, false), OK);
    assert_false(live(&k));
    audit(&k);
    SAY_REFUSED(&k, THIRD, BUILDER, 2, true, ERR_STATE, "release_attest.release");
    kit_stop(&k);
}

/* Signers that were removed do not count for what others finish. */
static void other_signers_begin_anew(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, signers);
    cr_address first = kit_address(FIRST), other = kit_address(OTHER);
    assert_int_equal(say(&k, FIRST, 1, true), OK);
    assert_int_equal(chain_authority_set(k.c, CHAIN_ROLE_RELEASES, &first, 0, false, NULL), OK);
    assert_int_equal(chain_authority_set(k.c, CHAIN_ROLE_RELEASES, &other, 0, true, NULL), OK);
    settle(&k);
    SAY_REFUSED(&k, FIRST, BUILDER, 2, true, ERR_PERMISSION, "release_attest.sender");
    assert_int_equal(say(&k, SECOND, 1, true), OK);
    assert_null(badge(&k));
    assert_int_equal(say(&k, OTHER, 1, true), OK);
    assert_true(live(&k));
    audit(&k);
    kit_stop(&k);
}

static void revoked_by_vote(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, signers);
    assert_true(say(&k, FIRST, 1, true) == OK && say(&k, SECOND, 1, true) == OK);
    cr_address a = kit_address(BUILDER);
    assert_int_equal(chain_badge_revoke(k.c, ECON_MARKETS, CHAIN_BADGE_BUILDER, &a, next_height(&k), NULL), OK);
    settle(&k);
    assert_false(live(&k));
    assert_true(say(&k, FIRST, 1, false) == OK && say(&k, SECOND, 1, false) == OK); /* nothing is left to end */
    assert_int_equal(k.result.txs[0].event_count, 1); /* the signer's word */
    audit(&k);
    kit_stop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(m_of_n), cmocka_unit_test(lapses_and_is_renewed), cmocka_unit_test(taken_back_by_m_of_n),
        cmocka_unit_test(other_signers_begin_anew), cmocka_unit_test(revoked_by_vote),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
