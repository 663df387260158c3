/* SPDX-License-Identifier: Apache-2.0 */
#include "econ/baseline.h"

err econ_baseline_next(econ_baseline *out, const econ_baseline *now, q32 observed, const econ_baseline_params *p, fault *f)
{
    TRY(econ_within(p->up_ppm, 0, ECON_PPM, "baseline.up", f));
    TRY(econ_within(p->down_ppm, 0, ECON_PPM, "baseline.down", f));
    TRY(econ_within(p->floor_ppm, 0, ECON_PPM, "baseline.floor", f));
    TRY(econ_within(p->high_keep_ppm, 0, ECON_PPM, "baseline.high_keep", f));
    TRY(econ_within(p->max, 1, INT32_MAX, "baseline.max", f));
    TRY(econ_within(p->min, 1, p->max, "baseline.min", f));
    TRY(econ_within_q32(observed, 0, Q32_MAX, "baseline.observed", f));
    TRY(econ_within_q32(now->value, 0, Q32_MAX, "baseline.value", f));
    TRY(econ_within_q32(now->high, 0, Q32_MAX, "baseline.high", f));
    const q32 min = (q32)p->min * Q32_ONE, max = (q32)p->max * Q32_ONE;
    const q32 high = q32_drift(0, now->high, p->high_keep_ppm, ECON_PPM);
    const q32 floor = q32_drift(0, high, p->floor_ppm, ECON_PPM);
    q32 value = q32_drift(now->value, observed, observed > now->value ? p->up_ppm : p->down_ppm, ECON_PPM);
    value = q32_clamp(value < floor ? floor : value, min, max);
    *out = (econ_baseline){ .value = value, .high = high > value ? high : value };
    return OK;
}
