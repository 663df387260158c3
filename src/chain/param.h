/* SPDX-License-Identifier: Apache-2.0
 *
 * Parameters: rows of schema/params.def. */
#ifndef CHAIN_PARAM_H
#define CHAIN_PARAM_H

#include "base/err.h"

typedef enum chain_param {
#define PARAM(ID, number, key, unit, def, min, max, class, changer, doc) CHAIN_PARAM_##ID,
#define PARAM_RULE(text, condition)
#include "params.def"
#undef PARAM
#undef PARAM_RULE
    CHAIN_PARAM_COUNT
} chain_param;

typedef enum chain_param_class { CHAIN_CLASS_OPERATIONAL, CHAIN_CLASS_STRUCTURAL, CHAIN_CLASS_CONSTITUTIONAL } chain_param_class;
extern const char *const chain_class_names[]; /* by chain_param_class */
typedef enum chain_param_changer { CHAIN_CHANGER_NOBODY, CHAIN_CHANGER_BOTH_HOUSES } chain_param_changer;

typedef struct chain_param_row {
    uint32_t            number; /* on the wire */
    const char         *id;     /* as in params.def */
    const char         *key;
    const char         *unit;
    uint64_t            initial, min, max;
    chain_param_class   class;
    chain_param_changer changer;
    const char         *doc;
} chain_param_row;

extern const chain_param_row chain_param_rows[CHAIN_PARAM_COUNT];

typedef struct chain_params {
    uint64_t v[CHAIN_PARAM_COUNT];
} chain_params;

void chain_params_default(chain_params *out);

/* Bounds of every row and the rules between rows: ERR_RANGE naming the key or the rule. */
err chain_params_check(const chain_params *p, fault *f) MUST_USE;

/* Every bound and rule that is broken, the first `cap` of them in out; returns how many there are. The rules between rows are
 * judged only if each row is within its own bounds. */
size_t chain_params_problems(const chain_params *p, fault *out, size_t cap);

/* The rules between rows: how each reads, and its condition, in which P(ID) is the value of a row. */
typedef struct chain_param_rule {
    const char *text, *condition;
} chain_param_rule;

extern const chain_param_rule chain_param_rules[];
extern const size_t           chain_param_rule_count;

/* A bound of the network's own, inside that of the row: no vote, emergency or amendment leaves it. */
typedef struct chain_bound {
    chain_param param;
    uint64_t    min, max;
} chain_bound;

/* ERR_RANGE, naming "genesis bound: KEY", of the first value that is outside. */
err chain_bounds_check(const chain_bound *bounds, size_t count, const chain_params *p, fault *f) MUST_USE;
/* "genesis bound: KEY" */
const char *chain_bound_name(chain_param p);

/* CHAIN_PARAM_COUNT if there is none. */
chain_param chain_param_by_key(const char *key);
chain_param chain_param_by_number(uint64_t number);

#endif
