/* SPDX-License-Identifier: Apache-2.0
 *
 * Commitment and opening: what is honest is accepted, in the same bytes whatever made them; and a prover written here, which keeps
 * the whole matrix and may put anything into it, is refused wherever the columns can tell. */
#include "prove/open_kit.h"

#include "crypto/merkle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* --- completeness ---------------------------------------------------------------------------------------------------- */

static void prove_and_verify(unsigned m, uint64_t rows)
{
    kit_case c;
    buf      proof;
    fault    f = { 0 };
    kit_init(&c, m, rows, 100 * m + rows);
    assert_int_equal(kit_prove(&c, NULL, &proof), OK);
    assert_int_equal(kit_verify(&c, buf_bytes(&proof), &f), OK);
    buf_deinit(&proof);
    kit_deinit(&c);
}

static void honest_openings_hold(void **state)
{
    (void)state;
    static const uint64_t rows[] = { 1, 2, 15, 16, 17, 31, 143, 144, 145, 161, 288, 289, 300 };
    for (unsigned m = 0; m <= 7; m++)
        for (size_t i = 0; i < COUNT_OF(rows); i++)
            prove_and_verify(m, rows[i]);
    for (unsigned m = 8; m <= 12; m++)
        for (size_t i = m % 3; i < COUNT_OF(rows); i += 3)
            prove_and_verify(m, rows[i]);
}

static void assert_same_proof(unsigned m, uint64_t rows, base_pool *pool, bytes want)
{
    kit_case c;
    buf      proof;
    kit_init(&c, m, rows, 9);
    assert_int_equal(kit_prove(&c, pool, &proof), OK);
    assert_true(bytes_equal(buf_bytes(&proof), want));
    buf_deinit(&proof);
    kit_deinit(&c);
}

static void bytes_depend_on_neither_threads_nor_kernels(void **state)
{
    (void)state;
    static const struct { unsigned m; uint64_t rows; } shape[] = { { 2, 17 }, { 5, 150 }, { 9, 300 }, { 11, 47 } };
    fx_isa was = fx_isa_in_use();
    for (size_t i = 0; i < COUNT_OF(shape); i++) {
        kit_case c;
        buf      proof;
        kit_init(&c, shape[i].m, shape[i].rows, 9);
        fx_isa_use(FX_ISA_PORTABLE);
        assert_int_equal(kit_prove(&c, NULL, &proof), OK);
        for (unsigned threads = 1; threads <= 5; threads += 2) {
            base_pool *pool;
            assert_int_equal(base_pool_new(&pool, threads), OK);
            for (fx_isa isa = FX_ISA_PORTABLE; isa < FX_ISA_COUNT; isa++)
                if (fx_isa_available(isa)) {
                    fx_isa_use(isa);
                    assert_same_proof(shape[i].m, shape[i].rows, pool, buf_bytes(&proof));
                    assert_int_equal(kit_verify(&c, buf_bytes(&proof), NULL), OK);
                }
            base_pool_free(pool);
        }
        buf_deinit(&proof);
        kit_deinit(&c);
    }
    fx_isa_use(was);
}

/* --- another prover -------------------------------------------------------------------------------------------------- */

/* The matrix that is committed, as what its bytes say: cells, then residues below 2^48. */
typedef struct forge {
    kit_case  c;
    size_t    M, rows;
    uint64_t *symbol;  /* rows x 2 M */
    fx       *vector[2];
    hash256  *tree;
    size_t    swap[2]; /* columns that are opened in each other's place */
} forge;

static uint64_t *at(forge *o, size_t row, size_t column)
{
    return &o->symbol[row * 2 * o->M + column];
}

static void encode_row(forge *o, size_t row)
{
    fp *half = malloc(o->M * sizeof *half);
    assert_non_null(half);
    for (size_t i = 0; i < o->M; i++)
        half[i] = fp_from_i64((int16_t)*at(o, row, i));
    fp_rs_parity(half, half, o->c.g.m);
    for (size_t i = 0; i < o->M; i++)
        *at(o, row, o->M + i) = fp_to_u64(half[i]);
    free(half);
}

