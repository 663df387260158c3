/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROVE_PRODUCTS_INT_H
#define PROVE_PRODUCTS_INT_H

#include "prove/prove_int.h"
#include "prove/token_rounds_int.h"

/* One product of spec/proof.md section 9 and what its factors are made of. */
typedef struct pv_scene {
    const prover     *p;
    pv_scratch       *scratch;
    const pf_layout  *y;
    const pf_product *x;
    size_t            width;   /* 2^feature_bits */
    fxv              *w, *phi; /* omega and phi of a part */
    pv_window         at;      /* a part's segment */
    fxv              *P, *B;   /* 2^(token_bits + feature_bits) elements each, where these are few (products.c) */
    void             *memory[12]; /* freed with the scene */
    size_t            memory_count;
    err               e;       /* the first error: ERR_MEMORY, or that of a product of integers */
} pv_scene;

/* Zero, n elements; NULL: s->e is set. */
fxv *pv_scene_vector(pv_scene *s, size_t n);
/* `p` is freed with the scene; NULL sets s->e. */
void *pv_scene_keep(pv_scene *s, void *p);

fx_ints pv_scene_tensor(const pv_scene *s, pf_slot slot);

/* Rows [row, row + rows) and columns [col, col + cols). */
fx_ints pv_ints_part(const fx_ints *m, size_t row, size_t rows, size_t col, size_t cols);

/* factors.c: proves a product of many columns: rounds and ends. */
err pv_prove_wide(pv_scene *s, pv_writer *w, fx *point, fx *ends) MUST_USE;

#endif
