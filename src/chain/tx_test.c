/* SPDX-License-Identifier: Apache-2.0
 * The codec: every transaction there and back, what is refused, and the vectors of spec/vectors/tx.json, which
 * tx_vectors.py checks with other libraries. `chain_tx_test print` writes the vectors. */
#include "chain/chain_kit.h"

#include "chain/field_int.h"
#include "chain/gov/gov.h"
#include "chain/treasury/disburse.h"
#include "chain/ident/overlay.h"
#include "chain/state.h"
#include "crypto/sha256.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static chain_receipt sample_receipt(void)
{
    chain_lease l = { .version = 1, .job = { { 7 } }, .lease_id = 300, .step = 2, .from = 16, .to = 24, .model = { { 9 } },
                      .tokens = { { 8 } }, .worker = kit_public(1), .price = 2000, .level_min = 1, .expiry_height = 70000 };
    CHECK(chain_name_set(&l.chain_id, bytes_of_str("kit-dev")) == OK);
    chain_attestation a = kit_attestation(&l);
    a.loss = -5;
    return kit_receipt(&l, &a, 1);
}

/* One filled transaction of each type; field values are functions of the field's place. */
static chain_tx sample(chain_tx_type type)
{
    static uint8_t items[8192];
    static const uint8_t blob[] = "evidence";
    chain_tx tx = { .type = type, .sender = kit_public(3), .nonce = 24, .expiry_height = 65536, .fee_max = 4294967296u, .tip = 255 };
    CHECK(chain_name_set(&tx.chain_id, bytes_of_str("kit-dev")) == OK);
    const chain_record *r = chain_tx_record(type);
    for (size_t i = 0; i < r->count; i++) {
        uint8_t *at = (uint8_t *)&tx.payload + r->fields[i].offset;
        uint64_t v = (uint64_t)1 << (i * 5 % 40), max = r->fields[i].max;
        v = v > max ? max : v;
        switch (r->fields[i].type) {
        case CHAIN_TYPE_U8: *at = (uint8_t)(v > 255 ? 255 : v); break;
        case CHAIN_TYPE_U32: { uint32_t x = (uint32_t)v; memcpy(at, &x, 4); break; }
        case CHAIN_TYPE_U64: memcpy(at, &v, 8); break;
        case CHAIN_TYPE_HASH: case CHAIN_TYPE_KEY: memset(at, (int)i + 1, 32); break;
        case CHAIN_TYPE_ADDRESS: { cr_address a = kit_address((unsigned)i + 4); memcpy(at, &a, sizeof a); break; }
        case CHAIN_TYPE_BLOB: { bytes b = bytes_of(blob, sizeof blob - 1); memcpy(at, &b, sizeof b); break; }
        case CHAIN_TYPE_NAME: CHECK(chain_name_set((chain_name *)(void *)at, bytes_of_str("relation.name")) == OK); break;
        default: break;
        }
    }
    chain_receipt receipt = sample_receipt();
    cr_address workers[2] = { kit_address(1), kit_address(2) };
    if (type == CHAIN_TX_AUDIT_VERDICT)
        tx.payload.audit_verdict.valid = 0;
    static const chain_rule rules[] = { { .kind = CHAIN_RULE_BADGE, .number = 300, .detail = 1 },
                                        { .kind = CHAIN_RULE_ATTESTATION, .detail = 7, .attestor = { { 9 } } } };
    if (type == CHAIN_TX_OVERLAY_CREATE)
        CHECK(chain_rules_encode(&tx.payload.overlay_create.rules, items, sizeof items, rules, COUNT_OF(rules)) == OK);
    if (type == CHAIN_TX_JOB_MATCH)
        CHECK(chain_addresses_encode(&tx.payload.job_match.workers, items, sizeof items, workers, 2) == OK);
    const chain_param_change changes[2] = { { CHAIN_PARAM_FEE_MIN, 2000 }, { CHAIN_PARAM_TARIFF_DRIFT, 60 } };
    if (type == CHAIN_TX_PROPOSAL_SUBMIT)
        CHECK(chain_changes_encode(&tx.payload.proposal_submit.changes, items, sizeof items, changes, 2) == OK);
    if (type == CHAIN_TX_TRACE_COMMIT)
        CHECK(chain_receipts_encode(&tx.payload.trace_commit.traces, items, sizeof items, &receipt, 1) == OK);
    if (type == CHAIN_TX_DISBURSEMENT_FILE) {
        static const uint64_t numbers[] = { 1, 300 };
        chain_payee payees[2] = { { workers[0], 1 }, { workers[1], CHAIN_AMOUNT_MAX } };
        CHECK(chain_payees_encode(&tx.payload.disbursement_file.payees, items, sizeof items / 2, payees, 2) == OK);
        CHECK(chain_dependencies_encode(&tx.payload.disbursement_file.dependencies, items + sizeof items / 2, sizeof items / 2, numbers, 2) == OK);
    }
    if (type == CHAIN_TX_RECEIPT_PAY)
        CHECK(chain_receipts_encode(&tx.payload.receipt_pay.receipts, items, sizeof items, &receipt, 1) == OK);
    return tx;
}

