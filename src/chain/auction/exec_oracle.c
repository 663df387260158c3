/* SPDX-License-Identifier: Apache-2.0
 * A feed: its sources put BLOCK at stake, report once in a round, and the round's end writes what they agree on (spec/auction.md). */
#include "chain/auction/auction_int.h"
#include "econ/median.h"
#include "econ/reputation.h"

_Static_assert((int)LIMIT_ORACLE_SOURCES_N <= (int)ECON_READINGS_MAX, "a round is one median");

static chain_row_feed *edit_feed(chain *c, uint64_t feed)
{
    chain_key key = chain_key_height(feed);
    return chain_row_edit(c, CHAIN_TABLE_FEED, &key);
}

static chain_row_oracle *edit_source(chain *c, uint64_t feed, const cr_address *a)
{
    chain_key key = chain_key_feed(feed, a);
    return chain_row_edit(c, CHAIN_TABLE_ORACLE, &key);
}

static const chain_row_oracle *source_of(const chain *c, uint64_t feed, const cr_address *a)
{
    chain_key key = chain_key_feed(feed, a);
    return chain_row_get(c, CHAIN_TABLE_ORACLE, &key);
}

static err find_feed(const exec *x, uint64_t feed, const chain_row_feed **out, const char *what, fault *f)
{
    chain_key key = chain_key_height(feed);
    *out = chain_row_get(x->c, CHAIN_TABLE_FEED, &key);
    return *out ? OK : fail(f, ERR_NOT_FOUND, what, feed);
}

static void staked_event(exec *x, uint64_t feed, const chain_row_oracle *o)
{
    chain_event_add(x->c, CHAIN_EVENT_ORACLE_STAKED, x->tx_index)->data.oracle_staked = (chain_event_oracle_staked){
        .feed = feed, .source = x->sender, .stake = o->stake, .active = o->status == CHAIN_ORACLE_ACTIVE };
}

/* --- who reports --- */

/* The sender takes a place. Who comes back is not better off for having been away. */
static chain_row_oracle *join(exec *x, uint64_t feed)
{
    chain *c = x->c;
    chain_key at = chain_key_height(feed), key = chain_key_feed(feed, &x->sender);
    chain_row_feed *now = chain_row_edit_or_create(c, CHAIN_TABLE_FEED, &at);
    if (now->round == 0)
        now->round = 1;
    chain_row_oracle *o = chain_row_edit_or_create(c, CHAIN_TABLE_ORACLE, &key);
    int64_t initial = (int64_t)(param(c, CHAIN_PARAM_ORACLE_REPUTATION) << 32);
    o->reputation = o->status == CHAIN_ORACLE_LEFT && o->reputation < initial ? o->reputation : initial;
    o->status = CHAIN_ORACLE_ACTIVE;
    o->number = now->registered++;
    o->leave_height = 0;
    now->sources++;
    now->active++;
    now->weight += oracle_weight(o);
    return o;
}

err chain_exec_oracle_register(exec *x, const chain_tx_oracle_register *p, fault *f)
{
    chain *c = x->c;
    const chain_row_oracle *now = source_of(c, p->feed, &x->sender);
    chain_key at = chain_key_height(p->feed);
    const chain_row_feed *feed = chain_row_get(c, CHAIN_TABLE_FEED, &at);
    bool comes = !now || now->status == CHAIN_ORACLE_LEFT;
    if (p->stake == 0)
        return fail(f, ERR_RANGE, "oracle_register.stake", 0);
    if (!comes && now->status == CHAIN_ORACLE_LEAVING)
        return fail(f, ERR_STATE, "oracle.status", now->status);
    if (comes && feed && feed->sources >= LIMIT_ORACLE_SOURCES)
        return fail(f, ERR_LIMIT, "feed.sources", feed->sources);
    if ((comes ? 0 : now->stake) + p->stake < param(c, CHAIN_PARAM_ORACLE_STAKE_MIN)) /* both at most the supply cap */
        return fail(f, ERR_BOND, "oracle_register.stake", p->stake);
    if (chain_account_debit(c, &x->sender, p->stake) != OK)
        return fail(f, ERR_FUNDS, "oracle_register.stake", p->stake);
    TRY(chain_purse_add(c, PURSE_STAKES, p->stake));
    chain_row_oracle *o = comes ? join(x, p->feed) : edit_source(c, p->feed, &x->sender);
    TRY(checked_add_u64(&o->stake, o->stake, p->stake));
    staked_event(x, p->feed, o);
    return OK;
}

