/* SPDX-License-Identifier: Apache-2.0
 *
 * Proofs of RANGE (spec/proof.md section 14): every check that a step can fail, and what is none of them. Cheats: range_cheats_test.c. */
#include "prove/range_kit.h"

static err prove(step_kit *k, buf *proof)
{
    fault f = { 0 };
    buf_init(proof, (size_t)1 << 26);
    err e = pv_prove(k->ws, &k->witness, proof, &f);
    if (e != OK)
        print_error("prove: %s %s %llu\n", err_describe(e)->name, f.what, (unsigned long long)f.at);
    return e;
}

static void accepted(step_kit *k)
{
    buf proof;
    fault f = { 0 };
    pf_report report;
    uint64_t most;
    assert_int_equal(prove(k, &proof), OK);
    err e = pf_verify(&k->subject, buf_bytes(&proof), &report, &f);
    if (e != OK)
        fail_msg("layer %u slot %u: %s %s %llu", k->result.tensor / 64, k->result.tensor % 64, err_describe(e)->name, f.what, (unsigned long long)f.at);
    assert_true(report.soundness.bits >= 100);
    assert_int_equal(pf_proof_bytes_max(&most, &k->witness.y, NULL), OK);
    assert_true(proof.len <= most);
    pf_layout whole; /* a coordinator knows the bound before it knows the result */
    assert_int_equal(pf_layout_init(&whole, &k->subject.shape, &k->subject.fractions, k->subject.sequences, PF_NONE, NULL), OK);
    assert_int_equal(pf_proof_bytes_max(&most, &whole, NULL), OK);
    assert_true(proof.len <= most);
    pf_layout_deinit(&whole);
    buf_deinit(&proof);
}

static void every_check(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(range_cases); i++) {
        step_kit k;
        range_make(&k, &range_cases[i]);
        accepted(&k);
        kit_drop(&k);
    }
}

/* Each fraction too fine in turn, where no dimension is a power of two, and where rows are longer than a block. */
static void shapes(void **state)
{
    (void)state;
    const struct { num_shape shape; uint32_t sequences; } cases[] = {
        { { 7, 3, 15, 3, 5, 10, NUM_NARROW }, 3 }, { { 5, 1, 3, 1, 1, 12, NUM_NARROW }, 1 }, { { 300, 9, 24, 1, 2, 8, NUM_NARROW }, 2 },
    };
    uint32_t proved = 0;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (int n = 0; n < 2 * (RK_LAYER + 6); n++) {
            int which = n / 2, by = n % 2 ? 6 : 8;
            step_kit k;
            pf_layout y;
            kit_begin(&k, &cases[i].shape, cases[i].sequences, i + 1);
            assert_int_equal(pv_workspace_new(&k.ws, NULL), OK);
            int8_t *at = which < RK_LAYER ? (int8_t *)&k.fractions.layer[cases[i].shape.layers - 1] + which : (int8_t *)&k.fractions.top + (which - RK_LAYER);
            *at = (int8_t)(*at + by);
            bool admitted = num_fractions_check(&k.fractions, &cases[i].shape, NULL) == OK;
            if (admitted) {
                admitted = pf_layout_init(&y, &cases[i].shape, &k.fractions, cases[i].sequences, PF_NONE, NULL) == OK;
                pf_layout_deinit(&y);
            }
            if (admitted) {
                kit_publish(&k);
                range_step(&k);
                if (k.result.range) {
                    accepted(&k);
                    proved++;
                }
            }
            kit_drop(&k);
        }
    print_message("%u checks\n", proved);
    assert_true(proved > 20);
}

/* Sums of squares: b1 and b2 of both layers are the same for all features, and as large as they can be. */
static void sum_of_squares(void **state)
{
    (void)state;
    const num_shape shape = { 5, 2, 256, 2, 1, 12, NUM_NARROW };
    step_kit k;
    kit_begin(&k, &shape, 1, 1);
    assert_int_equal(pv_workspace_new(&k.ws, NULL), OK);
    int16_t *weights = range_weights(&k);
    for (uint32_t l = 0; l < shape.layers; l++) {
        const uint32_t which[] = { NUM_W_O, NUM_W_2 };
        for (size_t n = 0; n < COUNT_OF(which); n++) {
            num_tensor_info t = num_tensor_describe(&shape, num_tensor_of_layer(l, which[n]));
            for (size_t i = 0; i < (size_t)t.rows * t.cols; i++)
                weights[t.offset + i] = weights[t.offset + i - i % t.cols] > 0 ? 2047 : -2047;
        }
        k.fractions.layer[l].wo = (int8_t)(10 - k.fractions.layer[l].o); /* shift 0 */
        k.fractions.layer[l].w2 = (int8_t)(10 - k.fractions.layer[l].g);
    }
    uint32_t slot = NUM_B1;
    for (int i = 0; i < 100 && (slot == NUM_B1 || slot == NUM_B2); i++) {
        range_publish(&k, weights);
        pv_witness_deinit(&k.witness);
        kit_compute(&k, NULL);
        assert_true(k.result.range);
        slot = k.result.tensor % 64;
        num_layer_fractions *f = &k.fractions.layer[k.result.tensor / 64 % shape.layers];
        f->wo = (int8_t)(f->wo + (slot == NUM_B1));
        f->w2 = (int8_t)(f->w2 + (slot == NUM_B2));
    }
    assert_int_equal(k.result.tensor, NUM_TENSOR_ID(2, NUM_R1));
    assert_int_equal(pv_witness_finish(&k.witness, NULL), OK);
    accepted(&k);
    free(weights);
    kit_drop(&k);
}

