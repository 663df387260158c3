/* SPDX-License-Identifier: Apache-2.0
 * Membership of overlays: join, renew, fund, attest, vouch, leave. */
#include "chain/ident/overlay_int.h"

/* --- joining --- */

static chain_row_overlay *edit_overlay(chain *c, const hash256 *overlay)
{
    chain_key key = chain_key_job(overlay);
    return chain_row_edit(c, CHAIN_TABLE_OVERLAY, &key);
}

static chain_row_member *edit_member(chain *c, const hash256 *overlay, const cr_address *a)
{
    chain_key key = chain_key_member(overlay, a);
    return chain_row_edit_or_create(c, CHAIN_TABLE_MEMBER, &key);
}

static err become_member(chain_row_overlay *o, chain_row_member *m, uint64_t epoch)
{
    m->status = CHAIN_MEMBER_INSIDE;
    m->joined_epoch = epoch;
    m->paid_to = o->per_weight;
    if (m->number == 0) { /* who comes back keeps the number: it cannot vouch twice */
        TRY(checked_add_u64(&o->numbers, o->numbers, 1));
        m->number = o->numbers;
    }
    return checked_add_u64(&o->members, o->members, 1);
}

static err add_stake(exec *x, chain_row_overlay *o, chain_row_member *m, uint64_t amount, fault *f)
{
    if (chain_account_debit(x->c, &x->sender, amount) != OK)
        return fail(f, ERR_FUNDS, "overlay_join.stake", amount);
    TRY(chain_purse_add(x->c, PURSE_STAKES, amount));
    TRY(checked_add_u64(&o->stakes, o->stakes, amount));
    return checked_add_u64(&m->stake, m->stake, amount);
}

/* Money that members give each other pays the tariff like a transfer; the rest is divided by weight, exactly. */
static err fund(exec *x, const hash256 *overlay, chain_row_overlay *o, uint64_t amount, fault *f)
{
    chain *c = x->c;
    const bool open = !chain_kyc_valid_at(c, &x->sender, x->height);
    uint64_t tariff = 0, whole;
    if (amount == 0)
        return OK;
    if (o->pay_total == 0)
        return fail(f, ERR_STATE, "overlay_join.fund", 0);
    if (open)
        TRY(chain_tariff_of(c, &tariff, amount));
    if (chain_account_debit(c, &x->sender, amount) != OK)
        return fail(f, ERR_FUNDS, "overlay_join.fund", amount);
    const uint64_t net = amount - tariff;
    TRY(chain_tariff_collect(c, &x->sender, tariff, x->tx_index));
    chain_meter_volume(c, amount, open);
    TRY(chain_purse_add(c, PURSE_ESCROW, net));
    TRY(checked_add_u64(&o->pot, o->pot, net));
    TRY(checked_add_u64(&whole, o->undivided, net));
    if (checked_add_u64(&o->per_weight, o->per_weight, whole / o->pay_total) != OK)
        return fail(f, ERR_OVERFLOW, "overlay_join.fund", amount);
    o->undivided = whole % o->pay_total;
    chain_event_add(c, CHAIN_EVENT_OVERLAY_FUNDED, x->tx_index)->data.overlay_funded =
        (chain_event_overlay_funded){ .overlay = *overlay, .member = x->sender, .amount = net };
    return OK;
}

