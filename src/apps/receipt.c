/* SPDX-License-Identifier: Apache-2.0
 *
 * The form of a receipt, and its verification. Gathering one is receipt_make.c. */
#include "apps/receipt.h"

#include "base/port/file.h"

#include "chain/genesis.h"

#include <stddef.h>
#include <stdlib.h>

static const char receipt_tag[] = "theblock/receipt/v2";

enum { FIELDS = 12 };

#define CHECKED(wire, member, greatest, text)                                                                          \
    { .name = #member, .where = "checked." #member, .doc = (text), .type = CHAIN_TYPE_##wire,                          \
      .offset = (uint32_t)offsetof(tb_checked, member), .max = (greatest) },

static const chain_field checked_fields[] = {
    CHECKED(U32, version, UINT32_MAX, "1")
    CHECKED(HASH, lease, 0, "hash of the lease's body")
    CHECKED(HASH, attestation, 0, "hash of the attestation's body")
    CHECKED(U8, hashes, 1, "the gradient that was summed has the attested hash")
    CHECKED(U8, sampled, 1, "the ledger's randomness drew the lease")
    CHECKED(U8, executed, 1, "computed again by the signer, gradient and trace root equal")
    CHECKED(U8, proved, 1, "the signer verified the attested proof")
};
#undef CHECKED

const chain_record tb_checked_record = { .name = "checked", .tag = "theblock/checked/v1", .doc = "how far a coordinator looked",
                                         .fields = checked_fields, .count = COUNT_OF(checked_fields), .size = sizeof(tb_checked) };

err tb_trust_parse(tb_trust *out, const char *text, fault *f)
{
    char half[65];
    if (strlen(text) != 129 || text[64] != ':')
        return fail(f, ERR_USAGE, "trust: GENESIS_HASH:KEY, 64 hex digits each", strlen(text));
    memcpy(half, text, 64);
    half[64] = 0;
    if (base_hex_decode(out->genesis.b, 32, half) != OK || base_hex_decode(out->producer.b, 32, text + 65) != OK)
        return fail(f, ERR_USAGE, "trust: GENESIS_HASH:KEY, 64 hex digits each", 0);
    return OK;
}

/* --- form --------------------------------------------------------------------------------------------------------------- */

static void put_pair(cbor_writer *w, bytes row, bytes proof)
{
    if (row.len == 0 && proof.len == 0) {
        cbor_put_null(w);
        return;
    }
    cbor_put_array(w, 2);
    cbor_put_bytes(w, row);
    cbor_put_bytes(w, proof);
}

err tb_receipt_encode(buf *out, const tb_receipt_parts *p, fault *f)
{
    err e = buf_reserve(out, TB_RECEIPT_BYTES_MAX);
    if (e != OK)
        return fail(f, e, "receipt", TB_RECEIPT_BYTES_MAX);
    cbor_writer w = cbor_writer_on(out->data + out->len, TB_RECEIPT_BYTES_MAX);
    cbor_put_array(&w, FIELDS);
    cbor_put_text(&w, bytes_of_str(receipt_tag));
    cbor_put_bytes(&w, BYTES_OF(p->genesis));
    cbor_put_bytes(&w, p->header);
    cbor_put_bytes(&w, p->lease);
    cbor_put_bytes(&w, p->attestation);
    cbor_put_bytes(&w, p->payment);
    cbor_put_bytes(&w, p->payment_proof);
    cbor_put_bytes(&w, p->job);
    cbor_put_bytes(&w, p->job_proof);
    put_pair(&w, p->beacon, p->beacon_proof);
    if (p->checked.len)
        cbor_put_bytes(&w, p->checked);
    else
        cbor_put_null(&w);
    put_pair(&w, p->audit, p->audit_proof);
    bytes encoded;
    e = cbor_finish(&w, &encoded);
    if (e != OK)
        return fail(f, e, "receipt", w.len);
    out->len += encoded.len;
    return OK;
}

