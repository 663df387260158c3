/* SPDX-License-Identifier: Apache-2.0 */
#include "econ/multiplier.h"

enum { COVER_MIN_MILLI = 100, COVER_MAX_MILLI = 10000 };

/* max(1 + response x gap, 0) */
static q32 factor(q32 gap, uint32_t response_milli)
{
    const q32 x = econ_floor_q32(ECON_MILLI * (i128)Q32_ONE + (i128)gap * response_milli, ECON_MILLI);
    return x < 0 ? 0 : x;
}

/* clamp(cost (1 + m*) / payout, 0.1, 10) */
static q32 cover(const econ_multiplier_in *in)
{
    const i128 wanted = (i128)in->cost_nblock * (ECON_BPS + in->margin_target_bps), paid = (i128)in->payout_nblock * ECON_BPS;
    if (wanted * ECON_MILLI >= paid * COVER_MAX_MILLI)
        return COVER_MAX_MILLI / ECON_MILLI * Q32_ONE;
    const q32 least = econ_floor_q32(COVER_MIN_MILLI * (i128)Q32_ONE, ECON_MILLI), x = econ_floor_q32(wanted * Q32_ONE, paid);
    return x < least ? least : x;
}

err econ_multiplier(q32 *multiplier, const econ_multiplier_in *in, fault *f)
{
    TRY(econ_within_q32(in->utilisation, 0, Q32_ONE, "multiplier.utilisation", f));
    TRY(econ_within(in->cost_nblock, 0, (uint64_t)1 << 62, "multiplier.cost", f));
    TRY(econ_within(in->payout_nblock, 0, (uint64_t)1 << 62, "multiplier.payout", f));
    TRY(econ_within(in->util_target_bps, 0, ECON_BPS, "multiplier.util_target", f));
    TRY(econ_within(in->margin_target_bps, 0, ECON_BPS, "multiplier.margin_target", f));
    TRY(econ_within(in->util_response_milli, 0, 10 * ECON_MILLI, "multiplier.util_response", f));
    TRY(econ_within(in->cost_response_milli, 0, 10 * ECON_MILLI, "multiplier.cost_response", f));
    TRY(econ_within(in->ceiling_milli, 0, 100 * ECON_MILLI, "multiplier.ceiling", f));
    TRY(econ_within(in->floor_milli, 0, in->ceiling_milli, "multiplier.floor", f));
    const q32 target = econ_floor_q32((i128)in->util_target_bps * Q32_ONE, ECON_BPS);
    const q32 by_use = factor(target - in->utilisation, in->util_response_milli);
    const q32 by_cost = in->payout_nblock == 0 ? Q32_ONE : factor(cover(in) - Q32_ONE, in->cost_response_milli);
    const q32 product = econ_floor_q32((i128)by_use * by_cost, Q32_ONE);
    *multiplier = q32_clamp(product, econ_floor_q32((i128)in->floor_milli * Q32_ONE, ECON_MILLI),
                            econ_floor_q32((i128)in->ceiling_milli * Q32_ONE, ECON_MILLI));
    return OK;
}

err econ_topup_paid(uint64_t *paid_nblock, uint64_t due_nblock, uint64_t due_sum_nblock, uint64_t budget_nblock, fault *f)
{
    TRY(econ_within(due_nblock, 0, due_sum_nblock, "topup.due", f));
    *paid_nblock = due_sum_nblock <= budget_nblock ? due_nblock : (uint64_t)((u128)due_nblock * budget_nblock / due_sum_nblock);
    return OK;
}
