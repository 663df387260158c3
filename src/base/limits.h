/* SPDX-License-Identifier: Apache-2.0
 * The bounds of schema/limits.def as constants: LIMIT_TX_BYTES and so on. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#include <stdint.h>

#define LIMIT(name, value, unit, why) static const uint64_t LIMIT_##name __attribute__((unused)) = (value);
#include "limits.def"
#undef LIMIT

/* The same numbers for array bounds and preprocessor arithmetic. */
enum {
    LIMIT_TENSOR_RANK_N = 8,
    LIMIT_CBOR_DEPTH_N = 16,
    LIMIT_MODEL_CONTEXT_N = 4096,
    LIMIT_PROPOSALS_N = 32,
    LIMIT_PROPOSAL_CHANGES_N = 8,
    LIMIT_DISBURSEMENTS_N = 10,
    LIMIT_DISBURSEMENT_PARTS_N = 8,
    LIMIT_AUCTION_BIDS_N = 64,
    LIMIT_ORACLE_SOURCES_N = 32,
};

#endif
