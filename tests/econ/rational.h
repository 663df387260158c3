/* SPDX-License-Identifier: Apache-2.0
 *
 * Exact rationals of any size on a stack, over GMP: a law in real numbers is a few lines of pushes and operations. Not reduced: the numbers
 * of one formula stay small enough. */
#ifndef TESTS_ECON_RATIONAL_H
#define TESTS_ECON_RATIONAL_H

#include "base/fixed.h"

#include <gmp.h>

void rat_start(void); /* once */
void rat_clear(void); /* empties the stack */

void rat_int(int64_t x);
void rat_uint(uint64_t x);
void rat_ratio(uint64_t a, uint64_t b); /* a / b */
void rat_q32(q32 x);
void rat_same(void); /* the top once more */

/* The two on top become one: below OP top. `low, high, x, rat_min, rat_max` clamps x. */
void rat_add(void);
void rat_sub(void);
void rat_mul(void);
void rat_div(void); /* the divisor is positive */
void rat_max(void);
void rat_min(void);
void rat_pow(unsigned n); /* the top to the n */
void rat_sqrt(void);      /* of the top, less than 2^-128 below */
void rat_neg(void);

/* got - top, in steps of 2^-bits, exact to 2^-20 of a step; pops. */
double rat_off(int64_t got, unsigned bits);
double rat_off_u64(uint64_t got);

/* floor(top), which must fit; pops. */
uint64_t rat_floor(void);
/* -1, 0, 1: the one below against the top; pops both. */
int rat_compare(void);

/* base^-x for x >= 0 in steps of 2^-64, as a fraction of 2^128: products of roots that GMP took, less than 2^-120 off. x < 2^70. */
typedef enum rat_base {
    RAT_2,
    RAT_E,
} rat_base;
u128 rat_exp_minus(rat_base base, u128 x);

/* Pushes the fraction f / 2^128. */
void rat_fraction(u128 f);

#endif
