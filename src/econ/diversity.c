/* SPDX-License-Identifier: Apache-2.0 */
#include "econ/diversity.h"

err econ_diversity(q32 *multiplier, const uint64_t *stake, size_t n, const econ_diversity_params *p, fault *f)
{
    TRY(econ_within(n, 0, ECON_REGIONS_MAX, "diversity.regions", f));
    TRY(econ_within(p->penalty_ppm, 0, 2 * ECON_PPM, "diversity.penalty", f));
    TRY(econ_within(p->bonus_ppm, 0, 2 * ECON_PPM, "diversity.bonus", f));
    i128 sum = 0;
    uint64_t most = 0;
    for (size_t i = 0; i < n; i++) {
        sum += stake[i];
        most = stake[i] > most ? stake[i] : most;
    }
    if (sum == 0) {
        *multiplier = Q32_ONE;
        return OK;
    }
    const q32 above = econ_floor_q32((i128)most * Q32_ONE, sum) - Q32_ONE / 2;
    const uint32_t slope_ppm = above > 0 ? p->penalty_ppm : p->bonus_ppm;
    *multiplier = econ_floor_q32((i128)ECON_PPM * Q32_ONE - (i128)above * slope_ppm, ECON_PPM);
    return OK;
}
