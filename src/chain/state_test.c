/* SPDX-License-Identifier: Apache-2.0
 * The state below the transactions: tree against a plain recursive one, proofs, undo, propose, checkpoints, snapshots, failing
 * allocations, and random histories under every invariant. */
#include "chain/chain_kit.h"

#include "chain/tree_int.h"
#include "crypto/sha256.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>

/* --- the tree against its definition --- */

enum { LEAVES = 200 };

static int by_path(const void *a, const void *b)
{
    return memcmp(a, b, 32);
}

static unsigned bit(const hash256 *path, unsigned i)
{
    return (unsigned)path->b[i / 8] >> (7 - i % 8) & 1u;
}

static hash256 plain_root(const tree_leaf *sorted, size_t count)
{
    if (count == 0)
        return (hash256){ { 0 } };
    if (count == 1)
        return smt_leaf(&sorted->path, &sorted->value_hash);
    unsigned depth = 0;
    while (bit(&sorted[0].path, depth) == bit(&sorted[count - 1].path, depth))
        depth++;
    size_t left = 0;
    while (!bit(&sorted[left].path, depth))
        left++;
    hash256 l = plain_root(sorted, left), r = plain_root(sorted + left, count - left);
    return smt_node((uint8_t)depth, &l, &r);
}

static void tree_is_its_set(void **state)
{
    (void)state;
    static tree_leaf leaves[LEAVES], model[LEAVES], sorted[LEAVES];
    static tree_node nodes[LEAVES];
    static tree_hashes hashes[LEAVES];
    static uint32_t number[LEAVES];
    tree t;
    chain_tree_init(&t);
    t.leaves = leaves, t.nodes = nodes, t.hashes = hashes, t.cap = LEAVES;
    uint64_t seed = 1;
    size_t count = 0;
    for (unsigned round = 0; round < 3000; round++) {
        uint64_t what = kit_random(&seed) % 8;
        hash256 value = { { 0 } };
        store_le64(value.b, kit_random(&seed));
        if ((what < 4 || count == 0) && count < LEAVES) {
            hash256 path = { { 0 } };
            /* Few bits differ, at both ends, so that branches sit at every depth, the last bit included. */
            path.b[0] = (uint8_t)kit_random(&seed);
            path.b[31] = (uint8_t)(kit_random(&seed) % 16);
            bool known = false;
            for (size_t i = 0; i < count; i++)
                known |= hash256_equal(&model[i].path, &path);
            if (known)
                continue;
            model[count] = (tree_leaf){ path, value, TREE_NONE };
            number[count++] = chain_tree_insert(&t, &path, &value);
        } else if (what < 6 && count) {
            size_t i = kit_random(&seed) % count;
            model[i].value_hash = value;
            chain_tree_update(&t, number[i], &value);
        } else if (count) {
            size_t i = kit_random(&seed) % count;
            chain_tree_remove(&t, number[i]);
            model[i] = model[--count];
            number[i] = number[count];
        }
        if (round % 7)
            continue;
        memcpy(sorted, model, count * sizeof *sorted);
        qsort(sorted, count, sizeof *sorted, by_path);
        hash256 want = plain_root(sorted, count), got = chain_tree_root(&t);
        assert_true(hash256_equal(&want, &got));
        assert_true(chain_tree_audit(&t));
    }
}

/* --- proofs --- */