static void round_trip(void **state)
{
    (void)state;
    chain_tx_type type;
    for (size_t i = 0; chain_tx_record_at(i, &type); i++) {
        chain_tx tx = sample(type), back;
        bytes raw = kit_sign(&tx, 3);
        fault f = { 0 };
        assert_int_equal(chain_tx_decode(&back, raw, &f), OK);
        assert_int_equal(chain_tx_verify(&back), OK);
        assert_int_equal(back.type, type);
        bytes again = kit_sign(&back, 3);
        assert_true(bytes_equal(raw, again));
        /* Whatever one byte is changed to, it is refused, or it is another transaction under a signature that fails. */
        uint8_t *copy = malloc(raw.len);
        for (size_t at = 0; at < raw.len; at++) {
            memcpy(copy, raw.data, raw.len);
            copy[at] ^= 0x01;
            bytes bad = bytes_of(copy, raw.len);
            if (chain_tx_decode(&back, bad, &f) == OK)
                assert_int_equal(chain_tx_verify(&back), ERR_SIGNATURE);
            assert_int_not_equal(chain_tx_decode(&back, bytes_of(raw.data, at), &f), OK);
        }
        free(copy);
    }
}

/* Each bounded field one above its bound. */
static void bounds(void **state)
{
    (void)state;
    chain_tx_type type;
    uint8_t buffer[8192];
    cr_secret_key secret = kit_key(3);
    unsigned checked = 0;
    for (size_t i = 0; chain_tx_record_at(i, &type); i++) {
        const chain_record *r = chain_tx_record(type);
        for (size_t k = 0; k < r->count; k++) {
            chain_tx tx = sample(type);
            uint8_t *at = (uint8_t *)&tx.payload + r->fields[k].offset;
            uint64_t v = r->fields[k].max + 1;
            if (r->fields[k].type == CHAIN_TYPE_U64 && v)
                memcpy(at, &v, 8);
            else if (r->fields[k].type == CHAIN_TYPE_U32 && v <= UINT32_MAX)
                memcpy(at, &(uint32_t){ (uint32_t)v }, 4);
            else if (r->fields[k].type == CHAIN_TYPE_U8 && v <= UINT8_MAX)
                *at = (uint8_t)v;
            else
                continue;
            bytes out;
            fault f = { 0 };
            assert_int_equal(chain_tx_sign(&out, buffer, sizeof buffer, &tx, &secret, NULL, &f), ERR_RANGE);
            assert_string_equal(f.what, r->fields[k].where);
            checked++;
        }
    }
    assert_true(checked > 10);
    chain_tx tx = sample(CHAIN_TX_TRANSFER);
    bytes out;
    assert_int_equal(chain_tx_sign(&out, buffer, 20, &tx, &secret, NULL, NULL), ERR_LIMIT);
    tx.sender = kit_public(4);
    assert_int_equal(chain_tx_sign(&out, buffer, sizeof buffer, &tx, &secret, NULL, NULL), ERR_KEY);
    tx = sample(CHAIN_TX_TRANSFER);
    tx.type = (chain_tx_type)99;
    assert_int_equal(chain_tx_encode_body(&out, buffer, sizeof buffer, &tx, NULL), ERR_UNSUPPORTED);
    tx = sample(CHAIN_TX_TRANSFER);
    tx.payload.transfer.to.kind = 3;
    assert_int_equal(chain_tx_sign(&out, buffer, sizeof buffer, &tx, &secret, NULL, NULL), ERR_ADDRESS);
}

