/* SPDX-License-Identifier: Apache-2.0
 *
 * What both sides of a proof know (spec/proof.md sections 1 and 6): the statement, the tables, and the row scalars and exceptions that the prover sends in
 * the clear, checked natively. */
#ifndef PROOF_PUBLIC_H
#define PROOF_PUBLIC_H

#include "crypto/blake3.h"
#include "proof/layout.h"
#include "proof/reader.h"

/* Inputs of a failed check: a rectangle of one tensor (range.h). */
typedef struct pf_block {
    uint32_t tensor; /* committed, or virtual */
    uint32_t slot;   /* of numerics: as what the check reads it */
    uint32_t token, tokens, feature, features;
    size_t   first;  /* its values, row-major */
} pf_block;

enum { PF_BLOCKS_MAX = 4 };

typedef struct pf_check {
    uint32_t layer, slot, row, col;
    uint32_t token;    /* index of row 0 of its sequence */
    pf_block block[PF_BLOCKS_MAX];
    uint32_t blocks;   /* 0: the result is NORMAL */
    size_t   count;
    int64_t *values;   /* count */
} pf_check;

/* The tables of a model, as numerics section 11 defines them (num_table_len entries each). Borrowed. */
typedef struct pf_tables {
    const int32_t  *exp, *exp_loss;
    const int32_t **gelu, **slope; /* by layer */
} pf_tables;

/* NORMAL, or the check that failed: element `index` of tensor `tensor` of global sequence `sequence` (numerics section 8). */
typedef struct pf_result {
    bool     range;
    uint32_t tensor;
    uint64_t sequence, index;
} pf_result;

/* Everything is borrowed. The caller has checked that weights, tables, tokens and gradient are those of the ids and roots; pf_verify_lease does it. */
typedef struct pf_subject {
    num_shape       shape;
    num_fractions   fractions;
    hash256         model_id, weight_root, tables_hash, job_id, tokens_root, lease_hash, worker, gradient_root;
    uint64_t        step;
    uint32_t        sequences;
    const uint64_t *numbers;  /* global sequence numbers */
    const uint16_t *tokens;   /* sequences x (T + 1), each < V */
    uint8_t         level;
    pf_result       result;
    int64_t         loss;     /* in 2^-16 bits; of RANGE neither loss nor gradient are part of the statement */
    const int16_t  *weights;  /* num_parameter_count */
    const int64_t  *gradient; /* num_parameter_count */
    const pf_tables *tables;
} pf_subject;

static inline uint32_t pf_until(const pf_subject *s) /* of the layout */
{
    return s->result.range ? s->result.tensor : PF_NONE;
}

void pf_subject_absorb(pf_transcript *t, const pf_subject *s);

typedef struct pf_exception {
    uint32_t token, feature; /* token index with padding */
    int32_t  t;
} pf_exception;

/* Row scalars by token index (zero in padding, and where they are not reached). */
typedef struct pf_norm_rows {
    int64_t *squares, *y_squares, *M; /* sent */
    int64_t *r, *m;                   /* derived */
} pf_norm_rows;

typedef struct pf_head_rows {
    int64_t *max, *index, *Z, *c;
    int64_t *R;
} pf_head_rows;

typedef struct pf_rows {
    pf_norm_rows *norms;  /* 2 L + 1: y1, y2 of each layer, then yF */
    pf_head_rows *heads;  /* L x H */
    pf_head_rows  logits; /* Z is ZL, R is RL, c is D at the target */
    pf_exception *exceptions;
    uint32_t      exception_count;
    uint32_t     *exception_first; /* by rounding, rounding_count + 1 of them */
    int64_t      *memory;          /* of all arrays */
    uint32_t     *targets;         /* by token index; 0 in padding */
    uint32_t     *inputs;
    pf_check      check;
} pf_rows;

enum { PF_EXCEPTIONS_MAX = 1 << 16 };

/* Room for everything, zero. ERR_MEMORY; ERR_UNPROVED: a check that there is not. Deinit after every outcome. */
err  pf_rows_init(pf_rows *r, const pf_layout *y, const pf_subject *s, fault *f) MUST_USE;
void pf_rows_deinit(pf_rows *r);

/* Whether S and Y, or M, of norm k are sent. */
bool pf_has_squares(const pf_layout *y, uint32_t k);
bool pf_has_m(const pf_layout *y, uint32_t k);

/* Section 6 on the wire but for the inputs of a failed check, from the sent arrays and the exceptions. */
size_t pf_rows_size(const pf_layout *y);
void   pf_rows_encode(uint8_t *out, const pf_rows *r, const pf_layout *y);

/* Receives, absorbs, derives and checks. ERR_UNPROVED with what fails. */
err pf_rows_receive(pf_rows *r, const pf_layout *y, const pf_subject *s, pf_reader *in, pf_transcript *t) MUST_USE;

/* Derives r, m, R, RL from what was sent, and checks them, and that a failed check fails; the prover calls it on its own rows. */
err pf_rows_derive(pf_rows *r, const pf_layout *y, const pf_subject *s, fault *f) MUST_USE;

/* The fraction of y of norm k. */
int pf_norm_fraction(const pf_layout *y, uint32_t k);

static inline const pf_norm_rows *pf_norm_of(const pf_rows *r, const pf_layout *y, uint32_t layer, bool second)
{
    return &r->norms[layer == y->shape.layers ? 2 * layer : 2 * layer + second];
}

static inline const pf_head_rows *pf_head_of(const pf_rows *r, const pf_layout *y, uint32_t layer, uint32_t head)
{
    return &r->heads[layer * y->shape.heads + head];
}

#endif
