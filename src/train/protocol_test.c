/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests that should not have been made: each is refused by name, and the job goes on to its right end afterwards. */
#include "train/net_kit.h"

#include "train/gradient.h"
#include "train/trace_root.h"

static net             n;
static tr_coordinator *c;
static tr_session      session;
static uint64_t        nonce;
static buf             reply;

static err ask_at(unsigned who, uint64_t at_nonce, const char *method, const char *path, bytes body, const bytes *sent)
{
    char auth[TR_AUTH_BYTES], url[TR_URL_MAX];
    cr_secret_key key = kit_key(who);
    fault f = { 0 };
    snprintf(url, sizeof url, TR_PATH_PREFIX "%s", path);
    tr_request r = { method, url, NULL, body };
    tr_addressee to = net_addressee(session.job, session.id);
    to.coordinator = session.coordinator;
    tr_auth_sign(auth, &key, &to, at_nonce, &r);
    r.auth = auth;
    if (sent)
        r.body = *sent;
    buf_clear(&reply);
    err e = tr_coordinator_serve(c, &r, &reply, &f);
    assert_true(e == OK || (f.code == e && f.what));
    return e;
}

static err ask(unsigned who, const char *method, const char *path, bytes body)
{
    return ask_at(who, ++nonce, method, path, body, NULL);
}

static void *run_it(void *arg)
{
    fault f;
    *(err *)arg = tr_coordinator_run(c, &f);
    return NULL;
}

/* The lease that worker `who` gets. */
static void get_lease(unsigned who, uint8_t room[2048], chain_lease *l, chain_signed *s)
{
    tr_work work = { 0 };
    buf wait;
    fault f;
    buf_init(&wait, 16);
    assert_int_equal(tr_count_encode(&wait, 300), OK);
    for (unsigned tries = 0; tries < 100 && work.kind != TR_WORK_LEASE; tries++) {
        assert_int_equal(ask(who, "POST", "work", buf_bytes(&wait)), OK);
        assert_int_equal(tr_work_decode(&work, buf_bytes(&reply), &f), OK);
    }
    assert_int_equal(work.kind, TR_WORK_LEASE);
    memcpy(room, work.lease.data, work.lease.len);
    assert_int_equal(chain_lease_decode(l, s, bytes_of(room, work.lease.len), &f), OK);
    buf_deinit(&wait);
}

static hash256 trace_root; /* of the leaves below */

static bytes attestation(uint8_t room[2048], const chain_signed *lease, const hash256 *gradient, unsigned signer, uint64_t tokens)
{
    cr_secret_key key = kit_key(signer);
    bytes view;
    hash256 hash;
    chain_attestation a = { .version = CHAIN_ATTESTATION_VERSION, .lease = lease->hash, .gradient = *gradient, .trace_root = trace_root,
                            .level = CHAIN_LEVEL_REFEREED, .spec_version = CHAIN_SPEC_VERSION, .loss = 5, .tokens = tokens };
    assert_int_equal(chain_attestation_sign(&view, room, 2048, &a, &key, &hash, NULL), OK);
    return view;
}

static void strangers_and_replays(void)
{
    bytes none = bytes_of("", 0), other = bytes_of_str("other");
    fault f;
    tr_request bare = { "POST", TR_PATH_PREFIX "work", NULL, none };
    assert_int_equal(tr_coordinator_serve(c, &bare, &reply, &f), ERR_PERMISSION);
    bare.auth = "not an authenticator";
    assert_int_equal(tr_coordinator_serve(c, &bare, &reply, &f), ERR_SYNTAX);
    assert_int_equal(ask(7, "POST", "work", none), ERR_PERMISSION);
    assert_int_equal(ask_at(1, ++nonce, "POST", "work", none, &other), ERR_SIGNATURE);
    session.id[0] ^= 1;
    assert_int_equal(ask(1, "POST", "work", none), ERR_STALE);
    session.id[0] ^= 1;
    /* Meant for another job, or another coordinator that gave out this session as its own. */
    session.job.b[0] ^= 1;
    assert_int_equal(ask(1, "POST", "work", none), ERR_SIGNATURE);
    session.job.b[0] ^= 1;
    session.coordinator = kit_public(5);
    assert_int_equal(ask(1, "POST", "work", none), ERR_SIGNATURE);
    session.coordinator = kit_public(KIT_COORDINATOR);
    buf wait;
    buf_init(&wait, 16);
    assert_int_equal(tr_count_encode(&wait, 0), OK);
    assert_int_equal(ask(1, "POST", "work", buf_bytes(&wait)), OK);
    assert_int_equal(ask_at(1, nonce, "POST", "work", buf_bytes(&wait), NULL), ERR_DUPLICATE);
    assert_int_equal(ask_at(1, nonce - 1, "POST", "work", buf_bytes(&wait), NULL), ERR_DUPLICATE);
    buf_clear(&wait);
    assert_int_equal(tr_count_encode(&wait, LIMIT_TRAIN_WAIT_MS + 1), OK);
    assert_int_equal(ask(1, "POST", "work", buf_bytes(&wait)), ERR_LIMIT);
    assert_int_equal(ask(1, "POST", "work", bytes_of_str("junk")), ERR_TRUNCATED);
    buf_deinit(&wait);
}

