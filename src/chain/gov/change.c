/* SPDX-License-Identifier: Apache-2.0
 * Changes of parameters: their wire form, what they may be, and the only code that writes parameters after the genesis. */
#include "chain/gov/gov_int.h"

static const uint8_t electorates[CHAIN_PARAM_COUNT] = {
#define PARAM_MARKET(ID, market) [CHAIN_PARAM_##ID] = 1 + ECON_##market,
#define PARAM_TIGHTENS(ID, direction)
#include "governance.def"
#undef PARAM_MARKET
#undef PARAM_TIGHTENS
};

static const uint8_t directions[CHAIN_PARAM_COUNT] = {
#define PARAM_MARKET(ID, market)
#define PARAM_TIGHTENS(ID, direction) [CHAIN_PARAM_##ID] = CHAIN_TIGHTENS_##direction,
#include "governance.def"
#undef PARAM_MARKET
#undef PARAM_TIGHTENS
};

chain_tightens chain_param_tightens(chain_param p)
{
    return (chain_tightens)directions[p];
}

chain_electorate chain_param_electorate(chain_param p)
{
    return (chain_electorate)electorates[p];
}

/* --- wire form --- */

err chain_changes_encode(bytes *out, uint8_t *buffer, size_t cap, const chain_param_change *changes, size_t count)
{
    cbor_writer w = cbor_writer_on(buffer, cap);
    cbor_put_array(&w, count);
    for (size_t i = 0; i < count; i++) {
        cbor_put_array(&w, 2);
        cbor_put_uint(&w, chain_param_rows[changes[i].param].number);
        cbor_put_uint(&w, changes[i].value);
    }
    return cbor_finish(&w, out);
}

static err decode_changes(cbor_reader *r, chain_param_change changes[LIMIT_PROPOSAL_CHANGES_N], size_t *count)
{
    TRY(cbor_get_array(r, "changes", count, LIMIT_PROPOSAL_CHANGES));
    for (size_t i = 0; i < *count; i++) {
        uint64_t number;
        TRY(cbor_get_array_fixed(r, "changes", 2));
        TRY(cbor_get_uint(r, "changes", &number));
        TRY(cbor_get_uint(r, "changes", &changes[i].value));
        changes[i].param = chain_param_by_number(number);
        if (changes[i].param == CHAIN_PARAM_COUNT)
            return fail(&r->fault, ERR_NOT_FOUND, "changes", number);
        if (i && chain_param_rows[changes[i - 1].param].number >= number)
            return fail(&r->fault, ERR_DUPLICATE, "changes", number);
    }
    TRY(cbor_end(r));
    return *count ? OK : fail(&r->fault, ERR_RANGE, "changes", 0);
}

err chain_changes_decode(chain_param_change changes[LIMIT_PROPOSAL_CHANGES_N], size_t *count, bytes items, fault *f)
{
    cbor_reader r = cbor_reader_on(items);
    err e = decode_changes(&r, changes, count);
    if (e != OK && f)
        *f = r.fault;
    return e;
}

/* --- what a proposal does --- */

chain_key chain_key_change(uint64_t number, uint8_t place)
{
    chain_key k = { .len = 9 };
    store_be64(k.b, number);
    k.b[8] = place;
    return k;
}

const chain_row_change *chain_proposal_change(const chain *c, uint64_t number, uint8_t place)
{
    chain_key key = chain_key_change(number, place);
    return chain_row_get(c, CHAIN_TABLE_CHANGE, &key);
}

static const chain_row_param *param_row(const chain *c, chain_param p)
{
    return table_row_at(&c->tables[CHAIN_TABLE_PARAM], c->param_rows[p]);
}

void chain_gov_diff_restore(const chain *c, gov_diff *out, uint64_t number)
{
    const chain_row_proposal *p = chain_proposal(c, number);
    out->count = 0;
    for (uint8_t i = 0; i < p->changes; i++) {
        const chain_row_change *change = chain_proposal_change(c, number, i);
        chain_param which = chain_param_by_number(change->param);
        if (param_row(c, which)->proposal == number)
            out->change[out->count++] = (chain_param_change){ which, change->before };
    }
}

void chain_gov_diff_of(const chain *c, gov_diff *out, uint64_t number)
{
    const chain_row_proposal *p = chain_proposal(c, number);
    if (p->kind == CHAIN_PROPOSAL_ROLLBACK) {
        chain_gov_diff_restore(c, out, p->target);
        return;
    }
    out->count = p->changes;
    for (uint8_t i = 0; i < p->changes; i++) {
        const chain_row_change *change = chain_proposal_change(c, number, i);
        out->change[i] = (chain_param_change){ chain_param_by_number(change->param), change->value };
    }
}

