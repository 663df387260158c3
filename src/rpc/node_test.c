/* SPDX-License-Identifier: Apache-2.0
 *
 * The methods over a real engine: a small ledger with transfers, a worker, a job, a bid, a paid lease. */
#define _GNU_SOURCE
#include "rpc/node.h"

#include "engine/ledger_testkit.h"
#include "rpc/client.h"
#include "rpc/json.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { ACCOUNTS = 4, BUYER = 0, WORKER = 1, OTHER = 2, COORDINATOR = 3, VALIDATOR = ACCOUNTS };

static struct {
    char            dir[64];
    eng_solo       *engine;
    rpc_live_board *board;
    rpc_node        node;
    uint64_t        nonce[ACCOUNTS + 1];
    hash256         job;
} t;

/* --- asking ------------------------------------------------------------------------------------------------------------- */

/* The whole reply to a call; `params` is JSON text. */
static json_t *reply_to(const char *method, const char *params)
{
    buf text, reply;
    buf_init(&text, LIMIT_RPC_BODY_BYTES);
    buf_init(&reply, LIMIT_RPC_REPLY_BYTES);
    assert_int_equal(buf_printf(&text, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":%s}", method, params), OK);
    assert_int_equal(rpc_dispatch(&t.node.dispatcher, RPC_SCOPE_SPEND, NULL, buf_bytes(&text), &reply, NULL), OK);
    json_t *out = json_loadb((const char *)reply.data, reply.len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(out);
    buf_deinit(&text);
    buf_deinit(&reply);
    return out;
}

__attribute__((format(printf, 2, 3))) static json_t *ask(const char *method, const char *format, ...)
{
    char *params;
    va_list args;
    va_start(args, format);
    assert_true(vasprintf(&params, format, args) >= 0);
    va_end(args);
    json_t *reply = reply_to(method, params), *result = json_incref(json_object_get(reply, "result"));
    if (!result)
        fail_msg("%s %s gives %s", method, params, json_dumps(reply, 0));
    json_decref(reply);
    free(params);
    return result;
}

/* The code in the error's data. */
__attribute__((format(printf, 2, 3))) static int refusal(const char *method, const char *format, ...)
{
    char *params;
    va_list args;
    va_start(args, format);
    assert_true(vasprintf(&params, format, args) >= 0);
    va_end(args);
    json_t *reply = reply_to(method, params);
    int code = (int)json_integer_value(json_object_get(json_object_get(json_object_get(reply, "error"), "data"), "code"));
    json_decref(reply);
    free(params);
    return code;
}

static const char *text_at(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    if (!text)
        fail_msg("no text %s in %s", name, json_dumps(object, 0));
    return text;
}

static uint64_t u64_at(const json_t *object, const char *name)
{
    uint64_t v;
    assert_int_equal(rpc_decimal_u64(&v, text_at(object, name)), OK);
    return v;
}

static bytes hex_at(const json_t *object, const char *name, uint8_t *out)
{
    const char *text = text_at(object, name);
    assert_int_equal(base_hex_decode(out, strlen(text) / 2, text), OK);
    return bytes_of(out, strlen(text) / 2);
}

static const char *hex(bytes v)
{
    static char text[2][2 * 73728 + 1];
    static unsigned turn;
    base_hex_encode(text[++turn % 2], v.data, v.len);
    return text[turn % 2];
}

static const char *address(unsigned who)
{
    static char text[ACCOUNTS][CR_ADDRESS_TEXT_MAX];
    cr_address a = kit_address(who);
    cr_address_encode(text[who], "tb", &a);
    return text[who];
}

/* --- making ------------------------------------------------------------------------------------------------------------- */

static uint64_t produce(void)
{
    uint64_t height = 0;
    assert_int_equal(eng_solo_produce(t.engine, true, &height, NULL), OK);
    return height;
}

/* Signs for `who` with its next nonce and submits over RPC; gives the id. */
static hash256 send_tx(unsigned who, chain_tx *tx)
{
    static uint8_t raw[65536];
    cr_secret_key secret;
    bytes signed_tx;
    hash256 id;
    kit_key(&secret, &tx->sender, who == VALIDATOR ? (uint64_t)KIT_PRODUCER : who);
    assert_int_equal(chain_name_set(&tx->chain_id, bytes_of_str("rpc-dev")), OK);
    tx->nonce = t.nonce[who]++;
    tx->expiry_height = 1000;
    tx->fee_max = 1000000000;
    assert_int_equal(chain_tx_sign(&signed_tx, raw, sizeof raw, tx, &secret, &id, NULL), OK);
    json_t *r = ask("tx.submit", "{\"tx\":\"%s\"}", hex(signed_tx));
    assert_string_equal(text_at(r, "outcome"), "pending");
    assert_string_equal(text_at(r, "id"), hex(BYTES_OF(id)));
    json_decref(r);
    return id;
}

static void must_be_ok(const hash256 *id)
{
    json_t *r = ask("tx.get", "[\"%s\"]", hex(BYTES_OF(*id)));
    if (strcmp(text_at(r, "outcome"), "ok") != 0)
        fail_msg("%s", json_dumps(r, 0));
    json_decref(r);
}

static void run_tx(unsigned who, chain_tx *tx)
{
    hash256 id = send_tx(who, tx);
    produce();
    must_be_ok(&id);
}

/* A lease of four of the job's sequences, answered by the worker and paid; views of static memory. */
static chain_receipt pay_one_lease(uint64_t lease_id, uint64_t from, chain_level level)
{
    static uint8_t lease_bytes[2048], attestation_bytes[2048], items[8192];
    cr_secret_key coordinator, worker;
    cr_public_key key;
    chain_receipt receipt;
    hash256 lease_hash;
    chain_lease lease = { .version = CHAIN_LEASE_VERSION, .job = t.job, .lease_id = lease_id, .from = from, .to = from + 4, .model = { { 9 } },
                          .tokens = { { 8 } }, .price = 1000, .level_min = (uint8_t)level, .expiry_height = 300 };
    assert_int_equal(chain_name_set(&lease.chain_id, bytes_of_str("rpc-dev")), OK);
    kit_key(&coordinator, &key, COORDINATOR);
    kit_key(&worker, &lease.worker, WORKER);
    assert_int_equal(chain_lease_sign(&receipt.lease, lease_bytes, sizeof lease_bytes, &lease, &coordinator, &lease_hash, NULL), OK);
    chain_attestation a = { .version = CHAIN_ATTESTATION_VERSION, .lease = lease_hash, .gradient = { { 1 } }, .trace_root = { { 2 } },
                                  .level = (uint8_t)level, .spec_version = CHAIN_SPEC_VERSION, .loss = 5, .tokens = 256 };
    a.proof.b[0] = level == CHAIN_LEVEL_FULL;
    assert_int_equal(chain_attestation_sign(&receipt.attestation, attestation_bytes, sizeof attestation_bytes, &a, &worker, NULL, NULL), OK);
    chain_tx commit = { .type = CHAIN_TX_TRACE_COMMIT }, pay = { .type = CHAIN_TX_RECEIPT_PAY };
    commit.payload.trace_commit.job = pay.payload.receipt_pay.job = t.job;
    assert_int_equal(chain_receipts_encode(&commit.payload.trace_commit.traces, items, sizeof items, &receipt, 1), OK);
    pay.payload.receipt_pay.receipts = commit.payload.trace_commit.traces;
    run_tx(COORDINATOR, &commit);
    produce(); /* the block that draws the sample */
    run_tx(COORDINATOR, &pay);
    return receipt;
}

static int set_up(void **state)
{
    (void)state;
    buf genesis;
    cr_secret_key producer;
    cr_public_key key;
    buf_init(&genesis, LIMIT_GENESIS_BYTES);
    kit_genesis(&genesis, "rpc", ACCOUNTS);
    kit_key(&producer, &key, KIT_PRODUCER);
    strcpy(t.dir, "/tmp/tb-node-XXXXXX");
    CHECK(mkdtemp(t.dir));
    const eng_solo_options options = { .dir = t.dir, .genesis = buf_bytes(&genesis), .producer = &producer, .manual = true };
    CHECK(eng_solo_open(&t.engine, &options, NULL, NULL) == OK);
    CHECK(rpc_live_board_new(&t.board) == OK);
    rpc_node_init(&t.node, t.engine, NULL, t.board);
    buf_deinit(&genesis);
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st, (void)kind, (void)where;
    return remove(path);
}

static int tear_down(void **state)
{
    (void)state;
    CHECK(eng_solo_close(t.engine, NULL) == OK);
    rpc_live_board_free(t.board);
    return nftw(t.dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* --- tests, in order: each builds on the ledger that the one before left ------------------------------------------------ */

static void transactions(void **state)
{
    (void)state;
    uint8_t raw[KIT_TX_BYTES];
    hash256 id;
    bytes tx = kit_transfer(raw, &id, "rpc", OTHER, BUYER, 5000, t.nonce[OTHER]++);
    json_t *r = ask("tx.submit", "{\"tx\":\"%s\",\"wait_ms\":30}", hex(tx));
    assert_string_equal(text_at(r, "outcome"), "pending"); /* the wait ran out */
    json_decref(r);
    r = ask("tx.submit", "{\"tx\":\"%s\"}", hex(tx)); /* the same again is the same answer */
    assert_string_equal(text_at(r, "outcome"), "pending");
    json_decref(r);
    produce();
    r = ask("tx.submit", "{\"tx\":\"%s\",\"wait_ms\":10}", hex(tx));
    assert_string_equal(text_at(r, "outcome"), "ok");
    assert_true(u64_at(r, "height") == 1 && u64_at(r, "fee") > 0 && u64_at(r, "event_first") >= 1);
    json_decref(r);

    /* Refused at once. */
    assert_int_equal(refusal("tx.submit", "{\"tx\":\"00\"}"), ERR_TYPE);
    raw[tx.len - 1] ^= 1;
    assert_int_equal(refusal("tx.submit", "{\"tx\":\"%s\"}", hex(tx)), ERR_SIGNATURE);
    tx = kit_transfer(raw, &id, "else", OTHER, BUYER, 5000, t.nonce[OTHER]);
    assert_int_equal(refusal("tx.submit", "{\"tx\":\"%s\"}", hex(tx)), ERR_CHAIN_ID);
    tx = kit_transfer(raw, &id, "rpc", OTHER, BUYER, 5001, 0);
    assert_int_equal(refusal("tx.submit", "{\"tx\":\"%s\"}", hex(tx)), ERR_NONCE);
    assert_int_equal(refusal("tx.get", "[\"%s\"]", hex(BYTES_OF(id))), ERR_NOT_FOUND);

    /* Included but failed: the first one takes what the second one counted on. */
    hash256 ids[2];
    for (size_t i = 0; i < 2; i++) {
        chain_tx big = { .type = CHAIN_TX_TRANSFER };
        big.payload.transfer.to = kit_address(BUYER);
        big.payload.transfer.amount = KIT_GRANT_NBLOCK / 10 * 6;
        ids[i] = send_tx(OTHER, &big);
    }
    produce();
    must_be_ok(&ids[0]);
    r = ask("tx.get", "[\"%s\"]", hex(BYTES_OF(ids[1])));
    assert_string_equal(text_at(r, "outcome"), "failed");
    assert_string_equal(text_at(json_object_get(r, "error"), "name"), "FUNDS");
    json_decref(r);
}

static void status_and_blocks(void **state)
{
    (void)state;
    json_t *s = ask("chain.status", "[]"), *b = ask("chain.block", "{\"height\":\"%s\",\"bodies\":true}", text_at(s, "height"));
    assert_string_equal(text_at(s, "chain_id"), "rpc-dev");
    assert_string_equal(text_at(s, "block"), text_at(b, "hash"));
    assert_string_equal(text_at(s, "state_root"), text_at(b, "state_root"));
    const json_t *txs = json_object_get(b, "txs");
    assert_int_equal(json_array_size(txs), 2);
    assert_string_equal(text_at(json_array_get(txs, 0), "type"), "transfer");
    static uint8_t raw[65536];
    chain_tx tx;
    assert_int_equal(chain_tx_decode(&tx, hex_at(json_array_get(txs, 0), "bytes", raw), NULL), OK);
    json_decref(b);
    assert_int_equal(refusal("chain.block", "[0]"), ERR_NOT_FOUND);
    assert_int_equal(refusal("chain.block", "[\"1000\"]"), ERR_NOT_FOUND);

    static uint8_t genesis[65536];
    json_t *g = ask("genesis.get", "[]");
    hash256 hash = chain_genesis_hash(hex_at(g, "bytes", genesis));
    assert_string_equal(text_at(g, "hash"), hex(BYTES_OF(hash)));
    assert_string_equal(text_at(s, "genesis"), text_at(g, "hash"));
    json_decref(g);
    json_decref(s);

    json_t *p = ask("params.list", "[]");
    const json_t *list = json_object_get(p, "params");
    assert_int_equal(json_array_size(list), CHAIN_PARAM_COUNT);
    assert_string_equal(text_at(json_array_get(list, 0), "key"), "supply.cap");
    json_decref(p);
}

/* Checks the proof of `r` the way a stranger does: header signature, then the path. */
static void check_proof(const json_t *proof, bool present)
{
    uint8_t header_bytes[1024], proof_bytes[16384], key_bytes[128], value_bytes[1024];
    chain_header header;
    smt_proof path;
    assert_int_equal(chain_header_decode(&header, NULL, hex_at(proof, "header", header_bytes), NULL), OK);
    assert_string_equal(text_at(proof, "state_root"), hex(BYTES_OF(header.state_root)));
    assert_int_equal(smt_proof_decode(&path, hex_at(proof, "proof", proof_bytes), NULL), OK);
    bytes key = hex_at(proof, "key", key_bytes), value = { 0 };
    unsigned table = 0;
    while (!chain_table_describe(table) || strcmp(chain_table_describe(table)->record->name, text_at(proof, "table")) != 0)
        table++;
    assert_true(json_is_null(json_object_get(proof, "value")) != present);
    if (present)
        value = hex_at(proof, "value", value_bytes);
    assert_int_equal(smt_verify(&path, &header.state_root, (uint8_t)table, key, present ? &value : NULL, NULL), OK);
    assert_int_equal(smt_verify(&path, &header.state_root, (uint8_t)table, key, present ? NULL : &value, NULL), ERR_PROOF);
}

static void accounts_and_proofs(void **state)
{
    (void)state;
    json_t *r = ask("account.get", "{\"address\":\"%s\",\"proof\":true}", address(OTHER));
    assert_true(json_is_true(json_object_get(r, "exists")) && json_is_null(json_object_get(r, "kyc")));
    assert_true(u64_at(r, "nonce") == t.nonce[OTHER]);
    check_proof(json_object_get(r, "proof"), true);
    json_decref(r);
    char nobody[CR_ADDRESS_TEXT_MAX];
    cr_address a = kit_address(77);
    cr_address_encode(nobody, "tb", &a);
    r = ask("account.get", "[\"%s\",true]", nobody);
    assert_true(json_is_false(json_object_get(r, "exists")) && u64_at(r, "balance") == 0);
    check_proof(json_object_get(r, "proof"), false);
    json_decref(r);
    r = ask("supply.get", "[true]");
    static const char *const parts[] = { "balances", "escrow", "bonds", "treasury", "subsidy", "awarded", "disbursing", "stakes" };
    uint64_t held = 0;
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        held += u64_at(r, parts[i]);
    assert_true(held == u64_at(r, "minted") - u64_at(r, "burned"));
    assert_true(u64_at(r, "cap") == CHAIN_AMOUNT_MAX);
    check_proof(json_object_get(r, "proof"), true);
    json_decref(r);
    r = ask("proof.get", "[\"supply\",\"00\"]");
    check_proof(r, true);
    json_decref(r);
    assert_int_equal(refusal("proof.get", "[\"nothing\",\"00\"]"), ERR_NOT_FOUND);
    assert_int_equal(refusal("proof.get", "[\"account\",\"00\"]"), ERR_LIMIT);
}

static void market(void **state)
{
    (void)state;
    cr_secret_key secret;
    chain_tx bond = { .type = CHAIN_TX_WORKER_REGISTER }, post = { .type = CHAIN_TX_JOB_POST }, bid = { .type = CHAIN_TX_JOB_BID };
    bond.payload.worker_register = (chain_tx_worker_register){ .bond = 20000000000, .blocktorch_version = 1, .supported_backends = 5,
        .max_model_parameters = 1000000, .max_batch_size = 8, .measured_throughput = 5000 };
    assert_int_equal(refusal("worker.get", "[\"%s\"]", address(WORKER)), ERR_NOT_FOUND);
    run_tx(WORKER, &bond);
    post.payload.job_post = (chain_tx_job_post){ .model_parameters = 1000, .width = 32, .layers = 1, .heads = 2, .context = 64, .vocabulary = 73,
        .operand_bits = 12, .batch_size = 8, .steps = 2, .learning_rate_ppb = 1000000, .gradient_format = 1, .max_batch_latency_blocks = 10,
        .sequences_total = 16, .price = 1000, .price_sequences = 4, .level_min = CHAIN_LEVEL_REFEREED, .sample_ppm = 1000000, .escrow = 100000,
        .expiry_height = 300, .required_backends = CHAIN_BACKEND_CPU };
    kit_key(&secret, &post.payload.job_post.coordinator, COORDINATOR);
    t.job = send_tx(BUYER, &post);
    produce();
    must_be_ok(&t.job);
    bid.payload.job_bid = (chain_tx_job_bid){ .job = t.job, .price = 1000, .capacity = 8 };
    run_tx(WORKER, &bid);
    uint8_t worker_list[64];
    cr_address worker = kit_address(WORKER);
    chain_tx match = { .type = CHAIN_TX_JOB_MATCH };
    match.payload.job_match.job = t.job;
    assert_int_equal(chain_addresses_encode(&match.payload.job_match.workers, worker_list, sizeof worker_list, &worker, 1), OK);
    run_tx(COORDINATOR, &match);
    (void)pay_one_lease(5, 0, CHAIN_LEVEL_REFEREED);

    json_t *r = ask("worker.get", "[\"%s\",true]", address(WORKER));
    assert_string_equal(text_at(r, "status"), "active");
    assert_string_equal(json_string_value(json_array_get(json_object_get(r, "supported_backends"), 1)), "vulkan");
    assert_true(u64_at(r, "bond") == 20000000000 && u64_at(r, "leases_paid") == 1);
    check_proof(json_object_get(r, "proof"), true);
    json_decref(r);
    r = ask("job.get", "[\"%s\",true]", hex(BYTES_OF(t.job)));
    assert_string_equal(text_at(r, "status"), "open");
    assert_string_equal(text_at(r, "owner"), address(BUYER));
    assert_string_equal(text_at(r, "level_min"), "refereed");
    const json_t *first = json_array_get(json_object_get(r, "bids"), 0);
    assert_string_equal(text_at(first, "worker"), address(WORKER));
    assert_string_equal(text_at(first, "status"), "accepted");
    check_proof(json_object_get(r, "proof"), true);
    json_decref(r);
    r = ask("job.receipts", "[\"%s\"]", hex(BYTES_OF(t.job)));
    first = json_array_get(json_object_get(r, "receipts"), 0);
    assert_string_equal(text_at(first, "status"), "paid");
    assert_true(u64_at(first, "lease_id") == 5 && u64_at(first, "gross") == 1000 && json_is_true(json_object_get(first, "sampled")));
    assert_true(json_is_null(json_object_get(r, "next")));
    json_decref(r);
    assert_int_equal(refusal("job.receipts", "[\"%064d\"]", 0), ERR_NOT_FOUND);
    assert_int_equal(refusal("job.get", "[\"%064d\"]", 0), ERR_NOT_FOUND);
}

static void pages(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        chain_tx bond = { .type = CHAIN_TX_WORKER_REGISTER };
        bond.payload.worker_register = (chain_tx_worker_register){ .bond = 10000000000, .blocktorch_version = 1, .supported_backends = 1,
            .max_model_parameters = 1000000, .max_batch_size = 8, .measured_throughput = 5000 };
        run_tx(i ? BUYER : COORDINATOR, &bond);
    }
    char cursor[80] = "";
    size_t seen = 0, calls = 0;
    for (bool more = true; more; calls++) {
        json_t *r = ask("worker.list", "{\"limit\":2%s}", cursor);
        const json_t *next = json_object_get(r, "next");
        seen += json_array_size(json_object_get(r, "workers"));
        more = json_is_string(next);
        if (more)
            snprintf(cursor, sizeof cursor, ",\"cursor\":\"%s\"", json_string_value(next));
        json_decref(r);
    }
    assert_int_equal(seen, 3);
    assert_int_equal(calls, 2);
    static const struct { const char *status; size_t count; } cases[] = { { "open", 1 }, { "complete", 0 }, { "refunded", 0 } };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        json_t *r = ask("job.list", "{\"status\":\"%s\"}", cases[i].status);
        assert_int_equal(json_array_size(json_object_get(r, "jobs")), cases[i].count);
        json_decref(r);
    }
    assert_int_equal(refusal("job.list", "{\"status\":\"opem\"}"), ERR_RANGE);
    assert_int_equal(refusal("job.list", "{\"cursor\":\"-1\"}"), ERR_SYNTAX);
    json_t *r = ask("job.list", "{\"cursor\":\"18446744073709551615\"}");
    assert_int_equal(json_array_size(json_object_get(r, "jobs")), 0);
    json_decref(r);
}

/* A call looks at so many rows and says where to go on, whatever it looks for. */
static void bounded_walks(void **state)
{
    (void)state;
    static const struct { const char *method, *id, *next; } cases[] = {
        { "job.get", "job", "bids_next" }, { "blocktorch.verification_status", "job_id", "next" }, { "job.receipts", "job", "next" },
    };
    char cursor[64];
    chain_tx bid = { .type = CHAIN_TX_JOB_BID };
    bid.payload.job_bid = (chain_tx_job_bid){ .job = t.job, .price = 900, .capacity = 8 };
    run_tx(BUYER, &bid);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        size_t calls = 0, found = 0;
        t.node.walk_rows = 1;
        for (*cursor = 0;; calls++) {
            json_t *r = ask(cases[i].method, "{\"%s\":\"%s\"%s}", cases[i].id, hex(BYTES_OF(t.job)), cursor);
            const json_t *next = json_object_get(r, cases[i].next), *list = json_object_get(r, i == 0 ? "bids" : "receipts");
            size_t one = i == 1 ? u64_at(json_object_get(r, "leases"), "paid") : json_array_size(list);
            assert_true(one <= 1);
            found += one;
            bool more = json_is_string(next);
            if (more)
                snprintf(cursor, sizeof cursor, ",\"cursor\":\"%s\"", json_string_value(next));
            json_decref(r);
            if (!more)
                break;
        }
        t.node.walk_rows = RPC_NODE_WALK_ROWS;
        assert_int_equal(found, i == 0 ? 2 : 1);
        assert_int_equal(calls, i == 0 ? 1 : 0);
        assert_int_equal(refusal(cases[i].method, "{\"%s\":\"%s\",\"cursor\":\"x\"}", cases[i].id, hex(BYTES_OF(t.job))), ERR_SYNTAX);
    }
    json_t *r = ask("job.get", "{\"job\":\"%s\",\"limit\":1}", hex(BYTES_OF(t.job)));
    assert_true(json_array_size(json_object_get(r, "bids")) == 1 && json_is_string(json_object_get(r, "bids_next")));
    json_decref(r);
    r = ask("job.get", "{\"job\":\"%s\"}", hex(BYTES_OF(t.job)));
    assert_true(json_array_size(json_object_get(r, "bids")) == 2 && json_is_null(json_object_get(r, "bids_next")));
    json_decref(r);
}

