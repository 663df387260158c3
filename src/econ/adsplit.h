/* SPDX-License-Identifier: Apache-2.0
 *
 * Layer 4, the ad split (economics.md 1.7; spec/economy.md section 10): platform and user shares drift to their targets, the publisher has
 * the rest. */
#ifndef ECON_ADSPLIT_H
#define ECON_ADSPLIT_H

#include "econ/unit.h"

typedef struct econ_adsplit {
    q32 platform, user; /* state: each >= 0, sum <= 1; genesis: the targets */
} econ_adsplit;

typedef struct econ_adsplit_params {
    uint32_t platform_bps, user_bps; /* AdPlatformTakeTargetBps 2800, AdUserShareTargetBps 2200; sum <= 10,000 */
    uint32_t drift_milli;            /* AdDriftRate: 10; at most 1000 */
} econ_adsplit_params;

typedef struct econ_adsplit_out {
    econ_adsplit next;
    uint32_t     platform_ppm, user_ppm, publisher_ppm; /* largest remainder: they add up to 1,000,000 */
} econ_adsplit_out;

err econ_adsplit_next(econ_adsplit_out *out, const econ_adsplit *now, const econ_adsplit_params *p, fault *f) MUST_USE;

#endif
