/* SPDX-License-Identifier: Apache-2.0
 * Blocks: propose, execute, commit, abort. */
#include "chain/constitution.h"
#include "chain/gov/gov_int.h"
#include "chain/treasury/treasury.h"
#include "chain/ident/ident.h"
#include "crypto/sha256.h"

static err sum_bytes(const chain_block_tx *txs, size_t count, size_t *total, fault *f)
{
    *total = 0;
    if (count > LIMIT_BLOCK_TXS)
        return fail(f, ERR_LIMIT, "block.txs", count);
    for (size_t i = 0; i < count; i++) {
        if (txs[i].raw.len > LIMIT_BLOCK_BYTES - *total)
            return fail(f, ERR_LIMIT, "block.bytes", i);
        *total += txs[i].raw.len;
    }
    return OK;
}

static void block_reset(chain *c)
{
    c->journal_len = 0;
    c->event_count = 0;
    c->result_count = 0;
    c->block_fees = 0;
    c->block_burn = 0;
    c->meter = (chain_meter){ 0 };
}

/* Takes back whatever the block did so far. */
static void block_drop(chain *c)
{
    chain_journal_undo(c, 0);
    block_reset(c);
    c->trees_ahead = false;
    c->pending = false;
}

static err check_input(const chain *c, const chain_block_input *in, fault *f)
{
    size_t total;
    if (c->loading || c->pending)
        return fail(f, ERR_STATE, "block", c->head.height);
    if (in->height != c->head.height + 1)
        return fail(f, ERR_STALE, "block.height", in->height);
    TRY(sum_bytes(in->txs, in->tx_count, &total, f));
    if (!chain_has_room(c, in->tx_count, total))
        return fail(f, ERR_MEMORY, "chain_reserve", total);
    if (!chain_may_produce(c, &in->producer))
        return fail(f, ERR_PERMISSION, "block.producer", 0);
    uint8_t message[CHAIN_BEACON_MESSAGE_BYTES];
    chain_beacon_message(message, &c->head.randomness, &c->head_hash, in->height);
    if (cr_ed25519_verify(&in->producer, bytes_of(message, sizeof message), &in->beacon) != OK)
        return fail(f, ERR_SIGNATURE, "block.beacon", 0);
    return OK;
}

static void place_beacon(chain *c, uint64_t height, const hash256 *randomness)
{
    chain_key key = chain_key_height(height);
    if (!chain_row_get(c, CHAIN_TABLE_BEACON, &key))
        return;
    chain_row_beacon *row = chain_row_edit(c, CHAIN_TABLE_BEACON, &key);
    row->randomness = *randomness;
}

static err pay_producer(chain *c, const cr_public_key *producer, fault *f)
{
    if (c->block_fees == 0)
        return OK;
    cr_address a = cr_address_of_key(producer);
    uint64_t earned = c->block_fees - c->block_burn;
    if (chain_account_credit(c, &a, earned) != OK || chain_supply_burn(c, c->block_burn) != OK)
        return fail(f, ERR_INVARIANT, "fees", c->block_fees);
    chain_event_add(c, CHAIN_EVENT_FEES_PAID, CHAIN_EVENT_NO_TX)->data.fees_paid =
        (chain_event_fees_paid){ .producer = a, .amount = earned, .burned = c->block_burn };
    c->block_fees = c->block_burn = 0;
    return OK;
}

/* What a block does besides its transactions: fees, the visits and draws of the running epoch, and at its last block the epoch's end. */
static err finish_block(chain *c, const chain_block_input *in, const hash256 *randomness, fault *f)
{
    size_t producer;
    CHECK(chain_producer_index(c, &in->producer, &producer));
    TRY(pay_producer(c, &in->producer, f));
    if (chain_sweep(c, in->height) != OK || chain_standby_draw(c, in->height, randomness) != OK || chain_meter_block_end(c, producer) != OK)
        return fail(f, ERR_INVARIANT, "markets", in->height);
    if (epoch_ends(c, in->height)) {
        TRY(chain_epoch_end(c, in->height, f));
        TRY(chain_treasury_set_subsidy_rate(c, chain_economy(c)->subsidy_last, f));
        TRY(chain_treasury_epoch(c, in->height, f));
        TRY(chain_ident_epoch(c, in->height, f));
        chain_gov_second_votes(c, in->height);
    }
    TRY(chain_params_hold(c, f));
    return chain_supply_check(c, 0, f);
}

static hash256 root_of_txs(chain *c, const chain_block_input *in)
{
    static const uint8_t leaf = 0;
    for (size_t i = 0; i < in->tx_count; i++) {
        hash256 h = cr_sha256(in->txs[i].raw);
        c->hashes[i] = cr_sha256_concat((const bytes[]){ bytes_of(&leaf, 1), BYTES_OF(h) }, 2);
    }
    return chain_rfc6962_root(c->hashes, in->tx_count);
}

