/* SPDX-License-Identifier: Apache-2.0 */
#include "econ/subsidy.h"

#include "econ/split.h"

static const q32 distress_max = 8 * Q32_ONE;

static q32 bps(uint32_t x)
{
    return econ_floor_q32((i128)x * Q32_ONE, ECON_BPS);
}

err econ_distress(q32 *distress, q32 utilisation, q32 margin, const econ_distress_params *p, fault *f)
{
    TRY(econ_within_q32(utilisation, 0, Q32_ONE, "distress.utilisation", f));
    TRY(econ_within_q32(margin, -Q32_ONE, 2 * Q32_ONE, "distress.margin", f));
    TRY(econ_within(p->util_target_bps, 0, ECON_BPS, "distress.util_target", f));
    TRY(econ_within(p->margin_target_bps, 0, ECON_BPS, "distress.margin_target", f));
    TRY(econ_within(p->alpha_milli, 0, ECON_MILLI, "distress.alpha", f));
    TRY(econ_within(p->beta_milli, 0, ECON_MILLI, "distress.beta", f));
    const i128 use = p->alpha_milli * (i128)(bps(p->util_target_bps) - utilisation);
    const i128 gain = p->beta_milli * (i128)(bps(p->margin_target_bps) - margin);
    *distress = econ_floor_q32(use + gain, ECON_MILLI);
    return OK;
}

err econ_softmax(q32 target[ECON_MARKETS], const q32 distress[ECON_MARKETS], uint32_t temperature_milli, fault *f)
{
    TRY(econ_within(temperature_milli, 1, 100000, "softmax.temperature", f));
    q32 most = -distress_max;
    for (size_t i = 0; i < ECON_MARKETS; i++) {
        TRY(econ_within_q32(distress[i], -distress_max, distress_max, "softmax.distress", f));
        most = distress[i] > most ? distress[i] : most;
    }
    q62 weight[ECON_MARKETS];
    u128 sum = 0;
    for (size_t i = 0; i < ECON_MARKETS; i++) {
        TRY(q62_exp(&weight[i], econ_floor_q32((i128)(distress[i] - most) * ECON_MILLI, temperature_milli)));
        sum += weight[i];
    }
    for (size_t i = 0; i < ECON_MARKETS; i++)
        target[i] = (q32)(((u128)weight[i] << 32) / sum);
    return OK;
}

/* Each in [0, 1], and no more than 1 in all. */
static err check_shares(const q32 share[ECON_MARKETS], const char *what, fault *f)
{
    q32 sum = 0;
    for (size_t i = 0; i < ECON_MARKETS; i++) {
        TRY(econ_within_q32(share[i], 0, Q32_ONE, what, f));
        sum += share[i];
    }
    return econ_within_q32(sum, 0, Q32_ONE, what, f);
}

/* The share of a declining market is held, later lowered, and never raised. */
static q32 ceiling_of(const econ_subsidy_in *in, size_t i)
{
    if (!in->declining[i])
        return Q32_ONE;
    if (in->declining_epochs[i] <= in->freeze_epochs)
        return in->share[i];
    return q32_drift(0, in->share[i], ECON_PPM - in->wind_down_ppm, ECON_PPM);
}

/* Whole ppm: a declining market's part is floored, the others divide the rest exactly. */
static err round_shares(econ_subsidy_out *r, const bool declining[ECON_MARKETS], fault *f)
{
    uint64_t left = ECON_PPM, weights[ECON_MARKETS] = { 0 }, parts[ECON_MARKETS], any = 0;
    for (size_t i = 0; i < ECON_MARKETS; i++) {
        if (declining[i])
            r->share_ppm[i] = (uint32_t)((u128)r->share[i] * ECON_PPM >> 32);
        else
            weights[i] = (uint64_t)r->share[i];
        left -= r->share_ppm[i];
        any |= weights[i];
    }
    r->rest_ppm = any ? 0 : (uint32_t)left;
    if (!any)
        return OK;
    TRY(econ_split(parts, left, weights, ECON_MARKETS, f));
    for (size_t i = 0; i < ECON_MARKETS; i++)
        r->share_ppm[i] += (uint32_t)parts[i];
    return OK;
}

err econ_subsidy_next(econ_subsidy_out *out, const econ_subsidy_in *in, fault *f)
{
    TRY(check_shares(in->share, "subsidy.share", f));
    TRY(check_shares(in->target, "subsidy.target", f));
    TRY(econ_within(in->drift_milli, 0, ECON_MILLI, "subsidy.drift", f));
    TRY(econ_within(in->wind_down_ppm, 0, ECON_PPM, "subsidy.wind_down", f));
    econ_subsidy_out r = { .rest_ppm = 0 };
    q32 rest = Q32_ONE;
    i128 open = 0;
    for (size_t i = 0; i < ECON_MARKETS; i++) {
        const q32 ceiling = ceiling_of(in, i);
        r.share[i] = q32_drift(in->share[i], in->target[i], in->drift_milli, ECON_MILLI);
        if (r.share[i] > ceiling)
            r.share[i] = ceiling;
        rest -= r.share[i];
        if (!in->declining[i])
            open += r.share[i];
    }
    /* Floors and ceilings only ever leave something over: rest >= 0. */
    for (size_t i = 0; i < ECON_MARKETS && open > 0; i++)
        if (!in->declining[i])
            r.share[i] += econ_floor_q32((i128)rest * r.share[i], open);
    TRY(round_shares(&r, in->declining, f));
    *out = r;
    return OK;
}

err econ_budget(econ_budget_out *out, const econ_budget_in *in, fault *f)
{
    const uint64_t most = (uint64_t)1 << 62;
    TRY(econ_within(in->mint_nblock, 0, most, "budget.mint", f));
    TRY(econ_within(in->fees_nblock, 0, most, "budget.fees", f));
    TRY(econ_within(in->capture_ppm, 0, ECON_PPM, "budget.capture", f));
    TRY(econ_within(in->peak_nblock, 0, most, "budget.peak", f));
    TRY(econ_within(in->floor_bps, 0, ECON_BPS, "budget.floor", f));
    TRY(econ_within(in->treasury_nblock, 0, most, "budget.treasury", f));
    econ_budget_out r = { .from_fees_nblock = (uint64_t)((u128)in->fees_nblock * in->capture_ppm / ECON_PPM) };
    const uint64_t earned = in->mint_nblock + r.from_fees_nblock;
    const uint64_t floor = (uint64_t)((u128)in->peak_nblock * in->floor_bps / ECON_BPS);
    const uint64_t missing = floor > earned ? floor - earned : 0;
    r.from_treasury_nblock = missing < in->treasury_nblock ? missing : in->treasury_nblock;
    r.budget_nblock = earned + r.from_treasury_nblock;
    r.peak_nblock = r.budget_nblock > in->peak_nblock ? r.budget_nblock : in->peak_nblock;
    *out = r;
    return OK;
}
