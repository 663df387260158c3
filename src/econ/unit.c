/* SPDX-License-Identifier: Apache-2.0 */
#include "econ/unit.h"

const char *const econ_market_names[ECON_MARKETS] = { "storage", "compute", "energy", "ad" };

err econ_within(uint64_t value, uint64_t low, uint64_t high, const char *what, fault *f)
{
    return value < low || value > high ? fail(f, ERR_RANGE, what, value) : OK;
}

err econ_within_q32(q32 value, q32 low, q32 high, const char *what, fault *f)
{
    return value < low || value > high ? fail(f, ERR_RANGE, what, (uint64_t)value) : OK;
}

q32 econ_floor_q32(i128 numerator, i128 denominator)
{
    const i128 quotient = q32_quotient(numerator, denominator, ROUND_FLOOR);
    return quotient > Q32_MAX ? Q32_MAX : quotient < INT64_MIN ? INT64_MIN : (q32)quotient;
}

q32 econ_count_q32(uint64_t count)
{
    return econ_floor_q32((i128)count * Q32_ONE, 1);
}

q32 econ_block_q32(uint64_t nblock)
{
    return econ_floor_q32((i128)nblock * Q32_ONE, ECON_BLOCK);
}

q32 econ_utilisation(uint64_t used, uint64_t offered)
{
    if (offered == 0)
        return 0;
    return used >= offered ? Q32_ONE : econ_floor_q32((i128)used * Q32_ONE, offered);
}

q32 econ_margin(uint64_t payout_nblock, uint64_t cost_nblock)
{
    if (cost_nblock == 0)
        return payout_nblock == 0 ? 0 : 2 * Q32_ONE;
    const i128 gain = (i128)payout_nblock - cost_nblock;
    return q32_clamp(econ_floor_q32(gain * Q32_ONE, cost_nblock), -Q32_ONE, 2 * Q32_ONE);
}
