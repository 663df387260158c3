/* SPDX-License-Identifier: Apache-2.0
 * KYC: every change acts from the next block on, and persons are counted once. The refusals of the two transactions: chain_test.c. */
#include "chain/ident/ident_kit.h"

enum { SECOND_ISSUER = 7 };

static void two_issuers(chain_genesis *g)
{
    static cr_public_key issuers[2];
    issuers[0] = kit_public(KIT_ISSUER);
    issuers[1] = kit_public(SECOND_ISSUER);
    g->issuers = issuers;
    g->issuer_count = 2;
}

static chain_tx transfer(const kit *k, unsigned from, uint64_t amount)
{
    chain_tx tx = kit_tx(k, from, CHAIN_TX_TRANSFER, 0);
    tx.payload.transfer = (chain_tx_transfer){ .to = kit_address(50), .amount = amount };
    return tx;
}

/* The tariff that a transfer of 1,000,000 by account 1 pays in its own block: what KYC is worth there. */
static uint64_t tariff_paid(kit *k)
{
    uint64_t before = chain_supply(k->c)->treasury;
    chain_tx tx = transfer(k, 1, 1000000);
    assert_int_equal(kit_run(k, &tx, 1), OK);
    return chain_supply(k->c)->treasury - before;
}

/* Issue, expire, withdraw, remove and admit the issuer, replace: the transfer of the next block pays by it. */
static void each_change_acts_on_the_next_block(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, two_issuers);
    cr_address issuer = kit_address(KIT_ISSUER);
    assert_int_equal(tariff_paid(&k), 10000);
    assert_int_equal(attest(&k, KIT_ISSUER, 1, 1, 756, 1), OK);
    assert_int_equal(tariff_paid(&k), 0);

    chain_tx revoke = kit_tx(&k, KIT_ISSUER, CHAIN_TX_KYC_REVOKE, 0);
    revoke.payload.kyc_revoke.subject = kit_address(1);
    assert_int_equal(kit_run(&k, &revoke, KIT_ISSUER), OK);
    assert_int_equal(tariff_paid(&k), 10000);

    chain_tx tx = kit_tx(&k, KIT_ISSUER, CHAIN_TX_KYC_ATTEST, 0);
    tx.payload.kyc_attest = (chain_tx_kyc_attest){ .subject = kit_address(1), .level = 1, .jurisdiction = 756,
                                                   .expiry_height = next_height(&k) + 1 };
    assert_int_equal(kit_run(&k, &tx, KIT_ISSUER), OK);
    assert_int_equal(tariff_paid(&k), 0); /* its last block */
    assert_int_equal(tariff_paid(&k), 10000);

    assert_int_equal(attest(&k, KIT_ISSUER, 1, 1, 756, 1), OK);
    assert_int_equal(chain_issuer_set(k.c, &issuer, false, next_height(&k), NULL), OK);
    assert_int_equal(tariff_paid(&k), 10000);
    assert_int_equal(attest(&k, KIT_ISSUER, 2, 1, 756, 1), ERR_PERMISSION);
    assert_int_equal(attest(&k, SECOND_ISSUER, 1, 3, 250, 9), OK); /* replaces what no longer counts */
    assert_int_equal(tariff_paid(&k), 0);
    cr_address one = kit_address(1);
    assert_int_equal(chain_region_at(k.c, &one, next_height(&k)), 250);
    assert_int_equal(chain_kyc_at(k.c, &one, next_height(&k))->level, 3);

    assert_int_equal(chain_issuer_set(k.c, &issuer, true, next_height(&k), NULL), OK);
    settle(&k);
    assert_int_equal(attest(&k, KIT_ISSUER, 1, 1, 756, 1), ERR_EXISTS); /* the second issuer's counts */
    assert_int_equal(attest(&k, KIT_ISSUER, 2, 1, 756, 1), OK);
    audit(&k);
    kit_stop(&k);
}

