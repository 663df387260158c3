/* SPDX-License-Identifier: Apache-2.0
 * Builder badges: M of N signers attest that a merged release holds work of a builder (D27). */
#include "chain/ident/ident_int.h"

static bool bit_of(const hash256 *bits, uint32_t i)
{
    return bits->b[i / 8] >> (i % 8) & 1;
}

static uint32_t count_bits(const hash256 *bits)
{
    uint32_t n = 0;
    for (size_t i = 0; i < sizeof bits->b; i++)
        n += (uint32_t)__builtin_popcount(bits->b[i]);
    return n;
}

static err check_release(const exec *x, const chain_tx_release_attest *p, fault *f)
{
    static const hash256 none = { { 0 } };
    if (!chain_authority_get(x->c, CHAIN_ROLE_RELEASES, &x->sender))
        return fail(f, ERR_PERMISSION, "release_attest.sender", 0);
    if (p->builder.kind != CR_ADDRESS_ACCOUNT)
        return fail(f, ERR_ADDRESS, "release_attest.builder", p->builder.kind);
    if (cr_address_equal(&p->builder, &x->sender))
        return fail(f, ERR_PERMISSION, "release_attest.builder", 0);
    return hash256_equal(&p->release, &none) ? fail(f, ERR_RANGE, "release_attest.release", 0) : OK;
}

/* The release has its signers: the badge begins, or lives longer. */
static err grant(exec *x, const chain_tx_release_attest *p, fault *f)
{
    chain *c = x->c;
    const uint64_t epoch = epoch_of(c, x->height);
    badge_id id = chain_badge_id(ECON_MARKETS, CHAIN_BADGE_BUILDER, &p->builder);
    chain_key key = chain_badge_key(&id);
    const chain_row_badge *now = chain_row_get(c, CHAIN_TABLE_BADGE, &key);
    bool renewed = now && chain_badge_live(now, epoch);
    if (now && now->live && !renewed)
        chain_badge_end(c, &id, epoch, BADGE_LAPSED, x->tx_index);
    if (!renewed)
        TRY(chain_badge_begin(c, &id, epoch, x->tx_index, f));
    chain_row_badge *row = chain_row_edit(c, CHAIN_TABLE_BADGE, &key);
    row->source = p->release;
    if (renewed)
        return chain_badge_renew(c, row, epoch);
    chain_standing_changed(c, &p->builder, epoch, x->tx_index);
    return OK;
}

/* Enough signers took it back: the badge ends if nothing newer has renewed it. */
static void take_back(exec *x, const chain_tx_release_attest *p)
{
    chain *c = x->c;
    const uint64_t epoch = epoch_of(c, x->height);
    badge_id id = chain_badge_id(ECON_MARKETS, CHAIN_BADGE_BUILDER, &p->builder);
    chain_key key = chain_badge_key(&id);
    const chain_row_badge *row = chain_row_get(c, CHAIN_TABLE_BADGE, &key);
    if (!chain_badge_live(row, epoch) || !hash256_equal(&row->source, &p->release))
        return;
    chain_badge_end(c, &id, epoch, BADGE_REVOKED, x->tx_index);
    chain_standing_changed(c, &p->builder, epoch, x->tx_index);
}

err chain_exec_release_attest(exec *x, const chain_tx_release_attest *p, fault *f)
{
    chain *c = x->c;
    TRY(check_release(x, p, f));
    chain_key key = chain_key_release(&p->builder, &p->release);
    const chain_row_release *now = chain_row_get(c, CHAIN_TABLE_RELEASE, &key);
    bool granted = now && now->granted_epoch > 0, revoked = now && now->revoked;
    if (p->grant ? granted : !granted || revoked)
        return fail(f, ERR_STATE, "release_attest.release", granted);
    const uint64_t generation = chain_authority_generation(c, CHAIN_ROLE_RELEASES);
    const uint32_t slot = chain_authority_get(c, CHAIN_ROLE_RELEASES, &x->sender)->slot;
    if (now && now->generation == generation && bit_of(p->grant ? &now->grants : &now->revokes, slot))
        return fail(f, ERR_DUPLICATE, "release_attest.sender", slot);

    chain_row_release *row = chain_row_edit_or_create(c, CHAIN_TABLE_RELEASE, &key);
    if (row->generation != generation) { /* other signers decide now: what was begun begins anew */
        row->generation = generation;
        row->grants = row->revokes = (hash256){ { 0 } };
    }
    hash256 *bits = p->grant ? &row->grants : &row->revokes;
    bits->b[slot / 8] |= (uint8_t)(1u << (slot % 8));
    const uint32_t signers = count_bits(bits);
    chain_event_add(c, CHAIN_EVENT_RELEASE_ATTESTED, x->tx_index)->data.release_attested =
        (chain_event_release_attested){ .builder = p->builder, .release = p->release, .grant = p->grant, .signers = signers };
    if (signers < param(c, CHAIN_PARAM_RELEASE_SIGNERS))
        return OK;
    if (p->grant) {
        row->granted_epoch = epoch_of(c, x->height);
        return grant(x, p, f);
    }
    row->revoked = 1;
    take_back(x, p);
    return OK;
}
