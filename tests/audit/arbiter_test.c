/* SPDX-License-Identifier: Apache-2.0
 *
 * Audits on a running engine, with real models, gradients and proofs: what is drawn and what is disputed, who shows what, and what follows. */
#include "crypto/merkle.h"
#include "engine/arbiter.h"
#include "engine/ledger_testkit.h"
#include "prove/prove.h"
#include "train/dir_kit.h"
#include "train/gradient.h"
#include "train/job_kit.h"
#include "train/statement.h"
#include "train/token_root.h"

#include <time.h>

enum { BUYER, WORKER, DISPUTER, STRANGER, COORDINATOR, PEOPLE, PUSH_WINDOW = 40, VERDICT_WINDOW = 40, SEQUENCES = 2 };
static const char NAME[] = "audits-dev";

typedef enum lie { LIE_NONE, LIE_LOSS, LIE_SHAPE, LIE_TOKENS, LIE_RANGE /* of another element */, TRUE_RANGE } lie;

/* One network with one paid lease, its contents, and an arbiter. */
typedef struct world {
    dir_kit            dir;
    char               inbox[600];
    eng_solo          *engine;
    eng_arbiter       *arbiter;
    job_kit            job;
    hash256            id;
    chain_lease        lease;
    uint8_t            signed_lease[2048], signed_attestation[2048];
    bytes              lease_bytes, attestation_bytes;
    buf                shown[TR_SHOWN_KINDS];
} world;

/* --- transactions ----------------------------------------------------------------------------------------------------------------- */

static err post(world *w, chain_tx *tx, uint64_t who, hash256 *id)
{
    static uint8_t room[65536];
    cr_secret_key secret;
    bytes raw;
    eng_tx_result result;
    kit_key(&secret, &tx->sender, who);
    assert_int_equal(chain_name_set(&tx->chain_id, bytes_of_str(NAME)), OK);
    cr_address a = cr_address_of_key(&tx->sender);
    const chain *c = eng_solo_read_begin(w->engine);
    tx->nonce = chain_account(c, &a)->nonce;
    tx->expiry_height = chain_head(c)->height + 50;
    eng_solo_read_end(w->engine);
    tx->fee_max = 10000000;
    assert_int_equal(chain_tx_sign(&raw, room, sizeof room, tx, &secret, id, NULL), OK);
    TRY(eng_solo_submit(w->engine, id, raw, NULL));
    uint64_t height;
    TRY(eng_solo_produce(w->engine, false, &height, NULL));
    assert_int_equal(eng_solo_result(w->engine, &result, id), OK);
    return result.code;
}

static void must(world *w, chain_tx tx, uint64_t who)
{
    hash256 id;
    assert_int_equal(post(w, &tx, who, &id), OK);
}

static cr_public_key key_of(uint64_t who)
{
    cr_secret_key secret;
    cr_public_key key;
    kit_key(&secret, &key, who);
    return key;
}

static uint64_t balance(world *w, uint64_t who)
{
    cr_address a = kit_address(who);
    uint64_t out = chain_account(eng_solo_read_begin(w->engine), &a)->balance;
    eng_solo_read_end(w->engine);
    return out;
}

static void post_job(world *w, lie l)
{
    const num_shape *s = &w->job.shape;
    chain_tx tx = { .type = CHAIN_TX_JOB_POST };
    tx.payload.job_post = (chain_tx_job_post){ .coordinator = key_of(COORDINATOR), .model_parameters = w->job.elements, .width = s->width,
        .layers = s->layers, .heads = s->heads + (l == LIE_SHAPE ? 2 : 0), .context = s->context, .vocabulary = s->vocab, .operand_bits = (uint8_t)s->bits,
        .batch_size = SEQUENCES, .steps = 1, .learning_rate_ppb = 1, .gradient_format = 1, .max_batch_latency_blocks = 10, .max_batch_latency_ms = 1,
        .sequences_total = SEQUENCES, .price = 1000000, .price_sequences = SEQUENCES, .level_min = CHAIN_LEVEL_FULL, .escrow = 2000000, .expiry_height = 200 };
    assert_int_equal(post(w, &tx, BUYER, &w->id), OK);
    chain_tx bond = { .type = CHAIN_TX_WORKER_REGISTER };
    bond.payload.worker_register = (chain_tx_worker_register){ .bond = 4000000, .blocktorch_version = 1 << 20, .supported_backends = CHAIN_BACKEND_CPU,
                                                               .max_model_parameters = UINT64_MAX, .max_batch_size = 64, .measured_throughput = 1 };
    must(w, bond, WORKER);
    chain_tx bid = { .type = CHAIN_TX_JOB_BID };
    bid.payload.job_bid = (chain_tx_job_bid){ .job = w->id, .price = 1000000, .capacity = SEQUENCES };
    must(w, bid, WORKER);
    uint8_t room[128];
    cr_address worker = kit_address(WORKER);
    chain_tx match = { .type = CHAIN_TX_JOB_MATCH };
    match.payload.job_match.job = w->id;
    assert_int_equal(chain_addresses_encode(&match.payload.job_match.workers, room, sizeof room, &worker, 1), OK);
    must(w, match, COORDINATOR);
}