static void issuers_by_vote(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, NULL);
    fault f = { 0 };
    cr_address a = kit_address(3), keyless = chain_treasury_address();
    assert_int_equal(attest(&k, 3, 1, 1, 756, 1), ERR_PERMISSION);
    assert_int_equal(chain_issuer_set(k.c, &keyless, true, 5, &f), ERR_ADDRESS);
    assert_string_equal(f.what, "issuer.address");
    uint64_t height = next_height(&k);
    assert_int_equal(chain_issuer_set(k.c, &a, false, height, &f), OK); /* it is none */
    assert_null(ROW(&k, ISSUER, chain_key_address(&a)));
    assert_int_equal(chain_issuer_set(k.c, &a, true, height, &f), OK);
    assert_int_equal(k.c->events[k.c->event_count - 1].type, CHAIN_EVENT_ISSUER_CHANGED);
    settle(&k);
    const chain_row_issuer *row = ROW(&k, ISSUER, chain_key_address(&a));
    assert_int_equal(row->changed_height, height);
    assert_int_equal(chain_issuer_set(k.c, &a, true, height + 1, &f), OK); /* nothing changes */
    assert_int_equal(row->changed_height, height);
    assert_int_equal(attest(&k, 3, 1, 1, 756, 1), OK);
    audit(&k);
    kit_stop(&k);
}

static uint64_t accounts_of(const kit *k, unsigned issuer, uint8_t commitment)
{
    cr_address a = kit_address(issuer);
    hash256 h = { { commitment } };
    const chain_row_person *row = ROW(k, PERSON, chain_key_person(&a, &h));
    return row ? row->accounts : 0;
}

static void one_commitment_is_one_person(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, two_issuers);
    cr_address one = kit_address(1), two = kit_address(2), three = kit_address(3);
    chain_key p1, p2, p3;
    assert_false(chain_person_at(k.c, &p1, &one, 1));
    assert_int_equal(attest(&k, KIT_ISSUER, 1, 1, 756, 5), OK);
    assert_int_equal(attest(&k, KIT_ISSUER, 2, 2, 276, 5), OK);
    assert_int_equal(attest(&k, SECOND_ISSUER, 3, 1, 756, 5), OK);
    assert_true(chain_person_at(k.c, &p1, &one, next_height(&k)) && chain_person_at(k.c, &p2, &two, next_height(&k)) &&
                chain_person_at(k.c, &p3, &three, next_height(&k)));
    assert_memory_equal(&p1, &p2, sizeof p1);
    assert_true(memcmp(&p1, &p3, sizeof p1) != 0); /* another issuer may use the same salt by chance, or to harm */
    assert_int_equal(accounts_of(&k, KIT_ISSUER, 5), 2);
    assert_int_equal(attest(&k, KIT_ISSUER, 2, 2, 276, 5), OK); /* renewed: counted once */
    assert_int_equal(accounts_of(&k, KIT_ISSUER, 5), 2);
    assert_int_equal(attest(&k, KIT_ISSUER, 2, 2, 276, 6), OK); /* another person now */
    assert_int_equal(accounts_of(&k, KIT_ISSUER, 5), 1);
    assert_int_equal(accounts_of(&k, KIT_ISSUER, 6), 1);
    chain_tx revoke = kit_tx(&k, KIT_ISSUER, CHAIN_TX_KYC_REVOKE, 0);
    revoke.payload.kyc_revoke.subject = one;
    assert_int_equal(kit_run(&k, &revoke, KIT_ISSUER), OK);
    assert_int_equal(accounts_of(&k, KIT_ISSUER, 5), 0);
    assert_false(chain_person_at(k.c, &p1, &one, next_height(&k)));
    assert_int_equal(attest(&k, SECOND_ISSUER, 1, 1, 756, 5), OK); /* a withdrawn one has left already */
    assert_int_equal(accounts_of(&k, SECOND_ISSUER, 5), 2);
    audit(&k);
    kit_stop(&k);
}

