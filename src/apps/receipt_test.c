/* SPDX-License-Identifier: Apache-2.0
 *
 * A real lease on a real node: its receipt holds, and no copy with one byte changed, cut or added does. */
#define _GNU_SOURCE
#include "apps/paid_kit.h"

#include "base/port/file.h"

#include <stdio.h>

static paid_kit t;

static int set_up(void **state)
{
    (void)state;
    CHECK(cr_ed25519_self_test() == OK);
    paid_start(&t);
    paid_job(&t);
    paid_lease(&t, PAID_LEASE, 0, CHAIN_LEVEL_REFEREED, NULL);
    buf_init(&t.receipt, TB_RECEIPT_BYTES_MAX);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buf_deinit(&t.receipt);
    paid_stop(&t);
    return 0;
}

static void make(bool statement)
{
    cr_secret_key secret;
    cr_public_key key;
    fault f = { 0 };
    const tb_checked checked = { .hashes = 1, .sampled = 1, .executed = 1 };
    kit_key(&secret, &key, PAID_COORDINATOR);
    buf_clear(&t.receipt);
    if (tb_receipt_gather(&t.receipt, &t.ledger, &t.job, PAID_LEASE, statement ? &checked : NULL, statement ? &secret : NULL, &f) != OK)
        fail_msg("gather: %s %s", err_describe(f.code)->name, f.what);
}

static int exit_code_of(bytes file, fault *f)
{
    tb_receipt r;
    *f = (fault){ 0 };
    err e = tb_receipt_verify(&r, file, &t.trust, f);
    assert_int_equal(e == OK ? OK : f->code, e);
    return err_describe(e)->exit_code;
}

static void holds(void **state)
{
    (void)state;
    fault f = { 0 };
    tb_receipt r;
    make(true);
    if (tb_receipt_verify(&r, buf_bytes(&t.receipt), &t.trust, &f) != OK)
        fail_msg("%s %s at %llu", err_describe(f.code)->name, f.what, (unsigned long long)f.at);
    assert_true(r.drawable && r.sampled && r.has_checked && r.checked.executed);
    assert_int_equal(r.payment.gross, 1000);
    assert_int_equal(r.payment.tariff, 10); /* nobody here has KYC: 1 % */
    make(false);
    assert_int_equal(tb_receipt_verify(&r, buf_bytes(&t.receipt), &t.trust, &f), OK);
    assert_true(r.drawable && r.sampled && !r.has_checked);
}

static void trust(void **state)
{
    (void)state;
    fault f;
    tb_receipt r;
    char text[160], hex[2][65];
    tb_trust parsed, other = t.trust;
    make(true);
    other.genesis.b[5] ^= 1;
    assert_int_equal(tb_receipt_verify(&r, buf_bytes(&t.receipt), &other, &f), ERR_HASH);
    other = t.trust;
    other.producer.b[5] ^= 1;
    assert_int_equal(tb_receipt_verify(&r, buf_bytes(&t.receipt), &other, &f), ERR_SIGNATURE);
    base_hex_encode(hex[0], t.trust.genesis.b, 32);
    base_hex_encode(hex[1], t.trust.producer.b, 32);
    snprintf(text, sizeof text, "%s:%s", hex[0], hex[1]);
    assert_int_equal(tb_trust_parse(&parsed, text, NULL), OK);
    assert_memory_equal(&parsed, &t.trust, sizeof parsed);
    static const char *const bad[] = { "", ":", "00:11", "zz" };
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(tb_trust_parse(&parsed, bad[i], NULL), ERR_USAGE);
    text[3] = 'X';
    assert_int_equal(tb_trust_parse(&parsed, text, NULL), ERR_USAGE);
}

