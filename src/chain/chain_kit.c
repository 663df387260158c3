/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/chain_kit.h"

#include "chain/chain_int.h"
#include "crypto/merkle.h"
#include "crypto/sha256.h"

#include <stdlib.h>

uint64_t kit_table_seed = 0x1234;

cr_secret_key kit_key(unsigned who)
{
    uint8_t seed[32] = { 0 };
    store_le32(seed, who);
    cr_secret_key secret;
    cr_public_key pub;
    cr_ed25519_keypair(&secret, &pub, seed);
    return secret;
}

cr_public_key kit_public(unsigned who)
{
    cr_secret_key secret = kit_key(who);
    cr_public_key pub;
    memcpy(pub.b, secret.b + 32, sizeof pub.b);
    return pub;
}

cr_address kit_address(unsigned who)
{
    cr_public_key pub = kit_public(who);
    return cr_address_of_key(&pub);
}

static void *kit_alloc(void *ctx, size_t size)
{
    kit *k = ctx;
    if (k->fail_after && --k->fail_after == 0)
        return NULL;
    k->blocks_alive++;
    return malloc(size);
}

static void kit_release(void *ctx, void *block, size_t size)
{
    (void)size;
    ((kit *)ctx)->blocks_alive--;
    free(block);
}

void kit_start(kit *k, void (*tweak)(chain_genesis *g))
{
    CHECK(cr_ed25519_self_test() == OK);
    memset(k, 0, sizeof *k);
    chain_allocation allocations[KIT_ACCOUNTS + 2];
    for (unsigned i = 0; i < KIT_ACCOUNTS + 2; i++)
        allocations[i] = (chain_allocation){ kit_address(i < KIT_ACCOUNTS ? i : i == KIT_ACCOUNTS ? KIT_ISSUER : KIT_COORDINATOR),
                                             KIT_BALANCE };
    cr_public_key issuer = kit_public(KIT_ISSUER), producer = kit_public(KIT_PRODUCER);
    chain_genesis g = { .allocations = allocations, .allocation_count = KIT_ACCOUNTS + 2, .issuers = &issuer, .issuer_count = 1,
                        .producers = &producer, .producer_count = 1 };
    CHECK(chain_name_set(&g.chain_id, bytes_of_str("kit-dev")) == OK);
    CHECK(chain_name_set(&g.address_prefix, bytes_of_str("tb")) == OK);
    chain_params_default(&g.params);
    g.params.v[CHAIN_PARAM_WORKER_BOND_MIN] = 1000000;
    g.params.v[CHAIN_PARAM_WORKER_UNBOND] = 4;
    g.params.v[CHAIN_PARAM_CLAIM_DELAY] = 4;
    g.params.v[CHAIN_PARAM_CLAIM_WINDOW] = 11;
    g.params.v[CHAIN_PARAM_OPEN_WINDOW] = 3;
    g.params.v[CHAIN_PARAM_AUDIT_WINDOW] = 2;
    g.params.v[CHAIN_PARAM_AUDIT_PUSH] = 1;
    g.params.v[CHAIN_PARAM_AUDIT_VERDICT] = 1;
    if (tweak)
        tweak(&g);
    bytes encoded;
    fault f = { 0 };
    CHECK(chain_genesis_encode(&encoded, k->genesis, sizeof k->genesis, &g, &f) == OK);
    k->genesis_len = encoded.len;
    k->config = (chain_config){ .memory = { k, kit_alloc, kit_release }, .table_seed = kit_table_seed, .referee = kit_referee,
                                .trace_leaf = kit_trace_leaf };
    CHECK(chain_new(&k->c, &k->config, encoded, &f) == OK);
}

void kit_stop(kit *k)
{
    chain_free(k->c);
    CHECK(k->blocks_alive == 0);
}

chain_tx kit_tx(const kit *k, unsigned who, chain_tx_type type, uint64_t ahead)
{
    cr_address a = kit_address(who);
    const chain_row_account *account = chain_account(k->c, &a);
    chain_tx tx = { .chain_id = *chain_chain_id(k->c), .type = type, .sender = kit_public(who),
                    .nonce = (account ? account->nonce : 0) + ahead, .expiry_height = chain_head(k->c)->height + 100,
                    .fee_max = 2000000 };
    return tx;
}

/* A ring: a test holds far fewer bytes at a time. */
bytes kit_keep(bytes data)
{
    static uint8_t memory[1 << 24];
    static size_t at;
    if (data.len > sizeof memory - at)
        at = 0;
    memcpy(memory + at, data.data, data.len);
    bytes out = bytes_of(memory + at, data.len);
    at += data.len;
    return out;
}

