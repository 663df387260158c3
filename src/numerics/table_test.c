/* SPDX-License-Identifier: Apache-2.0 */
#include "numerics/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>

static num_const constants(uint32_t bits, uint32_t helper)
{
    num_const c;
    num_shape s = { 73, 64, 128, 4, 4, bits, helper };
    assert_int_equal(num_const_of(&c, &s, NULL), OK);
    return c;
}

/* round_near() aborts if an entry's rounding is not settled by the error bound. Every point of both grids under every
 * admitted output fraction passes it, so no model can reach that abort: a model's entries are a part of these (a smaller
 * f_h reads a part of the grid, a smaller Q saturates more). */
static void every_rounding_is_settled(void **state)
{
    (void)state;
    for (uint32_t helper = NUM_NARROW; helper <= NUM_WIDE; helper++) {
        num_const c = constants(helper == NUM_WIDE ? 16 : 12, helper);
        num_normal *grid = calloc(num_normal_len(&c), sizeof *grid);
        int32_t *table = calloc(num_table_len(&c), sizeof *table);
        num_normal_fill(grid, &c);
        c.d_t = (int64_t)num_normal_len(&c); /* all of the grid and nothing else */
        for (int f_g = -32; f_g <= 62; f_g++)
            num_table_gelu(table, &c, grid, c.f_h_max, f_g, INT32_MAX);
        num_table_gelu_slope(table, &c, grid, c.f_h_max);
        free(table);
        free(grid);
    }
    for (uint32_t bits = 8; bits <= 16; bits += 2)
        for (uint32_t helper = bits > 12; helper <= NUM_WIDE; helper++) {
            num_const c = constants(bits, helper);
            int32_t *table = calloc(num_table_len(&c), sizeof *table);
            num_table_exp(table, &c);
            assert_int_equal(table[0], c.q_max);
            assert_int_equal(table[(size_t)1 << c.f_z], (c.q_max + 1) / 2); /* a tie: up */
            num_table_exp_loss(table, &c);
            assert_int_equal(table[0], c.q_l);
            free(table);
        }
}

static void tails_of_gelu(void **state)
{
    (void)state;
    num_const c = constants(12, NUM_NARROW);
    const struct {
        int     f_h, f_g;
        int64_t h;
        int32_t want;
    } rows[] = {
        { 8, 7, 32767, 2047 },      /* saturated */
        { 8, 4, 11 * 256 + 8, 176 }, /* x = 11 + 1/32 is a tie at fraction 4, the value lies just below it */
        { 8, 4, 11 * 256 + 9, 177 },
        { 8, 4, 11 * 256 + 24, 177 }, /* the next tie */
        { 8, 62, -11 * 256, 0 },    { 8, -32, 32767, 0 },   { -32, -32, 1, 1 },         { -32, -32, 2048, 2047 },
        { -32, 62, 1, 2047 },       { -32, 62, -1, 0 },     { -32, -33 + 1, 0, 0 },     { 0, 0, 20, 20 },
        { 0, -1, 21, 10 },          { 0, -1, 23, 11 },      { 8, 8, 0, 0 },             { 8, 8, 256, 215 },
        { 8, 8, -256, -41 },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(num_gelu_at(&c, rows[i].f_h, rows[i].f_g, rows[i].h), rows[i].want);
    assert_int_equal(num_gelu_slope_at(&c, 8, 0), 512);
    assert_int_equal(num_gelu_slope_at(&c, 8, 32767), 1024);
    assert_int_equal(num_gelu_slope_at(&c, 8, -32767), 0);
}

static void single_entries_are_those_of_the_tables(void **state)
{
    (void)state;
    const struct {
        uint32_t bits, helper;
        int      f_h, f_g, stride;
    } cases[] = { { 12, NUM_NARROW, 8, 10, 37 }, { 8, NUM_NARROW, 5, 6, 41 }, { 16, NUM_WIDE, 12, 14, 1009 }, { 14, NUM_WIDE, 3, 40, 997 } };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        num_const c = constants(cases[i].bits, cases[i].helper);
        size_t len = num_table_len(&c), step = (size_t)cases[i].stride;
        num_normal *grid = calloc(num_normal_len(&c), sizeof *grid);
        int32_t *table = calloc(len, sizeof *table);
        num_normal_fill(grid, &c);
        num_table_exp(table, &c);
        for (size_t k = 0; k < len; k += k < 40000 ? step : 4999)
            assert_int_equal(num_exp_at(&c, (int64_t)k), table[k]);
        num_table_exp_loss(table, &c);
        for (size_t k = 0; k < len; k += k < 40000 ? step : 4999)
            assert_int_equal(num_exp_loss_at(&c, (int64_t)k), table[k]);
        num_table_gelu(table, &c, grid, cases[i].f_h, cases[i].f_g, c.q_max);
        for (size_t k = 0; k < len; k += step)
            assert_int_equal(num_gelu_at(&c, cases[i].f_h, cases[i].f_g, (int64_t)k - c.d_t), table[k]);
        num_table_gelu_slope(table, &c, grid, cases[i].f_h);
        for (size_t k = 0; k < len; k += step)
            assert_int_equal(num_gelu_slope_at(&c, cases[i].f_h, (int64_t)k - c.d_t), table[k]);
        free(table);
        free(grid);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rounding_is_settled),
        cmocka_unit_test(tails_of_gelu),
        cmocka_unit_test(single_entries_are_those_of_the_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
