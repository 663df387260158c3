/* SPDX-License-Identifier: Apache-2.0
 * Overlays: foundation, rules of membership, weights, and the pot. */
#include "chain/ident/overlay_int.h"

/* --- rules --- */

err chain_rules_encode(bytes *out, uint8_t *buffer, size_t cap, const chain_rule *rules, size_t count)
{
    cbor_writer w = cbor_writer_on(buffer, cap);
    cbor_put_array(&w, count);
    for (size_t i = 0; i < count; i++) {
        cbor_put_array(&w, 4);
        cbor_put_uint(&w, rules[i].kind);
        cbor_put_uint(&w, rules[i].number);
        cbor_put_uint(&w, rules[i].detail);
        cbor_put_bytes(&w, bytes_of(rules[i].attestor.b, rules[i].kind == CHAIN_RULE_ATTESTATION ? 32 : 0));
    }
    return cbor_finish(&w, out);
}

static err decode_rule(cbor_reader *r, chain_rule *rule)
{
    static const struct {
        uint64_t number_min, number_max, detail_max;
        size_t   attestor_len;
    } bounds[] = {
        [CHAIN_RULE_BADGE] = { 0, UINT64_MAX, ECON_MARKETS, 0 },
        [CHAIN_RULE_STAKE] = { 1, CHAIN_AMOUNT_MAX, 0, 0 },
        [CHAIN_RULE_ATTESTATION] = { 0, 0, UINT32_MAX, 32 },
        [CHAIN_RULE_VOUCH] = { 1, 8, 0, 0 }, /* LIMIT_OVERLAY_VOUCHERS */
    };
    uint64_t kind, detail;
    bytes attestor;
    size_t at = r->at;
    TRY(cbor_get_array_fixed(r, "overlay_create.rules", 4));
    TRY(cbor_get_uint_max(r, "overlay_create.rules: kind", &kind, CHAIN_RULE_VOUCH));
    if (kind == 0)
        return fail(&r->fault, ERR_RANGE, "overlay_create.rules: kind", at);
    TRY(cbor_get_uint_max(r, "overlay_create.rules: number", &rule->number, bounds[kind].number_max));
    if (rule->number < bounds[kind].number_min)
        return fail(&r->fault, ERR_RANGE, "overlay_create.rules: number", at);
    TRY(cbor_get_uint_max(r, "overlay_create.rules: detail", &detail, bounds[kind].detail_max));
    TRY(cbor_get_bytes(r, "overlay_create.rules: attestor", &attestor, 32));
    if (attestor.len != bounds[kind].attestor_len)
        return fail(&r->fault, ERR_RANGE, "overlay_create.rules: attestor", at);
    rule->kind = (uint8_t)kind;
    rule->detail = (uint32_t)detail;
    if (attestor.len)
        memcpy(rule->attestor.b, attestor.data, attestor.len);
    return OK;
}

static err decode_rules(cbor_reader *r, chain_rule *rules, size_t *count)
{
    TRY(cbor_get_array(r, "overlay_create.rules", count, LIMIT_OVERLAY_RULES));
    for (size_t i = 0; i < *count; i++)
        TRY(decode_rule(r, &rules[i]));
    return cbor_end(r);
}

err chain_rules_decode(chain_rule *rules, size_t *count, bytes items, fault *f)
{
    memset(rules, 0, LIMIT_OVERLAY_RULES * sizeof *rules);
    cbor_reader r = cbor_reader_on(items);
    err e = decode_rules(&r, rules, count);
    if (e != OK && f)
        *f = r.fault;
    return e;
}

chain_rule chain_overlay_rule_at(const chain_row_overlay *o, unsigned i)
{
    switch (i) {
    case 0:
        return (chain_rule){ o->rule1_kind, o->rule1_number, o->rule1_detail, o->rule1_attestor };
    case 1:
        return (chain_rule){ o->rule2_kind, o->rule2_number, o->rule2_detail, o->rule2_attestor };
    case 2:
        return (chain_rule){ o->rule3_kind, o->rule3_number, o->rule3_detail, o->rule3_attestor };
    default:
        return (chain_rule){ o->rule4_kind, o->rule4_number, o->rule4_detail, o->rule4_attestor };
    }
}