err chain_exec_overlay_join(exec *x, const chain_tx_overlay_join *p, fault *f)
{
    chain *c = x->c;
    const uint64_t epoch = epoch_of(c, x->height);
    TRY(chain_overlay_enter(x, &p->overlay, "overlay_join.overlay", f));
    const chain_row_member *now = chain_overlay_member(c, &p->overlay, &x->sender);
    uint64_t stake;
    TRY(checked_add_u64(&stake, now ? now->stake : 0, p->stake));
    TRY(chain_overlay_admits(c, chain_overlay(c, &p->overlay), now, stake, &x->sender, epoch, f));

    chain_row_overlay *o = edit_overlay(c, &p->overlay);
    chain_row_member *m = edit_member(c, &p->overlay, &x->sender);
    if (m->status != CHAIN_MEMBER_INSIDE)
        TRY(become_member(o, m, epoch));
    TRY(add_stake(x, o, m, p->stake, f));
    TRY(chain_overlay_weigh(x, &p->overlay, o, m, &x->sender, epoch));
    TRY(fund(x, &p->overlay, o, p->fund, f));
    chain_event_add(c, CHAIN_EVENT_OVERLAY_JOINED, x->tx_index)->data.overlay_joined = (chain_event_overlay_joined){
        .overlay = p->overlay, .member = x->sender, .stake = m->stake, .vote_weight = m->vote_weight, .pay_weight = m->pay_weight };
    return OK;
}

/* --- what others say --- */

err chain_exec_overlay_attest(exec *x, const chain_tx_overlay_attest *p, fault *f)
{
    chain *c = x->c;
    TRY(chain_overlay_enter(x, &p->overlay, "overlay_attest.overlay", f));
    if (p->rule == 0)
        return fail(f, ERR_RANGE, "overlay_attest.rule", 0);
    const chain_rule rule = chain_overlay_rule_at(chain_overlay(c, &p->overlay), p->rule - 1u);
    if (rule.kind != CHAIN_RULE_ATTESTATION)
        return fail(f, ERR_RANGE, "overlay_attest.rule", rule.kind);
    if (memcmp(rule.attestor.b, x->sender.hash, sizeof rule.attestor.b) != 0)
        return fail(f, ERR_PERMISSION, "overlay_attest.sender", 0);
    if (p->subject.kind != CR_ADDRESS_ACCOUNT)
        return fail(f, ERR_ADDRESS, "overlay_attest.subject", p->subject.kind);
    const uint8_t bit = (uint8_t)(1u << (p->rule - 1));
    const chain_row_member *now = chain_overlay_member(c, &p->overlay, &p->subject);
    if (((now ? now->attested : 0) & bit) == (p->grant ? bit : 0))
        return fail(f, p->grant ? ERR_DUPLICATE : ERR_NOT_FOUND, "overlay_attest.subject", 0);
    chain_row_member *m = edit_member(c, &p->overlay, &p->subject);
    m->attested ^= bit;
    chain_event_add(c, CHAIN_EVENT_OVERLAY_ATTESTED, x->tx_index)->data.overlay_attested =
        (chain_event_overlay_attested){ .overlay = p->overlay, .subject = p->subject, .rule = p->rule, .grant = p->grant };
    return OK;
}

/* A free place for the voucher's number, not there yet: its offset in *at. */
static err find_place(size_t *at, const chain_row_member *m, uint32_t number, fault *f)
{
    *at = sizeof(hash256);
    for (size_t i = 0; i < sizeof(hash256); i += 4) {
        uint32_t there = m ? load_le32(m->vouchers.b + i) : 0;
        if (there == number)
            return fail(f, ERR_DUPLICATE, "overlay_vouch.subject", number);
        if (there == 0 && *at == sizeof(hash256))
            *at = i;
    }
    return *at < sizeof(hash256) ? OK : fail(f, ERR_LIMIT, "overlay_vouch.subject", LIMIT_OVERLAY_VOUCHERS);
}

static bool asks_for_vouchers(const chain_row_overlay *o)
{
    bool asks = false;
    for (unsigned i = 0; i < LIMIT_OVERLAY_RULES; i++)
        asks |= chain_overlay_rule_at(o, i).kind == CHAIN_RULE_VOUCH;
    return asks;
}

