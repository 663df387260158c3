/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests only: one network with one proved lease on a running engine, with a real model, gradient and proof, and an arbiter. */
#ifndef AUDIT_WORLD_KIT_H
#define AUDIT_WORLD_KIT_H

#include "crypto/merkle.h"
#include "engine/arbiter.h"
#include "engine/ledger_testkit.h"
#include "prove/prove.h"
#include "train/dir_kit.h"
#include "train/gradient.h"
#include "train/job_kit.h"
#include "train/statement.h"
#include "train/token_root.h"

#include <stdatomic.h>
#include <time.h>

enum { BUYER, WORKER, DISPUTER, STRANGER, COORDINATOR, PEOPLE, PUSH_WINDOW = 40, VERDICT_WINDOW = 40, OPEN_WINDOW = 50, SEQUENCES = 2 };
static const char NAME[] = "audits-dev";

/* What is odd about the next world. */
static struct {
    uint64_t parameters;   /* of the job, as it says; 0: as many as there are */
    bool     forged_first; /* before the lease's transaction its block has one with the same bodies and other signatures */
    bool     committed;    /* the lease is not paid yet */
    bool     disputed_first; /* in the block that has the lease, before anybody knows what is drawn */
    unsigned validators;   /* besides the one that is here, and which never say anything */
    uint64_t bytes_max;    /* of the arbiter's budget */
} odd;

typedef enum lie { LIE_NONE, LIE_LOSS, LIE_SHAPE, LIE_TOKENS, LIE_RANGE /* of another element */, TRUE_RANGE } lie;

/* One network with one paid lease, its contents, and an arbiter. */
typedef struct world {
    dir_kit            dir;
    char               inbox[600];
    eng_solo          *engine;
    eng_arbiter       *arbiter;
    atomic_uint        troubles;
    job_kit            job;
    hash256            id;
    chain_lease        lease;
    uint8_t            signed_lease[2048], signed_attestation[2048];
    bytes              lease_bytes, attestation_bytes;
    buf                shown[TR_SHOWN_KINDS];
} world;

/* --- transactions ----------------------------------------------------------------------------------------------------------------- */

/* `ahead`: so many of this sender wait already. */
static inline err submit_ahead(world *w, chain_tx *tx, uint64_t who, uint64_t ahead, hash256 *id)
{
    static uint8_t room[65536];
    cr_secret_key secret;
    bytes raw;
    kit_key(&secret, &tx->sender, who);
    assert_int_equal(chain_name_set(&tx->chain_id, bytes_of_str(NAME)), OK);
    cr_address a = cr_address_of_key(&tx->sender);
    const chain *c = eng_solo_read_begin(w->engine);
    tx->nonce = chain_account(c, &a)->nonce + ahead;
    tx->expiry_height = chain_head(c)->height + 50;
    eng_solo_read_end(w->engine);
    tx->fee_max = 10000000;
    assert_int_equal(chain_tx_sign(&raw, room, sizeof room, tx, &secret, id, NULL), OK);
    return eng_solo_submit(w->engine, id, raw, NULL);
}

static inline err submit(world *w, chain_tx *tx, uint64_t who, hash256 *id)
{
    return submit_ahead(w, tx, who, 0, id);
}

static inline err post(world *w, chain_tx *tx, uint64_t who, hash256 *id)
{
    uint64_t height;
    eng_tx_result result;
    TRY(submit(w, tx, who, id));
    TRY(eng_solo_produce(w->engine, false, &height, NULL));
    assert_int_equal(eng_solo_result(w->engine, &result, id), OK);
    return result.code;
}

static inline void must(world *w, chain_tx tx, uint64_t who)
{
    hash256 id;
    assert_int_equal(post(w, &tx, who, &id), OK);
}

static inline cr_public_key key_of(uint64_t who)
{
    cr_secret_key secret;
    cr_public_key key;
    kit_key(&secret, &key, who);
    return key;
}

static inline uint64_t balance(world *w, uint64_t who)
{
    cr_address a = kit_address(who);
    uint64_t out = chain_account(eng_solo_read_begin(w->engine), &a)->balance;
    eng_solo_read_end(w->engine);
    return out;
}