static void proofs(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, NULL);
    hash256 root = chain_head(k.c)->state_root;
    smt_proof p, q;
    uint8_t value[1024], wire[16384], bad[16384];
    bytes v, encoded;
    unsigned included = 0;
    for (unsigned table = chain_table_next(0); table < CHAIN_TABLE_END; table = chain_table_next(table))
        for (size_t i = 0; i < chain_row_count(k.c, (chain_table)table); i++) {
            bytes key;
            assert_non_null(chain_row_at(k.c, (chain_table)table, i, &key));
            assert_int_equal(chain_prove(k.c, &p, &v, value, (chain_table)table, key, NULL), OK);
            assert_int_equal(smt_verify(&p, &root, (uint8_t)table, key, &v, NULL), OK);
            assert_int_equal(smt_verify(&p, &root, (uint8_t)table, key, NULL, NULL), ERR_PROOF);
            bytes other = bytes_of("x", 1);
            assert_int_equal(smt_verify(&p, &root, (uint8_t)table, key, &other, NULL), ERR_PROOF);
            included++;
        }
    assert_true(included > 20);
    for (unsigned who = 200; who < 264; who++) {
        cr_address a = kit_address(who);
        chain_key key = chain_key_address(&a);
        static const chain_table absent[] = { CHAIN_TABLE_ACCOUNT, CHAIN_TABLE_WORKER, CHAIN_TABLE_IDENTITY };
        for (size_t i = 0; i < COUNT_OF(absent); i++) {
            assert_int_equal(chain_prove(k.c, &p, &v, value, absent[i], chain_key_bytes(&key), NULL), OK);
            assert_int_equal(v.len, 0);
            assert_int_equal(smt_verify(&p, &root, (uint8_t)absent[i], chain_key_bytes(&key), NULL, NULL), OK);
            assert_int_equal(smt_verify(&p, &root, (uint8_t)absent[i], chain_key_bytes(&key), &v, NULL), ERR_PROOF);
        }
    }
    /* The absence of a present key cannot be shown by the path to any other leaf. */
    cr_address zero = kit_address(0);
    chain_key present = chain_key_address(&zero);
    for (unsigned who = 1; who < KIT_ACCOUNTS; who++) {
        cr_address a = kit_address(who);
        chain_key key = chain_key_address(&a);
        assert_int_equal(chain_prove(k.c, &p, &v, value, CHAIN_TABLE_ACCOUNT, chain_key_bytes(&key), NULL), OK);
        assert_int_equal(smt_verify(&p, &root, CHAIN_TABLE_ACCOUNT, chain_key_bytes(&present), NULL, NULL), ERR_PROOF);
    }
    /* Bytes there and back; each byte changed is refused. */
    assert_int_equal(chain_prove(k.c, &p, &v, value, CHAIN_TABLE_ACCOUNT, chain_key_bytes(&present), NULL), OK);
    assert_int_equal(smt_proof_encode(&encoded, wire, sizeof wire, &p), OK);
    assert_int_equal(smt_proof_decode(&q, encoded, NULL), OK);
    assert_int_equal(smt_verify(&q, &root, CHAIN_TABLE_ACCOUNT, chain_key_bytes(&present), &v, NULL), OK);
    for (size_t i = 0; i < encoded.len; i++) {
        memcpy(bad, wire, encoded.len);
        bad[i] ^= 1;
        if (smt_proof_decode(&q, bytes_of(bad, encoded.len), NULL) == OK)
            assert_int_equal(smt_verify(&q, &root, CHAIN_TABLE_ACCOUNT, chain_key_bytes(&present), &v, NULL), ERR_PROOF);
        assert_int_not_equal(smt_proof_decode(&q, bytes_of(wire, i), NULL), OK);
    }
    kit_stop(&k);
}

/* What `tb receipt verify` does: from bytes alone, a payment is shown under a header that the producer signed. */
static void payment_verifies_offline(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, NULL);
    hash256 job = kit_post_job(&k, 1, 0);
    kit_add_worker(&k, 1, &job);
    chain_lease l = kit_lease(&k, &job, 1, 7, 0, 8);
    chain_attestation a = kit_attestation(&l);
    chain_receipt r = kit_receipt(&l, &a, 1);
    assert_int_equal(kit_pay(&k, KIT_COORDINATOR, &job, &r, 1), OK);
    smt_proof p, q;
    static uint8_t value[1024], wire[16384];
    bytes v, proof, header = kit_keep(chain_head_signed(k.c));
    chain_key key = chain_key_numbered(&job, 7);
    assert_int_equal(chain_prove(k.c, &p, &v, value, CHAIN_TABLE_LEASE, chain_key_bytes(&key), NULL), OK);
    assert_int_equal(smt_proof_encode(&proof, wire, sizeof wire, &p), OK);
    kit_stop(&k);

    chain_header h;
    chain_row_lease row;
    chain_lease lease;
    chain_attestation attestation;
    chain_signed ls, as;
    cr_public_key coordinator = kit_public(KIT_COORDINATOR), producer = kit_public(KIT_PRODUCER);
    assert_int_equal(chain_header_decode(&h, NULL, header, NULL), OK);
    assert_memory_equal(&h.producer, &producer, sizeof producer);
    assert_int_equal(smt_proof_decode(&q, proof, NULL), OK);
    assert_int_equal(chain_lease_decode(&lease, &ls, r.lease, NULL), OK);
    assert_int_equal(chain_signed_verify(&ls, &coordinator), OK);
    assert_int_equal(chain_attestation_decode(&attestation, &as, r.attestation, NULL), OK);
    assert_int_equal(chain_signed_verify(&as, &lease.worker), OK);
    assert_int_equal(chain_attestation_matches(&attestation, &lease, &ls.hash, NULL), OK);
    key = chain_key_numbered(&lease.job, lease.lease_id);
    assert_int_equal(smt_verify(&q, &h.state_root, CHAIN_TABLE_LEASE, chain_key_bytes(&key), &v, NULL), OK);
    assert_int_equal(chain_record_decode_all(v, chain_table_describe(CHAIN_TABLE_LEASE)->record, &row, NULL), OK);
    assert_int_equal(row.status, CHAIN_LEASE_PAID);
    assert_int_equal(row.gross, lease.price);
    assert_true(hash256_equal(&row.lease_hash, &ls.hash) && hash256_equal(&row.attestation_hash, &as.hash));
}

/* --- random histories --- */

enum { STEPS = 40 };

typedef struct history {
    kit      k;
    hash256  job;
    uint64_t seed;
    uint64_t next_lease;
    uint64_t paid_events, opened;
    uint64_t audits_ended[CHAIN_AUDIT_CLOSED + 1]; /* by status */
    chain_lease last;   /* put forward for a commitment */
    unsigned last_worker;
    uint64_t ran, failed;
} history;

