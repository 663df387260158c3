/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/step_kit.h"
#include "prove/workspace.h"

static void check(const num_shape *shape, uint32_t sequences, uint64_t seed, int finer)
{
    step_kit k;
    buf proof;
    fault f = { 0 };
    pf_report report;
    kit_make(&k, shape, sequences, seed, NULL);
    if (finer)
        kit_finer(&k, finer);
    buf_init(&proof, (size_t)1 << 30);
    err e = pv_prove(k.ws, &k.witness, &proof, &f);
    if (e != OK)
        print_error("prove: %s %s %llu\n", err_describe(e)->name, f.what, (unsigned long long)f.at);
    assert_int_equal(e, OK);
    e = pf_verify(&k.subject, buf_bytes(&proof), &report, &f);
    if (e != OK)
        print_error("verify: %s %s %llu\n", err_describe(e)->name, f.what, (unsigned long long)f.at);
    assert_int_equal(e, OK);
    assert_true(report.soundness.bits >= 100);
    uint64_t most;
    assert_int_equal(pf_proof_bytes_max(&most, &k.witness.y, NULL), OK);
    assert_true(proof.len <= most);
    buf_deinit(&proof);
    kit_drop(&k);
}

static void one_layer(void **state)
{
    (void)state;
    check(&(num_shape){ .vocab = 20, .context = 8, .width = 16, .layers = 1, .heads = 2, .bits = 12, .helper = NUM_NARROW }, 2, 1, 0);
}