static inline void post_job(world *w, lie l)
{
    const num_shape *s = &w->job.shape;
    chain_tx tx = { .type = CHAIN_TX_JOB_POST };
    tx.payload.job_post = (chain_tx_job_post){ .coordinator = key_of(COORDINATOR), .model_parameters = odd.parameters ? odd.parameters : w->job.elements, .width = s->width,
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

static inline chain_lease_status lease_status(world *w)
{
    uint8_t out = chain_lease_row(eng_solo_read_begin(w->engine), &w->id, w->lease.lease_id)->status;
    eng_solo_read_end(w->engine);
    return out;
}

/* --- the lease ----------------------------------------------------------------------------------------------------------------------- */

static inline void show_tokens(world *w, lie l)
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

static inline void show_model(world *w)
{
    uint8_t *file;
    size_t   len;
    assert_int_equal(bt_model_encode(&w->job.model, &file, &len), OK);
    assert_int_equal(buf_put(&w->shown[TR_SHOWN_MODEL], file, len), OK);
    free(file);
}

static inline err take(void *ctx, uint32_t tensor_id, uint64_t sequence, const void *data, uint32_t rows, uint32_t cols, uint32_t elem_bytes)
{
    return pv_witness_take(ctx, tensor_id, sequence, data, rows, cols, elem_bytes);
}

/* Computed and proved as a worker does; LIE_LOSS then attests another loss, LIE_RANGE another element. */
static inline chain_attestation answer(world *w, const hash256 *lease_hash, lie l)
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

/* The transaction that brings the lease to the ledger, for the next block. */
static inline void carry(world *w, const chain_receipt *r, uint64_t who, uint64_t tip)
{
    uint8_t room[8192];
    bytes   list;
    hash256 id;
    chain_tx tx = { .type = odd.committed ? CHAIN_TX_TRACE_COMMIT : CHAIN_TX_RECEIPT_PAY, .tip = tip };
    assert_int_equal(chain_receipts_encode(&list, room, sizeof room, r, 1), OK);
    if (odd.committed)
        tx.payload.trace_commit = (chain_tx_trace_commit){ .job = w->id, .traces = list };
    else
        tx.payload.receipt_pay = (chain_tx_receipt_pay){ .job = w->id, .receipts = list };
    assert_int_equal(submit(w, &tx, who, &id), OK);
}

/* The signature is the last field of both. */
static inline void forge(world *w)
{
    uint8_t lease[2048], attestation[2048];
    memcpy(lease, w->lease_bytes.data, w->lease_bytes.len);
    memcpy(attestation, w->attestation_bytes.data, w->attestation_bytes.len);
    lease[w->lease_bytes.len - 1] ^= 1;
    carry(w, &(chain_receipt){ bytes_of(lease, w->lease_bytes.len), w->attestation_bytes }, STRANGER, 2000);
    attestation[w->attestation_bytes.len - 1] ^= 1;
    carry(w, &(chain_receipt){ w->lease_bytes, bytes_of(attestation, w->attestation_bytes.len) }, DISPUTER, 1000);
}

static inline void bring_lease(world *w, lie l)
{
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
    if (odd.forged_first)
        forge(w);
    carry(w, &(chain_receipt){ w->lease_bytes, w->attestation_bytes }, COORDINATOR, odd.disputed_first ? 5000 : 0);
    if (odd.disputed_first) {
        hash256 id;
        chain_tx open = { .type = CHAIN_TX_AUDIT_OPEN };
        open.payload.audit_open = (chain_tx_audit_open){ .job = w->id, .lease = w->lease_bytes, .attestation = w->attestation_bytes };
        assert_int_equal(submit(w, &open, DISPUTER, &id), OK);
    }
    uint64_t height;
    assert_int_equal(eng_solo_produce(w->engine, false, &height, NULL), OK);
    assert_int_equal(lease_status(w), odd.committed ? CHAIN_LEASE_COMMITTED : CHAIN_LEASE_PAID);
}

/* --- the world --------------------------------------------------------------------------------------------------------------------------- */

static inline void make_genesis(buf *out, uint32_t rate_ppm)
{
    cr_public_key producers[4] = { key_of(KIT_PRODUCER) };
    chain_allocation list[PEOPLE + 1];
    chain_genesis g = { .allocations = list, .allocation_count = PEOPLE + 1, .producers = producers, .producer_count = 1 + odd.validators };
    for (unsigned i = 1; i <= odd.validators; i++)
        producers[i] = key_of(KIT_PRODUCER + i);
    assert_int_equal(chain_name_set(&g.chain_id, bytes_of_str(NAME)), OK);
    assert_int_equal(chain_name_set(&g.address_prefix, bytes_of_str("tb")), OK);
    chain_params_default(&g.params);
    g.params.v[CHAIN_PARAM_WORKER_BOND_MIN] = 1000000;
    g.params.v[CHAIN_PARAM_FEE_BURN] = 1000000; /* a validator that produces earns nothing by it */
    g.params.v[CHAIN_PARAM_AUDIT_RATE] = rate_ppm;
    g.params.v[CHAIN_PARAM_AUDIT_DEPOSIT] = 500001;
    g.params.v[CHAIN_PARAM_AUDIT_PUSH] = PUSH_WINDOW;
    g.params.v[CHAIN_PARAM_AUDIT_VERDICT] = VERDICT_WINDOW;
    g.params.v[CHAIN_PARAM_OPEN_WINDOW] = OPEN_WINDOW;
    for (uint64_t i = 0; i <= PEOPLE; i++)
        list[i] = (chain_allocation){ kit_address(i < PEOPLE ? i : KIT_PRODUCER), 1000000000 };
    bytes encoded;
    assert_int_equal(buf_reserve(out, LIMIT_GENESIS_BYTES), OK);
    assert_int_equal(chain_genesis_encode(&encoded, out->data, LIMIT_GENESIS_BYTES, &g, NULL), OK);
    out->len = encoded.len;
}

static inline void count_trouble(void *ctx, const eng_arbiter_event *e)
{
    world *w = ctx;
    atomic_fetch_add(&w->troubles, e->kind == ENG_ARBITER_TROUBLE);
}

static inline void start_arbiter(world *w)
{
    cr_secret_key producer;
    cr_public_key ignored;
    kit_key(&producer, &ignored, KIT_PRODUCER);
    const eng_arbiter_options options = { .engine = w->engine, .dir = w->inbox, .validator = &producer, .on_event = count_trouble,
                                          .event_ctx = w, .bytes_max = odd.bytes_max };
    assert_int_equal(eng_arbiter_start(&w->arbiter, &options, NULL), OK);
}

/* No trace is opened here. */
static inline err one_leaf(uint64_t *count, const chain_leaf *leaf, fault *f)
{
    (void)leaf, (void)f;
    *count = 1;
    return OK;
}

static inline void begin(world *w, uint32_t rate_ppm, lie l)
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
    const eng_solo_options options = { .dir = folder, .genesis = buf_bytes(&genesis), .producer = &producer, .manual = true, .trace_leaf = one_leaf };
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
    bring_lease(w, l);
    uint64_t height;
    assert_int_equal(eng_solo_produce(w->engine, true, &height, NULL), OK); /* the one that draws */
    start_arbiter(w);
}

static inline void end(world *w)
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

static inline chain_row_audit audit_row(world *w)
{
    const chain_row_audit *row = chain_audit_row(eng_solo_read_begin(w->engine), &w->id, w->lease.lease_id);
    chain_row_audit out = row ? *row : (chain_row_audit){ 0 };
    eng_solo_read_end(w->engine);
    return out;
}

static inline void look_again(world *w)
{
    uint64_t height;
    assert_int_equal(eng_solo_produce(w->engine, false, &height, NULL), OK);
    nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
}

/* Until the audit has this status, and no other end before; heights pass only as the arbiter makes them. */
static inline void until(world *w, chain_audit_status status)
{
    unsigned looks = 0;
    for (chain_audit_status now; (now = audit_row(w).status) != status; look_again(w)) {
        assert_true(now == 0 || now == CHAIN_AUDIT_OPEN);
        assert_true(looks++ < 20000); /* it does not come */
    }
}

static inline void pass(world *w, unsigned blocks)
{
    uint64_t height;
    while (blocks--)
        assert_int_equal(eng_solo_produce(w->engine, true, &height, NULL), OK);
}

static inline void dispute(world *w)
{
    chain_tx tx = { .type = CHAIN_TX_AUDIT_OPEN };
    tx.payload.audit_open = (chain_tx_audit_open){ .job = w->id, .lease = w->lease_bytes, .attestation = w->attestation_bytes };
    must(w, tx, DISPUTER);
}

/* --- showing ------------------------------------------------------------------------------------------------------------------------------- */

static inline err push_part(world *w, uint64_t who, tr_shown kind, uint64_t at, uint64_t total, bytes part, uint64_t *have)
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

/* Of a lease of the same worker. */
static inline err ask_of(world *w, const hash256 *of, uint64_t lease_id, uint64_t who, tr_shown kind, uint64_t *have, bool *complete)
{
    chain_name id;
    cr_secret_key secret;
    cr_public_key ignored;
    tr_push p = { .job = *of, .lease_id = lease_id, .kind = kind };
    assert_int_equal(chain_name_set(&id, bytes_of_str(NAME)), OK);
    kit_key(&secret, &ignored, who);
    tr_push_sign(&p, &id, &secret);
    return eng_arbiter_ask(w->arbiter, &p, have, complete, NULL);
}

static inline err ask(world *w, uint64_t who, tr_shown kind, uint64_t *have, bool *complete)
{
    return ask_of(w, &w->id, w->lease.lease_id, who, kind, have, complete);
}

/* Until the arbiter knows of the audit. */
static inline void wait_for_audit(world *w)
{
    uint64_t have;
    bool complete;
    while (ask(w, WORKER, TR_SHOWN_MODEL, &have, &complete) != OK)
        look_again(w);
}

static inline err show_as(world *w, uint64_t who, tr_shown kind, bytes whole)
{
    uint64_t have = 0;
    for (size_t at = 0; at < whole.len; at = (size_t)have) {
        size_t n = whole.len - at < 100000 ? whole.len - at : 100000;
        TRY(push_part(w, who, kind, at, whole.len, bytes_of(whole.data + at, n), &have));
        assert_int_equal(have, at + n);
    }
    return OK;
}

static inline void show_all(world *w)
{
    wait_for_audit(w);
    for (int k = 0; k < TR_SHOWN_KINDS; k++)
        assert_int_equal(show_as(w, WORKER, (tr_shown)k, buf_bytes(&w->shown[k])), OK);
}

#endif
