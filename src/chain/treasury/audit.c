/* SPDX-License-Identifier: Apache-2.0
 * The treasury's books against its rows, and the journal that an epoch of it needs. */
#include "chain/treasury/treasury_int.h"

static err audit_disbursements(const chain *c, const chain_row_treasury *t, fault *f)
{
    u128 held = 0;
    uint64_t active = 0;
    if (chain_row_count(c, CHAIN_TABLE_DISBURSEMENT) != t->disbursements)
        return fail(f, ERR_INVARIANT, "number of disbursements", t->disbursements);
    for (uint64_t number = 1; number <= t->disbursements; number++) {
        const chain_row_disbursement *d = chain_disbursement(c, number);
        u128 sum = 0;
        if (!d || d->payees > LIMIT_DISBURSEMENT_PARTS || d->dependencies > LIMIT_DISBURSEMENT_PARTS)
            return fail(f, ERR_INVARIANT, "disbursement", number);
        for (size_t i = 0; i < d->payees; i++)
            sum += chain_disbursement_payee(d, i).amount;
        if (sum != d->amount)
            return fail(f, ERR_INVARIANT, "sum of payees", number);
        held += d->status == CHAIN_DISBURSEMENT_EXECUTED ? d->amount : 0;
        active += chain_disbursement_active(d);
    }
    if (held != chain_supply(c)->disbursing)
        return fail(f, ERR_INVARIANT, "sum of executed disbursements", 0);
    return active == t->active ? OK : fail(f, ERR_INVARIANT, "active disbursements", active);
}

/* Each active disbursement has one slot: as many slots as active ones, all different. */
static err audit_slots(const chain *c, const chain_row_treasury *t, fault *f)
{
    uint64_t used = 0, seen[LIMIT_DISBURSEMENTS_N];
    for (uint8_t i = 0; i < LIMIT_DISBURSEMENTS_N; i++) {
        chain_key key = chain_key_one(i);
        const chain_row_disbursement_slot *s = chain_row_get(c, CHAIN_TABLE_DISBURSEMENT_SLOT, &key);
        if (!s || s->number == 0)
            continue;
        const chain_row_disbursement *d = chain_disbursement(c, s->number);
        if (!d || !chain_disbursement_active(d))
            return fail(f, ERR_INVARIANT, "slot of an active disbursement", s->number);
        for (uint64_t k = 0; k < used; k++)
            if (seen[k] == s->number)
                return fail(f, ERR_INVARIANT, "one slot", s->number);
        seen[used++] = s->number;
    }
    return used == t->active ? OK : fail(f, ERR_INVARIANT, "slots in use", used);
}

static u128 outflow_since(const chain *c, chain_outflow_kind kind, uint64_t oldest, uint64_t newest)
{
    u128 sum = 0;
    for (uint64_t period = oldest; period <= newest; period++) {
        chain_key key = chain_key_outflow(kind, period);
        const chain_row_outflow *row = chain_row_get(c, CHAIN_TABLE_OUTFLOW, &key);
        sum += row && row->period == period ? row->amount : 0;
    }
    return sum;
}

static err audit_sums(const chain *c, const chain_row_treasury *t, fault *f)
{
    uint64_t day = chain_day_of_epoch(t->epoch);
    uint64_t oldest_epoch = t->epoch > CHAIN_DAY_EPOCHS ? t->epoch - CHAIN_DAY_EPOCHS + 1 : 1;
    uint64_t oldest_day = day >= CHAIN_MONTH_BUCKETS ? day - CHAIN_MONTH_BUCKETS + 1 : 0;
    if (outflow_since(c, CHAIN_OUTFLOW_EPOCH, t->epoch, t->epoch) != t->epoch_out)
        return fail(f, ERR_INVARIANT, "treasury.epoch_out", t->epoch_out);
    if (outflow_since(c, CHAIN_OUTFLOW_EPOCH, oldest_epoch, t->epoch) != t->day_out)
        return fail(f, ERR_INVARIANT, "treasury.day_out", t->day_out);
    if (outflow_since(c, CHAIN_OUTFLOW_DAY, oldest_day, day) != t->month_out)
        return fail(f, ERR_INVARIANT, "treasury.month_out", t->month_out);
    return OK;
}

err chain_treasury_audit(const chain *c, fault *f)
{
    const chain_row_treasury *t = chain_treasury(c);
    if (!t || t->epoch == 0 || !chain_treasury_breaker(c))
        return fail(f, ERR_INVARIANT, "treasury", 0);
    TRY(audit_disbursements(c, t, f));
    TRY(audit_slots(c, t, f));
    return audit_sums(c, t, f);
}

size_t chain_treasury_journal_bytes(void)
{
#define EDIT(name) (((sizeof(chain_row_##name) + 7) / 8 * 8) + sizeof(journal_entry))
    /* One disbursement makes one step of an epoch: the dearest pays all its payees; another takes, and fills both rings; a third is
     * refused and rolled back. The vote may have touched it and its slot before. */
    size_t pay = LIMIT_DISBURSEMENT_PARTS_N * (EDIT(account) + EDIT(supply)), take = 2 * EDIT(supply) + 2 * EDIT(outflow);
    size_t each = 3 * EDIT(disbursement) + 2 * EDIT(disbursement_slot) + EDIT(treasury) + pay + take;
    return LIMIT_DISBURSEMENTS_N * each + 2 * EDIT(treasury) + 2 * EDIT(breaker);
#undef EDIT
}
