/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests of provers: reproducible field elements, direct evaluations, and proofs taken apart into elements. */
#ifndef PROVE_PROVE_KIT_H
#define PROVE_PROVE_KIT_H

#include "field/vec.h"
#include "proof/reader.h"
#include "prove/writer.h"

#include <stdlib.h>

enum { KIT_PROOF_MAX = 1 << 20 };

static inline uint64_t kit_u64(uint64_t *seed)
{
    uint64_t z = (*seed += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static inline fx kit_fx(uint64_t *seed)
{
    fx x;
    for (int i = 0; i < 3; i++)
        x.c[i] = fp_from_u64(kit_u64(seed));
    return x;
}

static inline fxv *kit_alloc(size_t n)
{
    fxv *a = fxv_alloc(n);
    CHECK(a);
    return a;
}

static inline fxv *kit_vec(uint64_t *seed, size_t n)
{
    fxv *a = kit_alloc(n);
    for (size_t i = 0; i < n; i++)
        fxv_set(a, i, kit_fx(seed));
    return a;
}

/* sum_i eq(point, i) a_i by n folds of a plain array, not by the kernels under test. */
static inline fx kit_eval(const fxv *a, const fx *point, unsigned n)
{
    size_t count = (size_t)1 << n;
    fx *x = malloc(count * sizeof *x);
    CHECK(x);
    for (size_t i = 0; i < count; i++)
        x[i] = fxv_get(a, i);
    for (unsigned b = n; b-- > 0;)
        for (size_t i = 0; i < (size_t)1 << b; i++)
            x[i] = fx_add(x[i], fx_mul(point[b], fx_sub(x[i + ((size_t)1 << b)], x[i])));
    fx value = x[0];
    free(x);
    return value;
}

/* Prover and verifier of a test begin here. */
static inline pf_transcript kit_transcript(void)
{
    pf_transcript t;
    pf_start(&t, 1);
    return t;
}

static inline pv_writer kit_writer(void)
{
    pv_writer w = { .t = kit_transcript() };
    buf_init(&w.out, KIT_PROOF_MAX);
    return w;
}

/* Element i of a proof that is nothing but elements of K. */
static inline fx kit_proof_get(const buf *proof, size_t i)
{
    fx x;
    CHECK((i + 1) * FX_BYTES <= proof->len && fx_decode(&x, proof->data + i * FX_BYTES));
    return x;
}

static inline void kit_proof_set(buf *proof, size_t i, fx x)
{
    CHECK((i + 1) * FX_BYTES <= proof->len);
    fx_encode(proof->data + i * FX_BYTES, x);
}

#endif
