/* SPDX-License-Identifier: Apache-2.0
 *
 * Remainders of neighbouring elements, per instruction set. Integers modulo 2^64, so every instruction set gives the same. */
#ifndef PROVE_REMS_INT_H
#define PROVE_REMS_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Element k: acc[k] mul - factor[k] less + u - 2^s t, where t = sign cell[k] + high[k] high_mul + base and u = half, or (word ^ words[k]) mod 2^s.
 * factor, high, words may be NULL. */
typedef struct pv_rems_args {
    const int64_t  *acc;
    int64_t         mul, less;
    const int16_t  *factor, *cell, *high;
    int64_t         sign, base;
    int32_t         high_mul;
    unsigned        s;
    uint64_t        half, word;
    const uint64_t *words;
} pv_rems_args;

/* To rem, n of them; true: all are in [0, 2^s). */
typedef bool pv_rems_fn(uint64_t *rem, const pv_rems_args *a, size_t n);
extern pv_rems_fn pv_rems_portable, pv_rems_avx2, pv_rems_avx512ifma;

/* That for fx_isa_in_use(). */
pv_rems_fn *pv_rems(void);

#endif
