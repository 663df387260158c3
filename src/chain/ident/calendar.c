/* SPDX-License-Identifier: Apache-2.0
 * The calendar of badges: which ones an epoch looks at when it ends, so that one that nobody touches ends, and grows older, all the same.
 *
 * A ring of LIMIT_BADGE_SLOTS lists, linked through the badges, each badge in at most one: rows stay as many as there are badges, whatever
 * happens in years. No badge is put further ahead than a lifetime or a month, which is less than the ring; and one that is looked at too
 * early, because its badge was renewed, is put on again. */
#include "chain/ident/ident_int.h"

/* The epoch with whose end the badge is due: the one before it changes by itself, by its end or by a month; not before `epoch` ends. */
static uint64_t due_epoch(const chain *c, const chain_row_badge *row, uint64_t epoch)
{
    const uint64_t month = param(c, CHAIN_PARAM_BADGE_MONTH);
    uint64_t last = row->expiry_epoch, tick = epoch + (month - chain_badge_held(row, epoch) % month) - 1;
    uint64_t due = last < tick ? last : tick;
    return due > epoch ? due : epoch;
}

static void link_after(chain *c, const badge_id *before, const badge_id *id)
{
    chain_key key = chain_badge_key(before);
    chain_row_badge *row = chain_row_edit(c, CHAIN_TABLE_BADGE, &key);
    row->next_market = id->market;
    row->next_role = id->role;
    row->next = id->account;
}

static void set_first(chain_row_due *list, const badge_id *id)
{
    list->first_market = id->market;
    list->first_role = id->role;
    list->first = id->account;
}

static void set_last(chain_row_due *list, const badge_id *id)
{
    list->last_market = id->market;
    list->last_role = id->role;
    list->last = id->account;
}

static badge_id first_of(const chain_row_due *list)
{
    return (badge_id){ .market = list->first_market, .role = list->first_role, .account = list->first };
}

static badge_id last_of(const chain_row_due *list)
{
    return (badge_id){ .market = list->last_market, .role = list->last_role, .account = list->last };
}

err chain_calendar_add(chain *c, const badge_id *id, uint64_t epoch, fault *f)
{
    chain_key key = chain_badge_key(id);
    chain_row_badge *row = chain_row_edit(c, CHAIN_TABLE_BADGE, &key);
    chain_key slot = chain_key_due(due_epoch(c, row, epoch));
    row->queued = 1;
    chain_row_due *list = chain_row_edit_or_create(c, CHAIN_TABLE_DUE, &slot);
    if (list->count > 0) {
        badge_id last = last_of(list);
        link_after(c, &last, id);
    } else {
        set_first(list, id);
    }
    set_last(list, id);
    err e = checked_add_u64(&list->count, list->count, 1);
    return e == OK ? OK : fail(f, e, "due.count", list->count);
}

/* Takes the first badge off the list. */
static badge_id take_first(chain *c, chain_row_due *list)
{
    badge_id id = first_of(list);
    chain_key key = chain_badge_key(&id);
    chain_row_badge *row = chain_row_edit(c, CHAIN_TABLE_BADGE, &key);
    badge_id next = { .market = row->next_market, .role = row->next_role, .account = row->next };
    row->queued = row->next_market = row->next_role = 0;
    row->next = (hash256){ { 0 } };
    if (--list->count > 0) {
        set_first(list, &next);
    } else {
        *list = (chain_row_due){ 0 };
    }
    return id;
}

/* What is left of the list goes before that of the next epoch. */
static err carry_over(chain *c, chain_row_due *list, uint64_t epoch, fault *f)
{
    chain_key slot = chain_key_due(epoch + 1);
    chain_row_due *next = chain_row_edit_or_create(c, CHAIN_TABLE_DUE, &slot);
    if (next->count > 0) {
        badge_id last = last_of(list), first = first_of(next);
        link_after(c, &last, &first);
    } else {
        badge_id last = last_of(list);
        set_last(next, &last);
    }
    badge_id first = first_of(list);
    set_first(next, &first);
    err e = checked_add_u64(&next->count, next->count, list->count);
    *list = (chain_row_due){ 0 };
    return e == OK ? OK : fail(f, e, "due.count", next->count);
}

/* A badge that is due, with epoch `from` about to begin. */
static err look_at(chain *c, const badge_id *id, uint64_t from, fault *f)
{
    chain_key key = chain_badge_key(id);
    const chain_row_badge *row = chain_row_get(c, CHAIN_TABLE_BADGE, &key);
    if (!row->live)
        return OK;
    if (chain_badge_live(row, from))
        TRY(chain_calendar_add(c, id, from, f));
    else
        chain_badge_end(c, id, from, BADGE_LAPSED, CHAIN_EVENT_NO_TX);
    cr_address a = chain_badge_account(id);
    chain_standing_changed(c, &a, from, CHAIN_EVENT_NO_TX);
    return OK;
}

err chain_ident_epoch(chain *c, uint64_t height, fault *f)
{
    const uint64_t epoch = epoch_of(c, height);
    chain_key slot = chain_key_due(epoch);
    const chain_row_due *now = chain_row_get(c, CHAIN_TABLE_DUE, &slot);
    if (!now || now->count == 0)
        return OK;
    chain_row_due *list = chain_row_edit(c, CHAIN_TABLE_DUE, &slot);
    for (uint64_t n = 0; n < LIMIT_BADGE_SWEEP && list->count > 0; n++) {
        badge_id id = take_first(c, list);
        TRY(look_at(c, &id, epoch + 1, f));
    }
    return list->count > 0 ? carry_over(c, list, epoch, f) : OK;
}