static void forge_init(forge *o, unsigned m, size_t rows)
{
    memset(o, 0, sizeof *o);
    kit_init(&o->c, m, rows, 77);
    o->M = (size_t)1 << m;
    o->rows = rows;
    o->symbol = malloc(rows * 2 * o->M * sizeof *o->symbol);
    o->tree = calloc(4 * o->M, sizeof *o->tree);
    assert_non_null(o->symbol);
    assert_non_null(o->tree);
    for (int i = 0; i < 2; i++)
        assert_non_null(o->vector[i] = malloc(o->M * sizeof *o->vector[i]));
    for (size_t r = 0; r < rows; r++) {
        for (size_t j = 0; j < o->M; j++)
            *at(o, r, j) = (uint16_t)o->c.cells[r * o->M + j];
        encode_row(o, r);
    }
}

static void forge_deinit(forge *o)
{
    free(o->symbol);
    free(o->tree);
    free(o->vector[0]);
    free(o->vector[1]);
    kit_deinit(&o->c);
}

static void put_column(forge *o, buf *out, size_t column)
{
    for (size_t r = 0; r < o->rows; r++) {
        uint8_t b[8];
        store_le64(b, *at(o, r, column));
        assert_int_equal(buf_put(out, b, column < o->M ? (size_t)PF_CELL_BYTES : (size_t)FP_BYTES), OK);
    }
}

/* Commits to the matrix as it is, and makes the vectors that an honest prover would send for the cells in it. */
static void forge_commit(forge *o)
{
    buf column;
    buf_init(&column, SIZE_MAX / 2);
    for (size_t c = 0; c < 2 * o->M; c++) {
        buf_clear(&column);
        put_column(o, &column, c);
        o->tree[2 * o->M + c] = pf_column_hash(buf_bytes(&column), c < o->M ? (size_t)PF_CELL_BYTES : (size_t)FP_BYTES);
    }
    for (size_t i = 2 * o->M - 1; i > 0; i--)
        o->tree[i] = cr_merkle_root(&cr_merkle_blake3, &o->tree[2 * i], 2);
    buf_deinit(&column);
    for (size_t r = 0; r < o->rows; r++) /* the value is that of the cells as committed */
        for (size_t j = 0; j < o->M; j++)
            o->c.cells[r * o->M + j] = (int16_t)*at(o, r, j);
    kit_begin(&o->c, o->tree[1]);
    const fxv *weights[] = { o->c.proximity, o->c.row_weights };
    for (int i = 0; i < 2; i++)
        for (size_t j = 0; j < o->M; j++) {
            o->vector[i][j] = FX_ZERO;
            for (size_t r = 0; r < o->rows; r++)
                o->vector[i][j] = fx_add(o->vector[i][j], fx_mul_fp(fxv_get(weights[i], r), fp_from_i64(o->c.cells[r * o->M + j])));
        }
}

/* Sends what is there. queried: whether `column` was, may be NULL. */
static void forge_open(forge *o, buf *proof, size_t column, bool *queried)
{
    pv_writer w = { .t = o->c.t };
    uint32_t  query[PF_QUERIES];
    hash256   siblings[8192];
    buf_init(&w.out, SIZE_MAX / 2);
    assert_int_equal(pv_send_fx(&w, "proximity", o->vector[0], o->M), OK);
    assert_int_equal(pv_send_fx(&w, "evaluation", o->vector[1], o->M), OK);
    size_t n = pf_open_queries(&w.t, o->c.g.m, query);
    if (queried)
        *queried = false;
    for (size_t i = 0; i < n; i++) {
        put_column(o, &w.out, query[i] == o->swap[0] ? o->swap[1] : query[i] == o->swap[1] ? o->swap[0] : query[i]);
        if (queried)
            *queried |= query[i] == column;
    }
    size_t len = cr_merkle_several(siblings, o->tree, o->c.g.m + 1, query, n);
    assert_int_equal(buf_put(&w.out, siblings, len * sizeof *siblings), OK);
    *proof = w.out;
}

/* Opens and verifies: refused with this code and check, or accepted (OK). */
static void expect(forge *o, err code, const char *what)
{
    buf   proof;
    fault f = { 0 };
    forge_open(o, &proof, 0, NULL);
    assert_int_equal(kit_verify(&o->c, buf_bytes(&proof), &f), code);
    if (code != OK)
        assert_string_equal(f.what, what);
    buf_deinit(&proof);
}

enum { m_all = 5, m_some = 9 }; /* all 64 columns opened; 244 of 1024 */

static const unsigned each_m[] = { m_all, m_some };

