/* SPDX-License-Identifier: Apache-2.0
 * For the tests of overlays: one-line transactions. */
#ifndef CHAIN_IDENT_OVERLAY_KIT_H
#define CHAIN_IDENT_OVERLAY_KIT_H

#include "chain/ident/ident_kit.h"
#include "chain/ident/overlay.h"

#define BLOCK 1000000000u

static inline hash256 overlay_id(const char *community)
{
    hash256 id;
    chain_name name;
    CHECK(chain_name_set(&name, bytes_of_str(community)) == OK);
    chain_key key = chain_key_overlay(&name);
    memcpy(id.b, key.b, sizeof id.b);
    return id;
}

/* Open to all, one voice and one share each, half of it a quorum. */
static inline chain_tx overlay_create(const kit *k, unsigned who, const char *community, const chain_rule *rules, size_t count)
{
    uint8_t buffer[1024];
    bytes items;
    chain_tx tx = kit_tx(k, who, CHAIN_TX_OVERLAY_CREATE, 0);
    CHECK(chain_rules_encode(&items, buffer, sizeof buffer, rules, count) == OK);
    tx.payload.overlay_create = (chain_tx_overlay_create){ .rules = kit_keep(items), .vote_base = 1, .quorum_ppm = 500000,
                                                           .threshold_ppm = 500000, .pay_base = 1 };
    CHECK(chain_name_set(&tx.payload.overlay_create.community, bytes_of_str(community)) == OK);
    return tx;
}

static inline chain_tx overlay_join(const kit *k, unsigned who, const hash256 *overlay, uint64_t stake, uint64_t fund)
{
    chain_tx tx = kit_tx(k, who, CHAIN_TX_OVERLAY_JOIN, 0);
    tx.payload.overlay_join = (chain_tx_overlay_join){ .overlay = *overlay, .stake = stake, .fund = fund };
    return tx;
}

static inline chain_tx overlay_leave(const kit *k, unsigned who, const hash256 *overlay, unsigned member)
{
    chain_tx tx = kit_tx(k, who, CHAIN_TX_OVERLAY_LEAVE, 0);
    tx.payload.overlay_leave = (chain_tx_overlay_leave){ .overlay = *overlay, .member = kit_address(member) };
    return tx;
}

static inline chain_tx overlay_attest(const kit *k, unsigned who, const hash256 *overlay, unsigned subject, uint8_t rule, bool grant)
{
    chain_tx tx = kit_tx(k, who, CHAIN_TX_OVERLAY_ATTEST, 0);
    tx.payload.overlay_attest = (chain_tx_overlay_attest){ .overlay = *overlay, .subject = kit_address(subject), .rule = rule, .grant = grant };
    return tx;
}

static inline chain_tx overlay_vouch(const kit *k, unsigned who, const hash256 *overlay, unsigned subject)
{
    chain_tx tx = kit_tx(k, who, CHAIN_TX_OVERLAY_VOUCH, 0);
    tx.payload.overlay_vouch = (chain_tx_overlay_vouch){ .overlay = *overlay, .subject = kit_address(subject) };
    return tx;
}

static inline chain_tx overlay_poll(const kit *k, unsigned who, const hash256 *overlay, uint64_t epochs)
{
    chain_tx tx = kit_tx(k, who, CHAIN_TX_OVERLAY_POLL, 0);
    tx.payload.overlay_poll = (chain_tx_overlay_poll){ .overlay = *overlay, .subject = { { 1 } }, .epochs = epochs };
    return tx;
}

static inline chain_tx overlay_vote(const kit *k, unsigned who, const hash256 *overlay, uint64_t poll, uint8_t choice)
{
    chain_tx tx = kit_tx(k, who, CHAIN_TX_OVERLAY_VOTE, 0);
    tx.payload.overlay_vote = (chain_tx_overlay_vote){ .overlay = *overlay, .poll = poll, .choice = choice };
    return tx;
}

static inline err run(kit *k, chain_tx tx, unsigned who)
{
    return kit_run(k, &tx, who);
}

#define DO(k, who, made) assert_int_equal(run(k, made, who), OK)
#define NOT(k, who, made, code, text)           \
    do {                                        \
        chain_tx refused_ = made;               \
        REFUSED(k, &refused_, who, code, text); \
    } while (0)

/* An epoch is a block, and one good epoch earns a badge. */
static inline void quick_badges(chain_genesis *g)
{
    g->params.v[CHAIN_PARAM_EPOCH] = 1;
    g->params.v[CHAIN_PARAM_BADGE_WINDOW] = 1;
    g->params.v[CHAIN_PARAM_BADGE_TTL] = 30;
}

static inline const chain_row_member *member(const kit *k, const hash256 *overlay, unsigned who)
{
    cr_address a = kit_address(who);
    return chain_overlay_member(k->c, overlay, &a);
}

static inline bool inside(const kit *k, const hash256 *overlay, unsigned who)
{
    const chain_row_member *m = member(k, overlay, who);
    return m && m->status == CHAIN_MEMBER_INSIDE;
}

#endif