static err read_parts(tb_receipt_parts *p, cbor_reader *r)
{
    bytes tag;
    TRY(cbor_get_array_fixed(r, "receipt", FIELDS));
    size_t at = r->at;
    TRY(cbor_get_text(r, "receipt.tag", &tag, sizeof receipt_tag));
    if (!bytes_equal(tag, bytes_of_str(receipt_tag)))
        return fail(&r->fault, ERR_MAGIC, "receipt.tag", at);
    TRY(cbor_get_bytes_fixed(r, "receipt.genesis", p->genesis.b, sizeof p->genesis.b));
    TRY(cbor_get_bytes(r, "receipt.header", &p->header, LIMIT_HEADER_BYTES));
    TRY(cbor_get_bytes(r, "receipt.lease", &p->lease, LIMIT_LEASE_BYTES));
    TRY(cbor_get_bytes(r, "receipt.attestation", &p->attestation, LIMIT_LEASE_BYTES));
    TRY(cbor_get_bytes(r, "receipt.payment", &p->payment, LIMIT_STATE_VALUE_BYTES));
    TRY(cbor_get_bytes(r, "receipt.payment_proof", &p->payment_proof, LIMIT_STATE_PROOF_BYTES));
    TRY(cbor_get_bytes(r, "receipt.job", &p->job, LIMIT_STATE_VALUE_BYTES));
    TRY(cbor_get_bytes(r, "receipt.job_proof", &p->job_proof, LIMIT_STATE_PROOF_BYTES));
    if (!cbor_take_null(r)) {
        TRY(cbor_get_array_fixed(r, "receipt.beacon", 2));
        TRY(cbor_get_bytes(r, "receipt.beacon", &p->beacon, LIMIT_STATE_VALUE_BYTES));
        TRY(cbor_get_bytes(r, "receipt.beacon_proof", &p->beacon_proof, LIMIT_STATE_PROOF_BYTES));
        if (p->beacon.len == 0)
            return fail(&r->fault, ERR_FIELD, "receipt.beacon", at);
    }
    at = r->at;
    if (!cbor_take_null(r)) {
        TRY(cbor_get_bytes(r, "receipt.checked", &p->checked, LIMIT_LEASE_BYTES));
        if (p->checked.len == 0)
            return fail(&r->fault, ERR_FIELD, "receipt.checked", at);
    }
    at = r->at;
    if (!cbor_take_null(r)) {
        TRY(cbor_get_array_fixed(r, "receipt.audit", 2));
        TRY(cbor_get_bytes(r, "receipt.audit", &p->audit, LIMIT_STATE_VALUE_BYTES));
        TRY(cbor_get_bytes(r, "receipt.audit_proof", &p->audit_proof, LIMIT_STATE_PROOF_BYTES));
        if (p->audit_proof.len == 0)
            return fail(&r->fault, ERR_FIELD, "receipt.audit", at);
    }
    return cbor_end(r);
}

err tb_receipt_decode(tb_receipt_parts *out, bytes file, fault *f)
{
    *out = (tb_receipt_parts){ 0 };
    if (file.len > TB_RECEIPT_BYTES_MAX)
        return fail(f, ERR_TRAILING, "receipt", TB_RECEIPT_BYTES_MAX);
    cbor_reader r = cbor_reader_on(file);
    err e = read_parts(out, &r);
    if (e != OK && f)
        *f = r.fault;
    return e;
}

/* --- verification ------------------------------------------------------------------------------------------------------- */

typedef struct check {
    tb_receipt      *out;
    tb_receipt_parts parts;
    bytes            file;
    chain_signed     lease, attestation, checked;
} check;

/* A refusal of the part that `view` is: its own words if it has any, `what` otherwise; the offset is the part's in the file. */
static err refuse(const check *c, bytes view, err e, const char *what, fault *f)
{
    size_t at = view.data ? (size_t)(view.data - c->file.data) : 0;
    return fail(f, e, f && f->what && !what ? f->what : what ? what : "receipt", at);
}

static err check_header(check *c, fault *f)
{
    tb_receipt *r = c->out;
    bytes view = c->parts.header;
    if (!hash256_equal(&c->parts.genesis, &r->trust.genesis))
        return fail(f, ERR_HASH, "receipt.genesis: not the network that you trust", 0);
    err e = chain_header_decode(&r->header, &r->block_hash, view, f);
    if (e != OK)
        return refuse(c, view, e, NULL, f);
    if (memcmp(&r->header.producer, &r->trust.producer, sizeof r->header.producer) != 0)
        return refuse(c, view, ERR_SIGNATURE, "header.producer: not the key that you trust", f);
    return OK;
}