static uint64_t pick(history *h, uint64_t n)
{
    return kit_random(&h->seed) % n;
}

/* Valid and invalid transactions alike: amounts over balances, ranges that overlap, strangers as senders. */
static bytes random_tx(history *h, unsigned who, uint64_t ahead)
{
    kit *k = &h->k;
    static uint8_t items[8192];
    chain_tx tx = kit_tx(k, who, CHAIN_TX_TRANSFER, ahead);
    uint64_t from = pick(h, STEPS) * 8 + pick(h, 2) * 4, length = 4;
    unsigned worker = 1 + (unsigned)pick(h, 3);
    chain_lease l = kit_lease(k, &h->job, worker, pick(h, 3) ? h->next_lease++ : pick(h, h->next_lease + 1), from, from + length);
    unsigned what = who == KIT_PRODUCER && pick(h, 4) ? 15 : (unsigned)pick(h, 17);
    if (what > 9 && h->last.version) {
        l = h->last;
        worker = h->last_worker;
    }
    chain_attestation a = kit_attestation(&l);
    a.trace_root = kit_trace_root(length * KIT_LEAVES);
    if (l.lease_id % 4) {
        a.level = CHAIN_LEVEL_FULL;
        a.proof = (hash256){ { 5 } };
    }
    chain_receipt r = kit_receipt(&l, &a, worker);
    switch (what) {
    case 0:
        tx.type = CHAIN_TX_KYC_ATTEST;
        tx.payload.kyc_attest = (chain_tx_kyc_attest){ .subject = kit_address((unsigned)pick(h, 12)), .level = 1,
                                                       .jurisdiction = 40, .expiry_height = chain_head(k->c)->height + pick(h, 30) };
        break;
    case 1:
        tx.type = pick(h, 2) ? CHAIN_TX_KYC_REVOKE : CHAIN_TX_JOB_CLOSE;
        if (tx.type == CHAIN_TX_JOB_CLOSE)
            tx.payload.job_close.job = h->job;
        else
            tx.payload.kyc_revoke.subject = kit_address((unsigned)pick(h, 12));
        break;
    case 2:
        tx.type = CHAIN_TX_WORKER_REGISTER;
        tx.payload.worker_register = (chain_tx_worker_register){ .bond = pick(h, 3000000), .supported_backends = 1,
                                                                 .max_model_parameters = 2000, .max_batch_size = 8 };
        break;
    case 3:
        tx.type = pick(h, 2) ? CHAIN_TX_WORKER_UNREGISTER : CHAIN_TX_WORKER_WITHDRAW;
        break;
    case 4:
        tx.type = CHAIN_TX_SLASH;
        tx.payload.slash = (chain_tx_slash){ .job = h->job, .lease = r.lease, .attestation = r.attestation,
                                             .evidence = pick(h, 4) ? bytes_of_str("nothing") : kit_evidence(&l, &a) };
        break;
    case 5:
    case 6:
        CHECK(chain_receipts_encode(&tx.payload.receipt_pay.receipts, items, sizeof items, &r, 1) == OK);
        tx.payload.receipt_pay.job = h->job;
        tx.type = pick(h, 2) ? CHAIN_TX_RECEIPT_PAY : CHAIN_TX_TRACE_COMMIT;
        if (tx.type == CHAIN_TX_TRACE_COMMIT && (who == 0 || who == KIT_COORDINATOR)) {
            h->last = l;
            h->last_worker = worker;
        }
        break;
    case 10:
        tx.type = CHAIN_TX_TRACE_CHALLENGE;
        tx.payload.trace_challenge = (chain_tx_trace_challenge){ .job = h->job, .lease = r.lease, .attestation = r.attestation, .leaf = 2 };
        break;
    case 11:
        tx.type = CHAIN_TX_TRACE_OPEN;
        tx.payload.trace_open = kit_opening(&h->job, l.lease_id, length * KIT_LEAVES, pick(h, 4) ? 2 : 1);
        break;
    case 12:
        tx.type = CHAIN_TX_SLASH;
        tx.payload.slash = (chain_tx_slash){ .job = h->job, .lease = r.lease, .attestation = r.attestation };
        break;
    case 13:
    case 14:
        tx = kit_audit_open(k, who, &h->job, &r);
        tx.nonce += ahead;
        break;
    case 15:
        tx = kit_audit_verdict(k, who, &h->job, l.lease_id, pick(h, 2) ? 0 : ERR_UNPROVED);
        tx.nonce += ahead;
        break;
    case 16:
        tx = kit_audit_close(k, who, &h->job, l.lease_id);
        tx.nonce += ahead;
        break;
    default:
        tx.payload.transfer = (chain_tx_transfer){ .to = pick(h, 20) ? kit_address((unsigned)pick(h, 40)) : chain_treasury_address(),
                                                   .amount = pick(h, pick(h, 3) ? 1000000 : 2 * KIT_BALANCE) };
    }
    return kit_sign(&tx, who);
}

