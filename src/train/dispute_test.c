/* SPDX-License-Identifier: Apache-2.0 */
#include "train/dispute.h"

#include "train/job_kit.h"
#include "train/spoil.h"
#include "train/token_root.h"

static job_kit       k;
static cr_secret_key coordinator, worker;
static cr_public_key coordinator_public, worker_public;

enum { FROM = 8, TO = 11 };
static const uint64_t numbers[] = { 8, 9, 10 };

static int setup(void **state)
{
    (void)state;
    uint8_t seed[32] = { 1 };
    assert_int_equal(cr_ed25519_self_test(), OK);
    cr_ed25519_keypair(&coordinator, &coordinator_public, seed);
    seed[0] = 2;
    cr_ed25519_keypair(&worker, &worker_public, seed);
    job_make(&k);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    job_drop(&k);
    return 0;
}

static void reset_trace(void *ctx)
{
    tr_trace_reset(ctx);
}

static tr_task task_of(void)
{
    return (tr_task){ &k.model, &k.data, k.job, 0, FROM, TO };
}

/* A run that is watched, and spoiled if `spoil` is given. Returns the loss. */
static int64_t run_to(int64_t *gradient, tr_observer see, tr_spoil *spoil)
{
    int64_t loss;
    bt_result result;
    tr_task task = task_of();
    if (spoil) {
        spoil->next = see;
        see = tr_spoil_observer(spoil);
    }
    assert_int_equal(tr_exec_run(&k.exec, &task, gradient, &loss, &result, &see, NULL), OK);
    return loss;
}

static void run(tr_observer see, tr_spoil *spoil)
{
    int64_t *gradient = malloc(k.elements * 8);
    run_to(gradient, see, spoil);
    free(gradient);
}

typedef struct signed_pair {
    uint8_t           lease_room[1024], attestation_room[1024];
    bytes             lease, attestation;
    chain_lease       l;
    chain_attestation a;
} signed_pair;

static void sign(signed_pair *s, const hash256 *root, const hash256 *gradient, int64_t loss)
{
    hash256 hash;
    s->l = (chain_lease){ .version = CHAIN_LEASE_VERSION, .job = k.job, .lease_id = 5, .step = 0, .from = FROM, .to = TO,
                          .model = k.model.id, .tokens = tr_token_root(&k.data, &k.job, FROM, TO, k.shape.context), .worker = worker_public, .price = 9, .level_min = CHAIN_LEVEL_REFEREED,
                          .expiry_height = 100 };
    assert_int_equal(chain_name_set(&s->l.chain_id, bytes_of_str("tb-dev")), OK);
    assert_int_equal(chain_lease_sign(&s->lease, s->lease_room, sizeof s->lease_room, &s->l, &coordinator, &hash, NULL), OK);
    s->a = (chain_attestation){ .version = CHAIN_ATTESTATION_VERSION, .lease = hash, .gradient = *gradient, .trace_root = *root,
                                .level = CHAIN_LEVEL_REFEREED, .spec_version = CHAIN_SPEC_VERSION, .loss = loss, .tokens = 48 };
    assert_int_equal(chain_attestation_sign(&s->attestation, s->attestation_room, sizeof s->attestation_room, &s->a, &worker, &hash,
                                            NULL), OK);
}