/* --- the lease ----------------------------------------------------------------------------------------------------------------------- */

static void show_tokens(world *w, lie l)
{
    uint32_t context = w->job.shape.context;
    uint16_t tokens[65];
    uint8_t  leaf[512];
    cr_merkle_builder b;
    cr_merkle_builder_init(&b, &cr_merkle_blake3);
    for (uint64_t s = 0; s < SEQUENCES; s++) {
        tr_dataset_sequence(tokens, &w->job.data, &w->id, s, context);
        if (l == LIE_TOKENS && s == 1)
            tokens[3] = (uint16_t)w->job.shape.vocab;
        num_token_leaf_encode(leaf, s, tokens, context);
        cr_merkle_builder_add_data(&b, bytes_of(leaf, num_token_leaf_bytes(context)));
        for (uint32_t i = 0; i <= context; i++) {
            uint8_t two[2];
            store_le16(two, tokens[i]);
            assert_int_equal(buf_put(&w->shown[TR_SHOWN_TOKENS], two, 2), OK);
        }
    }
    w->lease.tokens = cr_merkle_builder_root(&b);
}

static void show_model(world *w)
{
    uint8_t *file;
    size_t   len;
    assert_int_equal(bt_model_encode(&w->job.model, &file, &len), OK);
    assert_int_equal(buf_put(&w->shown[TR_SHOWN_MODEL], file, len), OK);
    free(file);
}

static err take(void *ctx, uint32_t tensor_id, uint64_t sequence, const void *data, uint32_t rows, uint32_t cols, uint32_t elem_bytes)
{
    return pv_witness_take(ctx, tensor_id, sequence, data, rows, cols, elem_bytes);
}

/* Computed and proved as a worker does; LIE_LOSS then attests another loss, LIE_RANGE another element. */
static chain_attestation answer(world *w, const hash256 *lease_hash, lie l)
{
    tr_statement s;
    pv_witness   witness;
    pv_workspace *ws = NULL;
    int64_t *gradient = malloc((size_t)w->job.elements * sizeof *gradient), loss;
    bt_result result;
    const tr_task task = { &w->job.model, &w->job.data, w->id, 0, 0, SEQUENCES };
    const tr_observer see = { take, &witness, NULL };
    tr_gradient_head head = { .model = w->lease.model, .lease = *lease_hash, .shape = w->job.shape };
    assert_non_null(gradient);
    assert_int_equal(tr_statement_init(&s, &w->job.model, bt_gpt_tables(w->job.exec.gpt), &w->lease, lease_hash, &w->job.data, NULL), OK);
    assert_int_equal(pv_witness_init(&witness, &s.subject, NULL, NULL), OK);
    assert_int_equal(tr_exec_run(&w->job.exec, &task, gradient, &loss, &result, &see, NULL), OK);
    assert_int_equal(result.range, l >= LIE_RANGE);
    if (result.range) {
        tr_statement_range(&s, CHAIN_LEVEL_FULL, result.tensor, result.sequence, result.index);
    } else {
        assert_int_equal(tr_gradient_encode(&w->shown[TR_SHOWN_GRADIENT], &head, gradient, NULL, NULL), OK);
        tr_statement_normal(&s, CHAIN_LEVEL_FULL, loss, &head.root, gradient);
    }
    assert_int_equal(pv_witness_finish(&witness, NULL), OK);
    assert_int_equal(pv_workspace_new(&ws, NULL), OK);
    assert_int_equal(pv_prove(ws, &witness, &w->shown[TR_SHOWN_PROOF], NULL), OK);
    pv_workspace_free(ws);
    pv_witness_deinit(&witness);
    tr_statement_deinit(&s);
    free(gradient);
    chain_attestation a = { .version = CHAIN_ATTESTATION_VERSION, .lease = *lease_hash, .gradient = head.root, .trace_root = { { 7 } },
                            .proof = cr_blake3_hash(buf_bytes(&w->shown[TR_SHOWN_PROOF])), .level = CHAIN_LEVEL_FULL,
                            .spec_version = CHAIN_SPEC_VERSION, .loss = loss + (l == LIE_LOSS), .tokens = SEQUENCES * w->job.shape.context };
    if (result.range) {
        a.gradient = (hash256){ { 0 } };
        a.result = CHAIN_RESULT_RANGE;
        a.range_tensor = result.tensor;
        a.range_sequence = result.sequence;
        a.range_index = result.index + (l == LIE_RANGE);
    }
    return a;
}

