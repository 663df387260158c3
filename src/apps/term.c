/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/term.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

term term_on(FILE *out, bool color)
{
    setlocale(LC_CTYPE, "");
    if (out == stdout)
        setvbuf(out, NULL, _IOLBF, 0); /* into a pipe, too: whoever reads it sees what happens when it happens */
    struct winsize size;
    int fd = fileno(out);
    term t = { .out = out, .live = isatty(fd), .color = color, .utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0, .width = 80 };
    if (t.live && ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40)
        t.width = size.ws_col < 160 ? size.ws_col : 160;
    return t;
}

void term_clear(const term *t)
{
    if (t->live) {
        fputs("\r\033[K", t->out);
        fflush(t->out);
    }
}

void term_progress(const term *t, uint64_t done, uint64_t total, const char *text)
{
    if (!t->live)
        return;
    enum { CELLS = 24 };
    uint64_t filled = total ? (done < total ? done : total) * CELLS / total : 0;
    fputs("\r\033[K      ", t->out);
    for (uint64_t i = 0; i < CELLS; i++)
        fputs(t->utf8 ? (i < filled ? "\u2588" : "\u2591") : (i < filled ? "#" : "."), t->out);
    fprintf(t->out, " %.*s", t->width - 6 - CELLS - 2, text);
    fflush(t->out);
}

/* Mean of the values that fall into column c of `cols`. */
static double column(const double *values, size_t n, size_t c, size_t cols)
{
    size_t from = c * n / cols, to = (c + 1) * n / cols;
    double sum = 0;
    if (to == from)
        to = from + 1;
    for (size_t i = from; i < to; i++)
        sum += values[i];
    return sum / (double)(to - from);
}

void term_chart(const term *t, const double *values, size_t n, int height, const char *unit)
{
    if (n < 2 || height < 2)
        return;
    size_t cols = (size_t)t->width - 16;
    cols = cols > n ? n : cols;
    cols = cols > 120 ? 120 : cols;
    double low = values[0], high = values[0], line[120];
    for (size_t c = 0; c < cols; c++) {
        line[c] = column(values, n, c, cols);
        low = line[c] < low || c == 0 ? line[c] : low;
        high = line[c] > high || c == 0 ? line[c] : high;
    }
    double span = high > low ? high - low : 1;
    for (int row = height - 1; row >= 0; row--) {
        double at = low + span * row / (height - 1);
        fprintf(t->out, "      %7.3f %s", at, t->utf8 ? "\u2524" : "|");
        for (size_t c = 0; c < cols; c++) {
            int level = (int)((line[c] - low) / span * (height - 1) + 0.5);
            fputs(level == row ? (t->utf8 ? "\u2022" : "*") : " ", t->out);
        }
        fputc('\n', t->out);
    }
    fprintf(t->out, "      %7s %s step 1 .. %zu, %s\n", "", t->utf8 ? "\u2514" : "+", n, unit);
}

void term_quote(const term *t, const char *label, const uint8_t *text, size_t len)
{
    fprintf(t->out, "%s\"", label);
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\n')
            fputs(t->utf8 ? "\u23ce" : "/", t->out);
        else
            fputc(text[i] >= 32 && text[i] < 127 ? text[i] : '.', t->out);
    }
    fputs("\"\n", t->out);
}

double term_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
