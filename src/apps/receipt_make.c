/* SPDX-License-Identifier: Apache-2.0
 *
 * Receipts from a running node. Everything is asked for over RPC, and the result is verified before it is written. */
#include "apps/receipt.h"

#include "base/port/file.h"

#include <stdio.h>
#include <stdlib.h>

enum { TRIES = 50 };

/* A row with its proof and the header that the proof leads to. */
typedef struct proved_row {
    uint8_t value_bytes[1024], proof_bytes[16384], header_bytes[1024];
    bytes   value, proof, header;
} proved_row;

static err get_row(proved_row *out, tb_ledger *l, const char *table, const chain_key *key, fault *f)
{
    char hex[2 * CHAIN_KEY_MAX + 1];
    json_t *result;
    base_hex_encode(hex, key->b, key->len);
    TRY(tb_ledger_call(l, "proof.get", json_pack("{s:s, s:s}", "table", table, "key", hex), 0, &result, f));
    err e = OK;
    if (json_is_null(json_object_get(result, "value")))
        e = fail(f, ERR_NOT_FOUND, table, 0);
    if (e == OK)
        e = tb_json_hex(&out->value, out->value_bytes, sizeof out->value_bytes, result, "value", f);
    if (e == OK)
        e = tb_json_hex(&out->proof, out->proof_bytes, sizeof out->proof_bytes, result, "proof", f);
    if (e == OK)
        e = tb_json_hex(&out->header, out->header_bytes, sizeof out->header_bytes, result, "header", f);
    json_decref(result);
    return e;
}

typedef struct pair_search {
    chain_receipt         *out;
    uint8_t               *copy;
    const chain_row_lease *row;
} pair_search;

/* Both hashes: a transaction that was refused may stand in the same block, with another attestation. */
static bool is_pair(const chain_receipt *r, const chain_row_lease *row)
{
    chain_lease lease;
    chain_attestation attestation;
    chain_signed l, a;
    return chain_lease_decode(&lease, &l, r->lease, NULL) == OK && chain_attestation_decode(&attestation, &a, r->attestation, NULL) == OK &&
           hash256_equal(&l.hash, &row->lease_hash) && hash256_equal(&a.hash, &row->attestation_hash);
}

/* Searches the items of one transaction. */
static err take_pair(void *ctx, bytes raw, fault *f)
{
    const pair_search *s = ctx;
    chain_tx tx;
    chain_receipt items[64];
    size_t count;
    if (chain_tx_decode(&tx, raw, NULL) != OK || (tx.type != CHAIN_TX_RECEIPT_PAY && tx.type != CHAIN_TX_TRACE_COMMIT))
        return ERR_NOT_FOUND;
    bytes list = tx.type == CHAIN_TX_RECEIPT_PAY ? tx.payload.receipt_pay.receipts : tx.payload.trace_commit.traces;
    if (chain_receipts_decode(items, &count, list, NULL) != OK)
        return ERR_NOT_FOUND;
    for (size_t i = 0; i < count; i++) {
        if (!is_pair(&items[i], s->row))
            continue;
        bytes lease = items[i].lease, attestation = items[i].attestation;
        if (lease.len + attestation.len > 2 * LIMIT_LEASE_BYTES)
            return fail(f, ERR_LIMIT, "lease", lease.len);
        memcpy(s->copy, lease.data, lease.len);
        memcpy(s->copy + lease.len, attestation.data, attestation.len);
        *s->out = (chain_receipt){ .lease = bytes_of(s->copy, lease.len), .attestation = bytes_of(s->copy + lease.len, attestation.len) };
        return OK;
    }
    return ERR_NOT_FOUND;
}

err tb_receipt_find(chain_receipt *out, uint8_t *copy, tb_ledger *l, const chain_row_lease *row, uint64_t height, fault *f)
{
    pair_search s = { out, copy, row };
    return tb_ledger_find_tx(l, height, take_pair, &s, "the lease in its block", f);
}

