/* SPDX-License-Identifier: Apache-2.0 */
#include "econ/risk.h"

err econ_risk(q32 *risk, bool *trips, const q32 distress[ECON_MARKETS], const econ_edge *edges, size_t n, uint32_t threshold_ppm,
              fault *f)
{
    TRY(econ_within(n, 0, ECON_EDGES_MAX, "risk.edges", f));
    q32 score[ECON_MARKETS];
    for (size_t i = 0; i < ECON_MARKETS; i++) {
        TRY(econ_within_q32(distress[i], -8 * Q32_ONE, 8 * Q32_ONE, "risk.distress", f));
        score[i] = distress[i] > 0 ? distress[i] : 0;
    }
    i128 sum = 0;
    for (size_t i = 0; i < n; i++) {
        const econ_edge *e = &edges[i];
        TRY(econ_within(e->from, 0, ECON_MARKETS - 1, "risk.from", f));
        TRY(econ_within(e->to, 0, ECON_MARKETS - 1, "risk.to", f));
        TRY(econ_within(e->weight_ppm, 0, ECON_PPM, "risk.weight", f));
        if (e->from == e->to)
            return fail(f, ERR_RANGE, "risk.to", e->to);
        sum += (i128)score[e->from] * (Q32_ONE + score[e->to]) * e->weight_ppm;
    }
    *risk = econ_floor_q32(sum, ECON_PPM * (i128)Q32_ONE);
    *trips = (i128)*risk * ECON_PPM > (i128)threshold_ppm * Q32_ONE;
    return OK;
}

err econ_security_next(q32 *factor, q32 now, bool incident, const econ_security_params *p, fault *f)
{
    TRY(econ_within_q32(now, 1, Q32_ONE, "security.factor", f));
    TRY(econ_within(p->tighten_ppm, 1, ECON_PPM, "security.tighten", f));
    TRY(econ_within(p->recover_ppm, 0, ECON_PPM, "security.recover", f));
    TRY(econ_within(p->least_ppm, 1, ECON_PPM, "security.least", f));
    const uint32_t change_ppm = incident ? p->tighten_ppm : ECON_PPM + p->recover_ppm;
    const q32 least = econ_floor_q32((i128)p->least_ppm * Q32_ONE, ECON_PPM);
    *factor = q32_clamp(econ_floor_q32((i128)now * change_ppm, ECON_PPM), least, Q32_ONE);
    return OK;
}

err econ_security_value(uint64_t *value, uint64_t base, q32 factor, econ_tightening way, uint64_t min, uint64_t max, fault *f)
{
    TRY(econ_within(base, min, max, "security.base", f));
    TRY(econ_within_q32(factor, 1, Q32_ONE, "security.factor", f));
    TRY(econ_within(way, ECON_TIGHTER_LOWER, ECON_TIGHTER_HIGHER, "security.way", f));
    const i128 adjusted = way == ECON_TIGHTER_LOWER ? (i128)base * factor / Q32_ONE : q32_quotient((i128)base * Q32_ONE, factor, ROUND_UP);
    *value = adjusted < min ? min : adjusted > max ? max : (uint64_t)adjusted;
    return OK;
}
