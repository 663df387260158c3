/* SPDX-License-Identifier: Apache-2.0
 *
 * Vectors over the challenge field, and what the prover and the verifier do with them in bulk. One meaning on every
 * instruction set: results are exact, so all variants give the same bytes (vec_test.c holds them together).
 *
 * Long vectors are arrays of blocks of eight elements, coordinate by coordinate, so that a SIMD register holds one coordinate of
 * eight elements. An array of n elements has fxv_blocks(n) blocks; elements past n in the last block are zero unless a function says
 * otherwise. Arrays are 64-byte aligned (fxv_alloc). Functions that say `n >= 8` work on whole blocks. */
#ifndef FIELD_VEC_H
#define FIELD_VEC_H

#include "field/fx.h"

#include <stddef.h>

enum { FXV_LANES = 8 };

typedef struct fxv {
    _Alignas(64) fp c[3][FXV_LANES];
} fxv;

static inline size_t fxv_blocks(size_t n)
{
    return (n + FXV_LANES - 1) / FXV_LANES;
}

static inline fx fxv_get(const fxv *a, size_t i)
{
    const fxv *b = &a[i / FXV_LANES];
    size_t k = i % FXV_LANES;
    return (fx){ { b->c[0][k], b->c[1][k], b->c[2][k] } };
}

static inline void fxv_set(fxv *a, size_t i, fx x)
{
    fxv *b = &a[i / FXV_LANES];
    size_t k = i % FXV_LANES;
    for (int j = 0; j < 3; j++)
        b->c[j][k] = x.c[j];
}

fxv *fxv_alloc(size_t n); /* zeroed; NULL: no memory; free() */

/* Which kernels run: the best of the machine unless a test or TB_FIELD_ISA says otherwise. */
typedef enum fx_isa { FX_ISA_PORTABLE, FX_ISA_AVX2, FX_ISA_AVX512IFMA, FX_ISA_COUNT } fx_isa;
bool   fx_isa_available(fx_isa isa);
void   fx_isa_use(fx_isa isa); /* available; not while another thread computes */
fx_isa fx_isa_in_use(void);

/* out[i] = scale eq(r, i) for i < 2^k: bit b of i belongs to r[b] (spec/proof.md section 2). */
void fxv_eq(fxv *out, const fx *r, unsigned k, fx scale);

/* sum a[i] b[i] over n elements. */
fx fxv_dot(const fxv *a, const fxv *b, size_t n);

/* a[i] += s b[i]. */
void fxv_add_scaled(fxv *a, const fxv *b, fx s, size_t n);

/* a[i] *= s, a[i] *= b[i]. */
void fxv_scale(fxv *a, fx s, size_t n);
void fxv_mul(fxv *a, const fxv *b, size_t n);

/* Binds the most significant variable to r: a[i] += r (a[i + half] - a[i]) for i < half. half is a power of two or a multiple of 8 (of 16 for
 * fxv_fold_round); the upper half is left as it is. */
void fxv_fold(fxv *a, size_t half, fx r);

/* Round of sum P B without eq factor: g[0] = sum p[i] b[i], g[1] = sum (p[i + half] - p[i]) (b[i + half] - b[i]), i < half: g(0) and the
 * coefficient of X^2. ADDED to g. */
void fxv_round(fx g[2], const fxv *p, const fxv *b, size_t half);

/* fxv_fold of both by r, and the next round's sums of the folded arrays (half is that of the fold, >= 2). One pass. */
void fxv_fold_round(fx g[2], fxv *p, fxv *b, size_t half, fx r);

/* --- fractions (spec/proof.md section 7) ---------------------------------------------------------------------------- */

/* Eight fractions next to each other: power-of-two distances between separate arrays would share cache sets. */
typedef struct fx_fractions {
    fxv p, q;
} fx_fractions;

/* out[i] = in[i] + in[i + half] as fractions, i < half. in and out may be the same array. */
void fxv_fractions_up(fx_fractions *out, const fx_fractions *in, size_t half);

/* out[i] = a[i] + b[i], n a multiple of 8. out may be a or b. */
void fxv_fractions_add(fx_fractions *out, const fx_fractions *a, const fx_fractions *b, size_t n);

/* Layer round with eq split: with E[i] = hi[i / lo_n] lo[i % lo_n] (eq of the variables that are not bound yet, without the top one),
 *   h(X) = sum over i < half of E[i] (P_0 Q_1 + P_1 Q_0 + lambda Q_0 Q_1)(X, i)
 * where the arrays a (children 0) and b (children 1) of 2 half fractions each have their top variable X free. g[0] = h(0), g[1] = the
 * coefficient of X^2. lo_n is a power of two, <= half, and >= 8 or equal to half. SET. a.p becomes P_0 + lambda Q_0, so that the rounds after it are
 * those of lambda = 0. */