/* A row of the state: included under the signed root, and read into `row`. */
static err check_row(const check *c, bytes value, bytes proof_bytes, chain_table table, const chain_key *key, void *row, fault *f)
{
    smt_proof proof;
    err e = smt_proof_decode(&proof, proof_bytes, f);
    if (e != OK)
        return refuse(c, proof_bytes, e, NULL, f);
    e = smt_verify(&proof, &c->out->header.state_root, (uint8_t)table, chain_key_bytes(key), &value, f);
    if (e != OK)
        return refuse(c, f && f->what && strcmp(f->what, "proof.value_hash") == 0 ? value : proof_bytes, e, NULL, f);
    e = chain_record_decode_all(value, chain_table_describe(table)->record, row, f);
    return e == OK ? OK : refuse(c, value, e, NULL, f);
}

/* The lease and the answer to it, each under the key that may sign it: the coordinator's stands in the job, the worker's in the lease. */
static err check_lease(check *c, fault *f)
{
    tb_receipt *r = c->out;
    bytes lease = c->parts.lease, attestation = c->parts.attestation;
    err e = chain_lease_decode(&r->lease, &c->lease, lease, f);
    if (e != OK)
        return refuse(c, lease, e, NULL, f);
    e = chain_attestation_decode(&r->attestation, &c->attestation, attestation, f);
    if (e != OK)
        return refuse(c, attestation, e, NULL, f);
    if (!chain_name_equal(&r->lease.chain_id, &r->header.chain_id))
        return refuse(c, lease, ERR_RECEIPT, "lease.chain_id", f);
    chain_key key = chain_key_job(&r->lease.job);
    TRY(check_row(c, c->parts.job, c->parts.job_proof, CHAIN_TABLE_JOB, &key, &r->job, f));
    if (chain_signed_verify(&c->lease, &r->job.coordinator) != OK)
        return refuse(c, lease, ERR_SIGNATURE, "lease.signature", f);
    if (chain_signed_verify(&c->attestation, &r->lease.worker) != OK)
        return refuse(c, attestation, ERR_SIGNATURE, "attestation.signature", f);
    e = chain_attestation_matches(&r->attestation, &r->lease, &c->lease.hash, f);
    if (e != OK)
        return refuse(c, attestation, e, NULL, f);
    r->lease_hash = c->lease.hash;
    r->attestation_hash = c->attestation.hash;
    r->worker = cr_address_of_key(&r->lease.worker);
    return OK;
}

static err check_payment(check *c, fault *f)
{
    tb_receipt *r = c->out;
    const chain_row_lease *p = &r->payment;
    chain_key key = chain_key_numbered(&r->lease.job, r->lease.lease_id);
    TRY(check_row(c, c->parts.payment, c->parts.payment_proof, CHAIN_TABLE_LEASE, &key, &r->payment, f));
    const struct { bool holds; const char *what; } rules[] = {
        { p->status == CHAIN_LEASE_PAID, "payment.status: not paid" },
        { hash256_equal(&p->lease_hash, &c->lease.hash), "payment.lease_hash" },
        { hash256_equal(&p->attestation_hash, &c->attestation.hash), "payment.attestation_hash" },
        { hash256_equal(&p->trace_root, &r->attestation.trace_root), "payment.trace_root" },
        { p->level == r->attestation.level, "payment.level" },
        { hash256_equal(&p->proof, &r->attestation.proof), "payment.proof" },
        { cr_address_equal(&p->worker, &r->worker), "payment.worker" },
        { p->from == r->lease.from && p->to == r->lease.to, "payment.from" },
        { p->gross == r->lease.price && p->tariff <= p->gross, "payment.gross" },
        { p->settle_height <= r->header.height && p->commit_height <= p->settle_height, "payment.settle_height" },
    };
    for (size_t i = 0; i < COUNT_OF(rules); i++)
        if (!rules[i].holds)
            return refuse(c, c->parts.payment, ERR_RECEIPT, rules[i].what, f);
    return OK;
}

