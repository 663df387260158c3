/* SPDX-License-Identifier: Apache-2.0
 *
 * What an arbiter reads in blocks, and what it sends. */
#include "base/limits.h"
#include "engine/arbiter_int.h"
#include "engine/block.h"

#include <stdlib.h>

enum { EXPIRY_BLOCKS = 64, SEND_WAIT_MS = 10000, TIP = 0 };

typedef struct wanted {
    const chain_row_lease *row;
    cr_public_key          coordinator;
} wanted;

/* Appends the pair if it is the row's. */
static bool take_pair(const chain_receipt *r, const wanted *w, buf *out, size_t *lease_len)
{
    *lease_len = r->lease.len;
    return chain_receipt_is(r, &w->row->lease_hash, &w->row->attestation_hash, &w->coordinator) &&
           buf_put(out, r->lease.data, r->lease.len) == OK && buf_put(out, r->attestation.data, r->attestation.len) == OK;
}

static bool take_of_tx(bytes raw, const wanted *w, buf *out, size_t *lease_len)
{
    chain_tx tx;
    chain_receipt items[64]; /* LIMIT_TX_ITEMS */
    size_t count = 0;
    if (chain_tx_decode(&tx, raw, NULL) != OK)
        return false;
    const chain_tx_audit_open *open = &tx.payload.audit_open;
    if (tx.type == CHAIN_TX_AUDIT_OPEN)
        return take_pair(&(chain_receipt){ open->lease, open->attestation }, w, out, lease_len);
    if (tx.type != CHAIN_TX_TRACE_COMMIT && tx.type != CHAIN_TX_RECEIPT_PAY)
        return false;
    bytes list = tx.type == CHAIN_TX_TRACE_COMMIT ? tx.payload.trace_commit.traces : tx.payload.receipt_pay.receipts;
    if (chain_receipts_decode(items, &count, list, NULL) != OK)
        return false;
    for (size_t i = 0; i < count; i++)
        if (take_pair(&items[i], w, out, lease_len))
            return true;
    return false;
}

static bool find_coordinator(eng_arbiter *a, wanted *w, const hash256 *id)
{
    const chain_row_job *job = chain_job(eng_solo_read_begin(a->engine), id);
    if (job)
        w->coordinator = job->coordinator;
    eng_solo_read_end(a->engine);
    return job != NULL;
}

err arbiter_find_receipt(eng_arbiter *a, uint64_t height, const hash256 *job, const chain_row_lease *row, buf *out, size_t *lease_len, fault *f)
{
    buf raw;
    eng_block block;
    bool found = false;
    wanted w = { .row = row };
    if (!find_coordinator(a, &w, job))
        return fail(f, ERR_NOT_FOUND, "audit.job", height);
    bytes *txs = malloc((size_t)LIMIT_BLOCK_TXS * sizeof *txs);
    if (!txs)
        return fail(f, ERR_MEMORY, "audit.block", height);
    block.txs = txs;
    buf_init(&raw, (size_t)LIMIT_LOG_RECORD_BYTES);
    err e = eng_solo_block(a->engine, &raw, height, f);
    if (e == OK)
        e = eng_block_decode(&block, buf_bytes(&raw), (size_t)LIMIT_BLOCK_TXS, f);
    for (size_t i = 0; e == OK && i < block.tx_count && !found; i++)
        found = take_of_tx(block.txs[i], &w, out, lease_len);
    free(txs);
    buf_deinit(&raw);
    if (e != OK)
        return e;
    return found ? OK : fail(f, ERR_NOT_FOUND, "audit.block", height);
}

void arbiter_tell(const eng_arbiter *a, eng_arbiter_event_kind kind, const hash256 *job, uint64_t lease_id, err code, const char *what)
{
    const eng_arbiter_event e = { .kind = kind, .job = *job, .lease_id = lease_id, .code = code, .what = what };
    if (a->options.on_event)
        a->options.on_event(a->options.event_ctx, &e);
}

uint64_t arbiter_height(const eng_arbiter *a)
{
    uint64_t out = chain_head(eng_solo_read_begin(a->engine))->height;
    eng_solo_read_end(a->engine);
    return out;
}

/* Sender, nonce, expiry and fee. */
static err fill(eng_arbiter *a, chain_tx *tx, fault *f)
{
    uint64_t base, total;
    const chain *c = eng_solo_read_begin(a->engine);
    const chain_row_account *account = chain_account(c, &a->address);
    tx->chain_id = a->chain_id;
    tx->sender = a->key;
    tx->nonce = account ? account->nonce : 0;
    tx->expiry_height = chain_head(c)->height + EXPIRY_BLOCKS;
    tx->tip = TIP;
    err e = chain_fee(c, &base, &total, tx, (size_t)LIMIT_TX_BYTES);
    eng_solo_read_end(a->engine);
    if (e != OK)
        return fail(f, e, "fee", 0);
    tx->fee_max = total; /* of the longest: what is paid is by length */
    return account ? OK : fail(f, ERR_FUNDS, "the validator's account", 0);
}

err arbiter_send(eng_arbiter *a, chain_tx *tx, fault *f)
{
    hash256 id;
    bytes   raw;
    eng_tx_result result;
    uint8_t *buffer = malloc((size_t)LIMIT_TX_BYTES);
    if (!buffer)
        return fail(f, ERR_MEMORY, "transaction", 0);
    err e = fill(a, tx, f);
    if (e == OK)
        e = chain_tx_sign(&raw, buffer, (size_t)LIMIT_TX_BYTES, tx, &a->secret, &id, f);
    if (e == OK)
        e = eng_solo_submit(a->engine, &id, raw, f);
    free(buffer);
    if (e != OK && e != ERR_DUPLICATE)
        return e;
    e = eng_solo_wait(a->engine, &result, &id, SEND_WAIT_MS);
    if (e != OK)
        return fail(f, e, "transaction", 0);
    return result.code == OK ? OK : fail(f, result.code, result.what, result.height);
}