static void events(void **state)
{
    (void)state;
    uint64_t since = 0, expected = 0, height = 0;
    bool paid = false;
    for (size_t count = 1; count;) {
        json_t *r = ask("chain.events", "{\"since\":\"%llu\",\"limit\":3}", (unsigned long long)since);
        const json_t *list = json_object_get(r, "events");
        count = json_array_size(list);
        for (size_t i = 0; i < count; i++) {
            const json_t *e = json_array_get(list, i);
            expected = u64_at(e, "height") == height ? expected + 1 : u64_at(e, "height") << 24;
            height = u64_at(e, "height");
            assert_true(u64_at(e, "sequence") == expected);
            if (strcmp(text_at(e, "name"), "receipt_paid") == 0) {
                paid = true;
                assert_string_equal(text_at(e, "job"), hex(BYTES_OF(t.job)));
                assert_string_equal(text_at(e, "worker"), address(WORKER));
                assert_true(u64_at(e, "gross") == 1000);
            }
        }
        since = u64_at(r, "next");
        assert_true(json_is_false(json_object_get(r, "lost")));
        json_decref(r);
    }
    json_t *status = ask("chain.status", "{}");
    assert_true(paid && since == (u64_at(status, "height") + 1) << 24 && u64_at(status, "event_next") == since);
    json_decref(status);
    uint64_t begin = rpc_clock_ms();
    json_t *r = ask("chain.events", "{\"since\":\"%llu\",\"wait_ms\":250}", (unsigned long long)since);
    assert_true(rpc_clock_ms() - begin >= 250);
    json_decref(r);
    r = ask("chain.events", "{\"since\":\"%llu\",\"wait_ms\":250}", (unsigned long long)since + (1000ull << 24)); /* of a longer history */
    assert_true(json_is_true(json_object_get(r, "lost")) && json_array_size(json_object_get(r, "events")) > 0);
    json_decref(r);
}