/* Three changes of every byte of t.receipt: the lowest bit, the highest bit, all bits. */
static void change_every_byte(void)
{
    static const uint8_t masks[] = { 0x01, 0x80, 0xff };
    for (size_t at = 0; at < t.receipt.len; at++)
        for (size_t m = 0; m < COUNT_OF(masks); m++) {
            fault f;
            t.receipt.data[at] ^= masks[m];
            int code = exit_code_of(buf_bytes(&t.receipt), &f);
            if (code != 8 || !f.what)
                fail_msg("byte %zu with mask %02x: exit code %d", at, masks[m], code);
            t.receipt.data[at] ^= masks[m];
        }
}

static void every_byte(void **state)
{
    (void)state;
    for (int statement = 0; statement < 2; statement++) {
        make(statement);
        change_every_byte();
    }
}

static void every_length(void **state)
{
    (void)state;
    fault f;
    make(true);
    for (size_t len = 0; len < t.receipt.len; len++) {
        /* Its own block, so that a read behind the end is seen. */
        uint8_t *cut = malloc(len + !len);
        memcpy(cut, t.receipt.data, len);
        int code = exit_code_of(bytes_of(cut, len), &f);
        free(cut);
        if (code != 8)
            fail_msg("%zu bytes: exit code %d", len, code);
    }
    assert_int_equal(buf_put(&t.receipt, "", 1), OK);
    assert_int_equal(exit_code_of(buf_bytes(&t.receipt), &f), 8);
    assert_int_equal(f.code, ERR_TRAILING);
}

/* A statement of somebody else, or one that the ledger's randomness contradicts. */
static void statements(void **state)
{
    (void)state;
    cr_secret_key secret;
    cr_public_key key;
    fault f = { 0 };
    tb_receipt r;
    tb_checked checked = { .hashes = 1, .sampled = 1 };
    kit_key(&secret, &key, PAID_WORKER);
    buf_clear(&t.receipt);
    assert_int_equal(tb_receipt_gather(&t.receipt, &t.ledger, &t.job, PAID_LEASE, &checked, &secret, NULL), OK);
    assert_int_equal(tb_receipt_verify(&r, buf_bytes(&t.receipt), &t.trust, &f), ERR_SIGNATURE);
    assert_string_equal(f.what, "checked.signature");
    kit_key(&secret, &key, PAID_COORDINATOR);
    checked.sampled = 0;
    buf_clear(&t.receipt);
    assert_int_equal(tb_receipt_gather(&t.receipt, &t.ledger, &t.job, PAID_LEASE, &checked, &secret, NULL), OK);
    assert_int_equal(tb_receipt_verify(&r, buf_bytes(&t.receipt), &t.trust, &f), ERR_RECEIPT);
    assert_int_equal(tb_receipt_gather(&t.receipt, &t.ledger, &t.job, 8, NULL, NULL, &f), ERR_NOT_FOUND);
}

/* --- audits ------------------------------------------------------------------------------------------------------------- */

enum { PROVED = 8, FALSE_ONE = 9 };

static void open_audit(const chain_receipt *pair)
{
    chain_tx tx = { .type = CHAIN_TX_AUDIT_OPEN };
    tx.payload.audit_open = (chain_tx_audit_open){ .job = t.job, .lease = pair->lease, .attestation = pair->attestation };
    paid_run(&t, PAID_BUYER, &tx, NULL);
}

static void judge(uint64_t lease_id, uint32_t reason)
{
    chain_tx tx = { .type = CHAIN_TX_AUDIT_VERDICT };
    tx.payload.audit_verdict = (chain_tx_audit_verdict){ .job = t.job, .lease_id = lease_id, .valid = reason == 0, .reason = reason };
    assert_int_equal(chain_name_set(&tx.payload.audit_verdict.relation, bytes_of_str("-")), OK);
    paid_run(&t, KIT_PRODUCER, &tx, NULL);
}

