/* SPDX-License-Identifier: Apache-2.0 */
#include "econ/reputation.h"

static const q32 most = 2 * ECON_PPM * Q32_ONE;

static err check(const econ_reputation_params *p, fault *f)
{
    const econ_contribution *w = &p->weights;
    const uint64_t sum = (uint64_t)w->uptime_ppm + w->quality_ppm + w->latency_ppm + w->verification_ppm;
    TRY(econ_within(sum, ECON_PPM, ECON_PPM, "reputation.weights", f));
    TRY(econ_within(p->keep_ppm, 0, ECON_PPM - 1, "reputation.keep", f));
    TRY(econ_within(p->earn_ppm, 0, ECON_PPM, "reputation.earn", f));
    return econ_within(p->lose_ppm, 0, p->earn_ppm, "reputation.lose", f);
}

err econ_contribution_score(q32 *score_ppm, const econ_contribution *measured, const econ_reputation_params *p, fault *f)
{
    TRY(check(p, f));
    TRY(econ_within(measured->uptime_ppm, 0, ECON_PPM, "reputation.uptime", f));
    TRY(econ_within(measured->quality_ppm, 0, ECON_PPM, "reputation.quality", f));
    TRY(econ_within(measured->latency_ppm, 0, ECON_PPM, "reputation.latency", f));
    TRY(econ_within(measured->verification_ppm, 0, ECON_PPM, "reputation.verification", f));
    const econ_contribution *w = &p->weights;
    const uint64_t mean = (uint64_t)w->uptime_ppm * measured->uptime_ppm + (uint64_t)w->quality_ppm * measured->quality_ppm +
                          (uint64_t)w->latency_ppm * measured->latency_ppm + (uint64_t)w->verification_ppm * measured->verification_ppm;
    *score_ppm = econ_floor_q32((i128)mean * (ECON_PPM - p->keep_ppm) * Q32_ONE, (i128)ECON_PPM * ECON_PPM);
    return OK;
}

/* floor of each product in Q62. */
static q62 power(q62 base, uint64_t exponent)
{
    q62 result = Q62_ONE;
    for (; exponent > 0; exponent >>= 1) {
        if (exponent & 1)
            result = (q62)((u128)result * base >> 62);
        base = (q62)((u128)base * base >> 62);
    }
    return result;
}

static q32 decayed(q32 now_ppm, uint64_t epochs, uint32_t keep_ppm)
{
    const q62 keep = (q62)(((u128)keep_ppm << 62) / ECON_PPM);
    return (q32)((u128)now_ppm * power(keep, epochs) >> 62);
}

err econ_reputation_decay(q32 *reputation_ppm, q32 now_ppm, uint64_t epochs, const econ_reputation_params *p, fault *f)
{
    TRY(check(p, f));
    TRY(econ_within_q32(now_ppm, 0, most, "reputation.now", f));
    *reputation_ppm = decayed(now_ppm, epochs, p->keep_ppm);
    return OK;
}

err econ_reputation_next(q32 *reputation_ppm, q32 now_ppm, uint64_t epochs, q32 score_ppm, const econ_reputation_params *p, fault *f)
{
    TRY(check(p, f));
    TRY(econ_within_q32(now_ppm, 0, most, "reputation.now", f));
    TRY(econ_within(epochs, 1, UINT64_MAX, "reputation.epochs", f));
    TRY(econ_within_q32(score_ppm, 0, ECON_PPM * Q32_ONE, "reputation.score", f));
    *reputation_ppm = q32_clamp(decayed(now_ppm, epochs, p->keep_ppm) + score_ppm, 0, most);
    return OK;
}

err econ_eligible_next(bool *eligible, q32 reputation_ppm, const econ_reputation_params *p, fault *f)
{
    TRY(check(p, f));
    TRY(econ_within_q32(reputation_ppm, 0, most, "reputation.now", f));
    if (reputation_ppm >= p->earn_ppm * Q32_ONE)
        *eligible = true;
    else if (reputation_ppm < p->lose_ppm * Q32_ONE)
        *eligible = false;
    return OK;
}
