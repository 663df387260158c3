/* SPDX-License-Identifier: Apache-2.0
 * Service badges: earned, kept and lost by the last epochs of recorded service (D26). */
#include "chain/ident/ident_int.h"

bool chain_badge_live(const chain_row_badge *row, uint64_t epoch)
{
    return row->live && epoch <= row->expiry_epoch;
}

uint64_t chain_badge_held(const chain_row_badge *row, uint64_t epoch)
{
    if (!row->live || epoch <= row->since_epoch)
        return row->held_epochs;
    uint64_t end = epoch <= row->expiry_epoch ? epoch : row->expiry_epoch + 1;
    return row->held_epochs + (end - row->since_epoch);
}

static void say(chain *c, const badge_id *id, badge_change what, uint32_t tx_index)
{
    chain_event_add(c, CHAIN_EVENT_BADGE_CHANGED, tx_index)->data.badge_changed = (chain_event_badge_changed){
        .account = chain_badge_account(id), .market = id->market, .role = id->role, .what = (uint8_t)what };
}

err chain_badge_renew(chain *c, chain_row_badge *row, uint64_t epoch)
{
    return checked_add_u64(&row->expiry_epoch, epoch, param(c, CHAIN_PARAM_BADGE_TTL) - 1);
}

err chain_badge_begin(chain *c, const badge_id *id, uint64_t epoch, uint32_t tx_index, fault *f)
{
    chain_key key = chain_badge_key(id);
    chain_row_badge *row = chain_row_edit_or_create(c, CHAIN_TABLE_BADGE, &key);
    row->live = 1;
    row->since_epoch = epoch;
    TRY(chain_badge_renew(c, row, epoch));
    say(c, id, BADGE_EARNED, tx_index);
    return row->queued ? OK : chain_calendar_add(c, id, epoch, f);
}

void chain_badge_end(chain *c, const badge_id *id, uint64_t epoch, badge_change why, uint32_t tx_index)
{
    chain_key key = chain_badge_key(id);
    chain_row_badge *row = chain_row_edit(c, CHAIN_TABLE_BADGE, &key);
    row->held_epochs = chain_badge_held(row, epoch);
    row->live = 0;
    say(c, id, why, tx_index);
}

/* --- the window --- */

/* share / whole >= ppm / 10^6; true of an empty whole. */
static bool reaches(uint64_t share, uint64_t whole, uint64_t ppm)
{
    return (u128)share * PPM >= (u128)whole * ppm;
}

static bool epoch_is_good(const chain *c, const chain_service_epoch *e)
{
    uint64_t proofs = param(c, CHAIN_PARAM_BADGE_PROOFS);
    return reaches(e->answered, e->answered + e->missed, param(c, CHAIN_PARAM_BADGE_ANSWERED)) &&
           reaches(e->proofs_ok, e->proofs_ok + e->proofs_failed, proofs) && reaches(e->served - e->spoiled, e->served, proofs) &&
           e->latency_p95_blocks <= param(c, CHAIN_PARAM_BADGE_LATENCY);
}

/* The epoch enters the window as its newest bit. Evidence older than a badge's lifetime is none. Returns how many are good. */
static unsigned window_push(const chain *c, chain_row_badge *row, const chain_service_epoch *e)
{
    const uint32_t length = (uint32_t)param(c, CHAIN_PARAM_BADGE_WINDOW);
    u128 bits = (u128)row->window_high << 64 | row->window_low;
    if (e->epoch - row->recorded_epoch > param(c, CHAIN_PARAM_BADGE_TTL)) {
        bits = 0;
        row->recorded = 0;
    }
    bits = (bits << 1 | epoch_is_good(c, e)) & (((u128)1 << length) - 1);
    row->recorded = row->recorded < length ? row->recorded + 1 : length;
    row->window_high = (uint64_t)(bits >> 64);
    row->window_low = (uint64_t)bits;
    return (unsigned)(__builtin_popcountll(row->window_high) + __builtin_popcountll(row->window_low));
}

