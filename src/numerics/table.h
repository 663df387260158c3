/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables of spec/numerics.md section 11: correctly rounded EXP, EXPL, GELU and GELU', made with integers alone. Every
 * function is total for a valid shape's constants and fractions that num_fractions_check admits (f_h in [-32, f_h,max],
 * f_g in [-32, 62]); memory is the caller's. One entry of a table costs about as much as a few hundred multiplications. */
#ifndef NUMERICS_TABLE_H
#define NUMERICS_TABLE_H

#include "base/int.h"
#include "crypto/blake3.h"
#include "numerics/config.h"

/* Entries of each table: 2 D_t + 1. Entry D of EXP and EXPL; entry h + D_t of GELU and GELU'. */
static inline size_t num_table_len(const num_const *c)
{
    return (size_t)(2 * c->d_t + 1);
}

void num_table_exp(int32_t *out, const num_const *c);
void num_table_exp_loss(int32_t *out, const num_const *c);

/* Phi and phi at multiples of 2^-f_h,max from 0 up to 11, at fraction 126. Made once for a helper set, then every GELU
 * table is a few operations an entry. */
typedef struct num_normal {
    u128 cdf, pdf;
} num_normal;

static inline size_t num_normal_len(const num_const *c)
{
    return (size_t)11 << c->f_h_max;
}

void num_normal_fill(num_normal *grid, const num_const *c);

/* `q_max` is c->q_max for the operand table; calibration (section 10) reads the function itself with INT32_MAX and f_g 20. */
void num_table_gelu(int32_t *out, const num_const *c, const num_normal *grid, int f_h, int f_g, int32_t q_max);
void num_table_gelu_slope(int32_t *out, const num_const *c, const num_normal *grid, int f_h);

/* Single entries, for a referee without tables: 0 <= D <= 2 D_t, |h| <= D_t. */
int32_t num_exp_at(const num_const *c, int64_t D);
int32_t num_exp_loss_at(const num_const *c, int64_t D);
int32_t num_gelu_at(const num_const *c, int f_h, int f_g, int64_t h);
int32_t num_gelu_slope_at(const num_const *c, int f_h, int64_t h);

/* Feeds a table as little-endian int32: the tables hash is BLAKE3 over EXP, EXPL, then GELU and GELU' of each layer. */
void num_table_hash_add(cr_blake3 *hash, const int32_t *table, size_t len);

#endif
