/* SPDX-License-Identifier: Apache-2.0
 *
 * Why the messages of an opening are absorbed (as forge_test.c): vectors chosen once the queries are known, and a commitment made once the
 * weights are. */
#include "plant.h"

#define pf_absorb planted_absorb /* the kit's own, of the commitment, as well */
#include "prove/open_kit.h"

#include "crypto/merkle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { LOG_ROW = 9, M = 1 << LOG_ROW, ROWS = 8, COLUMNS = 2 * M, VECTOR = M * FX_BYTES };

/* --- linear algebra over F_p ----------------------------------------------------------------------------------------------- */

/* a x = b for n equations; a: rows of n + 1, the last being b. Overwritten. */
static void solve(fp *a, size_t n, fp *x)
{
    size_t w = n + 1;
    for (size_t k = 0; k < n; k++) {
        size_t row = k;
        while (row < n && fp_to_u64(a[row * w + k]) == 0)
            row++;
        assert_true(row < n); /* never singular: any M symbols of the code determine the rest */
        for (size_t j = 0; j < w; j++) {
            fp was = a[k * w + j];
            a[k * w + j] = a[row * w + j];
            a[row * w + j] = was;
        }
        fp inverse = fp_inv(a[k * w + k]);
        for (size_t j = k; j < w; j++)
            a[k * w + j] = fp_mul(a[k * w + j], inverse);
        for (size_t i = 0; i < n; i++) {
            fp factor = a[i * w + k];
            for (size_t j = k; j < w && i != k; j++)
                a[i * w + j] = fp_sub(a[i * w + j], fp_mul(factor, a[k * w + j]));
        }
    }
    for (size_t k = 0; k < n; k++)
        x[k] = a[k * w + n];
}

/* The parity of a row that is 1 at one place. */
static void unit_parity(fp out[M], size_t place)
{
    fp in[M];
    for (size_t i = 0; i < M; i++)
        in[i] = fp_from_u64(i == place);
    fp_rs_parity(out, in, LOG_ROW);
}

/* A row other than zero whose code word is zero at all queries. */
static void vanishing(fp delta[M], const uint32_t *query, size_t n)
{
    size_t cells = 0, unknown = 0, place[PF_QUERIES + 1];
    while (cells < n && query[cells] < M)
        cells++;
    size_t parities = n - cells;
    fp *a = malloc(parities * (parities + 1) * sizeof *a), x[PF_QUERIES], parity[M];
    assert_non_null(a);
    for (size_t i = 0, q = 0; i < M && unknown <= parities; i++) {
        q += q < cells && query[q] < i;
        if (q == cells || query[q] != i)
            place[unknown++] = i;
    }
    assert_int_equal(unknown, parities + 1);
    for (size_t k = 0; k <= parities; k++) {
        unit_parity(parity, place[k]);
        for (size_t i = 0; i < parities; i++)
            a[i * (parities + 1) + k] = parity[query[cells + i] - M];
    }
    solve(a, parities, x);
    for (size_t i = 0; i < M; i++)
        delta[i] = fp_from_u64(0);
    for (size_t k = 0; k < parities; k++)
        delta[place[k]] = x[k];
    delta[place[parities]] = fp_neg(fp_from_u64(1));
    free(a);
}

static void add_to(uint8_t *element, fp by)
{
    fx was;
    assert_true(fx_decode(&was, element));
    fx_encode(element, fx_add(was, fx_from_fp(by)));
}

/* Other queries may want columns and siblings of another total length. */
static void check_outcome(err e, bool absorbed)
{
    if (absorbed)
        assert_true(e == ERR_UNPROVED || e == ERR_TRUNCATED || e == ERR_TRAILING);
    else
        assert_int_equal(e, OK);
}

/* --- vectors chosen after the queries --------------------------------------------------------------------------------------- */

static size_t queries_of(const plant_tape *t, uint32_t query[PF_QUERIES])
{
    const plant_event *last = &t->event[t->count - 1];
    assert_string_equal(last->label, "queries");
    pf_transcript at = { last->before };
    return pf_open_queries(&at, LOG_ROW, query);
}

/* A vector += a row that no query sees. Then the value that is opened is another, or the proximity vector is no sum of rows. */
static void check_vector(const char *label, bool evaluation)
{
    for (int absorbed = 0; absorbed < 2; absorbed++) {
        kit_case c;
        buf proof;
        fp delta[M];
        uint32_t query[PF_QUERIES];
        plant_tape tape = { 0 };
        fx honest;
        planted = (plant){ .absorb = absorbed ? NULL : label };
        kit_init(&c, LOG_ROW, ROWS, 1);
        assert_int_equal(kit_prove(&c, NULL, &proof), OK);
        planted.tape = &tape;
        assert_int_equal(kit_verify(&c, buf_bytes(&proof), NULL), OK);
        planted.tape = NULL;
        vanishing(delta, query, queries_of(&tape, query));
        honest = c.value;
        for (size_t j = 0; j < M; j++) {
            add_to(proof.data + (evaluation ? VECTOR : 0) + j * FX_BYTES, delta[j]);
            if (evaluation)
                c.value = fx_add(c.value, fx_mul_fp(fxv_get(c.factors, j), delta[j]));
        }
        assert_true(fx_equal(honest, c.value) != evaluation);
        check_outcome(kit_verify(&c, buf_bytes(&proof), NULL), absorbed);
        plant_tape_drop(&tape);
        buf_deinit(&proof);
        kit_deinit(&c);
    }
    planted = (plant){ 0 };
}

static void evaluation_chosen_after_the_queries(void **state)
{
    (void)state;
    check_vector("evaluation", true);
}

