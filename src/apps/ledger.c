/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/ledger.h"

#include "apps/settings.h"

#include "base/int.h"
#include "rpc/error.h"
#include "rpc/json.h"
#include "rpc/token.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { WAIT_PIECE_MS = 10000, RUN_WAIT_MS = 30000, RETRY_MS = 50 };

/* --- JSON --------------------------------------------------------------------------------------------------------------- */

err tb_json_string(const char **out, const json_t *object, const char *name, fault *f)
{
    *out = json_string_value(json_object_get(object, name));
    return *out ? OK : fail(f, ERR_FIELD, name, 0);
}

err tb_json_u64(uint64_t *out, const json_t *object, const char *name, fault *f)
{
    const json_t *v = json_object_get(object, name);
    if (json_is_integer(v) && json_integer_value(v) >= 0) {
        *out = (uint64_t)json_integer_value(v);
        return OK;
    }
    if (!json_is_string(v) || rpc_decimal_u64(out, json_string_value(v)) != OK)
        return fail(f, ERR_FIELD, name, 0);
    return OK;
}

err tb_json_hash(hash256 *out, const json_t *object, const char *name, fault *f)
{
    const char *text;
    TRY(tb_json_string(&text, object, name, f));
    return base_hex_decode(out->b, sizeof out->b, text) == OK ? OK : fail(f, ERR_FIELD, name, 0);
}

err tb_json_hex(bytes *out, uint8_t *buffer, size_t cap, const json_t *object, const char *name, fault *f)
{
    const char *text;
    TRY(tb_json_string(&text, object, name, f));
    size_t digits = strlen(text);
    if (digits % 2 || digits / 2 > cap || base_hex_decode(buffer, digits / 2, text) != OK)
        return fail(f, ERR_FIELD, name, digits);
    *out = bytes_of(buffer, digits / 2);
    return OK;
}

/* --- connection --------------------------------------------------------------------------------------------------------- */

err tb_ledger_call(tb_ledger *l, const char *method, json_t *params, uint32_t wait_ms, json_t **result, fault *f)
{
    *result = NULL;
    err e = params ? rpc_client_call_wait(l->client, method, params, wait_ms, result, f) : fail(f, ERR_MEMORY, method, 0);
    json_decref(params);
    return e;
}

static err read_status(tb_ledger *l, const json_t *status, fault *f)
{
    const char *chain_id, *prefix;
    TRY(tb_json_string(&chain_id, status, "chain_id", f));
    TRY(tb_json_string(&prefix, status, "address_prefix", f));
    TRY(tb_json_hash(&l->genesis, status, "genesis", f));
    TRY(tb_json_u64(&l->height, status, "height", f));
    TRY(tb_json_hash(&l->state_root, status, "state_root", f));
    if (chain_name_set(&l->chain_id, bytes_of_str(chain_id)) != OK)
        return fail(f, ERR_FIELD, "chain_id", 0);
    if (strlen(prefix) >= sizeof l->prefix)
        return fail(f, ERR_FIELD, "address_prefix", strlen(prefix));
    strcpy(l->prefix, prefix);
    return OK;
}

err tb_ledger_refresh(tb_ledger *l, fault *f)
{
    json_t *status;
    hash256 before = l->genesis;
    bool known = l->chain_id.len > 0;
    TRY(tb_ledger_call(l, "chain.status", json_object(), 0, &status, f));
    err e = read_status(l, status, f);
    json_decref(status);
    if (e == OK && known && !hash256_equal(&before, &l->genesis))
        e = fail(f, ERR_CHAIN_ID, "genesis", 0);
    return e;
}

static err connect_to(tb_ledger *l, const tb_ledger_options *o, const rpc_conf *conf, fault *f)
{
    char token[RPC_TOKEN_TEXT] = "";
    rpc_client_options options = { .stop = o->stop, .total_ms = conf->v[RPC_CONF_client_timeout_ms].number };
    const char *node = o->node && *o->node ? o->node : conf->v[RPC_CONF_client_endpoint].text;
    const char *file = o->token_file && *o->token_file ? o->token_file : conf->v[RPC_CONF_client_token].text;
    if (strncmp(node, "http:", 5) == 0) {
        TRY(rpc_token_load(token, file, f));
        options.token = token;
    }
    err e = rpc_client_new(&l->client, node, &options, f);
    cr_wipe(token, sizeof token);
    return e == OK ? tb_ledger_refresh(l, f) : e;
}