static void live(void **state)
{
    (void)state;
    const char *worker = address(WORKER), *job = hex(BYTES_OF(t.job));
    json_t *r = ask("blocktorch.worker_status", "{\"worker_id\":\"%s\"}", worker);
    assert_string_equal(text_at(r, "live_source"), "none");
    assert_true(json_is_null(json_object_get(r, "live")) && json_is_true(json_object_get(r, "registered")));
    json_decref(r);
    r = ask("blocktorch.job_progress", "{\"job_id\":\"%s\"}", job);
    assert_true(u64_at(r, "sequences_paid") == 4 && u64_at(r, "sequences_total") == 16);
    assert_int_equal(json_integer_value(json_object_get(r, "paid_ppm")), 250000);
    assert_true(json_is_null(json_object_get(r, "live")));
    json_decref(r);
    r = ask("blocktorch.verification_status", "{\"job_id\":\"%s\"}", job);
    assert_true(u64_at(json_object_get(r, "leases"), "committed") == 1 && u64_at(json_object_get(r, "leases"), "sampled") == 1);
    assert_true(u64_at(json_object_get(r, "leases"), "paid") == 1 && u64_at(json_object_get(r, "leases"), "spoiled") == 0);
    json_decref(r);
    r = ask("blocktorch.throughput_history", "{\"worker_id\":\"%s\"}", worker);
    assert_int_equal(json_array_size(json_object_get(r, "samples")), 0);
    assert_true(u64_at(r, "measured_throughput") == 5000);
    json_decref(r);

    unsigned long long now = (unsigned long long)time(NULL) * 1000;
    r = ask("live.report", "{\"worker\":\"%s\",\"job\":\"%s\",\"worker_status\":{\"state\":\"computing\",\"step\":\"1\"},"
            "\"sample\":{\"time_ms\":\"%llu\",\"tokens\":\"256\",\"busy_ms\":\"40\"},"
            "\"job_progress\":{\"step\":1,\"steps_total\":2,\"sequences_done\":8,\"loss\":\"-7\"},"
            "\"verification\":{\"level\":\"refereed\",\"leases_checked\":3}}", worker, job, now);
    assert_int_equal(json_integer_value(json_object_get(r, "accepted")), 4);
    json_decref(r);
    r = ask("blocktorch.worker_status", "[\"%s\"]", worker);
    assert_string_equal(text_at(r, "live_source"), "reported");
    assert_string_equal(text_at(json_object_get(r, "live"), "state"), "computing");
    assert_true(u64_at(r, "live_age_ms") < 60000);
    json_decref(r);
    r = ask("blocktorch.job_progress", "[\"%s\"]", job);
    assert_string_equal(text_at(json_object_get(r, "live"), "loss"), "-7");
    json_decref(r);
    r = ask("blocktorch.throughput_history", "[\"%s\",300]", worker);
    assert_int_equal(json_array_size(json_object_get(r, "samples")), 1);
    assert_true(u64_at(r, "tokens") == 256 && u64_at(r, "busy_ms") == 40);
    json_decref(r);
    r = ask("blocktorch.verification_status", "[\"%s\"]", job);
    assert_true(u64_at(json_object_get(r, "live"), "leases_checked") == 3);
    json_decref(r);

    /* A report with a mistake changes nothing. */
    assert_int_equal(refusal("live.report", "{\"worker\":\"%s\",\"worker_status\":{\"state\":\"idle\"},\"sample\":{}}", worker), ERR_FIELD);
    assert_int_equal(refusal("live.report", "{\"worker_status\":{\"state\":\"idle\"}}"), ERR_FIELD);
    assert_int_equal(refusal("live.report", "{\"worker\":\"%s\",\"sample\":{\"time_ms\":1,\"tokens\":1,\"busy_ms\":1}}", worker), ERR_STALE);
    r = ask("blocktorch.worker_status", "[\"%s\"]", worker);
    assert_string_equal(text_at(json_object_get(r, "live"), "state"), "computing");
    json_decref(r);
    assert_int_equal(refusal("blocktorch.job_progress", "[\"%064d\"]", 0), ERR_NOT_FOUND);
}

