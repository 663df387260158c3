/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests only: a node in a fresh directory and one real lease on it, computed, committed, paid. */
#ifndef APPS_PAID_KIT_H
#define APPS_PAID_KIT_H

#include "apps/bundle.h"
#include "apps/node_run.h"
#include "engine/ledger_testkit.h"
#include "train/gradient_root.h"
#include "train/job_kit.h"
#include "train/token_root.h"
#include "train/trace_root.h"

#include <ftw.h>
#include <unistd.h>

enum { PAID_BUYER = 0, PAID_WORKER = 1, PAID_COORDINATOR = 2, PAID_ACCOUNTS = 3, PAID_LEASE = 7 };

typedef struct paid_kit {
    tb_home   home;
    tb_node  *node;
    tb_ledger ledger;
    job_kit   train;
    hash256   job;
    buf       receipt, lease, attestation;
    tb_trust  trust;
} paid_kit;

static inline void paid_run(paid_kit *p, uint64_t who, chain_tx *tx, hash256 *id)
{
    cr_secret_key secret;
    cr_public_key key;
    tb_sent sent;
    fault f = { 0 };
    kit_key(&secret, &key, who);
    if (tb_ledger_run(&p->ledger, &sent, tx, &secret, 10000, &f) != OK)
        fail_msg("transaction %d: %s %s (%s)", (int)tx->type, err_describe(f.code)->name, f.what, sent.what);
    if (id)
        *id = sent.id;
}

static inline void paid_job(paid_kit *p)
{
    cr_secret_key secret;
    static uint8_t list[64];
    const num_shape *s = &p->train.shape;
    chain_tx bond = { .type = CHAIN_TX_WORKER_REGISTER }, post = { .type = CHAIN_TX_JOB_POST }, bid = { .type = CHAIN_TX_JOB_BID },
             match = { .type = CHAIN_TX_JOB_MATCH };
    bond.payload.worker_register = (chain_tx_worker_register){ .bond = 20000000000, .blocktorch_version = 1, .supported_backends = 1,
        .max_model_parameters = UINT64_MAX, .max_batch_size = 8, .measured_throughput = 5000 };
    post.payload.job_post = (chain_tx_job_post){ .dataset_manifest_cid = p->train.data.cid, .model_parameters = p->train.elements,
        .width = s->width, .layers = s->layers, .heads = s->heads, .context = s->context, .vocabulary = s->vocab, .operand_bits = 12,
        .batch_size = 8, .steps = 2, .learning_rate_ppb = 1000000, .gradient_format = 1, .max_batch_latency_blocks = 10,
        .sequences_total = 16, .price = 1000, .price_sequences = 4, .level_min = CHAIN_LEVEL_REFEREED, .sample_ppm = 1000000,
        .escrow = 100000, .expiry_height = 300, .required_backends = CHAIN_BACKEND_CPU };
    kit_key(&secret, &post.payload.job_post.coordinator, PAID_COORDINATOR);
    paid_run(p, PAID_WORKER, &bond, NULL);
    paid_run(p, PAID_BUYER, &post, &p->job);
    bid.payload.job_bid = (chain_tx_job_bid){ .job = p->job, .price = 1000, .capacity = 8 };
    paid_run(p, PAID_WORKER, &bid, NULL);
    cr_address worker = kit_address(PAID_WORKER);
    match.payload.job_match.job = p->job;
    assert_int_equal(chain_addresses_encode(&match.payload.job_match.workers, list, sizeof list, &worker, 1), OK);
    paid_run(p, PAID_COORDINATOR, &match, NULL);
}

/* The worker's honest answer for sequences [from, from + 4); at level full it names a proof that nobody has. */
static inline chain_attestation paid_compute(paid_kit *p, uint64_t from, chain_level level)
{
    tr_trace trace;
    const uint64_t sequences[] = { from, from + 1, from + 2, from + 3 };
    bt_result result;
    chain_attestation a = { .version = CHAIN_ATTESTATION_VERSION, .level = (uint8_t)level, .spec_version = CHAIN_SPEC_VERSION,
                            .tokens = 4 * p->train.shape.context };
    a.proof.b[0] = level == CHAIN_LEVEL_FULL;
    int64_t *gradient = malloc(p->train.elements * sizeof *gradient);
    p->train.job = p->job;
    job_publish(&p->train.model, &p->train.fractions, &p->train.state, &p->train.exec, &p->train.data, &p->job);
    assert_int_equal(tr_trace_init(&trace, &p->train.shape, 4, sequences, NULL, NULL), OK);
    const tr_task task = { .model = &p->train.model, .data = &p->train.data, .job = p->job, .from = from, .to = from + 4 };
    const tr_observer see = { .fn = tr_trace_take, .ctx = &trace };
    assert_int_equal(tr_exec_run(&p->train.exec, &task, gradient, &a.loss, &result, &see, NULL), OK);
    assert_false(result.range);
    assert_int_equal(tr_trace_root(&trace, &a.trace_root, NULL), OK);
    assert_int_equal(tr_gradient_root(&a.gradient, &p->train.shape, gradient, NULL, NULL), OK);
    tr_trace_deinit(&trace);
    free(gradient);
    return a;
}

