/* SPDX-License-Identifier: Apache-2.0
 * Voters and houses: what each account could vote with, now and at the end of the epochs before. */
#include "chain/gov/gov_int.h"
#include "econ/voting.h"

/* --- keys --- */

chain_key chain_key_governance(void)
{
    return (chain_key){ .len = 1 };
}

chain_key chain_key_house(chain_electorate e)
{
    return (chain_key){ .len = 1, .b = { (uint8_t)e } };
}

chain_key chain_key_voter_at(const cr_address *a, uint64_t checkpoint)
{
    chain_key k = { .len = 35 };
    uint64_t place = checkpoint % LIMIT_VOTER_CHECKPOINTS;
    chain_address_pack(k.b, a);
    k.b[33] = (uint8_t)(place >> 8);
    k.b[34] = (uint8_t)place;
    return k;
}

/* --- rows --- */

const chain_row_house *chain_house(const chain *c, chain_electorate e)
{
    chain_key key = chain_key_house(e);
    return chain_row_get(c, CHAIN_TABLE_HOUSE, &key);
}

const chain_row_voter *chain_voter(const chain *c, const cr_address *a)
{
    chain_key key = chain_key_address(a);
    return chain_row_get(c, CHAIN_TABLE_VOTER, &key);
}

gov_powers chain_gov_powers_of(const chain_row_voter *v)
{
    return (gov_powers){ { v->power_operators, v->power_storage, v->power_compute, v->power_energy, v->power_ad, v->power_builders } };
}

static gov_powers powers_of_checkpoint(const chain_row_voter_at *at)
{
    return (gov_powers){ { at->power_operators, at->power_storage, at->power_compute, at->power_energy, at->power_ad,
                           at->power_builders } };
}

static const chain_row_voter_at *checkpoint(const chain *c, const cr_address *a, uint64_t number)
{
    chain_key key = chain_key_voter_at(a, number);
    const chain_row_voter_at *at = chain_row_get(c, CHAIN_TABLE_VOTER_AT, &key);
    CHECK(at);
    return at;
}

gov_powers chain_gov_powers_at(const chain *c, const cr_address *a, uint64_t epoch)
{
    const chain_row_voter *v = chain_voter(c, a);
    if (!v)
        return (gov_powers){ 0 };
    if (v->epoch <= epoch)
        return chain_gov_powers_of(v);
    /* The newest checkpoint of this epoch or one before it is in [low, high). */
    uint64_t high = v->checkpoints;
    uint64_t oldest = high > LIMIT_VOTER_CHECKPOINTS ? high - LIMIT_VOTER_CHECKPOINTS : 0, low = oldest;
    while (low < high) {
        uint64_t mid = low + (high - low) / 2;
        if (checkpoint(c, a, mid)->epoch <= epoch)
            low = mid + 1;
        else
            high = mid;
    }
    return low == oldest ? (gov_powers){ 0 } : powers_of_checkpoint(checkpoint(c, a, low - 1));
}

uint64_t chain_gov_eligible(const chain *c, chain_electorate e, uint64_t epoch)
{
    const chain_row_house *h = chain_house(c, e);
    CHECK(h);
    return h->epoch <= epoch ? h->power : h->before;
}

err chain_gov_house_check(uint8_t house, const char *what, fault *f)
{
    return house == CHAIN_HOUSE_OPERATORS || house == CHAIN_HOUSE_BUILDERS ? OK : fail(f, ERR_RANGE, what, house);
}

void chain_gov_genesis(chain *c)
{
    chain_key key = chain_key_governance();
    (void)chain_row_create(c, CHAIN_TABLE_GOVERNANCE, &key);
    for (unsigned e = 0; e < CHAIN_ELECTORATE_COUNT; e++) {
        key = chain_key_house((chain_electorate)e);
        (void)chain_row_create(c, CHAIN_TABLE_HOUSE, &key);
    }
}

/* --- power --- */