static void one_cheat(uint8_t number, tr_spoil_kind kind)
{
    fault f = { 0 };
    tr_trace mine, theirs;
    tr_spoil spoil;
    hash256 lease = { { number, 3 } }, root;
    tr_spoil_choose(&spoil, &(tr_cheat){ 7, 1000000, 0, kind }, &k.shape, &lease, FROM, TO);
    assert_int_equal(tr_trace_init(&mine, &k.shape, TO - FROM, numbers, NULL, NULL), OK);
    assert_int_equal(tr_trace_init(&theirs, &k.shape, TO - FROM, numbers, NULL, NULL), OK);
    run((tr_observer){ tr_trace_take, &mine, reset_trace }, NULL);
    run((tr_observer){ tr_trace_take, &theirs, reset_trace }, &spoil);
    assert_int_equal(tr_trace_root(&theirs, &root, NULL), OK);
    signed_pair s;
    sign(&s, &root, &(hash256){ { 1 } }, 1);

    tr_dispute d = { .lease = s.lease, .attestation = s.attestation };
    assert_int_equal(tr_dispute_leaves(&d, &mine, theirs.leaves, &s.a, &f), OK);
    assert_int_equal(d.place.tensor.id, spoil.tensor);
    assert_int_equal(d.place.sequence, spoil.sequence);
    tr_tile tile = { .shape = k.shape, .place = d.place };
    run((tr_observer){ tr_tile_take, &tile, NULL }, &spoil);
    assert_true(tile.found);
    bytes leaf = bytes_of(tile.leaf, num_leaf_bytes(d.place.tensor.elem_bytes));
    tr_capture capture;
    assert_int_equal(tr_capture_init(&capture, &k.shape, d.place.sequence, NULL), OK);
    run((tr_observer){ tr_capture_take, &capture, tr_capture_reset }, NULL);
    assert_int_equal(tr_dispute_tile(&d, leaf, theirs.leaves, &capture, &f), OK);
    assert_int_equal(d.element, spoil.index);
    assert_true(d.mine - d.theirs == 1 || d.theirs - d.mine == 1);

    buf out;
    pf_verdict v;
    tr_task task = task_of();
    buf_init(&out, LIMIT_EVIDENCE_BYTES);
    err e = tr_dispute_evidence(&out, &v, &d, &mine, theirs.leaves, leaf, &capture, &task, &f);
    if (e != OK)
        fail_msg("tensor %u slot %u element %llu: %s: %s", spoil.tensor / 64, spoil.tensor % 64, (unsigned long long)spoil.index,
                 err_describe(e)->name, f.what ? f.what : "");
    assert_int_equal(v.committed, d.theirs);
    assert_int_equal(v.expected, d.mine);
    assert_true(out.len <= LIMIT_EVIDENCE_BYTES);

    /* What the accused may try: other leaves, another tile. */
    theirs.leaves[3].b[0] ^= 1;
    assert_int_equal(tr_dispute_leaves(&d, &mine, theirs.leaves, &s.a, &f), ERR_PROOF);
    theirs.leaves[3].b[0] ^= 1;
    tile.leaf[NUM_LEAF_HEAD] ^= 1;
    assert_int_equal(tr_dispute_tile(&d, leaf, theirs.leaves, &capture, &f), ERR_PROOF);
    assert_int_equal(tr_dispute_tile(&d, bytes_of(leaf.data, leaf.len - 1), theirs.leaves, &capture, &f), ERR_SHAPE);
    buf_deinit(&out);
    tr_capture_deinit(&capture);
    tr_trace_deinit(&mine);
    tr_trace_deinit(&theirs);
}

static void every_cheat_in_the_trace_gives_evidence(void **state)
{
    (void)state;
    for (uint8_t i = 0; i < 40; i++)
        one_cheat(i, TR_SPOIL_OPERATION);
    for (uint8_t i = 0; i < 6; i++) { /* what depends on tokens */
        one_cheat(i, TR_SPOIL_INPUT);
        one_cheat(i, TR_SPOIL_TOKEN_LOSS);
    }
}