static void history_start(history *h, uint64_t seed, void (*tweak)(chain_genesis *g))
{
    memset(h, 0, sizeof *h);
    kit_start(&h->k, tweak);
    h->seed = seed;
    h->job = kit_post_job(&h->k, STEPS, 0);
    for (unsigned i = 1; i <= 3; i++)
        kit_add_worker(&h->k, i, &h->job);
    chain_tx pay = kit_tx(&h->k, 6, CHAIN_TX_TRANSFER, 0);
    pay.payload.transfer = (chain_tx_transfer){ .to = kit_address(KIT_PRODUCER), .amount = KIT_BALANCE / 2 };
    CHECK(kit_run(&h->k, &pay, 6) == OK);
}

/* One block of transactions by distinct senders and sometimes two of one. */
static size_t random_block(history *h, bytes txs[18])
{
    static const unsigned senders[] = { 0, 1, 2, 3, 4, 5, KIT_ISSUER, KIT_COORDINATOR, KIT_PRODUCER };
    size_t n = 0;
    for (size_t i = 0; i < COUNT_OF(senders); i++)
        for (uint64_t ahead = 0; ahead < 2 && pick(h, 2); ahead++)
            txs[n++] = random_tx(h, senders[i], ahead);
    return n;
}

static void history_check(history *h)
{
    kit *k = &h->k;
    fault f = { 0 };
    assert_int_equal(chain_audit(k->c, &f), OK);
    for (size_t i = 0; i < k->result.event_count; i++)
        h->paid_events += k->result.events[i].type == CHAIN_EVENT_RECEIPT_PAID;
    for (size_t i = 0; i < k->result.event_count; i++)
        if (k->result.events[i].type == CHAIN_EVENT_AUDIT_ENDED)
            h->audits_ended[k->result.events[i].data.audit_ended.status]++;
    for (size_t i = 0; i < k->result.event_count; i++)
        h->opened += k->result.events[i].type == CHAIN_EVENT_TRACE_OPENED || k->result.events[i].type == CHAIN_EVENT_TRACE_CHALLENGED;
    for (size_t i = 0; i < k->result.tx_count; i++)
        *(k->result.txs[i].code == OK ? &h->ran : &h->failed) += 1;
}

static void audit_some(chain_genesis *g)
{
    g->params.v[CHAIN_PARAM_EPOCH] = 7;
    g->params.v[CHAIN_PARAM_AUDIT_RATE] = 300000;
    g->params.v[CHAIN_PARAM_AUDIT_WINDOW] = 6;
    g->params.v[CHAIN_PARAM_AUDIT_PUSH] = g->params.v[CHAIN_PARAM_AUDIT_VERDICT] = 2;
    g->params.v[CHAIN_PARAM_WORKER_UNBOND] = 10;
    g->params.v[CHAIN_PARAM_CLAIM_WINDOW] = 17;
}

static void burn_some(chain_genesis *g)
{
    g->params.v[CHAIN_PARAM_EPOCH] = 5;
    audit_some(g);
    g->params.v[CHAIN_PARAM_FEE_BURN] = 333333;
    g->params.v[CHAIN_PARAM_TARIFF] = 77;
}

/* Conservation, no wrapped sums, payments once: under random valid and invalid transactions, with every block first executed and
 * dropped, which must leave no trace. */
static void random_histories(void **state)
{
    (void)state;
    uint64_t opened = 0, ended[CHAIN_AUDIT_CLOSED + 1] = { 0 };
    for (uint64_t seed = 1; seed <= 12; seed++) {
        history h;
        history_start(&h, seed, burn_some);
        for (unsigned block = 0; block < 40; block++) {
            bytes txs[32];
            size_t n = random_block(&h, txs);
            hash256 before = chain_head(h.k.c)->state_root;
            fault f = { 0 };
            assert_int_equal(kit_execute(&h.k, txs, n, false, &f), OK);
            hash256 first = h.k.result.state_root;
            assert_int_equal(kit_execute(&h.k, txs, n, false, &f), ERR_STATE); /* one is pending */
            chain_abort(h.k.c);
            assert_int_equal(chain_audit(h.k.c, &f), OK);
            assert_int_equal(kit_execute(&h.k, NULL, 0, false, &f), OK);
            hash256 empty = h.k.result.state_root; /* a block without transactions counts its producer, at least */
            assert_false(hash256_equal(&before, &empty));
            chain_abort(h.k.c);
            assert_true(hash256_equal(&before, &chain_head(h.k.c)->state_root));
            assert_int_equal(kit_execute(&h.k, NULL, 0, false, &f), OK);
            assert_true(hash256_equal(&empty, &h.k.result.state_root));
            chain_abort(h.k.c);
            assert_int_equal(kit_execute(&h.k, txs, n, true, &f), OK);
            assert_true(hash256_equal(&first, &h.k.result.state_root));
            history_check(&h);
        }
        /* Every paid lease is one event, and together they cover what the job says. */
        uint64_t paid = 0, sequences = 0;
        for (size_t i = 0; i < chain_row_count(h.k.c, CHAIN_TABLE_LEASE); i++) {
            const chain_row_lease *l = chain_row_at(h.k.c, CHAIN_TABLE_LEASE, i, NULL);
            paid += l->gross > 0;
            sequences += l->gross > 0 ? l->to - l->from : 0;
        }
        assert_true(h.ran > 30 && h.failed > 30 && paid > 0); /* the history is no empty one */
        assert_int_equal(paid, h.paid_events);
        assert_int_equal(sequences, chain_job(h.k.c, &h.job)->sequences_paid);
        opened += h.opened;
        for (size_t i = 0; i < COUNT_OF(ended); i++)
            ended[i] += h.audits_ended[i];
        kit_stop(&h.k);
    }
    assert_true(opened > 5 && ended[CHAIN_AUDIT_VALID] > 5 && ended[CHAIN_AUDIT_FALSE] > 5 && ended[CHAIN_AUDIT_CLOSED] > 0);
}

