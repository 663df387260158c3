/* SPDX-License-Identifier: Apache-2.0
 * Jurisdiction packs: who may publish what, inheritance, and what each rule does to a transaction. */
#include "chain/ident/ident_kit.h"

enum { RULER = 2, SWISS_RULER = 3, SWITZERLAND = 756, GERMANY = 276, EUROPE = 1000, WORLD = 1999 };

static void rulers(chain_genesis *g)
{
    g->authorities[0] = (chain_authority){ CHAIN_ROLE_PACKS, 0, kit_public(RULER) };
    g->authorities[1] = (chain_authority){ CHAIN_ROLE_PACKS, SWITZERLAND, kit_public(SWISS_RULER) };
    g->authorities[2] = (chain_authority){ CHAIN_ROLE_RELEASES, 0, kit_public(4) };
    g->authority_count = 3;
}

static chain_tx pack_tx(const kit *k, unsigned who, chain_tx_pack_publish p)
{
    chain_tx tx = kit_tx(k, who, CHAIN_TX_PACK_PUBLISH, 0);
    tx.payload.pack_publish = p;
    return tx;
}

static err publish(kit *k, unsigned who, chain_tx_pack_publish p)
{
    chain_tx tx = pack_tx(k, who, p);
    return kit_run(k, &tx, who);
}

static const chain_row_pack *pack(const kit *k, uint32_t region)
{
    return ROW(k, PACK, chain_key_pack(region));
}

#define PACK(of, ...) (chain_tx_pack_publish){ .region = (of), .parent = (of), .version = 1, __VA_ARGS__ }
#define PUBLISH_REFUSED(k, who, p, code, text)   \
    do {                                         \
        chain_tx refused_ = pack_tx(k, who, p);  \
        REFUSED(k, &refused_, who, code, text);  \
    } while (0)

static void who_may_publish(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, rulers);
    PUBLISH_REFUSED(&k, 1, PACK(SWITZERLAND, 0), ERR_PERMISSION, "pack_publish.sender");
    PUBLISH_REFUSED(&k, 4, PACK(SWITZERLAND, 0), ERR_PERMISSION, "pack_publish.sender"); /* another role */
    PUBLISH_REFUSED(&k, SWISS_RULER, PACK(GERMANY, 0), ERR_PERMISSION, "pack_publish.sender");
    assert_int_equal(publish(&k, SWISS_RULER, PACK(SWITZERLAND, .features_off = 1)), OK);
    assert_int_equal(k.result.events[0].type, CHAIN_EVENT_PACK_PUBLISHED);
    PUBLISH_REFUSED(&k, RULER, PACK(SWITZERLAND, 0), ERR_RANGE, "pack_publish.version");
    assert_int_equal(publish(&k, RULER, (chain_tx_pack_publish){ .region = SWITZERLAND, .parent = SWITZERLAND, .version = 2 }), OK);
    assert_int_equal(pack(&k, SWITZERLAND)->features_off, 0);
    assert_int_equal(pack(&k, SWITZERLAND)->version, 2);
    PUBLISH_REFUSED(&k, RULER, ((chain_tx_pack_publish){ .region = GERMANY, .parent = GERMANY }), ERR_RANGE, "pack_publish.version");
    PUBLISH_REFUSED(&k, RULER, PACK(GERMANY, .kyc_level = 1), ERR_RANGE, "pack_publish.kyc_level");
    PUBLISH_REFUSED(&k, RULER, PACK(GERMANY, .kyc_markets = 1), ERR_RANGE, "pack_publish.kyc_level");
    PUBLISH_REFUSED(&k, RULER, PACK(GERMANY, .consent_required = 1), ERR_RANGE, "pack_publish.text");
    assert_int_equal(publish(&k, RULER, PACK(GERMANY, .consent_required = 1, .text = { { 1 } }, .kyc_level = 1, .kyc_markets = 1)), OK);

    cr_address swiss = kit_address(SWISS_RULER);
    assert_int_equal(chain_authority_set(k.c, CHAIN_ROLE_PACKS, &swiss, SWITZERLAND, false, NULL), OK);
    settle(&k);
    PUBLISH_REFUSED(&k, SWISS_RULER, ((chain_tx_pack_publish){ .region = SWITZERLAND, .parent = SWITZERLAND, .version = 3 }), ERR_PERMISSION,
                    "pack_publish.sender");
    audit(&k);
    kit_stop(&k);
}