/* m: y of a tiny x, with fraction 0. */
static void mean_product(void **state)
{
    (void)state;
    const num_shape shape = { 5, 8, 3, 1, 1, 12, NUM_NARROW };
    step_kit k;
    uint64_t seed = 1;
    kit_begin(&k, &shape, 1, seed);
    assert_int_equal(pv_workspace_new(&k.ws, NULL), OK);
    int16_t *weights = range_weights(&k);
    for (uint32_t t = 0; t < 2; t++) {
        num_tensor_info x = num_tensor_describe(&shape, t);
        for (size_t i = 0; i < (size_t)x.rows * x.cols; i++)
            weights[x.offset + i] = (int16_t)(t ? 0 : kit_random(&seed) % 2 ? 2 : -2);
    }
    k.fractions.top.e = k.fractions.top.p = 10;
    num_layer_fractions *f = &k.fractions.layer[0];
    f->y1 = 0;
    f->q = f->k = f->v = f->o = f->wqkv;
    while (num_fractions_check(&k.fractions, &shape, NULL) != OK)
        f->wo++;
    f->dn1 = (int8_t)(f->dn1 + 6);
    uint32_t id = NUM_TENSOR_ID(0, NUM_DN1);
    int8_t *gx = &k.fractions.top.gx;
    for (int i = 0; i < 100 && id != NUM_TENSOR_ID(0, NUM_M1); i++) {
        range_publish(&k, weights);
        pv_witness_deinit(&k.witness);
        kit_compute(&k, NULL);
        assert_true(k.result.range);
        id = k.result.tensor;
        int8_t *const finer[NUM_SLOT_COUNT] = { [NUM_DV] = &f->dv, [NUM_DS] = &f->ds, [NUM_DQ] = &f->dq, [NUM_DK] = &f->dk, [NUM_DP] = &f->dp,
                                                [NUM_DN1] = &f->dn1, [NUM_DX1] = gx, [NUM_DX2] = gx };
        if (finer[id % 64])
            --*finer[id % 64];
    }
    assert_int_equal(k.result.tensor, NUM_TENSOR_ID(0, NUM_M1));
    assert_int_equal(pv_witness_finish(&k.witness, NULL), OK);
    accepted(&k);
    free(weights);
    kit_drop(&k);
}

/* Of the tensor that fails first any element that fails will do, and no other. */
static void elements_of_the_tensor(void **state)
{
    (void)state;
    uint32_t seen = 0;
    for (size_t i = 0; i < COUNT_OF(range_cases); i += 3) {
        step_kit k;
        uint32_t failing = 0, fine = 0;
        range_make(&k, &range_cases[i]);
        assert_int_equal(pf_rows_derive(&k.witness.rows, &k.witness.y, &k.subject, NULL), OK);
        num_trace_tensor t;
        assert_int_equal(num_trace_find(&t, NULL, &range_shape, k.result.tensor), OK);
        for (uint32_t q = 0; q < RANGE_SEQUENCES; q++)
            for (uint64_t at = 0; at < (uint64_t)t.rows * t.cols; at += 1 + at % 7) {
                fault f = { 0 };
                uint32_t head_row = (uint32_t)(at / t.cols) % range_shape.context;
                bool masked = (k.result.tensor % 64 == NUM_ZZ || k.result.tensor % 64 == NUM_DS) && at % t.cols > head_row;
                k.subject.result.sequence = k.numbers[q];
                k.subject.result.index = at;
                err e = pv_witness_finish(&k.witness, &f);
                assert_int_equal(e, masked ? ERR_UNPROVED : OK);
                if (masked)
                    continue;
                e = pf_rows_derive(&k.witness.rows, &k.witness.y, &k.subject, &f);
                assert_true(e == OK || e == ERR_UNPROVED);
                failing += e == OK;
                fine += e != OK;
                if (e == OK && failing <= 2)
                    accepted(&k);
            }
        seen += failing;
        assert_true(fine > 0);
        kit_drop(&k);
    }
    assert_true(seen > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(every_check), cmocka_unit_test(shapes), cmocka_unit_test(sum_of_squares), cmocka_unit_test(mean_product),
                                        cmocka_unit_test(elements_of_the_tensor) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