/* The accounts that the transaction is about. */
static void prefetch_accounts(const chain *c, const chain_tx *tx, table_prefetch what)
{
    const row_table *accounts = &c->tables[CHAIN_TABLE_ACCOUNT];
    chain_key key = chain_key_address(&tx->sender_address);
    chain_table_prefetch(accounts, &key, what);
    if (tx->type != CHAIN_TX_TRANSFER)
        return;
    key = chain_key_address(&tx->payload.transfer.to);
    chain_table_prefetch(accounts, &key, what);
}

/* Decodes one transaction ahead, so that its rows come from memory while the one before it executes. */
static err run_txs(chain *c, const chain_block_input *in, fault *f)
{
    chain_tx txs[2];
    err ahead = in->tx_count ? chain_tx_decode(&txs[0], in->txs[0].raw, f) : OK;
    for (size_t i = 0; i < in->tx_count; i++) {
        const chain_block_tx *item = &in->txs[i];
        chain_tx *next = &txs[(i + 1) % 2];
        bool more = ahead == OK && i + 1 < in->tx_count;
        err e = ahead;
        if (more) {
            ahead = chain_tx_decode(next, in->txs[i + 1].raw, f);
            prefetch_accounts(c, next, TABLE_PREFETCH_INDEX);
        }
        if (e == OK)
            e = chain_exec_tx(c, &txs[i % 2], item->raw.len, in->height, (uint32_t)i, item->signature_known, &c->results[i], f);
        if (e != OK) {
            if (f)
                f->at = i;
            return e;
        }
        if (more)
            prefetch_accounts(c, next, TABLE_PREFETCH_ROW);
        c->result_count = i + 1;
    }
    return OK;
}

err chain_execute(chain *c, const chain_block_input *in, chain_block_result *out, fault *f)
{
    err e;
    TRY(check_input(c, in, f));
    block_reset(c);
    hash256 randomness = chain_randomness(&in->beacon);
    place_beacon(c, in->height, &randomness);
    TRY_OUT(run_txs(c, in, f));
    TRY_OUT(finish_block(c, in, &randomness, f));
    TRY_OUT(chain_constitution_check(c, in, f));

    chain_trees_sync(c);
    c->trees_ahead = true;
    c->pending = true;
    c->pending_header = (chain_header){ .version = CHAIN_HEADER_VERSION,
                                        .chain_id = c->genesis.chain_id,
                                        .height = in->height,
                                        .previous = c->head_hash,
                                        .tx_count = (uint32_t)in->tx_count,
                                        .tx_root = root_of_txs(c, in),
                                        .state_root = chain_trees_root(c, NULL),
                                        .randomness = randomness,
                                        .beacon = in->beacon,
                                        .producer = in->producer };
    *out = (chain_block_result){ .state_root = c->pending_header.state_root, .tx_root = c->pending_header.tx_root,
                                 .randomness = randomness, .txs = c->results, .tx_count = c->result_count,
                                 .events = c->events, .event_count = c->event_count };
    return OK;
out:
    block_drop(c);
    return e;
}

err chain_pending_header(const chain *c, chain_header *out, uint64_t time_ms)
{
    if (!c->pending)
        return ERR_STATE;
    *out = c->pending_header;
    out->time_ms = time_ms;
    return OK;
}

static err check_header(const chain_header *got, const chain_header *want, fault *f)
{
    if (!chain_name_equal(&got->chain_id, &want->chain_id))
        return fail(f, ERR_CHAIN_ID, "header.chain_id", 0);
    if (got->height != want->height)
        return fail(f, ERR_STALE, "header.height", got->height);
    if (!hash256_equal(&got->previous, &want->previous))
        return fail(f, ERR_HASH, "header.previous", 0);
    if (got->tx_count != want->tx_count)
        return fail(f, ERR_RANGE, "header.tx_count", got->tx_count);
    if (!hash256_equal(&got->tx_root, &want->tx_root))
        return fail(f, ERR_HASH, "header.tx_root", 0);
    if (!hash256_equal(&got->state_root, &want->state_root))
        return fail(f, ERR_HASH, "header.state_root", 0);
    if (!hash256_equal(&got->randomness, &want->randomness))
        return fail(f, ERR_HASH, "header.randomness", 0);
    if (memcmp(&got->beacon, &want->beacon, sizeof got->beacon) != 0)
        return fail(f, ERR_HASH, "header.beacon", 0);
    if (memcmp(&got->producer, &want->producer, sizeof got->producer) != 0)
        return fail(f, ERR_PERMISSION, "header.producer", 0);
    return OK;
}