static bool holds_badge(const chain *c, const chain_rule *rule, const cr_address *a, uint64_t epoch)
{
    uint8_t role = rule->detail == ECON_MARKETS ? CHAIN_BADGE_BUILDER : CHAIN_BADGE_OPERATOR;
    chain_key key = chain_key_badge((uint8_t)rule->detail, role, a);
    const chain_row_badge *row = chain_row_get(c, CHAIN_TABLE_BADGE, &key);
    return row && chain_badge_live(row, epoch) && chain_badge_held(row, epoch) >= rule->number;
}

static uint64_t vouchers_of(const chain_row_member *m)
{
    uint64_t n = 0;
    for (size_t i = 0; m && i < LIMIT_OVERLAY_VOUCHERS; i++)
        n += load_le32(m->vouchers.b + 4 * i) != 0;
    return n;
}

err chain_overlay_admits(const chain *c, const chain_row_overlay *o, const chain_row_member *m, uint64_t stake, const cr_address *a,
                         uint64_t epoch, fault *f)
{
    for (unsigned i = 0; i < LIMIT_OVERLAY_RULES; i++) {
        const chain_rule rule = chain_overlay_rule_at(o, i);
        if (rule.kind == CHAIN_RULE_BADGE && !holds_badge(c, &rule, a, epoch))
            return fail(f, ERR_PERMISSION, "overlay.rule: badge", i + 1);
        if (rule.kind == CHAIN_RULE_STAKE && stake < rule.number)
            return fail(f, ERR_PERMISSION, "overlay.rule: stake", i + 1);
        if (rule.kind == CHAIN_RULE_ATTESTATION && !(m && (m->attested >> i & 1)))
            return fail(f, ERR_PERMISSION, "overlay.rule: attestation", i + 1);
        if (rule.kind == CHAIN_RULE_VOUCH && vouchers_of(m) < rule.number && !cr_address_equal(a, &o->founder))
            return fail(f, ERR_PERMISSION, "overlay.rule: vouch", i + 1);
    }
    return OK;
}

/* --- weights and the pot --- */

err chain_overlay_settle(exec *x, const hash256 *overlay, chain_row_overlay *o, chain_row_member *m, const cr_address *a)
{
    uint64_t amount;
    TRY(checked_mul_u64(&amount, m->pay_weight, o->per_weight - m->paid_to));
    m->paid_to = o->per_weight;
    if (amount == 0)
        return OK;
    TRY(checked_sub_u64(&o->pot, o->pot, amount));
    TRY(chain_purse_take(x->c, PURSE_ESCROW, amount));
    TRY(chain_account_credit(x->c, a, amount));
    chain_event_add(x->c, CHAIN_EVENT_OVERLAY_PAID, x->tx_index)->data.overlay_paid =
        (chain_event_overlay_paid){ .overlay = *overlay, .member = *a, .amount = amount };
    return OK;
}

static err replace_in_sum(uint64_t *sum, uint64_t old, uint64_t now)
{
    TRY(checked_sub_u64(sum, *sum, old));
    return checked_add_u64(sum, *sum, now);
}

err chain_overlay_weigh(exec *x, const hash256 *overlay, chain_row_overlay *o, chain_row_member *m, const cr_address *a, uint64_t epoch)
{
    enum { BLOCK = ECON_BLOCK };
    const bool inside = m->status == CHAIN_MEMBER_INSIDE;
    const uint32_t pay[ECON_MARKETS] = { o->pay_storage, o->pay_compute, o->pay_energy, o->pay_ad };
    chain_standing s;
    TRY(chain_overlay_settle(x, overlay, o, m, a));
    chain_standing_at(x->c, &s, a, epoch);
    uint64_t vote = inside ? o->vote_base + o->vote_stake * (m->stake / BLOCK) : 0, share = inside ? o->pay_base : 0;
    for (unsigned i = 0; inside && i < ECON_MARKETS; i++) {
        vote += s.markets >> i & 1 ? o->vote_badge : 0;
        share += s.markets >> i & 1 ? pay[i] : 0;
    }
    const uint64_t poll = chain_overlay_open_poll(x->c, overlay, o, epoch);
    if (poll && m->poll_mark != poll && vote != m->vote_weight) {
        m->poll_mark = poll;
        m->poll_weight = m->vote_weight;
    }
    TRY(replace_in_sum(&o->vote_total, m->vote_weight, vote));
    TRY(replace_in_sum(&o->pay_total, m->pay_weight, share));
    m->vote_weight = vote;
    m->pay_weight = share;
    return OK;
}

