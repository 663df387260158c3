/* SPDX-License-Identifier: Apache-2.0
 *
 * Exit velocity (seed Rec. 1.2; economics.md 2.4 "1.2"; spec/economy.md section 7): temporary distress or structural decline?
 *
 * The counter of distressed epochs rises by 1 in an epoch of distress and falls by flag_epochs / clear_epochs (rounded up) in a healthy
 * one; it stays in [0, flag_epochs]. At flag_epochs the market is declining, at 0 it no longer is. So a market that is healthy for a
 * while is cleared after clear_epochs epochs; one that never leaves distress is flagged after flag_epochs; and a market is flagged if and
 * only if over some run of epochs the distressed ones exceed the healthy ones x fall by flag_epochs: distress for fewer epochs than
 * that since the counter was 0 never flags, and a single forged healthy epoch buys only `fall` epochs. */
#ifndef ECON_HEALTH_H
#define ECON_HEALTH_H

#include "econ/unit.h"

typedef struct econ_health_params {
    uint32_t distress_ppm; /* distress above this is distress: 100,000; at most 8,000,000 */
    uint32_t flag_epochs;  /* 144; at least 1 */
    uint32_t clear_epochs; /* 12; 1 .. flag_epochs */
} econ_health_params;

typedef struct econ_health {
    uint32_t distress_epochs;     /* the counter, at most flag_epochs (more is cut: the parameter was lowered) */
    uint32_t recovery_attempts;   /* epochs of distress in which the market's share rose; saturates */
    uint32_t recovery_successes;  /* how often the counter came back to 0; saturates */
    bool     declining;           /* structural decline */
    uint32_t declining_epochs;    /* of the present decline, from 1 on; saturates */
} econ_health;

/* distress: econ_distress; share_rose: this epoch's share_ppm is above the last one's. */
err econ_health_next(econ_health *out, const econ_health *now, q32 distress, bool share_rose, const econ_health_params *p, fault *f) MUST_USE;

#endif