static void lists(void **state)
{
    (void)state;
    uint8_t buffer[4096];
    bytes out;
    cr_address a[64];
    size_t count;
    assert_int_equal(chain_addresses_encode(&out, buffer, sizeof buffer, a, 0), OK);
    assert_int_equal(chain_addresses_decode(a, &count, out, NULL), ERR_RANGE);
    for (size_t i = 0; i < 64; i++)
        a[i] = kit_address((unsigned)i);
    assert_int_equal(chain_addresses_encode(&out, buffer, sizeof buffer, a, 64), OK);
    assert_int_equal(chain_addresses_decode(a, &count, out, NULL), OK);
    assert_int_equal(count, 64);
    a[5].kind = CR_ADDRESS_CHAIN;
    assert_int_equal(chain_addresses_encode(&out, buffer, sizeof buffer, a, 64), OK);
    assert_int_equal(chain_addresses_decode(a, &count, out, NULL), ERR_ADDRESS);
    chain_receipt r[64];
    uint8_t many[3] = { 0x98, 65, 0 };
    assert_int_not_equal(chain_receipts_decode(r, &count, BYTES_OF(many), NULL), OK);
    assert_int_equal(chain_receipts_encode(&out, buffer, sizeof buffer, r, 0), OK);
    assert_int_equal(chain_receipts_decode(r, &count, out, NULL), ERR_RANGE);
}

static void params_and_genesis(void **state)
{
    (void)state;
    chain_params p;
    fault f = { 0 };
    chain_params_default(&p);
    assert_int_equal(chain_params_check(&p, &f), OK);
    for (unsigned i = 0; i < CHAIN_PARAM_COUNT; i++) {
        chain_params_default(&p);
        p.v[i] = chain_param_rows[i].max + 1;
        assert_int_equal(chain_params_check(&p, &f), ERR_RANGE);
        assert_string_equal(f.what, chain_param_rows[i].key);
        assert_int_equal(chain_param_by_key(chain_param_rows[i].key), i);
        for (unsigned k = 0; k < i; k++)
            assert_int_not_equal(chain_param_rows[i].number, chain_param_rows[k].number);
    }
    chain_params_default(&p);
    p.v[CHAIN_PARAM_CLAIM_DELAY] = p.v[CHAIN_PARAM_CLAIM_WINDOW] + 1;
    assert_int_equal(chain_params_check(&p, &f), ERR_RANGE);
    /* An audit may take as long as the bond stays, and as the claims wait; not one block longer. */
    static const struct { chain_param bound; uint64_t others; } rules[] = { { CHAIN_PARAM_WORKER_UNBOND, 0 },
                                                                            { CHAIN_PARAM_CLAIM_WINDOW, 180 } };
    for (size_t i = 0; i < COUNT_OF(rules); i++) {
        chain_params_default(&p);
        p.v[CHAIN_PARAM_WORKER_UNBOND] = p.v[CHAIN_PARAM_CLAIM_WINDOW] = 5000;
        p.v[CHAIN_PARAM_AUDIT_WINDOW] = 1000, p.v[CHAIN_PARAM_AUDIT_PUSH] = 100, p.v[CHAIN_PARAM_AUDIT_VERDICT] = 10;
        p.v[rules[i].bound] = 1110 + rules[i].others;
        assert_int_equal(chain_params_check(&p, &f), OK);
        p.v[rules[i].bound]--;
        assert_int_equal(chain_params_check(&p, &f), ERR_RANGE);
    }

    kit k;
    kit_start(&k, NULL);
    uint8_t buffer[4096];
    chain_allocation a[16];
    cr_public_key keys[16], producers[16];
    bytes out, raw = bytes_of(k.genesis, k.genesis_len);
#define DECODE(g) chain_genesis g = { .allocations = a, .allocation_count = 16, .issuers = keys, .issuer_count = 16, \
                                      .producers = producers, .producer_count = 16 };                                \
    assert_int_equal(chain_genesis_decode(&g, raw, &f), OK)
    {
        DECODE(g);
        assert_int_equal(chain_genesis_encode(&out, buffer, sizeof buffer, &g, &f), OK);
        assert_true(bytes_equal(out, raw));
    }
