/* SPDX-License-Identifier: Apache-2.0 */
#include "econ/tariff.h"

static const q32 whole = ECON_BPS * Q32_ONE;

static err check_converge(const econ_converge_params *p, fault *f)
{
    TRY(econ_within(p->emergency_milli, 0, ECON_MILLI, "converge.emergency", f));
    TRY(econ_within(p->base_milli, 0, p->emergency_milli, "converge.base", f));
    TRY(econ_within(p->enter_bps, 0, ECON_BPS, "converge.enter", f));
    return econ_within(p->leave_bps, 0, p->enter_bps, "converge.leave", f);
}

err econ_converge(uint32_t *drift_milli, bool *emergency, q32 deviation_bps, const econ_converge_params *p, fault *f)
{
    TRY(check_converge(p, f));
    TRY(econ_within_q32(deviation_bps, 0, Q32_MAX, "converge.deviation", f));
    if (deviation_bps > p->enter_bps * Q32_ONE)
        *emergency = true;
    else if (deviation_bps < p->leave_bps * Q32_ONE)
        *emergency = false;
    *drift_milli = *emergency ? p->emergency_milli : p->base_milli;
    return OK;
}

static uint64_t charge(uint64_t value, q32 rate_bps)
{
    return (uint64_t)((u128)value * (u128)rate_bps / (u128)whole);
}

static q32 implied_rate(const econ_tariff_in *in)
{
    /* At most 2^62 x 9000 x 10^4 x 2^32 < 2^122. */
    const i128 wanted = (i128)in->inflow_nblock * in->target_bps, from = (i128)in->volume_nblock * (ECON_BPS - in->target_bps);
    const q32 rate = econ_floor_q32(wanted * whole, from);
    return rate < whole ? rate : whole;
}

err econ_tariff_next(econ_tariff_out *out, const econ_tariff_in *in, fault *f)
{
    TRY(econ_within_q32(in->rate_bps, 0, whole, "tariff.rate", f));
    TRY(econ_within(in->volume_nblock, 0, (uint64_t)1 << 62, "tariff.volume", f));
    TRY(econ_within(in->inflow_nblock, 0, (uint64_t)1 << 62, "tariff.inflow", f));
    TRY(econ_within(in->target_bps, 0, 9000, "tariff.target", f));
    TRY(econ_within(in->max_bps, 0, ECON_BPS, "tariff.max", f));
    TRY(econ_within(in->min_bps, 0, in->max_bps, "tariff.min", f));
    TRY(check_converge(&in->converge, f));
    const q32 min = in->min_bps * Q32_ONE, max = in->max_bps * Q32_ONE;
    econ_tariff_out r = { .rate_bps = q32_clamp(in->rate_bps, min, max), .emergency = in->emergency, .implied_bps = in->rate_bps };
    if (in->volume_nblock > 0 && in->inflow_nblock > 0) {
        r.implied_bps = implied_rate(in);
        const q32 gap = q32_clamp(r.implied_bps, min, max) - in->rate_bps;
        uint32_t drift_milli;
        TRY(econ_converge(&drift_milli, &r.emergency, gap < 0 ? -gap : gap, &in->converge, f));
        r.rate_bps = q32_clamp(q32_drift(in->rate_bps, r.implied_bps, drift_milli, ECON_MILLI), min, max);
        const uint64_t tariff = charge(in->volume_nblock, r.rate_bps);
        r.contribution_ppm = (uint32_t)((u128)tariff * ECON_PPM / ((u128)tariff + in->inflow_nblock));
    }
    *out = r;
    return OK;
}

err econ_tariff_charge(uint64_t *out_nblock, uint64_t value_nblock, q32 rate_bps, fault *f)
{
    TRY(econ_within_q32(rate_bps, 0, whole, "tariff.rate", f));
    *out_nblock = charge(value_nblock, rate_bps);
    return OK;
}