/* The receipt of a proved lease, made now: it holds, no changed copy does, and what it says about an audit cannot be left out. */
static tb_receipt proved_receipt(void)
{
    tb_receipt r, other;
    fault f = { 0 };
    tb_receipt_parts parts;
    buf_clear(&t.receipt);
    assert_int_equal(tb_receipt_gather(&t.receipt, &t.ledger, &t.job, PROVED, NULL, NULL, &f), OK);
    if (tb_receipt_verify(&r, buf_bytes(&t.receipt), &t.trust, &f) != OK)
        fail_msg("%s %s at %llu", err_describe(f.code)->name, f.what, (unsigned long long)f.at);
    assert_true(r.auditable);
    change_every_byte();

    buf again;
    buf_init(&again, TB_RECEIPT_BYTES_MAX);
    assert_int_equal(tb_receipt_decode(&parts, buf_bytes(&t.receipt), NULL), OK);
    bytes row = parts.audit, proof = parts.audit_proof;
    parts.audit = parts.audit_proof = (bytes){ 0 };
    assert_int_equal(tb_receipt_encode(&again, &parts, NULL), OK);
    assert_int_equal(tb_receipt_verify(&other, buf_bytes(&again), &t.trust, &f), ERR_RECEIPT);
    assert_string_equal(f.what, "receipt.audit");
    buf_clear(&again);
    parts.audit = row.len ? (bytes){ 0 } : parts.payment; /* nobody audited it; or somebody did */
    parts.audit_proof = proof;
    assert_int_equal(tb_receipt_encode(&again, &parts, NULL), OK);
    assert_int_equal(tb_receipt_verify(&other, buf_bytes(&again), &t.trust, &f), ERR_PROOF);
    buf_deinit(&again);
    return r;
}

static void audits(void **state)
{
    (void)state;
    chain_receipt pair;
    size_t validators;
    fault f = { 0 };
    buf genesis;
    paid_lease(&t, PROVED, 4, CHAIN_LEVEL_FULL, &pair);
    tb_receipt r = proved_receipt();
    assert_false(r.has_audit);
    open_audit(&pair);
    r = proved_receipt();
    assert_true(r.has_audit && r.audit.status == CHAIN_AUDIT_OPEN && r.votes_valid == 0 && r.audit.deposit > 0);
    judge(PROVED, 0);
    r = proved_receipt();
    assert_true(r.has_audit && r.audit.status == CHAIN_AUDIT_VALID && r.votes_valid == 1 && r.votes_invalid == 0);

    /* Who may vote stands in the genesis document. */
    buf_init(&genesis, LIMIT_GENESIS_BYTES);
    kit_genesis(&genesis, "apps", PAID_ACCOUNTS);
    assert_int_equal(tb_receipt_check_genesis(&validators, &r, buf_bytes(&genesis), &f), OK);
    assert_int_equal(validators, 1);
    r.audit.invalid.b[0] = 2;
    assert_int_equal(tb_receipt_check_genesis(&validators, &r, buf_bytes(&genesis), &f), ERR_RECEIPT);
    r.audit.invalid.b[0] = 0;
    r.votes_valid = 0;
    assert_int_equal(tb_receipt_check_genesis(&validators, &r, buf_bytes(&genesis), &f), ERR_RECEIPT);
    buf_deinit(&genesis);

    /* At level refereed there is nothing to audit, and no place to say so. */
    tb_receipt_parts parts, proved;
    buf other;
    buf_init(&other, TB_RECEIPT_BYTES_MAX);
    assert_int_equal(tb_receipt_decode(&proved, buf_bytes(&t.receipt), NULL), OK);
    assert_int_equal(tb_receipt_gather(&other, &t.ledger, &t.job, PAID_LEASE, NULL, NULL, &f), OK);
    assert_int_equal(tb_receipt_decode(&parts, buf_bytes(&other), NULL), OK);
    parts.audit = proved.audit;
    parts.audit_proof = proved.audit_proof;
    buf with;
    buf_init(&with, TB_RECEIPT_BYTES_MAX);
    assert_int_equal(tb_receipt_encode(&with, &parts, NULL), OK);
    assert_int_equal(tb_receipt_verify(&r, buf_bytes(&with), &t.trust, &f), ERR_RECEIPT);
    assert_string_equal(f.what, "receipt.audit");
    buf_deinit(&with);
    buf_deinit(&other);

    /* What was found false has no receipt. */
    paid_lease(&t, FALSE_ONE, 8, CHAIN_LEVEL_FULL, &pair);
    open_audit(&pair);
    judge(FALSE_ONE, ERR_UNPROVED);
    buf_clear(&t.receipt);
    assert_int_equal(tb_receipt_gather(&t.receipt, &t.ledger, &t.job, FALSE_ONE, NULL, NULL, &f), ERR_NOT_FOUND);
}

