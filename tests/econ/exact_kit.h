/* SPDX-License-Identifier: Apache-2.0
 *
 * What the comparisons with exact rationals share: seeded draws, and the largest errors seen on either side. */
#ifndef TESTS_ECON_EXACT_KIT_H
#define TESTS_ECON_EXACT_KIT_H

#include "rational.h"

#define EACH_INPUT for (uint32_t input = 0; input < inputs; input++)

extern uint32_t inputs; /* of each comparison: 10^6, or the program's argument */

void exact_start(int argc, char **argv);

uint64_t bits64(void);

/* low .. high: uniform, or small, or an end. */
uint64_t draw(uint64_t low, uint64_t high);
uint32_t draw32(uint32_t low, uint32_t high);
q32      draw_q32(q32 low, q32 high);

typedef struct seen {
    double below, above; /* in steps of the result: 2^-32 for a q32, 1 for an amount */
} seen;

void note(seen *s, double off);

/* What was seen lies strictly between; prints it. */
void must_hold(const char *what, const seen *s, double below, double above);

#endif