static econ_power_params power_params(const chain *c)
{
    return (econ_power_params){ .service_ppm = (uint32_t)param(c, CHAIN_PARAM_GOV_WEIGHT_SERVICE),
                                .reputation_ppm = (uint32_t)param(c, CHAIN_PARAM_GOV_WEIGHT_REPUTATION),
                                .token_ppm = (uint32_t)param(c, CHAIN_PARAM_GOV_WEIGHT_TOKEN),
                                .months_full = (uint32_t)param(c, CHAIN_PARAM_GOV_MONTHS_FULL),
                                .token_unit_nblock = param(c, CHAIN_PARAM_GOV_TOKEN_UNIT) };
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static err power_of(const chain *c, uint64_t *out, const chain_row_voter *v, uint64_t months)
{
    econ_power_params rules = power_params(c);
    TRY(econ_power(out, months, v->reputation_ppm, v->stake, &rules, NULL));
    *out = least(*out, param(c, CHAIN_PARAM_GOV_IDENTITY_CAP));
    return OK;
}

/* Without a live badge of a market there is no say in it, and without any there is none in the house. The months of each badge
 * saturate by themselves: so who serves two markets has no reason to do it under two names. */
static err powers_now(const chain *c, gov_powers *out, const chain_row_voter *v)
{
    const uint32_t months[ECON_MARKETS] = { v->months_storage, v->months_compute, v->months_energy, v->months_ad };
    uint64_t full = param(c, CHAIN_PARAM_GOV_MONTHS_FULL), all = 0;
    unsigned live = v->badges & ((1u << ECON_MARKETS) - 1);
    *out = (gov_powers){ 0 };
    for (unsigned m = 0; m < ECON_MARKETS; m++) {
        if (!(live >> m & 1))
            continue;
        TRY(power_of(c, &out->v[1 + m], v, least(months[m], full)));
        all += least(months[m], full);
    }
    if (live)
        TRY(power_of(c, &out->v[CHAIN_ELECTORATE_OPERATORS], v, all));
    if (v->badges >> ECON_MARKETS & 1)
        TRY(power_of(c, &out->v[CHAIN_ELECTORATE_BUILDERS], v, least(v->months_builder, full)));
    return OK;
}

static void write_checkpoint(chain *c, const cr_address *a, chain_row_voter *v)
{
    chain_key key = chain_key_voter_at(a, v->checkpoints);
    chain_row_voter_at *at = chain_row_edit_or_create(c, CHAIN_TABLE_VOTER_AT, &key);
    *at = (chain_row_voter_at){ .epoch = v->epoch, .power_operators = v->power_operators, .power_storage = v->power_storage,
                                .power_compute = v->power_compute, .power_energy = v->power_energy, .power_ad = v->power_ad,
                                .power_builders = v->power_builders };
    v->checkpoints++;
}

static err house_change(chain *c, chain_electorate e, uint64_t from, uint64_t to, uint64_t epoch)
{
    chain_key key = chain_key_house(e);
    chain_row_house *h = chain_row_edit(c, CHAIN_TABLE_HOUSE, &key);
    if (h->epoch != epoch) {
        h->before = h->power;
        h->epoch = epoch;
    }
    TRY(checked_sub_u64(&h->power, h->power, from));
    return checked_add_u64(&h->power, h->power, to);
}

err chain_gov_voter_refresh(chain *c, const cr_address *a, uint64_t epoch)
{
    chain_key key = chain_key_address(a);
    const chain_row_voter *now = chain_voter(c, a);
    CHECK(now);
    gov_powers old = chain_gov_powers_of(now), p;
    TRY(powers_now(c, &p, now));
    if (memcmp(&old, &p, sizeof p) == 0)
        return OK;
    chain_row_voter *v = chain_row_edit(c, CHAIN_TABLE_VOTER, &key);
    if (v->epoch != epoch) {
        if (v->epoch)
            write_checkpoint(c, a, v);
        v->epoch = epoch;
    }
    v->power_operators = p.v[CHAIN_ELECTORATE_OPERATORS];
    v->power_storage = p.v[1 + ECON_STORAGE];
    v->power_compute = p.v[1 + ECON_COMPUTE];
    v->power_energy = p.v[1 + ECON_ENERGY];
    v->power_ad = p.v[1 + ECON_AD];
    v->power_builders = p.v[CHAIN_ELECTORATE_BUILDERS];
    for (unsigned e = 0; e < CHAIN_ELECTORATE_COUNT; e++)
        if (old.v[e] != p.v[e])
            TRY(house_change(c, (chain_electorate)e, old.v[e], p.v[e], epoch));
    return OK;
}

err chain_voter_update(chain *c, const cr_address *a, const chain_voter_inputs *in, uint64_t height, fault *f)
{
    if (in->reputation_ppm > PPM)
        return fail(f, ERR_RANGE, "voter.reputation_ppm", in->reputation_ppm);
    if (in->markets >> ECON_MARKETS)
        return fail(f, ERR_RANGE, "voter.badges", in->markets);
    chain_key key = chain_key_address(a);
    chain_row_voter *v = chain_row_edit_or_create(c, CHAIN_TABLE_VOTER, &key);
    v->months_storage = in->operator_months[ECON_STORAGE];
    v->months_compute = in->operator_months[ECON_COMPUTE];
    v->months_energy = in->operator_months[ECON_ENERGY];
    v->months_ad = in->operator_months[ECON_AD];
    v->months_builder = in->builder_months;
    v->reputation_ppm = in->reputation_ppm;
    v->badges = (uint8_t)(in->markets | in->builder << ECON_MARKETS);
    return chain_gov_voter_refresh(c, a, epoch_of(c, height)) == OK ? OK : fail(f, ERR_OVERFLOW, "house.power", 0);
}