#define REFUSE(change, code)                                                                   \
    do {                                                                                       \
        DECODE(g);                                                                             \
        change;                                                                                \
        assert_int_equal(chain_genesis_encode(&out, buffer, sizeof buffer, &g, &f), code);     \
    } while (0)
    REFUSE(CHECK(chain_name_set(&g.chain_id, bytes_of_str("main")) == OK), ERR_PERMISSION);
    REFUSE(CHECK(chain_name_set(&g.address_prefix, bytes_of_str("TB")) == OK), ERR_SYNTAX);
    REFUSE(CHECK(chain_name_set(&g.address_prefix, bytes_of_str("muchtoolong")) == OK), ERR_LIMIT);
    REFUSE(g.producer_count = 0, ERR_RANGE);
    REFUSE(g.allocations[1] = g.allocations[0], ERR_CANONICAL);
    REFUSE(g.allocations[1].amount = 0, ERR_CAP);
    REFUSE(g.allocations[1].amount = CHAIN_AMOUNT_MAX, ERR_CAP);
    REFUSE(g.allocations[1].address.kind = CR_ADDRESS_CHAIN, ERR_ADDRESS);
    REFUSE((g.producer_count = 2, g.producers[1] = g.producers[0]), ERR_CANONICAL);
    static const chain_authority ruler = { CHAIN_ROLE_PACKS, 756, { { 1 } } };
    REFUSE((g.authority_count = 2, g.authorities[0] = g.authorities[1] = ruler), ERR_CANONICAL);
    REFUSE((g.authority_count = 1, g.authorities[0] = ruler, g.authorities[0].role = 3), ERR_RANGE);
    REFUSE((g.authority_count = 1, g.authorities[0] = ruler, g.authorities[0].scope = (uint32_t)LIMIT_REGION + 1), ERR_RANGE);
    REFUSE((g.authority_count = 1, g.authorities[0] = ruler, g.authorities[0].role = CHAIN_ROLE_RELEASES), ERR_RANGE);
    REFUSE(g.authority_count = LIMIT_GENESIS_AUTHORITIES + 1, ERR_LIMIT);
    {
        DECODE(g);
        g.authority_count = 2, g.authorities[0] = g.authorities[1] = ruler, g.authorities[0].key.b[0] = 2;
        assert_int_equal(chain_genesis_encode(&out, buffer, sizeof buffer, &g, &f), OK);
        chain_genesis back = { .allocations = a, .allocation_count = 16, .issuers = keys, .issuer_count = 16, .producers = producers,
                               .producer_count = 16 };
        assert_int_equal(chain_genesis_decode(&back, out, &f), OK);
        assert_int_equal(back.authority_count, 2);
        assert_int_equal(back.authorities[0].key.b[0], 1); /* sorted */
        assert_int_equal(back.authorities[1].scope, 756);
    }
    for (size_t i = 0; i < raw.len; i++) { /* truncated, or one byte changed: no crash, no acceptance of what is not canonical */
        chain *c = NULL;
        chain_config config = k.config;
        assert_int_not_equal(chain_new(&c, &config, bytes_of(raw.data, i), NULL), OK);
        memcpy(buffer, raw.data, raw.len);
        buffer[i] ^= 0x20;
        if (chain_new(&c, &config, bytes_of(buffer, raw.len), NULL) == OK)
            chain_free(c);
    }
    kit_stop(&k);
}