/* Whether the lease was drawn for re-execution follows from the ledger's own randomness: nobody has to be believed. */
static err check_sample(check *c, fault *f)
{
    tb_receipt *r = c->out;
    if ((r->payment.commit_height != 0) != (c->parts.beacon.len != 0))
        return refuse(c, c->parts.payment, ERR_RECEIPT, "receipt.beacon", f);
    if (c->parts.beacon.len == 0)
        return OK;
    chain_row_beacon beacon;
    chain_key key = chain_key_height(r->payment.commit_height + 1);
    TRY(check_row(c, c->parts.beacon, c->parts.beacon_proof, CHAIN_TABLE_BEACON, &key, &beacon, f));
    r->drawable = true;
    r->sampled = chain_sample_selected(&beacon.randomness, &c->lease.hash, r->job.sample_ppm);
    return OK;
}

static err check_statement(check *c, fault *f)
{
    tb_receipt *r = c->out;
    bytes view = c->parts.checked;
    if (view.len == 0)
        return OK;
    err e = chain_signed_read(&c->checked, &tb_checked_record, &r->checked, view, f);
    if (e != OK)
        return refuse(c, view, e, NULL, f);
    if (chain_signed_verify(&c->checked, &r->job.coordinator) != OK)
        return refuse(c, view, ERR_SIGNATURE, "checked.signature", f);
    const struct { bool holds; const char *what; } rules[] = {
        { r->checked.version == TB_CHECKED_VERSION, "checked.version" },
        { hash256_equal(&r->checked.lease, &c->lease.hash), "checked.lease" },
        { hash256_equal(&r->checked.attestation, &c->attestation.hash), "checked.attestation" },
        { (r->checked.sampled != 0) == r->sampled, "checked.sampled: the ledger's randomness says otherwise" },
        { !r->checked.proved || r->attestation.level == CHAIN_LEVEL_FULL, "checked.proved: there is no proof" },
    };
    for (size_t i = 0; i < COUNT_OF(rules); i++)
        if (!rules[i].holds)
            return refuse(c, view, ERR_RECEIPT, rules[i].what, f);
    r->has_checked = true;
    return OK;
}

static size_t count_votes(const hash256 *votes)
{
    size_t n = 0;
    for (size_t i = 0; i < sizeof votes->b; i++)
        n += (size_t)__builtin_popcount(votes->b[i]);
    return n;
}

/* That there is no row: shown, not left out. */
static err check_no_audit(const check *c, const chain_key *key, fault *f)
{
    smt_proof proof;
    bytes view = c->parts.audit_proof;
    err e = smt_proof_decode(&proof, view, f);
    if (e == OK)
        e = smt_verify(&proof, &c->out->header.state_root, CHAIN_TABLE_AUDIT, chain_key_bytes(key), NULL, f);
    return e == OK ? OK : refuse(c, view, e, NULL, f);
}

static err check_audit(check *c, fault *f)
{
    tb_receipt *r = c->out;
    const chain_row_audit *a = &r->audit;
    r->auditable = r->attestation.level == CHAIN_LEVEL_FULL;
    if (r->auditable != (c->parts.audit_proof.len != 0))
        return refuse(c, c->parts.attestation, ERR_RECEIPT, "receipt.audit", f);
    if (!r->auditable)
        return OK;
    chain_key key = chain_key_numbered(&r->lease.job, r->lease.lease_id);
    r->has_audit = c->parts.audit.len != 0;
    if (!r->has_audit)
        return check_no_audit(c, &key, f);
    TRY(check_row(c, c->parts.audit, c->parts.audit_proof, CHAIN_TABLE_AUDIT, &key, &r->audit, f));
    r->votes_valid = count_votes(&a->valid);
    r->votes_invalid = count_votes(&a->invalid);
    uint64_t first = chain_lease_first_block(&r->payment);
    const struct { bool holds; const char *what; } rules[] = {
        { a->status == CHAIN_AUDIT_OPEN || a->status == CHAIN_AUDIT_VALID || a->status == CHAIN_AUDIT_CLOSED,
          "audit.status: not one of a lease that is paid" },
        { a->open_height >= first && a->open_height <= r->header.height, "audit.open_height" },
        { (a->end_height == 0) == (a->status == CHAIN_AUDIT_OPEN), "audit.end_height" },
        { a->end_height == 0 || (a->end_height >= a->open_height && a->end_height <= r->header.height), "audit.end_height" },
        { a->status != CHAIN_AUDIT_VALID || r->votes_valid > 0, "audit.valid" },
    };
    for (size_t i = 0; i < COUNT_OF(rules); i++)
        if (!rules[i].holds)
            return refuse(c, c->parts.audit, ERR_RECEIPT, rules[i].what, f);
    return OK;
}

