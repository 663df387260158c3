/* SPDX-License-Identifier: Apache-2.0
 *
 * Where every cell, leaf and instance of a proof lies (spec/proof.md sections 4, 5, 7 and 11): a function of shape, fractions, number of
 * sequences and, if the result is RANGE, of the tensor whose check failed, the same for prover and verifier. Nothing of it is read from a proof. */
#ifndef PROOF_LAYOUT_H
#define PROOF_LAYOUT_H

#include "numerics/config.h"

enum {
    PF_VERSION = 1,
    PF_BLOCK_BITS = 8,     /* most features of a tile, log2 */
    PF_INSTANCE_BITS = 20, /* leaves of an instance, log2 */
    PF_DIGIT_BITS = 16,
};

/* Committed tensors of a layer, in their order. The top (layer L) has Y1 (yF), D (of the logits), E (el), DL, DN1, DX1LO and DX1HI. */
typedef enum pf_slot {
    PF_Y1, PF_Q, PF_K, PF_V, PF_D, PF_E, PF_O, PF_B1LO, PF_B1HI, PF_Y2, PF_H, PF_G, PF_GD, PF_B2LO, PF_B2HI,
    PF_DL, PF_DM, PF_DH, PF_DN2, PF_DX2LO, PF_DX2HI, PF_DA, PF_DP, PF_DV, PF_DS, PF_DQ, PF_DK, PF_DN1, PF_DX1LO, PF_DX1HI,
    PF_SLOTS
} pf_slot;

enum { PF_NONE = UINT32_MAX };

typedef struct pf_tensor {
    uint32_t layer, slot; /* of a digit: those of the rounding's output; of multiplicities: PF_SLOTS */
    uint32_t digit;       /* 0: the output itself */
    uint32_t features;
    uint32_t n;           /* size of its table COUNT(n); 0: not looked up on its own */
    uint32_t offset;      /* what is looked up is cell + offset */
    uint32_t tile, tiles; /* in the commitment */
} pf_tensor;

typedef enum pf_op {
    PF_OP_NORM,    /* y = x r */
    PF_OP_MATMUL,  /* left W mul */
    PF_OP_SCORE,   /* max - D = q . k C, masked */
    PF_OP_LOGIT,   /* max - Dl = yF Wh C2, masked */
    PF_OP_ATTEND,  /* o = (e v) R */
    PF_OP_LOSS,    /* dl */
    PF_OP_BACK,    /* left W^T */
    PF_OP_BACK3,   /* dn1 */
    PF_OP_GELU,    /* dh = (dm W2^T) gd */
    PF_OP_DP, PF_OP_DV, PF_OP_DS, PF_OP_DQ, PF_OP_DK,
    PF_OP_DX,
    PF_OP_STREAM,  /* dm, da */
} pf_op;

/* One rounding: t = (acc mul + u - rem) / 2^s. */
typedef struct pf_rounding {
    pf_op    op;
    uint32_t layer;
    uint32_t out, out_hi;  /* tensors; out_hi PF_NONE if one cell holds the output, else t = out + hi_mul out_hi */
    int64_t  hi_mul;
    uint32_t digit, digits; /* first tensor of the digits k = 1 .. digits */
    uint32_t s;
    bool     saturates;
    uint32_t dither_id;    /* tensor id of numerics section 7; PF_NONE: round half up */
    uint32_t features;
    uint32_t left, weight; /* MATMUL, BACK, LOGIT, GELU, DP: the tensor and the weight tensor */
    int64_t  mul;
} pf_rounding;

typedef enum pf_part { PF_PART_CELL, PF_PART_REM, PF_PART_DOMAIN, PF_PART_EXP, PF_PART_GELU, PF_PART_EXPL } pf_part;

