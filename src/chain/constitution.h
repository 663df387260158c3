/* SPDX-License-Identifier: Apache-2.0
 *
 * The constitution (spec/constitution.md, schema/invariants.def): what a block may do to the state, judged from the rows that it changed, as they were
 * and as they are, and not by the code that changed them. The pure laws of src/econ are the only thing that it shares with that code. */
#ifndef CHAIN_CONSTITUTION_H
#define CHAIN_CONSTITUTION_H

#include "chain/chain.h"

typedef enum chain_invariant {
#define INVARIANT(ID, name, kind, guarantee, check) CHAIN_INVARIANT_##ID,
#include "invariants.def"
#undef INVARIANT
    CHAIN_INVARIANT_COUNT
} chain_invariant;

typedef enum chain_guarantee { CHAIN_GUARANTEE_CRYPTOGRAPHIC, CHAIN_GUARANTEE_ECONOMIC } chain_guarantee;

typedef struct chain_invariant_row {
    const char     *name;
    chain_guarantee kind;
    const char     *guarantee, *check;
} chain_invariant_row;

extern const chain_invariant_row chain_invariants[CHAIN_INVARIANT_COUNT];

/* After all that the block does and before it is pending: ERR_INVARIANT, fault.what is the invariant's name. Walks the block's journal once; allocates
 * nothing. */
err chain_constitution_check(const chain *c, const chain_block_input *in, fault *f) MUST_USE;

#endif
