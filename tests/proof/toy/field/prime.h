/* SPDX-License-Identifier: Apache-2.0
 *
 * p = 7: 7 = 1 mod 3 and 2 is no cube mod 7, so K has 343 elements, and cheats succeed often enough to be counted. Constants as in src/field/prime.h. */
#ifndef FIELD_PRIME_H
#define FIELD_PRIME_H

#define FP_P UINT64_C(7)
enum { FP_R_BITS = 52, FP_TWO_ADICITY = 1, FP_BYTES = 1 };
#define FP_NEG_INV UINT64_C(2573485501354569)
#define FP_R2      UINT64_C(4)
#define FP_ONE     UINT64_C(2)

#endif
