/* SPDX-License-Identifier: Apache-2.0 */
#include "econ/adsplit.h"

#include "econ/split.h"

static q32 bps(uint32_t x)
{
    return econ_floor_q32((i128)x * Q32_ONE, ECON_BPS);
}

err econ_adsplit_next(econ_adsplit_out *out, const econ_adsplit *now, const econ_adsplit_params *p, fault *f)
{
    TRY(econ_within_q32(now->platform, 0, Q32_ONE, "adsplit.platform", f));
    TRY(econ_within_q32(now->user, 0, Q32_ONE - now->platform, "adsplit.user", f));
    TRY(econ_within(p->platform_bps, 0, ECON_BPS, "adsplit.platform_target", f));
    TRY(econ_within(p->user_bps, 0, ECON_BPS - p->platform_bps, "adsplit.user_target", f));
    TRY(econ_within(p->drift_milli, 0, ECON_MILLI, "adsplit.drift", f));
    const econ_adsplit next = { q32_drift(now->platform, bps(p->platform_bps), p->drift_milli, ECON_MILLI),
                                q32_drift(now->user, bps(p->user_bps), p->drift_milli, ECON_MILLI) };
    const uint64_t weights[] = { (uint64_t)next.platform, (uint64_t)next.user, (uint64_t)(Q32_ONE - next.platform - next.user) };
    uint64_t parts[COUNT_OF(weights)];
    TRY(econ_split(parts, ECON_PPM, weights, COUNT_OF(weights), f));
    *out = (econ_adsplit_out){ next, (uint32_t)parts[0], (uint32_t)parts[1], (uint32_t)parts[2] };
    return OK;
}
