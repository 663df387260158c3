/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests and the fuzzer: a case of the commitment with everything that a statement would fix, made from a seed. */
#ifndef PROVE_OPEN_KIT_H
#define PROVE_OPEN_KIT_H

#include "prove/commit.h"

#include <stdlib.h>

typedef struct kit_case {
    pf_geometry   g;
    int16_t      *cells;
    pf_transcript t; /* after the commitment and the weights: where the opening starts */
    hash256       root;
    fxv          *proximity, *row_weights, *factors;
    fx            value;
    uint64_t      seed;
} kit_case;

static inline uint64_t kit_random(uint64_t *seed)
{
    uint64_t z = (*seed += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static inline fx kit_random_fx(uint64_t *seed)
{
    fx x;
    for (int i = 0; i < 3; i++)
        x.c[i] = fp_from_u64(kit_random(seed));
    return x;
}

static inline void kit_rows(void *ctx, int16_t *out, size_t stride, uint64_t row, size_t n)
{
    const kit_case *c = ctx;
    size_t          M = (size_t)1 << c->g.m;
    for (size_t k = 0; k < n; k++)
        memcpy(out + k * stride, c->cells + (row + k) * M, M * sizeof *out);
}

static inline pv_cells kit_cells(kit_case *c)
{
    return (pv_cells){ c, kit_rows };
}

static inline void kit_init(kit_case *c, unsigned m, uint64_t rows, uint64_t seed)
{
    size_t M = (size_t)1 << m, n = M * (size_t)rows;
    *c = (kit_case){ .g = { m, rows }, .seed = seed };
    c->cells = malloc(n * sizeof *c->cells);
    c->proximity = fxv_alloc((size_t)rows);
    c->row_weights = fxv_alloc((size_t)rows);
    c->factors = fxv_alloc(M);
    CHECK(c->cells && c->proximity && c->row_weights && c->factors);
    for (size_t i = 0; i < n; i++)
        c->cells[i] = i % 7 == 3 ? (int16_t)(i & 1 ? INT16_MIN : INT16_MAX) : (int16_t)kit_random(&c->seed);
}

static inline void kit_deinit(kit_case *c)
{
    free(c->cells);
    free(c->proximity);
    free(c->row_weights);
    free(c->factors);
}

/* Takes the transcript to the opening: the weights of an evaluation and its value follow. */
static inline void kit_begin(kit_case *c, hash256 root)
{
    size_t M = (size_t)1 << c->g.m;
    fx     chi;
    c->root = root;
    pf_start(&c->t, 1);
    pf_absorb(&c->t, "commitment", BYTES_OF(c->root));
    pf_open_weights(&c->t, &chi, c->proximity, c->g.rows);
    for (size_t i = 0; i < c->g.rows; i++)
        fxv_set(c->row_weights, i, fx_mul(chi, kit_random_fx(&c->seed)));
    for (size_t j = 0; j < M; j++)
        fxv_set(c->factors, j, kit_random_fx(&c->seed));
    c->value = FX_ZERO;
    for (size_t i = 0; i < c->g.rows; i++) {
        fx sum = FX_ZERO;
        for (size_t j = 0; j < M; j++)
            sum = fx_add(sum, fx_mul_fp(fxv_get(c->factors, j), fp_from_i64(c->cells[i * M + j])));
        c->value = fx_add(c->value, fx_mul(sum, fxv_get(c->row_weights, i)));
    }
}

/* Commits, begins and opens. proof: out, buf_deinit. */
static inline err kit_prove(kit_case *c, base_pool *pool, buf *proof)
{
    pv_cells      cells = kit_cells(c);
    pv_commitment made;
    buf_init(proof, SIZE_MAX / 2);
    TRY(pv_commit(&made, &c->g, &cells, NULL, pool));
    kit_begin(c, *pv_commitment_root(&made));
    pv_writer w = { .t = c->t };
    buf_init(&w.out, SIZE_MAX / 2);
    err e = pv_open(&w, &made, &cells, c->proximity, c->row_weights, pool);
    *proof = w.out;
    pv_commitment_deinit(&made);
    return e;
}

/* The whole of `proof` is an opening of the case. */
static inline err kit_verify(const kit_case *c, bytes proof, fault *f)
{
    pf_reader     r = { .in = proof, .f = f };
    pf_transcript t = c->t;
    pf_open_claim claim = { c->proximity, c->row_weights, c->factors, c->value };
    TRY(pf_open_verify(&r, &t, &c->root, &c->g, &claim));
    return pf_read_end(&r);
}

#endif
