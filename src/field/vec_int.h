/* SPDX-License-Identifier: Apache-2.0
 *
 * Between vec.c, which checks and dispatches, and the kernels of the instruction sets (vec_<isa>*.c). The meaning of an entry is that of
 * the function of the same name in vec.h. */
#ifndef FIELD_VEC_INT_H
#define FIELD_VEC_INT_H

#include "field/vec.h"

typedef struct fxv_kernels {
    void (*eq)(fxv *out, const fx *r, unsigned k, fx scale);
    fx (*dot)(const fxv *a, const fxv *b, size_t n);
    void (*add_scaled)(fxv *a, const fxv *b, fx s, size_t n);
    void (*scale)(fxv *a, fx s, size_t n);
    void (*mul)(fxv *a, const fxv *b, size_t n);
    void (*fold)(fxv *a, size_t half, fx r);
    void (*round)(fx g[2], const fxv *p, const fxv *b, size_t half);
    void (*fold_round)(fx g[2], fxv *p, fxv *b, size_t half, fx r);
    void (*fractions_up)(fx_fractions *out, const fx_fractions *in, size_t half);
    void (*fractions_add)(fx_fractions *out, const fx_fractions *a, const fx_fractions *b, size_t n);
    void (*fractions_fold_round)(fx g[2], fx_fractions *a, fx_fractions *b, size_t half, fx k, const fxv *lo, size_t lo_n, const fxv *hi);
    void (*fractions_fold)(fx_fractions *a, size_t half, fx k);
    void (*rows)(fxv *out, const fx_ints *m, const fxv *w);
    void (*cols)(fxv *out, const fx_ints *m, const fxv *v);
    void (*from_ints)(fxv *out, const void *data, unsigned bytes, size_t n, fx s);
    void (*rs_parity)(fp *out, const fp *in, unsigned m);
    void (*rs_parity_rows)(fp *out, const fp *in, unsigned m);
    void (*fractions_absorb_round)(fx g[2], fx_fractions *a, const fx_fractions *b, size_t half, fx lambda, const fxv *lo, size_t lo_n,
                                   const fxv *hi);
    void (*unit_up)(fx_fractions *out, const fxv *q0, const fxv *q1, size_t n);
    void (*affine)(fxv *a, fx s, fx c, size_t n);
    void (*eq_round)(fx g[2], const fxv *p, const fxv *b, size_t half, const fxv *lo, size_t lo_n, const fxv *hi);
    void (*eq_fold_round)(fx g[2], fxv *p, fxv *b, size_t half, fx k, const fxv *lo, size_t lo_n, const fxv *hi);
    void (*leaf_up)(fx_fractions *out, const int32_t *x0, const int32_t *x1, size_t n, fx a0, fx a1);
    void (*leaf_up_fold)(fx_fractions *out, const int32_t *const x[4], size_t n, const fx a[4], fx k);
    void (*leaf_fold)(fxv *out, const int32_t *x0, const int32_t *x1, size_t n, fx c, fx f0, fx f1);
    void (*leaf_round)(fxv_leaf_sums *out, const int32_t *const x[4], const fxv *w, size_t n);
} fxv_kernels;

extern const fxv_kernels fxv_portable, fxv_avx2, fxv_avx512ifma;

/* A factor that is known ahead, in plain form, with floor(w 2^52 / p): for y < 2^52, y w - floor(y quotient / 2^52) p is in [0, 2 p). */
typedef struct fp_twiddle {
    uint64_t w, quotient;
} fp_twiddle;

/* The twiddles of both transforms of fp_rs_parity for 2^m, made at first use and kept.
 * down[b] = root(k + 1)^-(b with its k bits reversed), b < 2^(m - 1), k bits: the inverse transform, natural to bit-reversed order.
 * up[h + j] = root(log2(h) + 2)^(2 j + 1), h a power of two, j < h, h + j < 2^m: evaluation on the coset, bit-reversed to natural order.
 * scale = 2^-m. */
typedef struct fp_rs_table {
    fp_twiddle *down, *up, scale;
} fp_rs_table;

const fp_rs_table *fp_rs_table_get(unsigned m);

/* Of vec_portable_leaf.c, for the table in vec_portable.c; the last is for what is left of the other tables' fractions. */
void fxv_unit_up_portable(fx_fractions *out, const fxv *q0, const fxv *q1, size_t n);
void fxv_affine_portable(fxv *a, fx s, fx c, size_t n);
void fxv_eq_round_portable(fx g[2], const fxv *p, const fxv *b, size_t half, const fxv *lo, size_t lo_n, const fxv *hi);
void fxv_eq_fold_round_portable(fx g[2], fxv *p, fxv *b, size_t half, fx k, const fxv *lo, size_t lo_n, const fxv *hi);
void fxv_fractions_round_portable(fx g[2], const fx_fractions *a, const fx_fractions *b, size_t half, const fxv *lo, size_t lo_n, const fxv *hi); /* lambda 0 */
void fxv_leaf_up_portable(fx_fractions *out, const int32_t *x0, const int32_t *x1, size_t n, fx a0, fx a1);
void fxv_leaf_up_fold_portable(fx_fractions *out, const int32_t *const x[4], size_t n, const fx a[4], fx k);
void fxv_leaf_fold_portable(fxv *out, const int32_t *x0, const int32_t *x1, size_t n, fx c, fx f0, fx f1);
void fxv_leaf_round_portable(fxv_leaf_sums *out, const int32_t *const x[4], const fxv *w, size_t n);

/* An integer of the matrix, sign-extended. */
static inline int64_t fx_ints_at(const void *data, unsigned bytes, size_t i)
{
    return bytes == 2 ? ((const int16_t *)data)[i] : bytes == 4 ? ((const int32_t *)data)[i] : ((const int64_t *)data)[i];
}

#endif
