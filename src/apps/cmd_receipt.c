/* SPDX-License-Identifier: Apache-2.0
 *
 * `tb receipt`: make one from a running node, verify one anywhere. */
#include "apps/amount.h"
#include "apps/bundle.h"
#include "apps/job_spec.h"

#include "base/port/file.h"
#include "rpc/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Three lists of sentences: what this run established, what others say, what nobody here looked at. */
typedef struct findings {
    json_t *checked, *stated, *unchecked;
} findings;

static void note(json_t *list, const char *text)
{
    json_array_append_new(list, json_string(text));
}

/* What the bundle shows. */
static void find_in_bundle(findings *f, const tb_receipt *r, const tb_recheck *again)
{
    char text[400];
    note(f->checked, "the model file gives the lease's model id, the tokens the job's data set id and the lease's tokens root");
    if (again->computed && r->attestation.result == CHAIN_RESULT_RANGE)
        note(f->checked, "computing the lease again ends at the attested element outside its domain");
    else if (again->computed)
        note(f->checked, r->attestation.level == CHAIN_LEVEL_FULL ? "computing the lease again gives the attested gradient and loss, bit for bit"
                                                                  : "computing the lease again gives the attested gradient, loss and trace root, bit for bit");
    if (again->proved) {
        const chain_attestation *a = &r->attestation;
        if (a->result == CHAIN_RESULT_RANGE)
            snprintf(text, sizeof text, "the proof verifies: RANGE, element %" PRIu64 " of tensor %" PRIu32 " (layer %" PRIu32 ", slot %" PRIu32
                     ") of sequence %" PRIu64 " leaves its domain, and no check of an earlier tensor fails; %u bits of soundness, proven bounds",
                     a->range_index, a->range_tensor, a->range_tensor / 64, a->range_tensor % 64, a->range_sequence, again->proof.soundness.bits);
        else
            snprintf(text, sizeof text, "the proof verifies: gradient and loss are those of this model on these tokens; %u bits of soundness, proven bounds",
                     again->proof.soundness.bits);
        note(f->checked, text);
        note(f->unchecked, "not proved: that the fractions follow from the calibration rule, and the optimiser's update");
    }
    if (r->attestation.level == CHAIN_LEVEL_FULL)
        note(f->unchecked, "the trace root, which nothing that is proved depends on");
}

/* "2 validators", or "2 of 3 validators" if the genesis document says how many there are. */
static const char *say_validators(char out[64], size_t votes, size_t validators)
{
    if (validators)
        snprintf(out, 64, "%zu of %zu validators", votes, validators);
    else
        snprintf(out, 64, "%zu validator%s", votes, votes == 1 ? "" : "s");
    return out;
}

/* What the ledger says about an audit: whose word that is. */
static void find_audit(findings *f, const tb_receipt *r, size_t validators)
{
    char text[200], who[64];
    if (!r->auditable)
        return;
    if (!r->has_audit) {
        note(f->checked, "nobody audited the lease up to this block: no audit of it stands under the header's state root");
        return;
    }
    switch (r->audit.status) {
    case CHAIN_AUDIT_VALID:
        snprintf(text, sizeof text, "%s: they verified the proof; the ledger ended the audit as valid in block %" PRIu64,
                 say_validators(who, r->votes_valid, validators), r->audit.end_height);
        note(f->stated, text);
        break;
    case CHAIN_AUDIT_OPEN:
        snprintf(text, sizeof text, "an audit is open since block %" PRIu64 ": %s call the proof valid, %zu do not", r->audit.open_height,
                 say_validators(who, r->votes_valid, validators), r->votes_invalid);
        note(f->unchecked, text);
        break;
    default:
        snprintf(text, sizeof text, "an audit ended in block %" PRIu64 " without a verdict of the validators", r->audit.end_height);
        note(f->unchecked, text);
    }
}

/* `validators`: how many the genesis document names; 0: it was not given. */
static findings find_out(const tb_receipt *r, const tb_recheck *again, size_t validators)
{
    findings f = { json_array(), json_array(), json_array() };
    note(f.checked, "the file is canonical, and every byte of it is bound by a signature or a hash");
    note(f.checked, "the block header is signed by the producer that you trust");
    note(f.checked, "the payment and the job stand under the header's state root");
    note(f.checked, "the lease is signed by the job's coordinator, the attestation by the worker that was paid");
    if (r->drawable)
        note(f.checked, r->sampled ? "the ledger's randomness drew this lease for re-execution (recomputed)"
                                   : "the ledger's randomness did not draw this lease for re-execution (recomputed)");
    if (again)
        find_in_bundle(&f, r, again);
    if (r->has_checked) {
        note(f.stated, r->checked.hashes ? "coordinator: the gradient that went into the sum has the attested hash"
                                         : "coordinator: it did not compare the gradient with the attested hash");
        note(f.stated, r->checked.executed ? "coordinator: it computed the lease again and found the same gradient and trace root"
                                           : "coordinator: it did not compute the lease again");
        if (r->attestation.level == CHAIN_LEVEL_FULL)
            note(f.stated, r->checked.proved ? "coordinator: it verified the proof before the gradient went into the sum" : "coordinator: it did not verify the proof");
    }
    find_audit(&f, r, validators);
    if (!again)
        note(f.unchecked, "model, tokens and gradient were not looked at (--bundle DIR does)");
    if (!r->has_checked)
        note(f.unchecked, "whether the coordinator looked at the gradient: the receipt has no statement of it");
    if (r->attestation.level == CHAIN_LEVEL_FULL && !again)
        note(f.unchecked, "the proof was not looked at (--bundle DIR does)");
    if (r->attestation.level == CHAIN_LEVEL_REFEREED && !again)
        note(f.unchecked, "level refereed: there is no proof of the computation, only the worker's commitment and the sample");
    if (validators)
        note(f.checked, "the genesis document has the trusted hash and names the trusted key as a producer");
    note(f.unchecked, validators ? "what happened after this block" : "that the trusted key may produce blocks of this network (--genesis FILE does), and what happened after this block");
    return f;
}