/* --- entering, founding --- */

const chain_row_overlay *chain_overlay(const chain *c, const hash256 *overlay)
{
    chain_key key = chain_key_job(overlay);
    return chain_row_get(c, CHAIN_TABLE_OVERLAY, &key);
}

const chain_row_member *chain_overlay_member(const chain *c, const hash256 *overlay, const cr_address *a)
{
    chain_key key = chain_key_member(overlay, a);
    return chain_row_get(c, CHAIN_TABLE_MEMBER, &key);
}

err chain_overlay_enter(const exec *x, const hash256 *overlay, const char *what, fault *f)
{
    TRY(chain_pack_check(x->c, &x->sender, CHAIN_FEATURE_OVERLAY, ECON_MARKETS, x->height, f));
    return chain_overlay(x->c, overlay) ? OK : fail(f, ERR_NOT_FOUND, what, 0);
}

err chain_overlay_enter_member(const exec *x, const hash256 *overlay, const char *what, fault *f)
{
    TRY(chain_overlay_enter(x, overlay, what, f));
    const chain_row_member *m = chain_overlay_member(x->c, overlay, &x->sender);
    if (!m || m->status != CHAIN_MEMBER_INSIDE)
        return fail(f, ERR_PERMISSION, what, 0);
    return chain_overlay_admits(x->c, chain_overlay(x->c, overlay), m, m->stake, &x->sender, epoch_of(x->c, x->height), f);
}

static err check_modifiers(const chain_tx_overlay_create *p, fault *f)
{
    if ((p->vote_base | p->vote_badge | p->vote_stake) == 0)
        return fail(f, ERR_RANGE, "overlay_create.vote_base", 0);
    return p->threshold_ppm >= PPM / 2 ? OK : fail(f, ERR_RANGE, "overlay_create.threshold_ppm", p->threshold_ppm);
}

err chain_exec_overlay_create(exec *x, const chain_tx_overlay_create *p, fault *f)
{
    chain *c = x->c;
    chain_rule r[4]; /* LIMIT_OVERLAY_RULES */
    size_t count;
    TRY(chain_pack_check(c, &x->sender, CHAIN_FEATURE_OVERLAY, ECON_MARKETS, x->height, f));
    TRY(check_modifiers(p, f));
    TRY(chain_rules_decode(r, &count, p->rules, f));
    chain_key key = chain_key_overlay(&p->community);
    if (chain_row_get(c, CHAIN_TABLE_OVERLAY, &key))
        return fail(f, ERR_EXISTS, "overlay_create.community", 0);
    chain_row_overlay *o = chain_row_create(c, CHAIN_TABLE_OVERLAY, &key);
    *o = (chain_row_overlay){
        .community = p->community,
        .founder = x->sender,
        .created_epoch = epoch_of(c, x->height),
        .rule1_kind = r[0].kind, .rule1_detail = r[0].detail, .rule1_number = r[0].number, .rule1_attestor = r[0].attestor,
        .rule2_kind = r[1].kind, .rule2_detail = r[1].detail, .rule2_number = r[1].number, .rule2_attestor = r[1].attestor,
        .rule3_kind = r[2].kind, .rule3_detail = r[2].detail, .rule3_number = r[2].number, .rule3_attestor = r[2].attestor,
        .rule4_kind = r[3].kind, .rule4_detail = r[3].detail, .rule4_number = r[3].number, .rule4_attestor = r[3].attestor,
        .vote_base = p->vote_base,
        .vote_badge = p->vote_badge,
        .vote_stake = p->vote_stake,
        .quorum_ppm = p->quorum_ppm,
        .threshold_ppm = p->threshold_ppm,
        .pay_base = p->pay_base,
        .pay_storage = p->pay_storage,
        .pay_compute = p->pay_compute,
        .pay_energy = p->pay_energy,
        .pay_ad = p->pay_ad,
    };
    hash256 id;
    memcpy(id.b, key.b, sizeof id.b);
    chain_event_add(c, CHAIN_EVENT_OVERLAY_CREATED, x->tx_index)->data.overlay_created =
        (chain_event_overlay_created){ .overlay = id, .founder = x->sender };
    return OK;
}
