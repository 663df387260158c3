/* SPDX-License-Identifier: Apache-2.0
 *
 * `tb audit`: have the validators verify the proof of a lease, and see what they found (spec/audit.md). */
#include "apps/amount.h"
#include "apps/receipt.h"
#include "apps/train_ledger.h"
#include "apps/wallet.h"

#include "base/port/file.h"
#include "rpc/json.h"

#include <inttypes.h>
#include <stdio.h>

/* The lease in question, a node, and a key if one has to sign. */
typedef struct auditor {
    const tb_cli *cli;
    tb_home       home;
    tb_ledger     ledger;
    tb_wallet_key key;
    cr_secret_key secret;
    hash256       job;
    uint64_t      lease_id;
    buf           file;      /* the receipt, if there is one */
    uint8_t       copy[2 * 2048]; /* two of LIMIT_LEASE_BYTES */
    chain_receipt pair;      /* views of one of them */
} auditor;

static err auditor_open(auditor *a, bool sign, fault *f)
{
    tb_ledger_options options = { .node = tb_text(a->cli, "node"), .token_file = tb_text(a->cli, "token-file") };
    TRY(cr_ed25519_self_test());
    TRY(tb_home_find(&a->home, a->cli, f));
    if (sign)
        TRY(tb_wallet_find(&a->key, &a->home, tb_text(a->cli, "key"), f));
    TRY(tb_ledger_open(&a->ledger, &a->home, &options, f));
    return sign ? tb_wallet_unlock(&a->secret, &a->key, a->cli, &a->home, tb_text(a->cli, "key"), &a->ledger.chain_id, f) : OK;
}

static void auditor_close(auditor *a)
{
    tb_ledger_close(&a->ledger);
    cr_wipe(&a->secret, sizeof a->secret);
    buf_deinit(&a->file);
}

static err parse_lease(auditor *a, const char *job, const char *lease, fault *f)
{
    if (base_hex_decode(a->job.b, 32, job) != OK)
        return fail(f, ERR_USAGE, "JOB: 64 hex digits", 0);
    return rpc_decimal_u64(&a->lease_id, lease) == OK ? OK : fail(f, ERR_USAGE, "LEASE: a number", 0);
}

/* --- open --------------------------------------------------------------------------------------------------------------- */

/* The ledger compares what the file says with its own row, so its form is all that matters here. */
static err read_receipt(auditor *a, const char *path, fault *f)
{
    tb_receipt_parts parts;
    chain_lease lease;
    chain_signed s;
    buf_init(&a->file, TB_RECEIPT_BYTES_MAX);
    TRY(base_file_read(&a->file, path, f));
    TRY(tb_receipt_decode(&parts, buf_bytes(&a->file), f));
    TRY(chain_lease_decode(&lease, &s, parts.lease, f));
    a->job = lease.job;
    a->lease_id = lease.lease_id;
    a->pair = (chain_receipt){ .lease = parts.lease, .attestation = parts.attestation };
    return OK;
}

/* Lease and attestation from the block that brought them to the ledger. */
static err find_pair(auditor *a, fault *f)
{
    chain_row_lease row;
    chain_row_job job;
    chain_key key = chain_key_numbered(&a->job, a->lease_id), job_key = chain_key_job(&a->job);
    _Static_assert(sizeof a->copy == 2 * 2048, "two of LIMIT_LEASE_BYTES");
    TRY(tb_ledger_row(&a->ledger, &row, CHAIN_TABLE_LEASE, chain_key_bytes(&key), f));
    TRY(tb_ledger_row(&a->ledger, &job, CHAIN_TABLE_JOB, chain_key_bytes(&job_key), f));
    return tb_receipt_find(&a->pair, a->copy, &a->ledger, &row, &job.coordinator, chain_lease_first_block(&row), f);
}

static err consent(auditor *a, fault *f)
{
    char deposit[TB_AMOUNT_TEXT];
    TRY(tb_ledger_params(&a->ledger, f));
    tb_amount_format(deposit, a->ledger.params.v[CHAIN_PARAM_AUDIT_DEPOSIT]);
    if (!a->cli->json)
        fprintf(stderr, "deposit %s BLOCK from %s on %s, unless the lease is drawn; lost if the proof is valid\n", deposit, a->key.name,
                a->ledger.chain_id.text);
    return tb_consent(a->cli, "open it?", "not opened: no consent", f);
}

static err open_audit(auditor *a, tb_sent *sent, fault *f)
{
    const tb_cli *cli = a->cli;
    const char *job = tb_text(cli, "job"), *lease = tb_text(cli, "lease");
    if (cli->n_args ? *job || *lease : !*job || !*lease)
        return fail(f, ERR_USAGE, "a RECEIPT, or --job and --lease", 0);
    TRY(cli->n_args ? read_receipt(a, cli->args[0], f) : parse_lease(a, job, lease, f));
    TRY(auditor_open(a, true, f));
    if (!cli->n_args)
        TRY(find_pair(a, f));
    TRY(consent(a, f));
    chain_tx tx = { .type = CHAIN_TX_AUDIT_OPEN };
    tx.payload.audit_open = (chain_tx_audit_open){ .job = a->job, .lease = a->pair.lease, .attestation = a->pair.attestation };
    return tb_ledger_run(&a->ledger, sent, &tx, &a->secret, 0, f);
}

