/* SPDX-License-Identifier: Apache-2.0
 *
 * More audits than a validator handles at once: what was drawn has its places, and its bytes, and whoever opens disputes cannot take them. */
#include "engine/arbiter_int.h"
#include "world_kit.h"

enum { LEASES = 310, FIRST_FLOOD = 150 /* of them, before the rest */, PER_TX = 40, PER_BLOCK = 60, RATE_PPM = 30000, MOST_ROUNDS = 5000 };

/* A second job of the same worker, whose leases are of one sequence each and never shown. */
typedef struct flood {
    world  *w;
    hash256 job;
    uint8_t (*lease)[1024], (*attestation)[1024];
    bytes   lease_bytes[LEASES], attestation_bytes[LEASES];
    bool    drawn[LEASES];
} flood;

static void post_flood_job(flood *x)
{
    const num_shape *s = &x->w->job.shape;
    uint8_t room[128];
    cr_address worker = kit_address(WORKER);
    chain_tx tx = { .type = CHAIN_TX_JOB_POST }, bid = { .type = CHAIN_TX_JOB_BID }, match = { .type = CHAIN_TX_JOB_MATCH };
    tx.payload.job_post = (chain_tx_job_post){ .coordinator = key_of(COORDINATOR), .model_parameters = x->w->job.elements, .width = s->width,
        .layers = s->layers, .heads = s->heads, .context = s->context, .vocabulary = s->vocab, .operand_bits = (uint8_t)s->bits,
        .batch_size = LEASES, .steps = 1, .learning_rate_ppb = 1, .gradient_format = 1, .max_batch_latency_blocks = 10, .max_batch_latency_ms = 1,
        .sequences_total = LEASES, .price = 1000, .price_sequences = 1, .level_min = CHAIN_LEVEL_FULL, .escrow = 1000 * LEASES, .expiry_height = 300 };
    assert_int_equal(post(x->w, &tx, BUYER, &x->job), OK);
    bid.payload.job_bid = (chain_tx_job_bid){ .job = x->job, .price = 1000, .capacity = 1 };
    must(x->w, bid, WORKER);
    match.payload.job_match.job = x->job;
    assert_int_equal(chain_addresses_encode(&match.payload.job_match.workers, room, sizeof room, &worker, 1), OK);
    must(x->w, match, COORDINATOR);
}

static void sign_lease(flood *x, uint64_t i)
{
    cr_secret_key coordinator, worker;
    cr_public_key ignored;
    hash256 hash;
    chain_lease l = { .version = CHAIN_LEASE_VERSION, .job = x->job, .lease_id = i, .from = i, .to = i + 1, .model = { { 9 } }, .tokens = { { 8 } }, .price = 1000,
                      .level_min = CHAIN_LEVEL_FULL, .expiry_height = 300 };
    kit_key(&coordinator, &ignored, COORDINATOR);
    kit_key(&worker, &l.worker, WORKER);
    assert_int_equal(chain_name_set(&l.chain_id, bytes_of_str(NAME)), OK);
    assert_int_equal(chain_lease_sign(&x->lease_bytes[i], x->lease[i], sizeof x->lease[i], &l, &coordinator, &hash, NULL), OK);
    chain_attestation a = { .version = CHAIN_ATTESTATION_VERSION, .lease = hash, .gradient = { { 1 } }, .trace_root = { { 2 } }, .proof = { { 3 } },
                            .level = CHAIN_LEVEL_FULL, .spec_version = CHAIN_SPEC_VERSION, .tokens = x->w->job.shape.context };
    assert_int_equal(chain_attestation_sign(&x->attestation_bytes[i], x->attestation[i], sizeof x->attestation[i], &a, &worker, &hash, NULL), OK);
}

/* Leases [first, end) are paid, and the blocks that draw among them are there. */
static void pay(flood *x, size_t first, size_t end)
{
    static uint8_t room[65536];
    chain_receipt items[PER_TX];
    for (size_t at = first; at < end; at += PER_TX) {
        size_t n = end - at < PER_TX ? end - at : PER_TX;
        chain_tx tx = { .type = CHAIN_TX_RECEIPT_PAY };
        tx.payload.receipt_pay.job = x->job;
        for (size_t i = 0; i < n; i++) {
            sign_lease(x, at + i);
            items[i] = (chain_receipt){ x->lease_bytes[at + i], x->attestation_bytes[at + i] };
        }
        assert_int_equal(chain_receipts_encode(&tx.payload.receipt_pay.receipts, room, sizeof room, items, n), OK);
        must(x->w, tx, COORDINATOR);
    }
    pass(x->w, 1);
    const chain *c = eng_solo_read_begin(x->w->engine);
    for (size_t i = first; i < end; i++)
        assert_int_equal(chain_audit_drawn(c, &x->drawn[i], &x->job, i), OK);
    eng_solo_read_end(x->w->engine);
}

