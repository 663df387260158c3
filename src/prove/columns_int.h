/* SPDX-License-Identifier: Apache-2.0
 *
 * Hashing columns: BLAKE3 over sixteen messages of one length at a time, each at most one chunk (1024 bytes). The library hashes one
 * message at a time, and short ones slowly: a commitment has 2 M columns of a few hundred bytes a band. Words are little-endian; lane k
 * belongs to message k. Every instruction set gives the same bytes. */
#ifndef PROVE_COLUMNS_INT_H
#define PROVE_COLUMNS_INT_H

#include "crypto/blake3.h"
#include "field/vec.h"
#include "proof/open.h"

enum {
    PV_LANES = 16,
    PV_GROUP = FP_RS_ROWS, /* rows encoded together */
    PV_SYMBOL_WORDS = PV_GROUP * FP_BYTES / 4,
};

typedef uint32_t pv_word[PV_LANES] __attribute__((aligned(64)));

/* BLAKE3's domain flags. */
enum { PV_START = 1, PV_END = 2, PV_ROOT = 8, PV_CONTEXT = 32, PV_MATERIAL = 64 };

/* Sixteen column hashes in progress. Zeroed at the start; chain is the hash after the last group. */
typedef struct pv_stripe {
    pv_word chain[8], block[16];
} pv_stripe;

/* PV_GROUP rows, or fewer in the last group; zero behind them. */
typedef struct pv_group {
    size_t index, rows;
    bool   last;
} pv_group;

typedef struct pv_column_kernels {
    /* One compression of a first chunk: chain becomes the chaining value, or, with PV_ROOT, the hash. len: bytes in the block. */
    void (*compress)(pv_word chain[8], const pv_word block[16], uint32_t len, uint32_t flags);

    /* Takes sixteen neighbouring columns on by a group: of cells, `stride` from row to row; of parity symbols below p, element i of row k at
     * symbols[16 i + k]. */
    void (*absorb_cells)(pv_stripe *s, const pv_word key[8], const pv_group *g, const int16_t *cells, size_t stride);
    void (*absorb_symbols)(pv_stripe *s, const pv_word key[8], const pv_group *g, const fp *symbols);

    /* out[16 i + k] = residue of cell i of row k, i < n; n is a multiple of 16. */
    void (*spread)(fp *out, const int16_t *cells, size_t stride, size_t n);
} pv_column_kernels;

extern const pv_column_kernels pv_columns_portable, pv_columns_avx2, pv_columns_avx512ifma;

/* Those for fx_isa_in_use(). */
const pv_column_kernels *pv_columns(void);

/* The key of key derivation mode, in every lane. `context` has at most 64 bytes. */
void pv_columns_key(const pv_column_kernels *k, pv_word key[8], const char *context);

/* The hashes of the lanes [0, n), after the last group. */
void pv_stripe_hashes(const pv_stripe *s, hash256 *out, size_t n);

/* tree[i] for first <= i < first + n, n <= PV_LANES, from the children tree[2 i], tree[2 i + 1] (crypto/merkle.h, rule blake3). */
void pv_columns_nodes(const pv_column_kernels *k, const pv_word key[8], hash256 *tree, size_t first, size_t n);

#endif
