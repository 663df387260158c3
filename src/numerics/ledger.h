/* SPDX-License-Identifier: Apache-2.0
 *
 * The no-wrap ledger (spec/numerics.md section 9): for every relation of a model the largest absolute value of either side over
 * all admitted values. A proof works modulo p, so it needs them all within p/2; exact 64-bit arithmetic needs 2^62. */
#ifndef NUMERICS_LEDGER_H
#define NUMERICS_LEDGER_H

#include "base/int.h"
#include "numerics/config.h"

#define NUM_FIELD_P 225179565293569u

typedef enum num_ledger_bound {
    NUM_LEDGER_FIELD, /* below p/2: levels `linear` and `full` */
    NUM_LEDGER_WORD,  /* at most 2^62: every model, level `refereed` */
} num_ledger_bound;

typedef struct num_ledger_row {
    const char *relation; /* static */
    u128        most;
    bool        word_only; /* an intermediate of ours that no proof sees: always held against 2^62 */
} num_ledger_row;

enum { NUM_LEDGER_ROWS = 23 };

/* Fills `rows` (may be NULL) whatever the verdict. ERR_LEDGER with the relation's name for the first row that does not fit;
 * the shape's own errors (num_const_of) before that, and `rows` is then unspecified. */
err num_ledger_check(num_ledger_row rows[NUM_LEDGER_ROWS], const num_shape *shape, num_ledger_bound bound, fault *f) MUST_USE;

#endif
