/* SPDX-License-Identifier: Apache-2.0
 *
 * The transcript of a whole proof, from the tape that prover and verifier leave (plant.h): no list of messages is written here, so a new
 * one is covered when it is made. */
#include "plant.h"
#include "prove/range_kit.h"

static step_kit   kit;
static buf        proof;
static plant_tape of_prover, of_verifier;

static err verify_taped(plant_tape *tape, size_t altered)
{
    planted = (plant){ .tape = tape, .altered = altered };
    err e = pf_verify(&kit.subject, buf_bytes(&proof), NULL, NULL);
    planted = (plant){ 0 };
    return e;
}

static int make_tapes(void)
{
    buf_init(&proof, (size_t)1 << 24);
    planted.tape = &of_prover;
    assert_int_equal(pv_prove(kit.ws, &kit.witness, &proof, NULL), OK);
    return verify_taped(&of_verifier, 0) == OK ? 0 : -1;
}

static int setup(void **state)
{
    (void)state;
    kit_make(&kit, &(num_shape){ 7, 3, 15, 1, 3, 12, NUM_NARROW }, 1, 1, NULL);
    kit_finer(&kit, 2); /* so that there are exceptions */
    return make_tapes();
}

/* A step that ends in RANGE. */
static int setup_range(void **state)
{
    (void)state;
    size_t i = 0;
    while (range_cases[i].slot != NUM_QQ)
        i++;
    range_make(&kit, &range_cases[i]);
    return make_tapes();
}

static int teardown(void **state)
{
    (void)state;
    plant_tape_drop(&of_prover);
    plant_tape_drop(&of_verifier);
    buf_deinit(&proof);
    kit_drop(&kit);
    return 0;
}

static int by_state(const void *a, const void *b)
{
    const plant_event *x = a, *y = b;
    int order = memcmp(&x->before, &y->before, sizeof x->before);
    return order ? order : memcmp(&x->after, &y->after, sizeof x->after);
}

/* The prover runs its forks in another order; the states say which call is which. */
static void prover_and_verifier_leave_the_same_tape(void **state)
{
    (void)state;
    size_t n = of_prover.count;
    plant_event *a = malloc(n * sizeof *a), *b = malloc(n * sizeof *b);
    assert_int_equal(of_verifier.count, n);
    memcpy(a, of_prover.event, n * sizeof *a);
    memcpy(b, of_verifier.event, n * sizeof *b);
    qsort(a, n, sizeof *a, by_state);
    qsort(b, n, sizeof *b, by_state);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(a[i].kind, b[i].kind);
        assert_string_equal(a[i].label, b[i].label);
        assert_int_equal(a[i].len, b[i].len);
        assert_memory_equal(&a[i].before, &b[i].before, sizeof a[i].before);
        assert_memory_equal(&a[i].after, &b[i].after, sizeof a[i].after);
    }
    free(a);
    free(b);
}

/* Every byte up to the opened columns is absorbed, once; of the columns and their tree, which nothing follows, none is. */
static void every_byte_is_absorbed_once(void **state)
{
    (void)state;
    uint8_t *times = calloc(proof.len, 1);
    size_t last = 0;
    for (size_t i = 0; i < of_verifier.count; i++) {
        const plant_event *e = &of_verifier.event[i];
        if (e->kind != PLANT_ABSORB || e->data < proof.data || e->data >= proof.data + proof.len)
            continue;
        for (size_t k = 0; k < e->len; k++)
            times[(size_t)(e->data - proof.data) + k]++;
        if (strcmp(e->label, "evaluation") == 0)
            last = (size_t)(e->data - proof.data) + e->len;
    }
    assert_true(last > 0);
    for (size_t i = 4; i < proof.len; i++) /* the version begins the transcript */
        assert_int_equal(times[i], i < last);
    free(times);
}

/* --- every field of the proof ---------------------------------------------------------------------------------------------- */

/* The next message of the same length that differs, in this proof; NULL: there is none. */
static const uint8_t *neighbour(const uint8_t *at, size_t len, size_t k)
{
    for (size_t i = k + 1; i < of_verifier.count; i++) {
        const plant_event *e = &of_verifier.event[i];
        if (e->kind == PLANT_ABSORB && e->len == len && e->data >= proof.data && e->data < proof.data + proof.len && memcmp(e->data, at, len) != 0)
            return e->data;
    }
    return NULL;
}