/* A line of LIMIT_PACK_DEPTH packs and no longer one; only a leaf moves, so that there are no rings. */
static void lines_of_inheritance(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, rulers);
#define CHILD(of, above, number) (chain_tx_pack_publish){ .region = (of), .parent = (above), .version = (number) }
    PUBLISH_REFUSED(&k, RULER, CHILD(10, 11, 1), ERR_NOT_FOUND, "pack_publish.parent");
    assert_int_equal(publish(&k, RULER, PACK(10, 0)), OK);
    for (uint32_t i = 1; i < LIMIT_PACK_DEPTH; i++)
        assert_int_equal(publish(&k, RULER, CHILD(10 + i, 9 + i, 1)), OK);
    assert_int_equal(pack(&k, 13)->depth, LIMIT_PACK_DEPTH);
    PUBLISH_REFUSED(&k, RULER, CHILD(14, 13, 1), ERR_LIMIT, "pack_publish.parent");
    PUBLISH_REFUSED(&k, RULER, CHILD(10, 13, 2), ERR_STATE, "pack_publish.parent"); /* a ring */
    PUBLISH_REFUSED(&k, RULER, CHILD(11, 12, 2), ERR_STATE, "pack_publish.parent"); /* the smallest one */
    PUBLISH_REFUSED(&k, RULER, CHILD(12, 10, 2), ERR_STATE, "pack_publish.parent"); /* it has a child */
    assert_int_equal(publish(&k, RULER, CHILD(13, 10, 2)), OK);                     /* a leaf goes up */
    assert_int_equal(pack(&k, 13)->depth, 2);
    assert_int_equal(pack(&k, 10)->children, 2);
    assert_int_equal(pack(&k, 12)->children, 0);
    assert_int_equal(publish(&k, RULER, CHILD(12, 12, 2)), OK); /* now a leaf: it may leave */
    assert_int_equal(pack(&k, 11)->children, 0);
    assert_int_equal(publish(&k, RULER, CHILD(10, 10, 2)), OK); /* a parent keeps its place and gets other rules */
    assert_int_equal(pack(&k, 10)->children, 2);
    audit(&k);
    kit_stop(&k);
}

/* --- what the rules do --- */

static chain_tx registration(const kit *k, unsigned who)
{
    chain_tx tx = kit_tx(k, who, CHAIN_TX_WORKER_REGISTER, 0);
    tx.payload.worker_register = (chain_tx_worker_register){ .bond = 1000000, .supported_backends = 1, .max_model_parameters = 1,
                                                             .max_batch_size = 1 };
    return tx;
}

static chain_tx job(const kit *k, unsigned who)
{
    chain_tx tx = kit_tx(k, who, CHAIN_TX_JOB_POST, 0);
    tx.payload.job_post = (chain_tx_job_post){
        .coordinator = kit_public(KIT_COORDINATOR), .model_parameters = 1000, .width = 32, .layers = 1, .heads = 2, .context = 64,
        .vocabulary = 73, .operand_bits = 12, .batch_size = 8, .steps = 2, .gradient_format = 1, .sequences_total = 16, .price = 1000,
        .price_sequences = 4, .level_min = 1, .escrow = 4000, .expiry_height = next_height(k) + 40 };
    return tx;
}

static chain_tx transfer(const kit *k, unsigned who, size_t memo)
{
    static const uint8_t text[4] = { 'm', 'e', 'm', 'o' };
    chain_tx tx = kit_tx(k, who, CHAIN_TX_TRANSFER, 0);
    tx.payload.transfer = (chain_tx_transfer){ .to = kit_address(6), .amount = 100, .memo = bytes_of(text, memo) };
    return tx;
}

static err run(kit *k, chain_tx tx, unsigned who)
{
    return kit_run(k, &tx, who);
}

#define RUN_REFUSED(k, made, who, code, text)   \
    do {                                        \
        chain_tx refused_ = made;               \
        REFUSED(k, &refused_, who, code, text); \
    } while (0)