static void wrong_paths(void)
{
    bytes none = bytes_of("", 0);
    char path[TR_URL_MAX];
    const struct { const char *method, *path; err want; } cases[] = {
        { "GET", "nothing", ERR_NOT_FOUND },         { "POST", "session", ERR_NOT_FOUND },        { "GET", "workers", ERR_NOT_FOUND },
        { "GET", "model/12/0", ERR_SYNTAX },         { "PUT", "gradient/x/0", ERR_SYNTAX },       { "PUT", "gradient/1", ERR_SYNTAX },
        { "PUT", "gradient/99999999999999999999/0", ERR_RANGE }, { "PUT", "leaves/1/0", ERR_LIMIT }, { "PUT", "tile/1/0", ERR_STATE },
        { "PUT", "leaves/1", ERR_SYNTAX },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(ask(1, cases[i].method, cases[i].path, none), cases[i].want);
    char hex[65];
    memset(hex, 'a', 64);
    hex[64] = 0;
    snprintf(path, sizeof path, "model/%s/0", hex);
    assert_int_equal(ask(1, "GET", path, none), ERR_STALE);
    snprintf(path, sizeof path, "data/%s/0", hex);
    assert_int_equal(ask(1, "GET", path, none), ERR_NOT_FOUND);
    base_hex_encode(hex, data.cid.b, 32);
    snprintf(path, sizeof path, "data/%s/999999", hex);
    assert_int_equal(ask(1, "GET", path, none), ERR_RANGE);
}

static void gradient_file(buf *out, const chain_lease *l, const chain_signed *s, hash256 *root)
{
    uint64_t count = num_parameter_count(&shape);
    int64_t *values = calloc(count, sizeof *values);
    tr_gradient_head head = { .model = l->model, .lease = s->hash, .shape = shape };
    for (uint64_t i = 0; i < count; i += 7)
        values[i] = (int64_t)i - 1000;
    buf_init(out, (size_t)tr_gradient_bytes_max(count));
    assert_int_equal(tr_gradient_encode(out, &head, values, NULL, NULL), OK);
    *root = head.root;
    free(values);
}

static void bad_gradients(const chain_lease *l, const buf *file)
{
    char first[64], later[64];
    snprintf(first, sizeof first, "gradient/%llu/0", (unsigned long long)l->lease_id);
    snprintf(later, sizeof later, "gradient/%llu/100", (unsigned long long)l->lease_id);
    uint8_t *copy = malloc(file->len);
    memcpy(copy, file->data, file->len);
    assert_int_equal(ask(2, "PUT", first, buf_bytes(file)), ERR_STALE); /* somebody else's lease */
    assert_int_equal(ask(1, "PUT", first, bytes_of("", 0)), ERR_LIMIT);
    uint8_t *huge = calloc(1, LIMIT_TRAIN_PART_BYTES + 1);
    assert_int_equal(ask(1, "PUT", first, bytes_of(huge, LIMIT_TRAIN_PART_BYTES + 1)), ERR_LIMIT);
    free(huge);
    assert_int_equal(ask(1, "PUT", later, bytes_of(copy, 10)), ERR_RANGE); /* does not start at 0 */
    copy[30] ^= 1; /* the model id */
    assert_int_equal(ask(1, "PUT", first, bytes_of(copy, file->len)), ERR_STALE);
    copy[30] ^= 1;
    copy[file->len - 1] ^= 1;
    err e = ask(1, "PUT", first, bytes_of(copy, file->len));
    assert_true(e == ERR_HASH || e == ERR_CANONICAL);
    copy[file->len - 1] ^= 1;
    assert_int_equal(ask(1, "PUT", first, bytes_of(copy, 100)), OK);
    assert_int_equal(ask(1, "PUT", later, bytes_of(copy + 100, 50)), OK);
    assert_int_equal(ask(1, "PUT", later, bytes_of(copy + 100, 50)), OK); /* repeated: agreed to */
    assert_int_equal(ask(1, "PUT", later, bytes_of(copy + 100, 60)), ERR_RANGE);
    free(copy);
}

static void put_leaves(unsigned who, uint64_t lease_id, uint64_t offset, bytes part, err want)
{
    char path[64];
    snprintf(path, sizeof path, "leaves/%llu/%llu", (unsigned long long)lease_id, (unsigned long long)offset);
    assert_int_equal(ask(who, "PUT", path, part), want);
}

/* Whole hashes, in order, as many as the trace has; what is attested is their root, and not before all of them are here. */
static void bad_leaves(const chain_lease *l, const chain_signed *ls, const hash256 *gradient, uint64_t tokens)
{
    uint64_t count = num_trace_leaves(&shape, l->to - l->from);
    size_t len = (size_t)count * 32, half = len / 64 * 32;
    uint8_t said[2048], *leaves = malloc(len + 32);
    for (size_t i = 0; i < len + 32; i++)
        leaves[i] = (uint8_t)(i * 7 + i / 32);
    hash256 *list = malloc(len);
    memcpy(list, leaves, len);
    trace_root = cr_merkle_root(&cr_merkle_blake3, list, (size_t)count);
    free(list);
    assert_true(len + 32 <= LIMIT_TRAIN_PART_BYTES);
    bytes good = attestation(said, ls, gradient, 1, tokens);
    assert_int_equal(ask(1, "POST", "attestation", good), ERR_STATE); /* none of them */
    put_leaves(2, l->lease_id, 0, bytes_of(leaves, 32), ERR_STALE);
    put_leaves(1, l->lease_id, 32, bytes_of(leaves, 32), ERR_RANGE); /* does not start at 0 */
    put_leaves(1, l->lease_id, 0, bytes_of(leaves, 33), ERR_RANGE);
    put_leaves(1, l->lease_id, 0, bytes_of(leaves, len + 32), ERR_RANGE);
    put_leaves(1, l->lease_id, 0, bytes_of(leaves, half), OK);
    put_leaves(1, l->lease_id, half + 32, bytes_of(leaves, 32), ERR_RANGE);
    assert_int_equal(ask(1, "POST", "attestation", good), ERR_STATE); /* half of them */
    put_leaves(1, l->lease_id, half, bytes_of(leaves + half, len - half), OK);
    put_leaves(1, l->lease_id, half, bytes_of(leaves + half, len - half), OK); /* repeated: agreed to */
    trace_root.b[0] ^= 1;
    assert_int_equal(ask(1, "POST", "attestation", attestation(said, ls, gradient, 1, tokens)), ERR_HASH);
    trace_root.b[0] ^= 1;
    free(leaves);
}

static void every_wrong_request_is_refused(void **state)
{
    (void)state;
    dir_kit d = dir_kit_make();
    seen events = { .coordinator = NULL };
    setup_t s = { .net = &n, .dir = d.path, .sample_ppm = 0, .per_lease = BATCH, .workers = 2, .checkpoint_steps = 1, .patience_ms = 60000 };
    net_start(&n, 0);
    c = coordinator_start(&s, &events);
    buf_init(&reply, 1 << 20);
    fault f;
    err result;
    tr_request hello = { "GET", TR_PATH_PREFIX "session", NULL, bytes_of("", 0) };
    assert_int_equal(tr_coordinator_serve(c, &hello, &reply, &f), OK);
    assert_int_equal(tr_session_decode(&session, buf_bytes(&reply), &f), OK);
    strangers_and_replays();
    wrong_paths();
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run_it, &result), 0);

    uint8_t room[2048], said[2048];
    chain_lease lease, again;
    chain_signed ls, ls2;
    get_lease(1, room, &lease, &ls);
    get_lease(1, said, &again, &ls2); /* the same one until it is answered */
    assert_int_equal(again.lease_id, lease.lease_id);
    buf file;
    hash256 root, wrong = { { 9 } };
    gradient_file(&file, &lease, &ls, &root);
    trace_root = wrong;
    uint64_t tokens = BATCH * CONTEXT;
    assert_int_equal(ask(1, "POST", "attestation", bytes_of_str("junk")), ERR_TRUNCATED);
    assert_int_equal(ask(1, "POST", "attestation", attestation(said, &ls, &root, 1, tokens)), ERR_STATE); /* nothing uploaded */
    bad_leaves(&lease, &ls, &root, tokens);
    assert_int_equal(ask(1, "POST", "attestation", attestation(said, &ls, &root, 1, tokens)), ERR_STATE); /* no gradient */
    bad_gradients(&lease, &file);
    assert_int_equal(ask(1, "POST", "attestation", attestation(said, &ls, &root, 1, tokens)), ERR_TRUNCATED);
    char path[64];
    snprintf(path, sizeof path, "gradient/%llu/0", (unsigned long long)lease.lease_id);
    assert_int_equal(ask(1, "PUT", path, buf_bytes(&file)), OK);
    assert_int_equal(ask(1, "POST", "attestation", attestation(said, &ls, &wrong, 1, tokens)), ERR_HASH);
    assert_int_equal(ask(1, "POST", "attestation", attestation(said, &ls, &root, 2, tokens)), ERR_SIGNATURE);
    assert_int_equal(ask(1, "POST", "attestation", attestation(said, &ls, &root, 1, tokens + 1)), ERR_RANGE);
    assert_int_equal(ask(2, "POST", "attestation", attestation(said, &ls, &root, 1, tokens)), ERR_STALE);
    chain_signed foreign = { .hash = { { 3 } } };
    assert_int_equal(ask(1, "POST", "attestation", attestation(said, &foreign, &root, 1, tokens)), ERR_STALE);
    assert_int_equal(events.events[TR_EVENT_SUBMITTED], 0);
    assert_int_equal(ask(1, "POST", "attestation", attestation(said, &ls, &root, 1, tokens)), OK);
    err e = ask(1, "POST", "attestation", attestation(said, &ls, &root, 1, tokens));
    assert_true(e == OK || e == ERR_STALE); /* known, or of a step that has ended */
    assert_int_equal(events.events[TR_EVENT_SUBMITTED], 1);
    get_lease(1, room, &again, &ls2);
    assert_int_equal(again.step, lease.step + 1);
    assert_int_equal(ask(1, "PUT", path, buf_bytes(&file)), ERR_STALE); /* of the step before */
    tr_coordinator_stop(c);
    pthread_join(thread, NULL);
    assert_int_equal(result, ERR_INTERRUPTED);
    tr_coordinator_free(c);
    buf_deinit(&file);
    buf_deinit(&reply);
    net_stop(&n);
    dir_kit_remove(&d);
}