static void authorities_by_vote(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, NULL);
    fault f = { 0 };
    cr_address a = kit_address(1), b = kit_address(2), keyless = chain_treasury_address();
    assert_int_equal(chain_authority_set(k.c, (chain_role)3, &a, 0, true, &f), ERR_RANGE);
    assert_string_equal(f.what, "authority.role");
    assert_int_equal(chain_authority_set(k.c, CHAIN_ROLE_PACKS, &keyless, 0, true, &f), ERR_ADDRESS);
    assert_int_equal(chain_authority_set(k.c, CHAIN_ROLE_PACKS, &a, (uint32_t)LIMIT_REGION + 1, true, &f), ERR_RANGE);
    assert_int_equal(chain_authority_set(k.c, CHAIN_ROLE_RELEASES, &a, 1, true, &f), ERR_RANGE);
    assert_string_equal(f.what, "authority.scope");
    assert_int_equal(chain_authority_set(k.c, CHAIN_ROLE_RELEASES, &b, 0, false, &f), OK); /* it is none */
    assert_int_equal(chain_authority_generation(k.c, CHAIN_ROLE_RELEASES), 0);

    assert_int_equal(chain_authority_set(k.c, CHAIN_ROLE_RELEASES, &a, 0, true, &f), OK);
    assert_int_equal(chain_authority_set(k.c, CHAIN_ROLE_RELEASES, &b, 0, true, &f), OK);
    assert_int_equal(chain_authority_get(k.c, CHAIN_ROLE_RELEASES, &a)->slot, 0);
    assert_int_equal(chain_authority_get(k.c, CHAIN_ROLE_RELEASES, &b)->slot, 1);
    assert_null(chain_authority_get(k.c, CHAIN_ROLE_PACKS, &a));
    assert_int_equal(chain_authority_set(k.c, CHAIN_ROLE_RELEASES, &a, 0, false, &f), OK);
    assert_null(chain_authority_get(k.c, CHAIN_ROLE_RELEASES, &a));
    assert_int_equal(chain_authority_set(k.c, CHAIN_ROLE_RELEASES, &a, 0, true, &f), OK);
    assert_int_equal(chain_authority_get(k.c, CHAIN_ROLE_RELEASES, &a)->slot, 0); /* its old bit */
    assert_int_equal(chain_authority_generation(k.c, CHAIN_ROLE_RELEASES), 4);
    settle(&k);
    for (unsigned i = 2; i <= LIMIT_AUTHORITY_SLOTS; i++) {
        cr_address other = kit_address(1000 + i);
        assert_int_equal(chain_authority_set(k.c, CHAIN_ROLE_RELEASES, &other, 0, true, &f), i < LIMIT_AUTHORITY_SLOTS ? OK : ERR_LIMIT);
        settle(&k);
    }
    audit(&k);
    kit_stop(&k);
}

static void genesis_authorities(chain_genesis *g)
{
    g->authorities[0] = (chain_authority){ CHAIN_ROLE_RELEASES, 0, kit_public(2) };
    g->authorities[1] = (chain_authority){ CHAIN_ROLE_PACKS, 756, kit_public(1) };
    g->authorities[2] = (chain_authority){ CHAIN_ROLE_PACKS, 0, kit_public(2) };
    g->authority_count = 3;
}

static void authorities_of_a_genesis(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, genesis_authorities);
    cr_address one = kit_address(1), two = kit_address(2);
    assert_int_equal(chain_authority_get(k.c, CHAIN_ROLE_PACKS, &one)->scope, 756);
    assert_int_equal(chain_authority_get(k.c, CHAIN_ROLE_PACKS, &two)->scope, 0);
    assert_int_equal(chain_authority_get(k.c, CHAIN_ROLE_RELEASES, &two)->slot, 0);
    assert_null(chain_authority_get(k.c, CHAIN_ROLE_RELEASES, &one));
    kit_advance(&k, 1);
    audit(&k);
    kit_stop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_change_acts_on_the_next_block), cmocka_unit_test(issuers_by_vote),
        cmocka_unit_test(one_commitment_is_one_person),       cmocka_unit_test(authorities_by_vote),
        cmocka_unit_test(authorities_of_a_genesis),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