/* --- vectors --- */

static char text[200000];
static size_t text_len;

static void put(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void put(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text + text_len, sizeof text - text_len, format, args);
    va_end(args);
    CHECK(n > 0 && (size_t)n < sizeof text - text_len);
    text_len += (size_t)n;
}

static void put_hex(const char *name, bytes b)
{
    static char hex[65536];
    base_hex_encode(hex, b.data, b.len);
    put("\"%s\": \"%s\"", name, hex);
}

static void put_values(const chain_record *r, const void *object)
{
    put("\"values\": [");
    for (size_t i = 0; i < r->count; i++) {
        const chain_field *f = &r->fields[i];
        const uint8_t *at = (const uint8_t *)object + f->offset;
        uint8_t packed[33];
        put("%s{\"field\": \"%s\", ", i ? ", " : "", f->name);
        switch (f->type) {
        case CHAIN_TYPE_U8: put("\"int\": \"%u\"", *at); break;
        case CHAIN_TYPE_U32: put("\"int\": \"%u\"", *(const uint32_t *)(const void *)at); break;
        case CHAIN_TYPE_U64: put("\"int\": \"%llu\"", *(const unsigned long long *)(const void *)at); break;
        case CHAIN_TYPE_I64: put("\"int\": \"%lld\"", *(const long long *)(const void *)at); break;
        case CHAIN_TYPE_HASH: case CHAIN_TYPE_KEY: put_hex("bytes", bytes_of(at, 32)); break;
        case CHAIN_TYPE_SIGNATURE: put_hex("bytes", bytes_of(at, 64)); break;
        case CHAIN_TYPE_ADDRESS: chain_address_pack(packed, (const cr_address *)(const void *)at); put_hex("bytes", BYTES_OF(packed)); break;
        case CHAIN_TYPE_NAME: put("\"text\": \"%s\"", (const char *)at); break;
        case CHAIN_TYPE_BLOB: put_hex("bytes", *(const bytes *)(const void *)at); break;
        case CHAIN_TYPE_ITEMS: put_hex("item", *(const bytes *)(const void *)at); break;
        }
        put("}");
    }
    put("]");
}

static void put_signed(const char *name, const chain_record *r, const void *object, bytes raw, unsigned who)
{
    chain_signed s;
    uint8_t scratch[2048];
    CHECK(r->size <= sizeof scratch);
    CHECK(chain_signed_read(&s, r, scratch, raw, NULL) == OK);
    cr_public_key key = kit_public(who);
    put("  {\"name\": \"%s\", \"tag\": \"%s\", ", name, r->tag);
    put_hex("key", BYTES_OF(key));
    put(", ");
    put_values(r, object);
    put(", ");
    put_hex("hash", BYTES_OF(s.hash));
    put(", ");
    put_hex("signed", raw);
    put("}");
}

/* The least rate at which a lease is drawn: one above its draw. */
static void put_draw(const char *tag, bool (*selected)(const hash256 *, const hash256 *, uint32_t), uint8_t i)
{
    hash256 randomness, lease;
    uint32_t low = 0, high = 1000000;
    memset(&randomness, 1 + i, sizeof randomness);
    memset(&lease, 65 + i, sizeof lease);
    while (high - low > 1) {
        uint32_t mid = low + (high - low) / 2;
        *(selected(&randomness, &lease, mid) ? &high : &low) = mid;
    }
    CHECK(!selected(&randomness, &lease, 0) && selected(&randomness, &lease, 1000000));
    put("  {\"tag\": \"%s\", ", tag);
    put_hex("randomness", BYTES_OF(randomness));
    put(", ");
    put_hex("lease", BYTES_OF(lease));
    put(", \"least_rate_ppm\": %u}", high);
}

