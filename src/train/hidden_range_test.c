/* SPDX-License-Identifier: Apache-2.0
 *
 * NORMAL is attested where RANGE is due. The worker computes right; what stands between it and the coordinator hides what came of it. */
#include "train/gradient.h"
#include "train/range_kit.h"

/* What the hidden leaves of the trace are, those that RANGE did not reach. */
typedef enum hiding {
    HIDES_BEHIND_ZEROS, /* well-formed tiles of zeros, which it opens when it is asked */
    HIDES_NOTHING,      /* none, as under a RANGE root */
} hiding;

typedef struct hider {
    hiding      how;
    chain_lease lease; /* the one it works on, or has hidden what came of: of one, and no other */
    hash256     lease_hash, *leaves; /* of its trace, as they are sent; owned */
    uint64_t    leaf_count;
    atomic_uint hidden; /* 1: the answer said NORMAL */
    atomic_uint opened; /* tiles of zeros */
} hider;

static void hider_free(hider *h)
{
    free(h->leaves);
    h->leaves = NULL;
}

/* Nonces are spread, to leave room for what is sent beside. */
static err forward(line *l, const tr_request *r, unsigned before, buf *reply, fault *f)
{
    char    auth[TR_AUTH_BYTES];
    tr_auth old;
    tr_request sent = *r;
    assert_int_equal(tr_auth_parse(&old, r->auth, NULL), OK);
    sign_again(l, &sent, 8 * old.nonce - before, auth);
    return tr_coordinator_serve(l->coordinator, &sent, reply, f);
}

/* A request of its own, in the shadow of `r`. */
static err beside(line *l, const tr_request *r, const char *kind, uint64_t lease_id, bytes body)
{
    char path[TR_URL_MAX];
    buf  reply;
    tr_request own = *r;
    snprintf(path, sizeof path, TR_PATH_PREFIX "%s/%llu/0", kind, (unsigned long long)lease_id);
    own.method = "PUT";
    own.path = path;
    own.body = body;
    buf_init(&reply, 64);
    err e = forward(l, &own, 1, &reply, NULL);
    buf_deinit(&reply);
    return e;
}

/* The text of leaf number `leaf`, all zeros. */
static bytes tile_of_zeros(const hider *h, uint64_t leaf, uint8_t room[NUM_LEAF_BYTES_MAX])
{
    num_trace_tensor t;
    uint64_t at;
    uint32_t row, col;
    assert_int_equal(num_trace_locate(&t, &at, &row, &col, &shape, h->lease.to - h->lease.from, leaf), OK);
    void *zeros = calloc((size_t)t.rows * t.cols, t.elem_bytes);
    assert_non_null(zeros);
    num_leaf_encode(room, &t, h->lease.from + at, row, col, zeros);
    free(zeros);
    return bytes_of(room, num_leaf_bytes(t.elem_bytes));
}

/* What is sent comes in one part. */
static err send_leaves(hider *h, line *l, const tr_request *r, buf *reply, fault *f)
{
    static const hash256 unreached;
    uint8_t room[NUM_LEAF_BYTES_MAX];
    if (atomic_load(&h->hidden))
        return forward(l, r, 0, reply, f);
    h->leaf_count = r->body.len / sizeof *h->leaves;
    free(h->leaves);
    h->leaves = malloc(r->body.len);
    assert_non_null(h->leaves);
    memcpy(h->leaves, r->body.data, r->body.len);
    for (uint64_t i = 0; i < h->leaf_count && h->how == HIDES_BEHIND_ZEROS; i++)
        if (hash256_equal(&h->leaves[i], &unreached))
            h->leaves[i] = cr_merkle_leaf(&cr_merkle_blake3, tile_of_zeros(h, i, room));
    tr_request sent = *r;
    sent.body = bytes_of(h->leaves, r->body.len);
    return forward(l, &sent, 0, reply, f);
}

/* RANGE becomes NORMAL, with a gradient and a loss of 0. */
static err send_attestation(hider *h, line *l, const tr_request *r, buf *reply, fault *f)
{
    chain_attestation a;
    chain_signed s;
    uint8_t room[2048];
    cr_secret_key key = kit_key(l->who);
    assert_int_equal(chain_attestation_decode(&a, &s, r->body, NULL), OK);
    if (a.result != CHAIN_RESULT_RANGE || atomic_load(&h->hidden))
        return forward(l, r, 0, reply, f);
    buf file;
    uint64_t elements = num_parameter_count(&shape);
    int64_t *gradient = calloc((size_t)elements, sizeof *gradient);
    tr_gradient_head head = { .model = h->lease.model, .lease = h->lease_hash, .shape = shape };
    assert_non_null(gradient);
    buf_init(&file, (size_t)tr_gradient_bytes_max(elements));
    assert_int_equal(tr_gradient_encode(&file, &head, gradient, NULL, NULL), OK);
    err e = beside(l, r, "gradient", h->lease.lease_id, buf_bytes(&file));
    buf_deinit(&file);
    free(gradient);
    if (e != OK) /* somebody else has answered, or the step is over */
        return (fail)(f, e, "hidden", 0);
    a.result = CHAIN_RESULT_NORMAL;
    a.range_tensor = 0;
    a.range_sequence = a.range_index = 0;
    a.gradient = head.root;
    a.trace_root = cr_merkle_root(&cr_merkle_blake3, h->leaves, (size_t)h->leaf_count);
    tr_request sent = *r;
    assert_int_equal(chain_attestation_sign(&sent.body, room, sizeof room, &a, &key, NULL, NULL), OK);
    e = forward(l, &sent, 0, reply, f);
    atomic_fetch_add(&h->hidden, e == OK);
    return e;
}