static void two_provers_agree(void **state)
{
    (void)state;
    static const struct { unsigned m; size_t rows; } shape[] = { { 0, 1 }, { 0, 145 }, { 1, 3 }, { 3, 150 }, { 4, 16 }, { 7, 33 }, { 8, 289 } };
    for (size_t i = 0; i < COUNT_OF(shape); i++) {
        forge    o;
        kit_case c;
        buf      honest, other;
        forge_init(&o, shape[i].m, shape[i].rows);
        forge_commit(&o);
        forge_open(&o, &other, 0, NULL);
        kit_init(&c, shape[i].m, shape[i].rows, 77);
        assert_int_equal(kit_prove(&c, NULL, &honest), OK);
        assert_true(hash256_equal(&c.root, &o.c.root));
        assert_true(bytes_equal(buf_bytes(&honest), buf_bytes(&other)));
        expect(&o, OK, NULL);
        buf_deinit(&honest);
        buf_deinit(&other);
        forge_deinit(&o);
        kit_deinit(&c);
    }
}

/* --- matrices that are not code words -------------------------------------------------------------------------------- */

static void a_row_outside_the_code_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(each_m); i++)
        for (size_t row = 0; row < 20; row += 19) {
            forge o;
            forge_init(&o, each_m[i], 20);
            for (size_t j = 0; j < o.M; j++) /* the parity of another row */
                *at(&o, row, o.M + j) = *at(&o, 7, o.M + j);
            forge_commit(&o);
            expect(&o, ERR_UNPROVED, "proximity");
            forge_deinit(&o);
        }
}

/* A vector that hides it cannot exist; one that fits the committed cells' columns does not fit the parity, nor the other way round. */
static void a_quarter_of_wrong_columns_is_seen(void **state)
{
    (void)state;
    forge o;
    forge_init(&o, m_some, 10);
    for (size_t j = 0; j < o.M / 2; j++)
        *at(&o, 3, 2 * j) ^= 1; /* a quarter of all 2 M columns */
    kit_case *c = &o.c;
    int16_t  *right = malloc(o.M * o.rows * sizeof *right);
    assert_non_null(right);
    memcpy(right, c->cells, o.M * o.rows * sizeof *right);
    forge_commit(&o);
    const fxv *weights[] = { c->proximity, c->row_weights };
    for (int i = 0; i < 2; i++) /* the combinations of the nearest code words */
        for (size_t j = 0; j < o.M; j++) {
            o.vector[i][j] = FX_ZERO;
            for (size_t r = 0; r < o.rows; r++)
                o.vector[i][j] = fx_add(o.vector[i][j], fx_mul_fp(fxv_get(weights[i], r), fp_from_i64(right[r * o.M + j])));
        }
    c->value = FX_ZERO;
    for (size_t j = 0; j < o.M; j++)
        c->value = fx_add(c->value, fx_mul(o.vector[1][j], fxv_get(c->factors, j)));
    expect(&o, ERR_UNPROVED, "proximity");
    free(right);
    forge_deinit(&o);
}

/* One wrong symbol is seen exactly if its column is opened: always where all are. What the commitment binds is the code word next to it. */
static void one_wrong_symbol_is_seen_where_it_is_opened(void **state)
{
    (void)state;
    unsigned seen = 0, missed = 0;
    for (size_t i = 0; i < COUNT_OF(each_m); i++)
        for (size_t k = 0; k < 24; k++) {
            forge o;
            buf   proof;
            bool  queried;
            forge_init(&o, each_m[i], 3);
            size_t column = o.M + (k * 37) % o.M;
            *at(&o, k % 3, column) = (*at(&o, k % 3, column) + 1) % FP_P;
            forge_commit(&o);
            forge_open(&o, &proof, column, &queried);
            fault f = { 0 };
            err   e = kit_verify(&o.c, buf_bytes(&proof), &f);
            assert_int_equal(e, queried ? ERR_UNPROVED : OK);
            assert_true(queried || each_m[i] == m_some);
            if (queried)
                assert_int_equal(f.at, column);
            seen += queried;
            missed += !queried;
            buf_deinit(&proof);
            forge_deinit(&o);
        }
    assert_true(seen > 24 && missed > 0);
}

/* --- vectors that are not the combination ---------------------------------------------------------------------------- */

