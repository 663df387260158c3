/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/replay.h"

#include "apps/referee.h"
#include "engine/heap.h"
#include "train/dispute.h"

#include <stdio.h>
#include <stdlib.h>

err tb_replay_start(tb_replay *r, const tb_ledger *l, bytes genesis, fault *f)
{
    chain_config config = { .memory = eng_heap(), .referee = tb_referee, .trace_leaf = tr_dispute_leaf };
    hash256 network = chain_genesis_hash(genesis);
    *r = (tb_replay){ 0 };
    if (!hash256_equal(&network, &l->genesis))
        return fail(f, ERR_CHAIN_ID, "genesis: of another network than the node's", 0);
    cr_random((uint8_t *)&config.table_seed, sizeof config.table_seed);
    r->bytes = malloc(LIMIT_HEADER_BYTES + LIMIT_BLOCK_BYTES);
    r->block = malloc(LIMIT_BLOCK_TXS * sizeof *r->block);
    if (!r->bytes || !r->block)
        return fail(f, ERR_MEMORY, "replay", 0);
    return chain_new(&r->chain, &config, genesis, f);
}

void tb_replay_free(tb_replay *r)
{
    chain_free(r->chain);
    free(r->bytes);
    free(r->block);
    *r = (tb_replay){ 0 };
}

/* The transactions of the node's answer, into the block. *total: their bytes. */
static err read_txs(tb_replay *r, const json_t *txs, size_t *total, fault *f)
{
    size_t i;
    json_t *tx;
    uint8_t *room = r->bytes + LIMIT_HEADER_BYTES;
    *total = 0;
    if (!json_is_array(txs) || json_array_size(txs) > LIMIT_BLOCK_TXS)
        return fail(f, ERR_FIELD, "txs", json_array_size(txs));
    json_array_foreach(txs, i, tx) {
        bytes raw;
        TRY(tb_json_hex(&raw, room + *total, LIMIT_BLOCK_BYTES - *total, tx, "bytes", f));
        r->block[i] = (chain_block_tx){ .raw = raw };
        *total += raw.len;
    }
    return OK;
}

static err replay_block(tb_replay *r, const json_t *answer, fault *f)
{
    bytes signed_header;
    chain_header header;
    hash256 hash;
    size_t total, count = json_array_size(json_object_get(answer, "txs"));
    TRY(tb_json_hex(&signed_header, r->bytes, LIMIT_HEADER_BYTES, answer, "header", f));
    TRY(chain_header_decode(&header, &hash, signed_header, f));
    TRY(read_txs(r, json_object_get(answer, "txs"), &total, f));
    err e = chain_reserve(r->chain, count, total);
    if (e != OK)
        return fail(f, e, "memory for a block", total);
    chain_block_input in = { .height = r->height + 1, .producer = header.producer, .beacon = header.beacon, .txs = r->block, .tx_count = count };
    chain_block_result result;
    TRY(chain_execute(r->chain, &in, &result, f));
    e = chain_commit(r->chain, signed_header, f);
    if (e != OK) {
        chain_abort(r->chain);
        return e;
    }
    r->txs += count;
    for (size_t i = 0; i < count; i++)
        r->failed += result.txs[i].code != OK;
    r->height++;
    return OK;
}

err tb_replay_run(tb_replay *r, tb_ledger *l, uint64_t to, fault *f)
{
    while (r->height < to) {
        json_t *answer;
        char height[24];
        snprintf(height, sizeof height, "%llu", (unsigned long long)(r->height + 1));
        TRY(tb_ledger_call(l, "chain.block", json_pack("{s:s, s:b}", "height", height, "bodies", 1), 0, &answer, f));
        err e = replay_block(r, answer, f);
        json_decref(answer);
        TRY(e);
    }
    return OK;
}

err tb_replay_check(const tb_replay *r, const hash256 *root, fault *f)
{
    TRY(chain_audit(r->chain, f));
    return hash256_equal(&chain_head(r->chain)->state_root, root) ? OK : fail(f, ERR_HASH, "state root: not what the node says", r->height);
}