err tb_ledger_open(tb_ledger *l, const tb_home *home, const tb_ledger_options *options, fault *f)
{
    static const tb_ledger_options none;
    *l = (tb_ledger){ 0 };
    rpc_conf *conf = malloc(sizeof *conf);
    err e = conf ? tb_settings_load(conf, home, NULL, f) : fail(f, ERR_MEMORY, "settings", 0);
    if (e == OK)
        e = rpc_conf_resolve(conf, home->dir, f);
    if (e == OK)
        e = connect_to(l, options ? options : &none, conf, f);
    free(conf);
    if (e != OK)
        tb_ledger_close(l);
    return e;
}

void tb_ledger_close(tb_ledger *l)
{
    rpc_client_free(l->client);
    l->client = NULL;
}

static err read_params(tb_ledger *l, const json_t *rows, fault *f)
{
    size_t i, seen = 0;
    json_t *row;
    json_array_foreach(rows, i, row) {
        const char *key;
        TRY(tb_json_string(&key, row, "key", f));
        chain_param p = chain_param_by_key(key);
        if (p == CHAIN_PARAM_COUNT)
            continue; /* of a newer node; nothing here depends on it */
        TRY(tb_json_u64(&l->params.v[p], row, "value", f));
        seen++;
    }
    return seen == CHAIN_PARAM_COUNT ? OK : fail(f, ERR_FIELD, "params", seen);
}

err tb_ledger_params(tb_ledger *l, fault *f)
{
    json_t *result;
    TRY(tb_ledger_call(l, "params.list", json_object(), 0, &result, f));
    uint64_t tariff;
    err e = read_params(l, json_object_get(result, "params"), f);
    if (e == OK && (e = tb_json_u64(&tariff, result, "tariff", f)) == OK)
        l->tariff = tariff > INT64_MAX ? Q32_MAX : (q32)tariff;
    json_decref(result);
    return e;
}

static err read_account(tb_account *out, const json_t *result, fault *f)
{
    out->exists = json_is_true(json_object_get(result, "exists"));
    out->kyc = json_is_true(json_object_get(json_object_get(result, "kyc"), "valid"));
    TRY(tb_json_u64(&out->balance, result, "balance", f));
    return tb_json_u64(&out->nonce, result, "nonce", f);
}

err tb_ledger_account(tb_ledger *l, tb_account *out, const cr_address *address, fault *f)
{
    char text[CR_ADDRESS_TEXT_MAX];
    json_t *result;
    cr_address_encode(text, l->prefix, address);
    TRY(tb_ledger_call(l, "account.get", json_pack("{s:s}", "address", text), 0, &result, f));
    err e = read_account(out, result, f);
    json_decref(result);
    return e;
}

/* --- transactions ------------------------------------------------------------------------------------------------------- */

err tb_ledger_fill(tb_ledger *l, chain_tx *tx, const cr_public_key *sender, uint64_t blocks, fault *f)
{
    tb_account account;
    cr_address address = cr_address_of_key(sender);
    TRY(tb_ledger_refresh(l, f));
    TRY(tb_ledger_account(l, &account, &address, f));
    tx->chain_id = l->chain_id;
    tx->sender = *sender;
    tx->nonce = account.nonce;
    return checked_add_u64(&tx->expiry_height, l->height, blocks) == OK ? OK : fail(f, ERR_OVERFLOW, "expiry_height", blocks);
}

err tb_ledger_sign(const tb_ledger *l, chain_tx *tx, bytes *out, uint8_t *buffer, size_t cap, const cr_secret_key *secret,
                   hash256 *id, fault *f)
{
    /* The fee is in the bytes that it is charged for; a larger one is never shorter, so this climbs to a fixed point. */
    tx->fee_max = 0;
    for (;;) {
        uint64_t fee;
        TRY(chain_tx_sign(out, buffer, cap, tx, secret, id, f));
        if (mul_div_u64(&fee, l->params.v[CHAIN_PARAM_FEE_PER_BYTE], out->len, 1, ROUND_DOWN) != OK ||
            checked_add_u64(&fee, fee, l->params.v[CHAIN_PARAM_FEE_MIN]) != OK || checked_add_u64(&fee, fee, tx->tip) != OK)
            return fail(f, ERR_OVERFLOW, "fee", out->len);
        if (fee <= tx->fee_max)
            return OK;
        tx->fee_max = fee;
    }
}

