/* SPDX-License-Identifier: Apache-2.0 */
#include "econ/voting.h"

err econ_power(uint64_t *power, uint64_t badge_months, uint64_t reputation_ppm, uint64_t stake_nblock, const econ_power_params *p, fault *f)
{
    TRY(econ_within(p->service_ppm, 0, ECON_PPM, "power.service", f));
    TRY(econ_within(p->reputation_ppm, 0, ECON_PPM, "power.reputation", f));
    TRY(econ_within(p->token_ppm, 0, ECON_PPM, "power.token", f));
    TRY(econ_within(p->months_full, 1, UINT32_MAX, "power.months_full", f));
    TRY(econ_within(p->token_unit_nblock, ECON_BLOCK, UINT64_MAX, "power.token_unit", f));
    TRY(econ_within(badge_months, 0, 1000000, "power.badge_months", f));
    TRY(econ_within(reputation_ppm, 0, 1000000000000, "power.reputation_score", f));
    TRY(econ_within(stake_nblock, 0, (uint64_t)1 << 62, "power.stake", f));
    const u128 service = (u128)badge_months * ECON_PPM / p->months_full, token = (u128)stake_nblock * ECON_PPM / p->token_unit_nblock;
    const u128 mix = (service * p->service_ppm + (u128)reputation_ppm * p->reputation_ppm + token * p->token_ppm) / ECON_PPM;
    /* mix < 2^53, stake <= 2^62. */
    *power = isqrt_u128(mix * stake_nblock);
    return OK;
}

err econ_vote_weight(uint64_t *weight, uint64_t power, uint64_t epoch, uint64_t deadline, const econ_vote_params *p, fault *f)
{
    TRY(econ_within(p->early_bonus_bps, 0, ECON_BPS, "vote.early_bonus", f));
    TRY(econ_within(p->late_ppm, 0, ECON_PPM, "vote.late_weight", f));
    if (epoch > deadline)
        return fail(f, ERR_EXPIRED, "vote.epoch", epoch);
    const bool late = deadline - epoch <= p->late_epochs;
    const u128 w = late ? (u128)power * p->late_ppm / ECON_PPM : (u128)power * (ECON_BPS + p->early_bonus_bps) / ECON_BPS;
    if (w > UINT64_MAX)
        return fail(f, ERR_OVERFLOW, "vote.power", power);
    *weight = (uint64_t)w;
    return OK;
}
