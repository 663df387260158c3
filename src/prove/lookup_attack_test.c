/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole lookup arguments over a small statement: integers in two tables, tuples in a third, filler, and the table instance. A prover
 * who commits to one thing may use another; the verifier of the test evaluates the leaves from what was committed. */
#include "proof/lookup.h"

#include "prove/lookup.h"
#include "prove/prove_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

enum { TILES = 4, TILE = 8, PER_INSTANCE = 2, TUPLES = 8, TAG_TUPLE = 1 << 20, INSTANCES = TILES / PER_INSTANCE + 1, TABLE_VARS = 5 };

static pv_lookup_room *room;

/* The table list: COUNT(1), COUNT(5), COUNT(16), then 8 pairs, padded to 32. */
typedef struct entry {
    int32_t tag, x, y;
} entry;
enum { ENTRIES = 1 + 5 + 16 + 8, PADDED = 1 << TABLE_VARS };

static int32_t pair_of(int32_t x)
{
    return (3 * x + 1) % 11;
}

static entry entry_at(size_t i)
{
    if (i < 1)
        return (entry){ 1, 0, 0 };
    if (i < 6)
        return (entry){ 5, (int32_t)i - 1, 0 };
    if (i < 22)
        return (entry){ 16, (int32_t)i - 6, 0 };
    return (entry){ TAG_TUPLE, (int32_t)i - 22, pair_of((int32_t)i - 22) };
}

typedef struct witness {
    int32_t tile[TILES][TILE], tag[TILES];
    int32_t x[TUPLES], y[TUPLES];
    int64_t mult[PADDED];
} witness;

static size_t entry_find(int32_t tag, int32_t x, int32_t y)
{
    for (size_t i = 0; i < ENTRIES; i++) {
        entry e = entry_at(i);
        if (e.tag == tag && e.x == x && e.y == y)
            return i;
    }
    return PADDED; /* in no table */
}

/* Multiplicities of what is in a table. */
static void witness_count(witness *w)
{
    memset(w->mult, 0, sizeof w->mult);
    for (size_t i = 0; i < TILES * TILE; i++) {
        size_t at = entry_find(w->tag[i / TILE], w->tile[i / TILE][i % TILE], 0);
        if (at < PADDED)
            w->mult[at]++;
    }
    for (size_t i = 0; i < TUPLES; i++) {
        size_t at = entry_find(TAG_TUPLE, w->x[i], w->y[i]);
        if (at < PADDED)
            w->mult[at]++;
    }
}

static witness witness_honest(void)
{
    witness w = { .tag = { 16, 5, 16, 1 } };
    for (int32_t i = 0; i < TILE; i++) {
        w.tile[0][i] = (i * 7 + 3) % 16;
        w.tile[1][i] = i * i % 5;
        w.tile[2][i] = i / 3;
        w.x[i] = i * 3 % 8;
        w.y[i] = pair_of(w.x[i]);
    }
    witness_count(&w); /* the last tile is filler */
    return w;
}

/* ---- fingerprints and challenges, the same for both sides ---- */

typedef struct challenges {
    fx alpha, gamma;
} challenges;

static challenges begin(pf_transcript *t, const witness *committed)
{
    challenges c;
    *t = kit_transcript();
    pf_absorb(t, "commitment", BYTES_OF(*committed));
    pf_challenge(t, "lookup", &c.alpha, 1);
    pf_challenge(t, "lookup", &c.gamma, 1);
    return c;
}

/* alpha - fingerprint */
static fx denominator(challenges c, entry e)
{
    fx f = fx_add(fx_from_i64(e.x), fx_mul(c.gamma, fx_add(fx_from_i64(e.tag), fx_mul(c.gamma, fx_from_i64(e.y)))));
    return fx_sub(c.alpha, f);
}

static fx table_denominator(challenges c, size_t i)
{
    return i < ENTRIES ? denominator(c, entry_at(i)) : c.alpha;
}

/* ---- prover ---- */