static void shapes(void **state)
{
    (void)state;
    const struct { num_shape shape; uint32_t sequences; int finer; } cases[] = {
        { { 5, 1, 3, 1, 1, 12, NUM_NARROW }, 1, 0 },
        { { 40, 20, 48, 2, 3, 12, NUM_NARROW }, 3, 2 },
        { { 7, 3, 15, 3, 5, 10, NUM_NARROW }, 2, 2 },
        { { 300, 33, 24, 1, 2, 8, NUM_NARROW }, 1, 2 },
        { { 73, 64, 64, 2, 2, 12, NUM_NARROW }, 4, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check(&cases[i].shape, cases[i].sequences, i + 1, cases[i].finer);
}

/* Statements that differ from the proved one in one thing. */
static void tampered_statements(void **state)
{
    (void)state;
    const num_shape shape = { 20, 8, 16, 1, 2, 12, NUM_NARROW };
    step_kit k;
    buf proof;
    fault f;
    kit_make(&k, &shape, 2, 1, NULL);
    buf_init(&proof, (size_t)1 << 30);
    assert_int_equal(pv_prove(k.ws, &k.witness, &proof, NULL), OK);
    for (uint32_t t = 0; t < num_tensor_count(&shape); t++) {
        num_tensor_info info = num_tensor_describe(&shape, t);
        uint64_t n = (uint64_t)info.rows * info.cols, at[3] = { 0, n / 2, n - 1 };
        for (int i = 0; i < 3; i++) {
            k.gradient[info.offset + at[i]] ^= 1;
            err e = pf_verify(&k.subject, buf_bytes(&proof), NULL, &f);
            assert_int_equal(e, ERR_UNPROVED);
            k.gradient[info.offset + at[i]] ^= 1;
        }
    }
    k.subject.loss++;
    assert_int_equal(pf_verify(&k.subject, buf_bytes(&proof), NULL, &f), ERR_UNPROVED);
    k.subject.loss--;
    k.subject.step++;
    assert_int_equal(pf_verify(&k.subject, buf_bytes(&proof), NULL, &f), ERR_UNPROVED);
    k.subject.step--;
    for (uint32_t t = 0; t < num_tensor_count(&shape); t++) {
        num_tensor_info info = num_tensor_describe(&shape, t);
        k.model.weights[info.offset] ^= 1;
        assert_int_equal(pf_verify(&k.subject, buf_bytes(&proof), NULL, &f), ERR_UNPROVED);
        k.model.weights[info.offset] ^= 1;
    }
    for (uint32_t i = 0; i < 18; i++) {
        k.tokens[i] ^= 1;
        err e = pf_verify(&k.subject, buf_bytes(&proof), NULL, &f);
        assert_int_equal(e, ERR_UNPROVED);
        k.tokens[i] ^= 1;
    }
    assert_int_equal(pf_verify(&k.subject, buf_bytes(&proof), NULL, &f), OK);
    buf_deinit(&proof);
    kit_drop(&k);
}

/* Bytes of the proof, all over it; truncated; longer. */
static void tampered_proofs(void **state)
{
    (void)state;
    const num_shape shape = { 20, 8, 16, 1, 2, 12, NUM_NARROW };
    step_kit k;
    buf proof;
    kit_make(&k, &shape, 2, 1, NULL);
    buf_init(&proof, (size_t)1 << 30);
    assert_int_equal(pv_prove(k.ws, &k.witness, &proof, NULL), OK);
    size_t rows = 4 + 32, step = proof.len / 97;
    for (size_t at = 0, i = 0; at < proof.len; at += i++ < 40 ? rows / 7 + i * i : step) {
        fault f = { 0 };
        proof.data[at] ^= (uint8_t)(1u << (i % 8));
        err e = pf_verify(&k.subject, buf_bytes(&proof), NULL, &f);
        if (e == OK || !f.what)
            fail_msg("byte %zu altered: %s", at, err_describe(e)->name);
        proof.data[at] ^= (uint8_t)(1u << (i % 8));
    }
    for (size_t len = 0; len < proof.len; len += proof.len / 23)
        assert_int_not_equal(pf_verify(&k.subject, bytes_of(proof.data, len), NULL, NULL), OK);
    assert_int_equal(buf_put(&proof, "", 1), OK);
    assert_int_equal(pf_verify(&k.subject, buf_bytes(&proof), NULL, NULL), ERR_TRAILING);
    buf_deinit(&proof);
    kit_drop(&k);
}

static void same_bytes(void **state)
{
    (void)state;
    const num_shape shape = { 20, 8, 16, 1, 2, 12, NUM_NARROW };
    buf first = { 0 };
    for (unsigned threads = 1; threads <= 3; threads += 2)
        for (fx_isa isa = FX_ISA_PORTABLE; isa < FX_ISA_COUNT; isa++) {
            base_pool *pool;
            step_kit k;
            buf proof;
            if (!fx_isa_available(isa))
                continue;
            fx_isa was = fx_isa_in_use();
            fx_isa_use(isa);
            assert_int_equal(base_pool_new(&pool, threads), OK);
            kit_make(&k, &shape, 2, 1, pool);
            buf_init(&proof, (size_t)1 << 30);
            assert_int_equal(pv_prove(k.ws, &k.witness, &proof, NULL), OK);
            assert_int_equal(pf_verify(&k.subject, buf_bytes(&proof), NULL, NULL), OK);
            kit_drop(&k);
            base_pool_free(pool);
            fx_isa_use(was);
            if (!first.data) {
                first = proof;
                continue;
            }
            assert_int_equal(proof.len, first.len);
            assert_memory_equal(proof.data, first.data, first.len);
            buf_deinit(&proof);
        }
    buf_deinit(&first);
}

static void count_parts(void *ctx, uint32_t done, uint32_t parts)
{
    uint32_t *seen = ctx;
    assert_true(done <= parts);
    seen[0]++;
    seen[1] = parts;
}

static void progress_tells_every_part(void **state)
{
    (void)state;
    const num_shape shape = { 17, 8, 16, 1, 2, 12, NUM_NARROW };
    step_kit k;
    buf      proof;
    uint32_t seen[2] = { 0 };
    kit_make(&k, &shape, 2, 5, NULL);
    pv_workspace_watch(k.ws, count_parts, seen);
    for (uint32_t round = 1; round <= 2; round++) {
        buf_init(&proof, (size_t)1 << 28);
        assert_int_equal(pv_prove(k.ws, &k.witness, &proof, NULL), OK);
        assert_int_equal(seen[0], round * seen[1]);
        buf_deinit(&proof);
    }
    assert_true(pv_workspace_bytes(k.ws) > 0);
    kit_drop(&k);
}

/* What is kept from one pass for another, and when arrays of field elements are made, is a matter of memory alone; and what an earlier proof left in it
 * does not matter. */
static void little_memory(void **state)
{
    (void)state;
    const num_shape shape = { 20, 8, 16, 1, 2, 12, NUM_NARROW };
    step_kit k;
    buf first = { 0 };
    kit_make(&k, &shape, 2, 1, NULL);
    const uint64_t usual = k.ws->scratch[0].dense_max, dense[] = { usual, 0, sizeof(fxv) << 4, sizeof(fxv) << 6, usual };
    for (size_t i = 0; i < COUNT_OF(dense); i++) {
        buf proof;
        k.ws->scratch[0].dense_max = dense[i];
        k.ws->symbols_max = i % 2 ? 0 : UINT64_MAX;
        buf_init(&proof, (size_t)1 << 30);
        assert_int_equal(pv_prove(k.ws, &k.witness, &proof, NULL), OK);
        if (i == 0) {
            first = proof;
            continue;
        }
        assert_int_equal(proof.len, first.len);
        assert_memory_equal(proof.data, first.data, first.len);
        buf_deinit(&proof);
    }
    buf_deinit(&first);
    kit_drop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(one_layer), cmocka_unit_test(shapes), cmocka_unit_test(tampered_statements),
                                        cmocka_unit_test(tampered_proofs), cmocka_unit_test(same_bytes), cmocka_unit_test(little_memory),
                                        cmocka_unit_test(progress_tells_every_part) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