static void pay_lease(world *w, lie l)
{
    uint8_t room[8192];
    cr_secret_key coordinator, worker;
    cr_public_key ignored;
    hash256 lease_hash, attestation_hash;
    kit_key(&coordinator, &ignored, COORDINATOR);
    kit_key(&worker, &w->lease.worker, WORKER);
    w->lease.version = CHAIN_LEASE_VERSION;
    assert_int_equal(chain_name_set(&w->lease.chain_id, bytes_of_str(NAME)), OK);
    w->lease.job = w->id;
    w->lease.lease_id = 77;
    w->lease.to = SEQUENCES;
    w->lease.model = w->job.model.id;
    w->lease.price = 1000000;
    w->lease.level_min = CHAIN_LEVEL_FULL;
    w->lease.expiry_height = 200;
    show_tokens(w, l);
    show_model(w);
    assert_int_equal(chain_lease_sign(&w->lease_bytes, w->signed_lease, sizeof w->signed_lease, &w->lease, &coordinator, &lease_hash, NULL), OK);
    chain_attestation a = answer(w, &lease_hash, l);
    assert_int_equal(chain_attestation_sign(&w->attestation_bytes, w->signed_attestation, sizeof w->signed_attestation, &a, &worker, &attestation_hash, NULL), OK);
    const chain_receipt r = { w->lease_bytes, w->attestation_bytes };
    chain_tx tx = { .type = CHAIN_TX_RECEIPT_PAY };
    tx.payload.receipt_pay.job = w->id;
    assert_int_equal(chain_receipts_encode(&tx.payload.receipt_pay.receipts, room, sizeof room, &r, 1), OK);
    must(w, tx, COORDINATOR);
}

/* --- the world --------------------------------------------------------------------------------------------------------------------------- */

static void make_genesis(buf *out, uint32_t rate_ppm)
{
    cr_public_key producer = key_of(KIT_PRODUCER);
    chain_allocation list[PEOPLE + 1];
    chain_genesis g = { .allocations = list, .allocation_count = PEOPLE + 1, .producers = &producer, .producer_count = 1 };
    assert_int_equal(chain_name_set(&g.chain_id, bytes_of_str(NAME)), OK);
    assert_int_equal(chain_name_set(&g.address_prefix, bytes_of_str("tb")), OK);
    chain_params_default(&g.params);
    g.params.v[CHAIN_PARAM_WORKER_BOND_MIN] = 1000000;
    g.params.v[CHAIN_PARAM_AUDIT_RATE] = rate_ppm;
    g.params.v[CHAIN_PARAM_AUDIT_DEPOSIT] = 500001;
    g.params.v[CHAIN_PARAM_AUDIT_PUSH] = PUSH_WINDOW;
    g.params.v[CHAIN_PARAM_AUDIT_VERDICT] = VERDICT_WINDOW;
    for (uint64_t i = 0; i <= PEOPLE; i++)
        list[i] = (chain_allocation){ kit_address(i < PEOPLE ? i : KIT_PRODUCER), 1000000000 };
    bytes encoded;
    assert_int_equal(buf_reserve(out, LIMIT_GENESIS_BYTES), OK);
    assert_int_equal(chain_genesis_encode(&encoded, out->data, LIMIT_GENESIS_BYTES, &g, NULL), OK);
    out->len = encoded.len;
}