static void prove_integers(pv_writer *w, const witness *used, challenges c, size_t number)
{
    const int32_t *tile[PER_INSTANCE];
    fx alpha[PER_INSTANCE];
    for (size_t i = 0; i < PER_INSTANCE; i++) {
        tile[i] = used->tile[number * PER_INSTANCE + i];
        alpha[i] = denominator(c, (entry){ used->tag[number * PER_INSTANCE + i], 0, 0 });
    }
    pf_lookup out;
    pv_int_leaves leaves = { .tile = tile, .alpha = alpha, .k = 4, .tile_vars = 3 };
    assert_int_equal(pv_lookup_ints(&out, w, room, &leaves), OK);
}

static void prove_tuples(pv_writer *w, const witness *used, challenges c)
{
    fxv *q = kit_alloc(TUPLES);
    pf_lookup out;
    for (size_t i = 0; i < TUPLES; i++)
        fxv_set(q, i, denominator(c, (entry){ TAG_TUPLE, used->x[i], used->y[i] }));
    assert_int_equal(pv_lookup_tuples(&out, w, room, q, 3), OK);
    free(q);
}

static void prove_table(pv_writer *w, const witness *used, challenges c)
{
    static fx_fractions leaves[PADDED / FXV_LANES];
    pf_lookup out;
    for (size_t i = 0; i < PADDED; i++) {
        fxv_set(&leaves[i / FXV_LANES].p, i % FXV_LANES, fx_from_i64(used->mult[i]));
        fxv_set(&leaves[i / FXV_LANES].q, i % FXV_LANES, table_denominator(c, i));
    }
    assert_int_equal(pv_lookup_table(&out, w, room, leaves, TABLE_VARS), OK);
}

static buf prove(const witness *committed, const witness *used)
{
    pv_writer w = kit_writer();
    pf_transcript main;
    challenges c = begin(&main, committed);
    for (size_t i = 0; i <= INSTANCES; i++) {
        w.t = pf_fork(&main, "lookup", i);
        if (i < INSTANCES - 1)
            prove_integers(&w, used, c, i);
        else if (i < INSTANCES)
            prove_tuples(&w, used, c);
        else
            prove_table(&w, used, c);
    }
    return w.out;
}

/* ---- verifier ---- */

static pf_fraction leaf(const witness *w, challenges c, size_t instance, size_t i)
{
    size_t at = instance * PER_INSTANCE * TILE + i;
    if (instance == INSTANCES)
        return (pf_fraction){ fx_from_i64(w->mult[i]), table_denominator(c, i) };
    if (instance == INSTANCES - 1)
        return (pf_fraction){ FX_ONE, denominator(c, (entry){ TAG_TUPLE, w->x[i], w->y[i] }) };
    return (pf_fraction){ FX_ONE, denominator(c, (entry){ w->tag[at / TILE], w->tile[at / TILE][at % TILE], 0 }) };
}

/* What the commitment would open: the claim against the committed leaves. (cmocka has a macro of the name of fail().) */
static err check_claim(const pf_lookup *l, unsigned k, const witness *w, challenges c, size_t instance, fault *f)
{
    size_t n = (size_t)1 << k;
    fxv *p = kit_alloc(n), *q = kit_alloc(n);
    for (size_t i = 0; i < n; i++) {
        pf_fraction x = leaf(w, c, instance, i);
        fxv_set(p, i, x.p);
        fxv_set(q, i, x.q);
    }
    bool ok = fx_equal(kit_eval(p, l->point, k), l->claim.p) && fx_equal(kit_eval(q, l->point, k), l->claim.q);
    free(p);
    free(q);
    return ok ? OK : (fail)(f, ERR_UNPROVED, "claim", instance);
}

static err verify(const witness *committed, bytes proof, fault *f)
{
    static const unsigned k[INSTANCES + 1] = { 4, 4, 3, TABLE_VARS };
    pf_transcript main;
    challenges c = begin(&main, committed);
    pf_reader r = { .in = proof, .f = f };
    pf_fraction root[INSTANCES + 1];
    for (size_t i = 0; i <= INSTANCES; i++) {
        pf_transcript t = pf_fork(&main, "lookup", i);
        pf_lookup l;
        TRY(pf_lookup_verify(&l, &r, &t, k[i], i < INSTANCES ? PF_LOOKUP_UNIT : PF_LOOKUP_TABLE));
        TRY(check_claim(&l, k[i], committed, c, i, f));
        root[i] = l.root;
    }
    TRY(pf_read_end(&r));
    return pf_fractions_balance(root, INSTANCES, root[INSTANCES]) ? OK : (fail)(f, ERR_UNPROVED, "balance", 0);
}