static void proximity_chosen_after_the_queries(void **state)
{
    (void)state;
    check_vector("proximity", false);
}

/* --- a commitment made after the weights ------------------------------------------------------------------------------------ */

typedef struct forged {
    size_t   place;                /* where the vector is one more than the sum of the rows; never queried */
    uint32_t query[PF_QUERIES];
    size_t   n;
    hash256  leaf[COLUMNS];
    uint8_t  proof[2 * VECTOR + PF_QUERIES * ROWS * FP_BYTES + PF_QUERIES * (LOG_ROW + 1) * sizeof(hash256)];
    size_t   len;
} forged;

/* A place that the queries miss, though they depend on it. */
static void choose_place(forged *f, const kit_case *c)
{
    bool hit = true;
    for (f->place = 0; hit; f->place++) {
        pf_transcript t = c->t;
        add_to(f->proof + VECTOR + f->place * FX_BYTES, fp_from_u64(1));
        planted_absorb(&t, "proximity", bytes_of(f->proof, VECTOR));
        planted_absorb(&t, "evaluation", bytes_of(f->proof + VECTOR, VECTOR));
        f->n = pf_open_queries(&t, LOG_ROW, f->query);
        hit = false;
        for (size_t i = 0; i < f->n; i++)
            hit = hit || f->query[i] == f->place;
        if (!hit)
            break;
        add_to(f->proof + VECTOR + f->place * FX_BYTES, fp_neg(fp_from_u64(1)));
    }
}

/* What is added to a column of parities so that its sums are those of the vectors. */
static void correction(fp out[ROWS], const kit_case *c, fp symbol)
{
    enum { EQUATIONS = 6 };
    fp a[EQUATIONS * (EQUATIONS + 1)];
    for (size_t i = 0; i < EQUATIONS; i++) {
        for (size_t w = 0; w < EQUATIONS; w++)
            a[i * (EQUATIONS + 1) + w] = fxv_get(i < 3 ? c->proximity : c->row_weights, w).c[i % 3];
        a[i * (EQUATIONS + 1) + EQUATIONS] = i == 3 ? symbol : fp_from_u64(0);
    }
    solve(a, EQUATIONS, out);
    for (size_t w = EQUATIONS; w < ROWS; w++)
        out[w] = fp_from_u64(0);
}

/* Columns and tree: parities that fit the false vector, in a commitment that is made now. */
static void put_columns(forged *f, const kit_case *c, const pv_commitment *honest)
{
    fp parity[ROWS][M], wanted[M], by[ROWS];
    for (size_t w = 0; w < ROWS; w++) {
        fp in[M];
        for (size_t i = 0; i < M; i++)
            in[i] = fp_from_i64(c->cells[w * M + i]);
        fp_rs_parity(parity[w], in, LOG_ROW);
    }
    unit_parity(wanted, f->place);
    memcpy(f->leaf, honest->tree + COLUMNS, sizeof f->leaf);
    f->len = 2 * VECTOR;
    for (size_t q = 0; q < f->n; q++) {
        size_t column = f->query[q], start = f->len;
        if (column >= M)
            correction(by, c, wanted[column - M]);
        for (size_t w = 0; w < ROWS; w++)
            if (column < M) {
                store_le16(f->proof + f->len, (uint16_t)c->cells[w * M + column]);
                f->len += 2;
            } else {
                fp_encode(f->proof + f->len, fp_add(parity[w][column - M], by[w]));
                f->len += FP_BYTES;
            }
        f->leaf[column] = pf_column_hash(bytes_of(f->proof + start, f->len - start), column < M ? (size_t)2 : (size_t)FP_BYTES);
    }
    hash256 siblings[PF_QUERIES * (LOG_ROW + 1)];
    size_t n = cr_merkle_several(siblings, honest->tree, LOG_ROW + 1, f->query, f->n); /* of subtrees in which nothing has changed */
    memcpy(f->proof + f->len, siblings, n * sizeof *siblings);
    f->len += n * sizeof *siblings;
}

static void commitment_made_after_the_weights(void **state)
{
    (void)state;
    for (int absorbed = 0; absorbed < 2; absorbed++) {
        static forged f;
        kit_case c;
        pv_commitment made;
        pv_writer w = { 0 };
        planted = (plant){ .absorb = absorbed ? NULL : "commitment" };
        kit_init(&c, LOG_ROW, ROWS, 3);
        pv_cells cells = kit_cells(&c);
        uint64_t seed = c.seed;
        assert_int_equal(pv_commit(&made, &c.g, &cells, NULL, NULL), OK);
        kit_begin(&c, *pv_commitment_root(&made));
        w.t = c.t;
        buf_init(&w.out, (size_t)1 << 24);
        assert_int_equal(pv_open(&w, &made, &cells, c.proximity, c.row_weights, NULL), OK);
        memcpy(f.proof, w.out.data, 2 * VECTOR);
        choose_place(&f, &c);
        put_columns(&f, &c, &made);
        c.seed = seed;
        kit_begin(&c, cr_merkle_root(&cr_merkle_blake3, f.leaf, COLUMNS));
        c.value = fx_add(c.value, fxv_get(c.factors, f.place));
        check_outcome(kit_verify(&c, bytes_of(f.proof, f.len), NULL), absorbed);
        buf_deinit(&w.out);
        pv_commitment_deinit(&made);
        kit_deinit(&c);
    }
    planted = (plant){ 0 };
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(evaluation_chosen_after_the_queries),
        cmocka_unit_test(proximity_chosen_after_the_queries),
        cmocka_unit_test(commitment_made_after_the_weights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