static void sleep_ms(uint32_t ms)
{
    struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };
    nanosleep(&t, NULL);
}

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* What tx.submit and tx.get answer. */
static void read_outcome(tb_sent *out, const json_t *result)
{
    const char *outcome;
    out->outcome = TB_SENT_UNKNOWN;
    out->outrun = false;
    if (tb_json_string(&outcome, result, "outcome", NULL) != OK)
        return;
    if (strcmp(outcome, "ok") == 0)
        out->outcome = TB_SENT_DONE;
    else if (strcmp(outcome, "failed") == 0)
        out->outcome = TB_SENT_FAILED;
    else if (strcmp(outcome, "rejected") == 0)
        out->outcome = TB_SENT_REJECTED;
    if (tb_json_u64(&out->height, result, "height", NULL) != OK)
        out->height = 0;
    if (tb_json_u64(&out->fee, result, "fee", NULL) != OK)
        out->fee = 0;
    const json_t *error = json_object_get(result, "error");
    if (out->outcome == TB_SENT_FAILED || out->outcome == TB_SENT_REJECTED) {
        out->code = rpc_error_of_number(json_integer_value(json_object_get(error, "code")));
        const char *what = json_string_value(json_object_get(error, "what"));
        snprintf(out->what, sizeof out->what, "%s", what ? what : "");
        out->outrun = out->outcome == TB_SENT_REJECTED && out->code == ERR_NONCE;
    }
}

static bool is_transport(err e)
{
    return e == ERR_UNREACHABLE || e == ERR_TIMEOUT || e == ERR_BUSY;
}

static err submit_once(tb_ledger *l, tb_sent *out, const char *hex, uint32_t wait_ms, fault *f)
{
    json_t *result;
    err e = tb_ledger_call(l, "tx.submit", json_pack("{s:s, s:I}", "tx", hex, "wait_ms", (json_int_t)wait_ms), wait_ms, &result, f);
    if (e == OK) {
        read_outcome(out, result);
        json_decref(result);
        return OK;
    }
    const rpc_remote *remote = rpc_client_remote(l->client);
    if (is_transport(e) || remote->status == 0 || e == ERR_INTERRUPTED || e == ERR_PERMISSION)
        return e;
    out->outcome = TB_SENT_REJECTED;
    out->code = e;
    /* Of one that may have been taken before, the node only says that its nonce is used up: perhaps by itself. */
    out->outrun = out->outrun && (e == ERR_NONCE || e == ERR_DUPLICATE);
    snprintf(out->what, sizeof out->what, "%s", remote->what);
    return OK;
}

err tb_ledger_submit(tb_ledger *l, tb_sent *out, bytes tx, const hash256 *id, uint32_t wait_ms, fault *f)
{
    *out = (tb_sent){ .id = *id, .outcome = TB_SENT_UNKNOWN };
    char *hex = malloc(2 * tx.len + 1);
    if (!hex)
        return fail(f, ERR_MEMORY, "transaction", tx.len);
    base_hex_encode(hex, tx.data, tx.len);
    uint64_t end = now_ms() + wait_ms;
    bool maybe_sent = false;
    err e;
    for (;;) {
        uint64_t now = now_ms(), left = now < end ? end - now : 0;
        out->outrun = !maybe_sent;
        e = submit_once(l, out, hex, (uint32_t)(left < WAIT_PIECE_MS ? left : WAIT_PIECE_MS), f);
        maybe_sent |= e == OK || e == ERR_TIMEOUT;
        bool over = now_ms() >= end;
        if (e == OK ? out->outcome != TB_SENT_UNKNOWN || over : !is_transport(e) || over)
            break;
        if (e != OK)
            sleep_ms(RETRY_MS);
    }
    free(hex);
    return e != OK && is_transport(e) && maybe_sent ? OK : e;
}

/* One that waits has the nonce that the account gives: the next one comes with the next block. */
static err run_past_others(tb_ledger *l, tb_sent *out, chain_tx *tx, uint8_t *buffer, const cr_secret_key *secret, uint32_t wait_ms, fault *f)
{
    cr_public_key sender;
    hash256 id;
    bytes raw;
    memcpy(sender.b, secret->b + 32, sizeof sender.b);
    uint64_t end = now_ms() + wait_ms;
    for (;;) {
        uint64_t now = now_ms();
        TRY(tb_ledger_fill(l, tx, &sender, 120, f));
        TRY(tb_ledger_sign(l, tx, &raw, buffer, LIMIT_TX_SLASH_BYTES, secret, &id, f));
        TRY(tb_ledger_submit(l, out, raw, &id, now < end ? (uint32_t)(end - now) : 0, f));
        if (!out->outrun || now >= end)
            return OK;
        sleep_ms(RETRY_MS);
    }
}