static void print_list(const char *title, const json_t *list)
{
    size_t i;
    json_t *line;
    if (json_array_size(list))
        printf("%s\n", title);
    json_array_foreach(list, i, line)
        printf("  - %s\n", json_string_value(line));
}

/* "none", or the audit's status. */
static const char *audit_name(const tb_receipt *r)
{
    static const char *const names[] = { [CHAIN_AUDIT_OPEN] = "open", [CHAIN_AUDIT_VALID] = "valid", [CHAIN_AUDIT_CLOSED] = "closed" };
    return r->has_audit ? names[r->audit.status] : "none"; /* a receipt with another status does not hold */
}

static json_t *audit_json(const tb_receipt *r)
{
    if (!r->auditable)
        return json_null();
    if (!r->has_audit)
        return json_pack("{s:s}", "status", audit_name(r));
    return json_pack("{s:s, s:b, s:o, s:o, s:i, s:i}", "status", audit_name(r), "drawn", (int)(r->audit.deposit == 0), "open_height",
                     rpc_json_u64(r->audit.open_height), "end_height", rpc_json_u64(r->audit.end_height), "votes_valid", (int)r->votes_valid,
                     "votes_invalid", (int)r->votes_invalid);
}

static json_t *facts_json(const tb_receipt *r)
{
    char worker[CR_ADDRESS_TEXT_MAX], owner[CR_ADDRESS_TEXT_MAX];
    cr_address_encode(worker, "tb", &r->worker);
    cr_address_encode(owner, "tb", &r->job.owner);
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:b, s:o}",
                     "schema", "tb-receipt-verify-1", "chain_id", r->header.chain_id.text, "genesis", rpc_json_hex(BYTES_OF(r->trust.genesis)),
                     "height", rpc_json_u64(r->header.height), "block", rpc_json_hex(BYTES_OF(r->block_hash)), "job",
                     rpc_json_hex(BYTES_OF(r->lease.job)), "lease_id", rpc_json_u64(r->lease.lease_id), "step", rpc_json_u64(r->lease.step),
                     "from", rpc_json_u64(r->lease.from), "to", rpc_json_u64(r->lease.to), "level", tb_level_name(r->attestation.level), "worker",
                     worker, "buyer", owner, "model", rpc_json_hex(BYTES_OF(r->lease.model)), "gradient",
                     rpc_json_hex(BYTES_OF(r->attestation.gradient)), "trace_root", rpc_json_hex(BYTES_OF(r->attestation.trace_root)),
                     "dataset", rpc_json_hex(BYTES_OF(r->job.dataset_manifest_cid)), "gross_nblock", rpc_json_u64(r->payment.gross),
                     "tariff_nblock", rpc_json_u64(r->payment.tariff), "paid_height", rpc_json_u64(r->payment.settle_height), "sampled",
                     (int)r->sampled, "re_executed_by_coordinator", (int)(r->has_checked && r->checked.executed), "audit",
                     audit_json(r));
}

static void print_audit(const tb_receipt *r, size_t validators)
{
    char who[64];
    if (r->has_audit && r->audit.status == CHAIN_AUDIT_VALID)
        printf("audited   valid, by %s\n", say_validators(who, r->votes_valid, validators));
    else if (r->has_audit)
        printf("audited   %s\n", r->audit.status == CHAIN_AUDIT_OPEN ? "not yet: an audit is open" : "without a verdict");
    else if (r->auditable)
        printf("audited   by nobody\n");
}