static void over_http(void **state)
{
    (void)state;
    char endpoint[64];
    rpc_server *server;
    rpc_client *c;
    rpc_metrics metrics = { NULL };
    fault f;
    json_t *result;
    buf text;
    buf_init(&text, 65536);
    rpc_node_list_metrics(&t.node, &metrics);
    const rpc_route route = rpc_jsonrpc_route(&t.node.dispatcher);
    const rpc_token_hash token = rpc_token_hash_of("secret", RPC_SCOPE_READ);
    const rpc_server_config config = { .tcp = true, .tokens = &token, .token_count = 1, .routes = &route, .route_count = 1, .metrics = &metrics };
    assert_int_equal(rpc_server_start(&server, &config, &f), OK);
    snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%u", (unsigned)rpc_server_port(server));
    assert_int_equal(rpc_client_new(&c, endpoint, &(rpc_client_options){ .token = "secret" }, &f), OK);
    assert_int_equal(rpc_client_call(c, "chain.status", NULL, &result, &f), OK);
    assert_string_equal(text_at(result, "engine"), "solo");
    json_decref(result);
    json_t *params = json_pack("[s]", "00");
    assert_int_equal(rpc_client_call(c, "tx.submit", params, &result, &f), ERR_PERMISSION); /* the token only reads */
    json_decref(params);
    assert_int_equal(rpc_client_call(c, "rpc.discover", NULL, &result, &f), OK);
    assert_int_equal(json_array_size(json_object_get(result, "methods")), RPC_METHOD_COUNT); /* every row has its method */
    json_decref(result);
    assert_int_equal(rpc_client_get(c, "/metrics", &text, 65536, &f), OK);
    assert_non_null(memmem(text.data, text.len, "\ntb_chain_height ", 17));
    assert_non_null(memmem(text.data, text.len, "tb_supply_nblock{part=\"minted\"} ", 32));
    rpc_client_free(c);
    rpc_server_stop(server);
    buf_deinit(&text);
}