err tb_ledger_run(tb_ledger *l, tb_sent *out, chain_tx *tx, const cr_secret_key *secret, uint32_t wait_ms, fault *f)
{
    uint8_t *buffer = malloc(LIMIT_TX_SLASH_BYTES);
    if (!buffer)
        return fail(f, ERR_MEMORY, "transaction", 0);
    err e = tb_ledger_params(l, f);
    if (e == OK)
        e = run_past_others(l, out, tx, buffer, secret, wait_ms ? wait_ms : RUN_WAIT_MS, f);
    free(buffer);
    if (e != OK)
        return e;
    switch (out->outcome) {
    case TB_SENT_DONE: return OK;
    case TB_SENT_FAILED: return fail(f, out->code, "transaction: included but failed", out->height);
    case TB_SENT_REJECTED: return fail(f, out->code, "transaction: rejected", 0);
    case TB_SENT_UNKNOWN: break;
    }
    return fail(f, ERR_TIMEOUT, "transaction: outcome unknown", 0);
}

const char *tb_outcome_name(tb_outcome o)
{
    static const char *const names[] = { [TB_SENT_DONE] = "ok", [TB_SENT_FAILED] = "failed", [TB_SENT_REJECTED] = "rejected",
                                         [TB_SENT_UNKNOWN] = "unknown" };
    return names[o];
}

int tb_sent_exit_code(const tb_sent *s)
{
    static const int codes[] = { [TB_SENT_DONE] = 0, [TB_SENT_FAILED] = 6, [TB_SENT_REJECTED] = 6, [TB_SENT_UNKNOWN] = 7 };
    return codes[s->outcome];
}

json_t *tb_sent_json(const tb_sent *s)
{
    json_t *o = json_pack("{s:o, s:s}", "id", rpc_json_hex(BYTES_OF(s->id)), "outcome", tb_outcome_name(s->outcome));
    if (s->height) {
        json_object_set_new(o, "height", rpc_json_u64(s->height));
        json_object_set_new(o, "fee_nblock", rpc_json_u64(s->fee));
    }
    if (s->outcome == TB_SENT_FAILED || s->outcome == TB_SENT_REJECTED) {
        const err_row *row = err_describe(s->code);
        json_object_set_new(o, "error", json_pack("{s:s, s:i, s:s, s:s}", "name", row->name, "code", (int)row->code, "text", row->text,
                                                  "what", s->what));
    }
    return o;
}

int tb_sent_report(const tb_cli *cli, err e, const tb_sent *s, const fault *f, const char *schema)
{
    bool answered = s->outcome == TB_SENT_FAILED || s->outcome == TB_SENT_REJECTED || (s->outcome == TB_SENT_UNKNOWN && e == ERR_TIMEOUT);
    if (e != OK && !answered)
        return tb_report(cli, e, "transaction", f); /* nothing was sent */
    if (cli->json) {
        json_t *o = tb_sent_json(s);
        json_object_set_new(o, "schema", json_string(schema));
        tb_print_json(o);
    } else if (e != OK) {
        fault told = *f;
        if (*s->what)
            told.what = s->what;
        tb_report(cli, e, tb_outcome_name(s->outcome), &told);
    } else {
        printf("done in block %llu\n", (unsigned long long)s->height);
    }
    return tb_sent_exit_code(s);
}

int tb_refusal_report(const tb_cli *cli, err e, const char *subject, const tb_sent *s, const fault *f)
{
    bool refused = (s->outcome == TB_SENT_FAILED || s->outcome == TB_SENT_REJECTED) && s->code == e;
    int code = tb_report(cli, e, refused ? tb_outcome_name(s->outcome) : subject, f);
    return refused ? tb_sent_exit_code(s) : code;
}

err tb_ledger_find_tx(tb_ledger *l, uint64_t height, err (*take)(void *ctx, bytes raw, fault *f), void *ctx, const char *what, fault *f)
{
    json_t *block, *tx;
    size_t i;
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)height);
    TRY(tb_ledger_call(l, "chain.block", json_pack("{s:s, s:b}", "height", text, "bodies", 1), 0, &block, f));
    err e = fail(f, ERR_NOT_FOUND, what, height);
    uint8_t *buffer = malloc(LIMIT_TX_SLASH_BYTES);
    if (!buffer)
        e = fail(f, ERR_MEMORY, "transaction", 0);
    json_array_foreach(json_object_get(block, "txs"), i, tx) {
        bytes raw;
        if (!buffer || e == OK || tb_json_hex(&raw, buffer, LIMIT_TX_SLASH_BYTES, tx, "bytes", NULL) != OK)
            continue;
        err found = take(ctx, raw, f);
        if (found != ERR_NOT_FOUND)
            e = found;
    }
    free(buffer);
    json_decref(block);
    return e;
}