bytes kit_sign(const chain_tx *tx, unsigned who)
{
    static uint8_t buffer[80000];
    bytes out;
    fault f = { 0 };
    cr_secret_key secret = kit_key(who);
    err e = chain_tx_sign(&out, buffer, sizeof buffer, tx, &secret, NULL, &f);
    CHECK(e == OK);
    return kit_keep(out);
}

err kit_execute(kit *k, const bytes *txs, size_t count, bool commit, fault *f)
{
    static chain_block_tx items[10000];
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        items[i] = (chain_block_tx){ .raw = txs[i] };
        total += txs[i].len;
    }
    chain_block_input in = { .height = chain_head(k->c)->height + 1, .producer = kit_public(KIT_PRODUCER), .txs = items,
                             .tx_count = count };
    cr_secret_key producer = kit_key(KIT_PRODUCER);
    uint8_t message[CHAIN_BEACON_MESSAGE_BYTES];
    hash256 head = chain_head_hash(k->c);
    chain_beacon_message(message, &chain_head(k->c)->randomness, &head, in.height);
    cr_ed25519_sign(&in.beacon, &producer, bytes_of(message, sizeof message));
    if (!k->c->pending) { /* what a test changed between two blocks belongs to the head: the block is judged by what it changes itself */
        chain_trees_sync(k->c);
        chain_block_dirty_to_mark(k->c);
    }
    TRY(chain_reserve(k->c, count, total));
    TRY(chain_execute(k->c, &in, &k->result, f));
    if (!commit)
        return OK;
    chain_header h;
    uint8_t buffer[1024];
    bytes header;
    CHECK(chain_pending_header(k->c, &h, 1700000000000u + 5000 * in.height) == OK);
    CHECK(chain_header_sign(&header, buffer, sizeof buffer, &h, &producer, NULL, f) == OK);
    return chain_commit(k->c, header, f);
}

err kit_block(kit *k, const bytes *txs, size_t count)
{
    return kit_execute(k, txs, count, true, NULL);
}

err kit_run(kit *k, const chain_tx *tx, unsigned who)
{
    bytes raw = kit_sign(tx, who);
    TRY(kit_block(k, &raw, 1));
    k->last_id = k->result.txs[0].id;
    return k->result.txs[0].code;
}

void kit_advance(kit *k, uint64_t blocks)
{
    for (uint64_t i = 0; i < blocks; i++)
        CHECK(kit_block(k, NULL, 0) == OK);
}

uint64_t kit_balance(const kit *k, unsigned who)
{
    cr_address a = kit_address(who);
    const chain_row_account *account = chain_account(k->c, &a);
    return account ? account->balance : 0;
}

hash256 kit_post_job(kit *k, uint64_t steps, uint32_t sample_ppm)
{
    return kit_post_job_at(k, steps, sample_ppm, CHAIN_LEVEL_REFEREED);
}

hash256 kit_post_job_at(kit *k, uint64_t steps, uint32_t sample_ppm, chain_level level)
{
    chain_tx tx = kit_tx(k, 0, CHAIN_TX_JOB_POST, 0);
    tx.payload.job_post = (chain_tx_job_post){
        .coordinator = kit_public(KIT_COORDINATOR), .model_parameters = 1000, .width = 32, .layers = 1, .heads = 2, .context = 64,
        .vocabulary = 73, .operand_bits = 12, .batch_size = 8, .steps = steps, .learning_rate_ppb = 1000000, .determinism_seed = 7,
        .gradient_format = 1, .max_batch_latency_blocks = 10, .max_batch_latency_ms = 50000, .sequences_total = 8 * steps,
        .price = 1000, .price_sequences = 4, .level_min = (uint8_t)level, .sample_ppm = sample_ppm,
        .escrow = 2000 * steps + 77, .expiry_height = chain_head(k->c)->height + 300, .required_backends = CHAIN_BACKEND_CPU,
    };
    CHECK(kit_run(k, &tx, 0) == OK);
    return k->last_id;
}

