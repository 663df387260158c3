/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/train_ledger.h"

#include "apps/audit_http.h"
#include "apps/term.h"
#include "crypto/merkle.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    ROW_BYTES_MAX = 2048,
    POLL_MS = 4,           /* between two looks for a block */
    BLOCK_WAIT_MS = 30000,
    SUBMIT_WAIT_MS = 30000,
    NODE_WAIT_MS = 30000,  /* for a node that does not answer */
    HEIGHT_AGE_MS = 100,   /* an answer this fresh is not asked for again */
};

err tb_train_ledger_open(tb_train_ledger *l, const tb_home *home, const tb_ledger_options *options, const cr_secret_key *buyer, fault *f)
{
    *l = (tb_train_ledger){ .buyer = *buyer };
    pthread_mutex_init(&l->lock, NULL);
    err e = tb_ledger_open(&l->main, home, options, f);
    if (e == OK)
        e = tb_ledger_params(&l->main, f);
    if (e == OK)
        e = tb_ledger_open(&l->quick, home, options, f);
    if (e != OK)
        tb_train_ledger_close(l);
    return e;
}

void tb_train_ledger_close(tb_train_ledger *l)
{
    tb_ledger_close(&l->main);
    tb_ledger_close(&l->quick);
    cr_wipe(&l->buyer, sizeof l->buyer);
    pthread_mutex_destroy(&l->lock);
}

static const char *table_name(chain_table table)
{
    static const char *const names[] = {
#define ROW_BEGIN(ID, number, name, module, key_len, doc) [number] = #name,
#define FIELD(record, type, field, max, doc)
#define ROW_END(ID, name)
#include "chain/rows.def"
#undef ROW_BEGIN
#undef FIELD
#undef ROW_END
    };
    return names[table];
}

err tb_ledger_row(tb_ledger *l, void *row, chain_table table, bytes key, fault *f)
{
    char hex[2 * CHAIN_KEY_MAX + 1];
    base_hex_encode(hex, key.data, key.len);
    json_t *result = NULL;
    TRY(tb_ledger_call(l, "proof.get", json_pack("{s:s, s:s}", "table", table_name(table), "key", hex), 0, &result, f));
    err e = ERR_NOT_FOUND;
    if (!json_is_null(json_object_get(result, "value"))) {
        uint8_t buffer[ROW_BYTES_MAX];
        bytes value;
        e = tb_json_hex(&value, buffer, sizeof buffer, result, "value", f);
        if (e == OK)
            e = chain_record_decode_all(value, chain_table_describe(table)->record, row, f);
    }
    json_decref(result);
    return e == ERR_NOT_FOUND ? fail(f, e, table_name(table), 0) : e;
}

static void rest(void)
{
    nanosleep(&(struct timespec){ .tv_nsec = POLL_MS * 1000000L }, NULL);
}

/* A node that is started again is waited for: the job goes on where it was. */
static bool may_come_back(err e, double start)
{
    return (e == ERR_UNREACHABLE || e == ERR_TIMEOUT || e == ERR_BUSY) && (term_now() - start) * 1000 < NODE_WAIT_MS;
}

static err get_height(void *ctx, uint64_t *out)
{
    tb_train_ledger *l = ctx;
    pthread_mutex_lock(&l->lock);
    err e = OK;
    double start = term_now();
    if ((start - l->height_at) * 1000 > HEIGHT_AGE_MS) {
        while (may_come_back(e = tb_ledger_refresh(&l->quick, NULL), start))
            rest();
        l->height_at = term_now();
    }
    *out = l->quick.height;
    pthread_mutex_unlock(&l->lock);
    return e;
}

static err get_row(tb_train_ledger *l, void *row, chain_table table, const chain_key *key)
{
    double start = term_now();
    for (;;) {
        err e = tb_ledger_row(&l->main, row, table, chain_key_bytes(key), NULL);
        if (!may_come_back(e, start))
            return e;
        rest();
    }
}

static err get_job(void *ctx, const hash256 *job, chain_row_job *out)
{
    chain_key key = chain_key_job(job);
    return get_row(ctx, out, CHAIN_TABLE_JOB, &key);
}

static err get_lease(void *ctx, const hash256 *job, uint64_t lease_id, chain_row_lease *out)
{
    chain_key key = chain_key_numbered(job, lease_id);
    return get_row(ctx, out, CHAIN_TABLE_LEASE, &key);
}

static err submit(void *ctx, const chain_tx *tx, uint64_t *height, fault *f)
{
    tb_train_ledger *l = ctx;
    chain_tx filled = *tx;
    l->sent = (tb_sent){ 0 };
    err e = tb_ledger_run(&l->main, &l->sent, &filled, &l->buyer, SUBMIT_WAIT_MS, f);
    *height = l->sent.height;
    return e;
}

