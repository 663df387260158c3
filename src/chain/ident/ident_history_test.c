/* SPDX-License-Identifier: Apache-2.0
 * Random histories of everything in this folder: every sum and list holds after each block, a dropped block leaves nothing, and a chain
 * that was loaded from a snapshot (other order of rows, other hash seed) goes on to the same roots. */
#include "chain/ident/overlay_kit.h"

#include <stdlib.h>

enum { BLOCKS = 90, SEEDS = 8, SNAPSHOT_AT = 40, TYPES = 64 };

static const char *const guilds[] = { "alpha", "beta", "gamma" };

typedef struct history {
    kit      k;
    uint64_t seed;
    unsigned ran[TYPES], refused[TYPES];
} history;

static uint64_t pick(history *h, uint64_t n)
{
    return kit_random(&h->seed) % n;
}

static void tweak(chain_genesis *g)
{
    static cr_public_key issuers[2];
    issuers[0] = kit_public(KIT_ISSUER);
    issuers[1] = kit_public(7);
    g->issuers = issuers;
    g->issuer_count = 2;
    g->params.v[CHAIN_PARAM_EPOCH] = 3;
    g->params.v[CHAIN_PARAM_BADGE_WINDOW] = 2;
    g->params.v[CHAIN_PARAM_BADGE_TTL] = 6;
    g->params.v[CHAIN_PARAM_BADGE_MONTH] = 4;
    g->params.v[CHAIN_PARAM_FEE_BURN] = 300000;
    for (unsigned i = 0; i < 3; i++)
        g->authorities[i] = (chain_authority){ CHAIN_ROLE_RELEASES, 0, kit_public(i) };
    g->authorities[3] = (chain_authority){ CHAIN_ROLE_PACKS, 0, kit_public(3) };
    g->authorities[4] = (chain_authority){ CHAIN_ROLE_PACKS, 2, kit_public(4) };
    g->authority_count = 5;
}

static unsigned somebody(history *h)
{
    return (unsigned)pick(h, KIT_ACCOUNTS);
}

static chain_tx founding(history *h, unsigned who)
{
    chain_rule rules[4] = { { 0 } };
    size_t count = (size_t)pick(h, 2);
    cr_address attestor = kit_address(5);
    for (size_t i = 0; i < count; i++) {
        rules[i].kind = (uint8_t)(1 + pick(h, 4));
        rules[i].number = rules[i].kind == CHAIN_RULE_BADGE ? pick(h, 4) : rules[i].kind == CHAIN_RULE_STAKE ? 1 + pick(h, 3 * (uint64_t)BLOCK) : rules[i].kind == CHAIN_RULE_VOUCH;
        rules[i].detail = rules[i].kind == CHAIN_RULE_BADGE ? (uint32_t)pick(h, 5) : 0;
        memcpy(rules[i].attestor.b, attestor.hash, 32);
    }
    const size_t guild = (size_t)pick(h, COUNT_OF(guilds));
    if (guild == 0) { /* by invitation only */
        rules[0] = (chain_rule){ .kind = CHAIN_RULE_VOUCH, .number = 1 };
        count = 1;
    }
    if (guild == 1) {
        rules[0] = (chain_rule){ .kind = CHAIN_RULE_ATTESTATION };
        memcpy(rules[0].attestor.b, attestor.hash, 32);
        count += count == 0;
    }
    chain_tx tx = overlay_create(&h->k, who, guilds[guild], rules, count);
    chain_tx_overlay_create *p = &tx.payload.overlay_create;
    p->vote_base = (uint32_t)pick(h, 3), p->vote_badge = (uint32_t)pick(h, 5), p->vote_stake = (uint32_t)pick(h, 2);
    p->quorum_ppm = (uint32_t)pick(h, PPM), p->threshold_ppm = (uint32_t)(PPM / 3 + pick(h, PPM / 2));
    p->pay_base = (uint32_t)pick(h, 4), p->pay_storage = (uint32_t)pick(h, 9), p->pay_compute = (uint32_t)pick(h, 9);
    return tx;
}