err chain_exec_oracle_leave(exec *x, const chain_tx_oracle_leave *p, fault *f)
{
    chain *c = x->c;
    const chain_row_oracle *now = source_of(c, p->feed, &x->sender);
    if (!now)
        return fail(f, ERR_NOT_FOUND, "oracle_leave.feed", p->feed);
    if (now->status != CHAIN_ORACLE_ACTIVE)
        return fail(f, ERR_STATE, "oracle.status", now->status);
    chain_row_feed *feed = edit_feed(c, p->feed);
    if (now->round == feed->round)
        return fail(f, ERR_BUSY, "oracle.round", now->round);
    chain_row_oracle *o = edit_source(c, p->feed, &x->sender);
    o->status = CHAIN_ORACLE_LEAVING;
    o->leave_height = x->height;
    feed->active--;
    TRY(checked_sub_u64(&feed->weight, feed->weight, oracle_weight(o)));
    staked_event(x, p->feed, o);
    return OK;
}

err chain_exec_oracle_withdraw(exec *x, const chain_tx_oracle_withdraw *p, fault *f)
{
    chain *c = x->c;
    const chain_row_oracle *now = source_of(c, p->feed, &x->sender);
    if (!now)
        return fail(f, ERR_NOT_FOUND, "oracle_withdraw.feed", p->feed);
    if (now->status != CHAIN_ORACLE_LEAVING)
        return fail(f, ERR_STATE, "oracle.status", now->status);
    uint64_t due;
    TRY(checked_add_u64(&due, now->leave_height, param(c, CHAIN_PARAM_ORACLE_UNBOND)));
    if (x->height < due)
        return fail(f, ERR_BUSY, "oracle.leave_height", due);
    chain_row_oracle *o = edit_source(c, p->feed, &x->sender);
    uint64_t stake = o->stake;
    o->stake = 0;
    o->status = CHAIN_ORACLE_LEFT;
    edit_feed(c, p->feed)->sources--;
    staked_event(x, p->feed, o);
    TRY(chain_purse_take(c, PURSE_STAKES, stake));
    return chain_account_credit(c, &x->sender, stake);
}

/* --- a round --- */

/* Last block for readings of the running round, which has one. */
static err round_last(const chain *c, const chain_row_feed *feed, uint64_t *last)
{
    return checked_add_u64(last, feed->open_height, param(c, CHAIN_PARAM_ORACLE_WINDOW));
}

static err check_report(const exec *x, const chain_tx_oracle_report *p, const chain_row_feed *feed, fault *f)
{
    const chain_row_oracle *o = source_of(x->c, p->feed, &x->sender);
    if (!o)
        return fail(f, ERR_PERMISSION, "oracle_report.sender", 0);
    if (o->status != CHAIN_ORACLE_ACTIVE)
        return fail(f, ERR_STATE, "oracle.status", o->status);
    if (feed->active < param(x->c, CHAIN_PARAM_ORACLE_SOURCES_MIN))
        return fail(f, ERR_STATE, "feed.active", feed->active);
    if (p->round != feed->round)
        return fail(f, ERR_STALE, "oracle_report.round", feed->round);
    if (o->round == p->round)
        return fail(f, ERR_DUPLICATE, "oracle_report.round", p->round);
    uint64_t last;
    TRY(round_last(x->c, feed, &last));
    if (feed->open_height && x->height > last)
        return fail(f, ERR_EXPIRED, "feed.open_height", last);
    return OK;
}

err chain_exec_oracle_report(exec *x, const chain_tx_oracle_report *p, fault *f)
{
    chain *c = x->c;
    const chain_row_feed *now;
    TRY(find_feed(x, p->feed, &now, "oracle_report.feed", f));
    TRY(check_report(x, p, now, f));
    chain_row_feed *feed = edit_feed(c, p->feed);
    CHECK(feed->readings < LIMIT_ORACLE_SOURCES); /* once each, and nobody leaves with a reading in the round */
    if (feed->open_height == 0)
        feed->open_height = x->height;
    chain_key key = chain_key_reading(p->feed, feed->readings++);
    *(chain_row_reading *)chain_row_edit_or_create(c, CHAIN_TABLE_READING, &key) =
        (chain_row_reading){ .round = p->round, .source = x->sender, .value = p->value };
    edit_source(c, p->feed, &x->sender)->round = p->round;
    chain_event_add(c, CHAIN_EVENT_ORACLE_REPORTED, x->tx_index)->data.oracle_reported =
        (chain_event_oracle_reported){ .feed = p->feed, .round = p->round, .source = x->sender, .value = p->value };
    return OK;
}

/* The readings of the running round, by place, and their weight. */
static uint64_t collect(const chain *c, uint64_t feed, size_t n, econ_reading *r, cr_address *by_place)
{
    uint64_t weight = 0;
    for (size_t i = 0; i < n; i++) {
        chain_key key = chain_key_reading(feed, i);
        const chain_row_reading *reading = chain_row_get(c, CHAIN_TABLE_READING, &key);
        CHECK(reading);
        const chain_row_oracle *o = source_of(c, feed, &reading->source);
        CHECK(o && o->status == CHAIN_ORACLE_ACTIVE);
        by_place[i] = reading->source;
        r[i] = (econ_reading){ .value = reading->value, .id = o->number, .weight = oracle_weight(o) };
        weight += r[i].weight;
    }
    return weight;
}