/* Each row: one pack, and which of four transactions of account 1 (attested at level 1 for Switzerland) it stops, by name. */
static void each_rule_stops_what_it_names(void **state)
{
    (void)state;
    static const struct {
        chain_tx_pack_publish p;
        const char           *registration, *job, *memo; /* NULL: admitted */
        err                   code;
    } cases[] = {
        { { .version = 1 }, NULL, NULL, NULL, OK },
        { { .banned = 1 << ECON_COMPUTE }, "pack.banned: worker_register", "pack.banned: job_post", NULL, ERR_PERMISSION },
        { { .banned = 15 & ~(1 << ECON_COMPUTE) }, NULL, NULL, NULL, OK },
        { { .features_off = 1 << CHAIN_FEATURE_WORKER_REGISTER }, "pack.features_off: worker_register", NULL, NULL, ERR_PERMISSION },
        { { .features_off = 1 << CHAIN_FEATURE_JOB_POST }, NULL, "pack.features_off: job_post", NULL, ERR_PERMISSION },
        { { .features_off = 1 << CHAIN_FEATURE_TRANSFER_MEMO }, NULL, NULL, "pack.features_off: transfer.memo", ERR_PERMISSION },
        { { .kyc_markets = 1 << ECON_COMPUTE, .kyc_level = 1 }, NULL, NULL, NULL, OK },
        { { .kyc_markets = 1 << ECON_COMPUTE, .kyc_level = 2 }, "pack.kyc_level: worker_register", "pack.kyc_level: job_post", NULL, ERR_KYC },
        { { .kyc_markets = 1 << ECON_AD, .kyc_level = 3 }, NULL, NULL, NULL, OK },
        { { .consent_required = 1, .text = { { 1 } } }, "pack.consent: worker_register", "pack.consent: job_post", NULL, ERR_PERMISSION },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        kit k;
        kit_start(&k, rulers);
        assert_int_equal(attest(&k, KIT_ISSUER, 1, 1, SWITZERLAND, 1), OK);
        chain_tx_pack_publish p = cases[i].p;
        p.region = p.parent = SWITZERLAND;
        p.version = 1;
        assert_int_equal(publish(&k, RULER, p), OK);
        const char *names[] = { cases[i].registration, cases[i].job, cases[i].memo };
        for (size_t what = 0; what < COUNT_OF(names); what++) {
            chain_tx tx = what == 0 ? registration(&k, 1) : what == 1 ? job(&k, 1) : transfer(&k, 1, 4);
            err e = kit_run(&k, &tx, 1);
            if (e != (names[what] ? cases[i].code : OK) || (names[what] && strcmp(k.result.txs[0].what, names[what]) != 0))
                fail_msg("case %zu, transaction %zu: error %d, %s", i, what, e, k.result.txs[0].what);
        }
        assert_int_equal(run(&k, transfer(&k, 1, 0), 1), OK); /* money moves under every pack */
        assert_int_equal(run(&k, registration(&k, 5), 5), OK); /* another region is not concerned */
        audit(&k);
        kit_stop(&k);
    }
}

/* Nobody is caught: who registered before the ban leaves with the bond. */
static void a_ban_takes_nothing(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, rulers);
    assert_int_equal(attest(&k, KIT_ISSUER, 1, 1, SWITZERLAND, 1), OK);
    assert_int_equal(run(&k, registration(&k, 1), 1), OK);
    assert_int_equal(publish(&k, RULER, PACK(SWITZERLAND, .features_off = 127, .banned = 15)), OK);
    RUN_REFUSED(&k, registration(&k, 1), 1, ERR_PERMISSION, "pack.banned: worker_register");
    chain_tx leave = kit_tx(&k, 1, CHAIN_TX_WORKER_UNREGISTER, 0);
    assert_int_equal(kit_run(&k, &leave, 1), OK);
    kit_advance(&k, 4);
    chain_tx take = kit_tx(&k, 1, CHAIN_TX_WORKER_WITHDRAW, 0);
    assert_int_equal(kit_run(&k, &take, 1), OK);
    assert_int_equal(chain_supply(k.c)->bonds, 0);
    kit_stop(&k);
}

/* The default pack rules whoever has no attestation that counts, and nobody else; its level closes a market to them. */
static void the_default_pack(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, rulers);
    assert_int_equal(publish(&k, RULER, PACK(0, .kyc_markets = 1 << ECON_COMPUTE, .kyc_level = 1)), OK);
    RUN_REFUSED(&k, registration(&k, 1), 1, ERR_KYC, "pack.kyc_level: worker_register");
    assert_int_equal(attest(&k, KIT_ISSUER, 1, 1, GERMANY, 1), OK);
    assert_int_equal(run(&k, registration(&k, 1), 1), OK);
    chain_tx revoke = kit_tx(&k, KIT_ISSUER, CHAIN_TX_KYC_REVOKE, 0);
    revoke.payload.kyc_revoke.subject = kit_address(1);
    assert_int_equal(kit_run(&k, &revoke, KIT_ISSUER), OK);
    RUN_REFUSED(&k, registration(&k, 1), 1, ERR_KYC, "pack.kyc_level: worker_register");
    kit_stop(&k);
}