static void start_arbiter(world *w)
{
    cr_secret_key producer;
    cr_public_key ignored;
    kit_key(&producer, &ignored, KIT_PRODUCER);
    const eng_arbiter_options options = { .engine = w->engine, .dir = w->inbox, .validator = &producer };
    assert_int_equal(eng_arbiter_start(&w->arbiter, &options, NULL), OK);
}

static void begin(world *w, uint32_t rate_ppm, lie l)
{
    buf genesis;
    char folder[600];
    cr_secret_key producer;
    cr_public_key ignored;
    memset(w, 0, sizeof *w);
    w->dir = dir_kit_make();
    snprintf(w->inbox, sizeof w->inbox, "%s/audits", w->dir.path);
    snprintf(folder, sizeof folder, "%s/chain", w->dir.path);
    for (int k = 0; k < TR_SHOWN_KINDS; k++)
        buf_init(&w->shown[k], 1 << 26);
    kit_key(&producer, &ignored, KIT_PRODUCER);
    buf_init(&genesis, LIMIT_GENESIS_BYTES);
    make_genesis(&genesis, rate_ppm);
    const eng_solo_options options = { .dir = folder, .genesis = buf_bytes(&genesis), .producer = &producer, .manual = true };
    assert_int_equal(eng_solo_open(&w->engine, &options, NULL, NULL), OK);
    buf_deinit(&genesis);
    job_make(&w->job);
    post_job(w, l);
    w->job.job = w->id; /* the model is published for the job, whose id is known only now */
    bt_model_deinit(&w->job.model);
    assert_int_equal(bt_model_init(&w->job.model, &w->job.shape, NULL), OK);
    job_publish(&w->job.model, &w->job.fractions, &w->job.state, &w->job.exec, &w->job.data, &w->id);
    if (l >= LIE_RANGE) { /* q leaves its domain */
        w->job.fractions.layer[0].q = (int8_t)(w->job.fractions.layer[0].q + 8);
        assert_int_equal(bt_state_publish(&w->job.state, &w->job.fractions, &w->job.model, bt_gpt_tables(w->job.exec.gpt), NULL), OK);
    }
    pay_lease(w, l);
    uint64_t height;
    assert_int_equal(eng_solo_produce(w->engine, true, &height, NULL), OK); /* the one that draws */
    start_arbiter(w);
}

static void end(world *w)
{
    eng_arbiter_stop(w->arbiter);
    kit_audit(eng_solo_read_begin(w->engine));
    eng_solo_read_end(w->engine);
    assert_int_equal(eng_solo_close(w->engine, NULL), OK);
    for (int k = 0; k < TR_SHOWN_KINDS; k++)
        buf_deinit(&w->shown[k]);
    job_drop(&w->job);
    dir_kit_remove(&w->dir);
}

static chain_row_audit audit_row(world *w)
{
    const chain_row_audit *row = chain_audit_row(eng_solo_read_begin(w->engine), &w->id, w->lease.lease_id);
    chain_row_audit out = row ? *row : (chain_row_audit){ 0 };
    eng_solo_read_end(w->engine);
    return out;
}

static chain_lease_status lease_status(world *w)
{
    uint8_t out = chain_lease_row(eng_solo_read_begin(w->engine), &w->id, w->lease.lease_id)->status;
    eng_solo_read_end(w->engine);
    return out;
}

/* Blocks, one for each look, until the audit has this status; empty ones only if heights are to pass. */
static void until(world *w, chain_audit_status status, bool heights)
{
    uint64_t height;
    while (audit_row(w).status != status) {
        assert_int_equal(eng_solo_produce(w->engine, heights, &height, NULL), OK);
        nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
    }
}

static void dispute(world *w)
{
    chain_tx tx = { .type = CHAIN_TX_AUDIT_OPEN };
    tx.payload.audit_open = (chain_tx_audit_open){ .job = w->id, .lease = w->lease_bytes, .attestation = w->attestation_bytes };
    must(w, tx, DISPUTER);
}

