/* SPDX-License-Identifier: Apache-2.0
 * Overlays: foundation, each rule of membership, the pot to the nBLOCK. Polls: overlay_poll_test.c. */
#include "chain/ident/overlay_kit.h"

static void founding(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, quick_badges);
    hash256 id = overlay_id("guild");
    NOT(&k, 1, overlay_join(&k, 1, &id, 0, 0), ERR_NOT_FOUND, "overlay_join.overlay");
    chain_tx tx = overlay_create(&k, 1, "guild", NULL, 0);
    tx.payload.overlay_create.vote_base = 0;
    REFUSED(&k, &tx, 1, ERR_RANGE, "overlay_create.vote_base");
    tx = overlay_create(&k, 1, "guild", NULL, 0);
    tx.payload.overlay_create.threshold_ppm = 499999;
    REFUSED(&k, &tx, 1, ERR_RANGE, "overlay_create.threshold_ppm");
    DO(&k, 1, overlay_create(&k, 1, "guild", NULL, 0));
    assert_string_equal(chain_overlay(k.c, &id)->community.text, "guild");
    NOT(&k, 2, overlay_create(&k, 2, "guild", NULL, 0), ERR_EXISTS, "overlay_create.community");
    DO(&k, 2, overlay_create(&k, 2, "guild2", NULL, 0));
    DO(&k, 3, overlay_join(&k, 3, &id, 0, 0)); /* no rules: open to all */
    assert_true(inside(&k, &id, 3));
    assert_false(inside(&k, &id, 1)); /* the founder is none before it joins */
    audit(&k);
    kit_stop(&k);
}

static void rules_in_bounds(void **state)
{
    (void)state;
    static const struct {
        chain_rule  rule;
        const char *what; /* NULL: admitted */
    } cases[] = {
        { { .kind = 0 }, "overlay_create.rules: kind" },
        { { .kind = 5 }, "overlay_create.rules: kind" },
        { { .kind = CHAIN_RULE_BADGE, .number = UINT64_MAX, .detail = 4 }, NULL },
        { { .kind = CHAIN_RULE_BADGE, .detail = 5 }, "overlay_create.rules: detail" },
        { { .kind = CHAIN_RULE_STAKE, .number = CHAIN_AMOUNT_MAX }, NULL },
        { { .kind = CHAIN_RULE_STAKE, .number = CHAIN_AMOUNT_MAX + 1 }, "overlay_create.rules: number" },
        { { .kind = CHAIN_RULE_STAKE }, "overlay_create.rules: number" },
        { { .kind = CHAIN_RULE_STAKE, .number = 1, .detail = 1 }, "overlay_create.rules: detail" },
        { { .kind = CHAIN_RULE_ATTESTATION, .detail = UINT32_MAX, .attestor = { { 1 } } }, NULL },
        { { .kind = CHAIN_RULE_ATTESTATION, .number = 1 }, "overlay_create.rules: number" },
        { { .kind = CHAIN_RULE_VOUCH, .number = 8 }, NULL },
        { { .kind = CHAIN_RULE_VOUCH, .number = 9 }, "overlay_create.rules: number" },
        { { .kind = CHAIN_RULE_VOUCH }, "overlay_create.rules: number" },
        { { .kind = CHAIN_RULE_VOUCH, .number = 1, .detail = 1 }, "overlay_create.rules: detail" },
    };
    chain_rule back[4];
    size_t count;
    uint8_t buffer[512];
    bytes items;
    fault f;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        chain_rule two[2] = { { .kind = CHAIN_RULE_VOUCH, .number = 1 }, cases[i].rule };
        assert_int_equal(chain_rules_encode(&items, buffer, sizeof buffer, two, 2), OK);
        err e = chain_rules_decode(back, &count, items, &f);
        if (e != (cases[i].what ? ERR_RANGE : OK) || (cases[i].what && strcmp(f.what, cases[i].what) != 0))
            fail_msg("case %zu: error %d, %s", i, e, f.what);
        if (!cases[i].what)
            assert_true(count == 2 && memcmp(&back[1].attestor, &two[1].attestor, 32) == 0 && back[1].number == two[1].number &&
                        back[1].detail == two[1].detail && back[2].kind == 0);
    }
    chain_rule five[5] = { { .kind = CHAIN_RULE_VOUCH, .number = 1 } };
    for (size_t i = 1; i < 5; i++)
        five[i] = five[0];
    assert_int_equal(chain_rules_encode(&items, buffer, sizeof buffer, five, 5), OK);
    assert_int_not_equal(chain_rules_decode(back, &count, items, &f), OK);
    assert_int_equal(chain_rules_encode(&items, buffer, sizeof buffer, five, 4), OK);
    assert_int_equal(chain_rules_decode(back, &count, items, &f), OK);
    static const uint8_t attestor_of_a_vouch[] = { 0x81, 0x84, 4, 1, 0, 0x41, 7 }, short_attestor[] = { 0x81, 0x84, 3, 0, 0, 0x41, 7 };
    assert_int_equal(chain_rules_decode(back, &count, BYTES_OF(attestor_of_a_vouch), &f), ERR_RANGE);
    assert_string_equal(f.what, "overlay_create.rules: attestor");
    assert_int_equal(chain_rules_decode(back, &count, BYTES_OF(short_attestor), &f), ERR_RANGE);
}

