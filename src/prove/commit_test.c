/* SPDX-License-Identifier: Apache-2.0
 *
 * Against tools/vectors/commitment.py: code, columns, tree, transcript and opening, written a second time from the spec. */
#include "prove/commit.h"

#include "crypto/sha256.h"
#include "prove/commit_vectors_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>

static void formula(void *ctx, int16_t *out, size_t stride, uint64_t row, size_t n)
{
    size_t M = (size_t)1 << *(const unsigned *)ctx;
    for (size_t k = 0; k < n; k++)
        for (size_t j = 0; j < M; j++)
            out[k * stride + j] = (int16_t)(uint16_t)((((row + k) * M + j) * 40503 + 12345 + 32768) % 65536);
}

static void assert_hex(hash256 got, const char *want)
{
    char hex[65];
    base_hex_encode(hex, got.b, 32);
    assert_string_equal(hex, want);
}

static void one_vector(size_t v, bool keep, base_pool *pool)
{
    pf_geometry   g = { commit_vectors[v].m, commit_vectors[v].rows };
    pv_cells      cells = { &g.m, formula };
    pv_commitment c;
    size_t        M = (size_t)1 << g.m;
    fxv          *weights = fxv_alloc((size_t)g.rows), *row_weights = fxv_alloc((size_t)g.rows), *factors = fxv_alloc(M);
    fx            chi, value = { { fp_from_u64(commit_vectors[v].value[0]), fp_from_u64(commit_vectors[v].value[1]),
                                   fp_from_u64(commit_vectors[v].value[2]) } };
    assert_true(weights && row_weights && factors);
    fp *room = keep ? aligned_alloc(64, pv_symbols_bytes(&g)) : NULL;
    assert_true(room || !keep);
    assert_int_equal(pv_commit(&c, &g, &cells, room, pool), OK);
    assert_ptr_equal(c.symbols, room);
    assert_hex(*pv_commitment_root(&c), commit_vectors[v].root);
    pv_writer w;
    buf_init(&w.out, 1 << 20);
    pf_start(&w.t, 1);
    pf_absorb(&w.t, "commitment", BYTES_OF(*pv_commitment_root(&c)));
    pf_open_weights(&w.t, &chi, weights, g.rows);
    for (size_t i = 0; i < g.rows; i++)
        fxv_set(row_weights, i, fx_mul_fp(chi, fp_from_u64(i + 1)));
    for (size_t j = 0; j < M; j++)
        fxv_set(factors, j, (fx){ { fp_from_u64(j + 1), fp_from_u64(j), fp_from_u64(7) } });
    pf_transcript t = w.t;
    assert_int_equal(pv_open(&w, &c, &cells, weights, row_weights, pool), OK);
    assert_int_equal(w.out.len, commit_vectors[v].proof_bytes);
    assert_hex(cr_sha256(buf_bytes(&w.out)), commit_vectors[v].proof_sha256);
    pf_reader     r = { .in = buf_bytes(&w.out) };
    pf_open_claim claim = { weights, row_weights, factors, value };
    assert_int_equal(pf_open_verify(&r, &t, pv_commitment_root(&c), &g, &claim), OK);
    assert_int_equal(pf_read_end(&r), OK);
    assert_true(hash256_equal(&t.state, &w.t.state));
    buf_deinit(&w.out);
    pv_commitment_deinit(&c);
    free(weights);
    free(row_weights);
    free(factors);
    free(room);
}

static void vectors(void **state)
{
    (void)state;
    base_pool *pool;
    fx_isa     was = fx_isa_in_use();
    assert_int_equal(base_pool_new(&pool, 3), OK);
    for (fx_isa isa = FX_ISA_PORTABLE; isa < FX_ISA_COUNT; isa++)
        if (fx_isa_available(isa)) {
            fx_isa_use(isa);
            for (size_t v = 0; v < COUNT_OF(commit_vectors); v++) {
                one_vector(v, false, NULL);
                one_vector(v, false, pool);
                one_vector(v, true, NULL);
                one_vector(v, true, pool);
            }
        }
    fx_isa_use(was);
    base_pool_free(pool);
}

/* A bound on the proof's size is an error, not an overflow. */
static void a_full_buffer_is_an_error(void **state)
{
    (void)state;
    pf_geometry   g = { 4, 20 };
    pv_cells      cells = { &g.m, formula };
    pv_commitment c;
    fxv          *weights = fxv_alloc(20);
    assert_non_null(weights);
    assert_int_equal(pv_commit(&c, &g, &cells, NULL, NULL), OK);
    for (size_t max = 0; max < 16 * 36 + 16 * 160; max += 100) {
        pv_writer w;
        buf_init(&w.out, max);
        pf_start(&w.t, 1);
        assert_int_equal(pv_open(&w, &c, &cells, weights, weights, NULL), ERR_LIMIT);
        buf_deinit(&w.out);
    }
    pv_commitment_deinit(&c);
    free(weights);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(vectors), cmocka_unit_test(a_full_buffer_is_an_error) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