int cmd_audit_open(const tb_cli *cli)
{
    auditor a = { .cli = cli };
    tb_sent sent = { 0 };
    fault f = { 0 };
    err e = open_audit(&a, &sent, &f);
    int code = tb_sent_report(cli, e, &sent, &f, "tb-audit-open-1");
    if (e == OK && !cli->json) {
        char hex[65];
        base_hex_encode(hex, a.job.b, 32);
        fprintf(stderr, "what comes of it: tb audit show %s %" PRIu64 "\n", hex, a.lease_id);
    }
    auditor_close(&a);
    return code;
}

int cmd_audit_close(const tb_cli *cli)
{
    auditor a = { .cli = cli };
    tb_sent sent = { 0 };
    fault f = { 0 };
    chain_tx tx = { .type = CHAIN_TX_AUDIT_CLOSE };
    err e = parse_lease(&a, cli->args[0], cli->args[1], &f);
    if (e == OK)
        e = auditor_open(&a, true, &f);
    if (e == OK) {
        tx.payload.audit_close = (chain_tx_audit_close){ .job = a.job, .lease_id = a.lease_id };
        e = tb_ledger_run(&a.ledger, &sent, &tx, &a.secret, 0, &f);
    }
    auditor_close(&a);
    return tb_sent_report(cli, e, &sent, &f, "tb-audit-close-1");
}

/* --- show --------------------------------------------------------------------------------------------------------------- */

static const char *text_of(const json_t *o, const char *name)
{
    const char *text = json_string_value(json_object_get(o, name));
    return text ? text : "?";
}

static json_int_t count_of(const json_t *o, const char *name)
{
    return json_integer_value(json_object_get(o, name));
}

static void print_audit(const json_t *o)
{
    char deposit[TB_AMOUNT_TEXT];
    uint64_t amount = 0;
    const char *reason = json_string_value(json_object_get(o, "reason_name"));
    if (tb_json_u64(&amount, o, "deposit", NULL) != OK)
        amount = 0;
    tb_amount_format(deposit, amount);
    printf("job       %s\nlease     %s\nstatus    %s\nopened    in block %s by %s, ", text_of(o, "job"), text_of(o, "lease_id"),
           text_of(o, "status"), text_of(o, "open_height"), text_of(o, "opener"));
    if (json_is_true(json_object_get(o, "drawn")))
        printf("drawn by the ledger's randomness\n");
    else
        printf("a dispute with %s BLOCK\n", deposit);
    if (strcmp(text_of(o, "end_height"), "0") != 0)
        printf("ended     in block %s\n", text_of(o, "end_height"));
    printf("votes     %" JSON_INTEGER_FORMAT " valid, %" JSON_INTEGER_FORMAT " against, of %" JSON_INTEGER_FORMAT " validators\n",
           count_of(o, "votes_valid"), count_of(o, "votes_invalid"), count_of(o, "validators"));
    if (reason)
        printf("reason    %s\n", reason);
}

int cmd_audit_show(const tb_cli *cli)
{
    auditor a = { .cli = cli };
    fault f = { 0 };
    json_t *result = NULL;
    err e = parse_lease(&a, cli->args[0], cli->args[1], &f);
    if (e == OK)
        e = auditor_open(&a, false, &f);
    if (e == OK)
        e = tb_ledger_call(&a.ledger, "audit.get", json_pack("{s:s, s:o}", "job", cli->args[0], "lease_id", rpc_json_u64(a.lease_id)), 0, &result, &f);
    auditor_close(&a);
    if (e != OK)
        return tb_report(cli, e, "audit", &f);
    if (cli->json) {
        json_object_set_new(result, "schema", json_string("tb-audit-show-1"));
        tb_print_json(result);
        return 0;
    }
    print_audit(result);
    json_decref(result);
    return 0;
}

/* --- list --------------------------------------------------------------------------------------------------------------- */

/* All pages into one list. */
static err list_all(auditor *a, json_t *audits, fault *f)
{
    const char *status = tb_text(a->cli, "status");
    char cursor[64] = "0";
    for (bool more = true; more;) {
        json_t *page, *params = json_pack("{s:s}", "cursor", cursor);
        if (*status)
            json_object_set_new(params, "status", json_string(status));
        TRY(tb_ledger_call(&a->ledger, "audit.list", params, 0, &page, f));
        const char *next = json_string_value(json_object_get(page, "next"));
        more = next != NULL;
        snprintf(cursor, sizeof cursor, "%s", next ? next : "");
        bool good = json_array_extend(audits, json_object_get(page, "audits")) == 0;
        json_decref(page);
        if (!good)
            return fail(f, ERR_FIELD, "audits", 0);
    }
    return OK;
}

int cmd_audit_list(const tb_cli *cli)
{
    auditor a = { .cli = cli };
    fault f = { 0 };
    json_t *audits = json_array(), *one;
    size_t i;
    err e = auditor_open(&a, false, &f);
    if (e == OK)
        e = list_all(&a, audits, &f);
    auditor_close(&a);
    if (e != OK) {
        json_decref(audits);
        return tb_report(cli, e, "audits", &f);
    }
    if (cli->json) {
        tb_print_json(json_pack("{s:s, s:o}", "schema", "tb-audit-list-1", "audits", audits));
        return 0;
    }
    json_array_foreach(audits, i, one)
        printf("%s %s  %s, block %s, %" JSON_INTEGER_FORMAT " + %" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT " votes\n", text_of(one, "job"),
               text_of(one, "lease_id"), text_of(one, "status"), text_of(one, "open_height"), count_of(one, "votes_valid"),
               count_of(one, "votes_invalid"), count_of(one, "validators"));
    json_decref(audits);
    return 0;
}
