/* SPDX-License-Identifier: Apache-2.0
 *
 * One block while it is judged. */
#ifndef CHAIN_CONSTITUTION_INT_H
#define CHAIN_CONSTITUTION_INT_H

#include "chain/chain_int.h"
#include "chain/constitution.h"
#include "econ/unit.h"

enum { HELD_NOWHERE, HELD_BALANCES, HELD_ESCROW, HELD_BONDS, HELD_STAKES, HELD_DISBURSING, HELD_COUNT };

typedef struct judging {
    const chain       *c;
    uint64_t           height;
    bool               ends;               /* it is the last block of an epoch */
    uint64_t           epoch;              /* that the block belongs to */
    i128               grown[HELD_COUNT];  /* by what the rows of each purse grew together */
    i128               subsidies;          /* paid to providers */
    i128               taken;              /* out of the treasury by executed disbursements, less what returned */
    u128               nonces;             /* by what they grew together */
    chain_row_supply   supply;             /* before the block */
    chain_row_economy  economy;            /* before the block */
    uint64_t           burned_at_mint;     /* as the epoch's row was written */
    uint64_t           epochs_written;
    const chain_row_epoch *closed;         /* the row of the epoch that ends; else NULL */
    chain_params       params;             /* before the block */
} judging;

static inline err broken(fault *f, chain_invariant which, uint64_t at)
{
    return fail(f, ERR_INVARIANT, chain_invariants[which].name, at);
}

/* The number that a row's key is, big-endian. */
static inline uint64_t chain_constitution_number(const uint8_t *key, size_t len)
{
    uint64_t number = 0;
    for (size_t i = 0; i < len; i++)
        number = number << 8 | key[i];
    return number;
}

/* constitution_rules.c: one changed row, as it was (zeros if it was created) and is. */
err chain_judge_param(const judging *k, uint64_t which, const chain_row_param *old, const chain_row_param *now, fault *f) MUST_USE;
err chain_judge_proposal(const judging *k, const chain_row_proposal *old, const chain_row_proposal *now, fault *f) MUST_USE;
err chain_judge_change(const chain_row_change *old, const chain_row_change *now, bool created, fault *f) MUST_USE;
err chain_judge_disbursement(const judging *k, uint64_t number, const chain_row_disbursement *old, const chain_row_disbursement *now,
                             bool created, fault *f) MUST_USE;
err chain_judge_job(const chain_row_job *old, const chain_row_job *now, bool created, fault *f) MUST_USE;

#endif