static void expect(const witness *committed, const witness *used, const char *what)
{
    buf proof = prove(committed, used);
    fault f = { 0 };
    err e = verify(committed, buf_bytes(&proof), &f);
    if (what) {
        assert_int_equal(e, ERR_UNPROVED);
        assert_string_equal(f.what, what);
    } else {
        assert_int_equal(e, OK);
    }
    buf_deinit(&proof);
}

/* ---- the honest argument, and each lie about it ---- */

static void honest_lookups_balance(void **state)
{
    (void)state;
    witness w = witness_honest();
    expect(&w, &w, NULL);
}

static void a_value_outside_its_table_does_not_balance(void **state)
{
    (void)state;
    static const int32_t outside[] = { 16, 17, 1000, 65536, 131071, (1 << 24) - 1, -1, -(1 << 24) };
    for (size_t i = 0; i < COUNT_OF(outside); i++)
        for (size_t at = 0; at < TILE; at += 3) {
            witness w = witness_honest();
            w.tile[0][at] = outside[i];
            expect(&w, &w, "balance"); /* the count of the value that was replaced is left */
            witness_count(&w);
            expect(&w, &w, "balance");
        }
    witness w = witness_honest();
    w.tile[1][0] = 5; /* in the other table only */
    witness_count(&w);
    expect(&w, &w, "balance");
    w = witness_honest();
    w.tile[3][2] = 1; /* filler that is no filler */
    witness_count(&w);
    expect(&w, &w, "balance");
}

static void a_pair_that_is_no_row_does_not_balance(void **state)
{
    (void)state;
    witness w = witness_honest();
    w.y[3] = w.y[3] + 1; /* a wrong result */
    witness_count(&w);
    expect(&w, &w, "balance");
    w = witness_honest();
    w.y[3] = w.y[4]; /* of the neighbour */
    witness_count(&w);
    expect(&w, &w, "balance");
    w = witness_honest();
    w.x[0] = 8; /* past the table */
    w.y[0] = pair_of(8);
    witness_count(&w);
    expect(&w, &w, "balance");
}

static void wrong_multiplicities_do_not_balance(void **state)
{
    (void)state;
    for (size_t i = 0; i < PADDED; i++)
        for (int64_t by = -1; by <= 1; by += 2) {
            witness w = witness_honest();
            w.mult[i] += by; /* the padding has the fingerprint 0, which no leaf has */
            expect(&w, &w, "balance");
            w.mult[(i + 1) % ENTRIES] -= by; /* a pair that keeps the number of leaves */
            expect(&w, &w, "balance");
        }
    witness w = witness_honest();
    memset(w.mult, 0, sizeof w.mult);
    expect(&w, &w, "balance");
    w = witness_honest();
    for (size_t i = 0; i < PADDED; i++)
        w.mult[i] *= 2;
    expect(&w, &w, "balance");
}

static void tiles_other_than_the_committed_are_false_claims(void **state)
{
    (void)state;
    witness w = witness_honest(), used = w;
    w.tile[0][0] = 99; /* committed outside the table, proved with an honest one */
    expect(&w, &used, "claim");
    w = witness_honest();
    memset(used.tile[2], 0, sizeof used.tile[2]); /* omitted: filler in its place */
    used.tag[2] = 1;
    witness_count(&used);
    expect(&w, &used, "claim");
    used = w;
    memcpy(used.tile[2], used.tile[0], sizeof used.tile[2]); /* counted twice */
    witness_count(&used);
    expect(&w, &used, "claim");
    used = w;
    memcpy(&used.tile[1][0], &used.tile[0][4], 4 * sizeof(int32_t)); /* overlapping */
    used.tag[1] = 16;
    witness_count(&used);
    expect(&w, &used, "claim");
    used = w;
    used.tag[1] = 16; /* looked up in the larger table */
    witness_count(&used);
    expect(&w, &used, "claim");
    used = w;
    memcpy(used.tile[0], w.tile[2], sizeof w.tile[0]); /* exchanged */
    memcpy(used.tile[2], w.tile[0], sizeof w.tile[0]);
    expect(&w, &used, "claim");
    used = w;
    used.mult[7]++; /* a table claim about other multiplicities than the committed */
    used.mult[8]--;
    expect(&w, &used, "claim");
}

