/* SPDX-License-Identifier: Apache-2.0
 * What the rows of this folder count, counted again. */
#include "chain/ident/ident_int.h"
#include "chain/ident/overlay.h"

/* Every attestation that is not withdrawn stands in its person's count, and no count has more. */
static err audit_persons(const chain *c, fault *f)
{
    uint64_t attested = 0, counted = 0;
    for (size_t i = 0; i < chain_row_count(c, CHAIN_TABLE_IDENTITY); i++) {
        const chain_row_identity *id = chain_row_at(c, CHAIN_TABLE_IDENTITY, i, NULL);
        chain_key key = chain_key_person(&id->issuer, &id->commitment);
        const chain_row_person *person = chain_row_get(c, CHAIN_TABLE_PERSON, &key);
        if (!person || (id->level > 0 && person->accounts == 0))
            return fail(f, ERR_INVARIANT, "person of an attestation", i);
        attested += id->level > 0;
    }
    for (size_t i = 0; i < chain_row_count(c, CHAIN_TABLE_PERSON); i++) {
        const chain_row_person *person = chain_row_at(c, CHAIN_TABLE_PERSON, i, NULL);
        counted += person->accounts;
    }
    return attested == counted ? OK : fail(f, ERR_INVARIANT, "accounts of persons", counted);
}

static uint32_t region_of_key(bytes key)
{
    return (uint32_t)key.data[0] << 24 | (uint32_t)key.data[1] << 16 | (uint32_t)key.data[2] << 8 | key.data[3];
}

/* Lines of inheritance: every parent is there and one step up, and knows how many are below it. */
static err audit_packs(const chain *c, fault *f)
{
    uint64_t below = 0, counted = 0;
    for (size_t i = 0; i < chain_row_count(c, CHAIN_TABLE_PACK); i++) {
        bytes packed;
        const chain_row_pack *pack = chain_row_at(c, CHAIN_TABLE_PACK, i, &packed);
        counted += pack->children;
        if (pack->parent == region_of_key(packed)) {
            if (pack->depth != 1)
                return fail(f, ERR_INVARIANT, "depth of a pack", i);
            continue;
        }
        chain_key key = chain_key_pack(pack->parent);
        const chain_row_pack *parent = chain_row_get(c, CHAIN_TABLE_PACK, &key);
        if (!parent || parent->depth + 1 != pack->depth || parent->children == 0)
            return fail(f, ERR_INVARIANT, "parent of a pack", i);
        below++;
    }
    return below == counted ? OK : fail(f, ERR_INVARIANT, "children of packs", counted);
}

static badge_id id_of_key(bytes key)
{
    badge_id id = { .market = key.data[0], .role = key.data[1] };
    memcpy(id.account.b, key.data + 3, sizeof id.account.b);
    return id;
}

static bool same_badge(const badge_id *a, const badge_id *b)
{
    return a->market == b->market && a->role == b->role && hash256_equal(&a->account, &b->account);
}

/* One list of the calendar: as long as it says, through badges that say they are in a list, and ending where it says. */
static err audit_list(const chain *c, const chain_row_due *list, size_t at, fault *f)
{
    badge_id id = { .market = list->first_market, .role = list->first_role, .account = list->first };
    const badge_id last = { .market = list->last_market, .role = list->last_role, .account = list->last };
    for (uint64_t n = 1; n <= list->count; n++) {
        chain_key key = chain_badge_key(&id);
        const chain_row_badge *row = chain_row_get(c, CHAIN_TABLE_BADGE, &key);
        if (!row || !row->queued)
            return fail(f, ERR_INVARIANT, "badge in a list", at);
        if (n == list->count && !same_badge(&id, &last))
            return fail(f, ERR_INVARIANT, "last of a list", at);
        id = (badge_id){ .market = row->next_market, .role = row->next_role, .account = row->next };
    }
    return OK;
}