/* Founds "guild" with these rules; the founder is account 7. */
static hash256 guild(kit *k, const chain_rule *rules, size_t count)
{
    kit_start(k, quick_badges);
    DO(k, 7, overlay_create(k, 7, "guild", rules, count));
    return overlay_id("guild");
}

static void the_badge_rule(void **state)
{
    (void)state;
    kit k;
    const chain_rule rule = { .kind = CHAIN_RULE_BADGE, .number = 3, .detail = ECON_ENERGY };
    hash256 id = guild(&k, &rule, 1);
    NOT(&k, 1, overlay_join(&k, 1, &id, 0, 0), ERR_PERMISSION, "overlay.rule: badge");
    serve(&k, 1, ECON_COMPUTE); /* of another market */
    serve(&k, 2, ECON_ENERGY);
    settle(&k); /* 1 */
    for (unsigned held = 1; held < 3; held++)
        NOT(&k, 2, overlay_join(&k, 2, &id, 0, 0), ERR_PERMISSION, "overlay.rule: badge");
    NOT(&k, 1, overlay_join(&k, 1, &id, 0, 0), ERR_PERMISSION, "overlay.rule: badge");
    DO(&k, 2, overlay_join(&k, 2, &id, 0, 0));
    NOT(&k, 7, overlay_join(&k, 7, &id, 0, 0), ERR_PERMISSION, "overlay.rule: badge"); /* the founder, too */

    /* It lapses: no renewal, no act; and anybody may end the membership. */
    NOT(&k, 3, overlay_leave(&k, 3, &id, 2), ERR_PERMISSION, "overlay_leave.member");
    kit_advance(&k, 30);
    assert_true(inside(&k, &id, 2));
    NOT(&k, 2, overlay_join(&k, 2, &id, 0, 0), ERR_PERMISSION, "overlay.rule: badge");
    NOT(&k, 2, overlay_poll(&k, 2, &id, 5), ERR_PERMISSION, "overlay.rule: badge");
    DO(&k, 3, overlay_leave(&k, 3, &id, 2));
    assert_false(inside(&k, &id, 2));
    audit(&k);
    kit_stop(&k);
}

