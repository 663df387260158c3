/* SPDX-License-Identifier: Apache-2.0
 *
 * Small integers x_j with sum x_j a_j = b in K, three equations mod p: found in the lattice of the x with sum 0, reduced by LLL (Lenstra, Lenstra,
 * Lovasz 1982), as the vector by which it misses some solution (Babai 1986). What comes out is checked by who asks; reals only guide it. */
#ifndef TESTS_PROOF_LATTICE_H
#define TESTS_PROOF_LATTICE_H

#include "field/fx.h"

#include <math.h>
#include <string.h>

enum { LATTICE_MAX = 32, LATTICE_EQUATIONS = 3 };

/* Rows 0 .. n - 1 a basis, row n the solution that is to become small. `star`: rows made orthogonal to those before. */
typedef struct lattice {
    size_t      n;
    int64_t     b[LATTICE_MAX + 1][LATTICE_MAX];
    long double star[LATTICE_MAX + 1][LATTICE_MAX], mu[LATTICE_MAX + 1][LATTICE_MAX], norm[LATTICE_MAX + 1];
} lattice;

/* Makes the first three columns of the equations those of the unit matrix. */
static inline void lattice_solve(fp m[LATTICE_EQUATIONS][LATTICE_MAX + 1], size_t n)
{
    for (size_t k = 0; k < LATTICE_EQUATIONS; k++) {
        fp inverse = fp_inv(m[k][k]);
        CHECK(fp_to_u64(m[k][k]) != 0); /* with weights from a transcript it never is */
        for (size_t j = 0; j <= n; j++)
            m[k][j] = fp_mul(m[k][j], inverse);
        for (size_t i = 0; i < LATTICE_EQUATIONS; i++) {
            fp factor = m[i][k];
            for (size_t j = 0; j <= n && i != k; j++)
                m[i][j] = fp_sub(m[i][j], fp_mul(factor, m[k][j]));
        }
    }
}

static inline int64_t lattice_signed(fp x)
{
    uint64_t u = fp_to_u64(x);
    return u > FP_P / 2 ? (int64_t)u - (int64_t)FP_P : (int64_t)u;
}

static inline void lattice_fill(lattice *l, const fx *a, fx b, size_t n)
{
    fp m[LATTICE_EQUATIONS][LATTICE_MAX + 1];
    memset(l, 0, sizeof *l);
    l->n = n;
    for (size_t i = 0; i < LATTICE_EQUATIONS; i++) {
        for (size_t j = 0; j < n; j++)
            m[i][j] = a[j].c[i];
        m[i][n] = b.c[i];
    }
    lattice_solve(m, n);
    for (size_t i = 0; i < LATTICE_EQUATIONS; i++) {
        l->b[i][i] = (int64_t)FP_P;
        l->b[n][i] = lattice_signed(m[i][n]);
        for (size_t j = LATTICE_EQUATIONS; j < n; j++)
            l->b[j][i] = lattice_signed(fp_neg(m[i][j]));
    }
    for (size_t j = LATTICE_EQUATIONS; j < n; j++)
        l->b[j][j] = 1;
}

static inline long double lattice_dot(const long double *x, const long double *y, size_t n)
{
    long double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i] * y[i];
    return sum;
}

/* star, mu and norm of row k from those of the rows before. */
static inline void lattice_orthogonal(lattice *l, size_t k)
{
    for (size_t i = 0; i < l->n; i++)
        l->star[k][i] = (long double)l->b[k][i];
    for (size_t j = 0; j < k; j++) {
        l->mu[k][j] = lattice_dot(l->star[k], l->star[j], l->n) / l->norm[j];
        for (size_t i = 0; i < l->n; i++)
            l->star[k][i] -= l->mu[k][j] * l->star[j][i];
    }
    l->norm[k] = lattice_dot(l->star[k], l->star[k], l->n);
}

/* Row k -= what is nearest to it among the sums of rows before. A pass leaves what the reals could not see; at the edge of what they can, it never ends,
 * and is as near as it gets. */
static inline void lattice_shorten(lattice *l, size_t k)
{
    bool changed = true;
    for (int pass = 0; changed && pass < 8; pass++) {
        changed = false;
        lattice_orthogonal(l, k);
        for (size_t j = k; j-- > 0;) {
            int64_t q = (int64_t)roundl(l->mu[k][j]);
            if (q == 0)
                continue;
            changed = true;
            for (size_t i = 0; i < l->n; i++)
                l->b[k][i] -= q * l->b[j][i];
            for (size_t i = 0; i < j; i++)
                l->mu[k][i] -= (long double)q * l->mu[j][i];
        }
    }
}

static inline void lattice_reduce(lattice *l)
{
    lattice_orthogonal(l, 0);
    for (size_t k = 1; k < l->n;) {
        lattice_shorten(l, k);
        if (l->norm[k] >= (0.99L - l->mu[k][k - 1] * l->mu[k][k - 1]) * l->norm[k - 1]) {
            k++;
            continue;
        }
        for (size_t i = 0; i < l->n; i++) {
            int64_t was = l->b[k][i];
            l->b[k][i] = l->b[k - 1][i];
            l->b[k - 1][i] = was;
        }
        lattice_orthogonal(l, k - 1);
        k = k > 1 ? k - 1 : 1;
    }
}

/* x with sum x[j] a[j] = b, about p^(3 / n) in size; n <= LATTICE_MAX. */
static inline void lattice_small_solution(int64_t *x, const fx *a, fx b, size_t n)
{
    static lattice l;
    CHECK(n > LATTICE_EQUATIONS && n <= LATTICE_MAX);
    lattice_fill(&l, a, b, n);
    lattice_reduce(&l);
    lattice_shorten(&l, n);
    memcpy(x, l.b[n], n * sizeof *x);
}

#endif