/* Leases 6, 7 and 6 again, in one question. */
static void assert_states(const char *job, const char *want)
{
    json_t *r = ask("audit.states", "[\"%s\",\"000000000000000600000000000000070000000000000006\"]", job);
    assert_string_equal(text_at(r, "states"), want);
    json_decref(r);
}

/* A proved lease, disputed, judged by the only validator. */
static void audits(void **state)
{
    (void)state;
    static const char *const statuses[] = { "open", "valid", "false", "closed" };
    const char *job = hex(BYTES_OF(t.job));
    char id[65];
    snprintf(id, sizeof id, "%s", job);
    chain_receipt receipt = pay_one_lease(6, 4, CHAIN_LEVEL_FULL);
    assert_int_equal(refusal("audit.get", "[\"%s\",\"6\"]", id), ERR_NOT_FOUND);
    assert_states(id, "000000");
    chain_tx open = { .type = CHAIN_TX_AUDIT_OPEN };
    open.payload.audit_open = (chain_tx_audit_open){ .job = t.job, .lease = receipt.lease, .attestation = receipt.attestation };
    run_tx(OTHER, &open);
    assert_states(id, "010001");
    json_t *r = ask("audit.get", "[\"%s\",\"6\",true]", id);
    assert_true(json_is_false(json_object_get(r, "drawn")) && u64_at(r, "deposit") == u64_at(r, "fee"));
    assert_string_equal(text_at(r, "status"), "open");
    assert_string_equal(text_at(r, "opener"), address(OTHER));
    assert_string_equal(text_at(r, "job"), id);
    assert_true(u64_at(r, "lease_id") == 6 && u64_at(r, "end_height") == 0 && json_is_null(json_object_get(r, "reason_name")));
    assert_true(json_integer_value(json_object_get(r, "validators")) == 1 && json_integer_value(json_object_get(r, "votes_invalid")) == 0);
    check_proof(json_object_get(r, "proof"), true);
    json_decref(r);
    for (size_t i = 0; i < COUNT_OF(statuses); i++) {
        r = ask("audit.list", "{\"status\":\"%s\"}", statuses[i]);
        assert_int_equal(json_array_size(json_object_get(r, "audits")), i == 0);
        json_decref(r);
    }
    r = ask("job.receipts", "[\"%s\"]", id);
    const json_t *first = json_array_get(json_object_get(r, "receipts"), 0), *second = json_array_get(json_object_get(r, "receipts"), 1);
    assert_true(json_is_null(json_object_get(first, "audit")) && json_is_null(json_object_get(first, "audit_drawn")));
    assert_string_equal(text_at(second, "audit"), "open");
    assert_true(json_is_false(json_object_get(second, "audit_drawn")));
    json_decref(r);

    chain_tx pay = { .type = CHAIN_TX_TRANSFER }, vote = { .type = CHAIN_TX_AUDIT_VERDICT };
    pay.payload.transfer = (chain_tx_transfer){ .to = kit_address(KIT_PRODUCER), .amount = 1000000 };
    run_tx(OTHER, &pay);
    vote.payload.audit_verdict = (chain_tx_audit_verdict){ .job = t.job, .lease_id = 6, .reason = ERR_UNPROVED };
    assert_int_equal(chain_name_set(&vote.payload.audit_verdict.relation, bytes_of_str("logup.sum")), OK);
    run_tx(VALIDATOR, &vote);
    assert_states(id, "030003");
    r = ask("audit.list", "{}");
    assert_true(json_is_null(json_object_get(r, "next")) && json_array_size(json_object_get(r, "audits")) == 1);
    first = json_array_get(json_object_get(r, "audits"), 0);
    assert_string_equal(text_at(first, "status"), "false");
    assert_string_equal(text_at(first, "reason_name"), "UNPROVED");
    assert_int_equal(json_integer_value(json_object_get(first, "votes_invalid")), 1);
    json_decref(r);
    assert_int_equal(refusal("audit.list", "{\"status\":\"opem\"}"), ERR_RANGE);
    assert_int_equal(refusal("audit.list", "{\"cursor\":\"-1\"}"), ERR_SYNTAX);
    assert_int_equal(refusal("audit.get", "[\"%s\",\"x\"]", id), ERR_SYNTAX);
    r = ask("audit.states", "[\"%s\",\"\"]", id);
    assert_string_equal(text_at(r, "states"), "");
    json_decref(r);
    assert_int_equal(refusal("audit.states", "[\"%s\",\"00000000000006\"]", id), ERR_RANGE);
}