/* Proofs of two instances of one shape exchanged, and a proof under another statement. */
static void each_fork_has_its_own_challenges(void **state)
{
    (void)state;
    witness w = witness_honest();
    memcpy(w.tile[2], w.tile[0], 2 * sizeof w.tile[0]);
    memcpy(w.tag + 2, w.tag, 2 * sizeof w.tag[0]);
    witness_count(&w);
    expect(&w, &w, NULL);
    buf proof = prove(&w, &w);
    size_t one = (2 + 4 * 3 + 4 * 4 - 2) * FX_BYTES;
    assert_memory_equal(proof.data, proof.data + one, 2 * FX_BYTES); /* the same sum, proved with other challenges */
    assert_memory_not_equal(proof.data, proof.data + one, one);
    fault f = { 0 };
    uint8_t first[28 * FX_BYTES];
    memcpy(first, proof.data, sizeof first);
    memcpy(proof.data, proof.data + one, one);
    assert_int_equal(verify(&w, buf_bytes(&proof), &f), ERR_UNPROVED);
    assert_string_equal(f.what, "lookup.layer");
    memcpy(proof.data, first, sizeof first);
    assert_int_equal(verify(&w, buf_bytes(&proof), &f), OK);
    witness other = w;
    other.tile[0][0] ^= 1;
    assert_int_equal(verify(&other, buf_bytes(&proof), &f), ERR_UNPROVED);
    buf_deinit(&proof);
}

static void each_byte_altered_is_refused(void **state)
{
    (void)state;
    witness w = witness_honest();
    buf proof = prove(&w, &w);
    for (size_t i = 0; i < proof.len; i++) {
        fault f = { 0 };
        proof.data[i] ^= (uint8_t)(1u << i % 8);
        err e = verify(&w, buf_bytes(&proof), &f);
        assert_true(e == ERR_UNPROVED || e == ERR_CANONICAL);
        assert_int_equal(f.code, e);
        proof.data[i] ^= (uint8_t)(1u << i % 8);
    }
    buf_deinit(&proof);
}

static void fractions_balance_only_if_equal(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (size_t n = 0; n < 6; n++) {
        pf_fraction f[6], sum = { FX_ZERO, FX_ONE };
        for (size_t i = 0; i < n; i++) {
            f[i] = (pf_fraction){ kit_fx(&seed), kit_fx(&seed) };
            sum.p = fx_add(sum.p, fx_mul(f[i].p, fx_inv(f[i].q)));
        }
        pf_fraction scaled = { fx_mul(sum.p, fx_from_i64(5)), fx_from_i64(5) };
        assert_true(pf_fractions_balance(f, n, sum) && pf_fractions_balance(f, n, scaled));
        sum.p = fx_add(sum.p, FX_ONE);
        assert_false(pf_fractions_balance(f, n, sum));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(honest_lookups_balance),
        cmocka_unit_test(a_value_outside_its_table_does_not_balance),
        cmocka_unit_test(a_pair_that_is_no_row_does_not_balance),
        cmocka_unit_test(wrong_multiplicities_do_not_balance),
        cmocka_unit_test(tiles_other_than_the_committed_are_false_claims),
        cmocka_unit_test(each_fork_has_its_own_challenges),
        cmocka_unit_test(each_byte_altered_is_refused),
        cmocka_unit_test(fractions_balance_only_if_equal),
    };
    CHECK(pv_lookup_room_new(&room, TABLE_VARS) == OK);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pv_lookup_room_free(room);
    return failed;
}