void kit_add_worker(kit *k, unsigned who, const hash256 *job)
{
    cr_address a = kit_address(who);
    if (!chain_worker(k->c, &a)) {
        chain_tx tx = kit_tx(k, who, CHAIN_TX_WORKER_REGISTER, 0);
        tx.payload.worker_register = (chain_tx_worker_register){ .bond = 10000001, .blocktorch_version = 1 << 10,
            .supported_backends = CHAIN_BACKEND_CPU, .max_model_parameters = 1000000, .max_batch_size = 8,
            .measured_throughput = 5000, .proof_overhead_ppm = 1 };
        CHECK(kit_run(k, &tx, who) == OK);
    }
    chain_tx bid = kit_tx(k, who, CHAIN_TX_JOB_BID, 0);
    bid.payload.job_bid = (chain_tx_job_bid){ .job = *job, .price = 1000, .capacity = 8 };
    CHECK(kit_run(k, &bid, who) == OK);
    uint8_t buffer[128];
    chain_tx match = kit_tx(k, KIT_COORDINATOR, CHAIN_TX_JOB_MATCH, 0);
    match.payload.job_match.job = *job;
    CHECK(chain_addresses_encode(&match.payload.job_match.workers, buffer, sizeof buffer, &a, 1) == OK);
    CHECK(kit_run(k, &match, KIT_COORDINATOR) == OK);
}

chain_lease kit_lease(const kit *k, const hash256 *job, unsigned worker, uint64_t lease_id, uint64_t from, uint64_t to)
{
    return (chain_lease){ .version = CHAIN_LEASE_VERSION, .chain_id = *chain_chain_id(k->c), .job = *job, .lease_id = lease_id,
                          .step = from / 8, .from = from, .to = to, .model = { { 9 } }, .tokens = { { 8 } },
                          .worker = kit_public(worker),
                          .price = 250 * (to - from), .level_min = CHAIN_LEVEL_REFEREED,
                          .expiry_height = chain_job(k->c, job)->expiry_height };
}

/* Signing what a test wants decoders to refuse needs the shared writer: lease and attestation of any content. */
chain_attestation kit_attestation(const chain_lease *lease)
{
    uint8_t buffer[1024];
    cbor_writer w = cbor_writer_on(buffer, sizeof buffer);
    chain_record_encode(&w, &chain_lease_record, lease);
    bytes body;
    CHECK(cbor_finish(&w, &body) == OK);
    return (chain_attestation){ .version = CHAIN_ATTESTATION_VERSION, .lease = cr_sha256(body), .gradient = { { 1 } },
                                .trace_root = { { 2, (uint8_t)lease->lease_id } }, .level = CHAIN_LEVEL_REFEREED,
                                .spec_version = CHAIN_SPEC_VERSION, .loss = 12345, .tokens = 64 * (lease->to - lease->from),
                                .computation_time_ms = 77 };
}

chain_receipt kit_receipt(const chain_lease *lease, const chain_attestation *a, unsigned worker)
{
    uint8_t buffer[2048];
    bytes out;
    chain_receipt r;
    cr_secret_key coordinator = kit_key(KIT_COORDINATOR), key = kit_key(worker);
    CHECK(chain_signed_write(&out, buffer, sizeof buffer, &chain_lease_record, lease, &coordinator, NULL, NULL) == OK);
    r.lease = kit_keep(out);
    CHECK(chain_signed_write(&out, buffer, sizeof buffer, &chain_attestation_record, a, &key, NULL, NULL) == OK);
    r.attestation = kit_keep(out);
    return r;
}

static err run_receipts(kit *k, unsigned who, chain_tx_type type, const hash256 *job, const chain_receipt *r, size_t count)
{
    static uint8_t buffer[66000];
    chain_tx tx = kit_tx(k, who, type, 0);
    bytes items;
    CHECK(chain_receipts_encode(&items, buffer, sizeof buffer, r, count) == OK);
    if (type == CHAIN_TX_RECEIPT_PAY)
        tx.payload.receipt_pay = (chain_tx_receipt_pay){ .job = *job, .receipts = items };
    else
        tx.payload.trace_commit = (chain_tx_trace_commit){ .job = *job, .traces = items };
    return kit_run(k, &tx, who);
}

err kit_commit_trace(kit *k, unsigned who, const hash256 *job, const chain_receipt *r, size_t count)
{
    return run_receipts(k, who, CHAIN_TX_TRACE_COMMIT, job, r, count);
}

err kit_pay(kit *k, unsigned who, const hash256 *job, const chain_receipt *r, size_t count)
{
    return run_receipts(k, who, CHAIN_TX_RECEIPT_PAY, job, r, count);
}