/* --- showing ------------------------------------------------------------------------------------------------------------------------------- */

static err push_part(world *w, uint64_t who, tr_shown kind, uint64_t at, uint64_t total, bytes part, uint64_t *have)
{
    chain_name id;
    cr_secret_key secret;
    cr_public_key ignored;
    fault f = { 0 };
    tr_push p = { .job = w->id, .lease_id = w->lease.lease_id, .kind = kind, .at = at, .total = total, .body = part };
    assert_int_equal(chain_name_set(&id, bytes_of_str(NAME)), OK);
    kit_key(&secret, &ignored, who);
    tr_push_sign(&p, &id, &secret);
    err e = eng_arbiter_take(w->arbiter, &p, have, &f);
    assert_int_equal(e, f.code);
    return e;
}

static err ask(world *w, uint64_t who, tr_shown kind, uint64_t *have, bool *complete)
{
    chain_name id;
    cr_secret_key secret;
    cr_public_key ignored;
    tr_push p = { .job = w->id, .lease_id = w->lease.lease_id, .kind = kind };
    assert_int_equal(chain_name_set(&id, bytes_of_str(NAME)), OK);
    kit_key(&secret, &ignored, who);
    tr_push_sign(&p, &id, &secret);
    return eng_arbiter_ask(w->arbiter, &p, have, complete, NULL);
}

/* Until the arbiter knows of the audit. */
static void wait_for_audit(world *w)
{
    uint64_t have, height;
    bool complete;
    while (ask(w, WORKER, TR_SHOWN_MODEL, &have, &complete) != OK) {
        assert_int_equal(eng_solo_produce(w->engine, false, &height, NULL), OK);
        nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
    }
}

static err show_as(world *w, uint64_t who, tr_shown kind, bytes whole)
{
    uint64_t have = 0;
    for (size_t at = 0; at < whole.len; at = (size_t)have) {
        size_t n = whole.len - at < 100000 ? whole.len - at : 100000;
        TRY(push_part(w, who, kind, at, whole.len, bytes_of(whole.data + at, n), &have));
        assert_int_equal(have, at + n);
    }
    return OK;
}

static void show_all(world *w)
{
    wait_for_audit(w);
    for (int k = 0; k < TR_SHOWN_KINDS; k++)
        assert_int_equal(show_as(w, WORKER, (tr_shown)k, buf_bytes(&w->shown[k])), OK);
}

/* --- tests --------------------------------------------------------------------------------------------------------------------------------- */

/* Drawn: the validator opens it, the worker shows, and nothing is lost. */
static void a_drawn_lease_holds(void **state)
{
    (void)state;
    world w;
    begin(&w, 1000000, LIE_NONE);
    uint64_t before = balance(&w, WORKER);
    show_all(&w);
    until(&w, CHAIN_AUDIT_VALID, false);
    assert_int_equal(audit_row(&w).deposit, 0);
    assert_int_equal(lease_status(&w), CHAIN_LEASE_PAID);
    assert_int_equal(balance(&w, WORKER), before);
    end(&w);
}

/* Disputed: who was wrong pays worker and validator. */
static void a_dispute_is_lost(void **state)
{
    (void)state;
    world w;
    begin(&w, 0, LIE_NONE);
    uint64_t worker = balance(&w, WORKER), disputer = balance(&w, DISPUTER);
    dispute(&w);
    assert_true(balance(&w, DISPUTER) <= disputer - 500001);
    show_all(&w);
    until(&w, CHAIN_AUDIT_VALID, false);
    assert_int_equal(balance(&w, WORKER), worker + 250000);
    assert_true(balance(&w, DISPUTER) <= disputer - 500001);
    assert_int_equal(lease_status(&w), CHAIN_LEASE_PAID);
    end(&w);
}

/* The result RANGE is proved like any other; it has no gradient, and none is waited for. */
static void a_range_holds(void **state)
{
    (void)state;
    world w;
    uint64_t have;
    bool complete;
    begin(&w, 1000000, TRUE_RANGE);
    wait_for_audit(&w);
    assert_int_equal(ask(&w, WORKER, TR_SHOWN_GRADIENT, &have, &complete), OK);
    assert_true(complete);
    show_all(&w);
    until(&w, CHAIN_AUDIT_VALID, false);
    assert_int_equal(lease_status(&w), CHAIN_LEASE_PAID);
    end(&w);
}

