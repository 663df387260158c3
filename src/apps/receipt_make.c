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

/* `absent`: it need not be there; then `value` is empty and the proof is one of absence. */
static err get_row(proved_row *out, tb_ledger *l, const char *table, const chain_key *key, bool absent, fault *f)
{
    char hex[2 * CHAIN_KEY_MAX + 1];
    json_t *result;
    base_hex_encode(hex, key->b, key->len);
    TRY(tb_ledger_call(l, "proof.get", json_pack("{s:s, s:s}", "table", table, "key", hex), 0, &result, f));
    bool there = !json_is_null(json_object_get(result, "value"));
    err e = there || absent ? OK : fail(f, ERR_NOT_FOUND, table, 0);
    out->value = (bytes){ 0 };
    if (e == OK && there)
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
    const cr_public_key   *coordinator;
} pair_search;

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
        if (!chain_receipt_is(&items[i], &s->row->lease_hash, &s->row->attestation_hash, s->coordinator))
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

err tb_receipt_find(chain_receipt *out, uint8_t *copy, tb_ledger *l, const chain_row_lease *row, const cr_public_key *coordinator, uint64_t height,
                    fault *f)
{
    pair_search s = { out, copy, row, coordinator };
    return tb_ledger_find_tx(l, height, take_pair, &s, "the lease in its block", f);
}

/* The rows of a receipt; the last two are there only if the lease has something to ask them. */
enum { PAYMENT, JOB, BEACON, AUDIT, ROWS };

typedef struct gathered {
    proved_row      rows[ROWS];
    bool            wanted[ROWS];
    chain_row_lease payment;
} gathered;

/* All rows under one state root; a block in between makes it start again. */
static err catch_rows(gathered *g, tb_ledger *l, const hash256 *job, uint64_t lease_id, fault *f)
{
    static const char *const tables[ROWS] = { "lease", "job", "beacon", "audit" };
    const chain_row_lease *payment = &g->payment;
    chain_key keys[ROWS] = { [PAYMENT] = chain_key_numbered(job, lease_id), [JOB] = chain_key_job(job), [AUDIT] = chain_key_numbered(job, lease_id) };
    for (unsigned i = 0; i < TRIES; i++) {
        TRY(get_row(&g->rows[PAYMENT], l, tables[PAYMENT], &keys[PAYMENT], false, f));
        TRY(chain_record_decode_all(g->rows[PAYMENT].value, chain_table_describe(CHAIN_TABLE_LEASE)->record, &g->payment, f));
        if (payment->status != CHAIN_LEASE_PAID)
            return fail(f, ERR_NOT_FOUND, "payment: this lease is not paid", payment->status);
        keys[BEACON] = chain_key_height(payment->commit_height + 1);
        g->wanted[JOB] = true;
        g->wanted[BEACON] = payment->commit_height != 0;
        g->wanted[AUDIT] = payment->level == CHAIN_LEVEL_FULL;
        bool same = true;
        for (unsigned r = JOB; r < ROWS; r++) {
            if (!g->wanted[r])
                continue;
            TRY(get_row(&g->rows[r], l, tables[r], &keys[r], r == AUDIT, f));
            same &= bytes_equal(g->rows[PAYMENT].header, g->rows[r].header);
        }
        if (same)
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
    chain_receipt pair;
    _Static_assert(sizeof copy >= 2 * 2048, "two of LIMIT_LEASE_BYTES");
    gathered *g = calloc(1, sizeof *g);
    if (!g)
        return fail(f, ERR_MEMORY, "receipt", 0);
    tb_receipt_parts parts = { .genesis = l->genesis };
    err e = catch_rows(g, l, job, lease_id, f);
    chain_row_job row;
    if (e == OK)
        e = chain_record_decode_all(g->rows[JOB].value, chain_table_describe(CHAIN_TABLE_JOB)->record, &row, f);
    if (e == OK)
        e = tb_receipt_find(&pair, copy, l, &g->payment, &row.coordinator, g->payment.settle_height, f);
    if (e == OK) {
        parts.lease = pair.lease;
        parts.attestation = pair.attestation;
        parts.header = g->rows[PAYMENT].header;
        parts.payment = g->rows[PAYMENT].value;
        parts.payment_proof = g->rows[PAYMENT].proof;
        parts.job = g->rows[JOB].value;
        parts.job_proof = g->rows[JOB].proof;
        parts.beacon = g->rows[BEACON].value; /* zero, like the next, if it was not asked for */
        parts.beacon_proof = g->rows[BEACON].proof;
        parts.audit = g->rows[AUDIT].value;
        parts.audit_proof = g->rows[AUDIT].proof;
    }
    if (e == OK && checked && coordinator)
        e = sign_statement(&parts.checked, statement, sizeof statement, &parts, checked, coordinator, f);
    if (e == OK)
        e = tb_receipt_encode(out, &parts, f);
    free(g);
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