/* Everything of [0, end) that was not drawn. Returns how much that is. */
static size_t dispute_all(flood *x, size_t end)
{
    size_t count = 0;
    uint64_t ahead = 0, height;
    for (size_t i = 0; i < end; i++) {
        hash256 id;
        chain_tx tx = { .type = CHAIN_TX_AUDIT_OPEN };
        if (x->drawn[i])
            continue;
        tx.payload.audit_open = (chain_tx_audit_open){ .job = x->job, .lease = x->lease_bytes[i], .attestation = x->attestation_bytes[i] };
        assert_int_equal(submit_ahead(x->w, &tx, DISPUTER, ahead++, &id), OK);
        count++;
        if (ahead == PER_BLOCK) {
            assert_int_equal(eng_solo_produce(x->w->engine, false, &height, NULL), OK);
            ahead = 0;
        }
    }
    assert_int_equal(eng_solo_produce(x->w->engine, true, &height, NULL), OK);
    const chain *c = eng_solo_read_begin(x->w->engine);
    for (size_t i = 0; i < end; i++)
        assert_true(x->drawn[i] || chain_audit_row(c, &x->job, i));
    eng_solo_read_end(x->w->engine);
    return count;
}

/* How many of [0, end) have a place: of the drawn ones, or of the others, which are refused as busy, and leave nothing. */
static size_t met(flood *x, size_t end, bool drawn)
{
    size_t count = 0;
    for (size_t i = 0; i < end; i++) {
        uint64_t have;
        bool complete;
        err e = ask_of(x->w, &x->job, i, WORKER, TR_SHOWN_MODEL, &have, &complete);
        if (x->drawn[i] == drawn)
            count += e == OK;
        assert_true(e == OK || e == ERR_BUSY || (e == ERR_STATE && (x->drawn[i] || i >= FIRST_FLOOD))); /* not opened, or not yet */
    }
    return count;
}

static size_t drawn_of(const flood *x, size_t end)
{
    size_t n = 0;
    for (size_t i = 0; i < end; i++)
        n += x->drawn[i];
    return n;
}

/* Until all that is drawn, and so many of the others, have a place. */
static void until_met(flood *x, size_t end, size_t others)
{
    unsigned rounds = 0;
    for (; met(x, end, true) < drawn_of(x, end) || met(x, end, false) < others; look_again(x->w))
        assert_true(rounds++ < MOST_ROUNDS);
}

/* Disputes first, as many as there can be; then what is drawn comes on top. False: none was drawn then, or more than there is room for. */
static bool run_flood_once(flood *x, uint64_t bytes_max, size_t audits, size_t disputed)
{
    world *w = x->w;
    size_t end_of = FIRST_FLOOD;
    eng_arbiter_stop(w->arbiter);
    post_flood_job(x);
    pay(x, 0, FIRST_FLOOD);
    assert_true(dispute_all(x, FIRST_FLOOD) > disputed);
    odd.bytes_max = bytes_max;
    start_arbiter(w);
    odd.bytes_max = 0;
    size_t early = drawn_of(x, FIRST_FLOOD);
    if (early >= audits - disputed)
        return false;
    until_met(x, FIRST_FLOOD, disputed);
    for (; end_of < LEASES && drawn_of(x, end_of) == early; end_of += PER_TX)
        pay(x, end_of, end_of + PER_TX);
    if (drawn_of(x, end_of) == early || drawn_of(x, end_of) > audits - disputed)
        return false;
    until_met(x, end_of, disputed);
    pass(w, 1);
    nanosleep(&(struct timespec){ .tv_nsec = 500000000 }, NULL); /* some looks more */
    assert_int_equal(met(x, end_of, false), disputed);
    return true;
}

