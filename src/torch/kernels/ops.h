/* SPDX-License-Identifier: Apache-2.0
 *
 * Arguments of the operations in schema/ops.def. All tensors are contiguous unless said; N is the number of rows (sequences x
 * T), rows of one sequence follow each other. Bits: spec/numerics.md sections 4 and 5. */
#ifndef TORCH_KERNELS_OPS_H
#define TORCH_KERNELS_OPS_H

#include "numerics/config.h"
#include "torch/tensor.h"

#include <stdatomic.h>

/* The smallest flat index that failed a domain check, or UINT64_MAX; several threads lower it. */
typedef struct bt_first {
    _Atomic uint64_t index;
} bt_first;

/* Dither words of one tensor; rows == NULL: round half up. Row word of row i (and head h): rows[i * groups + h]... for attention
 * scores rows[(sequence * H + h) * T + i], columns cols[h * T + j]. */
typedef struct bt_dither {
    const uint64_t *rows, *cols;
} bt_dither;

/* One rounding: t = round(acc * mul, shift), |t| <= domain or RANGE, then q = sat(t) if q_max != 0.
 * With `max`: nothing is written; *max becomes the largest |acc * mul| (calibration). */
typedef struct bt_round {
    unsigned         shift;
    int64_t          mul;      /* a constant, when none of the next two is given */
    const int64_t   *row_mul;  /* N x groups: one multiplier per row and group of n / groups columns */
    uint32_t         groups;
    const int32_t   *mul_index; /* N x n: multiplier = mul_table[mul_index] (table centred: indices may be negative) */
    const int32_t   *mul_table;
    int64_t          domain;
    int32_t          q_max;
    bt_dither        dither;
    bt_first        *first;
    _Atomic int64_t *max;
} bt_round;

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
    bt_tensor       de, dp; /* added to: V x d, T x d int64 */
} bt_embed_grad_args;

typedef struct bt_add_args { /* ADD: x += b */
    bt_tensor x, b; /* int32 */
} bt_add_args;

typedef struct bt_norm_args { /* NORM */
    const num_const *c;
    bt_tensor        x;       /* N x d int32 */
    bt_tensor        y;       /* out: N x d int16 */
    bt_tensor        r;       /* out: N int64 */
    bt_round         round;   /* multiplier is r; `mul` unused */
} bt_norm_args;

typedef struct bt_norm_grad_args { /* NORM_GRAD: gx += dx */
    const num_const *c;
    bt_tensor        dn;    /* N x d int32 */
    bt_tensor        y, r;
    int              f_y;
    bt_tensor        gx;    /* added to: N x d int32; no storage: not touched */
    bt_tensor        dx;    /* out: N x d int32; no storage: not wanted */
    bt_tensor        m;     /* out: N int64; no storage: not wanted */
    bt_first        *first_m;
    bt_round         round; /* of dx */
} bt_norm_grad_args;

typedef struct bt_linear_args { /* LINEAR */
    bt_term   terms[BT_TERMS_MAX];
    uint32_t  n_terms;
    int32_t   bound;
    bt_tensor out; /* N x n int16 or int32 */
    bt_round  round;
    bt_tensor acc; /* instead of out and round: N x n int64, added to */
} bt_linear_args;

typedef struct bt_outer_args { /* OUTER: dw += x^T dy */
    bt_tensor x, dy; /* N x k, N x n int16, any strides */
    int32_t   bound;
    bt_tensor dw;    /* k x n int64 */
} bt_outer_args;

typedef struct bt_round_args { /* ROUND */
    bt_tensor in;  /* N x n int32 or int64 */
    bt_tensor out; /* N x n int16 or int32 */
    bt_round  round;
} bt_round_args;

typedef struct bt_lookup_args { /* LOOKUP */
    bt_tensor      index; /* int32 in [-domain, domain] */
    const int32_t *table; /* centred */
    bt_tensor      out;   /* int16 */
} bt_lookup_args;

typedef struct bt_attn_args { /* ATTN */
    const num_const *c;
    uint32_t         context, heads;
    const int32_t   *exp_table; /* 0 .. 2 D_t */
    bt_tensor        q, k, v;   /* N x d int16 */
    unsigned         shift_z;
    bt_tensor        e;         /* out: (N H) x T int16: row (sequence * H + h) * T + i */
    bt_tensor        r;         /* out: N x H int64 */
    bt_tensor        o;         /* out: N x d int16 */
    bt_tensor        z, zsum;   /* out when traced: (N H) x T int32, N x H int64 */
    bt_first        *first_z;   /* flat in (N H) x T */
    bt_round         round;     /* of o; multiplier R */
} bt_attn_args;

typedef struct bt_attn_grad_args { /* ATTN_GRAD */
    const num_const *c;
    uint32_t         context, heads;
    bt_tensor        q, k, v, e, o, dp; /* as forward; dp N x d int16 */
    unsigned         align;             /* f_o - f_v */
    bt_tensor        dv, dq, dk;        /* out: N x d int16 */
    bt_tensor        ds, row_c;         /* out when traced: (N H) x T int16, N x H int64 */
    bt_round         round_dv, round_ds, round_dq, round_dk; /* a calibration computes what has no `max` exactly and takes the
                                                              * maxima of the rest; ds has to be final before dq, dk can be */
    bool             only_dv_ds;        /* calibration: stop after ds */
} bt_attn_grad_args;

typedef struct bt_loss_args { /* LOSS */
    const num_const *c;
    const int32_t   *exp_table;  /* EXPL */
    bt_tensor        lg;         /* N x V int32 */
    const uint16_t  *targets;    /* row r: targets[(r / T) * target_stride + r % T] */
    size_t           target_stride;
    uint32_t         context;
    bt_tensor        dl;         /* out: N x V int16; no storage: loss only */
    bt_round         round;
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
