/* SPDX-License-Identifier: Apache-2.0
 *
 * Shows what src/numerics computes, so that the oracles beside this file can compare. `dump table NAME W HELPER [F_H [F_G]]`
 * writes a table as little-endian int32, `dump hash ...` its BLAKE3; `dump eval` answers one line per line of "FUNCTION ARGUMENTS". */
#include "numerics/data.h"
#include "numerics/dither.h"
#include "numerics/table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static int table(int argc, char **argv)
{
    int f_h = argc > 5 ? atoi(argv[5]) : 0, f_g = argc > 6 ? atoi(argv[6]) : 0;
    num_const c;
    num_shape s = { 73, 64, 128, 4, 4, (uint32_t)atoi(argv[3]), (uint32_t)atoi(argv[4]) };
    if (num_const_of(&c, &s, NULL) != OK)
        return 2;
    int32_t *out = malloc(num_table_len(&c) * sizeof *out);
    num_normal *grid = malloc(num_normal_len(&c) * sizeof *grid);
    if (!out || !grid)
        return 1;
    if (strcmp(argv[2], "EXP") == 0) {
        num_table_exp(out, &c);
    } else if (strcmp(argv[2], "EXPL") == 0) {
        num_table_exp_loss(out, &c);
    } else {
        num_normal_fill(grid, &c);
        if (strcmp(argv[2], "GELU") == 0)
            num_table_gelu(out, &c, grid, f_h, f_g, c.q_max);
        else
            num_table_gelu_slope(out, &c, grid, f_h);
    }
    size_t n = num_table_len(&c);
    if (strcmp(argv[1], "hash") == 0) {
        char hex[65];
        cr_blake3 h;
        cr_blake3_init(&h);
        num_table_hash_add(&h, out, n);
        hash256 hash = cr_blake3_final(&h);
        base_hex_encode(hex, hash.b, sizeof hash.b);
        puts(hex);
    } else {
        n = fwrite(out, sizeof *out, n, stdout);
    }
    free(grid);
    free(out);
    return n == num_table_len(&c) ? 0 : 1;
}

typedef struct call {
    char    name[16];
    int64_t a[6];
    hash256 h;
} call;

static void eval(const call *k)
{
    const int64_t *a = k->a;
    if (strcmp(k->name, "cos30") == 0) {
        printf("%" PRId64 "\n", num_cos30((uint64_t)a[0]));
    } else if (strcmp(k->name, "ilog2") == 0) {
        printf("%" PRId64 "\n", num_ilog2((uint64_t)a[0]));
    } else if (strcmp(k->name, "isqrt") == 0) {
        printf("%" PRIu64 "\n", num_isqrt((u128)(uint64_t)a[0] << a[1]));
    } else if (strcmp(k->name, "norm_r") == 0) {
        printf("%" PRId64 "\n", num_norm_r((uint64_t)a[0], (uint32_t)a[1], (int)a[2], (int)a[3]));
    } else if (strcmp(k->name, "norm_m") == 0) {
        printf("%" PRId64 "\n", num_norm_m(a[0], a[1], (uint32_t)a[2], (int)a[3]));
    } else if (strcmp(k->name, "rate") == 0) {
        printf("%d\n", num_learning_rate((int32_t)a[0], (uint64_t)a[1], (uint64_t)a[2], (uint64_t)a[3]));
    } else if (strcmp(k->name, "gradient") == 0) {
        printf("%" PRId64 "\n", num_adam_gradient(a[0], (int)a[1], (uint64_t)a[2]));
    } else if (strcmp(k->name, "adam") == 0) { /* w m v g rate step */
        num_adam s = { (int32_t)a[0], a[1], a[2] };
        uint64_t p1 = (uint64_t)1 << 32, p2 = p1;
        for (int64_t i = 0; i <= a[5]; i++)
            num_adam_powers(&p1, &p2);
        num_adam_step(&s, a[3], (int32_t)a[4], ((uint64_t)1 << 32) - p1, ((uint64_t)1 << 32) - p2);
        printf("%d %" PRId64 " %" PRId64 "\n", s.w, s.m, s.v);
    } else if (strcmp(k->name, "window") == 0) {
        printf("%" PRIu64 "\n", num_window_of_sequence(&k->h, (uint64_t)a[0], (uint64_t)a[1]));
    } else if (strcmp(k->name, "calibrates") == 0) {
        printf("%d\n", num_calibrates((uint64_t)a[0]));
    } else if (strcmp(k->name, "calibration") == 0) {
        uint64_t out[NUM_CALIBRATION_SEQUENCES];
        uint32_t n = num_calibration_sequences(out, &k->h, (uint64_t)a[0], (uint32_t)a[1], (uint64_t)a[2]);
        for (uint32_t i = 0; i < n; i++)
            printf("%s%" PRIu64, i ? " " : "", out[i]);
        printf("\n");
    } else if (strcmp(k->name, "row") == 0) {
        uint64_t words[64];
        num_dither_rows(words, 64, &k->h, (uint32_t)a[0], (uint64_t)a[1]);
        printf("%" PRIu64 " %" PRIu64 "\n", num_dither_row(&k->h, (uint32_t)a[0], (uint64_t)a[1], (uint64_t)a[2]), words[a[2] % 64]);
    } else if (strcmp(k->name, "col") == 0) {
        uint64_t words[64];
        num_dither_cols(words, 64, &k->h, (uint32_t)a[0]);
        printf("%" PRIu64 " %" PRIu64 "\n", num_dither_col(&k->h, (uint32_t)a[0], (uint64_t)a[1]), words[a[1] % 64]);
    } else if (strcmp(k->name, "init") == 0) { /* seed tensor element; V 40, T 20, d 48, L 2, H 3 */
        static int32_t out[48 * 192];
        num_shape s = { 40, 20, 48, 2, 3, 12, 0 };
        num_init_tensor(out, &s, (uint32_t)a[1], (uint64_t)a[0]);
        printf("%d\n", out[a[2]]);
    } else {
        printf("?\n");
    }
}

/* "name hash a0 a1 ..."; the hash is 64 hex digits or "-". */
static int eval_lines(void)
{
    char line[512];
    while (fgets(line, sizeof line, stdin)) {
        call k = { 0 };
        char hex[65];
        int used = 0;
        if (sscanf(line, "%15s %64s%n", k.name, hex, &used) != 2)
            return 2;
        if (hex[0] != '-' && base_hex_decode(k.h.b, sizeof k.h.b, hex) != OK)
            return 2;
        char *at = line + used;
        for (size_t i = 0; i < COUNT_OF(k.a); i++)
            k.a[i] = (int64_t)(at[strspn(at, " ")] == '-' ? (uint64_t)strtoll(at, &at, 10) : strtoull(at, &at, 10));
        eval(&k);
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc >= 5 && (strcmp(argv[1], "table") == 0 || strcmp(argv[1], "hash") == 0))
        return table(argc, argv);
    if (argc == 2 && strcmp(argv[1], "eval") == 0)
        return eval_lines();
    return 2;
}