static void rules_are_inherited(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, rulers);
    assert_int_equal(attest(&k, KIT_ISSUER, 1, 1, SWITZERLAND, 1), OK);
    assert_int_equal(publish(&k, RULER, PACK(WORLD, .banned = 1 << ECON_AD)), OK);
    assert_int_equal(publish(&k, RULER, CHILD(EUROPE, WORLD, 1)), OK);
    assert_int_equal(publish(&k, RULER, CHILD(SWITZERLAND, EUROPE, 1)), OK);
    fault f;
    cr_address a = kit_address(1);
    assert_int_equal(chain_pack_check(k.c, &a, CHAIN_FEATURE_PROVIDER_REGISTER, ECON_AD, next_height(&k), &f), ERR_PERMISSION);
    assert_string_equal(f.what, "pack.banned: provider_register");
    assert_int_equal(chain_pack_check(k.c, &a, CHAIN_FEATURE_PROVIDER_REGISTER, ECON_ENERGY, next_height(&k), &f), OK);
    assert_int_equal(run(&k, registration(&k, 1), 1), OK);
    /* The parent changes, and with it the rules below; the greatest level of a line holds. */
    assert_int_equal(publish(&k, RULER, (chain_tx_pack_publish){ .region = EUROPE, .parent = WORLD, .version = 2, .kyc_level = 2,
                                                                 .kyc_markets = 1 << ECON_COMPUTE }), OK);
    RUN_REFUSED(&k, registration(&k, 1), 1, ERR_KYC, "pack.kyc_level: worker_register");
    assert_int_equal(publish(&k, RULER, (chain_tx_pack_publish){ .region = SWITZERLAND, .parent = EUROPE, .version = 2, .kyc_level = 1,
                                                                 .kyc_markets = 1 << ECON_COMPUTE }), OK);
    RUN_REFUSED(&k, registration(&k, 1), 1, ERR_KYC, "pack.kyc_level: worker_register");
    assert_int_equal(attest(&k, KIT_ISSUER, 1, 2, SWITZERLAND, 1), OK);
    assert_int_equal(run(&k, registration(&k, 1), 1), OK);
    kit_stop(&k);
}

static chain_tx consent(const kit *k, unsigned who, uint32_t region, uint64_t version)
{
    chain_tx tx = kit_tx(k, who, CHAIN_TX_PACK_CONSENT, 0);
    tx.payload.pack_consent = (chain_tx_pack_consent){ .region = region, .version = version };
    return tx;
}

static void consent_is_to_a_version(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, rulers);
    assert_int_equal(attest(&k, KIT_ISSUER, 1, 1, SWITZERLAND, 1), OK);
    RUN_REFUSED(&k, consent(&k, 1, SWITZERLAND, 1), 1, ERR_NOT_FOUND, "pack_consent.region");
    assert_int_equal(publish(&k, RULER, PACK(EUROPE, .consent_required = 1, .text = { { 1 } })), OK);
    assert_int_equal(publish(&k, RULER, CHILD(SWITZERLAND, EUROPE, 1)), OK); /* what the parent demands the child demands */
    RUN_REFUSED(&k, job(&k, 1), 1, ERR_PERMISSION, "pack.consent: job_post");
    RUN_REFUSED(&k, consent(&k, 1, EUROPE, 1), 1, ERR_PERMISSION, "pack_consent.region");
    RUN_REFUSED(&k, consent(&k, 5, SWITZERLAND, 1), 5, ERR_PERMISSION, "pack_consent.region");
    RUN_REFUSED(&k, consent(&k, 1, SWITZERLAND, 2), 1, ERR_STALE, "pack_consent.version");
    assert_int_equal(run(&k, consent(&k, 1, SWITZERLAND, 1), 1), OK);
    assert_int_equal(run(&k, job(&k, 1), 1), OK);
    assert_int_equal(publish(&k, RULER, CHILD(SWITZERLAND, EUROPE, 2)), OK); /* other rules: ask again */
    RUN_REFUSED(&k, job(&k, 1), 1, ERR_PERMISSION, "pack.consent: job_post");
    assert_int_equal(run(&k, transfer(&k, 1, 4), 1), OK); /* not gated */
    assert_int_equal(run(&k, consent(&k, 1, SWITZERLAND, 2), 1), OK);
    assert_int_equal(run(&k, job(&k, 1), 1), OK);
    assert_int_equal(publish(&k, RULER, (chain_tx_pack_publish){ .region = GERMANY, .parent = EUROPE, .version = 2 }), OK);
    assert_int_equal(attest(&k, KIT_ISSUER, 1, 1, GERMANY, 1), OK); /* it moves: consent was to another region's */
    RUN_REFUSED(&k, job(&k, 1), 1, ERR_PERMISSION, "pack.consent: job_post");
    audit(&k);
    kit_stop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_may_publish),  cmocka_unit_test(lines_of_inheritance), cmocka_unit_test(each_rule_stops_what_it_names),
        cmocka_unit_test(a_ban_takes_nothing), cmocka_unit_test(the_default_pack),  cmocka_unit_test(rules_are_inherited),
        cmocka_unit_test(consent_is_to_a_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