/* Consecutive tiles of one thing inside an instance. */
typedef struct pf_segment {
    pf_part  part;
    uint32_t index;  /* CELL: tensor; REM, DOMAIN (max - D + D_t): rounding; EXP, GELU, EXPL: layer */
    uint32_t n;      /* CELL, REM, DOMAIN: the table COUNT(n) */
    uint32_t block, blocks; /* of the features */
    uint32_t place;  /* first tile in the instance */
} pf_segment;

typedef enum pf_kind { PF_INTEGERS, PF_TUPLES, PF_TABLE } pf_kind;

typedef struct pf_instance {
    pf_kind  kind;
    uint32_t tile_bits, bits;        /* log2 of tiles and of leaves */
    uint32_t segment, segments;
} pf_instance;

typedef struct pf_table {
    uint64_t tag;
    pf_part  part;   /* CELL: COUNT(n); EXP, GELU (of `layer`), EXPL */
    uint32_t n, layer;
    uint32_t first;  /* entry */
} pf_table;

typedef struct pf_layout {
    num_shape     shape;
    num_const     k;
    num_fractions fractions;
    uint32_t      sequences;
    uint32_t      until;                 /* id of the tensor whose check failed: what is written before it is all there is; PF_NONE: none did */
    uint32_t      t_bits, s_bits, nu, b; /* log2 of T', S', N', B */
    uint32_t      hidden_d[2];           /* D0, D1: least D with EXP[D] = 0, EXPL[D] = 0 */
    pf_tensor    *tensors;
    uint32_t      tensor_count, mult;    /* mult: tensor of mult_lo; mult_hi follows */
    uint32_t     *at;                    /* (L + 1) x PF_SLOTS: tensor, or PF_NONE where there is none, or it is not reached */
    pf_rounding  *roundings;
    uint32_t      rounding_count;
    pf_segment   *segments;
    uint32_t      segment_count;
    pf_instance  *instances;             /* integers, tuples, then the table */
    uint32_t      instance_count;
    pf_table     *tables;
    uint32_t      table_count, entries;
    uint32_t      tiles;                 /* of the commitment */
    uint64_t      leaves;                /* of all instances but the table's */
} pf_layout;

/* `until` as in pf_layout. Without any tensor before it, y->tensor_count is 0, and there is no instance and no table.
 * ERR_SHAPE, ERR_RANGE (fractions), ERR_LEDGER (the model cannot be proved without wrapping), ERR_LIMIT (tokens), ERR_UNSUPPORTED (wide helpers),
 * ERR_UNPROVED (until: no tensor of a trace), ERR_MEMORY. Deinit after every outcome. */
err  pf_layout_init(pf_layout *y, const num_shape *shape, const num_fractions *fractions, uint32_t sequences, uint32_t until, fault *f) MUST_USE;
void pf_layout_deinit(pf_layout *y);

/* The place in the order of a trace (numerics section 7) of the tensor that a slot is part of. */
uint32_t pf_trace_place(const pf_layout *y, uint32_t layer, pf_slot slot);

static inline uint32_t pf_at(const pf_layout *y, uint32_t layer, pf_slot slot)
{
    return y->at[layer * PF_SLOTS + slot];
}

static inline bool pf_has(const pf_layout *y, uint32_t layer, pf_slot slot)
{
    return pf_at(y, layer, slot) != PF_NONE;
}

static inline uint32_t pf_padded(const pf_layout *y, uint32_t tensor) /* features with their padding */
{
    return y->tensors[tensor].tiles << y->b;
}

static inline uint32_t pf_blocks(const pf_layout *y, uint32_t features)
{
    return (features + (1u << y->b) - 1) >> y->b;
}

/* Features of what a segment is part of. */
uint32_t pf_segment_features(const pf_layout *y, const pf_segment *s);

static inline uint32_t pf_tokens(const pf_layout *y) /* N' */
{
    return 1u << y->nu;
}

/* Whether token index i is a real one. */
static inline bool pf_is_token(const pf_layout *y, uint32_t i)
{
    return (i & ((1u << y->t_bits) - 1)) < y->shape.context && (i >> y->t_bits) < y->sequences;
}

#endif