err chain_commit(chain *c, bytes signed_header, fault *f)
{
    chain_header header;
    hash256 hash;
    if (!c->pending)
        return fail(f, ERR_STATE, "block", c->head.height);
    TRY(chain_header_decode(&header, &hash, signed_header, f));
    TRY(check_header(&header, &c->pending_header, f));
    c->head = header;
    c->head_hash = hash;
    memcpy(c->head_signed, signed_header.data, signed_header.len);
    c->head_signed_len = signed_header.len;
    chain_block_dirty_to_mark(c);
    c->journal_len = 0;
    c->trees_ahead = false;
    c->pending = false;
    return OK;
}

void chain_abort(chain *c)
{
    if (c->pending)
        block_drop(c);
    /* Node hashes are renewed now, so that proofs can be made against the head. */
    (void)chain_trees_root(c, NULL);
}

/* --- propose --- */

typedef int (*candidate_order)(const candidate *a, const candidate *b);

static int compare_u64(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int by_sender(const candidate *a, const candidate *b)
{
    int d = memcmp(&a->sender, &b->sender, sizeof a->sender);
    if (d == 0)
        d = compare_u64(a->nonce, b->nonce);
    return d ? d : compare_u64(a->index, b->index);
}

static int by_rate(const candidate *a, const candidate *b)
{
    int d = compare_u64(b->rate, a->rate);
    if (d == 0)
        d = compare_u64(a->group, b->group);
    if (d == 0)
        d = compare_u64(a->nonce, b->nonce);
    return d ? d : compare_u64(a->index, b->index);
}

/* Merge sort between the two reserved arrays: the library's qsort may allocate. The result is in c->candidates. */
static void sort_candidates(chain *c, size_t count, candidate_order order)
{
    candidate *from = c->candidates, *to = c->candidates_spare;
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t low = 0; low < count; low += 2 * width) {
            size_t mid = low + width < count ? low + width : count;
            size_t high = low + 2 * width < count ? low + 2 * width : count;
            size_t a = low, b = mid, n = low;
            while (a < mid || b < high)
                to[n++] = b == high || (a < mid && order(&from[a], &from[b]) <= 0) ? from[a++] : from[b++];
        }
        candidate *swap = from;
        from = to;
        to = swap;
    }
    c->candidates = from;
    c->candidates_spare = to;
}

static size_t list_candidates(chain *c, const chain_block_tx *txs, size_t count)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        chain_tx tx;
        if (chain_tx_decode(&tx, txs[i].raw, NULL) != OK)
            continue;
        c->candidates[n++] = (candidate){ .sender = tx.sender, .nonce = tx.nonce, .index = (uint32_t)i, .group = (uint32_t)i,
                                          .rate = tx.tip / (txs[i].raw.len / 1024 + 1) };
    }
    /* A transaction is worth no more than what its sender must run before it. */
    sort_candidates(c, n, by_sender);
    for (size_t i = 1; i < n; i++) {
        candidate *a = &c->candidates[i - 1], *b = &c->candidates[i];
        if (memcmp(&a->sender, &b->sender, sizeof a->sender) != 0)
            continue;
        if (a->rate < b->rate)
            b->rate = a->rate;
        if (a->group < b->group)
            b->group = a->group;
    }
    for (size_t i = n; i-- > 1;) /* the sender's least index is with its last nonce now: all of its get it */
        if (memcmp(&c->candidates[i - 1].sender, &c->candidates[i].sender, sizeof c->candidates[i].sender) == 0)
            c->candidates[i - 1].group = c->candidates[i].group;
    sort_candidates(c, n, by_rate);
    return n;
}

err chain_propose(chain *c, size_t *picked, size_t *picked_count, const chain_block_tx *txs, size_t count, size_t bytes_max,
                  fault *f)
{
    size_t total;
    *picked_count = 0;
    if (c->loading || c->pending)
        return fail(f, ERR_STATE, "block", c->head.height);
    TRY(sum_bytes(txs, count, &total, f));
    if (!chain_has_room(c, count, total))
        return fail(f, ERR_MEMORY, "chain_reserve", total);
    block_reset(c);
    size_t n = list_candidates(c, txs, count), taken = 0;
    for (size_t i = 0; i < n; i++) {
        const chain_block_tx *item = &txs[c->candidates[i].index];
        chain_tx tx;
        if (item->raw.len > bytes_max - taken || chain_tx_decode(&tx, item->raw, NULL) != OK)
            continue;
        if (chain_exec_tx(c, &tx, item->raw.len, c->head.height + 1, (uint32_t)*picked_count, item->signature_known,
                          &c->results[*picked_count], NULL) != OK)
            continue;
        picked[(*picked_count)++] = c->candidates[i].index;
        taken += item->raw.len;
    }
    block_drop(c);
    return OK;
}