/* A badge that counts, or that nobody has seen lapse, is in exactly one list. */
static err audit_calendar(const chain *c, fault *f)
{
    uint64_t queued = 0, listed = 0;
    for (size_t i = 0; i < chain_row_count(c, CHAIN_TABLE_DUE); i++) {
        const chain_row_due *list = chain_row_at(c, CHAIN_TABLE_DUE, i, NULL);
        listed += list->count;
        if (listed > chain_row_count(c, CHAIN_TABLE_BADGE))
            return fail(f, ERR_INVARIANT, "lists of badges", listed);
        TRY(audit_list(c, list, i, f));
    }
    for (size_t i = 0; i < chain_row_count(c, CHAIN_TABLE_BADGE); i++) {
        bytes key;
        const chain_row_badge *row = chain_row_at(c, CHAIN_TABLE_BADGE, i, &key);
        badge_id id = id_of_key(key);
        if (row->live > row->queued || (id.market == ECON_MARKETS) != (id.role == CHAIN_BADGE_BUILDER))
            return fail(f, ERR_INVARIANT, "badge", i);
        queued += row->queued;
    }
    return queued == listed ? OK : fail(f, ERR_INVARIANT, "badges in lists", queued);
}

/* --- overlays --- */

typedef struct overlay_sums {
    u128 members, stakes, vote, pay, pots, undivided, owed;
} overlay_sums;

static overlay_sums sums_of_overlays(const chain *c)
{
    overlay_sums s = { 0 };
    for (size_t i = 0; i < chain_row_count(c, CHAIN_TABLE_OVERLAY); i++) {
        const chain_row_overlay *o = chain_row_at(c, CHAIN_TABLE_OVERLAY, i, NULL);
        s.members += o->members;
        s.stakes += o->stakes;
        s.vote += o->vote_total;
        s.pay += o->pay_total;
        s.pots += o->pot;
        s.undivided += o->undivided;
    }
    return s;
}

static err sums_of_members(const chain *c, overlay_sums *s, fault *f)
{
    *s = (overlay_sums){ 0 };
    for (size_t i = 0; i < chain_row_count(c, CHAIN_TABLE_MEMBER); i++) {
        bytes key;
        hash256 overlay;
        const chain_row_member *m = chain_row_at(c, CHAIN_TABLE_MEMBER, i, &key);
        memcpy(overlay.b, key.data, sizeof overlay.b);
        const chain_row_overlay *o = chain_overlay(c, &overlay);
        if (!o || m->number > o->numbers || m->paid_to > o->per_weight)
            return fail(f, ERR_INVARIANT, "member of an overlay", i);
        if (m->status != CHAIN_MEMBER_INSIDE && (m->stake | m->vote_weight | m->pay_weight) != 0)
            return fail(f, ERR_INVARIANT, "who is outside an overlay", i);
        s->members += m->status == CHAIN_MEMBER_INSIDE;
        s->stakes += m->stake;
        s->vote += m->vote_weight;
        s->pay += m->pay_weight;
        s->owed += (u128)m->pay_weight * (o->per_weight - m->paid_to);
    }
    return OK;
}

/* Every pot is what divisions left over and what members have not taken yet, to the nBLOCK. */
static err audit_overlays(const chain *c, fault *f)
{
    overlay_sums overlays = sums_of_overlays(c), members;
    TRY(sums_of_members(c, &members, f));
    const struct {
        const char *what;
        bool        equal;
    } rules[] = {
        { "members of overlays", overlays.members == members.members },
        { "stakes of overlays", overlays.stakes == members.stakes },
        { "weights in polls", overlays.vote == members.vote },
        { "weights in pots", overlays.pay == members.pay },
        { "pots of overlays", overlays.pots == overlays.undivided + members.owed },
    };
    for (size_t i = 0; i < COUNT_OF(rules); i++)
        if (!rules[i].equal)
            return fail(f, ERR_INVARIANT, rules[i].what, 0);
    return OK;
}

void chain_ident_held(const chain *c, u128 *stakes, u128 *pots)
{
    overlay_sums s = sums_of_overlays(c);
    *stakes = s.stakes;
    *pots = s.pots;
}

err chain_ident_audit(const chain *c, fault *f)
{
    TRY(audit_persons(c, f));
    TRY(audit_packs(c, f));
    TRY(audit_calendar(c, f));
    return audit_overlays(c, f);
}