/* --- government --- */

static void government(void **state)
{
    (void)state;
    json_t *r = ask("gov.list", "{}");
    assert_true(json_array_size(json_object_get(r, "proposals")) == 0 && json_is_null(json_object_get(r, "next")) && u64_at(r, "epoch") >= 1);
    json_decref(r);
    static const char *const statuses[] = { "open", "timelocked", "activated", "rejected", "failed", "rolled back", "in force", "expired" };
    for (size_t i = 0; i < COUNT_OF(statuses); i++)
        json_decref(ask("gov.list", "{\"status\":\"%s\"}", statuses[i]));
    assert_int_equal(refusal("gov.list", "{\"status\":\"opem\"}"), ERR_RANGE);
    assert_int_equal(refusal("gov.list", "{\"status\":\"\"}"), ERR_RANGE);
    assert_int_equal(refusal("gov.list", "{\"cursor\":\"-1\"}"), ERR_SYNTAX);
    assert_int_equal(refusal("gov.list", "{\"cursor\":\"18446744073709551616\"}"), ERR_SYNTAX);
    json_decref(ask("gov.list", "{\"cursor\":\"18446744073709551615\"}"));
    assert_int_equal(refusal("gov.list", "{\"limit\":1001}"), ERR_RANGE);
    assert_int_equal(refusal("gov.get", "{}"), ERR_FIELD);
    assert_int_equal(refusal("gov.get", "[\"0\"]"), ERR_NOT_FOUND);
    assert_int_equal(refusal("gov.get", "[\"18446744073709551615\"]"), ERR_NOT_FOUND);
    assert_int_equal(refusal("gov.get", "[\"x\"]"), ERR_SYNTAX);
    assert_int_equal(refusal("gov.get", "[true]"), ERR_TYPE);
    assert_int_equal(refusal("gov.power", "[\"tb1nobody\"]"), ERR_ADDRESS);

    r = ask("gov.power", "[\"%s\", true]", address(OTHER));
    assert_true(json_is_false(json_object_get(r, "exists")) && u64_at(r, "stake") == 0 && json_is_null(json_object_get(r, "delegate_builders")));
    check_proof(json_object_get(r, "proof"), false);
    json_decref(r);
    uint64_t since = u64_at(r = ask("gov.log", "{}"), "next");
    assert_int_equal(json_array_size(json_object_get(r, "events")), 0);
    json_decref(r);
    chain_tx add = { .type = CHAIN_TX_STAKE_ADD };
    add.payload.stake_add.amount = 12345;
    run_tx(OTHER, &add);
    r = ask("gov.power", "[\"%s\", true]", address(OTHER));
    assert_true(json_is_true(json_object_get(r, "exists")) && u64_at(r, "stake") == 12345 && u64_at(r, "power_operators") == 0);
    assert_true(u64_at(json_object_get(r, "houses"), "all") == 0 && u64_at(json_object_get(r, "houses"), "builders") == 0);
    check_proof(json_object_get(r, "proof"), true);
    json_decref(r);
    for (unsigned foreign = 0; foreign < 2; foreign++) {
        r = ask("gov.log", "{\"since\":\"%llu\"}", foreign ? ~0ull : (unsigned long long)since);
        const json_t *events = json_object_get(r, "events");
        assert_int_equal(json_array_size(events), 1); /* of all the events of this ledger */
        assert_string_equal(text_at(json_array_get(events, 0), "name"), "stake_changed");
        assert_string_equal(text_at(json_array_get(events, 0), "voter"), address(OTHER));
        assert_true(json_is_true(json_object_get(r, "lost")) == foreign);
        json_decref(r);
    }

    r = ask("gov.params", "{}");
    const json_t *params = json_object_get(r, "params");
    assert_int_equal(json_array_size(params), CHAIN_PARAM_COUNT);
    const json_t *cap = json_array_get(params, CHAIN_PARAM_SUPPLY_CAP), *bond = json_array_get(params, CHAIN_PARAM_WORKER_BOND_MIN);
    assert_true(json_is_false(json_object_get(cap, "votable")) && json_is_null(json_object_get(cap, "tightens")));
    assert_string_equal(text_at(bond, "electorate"), "compute");
    assert_string_equal(text_at(bond, "tightens"), "up");
    assert_true(u64_at(bond, "min") == chain_param_rows[CHAIN_PARAM_WORKER_BOND_MIN].min && u64_at(bond, "changed_epoch") == 0);
    json_decref(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transactions), cmocka_unit_test(status_and_blocks), cmocka_unit_test(accounts_and_proofs), cmocka_unit_test(market),
        cmocka_unit_test(pages), cmocka_unit_test(bounded_walks), cmocka_unit_test(events), cmocka_unit_test(live), cmocka_unit_test(over_http),
        cmocka_unit_test(audits), cmocka_unit_test(government),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