static chain_tx random_tx(history *h, unsigned who)
{
    kit *k = &h->k;
    const hash256 id = overlay_id(guilds[pick(h, COUNT_OF(guilds))]);
    static const chain_tx_type small[] = { CHAIN_TX_KYC_ATTEST, CHAIN_TX_KYC_REVOKE, CHAIN_TX_PACK_PUBLISH, CHAIN_TX_PACK_CONSENT,
                                           CHAIN_TX_RELEASE_ATTEST };
    chain_tx tx = kit_tx(k, who, small[pick(h, COUNT_OF(small))], 0);
    if (who == 5 && pick(h, 3) == 0) /* the attestor */
        return overlay_attest(k, who, &id, somebody(h), (uint8_t)(1 + pick(h, 2)), true);
    const uint64_t dice = pick(h, 24);
    if (dice < 7) {
        const uint64_t stake = pick(h, 3) ? pick(h, 2 * (uint64_t)BLOCK) : 0;
        return overlay_join(k, who, &id, stake, pick(h, 2) ? pick(h, 1000000) : 0);
    }
    if (dice < 8)
        return overlay_leave(k, who, &id, pick(h, 2) ? who : somebody(h));
    if (dice < 9)
        return overlay_attest(k, who, &id, somebody(h), (uint8_t)pick(h, 4), false);
    if (dice < 11)
        return overlay_vouch(k, who, &id, somebody(h));
    if (dice < 13)
        return overlay_poll(k, who, &id, pick(h, 8));
    if (dice < 18) {
        const chain_row_overlay *o = chain_overlay(k->c, &id);
        const uint64_t poll = o ? o->polls - (pick(h, 9) == 0) : 1;
        return overlay_vote(k, who, &id, poll, (uint8_t)pick(h, 4));
    }
    if (dice < 19)
        return founding(h, who);
    if (tx.type == CHAIN_TX_KYC_ATTEST)
        tx.payload.kyc_attest = (chain_tx_kyc_attest){ .subject = kit_address(somebody(h)), .level = (uint8_t)pick(h, 4), .jurisdiction = (uint32_t)pick(h, 4),
                                                       .expiry_height = next_height(k) + pick(h, 40), .commitment = { { (uint8_t)pick(h, 3) } } };
    else if (tx.type == CHAIN_TX_KYC_REVOKE)
        tx.payload.kyc_revoke.subject = kit_address(somebody(h));
    else if (tx.type == CHAIN_TX_PACK_PUBLISH) {
        const uint32_t region = (uint32_t)pick(h, 6);
        tx.payload.pack_publish = (chain_tx_pack_publish){ .region = region, .parent = pick(h, 2) ? region : (uint32_t)pick(h, 6), .version = chain_head(k->c)->height,
            .consent_required = (uint8_t)pick(h, 2), .text = { { 1 } }, .features_off = pick(h, 8) ? 0 : (uint32_t)pick(h, 128), .banned = pick(h, 4) == 0 };
    } else if (tx.type == CHAIN_TX_PACK_CONSENT) {
        cr_address a = kit_address(who);
        uint32_t region = chain_region_at(k->c, &a, next_height(k));
        const chain_row_pack *pack = ROW(k, PACK, chain_key_pack(region));
        tx.payload.pack_consent = (chain_tx_pack_consent){ .region = region, .version = pack ? pack->version : pick(h, 3) };
    } else
        tx.payload.release_attest = (chain_tx_release_attest){ .builder = kit_address(somebody(h)), .release = { { (uint8_t)pick(h, 9) } },
                                                               .grant = pick(h, 4) > 0 };
    return tx;
}

/* What votes and the epoch sweep do between blocks; the same to a copy. */
static void from_outside(history *h, chain *c)
{
    cr_address a = kit_address((unsigned)pick(h, KIT_ACCOUNTS));
    const uint64_t height = chain_head(c)->height, epoch = height / 3;
    make_room(c);
    if (height % 3 == 0 && height > 0)
        for (unsigned who = 0; who < KIT_ACCOUNTS; who++) {
            cr_address p = kit_address(who);
            chain_service_epoch e = { .epoch = epoch, .answered = pick(h, 9), .missed = pick(h, 9) == 0 };
            CHECK(chain_badge_record(c, (econ_market)(who % 3), &p, &e, NULL) == OK);
        }
    if (pick(h, 9) == 0)
        (void)!chain_badge_revoke(c, (uint8_t)pick(h, 3), CHAIN_BADGE_OPERATOR, &a, epoch + 1, NULL);
    if (pick(h, 20) == 0)
        CHECK(chain_authority_set(c, CHAIN_ROLE_RELEASES, &a, 0, pick(h, 2), NULL) == OK);
    a = kit_address(pick(h, 2) ? 7 : KIT_ISSUER);
    if (pick(h, 20) == 0)
        CHECK(chain_issuer_set(c, &a, pick(h, 3) > 0, height + 1, NULL) == OK);
}

