/* SPDX-License-Identifier: Apache-2.0
 * Written by tools/vectors/exp2.py with big integers; everything rounded to nearest, in steps of 2^-62. */
#ifndef BASE_EXP2_TABLE_INT_H
#define BASE_EXP2_TABLE_INT_H

#include <stdint.h>

enum { EXP2_DEGREE = 5 };

#define EXP2_LOG2_E 0x5c551d94ae0bf85ell /* log2(e) */

/* (ln 2)^k / k!, k = 1 .. EXP2_DEGREE. */
static const uint64_t exp2_coefficient[EXP2_DEGREE] = {
    0x2c5c85fdf473de6bull, 0x0f5fdeffc162c754ull, 0x038d611ae09417f1ull, 0x009d955b7dd273b9ull,
    0x0015d87fe78a6731ull,
};

/* 2^(i/64). */
static const uint64_t exp2_step[64] = {
    0x4000000000000000ull, 0x40b268f9de0183baull, 0x4166c34c5615d0ecull, 0x421d1461d66f2023ull,
    0x42d561b3e6243d8aull, 0x438fb0cb4f468808ull, 0x444c0740496d4294ull, 0x450a6abaa4b77ecdull,
    0x45cae0f1f545eb73ull, 0x468d6fadbf2dd4f3ull, 0x47521cc5a2e6a9e0ull, 0x4818ee218a3358eeull,
    0x48e1e9b9d588e19bull, 0x49ad159789f37496ull, 0x4a7a77d47f7b84b1ull, 0x4b4a169b900c2d00ull,
    0x4c1bf828c6dc54b8ull, 0x4cf022c9905bfd32ull, 0x4dc69cdceaa72a9cull, 0x4e9f6cd3967fdba8ull,
    0x4f7a993048d088d7ull, 0x50582887dcb8a7e1ull, 0x513821818624b40cull, 0x521a8ad704f3404full,
    0x52ff6b54d8a89c75ull, 0x53e6c9da74b29ab5ull, 0x54d0ad5a753e077cull, 0x55bd1cdad49f699cull,
    0x56ac1f752150a563ull, 0x579dbc56b48521baull, 0x5891fac0e95612c8ull, 0x5988e20954889245ull,
    0x5a827999fcef3242ull, 0x5b7ec8f19468bbc9ull, 0x5c7dd7a3b17dcf75ull, 0x5d7fad59099f22feull,
    0x5e8451cfac061b5full, 0x5f8bccdb3d398841ull, 0x6096266533384a2bull, 0x61a3666d124bb204ull,
    0x62b39508aa836d6full, 0x63c6ba6455dcd8aeull, 0x64dcdec3371793d1ull, 0x65f60a7f79393e2eull,
    0x6712460a8fc24072ull, 0x683199ed779592caull, 0x69540ec8f895722dull, 0x6a79ad55e7f6fd10ull,
    0x6ba27e656b4eb57aull, 0x6cce8ae13c57ebdbull, 0x6dfddbcbed791babull, 0x6f307a412f074892ull,
    0x70666f76154a7089ull, 0x719fc4b95f452d29ull, 0x72dc8373be41a454ull, 0x741cb5281e25ee34ull,
    0x75606373ee921c97ull, 0x76a7980f6cca15c2ull, 0x77f25ccdee6d7ae6ull, 0x7940bb9e2cffd89dull,
    0x7a92be8a92436616ull, 0x7be86fb985689ddcull, 0x7d41d96db915019dull, 0x7e9f06067a4360baull,
};

#endif
