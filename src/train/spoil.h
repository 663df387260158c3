/* SPDX-License-Identifier: Apache-2.0
 *
 * A worker that cheats, for tests and the demo (`--cheat-seed`, `--cheat-rate`). Which leases it spoils, and how, is a function of the
 * seed and the lease alone. It alters one element of one operation's output, or of the gradient, or the loss, by one, in the least
 * visible way: the altered value flows on, and the worker commits to the trace that contains it. Nothing but re-execution can tell. */
#ifndef TRAIN_SPOIL_H
#define TRAIN_SPOIL_H

#include "numerics/trace.h"
#include "train/exec.h"

typedef enum tr_spoil_kind {
    TR_SPOIL_NOTHING,
    TR_SPOIL_OPERATION,  /* one element of a tensor of the trace: */
    TR_SPOIL_INPUT,      /* of x of layer 0, */
    TR_SPOIL_TOKEN_LOSS, /* or of the losses of the positions */
    TR_SPOIL_GRADIENT,   /* one element of the gradient: */
    TR_SPOIL_EMBEDDING,  /* that of the token embedding */
    TR_SPOIL_LOSS,       /* the attested loss */
} tr_spoil_kind;

typedef struct tr_spoil {
    tr_spoil_kind kind;
    uint32_t      tensor;   /* of the trace: id */
    uint64_t      sequence; /* of the trace: global number */
    uint64_t      index;    /* element of the tensor, or of the gradient */
    tr_observer   next;     /* who sees the spoiled trace; set by the caller */
} tr_spoil;

enum { TR_GRADIENT_PPM = 500000 };

/* What a cheater draws from. */
typedef struct tr_cheat {
    uint64_t seed;
    uint32_t rate_ppm;     /* share of the leases that it spoils; 0: honest */
    uint32_t gradient_ppm; /* share of those in which it spoils the gradient instead of the trace or the loss; TR_GRADIENT_PPM unless
                              a test wants something else */
    tr_spoil_kind always;  /* NOTHING: any kind is drawn */
} tr_cheat;

void tr_spoil_choose(tr_spoil *s, const tr_cheat *cheat, const num_shape *shape, const hash256 *lease, uint64_t from, uint64_t to);

/* Puts itself before `next` (any may be NULL inside it). The result borrows `s`. */
tr_observer tr_spoil_observer(tr_spoil *s);

/* To be called with the finished gradient. */
void tr_spoil_gradient(const tr_spoil *s, int64_t *gradient);
void tr_spoil_loss(const tr_spoil *s, int64_t *loss);

#endif