static void wrong_vectors_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(each_m); i++) {
        forge o;
        forge_init(&o, each_m[i], 12);
        forge_commit(&o);
        fx was[2], one = FX_ONE;
        for (size_t j = 0; j < o.M; j += o.M / 8) {
            was[0] = o.vector[0][j];
            o.vector[0][j] = fx_add(was[0], one);
            expect(&o, ERR_UNPROVED, "proximity");
            o.vector[0][j] = was[0];
            was[1] = o.vector[1][j];
            o.vector[1][j] = fx_add(was[1], one);
            expect(&o, ERR_UNPROVED, "value");
            /* so that the value comes out all the same */
            size_t k = (j + 1) % o.M;
            fx     f = fx_mul(fxv_get(o.c.factors, j), fx_inv(fxv_get(o.c.factors, k)));
            was[0] = o.vector[1][k];
            o.vector[1][k] = fx_sub(was[0], f);
            expect(&o, ERR_UNPROVED, "evaluation");
            o.vector[1][k] = was[0];
            o.vector[1][j] = was[1];
        }
        /* another value, with a vector that gives it */
        fx value = o.c.value;
        o.c.value = fx_add(value, fxv_get(o.c.factors, 3));
        expect(&o, ERR_UNPROVED, "value");
        o.vector[1][3] = fx_add(o.vector[1][3], one);
        expect(&o, ERR_UNPROVED, "evaluation");
        o.vector[1][3] = fx_sub(o.vector[1][3], one);
        o.c.value = value;
        fx *v = o.vector[0];
        o.vector[0] = o.vector[1];
        o.vector[1] = v;
        expect(&o, ERR_UNPROVED, "value");
        v = o.vector[0];
        o.vector[0] = o.vector[1];
        o.vector[1] = v;
        expect(&o, OK, NULL);
        forge_deinit(&o);
    }
}

static void zero_vectors_prove_nothing(void **state)
{
    (void)state;
    forge o;
    forge_init(&o, m_some, 5);
    forge_commit(&o);
    memset(o.vector[0], 0, o.M * sizeof(fx));
    expect(&o, ERR_UNPROVED, "proximity");
    memset(o.vector[1], 0, o.M * sizeof(fx));
    o.c.value = FX_ZERO;
    expect(&o, ERR_UNPROVED, "proximity");
    forge_deinit(&o);
}

/* --- columns and the tree -------------------------------------------------------------------------------------------- */

static void columns_of_other_places_are_refused(void **state)
{
    (void)state;
    for (size_t half = 0; half < 2; half++) {
        forge o;
        forge_init(&o, m_all, 20);
        forge_commit(&o);
        o.swap[0] = half * o.M + 4;
        o.swap[1] = half * o.M + 5; /* siblings: the node above them hashes both */
        expect(&o, ERR_UNPROVED, "commitment");
        o.swap[1] = half * o.M + 17;
        expect(&o, ERR_UNPROVED, "commitment");
        forge_deinit(&o);
        forge_init(&o, m_all, 20); /* in the tree as well */
        for (size_t r = 0; r < o.rows; r++) {
            uint64_t x = *at(&o, r, half * o.M + 4);
            *at(&o, r, half * o.M + 4) = *at(&o, r, half * o.M + 17);
            *at(&o, r, half * o.M + 17) = x;
        }
        forge_commit(&o);
        expect(&o, ERR_UNPROVED, "proximity");
        forge_deinit(&o);
    }
}

static void residues_are_canonical(void **state)
{
    (void)state;
    forge o;
    forge_init(&o, m_all, 200);
    uint64_t *x = at(&o, 150, o.M + 9);
    while (*x >= (UINT64_C(1) << 48) - FP_P) { /* another cell, until x + p has six bytes */
        *at(&o, 150, 0) = (uint16_t)(*at(&o, 150, 0) + 1);
        encode_row(&o, 150);
    }
    *x += FP_P;
    forge_commit(&o);
    buf   proof;
    fault f = { 0 };
    forge_open(&o, &proof, 0, NULL);
    assert_int_equal(kit_verify(&o.c, buf_bytes(&proof), &f), ERR_CANONICAL);
    assert_string_equal(f.what, "column");
    assert_int_equal(f.at, o.M + 9);
    buf_deinit(&proof);
    forge_deinit(&o);
}

/* --- another statement, other bytes ---------------------------------------------------------------------------------- */

static bool is_typed(err e)
{
    return e == ERR_TRUNCATED || e == ERR_CANONICAL || e == ERR_UNPROVED || e == ERR_TRAILING;
}

static void assert_refused(const kit_case *c, bytes proof)
{
    fault f = { 0 };
    err   e = kit_verify(c, proof, &f);
    assert_true(is_typed(e));
    assert_int_equal(f.code, e);
    assert_non_null(f.what);
}

