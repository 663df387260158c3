/* SPDX-License-Identifier: Apache-2.0
 * One transaction: whether it may stand in a block, what it costs, and the dispatch to its type. */
#include "chain/chain_int.h"

err chain_fee(const chain *c, uint64_t *base, uint64_t *total, const chain_tx *tx, size_t encoded_len)
{
    uint64_t by_size, sum;
    TRY(checked_mul_u64(&by_size, param(c, CHAIN_PARAM_FEE_PER_BYTE), encoded_len));
    TRY(checked_add_u64(&sum, by_size, param(c, CHAIN_PARAM_FEE_MIN)));
    TRY(checked_add_u64(total, sum, tx->tip));
    *base = sum;
    return OK;
}

static err check_nonce(uint64_t nonce, uint64_t next, uint64_t window, fault *f)
{
    if (nonce < next || nonce - next >= window)
        return fail(f, ERR_NONCE, "tx.nonce", next);
    return OK;
}

err chain_exec_admit(const chain *c, chain_admission *out, const chain_tx *tx, size_t len, uint64_t height, uint64_t nonce_window,
                     bool signature_known, fault *f)
{
    if (!chain_name_equal(&tx->chain_id, &c->genesis.chain_id))
        return fail(f, ERR_CHAIN_ID, "tx.chain_id", 0);
    if (tx->expiry_height < height)
        return fail(f, ERR_EXPIRED, "tx.expiry_height", tx->expiry_height);
    if (tx->expiry_height - height > param(c, CHAIN_PARAM_TX_TERM_MAX))
        return fail(f, ERR_RANGE, "tx.expiry_height", tx->expiry_height);
    const chain_row_account *account = chain_account(c, &tx->sender_address);
    if (!account)
        return fail(f, ERR_FUNDS, "tx.sender", 0);
    TRY(check_nonce(tx->nonce, account->nonce, nonce_window, f));
    *out = (chain_admission){ .balance = account->balance, .next_nonce = account->nonce };
    if (chain_fee(c, &out->base_fee, &out->total_fee, tx, len) != OK)
        return fail(f, ERR_OVERFLOW, "tx.tip", tx->tip);
    if (out->total_fee > tx->fee_max)
        return fail(f, ERR_FEE, "tx.fee_max", out->total_fee);
    if (out->total_fee > account->balance)
        return fail(f, ERR_FUNDS, "tx.fee_max", account->balance);
    if (!signature_known && chain_tx_verify(tx) != OK)
        return fail(f, ERR_SIGNATURE, "tx.signature", 0);
    return OK;
}

/* What the transaction takes from its sender besides the fee, as far as the transaction says it. */
static uint64_t amount_taken(const chain_tx *tx)
{
    switch (tx->type) {
    case CHAIN_TX_TRANSFER:
        return tx->payload.transfer.amount;
    case CHAIN_TX_WORKER_REGISTER:
        return tx->payload.worker_register.bond;
    case CHAIN_TX_JOB_POST:
        return tx->payload.job_post.escrow;
    case CHAIN_TX_STAKE_ADD:
        return tx->payload.stake_add.amount;
    case CHAIN_TX_PROPOSAL_SUBMIT:
        return tx->payload.proposal_submit.stake;
    case CHAIN_TX_OVERLAY_JOIN:
        return tx->payload.overlay_join.stake + tx->payload.overlay_join.fund; /* each at most CHAIN_AMOUNT_MAX */
    case CHAIN_TX_ORACLE_REGISTER:
        return tx->payload.oracle_register.stake;
    default:
        return 0;
    }
}

err chain_check_decoded(const chain *c, chain_admission *out, const chain_tx *tx, size_t len, chain_check_flags flags, fault *f)
{
    uint64_t need;
    if (c->loading || c->pending)
        return fail(f, ERR_STATE, "chain", c->head.height);
    TRY(chain_exec_admit(c, out, tx, len, c->head.height + 1, LIMIT_NONCE_WINDOW, flags.signature_known, f));
    if (checked_add_u64(&need, out->total_fee, amount_taken(tx)) != OK || out->balance < need)
        return fail(f, ERR_FUNDS, "tx", out->balance);
    return OK;
}

err chain_check(const chain *c, chain_tx *out, bytes tx, chain_check_flags flags, fault *f)
{
    chain_admission ignored;
    TRY(chain_tx_decode(out, tx, f));
    return chain_check_decoded(c, &ignored, out, tx.len, flags, f);
}

chain_event *chain_event_add(chain *c, chain_event_type type, uint32_t tx_index)
{
    CHECK(c->event_count < c->event_cap);
    chain_event *e = &c->events[c->event_count++];
    memset(e, 0, sizeof *e);
    e->type = type;
    e->tx_index = tx_index;
    return e;
}

static err dispatch(exec *x, const chain_tx *tx, fault *f)
{
    switch (tx->type) {
#define TX_BEGIN(ID, number, name, size_max, doc) \
    case CHAIN_TX_##ID:                           \
        return chain_exec_##name(x, &tx->payload.name, f);
#define FIELD(record, type, field, max, doc)
#define TX_END(ID, name)
#include "tx.def"
#undef TX_BEGIN
#undef FIELD
#undef TX_END
    }
    return fail(f, ERR_UNSUPPORTED, "tx.type", (uint64_t)tx->type);
}

/* The fee leaves the sender for good before the transaction runs; the producer gets it at the end of the block. */
static err take_fee(chain *c, const exec *x, uint64_t base, uint64_t total, fault *f)
{
    uint64_t burn;
    if (mul_div_u64(&burn, base, param(c, CHAIN_PARAM_FEE_BURN), PPM, ROUND_DOWN) != OK ||
        chain_account_debit(c, &x->sender, total) != OK || checked_add_u64(&c->block_fees, c->block_fees, total) != OK ||
        checked_add_u64(&c->block_burn, c->block_burn, burn) != OK)
        return fail(f, ERR_INVARIANT, "fee", total);
    chain_key key = chain_key_address(&x->sender);
    chain_row_account *account = chain_row_edit(c, CHAIN_TABLE_ACCOUNT, &key);
    if (checked_add_u64(&account->nonce, account->nonce, 1) != OK)
        return fail(f, ERR_NONCE, "tx.nonce", account->nonce);
    return OK;
}

err chain_exec_tx(chain *c, const chain_tx *tx, size_t len, uint64_t height, uint32_t index, bool signature_known,
                  chain_tx_result *result, fault *f)
{
    chain_admission a;
    TRY(chain_exec_admit(c, &a, tx, len, height, 1, signature_known, f));
    exec x = { .c = c, .height = height, .sender = tx->sender_address, .sender_key = tx->sender, .tx_id = tx->id,
               .tx_index = index };
    TRY(take_fee(c, &x, a.base_fee, a.total_fee, f));

    *result = (chain_tx_result){ .id = tx->id, .fee = a.total_fee, .event_first = (uint32_t)c->event_count };
    size_t mark = chain_journal_mark(c), events = c->event_count;
    chain_meter meter = c->meter;
    c->meter.txs++;
    fault why = { 0 };
    result->code = dispatch(&x, tx, &why);
    if (result->code != OK) {
        chain_journal_undo(c, mark);
        c->event_count = events;
        c->meter = meter;
        result->what = why.what ? why.what : "amount";
    }
    result->event_count = (uint32_t)(c->event_count - events);
    return chain_supply_check(c, c->block_fees, f);
}