static void set_params(chain_params *set, const gov_diff *d)
{
    for (size_t i = 0; i < d->count; i++)
        set->v[d->change[i].param] = d->change[i].value;
}

/* The emergencies in force taken back, in the order of their numbers. */
static void without_emergencies(const chain *c, chain_params *set)
{
    for (uint64_t number = chain_governance(c)->first; number;) {
        const chain_row_proposal *p = chain_proposal(c, number);
        if (p->status == CHAIN_PROPOSAL_IN_FORCE) {
            gov_diff d;
            chain_gov_diff_restore(c, &d, number);
            set_params(set, &d);
        }
        number = p->next;
    }
}

/* The emergency in force that gave the parameter its value; 0: none. */
static uint64_t holder_of(const chain *c, chain_param p)
{
    uint64_t by = param_row(c, p)->proposal;
    const chain_row_proposal *holder = by ? chain_proposal(c, by) : NULL;
    return holder && holder->status == CHAIN_PROPOSAL_IN_FORCE ? by : 0;
}

/* The value that the parameter has, or would have again if no emergency held it. */
static uint64_t calm_value(const chain *c, chain_param p)
{
    uint64_t number = holder_of(c, p);
    if (!number)
        return param(c, p);
    gov_diff d;
    chain_gov_diff_restore(c, &d, number);
    size_t i = 0;
    while (d.change[i].param != p)
        i++;
    return d.change[i].value;
}

err chain_gov_emergency_check(const chain *c, const gov_diff *d, fault *f)
{
    for (size_t i = 0; i < d->count; i++) {
        chain_param p = d->change[i].param;
        chain_tightens way = chain_param_tightens(p);
        uint64_t now = param(c, p), then = d->change[i].value;
        if ((way != CHAIN_TIGHTENS_UP || then <= now) && (way != CHAIN_TIGHTENS_DOWN || then >= now))
            return fail(f, ERR_PERMISSION, chain_param_rows[p].key, then);
        if (holder_of(c, p))
            return fail(f, ERR_EXISTS, chain_param_rows[p].key, i);
    }
    return OK;
}

err chain_gov_diff_check(const chain *c, const gov_diff *d, bool emergency, fault *f)
{
    chain_params set;
    for (size_t i = 0; i < d->count; i++)
        if (chain_param_rows[d->change[i].param].changer != CHAIN_CHANGER_BOTH_HOUSES)
            return fail(f, ERR_PERMISSION, chain_param_rows[d->change[i].param].key, i);
    for (unsigned i = 0; i < CHAIN_PARAM_COUNT; i++)
        set.v[i] = param(c, (chain_param)i);
    chain_params calm = set;
    set_params(&set, d);
    TRY(chain_params_allowed(c, &set, f));
    if (emergency)
        return OK;
    without_emergencies(c, &calm);
    set_params(&calm, d);
    return chain_params_allowed(c, &calm, f);
}

void chain_gov_changes_remember(chain *c, uint64_t number)
{
    uint8_t count = chain_proposal(c, number)->changes;
    for (uint8_t i = 0; i < count; i++) {
        chain_key key = chain_key_change(number, i);
        chain_row_change *change = chain_row_edit(c, CHAIN_TABLE_CHANGE, &key);
        change->before = calm_value(c, chain_param_by_number(change->param));
    }
}

void chain_gov_diff_apply(chain *c, const gov_diff *d, uint64_t number, uint64_t from_epoch)
{
    for (size_t i = 0; i < d->count; i++) {
        chain_param p = d->change[i].param;
        CHECK(chain_param_rows[p].changer == CHAIN_CHANGER_BOTH_HOUSES);
        chain_key key = chain_key_param(p);
        chain_row_param *row = chain_row_edit(c, CHAIN_TABLE_PARAM, &key);
        *row = (chain_row_param){ .value = d->change[i].value, .previous = row->value, .changed_epoch = from_epoch, .proposal = number };
        chain_event_add(c, CHAIN_EVENT_PARAM_CHANGED, CHAIN_EVENT_NO_TX)->data.param_changed =
            (chain_event_param_changed){ .param = chain_param_rows[p].number, .value = row->value, .before = row->previous,
                                         .proposal = number };
    }
}
