/* SPDX-License-Identifier: Apache-2.0
 * Jurisdiction packs: rules of a region, and of the regions above it. */
#include "chain/chain_int.h"
#include "chain/ident/ident.h"

#define PACK_FEATURE(ID, bit, name, gated, doc) | 1u << (bit)
_Static_assert((0
#include "pack.def"
                ) == 127, "the greatest features_off of schema/tx.def and rows.def");
#undef PACK_FEATURE
_Static_assert((1u << ECON_MARKETS) - 1 == 15, "the greatest mask of markets there");

static const struct {
    const char *banned, *off, *consent, *kyc; /* what a refusal names */
    bool        gated;
} features[] = {
#define PACK_FEATURE(ID, bit, name, needs, doc)                                                                         \
    [bit] = { "pack.banned: " name, "pack.features_off: " name, "pack.consent: " name, "pack.kyc_level: " name, (needs) != 0 },
#include "pack.def"
#undef PACK_FEATURE
};

static const chain_row_pack *pack_of(const chain *c, uint32_t region)
{
    chain_key key = chain_key_pack(region);
    return chain_row_get(c, CHAIN_TABLE_PACK, &key);
}

static bool consented(const chain *c, const cr_address *a, uint32_t region, const chain_row_pack *pack)
{
    chain_key key = chain_key_address(a);
    const chain_row_consent *row = chain_row_get(c, CHAIN_TABLE_CONSENT, &key);
    return row && row->region == region && row->version == pack->version;
}

err chain_pack_check(const chain *c, const cr_address *a, chain_feature feature, econ_market market, uint64_t height, fault *f)
{
    const chain_row_identity *id = chain_kyc_at(c, a, height);
    uint32_t region = id ? id->jurisdiction : 0;
    const chain_row_pack *own = pack_of(c, region);
    if (!own)
        return OK;
    const uint32_t in_market = market < ECON_MARKETS ? 1u << market : 0;
    uint32_t off = 0, banned = 0;
    uint8_t level = 0;
    bool consent = false;
    const chain_row_pack *p = own;
    for (uint32_t at = region, steps = 0; steps < LIMIT_PACK_DEPTH; steps++) {
        off |= p->features_off;
        banned |= p->banned;
        consent |= p->consent_required;
        if ((p->kyc_markets & in_market) && p->kyc_level > level)
            level = p->kyc_level;
        if (p->parent == at)
            break;
        at = p->parent;
        p = pack_of(c, at);
    }
    if (banned & in_market)
        return fail(f, ERR_PERMISSION, features[feature].banned, region);
    if (off >> feature & 1)
        return fail(f, ERR_PERMISSION, features[feature].off, region);
    if (consent && features[feature].gated && !consented(c, a, region, own))
        return fail(f, ERR_PERMISSION, features[feature].consent, region);
    return (id ? id->level : 0) >= level ? OK : fail(f, ERR_KYC, features[feature].kyc, level);
}

static err check_parent(uint32_t *depth, const chain *c, const chain_tx_pack_publish *p, const chain_row_pack *now, fault *f)
{
    *depth = 1;
    /* Only a leaf may move: so no line ever closes to a ring, or grows below. */
    if (now && now->parent != p->parent && now->children > 0)
        return fail(f, ERR_STATE, "pack_publish.parent", now->children);
    if (p->parent == p->region)
        return OK;
    const chain_row_pack *parent = pack_of(c, p->parent);
    if (!parent)
        return fail(f, ERR_NOT_FOUND, "pack_publish.parent", p->parent);
    *depth = parent->depth + 1;
    return *depth <= LIMIT_PACK_DEPTH ? OK : fail(f, ERR_LIMIT, "pack_publish.parent", *depth);
}

static err check_pack(const exec *x, const chain_tx_pack_publish *p, const chain_row_pack *now, fault *f)
{
    static const hash256 none = { { 0 } };
    const chain_row_authority *authority = chain_authority_get(x->c, CHAIN_ROLE_PACKS, &x->sender);
    if (!authority || (authority->scope != 0 && authority->scope != p->region))
        return fail(f, ERR_PERMISSION, "pack_publish.sender", p->region);
    if (p->version <= (now ? now->version : 0))
        return fail(f, ERR_RANGE, "pack_publish.version", p->version);
    if ((p->kyc_level == 0) != (p->kyc_markets == 0))
        return fail(f, ERR_RANGE, "pack_publish.kyc_level", p->kyc_level);
    if (p->consent_required && hash256_equal(&p->text, &none))
        return fail(f, ERR_RANGE, "pack_publish.text", 0);
    return OK;
}

static err children_add(chain *c, uint32_t parent, uint32_t region, bool one_more)
{
    if (parent == region)
        return OK;
    chain_key key = chain_key_pack(parent);
    chain_row_pack *row = chain_row_edit(c, CHAIN_TABLE_PACK, &key);
    return one_more ? checked_add_u64(&row->children, row->children, 1) : checked_sub_u64(&row->children, row->children, 1);
}

err chain_exec_pack_publish(exec *x, const chain_tx_pack_publish *p, fault *f)
{
    chain *c = x->c;
    uint32_t depth;
    const chain_row_pack *now = pack_of(c, p->region);
    TRY(check_pack(x, p, now, f));
    TRY(check_parent(&depth, c, p, now, f));
    if (now)
        TRY(children_add(c, now->parent, p->region, false));
    TRY(children_add(c, p->parent, p->region, true));
    chain_key key = chain_key_pack(p->region);
    chain_row_pack *row = chain_row_edit_or_create(c, CHAIN_TABLE_PACK, &key);
    *row = (chain_row_pack){
        .parent = p->parent,
        .depth = depth,
        .children = row->children,
        .version = p->version,
        .consent_required = p->consent_required,
        .features_off = p->features_off,
        .banned = p->banned,
        .kyc_markets = p->kyc_markets,
        .kyc_level = p->kyc_level,
        .text = p->text,
        .authority = x->sender,
    };
    chain_event_add(c, CHAIN_EVENT_PACK_PUBLISHED, x->tx_index)->data.pack_published =
        (chain_event_pack_published){ .region = p->region, .version = p->version, .authority = x->sender };
    return OK;
}

err chain_exec_pack_consent(exec *x, const chain_tx_pack_consent *p, fault *f)
{
    chain *c = x->c;
    if (p->region != chain_region_at(c, &x->sender, x->height))
        return fail(f, ERR_PERMISSION, "pack_consent.region", p->region);
    const chain_row_pack *pack = pack_of(c, p->region);
    if (!pack)
        return fail(f, ERR_NOT_FOUND, "pack_consent.region", p->region);
    if (p->version != pack->version)
        return fail(f, ERR_STALE, "pack_consent.version", pack->version);
    chain_key key = chain_key_address(&x->sender);
    chain_row_consent *row = chain_row_edit_or_create(c, CHAIN_TABLE_CONSENT, &key);
    *row = (chain_row_consent){ .region = p->region, .version = p->version };
    chain_event_add(c, CHAIN_EVENT_PACK_CONSENTED, x->tx_index)->data.pack_consented =
        (chain_event_pack_consented){ .account = x->sender, .region = p->region, .version = p->version };
    return OK;
}