static void refused_with(uint8_t *at, size_t len, const uint8_t *instead, const char *label, const char *how)
{
    uint8_t *was = malloc(len);
    fault f = { 0 };
    assert_non_null(was);
    memcpy(was, at, len);
    memcpy(at, instead, len);
    err e = memcmp(was, at, len) == 0 ? ERR_UNPROVED : pf_verify(&kit.subject, buf_bytes(&proof), NULL, &f);
    memcpy(at, was, len);
    free(was);
    if (e != ERR_UNPROVED && e != ERR_CANONICAL && e != ERR_TRUNCATED && e != ERR_TRAILING && e != ERR_LIMIT)
        fail_msg("%s, %s: %s", label, how, err_describe(e)->name);
}

/* Each message, from the tape: one bit altered; and zeroes, its neighbour, or the same message of another valid proof in its place. */
static void every_message_counts(void **state)
{
    (void)state;
    step_kit other;
    buf another;
    size_t messages = 0;
    kit_make(&other, &(num_shape){ 7, 3, 15, 1, 3, 12, NUM_NARROW }, 1, 2, NULL);
    buf_init(&another, (size_t)1 << 24);
    assert_int_equal(pv_prove(other.ws, &other.witness, &another, NULL), OK);
    for (size_t k = 0; k < of_verifier.count; k++) {
        const plant_event *e = &of_verifier.event[k];
        if (e->kind != PLANT_ABSORB || e->data < proof.data || e->data >= proof.data + proof.len)
            continue;
        size_t first = (size_t)(e->data - proof.data), bit = k % (8 * e->len);
        uint8_t *at = proof.data + first, *instead = malloc(e->len);
        const uint8_t *next = neighbour(at, e->len, k);
        assert_non_null(instead);
        memcpy(instead, at, e->len);
        instead[bit / 8] ^= (uint8_t)(1u << bit % 8);
        refused_with(at, e->len, instead, e->label, "a bit");
        memset(instead, 0, e->len);
        if (messages % 3 == 0)
            refused_with(at, e->len, instead, e->label, "zero");
        else if (messages % 3 == 1 && next)
            refused_with(at, e->len, next, e->label, "the next one");
        else if (first + e->len <= another.len)
            refused_with(at, e->len, another.data + first, e->label, "another proof's");
        free(instead);
        messages++;
    }
    print_message("%zu messages\n", messages);
    assert_true(messages > 100);
    assert_int_equal(pf_verify(&kit.subject, buf_bytes(&proof), NULL, NULL), OK);
    buf_deinit(&another);
    kit_drop(&other);
}

/* --- the statement --------------------------------------------------------------------------------------------------------- */

static hash256 statement_state(const pf_subject *s)
{
    pf_transcript t;
    pf_start(&t, PF_VERSION);
    pf_subject_absorb(&t, s);
    return t.state;
}

/* Each byte of each field of a statement, less what a root stands for and padding, is bound before the first challenge. */
static void the_whole_statement_is_absorbed(void **state)
{
    (void)state;
    pf_subject s = kit.subject;
    uint64_t numbers[2] = { 100, 103 };
    s.numbers = numbers;
    s.sequences = 2;
    const struct { void *at; size_t size; } fields[] = {
        { &s.shape.vocab, 4 }, { &s.shape.context, 4 }, { &s.shape.width, 4 }, { &s.shape.heads, 4 }, { &s.shape.bits, sizeof s.shape.bits },
        { &s.shape.helper, sizeof s.shape.helper }, { s.fractions.layer, sizeof s.fractions.layer[0] }, { &s.fractions.top, sizeof s.fractions.top },
        { &s.model_id, 32 }, { &s.weight_root, 32 }, { &s.tables_hash, 32 }, { &s.job_id, 32 }, { &s.step, 8 }, { numbers, sizeof numbers },
        { &s.tokens_root, 32 }, { &s.lease_hash, 32 }, { &s.worker, 32 }, { &s.level, 1 }, { &s.loss, 8 }, { &s.gradient_root, 32 },
    };
    hash256 honest = statement_state(&s), other;
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        for (size_t k = 0; k < fields[i].size; k++) {
            uint8_t *at = (uint8_t *)fields[i].at + k;
            *at ^= 1;
            other = statement_state(&s);
            *at ^= 1;
            if (memcmp(&other, &honest, sizeof other) == 0)
                fail_msg("field %zu byte %zu is not absorbed", i, k);
        }
    s.result = (pf_result){ true, 3, 4, 5 };
    const struct { void *at; size_t size; } place[] = { { &s.result.range, 1 }, { &s.result.tensor, 4 }, { &s.result.sequence, 8 }, { &s.result.index, 8 } };
    hash256 range = statement_state(&s);
    for (size_t i = 0; i < COUNT_OF(place); i++)
        for (size_t k = 0; k < place[i].size; k++) {
            uint8_t *at = (uint8_t *)place[i].at + k;
            *at ^= 1;
            other = statement_state(&s);
            *at ^= 1;
            assert_memory_not_equal(&other, &range, sizeof other);
        }
    s.result = (pf_result){ 0 };
    s.shape.layers = 2;
    other = statement_state(&s);
    assert_memory_not_equal(&other, &honest, sizeof other);
    s.shape.layers = 1;
    s.sequences = 1;
    other = statement_state(&s);
    assert_memory_not_equal(&other, &honest, sizeof other);
}