/* A coordinator that signs leases as they should not be. */
typedef enum bad_lease { BAD_TOKENS, BAD_PRICE, BAD_EXPIRY_SOON, BAD_EXPIRY_LATE, BAD_COUNT } bad_lease;

static bad_lease bad;

static const struct { err code; const char *what; } bad_said[BAD_COUNT] = {
    [BAD_TOKENS] = { ERR_HASH, "lease.tokens" },
    [BAD_PRICE] = { ERR_FUNDS, "lease.price: less than the bid" },
    [BAD_EXPIRY_SOON] = { ERR_RANGE, "lease.expiry_height: too soon" },
    [BAD_EXPIRY_LATE] = { ERR_RANGE, "lease.expiry_height: after the job's" },
};

static err lying_line(void *ctx, const tr_request *r, uint32_t wait_ms, uint64_t reply_max, buf *out, fault *f)
{
    (void)ctx, (void)wait_ms, (void)reply_max;
    uint8_t room[2048];
    tr_work work_given;
    chain_lease l;
    chain_signed s;
    uint64_t height;
    cr_secret_key key = kit_key(KIT_COORDINATOR);
    TRY(tr_coordinator_serve(c, r, out, f));
    if (!strstr(r->path, "/work"))
        return OK;
    assert_int_equal(tr_work_decode(&work_given, buf_bytes(out), f), OK);
    if (work_given.kind != TR_WORK_LEASE)
        return OK;
    assert_int_equal(chain_lease_decode(&l, &s, work_given.lease, f), OK);
    assert_int_equal(net_height(&n, &height), OK);
    switch (bad) {
    case BAD_TOKENS: l.tokens.b[0] ^= 1; break;
    case BAD_PRICE: l.price--; break;
    case BAD_EXPIRY_SOON: l.expiry_height = height + 9; break;
    case BAD_EXPIRY_LATE: l.expiry_height = net_row(&n).expiry_height + 1; break;
    case BAD_COUNT: break;
    }
    assert_int_equal(chain_lease_sign(&work_given.lease, room, sizeof room, &l, &key, NULL, f), OK);
    buf_clear(out);
    return tr_work_encode(out, &work_given);
}

