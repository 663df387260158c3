/* SPDX-License-Identifier: Apache-2.0
 *
 * The circuit breaker of the treasury: failures in a row stop executions for a while, then single probes decide whether it
 * closes. Pure: a function of the row and its arguments. Time is block heights; what counts as a failure is the caller's
 * business. spec/treasury.md "Circuit breaker". */
#ifndef CHAIN_TREASURY_BREAKER_H
#define CHAIN_TREASURY_BREAKER_H

#include "chain/state.h"

typedef enum chain_breaker_state { CHAIN_BREAKER_CLOSED = 0, CHAIN_BREAKER_OPEN = 1, CHAIN_BREAKER_HALF_OPEN = 2 } chain_breaker_state;

enum { CHAIN_BREAKER_FAILURES_MAX = 8 }; /* that the row remembers: the greatest breaker.failures */

/* The parameters breaker.*. */
typedef struct chain_breaker_rules {
    uint64_t failures;  /* 1 to CHAIN_BREAKER_FAILURES_MAX */
    uint64_t window;    /* blocks */
    uint64_t open;      /* blocks */
    uint64_t successes; /* at least 1 */
    uint64_t tighten_ppm, scale_min_ppm, recover_ppm;
} chain_breaker_rules;

/* Closed, untouched by incidents. */
chain_row_breaker chain_breaker_new(void);

/* The failures that open it at present, at least 1: floor(failures x scale). */
uint64_t chain_breaker_threshold(const chain_row_breaker *b, const chain_breaker_rules *r);

/* Once an epoch, before its attempts: the scale recovers by a step, and what was open for breaker.open blocks is half-open. */
void chain_breaker_epoch(chain_row_breaker *b, const chain_breaker_rules *r, uint64_t height);

/* Whether something may be attempted: closed; or half-open, and nothing was attempted in this block. */
bool chain_breaker_admits(const chain_row_breaker *b, uint64_t height);

/* What an attempt came to. A failure outside of attempts counts, too, but not while the breaker is open. */
void chain_breaker_success(chain_row_breaker *b, const chain_breaker_rules *r, uint64_t height);
void chain_breaker_failure(chain_row_breaker *b, const chain_breaker_rules *r, uint64_t height, uint64_t epoch);

/* The threshold tightens; a second incident of one epoch changes nothing. */
void chain_breaker_incident(chain_row_breaker *b, const chain_breaker_rules *r, uint64_t epoch);

/* The i-th newest failure in the row, i < CHAIN_BREAKER_FAILURES_MAX; 0: none. */
uint64_t chain_breaker_failed(const chain_row_breaker *b, unsigned i);

#endif
