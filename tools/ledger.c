/* SPDX-License-Identifier: Apache-2.0
 *
 * Prints the no-wrap ledger, and fails the build if a listed shape leaves it.
 *   ledger check                              the listed shapes; names the first relation that does not fit
 *   ledger table V T d L H w helper           the rows of one shape, as "relation<TAB>largest value<TAB>bound" */
#include "numerics/ledger.h"

#include <stdio.h>
#include <stdlib.h>

/* What the product offers at levels `linear` and `full`, each at w = 8, 10, 12. */
static const num_shape listed[] = {
    { .vocab = 256, .context = 64, .width = 64, .layers = 4, .heads = 2 },
    { .vocab = 256, .context = 256, .width = 128, .layers = 4, .heads = 4 },
    { .vocab = 256, .context = 256, .width = 256, .layers = 6, .heads = 8 },
    { .vocab = 50257, .context = 1024, .width = 512, .layers = 8, .heads = 8 },
    { .vocab = 50257, .context = 1024, .width = 768, .layers = 12, .heads = 12 },
    { .vocab = 50257, .context = 1024, .width = 1024, .layers = 24, .heads = 16 },
    { .vocab = 50257, .context = 2048, .width = 2048, .layers = 24, .heads = 16 },
    { .vocab = 50257, .context = 2048, .width = 4096, .layers = 32, .heads = 32 },
};

static int check(void)
{
    for (size_t i = 0; i < COUNT_OF(listed); i++)
        for (uint32_t bits = 8; bits <= 12; bits += 2) {
            num_shape s = listed[i];
            fault f = { 0 };
            s.bits = bits;
            if (num_ledger_check(NULL, &s, NUM_LEDGER_FIELD, &f) != OK) {
                fprintf(stderr, "ledger: width %u at %u bits: %s: %s\n", s.width, bits, f.what, err_describe(f.code)->text);
                return 1;
            }
        }
    return 0;
}

static void print_u128(u128 v)
{
    char digits[40];
    size_t at = sizeof digits;
    digits[--at] = 0;
    do
        digits[--at] = (char)('0' + (int)(v % 10));
    while ((v /= 10) != 0);
    fputs(digits + at, stdout);
}

static int table(char **a)
{
    uint32_t v[7];
    for (int i = 0; i < 7; i++)
        v[i] = (uint32_t)strtoul(a[i], NULL, 10);
    num_shape s = { v[0], v[1], v[2], v[3], v[4], v[5], v[6] };
    num_ledger_row rows[NUM_LEDGER_ROWS];
    fault f = { 0 };
    err e = num_ledger_check(rows, &s, NUM_LEDGER_FIELD, &f);
    if (e != OK && e != ERR_LEDGER) {
        fprintf(stderr, "ledger: %s: %s\n", f.what, err_describe(e)->text);
        return 2;
    }
    for (size_t i = 0; i < NUM_LEDGER_ROWS; i++) {
        printf("%s\t", rows[i].relation);
        print_u128(rows[i].most);
        puts(rows[i].word_only ? "\t2^62" : "\tp/2");
    }
    if (e != OK)
        printf("does not fit: %s\n", f.what);
    return e == OK ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "check") == 0)
        return check();
    if (argc == 9 && strcmp(argv[1], "table") == 0)
        return table(argv + 2);
    fputs("usage: ledger check | ledger table V T d L H w helper\n", stderr);
    return 2;
}