/* A leaf with something in its padding: no element of it can be opened, and it is evidence as it is. */
static void a_malformed_leaf_gives_evidence(void **state)
{
    (void)state;
    fault f = { 0 };
    tr_trace mine, theirs;
    hash256 root;
    num_trace_tensor t;
    uint8_t leaf[NUM_LEAF_BYTES_MAX];
    tr_capture capture;
    const uint32_t loss = NUM_TENSOR_ID(k.shape.layers, NUM_LOSS);
    assert_int_equal(num_trace_find(&t, NULL, &k.shape, loss), OK);
    tr_tile tile = { .shape = k.shape, .place = { .tensor = t, .sequence = FROM } };
    assert_int_equal(tr_trace_init(&mine, &k.shape, TO - FROM, numbers, NULL, NULL), OK);
    assert_int_equal(tr_trace_init(&theirs, &k.shape, TO - FROM, numbers, NULL, NULL), OK);
    assert_int_equal(tr_capture_init(&capture, &k.shape, FROM, NULL), OK);
    run((tr_observer){ tr_trace_take, &mine, reset_trace }, NULL);
    run((tr_observer){ tr_trace_take, &theirs, reset_trace }, NULL);
    run((tr_observer){ tr_tile_take, &tile, NULL }, NULL);
    run((tr_observer){ tr_capture_take, &capture, tr_capture_reset }, NULL);
    memcpy(leaf, tile.leaf, sizeof leaf);
    leaf[NUM_LEAF_HEAD + 8] = 1; /* the second column: the tensor has one */
    bytes theirs_leaf = bytes_of(leaf, num_leaf_bytes(t.elem_bytes));
    theirs.leaves[num_trace_leaf(&t, TO - FROM, 0, 0, 0)] = cr_merkle_leaf(&cr_merkle_blake3, theirs_leaf);
    assert_int_equal(tr_trace_root(&theirs, &root, NULL), OK);
    signed_pair s;
    sign(&s, &root, &(hash256){ { 1 } }, 1);
    tr_dispute d = { .lease = s.lease, .attestation = s.attestation };
    assert_int_equal(tr_dispute_leaves(&d, &mine, theirs.leaves, &s.a, &f), OK);
    assert_int_equal(tr_dispute_tile(&d, theirs_leaf, theirs.leaves, &capture, &f), OK);
    assert_true(d.malformed);
    buf out;
    pf_verdict v;
    tr_task task = task_of();
    buf_init(&out, LIMIT_EVIDENCE_BYTES);
    assert_int_equal(tr_dispute_evidence(&out, &v, &d, &mine, theirs.leaves, theirs_leaf, &capture, &task, &f), OK);
    assert_int_equal(v.tensor, PF_LEAF);
    assert_int_equal(v.element, d.place.leaf);
    buf_deinit(&out);
    tr_capture_deinit(&capture);
    tr_trace_deinit(&mine);
    tr_trace_deinit(&theirs);
}

typedef struct gradient_case {
    tr_trace    trace;
    int64_t    *mine, *theirs, loss;
    signed_pair s;
} gradient_case;

static void gradient_setup(gradient_case *c)
{
    c->mine = malloc(k.elements * 8);
    c->theirs = malloc(k.elements * 8);
    assert_int_equal(tr_trace_init(&c->trace, &k.shape, TO - FROM, numbers, NULL, NULL), OK);
    c->loss = run_to(c->mine, (tr_observer){ tr_trace_take, &c->trace, reset_trace }, NULL);
    memcpy(c->theirs, c->mine, k.elements * 8);
}

static void gradient_teardown(gradient_case *c)
{
    tr_trace_deinit(&c->trace);
    free(c->mine);
    free(c->theirs);
}

/* The worker attests `theirs` and `loss`; the accuser has `mine` and c->loss. */
static err sum_evidence(gradient_case *c, int64_t loss, tr_sum_dispute *d, buf *out, pf_verdict *v, fault *f)
{
    hash256 root, gradient;
    tr_task task = task_of();
    assert_int_equal(tr_trace_root(&c->trace, &root, NULL), OK);
    assert_int_equal(tr_gradient_root(&gradient, &k.shape, c->theirs, NULL, NULL), OK);
    sign(&c->s, &root, &gradient, loss);
    *d = (tr_sum_dispute){ .lease = c->s.lease, .attestation = c->s.attestation, .trace = &c->trace };
    TRY(loss != c->loss ? tr_dispute_loss(d, c->loss, loss, &task, f) : tr_dispute_gradient(d, c->mine, c->theirs, &task, NULL, f));
    run((tr_observer){ tr_dispute_sum_take, d, NULL }, NULL);
    return tr_dispute_sum_evidence(out, v, d, &task, f);
}

static err gradient_evidence(gradient_case *c, tr_sum_dispute *d, buf *out, pf_verdict *v, fault *f)
{
    return sum_evidence(c, c->loss, d, out, v, f);
}

