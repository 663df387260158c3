/* SPDX-License-Identifier: Apache-2.0
 *
 * The inner products of spec/proof.md section 9 whose factors are integers times weights: N' tokens by some columns. The token variables are bound first,
 * from the top, so their rounds need no padding of the columns. The first of these rounds make both factors anew, row by row, from the integers; arrays of
 * field elements exist only once they are small. */
#ifndef PROVE_TOKEN_ROUNDS_INT_H
#define PROVE_TOKEN_ROUNDS_INT_H

#include "prove/sumcheck.h"
#include "prove/workspace.h"

/* w_i m_ij; w NULL: 1. Columns past those of m are 0. */
typedef struct pv_term {
    fx_ints    m;
    const fxv *w;
} pv_term;

typedef struct pv_entry {
    uint32_t token, column;
    fx       x;
} pv_entry;

/* The terms, times v_j (NULL: 1), and the entries, ascending by token. */
typedef struct pv_factor {
    pv_term         term[2];
    unsigned        terms;
    const fxv      *v;
    const pv_entry *entries;
    size_t          entry_count;
} pv_factor;

typedef struct pv_token_product {
    unsigned  token_bits;
    size_t    n;     /* columns: a multiple of 8, or a power of two */
    unsigned  pairs; /* 1 or 2 */
    pv_factor p[2], b[2];
    bool      whole; /* instead of factors (one pair): N' rows of n elements, used up */
    fxv      *whole_p, *whole_b;
} pv_token_product;

/* The rounds of the token variables, as in pv_inner_rounds: point[b] is the challenge of variable b. p[m] and b[m], n elements each: what is left. The
 * factors' arrays are in the scratch memory. ERR_MEMORY, ERR_LIMIT of the writer. */
err pv_token_rounds(pv_writer *w, pv_scratch *scratch, const pv_token_product *x, fx *point, fxv *const p[2], fxv *const b[2]) MUST_USE;

#endif
