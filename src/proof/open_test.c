/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of an opening that a verifier has alone: its shape, its challenges. Openings: src/prove/open_test.c. */
#include "proof/open.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>

/* The formula of section 11, read literally. */
static unsigned m_of(uint64_t cells, unsigned log_tile)
{
    unsigned least = 0;
    while ((u128)1 << (2 * least) < (u128)27 * cells)
        least++;
    unsigned m = least > 9 ? least : 9;
    return m < log_tile ? m : log_tile;
}

static void shapes_follow_the_formula(void **state)
{
    (void)state;
    static const uint64_t tiles[] = { 1, 2, 3, 7, 100, 151, 152, 1000, 4096, 12345 };
    for (unsigned log_tile = 0; log_tile <= 22; log_tile++)
        for (size_t i = 0; i < COUNT_OF(tiles); i++) {
            pf_geometry g;
            uint64_t    cells = tiles[i] << log_tile;
            assert_int_equal(pf_geometry_make(&g, tiles[i], log_tile, NULL), OK);
            assert_int_equal(g.m, m_of(cells, log_tile));
            assert_int_equal(g.rows << g.m, cells);
        }
    static const struct { uint64_t tiles; unsigned log_tile, m; uint64_t rows; } pinned[] = {
        { 1, 0, 0, 1 },   { 5, 3, 3, 5 },     { 1, 12, 9, 8 },      { 9709, 0, 0, 9709 }, { 1, 13, 9, 16 },
        { 2, 13, 10, 16 }, { 40, 15, 13, 160 }, { 3000, 17, 17, 3000 }, { 6, 16, 12, 96 },
    };
    for (size_t i = 0; i < COUNT_OF(pinned); i++) {
        pf_geometry g;
        assert_int_equal(pf_geometry_make(&g, pinned[i].tiles, pinned[i].log_tile, NULL), OK);
        assert_int_equal(g.m, pinned[i].m);
        assert_int_equal(g.rows, pinned[i].rows);
    }
}

static void impossible_shapes_are_refused(void **state)
{
    (void)state;
    static const struct { uint64_t tiles; unsigned log_tile; } bad[] = {
        { 0, 4 }, { 1, 40 }, { 1, 64 }, { UINT64_MAX, 0 }, { UINT64_MAX, 63 }, { UINT64_C(1) << 40, 0 }, { 1024, 30 }, { 1023, 30 }, { 1, 255 },
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        pf_geometry g;
        fault       f = { 0 };
        err         e = pf_geometry_make(&g, bad[i].tiles, bad[i].log_tile, &f);
        if (bad[i].tiles == 1023) { /* just below 2^40: one row short of what the code admits */
            assert_int_equal(e, OK);
            assert_int_equal(g.m, 23);
            continue;
        }
        assert_int_equal(e, ERR_LIMIT);
        assert_int_equal(f.code, ERR_LIMIT);
    }
}

static void queries_are_distinct_and_ascend(void **state)
{
    (void)state;
    for (unsigned m = 0; m <= PF_LOG_ROW_MAX; m++)
        for (uint64_t run = 0; run < 20; run++) {
            pf_transcript t;
            uint32_t      q[PF_QUERIES];
            size_t        columns = (size_t)2 << m, n;
            pf_start(&t, run);
            n = pf_open_queries(&t, m, q);
            assert_int_equal(n, columns < PF_QUERIES ? columns : PF_QUERIES);
            for (size_t i = 0; i < n; i++)
                assert_true(q[i] < columns && (i == 0 || q[i] > q[i - 1]));
        }
}

/* Every column is asked for equally often: 244 of 256, then of 512. */
static void queries_are_uniform(void **state)
{
    (void)state;
    enum { RUNS = 2000 };
    for (unsigned m = 7; m <= 8; m++) {
        static uint32_t seen[512];
        size_t          columns = (size_t)2 << m;
        double          p = (double)PF_QUERIES / (double)columns, chi = 0;
        memset(seen, 0, sizeof seen);
        for (uint64_t run = 0; run < RUNS; run++) {
            pf_transcript t;
            uint32_t      q[PF_QUERIES];
            pf_start(&t, run);
            size_t n = pf_open_queries(&t, m, q);
            for (size_t i = 0; i < n; i++)
                seen[q[i]]++;
        }
        for (size_t i = 0; i < columns; i++)
            chi += ((double)seen[i] - RUNS * p) * ((double)seen[i] - RUNS * p) / (RUNS * p * (1 - p));
        double z = (chi - (double)columns) / 32; /* the spread of chi-square is about sqrt(2 columns) <= 32 */
        assert_true(z < 5 && z > -5);
    }
}

static void weights_follow_the_stream(void **state)
{
    (void)state;
    enum { ROWS = 37 };
    fxv *weights = fxv_alloc(ROWS);
    fx   chi, want[1 + ROWS];
    assert_non_null(weights);
    pf_transcript t, u;
    pf_start(&t, 1);
    u = t;
    pf_open_weights(&t, &chi, weights, ROWS);
    pf_challenge(&u, "opening", want, 1 + ROWS);
    assert_true(fx_equal(chi, want[0]));
    for (size_t i = 0; i < ROWS; i++)
        assert_true(fx_equal(fxv_get(weights, i), want[1 + i]));
    for (size_t i = ROWS; i < FXV_LANES * fxv_blocks(ROWS); i++)
        assert_true(fx_equal(fxv_get(weights, i), FX_ZERO));
    assert_true(hash256_equal(&t.state, &u.state));
    free(weights);
}

/* The chain of bands, in plain calls. */
static void columns_are_hashed_in_bands(void **state)
{
    (void)state;
    static const size_t rows[] = { 1, 143, 144, 145, 287, 288, 289 };
    uint8_t             data[32 + 6 * 289], message[32 + 6 * 144];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7 + i / 256);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (size_t size = 2; size <= 6; size += 4) {
            hash256 h = { { 0 } };
            for (size_t r = 0; r < rows[i]; r += 144) {
                size_t n = rows[i] - r < 144 ? rows[i] - r : 144;
                memcpy(message, h.b, 32);
                memcpy(message + 32, data + r * size, n * size);
                h = cr_blake3_hash_in("theblock 2026 proof column v1", bytes_of(message, 32 + n * size));
            }
            hash256 got = pf_column_hash(bytes_of(data, rows[i] * size), size);
            assert_true(hash256_equal(&h, &got));
        }
}

/* Nothing is allocated for a proof that is too short to hold what its shape asks for. */
static void a_huge_shape_needs_a_huge_proof(void **state)
{
    (void)state;
    static const uint8_t few[100];
    pf_geometry   g = { PF_LOG_ROW_MAX, 1 };
    pf_open_claim none = { 0 };
    hash256       root = { { 0 } };
    pf_transcript t;
    fault         f = { 0 };
    pf_reader     r = { .in = bytes_of(few, sizeof few), .f = &f };
    pf_start(&t, 1);
    assert_int_equal(pf_open_verify(&r, &t, &root, &g, &none), ERR_TRUNCATED);
    assert_string_equal(f.what, "proximity");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_follow_the_formula),   cmocka_unit_test(impossible_shapes_are_refused),
        cmocka_unit_test(queries_are_distinct_and_ascend), cmocka_unit_test(queries_are_uniform),
        cmocka_unit_test(weights_follow_the_stream),   cmocka_unit_test(columns_are_hashed_in_bands),
        cmocka_unit_test(a_huge_shape_needs_a_huge_proof),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