static void the_stake_rule(void **state)
{
    (void)state;
    kit k;
    const chain_rule rule = { .kind = CHAIN_RULE_STAKE, .number = 5 * (uint64_t)BLOCK };
    hash256 id = guild(&k, &rule, 1);
    NOT(&k, 1, overlay_join(&k, 1, &id, 5 * (uint64_t)BLOCK - 1, 0), ERR_PERMISSION, "overlay.rule: stake");
    NOT(&k, 1, overlay_join(&k, 1, &id, KIT_BALANCE, 0), ERR_FUNDS, "overlay_join.stake");
    uint64_t before = kit_balance(&k, 1);
    DO(&k, 1, overlay_join(&k, 1, &id, 5 * (uint64_t)BLOCK, 0));
    assert_int_equal(kit_balance(&k, 1), before - 5 * (uint64_t)BLOCK - k.result.txs[0].fee);
    assert_int_equal(chain_supply(k.c)->stakes, 5 * (uint64_t)BLOCK);
    DO(&k, 1, overlay_join(&k, 1, &id, 7, 0)); /* more of it */
    assert_int_equal(member(&k, &id, 1)->stake, 5 * (uint64_t)BLOCK + 7);
    assert_int_equal(chain_overlay(k.c, &id)->members, 1);
    audit(&k);
    before = kit_balance(&k, 1);
    DO(&k, 1, overlay_leave(&k, 1, &id, 1));
    assert_int_equal(kit_balance(&k, 1), before + 5 * (uint64_t)BLOCK + 7 - k.result.txs[0].fee);
    assert_int_equal(chain_supply(k.c)->stakes, 0);
    NOT(&k, 1, overlay_leave(&k, 1, &id, 1), ERR_NOT_FOUND, "overlay_leave.member");
    audit(&k);
    kit_stop(&k);
}

static void the_attestation_rule(void **state)
{
    (void)state;
    kit k;
    cr_address attestor = kit_address(5);
    chain_rule rules[2] = { { .kind = CHAIN_RULE_STAKE, .number = 1 }, { .kind = CHAIN_RULE_ATTESTATION, .detail = 9 } };
    memcpy(rules[1].attestor.b, attestor.hash, 32);
    hash256 id = guild(&k, rules, 2), none = { { 1 } };
    NOT(&k, 1, overlay_join(&k, 1, &id, 1, 0), ERR_PERMISSION, "overlay.rule: attestation");
    NOT(&k, 5, overlay_attest(&k, 5, &none, 1, 2, true), ERR_NOT_FOUND, "overlay_attest.overlay");
    NOT(&k, 5, overlay_attest(&k, 5, &id, 1, 0, true), ERR_RANGE, "overlay_attest.rule");
    NOT(&k, 5, overlay_attest(&k, 5, &id, 1, 1, true), ERR_RANGE, "overlay_attest.rule"); /* that rule is about stake */
    NOT(&k, 5, overlay_attest(&k, 5, &id, 1, 3, true), ERR_RANGE, "overlay_attest.rule");
    NOT(&k, 6, overlay_attest(&k, 6, &id, 1, 2, true), ERR_PERMISSION, "overlay_attest.sender");
    NOT(&k, 5, overlay_attest(&k, 5, &id, 1, 2, false), ERR_NOT_FOUND, "overlay_attest.subject");
    chain_tx tx = overlay_attest(&k, 5, &id, 1, 2, true);
    tx.payload.overlay_attest.subject = chain_treasury_address();
    REFUSED(&k, &tx, 5, ERR_ADDRESS, "overlay_attest.subject");
    DO(&k, 5, overlay_attest(&k, 5, &id, 1, 2, true));
    NOT(&k, 5, overlay_attest(&k, 5, &id, 1, 2, true), ERR_DUPLICATE, "overlay_attest.subject");
    NOT(&k, 1, overlay_join(&k, 1, &id, 0, 0), ERR_PERMISSION, "overlay.rule: stake"); /* all rules, not one of them */
    DO(&k, 1, overlay_join(&k, 1, &id, 1, 0));
    NOT(&k, 2, overlay_join(&k, 2, &id, 1, 0), ERR_PERMISSION, "overlay.rule: attestation"); /* it was for another */
    DO(&k, 5, overlay_attest(&k, 5, &id, 1, 2, false));
    NOT(&k, 1, overlay_join(&k, 1, &id, 0, 0), ERR_PERMISSION, "overlay.rule: attestation");
    DO(&k, 6, overlay_leave(&k, 6, &id, 1));
    assert_int_equal(chain_supply(k.c)->stakes, 0); /* it went back */
    audit(&k);
    kit_stop(&k);
}