/* Who agreed earns what a flawless epoch earns in the law of reputation, who did not earns nothing; both decay. */
static err rate(chain *c, chain_row_feed *feed, uint64_t id, const cr_address *source, bool accepted, fault *f)
{
    const econ_reputation_params p = { .weights = { .verification_ppm = PPM }, .keep_ppm = (uint32_t)param(c, CHAIN_PARAM_ORACLE_KEEP) };
    const econ_contribution measured = { .verification_ppm = accepted ? PPM : 0 };
    chain_row_oracle *o = edit_source(c, id, source);
    q32 score;
    TRY(checked_sub_u64(&feed->weight, feed->weight, oracle_weight(o)));
    TRY(econ_contribution_score(&score, &measured, &p, f));
    TRY(econ_reputation_next(&o->reputation, o->reputation, 1, score, &p, f));
    return checked_add_u64(&feed->weight, feed->weight, oracle_weight(o));
}

/* Every source by the number that the median sorted along. */
static err rate_all(chain *c, chain_row_feed *feed, uint64_t id, const econ_reading *r, const cr_address *by_place, size_t n, fault *f)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t number = source_of(c, id, &by_place[i])->number;
        size_t at = 0;
        while (r[at].id != number)
            at++;
        TRY(rate(c, feed, id, &by_place[i], r[at].accepted, f));
    }
    return OK;
}

/* 0: there is a value. */
static chain_feed_failure agree(const chain *c, const chain_row_feed *feed, econ_median_out *out, econ_reading *r, uint64_t weight)
{
    const econ_median_params p = { .sources_min = (uint32_t)param(c, CHAIN_PARAM_ORACLE_SOURCES_MIN),
                                   .deviation_ppm = (uint32_t)param(c, CHAIN_PARAM_ORACLE_DEVIATION),
                                   .tolerance = param(c, CHAIN_PARAM_ORACLE_TOLERANCE),
                                   .quorum_ppm = (uint32_t)param(c, CHAIN_PARAM_ORACLE_QUORUM) };
    if (feed->readings < p.sources_min)
        return CHAIN_FEED_SOURCES;
    if ((u128)weight * PPM < (u128)feed->weight * param(c, CHAIN_PARAM_ORACLE_TURNOUT))
        return CHAIN_FEED_TURNOUT;
    return econ_median(out, r, feed->readings, &p, NULL) == OK ? 0 : CHAIN_FEED_QUORUM;
}

err chain_exec_oracle_close(exec *x, const chain_tx_oracle_close *p, fault *f)
{
    chain *c = x->c;
    const chain_row_feed *now;
    TRY(find_feed(x, p->feed, &now, "oracle_close.feed", f));
    if (p->round != now->round)
        return fail(f, ERR_STALE, "oracle_close.round", now->round);
    if (now->open_height == 0)
        return fail(f, ERR_STATE, "feed.readings", 0);
    uint64_t last;
    TRY(round_last(c, now, &last));
    if (x->height <= last)
        return fail(f, ERR_BUSY, "feed.open_height", last);
    chain_row_feed *feed = edit_feed(c, p->feed);
    econ_reading r[LIMIT_ORACLE_SOURCES_N];
    cr_address by_place[LIMIT_ORACLE_SOURCES_N];
    econ_median_out out;
    uint64_t weight = collect(c, p->feed, feed->readings, r, by_place);
    chain_feed_failure failure = agree(c, feed, &out, r, weight);
    if (failure) {
        chain_event_add(c, CHAIN_EVENT_FEED_FAILED, x->tx_index)->data.feed_failed =
            (chain_event_feed_failed){ .feed = p->feed, .round = p->round, .reason = (uint8_t)failure, .readings = feed->readings };
    } else {
        TRY(rate_all(c, feed, p->feed, r, by_place, feed->readings, f));
        feed->value = out.value;
        feed->confidence_ppm = out.confidence_ppm;
        feed->value_round = p->round;
        feed->value_height = x->height;
        chain_event_add(c, CHAIN_EVENT_FEED_VALUED, x->tx_index)->data.feed_valued = (chain_event_feed_valued){
            .feed = p->feed, .round = p->round, .value = out.value, .confidence_ppm = out.confidence_ppm, .accepted = out.accepted };
    }
    feed->readings = 0;
    feed->open_height = 0;
    return checked_add_u64(&feed->round, feed->round, 1);
}

size_t chain_oracle_close_journal(void)
{
#define EDIT(name) (sizeof(chain_row_##name) + sizeof(journal_entry))
    size_t fee = 2 * EDIT(account) + EDIT(supply);
    return fee + EDIT(feed) + LIMIT_ORACLE_SOURCES * EDIT(oracle);
#undef EDIT
}
