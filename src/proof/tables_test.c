/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables at a point against the sum over all entries, read literally from spec/proof.md section 7. */
#include "proof/tables.h"

#include "proof/eq.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>

enum { LAYERS = 2, MOST = 70000, BITS_MAX = 19 };

static uint64_t draw(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 20;
}

static fx draw_fx(uint64_t *seed)
{
    return (fx){ { fp_from_u64(draw(seed)), fp_from_u64(draw(seed)), fp_from_u64(draw(seed)) } };
}

static int32_t *draw_values(uint64_t *seed)
{
    int32_t *v = malloc(MOST * sizeof *v);
    assert_non_null(v);
    for (size_t i = 0; i < MOST; i++)
        v[i] = (int32_t)(draw(seed) % 65536) - 32768;
    return v;
}

static fx literally(const pf_layout *y, const pf_tables *tables, const fx *point, fx gamma)
{
    unsigned bits = y->instances[0].bits;
    fx g2 = fx_mul(gamma, gamma), g3 = fx_mul(g2, gamma), sum = FX_ZERO;
    for (uint32_t i = 0; i < y->table_count; i++) {
        const pf_table *t = &y->tables[i];
        for (uint32_t k = 0; k < t->n; k++) {
            int32_t second = t->part == PF_PART_EXP ? tables->exp[k] : t->part == PF_PART_EXPL ? tables->exp_loss[k] :
                             t->part == PF_PART_GELU ? tables->gelu[t->layer][k] : 0;
            int32_t third = t->part == PF_PART_GELU ? tables->slope[t->layer][k] : 0;
            fx print = fx_add(fx_from_i64(k), fx_mul_fp(gamma, fp_from_u64(t->tag)));
            print = fx_add(print, fx_add(fx_mul(g2, fx_from_i64(second)), fx_mul(g3, fx_from_i64(third))));
            sum = fx_add(sum, fx_mul(pf_eq_at(point, bits, t->first + k), print));
        }
    }
    return sum;
}

/* Tables of these sizes one after the other, GELU for the last two, in the least number of variables or more. */
typedef struct sizes {
    uint32_t count, n[6];
    unsigned more_bits;
} sizes;

static void check_sizes(const sizes *c, const pf_tables *tables, uint64_t *seed)
{
    static const pf_part parts[] = { PF_PART_CELL, PF_PART_CELL, PF_PART_EXP, PF_PART_EXPL, PF_PART_GELU, PF_PART_GELU };
    pf_table    table[COUNT_OF(parts)];
    pf_instance last = { .kind = PF_TABLE };
    pf_layout   y = { .instances = &last, .instance_count = 1, .tables = table };
    fx          point[BITS_MAX + 1], gamma = draw_fx(seed), sum;
    for (uint32_t i = 0; i < c->count; i++, y.table_count++) {
        size_t from = COUNT_OF(parts) - c->count + i;
        table[i] = (pf_table){ draw(seed) % (1 << 21), parts[from], c->n[i], parts[from] == PF_PART_GELU ? (uint32_t)from - 4 : 0, y.entries };
        y.entries += c->n[i];
    }
    last.bits = pf_log2_up(y.entries) + c->more_bits;
    assert_true(last.bits <= BITS_MAX);
    for (unsigned b = 0; b < last.bits; b++)
        point[b] = draw_fx(seed);
    assert_int_equal(pf_tables_evaluate(&sum, &y, tables, point, gamma, NULL), OK);
    assert_true(fx_equal(sum, literally(&y, tables, point, gamma)));
}

static void tables_are_the_sum_of_their_entries(void **state)
{
    (void)state;
    static const sizes cases[] = {
        { 1, { 1 }, 0 },
        { 1, { 2 }, 1 },
        { 2, { 3, 5 }, 0 },                               /* below a run */
        { 2, { 1024, 1024 }, 0 },                         /* whole runs, all of the variables' range */
        { 6, { 3, 1021, 1024, 2048, 1, 1023 }, 0 },       /* aligned by chance, less than what is left of a run */
        { 6, { 513, 511, 7, 2000, 3001, 4097 }, 1 },      /* never aligned */
        { 6, { 4095, 65536, 65535, 65535, 65535, 65535 }, 0 },
    };
    uint64_t  seed = 1;
    int32_t  *values[2 + 2 * LAYERS];
    for (size_t i = 0; i < COUNT_OF(values); i++)
        values[i] = draw_values(&seed);
    const int32_t *gelu[LAYERS] = { values[2], values[3] }, *slope[LAYERS] = { values[4], values[5] };
    const pf_tables tables = { values[0], values[1], gelu, slope };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        check_sizes(&cases[i], &tables, &seed);
    for (size_t i = 0; i < COUNT_OF(values); i++)
        free(values[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(tables_are_the_sum_of_their_entries) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