/* Everything has its name, and the proof does not hold, or is of what the job is not about. */
static void a_false_lease_is_spoiled(void **state)
{
    (void)state;
    static const err reasons[] = { [LIE_LOSS] = ERR_UNPROVED, [LIE_SHAPE] = ERR_SHAPE, [LIE_TOKENS] = ERR_RANGE, [LIE_RANGE] = ERR_UNPROVED };
    for (lie l = LIE_LOSS; l <= LIE_RANGE; l++) {
        world w;
        begin(&w, 0, l);
        uint64_t disputer = balance(&w, DISPUTER);
        dispute(&w);
        show_all(&w);
        until(&w, CHAIN_AUDIT_FALSE, false);
        assert_int_equal(audit_row(&w).reason, reasons[l]);
        assert_int_equal(lease_status(&w), CHAIN_LEASE_SPOILED);
        assert_true(balance(&w, DISPUTER) > disputer); /* the deposit is back, and a part of the bond beside it */
        end(&w);
    }
}

static void silence_is_no_proof(void **state)
{
    (void)state;
    world w;
    begin(&w, 1000000, LIE_NONE);
    wait_for_audit(&w);
    assert_int_equal(show_as(&w, WORKER, TR_SHOWN_PROOF, buf_bytes(&w.shown[TR_SHOWN_PROOF])), OK);
    until(&w, CHAIN_AUDIT_FALSE, true);
    assert_int_equal(audit_row(&w).reason, ERR_NOT_FOUND);
    assert_true(audit_row(&w).end_height > audit_row(&w).open_height + PUSH_WINDOW);
    assert_int_equal(lease_status(&w), CHAIN_LEASE_SPOILED);
    end(&w);
}

/* Rubbish of the coordinator does not stand in the worker's way; the worker's own is dropped, and the right content taken after it. */
static void what_has_another_name_says_nothing(void **state)
{
    (void)state;
    world w;
    uint64_t have;
    bool complete;
    begin(&w, 1000000, LIE_NONE);
    wait_for_audit(&w);
    for (int k = 0; k < TR_SHOWN_KINDS; k++) {
        buf *good = &w.shown[k];
        good->data[good->len / 2] ^= 1;
        assert_int_equal(show_as(&w, COORDINATOR, (tr_shown)k, buf_bytes(good)), OK);
        assert_int_equal(show_as(&w, WORKER, (tr_shown)k, buf_bytes(good)), OK);
        assert_int_equal(push_part(&w, WORKER, (tr_shown)k, 0, good->len, bytes_of("other", 5), &have), ERR_STATE); /* complete */
        good->data[good->len / 2] ^= 1;
    }
    for (unsigned shown = 0; shown != (1u << TR_SHOWN_KINDS) - 1;) /* one by one they are found to have another name */
        for (int k = 0; k < TR_SHOWN_KINDS; k++) {
            assert_int_equal(ask(&w, WORKER, (tr_shown)k, &have, &complete), OK);
            if (have == 0 && !(shown & 1u << k)) {
                assert_int_equal(show_as(&w, WORKER, (tr_shown)k, buf_bytes(&w.shown[k])), OK);
                shown |= 1u << k;
            }
            nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
        }
    until(&w, CHAIN_AUDIT_VALID, false);
    assert_int_equal(lease_status(&w), CHAIN_LEASE_PAID);
    end(&w);
}

/* Who shows what is wrong again and again is not listened to any more. */
static void patience_ends(void **state)
{
    (void)state;
    world w;
    uint64_t have;
    bool complete;
    begin(&w, 1000000, LIE_NONE);
    wait_for_audit(&w);
    for (int k = 0; k < TR_SHOWN_PROOF; k++)
        assert_int_equal(show_as(&w, WORKER, (tr_shown)k, buf_bytes(&w.shown[k])), OK);
    for (int tries = 0; tries < 3; tries++) {
        assert_int_equal(show_as(&w, WORKER, TR_SHOWN_PROOF, bytes_of_str("no proof")), OK);
        do
            assert_int_equal(ask(&w, WORKER, TR_SHOWN_PROOF, &have, &complete), OK);
        while (have);
    }
    assert_int_equal(show_as(&w, WORKER, TR_SHOWN_PROOF, buf_bytes(&w.shown[TR_SHOWN_PROOF])), ERR_LIMIT);
    assert_int_equal(show_as(&w, COORDINATOR, TR_SHOWN_PROOF, buf_bytes(&w.shown[TR_SHOWN_PROOF])), OK);
    until(&w, CHAIN_AUDIT_VALID, false);
    end(&w);
}