static atomic_uint refused;

static void count_refusals(void *ctx, const tr_worker_event *e)
{
    (void)ctx;
    if (e->kind == TR_WORKER_TROUBLE && e->code == bad_said[bad].code && strcmp(e->what, bad_said[bad].what) == 0 && atomic_fetch_add(&refused, 1) == 1)
        tr_coordinator_stop(c);
}

static void a_worker_refuses_a_bad_lease(void **state)
{
    (void)state;
    for (bad = 0; bad < BAD_COUNT; bad++) {
        dir_kit d = dir_kit_make(), cache = dir_kit_make();
        seen events = { .coordinator = NULL };
        setup_t s = { .net = &n, .dir = d.path, .sample_ppm = 0, .per_lease = BATCH, .workers = 1, .checkpoint_steps = 1, .patience_ms = 60000 };
        net_start(&n, 0);
        c = coordinator_start(&s, &events);
        atomic_store(&refused, 0);
        net_hand hand = { .net = &n, .who = FIRST_WORKER };
        tr_worker_config k = { .transport = { NULL, lying_line }, .key = kit_key(FIRST_WORKER), .job = n.job, .row = net_row(&n), .price = 1000,
                               .expiry_blocks_min = 10, .ledger = net_hand_face(&hand), .cache = cache.path, .threads = 1, .wait_ms = 200,
                               .on_event = count_refusals };
        tr_worker *w;
        pthread_t thread;
        crew one = { .count = 1 };
        crew_arg arg = { &one, 0 };
        fault f;
        assert_int_equal(chain_name_set(&k.chain_id, bytes_of_str("kit-dev")), OK);
        assert_int_equal(tr_worker_new(&w, &k, NULL), OK);
        one.worker[0] = w;
        assert_int_equal(pthread_create(&thread, NULL, work, &arg), 0);
        assert_int_equal(tr_coordinator_run(c, &f), ERR_INTERRUPTED);
        tr_worker_stop(w);
        pthread_join(thread, NULL);
        assert_true(atomic_load(&refused) >= 2); /* it went on asking */
        assert_int_equal(events.events[TR_EVENT_SUBMITTED], 0);
        tr_worker_free(w);
        tr_coordinator_free(c);
        net_stop(&n);
        dir_kit_remove(&cache);
        dir_kit_remove(&d);
    }
}