chain_receipt kit_proved_receipt(const kit *k, const hash256 *job, unsigned worker, uint64_t lease_id)
{
    chain_lease l = kit_lease(k, job, worker, lease_id, 8 * lease_id, 8 * lease_id + 8);
    l.level_min = CHAIN_LEVEL_FULL;
    chain_attestation a = kit_attestation(&l);
    a.level = CHAIN_LEVEL_FULL;
    a.proof = (hash256){ { 5, (uint8_t)lease_id } };
    return kit_receipt(&l, &a, worker);
}

chain_tx kit_audit_open(const kit *k, unsigned who, const hash256 *job, const chain_receipt *r)
{
    chain_tx tx = kit_tx(k, who, CHAIN_TX_AUDIT_OPEN, 0);
    tx.payload.audit_open = (chain_tx_audit_open){ .job = *job, .lease = r->lease, .attestation = r->attestation };
    return tx;
}

chain_tx kit_audit_verdict(const kit *k, unsigned who, const hash256 *job, uint64_t lease_id, uint32_t reason)
{
    chain_tx tx = kit_tx(k, who, CHAIN_TX_AUDIT_VERDICT, 0);
    tx.payload.audit_verdict = (chain_tx_audit_verdict){ .job = *job, .lease_id = lease_id, .valid = reason == 0, .reason = reason };
    CHECK(chain_name_set(&tx.payload.audit_verdict.relation, bytes_of_str(reason ? "logup.sum" : "-")) == OK);
    return tx;
}

chain_tx kit_audit_close(const kit *k, unsigned who, const hash256 *job, uint64_t lease_id)
{
    chain_tx tx = kit_tx(k, who, CHAIN_TX_AUDIT_CLOSE, 0);
    tx.payload.audit_close = (chain_tx_audit_close){ .job = *job, .lease_id = lease_id };
    return tx;
}

bytes kit_evidence(const chain_lease *lease, const chain_attestation *a)
{
    uint8_t e[6 + 4 * 32];
    memcpy(e, "guilty", 6);
    memcpy(e + 6, a->lease.b, 32);
    memcpy(e + 38, a->trace_root.b, 32);
    memcpy(e + 70, lease->worker.b, 32);
    memcpy(e + 102, lease->job.b, 32);
    return kit_keep(bytes_of(e, sizeof e));
}

err kit_referee(bytes evidence, const chain_dispute *d, fault *f)
{
    uint8_t want[6 + 4 * 32];
    memcpy(want, "guilty", 6);
    memcpy(want + 6, d->lease_hash.b, 32);
    memcpy(want + 38, d->attestation->trace_root.b, 32);
    memcpy(want + 70, d->lease->worker.b, 32);
    memcpy(want + 102, d->lease->job.b, 32);
    return bytes_equal(evidence, BYTES_OF(want)) ? OK : fail(f, ERR_EVIDENCE, "evidence", 0);
}

err kit_trace_leaf(uint64_t *count, const chain_leaf *leaf, fault *f)
{
    uint8_t want[5] = { 'l', 'e', 'a', 'f', (uint8_t)leaf->leaf };
    *count = KIT_LEAVES * (leaf->to - leaf->from);
    return !leaf->text.data || bytes_equal(leaf->text, BYTES_OF(want)) ? OK : fail(f, ERR_PROOF, "leaf", leaf->leaf);
}

static void kit_leaves(hash256 out[KIT_TRACE_MAX], size_t count)
{
    CHECK(count <= KIT_TRACE_MAX);
    for (size_t i = 0; i < count; i++) {
        uint8_t text[5] = { 'l', 'e', 'a', 'f', (uint8_t)i };
        out[i] = cr_merkle_leaf(&cr_merkle_blake3, BYTES_OF(text));
    }
}

hash256 kit_trace_root(size_t count)
{
    hash256 leaves[KIT_TRACE_MAX];
    kit_leaves(leaves, count);
    return cr_merkle_root(&cr_merkle_blake3, leaves, count);
}

chain_tx_trace_open kit_opening(const hash256 *job, uint64_t lease_id, size_t count, size_t leaf)
{
    hash256 leaves[KIT_TRACE_MAX], path[CR_MERKLE_DEPTH_MAX];
    uint8_t text[5] = { 'l', 'e', 'a', 'f', (uint8_t)leaf };
    kit_leaves(leaves, count);
    size_t n = cr_merkle_path(&cr_merkle_blake3, path, leaves, count, leaf);
    return (chain_tx_trace_open){ .job = *job, .lease_id = lease_id, .tile = kit_keep(BYTES_OF(text)),
                                  .path = kit_keep(bytes_of(path, n * sizeof *path)) };
}

uint64_t kit_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}