/* The same history gives the same root whatever compiler, level and table seed. */
static void golden_root(void **state)
{
    (void)state;
    static const char want[] = "237c7278d610f1dc7e66d6bc7706bbbdab56a6a36428b29cd8ed5815397c895d";
    for (uint64_t table_seed = 0; table_seed < 3; table_seed++) {
        history h;
        kit_table_seed = table_seed * 0x9e3779b97f4a7c15u;
        history_start(&h, 22, audit_some);
        for (unsigned block = 0; block < 30; block++) {
            bytes txs[32];
            size_t n = random_block(&h, txs);
            assert_int_equal(kit_execute(&h.k, txs, n, true, NULL), OK);
        }
        char hex[65];
        assert_true(chain_row_count(h.k.c, CHAIN_TABLE_AUDIT) > 0);
        base_hex_encode(hex, chain_head(h.k.c)->state_root.b, 32);
        assert_string_equal(hex, want);
        kit_stop(&h.k);
    }
}

/* --- commit --- */

static void commit_refuses_other_headers(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, NULL);
    assert_int_equal(chain_commit(k.c, bytes_of("", 0), NULL), ERR_STATE);
    assert_int_equal(kit_execute(&k, NULL, 0, false, NULL), OK);
    chain_header good, h;
    uint8_t buffer[1024];
    bytes header;
    cr_secret_key producer = kit_key(KIT_PRODUCER), stranger = kit_key(5);
    assert_int_equal(chain_pending_header(k.c, &good, 1), OK);
#define REFUSE(change, key, code)                                                                                        \
    do {                                                                                                                 \
        h = good;                                                                                                        \
        change;                                                                                                          \
        assert_int_equal(chain_header_sign(&header, buffer, sizeof buffer, &h, key, NULL, NULL), OK);                    \
        assert_int_equal(chain_commit(k.c, header, NULL), code);                                                         \
    } while (0)
    REFUSE(h.version = 2, &producer, ERR_VERSION);
    REFUSE(h.chain_id.text[0] = 'x', &producer, ERR_CHAIN_ID);
    REFUSE(h.height++, &producer, ERR_STALE);
    REFUSE(h.previous.b[0] ^= 1, &producer, ERR_HASH);
    REFUSE(h.tx_count = 1, &producer, ERR_RANGE);
    REFUSE(h.tx_root.b[0] ^= 1, &producer, ERR_HASH);
    REFUSE(h.state_root.b[0] ^= 1, &producer, ERR_HASH);
    REFUSE(h.randomness.b[0] ^= 1, &producer, ERR_HASH);
    REFUSE(h.beacon.b[0] ^= 1, &producer, ERR_HASH);
    REFUSE(h.producer = kit_public(5), &stranger, ERR_PERMISSION);
    h = good;
    assert_int_equal(chain_header_sign(&header, buffer, sizeof buffer, &h, &stranger, NULL, NULL), ERR_KEY);
    assert_int_equal(chain_header_sign(&header, buffer, sizeof buffer, &h, &producer, NULL, NULL), OK);
    buffer[header.len - 1] ^= 1;
    assert_int_equal(chain_commit(k.c, header, NULL), ERR_SIGNATURE);
    buffer[header.len - 1] ^= 1;
    assert_int_equal(chain_commit(k.c, header, NULL), OK);
#undef REFUSE
    /* Blocks of strangers, of other heights, with a foreign beacon, or without room. */
    chain_block_input in = { .height = 2, .producer = kit_public(5) };
    chain_block_result result;
    assert_int_equal(chain_execute(k.c, &in, &result, NULL), ERR_PERMISSION);
    in.producer = kit_public(KIT_PRODUCER);
    assert_int_equal(chain_execute(k.c, &in, &result, NULL), ERR_SIGNATURE);
    static chain_block_tx many[10001];
    in.txs = many;
    in.tx_count = 10001;
    assert_int_equal(chain_execute(k.c, &in, &result, NULL), ERR_LIMIT);
    in.tx_count = 10000;
    assert_int_equal(chain_execute(k.c, &in, &result, NULL), ERR_MEMORY);
    kit_stop(&k);
}