/* A coordinator whose session says something else than the job on the ledger: nobody computes that. */
static err other_session(void *ctx, const tr_request *r, uint32_t wait_ms, uint64_t reply_max, buf *out, fault *f)
{
    (void)r, (void)wait_ms, (void)reply_max, (void)f;
    return tr_session_encode(out, ctx);
}

static void a_worker_refuses_another_job_than_the_ledgers(void **state)
{
    (void)state;
    dir_kit cache = dir_kit_make();
    net_start(&n, 0);
    tr_session good = { .job = n.job, .coordinator = kit_public(KIT_COORDINATOR), .dataset = data.cid, .shape = shape, .batch_size = BATCH,
                        .steps = STEPS, .spec_version = CHAIN_SPEC_VERSION, .gradient_version = TR_GRADIENT_VERSION }, s;
    assert_int_equal(chain_name_set(&good.chain_id, bytes_of_str("kit-dev")), OK);
    for (unsigned i = 0; i < 12; i++) {
        s = good;
        const struct { uint32_t *at, value; const char *what; } shapes[] = {
            { &s.shape.vocab, shape.vocab + 1, "session.vocab" }, { &s.shape.context, 2 * shape.context, "session.context" },
            { &s.shape.width, 2 * shape.width, "session.width" }, { &s.shape.layers, shape.layers + 1, "session.layers" },
            { &s.shape.heads, 1, "session.heads" },               { &s.shape.bits, 10, "session.bits" },
        };
        const char *what = i < COUNT_OF(shapes) ? shapes[i].what : NULL;
        err want = ERR_CONFIG;
        if (i < COUNT_OF(shapes))
            *shapes[i].at = shapes[i].value;
        switch (i) {
        case 6: s.batch_size++, what = "session.batch_size"; break;
        case 7: s.steps++, what = "session.steps"; break;
        case 8: s.dataset.b[0] ^= 1, what = "session.dataset"; break;
        case 9: s.job.b[0] ^= 1, what = "session.job", want = ERR_STALE; break;
        case 10: s.coordinator.b[0] ^= 1, what = "session.coordinator", want = ERR_STALE; break;
        default: break;
        }
        tr_worker_config k = { .transport = { &s, other_session }, .key = kit_key(FIRST_WORKER), .job = n.job, .row = net_row(&n),
                               .chain_id = good.chain_id, .cache = cache.path, .threads = 1, .wait_ms = 1, .patience_ms = 1 };
        if (i == 11) /* the ledger's own numbers do not fit together */
            k.row.model_parameters++, what = "job.model_parameters";
        tr_worker *w;
        fault f = { 0 };
        assert_int_equal(tr_worker_new(&w, &k, &f), OK);
        assert_int_equal(tr_worker_run(w, &f), want);
        assert_string_equal(f.what, what);
        tr_worker_free(w);
    }
    net_stop(&n);
    dir_kit_remove(&cache);
}

