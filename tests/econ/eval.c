/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers one line per line of "LAW INTEGER...": driven by oracle.py, and by bits_test.sh as other compilers and machines build it. */
#include "laws.h"

#include <stdio.h>

int main(void)
{
    static char line[LAWS_LINE_MAX], out[LAWS_LINE_MAX];
    while (fgets(line, sizeof line, stdin)) {
        if (!laws_answer(out, line)) {
            fprintf(stderr, "econ_eval: not a question: %s", line);
            return 2;
        }
        puts(out);
    }
    return 0;
}