/* Whatever the reason, a supply record that does not add up stops the chain, and the audit finds each sum. */
static void broken_books_make_no_block(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, NULL);
    chain_row_supply *supply = (chain_row_supply *)(uintptr_t)chain_supply(k.c);
    uint64_t *const members[] = { &supply->balances, &supply->escrow, &supply->bonds, &supply->treasury, &supply->subsidy,
                                  &supply->awarded, &supply->disbursing, &supply->stakes, &supply->burned, &supply->minted };
    fault f = { 0 };
    assert_int_equal(kit_execute(&k, NULL, 0, false, &f), OK);
    hash256 root = k.result.state_root;
    chain_abort(k.c);
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        ++*members[i];
        assert_int_equal(kit_execute(&k, NULL, 0, false, &f), ERR_INVARIANT);
        assert_int_equal(chain_audit(k.c, &f), ERR_INVARIANT);
        --*members[i];
    }
    cr_address zero = kit_address(0);
    uint64_t *balance = &((chain_row_account *)(uintptr_t)chain_account(k.c, &zero))->balance;
    ++*balance;
    assert_int_equal(chain_audit(k.c, &f), ERR_INVARIANT);
    assert_string_equal(f.what, "sum of balances");
    --*balance;
    supply->minted += CHAIN_AMOUNT_MAX;
    supply->treasury += CHAIN_AMOUNT_MAX;
    assert_int_equal(kit_execute(&k, NULL, 0, false, &f), ERR_INVARIANT); /* the sum holds, the cap does not */
    supply->minted -= CHAIN_AMOUNT_MAX;
    supply->treasury -= CHAIN_AMOUNT_MAX;
    assert_int_equal(kit_execute(&k, NULL, 0, false, &f), OK);
    assert_true(hash256_equal(&root, &k.result.state_root));
    kit_stop(&k);
}

/* --- propose --- */

static bytes tipped(const kit *k, unsigned who, uint64_t ahead, uint64_t tip)
{
    chain_tx tx = kit_tx(k, who, CHAIN_TX_TRANSFER, ahead);
    tx.tip = tip;
    tx.payload.transfer = (chain_tx_transfer){ .to = kit_address(9), .amount = 10 };
    return kit_sign(&tx, who);
}

static void proposes_by_price_and_nonce(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, NULL);
    chain_tx broke = kit_tx(&k, 70, CHAIN_TX_TRANSFER, 0);
    broke.payload.transfer = (chain_tx_transfer){ .to = kit_address(1), .amount = 1 };
    bytes raw[] = { tipped(&k, 1, 1, 5000), tipped(&k, 1, 0, 100), tipped(&k, 2, 0, 1000), tipped(&k, 3, 1, 9000),
                    kit_sign(&broke, 70),   tipped(&k, 4, 0, 200), bytes_of("\x80", 1),    tipped(&k, 2, 0, 1000) };
    chain_block_tx txs[8];
    size_t picked[8], count, total = 0;
    for (size_t i = 0; i < 8; i++) {
        txs[i] = (chain_block_tx){ .raw = raw[i] };
        total += raw[i].len;
    }
    assert_int_equal(chain_reserve(k.c, 8, total), OK);
    assert_int_equal(chain_propose(k.c, picked, &count, txs, 8, total, NULL), OK);
    static const size_t want[] = { 2, 5, 1, 0 };
    assert_int_equal(count, 4);
    assert_memory_equal(picked, want, sizeof want);
    assert_int_equal(chain_audit(k.c, NULL), OK);
    bytes block[4];
    for (size_t i = 0; i < count; i++)
        block[i] = raw[picked[i]];
    assert_int_equal(kit_execute(&k, block, count, true, NULL), OK);
    assert_int_equal(chain_propose(k.c, picked, &count, txs, 8, raw[0].len, NULL), OK);
    assert_int_equal(count, 0); /* all stale now */
    kit_stop(&k);
}

/* --- checkpoints and snapshots --- */

static err load(kit *k, chain **out, bytes (*records)[3], size_t count, bytes header)
{
    TRY(chain_load_begin(out, &k->config, bytes_of(k->genesis, k->genesis_len), NULL));
    for (size_t i = count; i-- > 0;) /* any order */
        TRY(chain_load_row(*out, records[i][0].data[0], records[i][1], records[i][2], NULL));
    return chain_load_end(*out, header, NULL);
}

