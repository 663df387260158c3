/* SPDX-License-Identifier: Apache-2.0
 *
 * What an epoch mints (spec/economy.md section 5; economics.md 1.2, 1.4, D3-D7, D21; seed Rec. 9.4). Three laws, applied in this order:
 *
 *   econ_issuance   the network formula: base x activity x decentralisation x decay, on the part of the cap that decays
 *   econ_envelope   layer 1, the upper bound: at most the annual limit, and a controller of it once half of the cap is minted
 *   econ_tail       tops the result up to the tail rate, out of the tail reserve alone
 *
 * Everything is floored to nBLOCK, with no one-unit minimum. Together they never mint more than the cap. */
#ifndef ECON_ISSUANCE_H
#define ECON_ISSUANCE_H

#include "econ/unit.h"

/* Inputs are of the finished epoch; all epochs have epoch_blocks blocks, and genesis belongs to none (D21). */
typedef struct econ_issuance_in {
    uint64_t decay_cap_nblock;     /* 36,000,000 BLOCK; 1 .. 2^62 */
    uint64_t time_constant_blocks; /* 20,000,000, the seed's "expected blocks" (D6); at least 1 */
    uint64_t epoch_blocks;         /* 120; 1 .. time_constant_blocks */
    uint64_t minted_nblock;        /* by the formula so far; at most decay_cap_nblock */
    uint64_t tx_count, volume_nblock, miners;
    q32      tx_baseline, volume_baseline, miner_baseline; /* at least 1: econ_baseline_next */
    q32      utilisation[ECON_MARKETS];                    /* [0, 1] */
} econ_issuance_in;

typedef struct econ_issuance_out {
    q32      activity;         /* [0.5, 2] */
    q32      decentralisation; /* [0.5, 1.5] */
    q62      decay;            /* (remaining / decay cap)^2 */
    uint64_t mint_nblock;      /* at most what remains of the decay cap */
} econ_issuance_out;

/* Error: mint_nblock lies less than 4 + base x 2^-24 nBLOCK from the exact product of the same inputs; base = decay cap x epoch / constant. */
err econ_issuance(econ_issuance_out *out, const econ_issuance_in *in, fault *f) MUST_USE;

typedef struct econ_envelope_in {
    uint64_t cap_nblock;        /* 1 .. 2^62 */
    uint64_t minted_nblock;     /* at most cap_nblock */
    uint64_t circulating_nblock; /* minted - burned; at most minted_nblock */
    uint64_t annual_nblock;     /* the controller's state, nBLOCK a year; at most 2^62 */
    uint64_t mint_nblock;       /* what the formula asks for this epoch; at most 2^62 */
    uint32_t target_bps;        /* InflationTargetBps: 500; at most 10,000 */
    uint32_t gain_milli;        /* InflationControllerGain: 100; at most 1000 */
    uint64_t min_block, max_block; /* Min/MaxAnnualIssuanceBlock: 0 and 12,000,000 BLOCK a year; min <= max <= 2^32 */
    uint32_t on_ppm;            /* of the cap: 500,000; at most 1,000,000 */
    uint64_t epochs_per_year;   /* 52,560; 1 .. 2^32 */
} econ_envelope_in;

typedef struct econ_envelope_out {
    bool     on;
    q32      realised;      /* annual_nblock / circulating, saturated; 0 if nothing circulates */
    uint64_t annual_nblock; /* next state, in [min, max] */
    uint64_t mint_nblock;
} econ_envelope_out;

/* While off the state follows what is minted, so that the controller takes over without a step. */
err econ_envelope(econ_envelope_out *out, const econ_envelope_in *in, fault *f) MUST_USE;

typedef struct econ_tail_in {
    uint64_t circulating_nblock;     /* at most 2^62 */
    uint64_t reserve_nblock;         /* cap - decay cap: 4,000,000 BLOCK */
    uint64_t minted_nblock;          /* from the reserve so far; at most reserve_nblock */
    uint64_t mint_nblock;            /* of this epoch, without the tail */
    uint32_t tail_ppm;               /* a year: 5,000; at most 1,000,000 */
    uint64_t epochs_per_year;        /* 1 .. 2^32 */
} econ_tail_in;

/* *tail_nblock: what this epoch takes from the reserve. */
err econ_tail(uint64_t *tail_nblock, const econ_tail_in *in, fault *f) MUST_USE;

#endif