static void a_cheat_in_any_weight_gives_evidence(void **state)
{
    (void)state;
    gradient_case c;
    gradient_setup(&c);
    for (uint32_t tensor = 0; tensor < num_tensor_count(&k.shape); tensor++) {
        num_tensor_info t = num_tensor_describe(&k.shape, tensor);
        uint64_t count = (uint64_t)t.rows * t.cols, at[] = { 0, count / 2, count - 1 };
        for (size_t i = 0; i < COUNT_OF(at); i++) {
            tr_sum_dispute d;
            pf_verdict v;
            buf out;
            fault f = { 0 };
            c.theirs[t.offset + at[i]] += i == 1 ? -(1LL << 40) : 1;
            buf_init(&out, LIMIT_EVIDENCE_BYTES);
            err e = gradient_evidence(&c, &d, &out, &v, &f);
            if (e != OK)
                fail_msg("tensor %u element %llu: %s: %s", tensor, (unsigned long long)at[i], err_describe(e)->name, f.what ? f.what : "");
            assert_int_equal(d.tensor, PF_GRADIENT + tensor);
            assert_true(out.len <= tr_dispute_bytes_max(&k.shape, TO - FROM));
            assert_int_equal(d.element, at[i]);
            assert_int_equal(v.committed, c.theirs[t.offset + at[i]]);
            assert_int_equal(v.expected, c.mine[t.offset + at[i]]);
            c.theirs[t.offset + at[i]] = c.mine[t.offset + at[i]];
            tr_dispute_sum_deinit(&d);
            buf_deinit(&out);
        }
    }
    gradient_teardown(&c);
}

static void count_inputs(uint32_t *count)
{
    uint16_t tokens[64];
    memset(count, 0, k.shape.vocab * sizeof *count);
    for (uint64_t s = FROM; s < TO; s++) {
        tr_dataset_sequence(tokens, &k.data, &k.job, s, k.shape.context);
        for (uint32_t i = 0; i < k.shape.context; i++)
            count[tokens[i]]++;
    }
}

/* A gradient that is wrong everywhere is convicted by the row with the fewest inputs: a token that the lease does not have, or a rare one. */
static void the_rarest_token_is_disputed(void **state)
{
    (void)state;
    gradient_case c;
    tr_sum_dispute d;
    pf_verdict v;
    buf out;
    uint32_t count[256], least = 0;
    gradient_setup(&c);
    count_inputs(count);
    for (uint32_t token = 1; token < k.shape.vocab; token++)
        least = count[token] < count[least] ? token : least;
    for (uint64_t i = 0; i < k.elements; i++)
        c.theirs[i]++;
    buf_init(&out, LIMIT_EVIDENCE_BYTES);
    assert_int_equal(gradient_evidence(&c, &d, &out, &v, NULL), OK);
    assert_int_equal(v.tensor, PF_GRADIENT);
    assert_int_equal(v.element, (uint64_t)least * k.shape.width);
    assert_true(d.tile_count <= count[least]);
    tr_dispute_sum_deinit(&d);
    buf_deinit(&out);
    gradient_teardown(&c);
}

static void a_false_loss_gives_evidence(void **state)
{
    (void)state;
    gradient_case c;
    tr_sum_dispute d;
    pf_verdict v;
    gradient_setup(&c);
    for (int by = -1; by <= 1; by += 2) {
        buf out;
        buf_init(&out, LIMIT_EVIDENCE_BYTES);
        assert_int_equal(sum_evidence(&c, c.loss + by, &d, &out, &v, NULL), OK);
        assert_int_equal(v.tensor, PF_LOSS);
        assert_int_equal(v.committed, c.loss + by);
        assert_int_equal(v.expected, c.loss);
        tr_dispute_sum_deinit(&d);
        buf_deinit(&out);
    }
    tr_task task = task_of();
    assert_int_equal(tr_dispute_loss(&d, 5, 5, &task, NULL), ERR_NOT_FOUND);
    tr_dispute_sum_deinit(&d);
    /* An accuser who added wrongly. */
    buf out;
    buf_init(&out, LIMIT_EVIDENCE_BYTES);
    c.loss++;
    assert_int_equal(sum_evidence(&c, c.loss - 1, &d, &out, &v, NULL), ERR_EVIDENCE);
    tr_dispute_sum_deinit(&d);
    buf_deinit(&out);
    gradient_teardown(&c);
}

/* An accuser whose own gradient is wrong, and gradients that are equal. */
static void an_honest_gradient_cannot_be_convicted(void **state)
{
    (void)state;
    gradient_case c;
    tr_sum_dispute d;
    pf_verdict v;
    buf out;
    gradient_setup(&c);
    buf_init(&out, LIMIT_EVIDENCE_BYTES);
    assert_int_equal(gradient_evidence(&c, &d, &out, &v, NULL), ERR_NOT_FOUND);
    tr_dispute_sum_deinit(&d);
    c.mine[k.elements - 3] += 5;
    assert_int_equal(gradient_evidence(&c, &d, &out, &v, NULL), ERR_EVIDENCE);
    assert_int_equal(out.len, 0);
    tr_dispute_sum_deinit(&d);
    buf_deinit(&out);
    gradient_teardown(&c);
}

