/* SPDX-License-Identifier: Apache-2.0
 * What badges and reputation weigh in votes. */
#include "chain/gov/gov_int.h"
#include "chain/ident/ident_int.h"

static uint32_t months(const chain *c, const chain_row_badge *row, uint64_t epoch)
{
    uint64_t n = chain_badge_held(row, epoch) / param(c, CHAIN_PARAM_BADGE_MONTH);
    return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

void chain_standing_at(const chain *c, chain_standing *out, const cr_address *a, uint64_t epoch)
{
    *out = (chain_standing){ 0 };
    for (uint8_t m = 0; m < ECON_MARKETS; m++) {
        chain_key key = chain_key_badge(m, CHAIN_BADGE_OPERATOR, a);
        const chain_row_badge *row = chain_row_get(c, CHAIN_TABLE_BADGE, &key);
        if (!row || !chain_badge_live(row, epoch))
            continue;
        out->markets |= (uint8_t)(1u << m);
        out->operator_months[m] = months(c, row, epoch);
        uint64_t ppm = (uint64_t)chain_reputation_of_row(c, row, epoch) >> 32;
        if (ppm > out->reputation_ppm)
            out->reputation_ppm = ppm < PPM ? (uint32_t)ppm : PPM;
    }
    chain_key key = chain_key_badge(ECON_MARKETS, CHAIN_BADGE_BUILDER, a);
    const chain_row_badge *row = chain_row_get(c, CHAIN_TABLE_BADGE, &key);
    if (!row || !chain_badge_live(row, epoch))
        return;
    out->builder = true;
    out->builder_months = months(c, row, epoch);
}

void chain_standing_changed(chain *c, const cr_address *a, uint64_t epoch, uint32_t tx_index)
{
    chain_standing s;
    chain_standing_at(c, &s, a, epoch);
    chain_event_add(c, CHAIN_EVENT_STANDING_CHANGED, tx_index)->data.standing_changed = (chain_event_standing_changed){
        .account = *a,
        .markets = s.markets,
        .builder = s.builder,
        .storage_months = s.operator_months[ECON_STORAGE],
        .compute_months = s.operator_months[ECON_COMPUTE],
        .energy_months = s.operator_months[ECON_ENERGY],
        .ad_months = s.operator_months[ECON_AD],
        .builder_months = s.builder_months,
        .reputation_ppm = s.reputation_ppm,
    };
    /* Governance weighs the same numbers. */
    chain_voter_inputs in = { .builder_months = s.builder_months, .reputation_ppm = s.reputation_ppm, .markets = s.markets, .builder = s.builder };
    memcpy(in.operator_months, s.operator_months, sizeof in.operator_months);
    /* The sum over a house stays below sqrt(sum of merits x all BLOCK), far from overflow. */
    CHECK(chain_voter_update(c, a, &in, c->head.height + 1, NULL) == OK);
}