err chain_exec_overlay_vouch(exec *x, const chain_tx_overlay_vouch *p, fault *f)
{
    chain *c = x->c;
    size_t at;
    TRY(chain_overlay_enter_member(x, &p->overlay, "overlay_vouch.overlay", f));
    if (!asks_for_vouchers(chain_overlay(c, &p->overlay)))
        return fail(f, ERR_UNSUPPORTED, "overlay_vouch.overlay", 0);
    if (p->subject.kind != CR_ADDRESS_ACCOUNT)
        return fail(f, ERR_ADDRESS, "overlay_vouch.subject", p->subject.kind);
    const chain_row_member *now = chain_overlay_member(c, &p->overlay, &p->subject);
    if (now && now->status == CHAIN_MEMBER_INSIDE) /* the sender itself, too */
        return fail(f, ERR_STATE, "overlay_vouch.subject", now->status);
    const chain_row_member *voucher = chain_overlay_member(c, &p->overlay, &x->sender);
    if (voucher->number > UINT32_MAX)
        return fail(f, ERR_LIMIT, "member.number", voucher->number);
    TRY(find_place(&at, now, (uint32_t)voucher->number, f));
    chain_row_member *m = edit_member(c, &p->overlay, &p->subject);
    store_le32(m->vouchers.b + at, (uint32_t)voucher->number);
    chain_event_add(c, CHAIN_EVENT_OVERLAY_VOUCHED, x->tx_index)->data.overlay_vouched =
        (chain_event_overlay_vouched){ .overlay = p->overlay, .subject = p->subject, .voucher = x->sender };
    return OK;
}

/* --- leaving --- */

static err give_back(chain *c, chain_row_overlay *o, chain_row_member *m, const cr_address *a)
{
    const uint64_t stake = m->stake;
    m->stake = 0;
    TRY(checked_sub_u64(&o->stakes, o->stakes, stake));
    TRY(chain_purse_take(c, PURSE_STAKES, stake));
    return chain_account_credit(c, a, stake);
}

/* The last member has what the divisions left over. */
static err empty_the_pot(chain *c, chain_row_overlay *o, const cr_address *a)
{
    const uint64_t rest = o->pot;
    o->pot = o->undivided = 0;
    TRY(chain_purse_take(c, PURSE_ESCROW, rest));
    return chain_account_credit(c, a, rest);
}

err chain_exec_overlay_leave(exec *x, const chain_tx_overlay_leave *p, fault *f)
{
    chain *c = x->c;
    const uint64_t epoch = epoch_of(c, x->height);
    const chain_row_overlay *overlay = chain_overlay(c, &p->overlay);
    if (!overlay)
        return fail(f, ERR_NOT_FOUND, "overlay_leave.overlay", 0);
    const chain_row_member *now = chain_overlay_member(c, &p->overlay, &p->member);
    if (!now || now->status != CHAIN_MEMBER_INSIDE)
        return fail(f, ERR_NOT_FOUND, "overlay_leave.member", 0);
    if (!cr_address_equal(&p->member, &x->sender) && chain_overlay_admits(c, overlay, now, now->stake, &p->member, epoch, NULL) == OK)
        return fail(f, ERR_PERMISSION, "overlay_leave.member", 0);

    const uint64_t stake = now->stake;
    chain_row_overlay *o = edit_overlay(c, &p->overlay);
    chain_row_member *m = edit_member(c, &p->overlay, &p->member);
    TRY(chain_overlay_withdraw_ballot(c, &p->overlay, o, m, epoch));
    m->status = CHAIN_MEMBER_LEFT;
    TRY(chain_overlay_weigh(x, &p->overlay, o, m, &p->member, epoch));
    TRY(give_back(c, o, m, &p->member));
    memset(&m->vouchers, 0, sizeof m->vouchers);
    TRY(checked_sub_u64(&o->members, o->members, 1));
    if (o->members == 0)
        TRY(empty_the_pot(c, o, &p->member));
    chain_event_add(c, CHAIN_EVENT_OVERLAY_LEFT, x->tx_index)->data.overlay_left =
        (chain_event_overlay_left){ .overlay = p->overlay, .member = p->member, .stake = stake };
    return OK;
}