static void checkpoint_round_trip(void **state)
{
    (void)state;
    history h;
    history_start(&h, 5, burn_some);
    static bytes store[4000][3]; /* table, key, value: what LMDB would hold */
    size_t count = 0;
    for (unsigned block = 0; block < 20; block++) {
        bytes txs[32];
        size_t n = random_block(&h, txs);
        assert_int_equal(kit_execute(&h.k, txs, n, true, NULL), OK);
        if (block % 3 != 1)
            continue;
        size_t cursor = 0, seen = 0;
        uint8_t buffer[1024];
        chain_record_kv kv;
        while (chain_dirty_next(h.k.c, &cursor, &kv, buffer)) {
            size_t at = 0;
            while (at < count && !(store[at][0].data[0] == kv.table && bytes_equal(store[at][1], kv.key)))
                at++;
            count += at == count;
            assert_true(count <= COUNT_OF(store));
            store[at][0] = kit_keep(bytes_of(&kv.table, 1));
            store[at][1] = kit_keep(kv.key);
            store[at][2] = kit_keep(kv.value);
            seen++;
        }
        assert_int_equal(seen, chain_dirty_count(h.k.c));
        chain_mark_clean(h.k.c);
        assert_int_equal(chain_dirty_count(h.k.c), 0);
        chain *copy;
        assert_int_equal(load(&h.k, &copy, store, count, chain_head_signed(h.k.c)), OK);
        assert_memory_equal(&chain_head(copy)->state_root, &chain_head(h.k.c)->state_root, 32);
        /* The copy goes on as the original would. */
        kit twin = h.k;
        twin.c = copy;
        bytes more[32];
        size_t m = random_block(&h, more);
        assert_int_equal(kit_execute(&twin, more, m, false, NULL), OK);
        hash256 root = twin.result.state_root;
        assert_int_equal(kit_execute(&h.k, more, m, false, NULL), OK);
        assert_true(hash256_equal(&root, &h.k.result.state_root));
        chain_abort(h.k.c);
        chain_free(copy);
    }
    /* A row that is missing, altered, doubled or unknown. */
    chain *copy;
    bytes header = chain_head_signed(h.k.c);
    assert_int_equal(load(&h.k, &copy, store, count - 1, header), ERR_HASH);
    chain_free(copy);
    bytes kept = store[count - 1][2];
    store[count - 1][2] = bytes_of("\x80", 1);
    assert_int_equal(load(&h.k, &copy, store, count, header), ERR_FIELD);
    chain_free(copy);
    store[count - 1][2] = kept;
    assert_int_equal(chain_load_begin(&copy, &h.k.config, bytes_of(h.k.genesis, h.k.genesis_len), NULL), OK);
    assert_int_equal(chain_load_row(copy, 200, store[0][1], store[0][2], NULL), ERR_RANGE);
    assert_int_equal(chain_load_row(copy, store[0][0].data[0], bytes_of("k", 1), store[0][2], NULL),
                     store[0][1].len == 1 ? OK : ERR_RANGE);
    assert_int_equal(chain_load_row(copy, store[0][0].data[0], store[0][1], store[0][2], NULL), OK);
    assert_int_equal(chain_load_row(copy, store[0][0].data[0], store[0][1], store[0][2], NULL), ERR_DUPLICATE);
    assert_int_equal(chain_load_end(copy, bytes_of("\x01", 1), NULL), ERR_TYPE);
    chain_block_result ignored;
    assert_int_equal(chain_execute(copy, &(chain_block_input){ 0 }, &ignored, NULL), ERR_STATE);
    chain_free(copy);
    assert_int_equal(chain_load_row(h.k.c, 1, store[0][1], store[0][2], NULL), ERR_STATE);
    kit_stop(&h.k);
}

static void snapshot_round_trip(void **state)
{
    (void)state;
    history h;
    history_start(&h, 22, audit_some);
    for (unsigned block = 0; block < 25; block++) {
        bytes txs[32];
        size_t n = random_block(&h, txs);
        assert_int_equal(kit_execute(&h.k, txs, n, true, NULL), OK);
    }
    chain_snapshot *s;
    chain *copy;
    static uint8_t buffer[2048];
    assert_int_equal(chain_snapshot_new(&s, h.k.c, 100, NULL), ERR_RANGE);
    assert_int_equal(chain_snapshot_new(&s, h.k.c, sizeof buffer, NULL), OK);
    assert_true(chain_snapshot_chunks(s) > 2 && chain_row_count(h.k.c, CHAIN_TABLE_AUDIT) > 0);
    assert_int_equal(chain_load_begin(&copy, &h.k.config, bytes_of(h.k.genesis, h.k.genesis_len), NULL), OK);
    for (size_t i = 0; i < chain_snapshot_chunks(s); i++) {
        bytes chunk;
        hash256 hash, bad;
        assert_int_equal(chain_snapshot_chunk(s, i, &chunk, &hash, buffer), OK);
        bad = hash;
        bad.b[3] ^= 1;
        assert_int_equal(chain_load_chunk(copy, i, chunk, &bad, NULL), ERR_HASH);
        assert_int_equal(chain_load_chunk(copy, i + 1, chunk, &hash, NULL), ERR_RANGE);
        assert_int_equal(chain_load_chunk(copy, i, chunk, &hash, NULL), OK);
    }
    assert_int_equal(chain_load_end(copy, chain_head_signed(h.k.c), NULL), OK);
    /* The copy's own snapshot has the same bytes although its rows came in another order. */
    chain_snapshot *s2;
    static uint8_t buffer2[2048];
    assert_int_equal(chain_snapshot_new(&s2, copy, sizeof buffer, NULL), OK);
    assert_int_equal(chain_snapshot_chunks(s), chain_snapshot_chunks(s2));
    for (size_t i = 0; i < chain_snapshot_chunks(s); i++) {
        bytes a, b;
        hash256 x, y;
        assert_int_equal(chain_snapshot_chunk(s, i, &a, &x, buffer), OK);
        assert_int_equal(chain_snapshot_chunk(s2, i, &b, &y, buffer2), OK);
        assert_true(hash256_equal(&x, &y));
    }
    chain_snapshot_free(s);
    chain_snapshot_free(s2);
    chain_free(copy);
    kit_stop(&h.k);
}