/* Whether this transaction opens that leaf of the lease (it may have failed: the hash says what counts): then it is appended. */
typedef struct opening_search {
    const hash256 *job, *hash;
    uint64_t       lease_id;
    buf           *leaf;
} opening_search;

static err take_opening(void *ctx, bytes raw, fault *f)
{
    const opening_search *s = ctx;
    chain_tx tx;
    const chain_tx_trace_open *p = &tx.payload.trace_open;
    (void)f;
    if (chain_tx_decode(&tx, raw, NULL) != OK || tx.type != CHAIN_TX_TRACE_OPEN || p->lease_id != s->lease_id || !hash256_equal(&p->job, s->job))
        return ERR_NOT_FOUND;
    hash256 h = cr_merkle_leaf(&cr_merkle_blake3, p->tile);
    return hash256_equal(&h, s->hash) ? buf_put(s->leaf, p->tile.data, p->tile.len) : ERR_NOT_FOUND;
}

static err get_opened(void *ctx, const hash256 *job, uint64_t lease_id, uint64_t height, const hash256 *hash, buf *leaf,
                      fault *f)
{
    tb_train_ledger *l = ctx;
    opening_search s = { job, hash, lease_id, leaf };
    return tb_ledger_find_tx(&l->main, height, take_opening, &s, "trace_open in its block", f);
}

static err get_randomness(void *ctx, uint64_t height, hash256 *out, fault *f)
{
    tb_train_ledger *l = ctx;
    chain_key key = chain_key_height(height + 1);
    for (double start = term_now(); (term_now() - start) * 1000 < BLOCK_WAIT_MS;) {
        chain_row_beacon beacon;
        err e = get_row(l, &beacon, CHAIN_TABLE_BEACON, &key);
        static const hash256 none; /* the row stands empty until its block comes */
        if (e == OK && !hash256_equal(&beacon.randomness, &none)) {
            *out = beacon.randomness;
            return OK;
        }
        if (e != OK && e != ERR_NOT_FOUND)
            return fail(f, e, "block after height", height);
        rest();
    }
    return fail(f, ERR_TIMEOUT, "block after height", height);
}

static err get_audit(void *ctx, const hash256 *job, uint64_t lease_id, chain_row_audit *out)
{
    chain_key key = chain_key_numbered(job, lease_id);
    return get_row(ctx, out, CHAIN_TABLE_AUDIT, &key);
}

/* One call for as many leases as it takes. */
static err ask_audits(tb_train_ledger *l, const hash256 *job, uint8_t *status, const uint64_t *lease_ids, size_t count)
{
    char *hex = malloc(2 * 8 * count + 1), name[65];
    json_t *result = NULL;
    bytes states;
    if (!hex)
        return ERR_MEMORY;
    for (size_t i = 0; i < count; i++) {
        uint8_t id[8];
        store_be64(id, lease_ids[i]);
        base_hex_encode(hex + 16 * i, id, 8);
    }
    base_hex_encode(name, job->b, 32);
    err e = tb_ledger_call(&l->main, "audit.states", json_pack("{s:s, s:s}", "job", name, "leases", hex), 0, &result, NULL);
    free(hex);
    if (e == OK)
        e = tb_json_hex(&states, status, count, result, "states", NULL);
    json_decref(result);
    return e == OK && states.len != count ? ERR_TRUNCATED : e;
}

static err get_audits(void *ctx, const hash256 *job, uint8_t *status, const uint64_t *lease_ids, size_t count)
{
    double start = term_now();
    for (size_t at = 0; at < count;) {
        size_t n = count - at < LIMIT_AUDIT_STATES ? count - at : (size_t)LIMIT_AUDIT_STATES;
        err e = ask_audits(ctx, job, status + at, lease_ids + at, n);
        if (e == OK)
            at += n;
        else if (!may_come_back(e, start))
            return e;
        else
            rest();
    }
    return OK;
}

/* A solo network has one validator: the node. */
static err show(void *ctx, const tr_push *p, uint64_t *have, bool *complete, fault *f)
{
    tb_train_ledger *l = ctx;
    return tb_audit_call(l->main.client, p, have, complete, f);
}

tr_ledger tb_train_ledger_face(tb_train_ledger *l)
{
    return (tr_ledger){ .ctx = l, .height = get_height, .job = get_job, .lease = get_lease, .submit = submit, .opened = get_opened,
                        .randomness = get_randomness, .audit = get_audit, .audits = get_audits, .show = show,
                        .audit_window = l->main.params.v[CHAIN_PARAM_AUDIT_WINDOW],
                        .audit_reopen_window = chain_audit_reopen_window(&l->main.params), .open_window = l->main.params.v[CHAIN_PARAM_OPEN_WINDOW],
                        .claim_delay = l->main.params.v[CHAIN_PARAM_CLAIM_DELAY] };
}
