/* SPDX-License-Identifier: Apache-2.0
 *
 * A worker who does an operation another way throughout, and everything after it from that. The step is computed by the referee's relations
 * (proof/relation.h), element by element, from what he has computed so far; a lie says which inputs or outputs are others. */
#ifndef TESTS_PROOF_LIAR_H
#define TESTS_PROOF_LIAR_H

#include "prove/step_kit.h"

#include "proof/referee.h"
#include "proof/relation.h"

typedef struct liar liar;

/* An element of a trace, or of the gradient or the loss (id only, as in proof/referee.h). */
typedef struct liar_place {
    uint32_t id, layer, slot, row, col;
} liar_place;

/* What is NULL is done right. x->of is the element that is computed. */
typedef struct lie {
    const char *name;
    const char *check; /* what the verifier says */
    bool (*write)(liar *x, int64_t *out);                         /* true: the element itself */
    bool (*read)(liar *x, const liar_place *at, int64_t *out);    /* true: another input than that at `at` */
    bool (*token)(liar *x, uint32_t position, uint16_t *out);     /* true: another token */
    void (*context)(liar *x, pf_context *c);                      /* another dither */
    void (*after)(liar *x);                                       /* the witness, before remainders and multiplicities are counted */
} lie;

struct liar {
    step_kit        *kit;
    num_model_header model;
    num_const        k;
    int64_t        **record; /* by tensor id and sequence of the lease */
    uint32_t        *cols;   /* by tensor id */
    const lie       *lie;
    liar_place       of;
    uint32_t         sequence; /* of the lease */
};

/* The kit is begun (step_kit.h); its witness, gradient and loss become those of the lie. */
void liar_init(liar *x, step_kit *k);
void liar_deinit(liar *x);
void liar_step(liar *x, const lie *l);

/* What the liar has computed, in the sequence at hand; weight and token as they are. */
int64_t  liar_get(const liar *x, uint32_t layer, uint32_t slot, uint32_t row, uint32_t col);
int64_t  liar_weight(const liar *x, uint32_t tensor, uint32_t row, uint32_t col);
uint16_t liar_token(const liar *x, uint32_t sequence, uint32_t position);

/* An operand of x->of's place, rounded with its dither from acc. */
int64_t liar_dithered(const liar *x, int64_t acc, int shift, uint32_t row_word, uint32_t col_word);

#endif
