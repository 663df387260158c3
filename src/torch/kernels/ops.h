/* SPDX-License-Identifier: Apache-2.0
 *
 * Arguments of the operations in schema/ops.def. All tensors are contiguous unless said; N is the number of rows (sequences x
 * T), rows of one sequence follow each other. Bits: spec/numerics.md sections 4 and 5. */
#ifndef TORCH_KERNELS_OPS_H
#define TORCH_KERNELS_OPS_H

#include "numerics/config.h"
#include "torch/kernels/round.h"
#include "torch/tensor.h"

/* Roundings are bt_round (round.h). Its `bad` and `max` are merged over threads: the caller sets them before and reads them after.
 * With `measure` an operation only takes the maxima of |acc * mul| (calibration) and writes no rounded output. */
enum { BT_TERMS_MAX = 4 };

/* One matrix product a (N x k) * b (k x n); both int16, any strides, |a|, |b| <= bound. */
typedef struct bt_term {
    bt_tensor a, b;
    unsigned  shift;
} bt_term;

typedef struct bt_embed_args { /* EMBED */
    const uint16_t *tokens; /* row r: token tokens[(r / T) * token_stride + r % T] */
    size_t          token_stride;
    uint32_t        context;
    bt_tensor       e, p;   /* V x d, T x d int16 */
    unsigned        shift_e, shift_p;
    bt_tensor       x;      /* out: N x d int32 */
} bt_embed_args;

typedef struct bt_embed_grad_args { /* EMBED_GRAD */
    const uint16_t *tokens;
    size_t          token_stride;
    uint32_t        context;
    bt_tensor       gx;     /* N x d int32 */
    bt_tensor       de, dp; /* added to: V x d, T x d int64; no storage: not wanted */
} bt_embed_grad_args;

typedef struct bt_add_args { /* ADD: x += b */
    bt_tensor x, b; /* int32 */
} bt_add_args;

typedef struct bt_norm_args { /* NORM */
    const num_const *c;
    bt_tensor        x;       /* N x d int32 */
    bt_tensor        y;       /* out: N x d int16 */
    bt_tensor        r;       /* out: N int64; the row multiplier of the rounding */
    uint64_t        *bad_r;   /* lowered to the first row whose sum of squares is above d_s */
    bt_round        *round;
    bool             measure;
} bt_norm_args;

typedef struct bt_norm_grad_args { /* NORM_GRAD: gx += dx */
    const num_const *c;
    bt_tensor        dn;    /* N x d int32 */
    bt_tensor        y, r;
    int              f_y;
    bt_tensor        gx;    /* added to: N x d int32; no storage: not touched */
    bt_tensor        dx;    /* out: N x d int32; no storage: not wanted */
    bt_tensor        m;     /* out: N int64; no storage: not wanted */
    uint64_t        *bad_m;  /* lowered to the first row with |m| > 2^34 */
    bt_round        *round;  /* of dx */
    bool             measure;
} bt_norm_grad_args;

typedef struct bt_linear_args { /* LINEAR */
    bt_term   terms[BT_TERMS_MAX];
    uint32_t  n_terms;
    int32_t   bound;
    bt_tensor acc;     /* with storage: N x n int64, added to, and nothing is rounded */
    bt_tensor out;     /* else: N x n int16 or int32 */
    bt_round *round;
    const int64_t *group_mul; /* groups x N or NULL: a row multiplier for each of `groups` equal ranges of columns */
    uint32_t  groups;
    bool      measure;
} bt_linear_args;

typedef struct bt_outer_args { /* OUTER: dw += x^T dy */
    bt_tensor x, dy; /* N x k, N x n int16, any strides */
    int32_t   bound;
    bt_tensor dw;    /* k x n int64 */
} bt_outer_args;

typedef struct bt_round_args { /* ROUND */
    bt_tensor in;  /* N x n int32 or int64 */
    bt_tensor out; /* N x n int16 or int32 */
    bt_round *round;
    const int64_t *group_mul; /* as in LINEAR */
    uint32_t  groups;
    bool      measure;
} bt_round_args;

typedef struct bt_lookup_args { /* LOOKUP */
    bt_tensor      index;        /* int32 in [-D_t, D_t] */
    const uint32_t *table;       /* centred: value in the low half, slope in the high (tables.h) */
    bt_tensor      out;          /* int16 */
    bt_tensor      out_slope;    /* int16; no storage: not wanted */
} bt_lookup_args;

typedef struct bt_attn_args { /* ATTN */
    const num_const *c;
    uint32_t         context, heads;
    const int32_t   *exp_table; /* 0 .. 2 D_t */
    bt_tensor        q, k, v;   /* N x d int16 */
    unsigned         shift_z;
    bt_tensor        e;         /* out: (N H) x T int16: row (sequence * H + h) * T + i */
    bt_tensor        r;         /* out: H x N int64 */
    bt_tensor        o;         /* out: N x d int16 */
    bt_tensor        z, zsum;   /* out when traced: (N H) x T int32, H x N int64 */
    uint64_t        *bad_z;     /* lowered to the first flat index in (N H) x T */
    bt_round        *round_o;   /* shift, limit, clamp, bad and max count; the row multiplier is r */
    bool             measure;
} bt_attn_args;

/* What an attention backward computes; each stage needs the one before. */
typedef enum bt_attn_stage { BT_ATTN_MEASURE_DV_DS, BT_ATTN_MEASURE_DQ_DK, BT_ATTN_RUN } bt_attn_stage;

typedef struct bt_attn_grad_args { /* ATTN_GRAD */
    const num_const *c;
    uint32_t         context, heads;
    bt_tensor        q, k, v, e, o, dp; /* as forward; dp N x d int16 */
    unsigned         align;             /* f_o - f_v */
    bt_tensor        dv, dq, dk;        /* out: N x d int16 */
    bt_tensor        ds, row_c;         /* out when traced: (N H) x T int16, H x N int64 */
    bt_round        *round_dv, *round_ds, *round_dq, *round_dk; /* dither rows: dv, dq, dk N words; ds (N H) T words, columns H T */
    bt_attn_stage    stage;
} bt_attn_grad_args;

typedef struct bt_loss_args { /* LOSS */
    const num_const *c;
    const int32_t   *exp_table;  /* EXPL */
    bt_tensor        lg;         /* N x V int32 */
    const uint16_t  *targets;    /* row r: targets[(r / T) * target_stride + r % T] */
    size_t           target_stride;
    uint32_t         context;
    bt_tensor        dl;         /* out: N x V int16; no storage: loss only */
    bt_round        *round;
    _Atomic int64_t *loss_q16;   /* added to */
    bt_tensor        el, zl, rl, loss; /* out when traced: N x V int32, N int64 each */
} bt_loss_args;

struct bt_args {
    union {
        const bt_embed_args      *embed;
        const bt_embed_grad_args *embed_grad;
        const bt_add_args        *add;
        const bt_norm_args       *norm;
        const bt_norm_grad_args  *norm_grad;
        const bt_linear_args     *linear;
        const bt_outer_args      *outer;
        const bt_round_args      *round;
        const bt_lookup_args     *lookup;
        const bt_attn_args       *attn;
        const bt_attn_grad_args  *attn_grad;
        const bt_loss_args       *loss;
    };
    uint64_t rows, cols; /* for the profile: shape of the result, */
    uint64_t n_bytes;    /* bytes read and written, */
    uint64_t macs;       /* and multiply-adds */
};

#endif
