/* SPDX-License-Identifier: Apache-2.0
 *
 * Voting power and the weight of a vote (seed Rec. 2.2, 9.3, 9.7; economics.md D28, 2.4 "2.2", "9.7"; spec/economy.md section 15).
 *
 *   power = isqrt(B x T),  B = service x badge months + reputation x score + token x stake,  T = stake
 *
 * B and T are linear, so by Cauchy-Schwarz sqrt(B1 T1) + sqrt(B2 T2) <= sqrt((B1 + B2)(T1 + T2)): an account that divides what it has never
 * gains, and every floor only makes it lose. */
#ifndef ECON_VOTING_H
#define ECON_VOTING_H

#include "econ/unit.h"

typedef struct econ_power_params {
    uint32_t service_ppm, reputation_ppm, token_ppm; /* operators: 500,000, 500,000, 0; at most 1,000,000 each */
    uint32_t months_full;      /* months of one badge that count as 1,000,000 ppm of service: 24; at least 1 */
    uint64_t token_unit_nblock;/* stake that counts as 1,000,000 ppm of token; at least 1 BLOCK */
} econ_power_params;

/* badge_months: the sum over the account's badges, at most 10^6. reputation_ppm: over its roles, at most 10^12. stake: at most 2^62. */
err econ_power(uint64_t *power, uint64_t badge_months, uint64_t reputation_ppm, uint64_t stake_nblock, const econ_power_params *p,
               fault *f) MUST_USE;

typedef struct econ_vote_params {
    uint32_t early_bonus_bps; /* 0; at most 10,000. The denominator of the quorum stays the power without it. */
    uint64_t late_epochs;     /* window before the deadline: 1 */
    uint32_t late_ppm;        /* weight in it: 500,000; at most 1,000,000 */
} econ_vote_params;

/* ERR_EXPIRED "vote.epoch": after the deadline. ERR_OVERFLOW "vote.power". */
err econ_vote_weight(uint64_t *weight, uint64_t power, uint64_t epoch, uint64_t deadline, const econ_vote_params *p, fault *f) MUST_USE;

#endif
