/* SPDX-License-Identifier: Apache-2.0
 *
 * Layer 4, the tariff (seed 11.1, 11.3, Rec. 5.1; economics.md 1.7, D13-D16, 2.4 "5.1"; spec/economy.md section 11). It targets revenue
 * (D15): at the implied rate the tariff is the share R of everything that the treasury takes in (D14).
 *
 *   implied = R x other inflow / ((1 - R) x volume), at most 100 %
 *   tau'    = clamp(tau + drift (implied - tau), min, max)
 *
 * The state is in bps as q32, so there is no dead band (D13); it is rounded only when a transfer is charged. */
#ifndef ECON_TARIFF_H
#define ECON_TARIFF_H

#include "econ/unit.h"

/* Adaptive convergence with hysteresis: fast above `enter`, back to normal below `leave`. */
typedef struct econ_converge_params {
    uint32_t base_milli, emergency_milli; /* drift: 50 and 200; base <= emergency <= 1000 */
    uint32_t enter_bps, leave_bps;        /* of deviation: 50 and 25; leave <= enter <= 10,000 */
} econ_converge_params;

/* deviation_bps: >= 0, in bps as q32. *emergency is the state, read and written; *drift_milli the rate of this epoch. */
err econ_converge(uint32_t *drift_milli, bool *emergency, q32 deviation_bps, const econ_converge_params *p, fault *f) MUST_USE;

typedef struct econ_tariff_in {
    q32                  rate_bps;     /* state: [0, 10,000] */
    bool                 emergency;    /* state */
    uint64_t             volume_nblock;/* what accounts without KYC moved in the epoch; at most 2^62 */
    uint64_t             inflow_nblock;/* what the treasury took in beside the tariff; at most 2^62 */
    uint32_t             target_bps;   /* R, TariffPublicRevenueTargetBps: 1000; at most 9000 */
    uint32_t             min_bps, max_bps; /* TariffMinBps, TariffMaxBps: 0 and 200; min <= max <= 10,000 */
    econ_converge_params converge;     /* base_milli is TariffDriftRate */
} econ_tariff_in;

typedef struct econ_tariff_out {
    q32      rate_bps;
    bool     emergency;
    q32      implied_bps;      /* the present rate where the law holds */
    uint32_t contribution_ppm; /* what the new rate would have brought, of the whole inflow with it */
} econ_tariff_out;

/* Without volume or other inflow the law holds: the rate is only clamped, and the contribution 0. The deviation that decides on an
 * emergency is that of the rate from the implied one within [min, max]. */
err econ_tariff_next(econ_tariff_out *out, const econ_tariff_in *in, fault *f) MUST_USE;

/* floor(value x rate): what a transfer without KYC pays. */
err econ_tariff_charge(uint64_t *out_nblock, uint64_t value_nblock, q32 rate_bps, fault *f) MUST_USE;

#endif