/* All rows under one state root; a block in between makes it start again. */
static err catch_rows(proved_row rows[3], bool *drawn, tb_ledger *l, const hash256 *job, uint64_t lease_id, chain_row_lease *payment, fault *f)
{
    chain_key lease_key = chain_key_numbered(job, lease_id), job_key = chain_key_job(job);
    for (unsigned i = 0; i < TRIES; i++) {
        TRY(get_row(&rows[0], l, "lease", &lease_key, f));
        TRY(chain_record_decode_all(rows[0].value, chain_table_describe(CHAIN_TABLE_LEASE)->record, payment, f));
        if (payment->status != CHAIN_LEASE_PAID)
            return fail(f, ERR_NOT_FOUND, "payment: this lease is not paid", payment->status);
        TRY(get_row(&rows[1], l, "job", &job_key, f));
        *drawn = payment->commit_height != 0;
        if (*drawn) {
            chain_key beacon_key = chain_key_height(payment->commit_height + 1);
            TRY(get_row(&rows[2], l, "beacon", &beacon_key, f));
        }
        if (bytes_equal(rows[0].header, rows[1].header) && (!*drawn || bytes_equal(rows[0].header, rows[2].header)))
            return OK;
    }
    return fail(f, ERR_BUSY, "blocks come too fast to catch one state", TRIES);
}

static err sign_statement(bytes *out, uint8_t *buffer, size_t cap, const tb_receipt_parts *parts, const tb_checked *checked,
                          const cr_secret_key *coordinator, fault *f)
{
    chain_lease lease;
    chain_attestation attestation;
    chain_signed lease_signed, attestation_signed;
    TRY(chain_lease_decode(&lease, &lease_signed, parts->lease, f));
    TRY(chain_attestation_decode(&attestation, &attestation_signed, parts->attestation, f));
    tb_checked full = *checked;
    full.version = TB_CHECKED_VERSION;
    full.lease = lease_signed.hash;
    full.attestation = attestation_signed.hash;
    return chain_signed_write(out, buffer, cap, &tb_checked_record, &full, coordinator, NULL, f);
}

err tb_receipt_gather(buf *out, tb_ledger *l, const hash256 *job, uint64_t lease_id, const tb_checked *checked,
                      const cr_secret_key *coordinator, fault *f)
{
    uint8_t copy[4096], statement[1024];
    chain_row_lease payment;
    chain_receipt pair;
    bool drawn;
    _Static_assert(sizeof copy >= 2 * 2048, "two of LIMIT_LEASE_BYTES");
    proved_row *rows = calloc(3, sizeof *rows);
    if (!rows)
        return fail(f, ERR_MEMORY, "receipt", 0);
    tb_receipt_parts parts = { .genesis = l->genesis };
    err e = catch_rows(rows, &drawn, l, job, lease_id, &payment, f);
    if (e == OK)
        e = tb_receipt_find(&pair, copy, l, &payment, payment.settle_height, f);
    if (e == OK) {
        parts.lease = pair.lease;
        parts.attestation = pair.attestation;
        parts.header = rows[0].header;
        parts.payment = rows[0].value;
        parts.payment_proof = rows[0].proof;
        parts.job = rows[1].value;
        parts.job_proof = rows[1].proof;
        if (drawn) {
            parts.beacon = rows[2].value;
            parts.beacon_proof = rows[2].proof;
        }
    }
    if (e == OK && checked && coordinator)
        e = sign_statement(&parts.checked, statement, sizeof statement, &parts, checked, coordinator, f);
    if (e == OK)
        e = tb_receipt_encode(out, &parts, f);
    free(rows);
    return e;
}

err tb_receipt_write(tb_receipt *out, const char *path, tb_ledger *l, const hash256 *job, uint64_t lease_id, const tb_checked *checked,
                     const cr_secret_key *coordinator, fault *f)
{
    tb_receipt own;
    tb_receipt_parts parts;
    chain_header header;
    tb_trust trust = { .genesis = l->genesis };
    buf file;
    buf_init(&file, TB_RECEIPT_BYTES_MAX);
    err e = tb_receipt_gather(&file, l, job, lease_id, checked, coordinator, f);
    if (e == OK)
        e = tb_receipt_decode(&parts, buf_bytes(&file), f);
    if (e == OK)
        e = chain_header_decode(&header, NULL, parts.header, f);
    if (e == OK) {
        trust.producer = header.producer;
        e = tb_receipt_verify(out ? out : &own, buf_bytes(&file), &trust, f);
    }
    if (e == OK)
        e = base_file_write_atomic(path, buf_bytes(&file), 0644, BASE_FILE_REPLACE, f);
    buf_deinit(&file);
    return e;
}