static err check_record(econ_market m, const cr_address *a, const chain_service_epoch *e, fault *f)
{
    uint64_t sum;
    if (m >= ECON_MARKETS)
        return fail(f, ERR_RANGE, "service.market", m);
    if (a->kind != CR_ADDRESS_ACCOUNT)
        return fail(f, ERR_ADDRESS, "service.provider", a->kind);
    if (e->spoiled > e->served)
        return fail(f, ERR_RANGE, "service.spoiled", e->spoiled);
    if (checked_add_u64(&sum, e->answered, e->missed) != OK)
        return fail(f, ERR_OVERFLOW, "service.missed", e->missed);
    if (checked_add_u64(&sum, e->proofs_ok, e->proofs_failed) != OK)
        return fail(f, ERR_OVERFLOW, "service.proofs_failed", e->proofs_failed);
    return OK;
}

/* What the window makes of the badge from epoch `from` on; *changed: whether it counts otherwise than before. */
static err judge(chain *c, const badge_id *id, chain_row_badge *row, unsigned good, uint64_t from, bool *changed, fault *f)
{
    const uint64_t window = param(c, CHAIN_PARAM_BADGE_WINDOW);
    *changed = false;
    if (row->live && from > row->expiry_epoch) {
        chain_badge_end(c, id, from, BADGE_LAPSED, CHAIN_EVENT_NO_TX);
        *changed = true;
    }
    if (row->live && reaches(good, row->recorded, param(c, CHAIN_PARAM_BADGE_KEEP)))
        return chain_badge_renew(c, row, from);
    if (row->live) {
        chain_badge_end(c, id, from, BADGE_LOST, CHAIN_EVENT_NO_TX);
        *changed = true;
    } else if (row->recorded == window && reaches(good, window, param(c, CHAIN_PARAM_BADGE_EARN))) {
        TRY(chain_badge_begin(c, id, from, CHAIN_EVENT_NO_TX, f));
        *changed = true;
    }
    return OK;
}

err chain_badge_record(chain *c, econ_market m, const cr_address *a, const chain_service_epoch *e, fault *f)
{
    enum { REPUTATION_STEP_PPM = 50000 };
    TRY(check_record(m, a, e, f));
    if (!(e->served || e->answered || e->missed || e->proofs_ok || e->proofs_failed))
        return OK;
    badge_id id = chain_badge_id((uint8_t)m, CHAIN_BADGE_OPERATOR, a);
    chain_key key = chain_badge_key(&id);
    const chain_row_badge *now = chain_row_get(c, CHAIN_TABLE_BADGE, &key);
    if (e->epoch <= (now ? now->recorded_epoch : 0))
        return fail(f, ERR_DUPLICATE, "service.epoch", e->epoch);
    chain_row_badge *row = chain_row_edit_or_create(c, CHAIN_TABLE_BADGE, &key);
    bool changed;
    unsigned good = window_push(c, row, e);
    TRY(chain_reputation_record(c, row, e, f));
    row->recorded_epoch = e->epoch;
    TRY(judge(c, &id, row, good, e->epoch + 1, &changed, f));
    uint64_t ppm = row->score >> 32, known = row->reported_ppm;
    if (row->live && (ppm > known ? ppm - known : known - ppm) >= REPUTATION_STEP_PPM)
        changed = true;
    if (!changed)
        return OK;
    row->reported_ppm = (uint32_t)ppm;
    chain_standing_changed(c, a, e->epoch + 1, CHAIN_EVENT_NO_TX);
    return OK;
}

err chain_badge_revoke(chain *c, uint8_t m, chain_badge_role role, const cr_address *a, uint64_t epoch, fault *f)
{
    badge_id id = chain_badge_id(m, (uint8_t)role, a);
    chain_key key = chain_badge_key(&id);
    const chain_row_badge *now = a->kind == CR_ADDRESS_ACCOUNT ? chain_row_get(c, CHAIN_TABLE_BADGE, &key) : NULL;
    if (!now || !chain_badge_live(now, epoch))
        return fail(f, ERR_NOT_FOUND, "badge", m);
    chain_badge_end(c, &id, epoch, BADGE_REVOKED, CHAIN_EVENT_NO_TX);
    chain_row_badge *row = chain_row_edit(c, CHAIN_TABLE_BADGE, &key);
    row->recorded = 0;
    row->window_high = row->window_low = 0;
    chain_standing_changed(c, a, epoch, CHAIN_EVENT_NO_TX);
    return OK;
}