static void bad_configurations_are_named(void **state)
{
    (void)state;
    dir_kit d = dir_kit_make();
    net_start(&n, 0);
    tr_coordinator_config good = {
        .dir = d.path, .data = &data, .ledger = net_face(&n), .key = kit_key(KIT_COORDINATOR), .job = n.job, .shape = shape,
        .schedule = { 800000, 2, STEPS }, .batch_size = BATCH, .steps = STEPS, .price_sequences = 4, .level_min = CHAIN_LEVEL_REFEREED,
        .expiry_height = 5000, .sequences_per_lease = 2, .lease_blocks = 10, .lease_ms = 1000, .threads = 1 }, k;
    fault f;
    tr_coordinator *a, *b;
    k = good, k.sample_ppm = TR_SAMPLE_PPM_MAX + 1;
    assert_int_equal(tr_coordinator_new(&a, &k, &f), ERR_CONFIG);
    assert_string_equal(f.what, "config.sample_ppm");
    k = good, k.sample_ppm = 1, k.shape.context = 512;
    assert_int_equal(tr_coordinator_new(&a, &k, &f), ERR_CONFIG);
    assert_string_equal(f.what, "config.shape.context: no evidence about a sequence would fit");
    k = good, k.sequences_per_lease = 0;
    assert_int_equal(tr_coordinator_new(&a, &k, &f), ERR_CONFIG);
    k = good, k.level_min = CHAIN_LEVEL_LINEAR;
    assert_int_equal(tr_coordinator_new(&a, &k, &f), ERR_CONFIG);
    k = good, k.shape.heads = 5;
    assert_int_equal(tr_coordinator_new(&a, &k, &f), ERR_SHAPE);
    k = good, k.job.b[0] ^= 1;
    assert_int_equal(tr_coordinator_new(&a, &k, &f), ERR_NOT_FOUND);
    assert_int_equal(tr_coordinator_new(&a, &good, &f), OK);
    assert_int_equal(tr_coordinator_new(&b, &good, &f), ERR_BUSY);
    tr_coordinator_free(a);
    assert_int_equal(tr_coordinator_new(&a, &good, &f), OK);
    tr_coordinator_free(a);
    net_stop(&n);
    dir_kit_remove(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(every_wrong_request_is_refused),
                                        cmocka_unit_test(a_worker_refuses_a_bad_lease),
                                        cmocka_unit_test(a_worker_refuses_another_job_than_the_ledgers),
                                        cmocka_unit_test(bad_configurations_are_named) };
    return cmocka_run_group_tests(tests, net_setup, net_teardown);
}