/* Every allocation of a small life fails once: a clean error, nothing lost, no leak. */
static void allocations_fail(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, NULL);
    for (size_t n = 1; n < 2000; n++) {
        chain *c = NULL;
        size_t before = k.blocks_alive;
        k.fail_after = n;
        err e = chain_new(&c, &k.config, bytes_of(k.genesis, k.genesis_len), NULL);
        bool done = e == OK && k.fail_after != 0;
        k.fail_after = 0;
        chain_free(c);
        assert_int_equal(k.blocks_alive, before);
        if (done)
            break;
        assert_int_equal(e, ERR_MEMORY);
    }
    for (size_t n = 1; n < 2000; n++) {
        k.fail_after = n;
        err e = chain_reserve(k.c, 200 + 20 * n, 400000);
        bool done = e == OK && k.fail_after != 0;
        k.fail_after = 0;
        assert_int_equal(chain_audit(k.c, NULL), OK);
        if (done)
            break;
    }
    bytes raw = tipped(&k, 1, 0, 3);
    assert_int_equal(kit_execute(&k, &raw, 1, true, NULL), OK);
    kit_stop(&k);
}

/* The reserve covers the worst blocks: as many receipts as fit, each over as many coverage rows as a lease can touch. */
static void reserve_covers_the_worst(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, NULL);
    bytes txs[64];
    for (unsigned i = 0; i < 64; i++) {
        chain_tx tx = kit_tx(&k, 0, CHAIN_TX_TRANSFER, i);
        tx.payload.transfer = (chain_tx_transfer){ .to = kit_address(500 + i), .amount = 200 };
        txs[i] = kit_sign(&tx, 0);
    }
    assert_int_equal(kit_execute(&k, txs, 64, true, NULL), OK);

    chain_tx post = kit_tx(&k, 0, CHAIN_TX_JOB_POST, 0);
    post.payload.job_post = (chain_tx_job_post){
        .coordinator = kit_public(KIT_COORDINATOR), .model_parameters = 1, .width = 1, .layers = 1, .heads = 1, .context = 1,
        .vocabulary = 1, .operand_bits = 8, .batch_size = 4096 * 64 + 100, .steps = 1, .gradient_format = 1,
        .sequences_total = 4096 * 64 + 100, .price = 1, .price_sequences = 4096, .level_min = 1, .escrow = 66,
        .expiry_height = 100 };
    assert_int_equal(kit_run(&k, &post, 0), OK);
    hash256 job = k.last_id;
    chain_tx reg = kit_tx(&k, 1, CHAIN_TX_WORKER_REGISTER, 0);
    reg.payload.worker_register = (chain_tx_worker_register){ .bond = 1000000, .supported_backends = 1,
                                                              .max_model_parameters = 1, .max_batch_size = 4096 };
    assert_int_equal(kit_run(&k, &reg, 1), OK);
    chain_tx bid = kit_tx(&k, 1, CHAIN_TX_JOB_BID, 0);
    bid.payload.job_bid = (chain_tx_job_bid){ .job = job, .price = 1, .capacity = 4096 };
    assert_int_equal(kit_run(&k, &bid, 1), OK);
    uint8_t buffer[128];
    cr_address worker = kit_address(1);
    chain_tx match = kit_tx(&k, KIT_COORDINATOR, CHAIN_TX_JOB_MATCH, 0);
    match.payload.job_match.job = job;
    CHECK(chain_addresses_encode(&match.payload.job_match.workers, buffer, sizeof buffer, &worker, 1) == OK);
    assert_int_equal(kit_run(&k, &match, KIT_COORDINATOR), OK);
    chain_receipt r[64];
    for (unsigned i = 0; i < 64; i++) {
        chain_lease l = kit_lease(&k, &job, 1, i, 100 + 4096 * i, 100 + 4096 * (i + 1));
        l.step = 0;
        l.price = 1;
        chain_attestation a = kit_attestation(&l);
        a.tokens = 4096;
        r[i] = kit_receipt(&l, &a, 1);
    }
    assert_int_equal(kit_pay(&k, KIT_COORDINATOR, &job, r, 64), OK);
    assert_int_equal(chain_job(k.c, &job)->sequences_paid, 4096 * 64);
    assert_int_equal(chain_audit(k.c, NULL), OK);
    kit_stop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tree_is_its_set),     cmocka_unit_test(proofs),              cmocka_unit_test(payment_verifies_offline),
        cmocka_unit_test(random_histories),    cmocka_unit_test(golden_root),
        cmocka_unit_test(commit_refuses_other_headers), cmocka_unit_test(broken_books_make_no_block),
        cmocka_unit_test(proposes_by_price_and_nonce),
        cmocka_unit_test(checkpoint_round_trip), cmocka_unit_test(snapshot_round_trip),
        cmocka_unit_test(allocations_fail),    cmocka_unit_test(reserve_covers_the_worst),
    };
    CHECK(cr_ed25519_self_test() == OK);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