/* Committed and paid; `out`, which may be NULL, gets views of static memory. */
static inline void paid_lease(paid_kit *p, uint64_t lease_id, uint64_t from, chain_level level, chain_receipt *out)
{
    static uint8_t lease_bytes[2048], attestation_bytes[2048], items[8192];
    cr_secret_key coordinator, worker;
    cr_public_key key;
    chain_receipt pair;
    chain_attestation a = paid_compute(p, from, level);
    chain_lease lease = { .version = CHAIN_LEASE_VERSION, .chain_id = p->ledger.chain_id, .job = p->job, .lease_id = lease_id, .step = from / 8, .from = from,
                          .to = from + 4, .model = p->train.model.id,
                          .tokens = tr_token_root(&p->train.data, &p->job, from, from + 4, p->train.shape.context), .price = 1000, .level_min = (uint8_t)level, .expiry_height = 300 };
    kit_key(&coordinator, &key, PAID_COORDINATOR);
    kit_key(&worker, &lease.worker, PAID_WORKER);
    assert_int_equal(chain_lease_sign(&pair.lease, lease_bytes, sizeof lease_bytes, &lease, &coordinator, &a.lease, NULL), OK);
    assert_int_equal(chain_attestation_sign(&pair.attestation, attestation_bytes, sizeof attestation_bytes, &a, &worker, NULL, NULL), OK);
    chain_tx commit = { .type = CHAIN_TX_TRACE_COMMIT }, pay = { .type = CHAIN_TX_RECEIPT_PAY };
    commit.payload.trace_commit.job = pay.payload.receipt_pay.job = p->job;
    assert_int_equal(chain_receipts_encode(&commit.payload.trace_commit.traces, items, sizeof items, &pair, 1), OK);
    pay.payload.receipt_pay.receipts = commit.payload.trace_commit.traces;
    paid_run(p, PAID_COORDINATOR, &commit, NULL);
    paid_run(p, PAID_COORDINATOR, &pay, NULL);
    if (out)
        *out = pair;
}

static inline void paid_start(paid_kit *p)
{
    buf genesis;
    cr_secret_key producer;
    fault f = { 0 };
    char dir[] = "/tmp/tb-apps-XXXXXX";
    memset(p, 0, sizeof *p);
    assert_non_null(mkdtemp(dir));
    assert_int_equal(tb_home_at(&p->home, dir, NULL), OK);
    assert_int_equal(tb_home_make(&p->home, NULL), OK);
    buf_init(&genesis, LIMIT_GENESIS_BYTES);
    kit_genesis(&genesis, "apps", PAID_ACCOUNTS);
    kit_key(&producer, &p->trust.producer, KIT_PRODUCER);
    p->trust.genesis = chain_genesis_hash(buf_bytes(&genesis));
    const tb_node_options options = { .home = &p->home, .genesis = buf_bytes(&genesis), .producer = &producer, .interval_ms = 1 };
    if (tb_node_start(&p->node, &options, NULL, &f) != OK)
        fail_msg("node: %s %s", err_describe(f.code)->name, f.what);
    buf_deinit(&genesis);
    assert_int_equal(tb_ledger_open(&p->ledger, &p->home, NULL, NULL), OK);
    job_make(&p->train);
}

static inline int paid_remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st, (void)kind, (void)where;
    return remove(path);
}

static inline void paid_stop(paid_kit *p)
{
    job_drop(&p->train);
    tb_ledger_close(&p->ledger);
    assert_int_equal(tb_node_stop(p->node, NULL), OK);
    assert_int_equal(nftw(p->home.dir, paid_remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

#endif