static void the_vouch_rule(void **state)
{
    (void)state;
    kit k;
    const chain_rule rule = { .kind = CHAIN_RULE_VOUCH, .number = 2 };
    hash256 id = guild(&k, &rule, 1);
    NOT(&k, 1, overlay_join(&k, 1, &id, 0, 0), ERR_PERMISSION, "overlay.rule: vouch");
    NOT(&k, 7, overlay_vouch(&k, 7, &id, 1), ERR_PERMISSION, "overlay_vouch.overlay"); /* no member yet */
    DO(&k, 7, overlay_join(&k, 7, &id, 0, 0));                                         /* somebody has to be the first */
    NOT(&k, 7, overlay_vouch(&k, 7, &id, 7), ERR_STATE, "overlay_vouch.subject");
    DO(&k, 7, overlay_vouch(&k, 7, &id, 1));
    NOT(&k, 7, overlay_vouch(&k, 7, &id, 1), ERR_DUPLICATE, "overlay_vouch.subject");
    NOT(&k, 1, overlay_join(&k, 1, &id, 0, 0), ERR_PERMISSION, "overlay.rule: vouch"); /* one of two */
    DO(&k, 7, overlay_leave(&k, 7, &id, 7));
    DO(&k, 7, overlay_join(&k, 7, &id, 0, 0));
    NOT(&k, 7, overlay_vouch(&k, 7, &id, 1), ERR_DUPLICATE, "overlay_vouch.subject"); /* coming back makes no second voice */

    DO(&k, 7, overlay_vouch(&k, 7, &id, 2));
    NOT(&k, 2, overlay_vouch(&k, 2, &id, 1), ERR_PERMISSION, "overlay_vouch.overlay");
    audit(&k);
    kit_stop(&k);
}

/* With one voucher asked for, members bring in members, up to eight for one account; who left needs new ones. */
static void vouchers_have_places(void **state)
{
    (void)state;
    kit k;
    const chain_rule rule = { .kind = CHAIN_RULE_VOUCH, .number = 1 };
    hash256 id = guild(&k, &rule, 1);
    DO(&k, 7, overlay_join(&k, 7, &id, 0, 0));
    static const unsigned people[] = { 0, 1, 2, 3, 4, 5, 6, KIT_ISSUER };
    for (size_t i = 0; i < COUNT_OF(people); i++) {
        DO(&k, 7, overlay_vouch(&k, 7, &id, people[i]));
        DO(&k, people[i], overlay_join(&k, people[i], &id, 0, 0));
    }
    assert_int_equal(chain_overlay(k.c, &id)->members, 9);
    for (size_t i = 0; i < COUNT_OF(people); i++)
        DO(&k, people[i], overlay_vouch(&k, people[i], &id, KIT_COORDINATOR));
    NOT(&k, 7, overlay_vouch(&k, 7, &id, KIT_COORDINATOR), ERR_LIMIT, "overlay_vouch.subject");
    DO(&k, KIT_COORDINATOR, overlay_join(&k, KIT_COORDINATOR, &id, 0, 0));
    NOT(&k, 7, overlay_vouch(&k, 7, &id, KIT_COORDINATOR), ERR_STATE, "overlay_vouch.subject");
    DO(&k, KIT_COORDINATOR, overlay_leave(&k, KIT_COORDINATOR, &id, KIT_COORDINATOR));
    NOT(&k, KIT_COORDINATOR, overlay_join(&k, KIT_COORDINATOR, &id, 0, 0), ERR_PERMISSION, "overlay.rule: vouch");
    audit(&k);
    kit_stop(&k);
}