static err check_all(check *c, fault *f)
{
    TRY(tb_receipt_decode(&c->parts, c->file, f));
    TRY(check_header(c, f));
    TRY(check_lease(c, f));
    TRY(check_payment(c, f));
    TRY(check_sample(c, f));
    TRY(check_statement(c, f));
    return check_audit(c, f);
}

err tb_receipt_verify(tb_receipt *out, bytes file, const tb_trust *trust, fault *f)
{
    fault own = { 0 };
    check c = { .out = out, .file = file };
    *out = (tb_receipt){ .trust = *trust };
    err e = check_all(&c, &own);
    if (e == OK)
        return OK;
    /* A bound or a rule of the ledger that the file breaks: whatever its row says elsewhere, here the file is refused. */
    if (err_describe(e)->exit_code != err_describe(ERR_RECEIPT)->exit_code && e != ERR_MEMORY)
        e = ERR_RECEIPT;
    *out = (tb_receipt){ 0 };
    return fail(f, e, own.what, own.at);
}

err tb_receipt_load(tb_receipt *out, const char *path, const tb_trust *trust, fault *f)
{
    buf file;
    buf_init(&file, TB_RECEIPT_BYTES_MAX);
    err e = base_file_read(&file, path, f);
    if (e == ERR_LIMIT)
        e = fail(f, ERR_TRAILING, "receipt", TB_RECEIPT_BYTES_MAX);
    if (e == OK)
        e = tb_receipt_verify(out, buf_bytes(&file), trust, f);
    buf_deinit(&file);
    return e;
}

/* Votes of nobody, or a verdict of too few. */
static bool votes_fit(const tb_receipt *r, size_t validators)
{
    for (size_t i = validators; i < 8 * sizeof r->audit.valid.b; i++)
        if ((r->audit.valid.b[i / 8] | r->audit.invalid.b[i / 8]) >> (i % 8) & 1)
            return false;
    return r->audit.status != CHAIN_AUDIT_VALID || 3 * r->votes_valid > 2 * validators;
}

err tb_receipt_check_genesis(size_t *validators, const tb_receipt *r, bytes genesis, fault *f)
{
    cr_public_key issuers[64], producers[64];
    chain_genesis g = { .allocation_count = LIMIT_GENESIS_ACCOUNTS, .issuers = issuers, .issuer_count = COUNT_OF(issuers),
                        .producers = producers, .producer_count = COUNT_OF(producers) };
    hash256 hash = chain_genesis_hash(genesis);
    if (!hash256_equal(&hash, &r->trust.genesis))
        return fail(f, ERR_HASH, "genesis: not the network that you trust", 0);
    g.allocations = calloc(LIMIT_GENESIS_ACCOUNTS, sizeof *g.allocations);
    err e = g.allocations ? chain_genesis_decode(&g, genesis, f) : fail(f, ERR_MEMORY, "genesis", 0);
    free(g.allocations);
    TRY(e);
    bool found = false;
    for (size_t i = 0; i < g.producer_count; i++)
        found |= memcmp(&producers[i], &r->trust.producer, sizeof producers[i]) == 0;
    if (!found)
        return fail(f, ERR_RECEIPT, "genesis.producers: the key that you trust is not among them", 0);
    if (r->has_audit && !votes_fit(r, g.producer_count))
        return fail(f, ERR_RECEIPT, "genesis.producers: the audit has other votes", 0);
    *validators = g.producer_count;
    return chain_name_equal(&g.chain_id, &r->header.chain_id) ? OK : fail(f, ERR_RECEIPT, "header.chain_id: not the genesis' one", 0);
}