static void make_vectors(void)
{
    chain_tx_type type;
    text_len = 0;
    put("{\"comment\": \"made by chain_tx_test print; checked by src/chain/tx_vectors.py\",\n \"transactions\": [\n");
    for (size_t i = 0; chain_tx_record_at(i, &type); i++) {
        chain_tx tx = sample(type), back;
        bytes raw = kit_sign(&tx, 3);
        CHECK(chain_tx_decode(&back, raw, NULL) == OK);
        put("%s  {\"name\": \"%s\", \"type\": %d, \"chain_id\": \"%s\", \"nonce\": %llu, \"expiry_height\": %llu, \"fee_max\": %llu, \"tip\": %llu, ",
            i ? ",\n" : "", chain_tx_record(type)->name, (int)type, tx.chain_id.text, (unsigned long long)tx.nonce,
            (unsigned long long)tx.expiry_height, (unsigned long long)tx.fee_max, (unsigned long long)tx.tip);
        put_hex("sender", BYTES_OF(tx.sender));
        put(", ");
        put_values(chain_tx_record(type), &tx.payload);
        put(", ");
        put_hex("id", BYTES_OF(back.id));
        put(", ");
        put_hex("tx", raw);
        put("}");
    }
    put("\n ],\n \"signed\": [\n");
    chain_receipt r = sample_receipt();
    chain_lease l;
    chain_attestation a;
    chain_signed s;
    CHECK(chain_lease_decode(&l, &s, r.lease, NULL) == OK && chain_attestation_decode(&a, &s, r.attestation, NULL) == OK);
    put_signed("lease", &chain_lease_record, &l, r.lease, KIT_COORDINATOR);
    put(",\n");
    put_signed("attestation", &chain_attestation_record, &a, r.attestation, 1);
    put(",\n");
    kit k;
    kit_start(&k, NULL);
    chain_tx tx = kit_tx(&k, 0, CHAIN_TX_TRANSFER, 0);
    tx.payload.transfer = (chain_tx_transfer){ .to = kit_address(1), .amount = 1 };
    CHECK(kit_run(&k, &tx, 0) == OK);
    put_signed("header", &chain_header_record, chain_head(k.c), chain_head_signed(k.c), KIT_PRODUCER);
    put("\n ],\n \"draws\": [\n");
    for (uint8_t i = 0; i < 4; i++) {
        put_draw("theblock/sample/v1", chain_sample_selected, i);
        put(",\n");
        put_draw("theblock/audit/v1", chain_audit_selected, i);
        put(i < 3 ? ",\n" : "\n");
    }
    put(" ],\n ");
    put_hex("genesis", chain_genesis_bytes(k.c));
    put(",\n ");
    hash256 network = chain_network(k.c);
    put_hex("network", BYTES_OF(network));
    put("\n}\n");
    kit_stop(&k);
}

static void vectors(void **state)
{
    (void)state;
    make_vectors();
    FILE *file = fopen(TB_SOURCE_DIR "/spec/vectors/tx.json", "rb");
    assert_non_null(file);
    static char stored[sizeof text];
    size_t n = fread(stored, 1, sizeof stored, file);
    (void)fclose(file);
    assert_int_equal(n, text_len);
    assert_memory_equal(stored, text, n);
}

int main(int argc, char **argv)
{
    CHECK(cr_ed25519_self_test() == OK);
    if (argc == 2 && strcmp(argv[1], "print") == 0) {
        make_vectors();
        return fwrite(text, 1, text_len, stdout) == text_len ? 0 : 1;
    }
    const struct CMUnitTest tests[] = { cmocka_unit_test(round_trip), cmocka_unit_test(bounds), cmocka_unit_test(lists),
                                        cmocka_unit_test(params_and_genesis), cmocka_unit_test(vectors) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
