/* SPDX-License-Identifier: Apache-2.0 */
#include "econ/split.h"

/* The index of the largest remainder that has not had its unit; a taken one is set to 0, and no unit ever goes to a remainder of 0. */
static size_t largest(const u128 *remainder, size_t n)
{
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        if (remainder[i] > remainder[best])
            best = i;
    return best;
}

err econ_split(uint64_t *parts, uint64_t total, const uint64_t *weights, size_t n, fault *f)
{
    TRY(econ_within(n, 1, ECON_SPLIT_MAX, "split.parts", f));
    u128 sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += weights[i];
    if (sum == 0)
        return fail(f, ERR_RANGE, "split.weights", 0);
    u128 remainder[ECON_SPLIT_MAX];
    uint64_t left = total;
    for (size_t i = 0; i < n; i++) {
        const u128 product = (u128)total * weights[i];
        parts[i] = (uint64_t)(product / sum);
        remainder[i] = product % sum;
        left -= parts[i];
    }
    for (; left > 0; left--) {
        const size_t i = largest(remainder, n);
        parts[i]++;
        remainder[i] = 0;
    }
    return OK;
}

err econ_mint_split(econ_mint_parts *out, uint64_t mint_nblock, const econ_mint_shares *shares, fault *f)
{
    const uint64_t weights[] = { shares->producer_ppm, shares->subsidy_ppm, shares->treasury_ppm };
    if (weights[0] + weights[1] + weights[2] != ECON_PPM)
        return fail(f, ERR_RANGE, "mint.shares", weights[0] + weights[1] + weights[2]);
    uint64_t parts[COUNT_OF(weights)];
    TRY(econ_split(parts, mint_nblock, weights, COUNT_OF(weights), f));
    *out = (econ_mint_parts){ parts[0], parts[1], parts[2] };
    return OK;
}