static void vouches_need_the_rule(void **state)
{
    (void)state;
    kit k;
    hash256 id = guild(&k, NULL, 0);
    DO(&k, 7, overlay_join(&k, 7, &id, 0, 0));
    NOT(&k, 7, overlay_vouch(&k, 7, &id, 1), ERR_UNSUPPORTED, "overlay_vouch.overlay");
    kit_stop(&k);
}

/* --- the pot --- */

static void attest_all(kit *k)
{
    for (unsigned i = 0; i < KIT_ACCOUNTS; i++)
        CHECK(attest(k, KIT_ISSUER, i, 1, 756, (uint8_t)(i + 1)) == OK);
}

/* What the transaction brought its sender, besides the fee. */
static int64_t gain(kit *k, chain_tx tx, unsigned who)
{
    uint64_t before = kit_balance(k, who);
    assert_int_equal(kit_run(k, &tx, who), OK);
    return (int64_t)(kit_balance(k, who) + k->result.txs[0].fee) - (int64_t)before;
}

static void the_pot_is_divided_exactly(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, quick_badges);
    attest_all(&k);
    chain_tx tx = overlay_create(&k, 7, "guild", NULL, 0);
    tx.payload.overlay_create.pay_base = 2;
    tx.payload.overlay_create.pay_ad = 3;
    assert_int_equal(kit_run(&k, &tx, 7), OK);
    hash256 id = overlay_id("guild");
    serve(&k, 2, ECON_AD);
    settle(&k);
    DO(&k, 1, overlay_join(&k, 1, &id, 0, 0));
    DO(&k, 2, overlay_join(&k, 2, &id, 0, 0));
    assert_int_equal(member(&k, &id, 1)->pay_weight, 2);
    assert_int_equal(member(&k, &id, 2)->pay_weight, 5);

    assert_int_equal(gain(&k, overlay_join(&k, 1, &id, 0, 100), 1), -100); /* 14 a weight, 2 left over */
    assert_int_equal(chain_overlay(k.c, &id)->undivided, 2);
    assert_int_equal(chain_supply(k.c)->escrow, 100);
    audit(&k);
    DO(&k, 3, overlay_join(&k, 3, &id, 0, 0)); /* too late for that */
    assert_int_equal(gain(&k, overlay_join(&k, 2, &id, 0, 0), 2), 70);
    assert_int_equal(gain(&k, overlay_join(&k, 2, &id, 0, 0), 2), 0); /* once */
    assert_int_equal(gain(&k, overlay_join(&k, 1, &id, 0, 0), 1), 28);
    assert_int_equal(gain(&k, overlay_join(&k, 3, &id, 0, 16), 3), -16); /* with the 2: two for each of nine */
    assert_int_equal(chain_overlay(k.c, &id)->undivided, 0);
    assert_int_equal(gain(&k, overlay_leave(&k, 3, &id, 3), 3), 4);
    assert_int_equal(gain(&k, overlay_join(&k, 3, &id, 0, 0), 3), 0); /* who comes back has no claim on the past */
    audit(&k);

    /* The badge lapses: what it earned up to then is paid with its weight, what comes later without. */
    kit_advance(&k, 31);
    assert_int_equal(gain(&k, overlay_join(&k, 2, &id, 0, 0), 2), 10);
    assert_int_equal(member(&k, &id, 2)->pay_weight, 2);
    assert_int_equal(gain(&k, overlay_join(&k, 2, &id, 0, 60), 2), -60);
    assert_int_equal(gain(&k, overlay_leave(&k, 1, &id, 1), 1), 24); /* 4 of the second gift, 20 of the last */
    assert_int_equal(gain(&k, overlay_join(&k, 2, &id, 0, 5), 2), 20 - 5); /* 1 a weight, 1 left over */
    assert_int_equal(gain(&k, overlay_leave(&k, 3, &id, 3), 3), 22);
    assert_int_equal(gain(&k, overlay_leave(&k, 2, &id, 2), 2), 2 + 1); /* the last one has the rest */
    assert_int_equal(chain_supply(k.c)->escrow, 0);
    assert_int_equal(chain_overlay(k.c, &id)->pot, 0);
    audit(&k);
    kit_stop(&k);
}