void fxv_fractions_absorb_round(fx g[2], fx_fractions *a, const fx_fractions *b, size_t half, fx lambda, const fxv *lo, size_t lo_n, const fxv *hi);

/* The rounds after it. A variable is bound to r but for a factor: (1 - r) (x[i] + k x[i + half]) with k = r / (1 - r) is what an array x would become, and
 * without 1 - r, which the caller remembers, it is a product and a sum. What these functions leave in arrays of 16 and more is congruent to what
 * they say, but not reduced: for them and fxv_fractions_fold alone to read.
 * Both arrays become the `half` elements x[i] + k x[i + half], then h of these without lambda (half >= 2; its own half is half / 2). */
void fxv_fractions_fold_round(fx g[2], fx_fractions *a, fx_fractions *b, size_t half, fx k, const fxv *lo, size_t lo_n, const fxv *hi);
void fxv_fractions_fold(fx_fractions *a, size_t half, fx k); /* reduced */

/* --- small integers -------------------------------------------------------------------------------------------------- */

/* A matrix of small integers, row-major, `stride` elements from row to row. */
typedef struct fx_ints {
    const void *data;
    size_t      rows, cols, stride;
    unsigned    bytes; /* 2: int16, 4: int32, 8: int64 in (-p/2, p/2) */
} fx_ints;

/* out[j] += sum_i w[i] m[i][j], j < cols. `out` and `w`: vectors of cols and rows elements. */
void fxv_rows(fxv *out, const fx_ints *m, const fxv *w);

/* out[i] += sum_j m[i][j] v[j], i < rows. */
void fxv_cols(fxv *out, const fx_ints *m, const fxv *v);

/* out[i] = s m[i], n elements of one row. */
void fxv_from_ints(fxv *out, const void *data, unsigned bytes, size_t n, fx s);

/* --- Reed-Solomon (spec/proof.md section 11) ------------------------------------------------------------------------- */

/* The parity half of a codeword: in[i] = f(root(m)^i), out[i] = f(root(m + 1) root(m)^i), i < 2^m. Montgomery form; in and out may be the same. */
void fp_rs_parity(fp *out, const fp *in, unsigned m);

/* The same for 16 rows at once: element i of row k is data[16 i + k]. */
enum { FP_RS_ROWS = 16 };
void fp_rs_parity_rows(fp *out, const fp *in, unsigned m);

/* --- leaves with numerator 1 (added for src/prove/leaf.c) ------------------------------------------------------------- */

/* 1 / q0[i] + 1 / q1[i], i < n: p = q0 + q1, q = q0 q1. */
void fxv_unit_up(fx_fractions *out, const fxv *q0, const fxv *q1, size_t n);

/* a[i] = s a[i] + c. */
void fxv_affine(fxv *a, fx s, fx c, size_t n);

/* A round of sum E[i] p[i] b[i], E split as above: g[0] = its value at X = 0, g[1] = its coefficient of X^2. SET. Then the rounds after it, as those of
 * fractions: k for r, and what is left in arrays of 16 and more is not reduced. */
void fxv_eq_round(fx g[2], const fxv *p, const fxv *b, size_t half, const fxv *lo, size_t lo_n, const fxv *hi);
void fxv_eq_fold_round(fx g[2], fxv *p, fxv *b, size_t half, fx k, const fxv *lo, size_t lo_n, const fxv *hi);

/* Leaves q = a - x with integers x in [-2^24, 2^24); n is a multiple of 8. */
enum { FXV_LEAF_BITS = 24 };

/* 1 / (a0 - x0[i]) + 1 / (a1 - x1[i]). */
void fxv_leaf_up(fx_fractions *out, const int32_t *x0, const int32_t *x1, size_t n, fx a0, fx a1);

/* 1 / (a[0] - x[0][i]) + 1 / (a[1] - x[1][i]), and the sum of the other two, bound as in fxv_fractions_fold_round: p = p_0 + k p_1, q = q_0 + k q_1, not reduced. */
void fxv_leaf_up_fold(fx_fractions *out, const int32_t *const x[4], size_t n, const fx a[4], fx k);

/* out[i] = c + f0 x0[i] + f1 x1[i]. */
void fxv_leaf_fold(fxv *out, const int32_t *x0, const int32_t *x1, size_t n, fx c, fx f0, fx f1);

/* What the first round of a product of two leaves needs; x[0], x[1] are both values of the top variable of one factor, x[2], x[3] of the other. */
typedef struct fxv_leaf_sums {
    fx one, x[4];   /* sum w[i], sum w[i] x[k][i] */
    fx at_0, at_top; /* sum w x[0] x[2], sum w (x[1] - x[0]) (x[3] - x[2]) */
} fxv_leaf_sums;
void fxv_leaf_round(fxv_leaf_sums *out, const int32_t *const x[4], const fxv *w, size_t n);

#endif
