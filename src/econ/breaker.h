/* SPDX-License-Identifier: Apache-2.0
 *
 * The circuit breaker of disbursements (seed Appendix C; economics.md 1.13, D34; spec/economy.md section 17), in block heights:
 *
 *   closed      admits; the failure_threshold-th failure within window_blocks opens it; a success forgets the failures
 *   open        refuses for open_blocks, then it is half-open
 *   half-open   admits one probe at a time; success_threshold successes in a row close it, any failure opens it again */
#ifndef ECON_BREAKER_H
#define ECON_BREAKER_H

#include "econ/unit.h"

enum { ECON_BREAKER_FAILURES_MAX = 16 };

typedef struct econ_breaker_params {
    uint32_t failure_threshold; /* 5; 1 .. ECON_BREAKER_FAILURES_MAX */
    uint32_t success_threshold; /* 2; at least 1 */
    uint32_t open_blocks;       /* 12 */
    uint32_t window_blocks;     /* 60; at least 1 */
} econ_breaker_params;

typedef enum econ_breaker_state {
    ECON_BREAKER_CLOSED,
    ECON_BREAKER_OPEN,
    ECON_BREAKER_HALF_OPEN,
} econ_breaker_state;

typedef struct econ_breaker { /* all 0 at genesis */
    uint32_t state;     /* econ_breaker_state */
    uint32_t successes; /* of probes, in a row */
    bool     probing;   /* a probe is out */
    uint64_t height;    /* of the last call: heights never fall */
    uint64_t opened_at;
    uint32_t failures;  /* heights kept below, oldest first */
    uint64_t failed_at[ECON_BREAKER_FAILURES_MAX];
} econ_breaker;

/* May a payment be tried at `height`? ERR_BUSY "breaker.open" or "breaker.probe" if not; *next is written in both cases. ERR_RANGE "breaker.height",
 * "breaker.state". What was admitted must be reported before the next call. */
err econ_breaker_admit(econ_breaker *next, const econ_breaker *now, uint64_t height, const econ_breaker_params *p, fault *f) MUST_USE;

/* How an admitted payment ended. ERR_STATE "breaker.report": none was admitted. */
err econ_breaker_report(econ_breaker *next, const econ_breaker *now, uint64_t height, bool success, const econ_breaker_params *p,
                        fault *f) MUST_USE;

#endif