static void parts_are_refused(void **state)
{
    (void)state;
    world w;
    uint64_t have;
    bool complete;
    begin(&w, 0, LIE_NONE);
    bytes model = buf_bytes(&w.shown[TR_SHOWN_MODEL]), some = bytes_of(model.data, 1000);
    assert_int_equal(push_part(&w, WORKER, TR_SHOWN_MODEL, 0, model.len, some, &have), ERR_STATE); /* no audit */
    dispute(&w);
    wait_for_audit(&w);
    assert_int_equal(push_part(&w, STRANGER, TR_SHOWN_MODEL, 0, model.len, some, &have), ERR_PERMISSION);
    assert_int_equal(push_part(&w, WORKER, TR_SHOWN_MODEL, 1, model.len, some, &have), ERR_RANGE);
    assert_int_equal(push_part(&w, WORKER, TR_SHOWN_MODEL, 0, 999, some, &have), ERR_RANGE);
    assert_int_equal(push_part(&w, WORKER, TR_SHOWN_MODEL, 0, model.len, bytes_of(model.data, 0), &have), ERR_RANGE);
    assert_int_equal(push_part(&w, WORKER, TR_SHOWN_MODEL, 0, UINT64_MAX, some, &have), ERR_LIMIT);
    assert_int_equal(push_part(&w, WORKER, TR_SHOWN_PROOF, 0, LIMIT_PROOF_BYTES + 1, some, &have), ERR_LIMIT);
    assert_int_equal(push_part(&w, WORKER, TR_SHOWN_MODEL, UINT64_MAX - 10, model.len, some, &have), ERR_RANGE);

    assert_int_equal(push_part(&w, WORKER, TR_SHOWN_MODEL, 0, model.len, some, &have), OK);
    assert_int_equal(have, 1000);
    assert_int_equal(push_part(&w, WORKER, TR_SHOWN_MODEL, 0, model.len, some, &have), OK); /* again: it is there */
    assert_int_equal(have, 1000);
    assert_int_equal(push_part(&w, WORKER, TR_SHOWN_MODEL, 500, model.len, bytes_of(model.data + 500, 400), &have), OK);
    assert_int_equal(have, 1000);
    assert_int_equal(push_part(&w, WORKER, TR_SHOWN_MODEL, 500, model.len, some, &have), ERR_RANGE);
    assert_int_equal(push_part(&w, WORKER, TR_SHOWN_MODEL, 1000, model.len + 1, some, &have), ERR_RANGE);
    assert_int_equal(push_part(&w, COORDINATOR, TR_SHOWN_MODEL, 1000, model.len, some, &have), ERR_RANGE); /* a place of its own */
    assert_int_equal(push_part(&w, WORKER, TR_SHOWN_MODEL, 0, model.len, bytes_of(model.data + 1, 300), &have), OK); /* anew */
    assert_int_equal(have, 300);
    assert_int_equal(ask(&w, WORKER, TR_SHOWN_MODEL, &have, &complete), OK);
    assert_int_equal(have, 300);
    assert_false(complete);
    assert_int_equal(ask(&w, STRANGER, TR_SHOWN_MODEL, &have, &complete), ERR_PERMISSION);

    /* Started again, a validator has nothing, and gets it again. */
    eng_arbiter_stop(w.arbiter);
    start_arbiter(&w);
    wait_for_audit(&w);
    assert_int_equal(ask(&w, WORKER, TR_SHOWN_MODEL, &have, &complete), OK);
    assert_int_equal(have, 0);
    assert_int_equal(show_as(&w, COORDINATOR, TR_SHOWN_MODEL, model), OK);
    assert_int_equal(ask(&w, WORKER, TR_SHOWN_MODEL, &have, &complete), OK);
    assert_true(complete); /* somebody's is */
    for (int k = TR_SHOWN_TOKENS; k < TR_SHOWN_KINDS; k++)
        assert_int_equal(show_as(&w, WORKER, (tr_shown)k, buf_bytes(&w.shown[k])), OK);
    until(&w, CHAIN_AUDIT_VALID, false);
    end(&w);
}