/* --- what depends on an absorb --------------------------------------------------------------------------------------------- */

static bool same(const hash256 *a, const hash256 *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

/* Whether a call's input is the state `x`. */
static bool follows(const plant_tape *t, const plant_event *e, const hash256 *x)
{
    if (same(&e->before, x))
        return true;
    for (size_t i = 0; e->kind == PLANT_JOIN && i < e->len; i++)
        if (same(&t->joined[e->joined + i], x))
            return true;
    return false;
}

/* The first squeeze that depends on call k: states are followed through absorbs, forks and joins. t->count: there is none. */
static size_t next_squeeze(const plant_tape *t, size_t k)
{
    hash256 *reached = malloc((t->count - k) * sizeof *reached);
    size_t n = 1, at;
    assert_non_null(reached);
    reached[0] = t->event[k].after;
    for (at = k + 1; at < t->count; at++) {
        const plant_event *e = &t->event[at];
        bool depends = false;
        for (size_t i = 0; i < n && !depends; i++)
            depends = follows(t, e, &reached[i]);
        if (depends && e->kind == PLANT_SQUEEZE)
            break;
        if (depends)
            reached[n++] = e->after;
    }
    free(reached);
    return at;
}

static void check_absorb(size_t k)
{
    const plant_tape *honest = &of_verifier;
    plant_tape tape = { 0 };
    size_t next = next_squeeze(honest, k);
    if (next == honest->count)
        fail_msg("nothing depends on call %zu (%s)", k, honest->event[k].label);
    (void)verify_taped(&tape, k + 1);
    assert_true(tape.count > next);
    for (size_t i = 0; i <= next; i++) {
        const plant_event *a = &honest->event[i], *b = &tape.event[i];
        assert_string_equal(a->label, b->label);
        if (i < k)
            assert_true(same(&a->after, &b->after));
        if (i == next && same(&a->after, &b->after))
            fail_msg("call %zu (%s) does not change the next challenge (%s)", k, honest->event[k].label, a->label);
    }
    plant_tape_drop(&tape);
}

static void a_changed_absorb_changes_the_next_challenge(void **state)
{
    (void)state;
    size_t absorbs = 0;
    for (size_t k = 0; k < of_verifier.count; k++) {
        plant_kind kind = of_verifier.event[k].kind;
        if (kind != PLANT_ABSORB && kind != PLANT_JOIN)
            continue;
        check_absorb(k);
        absorbs++;
    }
    print_message("%zu absorbs\n", absorbs);
    assert_true(absorbs > 100);
}

/* Of probability 1 / |K|, so it is forced: a round polynomial without its value at 1. */
static void a_challenge_of_zero_is_refused(void **state)
{
    (void)state;
    fault f = { 0 };
    planted.zero = "line";
    assert_int_equal(pf_verify(&kit.subject, buf_bytes(&proof), NULL, &f), ERR_UNPROVED);
    planted.zero = NULL;
    assert_string_equal(f.what, "lookup.point");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prover_and_verifier_leave_the_same_tape),
        cmocka_unit_test(every_byte_is_absorbed_once),
        cmocka_unit_test(every_message_counts),
        cmocka_unit_test(the_whole_statement_is_absorbed),
        cmocka_unit_test(a_changed_absorb_changes_the_next_challenge),
        cmocka_unit_test(a_challenge_of_zero_is_refused),
    };
    const struct CMUnitTest range_tests[] = {
        cmocka_unit_test(prover_and_verifier_leave_the_same_tape),
        cmocka_unit_test(every_byte_is_absorbed_once),
        cmocka_unit_test(every_message_counts),
        cmocka_unit_test(a_changed_absorb_changes_the_next_challenge),
    };
    int failed = cmocka_run_group_tests(tests, setup, teardown);
    return failed + cmocka_run_group_tests(range_tests, setup_range, teardown);
}