/* Whatever was absorbed before gives other weights, and other queries. */
static void under_another_statement(const kit_case *c, bytes proof)
{
    kit_case other = *c;
    fx       chi;
    other.proximity = fxv_alloc((size_t)c->g.rows);
    assert_non_null(other.proximity);
    pf_start(&other.t, 1);
    pf_absorb(&other.t, "commitment", BYTES_OF(other.root));
    pf_absorb(&other.t, "statement", bytes_of(NULL, 0));
    pf_open_weights(&other.t, &chi, other.proximity, c->g.rows);
    assert_refused(&other, proof);
    free(other.proximity);
}

static void another_statement_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(each_m); i++) {
        kit_case c, other;
        buf      proof;
        kit_init(&c, each_m[i], 20, 5);
        assert_int_equal(kit_prove(&c, NULL, &proof), OK);
        bytes in = buf_bytes(&proof);
        assert_int_equal(kit_verify(&c, in, NULL), OK);
        other = c;
        other.root.b[31] ^= 1;
        assert_refused(&other, in);
        under_another_statement(&c, in);
        for (int d = -1; d <= 1; d += 2) {
            other = c;
            other.g.rows = (uint64_t)((int64_t)c.g.rows + d);
            assert_refused(&other, in);
        }
        other = c;
        other.g.m--;
        assert_refused(&other, in);
        other = c;
        other.value.c[2] = fp_add(other.value.c[2], FP_ONE);
        assert_refused(&other, in);
        fxv *const vectors[] = { c.proximity, c.row_weights, c.factors };
        for (size_t v = 0; v < COUNT_OF(vectors); v++) {
            fx was = fxv_get(vectors[v], 11);
            fxv_set(vectors[v], 11, fx_add(was, FX_ONE));
            assert_refused(&c, in);
            fxv_set(vectors[v], 11, was);
        }
        assert_int_equal(kit_verify(&c, in, NULL), OK);
        buf_deinit(&proof);
        kit_deinit(&c);
    }
}

/* A copy of exactly `len` bytes, so that a sanitizer sees any read past them. */
static void assert_prefix_refused(const kit_case *c, bytes proof, size_t len)
{
    uint8_t *exact = malloc(len + (len == 0));
    assert_non_null(exact);
    memcpy(exact, proof.data, len);
    assert_refused(c, bytes_of(exact, len));
    free(exact);
}

static void every_length_and_every_byte_counts(void **state)
{
    (void)state;
    static const struct { unsigned m; uint64_t rows; size_t step; } shape[] = { { 0, 2, 1 }, { 2, 5, 1 }, { 4, 19, 1 }, { 7, 2, 7 } };
    for (size_t i = 0; i < COUNT_OF(shape); i++) {
        kit_case c;
        buf      proof;
        kit_init(&c, shape[i].m, shape[i].rows, 3);
        assert_int_equal(kit_prove(&c, NULL, &proof), OK);
        for (size_t k = 0; k < proof.len; k += shape[i].step) {
            assert_prefix_refused(&c, buf_bytes(&proof), k);
            for (unsigned bit = 0; bit < 8; bit += 7) {
                proof.data[k] ^= (uint8_t)(1u << bit);
                assert_refused(&c, buf_bytes(&proof));
                proof.data[k] ^= (uint8_t)(1u << bit);
            }
        }
        assert_int_equal(kit_verify(&c, buf_bytes(&proof), NULL), OK);
        assert_int_equal(buf_put(&proof, "", 1), OK);
        fault f = { 0 };
        assert_int_equal(kit_verify(&c, buf_bytes(&proof), &f), ERR_TRAILING);
        buf_deinit(&proof);
        kit_deinit(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(honest_openings_hold),
        cmocka_unit_test(bytes_depend_on_neither_threads_nor_kernels),
        cmocka_unit_test(two_provers_agree),
        cmocka_unit_test(a_row_outside_the_code_is_refused),
        cmocka_unit_test(a_quarter_of_wrong_columns_is_seen),
        cmocka_unit_test(one_wrong_symbol_is_seen_where_it_is_opened),
        cmocka_unit_test(wrong_vectors_are_refused),
        cmocka_unit_test(zero_vectors_prove_nothing),
        cmocka_unit_test(columns_of_other_places_are_refused),
        cmocka_unit_test(residues_are_canonical),
        cmocka_unit_test(another_statement_is_refused),
        cmocka_unit_test(every_length_and_every_byte_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
