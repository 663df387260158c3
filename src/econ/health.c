/* SPDX-License-Identifier: Apache-2.0 */
#include "econ/health.h"

static void count(uint32_t *n)
{
    if (*n < UINT32_MAX)
        ++*n;
}

err econ_health_next(econ_health *out, const econ_health *now, q32 distress, bool share_rose, const econ_health_params *p, fault *f)
{
    TRY(econ_within(p->distress_ppm, 0, 8 * ECON_PPM, "health.distress", f));
    TRY(econ_within(p->flag_epochs, 1, UINT32_MAX, "health.flag_epochs", f));
    TRY(econ_within(p->clear_epochs, 1, p->flag_epochs, "health.clear_epochs", f));
    econ_health r = *now;
    if (r.distress_epochs > p->flag_epochs)
        r.distress_epochs = p->flag_epochs;
    /* Compared without a rounding: distress > ppm / 1,000,000. */
    if ((i128)distress * ECON_PPM > (i128)p->distress_ppm * Q32_ONE) {
        if (r.distress_epochs < p->flag_epochs)
            r.distress_epochs++;
        if (share_rose)
            count(&r.recovery_attempts);
    } else if (r.distress_epochs > 0) {
        const uint32_t fall = p->flag_epochs / p->clear_epochs + (p->flag_epochs % p->clear_epochs != 0);
        r.distress_epochs -= r.distress_epochs < fall ? r.distress_epochs : fall;
        if (r.distress_epochs == 0)
            count(&r.recovery_successes);
    }
    if (r.distress_epochs == p->flag_epochs)
        r.declining = true;
    if (r.distress_epochs == 0)
        r.declining = false;
    if (r.declining)
        count(&r.declining_epochs);
    else
        r.declining_epochs = 0;
    *out = r;
    return OK;
}
