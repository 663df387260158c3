/* SPDX-License-Identifier: Apache-2.0
 *
 * What a terminal shows: a progress line, a loss curve, text samples. Plain lines where there is no terminal. */
#ifndef APPS_TERM_H
#define APPS_TERM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct term {
    FILE *out;
    bool  live;    /* a terminal: lines can be rewritten */
    bool  color, utf8;
    int   width;
} term;

/* Before anything was written to `out`: standard output is flushed line by line from then on. */
term term_on(FILE *out, bool color);

/* Rewrites the current line (on a terminal; else nothing) with a bar of done / total and `text`. */
void term_progress(const term *t, uint64_t done, uint64_t total, const char *text);
void term_clear(const term *t);

/* A line chart of n values, height lines high, `left` values at the axis in units of `unit`. */
void term_chart(const term *t, const double *values, size_t n, int height, const char *unit);

/* Prints bytes as quoted text: control characters as dots, line breaks as a return sign. */
void term_quote(const term *t, const char *label, const uint8_t *text, size_t len);

double term_now(void); /* seconds, monotonic */

#endif
