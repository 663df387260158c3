/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROOF_EQ_H
#define PROOF_EQ_H

#include "field/fx.h"

/* The least k with 2^k >= n; 0 for n = 0. */
static inline unsigned pf_log2_up(uint64_t n)
{
    return n <= 1 ? 0 : bit_length_u64(n - 1);
}

/* eq(r, index) over `bits` variables (spec/proof.md section 2). */
static inline fx pf_eq_at(const fx *r, unsigned bits, uint64_t index)
{
    fx out = FX_ONE;
    for (unsigned i = 0; i < bits; i++)
        out = fx_mul(out, index >> i & 1 ? r[i] : fx_sub(FX_ONE, r[i]));
    return out;
}

#endif
