/* SPDX-License-Identifier: Apache-2.0 */
#include "proof/soundness.h"

enum {
    FIELD_BITS = 143,            /* |K| = p^3 > 2^143 */
    MILLIBITS_PER_QUERY = 415,   /* log2(4/3) = 0.41503... */
    TUPLE_DEGREE = 3,            /* of gamma in a fingerprint */
};

/* A sumcheck round with eq factor has degree 3; a challenge lambda or c, 1 each. */
static u128 layers(const pf_layout *y)
{
    u128 sum = 0;
    for (uint32_t i = 0; i < y->instance_count; i++)
        for (uint32_t m = 0; m < y->instances[i].bits; m++)
            sum += 3 * m + 2;
    return sum;
}

/* A round without eq factor has degree 2; a random point in n variables misses a difference with n / |K|, a power of kappa adds its degree. */
static u128 products(const pf_run *run)
{
    const pf_layout *y = run->y;
    unsigned vars = pf_gradient_vars(y);
    u128 sum = 0;
    for (uint32_t i = 0; i < run->product_count; i++) {
        const pf_product *p = &run->products[i];
        uint32_t exceptions = run->rows->exception_first[p->rounding + 1] - run->rows->exception_first[p->rounding];
        sum += 2 * (p->token_bits + p->feature_bits) + y->nu + pf_log2_up(y->shape.heads) + 2 + (p->kind == PF_X_EXCEPTION ? exceptions : 0);
    }
    sum += y->nu + pf_log2_up(y->shape.heads);                                              /* sums */
    sum += run->rows->check.count;                                                          /* inputs of a failed check */
    if (y->until == PF_NONE)
        sum += 2 * y->nu + 2 * vars + num_tensor_count(&y->shape) + 2 * (vars + y->t_bits); /* gradient, E and P */
    return sum;
}

pf_soundness pf_soundness_of(const pf_run *run, const pf_geometry *g, uint64_t claims, uint64_t rows)
{
    const pf_layout *y = run->y;
    pf_soundness s = { .query_bits = PF_QUERIES * MILLIBITS_PER_QUERY / 1000 };
    u128 all = 0;
    s.terms[PF_ERROR_LOOKUP] = TUPLE_DEGREE * ((u128)y->leaves + y->entries);
    s.terms[PF_ERROR_LAYERS] = layers(y);
    s.terms[PF_ERROR_PRODUCTS] = products(run);
    s.terms[PF_ERROR_CLAIMS] = (u128)claims + rows + y->tensor_count + 2 * PF_VARS_MAX;
    s.terms[PF_ERROR_PROXIMITY] = (u128)2 << g->m;
    for (int i = 0; i < PF_ERROR_TERMS; i++)
        all += s.terms[i];
    unsigned lost = all >> 64 ? 64 + bit_length_u64((uint64_t)(all >> 64)) : bit_length_u64((uint64_t)all);
    s.algebraic_bits = lost < FIELD_BITS ? FIELD_BITS - lost : 0;
    /* Where all columns are opened, nothing is left to chance there. */
    if ((uint64_t)2 << g->m <= PF_QUERIES)
        s.query_bits = s.algebraic_bits;
    /* 2^-a + 2^-q <= 2^-(q - 2/1000) for a >= q + 10, and the fraction of a bit that query_bits drops is more than that. */
    unsigned least = s.query_bits < s.algebraic_bits ? s.query_bits : s.algebraic_bits, most = s.query_bits + s.algebraic_bits - least;
    s.bits = most >= least + 10 && least == s.query_bits ? least : least ? least - 1 : 0;
    return s;
}