static size_t random_block(history *h, bytes txs[16])
{
    static const unsigned senders[] = { 0, 1, 2, 3, 4, 5, 6, 7, KIT_ISSUER };
    size_t n = 0;
    for (size_t i = 0; i < COUNT_OF(senders); i++) {
        if (pick(h, 4) == 0)
            continue;
        chain_tx tx = random_tx(h, senders[i]);
        txs[n++] = kit_sign(&tx, senders[i]);
    }
    return n;
}

static chain *copy_of(kit *k)
{
    static uint8_t buffer[1 << 16];
    chain_config config = k->config;
    config.table_seed ^= 0x123456789abcdefu;
    chain *c;
    chain_snapshot *s;
    assert_int_equal(chain_snapshot_new(&s, k->c, sizeof buffer, NULL), OK);
    assert_int_equal(chain_load_begin(&c, &config, chain_genesis_bytes(k->c), NULL), OK);
    for (size_t i = 0; i < chain_snapshot_chunks(s); i++) {
        bytes chunk;
        hash256 hash;
        assert_int_equal(chain_snapshot_chunk(s, i, &chunk, &hash, buffer), OK);
        assert_int_equal(chain_load_chunk(c, i, chunk, &hash, NULL), OK);
    }
    assert_int_equal(chain_load_end(c, chain_head_signed(k->c), NULL), OK);
    chain_snapshot_free(s);
    return c;
}

static void one_block(history *h, kit *copy)
{
    kit *k = &h->k;
    bytes txs[16];
    const size_t n = random_block(h, txs);
    fault f = { 0 };
    if (pick(h, 4) == 0) { /* first as a block that is dropped */
        assert_int_equal(kit_execute(k, NULL, 0, false, &f), OK);
        hash256 empty = k->result.state_root;
        chain_abort(k->c);
        assert_int_equal(kit_execute(k, txs, n, false, &f), OK);
        chain_abort(k->c);
        audit(k);
        assert_int_equal(kit_execute(k, NULL, 0, false, &f), OK);
        assert_true(hash256_equal(&empty, &k->result.state_root));
        chain_abort(k->c);
    }
    const uint64_t seed = h->seed;
    from_outside(h, k->c);
    if (copy->c) {
        h->seed = seed;
        from_outside(h, copy->c);
        assert_int_equal(kit_execute(copy, txs, n, true, &f), OK);
    }
    assert_int_equal(kit_execute(k, txs, n, true, &f), OK);
    if (copy->c)
        assert_true(hash256_equal(&k->result.state_root, &copy->result.state_root));
    audit(k);
    for (size_t i = 0; i < k->result.tx_count; i++) {
        chain_tx tx;
        assert_int_equal(chain_tx_decode(&tx, txs[i], NULL), OK);
        (k->result.txs[i].code == OK ? h->ran : h->refused)[tx.type]++;
    }
}

static void random_histories(void **state)
{
    (void)state;
    static history h;
    unsigned ran[TYPES] = { 0 }, refused[TYPES] = { 0 };
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        memset(&h, 0, sizeof h);
        kit_start(&h.k, tweak);
        h.seed = seed;
        kit copy = { 0 };
        for (unsigned block = 0; block < BLOCKS; block++) {
            if (block == SNAPSHOT_AT) {
                copy = h.k;
                copy.c = copy_of(&h.k);
            }
            one_block(&h, &copy);
        }
        fault f = { 0 };
        assert_int_equal(chain_audit(copy.c, &f), OK);
        chain_free(copy.c);
        kit_stop(&h.k);
        for (unsigned i = 0; i < TYPES; i++) {
            ran[i] += h.ran[i];
            refused[i] += h.refused[i];
        }
    }
    for (unsigned i = CHAIN_TX_PACK_PUBLISH; i <= CHAIN_TX_OVERLAY_VOTE; i++) /* none of it is an empty history */
        if (ran[i] < 3 || refused[i] < 3)
            fail_msg("type %u: %u ran, %u were refused", i, ran[i], refused[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(random_histories) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