static void the_honest_have_nothing_to_fear(void **state)
{
    (void)state;
    fault f;
    tr_trace mine, theirs;
    hash256 root;
    assert_int_equal(tr_trace_init(&mine, &k.shape, TO - FROM, numbers, NULL, NULL), OK);
    assert_int_equal(tr_trace_init(&theirs, &k.shape, TO - FROM, numbers, NULL, NULL), OK);
    run((tr_observer){ tr_trace_take, &mine, reset_trace }, NULL);
    run((tr_observer){ tr_trace_take, &theirs, reset_trace }, NULL);
    assert_int_equal(tr_trace_root(&theirs, &root, NULL), OK);
    signed_pair s;
    sign(&s, &root, &(hash256){ { 1 } }, 1);
    tr_dispute d = { .lease = s.lease, .attestation = s.attestation };
    assert_int_equal(tr_dispute_leaves(&d, &mine, theirs.leaves, &s.a, &f), ERR_NOT_FOUND);

    /* An accuser whose own executor is broken: it claims another value for an element that is right. */
    tr_capture capture;
    assert_int_equal(tr_capture_init(&capture, &k.shape, 9, NULL), OK);
    run((tr_observer){ tr_capture_take, &capture, tr_capture_reset }, NULL);
    num_trace_tensor t;
    uint32_t at;
    assert_int_equal(num_trace_find(&t, &at, &k.shape, NUM_TENSOR_ID(1, NUM_QQ)), OK);
    d.place = (tr_place){ .tensor = t, .sequence = 9, .seq_index = 1, .leaf = num_trace_leaf(&t, TO - FROM, 1, 0, 0) };
    uint8_t leaf[NUM_LEAF_BYTES_MAX];
    num_leaf_encode(leaf, &t, 9, 0, 0, capture.tensors[at]);
    bytes tile = bytes_of(leaf, num_leaf_bytes(2));
    ((int16_t *)(void *)capture.tensors[at])[3] = (int16_t)(((int16_t *)(void *)capture.tensors[at])[3] + 1);
    assert_int_equal(tr_dispute_tile(&d, tile, theirs.leaves, &capture, &f), OK);
    buf out;
    pf_verdict v;
    tr_task task = task_of();
    buf_init(&out, LIMIT_EVIDENCE_BYTES);
    assert_int_equal(tr_dispute_evidence(&out, &v, &d, &mine, theirs.leaves, tile, &capture, &task, &f), ERR_EVIDENCE);
    assert_int_equal(out.len, 0);
    buf_deinit(&out);
    tr_capture_deinit(&capture);
    tr_trace_deinit(&mine);
    tr_trace_deinit(&theirs);
}

static void leases_are_as_long_as_evidence_allows(void **state)
{
    (void)state;
    const struct {
        uint32_t context, width, layers, most;
    } cases[] = { { 16, 32, 2, 32 }, { 64, 128, 4, 7 }, { 256, 384, 6, 1 }, { 512, 128, 4, 0 }, { 4096, 64, 1, 0 } };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        num_shape s = { .vocab = 73, .context = cases[i].context, .width = cases[i].width, .layers = cases[i].layers, .heads = 4, .bits = 12 };
        uint32_t most = tr_dispute_sequences_max(&s);
        assert_int_equal(most, cases[i].most);
        assert_true(most == 0 || tr_dispute_bytes_max(&s, most) <= LIMIT_EVIDENCE_BYTES);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(every_cheat_in_the_trace_gives_evidence),
                                        cmocka_unit_test(a_malformed_leaf_gives_evidence),
                                        cmocka_unit_test(a_cheat_in_any_weight_gives_evidence),
                                        cmocka_unit_test(the_rarest_token_is_disputed),
                                        cmocka_unit_test(a_false_loss_gives_evidence),
                                        cmocka_unit_test(an_honest_gradient_cannot_be_convicted),
                                        cmocka_unit_test(leases_are_as_long_as_evidence_allows),
                                        cmocka_unit_test(the_honest_have_nothing_to_fear) };
    return cmocka_run_group_tests(tests, setup, teardown);
}
