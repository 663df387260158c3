/* SPDX-License-Identifier: Apache-2.0
 *
 * A proof under way (spec/proof.md sections 8 to 10): the end points of lookups and products, and the claims that follow from them. Prover and verifier
 * fill the same structure and derive the same claims; only the prover has values for them. */
#ifndef PROOF_RUN_H
#define PROOF_RUN_H

#include "field/vec.h"
#include "proof/eq.h"
#include "proof/lookup.h"
#include "proof/public.h"

typedef enum pf_product_kind {
    PF_X_SCORE, PF_X_ATTEND, PF_X_DV, PF_X_DQ, PF_X_DK, PF_X_DS, PF_X_DS_INNER, PF_X_GELU, /* parts of leaf claims */
    PF_X_C, PF_X_DISTANCE, PF_X_NORM, PF_X_LOGIT, PF_X_EXCEPTION,
    PF_X_KINDS
} pf_product_kind;

/* One inner product of section 9. Index: token (high) and feature (low), each a power of two. */
typedef struct pf_product {
    pf_product_kind kind;
    uint32_t layer, second;    /* NORM: y1 or y2 */
    uint32_t instance, segment; /* parts; of DS_INNER as DS */
    uint32_t rounding;         /* parts, EXCEPTION */
    uint32_t token_bits, feature_bits, pairs;
    /* what the transcript gave */
    fx weights[PF_VARS_MAX], heads[PF_VARS_MAX], kappa; /* omega', theta' as points */
    fx value;                  /* claimed sum */
    fx end[PF_VARS_MAX], p[2], b[2];
} pf_product;

/* Tensors that claims may be about besides committed ones: x_0 plus the first k contributions; the first k of the gradient stream, from the top. */
enum { PF_VIRTUAL_X = 0x40000000, PF_VIRTUAL_GX = 0x60000000 };

typedef struct pf_run {
    const pf_layout  *y;
    const pf_subject *s;
    const pf_rows    *rows;
    hash256           dither;
    fx                alpha, gamma;
    pf_lookup        *ends;     /* by instance: root, end point and the claims there */
    fx               *parts;    /* by segment */
    pf_product       *products;
    uint32_t          product_count;
    /* sums of e and el */
    fx                sum_tokens[PF_VARS_MAX], sum_heads[PF_VARS_MAX];
    /* gradient */
    fx                in[PF_VARS_MAX], out[PF_VARS_MAX], embed[PF_VARS_MAX], grad_kappa, grad_end[PF_VARS_MAX];
    fx               *grad_p, *grad_b; /* by group: 4 a layer and the head */
    /* RANGE: of the inputs of the failed check */
    fx                input_kappa;
} pf_run;

/* ERR_MEMORY. Lists the products; rows are derived. Deinit after every outcome. */
err  pf_run_init(pf_run *run, const pf_layout *y, const pf_subject *s, const pf_rows *rows, fault *f) MUST_USE;
void pf_run_deinit(pf_run *run);

/* Whether the remainder of a segment has a product part. */
bool pf_has_part(const pf_layout *y, const pf_segment *s);

/* Variables of the vectors r_in and r_out. */
unsigned pf_gradient_vars(const pf_layout *y);

/* The groups of the gradient: X of group g and the tensors Y with their weight tensors (at most three). */
typedef struct pf_group {
    uint32_t x, count, y[3], weight[3];
} pf_group;

uint32_t pf_group_count(const pf_layout *y);
pf_group pf_group_at(const pf_layout *y, uint32_t g);

/* Squeezes the points that a product needs (label "weights") and sets its value, from parts and rows. DS_INNER follows DS and takes its value from it. */
err pf_product_start(pf_run *run, uint32_t index, pf_transcript *t, fault *f) MUST_USE;

/* Verifier: P at the end point where P is public (DISTANCE, LOGIT, EXCEPTION). ERR_MEMORY. */
err pf_product_public(const pf_run *run, uint32_t index, fx *out, fault *f) MUST_USE;

/* Squeeze the points of the sums, and of the gradient, or of the inputs of a failed check. */
void pf_run_sums(pf_run *run, pf_transcript *t);
void pf_run_gradient(pf_run *run, pf_transcript *t);
void pf_run_inputs(pf_run *run, pf_transcript *t);

/* sum_k kappa^k G_k(r_in, r_out). ERR_MEMORY. */
err pf_gradient_value(const pf_run *run, fx *out, fault *f) MUST_USE;

/* The extension of a matrix at (in, out): rows by `in`, columns by `out`. ERR_MEMORY. */
err pf_evaluate(fx *to, const fx_ints *m, const fx *in, unsigned in_bits, const fx *out, unsigned out_bits, fault *f) MUST_USE;

/* --- claims -------------------------------------------------------------------------------------------------------- */

/* sum_ij w_i v_j t(i, j), a part of the batched claim. */
typedef struct pf_row {
    uint32_t   tensor; /* committed, or virtual */
    const fxv *w;      /* N' token weights */
    fxv       *v;      /* pf_row_features feature weights, and zeros up to a power of two */
} pf_row;

typedef struct pf_claims {
    pf_row  *rows;
    uint32_t count, room;
    uint32_t claims;   /* how many were batched */
    fx       value;    /* what all rows must add up to */
    void   **memory;
    size_t   memory_count, memory_room;
} pf_claims;

/* All claims, batched with powers of mu. ERR_MEMORY. Deinit after every outcome. */
err  pf_claims_build(pf_claims *c, const pf_run *run, fx mu, fault *f) MUST_USE;
void pf_claims_deinit(pf_claims *c);

/* Features, padded, of a committed or virtual tensor. */
uint32_t pf_row_features(const pf_layout *y, uint32_t tensor);

/* --- weights of a segment, for the prover's arrays ------------------------------------------------------------------- */

/* eq over the tokens of an instance's end point: N' elements. NULL: no memory. */
fxv *pf_token_weights(const pf_run *run, uint32_t instance);
/* phi of a segment over the padded features of its tensor. NULL: no memory. */
fxv *pf_feature_weights(const pf_run *run, uint32_t instance, uint32_t segment);

#endif
