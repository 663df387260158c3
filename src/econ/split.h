/* SPDX-License-Identifier: Apache-2.0
 *
 * Splits by largest remainder (spec/economy.md section 3): part i is floor(total w_i / W), and the units that are left go, one each, to the
 * largest remainders, ties to the lowest index. The parts add up to the total exactly, and each is within one unit of total w_i / W. */
#ifndef ECON_SPLIT_H
#define ECON_SPLIT_H

#include "econ/unit.h"

enum { ECON_SPLIT_MAX = 64 };

/* Weights are of any unit. ERR_RANGE "split.parts": n is 0 or above ECON_SPLIT_MAX; "split.weights": all are 0. */
err econ_split(uint64_t *parts, uint64_t total, const uint64_t *weights, size_t n, fault *f) MUST_USE;

/* The mint of an epoch (D11). Parameters in ppm that add up to 1,000,000 (else ERR_RANGE "mint.shares"). */
typedef struct econ_mint_shares {
    uint32_t producer_ppm, subsidy_ppm, treasury_ppm; /* 500,000, 450,000, 50,000 */
} econ_mint_shares;

typedef struct econ_mint_parts {
    uint64_t producer_nblock, subsidy_nblock, treasury_nblock;
} econ_mint_parts;

err econ_mint_split(econ_mint_parts *out, uint64_t mint_nblock, const econ_mint_shares *shares, fault *f) MUST_USE;

#endif
