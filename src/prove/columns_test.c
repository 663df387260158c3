/* SPDX-License-Identifier: Apache-2.0
 *
 * Sixteen hashes at a time against the library's one, for each instruction set of this machine. */
#include "prove/columns_int.h"

#include "crypto/merkle.h"
#include "proof/open.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { ROWS = 300, ROWS_UP = 304, STRIDE = PV_LANES + 5 }; /* whole groups */

static uint64_t seed = 1;

static uint64_t random_u64(void)
{
    uint64_t z = (seed += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static void each_isa(void (*check)(const pv_column_kernels *k))
{
    fx_isa was = fx_isa_in_use();
    for (fx_isa isa = FX_ISA_PORTABLE; isa < FX_ISA_COUNT; isa++)
        if (fx_isa_available(isa)) {
            fx_isa_use(isa);
            assert_non_null(pv_columns());
            check(pv_columns());
        }
    fx_isa_use(was);
}

static void check_one_block(const pv_column_kernels *k)
{
    const char *context = "theblock 2026 proof column v1";
    uint8_t     text[PV_LANES][64];
    for (size_t len = 0; len <= 64; len++) {
        pv_word chain[8], block[16];
        pv_columns_key(k, chain, context);
        for (size_t lane = 0; lane < PV_LANES; lane++) {
            for (size_t i = 0; i < 64; i++)
                text[lane][i] = (uint8_t)(i < len ? random_u64() : 0);
            for (size_t i = 0; i < 16; i++)
                block[i][lane] = load_le32(text[lane] + 4 * i);
        }
        k->compress(chain, (const pv_word *)block, (uint32_t)len, PV_MATERIAL | PV_START | PV_END | PV_ROOT);
        for (size_t lane = 0; lane < PV_LANES; lane++) {
            hash256 want = cr_blake3_hash_in(context, bytes_of(text[lane], len));
            for (size_t i = 0; i < 8; i++)
                assert_int_equal(chain[i][lane], load_le32(want.b + 4 * i));
        }
    }
}

/* A context of every length that fits. */
static void check_keys(const pv_column_kernels *k)
{
    char context[65] = { 0 };
    for (size_t len = 0; len <= 64; context[len++] = 'x') {
        pv_word   key[8], block[16] = { { 0 } };
        hash256   want = cr_blake3_hash_in(context, bytes_of(NULL, 0));
        pv_columns_key(k, key, context);
        k->compress(key, (const pv_word *)block, 0, PV_MATERIAL | PV_START | PV_END | PV_ROOT);
        for (size_t i = 0; i < 8; i++)
            assert_int_equal(key[i][PV_LANES - 1], load_le32(want.b + 4 * i));
    }
}

static int16_t cells[ROWS_UP * STRIDE];
static fp      symbols[ROWS_UP * PV_LANES]; /* group by group, element i of row k at 16 i + k */

static void make_columns(size_t rows)
{
    for (size_t i = 0; i < COUNT_OF(cells); i++)
        cells[i] = i < rows * STRIDE ? (int16_t)random_u64() : 0;
    for (size_t r = 0; r < ROWS_UP; r++)
        for (size_t i = 0; i < PV_LANES; i++) {
            uint64_t x = random_u64() % 5 ? random_u64() % FP_P : FP_P - 1 - random_u64() % 2;
            symbols[r / PV_GROUP * PV_GROUP * PV_LANES + PV_GROUP * i + r % PV_GROUP] = r < rows ? x : 0;
        }
}

static void column_bytes(uint8_t *out, size_t rows, size_t lane, bool is_cells)
{
    for (size_t r = 0; r < rows; r++)
        if (is_cells) {
            store_le16(out + PF_CELL_BYTES * r, (uint16_t)cells[r * STRIDE + lane]);
        } else {
            uint64_t x = symbols[r / PV_GROUP * PV_GROUP * PV_LANES + PV_GROUP * lane + r % PV_GROUP];
            store_le32(out + FP_BYTES * r, (uint32_t)x);
            store_le16(out + FP_BYTES * r + 4, (uint16_t)(x >> 32));
        }
}

static void check_stripes(const pv_column_kernels *k)
{
    static const size_t some_rows[] = { 1, 2, 3, 15, 16, 17, 31, 33, 48, 143, 144, 145, 160, 288, 289, 299, 300 };
    pv_word key[8];
    uint8_t column[ROWS * FP_BYTES];
    pv_columns_key(k, key, "theblock 2026 proof column v1");
    for (size_t n = 0; n < COUNT_OF(some_rows); n++) {
        size_t    rows = some_rows[n], groups = (rows + PV_GROUP - 1) / PV_GROUP;
        pv_stripe of_cells = { 0 }, of_symbols = { 0 };
        hash256   hash[2][PV_LANES];
        make_columns(rows);
        for (size_t g = 0; g < groups; g++) {
            size_t   in = rows - g * PV_GROUP < PV_GROUP ? rows - g * PV_GROUP : PV_GROUP;
            pv_group group = { g, in, g + 1 == groups };
            k->absorb_cells(&of_cells, (const pv_word *)key, &group, cells + g * PV_GROUP * STRIDE, STRIDE);
            k->absorb_symbols(&of_symbols, (const pv_word *)key, &group, symbols + g * PV_GROUP * PV_LANES);
        }
        pv_stripe_hashes(&of_cells, hash[0], PV_LANES);
        pv_stripe_hashes(&of_symbols, hash[1], PV_LANES);
        for (size_t lane = 0; lane < PV_LANES; lane++)
            for (size_t kind = 0; kind < 2; kind++) {
                size_t bytes_each = kind ? (size_t)FP_BYTES : (size_t)PF_CELL_BYTES;
                column_bytes(column, rows, lane, kind == 0);
                hash256 want = pf_column_hash(bytes_of(column, rows * bytes_each), bytes_each);
                assert_true(hash256_equal(&want, &hash[kind][lane]));
            }
    }
}

static void check_nodes(const pv_column_kernels *k)
{
    hash256 tree[64] = { { { 0 } } };
    pv_word key[8];
    pv_columns_key(k, key, "theblock 2026 merkle node v1");
    for (size_t i = 32; i < 64; i++)
        for (size_t b = 0; b < 32; b++)
            tree[i].b[b] = (uint8_t)random_u64();
    for (size_t n = 16; n > 0; n /= 2)
        pv_columns_nodes(k, (const pv_word *)key, tree, n, n);
    hash256 want = cr_merkle_root(&cr_merkle_blake3, tree + 32, 32);
    assert_true(hash256_equal(&want, &tree[1]));
    assert_true(tree[0].b[0] == 0 && memcmp(tree[0].b, tree[0].b + 1, 31) == 0);
}

static void check_spread(const pv_column_kernels *k)
{
    fp out[2 * PV_LANES * PV_GROUP];
    static const int16_t edges[] = { INT16_MIN, INT16_MAX, 0, -1, 1 };
    for (size_t i = 0; i < PV_GROUP * (2 * PV_LANES + 5); i++)
        cells[i] = i % 3 ? (int16_t)random_u64() : edges[random_u64() % COUNT_OF(edges)];
    k->spread(out, cells, 2 * PV_LANES + 5, 2 * PV_LANES);
    for (size_t i = 0; i < 2 * PV_LANES; i++)
        for (size_t r = 0; r < PV_GROUP; r++)
            assert_int_equal(out[PV_GROUP * i + r], fp_to_u64(fp_from_i64(cells[r * (2 * PV_LANES + 5) + i])));
}

static void one_block(void **state) { (void)state; each_isa(check_one_block); }
static void keys(void **state) { (void)state; each_isa(check_keys); }
static void stripes(void **state) { (void)state; each_isa(check_stripes); }
static void nodes(void **state) { (void)state; each_isa(check_nodes); }
static void residues(void **state) { (void)state; each_isa(check_spread); }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_block), cmocka_unit_test(keys),     cmocka_unit_test(stripes),
        cmocka_unit_test(nodes),     cmocka_unit_test(residues),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