/* Notes the lease; answers for a tile that the worker does not have. */
static err get_work(hider *h, line *l, const tr_request *r, buf *reply, fault *f)
{
    tr_work work;
    chain_signed s;
    uint8_t room[NUM_LEAF_BYTES_MAX];
    TRY(forward(l, r, 2, reply, f));
    if (tr_work_decode(&work, buf_bytes(reply), NULL) != OK)
        return OK;
    if (work.kind == TR_WORK_LEASE && !atomic_load(&h->hidden) && chain_lease_decode(&h->lease, &s, work.lease, NULL) == OK)
        h->lease_hash = s.hash;
    if (work.kind != TR_WORK_TILE || work.lease_id != h->lease.lease_id || h->how != HIDES_BEHIND_ZEROS)
        return OK;
    bytes   tile = tile_of_zeros(h, work.leaf, room);
    hash256 is = cr_merkle_leaf(&cr_merkle_blake3, tile);
    if (hash256_equal(&is, &h->leaves[work.leaf]))
        atomic_fetch_add(&h->opened, beside(l, r, "tile", work.lease_id, tile) == OK);
    return OK;
}

static err hide(void *ctx, line *l, const tr_request *r, buf *reply, fault *f)
{
    if (strcmp(r->path, TR_PATH_PREFIX "work") == 0)
        return get_work(ctx, l, r, reply, f);
    if (strncmp(r->path, TR_PATH_PREFIX "leaves/", strlen(TR_PATH_PREFIX "leaves/")) == 0)
        return send_leaves(ctx, l, r, reply, f);
    if (strcmp(r->path, TR_PATH_PREFIX "attestation") == 0)
        return send_attestation(ctx, l, r, reply, f);
    return forward(l, r, 0, reply, f);
}

/* A job in which one step ends in RANGE; the hider may have had a lease of that step. True: it had, said NORMAL, and was looked at. */
static bool job_with_hider(hider *h, const setup_t *given, const int32_t *master, unsigned slashes_want)
{
    net     n;
    seen    events;
    unsigned lives;
    dir_kit d = dir_kit_make();
    net_start(&n, given->sample_ppm);
    setup_t s = *given;
    s.net = &n;
    s.dir = d.path;
    s.per_lease = 2;
    s.workers = 2;
    s.checkpoint_steps = 1;
    s.patience_ms = 60000;
    s.master = master;
    s.between = hide;
    s.between_ctx = h;
    hash256 id = run_job(&s, &events, &lives), want = reference(&n.job, master);
    bool drawn = net_level == CHAIN_LEVEL_FULL || events.caught > 0; /* else it gets away with it, as three in four do below full */
    if (drawn || !atomic_load(&h->hidden))
        assert_memory_equal(id.b, want.b, 32); /* the step was repeated as it had to be */
    cr_address liar = kit_address(FIRST_WORKER + 1), honest = kit_address(FIRST_WORKER);
    bool hidden = atomic_load(&h->hidden) && drawn;
    if (hidden) {
        const chain_row_lease *row = chain_lease_row(n.kit.c, &n.job, h->lease.lease_id);
        assert_int_equal(events.caught, 1);
        assert_int_equal(n.slashes, slashes_want);
        assert_int_equal(chain_worker(n.kit.c, &liar)->leases_spoiled, slashes_want);
        assert_int_equal(atomic_load(&h->opened), slashes_want && h->how == HIDES_BEHIND_ZEROS);
        assert_true(events.events[TR_EVENT_RANGE] > 0);
        assert_true(slashes_want ? row && row->status == CHAIN_LEASE_SPOILED && row->gross == 0 : !row);
    }
    assert_int_equal(chain_worker(n.kit.c, &honest)->leases_spoiled, 0);
    net_stop(&n);
    dir_kit_remove(&d);
    return hidden;
}

/* Jobs, until in one of them it came to it. */
static void until_hidden(hiding how, const setup_t *s, unsigned slashes_want)
{
    int32_t *master = extreme_weights();
    bool     hidden = false;
    for (net_salt = 0; net_salt < 200 && !hidden; net_salt++) {
        hider h = { .how = how };
        hidden = job_with_hider(&h, s, master, slashes_want);
        hider_free(&h);
    }
    assert_true(hidden);
    net_salt = 0;
    free(master);
}

/* Every proof is verified: nothing of it gets to the ledger. Where the trace says what the value is, that element convicts; where it says nothing, there is
 * nothing to show, as what is not committed cannot be challenged. */
static void at_level_full(void **state)
{
    (void)state;
    net_level = CHAIN_LEVEL_FULL;
    for (uint32_t sample = 0; sample <= 250000; sample += 250000) {
        until_hidden(HIDES_BEHIND_ZEROS, &(setup_t){ .sample_ppm = sample }, 1);
        until_hidden(HIDES_NOTHING, &(setup_t){ .sample_ppm = sample, .lie = LIE_NO_TILE }, 0);
    }
}

/* Drawn and re-executed. A leaf that is none cannot be opened on the ledger either: silence there costs the bond. */
static void below_it(void **state)
{
    (void)state;
    net_level = CHAIN_LEVEL_REFEREED;
    until_hidden(HIDES_BEHIND_ZEROS, &(setup_t){ .sample_ppm = TR_SAMPLE_PPM_MAX }, 1);
    until_hidden(HIDES_NOTHING, &(setup_t){ .sample_ppm = TR_SAMPLE_PPM_MAX, .lie = LIE_NO_TILE }, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(at_level_full), cmocka_unit_test(below_it) };
    return cmocka_run_group_tests(tests, net_setup, net_teardown);
}