static void print_facts(const tb_receipt *r, size_t validators)
{
    char worker[CR_ADDRESS_TEXT_MAX], gross[TB_AMOUNT_TEXT], tariff[TB_AMOUNT_TEXT], hex[4][65];
    cr_address_encode(worker, "tb", &r->worker);
    tb_amount_format(gross, r->payment.gross);
    tb_amount_format(tariff, r->payment.tariff);
    base_hex_encode(hex[0], r->lease.job.b, 32);
    base_hex_encode(hex[1], r->lease.model.b, 32);
    base_hex_encode(hex[2], r->attestation.gradient.b, 32);
    base_hex_encode(hex[3], r->attestation.trace_root.b, 32);
    printf("receipt holds: %s, state of block %" PRIu64 "\n", r->header.chain_id.text, r->header.height);
    printf("job       %s\nlease     %" PRIu64 ", step %" PRIu64 ", sequences %" PRIu64 " to %" PRIu64 "\nmodel     %s\n", hex[0],
           r->lease.lease_id, r->lease.step, r->lease.from, r->lease.to - 1, hex[1]);
    printf("worker    %s\ngradient  %s\ntrace     %s\n", worker, r->attestation.result == CHAIN_RESULT_RANGE ? "none: RANGE" : hex[2], hex[3]);
    printf("paid      %s BLOCK in block %" PRIu64 ", of it %s to the treasury\nlevel     %s\n", gross, r->payment.settle_height, tariff,
           tb_level_name(r->attestation.level));
    print_audit(r, validators);
}

static void show(const tb_cli *cli, const tb_receipt *r, const tb_recheck *again, size_t validators)
{
    findings f = find_out(r, again, validators);
    if (cli->json) {
        json_t *o = facts_json(r);
        json_object_set(o, "checked", f.checked);
        json_object_set(o, "stated_by_others", f.stated);
        json_object_set(o, "not_checked", f.unchecked);
        tb_print_json(o);
    } else {
        print_facts(r, validators);
        print_list("checked here", f.checked);
        print_list("said by others, with their signature", f.stated);
        print_list("NOT checked", f.unchecked);
    }
    json_decref(f.checked);
    json_decref(f.stated);
    json_decref(f.unchecked);
}

static err check_genesis(size_t *validators, const tb_receipt *r, const char *path, fault *f)
{
    buf file;
    buf_init(&file, LIMIT_GENESIS_BYTES);
    err e = base_file_read(&file, path, f);
    if (e == OK)
        e = tb_receipt_check_genesis(validators, r, buf_bytes(&file), f);
    buf_deinit(&file);
    return e;
}

int cmd_receipt_verify(const tb_cli *cli)
{
    tb_trust trust;
    tb_receipt r;
    tb_recheck again;
    size_t validators = 0;
    fault f = { 0 };
    const char *bundle = tb_text(cli, "bundle"), *genesis = tb_text(cli, "genesis"), *path = cli->args[0];
    uint64_t threads = tb_uint(cli, "threads");
    err e = !*tb_text(cli, "trust") ? fail(&f, ERR_USAGE, "--trust GENESIS_HASH:KEY is missing", 0) : tb_trust_parse(&trust, tb_text(cli, "trust"), &f);
    if (e == OK && threads > 1024)
        e = fail(&f, ERR_USAGE, "threads", threads);
    if (e == OK)
        e = cr_ed25519_self_test();
    if (e == OK)
        e = tb_receipt_load(&r, path, &trust, &f);
    if (e == OK && *genesis)
        e = check_genesis(&validators, &r, genesis, &f);
    if (e == OK && *bundle)
        e = tb_receipt_recheck(&again, &r, bundle, (unsigned)threads, &f);
    if (e != OK)
        return tb_report(cli, e, path, &f);
    show(cli, &r, *bundle ? &again : NULL, validators);
    return 0;
}

int cmd_receipt_make(const tb_cli *cli)
{
    tb_home home;
    tb_ledger l = { 0 };
    tb_receipt r;
    hash256 job;
    uint64_t lease_id;
    char path[TB_PATH_MAX];
    fault f = { 0 };
    tb_ledger_options options = { .node = tb_text(cli, "node"), .token_file = tb_text(cli, "token-file") };
    err e = cr_ed25519_self_test();
    if (e == OK && base_hex_decode(job.b, 32, cli->args[0]) != OK)
        e = fail(&f, ERR_USAGE, "JOB: 64 hex digits", 0);
    if (e == OK && rpc_decimal_u64(&lease_id, cli->args[1]) != OK)
        e = fail(&f, ERR_USAGE, "LEASE: a number", 0);
    if (e == OK)
        e = tb_home_find(&home, cli, &f);
    if (e == OK)
        e = tb_ledger_open(&l, &home, &options, &f);
    if (e == OK) {
        if (*tb_text(cli, "out"))
            snprintf(path, sizeof path, "%s", tb_text(cli, "out"));
        else
            snprintf(path, sizeof path, "receipt-%.16s-%" PRIu64 ".cbor", cli->args[0], lease_id);
        e = tb_receipt_write(&r, path, &l, &job, lease_id, NULL, NULL, &f);
    }
    tb_ledger_close(&l);
    if (e != OK)
        return tb_report(cli, e, "receipt", &f);
    char genesis[65], key[65];
    base_hex_encode(genesis, r.trust.genesis.b, 32);
    base_hex_encode(key, r.trust.producer.b, 32);
    if (cli->json)
        tb_print_json(json_pack("{s:s, s:s, s:s, s:s}", "schema", "tb-receipt-make-1", "file", path, "genesis", genesis, "producer_key", key));
    else
        printf("%s\ncheck it: tb receipt verify %s --trust %s:%s\n", path, path, genesis, key);
    return 0;
}
