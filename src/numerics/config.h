/* SPDX-License-Identifier: Apache-2.0
 *
 * What a model is, in numbers that tensors, proofs and the ledger agree on: shape, operand width, helper constants and
 * the published fractions. spec/numerics.md sections 2, 3, 10. */
#ifndef NUMERICS_CONFIG_H
#define NUMERICS_CONFIG_H

#include "base/bytes.h"
#include "base/limits.h"

typedef enum num_helper { NUM_NARROW = 0, NUM_WIDE = 1 } num_helper;

typedef struct num_shape {
    uint32_t vocab;   /* V */
    uint32_t context; /* T */
    uint32_t width;   /* d */
    uint32_t layers;  /* L */
    uint32_t heads;   /* H; hd = d / H */
    uint32_t bits;    /* w: 8, 10, 12, 14, 16 */
    uint32_t helper;  /* num_helper */
} num_shape;

/* Everything that section 2 derives from a shape. */
typedef struct num_const {
    int32_t  q_max;  /* Q = 2^(w-1) - 1 */
    int64_t  d_t;    /* domain of tables and of operands before saturation */
    int64_t  d_b;    /* domain of one contribution to the residual stream */
    int64_t  d_g;    /* domain of one contribution to the gradient stream */
    int64_t  d_s;    /* domain of a norm's sum of squares */
    int      f_res, f_r, f_R, b_C, x_2, f_z, f_l, f_h_max, f_gd, n_l, f_dl;
    int64_t  q_l;    /* exp(0) in the loss table */
    int64_t  c_score, c_grad, c_logit; /* C, C', C2 */
    int      x_score, x_grad;          /* their fractions; that of C2 is x_2 */
    uint32_t head_dim, hidden;         /* hd, F = 4 d */
} num_const;

/* ERR_SHAPE or ERR_LIMIT with the field's name: bounds of limits.def, d divisible by H, hd <= 256, w and helper known. */
err num_const_of(num_const *out, const num_shape *shape, fault *f) MUST_USE;

/* Published fractions of one layer, in the order of the wire (section 10). */
typedef struct num_layer_fractions {
    int8_t y1, wqkv, q, k, v, o, wo, y2, w1, h, g, w2, dm, dh, dn2, da, dp, dv, ds, dq, dk, dn1;
} num_layer_fractions;

typedef struct num_top_fractions {
    int8_t e, p, yf, wh, dnf, gx;
} num_top_fractions;

typedef struct num_fractions {
    num_top_fractions   top;
    num_layer_fractions layer[48]; /* LIMIT_MODEL_LAYERS; the first `layers` count */
} num_fractions;

/* ERR_RANGE naming the fraction: every shift in [0, 62], every alignment in its range. */
err num_fractions_check(const num_fractions *fractions, const num_shape *shape, fault *f) MUST_USE;

/* Weight tensors in the order of section 3: index 0 is E, 1 is P, then Wq Wk Wv Wo W1 W2 of each layer, last Wh. */
enum { NUM_W_Q, NUM_W_K, NUM_W_V, NUM_W_O, NUM_W_1, NUM_W_2, NUM_W_PER_LAYER };

static inline uint32_t num_tensor_count(const num_shape *s)
{
    return 3 + NUM_W_PER_LAYER * s->layers;
}

static inline uint32_t num_tensor_of_layer(uint32_t layer, uint32_t which)
{
    return 2 + NUM_W_PER_LAYER * layer + which;
}

typedef struct num_tensor_info {
    char     name[32]; /* "layer3.w1", "embed", "pos", "head" */
    uint32_t rows, cols;
    uint64_t offset; /* first element in the flat order of all tensors */
} num_tensor_info;

/* index < num_tensor_count. */
num_tensor_info num_tensor_describe(const num_shape *shape, uint32_t index);
uint64_t        num_parameter_count(const num_shape *shape);

/* The fraction of weight tensor `index`, and that of its exact gradient (section 5). */
int num_weight_fraction(const num_fractions *f, const num_shape *s, uint32_t index);
int num_gradient_fraction(const num_fractions *f, const num_shape *s, uint32_t index);

/* Tensor ids of section 7: 64 * layer + slot. */
typedef enum num_slot {
    NUM_X = 0, NUM_Y1, NUM_QQ, NUM_KK, NUM_VV, NUM_ZZ, NUM_ZSUM, NUM_RSUM, NUM_EE, NUM_OO, NUM_B1, NUM_Y2, NUM_HH, NUM_GG,
    NUM_B2, NUM_R1, NUM_DM, NUM_DH, NUM_DN2, NUM_DX2, NUM_DA, NUM_DP, NUM_CC, NUM_M1, NUM_DV, NUM_DS, NUM_DQ, NUM_DK,
    NUM_DN1, NUM_DX1, NUM_GX, NUM_R2, NUM_LG, NUM_EL, NUM_ZL, NUM_RL, NUM_DL, NUM_M2, NUM_LOSS, NUM_XMID, NUM_SLOT_COUNT
} num_slot;

#define NUM_TENSOR_ID(layer, slot) ((uint32_t)(layer) * 64u + (uint32_t)(slot))

#endif
