/* SPDX-License-Identifier: Apache-2.0
 * Money: caps, sums, and the mint, recomputed from what the block changed. */
#include "chain/constitution_int.h"
#include "chain/treasury/treasury.h"
#include "econ/issuance.h"
#include "econ/split.h"

#define METER_FULL (((uint64_t)1 << 62) - 1) /* meters of income saturate there */

const chain_invariant_row chain_invariants[CHAIN_INVARIANT_COUNT] = {
#define INVARIANT(ID, title, kind_of, text, how) \
    [CHAIN_INVARIANT_##ID] = { .name = (title), .kind = CHAIN_GUARANTEE_##kind_of, .guarantee = (text), .check = (how) },
#include "invariants.def"
#undef INVARIANT
};

/* --- one row ------------------------------------------------------------------------------------------------------------- */

/* What the row holds of a purse. Sums that repeat the stakes of other rows (market, provider, region, overlay.stakes) hold nothing. */
static u128 held_by(unsigned table, const void *row, unsigned *holder)
{
    switch (table) {
    case CHAIN_TABLE_ACCOUNT:
        *holder = HELD_BALANCES;
        return ((const chain_row_account *)row)->balance;
    case CHAIN_TABLE_JOB:
        *holder = HELD_ESCROW;
        return ((const chain_row_job *)row)->escrow;
    case CHAIN_TABLE_AUDIT:
        *holder = HELD_ESCROW;
        return ((const chain_row_audit *)row)->status == CHAIN_AUDIT_OPEN ? ((const chain_row_audit *)row)->deposit : 0;
    case CHAIN_TABLE_OVERLAY:
        *holder = HELD_ESCROW;
        return ((const chain_row_overlay *)row)->pot;
    case CHAIN_TABLE_WORKER:
        *holder = HELD_BONDS;
        return ((const chain_row_worker *)row)->bond;
    case CHAIN_TABLE_VOTER:
        *holder = HELD_STAKES;
        return (u128)((const chain_row_voter *)row)->stake + ((const chain_row_voter *)row)->unbonding;
    case CHAIN_TABLE_PROPOSAL:
        *holder = HELD_STAKES;
        return ((const chain_row_proposal *)row)->stake;
    case CHAIN_TABLE_MEMBER:
        *holder = HELD_STAKES;
        return ((const chain_row_member *)row)->stake;
    case CHAIN_TABLE_AUCTION:
        *holder = HELD_STAKES;
        return ((const chain_row_auction *)row)->deposit;
    case CHAIN_TABLE_COMMIT:
        *holder = HELD_STAKES;
        return ((const chain_row_commit *)row)->locked;
    case CHAIN_TABLE_ORACLE:
        *holder = HELD_STAKES;
        return ((const chain_row_oracle *)row)->stake;
    case CHAIN_TABLE_DISBURSEMENT:
        *holder = HELD_DISBURSING;
        return ((const chain_row_disbursement *)row)->status == CHAIN_DISBURSEMENT_EXECUTED ? ((const chain_row_disbursement *)row)->amount : 0;
    default:
        *holder = HELD_NOWHERE;
        return 0;
    }
}

/* Every rule that lets a balance fall (fees, transfers, deposits, stakes) is a transaction of the account itself. */
static err judge_account(judging *k, const chain_row_account *old, const chain_row_account *now, fault *f)
{
    if (now->nonce < old->nonce)
        return broken(f, CHAIN_INVARIANT_NONCES, now->nonce);
    if (now->balance < old->balance && now->nonce == old->nonce)
        return broken(f, CHAIN_INVARIANT_AUTHORITY, old->balance - now->balance);
    k->nonces += now->nonce - old->nonce;
    return OK;
}

static void note_disbursement(judging *k, const chain_row_disbursement *old, const chain_row_disbursement *now)
{
    bool was = old->status == CHAIN_DISBURSEMENT_EXECUTED, is = now->status == CHAIN_DISBURSEMENT_EXECUTED;
    if (is && !was)
        k->taken += now->amount;
    if (was && now->status == CHAIN_DISBURSEMENT_ROLLED_BACK)
        k->taken -= old->amount;
}

static uint64_t number_of(const row_table *t, const journal_entry *j)
{
    return chain_constitution_number(table_key_at(t, j->number), t->info->key_len);
}

/* Where the row was touched first: `old` is what it was before the block, zeros if it is new. */
static err judge_row(judging *k, const journal_entry *j, const void *old, fault *f)
{
    const row_table *t = &k->c->tables[j->table];
    const void *now = table_row_at(t, j->number);
    unsigned holder;
    i128 before = (i128)held_by(j->table, old, &holder), after = (i128)held_by(j->table, now, &holder);
    k->grown[holder] += after - before;
    switch (j->table) {
    case CHAIN_TABLE_ACCOUNT:
        return judge_account(k, old, now, f);
    case CHAIN_TABLE_SUPPLY:
        k->supply = *(const chain_row_supply *)old;
        return OK;
    case CHAIN_TABLE_ECONOMY:
        k->economy = *(const chain_row_economy *)old;
        return OK;
    case CHAIN_TABLE_EPOCH:
        k->epochs_written++;
        return OK;
    case CHAIN_TABLE_PROVIDER:
        k->subsidies += (i128)((const chain_row_provider *)now)->subsidies - ((const chain_row_provider *)old)->subsidies;
        return OK;
    case CHAIN_TABLE_PARAM:
        k->params.v[chain_param_by_number(number_of(t, j))] = ((const chain_row_param *)old)->value;
        return chain_judge_param(k, number_of(t, j), old, now, f);
    case CHAIN_TABLE_PROPOSAL:
        return chain_judge_proposal(k, old, now, f);
    case CHAIN_TABLE_CHANGE:
        return chain_judge_change(old, now, j->created, f);
    case CHAIN_TABLE_DISBURSEMENT:
        note_disbursement(k, old, now);
        return chain_judge_disbursement(k, number_of(t, j), old, now, j->created, f);
    case CHAIN_TABLE_JOB:
        return chain_judge_job(old, now, j->created, f);
    default:
        return OK;
    }
}

/* Backwards, as the undo goes: an entry lies behind the old row that belongs to it. */
static err judge_rows(judging *k, fault *f)
{
    static const uint64_t none[256];
    const chain *c = k->c;
    uint64_t burned = chain_supply(c)->burned; /* after the entry that is looked at */
    for (size_t at = c->journal_len; at > 0;) {
        journal_entry j;
        at -= sizeof j;
        memcpy(&j, c->journal + at, sizeof j);
        const void *old = none;
        CHECK(c->tables[j.table].row_size <= sizeof none);
        if (!j.created) {
            at -= c->tables[j.table].row_size;
            old = c->journal + at;
        }
        if (j.table == CHAIN_TABLE_SUPPLY)
            burned = ((const chain_row_supply *)old)->burned;
        if (j.table == CHAIN_TABLE_EPOCH)
            k->burned_at_mint = burned; /* nothing is burned between the mint and the epoch's row */
        if (j.first_in_block)
            TRY(judge_row(k, &j, old, f));
    }
    return OK;
}

/* --- the mint ------------------------------------------------------------------------------------------------------------ */

static uint32_t p32(const judging *k, chain_param p)
{
    return (uint32_t)k->params.v[p];
}

static err formula(const judging *k, uint64_t *out)
{
    const chain_row_epoch *e = k->closed;
    uint64_t decays = k->params.v[CHAIN_PARAM_SUPPLY_CAP] - k->params.v[CHAIN_PARAM_TAIL_RESERVE];
    uint64_t minted = k->supply.minted - k->economy.minted_tail;
    econ_issuance_in in = { .decay_cap_nblock = decays, .minted_nblock = minted < decays ? minted : decays,
                            .time_constant_blocks = k->params.v[CHAIN_PARAM_ISSUANCE_TIME], .epoch_blocks = k->params.v[CHAIN_PARAM_EPOCH],
                            .tx_count = e->txs, .volume_nblock = e->volume, .miners = e->producers, .tx_baseline = k->economy.tx_baseline,
                            .volume_baseline = k->economy.volume_baseline, .miner_baseline = k->economy.producer_baseline };
    for (unsigned m = 0; m < ECON_MARKETS; m++) {
        chain_key key = chain_key_award(k->epoch, (uint8_t)m);
        const chain_row_award *a = chain_row_get(k->c, CHAIN_TABLE_AWARD, &key);
        if (!a)
            return ERR_NOT_FOUND;
        in.utilisation[m] = econ_utilisation(a->used < a->offered ? a->used : a->offered, a->offered);
    }
    econ_issuance_out law;
    TRY(econ_issuance(&law, &in, NULL));
    *out = law.mint_nblock;
    return OK;
}

/* The whole of spec/epoch.md section 3 that decides an amount: formula, envelope, tail. */
static err lawful_mint(const judging *k, uint64_t *out)
{
    uint64_t asked, tail, cap = k->params.v[CHAIN_PARAM_SUPPLY_CAP], reserve = k->params.v[CHAIN_PARAM_TAIL_RESERVE];
    uint64_t circulating = k->supply.minted - k->burned_at_mint;
    TRY(formula(k, &asked));
    econ_envelope_in in = { .cap_nblock = cap, .minted_nblock = k->supply.minted, .circulating_nblock = circulating,
                            .annual_nblock = k->economy.annual, .mint_nblock = asked, .target_bps = p32(k, CHAIN_PARAM_INFLATION_TARGET),
                            .gain_milli = p32(k, CHAIN_PARAM_INFLATION_GAIN), .min_block = k->params.v[CHAIN_PARAM_ISSUANCE_MIN],
                            .max_block = k->params.v[CHAIN_PARAM_ISSUANCE_MAX], .on_ppm = p32(k, CHAIN_PARAM_ENVELOPE_ON),
                            .epochs_per_year = k->params.v[CHAIN_PARAM_YEAR] };
    econ_envelope_out law;
    TRY(econ_envelope(&law, &in, NULL));
    uint64_t room = cap - k->supply.minted - law.mint_nblock, gone = reserve > room ? reserve - room : 0;
    econ_tail_in last = { .circulating_nblock = circulating, .reserve_nblock = reserve,
                          .minted_nblock = k->economy.minted_tail > gone ? k->economy.minted_tail : gone, .mint_nblock = law.mint_nblock,
                          .tail_ppm = p32(k, CHAIN_PARAM_TAIL_RATE), .epochs_per_year = k->params.v[CHAIN_PARAM_YEAR] };
    TRY(econ_tail(&tail, &last, NULL));
    return checked_add_u64(out, law.mint_nblock, tail);
}

static err judge_mint(const judging *k, const chain_row_supply *now, fault *f)
{
    uint64_t minted = now->minted - k->supply.minted, lawful;
    if (k->epochs_written != k->ends || (k->ends && !k->closed) || (!k->ends && minted))
        return broken(f, CHAIN_INVARIANT_MINT, minted);
    if (!k->ends)
        return OK;
    econ_mint_shares shares = { .producer_ppm = p32(k, CHAIN_PARAM_MINT_PRODUCERS), .subsidy_ppm = p32(k, CHAIN_PARAM_MINT_SUBSIDY),
                                .treasury_ppm = p32(k, CHAIN_PARAM_MINT_TREASURY) };
    econ_mint_parts parts;
    if (lawful_mint(k, &lawful) != OK || minted != lawful || k->closed->mint != lawful || econ_mint_split(&parts, lawful, &shares, NULL) != OK ||
        k->closed->to_producers != parts.producer_nblock || k->closed->to_subsidy != parts.subsidy_nblock ||
        k->closed->to_treasury != parts.treasury_nblock)
        return broken(f, CHAIN_INVARIANT_MINT, minted);
    return OK;
}

/* --- sums ---------------------------------------------------------------------------------------------------------------- */

static err judge_sums(const judging *k, const chain_row_supply *now, fault *f)
{
    const chain_row_supply *old = &k->supply;
    const struct {
        chain_invariant which;
        unsigned        holder;
        uint64_t        old, now;
    } sums[] = {
        { CHAIN_INVARIANT_BALANCES, HELD_BALANCES, old->balances, now->balances },
        { CHAIN_INVARIANT_ESCROW, HELD_ESCROW, old->escrow, now->escrow },
        { CHAIN_INVARIANT_BONDS, HELD_BONDS, old->bonds, now->bonds },
        { CHAIN_INVARIANT_STAKES, HELD_STAKES, old->stakes, now->stakes },
        { CHAIN_INVARIANT_DISBURSING, HELD_DISBURSING, old->disbursing, now->disbursing },
    };
    for (size_t i = 0; i < COUNT_OF(sums); i++)
        if ((i128)sums[i].now - sums[i].old != k->grown[sums[i].holder])
            return broken(f, sums[i].which, sums[i].now);
    return OK;
}

/* The pool and the treasury have no rows of their own: they change by what the epoch's row, the meters and the providers say. */
static err judge_pool(const judging *k, const chain_row_supply *now, fault *f)
{
    const chain_row_epoch *e = k->closed;
    i128 grown = (i128)now->subsidy + now->awarded - k->supply.subsidy - k->supply.awarded;
    i128 in = e ? (i128)e->to_subsidy + e->from_fees + e->from_treasury : 0;
    if (grown != in - k->subsidies || k->subsidies < 0 || (e ? now->awarded != e->awarded : now->subsidy != k->supply.subsidy))
        return broken(f, CHAIN_INVARIANT_POOL, now->subsidy);
    return OK;
}

static err judge_treasury(const judging *k, const chain_row_supply *now, fault *f)
{
    const chain_row_epoch *e = k->closed;
    const chain_row_economy *meters = chain_economy(k->c);
    uint64_t tariffs = e ? e->tariff_income : meters->tariff_income, other = e ? e->other_income : meters->other_income;
    i128 grown = (i128)now->treasury - k->supply.treasury, income = (i128)tariffs + other - k->economy.tariff_income - k->economy.other_income;
    i128 out = k->taken + (e ? (i128)e->from_fees + e->from_treasury - e->to_treasury : 0);
    bool full = tariffs == METER_FULL || other == METER_FULL; /* the meters tell no more than that much came in */
    if (income < 0 || (full ? grown < income - out : grown != income - out))
        return broken(f, CHAIN_INVARIANT_TREASURY, now->treasury);
    return OK;
}

static err judge_supply(const judging *k, const chain_row_supply *now, fault *f)
{
    if (now->minted > k->params.v[CHAIN_PARAM_SUPPLY_CAP])
        return broken(f, CHAIN_INVARIANT_CAP, now->minted);
    if (now->minted < k->supply.minted || now->burned < k->supply.burned)
        return broken(f, CHAIN_INVARIANT_NO_RETURN, now->burned);
    TRY(judge_mint(k, now, f));
    TRY(judge_sums(k, now, f));
    TRY(judge_pool(k, now, f));
    TRY(judge_treasury(k, now, f));
    u128 held = (u128)now->balances + now->escrow + now->bonds + now->treasury + now->subsidy + now->awarded + now->disbursing + now->stakes;
    if (held + now->burned != now->minted)
        return broken(f, CHAIN_INVARIANT_TOTAL, now->minted);
    return OK;
}

err chain_constitution_check(const chain *c, const chain_block_input *in, fault *f)
{
    uint64_t length = param(c, CHAIN_PARAM_EPOCH); /* NOBODY changes it */
    judging k = { .c = c, .height = in->height, .ends = in->height % length == 0, .epoch = (in->height - 1) / length + 1,
                  .supply = *chain_supply(c), .economy = *chain_economy(c) };
    chain_key key = chain_key_height(k.epoch);
    k.closed = chain_row_get(c, CHAIN_TABLE_EPOCH, &key);
    for (unsigned i = 0; i < CHAIN_PARAM_COUNT; i++)
        k.params.v[i] = param(c, (chain_param)i);
    TRY(judge_rows(&k, f));
    if (k.nonces != in->tx_count)
        return broken(f, CHAIN_INVARIANT_NONCES, in->tx_count);
    return judge_supply(&k, chain_supply(c), f);
}