static void flip_file(const char *path, size_t at)
{
    int fd;
    uint8_t byte;
    assert_int_equal(base_file_open(&fd, path, BASE_FILE_WRITE, NULL), OK);
    assert_int_equal(base_file_read_at(fd, &byte, 1, at, NULL), OK);
    byte ^= 1;
    assert_int_equal(base_file_write_at(fd, bytes_of(&byte, 1), at, NULL), OK);
    base_file_close(fd);
}

static void bundle(void **state)
{
    (void)state;
    char dir[TB_PATH_MAX], path[TB_PATH_MAX + 80], hex[65], file[TB_PATH_MAX];
    tb_receipt r;
    tb_recheck again;
    fault f = { 0 };
    assert_int_equal(tb_home_path(dir, &t.home, "bundle", NULL), OK);
    assert_int_equal(tb_home_path(file, &t.home, "receipt.cbor", NULL), OK);
    assert_int_equal(tb_receipt_write(&r, file, &t.ledger, &t.job, PAID_LEASE, NULL, NULL, NULL), OK);
    assert_int_equal(tb_receipt_recheck(&again, &r, dir, 1, &f), ERR_NOT_FOUND);
    assert_int_equal(tb_bundle_write(dir, &t.train.model, &t.train.data, NULL), OK);
    if (tb_receipt_recheck(&again, &r, dir, 1, &f) != OK)
        fail_msg("%s %s", err_describe(f.code)->name, f.what);
    assert_memory_equal(&again.gradient, &r.attestation.gradient, 32);

    base_hex_encode(hex, t.train.model.id.b, 32);
    snprintf(path, sizeof path, "%s/%s.model", dir, hex);
    static const size_t places[] = { 0, 5, 40, 300, 2000 };
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        flip_file(path, places[i]);
        err e = tb_receipt_recheck(&again, &r, dir, 1, &f);
        if (err_describe(e)->exit_code != 8)
            fail_msg("model byte %zu: %s %s", places[i], err_describe(e)->name, f.what);
        flip_file(path, places[i]);
    }
    base_hex_encode(hex, t.train.data.manifest.shards[0].b, 32);
    snprintf(path, sizeof path, "%s/%s", dir, hex);
    flip_file(path, 77);
    assert_int_equal(err_describe(tb_receipt_recheck(&again, &r, dir, 1, &f))->exit_code, 8);
    flip_file(path, 77);
    r.lease.tokens.b[0] ^= 1;
    assert_int_equal(tb_receipt_recheck(&again, &r, dir, 1, &f), ERR_CHEAT);
    assert_string_equal(f.what, "lease.tokens");
    r.lease.tokens.b[0] ^= 1;
    r.attestation.gradient.b[0] ^= 1;
    assert_int_equal(tb_receipt_recheck(&again, &r, dir, 1, &f), ERR_CHEAT);
    assert_string_equal(f.what, "attestation.gradient");
    r.attestation.trace_root.b[0] ^= 1;
    assert_int_equal(tb_receipt_recheck(&again, &r, dir, 1, &f), ERR_CHEAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds), cmocka_unit_test(trust), cmocka_unit_test(every_byte), cmocka_unit_test(every_length),
        cmocka_unit_test(statements), cmocka_unit_test(bundle), cmocka_unit_test(audits),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
