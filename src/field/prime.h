/* SPDX-License-Identifier: Apache-2.0
 *
 * The prime and its Montgomery constants. A test that needs cheats to succeed puts a toy prime in the place of this file (tests/proof/toy). */
#ifndef FIELD_PRIME_H
#define FIELD_PRIME_H

#define FP_P UINT64_C(225179565293569)
enum {
    FP_R_BITS = 52,       /* Montgomery radix */
    FP_TWO_ADICITY = 26,  /* 2^26 divides p - 1 */
    FP_BYTES = 6,         /* of a canonical residue, little-endian */
};

/* -p^-1 mod 2^52, 2^104 mod p, 2^52 mod p; field_test.c recomputes them. */
#define FP_NEG_INV UINT64_C(225179565293567)
#define FP_R2      UINT64_C(127618510442576)
#define FP_ONE     UINT64_C(8321499116)

#endif