static void run_flood(uint64_t bytes_max, size_t audits, size_t disputed)
{
    bool suited = false;
    for (int tries = 0; tries < 10 && !suited; tries++) { /* what is drawn is another each time */
        world w;
        flood x = { .w = &w };
        x.lease = malloc(LEASES * sizeof *x.lease);
        x.attestation = malloc(LEASES * sizeof *x.attestation);
        assert_non_null(x.lease);
        assert_non_null(x.attestation);
        begin(&w, RATE_PPM, LIE_NONE);
        suited = run_flood_once(&x, bytes_max, audits, disputed);
        end(&w);
        free(x.lease);
        free(x.attestation);
    }
    assert_true(suited);
}

static void drawn_leases_have_places_of_their_own(void **state)
{
    (void)state;
    run_flood(UINT64_MAX, ARBITER_AUDITS, ARBITER_AUDITS - ARBITER_RESERVED);
}

/* What the audit of one lease of the flood may cost. */
static uint64_t need(void)
{
    world w;
    begin(&w, 0, LIE_NONE);
    tr_audited a = { .job = *chain_job(eng_solo_read_begin(w.engine), &w.id), .lease = { .to = 1 } };
    eng_solo_read_end(w.engine);
    uint64_t out = tr_audit_bytes_max(&a);
    end(&w);
    return out;
}

static void drawn_leases_have_bytes_of_their_own(void **state)
{
    (void)state;
    run_flood(64 * need(), 64, 48);
    run_flood(64 * need() + need() / 2, 64, 48);
}

/* Who disputes its own lease in the block that brings it, before the draw is known, does not get it out of the drawn ones' places. */
static void a_drawn_lease_is_drawn_whoever_opened_it(void **state)
{
    (void)state;
    for (uint32_t rate = 0; rate <= 1000000; rate += 1000000) {
        world w;
        odd.disputed_first = true;
        begin(&w, rate, LIE_NONE);
        odd.disputed_first = false;
        assert_true(audit_row(&w).deposit > 0);
        wait_for_audit(&w);
        pthread_mutex_lock(&w.arbiter->mu);
        const audit *u = arbiter_find(w.arbiter, &w.id, w.lease.lease_id);
        assert_non_null(u);
        assert_int_equal(u->drawn, rate > 0);
        pthread_mutex_unlock(&w.arbiter->mu);
        show_all(&w);
        until(&w, CHAIN_AUDIT_VALID);
        end(&w);
    }
}

/* The largest job that the ledger admits: a validator has room for the audit of one at least, disputed or not. */
static void the_largest_job_fits(void **state)
{
    (void)state;
    tr_audited a = { .job = { .width = 8192, .layers = 1, .heads = 64, .context = 4096, .vocabulary = 14336, .operand_bits = 12 },
                     .lease = { .to = LIMIT_LEASE_TOKENS / 4096 } };
    uint64_t weights = (2 * 14336ull + 4096) * 8192 + 12ull * 8192 * 8192;
    assert_in_range(weights, LIMIT_PROVED_WEIGHTS - 8192, LIMIT_PROVED_WEIGHTS);
    assert_true(tr_audit_bytes_max(&a) <= LIMIT_AUDIT_BYTES - LIMIT_AUDIT_BYTES / ARBITER_SHARE);
    assert_true(tr_audit_bytes_max(&a) >= 2 * tr_shown_bytes_max(&a, TR_SHOWN_GRADIENT) + 10 * weights);
}

/* Rows of audits that are over for good are not looked at again. */
static void ended_audits_are_done_with(void **state)
{
    (void)state;
    world w;
    unsigned rounds = 0;
    begin(&w, 0, LIE_NONE);
    dispute(&w);
    wait_for_audit(&w);
    assert_int_equal(atomic_load(&w.arbiter->next_audit), 0);
    show_all(&w);
    until(&w, CHAIN_AUDIT_VALID);
    for (; atomic_load(&w.arbiter->next_audit) == 0; look_again(&w))
        assert_true(rounds++ < MOST_ROUNDS);
    assert_int_equal(atomic_load(&w.arbiter->next_audit), 1);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drawn_leases_have_places_of_their_own), cmocka_unit_test(drawn_leases_have_bytes_of_their_own), cmocka_unit_test(a_drawn_lease_is_drawn_whoever_opened_it),
        cmocka_unit_test(the_largest_job_fits),
        cmocka_unit_test(ended_audits_are_done_with),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