static void a_stranger_is_no_validator(void **state)
{
    (void)state;
    world w;
    eng_arbiter *second = NULL;
    cr_secret_key secret;
    cr_public_key ignored;
    char other[700];
    begin(&w, 0, LIE_NONE);
    kit_key(&secret, &ignored, STRANGER);
    snprintf(other, sizeof other, "%s2", w.inbox);
    const eng_arbiter_options options = { .engine = w.engine, .dir = other, .validator = &secret };
    assert_int_equal(eng_arbiter_start(&second, &options, NULL), ERR_PERMISSION);
    end(&w);
}

/* Only what is signed for this place is taken; paths are read as they are written. */
static void requests_are_bound(void **state)
{
    (void)state;
    char url[TR_PUSH_URL_MAX], auth[TR_PUSH_AUTH_BYTES];
    cr_secret_key secret;
    cr_public_key key;
    chain_name id, other;
    tr_push back, p = { .job = { { 1, 2 } }, .lease_id = UINT64_MAX, .kind = TR_SHOWN_GRADIENT, .at = 4194304, .total = UINT64_MAX, .body = bytes_of("part", 4) };
    kit_key(&secret, &key, WORKER);
    assert_int_equal(chain_name_set(&id, bytes_of_str("one")), OK);
    assert_int_equal(chain_name_set(&other, bytes_of_str("two")), OK);
    tr_push_sign(&p, &id, &secret);
    tr_push_write(url, auth, &p);
    assert_int_equal(strncmp(url, TR_AUDIT_PREFIX, sizeof TR_AUDIT_PREFIX - 1), 0);
    const char *rest = url + sizeof TR_AUDIT_PREFIX - 1;
    assert_int_equal(tr_push_read(&back, rest, auth, NULL), OK);
    back.body = p.body;
    assert_int_equal(tr_push_verify(&back, &id, NULL), OK);
    assert_int_equal(tr_push_verify(&back, &other, NULL), ERR_SIGNATURE);
#define CHANGED(member, value)                                            \
    do {                                                                  \
        tr_push c = back;                                                 \
        c.member = (value);                                               \
        assert_int_equal(tr_push_verify(&c, &id, NULL), ERR_SIGNATURE);   \
    } while (0)
    CHANGED(job.b[31], 1);
    CHANGED(lease_id, 1);
    CHANGED(kind, TR_SHOWN_PROOF);
    CHANGED(at, 0);
    CHANGED(total, 1);
    CHANGED(total, 0);
    CHANGED(body, bytes_of("parT", 4));
    CHANGED(key, key_of(STRANGER));
#undef CHANGED
    static const char *const bad[] = { "", "00", "/1/model/0/1", "1/model/0", "1/model/0/", "1/model/00/1", "1/model/0/1/", "1/models/0/1", "-1/model/0/1",
                                       "1/model/0/18446744073709551616", "01/model/0/1", "1/model/0x/1", "1//0/1" };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        char text[TR_PUSH_URL_MAX];
        snprintf(text, sizeof text, "%.65s%s", rest, bad[i]);
        assert_int_equal(tr_push_read(&back, text, auth, NULL), ERR_SYNTAX);
    }
    assert_int_equal(tr_push_read(&back, rest, NULL, NULL), ERR_SYNTAX);
    auth[3] = 'x';
    assert_int_equal(tr_push_read(&back, rest, auth, NULL), ERR_SYNTAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_drawn_lease_holds), cmocka_unit_test(a_dispute_is_lost), cmocka_unit_test(a_range_holds), cmocka_unit_test(a_false_lease_is_spoiled),
        cmocka_unit_test(silence_is_no_proof), cmocka_unit_test(what_has_another_name_says_nothing), cmocka_unit_test(patience_ends), cmocka_unit_test(parts_are_refused),
        cmocka_unit_test(a_stranger_is_no_validator), cmocka_unit_test(requests_are_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