static void gifts_pay_the_tariff(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, NULL); /* no epoch ends, so that the treasury has nothing else */
    DO(&k, 7, overlay_create(&k, 7, "guild", NULL, 0));
    hash256 id = overlay_id("guild");
    DO(&k, 1, overlay_join(&k, 1, &id, 1000, 0)); /* a stake that comes back is free */
    assert_int_equal(chain_supply(k.c)->treasury, 0);
    DO(&k, 2, overlay_join(&k, 2, &id, 0, 100000));
    assert_int_equal(chain_supply(k.c)->treasury, 1000);
    assert_int_equal(chain_supply(k.c)->escrow, 99000);
    assert_int_equal(k.result.events[0].type, CHAIN_EVENT_TARIFF_COLLECTED);
    assert_int_equal(attest(&k, KIT_ISSUER, 2, 1, 756, 1), OK);
    DO(&k, 2, overlay_join(&k, 2, &id, 0, 100000));
    assert_int_equal(chain_supply(k.c)->treasury, 1000);
    assert_int_equal(gain(&k, overlay_join(&k, 1, &id, 0, 0), 1), (99000 + 100000) / 2);
    audit(&k);
    kit_stop(&k);
}

static void a_pot_needs_shares(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, quick_badges);
    chain_tx tx = overlay_create(&k, 7, "guild", NULL, 0);
    tx.payload.overlay_create.pay_base = 0;
    tx.payload.overlay_create.pay_storage = 1;
    assert_int_equal(kit_run(&k, &tx, 7), OK);
    hash256 id = overlay_id("guild");
    NOT(&k, 1, overlay_join(&k, 1, &id, 0, 10), ERR_STATE, "overlay_join.fund"); /* nobody could ever have it */
    assert_false(inside(&k, &id, 1));
    DO(&k, 1, overlay_join(&k, 1, &id, 0, 0));
    NOT(&k, 1, overlay_join(&k, 1, &id, 0, KIT_BALANCE), ERR_STATE, "overlay_join.fund");
    serve(&k, 2, ECON_STORAGE);
    settle(&k);
    DO(&k, 2, overlay_join(&k, 2, &id, 0, 0));
    NOT(&k, 1, overlay_join(&k, 1, &id, 0, KIT_BALANCE), ERR_FUNDS, "overlay_join.fund");
    DO(&k, 1, overlay_join(&k, 1, &id, 0, 1000));
    assert_int_equal(gain(&k, overlay_join(&k, 2, &id, 0, 0), 2), 990);
    audit(&k);
    kit_stop(&k);
}

/* The mempool knows what a join takes. */
static void admission_counts_both_amounts(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, quick_badges);
    hash256 id = overlay_id("guild");
    chain_tx ignored, tx = overlay_join(&k, 1, &id, KIT_BALANCE / 2, KIT_BALANCE / 2);
    assert_int_equal(chain_check(k.c, &ignored, kit_sign(&tx, 1), (chain_check_flags){ 0 }, NULL), ERR_FUNDS);
    tx = overlay_join(&k, 1, &id, KIT_BALANCE / 2, KIT_BALANCE / 4);
    assert_int_equal(chain_check(k.c, &ignored, kit_sign(&tx, 1), (chain_check_flags){ 0 }, NULL), OK);
    kit_stop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(founding),              cmocka_unit_test(rules_in_bounds),       cmocka_unit_test(the_badge_rule),
        cmocka_unit_test(the_stake_rule),        cmocka_unit_test(the_attestation_rule),  cmocka_unit_test(the_vouch_rule),
        cmocka_unit_test(vouchers_have_places),  cmocka_unit_test(vouches_need_the_rule), cmocka_unit_test(the_pot_is_divided_exactly),
        cmocka_unit_test(gifts_pay_the_tariff),  cmocka_unit_test(a_pot_needs_shares),    cmocka_unit_test(admission_counts_both_amounts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
